"""Laws of decision trees for tied states: gains by brute force, greedy splits, every context in one leaf."""

from functools import reduce
from operator import add

import numpy as np
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st

from speechgmm.errors import ConfigError, DataError, ShapeError
from speechgmm.gmm import DiagGMM
from speechgmm.hmm import HMM, Units, left_to_right, linear, viterbi
from speechgmm.hmm.context_statistics import ContextStats, contexts_of, gaussian_log_likelihood
from speechgmm.hmm.decision_tree import grow_trees
from speechgmm.hmm.phonetic_questions import clustered_questions, given_questions
from speechgmm.hmm.tied_states import BOUNDARY, Split

N_UNITS = 4
N_DIMS = 2
FLOOR = np.full(N_DIMS, 0.05)
QUESTIONS = (frozenset({BOUNDARY}), frozenset({0}), frozenset({1, 2}), frozenset({0, 3}))
SOME = st.integers(0, 2**16)


def drawn(seed, n_frames=160, n_states=2):
    """Contexts of frames whose means depend on state, left and right."""
    rng = np.random.default_rng(seed)
    contexts = np.column_stack(
        [rng.integers(0, n_states, n_frames), *(rng.integers(-1, N_UNITS, n_frames) for _ in range(2))]
    ).astype(np.int32)
    means = rng.normal(scale=2, size=(n_states, N_UNITS + 1, N_UNITS + 1, N_DIMS))
    return contexts, means[contexts[:, 0], contexts[:, 1], contexts[:, 2]] + rng.normal(size=(n_frames, N_DIMS))


def likelihood(frames):
    """Of frames under their own Gaussian, as scipy says."""
    if not len(frames):
        return 0.0
    deviation = np.sqrt(np.maximum(frames.var(axis=0), FLOOR))
    return float(scipy.stats.norm(frames.mean(axis=0), deviation).logpdf(frames).sum())


def grown(contexts, frames, **changes):
    stats = ContextStats.of(contexts, frames, np.full(N_DIMS, 0.3))
    how = {"n_leaves": 7, "least_frames": 5, "least_gain": 0, "floor": FLOOR} | changes
    return grow_trees(stats, range(int(contexts[:, 0].max()) + 1), QUESTIONS, **how)


@pytest.mark.slow
@settings(max_examples=25, deadline=None)
@given(SOME)
def test_statistics_of_contexts_add_and_give_the_likelihood_of_the_frames(seed):
    contexts, frames = drawn(seed)
    reference = np.full(N_DIMS, -1.5)
    whole = ContextStats.of(contexts, frames, reference)
    parts = [ContextStats.of(contexts[n : n + 50], frames[n : n + 50], reference) for n in range(0, 160, 50)]
    together = reduce(add, parts)
    np.testing.assert_array_equal(whole.contexts, together.contexts)
    np.testing.assert_allclose(whole.table, together.table, atol=1e-9)
    for context, row in zip(whole.contexts, whole.table, strict=True):
        own = frames[(contexts == context).all(axis=1)]
        assert gaussian_log_likelihood(row, FLOOR) == pytest.approx(likelihood(own), abs=1e-6)
    with pytest.raises(ShapeError, match="different references"):
        whole + ContextStats.of(contexts, frames, np.zeros(N_DIMS))
    with pytest.raises(ShapeError, match="for 159 frames"):
        ContextStats.of(contexts, frames[1:], reference)


@pytest.mark.slow
@settings(max_examples=25, deadline=None)
@given(SOME)
def test_the_first_split_is_the_best_of_all_states_sides_and_questions(seed):
    contexts, frames = drawn(seed)
    gains = {}
    for state in (0, 1):
        mine = contexts[:, 0] == state
        for side in (1, 2):
            for units in QUESTIONS:
                yes = mine & np.isin(contexts[:, side], list(units))
                no = mine & ~yes
                if min(yes.sum(), no.sum()) >= 5:
                    gains[state, side, units] = (
                        likelihood(frames[yes]) + likelihood(frames[no]) - likelihood(frames[mine])
                    )
    found = grown(contexts, frames, n_leaves=3)
    ((state, root),) = [(n, tree.nodes[0]) for n, tree in enumerate(found.trees) if isinstance(tree.nodes[0], Split)]
    side = {"left": 1, "right": 2}[root.question.side]
    best = max(gains.values())
    assert gains[state, side, root.question.units] == pytest.approx(best, abs=1e-6)
    assert found.trace[1] - found.trace[0] == pytest.approx(best, abs=1e-6)


@settings(max_examples=25, deadline=None)
@given(SOME, st.integers(1, 12))
def test_likelihood_never_falls_by_a_split_and_every_context_reaches_one_leaf_with_its_frames(seed, n_leaves):
    contexts, frames = drawn(seed)
    found = grown(contexts, frames, n_leaves=n_leaves)
    assert (np.diff(found.trace) > 0).all()
    assert len(found.leaves) <= max(2, n_leaves)
    leaves = np.array([found.trees[state].emission(left, right) for state, left, right in contexts])
    for state in (0, 1):  # trees share no leaf
        assert set(leaves[contexts[:, 0] == state]) == set(found.trees[state].emissions)
    for number, table in enumerate(found.leaves):
        own = frames[leaves == number]
        assert table[0] == len(own) >= 5
        assert gaussian_log_likelihood(table, FLOOR) == pytest.approx(likelihood(own), abs=1e-6)
    for left in range(-1, N_UNITS):  # seen or not
        for right in range(-1, N_UNITS):
            assert 0 <= found.trees[0].emission(left, right) < len(found.leaves)


@settings(max_examples=20, deadline=None)
@given(SOME)
def test_trees_do_not_ask_for_the_order_of_utterances_and_stop_at_the_least_gain(seed):
    contexts, frames = drawn(seed)
    order = np.random.default_rng(seed).permutation(len(frames))
    one, other = grown(contexts, frames), grown(contexts[order], frames[order])
    assert one.trees == other.trees
    gains = np.diff(grown(contexts, frames, n_leaves=50).trace)
    stopped = np.diff(grown(contexts, frames, n_leaves=50, least_gain=float(np.median(gains))).trace)
    assert (stopped >= np.median(gains) * (1 - 1e-9)).all()


def test_leaves_of_one_tree_that_lose_less_than_the_last_split_gained_are_one():
    # Where left is 1 or right is 1, but not both, the mean is 4: two leaves of a greedy tree are alike.
    contexts = np.array([(0, left, right) for left in (0, 1) for right in (0, 1)] * 40, np.int32)
    means = 4.0 * (contexts[:, 1] != contexts[:, 2]) + 20.0 * (contexts[:, 1] * contexts[:, 2])
    frames = means[:, None] + np.random.default_rng(0).normal(size=(160, N_DIMS))
    found = grown(contexts, frames, n_leaves=4)
    assert len(found.trace) == 4  # three splits
    assert len(found.leaves) == 3
    assert found.trees[0].emission(0, 1) == found.trees[0].emission(1, 0) != found.trees[0].emission(0, 0)


def test_a_state_that_may_not_ask_and_one_without_frames_have_one_leaf():
    contexts, frames = drawn(1)
    stats = ContextStats.of(contexts, frames, np.zeros(N_DIMS))
    how = {"n_leaves": 9, "least_frames": 5, "least_gain": 0, "floor": FLOOR}
    found = grow_trees(stats, [0, 1, 2], QUESTIONS, split=[True, False, True], **how)
    assert [len(tree.nodes) for tree in found.trees][1:] == [1, 1]
    assert len(found.trees[0].nodes) > 1
    assert found.leaves[found.trees[2].emission(0, 0), 0] == 0
    with pytest.raises(ConfigError, match="0 leaves"):
        grow_trees(stats, [0], QUESTIONS, **how | {"n_leaves": 0})
    with pytest.raises(DataError, match="no question"):
        grow_trees(stats, [0], (), **how)


def test_questions_from_the_data_put_units_together_that_are_alike():
    rng = np.random.default_rng(2)
    groups = [0, 1, 0, 2, 1, 2]  # units 0 and 2 sound alike, 1 and 4, 3 and 5
    tables = np.zeros((6, 3, 1 + 2 * N_DIMS))
    for unit, group in enumerate(groups):
        for state in range(3):
            frames = 6.0 * group + state + rng.normal(size=(60, N_DIMS))
            tables[unit, state] = [60, *frames.sum(axis=0), *(frames**2).sum(axis=0)]
    questions = clustered_questions(tables, FLOOR)
    assert {frozenset({0, 2}), frozenset({1, 4}), frozenset({3, 5}), frozenset({BOUNDARY})} <= set(questions)
    assert {frozenset({unit}) for unit in range(6)} <= set(questions)
    assert len(questions) == len(set(questions)) == 1 + 6 + 4


def test_given_questions_name_units_and_the_edge_of_a_word_is_always_asked():
    assert given_questions([("P", "B"), ("B", "P"), ("AA",)], ["AA", "B", "P"]) == (
        frozenset({BOUNDARY}),
        frozenset({1, 2}),
        frozenset({0}),
    )
    with pytest.raises(DataError, match=r"2 units that there are not: X, Y"):
        given_questions([("Y", "AA"), ("X",)], ["AA"])
    with pytest.raises(DataError, match="without a unit"):
        given_questions([()], ["AA"])


@settings(max_examples=20, deadline=None)
@given(SOME, st.lists(st.sampled_from(["x", "y", "z"]), min_size=1, max_size=4))
def test_contexts_of_a_path_are_the_neighbours_in_the_pronunciation_it_takes(seed, words):
    rng = np.random.default_rng(seed)
    lexicon = {"x": (("a", "b"),), "y": (("b",), ("c", "a", "a")), "z": (("a",),)}
    model = DiagGMM([1.0], [[0.0]], [[1.0]])
    units = Units(("a", "b", "c", "sil"), tuple(HMM((model,) * n, left_to_right(n)) for n in (2, 1, 2, 1)))
    graph = linear(units, words, lexicon, silence="sil")
    path = viterbi(graph, rng.normal(size=(30, units.n_states)))
    found = contexts_of(graph, path)
    # The words of the path, each a list of (unit, frames), by looking at every frame.
    stretches = []
    for t, node in enumerate(path.nodes):
        kind = 2 if t == 0 else graph.breaks[path.arcs[t]]
        if kind == 2:
            stretches.append([])
        if kind >= 1:
            stretches[-1].append((int(graph.units[node]), []))
        stretches[-1][-1][1].append(t)
    for word in stretches:
        for place, (_, frames) in enumerate(word):
            left = word[place - 1][0] if place else BOUNDARY
            right = word[place + 1][0] if place + 1 < len(word) else BOUNDARY
            assert (found[frames, 1] == left).all()
            assert (found[frames, 2] == right).all()
    np.testing.assert_array_equal(found[:, 0], graph.states[path.nodes])
