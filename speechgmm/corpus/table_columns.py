"""Tables of recordings under other names of columns than a manifest has, and the folder that their paths begin in."""

from collections.abc import Mapping
from os.path import commonpath
from pathlib import Path
from typing import Final

from speechgmm.corpus.readers.manifest import TABLES, table_rows
from speechgmm.errors import DataError

OTHER_NAMES: Final[Mapping[str, tuple[str, ...]]] = {
    "path": ("file_name", "filename", "file", "filepath", "file_path", "audio", "audio_path", "wav", "recording_path"),
    "start": ("onset", "begin", "start_time", "tmin", "xmin"),
    "end": ("offset", "stop", "end_time", "tmax", "xmax"),
    "split": ("subset", "partition"),
}
"""Column of a manifest -> what other tables call it."""

LOOKED_AT: Final = 50
"""Paths of a table that are looked for, to learn where its recordings lie."""


def columns_of(path: Path) -> tuple[str, ...]:
    """The columns of a table. Raises DataError if it cannot be read."""
    return next((tuple(row) for _, row in table_rows(path) if isinstance(row, dict)), ())


def names_of(path: Path) -> dict[str, str]:
    """Column of a manifest -> what this table calls it. Raises DataError if it cannot be read."""
    by_name = {column.lower(): column for column in columns_of(path)}
    found = {}
    for column, others in OTHER_NAMES.items():
        name = next((by_name[name] for name in (column, *others) if name in by_name), None)
        if name is not None:
            found[column] = name
    return found


def is_of_recordings(file: Path) -> bool:
    """Whether a file is a table with a column that names recordings."""
    try:
        return file.suffix.lower() in TABLES and file.is_file() and "path" in names_of(file)
    except DataError:
        return False


def root_of(path: Path) -> Path | None:
    """The folder that the paths of a table of recordings begin in; None where none of them is found.

    It is the table's own folder, or one near it that has all of them (``audio`` beside ``meta/list.csv``); where they
    are absolute and not below the table, the folder that has them all.
    """
    column = names_of(path)["path"]
    names = [row[column] for _, row in table_rows(path) if isinstance(row, dict)]
    some = [Path(name) for name in names[:LOOKED_AT]]
    if all(name.is_absolute() and name.exists() for name in some):
        top = Path(commonpath([Path(name).parent for name in names if Path(name).is_absolute()]))
        return path.parent if top.is_relative_to(path.parent) else top
    if any((path.parent / name).exists() for name in some):
        return path.parent
    near = (
        folder
        for above in (path.parent, path.parent.parent)
        for folder in (above, *sorted(child for child in above.iterdir() if child.is_dir()))
    )
    return next((folder for folder in near if all((folder / name).exists() for name in some)), None)


def renamed(path: Path) -> list[dict[str, str]]:
    """The rows of a table under the names that a manifest has. Raises DataError for rows that are wrong."""
    new = {name: column for column, name in names_of(path).items()}
    rows = []
    for line, row in table_rows(path):
        if isinstance(row, str):
            raise DataError(f"{path}, line {line}: {row}")
        rows.append({new.get(column, column): value for column, value in row.items()})
    if any("path" not in row for row in rows):
        raise DataError(f"{path}: no column that names the recordings ({', '.join(OTHER_NAMES['path'])})")
    return rows
