"""The cohort of a verification run: others than those who are claimed or tested, by whom scores are normalised.

Its speakers get models as the enrolled ones do, in the same pool; its recordings are scored against every model once,
when training ends, so that a model file holds all that normalising a new recording's score takes.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Final

import numpy as np
from numpy.typing import NDArray

from speechgmm.engine.frames import Features, Piece
from speechgmm.engine.job import Job
from speechgmm.gmm import DiagGMM
from speechgmm.tasks.classification.models import ClassModels, Cohort
from speechgmm.tasks.classification.scoring import SCORED_AT_ONCE
from speechgmm.tasks.classification.spec import ScoringSpec
from speechgmm.tasks.verification.cohort_check import check_cohort
from speechgmm.tasks.verification.score_norm import BY_MODELS, BY_RECORDINGS, ScoreNorm

HELD_AT_MOST: Final = 32 * 1024**2
"""Bytes of the cohort's frames that a model file takes along, so that classes can be added to it."""


def cohort_members(features: Features, spec: ScoringSpec, group: str | None = None) -> dict[str, list[Piece]]:
    """The frames of every speaker of the cohort that a model is made of; none where the norm asks for none.

    Raises:
        DataError: As ``check_cohort``.
    """
    check_cohort(features.corpus, spec, group)
    members: dict[str, list[Piece]] = {}
    if spec.normalise in BY_MODELS:
        for utterance, pieces in features.training(spec.cohort):
            members.setdefault(utterance.label(features.corpus.label), []).extend(pieces)
    return members


def with_cohort(job: Job, features: Features, models: ClassModels, cohort: Mapping[str, DiagGMM]) -> ClassModels:
    """The models with the cohort's, and with the norm: the cohort's recordings scored against all of them.

    Raises:
        DataError: A cohort whose scores have no spread.
    """
    spec = job.experiment.config.section(ScoringSpec)
    kind = spec.normalise
    if kind == "none":
        return models
    found = replace(models, cohort=Cohort(tuple(cohort), tuple(cohort.values())))
    if kind not in BY_RECORDINGS:
        norm = ScoreNorm.of(kind)
    else:
        tests = features.of_split(spec.cohort)
        # Of the cohort's own models only ZT-norm asks what they score on the cohort.
        scored = found if kind == "zt" else models
        parcels = [[piece for _, piece in tests[n : n + SCORED_AT_ONCE]] for n in range(0, len(tests), SCORED_AT_ONCE)]
        parts = job.console.track(job.map(partial(_score, scored), parcels), len(parcels), "scoring the cohort")
        scores = np.concatenate(list(parts), axis=1)
        n_models = len(models.labels)
        if kind == "zt":
            speakers = np.array([utterance.label(features.corpus.label) for utterance, _ in tests])
            own = np.array(list(cohort))[:, None] == speakers
            norm = ScoreNorm.of(kind, scores[:n_models], cohort=scores[n_models:], own=own)
        else:
            norm = ScoreNorm.of(kind, scores, top=spec.cohort_top if kind == "as" else None)
    return replace(found, cohort=Cohort(tuple(cohort), tuple(cohort.values()), norm))


def held_recordings(job: Job, features: Features) -> tuple[NDArray[np.float32], ...]:
    """The frames of the cohort's recordings for the model file; none where no norm is by them, or they are too many."""
    spec = job.experiment.config.section(ScoringSpec)
    if spec.normalise not in BY_RECORDINGS:
        return ()
    recordings: list[NDArray[np.float32]] = []
    size = 0
    for _, piece in features.of_split(spec.cohort):
        recordings.append(piece.load())
        size += recordings[-1].nbytes
        if size > HELD_AT_MOST:
            job.console.say(
                f"the frames of the cohort are more than {HELD_AT_MOST >> 20} MiB and are not kept in the model file: "
                "nobody can be enrolled into it later"
            )
            return ()
    return tuple(recordings)


def _score(models: ClassModels, pieces: Sequence[Piece]) -> np.ndarray:
    return models.raw_scores([piece.load() for piece in pieces])
