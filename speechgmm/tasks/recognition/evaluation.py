"""Metrics of recognition, and the tables of hypotheses that a run leaves behind."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from speechgmm.engine.audio_input import AudioInput
from speechgmm.evaluation import (
    Edits,
    Metric,
    count_edits,
    edit_rate,
    frame_accuracy,
    label_pairs,
    rate_interval,
    sentence_rate,
)
from speechgmm.evaluation.metric import Metrics
from speechgmm.evaluation.resampling import ratio
from speechgmm.features import front_end
from speechgmm.features.segments import segment_frames
from speechgmm.hmm import Alignment
from speechgmm.hmm.recognition_spec import RecognitionSpec
from speechgmm.io.tables import table
from speechgmm.io.timed_labels import json_line
from speechgmm.tasks.recognition.decoding import Recognised, labels_of
from speechgmm.tasks.recognition.tiers import tiers
from speechgmm.tasks.recognition.transcripts import Transcript


@dataclass(frozen=True, slots=True)
class RecognitionEvaluation:
    """Metrics of a recognition run."""

    metrics: Metrics
    folds: Mapping[str, Metrics]
    edits: tuple[Edits, ...]


def evaluate_recognition(found: Recognised, spec: RecognitionSpec, *, seed: int) -> RecognitionEvaluation:
    """Errors of words (or phones), pooled over the test; with intervals over groups (speakers)."""
    edits = found.edits(spec)
    groups = np.unique([one.group for one in found.references], return_inverse=True)[1]
    timed = {}
    if all(one.bounds is not None for one in found.references):
        pairs = zip(found.references, found.hypotheses, strict=True)
        right, frames = np.array([_frames_right(*pair, spec) for pair in pairs]).T
        timed = {"frame_accuracy": frame_accuracy(right, frames, groups, seed)}
    folds = {
        name: _metrics([e for e, fold in zip(edits, found.folds, strict=True) if fold == name], None, seed)
        for name in dict.fromkeys(found.folds)
    }
    return RecognitionEvaluation({**_metrics(edits, groups, seed), **timed}, folds, edits)


def _frames_right(said: Transcript, heard: Alignment | None, spec: RecognitionSpec) -> tuple[int, int]:
    """Frames whose label is that of the segment they lie in, and all frames in segments."""
    merged, n_frames = spec.count_as or {}, said.piece.n_rows
    where = segment_frames(said.bounds or (), n_frames)
    labels = ["" for _ in range(n_frames)]
    for span in () if heard is None else heard.words or heard.units:
        labels[span.first : span.stop] = [merged.get(span.label, span.label)] * (span.stop - span.first)
    wanted = [merged.get(word, word) for word in said.words]
    pairs = zip(where.index.tolist(), where.segment.tolist(), strict=True)
    return sum(labels[frame] == wanted[segment] for frame, segment in pairs), len(where.index)


def _metrics(edits: Sequence[Edits], groups: NDArray[np.intp] | None, seed: int) -> dict[str, Metric]:
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
    metrics = {name: Metric(rate(every), n, "fraction") for name, (rate, n) in rates.items()}
    if groups is not None:
        for name in ("error_rate", "sentence_error_rate"):
            metrics[name] = metrics[name].within(rate_interval(rates[name][0], groups, seed=seed))
    return metrics


def hypotheses_table(found: Recognised, evaluation: RecognitionEvaluation) -> str:
    """``hypotheses.tsv``: reference and hypothesis of every test recording, and the errors counted."""
    fold, group = bool(found.folds), any(one.group != one.id for one in found.references)
    names = ("reference", "hypothesis", "hits", "substitutions", "deletions", "insertions")
    head = ("id", *(("fold",) if fold else ()), *(("group",) if group else ()), "n_frames", *names, "log_likelihood")
    rows = (
        (
            one.id,
            *((found.folds[n],) if fold else ()),
            *((one.group,) if group else ()),
            one.piece.n_rows,
            " ".join(one.words),
            " ".join(labels_of(heard)),
            edits.hits,
            edits.substitutions,
            edits.deletions,
            edits.insertions,
            "" if heard is None else f"{heard.score:.3f}",
        )
        for n, (one, heard, edits) in enumerate(zip(found.references, found.hypotheses, evaluation.edits, strict=True))
    )
    return table(head, rows)


def pairs_table(evaluation: RecognitionEvaluation) -> str:
    """``pairs.tsv``: how often each label was recognised as which, errors first; an empty cell: deleted or inserted."""
    rows = ((said or "", heard or "", n) for said, heard, n in label_pairs(evaluation.edits))
    return table(("reference", "hypothesis", "count"), rows)


def hypotheses_lines(found: Recognised, audio: AudioInput) -> str:
    """``hypotheses.jsonl``: words with their times (from the start of the utterance), a line for every test."""
    plan = front_end(audio.features, audio.sample_rate)
    return "".join(
        json_line(one.id, tiers(heard, audio, one.piece.n_rows), plan.time(one.piece.n_rows, one.piece.n_rows))
        for one, heard in zip(found.references, found.hypotheses, strict=True)
        if heard is not None
    )
