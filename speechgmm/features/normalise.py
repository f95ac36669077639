"""Mean and variance normalisation: moments that add, and the affine map read off them.

Owns the arithmetic for any grouping (utterance, speaker, corpus): who is pooled with whom is the caller's
choice. A window that slides over a recording needs no other recording, and is part of the extraction.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from speechgmm.errors import DataError, ShapeError
from speechgmm.features.framing import BLOCK

Float32Array = NDArray[np.float32]
Float64Array = NDArray[np.float64]
IntArray = NDArray[np.intp]

CONSTANT: float = 1e-6
"""A standard deviation below this share of max(1, |mean|) is float32 rounding: the dimension is constant."""

_AT_ONCE: int = 4096
"""Frames whose double precision is held at once."""

_SLIDING_AT_ONCE: int = 16 * BLOCK
"""Frames that a sliding window is moved over at once."""

_LEAST_VARIANCE: float = 1e-10
"""Of a sliding window, as in Kaldi."""


@dataclass(frozen=True, slots=True, eq=False)
class Moments:
    """Count, mean and scatter of frames, in float64.

    The sum of two ``Moments`` has the moments of the frames of both (Chan, Golub & LeVeque 1983, eqs. 1.5a-b). The
    scatter is about the mean, so that an offset of any size costs no precision.

    >>> a, b = moments(np.array([[1.0], [3.0]])), moments(np.array([[5.0]]))
    >>> (a + b).count, (a + b).means.tolist(), (a + b).scatter.tolist()
    (3, [3.0], [8.0])
    """

    count: int  # frames
    means: Float64Array  # (D,)
    scatter: Float64Array  # (D,) sum of (x - mean)^2

    def __add__(self, other: "Moments") -> "Moments":
        if self.means.shape != other.means.shape:
            raise ShapeError(
                f"moments of {self.means.size} and of {other.means.size} dimensions cannot be pooled; "
                "were the features made with two settings?"
            )
        count = self.count + other.count
        if count == 0:
            return self
        step = other.means - self.means
        means = self.means + step * (other.count / count)
        return Moments(count, means, self.scatter + other.scatter + step**2 * (self.count * other.count / count))


def moments(frames: NDArray[np.floating]) -> Moments:
    """Count, mean and scatter of frames (T, D). Those of no frames (0, D) change nothing when they are added.

    Raises `ShapeError` unless ``frames`` is a matrix, and `DataError` for a value that is not finite.

    >>> moments(np.zeros((0, 13))).count
    0
    """
    if frames.ndim != 2:
        raise ShapeError(f"frames have shape {frames.shape}; expected (T, D)")
    total: Moments | None = None
    for first in range(0, len(frames), _AT_ONCE):
        centred = frames[first : first + _AT_ONCE].astype(np.float64)
        means = np.ones(len(centred)) @ centred / len(centred)
        if not np.isfinite(means).all():
            bad = int(np.flatnonzero(~np.isfinite(means))[0])
            raise DataError(
                f"dimension {bad} of the frames has NaN or infinity; expected finite ones: is a recording damaged?"
            )
        centred -= means
        part = Moments(len(centred), means, np.einsum("td,td->d", centred, centred))
        total = part if total is None else total + part
    return Moments(0, np.zeros(frames.shape[1]), np.zeros(frames.shape[1])) if total is None else total


@dataclass(frozen=True, slots=True, eq=False)
class Normalisation:
    """The map x -> (x - shift) * scale, in each dimension."""

    shift: Float64Array  # (D,)
    scale: Float64Array  # (D,)

    def apply(self, frames: Float32Array) -> Float32Array:
        """A normalised copy of frames (T, D), float32.

        Raises `ShapeError` where D is not the length of ``shift``.

        >>> Normalisation(np.ones(2), np.full(2, 2.0)).apply(np.zeros((1, 2), dtype=np.float32)).tolist()
        [[-2.0, -2.0]]
        """
        if frames.ndim != 2 or frames.shape[1] != self.shift.size:
            raise ShapeError(
                f"frames have shape {frames.shape}; this normalisation is for (T, {self.shift.size}): "
                "were the features made with other settings?"
            )
        out = frames - self.shift.astype(np.float32)
        out *= self.scale.astype(np.float32)
        return out


def normalisation(pooled: Moments, norm_vars: bool = True) -> Normalisation:
    """The map that gives the pooled frames mean 0 and, with `norm_vars`, variance 1 in every dimension.

    Deltas are normalised as static features are. The variance is the scatter divided by the count. A dimension that
    does not vary keeps scale 1: only its mean is subtracted. So does every dimension of a single frame. Raises
    `DataError` where there is no frame.

    >>> normalisation(moments(np.array([[1.0, 7.0], [3.0, 7.0]]))).scale.tolist()
    [1.0, 1.0]
    """
    if pooled.count == 0:
        raise DataError("no frames to normalise by; is the voice activity detection too strict?")
    scale = np.ones_like(pooled.means)
    if norm_vars:
        deviations = np.sqrt(pooled.scatter / pooled.count)
        varies = deviations > CONSTANT * np.maximum(1, np.abs(pooled.means))
        scale[varies] = 1 / deviations[varies]
    return Normalisation(pooled.means.copy(), scale)


def sliding_normalised(
    frames: Float32Array, window: int = 600, *, causal: bool = False, min_window: int = 100, norm_vars: bool = True
) -> Float32Array:
    """Frames normalised by mean and variance of a window that slides over them (Kaldi, apply-cmvn-sliding).

    Parameters
    ----------
    frames
        (T, D) of a recording.
    window
        Frames of which mean and variance are taken: half of them before a frame, at either end of the recording the
        first or the last ``window``.
    causal
        Take the frame and the ``window`` before it instead, and nothing that follows.
    min_window
        Causal: the first frames share the mean and variance of this many.
    norm_vars
        Divide by the standard deviation too.

    Returns
    -------
    (T, D) float32
        A frame depends on the frames in its window and on its place in its block, to the last bit.

    Examples
    --------
    >>> ramp = np.arange(6, dtype=np.float32)[:, None]
    >>> sliding_normalised(ramp, 3, norm_vars=False)[:, 0].tolist()
    [-1.0, 0.0, 0.0, 0.0, 0.0, 1.0]
    >>> sliding_normalised(ramp, 2, causal=True, min_window=2, norm_vars=False)[:, 0].tolist()
    [-0.5, 0.5, 1.0, 1.0, 1.0, 1.0]
    """
    out = np.empty(frames.shape, dtype=np.float32)
    start, stop = _sliding_bounds(len(frames), window, causal, min_window)
    for first in range(0, len(frames), _SLIDING_AT_ONCE):
        here = slice(first, first + _SLIDING_AT_ONCE)
        begin = start[first] // BLOCK * BLOCK
        values = frames[begin : stop[here][-1]].astype(np.float64)
        inside, counts = (start[here] - begin, stop[here] - begin), (stop[here] - start[here])[:, None]
        means = _window_sums(values, *inside) / counts
        centred = frames[here] - means
        if norm_vars:
            variances = _window_sums(values * values, *inside) / counts - means * means
            centred /= np.sqrt(np.maximum(variances, _LEAST_VARIANCE))
        out[here] = centred
    return out


def _sliding_bounds(n_frames: int, window: int, causal: bool, min_window: int) -> tuple[IntArray, IntArray]:
    """The window [start, stop) of every frame, (T,) each."""
    at = np.arange(n_frames)
    if causal:
        start, stop = np.maximum(at - window, 0), np.maximum(at + 1, min_window)
    else:
        start = np.maximum(at - window // 2, 0)
        stop = start + window
    over = np.maximum(stop - n_frames, 0)
    return np.maximum(start - over, 0), stop - over


def _window_sums(values: Float64Array, start: IntArray, stop: IntArray) -> Float64Array:
    """Sums of values (N, D) over windows [start, stop), (T, D).

    By sums within blocks and sums of whole blocks, so that what lies outside of the blocks of a window does not touch
    its last bits.
    """
    n_blocks = len(values) // BLOCK + 1
    within = np.zeros((n_blocks, BLOCK + 1, values.shape[1]))
    padded = np.zeros((n_blocks * BLOCK, values.shape[1]))
    padded[: len(values)] = values
    np.cumsum(padded.reshape(n_blocks, BLOCK, -1), axis=1, out=within[:, 1:])
    (first, left), (last, right) = divmod(start, BLOCK), divmod(stop, BLOCK)
    most = int((last - first).max())
    whole = np.zeros((n_blocks, most + 1, values.shape[1]))  # of so many blocks from each one on
    for n in range(most):
        whole[: n_blocks - n, n + 1] = whole[: n_blocks - n, n] + within[n:, BLOCK]
    sums: Float64Array = whole[first, last - first] - within[first, left] + within[last, right]
    return sums
