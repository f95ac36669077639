"""Statistics of frames under a mixture with full covariances, their conjugate prior, and its mode.

Owns the same idea as ``prior``: posterior = prior + statistics, with a matrix where that has a variance for each
dimension. Maximum likelihood is the flat prior, MAP a prior around a mixture; both read the mode.
"""

from collections.abc import Collection
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike

from speechgmm.errors import FitError, ShapeError
from speechgmm.gmm.covariance_matrices import cholesky_factors, is_positive, raised
from speechgmm.gmm.full_model import FullGMM, members
from speechgmm.gmm.model import Floats, reference_point
from speechgmm.gmm.prior import MIN_COUNT, PARAMETERS, RESOLUTION, Parameter, dead_components


@dataclass(frozen=True, slots=True, eq=False)
class FullStats:
    """Zeroth, first and second order statistics of frames under a mixture, and the frames' log-likelihood.

    They are those of ``GMMStats``, with the products of all pairs of dimensions instead of the squares. For tied
    covariances, the products are summed over the components. Statistics with different references can be added.

    >>> half = FullStats(np.ones(1), np.ones((1, 2)), np.ones((1, 2, 2)), -3.0, 1.0, np.zeros(2))
    >>> (half + half).log_likelihood
    -6.0
    """

    counts: Floats  # (K,), sum of posteriors times frame weights
    sums: Floats  # (K, D), of posterior times y = x - reference
    products: Floats  # (C, D, D), of posterior times y y'; C = K, or 1: of all components
    log_likelihood: float  # nats, total over frames
    n_frames: float  # sum of the frames' weights
    reference: Floats  # (D,)

    def about(self, reference: ArrayLike) -> "FullStats":
        """The same statistics about another reference, (D,) or a number. Raises ShapeError for another shape.

        >>> FullStats(np.ones(1), np.ones((1, 1)), np.ones((1, 1, 1)), -3.0, 1.0, np.zeros(1)).about(1.0).products
        array([[[0.]]])
        """
        point = reference_point(reference, self.sums.shape[-1])
        step = self.reference - point
        if not step.any():
            return self
        n = len(self.products)
        cross = step[:, None] * _summed(self.sums, n)[:, None, :]
        squares = step[:, None] * step * _summed(self.counts, n)[:, None, None]
        products = self.products + cross + cross.swapaxes(1, 2) + squares
        return replace(self, sums=self.sums + step * self.counts[:, None], products=products, reference=point)

    def __add__(self, other: "FullStats") -> "FullStats":
        """The statistics of both sets of frames together, about the reference of the larger set.

        Raises:
            ShapeError: They are of mixtures of different size.
        """
        if self.sums.shape != other.sums.shape or self.products.shape != other.products.shape:
            raise ShapeError(
                f"statistics of shape {self.products.shape} and {other.products.shape} do not add; expected those of "
                "mixtures of one size and form"
            )
        reference = self.reference if self.n_frames >= other.n_frames else other.reference
        one, two = self.about(reference), other.about(reference)
        return FullStats(
            one.counts + two.counts,
            one.sums + two.sums,
            one.products + two.products,
            self.log_likelihood + other.log_likelihood,
            self.n_frames + other.n_frames,
            reference,
        )


@dataclass(frozen=True, slots=True, eq=False)
class FullPrior:
    """Dirichlet over the weights times a normal-inverse-Wishart for each covariance, counted in pseudo-frames.

    Its log density is ``sum_k weight_counts log w - 1/2 sum_c [covariance_counts log det S + trace(S^-1 A)]``, with
    ``A = scatter + sum_k mean_counts (mu - m)(mu - m)'``, up to a constant, over the covariances S and the components
    k that have them. The mode is weights ~ weight_counts, mu = m, S = scatter / covariance_counts (Gauvain & Lee 1994;
    Bishop 2006, 10.2). A count of zero says nothing about its parameter.
    """

    weight_counts: Floats  # (K,)
    mean_counts: Floats  # (K,)
    covariance_counts: Floats  # (C,)
    means: Floats  # (K, D)
    scatter: Floats  # (C, D, D)

    @classmethod
    def flat(cls, model: FullGMM) -> "FullPrior":
        """The flat prior of a mixture of this size: the mode of its posterior is the maximum likelihood estimate.

        >>> FullPrior.flat(FullGMM([1.0], [[0.0]], [[[1.0]]])).mean_counts
        array([0.])
        """
        nothing, means = np.zeros(model.n_components), np.zeros(model.means.shape)
        covariances = np.zeros(model.covariances.shape)
        return cls(nothing, nothing, np.zeros(len(covariances)), means, covariances)

    @classmethod
    def around(cls, model: FullGMM, relevance: float) -> "FullPrior":
        """The prior whose mode is ``model`` and which counts for ``relevance`` frames in each component.

        Raises:
            FitError: A relevance that is negative or not finite.

        >>> FullPrior.around(FullGMM([1.0], [[0.0]], [[[2.0]]]), 16).scatter
        array([[[32.]]])
        """
        if not (np.isfinite(relevance) and relevance >= 0):
            raise FitError(f"relevance {relevance:g}; expected a number of frames, 0 or more")
        n = np.full(model.n_components, float(relevance))
        counts = _summed(n, len(model.covariances))
        scatter = counts[:, None, None] * model.covariances
        return cls(n.sum() * model.weights, n, counts, model.means, scatter)

    def __add__(self, stats: FullStats) -> "FullPrior":
        """The posterior after these statistics: a prior of the same form.

        Raises:
            ShapeError: The statistics are of a mixture of another size.
        """
        if stats.sums.shape != self.means.shape or stats.products.shape != self.scatter.shape:
            raise ShapeError(
                f"statistics of shape {stats.products.shape} for a prior of shape {self.scatter.shape}; expected those "
                "of a mixture of the prior's size and form"
            )
        n, kappa = stats.counts[:, None], self.mean_counts[:, None]
        mean_counts = kappa + n
        own = np.divide(stats.sums, n, out=np.zeros_like(stats.sums), where=n > 0)
        away = (stats.reference - self.means) + own
        share = np.divide(n, mean_counts, out=np.zeros_like(n), where=mean_counts > 0)
        means = np.where(kappa > 0, self.means + share * away, np.where(n > 0, stats.reference + own, self.means))
        size = len(self.scatter)
        return FullPrior(
            self.weight_counts + stats.counts,
            self.mean_counts + stats.counts,
            self.covariance_counts + _summed(stats.counts, size),
            means,
            self.scatter + stats.products - _squared(n, own, size) + _squared(kappa * share, away, size),
        )

    def dead(self, min_count: float = MIN_COUNT) -> tuple[int, ...]:
        """Components that fewer than ``min_count`` frames (of data and prior together) speak for."""
        return dead_components(self.mean_counts, min_count)

    def mode(
        self,
        previous: FullGMM,
        *,
        floor: ArrayLike = 0.0,
        min_count: float = MIN_COUNT,
        update: Collection[Parameter] = PARAMETERS,
    ) -> FullGMM:
        """The most probable mixture, subject to covariances of at least diag(``floor``), see ``raised``.

        Parameters that are not in ``update`` ("variances" are the covariances) are taken from ``previous``; the others
        are at their mode given them. A dead component keeps its mean and covariance in ``previous``; its weight follows
        its count.

        Raises:
            FitError: No frames at all; or a component has shrunk to a point, a line or a plane and no floor holds it.
            ConfigError: A floor that is 0 in some dimensions and not in others.
        """
        weights, means, covariances = previous.weights, previous.means, previous.covariances
        alive = self.mean_counts >= min_count
        if "weights" in update:
            total = self.weight_counts.sum()
            if not total > 0:
                raise FitError("no frames: neither the data nor the prior says anything about the mixture")
            weights = self.weight_counts / total
        if "means" in update:
            means = np.where(alive[:, None], self.means, means)
        if "variances" in update:
            counts = self.covariance_counts[:, None, None]
            counted = (counts >= min_count) & (_summed(alive.astype(float), len(counts)) > 0)[:, None, None]
            scatter = self._scatter_about(means)
            estimate = np.divide(scatter, counts, out=covariances.copy(), where=counted)
            covariances = raised(0.5 * (estimate + estimate.swapaxes(1, 2)), floor)
            _check_extent(covariances, means, weights @ means)
        return FullGMM(weights, means, covariances)

    def log_density(self, model: FullGMM) -> float:
        """Log density of ``model`` under this prior in nats, up to a constant; 0 for the flat prior."""
        if not any(counts.any() for counts in (self.weight_counts, self.mean_counts, self.covariance_counts)):
            return 0.0
        # A weight of zero that the prior says nothing about is no evidence either way: 0 log 0 = 0.
        counted = self.weight_counts > 0
        with np.errstate(divide="ignore"):
            weights = self.weight_counts[counted] @ np.log(model.weights[counted])
        lower = cholesky_factors(model.covariances)
        log_dets = 2 * np.log(np.diagonal(lower, axis1=1, axis2=2)).sum(axis=1)
        traces = np.trace(np.linalg.solve(model.covariances, self._scatter_about(model.means)), axis1=1, axis2=2)
        return float(weights - 0.5 * (self.covariance_counts @ log_dets + traces.sum()))

    def _scatter_about(self, means: Floats) -> Floats:
        """The scatter (C, D, D) about other means (K, D) than the posterior's own."""
        steps = means - self.means
        if not steps.any():
            return self.scatter
        return self.scatter + _squared(self.mean_counts[:, None], steps, len(self.scatter))


def _squared(counts: Floats, vectors: Floats, n_covariances: int) -> Floats:
    """The sums of counts (K, 1) times v v', v being vectors (K, D), over components that share a covariance: (C, D, D).

    It holds no (K, D, D) where one covariance is shared.
    """
    owns = [members(number, n_covariances, len(vectors)) for number in range(n_covariances)]
    return np.array([(counts[own] * vectors[own]).T @ vectors[own] for own in owns])


def _summed(values: Floats, n_covariances: int) -> Floats:
    """Values (K, ...) of components, summed over those that share a covariance: (C, ...)."""
    parts = [values[members(number, n_covariances, len(values))].sum(axis=0) for number in range(n_covariances)]
    return np.array(parts)


def _check_extent(covariances: Floats, means: Floats, centre: Floats) -> None:
    """Raise FitError for a covariance (C, D, D) that is singular, or too narrow to tell from rounding at its means."""
    variances = np.diagonal(covariances, axis1=1, axis2=2)
    least = np.maximum(RESOLUTION * (means - centre) ** 2, (RESOLUTION * means) ** 2)
    advice = "give it a floor (variance_floor=, floor=) or a higher one, or more frames, or take fewer components"
    for number, own in enumerate(variances):
        lowest = least[members(number, len(variances), len(means))].max(axis=0)
        if (own <= lowest).any():
            d = int((own - lowest).argmin())
            raise FitError(f"covariance {number} has shrunk to a point in dimension {d} ({own[d]:g}); {advice}")
        # Less what rounding may add to its eigenvalues, in units of its own variances.
        if not is_positive(covariances[number] - RESOLUTION * len(own) * np.diag(own)):
            raise FitError(
                f"covariance {number} is singular: its frames are too few for {len(own)} dimensions, or some "
                f"dimensions are sums of others; {advice}, diagonal covariances, or fewer dimensions"
            )
