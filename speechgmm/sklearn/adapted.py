"""``MAPAdaptedGMM``: a background model that is adapted to rows."""

import warnings
from dataclasses import KW_ONLY, dataclass
from numbers import Integral, Real
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator
from sklearn.exceptions import ConvergenceWarning

from speechgmm.gmm.adaptation import adapt_map
from speechgmm.gmm.concurrency import ALL_CORES
from speechgmm.gmm.density import log_likelihoods
from speechgmm.gmm.model import DiagGMM
from speechgmm.gmm.options import PrecisionChoice
from speechgmm.gmm.prior import PARAMETERS, Parameter
from speechgmm.sklearn.base import Mixture, as_value_errors, check_number, checked_weights, precision_of
from speechgmm.sklearn.mixture import GaussianMixture

Floats = NDArray[np.float64]


@dataclass(eq=False, repr=False)
class MAPAdaptedGMM(Mixture):
    """A mixture that is adapted from a background model by MAP (Reynolds, Quatieri & Dunn 2000).

    Parameters
    ----------
    background : DiagGMM, fitted mixture or int
        The background model. If a number K is given, ``fit`` first trains a ``GaussianMixture`` with K components on
        its rows; inside a ``GMMClassifier`` that mixture is trained once, on the rows of all classes together.
        scikit-learn's ``clone`` discards what an estimator has learnt, so for cross-validation pass ``mixture.model_``
        or ``FrozenEstimator(mixture)``.
    relevance : float, default 16
        Relevance factor: how many rows the background model counts for in each component; 0 gives maximum likelihood.
    parameters : tuple of {"weights", "means", "variances"}, default ("means",)
        The parameters that are adapted; the others keep the background model's values.
    mean_relevance, variance_relevance : float, optional
        Replaces ``relevance`` for the means or the variances, in rows per component.
    weight_relevance : float, optional
        Replaces ``relevance`` for the weights, in rows for the whole mixture; default: K times ``relevance``.
    max_iter : int, default 1
        1 is the single pass of the paper; with more, EM goes on towards the mode of the posterior.
    tol : float, default 1e-4
        With ``max_iter`` above 1: EM stops when an iteration raises the objective by less, in nats per row.
    reg_covar : float, default 1e-6
        Least variance, in squared units of the columns.
    random_state : int, RandomState or None
        Seed for training the background model; used only if ``background`` is a number.
    precision, n_jobs
        As in ``GaussianMixture``.

    Attributes
    ----------
    weights_, means_, covariances_, precisions_, precisions_cholesky_, model_
        The adapted mixture, as in ``GaussianMixture``.
    background_ : DiagGMM
        The background model.
    lower_bound_ : float
        Log-likelihood plus log prior density of the mixture, up to a constant, in nats per row.
    converged_, n_iter_, n_features_in_, feature_names_in_
        As in ``GaussianMixture``.

    See Also
    --------
    speechgmm.adapt_map : The same without scikit-learn.

    Examples
    --------
    >>> background = DiagGMM([1.0], [[0.0]], [[1.0]])
    >>> MAPAdaptedGMM(background, relevance=16).fit(np.full((16, 1), 2.0)).means_.round(6)
    array([[1.]])
    """

    background: DiagGMM | Mixture | int | None = None
    _: KW_ONLY
    relevance: float = 16.0
    parameters: tuple[Parameter, ...] = ("means",)
    weight_relevance: float | None = None
    mean_relevance: float | None = None
    variance_relevance: float | None = None
    max_iter: int = 1
    tol: float = 1e-4
    reg_covar: float = 1e-6
    random_state: Any = None
    precision: PrecisionChoice = "auto"
    n_jobs: int = ALL_CORES

    _least_rows: ClassVar[int] = 1

    def fit(self, X: ArrayLike, y: object = None, sample_weight: ArrayLike | None = None) -> Self:
        """Adapt the background model to rows.

        Parameters
        ----------
        X : array_like (N, D)
            Rows of finite numbers; one row is enough.
        y : None
            Ignored.
        sample_weight : array_like (N,), optional
            How many rows each one counts as; default 1.

        Returns
        -------
        MAPAdaptedGMM
            Itself.

        Raises
        ------
        ValueError
            No background model, or one with another number of columns; rows or parameters that cannot be used.
        TypeError
            A sparse matrix.

        Warns
        -----
        ConvergenceWarning
            ``max_iter`` is above 1, and EM did not converge within ``max_iter`` iterations.
        """
        self._check_parameters()
        rows = self._validated(X, reset=True)
        weights = checked_weights(sample_weight, len(rows))
        background = self.background_model(rows, weights)
        with as_value_errors():
            fit = adapt_map(
                background,
                rows,
                self.relevance,
                parameters=tuple(self.parameters),
                weights=weights,
                weight_relevance=self.weight_relevance,
                mean_relevance=self.mean_relevance,
                variance_relevance=self.variance_relevance,
                max_iter=self.max_iter,
                tol=self.tol,
                floor=self.reg_covar,
                precision=precision_of(self.precision, rows),
                n_jobs=self.n_jobs,
            )
        self.background_ = background
        self._set_model(fit.model)
        self.converged_, self.n_iter_, self.lower_bound_ = fit.converged, len(fit.trace) - 1, fit.trace[-1]
        if not fit.converged and self.max_iter > 1:
            warnings.warn(
                f"adaptation did not converge in {self.n_iter_} iterations; raise max_iter or tol",
                ConvergenceWarning,
                stacklevel=2,
            )
        return self

    def background_model(self, rows: ArrayLike, sample_weight: ArrayLike | None = None) -> DiagGMM:
        """The background model that ``background`` stands for; a number of components is trained on rows (N, D).

        Raises:
            ValueError: ``background`` is neither a number nor a mixture, or is a mixture that is not fitted.
        """
        given = self.background
        if isinstance(given, DiagGMM):
            return given
        if isinstance(given, Integral) and not isinstance(given, bool):
            trained = GaussianMixture(
                int(given), random_state=self.random_state, precision=self.precision, n_jobs=self.n_jobs
            )
            background: DiagGMM = trained.fit(rows, sample_weight=sample_weight).model_
            return background
        model = getattr(given, "model_", None)  # through a FrozenEstimator too
        if isinstance(model, DiagGMM):
            return model
        if isinstance(given, BaseEstimator):
            raise ValueError(
                f"background is {given!r}, which is no fitted mixture of speechgmm.sklearn with diagonal "
                "covariances; expected one. "
                "Cross-validation clones estimators, and a clone is not fitted: give mixture.model_ or "
                "FrozenEstimator(mixture), and of a mixture of scikit-learn from_sklearn(mixture).model_"
            )
        raise ValueError(
            f"background is {given!r}; expected a DiagGMM, a fitted mixture of speechgmm.sklearn, or the number of "
            "components of a background model to train"
        )

    def log_likelihood_ratios(self, X: ArrayLike) -> Floats:
        """Log density (N,) of rows (N, D) under the adapted mixture minus that under the background model, nats.

        The mean over the rows of a recording is its verification score (Reynolds et al. 2000, eq. 5).
        """
        rows = self._validated(X)
        with as_value_errors():
            return self._log_likelihoods(rows) - log_likelihoods(self.background_, rows)

    def _check_parameters(self) -> None:
        check_number("max_iter", self.max_iter, Integral, 0)
        for name in ("tol", "reg_covar", "relevance"):
            check_number(name, getattr(self, name), Real, 0)
        for name in ("weight_relevance", "mean_relevance", "variance_relevance"):
            if getattr(self, name) is not None:
                check_number(name, getattr(self, name), Real, 0)
        given: object = self.parameters
        if not isinstance(given, (tuple, list)) or not given or not set(given) <= set(PARAMETERS):
            raise ValueError(f"parameters is {given!r}; expected some of {', '.join(PARAMETERS)}, as a tuple")
