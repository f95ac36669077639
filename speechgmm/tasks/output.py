"""What commands print of recordings: rows as they are ready, and the errors of those that failed."""

import json
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from math import inf
from os.path import commonpath
from pathlib import Path
from typing import Final, Generic, TypeVar

from speechgmm.engine.compilation import compile_note
from speechgmm.engine.console import Console
from speechgmm.errors import ConfigError, DataError
from speechgmm.io.atomic import write_text
from speechgmm.io.given_frames import stem_of
from speechgmm.io.label_files import FORMATS, WRITTEN, format_by_suffix, labels_as_text, write_labels
from speechgmm.io.samples import AudioSource
from speechgmm.io.tables import cell
from speechgmm.io.terminal import one_line, tell
from speechgmm.io.timed_labels import LabelledRecording

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
            plain_row = {name: None if value in (inf, -inf) else value for name, value in row.items()}
            print(json.dumps(plain_row, ensure_ascii=False), flush=flush)  # JSON has no infinity
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


PERSONAL: Final = ("text", "table")
"""Formats for a person."""


class LabelOutput:
    """Where labels with times go: to a file, to a file for each recording in a folder, or to standard output.

    Args:
        form: Format, by name; None: by the suffix of ``out``, else ``default``.
        out: A file, where its suffix is that of a label file; else a folder; None: standard output.
        paths: The recordings.
        printed: Formats that the command makes by itself (``text``), the one for a person first; in ``add_text``.
        rows: Whether the printed formats are rows of all recordings together, which go to standard output alone.
        default: Format where nothing says another; default: the first that is printed.
        quiet: Do not print the names of files.

    Raises:
        ConfigError: A file's suffix and the format do not agree, or neither says the format; several recordings for a
            file that holds one, or recordings that would share a name in the output: in one file, or in a folder
            where they lie in one folder themselves.
    """

    def __init__(
        self,
        form: str | None,
        out: Path | None,
        paths: Sequence[AudioSource],
        *,
        printed: Sequence[str],
        default: str = "",
        rows: bool = False,
        quiet: bool = False,
    ) -> None:
        by_suffix = None if out is None else format_by_suffix(out)
        chosen = form or (by_suffix.name if by_suffix is not None else default or printed[0])
        self.form = printed[0] if chosen in PERSONAL else chosen
        self.is_of_files = self.form in FORMATS and (out is not None or self.form not in printed)
        """Whether the format is one of label files; else the command makes the text."""
        self._file = out if by_suffix is not None else None
        self._folder = out if by_suffix is None else None
        self._top: Path | None = None
        """The folder above all recordings, where names recur: the output then has the folders below it."""
        self._quiet = quiet
        self._waiting: list[LabelledRecording] = []
        if out is not None:
            self._check_place(out, form or "", default, rows)
        self._check_names(paths)

    def _check_place(self, out: Path, form: str, default: str, rows: bool) -> None:
        if not (form or default) and self._file is None:
            raise ConfigError(
                f"{out}: neither its suffix nor a format says what to write; expected one of {', '.join(WRITTEN)}",
                arguments=("output", "format"),
            )
        if self._file is None and rows and not self.is_of_files:
            raise ConfigError(
                f"{out}: {form} is printed; expected a label file, in one of the formats {', '.join(WRITTEN)}",
                arguments=("output", "format"),
            )
        if self._file is None and out.is_file():
            raise ConfigError(
                f"{out}: a file, and a file for each recording needs a folder; name another place",
                arguments=("output",),
            )
        suffix = self._suffix
        if self._file is not None and form and out.suffix.lower() != Path(f"a{suffix}").suffix.lower():
            raise ConfigError(
                f"{out}: its suffix is not that of {form}; expected a name that ends in {suffix}, or a folder",
                arguments=("output", "format"),
            )

    @property
    def _suffix(self) -> str:
        return FORMATS[self.form].suffix if self.is_of_files else ".jsonl" if self.form == "jsonl" else ".txt"

    def _check_names(self, paths: Sequence[AudioSource]) -> None:
        format = FORMATS.get(self.form)
        if format is not None and not format.several and self._folder is None and len(paths) > 1:
            raise ConfigError(
                f"{format.what} holds one recording, and there are {len(paths)}; name a folder for a file of each",
                arguments=("output",),
            )
        stems = [stem_of(path) for path in paths]
        by_name = self._folder is not None or self.form in ("ctm", "rttm", "raven")
        if len(set(stems)) == len(stems) or not by_name:
            return
        folders = [path.absolute().parent for path in paths if isinstance(path, Path)]
        apart = len(set(zip(folders, stems, strict=False))) == len(stems) == len(folders)
        if self._folder is not None and apart:
            self._top = Path(commonpath(folders))
        else:
            twice = next(stem for stem in stems if stems.count(stem) > 1)
            raise ConfigError(
                f"several recordings are called {twice!r}, and the output names them without folders and endings; "
                "write one file in the format csv, or take the recordings of one folder at a time",
                arguments=("output", "format"),
            )

    def _place(self, path: AudioSource) -> Path:
        """The file of a recording in the folder."""
        below = path.absolute().parent.relative_to(self._top) if self._top and isinstance(path, Path) else Path()
        return (self._folder or Path()) / below / f"{stem_of(path)}{self._suffix}"

    def add(self, recording: LabelledRecording) -> None:
        """Write or print a recording, or keep it for a file of all.

        Raises:
            DataError: What cannot stand in the format.
        """
        if self._folder is not None:
            target = self._place(recording.path)
            write_labels(target, [recording], self.form)
            self._say(target)
        elif self._file is None and (FORMATS[self.form].joined or not FORMATS[self.form].several):
            print(labels_as_text([recording], self.form), end="", flush=True)
        else:
            labels_as_text([recording], self.form)  # what is refused is said of this recording
            self._waiting.append(recording)

    def add_text(self, path: AudioSource, text: str) -> None:
        """Write or print what the command made of a recording."""
        if self._folder is None:
            print(text, end="", flush=True)
            return
        target = self._place(path)
        write_text(target, text)
        self._say(target)

    def finish(self) -> None:
        """Write or print the file of all recordings."""
        if self._file is not None and self._waiting:
            write_labels(self._file, self._waiting, self.form)
            self._say(self._file)
        elif self._waiting:
            print(labels_as_text(self._waiting, self.form), end="", flush=True)

    def _say(self, target: Path) -> None:
        from speechgmm.report.text import shown

        if not self._quiet:
            print(shown(target))
