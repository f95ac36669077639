"""scikit-learn's own checks of estimators, which every estimator of speechgmm.sklearn passes but for those listed."""

from typing import Any

import pytest
from sklearn.base import BaseEstimator
from sklearn.utils.estimator_checks import parametrize_with_checks

from speechgmm.sklearn import BayesianGaussianMixture, GaussianMixture, GMMClassifier, MAPAdaptedGMM

WEIGHTS = "check_sample_weight_equivalence_on_dense_data"
DRAWN = {
    WEIGHTS: "a start is drawn among rows, so repeated rows and rows with weights begin elsewhere; from a given "
    "start they are the same"
}
PROCESS, DIRICHLET = "dirichlet_process", "dirichlet_distribution"

CASES: tuple[tuple[BaseEstimator, dict[str, str]], ...] = (
    (GaussianMixture(max_iter=5), {}),
    (GaussianMixture(2, max_iter=5), DRAWN),
    (GaussianMixture(2, covariance_type="full", max_iter=5), DRAWN),
    (GaussianMixture(2, covariance_type="tied", max_iter=5), DRAWN),
    (GaussianMixture(covariance_type="spherical", max_iter=5), {}),
    (GMMClassifier(GaussianMixture(covariance_type="full", max_iter=5)), {}),
    (BayesianGaussianMixture(max_iter=5, weight_concentration_prior_type=PROCESS), {}),
    (BayesianGaussianMixture(2, max_iter=5, weight_concentration_prior_type=DIRICHLET), DRAWN),
    (MAPAdaptedGMM(1), {}),
    (GMMClassifier(), {}),
    (GMMClassifier(GaussianMixture(2, max_iter=5)), {WEIGHTS: "a class has one distinct row for two components"}),
    (GMMClassifier(MAPAdaptedGMM(1)), {}),
)
"""Estimators, and what each fails, and why. scikit-learn's mixtures take no weights; its KMeans fails it too."""


def failures_of(estimator: BaseEstimator) -> dict[str, str]:
    return next(failures for one, failures in CASES if one is estimator)


@parametrize_with_checks([estimator for estimator, _ in CASES], expected_failed_checks=failures_of)
@pytest.mark.filterwarnings("ignore")
def test_estimators_keep_the_conventions_of_scikit_learn(estimator: BaseEstimator, check: Any) -> None:
    check(estimator)
