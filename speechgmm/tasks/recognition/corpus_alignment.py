"""A corpus aligned whole: HMMs trained on it, then the times of all its words and phones, by files and tables.

The run folder has the model and the tables; its folder ``aligned`` a label file for each recording, where the recording
lies in its own folder. What was aligned before, by the same models, is not aligned again.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from speechgmm.config import Experiment
from speechgmm.corpus import Corpus, Utterance
from speechgmm.engine.audio_input import AudioInput
from speechgmm.engine.console import Console
from speechgmm.engine.frames import Features
from speechgmm.engine.job import Job
from speechgmm.engine.run_folder import RunFolder
from speechgmm.engine.run_report import report
from speechgmm.engine.runs import RunResult, run
from speechgmm.errors import ConfigError, DataError, first_few
from speechgmm.features import front_end
from speechgmm.hmm import Alignment, Decoder, Recogniser
from speechgmm.io.atomic import only_writer, write_text
from speechgmm.io.feature_store import digest
from speechgmm.io.label_files import FORMATS, LabelFormat, write_labels
from speechgmm.io.locks import using_cache
from speechgmm.io.run_files import RunFile
from speechgmm.io.timed_labels import LabelledRecording, TimedLabel, json_line
from speechgmm.tasks.recognition.alignment_tables import alignment_tables
from speechgmm.tasks.recognition.decoding import name_of_units, tiers
from speechgmm.tasks.recognition.transcript_checks import fitting
from speechgmm.tasks.recognition.transcripts import Transcript, transcripts

ALIGNED: Final = "aligned"
"""Folder of the label files in that of the run."""

STAMP: Final = ".alignment"
"""File with a hash of what the alignment was made with and of."""

VERSION: Final = 1
"""Of what a line holds: raised when the same models begin to give other lines."""

AT_ONCE: Final = 16
"""Utterances in a task."""


@dataclass(frozen=True, slots=True)
class AlignedCorpus:
    """Where the alignment of a corpus is."""

    folder: Path  # of the run
    n_recordings: int
    n_utterances: int
    seconds: float  # of all utterances that were aligned
    failed: tuple[str, ...]  # utterances that no path explains, with the reason


@dataclass(frozen=True, slots=True)
class _Said:
    """An utterance, its words and its frames."""

    utterance: Utterance
    transcript: Transcript
    duration: float  # s

    @property
    def id(self) -> str:
        """Of the utterance."""
        return self.utterance.id


@dataclass(frozen=True, slots=True)
class _Recording:
    """A recording with its utterances, and its name in the output."""

    name: str
    said: tuple[_Said, ...]


Entry = dict[str, Any]
"""What a line of ``alignment.jsonl`` says of an utterance."""


def align_corpus(
    experiment: Experiment, *, output: Path | None = None, form: str = "textgrid", console: Console | None = None
) -> AlignedCorpus:
    """Train on a corpus, and find when each word and phone of all its utterances begins and ends.

    Args:
        experiment: Of ``task: recognition``; all of its recordings train (``corpus.split: all``).
        output: The folder; default: as of a run.
        form: Format of the label files, by name.
        console: Where progress goes; default: standard error.

    Raises:
        ConfigError: No label file has this format; otherwise as `run`.
        DataError: As `run`.
        FitError: As `run`.
    """
    if form not in FORMATS or not FORMATS[form].writer:
        known = ", ".join(name for name, one in FORMATS.items() if one.writer)
        raise ConfigError(f"format is {form!r}; expected that of a label file: {known}", arguments=("form",))
    console = console or Console()
    result = run(experiment, output=output, console=console, until="train")
    job = Job(experiment, result.task, result.features.corpus, console, output=result.folder)
    with only_writer(result.folder), using_cache(experiment.cache()):
        place = RunFolder(result.folder)
        recordings = _recordings(job, result.features)
        with console.stage("align"):
            entries, failed = _align(job, result, place, recordings, FORMATS[form])
        seconds = sum(entry["duration"] for entry in entries)
        metrics = {
            "n_recordings": len(recordings),
            "n_utterances": len(entries),
            "n_failed": len(failed),
            "seconds_of_speech": round(seconds, 3),
            **result.task.facts(result.trained),
            "seconds": {stage: round(seconds, 3) for stage, seconds in console.seconds.items()},
        }
        place.put({**alignment_tables(entries), RunFile.METRICS: json.dumps(metrics, indent=1) + "\n"})
        report(place.folder, job, None)
    return AlignedCorpus(place.folder, len(recordings), len(entries), seconds, tuple(failed))


def _recordings(job: Job, features: Features) -> list[_Recording]:
    """What is aligned: all that was trained on, in order."""
    durations = dict(zip((one.id for one in features.corpus), features.durations, strict=True))
    utterances = {one.id: one for one in features.corpus}
    said, _ = fitting(job, [one for one in transcripts(job, features, "train") if not one.copy])
    by_path: dict[Path, list[_Said]] = {}
    for one in said:
        utterance = utterances[one.id]
        by_path.setdefault(utterance.path, []).append(_Said(utterance, one, durations[one.id]))
    names = _names(features.corpus)
    return [_Recording(names[path], tuple(each)) for path, each in by_path.items()]


def _names(corpus: Corpus) -> dict[Path, str]:
    """A name for each recording, which is a path below a folder: its own below the corpus, else its utterance's."""
    paths = {one.path: one.id for one in corpus}
    names = {path: path.relative_to(corpus.root).with_suffix("").as_posix() for path in paths}
    if len(set(names.values())) < len(names):
        names = {path: path.relative_to(corpus.root).as_posix() for path in paths}
    return names


def _align(
    job: Job, result: RunResult, place: RunFolder, recordings: Sequence[_Recording], form: LabelFormat
) -> tuple[list[Entry], list[str]]:
    """Align what is not aligned yet, and write it; all entries in order, and what failed."""
    recogniser, audio = result.trained.recogniser, result.trained.audio
    units = name_of_units(recogniser, job.corpus.label)
    key = _key(place, recordings)
    entries = _entries_of(place, key)
    todo = [one for one in recordings if not _is_done(one, entries, place, form)]
    parcels, failed = _parcels(todo), []
    tasks = ((recogniser, [one.transcript for each in parcel for one in each.said]) for parcel in parcels)
    with job.console.bar("aligning") as advance:
        for n, (parcel, found) in enumerate(zip(parcels, job.map(_align_parcel, tasks), strict=True), 1):
            results = iter(found)
            for recording in parcel:
                made: list[Entry] = []
                for one in recording.said:
                    heard = next(results)
                    if isinstance(heard, str):
                        failed.append(f"{one.id}: {heard}")
                    else:
                        made.append(_entry(one, heard, _timed(one, heard, audio, units)))
                _write(place, recording, made, units, form)
                entries |= {entry["id"]: entry for entry in made}
            advance(n, len(parcels))
    if failed:
        job.console.warn(f"{len(failed)} utterances are not aligned: {first_few(failed, 10)}")
    return [entries[one.id] for each in recordings for one in each.said if one.id in entries], failed


def _parcels(recordings: Sequence[_Recording]) -> list[list[_Recording]]:
    """Whole recordings, about ``AT_ONCE`` utterances in each."""
    parcels: list[list[_Recording]] = []
    n = AT_ONCE
    for one in recordings:
        if n >= AT_ONCE:
            parcels.append([])
            n = 0
        parcels[-1].append(one)
        n += len(one.said)
    return parcels


def _align_parcel(task: tuple[Recogniser, Sequence[Transcript]]) -> list[Alignment | str]:
    """The alignment of each transcript, or why there is none."""
    recogniser, parcel = task
    decoder = Decoder.of(recogniser, parcel[0].words)
    found: list[Alignment | str] = []
    for one in parcel:
        try:
            found.append(replace(decoder, graph=recogniser.linear(one.words)).align(one.piece.load()))
        except DataError as error:
            found.append(str(error))
    return found


def _timed(said: _Said, heard: Alignment, audio: AudioInput, units: str) -> dict[str, list[TimedLabel]]:
    """Words and units with times in s from the beginning of the recording."""
    piece, start, end = said.transcript.piece, said.utterance.start, said.utterance.end
    if start is None and end is None:
        return tiers(heard, audio, piece.n_rows, said.duration, units=units)
    plan = front_end(audio.features, audio.sample_rate)
    shift = piece.first * plan.frame_shift / plan.sample_rate
    low, high = start or 0.0, (start or 0.0) + said.duration

    def moved(labels: Sequence[TimedLabel]) -> list[TimedLabel]:
        times = [(low if one.start == 0 else one.start + shift, one.end + shift) for one in labels]
        return [replace(one, start=a, end=min(b, high)) for one, (a, b) in zip(labels, times, strict=True)]

    return {name: moved(labels) for name, labels in tiers(heard, audio, piece.n_rows, units=units).items()}


def _entry(said: _Said, heard: Alignment, timed: Mapping[str, Sequence[TimedLabel]]) -> Entry:
    """The line of an utterance."""
    about = {
        "speaker": (said.utterance.labels or {}).get("speaker", ""),
        "log_likelihood": round(heard.score / said.transcript.piece.n_rows, 3),
        "fit": round(heard.fit or 0.0, 3),
    }
    entry: Entry = json.loads(json_line(said.id, timed, said.duration, about))
    return entry


def _write(place: RunFolder, recording: _Recording, entries: Sequence[Entry], units: str, form: LabelFormat) -> None:
    """The label file of a recording, then its lines: they promise that the file is there."""
    if not entries:
        return
    labels: dict[str, list[TimedLabel]] = {}
    for entry in entries:
        for name in ("words", units):
            labels.setdefault(name, []).extend(TimedLabel(**one) for one in entry.get(name, ()))
    ends = [one.end for tier in labels.values() for one in tier]
    duration = max([*ends, *(one.duration for one in recording.said if one.utterance.start is None)])
    path = recording.said[0].utterance.path
    write_labels(_file(place, recording, form), [LabelledRecording(path, duration, labels)], form.name)
    with (place.folder / RunFile.ALIGNMENT).open("a", encoding="utf-8") as file:
        file.write("".join(json.dumps(entry, ensure_ascii=False) + "\n" for entry in entries))


def _file(place: RunFolder, recording: _Recording, form: LabelFormat) -> Path:
    return place.folder / ALIGNED / f"{recording.name}{form.suffix}"


def _is_done(one: _Recording, entries: Mapping[str, Entry], place: RunFolder, form: LabelFormat) -> bool:
    return all(said.id in entries for said in one.said) and _file(place, one, form).exists()


def _key(place: RunFolder, recordings: Sequence[_Recording]) -> str:
    """A hash of the models and of what is aligned."""
    said = (one.transcript for each in recordings for one in each.said)
    texts = [f"{one.id} {one.piece.key} {one.piece.first} {one.piece.stop} {' '.join(one.words)}" for one in said]
    return digest(str(VERSION), (place.folder / RunFile.MODELS).read_bytes(), *texts)


def _entries_of(place: RunFolder, key: str) -> dict[str, Entry]:
    """What was aligned before with the same key, by utterance; else all of it is removed."""
    path, stamp = place.folder / RunFile.ALIGNMENT, place.folder / STAMP
    if not stamp.exists() or stamp.read_text(encoding="utf-8", errors="replace") != key:
        path.unlink(missing_ok=True)
        write_text(stamp, key)
    entries: dict[str, Entry] = {}
    if path.exists():
        lines = path.read_text(encoding="utf-8", errors="surrogateescape").split("\n")
        whole = lines[:-1]  # the last has no end, if whoever wrote it was killed
        entries = {entry["id"]: entry for entry in map(json.loads, whole)}
        if lines[-1]:
            write_text(path, "".join(f"{line}\n" for line in whole))
    return entries
