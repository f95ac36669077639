"""``GaussianMixture``: the package's EM behind the face of scikit-learn's estimator of that name."""

import warnings
from dataclasses import KW_ONLY, dataclass, replace
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.exceptions import ConvergenceWarning

from speechgmm.errors import FitWarning
from speechgmm.gmm.concurrency import ALL_CORES, batch_mapper
from speechgmm.gmm.em import Fit
from speechgmm.gmm.families import FAMILIES, Covariance
from speechgmm.gmm.fit import fit_mixture
from speechgmm.gmm.frames import as_source
from speechgmm.gmm.full_model import AnyGMM
from speechgmm.gmm.options import EMOptions, PrecisionChoice
from speechgmm.sklearn.base import (
    as_value_errors,
    check_enough,
    check_same_shape,
    checked_weights,
    generator_of,
    is_narrow,
    precision_of,
    with_parameter,
)
from speechgmm.sklearn.covariances import check_type, type_of
from speechgmm.sklearn.incremental import IncrementalMixture
from speechgmm.sklearn.starts import start_of

Floats = NDArray[np.float64]


@dataclass(eq=False, repr=False)
class GaussianMixture(IncrementalMixture):
    """A mixture of Gaussians, fitted by EM; it replaces ``sklearn.mixture.GaussianMixture``.

    Parameters
    ----------
    n_components : int, default 1
        Components, K.
    covariance_type : {"diag", "full", "tied", "spherical"}
        A variance for each column (the default, where scikit-learn has "full"); a covariance for each component; one
        covariance for all components; or one variance for each component. "full" and "tied" are computed in float64.
    tol : float, default 1e-3
        EM ends when a plain EM step gains less than this, in nats per row, and no more than the step before.
    reg_covar : float, default 1e-6
        Least variance, in squared units of the columns; no eigenvalue of a covariance is below it. scikit-learn instead
        adds ``reg_covar`` to every variance.
    max_iter : int, default 100
        EM iterations at most; 0 leaves the start as it is.
    n_init : int, default 1
        Number of starts. A mixture is fitted from each start, and the one with the highest likelihood is kept.
    init_params : {"kmeans", "k-means++", "random", "random_from_data", "split"}
        How a start is made. "kmeans": the clusters of k-means on columns divided by their standard deviations, so that
        units do not count. "k-means++": the seeds of k-means as means, with the variance of all rows. "random": random
        posteriors. "random_from_data": random rows as means, with the variance of all rows. "split": binary splitting.
    weights_init, means_init, precisions_init : array_like (K,), (K, D), (K, D), optional
        Given parts of the start. If only means are given, weights are equal and variances are those of all rows.
    random_state : int, RandomState or None
        Seed of all random draws. A whole number gives the same draws as ``fit_gmm(seed=...)``.
    warm_start : bool, default False
        ``fit`` continues from the mixture of the last call; ``n_init`` then applies only to the first call.
    verbose : int, default 0
        1 prints a line for each start when it is done; 2 also prints the likelihood every ``verbose_interval``
        iterations.
    verbose_interval : int, default 10
        Iterations between lines.
    precision : {"auto", "float32", "float64"}
        Precision of the products in EM. "auto" is the precision of the rows. It is float64 where variances of the start
        or of the result are below 1e-3 of the variance of the rows, because float32 would lose their digits. float32
        takes about half the time.
    n_jobs : int, default -1
        Threads that share the rows, as in ``fit_gmm``; -1 is one per core. The result is the same for every value.

    Attributes
    ----------
    weights_, means_ : ndarray (K,), (K, D)
        Weights and means of the components.
    covariances_, precisions_, precisions_cholesky_ : ndarray
        (K, D) for "diag", (K, D, D) for "full", (D, D) for "tied", (K,) for "spherical". Precisions are inverse
        covariances. Their Cholesky factors U are upper triangular: U U' is the precision.
    converged_ : bool
        Whether EM ended by ``tol``.
    n_iter_ : int
        Number of iterations of EM from the start that was kept; after ``partial_fit``, number of its steps.
    lower_bound_ : float
        Mean log-likelihood of the rows under the fitted mixture, in nats per row.
    lower_bounds_ : list of float
        ``lower_bound_`` after each iteration of ``fit``, which never falls, and for the rows of each ``partial_fit``.
    n_samples_seen_ : float
        Number of rows (or sum of their weights) that the mixture was fitted to, those of each ``partial_fit`` included.
    n_features_in_, feature_names_in_
        Number of columns in ``fit``, and their names if all are strings.

    See Also
    --------
    speechgmm.fit_gmm : The same without scikit-learn.

    Notes
    -----
    An update goes further than the EM step where that raises the likelihood (``fit_em``), so the fit may need fewer
    iterations than scikit-learn. From the same start both reach the same maximum. ``model_`` is the mixture as a
    ``DiagGMM`` (a ``FullGMM`` for "full" and "tied"), for the functions of the package. Covariances of a start are
    diagonal, unless ``precisions_init`` is given, in the shape of ``precisions_``.

    Examples
    --------
    >>> X = np.array([[1.0, 1], [1, 2], [2, 1], [10, 10], [10, 11], [11, 10]])
    >>> mixture = GaussianMixture(2, random_state=0).fit(X)
    >>> mixture.means_[mixture.means_[:, 0].argsort()].round(2)
    array([[ 1.33,  1.33],
           [10.33, 10.33]])
    >>> mixture.predict([[0, 0], [3, 2]]) == mixture.predict([[1, 1]])
    array([ True,  True])
    """

    n_components: int = 1
    _: KW_ONLY
    covariance_type: str = "diag"
    tol: float = 1e-3
    reg_covar: float = 1e-6
    max_iter: int = 100
    n_init: int = 1
    init_params: str = "kmeans"
    weights_init: ArrayLike | None = None
    means_init: ArrayLike | None = None
    precisions_init: ArrayLike | None = None
    random_state: Any = None
    warm_start: bool = False
    verbose: int = 0
    verbose_interval: int = 10
    precision: PrecisionChoice = "auto"
    n_jobs: int = ALL_CORES

    def fit(self, X: ArrayLike, y: object = None, sample_weight: ArrayLike | None = None) -> Self:
        """Fit the mixture by maximum likelihood.

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
        GaussianMixture
            Itself.

        Raises
        ------
        ValueError
            Rows or parameters that cannot be used; fewer distinct rows than components; a component that shrank to a
            point, with ``reg_covar`` 0.
        TypeError
            A sparse matrix.

        Warns
        -----
        ConvergenceWarning
            EM did not converge within ``max_iter`` iterations.
        FitWarning
            Each note of the fit, as in ``fit_gmm``.
        """
        self._fit(X, sample_weight)
        return self

    def fit_predict(self, X: ArrayLike, y: object = None, sample_weight: ArrayLike | None = None) -> NDArray[np.intp]:
        """Fit the mixture to rows (N, D), as ``fit``, and return the component (N,) of each."""
        self._fit(X, sample_weight)
        return self.predict(X)

    def _fit(self, X: ArrayLike, sample_weight: ArrayLike | None) -> None:
        self._check_parameters()
        before = self.model_ if self.warm_start and "weights_" in vars(self) else None
        rows = self._validated(X, reset=True)
        check_enough(len(rows), self.n_components)
        if before is not None:
            check_same_shape(before, self.n_components, rows.shape[1], "warm_start")
        given, rng = self._given(rows.shape[1]), generator_of(self.random_state)
        best: Fit | None = None
        with as_value_errors():
            options = self._options(rows)
            source = as_source(rows, checked_weights(sample_weight, len(rows)))
            with batch_mapper(self.n_jobs, None, source, self.n_components) as spread:
                for number in range(self.n_init if before is None else 1):
                    start = before or start_of(
                        source, self.n_components, self.init_params, given, rng, self.reg_covar, map=spread
                    )
                    fit = fit_mixture(source, self.n_components, options, start=start, map=spread)
                    if options.precision == "auto" and fit.precision == "float32" and is_narrow(fit.model):
                        exact = replace(options, precision="float64")
                        fit = fit_mixture(source, self.n_components, exact, start=start, map=spread)
                    self._print(number, fit)
                    if best is None or fit.trace[-1] > best.trace[-1]:
                        best = fit
        assert best is not None  # n_init is 1 or more
        self._keep(best)

    def _keep(self, fit: Fit) -> None:
        self._online = None
        self._set_model(fit.model)
        self.converged_, self.n_iter_ = fit.converged, len(fit.trace) - 1
        self.lower_bound_, self.lower_bounds_ = fit.trace[-1], list(fit.trace[1:])
        self.n_samples_seen_ = fit.n_frames
        if not fit.converged and self.max_iter > 0:
            warnings.warn(
                f"EM did not converge in {self.n_iter_} iterations; raise max_iter or tol",
                ConvergenceWarning,
                stacklevel=4,
            )
        for note in fit.notes:
            warnings.warn(with_parameter(note), FitWarning, stacklevel=4)

    def bic(self, X: ArrayLike) -> float:
        """Bayesian information criterion on rows (N, D): -2 log-likelihood + log(N) n_parameters; the least is best."""
        scores = self.score_samples(X)
        return float(-2 * scores.sum() + np.log(len(scores)) * self._n_parameters())

    def aic(self, X: ArrayLike) -> float:
        """Akaike information criterion on rows (N, D): -2 log-likelihood + 2 n_parameters; the least is best."""
        return float(-2 * self.score_samples(X).sum() + 2 * self._n_parameters())

    def _n_parameters(self) -> int:
        family: Covariance = self.covariance_type  # type: ignore[assignment]
        return FAMILIES[family].n_parameters(*self.means_.shape)

    @classmethod
    def from_model(cls, model: AnyGMM, **parameters: Any) -> Self:
        """Make a fitted estimator from a mixture that was trained elsewhere.

        Parameters
        ----------
        model : DiagGMM or FullGMM
            The mixture.
        **parameters
            Parameters of the estimator, except ``n_components``. ``covariance_type`` must be that of the mixture; for a
            ``DiagGMM`` whose variances are the same in all dimensions it may be "spherical".

        Raises
        ------
        ValueError
            Another ``covariance_type`` than the mixture has.

        Examples
        --------
        >>> from speechgmm import DiagGMM
        >>> GaussianMixture.from_model(DiagGMM([1.0], [[0.0]], [[1.0]])).predict_proba([[3.0]])
        array([[1.]])
        """
        parameters.setdefault("covariance_type", type_of(model))
        check_type(model, parameters["covariance_type"])
        found = cls(model.n_components, **parameters)
        found._set_model(model)
        found.n_features_in_, found.n_samples_seen_ = model.n_features, 0.0
        found.converged_, found.n_iter_, found.lower_bound_, found.lower_bounds_ = True, 0, np.nan, []
        return found

    def _options(self, rows: NDArray[Any]) -> EMOptions:
        precision = precision_of(self.precision, rows)
        family: Covariance = self.covariance_type  # type: ignore[assignment]  # it is checked
        return EMOptions(
            covariance=family, max_iter=self.max_iter, tol=self.tol, floor=self.reg_covar, precision=precision
        )

    def _print(self, number: int, fit: Fit) -> None:
        if not self.verbose:
            return
        n_iter = len(fit.trace) - 1
        ended = "converged" if fit.converged else "did not converge"
        print(f"start {number}: {ended} after {n_iter} iterations, {fit.trace[-1]:.5f} nats per row")
        if self.verbose > 1:
            for i in range(self.verbose_interval, n_iter + 1, self.verbose_interval):
                print(f"  iteration {i}: {fit.trace[i]:.5f} nats per row, gain {fit.trace[i] - fit.trace[i - 1]:.2g}")
