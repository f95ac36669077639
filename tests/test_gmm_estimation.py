"""Laws and oracles of EM and MAP: the prior, the update, the loop."""

import warnings
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.mixture import GaussianMixture
from threadpoolctl import threadpool_limits

from speechgmm.errors import ConfigError, FitError, ShapeError
from speechgmm.gmm import (
    ConjugatePrior,
    DiagGMM,
    GMMStats,
    accumulate,
    adapt_map,
    fit_em,
    fit_gmm,
    objective,
    prepare,
)
from speechgmm.gmm.progress import ROUNDING

PRECISIONS = ("float32", "float64")
FLAT = ConjugatePrior.flat


def some_mixture(rng, n_components=5, n_features=3):
    means = 2 * rng.normal(size=(n_components, n_features))
    return DiagGMM(rng.dirichlet(np.full(n_components, 5.0)), means, rng.uniform(0.3, 1.5, size=means.shape))


def draw(rng, model, n_frames):
    k = rng.choice(model.n_components, size=n_frames, p=model.weights)
    return model.means[k] + np.sqrt(model.variances[k]) * rng.normal(size=(n_frames, model.n_features))


def statistics(model, frames, precision="float64"):
    (batch,) = prepare(frames, precision=precision, block=len(frames))
    return accumulate(model.log_linear(), batch)


def assert_same_model(a, b, tolerance=1e-9):
    for name in ("weights", "means", "variances"):
        np.testing.assert_allclose(getattr(a, name), getattr(b, name), rtol=tolerance, atol=tolerance, err_msg=name)


def test_one_em_step_is_that_of_scikit_learn():
    rng = np.random.default_rng(0)
    start = some_mixture(rng, 6, 4)
    frames = draw(rng, some_mixture(rng, 6, 4), 2000)
    oracle = GaussianMixture(
        6,
        covariance_type="diag",
        reg_covar=0,
        max_iter=1,
        tol=0,
        weights_init=start.weights,
        means_init=start.means,
        precisions_init=1 / start.variances,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it says that one step does not converge
        oracle.fit(frames)
    fit = fit_em(start, prepare(frames, precision="float64"), FLAT(6, 4), max_iter=1, tol=0)
    assert_same_model(fit.model, DiagGMM(oracle.weights_, oracle.means_, oracle.covariances_), 1e-10)
    assert fit.trace[1] == pytest.approx(oracle.score(frames), abs=1e-10)
    assert fit.trace[0] == pytest.approx(oracle.lower_bound_, abs=1e-10)


def test_map_means_and_variances_are_those_of_reynolds_2000():
    rng = np.random.default_rng(1)
    ubm = some_mixture(rng)
    frames = draw(rng, some_mixture(rng), 300)
    stats = statistics(ubm, frames).about(0)
    n = stats.counts[:, None]
    alpha = n / (n + 16)  # eq. 14
    means = alpha * stats.sums / n + (1 - alpha) * ubm.means  # eq. 12
    variances = alpha * stats.squares / n + (1 - alpha) * (ubm.variances + ubm.means**2) - means**2  # eq. 13
    fit = adapt_map(ubm, frames, 16, parameters=("weights", "means", "variances"), precision="float64")
    np.testing.assert_allclose(fit.model.means, means, rtol=1e-10)
    np.testing.assert_allclose(fit.model.variances, variances, rtol=1e-10)
    tau = 16 * ubm.n_components
    np.testing.assert_allclose(fit.model.weights, (stats.counts + tau * ubm.weights) / (300 + tau), rtol=1e-10)


def test_means_only_map_leaves_weights_and_variances_alone():
    rng = np.random.default_rng(2)
    ubm = some_mixture(rng)
    model = adapt_map(ubm, draw(rng, ubm, 100) + 1).model
    np.testing.assert_array_equal(model.weights, ubm.weights)
    np.testing.assert_array_equal(model.variances, ubm.variances)
    assert (model.means != ubm.means).all()


@pytest.mark.parametrize("update", [("means",), ("variances",), ("weights",), ("weights", "means", "variances")])
def test_infinite_relevance_is_the_background_model_and_zero_is_maximum_likelihood(update):
    rng = np.random.default_rng(3)
    ubm = some_mixture(rng)
    frames = draw(rng, some_mixture(rng), 500)
    options = {"parameters": update, "max_iter": 1, "precision": "float64"}
    assert_same_model(adapt_map(ubm, frames, 1e12, **options).model, ubm, 1e-8)
    batches = prepare(frames, precision="float64")
    likeliest = fit_em(ubm, batches, FLAT(5, 3), max_iter=1, tol=0, update=update).model
    assert_same_model(adapt_map(ubm, frames, 0, **options).model, likeliest, 1e-8)


def test_a_component_without_frames_stays_the_background_models():
    ubm = DiagGMM([0.5, 0.5], [[0.0], [1000.0]], [[1.0], [1.0]])
    fit = adapt_map(ubm, [[0.0], [1.0], [2.0]], 4, parameters=("weights", "means", "variances"))
    assert fit.model.means[1, 0] == pytest.approx(1000)
    assert fit.model.variances[1, 0] == pytest.approx(1.0, rel=1e-9)
    assert fit.dead == ()


def test_each_parameter_has_its_own_relevance():
    """Where they are equal, it is the one relevance; the mean moves by its own; the variance is the joint mode's."""
    rng = np.random.default_rng(4)
    ubm = DiagGMM([1.0], [[1.0, -1.0]], [[2.0, 0.5]])
    frames = rng.normal(2.0, 1.5, size=(40, 2))
    options = {"parameters": ("weights", "means", "variances"), "precision": "float64"}
    same = adapt_map(ubm, frames, 7, mean_relevance=7, variance_relevance=7, weight_relevance=7, **options).model
    assert_same_model(same, adapt_map(ubm, frames, 7, **options).model, 1e-12)
    found = adapt_map(ubm, frames, 7, mean_relevance=3, variance_relevance=20, **options).model
    mean = (3 * ubm.means + frames.sum(axis=0)) / 43
    scatter = 20 * ubm.variances + ((frames - mean) ** 2).sum(axis=0) + 3 * (mean - ubm.means) ** 2
    np.testing.assert_allclose(found.means, mean, rtol=1e-12)
    np.testing.assert_allclose(found.variances, scatter / 60, rtol=1e-12)


def test_relevance_of_one_parameter_leaves_the_others_where_they_are():
    rng = np.random.default_rng(5)
    ubm = some_mixture(rng)
    frames = draw(rng, ubm, 300) + 0.5
    options = {"parameters": ("weights", "means", "variances"), "precision": "float64"}
    base = adapt_map(ubm, frames, 16, **options).model
    heavy = adapt_map(ubm, frames, 16, weight_relevance=1e12, **options).model
    np.testing.assert_allclose(heavy.weights, ubm.weights, rtol=1e-6)
    np.testing.assert_allclose(heavy.means, base.means, rtol=1e-12)
    still = adapt_map(ubm, frames, 16, variance_relevance=1e12, **options).model
    np.testing.assert_allclose(still.variances, ubm.variances, rtol=1e-6)
    np.testing.assert_allclose(still.means, base.means, rtol=1e-12)
    stuck = adapt_map(ubm, frames, 16, mean_relevance=1e12, **options).model
    np.testing.assert_allclose(stuck.means, ubm.means, rtol=1e-6, atol=1e-6)


def test_a_variance_without_frames_or_relevance_stays_the_background_models():
    ubm = DiagGMM([0.5, 0.5], [[0.0], [1000.0]], [[1.0], [3.0]])
    options = {"parameters": ("means", "variances"), "variance_relevance": 0, "floor": 0.1}
    model = adapt_map(ubm, [[0.1], [0.5], [-0.4]], 4, **options).model
    assert model.variances[1, 0] == 3.0
    assert model.variances[0, 0] != 1.0


def test_prior_plus_statistics_is_the_joint_update_of_gauvain_and_lee():
    rng = np.random.default_rng(4)
    model = some_mixture(rng)
    prior = ConjugatePrior.around(model, 7.0, weight_relevance=11.0)
    stats = statistics(model, draw(rng, model, 80)).about(0)
    posterior = prior + stats
    n, kappa = stats.counts[:, None], prior.mean_counts[:, None]
    means = (kappa * prior.means + stats.sums) / (kappa + n)
    scatter = prior.scatter + stats.squares + kappa * prior.means**2 - (kappa + n) * means**2
    np.testing.assert_allclose(posterior.means, means, rtol=1e-12)
    np.testing.assert_allclose(posterior.scatter, scatter, rtol=1e-10)
    np.testing.assert_allclose(posterior.weight_counts, 11 * model.weights + stats.counts)
    np.testing.assert_allclose(posterior.variance_counts, 7 + stats.counts)


def test_adding_statistics_in_two_parts_gives_the_same_posterior():
    rng = np.random.default_rng(5)
    model = some_mixture(rng)
    first, second = statistics(model, draw(rng, model, 40)), statistics(model, draw(rng, model, 60))
    prior = ConjugatePrior.around(model, 3.0)
    at_once, in_turn = prior + (first + second), prior + first + second
    for name in ("weight_counts", "mean_counts", "variance_counts", "means", "scatter"):
        np.testing.assert_allclose(getattr(in_turn, name), getattr(at_once, name), rtol=1e-10)


@pytest.mark.parametrize("update", [("means",), ("variances",), ("weights",), ("weights", "means", "variances")])
def test_no_neighbour_of_the_mode_has_a_higher_density(update):
    rng = np.random.default_rng(6)
    model = some_mixture(rng)
    posterior = ConjugatePrior.around(model, 5.0) + statistics(model, draw(rng, some_mixture(rng), 200))
    floor = np.array([0.0, 1.0, 0.0])
    start = DiagGMM(model.weights, model.means, np.maximum(model.variances, floor))
    mode = posterior.mode(start, floor=floor, update=update)
    best = posterior.log_density(mode)
    for _ in range(200):
        weights, means, variances = mode.weights, mode.means, mode.variances
        if "weights" in update:
            weights = weights * np.exp(0.05 * rng.normal(size=5))
        if "means" in update:
            means = means + 0.05 * rng.normal(size=means.shape)
        if "variances" in update:
            variances = np.maximum(variances * np.exp(0.05 * rng.normal(size=means.shape)), floor)
        assert posterior.log_density(DiagGMM(weights / weights.sum(), means, variances)) < best


def test_the_flat_prior_has_log_density_zero_even_beside_a_weight_of_zero():
    assert FLAT(2, 1).log_density(DiagGMM([1.0, 0.0], [[0.0], [1.0]], [[1.0], [1.0]])) == 0


@settings(max_examples=20, deadline=None)
@given(
    st.integers(0, 10_000),
    st.sampled_from(PRECISIONS),
    st.sampled_from([0.0, 3.0]),
    st.sampled_from([0.01, 0.5, 1.0]),
    st.sampled_from([("means",), ("weights", "variances"), ("weights", "means", "variances")]),
)
def test_the_objective_never_falls(seed, precision, relevance, floor, update):
    rng = np.random.default_rng(seed)
    start = some_mixture(rng, 8, 3)
    frames = draw(rng, some_mixture(rng, 8, 3), 400)
    fit = fit_em(
        start,
        prepare(frames, precision=precision),
        ConjugatePrior.around(some_mixture(rng, 8, 3), relevance),
        max_iter=15,
        tol=0.0,
        floor=floor,
        update=update,
    )
    assert np.diff(fit.trace).min() >= -ROUNDING[precision] * max(1.0, np.abs(fit.trace).max())
    assert fit.fell == ()
    assert (fit.model.variances >= floor).all() or "variances" not in update


def test_a_fall_is_reported_and_never_called_converged(monkeypatch):
    values = iter([-3.0, -2.0, -2.5, -2.5, -2.5])
    monkeypatch.setattr("speechgmm.gmm.em.objective", lambda *_: next(values))
    rng = np.random.default_rng(7)
    model = some_mixture(rng)
    fit = fit_em(model, prepare(draw(rng, model, 100)), FLAT(5, 3), max_iter=4, tol=1e-4, floor=0.1)
    assert fit.trace == (-3.0, -2.0, -2.5, -2.5, -2.5)  # a step that its statistics say gains more is not the end
    assert fit.fell == (2,)
    assert not fit.converged


def test_the_last_value_of_the_trace_is_that_of_the_model_returned():
    rng = np.random.default_rng(8)
    model = some_mixture(rng)
    frames = draw(rng, model, 300)
    prior = ConjugatePrior.around(model, 2.0)
    for max_iter in (0, 1, 3):
        fit = fit_em(model, prepare(frames, precision="float64"), prior, max_iter=max_iter, tol=0)
        assert len(fit.trace) == max_iter + 1
        assert fit.trace[-1] == pytest.approx(objective(statistics(fit.model, frames), prior, fit.model), rel=1e-12)


def test_a_start_below_the_floor_is_raised_to_it_before_the_objective_counts():
    start = DiagGMM([1.0], [[0.0]], [[1e-3]])
    fit = fit_em(start, prepare([[0.0], [0.1]]), FLAT(1, 1), max_iter=3, tol=1e-6, floor=0.5)
    assert fit.fell == ()
    assert fit.converged
    assert fit.floored == 1
    assert fit.model.variances[0, 0] == 0.5


def test_permuting_components_permutes_the_result():
    rng = np.random.default_rng(9)
    start = some_mixture(rng)
    batches = prepare(draw(rng, some_mixture(rng), 300), precision="float64")
    order = rng.permutation(5)
    moved = DiagGMM(start.weights[order], start.means[order], start.variances[order])
    a = fit_em(start, batches, FLAT(5, 3), max_iter=5, tol=0, floor=0.01).model
    b = fit_em(moved, batches, FLAT(5, 3), max_iter=5, tol=0, floor=0.01).model
    assert_same_model(DiagGMM(a.weights[order], a.means[order], a.variances[order]), b)


def test_permuting_frames_changes_nothing():
    rng = np.random.default_rng(10)
    start, frames = some_mixture(rng), draw(rng, some_mixture(rng), 300)
    a, b = (
        fit_em(start, prepare(x, precision="float64"), FLAT(5, 3), max_iter=5, tol=0, floor=0.01).model
        for x in (frames, rng.permutation(frames))
    )
    assert_same_model(a, b)


@pytest.mark.parametrize("precision", PRECISIONS)
def test_shifting_and_scaling_the_frames_moves_the_fit_along(precision):
    rng = np.random.default_rng(11)
    frames = draw(rng, some_mixture(rng), 500)
    shift, scale = np.array([1.0, -200.0, 30.0]), np.array([0.01, 1.0, 400.0])
    options = {"n_components": 4, "seed": 3, "init": "split", "precision": precision, "tol": 0.0, "max_iter": 5}
    here, there = fit_gmm(frames, **options), fit_gmm(shift + scale * frames, **options)
    tolerance = {"float32": 1e-2, "float64": 1e-6}[precision]
    np.testing.assert_allclose(there.model.weights, here.model.weights, rtol=tolerance)
    np.testing.assert_allclose((there.model.means - shift) / scale, here.model.means, rtol=tolerance, atol=tolerance)
    np.testing.assert_allclose(there.model.variances / scale**2, here.model.variances, rtol=tolerance)
    assert there.trace[-1] == pytest.approx(here.trace[-1] - np.log(scale).sum(), abs=1e-4)


def test_whole_number_weights_equal_repetition_in_a_fit():
    rng = np.random.default_rng(12)
    start, frames = some_mixture(rng), draw(rng, some_mixture(rng), 200)
    times = rng.integers(0, 4, size=200)
    weighted = fit_em(
        start, prepare(frames, weights=times, precision="float64"), FLAT(5, 3), max_iter=5, tol=0, floor=0.01
    )
    repeated = fit_em(
        start,
        prepare(np.repeat(frames, times, axis=0), precision="float64"),
        FLAT(5, 3),
        max_iter=5,
        tol=0,
        floor=0.01,
    )
    assert_same_model(weighted.model, repeated.model)
    assert weighted.n_frames == repeated.n_frames == times.sum()


def test_scaling_all_weights_changes_no_maximum_likelihood_fit():
    rng = np.random.default_rng(13)
    frames = draw(rng, some_mixture(rng), 300)
    fits = [fit_gmm(frames, 4, weights=np.full(300, w), precision="float64") for w in (1.0, 1e-6)]
    assert_same_model(fits[0].model, fits[1].model, 1e-6)
    assert fits[1].dead == ()


def test_a_dead_component_keeps_its_mean_and_variance_and_is_listed():
    start = DiagGMM([0.5, 0.5], [[0.0], [1000.0]], [[1.0], [2.0]])
    fit = fit_em(start, prepare([[0.0], [1.0], [2.0]]), FLAT(2, 1), max_iter=5, tol=0, floor=0.01)
    assert fit.dead == (1,)
    assert fit.resplit == ()
    assert (fit.model.means[1, 0], fit.model.variances[1, 0], fit.model.weights[1]) == (1000.0, 2.0, 0.0)
    assert fit.model.means[0, 0] == pytest.approx(1.0)


def test_a_dead_component_is_resplit_from_the_heaviest_and_listed():
    frames = np.concatenate([np.random.default_rng(14).normal(m, 0.1, size=(100, 1)) for m in (-1.0, 1.0)])
    start = DiagGMM([0.5, 0.5], [[0.0], [1000.0]], [[1.0], [2.0]])
    fit = fit_em(start, prepare(frames), FLAT(2, 1), max_iter=30, tol=1e-6, floor=1e-3, dead="resplit")
    assert fit.resplit == (1,)
    assert fit.dead == ()
    assert fit.fell == ()
    np.testing.assert_allclose(np.sort(fit.model.means.ravel()), [-1, 1], atol=0.1)


def test_a_fall_after_a_resplit_is_no_broken_guarantee_and_no_convergence():
    frames = np.random.default_rng(17).normal(size=(200, 1))
    optimum = DiagGMM([1.0, 0.0], [[frames.mean()], [0.0]], [[frames.var()], [1.0]])
    fit = fit_em(
        optimum, prepare(frames, precision="float64"), FLAT(2, 1), max_iter=2, tol=10.0, floor=0.1, dead="resplit"
    )
    assert fit.trace[1] < fit.trace[0] - 1e-6
    assert len(fit.trace) == 3
    assert fit.fell == ()


def test_the_last_update_never_returns_an_untrained_resplit_component():
    start = DiagGMM([0.5, 0.5], [[0.0], [1000.0]], [[1.0], [2.0]])
    fit = fit_em(start, prepare([[0.0], [1.0]]), FLAT(2, 1), max_iter=1, tol=0, floor=0.01, dead="resplit")
    assert (fit.dead, fit.resplit) == ((1,), ())


def test_a_component_that_shrinks_to_a_point_without_a_floor_is_refused():
    start = DiagGMM([0.5, 0.5], [[0.0], [50.0]], [[1.0], [1.0]])
    with pytest.raises(FitError, match=r"component 1 has shrunk to a point in dimension 0 .* set a variance floor"):
        fit_em(start, prepare([[0.0], [1.0], [50.0]], precision="float64"), FLAT(2, 1), max_iter=5, tol=0)


@pytest.mark.parametrize("point", [0.1, 1 / 3, 1e4 + 0.7, -3e6 - 0.1])
def test_a_point_is_known_for_a_point_beneath_the_rounding_of_its_squares(point):
    frames = np.array([[0.0], [1.0]] + [[point + 50]] * 7)
    start = DiagGMM([0.5, 0.5], [[0.5], [point + 50]], [[1.0], [1.0]])
    for shares in np.random.default_rng(0).uniform(0.1, 2, size=(20, 9)):
        batches = prepare(frames, weights=shares, precision="float64")
        with pytest.raises(FitError, match="component 1 has shrunk to a point"):
            fit_em(start, batches, FLAT(2, 1), max_iter=5, tol=0)


def test_serial_and_threaded_maps_give_identical_bytes():
    rng = np.random.default_rng(15)
    frames = rng.normal(size=(50_000, 6)).astype(np.float32)
    with threadpool_limits(1), ThreadPoolExecutor(3) as pool:
        assert len(prepare(frames)) > 2
        fits = [fit_gmm(frames, 16, seed=1, max_iter=3, map=m) for m in (map, pool.map)]
    for name in ("weights", "means", "variances"):
        assert getattr(fits[0].model, name).tobytes() == getattr(fits[1].model, name).tobytes()
    assert fits[0].trace == fits[1].trace


def test_many_threads_may_make_the_first_call_at_once():
    rng = np.random.default_rng(16)
    model = some_mixture(rng)
    batches = prepare(draw(rng, model, 4000), block=64) * 8
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(lambda batch: accumulate(model.log_linear(), batch).log_likelihood, batches))
    alone = [accumulate(model.log_linear(), batch).log_likelihood for batch in batches]
    np.testing.assert_allclose(together, alone, rtol=1e-6)


def test_resplitting_where_every_component_is_dead_is_refused():
    model = DiagGMM([0.5, 0.5], [[0.0], [1.0]], [[1.0], [1.0]])
    batches = prepare([[0.0], [1.0]], weights=[1e-6, 1e-6])
    with pytest.raises(FitError, match="every component is dead"):
        fit_em(model, batches, FLAT(2, 1), max_iter=3, tol=0, floor=0.1, dead="resplit")


def test_options_that_make_no_sense_are_refused():
    model = DiagGMM([1.0], [[0.0]], [[1.0]])
    batches, flat = prepare([[0.0], [1.0]]), FLAT(1, 1)
    with pytest.raises(ConfigError, match="parameters to update: \\('sigma',\\)"):
        fit_em(model, batches, flat, max_iter=1, tol=0, update=("sigma",))
    with pytest.raises(ConfigError, match="expected some of weights, means, variances"):
        fit_em(model, batches, flat, max_iter=1, tol=0, update=())
    with pytest.raises(ConfigError, match="as a tuple"):
        fit_em(model, batches, flat, max_iter=1, tol=0, update="means")
    with pytest.raises(ConfigError, match="update all three, or keep"):
        fit_em(model, batches, flat, max_iter=1, tol=0, update=("means",), dead="resplit")
    with pytest.raises(ConfigError, match="dead components: 'drop'"):
        fit_em(model, batches, flat, max_iter=1, tol=0, dead="drop")
    with pytest.raises(ConfigError, match="max_iter -1"):
        fit_em(model, batches, flat, max_iter=-1, tol=0)
    with pytest.raises(ConfigError, match="tol nan"):
        fit_em(model, batches, flat, max_iter=1, tol=float("nan"))
    with pytest.raises(FitError, match="expected at least one batch"):
        fit_em(model, (), flat, max_iter=1, tol=0)
    with pytest.raises(ShapeError, match="a prior of shape \\(2, 1\\) for a start of shape \\(1, 1\\)"):
        fit_em(model, batches, FLAT(2, 1), max_iter=1, tol=0)
    with pytest.raises(FitError, match="relevance -1; expected a number of frames"):
        ConjugatePrior.around(model, -1)
    with pytest.raises(FitError, match="relevance inf"):
        ConjugatePrior.around(model, float("inf"))
    with pytest.raises(FitError, match="neither the data nor the prior"):
        flat.mode(model)


def test_an_objective_that_is_not_finite_is_refused():
    stats = GMMStats(np.ones(1), np.ones((1, 1)), np.ones((1, 1)), -np.inf, 1.0)
    model = DiagGMM([1.0], [[0.0]], [[1.0]])
    with pytest.raises(FitError, match="the objective is -inf"):
        objective(stats, FLAT(1, 1), model)
    with pytest.raises(FitError, match="all of weight 0"):
        objective(GMMStats(np.ones(1), np.ones((1, 1)), np.ones((1, 1)), 0.0, 0.0), FLAT(1, 1), model)
