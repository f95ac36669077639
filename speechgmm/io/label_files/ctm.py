"""NIST's CTM, time-marked words: recording, channel, start, duration, word, and confidence where there is one.

    call 1 0.500 0.350 hello 0.980

Times in seconds. What begins with ;; is a comment. (NIST, SCTK, ctm file format.)
"""

from collections.abc import Iterable, Sequence
from pathlib import Path

from speechgmm.errors import DataError
from speechgmm.io.label_files.reading import (
    FileLabel,
    LabelList,
    Tier,
    confidence_of,
    content_lines,
    seconds,
)
from speechgmm.io.tables import read_table
from speechgmm.io.timed_labels import LabelledRecording, TimedLabel, checked_labels


def ctm(recording: str, labels: Iterable[TimedLabel], *, channel: str = "1") -> str:
    """Lines of NIST's CTM format: recording, channel, start, duration in s, label, confidence (where there is one).

    Raises:
        DataError: A name or a label is empty or has a space, which separates columns; times that cannot be.

    >>> ctm("a", [TimedLabel("one", 0.1, 0.45, 0.98), TimedLabel("two", 0.45, 0.9)])
    'a 1 0.100 0.350 one 0.980\\na 1 0.450 0.450 two\\n'
    """
    lines = []
    for one in checked_labels(recording, labels):
        for name, value in (("recording", recording), ("channel", channel), ("label", one.label)):
            if not value or value.split() != [value]:
                raise DataError(
                    f"{recording}: the {name} {value!r} cannot stand in a CTM, whose columns are separated by spaces; "
                    "rename it, or write CSV or JSON"
                )
        # Start and end are rounded, not the duration: segments that meet still do.
        duration = round(one.end, 3) - round(one.start, 3)
        confidence = "" if one.confidence is None else f" {one.confidence:.3f}"
        lines.append(f"{recording} {channel} {one.start:.3f} {duration:.3f} {one.label}{confidence}\n")
    return "".join(lines)


def write(recordings: Sequence[LabelledRecording]) -> str:
    """The first tier of each recording. Raises as `ctm`."""
    return "".join(ctm(one.stem, one.first_tier) for one in recordings)


def read(path: Path) -> list[Tier]:
    """The words of all recordings, as one tier without a name.

    Raises:
        DataError: The file cannot be read; a line of other columns; a time that is no number, or negative.
    """
    found = LabelList(str(path))
    for n, line in content_lines(read_table(path), ";;"):
        cells, where = line.split(), f"{path}, line {n}"
        if not 5 <= len(cells) <= 7:
            raise DataError(
                f"{where}: {len(cells)} columns; expected recording, channel, start, duration, word, and a confidence "
                "where there is one: is it a CTM?"
            )
        start, duration = (seconds(cells[column], what, where) for column, what in ((2, "start"), (3, "duration")))
        if duration < 0:
            raise DataError(
                f"{where}: {cells[4]!r} lasts {duration:g} s; expected a duration from 0 on: the fourth column is the "
                "duration, not the end"
            )
        confidence = confidence_of(cells[5], where) if len(cells) > 5 else None
        end = round(start + duration, 6)
        found.add(f"line {n}", FileLabel(cells[4], start, end, confidence, recording=cells[0]))
    return [Tier("", found.done())]
