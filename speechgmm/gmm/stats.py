"""Sufficient statistics: all that an estimator needs to know of the frames.

Owns their addition: the statistics of two sets of frames add up to those of both together, so distribution is
addition. Always in raw coordinates and float64, whatever precision they were computed in. Refuses to hold
frames.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from speechgmm.errors import ShapeError

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class GMMStats:
    """Zeroth, first and second order statistics of frames under a mixture, and the frames' log-likelihood.

    >>> half = GMMStats(np.ones(1), np.ones((1, 2)), np.ones((1, 2)), -3.0, 1.0)
    >>> (half + half).log_likelihood
    -6.0
    """

    counts: Floats  # (K,), sum of posteriors times frame weights
    sums: Floats  # (K, D), of posterior times x
    squares: Floats  # (K, D), of posterior times x²
    log_likelihood: float  # nats, total over frames
    n_frames: float  # sum of the frames' weights

    @classmethod
    def of_scaled(
        cls, moments: Floats, centre: Floats, scale: Floats, log_likelihood: float, n_frames: float
    ) -> "GMMStats":
        """Statistics of x = centre + scale z, from those of z: rows of moments (K, P) begin [sum z, sum z², count].

        >>> GMMStats.of_scaled(np.array([[3.0, 5.0, 2.0]]), np.array([10.0]), np.array([2.0]), 0.0, 2.0).sums
        array([[26.]])
        """
        n_features = len(centre)
        sums, squares = moments[:, :n_features], moments[:, n_features : 2 * n_features]
        counts = moments[:, 2 * n_features].copy()
        n = counts[:, None]
        return cls(
            counts,
            scale * sums + centre * n,
            scale**2 * squares + 2 * centre * scale * sums + centre**2 * n,
            log_likelihood,
            n_frames,
        )

    def __add__(self, other: "GMMStats") -> "GMMStats":
        """The statistics of both sets of frames together.

        Raises:
            ShapeError: They are of mixtures of different size.
        """
        if self.sums.shape != other.sums.shape:
            raise ShapeError(f"statistics of shape {self.sums.shape} and {other.sums.shape} do not add")
        return GMMStats(
            self.counts + other.counts,
            self.sums + other.sums,
            self.squares + other.squares,
            self.log_likelihood + other.log_likelihood,
            self.n_frames + other.n_frames,
        )

    def scaled(self, factor: float) -> "GMMStats":
        """The statistics of the same frames, each counted ``factor`` times (a stepwise EM's forgetting).

        >>> GMMStats(np.ones(1), np.ones((1, 2)), np.ones((1, 2)), -3.0, 1.0).scaled(0.5).n_frames
        0.5
        """
        return GMMStats(
            factor * self.counts,
            factor * self.sums,
            factor * self.squares,
            factor * self.log_likelihood,
            factor * self.n_frames,
        )
