"""Tuning: a small sweep over what matters for a task, after a run that says how long it will take."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from speechgmm.config import load_config
from speechgmm.config.overrides import as_override
from speechgmm.corpus.splits import inner_folds
from speechgmm.engine.console import Console
from speechgmm.engine.job import Job, prepare
from speechgmm.engine.runs import RunResult
from speechgmm.engine.sweep_results import Sweep
from speechgmm.engine.sweeps import sweep
from speechgmm.errors import ConfigError

NOT_REPEATED = ("extract", "evaluate", "report")
"""Stages of a run that a point of a sweep does not take."""


@dataclass(frozen=True, slots=True)
class TuningPlan:
    """The settings that are tried, and how long that takes."""

    points: tuple[dict[str, Any], ...]  # the first: those of the configuration
    seconds: float  # by the time that the run took; less where its models came from the cache


def check_tunable(config: Path, overrides: Sequence[str]) -> None:
    """Refuse, before a run takes its time, to tune where there is nothing to choose by.

    Raises:
        ConfigError: The task cannot be judged without its test, or all recordings are the test.
    """
    job = prepare(load_config(config, overrides), console=Console(quiet=True))
    if job.task.no_sweep is not None:
        raise ConfigError(f"tuning is not available for task: {job.task.name}: {job.task.no_sweep}")
    if not (job.folds or job.corpus.split("dev") or job.corpus.split("train")):
        raise ConfigError(
            "tuning chooses settings on the training part or the split dev, and all recordings are the test; give "
            "labelled recordings that the test does not have (the split train), or divide them (corpus.split)"
        )


def plan_tuning(config: Path, overrides: Sequence[str], result: RunResult) -> TuningPlan:
    """What is tried after a run of a configuration, and about how long it takes.

    Raises:
        ConfigError: The task has nothing to tune.
    """
    experiment = load_config(config, overrides)
    job = prepare(experiment, console=Console(quiet=True))
    given = job.task.tuning_points(experiment.config, result.trained)
    points = [point for point in given if _is_valid(config, overrides, point)]
    if len(points) < 2:
        raise ConfigError(
            f"tuning knows no other settings worth trying for task: {job.task.name} with this configuration; name some "
            "in a sweep"
        )
    seconds = sum(value for stage, value in result.metrics["seconds"].items() if stage not in NOT_REPEATED)
    # A run trains one set for each fold and one of everything; a point one for each outer and each inner fold.
    return TuningPlan(tuple(points), seconds * len(points) * _n_sets(job) / (len(job.folds) + 1))


def tune(
    config: Path, overrides: Sequence[str], plan: TuningPlan, *, output: Path, console: Console, minutes: float
) -> Sweep:
    """Try the points of a plan, judged by inner folds (or the split dev) as a sweep does. Raises as `sweep`."""
    return sweep(config, plan.points, overrides, output=output, console=console, budget=60 * minutes)


def _is_valid(config: Path, overrides: Sequence[str], point: Mapping[str, Any]) -> bool:
    try:
        load_config(config, [*overrides, *(as_override(key, value) for key, value in point.items())])
    except ConfigError:
        return False
    return True


def _n_sets(job: Job) -> int:
    """Training sets of one point of a sweep."""
    spec, seed = job.experiment.config.corpus, job.experiment.config.seed
    if not job.folds:
        if job.corpus.split("dev"):
            return 2
        classes = job.task.trains_each_class(job.experiment.config)
        return 1 + len(inner_folds(job.corpus, spec.split, group=spec.group, seed=seed, classes=classes))
    return len(job.folds) * len(job.folds)  # inner folds are made as the outer ones are, of one fold less
