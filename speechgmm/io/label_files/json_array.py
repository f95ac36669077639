"""Labels as one array of JSON: an object for each label, with the keys of the table (`table.COLUMNS`)."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from speechgmm.errors import DataError
from speechgmm.io.label_files.reading import FileLabel, LabelList, Tier
from speechgmm.io.label_files.table import label_rows
from speechgmm.io.tables import read_table
from speechgmm.io.text_file import HALF, is_text
from speechgmm.io.timed_labels import LabelledRecording


def read(path: Path) -> list[Tier]:
    """The labels of all recordings, by tier.

    Raises:
        DataError: The file cannot be read, or is no array of objects with ``start`` and ``end``; times that cannot be.
    """
    try:
        rows = json.loads(read_table(path))
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path}: not JSON that can be read ({error})") from None
    if not isinstance(rows, list):
        raise DataError(f"{path}: {str(rows)[:40]!r}; expected an array of objects with start and end in s, and label")
    lists: dict[str, LabelList] = {}
    for n, row in enumerate(rows):
        if not isinstance(row, dict):
            raise DataError(
                f"{path}, item {n}: {str(row)[:40]!r}; expected an object with start and end in s, and label"
            )
        start, end = (_number(path, n, row, what) for what in ("start", "end"))
        sure = None if row.get("confidence") is None else _number(path, n, row, "confidence")
        texts = {name: _text(path, n, row, name) for name in ("label", "tier", "speaker", "file")}
        label = FileLabel(texts["label"], start, end, sure, texts["speaker"], texts["file"])
        lists.setdefault(texts["tier"], LabelList(str(path))).add(f"item {n}", label)
    return [Tier(name, labels.done()) for name, labels in lists.items()]


def _number(path: Path, n: int, row: dict[str, Any], what: str) -> float:
    value = row.get(what)
    if isinstance(value, bool) or not isinstance(value, int | float) or abs(value) > 1e12:
        raise DataError(f"{path}, item {n}: {what} is {str(value)[:40]!r}; expected a number (times in s)")
    return float(value)


def _text(path: Path, n: int, row: dict[str, Any], what: str) -> str:
    value = row.get(what, "")
    if not isinstance(value, str) or not is_text(value):
        raise DataError(f"{path}, item {n}: {what} is {ascii(value)[:40]}; expected a text, without {HALF}")
    return value


def write(recordings: Sequence[LabelledRecording]) -> str:
    """All labels as one array, an object a line. Raises as `table.label_rows`."""
    rows = [{name: value for name, value in row.items() if value is not None} for row in label_rows(recordings)]
    return "[\n" + ",\n".join(json.dumps(row) for row in rows) + "\n]\n"
