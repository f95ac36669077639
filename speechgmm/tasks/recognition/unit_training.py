"""The units of a recogniser, trained on one set and kept in the model cache: phones, triphones, a transform of frames.

Owns what decides them (the key in the cache) and the order of the steps. Refuses to know what may be said of them.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Final

import numpy as np

from speechgmm.engine.audio_input import AudioInput
from speechgmm.engine.job import Job
from speechgmm.engine.model_cache import ModelCache, frames_key, kept_or_trained, model_key
from speechgmm.features import front_end
from speechgmm.features.transforms import LinearTransform, TransformSpec
from speechgmm.gmm import Mapper
from speechgmm.hmm import (
    Graph,
    HMMSpec,
    Lexicon,
    LogWeights,
    Recogniser,
    Units,
    Utterance,
    linear,
    train_hmms,
    word_choice,
)
from speechgmm.hmm.recognition_spec import RecognitionSpec
from speechgmm.hmm.speech_edges import between_edges
from speechgmm.hmm.transform_training import n_passes_transformed, train_transform, train_transformed
from speechgmm.hmm.triphone_training import n_passes_triphones, train_triphones
from speechgmm.logger import LOGGER
from speechgmm.tasks.recognition.adapted_training import SpeakerSet
from speechgmm.tasks.recognition.codec import RecogniserFile, read_recogniser, serialise_recogniser
from speechgmm.tasks.recognition.start_model import StartModel
from speechgmm.tasks.recognition.transcripts import Transcript

RECOGNISER_VERSION = 4
"""Part of every key in the model cache: raised when the same settings begin to give another model."""

PASSES_BEFORE_EM = 4
"""Over all frames: for NaN, for the mean, for the variance, and for states that share an utterance evenly."""

NOT_OF_UNITS: Final[Mapping[type, tuple[str, ...]]] = {
    RecognitionSpec: (
        # Words, their units and the model that training goes on from are in the key, wherever they are from.
        *("labels", "dictionary", "stress", "graphemes", "text", "start_model"),
        # Of what the units recognise:
        *("vocabulary", "language", "grammar", "arpa", "scale", "insertion_penalty", "beam", "count_as"),
    ),
    # The first is what its file says, which is in the key; the others are of recognition.
    HMMSpec: ("questions", "adapt", "adapt_prior", "adapt_rounds"),
}
"""Settings that do not change the units."""

FIRST_COMPONENTS: Final = 2
"""Gaussians of a state of the units that a transform or triphones start from, at most."""

TrainedUnits = tuple[Units, LinearTransform | None]


@dataclass(frozen=True, slots=True)
class UnitsTask:
    """The units of one training set."""

    said: tuple[Transcript, ...]
    lexicon: Lexicon
    log_weights: LogWeights  # of pronunciations
    labels: tuple[str, ...]  # of the units
    spec: HMMSpec
    recognition: RecognitionSpec
    transform: TransformSpec
    questions: tuple[tuple[str, ...], ...] | None  # of triphones, from a file
    start: StartModel | None = None  # whose units training goes on from

    @property
    def silence(self) -> str | None:
        """The unit for silence, where there is one."""
        return self.recognition.silence

    @property
    def timed(self) -> bool:
        """Whether training starts from the times of the labels."""
        return self.recognition.start == "segments"

    @property
    def starts_from_first(self) -> bool:
        """Whether units of few Gaussians are trained before these, see `_first`."""
        return self.spec.context != "none" or self.transform.kind != "none"

    def key(self) -> str:
        """A hash of all that decides the units; see `model_key`."""
        frames = frames_key(one.piece for one in self.said)
        said = [(one.words, one.bounds if self.timed else None) for one in self.said]
        data = [frames, said, self.labels, sorted(self.lexicon.items()), sorted(self.log_weights.items())]
        if self.questions is not None:
            data.append(self.questions)
        if self.start is not None:
            data.append(self.start.key)
        specs = (self.spec, self.recognition, self.transform)
        return model_key("units", RECOGNISER_VERSION, *specs, without=NOT_OF_UNITS, data=data)


def trained_units(job: Job, tasks: Sequence[UnitsTask], audio: AudioInput, n_sets: int) -> list[TrainedUnits]:
    """The units of several tasks for ``n_sets`` training sets, in order, from the cache or trained."""
    memory = 0 if job.cluster is not None else job.memory // (1 if n_sets == 1 else job.n_jobs)
    work = partial(_train_task, audio=audio, folder=job.cache / "models", memory=memory)

    def train(missing: Sequence[UnitsTask]) -> Iterable[TrainedUnits]:
        if n_sets > 1:
            # Processes: between the passes over an utterance there is much Python, which threads would take in turns.
            yield from job.map(work, missing, auto="processes")
            return
        for task in missing:
            what = "training HMMs: passes over the utterances"
            with job.passes() as on, job.console.counted(on, _n_passes(task), what) as spread:
                found = work(task, map=spread)
            yield found  # after the bar, which ends with its passes

    kept = kept_or_trained(job, [task.key() for task in tasks], tasks, _unpack, train)
    what = None if n_sets == 1 else f"training HMMs of {n_sets - 1} folds and of all"
    return list(job.console.track(kept, len(tasks), what))


def transformed(one: Transcript, task: UnitsTask, transform: LinearTransform | None) -> Transcript:
    """A transcript whose frames are transformed as those of training."""
    if transform is None:
        return one
    return replace(one, piece=replace(one.piece, transform=transform, context=task.transform.splice))


def _n_passes(task: UnitsTask) -> int:
    """Passes over the utterances at most, for the bar."""
    if not task.starts_from_first:
        return PASSES_BEFORE_EM + len(task.spec.annealing_scales) + task.spec.iterations * len(task.spec.levels)
    passes = n_passes_transformed if task.spec.context == "none" else n_passes_triphones
    return _n_passes(_first(task)) + passes(task.spec)


def _first(task: UnitsTask) -> UnitsTask:
    """The units of few Gaussians and without contexts that a transform or triphones start from."""
    spec = replace(task.spec.without_contexts(), n_components=min(FIRST_COMPONENTS, task.spec.n_components))
    return replace(task, spec=spec, transform=TransformSpec(), questions=None)


def _train_task(task: UnitsTask, *, audio: AudioInput, folder: Path, memory: int, map: Mapper = map) -> TrainedUnits:
    """Train on one set, and keep the units in the cache with the transform of their frames."""
    graphs = {one.words: _graph(task, one.words) for one in task.said}  # what is said alike is laid out once
    said = [_utterance(task, one, graphs[one.words]) for one in task.said]
    if task.recognition.start == "edges":
        said = between_edges(said, map=map)
    topology = task.spec.topology(task.labels, task.silence)
    transform = None
    if task.start is not None:
        units = train_hmms(said, task.start.topology, task.spec, start=task.start.units, map=map).units
    elif not task.starts_from_first:
        units = train_hmms(said, topology, task.spec, map=map).units
    else:
        first = _first(task)
        kept = ModelCache(folder).read(first.key(), _unpack)
        start, _ = kept or _train_task(first, audio=audio, folder=folder, memory=memory, map=map)
        n_static = front_end(audio.features, audio.sample_rate).n_static
        if task.spec.context == "triphone":
            units, transform = _train_triphones(task, said, start, n_static, memory, map)
        else:
            units, transform = train_transformed(
                said, start, topology, task.transform, task.spec, n_static=n_static, memory=memory, map=map
            )
    LOGGER.debug("trained %d HMMs on %d utterances", len(topology), len(said))
    ModelCache(folder).write(task.key(), serialise_recogniser(_content(task, units, transform, audio)))
    return units, transform


def _train_triphones(
    task: UnitsTask, said: Sequence[Utterance], start: Units, n_static: int, memory: int, map: Mapper
) -> TrainedUnits:
    """Tied triphones, after a transform where one is asked for."""
    learn = partial(train_transform, how=task.transform, spec=task.spec, n_static=n_static, memory=memory, map=map)
    transform = None if task.transform.kind == "none" else learn
    return train_triphones(
        said, start, task.spec, silence=task.silence, questions=task.questions, transform=transform, map=map
    )


def _content(task: UnitsTask, units: Units, transform: LinearTransform | None, audio: AudioInput) -> RecogniserFile:
    """The container of a recogniser, whose language nobody reads."""
    recogniser = Recogniser(units, task.lexicon, word_choice(task.lexicon))
    features = replace(audio.features, transform=task.transform)
    return RecogniserFile(recogniser, replace(audio, features=features, transform=transform), "")


def speaker_set(task: UnitsTask, units: Units, transform: LinearTransform | None, audio: AudioInput) -> SpeakerSet:
    """The utterances with frames as the units know them, and whose they are."""
    graphs = {one.words: _graph(task, one.words) for one in task.said}
    said = [transformed(one, task, transform) for one in task.said]
    return SpeakerSet(
        tuple(_utterance(task, one, graphs[one.words]) for one in said),
        tuple(one.group for one in said),
        task.key(),
        _content(task, units, transform, audio),
        task.spec,
    )


def _unpack(path: Path, data: bytes) -> TrainedUnits:
    found = read_recogniser(path, data)
    return found.recogniser.units, found.audio.transform


def _graph(task: UnitsTask, words: tuple[str, ...]) -> Callable[[Units], Graph]:
    """How the graph of a transcript is made."""
    return partial(
        linear,
        words=words,
        lexicon=task.lexicon,
        log_weights=task.log_weights,
        silence=task.silence,
        silence_probability=task.recognition.silence_probability,
    )


def _utterance(task: UnitsTask, one: Transcript, build: Callable[[Units], Graph]) -> Utterance:
    """What training takes: frames by reference, the graph of the transcript, and a sequence of units to start from."""
    sequence = tuple(unit for word in one.words for unit in task.lexicon[word][0])
    bounds = np.array(one.bounds) if task.timed and one.bounds is not None else None
    if task.silence is not None and bounds is None:  # which needs some frames to begin with
        sequence = (task.silence, *sequence, task.silence)
    return Utterance(one.id, one.piece, one.piece.n_rows, sequence, build, bounds)
