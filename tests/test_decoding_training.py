"""Laws of training HMMs: the objective, its statistics, the start, growth; what was put in comes back out."""

import pickle
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial

import numpy as np
import pytest

from speechgmm.errors import DataError, FitError, ShapeError
from speechgmm.gmm import DiagGMM
from speechgmm.hmm import (
    HMM,
    HMMPrior,
    HMMSpec,
    HMMStats,
    StateStack,
    Units,
    Utterance,
    expand,
    forward_backward,
    left_to_right,
    linear,
    train_hmms,
    viterbi,
)
from speechgmm.hmm.kept_graphs import KeptGraphs
from speechgmm.hmm.network import Network
from speechgmm.parallel import one_blas_thread


@pytest.fixture(autouse=True, scope="module")
def _one_thread():
    """As who scores many utterances does: threads of BLAS that share such small products wait for each other."""
    with one_blas_thread():
        yield


LABELS = ("a", "b", "sil")
TOPOLOGY = {"a": left_to_right(2, self_loop=0.6), "b": left_to_right(3, self_loop=0.6), "sil": left_to_right(1)}


def drawn(seed, n_utterances=30, length=5, spread=0.5, n_features=3):
    """Utterances of known units, with boundaries; the states lie at fixed places, far apart by ``1 / spread``."""
    rng = np.random.default_rng(seed)
    places = 3 * np.random.default_rng(99).normal(size=(6, n_features))
    states = {"a": (0, 1), "b": (2, 3, 4), "sil": (5,)}
    found = []
    for n in range(n_utterances):
        sequence = tuple(rng.choice(["a", "b"], size=length))
        said = ("sil", *sequence, "sil")
        frames, bounds = [], []
        for unit in said:
            first = len(frames)
            for state in states[unit]:
                side = rng.choice([-0.7, 0.7])
                noise = rng.normal(size=(1 + rng.geometric(0.3), n_features))
                frames.extend(places[state] + side + spread * noise)
            bounds.append((first, len(frames)))
        values = np.array(frames)
        build = partial(linear, words=sequence, silence="sil")
        found.append(Utterance(f"u{n}", values, len(values), said, build, np.array(bounds, dtype=float)))
    return found


def without_bounds(utterances):
    return [replace(utterance, bounds=None) for utterance in utterances]


@pytest.mark.parametrize("training", ["baum-welch", "viterbi"])
@pytest.mark.parametrize("variance_prior", [0, 30])
def test_no_update_lowers_the_objective(training, variance_prior):
    spec = HMMSpec(
        n_components=4, iterations=6, training=training, variance_prior=variance_prior, tol=0, frames_per_component=5
    )
    fit = train_hmms(without_bounds(drawn(0, spread=1.5)), TOPOLOGY, spec, precision="float64")
    assert len(fit.trace) == 3
    assert fit.least_step() > -1e-10
    assert all(level[-1] > level[0] for level in fit.trace[:1])


def test_an_update_is_that_of_every_frame_and_every_path_written_out():
    """The M-step on posteriors of all paths: means, variances, weights, transitions, with priors."""
    rng = np.random.default_rng(1)
    models = [
        DiagGMM(rng.dirichlet(np.ones(2)), rng.normal(size=(2, 2)), rng.uniform(0.5, 1.5, (2, 2))) for _ in range(3)
    ]
    units = Units(("a", "b"), (HMM(tuple(models[:2]), left_to_right(2)), HMM((models[2],), left_to_right(1))))
    frames = rng.normal(size=(7, 2))
    graph = linear(units, ["a", "b", "a"])
    stack = StateStack.of(units.emissions, precision="float64")
    rows = stack.rows(frames)
    found = forward_backward(graph, stack.log_likelihoods(rows))
    stats = HMMStats(stack.accumulate(rows, found.states), found.transitions)
    prior = HMMPrior(np.array([2.0, 3.0]), variance_count=5.0, transition_count=1.5, floor=np.full(2, 1e-3))
    updated = prior.update(units, stats, units)
    for s, (model, after) in enumerate(zip(models, updated.emissions, strict=True)):
        joint = np.stack(
            [
                w * np.exp(-0.5 * ((frames - m) ** 2 / v + np.log(2 * np.pi * v)).sum(axis=1))
                for w, m, v in zip(model.weights, model.means, model.variances, strict=True)
            ]
        )
        share = joint / joint.sum(axis=0) * found.states[:, s]
        n = share.sum(axis=1, keepdims=True)
        means = share @ frames / n
        scatter = np.stack([share[k] @ (frames - means[k]) ** 2 for k in range(2)])
        np.testing.assert_allclose(after.weights, n[:, 0] / n.sum(), atol=1e-10)
        np.testing.assert_allclose(after.means, means, atol=1e-10)
        np.testing.assert_allclose(after.variances, (scatter + 5 * np.array([2.0, 3.0])) / (n + 5), atol=1e-10)
    counts = found.transitions[:6].reshape(2, 3) + 1.5 * units.hmms[0].transitions
    np.testing.assert_allclose(updated.hmms[0].transitions, counts / counts.sum(axis=1, keepdims=True), atol=1e-10)
    assert (updated.hmms[0].transitions[units.hmms[0].transitions == 0] == 0).all()


def test_statistics_of_two_halves_add_up_to_the_whole():
    utterances = drawn(2, n_utterances=8)
    mixture = DiagGMM([0.4, 0.6], [[0.0] * 3, [1.0] * 3], np.ones((2, 3)))
    units = Units(LABELS, tuple(HMM((mixture,) * len(rows), rows) for rows in TOPOLOGY.values()))
    stack = StateStack.of(units.emissions, precision="float64")

    def stats(utterance):
        rows = stack.rows(utterance.frames)
        found = forward_backward(utterance.build(units), stack.log_likelihoods(rows))
        return HMMStats(stack.accumulate(rows, found.states), found.transitions)

    one, two = (sum(map(stats, part[1:]), stats(part[0])) for part in (utterances[:3], utterances[3:]))
    whole = sum(map(stats, utterances[1:]), stats(utterances[0]))
    np.testing.assert_allclose((one + two).transitions, whole.transitions, rtol=1e-12)
    np.testing.assert_allclose((one + two).emissions.squares, whole.emissions.squares, rtol=1e-12)
    with pytest.raises(ShapeError, match="transitions"):
        one + HMMStats(one.emissions, one.transitions[:-1])


def test_who_maps_changes_no_byte(monkeypatch):
    monkeypatch.setattr("speechgmm.hmm.training.PARCEL", 300)
    utterances = without_bounds(drawn(3, n_utterances=40))
    spec = HMMSpec(n_components=2, iterations=2)
    with ThreadPoolExecutor(2) as pool:
        one, two = (train_hmms(utterances, TOPOLOGY, spec, map=spread) for spread in (map, pool.map))
    assert one.trace == two.trace
    for ours, theirs in zip(one.units.emissions, two.units.emissions, strict=True):
        assert ours.means.tobytes() == theirs.means.tobytes()
        assert ours.variances.tobytes() == theirs.variances.tobytes()


def in_another_process(work, parcels):
    """A map whose tasks travel, as they do to the workers of a cluster."""
    for parcel in parcels:
        there, theirs = pickle.loads(pickle.dumps((work, parcel)))
        yield there(theirs)


@pytest.mark.slow
@pytest.mark.parametrize("training", ["baum-welch", "viterbi"])
@pytest.mark.parametrize("transition_prior", [0, 1])
def test_graphs_that_are_kept_from_pass_to_pass_change_no_byte(training, transition_prior, monkeypatch):
    monkeypatch.setattr("speechgmm.hmm.training.PARCEL", 300)
    utterances = without_bounds(drawn(3, n_utterances=12))
    built = []

    def building(units, utterance):
        built.append(utterance.name)
        return utterance.build(units)

    counted = [replace(u, build=partial(building, utterance=u)) for u in utterances]
    spec = HMMSpec(n_components=2, iterations=3, training=training, transition_prior=transition_prior, tol=0)
    kept = train_hmms(counted, TOPOLOGY, spec)
    # Once; again where a transition has become impossible.
    assert len(built) == len(utterances) if transition_prior else len(built) <= 3 * len(utterances)
    monkeypatch.setattr("speechgmm.hmm.kept_graphs.MOST_ARCS", 0)
    built.clear()
    anew = train_hmms(counted, TOPOLOGY, spec)
    assert len(built) == 6 * len(utterances)
    travelled = train_hmms(utterances, TOPOLOGY, spec, map=in_another_process)
    for other in (anew, travelled):
        assert kept.trace == other.trace
        for ours, theirs in zip(kept.units.hmms, other.units.hmms, strict=True):
            assert ours.transitions.tobytes() == theirs.transitions.tobytes()
            for one, two in zip(ours.emissions, theirs.emissions, strict=True):
                assert one.means.tobytes() + one.variances.tobytes() == two.means.tobytes() + two.variances.tobytes()


def test_a_kept_graph_has_the_arcs_of_one_that_is_built_anew_even_where_transitions_come_and_go():
    mixture = DiagGMM([1.0], [[0.0]], [[1.0]])

    def units(a, b):
        return Units(("a", "b"), (HMM((mixture,) * 2, a), HMM((mixture,), b)))

    build, kept = partial(linear, words=("a", "b", "a")), KeptGraphs()
    skipping = left_to_right(2, skips=1)
    for a in (skipping, left_to_right(2), left_to_right(2, self_loop=0.3), skipping):
        found, expected = (units(a, left_to_right(1)) for _ in range(2))
        one, two = kept.under(found, build), build(expected)
        for name in ("sources", "destinations", "log_weights", "log_start", "log_end", "transitions"):
            np.testing.assert_array_equal(getattr(one, name), getattr(two, name))


@pytest.mark.parametrize("training", ["baum-welch", "viterbi"])
def test_units_trained_from_boundaries_find_them_and_the_words_of_others(training):
    spec = HMMSpec(n_components=2, iterations=4, training=training)
    fit = train_hmms(drawn(4), TOPOLOGY, spec)
    stack = StateStack.of(fit.units.emissions)
    words = (("a",), ("b",))
    loops = Network(2, ((0, "a", 1, 0.0), (0, "b", 1, 0.0), (1, None, 0, -0.7)), 0, {1: 0.0})
    graph = expand(loops, {word[0]: (word,) for word in words}, fit.units, silence="sil")
    right = 0
    for utterance in drawn(5, n_utterances=10):
        emissions = stack.log_likelihoods(stack.rows(utterance.frames))
        path = viterbi(graph, emissions)
        begins = np.flatnonzero(np.append(True, graph.breaks[path.arcs[1:]] > 0))
        heard = tuple(graph.unit_labels[graph.units[path.nodes[t]]] for t in begins)
        right += heard == utterance.sequence
        forced = viterbi(utterance.build(fit.units), emissions)
        assert forced.score <= path.score + 0.7 * 5 + 1e-9
    assert right >= 9


def test_training_that_goes_on_does_not_repeat_the_levels_below_its_start() -> None:
    utterances = drawn(4)
    spec = HMMSpec(n_states=2, n_components=4, iterations=3, tol=0, frames_per_component=5)
    half = train_hmms(utterances, TOPOLOGY, replace(spec, n_components=2), precision="float64")
    more = train_hmms(utterances, TOPOLOGY, spec, start=half.units, precision="float64")
    assert [len(level) for level in more.trace] == [3, 3]  # of two Gaussians, then of four
    assert max(model.n_components for model in more.units.emissions) == 4
    assert more.trace[0][0] >= half.trace[-1][-1]
    fewer = train_hmms(utterances, TOPOLOGY, replace(spec, n_components=1), start=half.units, precision="float64")
    assert len(fewer.trace) == 1
    assert [model.n_components for model in fewer.units.emissions] == [
        model.n_components for model in half.units.emissions
    ]


@pytest.mark.slow
def test_a_flat_start_finds_units_that_never_had_a_boundary():
    fit = train_hmms(without_bounds(drawn(6, n_utterances=60)), TOPOLOGY, HMMSpec(n_components=2, iterations=12))
    known = train_hmms(drawn(6, n_utterances=60), TOPOLOGY, HMMSpec(n_components=2, iterations=12))
    assert fit.trace[-1][-1] > known.trace[-1][-1] - 0.05


def test_training_that_goes_on_begins_where_it_stopped():
    utterances = drawn(7)
    spec = HMMSpec(n_components=1, iterations=3, tol=0)
    short = train_hmms(utterances, TOPOLOGY, spec, precision="float64")
    more = train_hmms(utterances, TOPOLOGY, spec, start=short.units, precision="float64")
    long = train_hmms(utterances, TOPOLOGY, replace(spec, iterations=6), precision="float64")
    np.testing.assert_allclose(long.trace[0], (*short.trace[0], *more.trace[0]), rtol=1e-12)


def test_shifted_and_scaled_frames_shift_and_scale_the_units():
    utterances = drawn(8, n_utterances=10)
    moved = [replace(u, frames=100 + 7 * u.frames) for u in utterances]
    spec = HMMSpec(n_components=2, iterations=3)
    one, two = (train_hmms(part, TOPOLOGY, spec, precision="float64") for part in (utterances, moved))
    for here, there in zip(one.units.emissions, two.units.emissions, strict=True):
        np.testing.assert_allclose(there.means, 100 + 7 * here.means, rtol=1e-8)
        np.testing.assert_allclose(there.variances, 49 * here.variances, rtol=1e-8)


def test_variances_keep_their_floor_and_components_their_frames():
    spec = HMMSpec(n_components=8, iterations=2, variance_floor=0.5, variance_prior=0, frames_per_component=60)
    utterances = drawn(9)
    fit = train_hmms(utterances, TOPOLOGY, spec)
    variance = np.concatenate([u.frames for u in utterances]).var(axis=0)
    for model in fit.units.emissions:
        assert (model.variances >= 0.5 * variance * (1 - 1e-9)).all()
    n_frames = sum(u.n_frames for u in utterances)
    assert sum(model.n_components for model in fit.units.emissions) <= n_frames / 60 + len(fit.units.emissions)


def test_what_cannot_be_trained_on_is_named():
    good = drawn(10, n_utterances=2)
    spec = HMMSpec(n_components=1, iterations=1)
    short = replace(good[1], name="short", frames=good[1].frames[:5], n_frames=5, bounds=None)
    with pytest.raises(DataError, match=r"'short': an utterance of 5 frames, too short"):
        train_hmms([good[0], short], TOPOLOGY, spec)
    with pytest.raises(DataError, match="'empty' has no frames"):
        train_hmms([good[0], replace(short, name="empty", frames=np.empty((0, 3)), n_frames=0)], TOPOLOGY, spec)
    with pytest.raises(ShapeError, match=r"'wide' of shape .* expected"):
        train_hmms([good[0], replace(short, name="wide", frames=np.ones((5, 4)))], TOPOLOGY, spec)
    with pytest.raises(ShapeError, match=r"'u1': bounds of shape \(2, 2\)"):
        train_hmms([good[0], replace(good[1], bounds=np.ones((2, 2)))], TOPOLOGY, spec)
    with pytest.raises(FitError, match="nan"):
        train_hmms([replace(good[0], frames=np.full_like(good[0].frames, np.nan))], TOPOLOGY, spec)
    with pytest.raises(DataError, match="no utterances"):
        train_hmms([], TOPOLOGY, spec)
