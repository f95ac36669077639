"""Tables of an alignment: each utterance's fit, each phone's durations, and what a person should listen to first."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from speechgmm.io.run_files import RunFile
from speechgmm.io.tables import table

FAR: Final = 3.5
"""Robust z of a duration's logarithm from which it is unusual (Iglewicz & Hoaglin 1993)."""

LEAST: Final = 5
"""Times that a phone must occur for its durations to be compared."""

LISTED: Final = 200
"""Unusual durations that are listed, and as many phones that fit badly."""


@dataclass(frozen=True, slots=True)
class Segment:
    """A phone (or a unit) in an utterance."""

    utterance: str
    word: str  # that it is in; empty: in none
    label: str
    start: float  # s from the beginning of the recording
    end: float
    confidence: float  # 0 to 1
    gop: float  # goodness of pronunciation, nats per frame

    @property
    def duration(self) -> float:
        """In s."""
        return self.end - self.start


def alignment_tables(entries: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """The tables of a run's folder, by file name."""
    found = [segment for entry in entries for segment in segments_of(entry)]
    return {
        RunFile.UTTERANCES: utterances_table(entries),
        RunFile.PHONES: phones_table(found),
        RunFile.OUTLIERS: outliers_table(found),
    }


def segments_of(entry: Mapping[str, Any]) -> Iterator[Segment]:
    """The phones of an utterance, each with its word; the words, where these are the units."""
    words = entry.get("words", ())
    for one in entry.get("phones", entry.get("units", words)):
        middle = (one["start"] + one["end"]) / 2
        word = next((word["label"] for word in words if word["start"] <= middle < word["end"]), "")
        yield Segment(entry["id"], word, one["label"], one["start"], one["end"], one["confidence"], one["gop"])


def utterances_table(entries: Sequence[Mapping[str, Any]]) -> str:
    """``utterances.tsv``: how well the text of each utterance fits it, the worst first."""
    head = ("id", "speaker", "seconds", "words", "phones", "seconds_per_phone", "fit", "log_likelihood")
    rows = []
    for entry in sorted(entries, key=lambda one: one["fit"]):
        n_words, n_phones = len(entry.get("words", ())), len(list(segments_of(entry)))
        each = f"{entry['duration'] / max(n_phones, 1):.3f}"
        about = (entry["id"], entry["speaker"], f"{entry['duration']:.3f}", n_words, n_phones, each)
        rows.append((*about, entry["fit"], entry["log_likelihood"]))
    return table(head, rows)


def phones_table(segments: Sequence[Segment]) -> str:
    """``phones.tsv``: number, durations in ms, mean goodness of pronunciation and confidence of each phone."""
    head = ("phone", "n", "mean_ms", "sd_ms", "min_ms", "p5_ms", "median_ms", "p95_ms", "max_ms", "gop", "confidence")
    rows = []
    for label, own in _by_label(segments).items():
        lengths = 1000 * np.array([one.duration for one in own])
        cuts = np.percentile(lengths, (0, 5, 50, 95, 100))
        numbers = (lengths.mean(), lengths.std(), *cuts)
        gop, confidence = np.mean([(one.gop, one.confidence) for one in own], axis=0)
        rows.append((label, len(own), *(f"{value:.1f}" for value in numbers), f"{gop:.2f}", f"{confidence:.3f}"))
    return table(head, rows)


def outliers_table(segments: Sequence[Segment]) -> str:
    """``outliers.tsv``: unusual durations and the phones that fit worst (gop), the most striking of each kind first.

    A duration is unusual whose logarithm is more than ``FAR`` robust standard deviations from its phone's median.
    Silence is not listed.
    """
    segments = [one for one in segments if one.word]
    far: list[tuple[float, Segment]] = []
    for own in _by_label(segments).values():
        if len(own) >= LEAST:
            logs = np.log([one.duration for one in own])
            distances = logs - np.median(logs)
            spread = 1.4826 * np.median(np.abs(distances))
            scores = distances / spread if spread > 0 else np.zeros(len(own))
            far += [(float(z), one) for z, one in zip(scores, own, strict=True) if abs(z) > FAR]
    far.sort(key=lambda pair: -abs(pair[0]))
    rows = [("long" if z > 0 else "short", one, f"{z:.1f}") for z, one in far[:LISTED]]
    worst = sorted(segments, key=lambda one: one.gop)[:LISTED]
    rows += [("fit", one, "") for one in worst]
    head = ("why", "id", "word", "phone", "start", "end", "ms", "gop", "confidence", "z")
    return table(head, ((why, *_cells(one), z) for why, one, z in rows))


def _cells(one: Segment) -> tuple[str, ...]:
    times = (f"{one.start:.4f}", f"{one.end:.4f}", f"{1000 * one.duration:.0f}")
    return (one.utterance, one.word, one.label, *times, f"{one.gop:.2f}", f"{one.confidence:.3f}")


def _by_label(segments: Sequence[Segment]) -> dict[str, list[Segment]]:
    found: dict[str, list[Segment]] = {}
    for one in sorted(segments, key=lambda one: one.label):
        found.setdefault(one.label, []).append(one)
    return found
