"""Verification: trials scored against a background model, and their figures."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from speechgmm.corpus.trials import Trial, read_trials
from speechgmm.errors import DataError
from speechgmm.evaluation import cllr_min, eer, interval, min_dcf, rank_trials
from speechgmm.evaluation.detection import Trials
from speechgmm.io.tables import table
from speechgmm.pipeline.evaluation import bounds
from speechgmm.pipeline.frames import Features, Piece
from speechgmm.pipeline.job import Job
from speechgmm.pipeline.scoring import SCORED_AT_ONCE
from speechgmm.scoring import ClassModels, ScoringSpec


@dataclass(frozen=True, slots=True)
class ScoredTrials:
    """Trials with their scores: the model's mean log-likelihood less the background model's, nats per frame."""

    trials: tuple[Trial, ...]
    scores: NDArray[np.float64]  # (N,) not calibrated
    n_frames: NDArray[np.int64]  # (N,) of the test utterance
    folds: tuple[str, ...]  # the fold of each; "" where there are none
    model_groups: tuple[str, ...]  # the speaker of each model
    test_groups: tuple[str, ...]  # the speaker of each test

    @classmethod
    def pooled(cls, parts: Sequence["ScoredTrials"]) -> "ScoredTrials":
        """The trials of all folds as one table."""
        return cls(
            trials=tuple(trial for part in parts for trial in part.trials),
            scores=np.concatenate([part.scores for part in parts]),
            n_frames=np.concatenate([part.n_frames for part in parts]),
            folds=tuple(fold for part in parts for fold in part.folds),
            model_groups=tuple(group for part in parts for group in part.model_groups),
            test_groups=tuple(group for part in parts for group in part.test_groups),
        )


@dataclass(frozen=True, slots=True)
class TrialEvaluation:
    """Figures of a verification run."""

    metrics: dict[str, dict[str, Any]]  # name -> value, low, high, n, unit
    folds: dict[str, dict[str, Any]]  # fold -> its own figures; empty: there are no folds
    n_targets: int
    n_nontargets: int


def score_trials(job: Job, systems: Mapping[str, tuple[Features, ClassModels]]) -> ScoredTrials:
    """Score the trials of the configuration: those of its table, or every model against every test utterance.

    Args:
        job: The job.
        systems: Fold -> features in its division and the models trained on its training part; one, named "", without.

    Raises:
        DataError: The table of trials is wrong, or there is nothing to test.
    """
    path = job.experiment.trials_path()
    labels = next(iter(systems.values()))[1].labels
    asked: dict[str, list[Trial]] = {}
    if path is not None:
        tests = {name for fold in job.folds for name in fold.test} or {u.id for u in job.corpus.split("test")}
        for trial in read_trials(path, set(labels), tests):
            asked.setdefault(trial.test, []).append(trial)
    parts = [_score_part(job, name, *system, asked if path is not None else None) for name, system in systems.items()]
    # Of a table, one fold of a sweep may hold no trial.
    if path is None and not any(len(part.scores) for part in parts):
        raise DataError("no trials: the split 'test' is empty")
    return ScoredTrials.pooled(parts)


def _score_part(
    job: Job, fold: str, features: Features, models: ClassModels, asked: Mapping[str, Sequence[Trial]] | None
) -> ScoredTrials:
    label, group = features.corpus.label, job.experiment.config.corpus.group or features.corpus.label
    tests = [(u, piece) for u, piece in features.of_split("test") if asked is None or u.id in asked]
    parcels = [[piece for _, piece in tests[n : n + SCORED_AT_ONCE]] for n in range(0, len(tests), SCORED_AT_ONCE)]
    with job.console.stage("score"):
        found = job.console.track(job.map(partial(_score_parcel, models), parcels), len(parcels), _what(fold))
        rows = [row for parcel in found for row in parcel]
    numbers = {name: number for number, name in enumerate(models.labels)}
    owner = {u.label(label): u.label(group) for u, _ in features.of_split("train")}
    trials: list[Trial] = []
    values: list[float] = []
    n_frames: list[int] = []
    test_groups: list[str] = []
    for (utterance, _), (ratios, count) in zip(tests, rows, strict=True):
        true = utterance.label(label)
        claims = models.labels if asked is None else [trial.model for trial in asked[utterance.id]]
        mine = [Trial(name, utterance.id, name == true) for name in claims]
        for given, known in zip(asked[utterance.id] if asked is not None else (), mine, strict=False):
            if given.target is not None and given.target != known.target:
                raise DataError(
                    f"trials: model {given.model!r}, test {given.test!r} is given as "
                    f"{'target' if given.target else 'nontarget'}, but the corpus says that the test is of {true!r}"
                )
        trials += mine
        values += [float(ratios[numbers[trial.model]]) for trial in mine]
        n_frames += [count] * len(mine)
        test_groups += [utterance.label(group)] * len(mine)
    return ScoredTrials(
        tuple(trials),
        np.array(values),
        np.array(n_frames, np.int64),
        (fold,) * len(trials),
        tuple(owner[trial.model] for trial in trials),
        tuple(test_groups),
    )


def _what(fold: str) -> str:
    return f"scoring parcels of trials{f' of fold {fold}' if fold else ''}"


def _score_parcel(models: ClassModels, pieces: Sequence[Piece]) -> list[tuple[NDArray[np.float64], int]]:
    rows = []
    for piece in pieces:
        frames = piece.load()
        rows.append((models.mean_log_likelihood_ratios(frames), len(frames)))
    return rows


def evaluate_trials(scored: ScoredTrials, spec: ScoringSpec, *, seed: int = 0) -> TrialEvaluation:
    """EER, minDCF and Cllr_min, each with an interval by resampling speakers of models and tests together.

    Raises:
        DataError: Only targets or only nontargets.
    """
    truth = np.array([bool(trial.target) for trial in scored.trials])
    scores = scored.scores
    trials = rank_trials(scores, truth)
    names = np.concatenate([np.array(scored.model_groups), np.array(scored.test_groups)])
    sides = np.unique(names, return_inverse=True)[1].reshape(2, -1)
    metrics = {}
    for name, statistic in _statistics(trials, spec).items():
        metrics[name] = {
            "value": statistic(np.ones(len(scores))),
            "n": len(scores),
            "unit": {"eer": "fraction", "min_dcf": "share of the blind decision's cost", "cllr_min": "bits"}[name],
            **bounds(interval(statistic, (sides[0], sides[1]), seed=seed)),
        }
    metrics["min_dcf"]["p_target"] = spec.p_target
    folds = {}
    for fold in dict.fromkeys(scored.folds) if any(scored.folds) else ():
        chosen = np.array(scored.folds) == fold
        if 0 < truth[chosen].sum() < chosen.sum():  # a fold of targets or nontargets alone has no error rate
            own = rank_trials(scores[chosen], truth[chosen])
            folds[fold] = {"eer": {"value": eer(own), "n": int(chosen.sum()), "unit": "fraction"}}
    return TrialEvaluation(metrics, folds, int(truth.sum()), int((~truth).sum()))


def _statistics(trials: Trials, spec: ScoringSpec) -> dict[str, Any]:
    """Metric -> its value under weights of the trials."""
    return {
        "eer": lambda weights: eer(trials, weights),
        "min_dcf": lambda weights: min_dcf(trials, spec.p_target, spec.cost_miss, spec.cost_false_alarm, weights),
        "cllr_min": lambda weights: cllr_min(trials, weights),
    }


def trials_table(scored: ScoredTrials) -> str:
    """``scores.tsv`` of verification: model, test, fold (if there are folds), score, n_frames, target where known."""
    with_folds = any(scored.folds)
    head = ("model", "test", *(("fold",) if with_folds else ()), "score", "n_frames", "target")
    truth = {True: "target", False: "nontarget", None: ""}
    rows = (
        (
            trial.model,
            trial.test,
            *((scored.folds[n],) if with_folds else ()),
            f"{scored.scores[n]:.6f}",
            scored.n_frames[n],
            truth[trial.target],
        )
        for n, trial in enumerate(scored.trials)
    )
    return table(head, rows)
