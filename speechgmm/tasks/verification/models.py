"""Class models whose scores of claims are linear in the means, cosines, or normalised by a cohort.

Owns how raw scores of claims become normalised ones. Refuses files.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from speechgmm.errors import DataError
from speechgmm.gmm.full_model import AnyGMM, only_diagonal
from speechgmm.gmm.model import DiagGMM
from speechgmm.tasks.classification.models import ClaimScores, ClassModels, Recordings
from speechgmm.tasks.verification.score_norm import ScoreNorm
from speechgmm.vectors.cosine_scoring import Compensation, CosineStack, check_direction
from speechgmm.vectors.linear_scoring import LinearStack
from speechgmm.vectors.plda_scoring import Enrolled, PldaBackEnd, PldaStack, Vectors

Floats = NDArray[np.float64]
Method = Literal["llr", "linear", "cosine", "plda"]


@dataclass(frozen=True, slots=True, eq=False)
class Cohort:
    """Others than those who are tested or claimed, by whom the scores of claims are normalised."""

    labels: tuple[str, ...]  # of the K others
    models: tuple[DiagGMM, ...]  # K, adapted as the classes are; none where the norm asks for none
    norm: ScoreNorm | None = None  # None: not measured yet
    enrolled: Enrolled | None = None  # plda: the K by their vectors; None where there are none


@dataclass(frozen=True, slots=True, eq=False)
class ClaimModels(ClassModels):
    """One mixture per class, with the background model that claims are scored against, and a cohort.

    Raises:
        DataError: As ``ClassModels``; another method than ``llr`` or a cohort without a background model; such a method
            with models whose weights or variances were adapted; cosines without a compensation; PLDA without a back
            end, or without the vectors that enrolled every model.
        ShapeError: As ``ClassModels``.

    >>> ubm, ann, bob, cy = (DiagGMM([1.0], [[mean]], [[1.0]]) for mean in (0.0, 2.0, 1.0, -1.0))
    >>> cohort = Cohort(("bob", "cy"), (bob, cy), ScoreNorm.of("t"))
    >>> found = ClaimModels(("ann",), (ann,), np.zeros(1), ubm=ubm, cohort=cohort).claim_scores([[[2.0]]])
    >>> found.raw, found.scores.round(4), found.cohort_means
    (array([[2.]]), array([[0.8839]]), array([-0.5]))
    """

    method: Method = "llr"  # of the scores of claims: likelihood ratios, linear in the means, cosines, PLDA
    cohort: Cohort | None = None  # by which the scores of claims are normalised; None: they are raw
    compensation: Compensation | None = None  # cosine: how recordings become points
    back_end: PldaBackEnd | None = None  # plda: how vectors are compared
    enrolled: Enrolled | None = None  # plda: the classes by their vectors
    _vectors: LinearStack | CosineStack | PldaStack | None = field(init=False, repr=False)  # llr: None
    _unadapted: list[bool] = field(init=False, repr=False)  # C, whether a class is the background model: no frames

    def __post_init__(self) -> None:
        if self.ubm is None and (self.method != "llr" or self.cohort is not None):
            raise DataError(
                "claims are scored against a background model, and these models have none; train with model.adapt: map"
            )
        ClassModels.__post_init__(self)
        every = only_diagonal((*self.models, *self._others()), "verification")
        vectors: LinearStack | CosineStack | PldaStack | None = None
        if self.method == "linear" and self.ubm is not None:
            vectors = LinearStack.of(self.ubm, every)
        elif self.method == "cosine" and self.ubm is not None:
            if self.compensation is None:
                raise DataError("cosines of models without a compensation; expected one, of their relevance at least")
            vectors = CosineStack.of(self.ubm, every, self.compensation)
        elif self.method == "plda" and self.ubm is not None:
            vectors = self._plda(self.ubm, len(every))
        object.__setattr__(self, "_vectors", vectors)
        object.__setattr__(
            self, "_unadapted", [self.ubm is not None and _are_same(self.ubm, one) for one in every][: len(self.labels)]
        )

    def _plda(self, ubm: DiagGMM, n_models: int) -> PldaStack:
        """The classes and the cohort's models by the vectors that enrolled them."""
        enrolled = self.enrolled
        if enrolled is not None and self.cohort is not None and self.cohort.enrolled is not None:
            enrolled = enrolled.joined(self.cohort.enrolled)
        if self.back_end is None or enrolled is None or len(enrolled.counts) != n_models:
            raise DataError("PLDA scoring without a back end, or without the vectors that enrolled each model")
        return PldaStack(Vectors.under(ubm, self.back_end.relevance), self.back_end, enrolled)

    def _others(self) -> tuple[DiagGMM, ...]:
        return () if self.cohort is None else self.cohort.models

    def more(self) -> tuple[dict[str, Any], dict[str, Floats]]:
        """What a model file holds beside the classes: the method, and the cohort with its norm (see ``codec``)."""
        header: dict[str, Any] = {} if self.method == "llr" else {"method": self.method}
        tensors: dict[str, Floats] = {}
        if self.compensation is not None:
            header["relevance"] = self.compensation.relevance
            within = self.compensation.within
            for name in () if within is None else ("mean", "directions", "gains"):
                tensors[f"within.{name}"] = getattr(within, name)
        if self.back_end is not None and self.enrolled is not None:
            header["plda"] = {"relevance": self.back_end.relevance, "length_norm": self.back_end.length_norm}
            tensors |= self._plda_tensors(self.back_end, self.enrolled)
        if self.cohort is not None and self.cohort.norm is not None:
            norm = self.cohort.norm
            header["cohort"] = {"labels": list(self.cohort.labels), "norm": norm.kind, "top": norm.top}
            for name in ("weights", "means", "variances") if self.cohort.models else ():
                tensors[f"cohort.{name}"] = np.stack([getattr(model, name) for model in self.cohort.models])
            measured = {"norm.models": norm.by_model, "norm.cohort": norm.by_cohort_model}
            tensors |= {name: statistics for name, statistics in measured.items() if statistics is not None}
        return header, tensors

    def _plda_tensors(self, back_end: PldaBackEnd, enrolled: Enrolled) -> dict[str, Floats]:
        """What a model file holds of PLDA: the back end, and who was enrolled by what."""
        found = {"plda.centre": back_end.centre, **({} if back_end.lda is None else {"plda.lda": back_end.lda})}
        found |= {f"plda.{name}": getattr(back_end.plda, name) for name in ("mean", "transform", "psi")}
        found |= {"enrolled.counts": enrolled.counts, "enrolled.sums": enrolled.sums}
        if self.cohort is not None and self.cohort.enrolled is not None:
            others = self.cohort.enrolled
            found |= {"cohort.enrolled_counts": others.counts, "cohort.enrolled_sums": others.sums}
        return found

    def raw_scores(self, recordings: Sequence[ArrayLike]) -> Floats:
        """Scores by ``method`` of the claims that N recordings, of frames (T, D) each, are of the classes: (C+K, N).

        In nats per frame, of PLDA in nats, cosines without a unit; the rows after the classes are the cohort's models.

        Raises:
            DataError: As ``mean_log_likelihood_ratios``.
        """
        if self._vectors is not None:
            return self._vectors.scores(recordings)
        return ClassModels.raw_scores(self, recordings)

    def claim_scores(self, recordings: Sequence[ArrayLike]) -> ClaimScores:
        """Scores of the claims that N recordings, of frames (T, D) each, are of the classes: raw and normalised.

        Beside them stands how the cohort's models score each recording: the clearer its speech, the further below 0.
        A recording without frames, or a class that was enrolled by none, scores exactly 0: neither for nor against.

        Raises:
            DataError: As ``mean_log_likelihood_ratios``; a cohort whose norm was not measured.
        """
        heard = np.array([np.shape(frames)[0] > 0 for frames in recordings])
        if heard.all() and not any(self._unadapted):
            return self._heard_scores(recordings)
        raw, scores = np.zeros((2, len(self.labels), len(recordings)))
        means = None if self.cohort is None or not self.cohort.models else np.zeros(len(recordings))
        if heard.any():
            found = self._heard_scores([frames for frames, yes in zip(recordings, heard, strict=True) if yes])
            adapted = ~np.array(self._unadapted)
            raw[np.ix_(adapted, heard)], scores[np.ix_(adapted, heard)] = found.raw[adapted], found.scores[adapted]
            if means is not None:
                means[heard] = found.cohort_means
        return ClaimScores(raw, scores, means)

    def _heard_scores(self, recordings: Sequence[ArrayLike]) -> ClaimScores:
        """``claim_scores`` of recordings that have frames."""
        scores = self.raw_scores(recordings)
        raw, others = scores[: len(self.labels)], scores[len(self.labels) :]
        if self.cohort is None:
            return ClaimScores(raw, raw, None)
        if self.cohort.norm is None:
            raise DataError("a cohort without a norm: its recordings were not scored against the models yet")
        return ClaimScores(raw, self.cohort.norm.apply(raw, others), others.mean(axis=0) if len(others) else None)

    @property
    def norm_by_recordings(self) -> str | None:
        """The norm of the scores where it measures every class on recordings of the cohort; None: there is none."""
        norm = None if self.cohort is None else self.cohort.norm
        return None if norm is None or norm.by_model is None else norm.kind

    def _only(self, number: int) -> dict[str, Any]:
        one = {} if self.enrolled is None else {"enrolled": self.enrolled.only(number)}
        if self.cohort is None or self.cohort.norm is None:
            return one
        return {**one, "cohort": replace(self.cohort, norm=self.cohort.norm.only(number))}

    def _measured(
        self, number: int | None, model: AnyGMM, recordings: Recordings, parts: Recordings, keep: float = 1.0
    ) -> dict[str, Any]:
        if self.method in ("cosine", "plda") and model.n_components == 1:
            for n, part in enumerate(parts, 1):
                check_direction(np.asarray(part), f"recording {n} of {len(parts)}")
        every, one = self._enrolled_with(number, parts, keep)
        if self.cohort is None or self.cohort.norm is None or self.norm_by_recordings is None:
            return every
        changed: dict[str, Any] = {
            "labels": ("",),
            "models": (model,),
            "log_priors": np.zeros(1),
            "bayesian": None,
            "cohort": None,
        }
        scores, norm = replace(self, **changed, **one).raw_scores(recordings), self.cohort.norm
        norm = norm.and_of(scores) if number is None else norm.with_other(number, scores)
        return {**every, "cohort": replace(self.cohort, norm=norm)}

    def _enrolled_with(
        self, number: int | None, parts: Recordings, keep: float
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """PLDA: all classes with one that is enrolled or updated by frames (T, D) of recordings, and that one alone."""
        if self.back_end is None or self.enrolled is None or self.ubm is None:
            return {}, {}
        vectors = Vectors.under(self.ubm, self.back_end.relevance).of(parts)
        new = Enrolled.of([self.back_end.apply(vectors)])
        every = self.enrolled.joined(new) if number is None else self.enrolled.updated(number, new, keep)
        return {"enrolled": every}, {"enrolled": every.only(-1 if number is None else number)}


def _are_same(one: DiagGMM, other: DiagGMM) -> bool:
    return all(np.array_equal(getattr(one, name), getattr(other, name)) for name in ("means", "weights", "variances"))
