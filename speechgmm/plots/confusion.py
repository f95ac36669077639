"""The confusion matrix, in the order of classes, of similarity or of phone classes."""

from collections.abc import Sequence
from os import PathLike
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from speechgmm.errors import ConfigError, DataError, ShapeError, check_type
from speechgmm.plots.canvas import FAINT, finished, new_axes, printable
from speechgmm.plots.phone_classes import PHONE_CLASSES, phone_place
from speechgmm.plots.sources import NOTHING, Run, counts_of, numbers, run_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.colors import Colormap

COUNTS_UP_TO: Final = 16
"""Classes up to which the cells hold their counts."""

NAMES_UP_TO: Final = 120
"""Classes up to which each has its name at the axes; of more, every second, third, ... has."""

DRAWN_UP_TO: Final = 2000
"""Classes up to which a run draws its confusion matrix: a cell of more would be smaller than a dot of the picture."""

ORDERS: Final = ("class", "similarity", "phone")


def confusion_matrix(
    confusion: Run | ArrayLike,
    labels: Sequence[str] | None = None,
    *,
    order: str | Sequence[str] = "class",
    title: str = "",
    headline: str = "",
    ax: "Axes | None" = None,
    save: "str | PathLike[str] | None" = None,
) -> "Axes":
    """Confusion matrix with true classes in rows and predicted classes in columns; the colour is the share of the row.

    Parameters
    ----------
    confusion : run or (C, C) array of int
        Counts of test items, or a run of classification, of segments or of recognition.
    labels : sequence of str, optional
        The C class names; default: the names of the run, or numbers for an array.
    order : {"class", "similarity", "phone"} or sequence of str
        Order of the classes. ``class``: as given. ``similarity``: classes that are confused with each other are
        neighbours. ``phone``: by manner of articulation, with lines between the phone classes, for labels in ARPAbet
        or IPA. A sequence: all labels in the order to draw them.
    title : str, optional
        Text above the axes.
    headline : str, optional
        Text beside the title; default: the share of correct items.
    ax : Axes, optional
        Where to draw; default: a new figure.
    save : str or Path, optional
        A file to write: .png, .svg or .pdf.

    Returns
    -------
    Axes
        One image (C, C) of shares in %; up to 16 classes, the counts as text in the cells.

    Raises
    ------
    ShapeError
        The counts are not (C, C), or the number of labels is not C.
    ConfigError
        ``order`` is unknown, or lacks a label; it is ``phone``, and no label is a phone; a label occurs twice; or
        ``labels`` are given with a run, which has its own.
    DataError
        Counts are not whole numbers of 0 or more (shares, for example), or the run has no confusions.

    Notes
    -----
    ``similarity`` is agglomerative clustering with average linkage on the symmetrised row shares. Its leaves are
    ordered so that neighbours are as similar as possible (Bar-Joseph et al. 2001).

    Examples
    --------
    >>> from speechgmm import plots
    >>> ax = plots.confusion_matrix([[9, 0, 1], [0, 5, 0], [3, 0, 2]], ["i", "a", "e"], order="similarity")
    >>> [tick.get_text() for tick in ax.get_yticklabels()]
    ['a', 'e', 'i']
    >>> ax.get_title("left")
    '80.0 % of 20 correct'
    """
    run = run_of(confusion)
    if run is not None:
        if labels is not None:
            raise ConfigError("labels beside a run, which has its own; leave them out", arguments=("labels",))
        names, counts = counts_of(run)
    else:
        counts = whole_counts(confusion)
        names = tuple(map(str, range(len(counts)) if labels is None else labels))
    if len(set(names)) < len(names):
        raise ConfigError(f"{len(names)} labels of which some are the same; expected each once", arguments=("labels",))
    if counts.shape != (len(names), len(names)) or not counts.size:
        raise ShapeError(f"counts {counts.shape} and {len(names)} labels; expected (C, C) counts and C labels")
    places, edges = _ordered(counts, names, order)
    counts, names = counts[np.ix_(places, places)], tuple(names[place] for place in places)
    n = len(names)
    right = 100 * np.trace(counts) / max(1, counts.sum())
    headline = headline or f"{right:.1f} % of {counts.sum()} correct"
    side = min(12.0, max(4.2, 0.22 * n + 2.8))
    axes = new_axes(ax, width=side + 1.0, height=side, title=f"{title}: {headline}".lstrip(": "))
    _draw(axes, counts, names, side)
    for edge in edges:
        axes.axhline(edge - 0.5, color="black", linewidth=0.8)
        axes.axvline(edge - 0.5, color="black", linewidth=0.8)
    return finished(axes, save)


def whole_counts(values: Any) -> NDArray[np.int64]:
    """Numbers of test items. Raises DataError for what is not whole, 0 or more.

    >>> whole_counts([[2.0, 0.0], [1.0, 3.0]]).tolist()
    [[2, 0], [1, 3]]
    """
    found = numbers(values, "counts")
    if not (np.isfinite(found) & (found >= 0) & (found == np.round(found))).all():
        raise DataError(
            "counts of test items that are not all whole numbers, 0 or more; give counts: the plot makes shares of rows"
        )
    return found.astype(np.int64)


def _draw(axes: "Axes", counts: NDArray[np.int64], labels: Sequence[str], side: float) -> None:
    from matplotlib.collections import LineCollection

    n = len(labels)
    shares = 100 * counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    image = axes.imshow(shares, cmap=_blues(), vmin=0, vmax=100, aspect="equal", interpolation="none")
    size = max(3.0, min(10.0, 0.7 * 72 * side / (n + 4)))  # points: a row has about 0.85 of this for its name
    named = range(0, n, -(-n // NAMES_UP_TO) or 1)
    names = [printable(labels[number]) for number in named]
    axes.set_xticks(
        named, names, rotation=90 if n > 6 and max(map(len, names)) > 2 else 0, fontsize=size, parse_math=False
    )
    axes.set_yticks(named, names, fontsize=size, parse_math=False)
    aligned = NOTHING in labels  # references and hypotheses, with deletions and insertions
    axes.set_xlabel("hypothesis" if aligned else "predicted class")
    axes.set_ylabel("reference" if aligned else "true class")
    if n <= COUNTS_UP_TO:
        for row, column in np.argwhere(counts > 0):
            colour = "white" if shares[row, column] > 80 else "black"
            style: dict[str, Any] = {"ha": "center", "va": "center", "fontsize": size, "color": colour}
            axes.text(column, row, str(counts[row, column]), **style)
    axes.grid(visible=False)
    # One artist for all lines between cells: each minor tick would be several, which takes seconds with many classes.
    between = np.arange(0.5, n - 1)
    upright = [[(place, -0.5), (place, n - 0.5)] for place in between]
    lines = upright + [[(y, x) for x, y in line] for line in upright]
    axes.add_collection(LineCollection(lines, colors=FAINT, alpha=0.2, linewidths=0.5, zorder=0.5), autolim=False)
    axes.spines[:].set_visible(True)
    axes.get_figure().colorbar(  # type: ignore[union-attr]
        image,
        ax=axes,
        label=f"share of the {'reference' if aligned else 'true class'} (%)",
        fraction=0.04,
        pad=0.02,
        shrink=0.7,
    )


def _blues() -> "Colormap":
    """From nothing to a blue that bears white numbers: nothing is the page, be it light or dark."""
    from matplotlib.colors import LinearSegmentedColormap

    shares = np.linspace(0, 1, 64)
    # Small shares rise fast: what is confused now and then must be seen on a dark page too.
    return LinearSegmentedColormap.from_list("blues", [(0.11, 0.42, 0.75, share**0.6) for share in shares])


def _ordered(
    counts: NDArray[np.int64], labels: Sequence[str], order: str | Sequence[str]
) -> tuple[Sequence[int], Sequence[int]]:
    """Places of the classes in an order, and where a new phone class begins in it."""
    if not isinstance(order, str):
        check_type("order", order, (Sequence, np.ndarray), f"one of {', '.join(ORDERS)}, or labels")
        order = [str(label) for label in order]
        if sorted(order) != sorted(labels):
            raise ConfigError(
                f"order has {len(order)} labels, not the {len(labels)} of the matrix each once", arguments=("order",)
            )
        return [list(labels).index(label) for label in order], ()
    if order not in ORDERS:
        raise ConfigError(f"order is {order!r}; expected one of {', '.join(ORDERS)}, or labels", arguments=("order",))
    if order == "phone":
        return _by_phone_class(labels)
    return (similarity_order(counts) if order == "similarity" else range(len(labels))), ()


def similarity_order(counts: NDArray[np.int64]) -> list[int]:
    """Places of C classes so that those that are confused with each other are neighbours; of counts (C, C).

    >>> similarity_order(np.array([[9, 0, 1], [0, 5, 0], [3, 0, 2]]))
    [1, 2, 0]
    """
    from scipy.cluster.hierarchy import leaves_list, linkage
    from scipy.spatial.distance import squareform

    if len(counts) < 3:
        return list(range(len(counts)))
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    distances = 1 - (shares + shares.T) / 2
    np.fill_diagonal(distances, 0.0)
    tree = linkage(squareform(distances, checks=False), "average", optimal_ordering=True)
    return [int(place) for place in leaves_list(tree)]


def usual_order(labels: Sequence[str]) -> str:
    """``phone`` for symbols of phones that are more than letters of an alphabet, else ``class``.

    >>> usual_order(["aa", "iy", "sil"]), usual_order(["a", "b"]), usual_order(["one", "iy"])
    ('phone', 'class', 'class')
    """
    more_than_letters = any(len(label) > 1 or not label.isascii() for label in labels)
    return "phone" if more_than_letters and all(map(phone_place, labels)) else "class"


def _by_phone_class(labels: Sequence[str]) -> tuple[list[int], list[int]]:
    """As `_ordered`: in the order of the table of phone classes; labels that it lacks are last."""
    ipa = not any(label.isascii() and len(label.rstrip("012")) > 1 for label in labels)
    known = [phone_place(label, ipa=ipa) for label in labels]
    if not any(known):
        raise ConfigError(
            f"order is 'phone', and none of the labels ({', '.join(labels[:3])}, ...) is a phone in ARPAbet or IPA; "
            "take order='similarity'",
            arguments=("order",),
        )
    keys = [place or (len(PHONE_CLASSES), 0) for place in known]
    places = sorted(range(len(labels)), key=lambda place: keys[place])
    classes = [keys[place][0] for place in places]
    return places, [n for n in range(1, len(classes)) if classes[n] != classes[n - 1]]
