"""The cohort of a verification run: others than those who are claimed or tested, by whom scores are normalised.

Its speakers get models as the enrolled ones do, in the same pool; its recordings are scored against every model once,
when training ends, so that a model file holds all that normalising a new recording's score takes.
"""

from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from functools import partial
from typing import Final

import numpy as np
from numpy.typing import NDArray

from speechgmm.engine.frames import Features, Piece
from speechgmm.engine.job import Job
from speechgmm.gmm import AnyGMM
from speechgmm.gmm.full_model import only_diagonal
from speechgmm.parallel import in_parcels
from speechgmm.tasks.classification.models import ClassModels
from speechgmm.tasks.classification.scoring import SCORED_AT_ONCE
from speechgmm.tasks.classification.spec import ScoringSpec
from speechgmm.tasks.classification.training import Others
from speechgmm.tasks.verification.cohort_check import check_cohort
from speechgmm.tasks.verification.compensation import learn_compensation, refuse_zeros
from speechgmm.tasks.verification.models import ClaimModels, Cohort
from speechgmm.tasks.verification.plda_training import enrol_vectors, learn_back_end
from speechgmm.tasks.verification.score_norm import BY_MODELS, BY_RECORDINGS, ScoreNorm

HELD_AT_MOST: Final = 32 * 1024**2
"""Bytes of the cohort's frames that a model file takes along, so that classes can be added to it."""

FEW: Final = 10
"""Scores of a cohort whose standard deviation is rough: by a quarter and more."""


class CohortTraining(Others):
    """The cohort's speakers get models where the norm asks for them."""

    def members(self, job: Job, features: Features) -> dict[str, list[Piece]]:
        """The frames of every speaker of the cohort that a model is made of; none where the norm asks for none.

        Raises:
            DataError: As ``check_cohort``.
        """
        config = job.experiment.config
        spec = config.section(ScoringSpec)
        check_cohort(features.corpus, spec, config.corpus.group)
        members: dict[str, list[Piece]] = {}
        if spec.normalise in BY_MODELS:
            for utterance, pieces in features.training(spec.cohort):
                members.setdefault(utterance.label(features.corpus.label), []).extend(pieces)
        return members

    def with_models(
        self, job: Job, features: Features, models: ClassModels, others: Mapping[str, AnyGMM]
    ) -> ClaimModels:
        """The models with the cohort's, and with the norm: the cohort's recordings scored against all of them.

        Raises:
            DataError: A cohort whose scores have no spread; vectors of zeros, which have no direction.
        """
        spec = job.experiment.config.section(ScoringSpec)
        known = {field.name: getattr(models, field.name) for field in fields(models) if field.init}
        if spec.method in ("cosine", "plda") and models.ubm is not None and models.ubm.n_components == 1:
            refuse_zeros(job, features)
        cohort = Cohort(tuple(others), only_diagonal(list(others.values()), "a cohort"))
        if spec.method == "plda" and models.ubm is not None:
            back_end = learn_back_end(job, features, models.ubm)
            with_split = ((models.labels, "train"), (cohort.labels, spec.cohort))
            enrolled, others_enrolled = (enrol_vectors(job, features, models.ubm, back_end, *one) for one in with_split)
            claims = ClaimModels(**known, method=spec.method, back_end=back_end, enrolled=enrolled)
            cohort = replace(cohort, enrolled=others_enrolled)
        else:
            compensation = learn_compensation(job, features, models.ubm) if spec.method == "cosine" else None
            claims = ClaimModels(**known, method=spec.method, compensation=compensation)
        if spec.normalise == "none":
            return claims
        _warn_of_few(job, features, cohort)
        norm = _norm(job, features, claims, cohort)
        return replace(claims, cohort=replace(cohort, norm=norm))

    def recordings(self, job: Job, features: Features) -> tuple[NDArray[np.float32], ...]:
        """The frames of the cohort's recordings; none where no norm is by them, or they are too many."""
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
                    f"the frames of the cohort are more than {HELD_AT_MOST >> 20} MiB and are not kept in the model "
                    "file: nobody can be enrolled into it later"
                )
                return ()
        return tuple(recordings)


def _warn_of_few(job: Job, features: Features, cohort: Cohort) -> None:
    spec = job.experiment.config.section(ScoringSpec)
    counts = [len(cohort.models)] if spec.normalise in BY_MODELS else []
    counts += [len(features.of_split(spec.cohort))] if spec.normalise in BY_RECORDINGS else []
    n = min(*counts, *([spec.cohort_top] if spec.normalise == "as" else ()), FEW)
    if n < FEW:
        job.console.warn(
            f"scoring.normalise: {spec.normalise} divides by the standard deviation of {n} scores of the cohort, which "
            "so few leave rough; take 20 other speakers or more"
        )


def _norm(job: Job, features: Features, models: ClaimModels, cohort: Cohort) -> ScoreNorm:
    """The norm of models and cohort, by the cohort's recordings where it asks for their scores."""
    spec = job.experiment.config.section(ScoringSpec)
    if spec.normalise == "none" or spec.normalise not in BY_RECORDINGS:
        return ScoreNorm.of("t")
    tests = features.of_split(spec.cohort)
    # Of the cohort's own models only ZT-norm asks what they score on the cohort.
    scored = replace(models, cohort=cohort) if spec.normalise == "zt" else models
    scored = scored.suited_to(sum(piece.n_rows for _, piece in tests))
    parcels = in_parcels([piece for _, piece in tests], SCORED_AT_ONCE)
    parts = job.console.track(job.map(partial(_score, scored), parcels), len(parcels), "scoring the cohort")
    scores = np.concatenate(list(parts), axis=1)
    if spec.normalise == "zt":
        speakers = np.array([utterance.label(features.corpus.label) for utterance, _ in tests])
        own = np.array(cohort.labels)[:, None] == speakers
        n_models = len(models.labels)
        return ScoreNorm.of("zt", scores[:n_models], cohort=scores[n_models:], own=own)
    return ScoreNorm.of(spec.normalise, scores, top=spec.cohort_top if spec.normalise == "as" else None)


def _score(models: ClassModels, pieces: Sequence[Piece]) -> np.ndarray:
    return models.raw_scores([piece.load() for piece in pieces])
