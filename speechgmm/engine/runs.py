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

import yaml

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
from speechgmm.corpus import SPLITS
from speechgmm.engine.console import Console
from speechgmm.engine.extraction import divide, extract
from speechgmm.engine.frames import Features
from speechgmm.engine.job import Job, prepare
from speechgmm.engine.protocol import protocol_table
from speechgmm.engine.run_report import data_table, report
from speechgmm.errors import ConfigError, SpeechGMMError
from speechgmm.io.atomic import only_writer, remove_leftovers, write_atomically, write_text
from speechgmm.io.feature_store import digest
from speechgmm.tasks.anomaly.codec import serialise_anomaly
from speechgmm.tasks.anomaly.evaluation import (
    AnomalyEvaluation,
    anomaly_table,
    curves_of_worst,
    curves_table,
    evaluate_anomalies,
    normal_table,
    score_anomalies,
    thresholds_table,
)
from speechgmm.tasks.anomaly.training import TrainedAnomaly, extract_streams, train_anomaly
from speechgmm.tasks.classification.codec import ModelFile, serialise
from speechgmm.tasks.classification.evaluation import (
    Evaluation,
    classes_table,
    confusion_table,
    evaluate,
    per_class_table,
    scores_table,
)
from speechgmm.tasks.classification.scoring import Scores, score
from speechgmm.tasks.classification.training import Trained, score_folds, train, train_folds
from speechgmm.tasks.recognition.codec import RecogniserFile, serialise_recogniser
from speechgmm.tasks.recognition.decoding import recognise_test
from speechgmm.tasks.recognition.evaluation import (
    RecognitionEvaluation,
    evaluate_recognition,
    hypotheses_lines,
    hypotheses_table,
    pairs_table,
)
from speechgmm.tasks.recognition.training import TrainedRecogniser, train_recognisers, units_table
from speechgmm.tasks.segments.codec import SegmentFile, serialise_segments
from speechgmm.tasks.segments.training import TrainedSegments, score_segments, train_segments
from speechgmm.tasks.verification.calibration import calibrate, calibrated_metrics
from speechgmm.tasks.verification.evaluation import TrialEvaluation, evaluate_trials
from speechgmm.tasks.verification.score_maps import Calibration
from speechgmm.tasks.verification.trials import score_trials, trials_table

Stage = Literal["extract", "train", "run"]
AnyTrained = Trained | TrainedSegments | TrainedRecogniser | TrainedAnomaly
AnyEvaluation = Evaluation | TrialEvaluation | RecognitionEvaluation | AnomalyEvaluation


@dataclass(frozen=True, slots=True, repr=False)
class Result:
    """Where a run's files are, and its figures."""

    folder: Path
    metrics: dict[str, Any]  # as in metrics.json
    features: Features
    trained: AnyTrained | None
    evaluation: AnyEvaluation | None

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
    console.say(_about(job))
    streams = extract_streams(job) if experiment.config.task == "anomaly" else [extract(job)]
    features = streams[0]
    write_text(folder / "environment.json", json.dumps(_environment(experiment, features), indent=1) + "\n")
    write_text(folder / "protocol.tsv", protocol_table(job, features))
    write_text(folder / "data.tsv", data_table(job, features))
    if until == "extract":
        return Result(folder, {}, features, None, None)
    if experiment.config.task == "anomaly":
        return _run_anomaly(folder, job, streams, until)
    parts: dict[str, Features] = {fold.name: divide(job, features, fold) for fold in job.folds}
    if experiment.config.segments is not None:
        return _run_segments(folder, job, features, parts, until)
    if experiment.config.task == "recognition":
        return _run_recognition(folder, job, features, parts, until)
    fold_models: dict[str, Trained] = {}
    if parts:
        trained, each = train_folds(job, features, list(parts.values()))
        fold_models = dict(zip(parts, each, strict=True))
    else:
        trained = train(job, features)
    if until == "train":
        _save(folder, trained, job)
        return Result(folder, {}, features, trained, None)
    if experiment.config.task == "verification":
        evaluation: AnyEvaluation | None = _verify(folder, job, features, trained, parts, fold_models)
    else:
        evaluation, trained = _classify(folder, job, features, trained, parts, fold_models)
    return _report(folder, job, features, trained, evaluation)


def _run_segments(folder: Path, job: Job, features: Features, parts: Mapping[str, Features], until: Stage) -> Result:
    """Train segment models on everything and on every fold, and test them."""
    whole, *each = train_segments(job, [features, *parts.values()])
    _save_models(folder, serialise_segments(SegmentFile(whole.models, whole.audio, job.corpus.label)))
    for name, found in zip(parts, each, strict=True):
        data = serialise_segments(SegmentFile(found.models, found.audio, job.corpus.label))
        _save_models(folder / "folds" / fold_folder(name), data)
    if until == "train":
        return Result(folder, {}, features, whole, None)
    systems = dict(zip(parts, each, strict=True))
    scores = (
        Scores.pooled({name: score_segments(job, part, systems[name].models) for name, part in parts.items()})
        if parts
        else score_segments(job, features, whole.models)
    )
    return _report(folder, job, features, whole, _evaluated(folder, job, scores))


def _run_recognition(folder: Path, job: Job, features: Features, parts: Mapping[str, Features], until: Stage) -> Result:
    """Train a recogniser on everything and on every fold, and test them."""
    config = job.experiment.config
    whole, *each = train_recognisers(job, [features, *parts.values()])
    _save_models(folder, serialise_recogniser(RecogniserFile(whole.recogniser, whole.audio, job.corpus.label)))
    for name, found in zip(parts, each, strict=True):
        data = serialise_recogniser(RecogniserFile(found.recogniser, found.audio, job.corpus.label))
        _save_models(folder / "folds" / fold_folder(name), data)
    write_text(folder / "units.tsv", units_table(whole.recogniser.units))
    if until == "train":
        return Result(folder, {}, features, whole, None)
    tested = {name: (part, found.recogniser) for (name, part), found in zip(parts.items(), each, strict=True)}
    heard = recognise_test(job, tested or {"": (features, whole.recogniser)})
    if not heard.said:
        job.console.warn("the split 'test' is empty: there are models, but no figures about them")
        return _report(folder, job, features, whole, None)
    evaluation = evaluate_recognition(heard, config.recognition, seed=config.seed)
    write_text(folder / "hypotheses.tsv", hypotheses_table(heard, evaluation))
    write_text(folder / "hypotheses.jsonl", hypotheses_lines(heard, features.audio))
    write_text(folder / "pairs.tsv", pairs_table(evaluation))
    return _report(folder, job, features, whole, evaluation)


def _run_anomaly(folder: Path, job: Job, streams: Sequence[Features], until: Stage) -> Result:
    """Train models of what is normal, and look for what is not in the test."""
    config = job.experiment.config
    trained = train_anomaly(job, streams)
    _save_models(folder, serialise_anomaly(trained.file))
    write_text(folder / "classes.tsv", classes_table(trained.reports))
    write_text(folder / "thresholds.tsv", thresholds_table(trained.file))
    write_text(folder / "normal.tsv", normal_table(trained.file))
    if until == "train":
        return Result(folder, {}, streams[0], trained, None)
    scores = score_anomalies(job, streams, trained.file)
    write_text(folder / "scores.tsv", anomaly_table(scores, trained.file, config.anomaly.normal))
    write_text(folder / "curves.tsv", curves_table(curves_of_worst(scores)))
    evaluation = evaluate_anomalies(scores, config.anomaly.normal, seed=config.seed)
    if evaluation is None:
        job.console.warn("the split 'test' is empty: there are models, but no figures about them")
    elif "auc" not in evaluation.metrics:
        job.console.warn("no AUC: it needs normal and anomalous recordings of every class in the test")
    return _report(folder, job, streams[0], trained, evaluation)


def _report(
    folder: Path,
    job: Job,
    features: Features,
    trained: AnyTrained,
    evaluation: AnyEvaluation | None,
) -> Result:
    """Write the figures, say what should be known about them, and draw."""
    metrics = _metrics(job, features, trained, evaluation)
    write_text(folder / "metrics.json", json.dumps(metrics, indent=1) + "\n")
    notes: dict[str, list[str]] = {}
    for name, metric in metrics.items():
        if isinstance(metric, dict) and "note" in metric:
            notes.setdefault(metric["note"], []).append(name)
    for note, names in notes.items():
        job.console.warn(f"{', '.join(names)}: {note}")
    report(folder, job, evaluation if isinstance(evaluation, Evaluation) else None)
    return Result(folder, metrics, features, trained, evaluation)


def _evaluated(folder: Path, job: Job, scores: Scores) -> Evaluation | None:
    """Write the scores and evaluate them."""
    config = job.experiment.config
    write_text(folder / "scores.tsv", scores_table(scores, config.corpus.target))
    evaluation = evaluate(scores, seed=config.seed, target=config.corpus.target, decision=config.decision)
    if evaluation is None:
        job.console.warn("the split 'test' is empty: there are models, but no figures about them")
    else:
        untested = [label for label in scores.labels if label not in set(scores.true)]
        if untested:
            job.console.warn(
                f"{len(untested)} classes have no test item, and no part in figures: {', '.join(untested[:20])}"
            )
        write_text(folder / "confusion.tsv", confusion_table(evaluation))
        write_text(folder / "per_class.tsv", per_class_table(evaluation))
    return evaluation


def _classify(
    folder: Path,
    job: Job,
    features: Features,
    trained: Trained,
    parts: Mapping[str, Features],
    fold_models: Mapping[str, Trained],
) -> tuple[Evaluation | None, Trained]:
    """Score, decide and evaluate; with folds the models get their temperature here, from the scores of others."""
    if not parts:
        _save(folder, trained, job)
        scores = score(job, features, trained.models)
    else:
        each, fold_models, temperature = score_folds(job, parts, fold_models, "scoring the folds")
        if temperature is not None:
            trained = trained.tempered(temperature)
        _save(folder, trained, job)
        _save_folds(folder, fold_models, job)
        scores = Scores.pooled(each)
    return _evaluated(folder, job, scores), trained


def _verify(
    folder: Path,
    job: Job,
    features: Features,
    trained: Trained,
    parts: Mapping[str, Features],
    fold_models: Mapping[str, Trained],
) -> TrialEvaluation:
    """Score the trials and evaluate them; with folds each trial is scored by the models of its test's fold."""
    config = job.experiment.config
    if config.calibration.method == "none":
        _save(folder, trained, job)
    _save_folds(folder, fold_models, job)
    systems = {name: (parts[name], fold_models[name].models) for name in parts} or {"": (features, trained.models)}
    scored, calibration = calibrate(job, score_trials(job, systems), features, trained.models)
    if calibration is not None:
        _save(folder, trained, job, calibration)
    write_text(folder / "scores.tsv", trials_table(scored))
    evaluation = evaluate_trials(scored, config.decision, seed=config.seed)
    calibrated = calibrated_metrics(scored, config.decision, seed=config.seed)
    return replace(evaluation, metrics={**evaluation.metrics, **calibrated})


def _save_folds(folder: Path, fold_models: Mapping[str, Trained], job: Job) -> None:
    for name, trained in fold_models.items():
        _save(folder / "folds" / fold_folder(name), trained, job)


def fold_folder(name: str) -> str:
    """A fold's name as that of a folder: no slash, and no dot at the front."""
    spelt = quote(name, safe=" ")
    return "%2E" + spelt[1:] if spelt.startswith(".") else spelt


OF_OTHER_MODELS = (
    *("scores.tsv", "metrics.json", "confusion.tsv", "per_class.tsv", "confusion.png", "report.html"),
    *("hypotheses.tsv", "hypotheses.jsonl", "pairs.tsv", "thresholds.tsv", "normal.tsv", "curves.tsv"),
)


def _save_models(folder: Path, data: bytes) -> None:
    """Write a model file; figures of other models do not stay beside it."""
    path = folder / "models.safetensors"
    if not path.exists() or path.read_bytes() != data:
        for name in OF_OTHER_MODELS:
            (folder / name).unlink(missing_ok=True)
        write_atomically(path, lambda file: file.write(data))


def _save(folder: Path, trained: Trained, job: Job, calibration: Calibration | None = None) -> None:
    """Write models and how they were trained."""
    file = ModelFile(trained.models, trained.audio, job.corpus.label, trained.recipe, calibration)
    _save_models(folder, serialise(file))
    background = (trained.ubm_report,) if trained.ubm_report else ()
    write_text(folder / "classes.tsv", classes_table((*background, *trained.reports)))


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
        there = to_plain(make_config(yaml.safe_load(path.read_text(encoding="utf-8")), str(path)))
    except (yaml.YAMLError, ConfigError, OSError, ValueError, AttributeError, TypeError):
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


def _about(job: Job) -> str:
    corpus = job.corpus
    labels = {utterance.label(corpus.label) for utterance in corpus.split("train")}
    what = f"{len(labels)} classes"
    if job.experiment.config.task == "recognition":
        what = f"{len({word for label in labels for word in label.split()})} words or phones"
    if job.experiment.config.task == "anomaly":
        what = "all normal recordings as one"
        if job.experiment.config.anomaly.models == "label":
            what = f"normal recordings of {len(labels)} classes ({corpus.label})"
        n_train, n_test = len(corpus.split("train")), len(corpus.split("test"))
        return f"{job.experiment.name}: {what}, utterances: {n_train} train, {n_test} test"
    if job.folds:
        sizes = f"{len(corpus)} utterances, {len(job.folds)} folds"
        return f"{job.experiment.name}: {what} ({corpus.label}), {sizes}"
    sizes = ", ".join(f"{len(corpus.split(name))} {name}" for name in SPLITS if corpus.split(name))
    return f"{job.experiment.name}: {what} ({corpus.label}), utterances: {sizes}"


def _metrics(
    job: Job,
    features: Features,
    trained: AnyTrained,
    evaluation: AnyEvaluation | None,
) -> dict[str, Any]:
    config = job.experiment.config
    folds = evaluation.folds if evaluation else {}
    return {
        **(evaluation.metrics if evaluation else {}),
        **({"folds": folds} if folds else {}),
        **(_parts(evaluation) if isinstance(evaluation, AnomalyEvaluation) else {}),
        "task": config.task,
        "n_train": len(features.of_split("train")),
        "n_test": len(features.of_split("train" if job.folds else "test")),
        **_n_classes(trained),
        "n_rejected": len(features.rejected),
        **({"temperature": trained.models.temperature} if isinstance(trained, Trained) else {}),
        "seconds": {stage: round(seconds, 3) for stage, seconds in job.console.seconds.items()},
        "config_hash": config_hash(config),
        "settings_hash": settings_hash(config),
    }


def _parts(evaluation: AnomalyEvaluation) -> dict[str, Any]:
    """Figures of each class, and of each kind of anomaly, where there are several."""
    parts = {"classes": evaluation.kinds, "conditions": evaluation.conditions}
    return {name: found for name, found in parts.items() if found}


def _n_classes(trained: AnyTrained) -> dict[str, int]:
    if isinstance(trained, TrainedAnomaly):
        return {"n_classes": len(trained.file.models)}
    if isinstance(trained, TrainedRecogniser):
        return {"n_units": len(trained.recogniser.units.labels)}
    return {"n_classes": len(trained.models.labels)}
