"""Trials of verification: which model is claimed for which test utterance, and whether the claim is true.

A table with the columns ``model``, ``test`` and, where known, ``target`` (``target`` or ``nontarget``); or one of the
layouts without a header that `speechgmm.io.trial_columns` names.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from speechgmm.corpus.listing import listed
from speechgmm.errors import DataError
from speechgmm.io.tables import cells, read_table, separator, windows_path
from speechgmm.io.trial_columns import HEADERS, Layout, layout, truth_of, unknown_word


@dataclass(frozen=True, slots=True)
class Trial:
    """A claim that a test utterance is of a model's class."""

    model: str  # a label of the training split
    test: str  # id of a test utterance
    target: bool | None  # whether the claim is true; None: the table does not say


def read_trials(path: Path, models: Collection[str], tests: Collection[str]) -> list[Trial]:
    """The trials of a table, in its order, all of known models and tests.

    Raises:
        DataError: The table cannot be read, or rows are wrong or given twice (all are listed).
    """
    missing = "there is no such table of trials (trials, relative to the configuration)"
    lines = [(n, line) for n, line in enumerate(read_table(path, missing).split("\n"), 1) if line.strip()]
    if not lines:
        raise DataError(f"{path}: no trials in it; expected is a row for each trial: model, test, target")
    how = _layout(path, [line for _, line in lines])
    lines = lines[how.n_header :]
    if not lines:
        raise DataError(f"{path}: a header and no trials; expected is a row for each trial: model, test, target")
    trials: list[Trial] = []
    problems: list[str] = []
    first_line: dict[tuple[str, str], int] = {}
    for number, line in lines:
        row = cells(line, how.separator)
        problem = _problem(row, how.columns, models, tests)
        if not problem:
            pair = model, test = how.pair(row, number)
            first = first_line.setdefault(pair, number)
            if first != number:
                problem = f"model {model!r} and test {test!r} are also the trial of line {first}"
        if problem:
            problems.append(f"line {number}: {problem}")
            continue
        trials.append(Trial(model, test, truth_of(row[how.columns["target"]]) if "target" in how.columns else None))
    if problems:
        raise DataError(f"{path}: {len(problems)} of {len(lines)} trials cannot be used:\n{listed(problems)}")
    return trials


def _layout(path: Path, lines: Sequence[str]) -> Layout:
    """The columns of a table of trials, whose truth may be unknown where a header says what they are."""
    by = separator(lines)
    head = [name.lower() for name in cells(lines[0], by)]
    columns = {name: n for n, word in enumerate(head) for name in ("model", "test", "target") if word in HEADERS[name]}
    if columns.keys() == {"model", "test"}:
        return Layout(by, columns, len(head), 1)
    how = layout(path, lines, "target")
    if "model" not in how.columns:
        raise DataError(f"{path}: it names a test in every row and no model; a header with model and test is expected")
    return how


def _problem(row: list[str], columns: Mapping[str, int], models: Collection[str], tests: Collection[str]) -> str:
    if len(row) <= max(columns.values()):
        return f"{len(row)} cells; {', '.join(columns)} are expected"
    model, test = row[columns["model"]], row[columns["test"]]
    if model not in models:
        return f"no model {model!r}; a model is a label of the training split"
    if test not in tests:
        return f"no test {test!r}; a test is the id of an utterance in the split test{windows_path(test)}"
    word = row[columns["target"]] if "target" in columns else ""
    return f"target is {unknown_word(word)}" if word and truth_of(word) is None else ""
