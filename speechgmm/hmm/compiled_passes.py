"""The loops over frames and arcs, compiled: forward-backward and Viterbi with a beam. ``passes`` has their numpy twins.

Owns the arithmetic: logarithms throughout, in float64, so that no utterance is too long. Plain Python until first
called; then it takes some seconds, unless an earlier run has left its result beside this file.
"""

from math import exp, log
from typing import Any, Final

import numpy as np

NEGLIGIBLE: Final = 40.0
"""Nats. What lies further below the largest term of a sum is lost in the rounding of float64 (exp -40 = 4e-18)."""


def forward_loops(
    offsets: Any, sources: Any, weights: Any, start: Any, states: Any, emissions: Any, beam: Any, alpha: Any
) -> Any:
    """Fills alpha (T, N): log density of all partial paths that emit frames 0 to t and end in a node."""
    n_frames, n_nodes = alpha.shape
    for t in range(n_frames):
        here, scores = alpha[t], emissions[t]
        best = -np.inf
        for j in range(n_nodes):
            peak = start[j] if t == 0 else -np.inf
            if t > 0:
                before = alpha[t - 1]
                for a in range(offsets[j], offsets[j + 1]):
                    peak = max(peak, before[sources[a]] + weights[a])
                if peak > -np.inf:
                    total = 0.0
                    for a in range(offsets[j], offsets[j + 1]):
                        below = before[sources[a]] + weights[a] - peak
                        if below > -NEGLIGIBLE:
                            total += 1.0 if below == 0.0 else exp(below)
                    if total != 1.0:
                        peak += log(total)
            here[j] = peak + scores[states[j]]
            best = max(best, here[j])
        for j in range(n_nodes):
            if here[j] < best - beam:
                here[j] = -np.inf


def backward_loops(
    out_offsets: Any,
    out_arcs: Any,
    destinations: Any,
    weights: Any,
    end: Any,
    states: Any,
    emissions: Any,
    alpha: Any,
    log_likelihood: Any,
    groups: Any,
    transitions: Any,
    end_transitions: Any,
    gamma: Any,
    counts: Any,
) -> Any:
    """Adds posteriors of nodes to gamma (T, G) by group, and of arcs and ends to counts (P+1,), the last: of none."""
    n_frames, n_nodes = alpha.shape
    beta = end.copy()
    onward = np.empty(n_nodes)  # log density of the next frame in a node and of all after it
    for t in range(n_frames - 1, -1, -1):
        here = alpha[t]
        if t < n_frames - 1:
            after, scores = alpha[t + 1], emissions[t + 1]
            for j in range(n_nodes):
                # What forward has pruned takes no part.
                onward[j] = beta[j] + scores[states[j]] if after[j] > -np.inf else -np.inf
        for i in range(n_nodes):
            if here[i] == -np.inf:
                beta[i] = -np.inf
                continue
            if t == n_frames - 1:
                if here[i] + beta[i] > -np.inf:
                    mass = exp(here[i] + beta[i] - log_likelihood)
                    gamma[t, groups[i]] += mass
                    counts[end_transitions[i]] += mass
                continue
            peak = -np.inf
            for e in range(out_offsets[i], out_offsets[i + 1]):
                a = out_arcs[e]
                peak = max(peak, weights[a] + onward[destinations[a]])
            beta[i] = peak
            if peak == -np.inf:
                continue
            total = 0.0
            for e in range(out_offsets[i], out_offsets[i + 1]):
                a = out_arcs[e]
                below = weights[a] + onward[destinations[a]] - peak
                if below > -NEGLIGIBLE:
                    total += 1.0 if below == 0.0 else exp(below)
            if total != 1.0:
                beta[i] = peak + log(total)
            mass = here[i] + beta[i] - log_likelihood
            if mass > -NEGLIGIBLE:
                gamma[t, groups[i]] += exp(mass)
                for e in range(out_offsets[i], out_offsets[i + 1]):
                    a = out_arcs[e]
                    share = here[i] + weights[a] + onward[destinations[a]] - log_likelihood
                    if share > -NEGLIGIBLE:
                        counts[transitions[a]] += exp(share)


def viterbi_loops(
    out_offsets: Any,
    out_destinations: Any,
    out_weights: Any,
    out_arcs: Any,
    destinations: Any,
    sources: Any,
    start: Any,
    end: Any,
    states: Any,
    emissions: Any,
    beam: Any,
) -> Any:
    """The best path as arcs (T,), -1 for the first frame, with its last node and score; -inf where there is none.

    Of paths that score alike, that of the lowest arcs, from the end. Kept: 4 bytes per node and frame within the beam.
    """
    n_frames, n_nodes = len(emissions), len(states)
    score, fresh = np.full(n_nodes, -np.inf), np.full(n_nodes, -np.inf)
    arrived, active, found = np.empty(n_nodes, np.int32), np.empty(n_nodes, np.int32), np.empty(n_nodes, np.int32)
    history = np.empty(n_frames * min(n_nodes, 64) + n_nodes, np.int32)
    begins = np.zeros(n_frames + 1, np.int64)
    path = np.full(n_frames, -1, np.int32)
    n_active, kept, best = 0, 0, -np.inf
    for j in range(n_nodes):
        if start[j] > -np.inf:
            score[j] = start[j] + emissions[0, states[j]]
            best = max(best, score[j])
            found[n_active] = j
            n_active += 1
    n_found = n_active
    for t in range(n_frames):
        if t > 0:
            n_found = 0
            for e in range(n_active):
                i = active[e]
                so_far = score[i]
                for o in range(out_offsets[i], out_offsets[i + 1]):
                    j = out_destinations[o]
                    candidate = so_far + out_weights[o]
                    if candidate > fresh[j]:
                        if fresh[j] == -np.inf:
                            found[n_found] = j
                            n_found += 1
                        fresh[j] = candidate
                        arrived[j] = o
                    elif candidate == fresh[j] and out_arcs[o] < out_arcs[arrived[j]]:
                        arrived[j] = o
            for e in range(n_active):
                score[active[e]] = -np.inf
            score, fresh = fresh, score
            best = -np.inf
            scores = emissions[t]
            for e in range(n_found):
                j = found[e]
                score[j] += scores[states[j]]
                best = max(best, score[j])
        if kept + n_found > len(history):
            longer = np.empty(2 * len(history) + n_found, np.int32)
            longer[:kept] = history[:kept]
            history = longer
        n_active = 0
        for e in range(n_found):
            j = found[e]
            if score[j] >= best - beam and score[j] > -np.inf:
                active[n_active] = j
                n_active += 1
                if t > 0:
                    history[kept] = out_arcs[arrived[j]]
                    kept += 1
            else:
                score[j] = -np.inf
        begins[t + 1] = kept
    total, last = -np.inf, -1
    for e in range(n_active):
        j = active[e]
        if score[j] + end[j] > total or (score[j] + end[j] == total and j < last):
            total, last = score[j] + end[j], j
    node = last
    if total > -np.inf:
        for t in range(n_frames - 1, 0, -1):
            for h in range(begins[t], begins[t + 1]):
                if destinations[history[h]] == node:
                    path[t] = history[h]
                    break
            node = sources[path[t]]
    return path, last, total


def dense_scores_loops(
    matrix: Any, others: Any, start: Any, states: Any, emissions: Any, beam: Any, scores: Any
) -> Any:
    """Fills scores (T, N): of the best partial path that ends in a node; -inf below the beam.

    The arcs are a ``matrix``, and ``others`` by the node that they lead to: the fields of `DenseArcs`, in order.
    """
    rows, columns, weights = matrix
    offsets, sources, other_weights = others
    reached = np.empty(len(columns))
    for t in range(len(scores)):
        here, gains = scores[t], emissions[t]
        if t == 0:
            here[:] = start
        else:
            before = scores[t - 1]
            for j in range(len(here)):
                here[j] = -np.inf
                for a in range(offsets[j], offsets[j + 1]):
                    here[j] = max(here[j], before[sources[a]] + other_weights[a])
            reached[:] = -np.inf
            for r in range(len(rows)):
                so_far = before[rows[r]]
                if so_far > -np.inf:
                    for c in range(len(columns)):
                        reached[c] = max(reached[c], so_far + weights[r, c])
            for c in range(len(columns)):
                here[columns[c]] = max(here[columns[c]], reached[c])
        best = -np.inf
        for j in range(len(here)):
            here[j] += gains[states[j]]
            if here[j] > best:
                best = here[j]
        for j in range(len(here)):
            if not here[j] >= best - beam:
                here[j] = -np.inf


def way_back_loops(offsets: Any, sources: Any, weights: Any, scores: Any, last: Any) -> Any:
    """The arcs (T,) of the best path to a last node, found again by the scores; -1 for the first frame.

    Of arcs that score alike, the one of the lowest number.
    """
    path = np.full(len(scores), -1, np.int32)
    node = last
    for t in range(len(scores) - 1, 0, -1):
        peak = -np.inf
        for a in range(offsets[node], offsets[node + 1]):
            candidate = scores[t - 1, sources[a]] + weights[a]
            if candidate > peak:
                peak = candidate
                path[t] = a
        node = sources[path[t]]
    return path
