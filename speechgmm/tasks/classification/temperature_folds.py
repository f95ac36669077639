"""The temperature of class models, by cross-validation within their training split."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from speechgmm.corpus.splits import assign_folds
from speechgmm.engine.class_report import ClassReport, posteriors_of
from speechgmm.engine.frames import Features, Piece
from speechgmm.engine.job import Job
from speechgmm.engine.mixture_fit import MixtureTask
from speechgmm.engine.mixtures import train_mixtures
from speechgmm.engine.model_cache import ModelCache, kept_or_trained, model_key
from speechgmm.errors import FitError
from speechgmm.gmm import AnyGMM, BayesianGMM
from speechgmm.tasks.classification.models import ClassModels
from speechgmm.tasks.classification.scoring import log_likelihood_table
from speechgmm.tasks.classification.spec import ScoringSpec
from speechgmm.tasks.classification.temperature import fit_temperature

TEMPERATURE_VERSION = 1
"""Part of every key in the model cache: raised when the same models begin to give another temperature."""


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
    common = replace(common, ubm=models.ubm)
    specs = dict.fromkeys(models.labels, common.spec)
    if common.spec.n_components is None and models.ubm is None:
        sizes = (model.n_components for model in models.models)
        specs = {
            label: replace(common.spec, n_components=size) for label, size in zip(models.labels, sizes, strict=True)
        }
    tasks: list[MixtureTask] = []
    for fold in range(n_folds):
        rest: dict[str, list[Piece]] = {label: [] for label in models.labels}
        for (utterance, pieces), number in zip(training, folds, strict=True):
            if number != fold:
                rest[utterance.label(corpus.label)].extend(pieces)
        tasks += [
            replace(common, label=label, pieces=tuple(left), prior=known.get(label), spec=specs[label])
            for label, left in rest.items()
        ]
    if any(not task.pieces for task in tasks):
        job.console.warn(
            f"no posteriors, margins only: a class has too few {'groups' if config.corpus.group else 'recordings'} "
            f"to be left out in {n_folds} parts (scoring.temperature_folds)"
        )
        return None
    keys = [task.key() for task in tasks]
    key = model_key(
        "temperature", TEMPERATURE_VERSION, config.section(ScoringSpec), data=keys, arrays=[models.log_priors]
    )

    def fit(_: object) -> list[float]:
        temperature = _fitted(job, features, folds, train_mixtures(job, tasks, "cross-validating"), models)
        ModelCache(common.folder).write(key, json.dumps({"temperature": temperature}).encode())
        return [temperature]

    try:
        return next(kept_or_trained(job, [key], [None], _unpack, fit))
    except FitError as error:
        job.console.warn(f"no posteriors, margins only: in cross-validation, {error}")
        return None


def _fitted(
    job: Job,
    features: Features,
    folds: Sequence[int],
    results: Sequence[tuple[AnyGMM, ClassReport]],
    models: ClassModels,
) -> float:
    """The temperature that the scores of all folds give; ``results`` are each fold's mixtures, in the labels' order."""
    training = features.training()
    n_labels, n_folds = len(models.labels), job.experiment.config.section(ScoringSpec).temperature_folds
    totals = np.empty((len(training), n_labels))
    for fold in job.console.track(range(n_folds), n_folds, "scoring the parts left out"):
        chosen = [n for n, number in enumerate(folds) if number == fold]
        own = results[fold * n_labels : (fold + 1) * n_labels]
        trained = replace(
            models, models=tuple(model for model, _ in own), bayesian=posteriors_of([report for _, report in own])
        )
        means, n_frames = log_likelihood_table(job, trained, [training[n][1][0] for n in chosen], None)
        totals[chosen] = means * n_frames[:, None]
    numbers = {label: number for number, label in enumerate(models.labels)}
    true = np.array([numbers[utterance.label(features.corpus.label)] for utterance, _ in training])
    return fit_temperature(totals, true, models.log_priors)


def _unpack(_: Path, data: bytes) -> float:
    return float(json.loads(data)["temperature"])
