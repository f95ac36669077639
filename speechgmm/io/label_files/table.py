"""Labels as a table with a header: ``file``, ``start``, ``end`` in s, ``label``, ``tier``, ``confidence``, scores.

Separated by commas (or semicolons) in ``.csv``, by tabs in ``.tsv``. Only ``start`` and ``end`` must be there; a column
``speaker`` is read too, and ``path`` for ``file``.
"""

import csv
import io
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Final

from speechgmm.errors import DataError
from speechgmm.io.label_files.reading import (
    FileLabel,
    LabelList,
    Tier,
    check_columns,
    confidence_of,
    seconds,
)
from speechgmm.io.tables import read_table
from speechgmm.io.timed_labels import LabelledRecording, checked_labels

COLUMNS: Final = ("file", "start", "end", "label", "tier", "confidence")


def read(path: Path) -> list[Tier]:
    """The labels of all recordings, by tier; without a column ``tier``, as one tier without a name.

    Raises:
        DataError: The file cannot be read; ``start`` or ``end`` is missing; a row of other columns; times that cannot
            be.
    """
    text = read_table(path)
    header = text.partition("\n")[0]
    by = "\t" if path.suffix.lower() == ".tsv" else ";" if ";" in header and "," not in header else ","
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=by)
    lists: dict[str, LabelList] = {}
    try:
        columns = [cell.strip() for cell in next(reader, [])]
        missing = [name for name in ("start", "end") if name not in columns]
        if missing:
            raise DataError(
                f"{path}: no column {missing[0]!r}; the columns are {', '.join(columns) or 'none'}: expected start and "
                "end in s, label, and where they are known file, tier, speaker and confidence"
            )
        check_columns(columns, str(path))
        for cells in reader:
            if not any(cells):
                continue
            where = f"line {reader.line_num}"
            if len(cells) != len(columns):
                raise DataError(f"{path}, {where}: {len(cells)} cells under a header of {len(columns)} columns")
            row = dict(zip(columns, cells, strict=True))
            lists.setdefault(row.get("tier", ""), LabelList(str(path))).add(where, _label(row, f"{path}, {where}"))
    except csv.Error as error:
        raise DataError(f"{path}, line {reader.line_num}: not a table ({error}); is a quote left open?") from None
    return [Tier(name, labels.done()) for name, labels in lists.items()]


def _label(row: Mapping[str, str], where: str) -> FileLabel:
    start, end = (seconds(row[what], what, where) for what in ("start", "end"))
    confidence = confidence_of(row.get("confidence", ""), where)
    recording = row.get("file") or row.get("path", "")
    return FileLabel(row.get("label", "").strip(), start, end, confidence, row.get("speaker", ""), recording)


def label_rows(recordings: Sequence[LabelledRecording]) -> list[dict[str, object]]:
    """A row for each label of all tiers, under `COLUMNS`; confidence is None where none was computed.

    Labels with scores have a column for each score too.

    Raises:
        DataError: Times that cannot be.
    """
    return [
        {
            "file": str(recording.path),
            "start": round(one.start, 6),
            "end": round(one.end, 6),
            "label": one.label,
            "tier": tier,
            "confidence": None if one.confidence is None else round(one.confidence, 6),
        }
        | ({} if one.scores is None else one.scores.rounded())
        for recording in recordings
        for tier, labels in recording.tiers.items()
        for one in checked_labels(str(recording.path), labels)
    ]


def write_label_table(recordings: Sequence[LabelledRecording], *, separator: str) -> str:
    """All labels as a table with a header. Raises as `label_rows`."""
    text = io.StringIO()
    rows = label_rows(recordings)
    columns = dict.fromkeys([*COLUMNS, *(name for row in rows for name in row)])
    writer = csv.DictWriter(text, list(columns), delimiter=separator, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


write = partial(write_label_table, separator=",")
write_tsv = partial(write_label_table, separator="\t")
