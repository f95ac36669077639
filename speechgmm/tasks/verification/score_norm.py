"""Score normalisation: scores of claims on one scale, whoever the model and whatever the recording.

A model, or a recording, that scores high against everybody says little by scoring high once more. So a raw score is
measured by what a cohort of other speakers gets: its recordings against the same model (Z), its models against the same
recording (T), or both. Owns the arithmetic, on matrices of models by tests. Refuses to know who the cohort is, and to
compute a score. Standard deviations are the sample's (divisor n - 1) throughout.
"""

from dataclasses import dataclass, replace
from typing import Final, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from speechgmm.errors import DataError, ShapeError

Floats = NDArray[np.float64]
Kind = Literal["z", "t", "zt", "s", "as"]

BY_RECORDINGS: Final[tuple[Kind, ...]] = ("z", "zt", "s", "as")
"""Norms that need scores of the cohort's recordings against every model."""

BY_MODELS: Final[tuple[Kind, ...]] = ("t", "zt", "s", "as")
"""Norms that need scores of every test against models of the cohort."""

_NO_SPREAD: Final = 1e-12  # of the mean's size: a standard deviation that is rounding


@dataclass(frozen=True, slots=True, eq=False)
class ScoreNorm:
    """How raw scores (M, N) of M models against N tests are normalised.

    With m and d the mean and the standard deviation of s(model, cohort recordings) over recordings, and m' and d'
    those of s(cohort models, test) over cohort models::

        z     (s - m) / d
        t     (s - m') / d'
        zt    Z-norm of s and of s(cohort models, test), each by its own model's m and d; then T-norm of the one by
              the other
        s     half the sum of z and t
        as    the same, with m, d over the ``top`` cohort recordings that score highest against the model, and m', d'
              over the ``top`` cohort models that score highest on the test

    Z and T and both in turn: Auckenthaler, Carey & Lloyd-Thomas 2000, Score normalization for text-independent speaker
    verification systems. S: Kenny 2010, Bayesian speaker verification with heavy-tailed priors; Shum et al. 2010. AS:
    Matejka et al. 2017, Analysis of score normalization in multilingual speaker recognition (their adaptive S-norm1).
    In the last three a recording stands for itself and for the model made of it; here the cohort's recordings score
    against the models and its models, made as the others are, on the tests.

    What depends on models alone is measured once, by ``of``.

    >>> norm = ScoreNorm.of("z", [[0.0, 2.0]])
    >>> norm.apply([[1.0 + 2**0.5]]).round(6)
    array([[1.]])
    """

    kind: Kind
    top: int | None = None  # as: cohort recordings, and cohort models, that count
    by_model: Floats | None = None  # (M, 2) mean and standard deviation of cohort recordings on each model; t: None
    by_cohort_model: Floats | None = None  # zt: (K, 2) the same on each cohort model

    @classmethod
    def of(
        cls,
        kind: Kind,
        recordings: ArrayLike | None = None,
        *,
        cohort: ArrayLike | None = None,
        own: NDArray[np.bool_] | None = None,
        top: int | None = None,
    ) -> "ScoreNorm":
        """Measure what depends on models alone.

        Args:
            kind: Which norm.
            recordings: Raw scores (M, U) of the models against the cohort's recordings; t: None.
            cohort: zt: raw scores (K, U) of the cohort's models against the cohort's recordings.
            own: zt: (K, U), which recordings are of the model's own speaker. They are left out: no impostor made them.
            top: as: how many of the cohort count, the highest scores first.

        Raises:
            DataError: Fewer than two recordings, or than ``top``; recordings that all score the same.
            ShapeError: Scores that are missing, not matrices, or of different numbers of recordings.

        >>> ScoreNorm.of("zt", [[0.0, 2.0]], cohort=[[5.0, 1.0, 3.0]], own=np.array([[True, False, False]]))
        Traceback (most recent call last):
        speechgmm.errors.ShapeError: models scored against 2 cohort recordings, and cohort models against 3; ...
        """
        if kind == "t":
            return cls(kind)
        against = _matrix(recordings, "the models against the cohort's recordings")
        by_model = _statistics(against, top)
        if kind != "zt":
            return cls(kind, top, by_model)
        among = _matrix(cohort, "the cohort's models against its recordings")
        if among.shape[1] != against.shape[1]:
            raise ShapeError(
                f"models scored against {against.shape[1]} cohort recordings, and cohort models against "
                f"{among.shape[1]}; expected the same recordings"
            )
        return cls(kind, None, by_model, _statistics(np.where(own, np.nan, among) if own is not None else among))

    def apply(self, scores: ArrayLike, cohort: ArrayLike | None = None) -> Floats:
        """Normalised scores (M, N) of raw ones (M, N); ``cohort`` (K, N): those of the cohort's models on these tests.

        Raises:
            DataError: Fewer than two cohort models, or than ``top``; cohort models that all score the same on a test.
            ShapeError: Scores that do not fit each other or the models that were measured.

        >>> ScoreNorm.of("t").apply([[3.0]], [[0.0], [2.0]]).round(6)
        array([[1.414214]])
        """
        raw = _matrix(scores, "the models against the tests")
        if self.by_model is not None and len(raw) != len(self.by_model):
            raise ShapeError(
                f"scores of {len(raw)} models for a norm of {len(self.by_model)}; expected the same models"
            )
        if self.kind == "z":
            return _standard(raw, self.by_model)
        among = _matrix(cohort, "the cohort's models against the tests")
        if among.shape[1] != raw.shape[1]:
            raise ShapeError(
                f"scores of {raw.shape[1]} tests, and of cohort models on {among.shape[1]}; expected the same tests"
            )
        if self.kind == "zt":
            if self.by_cohort_model is None or len(among) != len(self.by_cohort_model):
                raise ShapeError(
                    f"scores of {len(among)} cohort models, and others or none were measured; expected the same models"
                )
            raw, among = _standard(raw, self.by_model), _standard(among, self.by_cohort_model)
        by_test = _statistics(among.T, self.top)
        t_normed = _standard(raw.T, by_test).T
        return t_normed if self.kind in ("t", "zt") else (_standard(raw, self.by_model) + t_normed) / 2

    def and_of(self, recordings: ArrayLike) -> "ScoreNorm":
        """The norm with one more model, whose raw scores against the cohort's recordings are (1, U).

        Raises:
            DataError, ShapeError: As ``of``.

        >>> ScoreNorm.of("z", [[0.0, 2.0]]).and_of([[1.0, 5.0]]).by_model.round(3).tolist()
        [[1.0, 1.414], [3.0, 2.828]]
        """
        if self.by_model is None:
            return self
        more = _statistics(_matrix(recordings, "the new model against the cohort's recordings"), self.top)
        return replace(self, by_model=np.concatenate([self.by_model, more]))

    def with_other(self, number: int, recordings: ArrayLike) -> "ScoreNorm":
        """The norm with one of the models replaced by another, whose raw scores against the cohort are (1, U).

        Raises:
            DataError, ShapeError: As ``of``.

        >>> ScoreNorm.of("z", [[0.0, 2.0], [7.0, 9.0]]).with_other(1, [[1.0, 5.0]]).by_model[:, 0].tolist()
        [1.0, 3.0]
        """
        if self.by_model is None:
            return self
        statistics = self.by_model.copy()
        statistics[number] = replace(self, by_model=statistics[:0]).and_of(recordings).by_model
        return replace(self, by_model=statistics)

    def only(self, number: int) -> "ScoreNorm":
        """The norm of one of the models by itself."""
        return self if self.by_model is None else replace(self, by_model=self.by_model[number : number + 1])


def _standard(scores: Floats, statistics: Floats | None) -> Floats:
    """(rows, columns) less the mean, over the standard deviation, of each row."""
    if statistics is None:
        raise ShapeError("a norm without statistics of the models; make it with ScoreNorm.of")
    return (scores - statistics[:, :1]) / statistics[:, 1:]


def _statistics(scores: Floats, top: int | None = None) -> Floats:
    """(rows, 2) mean and standard deviation of each row without NaN; of its ``top`` highest where there is a number."""
    n_cohort = scores.shape[1]
    least = max(2, top or 2)
    if n_cohort < least:
        raise DataError(
            f"a cohort of {n_cohort} where {least} are needed: "
            + (
                "the adaptive norm takes that many of the highest scores"
                if top
                else "one score has no standard deviation"
            )
        )
    if top is not None and top < n_cohort:
        scores = np.partition(scores, n_cohort - top, axis=1)[:, n_cohort - top :]
    there = ~np.isnan(scores)
    counts = there.sum(axis=1)
    if (counts < 2).any():
        row = int((counts < 2).argmax())
        raise DataError(
            f"{counts[row]} cohort recordings are of others than the speaker of cohort model {row}; two are needed"
        )
    filled = np.where(there, scores, 0.0)
    means = filled.sum(axis=1) / counts
    deviations = np.sqrt(((filled - means[:, None]) ** 2 * there).sum(axis=1) / (counts - 1))
    flat = ~(deviations > _NO_SPREAD * np.maximum(1.0, np.abs(means)))
    if flat.any():
        row = int(flat.argmax())
        raise DataError(
            f"the cohort's scores against model or test {row} are all {means[row]:g}, or not numbers; a norm divides "
            "by their standard deviation: are recordings of the cohort copies of each other?"
        )
    return np.stack([means, deviations], axis=1)


def _matrix(scores: ArrayLike | None, what: str) -> Floats:
    values = np.asarray(np.nan if scores is None else scores, dtype=np.float64)
    if values.ndim != 2:
        raise ShapeError(f"scores of {what} are missing or of shape {values.shape}; expected a matrix")
    return values
