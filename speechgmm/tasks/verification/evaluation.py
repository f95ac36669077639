"""Metrics of trials, with intervals by speakers."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from speechgmm.evaluation import eer, rank_trials
from speechgmm.tasks.classification.evaluation import detection_metrics
from speechgmm.tasks.classification.spec import DecisionSpec
from speechgmm.tasks.verification.trials import ScoredTrials


@dataclass(frozen=True, slots=True)
class TrialEvaluation:
    """Figures of a verification run."""

    metrics: dict[str, dict[str, Any]]  # name -> value, low, high, n, unit
    folds: dict[str, dict[str, Any]]  # fold -> its own figures; empty: there are no folds
    n_targets: int
    n_nontargets: int


def evaluate_trials(scored: ScoredTrials, spec: DecisionSpec, *, seed: int = 0) -> TrialEvaluation:
    """EER, minDCF and Cllr_min, each with an interval by resampling speakers of models and tests together.

    Of the ratios where there are ratios, for they are what decides; else of the scores.

    Raises:
        DataError: Only targets or only nontargets.
    """
    # In order of score, lest every resample of a million trials is read all over the memory.
    decisive = scored.scores if scored.llrs is None else scored.llrs
    order = np.argsort(decisive, kind="stable")
    truth, scores = scored.is_target[order], decisive[order]
    model, test = scored.model[order], scored.test[order]
    # One number for one person, on either side.
    people = np.unique(np.array(scored.models.groups + scored.tests.groups), return_inverse=True)[1]
    sides = people[model], people[len(scored.models.groups) + test]
    metrics = detection_metrics(scores, truth, sides, spec, seed=seed)
    folds = {}
    of_trial = np.array(scored.tests.folds)[test]
    for fold in dict.fromkeys(scored.tests.folds) if any(scored.tests.folds) else ():
        chosen = of_trial == fold
        if 0 < truth[chosen].sum() < chosen.sum():  # a fold of targets or nontargets alone has no error rate
            own = rank_trials(scores[chosen], truth[chosen])
            folds[fold] = {"eer": {"value": eer(own), "n": int(chosen.sum()), "unit": "fraction"}}
    return TrialEvaluation(metrics, folds, int(truth.sum()), int((~truth).sum()))
