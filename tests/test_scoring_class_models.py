"""Laws of class models, their training, and the temperature."""

import pickle
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest
from scipy.special import log_softmax
from threadpoolctl import threadpool_limits

from speechgmm.errors import ConfigError, DataError, FitError, FitWarning, ShapeError
from speechgmm.gmm import DiagGMM, class_rng, fit_gmm, log_likelihoods
from speechgmm.tasks.classification import ClassModels, adapt_classes, fit_temperature, train_classes


def gaussian(*mean, variance=1.0):
    return DiagGMM(np.ones(1), np.array([mean], dtype=float), np.full((1, len(mean)), variance))


def three_classes(**changes):
    rng = np.random.default_rng(0)
    models = [DiagGMM(np.full(k, 1 / k), rng.normal(size=(k, 2)), rng.uniform(0.5, 2, size=(k, 2))) for k in (1, 4, 2)]
    values = {
        "labels": ("c", "a", "b"),
        "models": tuple(models),
        "log_priors": np.log([0.2, 0.5, 0.3]),
        **changes,
    }
    return ClassModels(**values)


def speech_like(rng, n_classes=3, n_frames=200):
    centres = 2 * rng.normal(size=(n_classes, 3))
    return {f"class{c}": centres[c] + rng.normal(size=(n_frames, 3)) for c in range(n_classes)}


def test_scores_are_the_mean_log_likelihoods_of_each_model_alone():
    classes = three_classes()
    frames = np.random.default_rng(1).normal(size=(700, 2))
    alone = [log_likelihoods(model.log_linear(), frames).mean() for model in classes.models]
    scores = classes.mean_log_likelihoods(frames)
    np.testing.assert_allclose(scores, alone, rtol=1e-12)
    assert scores.dtype == np.float64


def test_the_order_of_labels_is_kept_and_permuting_classes_permutes_scores():
    classes = three_classes()
    assert classes.labels == ("c", "a", "b")
    order = [2, 0, 1]
    moved = ClassModels(
        tuple(classes.labels[c] for c in order),
        tuple(classes.models[c] for c in order),
        classes.log_priors[order],
    )
    frames = np.random.default_rng(2).normal(size=(30, 2))
    np.testing.assert_allclose(
        moved.mean_log_likelihoods(frames), classes.mean_log_likelihoods(frames)[order], rtol=1e-12
    )
    assert moved.classify(frames) == classes.classify(frames)


def test_repeating_the_frames_changes_no_score():
    classes = three_classes()
    frames = np.random.default_rng(3).normal(size=(30, 2))
    np.testing.assert_allclose(
        classes.mean_log_likelihoods(np.tile(frames, (5, 1))),
        classes.mean_log_likelihoods(frames),
        rtol=1e-12,
    )


def test_classify_takes_the_likeliest_class():
    classes = ClassModels(("low", "high"), (gaussian(0.0), gaussian(9.0)), np.log([0.99, 0.01]))
    assert classes.classify([[1.0]]) == "low"
    assert classes.classify([[6.0], [7.0]]) == "high"


@pytest.mark.parametrize("temperature", [None, 0.0, 0.03, 1.0])
def test_without_prior_preference_the_winner_is_the_likeliest_at_any_temperature(temperature):
    classes = three_classes(temperature=temperature, log_priors=np.full(3, -np.log(3)))
    assert [classes.winner(means, 50) for means in np.eye(3) - 5] == [0, 1, 2]


def test_priors_decide_only_with_a_temperature_and_the_winner_has_the_highest_posterior():
    means = np.array([-2.0, -2.05, -1.99])
    assert three_classes().winner(means, 10) == 2
    for temperature in (0.0, 0.1, 5.0, 100.0):
        classes = three_classes(temperature=temperature)
        assert classes.winner(means, 10) == classes.posteriors(means, 10).argmax()
    assert three_classes(temperature=0.1).winner(means, 10) == 1
    assert three_classes(temperature=100.0).winner(means, 10) == 2


def test_posteriors_are_the_tempered_bayes_rule_on_totals():
    classes = three_classes(temperature=0.05)
    means = np.array([-2.0, -2.1, -1.9])
    totals = 0.05 * 80 * means
    expected = np.exp(totals) * [0.2, 0.5, 0.3]
    posteriors = classes.posteriors(means, 80)
    np.testing.assert_allclose(posteriors, expected / expected.sum(), rtol=1e-12)
    assert posteriors.sum() == pytest.approx(1.0)


def test_posteriors_ignore_a_common_shift_and_stay_finite_for_huge_totals():
    classes = three_classes(temperature=1.0)
    means = np.array([-2.0, -2.1, -1.9])
    np.testing.assert_allclose(classes.posteriors(means, 9), classes.posteriors(means + 50, 9), rtol=1e-9)
    np.testing.assert_allclose(classes.posteriors(means, 10**9), [0, 0, 1], atol=1e-12)


def test_a_temperature_of_zero_gives_the_priors():
    np.testing.assert_allclose(three_classes(temperature=0.0).posteriors([-1.0, -9.0, -5.0], 100), [0.2, 0.5, 0.3])


def test_without_a_temperature_there_are_no_posteriors():
    with pytest.raises(DataError, match="no temperature"):
        three_classes().posteriors([-1.0, -2.0, -3.0], 10)


def test_class_models_survive_replace_and_pickle():
    classes = replace(three_classes(), temperature=0.1)
    assert classes.temperature == 0.1
    again = pickle.loads(pickle.dumps(classes))
    frames = np.random.default_rng(4).normal(size=(10, 2))
    np.testing.assert_array_equal(again.mean_log_likelihoods(frames), classes.mean_log_likelihoods(frames))


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"labels": ("a", "b", "a")}, DataError, "label 'a' is there twice"),
        ({"labels": (), "models": (), "log_priors": np.zeros(0)}, DataError, "without a class"),
        ({"labels": ("a", "b")}, ShapeError, "2 labels, 3 models"),
        ({"log_priors": np.log([0.5, 0.5])}, ShapeError, "expected as many of each"),
        ({"log_priors": np.log([0.5, 0.5, 0.5])}, ShapeError, "class priors that sum to 1.5"),
        ({"log_priors": np.full(3, np.nan)}, ShapeError, "class priors that sum to nan"),
        (
            {"models": (gaussian(0.0), gaussian(0.0, 0.0), gaussian(0.0))},
            ShapeError,
            "models of 1 and 2 dimensions",
        ),
        ({"ubm": gaussian(0.0)}, ShapeError, "models of 1 and 2 dimensions"),
        ({"temperature": -1.0}, ShapeError, "temperature -1"),
        ({"temperature": np.inf}, ShapeError, "temperature inf"),
    ],
)
def test_what_are_no_class_models_is_refused(changes, error, message):
    with pytest.raises(error, match=message):
        three_classes(**changes)


@pytest.mark.parametrize(
    ("frames", "error", "message"),
    [
        (np.zeros((0, 2)), DataError, "no frames to score"),
        (np.zeros((5, 3)), ShapeError, "for mixtures of 2 dimensions"),
        (np.zeros(2), ShapeError, "for mixtures of 2 dimensions"),
        ([[0.0, np.nan]], DataError, "NaN, infinite or out of range"),
    ],
)
def test_frames_that_cannot_be_scored_are_refused(frames, error, message):
    with pytest.raises(error, match=message):
        three_classes().mean_log_likelihoods(frames)


def test_a_log_likelihood_that_is_nan_decides_nothing():
    plain, tempered = three_classes(), three_classes(temperature=1.0)
    for decide in (plain.winner, tempered.winner, tempered.posteriors):
        with pytest.raises(DataError, match="NaN decides nothing"):
            decide([-1.0, np.nan, -3.0], 5)


def test_posteriors_refuse_scores_of_another_shape():
    with pytest.raises(ShapeError, match=r"shape \(2,\) over 5 frames"):
        three_classes(temperature=1.0).posteriors([-1.0, -2.0], 5)
    with pytest.raises(ShapeError, match="over 0 frames"):
        three_classes(temperature=1.0).posteriors([-1.0, -2.0, -3.0], 0)
    with pytest.raises(ShapeError, match=r"shape \(1, 3\)"):
        three_classes().winner([[-1.0, -2.0, -3.0]], 5)


def test_every_class_is_trained_as_it_would_be_alone_on_the_shared_floor():
    frames = speech_like(np.random.default_rng(5))
    with pytest.warns(FitWarning, match="class 'class0': the floor holds"):
        classes = train_classes(frames, 4, seed=7, variance_floor=0.3)
    floor = 0.3 * np.concatenate(list(frames.values())).var(axis=0)
    for label, model in zip(classes.labels, classes.models, strict=True):
        with pytest.warns(FitWarning, match="the floor holds"):
            alone = fit_gmm(frames[label], 4, seed=class_rng(7, label), floor=floor).model
        np.testing.assert_allclose(model.means, alone.means, rtol=1e-4, atol=1e-4)
        np.testing.assert_allclose(model.variances, alone.variances, rtol=1e-4)
        assert np.isclose(model.variances, floor, rtol=1e-9).any()
    np.testing.assert_allclose(classes.log_priors, np.log(1 / 3))
    assert classes.temperature is None


def test_other_classes_move_a_class_model_only_through_the_floor():
    frames = speech_like(np.random.default_rng(6))
    all_three = train_classes(frames, 4, variance_floor=0.0)
    two = train_classes({"class2": frames["class2"], "class0": frames["class0"]}, 4, variance_floor=0.0)
    assert two.models[0].means.tobytes() == all_three.models[2].means.tobytes()
    assert two.models[1].means.tobytes() == all_three.models[0].means.tobytes()


def test_trained_classes_recognise_new_frames():
    rng = np.random.default_rng(7)
    frames = speech_like(rng)
    classes = train_classes({label: x[:150] for label, x in frames.items()}, 4, variance_floor=1e-3)
    assert [classes.classify(x[150:]) for x in frames.values()] == list(frames)


def test_serial_and_threaded_training_give_identical_bytes():
    frames = speech_like(np.random.default_rng(8), n_classes=5)
    with threadpool_limits(1), ThreadPoolExecutor(4) as pool:
        serial, threaded = (train_classes(frames, 8, variance_floor=1e-5, map=m) for m in (map, pool.map))
    for a, b in zip(serial.models, threaded.models, strict=True):
        assert a.means.tobytes() + a.variances.tobytes() == b.means.tobytes() + b.variances.tobytes()


def test_a_class_with_one_frame_is_fitted_on_the_shared_floor():
    frames = {"one": [[5.0, 5.0]], "many": np.random.default_rng(9).normal(size=(50, 2))}
    with pytest.warns(FitWarning, match="class 'one': the floor holds 100% of the variances"):
        classes = train_classes(frames, 1)
    assert classes.classify([[5.1, 4.9]]) == "one"


@pytest.mark.parametrize(
    ("frames", "error", "message"),
    [
        ({"bob": np.eye(3)}, FitError, "^class 'bob': 3 frames for 32 components"),
        ({"ann": np.eye(3), "bob": [[np.nan] * 3]}, FitError, "^class 'bob': frame 0 is nan"),
        ({"ann": np.eye(3), "bob": np.eye(2)}, ShapeError, "^class 'bob': frames of 2 dimensions; expected 3"),
        ({"bob": np.zeros(4)}, ShapeError, "^class 'bob': frames of shape"),
        ({}, DataError, "^no classes"),
    ],
)
def test_an_error_in_training_names_the_class(frames, error, message):
    with pytest.raises(error, match=message):
        train_classes(frames, 32)


def test_a_wrong_option_is_not_blamed_on_a_class():
    with pytest.raises(ConfigError, match=r"^precision 'half'"):
        train_classes(speech_like(np.random.default_rng(10)), 2, precision="half")


def test_adapted_classes_carry_their_background_model_and_recognise():
    rng = np.random.default_rng(11)
    frames = speech_like(rng)
    ubm = fit_gmm(np.concatenate(list(frames.values())), 8).model
    classes = adapt_classes(ubm, {label: x[:30] for label, x in frames.items()}, relevance=4)
    assert classes.ubm is ubm
    assert [classes.classify(x[30:]) for x in frames.values()] == list(frames)
    for model in classes.models:
        np.testing.assert_array_equal(model.variances, ubm.variances)


def test_an_error_in_adaptation_names_the_class():
    with pytest.raises(FitError, match=r"^class 'bob': no frames"):
        adapt_classes(gaussian(0.0), {"ann": [[0.0]], "bob": np.zeros((0, 1))})
    with pytest.raises(DataError, match=r"^no classes"):
        adapt_classes(gaussian(0.0), {})


def smoothed_objective(beta, scores, truth, priors):
    n, n_classes = scores.shape
    targets = np.full(scores.shape, 1 / ((n + 2) * (n_classes - 1)))
    targets[np.arange(n), truth] = (n + 1) / (n + 2)
    return (targets * log_softmax(beta * scores + priors, axis=1)).sum()


@pytest.mark.parametrize("seed", range(5))
def test_the_temperature_maximises_the_smoothed_log_posterior(seed):
    rng = np.random.default_rng(seed)
    truth = rng.integers(4, size=60)
    scores = 30 * rng.normal(size=(60, 4)) - 5000
    scores[np.arange(60), truth] += 40
    priors = np.log([0.1, 0.2, 0.3, 0.4])
    beta = fit_temperature(scores, truth, priors)
    best = smoothed_objective(beta, scores, truth, priors)
    assert beta > 0
    for other in (0.0, 0.5 * beta, 0.99 * beta, 1.01 * beta, 2 * beta):
        assert smoothed_objective(other, scores, truth, priors) < best


def test_the_temperature_recovers_the_factor_that_scores_were_overconfident_by():
    rng = np.random.default_rng(12)
    truth = rng.integers(3, size=20_000)
    honest = rng.normal(size=(20_000, 3))
    honest[np.arange(20_000), truth] += 1.0  # log-likelihoods of N(1, 1) against N(0, 1), up to a common term
    beta = fit_temperature(25 * honest, truth, np.full(3, -np.log(3)))
    assert beta == pytest.approx(1 / 25, rel=0.05)


def test_scaling_scores_scales_the_temperature_inversely_and_shifts_change_nothing():
    rng = np.random.default_rng(13)
    truth = rng.integers(3, size=100)
    scores = rng.normal(size=(100, 3))
    scores[np.arange(100), truth] += 1
    priors = np.full(3, -np.log(3))
    beta = fit_temperature(scores, truth, priors)
    assert fit_temperature(1e4 * scores, truth, priors) == pytest.approx(beta / 1e4, rel=1e-9)
    assert fit_temperature(1e-4 * scores, truth, priors) == pytest.approx(beta * 1e4, rel=1e-9)
    shifts = 1e3 * rng.normal(size=(100, 1))
    assert fit_temperature(scores + shifts, truth, priors) == pytest.approx(beta, rel=1e-6)


def test_perfect_separation_gives_a_finite_temperature_and_more_evidence_a_greater_one():
    priors = np.log([0.5, 0.5])
    betas = [fit_temperature(np.tile([[0.0, -10.0], [-10.0, 0.0]], (n, 1)), [0, 1] * n, priors) for n in (1, 10, 1000)]
    assert 0 < betas[0] < betas[1] < betas[2] < np.inf
    n = 2
    assert betas[0] == pytest.approx(np.log((n + 1) / 1) / 10)  # sigmoid(10 beta) = (n + 1) / (n + 2)


def test_scores_that_say_nothing_or_the_contrary_get_temperature_zero():
    priors = np.log([0.5, 0.5])
    assert fit_temperature(np.zeros((4, 2)), [0, 1, 0, 1], priors) == 0.0
    assert fit_temperature([[0.0, 10.0], [10.0, 0.0]], [0, 1], priors) == 0.0


@pytest.mark.parametrize(
    ("scores", "truth", "priors", "error", "message"),
    [
        (np.zeros(3), [0, 1, 0], [0.0], ShapeError, "expected \\(N, C\\)"),
        (np.zeros((3, 2)), [0, 1], [0.0, 0.0], ShapeError, "expected \\(N, C\\)"),
        (np.zeros((3, 2)), [0, 1, 0], [0.0], ShapeError, "expected \\(N, C\\)"),
        (np.zeros((3, 2)), [0, 1, 2], [0.0, 0.0], ShapeError, "true indices from 0 to 2; expected 0 to 1"),
        (np.zeros((3, 2)), [0, -1, 1], [0.0, 0.0], ShapeError, "from -1"),
        (np.zeros((3, 2)), [0.0, 1.0, 1.0], [0.0, 0.0], ShapeError, "are they labels"),
        (np.zeros((0, 2)), np.zeros(0, int), [0.0, 0.0], DataError, "0 recordings and 2 classes"),
        (np.zeros((3, 1)), [0, 0, 0], [0.0], DataError, "3 recordings and 1 classes"),
        ([[0.0, np.nan]], [0], [0.0, 0.0], DataError, "NaN or infinite"),
    ],
)
def test_a_temperature_needs_scores_that_fit_together(scores, truth, priors, error, message):
    with pytest.raises(error, match=message):
        fit_temperature(scores, truth, priors)
