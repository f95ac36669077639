"""The share of frames whose label is right: long segments weigh more than short ones."""

import numpy as np
from numpy.typing import NDArray

from speechgmm.evaluation.intervals import interval
from speechgmm.evaluation.metric import Metric
from speechgmm.evaluation.resampling import ratio


def frame_accuracy(
    right: NDArray[np.integer], frames: NDArray[np.integer], groups: NDArray[np.intp] | None, seed: int
) -> Metric:
    """The share of frames that are decided correctly: ``right`` (N,) of the ``frames`` (N,) of N items.

    The sample size ``n`` is the number of frames. The interval is by resampling groups (N,), or items where there are
    none.

    >>> frame_accuracy(np.array([10, 0, 5]), np.array([10, 10, 10]), np.array([0, 1, 2]), 0).value
    0.5
    """
    share = ratio(right, frames)
    metric = Metric(share(np.ones(len(frames))), int(frames.sum()), "fraction")
    if groups is None:
        return metric.within(interval(share, np.arange(len(frames)), seed=seed)).by_items()
    return metric.within(interval(share, groups, seed=seed))
