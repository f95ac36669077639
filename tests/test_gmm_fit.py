"""Laws and oracles of whole fits: starts, floors, precision, refusals, and real speech."""

import subprocess
import sys
import warnings
import wave
from pathlib import Path

import numpy as np
import pytest
from sklearn.mixture import GaussianMixture

from speechgmm.errors import ConfigError, FitError, FitWarning, ShapeError
from speechgmm.gmm import DiagGMM, ModelSpec, adapt_map, class_rng, fit_gmm, initial_model, log_likelihoods
from speechgmm.gmm.component_count import DEFAULT_COMPONENTS

STARTS = ("split", "kmeans++", "random")


def clusters(rng, n_frames, n_clusters=20, n_features=5):
    """Overlapping clusters of unequal size and shape."""
    means = 2.5 * rng.normal(size=(n_clusters, n_features))
    deviations = rng.uniform(0.4, 1.6, size=means.shape)
    k = rng.choice(n_clusters, size=n_frames, p=rng.dirichlet(np.full(n_clusters, 3.0)))
    return means[k] + deviations[k] * rng.normal(size=(n_frames, n_features))


@pytest.mark.parametrize("init", STARTS)
@pytest.mark.parametrize("n_components", [1, 2, 5, 16])
def test_every_start_gives_a_fit_that_climbs_and_explains_held_out_frames(init, n_components):
    frames = clusters(np.random.default_rng(0), 3000)
    train, held_out = frames[:2000], frames[2000:]
    fit = fit_gmm(train, n_components, init=init, seed=1)
    assert fit.model.n_components == n_components
    assert np.diff(fit.trace).min(initial=0) > -1e-4
    one = fit_gmm(train, 1).model
    gain = log_likelihoods(fit.model.log_linear(), held_out) - log_likelihoods(one.log_linear(), held_out)
    assert gain.mean() > {1: -1e-8, 2: 0.05, 5: 0.4, 16: 0.8}[n_components]


def test_one_component_is_the_moments_of_the_frames():
    frames = np.random.default_rng(1).normal(3.0, 2.0, size=(500, 2))
    fit = fit_gmm(frames, 1, precision="float64")
    np.testing.assert_allclose(fit.model.means[0], frames.mean(axis=0), rtol=1e-12)
    np.testing.assert_allclose(fit.model.variances[0], frames.var(axis=0), rtol=1e-10)
    assert fit.converged


@pytest.mark.slow
def test_binary_splitting_explains_held_out_frames_as_well_as_the_start_of_scikit_learn():
    frames = clusters(np.random.default_rng(2), 9000, n_clusters=40)
    train, held_out = frames[:6000], frames[6000:]
    ours = np.mean(
        [
            log_likelihoods(fit_gmm(train, 32, seed=seed, max_iter=100).model.log_linear(), held_out).mean()
            for seed in (0, 1, 2)
        ]
    )
    oracle = GaussianMixture(32, covariance_type="diag", random_state=0, max_iter=200).fit(train).score(held_out)
    assert ours > oracle - 0.05


@pytest.mark.parametrize("init", STARTS)
def test_the_same_seed_gives_the_same_bytes_and_another_seed_another_model(init):
    frames = clusters(np.random.default_rng(3), 600)
    first, again, other = (fit_gmm(frames, 8, init=init, seed=seed).model for seed in (5, 5, 6))
    assert first.means.tobytes() == again.means.tobytes()
    assert first.means.tobytes() != other.means.tobytes()


def test_two_clusters_are_told_apart_from_a_split_start_though_its_halves_lie_on_a_plateau():
    rng = np.random.default_rng(0)
    heights = np.concatenate([rng.normal(1.6, 0.05, 200), rng.normal(1.8, 0.05, 200)])[:, None]
    fit = fit_gmm(heights, 2)
    assert np.diff(fit.trace)[0] < 1e-4  # less than tol, but it grows
    assert sorted(fit.model.means.ravel()) == pytest.approx([1.6, 1.8], abs=0.01)
    assert fit.trace[-1] == pytest.approx(fit_gmm(heights, 2, init="kmeans++").trace[-1], abs=1e-4)


def test_a_class_has_its_own_generator_in_every_process():
    draws = [class_rng(0, label).integers(2**62) for label in ("bob", "alice", "bob")]
    assert draws[0] == draws[2] != draws[1]
    assert class_rng(1, "bob").integers(2**62) != draws[0]
    code = "from speechgmm.gmm import class_rng; print(class_rng(0, 'bob').integers(2**62))"
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert int(printed) == draws[0]


def test_no_variance_is_below_its_floor_and_the_floored_are_counted():
    frames = clusters(np.random.default_rng(4), 800)
    floor = 0.2 * frames.var(axis=0)
    with pytest.warns(FitWarning, match="the floor holds .* of the variances, in dimension"):
        fit = fit_gmm(frames, 8, floor=floor)
    assert (fit.model.variances >= floor * (1 - 1e-12)).all()
    assert fit.floored == np.count_nonzero(np.isclose(fit.model.variances, floor, rtol=1e-12)) > 0
    with pytest.warns(FitWarning, match="the floor holds"):
        absolute = fit_gmm(frames, 8, floor=4.0)
    assert absolute.model.variances.min() == 4.0


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, "float32"),
        ({"variance_floor": 0.0}, "float64"),
        ({"floor": 1e-5}, "float32"),
        ({"precision": "float64"}, "float64"),
        ({"start": 1.1e-3}, "float32"),
        ({"start": 9e-4}, "float64"),
        ({"start": 9e-4, "floor": 0.1}, "float32"),
        ({"start": 1e-4, "precision": "float32"}, "float32"),
    ],
)
def test_auto_precision_is_float64_where_components_of_the_start_are_too_narrow_for_float32(options, expected):
    frames = np.random.default_rng(5).normal(size=(300, 40))
    frames /= frames.std(axis=0)
    if "start" in options:
        narrow = np.ones((2, 40))
        narrow[1, 7] = options["start"]
        options = {**options, "start": DiagGMM([0.5, 0.5], frames[:2], narrow)}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FitWarning)  # the floor holds the narrow one, in the last but one
        assert fit_gmm(frames, 2, **options).precision == expected


def test_a_floor_of_exactly_a_thousandth_is_not_pushed_to_float64_by_rounding():
    deviation = 15.859375
    variance = deviation**2
    assert 1e-3 * variance / variance < 1e-3
    assert fit_gmm([[-deviation], [deviation]], 1, variance_floor=1e-3).precision == "float32"


def test_float32_frames_give_the_fit_of_the_same_values_in_float64():
    frames = clusters(np.random.default_rng(6), 500).astype(np.float32)
    a, b = fit_gmm(frames, 4), fit_gmm(frames.astype(np.float64), 4)
    np.testing.assert_allclose(a.model.means, b.model.means, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize(
    ("frames", "n_components", "error", "message"),
    [
        (np.zeros((0, 2)), 1, FitError, "^no frames"),
        ([[0.0], [np.nan]], 1, FitError, "^frame 1 is nan in dimension 0"),
        (
            np.arange(3.0)[:, None],
            32,
            FitError,
            r"^3 frames for 32 components; .* set n_components to at most 1, one for each 25 frames$",
        ),
        (
            np.repeat([[0.0], [1.0]], 50, axis=0),
            3,
            FitError,
            "^2 distinct frames of 100 for 3 components; .* at most 1, one for each 25 frames$",
        ),
        (np.ones((10, 2)), 1, FitError, "^dimension 0 is 1 in all 10 frames, so its variance is 0"),
        (np.arange(20.0).reshape(10, 2) * [1, 0] + 7, 2, FitError, "^dimension 1 is 7 in all 10 frames"),
        (np.zeros(7), 1, ShapeError, "is it one frame, or samples"),
        (np.eye(3), 0, ConfigError, "^0 components"),
    ],
)
def test_frames_that_cannot_be_fitted_are_refused_with_the_reason(frames, n_components, error, message):
    with pytest.raises(error, match=message):
        fit_gmm(frames, n_components)


@pytest.mark.parametrize("init", STARTS)
def test_as_many_distinct_frames_as_components_are_just_enough(init):
    frames = np.repeat(np.random.default_rng(7).normal(size=(6, 2)), [1, 1, 1, 1, 1, 20_000], axis=0)
    with pytest.warns(FitWarning, match="the floor holds"):
        fit = fit_gmm(frames, 6, init=init)
    assert fit.model.n_components == 6
    with pytest.raises(FitError, match="6 distinct frames of 20005 for 7 components"):
        fit_gmm(frames, 7, init=init)


def test_frames_that_are_all_alike_are_fitted_where_an_absolute_floor_is_given():
    with pytest.warns(FitWarning, match="the floor holds 100% of the variances"):
        fit = fit_gmm(np.full((10, 2), 0.3), 1, floor=[0.5, 2.0])
    np.testing.assert_allclose(fit.model.means, 0.3, rtol=1e-6)
    np.testing.assert_array_equal(fit.model.variances, [[0.5, 2.0]])
    assert fit.floored == 2


def test_frames_of_weight_zero_count_neither_as_frames_nor_as_distinct():
    frames, weights = np.arange(10.0)[:, None], np.array([1.0] * 3 + [0.0] * 7)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FitWarning)
        some = fit_gmm(frames, 2, weights=weights, precision="float64")
        alone = fit_gmm(frames[:3], 2, precision="float64")
    np.testing.assert_allclose(some.trace[-1], alone.trace[-1], rtol=0.2)
    with pytest.raises(FitError, match="3 frames for 4 components"):
        fit_gmm(frames, 4, weights=weights)


def test_options_out_of_range_are_refused():
    frames = np.random.default_rng(8).normal(size=(50, 2))
    with pytest.raises(ConfigError, match=r"variance_floor -0.1"):
        fit_gmm(frames, 2, variance_floor=-0.1)
    with pytest.raises(ConfigError, match="precision 'float16'"):
        fit_gmm(frames, 2, precision="float16")
    with pytest.raises(ConfigError, match="start 'best'"):
        fit_gmm(frames, 2, init="best")
    with pytest.raises(ShapeError, match=r"variance floor of shape \(3,\) for 2 dimensions"):
        fit_gmm(frames, 2, floor=[1.0, 1.0, 1.0])
    with pytest.raises(FitError, match="variance floor -1"):
        fit_gmm(frames, 2, floor=-1.0)
    with pytest.raises(ConfigError, match="dead components: 'drop'"):
        fit_gmm(frames, 2, dead_components="drop")


def test_adaptation_refuses_what_it_cannot_use():
    ubm = DiagGMM([1.0], [[0.0, 0.0]], [[1.0, 1.0]])
    with pytest.raises(ShapeError, match="frames of 3 dimensions for a background model of 2"):
        adapt_map(ubm, np.zeros((4, 3)))
    with pytest.raises(FitError, match="no frames"):
        adapt_map(ubm, np.zeros((0, 2)))
    with pytest.raises(FitError, match="relevance -2"):
        adapt_map(ubm, np.zeros((4, 2)), -2)
    with pytest.raises(FitError, match="shrunk to a point"):
        adapt_map(ubm, np.ones((4, 2)), 0, parameters=("means", "variances"))


def test_one_frame_is_enough_to_adapt_and_pulls_the_nearest_mean():
    ubm = DiagGMM([0.5, 0.5], [[-10.0], [10.0]], [[1.0], [1.0]])
    fit = adapt_map(ubm, [[11.0]], relevance=1.0)
    np.testing.assert_allclose(fit.model.means.ravel(), [-10.0, 10.5], rtol=1e-6)


def test_adapting_further_climbs_to_the_mode():
    rng = np.random.default_rng(9)
    frames = clusters(rng, 1000)
    ubm = fit_gmm(frames, 8).model
    once, often = (adapt_map(ubm, frames[:200], max_iter=n, tol=1e-7) for n in (1, 500))
    assert often.converged
    assert often.trace[-1] > once.trace[-1] > once.trace[0]


def test_adaptation_resolves_precision_from_the_background_model():
    narrow = DiagGMM([0.5, 0.5], [[-1.0], [1.0]], [[1e-5], [1.0]])
    wide = DiagGMM([0.5, 0.5], [[-1.0], [1.0]], [[1.0], [1.0]])
    assert adapt_map(narrow, [[0.5]]).precision == "float64"
    assert adapt_map(wide, [[0.5]]).precision == "float32"


def test_the_defaults_of_the_configuration_are_those_of_the_functions():
    spec = ModelSpec()
    frames = clusters(np.random.default_rng(10), 1000)
    written_out = fit_gmm(
        frames,
        DEFAULT_COMPONENTS,
        init=spec.init,
        n_init=spec.n_init,
        max_iter=spec.max_iter,
        tol=spec.tol,
        variance_floor=spec.variance_floor,
        dead_components=spec.dead_components,
        precision=spec.precision,
        e_step=spec.e_step,
        overrelaxed=spec.overrelaxed,
    )
    assert written_out.model.means.tobytes() == fit_gmm(frames).model.means.tobytes()
    assert spec.n_components is None


def test_a_start_needs_no_more_than_its_subsample_of_a_large_corpus():
    frames = clusters(np.random.default_rng(11), 60_000)
    rng = np.random.default_rng(0)
    model = initial_model(frames, 4, method="split", rng=rng, floor=np.full(5, 0.01))
    assert model.weights.min() > 0.01
    assert model.weights.sum() == pytest.approx(1.0)


def test_importing_the_package_and_scoring_import_no_compiler():
    code = (
        "import sys, numpy as np; from speechgmm.tasks.classification import ClassModels;"
        "from speechgmm.gmm import DiagGMM;"
        "m = DiagGMM([1.0], [[0.0]], [[1.0]]); ClassModels(('a',), (m,), np.zeros(1)).classify([[0.0]]);"
        "print(sorted({'numba', 'scipy', 'sklearn', 'joblib', 'librosa'} & set(sys.modules)))"
    )
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert printed.strip() == "[]"


def log_spectra(path: Path) -> np.ndarray:
    """Plain log band energies (T, 16): something like features, from nothing but numpy."""
    with wave.open(str(path)) as file:
        samples = np.frombuffer(file.readframes(file.getnframes()), dtype="<i2").astype(np.float64)
    starts = np.arange(0, len(samples) - 200, 80)
    windows = samples[starts[:, None] + np.arange(200)] * np.hamming(200)
    power = np.abs(np.fft.rfft(windows, 256, axis=1)[:, 1:]) ** 2
    return np.log(power.reshape(len(starts), 16, 8).mean(axis=2) + 1)


@pytest.mark.slow
def test_real_speech_is_explained_as_well_as_by_scikit_learn(shared):
    files = sorted((shared / "data" / "fsdd").rglob("*.wav"))[::10]
    if not files:
        pytest.skip("no fsdd recordings in the shared data")
    frames = np.concatenate([log_spectra(path) for path in files])
    order = np.random.default_rng(0).permutation(len(frames))
    train, held_out = frames[order[::2]], frames[order[1::2]]
    fit = fit_gmm(train, 32, max_iter=50)
    assert fit.fell == ()
    assert np.diff(fit.trace).min() > -1e-4
    oracle = GaussianMixture(32, covariance_type="diag", random_state=0, max_iter=100).fit(train)
    ours = log_likelihoods(fit.model.log_linear(), held_out).mean()
    assert ours > oracle.score(held_out) - 0.1
