"""The density: a Gaussian mixture with diagonal covariances, and the same density ready to multiply.

Owns the parameters and what they must satisfy. Refuses to know any algorithm: nothing here estimates or
scores.
"""

from dataclasses import dataclass, field, replace
from math import isfinite
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from speechgmm.errors import ShapeError

Floats = NDArray[np.float64]

NO_PART: Final = -1e30
"""Stands for log 0, far below any log density: -inf less -inf, or times 0, would be NaN."""


@dataclass(frozen=True, slots=True, eq=False)
class LogLinear:
    """A mixture as log p(k, x) = const[k] + linear[k] . y + quadratic[k] . y² in nats, with y = x - reference.

    The E-step takes any model of this form. A component of weight zero has const = -inf. With a reference near the
    means the coefficients keep their precision; with reference 0 they lose digits where the means are far from zero.

    Raises:
        ShapeError: A reference that is neither a number nor (D,).
    """

    const: Floats  # (K,)
    linear: Floats  # (K, D)
    quadratic: Floats  # (K, D)
    reference: Floats = field(default_factory=lambda: np.zeros(()))  # (D,); a number stands for as many

    def __post_init__(self) -> None:
        object.__setattr__(self, "reference", reference_point(self.reference, self.linear.shape[-1]))

    def about(self, reference: ArrayLike) -> "LogLinear":
        """The same density with another reference, (D,) or a number.

        Raises:
            ShapeError: A reference of another shape.

        >>> LogLinear(np.zeros(1), np.zeros((1, 1)), np.full((1, 1), -1.0)).about(2.0).const
        array([-4.])
        """
        if reference is self.reference:
            return self
        point = reference_point(reference, self.linear.shape[-1])
        step = point - self.reference
        if not step.any():
            return self
        const = self.const + self.linear @ step + self.quadratic @ step**2
        return LogLinear(const, self.linear + 2 * self.quadratic * step, self.quadratic, point)


class Components:
    """What every mixture derives from its weights (K,) and means (K, D)."""

    __slots__ = ()
    weights: Floats
    means: Floats

    @property
    def n_components(self) -> int:
        """K."""
        return len(self.weights)

    @property
    def n_features(self) -> int:
        """D."""
        return int(self.means.shape[1])

    def centre(self) -> Floats:
        """The mean (D,) of the mixture: of the means, by weight."""
        centre: Floats = self.weights @ self.means / self.weights.sum()
        return centre


@dataclass(frozen=True, slots=True, eq=False)
class DiagGMM(Components):
    """A Gaussian mixture with diagonal covariances.

    Arrays are kept as read-only float64 copies, so a model can be shared between threads and never changes.

    >>> DiagGMM([0.5, 0.5], [[0.0], [4.0]], [[1.0], [2.0]])
    DiagGMM(n_components=2, n_features=1)

    Raises
    ------
    ShapeError
        The arrays do not fit together, or are no mixture: a parameter that is not finite, a variance that
        is not positive, weights that are negative or do not sum to one.
    """

    weights: Floats  # (K,), sum to 1
    means: Floats  # (K, D)
    variances: Floats  # (K, D), above 0

    def __post_init__(self) -> None:
        weights, means, variances = (read_only(value) for value in (self.weights, self.means, self.variances))
        if weights.ndim != 1 or means.ndim != 2 or means.shape != variances.shape or len(weights) != len(means):
            raise ShapeError(
                f"weights {weights.shape}, means {means.shape} and variances {variances.shape} are no "
                "mixture; expected (K,), (K, D) and (K, D)"
            )
        if means.size == 0:
            raise ShapeError(f"means {means.shape}: a mixture needs at least one component and one dimension")
        # EM makes a mixture in every pass: extremes are found in half of the time that masks take, NaN among them.
        least, most = np.minimum.reduce, np.maximum.reduce
        narrowest = least(variances, None)
        ends = (least(weights), most(weights), least(means, None), most(means, None), narrowest, most(variances, None))
        if not all(map(isfinite, ends)):
            raise ShapeError("a mixture with a parameter that is NaN or infinite; expected finite ones")
        if not narrowest > 0:
            k, d = np.argwhere(variances <= 0)[0]
            raise ShapeError(f"variance {variances[k, d]:g} of component {k} in dimension {d}; expected above 0")
        check_weights(weights)
        for name, value in (("weights", weights), ("means", means), ("variances", variances)):
            object.__setattr__(self, name, value)

    def __repr__(self) -> str:
        return f"DiagGMM(n_components={self.n_components}, n_features={self.n_features})"

    def spread(self, noise: Floats, components: NDArray[np.intp]) -> Floats:
        """Standard normal noise (T, D), scaled to the variances of the component (T,) of each row."""
        return np.asarray(np.sqrt(self.variances)[components] * noise)

    @property
    def marginal_variances(self) -> Floats:
        """The variance (K, D) of each dimension in each component."""
        return self.variances

    def overall_variance(self) -> Floats:
        """The variance (D,) of the whole mixture: within its components and between their means.

        >>> DiagGMM([0.5, 0.5], [[0.0], [4.0]], [[1.0], [1.0]]).overall_variance()
        array([5.])
        """
        variance: Floats = self.weights @ (self.variances + (self.means - self.centre()) ** 2)
        return variance

    def with_components(self, weights: Floats, means: Floats, like: NDArray[np.intp]) -> "DiagGMM":
        """A mixture of other weights (K,) and means (K, D), where component k has the variances of ``like[k]``."""
        return DiagGMM(weights, means, self.variances[like])

    def beyond(self, before: "DiagGMM", weights: Floats, means: Floats, share: float) -> "DiagGMM":
        """A mixture of the given weights and means, with variances extrapolated from ``before`` beyond this mixture.

        The log variances go on by ``share`` of their step from ``before``. A step counts as log 2 at most.
        """
        return DiagGMM(weights, means, self.variances * within(self.variances / before.variances) ** share)

    def floored(self, floor: ArrayLike) -> "DiagGMM":
        """The same mixture with variances of at least ``floor`` ((D,) or a number, in squared units of the frames)."""
        return replace(self, variances=np.maximum(self.variances, floor))

    def n_floored(self, floor: ArrayLike) -> int:
        """How many variances are at most ``floor``, of ``n_variances``."""
        return int(np.count_nonzero(self.variances <= np.asarray(floor)))

    def floor_note(self, floor: Floats) -> str:
        """Where ``floor`` (D,) holds most variances, in words."""
        held = np.count_nonzero(self.variances <= floor, axis=0)
        d = int(held.argmax())
        return (
            f"in dimension {d} those of {held[d]} of {self.n_components} components: these are narrower than the floor "
            f"of {floor[d]:.3g}"
        )

    @property
    def n_variances(self) -> int:
        """K D."""
        return self.variances.size

    def log_linear(self, reference: ArrayLike | None = None) -> LogLinear:
        """The same density as coefficients of 1, y and y², with y = x - reference.

        >>> DiagGMM([1.0], [[3.0]], [[2.0]]).log_linear(0).linear
        array([[1.5]])

        Parameters
        ----------
        reference
            (D,) or a number; None: the mixture's mean. Near the frames it keeps every digit.

        Raises
        ------
        ShapeError
            A reference of another shape.
        """
        point = reference_point(self.centre() if reference is None else reference, self.n_features)
        precisions = 1 / self.variances
        offsets = self.means - point
        linear = offsets * precisions
        log_norm = np.log(2 * np.pi * self.variances).sum(axis=1) + (linear * offsets).sum(axis=1)
        # log 0 = -inf is meant: such a component takes no part.
        log_weights = np.log(self.weights, where=self.weights > 0, out=np.full(len(self.weights), -np.inf))
        return LogLinear(log_weights - 0.5 * log_norm, linear, -0.5 * precisions, point)


def reference_point(reference: ArrayLike, n_features: int) -> Floats:
    """A reference (D,), from as many numbers or one.

    Raises:
        ShapeError: Another shape.

    >>> reference_point(2.0, 3)
    array([2., 2., 2.])
    """
    point = np.asarray(reference, dtype=np.float64)
    if point.shape == (n_features,):
        return point
    if point.shape != ():
        raise ShapeError(f"a reference of shape {point.shape} for {n_features} dimensions; expected ({n_features},)")
    return np.broadcast_to(point, (n_features,))


def within(ratios: Floats) -> Floats:
    """Ratios from a half to 2; ``np.clip`` takes three times as long for few components."""
    limited: Floats = np.minimum(np.maximum(ratios, 0.5), 2)
    return limited


def check_weights(weights: Floats) -> None:
    """Raise ShapeError for weights (K,) that are negative or do not sum to one."""
    lightest = np.minimum.reduce(weights)
    if lightest < 0 or abs(weights.sum() - 1) > 1e-6:
        raise ShapeError(f"weights that sum to {weights.sum():g}, the least {lightest:g}; expected >= 0, sum 1")


def read_only(values: ArrayLike) -> Floats:
    """A float64 copy that nobody changes."""
    copy = np.array(values, dtype=np.float64, order="C")
    copy.flags.writeable = False
    return copy
