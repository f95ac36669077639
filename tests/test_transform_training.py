"""Laws of the transform that hidden Markov models learn: what it is, what it does not depend on, what is refused."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial

import numpy as np
import pytest

from speechgmm.errors import ConfigError, ShapeError
from speechgmm.features.transforms import TransformSpec, class_moments, lda, splice
from speechgmm.hmm import HMMSpec, Utterance, left_to_right, linear
from speechgmm.hmm.held_alignments import Alignments, HeldTraining
from speechgmm.hmm.training import plain_units
from speechgmm.hmm.transform_training import (
    TransformedFrames,
    n_passes_transformed,
    train_transform,
    train_transformed,
)

TOPOLOGY = {"a": left_to_right(2, self_loop=0.6), "b": left_to_right(2, self_loop=0.6), "sil": left_to_right(1)}
STATES = {"a": (0, 1), "b": (2, 3), "sil": (4,)}
SPEC = HMMSpec(n_components=2, frames_per_component=5, iterations=2, variance_prior=1, variance_floor=0.01)
LDA = TransformSpec(kind="lda", mllt=True, dim=3, splice=1)
MIXING = np.random.default_rng(12).normal(size=(3, 3))


def drawn(n_utterances=25, mixing=MIXING):
    """Utterances of three mixed static columns and one that says nothing, and the state of every frame.

    Before they are mixed, each state has a diagonal covariance of its own.
    """
    rng, places = np.random.default_rng(1), np.random.default_rng(5)
    means, spreads = 2.5 * places.normal(size=(5, 3)), places.uniform(0.2, 1.5, (5, 3))
    utterances, states = [], []
    for n in range(n_utterances):
        words = tuple(str(word) for word in rng.choice(["a", "b"], size=4))
        sequence = ("sil", *words, "sil")
        visited = [state for unit in sequence for state in STATES[unit]]
        numbers = np.repeat(visited, 1 + rng.geometric(0.3, size=len(visited)))
        sources = means[numbers] + spreads[numbers] * rng.normal(size=(len(numbers), 3))
        frames = np.hstack([sources @ mixing.T, rng.normal(size=(len(numbers), 1))])
        build = partial(linear, words=words, silence="sil")
        utterances.append(Utterance(f"u{n}", frames, len(frames), sequence, build))
        states.append(numbers.astype(np.int32))
    return utterances, Alignments(tuple(states), np.zeros(14), 0.0)


def fitted(how=LDA, *, spec=SPEC, **options):
    utterances, states = drawn()
    return train_transform(utterances, states, 5, how, spec, n_static=3, **options)


def test_no_sweep_of_a_round_lowers_its_objective_and_each_of_three_rounds_is_one():
    fit = fitted()
    assert fit.least_step() > -1e-9
    assert len(fit.trace) == 3
    assert fit.trace[0][-1] > fit.trace[0][0]


def test_frames_in_training_are_those_that_the_whole_matrix_gives_of_spliced_recordings():
    utterances, _ = drawn()
    for how in (LDA, TransformSpec(kind="mllt")):
        fit = fitted(how)
        for one, after in zip(utterances[:3], fit.utterances, strict=False):
            image = fit.transform.apply(splice(one.frames, how.splice))
            np.testing.assert_allclose(after.load(), image, rtol=1e-5, atol=1e-5)
    unused = fitted().transform.matrix.reshape(3, 3, 4)[:, :, 3]  # no static column
    assert not unused.any()


def test_the_directions_are_those_of_lda_over_the_states_turned_within_their_span():
    utterances, states = drawn()
    rows = np.concatenate([splice(one.frames[:, :3], 1) for one in utterances])
    start = lda(class_moments(rows, np.concatenate(states.states), 5), 3)
    found = fitted().transform.matrix.reshape(3, 3, 4)[:, :, :3].reshape(3, 9)
    turn = np.linalg.lstsq(start.matrix.T, found.T, rcond=None)[0].T
    np.testing.assert_allclose(turn @ start.matrix, found, atol=1e-8)


def test_mllt_finds_the_axes_in_which_every_state_is_diagonal():
    """Frames are mixed by a matrix: of its inverse the transform is a permutation with other scales."""
    utterances, states = drawn(60)
    only = [replace(one, frames=one.frames[:, :3]) for one in utterances]
    spec = replace(SPEC, n_components=1, variance_prior=0)
    found = train_transform(only, states, 5, TransformSpec(kind="mllt"), spec, n_static=3).transform.matrix
    images = np.abs(found @ MIXING)
    images /= images.max(axis=1, keepdims=True)
    assert sorted(images.argmax(axis=1)) == [0, 1, 2]
    assert np.sort(images, axis=1)[:, :-1].max() < 0.15


def test_neither_who_maps_nor_memory_changes_a_byte(monkeypatch):
    monkeypatch.setattr("speechgmm.hmm.training.PARCEL", 150)

    def trained(**options):
        fit = fitted(**options)
        arrays = [array for model in fit.mixtures for array in (model.means, model.variances)]
        return b"".join(array.tobytes() for array in [*arrays, fit.transform.matrix, fit.transform.offset])

    with ThreadPoolExecutor(3) as pool:
        assert trained(map=pool.map) == trained() == trained(memory=10**9)


def test_units_after_a_transform_align_mixed_frames_and_pass_over_them_no_more_often_than_said():
    utterances, truth = drawn()
    only = [replace(one, frames=one.frames[:, :3]) for one in utterances]
    held, spec = HeldTraining.of(only, SPEC), replace(SPEC, n_components=1)
    start = plain_units(TOPOLOGY, held.everywhere).with_parameters(held.gaussians(truth, 5))
    calls = []

    def counting(*arguments):
        calls.append(1)
        return map(*arguments)

    how = TransformSpec(kind="mllt")
    units, transform = train_transformed(only, start, TOPOLOGY, how, spec, n_static=3, map=counting)
    assert n_passes_transformed(spec) - 8 <= len(calls) <= n_passes_transformed(spec)
    after = [replace(one, frames=transform.apply(one.frames)) for one in only]

    def share(alignments):
        return np.mean(np.concatenate(alignments.states) == np.concatenate(truth.states))

    found, before = share(HeldTraining.of(after, spec).align(units)), share(held.align(start))
    assert found > 0.9
    assert found > before


def test_a_state_of_few_frames_spoils_no_transform():
    utterances, states = drawn(4)
    few = np.where(np.arange(len(states.states[0])) < 3, 5, states.states[0]).astype(np.int32)
    rare = Alignments((few, *states.states[1:]), states.transitions, 0.0)
    fit = train_transform(utterances, rare, 7, LDA, replace(SPEC, n_components=8, variance_prior=30), n_static=3)
    assert np.isfinite(fit.transform.matrix).all()
    assert len(fit.mixtures) == 7


def test_transformed_frames_are_made_of_the_chosen_columns_of_neighbours():
    frames = np.arange(12.0).reshape(4, 3)
    found = TransformedFrames(frames, 1, np.array([0, 2]), None).load()
    wanted = np.hstack([frames[[0, 0, 1, 2]][:, [0, 2]], frames[:, [0, 2]], frames[[1, 2, 3, 3]][:, [0, 2]]])
    np.testing.assert_array_equal(found, wanted)


def test_lda_alone_too_many_directions_and_alignments_of_others_are_refused():
    with pytest.raises(ConfigError, match="mllt: true"):
        fitted(TransformSpec(kind="lda", dim=3, splice=1))
    with pytest.raises(ConfigError, match=r"dim is 5, and 5 states with frames .* 4 directions"):
        fitted(TransformSpec(kind="lda", mllt=True, dim=5, splice=1))
    utterances, states = drawn()
    with pytest.raises(ShapeError):
        train_transform(utterances[1:], states, 5, LDA, SPEC, n_static=3)
