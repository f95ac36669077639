"""Figures of one look, and how they get into a page.

Black in a figure becomes the page's text colour and no figure has a ground of its own, so that one picture does for
light, dark and paper. Text stays text. Owns nothing about what is drawn.
"""

import io
import re
import warnings
import xml.etree.ElementTree as ElementTree
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

TARGET: Final = "#2a7ab9"
NONTARGET: Final = "#d95f02"
"""Told apart by colour-blind readers, and 3:1 or better against white and against the page's dark ground."""

FAINT: Final = "#808080"

WIDTH: Final = 5.0
"""Inches, 360 points: on a phone a point is a pixel, so that text of 9 points can be read there."""

_SVG = "http://www.w3.org/2000/svg"
_XLINK = "http://www.w3.org/1999/xlink"


def new_axes(
    height: float = 3.4, title: str = "", margins: tuple[float, float, float, float] | None = None
) -> "tuple[Figure, Axes]":
    """An empty figure of one pair of axes with a faint grid.

    Args:
        height: Inches.
        title: Above the axes.
        margins: Left, bottom, right and top of the axes as shares of the figure; default: what their text needs.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(WIDTH, height), layout=None if margins else "constrained", dpi=130)
    if margins:
        left, bottom, right, top = margins
        figure.subplots_adjust(left=left, bottom=bottom, right=right, top=top)
    axes = figure.add_subplot()
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(color=FAINT, alpha=0.25, linewidth=0.6)
    axes.set_axisbelow(True)
    axes.tick_params(labelsize=9)
    if title:
        axes.set_title(title, fontsize=10, parse_math=False)
    return figure, axes


def to_svg(figure: "Figure", alt: str, prefix: str) -> str:
    """A figure as an ``<svg>`` element for a page, described by ``alt``; its ids begin with ``prefix``.

    Ids are made unique by the prefix because a page holds many figures and matplotlib counts from 1 in each.
    """
    import matplotlib

    buffer = io.BytesIO()
    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": "speechgmm"}), warnings.catch_warnings():
        # The reader's browser has the glyphs that matplotlib's font lacks.
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    root = ElementTree.fromstring(printable(buffer.getvalue().decode()))
    for extra in root.findall(f"{{{_SVG}}}metadata"):
        root.remove(extra)
    width = float(root.attrib.pop("width").removesuffix("pt"))
    del root.attrib["height"]
    root.attrib.update({"role": "img", "aria-label": printable(alt), "fill": "currentColor"})
    root.set("style", f"--width: {width:.0f}")
    link = f"{{{_XLINK}}}href"
    for element in root.iter():
        if "id" in element.attrib:
            element.set("id", prefix + element.attrib["id"])
        if element.get(link, "").startswith("#"):
            element.set(link, f"#{prefix}{element.attrib[link][1:]}")
        for name in ("clip-path", "style"):
            if name in element.attrib:
                value = element.attrib[name].replace("url(#", f"url(#{prefix}")
                element.set(name, re.sub(r"#000000\b", "currentColor", value))
    ElementTree.register_namespace("", _SVG)
    ElementTree.register_namespace("xlink", _XLINK)
    return ElementTree.tostring(root, encoding="unicode")


def printable(text: str) -> str:
    """Text without what no page may hold: control characters and bytes that are not UTF-8, shown as ``\\x1b``.

    >>> printable("a\\x1bb")
    'a\\\\x1bb'
    """
    shown = text.encode("utf-8", "backslashreplace").decode()
    return re.sub(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ufffe\uffff]", lambda found: f"\\x{ord(found[0]):02x}", shown)
