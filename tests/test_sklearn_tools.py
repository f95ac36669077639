"""The estimators in scikit-learn's tools, and mixtures from and to scikit-learn."""

import pickle
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pytest
from conftest import hum
from sklearn import mixture as theirs
from sklearn.base import BaseEstimator, clone
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV, GroupKFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import speechgmm as sg
from speechgmm.sklearn import (
    MFCC,
    BayesianGaussianMixture,
    GaussianMixture,
    GMMClassifier,
    MAPAdaptedGMM,
    from_sklearn,
    to_sklearn,
)

ROWS = np.random.default_rng(0).normal(size=(300, 2)) + np.repeat([[0.0], [7.0], [15.0]], 100, axis=0)


def test_recordings_are_classified_in_a_pipeline_whose_every_step_is_searched() -> None:
    recordings = [hum(seed, 110 if seed % 2 else 250) for seed in range(8)]
    labels, speakers = np.arange(8) % 2, np.arange(8) // 2
    pipeline = make_pipeline(MFCC(8000), GMMClassifier(GaussianMixture(random_state=0, max_iter=1000)))
    assert cross_val_score(pipeline, recordings, labels, groups=speakers, cv=GroupKFold(2)).mean() > 0.8
    grid = {"mfcc__deltas": [0, 1], "gmmclassifier__estimator__n_components": [1, 2]}
    search = GridSearchCV(pipeline, grid, cv=GroupKFold(2), n_jobs=2).fit(recordings, labels, groups=speakers)
    assert search.best_score_ > 0.8
    assert len(search.cv_results_["params"]) == 4


def test_a_mixture_is_searched_by_its_likelihood_behind_a_scaler() -> None:
    pipeline = make_pipeline(StandardScaler(), GaussianMixture(random_state=0, max_iter=1000))
    search = GridSearchCV(pipeline, {"gaussianmixture__n_components": [1, 2, 3]}, cv=5)
    shuffled = ROWS[np.random.default_rng(0).permutation(len(ROWS))]
    assert search.fit(shuffled).best_params_ == {"gaussianmixture__n_components": 3}


ESTIMATORS = [
    GaussianMixture(3, random_state=0),
    BayesianGaussianMixture(3, random_state=0, max_iter=1000),
    MAPAdaptedGMM(3, random_state=0),
]


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_a_pickle_says_the_same_and_a_clone_fits_the_same(estimator: Any) -> None:
    fitted = clone(estimator).fit(ROWS)
    expected = fitted.score_samples(ROWS)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(fitted)).score_samples(ROWS), expected)
    np.testing.assert_array_equal(clone(fitted).fit(ROWS).score_samples(ROWS), expected)
    with pytest.raises(NotFittedError):
        clone(fitted).score_samples(ROWS)


def test_a_pickle_between_two_pieces_changes_nothing() -> None:
    one = GaussianMixture(3, random_state=0).partial_fit(ROWS)
    two = pickle.loads(pickle.dumps(one))
    np.testing.assert_array_equal(one.partial_fit(ROWS[::2]).means_, two.partial_fit(ROWS[::2]).means_)


def test_fits_in_workers_of_joblib_are_those_of_one_process() -> None:
    tasks = [clone(estimator) for estimator in ESTIMATORS]
    found = joblib.Parallel(n_jobs=2)(joblib.delayed(_fitted)(task) for task in tasks)
    for estimator, fitted in zip(tasks, found, strict=True):
        np.testing.assert_array_equal(fitted.means_, estimator.fit(ROWS).means_)


def _fitted(estimator: Any) -> Any:
    return estimator.fit(ROWS)


@pytest.mark.parametrize("kind", ["diag", "spherical", "full", "tied"])
def test_a_mixture_of_scikit_learn_says_the_same_here(kind: str) -> None:
    fitted = theirs.GaussianMixture(3, covariance_type=kind, random_state=0, tol=1e-4).fit(ROWS)
    ours = from_sklearn(fitted)
    np.testing.assert_allclose(ours.score_samples(ROWS), fitted.score_samples(ROWS), rtol=1e-9)
    np.testing.assert_allclose(ours.predict_proba(ROWS), fitted.predict_proba(ROWS), atol=1e-9)
    assert (ours.tol, ours.n_iter_, ours.n_features_in_) == (1e-4, fitted.n_iter_, 2)
    for name in ("covariances_", "precisions_", "precisions_cholesky_"):
        np.testing.assert_allclose(getattr(ours, name), getattr(fitted, name), rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(sg.log_likelihoods(ours.model_, ROWS), fitted.score_samples(ROWS), rtol=1e-9)


@pytest.mark.parametrize("kind", ["diag", "spherical", "full", "tied"])
def test_a_mixture_goes_to_scikit_learn_and_comes_back_the_same(kind: str) -> None:
    ours = GaussianMixture(3, covariance_type=kind, random_state=0, tol=1e-4).fit(ROWS)
    there = to_sklearn(ours)
    assert type(there) is theirs.GaussianMixture
    np.testing.assert_allclose(there.score_samples(ROWS), ours.score_samples(ROWS), rtol=1e-9)
    assert there.bic(ROWS) == pytest.approx(ours.bic(ROWS))
    back = from_sklearn(there)
    for name in ("weights_", "means_", "covariances_"):
        np.testing.assert_array_equal(getattr(back, name), getattr(ours, name))
    assert back.get_params() == ours.get_params()
    assert there.sample(3)[0].shape == (3, 2)


def test_a_model_of_the_package_and_every_mixture_go_to_scikit_learn() -> None:
    model = sg.fit_gmm(ROWS, 3).model
    np.testing.assert_allclose(to_sklearn(model).score_samples(ROWS), sg.log_likelihoods(model, ROWS), rtol=1e-9)
    estimator = GaussianMixture.from_model(model, tol=0.1)
    np.testing.assert_array_equal(estimator.score_samples(ROWS), sg.log_likelihoods(model, ROWS))
    assert estimator.tol == 0.1
    for each in ESTIMATORS:
        np.testing.assert_array_equal(to_sklearn(clone(each).fit(ROWS)).means_, clone(each).fit(ROWS).means_)
    bayesian = theirs.BayesianGaussianMixture(n_components=3, covariance_type="diag", random_state=0, max_iter=1000)
    plugged = from_sklearn(bayesian.fit(ROWS))
    np.testing.assert_allclose(plugged.weights_, bayesian.weights_)
    split = GaussianMixture(2, init_params="split", random_state=0).fit(ROWS)
    assert to_sklearn(split).init_params == "kmeans"


def test_what_cannot_be_converted_is_refused() -> None:
    with pytest.raises(ValueError, match="covariance_type is 'tied', and the mixture is DiagGMM"):
        GaussianMixture.from_model(sg.fit_gmm(ROWS, 3).model, covariance_type="tied")
    with pytest.raises(NotFittedError):
        from_sklearn(theirs.GaussianMixture(2, covariance_type="diag"))
    with pytest.raises(NotFittedError):
        to_sklearn(GaussianMixture(2))
    for wrong in (StandardScaler(), None, 3):
        with pytest.raises(TypeError, match="expected a GaussianMixture or Bayesian"):
            from_sklearn(wrong)
        with pytest.raises(TypeError, match="expected a DiagGMM"):
            to_sklearn(wrong)  # type: ignore[arg-type]


@pytest.mark.slow
def test_the_package_imports_scikit_learn_only_with_its_estimators() -> None:
    code = (
        "import sys, speechgmm, speechgmm.cli, numpy\n"
        "speechgmm.fit_gmm(numpy.arange(60.0).reshape(30, 2), 2, n_jobs=1)\n"
        "assert 'sklearn' not in sys.modules\n"
        "import speechgmm.sklearn\n"
        "assert sorted(speechgmm.sklearn.__all__) == sorted(dir(speechgmm.sklearn))\n"
        "speechgmm.sklearn.GaussianMixture\n"
        "assert 'sklearn' in sys.modules\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_without_scikit_learn_the_error_says_how_to_install_it() -> None:
    code = (
        "import sys, importlib.util as util\n"
        "find = util.find_spec\n"
        "util.find_spec = lambda name, *rest: None if name == 'sklearn' else find(name, *rest)\n"
        "import speechgmm.sklearn\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "pip install 'speechgmm[sklearn]'" in done.stderr


def test_the_code_of_the_page_runs() -> None:
    page = (Path(__file__).parents[1] / "docs/how-to/scikit-learn.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    names: dict[str, Any] = {}
    exec("\n".join(blocks), names)
    assert len(blocks) >= 4
    assert names["scores"].mean() == 1
    assert names["search"].best_score_ == 1
    assert names["model"].score(names["rows"], names["labels"][names["recording"]], groups=names["recording"]) == 1


def test_every_estimator_says_its_parameters_and_nothing_else() -> None:
    for estimator in (*ESTIMATORS, GMMClassifier(), MFCC()):
        assert isinstance(estimator, BaseEstimator)
        assert type(estimator)(**estimator.get_params(deep=False)).get_params(deep=False) == estimator.get_params(
            deep=False
        )
    assert repr(GaussianMixture(3, tol=1e-3)) == "GaussianMixture(n_components=3)"
