"""Recognition: the HMMs of words or phones instead of class models, and what they recognise in test recordings.

A training set is one task; its units are kept in the cache once they are trained, as class models are.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from speechgmm.engine.audio_input import AudioInput
from speechgmm.engine.frames import Features
from speechgmm.engine.job import Job
from speechgmm.errors import DataError
from speechgmm.features.transforms import LinearTransform
from speechgmm.hmm import HMMSpec, Recogniser, Units
from speechgmm.hmm.adaptation import Adaptation
from speechgmm.hmm.boundary_model import BoundaryModel, train_boundary_model
from speechgmm.hmm.recognition_spec import RecognitionSpec
from speechgmm.tasks.recognition.adapted_training import Mixtures, adapted_mixtures
from speechgmm.tasks.recognition.dictionaries import dictionary_of
from speechgmm.tasks.recognition.languages import check_references, language_of, producible
from speechgmm.tasks.recognition.penalties import (
    PenaltyChoice,
    System,
    choose_penalties,
    chooses_penalty,
    hold_out,
    with_penalty,
)
from speechgmm.tasks.recognition.start_model import start_model
from speechgmm.tasks.recognition.transcript_checks import (
    fitting,
    log_weights_of,
    questions_of,
    warn_of_labels,
)
from speechgmm.tasks.recognition.transcripts import Transcript, transcripts
from speechgmm.tasks.recognition.unit_training import UnitsTask, speaker_set, trained_units, transformed
from speechgmm.tasks.recognition.vocabulary import Language, warn_of_counting, warn_of_homophones

FEW_ITERATIONS: Final = 2
"""Passes after each doubling of the recogniser that the insertion penalty is chosen by."""


@dataclass(frozen=True, slots=True)
class TrainedRecogniser:
    """A recogniser, ready to use and to save."""

    recogniser: Recogniser
    audio: AudioInput
    penalty: PenaltyChoice | None = None  # where it was chosen


def train_recognisers(job: Job, sets: Sequence[Features]) -> list[TrainedRecogniser]:
    """Train the units of each training set; all sets in one pool.

    Raises:
        DataError: Words outside of the dictionary, utterances too short for their units (all are named); a grammar
            that cannot be read, or needs units that were never trained; test references that the language cannot
            produce.
        FitError: Frames that nothing can be estimated from.
    """
    with job.console.stage("train"):
        warn_of_labels(job, transcripts(job, sets[0], "train"))
        tasks = [_task(job, part) for part in sets]
        languages = [language_of(job, task.said, task.lexicon, task.labels) for task in tasks]
        for note in languages[0].notes:
            job.console.say(note)
        tests = [transcripts(job, part, "test") for part in sets]
        if any(tests):  # an alignment recognises nothing
            warn_of_homophones(job, languages[0])
        warn_of_counting(job, languages[0], {word for one in tests[0] for word in one.words})
        check_references(job, [(said, language.model) for said, language in zip(tests, languages, strict=True)])
        held = [hold_out(task.said, task.lexicon) for task in tasks if chooses_penalty(task.recognition)]
        reduced = [_reduced(task, kept) for task, (kept, _) in zip(tasks, held, strict=False)]
        models = _models(job, [*tasks, *reduced], sets[0].audio, len(sets))
        systems = [
            _system(job, *parts)
            for parts in zip(reduced, models[len(tasks) :], (held_out for _, held_out in held), strict=True)
        ]
        choices = choose_penalties(job, systems) or [None] * len(tasks)
        found = []
        for task, model, language, choice, part in zip(tasks, models, languages, choices, sets, strict=False):
            audio = replace(part.audio, transform=model.transform)
            recogniser = with_penalty(_recogniser(job, model, language), choice)
            recogniser = replace(recogniser, boundary_model=_boundary_model(task, audio))
            found.append(TrainedRecogniser(recogniser, audio, choice))
        return found


@dataclass(frozen=True, slots=True)
class _Models:
    """What is trained on one set."""

    units: Units
    transform: LinearTransform | None  # of frames, before the units
    adapted: Mixtures | None  # of frames that speakers' transforms made alike


def _models(job: Job, tasks: Sequence[UnitsTask], audio: AudioInput, n_sets: int) -> list[_Models]:
    """The units of each task, with what comes before and after them."""
    units = trained_units(job, tasks, audio, n_sets)
    adapted: Sequence[Mixtures | None] = [None] * len(tasks)
    if tasks[0].spec.adapt == "sat":
        pairs = zip(tasks, units, strict=True)
        adapted = adapted_mixtures(job, [speaker_set(task, *one, audio) for task, one in pairs])
    return [_Models(*one, mixtures) for one, mixtures in zip(units, adapted, strict=True)]


def _system(job: Job, task: UnitsTask, model: _Models, held_out: Sequence[Transcript]) -> System:
    """A recogniser that a penalty is chosen by, and the utterances that it was not trained on."""
    language = language_of(job, task.said, task.lexicon, task.labels)
    tests = producible(held_out, language.model, task.recognition)
    return _recogniser(job, model, language), [transformed(one, task, model.transform) for one in tests]


def _reduced(task: UnitsTask, kept: tuple[Transcript, ...]) -> UnitsTask:
    """The training of a recogniser that the penalty is chosen by: of fewer utterances, by fewer passes."""
    return replace(task, said=kept, spec=replace(task.spec, iterations=min(task.spec.iterations, FEW_ITERATIONS)))


def _task(job: Job, features: Features) -> UnitsTask:
    config = job.experiment.config
    spec = config.section(RecognitionSpec)
    said, lexicon = fitting(job, transcripts(job, features, "train"))
    used = {unit for ways in lexicon.values() for way in ways for unit in way}
    if spec.silence in used:
        raise DataError(
            f"recognition.silence: {spec.silence!r} is a word or phone of the transcripts; silence between words needs "
            "another name (leave it out where the transcripts have silence themselves)"
        )
    labels = tuple(sorted(used)) + ((spec.silence,) if spec.silence else ())
    start = start_model(job, features.audio, labels)
    return UnitsTask(
        said,
        lexicon,
        log_weights_of(lexicon, dictionary_of(job)),
        labels if start is None else start.units.labels,
        config.section(HMMSpec),
        spec,
        config.features.transform,
        questions_of(job, labels),
        start,
    )


def _boundary_model(task: UnitsTask, audio: AudioInput) -> BoundaryModel | None:
    """What is learnt of boundaries, where the units' own times are known."""
    timed = [one for one in task.said if one.bounds is not None]
    if not timed or any(task.lexicon[word] != ((word,),) for one in timed for word in one.words):
        return None
    begins = ([begin for begin, _ in one.bounds or ()] for one in timed)
    frames = (audio.transformed(one.piece.load()) for one in timed)
    return train_boundary_model(zip(frames, [one.words for one in timed], begins, strict=True), task.labels)


def _recogniser(job: Job, model: _Models, language: Language) -> Recogniser:
    """The units with what may be said of them."""
    spec, hmm = job.experiment.config.section(RecognitionSpec), job.experiment.config.section(HMMSpec)
    return Recogniser(
        model.units,
        language.lexicon,
        language.model,
        spec.silence,
        spec.silence_probability,
        spec.scale,
        0.0 if spec.insertion_penalty == "auto" else spec.insertion_penalty,
        spec.beam,
        log_weights=log_weights_of(language.lexicon, dictionary_of(job)),
        adaptation=None if hmm.adapt == "none" else Adaptation(hmm.adapt_prior, hmm.adapt_rounds, model.adapted),
    )
