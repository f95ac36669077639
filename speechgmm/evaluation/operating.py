"""What likelihood ratios are worth when decisions are made by them: at one prior, at every threshold, by themselves.

Conventions
    As in ``detection``. An llr is a natural-log likelihood ratio of the whole trial, target against non-target. An
    operating point is a prior of the target and two costs; ``bayes_threshold`` is what a ratio must reach there.

Metrics
    act_dcf             cost of deciding by the ratios at an operating point, against deciding blindly (0 to no bound)
    pav_llrs            the best ratios that an increasing map can make of the scores (nats): those of Cllr_min

Curves
    det                 miss against false alarm rate at every threshold (fractions, and normal deviates)
    tippett             shares of targets and of non-targets whose ratio is at least so much (fractions)

act_dcf and tippett take scores at their word; det and pav_llrs are unchanged by any strictly increasing map.
"""

from dataclasses import dataclass
from math import log

import numpy as np
from numpy.typing import ArrayLike, NDArray

from speechgmm.evaluation.detection import Roc, Trials, check_application, convex_hull, roc, trial_weights
from speechgmm.evaluation.resampling import OfSums

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Det:
    """The detection error trade-off: corners of the ROC, from 'accept all' to 'accept none'."""

    thresholds: Floats  # (P,) accept where score >= threshold; the last is infinite
    miss: Floats  # (P,) fraction of the targets, 0 to 1
    false_alarm: Floats  # (P,) fraction of the non-targets, 1 to 0
    miss_deviate: Floats  # (P,) normal deviates: -inf at 0, inf at 1
    false_alarm_deviate: Floats  # (P,)


@dataclass(frozen=True, slots=True)
class Tippett:
    """Cumulative shares of the log-likelihood ratios of targets and non-targets, as forensic reports plot them."""

    llrs: Floats  # (P,) increasing, nats
    targets: Floats  # (P,) fraction of the targets whose ratio is at least that
    nontargets: Floats  # (P,) fraction of the non-targets whose ratio is at least that: misleading where llr > 0


def bayes_threshold(p_target: float, cost_miss: float = 1.0, cost_false_alarm: float = 1.0) -> float:
    """The log-likelihood ratio (nats) above which accepting is expected to cost less than rejecting.

    The threshold is -log(p_target / (1 - p_target)) + log(cost_false_alarm / cost_miss): minus the prior log odds, plus
    the log ratio of the costs (Brümmer & du Preez 2006).

    Raises:
        DataError: A prior outside ]0, 1[; a cost that is not positive.

    >>> round(bayes_threshold(0.01), 3), bayes_threshold(0.5)
    (4.595, 0.0)
    """
    check_application(p_target, cost_miss, cost_false_alarm)
    return log(cost_false_alarm / cost_miss) - log(p_target / (1 - p_target))


def act_dcf(
    trials: Trials,
    p_target: float,
    cost_miss: float = 1.0,
    cost_false_alarm: float = 1.0,
    weights: ArrayLike | None = None,
) -> float:
    """Actual detection cost, divided by the cost of the better of 'accept all' and 'accept none'; 0 is best.

    The scores are natural log-likelihood ratios, and the threshold t is :func:`bayes_threshold`. The value is
    (cost_miss p_target miss(t) + cost_false_alarm (1 - p_target) false_alarm(t)) / min(cost_miss p_target,
    cost_false_alarm (1 - p_target)): the actual normalised DCF of NIST's speaker recognition evaluation plans. It is
    never below ``min_dcf``, and exceeds 1 where the ratios are misleading. ``weights`` (N,): how many trials each one
    stands for.

    Raises:
        ShapeError: Weights that are not (N,).
        DataError: A prior outside ]0, 1[; a cost that is not positive; weights that :func:`error_rates` refuses.

    >>> from speechgmm.evaluation import pool_trials
    >>> act_dcf(pool_trials([1.0, -0.5], [-2.0, -1.0]), p_target=0.5)
    0.5
    """
    return act_dcf_sums(trials, p_target, cost_miss, cost_false_alarm)(trial_weights(trials, weights))


def act_dcf_sums(trials: Trials, p_target: float, cost_miss: float = 1.0, cost_false_alarm: float = 1.0) -> OfSums:
    """:func:`act_dcf` as a statistic of weighted sums: :func:`interval` computes it for all resamples at once.

    Raises:
        DataError: A prior outside ]0, 1[; a cost that is not positive.

    >>> from speechgmm.evaluation import pool_trials
    >>> act_dcf_sums(pool_trials([1.0, -0.5], [-2.0, -1.0]), 0.5)(np.array([2.0, 0.0, 1.0, 1.0]))
    0.0
    """
    accepted = trials.scores >= bayes_threshold(p_target, cost_miss, cost_false_alarm)
    blind = min(cost_miss * p_target, cost_false_alarm * (1 - p_target))
    miss, false_alarm = cost_miss * p_target / blind, cost_false_alarm * (1 - p_target) / blind
    columns = [trials.is_target & ~accepted, trials.is_target, ~trials.is_target & accepted, ~trials.is_target]

    def cost(sums: Floats) -> Floats:
        with np.errstate(invalid="ignore", divide="ignore"):  # a resample without targets has no value: NaN
            found: Floats = miss * sums[..., 0] / sums[..., 1] + false_alarm * sums[..., 2] / sums[..., 3]
        return found

    return OfSums(np.stack(columns, axis=1).astype(np.float64), cost)


def pav_llrs(trials: Trials, weights: ArrayLike | None = None) -> Floats:
    """Log-likelihood ratios (N,) in nats to which PAV, fitted to these trials, maps their scores.

    The ratios never fall as the score rises. A trial's ratio is the log of its block's share of the targets over the
    block's share of the non-targets: -inf below the lowest target, inf above the highest non-target (Brümmer & du Preez
    2006). The Cllr of these ratios is Cllr_min. ``weights`` (N,): how many trials each one stands for.

    Raises:
        ShapeError: Weights that are not (N,).
        DataError: Weights that :func:`error_rates` refuses.

    >>> from speechgmm.evaluation import pool_trials
    >>> pav_llrs(pool_trials([1.0, 3.0], [0.0, 2.0])).round(2).tolist()
    [0.0, inf, -inf, 0.0]
    """
    hull, ratios = _pav(trials, weights)
    llrs: Floats = ratios[np.searchsorted(hull.thresholds[1:-1], trials.scores, side="right")]
    return llrs


def pav_blocks(trials: Trials) -> tuple[Floats, Floats]:
    """The B blocks of PAV: the lowest and highest score (B, 2) and the log-likelihood ratio (B,) in nats of each.

    :func:`pav_llrs` gives every trial the ratio of its block. A block of targets alone, or of non-targets alone, has an
    infinite ratio.

    >>> from speechgmm.evaluation import pool_trials
    >>> pav_blocks(pool_trials([1.0, 3.0], [0.0, 2.0]))[0].tolist()
    [[0.0, 0.0], [1.0, 2.0], [3.0, 3.0]]
    """
    hull, ratios = _pav(trials, None)
    ranked = trials.scores[trials.order]
    first = np.searchsorted(ranked, hull.thresholds[:-1], side="left")
    last = np.append(first[1:], len(ranked)) - 1
    return np.stack([ranked[first], ranked[last]], axis=1), ratios


def _pav(trials: Trials, weights: ArrayLike | None) -> tuple[Roc, Floats]:
    """The convex hull of the ROC, and the ratio (B,) of each of its edges."""
    hull = convex_hull(roc(trials, weights))
    with np.errstate(divide="ignore"):
        return hull, np.log(np.diff(hull.miss)) - np.log(-np.diff(hull.false_alarm))


def det(trials: Trials, weights: ArrayLike | None = None) -> Det:
    """Detection error trade-off: miss and false alarm rates, and their normal deviates (Martin et al. 1997).

    On normal-deviate scales, a system whose target and non-target scores are Gaussian with equal variances is a
    straight line. Points where only one rate changes lie between two corners, and are left out. ``weights`` (N,): how
    many trials each one stands for.

    Raises:
        ShapeError: Weights that are not (N,).
        DataError: Weights that :func:`error_rates` refuses.

    >>> from speechgmm.evaluation import pool_trials
    >>> curve = det(pool_trials([1.0, 3.0], [0.0, 2.0]))
    >>> curve.miss.tolist(), curve.false_alarm.tolist()
    ([0.0, 0.0, 0.5, 0.5, 1.0], [1.0, 0.5, 0.5, 0.0, 0.0])
    """
    from scipy.special import ndtri  # slow to import

    curve = roc(trials, weights)
    miss, false_alarm = np.diff(curve.miss) > 0, np.diff(curve.false_alarm) < 0
    straight = (miss[1:] == miss[:-1]) & (false_alarm[1:] == false_alarm[:-1]) & ~(miss[1:] & false_alarm[1:])
    corners = np.concatenate([[True], ~straight, [True]])
    rates = curve.miss[corners], curve.false_alarm[corners]
    return Det(curve.thresholds[corners], *rates, ndtri(rates[0]), ndtri(rates[1]))


def tippett(trials: Trials, weights: ArrayLike | None = None) -> Tippett:
    """Tippett curves: the shares of targets and of non-targets whose log-likelihood ratio (nats) reaches each value.

    Source: Evett & Buckleton 1996. ``weights`` (N,): how many trials each one stands for.

    Raises:
        ShapeError: Weights that are not (N,).
        DataError: Weights that :func:`error_rates` refuses.

    >>> from speechgmm.evaluation import pool_trials
    >>> curves = tippett(pool_trials([1.0, 3.0], [0.0, 2.0]))
    >>> curves.llrs.tolist(), curves.targets.tolist(), curves.nontargets.tolist()
    ([0.0, 1.0, 2.0, 3.0], [1.0, 1.0, 0.5, 0.5], [1.0, 0.5, 0.5, 0.0])
    """
    curve = roc(trials, weights)
    return Tippett(curve.thresholds[:-1], 1 - curve.miss[:-1], curve.false_alarm[:-1])
