"""A mixture over two of its dimensions, with frames behind it."""

from collections.abc import Sequence
from os import PathLike
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import ArrayLike

from speechgmm.errors import ConfigError, ShapeError, check_type
from speechgmm.gmm import DiagGMM, Fit
from speechgmm.plots.canvas import FAINT, NONTARGET, finished, new_axes
from speechgmm.plots.sources import numbers

if TYPE_CHECKING:
    from matplotlib.axes import Axes

FRAMES_SHOWN: Final = 4000
"""Of more, every second, third, ... is: a file of a million points helps nobody."""


def mixture(
    model: DiagGMM | Fit,
    frames: ArrayLike | None = None,
    *,
    dims: tuple[int, int] = (0, 1),
    deviations: float | Sequence[float] = 2.0,
    title: str = "",
    ax: "Axes | None" = None,
    save: "str | PathLike[str] | None" = None,
) -> "Axes":
    """A mixture with diagonal covariances over two dimensions: an ellipse for every component, frames behind.

    Parameters
    ----------
    model : DiagGMM or Fit
        The mixture of K components.
    frames : (T, D) array, optional
        Frames to draw behind it, as points; at most 4000 of them, evenly spread.
    dims : (int, int)
        The two dimensions, from 0.
    deviations : float or sequence of float
        Half axes of the ellipses in standard deviations: within 2, a component of two dimensions has 86 % of its
        probability.
    title : str, optional
        Above the axes.
    ax : Axes, optional
        Where to draw; default: a new figure.
    save : str or Path, optional
        A file to write: .png, .svg or .pdf.

    Returns
    -------
    Axes
        Patches: K ellipses for each of ``deviations``, the darker the larger the weight. Collections: the frames, then
        the means, whose areas are in proportion to the weights.

    Raises
    ------
    ShapeError
        Dimensions that the mixture has not; frames that are not (T, D).
    ConfigError
        Something other than a mixture; deviations that are not above 0.

    Examples
    --------
    >>> import speechgmm as sg
    >>> from speechgmm import plots
    >>> model = sg.DiagGMM([0.75, 0.25], [[0.0, 0.0], [3.0, 1.0]], [[1.0, 4.0], [1.0, 1.0]])
    >>> ax = plots.mixture(model, sg.sample(model, 100, seed=0)[0])
    >>> [(float(ellipse.width), float(ellipse.height)) for ellipse in ax.patches]
    [(4.0, 8.0), (4.0, 4.0)]
    """
    density = model.model if isinstance(model, Fit) else model
    check_type("model", density, DiagGMM, "a DiagGMM or a Fit; an estimator has its DiagGMM in model_")
    n_dims = density.means.shape[1]
    chosen = list(np.atleast_1d(dims))
    if len(chosen) != 2 or not all(dim in range(n_dims) for dim in chosen):
        raise ShapeError(f"dims {dims}; expected two dimensions from 0 to {n_dims - 1}, as the mixture has")
    reaches = numbers(np.atleast_1d(deviations), "deviations")
    if not (np.isfinite(reaches) & (reaches > 0)).all():
        raise ConfigError(f"deviations is {deviations!r}; expected numbers above 0", arguments=("deviations",))
    points = None if frames is None else numbers(frames, "frames")
    if points is not None and (points.ndim != 2 or points.shape[1] != n_dims):
        raise ShapeError(f"frames {points.shape}; expected (T, {n_dims}), as the mixture has")
    axes = new_axes(ax, height=4.2, title=title)
    from matplotlib.patches import Ellipse

    if points is not None:
        shown = points[:: -(-len(points) // FRAMES_SHOWN) or 1, chosen]
        axes.scatter(shown[:, 0], shown[:, 1], s=5, color=FAINT, alpha=0.5, linewidth=0, zorder=1, rasterized=True)
    means, spreads = density.means[:, chosen], np.sqrt(density.variances[:, chosen])
    strength = density.weights / density.weights.max()
    for reach in reaches:
        for mean, spread, share in zip(means, spreads, strength, strict=True):
            width, height = 2 * reach * spread
            style = {"fill": False, "edgecolor": NONTARGET, "linewidth": 1.4, "alpha": 0.25 + 0.75 * share}
            axes.add_patch(Ellipse((mean[0], mean[1]), width, height, zorder=2, **style))
    axes.scatter(means[:, 0], means[:, 1], s=40 * strength, color=NONTARGET, linewidth=0, zorder=3)
    axes.autoscale_view()
    axes.set_xlabel(f"dimension {chosen[0]}")
    axes.set_ylabel(f"dimension {chosen[1]}")
    return finished(axes, save)
