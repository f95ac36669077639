"""The density of a mixture with full covariances, each component's own or one for all (tied).

Owns the parameters, what they must satisfy, and the same density ready to score frames: by the Cholesky factors of the
inverse covariances, so that no digits are lost however narrow a covariance is. Refuses to know any algorithm: nothing
here estimates.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from speechgmm.errors import ConfigError, MethodError, ShapeError
from speechgmm.gmm.covariance_matrices import cholesky_factors, n_held, raised
from speechgmm.gmm.model import NO_PART, Components, DiagGMM, Floats, check_weights, read_only, reference_point


@dataclass(frozen=True, slots=True, eq=False)
class FullGMM(Components):
    """A Gaussian mixture with full covariances, one for each component or one for all ("tied").

    Arrays are kept as read-only float64 copies, so a model can be shared between threads and never changes.

    Parameters
    ----------
    weights : array_like (K,)
        Weights of the components, which sum to one.
    means : array_like (K, D)
        Means, in the units of the frames.
    covariances : array_like (K, D, D) or (1, D, D)
        Symmetric, positive definite matrices, in squared units of the frames. A single matrix is shared by all
        components.

    Raises
    ------
    ShapeError
        The arrays do not fit together, or are no mixture: a parameter that is not finite, a covariance that is not
        symmetric or not positive definite, weights that are negative or do not sum to one.

    Examples
    --------
    >>> FullGMM([0.5, 0.5], [[0.0, 0.0], [4.0, 0.0]], [[[1.0, 0.5], [0.5, 1.0]]])
    FullGMM(n_components=2, n_features=2, tied=True)
    """

    weights: Floats  # (K,), sum to 1
    means: Floats  # (K, D)
    covariances: Floats  # (C, D, D), C = K, or 1: of every component

    def __post_init__(self) -> None:
        weights, means, covariances = (read_only(value) for value in (self.weights, self.means, self.covariances))
        shapes = f"weights {weights.shape}, means {means.shape} and covariances {covariances.shape}"
        if weights.ndim != 1 or means.ndim != 2 or len(weights) != len(means) or not means.size:
            raise ShapeError(f"{shapes} are no mixture; expected (K,), (K, D) and (K, D, D)")
        n_features = means.shape[1]
        if covariances.shape[1:] != (n_features, n_features) or len(covariances) not in (1, len(weights)):
            raise ShapeError(f"{shapes} are no mixture; expected covariances (K, D, D), or (1, D, D) for all")
        if not all(np.isfinite(value).all() for value in (weights, means, covariances)):
            raise ShapeError("a mixture with a parameter that is NaN or infinite; expected finite ones")
        check_weights(weights)
        scale = np.sqrt(np.abs(np.diagonal(covariances, axis1=1, axis2=2)))
        if (np.abs(covariances - covariances.swapaxes(1, 2)) > 1e-9 * scale[:, :, None] * scale[:, None, :]).any():
            raise ShapeError("a covariance that is not symmetric; expected a matrix that equals its transpose")
        cholesky_factors(covariances)
        for name, value in (("weights", weights), ("means", means), ("covariances", covariances)):
            object.__setattr__(self, name, value)

    def __repr__(self) -> str:
        tied = ", tied=True" if self.is_tied else ""
        return f"FullGMM(n_components={self.n_components}, n_features={self.n_features}{tied})"

    if not TYPE_CHECKING:  # to a type checker a name that is not there is an error, as it is here

        def __getattr__(self, name: str) -> Any:
            """Say clearly what is wrong where an estimator or a writer needs a ``DiagGMM``."""
            if name in ("variances", "log_linear"):
                raise MethodError(
                    f"{self!r} is given, and diagonal covariances are needed; fit it with covariance: diag"
                )
            raise AttributeError(f"FullGMM has no {name!r}")

    @property
    def is_tied(self) -> bool:
        """Whether several components share one covariance."""
        return len(self.covariances) < self.n_components

    @property
    def marginal_variances(self) -> Floats:
        """The variance (K, D) of each dimension in each component: the diagonals of the covariances."""
        diagonals = np.diagonal(self.covariances, axis1=1, axis2=2)
        return np.broadcast_to(diagonals, self.means.shape).copy()

    def with_components(self, weights: Floats, means: Floats, like: NDArray[np.intp]) -> "FullGMM":
        """A mixture of other weights (K,) and means (K, D), where component k has the covariance of ``like[k]``."""
        covariances = self.covariances if self.is_tied else self.covariances[like]
        return FullGMM(weights, means, covariances)

    def beyond(self, before: "FullGMM", weights: Floats, means: Floats, share: float) -> "FullGMM":
        """Weights and means given, and covariances that go on by ``share`` of the way from ``before`` to here.

        The way is that of the logarithms of their eigenvalues, in units of the covariance before; of each it goes on by
        a factor of 2 to that share at most.
        """
        lower = cholesky_factors(before.covariances)
        inverse = np.linalg.inv(lower)
        values, vectors = np.linalg.eigh(inverse @ self.covariances @ inverse.swapaxes(1, 2))
        further = values * np.clip(values, 0.5, 2) ** share
        axes = lower @ vectors
        covariances = (axes * further[:, None, :]) @ axes.swapaxes(1, 2)
        return FullGMM(weights, means, 0.5 * (covariances + covariances.swapaxes(1, 2)))

    def floored(self, floor: ArrayLike) -> "FullGMM":
        """The same mixture with covariances of at least diag(``floor``); see ``raised``."""
        return replace(self, covariances=raised(self.covariances, floor))

    def n_floored(self, floor: ArrayLike) -> int:
        """How many eigenvalues ``floor`` holds, of ``n_variances``; see ``raised``."""
        return n_held(self.covariances, floor)

    def floor_note(self, floor: Floats) -> str:
        """Where ``floor`` (D,) holds variances, in words."""
        return (
            "in directions in which a covariance is narrower than that of independent dimensions with the variances of "
            f"the floor (least {floor.min():.3g}): dimensions are strongly correlated, or frames few"
        )

    @property
    def n_variances(self) -> int:
        """Eigenvalues of all covariances, C D."""
        return len(self.covariances) * self.n_features

    def spread(self, noise: Floats, components: NDArray[np.intp]) -> Floats:
        """Standard normal noise (T, D), transformed to the covariance of the component (T,) of each row."""
        found = noise.copy()
        for number, lower in enumerate(cholesky_factors(self.covariances)):
            own = slice(None) if self.is_tied else components == number
            found[own] = noise[own] @ lower.T
        return found

    def whitened(self, reference: ArrayLike | None = None) -> "Whitened":
        """The same density ready to score frames x as y = x - reference.

        ``reference`` is (D,) or a number; None: the mixture's mean. Raises ShapeError for another shape.
        """
        point = reference_point(self.centre() if reference is None else reference, self.n_features)
        lower = cholesky_factors(self.covariances)
        log_det = np.log(np.diagonal(lower, axis1=1, axis2=2)).sum(axis=1)
        # A component of weight 0 takes no part; -inf less a peak of -inf would be NaN.
        log_weights = np.log(self.weights, where=self.weights > 0, out=np.full(self.n_components, NO_PART))
        const = log_weights - log_det - 0.5 * self.n_features * np.log(2 * np.pi)
        factors = np.asarray(np.linalg.inv(lower).swapaxes(1, 2), np.float64)
        return Whitened(const, self.means - point, factors, point)


@dataclass(frozen=True, slots=True, eq=False)
class Whitened:
    """A mixture as log p(k, x) = const[k] - |(y - offsets[k]) factors[k]|² / 2 in nats, with y = x - reference.

    Frames less a mean are taken before they are squared, so that means far from each other or from zero cost no digits.
    """

    const: Floats  # (K,)
    offsets: Floats  # (K, D)
    factors: Floats  # (C, D, D), upper triangular; C = K, or 1: of every component
    reference: Floats  # (D,)

    def members(self, number: int) -> slice:
        """The components whose covariance is this one."""
        return members(number, len(self.factors), len(self.const))

    def about(self, reference: Floats) -> "Whitened":
        """The same density about another reference (D,)."""
        return replace(self, offsets=self.offsets + (self.reference - reference), reference=reference)

    def scores(self, rows: Floats) -> Floats:
        """Log p(k, x) (K, T) of rows y (T, D), float64, in nats."""
        found = np.empty((len(self.const), len(rows)))
        moved, white = np.empty(rows.shape), np.empty(rows.shape)  # once for all components: memory is slow to get
        for number, factor in enumerate(self.factors):
            own = self.members(number)
            origin = self.offsets[own.start] if own.stop - own.start == 1 else self.offsets[own].mean(axis=0)
            np.subtract(rows, origin, out=moved)
            np.dot(moved, factor, out=white)
            halves = np.einsum("td,td->t", white, white)
            halves *= 0.5
            if own.stop - own.start == 1:
                np.subtract(self.const[own.start], halves, out=found[own.start])
                continue
            means = (self.offsets[own] - origin) @ factor
            np.dot(means, white.T, out=found[own])
            found[own] += (self.const[own] - 0.5 * (means**2).sum(axis=1))[:, None]
            found[own] -= halves
        return found


def members(number: int, n_covariances: int, n_components: int) -> slice:
    """The components that share covariance ``number``: all where there is one covariance, else the one of that number.

    >>> members(0, 1, 5), members(3, 5, 5)
    (slice(0, 5, None), slice(3, 4, None))
    """
    return slice(0, n_components) if n_covariances == 1 else slice(number, number + 1)


AnyGMM = DiagGMM | FullGMM
"""A mixture with covariances of either form."""


def only_diagonal(models: Sequence[AnyGMM], what: str) -> tuple[DiagGMM, ...]:
    """The mixtures, which have diagonal covariances, as ``what`` needs them.

    Raises:
        ConfigError: A mixture with full covariances.

    >>> only_diagonal([FullGMM([1.0], [[0.0]], [[[1.0]]])], "adapt_map")
    Traceback (most recent call last):
    speechgmm.errors.ConfigError: FullGMM(n_components=1, n_features=1) is given, and adapt_map needs diagonal ...
    """
    diagonal = tuple(model for model in models if isinstance(model, DiagGMM))
    if len(diagonal) < len(models):
        other = next(model for model in models if not isinstance(model, DiagGMM))
        raise ConfigError(f"{other!r} is given, and {what} needs diagonal covariances; fit it with covariance: diag")
    return diagonal
