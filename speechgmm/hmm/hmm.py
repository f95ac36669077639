"""One unit (a phone or a word) as a hidden Markov model, and the set of all units with their states numbered through.

Owns what an HMM must satisfy: it is entered in its first state, and the last column of its transitions leaves it.
Refuses to know sequences of units and frames.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import islice, pairwise

import numpy as np
from numpy.typing import NDArray

from speechgmm.errors import ConfigError, DataError, ShapeError, first_few
from speechgmm.gmm.model import DiagGMM
from speechgmm.hmm.tied_states import BOUNDARY, TiedStates

Floats = NDArray[np.float64]
Numbers = NDArray[np.int32]


def left_to_right(n_states: int, *, self_loop: float = 0.5, skips: int = 0) -> Floats:
    """Transitions (S, S+1) of a left-to-right HMM: each state is repeated with probability ``self_loop``.

    Up to ``skips`` states may be skipped. All other transitions out of a state, leaving the unit among them, are
    equally probable.

    Raises:
        ConfigError: There are no states, ``self_loop`` is outside [0, 1), or ``skips`` is negative.

    >>> left_to_right(3, self_loop=0.6)
    array([[0.6, 0.4, 0. , 0. ],
           [0. , 0.6, 0.4, 0. ],
           [0. , 0. , 0.6, 0.4]])
    """
    if n_states < 1 or not 0 <= self_loop < 1 or skips < 0:
        raise ConfigError(
            f"{n_states} states, self-loops of {self_loop:g} and {skips} skips; expected 1 or more states, a "
            "probability below 1 and 0 or more skips"
        )
    found = np.zeros((n_states, n_states + 1))
    for state in range(n_states):
        onward = slice(state + 1, min(state + 2 + skips, n_states + 1))
        found[state, state] = self_loop
        found[state, onward] = (1 - self_loop) / len(found[state, onward])
    return found


@dataclass(frozen=True, slots=True, eq=False)
class HMM:
    """The HMM of one unit: a mixture for each of its S states, and transition probabilities. State 0 is the first.

    Transitions of probability 0 are not in the topology: training leaves them at 0.

    Raises:
        ShapeError: The transitions are not (S, S+1), a row is not a distribution, no state leaves the unit, or the
            mixtures have different dimensions.

    >>> HMM((DiagGMM([1.0], [[0.0]], [[1.0]]),), left_to_right(1)).n_states
    1
    """

    emissions: tuple[DiagGMM, ...]  # S
    transitions: Floats  # (S, S+1): to each state, and out of the unit

    def __post_init__(self) -> None:
        transitions = np.array(self.transitions, dtype=np.float64)
        transitions.flags.writeable = False
        n_states = len(self.emissions)
        if n_states < 1 or transitions.shape != (n_states, n_states + 1):
            raise ShapeError(
                f"{n_states} mixtures and transitions {transitions.shape}; expected (S, S+1) for S >= 1 states"
            )
        if not ((transitions >= 0).all() and np.allclose(transitions.sum(axis=1), 1, rtol=0, atol=1e-6)):
            raise ShapeError(f"transitions whose rows sum to {transitions.sum(axis=1)}; expected probabilities, sum 1")
        if not transitions[:, -1].any():
            raise ShapeError("an HMM that no state leaves; expected a probability above 0 in the last column")
        if len({model.n_features for model in self.emissions}) > 1:
            raise ShapeError("an HMM with mixtures of several dimensions; expected one feature space")
        object.__setattr__(self, "transitions", transitions)

    @property
    def n_states(self) -> int:
        """The number of states, S."""
        return len(self.emissions)


@dataclass(frozen=True, slots=True, eq=False)
class Units:
    """All units of a recogniser. States and transitions are numbered consecutively over all units.

    Each state has its own mixture. With ``tied`` (made by `tied_units`) states share mixtures: a decision tree for
    each state chooses its mixture by the neighbouring units in the word. The states of a graph are indices of
    ``emissions``.

    Raises:
        DataError: There is no unit, or a unit occurs twice.
        ShapeError: The numbers of HMMs and labels differ, or the HMMs have different dimensions. With ``tied`` also:
            there is not one tree per state, or an HMM has other mixtures than its trees give it without neighbours.

    >>> hmm = HMM((DiagGMM([1.0], [[0.0]], [[1.0]]),) * 2, left_to_right(2))
    >>> units = Units(("a", "b"), (hmm, hmm))
    >>> units.n_states, units.first_states, units.first_transitions
    (4, array([0, 2, 4], dtype=int32), array([ 0,  6, 12], dtype=int32))
    """

    labels: tuple[str, ...]  # U, all different
    hmms: tuple[HMM, ...]  # U
    tied: TiedStates | None = None  # None: every state has its own mixture
    first_states: Numbers = field(init=False)  # (U+1,); the last is the number of states
    first_transitions: Numbers = field(init=False)  # (U+1,) where each unit's (S, S+1) begin, row after row

    def __post_init__(self) -> None:
        if not self.labels:
            raise DataError("a set of units without a unit; expected at least one")
        twice = sorted(label for label, count in Counter(self.labels).items() if count > 1)
        if twice:
            raise DataError(f"unit {twice[0]!r} is there twice; expected every unit once")
        if len(self.hmms) != len(self.labels):
            raise ShapeError(f"{len(self.labels)} labels for {len(self.hmms)} HMMs; expected as many")
        if len({hmm.emissions[0].n_features for hmm in self.hmms}) > 1:
            raise ShapeError("units of several dimensions; expected one feature space")
        sizes = np.array([hmm.n_states for hmm in self.hmms])
        object.__setattr__(self, "first_states", _starts(sizes))
        object.__setattr__(self, "first_transitions", _starts(sizes * (sizes + 1)))
        if self.tied is not None:
            own = [model for hmm in self.hmms for model in hmm.emissions]
            alone = _alone(self.tied) if len(self.tied.trees) == len(own) else []
            if not (alone and all(one is other for one, other in zip(own, alone, strict=True))):
                raise ShapeError(
                    f"{len(self.tied.trees)} decision trees for {len(own)} states, or HMMs with other mixtures than "
                    "the trees give; expected units as `tied_units` makes them"
                )

    @property
    def n_states(self) -> int:
        """The number of states of all units."""
        return int(self.first_states[-1])

    @property
    def emissions(self) -> tuple[DiagGMM, ...]:
        """The mixtures of all states in the order of their numbers; with ``tied``, each shared mixture once."""
        if self.tied is not None:
            return self.tied.emissions
        return tuple(model for hmm in self.hmms for model in hmm.emissions)

    def emissions_of(self, chains: Sequence[Sequence[int]]) -> Numbers:
        """The indices (N,) in ``emissions`` of the N states of chains of units; each chain is a word."""
        if self.tied is not None:
            found = [number for chain in chains for number in self.tied.of_chain(chain, self.first_states.tolist())]
            return np.array(found, dtype=np.int32)
        which = np.array([unit for chain in chains for unit in chain], dtype=np.intp)
        firsts, sizes = self.first_states[which], np.diff(self.first_states)[which]
        within = np.arange(sizes.sum()) - np.repeat(np.cumsum(sizes) - sizes, sizes)
        states: Numbers = (np.repeat(firsts, sizes) + within).astype(np.int32)
        return states

    def with_parameters(self, emissions: Sequence[DiagGMM], transitions: Sequence[Floats] | None = None) -> "Units":
        """The same units with other mixtures, in the order of ``emissions``, and other transitions of each unit.

        Raises:
            ShapeError: The number of mixtures or of transitions differs.
        """
        if len(emissions) != len(self.emissions):
            raise ShapeError(f"{len(emissions)} mixtures for units that have {len(self.emissions)}; expected as many")
        rows = [hmm.transitions for hmm in self.hmms] if transitions is None else list(transitions)
        if self.tied is not None:
            return tied_units(self.labels, rows, TiedStates(tuple(emissions), self.tied.trees))
        parts = [tuple(emissions[first:last]) for first, last in pairwise(self.first_states)]
        return Units(self.labels, tuple(HMM(part, values) for part, values in zip(parts, rows, strict=True)))

    def emission_name(self, number: int) -> str:
        """A name of ``emissions[number]`` for messages: its unit and state; with ``tied``, those of its first use.

        >>> Units(("a",), (HMM((DiagGMM([1.0], [[0.0]], [[1.0]]),) * 2, left_to_right(2)),)).emission_name(1)
        "unit 'a', state 1"
        """
        state = number
        if self.tied is not None:
            state = next(n for n, tree in enumerate(self.tied.trees) if number in tree.emissions)
        unit = int(np.searchsorted(self.first_states, state, side="right")) - 1
        name = f"unit {self.labels[unit]!r}, state {state - self.first_states[unit]}"
        return name if self.tied is None else f"{name}, tied state {number}"

    @property
    def log_transitions(self) -> Floats:
        """Log probabilities (P,) of all transitions in the order of their numbers; -inf: there is no transition."""
        flat = np.concatenate([hmm.transitions.ravel() for hmm in self.hmms])
        found: Floats = np.log(flat, where=flat > 0, out=np.full(len(flat), -np.inf))
        return found

    def number(self, label: str) -> int:
        """The number of the unit with this label.

        Raises:
            DataError: There is no such unit.
        """
        try:
            return self.labels.index(label)
        except ValueError:
            raise DataError(
                f"no unit {label!r} among the {len(self.labels)} that were trained ({first_few(self.labels, 8)}); is "
                "it a phone of another set, or one that the training data lack?"
            ) from None


def tied_units(labels: Sequence[str], transitions: Sequence[Floats], tied: TiedStates) -> Units:
    """Units whose states share mixtures; ``transitions`` (S, S+1) of each are the same in every context.

    The mixtures in ``hmms`` are those that the trees give a unit without neighbours, at both edges of a word. Raises as
    `Units`.

    >>> from speechgmm.hmm.tied_states import DecisionTree, Leaf, Question, Split
    >>> after_b = DecisionTree((Split(Question("left", frozenset({1})), 1, 2), Leaf(0), Leaf(1)))
    >>> models = tuple(DiagGMM([1.0], [[mean]], [[1.0]]) for mean in (0.0, 1.0, 2.0))
    >>> units = tied_units(("a", "b"), [left_to_right(1)] * 2, TiedStates(models, (after_b, DecisionTree((Leaf(2),)))))
    >>> units.emissions_of([(1, 0), (0,)])
    array([2, 0, 1], dtype=int32)
    """
    alone = iter(_alone(tied))
    hmms = tuple(HMM(tuple(islice(alone, len(rows))), rows) for rows in transitions)
    return Units(tuple(labels), hmms, tied)


def _alone(tied: TiedStates) -> list[DiagGMM]:
    """The mixture of each state of a unit that is a whole word."""
    return [tied.emissions[tree.emission(BOUNDARY, BOUNDARY)] for tree in tied.trees]


def _starts(sizes: NDArray[np.int_]) -> Numbers:
    return np.concatenate([[0], np.cumsum(sizes)]).astype(np.int32)
