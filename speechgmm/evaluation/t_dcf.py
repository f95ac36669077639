"""Cost of a countermeasure against spoofing in tandem with speaker verification: the t-DCF.

Conventions
    Speech reaches the speaker verification (ASV) only where the countermeasure (CM) accepts it. The claim is then true
    (target), of another person (non-target) or an attack (spoof). The trials of the CM are `Trials` whose targets are
    the bona fide recordings; the ASV is fixed, and known by three error rates at its threshold.

Metrics
    min_t_dcf           least cost of the tandem over the CM's thresholds, against deciding without a CM (0 to 1)
    min_t_dcf_legacy    the same less what the ASV alone does wrong: 0 for a perfect CM; ranked ASVspoof 2019

With C0 = P_target C_miss Pmiss_asv + P_nontarget C_fa Pfa_asv (the ASV's own errors), C1 = P_target C_miss - C0 and
C2 = P_spoof C_spoof Pfa_spoof_asv, the cost at a threshold of the CM is C0 + C1 miss + C2 false_alarm (Kinnunen et al.
2020, Tandem assessment, IEEE/ACM TASLP 28), which is divided by C0 + min(C1, C2): all accepted, or none. The earlier
definition (Kinnunen et al. 2018, Proc. Odyssey, with one cost for a miss of either system, as in ASVspoof 2019) leaves
C0 out of both.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike

from speechgmm.errors import DataError
from speechgmm.evaluation.detection import Trials, error_rates, pool_trials, roc

_PRIORS_ADD_UP: Final = 1e-9


@dataclass(frozen=True, slots=True)
class AsvErrors:
    """Error rates of the speaker verification (ASV) at its threshold."""

    miss: float  # fraction of the targets rejected
    false_alarm: float  # fraction of the non-targets accepted
    spoof_false_alarm: float  # fraction of the attacks accepted


@dataclass(frozen=True, slots=True, kw_only=True)
class TandemCosts:
    """Priors and costs of the t-DCF; the defaults are those of ASVspoof 2019 and 2021.

    Raises:
        DataError: Priors that are negative or do not add up to 1; a cost that is not positive.

    >>> TandemCosts(p_target=0.9, p_nontarget=0.05, p_spoof=0.05).cost_spoof
    10.0
    """

    p_target: float = 0.9405  # 0.95 x 0.99
    p_nontarget: float = 0.0095  # 0.95 x 0.01
    p_spoof: float = 0.05
    cost_miss: float = 1.0  # of a target rejected by either
    cost_false_alarm: float = 10.0  # of a non-target accepted by both
    cost_spoof: float = 10.0  # of an attack accepted by both

    def __post_init__(self) -> None:
        priors = (self.p_target, self.p_nontarget, self.p_spoof)
        if not (min(priors) >= 0 and abs(sum(priors) - 1) < _PRIORS_ADD_UP):
            raise DataError(f"priors {priors} of target, non-target and spoof; expected them to add up to 1")
        costs = (self.cost_miss, self.cost_false_alarm, self.cost_spoof)
        if not (min(costs) > 0 and max(costs) < np.inf):
            raise DataError(f"costs {costs} of a miss, a false alarm and a spoof accepted; expected positive costs")


ASVSPOOF: Final = TandemCosts()
"""Priors and costs of ASVspoof 2019 and 2021."""


def asv_errors(target: ArrayLike, nontarget: ArrayLike, spoof: ArrayLike, threshold: float | None = None) -> AsvErrors:
    """Error rates of speaker verification, from its scores of targets, non-targets and spoofing attacks, each (N,).

    A higher score speaks for the claim. Scores >= ``threshold`` are accepted. The default is
    :func:`asvspoof_threshold`, with which the t-DCF is the one of the official script.

    Raises:
        ShapeError: Scores of targets or non-targets that are not vectors.
        DataError: No scores of targets, of non-targets or of attacks; a score or a threshold that is NaN; scores of
            attacks that are no vector.

    >>> asv_errors([1.0, 2.0, 3.0, 4.0], [-1.0, 0.0, 1.5, 0.5], [2.5, 0.0])
    AsvErrors(miss=0.0, false_alarm=0.25, spoof_false_alarm=0.5)
    """
    trials = pool_trials(target, nontarget)
    if threshold is None:
        threshold = asvspoof_threshold(target, nontarget)
    rates = error_rates(trials, threshold)
    attacks = np.asarray(spoof, dtype=np.float64)
    if attacks.ndim != 1 or not len(attacks) or np.isnan(attacks).any():
        raise DataError(f"scores of attacks {attacks.shape}; expected a vector with one score at least, and no NaN")
    return AsvErrors(rates.miss, rates.false_alarm, float((attacks >= threshold).mean()))


def asvspoof_threshold(target: ArrayLike, nontarget: ArrayLike) -> float:
    """The threshold at which the ASVspoof challenges operate speaker verification, from its scores, each (N,).

    The scores are sorted; among equal scores the targets come first. They are rejected one after another, from the
    lowest on. The threshold is the first score after whose rejection miss and false alarm rate are closest. Scores
    from the threshold on are *accepted*, so the threshold itself is accepted again. Where targets and non-targets do
    not overlap, the threshold is therefore the highest non-target, not the lowest target, and attacks between the two
    are accepted. Source: ``compute_eer`` of ``eval_metrics.py`` in the organisers' t-DCF packages of 2019 and 2021.

    Raises:
        ShapeError: Scores that are not vectors.
        DataError: No targets or no non-targets; a score that is NaN.

    >>> asvspoof_threshold([5.0, 6.0], [0.0, 1.0])
    1.0
    """
    trials = pool_trials(target, nontarget)  # targets come first, and the order of equal scores is kept
    is_target = trials.is_target[trials.order]
    n_targets = int(is_target.sum())
    n_nontargets = len(is_target) - n_targets
    rejected = np.cumsum(is_target)
    accepted = n_nontargets - np.cumsum(~is_target)
    # Rejecting nothing is never nearest: miss 0 and false alarm 1 are as far apart as can be.
    nearest = int(np.abs(rejected / n_targets - accepted / n_nontargets).argmin())
    return float(trials.scores[trials.order[nearest]])


def min_t_dcf(trials: Trials, asv: AsvErrors, costs: TandemCosts = ASVSPOOF, weights: ArrayLike | None = None) -> float:
    """Least tandem cost over the thresholds of the countermeasure (CM), divided by the cost without a CM; 0 to 1.

    Source: Kinnunen et al. 2020. ``trials`` are those of the CM: bona fide recordings as targets, attacks as
    non-targets. A perfect CM leaves C0 / (C0 + min(C1, C2)). ``weights`` (N,): how many trials each one stands for.

    Raises:
        ShapeError: Weights that are not (N,).
        DataError: An ASV that no CM can help: rates outside 0 to 1, an ASV that is worse than rejecting all, or one
            that accepts no attack; weights that :func:`~speechgmm.evaluation.error_rates` refuses.

    >>> asv = AsvErrors(miss=0.1, false_alarm=0.1, spoof_false_alarm=0.5)
    >>> round(min_t_dcf(pool_trials([1.0, 2.0], [-1.0, 0.0]), asv), 4)
    0.2929
    """
    c0, c1, c2 = _weights_of_errors(asv, costs)
    curve = roc(trials, weights)
    return float((c0 + c1 * curve.miss + c2 * curve.false_alarm).min() / (c0 + min(c1, c2)))


def min_t_dcf_legacy(
    trials: Trials, asv: AsvErrors, costs: TandemCosts = ASVSPOOF, weights: ArrayLike | None = None
) -> float:
    """The t-DCF by which ASVspoof 2019 ranked systems (Kinnunen et al. 2018): 0 for a perfect CM, 1 without a CM.

    The arguments and errors are those of :func:`min_t_dcf`.

    >>> asv = AsvErrors(miss=0.1, false_alarm=0.1, spoof_false_alarm=0.5)
    >>> min_t_dcf_legacy(pool_trials([1.0, 2.0], [-1.0, 0.0]), asv)
    0.0
    """
    _, c1, c2 = _weights_of_errors(asv, costs)
    curve = roc(trials, weights)
    return float((c1 * curve.miss + c2 * curve.false_alarm).min() / min(c1, c2))


def _weights_of_errors(asv: AsvErrors, costs: TandemCosts) -> tuple[float, float, float]:
    """C0, C1 and C2 of the module's docstring."""
    rates = (asv.miss, asv.false_alarm, asv.spoof_false_alarm)
    if not all(0 <= rate <= 1 for rate in rates):
        raise DataError(f"error rates {rates} of the ASV; expected fractions from 0 to 1: are they in percent?")
    c0 = costs.p_target * costs.cost_miss * asv.miss + costs.p_nontarget * costs.cost_false_alarm * asv.false_alarm
    c1 = costs.p_target * costs.cost_miss - c0
    c2 = costs.p_spoof * costs.cost_spoof * asv.spoof_false_alarm
    if c1 <= 0 or c2 <= 0:
        why = "it costs more than rejecting everybody" if c1 <= 0 else "it accepts no attack"
        raise DataError(f"an ASV with {asv}: {why}, so that the t-DCF of a countermeasure before it has no meaning")
    return c0, c1, c2
