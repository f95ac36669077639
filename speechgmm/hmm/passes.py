"""Forward-backward and Viterbi over a graph: what an utterance most probably is, and how probable everything is.

Owns the passes' values, their numpy twins (to read and to check by) and what is said when no path is left. Refuses to
know mixtures: log-likelihoods of states come in.
"""

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from speechgmm.compiler import Engine, compiled
from speechgmm.errors import ConfigError, DataError, ShapeError, counted
from speechgmm.hmm.compiled_passes import (
    backward_loops,
    dense_scores_loops,
    forward_loops,
    viterbi_loops,
    way_back_loops,
)
from speechgmm.hmm.graph import Graph

Floats = NDArray[np.float64]
Numbers = NDArray[np.int32]

WIDER: Final = 4.0
"""How much wider a beam is tried in which no path is left."""

MOST_SCORES: Final = 2**26
"""Nodes times frames of the search with a matrix of arcs, which holds 8 bytes for each: 512 MiB."""


@dataclass(frozen=True, slots=True, eq=False)
class Posteriors:
    """The result of `forward_backward`."""

    log_likelihood: float  # nats, of all frames over all paths
    states: Floats  # (T, S) or (T, G): probability of each state, or group of nodes, at each frame
    transitions: Floats  # (P,) expected number of times that each transition of all units is taken


@dataclass(frozen=True, slots=True, eq=False)
class BestPath:
    """The best path through a graph, the result of `viterbi`."""

    nodes: Numbers  # (T,)
    arcs: Numbers  # (T,) the arc by which each frame's node is entered; -1 for the first frame
    score: float  # nats: log-likelihoods and log weights, start and end included

    def transition_counts(self, graph: Graph) -> Floats:
        """How often the path takes each of the P transitions of all units, (P,)."""
        taken = np.append(graph.transitions[self.arcs[1:]], graph.end_transitions[self.nodes[-1]])
        return np.bincount(taken[taken >= 0], minlength=len(graph.log_transitions)).astype(np.float64)


def forward_backward(
    graph: Graph,
    log_emissions: ArrayLike,
    *,
    groups: ArrayLike | None = None,
    beam: float = np.inf,
    engine: Engine = "numba",
) -> Posteriors:
    """Posteriors of states and expected counts of transitions over all paths of a graph, by the forward-backward pass.

    ``log_emissions`` (T, S): log-likelihoods of the frames under all states of the units, in nats; states that are
    not in the graph are ignored. Posteriors are summed over the nodes of each state or, with ``groups`` (N,), over the
    nodes with the same group number. Nodes whose partial paths lie more than ``beam`` nats below the best one at a
    frame are left out. The pass is that of Rabiner (1989, eqs. 19-37) in logarithms; it needs 8 bytes per node and
    frame.

    Raises:
        ShapeError: The log-likelihoods have another shape, or one is NaN.
        ConfigError: The beam is not above 0.
        DataError: There are fewer frames than the shortest path has; or no path is left within the beam, nor within a
            beam ``WIDER`` times as wide.

    >>> from speechgmm.hmm import HMM, Units, left_to_right, linear
    >>> from speechgmm.gmm import DiagGMM
    >>> units = Units(("a",), (HMM((DiagGMM([1.0], [[0.0]], [[1.0]]),) * 2, left_to_right(2)),))
    >>> found = forward_backward(linear(units, ["a"]), np.zeros((3, 2)))
    >>> found.states.round(3).tolist(), found.transitions.round(3).tolist()
    ([[1.0, 0.0], [0.5, 0.5], [0.0, 1.0]], [0.5, 1.0, 0.0, 0.0, 0.5, 1.0])
    """
    emissions = _checked(graph, log_emissions, beam)
    members = graph.states if groups is None else np.asarray(groups, dtype=np.int32)
    if members.shape != (graph.n_nodes,) or members.min() < 0:
        raise ShapeError(f"groups of shape {members.shape} for {graph.n_nodes} nodes; expected a number >= 0 for each")
    width = emissions.shape[1] if groups is None else int(members.max()) + 1
    forward = _forward_numpy if engine == "numpy" else _forward
    backward = _backward_numpy if engine == "numpy" else _backward
    for tried in (float(beam), WIDER * float(beam)):
        alpha = forward(graph, emissions, tried)
        with np.errstate(invalid="ignore"):  # NaN is looked for below
            total = float(np.logaddexp.reduce(alpha[-1] + graph.log_end))
        if total > -np.inf:
            break
    _check_found(graph, emissions, total, beam)
    gamma, counts = np.zeros((len(emissions), width)), np.zeros(len(graph.log_transitions) + 1)
    backward(graph, emissions, alpha, total, members, gamma, counts)
    return Posteriors(total, gamma, counts[:-1])


def viterbi(graph: Graph, log_emissions: ArrayLike, *, beam: float = np.inf, engine: Engine = "numba") -> BestPath:
    """The most probable path through a graph (Viterbi 1967; Rabiner 1989, eqs. 32-35).

    Arguments and errors are those of `forward_backward`. Among paths of equal score, the path whose last arcs have
    the lowest numbers is taken. A graph in which most arcs belong to a bigram is searched with a matrix of arcs, up to
    ``MOST_SCORES`` nodes times frames. This search needs 8 bytes per frame and node; the other search needs 4 bytes
    per frame and node within the beam.

    >>> from speechgmm.hmm import HMM, Units, left_to_right, linear
    >>> from speechgmm.gmm import DiagGMM
    >>> units = Units(("a",), (HMM((DiagGMM([1.0], [[0.0]], [[1.0]]),) * 2, left_to_right(2)),))
    >>> viterbi(linear(units, ["a"]), [[0.0, -9.0], [0.0, -9.0], [-9.0, 0.0]]).nodes
    array([0, 0, 1], dtype=int32)
    """
    emissions = _checked(graph, log_emissions, beam)
    by_matrix = graph.dense is not None and emissions.shape[0] * graph.n_nodes <= MOST_SCORES
    search = _viterbi_numpy if engine == "numpy" else _viterbi_dense if by_matrix else _viterbi
    for tried in (float(beam), WIDER * float(beam)):
        arcs, last, total = search(graph, emissions, tried)
        if total > -np.inf:
            break
    _check_found(graph, emissions, total, beam)
    nodes = np.append(graph.sources[arcs[1:]], last).astype(np.int32)
    return BestPath(nodes, arcs, float(total))


def _checked(graph: Graph, log_emissions: ArrayLike, beam: float) -> Floats:
    emissions = np.ascontiguousarray(log_emissions, dtype=np.float64)
    n_states = int(graph.states.max()) + 1
    if emissions.ndim != 2 or emissions.shape[1] < n_states or not len(emissions):
        raise ShapeError(
            f"log-likelihoods of shape {emissions.shape} for a graph of states up to {n_states - 1}; expected (T, S) "
            "with a column for every state of the units, and at least one frame"
        )
    if not beam > 0:
        raise ConfigError(f"a beam of {beam:g} nats; expected a number above 0 (200 loses next to nothing)")
    return emissions


def _check_found(graph: Graph, emissions: Floats, total: float, beam: float) -> None:
    """Say why no path was found."""
    if total == -np.inf:
        least = graph.least_frames()
        if least > len(emissions):
            raise DataError(
                f"an utterance of {counted(len(emissions), 'frame')}, too short for what may be said in it, which "
                f"needs {least} frames at least; is it cut off, its text another recording's, or hmm.n_states too "
                "large?"
            )
        used = emissions[:, np.unique(graph.states)]
        if np.isnan(used).any() or (used == np.inf).any():
            raise ShapeError("log-likelihoods that are NaN or infinite; do the frames hold NaN?")
        if least == 0 or np.isinf(beam) or (used == -np.inf).any():
            raise DataError(
                "no path through the graph has a probability above 0; is there one from its start to its end that the "
                "frames allow?"
            )
        raise DataError(
            f"no path is left in a beam of {beam:g} nats, nor of {WIDER * beam:g}; widen the beam, and look whether "
            "the transcript is that of the recording"
        )
    if not np.isfinite(total):
        raise ShapeError("log-likelihoods that are NaN or infinite; do the frames hold NaN?")


def _forward(graph: Graph, emissions: Floats, beam: float) -> Floats:
    alpha = np.empty((len(emissions), graph.n_nodes))
    compiled(forward_loops)(
        graph.offsets, graph.sources, graph.log_weights, graph.log_start, graph.states, emissions, beam, alpha
    )
    return alpha


def _backward(
    graph: Graph, emissions: Floats, alpha: Floats, total: float, groups: Numbers, gamma: Floats, counts: Floats
) -> None:
    compiled(backward_loops)(
        graph.out_offsets,
        graph.out_arcs,
        graph.destinations,
        graph.log_weights,
        graph.log_end,
        graph.states,
        emissions,
        alpha,
        total,
        groups,
        graph.transitions,
        graph.end_transitions,
        gamma,
        counts,
    )


def _viterbi(graph: Graph, emissions: Floats, beam: float) -> tuple[Numbers, int, float]:
    found: tuple[Numbers, int, float] = compiled(viterbi_loops)(
        graph.out_offsets,
        graph.out_destinations,
        graph.out_weights,
        graph.out_arcs,
        graph.destinations,
        graph.sources,
        graph.log_start,
        graph.log_end,
        graph.states,
        emissions,
        beam,
    )
    return found


def _viterbi_dense(graph: Graph, emissions: Floats, beam: float) -> tuple[Numbers, int, float]:
    dense: Any = graph.dense
    matrix, others = (dense.rows, dense.columns, dense.weights), (dense.offsets, dense.sources, dense.other_weights)
    scores = np.empty((len(emissions), graph.n_nodes))
    compiled(dense_scores_loops)(matrix, others, graph.log_start, graph.states, emissions, beam, scores)
    ends = scores[-1] + graph.log_end
    last = int(ends.argmax())
    arcs = np.full(len(emissions), -1, np.int32)
    if ends[last] > -np.inf:
        arcs = compiled(way_back_loops)(graph.offsets, graph.sources, graph.log_weights, scores, last)
    return arcs, last, float(ends[last])


def _forward_numpy(graph: Graph, emissions: Floats, beam: float) -> Floats:
    scores = emissions[:, graph.states]
    alpha = np.full(scores.shape, -np.inf)
    for t in range(len(scores)):
        before = graph.log_start if t == 0 else _summed(graph, alpha[t - 1][graph.sources] + graph.log_weights)
        here = before + scores[t]
        alpha[t] = np.where(here < here.max() - beam, -np.inf, here) if here.max() > -np.inf else here
    return alpha


def _summed(graph: Graph, terms: Floats) -> Floats:
    """(N,) log sums of terms (A,) over the arcs to each node."""
    found = np.full(graph.n_nodes, -np.inf)
    np.logaddexp.at(found, graph.destinations, terms)
    return found


def _backward_numpy(
    graph: Graph, emissions: Floats, alpha: Floats, total: float, groups: Numbers, gamma: Floats, counts: Floats
) -> None:
    scores = np.where(alpha > -np.inf, emissions[:, graph.states], -np.inf)
    beta = graph.log_end
    np.add.at(counts, graph.end_transitions, np.exp(alpha[-1] + beta - total))
    for t in range(len(alpha) - 1, -1, -1):
        if t < len(alpha) - 1:
            onward = graph.log_weights + (beta + scores[t + 1])[graph.destinations]
            np.add.at(counts, graph.transitions, np.exp(alpha[t][graph.sources] + onward - total))
            beta = np.full(graph.n_nodes, -np.inf)
            np.logaddexp.at(beta, graph.sources, onward)
        np.add.at(gamma[t], groups, np.exp(alpha[t] + beta - total))


def _viterbi_numpy(graph: Graph, emissions: Floats, beam: float) -> tuple[Numbers, int, float]:
    scores = emissions[:, graph.states]
    n_frames = len(scores)
    back: Any = np.full((n_frames, graph.n_nodes), -1, np.int32)
    score = graph.log_start + scores[0]
    for t in range(n_frames):
        if t > 0:
            candidates = score[graph.sources] + graph.log_weights
            order = np.lexsort((-candidates, graph.destinations))
            nodes, firsts = np.unique(graph.destinations[order], return_index=True)
            back[t, nodes] = order[firsts]
            score = np.full(graph.n_nodes, -np.inf)
            score[nodes] = candidates[order[firsts]]
            score += scores[t]
        if score.max() > -np.inf:
            score = np.where(score < score.max() - beam, -np.inf, score)
    last = int((score + graph.log_end).argmax())
    arcs = np.full(n_frames, -1, np.int32)
    node = last
    for t in range(n_frames - 1, 0, -1):
        arcs[t] = back[t, node]
        node = graph.sources[arcs[t]]
    return arcs, last, float(score[last] + graph.log_end[last])
