"""States that share mixtures: which mixture a state of a unit has between its neighbours in a word.

Owns the decision trees as values, and the way from a context to a leaf. Refuses to know how trees are grown
(``decision_tree``), and utterances.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

from speechgmm.errors import ShapeError
from speechgmm.gmm.model import DiagGMM

BOUNDARY: Final = -1
"""The neighbour of a unit at the start or the end of a word."""

Side = Literal["left", "right"]


@dataclass(frozen=True, slots=True)
class Question:
    """Whether a neighbour is one of these units, which are numbers (`BOUNDARY`: the edge of the word).

    >>> Question("left", frozenset({2, BOUNDARY})).holds(BOUNDARY, 0)
    True
    """

    side: Side
    units: frozenset[int]

    def holds(self, left: int, right: int) -> bool:
        """Whether the answer is yes in this context."""
        return (left if self.side == "left" else right) in self.units


@dataclass(frozen=True, slots=True)
class Split:
    """A node that asks: where to go on the answers yes and no."""

    question: Question
    yes: int  # number of a later node
    no: int


@dataclass(frozen=True, slots=True)
class Leaf:
    """A node that answers: the number of a mixture."""

    emission: int


@dataclass(frozen=True, slots=True)
class DecisionTree:
    """Questions about the neighbours of one state of a unit, the first node being the root.

    Raises:
        ShapeError: No node, or a question that leads backwards or out of the tree.

    >>> tree = DecisionTree((Split(Question("right", frozenset({1})), 1, 2), Leaf(5), Leaf(6)))
    >>> tree.emission(BOUNDARY, 1), tree.emission(0, BOUNDARY)
    (5, 6)
    """

    nodes: tuple[Split | Leaf, ...]

    def __post_init__(self) -> None:
        for number, node in enumerate(self.nodes):
            if isinstance(node, Split) and not number < min(node.yes, node.no) <= max(node.yes, node.no) < len(
                self.nodes
            ):
                raise ShapeError(
                    f"node {number} leads to nodes {node.yes} and {node.no} of {len(self.nodes)}; expected later ones"
                )
        if not self.nodes:
            raise ShapeError("a decision tree without a node; expected a leaf at least")

    def emission(self, left: int, right: int) -> int:
        """The mixture between these neighbours, whether training had the context or not."""
        node = self.nodes[0]
        while isinstance(node, Split):
            node = self.nodes[node.yes if node.question.holds(left, right) else node.no]
        return node.emission

    @property
    def emissions(self) -> tuple[int, ...]:
        """The mixtures of all leaves, each once, in order."""
        return tuple(sorted({node.emission for node in self.nodes if isinstance(node, Leaf)}))


@dataclass(frozen=True, slots=True, eq=False)
class TiedStates:
    """The E mixtures that the states of all units share, and a tree for each state that says which it has.

    Raises:
        ShapeError: A tree with a mixture that there is not, or a mixture that no tree leads to.
    """

    emissions: tuple[DiagGMM, ...]  # E
    trees: tuple[DecisionTree, ...]  # S, as the states of all units are numbered

    def __post_init__(self) -> None:
        reached = {number for tree in self.trees for number in tree.emissions}
        if reached != set(range(len(self.emissions))):
            strange = sorted(reached ^ set(range(len(self.emissions))))
            raise ShapeError(
                f"trees whose leaves and {len(self.emissions)} mixtures do not agree in the numbers {strange[:5]}; "
                "expected a leaf for each mixture at least, and no other"
            )

    def of_chain(self, chain: Sequence[int], first_states: Sequence[int]) -> list[int]:
        """The mixtures of all states of a word, which is a chain of units; ``first_states`` as in `Units`."""
        lefts, rights = (BOUNDARY, *chain[:-1]), (*chain[1:], BOUNDARY)
        return [
            self.trees[state].emission(left, right)
            for left, unit, right in zip(lefts, chain, rights, strict=True)
            for state in range(first_states[unit], first_states[unit + 1])
        ]
