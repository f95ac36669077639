"""The transform of frames for hidden Markov models: LDA whose classes are states, and MLLT over their components.

Owns the order of its estimation from held alignments, and frames after it. LDA alone is not offered: it leaves the
dimensions of each state correlated, which costs more than it gives. Refuses to know files and the words that are said.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial, reduce
from itertools import pairwise
from operator import add
from typing import Any, Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from speechgmm.errors import ConfigError
from speechgmm.features.mllt import MLLT, Scatters, estimate_mllt, full_view
from speechgmm.features.transforms import (
    ClassMoments,
    LinearTransform,
    TransformSpec,
    class_moments,
    lda,
    most_directions,
    splice,
)
from speechgmm.gmm.frames import Frames, Mapper
from speechgmm.gmm.full_e_step import RowBatch, accumulate_full
from speechgmm.gmm.full_stats import FullStats
from speechgmm.gmm.model import DiagGMM
from speechgmm.hmm.component_counts import grown_mixtures
from speechgmm.hmm.held_alignments import (
    UPDATES,
    AlignedParcel,
    Alignments,
    HeldTraining,
    aligned_parcels,
    train_held,
)
from speechgmm.hmm.hmm import Units
from speechgmm.hmm.kept_graphs import KeptGraphs
from speechgmm.hmm.spec import HMMSpec
from speechgmm.hmm.training import Utterance, parcels, plain_units
from speechgmm.parallel import one_blas_thread

ROUNDS: Final = 3
"""Of MLLT, each on the frames that the one before it gives."""

MOST_COMPONENTS: Final = 8
"""Of a state while MLLT is estimated: more have too few frames each for full covariances, and take long."""

N_PASSES_TRANSFORM: Final = 1 + 1 + ROUNDS * (1 + UPDATES + 1) + (ROUNDS + 1) * (1 + 3)
"""How often `train_transform` passes over the utterances; frames of each space are made, and looked at three times."""


@dataclass(frozen=True, slots=True, eq=False)
class TransformedFrames:
    """Frames of a recording after a transform of some columns of them, spliced with their neighbours; by reference.

    >>> frames = TransformedFrames(np.array([[1.0, 9.0], [2.0, 9.0]]), 1, np.array([0]), None)
    >>> frames.load().tolist()
    [[1.0, 1.0, 2.0], [1.0, 2.0, 2.0]]
    """

    source: Any  # (T, D) frames, or what has ``load_spliced(context)``
    context: int
    columns: NDArray[np.intp]  # of a frame
    transform: LinearTransform | None  # of (2 context + 1) len(columns) dimensions; None: they stay as they are

    def load(self) -> Frames:
        """(T, D') frames."""
        frames = self.source
        whole = splice(frames, self.context) if isinstance(frames, np.ndarray) else frames.load_spliced(self.context)
        width = whole.shape[1] // (2 * self.context + 1)
        if len(self.columns) < width:
            whole = whole.reshape(len(whole), -1, width)[:, :, self.columns].reshape(len(whole), -1)
        return whole if self.transform is None else self.transform.apply(whole)


@dataclass(frozen=True, slots=True, eq=False)
class TransformFit:
    """A transform and the mixtures of states in its image.

    ``trace`` has for each round the objective of MLLT, in nats per frame, before its sweeps and after each.
    """

    transform: LinearTransform  # of whole spliced frames: columns that are not used have zeros
    utterances: tuple[Utterance, ...]  # after the transform
    mixtures: tuple[DiagGMM, ...]
    trace: tuple[tuple[float, ...], ...]

    def least_step(self) -> float:
        """The smallest gain of a sweep of MLLT: not below 0, but for rounding."""
        return min((after - before for one in self.trace for before, after in pairwise(one)), default=0.0)


@one_blas_thread()
def train_transform(
    utterances: Sequence[Utterance],
    alignments: Alignments,
    n_states: int,
    how: TransformSpec,
    spec: HMMSpec,
    *,
    n_static: int,
    memory: int = 0,
    map: Mapper = map,
) -> TransformFit:
    """Estimate the transform that ``how`` asks for from the frames of the states that they are aligned to.

    With ``kind: lda`` come first the ``how.dim`` directions that tell the states apart best, of the first ``n_static``
    columns of ``how.splice`` frames on either side; with ``kind: mllt`` the frames stay what they are. Then come
    ``ROUNDS`` rounds: mixtures of 2, 4 and 8 Gaussians of each state are trained in the space of before (of fewer where
    ``spec`` says so), and ``estimate_mllt`` finds the next from their full scatters, under the prior of ``spec``.

    Frames that fit into ``memory`` (bytes) after the transform are held there; others are made anew in each pass.

    Raises:
        ConfigError: LDA alone; more directions than states less one.
        FitError: Frames that nothing can be estimated from.
        ShapeError: Alignments of other utterances.
    """
    if how.kind == "lda" and not how.mllt:
        raise ConfigError(
            "LDA without MLLT leaves the dimensions of each state correlated, which diagonal covariances cannot have; "
            "set features.transform.mllt: true"
        )
    width = utterances[0].load().shape[1]
    context, columns = (how.splice, np.arange(n_static)) if how.kind == "lda" else (0, np.arange(width))
    sources = [replace(one, frames=TransformedFrames(one.frames, context, columns, None)) for one in utterances]
    transform = _start(sources, alignments, n_states, how, map)
    mixtures: tuple[DiagGMM, ...] = ()
    trace = []
    for size in [*_sizes(spec), None]:
        held = HeldTraining.of(_under(sources, transform, memory, map), spec, map=map)
        if not mixtures:
            mixtures = held.gaussians(alignments, n_states)
        if size is None:
            break
        found, mixtures = _round(held, alignments, mixtures, size, spec)
        transform = found.after(transform)
        trace.append(found.trace)
    whole = np.zeros((len(transform.matrix), (2 * context + 1) * width))
    whole[:, (np.arange(2 * context + 1)[:, None] * width + columns).ravel()] = transform.matrix
    return TransformFit(LinearTransform(whole, transform.offset), held.utterances, mixtures, tuple(trace))


@one_blas_thread()
def train_transformed(
    utterances: Sequence[Utterance],
    start: Units,
    topology: Mapping[str, ArrayLike],
    how: TransformSpec,
    spec: HMMSpec,
    *,
    n_static: int,
    memory: int = 0,
    map: Mapper = map,
) -> tuple[Units, LinearTransform]:
    """Units after a transform that is learnt from ``start``, trained on the frames without it.

    ``start`` grows on held alignments to the Gaussians that ``spec`` asks for, aligns the utterances, and leaves its
    place to mixtures of the same states in the transform's image (`train_transform`), which grow in the same way.
    ``topology`` has the transitions (S, S+1) that theirs are drawn to. `train_transform` says the rest.
    """
    held, graphs = HeldTraining.of(utterances, spec, map=map), KeptGraphs()
    first = held.align(start, beam=spec.beam, graphs=graphs)
    plain = plain_units(topology, held.everywhere)
    units, _ = train_held(held, plain, start.emissions, first, spec, graphs=graphs)
    alignments = held.align(units, beam=spec.beam, graphs=graphs)
    n_states = len(units.emissions)
    fit = train_transform(utterances, alignments, n_states, how, spec, n_static=n_static, memory=memory, map=map)
    held = HeldTraining.of(fit.utterances, spec, map=map)
    units, _ = train_held(held, plain, fit.mixtures, alignments, spec, graphs=graphs)
    return units, fit.transform


def n_passes_transformed(spec: HMMSpec) -> int:
    """How often `train_transformed` passes over the utterances, at most.

    >>> n_passes_transformed(HMMSpec(n_components=4))
    65
    """
    moments, of_level = 3, UPDATES + 1  # finite values, means and variances; updates and an alignment
    n_levels = max(1, sum(level > 2 for level in spec.levels))
    held = moments + 1 + 1 + of_level * n_levels + UPDATES
    return 2 * held + 1 + N_PASSES_TRANSFORM


def _sizes(spec: HMMSpec) -> list[int]:
    """Gaussians of a state in each round of MLLT."""
    found = [level for level in spec.levels if 2 <= level <= MOST_COMPONENTS] or [1]
    return [*found, *[found[-1]] * ROUNDS][:ROUNDS] if len(found) < ROUNDS else found[-ROUNDS:]


def _round(
    held: HeldTraining, alignments: Alignments, mixtures: Sequence[DiagGMM], size: int, spec: HMMSpec
) -> tuple[MLLT, tuple[DiagGMM, ...]]:
    """The next transform, and the mixtures in its image."""
    counts = held.statistics(alignments, mixtures).counts
    models = grown_mixtures(mixtures, counts, np.full(len(mixtures), size), spec.frames_per_component)
    models = held.update(alignments, models, n_updates=UPDATES).mixtures
    found = estimate_mllt(Scatters.of(_scatters(held, alignments, models), held.prior.variance, spec.variance_prior))
    return found, tuple(found.moved(model) for model in models)


def _start(
    sources: Sequence[Utterance], alignments: Alignments, n_states: int, how: TransformSpec, map: Mapper
) -> LinearTransform:
    """Where the rounds begin: LDA, or the frames themselves."""
    if how.kind == "mllt":
        n_dims = sources[0].load().shape[1]
        return LinearTransform(np.eye(n_dims), np.zeros(n_dims))
    total: ClassMoments = reduce(add, map(partial(_moments, n_states=n_states), aligned_parcels(sources, alignments)))
    if how.dim > most_directions(total):
        raise ConfigError(
            f"features.transform.dim is {how.dim}, and {np.count_nonzero(total.counts)} states with frames of "
            f"{total.means.shape[1]} dimensions have {most_directions(total)} directions that tell them apart at most; "
            "take as many, or kind: mllt, which keeps all dimensions of the frames"
        )
    return lda(total, how.dim)


def _under(sources: Sequence[Utterance], transform: LinearTransform, memory: int, map: Mapper) -> tuple[Utterance, ...]:
    """The utterances after a transform, in memory where they fit."""
    found = []
    for one in sources:
        frames: Any = one.frames
        found.append(replace(one, frames=replace(frames, transform=transform)))
    if sum(one.n_frames for one in found) * 4 * len(transform.offset) > memory:
        return tuple(found)
    return tuple(one for parcel in map(_loaded, parcels(found)) for one in parcel)


def _loaded(utterances: Sequence[Utterance]) -> list[Utterance]:
    return [replace(one, frames=one.load()) for one in utterances]


def _moments(task: AlignedParcel, *, n_states: int) -> ClassMoments:
    utterances, states = task
    return class_moments(np.concatenate([one.load() for one in utterances]), states, n_states)


def _scatters(held: HeldTraining, alignments: Alignments, models: Sequence[DiagGMM]) -> tuple[FullStats, ...]:
    """The full statistics of every mixture."""
    work = partial(_scatter_parcel, models=models, centre=held.space.centre)
    parts = held.map(work, aligned_parcels(held.utterances, alignments))
    total: tuple[FullStats, ...] = reduce(_added, parts)
    return total


def _added(one: Sequence[FullStats], other: Sequence[FullStats]) -> tuple[FullStats, ...]:
    return tuple(a + b for a, b in zip(one, other, strict=True))


def _scatter_parcel(
    task: AlignedParcel, *, models: Sequence[DiagGMM], centre: NDArray[np.float64]
) -> tuple[FullStats, ...]:
    utterances, states = task
    rows = np.concatenate([one.load() for one in utterances]) - centre
    found = []
    for number, model in enumerate(models):
        own = rows[states == number]
        batch = RowBatch(own, np.ones(len(own)), centre, float(len(own)))
        found.append(accumulate_full(full_view(model).whitened(), batch))
    return tuple(found)
