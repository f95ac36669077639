"""A network of words: what may be said, before anybody knows how it is pronounced.

Owns the value that grammars and language models produce, and its check. Refuses to know units, states and frames.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from speechgmm.errors import ShapeError

Lexicon = Mapping[str, tuple[tuple[str, ...], ...]]
"""Word -> its pronunciations, each a sequence of units."""

LogWeights = Mapping[str, tuple[float, ...]]
"""Word -> the log weight of each of its pronunciations in nats; of a word that is not there, they weigh alike (0)."""


@dataclass(frozen=True, slots=True)
class Network:
    """A finite automaton over words, with log weights in nats. An arc with the word None is an epsilon arc.

    Raises:
        ShapeError: A state is out of range, there is no final state, or a weight is NaN or plus infinity.

    >>> Network(2, ((0, "yes", 1, 0.0), (0, "no", 1, 0.0)), 0, {1: 0.0}).words
    ('no', 'yes')
    """

    n_states: int
    arcs: tuple[tuple[int, str | None, int, float], ...]  # (from, word or None, to, log weight)
    start: int
    finals: Mapping[int, float]  # state -> log weight of ending there

    def __post_init__(self) -> None:
        named = [self.start, *self.finals, *(state for arc in self.arcs for state in (arc[0], arc[2]))]
        outside = sorted({state for state in named if not 0 <= state < self.n_states})
        if outside:
            raise ShapeError(f"state {outside[0]} in a network of {self.n_states}; expected 0 to {self.n_states - 1}")
        if not self.finals:
            raise ShapeError("a network without a final state; expected a state in which a sentence may end")
        weights = [arc[3] for arc in self.arcs] + list(self.finals.values())
        if not all(weight < np.inf for weight in weights):  # NaN is not below anything either
            raise ShapeError("a network with a weight that is NaN or infinite; expected log weights in nats")

    @property
    def words(self) -> tuple[str, ...]:
        """All words of the network, sorted."""
        return tuple(sorted({word for _, word, _, _ in self.arcs if word is not None}))


def reached(starts: Iterable[int], following: Mapping[int, Iterable[int]]) -> set[int]:
    """The states that any way from ``starts`` leads to, these included; ``following`` are those after each state.

    >>> sorted(reached([0], {0: [1], 1: [0, 2], 3: [4]}))
    [0, 1, 2]
    """
    found = set(starts)
    waiting = list(found)
    while waiting:
        fresh = set(following.get(waiting.pop(), ())) - found
        found |= fresh
        waiting += fresh
    return found


def accepted(network: Network, sentences: Iterable[Sequence[str]]) -> list[bool]:
    """Whether the network accepts each sentence: a path from the start to a final state has exactly its words.

    >>> accepted(Network(2, ((0, "yes", 1, 0.0), (0, "no", 1, 0.0)), 0, {1: 0.0}), [["yes"], ["yes", "no"]])
    [True, False]
    """
    following: dict[int, list[tuple[str | None, int]]] = {}
    for source, word, target, weight in network.arcs:
        if weight > -np.inf:
            following.setdefault(source, []).append((word, target))
    finals = {state for state, weight in network.finals.items() if weight > -np.inf}

    silent = {source: [target for word, target in arcs if word is None] for source, arcs in following.items()}

    def ends(sentence: Sequence[str]) -> set[int]:
        states = reached([network.start], silent)
        for said in sentence:
            after = {target for state in states for word, target in following.get(state, ()) if word == said}
            states = reached(after, silent)
        return states

    return [not finals.isdisjoint(ends(sentence)) for sentence in sentences]
