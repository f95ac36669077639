"""A mixture over two of its dimensions, with frames behind it."""

from collections.abc import Sequence
from os import PathLike
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from speechgmm.errors import ConfigError, ShapeError, check_type
from speechgmm.gmm import DiagGMM, Fit, FullGMM, VariationalFit
from speechgmm.plots.canvas import FAINT, NONTARGET, finished, new_axes
from speechgmm.plots.sources import numbers

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Floats = NDArray[np.float64]

FRAMES_SHOWN: Final = 4000
"""Of more, every second, third, ... is: a file of a million points helps nobody."""


def mixture(
    model: DiagGMM | FullGMM | Fit[DiagGMM] | Fit[FullGMM] | VariationalFit,
    frames: ArrayLike | None = None,
    *,
    dims: tuple[int, int] = (0, 1),
    deviations: float | Sequence[float] = 2.0,
    title: str = "",
    ax: "Axes | None" = None,
    save: "str | PathLike[str] | None" = None,
) -> "Axes":
    """A mixture in two of its dimensions: an ellipse for every component and, where frames are given, their points.

    Parameters
    ----------
    model : DiagGMM, FullGMM, Fit or VariationalFit
        The mixture of K components. For a VariationalFit its ``model`` is drawn, the mixture at the posterior mean.
    frames : (T, D) array, optional
        Frames to draw as points behind the ellipses: at most 4000 of them, evenly spread over the array.
    dims : (int, int)
        The two dimensions, from 0.
    deviations : float or sequence of float
        Half axes of the ellipses in standard deviations. An ellipse of 2 standard deviations holds 86 % of the
        probability of its component.
    title : str, optional
        Text above the axes.
    ax : Axes, optional
        Where to draw; default: a new figure.
    save : str or Path, optional
        A file to write: .png, .svg or .pdf.

    Returns
    -------
    Axes
        Patches: K ellipses for each of ``deviations``; the larger the weight of a component, the darker its ellipse.
        An unused component of a VariationalFit is hardly visible. Collections: the frames, then the means as discs
        with areas in proportion to the weights.

    Raises
    ------
    ShapeError
        The mixture does not have these dimensions, or the frames are not (T, D).
    ConfigError
        ``model`` is no mixture, or ``deviations`` are not above 0.

    Examples
    --------
    >>> import speechgmm as sg
    >>> from speechgmm import plots
    >>> model = sg.DiagGMM([0.75, 0.25], [[0.0, 0.0], [3.0, 1.0]], [[1.0, 4.0], [1.0, 1.0]])
    >>> ax = plots.mixture(model, sg.sample(model, 100, seed=0)[0])
    >>> [(float(ellipse.width), float(ellipse.height)) for ellipse in ax.patches]
    [(4.0, 8.0), (4.0, 4.0)]
    """
    density = model.model if isinstance(model, Fit | VariationalFit) else model
    check_type("model", density, (DiagGMM, FullGMM), "a mixture or a fit; an estimator has its mixture in model_")
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
    means, (spreads, angles) = density.means[:, chosen], _ellipses(density, chosen)
    strength = density.weights / density.weights.max()  # its root is the opacity: unused components do not add up
    for reach in reaches:
        for mean, (width, height), angle, share in zip(means, 2 * reach * spreads, angles, strength, strict=True):
            style = {"fill": False, "edgecolor": NONTARGET, "linewidth": 1.4, "alpha": float(np.sqrt(share))}
            axes.add_patch(Ellipse((mean[0], mean[1]), width, height, angle=angle, zorder=2, **style))
    axes.scatter(means[:, 0], means[:, 1], s=40 * strength, color=NONTARGET, linewidth=0, zorder=3)
    axes.autoscale_view()
    axes.set_xlabel(f"dimension {chosen[0]}")
    axes.set_ylabel(f"dimension {chosen[1]}")
    return finished(axes, save)


def _ellipses(density: DiagGMM | FullGMM, dims: list[int]) -> tuple[Floats, Floats]:
    """Half axes (K, 2) of one standard deviation, and the angles (K,) of the first of them to dimension dims[0]."""
    if isinstance(density, DiagGMM):
        return np.sqrt(density.variances[:, dims]), np.zeros(density.n_components)
    shape = (density.n_components, 2, 2)  # of tied ones there is one for all
    variances, axes = np.linalg.eigh(np.broadcast_to(density.covariances[:, dims][:, :, dims], shape))
    return np.sqrt(variances), np.degrees(np.arctan2(axes[:, 1, 0], axes[:, 0, 0]))
