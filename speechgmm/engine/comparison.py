"""Two runs on the same test items: the difference of their figures, by a paired bootstrap."""

import csv
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from speechgmm.config import plain_values
from speechgmm.engine.task import task_named
from speechgmm.errors import ConfigError, DataError
from speechgmm.evaluation import Difference, compare, eer, rank_trials
from speechgmm.evaluation.resampling import Statistic


@dataclass(frozen=True, slots=True)
class Compared:
    """The test items of a run, as its task compares them with those of another."""

    task: str
    metric: str  # accuracy, eer, error_rate, ...
    items: dict[tuple[str, ...], tuple[str, ...]]  # key of an item -> (truth, and what the metric is made of)
    statistic: Callable[[Sequence[tuple[str, ...]]], Statistic]  # the metric of items, computable under weights
    tests: dict[str, str]  # test item -> group; empty: none is named
    owners: dict[str, str] = field(default_factory=dict)  # model -> group, where items are trials of models and tests
    of_trials: bool = False  # the key of an item is (model, test)


def compare_runs(folders: Sequence[Path]) -> str:
    """A table: each run less the first, on the test items they share, with the 95 % interval of the difference.

    Raises:
        ConfigError: Fewer than two runs, or runs of different tasks.
        DataError: A folder without scores, or runs that were tested on different items.
    """
    if len(folders) < 2:
        raise ConfigError("compare takes two runs or more")
    base, *others = folders
    first = _read(base)
    lines = []
    for folder in others:
        other = _read(folder)
        if other.task != first.task:
            raise ConfigError(f"{folder} is a run of {other.task}, {base} of {first.task}")
        if other.metric != first.metric:
            raise ConfigError(
                f"{folder} is judged by its {other.metric}, {base} by its {first.metric}: one of them "
                "has a class that is to be detected (corpus.target); compare runs with the same target"
            )
        if other.items.keys() != first.items.keys():
            apart = len(other.items.keys() ^ first.items.keys())
            raise DataError(
                f"{folder} and {base} were tested on different items ({apart} are in one alone); "
                "a paired comparison needs the same"
            )
        if any(other.items[key][0] != truth for key, (truth, *_) in first.items.items()):
            raise DataError(f"{folder} and {base} have other labels for the same items")
        if (other.tests, other.owners) != (first.tests, first.owners):
            raise DataError(f"{folder} and {base} have other groups (corpus.group) for the same items")
        what = "groups" if first.tests else "items"
        values, difference = _difference(other, first)
        figure = first.metric.replace("_", " ")
        lines.append(
            f"{folder}: {figure} {100 * values[0]:.2f} %, {base}: {100 * values[1]:.2f} %\n"
            f"  difference {100 * difference.value:+.2f} points{_bounds(difference)}; "
            f"above 0 in {100 * difference.share_above:.1f} % of resamples of {difference.n_groups} {what}"
            + (f"\n  note: {difference.note.replace('groups', what)}" if difference.note else "")
        )
    return "\n".join(lines)


def _bounds(difference: Difference) -> str:
    if difference.low is None or difference.high is None:
        return ""
    return f", 95 % interval {100 * difference.low:+.2f} to {100 * difference.high:+.2f}"


def _difference(one: Compared, other: Compared) -> tuple[tuple[float, float], Difference]:
    keys = list(one.items)
    ones = np.ones(len(keys))
    sides: NDArray[np.intp] | tuple[NDArray[np.intp], NDArray[np.intp]]
    if one.of_trials:
        names = [one.owners.get(key[0], key[0]) for key in keys] + [one.tests.get(key[1], key[1]) for key in keys]
        first, second = _numbers(names).reshape(2, -1)
        sides = first, second
    else:
        sides = _numbers([one.tests.get(key[0], key[0]) for key in keys])
    these, those = (run.statistic([run.items[key] for key in keys]) for run in (one, other))
    return (float(these(ones)), float(those(ones))), compare(these, those, sides)


def error_rates_of_trials(items: Sequence[tuple[str, ...]]) -> Statistic:
    """The EER of trials (truth, score)."""
    trials = rank_trials([float(score) for _, score in items], np.array([truth == "target" for truth, _ in items]))
    return lambda weights: eer(trials, weights)


def _numbers(names: Sequence[str]) -> NDArray[np.intp]:
    numbers: NDArray[np.intp] = np.unique(np.array(names), return_inverse=True)[1]
    return numbers


def _read(folder: Path) -> Compared:
    try:
        task = json.loads((folder / "metrics.json").read_text(encoding="utf-8"))["task"]
        return task_named(task).compared(folder)
    except FileNotFoundError as error:
        raise DataError(f"{folder}: not the folder of a finished run (no {Path(error.filename).name} in it)") from None
    except (OSError, KeyError, ValueError, TypeError) as error:
        raise DataError(f"{folder}: not the folder of a finished run ({error})") from None


def chosen_columns(
    folder: Path, name: str, key: Sequence[str], values: Sequence[str]
) -> dict[tuple[str, ...], tuple[str, ...]]:
    """Rows of a table of a run, by its key columns: the value columns of each."""
    head, *rows = read_table(folder / name)
    # The first columns are the run's own; classes come after them and may have any name.
    at = {column: head.index(column) for column in (*key, *values)}
    return {tuple(row[at[column]] for column in key): tuple(row[at[column]] for column in values) for row in rows}


def score_column(folder: Path) -> str:
    """What the trials of a run are judged by: calibrated ratios where there are any, else scores."""
    return "llr" if "llr" in read_heading(folder / "scores.tsv") else "score"


def run_groups(folder: Path, *, owners: bool) -> tuple[dict[str, str], dict[str, str]] | None:
    """The group of every utterance and, with ``owners``, of every model of a run; None where the folder is not one."""
    try:
        return groups_of(folder, owners=owners)
    except (OSError, KeyError, ValueError, TypeError):
        return None


def groups_of(folder: Path, *, owners: bool = False) -> tuple[dict[str, str], dict[str, str]]:
    """The group of every utterance and, with ``owners``, of every model, whose label is a group where none is named."""
    corpus = corpus_of(folder)
    names, *protocol = read_table(folder / "protocol.tsv")
    label, group = corpus["label"], corpus["group"] or (corpus["label"] if owners else None)
    by = {name: len(names) - 1 - names[::-1].index(name) for name in {label, *([group] if group else [])}}
    tests = {row[0]: row[by[group]] for row in protocol} if group else {}
    of_models = {row[by[label]]: row[by[group]] for row in protocol} if group and owners else {}
    return tests, of_models


def corpus_of(folder: Path) -> dict[str, Any]:
    """The configuration's section about the corpus."""
    try:
        values, _ = plain_values((folder / "config.yaml").read_text(encoding="utf-8"), "config.yaml")
    except ConfigError as error:
        raise ValueError(str(error)) from None
    return dict(values["corpus"])


def read_heading(path: Path) -> list[str]:
    """The column names of a table of a run, without its rows: there may be a million."""
    with path.open(encoding="utf-8", errors="surrogateescape", newline="\n") as file:
        return next(csv.reader([file.readline().rstrip("\n")], delimiter="\t", quoting=csv.QUOTE_NONE), [])


def read_table(path: Path) -> list[list[str]]:
    """The rows of a table of a run, the heading first."""
    lines = path.read_text(encoding="utf-8", errors="surrogateescape").split("\n")
    return [row for row in csv.reader(lines, delimiter="\t", quoting=csv.QUOTE_NONE) if row]
