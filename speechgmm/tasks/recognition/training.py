"""Recognition: the HMMs of words or phones in the place of class models, and what they hear in test recordings.

A training set is one task; its units are kept in the cache once they are trained, as class models are.
"""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from speechgmm.engine.audio_input import AudioInput
from speechgmm.engine.frames import Features
from speechgmm.engine.job import Job
from speechgmm.errors import DataError, ModelFileError
from speechgmm.gmm import Mapper
from speechgmm.hmm import (
    Bigram,
    Graph,
    HMMSpec,
    Lexicon,
    LogWeights,
    Network,
    Recogniser,
    Units,
    Utterance,
    left_to_right,
    linear,
    train_hmms,
    word_choice,
)
from speechgmm.hmm.recognition_spec import RecognitionSpec
from speechgmm.io.atomic import write_atomically
from speechgmm.io.feature_store import canonical, digest
from speechgmm.io.tables import table
from speechgmm.parallel import thread_pool
from speechgmm.tasks.recognition.codec import RecogniserFile, read_recogniser, serialise_recogniser
from speechgmm.tasks.recognition.languages import check_references, language_of
from speechgmm.tasks.recognition.transcript_checks import dictionary_of, fitting, log_weights_of, warn_of_labels
from speechgmm.tasks.recognition.transcripts import Transcript, transcripts

RECOGNISER_VERSION = 1
"""Part of every key in the model cache: raised when the same settings begin to give another model."""


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
    silence: str | None
    silence_probability: float
    timed: bool  # start from the times of the labels

    def key(self) -> str:
        """A hash of all that decides the units."""
        parts = []
        for one in self.said:
            how = one.piece.normalisation
            spelt = digest(how.shift.tobytes(), how.scale.tobytes()) if how else ""
            where = (one.piece.store.folder.name, one.piece.key, one.piece.first, one.piece.stop, spelt)
            parts.append((*where, one.words, one.bounds if self.timed else None))
        about = (self.labels, asdict(self.spec), self.silence, self.silence_probability, self.timed)
        lexicon = sorted(self.lexicon.items())
        weights = [sorted(self.log_weights.items())] * bool(self.log_weights)
        return digest(canonical([RECOGNISER_VERSION, about, lexicon, parts, *weights]))


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
        tests = [transcripts(job, part, "test") for part in sets]
        check_references(job, [(said, language) for said, (language, _) in zip(tests, languages, strict=True)])
        work = partial(_train_task, audio=sets[0].audio, folder=job.cache / "models")
        if len(tasks) == 1:
            with job.console.patience("training HMMs"), thread_pool(job.n_jobs) as spread:
                found = [work(tasks[0], map=spread)]
        else:
            # Processes: between the passes over an utterance there is much Python, which threads would take in turns.
            found = list(job.console.track(job.map(work, tasks, auto="processes"), len(tasks), what))
        return [
            TrainedRecogniser(_recogniser(job, units, *language), part.audio)
            for units, language, part in zip(found, languages, sets, strict=True)
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
    return _Task(
        said,
        lexicon,
        log_weights_of(lexicon, dictionary_of(job)),
        labels,
        config.section(HMMSpec),
        spec.silence,
        spec.silence_probability,
        spec.start == "segments",
    )


def _n_states(task: _Task, unit: str) -> int:
    return task.spec.silence_states if unit == task.silence else task.spec.n_states


def _train_task(task: _Task, *, audio: AudioInput, folder: Path, map: Mapper = map) -> Units:
    """Train on one set, or take it from the cache where the same has been trained before."""
    path = folder / f"{task.key()}.safetensors"
    try:
        return read_recogniser(path).recogniser.units
    except ModelFileError:
        pass
    topology = {
        unit: left_to_right(_n_states(task, unit), self_loop=task.spec.self_loop, skips=task.spec.skips)
        for unit in task.labels
    }
    graphs = {one.words: _graph(task, one.words) for one in task.said}  # what is said alike is laid out once
    said = [_utterance(task, one, graphs[one.words]) for one in task.said]
    units = train_hmms(said, topology, task.spec, map=map).units
    # The container of a recogniser, whose language nobody reads here.
    kept = RecogniserFile(Recogniser(units, task.lexicon, word_choice(task.lexicon)), audio, "")
    write_atomically(path, lambda file: file.write(serialise_recogniser(kept)))
    return units


def _graph(task: _Task, words: tuple[str, ...]) -> Callable[[Units], Graph]:
    """How the graph of a transcript is made."""
    return partial(
        linear,
        words=words,
        lexicon=task.lexicon,
        log_weights=task.log_weights,
        silence=task.silence,
        silence_probability=task.silence_probability,
    )


def _utterance(task: _Task, one: Transcript, build: Callable[[Units], Graph]) -> Utterance:
    """What training takes: frames by reference, the graph of the transcript, and a sequence of units to start from."""
    sequence = tuple(unit for word in one.words for unit in task.lexicon[word][0])
    bounds = np.array(one.bounds) if task.timed and one.bounds is not None else None
    if task.silence is not None and bounds is None:  # which needs some frames to begin with
        sequence = (task.silence, *sequence, task.silence)
    return Utterance(one.id, one.piece, one.piece.n_rows, sequence, build, bounds)


def _recogniser(job: Job, units: Units, language: Bigram | Network, lexicon: Lexicon) -> Recogniser:
    """The units with what may be said of them."""
    spec = job.experiment.config.section(RecognitionSpec)
    return Recogniser(
        units,
        lexicon,
        language,
        spec.silence,
        spec.silence_probability,
        spec.scale,
        spec.insertion_penalty,
        spec.beam,
        log_weights=log_weights_of(lexicon, dictionary_of(job)),
    )


def units_table(units: Units) -> str:
    """``units.tsv``: states, Gaussians and how long each unit lasts by its transitions."""
    rows = (
        (
            label,
            hmm.n_states,
            sum(model.n_components for model in hmm.emissions),
            " ".join(str(model.n_components) for model in hmm.emissions),
            f"{_frames_expected(hmm.transitions):.2f}",
        )
        for label, hmm in zip(units.labels, units.hmms, strict=True)
    )
    return table(("unit", "states", "components", "of each state", "mean_frames"), rows)


def _frames_expected(transitions: NDArray[np.float64]) -> float:
    """Frames that a unit lasts on average: the first row's sum of (I - A)^-1."""
    inner = transitions[:, :-1]
    return float(np.linalg.solve(np.eye(len(inner)) - inner, np.ones(len(inner)))[0])
