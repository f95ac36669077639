"""The forms that a run's table of scores has on disk, and its rows whatever the form.

    scores.tsv, scores.tsv.gz    wide: a row for each item and a column for each class; or long: a row for each item and
                                 class, which end in the columns ``class`` and ``mean_log_likelihood`` (or
                                 ``log_posterior``)
    scores.parquet               Apache Parquet, of the long form

Trials and scores of recordings have one score in a row, so that wide and long are the same for them.
"""

import csv
import gzip
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import IO, Any, Final

from speechgmm.errors import ConfigError, DataError
from speechgmm.io.run_files import RunFile
from speechgmm.io.text_file import check_regular

LOG_POSTERIOR: Final = "log_posterior:"
"""Before the name of a class in the header of ``scores.tsv``: the column holds log posteriors in nats.

A column headed by the name alone holds mean log-likelihoods in nats per frame.
"""

CLASS: Final = "class"
LONG_SCORES: Final = {"mean_log_likelihood": "", "log_posterior": LOG_POSTERIOR}
"""The last column of the long form -> what stands before the names of classes in the wide form."""

FORMS: Final = (RunFile.SCORES, RunFile.SCORES_GZIP, RunFile.SCORES_PARQUET)
"""The files that a run's scores may be in; there is one of them."""


def scores_path(folder: Path) -> Path:
    """The table of scores in a run's folder, whatever its form; ``scores.tsv`` where there is none.

    >>> scores_path(Path("runs/none")).name
    'scores.tsv'
    """
    return next((folder / name for name in FORMS if (folder / name).exists()), folder / RunFile.SCORES)


def is_parquet(path: Path) -> bool:
    """Whether the name is that of a Parquet file."""
    return path.suffix == ".parquet"


def cells_of_lines(lines: Iterable[str]) -> Iterator[list[str]]:
    """The cells of each line of a table that a run has written."""
    return (row for row in csv.reader(lines, delimiter="\t", quoting=csv.QUOTE_NONE) if row)


def score_rows(path: Path) -> Iterator[list[str]]:
    """The header and the rows of a table that a run has written, one after another: there may be a million.

    Raises:
        OSError: It cannot be read.
        DataError: It is damaged.
        ConfigError: It is a Parquet file, and pyarrow is not installed.
    """
    check_regular(path)
    if is_parquet(path):
        yield from _parquet_rows(path)
        return
    try:
        with _opened(path) as file:
            yield from cells_of_lines(line.rstrip("\n") for line in file)
    except (EOFError, gzip.BadGzipFile) as error:
        raise DataError(f"{path}: damaged ({error}); copy it or make it again") from None


def _opened(path: Path) -> IO[str]:
    # Lines end with \n alone: a label may hold one of the rarer line ends.
    how: dict[str, Any] = {"encoding": "utf-8", "errors": "surrogateescape", "newline": "\n"}
    file: IO[str] = gzip.open(path, "rt", **how) if path.suffix == ".gz" else path.open(**how)  # noqa: SIM115
    return file


def pyarrow() -> tuple[Any, Any]:
    """The modules ``pyarrow`` and ``pyarrow.parquet``.

    Raises:
        ConfigError: They are not installed.
    """
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError:
        raise ConfigError(
            "scores as Parquet need pyarrow, which is not installed; pip install 'speechgmm[parquet]', or set "
            "tables.scores to long"
        ) from None
    return pyarrow, pyarrow.parquet


def _parquet_rows(path: Path) -> Iterator[list[str]]:
    arrow, parquet = pyarrow()
    try:
        with parquet.ParquetFile(path) as file:
            yield file.schema_arrow.names
            for batch in file.iter_batches():
                columns = [map(str, column.to_pylist()) for column in batch.columns]
                yield from map(list, zip(*columns, strict=True))
    except arrow.ArrowInvalid as error:
        raise DataError(f"{path}: not a Parquet file, or damaged ({error}); copy it or make it again") from None


def is_long(head: Sequence[str]) -> bool:
    """Whether a table has a row for each item and class, by its header.

    >>> is_long(["id", "true", "predicted", "n_frames", "class", "mean_log_likelihood"])
    True
    >>> is_long(["id", "true", "predicted", "n_frames", "ba", "da"])
    False
    """
    return len(head) > 2 and head[-2] == CLASS and head[-1] in LONG_SCORES and head[0] == "id"


def widened(rows: Iterator[list[str]]) -> Iterator[list[str]]:
    """The header and the rows of a table with a column for each class, made of either form.

    Raises:
        DataError: An item of the long form that does not have the classes of the first, in their order.

    >>> long = [["id", "class", "log_posterior"], ["a", "x", "-1"], ["a", "y", "-2"]]
    >>> list(widened(iter(long)))
    [['id', 'log_posterior:x', 'log_posterior:y'], ['a', '-1', '-2']]
    """
    head = next(rows, [])
    if not is_long(head):
        if head:
            yield head
        yield from rows
        return
    labels: list[str] | None = None
    for own, found in groupby(rows, key=lambda row: row[:-2]):
        cells = [row[-2:] for row in found]
        names = [name for name, _ in cells]
        if labels is None:
            labels = names
            yield [*head[:-2], *(LONG_SCORES[head[-1]] + name for name in labels)]
        if names != labels:
            raise DataError(
                f"item {own[0]!r} has {len(names)} rows of classes; expected the {len(labels)} classes of the first "
                "item, in the same order"
            )
        yield [*own, *(score for _, score in cells)]
