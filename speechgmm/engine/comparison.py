"""Runs on the same test items: their metrics and the differences between them, by a paired bootstrap."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from speechgmm.engine.run_folder import Items, RunFolder
from speechgmm.engine.run_scores import llrs_rank
from speechgmm.errors import ConfigError, DataError
from speechgmm.evaluation import Difference, compare, eer, rank_trials
from speechgmm.evaluation.resampling import Statistic
from speechgmm.io.run_files import RunFile

ERRORS: Final = frozenset(("eer", "error_rate", "der"))
"""Metrics that are better the lower they are."""


@dataclass(frozen=True, slots=True)
class Compared:
    """The test items of a run, as its task compares them with those of another."""

    metric: str  # accuracy, eer, error_rate, ...
    items: Items  # key of an item -> (truth, and what the metric is made of)
    statistic: Callable[[Sequence[tuple[str, ...]]], Statistic]  # the metric of items, computable under weights
    tests: dict[str, str]  # test item -> group; empty: none is named
    owners: dict[str, str] = field(default_factory=dict)  # model -> group, where items are trials of models and tests
    of_trials: bool = False  # the key of an item is (model, test)


@dataclass(frozen=True, slots=True)
class ComparedRun:
    """A run beside others: its metric, and its difference from the baseline on the same test items."""

    folder: Path
    metric: str  # accuracy, eer, error_rate, ...
    value: float  # fraction
    low: float | None  # 95 % interval of the metric, as the run has it; None: it has none
    high: float | None
    difference: Difference | None  # less the baseline, paired; None: it is the baseline
    n_groups: int  # groups (or items, where there are none) that are resampled
    unit: str  # of what is resampled: groups or items

    def entries(self) -> dict[str, Any]:
        """Plain values, one for each column of a table."""
        found = self.difference
        return {
            "run": str(self.folder),
            "metric": self.metric,
            "value": self.value,
            "low": self.low,
            "high": self.high,
            "difference": found and found.value,
            "difference_low": found and found.low,
            "difference_high": found and found.high,
            "share_above": found and found.share_above,
            "n_groups": self.n_groups,
            "resampled": self.unit,
            "note": found.note.replace("groups", self.unit) if found else "",
        }


def compare_runs(folders: Sequence[Path]) -> tuple[ComparedRun, ...]:
    """The runs from best to worst, each with its difference from the first that is named, the baseline.

    A run that is named twice is one run.

    Raises:
        ConfigError: Fewer than two runs, or runs of different tasks.
        DataError: A folder without scores, or runs that were tested on different items.
    """
    by_place: dict[Path, Path] = {}
    for folder in folders:
        by_place.setdefault(folder.resolve(), folder)
    named = list(by_place.values())
    if len(named) < 2:
        twice = f"; {named[0]} is named {len(folders)} times" if len(folders) > 1 else ""
        raise ConfigError(f"compare takes two runs or more{twice}")
    base, *others = named
    begun, first = _read(base)
    compared = []
    for folder in others:
        run, other = _read(folder)
        _check_same_test((base, begun, first), (folder, run, other))
        compared.append(_row(folder, run, other, first))
    n_groups = compared[0].n_groups
    baseline = replace(_row(base, begun, first, first), difference=None, n_groups=n_groups)
    sign = 1 if first.metric in ERRORS else -1
    return tuple(sorted((baseline, *compared), key=lambda one: sign * one.value))


def _check_same_test(one: tuple[Path, RunFolder, Compared], two: tuple[Path, RunFolder, Compared]) -> None:
    """Refuse runs whose metrics, test items, labels or groups differ."""
    (base, begun, first), (folder, run, other) = one, two
    if other.metric != first.metric:
        raise ConfigError(
            f"{folder} is judged by its {other.metric}, {base} by its {first.metric}: one is of "
            f"{run.task.name}, the other of {begun.task.name}, or one of them has a class that is to be detected "
            "(corpus.target); compare runs of one task with the same target"
        )
    if other.items.keys() != first.items.keys():
        apart = len(other.items.keys() ^ first.items.keys())
        raise DataError(
            f"{folder} and {base} were tested on different items ({apart} are in one alone); "
            "a paired comparison needs the same: run both with one split"
        )
    if any(other.items[key][0] != truth for key, (truth, *_) in first.items.items()):
        raise DataError(
            f"{folder} and {base} have other labels for the same items; run both on one corpus with one corpus.label"
        )
    if (other.tests, other.owners) != (first.tests, first.owners):
        raise DataError(
            f"{folder} and {base} have other groups (corpus.group) for the same items; run both with one corpus.group"
        )


def _row(folder: Path, run: RunFolder, one: Compared, base: Compared) -> ComparedRun:
    (value, _), difference = _difference(one, base)
    own = run.results.get(one.metric)
    low, high = (own.low, own.high) if own is not None else (None, None)
    unit = "groups" if base.tests else "items"
    return ComparedRun(folder, one.metric, value, low, high, difference, difference.n_groups, unit)


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


def compared_trials(run: RunFolder, key: tuple[str, ...]) -> Compared:
    """Trials by their EER: of scores, or of ratios that take more than the score, as the run's own metric is.

    ``key``: model and test; or the item alone where one of two classes is the target, and each item is a trial.
    """
    judged = "llr" if llrs_rank(run) and "llr" in run.heading(RunFile.SCORES) else "score"
    items = run.columns(RunFile.SCORES, key, ("target", judged))
    of_models = len(key) == 2
    return Compared("eer", items, _error_rate_of_trials, *run.groups(owners=of_models), of_trials=of_models)


def _error_rate_of_trials(items: Sequence[tuple[str, ...]]) -> Statistic:
    """The EER of trials (truth, score)."""
    trials = rank_trials([float(score) for _, score in items], np.array([truth == "target" for truth, _ in items]))
    return lambda weights: eer(trials, weights)


def _numbers(names: Sequence[str]) -> NDArray[np.intp]:
    numbers: NDArray[np.intp] = np.unique(np.array(names), return_inverse=True)[1]
    return numbers


def _read(folder: Path) -> tuple[RunFolder, Compared]:
    run = RunFolder(folder)
    with run.reading():
        run.text(RunFile.METRICS)  # the last that a run writes
        return run, run.task.compared(run)
