"""A recording as a sequence of overlapping windows, each a supervector: who is heard around every tenth of a second.

The statistics of a window are sums over its blocks, so that windows that overlap share the work, and a recording of
hours is gone through stretch by stretch: what is held is a stretch's statistics and what the caller makes of them.
"""

from collections.abc import Iterator
from itertools import pairwise

import numpy as np
from numpy.typing import ArrayLike, NDArray

from speechgmm.errors import ConfigError, DataError, ShapeError
from speechgmm.gmm import DiagGMM
from speechgmm.parallel import one_blas_thread
from speechgmm.vectors.supervectors import RELEVANCE

Floats = NDArray[np.float64]

_BLOCKS = 512  # of a stretch: with 64 components of 20 dimensions, 5 MB of statistics and as much of supervectors


def n_blocks(n_frames: int, block: int) -> int:
    """The number of blocks of ``block`` frames, at least 1; the last block also takes the frames that are left over.

    >>> n_blocks(25, 10), n_blocks(3, 10)
    (2, 1)
    """
    return max(1, n_frames // block)


def window_supervectors(
    ubm: DiagGMM, frames: ArrayLike, *, block: int, window: int, relevance: float = RELEVANCE
) -> Iterator[Floats]:
    """Yield supervectors (n, K D) of sliding windows of ``window`` blocks, several windows at a time.

    The windows start one block apart. A recording of B blocks has max(1, B - window + 1) windows; a recording shorter
    than a window is one window. The supervector of a window is that of ``supervectors``: sqrt(weight / variance) times
    the offset of the adapted means from those of the background model (Campbell, Sturim & Reynolds 2006, eq. 11).

    Raises:
        ShapeError: The frames are not (T, D) with the D of the background model.
        DataError: There are no frames, or a value is NaN or infinite.
        ConfigError: ``block`` or ``window`` is below 1, or ``relevance`` is not above 0.

    >>> ubm = DiagGMM([1.0], [[0.0]], [[4.0]])
    >>> np.concatenate(list(window_supervectors(ubm, np.full((4, 1), 2.0), block=2, window=2, relevance=4)))
    array([[0.5]])
    """
    values = np.asarray(frames)
    if values.ndim != 2 or values.shape[1] != ubm.n_features:
        raise ShapeError(f"frames of shape {values.shape}; expected (T, {ubm.n_features}), as the background model has")
    if block < 1 or window < 1 or not (np.isfinite(relevance) and relevance > 0):
        raise ConfigError(f"block {block}, window {window}, relevance {relevance:g}; expected numbers above 0")
    if not len(values) or not np.isfinite(values).all():
        raise DataError("no frames, or one with a value that is NaN or infinite; expected finite frames")
    return _stretches(ubm, values, block, window, relevance)


def _stretches(
    ubm: DiagGMM, values: NDArray[np.floating], block: int, window: int, relevance: float
) -> Iterator[Floats]:
    n = n_blocks(len(values), block)
    window = min(window, n)
    scale = np.sqrt(ubm.weights[:, None] / ubm.variances)
    step = max(_BLOCKS, window)
    for first in range(0, n - window + 1, step):
        stop = min(first + step + window - 1, n)
        counts, sums = _block_statistics(ubm, values, block, first, stop, last=stop == n)
        n_k, f_k = _moving_sum(counts, window), _moving_sum(sums, window)
        offsets = (f_k - n_k[:, :, None] * (ubm.means - ubm.centre())) / (n_k + relevance)[:, :, None]
        yield (offsets * scale).reshape(len(offsets), -1)


@one_blas_thread()
def _block_statistics(
    ubm: DiagGMM, values: NDArray[np.floating], block: int, first: int, stop: int, *, last: bool
) -> tuple[Floats, Floats]:
    """Counts (n, K), and sums (n, K, D) about the mixture's mean, of blocks ``first`` to ``stop``."""
    density = ubm.log_linear(ubm.centre())
    end = len(values) if last else stop * block
    x = np.asarray(values[first * block : end], np.float64) - density.reference
    scores = x @ density.linear.T + x**2 @ density.quadratic.T + density.const
    scores -= scores.max(axis=1, keepdims=True)
    gamma = np.exp(scores, out=scores)
    gamma /= gamma.sum(axis=1, keepdims=True)
    starts = np.arange(stop - first) * block
    bounds = np.append(starts, len(x))
    counts = np.add.reduceat(gamma, starts, axis=0)
    return counts, np.stack([gamma[a:b].T @ x[a:b] for a, b in pairwise(bounds.tolist())])


def _moving_sum(values: Floats, window: int) -> Floats:
    """Sums over ``window`` neighbours, along the first axis."""
    total = np.concatenate([np.zeros_like(values[:1]), np.cumsum(values, axis=0)])
    found: Floats = total[window:] - total[:-window]
    return found
