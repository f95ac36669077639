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
from speechgmm.hmm.transform_training import n_passes_transformed, train_transformed
from speechgmm.logger import LOGGER
from speechgmm.tasks.recognition.adapted_training import Mixtures, SpeakerSet, adapted_mixtures
from speechgmm.tasks.recognition.codec import RecogniserFile, read_recogniser, serialise_recogniser
from speechgmm.tasks.recognition.languages import check_references, language_of, producible
from speechgmm.tasks.recognition.penalties import (
    PenaltyChoice,
    choose_penalties,
    chooses_penalty,
    hold_out,
    with_penalty,
)
from speechgmm.tasks.recognition.transcript_checks import (
    dictionary_of,
    fitting,
    log_weights_of,
    questions_of,
    warn_of_labels,
)
from speechgmm.tasks.recognition.transcripts import Transcript, transcripts
from speechgmm.tasks.recognition.unit_training import UnitsTask, speaker_set, trained_units, transformed
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
        tasks = [_task(job, part) for part in sets]
        languages = [language_of(job, task.said, task.lexicon, task.labels) for task in tasks]
        for note in languages[0].notes:
            job.console.say(note)
        warn_of_homophones(job, languages[0])
        tests = [transcripts(job, part, "test") for part in sets]
        check_references(job, [(said, language.model) for said, language in zip(tests, languages, strict=True)])
        held = [hold_out(task.said, task.lexicon) for task in tasks if chooses_penalty(task.recognition)]
        reduced = [_reduced(task, kept) for task, (kept, _) in zip(tasks, held, strict=False)]
        every = [*tasks, *reduced]
        units = trained_units(job, every, sets[0].audio, len(sets))
        adapted: Sequence[Mixtures | None] = [None] * len(every)
        if tasks[0].spec.adapt == "sat":
            pairs = zip(every, units, strict=True)
            adapted = adapted_mixtures(job, [speaker_set(task, *one, sets[0].audio) for task, one in pairs])
        systems = []
        for n, (task, (_, held_out)) in enumerate(zip(reduced, held, strict=True), len(tasks)):
            language = language_of(job, task.said, task.lexicon, task.labels)
            left = producible(held_out, language.model, task.recognition)
            tests = [transformed(one, task, units[n][1]) for one in left]
            systems.append((_recogniser(job, units[n][0], language, adapted[n]), tests))
        choices = choose_penalties(job, systems) or [None] * len(tasks)
        return [
            _trained(with_penalty(_recogniser(job, *one), choice), task, replace(part.audio, transform=transform), choice)
            for task, one, transform, choice, part in zip(
                tasks,
                zip((found for found, _ in units), languages, adapted, strict=False),
                (transform for _, transform in units),
                choices,
                sets,
                strict=False,
            )
        ]


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
            "a name of its own (leave it out where the transcripts have silence themselves)"
        )
    labels = tuple(sorted(used)) + ((spec.silence,) if spec.silence else ())
    return UnitsTask(
        said,
        lexicon,
        log_weights_of(lexicon, dictionary_of(job)),
        labels,
        config.section(HMMSpec),
        spec,
        config.features.transform,
        questions_of(job),
    )


def _trained(
    recogniser: Recogniser, task: UnitsTask, audio: AudioInput, penalty: PenaltyChoice | None
) -> TrainedRecogniser:
    """A recogniser with what is learnt of boundaries."""
    return TrainedRecogniser(replace(recogniser, boundary_model=_boundary_model(task, audio)), audio, penalty)


def _boundary_model(task: UnitsTask, audio: AudioInput) -> BoundaryModel | None:
    """What is learnt of boundaries, where the units' own times are known; altered copies say nothing new."""
    timed = [one for one in task.said if one.bounds is not None and not one.copy]
    if not timed or any(task.lexicon[word] != ((word,),) for one in timed for word in one.words):
        return None
    return train_boundary_model(
        (audio.transformed(one.piece.load()), one.words, [begin for begin, _ in one.bounds or ()]) for one in timed
    )


def _recogniser(job: Job, units: Units, language: Language, adapted: Mixtures | None) -> Recogniser:
    """The units with what may be said of them."""
    spec, hmm = job.experiment.config.section(RecognitionSpec), job.experiment.config.section(HMMSpec)
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
        adaptation=None if hmm.adapt == "none" else Adaptation(hmm.adapt_prior, hmm.adapt_rounds, adapted),
    )
