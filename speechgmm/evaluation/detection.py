"""Metrics of detection: is the claim true (this speaker, this word, a live voice) or not.

Conventions
    A trial is a score and the truth: target (the claim holds) or non-target. It is accepted where score >= threshold.
    A miss is a target that is rejected (false rejection), a false alarm a non-target that is accepted (false
    acceptance); their rates are fractions of the targets and of the non-targets. Weights count a trial as so many.
    Equal scores cannot be told apart by any threshold, and none of the metrics pretends otherwise.

Metrics
    error_rates         miss (FRR) and false alarm rate (FAR) at a threshold (fractions)
    min_dcf             the least expected cost over all thresholds, against deciding blindly (0 to 1)
    cllr                cost of scores taken at their word as log-likelihood ratios (bits per trial; 0 best, 1 blind)
    cllr_min            the same after the best increasing map of the scores (bits per trial, 0 to 1)

All but cllr and error_rates are unchanged by any strictly increasing map of the scores. ``equal_error`` has the EER.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from speechgmm.errors import DataError, ShapeError
from speechgmm.evaluation.resampling import OfSums

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Trials:
    """Scores and the truth of each trial, sorted once: metrics under many weightings then need no further sort."""

    scores: Floats  # (N,) as given
    is_target: NDArray[np.bool_]  # (N,)
    order: NDArray[np.intp]  # (N,) from the lowest score to the highest
    starts: NDArray[np.intp]  # (S,) place in that order where each of the S distinct scores begins
    runs: NDArray[np.intp]  # (R,) those of them where the ROC turns: neighbours of one kind are one run


@dataclass(frozen=True, slots=True)
class Roc:
    """Operating points from 'accept all' to 'accept none': miss rates rise, false alarm rates fall."""

    thresholds: Floats  # (P,) accept where score >= threshold; the last is infinite
    miss: Floats  # (P,) fraction of the targets, 0 to 1
    false_alarm: Floats  # (P,) fraction of the non-targets, 1 to 0


@dataclass(frozen=True, slots=True)
class ErrorRates:
    """The two errors at one threshold."""

    miss: float  # fraction of the targets rejected: false rejection rate, FRR
    false_alarm: float  # fraction of the non-targets accepted: false acceptance rate, FAR


def rank_trials(scores: ArrayLike, is_target: ArrayLike) -> Trials:
    """Trials from scores (N,), higher for the claim, and the truth (N,) of each; infinite scores are allowed.

    Raises:
        ShapeError: Arrays of different lengths; a truth that is not boolean.
        DataError: A score that is NaN; only targets or only non-targets.

    >>> trials = rank_trials([2.0, -1.0, 0.5, 0.5], [True, False, True, False])
    >>> trials.starts.tolist()
    [0, 1, 3]
    """
    values, truth = np.asarray(scores, dtype=np.float64), np.asarray(is_target)
    if values.ndim != 1 or truth.shape != values.shape:
        raise ShapeError(f"scores {values.shape} and truth {truth.shape}; expected one truth per score, (N,) and (N,)")
    if truth.dtype != np.bool_:
        raise ShapeError(f"a truth of type {truth.dtype}; expected True for targets and False for non-targets")
    bad = np.flatnonzero(np.isnan(values))
    if len(bad):
        raise DataError(
            f"{len(bad)} of {len(values)} scores are NaN, the first that of trial {bad[0]}; was the recording empty?"
        )
    _both_kinds(int(truth.sum()), int((~truth).sum()))
    order = np.argsort(values, kind="stable")
    ranked = values[order]
    starts = np.flatnonzero(np.concatenate([[True], ranked[1:] != ranked[:-1]]))  # no difference: inf - inf is NaN
    return Trials(values, truth, order, starts, _runs(truth[order], starts))


def pool_trials(target_scores: ArrayLike, nontarget_scores: ArrayLike) -> Trials:
    """Trials from the scores of the targets (N,) and of the non-targets (M,), in this order.

    Raises:
        ShapeError: Scores that are not vectors.
        DataError: A score that is NaN; only targets or only non-targets.

    >>> pool_trials([1.0, 2.0], [-1.0]).is_target.tolist()
    [True, True, False]
    """
    targets, nontargets = np.asarray(target_scores, dtype=np.float64), np.asarray(nontarget_scores, dtype=np.float64)
    if targets.ndim != 1 or nontargets.ndim != 1:
        raise ShapeError(f"target scores {targets.shape} and non-target scores {nontargets.shape}; expected vectors")
    truth = np.arange(len(targets) + len(nontargets)) < len(targets)
    return rank_trials(np.concatenate([targets, nontargets]), truth)


def error_rates(trials: Trials, threshold: float, weights: ArrayLike | None = None) -> ErrorRates:
    """Miss and false alarm rate when scores >= ``threshold`` are accepted; ``weights`` (N,): what each trial counts.

    Raises:
        ShapeError: Weights that are not (N,).
        DataError: A threshold or weight that is NaN; a weight below 0 or infinite; targets or non-targets that weigh 0.

    >>> error_rates(pool_trials([1.0, 3.0], [0.0, 1.0]), threshold=1.0)
    ErrorRates(miss=0.0, false_alarm=0.5)
    """
    if np.isnan(threshold):
        raise DataError("a threshold that is NaN; expected a score from which on trials are accepted")
    counts = trial_weights(trials, weights)
    targets = np.where(trials.is_target, counts, 0.0)
    nontargets = counts - targets
    accepted = trials.scores >= threshold
    return ErrorRates(
        float(targets[~accepted].sum() / targets.sum()), float(nontargets[accepted].sum() / nontargets.sum())
    )


def roc(trials: Trials, weights: ArrayLike | None = None) -> Roc:
    """Receiver operating characteristic: a point per distinct score, and 'accept none'. Errors as :func:`error_rates`.

    >>> curve = roc(pool_trials([1.0, 3.0], [0.0, 1.0]))
    >>> curve.miss.tolist(), curve.false_alarm.tolist()
    ([0.0, 0.0, 0.5, 1.0], [1.0, 0.5, 0.0, 0.0])
    """
    return _curve(trials, trials.starts, weights)


def roc_corners(trials: Trials, weights: ArrayLike | None = None) -> Roc:
    """The corners of :func:`roc`, in the same order: far fewer points, the same curve. Errors as :func:`error_rates`.

    Between two corners the curve runs along an axis: the convex hull has no vertex there, and PAV makes one block of
    the trials there. A million trials with a thousand targets have at most about two thousand corners.

    >>> curve = roc_corners(pool_trials([2.0, 3.0], [0.0, 1.0]))
    >>> curve.miss.tolist(), curve.false_alarm.tolist()
    ([0.0, 0.0, 1.0], [1.0, 0.0, 0.0])
    """
    return _curve(trials, trials.runs, weights)


def _curve(trials: Trials, starts: NDArray[np.intp], weights: ArrayLike | None) -> Roc:
    """The points of the ROC at these places in the order of scores, and 'accept none'."""
    counts = trial_weights(trials, weights)[trials.order]
    targets = np.where(trials.is_target[trials.order], counts, 0.0)
    nontargets = np.subtract(counts, targets, out=counts)
    below = [np.concatenate([[0.0], np.add.reduceat(kind, starts).cumsum()]) for kind in (targets, nontargets)]
    thresholds = np.append(trials.scores[trials.order[starts]], np.inf)
    return Roc(thresholds, below[0] / below[0][-1], (below[1][-1] - below[1]) / below[1][-1])


def _runs(is_target: NDArray[np.bool_], starts: NDArray[np.intp]) -> NDArray[np.intp]:
    """Places where a run begins: of distinct scores of non-targets alone, of targets alone, or one score of both.

    >>> _runs(np.array([False, False, True, True, False, True]), np.array([0, 1, 2, 3, 4])).tolist()
    [0, 2, 4]
    """
    sizes = np.diff(np.append(starts, len(is_target)))
    targets = np.add.reduceat(is_target.astype(np.intp), starts)
    mixed = (targets > 0) & (targets < sizes)
    new = (targets[1:] > 0) != (targets[:-1] > 0)
    places: NDArray[np.intp] = starts[np.append(True, new | mixed[1:] | mixed[:-1])]
    return places


def convex_hull(curve: Roc) -> Roc:
    """The vertices of the lower convex hull of (false alarm, miss).

    Between two vertices, a random choice of one of their thresholds reaches each point of the edge. The edges are the
    blocks that pool-adjacent-violators (PAV) makes of the scores (Fawcett & Niculescu-Mizil 2007).

    >>> hull = convex_hull(roc(pool_trials([1.0, 3.0], [0.0, 2.0])))
    >>> hull.miss.tolist(), hull.false_alarm.tolist()
    ([0.0, 0.0, 0.5, 1.0], [1.0, 0.5, 0.0, 0.0])
    """
    from scipy.optimize import isotonic_regression  # slow to import

    # A score whose trials all weigh nothing is no step, and PAV divides by its weight.
    steps = np.append(True, (np.diff(curve.miss) > 0) | (np.diff(curve.false_alarm) < 0))
    miss, false_alarm, thresholds = curve.miss[steps], curve.false_alarm[steps], curve.thresholds[steps]
    thresholds[-1] = np.inf  # 'accept none', also where the highest scores weigh nothing
    targets, nontargets = np.diff(miss), -np.diff(false_alarm)
    blocks = isotonic_regression(targets / (targets + nontargets), weights=targets + nontargets).blocks
    return Roc(thresholds[blocks], miss[blocks], false_alarm[blocks])


def min_dcf(
    trials: Trials,
    p_target: float,
    cost_miss: float = 1.0,
    cost_false_alarm: float = 1.0,
    weights: ArrayLike | None = None,
) -> float:
    """Least detection cost over all thresholds, divided by the cost of the better of 'accept all' and 'accept none'.

    min over t of (cost_miss p_target miss(t) + cost_false_alarm (1 - p_target) false_alarm(t)) / min(cost_miss
    p_target, cost_false_alarm (1 - p_target)), from 0 to 1: the normalised DCF of NIST's speaker recognition
    evaluation plans. ``weights`` (N,): how many trials each one stands for.

    Raises:
        ShapeError: Weights that are not (N,).
        DataError: A prior outside ]0, 1[; a cost that is not positive; weights that :func:`error_rates` refuses.

    >>> min_dcf(pool_trials([1.0, 2.0, 3.0], [0.0, 1.5, -1.0]), p_target=0.5)
    0.3...
    """
    check_application(p_target, cost_miss, cost_false_alarm)
    curve = roc_corners(trials, weights)
    miss, false_alarm = cost_miss * p_target, cost_false_alarm * (1 - p_target)
    return float((miss * curve.miss + false_alarm * curve.false_alarm).min() / min(miss, false_alarm))


def cllr(trials: Trials, weights: ArrayLike | None = None) -> float:
    """Cost of the log-likelihood ratios (bits per trial) over all priors: 0 is perfect, 1 is that of ratios all 1.

    Scores are natural log-likelihood ratios. Cllr is (mean over targets of log2(1 + exp(-llr)) + mean over non-targets
    of log2(1 + exp(llr))) / 2 (Brümmer & du Preez 2006). An infinite score of the wrong sign makes it infinite.
    ``weights`` (N,): how many trials each one stands for.

    Raises:
        ShapeError: Weights that are not (N,).
        DataError: Weights that :func:`error_rates` refuses.

    >>> cllr(pool_trials([0.0, 0.0], [0.0]))
    1.0
    """
    return cllr_sums(trials)(trial_weights(trials, weights))


def cllr_sums(trials: Trials) -> OfSums:
    """:func:`cllr` as a statistic of weighted sums: :func:`interval` computes it for all resamples at once.

    >>> cllr_sums(pool_trials([0.0, 0.0], [0.0]))(np.array([2.0, 0.0, 1.0]))
    1.0
    """
    bits = np.logaddexp(0.0, np.where(trials.is_target, -trials.scores, trials.scores)) / np.log(2)
    targets = trials.is_target.astype(np.float64)
    columns = np.stack([np.where(trials.is_target, bits, 0), targets, np.where(trials.is_target, 0, bits), 1 - targets])

    def mean_cost(sums: Floats) -> Floats:
        with np.errstate(invalid="ignore", divide="ignore"):  # a resample without targets has no value: NaN
            costs: Floats = (sums[..., 0] / sums[..., 1] + sums[..., 2] / sums[..., 3]) / 2
        return costs

    return OfSums(columns.T, mean_cost)


def cllr_min(trials: Trials, weights: ArrayLike | None = None) -> float:
    """Cllr (bits per trial) after the best increasing map of the scores: the discrimination loss, 0 to 1.

    The map is PAV, fitted to these trials (Brümmer & du Preez 2006). Cllr - Cllr_min is the calibration loss.
    ``weights`` (N,): how many trials each one stands for.

    Raises:
        ShapeError: Weights that are not (N,).
        DataError: Weights that :func:`error_rates` refuses.

    >>> cllr_min(pool_trials([1.0, 2.0], [0.0, -3.0]))
    0.0
    """
    hull = convex_hull(roc_corners(trials, weights))
    targets, nontargets = np.diff(hull.miss), -np.diff(hull.false_alarm)
    # The ratio of a block is targets / nontargets. Where either is nothing, so is its cost: x log(1 + y / x) -> 0.
    mixed = (targets > 0) & (nontargets > 0)
    ratio = targets[mixed] / nontargets[mixed]
    return float((targets[mixed] * np.log1p(1 / ratio) + nontargets[mixed] * np.log1p(ratio)).sum() / (2 * np.log(2)))


def check_application(p_target: float, cost_miss: float, cost_false_alarm: float) -> None:
    """Raise DataError for a prior outside ]0, 1[ or a cost that is not positive."""
    if not 0 < p_target < 1:
        raise DataError(f"p_target {p_target}; expected a probability above 0 and below 1: was it given in percent?")
    if not (0 < cost_miss < np.inf and 0 < cost_false_alarm < np.inf):
        raise DataError(f"cost_miss {cost_miss} and cost_false_alarm {cost_false_alarm}; expected positive costs")


def trial_weights(trials: Trials, weights: ArrayLike | None) -> Floats:
    """Weights (N,) of trials that may count them: 1 each where none are given. Raises as the metrics do."""
    if weights is None:
        return np.ones(len(trials.scores))
    counts = np.asarray(weights, dtype=np.float64)
    if counts.shape != trials.scores.shape:
        raise ShapeError(f"weights {counts.shape} for {len(trials.scores)} trials; expected one per trial, (N,)")
    if not (counts.min() >= 0 and counts.max() < np.inf):
        raise DataError("a weight that is negative, infinite or NaN; a trial counts as 0 or more")
    _both_kinds(float(counts[trials.is_target].sum()), float(counts[~trials.is_target].sum()))
    return counts


def _both_kinds(targets: float, nontargets: float) -> None:
    if targets == 0 and nontargets == 0:
        raise DataError("no trials, or none that weighs anything; detection needs targets and non-targets")
    if nontargets == 0:
        raise DataError("only target trials; detection needs non-targets too: are other speakers' trials missing?")
    if targets == 0:
        raise DataError("only non-target trials; detection needs targets too: are labels and claims spelt alike?")
