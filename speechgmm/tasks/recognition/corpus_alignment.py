"""A corpus aligned whole: HMMs trained on it, then the times of all its words and phones, by files and tables.

The run folder has the model and the tables; its folder ``aligned`` a label file for each recording, where the recording
lies in its own folder. What was aligned before, by the same models, is not aligned again.
"""

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from speechgmm.config import Experiment
from speechgmm.corpus import Corpus
from speechgmm.engine.audio_input import AudioInput
from speechgmm.engine.console import Console
from speechgmm.engine.frames import Features
from speechgmm.engine.job import Job
from speechgmm.engine.run_folder import RunFolder
from speechgmm.engine.run_report import report
from speechgmm.engine.runs import RunResult, run
from speechgmm.engine.transforms import with_transform
from speechgmm.errors import DataError, first_few
from speechgmm.features import front_end
from speechgmm.hmm import Alignment, AlignmentScorer, Decoder, Recogniser
from speechgmm.io.atomic import only_writer
from speechgmm.io.locks import using_cache
from speechgmm.io.run_files import RunFile
from speechgmm.io.timed_labels import TimedLabel
from speechgmm.tasks.recognition.alignment_files import (
    Entry,
    LabelFiles,
    SpokenRecording,
    SpokenUtterance,
    Timed,
    alignment_key,
    entries_before,
    entry_of,
    is_done,
    write_lines,
    write_recording,
)
from speechgmm.tasks.recognition.alignment_tables import alignment_tables
from speechgmm.tasks.recognition.speakers import grouped
from speechgmm.tasks.recognition.tiers import name_of_units, tiers
from speechgmm.tasks.recognition.transcript_checks import fitting
from speechgmm.tasks.recognition.transcripts import Transcript, transcripts

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
    misfits: tuple[str, ...]  # utterances that their text does not fit (`hmm.alignment.with_fit`)


def align_corpus(
    experiment: Experiment,
    *,
    output: Path | None = None,
    labels: LabelFiles | None = None,
    console: Console | None = None,
) -> AlignedCorpus:
    """Train on a corpus, and find when each word and phone of all its utterances begins and ends.

    Args:
        experiment: Of ``task: recognition``; all of its recordings train (``corpus.split: all``).
        output: The folder; default: as of a run.
        labels: How label files are written; default: as TextGrids of words and phones.
        console: Where progress goes; default: standard error.

    Raises:
        ConfigError: No label file has this format; otherwise as `run`.
        DataError: As `run`.
        FitError: As `run`.
    """
    labels, console = labels or LabelFiles(), console or Console()
    _ = labels.format  # refused before training, not after it
    result = run(experiment, output=output, console=console, until="train")
    job = Job(experiment, result.task, result.features.corpus, console, output=result.folder)
    with only_writer(result.folder), using_cache(experiment.cache()):
        place = RunFolder(result.folder)
        recordings = _recordings(job, with_transform(result.features, result.trained.audio.transform))
        with console.stage("align"):
            entries, failed = _align(job, result, place, recordings, labels)
        seconds = sum(entry["duration"] for entry in entries)
        metrics = {
            "n_recordings": len(recordings),
            "n_utterances": len(entries),
            "n_failed": len(failed),
            "seconds_of_speech": round(seconds, 3),
            **result.task.facts(result.trained),
            "seconds": {stage: round(taken, 3) for stage, taken in console.seconds.items()},
        }
        place.put({**alignment_tables(entries), RunFile.METRICS: json.dumps(metrics, indent=1) + "\n"})
        report(place.folder, job, None)
    misfits = tuple(entry["id"] for entry in entries if entry["fit"] < 0)
    return AlignedCorpus(place.folder, len(recordings), len(entries), seconds, tuple(failed), misfits)


def _recordings(job: Job, features: Features) -> list[SpokenRecording]:
    """What is aligned: all that was trained on, in order."""
    durations = dict(zip((one.id for one in features.corpus), features.durations, strict=True))
    utterances = {one.id: one for one in features.corpus}
    said, _ = fitting(job, [one for one in transcripts(job, features, "train") if not one.copy])
    by_path: dict[Path, list[SpokenUtterance]] = {}
    for one in said:
        utterance = utterances[one.id]
        by_path.setdefault(utterance.path, []).append(SpokenUtterance(utterance, one, durations[one.id]))
    names = _names(features.corpus)
    return [SpokenRecording(names[path], tuple(each)) for path, each in by_path.items()]


def _names(corpus: Corpus) -> dict[Path, str]:
    """A name for each recording, which is a path below a folder: its own below the corpus, else its utterance's."""
    paths = {one.path: one.id for one in corpus}
    names = {path: path.relative_to(corpus.root).with_suffix("").as_posix() for path in paths}
    if len(set(names.values())) < len(names):
        names = {path: path.relative_to(corpus.root).as_posix() for path in paths}
    return names


def _align(
    job: Job, result: RunResult, place: RunFolder, recordings: Sequence[SpokenRecording], labels: LabelFiles
) -> tuple[list[Entry], list[str]]:
    """Align what is not aligned yet, and write it; all entries in order, and what failed."""
    recogniser, audio = result.trained.recogniser, result.trained.audio
    units = name_of_units(recogniser, job.corpus.label)
    entries = entries_before(place, alignment_key(place, recordings, labels))
    done = {one.name for one in recordings if is_done(one, entries, place, labels)}
    parcels = _parcels(recordings, done, recogniser)
    failed: list[str] = []
    tasks = ((recogniser, [one.transcript for each in parcel for one in each.said]) for parcel in parcels)
    with job.console.bar("aligning") as advance:
        for n, (parcel, found) in enumerate(zip(parcels, job.map(_align_parcel, tasks), strict=True), 1):
            results = iter(found)
            for recording in parcel:
                made: list[tuple[Entry, Timed]] = []
                for one in recording.said:
                    heard = next(results)
                    if isinstance(heard, str):
                        failed.append(f"{one.id}: {heard}")
                    else:
                        timed = _timed(one, heard, audio, units)
                        made.append((entry_of(one, heard, timed), timed))
                write_recording(place, recording, made, labels)
                entries |= {entry["id"]: entry for entry, _ in made}
            advance(n, len(parcels))
    if failed:
        job.console.warn(f"{len(failed)} utterances are not aligned: {first_few(failed, 10)}")
    aligned = [entries[one.id] for each in recordings for one in each.said if one.id in entries]
    if parcels:  # in order, and each once
        write_lines(place, aligned)
    return aligned, failed


def _parcels(
    recordings: Sequence[SpokenRecording], done: Collection[str], recogniser: Recogniser
) -> list[list[SpokenRecording]]:
    """The recordings that are not done, about ``AT_ONCE`` utterances in a parcel.

    Where the model adapts to speakers, a parcel has all recordings of a speaker who has one that is not done.
    """
    if recogniser.adaptation is not None:
        groups = grouped([one.said[0].transcript.group for one in recordings])
        by_speaker = ([recordings[n] for n in numbers] for numbers in groups)
        return [each for each in by_speaker if not all(one.name in done for one in each)]
    parcels: list[list[SpokenRecording]] = []
    n = AT_ONCE
    for one in recordings:
        if one.name in done:
            continue
        if n >= AT_ONCE:
            parcels.append([])
            n = 0
        parcels[-1].append(one)
        n += len(one.said)
    return parcels


def _align_parcel(task: tuple[Recogniser, Sequence[Transcript]]) -> list[Alignment | str]:
    """The alignment of each transcript, or why there is none; adapted to their speaker, where the recogniser adapts."""
    recogniser, parcel = task
    decoder, scorer = (
        Decoder.of(recogniser, parcel[0].words),
        AlignmentScorer(recogniser.units, recogniser.boundary_model),
    )
    adapter = recogniser.adapter()
    pairs = ((one.piece.load(), recogniser.linear(one.words)) for one in parcel)
    speaker = None if adapter is None else adapter.transform(list(pairs))
    found: list[Alignment | str] = []
    for one in parcel:
        ready, frames = replace(decoder, graph=recogniser.linear(one.words)), one.piece.load()
        try:
            if speaker is None:
                found.append(ready.align(frames, scorer=scorer, scores=True))
            else:
                adapted = ready.align(speaker.transform.apply(frames), scorer=scorer, scores=True)
                found.append(speaker.of_raw_frames(adapted))
        except DataError as error:
            found.append(str(error))
    return found


def _timed(said: SpokenUtterance, heard: Alignment, audio: AudioInput, units: str) -> Timed:
    """Words and units with times in s from the beginning of the recording."""
    piece, start, end = said.transcript.piece, said.utterance.start, said.utterance.end
    if start is None and end is None:
        return tiers(heard, audio, piece.n_rows, said.duration, units=units)
    plan = front_end(audio.features, audio.sample_rate)
    shift = piece.first * plan.frame_shift / plan.sample_rate
    low, high = start or 0.0, (start or 0.0) + said.duration

    def moved(one: TimedLabel) -> TimedLabel:
        begin = low if one.start == 0 else one.start + shift
        scores = None if one.scores is None else one.scores.later(shift)
        return replace(one, start=begin, end=min(one.end + shift, high), scores=scores)

    return {name: list(map(moved, each)) for name, each in tiers(heard, audio, piece.n_rows, units=units).items()}
