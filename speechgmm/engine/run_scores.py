"""What ``scores.tsv`` of a run holds: decisions between classes, trials, or scores of recordings.

The first columns say which of these it is.
"""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from speechgmm.evaluation import Trials, rank_trials
from speechgmm.io.run_files import RunFile
from speechgmm.io.score_file import class_columns, decision_columns
from speechgmm.io.score_forms import LOG_POSTERIOR, score_rows, widened

if TYPE_CHECKING:
    from speechgmm.engine.run_folder import RunFolder

Row = dict[str, str]

NATS_PER_FRAME: Final = "nats per frame"


@dataclass(frozen=True, slots=True)
class Decisions:
    """``scores.tsv`` of classification."""

    ids: tuple[str, ...]
    true: tuple[str, ...]
    decided: tuple[str, ...]
    scores: NDArray[np.float64]  # (N, C)
    labels: tuple[str, ...]
    unit: str = NATS_PER_FRAME  # of ``scores``; log posteriors are in nats

    def margins(self) -> NDArray[np.float64]:
        """(N,) score of the decision less that of the true class, which is what a mistake was off by.

        NaN where either is none of the classes (unknown).
        """
        column = {label: number for number, label in enumerate(self.labels)}
        padded = np.hstack([self.scores, np.full((len(self.ids), 1), np.nan)])
        rows = np.arange(len(self.ids))
        decided, true = ([column.get(name, -1) for name in names] for names in (self.decided, self.true))
        found: NDArray[np.float64] = padded[rows, decided] - padded[rows, true]
        return found


@dataclass(frozen=True, slots=True)
class Claims:
    """``scores.tsv`` of verification: the trials whose truth is known."""

    models: tuple[str, ...]
    tests: tuple[str, ...]
    trials: Trials  # by ``score``
    calibrated: Trials | None  # by ``llr``, nats; None: there is no such column
    unit: str = NATS_PER_FRAME  # of ``score``
    llrs_rank: bool = False  # whether ratios take more than the score, see ``llrs_rank``

    @property
    def judged(self) -> Trials:
        """By what orders the trials, and what error rates are of: the scores, unless ``llrs_rank``."""
        return self.calibrated if self.calibrated is not None and self.llrs_rank else self.trials

    @property
    def judged_unit(self) -> str:
        """The unit of ``judged``, with its name."""
        return f"score ({self.unit})" if self.judged is self.trials else "log-likelihood ratio (nats)"


def llrs_rank(run: "RunFolder") -> bool:
    """Whether the run's likelihood ratios depend on more than the score (``calibration.quality``).

    Then they may order trials otherwise than scores do, and error rates are of them. A map of the score alone orders
    trials as the score does; by folds there are several maps, and their ratios pooled are in the order of none.
    """
    return str((run.config.get("calibration") or {}).get("quality", "none")) != "none"


def _are_decisions(head: Sequence[str]) -> bool:
    return {"true", "predicted"} <= {*head[:4]}


def _are_trials(head: Sequence[str]) -> bool:
    return [*head[:2]] == ["model", "test"]


def holds_scores_to_evaluate(run: "RunFolder") -> bool:
    """Whether the run has a table of decisions between classes or of trials."""
    head = run.heading(RunFile.SCORES)
    return _are_decisions(head) or _are_trials(head)


def other_scores(run: "RunFolder") -> tuple[Row, ...]:
    """Rows of a table of neither decisions nor trials: anomaly scores."""
    return () if holds_scores_to_evaluate(run) else run.rows(RunFile.SCORES)


def decisions_of(run: "RunFolder") -> Decisions | None:
    """The decisions between classes; None where the table is of something else."""
    if not _are_decisions(run.heading(RunFile.SCORES)):
        return None
    rows = widened(score_rows(run.path(RunFile.SCORES)))
    head = next(rows, [])
    classes = run.confusion[0] if run.confusion else ()
    own, first, _ = decision_columns(head)
    wanted = {*classes, *(LOG_POSTERIOR + name for name in classes)}
    columns = [number for number in range(first, len(head)) if head[number] in wanted or not classes]
    labels, are_posteriors = class_columns([head[number] for number in columns])
    names: list[tuple[str, ...]] = []
    scores: list[NDArray[np.float64]] = []
    for row in rows:  # one at a time: text takes ten times the memory of numbers
        if len(row) != len(head):
            raise ValueError(f"{len(row)} cells where {len(head)} are expected")
        names.append(tuple(row[own[name]] for name in ("id", "true", "predicted")))
        scores.append(np.array([row[number] for number in columns], np.float64))
    if not names:
        return None
    ids, true, decided = zip(*names, strict=True)
    # Earlier versions put log posteriors of segments under the names of the classes alone.
    return Decisions(ids, true, decided, np.stack(scores), labels, "nats" if are_posteriors else run.task.score_unit)


def claims_of(run: "RunFolder") -> Claims | None:
    """The trials; None where there are none, or only targets or non-targets."""
    if not _are_trials(run.heading(RunFile.SCORES)):
        return _two_classes(run)
    head, rows = run.table(RunFile.SCORES)
    if not rows or "target" not in head:
        return None
    # By columns: there may be a million trials, of whom a dictionary each would be a gigabyte.
    columns = dict(zip(head, zip(*rows, strict=True), strict=True))
    target = np.array(columns["target"])
    known = np.isin(target, ("target", "nontarget"))
    truth = (target == "target")[known]
    if truth.all() or not truth.any():
        return None

    def ranked(name: str) -> Trials:
        return rank_trials(np.array(columns[name], np.float64)[known], truth)

    models, tests = (tuple(itertools.compress(columns[name], known.tolist())) for name in ("model", "test"))
    unit = "normalised" if "raw" in head else NATS_PER_FRAME  # by scores of a cohort: standard deviations
    return Claims(models, tests, ranked("score"), ranked("llr") if "llr" in head else None, unit, llrs_rank(run))


def _two_classes(run: "RunFolder") -> Claims | None:
    """Classification of two classes of which one is the target, as its metrics say: trials by what tells them apart."""
    target = next((metric["target"] for metric in run.results.values() if "target" in metric.more), None)
    decisions = run.decisions
    if decisions is None or target not in decisions.labels or len(decisions.labels) != 2:
        return None
    number = decisions.labels.index(target)
    scores = decisions.scores[:, number] - decisions.scores[:, 1 - number]
    truth = np.array([label == target for label in decisions.true])
    return Claims((target,) * len(truth), decisions.ids, rank_trials(scores, truth), None, decisions.unit)
