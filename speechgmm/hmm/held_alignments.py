"""Training on held alignments: each frame belongs to one state, which is kept over several updates of the mixtures.

An update then sees no graph: it is EM of each state's mixture on the state's own frames. Owns the alignments as numbers
of states, and the updates. States of tied units (`Units.tied`) share mixtures: they are numbered by these. Refuses to
choose features, and to read anything.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial, reduce
from itertools import pairwise
from operator import add
from typing import Final

import numpy as np
from numpy.typing import NDArray

from speechgmm.errors import DataError, FitError, ShapeError
from speechgmm.gmm.frames import Mapper
from speechgmm.gmm.layout import Precision
from speechgmm.gmm.likelihoods import Space
from speechgmm.gmm.model import DiagGMM
from speechgmm.gmm.stats import GMMStats
from speechgmm.hmm.component_counts import grown_mixtures, mixtures_of, sizes_by_level
from speechgmm.hmm.emissions import StateStack
from speechgmm.hmm.hmm import Numbers, Units
from speechgmm.hmm.kept_graphs import KeptGraphs
from speechgmm.hmm.passes import viterbi
from speechgmm.hmm.spec import HMMSpec
from speechgmm.hmm.statistics import HMMPrior
from speechgmm.hmm.training import Utterance, global_prior, parcels
from speechgmm.parallel import one_blas_thread

Floats = NDArray[np.float64]

AlignedParcel = tuple[tuple[Utterance, ...], Numbers]
"""Some utterances, and the state of each of their frames (T,), one utterance after another."""

UPDATES: Final = 4
"""Of the mixtures on one alignment."""

LEAST_OWN: Final = 0.01
"""Least variance that those of a mixture's components are drawn to, as a share of that of all frames."""


@dataclass(frozen=True, slots=True, eq=False)
class Alignments:
    """The best path of every utterance: the state of each frame. Alignments of two sets of utterances add.

    >>> one = Alignments((np.array([0, 0, 1]),), np.array([1.0, 2.0]), -4.0)
    >>> (one + one).n_frames, (one + one).transitions
    (6, array([2., 4.]))
    """

    states: tuple[Numbers, ...]  # (T,) of each utterance, as ``Units`` number them
    transitions: Floats  # (P,) how often each transition was taken, in all utterances
    score: float  # nats: of all best paths

    def __add__(self, other: "Alignments") -> "Alignments":
        return Alignments(self.states + other.states, self.transitions + other.transitions, self.score + other.score)

    @property
    def n_frames(self) -> int:
        """Of all utterances."""
        return sum(map(len, self.states))


@dataclass(frozen=True, slots=True, eq=False)
class HeldFit:
    """Mixtures after some updates on held alignments.

    ``trace`` has the objective before each update, in nats per frame: log-likelihood of the frames under their states
    plus log prior density, up to a constant. It never falls.
    """

    mixtures: tuple[DiagGMM, ...]  # E
    counts: Floats  # (M,) frames of all components, as they were at the last update
    trace: tuple[float, ...]

    def least_step(self) -> float:
        """The smallest gain of an update: not below 0, but for rounding."""
        return min((after - before for before, after in pairwise(self.trace)), default=0.0)


@dataclass(frozen=True, slots=True, eq=False)
class HeldTraining:
    """Utterances with the prior of their mixtures: what does not change while mixtures are trained on alignments.

    The frames need not be those that were aligned, but there must be as many: those of another transform will do.
    Work goes through ``map``, which must keep order; tasks are cut by the data alone, so that no number of workers
    changes a byte.

    >>> from speechgmm.hmm import left_to_right, linear
    >>> frames = np.array([[0.0], [0.2], [-0.2], [5.0], [5.1], [4.9]] * 5)
    >>> words = ("a", "b") * 5
    >>> said = Utterance("u", frames, len(frames), words, partial(linear, words=words))
    >>> held = HeldTraining.of([said], HMMSpec(n_states=1, variance_prior=0))
    >>> states = Alignments((np.array([0, 0, 0, 1, 1, 1] * 5),), np.zeros(4), 0.0)
    >>> [model.means.round(2).tolist() for model in held.gaussians(states, 2)]
    [[[0.0]], [[5.0]]]
    """

    utterances: tuple[Utterance, ...]
    prior: HMMPrior
    everywhere: DiagGMM  # one Gaussian of all frames
    space: Space
    precision: Precision | None = None
    map: Mapper = map

    @classmethod
    def of(
        cls,
        utterances: Sequence[Utterance],
        spec: HMMSpec,
        *,
        precision: Precision | None = None,
        map: Mapper = map,
    ) -> "HeldTraining":
        """The prior of ``spec`` about the moments of all frames. Raises as `train_hmms`."""
        prior, everywhere, _ = global_prior(utterances, spec, map)
        space = Space(everywhere.means[0], np.sqrt(everywhere.variances[0]))
        return cls(tuple(utterances), prior, everywhere, space, precision, map)

    @one_blas_thread()
    def align(
        self,
        units: Units,
        mixtures: Sequence[DiagGMM] | None = None,
        *,
        beam: float = np.inf,
        graphs: KeptGraphs | None = None,
    ) -> Alignments:
        """The best path of every utterance under the topology and transitions of ``units``.

        ``mixtures`` (E,) are the states'; None: those of the units. ``graphs`` keeps graphs for the next alignment.

        Raises:
            DataError: An utterance too short for its units, or that no path explains; it is named.
        """
        stack = self._stack(units.emissions if mixtures is None else mixtures)
        kept = KeptGraphs() if graphs is None else graphs
        work = partial(_align_parcel, units=units, stack=stack, beam=beam, graphs=kept)
        total: Alignments = reduce(add, self.map(work, parcels(self.utterances)))
        return total

    @one_blas_thread()
    def statistics(self, alignments: Alignments, mixtures: Sequence[DiagGMM]) -> GMMStats:
        """Of all components of the mixtures (E,), one mixture after another, with the frames' log-likelihood.

        Raises:
            ShapeError: Alignments of other utterances, or with states of no mixture.
        """
        return self._statistics(self._tasks(alignments, len(mixtures)), mixtures)

    def gaussians(self, alignments: Alignments, n_mixtures: int) -> tuple[DiagGMM, ...]:
        """One Gaussian for each of E mixtures, estimated from its frames; that of all frames where there are none."""
        return self.update(alignments, [self.everywhere] * n_mixtures, n_updates=1).mixtures

    @one_blas_thread()
    def update(self, alignments: Alignments, mixtures: Sequence[DiagGMM], *, n_updates: int) -> HeldFit:
        """``n_updates`` updates of EM of every mixture on the frames of its states.

        Raises:
            FitError: See ``ConjugatePrior.mode``; the message names the mixture by its number.
            ShapeError: As `statistics`.
        """
        models, trace, tasks = tuple(mixtures), [], self._tasks(alignments, len(mixtures))
        counts = np.zeros(sum(model.n_components for model in models))
        for _ in range(n_updates):
            stats = self._statistics(tasks, models)
            density = self.prior.log_density_of(models)
            trace.append((stats.log_likelihood + density) / stats.n_frames)
            models, counts = self._updated(models, stats), stats.counts
        return HeldFit(models, counts, tuple(trace))

    def with_own_variances(self, alignments: Alignments, n_mixtures: int) -> "HeldTraining":
        """The same utterances, the variances of each mixture's components drawn to that of all its frames together.

        That of few frames is drawn to that of all frames in its turn, by the prior's count. Floors are shares of it.
        """
        stats = self.statistics(alignments, [self.everywhere] * n_mixtures)
        count, everywhere = self.prior.variance_count, self.prior.variance
        counts = stats.counts[:, None]
        scatter = stats.squares - stats.sums**2 / np.maximum(counts, 1.0) + count * everywhere
        own = np.maximum(scatter / np.maximum(counts + count, 1.0), LEAST_OWN * everywhere)
        return replace(self, prior=replace(self.prior, own=own))

    def frames_of(self, alignments: Alignments, n_mixtures: int) -> Floats:
        """(E,) how many frames the states of each mixture have."""
        return np.bincount(np.concatenate(alignments.states), minlength=n_mixtures).astype(np.float64)

    def _updated(self, models: Sequence[DiagGMM], stats: GMMStats) -> tuple[DiagGMM, ...]:
        found = []
        for number, (model, part) in enumerate(zip(models, mixtures_of(stats, models), strict=True)):
            try:
                found.append(self.prior.mixture(model, part, number))
            except FitError as error:
                raise FitError(f"mixture {number} of the states: {error}") from error
        return tuple(found)

    def _statistics(self, tasks: Sequence[AlignedParcel], mixtures: Sequence[DiagGMM]) -> GMMStats:
        total: GMMStats = reduce(add, self.map(partial(_accumulate_parcel, stack=self._stack(mixtures)), tasks))
        return total

    def _stack(self, mixtures: Sequence[DiagGMM]) -> StateStack:
        return StateStack.of(mixtures, space=self.space, precision=self.precision)

    def _tasks(self, alignments: Alignments, n_mixtures: int) -> list[AlignedParcel]:
        """Parcels of utterances with the mixture of each frame."""
        lengths = [len(states) for states in alignments.states]
        if lengths != [utterance.n_frames for utterance in self.utterances]:
            raise ShapeError(
                f"alignments of {len(lengths)} utterances with {sum(lengths)} frames for {len(self.utterances)} with "
                f"{sum(utterance.n_frames for utterance in self.utterances)}; expected a state for every frame of each"
            )
        numbers = alignments.states
        if min(map(np.min, numbers)) < 0 or max(map(np.max, numbers)) >= n_mixtures:
            raise ShapeError(f"a frame whose state has no mixture among {n_mixtures}; expected the states aligned to")
        return aligned_parcels(self.utterances, alignments)


def aligned_parcels(utterances: Sequence[Utterance], alignments: Alignments) -> list[AlignedParcel]:
    """Whole utterances as `parcels` cuts them, with the state of each frame."""
    found, first = [], 0
    for parcel in parcels(utterances):
        found.append((parcel, np.concatenate(alignments.states[first : first + len(parcel)])))
        first += len(parcel)
    return found


def train_held(
    held: HeldTraining,
    units: Units,
    mixtures: Sequence[DiagGMM],
    alignments: Alignments,
    spec: HMMSpec,
    *,
    graphs: KeptGraphs | None = None,
) -> tuple[Units, HeldFit]:
    """Grow mixtures (E,) to the sizes that ``spec`` asks for, on alignments that are made anew at each level.

    Levels are those of `sizes_by_level` from the largest mixture's size on. At each come splits, ``UPDATES`` updates
    and an alignment; after the last level's as many updates again. Returns units with the transitions of the last
    alignment, drawn to those of ``units``, and the mixtures of their states, and the last fit. Raises as the methods of
    ``held``.
    """
    kept, topology = KeptGraphs() if graphs is None else graphs, units
    fit = held.update(alignments, mixtures, n_updates=1)
    largest = max(model.n_components for model in mixtures)
    for sizes in sizes_by_level(spec, held.frames_of(alignments, len(mixtures)), largest):
        models = grown_mixtures(fit.mixtures, fit.counts, sizes, spec.frames_per_component)
        fit = held.update(alignments, models, n_updates=UPDATES)
        units = with_transitions(units, topology, alignments, held.prior)
        alignments = held.align(units, fit.mixtures, beam=spec.beam, graphs=kept)
    fit = held.update(alignments, fit.mixtures, n_updates=UPDATES)
    units = with_transitions(units, topology, alignments, held.prior)
    return units.with_parameters(fit.mixtures), fit


def with_transitions(units: Units, topology: Units, alignments: Alignments, prior: HMMPrior) -> Units:
    """The units with the transitions that alignments have, drawn by the prior to those of ``topology``."""
    return units.with_parameters(units.emissions, prior.unit_transitions(units, topology, alignments.transitions))


def _align_parcel(
    utterances: Sequence[Utterance],
    *,
    units: Units,
    stack: StateStack,
    beam: float,
    graphs: KeptGraphs,
) -> Alignments:
    """The best paths of some utterances."""
    found, transitions, score = [], np.zeros(len(units.log_transitions)), 0.0
    for utterance in utterances:
        graph = graphs.under(units, utterance.build)
        emissions = stack.log_likelihoods(stack.rows(utterance.load()), np.unique(graph.states))
        try:
            path = viterbi(graph, emissions, beam=beam)
        except (DataError, ShapeError) as error:
            raise type(error)(f"utterance {utterance.name!r}: {error}") from error
        found.append(graph.states[path.nodes])
        transitions += path.transition_counts(graph)
        score += path.score
    return Alignments(tuple(found), transitions, score)


def _accumulate_parcel(task: AlignedParcel, *, stack: StateStack) -> GMMStats:
    """The statistics of some utterances whose frames have a mixture each."""
    utterances, numbers = task
    rows = stack.rows(np.concatenate([utterance.load() for utterance in utterances]))
    moments = np.zeros(stack.factors.shape)
    log_likelihood = stack.add_assigned(rows, numbers, moments)
    return stack.statistics(moments, log_likelihood, len(rows))
