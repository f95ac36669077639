"""How a run's table of scores is written: wide, long or as Parquet, plain or compressed."""

import gzip
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO, Final, Literal

import numpy as np
from numpy.typing import NDArray

from speechgmm.errors import DataError
from speechgmm.io.atomic import write_atomically
from speechgmm.io.run_files import RunFile
from speechgmm.io.score_forms import CLASS, FORMS, LONG_SCORES, cells_of_lines, pyarrow
from speechgmm.io.tables import cell

Form = Literal["wide", "long", "parquet"]

NUMBERS: Final = frozenset(
    ("raw", "score", "cohort_mean", "llr", "n_frames", "threshold", "p_value", "start", "end", *LONG_SCORES)
)
"""Columns of a run's own that hold numbers; names that look like numbers stay text."""

ROWS_AT_ONCE: Final = 2**20
"""Rows of Parquet that are made at a time, about."""


@dataclass(frozen=True, slots=True, eq=False)
class ClassTable:
    """Decisions between C classes about N items, with the scores of every class.

    >>> table = ClassTable({"id": ["a"], "true": ["x"]}, ("x", "y"), np.array([[-1.0, -2.5]]), are_posteriors=False)
    >>> print(*table.lines("long"), sep="")
    id  true  class  mean_log_likelihood
    a   x     x      -1.000000
    a   x     y      -2.500000
    """

    columns: Mapping[str, Sequence[Any]]  # its own: id, true, predicted, ...; N values each
    labels: tuple[str, ...]  # C
    scores: NDArray[np.float64]  # (N, C) nats per frame; log posteriors in nats
    are_posteriors: bool

    @property
    def score_name(self) -> str:
        """The column of scores in the long form."""
        return list(LONG_SCORES)[self.are_posteriors]

    def lines(self, form: Form) -> Iterator[str]:
        """The lines of the table as text: a column for each class (``wide``), or a row (``long``)."""
        prefix = LONG_SCORES[self.score_name]
        labels = [cell(f"{prefix if form == 'wide' else ''}{label}") for label in self.labels]
        rows = zip(*(map(cell, values) for values in self.columns.values()), strict=True)
        if form == "wide":
            yield "\t".join((*map(cell, self.columns), *labels)) + "\n"
            numbers = "\t%.6f" * len(labels)  # by one format: a tenth of the time that each by itself takes
        else:
            yield "\t".join((*map(cell, self.columns), CLASS, self.score_name)) + "\n"
        for own, scores in zip(rows, self.scores, strict=True):
            begin = "\t".join(own)
            if form == "wide":
                yield f"{begin}{numbers % tuple(scores.tolist())}\n"
            else:
                yield "".join(f"{begin}\t{label}\t{score:.6f}\n" for label, score in zip(labels, scores, strict=True))

    def parcels(self) -> Iterator[dict[str, Any]]:
        """Columns of the long form, of some items at a time."""
        step = max(1, ROWS_AT_ONCE // max(1, len(self.labels)))
        for first in range(0, len(self.scores), step):
            scores = self.scores[first : first + step]
            item = np.repeat(np.arange(len(scores)), len(self.labels))
            own = {name: _array(name, values[first : first + step]).take(item) for name, values in self.columns.items()}
            names = _array(CLASS, self.labels).take(np.tile(np.arange(len(self.labels)), len(scores)))
            yield {**own, CLASS: names, self.score_name: _array(self.score_name, scores.round(6).ravel())}


def write_scores(folder: Path, found: "str | ClassTable", form: Form, *, compressed: bool) -> None:
    """Write a table of scores into a run's folder; one in another form does not stay beside it.

    ``found`` is text where its rows hold one score each (trials, recordings), which are the same wide and long.

    Raises:
        DataError: The disk is full; a name that Parquet cannot hold, because it is not UTF-8.
        ConfigError: Parquet, and pyarrow is not installed.
    """
    name = RunFile.SCORES_PARQUET if form == "parquet" else RunFile.SCORES_GZIP if compressed else RunFile.SCORES
    if form == "parquet":
        parcels = [_columns_of(found)] if isinstance(found, str) else found.parcels()
        write_atomically(folder / name, partial(_write_parquet, parcels))
    else:
        lines = [found] if isinstance(found, str) else found.lines(form)
        write_atomically(folder / name, partial(_write_text, lines, compressed))
    for other in FORMS:
        if other != name:
            (folder / other).unlink(missing_ok=True)


def _write_text(lines: Iterable[str], compressed: bool, file: BinaryIO) -> None:
    data = (line.encode("utf-8", "surrogateescape") for line in lines)
    if not compressed:
        file.writelines(data)
        return
    # Without name and time, so that the same scores give the same bytes.
    with gzip.GzipFile("", "wb", compresslevel=6, fileobj=file, mtime=0) as packed:
        packed.writelines(data)


def _write_parquet(parcels: Iterable[Mapping[str, Any]], file: BinaryIO) -> None:
    arrow, parquet = pyarrow()
    writer = None
    for columns in parcels:
        rows = arrow.table(dict(columns))
        writer = writer or parquet.ParquetWriter(file, rows.schema, compression="zstd")
        writer.write_table(rows)
    if writer is not None:
        writer.close()


def _columns_of(text: str) -> dict[str, Any]:
    head, *rows = cells_of_lines(text.split("\n"))
    columns = zip(*rows, strict=True) if rows else ((),) * len(head)
    return {name: _array(name, values) for name, values in zip(head, columns, strict=True)}


def _array(name: str, values: Sequence[Any] | NDArray[np.float64]) -> Any:
    """A column of Parquet: numbers where it is known to hold numbers, else text."""
    arrow, _ = pyarrow()
    if name == "n_frames":
        return arrow.array(np.asarray(values, np.int64))
    if name in NUMBERS:
        return arrow.array(np.asarray(values, np.float64))
    try:
        return arrow.array(list(map(str, values)), arrow.string())
    except UnicodeEncodeError as error:
        raise DataError(
            f"{str(error.object)[:80]!r} is not UTF-8, and Parquet holds nothing else; set tables.scores to long"
        ) from None
