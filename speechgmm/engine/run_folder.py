"""A run's folder: written and read in one place.

Every file but ``config.yaml`` may be missing: a run that only trained, or one of an earlier version. A part is read
from its file when it is first asked for, so that the metrics of a run with a million trials are there at once.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Generic, TypeAlias, TypeVar, cast
from urllib.parse import quote

import numpy as np
from numpy.typing import NDArray

from speechgmm.config import TableSpec, plain_values
from speechgmm.corpus.utterance import classes_within_groups
from speechgmm.engine.model_card_text import card_page
from speechgmm.engine.run_scores import Claims, Decisions, Row, claims_of, decisions_of, other_scores
from speechgmm.engine.task import AnyTask, task_of_run
from speechgmm.errors import ConfigError, DataError
from speechgmm.evaluation import Metric
from speechgmm.io.atomic import write_atomically, write_text
from speechgmm.io.model_card import ModelCard, known_card, same_models, with_card
from speechgmm.io.run_files import CONFUSED_PAIRS, FOLDS, OF_THE_MODELS, RunFile, is_run
from speechgmm.io.score_forms import FORMS, cells_of_lines, score_rows, scores_path
from speechgmm.io.score_table import ClassTable, write_scores
from speechgmm.io.tables import table
from speechgmm.io.text_file import check_regular

Items: TypeAlias = dict[tuple[str, ...], tuple[str, ...]]
Found = TypeVar("Found")


class Part(Generic[Found]):
    """A part of a run's folder: what it was made with, else what ``read`` finds when it is first asked for."""

    def __init__(self, read: "Callable[[RunFolder], Found]") -> None:
        self._read = read

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    def __get__(self, run: "RunFolder | None", owner: type) -> Found:
        if run is None:
            return cast(Found, self)  # the default of the field: not read yet
        if run.__dict__[self._name] is self:
            with run.reading():
                run.__dict__[self._name] = self._read(run)
        return cast(Found, run.__dict__[self._name])

    def __set__(self, run: "RunFolder", found: Found) -> None:
        run.__dict__[self._name] = found


@dataclass(frozen=True, eq=False)
class RunFolder:
    """A run's folder: what it holds, and how it is written. A part raises DataError where its file cannot be read."""

    folder: Path
    config: Part[Mapping[str, Any]] = Part(lambda run: dict(plain_values(run.text(RunFile.CONFIG), RunFile.CONFIG)[0]))
    environment: Part[Mapping[str, Any]] = Part(lambda run: run.entries(RunFile.ENVIRONMENT))
    metrics: Part[Mapping[str, Any]] = Part(lambda run: run.entries(RunFile.METRICS))  # each metric as a ``Metric``
    confusion: Part[tuple[tuple[str, ...], NDArray[np.int64]] | None] = Part(lambda run: _confusion(run))  # and labels
    per_class: Part[tuple[Row, ...]] = Part(lambda run: run.rows(RunFile.PER_CLASS))
    classes: Part[tuple[Row, ...]] = Part(lambda run: run.rows(RunFile.CLASSES))
    data: Part[tuple[Row, ...]] = Part(lambda run: run.rows(RunFile.DATA))
    rejected: Part[tuple[Row, ...]] = Part(lambda run: run.rows(RunFile.REJECTED))
    places: Part[Mapping[str, Row]] = Part(lambda run: {row["id"]: row for row in run.rows(RunFile.PROTOCOL)})
    decisions: Part[Decisions | None] = Part(decisions_of)
    claims: Part[Claims | None] = Part(claims_of)
    scores: Part[tuple[Row, ...]] = Part(other_scores)  # neither of decisions nor of claims
    audio_root: Path | None = None  # the folder below which recordings are read; None: the one that the run names
    is_own: bool = False  # made just now: what it says of recordings is so

    @property
    def name(self) -> str:
        """What was run."""
        return str(self.environment.get("config") or self.folder.name)

    @property
    def task(self) -> AnyTask:
        """The task that was run."""
        return task_of_run(self.config)

    @property
    def results(self) -> dict[str, Metric]:
        """The metrics of all test items; empty: nothing was tested."""
        return {name: value for name, value in self.metrics.items() if isinstance(value, Metric)}

    def path_of(self, identifier: str) -> Path:
        """Where the recording of an utterance lies, below ``audio_root``.

        Raises:
            DataError: The run does not say, or says a place outside of that folder: whoever made the run's files could
                name any file.
        """
        said, row = self.environment.get("corpus_root"), self.places.get(identifier)
        root = self.audio_root or (None if said is None else Path(str(said)))
        if root is None or row is None:
            raise DataError("the run does not say where its recordings lay; run it again with this version")
        path = root / row["path"]
        if self.is_own:
            return path
        if self.audio_root is None and not _is_below(root, Path.cwd()):
            raise DataError(
                f"its recordings lie in {root}, outside of the folder where the report was made. The files of a run "
                "that somebody else made could name any file; name the folder of its recordings (audio_root)"
            )
        if not _is_below(path, root):
            raise DataError(f"{path} lies outside of {root}, the folder of the run's recordings; it is not read")
        return path

    # ---- reading ----

    @contextmanager
    def reading(self) -> Iterator[None]:
        """Whatever a damaged file raises here, as a DataError that names the folder."""
        try:
            yield
        except FileNotFoundError as error:
            missing = Path(error.filename).name
            raise DataError(
                f"{self.folder}: not the folder of a finished run (no {missing} in it); "
                "`speechgmm run` with its configuration finishes it"
            ) from None
        except (OSError, ValueError, KeyError, IndexError, TypeError, AttributeError) as error:
            raise DataError(
                f"{self.folder}: a file of this run cannot be read ({type(error).__name__}: {error}); was it changed "
                "by hand, or made by another version? Run it again"
            ) from None

    def has(self, name: RunFile) -> bool:
        """Whether the file is there."""
        return self.path(name).exists()

    def path(self, name: RunFile) -> Path:
        """Where a file is; the scores are in whatever form they were written in."""
        return scores_path(self.folder) if name == RunFile.SCORES else self.folder / name

    def text(self, name: RunFile) -> str:
        """A file as text."""
        check_regular(self.folder / name)
        return (self.folder / name).read_text(encoding="utf-8", errors="surrogateescape")

    def entries(self, name: RunFile) -> dict[str, Any]:
        """A JSON file, its metrics as values; empty where there is none."""
        return dict(json.loads(self.text(name), object_hook=_metric)) if self.has(name) else {}

    def heading(self, name: RunFile) -> list[str]:
        """The column names of a table, without its rows: there may be a million. Empty where there is none."""
        if not self.has(name):
            return []
        return next(score_rows(self.path(name)), [])

    def table(self, name: RunFile) -> tuple[list[str], list[list[str]]]:
        """Column names and rows of a table."""
        if name == RunFile.SCORES:
            head, *rows = score_rows(self.path(name))
        else:  # not splitlines: a label may hold one of the rarer line ends
            head, *rows = cells_of_lines(self.text(name).split("\n"))
        return head, rows

    def rows(self, name: RunFile) -> tuple[Row, ...]:
        """Rows by column name; where a label column has the name of one of the run's own, the first counts."""
        if not self.heading(name):
            return ()
        with self.reading():
            head, rows = self.table(name)
            return tuple(dict(reversed(list(zip(head, row, strict=True)))) for row in rows)

    def columns(self, name: RunFile, key: Sequence[str], values: Sequence[str]) -> Items:
        """Rows of a table, by its key columns: the value columns of each."""
        head, rows = self.table(name)
        # The first columns are the run's own; classes come after them and may have any name.
        at = {column: head.index(column) for column in (*key, *values)}
        return {tuple(row[at[column]] for column in key): tuple(row[at[column]] for column in values) for row in rows}

    def groups(self, *, owners: bool = False) -> tuple[dict[str, str], dict[str, str]]:
        """The group of every utterance and, with ``owners``, of every model: its class where groups divide classes."""
        with self.reading():
            corpus, (names, rows) = self.config["corpus"], self.table(RunFile.PROTOCOL)
            label, group = corpus["label"], corpus["group"] or (corpus["label"] if owners else None)
            by = {name: len(names) - 1 - names[::-1].index(name) for name in {label, *([group] if group else [])}}
            if owners and not classes_within_groups((row[by[label]], row[by[group]]) for row in rows):
                group = label
            tests = {row[0]: row[by[group]] for row in rows} if group else {}
            return tests, {row[by[label]]: row[by[group]] for row in rows} if group and owners else {}

    # ---- writing: a file appears whole or not at all ----

    def put(self, tables: Mapping[str, str]) -> None:
        """Write files, by name."""
        for name, text in tables.items():
            write_text(self.folder / name, text)

    def put_results(self, tables: Mapping[str, str | ClassTable], how: TableSpec) -> None:
        """Write the tables of a test, the scores in the form that is asked for."""
        for name, found in tables.items():
            if name == RunFile.SCORES:
                write_scores(self.folder, found, how.scores, compressed=how.gzip)
            else:
                self.put({name: found if isinstance(found, str) else "".join(found.lines("wide"))})

    def put_metrics(self, entries: Mapping[str, Any]) -> dict[str, Any]:
        """Write ``metrics.json``, and return what it holds."""
        text = json.dumps(entries, indent=1, default=dict)  # a Metric is a mapping
        self.put({RunFile.METRICS: text + "\n"})
        return dict(json.loads(text))

    def put_models(self, data: bytes, card: ModelCard, tables: Mapping[str, str]) -> None:
        """Write models with their card and tables; results and metrics stay beside the same models alone."""
        path = self.folder / RunFile.MODELS
        if not same_models(path, data):
            for name in OF_THE_MODELS:
                (self.folder / name).unlink(missing_ok=True)
        elif before := known_card(path):
            card = replace(card, metrics=before.metrics)
        self.put_card(card, data)
        self.put(tables)

    def put_card(self, card: ModelCard, data: bytes | None = None) -> None:
        """Write the card into the model file and as a page; ``data``: the models, if not those that are there."""
        path = self.folder / RunFile.MODELS
        there = path.read_bytes() if path.exists() else b""
        whole = with_card(there if data is None else data, card)
        if whole != there:
            write_atomically(path, lambda file: file.write(whole))
        self.put({RunFile.MODEL_CARD: card_page(card)})

    def put_rejected(self, rejected: Iterable[tuple[str, str]]) -> Path | None:
        """Write which utterances (id, reason) were left out, or remove the table of an earlier run; its path."""
        path, rows = self.folder / RunFile.REJECTED, list(rejected)
        if not rows:
            path.unlink(missing_ok=True)
            return None
        self.put({RunFile.REJECTED: table(("id", "reason"), rows)})
        return path

    def fold(self, name: str) -> "RunFolder":
        """The folder of a fold's models, named after the fold: no slash, and no dot at the front."""
        spelt = quote(name, safe=" ")
        return RunFolder(self.folder / FOLDS / ("%2E" + spelt[1:] if spelt.startswith(".") else spelt))


def _is_below(path: Path, folder: Path) -> bool:
    return path.resolve().is_relative_to(folder.resolve())


def read_run(folder: Path) -> RunFolder:
    """What a run left in its folder.

    Args:
        folder: The run's folder.

    Raises:
        ConfigError: It is not the folder of a run.
    """
    if not is_run(folder):
        raise ConfigError(
            f"{folder}: not a run's folder (no config.yaml); a report is made from what `speechgmm run` left"
        )
    return RunFolder(folder)


def run_of_scores(path: Path) -> RunFolder | None:
    """The run that a table of scores lies in, given it or the run's folder; None: it is of no run."""
    folder = path.parent if path.name in FORMS else path
    return RunFolder(folder) if is_run(folder) else None


def groups_of_scores(path: Path, *, owners: bool) -> tuple[dict[str, str], dict[str, str]] | None:
    """The group of every test and, with ``owners``, of every model of the run that scores lie in; None: of none."""
    run = run_of_scores(path)
    try:
        return None if run is None else run.groups(owners=owners)
    except DataError:
        return None


def _metric(entries: dict[str, Any]) -> Metric | dict[str, Any]:
    return Metric.of(entries) if {"value", "n", "unit"} <= entries.keys() else entries


def _confusion(run: RunFolder) -> tuple[tuple[str, ...], NDArray[np.int64]] | None:
    if not run.heading(RunFile.CONFUSION):
        return None
    head, rows = run.table(RunFile.CONFUSION)
    if tuple(head) == CONFUSED_PAIRS:
        labels = tuple(row["class"] for row in run.per_class)
        number = {label: n for n, label in enumerate(labels)}
        counts = np.zeros((len(labels), len(labels)), np.int64)
        for true, predicted, items in rows:
            counts[number[true], number[predicted]] = int(items)
        return labels, counts
    return tuple(head[1:]), np.array([[int(count) for count in row[1:]] for row in rows], np.int64)
