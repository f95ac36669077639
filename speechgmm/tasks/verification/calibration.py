"""Calibration in a verification run: log-likelihood ratios of the trials, the map for the model file, their metrics.

By folds, a trial is mapped by what the trials of other speakers say (neither its model's nor its test's speaker), and
the model file gets the map that all trials make. By dev, one map is trained on the split ``dev``: every model of a
class that is in it, against every recording in it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from speechgmm.corpus import Fold
from speechgmm.engine.extraction import divide
from speechgmm.engine.frames import Features
from speechgmm.engine.job import Job
from speechgmm.errors import ConfigError, DataError
from speechgmm.evaluation import Metric, act_dcf_sums, bayes_threshold, cllr_sums, interval, open_set_sums, rank_trials
from speechgmm.evaluation.open_set import OpenSet
from speechgmm.evaluation.resampling import OfSums
from speechgmm.tasks.classification.models import ClassModels
from speechgmm.tasks.classification.spec import DecisionSpec
from speechgmm.tasks.verification.score_map_training import cross_calibrate, cross_fit_logistic, fit_logistic, fit_pav
from speechgmm.tasks.verification.score_maps import Affine, Calibration, ScoreMap, map_inputs
from speechgmm.tasks.verification.spec import CalibrationSpec
from speechgmm.tasks.verification.trials import ScoredTrials, score_trials


@dataclass(frozen=True, slots=True)
class _Training:
    """The trials that the model file's map is trained on."""

    inputs: NDArray[np.float64]  # (N,) scores; (N, 2) with the cohort's means
    is_target: NDArray[np.bool_]  # (N,)
    n_frames: NDArray[np.int64]  # (N,) of the test utterance
    speakers: frozenset[str] = frozenset()  # of the split dev


def calibrate(
    job: Job, scored: ScoredTrials, features: Features, models: ClassModels
) -> tuple[ScoredTrials, Calibration | None]:
    """The trials with their log-likelihood ratios, and the map for the model file; without one, as they were.

    Raises:
        ConfigError: ``calibration.by: dev`` without a split dev.
        DataError: Too few speakers for folds; a part that has only targets or only non-targets.
    """
    config = job.experiment.config
    spec = config.section(CalibrationSpec)
    if spec.method == "none":
        return scored, None
    seed = config.seed
    if spec.by == "dev":
        training = _dev_trials(job, features, models)
        final = _fit(training.inputs, training.is_target, spec)
        llrs = np.where(scored.scores == 0, 0.0, final.apply(_inputs(scored, spec)))
        maps: Sequence[ScoreMap] = [final]
        if training.speakers & set(scored.test_groups):
            job.console.warn(
                "calibration.by: dev: speakers of the split dev are tested too; the cost of calibration for speakers "
                "yet unseen is likely more than cllr says"
            )
    else:
        heard = scored.scores != 0
        training = _Training(_inputs(scored, spec)[heard], scored.is_target[heard], scored.n_frames[heard])
        llrs, maps, final = by_folds(scored, spec, seed)
    _say(job, maps, final)
    calibration = Calibration(
        map=final,
        threshold=threshold(config.section(DecisionSpec)),
        decision=config.section(DecisionSpec),
        by=spec.by,
        n_targets=int(training.is_target.sum()),
        n_nontargets=int((~training.is_target).sum()),
        n_frames=(int(training.n_frames.min()), int(training.n_frames.max())),
        quality=spec.quality,
    )
    return replace(scored, llrs=llrs, llrs_rank=spec.takes_more), calibration


def by_folds(
    scored: ScoredTrials, spec: CalibrationSpec, seed: int
) -> tuple[NDArray[np.float64], Sequence[ScoreMap], ScoreMap]:
    """Ratios (N,) of the trials, each by a map that has met neither of its speakers; those maps; the map of all.

    A score of exactly 0 is of a recording, or of a model, without frames: it trains no map, and its ratio is 1.
    """
    llrs, heard = np.zeros(len(scored)), scored.scores != 0
    trials = _inputs(scored, spec)[heard], scored.is_target[heard]
    model, test = scored.sides
    sides = model[heard], test[heard]
    if spec.method == "pav":
        llrs[heard], maps = cross_calibrate(*trials, sides, fit_pav, spec.n_folds, seed)
        return llrs, maps, fit_pav(*trials)
    llrs[heard], by_fold, final = cross_fit_logistic(*trials, sides, spec.p_target, n_folds=spec.n_folds, seed=seed)
    return llrs, by_fold, final


def threshold(decision: DecisionSpec) -> float:
    """The ratio (nats) from which on a claim is accepted for this prior and these costs."""
    return bayes_threshold(decision.prior, decision.cost_miss, decision.cost_false_alarm)


def calibrated_metrics(scored: ScoredTrials, decision: DecisionSpec, *, seed: int = 0) -> dict[str, Metric]:
    """Cllr and actDCF of the ratios and, where every model met every test, the rates of open-set identification.

    Each with an interval by resampling speakers, of models and tests together. Empty where nothing is calibrated.
    """
    if scored.llrs is None:
        return {}
    metrics = ratio_metrics(scored.llrs, scored.is_target, scored.sides, decision, seed=seed)
    return {**metrics, **open_set_metrics(scored, decision, seed=seed)}


def ratio_metrics(
    llrs: NDArray[np.float64],
    is_target: NDArray[np.bool_],
    sides: tuple[NDArray[np.intp], NDArray[np.intp]],
    decision: DecisionSpec,
    *,
    seed: int = 0,
) -> dict[str, Metric]:
    """Cllr and actDCF of log-likelihood ratios (N,), with intervals by resampling the speakers (N,) of both sides."""
    trials = rank_trials(llrs, is_target)
    cost = act_dcf_sums(trials, decision.prior, decision.cost_miss, decision.cost_false_alarm)
    whole = np.ones(len(llrs))
    metrics = {
        name: Metric(statistic(whole), len(llrs), unit).within(interval(statistic, sides, scale="log", seed=seed))
        for name, statistic, unit in (
            ("cllr", cllr_sums(trials), "bits"),
            ("act_dcf", cost, "share of the blind decision's cost"),
        )
    }
    stakes = {"p_target": decision.prior, "threshold": threshold(decision)}
    metrics["act_dcf"] = replace(metrics["act_dcf"], more=stakes)
    return metrics


def open_set_metrics(scored: ScoredTrials, decision: DecisionSpec, *, seed: int = 0) -> dict[str, Metric]:
    """Rates of identification among all models or as unknown, at the threshold of the prior and costs.

    False alarms are those of unknown speakers' tests. Where no speaker is unknown, every test counts as one, with its
    own model left out; ``strangers`` says which.
    """
    found = _open_sets(scored)
    if found is None:
        return {}
    members, strangers, how = found
    metrics = {}
    for name, tests, groups in (
        ("identified", *members),
        ("mistaken", *members),
        ("false_alarm", *strangers),
    ):
        if not len(tests.best) or (name != "false_alarm" and not tests.is_member.any()):
            continue
        statistic: OfSums = open_set_sums(tests, threshold(decision))[name]
        chosen = tests.is_member if name != "false_alarm" else ~tests.is_member
        statistic = replace(statistic, columns=statistic.columns[chosen])
        n = int(chosen.sum())
        metric = Metric(statistic(np.ones(n)), n, "fraction").within(interval(statistic, groups[chosen], seed=seed))
        at = {"threshold": threshold(decision), **({"strangers": how} if name == "false_alarm" else {})}
        metrics[f"open_set_{name}"] = replace(metric, interval=f"{metric.interval}, the models given", more=at)
    return metrics


def _open_sets(
    scored: ScoredTrials,
) -> tuple[tuple[OpenSet, NDArray[np.intp]], tuple[OpenSet, NDArray[np.intp]], str] | None:
    """Tests of members and of unknown speakers, each with its groups; None where some model did not meet some test."""
    if scored.llrs is None:
        return None
    names = np.array([f"{fold}\t{trial.test}" for fold, trial in zip(scored.folds, scored.trials, strict=True)])
    _, first, test = np.unique(names, return_index=True, return_inverse=True)
    counts = np.bincount(test)
    if counts.min() != counts.max() or counts.max() < len({trial.model for trial in scored.trials}):
        return None
    order = np.argsort(test, kind="stable").reshape(len(counts), -1)  # (tests, models)
    llrs, truth = scored.llrs[order], scored.is_target[order]
    groups = scored.sides[1][first]
    is_member = np.asarray(truth.any(axis=1))
    is_right = np.take_along_axis(truth, llrs.argmax(axis=1)[:, None], axis=1)[:, 0]
    every = OpenSet(llrs.max(axis=1), is_right, is_member)
    if not is_member.all():
        return (every, groups), (every, groups), "tests of classes without a model"
    others = np.where(truth, -np.inf, llrs).max(axis=1)
    none = np.zeros(len(llrs), bool)
    return (every, groups), (OpenSet(others, none, none), groups), "every test, with its own model left out"


def _dev_trials(job: Job, features: Features, models: ClassModels) -> _Training:
    """Every model of a class in the split dev against every recording in it."""
    label = features.corpus.label
    dev = features.corpus.split("dev")
    if job.folds or not dev:
        raise ConfigError(
            "calibration.by: dev needs recordings in the split 'dev'"
            + (", and a split into folds has none" if job.folds else "")
            + "; add them to the corpus, or set calibration.by: folds"
        )
    fold = Fold("", frozenset(utterance.id for utterance in dev))
    inner = replace(job, experiment=replace(job.experiment, config=replace(job.experiment.config, trials=None)))
    part = divide(inner, features.without_split("test"), fold)
    scored = score_trials(inner, {"": (part, models)}, what="trials for the calibration")[""]
    known = {utterance.label(label) for utterance in dev}
    kept = np.array([trial.model in known for trial in scored.trials]) & (scored.scores != 0)
    is_target = scored.is_target[kept]
    if not 0 < is_target.sum() < len(is_target):
        raise DataError(
            f"calibration.by: dev: {int(is_target.sum())} targets among {len(is_target)} trials of the split dev; both "
            f"kinds are needed: recordings in dev of two classes ({label}) or more that are also in train"
        )
    inputs = _inputs(scored, job.experiment.config.section(CalibrationSpec))[kept]
    return _Training(inputs, is_target, scored.n_frames[kept], frozenset(scored.test_groups))


def _inputs(scored: ScoredTrials, spec: CalibrationSpec) -> NDArray[np.float64]:
    return map_inputs(scored.scores, scored.cohort_mean, spec.quality)


def _fit(inputs: NDArray[np.float64], is_target: NDArray[np.bool_], spec: CalibrationSpec) -> ScoreMap:
    return fit_pav(inputs, is_target) if spec.method == "pav" else fit_logistic(inputs, is_target, spec.p_target)


def _say(job: Job, maps: Sequence[ScoreMap], final: ScoreMap) -> None:
    separated = sum(isinstance(found, Affine) and found.separated for found in maps)
    if separated:
        job.console.warn(
            f"calibration: targets and non-targets are separated perfectly in {separated} of {len(maps)} training "
            "sets, so that no finite ratio is steep enough; all maps are held back by a quarter of a trial of "
            "either kind (smoothed)"
        )
    if isinstance(final, Affine) and final.weights[0] <= 0:
        job.console.warn(
            "calibration: higher scores speak against the claim; are targets and non-targets swapped, or too few?"
        )
