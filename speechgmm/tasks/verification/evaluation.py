"""Metrics of trials, with intervals by speakers."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from speechgmm.engine.hints import FEWEST, MUCH
from speechgmm.errors import first_few
from speechgmm.evaluation import Application, Metric, detection_summary, eer, interval, rank_trials, ratio
from speechgmm.evaluation.metric import Metrics
from speechgmm.tasks.classification.evaluation import detection_metrics
from speechgmm.tasks.classification.spec import DecisionSpec
from speechgmm.tasks.verification.trial_choice import OTHER, SAME, STRANGER
from speechgmm.tasks.verification.trials import ScoredTrials

ONE_SESSION: Final = (
    "every target trial is of the session that enrolled the speaker; on another day, with another microphone or mood, "
    "expect more errors"
)


@dataclass(frozen=True, slots=True)
class TrialEvaluation:
    """Metrics of a verification run."""

    metrics: Metrics
    folds: Mapping[str, Metrics]  # fold -> its own metrics; empty: there are no folds
    before_calibration: Metrics = field(default_factory=dict)  # of the scores, where there are ratios
    sessions: Mapping[str, Metrics] = field(default_factory=dict)  # enrolment_session, other_session -> of such tests


def hints_of_models(scored: ScoredTrials) -> list[str]:
    """Whether a few of the enrolled models have most of the errors at the threshold where both kinds are alike."""
    values, is_target = scored.ranking, scored.is_target
    ordered = np.sort(values)
    missed = np.searchsorted(np.sort(values[is_target]), ordered, side="left") / is_target.sum()
    accepted = 1 - np.searchsorted(np.sort(values[~is_target]), ordered, side="left") / (~is_target).sum()
    threshold = ordered[np.argmin(np.abs(missed - accepted))]
    wrong = (values >= threshold) != is_target
    counts = np.bincount(scored.model[wrong], minlength=len(scored.models.names))
    n, total = max(1, len(counts) // 10), int(counts.sum())
    worst = np.argsort(-counts, kind="stable")[:n]
    share = counts[worst].sum() / max(total, 1)
    if total < FEWEST or len(counts) < 4 or share < max(MUCH, 2 * n / len(counts)):
        return []
    # Of folds, a speaker has a model in each.
    names = list(dict.fromkeys(scored.models.names[number] for number in worst))
    return [
        f"{100 * share:.0f} % of the {total} errors at the threshold of the EER are of {n} of {len(counts)} models "
        f"({first_few(names, 3)}): "
        "listen to their recordings, and enrol them with more"
    ]


def evaluate_trials(scored: ScoredTrials, spec: DecisionSpec, *, seed: int = 0) -> TrialEvaluation:
    """EER, minDCF and Cllr_min, each with an interval by resampling speakers of models and tests together.

    They are of ``scored.ranking``; where there are ratios, scores before calibration are summarised without intervals.

    Raises:
        DataError: Only targets or only non-targets.
    """
    # In order of score, so that no resample of a million trials is read all over the memory.
    values = scored.ranking
    order = np.argsort(values, kind="stable")
    truth, scores = scored.is_target[order], values[order]
    test = scored.test[order]
    model_speaker, test_speaker = scored.sides
    sides = model_speaker[order], test_speaker[order]
    metrics = detection_metrics(scores, truth, sides, spec, seed=seed)
    folds = {}
    of_trial = np.array(scored.tests.folds)[test]
    for fold in dict.fromkeys(scored.tests.folds) if any(scored.tests.folds) else ():
        chosen = of_trial == fold
        if 0 < truth[chosen].sum() < chosen.sum():  # a fold of targets or non-targets alone has no error rate
            own = rank_trials(scores[chosen], truth[chosen])
            folds[fold] = {"eer": Metric(eer(own), int(chosen.sum()), "fraction")}
    kinds = np.array(scored.tests.sessions)[test] if scored.tests.sessions else np.full(len(test), STRANGER)
    if scored.tests.sessions and not (truth & (kinds == OTHER)).any():
        metrics["eer"] = replace(metrics["eer"], note="; ".join(filter(None, (metrics["eer"].note, ONE_SESSION))))
    sessions = {}
    for kind, name in ((SAME, "enrolment_session"), (OTHER, "other_session")):
        chosen = (kinds == kind) | (kinds == STRANGER)  # who was not enrolled is an impostor on any day
        if (truth & (kinds == kind)).any() and not truth[chosen].all():
            own_sides = sides[0][chosen], sides[1][chosen]
            sessions[name] = detection_metrics(scores[chosen], truth[chosen], own_sides, spec, seed=seed)
    metrics |= identification(scored, values, seed=seed)
    if scored.llrs is None:
        return TrialEvaluation(metrics, folds, sessions=sessions)
    application = Application(spec.prior, spec.cost_miss, spec.cost_false_alarm)
    before = detection_summary(rank_trials(scored.scores, scored.is_target), application)
    return TrialEvaluation(metrics, folds, before, sessions)


def identification(scored: ScoredTrials, values: NDArray[np.float64], *, seed: int = 0) -> dict[str, Metric]:
    """How often a test's own model has the highest of ``values`` (N,), where every model of its fold met such tests.

    Tests are resampled by their speakers.
    """
    models = Counter(scored.models.folds)
    n_met = np.bincount(scored.test, minlength=len(scored.tests.names))
    n_true = np.bincount(scored.test[scored.is_target], minlength=len(n_met))
    known = n_true > 0
    if (n_met != [models[fold] for fold in scored.tests.folds])[known].any():
        return {}
    best = np.full(len(n_met), -np.inf)
    np.maximum.at(best, scored.test, values)
    own = np.full(len(n_met), -np.inf)
    np.maximum.at(own, scored.test[scored.is_target], values[scored.is_target])
    right = (own >= best)[known].astype(np.float64)
    found = interval(ratio(right, np.ones(len(right))), scored.speakers[1][known], seed=seed)
    return {"identification_rate": Metric(float(right.mean()), len(right), "fraction").within(found)}
