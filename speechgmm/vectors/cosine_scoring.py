"""Cosine scoring: the angle between the supervectors of a model and of a test recording.

A supervector is what frames move the means of a background model by, (F_kd - N_k mean_kd) / (N_k + relevance), over
sqrt(weight_k variance_kd); under a background model of one component, of vectors that others computed, it is not
divided. What differs within a speaker, learnt from recordings of others, is scaled down or taken away, and lengths say
nothing (Dehak, Dehak, Reynolds, Kenny & Glembek 2010, Cosine similarity scoring without score normalization techniques;
within-class covariance normalisation: Hatch, Kajarekar & Stolcke 2006). Supervectors of models come from their means,
so that several recordings of a class are one sum of statistics. Refuses models whose weights or variances were adapted.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from speechgmm.errors import DataError
from speechgmm.gmm.model import DiagGMM
from speechgmm.vectors.linear_scoring import BackgroundStatistics, check_means_alone
from speechgmm.vectors.within_class import WithinClass, unit_length

Floats = NDArray[np.float64]


ZEROS: Final = (
    "a vector of zeros, which has no direction; expected a vector of a voice (did the program that computed it fail? "
    "compute it again, or leave it out)"
)


def check_direction(vectors: NDArray[np.floating], recording: str = "the recording") -> None:
    """Raise DataError for a recording of vectors (T, D) that are all 0."""
    if not vectors.any():
        raise DataError(f"{recording} is {ZEROS}")


@dataclass(frozen=True, slots=True, eq=False)
class Compensation:
    """How recordings become points: the relevance of their adaptation, and what differs within a speaker."""

    relevance: float  # frames that the background model is worth in each component
    within: WithinClass | None = None  # None: points are left as they are


@dataclass(frozen=True, slots=True, eq=False)
class CosineStack:
    """A background model, and M models by the directions in which they lie from it."""

    background: BackgroundStatistics
    per_mean: Floats  # (K, D): what offsets of means, in the space's units, are multiplied by
    compensation: Compensation
    directions: Floats  # (M, K D), of length 1

    @classmethod
    def of(cls, ubm: DiagGMM, models: Sequence[DiagGMM], compensation: Compensation) -> "CosineStack":
        """Lay out models adapted from ``ubm`` in their means alone.

        Raises:
            ShapeError: A model of another size; a compensation of another dimension.
            DataError: A model with weights or variances of its own.
        """
        check_means_alone(ubm, models, "cosine")
        background = BackgroundStatistics.under(ubm)
        # Vectors of others (one component) keep their proportions: small dimensions of a network's output are no voice.
        deviations = 1.0 if ubm.n_components == 1 else np.sqrt(ubm.weights[:, None] * ubm.variances)
        # A component that EM left without frames has weight 0, and no frame of a recording moves its mean.
        alive = np.broadcast_to(ubm.weights[:, None] > 0, ubm.means.shape)
        per_mean = np.zeros(ubm.means.shape)
        np.divide(background.space.scale, deviations, out=per_mean, where=alive)
        empty = cls(background, per_mean, compensation, np.zeros((0, ubm.means.size)))
        offsets = [((model.means - ubm.means) / background.space.scale * per_mean).ravel() for model in models]
        return cls(background, per_mean, compensation, empty.directions_of(np.stack(offsets)))

    def points(self, recordings: Sequence[ArrayLike]) -> Floats:
        """Supervectors (N, K D) of N recordings, of frames (T, D) each, before what differs within a speaker is scaled.

        Raises:
            ShapeError, DataError: As `BackgroundStatistics.of`; vectors of others that are all 0.
        """
        found = np.empty((len(recordings), self.per_mean.size))
        for row, frames in zip(found, recordings, strict=True):
            if len(self.per_mean) == 1:
                check_direction(np.asarray(frames))
            counts, pulls = self.background.of(frames)
            row[:] = (pulls / (counts + self.compensation.relevance) * self.per_mean).ravel()
        return found

    def directions_of(self, points: Floats) -> Floats:
        """Points (N, K D) after compensation, of length 1."""
        within = self.compensation.within
        return unit_length(points if within is None else within.apply(points))

    def scores(self, recordings: Sequence[ArrayLike]) -> Floats:
        """Cosines (M, N) of the models with N recordings, of frames (T, D) each.

        Raises:
            ShapeError, DataError: As `BackgroundStatistics.of`.

        >>> ubm = DiagGMM([1.0], [[0.0, 0.0]], [[4.0, 1.0]])
        >>> ann = DiagGMM([1.0], [[2.0, 0.0]], [[4.0, 1.0]])
        >>> stack = CosineStack.of(ubm, [ann], Compensation(relevance=4.0))
        >>> stack.scores([[[1.0, 0.0]], [[-3.0, 0.0]], [[2.0, 1.0]]]).round(3)
        array([[ 1.   , -1.   ,  0.894]])
        """
        return self.directions @ self.directions_of(self.points(recordings)).T
