"""Laws of the estimator GaussianMixture: what it estimates, what it says of rows, and scikit-learn as the oracle."""

from typing import Any

import numpy as np
import pandas
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import sparse
from scipy.special import logsumexp
from scipy.stats import norm
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.mixture import GaussianMixture as Theirs

import speechgmm as sg
from speechgmm.errors import FitWarning
from speechgmm.sklearn import BayesianGaussianMixture, GaussianMixture

Floats = NDArray[np.float64]
MEANS = np.array([[0.0, 0.0, 0.0], [6.0, 0.0, -4.0], [0.0, 8.0, 5.0]])
DEVIATIONS = np.array([[1.0, 0.5, 2.0], [0.7, 1.0, 1.0], [1.5, 1.0, 0.6]])
SHARES = (0.5, 0.3, 0.2)


def clusters(n_rows: int = 600, seed: int = 0) -> tuple[Floats, NDArray[np.intp]]:
    """Rows of three components of known parameters, and which."""
    rng = np.random.default_rng(seed)
    which = rng.choice(3, n_rows, p=SHARES)
    return MEANS[which] + DEVIATIONS[which] * rng.normal(size=(n_rows, 3)), which


def overlapping(n_rows: int = 400, n_features: int = 4, seed: int = 0) -> Floats:
    """Rows in which components are hard to tell apart, so that EM takes a while."""
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n_rows, n_features)) + rng.choice([0.0, 1.5], size=(n_rows, 1))


def start_of(rows: Floats, n_components: int) -> dict[str, Any]:
    """A start for any implementation."""
    return {
        "means_init": rows[:n_components],
        "weights_init": np.full(n_components, 1 / n_components),
        "precisions_init": np.tile(1 / rows.var(axis=0), (n_components, 1)),
    }


# ---- what it estimates ----


@pytest.mark.parametrize("init_params", ["kmeans", "k-means++", "random_from_data", "split"])
def test_known_parameters_are_recovered(init_params: str) -> None:
    rows, _ = clusters(6000)
    fitted = GaussianMixture(3, init_params=init_params, n_init=4, random_state=0, tol=1e-5, max_iter=500).fit(rows)
    order = [int(np.abs(fitted.means_ - mean).sum(axis=1).argmin()) for mean in MEANS]
    assert sorted(order) == [0, 1, 2]
    np.testing.assert_allclose(fitted.weights_[order], SHARES, atol=0.02)
    np.testing.assert_allclose(fitted.means_[order], MEANS, atol=0.12)
    np.testing.assert_allclose(np.sqrt(fitted.covariances_[order]), DEVIATIONS, rtol=0.05)


def test_random_posteriors_are_a_start_from_which_the_likelihood_grows() -> None:
    rows, _ = clusters()
    begun = GaussianMixture(3, init_params="random", random_state=0, max_iter=0).fit(rows)
    np.testing.assert_allclose(begun.weights_, 1 / 3, atol=0.05)
    ended = GaussianMixture(3, init_params="random", random_state=0, tol=1e-6, max_iter=1000).fit(rows)
    assert ended.lower_bound_ > begun.lower_bound_ + 0.5


@pytest.mark.filterwarnings("ignore::speechgmm.errors.FitWarning", "ignore::sklearn.exceptions.ConvergenceWarning")
@given(st.integers(0, 10**6), st.integers(1, 5), st.integers(1, 4))
def test_the_lower_bound_never_falls_and_is_the_mean_log_likelihood(seed: int, n_components: int, n_dims: int) -> None:
    rows = overlapping(120, n_dims, seed)
    fitted = GaussianMixture(n_components, random_state=seed, tol=1e-4, max_iter=1000).fit(rows)
    assert (np.diff(fitted.lower_bounds_) >= -1e-9).all()
    assert fitted.lower_bounds_[-1] == fitted.lower_bound_
    assert len(fitted.lower_bounds_) == fitted.n_iter_
    assert fitted.lower_bound_ == pytest.approx(fitted.score(rows), abs=1e-8)
    assert fitted.weights_.sum() == pytest.approx(1)
    assert (fitted.covariances_ >= fitted.reg_covar).all()


@pytest.mark.parametrize("seed", range(5))
def test_from_the_same_start_it_reaches_the_optimum_of_scikit_learn(seed: int) -> None:
    rows = overlapping(500, seed=seed)
    begin = start_of(rows, 3)
    theirs = Theirs(3, covariance_type="diag", tol=1e-12, max_iter=20_000, reg_covar=0, **begin).fit(rows)
    ours = GaussianMixture(3, tol=1e-9, max_iter=20_000, reg_covar=1e-9, **begin).fit(rows)
    assert ours.lower_bound_ == pytest.approx(theirs.score(rows), abs=1e-6)
    np.testing.assert_allclose(ours.weights_, theirs.weights_, atol=2e-3)
    np.testing.assert_allclose(ours.means_, theirs.means_, atol=1e-2)
    np.testing.assert_allclose(ours.covariances_, theirs.covariances_, atol=1e-2)
    assert (ours.predict(rows) == theirs.predict(rows)).mean() > 0.995


def test_one_iteration_is_the_step_of_scikit_learn() -> None:
    rows = overlapping()
    begin = start_of(rows, 4)
    theirs = Theirs(4, covariance_type="diag", tol=0, max_iter=1, reg_covar=0, **begin)
    with pytest.warns(ConvergenceWarning):
        theirs.fit(rows)
    with pytest.warns(ConvergenceWarning, match=r"did not converge in 1 iterations; raise max_iter or tol"):
        ours = GaussianMixture(4, tol=0, max_iter=1, **begin).fit(rows)
    np.testing.assert_allclose(ours.weights_, theirs.weights_, rtol=1e-10)
    np.testing.assert_allclose(ours.means_, theirs.means_, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(ours.covariances_, theirs.covariances_, rtol=1e-9)


def test_without_iterations_the_start_stays_and_nothing_is_warned_of() -> None:
    rows = overlapping()
    begin = start_of(rows, 2)
    fitted = GaussianMixture(2, max_iter=0, **begin).fit(rows)
    np.testing.assert_array_equal(fitted.means_, begin["means_init"])
    np.testing.assert_allclose(fitted.precisions_, begin["precisions_init"])
    assert (fitted.n_iter_, fitted.converged_) == (0, False)


def test_given_parts_of_a_start_stay_and_the_rest_is_made_of_the_rows() -> None:
    rows, _ = clusters()
    means = GaussianMixture(3, means_init=MEANS, max_iter=0).fit(rows)
    np.testing.assert_array_equal(means.means_, MEANS)
    np.testing.assert_allclose(means.covariances_, np.tile(rows.var(axis=0), (3, 1)))
    weights = GaussianMixture(3, weights_init=[0.2, 0.3, 0.5], random_state=0, max_iter=0).fit(rows)
    plain = GaussianMixture(3, random_state=0, max_iter=0).fit(rows)
    np.testing.assert_array_equal(weights.weights_, [0.2, 0.3, 0.5])
    np.testing.assert_array_equal(weights.means_, plain.means_)


def test_a_whole_number_as_random_state_is_the_seed_of_fit_gmm() -> None:
    rows, _ = clusters()
    ours = GaussianMixture(3, random_state=7, tol=1e-4).fit(rows)
    direct = sg.fit_gmm(rows, 3, seed=7, n_init=1, tol=1e-4, max_iter=100, floor=1e-6, precision="float64")
    np.testing.assert_array_equal(ours.means_, direct.model.means)
    assert ours.lower_bound_ == direct.trace[-1]


def test_a_random_state_that_was_used_goes_on_and_a_number_starts_again() -> None:
    rows = overlapping()
    state = np.random.RandomState(0)
    one, two = (GaussianMixture(4, random_state=state, max_iter=0).fit(rows).means_ for _ in range(2))
    assert (one != two).any()
    again = [GaussianMixture(4, random_state=3, max_iter=0).fit(rows).means_ for _ in range(2)]
    np.testing.assert_array_equal(*again)


@pytest.mark.parametrize("init_params", ["kmeans", "random", "random_from_data", "k-means++"])
def test_more_starts_are_never_worse(init_params: str) -> None:
    rows = overlapping(200)
    bounds = [
        GaussianMixture(5, n_init=n, init_params=init_params, random_state=1, max_iter=2000).fit(rows).lower_bound_
        for n in (1, 2, 5)
    ]
    assert bounds == sorted(bounds)


def test_weights_that_are_whole_numbers_count_as_repetitions() -> None:
    rows = overlapping(150)
    weights = np.random.default_rng(0).integers(0, 4, len(rows))
    weights[:3] = 1
    begin = start_of(rows, 3)
    repeated = GaussianMixture(3, tol=1e-7, max_iter=5000, **begin).fit(np.repeat(rows, weights, axis=0))
    weighted = GaussianMixture(3, tol=1e-7, max_iter=5000, **begin).fit(rows, sample_weight=weights)
    np.testing.assert_allclose(weighted.weights_, repeated.weights_, atol=1e-6)
    np.testing.assert_allclose(weighted.means_, repeated.means_, atol=1e-5)
    np.testing.assert_allclose(weighted.covariances_, repeated.covariances_, atol=1e-5)
    assert weighted.lower_bound_ == pytest.approx(repeated.lower_bound_, abs=1e-8)


@pytest.mark.parametrize("init_params", ["kmeans", "random", "random_from_data", "k-means++", "split"])
def test_rows_of_weight_zero_are_not_there(init_params: str) -> None:
    rows, _ = clusters(300)
    rows[::2] = 1e3
    weights = np.tile([0.0, 1.0], 150)
    fitted = GaussianMixture(2, init_params=init_params, random_state=0, max_iter=1000).fit(rows, sample_weight=weights)
    assert np.abs(fitted.means_).max() < 20


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_a_warm_start_goes_on_from_where_it_was() -> None:
    rows = overlapping()
    settings = {"tol": 1e-7, "init_params": "random", "random_state": 0}
    whole = GaussianMixture(4, max_iter=5000, **settings).fit(rows)
    steps = GaussianMixture(4, max_iter=3, warm_start=True, n_init=3, **settings)
    bounds = []
    for _ in range(2000):
        bounds.append(steps.fit(rows).lower_bound_)
        if steps.converged_:
            break
    assert steps.converged_
    assert (np.diff(bounds) >= -1e-9).all()
    assert bounds[-1] == pytest.approx(whole.lower_bound_, abs=0.05)
    cold = GaussianMixture(4, max_iter=3, **settings)
    assert cold.fit(rows).lower_bound_ == cold.fit(rows).lower_bound_ == bounds[0]  # from nothing again


def test_the_least_variance_holds_where_rows_are_copies() -> None:
    rows = np.repeat([[0.0, 0.0], [5.0, 5.0]], 20, axis=0)
    with pytest.warns(FitWarning, match=r"the floor holds.*reg_covar is the floor"):
        fitted = GaussianMixture(2, reg_covar=0.25, random_state=0).fit(rows)
    np.testing.assert_allclose(fitted.covariances_, 0.25)
    with pytest.raises(ValueError, match=r"shrunk to a point.*reg_covar is the floor"):
        GaussianMixture(2, reg_covar=0, random_state=0).fit(rows)


# ---- what it says of rows ----


def test_scores_are_those_of_scipy() -> None:
    rows, _ = clusters()
    fitted = GaussianMixture(3, random_state=0).fit(rows)
    each = norm.logpdf(rows[:, None], fitted.means_, np.sqrt(fitted.covariances_)).sum(axis=2)
    joint = each + np.log(fitted.weights_)
    np.testing.assert_allclose(fitted.score_samples(rows), logsumexp(joint, axis=1), rtol=1e-10)
    np.testing.assert_allclose(fitted.predict_proba(rows), np.exp(joint - logsumexp(joint, axis=1)[:, None]), atol=1e-9)
    assert fitted.score(rows) == pytest.approx(fitted.score_samples(rows).mean())


def test_the_predicted_component_is_the_most_probable_and_probabilities_sum_to_one() -> None:
    rows, which = clusters()
    fitted = GaussianMixture(3, random_state=0).fit(rows)
    probabilities = fitted.predict_proba(rows)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-12)
    assert (probabilities >= 0).all()
    np.testing.assert_array_equal(fitted.predict(rows), probabilities.argmax(axis=1))
    order = [int(np.abs(MEANS - mean).sum(axis=1).argmin()) for mean in fitted.means_]
    assert (np.array(order)[fitted.predict(rows)] == which).mean() > 0.97


def test_fit_predict_is_fit_and_predict() -> None:
    rows = overlapping()
    mixture = GaussianMixture(3, random_state=0)
    found = mixture.fit_predict(rows)
    np.testing.assert_array_equal(found, mixture.predict(rows))
    np.testing.assert_array_equal(found, GaussianMixture(3, random_state=0).fit(rows).predict(rows))


def test_the_best_of_several_starts_is_the_one_that_predicts() -> None:
    rows = overlapping()
    mixture = GaussianMixture(5, n_init=4, random_state=0, max_iter=1000)
    np.testing.assert_array_equal(mixture.fit_predict(rows), mixture.predict(rows))
    assert mixture.score(rows) == pytest.approx(mixture.lower_bound_)


def test_threads_change_no_byte() -> None:
    rows, _ = clusters(30_000)
    one, two = (GaussianMixture(8, random_state=0, max_iter=1000, n_jobs=n).fit(rows) for n in (1, 2))
    np.testing.assert_array_equal(one.means_, two.means_)
    np.testing.assert_array_equal(one.covariances_, two.covariances_)


def test_criteria_count_every_free_parameter() -> None:
    rows, _ = clusters()
    fitted = GaussianMixture(3, random_state=0).fit(rows)
    n_parameters = 2 + 3 * 3 + 3 * 3  # weights that sum to one, means, variances
    log_likelihood = fitted.score_samples(rows).sum()
    assert fitted.bic(rows) == pytest.approx(-2 * log_likelihood + n_parameters * np.log(len(rows)))
    assert fitted.aic(rows) == pytest.approx(-2 * log_likelihood + 2 * n_parameters)


def test_the_criterion_of_bayes_finds_the_number_of_clusters() -> None:
    rows, _ = clusters(1000)
    found = {k: GaussianMixture(k, random_state=0, n_init=3, max_iter=1000).fit(rows).bic(rows) for k in range(1, 6)}
    assert min(found, key=found.__getitem__) == 3


def test_drawn_rows_have_the_moments_of_the_mixture() -> None:
    rows, _ = clusters()
    fitted = GaussianMixture(3, random_state=0).fit(rows)
    drawn, which = fitted.sample(100_000)
    np.testing.assert_allclose(np.bincount(which) / len(which), fitted.weights_, atol=0.01)
    for k in range(3):
        np.testing.assert_allclose(drawn[which == k].mean(axis=0), fitted.means_[k], atol=0.06)
        np.testing.assert_allclose(drawn[which == k].var(axis=0), fitted.covariances_[k], rtol=0.05)
    np.testing.assert_array_equal(fitted.sample(5)[0], fitted.sample(5)[0])
    with pytest.raises(ValueError, match="n_samples is 0; expected a whole number, 1 or more"):
        fitted.sample(0)


def test_precisions_are_one_over_the_variances_and_their_roots() -> None:
    fitted = GaussianMixture(2, random_state=0).fit(overlapping())
    np.testing.assert_allclose(fitted.precisions_ * fitted.covariances_, 1)
    np.testing.assert_allclose(fitted.precisions_cholesky_**2, fitted.precisions_)


# ---- rows in pieces ----


def test_rows_in_pieces_come_near_to_rows_at_once() -> None:
    rows, _ = clusters(20_000)
    pieces = GaussianMixture(3, random_state=0)
    for first in range(0, len(rows), 1000):
        pieces.partial_fit(rows[first : first + 1000])
    assert (pieces.n_samples_seen_, pieces.n_iter_) == (20_000, 20)
    assert pieces.score(rows) > GaussianMixture(3, random_state=0).fit(rows).score(rows) - 0.02


def test_pieces_go_on_from_a_fit_and_a_fit_forgets_the_pieces() -> None:
    rows, _ = clusters(2000)
    moved = rows + 1
    mixture = GaussianMixture(3, random_state=0).fit(rows)
    before = mixture.score(moved)
    for _ in range(20):
        mixture.partial_fit(moved)
    assert mixture.score(moved) > before + 0.1
    assert mixture.n_samples_seen_ == 2000 * 21
    mixture.fit(rows)
    np.testing.assert_array_equal(mixture.means_, GaussianMixture(3, random_state=0).fit(rows).means_)
    assert mixture.n_samples_seen_ == 2000


def test_the_first_piece_is_a_step_from_a_start_that_is_given() -> None:
    rows, _ = clusters(1000)
    begun = GaussianMixture(3, **start_of(MEANS, 3)).partial_fit(rows)
    assert begun.n_samples_seen_ == 1000
    assert (begun.means_ != MEANS).all()
    with pytest.raises(ValueError, match="2 rows for n_components = 3"):
        GaussianMixture(3).partial_fit(rows[:2])


# ---- input ----


def test_every_form_of_the_same_rows_gives_the_same_mixture() -> None:
    rows = np.round(overlapping() * 10).astype(np.int64)
    expected = GaussianMixture(2, random_state=0).fit(rows.astype(np.float64))
    frame = pandas.DataFrame(rows, columns=["a", "b", "c", "d"])
    for same in (rows, np.asfortranarray(rows), rows.tolist(), frame, rows.astype(np.int32)):
        found = GaussianMixture(2, random_state=0).fit(same)
        np.testing.assert_allclose(found.means_, expected.means_, rtol=1e-12)
    named = GaussianMixture(2, random_state=0).fit(frame)
    assert named.feature_names_in_.tolist() == ["a", "b", "c", "d"]
    with pytest.raises(ValueError, match="feature names should match"):
        named.predict(frame[["b", "a", "c", "d"]])


def test_float32_rows_are_fitted_in_float32_and_others_in_float64() -> None:
    rows = overlapping(2000)
    double, single = (GaussianMixture(3, random_state=0, tol=1e-4, precision=p) for p in ("auto", "float32"))
    narrow = rows.astype(np.float32)
    begin = start_of(rows, 3)
    of_rows = GaussianMixture(3, tol=1e-4, max_iter=1000, **begin).fit(narrow)
    asked = GaussianMixture(3, tol=1e-4, max_iter=1000, precision="float32", **begin).fit(narrow)
    np.testing.assert_array_equal(of_rows.means_, asked.means_)
    one, two = double.set_params(max_iter=1000).fit(rows), single.set_params(max_iter=1000).fit(rows)
    assert (one.means_ != two.means_).any()
    assert one.lower_bound_ == pytest.approx(two.lower_bound_, abs=1e-3)


@pytest.mark.parametrize("init_params", ["random_from_data", "split"])
def test_narrow_components_of_float32_rows_keep_their_digits(init_params: str) -> None:
    rng = np.random.default_rng(0)
    rows = (np.repeat(rng.uniform(-10, 10, (8, 4)), 300, axis=0) + 0.01 * rng.normal(size=(2400, 4))).astype(np.float32)
    settings: dict[str, Any] = {"init_params": init_params, "random_state": 1, "max_iter": 1000, "tol": 1e-5}
    chosen, double = (GaussianMixture(8, precision=p, **settings).fit(rows) for p in ("auto", "float64"))
    np.testing.assert_array_equal(chosen.covariances_, double.covariances_)


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([[0.0, np.nan], [1.0, 2.0]], "contains NaN"),
        ([[0.0, np.inf], [1.0, 2.0]], "contains infinity"),
        (np.zeros(5), "Expected 2D array, got 1D array"),
        (np.zeros((2, 2, 2)), "dim 3"),
        (np.zeros((0, 2)), "0 sample"),
        (np.zeros((1, 2)), "1 sample"),
        ([["a"], ["b"]], "could not convert string"),
        (np.eye(3) * 1j, "Complex data not supported"),
    ],
)
def test_rows_that_cannot_be_used_are_refused(rows: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        GaussianMixture().fit(rows)


def test_a_sparse_matrix_a_constant_column_and_too_few_rows_are_refused() -> None:
    with pytest.raises(TypeError, match="Sparse data was passed"):
        GaussianMixture().fit(sparse.eye(5, format="csr"))
    with pytest.raises(ValueError, match=r"dimension 0 is 1 in all 4 frames.*reg_covar is the floor"):
        GaussianMixture(reg_covar=0).fit(np.column_stack([np.ones(4), np.arange(4)]))
    with pytest.raises(ValueError, match=r"4 rows for n_components = 5; expected at least as many rows"):
        GaussianMixture(5).fit(np.zeros((4, 2)))
    with pytest.raises(ValueError, match="distinct"):
        GaussianMixture(3).fit(np.repeat([[0.0], [1.0]], 5, axis=0))


def test_another_number_of_columns_or_no_fit_is_refused() -> None:
    rows = overlapping()
    fitted = GaussianMixture(2, random_state=0).fit(rows)
    for method in (fitted.predict, fitted.predict_proba, fitted.score_samples, fitted.bic, fitted.partial_fit):
        with pytest.raises(ValueError, match="3 features"):
            method(rows[:, :3])
    for method in (GaussianMixture().predict, GaussianMixture().score_samples):
        with pytest.raises(NotFittedError):
            method(rows)
    with pytest.raises(NotFittedError):
        GaussianMixture().sample()


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"covariance_type": "round"}, r"covariance_type is 'round'; expected one of diag, full, tied, spherical"),
        ({"n_components": 0}, "n_components is 0; expected a whole number, 1 or more"),
        ({"n_components": 2.0}, "n_components is 2.0; expected a whole number"),
        ({"tol": -1.0}, "tol is -1.0; expected a number, 0 or more"),
        ({"reg_covar": -1e-6}, "reg_covar"),
        ({"max_iter": 1.5}, "max_iter"),
        ({"n_init": 0}, "n_init"),
        ({"verbose_interval": 0}, "verbose_interval"),
        ({"init_params": "best"}, "init_params is 'best'; expected one of kmeans, random_from_data, split"),
        ({"precision": "float16"}, "precision 'float16'; expected auto, float32 or float64"),
        ({"n_jobs": 0}, "n_jobs 0; expected a whole number of workers"),
        ({"random_state": "seed"}, "seed"),
        ({"means_init": np.zeros((1, 3))}, r"means_init has shape \(1, 3\); expected \(1, 4\)"),
        ({"weights_init": [0.5]}, "weights_init has sum 0.5"),
        ({"weights_init": [0.5, 0.5]}, r"weights_init has shape \(2,\); expected \(1,\)"),
        ({"precisions_init": [[1, 1, 0, 1]]}, "precisions_init has the value 0; expected all above 0"),
        ({"means_init": [[np.nan, 0, 0, 0]]}, "means_init has a value that is NaN or infinite"),
        ({"means_init": [["a", "b", "c", "d"]]}, r"means_init is .*; expected numbers of shape \(1, 4\)"),
    ],
)
def test_a_parameter_out_of_range_is_named(parameters: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        GaussianMixture(**parameters).fit(overlapping())


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ([1.0, 2.0], r"sample_weight has shape \(2,\); expected \(400,\)"),
        (np.zeros(400), "sample_weight is zero for all 400 rows"),
        (-np.ones(400), "frame 0 has weight -1.0"),
        (np.full(400, np.nan), "sample_weight contains NaN"),
    ],
)
def test_weights_that_cannot_be_used_are_refused(weights: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        GaussianMixture().fit(overlapping(), sample_weight=weights)


def test_verbose_prints_a_line_for_each_start_and_then_for_iterations(capsys: pytest.CaptureFixture[str]) -> None:
    rows = overlapping()
    settings = {"tol": 1e-6, "max_iter": 1000, "n_init": 2, "random_state": 0}
    fitted = GaussianMixture(3, verbose=1, **settings).fit(rows)
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(":")[0] for line in lines] == ["start 0", "start 1"]
    assert any(f"{fitted.lower_bound_:.5f} nats per row" in line for line in lines)
    GaussianMixture(3, verbose=2, verbose_interval=5, **settings).fit(rows)
    assert "  iteration 5:" in capsys.readouterr().out
    GaussianMixture(3, **settings).fit(rows)
    assert not capsys.readouterr().out


def test_a_fit_that_goes_on_refuses_other_components_and_columns() -> None:
    rows = np.random.default_rng(0).normal(size=(100, 3))
    for mixture in (GaussianMixture(2, warm_start=True), BayesianGaussianMixture(2, warm_start=True, max_iter=500)):
        mixture.fit(rows)
        with pytest.raises(
            ValueError, match="warm_start goes on from the fitted mixture of 2 components and 3 columns"
        ):
            mixture.set_params(n_components=3).fit(rows)
        with pytest.raises(ValueError, match="there are 2 columns; fit a clone"):
            mixture.set_params(n_components=2).fit(rows[:, :2])
    pieces = GaussianMixture(2).partial_fit(rows)
    with pytest.raises(ValueError, match="partial_fit goes on from the fitted mixture of 2 components"):
        pieces.set_params(n_components=3).partial_fit(rows)
