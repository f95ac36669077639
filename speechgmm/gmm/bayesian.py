"""A distribution over mixtures: what is believed of one before frames are seen, and what is known of it after.

Owns what variational Bayes needs of ``ConjugatePrior``: expected logarithms, divergences, the plug-in mixture. The rule
is that of maximum likelihood and MAP: posterior = prior + statistics. Refuses improper priors, under which there is no
evidence to bound, and to know where statistics come from.
"""

from dataclasses import dataclass, replace
from typing import Final, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from speechgmm.errors import ConfigError, FitError, ShapeError
from speechgmm.gmm.model import DiagGMM, LogLinear
from speechgmm.gmm.prior import ConjugatePrior
from speechgmm.gmm.stats import GMMStats

Floats = NDArray[np.float64]
WeightPrior = Literal["dirichlet", "dirichlet_process"]

CONCENTRATION_OF_PROCESS: Final = 1.0
MEAN_FRAMES: Final = 1.0
VARIANCE_FRAMES: Final = 20.0
VARIANCE_SHARE: Final = 0.5
"""Defaults of the prior, see ``BayesianGMM.around``."""

IN_USE: Final = 1.0
"""Frames. A component that explains fewer is not in use."""


@dataclass(frozen=True, slots=True, eq=False)
class BayesianGMM:
    """A distribution over mixtures: a prior, or a posterior from variational Bayes.

    The weights have a Dirichlet distribution or a stick-breaking process; each component and dimension has a
    normal-gamma distribution. In the symbols of Bishop (2006, 10.2), with a gamma per dimension instead of the Wishart,
    ``conjugate`` is a density of means and precisions::

        weights     Dirichlet, alpha = weight_counts + 1; with ``process``, w_k = v_k prod_j<k (1 - v_j) and
                    v_k ~ Beta(1 + c_k, process + sum_j>k c_j), c = weight_counts (Blei & Jordan 2006, eqs. 18-19)
        precisions  Gamma(a, b), a = (variance_counts + 1) / 2, b = scatter / 2
        means       normal about ``means`` with mean_counts times the precision

    All K sticks of a process are free, as in scikit-learn. The components after the K-th are unused and stay as under
    the prior (Kurihara, Welling & Vlassis 2006). The bound is therefore one of the infinite mixture, and bounds for
    different K are comparable.

    >>> prior = BayesianGMM.around([0.0], [4.0], 3)
    >>> prior.n_components, prior.n_in_use, prior.mixture().variances.round(9).ravel()
    (3, 0, array([2., 2., 2.]))

    Raises
    ------
    ShapeError
        Arrays that do not fit together or are not finite.
    FitError
        An improper distribution: a count or a scatter that is 0.
    """

    conjugate: ConjugatePrior
    process: float | None  # concentration of the Dirichlet process; None: the weights are Dirichlet
    counts: Floats  # (K,) frames seen so far, by component; 0 in a prior

    def __repr__(self) -> str:
        return f"BayesianGMM(n_components={self.n_components}, n_features={self.conjugate.means.shape[1]})"

    def __post_init__(self) -> None:
        known, shape = self.conjugate, self.conjugate.means.shape
        rows = (known.weight_counts, known.mean_counts, known.variance_counts, self.counts)
        if len(shape) != 2 or known.scatter.shape != shape or any(row.shape != shape[:1] for row in rows):
            raise ShapeError(
                f"means {shape}, scatter {known.scatter.shape} and counts {', '.join(str(row.shape) for row in rows)} "
                "are no distribution over mixtures; expected (K, D), (K, D) and (K,) each"
            )
        if not all(np.isfinite(value).all() for value in (*rows, known.means, known.scatter)):
            raise ShapeError(
                "a distribution over mixtures with a parameter that is NaN or infinite; expected finite ones"
            )
        improper = {
            "mean_counts": bool((known.mean_counts <= 0).any()),
            "variance_counts + 1": bool((known.variance_counts <= -1).any()),
            "scatter": bool((known.scatter <= 0).any()),
            "weight_counts + 1": bool((known.weight_counts <= -1).any()),
            "process": self.process is not None and not (np.isfinite(self.process) and self.process > 0),
        }
        for name, wrong in improper.items():
            if wrong:
                raise FitError(
                    f"an improper prior: {name} is not above 0 everywhere, and a flat prior has no evidence to "
                    f"bound; give "
                    "it little weight instead of none, or fit by maximum likelihood (fit_gmm)"
                )

    @classmethod
    def around(
        cls,
        mean: ArrayLike,
        variance: ArrayLike,
        n_components: int,
        *,
        weight_prior: WeightPrior = "dirichlet",
        concentration: float | None = None,
        mean_frames: float = MEAN_FRAMES,
        variance_frames: float = VARIANCE_FRAMES,
        variance_share: float = VARIANCE_SHARE,
    ) -> "BayesianGMM":
        """Make a prior that is the same for all components, from the mean (D,) and variance (D,) of frames.

        The prior of a component's mean is centred on ``mean`` and counts for ``mean_frames`` frames. The prior of its
        variance is centred on ``variance_share`` times ``variance`` and counts for ``variance_frames`` frames (2a, the
        degrees of freedom). ``concentration`` is the Dirichlet's alpha of each component (None: 1 / K), or that of the
        whole process (None: 1). The smaller it is, the fewer components are used.

        Raises
        ------
        ConfigError
            A strength that is not above 0, no components, or an unknown kind of prior.
        ShapeError
            A mean and a variance that are not (D,) each.
        FitError
            A variance of 0, of which no share is a variance.
        """
        if weight_prior not in ("dirichlet", "dirichlet_process"):
            raise ConfigError(f"weight prior {weight_prior!r}; expected dirichlet or dirichlet_process")
        if n_components < 1:
            raise ConfigError(f"{n_components} components; expected at least 1")
        is_process = weight_prior == "dirichlet_process"
        if concentration is None:
            concentration = CONCENTRATION_OF_PROCESS if is_process else 1 / n_components
        strengths = {
            "concentration": concentration,
            "mean_frames": mean_frames,
            "variance_frames": variance_frames,
            "variance_share": variance_share,
        }
        for name, value in strengths.items():
            if not (np.isfinite(value) and value > 0):
                raise ConfigError(f"{name} {value:g}; expected a number above 0: a prior must say something")
        centre, spread = np.asarray(mean, np.float64), np.asarray(variance, np.float64)
        if centre.ndim != 1 or centre.shape != spread.shape:
            raise ShapeError(f"mean {centre.shape} and variance {spread.shape}; expected (D,) each")
        if not (spread > 0).all():
            d = int(np.flatnonzero(~(spread > 0))[0])
            raise FitError(
                f"dimension {d} has variance {spread[d]:g}, so that no prior can be made of it: it is the same in "
                "every frame; drop the dimension, give more varied frames, or give a prior"
            )
        one = np.ones(n_components)
        return cls(
            ConjugatePrior(
                (0.0 if is_process else concentration - 1) * one,
                mean_frames * one,
                (variance_frames - 1) * one,
                np.tile(centre, (n_components, 1)),
                np.tile(variance_frames * variance_share * spread, (n_components, 1)),
            ),
            concentration if is_process else None,
            0 * one,
        )

    def __add__(self, stats: GMMStats) -> "BayesianGMM":
        """The posterior after these statistics. Raises ShapeError where they are of a mixture of another size."""
        return replace(self, conjugate=self.conjugate + stats, counts=self.counts + stats.counts)

    @property
    def n_components(self) -> int:
        """K."""
        return len(self.counts)

    @property
    def n_features(self) -> int:
        """D."""
        return int(self.conjugate.means.shape[1])

    @property
    def n_in_use(self) -> int:
        """Components that have explained at least ``IN_USE`` frames."""
        return int((self.counts >= IN_USE).sum())

    @property
    def exchangeable(self) -> bool:
        """Whether all components have the same distribution, as in a prior that was not learnt."""
        known = self.conjugate
        rows = (known.weight_counts, known.mean_counts, known.variance_counts, known.means, known.scatter)
        return all(bool((row == row[0]).all()) for row in rows)

    def gammas(self) -> tuple[Floats, Floats]:
        """Shape a (K,) and rate b (K, D) of the precisions."""
        return (self.conjugate.variance_counts + 1) / 2, self.conjugate.scatter / 2

    def sticks(self) -> Floats:
        """(K, 2) parameters of the Beta of every stick of a process.

        >>> prior = BayesianGMM.around([0.0], [1.0], 2, weight_prior="dirichlet_process")
        >>> (prior + GMMStats(np.array([5.0, 3.0]), np.zeros((2, 1)), np.ones((2, 1)), 0.0, 8.0)).sticks()
        array([[6., 4.],
               [4., 1.]])
        """
        counts = self.conjugate.weight_counts
        after = np.append(np.cumsum(counts[::-1])[::-1][1:], 0.0)
        return np.column_stack([1 + counts, (self.process or 0.0) + after])

    def weights(self) -> Floats:
        """(K,) expected weights, scaled to sum to one; for a process, those of the first K components."""
        if self.process is None:
            shares = self.conjugate.weight_counts + 1
        else:
            taken, left = self.sticks().T / self.sticks().sum(axis=1)
            shares = taken * np.append(1.0, np.cumprod(left[:-1]))
        weights: Floats = shares / shares.sum()
        return weights

    def mixture(self) -> DiagGMM:
        """The plug-in mixture: expected weights and means, and one over the expected precisions."""
        a, b = self.gammas()
        return DiagGMM(self.weights(), self.conjugate.means, b / a[:, None])

    def log_linear(self) -> LogLinear:
        """Expected log p(k, x), the model of the variational E-step (Bishop 2006, 10.46).

        Its exponential is not a density: it integrates to less than one.
        """
        from scipy.special import digamma

        a, b = self.gammas()
        if self.process is None:
            alpha = self.conjugate.weight_counts + 1
            log_weights = digamma(alpha) - digamma(alpha.sum())
        else:
            sticks = self.sticks()
            taken, left = (digamma(sticks) - digamma(sticks.sum(axis=1, keepdims=True))).T
            log_weights = taken + np.append(0.0, np.cumsum(left[:-1]))
        precisions, reference = a[:, None] / b, self.weights() @ self.conjugate.means
        offsets = self.conjugate.means - reference
        linear = precisions * offsets
        each = digamma(a)[:, None] - np.log(b) - np.log(2 * np.pi) - linear * offsets
        const = log_weights + 0.5 * each.sum(axis=1) - 0.5 * self.n_features / self.conjugate.mean_counts
        return LogLinear(const, linear, -0.5 * precisions, reference)

    def divergence(self, prior: "BayesianGMM") -> float:
        """Kullback-Leibler divergence from ``prior`` in nats, with every constant: 0 or more.

        >>> prior = BayesianGMM.around([0.0], [1.0], 2)
        >>> prior.divergence(prior)
        0.0

        Raises
        ------
        ShapeError
            Priors of different K or D; a prior with Dirichlet weights and one with a process.
        """
        if prior.conjugate.means.shape != self.conjugate.means.shape or (prior.process is None) != (
            self.process is None
        ):
            raise ShapeError(
                f"distributions over mixtures of {self.conjugate.means.shape} and {prior.conjugate.means.shape}, with "
                f"process {self.process} and {prior.process}; expected the same size and kind"
            )
        from scipy.special import digamma, gammaln

        if self.process is None:
            of_weights = _dirichlets(self.conjugate.weight_counts[None] + 1, prior.conjugate.weight_counts[None] + 1)
        else:
            of_weights = _dirichlets(self.sticks(), prior.sticks())
        (a, b), (a0, b0) = self.gammas(), prior.gammas()
        kappa, kappa0 = self.conjugate.mean_counts, prior.conjugate.mean_counts
        by_component = (
            (a - a0) * digamma(a) - gammaln(a) + gammaln(a0) + 0.5 * (np.log(kappa / kappa0) + kappa0 / kappa - 1)
        )
        precisions = a[:, None] / b
        moved = (self.conjugate.means - prior.conjugate.means) ** 2 * precisions
        each = a0[:, None] * np.log(b / b0) + (b0 - b) * precisions + 0.5 * kappa0[:, None] * moved
        return float(of_weights + self.n_features * by_component.sum() + each.sum())


def _dirichlets(alpha: Floats, alpha0: Floats) -> float:
    """Sum of the divergences of N Dirichlets (N, K) from N others."""
    from scipy.special import digamma, gammaln

    total, total0 = alpha.sum(axis=1), alpha0.sum(axis=1)
    normalisers = gammaln(total) - gammaln(total0) + (gammaln(alpha0) - gammaln(alpha)).sum(axis=1)
    moved = ((alpha - alpha0) * (digamma(alpha) - digamma(total)[:, None])).sum(axis=1)
    return float((normalisers + moved).sum())
