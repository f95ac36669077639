"""Selection tables of Raven (Cornell): a row for each selection, columns separated by tabs.

    Selection  View  Channel  Begin Time (s)  End Time (s)  Low Freq (Hz)  High Freq (Hz)  Begin File  File Offset (s)
    Annotation

Where several files were opened as one sound, begin times go on from file to file; then ``File Offset (s)`` says where a
selection begins in its ``Begin File``. The columns that the user adds (``Annotation``, ``Species``) have the labels:
each is a tier. A selection stands once for each view; the first is taken. (Raven Pro manual, Selection tables.)
"""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path, PureWindowsPath
from typing import Final

from speechgmm.errors import DataError
from speechgmm.io.label_files.reading import (
    FileLabel,
    LabelList,
    Tier,
    check_columns,
    confidence_of,
    content_lines,
    labels_without_tabs,
    seconds,
)
from speechgmm.io.tables import read_table, table
from speechgmm.io.timed_labels import LabelledRecording

BEGIN, END, OFFSET, FILE = "Begin Time (s)", "End Time (s)", "File Offset (s)", "Begin File"
ANNOTATION: Final = "Annotation"
TIER: Final = "Tier"
"""The column that `write` adds where a recording has several tiers."""

_MEASURED: Final = re.compile(
    r".*\(.*\)|Selection|View|Channel|Occupancy|Confidence|Speaker|(Begin|End) (File|Path|Date|Sample|Clock Time)"
    r"|(File|Path|Date|Sample|Clock Time)|.*(Time|Date|Freq|Samples)|Tier"
)
"""Columns that are Raven's own, and not annotations: measurements have their unit in parentheses."""


def read(path: Path) -> list[Tier]:
    """The selections, under the name of each column of annotations; without one, as a tier without a name.

    Raises:
        DataError: The file cannot be read; a column of times is missing; begin times go on over several files, and
            there is no column that says where in its file a selection is; times that cannot be.
    """
    lines = content_lines(read_table(path))
    columns = [cell.strip() for cell in lines[0][1].split("\t")] if lines else []
    missing = [name for name in (BEGIN, END) if name not in columns]
    if missing:
        raise DataError(
            f"{path}: no column {missing[0]!r}; the columns are {', '.join(columns) or 'none'}: expected a selection "
            "table of Raven, saved with tabs between its columns"
        )
    check_columns(columns, str(path))
    rows: list[tuple[int, Mapping[str, str]]] = []
    for n, line in lines[1:]:
        cells = [cell.strip() for cell in line.split("\t")]
        if len(cells) > len(columns):
            raise DataError(f"{path}, line {n}: {len(cells)} cells under a header of {len(columns)} columns")
        rows.append((n, dict(zip(columns, [*cells, *[""] * (len(columns) - len(cells))], strict=True))))
    without = next((n for n, row in rows if not row.get(OFFSET)), None)
    if without is not None and len({_file(row) for _, row in rows}) > 1:
        raise DataError(
            f"{path}, line {without}: selections of several files, whose begin times go on from one to the next, and "
            f"no {OFFSET!r}; add the column in Raven (View > Configure Measurements) and save the table again"
        )
    names = [name for name in columns if not _MEASURED.fullmatch(name)] or [""]
    lists: dict[str, LabelList] = {} if TIER in columns else {name: LabelList(str(path)) for name in names}
    for n, row in _once(rows):
        for name in names:
            tier = row[TIER] if TIER in columns else name
            lists.setdefault(tier, LabelList(str(path))).add(f"line {n}", _label(path, n, row, name))
    return [Tier(name, labels.done()) for name, labels in lists.items()]


def _once(rows: Sequence[tuple[int, Mapping[str, str]]]) -> list[tuple[int, Mapping[str, str]]]:
    """The rows without those that show a selection in another view."""
    seen: dict[str, str] = {}
    return [
        (n, row)
        for n, row in rows
        if "Selection" not in row or seen.setdefault(row["Selection"], row.get("View", "")) == row.get("View", "")
    ]


def _label(path: Path, n: int, row: Mapping[str, str], column: str) -> FileLabel:
    where = f"{path}, line {n}"
    begin, end = (seconds(row[name], name, where) for name in (BEGIN, END))
    offset = row.get(OFFSET, "")
    start = seconds(offset, OFFSET, where) if offset else begin
    confidence = confidence_of(row.get("Confidence", ""), where)
    text = row[column] if column else ""
    return FileLabel(text, start, round(start + end - begin, 6), confidence, row.get("Speaker", ""), _file(row))


def _file(row: Mapping[str, str]) -> str:
    """The file that a selection begins in."""
    return PureWindowsPath(row.get(FILE) or row.get("Begin Path", "")).name  # takes / and \ as separators


def write(recordings: Sequence[LabelledRecording]) -> str:
    """All tiers of the recordings as one table, begin times going on from one recording to the next.

    Raises:
        DataError: Times that cannot be; a label with a tab or a line end in it, or with spaces around it.
    """
    several = any(len(one.tiers) > 1 for one in recordings)
    before = 0.0
    rows: list[list[object]] = []
    for recording in recordings:
        for tier, labels in recording.tiers.items():
            for one in labels_without_tabs(str(recording.path), labels, "a selection table"):
                begin, end, offset = (f"{time:.6f}" for time in (before + one.start, before + one.end, one.start))
                sure = "" if one.confidence is None else f"{one.confidence:.6f}"
                row = [len(rows) + 1, "Spectrogram 1", 1, begin, end, recording.path.name, offset, one.label, sure]
                rows.append([*row, *([tier] if several else [])])
        before += recording.duration
    columns = ["Selection", "View", "Channel", BEGIN, END, FILE, OFFSET, ANNOTATION, "Confidence"]
    return table([*columns, *([TIER] if several else [])], rows)
