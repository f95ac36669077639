"""Plots of trials: Tippett and histograms of scores."""

from collections.abc import Sequence
from os import PathLike
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from speechgmm import evaluation
from speechgmm.evaluation import Trials
from speechgmm.plots.canvas import NONTARGET, TARGET, finished, new_axes
from speechgmm.plots.sources import Scores, run_of, trials_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Floats = NDArray[np.float64]

POINTS: Final = 400
"""Of a curve."""

BINS: Final = 60

NATS_PER_LOG10: Final = float(np.log(10))

RATIO: Final = "log10 of the likelihood ratio"

KINDS: Final = (("targets", TARGET, "-"), ("non-targets", NONTARGET, "--"))


def tippett(
    scores: Scores,
    is_target: ArrayLike | None = None,
    *,
    calibrated: bool | None = None,
    unit: str = "",
    title: str = "",
    ax: "Axes | None" = None,
    save: "str | PathLike[str] | None" = None,
) -> "Axes":
    """Tippett plot: the share of targets, and of non-targets, whose likelihood ratio is at least the value on the axis.

    Parameters
    ----------
    scores : run, Trials or (N,) array
        Natural-log likelihood ratios of N trials; they are drawn as powers of ten. For a run without calibration, its
        scores are drawn as they are.
    is_target : (N,) array of bool, optional
        True for target trials, False for non-targets. Leave it out for runs and ``Trials``, which contain it.
    calibrated : bool, optional
        Whether the scores are likelihood ratios; default: as the run says, and True for arrays.
    unit : str, optional
        Label of the axis for scores that are not likelihood ratios.
    title : str, optional
        Text above the axes.
    ax : Axes, optional
        Where to draw; default: a new figure.
    save : str or Path, optional
        A file to write: .png, .svg or .pdf.

    Returns
    -------
    Axes
        Lines: the targets (in % of all targets), the non-targets (in % of all non-targets) and, where the scores are
        likelihood ratios, the ratio 1.

    Raises
    ------
    ShapeError
        ``is_target`` is missing where it is needed, or has another length than the scores.
    DataError
        All trials are targets, or all are non-targets; or the run has no trials.

    Notes
    -----
    Evett & Buckleton 1996, Meuwly 2001.

    Examples
    --------
    >>> from speechgmm import plots
    >>> ax = plots.tippett([4.0, 2.0, 1.0, -3.0], [True, True, False, False])
    >>> ax.get_xlabel()
    'log10 of the likelihood ratio'
    """
    trials, of_run, run_unit = trials_of(scores, is_target, ratios=True)
    if calibrated is None:
        calibrated = of_run or run_of(scores) is None
    axes = new_axes(ax, title=title)
    x, shares = tippett_shares(trials)
    scale = NATS_PER_LOG10 if calibrated else 1.0
    for (name, color, style), share in zip(KINDS, shares, strict=True):
        axes.plot(x / scale, 100 * share, color=color, linewidth=1.6, linestyle=style, label=name)
    if calibrated:
        axes.axvline(0, color="black", linewidth=0.9, linestyle=":", label="ratio 1: neither way")
    axes.set_xlabel(RATIO if calibrated else unit or run_unit)
    axes.set_ylabel("share with this value or a higher one (%)")
    axes.legend(frameon=False, fontsize=9)
    return finished(axes, save)


def tippett_shares(trials: Trials, n_points: int = POINTS) -> tuple[Floats, tuple[Floats, Floats]]:
    """Scores (P,), and the shares (P,) of targets and of non-targets that have as much or more."""
    low, high = finite_range(trials)
    x = np.linspace(low, high, n_points)
    curves = evaluation.tippett(trials)
    shares = [np.append(kind, 0.0)[np.searchsorted(curves.llrs, x)] for kind in (curves.targets, curves.nontargets)]
    return x, (shares[0], shares[1])


def finite_range(trials: Trials) -> tuple[float, float]:
    """The least and the greatest finite score."""
    finite = trials.scores[np.isfinite(trials.scores)]
    return (float(finite.min()), float(finite.max())) if len(finite) else (-1.0, 1.0)


def score_histogram(
    scores: Scores,
    is_target: ArrayLike | None = None,
    *,
    thresholds: Sequence[tuple[str, float]] = (),
    unit: str = "",
    title: str = "",
    ax: "Axes | None" = None,
    save: "str | PathLike[str] | None" = None,
) -> "Axes":
    """Histograms of target scores and of non-target scores. Each bar is a share of all targets, or of all non-targets.

    Parameters
    ----------
    scores : run, Trials or (N,) array
        Scores of N trials; a higher score speaks more for the claim.
    is_target : (N,) array of bool, optional
        True for target trials, False for non-targets. Leave it out for runs and ``Trials``, which contain it.
    thresholds : sequence of (str, float), optional
        Names and scores of lines to draw.
    unit : str, optional
        Label of the score axis; default: the unit of the run's scores.
    title : str, optional
        Text above the axes.
    ax : Axes, optional
        Where to draw; default: a new figure.
    save : str or Path, optional
        A file to write: .png, .svg or .pdf.

    Returns
    -------
    Axes
        Two patches for targets and two for non-targets (filled, outlined), and a line for each threshold.

    Raises
    ------
    ShapeError
        ``is_target`` is missing where it is needed, or has another length than the scores.
    DataError
        All trials are targets, or all are non-targets; or the run has no trials.

    Examples
    --------
    >>> from speechgmm import plots
    >>> ax = plots.score_histogram([4.0, 2.0, 1.0, -3.0], [True, True, False, False], thresholds=[("EER", 1.5)])
    >>> [text.get_text() for text in ax.get_legend().get_texts()]
    ['targets', 'non-targets', 'EER']
    """
    trials, _, run_unit = trials_of(scores, is_target)
    axes = new_axes(ax, title=title)
    edges, shares = histogram_shares(trials)
    for (name, color, style), alpha, share in zip(KINDS, (0.45, 0.25), shares, strict=True):
        axes.stairs(100 * share, edges, fill=True, color=color, alpha=alpha)
        axes.stairs(100 * share, edges, color=color, linestyle=style, linewidth=1.3, label=name)
    for number, (name, score) in enumerate(thresholds):
        if np.isfinite(score):
            axes.axvline(score, color="black", linewidth=0.9, linestyle=(":", "-.", "--")[number % 3], label=name)
    axes.set_xlabel(unit or run_unit)
    axes.set_ylabel("share of their kind (% per bin)")
    axes.set_ylim(0, 130 * max(share.max() for share in shares))  # room for the legend above the highest bin
    axes.legend(frameon=False, fontsize=9, loc="upper left", ncols=2)
    return finished(axes, save)


def histogram_shares(trials: Trials) -> tuple[Floats, tuple[Floats, Floats]]:
    """Edges (B + 1,) of bins, and the shares (B,) of targets and of non-targets in them; infinite scores go last."""
    low, high = finite_range(trials)
    edges = np.linspace(low, high if high > low else low + 1, BINS + 1)
    counts = [
        np.histogram(np.clip(trials.scores[kind], edges[0], edges[-1]), edges)[0]
        for kind in (trials.is_target, ~trials.is_target)
    ]
    return edges, (counts[0] / counts[0].sum(), counts[1] / counts[1].sum())
