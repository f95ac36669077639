"""The evaluation stage: metrics from scores, and the tables that a run leaves behind."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from speechgmm.evaluation import (
    Metric,
    OfSums,
    balanced_accuracy,
    cllr_min,
    confusion_matrix,
    eer,
    eer_staircase,
    frame_accuracy,
    interval,
    min_dcf,
    per_class,
    rank_trials,
    ratio,
    recalls,
    top_n_right,
    wilson_interval,
)
from speechgmm.evaluation.metric import Metrics
from speechgmm.io.run_files import CONFUSED_PAIRS
from speechgmm.io.score_table import ClassTable
from speechgmm.io.tables import table
from speechgmm.tasks.classification.scoring import Scores
from speechgmm.tasks.classification.spec import DecisionSpec

WHOLE_UP_TO: Final = 1000
"""Classes up to which ``confusion.tsv`` has all counts; their number grows by the square, and nearly all are 0."""

Groups = NDArray[np.intp]
Sides = tuple[Groups, Groups]


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Metrics of a classification run."""

    metrics: Metrics
    labels: tuple[str, ...]
    confusion: NDArray[np.int64]  # (C, C) true in rows
    folds: Mapping[str, Metrics]  # fold -> its own metrics; empty: there are no folds

    def worst(self) -> list[tuple[str, int, int, str]]:
        """(class, right, items, most frequent wrong decision or "") of each class with items, worst first."""
        rows = []
        for number in np.argsort(recalls(self.confusion), kind="stable"):
            counts = self.confusion[number]
            if counts.sum():
                others = counts.copy()
                others[number] = 0
                mistake = f"{self.labels[others.argmax()]} ({others.max()})" if others.any() else ""
                rows.append((self.labels[number], int(counts[number]), int(counts.sum()), mistake))
        return rows


def evaluate(
    scores: Scores,
    *,
    seed: int = 0,
    target: str | None = None,
    decision: DecisionSpec | None = None,
    by_frames: bool = False,
) -> Evaluation | None:
    """Accuracy, balanced accuracy and, with more than five classes, top-3 accuracy; None where nothing was tested.

    Intervals come from resampling groups where the configuration names a group (``corpus.group``). Otherwise they are
    Wilson intervals, which take items as independent. With folds, the metrics are those of the pooled scores of all
    folds, and each fold also has its own accuracy. ``target`` names one of two classes: EER, minDCF (at the prior and
    costs of ``decision``) and Cllr_min then come first. ``by_frames`` adds frame accuracy, for items that are segments:
    the share of frames that lie in correctly classified items.

    Raises:
        DataError: There is a ``target``, and the test has only targets or only non-targets.
    """
    if not scores.ids:
        return None
    confusion = confusion_matrix(scores.true, scores.predicted, scores.labels)
    number = {label: n for n, label in enumerate(scores.labels)}
    true = np.array([number[label] for label in scores.true])
    right = np.array(scores.predicted) == np.array(scores.true)
    groups = np.unique(scores.groups, return_inverse=True)[1] if scores.groups else None
    metrics = {
        **({} if target is None else _detection(scores, target, groups, decision or DecisionSpec(), seed)),
        "accuracy": _share(right, groups, seed),
        "balanced_accuracy": _balanced(true, right, confusion, groups, seed),
    }
    if len(scores.labels) > 5:
        metrics["top_3_accuracy"] = _share(top_n_right(scores.mean_log_likelihoods, true, 3), groups, seed)
    if by_frames:
        metrics["frame_accuracy"] = frame_accuracy(right * scores.n_frames, scores.n_frames, groups, seed)
    folds = {}
    for fold in dict.fromkeys(scores.folds):
        chosen = np.array(scores.folds) == fold
        folds[fold] = {"accuracy": Metric(float(right[chosen].mean()), int(chosen.sum()), "fraction")}
    return Evaluation(metrics, scores.labels, confusion, folds)


def detection_scores(scores: Scores, target: str) -> NDArray[np.float64]:
    """By how much the target is more likely than the other of two classes, (N,) nats per frame; not calibrated."""
    number = scores.labels.index(target)
    table = scores.mean_log_likelihoods
    return table[:, number] - table[:, 1 - number]


def _detection(
    scores: Scores, target: str, groups: NDArray[np.intp] | None, spec: DecisionSpec, seed: int
) -> dict[str, Metric]:
    """Metrics of telling the target from the other class."""
    units = np.arange(len(scores.ids)) if groups is None else groups
    is_target = np.array(scores.true) == target
    found = detection_metrics(detection_scores(scores, target), is_target, units, spec, seed=seed)
    if groups is None:
        found = {name: metric.by_items() for name, metric in found.items()}
    return {name: replace(metric, more={**metric.more, "target": target}) for name, metric in found.items()}


def detection_metrics(
    scores: NDArray[np.float64],
    is_target: NDArray[np.bool_],
    sides: Groups | Sides,
    decision: DecisionSpec,
    *,
    seed: int = 0,
) -> dict[str, Metric]:
    """Both EERs, minDCF and Cllr_min of scores (N,); no increasing map changes them.

    Intervals are by resampling the groups (N,) of ``sides``: of the items, or of models and of tests.

    Raises:
        DataError: Only targets or only non-targets.
    """
    trials = rank_trials(scores, is_target)
    costs = (decision.prior, decision.cost_miss, decision.cost_false_alarm)
    statistics: dict[str, tuple[Callable[[NDArray[np.float64]], float], str]] = {
        "eer": (lambda weights: eer(trials, weights), "fraction"),
        "eer_staircase": (lambda weights: eer_staircase(trials, weights), "fraction"),
        "min_dcf": (lambda weights: min_dcf(trials, *costs, weights), "share of the blind decision's cost"),
        "cllr_min": (lambda weights: cllr_min(trials, weights), "bits"),
    }
    n, whole = len(scores), np.ones(len(scores))
    metrics = {
        name: Metric(statistic(whole), n, unit).within(interval(statistic, sides, seed=seed))
        for name, (statistic, unit) in statistics.items()
    }
    most = metrics["eer"].high
    if most is not None and most > 0.5:  # the scale of the interval ends at 1; that of the value does not
        metrics["eer"] = replace(metrics["eer"], high=0.5)
    metrics["min_dcf"] = replace(metrics["min_dcf"], more={"p_target": decision.prior})
    return metrics


def _share(right: NDArray[np.bool_], groups: NDArray[np.intp] | None, seed: int) -> Metric:
    """A share of items with its interval."""
    metric = Metric(float(right.mean()), len(right), "fraction")
    if groups is None:
        low, high = wilson_interval(int(right.sum()), len(right))
        return replace(metric, low=low, high=high, interval="wilson, items as independent")
    return metric.within(interval(ratio(right, np.ones(len(right))), groups, seed=seed))


def _balanced(
    true: NDArray[np.intp],
    right: NDArray[np.bool_],
    confusion: NDArray[np.int64],
    groups: NDArray[np.intp] | None,
    seed: int,
) -> Metric:
    metric = Metric(balanced_accuracy(confusion), len(right), "fraction")
    if groups is None:
        return metric
    items = np.eye(len(confusion))[true]  # (N, C)
    columns = np.hstack([items * right[:, None], items])

    def mean_recall(sums: NDArray[np.float64]) -> NDArray[np.float64]:
        above, below = np.split(sums, 2, axis=-1)
        shares = np.divide(above, below, out=np.zeros_like(above), where=below > 0)
        present: NDArray[np.float64] = shares.sum(axis=-1) / (below > 0).sum(axis=-1)
        return present

    return metric.within(interval(OfSums(columns, mean_recall), groups, seed=seed))


def scores_table(scores: Scores, target: str | None = None) -> ClassTable:
    """``scores.tsv``: id, fold (if there are folds), true, predicted, n_frames, then the scores of every class.

    A score is the mean log-likelihood in nats per frame, or the log posterior in nats. Where one of two classes is a
    ``target``, its score and whether the item is one (target, nontarget) stand before the classes.
    """
    columns: dict[str, Sequence[Any]] = {"id": scores.ids, **({"fold": scores.folds} if scores.folds else {})}
    columns |= {"true": scores.true, "predicted": scores.predicted, "n_frames": scores.n_frames.tolist()}
    if target is not None:
        columns["score"] = [f"{score:.6f}" for score in detection_scores(scores, target)]
        columns["target"] = ["target" if true == target else "nontarget" for true in scores.true]
    return ClassTable(columns, scores.labels, scores.mean_log_likelihoods, scores.are_log_posteriors)


def confusion_table(evaluation: Evaluation) -> str:
    """``confusion.tsv``: true classes in rows, decisions in columns; of many classes a row for each pair with items."""
    counts, labels = evaluation.confusion, evaluation.labels
    if len(labels) <= WHOLE_UP_TO:
        return table(("true", *labels), ((label, *row) for label, row in zip(labels, counts.tolist(), strict=True)))
    places = zip(*(places.tolist() for places in np.nonzero(counts)), strict=True)
    return table(
        CONFUSED_PAIRS, ((labels[true], labels[predicted], counts[true, predicted]) for true, predicted in places)
    )


def per_class_table(evaluation: Evaluation) -> str:
    """``per_class.tsv``: items, decisions, recall and precision of every class."""
    found = per_class(evaluation.confusion)
    head = ("class", "items", "decisions", "right", "recall", "precision")
    columns = zip(found.items, found.decisions, found.right, found.recall, found.precision, strict=True)
    rows = (
        (label, *(int(count) for count in counts), *("" if np.isnan(share) else f"{share:.4f}" for share in shares))
        for label, (*counts, recall, precision) in zip(evaluation.labels, columns, strict=True)
        for shares in [(recall, precision)]
    )
    return table(head, rows)
