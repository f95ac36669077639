"""Axes of one look, and files of figures.

Black in a figure becomes the text colour of a report and no figure has a ground, so that one picture does for light,
dark and paper. Figures are objects: pyplot, its list of open figures and its settings are left alone. Owns
nothing about what is drawn.
"""

import io
import re
from importlib.util import find_spec
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from speechgmm.errors import ConfigError, check_type
from speechgmm.io.atomic import write_atomically

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

TARGET: Final = "#2a7ab9"
NONTARGET: Final = "#d95f02"
"""Told apart by colour-blind readers, and 3:1 or better against white and against the page's dark ground."""

FAINT: Final = "#808080"

COLOURS: Final = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#999933", "#882255", "#44aa99")
"""Of systems and speakers, told apart by colour-blind readers (Okabe & Ito, Tol); of more, they begin again."""

WIDTH: Final = 5.0
"""Inches, 360 points: on a phone a point is a pixel, so that text of 9 points can be read there."""

METADATA: Final = {
    "png": {"Software": None},
    "svg": {"Date": None, "Creator": None},
    "pdf": {"CreationDate": None, "Creator": None, "Producer": None},
}
"""Formats of files, and what matplotlib would write into each that differs from day to day."""


def new_axes(
    ax: "Axes | None" = None,
    *,
    width: float = WIDTH,
    height: float = 3.4,
    title: str = "",
    margins: tuple[float, float, float, float] | None = None,
) -> "Axes":
    """Axes with a faint grid: those that are given, or the only ones of a new figure.

    Args:
        ax: Where to draw; None: in a new figure.
        width: Of a new figure, in inches.
        height: Of a new figure, in inches.
        title: Above the axes.
        margins: Left, bottom, right and top of the axes as shares of a new figure; default: what their text needs.

    Raises:
        ConfigError: matplotlib is not installed; ``ax`` is no axes.
    """
    if find_spec("matplotlib") is None:
        raise ConfigError("plots need matplotlib, which is not installed: pip install 'speechgmm[plot]'")
    from matplotlib.axes import Axes

    if ax is not None:
        check_type("ax", ax, Axes, "axes of matplotlib, such as figure.add_subplot()")
    if ax is None:
        from matplotlib.figure import Figure

        figure = Figure(figsize=(width, height), layout=None if margins else "constrained", dpi=130)
        if margins:
            left, bottom, right, top = margins
            figure.subplots_adjust(left=left, bottom=bottom, right=right, top=top)
        ax = figure.add_subplot()
    ax.spines[["top", "right"]].set_visible(False)
    ax.grid(color=FAINT, alpha=0.25, linewidth=0.6)
    ax.set_axisbelow(True)
    ax.tick_params(labelsize=9)
    if title:
        ax.set_title(printable(title), fontsize=10, loc="left", parse_math=False)
    return ax


def finished(ax: "Axes", save: "str | PathLike[str] | None") -> "Axes":
    """The axes, their figure saved where that is asked for."""
    if save is not None:
        save_figure(ax, save)
    return ax


def save_figure(figure: "Figure | Axes", path: "str | PathLike[str]") -> None:
    """Write a figure as PNG, SVG or PDF, according to the ending of the path.

    The file is written completely or not at all, and the same figure gives the same bytes.

    Parameters
    ----------
    figure : Figure or Axes
        The figure, or any axes of the figure.
    path : str or Path
        The file to write; its folder is created if it is missing.

    Raises
    ------
    ConfigError
        The path does not end with .png, .svg or .pdf.
    DataError
        The file cannot be written.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from speechgmm import plots
    >>> folder = Path(tempfile.mkdtemp())
    >>> plots.save_figure(plots.tippett([1.0, 2.0], [False, True]), folder / "tippett.svg")
    >>> (folder / "tippett.svg").read_text()[:5]
    '<?xml'
    """
    import matplotlib

    path = Path(path)
    kind = path.suffix[1:].lower()
    if kind not in METADATA:
        raise ConfigError(f"{path}: expected a file that ends in .png, .svg or .pdf", arguments=("save",))
    drawn: Any = figure
    buffer = io.BytesIO()
    with matplotlib.rc_context({"svg.hashsalt": "speechgmm"}):
        drawn.figure.figure.savefig(buffer, format=kind, metadata=METADATA[kind])  # axes may be of a part of a figure
    write_atomically(path, lambda file: file.write(buffer.getvalue()))


def plain_text(label: str, most: int = 28) -> str:
    """A label for a legend: printable, not taken for mathematics, not hidden for its underscore, not too long.

    >>> plain_text("_a$b")
    ' _a\\\\$b'
    """
    label = printable(label)
    short = label if len(label) <= most else label[: most - 1] + "…"
    return (" " if short.startswith("_") else "") + short.replace("$", r"\$")


def printable(text: str) -> str:
    """Text without what no page may hold: control characters and bytes that are not UTF-8, shown as ``\\x1b``.

    >>> printable("a\\x1bb")
    'a\\\\x1bb'
    """
    shown = str(text).encode("utf-8", "backslashreplace").decode()
    return re.sub(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ufffe\uffff]", lambda found: f"\\x{ord(found[0]):02x}", shown)
