"""Plots of trials: DET, score histograms, Tippett, calibration. Users import them from :mod:`speechgmm.report.plots`.

Each takes ranked trials (``speechgmm.evaluation.rank_trials``). Curves are thinned to what can be seen.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from speechgmm import evaluation
from speechgmm.evaluation import Trials, roc
from speechgmm.report.canvas import FAINT, NONTARGET, TARGET, new_axes
from speechgmm.report.operating_points import Application, operating_points

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Floats = NDArray[np.float64]

DET_TICKS: Final = (0.001, 0.01, 0.1, 0.5, 1, 2, 5, 10, 20, 40, 60, 80, 90, 95, 98, 99, 99.5, 99.9)
"""Percent."""

POINTS: Final = 400
"""Of a curve."""

BINS: Final = 60

NATS_PER_LOG10: Final = float(np.log(10))

SCORE: Final = "score (nats per frame)"
RATIO: Final = "log10 of the likelihood ratio"


def plot_det(trials: Trials, *, applications: Sequence[Application] = (), title: str = "") -> "Figure":
    """Miss against false alarm rate on normal deviate scales (Martin et al. 1997), operating points marked.

    The diagonal is where both are equal. Rates of 0 and 1, which have no place on these scales, are drawn at the edge.

    Args:
        trials: Scores with their truth.
        applications: Priors and costs whose point of least cost is marked beside that of equal errors.
        title: What was run.

    >>> from speechgmm.evaluation import pool_trials
    >>> figure = plot_det(pool_trials([1.0, 2.0, 3.0], [0.0, 1.5, -1.0]), applications=[Application(0.1)])
    >>> figure.axes[0].get_xlabel()
    'false alarm rate (% of nontargets)'
    """
    from scipy.special import ndtri  # normal deviate of a probability

    curve, points = roc(trials), operating_points(trials, tuple(applications))
    n_targets = int(trials.is_target.sum())
    n_nontargets = len(trials.scores) - n_targets
    # Rates of 0 and 1 lie where less than half a trial would; what is beyond the axes is cut off.
    low = [min(0.05, 0.4 / n) for n in (n_nontargets, n_targets)]
    used = [max(getattr(point, name) for point in points) for name in ("false_alarm", "miss")]
    high = [min(1 - 0.4 / n, max(0.5, 1.3 * most)) for n, most in zip((n_nontargets, n_targets), used, strict=True)]
    high = [min(0.999, max(value, 2 * least)) for value, least in zip(high, low, strict=True)]
    x = ndtri(np.clip(curve.false_alarm, low[0], 1 - low[0]))
    y = ndtri(np.clip(curve.miss, low[1], 1 - low[1]))

    figure, axes = new_axes(height=4.4, title=title)
    ends = ndtri([max(low), min(high)])
    axes.plot(ends, ends, color=FAINT, linewidth=0.8, linestyle=":")
    kept = np.unique(np.round(np.stack([x, y]) / 0.004), axis=1, return_index=True)[1]
    kept.sort()
    axes.plot(x[kept], y[kept], color=TARGET, linewidth=1.6, drawstyle="steps-pre")
    for number, point in enumerate(points):
        place = (
            ndtri(np.clip(point.false_alarm, low[0], high[0])),
            ndtri(np.clip(point.miss, low[1], high[1])),
        )
        errors = f"{100 * point.miss:.2g} %"
        if number:
            errors = f"miss {100 * point.miss:.3g} %, false alarm {100 * point.false_alarm:.2g} %"
        axes.plot(
            *place,
            "oDs^v<>"[number % 7],
            color=NONTARGET,
            markersize=6,
            clip_on=False,
            zorder=3,
            linestyle="none",
            label=f"{point.name}: {errors}",
        )
    for axis, least, most in ((axes.xaxis, low[0], high[0]), (axes.yaxis, low[1], high[1])):
        ticks = [tick for tick in DET_TICKS if least <= tick / 100 <= most]
        axis.set_ticks(ndtri(np.array(ticks) / 100), [f"{tick:g}" for tick in ticks])
    axes.set_xlim(*ndtri([low[0], high[0]]))
    axes.set_ylim(*ndtri([low[1], high[1]]))
    axes.set_xlabel("false alarm rate (% of nontargets)")
    axes.set_ylabel("miss rate (% of targets)")
    axes.legend(frameon=False, fontsize=9, loc="upper center", bbox_to_anchor=(0.5, -0.14))
    return figure


def plot_scores(
    trials: Trials, *, thresholds: Sequence[tuple[str, float]] = (), unit: str = SCORE, title: str = ""
) -> "Figure":
    """How the scores of targets and nontargets are spread, each as shares of its own number.

    Args:
        trials: Scores with their truth.
        thresholds: (name, score) of the lines to draw.
        unit: What the axis says.
        title: What was run.

    >>> from speechgmm.evaluation import pool_trials
    >>> plot_scores(pool_trials([1.0, 2.0], [0.0, -1.0])).axes[0].get_ylabel()
    'share of their kind (% per bin)'
    """
    figure, axes = new_axes(title=title)
    edges, shares = score_histogram(trials)
    styles = (("targets", TARGET, "-", 0.45), ("nontargets", NONTARGET, "--", 0.25))
    for (name, color, style, alpha), share in zip(styles, shares, strict=True):
        axes.stairs(100 * share, edges, fill=True, color=color, alpha=alpha)
        axes.stairs(100 * share, edges, color=color, linestyle=style, linewidth=1.3, label=name)
    for number, (name, score) in enumerate(thresholds):
        if np.isfinite(score):
            axes.axvline(score, color="black", linewidth=0.9, linestyle=(":", "-.", "--")[number % 3], label=name)
    axes.set_xlabel(unit)
    axes.set_ylabel("share of their kind (% per bin)")
    axes.legend(frameon=False, fontsize=9)
    return figure


def score_histogram(trials: Trials) -> tuple[Floats, tuple[Floats, Floats]]:
    """Edges (B + 1,) of bins, and the shares (B,) of targets and of nontargets in them; infinite scores go last."""
    low, high = finite_range(trials)
    edges = np.linspace(low, high if high > low else low + 1, BINS + 1)
    counts = [
        np.histogram(np.clip(trials.scores[kind], edges[0], edges[-1]), edges)[0]
        for kind in (trials.is_target, ~trials.is_target)
    ]
    return edges, (counts[0] / counts[0].sum(), counts[1] / counts[1].sum())


def finite_range(trials: Trials) -> tuple[float, float]:
    """The least and the greatest finite score."""
    finite = trials.scores[np.isfinite(trials.scores)]
    return (float(finite.min()), float(finite.max())) if len(finite) else (-1.0, 1.0)


def plot_tippett(trials: Trials, *, calibrated: bool = False, unit: str = SCORE, title: str = "") -> "Figure":
    """The share of targets, and of nontargets, whose score is at least so high (Meuwly 2001).

    Args:
        trials: Scores with their truth.
        calibrated: The scores are natural-log likelihood ratios; they are drawn as powers of ten.
        unit: What the axis says of scores that are not.
        title: What was run.

    >>> from speechgmm.evaluation import pool_trials
    >>> plot_tippett(pool_trials([1.0, 2.0], [0.0, -1.0]), calibrated=True).axes[0].get_xlabel()
    'log10 of the likelihood ratio'
    """
    figure, axes = new_axes(title=title)
    x, shares = tippett(trials)
    scale = NATS_PER_LOG10 if calibrated else 1.0
    axes.plot(x / scale, 100 * shares[0], color=TARGET, linewidth=1.6, label="targets")
    axes.plot(x / scale, 100 * shares[1], color=NONTARGET, linewidth=1.6, linestyle="--", label="nontargets")
    if calibrated:
        axes.axvline(0, color="black", linewidth=0.9, linestyle=":", label="ratio 1: neither way")
    axes.set_xlabel(RATIO if calibrated else unit)
    axes.set_ylabel("share with this score or a higher one (%)")
    axes.legend(frameon=False, fontsize=9)
    return figure


def tippett(trials: Trials, n_points: int = POINTS) -> tuple[Floats, tuple[Floats, Floats]]:
    """Scores (P,), and the shares (P,) of targets and of nontargets that have as much or more."""
    low, high = finite_range(trials)
    x = np.linspace(low, high, n_points)
    curves = evaluation.tippett(trials)
    shares = [np.append(kind, 0.0)[np.searchsorted(curves.llrs, x)] for kind in (curves.targets, curves.nontargets)]
    return x, (shares[0], shares[1])


def plot_calibration(trials: Trials, *, title: str = "") -> "Figure":
    """What likelihood ratios claim against what these trials bear out, by pool-adjacent-violators (PAV).

    The diagonal is perfect calibration; above it the claim is too low, below it too high.

    Args:
        trials: Natural-log likelihood ratios with their truth.
        title: What was run.

    >>> from speechgmm.evaluation import pool_trials
    >>> plot_calibration(pool_trials([1.0, 2.0], [0.0, 1.5])).axes[0].get_xlabel()
    'log10 of the likelihood ratio'
    """
    figure, axes = new_axes(height=4.0, title=title)
    claimed, found = evaluation.pav_blocks(trials)
    finite = np.isfinite(found).all(axis=None) and len(found) > 0
    shown = np.isfinite(found)
    x, y = claimed / NATS_PER_LOG10, found / NATS_PER_LOG10
    reach = [value for value in (*x[np.isfinite(x)], *y[shown]) if np.isfinite(value)] or [-1.0, 1.0]
    low, high = min(reach), max(reach)
    axes.plot([low, high], [low, high], color=FAINT, linewidth=0.9, linestyle=":", label="perfect calibration")
    pieces = [(a, b, value) for (a, b), value in zip(x, y, strict=True)]
    inner = [(a, b, value) for a, b, value in pieces if np.isfinite(value)]
    if inner:
        across = [place for a, b, _ in inner for place in (a, b)]
        up = [value for _, _, value in inner for _ in range(2)]
        axes.plot(across, up, color=TARGET, linewidth=1.6, label="PAV of these trials")
    if not finite:
        for a, b, value in pieces:
            if not np.isfinite(value):
                edge = high if value > 0 else low
                marker = "^" if value > 0 else "v"
                axes.plot([a, b], [edge, edge], color=NONTARGET, marker=marker, markersize=4, linewidth=1.2)
        axes.plot([], [], color=NONTARGET, marker="^", markersize=4, label="one kind alone: no bound")
    axes.set_xlabel(RATIO)
    axes.set_ylabel("log10 of the ratio borne out")
    axes.legend(frameon=False, fontsize=9)
    return figure
