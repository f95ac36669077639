"""The evaluation stage: figures from scores, and the tables that a run leaves behind."""

import json
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from speechgmm.evaluation import accuracy, balanced_accuracy, confusion_matrix, recalls, wilson_interval
from speechgmm.io.tables import table
from speechgmm.pipeline.scoring import Scores
from speechgmm.pipeline.training import ClassReport


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Figures of a classification run."""

    metrics: dict[str, dict[str, Any]]  # name -> value, low, high, n, unit
    labels: tuple[str, ...]
    confusion: NDArray[np.int64]  # (C, C) true in rows

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


def evaluate(scores: Scores) -> Evaluation | None:
    """Accuracy and balanced accuracy of the test split; None where it is empty."""
    if not scores.ids:
        return None
    confusion = confusion_matrix(scores.true, scores.predicted, scores.labels)
    n, right = int(confusion.sum()), int(np.trace(confusion))
    low, high = wilson_interval(right, n)
    metrics = {
        "accuracy": {"value": accuracy(confusion), "low": low, "high": high, "n": n, "unit": "fraction"},
        "balanced_accuracy": {"value": balanced_accuracy(confusion), "n": n, "unit": "fraction"},
    }
    return Evaluation(metrics, scores.labels, confusion)


def scores_table(scores: Scores) -> str:
    """``scores.tsv``: id, true, predicted, n_frames, then nats per frame for every class."""
    rows = (
        (name, true, predicted, n, *(f"{value:.6f}" for value in values))
        for name, true, predicted, n, values in zip(
            scores.ids,
            scores.true,
            scores.predicted,
            scores.n_frames,
            scores.mean_log_likelihoods,
            strict=True,
        )
    )
    return table(("id", "true", "predicted", "n_frames", *scores.labels), rows)


def confusion_table(evaluation: Evaluation) -> str:
    """``confusion.tsv``: true classes in rows, decisions in columns."""
    rows = ((label, *counts) for label, counts in zip(evaluation.labels, evaluation.confusion, strict=True))
    return table(("true", *evaluation.labels), rows)


def classes_table(reports: tuple[ClassReport, ...]) -> str:
    """``classes.tsv``: how each class was trained."""
    head = (
        "class",
        "n_frames",
        "n_components",
        "iterations",
        "objective",
        "converged",
        "precision",
        "dead",
        "trace",
    )
    rows = (
        (
            report.label,
            report.n_frames,
            report.n_components,
            report.iterations,
            f"{report.objective:.6f}",
            str(report.converged).lower(),
            report.precision,
            len(report.dead),
            json.dumps([round(value, 6) for value in report.trace]),
        )
        for report in reports
    )
    return table(head, rows)
