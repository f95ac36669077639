"""Two runs on the same test items: the difference of their figures, by a paired bootstrap."""

import csv
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from numpy.typing import NDArray

from speechgmm.errors import ConfigError, DataError
from speechgmm.evaluation import Difference, EditCounts, compare, edit_rate, eer, rank_trials, ratio
from speechgmm.evaluation.resampling import OfSums


@dataclass(frozen=True, slots=True)
class _Run:
    folder: Path
    task: str
    figure: str  # accuracy; eer of claims, or of a class that is to be detected (corpus.target); error_rate of words
    items: dict[tuple[str, ...], tuple[str, ...]]  # key of the item -> (truth, decision, score, or counts of errors)
    tests: dict[str, str]  # utterance -> group; empty: none is named
    owners: dict[str, str]  # model -> group


def compare_runs(folders: Sequence[Path]) -> str:
    """A table: each run less the first, on the test items they share, with the 95 % interval of the difference.

    Raises:
        ConfigError: Fewer than two runs, or runs of different tasks.
        DataError: A folder without scores, or runs that were tested on different items.
    """
    if len(folders) < 2:
        raise ConfigError("compare takes two runs or more")
    runs = [_read(folder) for folder in folders]
    first = runs[0]
    lines = []
    for other in runs[1:]:
        if other.task != first.task:
            raise ConfigError(f"{other.folder} is a run of {other.task}, {first.folder} of {first.task}")
        if other.figure != first.figure:
            raise ConfigError(
                f"{other.folder} is judged by its {other.figure}, {first.folder} by its {first.figure}: one of them "
                "has a class that is to be detected (corpus.target); compare runs with the same target"
            )
        if other.items.keys() != first.items.keys():
            apart = len(other.items.keys() ^ first.items.keys())
            raise DataError(
                f"{other.folder} and {first.folder} were tested on different items ({apart} are in one alone); "
                "a paired comparison needs the same"
            )
        if any(other.items[key][0] != truth for key, (truth, *_) in first.items.items()):
            raise DataError(f"{other.folder} and {first.folder} have other labels for the same items")
        if (other.tests, other.owners) != (first.tests, first.owners):
            raise DataError(f"{other.folder} and {first.folder} have other groups (corpus.group) for the same items")
        what = "groups" if first.tests else "items"
        values, difference = _difference(other, first)
        figure = first.figure.replace("_", " ")
        lines.append(
            f"{other.folder}: {figure} {100 * values[0]:.2f} %, {first.folder}: {100 * values[1]:.2f} %\n"
            f"  difference {100 * difference.value:+.2f} points{_bounds(difference)}; "
            f"above 0 in {100 * difference.share_above:.1f} % of resamples of {difference.n_groups} {what}"
            + (f"\n  note: {difference.note.replace('groups', what)}" if difference.note else "")
        )
    return "\n".join(lines)


def _bounds(difference: Difference) -> str:
    if difference.low is None or difference.high is None:
        return ""
    return f", 95 % interval {100 * difference.low:+.2f} to {100 * difference.high:+.2f}"


def _difference(one: _Run, other: _Run) -> tuple[tuple[float, float], Difference]:
    keys = list(one.items)
    ones = np.ones(len(keys))
    sides: NDArray[np.intp] | tuple[NDArray[np.intp], NDArray[np.intp]]
    if one.task in ("classification", "recognition"):
        sides = _numbers([one.tests.get(key[0], key[0]) for key in keys])
    else:
        names = [one.owners.get(key[0], key[0]) for key in keys] + [one.tests.get(key[1], key[1]) for key in keys]
        first, second = _numbers(names).reshape(2, -1)
        sides = first, second
    if one.figure == "accuracy":
        statistics = [ratio([run.items[key][0] == run.items[key][1] for key in keys], ones) for run in (one, other)]
        return (statistics[0](ones), statistics[1](ones)), compare(statistics[0], statistics[1], sides)
    if one.figure == "error_rate":
        statistics = [_error_rate([run.items[key] for key in keys]) for run in (one, other)]
        return (statistics[0](ones), statistics[1](ones)), compare(statistics[0], statistics[1], sides)
    truth = np.array([one.items[key][0] == "target" for key in keys])
    ranked = [rank_trials([float(run.items[key][1]) for key in keys], truth) for run in (one, other)]

    def rate(trials: Any) -> Any:
        return lambda weights: eer(trials, weights)

    difference = compare(rate(ranked[0]), rate(ranked[1]), sides)
    return (eer(ranked[0]), eer(ranked[1])), difference


def _error_rate(items: Sequence[tuple[str, ...]]) -> OfSums:
    hits, *errors = np.array([[int(count) for count in counts] for _, *counts in items]).T
    return edit_rate(EditCounts(hits, *errors))


def _numbers(names: Sequence[str]) -> NDArray[np.intp]:
    numbers: NDArray[np.intp] = np.unique(np.array(names), return_inverse=True)[1]
    return numbers


def _read(folder: Path) -> _Run:
    try:
        task = json.loads((folder / "metrics.json").read_text(encoding="utf-8"))["task"]
        if task == "anomaly":
            raise ConfigError(
                f"{folder}: compare is not there for task: anomaly; metrics.json has intervals of each run"
            )
        head, *rows = _table(folder / ("hypotheses.tsv" if task == "recognition" else "scores.tsv"))
        # The first columns are the run's own; classes come after them and may have any name.
        key = ("model", "test") if task == "verification" else ("id",)
        figure = "eer" if task == "verification" or _corpus(folder).get("target") is not None else "accuracy"
        values: tuple[str, ...] = ("true", "predicted")
        if task == "recognition":
            figure, values = "error_rate", ("reference", "hits", "substitutions", "deletions", "insertions")
        elif figure == "eer":
            values = ("target", "llr" if "llr" in head else "score")
        at = {name: head.index(name) for name in (*key, *values)}
        if task == "recognition":  # of whole recordings, which protocol.tsv may have in segments
            by = head.index("group") if "group" in head else None
            tests, owners = {row[0]: row[by] for row in rows if by is not None}, dict[str, str]()
        else:
            tests, owners = _groups(folder, task)
    except (OSError, KeyError, ValueError, TypeError, yaml.YAMLError) as error:
        raise DataError(f"{folder}: not the folder of a finished run ({error})") from None
    items = {tuple(row[at[name]] for name in key): tuple(row[at[name]] for name in values) for row in rows}
    return _Run(folder, task, figure, items, tests, owners)


def run_groups(folder: Path, task: str) -> tuple[dict[str, str], dict[str, str]] | None:
    """The group of every utterance and, of verification, of every model of a run; None where the folder is not one."""
    try:
        return _groups(folder, task)
    except (OSError, KeyError, ValueError, TypeError, yaml.YAMLError):
        return None


def _groups(folder: Path, task: str) -> tuple[dict[str, str], dict[str, str]]:
    corpus = _corpus(folder)
    names, *protocol = _table(folder / "protocol.tsv")
    label, group = corpus["label"], corpus["group"] or (corpus["label"] if task == "verification" else None)
    by = {name: len(names) - 1 - names[::-1].index(name) for name in {label, *([group] if group else [])}}
    tests = {row[0]: row[by[group]] for row in protocol} if group else {}
    owners = {row[by[label]]: row[by[group]] for row in protocol} if group and task == "verification" else {}
    return tests, owners


def _corpus(folder: Path) -> dict[str, Any]:
    """The configuration's section about the corpus."""
    return dict(yaml.safe_load((folder / "config.yaml").read_text(encoding="utf-8"))["corpus"])


def _table(path: Path) -> list[list[str]]:
    lines = path.read_text(encoding="utf-8", errors="surrogateescape").split("\n")
    return [row for row in csv.reader(lines, delimiter="\t", quoting=csv.QUOTE_NONE) if row]
