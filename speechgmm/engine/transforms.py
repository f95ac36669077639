"""Transforms of frames, learnt from the training part of each split."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np

from speechgmm.engine.class_mllt import turned
from speechgmm.engine.frames import Features, Piece
from speechgmm.engine.job import Job
from speechgmm.features.transforms import ClassMoments, LinearTransform, TransformSpec, class_moments, lda, whitening


@dataclass(frozen=True, slots=True)
class _Task:
    """The frames of one class."""

    pieces: tuple[Piece, ...]
    number: int  # of the class
    n_classes: int
    context: int


def transformed(job: Job, features: Features) -> Features:
    """The features after the transform that ``features.transform`` asks for, learnt from their training split.

    Raises:
        FitError: A covariance that is singular, within classes or of all frames.
    """
    spec = job.audio.features.transform
    if spec.kind == "none" or job.task.learns_transform:
        return features
    members: dict[str, list[Piece]] = {}
    for utterance, pieces in features.training():
        members.setdefault(utterance.label(features.corpus.label), []).extend(_plain(pieces))
    ordered = [tuple(members[label]) for label in sorted(members)]
    tasks = [_Task(pieces, number, len(ordered), spec.splice) for number, pieces in enumerate(ordered)]
    parts = list(job.console.track(job.map(_moments, tasks), len(tasks), "learning the transform"))
    total: ClassMoments = parts[0]
    for part in parts[1:]:
        total = total + part
    found = _first(total, spec)
    return with_transform(features, turned(job, members, found, total) if spec.turns else found)


def _first(moments: ClassMoments, spec: TransformSpec) -> LinearTransform:
    """The transform that the moments of the classes give: all of it, or where MLLT begins."""
    if spec.kind == "lda":
        return lda(moments, spec.dim)
    if spec.kind == "pca":
        return whitening(moments, spec.dim)
    n_dims = moments.means.shape[1]
    return LinearTransform(np.eye(n_dims), np.zeros(n_dims))


def with_transform(features: Features, transform: LinearTransform | None) -> Features:
    """The features after a transform that was learnt; None: as they are."""
    if transform is None:
        return features
    context = features.audio.features.transform.splice
    return replace(
        features,
        pieces=tuple(_with(piece, transform, context) for piece in features.pieces),
        copies=tuple(
            tuple(None if piece is None else _with(piece, transform, context) for piece in version)
            for version in features.copies
        ),
        audio=replace(features.audio, transform=transform),
    )


def _plain(pieces: Iterable[Piece]) -> list[Piece]:
    return [replace(piece, transform=None, context=0) for piece in pieces]


def _with(piece: Piece, transform: LinearTransform, context: int) -> Piece:
    return replace(piece, transform=transform, context=context)


def _moments(task: _Task) -> ClassMoments:
    total: ClassMoments | None = None
    # A parcel of utterances at a time: spliced frames are many times the frames.
    for first in range(0, len(task.pieces), 64):
        frames = np.concatenate([piece.load_spliced(task.context) for piece in task.pieces[first : first + 64]])
        part = class_moments(frames, np.full(len(frames), task.number), task.n_classes)
        total = part if total is None else total + part
    if total is None:
        raise ValueError("a class without utterances")
    return total
