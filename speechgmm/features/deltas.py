"""Time derivatives of frames by linear regression over their neighbours, edges replicated.

Owns the two customs in use. They differ in second-order deltas, in 2 x window frames at either edge.
"""

from functools import cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from speechgmm.errors import ShapeError
from speechgmm.features.spec import DeltaMethod

Float32Array = NDArray[np.float32]

_AT_ONCE: Final = 4096  # frames: bounds what an hour takes beside its result


def regression_taps(window: int) -> NDArray[np.float64]:
    """Weights of frames t - window ... t + window in the slope at t, (2 window + 1,) (the HTK Book, eq.
    5.16).

    >>> regression_taps(2).tolist()
    [-0.2, -0.1, 0.0, 0.1, 0.2]
    """
    offsets = np.arange(-window, window + 1)
    return offsets / np.sum(offsets**2)


def append_deltas(frames: Float32Array, order: int, window: int = 2, method: DeltaMethod = "kaldi") -> Float32Array:
    """Frames followed by their first `order` time derivatives (per frame, not per second).

    frames (T, D), T >= 1 -> (T, D (order + 1)) float32. Both customs filter the deltas again: ``kaldi``
    as they follow from statics replicated beyond the edges (one filter, a convolution of the taps), ``htk``
    replicating the edges of the deltas themselves. Any T will do: beyond the edges
    lie copies of the first and the last frame. Raises `ShapeError` unless frames are a matrix with a row.

    >>> append_deltas(np.arange(5, dtype=np.float32)[:, None], 1)[:, 1].round(3)
    array([0.5, 0.8, 1. , 0.8, 0.5], dtype=float32)
    """
    if frames.ndim != 2 or not len(frames):
        raise ShapeError(f"frames have shape {frames.shape}; expected (T, D) with at least one frame")
    n_frames, width = frames.shape
    out = np.empty((n_frames, width * (order + 1)), dtype=np.float32)
    out[:, :width] = frames
    for first in range(0, n_frames if order else 0, _AT_ONCE):
        stop = min(first + _AT_ONCE, n_frames)
        # Neighbours on both sides, of which each filter uses up a window; beyond the edges, the frames there.
        low, high = first - order * window, stop + order * window
        part = frames[max(low, 0) : high]
        if low < 0 or high > n_frames:
            before, after = max(-low, 0), max(high - n_frames, 0)
            part = np.concatenate([frames[:1].repeat(before, axis=0), part, frames[-1:].repeat(after, axis=0)])
        for k in range(1, order + 1):
            part = _slopes(part, window)
            low, high = low + window, high - window
            if method == "htk" and low < 0:
                part[:-low] = part[-low]
            if method == "htk" and high > n_frames:
                part[n_frames - high :] = part[n_frames - high - 1]
            out[first:stop, k * width : (k + 1) * width] = part[first - low : stop - low]
    return out


@cache
def _float32_taps(window: int) -> Float32Array:
    return regression_taps(window).astype(np.float32)


def _slopes(frames: Float32Array, window: int) -> Float32Array:
    """Slope at every frame that has `window` neighbours on either side."""
    taps = _float32_taps(window)
    n_frames = len(frames) - 2 * window
    for k in range(1, window + 1):  # the taps before the middle are those behind it, negative
        step = frames[window + k : window + k + n_frames] - frames[window - k : window - k + n_frames]
        step *= taps[window + k]
        if k == 1:
            total = step
        else:
            total += step
    return total
