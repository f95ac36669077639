"""Mixtures from and to scikit-learn's own."""

from typing import Any

import numpy as np
from sklearn import mixture as theirs
from sklearn.utils.validation import check_is_fitted

from speechgmm.gmm.full_model import AnyGMM, FullGMM
from speechgmm.gmm.model import DiagGMM
from speechgmm.sklearn.base import Mixture
from speechgmm.sklearn.covariances import arrays_of, model_of, type_of
from speechgmm.sklearn.mixture import GaussianMixture

SHARED = (
    *("tol", "reg_covar", "max_iter", "n_init", "init_params", "weights_init", "means_init", "precisions_init"),
    *("random_state", "warm_start", "verbose", "verbose_interval"),
)
"""Parameters that have the same names."""


def from_sklearn(mixture: Any) -> GaussianMixture:
    """Convert a fitted mixture of scikit-learn to one of this package.

    Parameters
    ----------
    mixture : sklearn.mixture.GaussianMixture or BayesianGaussianMixture
        A fitted mixture. A Bayesian mixture is converted to its plug-in mixture: expected weights and means, and one
        over the expected precisions.

    Returns
    -------
    GaussianMixture
        The fitted estimator, with the same mixture and covariance_type. If a ``GaussianMixture`` is given, the
        parameters of the estimator are the same too. ``model_`` is the mixture for the functions of the package.

    Raises
    ------
    TypeError
        An object of another type.
    NotFittedError
        A mixture that is not fitted.

    Examples
    --------
    >>> from sklearn.mixture import GaussianMixture as Theirs
    >>> X = np.array([[0.0], [1.0], [8.0], [9.0]])
    >>> fitted = Theirs(2, covariance_type="diag", random_state=0).fit(X)
    >>> np.allclose(from_sklearn(fitted).score_samples(X), fitted.score_samples(X))
    True
    """
    if not isinstance(mixture, (theirs.GaussianMixture, theirs.BayesianGaussianMixture)):
        raise TypeError(f"{mixture!r}; expected a GaussianMixture or BayesianGaussianMixture of scikit-learn")
    check_is_fitted(mixture)
    is_bayesian = isinstance(mixture, theirs.BayesianGaussianMixture)
    parameters = {} if is_bayesian else {name: getattr(mixture, name) for name in SHARED}
    kind = mixture.covariance_type
    model = model_of(mixture.weights_, mixture.means_, mixture.covariances_, kind)
    found = GaussianMixture.from_model(model, covariance_type=kind, **parameters)
    found.converged_, found.n_iter_, found.lower_bound_ = mixture.converged_, mixture.n_iter_, mixture.lower_bound_
    if "feature_names_in_" in vars(mixture):
        found.feature_names_in_ = mixture.feature_names_in_
    return found


def to_sklearn(mixture: Mixture | AnyGMM) -> Any:
    """Convert a mixture of this package to a fitted ``sklearn.mixture.GaussianMixture``.

    Parameters
    ----------
    mixture : DiagGMM, FullGMM or fitted mixture of this package
        The mixture. A ``BayesianGaussianMixture`` is converted to its plug-in mixture.

    Returns
    -------
    sklearn.mixture.GaussianMixture
        The fitted estimator, with the same covariance_type. If a ``GaussianMixture`` is given, the parameters that both
        classes have are the same too.

    Raises
    ------
    TypeError
        An object of another type.
    NotFittedError
        A mixture that is not fitted.

    Examples
    --------
    >>> to_sklearn(DiagGMM([0.5, 0.5], [[0.0], [9.0]], [[1.0], [1.0]])).predict([[1.0], [8.0]])
    array([0, 1])
    """
    if not isinstance(mixture, (Mixture, DiagGMM, FullGMM)):
        raise TypeError(f"{mixture!r}; expected a DiagGMM, a FullGMM, or a fitted mixture of speechgmm.sklearn")
    model, kind = (
        (mixture.model_, mixture.covariance_type) if isinstance(mixture, Mixture) else (mixture, type_of(mixture))
    )
    parameters: dict[str, Any] = {}
    if isinstance(mixture, GaussianMixture):
        parameters = {name: getattr(mixture, name) for name in SHARED}
        if mixture.init_params == "split":  # they have no such start
            del parameters["init_params"]
    found = theirs.GaussianMixture(model.n_components, covariance_type=kind, **parameters)
    found.weights_, found.means_ = model.weights.copy(), model.means.copy()
    found.covariances_, found.precisions_, found.precisions_cholesky_ = arrays_of(model, kind)
    found.n_features_in_, found.converged_, found.n_iter_, found.lower_bound_ = model.n_features, True, 0, np.nan
    if isinstance(mixture, Mixture):
        for name in ("converged_", "n_iter_", "lower_bound_", "feature_names_in_"):
            if name in vars(mixture):
                setattr(found, name, getattr(mixture, name))
    return found
