"""Classification of segments with known boundaries: the segment models in the place of class models.

A training set is one task: its streams are learnt together (transforms and priors are shared by all classes), and their
weights by folds of its groups. A model that is trained is kept in the cache, as class models are.
"""

import warnings
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from speechgmm.engine.audio_input import AudioInput
from speechgmm.engine.frames import Features
from speechgmm.engine.job import Job
from speechgmm.engine.labelled_recordings import (
    Recording,
    bounds_in_frames,
    by_recording,
    recordings_of,
    whole_recording,
)
from speechgmm.errors import FitWarning, ModelFileError
from speechgmm.features import front_end
from speechgmm.io.atomic import write_atomically
from speechgmm.io.feature_store import canonical, digest
from speechgmm.tasks.classification.scoring import Scores
from speechgmm.tasks.segments.codec import SegmentFile, read_any_model, serialise_segments
from speechgmm.tasks.segments.estimation import train_segment_models
from speechgmm.tasks.segments.models import SegmentModels
from speechgmm.tasks.segments.spec import SegmentSpec
from speechgmm.tasks.segments.streams import without_constant_durations

SEGMENTS_VERSION = 1
"""Part of every key in the model cache: raised when the same settings begin to give another model."""


@dataclass(frozen=True, slots=True)
class TrainedSegments:
    """Segment models, ready to score and to save."""

    models: SegmentModels
    audio: AudioInput


@dataclass(frozen=True, slots=True)
class _Task:
    """Segment models of one training set."""

    recordings: tuple[Recording, ...]
    spec: SegmentSpec
    audio: AudioInput
    label: str
    seed: int
    folder: Path


def train_segments(job: Job, sets: Sequence[Features], what: str = "training segment models") -> list[TrainedSegments]:
    """Train the segment models of each training set; all sets in one pool.

    Raises:
        FitError: A class that cannot be modelled.
        DataError: One group (speaker) alone, where two are needed to weigh the streams by.
    """
    config = job.experiment.config
    spec = config.section(SegmentSpec) or SegmentSpec()
    with job.console.stage("train"):
        tasks = [
            _Task(
                tuple(recordings_of(job, part, "train")),
                spec,
                part.audio,
                part.corpus.label,
                config.seed,
                job.cache / "models",
            )
            for part in sets
        ]
        for task in tasks:
            if message := without_constant_durations(task.recordings, spec)[1]:
                job.console.warn(message)
        keys = [_key(task) for task in tasks]
        once = dict(zip(keys, tasks, strict=True))
        # Processes: much of the work is small products and Python, which threads would take in turns.
        found = job.console.track(job.map(train_task, once.values(), auto="processes"), len(once), what)
        by_key = dict(zip(once, found, strict=True))
    return [TrainedSegments(by_key[key], part.audio) for key, part in zip(keys, sets, strict=True)]


def train_task(task: _Task) -> SegmentModels:
    """Train on one set, or take it from the cache where the same has been trained before."""
    path = task.folder / f"{_key(task)}.safetensors"
    try:
        kept = read_any_model(path)
        if isinstance(kept, SegmentFile):
            return kept.models
    except ModelFileError:
        pass
    n_static = front_end(task.audio.features, task.audio.sample_rate).n_static
    with warnings.catch_warnings():  # said by train_segments, which also speaks of models from the cache
        warnings.simplefilter("ignore", FitWarning)
        models = train_segment_models([part.load() for part in task.recordings], task.spec, n_static, seed=task.seed)
    data = serialise_segments(SegmentFile(models, task.audio, task.label))
    write_atomically(path, lambda file: file.write(data))
    return models


def score_segments(job: Job, features: Features, models: SegmentModels) -> Scores:
    """Log posteriors of the test segments under every class, in nats; in the place of log-likelihoods per frame."""
    group = job.experiment.config.corpus.group
    members = by_recording(features, "test")
    plan = front_end(features.audio.features, features.audio.sample_rate)
    with job.console.stage("score"):
        tables = [
            models.log_posteriors(
                whole_recording(pairs[0][1]).load(), np.array([bounds_in_frames(plan, u, piece) for u, piece in pairs])
            )
            for pairs in members.values()
        ]
    pairs = [pair for found in members.values() for pair in found]
    table = np.concatenate(tables) if tables else np.empty((0, len(models.labels)))
    return Scores(
        ids=tuple(utterance.id for utterance, _ in pairs),
        true=tuple(utterance.label(features.corpus.label) for utterance, _ in pairs),
        predicted=tuple(models.labels[number] for number in table.argmax(axis=1)),
        labels=models.labels,
        n_frames=np.array([piece.stop - piece.first for _, piece in pairs], np.int64),
        mean_log_likelihoods=table,
        groups=tuple(utterance.label(group) for utterance, _ in pairs) if group else (),
        are_log_posteriors=True,
    )


def _key(task: _Task) -> str:
    """A hash of all that decides the models of a training set."""
    parts = []
    for recording in task.recordings:
        how = recording.piece.normalisation
        spelt = digest(how.shift.tobytes(), how.scale.tobytes()) if how else ""
        where = (recording.piece.store.folder.name, recording.piece.key, spelt, recording.group, recording.copy)
        parts.append((*where, recording.bounds, recording.labels))
    return digest(canonical([SEGMENTS_VERSION, asdict(task.spec), task.seed, task.label, parts]))
