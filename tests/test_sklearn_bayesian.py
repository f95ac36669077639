"""Laws of the estimators BayesianGaussianMixture and MAPAdaptedGMM."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.integrate import quad
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.mixture import BayesianGaussianMixture as Theirs

import speechgmm as sg
from speechgmm.errors import ShapeError
from speechgmm.sklearn import BayesianGaussianMixture, GaussianMixture, MAPAdaptedGMM

Floats = NDArray[np.float64]


def clusters(n_features: int = 2, seed: int = 0) -> Floats:
    rng = np.random.default_rng(seed)
    return rng.normal(size=(600, n_features)) + np.repeat([[0], [6], [14]], 200, axis=0)


# ---- variational Bayes ----


@pytest.mark.parametrize("kind", ["dirichlet_process", "dirichlet_distribution"])
def test_components_that_the_rows_do_not_need_end_without_rows(kind: str) -> None:
    rows = clusters()
    fitted = BayesianGaussianMixture(10, weight_concentration_prior_type=kind, random_state=0, max_iter=2000).fit(rows)
    assert fitted.n_in_use_ == 3
    assert np.sort(fitted.weights_)[-3:].sum() > 0.99
    assert len(set(fitted.predict(rows))) == 3


@pytest.mark.parametrize("kind", ["dirichlet_process", "dirichlet_distribution"])
@pytest.mark.parametrize("seed", range(3))
def test_in_one_dimension_the_posterior_is_that_of_scikit_learn(kind: str, seed: int) -> None:
    rows = clusters(1, seed)
    prior: dict[str, Any] = {
        "weight_concentration_prior_type": kind,
        "weight_concentration_prior": 0.7,
        "mean_precision_prior": 0.5,
        "mean_prior": [3.0],
        "degrees_of_freedom_prior": 4.0,
        "covariance_prior": [2.5],
    }
    theirs = Theirs(
        n_components=3, covariance_type="diag", reg_covar=0, tol=1e-9, max_iter=5000, random_state=0, **prior
    ).fit(rows)
    ours = BayesianGaussianMixture(3, tol=1e-12, max_iter=5000, random_state=0, **prior).fit(rows)
    mine, other = (np.argsort(fitted.means_.ravel()) for fitted in (ours, theirs))
    # In a process the order of the components counts: ours come by weight, scikit-learn's as they start.
    close = 1e-4 if kind == "dirichlet_distribution" else 5e-3
    for name in ("means_", "covariances_", "mean_precision_", "degrees_of_freedom_", "weights_"):
        np.testing.assert_allclose(getattr(ours, name)[mine], getattr(theirs, name)[other], rtol=close, atol=close)
    np.testing.assert_allclose(ours.predict_proba(rows)[:, mine], theirs.predict_proba(rows)[:, other], atol=close)
    if kind == "dirichlet_distribution":
        np.testing.assert_allclose(ours.weight_concentration_[mine], theirs.weight_concentration_[other], rtol=close)


def test_the_bound_never_falls_and_is_that_of_fit_variational() -> None:
    rows = clusters()
    fitted = BayesianGaussianMixture(5, random_state=0, max_iter=2000).fit(rows)
    assert (np.diff(fitted.lower_bounds_) >= -1e-9).all()
    again = sg.fit_variational(rows, prior=fitted.prior_, start=fitted.posterior_, max_iter=2000, tol=1e-5)
    assert again.trace[-1] == pytest.approx(fitted.lower_bound_, abs=1e-3)
    assert again.trace[0] >= fitted.lower_bound_ - 1e-9


def test_scores_are_of_a_density_that_integrates_to_one() -> None:
    fitted = BayesianGaussianMixture(4, random_state=0, max_iter=2000).fit(clusters(1))
    total, _ = quad(lambda x: float(np.exp(fitted.score_samples([[x]])[0])), -60, 80, limit=500)
    assert total == pytest.approx(1, abs=1e-4)


def test_the_predicted_component_is_the_most_probable_one() -> None:
    rows = clusters()
    fitted = BayesianGaussianMixture(5, random_state=0, max_iter=2000)
    np.testing.assert_array_equal(fitted.fit_predict(rows), fitted.predict(rows))
    probabilities = fitted.predict_proba(rows)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-12)
    np.testing.assert_array_equal(fitted.predict(rows), probabilities.argmax(axis=1))


def test_weights_of_rows_count_as_repetitions_also_in_the_prior() -> None:
    rows = clusters()
    weights = np.random.default_rng(0).integers(1, 4, len(rows))
    settings: dict[str, Any] = {"tol": 1e-10, "max_iter": 5000, "random_state": 0}
    weighted = BayesianGaussianMixture(1, **settings).fit(rows, sample_weight=weights)
    repeated = BayesianGaussianMixture(1, **settings).fit(np.repeat(rows, weights, axis=0))
    np.testing.assert_allclose(weighted.means_, repeated.means_, rtol=1e-9)
    np.testing.assert_allclose(weighted.covariances_, repeated.covariances_, rtol=1e-9)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_a_warm_start_goes_on_and_more_starts_are_never_worse() -> None:
    rows = clusters()
    steps = BayesianGaussianMixture(6, max_iter=2, warm_start=True, random_state=0, init_params="random")
    bounds = [steps.fit(rows).lower_bound_ for _ in range(30)]
    assert (np.diff(bounds) >= -1e-9).all()
    assert bounds[-1] > bounds[0] + 0.1
    one, five = (
        BayesianGaussianMixture(6, n_init=n, random_state=3, max_iter=300).fit(rows).lower_bound_ for n in (1, 5)
    )
    assert five >= one


def test_few_iterations_are_warned_of() -> None:
    with pytest.warns(ConvergenceWarning, match="variational Bayes did not converge in 1 iterations"):
        BayesianGaussianMixture(6, max_iter=1, random_state=0).fit(clusters())


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"covariance_type": "tied"}, "diagonal covariances only"),
        ({"weight_concentration_prior": 0}, "weight_concentration_prior is 0; expected a number above 0"),
        ({"mean_precision_prior": -1.0}, "mean_precision_prior"),
        ({"degrees_of_freedom_prior": np.inf}, "degrees_of_freedom_prior"),
        ({"weight_concentration_prior_type": "flat"}, "expected one of dirichlet_process, dirichlet_distribution"),
        ({"mean_prior": [0.0]}, r"mean_prior has shape \(1,\); expected \(2,\)"),
        ({"covariance_prior": [0.0, 1.0]}, "dimension 0 has variance 0"),
        ({"n_components": 1000}, "600 rows for n_components = 1000"),
        ({"init_params": "best"}, "init_params"),
    ],
)
def test_a_parameter_out_of_range_is_named(parameters: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        BayesianGaussianMixture(**parameters).fit(clusters())


def test_a_start_of_another_size_is_refused_by_fit_variational() -> None:
    rows = clusters()
    start = sg.fit_gmm(rows, 2).model
    with pytest.raises(ShapeError, match=r"to start from, for a prior of shape \(3, 2\)"):
        sg.fit_variational(rows, 3, start=start)


# ---- MAP adaptation ----


@pytest.fixture(scope="module")
def background() -> GaussianMixture:
    return GaussianMixture(4, random_state=0, max_iter=1000).fit(clusters())


def test_adaptation_is_that_of_adapt_map(background: GaussianMixture) -> None:
    rows = clusters(seed=1)[:50] + 0.5
    fitted = MAPAdaptedGMM(background.model_, relevance=4, parameters=("means", "variances")).fit(rows)
    direct = sg.adapt_map(
        background.model_, rows, 4, parameters=("means", "variances"), floor=1e-6, precision="float64"
    )
    np.testing.assert_array_equal(fitted.means_, direct.model.means)
    np.testing.assert_array_equal(fitted.covariances_, direct.model.variances)
    np.testing.assert_array_equal(fitted.weights_, background.weights_)
    assert fitted.background_ is background.model_ or isinstance(fitted.background_, sg.DiagGMM)


def test_rows_are_likelier_under_their_own_mixture_than_under_the_background(background: GaussianMixture) -> None:
    rows = clusters(seed=1) + 0.7
    fitted = MAPAdaptedGMM(background.model_).fit(rows)
    ratios = fitted.log_likelihood_ratios(rows)
    np.testing.assert_allclose(ratios, fitted.score_samples(rows) - background.score_samples(rows))
    assert ratios.mean() > 0.1
    assert MAPAdaptedGMM(background.model_).fit(clusters()).log_likelihood_ratios(rows).mean() < ratios.mean()


def test_much_relevance_leaves_the_background_and_none_gives_maximum_likelihood(background: GaussianMixture) -> None:
    rows = clusters(seed=1) + 0.7
    stays = MAPAdaptedGMM(background.model_, relevance=1e9).fit(rows)
    np.testing.assert_allclose(stays.means_, background.means_, atol=1e-5)
    every = ("weights", "means", "variances")
    settings: dict[str, Any] = {"relevance": 0, "parameters": every, "max_iter": 5000, "tol": 1e-8}
    likeliest = MAPAdaptedGMM(background.model_, **settings).fit(rows)
    begin = {"weights_init": background.weights_, "means_init": background.means_}
    em = GaussianMixture(4, tol=1e-8, max_iter=5000, precisions_init=background.precisions_, **begin).fit(rows)
    assert likeliest.lower_bound_ == pytest.approx(em.lower_bound_, abs=1e-5)


def test_a_background_can_be_a_mixture_or_a_number_to_train(background: GaussianMixture) -> None:
    rows = clusters(seed=2)
    expected = MAPAdaptedGMM(background.model_).fit(rows).means_
    np.testing.assert_array_equal(MAPAdaptedGMM(background).fit(rows).means_, expected)
    frozen = MAPAdaptedGMM(FrozenEstimator(background))
    np.testing.assert_array_equal(clone(frozen).fit(rows).means_, expected)
    np.testing.assert_array_equal(clone(MAPAdaptedGMM(background.model_)).fit(rows).means_, expected)
    trained = MAPAdaptedGMM(2, random_state=0).fit(rows)
    own = GaussianMixture(2, random_state=0).fit(rows)
    np.testing.assert_array_equal(trained.background_.means, own.means_)


def test_a_background_that_is_none_is_refused(background: GaussianMixture) -> None:
    rows = clusters()
    with pytest.raises(ValueError, match=r"a clone is not fitted: give mixture\.model_ or FrozenEstimator"):
        clone(MAPAdaptedGMM(background)).fit(rows)
    with pytest.raises(ValueError, match="background is None; expected a DiagGMM"):
        MAPAdaptedGMM().fit(rows)
    with pytest.raises(ValueError, match="background is True"):
        MAPAdaptedGMM(True).fit(rows)
    with pytest.raises(ValueError, match="frames of 1 dimensions for a background model of 2"):
        MAPAdaptedGMM(background.model_).fit(rows[:, :1])
    with pytest.raises(NotFittedError):
        MAPAdaptedGMM(background.model_).log_likelihood_ratios(rows)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"relevance": -1}, "relevance is -1; expected a number, 0 or more"),
        ({"mean_relevance": -1}, "mean_relevance"),
        ({"parameters": ()}, "parameters is"),
        ({"parameters": "means"}, "parameters is 'means'; expected some of weights, means, variances, as a tuple"),
        ({"parameters": ("mean",)}, "parameters"),
        ({"max_iter": -1}, "max_iter"),
    ],
)
def test_a_parameter_of_the_adaptation_out_of_range_is_named(
    background: GaussianMixture, parameters: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        MAPAdaptedGMM(background.model_, **parameters).fit(clusters())


def test_several_iterations_that_were_too_few_are_warned_of_and_one_is_not(background: GaussianMixture) -> None:
    rows = clusters(seed=1) + 2
    MAPAdaptedGMM(background.model_).fit(rows)
    with pytest.warns(ConvergenceWarning, match="adaptation did not converge in 2 iterations"):
        MAPAdaptedGMM(background.model_, max_iter=2, tol=1e-12).fit(rows)
