"""Laws of what is read off a path: spans, confidence, the n best against all paths."""

import numpy as np
import pytest
from test_decoding_passes import KINDS, every_path, some_graphs

from speechgmm.errors import ConfigError
from speechgmm.hmm import alignment, forward_backward, n_best, viterbi, with_confidence
from speechgmm.parallel import one_blas_thread


@pytest.fixture(autouse=True, scope="module")
def _one_thread():
    """As who scores many utterances does: threads of BLAS that share such small products wait for each other."""
    with one_blas_thread():
        yield


@pytest.mark.parametrize("kind", KINDS)
def test_units_cover_the_utterance_and_their_scores_sum_to_that_of_the_path(kind):
    rng = np.random.default_rng(0)
    units, graph = some_graphs(rng)[kind]
    emissions = 4 * rng.normal(size=(40, units.n_states))
    found = alignment(graph, viterbi(graph, emissions), emissions)
    assert [span.first for span in found.units] == [0, *(span.stop for span in found.units[:-1])]
    assert found.units[-1].stop == 40
    assert sum(span.log_score for span in found.units) == pytest.approx(found.score, rel=1e-12)
    for word in found.words:
        inside = [span for span in found.units if word.first <= span.first < word.stop]
        assert inside[0].first == word.first
        assert inside[-1].stop == word.stop
        assert sum(span.log_score for span in inside) == pytest.approx(word.log_score, rel=1e-10)


def labels_of(graph, nodes, arcs):
    names, of = (graph.word_labels, graph.words) if graph.word_labels else (graph.unit_labels, graph.units)
    least = 2 if graph.word_labels else 1
    begins = [nodes[0], *(node for node, arc in zip(nodes[1:], arcs, strict=True) if graph.breaks[arc] >= least)]
    return tuple(names[of[node]] for node in begins if of[node] >= 0)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("n", [1, 3, 50])
def test_the_n_best_are_the_best_paths_of_all_sequences(kind, n):
    rng = np.random.default_rng(1)
    units, graph = some_graphs(rng)[kind]
    emissions = 2 * rng.normal(size=(6, units.n_states))
    best = {}
    for nodes, arcs, weight in every_path(graph, 6):
        score = weight + sum(emissions[t, graph.states[node]] for t, node in enumerate(nodes))
        said = labels_of(graph, nodes, arcs)
        best[said] = max(best.get(said, -np.inf), score)
    expected = sorted(best.items(), key=lambda item: -item[1])[:n]
    found = n_best(graph, emissions, n)
    assert [one.labels for one in found] == [said for said, _ in expected]
    np.testing.assert_allclose([one.score for one in found], [score for _, score in expected], rtol=1e-12)
    for one in found:
        assert sum(span.log_score for span in one.units) == pytest.approx(one.score, rel=1e-12)


@pytest.mark.parametrize("kind", KINDS)
def test_confidence_is_the_mean_posterior_and_grows_to_one_where_there_is_no_doubt(kind):
    rng = np.random.default_rng(2)
    units, graph = some_graphs(rng)[kind]
    emissions = rng.normal(size=(30, units.n_states))
    found = alignment(graph, viterbi(graph, emissions), emissions)
    sure = with_confidence(found, graph, emissions)
    of_states = forward_backward(graph, emissions).states
    for span in sure.units:
        unit = units.labels.index(span.label)
        mine = of_states[span.first : span.stop, units.first_states[unit] : units.first_states[unit + 1]]
        assert span.confidence == pytest.approx(mine.sum(axis=1).mean(), abs=1e-10)
    for span in (*sure.units, *sure.words):
        assert 0 < span.confidence <= 1
    with pytest.raises(ConfigError, match="scale of 0"):
        with_confidence(found, graph, emissions, scale=0.0)
    with pytest.raises(ConfigError, match="the 0 best"):
        n_best(graph, emissions, 0)
