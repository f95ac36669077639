"""Operating points of detection: where the errors are equal, where a cost is least, and what scores are worth there."""

from dataclasses import dataclass, replace

import numpy as np

from speechgmm.evaluation.detection import Trials, cllr, cllr_min, error_rates, min_dcf, roc
from speechgmm.evaluation.equal_error import EER_NAMES, eer
from speechgmm.evaluation.metric import Metric
from speechgmm.evaluation.operating import bayes_threshold


@dataclass(frozen=True, slots=True)
class Application:
    """The prior probability of a target, and the cost of each error."""

    p_target: float
    cost_miss: float = 1.0
    cost_false_alarm: float = 1.0

    def __str__(self) -> str:
        costs = "" if self.cost_miss == self.cost_false_alarm else f", {self.cost_miss:g}:{self.cost_false_alarm:g}"
        return f"prior {self.p_target:g}{costs}"


@dataclass(frozen=True, slots=True)
class OperatingPoint:
    """A threshold, with the miss and false alarm rates that it gives."""

    name: str
    threshold: float  # accept where score >= threshold; infinite: accept none
    miss: float  # fraction of the targets
    false_alarm: float  # fraction of the non-targets


def operating_points(trials: Trials, applications: tuple[Application, ...] = ()) -> tuple[OperatingPoint, ...]:
    """The operating point of equal errors, then that of least cost for each application, chosen on these trials.

    Miss and false alarm rate of the first point are both the EER of the convex hull. The threshold of the first point
    is the one at which the two rates of the ROC differ least.

    >>> from speechgmm.evaluation import pool_trials
    >>> trials = pool_trials([1.0, 2.0, 3.0], [0.0, 1.5, -1.0])
    >>> [point.threshold for point in operating_points(trials, (Application(0.5),))]
    [1.5, 1.0]
    """
    curve = roc(trials)
    rate = eer(trials)
    equal = int(np.abs(curve.miss - curve.false_alarm).argmin())
    points = [OperatingPoint(EER_NAMES["eer"], float(curve.thresholds[equal]), rate, rate)]
    for application in applications:
        cost = application.cost_miss * application.p_target * curve.miss
        cost = cost + application.cost_false_alarm * (1 - application.p_target) * curve.false_alarm
        best = int(cost.argmin())
        miss, false_alarm = float(curve.miss[best]), float(curve.false_alarm[best])
        points.append(OperatingPoint(f"minDCF, {application}", float(curve.thresholds[best]), miss, false_alarm))
    return tuple(points)


def bayes_point(trials: Trials, application: Application) -> OperatingPoint:
    """The operating point of ``act_dcf``: the Bayes threshold of natural-log likelihood ratios, and its error rates.

    >>> from speechgmm.evaluation import pool_trials
    >>> bayes_point(pool_trials([1.0, 2.0, 3.0], [0.0, 1.5, -1.0]), Application(0.5)).threshold
    0.0
    """
    threshold = bayes_threshold(application.p_target, application.cost_miss, application.cost_false_alarm)
    rates = error_rates(trials, threshold)
    return OperatingPoint(f"actDCF, {application}", threshold, rates.miss, rates.false_alarm)


def detection_summary(trials: Trials, application: Application) -> dict[str, Metric]:
    """EER, minDCF, Cllr and Cllr_min of scores, without intervals: for a table of several kinds of scores.

    Cllr treats the scores as natural-log likelihood ratios, whatever they are. The other metrics are the same for every
    strictly increasing map of the scores.

    >>> from speechgmm.evaluation import pool_trials
    >>> found = detection_summary(pool_trials([1.0, 2.0, 3.0], [0.0, 1.5, -1.0]), Application(0.5))
    >>> {name: round(metric.value, 3) for name, metric in found.items()}
    {'eer': 0.167, 'min_dcf': 0.333, 'cllr': 0.769, 'cllr_min': 0.333}
    """
    costs = (application.p_target, application.cost_miss, application.cost_false_alarm)
    found = {
        "eer": (eer(trials), "fraction"),
        "min_dcf": (min_dcf(trials, *costs), "share of the blind decision's cost"),
        "cllr": (cllr(trials), "bits"),
        "cllr_min": (cllr_min(trials), "bits"),
    }
    metrics = {name: Metric(value, len(trials.scores), unit) for name, (value, unit) in found.items()}
    return metrics | {"min_dcf": replace(metrics["min_dcf"], more={"p_target": application.p_target})}
