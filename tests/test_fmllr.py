"""fMLLR: what its statistics, its estimate and the adaptation to a speaker must satisfy."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from speechgmm.errors import FitError, ShapeError
from speechgmm.features.transforms import LinearTransform
from speechgmm.gmm import DiagGMM
from speechgmm.hmm import (
    HMM,
    Recogniser,
    StateStack,
    Units,
    left_to_right,
    parse_grammar,
    word_loop,
)
from speechgmm.hmm.adaptation import Adaptation, SpeakerAdapter, path_statistics
from speechgmm.hmm.fmllr import FMLLRStats, estimate_fmllr, expected_statistics, fmllr_statistics


def random_statistics(seed: int, n_dims: int = 3, n_frames: int = 60) -> FMLLRStats:
    """Of random frames that belong to random Gaussians."""
    rng = np.random.default_rng(seed)
    frames = rng.normal(size=(n_frames, n_dims)) @ rng.normal(size=(n_dims, n_dims)) + rng.normal(size=n_dims)
    inverse = rng.uniform(0.2, 5.0, (n_frames, n_dims))
    return fmllr_statistics(frames, inverse, inverse * rng.normal(size=(n_frames, n_dims)))


def rows_of(transform: LinearTransform) -> np.ndarray:
    return np.column_stack([transform.matrix, transform.offset])


def log_likelihood(frames: np.ndarray, means: np.ndarray, variances: np.ndarray, transform: LinearTransform) -> float:
    """Of frames that belong to one Gaussian each: the obvious loop."""
    total = 0.0
    for frame, mean, variance in zip(frames, means, variances, strict=True):
        image = transform.matrix @ frame + transform.offset
        total += np.log(abs(np.linalg.det(transform.matrix)))
        total -= 0.5 * (np.log(2 * np.pi * variance) + (image - mean) ** 2 / variance).sum()
    return total


@given(st.integers(0, 10_000))
@settings(max_examples=30, deadline=None)
def test_no_sweep_lowers_the_objective(seed: int) -> None:
    stats = random_statistics(seed)
    found = LinearTransform(np.eye(3), np.zeros(3))
    values = [stats.objective(found)]
    for _ in range(8):
        found = estimate_fmllr(stats, start=found, sweeps=1)
        values.append(stats.objective(found))
    assert (np.diff(values) > -1e-9 * np.abs(values[:-1]).max()).all()


@given(st.integers(0, 10_000))
@settings(max_examples=20, deadline=None)
def test_no_transform_near_the_estimate_is_better(seed: int) -> None:
    stats = random_statistics(seed)
    best = estimate_fmllr(stats, sweeps=200)
    rng = np.random.default_rng(seed)
    for size in (1e-3, 1e-2, 0.1):
        step = size * rng.normal(size=(3, 4))
        other = LinearTransform(best.matrix + step[:, :-1], best.offset + step[:, -1])
        assert stats.objective(other) <= stats.objective(best) + 1e-9


def test_differences_of_the_objective_are_those_of_log_likelihoods_with_the_log_determinant() -> None:
    rng = np.random.default_rng(1)
    frames, means, variances = rng.normal(size=(9, 3)), rng.normal(size=(9, 3)), rng.uniform(0.5, 2, (9, 3))
    stats = fmllr_statistics(frames, 1 / variances, means / variances)
    one, other = (LinearTransform(rng.normal(size=(3, 3)), rng.normal(size=3)) for _ in range(2))
    expected = log_likelihood(frames, means, variances, one) - log_likelihood(frames, means, variances, other)
    assert stats.objective(one) - stats.objective(other) == pytest.approx(expected, rel=1e-9)


def test_statistics_are_the_sums_of_an_obvious_loop() -> None:
    rng = np.random.default_rng(2)
    frames, inverse, linear_terms = (rng.normal(size=(2050, 3)) for _ in range(3))  # more than one block
    stats = fmllr_statistics(frames, inverse, linear_terms)
    extended = np.column_stack([frames, np.ones(len(frames))])
    for d in range(3):
        np.testing.assert_allclose(stats.quadratic[d], (extended * inverse[:, d : d + 1]).T @ extended, atol=1e-9)
        np.testing.assert_allclose(stats.linear[d], linear_terms[:, d] @ extended, atol=1e-9)
    assert stats.count == len(frames)


def test_statistics_of_two_halves_add_to_those_of_the_whole() -> None:
    rng = np.random.default_rng(3)
    arrays = [rng.normal(size=(100, 4)) for _ in range(3)]
    whole = fmllr_statistics(*arrays)
    both = fmllr_statistics(*(a[:37] for a in arrays)) + fmllr_statistics(*(a[37:] for a in arrays))
    np.testing.assert_allclose(both.quadratic, whole.quadratic, rtol=1e-10, atol=1e-10)
    np.testing.assert_allclose(both.linear, whole.linear, rtol=1e-10, atol=1e-10)
    assert both.count == whole.count


def test_synthetic_frames_give_back_the_transform_that_distorted_them() -> None:
    rng = np.random.default_rng(4)
    means, variances = 3 * rng.normal(size=(12, 4)), rng.uniform(0.3, 1.5, (12, 4))
    owner = rng.integers(12, size=60_000)
    clean = means[owner] + np.sqrt(variances[owner]) * rng.normal(size=(len(owner), 4))
    truth = LinearTransform(np.eye(4) + 0.3 * rng.normal(size=(4, 4)), rng.normal(size=4))
    distorted = (clean - truth.offset) @ np.linalg.inv(truth.matrix).T
    found = estimate_fmllr(fmllr_statistics(distorted, (1 / variances)[owner], (means / variances)[owner]))
    np.testing.assert_allclose(rows_of(found), rows_of(truth), atol=0.03)


def test_rows_converge_to_one_estimate_from_any_start_with_a_determinant_of_the_same_sign() -> None:
    stats = random_statistics(5, n_frames=500)
    wide = LinearTransform(3 * np.eye(3), np.ones(3))
    np.testing.assert_allclose(
        rows_of(estimate_fmllr(stats, sweeps=300)), rows_of(estimate_fmllr(stats, start=wide, sweeps=300)), atol=1e-6
    )


def test_fewer_frames_than_dimensions_need_a_prior() -> None:
    few, many = random_statistics(6, n_frames=2), random_statistics(7, n_frames=400)
    with pytest.raises(FitError, match="2 frames do not decide a transform of 3 dimensions; give more frames, or add"):
        estimate_fmllr(few)
    estimate_fmllr(few + many.worth(50))


def test_statistics_of_other_dimensions_are_refused() -> None:
    with pytest.raises(ShapeError, match="of 3 and of 2 dimensions"):
        random_statistics(0) + random_statistics(0, n_dims=2)
    with pytest.raises(ShapeError, match=r"expected \(T, D\) each"):
        fmllr_statistics(np.ones((3, 2)), np.ones((2, 2)), np.ones((3, 2)))


def model() -> Units:
    """Three words of one state, two Gaussians in each, in two dimensions."""
    places = {"a": (-6.0, 0.0), "b": (0.0, 5.0), "c": (6.0, -4.0)}
    hmms = [
        HMM(
            (DiagGMM([0.5, 0.5], [[x - 1, y], [x + 1, y]], [[0.5, 1.0], [0.5, 1.0]]),),
            left_to_right(1, self_loop=0.8),
        )
        for x, y in places.values()
    ]
    return Units(tuple(places), tuple(hmms))


def recogniser() -> Recogniser:
    units = model()
    return Recogniser(units, {word: ((word,),) for word in units.labels}, word_loop(list(units.labels)))


def spoken(rng: np.random.Generator, words: str) -> np.ndarray:
    """Frames of words as the model says them, 12 of each."""
    by_label = dict(zip(model().labels, model().emissions, strict=True))
    parts = []
    for word in words:
        chosen = by_label[word]
        which = rng.integers(2, size=12)
        parts.append(chosen.means[which] + np.sqrt(chosen.variances[which]) * rng.normal(size=(12, 2)))
    return np.concatenate(parts)


WARP = LinearTransform(np.array([[0.8, 0.3], [-0.2, 1.2]]), np.array([1.5, -1.0]))


def warped(frames: np.ndarray) -> np.ndarray:
    """As another speaker would say it; `WARP` brings the frames back."""
    return (frames - WARP.offset) @ np.linalg.inv(WARP.matrix).T


def adapter(prior: float = 500, rounds: int = 3) -> SpeakerAdapter:
    return SpeakerAdapter.of(model(), Adaptation(prior, rounds))


def adapted(frames: list[np.ndarray], prior: float, rounds: int = 3) -> LinearTransform:
    graph = recogniser().graph()
    return adapter(prior, rounds).transform([(one, graph) for one in frames]).transform


def test_the_expected_statistics_of_a_model_are_the_average_of_frames_that_it_produces() -> None:
    rng = np.random.default_rng(8)
    said = "abc" * 3000
    frames, states = spoken(rng, said), np.repeat(np.tile(np.arange(3), 3000), 12)
    stack = StateStack.of(model().emissions)
    average = fmllr_statistics(frames, *stack.expected_gaussians(stack.rows(frames), states)).worth(1)
    expected = expected_statistics(model().emissions)
    assert expected.count == 1
    np.testing.assert_allclose(average.quadratic, expected.quadratic, rtol=0.05, atol=0.3)
    np.testing.assert_allclose(average.linear, expected.linear, rtol=0.05, atol=0.3)


@given(st.integers(0, 10_000))
@settings(max_examples=20, deadline=None)
def test_the_expected_statistics_of_any_model_have_the_identity_as_their_transform(seed: int) -> None:
    rng = np.random.default_rng(seed)
    sizes = rng.integers(1, 4, 5)
    models = [DiagGMM(rng.dirichlet(np.ones(k)), rng.normal(size=(k, 3)), rng.uniform(0.1, 3, (k, 3))) for k in sizes]
    expected = expected_statistics(models)
    np.testing.assert_allclose(rows_of(estimate_fmllr(expected)), np.eye(3, 4), atol=1e-8)
    identity, other = LinearTransform(np.eye(3), np.zeros(3)), LinearTransform(rng.normal(size=(3, 3)), np.zeros(3))
    assert expected.objective(identity) >= expected.objective(other)


def test_with_an_infinite_prior_a_speakers_transform_is_the_identity() -> None:
    found = adapted([warped(spoken(np.random.default_rng(9), "abccba"))], prior=1e12)
    np.testing.assert_allclose(rows_of(found), np.eye(2, 3), atol=1e-6)


def test_a_speaker_with_much_speech_gets_the_transform_of_the_speech() -> None:
    rng = np.random.default_rng(10)
    found = adapted([warped(spoken(rng, "abcacb" * 30)) for _ in range(4)], prior=20, rounds=30)
    np.testing.assert_allclose(rows_of(found), rows_of(WARP), atol=0.1)


def test_a_speaker_with_a_fraction_of_a_second_of_speech_stays_near_the_identity() -> None:
    found = adapted([warped(spoken(np.random.default_rng(10), "ab"))], prior=500)
    assert np.abs(rows_of(found) - np.eye(2, 3)).max() < 0.35 < np.abs(rows_of(WARP) - np.eye(2, 3)).max() / 4


def test_a_recording_without_a_path_or_a_word_says_nothing_of_its_speaker() -> None:
    rng = np.random.default_rng(11)
    said = (spoken(rng, "abc"), recogniser().graph())
    may_be_empty = Recogniser(model(), {"a": (("a",),)}, parse_grammar("public <s> = [a];"), silence="c")
    silence = (spoken(rng, "c"), may_be_empty.graph())
    too_short = (said[0][:3], recogniser().linear(["a"] * 5))
    alone, all_three = adapter().transform([said]), adapter().transform([silence, said, too_short])
    assert alone.n_frames == all_three.n_frames == len(said[0])
    np.testing.assert_array_equal(rows_of(alone.transform), rows_of(all_three.transform))
    with_a_word = np.concatenate([silence[0], spoken(rng, "a")])
    assert path_statistics(StateStack.of(model().emissions), silence[1], with_a_word) is not None


def test_without_a_recording_to_use_a_speakers_transform_is_the_identity() -> None:
    found = adapter().transform([])
    assert found.n_frames == 0
    np.testing.assert_allclose(rows_of(found.transform), np.eye(2, 3), atol=1e-9)


def test_expected_gaussians_are_those_of_an_obvious_loop() -> None:
    rng = np.random.default_rng(12)
    emissions = model().emissions
    stack = StateStack.of(emissions)
    frames, states = 4 * rng.normal(size=(40, 2)), rng.integers(3, size=40)
    inverse, linear_terms = stack.expected_gaussians(stack.rows(frames), states)
    for t, (frame, state) in enumerate(zip(frames, states, strict=True)):
        mixture = emissions[state]
        logs = [
            np.log(weight) - 0.5 * (np.log(variance) + (frame - mean) ** 2 / variance).sum()
            for weight, mean, variance in zip(mixture.weights, mixture.means, mixture.variances, strict=True)
        ]
        shares = np.exp(logs - np.logaddexp.reduce(logs))
        np.testing.assert_allclose(inverse[t], shares @ (1 / mixture.variances), rtol=1e-5)
        np.testing.assert_allclose(linear_terms[t], shares @ (mixture.means / mixture.variances), rtol=1e-5, atol=1e-5)
