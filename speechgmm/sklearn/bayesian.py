"""``BayesianGaussianMixture``: the package's variational Bayes behind the face of scikit-learn's estimator."""

import warnings
from dataclasses import KW_ONLY, dataclass
from numbers import Integral, Real
from typing import Any, Final, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import check_array

from speechgmm.gmm.bayesian import BayesianGMM, WeightPrior
from speechgmm.gmm.concurrency import ALL_CORES
from speechgmm.gmm.frames import FrameSource, as_source, moments
from speechgmm.gmm.model import LogLinear
from speechgmm.gmm.options import PrecisionChoice
from speechgmm.gmm.predictive import PredictiveStack
from speechgmm.gmm.variational import START_FLOOR, VariationalFit, fit_variational
from speechgmm.sklearn.base import (
    Mixture,
    as_value_errors,
    check_above_zero,
    check_choice,
    check_covariance_type,
    check_enough,
    check_number,
    check_same_shape,
    checked_weights,
    generator_of,
)
from speechgmm.sklearn.starts import INIT_PARAMS, NOTHING_GIVEN, start_of

Floats = NDArray[np.float64]

WEIGHT_PRIORS: Final[dict[str, WeightPrior]] = {
    "dirichlet_process": "dirichlet_process",
    "dirichlet_distribution": "dirichlet",
}
"""``weight_concentration_prior_type`` -> the package's name."""


@dataclass(eq=False, repr=False)
class BayesianGaussianMixture(Mixture):
    """A posterior over mixtures with diagonal covariances, fitted by variational Bayes (Bishop 2006, 10.2).

    Parameters
    ----------
    n_components : int, default 1
        The largest number of components; components that the rows do not need end without rows.
    covariance_type : {"diag"}
        Form of the covariances; only diagonal ones are available.
    tol : float, default 1e-5
        The fit ends when an iteration gains less than this, in nats per row. scikit-learn's ``tol`` is in nats for all
        rows together.
    max_iter, n_init, init_params, random_state, warm_start
        As in ``GaussianMixture``. Of several starts, the one with the highest bound is kept.
    weight_concentration_prior_type : {"dirichlet_process", "dirichlet_distribution"}
        The prior of the weights.
    weight_concentration_prior : float, optional
        Concentration of the Dirichlet distribution for each component, or of the Dirichlet process as a whole; default:
        1 / ``n_components``. The smaller it is, the fewer components are used.
    mean_precision_prior : float, default 1
        How many rows ``mean_prior`` counts for.
    mean_prior : array_like (D,), optional
        Expected mean of a component; default: the mean of the rows.
    degrees_of_freedom_prior : float, optional
        How many rows ``covariance_prior`` counts for; default: D.
    covariance_prior : array_like (D,), optional
        ``degrees_of_freedom_prior`` times the expected variance of a component, in squared units of the columns;
        default: the variance of the rows.
    precision, n_jobs
        As in ``fit_variational``; "auto" is float64.

    Attributes
    ----------
    weights_, means_, covariances_, precisions_, precisions_cholesky_ : ndarray (K,) and (K, D)
        The plug-in mixture: expected weights and means, one over the expected precisions.
    posterior_ : BayesianGMM
        The posterior, for the functions of the package. It can be the prior of the next fit.
    prior_ : BayesianGMM
        The prior of the fit.
    mean_precision_, degrees_of_freedom_ : ndarray (K,)
        How many rows, prior and data together, each mean and each variance rests on.
    weight_concentration_ : ndarray (K,), or two of them for a process
        Parameters of the Dirichlet posterior of the weights; for a process, both parameters of the Beta of each stick.
    n_in_use_ : int
        Components that explain at least one row.
    converged_, n_iter_, n_features_in_, feature_names_in_, model_
        As in ``GaussianMixture``.
    lower_bound_, lower_bounds_
        Lower bound of the log evidence in nats per row, with every constant: of the fit, and after each iteration.

    See Also
    --------
    speechgmm.fit_variational : The same without scikit-learn.

    Notes
    -----
    ``predict`` and ``predict_proba`` use the posteriors of the fit. ``score_samples`` gives the log of the predictive
    density, a mixture of Student-t distributions that integrates to one; that of scikit-learn does not. In one
    dimension the parameters are those of scikit-learn. In more dimensions a component has D gammas, where scikit-learn
    has the terms of a Wishart. There is no ``reg_covar``: the prior keeps variances above 0.

    Examples
    --------
    >>> X = np.random.default_rng(0).normal(size=(300, 2)) + np.repeat([[0], [9], [20]], 100, axis=0)
    >>> mixture = BayesianGaussianMixture(10, random_state=0, max_iter=500).fit(X)
    >>> mixture.n_in_use_
    3
    """

    n_components: int = 1
    _: KW_ONLY
    covariance_type: str = "diag"
    tol: float = 1e-5
    max_iter: int = 100
    n_init: int = 1
    init_params: str = "kmeans"
    weight_concentration_prior_type: str = "dirichlet_process"
    weight_concentration_prior: float | None = None
    mean_precision_prior: float | None = None
    mean_prior: ArrayLike | None = None
    degrees_of_freedom_prior: float | None = None
    covariance_prior: ArrayLike | None = None
    random_state: Any = None
    warm_start: bool = False
    precision: PrecisionChoice = "auto"
    n_jobs: int = ALL_CORES

    def fit(self, X: ArrayLike, y: object = None, sample_weight: ArrayLike | None = None) -> Self:
        """Fit the posterior to rows.

        Parameters
        ----------
        X : array_like (N, D)
            Rows of finite numbers, N at least 2.
        y : None
            Ignored.
        sample_weight : array_like (N,), optional
            How many rows each one counts as; default 1.

        Returns
        -------
        BayesianGaussianMixture
            Itself.

        Raises
        ------
        ValueError
            Rows or parameters that cannot be used; a column that is the same in every row and has no
            ``covariance_prior``.
        TypeError
            A sparse matrix.

        Warns
        -----
        ConvergenceWarning
            The fit did not converge within ``max_iter`` iterations.
        """
        self._check_parameters()
        before = self.posterior_ if self.warm_start and "posterior_" in vars(self) else None
        rows = self._validated(X, reset=True)
        check_enough(len(rows), self.n_components)
        if before is not None:
            check_same_shape(self.model_, self.n_components, rows.shape[1], "warm_start")
        best: VariationalFit | None = None
        with as_value_errors():
            source = as_source(rows, checked_weights(sample_weight, len(rows)))
            mean, variance = moments(source)
            prior, rng = self._prior(mean, variance), generator_of(self.random_state)
            for _ in range(self.n_init if before is None else 1):
                fit = self._fit_from(before, source, prior, rng, START_FLOOR * variance)
                if best is None or fit.bound > best.bound:
                    best = fit
        assert best is not None  # n_init is 1 or more
        self._keep(best, prior)
        return self

    def _fit_from(
        self,
        start: BayesianGMM | None,
        source: FrameSource,
        prior: BayesianGMM,
        rng: np.random.Generator,
        floor: Floats,
    ) -> VariationalFit:
        begin: Any = start or start_of(source, self.n_components, self.init_params, NOTHING_GIVEN, rng, floor)
        return fit_variational(
            source,
            prior=prior,
            start=begin,
            max_iter=self.max_iter,
            tol=self.tol,
            precision=self.precision,
            n_jobs=self.n_jobs,
        )

    def fit_predict(self, X: ArrayLike, y: object = None, sample_weight: ArrayLike | None = None) -> NDArray[np.intp]:
        """Fit the posterior to rows (N, D), as ``fit``, and return the component (N,) of each."""
        return self.fit(X, sample_weight=sample_weight).predict(X)

    def _prior(self, mean: Floats, variance: Floats) -> BayesianGMM:
        n_features = len(mean)
        frames = float(n_features if self.degrees_of_freedom_prior is None else self.degrees_of_freedom_prior)
        weight = self.weight_concentration_prior
        return BayesianGMM.around(
            mean if self.mean_prior is None else _vector("mean_prior", self.mean_prior, n_features),
            variance
            if self.covariance_prior is None
            else _vector("covariance_prior", self.covariance_prior, n_features),
            self.n_components,
            weight_prior=WEIGHT_PRIORS[self.weight_concentration_prior_type],
            concentration=1 / self.n_components if weight is None else weight,
            mean_frames=1.0 if self.mean_precision_prior is None else self.mean_precision_prior,
            variance_frames=frames,
            variance_share=1 / frames,
        )

    def _keep(self, fit: VariationalFit, prior: BayesianGMM) -> None:
        self.posterior_, known = fit.posterior, fit.posterior.conjugate
        self._set_model(fit.model)
        self.mean_precision_, self.degrees_of_freedom_ = known.mean_counts, known.variance_counts + 1
        is_process = self.posterior_.process is not None
        self.weight_concentration_ = tuple(self.posterior_.sticks().T) if is_process else known.weight_counts + 1
        self.n_in_use_, self.prior_ = fit.n_in_use, prior
        self.converged_, self.n_iter_ = fit.converged, len(fit.trace) - 1
        self.lower_bound_, self.lower_bounds_ = fit.trace[-1], list(fit.trace[1:])
        if not fit.converged and self.max_iter > 0:
            warnings.warn(
                f"variational Bayes did not converge in {self.n_iter_} iterations; raise max_iter or tol",
                ConvergenceWarning,
                stacklevel=3,
            )

    def _components(self) -> LogLinear:
        return self.posterior_.log_linear()

    def _log_likelihoods(self, rows: NDArray[Any]) -> Floats:
        found: Floats = PredictiveStack.of([self.posterior_]).log_likelihoods(rows)[0]
        return found

    def _check_parameters(self) -> None:
        check_covariance_type(self.covariance_type)
        for name, kind, least in (
            ("n_components", Integral, 1),
            ("n_init", Integral, 1),
            ("max_iter", Integral, 0),
            ("tol", Real, 0),
        ):
            check_number(name, getattr(self, name), kind, least)
        for name in ("weight_concentration_prior", "mean_precision_prior", "degrees_of_freedom_prior"):
            if getattr(self, name) is not None:
                check_above_zero(name, getattr(self, name))
        check_choice("init_params", self.init_params, INIT_PARAMS)
        check_choice("weight_concentration_prior_type", self.weight_concentration_prior_type, tuple(WEIGHT_PRIORS))


def _vector(name: str, value: ArrayLike, n_features: int) -> Floats:
    found: Floats = check_array(value, ensure_2d=False, dtype=np.float64, input_name=name)
    if found.shape != (n_features,):
        raise ValueError(f"{name} has shape {found.shape}; expected ({n_features},)")
    return found
