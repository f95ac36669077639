"""Score files: ours, Kaldi's, and any table with a header that says what its columns are.

Trials are a table with a model, a test and a score in every row, and the truth where it is known; or Kaldi's three
columns (enrolment, test, score) without a header. Decisions about classes are ``scores.tsv`` of a classification run.
Columns are separated by tabs, semicolons, commas or spaces, numbers have a decimal point.
"""

import csv
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeVar

import numpy as np
from numpy.typing import NDArray

from speechgmm.errors import DataError
from speechgmm.io.text_file import check_regular

TRUTH: Final = {
    **dict.fromkeys(("target", "tgt", "tar", "true", "1"), True),
    **dict.fromkeys(("nontarget", "nontgt", "non", "imp", "impostor", "false", "0"), False),
}
"""How tables spell whether a claim is true."""

LOG_POSTERIOR: Final = "log_posterior:"
"""Before the name of a class in the header of ``scores.tsv``: the column holds log posteriors in nats.

A column headed by the name alone holds mean log-likelihoods in nats per frame.
"""

_NAMES: Final = {
    "model": ("model", "enrol", "enroll", "enrolment", "enrollment", "modelid", "model_id"),
    "test": ("test", "segment", "segmentid", "segment_id", "test_id", "utterance"),
    "score": ("score",),
    "llr": ("llr",),
    "cohort_mean": ("cohort_mean",),
    "target": ("target", "label", "key", "truth"),
}
_SEPARATORS: Final = ("\t", ";", ",", None)  # None: spaces
_LISTED: Final = 5  # wrong rows that are named
_DECIMAL_COMMA: Final = re.compile(r"[-+]?\d+,\d+([eE][-+]?\d+)?")

Made = TypeVar("Made")
Pair = tuple[str, str]  # model, test


@dataclass(frozen=True, slots=True)
class TrialScores:
    """Scores of claims, in the order of the file; no trial is there twice."""

    pairs: tuple[Pair, ...]  # N
    scores: NDArray[np.float64] | None  # (N,); None: there are ratios alone
    llrs: NDArray[np.float64] | None  # (N,) natural-log likelihood ratios, nats
    is_target: NDArray[np.bool_] | None  # (N,); None: the file does not say
    cohort_means: NDArray[np.float64] | None = None  # (N,) mean score of a cohort on each test; None: not in the file


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
    for separator in _SEPARATORS:
        head = [name.strip().lower() for name in _cells(lines[0][1], separator)]
        if {"true", "predicted"} <= set(head):
            return _class_scores(path, lines, separator)
    separator, columns, width, body = _layout(path, lines, ("model", "test", "score"))
    wanted = [name for name in ("score", "llr", "cohort_mean") if name in columns]
    rows = _rows(path, body, separator, columns, width, lambda cells: tuple(_number(cells[columns[c]]) for c in wanted))
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
    """Whether each trial of a list (model, test, target; or Kaldi's three columns) is a target.

    Raises:
        DataError: As :func:`read_scores`; a trial whose truth is not said.
    """
    separator, columns, width, body = _layout(path, _lines(path), ("model", "test", "target"))
    found: dict[Pair, bool] = {}
    for pair, truth, _ in _rows(path, body, separator, columns, width, lambda _: None):
        if truth is None:
            raise DataError(f"{path}: the trial of model {pair[0]!r} and test {pair[1]!r} is neither target nor not")
        found[pair] = truth
    return found


def _lines(path: Path) -> list[tuple[int, str]]:
    check_regular(path)
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise DataError(f"{path}: there is no such file") from None
    except IsADirectoryError:
        raise DataError(f"{path}: a folder without scores.tsv; expected a score file or the folder of a run") from None
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: not a table in UTF-8 ({error})") from None
    lines = [(number, line) for number, line in enumerate(text.split("\n"), 1) if line.strip()]
    if not lines:
        raise DataError(f"{path}: nothing in it")
    return lines


def _layout(
    path: Path, lines: Sequence[tuple[int, str]], wanted: tuple[str, str, str]
) -> tuple[str | None, dict[str, int], int, Sequence[tuple[int, str]]]:
    """Separator, place of each column, number of columns, and the rows below the header."""
    first = lines[0][1]
    known = {name: column for column, names in _NAMES.items() for name in names}
    for separator in _SEPARATORS:
        head = [known.get(name.strip().lower(), "") for name in _cells(first, separator)]
        found = {column: head.index(column) for column in _NAMES if column in head}
        twice = [column for column in found if head.count(column) > 1]
        enough = wanted[2] in found or (wanted[2] == "score" and "llr" in found)
        if {"model", "test"} <= found.keys() and enough:
            if twice:
                raise DataError(f"{path}: the header {first!r} has two columns for the {twice[0]}; keep one of them")
            if len(lines) == 1:
                raise DataError(f"{path}: a header and no rows")
            return separator, found, len(head), lines[1:]
    for separator in _SEPARATORS:
        cells = [cell.strip() for cell in _cells(first, separator)]
        third = cells[2].lower() if len(cells) == 3 else ""
        if len(cells) == 3 and (third in TRUTH if wanted[2] == "target" else _is_number(third)):
            return separator, {"model": 0, "test": 1, wanted[2]: 2}, 3, lines
    hint = "; a number in it has a decimal comma: write a point" if _has_decimal_comma(first) else ""
    raise DataError(
        f"{path}: a header with model (or enrol), test and {wanted[2]}{' (or llr)' if wanted[2] == 'score' else ''} is "
        f"expected, or Kaldi's three columns, {' '.join(wanted)}, without one, separated by tabs, "
        f"semicolons, commas or spaces; the first line is {first!r}{hint}"
    )


def _rows(
    path: Path,
    lines: Sequence[tuple[int, str]],
    separator: str | None,
    columns: dict[str, int],
    width: int,
    make: Callable[[list[str]], Made],
) -> list[tuple[Pair, bool | None, Made]]:
    """(model, test), truth and what ``make`` reads from the cells of every row."""
    rows: list[tuple[Pair, bool | None, Made]] = []
    problems: list[str] = []
    seen: dict[Pair, int] = {}
    model, test, target = columns["model"], columns["test"], columns.get("target")
    for number, line in lines:
        cells = [cell.strip() for cell in _cells(line, separator)]
        try:
            if len(cells) != width:
                comma = " (is it a decimal comma?)" if separator == "," or _has_decimal_comma(line) else ""
                raise ValueError(f"{len(cells)} cells where {width} are expected{comma}")
            pair = cells[model], cells[test]
            if not all(pair):
                raise ValueError("no name of a model or of a test")
            before = seen.setdefault(pair, number)
            if before != number:
                raise ValueError(f"model {pair[0]!r} and test {pair[1]!r} are also the trial of line {before}")
            said = "" if target is None else cells[target].lower()
            if said and said not in TRUTH:
                raise ValueError(f"{cells[target or 0]!r} where target or nontarget is expected")
            rows.append((pair, TRUTH.get(said), make(cells)))
        except ValueError as error:
            problems.append(f"  line {number}: {error}")
    _refuse(path, problems, len(lines))
    return rows


def _class_scores(path: Path, lines: Sequence[tuple[int, str]], separator: str | None) -> ClassScores:
    head = [name.strip() for name in _cells(lines[0][1], separator)]
    lower = [name.lower() for name in head]
    # The first columns are the file's own; classes come after them and may have any name.
    own = {name: lower.index(name) for name in ("id", "fold", "true", "predicted", "n_frames") if name in lower}
    if "fold" in own and own["fold"] > own["true"]:
        del own["fold"]
    if "n_frames" in own and own["n_frames"] > own["predicted"] + 1:
        del own["n_frames"]
    first = max(own.values()) + 1
    # Of two classes one of which is the target: its score, and whether the item is one, before the classes.
    detected = lower[first : first + 2] == ["score", "target"] and len(head) == first + 4
    first += 2 * detected
    labels, _ = class_columns(head[first:])
    if "id" not in own or len(labels) < 2 or len(set(labels)) < len(labels):
        raise DataError(
            f"{path}: a table of decisions has id, true, predicted and then a column of scores for every class; the "
            f"header is {lines[0][1]!r}"
        )
    rows, problems, seen = [], [], set()
    for number, line in lines[1:]:
        cells = [cell.strip() for cell in _cells(line, separator)]
        try:
            if len(cells) != len(head):
                raise ValueError(f"{len(cells)} cells where {len(head)} are expected")
            if cells[own["id"]] in seen:
                raise ValueError(f"{cells[own['id']]!r} is there twice")
            seen.add(cells[own["id"]])
            for name in ("true", "predicted"):
                if cells[own[name]] not in labels:
                    raise ValueError(f"{name} is {cells[own[name]]!r}, which has no column of scores")
            rows.append((cells, [_number(cell) for cell in cells[first:]]))
        except ValueError as error:
            problems.append(f"  line {number}: {error}")
    _refuse(path, problems, len(lines) - 1)
    if not rows:
        raise DataError(f"{path}: a header and no rows")
    columns = {name: tuple(cells[place] for cells, _ in rows) for name, place in own.items()}
    targets = [cells[own["true"]] for cells, _ in rows if detected and cells[first - 1] == "target"]
    return ClassScores(
        columns["id"],
        columns.get("fold", ()),
        columns["true"],
        columns["predicted"],
        labels,
        np.array([int(count) for count in columns.get("n_frames", ("0",) * len(rows))], np.int64),
        np.array([values for _, values in rows], np.float64),
        targets[0] if targets else None,
    )


def _refuse(path: Path, problems: Sequence[str], n_rows: int) -> None:
    if problems:
        more = f"\n  ... and {len(problems) - _LISTED} more" if len(problems) > _LISTED else ""
        listed = "\n".join(problems[:_LISTED])
        raise DataError(f"{path}: {len(problems)} of {n_rows} rows cannot be used:\n{listed}{more}")


def _cells(line: str, separator: str | None) -> list[str]:
    if separator is None:
        return line.split()
    if '"' not in line or separator == "\t":  # our own tables quote nothing
        return line.split(separator)
    return next(csv.reader([line], delimiter=separator))


def _number(cell: str) -> float:
    try:
        value = float(cell)
    except ValueError:
        comma = ": is it a decimal comma? write a point" if _DECIMAL_COMMA.fullmatch(cell) else ""
        raise ValueError(f"{cell!r} where a number is expected{comma}") from None
    if value != value:
        raise ValueError("a score that is NaN; was the recording empty?")
    return value


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _has_decimal_comma(line: str) -> bool:
    return any(_DECIMAL_COMMA.fullmatch(cell) for cell in re.split(r"[\s;]+", line))
