"""Log-likelihoods of frames, under one mixture or many at once.

Owns scoring. numpy alone: numba takes half a second to import, and only training is worth it. Refuses
posteriors.
"""

from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from speechgmm.errors import ShapeError
from speechgmm.gmm.model import LogLinear

Floats = NDArray[np.float64]

_CELLS: Final = 2**18  # of a (components, frames) block: 2 MiB


def log_likelihoods(log_linear: LogLinear, frames: ArrayLike) -> Floats:
    """Log p(x) of every frame (T, D), in nats: (T,) float64.

    Raises:
        ShapeError: Frames that are not (T, D) with the mixture's D.

    >>> standard_normal = LogLinear(np.array([-0.9189385]), np.zeros((1, 1)), np.array([[-0.5]]))
    >>> log_likelihoods(standard_normal, [[0.0], [1.0]]).round(4)
    array([-0.9189, -1.4189])
    """
    one: Floats = stacked_log_likelihoods(log_linear, (len(log_linear.const),), frames)[0]
    return one


def stacked_log_likelihoods(log_linear: LogLinear, sizes: tuple[int, ...], frames: ArrayLike) -> Floats:
    """Log p(x) of every frame (T, D) under C mixtures at once, in nats: (C, T) float64.

    ``log_linear`` holds the components of all mixtures one after the other, ``sizes`` (C,) how many are
    whose. float64 throughout: a score then depends on the frames scored beside it by rounding alone, at any
    offset.

    Raises:
        ShapeError: Frames that are not (T, D) with the mixtures' D; sizes that do not add up to all
        components.

    >>> two = LogLinear(np.zeros(3), np.zeros((3, 1)), np.full((3, 1), -1.0))
    >>> stacked_log_likelihoods(two, (1, 2), [[0.0]]).round(4)
    array([[0.    ],
           [0.6931]])
    """
    values = np.asarray(frames)
    n_components, n_features = log_linear.linear.shape
    if values.ndim != 2 or values.shape[1] != n_features:
        raise ShapeError(
            f"frames of shape {values.shape} for mixtures of {n_features} dimensions; expected (T, {n_features})"
        )
    if sum(sizes) != n_components or min(sizes) < 1:
        raise ShapeError(f"{n_components} components for mixtures of {sizes}; expected one or more each, and the sum")
    starts = np.cumsum((0, *sizes[:-1]))
    factors = np.hstack([log_linear.linear, log_linear.quadratic])
    const = log_linear.const[:, None]
    result = np.empty((len(sizes), len(values)))
    step = max(64, _CELLS // n_components)
    for start in range(0, len(values), step):
        x = values[start : start + step].astype(np.float64)
        scores = factors @ np.hstack([x, x**2]).T
        scores += const
        peaks = np.maximum.reduceat(scores, starts, axis=0)
        scores -= np.repeat(peaks, sizes, axis=0)
        # exp(-700) is nothing beside the peak's 1, and the subnormals below it are slow.
        np.exp(np.maximum(scores, -700, out=scores), out=scores)
        result[:, start : start + step] = peaks + np.log(np.add.reduceat(scores, starts, axis=0))
    return result
