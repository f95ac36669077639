"""Time derivatives of frames by linear regression over their neighbours, edges replicated.

Owns the two customs in use. They differ in second-order deltas, in 2 x window frames at either edge.
"""

import numpy as np
from numpy.typing import NDArray

from speechgmm.errors import ShapeError
from speechgmm.features.spec import DeltaMethod

Float32Array = NDArray[np.float32]


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

    frames (T, D), T >= 1 -> (T, D (order + 1)) float32. ``kaldi`` filters the statics once with a convolution
    of the taps; ``htk`` filters the deltas again, replicating *their* edges. Any T will do: beyond the edges
    lie copies of the first and the last frame. Raises `ShapeError` unless frames are a matrix with a row.

    >>> append_deltas(np.arange(5, dtype=np.float32)[:, None], 1)[:, 1].round(3)
    array([0.5, 0.8, 1. , 0.8, 0.5], dtype=float32)
    """
    if frames.ndim != 2 or not len(frames):
        raise ShapeError(f"frames have shape {frames.shape}; expected (T, D) with at least one frame")
    taps = regression_taps(window)
    width = frames.shape[1]
    out = np.empty((len(frames), width * (order + 1)), dtype=np.float32)
    out[:, :width] = frames
    long_taps = np.ones(1)
    for k in range(1, order + 1):
        block = out[:, k * width : (k + 1) * width]
        if method == "htk":
            _filter(out[:, (k - 1) * width : k * width], taps, block)
        else:
            long_taps = np.convolve(long_taps, taps)
            _filter(frames, long_taps, block)
    return out


def _filter(frames: Float32Array, taps: NDArray[np.float64], out: Float32Array) -> None:
    """Correlate along time with an odd number of taps, edge frames replicated."""
    n, reach = len(frames), len(taps) // 2
    padded = np.empty((n + 2 * reach, frames.shape[1]), dtype=np.float32)
    padded[:reach], padded[reach : reach + n], padded[reach + n :] = frames[0], frames, frames[-1]
    total = np.zeros(frames.shape, dtype=np.float32)
    product = np.empty_like(total)
    for k, tap in enumerate(taps.astype(np.float32)):
        if tap:
            np.multiply(padded[k : k + n], tap, out=product)
            total += product
    out[:] = total
