"""The manifest: a table with one row per utterance (TSV, CSV or JSON Lines, by extension).

A manifest is checked whole before any recording is opened, and every bad line is named at once.
"""

import csv
import difflib
import io
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from os.path import normpath
from pathlib import Path
from typing import Final

from speechgmm.corpus.listing import listed
from speechgmm.corpus.readers.files import SPLIT_NAMES
from speechgmm.corpus.spec import SplitSpec
from speechgmm.corpus.utterance import SPLITS, Corpus, Utterance
from speechgmm.errors import DataError
from speechgmm.io.tables import number, read_table, windows_path
from speechgmm.io.text_file import HALF, is_text

TABLES: Final = (".tsv", ".csv", ".jsonl")
"""Suffixes of tables, in lower case."""

RESERVED = ("path", "id", "start", "end", "split")


def read_manifest(
    path: Path,
    root: Path | None,
    label: str | None,
    *,
    unlabelled: bool = False,
    needs_path: bool = True,
    splits: SplitSpec | None = None,
) -> Corpus:
    """The utterances of a manifest, in its order.

    Args:
        path: The table; ``.tsv``, ``.csv`` (commas or semicolons) or ``.jsonl``, in UTF-8 or UTF-16.
        root: Folder that the paths are relative to and must not leave; default: the manifest's.
        label: The column to model; it must be there. None: no labels are needed.
        unlabelled: Rows may have no value in that column.
        needs_path: There must be a path; else the id names a recording too.
        splits: Which column says the split, and by what names; default: the column ``split``, by the splits' own.

    Raises:
        DataError: The table cannot be read, a column is missing, or rows are wrong (all are listed).
    """
    rows = [(f"{path.name}, line {line}", row) for line, row in table_rows(path)]
    return corpus_of_rows(
        path, rows, root or path.parent, label, unlabelled=unlabelled, needs_path=needs_path, splits=splits
    )


def corpus_of_rows(
    path: Path,
    rows: "list[tuple[str, Row]]",
    root: Path,
    label: str | None,
    *,
    unlabelled: bool = False,
    needs_path: bool = True,
    splits: SplitSpec | None = None,
) -> Corpus:
    """The utterances of rows that a manifest has, each with where it stands; the rest as `read_manifest`."""
    root = Path(normpath(root.absolute()))
    if not rows:
        raise DataError(f"{path}: no rows below the header; expected is a row for each recording")
    splits = splits or SplitSpec()
    keys = {splits.column: "corpus.split.column"} if splits.column != "split" else {}
    _check_columns(path, rows, {**keys, **({} if label is None else {label: "corpus.label"})}, needs_path=needs_path)
    read: list[Utterance] = []
    problems: list[str] = []
    for where, row in rows:
        try:
            if isinstance(row, str):
                raise DataError(f"{where}: {row}")
            utterance = _utterance(row, root, where, splits)
            # Background material needs no label.
            if label is not None and utterance.split != "ubm" and not unlabelled:
                utterance.label(label)
            read.append(utterance)
        except DataError as error:
            problems.append(str(error))
    utterances = _with_names(read, root)
    firsts: dict[str, str] = {}
    for utterance in utterances:
        first = firsts.setdefault(utterance.id, utterance.source)
        if first != utterance.source:
            first = first.removeprefix(f"{path.name}, ")
            problems.append(f"{utterance.source}: id {utterance.id!r} is also that of {first}; ids are unique")
    if problems:
        raise DataError(f"{path}: {len(problems)} of {len(rows)} rows cannot be used:\n{listed(problems)}")
    return Corpus(tuple(utterances), label or "", root)


def _check_columns(path: Path, rows: Sequence[tuple[str, "Row"]], keys: Mapping[str, str], *, needs_path: bool) -> None:
    """Refuse a table without a column that is needed; ``keys`` has the key of the configuration that names it."""
    columns = list(dict.fromkeys(column for _, row in rows if isinstance(row, dict) for column in row))
    names = "path" if needs_path or "id" not in columns else "id"
    for column in (names, *keys):
        if columns and column not in columns:
            near = difflib.get_close_matches(column, columns, 1)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            key = f" ({keys[column]})" if column in keys else ""
            raise DataError(f"{path}: no column {column!r}{key}; the columns are {', '.join(columns)}{hint}")


def _with_names(rows: list[Utterance], root: Path) -> list[Utterance]:
    """Rows with the default id where none was given: path without extension, with it where two differ in it alone."""
    stems: dict[Path, set[Path]] = {}
    for utterance in rows:
        stems.setdefault(utterance.path.with_suffix(""), set()).add(utterance.path)
    named = []
    for utterance in rows:
        if not utterance.id:
            path = utterance.path
            stem = path.with_suffix("")
            name = (path if len(stems[stem]) > 1 else stem).relative_to(root).as_posix()
            if utterance.start is not None or utterance.end is not None:
                end = "end" if utterance.end is None else f"{utterance.end:.3f}"
                name += f":{utterance.start or 0:.3f}-{end}"
            utterance = replace(utterance, id=name)
        named.append(utterance)
    return named


Row = dict[str, str] | str
"""Column -> text; or what is wrong with the row."""


def table_rows(path: Path) -> Iterator[tuple[int, Row]]:
    """Line number and content of every row that is not blank."""
    suffix = path.suffix.lower()
    if suffix not in TABLES and path.exists():
        raise DataError(f"{path}: a manifest ends in .tsv, .csv or .jsonl, not {path.suffix or 'nothing'!r}")
    text = read_table(path, "there is no such manifest (corpus.path, relative to the configuration file)")
    if not text.strip():
        raise DataError(f"{path}: the table is empty; expected a row for each recording")
    if suffix == ".jsonl":
        yield from _json_rows(text)
    else:
        yield from _table_rows(path, text, "\t" if suffix == ".tsv" else _of_csv(text))


def _json_rows(text: str) -> Iterator[tuple[int, Row]]:
    for line, content in enumerate(text.split("\n"), 1):
        if not content.strip():
            continue
        try:
            row = json.loads(content)
        except json.JSONDecodeError as error:
            yield line, f"not JSON ({error.msg} at character {error.pos})"
            continue
        except (RecursionError, ValueError) as error:  # nested too deeply; a number of thousands of digits
            yield line, f"not JSON that can be read ({error})"
            continue
        if not isinstance(row, dict):
            yield line, "a JSON object is expected, one per line"
            continue
        cells = {str(key): "" if value is None else str(value).strip() for key, value in row.items()}
        yield line, cells if is_text("".join((*cells, *cells.values()))) else f"a text with {HALF}"


def _of_csv(text: str) -> str:
    """What separates a CSV: a comma, or the semicolon that is written where numbers have a decimal comma."""
    return ";" if "," not in (header := text.partition("\n")[0]) and ";" in header else ","


def _table_rows(path: Path, text: str, separator: str) -> Iterator[tuple[int, Row]]:
    # Quotes in a TSV are ordinary characters (transcripts hold them); in a CSV they quote.
    lines = io.StringIO(text, newline="")
    if separator == "\t":
        reader = csv.reader(lines, delimiter=separator, quoting=csv.QUOTE_NONE)
    else:
        reader = csv.reader(lines, delimiter=separator)
    header = [column.strip() for column in next(reader, [])]
    if len(header) < 2:
        raise DataError(
            f"{path}: the header {text.splitlines()[0] if text else ''!r} is one column; "
            f"{path.suffix} is separated by {'tabs' if separator == chr(9) else 'commas or semicolons'}"
        )
    if len(set(header)) < len(header):
        twice = next(column for column in header if header.count(column) > 1)
        raise DataError(f"{path}: the header names column {twice!r} twice; rename one of them")
    try:
        for cells in reader:
            if not any(cell.strip() for cell in cells):
                continue
            if len(cells) != len(header):
                yield reader.line_num, f"{len(cells)} cells under a header of {len(header)} columns"
            else:
                yield reader.line_num, dict(zip(header, (cell.strip() for cell in cells), strict=True))
    except csv.Error as error:
        raise DataError(f"{path}, line {reader.line_num}: not a table ({error}); is a quote left open?") from None


def _utterance(row: dict[str, str], root: Path, source: str, splits: SplitSpec) -> Utterance:
    name = row.get("path", row.get("id", ""))
    if not name:
        raise DataError(f"{source}: 'path' is empty; expected is the path of a recording")
    if "\0" in name:
        raise DataError(f"{source}: the path {name!r} has a zero byte in it")
    path = Path(normpath(root / name))
    if (hint := windows_path(name)) and not path.exists():
        raise DataError(f"{source}: there is no such recording{hint}")
    # A root that is a link may be named by either of its names; a link inside it to elsewhere is the user's choice.
    if not path.is_relative_to(root) and path.is_relative_to(root.resolve()):
        path = root / path.relative_to(root.resolve())
    if not path.is_relative_to(root):
        raise DataError(
            f"{source}: {name!r} leaves the corpus root {root}; set corpus.root to a folder that holds all recordings"
        )
    if path == root:
        raise DataError(f"{source}: {name!r} is the corpus root, not a recording")
    start, end = _seconds(row, "start", source), _seconds(row, "end", source)
    if end is not None and end <= (start or 0.0):
        raise DataError(
            f"{source}: end {end:g} s is not after start {start or 0:g} s; "
            "expected are seconds, the end after the start"
        )
    split = row.get(splits.column, "")
    split = (splits.names or {}).get(split, SPLIT_NAMES.get(split.lower(), split))
    if split and split not in SPLITS:
        known = ", ".join((*SPLITS, *(splits.names or ())))
        raise DataError(f"{source}: split {split!r}; expected one of {known}")
    labels = {column: value for column, value in row.items() if column not in RESERVED}
    return Utterance(row.get("id", ""), path, start, end, split, labels, source)


def _seconds(row: dict[str, str], column: str, source: str) -> float | None:
    text = row.get(column, "")
    if not text:
        return None
    try:
        value = number(text)
    except ValueError:
        raise DataError(f"{source}: {column} {text!r} is not a number of seconds") from None
    if not math.isfinite(value) or value < 0:
        raise DataError(f"{source}: {column} {text!r} is not a time within a recording, in seconds")
    return value
