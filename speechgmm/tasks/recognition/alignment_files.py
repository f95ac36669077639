"""The files of an alignment: a line for each utterance, and a label file for each recording.

The lines say what was aligned before, so that a run that was killed goes on from there.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from speechgmm.corpus import Utterance
from speechgmm.engine.run_folder import RunFolder
from speechgmm.errors import ConfigError
from speechgmm.hmm import Alignment
from speechgmm.io.atomic import write_text
from speechgmm.io.feature_store import digest
from speechgmm.io.label_files import FORMATS, WRITTEN, LabelFormat, write_labels
from speechgmm.io.run_files import RunFile
from speechgmm.io.timed_labels import LabelledRecording, TimedLabel, json_line
from speechgmm.tasks.recognition.transcripts import Transcript

ALIGNED: Final = "aligned"
"""Folder of the label files in that of the run."""

STAMP: Final = ".alignment"
"""File with a hash of what the alignment was made with and of."""

VERSION: Final = 2
"""Of what a line holds: raised when the same models begin to give other lines."""


@dataclass(frozen=True, slots=True)
class SpokenUtterance:
    """An utterance, its words and its frames."""

    utterance: Utterance
    transcript: Transcript
    duration: float  # s

    @property
    def id(self) -> str:
        """Of the utterance."""
        return self.utterance.id


@dataclass(frozen=True, slots=True)
class SpokenRecording:
    """A recording with its utterances, and its name in the output."""

    name: str
    said: tuple[SpokenUtterance, ...]


@dataclass(frozen=True, slots=True)
class LabelFiles:
    """How the label files are written."""

    form: str = "textgrid"  # by name
    scores: bool = False  # with the scores of labels
    misfits: bool = False  # with utterances whose text does not fit

    @property
    def format(self) -> LabelFormat:
        """The format. Raises ConfigError where no label file has it."""
        if self.form not in WRITTEN:
            raise ConfigError(
                f"format is {self.form!r}; expected that of a label file: {', '.join(WRITTEN)}", arguments=("form",)
            )
        return FORMATS[self.form]

    def file(self, place: RunFolder, recording: SpokenRecording) -> Path:
        """Where the labels of a recording are."""
        return place.folder / ALIGNED / f"{recording.name}{self.format.suffix}"

    def holds(self, fit: float) -> bool:
        """Whether an utterance of this fit is in them."""
        return self.misfits or fit >= 0


Entry = dict[str, Any]
"""What a line of ``alignment.jsonl`` says of an utterance."""

Timed = dict[str, list[TimedLabel]]
"""Tier -> its labels."""


def entry_of(said: SpokenUtterance, heard: Alignment, timed: Timed) -> Entry:
    """The line of an utterance."""
    about = {
        "speaker": (said.utterance.labels or {}).get("speaker", ""),
        "log_likelihood": round(heard.score / said.transcript.piece.n_rows, 3),
        "fit": round(heard.fit or 0.0, 3),
    }
    entry: Entry = json.loads(json_line(said.id, timed, said.duration, about))
    return entry


def write_recording(
    place: RunFolder, recording: SpokenRecording, made: Sequence[tuple[Entry, Timed]], labels: LabelFiles
) -> None:
    """Write the label file of a recording, then its lines: they promise that the file is there."""
    tiers: dict[str, list[TimedLabel]] = {}
    for entry, timed in made:
        for name, each in timed.items() if labels.holds(entry["fit"]) else ():
            tiers.setdefault(name, []).extend(each if labels.scores else (replace(one, scores=None) for one in each))
    if tiers:
        ends = [one.end for tier in tiers.values() for one in tier]
        duration = max([*ends, *(one.duration for one in recording.said if one.utterance.start is None)])
        path = recording.said[0].utterance.path
        write_labels(labels.file(place, recording), [LabelledRecording(path, duration, tiers)], labels.form)
    else:
        labels.file(place, recording).unlink(missing_ok=True)
    with (place.folder / RunFile.ALIGNMENT).open("a", encoding="utf-8", errors="surrogateescape") as file:
        file.write(_lines(entry for entry, _ in made))


def write_lines(place: RunFolder, entries: Sequence[Entry]) -> None:
    """Write the lines of all utterances, in their order."""
    place.put({RunFile.ALIGNMENT: _lines(entries)})


def _lines(entries: Iterable[Entry]) -> str:
    return "".join(json.dumps(entry, ensure_ascii=False) + "\n" for entry in entries)


def is_done(one: SpokenRecording, entries: Mapping[str, Entry], place: RunFolder, labels: LabelFiles) -> bool:
    """Whether all of a recording is aligned and written."""
    own = [entries[said.id] for said in one.said if said.id in entries]
    written = not any(labels.holds(entry["fit"]) for entry in own) or labels.file(place, one).exists()
    return len(own) == len(one.said) and written


def alignment_key(place: RunFolder, recordings: Sequence[SpokenRecording], labels: LabelFiles) -> str:
    """A hash of the models, of what is aligned, and of how it is written."""
    said = (one.transcript for each in recordings for one in each.said)
    texts = [f"{one.id} {one.piece.key} {one.piece.first} {one.piece.stop} {' '.join(one.words)}" for one in said]
    how = f"{VERSION} {labels.scores} {labels.misfits}"
    return digest(how, (place.folder / RunFile.MODELS).read_bytes(), *texts)


def entries_before(place: RunFolder, key: str) -> dict[str, Entry]:
    """What was aligned before with the same key, by utterance; else, or where lines are damaged, all is removed."""
    path, stamp = place.folder / RunFile.ALIGNMENT, place.folder / STAMP
    if not stamp.exists() or stamp.read_text(encoding="utf-8", errors="replace") != key:
        path.unlink(missing_ok=True)
        write_text(stamp, key)
    entries: dict[str, Entry] = {}
    if path.exists():
        lines = path.read_text(encoding="utf-8", errors="surrogateescape").split("\n")
        whole = lines[:-1]  # the last has no end, if whoever wrote it was killed
        try:
            entries = {entry["id"]: entry for entry in map(json.loads, whole) if entry["fit"] is not None}
        except (ValueError, KeyError, TypeError):
            path.unlink()
            return {}
        if lines[-1]:
            write_text(path, "".join(f"{line}\n" for line in whole))
    return entries
