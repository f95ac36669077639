"""From scores to likelihood ratios: the maps themselves. Their training is ``score_map_training``'s.

A score is whatever a system gives, such as nats per frame; what comes out is the natural logarithm of the likelihood
ratio of the whole utterance, target against non-target. The number of frames does not enter: neighbouring frames are so
alike that a recording twice as long is far from twice the evidence, and the map learns what a mean score is worth at
the lengths it was trained on (``docs/reference/metrics.md`` has what was measured).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from speechgmm.errors import ShapeError
from speechgmm.tasks.classification.spec import DecisionSpec
from speechgmm.tasks.verification.spec import Quality

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Affine:
    """llr = scores . weights + offset: calibration of one system, linear fusion of several."""

    weights: Floats  # (S,) nats per unit of each system's score
    offset: float  # nats
    separated: bool = False  # the training trials were separated perfectly, so that they were smoothed

    def apply(self, scores: ArrayLike) -> Floats:
        """Log-likelihood ratios (N,) in nats of scores (N,) of one system or (N, S) of several.

        Raises:
            ShapeError: Scores of another number of systems.

        >>> Affine(np.array([2.0]), -1.0).apply([0.0, 3.0]).tolist()
        [-1.0, 5.0]
        """
        rows = as_rows(scores)
        if rows.shape[1] != len(self.weights):
            raise ShapeError(
                f"scores of {rows.shape[1]} systems for a map of {len(self.weights)}; expected those of its training"
            )
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
    quality: Quality = "none"  # what the map takes beside the score

    def llrs(self, scores: ArrayLike, cohort_means: ArrayLike | None = None) -> Floats:
        """Log-likelihood ratios (N,) in nats of scores (N,) of claims; ``cohort_means`` as ``map_inputs`` takes them.

        A score of exactly 0 is that of a recording, or of a model, without frames, and its ratio is 1.

        Raises:
            ShapeError: As ``map_inputs``.
        """
        llrs = self.map.apply(map_inputs(scores, cohort_means, self.quality))
        return np.where(np.asarray(scores) == 0, 0.0, llrs)

    def is_unusual(self, n_frames: int) -> bool:
        """Whether an utterance is shorter than half the shortest of training, or longer than twice the longest."""
        return not self.n_frames[0] / 2 <= n_frames <= 2 * self.n_frames[1]


def map_inputs(scores: ArrayLike, cohort_means: ArrayLike | None, quality: Quality) -> Floats:
    """What a map of scores (N,) is applied to: the scores, or (N, 2) with the cohort's mean score on each test.

    With the second, llr = a score + b cohort_mean + c: a quality measure function, linear and learnt together with the
    rest (Mandasari, Saeidi, McLaren & van Leeuwen 2013, Quality measure functions for calibration of speaker
    recognition systems in various duration conditions; theirs is of the duration). Noise makes the cohort's models
    and the background model alike, so that their ratios on a test shrink: that is measured without a label.

    Raises:
        ShapeError: No means of the cohort, where they are needed, or not one for each score.

    >>> map_inputs([1.0, 2.0], [-0.5, -0.25], "cohort").tolist()
    [[1.0, -0.5], [2.0, -0.25]]
    """
    values = np.asarray(scores, dtype=np.float64)
    if quality == "none":
        return values
    means = np.asarray(np.nan if cohort_means is None else cohort_means, dtype=np.float64)
    if means.shape != values.shape:
        raise ShapeError(
            f"cohort means {means.shape if cohort_means is not None else None} for scores {values.shape}; this "
            "calibration takes the cohort's mean score on each test too: were the scores normalised by a cohort?"
        )
    return np.stack([values, means], axis=1)


def as_rows(scores: ArrayLike) -> Floats:
    """Scores (N,) or (N, S) as (N, S). Raises ShapeError where they are neither."""
    values = np.asarray(scores, dtype=np.float64)
    if values.ndim not in (1, 2):
        raise ShapeError(f"scores {values.shape}; expected (N,), or (N, S) of S systems")
    return values[:, None] if values.ndim == 1 else values
