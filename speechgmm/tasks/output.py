"""What commands print of recordings: rows as they are ready, and the errors of those that failed."""

import json
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Generic, TypeVar

from speechgmm.engine.compilation import compile_note
from speechgmm.engine.console import Console
from speechgmm.errors import DataError
from speechgmm.io.samples import AudioSource
from speechgmm.io.tables import cell
from speechgmm.io.terminal import one_line, tell

Result = TypeVar("Result")
Row = Mapping[str, object]


class Results(Generic[Result]):
    """The results of recordings one by one; of a recording that failed the error is printed and counted.

    A progress bar is shown where the results do not appear on the terminal, and a note where something is compiled.
    """

    def __init__(
        self, found: Iterable[tuple[AudioSource, Result | DataError]], n_recordings: int, what: str, *, quiet: bool
    ) -> None:
        hidden = n_recordings > 1 and not sys.stdout.isatty() and sys.stderr.isatty()
        self._console = Console(quiet=quiet)
        self._found = self._console.track(found, n_recordings, what if hidden else None)
        self.n_failed = 0

    def __iter__(self) -> Iterator[tuple[AudioSource, Result]]:
        with compile_note(self._console):
            for path, result in self._found:
                if isinstance(result, DataError):
                    self.failed(result)
                else:
                    yield path, result

    def failed(self, error: DataError) -> None:
        """Print and count an error of one recording; the others go on."""
        self.n_failed += 1
        tell(f"error: {error}")


def print_rows(
    rows: Iterable[Row],
    form: str,
    columns: Sequence[str],
    lines: Callable[[Iterable[Row]], Iterable[str]],
    *,
    flush: bool = False,
) -> None:
    """Print rows as JSON, a line each; as a table with tabs and these columns; or for a person, as ``lines``.

    With ``flush`` each line leaves at once, whoever reads it.
    """
    if form == "jsonl":
        for row in rows:
            print(json.dumps(row, ensure_ascii=False), flush=flush)
    elif form == "tsv":
        print("\t".join(columns))
        for row in rows:
            print("\t".join("" if row[name] is None else cell(row[name]) for name in columns), flush=flush)
    else:
        plain = (
            {name: one_line(value) if isinstance(value, str) else value for name, value in row.items()} for row in rows
        )
        for line in lines(plain):
            print(line, flush=flush)
