"""Laws of models that hear more: online EM for streams, and updates of what was trained before."""

import numpy as np
import pytest

from speechgmm.errors import ConfigError, FitError, ShapeError
from speechgmm.gmm import ConjugatePrior, DiagGMM, OnlineEM, adapt_map, fit_gmm, log_likelihoods, update
from speechgmm.gmm.updating import statistics_of

SETS = [("means",), ("weights",), ("variances",), ("means", "variances"), ("weights", "means", "variances")]


def stream(seed, n_frames, n_clusters=6, n_features=3):
    """Overlapping clusters, the same for every seed."""
    rng = np.random.default_rng(99)
    means, deviations = 2 * rng.normal(size=(n_clusters, n_features)), rng.uniform(0.5, 1.5, (n_clusters, n_features))
    rng = np.random.default_rng(seed)
    k = rng.integers(n_clusters, size=n_frames)
    return means[k] + deviations[k] * rng.normal(size=(n_frames, n_features))


def held_out(model):
    return log_likelihoods(model.log_linear(), stream(7, 4000)).mean()


def background():
    return fit_gmm(stream(3, 2000), 8, precision="float64").model


@pytest.mark.parametrize(("exponent", "within"), [(0.6, 0.05), (0.7, 0.05), (0.9, 0.1)])
def test_one_pass_improves_on_its_start_and_comes_close_to_batch_em(exponent, within):
    frames = stream(0, 40_000)
    online = OnlineEM.begin(frames[:1000], 6, exponent=exponent, batch=500)
    before = held_out(online.model)
    online.partial_fit(frames[1000:])
    after = held_out(online.finish())
    assert online.n_frames == 40_000
    assert after > before + 0.02
    assert after > held_out(fit_gmm(frames, 6).model) - within


def test_how_the_stream_is_cut_changes_no_byte():
    frames = stream(1, 5300)
    found = []
    for cuts in ([], [1, 2, 700, 701, 4000], [2500]):
        online = OnlineEM.begin(stream(2, 500), 4, batch=400)
        for part in np.split(frames, cuts):
            online.partial_fit(part)
        found.append((online.model.means.tobytes(), online.finish().means.tobytes()))
    assert found[0] == found[1] == found[2]
    assert found[0][0] != found[0][1]


def test_another_order_of_batches_ends_nearly_as_well():
    frames = stream(4, 30_000)
    ends = []
    for order in (np.arange(60), np.random.default_rng(0).permutation(60)):
        online = OnlineEM.begin(stream(2, 1000), 6, batch=500)
        online.partial_fit(frames.reshape(60, 500, 3)[order].reshape(-1, 3))
        ends.append(held_out(online.model))
    assert abs(ends[0] - ends[1]) < 0.03


def test_with_exponent_one_and_one_component_the_model_is_the_moments_of_all_frames():
    frames = stream(5, 3150) + 5.0
    online = OnlineEM.begin(frames[:400], 1, exponent=1.0, batch=200, precision="float64")
    online.partial_fit(frames[400:])
    model = online.finish()
    np.testing.assert_allclose(model.means[0], frames.mean(axis=0), rtol=1e-12)
    np.testing.assert_allclose(model.variances[0], frames.var(axis=0), rtol=1e-10)


def test_memory_is_that_of_one_batch():
    online = OnlineEM.begin(stream(0, 500), 2, batch=1000)
    for _ in range(7):
        online.partial_fit(stream(1, 300))
    assert sum(len(part) for part in online._rest) == 100


def test_a_strong_prior_holds_the_model_against_the_stream():
    ubm = background()
    online = OnlineEM(ubm, prior=ConjugatePrior.around(ubm, 1e9), batch=500)
    online.partial_fit(stream(6, 2000) + 3.0)
    np.testing.assert_allclose(online.model.means, ubm.means, atol=1e-4)


@pytest.mark.parametrize(
    ("options", "message"),
    [({"exponent": 0.5}, "exponent 0.5"), ({"exponent": 1.1}, "exponent 1.1"), ({"batch": 0}, "batches of 0 frames")],
)
def test_steps_that_do_not_converge_are_refused(options, message):
    with pytest.raises(ConfigError, match=message):
        OnlineEM(background(), **options)


def test_bad_frames_of_a_stream_are_named():
    online = OnlineEM(background())
    with pytest.raises(ShapeError, match="frames of 2 dimensions for a model of 3"):
        online.partial_fit(np.zeros((5, 2)))
    with pytest.raises(FitError, match="frame 1 is nan"):
        online.partial_fit([[0.0, 0, 0], [np.nan, 0, 0]])
    with pytest.raises(FitError, match="dimension 1 is the same in the first 3 frames"):
        OnlineEM.begin([[1.0, 5.0], [2.0, 5.0], [3.0, 5.0]], 1)


def test_a_mixture_and_its_counts_are_the_statistics_it_was_made_from():
    model = background()
    counts = 2000 * model.weights
    again = (ConjugatePrior.flat(8, 3) + statistics_of(model, counts)).mode(model)
    for name in ("weights", "means", "variances"):
        np.testing.assert_allclose(getattr(again, name), getattr(model, name), rtol=1e-9)


@pytest.mark.parametrize("parameters", SETS)
def test_an_adapted_mixture_and_its_counts_are_the_statistics_it_was_made_from(parameters):
    ubm = background()
    fit = adapt_map(ubm, stream(8, 900) + 1.0, 12, parameters=parameters, precision="float64")
    prior = ConjugatePrior.around(ubm, 12)
    posterior = prior + statistics_of(fit.model, fit.counts, prior, parameters)
    again = posterior.mode(ubm, update=parameters)
    for name in ("weights", "means", "variances"):
        np.testing.assert_allclose(getattr(again, name), getattr(fit.model, name), rtol=1e-8, atol=1e-10)


def test_one_component_updated_in_two_parts_is_the_one_trained_on_the_whole():
    frames = stream(9, 1000)
    first = fit_gmm(frames[:300], 1, precision="float64")
    assert first.counts.tolist() == [300]
    second = update(first.model, frames[300:], first.counts, precision="float64")
    whole = fit_gmm(frames, 1, precision="float64")
    np.testing.assert_allclose(second.model.means, whole.model.means, rtol=1e-12)
    np.testing.assert_allclose(second.model.variances, whole.model.variances, rtol=1e-10)
    assert second.counts.tolist() == [1000]


@pytest.mark.parametrize("parameters", SETS)
def test_an_adapted_model_updated_in_two_parts_is_the_one_adapted_to_the_whole(parameters):
    ubm, frames = background(), stream(10, 1000) + 0.5
    options = {"relevance": 16, "parameters": parameters, "weight_relevance": 30.0, "mean_relevance": 4.0,
               "precision": "float64"}  # fmt: skip
    first = adapt_map(ubm, frames[:400], **options)
    second = update(first.model, frames[400:], first.counts, ubm=ubm, **options)
    whole = adapt_map(ubm, frames, **options)
    for name in ("weights", "means", "variances"):
        np.testing.assert_allclose(getattr(second.model, name), getattr(whole.model, name), rtol=1e-7, atol=1e-9)
    np.testing.assert_allclose(second.counts, whole.counts, rtol=1e-9)


def test_what_is_not_kept_is_as_if_it_had_not_been_heard():
    ubm, old, new = background(), stream(11, 500), stream(12, 300) + 1.0
    first = adapt_map(ubm, old, 16, precision="float64")
    fit = update(first.model, new, first.counts, ubm=ubm, relevance=16, keep=0.0, precision="float64")
    np.testing.assert_allclose(fit.model.means, adapt_map(ubm, new, 16, precision="float64").model.means, rtol=1e-9)
    half = update(first.model, new, first.counts, ubm=ubm, relevance=16, keep=0.5)
    assert half.counts.sum() == pytest.approx(550, rel=1e-4)


def test_an_update_moves_a_model_to_new_frames_and_less_so_the_more_it_has_seen():
    old, new, later = stream(13, 2000), stream(14, 2000) + 1.0, stream(15, 2000) + 1.0
    fit = fit_gmm(old, 6)
    gains = []
    for worth in (200.0, 2000.0, 20_000.0):
        updated = update(fit.model, new, worth, max_iter=5, floor=0.01)
        assert np.diff(updated.trace).min(initial=0) > -1e-5
        gain = log_likelihoods(updated.model.log_linear(), later) - log_likelihoods(fit.model.log_linear(), later)
        gains.append(gain.mean())
    assert gains[0] > gains[1] > gains[2] > 0


def test_a_model_updated_by_frames_like_its_own_predicts_nearly_like_one_trained_on_all():
    first, second = stream(16, 1500), stream(17, 1500)
    fit = fit_gmm(first, 6)
    updated = update(fit.model, second, fit.counts, max_iter=5).model
    whole = fit_gmm(np.concatenate([first, second]), 6, start=fit.model).model
    assert held_out(updated) > held_out(fit.model)
    assert held_out(updated) > held_out(whole) - 0.05


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"counts": [1.0, 2.0]}, ShapeError, r"counts of shape \(2,\) for 8 components"),
        ({"counts": 0.0}, FitError, "expected the frames that a model has seen"),
        ({"counts": -3.0}, FitError, "expected the frames that a model has seen"),
        ({"counts": 9.0, "keep": -1.0}, ConfigError, "keep -1"),
        ({"counts": 9.0, "ubm": DiagGMM([1.0], np.zeros((1, 3)), np.ones((1, 3)))}, ShapeError, "background model of"),
    ],
)
def test_counts_that_cannot_be_are_named(options, error, message):
    with pytest.raises(error, match=message):
        update(background(), stream(0, 50), **options)
