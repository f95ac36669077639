"""Plots of segmented images: regions, boundaries and what is uncertain."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from speechgmm.images import Segmentation, painted

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_SIDE = 4.2  # inches, of a panel
_LINE = (1.0, 0.9, 0.0)


def plot_segmentation(
    found: Segmentation, image: NDArray[np.float32], others: Mapping[str, NDArray[np.intp]] | None = None
) -> "Figure":
    """The image (H, W, 3), its regions in their mean colours, their boundaries over it, and the uncertainty.

    ``others`` are further label maps (H, W) by their titles, painted below.
    """
    from matplotlib.figure import Figure

    height, width = image.shape[:2]
    panels = {
        "photograph": image,
        "regions, in their mean colours": painted(found.labels, image),
        "boundaries": outlined(found.labels, image),
        "uncertainty": found.uncertainty,
        **{title: painted(labels, image) for title, labels in (others or {}).items()},
    }
    rows = -(-len(panels) // 2)
    size = (2 * _SIDE, rows * (_SIDE * min(2.0, max(0.1, height / width)) + 0.3))
    figure = Figure(figsize=size, layout="constrained", dpi=100)
    axes = figure.subplots(rows, 2, squeeze=False).ravel()
    for place in axes:
        place.set_axis_off()
    for place, (title, panel) in zip(axes, panels.items(), strict=False):
        shown = place.imshow(panel, cmap="magma", vmin=0, vmax=1, interpolation="antialiased")
        place.set_title(title, fontsize=9)
        if title == "uncertainty":
            place.set_title("uncertainty: the mixture's, before smoothing", fontsize=9)
            bar = figure.colorbar(shown, ax=place, location="bottom", shrink=0.6, pad=0.02, ticks=[0, 1])
            bar.ax.set_xticklabels(["sure", "knows nothing"], fontsize=7)
    return figure


def outlined(labels: NDArray[np.intp], image: NDArray[np.float32]) -> NDArray[np.float32]:
    """The image with a line where a pixel's label is not that of the one to its left or above.

    >>> outlined(np.array([[0, 1]]), np.zeros((1, 2, 3), np.float32))[0, :, 0]
    array([0., 1.], dtype=float32)
    """
    edge = np.zeros(labels.shape, bool)
    edge[:, 1:] |= labels[:, 1:] != labels[:, :-1]
    edge[1:] |= labels[1:] != labels[:-1]
    drawn = image.copy()
    drawn[edge] = _LINE
    return drawn
