"""Training a diarizer in a run: from the features of the training speakers, and conversations made of their recordings.

Every second speaker, in a drawn order, makes the background; the others talk in conversations, from which the
threshold is learnt, as in `train-diarizer`.
"""

from collections.abc import Iterable
from dataclasses import replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from speechgmm.corpus import Utterance
from speechgmm.engine.audio_input import AudioInput
from speechgmm.engine.frames import Features, Piece
from speechgmm.engine.job import Job
from speechgmm.errors import DataError
from speechgmm.evaluation.diarization import diarization_errors
from speechgmm.tasks.diarization.codec import DiarizerFile, LearntFrom
from speechgmm.tasks.diarization.conversation_plans import (
    LEAST,
    ConversationPlan,
    Stretch,
    joined,
    stretches_of,
    training_plans,
)
from speechgmm.tasks.diarization.estimation import learn_threshold, train_background
from speechgmm.tasks.diarization.models import Diarizer
from speechgmm.tasks.diarization.overlap_training import (
    CONVERSATIONS,
    OverlapFrames,
    ders_by_threshold,
    overlap_heard,
    with_more_overlap,
    with_overlap_detector,
)
from speechgmm.tasks.diarization.recordings import heard, turns_in
from speechgmm.tasks.diarization.spec import DiarizerSpec
from speechgmm.tasks.diarization.training import LEAST_SPEAKERS, MOST, halves, merging_path, with_speech_detector
from speechgmm.tasks.diarization.turn_files import statistics_of
from speechgmm.tasks.diarization.turn_statistics import TurnStatistics


def train_in_run(job: Job, features: Features) -> DiarizerFile:
    """The diarizer of one training set.

    Raises:
        DataError: Too few speakers with enough speech.
        FitError: Too few frames for the components of the background model.
    """
    config = job.experiment.config
    spec, seed = config.section(DiarizerSpec), config.seed
    members: dict[str, list[tuple[Utterance, Piece, float]]] = {}
    for utterance, piece, duration in zip(features.corpus, features.pieces, features.durations, strict=True):
        if utterance.split == "train":
            members.setdefault(utterance.label(features.corpus.label), []).append((utterance, piece, duration))
    what = f"{len(members)} training speakers ({features.corpus.label})"
    learning, talking = halves(members, what, seed=seed)
    background = {name: _some(members[name]) for name in learning}
    n_jobs = job.n_threads_here
    with job.console.patience("training the background model"):
        ubm, space = train_background(background, spec.search, n_components=spec.n_components, seed=seed, n_jobs=n_jobs)
    long = [name for name in talking if sum(length for *_, length in members[name]) >= LEAST]
    if len(long) < LEAST_SPEAKERS // 2:
        raise DataError(
            f"{len(long)} of {len(talking)} training speakers who are to talk have {LEAST:g} s of recordings; "
            "conversations are made of four different ones at least"
        )
    talkers = {name: stretches_of(utterance for utterance, *_ in members[name]) for name in long}
    plans = training_plans(talkers, spec.conversations, statistics=statistics_in(job), seed=seed)
    diarizer, audio = Diarizer(ubm, space, spec.search, 0.0), features.audio
    if spec.detector and audio.detector is None:
        some = [joined(audio, stretches_of(utterance for utterance, *_ in members[name])) for name in background]
        with job.console.patience("training the speech detector"):
            audio = with_speech_detector(audio, some, seed=seed, n_jobs=n_jobs)
    done = job.map(partial(_merging_path, diarizer, audio), plans)
    threshold, der = learn_threshold(list(job.console.track(done, len(plans), "learning where merging stops")))
    if spec.method == "vbx":
        diarizer = replace(diarizer, vbx=spec.vbx)
        errors = job.map(partial(_variational_der, diarizer, audio), plans)
        der = float(np.mean(list(job.console.track(errors, len(plans), "trying VBx"))))
    learnt = LearntFrom(len(background), len(plans), der)
    file = DiarizerFile(replace(diarizer, threshold=threshold), audio, learnt)
    if spec.overlap == "none":
        return file
    own = {name: stretches_of(utterance for utterance, *_ in members[name]) for name in learning}
    return _with_detector(job, file, own, plans)


def _with_detector(
    job: Job, file: DiarizerFile, background: dict[str, tuple[Stretch, ...]], plans: list[ConversationPlan]
) -> DiarizerFile:
    """The diarizer with a detector of overlap where that is worth having."""
    statistics = statistics_in(job)
    assert statistics is not None, "the settings are checked"
    learning = training_plans(
        background, CONVERSATIONS, statistics=with_more_overlap(statistics), seed=job.experiment.config.seed
    )
    recordings = list(
        job.console.track(job.map(partial(_overlap_heard, file.audio), learning), len(learning), "learning overlap")
    )

    def ders(diarizer: Diarizer) -> Iterable[list[float]]:
        done = job.map(partial(_ders_by_threshold, diarizer, file.audio), plans)
        return job.console.track(done, len(plans), "trying the detector of overlap")

    found = with_overlap_detector(file, recordings, ders, seed=job.experiment.config.seed, n_jobs=job.n_threads_here)
    if found.diarizer.overlap is None:
        job.console.say("the detector of overlap does not lower the DER of held-out conversations, and is left out")
    return found


def _overlap_heard(audio: AudioInput, plan: ConversationPlan) -> OverlapFrames:
    return overlap_heard(audio, plan.make(audio))


def _ders_by_threshold(diarizer: Diarizer, audio: AudioInput, plan: ConversationPlan) -> list[float]:
    return ders_by_threshold(diarizer, audio, plan.make(audio))


def statistics_in(job: Job) -> TurnStatistics | None:
    """The statistics of made conversations; None: uniform. Raises DataError where their file cannot be read."""
    spec = job.experiment.config.section(DiarizerSpec)
    path = None if spec.turns_from is None else job.experiment.beside(spec.turns_from)
    return statistics_of(spec.turns, path)


def _some(recordings: list[tuple[Utterance, Piece, float]]) -> list[NDArray[np.float32]]:
    """Frames of speech of a speaker's recordings, in order, until there are ``MOST`` seconds."""
    found, total = [], 0.0
    for _, piece, duration in recordings:
        if total >= MOST:
            break
        found.append(piece.load())
        total += duration
    return found


def _merging_path(diarizer: Diarizer, audio: AudioInput, plan: ConversationPlan) -> list[tuple[float, float]]:
    return merging_path(diarizer, audio, plan.make(audio))


def _variational_der(diarizer: Diarizer, audio: AudioInput, plan: ConversationPlan) -> float:
    made = plan.make(audio)
    return diarization_errors(made.turns, turns_in(diarizer, audio, *heard(audio, made.samples))).der
