"""Tied states in the header of a recogniser: the trees, the questions they ask, and how large each mixture is.

The mixtures themselves are tensors, each written once.
"""

from dataclasses import dataclass

from speechgmm.errors import first_few
from speechgmm.hmm.hmm import Units
from speechgmm.hmm.tied_states import BOUNDARY, DecisionTree, Leaf, Question, Split


@dataclass(frozen=True, slots=True)
class TiedHeader:
    """What the header says of tied states."""

    components: tuple[int, ...]  # of each mixture
    questions: tuple[tuple[str | None, ...], ...]  # units each; null: the edge of a word
    # Of each state of all units: its nodes, a mixture's number or (side, question, node of yes, node of no).
    trees: tuple[tuple[int | tuple[str, int, int, int], ...], ...]


def tied_header(units: Units) -> TiedHeader | None:
    """What a file says of these units beside their labels and transitions; None: no state is shared."""
    if units.tied is None:
        return None
    splits = [node for tree in units.tied.trees for node in tree.nodes if isinstance(node, Split)]
    asked = sorted({tuple(sorted(split.question.units)) for split in splits})
    numbers = {question: number for number, question in enumerate(asked)}

    def node(one: Split | Leaf) -> int | tuple[str, int, int, int]:
        if isinstance(one, Leaf):
            return one.emission
        return one.question.side, numbers[tuple(sorted(one.question.units))], one.yes, one.no

    return TiedHeader(
        tuple(model.n_components for model in units.emissions),
        tuple(tuple(None if unit == BOUNDARY else units.labels[unit] for unit in units_of) for units_of in asked),
        tuple(tuple(map(node, tree.nodes)) for tree in units.tied.trees),
    )


def trees_of(header: TiedHeader, labels: tuple[str, ...]) -> tuple[DecisionTree, ...]:
    """The trees of a header, for units of these labels.

    Raises:
        ValueError: A question about units that there are not, or a node that asks what is no question.
        ShapeError: As `DecisionTree`.
    """
    numbers: dict[str | None, int] = {None: BOUNDARY, **{label: number for number, label in enumerate(labels)}}
    unknown = sorted({str(unit) for units in header.questions for unit in units if unit not in numbers})
    if unknown:
        raise ValueError(f"a question about units that there are not: {first_few(unknown, 5)}")
    questions = [frozenset(numbers[unit] for unit in units) for units in header.questions]

    def node(one: int | tuple[str, int, int, int]) -> Split | Leaf:
        if isinstance(one, int):
            return Leaf(one)
        side, question, yes, no = one
        if side not in ("left", "right") or not 0 <= question < len(questions):
            raise ValueError(f"a node that asks question {question} of {len(questions)} about the {side} neighbour")
        return Split(Question("left" if side == "left" else "right", questions[question]), yes, no)

    return tuple(DecisionTree(tuple(map(node, nodes))) for nodes in header.trees)
