"""Recordings with the labels of their segments, by reference."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from speechgmm.corpus import Utterance
from speechgmm.engine.frames import Features, Piece
from speechgmm.engine.job import Job
from speechgmm.features import FrontEnd, front_end
from speechgmm.hmm.recognition_spec import RecognitionSpec


@dataclass(frozen=True, slots=True)
class Recording:
    """The segments of one recording, by reference."""

    path: Path
    piece: Piece  # the whole recording, normalised
    bounds: tuple[tuple[float, float], ...]  # in frames, fractions allowed
    labels: tuple[str, ...]
    group: str
    copy: bool = False


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
            piece=whole_recording(pairs[0][1]),
            bounds=tuple(bounds_in_frames(plan, utterance, piece, versions[number][1]) for utterance, piece in pairs),
            labels=tuple(utterance.label(label) for utterance, _ in pairs),
            group=pairs[0][0].label(group) if group else str(path),
            copy=number > 0,
        )
        for (number, path), pairs in found.items()
    ]


def by_recording(features: Features, split: str) -> Mapping[Path, list[tuple[Utterance, Piece]]]:
    """Utterances of a split with their frames, by recording."""
    members: dict[Path, list[tuple[Utterance, Piece]]] = {}
    for utterance, piece in features.of_split(split):
        members.setdefault(utterance.path, []).append((utterance, piece))
    return members


def whole_recording(piece: Piece) -> Piece:
    """The recording that a segment is part of, normalised as it is."""
    return replace(piece, first=0, stop=piece.n_frames)


def bounds_in_frames(plan: FrontEnd, utterance: Utterance, piece: Piece, speed: float = 1.0) -> tuple[float, float]:
    """Start and end of an utterance in frames; ``speed`` is how much faster the recording was played.

    Frames that are left out of a whole recording are not counted.
    """
    if utterance.start is None and utterance.end is None:
        return plan.positions(0.0, None, piece.count())
    end = None if utterance.end is None else utterance.end / speed
    return plan.positions((utterance.start or 0.0) / speed, end, piece.n_frames)


def are_segments(job: Job) -> bool:
    """Whether the utterances of a recording are its words one after another."""
    config = job.experiment.config
    kind, label, labels = config.corpus.kind, config.corpus.label, config.section(RecognitionSpec).labels
    if labels is None:
        return kind in ("textgrid", "label_files") or (kind == "timit" and label in ("phone", "word"))
    return labels == "segments"
