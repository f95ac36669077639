"""Frames under mixtures that are laid out for scoring, whatever their form, and their means over a recording."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from speechgmm.errors import DataError
from speechgmm.gmm.full_e_step import FullStack
from speechgmm.gmm.likelihoods import Engine, Stack
from speechgmm.gmm.predictive import PredictiveStack
from speechgmm.gmm.top_components import TopStack

Floats = NDArray[np.float64]
AnyStack = Stack | FullStack | TopStack | PredictiveStack


def means_of(
    stack: Stack | FullStack | TopStack | PredictiveStack, frames: ArrayLike, engine: Engine = "numpy"
) -> Floats:
    """Mean log-likelihood of frames (T, D) under every mixture of a stack, in nats per frame."""
    result = stack.log_likelihoods(frames, engine=engine) if isinstance(stack, Stack) else stack.log_likelihoods(frames)
    if result.shape[1] == 0:
        raise DataError("no frames to score; expected at least one: is the recording shorter than a frame?")
    means: Floats = result.mean(axis=1)
    if not np.isfinite(means).all():
        raise DataError("frames with a value that is NaN, infinite or out of range; expected finite numbers")
    return means
