"""Areas under the ROC: how well scores rank targets above non-targets, over all thresholds or over the strict ones.

Conventions are those of :mod:`speechgmm.evaluation.detection`: targets have the higher scores (for anomalies: the
anomalous recordings), equal scores count half, weights count a trial as so many.

Metrics
    auc     probability that a target scores above a non-target (fraction; 0.5 for scores that say nothing)
    pauc    the same over false alarm rates up to a limit, scaled as McClish 1989 (fraction; likewise)
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from speechgmm.errors import DataError
from speechgmm.evaluation.detection import Trials, roc

MAX_FALSE_ALARM = 0.1
"""Up to which DCASE's task 2 takes the partial area."""


def auc(trials: Trials, weights: ArrayLike | None = None) -> float:
    """Area under the ROC (fraction): the probability that a target scores above a non-target, ties half.

    This area is Mann & Whitney's U, divided by the number of pairs (Hanley & McNeil 1982). ``weights`` (N,): how many
    trials each one stands for; default 1.

    Raises:
        ShapeError: Weights that are not (N,).
        DataError: A weight that is negative, infinite or NaN; weights that leave no target or no non-target.

    >>> from speechgmm.evaluation.detection import pool_trials
    >>> auc(pool_trials([1.0, 3.0], [0.0, 1.0]))
    0.875
    """
    false_alarm, hits = _points(trials, weights)
    return float(np.trapezoid(hits, false_alarm))


def pauc(trials: Trials, weights: ArrayLike | None = None, *, max_false_alarm: float = MAX_FALSE_ALARM) -> float:
    """Area under the ROC up to ``max_false_alarm``, scaled so that 0.5 is chance and 1 is best (fraction).

    The value is (1 + (area - p**2 / 2) / (p - p**2 / 2)) / 2, where p is ``max_false_alarm`` (McClish 1989, eq. 1 and
    2). ``sklearn.metrics.roc_auc_score(max_fpr=p)`` computes the same; DCASE's task 2 takes p = 0.1. Between two points
    the ROC is a straight line. ``weights`` (N,): how many trials each one stands for; default 1.

    Raises:
        ShapeError: Weights that are not (N,).
        DataError: ``max_false_alarm`` outside ]0, 1]; weights that :func:`auc` refuses.

    >>> from speechgmm.evaluation.detection import pool_trials
    >>> pauc(pool_trials([1.0, 3.0], [0.0, 2.0]), max_false_alarm=0.5)
    0.666...
    """
    if not 0 < max_false_alarm <= 1:
        raise DataError(f"max_false_alarm {max_false_alarm}; expected a rate above 0, at most 1: was it in percent?")
    false_alarm, hits = _points(trials, weights)
    stop = int(np.searchsorted(false_alarm, max_false_alarm, side="right"))  # of the points within the limit
    near = slice(stop - 1, stop + 1)
    end = np.interp(max_false_alarm, false_alarm[near], hits[near])
    area = np.trapezoid(np.append(hits[:stop], end), np.append(false_alarm[:stop], max_false_alarm))
    least = max_false_alarm**2 / 2
    return float((1 + (area - least) / (max_false_alarm - least)) / 2)


def _points(trials: Trials, weights: ArrayLike | None) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """False alarm and hit rates, both rising from 0 to 1."""
    curve = roc(trials, weights)
    return curve.false_alarm[::-1], 1 - curve.miss[::-1]
