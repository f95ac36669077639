"""Trials of verification: which model is claimed for which test utterance, and whether the claim is true.

A table with the columns ``model``, ``test`` and, where known, ``target`` (``target`` or ``nontarget``); or Kaldi's
three columns without a header: model, test, target.
"""

import csv
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from speechgmm.corpus.listing import listed
from speechgmm.errors import DataError
from speechgmm.io.score_file import TRUTH
from speechgmm.io.text_file import check_regular


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
    check_regular(path)
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise DataError(f"{path}: there is no such table of trials (trials, relative to the configuration)") from None
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: not a table in UTF-8 ({error})") from None
    lines = [(number, line) for number, line in enumerate(text.split("\n"), 1) if line.strip()]
    if not lines:
        raise DataError(f"{path}: no trials in it")
    separator = "\t" if "\t" in lines[0][1] else "," if "," in lines[0][1] else None
    head = [cell.strip().lower() for cell in _cells(lines[0][1], separator)]
    if {"model", "test"} <= set(head):
        columns: dict[str, int] = {name: head.index(name) for name in ("model", "test", "target") if name in head}
        lines = lines[1:]
        if not lines:
            raise DataError(f"{path}: a header and no trials")
    elif len(head) == 3 and head[2] in TRUTH:
        columns = {"model": 0, "test": 1, "target": 2}
    else:
        raise DataError(
            f"{path}: a header with model and test (and target) is expected, or Kaldi's three columns; the first line "
            f"is {lines[0][1]!r}"
        )
    trials: list[Trial] = []
    problems: list[str] = []
    first_line: dict[tuple[str, str], int] = {}
    for number, line in lines:
        cells = [cell.strip() for cell in _cells(line, separator)]
        problem = _problem(cells, columns, models, tests)
        if not problem:
            model, test = cells[columns["model"]], cells[columns["test"]]
            first = first_line.setdefault((model, test), number)
            if first != number:
                problem = f"model {model!r} and test {test!r} are also the trial of line {first}"
        if problem:
            problems.append(f"line {number}: {problem}")
            continue
        truth = cells[columns["target"]].lower() if "target" in columns else ""
        trials.append(Trial(model, test, TRUTH.get(truth)))
    if problems:
        raise DataError(f"{path}: {len(problems)} of {len(lines)} trials cannot be used:\n{listed(problems)}")
    return trials


def _cells(line: str, separator: str | None) -> list[str]:
    return line.split() if separator is None else next(csv.reader([line], delimiter=separator))


def _problem(cells: list[str], columns: dict[str, int], models: Collection[str], tests: Collection[str]) -> str:
    if len(cells) <= max(columns.values()):
        return f"{len(cells)} cells; {', '.join(columns)} are expected"
    if cells[columns["model"]] not in models:
        return f"no model {cells[columns['model']]!r}; a model is a label of the training split"
    if cells[columns["test"]] not in tests:
        return f"no test {cells[columns['test']]!r}; a test is the id of an utterance in the split test"
    if "target" in columns and cells[columns["target"]].lower() not in (*TRUTH, ""):
        return f"target is {cells[columns['target']]!r}; expected target or nontarget"
    return ""
