"""Speaker-adaptive training (SAT): mixtures of frames that the transforms of their speakers have made alike.

Source: T. Anastasakos et al. (1996), "A compact model for speaker-adaptive training", ICSLP; with constrained
transforms (fMLLR) Gales (1998), section on adaptive training. Owns the rounds. Refuses to know who speaks, and to
change transitions: graphs of the units from before serve the adapted mixtures too.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial, reduce
from operator import add
from typing import Final

import numpy as np

from speechgmm.errors import ShapeError
from speechgmm.features.transforms import LinearTransform
from speechgmm.gmm.frames import Frames, Loadable, Mapper
from speechgmm.gmm.model import DiagGMM
from speechgmm.hmm.emissions import StateStack
from speechgmm.hmm.fmllr import FMLLRStats, estimate_fmllr, expected_statistics, fmllr_statistics
from speechgmm.hmm.held_alignments import HeldTraining
from speechgmm.hmm.hmm import Numbers, Units
from speechgmm.hmm.kept_graphs import KeptGraphs
from speechgmm.hmm.spec import HMMSpec
from speechgmm.hmm.training import Utterance
from speechgmm.parallel import one_blas_thread

ROUNDS: Final = 3
"""Of alignment, transforms and updates of the mixtures."""

UPDATES: Final = 4
"""Of the mixtures in a round."""


@dataclass(frozen=True, slots=True, eq=False)
class MovedFrames:
    """Frames of an utterance after the transform of its speaker, by reference.

    >>> MovedFrames(np.array([[2.0]]), LinearTransform(np.array([[0.5]]), np.array([1.0]))).load().tolist()
    [[2.0]]
    """

    source: Frames | Loadable
    transform: LinearTransform

    def load(self) -> Frames:
        """(T, D) frames."""
        frames = self.source if isinstance(self.source, np.ndarray) else self.source.load()
        return self.transform.apply(frames)


@dataclass(frozen=True, slots=True, eq=False)
class SpeakerFit:
    """Mixtures of transformed frames, and the transforms of the speakers of training.

    ``trace`` has for each round the objective before each update of the mixtures, in nats per frame: log-likelihood of
    the frames before their transforms (log |det A| is added) plus log prior density of the mixtures, up to a constant.
    It never falls within a round; between rounds the prior of the transforms changes with the mixtures.
    """

    mixtures: tuple[DiagGMM, ...]  # E, of all states
    transforms: dict[str, LinearTransform]
    trace: tuple[tuple[float, ...], ...]


@one_blas_thread()
def train_on_speakers(
    utterances: Sequence[Utterance],
    speakers: Sequence[str],
    units: Units,
    spec: HMMSpec,
    *,
    rounds: int = ROUNDS,
    map: Mapper = map,
) -> SpeakerFit:
    """Train the mixtures of units further, on frames that are transformed for each speaker.

    Each round aligns the utterances under the mixtures of before, estimates each speaker's transform from the frames as
    they are (under the prior ``spec.adapt_prior``, as in `SpeakerAdapter`), and updates the mixtures on what the
    transforms make of the frames.

    Parameters
    ----------
    utterances
        Of training.
    speakers
        Whose each utterance is.
    units
        What was trained on the frames as they are; their transitions stay.
    spec
        Priors and beam.
    rounds
        1 or more.
    map
        Of tasks that are cut by the data alone; it keeps order.

    Raises
    ------
    ShapeError
        As many speakers as utterances are expected.
    DataError
        An utterance that no path explains; it is named.
    """
    if len(speakers) != len(utterances):
        raise ShapeError(f"{len(speakers)} speakers of {len(utterances)} utterances; expected one for each")
    identity = LinearTransform(np.eye(n_dims := units.emissions[0].n_features), np.zeros(n_dims))
    transforms = dict.fromkeys(speakers, identity)
    mixtures, trace, graphs = units.emissions, [], KeptGraphs()
    for _ in range(rounds):
        held = HeldTraining.of(_moved(utterances, speakers, transforms), spec, map=map)
        alignments = held.align(units, mixtures, beam=spec.beam, graphs=graphs)
        stack, prior = StateStack.of(mixtures), expected_statistics(mixtures).worth(spec.adapt_prior)
        tasks = [
            _Task(
                tuple(one for one, whose in zip(utterances, speakers, strict=True) if whose == name),
                tuple(one for one, whose in zip(alignments.states, speakers, strict=True) if whose == name),
                transform,
            )
            for name, transform in transforms.items()
        ]
        found = map(partial(_speaker_transform, stack=stack, prior=prior), tasks)
        transforms = dict(zip(transforms, found, strict=True))
        held = HeldTraining.of(_moved(utterances, speakers, transforms), spec, map=map)
        if units.tied is not None:
            held = held.with_own_variances(alignments, len(mixtures))
        fit = held.update(alignments, mixtures, n_updates=UPDATES)
        mixtures = fit.mixtures
        n_frames = np.array([sum(one.n_frames for one in task.utterances) for task in tasks])
        log_dets = [np.linalg.slogdet(transform.matrix)[1] for transform in transforms.values()]
        trace.append(tuple(value + float(n_frames @ log_dets / n_frames.sum()) for value in fit.trace))
    return SpeakerFit(mixtures, transforms, tuple(trace))


@dataclass(frozen=True, slots=True, eq=False)
class _Task:
    """The utterances of a speaker, the state of each of their frames, and the transform of the round before."""

    utterances: tuple[Utterance, ...]
    states: tuple[Numbers, ...]
    transform: LinearTransform


def _moved(
    utterances: Sequence[Utterance], speakers: Sequence[str], transforms: dict[str, LinearTransform]
) -> tuple[Utterance, ...]:
    pairs = zip(utterances, speakers, strict=True)
    return tuple(replace(one, frames=MovedFrames(one.frames, transforms[whose])) for one, whose in pairs)


def _speaker_transform(task: _Task, *, stack: StateStack, prior: FMLLRStats) -> LinearTransform:
    """Estimated from the frames as they are, which belong to Gaussians as their images do."""
    parts = []
    for utterance, states in zip(task.utterances, task.states, strict=True):
        frames = utterance.load()
        rows = stack.rows(task.transform.apply(frames))
        parts.append(fmllr_statistics(frames, *stack.expected_gaussians(rows, states)))
    return estimate_fmllr(reduce(add, parts, prior), start=task.transform)
