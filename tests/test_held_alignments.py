"""Laws of training on held alignments: what an update is, ties, sizes of mixtures; the alignments themselves."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from speechgmm.errors import ConfigError, DataError, ShapeError
from speechgmm.gmm import DiagGMM
from speechgmm.hmm import HMMSpec, StateStack, Utterance, left_to_right, linear, train_hmms, viterbi
from speechgmm.hmm.component_counts import grown_mixtures, shared_components
from speechgmm.hmm.held_alignments import Alignments, HeldTraining, train_held
from speechgmm.hmm.hmm import tied_units
from speechgmm.hmm.tied_states import DecisionTree, Leaf, TiedStates

TOPOLOGY = {"a": left_to_right(2, self_loop=0.6), "b": left_to_right(3, self_loop=0.6), "sil": left_to_right(1)}
PLACES = {"a": (0, 1), "b": (2, 3, 4), "sil": (5,)}
TIE = np.array([0, 1, 2, 1, 3, 4], np.int32)  # the second state of a, and that of b, have one mixture


def drawn(n_utterances=12, spread=0.8, tied=False):
    """Utterances of two units between silences, and the state of every frame, or its mixture."""
    rng = np.random.default_rng(0)
    places = 3 * np.random.default_rng(99).normal(size=(6, 2))
    places = places[[0, 1, 2, 1, 4, 5]] if tied else places
    utterances, states = [], []
    for n in range(n_utterances):
        words = tuple(str(word) for word in rng.choice(["a", "b"], size=4))
        sequence = ("sil", *words, "sil")
        visited = [state for unit in sequence for state in PLACES[unit]]
        numbers = np.repeat(visited, 1 + rng.geometric(0.3, size=len(visited)))
        sides = rng.choice([-1.5, 1.5], size=(len(numbers), 1))
        frames = places[numbers] + sides + spread * rng.normal(size=(len(numbers), 2))
        build = partial(linear, words=words, silence="sil")
        utterances.append(Utterance(f"u{n}", frames, len(frames), sequence, build))
        states.append(TIE[numbers] if tied else numbers.astype(np.int32))
    return utterances, Alignments(tuple(states), np.zeros(2 * 3 + 3 * 4 + 2), 0.0)


def spec(**settings):
    return HMMSpec(**{"frames_per_component": 3, "tol": 0, "iterations": 2, **settings})


@pytest.mark.parametrize("tied", [False, True])
@pytest.mark.parametrize("variance_prior", [0, 10])
def test_no_update_on_held_alignments_lowers_the_objective(tied, variance_prior):
    utterances, states = drawn(tied=tied)
    held = HeldTraining.of(utterances, spec(variance_prior=variance_prior), precision="float64")
    models = held.gaussians(states, 5 if tied else 6)
    counts = held.statistics(states, models).counts
    fit = held.update(states, grown_mixtures(models, counts, np.full(len(models), 2), 3), n_updates=8)
    assert fit.least_step() > -1e-10
    assert fit.trace[-1] > fit.trace[0] + 0.1  # each state has two sides


def test_statistics_are_those_of_every_frame_under_the_mixture_of_its_state():
    utterances, states = drawn(3, tied=True)
    held = HeldTraining.of(utterances, spec(), precision="float64")
    models = [DiagGMM([0.4, 0.6], [[m, 0.0], [0.0, m]], [[1.0, 2.0], [3.0, 1.0]]) for m in range(5)]
    found = held.statistics(states, models).about(0)
    counts, sums, squares, total = np.zeros(10), np.zeros((10, 2)), np.zeros((10, 2)), 0.0
    for utterance, numbers in zip(utterances, states.states, strict=True):
        for frame, state in zip(utterance.frames, numbers, strict=True):
            model = models[state]
            norms = np.sqrt(np.prod(2 * np.pi * model.variances, axis=1))
            joint = model.weights / norms * np.exp(-0.5 * ((frame - model.means) ** 2 / model.variances).sum(axis=1))
            total += np.log(joint.sum())
            for k, share in enumerate(joint / joint.sum()):
                counts[2 * state + k] += share
                sums[2 * state + k] += share * frame
                squares[2 * state + k] += share * frame**2
    for ours, theirs in ((found.counts, counts), (found.sums, sums), (found.squares, squares)):
        np.testing.assert_allclose(ours, theirs, rtol=1e-9, atol=1e-9)
    assert found.log_likelihood == pytest.approx(total)


def test_the_compiled_accumulation_is_numpys():
    rng = np.random.default_rng(1)
    models = [DiagGMM(np.full(k, 1 / k), rng.normal(size=(k, 3)), rng.uniform(1, 2, (k, 3))) for k in (1, 3, 2)]
    stack = StateStack.of(models, precision="float64")
    rows, states = stack.rows(rng.normal(size=(700, 3))), rng.integers(0, 3, 700)
    one, other = np.zeros(stack.factors.shape), np.zeros(stack.factors.shape)
    values = [stack.add_assigned(rows, states, one), stack.add_assigned(rows, states, other, engine="numpy")]
    np.testing.assert_allclose(one, other, rtol=1e-7, atol=1e-7)
    assert values[0] == pytest.approx(values[1], rel=1e-9)


def test_who_maps_changes_no_byte_of_alignments_and_mixtures(monkeypatch):
    monkeypatch.setattr("speechgmm.hmm.training.PARCEL", 60)
    utterances, _ = drawn()
    start = train_hmms(utterances, TOPOLOGY, spec(n_components=1)).units

    def trained(map):
        held = HeldTraining.of(utterances, spec(), map=map)
        units, _ = train_held(held, start, start.emissions, held.align(start), spec(n_components=4))
        return (
            b"".join(m.means.tobytes() + m.variances.tobytes() for m in units.emissions)
            + units.log_transitions.tobytes()
        )

    with ThreadPoolExecutor(3) as pool:
        assert trained(pool.map) == trained(map)


@pytest.mark.parametrize("tied", [False, True])
def test_an_alignment_is_the_best_path_of_every_utterance(tied):
    utterances, _ = drawn(4, tied=tied)
    start = train_hmms(utterances, TOPOLOGY, spec(n_components=1)).units
    if tied:
        trees = tuple(DecisionTree((Leaf(int(number)),)) for number in TIE)
        start = tied_units(start.labels, [h.transitions for h in start.hmms], TiedStates(start.emissions[:5], trees))
    found = HeldTraining.of(utterances, spec(), precision="float64").align(start)
    stack, transitions, score = StateStack.of(start.emissions, precision="float64"), 0.0, 0.0
    for utterance, states in zip(utterances, found.states, strict=True):
        graph = utterance.build(start)
        path = viterbi(graph, stack.log_likelihoods(stack.rows(utterance.frames)))
        assert states.tolist() == graph.states[path.nodes].tolist()
        transitions, score = transitions + path.transition_counts(graph), score + path.score
    np.testing.assert_array_equal(found.transitions, transitions)
    assert found.score == pytest.approx(score)


def test_training_on_held_alignments_finds_the_states_and_other_frames_may_take_their_place():
    """From a flat start; then on frames of another transform than those that were aligned."""
    utterances, truth = drawn(20, spread=0.4)
    start = train_hmms(utterances, TOPOLOGY, spec(n_components=1, iterations=6, variance_prior=0)).units
    held = HeldTraining.of(utterances, spec(variance_prior=0))
    units, _ = train_held(held, start, start.emissions, held.align(start), spec(n_components=2))
    right = [np.mean(a == b) for a, b in zip(held.align(units).states, truth.states, strict=True)]
    assert np.mean(right) > 0.95
    assert {model.n_components for model in units.emissions} == {2}
    rotation = np.array([[0.6, -0.8], [0.8, 0.6]])
    turned = [replace(u, frames=u.frames @ rotation.T + 7) for u in utterances]
    other = HeldTraining.of(turned, spec(variance_prior=0))
    models = other.gaussians(held.align(units), 6)
    again = other.align(units, models)
    assert np.mean([np.mean(a == b) for a, b in zip(again.states, truth.states, strict=True)]) > 0.95


def test_alignments_of_other_utterances_are_refused_and_a_short_utterance_is_named():
    utterances, states = drawn(3)
    held = HeldTraining.of(utterances, spec())
    with pytest.raises(ShapeError, match="alignments of 2 utterances"):
        held.gaussians(Alignments(states.states[:2], states.transitions, 0.0), 6)
    with pytest.raises(ShapeError, match="no mixture among 5"):
        held.gaussians(states, 5)
    start = train_hmms(utterances, TOPOLOGY, spec(n_components=1)).units
    short = [replace(utterances[0], frames=utterances[0].frames[:2], n_frames=2), *utterances[1:]]
    with pytest.raises(DataError, match=r"'u0'.*too short"):
        replace(held, utterances=tuple(short)).align(start)


# ---------------------------------------------------------------- how many Gaussians a state has


def dealt_out(counts, total, power, frames_per_component):
    """One at a time, by looking at all."""
    most = [max(1, int(n // frames_per_component)) for n in counts]
    found = [1] * len(counts)
    while sum(found) < total and any(a < b for a, b in zip(found, most, strict=True)):
        values = [n**power / k if k < m else -1 for n, k, m in zip(counts, found, most, strict=True)]
        found[values.index(max(values))] += 1
    return found


@settings(max_examples=40)
@given(st.lists(st.integers(0, 5000), min_size=1, max_size=8), st.integers(0, 60), st.sampled_from([0.0, 0.4, 1.0]))
def test_shared_gaussians_go_one_by_one_to_the_state_with_the_largest_quotient(counts, total, power):
    found = shared_components(counts, total, power=power, frames_per_component=20)
    assert found.tolist() == dealt_out(counts, total, power, 20)


def test_states_without_frames_or_a_total_below_one_each_keep_one_gaussian():
    assert shared_components([0, 0, 1e6], 2).tolist() == [1, 1, 1]
    assert shared_components([0, 0, 1e6], 9).tolist() == [1, 1, 7]
    for wrong in ([], [-1.0], [[1.0]]):
        with pytest.raises(ConfigError, match="expected the frames of one mixture"):
            shared_components(wrong, 4)


@pytest.mark.parametrize("variance_prior", [0.0, 25.0])
def test_variances_are_drawn_to_those_of_all_frames_of_their_state_and_no_update_lowers_the_objective(variance_prior):
    utterances, states = drawn(16)
    held = HeldTraining.of(utterances, spec(variance_prior=variance_prior, variance_floor=0.3), precision="float64")
    own = held.with_own_variances(states, 6)
    frames, numbers = np.concatenate([one.frames for one in utterances]), np.concatenate(states.states)
    overall = frames.var(axis=0)
    for number in range(6):
        mine = frames[numbers == number]
        expected = (len(mine) * mine.var(axis=0) + variance_prior * overall) / (len(mine) + variance_prior)
        np.testing.assert_allclose(own.prior.own[number], np.maximum(expected, 0.01 * overall), rtol=1e-6)
    models = own.gaussians(states, 6)
    models = grown_mixtures(models, own.statistics(states, models).counts, np.full(6, 2), 1.0)
    fit = own.update(states, models, n_updates=5)
    assert fit.least_step() >= -1e-9
    for number, model in enumerate(fit.mixtures):
        assert (model.variances >= 0.3 * own.prior.own[number] * (1 - 1e-9)).all()
    plain = held.update(states, models, n_updates=5).mixtures
    assert any((one.variances != other.variances).any() for one, other in zip(plain, fit.mixtures, strict=True))
