"""What is asked of frames before anything is estimated from them, and their plain moments.

Owns the checks that turn unusable frames into a FitError. Refuses to repair frames.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from speechgmm.errors import FitError, ShapeError

Floats = NDArray[np.float64]
Frames = NDArray[np.float32] | NDArray[np.float64]

_CHUNK = 65536  # frames converted to float64 at a time


def check_frames(frames: ArrayLike, weights: ArrayLike | None = None) -> tuple[Frames, Floats | None]:
    """Frames (N, D) as float32 or float64 and their weights (N,) as float64, fit to be estimated from.

    Raises:
        ShapeError: Frames that are not (N, D), or weights that are not (N,).
        FitError: No frames; a value that is NaN or infinite; a negative weight; no weight at all.

    >>> check_frames([[1.0, 2.0]])[0].shape
    (1, 2)
    """
    values = np.asarray(frames)
    if values.ndim != 2:
        raise ShapeError(f"frames of shape {values.shape}; expected (frames, dimensions): is it one frame, or samples?")
    if values.dtype not in (np.float32, np.float64):
        values = values.astype(np.float64)
    if values.shape[0] == 0:
        raise FitError("no frames; expected at least one")
    if values.shape[1] == 0:
        raise FitError(f"{values.shape[0]} frames without a single dimension")
    if not np.isfinite(values).all():
        t, d = np.argwhere(~np.isfinite(values))[0]
        raise FitError(f"frame {t} is {values[t, d]} in dimension {d}; expected finite numbers")
    if weights is None:
        return values, None
    shares = np.asarray(weights, dtype=np.float64)
    if shares.shape != (values.shape[0],):
        raise ShapeError(f"frame weights of shape {shares.shape} for {values.shape[0]} frames; expected one each")
    if not np.isfinite(shares).all() or (shares < 0).any():
        t = int(np.flatnonzero(~np.isfinite(shares) | (shares < 0))[0])
        raise FitError(f"frame {t} has weight {shares[t]}; expected finite weights, 0 or more")
    if not shares.sum() > 0:
        raise FitError(f"all {len(shares)} frames have weight 0; expected some above")
    return values, shares


def moments(frames: Frames, weights: Floats | None = None) -> tuple[Floats, Floats]:
    """Weighted mean (D,) and variance (D,) of frames, the variance with divisor N, in float64 and in two
    passes.

    >>> moments(np.array([[0.0], [2.0]]))
    (array([1.]), array([1.]))
    """
    n_frames, shares = len(frames), np.ones(len(frames)) if weights is None else weights
    total = shares.sum()
    chunks = [slice(start, start + _CHUNK) for start in range(0, n_frames, _CHUNK)]
    mean = np.sum([shares[chunk] @ frames[chunk].astype(np.float64) for chunk in chunks], axis=0) / total
    # The mean is rounded: of frames that are all alike it may miss them by one unit in the last place.
    mean = np.clip(mean, frames.min(axis=0), frames.max(axis=0))
    variance = np.sum([shares[chunk] @ (frames[chunk] - mean) ** 2 for chunk in chunks], axis=0) / total
    return mean, variance


def distinct_frames(frames: Frames, order: NDArray[np.intp], at_most: int) -> NDArray[np.intp]:
    """Indices of the first ``at_most`` frames that differ from each other, in the given order; fewer if there
    are none.

    Looks no further than it must: a corpus is rarely all copies.

    >>> distinct_frames(np.array([[1.0], [1.0], [2.0]]), np.arange(3), 5)
    array([0, 2])
    """
    looked_at = 2 * at_most
    while True:
        seen = order[:looked_at]
        _, first = np.unique(frames[seen], axis=0, return_index=True)
        if len(first) >= at_most or looked_at >= len(order):
            return seen[np.sort(first)[:at_most]]
        looked_at *= 4
