"""The best sequences of words, all different: token passing with as many tokens per node as are asked for.

Owns what makes two hypotheses different: their labels alone, whatever the times, pronunciations and silences. Exact
(no beam): a node keeps its best tokens of different histories, and what comes after does not ask for the history.
"""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from speechgmm.compiler import compiled
from speechgmm.errors import ConfigError
from speechgmm.hmm.alignment import Alignment, alignment
from speechgmm.hmm.graph import Graph
from speechgmm.hmm.passes import BestPath, viterbi


def n_best(graph: Graph, log_emissions: ArrayLike, n: int) -> tuple[Alignment, ...]:
    """The ``n`` best sequences of words, each with its best path, the best first.

    A graph without words gives sequences of units. There are fewer results where the graph has fewer sequences. The
    search passes n tokens (Young, Russell & Thornton 1989). It needs 8 bytes per frame, node and token, and about n
    squared times the time of `viterbi`. Raises the errors of `viterbi`, and ConfigError for n below 1.

    >>> from speechgmm.hmm import HMM, Units, left_to_right, loop
    >>> from speechgmm.gmm import DiagGMM
    >>> hmm = HMM((DiagGMM([1.0], [[0.0]], [[1.0]]),) * 2, left_to_right(2))
    >>> graph = loop(Units(("a", "b"), (hmm, hmm)), np.log(np.full((2, 2), 0.5)))
    >>> [found.labels for found in n_best(graph, [[0.0, 0.0, -1.0, -1.0]] * 2, 5)]
    [('a',), ('b',)]
    """
    if n < 1:
        raise ConfigError(f"the {n} best; expected 1 or more")
    best = viterbi(graph, log_emissions)
    emissions = np.ascontiguousarray(log_emissions, dtype=np.float64)
    if n == 1:
        return (alignment(graph, best, emissions),)
    labels = graph.words if graph.word_labels else graph.units
    least = np.int8(2 if graph.word_labels else 1)
    scores, paths = compiled(token_loops)(
        graph.offsets,
        graph.sources,
        graph.log_weights,
        graph.breaks,
        least,
        labels,
        graph.log_start,
        graph.log_end,
        graph.states,
        emissions,
        n,
    )
    return tuple(
        alignment(graph, _path(graph, arcs, int(last), float(score)), emissions)
        for score, (last, *arcs) in zip(scores, paths, strict=True)
        if score > -np.inf
    )


def _path(graph: Graph, arcs: Any, last: int, score: float) -> BestPath:
    taken = np.array([-1, *arcs], dtype=np.int32)
    return BestPath(np.append(graph.sources[taken[1:]], last).astype(np.int32), taken, score)


def token_loops(
    offsets: Any,
    sources: Any,
    weights: Any,
    breaks: Any,
    least: Any,
    labels: Any,
    start: Any,
    end: Any,
    states: Any,
    emissions: Any,
    n: Any,
) -> Any:
    """Scores (n,) and, for each, its last node and the arcs to all frames but the first, (n, T)."""
    n_frames, n_nodes = len(emissions), len(states)
    score, history = np.full((n_nodes, n), -np.inf), np.zeros((n_nodes, n), np.uint64)
    fresh, renewed = np.full((n_nodes, n), -np.inf), np.zeros((n_nodes, n), np.uint64)
    arcs, tokens = np.zeros((n_frames, n_nodes, n), np.int32), np.zeros((n_frames, n_nodes, n), np.int32)
    factor, one = np.uint64(6364136223846793005), np.uint64(1)
    for j in range(n_nodes):
        score[j, 0] = start[j] + emissions[0, states[j]]
        if labels[j] >= 0:
            history[j, 0] = np.uint64(labels[j]) + one
    for t in range(1, n_frames):
        for j in range(n_nodes):
            fresh[j, :] = -np.inf
            for a in range(offsets[j], offsets[j + 1]):
                i = sources[a]
                for k in range(n):
                    candidate = score[i, k] + weights[a]
                    if not candidate > fresh[j, n - 1]:
                        break  # a node's tokens are in the order of their scores
                    label = history[i, k]
                    if breaks[a] >= least and labels[j] >= 0:
                        label = (label ^ (label >> np.uint64(29))) * factor + np.uint64(labels[j]) + one
                        label ^= label >> np.uint64(32)
                    # Its place: where the same history stands, if that is worse, or at the end.
                    place = n - 1
                    for m in range(n):
                        if fresh[j, m] == -np.inf or renewed[j, m] == label:
                            place = m
                            break
                    if candidate > fresh[j, place]:
                        while place > 0 and candidate > fresh[j, place - 1]:
                            fresh[j, place] = fresh[j, place - 1]
                            renewed[j, place] = renewed[j, place - 1]
                            arcs[t, j, place], tokens[t, j, place] = arcs[t, j, place - 1], tokens[t, j, place - 1]
                            place -= 1
                        fresh[j, place], renewed[j, place] = candidate, label
                        arcs[t, j, place], tokens[t, j, place] = a, k
        score, fresh = fresh, score
        history, renewed = renewed, history
        for j in range(n_nodes):
            score[j, :] += emissions[t, states[j]]
    found, ways = np.full(n, -np.inf), np.zeros((n, n_frames), np.int32)
    kept, nodes, ranks = np.zeros(n, np.uint64), np.zeros(n, np.int32), np.zeros(n, np.int32)
    for j in range(n_nodes):
        for k in range(n):
            candidate = score[j, k] + end[j]
            if not candidate > found[n - 1]:
                break
            place = n - 1
            for m in range(n):
                if found[m] == -np.inf or kept[m] == history[j, k]:
                    place = m
                    break
            if candidate > found[place]:
                while place > 0 and candidate > found[place - 1]:
                    found[place], kept[place] = found[place - 1], kept[place - 1]
                    nodes[place], ranks[place] = nodes[place - 1], ranks[place - 1]
                    place -= 1
                found[place], kept[place], nodes[place], ranks[place] = candidate, history[j, k], j, k
    for m in range(n):
        if found[m] > -np.inf:
            j, k = nodes[m], ranks[m]
            ways[m, 0] = j
            for t in range(n_frames - 1, 0, -1):
                a = arcs[t, j, k]
                ways[m, t] = a
                k, j = tokens[t, j, k], sources[a]
    return found, ways
