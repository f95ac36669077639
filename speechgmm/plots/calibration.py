"""The reliability plot: what likelihood ratios or posteriors claim against what the trials bear out."""

from os import PathLike
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from speechgmm.errors import ConfigError, DataError
from speechgmm.evaluation import pav_blocks
from speechgmm.plots.canvas import FAINT, NONTARGET, TARGET, finished, new_axes
from speechgmm.plots.detection import NATS_PER_LOG10, RATIO
from speechgmm.plots.sources import Scores, run_of, trials_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Floats = NDArray[np.float64]


def reliability(
    scores: Scores,
    is_target: ArrayLike | None = None,
    *,
    scale: Literal["llr", "posterior"] = "llr",
    title: str = "",
    ax: "Axes | None" = None,
    save: "str | PathLike[str] | None" = None,
) -> "Axes":
    """Reliability plot: the likelihood ratios (or posteriors) of a system against those that its trials show.

    A perfectly calibrated system lies on the diagonal. Below the diagonal its ratios are too high (overconfident for
    the target); above the diagonal they are too low.

    Parameters
    ----------
    scores : run, Trials or (N,) array
        Natural-log likelihood ratios of N trials, or posteriors.
    is_target : (N,) array of bool, optional
        True for target trials, False for non-targets; for posteriors, whether the hypothesis is true. Leave it out for
        runs and ``Trials``, which contain it.
    scale : {"llr", "posterior"}
        What the scores are: log-likelihood ratios in nats, drawn as powers of ten, or probabilities from 0 to 1.
    title : str, optional
        Text above the axes.
    ax : Axes, optional
        Where to draw; default: a new figure.
    save : str or Path, optional
        A file to write: .png, .svg or .pdf.

    Returns
    -------
    Axes
        Lines: the diagonal, the blocks of the pool-adjacent-violators algorithm (PAV) and, at the edge of the axes,
        the blocks with an infinite ratio.

    Raises
    ------
    ShapeError
        ``is_target`` is missing where it is needed, or has another length than the scores.
    DataError
        All trials are targets, or all are non-targets; posteriors lie outside 0 to 1; or the run has no trials or no
        calibration.
    ConfigError
        ``scale`` is neither "llr" nor "posterior".

    Notes
    -----
    PAV gives the best non-decreasing map of the scores (Brümmer & du Preez 2006; for posteriors Dimitriadis,
    Gneiting & Jordan 2021). A block that holds only targets, or only non-targets, has an infinite log-likelihood
    ratio: its trials cannot show how large the true ratio is.

    Examples
    --------
    >>> from speechgmm import plots
    >>> ax = plots.reliability([2.0, 0.5, 1.0, -3.0], [True, True, False, False])
    >>> ax.get_xlabel()
    'log10 of the likelihood ratio'
    """
    if scale not in ("llr", "posterior"):
        raise ConfigError(f"scale is {scale!r}; expected 'llr' or 'posterior'", arguments=("scale",))
    trials, calibrated, _ = trials_of(scores, is_target, ratios=True)
    run = run_of(scores)
    if run is not None and not calibrated:
        raise DataError(f"{run.folder}: its scores are not calibrated; set calibration.method, or give ratios as array")
    claimed, found = pav_blocks(trials)
    if scale == "llr":
        axes = new_axes(ax, height=4.0, title=title)
        _draw(axes, claimed / NATS_PER_LOG10, found / NATS_PER_LOG10)
        axes.set_xlabel(RATIO)
        axes.set_ylabel("log10 of the ratio borne out")
    else:
        if claimed.min() < 0 or claimed.max() > 1:
            raise DataError(f"posteriors from {claimed.min():g} to {claimed.max():g}; expected 0 to 1")
        from scipy.special import expit

        axes = new_axes(ax, height=4.0, title=title)
        n_targets = int(trials.is_target.sum())
        odds = np.log(n_targets / (len(trials.scores) - n_targets))
        _draw(axes, claimed, expit(found + odds), (0.0, 1.0))
        axes.set_xlabel("posterior")
        axes.set_ylabel("share that is so")
    axes.legend(frameon=False, fontsize=9)
    return finished(axes, save)


def _draw(axes: "Axes", x: Floats, y: Floats, ends: tuple[float, float] | None = None) -> None:
    """Blocks of PAV: from x (B, 2), all at y (B,); an infinite one lies at the edge."""
    reach = np.concatenate([x[np.isfinite(x)], y[np.isfinite(y)]])
    low, high = ends or ((reach.min(), reach.max()) if len(reach) else (-1.0, 1.0))
    axes.plot([low, high], [low, high], color=FAINT, linewidth=0.9, linestyle=":", label="perfect calibration")
    inner = np.isfinite(y)
    if inner.any():
        axes.plot(x[inner].ravel(), y[inner].repeat(2), color=TARGET, linewidth=1.6, label="PAV of these trials")
    for block, value in zip(x[~inner], y[~inner], strict=True):
        edge, marker = (high, "^") if value > 0 else (low, "v")
        axes.plot(block, [edge, edge], color=NONTARGET, marker=marker, markersize=4, linewidth=1.2)
    if not inner.all():
        axes.plot([], [], color=NONTARGET, marker="^", markersize=4, label="one kind alone: no bound")
