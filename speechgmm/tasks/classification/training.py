"""The training stage: the background model where one is asked for, one mixture per class, and the temperature."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from speechgmm.engine.audio_input import AudioInput
from speechgmm.engine.class_report import ClassReport, posteriors_of
from speechgmm.engine.class_sizes import warn_of_few
from speechgmm.engine.frames import Features, Piece, pooled_moments
from speechgmm.engine.job import Job
from speechgmm.engine.mixture_fit import MixtureTask
from speechgmm.engine.mixtures import train_mixtures, train_ubm
from speechgmm.engine.noisy_copies import kept_sounds
from speechgmm.engine.recipe import ClassRecipe, recording_number
from speechgmm.engine.shared_settings import common_task, natural_order
from speechgmm.errors import first_few
from speechgmm.gmm import AnyGMM, BayesianGMM
from speechgmm.gmm.component_count import NAMED
from speechgmm.gmm.criteria import AT_THE_END
from speechgmm.parallel import in_parcels
from speechgmm.tasks.classification.models import ClassModels
from speechgmm.tasks.classification.priors import learnt_priors
from speechgmm.tasks.classification.scoring import Scores, score
from speechgmm.tasks.classification.spec import ScoringSpec
from speechgmm.tasks.classification.temperature import fit_temperature
from speechgmm.tasks.classification.temperature_folds import cross_validated_temperature

MEASURED_AT_ONCE = 64
"""Recordings of the background whose moments one task takes; the order in which they are added follows from it."""


@dataclass(frozen=True, slots=True)
class Trained:
    """Class models, ready to score and to save, with the story of each."""

    models: ClassModels
    audio: AudioInput
    reports: tuple[ClassReport, ...]
    ubm_report: ClassReport | None
    recipe: ClassRecipe

    def tempered(self, temperature: float) -> "Trained":
        """The same models with a temperature."""
        return replace(self, models=replace(self.models, temperature=temperature))


class Others:
    """Who gets a model beside the classes, and what these models are for; here nobody does."""

    def members(self, job: Job, features: Features) -> dict[str, list[Piece]]:
        """The frames of everybody who gets a model."""
        return {}

    def with_models(
        self, job: Job, features: Features, models: ClassModels, others: Mapping[str, AnyGMM]
    ) -> ClassModels:
        """The class models with the others'."""
        return models

    def recordings(self, job: Job, features: Features) -> tuple[NDArray[np.float32], ...]:
        """Frames (T, D) of recordings that a class which is added later is measured on."""
        return ()


def train(job: Job, features: Features, others: Others | None = None) -> Trained:
    """Train every class of the split ``train``, and fit the temperature by cross-validation within it.

    Raises:
        FitError: Classes have too few frames for their components (all are named), or a feature is constant.
        DataError: The disk is full.
    """
    with job.console.stage("train"):
        (plan,) = _plans(job, [features])
        (trained,) = _train_plans(job, [plan], "training classes", others or Others())
        _warn_of_reports(job, trained.reports)
        # A claim is judged by its score, not by a posterior over classes.
        config = job.experiment.config
        if config.section(ScoringSpec).temperature_folds and config.task == "classification":
            temperature = cross_validated_temperature(job, features, plan.common, trained.models, plan.known)
            trained = replace(trained, models=replace(trained.models, temperature=temperature))
    return trained


def train_folds(
    job: Job, whole: Features, folds: Sequence[Features], others: Others | None = None
) -> tuple[Trained, list[Trained]]:
    """Train the classes on everything and, beside it, on the training part of every fold; all in one pool.

    The models have no temperature yet: ``score_folds`` has it from the folds' scores.

    Raises:
        FitError: As ``train``.
        DataError: The disk is full.
    """
    with job.console.stage("train"):
        what = f"training classes of {len(folds)} folds and of all"
        trained = _train_plans(job, _plans(job, [whole, *folds]), what, others or Others())
        _warn_of_reports(job, trained[0].reports)
    return trained[0], trained[1:]


@dataclass(frozen=True, slots=True)
class _Plan:
    """What is to be trained on one training set."""

    features: Features
    members: Mapping[str, Sequence[Piece]]  # class -> its training pieces
    common: MixtureTask  # settings and floor, the same for all classes and the background model
    known: Mapping[str, BayesianGMM]  # class -> its prior, where training is Bayesian


def _train_plans(job: Job, plans: Sequence[_Plan], what: str, others: "Others") -> list[Trained]:
    """Class models of each plan: one task per plan and class, in one pool."""
    config = job.experiment.config
    scoring = config.section(ScoringSpec)
    backgrounds = [
        train_ubm(job, plan.features, plan.common, scoring.top_components)
        if config.model.adapt == "map"
        else (None, None)
        for plan in plans
    ]
    cohorts = [others.members(job, plan.features) for plan in plans]
    tasks = [
        replace(plan.common, label=label, pieces=tuple(pieces), ubm=ubm, prior=plan.known.get(label))
        for plan, (ubm, _), cohort in zip(plans, backgrounds, cohorts, strict=True)
        for label, pieces in (*plan.members.items(), *cohort.items())
    ]
    # Nested folds leave out the same recordings in several ways: what is the same is trained once.
    keys = [task.key() for task in tasks]
    once = dict(zip(keys, tasks, strict=True))
    by_key = dict(zip(once, train_mixtures(job, list(once.values()), what), strict=True))
    results = iter([by_key[key] for key in keys])
    trained: list[Trained] = []
    for plan, (ubm, ubm_report), cohort in zip(plans, backgrounds, cohorts, strict=True):
        fits = [next(results) for _ in plan.members]
        fitted = {label: next(results)[0] for label in cohort}
        models = ClassModels(
            labels=tuple(plan.members),
            models=tuple(model for model, _ in fits),
            log_priors=_log_priors(scoring.priors, plan.members),
            temperature=None,
            ubm=ubm,
            top_components=scoring.top_components,
            bayesian=posteriors_of([report for _, report in fits]),
        )
        models = others.with_models(job, plan.features, models, fitted)
        copies = config.augment.copies()
        sounds = kept_sounds(job, plan.features.corpus, plan.features.keys())
        n_talkers = config.augment.noise.talkers if "babble" in sounds else 0
        seen = {label: frozenset(recording_number(one.key) for one in of) for label, of in plan.members.items()}
        recipe = ClassRecipe(
            *(plan.common.spec, plan.common.floor, plan.common.seed, copies, sounds, n_talkers),
            prior=plan.common.prior,
            seen=seen,
        )
        reports = tuple(report for _, report in fits)
        if all(report.counts for report in reports):
            recipe = replace(recipe, counts=tuple(np.array(report.counts) for report in reports))
        if not trained:  # nobody is enrolled into the models of a fold
            recipe = replace(recipe, recordings=others.recordings(job, plan.features))
        trained.append(Trained(models, plan.features.audio, reports, ubm_report, recipe))
    return trained


def _by_label(features: Features, group: str | None) -> dict[str, list[Piece]]:
    """Training pieces of every class; classes in the order of their names."""
    members: dict[str, list[Piece]] = {}
    for utterance, pieces in features.grouped(group).training():
        members.setdefault(utterance.label(features.corpus.label), []).extend(pieces)
    return {label: members[label] for label in sorted(members, key=natural_order)}


def _plans(job: Job, sets: Sequence[Features]) -> list[_Plan]:
    """Members of every class and what they share, for each training set."""
    members = [_by_label(features, job.experiment.config.corpus.group) for features in sets]
    tasks = [tuple(pieces) for classes in members for pieces in classes.values()]
    parcels = [_parcels_of_background(job, features) for features in sets]
    tasks += [parcel for own in parcels for parcel in own]
    parts = iter(list(job.console.track(job.map(pooled_moments, tasks), len(tasks), "measuring the training split")))
    measured = [[next(parts) for _ in classes] for classes in members]
    backgrounds = [[next(parts) for _ in own] for own in parcels]
    plans, counts = [], []
    for features, classes, found, background in zip(sets, members, measured, backgrounds, strict=True):
        counts.append({label: part.count for label, part in zip(classes, found, strict=True)})
        common = common_task(job, counts[-1], found, background)
        known = learnt_priors(job, features.audio, classes)
        if common.prior is not None:
            known = dict.fromkeys(classes, common.prior)
        plans.append(_Plan(features, classes, common, known))
    model = job.experiment.config.model
    if model.adapt == "none" and model.prior_from is None:
        warn_of_few(job.console, model, counts, len(plans[0].common.floor))
    return plans


def _parcels_of_background(job: Job, features: Features) -> list[tuple[Piece, ...]]:
    """The background model's own recordings, some at a time; none where it is trained on the classes' or not at all."""
    if job.experiment.config.model.adapt != "map":
        return []
    return in_parcels([piece for _, own in features.training("ubm") for piece in own], MEASURED_AT_ONCE)


def _log_priors(kind: str, members: Mapping[str, Sequence[Piece]]) -> NDArray[np.float64]:
    """(C,) log class priors."""
    counts = (
        np.ones(len(members)) if kind == "uniform" else np.array([len(pieces) for pieces in members.values()], float)
    )
    log_priors: NDArray[np.float64] = np.log(counts / counts.sum())
    return log_priors


def score_folds(
    job: Job, parts: Mapping[str, Features], models: Mapping[str, Trained], what: str | None
) -> tuple[dict[str, Scores], dict[str, Trained]]:
    """Score the test part of every fold and decide; also the folds' models with their temperature.

    The temperature of a fold is fitted on the scores of the others, so that no score tempers itself; with one part, or
    where the configuration asks for none, there is none.
    """
    tested = job.console.track(parts.items(), len(parts), what)
    scores = {name: score(job, part, models[name].models, None) for name, part in tested}
    if len(parts) < 2 or not job.experiment.config.section(ScoringSpec).temperature_folds:
        return scores, dict(models)
    tempered: dict[str, Trained] = {}
    for name, trained in models.items():
        others = {other: found for other, found in scores.items() if other != name}
        tempered[name] = trained.tempered(_fitted(others, trained.models))
    return {name: part.decided(tempered[name].models) for name, part in scores.items()}, tempered


def temperature_of(job: Job, scores: Mapping[str, Scores], models: ClassModels) -> float | None:
    """The temperature that the scores of all folds give; None with one fold, or where none is asked for."""
    if len(scores) < 2 or not job.experiment.config.section(ScoringSpec).temperature_folds:
        return None
    return _fitted(scores, models)


def _fitted(scores: Mapping[str, Scores], models: ClassModels) -> float:
    numbers = {label: number for number, label in enumerate(models.labels)}
    totals = np.concatenate([part.mean_log_likelihoods * part.n_frames[:, None] for part in scores.values()])
    true = np.array([numbers[label] for part in scores.values() for label in part.true])
    return fit_temperature(totals, true, models.log_priors)


def _warn_of_reports(job: Job, reports: Sequence[ClassReport]) -> None:
    """Warn of classes with unused components, with other faults of training, or with too few candidates."""
    at_most: list[str] = []
    for report in reports:
        if report.dead:
            job.console.warn(
                f"class {report.label!r}: components {', '.join(map(str, report.dead))} of {report.n_components} "
                f"had no frames ({report.n_frames} in all); fewer components would do"
            )
        if report.why.endswith(AT_THE_END):
            at_most.append(report.label)
    noted = [f"class {report.label!r}: {note}" for report in reports for note in report.notes]
    if noted:
        more = f"\n... and {len(noted) - NAMED} more such classes" if len(noted) > NAMED else ""
        job.console.warn("\n".join(noted[:NAMED]) + more)
    if at_most:
        job.console.warn(
            f"model.n_components: auto chose the largest candidate for {len(at_most)} of {len(reports)} classes "
            f"({first_few(at_most, 5)}); more components might be better, with larger candidates or more frames to "
            "allow them"
        )
