"""What a run folder has of the units: states and durations, and the tied states with the answers that lead to them."""

from collections.abc import Iterator

import numpy as np

from speechgmm.hmm import Units
from speechgmm.hmm.durations import expected_duration
from speechgmm.hmm.tied_states import BOUNDARY, DecisionTree, Leaf
from speechgmm.io.tables import table

EDGE = "#"
"""The edge of a word, in a table."""


def units_table(units: Units) -> str:
    """``units.tsv``: states, Gaussians and how long each unit lasts by its transitions.

    Of tied states the Gaussians of a state are those of all its contexts.
    """
    sizes = [model.n_components for model in units.emissions]
    trees = None if units.tied is None else units.tied.trees
    of_states = [
        sum(sizes[n] for n in ((state,) if trees is None else trees[state].emissions))
        for state in range(units.n_states)
    ]
    rows = (
        (
            label,
            hmm.n_states,
            sum(of_states[first : first + hmm.n_states]),
            " ".join(map(str, of_states[first : first + hmm.n_states])),
            f"{expected_duration(hmm.transitions):.2f}",
        )
        for label, hmm, first in zip(units.labels, units.hmms, units.first_states[:-1].tolist(), strict=True)
    )
    return table(("unit", "states", "components", "of each state", "mean_frames"), rows)


def tied_states_table(units: Units) -> str | None:
    """``tied_states.tsv``: each tied state, its Gaussians and its contexts by the answers that lead to it.

    None where no state is tied.
    """
    if units.tied is None:
        return None
    owners = np.searchsorted(units.first_states, np.arange(units.n_states), side="right") - 1
    rows = [
        (
            number,
            units.labels[owners[state]],
            state - int(units.first_states[owners[state]]),
            units.emissions[number].n_components,
            " or ".join(answers for leaf, answers in _contexts(tree, units) if leaf == number),
        )
        for state, tree in enumerate(units.tied.trees)
        for number in tree.emissions
    ]
    return table(("tied_state", "unit", "state", "components", "contexts"), rows)


def _contexts(
    tree: DecisionTree, units: Units, at: int = 0, answers: tuple[str, ...] = ()
) -> Iterator[tuple[int, str]]:
    """The mixture of each leaf, and the answers on the way to it."""
    node = tree.nodes[at]
    if isinstance(node, Leaf):
        yield node.emission, "; ".join(answers) or "all"
        return
    named = " ".join(EDGE if unit == BOUNDARY else units.labels[unit] for unit in sorted(node.question.units))
    yield from _contexts(tree, units, node.yes, (*answers, f"{node.question.side} is {named}"))
    yield from _contexts(tree, units, node.no, (*answers, f"{node.question.side} is not {named}"))
