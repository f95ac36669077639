"""Figures as elements of a page."""

import io
import re
import warnings
import xml.etree.ElementTree as ElementTree
from typing import TYPE_CHECKING

from speechgmm.plots.canvas import printable

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_SVG = "http://www.w3.org/2000/svg"
_XLINK = "http://www.w3.org/1999/xlink"


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
