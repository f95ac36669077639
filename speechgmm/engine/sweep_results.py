"""What a sweep found: how each point fared, and which was chosen."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from speechgmm.engine.comparison import ERRORS
from speechgmm.io.tables import table


@dataclass(frozen=True, slots=True)
class Point:
    """One setting of the grid, as it fared."""

    settings: dict[str, Any]  # key -> value
    inner: dict[str, float]  # outer fold ("" where there is none) -> metric by which it is chosen
    test: float  # metric on the test, pooled over folds; chooses nothing


@dataclass(frozen=True, slots=True)
class Sweep:
    """What a sweep found."""

    folder: Path
    metric: str  # what points are chosen by: accuracy, eer, error_rate, ari, der
    points: tuple[Point, ...]
    failed: tuple[dict[str, Any], ...]  # settings that cannot be trained
    chosen: dict[str, int]  # outer fold -> number of its point
    evaluation: Any  # the task's own, of the test: each fold by the point that it chose

    @property
    def winner(self) -> dict[str, Any]:
        """The settings whose inner results are best on the mean of the outer folds: what to train on everything."""
        return max(self.points, key=lambda point: float(np.mean(list(point.inner.values())))).settings


def sweep_table(result: Sweep) -> str:
    """``sweep.tsv``: settings, the inner metric that chooses (mean over folds), how often chosen, the test metric."""
    sign = -1 if result.metric in ERRORS else 1
    everything = [*(point.settings for point in result.points), *result.failed]
    keys = list(dict.fromkeys(key for settings in everything for key in settings))
    rows = [
        (
            *(point.settings.get(key, "") for key in keys),
            f"{sign * np.mean(list(point.inner.values())) + 0.0:.4f}",
            list(result.chosen.values()).count(number),
            f"{sign * point.test + 0.0:.4f}",
        )
        for number, point in enumerate(result.points)
    ]
    rows += [(*(settings.get(key, "") for key in keys), "failed", 0, "") for settings in result.failed]
    return table((*keys, f"inner_{result.metric}", "chosen", f"test_{result.metric}"), rows)
