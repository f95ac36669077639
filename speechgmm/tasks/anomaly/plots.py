"""Plots of anomalies: scores with the threshold, the ROC, and the anomaly score over time under a spectrogram."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import ArrayLike

from speechgmm.evaluation import Trials, auc, roc
from speechgmm.plots.canvas import FAINT, NONTARGET, TARGET, WIDTH, new_axes, plain_text
from speechgmm.plots.signals import draw_levels, levels

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

STYLES: Final = ("-", "--", "-.", ":")

IN_LEGEND: Final = 6
"""Curves up to which their names stand in the axes; beside them, where there are more."""


def plot_anomaly_scores(
    kinds: Mapping[str, ArrayLike], threshold: float | None, *, unit: str = "score", title: str = ""
) -> "Axes":
    """How the scores of each kind of recordings are spread, a row each: median, middle half, and nine in ten.

    Args:
        kinds: Name -> its scores; those that begin with ``normal`` are drawn in their own colour.
        threshold: Anomalous above it; None: it is not the same for all.
        unit: What the axis says.
        title: What was run.

    >>> plot_anomaly_scores({"normal": [0.0, 1.0], "click": [3.0]}, 2.0).get_xlabel()
    'score'
    """
    axes = new_axes(height=1.0 + 0.24 * len(kinds), title=title)
    for row, (name, scores) in enumerate(kinds.items()):
        low, quarter, middle, three, high = np.quantile(np.asarray(scores, np.float64), (0.05, 0.25, 0.5, 0.75, 0.95))
        colour = TARGET if name.startswith("normal") else NONTARGET
        axes.plot([low, high], [row, row], color=colour, linewidth=1.2)
        axes.plot([quarter, three], [row, row], color=colour, linewidth=5, alpha=0.6, solid_capstyle="butt")
        axes.plot([middle], [row], "o", color=colour, markersize=4.5)
    if threshold is not None:
        axes.axvline(threshold, color="black", linewidth=0.9, linestyle=":", label="threshold")
        axes.legend(frameon=False, fontsize=8, loc="lower right")
    axes.set_yticks(range(len(kinds)), [plain_text(name) for name in kinds], fontsize=8)
    axes.invert_yaxis()
    axes.set_xlabel(unit)
    return axes


def _colours(n: int) -> list[str]:
    """Colours of n kinds of anomalies: from orange to violet, dark enough for white and light enough for black."""
    from matplotlib import colormaps
    from matplotlib.colors import to_hex

    if n <= 1:
        return [NONTARGET]
    return [to_hex(colormaps["plasma"](0.37 + 0.38 * place)) for place in np.linspace(1, 0, n)]


def plot_roc(curves: Mapping[str, Trials], *, marked: Sequence[tuple[float, float]] = (), title: str = "") -> "Axes":
    """Detected anomalies against false alarms; the diagonal is chance.

    Args:
        curves: Name -> its trials; the anomalous recordings are the targets.
        marked: (false alarm rate, detection rate) of points to mark: the thresholds.
        title: What was run.

    >>> from speechgmm.evaluation import pool_trials
    >>> plot_roc({"clicks": pool_trials([1.0, 2.0], [0.0, 1.5])}).get_ylabel()
    'anomalous recordings detected (%)'
    """
    many = len(curves) > IN_LEGEND
    axes = new_axes(width=WIDTH + 2.2 if many else WIDTH, height=3.8, title=title)
    axes.plot([0, 100], [0, 100], color=FAINT, linewidth=0.8, linestyle=":")
    colours = _colours(len(curves))
    areas = {name: auc(trials) for name, trials in curves.items()}
    for number, name in enumerate(sorted(curves, key=lambda name: -areas[name])):
        curve = roc(curves[name])
        axes.plot(
            100 * curve.false_alarm,
            100 * (1 - curve.miss),
            color=colours[number],
            linestyle=STYLES[number % len(STYLES)],
            linewidth=1.5,
            label=f"{plain_text(name)}: AUC {areas[name]:.3f}",
        )
    for false_alarm, found in marked:
        axes.plot(100 * false_alarm, 100 * found, "o", color="black", markersize=4, clip_on=False)
    axes.set_xlim(0, 100)
    axes.set_ylim(0, 102)
    axes.set_xlabel("false alarms (% of normal recordings)")
    axes.set_ylabel("anomalous recordings detected (%)")
    if many:
        axes.legend(frameon=False, fontsize=7.5, loc="center left", bbox_to_anchor=(1.0, 0.5))
    else:
        axes.legend(frameon=False, fontsize=8, loc="lower right")
    return axes


def plot_anomaly_curve(
    samples: ArrayLike,
    sample_rate: int,
    times: ArrayLike,
    curve: ArrayLike,
    *,
    start: float = 0.0,
    stretch: tuple[float, float] | None = None,
    title: str = "",
) -> "Figure":
    """A spectrogram, and under it the anomaly score over time.

    Args:
        samples: (N,) float.
        sample_rate: Hz.
        times: (T,) s, of the curve.
        curve: (T,) anomaly scores: 1 is the highest that normal recordings usually reach.
        start: Time of the first sample in s.
        stretch: Begin and end (s) of the most anomalous stretch, marked in both.
        title: Above it.

    Raises:
        ShapeError: As ``plot_spectrogram``.

    >>> figure = plot_anomaly_curve(np.sin(np.arange(8000)), 8000, [0.2, 0.4, 0.6], [0.0, 3.0, 0.0])
    >>> figure.axes[1].get_xlabel()
    'time (s)'
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(WIDTH, 2.6), dpi=130)
    upper, lower = figure.subplots(2, 1, sharex=True, gridspec_kw={"height_ratios": [2, 1.1], "hspace": 0.08})
    figure.subplots_adjust(left=0.12, right=0.97, top=0.9 if title else 0.97, bottom=0.17)
    if title:
        upper.set_title(title, fontsize=9, loc="left", parse_math=False)
    draw_anomaly((upper, lower), samples, sample_rate, times, curve, start=start, stretch=stretch)
    return figure


def draw_anomaly(
    pair: "tuple[Axes, Axes]",
    samples: ArrayLike,
    sample_rate: int,
    times: ArrayLike,
    curve: ArrayLike,
    *,
    start: float = 0.0,
    stretch: tuple[float, float] | None = None,
) -> None:
    """As `plot_anomaly_curve`, on two pairs of axes that share their time."""
    upper, lower = pair
    level, stop = levels(samples, sample_rate, start)
    where, values = np.asarray(times, np.float64), np.asarray(curve, np.float64)
    draw_levels(upper, level, (start, stop), sample_rate)
    upper.set_ylabel("kHz")
    shown = (where >= start) & (where <= stop)
    # What is far out would flatten the rest: the square root keeps both in sight.
    height = np.sign(values) * np.sqrt(np.abs(values))
    lower.fill_between(where[shown], 0, np.maximum(height[shown], 0), color=NONTARGET, alpha=0.35, linewidth=0)
    lower.plot(where[shown], height[shown], color=NONTARGET, linewidth=0.9)
    if shown.any():
        ticks = [0, 1, 2, 4, 10, 25, 50, 100, 250, 500, 1000]
        top = float(height[shown].max())
        kept = [0]
        for tick in ticks:
            if np.sqrt(kept[-1]) + max(top, 1) / 5 <= np.sqrt(tick) <= max(top, 1):
                kept.append(tick)
        lower.set_yticks([float(np.sqrt(tick)) for tick in kept], [str(tick) for tick in kept])
        lower.set_ylim(1.08 * min(0.0, float(height[shown].min())), 1.08 * max(top, 1))
    for axes in (upper, lower):
        axes.tick_params(labelsize=8)
        for edge in stretch or ():
            axes.axvline(edge, color="white" if axes is upper else "black", linewidth=1.0, linestyle="--")
    lower.axhline(1, color=FAINT, linewidth=0.8, linestyle=":")
    lower.spines[["top", "right"]].set_visible(False)
    lower.grid(color=FAINT, alpha=0.25, linewidth=0.6)
    lower.set_xlim(start, stop)
    lower.set_xlabel("time (s)")
    lower.set_ylabel("anomaly\nscore")
