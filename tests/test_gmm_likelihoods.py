"""Laws of scoring: many mixtures at once, in float32 and float64, over all components or the best."""

import warnings
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from scipy.special import logsumexp

from speechgmm.errors import DataError, FitWarning, ShapeError
from speechgmm.features import FeatureSpec, extract
from speechgmm.gmm import DiagGMM, Space, Stack, TopStack, fit_gmm
from speechgmm.io.audio import read_recording
from speechgmm.tasks.classification import ClassModels

PRECISIONS = ("float32", "float64")
TOLERANCE = {"float32": 1e-5, "float64": 1e-12}  # relative, of a frame's score


def mixture(rng, n_components=8, n_features=5, offset=0.0):
    return DiagGMM(
        rng.dirichlet(np.full(n_components, 3.0)),
        offset + rng.normal(size=(n_components, n_features)),
        rng.uniform(0.2, 2, size=(n_components, n_features)),
    )


def adapted(rng, ubm, amount=0.3):
    return DiagGMM(
        ubm.weights, ubm.means + amount * np.sqrt(ubm.variances) * rng.normal(size=ubm.means.shape), ubm.variances
    )


def components(model, frames):
    """The obvious: log p(k, x) (K, T) from the density itself."""
    away = frames[None] - model.means[:, None]
    norm = np.log(2 * np.pi * model.variances).sum(axis=1)[:, None]
    with np.errstate(divide="ignore"):
        return np.log(model.weights)[:, None] - 0.5 * (norm + (away**2 / model.variances[:, None]).sum(axis=2))


def dense(models, frames):
    return np.array([logsumexp(components(model, frames), axis=0) for model in models])


@pytest.mark.parametrize("precision", PRECISIONS)
def test_mixtures_of_any_sizes_in_any_order_score_as_their_densities_say(precision):
    rng = np.random.default_rng(0)
    models = [mixture(rng, k) for k in (3, 1, 70, 3, 600, 1, 3)]
    frames = rng.normal(size=(1100, 5))
    found = Stack.of(models, precision=precision).log_likelihoods(frames)
    assert found.dtype == np.float64
    np.testing.assert_allclose(found, dense(models, frames), rtol=TOLERANCE[precision])


@pytest.mark.parametrize("precision", PRECISIONS)
def test_any_number_of_frames_is_scored_as_each_would_be_alone(precision):
    rng = np.random.default_rng(1)
    stack = Stack.of([mixture(rng, 40) for _ in range(30)], precision=precision)
    frames = rng.normal(size=(1025, 5)).astype(np.float32)
    together = stack.log_likelihoods(frames)
    for n_frames in (1, 2, 511, 512, 513, 1024):
        np.testing.assert_allclose(
            stack.log_likelihoods(frames[:n_frames]), together[:, :n_frames], rtol=TOLERANCE[precision], atol=1e-4
        )
    assert stack.log_likelihoods(frames[:0]).shape == (30, 0)


@pytest.mark.parametrize("offset", [0.0, 30.0, 1000.0])
def test_in_float32_means_are_within_1e_7_of_those_in_float64_at_any_offset(offset):
    rng = np.random.default_rng(2)
    models = [mixture(rng, 64, 39, offset) for _ in range(20)]
    frames = offset + 1.2 * rng.normal(size=(300, 39))
    stack = Stack.of(models)
    assert stack.factors.dtype == np.float32
    means = stack.log_likelihoods(frames).mean(axis=1)
    np.testing.assert_allclose(means, dense(models, frames).mean(axis=1), rtol=1e-7)


def test_in_float32_the_total_of_real_speech_is_within_1e_7_of_that_in_float64(shared: Path):
    spec = FeatureSpec(preset="kaldi", n_mels=40, n_ceps=24, deltas=1, cmvn="none")
    folder = shared / "data" / "fsdd" / "recordings"
    speakers = {
        name: [
            extract(spec, read_recording(folder / f"{digit}_{name}_{take}.wav", sample_rate=8000).samples, 8000)
            for digit in range(10)
            for take in (0, 1)
        ]
        for name in ("george", "jackson", "theo", "yweweler")
    }
    floor = 0.05 * np.concatenate([frames for parts in speakers.values() for frames in parts]).var(axis=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FitWarning)  # few frames will do here
        options = {"floor": floor, "max_iter": 5, "n_init": 1}
        models = [fit_gmm(np.concatenate(parts[1::2]), 32, **options).model for parts in speakers.values()]
    single = Stack.of(models)
    assert single.factors.dtype == np.float32
    double = Stack.of(models, precision="float64")
    tests = [frames for parts in speakers.values() for frames in parts[::2]]
    totals = [[stack.log_likelihoods(frames).sum(axis=1) for frames in tests] for stack in (single, double)]
    np.testing.assert_allclose(np.sum(totals[0], axis=0), np.sum(totals[1], axis=0), rtol=1e-7)
    # The rounding of half a second of frames has not yet averaged out.
    np.testing.assert_allclose(totals[0], totals[1], rtol=3e-7)


def test_components_in_which_too_much_cancels_are_scored_in_float64():
    rng = np.random.default_rng(3)
    wide = [mixture(rng, 64, 39) for _ in range(2)]
    narrow = [DiagGMM(model.weights, model.means, 1e-3 * model.variances) for model in wide]
    assert Stack.of(wide).factors.dtype == np.float32
    stack = Stack.of(narrow)
    assert stack.factors.dtype == np.float64
    frames = np.concatenate([model.means + 0.03 * rng.normal(size=(64, 39)) for model in narrow])
    np.testing.assert_allclose(stack.log_likelihoods(frames), dense(narrow, frames), rtol=1e-9)


def test_parameters_beyond_float32_are_scored_in_float64():
    tiny, huge = (DiagGMM(np.full(99, 1 / 99), np.zeros((99, 1)), np.full((99, 1), v)) for v in (1e-20, 1e20))
    stack = Stack.of([tiny, huge])
    assert stack.factors.dtype == np.float64
    np.testing.assert_allclose(stack.log_likelihoods([[0.0]]), dense([tiny, huge], np.zeros((1, 1))), rtol=1e-12)


@pytest.mark.parametrize("top", [None, 5])
def test_an_outlier_of_a_million_deviations_has_its_score_and_spoils_no_other(top):
    rng = np.random.default_rng(4)
    ubm = mixture(rng, 64, 39)
    models = [adapted(rng, ubm) for _ in range(3)]
    frames = rng.normal(size=(50, 39))
    frames[7, 3] = 1e6
    classes = ClassModels(("a", "b", "c"), tuple(models), np.full(3, -np.log(3)), ubm=ubm, top_components=top)
    expected = dense(models, frames).mean(axis=1)
    np.testing.assert_allclose(classes.mean_log_likelihoods(frames), expected, rtol=1e-6)
    stack = Stack.of(models)
    others = np.arange(50) != 7
    np.testing.assert_array_equal(
        stack.log_likelihoods(frames)[:, others],
        stack.log_likelihoods(np.where(np.arange(50)[:, None] == 7, 0, frames))[:, others],
    )
    assert np.isfinite(classes.mean_log_likelihood_ratios(frames)).all()


@pytest.mark.parametrize("top", [None, 5])
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e200, 1e30])
def test_a_frame_that_is_no_number_or_out_of_range_is_refused_without_a_warning(top, value):
    rng = np.random.default_rng(5)
    ubm = mixture(rng, 64, 39)
    classes = ClassModels(("a",), (adapted(rng, ubm),), np.zeros(1), ubm=ubm, top_components=top)
    frames = rng.normal(size=(50, 39))
    frames[7, 3] = value
    for score in (classes.mean_log_likelihoods, classes.mean_log_likelihood_ratios):
        with pytest.raises(DataError, match="NaN, infinite or out of range"):
            score(frames)


@pytest.mark.parametrize("precision", PRECISIONS)
def test_a_component_of_weight_zero_takes_no_part(precision):
    rng = np.random.default_rng(6)
    model = mixture(rng, 3)
    with_idle = DiagGMM(
        np.append(model.weights, 0.0), np.vstack([model.means, np.zeros(5)]), np.vstack([model.variances, np.ones(5)])
    )
    frames = rng.normal(size=(20, 5))
    found = Stack.of([model, with_idle], precision=precision).log_likelihoods(frames)
    np.testing.assert_allclose(found[0], found[1], rtol=TOLERANCE[precision])


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("top", [1, 3, 12])
def test_top_components_are_the_best_of_the_background_model_in_every_mixture(precision, top):
    rng = np.random.default_rng(7)
    ubm = mixture(rng, 12)
    models = [adapted(rng, ubm) for _ in range(4)]
    frames = rng.normal(size=(600, 5))
    best = np.argsort(components(ubm, frames), axis=0)[-top:]
    expected = [logsumexp(np.take_along_axis(components(m, frames), best, axis=0), axis=0) for m in (ubm, *models)]
    found = TopStack.of(ubm, models, top, precision=precision).log_likelihoods(frames)
    np.testing.assert_allclose(found, expected, rtol=TOLERANCE[precision])


def test_all_components_on_top_are_the_whole_mixture_and_more_of_them_score_no_less():
    rng = np.random.default_rng(8)
    ubm = mixture(rng, 32)
    models = [adapted(rng, ubm) for _ in range(3)]
    frames = rng.normal(size=(100, 5))
    scores = [TopStack.of(ubm, models, top).log_likelihoods(frames) for top in (1, 2, 5, 10, 32)]
    assert all((more >= less - 1e-9).all() for less, more in pairwise(scores))
    np.testing.assert_allclose(scores[-1], dense([ubm, *models], frames), rtol=1e-6)


def test_equal_components_are_chosen_among_and_no_more_than_asked_for():
    rng = np.random.default_rng(9)
    one = mixture(rng, 4)
    ubm = DiagGMM(np.tile(one.weights, 2) / 2, np.tile(one.means, (2, 1)), np.tile(one.variances, (2, 1)))
    frames = rng.normal(size=(50, 5))
    best = components(ubm, frames).max(axis=0)
    np.testing.assert_allclose(TopStack.of(ubm, [ubm], 1).log_likelihoods(frames), [best, best], rtol=1e-9)


def test_ratios_by_top_components_leave_out_the_same_on_both_sides():
    rng = np.random.default_rng(10)
    ubm = mixture(rng, 16)
    models = (adapted(rng, ubm), ubm)
    frames = rng.normal(size=(80, 5))
    classes = ClassModels(("ann", "nobody"), models, np.log([0.5, 0.5]), ubm=ubm, top_components=3)
    ratios = classes.mean_log_likelihood_ratios(frames)
    rows = TopStack.of(ubm, models, 3).log_likelihoods(frames)
    np.testing.assert_allclose(ratios, (rows[1:] - rows[0]).mean(axis=1), rtol=1e-12, atol=1e-12)
    assert ratios[1] == 0
    np.testing.assert_allclose(classes.mean_log_likelihoods(frames), rows[1:].mean(axis=1), rtol=1e-12)
    np.testing.assert_allclose(classes.only("ann").mean_log_likelihood_ratios(frames), ratios[:1], rtol=1e-6)


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"ubm": None}, DataError, "top_components for models without a background model"),
        ({"top_components": 0}, ShapeError, "top_components 0 for a background model of 16; expected 1 to 16"),
        ({"top_components": 17}, ShapeError, "top_components 17"),
        ({"ubm": mixture(np.random.default_rng(0), 4)}, ShapeError, "16 components in 5 dimensions and a background"),
    ],
)
def test_top_components_that_cannot_be_chosen_are_refused(changes, error, message):
    ubm = mixture(np.random.default_rng(11), 16)
    values = {"ubm": ubm, "top_components": 3, **changes}
    with pytest.raises(error, match=message):
        ClassModels(("a",), (ubm,), np.zeros(1), **values)


def test_the_space_of_mixtures_is_the_mean_and_deviation_of_what_they_generate():
    rng = np.random.default_rng(12)
    models = [mixture(rng, 4, 3, offset) for offset in (0.0, 5.0)]
    drawn = []
    for model in models:
        k = rng.choice(4, size=200_000, p=model.weights)
        drawn.append(model.means[k] + np.sqrt(model.variances[k]) * rng.normal(size=(200_000, 3)))
    space = Space.of(models)
    np.testing.assert_allclose(space.centre, np.concatenate(drawn).mean(axis=0), atol=0.02)
    np.testing.assert_allclose(space.scale, np.concatenate(drawn).std(axis=0), rtol=0.01)
