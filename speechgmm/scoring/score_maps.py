"""From scores to likelihood ratios: the maps themselves. Their training is ``calibration``'s.

A score is whatever a system gives, such as nats per frame; what comes out is the natural logarithm of the likelihood
ratio of the whole utterance, target against nontarget. The number of frames does not enter: neighbouring frames are so
alike that a recording twice as long is far from twice the evidence, and the map learns what a mean score is worth at
the lengths it was trained on (``docs/metrics.md`` has what was measured).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from speechgmm.errors import ShapeError
from speechgmm.scoring.decision_spec import DecisionSpec

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Affine:
    """llr = scores . weights + offset: calibration of one system, linear fusion of several."""

    weights: Floats  # (S,) nats per unit of each system's score
    offset: float  # nats
    separated: bool = False  # the training trials were separated perfectly, and smoothed

    def apply(self, scores: ArrayLike) -> Floats:
        """Log-likelihood ratios (N,) in nats of scores (N,) of one system or (N, S) of several.

        Raises:
            ShapeError: Scores of another number of systems.

        >>> Affine(np.array([2.0]), -1.0).apply([0.0, 3.0]).tolist()
        [-1.0, 5.0]
        """
        rows = as_rows(scores)
        if rows.shape[1] != len(self.weights):
            raise ShapeError(f"scores of {rows.shape[1]} systems for a map of {len(self.weights)}")
        llrs: Floats = rows @ self.weights + self.offset
        return llrs


@dataclass(frozen=True, slots=True)
class Pav:
    """The increasing map that PAV found: constant within a block, straight from one block to the next."""

    scores: Floats  # (B,) increasing
    llrs: Floats  # (B,) never falling, nats

    def apply(self, scores: ArrayLike) -> Floats:
        """Log-likelihood ratios (N,) in nats of the scores (N,); beyond the outermost blocks, theirs.

        >>> Pav(np.array([0.0, 1.0]), np.array([-2.0, 2.0])).apply([-9.0, 0.5, 9.0]).tolist()
        [-2.0, 0.0, 2.0]
        """
        llrs: Floats = np.interp(np.asarray(scores, dtype=np.float64), self.scores, self.llrs)
        return llrs


ScoreMap = Affine | Pav


@dataclass(frozen=True, slots=True)
class Calibration:
    """A map with what a model file says of it: where it comes from, and what is decided by it."""

    map: ScoreMap
    threshold: float  # nats; claims are accepted from this ratio on
    decision: DecisionSpec  # the prior and costs that make it
    by: str  # what it was trained on: the trials of the test by folds, or the split dev
    n_targets: int
    n_nontargets: int
    n_frames: tuple[int, int]  # of the shortest and the longest test utterance it was trained on

    def strange(self, n_frames: int) -> bool:
        """Whether an utterance is shorter than half the shortest of training, or longer than twice the longest."""
        return not self.n_frames[0] / 2 <= n_frames <= 2 * self.n_frames[1]


def as_rows(scores: ArrayLike) -> Floats:
    """Scores (N,) or (N, S) as (N, S). Raises ShapeError where they are neither."""
    values = np.asarray(scores, dtype=np.float64)
    if values.ndim not in (1, 2):
        raise ShapeError(f"scores {values.shape}; expected (N,), or (N, S) of S systems")
    return values[:, None] if values.ndim == 1 else values
