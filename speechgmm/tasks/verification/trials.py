"""Verification: trials scored against a background model, normalised by a cohort, and the table of them.

A million trials are columns of numbers, not a million objects: models and tests are named once each.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from functools import cached_property, partial

import numpy as np
from numpy.typing import NDArray

from speechgmm.corpus import speaker_column
from speechgmm.corpus.trials import Trial, read_trials
from speechgmm.engine.frames import Features, Piece
from speechgmm.engine.job import Job
from speechgmm.errors import DataError
from speechgmm.io.tables import cell
from speechgmm.parallel import in_parcels
from speechgmm.tasks.classification.models import ClaimScores, ClassModels
from speechgmm.tasks.classification.scoring import SCORED_AT_ONCE
from speechgmm.tasks.classification.spec import ScoringSpec
from speechgmm.tasks.verification.models import ClaimModels
from speechgmm.tasks.verification.trial_choice import (
    across_sessions,
    asked_trials,
    check_across,
    made_trials,
    sessions_of_tests,
    warn_of_shared,
)

Numbers = NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class Side:
    """The models, or the tests, that trials are of: each once for every fold."""

    names: tuple[str, ...]
    groups: tuple[str, ...]  # the speaker of each
    folds: tuple[str, ...]  # the fold of each; "" where there are none
    sessions: tuple[str, ...] = ()  # of tests, see `sessions_of_tests`; empty: no column says so

    def __add__(self, other: "Side") -> "Side":
        """Those of both."""
        return Side(*(getattr(self, one.name) + getattr(other, one.name) for one in fields(self)))


@dataclass(frozen=True, eq=False)
class ScoredTrials:
    """Trials with their scores: in the unit of their method or, normalised, in standard deviations of the cohort's."""

    models: Side
    tests: Side
    test_frames: NDArray[np.int64]  # of each test
    model: Numbers  # (N,) which of the models a trial claims
    test: Numbers  # (N,) which of the tests it is about
    scores: NDArray[np.float64]  # (N,)
    raw: NDArray[np.float64] | None  # (N,) before they were normalised; None: they are not
    is_target: NDArray[np.bool_]  # (N,) whether the claim is true
    cohort_means: NDArray[np.float64] | None = None  # of each test: mean raw score of the cohort's models
    llrs: NDArray[np.float64] | None = None  # (N,) calibrated, nats; None: they are not
    llrs_rank: bool = False  # whether their map takes more than the score, so that it may order trials otherwise

    @classmethod
    def pooled(cls, parts: Sequence["ScoredTrials"]) -> "ScoredTrials":
        """The trials of all folds as one table."""
        first = parts[0]
        models, tests, offsets = first.models, first.tests, [(0, 0)]
        for part in parts[1:]:
            offsets.append((len(models.names), len(tests.names)))
            models, tests = models + part.models, tests + part.tests
        return cls(
            models,
            tests,
            np.concatenate([part.test_frames for part in parts]),
            np.concatenate([part.model + before for part, (before, _) in zip(parts, offsets, strict=True)]),
            np.concatenate([part.test + before for part, (_, before) in zip(parts, offsets, strict=True)]),
            np.concatenate([part.scores for part in parts]),
            None if first.raw is None else np.concatenate([part.raw for part in parts if part.raw is not None]),
            np.concatenate([part.is_target for part in parts]),
            None
            if first.cohort_means is None
            else np.concatenate([part.cohort_means for part in parts if part.cohort_means is not None]),
        )

    def __len__(self) -> int:
        return len(self.scores)

    def chosen(self, rows: Sequence[int]) -> "ScoredTrials":
        """Some of the trials, by their places."""
        at = np.asarray(rows, np.intp)
        return replace(
            self,
            model=self.model[at],
            test=self.test[at],
            scores=self.scores[at],
            raw=None if self.raw is None else self.raw[at],
            is_target=self.is_target[at],
            llrs=None if self.llrs is None else self.llrs[at],
        )

    @property
    def ranking(self) -> NDArray[np.float64]:
        """(N,) values that order the trials, and that error rates are computed from: the scores, unless ``llrs_rank``.

        A map of the score alone orders trials as the score does. By folds there are several maps; the pooled
        ratios are in another order, which no single map gives.
        """
        return self.llrs if self.llrs is not None and self.llrs_rank else self.scores

    @cached_property
    def trials(self) -> tuple[Trial, ...]:
        """The claims themselves, one object each."""
        rows = zip(self.model.tolist(), self.test.tolist(), self.is_target.tolist(), strict=True)
        return tuple(Trial(self.models.names[m], self.tests.names[t], truth) for m, t, truth in rows)

    @property
    def n_frames(self) -> NDArray[np.int64]:
        """(N,) of the test utterance."""
        counts: NDArray[np.int64] = self.test_frames[self.test]
        return counts

    @property
    def cohort_mean(self) -> NDArray[np.float64] | None:
        """(N,) mean raw score of the cohort's models on the test; None: there are no such models."""
        return None if self.cohort_means is None else self.cohort_means[self.test]

    @property
    def folds(self) -> tuple[str, ...]:
        """The fold of each trial; "" where there are none."""
        return _of_each(self.tests.folds, self.test)

    @cached_property
    def speakers(self) -> tuple[Numbers, Numbers]:
        """The speaker of each of the models, and of each of the tests: numbers, the same for the same person."""
        numbers = np.unique(np.array(self.models.groups + self.tests.groups), return_inverse=True)[1]
        return numbers[: len(self.models.groups)], numbers[len(self.models.groups) :]

    @property
    def sides(self) -> tuple[Numbers, Numbers]:
        """(N,) the speaker of each trial's model, and of its test, in the numbers of ``speakers``."""
        models, tests = self.speakers
        return models[self.model], tests[self.test]

    @property
    def test_groups(self) -> tuple[str, ...]:
        """The speaker of each trial's test."""
        return _of_each(self.tests.groups, self.test)


def _of_each(names: Sequence[str], numbers: Numbers) -> tuple[str, ...]:
    return tuple(np.array(names, dtype=object)[numbers].tolist())


def score_trials(
    job: Job, systems: Mapping[str, tuple[Features, ClassModels]], *, what: str = "trials"
) -> dict[str, ScoredTrials]:
    """Score the trials of the configuration: those of its table, or every model against every test utterance.

    Args:
        job: The job.
        systems: Fold -> features in its split and the models trained on its training part; one, named "", without.
        what: The trials, for a person.

    Raises:
        DataError: The table of trials is wrong, or there is nothing to test.
    """
    path = job.experiment.trials_path()
    asked: dict[str, list[Trial]] | None = None
    if path is not None:
        labels = next(iter(systems.values()))[1].labels
        tests = {name for fold in job.folds for name in fold.test} or {u.id for u in job.corpus.split("test")}
        asked = {}
        for trial in read_trials(path, set(labels), tests):
            asked.setdefault(trial.test, []).append(trial)
    parts = {name: _score_part(job, name, *system, asked, what) for name, system in systems.items()}
    spec = job.experiment.config.section(ScoringSpec)
    # Of a table, one fold of a sweep may hold no trial.
    if path is None and not any(len(part) for part in parts.values()):
        within = ", ".join(spec.trials_within)
        tested = any(features.corpus.split("test") for features, _ in systems.values())
        raise DataError(
            f"no trials: no test agrees with a model in {within} (scoring.trials_within); are values spelt alike?"
            if tested
            else "no trials: the split 'test' is empty"
        )
    if path is None and spec.trials_across == "session" and not any(part.is_target.any() for part in parts.values()):
        raise DataError(
            "scoring.trials_across: session leaves no target trial: every test of an enrolled speaker is of a session "
            f"({job.experiment.config.corpus.session}) that enrolled the speaker; enrol by other sessions than those "
            "of the tests, or set scoring.trials_across: none"
        )
    return parts


def _score_part(
    job: Job,
    fold: str,
    features: Features,
    models: ClassModels,
    asked: Mapping[str, Sequence[Trial]] | None,
    kind: str,
) -> ScoredTrials:
    config = job.experiment.config
    label, group = features.corpus.label, speaker_column(features.corpus, config.corpus.group)
    tests = [(u, piece) for u, piece in features.of_split("test") if asked is None or u.id in asked]
    numbers = {name: number for number, name in enumerate(models.labels)}
    true = np.array([numbers.get(u.label(label), -1) for u, _ in tests], np.intp)
    spec = config.section(ScoringSpec)
    sessions = sessions_of_tests(features, tests, config.corpus.session)
    if asked is None:
        test, model = made_trials(features, models.labels, tests, spec.trials_within)
    else:
        test, model = asked_trials(tests, numbers, true, asked, label)
    if spec.trials_across == "session":
        kept = across_sessions(sessions, test, model == true[test])
        if asked is not None:
            check_across(kept, [models.labels[n] for n in model[~kept]], [tests[n][0].id for n in test[~kept]])
        test, model = test[kept], model[kept]
    warn_of_shared(job, features, models.labels, tests, test, model, kind)
    parcels = in_parcels([piece for _, piece in tests], SCORED_AT_ONCE)
    raw, scores = np.empty((2, len(models.labels), len(tests)))
    counts, done = np.empty(len(tests), np.int64), 0
    cohort = models.cohort if isinstance(models, ClaimModels) else None
    cohort_means = None if cohort is None or not cohort.models else np.empty(len(tests))
    models = models.suited_to(sum(piece.n_rows for _, piece in tests))
    with job.console.stage("score"):
        what = f"scoring parcels of {kind}{f' of fold {fold}' if fold else ''}"
        for found, n_frames in job.console.track(job.map(partial(_score_parcel, models), parcels), len(parcels), what):
            part = slice(done, done + len(n_frames))
            raw[:, part], scores[:, part], counts[part] = found.raw, found.scores, n_frames
            if cohort_means is not None:
                cohort_means[part] = found.cohort_means
            done += len(n_frames)
    owner = {u.label(label): u.label(group) for u, _ in features.of_split("train")}
    return ScoredTrials(
        Side(models.labels, tuple(owner[name] for name in models.labels), (fold,) * len(models.labels)),
        Side(tuple(u.id for u, _ in tests), tuple(u.label(group) for u, _ in tests), (fold,) * len(tests), sessions),
        counts,
        model,
        test,
        scores[model, test],
        None if cohort is None else raw[model, test],
        model == true[test],
        cohort_means,
    )


def _score_parcel(models: ClassModels, pieces: Sequence[Piece]) -> tuple[ClaimScores, list[int]]:
    """Scores (C, N) of recordings, and their numbers of frames."""
    frames = [piece.load() for piece in pieces]
    return models.claim_scores(frames), [len(one) for one in frames]


def trials_table(scored: ScoredTrials) -> str:
    """``scores.tsv`` of verification: model, test, fold (with folds), raw (if normalised), score, cohort_mean (if
    models of a cohort normalise), llr (calibrated), n_frames, target.

    Written by columns: of a million trials, names are made cells of a table once each.
    """
    named = (scored.models.names, scored.tests.names, scored.tests.folds)
    models, tests, folds = ([cell(name) for name in names] for names in named)
    model, test = scored.model.tolist(), scored.test.tolist()
    counts = list(map(str, scored.test_frames.tolist()))
    means = [] if scored.cohort_means is None else [f"{mean:.6f}" for mean in scored.cohort_means.tolist()]
    columns: dict[str, Iterable[str]] = {
        "model": map(models.__getitem__, model),
        "test": map(tests.__getitem__, test),
        **({"fold": map(folds.__getitem__, test)} if any(folds) else {}),
        **({} if scored.raw is None else {"raw": map("{:.6f}".format, scored.raw.tolist())}),
        "score": map("{:.6f}".format, scored.scores.tolist()),
        **({} if scored.cohort_means is None else {"cohort_mean": map(means.__getitem__, test)}),
        **({} if scored.llrs is None else {"llr": map("{:.6f}".format, scored.llrs.tolist())}),
        "n_frames": map(counts.__getitem__, test),
        "target": map(("nontarget", "target").__getitem__, scored.is_target.tolist()),
    }
    rows = map("\t".join, zip(*columns.values(), strict=True))
    return "\n".join(("\t".join(columns), *rows, ""))
