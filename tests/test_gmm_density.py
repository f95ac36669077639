"""Laws and oracles of mixtures of anything: density, posteriors, draws, and what a stranger may hand in."""

import numpy as np
import pytest
from sklearn.mixture import GaussianMixture

import speechgmm as sg
from speechgmm.errors import ConfigError, FitError, FitWarning, ShapeError


def mixture(offset=0.0):
    rng = np.random.default_rng(0)
    return sg.DiagGMM([0.2, 0.5, 0.3], offset + 3 * rng.normal(size=(3, 2)), rng.uniform(0.2, 2, size=(3, 2)))


def in_scikit_learn(model):
    theirs = GaussianMixture(model.n_components, covariance_type="diag")
    theirs.weights_, theirs.means_, theirs.covariances_ = model.weights, model.means, model.variances
    theirs.precisions_cholesky_ = 1 / np.sqrt(model.variances)
    return theirs


@pytest.mark.parametrize("offset", [0.0, 1e4])
def test_density_posteriors_and_assignment_are_those_of_scikit_learn(offset):
    model = mixture(offset)
    frames, _ = sg.sample(model, 1500, seed=1)
    theirs = in_scikit_learn(model)
    np.testing.assert_allclose(sg.log_likelihoods(model, frames), theirs.score_samples(frames), rtol=1e-9, atol=1e-6)
    np.testing.assert_allclose(sg.posteriors(model, frames), theirs.predict_proba(frames), atol=1e-6)
    np.testing.assert_array_equal(sg.assign(model, frames), theirs.predict(frames))


def test_posteriors_sum_to_one_in_float32_and_the_largest_is_the_assigned():
    model = mixture()
    frames, _ = sg.sample(model, 999)
    found = sg.posteriors(model, frames)
    assert found.dtype == np.float32
    assert found.shape == (999, 3)
    np.testing.assert_allclose(found.sum(axis=1), 1, atol=1e-6)
    np.testing.assert_array_equal(found.argmax(axis=1), sg.assign(model, frames))


def test_a_frame_is_judged_alike_whatever_comes_beside_it():
    model = mixture()
    frames, _ = sg.sample(model, 1300)
    alone = [sg.log_likelihoods(model, frame[None])[0] for frame in frames[::100]]
    np.testing.assert_allclose(sg.log_likelihoods(model, frames)[::100], alone, rtol=1e-13)


def test_what_is_drawn_has_the_mixtures_shares_means_and_variances():
    model = mixture()
    frames, components = sg.sample(model, 60_000, seed=2)
    for k in range(3):
        own = frames[components == k]
        assert len(own) / len(frames) == pytest.approx(model.weights[k], abs=0.01)
        np.testing.assert_allclose(own.mean(axis=0), model.means[k], atol=0.04)
        np.testing.assert_allclose(own.var(axis=0), model.variances[k], rtol=0.05)
    again, _ = sg.sample(model, 60_000, seed=2)
    assert frames.tobytes() == again.tobytes()
    assert sg.sample(model, 0)[0].shape == (0, 2)


def test_a_frame_far_out_has_its_finite_density_and_no_frames_have_none():
    model = mixture()
    assert -1e23 < sg.log_likelihoods(model, [[1e10, -1e10]])[0] < -1e18
    assert sg.posteriors(model, [[1e10, -1e10]]).sum() == pytest.approx(1)
    assert sg.log_likelihoods(model, np.zeros((0, 2))).shape == (0,)
    assert sg.posteriors(model, np.zeros((0, 2))).shape == (0, 3)
    for ask in (sg.log_likelihoods, sg.posteriors, sg.assign):
        with pytest.raises(FitError, match=r"^frame 1 is too far out"):
            ask(model, [[0.0, 0.0], [1e200, 0.0]])
        with pytest.raises(FitError, match=r"^frame 600 is nan in dimension 1"):
            ask(model, np.where(np.arange(1400).reshape(700, 2) == 1201, np.nan, 0.0))
        with pytest.raises(ShapeError, match=r"frames of shape \(4, 3\) for mixtures of 2"):
            ask(model, np.zeros((4, 3)))
    for wrong in (-1, 2.0):
        with pytest.raises(ConfigError, match="frames to draw"):
            sg.sample(model, wrong)


class Table:
    """What a data frame is to numpy."""

    def __init__(self, values):
        self.values = values

    def __array__(self, dtype=None, copy=None):
        return np.asarray(self.values, dtype)

    def __len__(self):
        return len(self.values)


WHOLE = np.random.default_rng(3).integers(0, 90, size=(200, 3))


@pytest.mark.parametrize(
    "given",
    [
        WHOLE.tolist(),
        WHOLE.astype(np.int8),
        WHOLE.astype(np.uint16),
        WHOLE.astype(np.float16),
        WHOLE.astype(np.float32),
        WHOLE.astype(np.longdouble),
        WHOLE.astype(object),
        np.asfortranarray(WHOLE.astype(float)),
        np.repeat(WHOLE, 2, axis=0)[::2],
        WHOLE[:, ::-1].copy()[:, ::-1],
        np.ma.masked_array(WHOLE, mask=False),
        Table(WHOLE),
    ],
    ids=lambda given: type(given).__name__,
)
def test_however_the_same_numbers_are_held_they_give_the_same_mixture(given):
    expected = sg.fit_gmm(WHOLE.astype(float), 3).model
    found = sg.fit_gmm(given, 3).model
    np.testing.assert_allclose(found.means, expected.means, rtol=1e-5)
    np.testing.assert_allclose(found.variances, expected.variances, rtol=1e-4)
    np.testing.assert_allclose(sg.log_likelihoods(found, given), sg.log_likelihoods(expected, WHOLE), rtol=1e-4)


def test_truth_values_and_a_single_dimension_are_frames_too():
    answers = np.random.default_rng(4).random((300, 4)) < [0.1, 0.5, 0.5, 0.9]
    with pytest.warns(FitWarning, match="the floor holds 25% of the variances, in dimension 0"):  # yes or no, for sure
        assert sg.fit_gmm(answers, 2).model.n_features == 4
    heights = np.random.default_rng(5).normal([1.6, 1.8], 0.05, size=(200, 2)).reshape(-1, 1)
    assert sorted(sg.fit_gmm(heights, 2, init="kmeans++").model.means.ravel().round(1)) == [1.6, 1.8]


def test_a_frame_that_counts_three_times_is_there_three_times():
    frames, counts = np.unique(WHOLE[:, :2] // 10, axis=0, return_counts=True)
    weighted = sg.fit_gmm(frames, 1, weights=counts).model
    plain = sg.fit_gmm(WHOLE[:, :2] // 10, 1).model
    np.testing.assert_allclose(weighted.means, plain.means, rtol=1e-6)
    np.testing.assert_allclose(weighted.variances, plain.variances, rtol=1e-5)


@pytest.mark.parametrize(
    ("given", "n_components", "error", "message"),
    [
        ([[1.0, 2.0], [3.0]], 1, ShapeError, "expected rows of one length"),
        ([["a", "b"]], 1, ShapeError, "^frames of type <U1; .* names or dates"),
        ([[1.0, "b"], [2.0, None]], 1, ShapeError, "names"),
        (np.array([[1.0, None]], dtype=object), 1, FitError, "^frame 0 is nan in dimension 1"),
        (np.array([["2026-01-01"]], dtype="datetime64[D]"), 1, ShapeError, "names or dates"),
        (np.ones((3, 2), complex), 1, ShapeError, "^frames of type complex128"),
        (np.ma.masked_less(WHOLE, 10), 1, ShapeError, "masked"),
        (5.0, 1, ShapeError, "one float"),
        (np.zeros((4, 4, 3)), 1, ShapeError, r"an image image\.reshape\(-1, channels\)"),
        (np.arange(5.0), 1, ShapeError, r"values\[:, None\]"),
        ([[1.0]], 1, FitError, "^dimension 0 is 1 in all 1 frames"),
        (np.eye(3), 2.5, ConfigError, "^n_components 2.5"),
        (np.eye(3), True, ConfigError, "^n_components True"),
        (
            np.eye(3),
            4,
            FitError,
            r"^3 frames for 4 components; give it more frames .* at most 1, one for each 25 frames$",
        ),
        ([[0.0], [np.inf]], 1, FitError, "^frame 1 is inf in dimension 0"),
    ],
)
def test_what_is_no_array_of_real_numbers_is_refused_in_words(given, n_components, error, message):
    with pytest.raises(error, match=message):
        sg.fit_gmm(given, n_components)
