"""A run's folder, read: what a report is made from, and nothing else is.

Every file but ``config.yaml`` may be missing (a run that only trained, an older version); what hangs on it is then
left out of the report, which says so.
"""

import csv
import itertools
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from speechgmm.config import plain_values
from speechgmm.errors import ConfigError, DataError
from speechgmm.evaluation import Trials, rank_trials
from speechgmm.io.score_file import LOG_POSTERIOR, class_columns

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


@dataclass(frozen=True, slots=True)
class RunFolder:
    """What a run left."""

    folder: Path
    config: Mapping[str, Any]  # as in config.yaml, every key
    environment: Mapping[str, Any] = field(default_factory=dict)
    metrics: Mapping[str, Any] = field(default_factory=dict)
    confusion: tuple[tuple[str, ...], NDArray[np.int64]] | None = None  # labels and (C, C) counts
    per_class: tuple[Row, ...] = ()
    classes: tuple[Row, ...] = ()  # how each was trained
    data: tuple[Row, ...] = ()  # recordings, seconds and frames of every class
    rejected: tuple[Row, ...] = ()
    places: Mapping[str, Row] = field(default_factory=dict)  # id -> its row of protocol.tsv
    pairs: tuple[Row, ...] = ()  # recognition: what was taken for what
    hypotheses: tuple[Row, ...] = ()  # recognition: what was said and heard
    decisions: Decisions | None = None
    claims: Claims | None = None
    scores: tuple[Row, ...] = ()  # anomaly: scores.tsv
    thresholds: tuple[Row, ...] = ()  # anomaly: of each class
    normal: tuple[Row, ...] = ()  # anomaly: scores of normal recordings left out
    curves: Mapping[str, tuple[NDArray[np.float64], NDArray[np.float64]]] = field(default_factory=dict)  # times, values
    audio_root: Path | None = None  # the folder below which recordings are read; None: the one that the run names
    is_own: bool = False  # made just now: what it says of recordings is so

    @property
    def name(self) -> str:
        """What was run."""
        return str(self.environment.get("config") or self.folder.name)

    @property
    def task(self) -> str:
        """``classification``, ``verification``, ``recognition`` or ``anomaly``."""
        return str(self.config.get("task", "classification"))

    def path_of(self, identifier: str) -> Path:
        """Where the recording of an utterance lies, below ``audio_root``.

        Raises:
            DataError: The run does not say, or says a place outside of that folder: whoever made the run's files could
                name any file.
        """
        said, row = self.environment.get("corpus_root"), self.places.get(identifier)
        root = self.audio_root or (None if said is None else Path(str(said)))
        if root is None or row is None:
            raise DataError("the run does not say where its recordings lay; run it again with this version")
        path = root / row["path"]
        if self.is_own:
            return path
        if self.audio_root is None and not _is_below(root, Path.cwd()):
            raise DataError(
                f"its recordings lie in {root}, outside of the folder where the report was made. The files of a run "
                "that somebody else made could name any file; name the folder of its recordings (audio_root)"
            )
        if not _is_below(path, root):
            raise DataError(f"{path} lies outside of {root}, the folder of the run's recordings; it is not read")
        return path


def _is_below(path: Path, folder: Path) -> bool:
    return path.resolve().is_relative_to(folder.resolve())


def read_run(folder: Path, audio_root: Path | None = None, *, is_own: bool = False) -> RunFolder:
    """Read what a run left in its folder.

    Args:
        folder: The run's folder.
        audio_root: The folder of its recordings; default: the one that it names, if that is below the current one.
        is_own: Whether it was made just now, so that its recordings are read wherever they lie.

    Raises:
        ConfigError: It is not the folder of a run.
        DataError: A file of it cannot be read.
    """
    if not (folder / "config.yaml").is_file():
        raise ConfigError(
            f"{folder}: not a run's folder (no config.yaml); a report is made from what `speechgmm run` left"
        )
    try:
        config, _ = plain_values(_text(folder / "config.yaml"), "config.yaml")
        scores = _text(folder / "scores.tsv")
        metrics = _json(folder / "metrics.json")
        confusion = _confusion(list(_lines(folder / "confusion.tsv")))
        # Earlier versions put log posteriors of segments under the names of the classes alone.
        unit = "nats" if config.get("segments") else NATS_PER_FRAME
        # The first columns say what the table holds.
        head = tuple(scores.split("\n", 1)[0].split("\t"))
        are_trials, are_decisions = head[:2] == ("model", "test"), {"true", "predicted"} <= {*head[:4]}
        decisions = _decisions(scores, confusion[0] if confusion else (), unit) if are_decisions else None
        return RunFolder(
            folder=folder,
            config=config,
            environment=_json(folder / "environment.json"),
            metrics=metrics,
            confusion=confusion,
            per_class=tuple(_rows(_lines(folder / "per_class.tsv"))),
            classes=tuple(_rows(_lines(folder / "classes.tsv"))),
            data=tuple(_rows(_lines(folder / "data.tsv"))),
            rejected=tuple(_rows(_lines(folder / "rejected.tsv"))),
            places={row["id"]: row for row in _rows(_lines(folder / "protocol.tsv"))},
            pairs=tuple(_rows(_lines(folder / "pairs.tsv"))),
            hypotheses=tuple(_rows(_lines(folder / "hypotheses.tsv"))),
            decisions=decisions,
            claims=_claims(scores) if are_trials else _two_classes(decisions, metrics),
            scores=() if are_trials or are_decisions else tuple(_rows(_lines(folder / "scores.tsv"))),
            thresholds=tuple(_rows(_lines(folder / "thresholds.tsv"))),
            normal=tuple(_rows(_lines(folder / "normal.tsv"))),
            curves=_curves(list(_rows(_lines(folder / "curves.tsv")))),
            audio_root=audio_root,
            is_own=is_own,
        )
    except (OSError, ValueError, KeyError, IndexError, TypeError, AttributeError, ConfigError) as error:
        raise DataError(
            f"{folder}: a file of this run cannot be read ({type(error).__name__}: {error}); was it changed by hand, "
            "or made by another version? Run it again"
        ) from None


def _curves(rows: list[Row]) -> dict[str, tuple[NDArray[np.float64], NDArray[np.float64]]]:
    """Recording -> times (s) and values of its curve."""
    found: dict[str, list[tuple[float, float]]] = {}
    for row in rows:
        found.setdefault(row["id"], []).append((float(row["time"]), float(row["oddity"])))
    return {name: (np.array(pairs)[:, 0], np.array(pairs)[:, 1]) for name, pairs in found.items()}


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8", errors="surrogateescape") if path.exists() else ""


def _json(path: Path) -> dict[str, Any]:
    text = _text(path)
    return dict(json.loads(text)) if text else {}


def _lines(path: Path) -> Iterable[list[str]]:
    # Not splitlines: a label may hold one of the rarer line ends.
    return (row for row in csv.reader(_text(path).split("\n"), delimiter="\t", quoting=csv.QUOTE_NONE) if row)


def _rows(lines: Iterable[list[str]]) -> Iterable[Row]:
    """Rows by their header; where a label column has the name of one of the run's own, the first counts."""
    head: list[str] = []
    for line in lines:
        if not head:
            head = line
        else:
            yield dict(reversed(list(zip(head, line, strict=True))))


def _confusion(lines: list[list[str]]) -> tuple[tuple[str, ...], NDArray[np.int64]] | None:
    if not lines:
        return None
    return tuple(lines[0][1:]), np.array([[int(count) for count in row[1:]] for row in lines[1:]], np.int64)


def _decisions(text: str, classes: tuple[str, ...], unit: str) -> Decisions | None:
    head, rows = _cells(text)
    if not rows:
        return None
    # Classes come after n_frames, and may have the name of any other column.
    first = head.index("n_frames") + 1
    wanted = {*classes, *(LOG_POSTERIOR + name for name in classes)}
    columns = [number for number in range(first, len(head)) if head[number] in wanted or not classes]
    labels, are_posteriors = class_columns([head[number] for number in columns])
    own = {name: head.index(name) for name in ("id", "true", "predicted")}
    ids, true, decided = (tuple(row[own[name]] for row in rows) for name in ("id", "true", "predicted"))
    scores = np.array([[row[number] for number in columns] for row in rows], np.float64)
    return Decisions(ids, true, decided, scores, labels, "nats" if are_posteriors else unit)


def _claims(text: str) -> Claims | None:
    head, rows = _cells(text)
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
    normalised = "raw" in head  # by scores of a cohort: standard deviations
    return Claims(
        models,
        tests,
        ranked("score"),
        ranked("llr") if "llr" in head else None,
        "normalised" if normalised else NATS_PER_FRAME,
    )


def _two_classes(decisions: Decisions | None, metrics: Mapping[str, Any]) -> Claims | None:
    """Classification of two classes of which one is the target, as its figures say: trials by what tells them apart."""
    target = next((m["target"] for m in metrics.values() if isinstance(m, dict) and "target" in m), None)
    if decisions is None or target not in decisions.labels or len(decisions.labels) != 2:
        return None
    number = decisions.labels.index(target)
    scores = decisions.scores[:, number] - decisions.scores[:, 1 - number]
    truth = np.array([label == target for label in decisions.true])
    return Claims((target,) * len(truth), decisions.ids, rank_trials(scores, truth), None, decisions.unit)


def _cells(text: str) -> tuple[list[str], list[list[str]]]:
    head, *rows = (line.split("\t") for line in text.split("\n") if line) if text else ([],)
    return head, rows
