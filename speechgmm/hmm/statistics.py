"""Statistics of a set of HMMs, and what they are added to: posterior = prior + statistics, for every state.

Owns the prior of training: a variance prior toward the global variance and transitions toward the topology's own.
Refuses to know utterances.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from speechgmm.errors import FitError, ShapeError
from speechgmm.gmm.model import DiagGMM
from speechgmm.gmm.prior import MIN_COUNT, ConjugatePrior
from speechgmm.gmm.stats import GMMStats
from speechgmm.hmm.component_counts import mixtures_of
from speechgmm.hmm.hmm import HMM, Units

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class HMMStats:
    """Statistics of the mixtures of all states, and of all transitions, in the numbering of ``Units``.

    ``emissions.log_likelihood`` is the log-likelihood of the utterances, in nats.

    >>> stats = GMMStats(np.ones(1), np.ones((1, 2)), np.ones((1, 2)), -3.0, 1.0)
    >>> (HMMStats(stats, np.ones(2)) + HMMStats(stats, np.ones(2))).transitions
    array([2., 2.])
    """

    emissions: GMMStats  # of M components, state after state
    transitions: Floats  # (P,) how often each was taken

    def __add__(self, other: "HMMStats") -> "HMMStats":
        """The statistics of both sets of utterances together.

        Raises:
            ShapeError: The two statistics have different numbers of components or of transitions.
        """
        if self.transitions.shape != other.transitions.shape:
            raise ShapeError(
                f"statistics of {len(self.transitions)} and {len(other.transitions)} transitions do not add; expected "
                "those of the same units"
            )
        return HMMStats(self.emissions + other.emissions, self.transitions + other.transitions)

    def of_states(self, units: Units) -> tuple[GMMStats, ...]:
        """The statistics of the mixture of each state, without a log-likelihood: only the whole path has one."""
        return tuple(mixtures_of(self.emissions, units.emissions))


@dataclass(frozen=True, slots=True, eq=False)
class HMMPrior:
    """The prior of the parameters of all units. Its strength is in pseudo-frames; 0 gives maximum likelihood.

    >>> prior = HMMPrior(np.ones(2), variance_count=30.0, transition_count=1.0, floor=np.full(2, 0.2))
    >>> prior.of_state(4).scatter[0]
    array([30., 30.])
    """

    variance: Floats  # (D,) that variances are drawn to: the global one
    variance_count: float  # pseudo-frames of each component
    transition_count: float  # pseudo-transitions of each state, as the topology gives them
    floor: Floats  # (D,) least variance
    own: Floats | None = None  # (E, D) in place of ``variance`` for each mixture; floors are the same share of it

    def of_state(self, n_components: int, number: int = 0) -> ConjugatePrior:
        """The prior of mixture ``number``, which has ``n_components``. The prior of weights and means is flat."""
        variance = self.variance if self.own is None else self.own[number]
        flat = ConjugatePrior.flat(n_components, len(self.variance))
        return replace(
            flat,
            variance_counts=np.full(n_components, self.variance_count),
            scatter=np.tile(self.variance_count * variance, (n_components, 1)),
        )

    def log_density_of(self, mixtures: Sequence[DiagGMM]) -> float:
        """The log prior density of mixtures in nats, up to a constant."""
        return sum(self.of_state(model.n_components, n).log_density(model) for n, model in enumerate(mixtures))

    def log_density(self, units: Units, topology: Units) -> float:
        """The log prior density of units in nats, up to a constant; ``topology`` has the prior transitions."""
        total = self.log_density_of(units.emissions)
        for hmm, start in zip(units.hmms, topology.hmms, strict=True):
            used = start.transitions > 0
            with np.errstate(divide="ignore"):
                logs = np.log(hmm.transitions[used])
            total += float(self.transition_count * start.transitions[used] @ logs) if self.transition_count else 0.0
        return total

    def update(self, units: Units, stats: HMMStats, topology: Units) -> Units:
        """The most probable units after these statistics: the M-step of every state and of the transitions.

        A state or a component to which fewer frames than ``MIN_COUNT`` belong stays as it is.

        Raises:
            FitError: A component has shrunk to a point, and no variance floor holds it; its unit and state are named.
        """
        emissions = []
        for number, (model, part) in enumerate(zip(units.emissions, stats.of_states(units), strict=True)):
            try:
                emissions.append(self.mixture(model, part, number))
            except FitError as error:
                raise FitError(f"{units.emission_name(number)}: {error}") from error
        return units.with_parameters(emissions, self.unit_transitions(units, topology, stats.transitions))

    def unit_transitions(self, units: Units, topology: Units, taken: Floats) -> list[Floats]:
        """The most probable transitions (S, S+1) of every unit; ``taken`` (P,) counts how often each was taken."""
        found = []
        for number, (hmm, start) in enumerate(zip(units.hmms, topology.hmms, strict=True)):
            span = slice(units.first_transitions[number], units.first_transitions[number + 1])
            found.append(self.transitions(hmm, start, taken[span].reshape(start.transitions.shape)))
        return found

    def transitions(self, hmm: HMM, start: HMM, counts: Floats) -> Floats:
        """The most probable transitions (S, S+1) of a unit of which each was taken ``counts`` (S, S+1) times."""
        counts = counts + self.transition_count * start.transitions
        totals = counts.sum(axis=1, keepdims=True)
        found: Floats = np.divide(counts, totals, out=hmm.transitions.copy(), where=totals > MIN_COUNT)
        return found

    def mixture(self, model: DiagGMM, part: GMMStats, number: int = 0) -> DiagGMM:
        """The most probable mixture ``number`` after its statistics ``part``.

        With fewer than ``MIN_COUNT`` frames the mixture stays as it is.

        Raises:
            FitError: A component has shrunk to a point, and no variance floor holds it.
        """
        if part.counts.sum() < MIN_COUNT:
            return model
        floor = self.floor if self.own is None else self.floor / self.variance * self.own[number]
        return (self.of_state(model.n_components, number) + part).mode(model, floor=floor)
