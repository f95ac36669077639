"""Recognisers from training sets: their units, what may be said of them, and the insertion penalty."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from speechgmm.engine.audio_input import AudioInput
from speechgmm.engine.frames import Features
from speechgmm.engine.job import Job
from speechgmm.features.transforms import LinearTransform
from speechgmm.hmm import HMMSpec, Recogniser, Units
from speechgmm.hmm.adaptation import Adaptation
from speechgmm.hmm.boundary_model import BoundaryModel, train_boundary_model
from speechgmm.hmm.recognition_spec import RecognitionSpec
from speechgmm.tasks.recognition.languages import check_references, language_of, producible
from speechgmm.tasks.recognition.penalties import (
    PenaltyChoice,
    choose_penalties,
    chooses_penalty,
    hold_out,
    with_penalty,
)
from speechgmm.tasks.recognition.training import UnitsTask, trained_units, units_task
from speechgmm.tasks.recognition.transcript_checks import dictionary_of, log_weights_of, warn_of_labels
from speechgmm.tasks.recognition.transcripts import Transcript, transcripts
from speechgmm.tasks.recognition.vocabulary import Language, warn_of_homophones

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
        tasks = [units_task(job, part) for part in sets]
        languages = [language_of(job, task.said, task.lexicon, task.labels) for task in tasks]
        for note in languages[0].notes:
            job.console.say(note)
        warn_of_homophones(job, languages[0])
        tests = [transcripts(job, part, "test") for part in sets]
        check_references(job, [(said, language.model) for said, language in zip(tests, languages, strict=True)])
        held = [hold_out(task.said, task.lexicon) for task in tasks if chooses_penalty(task.recognition)]
        reduced = [_reduced(task, kept) for task, (kept, _) in zip(tasks, held, strict=False)]
        trained = trained_units(job, [*tasks, *reduced], sets[0].audio, len(sets))
        systems = []
        for task, (_, held_out), (units, transform) in zip(reduced, held, trained[len(tasks) :], strict=True):
            language = language_of(job, task.said, task.lexicon, task.labels)
            left = producible(held_out, language.model, task.recognition)
            systems.append((_recogniser(job, units, language), [_transformed(one, task, transform) for one in left]))
        choices = choose_penalties(job, systems) or [None] * len(tasks)
        return [
            _trained(job, task, *one, language, part.audio, choice)
            for task, one, language, choice, part in zip(tasks, trained, languages, choices, sets, strict=False)
        ]


def _transformed(one: Transcript, task: UnitsTask, transform: LinearTransform | None) -> Transcript:
    """A transcript whose frames are transformed as those of training."""
    if transform is None:
        return one
    return replace(one, piece=replace(one.piece, transform=transform, context=task.transform.splice))


def _reduced(task: UnitsTask, kept: tuple[Transcript, ...]) -> UnitsTask:
    """The training of a recogniser that the penalty is chosen by: of fewer utterances, by fewer passes."""
    return replace(task, said=kept, spec=replace(task.spec, iterations=min(task.spec.iterations, FEW_ITERATIONS)))


def _trained(
    job: Job,
    task: UnitsTask,
    units: Units,
    transform: LinearTransform | None,
    language: Language,
    audio: AudioInput,
    choice: PenaltyChoice | None,
) -> TrainedRecogniser:
    """A recogniser, and how recordings become its frames."""
    audio = replace(audio, transform=transform)
    recogniser = with_penalty(_recogniser(job, units, language), choice)
    return TrainedRecogniser(replace(recogniser, boundary_model=_boundary_model(task, audio)), audio, choice)


def _boundary_model(task: UnitsTask, audio: AudioInput) -> BoundaryModel | None:
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
        0.0 if spec.insertion_penalty == "auto" else spec.insertion_penalty,
        spec.beam,
        log_weights=log_weights_of(language.lexicon, dictionary_of(job)),
        adaptation=None if hmm.adapt == "none" else Adaptation(hmm.adapt_prior, hmm.adapt_rounds),
    )
