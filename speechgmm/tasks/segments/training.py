"""Classification of segments with known boundaries: the segment models instead of class models.

A training set is one task: its streams are learnt together (transforms and priors are shared by all classes), and their
weights by folds of its groups. A model that is trained is kept in the cache, as class models are.
"""

import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

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
from speechgmm.engine.model_cache import ModelCache, frames_key, kept_or_trained, model_key
from speechgmm.errors import FitWarning
from speechgmm.features import front_end
from speechgmm.gmm import Mapper
from speechgmm.logger import LOGGER
from speechgmm.tasks.classification.scoring import Scores
from speechgmm.tasks.segments.codec import SegmentFile, read_segment_models, serialise_segments
from speechgmm.tasks.segments.estimation import train_segment_models, weight_problem
from speechgmm.tasks.segments.models import SegmentModels
from speechgmm.tasks.segments.spec import SegmentSpec
from speechgmm.tasks.segments.streams import LabelledSegments, without_constant_durations

SEGMENTS_VERSION = 1
"""Part of every key in the model cache: raised when the same settings begin to give another model."""


@dataclass(frozen=True, slots=True)
class TrainedSegments:
    """Segment models, ready to score and to save."""

    models: SegmentModels
    audio: AudioInput
    whole: bool  # of whole recordings, each as one segment


@dataclass(frozen=True, slots=True)
class _Task:
    """Segment models of one training set."""

    recordings: tuple[Recording, ...]
    spec: SegmentSpec
    audio: AudioInput
    label: str
    seed: int

    def key(self) -> str:
        """A hash of all that decides the models; see `model_key`."""
        frames = frames_key(recording.piece for recording in self.recordings)
        labelled = [(part.group, part.copy, part.bounds, part.labels) for part in self.recordings]
        data = [self.label, self.seed, frames, labelled]
        return model_key("segments", SEGMENTS_VERSION, self.spec, self.audio.features, data=data)


def train_segments(job: Job, sets: Sequence[Features], what: str = "training segment models") -> list[TrainedSegments]:
    """Train the segment models of each training set; all sets in one pool.

    Raises:
        FitError: A class that cannot be modelled.
    """
    config = job.experiment.config
    spec = config.section(SegmentSpec) or SegmentSpec()
    with job.console.stage("train"):
        said: dict[str, None] = {}
        tasks = []
        for part in sets:
            recordings, regrouped = weighable(recordings_of(job, part, "train"))
            tasks.append(_Task(recordings, spec, part.audio, part.corpus.label, config.seed))
            used, left_out = without_constant_durations(recordings, spec)
            said |= dict.fromkeys((regrouped, left_out, weight_problem(recordings, used)))
        for message in filter(None, said):
            job.console.warn(message)
        once = {task.key(): task for task in tasks}
        work = partial(train_task, folder=job.cache / "models")

        def train(missing: Sequence[_Task]) -> Iterable[SegmentModels]:
            if len(once) == 1:
                return [_train_with_bar(job, work, one, what) for one in missing]
            # Processes: much of the work is small products and Python, which threads would take in turns.
            return job.map(work, missing, auto="processes")

        found = kept_or_trained(job, list(once), list(once.values()), _unpack, train)
        by_key = dict(zip(once, job.console.track(found, len(once), what if len(once) > 1 else None), strict=True))
    return [
        TrainedSegments(by_key[task.key()], part.audio, part.corpus.is_of_whole_recordings())
        for task, part in zip(tasks, sets, strict=True)
    ]


def _train_with_bar(job: Job, work: Callable[..., SegmentModels], task: _Task, what: str) -> SegmentModels:
    """Train on one set, with a bar over the folds that weigh the streams and the models of everything."""
    with job.console.bar(f"{what}: folds and all") as advance:
        n_steps = 1

        def spread(function: Callable[[Any], Any], folds: Iterable[Any]) -> Iterator[Any]:
            nonlocal n_steps
            parts = list(folds)
            n_steps += len(parts)
            for done, part in enumerate(parts, 1):
                yield function(part)
                advance(done, n_steps)

        models = work(task, map=spread)
        advance(n_steps, n_steps)
    return models


def weighable(recordings: Sequence[Recording]) -> tuple[tuple[Recording, ...], str]:
    """Training recordings in groups that folds can be made of: each is its own group where they are all of one.

    Also what a person should know of it; "" for nothing.
    """
    groups = {recording.group for recording in recordings}
    if len(groups) != 1 or len({recording.path for recording in recordings}) < 2:
        return tuple(recordings), ""
    return tuple(replace(recording, group=str(recording.path)) for recording in recordings), (
        f"all training segments are of one group ({groups.pop()}): the streams are weighed by folds of its recordings, "
        "and posteriors of other groups may be too high"
    )


def train_task(task: _Task, *, folder: Path, map: Mapper = map) -> SegmentModels:
    """Train on one set, and keep the models in the cache."""
    n_static = front_end(task.audio.features, task.audio.sample_rate).n_static
    with warnings.catch_warnings():  # said by train_segments, which also speaks of models from the cache
        warnings.simplefilter("ignore", FitWarning)
        recordings = [_loaded(part) for part in task.recordings]
        models = train_segment_models(recordings, task.spec, n_static, seed=task.seed, map=map)
    LOGGER.debug("trained segment models of %d recordings", len(task.recordings))
    ModelCache(folder).write(task.key(), serialise_segments(SegmentFile(models, task.audio, task.label)))
    return models


def _unpack(path: Path, data: bytes) -> SegmentModels:
    return read_segment_models(path, data).models


def _loaded(part: Recording) -> LabelledSegments:
    """The frames of a recording with their segments."""
    return LabelledSegments(part.piece.load(), np.array(part.bounds), part.labels, part.group, part.copy)


def score_segments(job: Job, features: Features, models: SegmentModels, what: str | None = None) -> Scores:
    """Log posteriors of the test segments under every class, in nats, instead of log-likelihoods; shown as ``what``."""
    group = job.experiment.config.corpus.group
    members = by_recording(features, "test")
    plan = front_end(features.audio.features, features.audio.sample_rate)
    with job.console.stage("score"):
        tables = [
            models.log_posteriors(
                whole_recording(pairs[0][1]).load(), np.array([bounds_in_frames(plan, u, piece) for u, piece in pairs])
            )
            for pairs in job.console.track(members.values(), len(members), what)
        ]
    pairs = [pair for found in members.values() for pair in found]
    table = np.concatenate(tables) if tables else np.empty((0, len(models.labels)))
    return Scores(
        ids=tuple(utterance.id for utterance, _ in pairs),
        true=tuple(utterance.label(features.corpus.label) for utterance, _ in pairs),
        predicted=tuple(models.labels[number] for number in table.argmax(axis=1)),
        labels=models.labels,
        n_frames=np.array([piece.count() for _, piece in pairs], np.int64),
        mean_log_likelihoods=table,
        groups=tuple(utterance.label(group) for utterance, _ in pairs) if group else (),
        are_log_posteriors=True,
    )
