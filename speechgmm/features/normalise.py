"""Mean and variance normalisation: moments that add, and the affine map read off them.

Owns the arithmetic for any grouping (utterance, speaker, corpus): who is pooled with whom is the caller's
choice.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from speechgmm.errors import DataError, ShapeError

Float32Array = NDArray[np.float32]
Float64Array = NDArray[np.float64]

CONSTANT: float = 1e-6
"""A deviation below this share of max(1, |mean|) is float32 rounding: the dimension is constant."""

_AT_ONCE: int = 4096
"""Frames whose double precision is held at once."""


@dataclass(frozen=True, slots=True, eq=False)
class Moments:
    """Count, mean and scatter of frames in float64; adding two pools their frames.

    The scatter is about the mean, so that an offset of any size costs no precision (Chan, Golub & LeVeque
    1983, eqs. 1.5a-b, which ``+`` is).

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
    """Moments of frames (T, D); of no frames (0, D) the zero of the addition.

    Raises `ShapeError` unless frames are a matrix and `DataError` for a value that is not finite.

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
    """The map x -> (x - shift) * scale, dimension by dimension: plain arrays, fit for a model file."""

    shift: Float64Array  # (D,)
    scale: Float64Array  # (D,)

    def apply(self, frames: Float32Array) -> Float32Array:
        """Normalised copy of frames (T, D), float32.

        Raises `ShapeError` where D is not that of the map.

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
    """The map that gives the pooled frames mean 0 and, with `norm_vars`, variance 1 (divisor: the count) in
    every dimension, deltas like statics.

    A dimension that does not vary (all of them, where there is one frame) keeps scale 1: its mean alone goes.
    Raises `DataError` where there is no frame.

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
