"""The search space of an utterance as arrays: nodes that emit, arcs between them, no epsilon.

Owns the layout that the passes run over, and how chains of units become it. Refuses to know words' pronunciations
(``expansion``) and frames.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from speechgmm.errors import ShapeError
from speechgmm.hmm.dense_arcs import DenseArcs
from speechgmm.hmm.hmm import Units

Floats = NDArray[np.float64]
Numbers = NDArray[np.int32]


@dataclass(frozen=True, slots=True, eq=False)
class Graph:
    """A search graph of N nodes and A arcs. A node is a state of a unit at one place of the network.

    Arcs are sorted by the node that they lead to. The log weight of an arc is the sum of a weight of the language and
    of the log probability of an HMM transition. ``under`` replaces the transition probabilities, so that a graph can
    be used again after an update of training. Several arcs may join the same two nodes, within a unit and from its end
    to its start.

    Raises:
        ShapeError: There are no nodes, or the offsets do not fit the nodes and arcs.
    """

    states: Numbers  # (N,) number among the units' ``emissions``
    units: Numbers  # (N,) number of the unit
    words: Numbers  # (N,) number of the word; -1: of none
    log_start: Floats  # (N,) of beginning here; -inf: not possible
    end_language: Floats  # (N,) of ending here, but for the transition out of the unit
    end_transitions: Numbers  # (N,) the transition out of the unit, among all; -1: none is counted
    offsets: Numbers  # (N+1,) where the arcs to each node begin
    sources: Numbers  # (A,)
    language: Floats  # (A,) log weight but for the transition
    transitions: Numbers  # (A,) which transition of all an arc is; -1: none is counted
    breaks: NDArray[np.int8]  # (A,) 0: stays in the unit, 1: a new unit begins, 2: a new word (or silence) begins
    log_transitions: Floats  # (P,) of all units
    unit_labels: tuple[str, ...]
    word_labels: tuple[str, ...]
    log_weights: Floats = field(init=False)  # (A,)
    log_end: Floats = field(init=False)  # (N,)
    destinations: Numbers = field(init=False)  # (A,)
    out_offsets: Numbers = field(init=False)  # (N+1,) where the arcs from each node begin in the following
    out_arcs: Numbers = field(init=False)  # (A,) arcs by the node that they come from
    out_destinations: Numbers = field(init=False)  # (A,) of the same, side by side for the search
    out_weights: Floats = field(init=False)  # (A,)
    dense: DenseArcs | None = field(init=False)  # the arcs with those of a bigram as a matrix, where there are many

    def __post_init__(self) -> None:
        n_nodes, n_arcs = len(self.states), len(self.sources)
        if n_nodes < 1 or len(self.offsets) != n_nodes + 1 or self.offsets[-1] != n_arcs:
            raise ShapeError(f"{n_nodes} nodes, {len(self.offsets)} offsets and {n_arcs} arcs are no graph")
        # The last of these is what -1 stands for.
        log_transitions = np.append(self.log_transitions, 0.0)
        log_weights = self.language + log_transitions[self.transitions]
        destinations = np.repeat(np.arange(n_nodes, dtype=np.int32), np.diff(self.offsets))
        out_arcs = np.argsort(self.sources, kind="stable").astype(np.int32)
        found = {
            "log_weights": log_weights,
            "log_end": self.end_language + log_transitions[self.end_transitions],
            "destinations": destinations,
            "out_offsets": np.searchsorted(self.sources[out_arcs], np.arange(n_nodes + 1)).astype(np.int32),
            "out_arcs": out_arcs,
            "out_destinations": destinations[out_arcs],
            "out_weights": log_weights[out_arcs],
        }
        for name, value in found.items():
            object.__setattr__(self, name, value)
        object.__setattr__(self, "dense", DenseArcs.of(self))

    @property
    def n_nodes(self) -> int:
        """The number of nodes, N."""
        return len(self.states)

    @property
    def n_arcs(self) -> int:
        """The number of arcs, A."""
        return len(self.sources)

    def under(self, units: Units) -> "Graph":
        """The same graph with the transition probabilities of ``units``, which have the same topology.

        Raises:
            ShapeError: The units have another number of transitions.
        """
        if len(units.log_transitions) != len(self.log_transitions):
            raise ShapeError(
                f"units with {len(units.log_transitions)} transitions for a graph of units with "
                f"{len(self.log_transitions)}; expected the units it was made of, trained further"
            )
        return replace(self, log_transitions=units.log_transitions)

    def least_frames(self) -> int:
        """The number of frames of the shortest path; 0 where the graph has no path."""
        reached = np.isfinite(self.log_start)
        ends, used = np.isfinite(self.log_end), np.isfinite(self.log_weights)
        sources, destinations = self.sources[used], self.destinations[used]
        for count in range(1, self.n_nodes + 1):
            if (reached & ends).any():
                return count
            after = np.zeros_like(reached)
            after[destinations[reached[sources]]] = True
            reached = after
        return 0


@dataclass(frozen=True, slots=True, eq=False)
class Links:
    """Which of C chains may follow which, with log weights."""

    before: NDArray[np.intp]  # (L,)
    after: NDArray[np.intp]  # (L,)
    log_weights: Floats  # (L,)


def assemble(
    units: Units,
    chains: Sequence[Sequence[int]],
    words: ArrayLike,
    links: Links,
    log_start: ArrayLike,
    log_end: ArrayLike,
    *,
    kind: int,
    word_labels: tuple[str, ...] = (),
) -> Graph:
    """The graph of C chains of unit numbers, each of word ``words`` (C,), joined by links.

    ``log_start`` and ``log_end`` (C,) are -inf where nothing begins or ends. Arcs of a link have the break ``kind``.

    >>> from speechgmm.hmm.hmm import HMM, left_to_right
    >>> from speechgmm.gmm import DiagGMM
    >>> units = Units(("a",), (HMM((DiagGMM([1.0], [[0.0]], [[1.0]]),) * 2, left_to_right(2)),))
    >>> none = Links(np.empty(0, np.intp), np.empty(0, np.intp), np.empty(0))
    >>> graph = assemble(units, [(0, 0)], [-1], none, [0.0], [0.0], kind=2)
    >>> graph.states, graph.sources
    (array([0, 1, 0, 1], dtype=int32), array([0, 0, 1, 2, 1, 2, 3], dtype=int32))
    """
    lengths = np.array([len(chain) for chain in chains])
    which = np.concatenate([np.asarray(chain, dtype=np.intp) for chain in chains])  # (I,) unit of each instance
    sizes = np.diff(units.first_states)
    first = np.concatenate([[0], np.cumsum(sizes[which])])  # (I+1,) first node of each
    instances = np.repeat(np.arange(len(which)), sizes[which])
    owners = np.repeat(np.arange(len(chains)), lengths)
    heads = np.concatenate([[0], np.cumsum(lengths)[:-1]])
    tails = heads + lengths - 1

    # Within units: every arc of a unit's topology, once per instance of it.
    parts = [_inner(units, int(unit), first[:-1][which == unit]) for unit in np.unique(which)]
    # Between instances: the next of the same chain, and what links say.
    inside = np.setdiff1d(np.arange(len(which)), tails)
    before = np.concatenate([inside, tails[links.before]])
    after = np.concatenate([inside + 1, heads[links.after]])
    weights = np.concatenate([np.zeros(len(inside)), links.log_weights])
    breaks = np.concatenate([np.ones(len(inside), np.int8), np.full(len(links.before), kind, np.int8)])
    leaving = leave_offsets, leave_states, leave_transitions = _leaving(units)
    counts = np.diff(leave_offsets)[which[before]]
    each = np.repeat(np.arange(len(before)), counts)
    ways = np.repeat(leave_offsets[which[before]] - np.cumsum(counts) + counts, counts) + np.arange(len(each))
    ends = first[before[each]] + leave_states[ways], first[after[each]]
    parts.append((*ends, leave_transitions[ways], weights[each], breaks[each]))
    sources, destinations, transitions, language, kinds = (
        np.concatenate(values) for values in zip(*parts, strict=True)
    )
    order = np.argsort(destinations, kind="stable")
    n_nodes = int(first[-1])
    start = np.full(n_nodes, -np.inf)
    start[first[heads]] = log_start
    end, end_transitions = _ends(n_nodes, leaving, which[tails], first[tails], np.asarray(log_end))
    return Graph(
        units.emissions_of(chains),
        which[instances].astype(np.int32),
        np.asarray(words, dtype=np.int32)[owners[instances]],
        start,
        end,
        end_transitions,
        np.searchsorted(destinations[order], np.arange(n_nodes + 1)).astype(np.int32),
        sources[order].astype(np.int32),
        language[order],
        transitions[order].astype(np.int32),
        kinds[order],
        units.log_transitions,
        units.labels,
        word_labels,
    )


def _ends(
    n_nodes: int,
    leaving: tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.intp]],
    last_units: NDArray[np.intp],
    first_nodes: NDArray[np.intp],
    log_end: NDArray[np.float64],
) -> tuple[NDArray[np.float64], NDArray[np.int32]]:
    """Log weights of ending in each node, and the transitions by which its unit is left; -inf and -1: it does not end.

    Of each chain: its last unit, the first node of that, and its own log weight.
    """
    offsets, states, transitions = leaving
    end, end_transitions = np.full(n_nodes, -np.inf), np.full(n_nodes, -1, np.int32)
    for unit, first, weight in zip(last_units, first_nodes, log_end, strict=True):
        if weight > -np.inf:
            ways = np.arange(offsets[unit], offsets[unit + 1])
            end[first + states[ways]] = weight
            end_transitions[first + states[ways]] = transitions[ways]
    return end, end_transitions


def loop(
    units: Units,
    log_next: ArrayLike,
    *,
    log_start: ArrayLike | None = None,
    log_end: ArrayLike | None = None,
    scale: float = 1.0,
    insertion_penalty: float = 0.0,
) -> Graph:
    """The graph of all sequences of the U units, weighted by a bigram of units.

    ``log_next`` (U, U) has log P(j | i) in row i; -inf: unit j cannot follow unit i. ``log_start`` (U,) has the log
    probability of each first unit, and ``log_end`` (U,) that of ending after each unit; None: 0 for every unit. Log
    weights are multiplied by ``scale``, and each unit costs ``insertion_penalty`` nats.

    Raises:
        ShapeError: The bigram has another number of units, or a value that is NaN or plus infinity.

    >>> from speechgmm.hmm.hmm import HMM, left_to_right
    >>> from speechgmm.gmm import DiagGMM
    >>> hmm = HMM((DiagGMM([1.0], [[0.0]], [[1.0]]),) * 3, left_to_right(3))
    >>> graph = loop(Units(("a", "b"), (hmm, hmm)), np.log(np.full((2, 2), 0.5)))
    >>> graph.n_nodes, graph.n_arcs
    (6, 14)
    """
    n_units = len(units.labels)
    bigram = np.asarray(log_next, dtype=np.float64)
    first = np.zeros(n_units) if log_start is None else np.asarray(log_start, dtype=np.float64)
    last = np.zeros(n_units) if log_end is None else np.asarray(log_end, dtype=np.float64)
    if bigram.shape != (n_units, n_units) or first.shape != (n_units,) or last.shape != (n_units,):
        raise ShapeError(
            f"a bigram {bigram.shape}, start {first.shape} and end {last.shape} for {n_units} units; expected "
            f"({n_units}, {n_units}), ({n_units},) and ({n_units},), in the order of the units' labels"
        )
    if not all((values < np.inf).all() for values in (bigram, first, last)):
        raise ShapeError("a bigram that holds NaN or infinity; expected logarithms of probabilities")
    before, after = np.nonzero(bigram > -np.inf)
    links = Links(before, after, scale * bigram[before, after] - insertion_penalty)
    return assemble(
        units,
        [(unit,) for unit in range(n_units)],
        np.full(n_units, -1),
        links,
        _scaled(first, scale) - insertion_penalty,
        _scaled(last, scale),
        kind=1,
    )


def _scaled(values: Floats, scale: float) -> Floats:
    """Times scale; -inf stays, whatever the scale."""
    return np.multiply(values, scale, out=np.full_like(values, -np.inf), where=values > -np.inf)


Arcs = tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.intp], Floats, NDArray[np.int8]]


def _inner(units: Units, unit: int, nodes: NDArray[np.intp]) -> Arcs:
    """Sources, destinations, transitions, language and breaks of the arcs within a unit that begins at nodes."""
    n_states = units.hmms[unit].n_states
    rows, columns = np.nonzero(units.hmms[unit].transitions[:, :n_states])
    numbers = units.first_transitions[unit] + rows * (n_states + 1) + columns
    count = len(nodes) * len(rows)
    return (
        (nodes[:, None] + rows).ravel(),
        (nodes[:, None] + columns).ravel(),
        np.tile(numbers, len(nodes)),
        np.zeros(count),
        np.zeros(count, np.int8),
    )


def _leaving(units: Units) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.intp]]:
    """Offsets (U+1,), then for each state that leaves its unit its number in the unit and its transition's."""
    states = [np.flatnonzero(hmm.transitions[:, -1]) for hmm in units.hmms]
    offsets = np.concatenate([[0], np.cumsum([len(part) for part in states])])
    numbers = [
        first + part * (hmm.n_states + 1) + hmm.n_states
        for first, part, hmm in zip(units.first_transitions[:-1], states, units.hmms, strict=True)
    ]
    return offsets, np.concatenate(states), np.concatenate(numbers)
