"""Sufficient statistics: all that an estimator needs to know of the frames.

Owns their addition: the statistics of two sets of frames add up to those of both together, so distribution is
addition. Always in float64 and about a reference point near the frames, so that frames far from zero keep their digits.
Refuses to hold frames.
"""

from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from speechgmm.errors import ShapeError
from speechgmm.gmm.model import reference_point

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class GMMStats:
    """Zeroth, first and second order statistics of frames under a mixture, and the frames' log-likelihood.

    The sums are of x - reference and of (x - reference)², with a reference near the frames. Statistics with different
    references can be added. ``about(0)`` gives the sums of x and x²; they lose digits for frames far from zero.

    Raises:
        ShapeError: A reference that is neither a number nor (D,).

    >>> half = GMMStats(np.ones(1), np.ones((1, 2)), np.ones((1, 2)), -3.0, 1.0)
    >>> (half + half).log_likelihood
    -6.0
    """

    counts: Floats  # (K,), sum of posteriors times frame weights
    sums: Floats  # (K, D), of posterior times (x - reference)
    squares: Floats  # (K, D), of posterior times (x - reference)²
    log_likelihood: float  # nats, total over frames
    n_frames: float  # sum of the frames' weights
    reference: Floats = field(default_factory=lambda: np.zeros(()))  # (D,); a number stands for as many

    def __post_init__(self) -> None:
        object.__setattr__(self, "reference", reference_point(self.reference, self.sums.shape[-1]))

    @classmethod
    def of_scaled(
        cls, moments: Floats, centre: Floats, scale: Floats, log_likelihood: float, n_frames: float
    ) -> "GMMStats":
        """Statistics of x = centre + scale z about the centre, from rows of moments (K, P) of z.

        Each row begins [sum z, sum z², count].

        >>> stats = GMMStats.of_scaled(np.array([[3.0, 5.0, 2.0]]), np.array([10.0]), np.array([2.0]), 0.0, 2.0)
        >>> stats.sums, stats.about(0).sums
        (array([[6.]]), array([[26.]]))
        """
        n_features = len(centre)
        return cls(
            moments[:, 2 * n_features].copy(),
            scale * moments[:, :n_features],
            scale**2 * moments[:, n_features : 2 * n_features],
            log_likelihood,
            n_frames,
            centre,
        )

    def about(self, reference: ArrayLike) -> "GMMStats":
        """The same statistics with another reference, (D,) or a number.

        Raises:
            ShapeError: A reference of another shape.

        >>> GMMStats(np.full(1, 2.0), np.ones((1, 1)), np.ones((1, 1)), -3.0, 2.0).about(1.0).sums
        array([[-1.]])
        """
        if reference is self.reference:
            return self
        point = reference_point(reference, self.sums.shape[-1])
        step = self.reference - point
        if not step.any():
            return self
        n = self.counts[:, None]
        sums, squares = self.sums + step * n, self.squares + 2 * step * self.sums + step**2 * n
        return replace(self, sums=sums, squares=squares, reference=point)

    def __add__(self, other: "GMMStats") -> "GMMStats":
        """The statistics of both sets of frames together, about the reference of the larger set.

        Raises:
            ShapeError: They are of mixtures of different size.
        """
        if self.sums.shape != other.sums.shape:
            raise ShapeError(
                f"statistics of shape {self.sums.shape} and {other.sums.shape} do not add; expected those of mixtures "
                "of one size"
            )
        reference = self.reference if self.n_frames >= other.n_frames else other.reference
        one, two = self.about(reference), other.about(reference)
        return GMMStats(
            one.counts + two.counts,
            one.sums + two.sums,
            one.squares + two.squares,
            self.log_likelihood + other.log_likelihood,
            self.n_frames + other.n_frames,
            reference,
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
            self.reference,
        )
