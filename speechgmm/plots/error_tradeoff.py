"""The DET plot: both errors of detection over all thresholds. Curves are thinned to what can be seen."""

from collections.abc import Iterable, Mapping, Sequence
from os import PathLike
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from speechgmm.errors import DataError
from speechgmm.evaluation import Application, OperatingPoint, Trials, operating_points, roc
from speechgmm.plots.canvas import COLOURS, FAINT, NONTARGET, TARGET, finished, new_axes, plain_text
from speechgmm.plots.sources import Scores, applications_of, run_of, trials_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Floats = NDArray[np.float64]

DET_TICKS: Final = (0.001, 0.01, 0.1, 0.5, 1, 2, 5, 10, 20, 40, 60, 80, 90, 95, 98, 99, 99.5, 99.9)
"""Percent."""


def det(
    scores: Scores | Mapping[str, Scores],
    is_target: ArrayLike | None = None,
    *,
    applications: Sequence[Application] = (),
    title: str = "",
    ax: "Axes | None" = None,
    save: "str | PathLike[str] | None" = None,
) -> "Axes":
    """Detection error trade-off: miss rate against false alarm rate on normal deviate (probit) axes.

    Parameters
    ----------
    scores : run, Trials, (N,) array, or mapping from names to these
        Scores of N trials; a higher score speaks more for the claim. For a run, the scores of its trials are drawn.
        If ``calibration.quality`` of the run is set, its likelihood ratios are drawn, as they depend on more than the
        score. A mapping draws several systems; each of its values may be a pair (scores, is_target).
    is_target : (N,) array of bool, optional
        True for target trials, False for non-targets. Leave it out for runs and ``Trials``, which contain it.
    applications : sequence of Application, optional
        Priors and costs of errors. For each, the point of least cost (minDCF) is marked, beside that of the equal
        error rate; default: the applications of the run. With several systems they are not marked.
    title : str, optional
        Text above the axes.
    ax : Axes, optional
        Where to draw; default: a new figure.
    save : str or Path, optional
        A file to write: .png, .svg or .pdf.

    Returns
    -------
    Axes
        Lines: the diagonal of equal errors, then the curve and the operating points of each system.

    Raises
    ------
    ShapeError
        ``is_target`` is missing where it is needed, or has another length than the scores.
    DataError
        All trials are targets, or all are non-targets; or the run has no trials.
    ConfigError
        A path is not the folder of a run, or matplotlib is not installed.

    Notes
    -----
    The plot is that of Martin et al. (1997). Normally distributed scores of equal variance give a straight line. Rates
    of 0 and 1 are infinite on these axes and are drawn at the edge. The equal error rate is that of the convex hull of
    the ROC.

    Examples
    --------
    >>> from speechgmm import plots
    >>> ax = plots.det([3.0, 2.0, 1.0, 1.5, 0.0, -1.0], [True, True, True, False, False, False])
    >>> ax.get_xlabel(), ax.get_ylabel()
    ('false alarm rate (% of non-targets)', 'miss rate (% of targets)')
    """
    given = scores if isinstance(scores, Mapping) else {"": scores}
    if not given:
        raise DataError("no system; expected one name with its scores at least")
    systems = {name: trials_of(one, is_target)[0] for name, one in given.items()}
    run = run_of(scores)
    wanted = tuple(applications) or (() if run is None else applications_of(run))
    points = {name: operating_points(trials, wanted if len(systems) == 1 else ()) for name, trials in systems.items()}
    limits = _det_limits(systems.values(), [point for found in points.values() for point in found])
    axes = new_axes(ax, height=4.4, title=title)
    for number, (name, trials) in enumerate(systems.items()):
        colours = (TARGET, NONTARGET) if len(systems) == 1 else (COLOURS[number % len(COLOURS)],) * 2
        _draw_det(axes, trials, limits, colours[0], first=number == 0)
        for place, point in enumerate(points[name]):
            x, y = _deviates((point.false_alarm, point.miss), limits)
            errors = f"{100 * point.miss:.2g} %"
            if place:
                errors = f"miss {100 * point.miss:.3g} %, false alarm {100 * point.false_alarm:.2g} %"
            label = f"{plain_text(name)}: {point.name} {errors}" if name else f"{point.name}: {errors}"
            mark = "oDs^v<>"[(place or number) % 7]
            style: dict[str, Any] = {"markersize": 6, "clip_on": False, "zorder": 3, "linestyle": "none"}
            axes.plot([x], [y], mark, color=colours[1], label=label, **style)
    from scipy.special import ndtri

    for axis, (least, most) in zip((axes.xaxis, axes.yaxis), limits, strict=True):
        ticks = [tick for tick in DET_TICKS if least <= tick / 100 <= most]
        axis.set_ticks(ndtri(np.array(ticks) / 100), [f"{tick:g}" for tick in ticks])
    axes.set_xlim(*ndtri(limits[0]))
    axes.set_ylim(*ndtri(limits[1]))
    axes.set_xlabel("false alarm rate (% of non-targets)")
    axes.set_ylabel("miss rate (% of targets)")
    below = {"loc": "upper center", "bbox_to_anchor": (0.5, -0.14)} if ax is None else {"loc": "upper right"}
    axes.legend(frameon=False, fontsize=9, **below)
    return finished(axes, save)


Limits = tuple[tuple[float, float], tuple[float, float]]
"""Lowest and highest rate that is shown: of false alarms, and of misses."""


def _det_limits(systems: Iterable[Trials], points: Sequence[OperatingPoint]) -> Limits:
    """Where less than half a trial would lie, and a little beyond the highest operating point."""
    found = []
    for name, is_kind in (("false_alarm", False), ("miss", True)):
        n = max(int((trials.is_target == is_kind).sum()) for trials in systems)
        least = min(0.05, 0.4 / n)
        most = min(1 - 0.4 / n, max(0.5, 1.3 * max(getattr(point, name) for point in points)))
        found.append((least, min(0.999, max(most, 2 * least))))
    return found[0], found[1]


def _deviates(rates: tuple[ArrayLike, ArrayLike], limits: Limits) -> tuple[Floats, Floats]:
    """False alarm and miss rates as normal deviates; what is beyond the axes lies at their edge."""
    from scipy.special import ndtri  # normal deviate of a probability

    x, y = (ndtri(np.clip(rate, *bounds)) for rate, bounds in zip(rates, limits, strict=True))
    return x, y


def _draw_det(axes: "Axes", trials: Trials, limits: Limits, colour: str, *, first: bool) -> None:
    """The curve, and with the first one the diagonal of equal errors."""
    from scipy.special import ndtri

    if first:
        ends = ndtri([max(low for low, _ in limits), min(high for _, high in limits)])
        axes.plot(ends, ends, color=FAINT, linewidth=0.8, linestyle=":")
    curve = roc(trials)
    beyond = tuple((low, 1 - low) for low, _ in limits)  # drawn beyond the axes, so that it is cut off there
    x, y = _deviates((curve.false_alarm, curve.miss), (beyond[0], beyond[1]))
    kept = np.unique(np.round(np.stack([x, y]) / 0.004), axis=1, return_index=True)[1]
    kept.sort()
    axes.plot(x[kept], y[kept], color=colour, linewidth=1.6, drawstyle="steps-pre")
