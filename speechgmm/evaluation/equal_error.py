"""The equal error rate (EER): where misses and false alarms are as frequent as each other.

A test set has finitely many thresholds, and at none of them the two rates need be equal. There are two ways to go
between thresholds, and their results differ (by 0.7 points with 50 targets, for example)::

    eer             on the convex hull of the ROC: at each step between two vertices, chance decides which is used
    eer_staircase   on the ROC itself, whose points are joined by straight lines: steps of one kind of trial are
                    vertical or horizontal, equal scores of both kinds are one oblique step

The staircase is never below the hull. It is what scikit-learn's ``roc_curve`` and a root finder give. The hull is at
most 0.5, and says something of decisions: it is the greatest, over all priors, of the least probability of error.
"""

from typing import Final

import numpy as np
from numpy.typing import ArrayLike

from speechgmm.evaluation.detection import Trials, roc_corners

EER_NAMES: Final = {"eer": "EER (convex hull)", "eer_staircase": "EER (staircase)"}
"""What a person reads, for the keys of ``metrics.json``."""


def eer(trials: Trials, weights: ArrayLike | None = None) -> float:
    """Equal error rate (fraction, 0 to 0.5): where the convex hull of the ROC has miss = false alarm.

    On the hull this value is unique and changes continuously with the weights. It equals the least probability of
    error, at the prior for which that is greatest (Brümmer & de Villiers 2013, The BOSARIS Toolkit). ``weights``
    (N,): how many trials each one stands for; default 1.

    Raises:
        ShapeError: Weights that are not (N,).
        DataError: A weight that is negative, infinite or NaN; weights that leave no target or no non-target.

    >>> from speechgmm.evaluation import pool_trials
    >>> eer(pool_trials([1.0, 2.0, 3.0], [0.0, 1.5, -1.0]))
    0.1666...
    """
    curve = roc_corners(trials, weights)
    miss, false_alarm = curve.miss, curve.false_alarm
    # Only the hull's edge that crosses miss = false alarm matters. Start from the chord from 'accept all' to 'accept
    # none'; the point farthest below a chord of two vertices is a vertex between them, and takes the place of the one
    # on its side, until nothing lies below.
    left, right = 0, len(miss) - 1
    while True:
        rise, fall = miss[right] - miss[left], false_alarm[left] - false_alarm[right]
        height = fall * miss[left : right + 1] + rise * false_alarm[left : right + 1]
        lowest = int(height.argmin())
        if height[lowest] >= min(height[0], height[-1]):
            break
        if miss[left + lowest] < false_alarm[left + lowest]:
            left += lowest
        else:
            right = left + lowest
    before, after = false_alarm[left] - miss[left], miss[right] - false_alarm[right]
    return float(miss[left] + rise * before / (before + after))


def eer_staircase(trials: Trials, weights: ArrayLike | None = None) -> float:
    """Equal error rate (fraction, 0 to 1) on the empirical ROC, its points joined by straight lines.

    :func:`eer` takes the convex hull of the ROC instead. This value is never below :func:`eer`, and it exceeds 0.5
    where scores are worse than chance. It equals the root of miss = false alarm on scikit-learn's ``roc_curve`` with
    linear interpolation (Fawcett 2006, An introduction to ROC analysis).

    ASVspoof's script differs: it gives the mean of the two rates at the threshold where they are closest. That mean
    lies within half a step of this value. A step is the change of a rate by one trial, or by all trials that share a
    score. ``weights`` (N,): how many trials each one stands for; default 1.

    Raises:
        ShapeError: Weights that are not (N,).
        DataError: A weight that is negative, infinite or NaN; weights that leave no target or no non-target.

    >>> from speechgmm.evaluation import pool_trials
    >>> eer_staircase(pool_trials([1.0, 2.0, 3.0], [0.0, 1.5, -1.0]))
    0.3333...
    """
    curve = roc_corners(trials, weights)
    gaps = curve.miss - curve.false_alarm  # rises from -1 to 1
    after = int(np.argmax(gaps >= 0))
    before = after - 1
    share = -gaps[before] / (gaps[after] - gaps[before])
    return float(curve.miss[before] + share * (curve.miss[after] - curve.miss[before]))
