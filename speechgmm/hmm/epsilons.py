"""Networks put in order: no cycle of arcs without a word, and no state that leads nowhere.

A cycle without words would let a decoder go round for ever without time passing.
"""

from collections import defaultdict

import numpy as np

from speechgmm.errors import DataError
from speechgmm.hmm.network import Network, reached


def break_epsilon_cycles(network: Network) -> Network:
    """A network of the same sentences without cycles of epsilon arcs (arcs without a word).

    The best path of each sentence keeps its weight. Each state of such a cycle becomes two states, one for arriving
    and one for leaving. The best path of epsilon arcs between two states of a cycle becomes a single arc.

    Raises:
        DataError: A cycle has a positive total weight, so that no path is the best.

    >>> loop = Network(2, ((0, None, 1, -1.0), (1, None, 0, -1.0), (0, "a", 1, 0.0)), 0, {1: 0.0})
    >>> sorted(arc for arc in break_epsilon_cycles(loop).arcs if arc[1] is None)
    [(0, None, 2, 0.0), (0, None, 3, -1.0), (1, None, 2, -1.0), (1, None, 3, 0.0)]
    """
    members = _cycles(network)
    arcs: list[tuple[int, str | None, int, float]] = []
    leaving = {state: network.n_states + n for n, state in enumerate(sorted(members))}
    inside: dict[int, list[tuple[int, int, float]]] = defaultdict(list)
    for source, word, target, weight in network.arcs:
        if word is None and source in members and members[source] == members.get(target):
            inside[members[source]].append((source, target, weight))
        else:
            arcs.append((leaving.get(source, source), word, target, weight))
    for steps in inside.values():
        arcs.extend((source, None, leaving[target], weight) for source, target, weight in _best_ways(steps))
    finals = {leaving.get(state, state): weight for state, weight in network.finals.items()}
    return Network(network.n_states + len(leaving), tuple(arcs), network.start, finals)


def trim(network: Network) -> Network:
    """The network without arcs of log weight -inf and without states that no sentence passes, renumbered from 0.

    Raises:
        DataError: No sentence is left.

    >>> trim(Network(4, ((0, "a", 2, 0.0), (0, "b", 1, 0.0)), 0, {2: 0.0})).arcs
    ((0, 'a', 1, 0.0),)
    """
    arcs = [arc for arc in network.arcs if arc[3] > -np.inf]
    finals = {state: weight for state, weight in network.finals.items() if weight > -np.inf}
    ahead: dict[int, list[int]] = defaultdict(list)
    back: dict[int, list[int]] = defaultdict(list)
    for source, _, target, _ in arcs:
        ahead[source].append(target)
        back[target].append(source)
    used = reached([network.start], ahead) & reached(finals, back)
    if network.start not in used:
        raise DataError(
            "the grammar accepts nothing: no sentence leads from its beginning to its end; look for <VOID> and for "
            "weights of 0"
        )
    number = {state: n for n, state in enumerate(sorted(used))}
    kept = tuple((number[p], word, number[q], weight) for p, word, q, weight in arcs if p in used and q in used)
    ends = {number[state]: weight for state, weight in finals.items() if state in used}
    return Network(len(used), kept, number[network.start], ends)


def _cycles(network: Network) -> dict[int, int]:
    """State -> number of the set of states that reach each other without a word; states outside such cycles not."""
    import scipy.sparse as sparse  # slow to import

    steps = [(source, target) for source, word, target, _ in network.arcs if word is None]
    if not steps:
        return {}
    sources, targets = np.array(steps).T
    matrix = sparse.coo_array((np.ones(len(steps)), (sources, targets)), shape=(network.n_states,) * 2)
    _, component = sparse.csgraph.connected_components(matrix, directed=True, connection="strong")
    same = component[sources] == component[targets]  # two states of a component, or a state and itself
    return {int(state): int(component[state]) for state in {*sources[same].tolist(), *targets[same].tolist()}}


def _best_ways(steps: list[tuple[int, int, float]]) -> list[tuple[int, int, float]]:
    """(from, to, best log weight) for all pairs of states that the steps join (Floyd 1962)."""
    states = sorted({state for source, target, _ in steps for state in (source, target)})
    number = {state: n for n, state in enumerate(states)}
    best = np.full((len(states), len(states)), -np.inf)
    np.fill_diagonal(best, 0.0)
    for source, target, weight in steps:
        best[number[source], number[target]] = max(best[number[source], number[target]], weight)
    for middle in range(len(states)):
        np.maximum(best, best[:, middle, None] + best[middle], out=best)
    if (np.diag(best) > 0).any():
        raise DataError("a cycle without words gains weight each time round; its log weights must not add up above 0")
    return [(states[p], states[q], float(best[p, q])) for p, q in zip(*np.nonzero(best > -np.inf), strict=True)]
