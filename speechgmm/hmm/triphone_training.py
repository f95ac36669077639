"""From units that sound alike everywhere to tied triphones: alignment, statistics of contexts, trees, tied states.

Owns the order of these steps, and the same alignment in terms of tied states. Triphones end at the edge of a word:
every word of any dictionary has its own. Refuses to read questions from files.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial, reduce
from operator import add
from typing import Final

import numpy as np
from numpy.typing import NDArray

from speechgmm.errors import DataError, ShapeError
from speechgmm.features.transforms import LinearTransform
from speechgmm.gmm.frames import Mapper
from speechgmm.hmm.context_statistics import Contexts, ContextStats, contexts_of
from speechgmm.hmm.decision_tree import grow_trees
from speechgmm.hmm.emissions import StateStack
from speechgmm.hmm.held_alignments import UPDATES, Alignments, HeldTraining, train_held
from speechgmm.hmm.hmm import Units, tied_units
from speechgmm.hmm.passes import viterbi
from speechgmm.hmm.phonetic_questions import clustered_questions, given_questions
from speechgmm.hmm.spec import HMMSpec
from speechgmm.hmm.tied_states import TiedStates
from speechgmm.hmm.training import Utterance, parcels, plain_units
from speechgmm.hmm.transform_training import N_PASSES_TRANSFORM, TransformFit
from speechgmm.parallel import one_blas_thread

Floats = NDArray[np.float64]

FRAMES_PER_STATE: Final = 600
"""Where the number of tied states is not given: of the training frames, for each."""

LEAST_FRAMES: Final = 100.0
"""Of a tied state: fewer give no sound Gaussian."""

LEAST_GAIN: Final = 200.0
"""Of a split, in nats."""

TREE_FLOOR: Final = 0.01
"""Least variance in a leaf while trees grow, as a share of that of all frames."""


@dataclass(frozen=True, slots=True, eq=False)
class ContextAlignment:
    """The best paths of utterances over untied units, with the contexts of their frames, and statistics of these."""

    contexts: tuple[Contexts, ...]  # (T, 3) of each utterance
    transitions: Floats  # (P,)
    score: float  # nats
    stats: ContextStats

    def __add__(self, other: "ContextAlignment") -> "ContextAlignment":
        """Of both sets of utterances."""
        return ContextAlignment(
            self.contexts + other.contexts,
            self.transitions + other.transitions,
            self.score + other.score,
            self.stats + other.stats,
        )


@dataclass(frozen=True, slots=True, eq=False)
class TiedFit:
    """Units with tied states of a Gaussian each, the alignment that they come from, and how the trees grew.

    ``trace`` has the log-likelihood in nats per frame of one Gaussian for each leaf, before and after every split.
    """

    units: Units
    alignments: Alignments  # states are numbers of the units' ``emissions``
    trace: tuple[float, ...]


@one_blas_thread()
def train_triphones(
    utterances: Sequence[Utterance],
    start: Units,
    spec: HMMSpec,
    *,
    silence: str | None = None,
    questions: Sequence[Sequence[str]] | None = None,
    transform: Callable[[Sequence[Utterance], Alignments, int], TransformFit] | None = None,
    map: Mapper = map,
) -> tuple[Units, LinearTransform | None]:
    """Tied triphones of units, trained on held alignments to the Gaussians that ``spec`` asks for.

    ``start`` are untied units of few Gaussians. They grow to ``spec.n_components``, align the utterances, and
    `tie_states` makes triphones of them. ``transform`` (`train_transform` with all but its first three arguments) is
    learnt from the tied states as classes; the trees stay. Then the triphones grow in their turn. Their transitions are
    the same in every context. Arguments and errors otherwise as `tie_states` and `train_transform`.
    """
    held = HeldTraining.of(utterances, spec, map=map)
    plain = plain_units(spec.topology(start.labels, silence), held.everywhere)
    units, _ = train_held(held, plain, start.emissions, held.align(start, beam=spec.beam), spec.without_contexts())
    tied = tie_states(held, units, spec, silence=silence, questions=questions)
    mixtures, found = tied.units.emissions, None
    if transform is not None:
        fit = transform(utterances, tied.alignments, len(mixtures))
        held, found = HeldTraining.of(fit.utterances, spec, map=map), fit.transform
        mixtures = held.gaussians(tied.alignments, len(mixtures))
    held = held.with_own_variances(tied.alignments, len(mixtures))
    first = tied.units.with_parameters(mixtures, [hmm.transitions for hmm in plain.hmms])
    units, _ = train_held(held, first, mixtures, tied.alignments, spec)
    return units, found


def n_passes_triphones(spec: HMMSpec) -> int:
    """How often `train_triphones` passes over the utterances, at most.

    >>> n_passes_triphones(HMMSpec(n_components=4, context="triphone"))
    76
    """
    moments = 3  # finite values, means and variances
    most = spec.n_components if spec.total_components is None else spec.total_components
    alone, tied = ((size - 1).bit_length() for size in (spec.n_components, most))
    held = sum(1 + (UPDATES + 1) * max(1, levels) + UPDATES for levels in (alone, tied))
    return moments + 1 + held + 2 + N_PASSES_TRANSFORM + moments + 1


@one_blas_thread()
def tie_states(
    held: HeldTraining,
    units: Units,
    spec: HMMSpec,
    *,
    silence: str | None = None,
    questions: Sequence[Sequence[str]] | None = None,
) -> TiedFit:
    """Units with tied states of triphones, from untied ones that align the utterances of ``held``.

    The trees have ``spec.tied_states`` leaves at most, and ask ``questions``, labels of units for each; None: sets of
    units that sound alike in these utterances. The unit ``silence`` has the same mixtures everywhere. A leaf starts as
    the Gaussian of its frames.

    Raises:
        DataError: An utterance that no path explains; questions about unknown units.
        FitError: As `HeldTraining.update`.
    """
    aligned = align_contexts(held, units, beam=spec.beam)
    floor = TREE_FLOOR * held.everywhere.variances[0]
    n_frames = aligned.stats.table[:, 0].sum()
    asked = (
        clustered_questions(_by_unit(aligned.stats, units), floor)
        if questions is None
        else given_questions(questions, units.labels)
    )
    may_split = np.repeat([label != silence for label in units.labels], np.diff(units.first_states))
    grown = grow_trees(
        aligned.stats,
        range(units.n_states),
        asked,
        n_leaves=spec.tied_states or max(units.n_states, int(n_frames) // FRAMES_PER_STATE),
        least_frames=LEAST_FRAMES,
        least_gain=LEAST_GAIN,
        floor=floor,
        split=may_split.tolist(),
    )
    numbers = [grown.trees[state].emission(left, right) for state, left, right in aligned.stats.contexts.tolist()]
    states = tuple(_numbered(one, aligned.stats.contexts, np.array(numbers, np.int32)) for one in aligned.contexts)
    alignments = Alignments(states, aligned.transitions, aligned.score)
    plain = TiedStates((held.everywhere,) * len(grown.leaves), grown.trees)
    tied = tied_units(units.labels, [hmm.transitions for hmm in units.hmms], plain)
    mixtures = held.gaussians(alignments, len(grown.leaves))
    return TiedFit(tied.with_parameters(mixtures), alignments, tuple(value / n_frames for value in grown.trace))


def align_contexts(held: HeldTraining, units: Units, *, beam: float = np.inf) -> ContextAlignment:
    """The best path of every utterance of ``held`` under untied units, with contexts and their statistics.

    Raises:
        DataError: An utterance that no path explains; it is named.
    """
    stack = StateStack.of(units.emissions, space=held.space, precision=held.precision)
    work = partial(_align_parcel, units=units, stack=stack, reference=held.everywhere.means[0], beam=beam)
    total: ContextAlignment = reduce(add, held.map(work, parcels(held.utterances)))
    return total


def _align_parcel(
    utterances: Sequence[Utterance], *, units: Units, stack: StateStack, reference: Floats, beam: float
) -> ContextAlignment:
    contexts, transitions, score = [], np.zeros(len(units.log_transitions)), 0.0
    loaded = [utterance.load() for utterance in utterances]
    for utterance, frames in zip(utterances, loaded, strict=True):
        graph = utterance.build(units)
        emissions = stack.log_likelihoods(stack.rows(frames), np.unique(graph.states))
        try:
            path = viterbi(graph, emissions, beam=beam)
        except (DataError, ShapeError) as error:
            raise type(error)(f"utterance {utterance.name!r}: {error}") from error
        contexts.append(contexts_of(graph, path))
        transitions += path.transition_counts(graph)
        score += path.score
    stats = ContextStats.of(np.concatenate(contexts), np.concatenate(loaded).astype(np.float64), reference)
    return ContextAlignment(tuple(contexts), transitions, score, stats)


def _by_unit(stats: ContextStats, units: Units) -> Floats:
    """(U, N, 1 + 2D) statistics of the states of every unit in all contexts; zeros where it has fewer than N."""
    sizes = np.diff(units.first_states)
    found = np.zeros((len(sizes), sizes.max(), stats.table.shape[1]))
    states = stats.contexts[:, 0]
    owners = np.searchsorted(units.first_states, states, side="right") - 1
    np.add.at(found, (owners, states - units.first_states[owners]), stats.table)
    return found


def _numbered(contexts: Contexts, known: Contexts, numbers: NDArray[np.int32]) -> NDArray[np.int32]:
    """(T,) the numbers of contexts (T, 3), which are among ``known`` (C, 3), sorted, with numbers (C,)."""
    low, high = known.min(axis=0), known.max(axis=0)
    shape = tuple((high - low + 1).tolist())
    codes, mine = (np.ravel_multi_index(tuple((one - low).T), shape) for one in (known, contexts))
    found: NDArray[np.int32] = numbers[np.searchsorted(codes, mine)]
    return found
