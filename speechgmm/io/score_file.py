"""Score files: ours, those of other toolkits, and any table with a header that says what its columns are.

Trials are a table with a model, a test and a score in every row, and the truth where it is known; `trial_columns` says
which layouts are known without a header. Decisions about classes are ``scores.tsv`` of a classification run. `tables`
says how a table's bytes, separators and numbers are read.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeVar

import numpy as np
from numpy.typing import NDArray

from speechgmm.errors import DataError
from speechgmm.io.run_files import RunFile
from speechgmm.io.score_forms import LOG_POSTERIOR, is_long, is_parquet, score_rows, widened
from speechgmm.io.tables import cells as cells_of
from speechgmm.io.tables import number, read_table, separator
from speechgmm.io.trial_columns import Layout, layout, truth_of, unknown_word

_LISTED: Final = 5  # wrong rows that are named

Made = TypeVar("Made")
Pair = tuple[str, str]  # model ("": the file names none), test


@dataclass(frozen=True, slots=True)
class TrialScores:
    """Scores of claims, in the order of the file; no trial is there twice."""

    pairs: tuple[Pair, ...]  # N
    scores: NDArray[np.float64] | None  # (N,); None: there are ratios alone
    llrs: NDArray[np.float64] | None  # (N,) natural-log likelihood ratios, nats
    is_target: NDArray[np.bool_] | None  # (N,); None: the file does not say
    cohort_means: NDArray[np.float64] | None = None  # (N,) mean score of a cohort on each test; None: not in the file

    def chosen(self, rows: Sequence[int]) -> "TrialScores":
        """Some of the trials, by their places."""
        at = np.asarray(rows, np.intp)
        return TrialScores(
            tuple(self.pairs[n] for n in rows),
            None if self.scores is None else self.scores[at],
            None if self.llrs is None else self.llrs[at],
            None if self.is_target is None else self.is_target[at],
            None if self.cohort_means is None else self.cohort_means[at],
        )


@dataclass(frozen=True, slots=True)
class ClassScores:
    """Decisions between classes, and the scores of every class."""

    ids: tuple[str, ...]  # N
    folds: tuple[str, ...]  # N; empty: there are none
    true: tuple[str, ...]  # N
    predicted: tuple[str, ...]  # N
    labels: tuple[str, ...]  # C
    n_frames: NDArray[np.int64]  # (N,)
    scores: NDArray[np.float64]  # (N, C)
    target: str | None = None  # of two classes: the one that was to be detected


def read_scores(path: Path) -> TrialScores | ClassScores:
    """The scores in a file of either kind.

    Raises:
        DataError: No such file, a header or columns that are not known, a row that cannot be used (the first are
            named), a score that is NaN, a trial or an item that is there twice.
    """
    lines = _lines(path)
    by = separator([line for _, line in lines])
    if {"true", "predicted"} <= {name.lower() for name in cells_of(lines[0][1], by)}:
        return _class_scores(path, *_widened(path, lines, by))
    how, body = _layout(path, lines, "score")
    columns = how.columns
    wanted = [name for name in ("score", "llr", "cohort_mean") if name in columns]
    rows = _rows(path, body, how, lambda cells: tuple(_number(cells[columns[c]]) for c in wanted))
    values = np.array([row[2] for row in rows], np.float64)
    truths = [row[1] for row in rows]
    return TrialScores(
        tuple(row[0] for row in rows),
        values[:, wanted.index("score")] if "score" in wanted else None,
        values[:, wanted.index("llr")] if "llr" in wanted else None,
        None if any(truth is None for truth in truths) else np.array(truths, bool),
        values[:, wanted.index("cohort_mean")] if "cohort_mean" in wanted else None,
    )


def class_columns(names: Sequence[str]) -> tuple[tuple[str, ...], bool]:
    """The classes whose scores stand in columns of these names, and whether the columns say that these are posteriors.

    >>> class_columns(["log_posterior:ba", "log_posterior:da"])
    (('ba', 'da'), True)
    >>> class_columns(["ba", "da"])
    (('ba', 'da'), False)
    """
    are_posteriors = bool(names) and all(name.startswith(LOG_POSTERIOR) for name in names)
    return tuple(name.removeprefix(LOG_POSTERIOR) if are_posteriors else name for name in names), are_posteriors


def read_truth(path: Path) -> dict[Pair, bool]:
    """Whether each trial of a list is a target, in the order of the list.

    Raises:
        DataError: As :func:`read_scores`; a trial whose truth is not said.
    """
    how, body = _layout(path, _lines(path), "target")
    truth: dict[Pair, bool] = {}
    for pair, is_target, _ in _rows(path, body, how, lambda _: None):
        if is_target is None:
            raise DataError(
                f"{path}: the trial of model {pair[0]!r} and test {pair[1]!r} has no truth; expected target or "
                "nontarget"
            )
        truth[pair] = is_target
    return truth


def _lines(path: Path) -> list[tuple[int, str]]:
    if path.is_dir():
        raise DataError(f"{path}: a folder without {RunFile.SCORES}; expected a score file or the folder of a run")
    if is_parquet(path) and not path.exists():
        raise DataError(f"{path}: there is no such file")
    text = "\n".join(map("\t".join, score_rows(path))) if is_parquet(path) else read_table(path)
    lines = [(number, line) for number, line in enumerate(text.split("\n"), 1) if line.strip()]
    if not lines:
        raise DataError(f"{path}: nothing in it; expected a row for each trial or test item")
    return lines


def _widened(
    path: Path, lines: Sequence[tuple[int, str]], by: str | None
) -> tuple[Sequence[tuple[int, str]], str | None]:
    """Lines with a column for each class, made of lines for each item and class, and what separates their cells."""
    head = cells_of(lines[0][1], by)
    if not is_long(head):
        return lines, by
    try:
        rows = list(widened(iter([cells_of(line, by) for _, line in lines])))
    except (DataError, ValueError) as error:
        raise DataError(f"{path}: {error}") from None
    n_labels = max(1, len(rows[0]) - len(head) + 2) if rows else 1
    numbers = (lines[0][0], *(number for number, _ in lines[1::n_labels]))
    return [(number, "\t".join(row)) for number, row in zip(numbers, rows, strict=True)], "\t"


def _layout(path: Path, lines: Sequence[tuple[int, str]], wanted: str) -> tuple[Layout, Sequence[tuple[int, str]]]:
    """How the table is read, and the rows below the header."""
    how = layout(path, [line for _, line in lines], wanted)
    body = lines[how.n_header :]
    if not body:
        raise DataError(f"{path}: a header and no rows; expected one for each trial or test item")
    return how, body


def _rows(
    path: Path, lines: Sequence[tuple[int, str]], how: Layout, make: Callable[[list[str]], Made]
) -> list[tuple[Pair, bool | None, Made]]:
    """(model, test), truth and what ``make`` reads from the cells of every row."""
    rows: list[tuple[Pair, bool | None, Made]] = []
    problems: list[str] = []
    seen: dict[Pair, int] = {}
    target = how.columns.get("target")
    for n, line in lines:
        cells = cells_of(line, how.separator)
        try:
            if len(cells) != how.width:
                comma = " (is it a decimal comma?)" if how.separator == "," else ""
                raise ValueError(f"{len(cells)} cells where {how.width} are expected{comma}")
            pair = how.pair(cells, n)
            if not pair[1] or ("model" in how.columns and not pair[0]):
                raise ValueError("no name of a model or of a test")
            before = seen.setdefault(pair, n)
            if before != n:
                raise ValueError(f"model {pair[0]!r} and test {pair[1]!r} are also the trial of line {before}")
            word = "" if target is None else cells[target]
            if word and truth_of(word) is None:
                raise ValueError(unknown_word(word))
            rows.append((pair, truth_of(word), make(cells)))
        except ValueError as error:
            problems.append(f"  line {n}: {error}")
    _refuse(path, problems, len(lines))
    return rows


def decision_columns(head: Sequence[str]) -> tuple[dict[str, int], int, bool]:
    """The layout of a table of decisions: its own columns, where those of classes begin, and whether one is detected.

    >>> decision_columns(["id", "true", "predicted", "n_frames", "ann", "bob"])
    ({'id': 0, 'true': 1, 'predicted': 2, 'n_frames': 3}, 4, False)
    """
    lower = [name.lower() for name in head]
    # The first columns are the file's own; classes come after them and may have any name.
    own: dict[str, int] = {n: lower.index(n) for n in ("id", "fold", "true", "predicted", "n_frames") if n in lower}
    if "fold" in own and own["fold"] > own["true"]:
        del own["fold"]
    if "n_frames" in own and own["n_frames"] > own["predicted"] + 1:
        del own["n_frames"]
    first = max(own.values()) + 1
    # Of two classes one of which is the target: its score, and whether the item is one, before the classes.
    detected = lower[first : first + 2] == ["score", "target"] and len(head) == first + 4
    return own, first + 2 * detected, detected


def _class_scores(path: Path, lines: Sequence[tuple[int, str]], by: str | None) -> ClassScores:
    head = cells_of(lines[0][1], by)
    own, first, detected = decision_columns(head)
    labels, _ = class_columns(head[first:])
    if "id" not in own or len(labels) < 2 or len(set(labels)) < len(labels):
        raise DataError(
            f"{path}: a table of decisions has id, true, predicted and then a column of scores for every class; the "
            f"header is {lines[0][1]!r}"
        )
    rows, problems, seen = [], [], set()
    for n, line in lines[1:]:
        cells = cells_of(line, by)
        try:
            if len(cells) != len(head):
                raise ValueError(f"{len(cells)} cells where {len(head)} are expected")
            if cells[own["id"]] in seen:
                raise ValueError(f"{cells[own['id']]!r} is there twice")
            seen.add(cells[own["id"]])
            for name in ("true", "predicted"):
                if cells[own[name]] not in labels:
                    raise ValueError(f"{name} is {cells[own[name]]!r}, which has no column of scores")
            count = _count(cells[own["n_frames"]]) if "n_frames" in own else 0
            rows.append((cells, [_number(cell) for cell in cells[first:]], count))
        except ValueError as error:
            problems.append(f"  line {n}: {error}")
    _refuse(path, problems, len(lines) - 1)
    if not rows:
        raise DataError(f"{path}: a header and no rows; expected one for each trial or test item")
    columns = {name: tuple(cells[place] for cells, *_ in rows) for name, place in own.items()}
    targets = [cells[own["true"]] for cells, *_ in rows if detected and cells[first - 1] == "target"]
    return ClassScores(
        columns["id"],
        columns.get("fold", ()),
        columns["true"],
        columns["predicted"],
        labels,
        np.array([count for *_, count in rows], np.int64),
        np.array([values for _, values, _ in rows], np.float64),
        targets[0] if targets else None,
    )


def _refuse(path: Path, problems: Sequence[str], n_rows: int) -> None:
    if problems:
        more = f"\n  ... and {len(problems) - _LISTED} more" if len(problems) > _LISTED else ""
        listed = "\n".join(problems[:_LISTED])
        raise DataError(f"{path}: {len(problems)} of {n_rows} rows cannot be used:\n{listed}{more}")


def _count(text: str) -> int:
    if not re.fullmatch(r"\d{1,15}", text, re.ASCII):
        raise ValueError(f"n_frames is {text[:40]!r}; expected a whole number")
    return int(text)


def _number(cell: str) -> float:
    try:
        value = number(cell)
    except ValueError:
        raise ValueError(f"{cell!r} where a number is expected") from None
    if value != value:
        raise ValueError("a score that is NaN; was the recording empty?")
    return value
