"""Two runs on the same test items: the difference of a metric, by a paired bootstrap."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from speechgmm.engine.run_folder import Items, RunFolder
from speechgmm.errors import ConfigError, DataError
from speechgmm.evaluation import Difference, compare, eer, rank_trials
from speechgmm.evaluation.metric import shown_name
from speechgmm.evaluation.resampling import Statistic
from speechgmm.io.run_files import RunFile


@dataclass(frozen=True, slots=True)
class Compared:
    """The test items of a run, as its task compares them with those of another."""

    metric: str  # accuracy, eer, error_rate, ...
    items: Items  # key of an item -> (truth, and what the metric is made of)
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
    begun, first = _read(base)
    lines = []
    for folder in others:
        run, other = _read(folder)
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
                "a paired comparison needs the same"
            )
        if any(other.items[key][0] != truth for key, (truth, *_) in first.items.items()):
            raise DataError(f"{folder} and {base} have other labels for the same items")
        if (other.tests, other.owners) != (first.tests, first.owners):
            raise DataError(f"{folder} and {base} have other groups (corpus.group) for the same items")
        what = "groups" if first.tests else "items"
        values, difference = _difference(other, first)
        metric = shown_name(first.metric)
        lines.append(
            f"{folder}: {metric} {100 * values[0]:.2f} %, {base}: {100 * values[1]:.2f} %\n"
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


def compared_trials(run: RunFolder, key: tuple[str, ...]) -> Compared:
    """Trials by their EER: of calibrated ratios where there are any, else of scores, as the run's own metric is.

    ``key``: model and test; or the item alone where one of two classes is the target, and each item is a trial.
    """
    judged = "llr" if "llr" in run.heading(RunFile.SCORES) else "score"
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
