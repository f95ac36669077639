"""The share of frames whose label is right: long segments weigh more than short ones."""

import numpy as np
from numpy.typing import NDArray

from speechgmm.evaluation.intervals import interval
from speechgmm.evaluation.metric import Metric
from speechgmm.evaluation.resampling import ratio


def frame_accuracy(
    right: NDArray[np.integer], frames: NDArray[np.integer], groups: NDArray[np.intp] | None, seed: int
) -> Metric:
    """The share of frames that are decided correctly, with its interval.

    ``right`` (N,) are the numbers of correctly decided frames of N items, ``frames`` (N,) the items' numbers of frames.
    The sample size ``n`` of the metric is the total number of frames. The interval comes from resampling the
    ``groups`` (N,) of the items; None: from resampling the items.

    >>> frame_accuracy(np.array([10, 0, 5]), np.array([10, 10, 10]), np.array([0, 1, 2]), 0).value
    0.5
    """
    share = ratio(right, frames)
    metric = Metric(share(np.ones(len(frames))), int(frames.sum()), "fraction")
    if groups is None:
        return metric.within(interval(share, np.arange(len(frames)), seed=seed)).by_items()
    return metric.within(interval(share, groups, seed=seed))
