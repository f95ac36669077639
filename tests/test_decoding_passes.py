"""Laws and oracles of the search space and the passes over it: brute force on small cases, hmmlearn on larger ones."""

from dataclasses import replace

import numpy as np
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st

from speechgmm.errors import ConfigError, DataError, ShapeError
from speechgmm.gmm import DiagGMM
from speechgmm.hmm import (
    HMM,
    Network,
    StateStack,
    Units,
    expand,
    forward_backward,
    left_to_right,
    linear,
    loop,
    viterbi,
)
from speechgmm.hmm.graph import Graph
from speechgmm.parallel import one_blas_thread


@pytest.fixture(autouse=True, scope="module")
def _one_thread():
    """As who scores many utterances does: threads of BLAS that share such small products wait for each other."""
    with one_blas_thread():
        yield


def some_mixture(rng, n_components=2, n_features=2):
    shape = (n_components, n_features)
    return DiagGMM(rng.dirichlet(np.ones(n_components)), rng.normal(size=shape), rng.uniform(0.3, 1.5, size=shape))


def some_units(rng, sizes=(2, 1, 2), n_components=2, n_features=2, skips=0):
    """Units of random left-to-right transitions, named a, b, c, ..."""
    hmms = []
    for n_states in sizes:
        topology = left_to_right(n_states, skips=skips)
        transitions = topology * rng.uniform(0.2, 1, size=topology.shape)
        emissions = tuple(some_mixture(rng, n_components, n_features) for _ in range(n_states))
        hmms.append(HMM(emissions, transitions / transitions.sum(axis=1, keepdims=True)))
    return Units(tuple("abcdefghijkl"[: len(sizes)]), tuple(hmms))


def some_graphs(rng):
    """A graph of each kind, over the units of ``some_units``."""
    units = some_units(rng)
    skipping = some_units(rng, sizes=(3, 1, 2), skips=1)
    bigram = np.log(rng.dirichlet(np.ones(3), size=3))
    bigram[0, 1] = -np.inf
    words = {"x": (("a",), ("b", "c")), "y": (("c", "a"),)}
    network = Network(3, ((0, "x", 1, -0.3), (1, "y", 2, -0.1), (1, None, 0, -1.2), (0, None, 2, -2.0)), 0, {2: -0.2})
    return {
        "linear": (units, linear(units, ["a", "b"])),
        "skips": (skipping, linear(skipping, ["a", "c"])),
        "silence": (units, linear(units, ["y"], words, silence="b", silence_probability=0.3)),
        "loop": (units, loop(units, bigram, log_start=np.log([0.5, 0.2, 0.3]), scale=1.5, insertion_penalty=0.4)),
        "network": (units, expand(network, words, units)),
    }


KINDS = ("linear", "skips", "silence", "loop", "network")


def every_path(graph, n_frames):
    """Nodes, arcs and log weight of every path, by trying every arc at every frame."""
    arcs_from = [[] for _ in range(graph.n_nodes)]
    for arc in range(graph.n_arcs):
        arcs_from[graph.sources[arc]].append(arc)
    paths = [((n,), (), graph.log_start[n]) for n in range(graph.n_nodes) if graph.log_start[n] > -np.inf]
    for _ in range(n_frames - 1):
        paths = [
            ((*nodes, graph.destinations[arc]), (*arcs, arc), weight + graph.log_weights[arc])
            for nodes, arcs, weight in paths
            for arc in arcs_from[nodes[-1]]
        ]
    return [
        (nodes, arcs, w + graph.log_end[nodes[-1]]) for nodes, arcs, w in paths if graph.log_end[nodes[-1]] > -np.inf
    ]


def brute_force(graph, emissions):
    paths = every_path(graph, len(emissions))
    scores = [w + sum(emissions[t, graph.states[n]] for t, n in enumerate(nodes)) for nodes, _, w in paths]
    total = np.logaddexp.reduce(scores)
    gamma, counts = np.zeros(emissions.shape), np.zeros(len(graph.log_transitions))
    for (nodes, arcs, _), score in zip(paths, scores, strict=True):
        share = np.exp(score - total)
        for t, node in enumerate(nodes):
            gamma[t, graph.states[node]] += share
        for transition in (*graph.transitions[list(arcs)], graph.end_transitions[nodes[-1]]):
            counts[transition] += share
    best = int(np.argmax(scores))
    return total, gamma, counts, scores[best], paths[best][0]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("engine", ["numba", "numpy"])
def test_forward_backward_and_viterbi_are_sums_and_the_best_over_all_paths(kind, engine):
    rng = np.random.default_rng(KINDS.index(kind))
    units, graph = some_graphs(rng)[kind]
    emissions = 3 * rng.normal(size=(6, units.n_states))
    total, gamma, counts, score, nodes = brute_force(graph, emissions)
    found = forward_backward(graph, emissions, engine=engine)
    assert found.log_likelihood == pytest.approx(total, abs=1e-10)
    np.testing.assert_allclose(found.states, gamma, atol=1e-10)
    np.testing.assert_allclose(found.transitions, counts, atol=1e-10)
    path = viterbi(graph, emissions, engine=engine)
    assert path.score == pytest.approx(score, abs=1e-10)
    assert tuple(path.nodes) == nodes


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("beam", [np.inf, 30.0, 8.0])
def test_the_compiled_passes_and_their_twins_agree(kind, beam):
    rng = np.random.default_rng(7)
    units, graph = some_graphs(rng)[kind]
    emissions = 4 * rng.normal(size=(40, units.n_states))
    ours, twin = (forward_backward(graph, emissions, beam=beam, engine=engine) for engine in ("numba", "numpy"))
    assert ours.log_likelihood == pytest.approx(twin.log_likelihood, rel=1e-12)
    np.testing.assert_allclose(ours.states, twin.states, atol=1e-12)
    np.testing.assert_allclose(ours.transitions, twin.transitions, atol=1e-11)
    path, other = (viterbi(graph, emissions, beam=beam, engine=engine) for engine in ("numba", "numpy"))
    assert path.score == pytest.approx(other.score, rel=1e-12)
    np.testing.assert_array_equal(path.nodes, other.nodes)
    np.testing.assert_array_equal(path.arcs, other.arcs)


def a_bigram_of_whole_numbers(seed, n_units, share):
    """A loop whose weights are small whole numbers, so that many paths score alike; and such log-likelihoods."""
    rng = np.random.default_rng(seed)
    units = some_units(rng, sizes=rng.integers(1, 4, size=n_units), n_components=1, skips=int(rng.integers(2)))
    bigram = np.where(rng.random((n_units, n_units)) < share, 0.0, -np.inf)
    np.fill_diagonal(bigram, 0.0)
    graph = loop(units, bigram)
    weights = rng.integers(-2, 1, size=graph.n_arcs).astype(float)
    graph = replace(graph, language=weights, log_transitions=np.where(graph.log_transitions > -np.inf, 0.0, -np.inf))
    return graph, rng.integers(-3, 1, size=(rng.integers(1, 30), units.n_states)).astype(float)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32), st.integers(8, 12), st.sampled_from([0.85, 1.0]), st.sampled_from([2.0, 5.0, np.inf]))
def test_a_matrix_of_arcs_finds_the_same_path_as_arcs_one_by_one_even_among_equals(seed, n_units, share, beam):
    graph, emissions = a_bigram_of_whole_numbers(seed, n_units, share)
    assert graph.dense is not None or share < 1
    by_matrix, one_by_one = viterbi(graph, emissions, beam=beam), replace_dense(graph, None)
    for other in (viterbi(one_by_one, emissions, beam=beam), viterbi(graph, emissions, beam=beam, engine="numpy")):
        assert by_matrix.score == other.score
        np.testing.assert_array_equal(by_matrix.arcs, other.arcs)
        np.testing.assert_array_equal(by_matrix.nodes, other.nodes)


def replace_dense(graph, dense):
    """A copy of the graph with these arcs as a matrix, or none."""
    copy = replace(graph)
    object.__setattr__(copy, "dense", dense)
    return copy


def test_a_matrix_holds_every_arc_that_is_not_kept_beside_it_and_a_sentence_has_none(monkeypatch):
    rng = np.random.default_rng(1)
    units = some_units(rng, sizes=(1, 2, 3, 2, 1, 2, 3, 2), n_components=1)
    graph = loop(units, np.log(rng.dirichlet(np.ones(8), size=8)))
    dense = graph.dense
    others = np.repeat(np.arange(graph.n_nodes), np.diff(dense.offsets))
    row, column = np.nonzero(dense.weights > -np.inf)
    held = {*zip(dense.sources, others, dense.other_weights, strict=True)}
    held |= {*zip(dense.rows[row], dense.columns[column], dense.weights[row, column], strict=True)}
    best = {}
    for source, destination, weight in zip(graph.sources, graph.destinations, graph.log_weights, strict=True):
        best[source, destination] = max(weight, best.get((source, destination), -np.inf))
    assert held == {(source, destination, weight) for (source, destination), weight in best.items()}
    assert linear(units, ["a", "b", "c"] * 5).dense is None
    # Too many scores to hold: arcs one by one, and the same path.
    emissions = rng.normal(size=(40, units.n_states))
    found = viterbi(graph, emissions)
    monkeypatch.setattr("speechgmm.hmm.passes.MOST_SCORES", 40 * graph.n_nodes - 1)
    monkeypatch.setattr("speechgmm.hmm.passes._viterbi_dense", None)
    np.testing.assert_array_equal(viterbi(graph, emissions).arcs, found.arcs)


@pytest.mark.parametrize("kind", KINDS)
def test_posteriors_sum_to_one_and_transitions_to_frames(kind):
    rng = np.random.default_rng(3)
    units, graph = some_graphs(rng)[kind]
    emissions = 5 * rng.normal(size=(50, units.n_states))
    found = forward_backward(graph, emissions)
    np.testing.assert_allclose(found.states.sum(axis=1), 1, atol=1e-10)
    # Every frame is left by one transition, in the unit or out of it.
    assert found.transitions.sum() == pytest.approx(50, abs=1e-9)
    np.testing.assert_allclose(forward_backward(graph, emissions, groups=graph.units).states.sum(axis=1), 1, atol=1e-10)
    assert viterbi(graph, emissions).transition_counts(graph).sum() == 50


def reversed_graph(graph):
    """The same paths, run backwards."""
    order = np.argsort(graph.sources, kind="stable")
    return Graph(
        graph.states,
        graph.units,
        graph.words,
        graph.log_end,
        graph.log_start,
        np.full(graph.n_nodes, -1, np.int32),
        np.searchsorted(graph.sources[order], np.arange(graph.n_nodes + 1)).astype(np.int32),
        graph.destinations[order],
        graph.log_weights[order],
        np.full(graph.n_arcs, -1, np.int32),
        graph.breaks[order],
        graph.log_transitions,
        graph.unit_labels,
        graph.word_labels,
    )


@pytest.mark.parametrize("kind", KINDS)
def test_time_reversed_frames_through_the_reversed_graph_change_nothing(kind):
    rng = np.random.default_rng(5)
    units, graph = some_graphs(rng)[kind]
    emissions = 3 * rng.normal(size=(30, units.n_states))
    there, back = forward_backward(graph, emissions), forward_backward(reversed_graph(graph), emissions[::-1])
    assert back.log_likelihood == pytest.approx(there.log_likelihood, rel=1e-12)
    np.testing.assert_allclose(back.states[::-1], there.states, atol=1e-10)
    np.testing.assert_array_equal(
        viterbi(reversed_graph(graph), emissions[::-1]).nodes[::-1], viterbi(graph, emissions).nodes
    )


def test_the_best_path_is_below_the_sum_and_reaches_it_when_states_are_sure():
    rng = np.random.default_rng(11)
    units, graph = some_graphs(rng)["skips"]
    emissions = rng.normal(size=(30, units.n_states))
    for scale in (0.1, 1.0, 10.0, 1000.0):
        gap = forward_backward(graph, scale * emissions).log_likelihood - viterbi(graph, scale * emissions).score
        assert gap > -1e-9
    assert gap < 1e-6


def test_a_constant_added_to_a_frame_is_added_to_the_score_alone():
    rng = np.random.default_rng(12)
    units, graph = some_graphs(rng)["network"]
    emissions = rng.normal(size=(30, units.n_states))
    shifts = 100 * rng.normal(size=(30, 1))
    one, two = forward_backward(graph, emissions), forward_backward(graph, emissions + shifts)
    assert two.log_likelihood == pytest.approx(one.log_likelihood + shifts.sum(), rel=1e-12)
    np.testing.assert_allclose(two.states, one.states, atol=1e-10)


def test_an_utterance_of_a_hundred_thousand_frames_neither_overflows_nor_vanishes():
    rng = np.random.default_rng(2)
    units, graph = some_graphs(rng)["loop"]
    emissions = 50 * rng.normal(size=(100_000, units.n_states)) - 500
    found = forward_backward(graph, emissions)
    assert np.isfinite(found.log_likelihood)
    np.testing.assert_allclose(found.states.sum(axis=1), 1, atol=1e-6)
    path = viterbi(graph, emissions, beam=500.0)
    assert path.score == pytest.approx(viterbi(graph, emissions).score, rel=1e-12)
    along = (
        emissions[np.arange(len(emissions)), graph.states[path.nodes]].sum() + graph.log_weights[path.arcs[1:]].sum()
    )
    ends = graph.log_start[path.nodes[0]] + graph.log_end[path.nodes[-1]]
    assert path.score == pytest.approx(along + ends, rel=1e-10)


def test_a_beam_that_empties_is_widened_once_and_then_named():
    units = some_units(np.random.default_rng(0), sizes=(1, 1))
    graph = linear(units, ["a", "b"])
    # Staying in a looks better by 20 nats a frame, but the end is in b.
    emissions = np.array([[0.0, -1e3], [0.0, -50.0]])
    for search in (viterbi, forward_backward):
        search(graph, emissions, beam=20.0)
        with pytest.raises(DataError, match=r"no path is left in a beam of 5 nats, nor of 20"):
            search(graph, emissions, beam=5.0)
        with pytest.raises(ConfigError, match="a beam of 0 nats"):
            search(graph, emissions, beam=0.0)


def test_what_no_path_can_emit_is_explained():
    units = some_units(np.random.default_rng(0), sizes=(3, 1))
    graph = linear(units, ["a", "b", "a"])
    for search in (viterbi, forward_backward):
        with pytest.raises(DataError, match=r"of 6 frames, too short .* needs 7 frames"):
            search(graph, np.zeros((6, 4)))
        with pytest.raises(ShapeError, match="NaN"):
            search(graph, np.full((9, 4), np.nan))
        with pytest.raises(ShapeError, match=r"\(T, S\)"):
            search(graph, np.zeros((9, 3)))
        search(graph, np.zeros((7, 4)))


def ergodic(log_start, log_transitions):
    """A graph of all states joined to all, which may end anywhere: hmmlearn's."""
    n_states = len(log_start)
    number = np.arange(n_states, dtype=np.int32)
    nothing = np.zeros(n_states)
    return Graph(
        number,
        number,
        number,
        log_start,
        nothing,
        np.full(n_states, -1, np.int32),
        n_states * np.arange(n_states + 1, dtype=np.int32),
        np.tile(number, n_states),
        np.zeros(n_states**2),
        (np.tile(number, n_states) * n_states + np.repeat(number, n_states)).astype(np.int32),
        np.ones(n_states**2, np.int8),
        log_transitions.ravel(),
        tuple(map(str, number)),
        (),
    )


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:Setting the shape on a NumPy array:DeprecationWarning")  # in hmmlearn
def test_a_baum_welch_step_is_that_of_hmmlearn():
    hmmlearn = pytest.importorskip("hmmlearn.hmm", reason="hmmlearn has no wheel for this Python")
    rng = np.random.default_rng(4)
    n_states, n_components, n_features = 6, 4, 5
    models = [some_mixture(rng, n_components, n_features) for _ in range(n_states)]
    start, transitions = rng.dirichlet(np.ones(n_states)), rng.dirichlet(np.ones(n_states), size=n_states)
    frames = rng.normal(size=(800, n_features))
    theirs = hmmlearn.GMMHMM(n_states, n_components, n_iter=1, init_params="", covariance_type="diag", min_covar=0)
    theirs.startprob_, theirs.transmat_ = start, transitions
    theirs.weights_ = np.stack([model.weights for model in models])
    theirs.means_ = np.stack([model.means for model in models])
    theirs.covars_ = np.stack([model.variances for model in models])

    stack = StateStack.of(models, precision="float64")
    rows = stack.rows(frames)
    graph = ergodic(np.log(start), np.log(transitions))
    emissions = stack.log_likelihoods(rows)
    found = forward_backward(graph, emissions)
    score, path = theirs.decode(frames, algorithm="viterbi")
    assert found.log_likelihood == pytest.approx(theirs.score(frames), rel=1e-12)
    np.testing.assert_allclose(found.states, theirs.predict_proba(frames), atol=1e-8)
    ours = viterbi(graph, emissions)
    assert ours.score == pytest.approx(score, rel=1e-12)
    np.testing.assert_array_equal(ours.nodes, path)

    theirs.fit(frames)
    stats = stack.accumulate(rows, found.states).about(0)
    counts = found.transitions.reshape(n_states, n_states)
    np.testing.assert_allclose(counts / counts.sum(axis=1, keepdims=True), theirs.transmat_, atol=1e-8)
    by_state = stats.counts.reshape(n_states, n_components)
    means = stats.sums / stats.counts[:, None]
    np.testing.assert_allclose(by_state / by_state.sum(axis=1, keepdims=True), theirs.weights_, atol=1e-8)
    np.testing.assert_allclose(means.reshape(theirs.means_.shape), theirs.means_, atol=1e-8)
    variances = stats.squares / stats.counts[:, None] - means**2
    # Theirs are about the means from before the step.
    variances += (means - np.concatenate([model.means for model in models])) ** 2
    np.testing.assert_allclose(variances.reshape(theirs.means_.shape), theirs.covars_, atol=1e-8)


@pytest.mark.slow
@pytest.mark.parametrize(("precision", "tolerance"), [("float32", 2e-4), ("float64", 1e-10)])
def test_log_likelihoods_of_states_are_scipys(precision, tolerance):
    rng = np.random.default_rng(6)
    models = [some_mixture(rng, k, 3) for k in (1, 2, 5, 1, 3)]
    frames = rng.normal(size=(600, 3))
    expected = np.stack(
        [
            np.logaddexp.reduce(
                [
                    np.log(w) + scipy.stats.norm.logpdf(frames, m, np.sqrt(v)).sum(axis=1)
                    for w, m, v in zip(model.weights, model.means, model.variances, strict=True)
                ]
            )
            for model in models
        ],
        axis=1,
    )
    stack = StateStack.of(models, precision=precision)
    rows = stack.rows(frames)
    for engine in ("numba", "numpy"):
        np.testing.assert_allclose(stack.log_likelihoods(rows, engine=engine), expected, atol=tolerance)
        some = stack.log_likelihoods(rows, np.array([4, 1, 4]), engine=engine)
        np.testing.assert_allclose(some[:, [1, 4]], expected[:, [1, 4]], atol=tolerance)
        assert (some[:, [0, 2, 3]] == -np.inf).all()


@pytest.mark.parametrize(("precision", "tolerance"), [("float32", 1e-5), ("float64", 1e-12)])
def test_statistics_by_state_are_those_of_the_mixtures_with_the_frames_weighted(precision, tolerance):
    from speechgmm.gmm import accumulate, prepare

    rng = np.random.default_rng(8)
    models = [some_mixture(rng, k, 3) for k in (1, 2, 5)]
    frames = 3 + rng.normal(size=(700, 3))
    gamma = rng.dirichlet(np.ones(3), size=700)
    gamma[::3] = [0, 1, 0]
    stack = StateStack.of(models, precision=precision)
    expected = [
        accumulate(model.log_linear(), prepare(frames, weights=gamma[:, s], precision="float64")[0]).about(0)
        for s, model in enumerate(models)
    ]
    for engine in ("numba", "numpy"):
        found = stack.accumulate(stack.rows(frames), gamma, engine=engine).about(0)
        for name in ("counts", "sums", "squares"):
            whole = np.concatenate([getattr(part, name) for part in expected])
            np.testing.assert_allclose(getattr(found, name), whole, rtol=0, atol=tolerance * 700 * 20)


def test_words_without_pronunciation_and_units_never_trained_are_named_at_once():
    units = some_units(np.random.default_rng(0))
    lexicon = {"x": (("a", "q"),), "y": (("z",),), "e": ((),)}
    with pytest.raises(DataError, match="no pronunciation of 2 words: v, w"):
        linear(units, ["w", "x", "v"], lexicon)
    with pytest.raises(DataError, match="never trained: q, z"):
        linear(units, ["x", "y"], lexicon)
    with pytest.raises(DataError, match="without a unit: of e"):
        linear(units, ["e"], lexicon)
    with pytest.raises(DataError, match="without a word"):
        linear(units, [])


def test_a_network_that_accepts_nothing_or_turns_in_silence_is_refused():
    units = some_units(np.random.default_rng(0))
    with pytest.raises(DataError, match="accepts no word"):
        expand(Network(3, ((0, "a", 1, 0.0),), 0, {2: 0.0}), {"a": (("a",),)}, units)
    with pytest.raises(DataError, match="accepts no word"):
        expand(Network(2, ((0, None, 1, 0.0),), 0, {1: 0.0}), {}, units, silence="b")
    turning = Network(2, ((0, "a", 1, 0.0), (1, None, 0, 0.0), (0, None, 1, 0.0)), 0, {1: 0.0})
    with pytest.raises(DataError, match="cycle"):
        expand(turning, {"a": (("a",),)}, units)
    with pytest.raises(ShapeError, match="state 2 in a network of 2"):
        Network(2, ((0, "a", 2, 0.0),), 0, {1: 0.0})


def test_silence_never_follows_silence():
    units = some_units(np.random.default_rng(0))
    again = Network(2, ((0, "x", 1, 0.0), (1, None, 0, 0.0)), 0, {1: 0.0})
    graph = expand(again, {"x": (("a",),)}, units, silence="b")
    silent = graph.words == -1
    joined = graph.breaks == 2
    assert joined.any()
    assert not (silent[graph.sources] & silent[graph.destinations] & joined).any()


def test_without_silence_a_word_loop_is_the_same_network_with_its_epsilons_written_out():
    rng = np.random.default_rng(9)
    units = some_units(rng)
    lexicon = {"x": (("a",), ("b", "c")), "y": (("c", "a"),)}
    emissions = rng.normal(size=(20, units.n_states))
    both = ((0, "x", 1, -0.5), (0, "y", 1, -1.0))
    short = Network(2, (*both, (1, None, 0, -0.25)), 0, {1: 0.0})
    onward = tuple((1, word, 1, weight - 0.25) for _, word, _, weight in both)
    written = Network(2, (*both, *onward), 0, {1: 0.0})
    one, two = (forward_backward(expand(n, lexicon, units), emissions).log_likelihood for n in (short, written))
    assert one == pytest.approx(two, rel=1e-12)


def test_left_to_right_skips_and_leaves_what_it_says():
    np.testing.assert_allclose(left_to_right(2, self_loop=0.4, skips=1), [[0.4, 0.3, 0.3], [0, 0.4, 0.6]])
    with pytest.raises(ConfigError, match="0 states"):
        left_to_right(0)


def test_units_and_hmms_that_cannot_be_are_refused():
    mixture = DiagGMM([1.0], [[0.0]], [[1.0]])
    hmm = HMM((mixture,), left_to_right(1))
    with pytest.raises(ShapeError, match="rows sum to"):
        HMM((mixture,), [[0.5, 0.4]])
    with pytest.raises(ShapeError, match="no state leaves"):
        HMM((mixture,), [[1.0, 0.0]])
    with pytest.raises(DataError, match="'a' is there twice"):
        Units(("a", "a"), (hmm, hmm))
    with pytest.raises(DataError, match="no unit 'c' among the 2"):
        Units(("a", "b"), (hmm, hmm)).number("c")
    with pytest.raises(ShapeError, match="several dimensions"):
        Units(("a", "b"), (hmm, HMM((DiagGMM([1.0], [[0.0, 0.0]], [[1.0, 1.0]]),), left_to_right(1))))


def test_pronunciations_weigh_what_they_are_given_times_the_scale_and_alike_where_nothing_is_said():
    rng = np.random.default_rng(3)
    units = some_units(rng)
    words = {"x": (("a",), ("b", "c")), "y": (("c", "a"),)}
    emissions = np.log(rng.uniform(0.1, 1, size=(7, len(units.emissions))))
    weights = {"x": tuple(np.log([0.8, 0.2]))}
    network = Network(2, ((0, "x", 1, 0.0),), 0, {1: 0.0})
    ways = [forward_backward(linear(units, list(way)), emissions).log_likelihood for way in words["x"]]
    for scale in (1.0, 2.5):
        graph = expand(network, words, units, log_weights=weights, scale=scale)
        expected = np.logaddexp(*(way + scale * weight for way, weight in zip(ways, weights["x"], strict=True)))
        assert forward_backward(graph, emissions).log_likelihood == pytest.approx(expected, abs=1e-10)
    plain = linear(units, ["x", "y"], words)
    weighted = linear(units, ["x", "y"], words, log_weights={"y": (0.0,)})
    one, other = (forward_backward(graph, emissions).log_likelihood for graph in (plain, weighted))
    assert one == other
    with pytest.raises(
        DataError, match="another number of weights than of pronunciations of x; expected a weight for each"
    ):
        linear(units, ["x"], words, log_weights={"x": (0.0,)})
