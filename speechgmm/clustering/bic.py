"""Gaussians of pieces with full covariance, and whether two pieces are one by the Bayesian information criterion.

Statistics add, so that merging two pieces looks at no frame. Owns the criterion. Refuses to search.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from speechgmm.errors import DataError, ShapeError

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class GaussianStats:
    """Number, mean and scatter matrix of frames. The sum of two objects describes the frames of both.

    >>> both = GaussianStats.of([[0.0], [2.0]]) + GaussianStats.of([[4.0]])
    >>> both.n_frames, both.mean, both.scatter
    (3.0, array([2.]), array([[8.]]))
    """

    n_frames: float
    mean: Floats  # (D,)
    scatter: Floats  # (D, D), sum of (x - mean) (x - mean)'

    @classmethod
    def of(cls, frames: ArrayLike) -> "GaussianStats":
        """Compute the statistics of frames (T, D).

        Raises:
            ShapeError: Frames that are not (T, D).
            DataError: No frames; a value that is NaN or infinite.
        """
        values = np.asarray(frames, dtype=np.float64)
        if values.ndim != 2:
            raise ShapeError(f"frames of shape {values.shape}; expected (T, D)")
        if len(values) == 0 or not np.isfinite(values).all():
            raise DataError("no frames, or one with a value that is NaN or infinite; expected finite frames")
        mean = values.mean(axis=0)
        return cls(float(len(values)), mean, (values - mean).T @ (values - mean))

    def __add__(self, other: "GaussianStats") -> "GaussianStats":
        total = self.n_frames + other.n_frames
        step = other.mean - self.mean
        between = np.outer(step, step) * (self.n_frames * other.n_frames / total)
        return GaussianStats(total, self.mean + step * (other.n_frames / total), self.scatter + other.scatter + between)

    def log_determinant(self, floor: Floats) -> float:
        """Log determinant of the covariance, with ``floor`` (D,) added to its diagonal.

        The floor keeps it finite for a piece with fewer frames than dimensions.
        """
        return float(np.linalg.slogdet(self.scatter / self.n_frames + np.diag(floor))[1])


def delta_bic(one: GaussianStats, others: Sequence[GaussianStats], *, penalty: float = 1.0, floor: Floats) -> Floats:
    """Delta BIC (N,) in nats of one piece with each of N others.

    It is the gain in log-likelihood of two Gaussians over one Gaussian for both pieces, minus the BIC penalty:
    ``n/2 log |S| - n1/2 log |S1| - n2/2 log |S2| - penalty/2 (D + D (D + 1) / 2) log n``, where n = n1 + n2 frames
    (Chen & Gopalakrishnan 1998). Below 0, one Gaussian describes both pieces better. ``floor`` (D,), in squared units
    of the frames, is added to the variances.

    >>> a, b = GaussianStats.of([[0.0], [2.0]] * 9), GaussianStats.of([[8.0], [10.0]] * 9)
    >>> delta_bic(a, [a, b], floor=np.zeros(1)).round(2)
    array([-3.58, 47.41])
    """
    n_dims = len(one.mean)
    numbers = 0.5 * penalty * (n_dims + n_dims * (n_dims + 1) / 2)
    own = one.n_frames * one.log_determinant(floor)
    found = []
    for other in others:
        both = one + other
        gain = both.n_frames * both.log_determinant(floor) - own - other.n_frames * other.log_determinant(floor)
        found.append(0.5 * gain - numbers * np.log(both.n_frames))
    return np.array(found)
