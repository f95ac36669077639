"""Recognition: the HMMs of words or phones in the place of class models, and what they hear in test recordings.

A training set is one task; its units are kept in the cache once they are trained, as class models are.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Final

import numpy as np

from speechgmm.engine.audio_input import AudioInput
from speechgmm.engine.frames import Features
from speechgmm.engine.job import Job
from speechgmm.engine.model_cache import ModelCache, frames_key, kept_or_trained, model_key
from speechgmm.errors import DataError
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
from speechgmm.hmm.adaptation import Adaptation
from speechgmm.hmm.boundary_model import BoundaryModel, train_boundary_model
from speechgmm.hmm.recognition_spec import RecognitionSpec
from speechgmm.hmm.speech_edges import between_edges
from speechgmm.hmm.transform_training import n_passes_transformed, train_transformed
from speechgmm.logger import LOGGER
from speechgmm.tasks.recognition.codec import RecogniserFile, read_recogniser, serialise_recogniser
from speechgmm.tasks.recognition.dictionaries import dictionary_of
from speechgmm.tasks.recognition.languages import check_references, language_of
from speechgmm.tasks.recognition.start_model import StartModel, start_model
from speechgmm.tasks.recognition.transcript_checks import (
    fitting,
    log_weights_of,
    warn_of_labels,
)
from speechgmm.tasks.recognition.transcripts import Transcript, transcripts
from speechgmm.tasks.recognition.vocabulary import Language, warn_of_homophones

RECOGNISER_VERSION = 2
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
    HMMSpec: ("adapt", "adapt_prior", "adapt_rounds"),  # of recognition
}
"""Settings that do not change the units."""


@dataclass(frozen=True, slots=True)
class TrainedRecogniser:
    """A recogniser, ready to use and to save."""

    recogniser: Recogniser
    audio: AudioInput


@dataclass(frozen=True, slots=True)
class _Task:
    """The units of one training set."""

    said: tuple[Transcript, ...]
    lexicon: Lexicon
    log_weights: LogWeights  # of pronunciations
    labels: tuple[str, ...]  # of the units
    spec: HMMSpec
    recognition: RecognitionSpec
    transform: TransformSpec
    start: StartModel | None = None  # whose units training goes on from

    @property
    def silence(self) -> str | None:
        """The unit for silence, where there is one."""
        return self.recognition.silence

    @property
    def timed(self) -> bool:
        """Whether training starts from the times of the labels."""
        return self.recognition.start == "segments"

    def key(self) -> str:
        """A hash of all that decides the units; see `model_key`."""
        frames = frames_key(one.piece for one in self.said)
        said = [(one.words, one.bounds if self.timed else None) for one in self.said]
        data = [frames, said, self.labels, sorted(self.lexicon.items()), sorted(self.log_weights.items())]
        data += [self.start.key] if self.start else []
        specs = (self.spec, self.recognition, self.transform)
        return model_key("units", RECOGNISER_VERSION, *specs, without=NOT_OF_UNITS, data=data)


def train_recognisers(job: Job, sets: Sequence[Features]) -> list[TrainedRecogniser]:
    """Train the units of each training set; all sets in one pool.

    Raises:
        DataError: Words outside of the dictionary, utterances too short for their units (all are named); a grammar
            that cannot be read, or needs units that were never trained; test references that the language cannot
            produce.
        FitError: Frames that nothing can be estimated from.
    """
    what = "training HMMs" if len(sets) == 1 else f"training HMMs of {len(sets) - 1} folds and of all"
    with job.console.stage("train"):
        warn_of_labels(job, transcripts(job, sets[0], "train"))
        tasks = [_task(job, part) for part in sets]
        languages = [language_of(job, task.said, task.lexicon, task.labels) for task in tasks]
        for note in languages[0].notes:
            job.console.say(note)
        warn_of_homophones(job, languages[0])
        tests = [transcripts(job, part, "test") for part in sets]
        check_references(job, [(said, language.model) for said, language in zip(tests, languages, strict=True)])
        memory = 0 if job.cluster is not None else job.memory // (1 if len(tasks) == 1 else job.n_jobs)
        work = partial(_train_task, audio=sets[0].audio, folder=job.cache / "models", memory=memory)

        def train(missing: Sequence[_Task]) -> Iterable[_Trained]:
            if len(tasks) == 1:
                n_passes = _n_passes(tasks[0])
                what = "training HMMs: passes over the utterances"
                with job.passes() as on, job.console.counted(on, n_passes, what) as spread:
                    return [work(missing[0], map=spread)]
            # Processes: between the passes over an utterance there is much Python, which threads would take in turns.
            return job.map(work, missing, auto="processes")

        kept = kept_or_trained(job, [task.key() for task in tasks], tasks, _unpack, train)
        found = list(job.console.track(kept, len(tasks), None if len(tasks) == 1 else what))
        return [
            _trained(job, task, *one, language, part.audio)
            for task, one, language, part in zip(tasks, found, languages, sets, strict=True)
        ]


def _task(job: Job, features: Features) -> _Task:
    config = job.experiment.config
    spec = config.section(RecognitionSpec)
    said, lexicon = fitting(job, transcripts(job, features, "train"))
    used = {unit for ways in lexicon.values() for way in ways for unit in way}
    if spec.silence in used:
        raise DataError(
            f"recognition.silence: {spec.silence!r} is a word or phone of the transcripts; silence between words needs "
            "a name of its own (leave it out where the transcripts have silence themselves)"
        )
    labels = tuple(sorted(used)) + ((spec.silence,) if spec.silence else ())
    start = start_model(job, features.audio, labels)
    return _Task(
        said,
        lexicon,
        log_weights_of(lexicon, dictionary_of(job)),
        labels if start is None else start.units.labels,
        config.section(HMMSpec),
        spec,
        config.features.transform,
        start,
    )


_Trained = tuple[Units, LinearTransform | None]


def _n_passes(task: _Task) -> int:
    """Passes over the utterances at most, for the bar."""
    before = PASSES_BEFORE_EM + len(task.spec.annealing_scales)
    if task.transform.kind == "none":
        return before + task.spec.iterations * len(task.spec.levels)
    return before + task.spec.iterations * len(_first(task).spec.levels) + n_passes_transformed(task.spec)


def _first(task: _Task) -> _Task:
    """The units of few Gaussians that a transform is learnt from, on the frames without it."""
    spec = replace(task.spec, n_components=min(2, task.spec.n_components))
    return replace(task, spec=spec, transform=TransformSpec())


def _train_task(task: _Task, *, audio: AudioInput, folder: Path, memory: int, map: Mapper = map) -> _Trained:
    """Train on one set, and keep the units in the cache with the transform of their frames."""
    graphs = {one.words: _graph(task, one.words) for one in task.said}  # what is said alike is laid out once
    said = [_utterance(task, one, graphs[one.words]) for one in task.said]
    if task.recognition.start == "edges":
        said = between_edges(said, map=map)
    topology = task.spec.topology(task.labels, task.silence)
    transform = None
    if task.start is not None:
        units = train_hmms(said, task.start.topology, task.spec, start=task.start.units, map=map).units
    elif task.transform.kind == "none":
        units = train_hmms(said, topology, task.spec, map=map).units
    else:
        first = _first(task)
        kept = ModelCache(folder).read(first.key(), _unpack)
        start, _ = kept or _train_task(first, audio=audio, folder=folder, memory=memory, map=map)
        n_static = front_end(audio.features, audio.sample_rate).n_static
        units, transform = train_transformed(
            said, start, topology, task.transform, task.spec, n_static=n_static, memory=memory, map=map
        )
    LOGGER.debug("trained %d HMMs on %d utterances", len(topology), len(said))
    # The container of a recogniser, whose language nobody reads here.
    recogniser = Recogniser(units, task.lexicon, word_choice(task.lexicon))
    features = replace(audio.features, transform=task.transform)
    content = RecogniserFile(recogniser, replace(audio, features=features, transform=transform), "")
    ModelCache(folder).write(task.key(), serialise_recogniser(content))
    return units, transform


def _unpack(path: Path, data: bytes) -> _Trained:
    found = read_recogniser(path, data)
    return found.recogniser.units, found.audio.transform


def _graph(task: _Task, words: tuple[str, ...]) -> Callable[[Units], Graph]:
    """How the graph of a transcript is made."""
    return partial(
        linear,
        words=words,
        lexicon=task.lexicon,
        log_weights=task.log_weights,
        silence=task.silence,
        silence_probability=task.recognition.silence_probability,
    )


def _utterance(task: _Task, one: Transcript, build: Callable[[Units], Graph]) -> Utterance:
    """What training takes: frames by reference, the graph of the transcript, and a sequence of units to start from."""
    sequence = tuple(unit for word in one.words for unit in task.lexicon[word][0])
    bounds = np.array(one.bounds) if task.timed and one.bounds is not None else None
    if task.silence is not None and bounds is None:  # which needs some frames to begin with
        sequence = (task.silence, *sequence, task.silence)
    return Utterance(one.id, one.piece, one.piece.n_rows, sequence, build, bounds)


def _trained(
    job: Job, task: _Task, units: Units, transform: LinearTransform | None, language: Language, audio: AudioInput
) -> TrainedRecogniser:
    """A recogniser, and how recordings become its frames."""
    audio = replace(audio, transform=transform)
    recogniser = _recogniser(job, units, language)
    return TrainedRecogniser(replace(recogniser, boundary_model=_boundary_model(task, audio)), audio)


def _boundary_model(task: _Task, audio: AudioInput) -> BoundaryModel | None:
    """What is learnt of boundaries, where the units' own times are known; altered copies say nothing new."""
    timed = [one for one in task.said if one.bounds is not None and not one.copy]
    if not timed or any(task.lexicon[word] != ((word,),) for one in timed for word in one.words):
        return None
    return train_boundary_model(
        (audio.transformed(one.piece.load()), one.words, [begin for begin, _ in one.bounds or ()]) for one in timed
    )


def _recogniser(job: Job, units: Units, language: Language) -> Recogniser:
    """The units with what may be said of them."""
    spec = job.experiment.config.section(RecognitionSpec)
    hmm = job.experiment.config.section(HMMSpec)
    return Recogniser(
        units,
        language.lexicon,
        language.model,
        spec.silence,
        spec.silence_probability,
        spec.scale,
        spec.insertion_penalty,
        spec.beam,
        log_weights=log_weights_of(language.lexicon, dictionary_of(job)),
        adaptation=None if hmm.adapt == "none" else Adaptation(hmm.adapt_prior, hmm.adapt_rounds),
    )
