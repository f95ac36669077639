"""Decision trees of states in context: split by the questions that gain most likelihood, one Gaussian for each leaf.

Owns the growing (Young, Odell & Woodland 1994): greedy over the trees of all states together, so that a total number
of leaves goes where it gains most, then the merging of leaves that lose little. Refuses to know utterances.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from heapq import heappop, heappush

import numpy as np
from numpy.typing import NDArray

from speechgmm.errors import ConfigError, DataError
from speechgmm.hmm.context_statistics import ContextStats, Floats, gaussian_log_likelihood
from speechgmm.hmm.phonetic_questions import Sets
from speechgmm.hmm.tied_states import DecisionTree, Leaf, Question, Side, Split

SIDES: tuple[Side, Side] = ("left", "right")


@dataclass(frozen=True, slots=True, eq=False)
class GrownTrees:
    """Trees of S states, and the statistics of their leaves.

    ``trace`` has the log-likelihood of all frames in nats at the start and after every split.
    """

    trees: tuple[DecisionTree, ...]  # S
    leaves: Floats  # (E, 1 + 2D) of each mixture, about the reference of the contexts' statistics
    trace: tuple[float, ...]


@dataclass(frozen=True, slots=True, eq=False)
class _Node:
    """A node while trees grow: the rows of its contexts, and how it is split best."""

    rows: NDArray[np.intp]
    table: Floats  # (1 + 2D,) of them together
    question: int  # number of the best question; -1: none splits it
    gain: float  # nats


_ROUNDING = 1e-9
"""Of a gain: questions whose gains differ by less are equally good."""


@dataclass(slots=True)
class _Growing:
    """What does not change while trees grow, and the trees so far, each a list of nodes."""

    stats: ContextStats
    answers: NDArray[np.bool_]  # (Q, C): whether each context answers yes
    floor: Floats
    least_frames: float
    nodes: list[list[_Node]] = field(default_factory=list)
    splits: list[dict[int, tuple[int, int]]] = field(default_factory=list)  # of each tree: node -> nodes of yes and no

    def node(self, rows: NDArray[np.intp]) -> _Node:
        """A node of these contexts with its best question; of equally good ones the first."""
        table = self.stats.table[rows].sum(axis=0)
        answers = self.answers[:, rows]
        if len(rows) < 2:
            return _Node(rows, table, -1, 0.0)
        own = self.stats.table[rows]
        yes, no = answers @ own, ~answers @ own
        able = np.minimum(yes[:, 0], no[:, 0]) >= max(self.least_frames, 1.0)
        if not able.any():
            return _Node(rows, table, -1, 0.0)
        both = gaussian_log_likelihood(yes, self.floor) + gaussian_log_likelihood(no, self.floor)
        gains = np.where(able, both - gaussian_log_likelihood(table, self.floor), -np.inf)
        # Equal but for rounding, which the order of utterances decides: the first.
        best = int(np.argmax(gains >= gains.max() - _ROUNDING * max(1.0, abs(gains.max()))))
        return _Node(rows, table, best, float(gains[best]))


def grow_trees(
    stats: ContextStats,
    states: Sequence[int],
    questions: Sets,
    *,
    n_leaves: int,
    least_frames: float,
    least_gain: float,
    floor: Floats,
    split: Sequence[bool] | None = None,
) -> GrownTrees:
    """Trees that say which mixture a state has between two neighbours, for every context, seen or not.

    The leaf and the question that gain most log-likelihood are split, over all trees, until there are ``n_leaves`` or
    none gains. Then leaves of one tree are merged as long as two lose less together than the last split gained.

    Parameters
    ----------
    stats
        Of the states of all units in their contexts.
    states
        The numbers of the states, each of which gets a tree; one without frames has a leaf like all others.
    questions
        Sets of units, asked of both neighbours.
    n_leaves
        Most leaves of all trees together; each has one at least.
    least_frames
        Of each side of a split.
    least_gain
        Of a split, in nats.
    floor
        (D,) least variances.
    split
        Whether the tree of each state may ask at all; None: all may.

    Raises
    ------
    ConfigError
        Numbers out of range.
    DataError
        No question.

    Examples
    --------
    >>> contexts = np.array([[0, 0, 1], [0, 0, 1], [0, 1, 1], [0, 1, 0]])
    >>> stats = ContextStats.of(contexts, np.array([[0.0], [0.1], [5.0], [5.1]]), np.zeros(1))
    >>> sets = (frozenset({0}), frozenset({1}))
    >>> grown = grow_trees(stats, [0], sets, n_leaves=2, least_frames=2, least_gain=0, floor=np.full(1, 0.01))
    >>> grown.trees[0].emission(0, 0), grown.trees[0].emission(1, 0), grown.leaves[:, 0]
    (0, 1, array([2., 2.]))
    """
    if n_leaves < 1 or least_frames < 0 or least_gain < 0 or not states:
        raise ConfigError(
            f"{n_leaves} leaves, at least {least_frames:g} frames and a gain of {least_gain:g} for {len(states)} "
            "states; expected 1 leaf or more, numbers of 0 or more and a state at least"
        )
    if not questions:
        raise DataError("no question to split states by; expected one set of units at least")
    asked = [Question(side, units) for side in SIDES for units in questions]
    growing = _Growing(stats, _answers(stats, questions), floor, least_frames)
    queue: list[tuple[float, int, int]] = []

    def add(tree: int, node: _Node) -> int:
        number = len(growing.nodes[tree])
        growing.nodes[tree].append(node)
        if node.question >= 0 and node.gain > 0 and node.gain >= least_gain and (split is None or split[tree]):
            heappush(queue, (-float(f"{node.gain:.9g}"), tree, number))  # equal but for rounding: the first tree
        return number

    for tree, state in enumerate(states):
        growing.nodes.append([])
        growing.splits.append({})
        add(tree, growing.node(np.flatnonzero(stats.contexts[:, 0] == state)))
    roots = np.array([nodes[0].table for nodes in growing.nodes])
    trace = [float(gaussian_log_likelihood(roots, floor).sum())]
    while queue and len(states) + len(trace) - 1 < n_leaves:
        _, tree, number = heappop(queue)
        node = growing.nodes[tree][number]
        yes = growing.answers[node.question, node.rows]
        growing.splits[tree][number] = (
            add(tree, growing.node(node.rows[yes])),
            add(tree, growing.node(node.rows[~yes])),
        )
        trace.append(trace[-1] + node.gain)
    trees, leaves = _finished(growing, asked, trace[-1] - trace[-2] if len(trace) > 1 else 0.0)
    return GrownTrees(trees, leaves, tuple(trace))


def _answers(stats: ContextStats, questions: Sets) -> NDArray[np.bool_]:
    """(2Q, C): whether each context answers yes to each question about its left, then about its right neighbour."""
    return np.array([np.isin(stats.contexts[:, side], sorted(units)) for side in (1, 2) for units in questions])


def _finished(growing: _Growing, asked: Sequence[Question], loss: float) -> tuple[tuple[DecisionTree, ...], Floats]:
    """Trees as values, their leaves merged and numbered through."""
    trees: list[DecisionTree] = []
    tables: list[Floats] = []
    for nodes, splits in zip(growing.nodes, growing.splits, strict=True):
        leaves = [number for number in range(len(nodes)) if number not in splits]
        groups = _merged([[number] for number in leaves], [nodes[number].table for number in leaves], growing, loss)
        emissions: dict[int, int] = {}
        for members, table in groups:
            emissions |= dict.fromkeys(members, len(tables))
            tables.append(table)
        trees.append(
            DecisionTree(
                tuple(
                    Split(asked[node.question], *splits[number]) if number in splits else Leaf(emissions[number])
                    for number, node in enumerate(nodes)
                )
            )
        )
    return tuple(trees), np.array(tables)


def _merged(
    members: list[list[int]], tables: list[Floats], growing: _Growing, loss: float
) -> list[tuple[list[int], Floats]]:
    """Leaves of a tree in groups: the two that lose least are merged while that is less than ``loss``."""
    while len(members) > 1:
        own = gaussian_log_likelihood(np.array(tables), growing.floor)
        first, second = np.triu_indices(len(tables), 1)
        together = gaussian_log_likelihood(np.array(tables)[first] + np.array(tables)[second], growing.floor)
        losses = own[first] + own[second] - together
        best = int(np.argmax(losses <= losses.min() + _ROUNDING * max(1.0, abs(losses.min()))))
        if losses[best] >= loss - _ROUNDING * max(1.0, loss):  # the last split's own leaves lose just this
            break
        a, b = int(first[best]), int(second[best])
        members[a], tables[a] = members[a] + members[b], tables[a] + tables[b]
        del members[b], tables[b]
    return list(zip(members, tables, strict=True))
