"""Recognition of test recordings and of new ones, forced alignment, and what was wrong."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from speechgmm.decoding import Alignment, Decoder, Lexicon, Recogniser, Span
from speechgmm.decoding.recognition_spec import RecognitionSpec
from speechgmm.errors import DataError
from speechgmm.evaluation import Edits, align_labels, count_edits, edit_rate, label_pairs, rate_interval, sentence_rate
from speechgmm.evaluation.resampling import ratio
from speechgmm.features import front_end
from speechgmm.io.model_file import AudioInput
from speechgmm.io.recogniser_file import RecogniserFile
from speechgmm.io.tables import table
from speechgmm.io.timed_labels import TimedLabel, json_line
from speechgmm.parallel import pmap
from speechgmm.pipeline.evaluation import bounds
from speechgmm.pipeline.frames import Features
from speechgmm.pipeline.job import Job
from speechgmm.pipeline.scoring import model_frames
from speechgmm.pipeline.transcripts import Transcript, transcripts
from speechgmm.pipeline.vetting import warn_of_unheard

HEARD_AT_ONCE = 16
"""Recordings in a task."""


@dataclass(frozen=True, slots=True)
class Recognised:
    """What was heard in the test recordings, beside what was said."""

    said: tuple[Transcript, ...]
    heard: tuple[Alignment | None, ...]  # None: nothing could be what was heard (too short, or no path in the beam)
    folds: tuple[str, ...] = ()  # of each; empty: there are none

    @classmethod
    def pooled(cls, parts: Sequence["Recognised"]) -> "Recognised":
        """Several folds as one test."""
        return cls(
            tuple(one for part in parts for one in part.said),
            tuple(one for part in parts for one in part.heard),
            tuple(fold for part in parts for fold in part.folds),
        )

    def edits(self, spec: RecognitionSpec) -> tuple[Edits, ...]:
        """What was said aligned with what was heard; labels that count as one are one."""
        pairs = zip(self.said, self.heard, strict=True)
        return tuple(align_labels(_counted(one.words, spec), _counted(_labels(heard), spec)) for one, heard in pairs)


@dataclass(frozen=True, slots=True)
class RecognitionEvaluation:
    """Figures of a recognition run."""

    metrics: dict[str, dict[str, Any]]
    folds: dict[str, dict[str, Any]]
    edits: tuple[Edits, ...]


def recognise_test(job: Job, parts: Mapping[str, tuple[Features, Recogniser]]) -> Recognised:
    """Recognise the split ``test`` of each part (a fold; or all, named "") with its own recogniser."""
    said: list[Transcript] = []
    found: list[Alignment | str] = []  # or why nothing was heard
    folds: list[str] = []
    with job.console.stage("recognise"):
        tasks = []
        for name, (features, recogniser) in parts.items():
            tests = transcripts(job, features, "test")
            said += tests
            folds += [name] * len(tests)
            parcels = [tests[n : n + HEARD_AT_ONCE] for n in range(0, len(tests), HEARD_AT_ONCE)]
            tasks += [(recogniser, parcel) for parcel in parcels]
        with job.console.bar("recognising") as advance:
            for heard in job.map(_hear_parcel, tasks):
                found += heard
                advance(len(found), len(said))
    languages = {name: recogniser.language for name, (_, recogniser) in parts.items()}
    warn_of_unheard(job, said, [languages[fold] for fold in folds])
    deaf = [(one.id, heard) for one, heard in zip(said, found, strict=True) if isinstance(heard, str)]
    if deaf:
        job.console.warn(
            f"nothing was heard in {len(deaf)} of {len(said)} test recordings, and all their words count as left out: "
            f"{', '.join(name for name, _ in deaf[:10])}{', ...' if len(deaf) > 10 else ''}; the first: {deaf[0][1]}"
        )
    alignments = tuple(None if isinstance(heard, str) else heard for heard in found)
    return Recognised(tuple(said), alignments, tuple(folds) if any(folds) else ())


def _hear_parcel(task: tuple[Recogniser, Sequence[Transcript]]) -> list[Alignment | str]:
    """What was heard in some recordings, or why nothing was."""
    recogniser, parcel = task
    decoder = Decoder.of(recogniser)
    found: list[Alignment | str] = []
    for one in parcel:
        try:
            found.append(decoder.recognise(one.piece.load()))
        except DataError as error:
            found.append(str(error))
    return found


def evaluate_recognition(found: Recognised, spec: RecognitionSpec, *, seed: int) -> RecognitionEvaluation:
    """Errors of words (or phones), pooled over the test; with intervals over groups (speakers)."""
    edits = found.edits(spec)
    groups = np.unique([one.group for one in found.said], return_inverse=True)[1]
    folds = {
        name: _metrics([e for e, fold in zip(edits, found.folds, strict=True) if fold == name], None, seed)
        for name in dict.fromkeys(found.folds)
    }
    return RecognitionEvaluation(_metrics(edits, groups, seed), folds, edits)


def _metrics(edits: Sequence[Edits], groups: NDArray[np.intp] | None, seed: int) -> dict[str, dict[str, Any]]:
    counts = count_edits(edits)
    every = np.ones(len(edits))
    n_labels = int(counts.labels.sum())
    rates = {
        "error_rate": (edit_rate(counts), n_labels),
        "substitutions": (ratio(counts.substitutions, counts.labels), n_labels),
        "deletions": (ratio(counts.deletions, counts.labels), n_labels),
        "insertions": (ratio(counts.insertions, counts.labels), n_labels),
        "sentence_error_rate": (sentence_rate(counts), len(edits)),
    }
    metrics: dict[str, dict[str, Any]] = {}
    for name, (rate, n) in rates.items():
        metrics[name] = {"value": rate(every), "n": n, "unit": "fraction"}
        if groups is not None and name in ("error_rate", "sentence_error_rate"):
            metrics[name] |= bounds(rate_interval(rate, groups, seed=seed))
    return metrics


def _counted(words: Sequence[str], spec: RecognitionSpec) -> tuple[str, ...]:
    merged = spec.count_as or {}
    return tuple(merged.get(word, word) for word in words)


def _labels(heard: Alignment | None) -> tuple[str, ...]:
    return () if heard is None else heard.labels


def hypotheses_table(found: Recognised, evaluation: RecognitionEvaluation) -> str:
    """``hypotheses.tsv``: what was said and heard in every test recording, and the errors counted."""
    fold, group = bool(found.folds), any(one.group != one.id for one in found.said)
    names = ("reference", "hypothesis", "hits", "substitutions", "deletions", "insertions")
    head = ("id", *(("fold",) if fold else ()), *(("group",) if group else ()), "n_frames", *names, "log_likelihood")
    rows = (
        (
            one.id,
            *((found.folds[n],) if fold else ()),
            *((one.group,) if group else ()),
            one.piece.n_rows,
            " ".join(one.words),
            " ".join(_labels(heard)),
            edits.hits,
            edits.substitutions,
            edits.deletions,
            edits.insertions,
            "" if heard is None else f"{heard.score:.3f}",
        )
        for n, (one, heard, edits) in enumerate(zip(found.said, found.heard, evaluation.edits, strict=True))
    )
    return table(head, rows)


def pairs_table(evaluation: RecognitionEvaluation) -> str:
    """``pairs.tsv``: which label was heard as which and how often, errors first; an empty cell: left out, or put in."""
    rows = ((said or "", heard or "", n) for said, heard, n in label_pairs(evaluation.edits))
    return table(("reference", "hypothesis", "count"), rows)


def hypotheses_lines(found: Recognised, audio: AudioInput) -> str:
    """``hypotheses.jsonl``: words with their times (from the start of the utterance), a line for every test."""
    plan = front_end(audio.features, audio.sample_rate)
    return "".join(
        json_line(one.id, tiers(heard, audio, one.piece.n_rows), plan.time(one.piece.n_rows, one.piece.n_rows))
        for one, heard in zip(found.said, found.heard, strict=True)
        if heard is not None
    )


def tiers(
    heard: Alignment, audio: AudioInput, n_frames: int, duration: float | None = None
) -> dict[str, list[TimedLabel]]:
    """Words, and their units where they are others, with times in s; they meet between the centres of two frames.

    The last ends with the recording, whose ``duration`` is that of its frames unless it is given.
    """
    plan = front_end(audio.features, audio.sample_rate)

    def time(position: int) -> float:
        if duration is not None and position >= n_frames:
            return duration
        return plan.time(position, n_frames)

    def timed(segments: Sequence[Span]) -> list[TimedLabel]:
        return [TimedLabel(one.label, time(one.first), time(one.stop), one.confidence) for one in segments]

    if not heard.words:
        return {"units": timed(heard.units)}
    found = {"words": timed(heard.words)}
    if [one.label for one in heard.units] != [one.label for one in heard.words]:
        found["units"] = timed(heard.units)
    return found


@dataclass(frozen=True, slots=True)
class HeardRecording:
    """A new recording and what was recognised in it, or aligned to it."""

    path: Path
    tiers: Mapping[str, Sequence[TimedLabel]]
    duration: float  # s
    log_likelihood: float  # nats per frame, language included
    best: tuple[tuple[tuple[str, ...], float], ...] = ()  # where more than one was asked for: labels and nats in all


def recognise_recordings(
    file: RecogniserFile, paths: Sequence[Path], *, confidence_scale: float | None = None, top: int = 1, n_jobs: int = 1
) -> Iterator[tuple[Path, HeardRecording | DataError]]:
    """Recognise recordings in their order; ``confidence_scale`` as in `Decoder.recognise`.

    With ``top`` above 1 also so many different sequences of words, the best first.

    Yields the path with what was found, or with why not.
    """
    work = partial(_hear_recording, Decoder.of(file.recogniser), file.audio, confidence_scale, top)
    yield from zip(paths, pmap(work, paths, n_jobs=n_jobs, backend="threads"), strict=True)


def align_recordings(
    file: RecogniserFile, said: Mapping[Path, Sequence[str]], lexicon: Lexicon | None = None, *, n_jobs: int = 1
) -> Iterator[tuple[Path, HeardRecording | DataError]]:
    """Find when the words of each recording are said, in any of their pronunciations.

    ``lexicon`` has pronunciations beside the recogniser's own. Yields as `recognise_recordings`.

    Raises:
        DataError: Words without a pronunciation: all of all recordings are named.
    """
    known = {*file.recogniser.lexicon, *(lexicon or {})}
    places = {word: path for path, words in said.items() for word in words if word not in known}
    if places:
        raise DataError(
            f"no pronunciation of {len(places)} words: {', '.join(places)} (in {next(iter(places.values())).name}"
            f"{' and others' if len(places) > 1 else ''}); give a dictionary that has them, and look for another "
            "spelling (case, hyphens)"
        )
    decoder = Decoder.of(file.recogniser, next(iter(said.values())), lexicon)
    work = partial(_align_recording, file, decoder, lexicon)
    yield from zip(said, pmap(work, said.items(), n_jobs=n_jobs, backend="threads"), strict=True)


def _align_recording(
    file: RecogniserFile, decoder: Decoder, lexicon: Lexicon | None, task: tuple[Path, Sequence[str]]
) -> HeardRecording | DataError:
    path, words = task
    try:
        graph = file.recogniser.linear(words, lexicon)
    except DataError as error:
        return DataError(f"{path}: {error}")
    return _hear_recording(replace(decoder, graph=graph), file.audio, None, 1, path)


def _hear_recording(
    decoder: Decoder, audio: AudioInput, scale: float | None, top: int, path: Path
) -> HeardRecording | DataError:
    try:
        frames, _, recording = model_frames(audio, path)
        heard = decoder.recognise(frames, confidence_scale=scale)
        several = decoder.n_best(frames, top) if top > 1 else ()
    except DataError as error:
        return error if str(path) in str(error) else DataError(f"{path}: {error}")
    found = tiers(heard, audio, len(frames), recording.duration)
    best = tuple((one.labels, one.score) for one in several)
    return HeardRecording(path, found, recording.duration, heard.score / len(frames), best)
