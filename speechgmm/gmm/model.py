"""The density: a Gaussian mixture with diagonal covariances, and the same density ready to multiply.

Owns the parameters and what they must satisfy. Refuses to know any algorithm: nothing here estimates or
scores.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from speechgmm.errors import ShapeError

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class LogLinear:
    """A mixture as log p(k, x) = const[k] + linear[k] . x + quadratic[k] . x², in nats and raw coordinates.

    Whatever has this form can be the E-step's model. A component of weight zero has const = -inf.
    """

    const: Floats  # (K,)
    linear: Floats  # (K, D)
    quadratic: Floats  # (K, D)


@dataclass(frozen=True, slots=True, eq=False)
class DiagGMM:
    """A Gaussian mixture with diagonal covariances.

    Arrays are kept as read-only float64 copies, so a model can be shared between threads and never changes.

    Raises:
        ShapeError: The arrays do not fit together, or are no mixture: a parameter that is not finite, a
        variance that
            is not positive, weights that are negative or do not sum to one.

    >>> DiagGMM([0.5, 0.5], [[0.0], [4.0]], [[1.0], [2.0]])
    DiagGMM(n_components=2, n_features=1)
    """

    weights: Floats  # (K,), sum to 1
    means: Floats  # (K, D)
    variances: Floats  # (K, D), above 0

    def __post_init__(self) -> None:
        weights, means, variances = (_own(value) for value in (self.weights, self.means, self.variances))
        if weights.ndim != 1 or means.ndim != 2 or means.shape != variances.shape or len(weights) != len(means):
            raise ShapeError(
                f"weights {weights.shape}, means {means.shape} and variances {variances.shape} are no "
                "mixture; expected (K,), (K, D) and (K, D)"
            )
        if means.size == 0:
            raise ShapeError(f"means {means.shape}: a mixture needs at least one component and one dimension")
        if not all(np.isfinite(value).all() for value in (weights, means, variances)):
            raise ShapeError("a mixture with a parameter that is NaN or infinite")
        if not (variances > 0).all():
            k, d = np.argwhere(variances <= 0)[0]
            raise ShapeError(f"variance {variances[k, d]:g} of component {k} in dimension {d}; expected above 0")
        if (weights < 0).any() or abs(weights.sum() - 1) > 1e-6:
            raise ShapeError(
                f"weights that sum to {weights.sum():g}, the least {weights.min():g}; expected >= 0, sum 1"
            )
        for name, value in (("weights", weights), ("means", means), ("variances", variances)):
            object.__setattr__(self, name, value)

    def __repr__(self) -> str:
        return f"DiagGMM(n_components={self.n_components}, n_features={self.n_features})"

    @property
    def n_components(self) -> int:
        """K."""
        return len(self.weights)

    @property
    def n_features(self) -> int:
        """D."""
        return int(self.means.shape[1])

    def log_linear(self) -> LogLinear:
        """The same density as coefficients of 1, x and x².

        >>> DiagGMM([1.0], [[3.0]], [[2.0]]).log_linear().linear
        array([[1.5]])
        """
        precisions = 1 / self.variances
        linear = self.means * precisions
        log_norm = np.log(2 * np.pi * self.variances).sum(axis=1) + (linear * self.means).sum(axis=1)
        # log 0 = -inf is meant: such a component takes no part.
        log_weights = np.log(self.weights, where=self.weights > 0, out=np.full(len(self.weights), -np.inf))
        return LogLinear(log_weights - 0.5 * log_norm, linear, -0.5 * precisions)


def _own(values: ArrayLike) -> Floats:
    copy = np.array(values, dtype=np.float64, order="C")
    copy.flags.writeable = False
    return copy
