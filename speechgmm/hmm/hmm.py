"""One unit (a phone or a word) as a hidden Markov model, and the set of all units with their states numbered through.

Owns what an HMM must satisfy: it is entered in its first state, and the last column of its transitions leaves it.
Refuses to know sequences of units and frames.
"""

from collections import Counter
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from speechgmm.errors import ConfigError, DataError, ShapeError
from speechgmm.gmm.model import DiagGMM

Floats = NDArray[np.float64]
Numbers = NDArray[np.int32]


def left_to_right(n_states: int, *, self_loop: float = 0.5, skips: int = 0) -> Floats:
    """Transitions (S, S+1) of a chain of states that stays with probability ``self_loop`` or goes on.

    With ``skips``, up to so many states may be left out; all ways on are equally probable, leaving included.

    Raises:
        ConfigError: No states; a probability outside of [0, 1); skips that are negative.

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
    """A unit: its states' mixtures, and the probabilities of going from one to another; entered in state 0.

    A probability of zero is the topology's: training leaves it zero.

    Raises:
        ShapeError: Transitions that are not (S, S+1) for S mixtures, rows that are not probabilities, a unit that
            cannot be left, or mixtures of several dimensions.

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
        """S."""
        return len(self.emissions)


@dataclass(frozen=True, slots=True, eq=False)
class Units:
    """All units of a recogniser. States and transition parameters of all are numbered through, unit after unit.

    Raises:
        DataError: No unit, or one twice.
        ShapeError: As many HMMs as labels are expected, all of one dimension.

    >>> hmm = HMM((DiagGMM([1.0], [[0.0]], [[1.0]]),) * 2, left_to_right(2))
    >>> units = Units(("a", "b"), (hmm, hmm))
    >>> units.n_states, units.first_states, units.first_transitions
    (4, array([0, 2, 4], dtype=int32), array([ 0,  6, 12], dtype=int32))
    """

    labels: tuple[str, ...]  # U, all different
    hmms: tuple[HMM, ...]  # U
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

    @property
    def n_states(self) -> int:
        """Of all units."""
        return int(self.first_states[-1])

    @property
    def emissions(self) -> tuple[DiagGMM, ...]:
        """The mixtures of all states, as they are numbered."""
        return tuple(model for hmm in self.hmms for model in hmm.emissions)

    @property
    def log_transitions(self) -> Floats:
        """(P,) logarithms of all transition parameters, as they are numbered; -inf where there is no transition."""
        flat = np.concatenate([hmm.transitions.ravel() for hmm in self.hmms])
        found: Floats = np.log(flat, where=flat > 0, out=np.full(len(flat), -np.inf))
        return found

    def number(self, label: str) -> int:
        """Which unit it is.

        Raises:
            DataError: There is no such unit.
        """
        try:
            return self.labels.index(label)
        except ValueError:
            known = ", ".join(self.labels[:8]) + (", ..." if len(self.labels) > 8 else "")
            raise DataError(
                f"no unit {label!r} among the {len(self.labels)} that were trained ({known}); is it a phone of another "
                "set, or one that the training data lack?"
            ) from None


def _starts(sizes: NDArray[np.int_]) -> Numbers:
    return np.concatenate([[0], np.cumsum(sizes)]).astype(np.int32)
