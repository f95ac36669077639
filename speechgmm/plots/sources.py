"""What plots are drawn from: a run, or arrays."""

import json
from collections.abc import Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import Any, Final, Protocol, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from speechgmm.engine.run_folder import RunFolder, read_run
from speechgmm.errors import ConfigError, DataError, ShapeError, check_type
from speechgmm.evaluation import Application, Trials, rank_trials
from speechgmm.io.label_files import read_labels
from speechgmm.io.label_files.textgrid import Interval
from speechgmm.io.run_files import RunFile

NOTHING: Final = "–"
"""Stands for no label: in the column of deletions, in the row of insertions."""


class HasFolder(Protocol):
    """A run's folder, or what ``speechgmm.run`` returns."""

    @property
    def folder(self) -> Path:
        """Where its files are."""


class Timed(Protocol):
    """A label with its time, such as a word of an alignment."""

    @property
    def start(self) -> float:
        """Seconds."""

    @property
    def end(self) -> float:
        """Seconds."""

    @property
    def label(self) -> str:
        """What it is."""


Run: TypeAlias = str | PathLike[str] | HasFolder
Scores: TypeAlias = Run | Trials | ArrayLike | tuple[ArrayLike, ArrayLike]
Segments: TypeAlias = str | PathLike[str] | Sequence[Timed | tuple[float, float, str]]


def run_of(source: object) -> RunFolder | None:
    """The run that a path or a result names; None: it is none of these.

    Raises:
        ConfigError: The path is not a run's folder.
    """
    if isinstance(source, RunFolder):
        return source
    folder = source if isinstance(source, str | PathLike) else getattr(source, "folder", None)
    return None if folder is None else read_run(Path(folder))


def trials_of(scores: Scores, is_target: ArrayLike | None, *, ratios: bool = False) -> tuple[Trials, bool, str]:
    """Trials, whether their scores are log-likelihood ratios as far as is known, and the unit of the scores.

    Of a run the values that order its trials or, with ``ratios``, its likelihood ratios where it has some.

    Raises:
        ConfigError: A truth beside trials that have their own.
        DataError: The run has no trials whose truth is known; scores that are no numbers, or none.
        ShapeError: Scores without their truth.
    """
    run = run_of(scores)
    if is_target is not None and (run is not None or isinstance(scores, Trials)):
        raise ConfigError(
            "is_target beside a run or Trials, which have their own; leave it out", arguments=("is_target",)
        )
    if run is not None:
        claims = run.claims
        if claims is None:
            raise DataError(f"{run.folder}: no trials whose truth is known; expected a run of verification")
        if ratios and claims.calibrated is not None:
            return claims.calibrated, True, "log-likelihood ratio (nats)"
        return claims.judged, claims.judged is claims.calibrated, claims.judged_unit
    if isinstance(scores, Trials):
        return scores, False, "score"
    if isinstance(scores, tuple) and is_target is None and len(scores) == 2:
        scores, is_target = scores
    if is_target is None:
        raise ShapeError("scores without is_target; expected the truth of each trial, (N,) booleans")
    values = numbers(scores, "scores")
    if not values.size:
        raise DataError("no trials; expected the scores of some targets and some non-targets")
    return rank_trials(values, np.asarray(is_target)), False, "score"


def numbers(values: Any, name: str) -> NDArray[np.float64]:
    """Values as float64. Raises DataError where they are no numbers."""
    try:
        return np.asarray(values, np.float64)
    except (TypeError, ValueError):
        raise DataError(f"{name} is {type(values).__name__}, not all numbers; expected an array of numbers") from None


def applications_of(run: RunFolder) -> tuple[Application, ...]:
    """The priors and costs that a run was judged at: of its configuration, and of any metric that names its own."""
    scoring = run.config.get("decision") or run.config.get("scoring", {})
    costs = float(scoring.get("cost_miss", 1)), float(scoring.get("cost_false_alarm", 1))
    found = [Application(float(scoring.get("prior", scoring.get("p_target", 0.01))), *costs)]
    for about in (metric.more for metric in run.results.values() if "p_target" in metric.more):
        own = about.get("cost_miss", costs[0]), about.get("cost_false_alarm", costs[1])
        found.append(Application(float(about["p_target"]), float(own[0]), float(own[1])))
    return tuple(dict.fromkeys(found))


def traces_of(run: RunFolder) -> dict[str, list[float]]:
    """Class -> its objective (nats per frame) before each iteration and at the end."""
    return {row["class"]: json.loads(row["trace"]) for row in run.classes}


def counts_of(run: RunFolder) -> tuple[tuple[str, ...], NDArray[np.int64]]:
    """Labels and counts (C, C) of a run, the true class (the reference) in rows.

    Raises:
        DataError: The run has neither decisions between classes nor recognised labels.
    """
    if run.confusion is not None:
        return run.confusion
    rows = run.rows(RunFile.PAIRS)
    if not rows:
        raise DataError(f"{run.folder}: no confusions; expected a run of classification or of recognition")
    return pair_counts([(row["reference"], row["hypothesis"], int(row["count"])) for row in rows])


def pair_counts(pairs: Sequence[tuple[str, str, int]]) -> tuple[tuple[str, ...], NDArray[np.int64]]:
    """Labels and counts (C, C) of (reference, hypothesis, count); an empty label is nothing, and the last.

    >>> pair_counts([("a", "a", 3), ("b", "", 1)])[0]
    ('a', 'b', '–')
    """
    named = [(a or NOTHING, b or NOTHING, n) for a, b, n in pairs]
    labels = sorted({label for a, b, _ in named for label in (a, b)}, key=lambda label: (label == NOTHING, label))
    number = {label: n for n, label in enumerate(labels)}
    counts = np.zeros((len(labels), len(labels)), np.int64)
    for a, b, n in named:
        counts[number[a], number[b]] += n
    return tuple(labels), counts


def segments_of(segments: Segments | None, tier: str | None) -> list[Interval]:
    """(start, end, label) of segments, or of a tier of a TextGrid or another label file.

    Raises:
        ConfigError: praatio is not installed; a tier of what is no file.
        DataError: The file cannot be read, or has no such tier; a segment that is not (start, end, label).
    """
    if isinstance(segments, str | PathLike):
        return [(one.start, one.end, one.label) for one in read_labels(Path(segments), tier=tier)]
    if tier is not None:
        raise ConfigError(f"tier is {tier!r}, and segments are no label file; leave it out", arguments=("tier",))
    found = []
    given = segments or ()
    check_type("segments", given, Sequence, "segments (start, end, label), or a label file")
    for number, one in enumerate(given):
        try:
            start, end, label = one if isinstance(one, tuple | list) else (one.start, one.end, one.label)
            found.append((float(start), float(end), str(label)))
        except (AttributeError, TypeError, ValueError):
            raise DataError(f"segments[{number}] is {one!r}; expected (start, end, label), times in s") from None
        if not start <= end:
            raise DataError(f"segments[{number}] is from {start:g} to {end:g} s; expected start <= end")
    return found


def trace_of(fit: Any) -> list[float]:
    """The trace of a fit, or the values themselves. Raises DataError where they are no numbers."""
    return list(numbers(getattr(fit, "trace", fit), "fits").ravel())


def labelled_traces(source: object) -> Mapping[str, Sequence[float]]:
    """Label -> objective (nats per frame) of a run, of fits by label, or of one fit."""
    run = run_of(source)
    if run is not None:
        return traces_of(run)
    named = source if isinstance(source, Mapping) else {"": source}
    return {str(label): trace_of(fit) for label, fit in named.items()}
