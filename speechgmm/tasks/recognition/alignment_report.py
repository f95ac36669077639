"""What a report says of an alignment: how long phones are, which utterances fit their text worst, and what to hear."""

import json
from collections.abc import Iterator, Sequence
from typing import Final

from speechgmm.engine.run_folder import RunFolder
from speechgmm.engine.run_scores import Row
from speechgmm.errors import DataError
from speechgmm.io.run_files import RunFile
from speechgmm.plots import spectrogram
from speechgmm.report.mistakes import LONGEST, data_uri, holds_frames, read_clip
from speechgmm.report.parts import Clip, Picture, Section, Table
from speechgmm.tasks.recognition.alignment_tables import FAR

SHOWN: Final = 30
"""Utterances and outliers in the tables."""

AROUND: Final = 0.4
"""Seconds that are heard before and after a phone."""


def alignment_section(run: RunFolder, n_audio: int) -> Section | None:
    """Durations by phone, the utterances that fit worst, and the phones that do; None: not aligned."""
    if not run.has(RunFile.PHONES):
        return None
    names = (RunFile.PHONES, RunFile.OUTLIERS, RunFile.UTTERANCES)
    phones, outliers, fits = (run.rows(name) for name in names)
    of_phones, of_outliers, of_fits = (run.heading(name) for name in names)
    worst = [row for row in outliers if row["why"] == "fit"]
    strange = [row for row in outliers if row["why"] != "fit"]
    tables = (
        _table(f"The {min(SHOWN, len(fits))} utterances whose text fits worst", of_fits, fits[:SHOWN], 2, folded=False),
        _table("Durations (ms) and mean fit of each phone", of_phones, phones, 1, folded=False),
        _table(f"The {min(SHOWN, len(worst))} phones that fit worst (gop)", of_outliers, worst[:SHOWN], 4),
        _table(f"The {min(SHOWN, len(strange))} most unusual durations", of_outliers, strange[:SHOWN], 4),
    )
    text: tuple[str, ...] = (
        "The fit of an utterance is the mean over frames of the log-likelihood of its text over that of any sound of "
        "the model, in nats per frame, or that of its words over silence, where this is lower; below 0 the text does "
        "not fit. The confidence of a phone is the same over its frames, as a probability: 0.5 is no better than any "
        "sound. Its goodness of pronunciation (gop, nats per frame) compares it with the best sequence of any phones: "
        "about 0 where it fits as well, below 0 where others do better.",
        f"A duration is unusual if its logarithm is more than {FAR:g} robust standard deviations (z) from the median "
        "of its phone.",
    )
    heard = list(_worst_of_each(worst))[:n_audio]
    clips = () if not heard or holds_frames(run, heard[0]["id"]) else tuple(_clips(run, heard))
    if clips:
        text = (
            *text,
            f"This page holds the audio of {len(clips)} phones that fit worst, each with {AROUND:g} s around it, "
            "one for each utterance: whoever gets the page gets these voices too.",
        )
    return Section("alignment", "Alignment", text, tuple(one for one in tables if one.rows), clips=clips)


def _table(caption: str, columns: Sequence[str], rows: Sequence[Row], text: int, *, folded: bool = True) -> Table:
    head = tuple(column.replace("_", " ") for column in columns)
    return Table.of(caption, head, [tuple(row[column] for column in columns) for row in rows], text=text, folded=folded)


def _worst_of_each(rows: Sequence[Row]) -> Iterator[Row]:
    """The first row of each utterance."""
    seen: set[str] = set()
    for row in rows:
        if row["id"] not in seen:
            seen.add(row["id"])
            yield row


def _clips(run: RunFolder, rows: Sequence[Row]) -> Iterator[Clip]:
    lines = map(json.loads, run.text(RunFile.ALIGNMENT).splitlines())
    entries = {line["id"]: line for line in lines}
    channel = run.config.get("corpus", {}).get("channel", "mix")
    for number, row in enumerate(rows):
        start, end = float(row["start"]), float(row["end"])
        first = max(0.0, start - AROUND)
        last = min(end + AROUND, first + LONGEST)
        title = f"{row['phone']} of {row['word']}"
        about = (
            ("utterance", row["id"]),
            ("phone", f"{start:.3f} s to {end:.3f} s"),
            ("gop", row["gop"] + " nats per frame"),
        )
        try:
            samples, rate = read_clip(run.path_of(row["id"]), first, last, channel)
            entry = entries[row["id"]]
            units = entry.get("phones", entry.get("units", entry.get("words", ())))
            marks = [(one["start"], one["end"], one["label"]) for one in units if first < one["end"] <= last]
            axes = spectrogram(samples, rate, start=first, segments=marks)
        except DataError as error:
            yield Clip(title, about, missing=str(error))
            continue
        alt = f"Spectrogram of {row['id']} around {title}, with the boundaries of its phones"
        picture = Picture.of(axes, f"phone{number}", alt=alt, caption="", table=None)
        yield Clip(title, about, picture, data_uri(samples, rate))
