"""Linear scoring: the log-likelihood ratio to first order in how far a model's means are from the background model's.

score = sum over components k and dimensions d of (mean_kd - ubm_kd) / variance_kd (F_kd - N_k ubm_kd) / frames, with
N and F the zeroth and first order statistics of the test under the background model (Glembek, Burget, Dehak, Brümmer &
Kenny 2009, Comparison of scoring methods used in speaker recognition with joint factor analysis; here without a term
for the channel). Models become rows and tests columns: all scores are one product, and a frame is looked at under the
background model alone. Refuses models whose weights or variances were adapted.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from speechgmm.errors import DataError, ShapeError
from speechgmm.gmm.layout import Block
from speechgmm.gmm.likelihoods import Space, check_dimensions, frame_blocks, precision_for
from speechgmm.gmm.model import DiagGMM

Floats = NDArray[np.float64]


def check_means_alone(ubm: DiagGMM, models: Sequence[DiagGMM], scoring: str) -> None:
    """Refuse models that are not ``ubm`` with other means.

    Raises:
        ShapeError: A model of another size.
        DataError: A model with weights or variances of its own, which this ``scoring`` does not look at.
    """
    for number, model in enumerate(models):
        if model.means.shape != ubm.means.shape:
            raise ShapeError(
                f"model {number} has means {model.means.shape}, the background model {ubm.means.shape}; expected "
                "models adapted from it"
            )
        if (model.variances != ubm.variances).any() or (model.weights != ubm.weights).any():
            raise DataError(
                f"model {number} has weights or variances of its own, which {scoring} scoring does not look at; adapt "
                "means alone (model.adapt_parameters: [means])"
            )


@dataclass(frozen=True, slots=True, eq=False)
class BackgroundStatistics:
    """The statistics of recordings under a background model, in numpy alone: scoring waits for no compiler."""

    factors: Block  # (K, 2D+1), of the background model
    centred_means: Floats  # (K, D), the background model's, in the space's units
    space: Space

    @classmethod
    def under(cls, ubm: DiagGMM) -> "BackgroundStatistics":
        """Ready for frames."""
        space = Space.of([ubm])
        exact = space.factors(ubm.log_linear(space.centre))
        return cls(exact.astype(precision_for(exact)), (ubm.means - space.centre) / space.scale, space)

    def of(self, frames: ArrayLike) -> tuple[Floats, Floats]:
        """Counts (K, 1) of frames (T, D), and sums (K, D) of their differences from the means, in the space's units.

        Raises:
            ShapeError: Frames that are not (T, D) with the background model's D.
            DataError: No frames, or one with a value that is NaN or infinite.
        """
        values = check_dimensions(frames, len(self.space.centre))
        if len(values) == 0:
            raise DataError("no frames to score; expected at least one: is the recording shorter than a frame?")
        n_features = len(self.space.centre)
        counts, sums = np.zeros((len(self.factors), 1)), np.zeros(self.centred_means.shape)
        for part in frame_blocks(len(values), len(self.factors)):
            with np.errstate(over="ignore", invalid="ignore"):
                columns = self.space.columns(values[part], self.factors.dtype)
                posteriors = self.factors @ columns
                posteriors -= posteriors.max(axis=0)
                np.exp(np.maximum(posteriors, -80, out=posteriors), out=posteriors)
                posteriors /= posteriors.sum(axis=0)
                found = posteriors @ columns.T
            counts += found[:, -1:]
            sums += found[:, :n_features]
        pulls: Floats = sums - counts * self.centred_means
        if not np.isfinite(pulls).all():
            raise DataError("frames with a value that is NaN, infinite or out of range; expected finite numbers")
        return counts, pulls


@dataclass(frozen=True, slots=True, eq=False)
class LinearStack:
    """A background model, and M models by their offsets from it."""

    background: BackgroundStatistics
    offsets: Floats  # (M, K D), means less the background model's, over the variance, in the space's units

    @classmethod
    def of(cls, ubm: DiagGMM, models: Sequence[DiagGMM]) -> "LinearStack":
        """Lay out models adapted from ``ubm`` in their means alone.

        Raises:
            ShapeError, DataError: As `check_means_alone`.
        """
        check_means_alone(ubm, models, "linear")
        background = BackgroundStatistics.under(ubm)
        precision = background.space.scale / ubm.variances  # one scale of it is the means', the other the statistics'
        return cls(background, np.stack([((model.means - ubm.means) * precision).ravel() for model in models]))

    def statistics(self, frames: ArrayLike) -> Floats:
        """Centred first order statistics of frames (T, D) over their number: (K D,), in the space's units.

        Raises:
            ShapeError, DataError: As `BackgroundStatistics.of`.
        """
        _, pulls = self.background.of(frames)
        result: Floats = (pulls / len(np.asarray(frames))).ravel()
        return result

    def scores(self, recordings: Sequence[ArrayLike]) -> Floats:
        """Scores (M, N) of the models against N recordings, each of frames (T, D), in nats per frame.

        Raises:
            ShapeError, DataError: As ``statistics``.

        >>> ubm = DiagGMM([1.0], [[0.0]], [[4.0]])
        >>> LinearStack.of(ubm, [DiagGMM([1.0], [[2.0]], [[4.0]])]).scores([[[3.0], [1.0]], [[-1.0]]])
        array([[ 1. , -0.5]])
        """
        return self.offsets @ np.stack([self.statistics(frames) for frames in recordings], axis=1)
