"""Normalisation of a corpus: whose statistics an utterance shares, estimated on whole recordings."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from speechgmm.corpus import Corpus, Utterance
from speechgmm.errors import DataError
from speechgmm.features import normalisation
from speechgmm.io.model_file import AudioInput
from speechgmm.pipeline.frames import Piece, pooled_moments
from speechgmm.pipeline.job import Job


def normalised(job: Job, corpus: Corpus, pieces: Sequence[Piece]) -> tuple[tuple[Piece, ...], AudioInput]:
    """Pieces with the normalisation that ``features.cmvn`` asks for, estimated on whole recordings."""
    spec = job.audio.features
    if spec.cmvn == "none":
        return tuple(pieces), job.audio
    groups = [_group(spec.cmvn, utterance) for utterance in corpus]
    members: dict[str, dict[Path, Piece]] = {}
    for utterance, piece, group in zip(corpus, pieces, groups, strict=True):
        if spec.cmvn != "global" or utterance.split == "train":
            members.setdefault(group, {}).setdefault(utterance.path, piece.whole())
    if spec.cmvn == "speaker":
        _check_one_speaker_each(members)
    tasks = [tuple(found.values()) for found in members.values()]
    results = job.console.track(job.map(pooled_moments, tasks), len(tasks), "normalising")
    found = {group: normalisation(moments, spec.norm_vars) for group, moments in zip(members, results, strict=True)}
    audio = replace(job.audio, normalisation=found[""]) if spec.cmvn == "global" else job.audio
    normalised = (replace(piece, normalisation=found[group]) for piece, group in zip(pieces, groups, strict=True))
    return tuple(normalised), audio


def _group(cmvn: str, utterance: Utterance) -> str:
    """What an utterance shares its statistics with: its recording, its speaker, everything."""
    if cmvn == "utterance":
        return str(utterance.path)
    return utterance.label("speaker") if cmvn == "speaker" else ""


def _check_one_speaker_each(members: Mapping[str, Mapping[Path, Piece]]) -> None:
    owner: dict[Path, str] = {}
    for speaker, paths in members.items():
        for path in paths:
            if owner.setdefault(path, speaker) != speaker:
                raise DataError(
                    "features.cmvn: speaker needs one speaker in a recording; "
                    f"{path} has {owner[path]!r} and {speaker!r}"
                )
