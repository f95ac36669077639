"""Normalisation of a corpus: whose statistics an utterance shares, estimated on whole recordings."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from speechgmm.corpus import Corpus, Utterance
from speechgmm.engine.audio_input import AudioInput
from speechgmm.engine.frames import Piece, pooled_moments
from speechgmm.engine.job import Job
from speechgmm.errors import DataError
from speechgmm.features import normalisation


def normalised(job: Job, corpus: Corpus, pieces: Sequence[Piece]) -> tuple[tuple[Piece, ...], AudioInput]:
    """Pieces with the normalisation that ``features.cmvn`` asks for, and the audio input with it where it is global.

    ``global``: estimated on the training utterances alone. ``utterance``: on the whole recording. ``speaker``: on the
    whole recordings of a speaker on the same side of the split, so that no test recording reaches training.
    """
    spec = job.audio.features
    raw = [replace(piece, normalisation=None, transform=None, context=0) for piece in pieces]
    if not spec.pools_moments:
        return tuple(raw), job.audio
    if spec.cmvn == "global":
        # The training utterances' own frames: the rest of their recordings may be tested.
        training = [piece for piece, utterance in zip(raw, corpus, strict=True) if utterance.split == "train"]
        members: dict[str, dict[tuple[str, int, int, int], Piece]] = {
            "": {(piece.shard, piece.offset, piece.first, piece.stop): piece for piece in training}
        }
        groups = [""] * len(raw)
    else:
        groups = [_group(spec.cmvn, utterance) for utterance in corpus]
        members = {}
        for piece, group in zip(raw, groups, strict=True):
            whole = piece.whole()
            members.setdefault(group, {}).setdefault((whole.shard, whole.offset, whole.first, whole.stop), whole)
        if spec.cmvn == "speaker":
            _check_one_speaker_each(corpus)
    tasks = [tuple(found.values()) for found in members.values()]
    results = job.console.track(job.map(pooled_moments, tasks), len(tasks), "normalising")
    found = {group: normalisation(moments, spec.norm_vars) for group, moments in zip(members, results, strict=True)}
    audio = replace(job.audio, normalisation=found[""]) if spec.cmvn == "global" else job.audio
    return tuple(replace(piece, normalisation=found[group]) for piece, group in zip(raw, groups, strict=True)), audio


def normalised_copies(
    job: Job, corpus: Corpus, audio: AudioInput, version: Sequence[Piece | None]
) -> tuple[Piece | None, ...]:
    """Altered copies with the normalisation of the training split, or with that of their own recordings or speakers."""
    there = [n for n, piece in enumerate(version) if piece is not None]
    chosen = [piece for piece in version if piece is not None]
    if audio.normalisation is not None:
        made = [replace(p, normalisation=audio.normalisation, transform=None, context=0) for p in chosen]
    else:
        made = list(normalised(job, replace(corpus, utterances=tuple(corpus.utterances[n] for n in there)), chosen)[0])
    placed = dict(zip(there, made, strict=True))
    return tuple(placed.get(n) for n in range(len(version)))


def _group(cmvn: str, utterance: Utterance) -> str:
    """What an utterance shares its statistics with: its recording, or its speaker's on the same side."""
    if cmvn == "utterance":
        return str(utterance.path)
    return f"{utterance.split}\0{utterance.label('speaker')}"


def _check_one_speaker_each(corpus: Corpus) -> None:
    owner: dict[Path, str] = {}
    for utterance in corpus:
        speaker = utterance.label("speaker")
        if owner.setdefault(utterance.path, speaker) != speaker:
            raise DataError(
                "features.cmvn: speaker needs one speaker in a recording; "
                f"{utterance.path} has {owner[utterance.path]!r} and {speaker!r}"
            )
