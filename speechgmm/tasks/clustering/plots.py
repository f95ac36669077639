"""The picture of a clustering: a map of the pieces, and their distances in the clusters' order."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from speechgmm.clustering import plane
from speechgmm.plots.canvas import FAINT, plain_text

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Colour = tuple[float, float, float, float]

NAMES_UP_TO: Final = 80
"""Pieces up to which each has its name beside the matrix."""

NAMES_ON_MAP_UP_TO: Final = 32
"""Pieces up to which each has its name on the map; of more, clusters have their numbers."""

MAPPED_UP_TO: Final = 250
"""Pieces that are shown; of more, every second, third, ... of each cluster is: a map of thousands takes minutes."""

MARKERS: Final = "osD^vP*X"


def shown_pieces(labels: NDArray[np.intp]) -> NDArray[np.intp]:
    """Which of N pieces a picture shows: all, or some of each cluster; places (n,).

    >>> shown_pieces(np.array([1, 0])), len(shown_pieces(np.zeros(1000, np.intp)))
    (array([0, 1]), 250)
    """
    if len(labels) <= MAPPED_UP_TO:
        return np.arange(len(labels))
    by_cluster = np.argsort(labels, kind="stable")
    return by_cluster[np.linspace(0, len(labels) - 1, MAPPED_UP_TO).astype(np.intp)]


def plot_clusters(
    distances: NDArray[np.float64],
    labels: NDArray[np.intp],
    *,
    names: Sequence[str] = (),
    title: str = "",
) -> "Figure":
    """Left, pieces in a plane that keeps their distances as far as it can, coloured by cluster; right, the distances,
    pieces ordered by cluster, dark where two are alike.

    Args:
        distances: (N, N), from 0.
        labels: (N,) clusters from 0.
        names: Of the pieces, such as who truly speaks; none: clusters' numbers.
        title: Above both.

    >>> plot_clusters(np.ones((3, 3)) - np.eye(3), np.array([0, 0, 1])).axes[1].get_title("left")
    'cosine distances, by cluster'
    """
    from matplotlib import colormaps
    from matplotlib.figure import Figure

    if len(labels) > MAPPED_UP_TO:
        title = f"{title} ({MAPPED_UP_TO} pieces are shown)".lstrip()
        shown_ones = shown_pieces(labels)
        names = [names[int(one)] for one in shown_ones] if names else ()
        distances, labels = distances[np.ix_(shown_ones, shown_ones)], labels[shown_ones]
    n = len(labels)
    figure = Figure(figsize=(12.5, 6.0), layout="constrained", dpi=130)
    left, right = figure.subplots(1, 2, width_ratios=(1, 1))
    off = distances[~np.eye(n, dtype=bool)]
    # What all pieces have between them says nothing, and a plane has no room for it: what lies beyond the least.
    beyond = np.maximum(distances - 0.9 * float(off.min()), 0.0) if len(off) else distances
    np.fill_diagonal(beyond, 0.0)
    colours = [colormaps["tab10"](number % 10) for number in range(int(labels.max()) + 1)]
    _draw_plane(left, plane(beyond), labels, names, colours)
    image = _draw_matrix(right, distances, labels, names, colours)
    figure.colorbar(image, ax=right, fraction=0.04, pad=0.02, shrink=0.7)
    if title:
        figure.suptitle(title, fontsize=12, x=0.01, ha="left")
    return figure


def _draw_plane(
    axes: Any, points: NDArray[np.float64], labels: NDArray[np.intp], names: Sequence[str], colours: Sequence[Colour]
) -> None:
    """Pieces at their points (N, 2), each joined to the middle of its cluster."""
    n = len(labels)
    for number in range(len(colours)):
        chosen = np.flatnonzero(labels == number)
        if len(chosen) == 0:  # small, and none of it is shown
            continue
        centre = points[chosen].mean(axis=0)
        rays = np.full((len(chosen), 3, 2), np.nan)  # a NaN lifts the pen
        rays[:, 0], rays[:, 1] = centre, points[chosen]
        axes.plot(*rays.reshape(-1, 2).T, color=colours[number], linewidth=1.2, alpha=0.5, zorder=1)
        marker = MARKERS[number // 10 % len(MARKERS)]
        axes.scatter(*points[chosen].T, s=90, color=colours[number], marker=marker, edgecolor="white", zorder=2)
        if not names or n > NAMES_ON_MAP_UP_TO:
            place = {"xytext": (7, 7), "textcoords": "offset points"}
            axes.annotate(str(number), centre, fontsize=11, fontweight="bold", color=colours[number], **place)
    if names and n <= NAMES_ON_MAP_UP_TO:
        for point, name, number in zip(points, names, labels, strict=True):
            place = {"xytext": (6, 5), "textcoords": "offset points"}
            axes.annotate(plain_text(name, 14), point, fontsize=7.5, color=colours[number], **place)
    axes.margins(0.12, 0.06)  # names stand to the right of their points
    axes.set_aspect("equal", adjustable="datalim")
    axes.set_xticks([])
    axes.set_yticks([])
    axes.spines[:].set_color(FAINT)
    axes.spines[:].set_alpha(0.4)
    axes.set_title("pieces in the plane, coloured by cluster", fontsize=10, loc="left")


def _draw_matrix(
    axes: Any,
    distances: NDArray[np.float64],
    labels: NDArray[np.intp],
    names: Sequence[str],
    colours: Sequence[Colour],
) -> Any:
    """Distances (N, N), pieces ordered by cluster, with a frame around each cluster."""
    n, off = len(labels), distances[~np.eye(len(labels), dtype=bool)]
    order = np.argsort(labels, kind="stable")
    image = axes.imshow(
        distances[np.ix_(order, order)],
        cmap="magma",
        vmin=float(off.min()) if len(off) else 0.0,
        vmax=float(off.max()) if len(off) and off.max() > off.min() else 1.0,
        interpolation="none",
    )
    edges = np.flatnonzero(np.diff(labels[order])) + 0.5
    for first, last in zip([-0.5, *edges], [*edges, n - 0.5], strict=True):
        number = int(labels[order][int(first + 0.5)])
        box = ([first, last, last, first, first], [first, first, last, last, first])
        axes.plot(*box, color=colours[number], linewidth=2.0, clip_on=False)
    if n <= NAMES_UP_TO and names:
        shown = [plain_text(names[int(piece)], 24) for piece in order]
        axes.set_yticks(range(n), shown, fontsize=max(4.0, min(8.0, 260 / n)))
        for tick, piece in zip(axes.get_yticklabels(), order, strict=True):
            tick.set_color(colours[int(labels[piece])])
    else:
        axes.set_yticks([])
    axes.set_xticks([])
    axes.set_title("cosine distances, by cluster", fontsize=10, loc="left")
    return image
