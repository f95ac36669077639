"""A whole run: from a configuration to a folder of results, whose files ``io/run_files.py`` lists.

The folder belongs to its configuration: another one is refused.
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from speechgmm.config import (
    Experiment,
    config_hash,
    differences,
    load_config,
    make_config,
    settings_hash,
    to_plain,
    to_yaml,
)
from speechgmm.engine.compilation import compile_note
from speechgmm.engine.console import Console
from speechgmm.engine.environment import Environment
from speechgmm.engine.extraction import divide
from speechgmm.engine.frames import Features
from speechgmm.engine.hints import first_hints
from speechgmm.engine.job import Job, prepare
from speechgmm.engine.model_card import card_of
from speechgmm.engine.protocol import protocol_table
from speechgmm.engine.run_folder import RunFolder
from speechgmm.engine.run_report import data_table, report
from speechgmm.engine.task import AnyTask, Evaluation
from speechgmm.errors import ConfigError, DataError, SpeechGMMError
from speechgmm.evaluation.metric import Metrics, notes_of
from speechgmm.io.atomic import only_writer, remove_leftovers
from speechgmm.io.locks import using_cache
from speechgmm.io.model_card import ModelCard
from speechgmm.io.run_files import RunFile, is_run
from speechgmm.moved import from_new_place

_MOVED = {"Result": "speechgmm.engine.runs:RunResult"}

Stage = Literal["extract", "train", "run"]


@dataclass(frozen=True, slots=True, repr=False)
class RunResult:
    """Where a run's files are, and its metrics."""

    folder: Path
    metrics: dict[str, Any]  # as in metrics.json
    features: Features
    trained: Any  # the task's own; None where the run ended before
    evaluation: Any  # the task's own; None where nothing was tested
    task: AnyTask

    def __repr__(self) -> str:
        found = self.evaluation.metrics if self.evaluation else {}
        metrics = (f"{name} {metric.value:.4f}" for name, metric in found.items())
        return f"RunResult({str(self.folder)!r}: {', '.join(metrics)})"


def run(
    config: str | Path | Experiment,
    overrides: Sequence[str] = (),
    *,
    output: str | Path | None = None,
    console: Console | None = None,
    until: Stage = "run",
    verify_audio: bool = False,
) -> RunResult:
    """Run an experiment: extract features, train, score and evaluate. Stages that are complete are not repeated.

    Parameters
    ----------
    config
        The YAML file, or what ``load_config`` returned.
    overrides
        Changes of the configuration, ``key.path=value`` each.
    output
        Folder for the results; default: ``output`` of the configuration.
    console
        Where progress is written; default: standard error.
    until
        The last stage: ``extract``, ``train`` or ``run`` for all.
    verify_audio
        True: hash all recordings. False: skip the hash of those with unchanged size, dates and inode.

    Returns
    -------
    RunResult
        The folder of the results (``folder``), ``metrics.json`` as a dictionary, and what the task trained and
        evaluated.

    Raises
    ------
    ConfigError
        The configuration is invalid, or the folder holds the run of another configuration.
    DataError
        Recordings or labels cannot be used, or the cache or the folder cannot be written.
    FitError
        A class cannot be trained.

    Examples
    --------
    >>> result = run("birds.yaml", ["model.n_components=2"])
    >>> result.evaluation.metrics["accuracy"].n
    6
    """
    console, begun = console or Console(), time.perf_counter()
    experiment = config if isinstance(config, Experiment) else load_config(config, overrides)
    folder = Path(output).absolute() if output is not None else experiment.output()
    _check_is_ours(folder, experiment)
    with only_writer(folder), using_cache(experiment.cache()), compile_note(console):
        console.log = folder / RunFile.LOG
        remove_leftovers(folder)
        RunFolder(folder).put({RunFile.CONFIG: to_yaml(experiment.resolved())})
        try:
            job = replace(prepare(experiment, console=console), output=folder, verify_audio=verify_audio)
            result = _run(job, folder, until)
            console.say_times(time.perf_counter() - begun)
            return result
        except SpeechGMMError as error:
            console.record(f"error: {error}")
            raise


def _run(job: Job, folder: Path, until: Stage) -> RunResult:
    task, console, place = job.task, job.console, RunFolder(folder)
    console.say(task.about(job))
    inputs = task.extract(job)
    features = inputs[0]
    environment = Environment.of(job.experiment, features)
    place.put(
        {
            RunFile.ENVIRONMENT: environment.text(),
            RunFile.PROTOCOL: protocol_table(job, features),
            RunFile.DATA: data_table(job, features),
        }
    )
    if until == "extract":
        return RunResult(folder, {}, features, None, None, task)
    parts = {fold.name: tuple(divide(job, one, fold) for one in inputs) for fold in job.folds}
    data_hash = str(environment.entries["data_hash"])
    cards = {name: card_of(job, part[0], data_hash, name) for name, part in {"": inputs, **parts}.items()}
    whole, *each = task.train(job, [inputs, *parts.values()])
    folds = dict(zip(parts, each, strict=True))
    if until == "train" or not task.settles(job):
        _save(place, job, cards, {"": whole, **folds})
    if until == "train":
        return RunResult(folder, {}, features, whole, None, task)
    systems = {name: (parts[name], trained) for name, trained in folds.items()} or {"": (inputs, whole)}
    settled = task.settle(job, inputs, whole, folds, task.test(job, systems))
    if task.settles(job):
        _save(place, job, cards, {"": settled.whole, **settled.folds})
    with console.stage("evaluate"), console.patience("evaluating"):
        evaluation = task.evaluate(job, settled.tested)
        place.put_results(task.tables(job, settled.tested, evaluation), job.experiment.config.tables)
        place.put(task.audit(job, inputs, settled.whole))
        hints = {"hints": first_hints(task.hints(job, systems, settled.tested, evaluation))} if evaluation else {}
    _tell_metrics(place, cards, evaluation)
    metrics = place.put_metrics({**_metrics(job, features, settled.whole, evaluation), **hints})
    _say_notes(console, evaluation.metrics if evaluation else {})
    report(folder, job, evaluation)
    metrics = place.put_metrics({**metrics, "seconds": _seconds(console)})
    place.put({RunFile.ENVIRONMENT: environment.text(ended=True)})
    return RunResult(folder, metrics, features, settled.whole, evaluation, task)


def _seconds(console: Console) -> dict[str, float]:
    return {stage: round(seconds, 3) for stage, seconds in console.seconds.items()}


def _say_notes(console: Console, metrics: Metrics) -> None:
    """What should be known about metrics, once for all that it concerns."""
    for note, names in notes_of(metrics).items():
        console.warn(f"{', '.join(names)}: {note}")


def _save(place: RunFolder, job: Job, cards: Mapping[str, ModelCard], models: Mapping[str, Any]) -> None:
    """Write the models of everything (named "") and of each fold, with their cards and the tables about them."""
    for name, trained in models.items():
        run = place.fold(name) if name else place
        run.put_models(job.task.pack(job, trained), cards[name], job.task.model_tables(job, trained))


def _tell_metrics(place: RunFolder, cards: Mapping[str, ModelCard], evaluation: Evaluation | None) -> None:
    """Write the metrics into the cards of the models that they are of."""
    found = {"": evaluation.metrics, **evaluation.folds} if evaluation else {"": {}}
    for name, metrics in found.items():
        run = place.fold(name) if name else place
        run.put_card(cards[name].tested(metrics))


def _check_is_ours(folder: Path, experiment: Experiment) -> None:
    """A folder that holds results belongs to their configuration; one that holds other files is not for us."""
    path = folder / RunFile.CONFIG
    if folder.exists() and not folder.is_dir():
        raise ConfigError(f"{folder}: a file; the results need a folder", arguments=("output",))
    if not is_run(folder):
        if folder.is_dir() and any(not name.name.startswith(".") for name in folder.iterdir()):
            raise ConfigError(
                f"{folder} holds files that are not a run's (no config.yaml); choose another folder",
                arguments=("output",),
            )
        return
    if not (folder / RunFile.MODELS).exists():
        return  # stopped before there was a result: the next configuration may be the mended one
    if changed := other_settings(RunFolder(folder).config, experiment, path):
        raise ConfigError(
            f"{folder} belongs to another configuration ({changed}); "
            f"run {path} itself to go on with its settings, choose another folder (output), or remove this one",
            arguments=("output",),
        )


def other_settings(written: Mapping[str, Any], experiment: Experiment, path: Path) -> str:
    """The keys in which the settings of a folder differ from an experiment, five at most; empty: none.

    A key that was added since the folder was made has its default there. ``path`` is the file of these settings.

    Raises:
        ConfigError: They are no configuration of this version.
    """
    try:
        there = to_plain(make_config(dict(written), str(path)))
    except (ConfigError, DataError, ValueError, AttributeError, TypeError) as error:
        why = str(error).split("\n")[0].removeprefix(f"{path}: ").split("; ")[0]
        raise ConfigError(
            f"{path}: not a configuration of this version ({why}); choose another folder, or remove this one",
            arguments=("output",),
        ) from None
    changed = list(differences(to_plain(experiment.resolved()), there))
    return f"{'; '.join(changed[:5])}{' ...' if len(changed) > 5 else ''}"


def _metrics(job: Job, features: Features, trained: Any, evaluation: Evaluation | None) -> dict[str, Any]:
    config, task = job.experiment.config, job.task
    folds = evaluation.folds if evaluation else {}
    return {
        **(evaluation.metrics if evaluation else {}),
        **({"folds": folds} if folds else {}),
        **(task.more_metrics(evaluation) if evaluation else {}),
        "task": config.task,
        "n_train": len(features.of_split("train")),
        "n_test": len(features.of_split("train" if job.folds else "test")),
        **task.facts(trained),
        "n_rejected": len(features.rejected),
        "seconds": _seconds(job.console),
        "config_hash": config_hash(config),
        "settings_hash": settings_hash(config),
    }


def __getattr__(name: str) -> Any:
    return from_new_place(__name__, name, _MOVED)
