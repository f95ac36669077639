"""Label tracks of Audacity: start, end and text, separated by tabs; no header.

    0.500000\t1.250000\tsong of a robin
    \\\t2000.000000\t6000.000000           the frequencies of a spectral selection: passed over

Times in seconds. A label of 0 s is a point, which is left out. (Audacity manual, Importing and Exporting Labels.)
"""

from collections.abc import Sequence
from pathlib import Path

from speechgmm.errors import DataError
from speechgmm.io.label_files.reading import FileLabel, LabelList, Tier, content_lines, labels_without_tabs, seconds
from speechgmm.io.tables import read_table
from speechgmm.io.timed_labels import LabelledRecording


def read(path: Path) -> list[Tier]:
    """The labels of a track, as one tier without a name. Spaces may separate the times too.

    Raises:
        DataError: The file cannot be read; a line without two times; an end before its start.
    """
    found = LabelList(str(path))
    for n, line in content_lines(read_table(path)):
        if line.startswith("\\"):
            continue
        cells = [cell.strip() for cell in line.split("\t", 2)] if "\t" in line else line.split(None, 2)
        where = f"{path}, line {n}"
        if len(cells) < 2:
            raise DataError(
                f"{where}: {line[:60]!r}; expected start, end and text with tabs between: is it a label track of "
                "Audacity?"
            )
        start, end = (seconds(cell, what, where) for cell, what in zip(cells, ("start", "end"), strict=False))
        found.add(f"line {n}", FileLabel(cells[2] if len(cells) > 2 else "", start, end))
    return [Tier("", found.done())]


def write(recordings: Sequence[LabelledRecording]) -> str:
    """The first tier of a recording as a label track.

    Raises:
        DataError: A label with a tab or a line end in it, or with spaces around it.
    """
    (recording,) = recordings
    labels = labels_without_tabs(str(recording.path), recording.first_tier, "a label track of Audacity")
    return "".join(f"{one.start:.6f}\t{one.end:.6f}\t{one.label}\n" for one in labels)
