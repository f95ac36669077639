"""The temperature of class models, by cross-validation within their training split."""

import contextlib
import json
from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from speechgmm.corpus.splits import assign_folds
from speechgmm.engine.class_report import posteriors_of
from speechgmm.engine.frames import Features, Piece
from speechgmm.engine.job import Job
from speechgmm.engine.mixture_fit import MixtureTask
from speechgmm.engine.mixtures import train_mixtures
from speechgmm.errors import FitError
from speechgmm.gmm import BayesianGMM
from speechgmm.io.atomic import write_text
from speechgmm.io.feature_store import digest
from speechgmm.tasks.classification.models import ClassModels
from speechgmm.tasks.classification.scoring import log_likelihood_table
from speechgmm.tasks.classification.spec import ScoringSpec
from speechgmm.tasks.classification.temperature import fit_temperature


def cross_validated_temperature(
    job: Job, features: Features, common: MixtureTask, models: ClassModels, known: Mapping[str, BayesianGMM]
) -> float | None:
    """The temperature, fitted on training utterances scored by models that have not seen their recordings.

    What all classes share (floor, background model, normalisation, transform) is that of the whole training split, and
    so are the priors of variational Bayes (``known``, by class) and the numbers of components that follow from frames.

    None, with a warning, where a class would lose all its recordings or too many frames.
    """
    config = job.experiment.config
    n_folds = config.section(ScoringSpec).temperature_folds
    corpus = features.corpus
    training = features.grouped(config.corpus.group).training()
    folds = assign_folds(
        corpus,
        [utterance for utterance, _ in training],
        n_folds,
        group=config.corpus.group if config.corpus.split.disjoint else None,
        seed=config.seed,
    )
    of_class = _class_tasks(common, models, known)
    tasks: list[MixtureTask] = []
    for fold in range(n_folds):
        rest: dict[str, list[Piece]] = {label: [] for label in models.labels}
        for (utterance, pieces), number in zip(training, folds, strict=True):
            if number != fold:
                rest[utterance.label(corpus.label)].extend(pieces)
        tasks += [replace(of_class[label], pieces=tuple(left)) for label, left in rest.items()]
    if any(not task.pieces for task in tasks):
        job.console.warn(
            f"no posteriors, margins only: a class has too few {'groups' if config.corpus.group else 'recordings'} "
            f"to be left out in {n_folds} parts (scoring.temperature_folds)"
        )
        return None
    decided_by: list[str | bytes] = [*(task.key() for task in tasks), models.log_priors.tobytes()]
    if models.top_components is not None:
        decided_by.append(f"top {models.top_components}")
    path = common.folder / f"{digest(*decided_by)}.json"
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
        return float(json.loads(path.read_text())["temperature"])
    try:
        results = train_mixtures(job, tasks, "cross-validating")
    except FitError as error:
        job.console.warn(f"no posteriors, margins only: in cross-validation, {error}")
        return None
    totals = np.empty((len(training), len(models.labels)))
    for fold in job.console.track(range(n_folds), n_folds, "scoring the parts left out"):
        chosen = [n for n, number in enumerate(folds) if number == fold]
        own = results[fold * len(models.labels) : (fold + 1) * len(models.labels)]
        trained = replace(
            models, models=tuple(model for model, _ in own), bayesian=posteriors_of([report for _, report in own])
        )
        means, n_frames = log_likelihood_table(job, trained, [training[n][1][0] for n in chosen], None)
        totals[chosen] = means * n_frames[:, None]
    numbers = {label: number for number, label in enumerate(models.labels)}
    true = np.array([numbers[utterance.label(corpus.label)] for utterance, _ in training])
    temperature = fit_temperature(totals, true, models.log_priors)
    write_text(path, json.dumps({"temperature": temperature}))
    return temperature


def _class_tasks(common: MixtureTask, models: ClassModels, known: Mapping[str, BayesianGMM]) -> dict[str, MixtureTask]:
    """What each class is trained by, without its frames: as many components as its model, where frames decided it."""
    tasks = {label: replace(common, ubm=models.ubm, label=label, prior=known.get(label)) for label in models.labels}
    if common.spec.n_components is None and models.ubm is None:
        for label, model in zip(models.labels, models.models, strict=True):
            tasks[label] = replace(tasks[label], spec=replace(common.spec, n_components=model.n_components))
    return tasks
