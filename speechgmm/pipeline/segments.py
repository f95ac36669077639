"""Classification of segments with known boundaries: the segment models in the place of class models.

A training set is one task: its streams are learnt together (transforms and priors are shared by all classes), and their
weights by folds of its groups. A model that is trained is kept in the cache, as class models are.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np

from speechgmm.corpus import Utterance
from speechgmm.errors import ModelFileError
from speechgmm.features import FrontEnd, front_end
from speechgmm.io.atomic import write_atomically
from speechgmm.io.feature_store import canonical, digest
from speechgmm.io.model_file import AudioInput
from speechgmm.io.segment_file import SegmentFile, read_any_model, serialise_segments
from speechgmm.pipeline.frames import Features, Piece
from speechgmm.pipeline.job import Job
from speechgmm.pipeline.scoring import Scores
from speechgmm.scoring.segment_models import SegmentModels
from speechgmm.scoring.segment_spec import SegmentSpec
from speechgmm.scoring.segment_streams import LabelledSegments
from speechgmm.scoring.segment_training import train_segment_models

SEGMENTS_VERSION = 1
"""Part of every key in the model cache: raised when the same settings begin to give another model."""


@dataclass(frozen=True, slots=True)
class TrainedSegments:
    """Segment models, ready to score and to save."""

    models: SegmentModels
    audio: AudioInput


@dataclass(frozen=True, slots=True)
class Recording:
    """The segments of one recording, by reference."""

    path: Path
    piece: Piece  # the whole recording, normalised
    bounds: tuple[tuple[float, float], ...]  # in frames, fractions allowed
    labels: tuple[str, ...]
    group: str
    copy: bool = False

    def load(self) -> LabelledSegments:
        """The frames with their segments."""
        return LabelledSegments(self.piece.load(), np.array(self.bounds), self.labels, self.group, self.copy)


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
        DataError: Fewer groups (speakers) than folds to weigh the streams by.
    """
    config = job.experiment.config
    spec = config.segments or SegmentSpec()
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
    models = train_segment_models([part.load() for part in task.recordings], task.spec, n_static, seed=task.seed)
    data = serialise_segments(SegmentFile(models, task.audio, task.label))
    write_atomically(path, lambda file: file.write(data))
    return models


def score_segments(job: Job, features: Features, models: SegmentModels) -> Scores:
    """Log posteriors of the test segments under every class, in nats; in the place of log-likelihoods per frame."""
    group = job.experiment.config.corpus.group
    members = _by_recording(features, "test")
    plan = front_end(features.audio.features, features.audio.sample_rate)
    with job.console.stage("score"):
        tables = [
            models.log_posteriors(_whole(pairs[0][1]).load(), np.array([_bounds(plan, u, piece) for u, piece in pairs]))
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
    )


def recordings_of(job: Job, features: Features, split: str) -> list[Recording]:
    """Recordings of a split with their segments; in training with their altered copies."""
    group, label = job.experiment.config.corpus.group, features.corpus.label
    plan = front_end(features.audio.features, features.audio.sample_rate)
    factors = [copy.speed for copy in job.experiment.config.augment.copies()] if split == "train" else []
    versions: list[tuple[Sequence[Piece | None], float]] = [(features.pieces, 1.0)]
    versions += list(zip(features.copies, factors, strict=True)) if factors else []
    found: dict[tuple[int, Path], list[tuple[Utterance, Piece]]] = {}
    for number, (pieces, _) in enumerate(versions):
        for utterance, piece in zip(features.corpus, pieces, strict=True):
            if utterance.split == split and piece is not None:
                found.setdefault((number, utterance.path), []).append((utterance, piece))
    return [
        Recording(
            path=path,
            piece=_whole(pairs[0][1]),
            bounds=tuple(_bounds(plan, utterance, piece, versions[number][1]) for utterance, piece in pairs),
            labels=tuple(utterance.label(label) for utterance, _ in pairs),
            group=pairs[0][0].label(group) if group else str(path),
            copy=number > 0,
        )
        for (number, path), pairs in found.items()
    ]


def _by_recording(features: Features, split: str) -> Mapping[Path, list[tuple[Utterance, Piece]]]:
    members: dict[Path, list[tuple[Utterance, Piece]]] = {}
    for utterance, piece in features.of_split(split):
        members.setdefault(utterance.path, []).append((utterance, piece))
    return members


def _whole(piece: Piece) -> Piece:
    """The recording that a segment is part of, normalised as it is."""
    return replace(piece, first=0, stop=piece.n_frames)


def _bounds(plan: FrontEnd, utterance: Utterance, piece: Piece, speed: float = 1.0) -> tuple[float, float]:
    """Start and end of an utterance in frames; ``speed`` is how much faster the recording was played."""
    end = None if utterance.end is None else utterance.end / speed
    return plan.positions((utterance.start or 0.0) / speed, end, piece.n_frames)


def _key(task: _Task) -> str:
    """A hash of all that decides the models of a training set."""
    parts = []
    for recording in task.recordings:
        how = recording.piece.normalisation
        spelt = digest(how.shift.tobytes(), how.scale.tobytes()) if how else ""
        where = (recording.piece.store.folder.name, recording.piece.key, spelt, recording.group, recording.copy)
        parts.append((*where, recording.bounds, recording.labels))
    return digest(canonical([SEGMENTS_VERSION, asdict(task.spec), task.seed, task.label, parts]))
