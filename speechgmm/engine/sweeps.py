"""A sweep: the same experiment with other settings, chosen without a look at the test.

Every point of the grid is judged by an inner result: on the split ``dev`` where there is one, else on inner folds of
the training part. With folds outside, each of them chooses for itself by its own inner folds (nested cross-validation,
Varma & Simon 2006). The test result of a point is printed beside its inner result and chooses nothing.

Features are extracted once per kind, models of the same frames and settings are trained once, and what is finished is
kept: a sweep that was stopped goes on.
"""

import itertools
from collections.abc import Mapping, Sequence
from pathlib import Path
from time import monotonic
from typing import Any

import numpy as np
import yaml

from speechgmm.config import (
    NOT_IN_THE_RESULT,
    Config,
    Experiment,
    config_hash,
    load_config,
    plain_values,
    settings_hash,
    to_plain,
)
from speechgmm.config.overrides import as_override
from speechgmm.corpus import Fold
from speechgmm.corpus.splits import inner_folds
from speechgmm.engine.console import Console
from speechgmm.engine.extraction import divide
from speechgmm.engine.job import Job, prepare
from speechgmm.engine.run_folder import RunFolder
from speechgmm.engine.runs import other_settings
from speechgmm.engine.sweep_results import Point, Sweep, sweep_table
from speechgmm.engine.task import Inputs, task_of
from speechgmm.errors import ConfigError, DataError, FitError
from speechgmm.io.atomic import only_writer, write_text
from speechgmm.io.locks import using_cache
from speechgmm.io.run_files import RunFile, is_run
from speechgmm.io.text_file import read_text_file


def grid_points(grid: Sequence[str], listed: Path | None = None) -> list[dict[str, Any]]:
    """The points of a grid (``key=a,b,c``, all combinations) or of a list (a YAML file with a list of settings).

    Raises:
        ConfigError: Neither or both, a malformed entry, or a single point.

    >>> grid_points(["model.n_components=8,16", "seed=1"])
    [{'model.n_components': 8, 'seed': 1}, {'model.n_components': 16, 'seed': 1}]
    """
    if bool(grid) == (listed is not None):
        raise ConfigError(
            "a sweep needs a grid (KEY=A,B,...; several make all combinations) or a list", arguments=("points",)
        )
    if listed is not None:
        try:
            points, _ = plain_values(read_text_file(listed, "a list of settings"), str(listed))
        except DataError as error:
            raise ConfigError(str(error)) from None
        if not isinstance(points, list) or not all(isinstance(point, dict) and point for point in points):
            raise ConfigError(f"{listed}: a list of settings is expected, such as '- model.n_components: 8'")
        found = [dict(point) for point in points]
    else:
        axes = []
        for entry in grid:
            key, separator, text = entry.partition("=")
            try:
                values, _ = plain_values(f"[{text}]", entry)
            except ConfigError:
                values = []
            if not separator or not key.strip() or not values:
                raise ConfigError(
                    f"{entry}: expected key.path=a,b,c, such as model.n_components=8,16,32", arguments=("points",)
                )
            axes.append([(key.strip(), value) for value in values])
        found = [dict(point) for point in itertools.product(*axes)]
    if len(found) < 2:
        raise ConfigError(f"{len(found)} point to choose from; a sweep needs two or more")
    return found


def sweep(
    config: str | Path,
    points: Sequence[Mapping[str, Any]],
    overrides: Sequence[str] = (),
    *,
    output: str | Path | None = None,
    console: Console | None = None,
    budget: float | None = None,
) -> Sweep:
    """Run every point and choose by inner results.

    Args:
        config: The YAML file.
        points: Settings, key path -> value, from ``grid_points``.
        overrides: ``key.path=value`` for all points.
        output: Folder for the table; default: the configuration's with ``-sweep``.
        console: Where progress goes; default: standard error.
        budget: Seconds; a point that would end later, were it to take as long as the longest yet, is not begun. The
            first two always are.

    Raises:
        ConfigError: A point is not a valid configuration: all are looked at before the first is run.
        DataError: Recordings or labels that cannot be used.
        FitError: No point can be trained; one that cannot is left out and named.
    """
    console = console or Console()
    texts = [[as_override(key, value) for key, value in point.items()] for point in points]
    if any(key.partition(".")[0] == "parallel" for point in points for key in point):
        raise ConfigError("parallel changes no result, so that it cannot be swept; set it for all points alike")
    experiments = [load_config(config, [*overrides, *text]) for text in texts]
    base = experiments[0]
    folder = Path(output).absolute() if output is not None else base.output().with_name(f"{base.output().name}-sweep")
    if is_run(folder):
        raise ConfigError(f"{folder} is the folder of a run; choose another for the sweep", arguments=("output",))
    _check_same_task(experiments)
    task = task_of(base.config)
    if task.no_sweep is not None:
        raise ConfigError(f"sweep is not available for task: {task.name}: {task.no_sweep}")
    with only_writer(folder), using_cache(base.cache()):
        _claim(folder, base, points)
        console.log = folder / RunFile.LOG
        job, found, failed = _run_points(experiments, points, console, budget)
        if job is None:
            raise FitError(f"no point of the sweep can be trained; the first: {failed[0][1]}")
        return _choose(folder, job, base.config, found, tuple(settings for settings, _ in failed))


def _run_points(
    experiments: Sequence[Experiment], points: Sequence[Mapping[str, Any]], console: Console, budget: float | None
) -> tuple[Job | None, list[tuple[Point, dict[str, Any]]], list[tuple[dict[str, Any], str]]]:
    """The job of the first point that can be trained, how the points fared, and those that cannot be trained."""
    job: Job | None = None
    found: list[tuple[Point, dict[str, Any]]] = []
    failed: list[tuple[dict[str, Any], str]] = []
    begun, longest = monotonic(), 0.0
    for number, (experiment, settings) in enumerate(zip(experiments, points, strict=True), 1):
        if budget is not None and number > 2 and monotonic() - begun + longest > budget:
            left = len(points) - number + 1
            console.warn(
                f"{left} of {len(points)} points are left out: they would take longer than {budget:.0f} s in all"
            )
            break
        console.say(f"point {number} of {len(points)}: {_spelt(settings)}")
        since = monotonic()
        try:
            prepared = prepare(experiment, console=console)
            found.append(_run_point(prepared, dict(settings)))
            job = job or prepared
        except FitError as error:  # too many components for a class, for example: the others go on
            console.warn(f"point {number} cannot be trained and is left out: {error}")
            failed.append((dict(settings), str(error)))
        longest = max(longest, monotonic() - since)
    return job, found, failed


def _claim(folder: Path, base: Experiment, points: Sequence[Mapping[str, Any]]) -> None:
    """A folder that holds a sweep belongs to its points and to the settings of the first, keys added since apart."""
    plain = {key: value for key, value in to_plain(base.resolved()).items() if key not in NOT_IN_THE_RESULT}
    text = yaml.safe_dump({"points": [dict(point) for point in points], "first": plain}, sort_keys=False)
    path = folder / RunFile.SWEEP_SETTINGS
    if path.exists() and (changed := _changed(path, text, base)):
        raise ConfigError(
            f"{folder} belongs to another sweep ({changed}); see {path.name} in it, and choose another folder",
            arguments=("output",),
        )
    if not path.exists() and any(not entry.name.startswith(".") for entry in folder.iterdir()):
        raise ConfigError(
            f"{folder} holds files that are not a sweep's (no sweep.yaml); choose another folder", arguments=("output",)
        )
    write_text(path, text)


def _changed(path: Path, text: str, base: Experiment) -> str:
    """What the ``sweep.yaml`` of a folder says other than ``text``, that of this sweep; empty: nothing."""
    written, own = (plain_values(one, str(path))[0] for one in (read_text_file(path, "the settings of a sweep"), text))
    if not isinstance(written, dict) or not isinstance(written.get("first"), dict):
        return "its file is not of this version"
    if written.get("points") != own["points"]:
        return "other points"
    return other_settings(written["first"], base, path)


def _check_same_task(experiments: Sequence[Experiment]) -> None:
    """All points must be tested on the same items in the same folds, so that their results can be compared."""

    def split_of(experiment: Experiment) -> Any:
        job = prepare(experiment, console=Console(quiet=True))
        utterances = tuple((u.id, u.split, (u.labels or {}).get(job.corpus.label)) for u in job.corpus)
        return experiment.config.task, experiment.config.trials, utterances, job.folds

    # Only settings of these sections can change a split; most sweeps change none of them.
    config = experiments[0].config
    for experiment in experiments[1:]:
        other = experiment.config
        same = (other.task, other.corpus, other.trials) == (config.task, config.corpus, config.trials)
        drawn = config.corpus.split.kind in ("fraction", "kfold") and other.seed != config.seed
        if (not same or drawn) and split_of(experiment) != split_of(experiments[0]):
            raise ConfigError(
                "the points of a sweep must be tested on the same items in the same folds; one of them changes the "
                "corpus, the split or the task (seed also draws the folds)"
            )
    task_of(config).check_sweep([experiment.config for experiment in experiments])


def _run_point(job: Job, settings: dict[str, Any]) -> tuple[Point, dict[str, Any]]:
    """Inner results and test scores of one point, by outer fold."""
    task, config = job.task, job.experiment.config
    inputs = task.extract(job)
    outer = {fold.name: tuple(divide(job, one, fold) for one in inputs) for fold in job.folds} or {"": inputs}
    inner = {name: _inner_sets(job, part) for name, part in outer.items()}
    sets = [*outer.values(), *(part for parts in inner.values() for part in parts.values())]
    trained = iter(task.train(job, sets))
    outer_systems = {name: (part, next(trained)) for name, part in outer.items()}
    inner_systems = {
        name: {fold: (part, next(trained)) for fold, part in parts.items()} for name, parts in inner.items()
    }
    inner_job = task.without_trial_table(job)
    results = {
        name: task.criterion(config, task.pooled(task.test(inner_job, systems)))
        for name, systems in inner_systems.items()
    }
    tests = task.test(job, outer_systems)
    pooled = task.of_several_models(job, task.pooled(tests))  # as it is when it is chosen, and as a run has it
    return Point(settings, results, task.criterion(config, pooled)), tests


def _inner_sets(job: Job, inputs: Inputs) -> dict[str, Inputs]:
    """The splits by which a point is chosen: dev as the test, or inner folds of the training part."""
    spec, corpus = job.experiment.config.corpus, inputs[0].corpus
    if not job.folds and corpus.split("dev"):
        tested = frozenset(utterance.id for utterance in corpus.split("dev"))
        folds: tuple[Fold, ...] = (Fold("dev", tested),)
    else:
        seed, classes = job.experiment.config.seed, job.task.trains_each_class(job.experiment.config)
        folds = inner_folds(corpus, spec.split, group=spec.group, seed=seed, classes=classes)
    within = [features.without_split("test") for features in inputs]
    return {fold.name: tuple(divide(job, features, fold) for features in within) for fold in folds}


def _choose(
    folder: Path,
    job: Job,
    config: Config,
    found: Sequence[tuple[Point, dict[str, Any]]],
    failed: tuple[dict[str, Any], ...],
) -> Sweep:
    """What the inner results choose, and its test; ``config`` is that of the first point."""
    points = [point for point, _ in found]
    folds = list(points[0].inner)
    chosen = {fold: int(np.argmax([point.inner[fold] for point in points])) for fold in folds}
    pooled = job.task.pooled({fold: found[number][1][fold] for fold, number in chosen.items()})
    pooled = job.task.of_several_models(job, pooled)
    evaluation = job.task.evaluate(job, pooled)
    result = Sweep(folder, job.task.criterion_name(config), tuple(points), failed, chosen, evaluation)
    place = RunFolder(folder)
    place.put_results(job.task.tables(job, pooled, evaluation), config.tables)
    place.put({RunFile.SWEEP: sweep_table(result)})
    metrics = {
        **(evaluation.metrics if evaluation else {}),
        "chosen": {fold: points[number].settings for fold, number in chosen.items()},
        "task": config.task,
        "config_hash": config_hash(config),
        "settings_hash": settings_hash(config),
    }
    place.put_metrics(metrics)
    job.console.say(f"the test results of the chosen settings are in {folder / RunFile.METRICS}")
    return result


def _spelt(settings: Mapping[str, Any]) -> str:
    return ", ".join(f"{key} {value}" for key, value in settings.items())
