"""The conjugate prior of a diagonal mixture, its update by statistics, and its mode.

Owns the one idea: posterior = prior + statistics. Maximum likelihood is the flat prior, MAP adaptation a
prior around the background model; both read the mode. Refuses to know where statistics come from.
"""

from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import Final, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from speechgmm.errors import FitError, ShapeError
from speechgmm.gmm.model import DiagGMM
from speechgmm.gmm.protocols import Parameter as Parameter
from speechgmm.gmm.stats import GMMStats

Floats = NDArray[np.float64]
PARAMETERS: Final[tuple[Parameter, ...]] = ("weights", "means", "variances")

MIN_COUNT: Final = 1e-3
"""Frames. A component that explains fewer is dead: its mean and variance would be quotients of rounding."""

RESOLUTION: Final = 8 * float(np.finfo(np.float64).eps)
"""A variance below this times the squared distance from the mixture's mean cannot be told from rounding in
``squares - sums²``; a standard deviation below this times the mean cannot be told from rounding of the frames."""


def dead_components(mean_counts: Floats, min_count: float) -> tuple[int, ...]:
    """The numbers of components that fewer than ``min_count`` of the frames ``mean_counts`` (K,) speak for."""
    return tuple(int(k) for k in np.flatnonzero(mean_counts < min_count))


@dataclass(frozen=True, slots=True, eq=False)
class ConjugatePrior:
    """Dirichlet over the weights times a normal-gamma per component and dimension, counted in pseudo-frames.

    log density = sum_k weight_counts log w
                  - 1/2 sum_kd [variance_counts log var + (scatter + mean_counts (mu - means)²) / var]

    up to a constant, so the mode is weights ~ weight_counts, mu = means, var = scatter / variance_counts. In the
    usual symbols weight_counts = alpha - 1, mean_counts = kappa, variance_counts = nu (Gauvain & Lee 1994;
    Bishop 2006, 10.2). A count of zero says nothing about its parameter (an improper, flat prior).
    """

    weight_counts: Floats  # (K,), alpha - 1
    mean_counts: Floats  # (K,), kappa
    variance_counts: Floats  # (K,), nu
    means: Floats  # (K, D)
    scatter: Floats  # (K, D)

    @classmethod
    def flat(cls, n_components: int, n_features: int) -> Self:
        """The flat prior: the mode of its posterior is the maximum likelihood estimate.

        >>> ConjugatePrior.flat(4, 2).mean_counts.sum()
        np.float64(0.0)
        """
        nothing, zero = np.zeros(n_components), np.zeros((n_components, n_features))
        return cls(nothing, nothing, nothing, zero, zero)

    @classmethod
    def around(
        cls,
        model: DiagGMM,
        relevance: float,
        weight_relevance: float | None = None,
        *,
        mean_relevance: float | None = None,
        variance_relevance: float | None = None,
    ) -> "ConjugatePrior":
        """The prior whose mode is ``model`` and which counts for ``relevance`` frames in each component.

        The mode of the posterior has the means and variances of Reynolds et al. 2000, eqs. 12-13. Its weights are the
        Dirichlet mode, (counts + tau weights) / (frames + tau). They differ from eq. 11 of that paper and, unlike
        eq. 11, never lower the objective. tau is ``weight_relevance``, in frames for the whole mixture; None: K times
        ``relevance``.

        ``mean_relevance`` (kappa) replaces ``relevance`` for the means, ``variance_relevance`` (nu) for the variances.
        If the two differ, the variances are still those of the mode of the posterior, which are positive; variances by
        eq. 13 with two different coefficients may be negative.

        Raises:
            FitError: A relevance that is negative or not finite.

        >>> ubm = DiagGMM([1.0], [[0.0]], [[1.0]])
        >>> prior = ConjugatePrior.around(ubm, 16, mean_relevance=2, variance_relevance=8)
        >>> prior.mean_counts, prior.variance_counts
        (array([2.]), array([8.]))
        """
        tau = model.n_components * relevance if weight_relevance is None else weight_relevance
        kappa = relevance if mean_relevance is None else mean_relevance
        nu = relevance if variance_relevance is None else variance_relevance
        for value in (relevance, tau, kappa, nu):
            if not (np.isfinite(value) and value >= 0):
                raise FitError(f"relevance {value:g}; expected a number of frames, 0 or more")
        one = np.ones(model.n_components)
        return cls(tau * model.weights, kappa * one, nu * one, model.means, nu * model.variances)

    def __add__(self, stats: GMMStats) -> Self:
        """The posterior after these statistics: a prior of the same form.

        Raises:
            ShapeError: The statistics are of a mixture of another size.
        """
        if stats.sums.shape != self.means.shape:
            raise ShapeError(
                f"statistics of shape {stats.sums.shape} for a prior of shape {self.means.shape}; expected those of a "
                "mixture of the prior's size"
            )
        n, kappa = stats.counts[:, None], self.mean_counts[:, None]
        mean_counts = self.mean_counts + stats.counts
        # The frames' own mean, as a step away from the reference, and their scatter about it: no raw coordinates.
        own = np.divide(stats.sums, n, out=np.zeros_like(stats.sums), where=n > 0)
        scatter = stats.squares - own * stats.sums
        if not self.mean_counts.any():  # maximum likelihood
            means = np.where(n > 0, stats.reference + own, self.means)
            return type(self)(
                self.weight_counts + stats.counts,
                mean_counts,
                self.variance_counts + stats.counts,
                means,
                self.scatter + scatter,
            )
        # means' = (kappa means + n own) / kappa', written as a step away from the prior's means: exact where it
        # is strong, and defined where neither prior nor frames say anything (kappa' = 0: the means stay).
        away = (stats.reference - self.means) + own
        share = np.divide(n, mean_counts[:, None], out=np.zeros_like(n), where=mean_counts[:, None] > 0)
        return replace(
            self,
            weight_counts=self.weight_counts + stats.counts,
            mean_counts=mean_counts,
            variance_counts=self.variance_counts + stats.counts,
            means=np.where(kappa > 0, self.means + share * away, np.where(n > 0, stats.reference + own, self.means)),
            scatter=self.scatter + scatter + kappa * share * away**2,
        )

    def dead(self, min_count: float = MIN_COUNT) -> tuple[int, ...]:
        """Components that fewer than ``min_count`` frames (of data and prior together) speak for."""
        return dead_components(self.mean_counts, min_count)

    def mode(
        self,
        previous: DiagGMM,
        *,
        floor: ArrayLike = 0.0,
        min_count: float = MIN_COUNT,
        update: Collection[Parameter] = PARAMETERS,
    ) -> DiagGMM:
        """The most probable mixture, subject to variances of at least ``floor`` ((D,) or a number).

        Parameters that are not in ``update`` are taken from ``previous``; the others are at their mode given them. A
        dead component keeps its mean and variance in ``previous``; its weight follows its count, like any other.

        Raises:
            FitError: No frames at all; or a component has shrunk to a point and no floor holds it.
        """
        weights, means, variances = previous.weights, previous.means, previous.variances
        alive = (self.mean_counts >= min_count)[:, None]
        if "weights" in update:
            total = self.weight_counts.sum()
            if not total > 0:
                raise FitError("no frames: neither the data nor the prior says anything about the mixture")
            weights = self.weight_counts / total
        if "means" in update:
            means = np.where(alive, self.means, means)
        if "variances" in update:
            scatter = self.scatter + self.mean_counts[:, None] * (means - self.means) ** 2
            counted = (self.variance_counts >= min_count)[:, None] & alive
            estimate = np.divide(scatter, self.variance_counts[:, None], out=variances.copy(), where=counted)
            variances = np.maximum(self._constrained(estimate), floor)
            centre = weights @ means
            collapsed = variances <= np.maximum(RESOLUTION * (means - centre) ** 2, (RESOLUTION * means) ** 2)
            if collapsed.any():
                k, d = np.argwhere(collapsed)[0]
                least = np.broadcast_to(np.asarray(floor), variances.shape)[k, d]
                advice = "set a variance floor"
                if least > 0:
                    advice = (
                        f"the floor of {least:.3g} is too low to hold it at this distance from the mixture's mean: "
                        "give a higher absolute floor (floor=)"
                    )
                raise FitError(
                    f"component {k} has shrunk to a point in dimension {d} (variance {variances[k, d]:g} at "
                    f"mean {means[k, d]:g}); {advice}, use fewer components, or drop a constant dimension"
                )
        return DiagGMM(weights, means, variances)

    def _constrained(self, variances: Floats) -> Floats:
        """The most probable variances (K, D) of the family, from those of each dimension by itself."""
        return variances

    def log_density(self, model: DiagGMM) -> float:
        """Log density of ``model`` under this prior in nats, up to a constant; 0 for the flat prior."""
        if not any(counts.any() for counts in (self.weight_counts, self.mean_counts, self.variance_counts)):
            return float(-0.5 * (self.scatter / model.variances).sum())
        # A weight of zero that the prior says nothing about is no evidence either way: 0 log 0 = 0.
        counted = self.weight_counts > 0
        with np.errstate(divide="ignore"):
            weights = self.weight_counts[counted] @ np.log(model.weights[counted])
        about = self.scatter + self.mean_counts[:, None] * (model.means - self.means) ** 2
        gammas = self.variance_counts[:, None] * np.log(model.variances) + about / model.variances
        return float(weights - 0.5 * gammas.sum())


class SphericalPrior(ConjugatePrior):
    """The same prior where a component has one variance for all dimensions: it is the mean of theirs.

    >>> posterior = SphericalPrior.flat(1, 2) + GMMStats(np.ones(1), np.zeros((1, 2)), np.array([[1.0, 3.0]]), 0.0, 1.0)
    >>> posterior.mode(DiagGMM([1.0], [[0.0, 0.0]], [[1.0, 1.0]])).variances
    array([[2., 2.]])
    """

    __slots__ = ()

    def _constrained(self, variances: Floats) -> Floats:
        return np.tile(variances.mean(axis=1, keepdims=True), variances.shape[1])
