"""PLDA scoring: recordings as vectors, what happens to these, and likelihood ratios of the speakers that enrolled.

With a background model of one component the vector of a recording is the mean of its frames, as given: an x-vector, a
d-vector. With several it is the supervector of cosine scoring. Vectors are centred, projected by an LDA, and
brought to one length (Garcia-Romero & Espy-Wilson 2011, Analysis of i-vector length normalization); then a PLDA says
how much more likely enrolment and test are of one speaker than of two. Refuses files.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from speechgmm.errors import DataError, ShapeError
from speechgmm.gmm.model import DiagGMM
from speechgmm.vectors.cosine_scoring import Compensation, CosineStack, check_direction
from speechgmm.vectors.plda import Plda
from speechgmm.vectors.within_class import unit_length

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Vectors:
    """How recordings become vectors, under a background model."""

    stack: CosineStack

    @classmethod
    def under(cls, ubm: DiagGMM, relevance: float) -> "Vectors":
        """Supervectors by this relevance; with a background model of one component the means of frames."""
        return cls(CosineStack.of(ubm, [ubm], Compensation(relevance)))

    def of(self, recordings: Sequence[ArrayLike]) -> Floats:
        """Vectors (N, M) of N recordings, of frames (T, D) each.

        Raises:
            ShapeError, DataError: As `BackgroundStatistics.of`; a vector of zeros.

        >>> ubm = DiagGMM([1.0], [[0.0, 0.0]], [[4.0, 1.0]])
        >>> Vectors.under(ubm, relevance=4.0).of([[[1.0, 3.0]], [[5.0, 1.0], [7.0, 2.0]]])
        array([[1. , 3. ],
               [6. , 1.5]])
        """
        if len(self.stack.background.centred_means) > 1:
            return self.stack.points(recordings)
        n_dims = self.stack.per_mean.size
        found = np.empty((len(recordings), n_dims))
        for row, frames in zip(found, recordings, strict=True):
            values = np.asarray(frames, np.float64)
            if values.ndim != 2 or values.shape[1] != n_dims or not len(values):
                raise ShapeError(f"frames of shape {values.shape}; expected (T, {n_dims}), at least one")
            check_direction(values)
            row[:] = values.mean(axis=0)
        if not np.isfinite(found).all():
            raise DataError("frames with a value that is NaN or infinite; expected finite numbers")
        return found


@dataclass(frozen=True, slots=True, eq=False)
class PldaBackEnd:
    """What happens to vectors (M,) before they are compared, and the model by which they are.

    Raises:
        ShapeError: A PLDA of another dimension than the vectors have before it.
    """

    relevance: float  # frames that the background model is worth in each component of a supervector
    centre: Floats  # (M,)
    lda: Floats | None  # (M, d); None: vectors stay as they are, and d is M
    length_norm: bool  # whether vectors get the length sqrt(d)
    plda: Plda  # of d dimensions

    def __post_init__(self) -> None:
        if self.lda is not None and len(self.lda) != len(self.centre):
            raise ShapeError(
                f"an LDA of {len(self.lda)} dimensions for vectors of {len(self.centre)}; expected the same"
            )
        n_dims = len(self.centre) if self.lda is None else self.lda.shape[1]
        if n_dims != self.plda.n_dims:
            raise ShapeError(f"a PLDA of {self.plda.n_dims} dimensions for vectors of {n_dims}; expected the same")

    def apply(self, vectors: Floats) -> Floats:
        """Vectors (N, M) as the PLDA compares them, (N, d). Raises ShapeError for another dimension."""
        return prepared(vectors, self.centre, self.lda, self.length_norm)


def prepared(vectors: Floats, centre: Floats, lda: Floats | None, length_norm: bool) -> Floats:
    """Vectors (N, M) centred, projected to (N, d), and of length sqrt(d) where they are to be of one length.

    Raises:
        ShapeError: Vectors of another dimension.

    >>> prepared(np.array([[4.0, 1.0]]), np.array([1.0, 1.0]), None, True).round(3)
    array([[1.414, 0.   ]])
    """
    if vectors.ndim != 2 or vectors.shape[1] != len(centre):
        raise ShapeError(f"vectors of shape {vectors.shape}; expected (N, {len(centre)})")
    found = vectors - centre
    if lda is not None:
        found = found @ lda
    return unit_length(found) * np.sqrt(found.shape[1]) if length_norm else found


@dataclass(frozen=True, slots=True, eq=False)
class Enrolled:
    """By how many vectors each of M speakers was enrolled, and their sums.

    >>> ann = Enrolled.of([np.array([[1.0, 2.0], [3.0, 2.0]])])
    >>> ann.joined(Enrolled.of([np.array([[0.0, 1.0]])])).counts
    array([2., 1.])
    """

    counts: Floats  # (M,), above 0
    sums: Floats  # (M, d)

    @classmethod
    def of(cls, vectors: Sequence[Floats]) -> "Enrolled":
        """Of the vectors (n, d) of each of M speakers."""
        return cls(np.array([len(one) for one in vectors], float), np.stack([one.sum(axis=0) for one in vectors]))

    def only(self, number: int) -> "Enrolled":
        """Of one speaker."""
        return Enrolled(self.counts[[number]], self.sums[[number]])

    def joined(self, others: "Enrolled") -> "Enrolled":
        """These speakers, and then others."""
        return Enrolled(np.append(self.counts, others.counts), np.concatenate([self.sums, others.sums]))

    def updated(self, number: int, more: "Enrolled", keep: float = 1.0) -> "Enrolled":
        """One speaker by ``more`` vectors, beside which the earlier ones count ``keep`` times."""
        counts, sums = self.counts.copy(), self.sums.copy()
        counts[number] = keep * counts[number] + more.counts[0]
        sums[number] = keep * sums[number] + more.sums[0]
        return Enrolled(counts, sums)


@dataclass(frozen=True, slots=True, eq=False)
class PldaStack:
    """M speakers, ready to be compared with recordings."""

    vectors: Vectors
    back_end: PldaBackEnd
    enrolled: Enrolled

    def scores(self, recordings: Sequence[ArrayLike]) -> Floats:
        """Log-likelihood ratios (M, N) in nats of the speakers with N recordings, of frames (T, D) each.

        Raises:
            ShapeError, DataError: As ``Vectors.of``.
        """
        tests = self.back_end.apply(self.vectors.of(recordings))
        means = self.enrolled.sums / self.enrolled.counts[:, None]
        return self.back_end.plda.ratios(self.enrolled.counts, means, tests)
