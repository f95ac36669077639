"""A whole run: from a configuration to a folder of results.

    runs/NAME/config.yaml          the whole configuration, resolved
              environment.json     versions, hashes, and where the recordings lay
              models.safetensors   what scores new recordings
              classes.tsv          how each class was trained
              protocol.tsv         which utterance trains and which is tested, in which fold
              folds/NAME/          models of each fold; those above are trained on everything
              scores.tsv           the test split against every class
              metrics.json         figures, for programs
              confusion.tsv, .png  which class was taken for which
              per_class.tsv        recall and precision of every class
              data.tsv             utterances, seconds and frames of every class
              hypotheses.tsv       recognition: what was said and heard (.jsonl: with times); pairs.tsv: what for what
              thresholds.tsv       anomaly: from which score on a recording is anomalous
              normal.tsv           anomaly: scores of normal training recordings
              curves.tsv           anomaly: when the oddest test recordings are odd
              report.html          all of this on one page, made from these files
              rejected.tsv         recordings left out (on_error: skip)
              log.txt              what was said while it ran

A file appears whole or not at all. The folder belongs to its configuration: another one is refused.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal
from urllib.parse import quote

from speechgmm.config import (
    Experiment,
    config_hash,
    differences,
    load_config,
    make_config,
    plain_values,
    settings_hash,
    to_plain,
    to_yaml,
)
from speechgmm.engine.console import Console
from speechgmm.engine.extraction import divide
from speechgmm.engine.frames import Features
from speechgmm.engine.job import Job, prepare
from speechgmm.engine.protocol import protocol_table
from speechgmm.engine.run_report import data_table, report
from speechgmm.engine.task import AnyTask, Evaluation
from speechgmm.errors import ConfigError, SpeechGMMError
from speechgmm.io.atomic import only_writer, remove_leftovers, write_atomically, write_text
from speechgmm.io.feature_store import digest

Stage = Literal["extract", "train", "run"]


@dataclass(frozen=True, slots=True, repr=False)
class Result:
    """Where a run's files are, and its figures."""

    folder: Path
    metrics: dict[str, Any]  # as in metrics.json
    features: Features
    trained: Any  # the task's own; None where the run ended before
    evaluation: Any  # the task's own; None where nothing was tested
    task: AnyTask

    def __repr__(self) -> str:
        figures = (f"{k} {v['value']:.4f}" for k, v in self.metrics.items() if isinstance(v, dict) and "value" in v)
        return f"Result({str(self.folder)!r}: {', '.join(figures)})"


def run(
    config: str | Path | Experiment,
    overrides: Sequence[str] = (),
    *,
    output: str | Path | None = None,
    console: Console | None = None,
    until: Stage = "run",
) -> Result:
    """Extract, train, score and evaluate; what was finished before is not done again.

    Args:
        config: The YAML file, or what ``load_config`` returned.
        overrides: ``key.path=value``.
        output: Folder for the results; default: ``output`` of the configuration.
        console: Where progress goes; default: standard error.
        until: The last stage: ``extract``, ``train`` or ``run`` for all.

    Raises:
        ConfigError: The configuration is wrong, or the folder belongs to another one.
        DataError: Recordings or labels that cannot be used.
        FitError: A class that cannot be trained.
    """
    console = console or Console()
    experiment = config if isinstance(config, Experiment) else load_config(config, overrides)
    folder = Path(output).absolute() if output is not None else experiment.output()
    _check_is_ours(folder, experiment)
    with only_writer(folder):
        console.log = folder / "log.txt"
        remove_leftovers(folder)
        write_text(folder / "config.yaml", to_yaml(experiment.resolved()))
        try:
            return _run(experiment, folder, console, until)
        except SpeechGMMError as error:
            console.record(f"error: {error}")
            raise


def _run(experiment: Experiment, folder: Path, console: Console, until: Stage) -> Result:
    job = replace(prepare(experiment, console=console), output=folder)
    task = job.task
    console.say(task.about(job))
    inputs = task.extract(job)
    features = inputs[0]
    write_text(folder / "environment.json", json.dumps(_environment(experiment, features), indent=1) + "\n")
    write_text(folder / "protocol.tsv", protocol_table(job, features))
    write_text(folder / "data.tsv", data_table(job, features))
    if until == "extract":
        return Result(folder, {}, features, None, None, task)
    parts = {fold.name: tuple(divide(job, one, fold) for one in inputs) for fold in job.folds}
    whole, *each = task.train(job, [inputs, *parts.values()])
    folds = dict(zip(parts, each, strict=True))
    if until == "train" or not task.settles(job):
        _save(folder, job, whole, folds)
    if until == "train":
        return Result(folder, {}, features, whole, None, task)
    systems = {name: (parts[name], trained) for name, trained in folds.items()} or {"": (inputs, whole)}
    settled = task.settle(job, inputs, whole, folds, task.test(job, systems))
    if task.settles(job):
        _save(folder, job, settled.whole, settled.folds)
    evaluation = task.evaluate(job, settled.tested)
    for name, text in task.tables(job, settled.tested, evaluation).items():
        write_text(folder / name, text)
    metrics = _metrics(job, features, settled.whole, evaluation)
    write_text(folder / "metrics.json", json.dumps(metrics, indent=1) + "\n")
    _say_notes(console, metrics)
    report(folder, job, evaluation)
    return Result(folder, metrics, features, settled.whole, evaluation, task)


def _say_notes(console: Console, metrics: Mapping[str, Any]) -> None:
    """What should be known about metrics, once for all that it concerns."""
    notes: dict[str, list[str]] = {}
    for name, metric in metrics.items():
        if isinstance(metric, dict) and "note" in metric:
            notes.setdefault(metric["note"], []).append(name)
    for note, names in notes.items():
        console.warn(f"{', '.join(names)}: {note}")


def fold_folder(name: str) -> str:
    """A fold's name as that of a folder: no slash, and no dot at the front."""
    spelt = quote(name, safe=" ")
    return "%2E" + spelt[1:] if spelt.startswith(".") else spelt


OF_OTHER_MODELS = (
    *("scores.tsv", "metrics.json", "confusion.tsv", "per_class.tsv", "confusion.png", "report.html"),
    *("hypotheses.tsv", "hypotheses.jsonl", "pairs.tsv", "thresholds.tsv", "normal.tsv", "curves.tsv"),
)


def _save(folder: Path, job: Job, whole: Any, folds: Mapping[str, Any]) -> None:
    """Write the models of everything and of each fold, with the tables about them."""
    for place, trained in (
        (folder, whole),
        *((folder / "folds" / fold_folder(name), one) for name, one in folds.items()),
    ):
        _save_models(place, job.task.pack(job, trained))
        for name, text in job.task.model_tables(job, trained).items():
            write_text(place / name, text)


def _save_models(folder: Path, data: bytes) -> None:
    """Write a model file; figures of other models do not stay beside it."""
    path = folder / "models.safetensors"
    if not path.exists() or path.read_bytes() != data:
        for name in OF_OTHER_MODELS:
            (folder / name).unlink(missing_ok=True)
        write_atomically(path, lambda file: file.write(data))


def _check_is_ours(folder: Path, experiment: Experiment) -> None:
    """A folder that holds results belongs to their configuration; one that holds other files is not for us."""
    path = folder / "config.yaml"
    if folder.exists() and not folder.is_dir():
        raise ConfigError(f"{folder}: a file; the results need a folder", arguments=("output",))
    if not path.exists():
        if folder.is_dir() and any(not name.name.startswith(".") for name in folder.iterdir()):
            raise ConfigError(
                f"{folder} holds files that are not a run's (no config.yaml); choose another folder",
                arguments=("output",),
            )
        return
    if not (folder / "models.safetensors").exists():
        return  # stopped before there was a result: the next configuration may be the mended one
    try:
        there = to_plain(make_config(plain_values(path.read_text(encoding="utf-8"), str(path))[0], str(path)))
    except (ConfigError, OSError, ValueError, AttributeError, TypeError):
        raise ConfigError(
            f"{path}: not a configuration of this version; choose another folder, or remove this one",
            arguments=("output",),
        ) from None
    changed = list(differences(to_plain(experiment.resolved()), there))
    if changed:
        raise ConfigError(
            f"{folder} belongs to another configuration "
            f"({'; '.join(changed[:5])}{' ...' if len(changed) > 5 else ''}); "
            f"run {path} itself to go on with its settings, choose another folder (output), or remove this one",
            arguments=("output",),
        )


def _environment(experiment: Experiment, features: Features) -> dict[str, Any]:
    import os
    import platform
    from importlib.metadata import version

    packages = ("speechgmm", "numpy", "scipy", "numba", "soundfile", "soxr", "joblib", "safetensors")
    return {
        "config": experiment.name,
        "config_hash": config_hash(experiment.config),
        "settings_hash": settings_hash(experiment.config),
        "data_hash": _data_hash(features),
        "corpus_root": str(features.corpus.root),
        "seed": experiment.config.seed,
        "python": platform.python_version(),
        "machine": platform.machine(),
        "openblas_coretype": os.environ.get("OPENBLAS_CORETYPE"),
        "packages": {name: version(name) for name in packages},
    }


def _data_hash(features: Features) -> str:
    """Thirty-two hex digits that two corpora share when they hold the same audio, segments, labels and splits."""
    rows = (
        f"{u.id}\t{u.split}\t{u.label(features.corpus.label) if u.split != 'ubm' else ''}\t{p.key}\t{p.first}\t{p.stop}"
        for u, p in zip(features.corpus, features.pieces, strict=True)
    )
    return digest(*rows)


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
        "seconds": {stage: round(seconds, 3) for stage, seconds in job.console.seconds.items()},
        "config_hash": config_hash(config),
        "settings_hash": settings_hash(config),
    }
