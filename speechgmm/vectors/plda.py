"""PLDA: the two-covariance model of vectors of speakers, and the likelihood ratios of claims.

A vector is x = y + e, with y ~ N(mean, B) the same for all vectors of a speaker and e ~ N(0, W) anew for each (Ioffe
2006, Probabilistic linear discriminant analysis; Brümmer & de Villiers 2010, The speaker partitioning problem). B and
W are simultaneously diagonalised: u = transform (x - mean) has W = I and B = diag(psi), as in Kaldi's ``ivector/plda``.
Owns the model and its ratios (training: `plda_estimation`). Refuses to know what the vectors are of, and files.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from speechgmm.errors import DataError, ShapeError

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Plda:
    """A two-covariance PLDA model of vectors (D,), such as speaker embeddings.

    Parameters
    ----------
    mean
        (D,) mean of all speakers.
    transform
        (D, D) matrix such that u = transform (x - mean) has the identity as within-speaker covariance.
    psi
        (D,) between-speaker variances along the axes of u, 0 or more.

    Raises
    ------
    ShapeError
        Sizes that do not fit each other.
    DataError
        A value that is NaN or infinite, a psi below 0, or a transform that cannot be inverted.

    Examples
    --------
    >>> model = Plda(np.zeros(1), np.eye(1), np.array([4.0]))
    >>> model.ratios([1.0, 9.0], [[2.0], [2.0]], [[2.0], [-2.0]]).round(2)
    array([[ 0.87, -2.69],
           [ 1.15, -5.87]])
    """

    mean: Floats
    transform: Floats
    psi: Floats

    def __post_init__(self) -> None:
        for name in ("mean", "transform", "psi"):
            object.__setattr__(self, name, np.array(getattr(self, name), np.float64))
        n = self.mean.size
        if n == 0 or (self.mean.shape, self.transform.shape, self.psi.shape) != ((n,), (n, n), (n,)):
            raise ShapeError(
                f"a PLDA with mean {self.mean.shape}, transform {self.transform.shape} and psi {self.psi.shape}; "
                "expected (D,), (D, D) and (D,)"
            )
        if not all(np.isfinite(part).all() for part in (self.mean, self.transform, self.psi)):
            raise DataError("a PLDA with a value that is NaN or infinite; expected finite ones")
        if (self.psi < 0).any():
            raise DataError(f"a PLDA with psi {self.psi.min():g}; expected variances, 0 or more")
        if np.linalg.slogdet(self.transform)[0] == 0:
            raise DataError("a PLDA whose transform cannot be inverted; expected linearly independent rows")

    @property
    def n_dims(self) -> int:
        """Dimension D of the vectors."""
        return len(self.mean)

    @property
    def within(self) -> Floats:
        """(D, D) within-speaker covariance W of the vectors."""
        unmixing = np.linalg.inv(self.transform)
        return np.asarray(unmixing @ unmixing.T)

    @property
    def between(self) -> Floats:
        """(D, D) between-speaker covariance B: that of the speakers' means."""
        unmixing = np.linalg.inv(self.transform)
        return np.asarray((unmixing * self.psi) @ unmixing.T)

    def project(self, vectors: ArrayLike) -> Floats:
        """Transformed vectors u = transform (x - mean), (N, D). Raises ShapeError for vectors of another dimension."""
        points = np.asarray(vectors, np.float64)
        if points.ndim != 2 or points.shape[1] != self.n_dims:
            raise ShapeError(f"vectors of shape {points.shape}; this PLDA is for (N, {self.n_dims})")
        return np.asarray((points - self.mean) @ self.transform.T)

    def ratios(self, counts: ArrayLike, means: ArrayLike, tests: ArrayLike) -> Floats:
        """Log-likelihood ratios (M, N) in nats that the speaker of each of N tests is each of M enrolled speakers.

        Parameters
        ----------
        counts
            (M,) numbers of enrolment vectors of each speaker, above 0.
        means
            (M, D) means of the enrolment vectors of each speaker.
        tests
            (N, D) test vectors.

        Returns
        -------
        numpy.ndarray
            (M, N), ln p(test | the speaker's vectors) - ln p(test).

        Raises
        ------
        ShapeError
            Vectors of another dimension; another number of counts than of means.

        Notes
        -----
        Given n enrolment vectors with mean u, a further vector of the speaker has the distribution
        N(n psi / (n psi + 1) u, I + psi / (n psi + 1)). A vector of an unknown speaker has the distribution
        N(0, I + psi) (Kaldi, ``Plda::LogLikelihoodRatio``).

        Examples
        --------
        >>> Plda(np.zeros(1), np.eye(1), np.full(1, 8.0)).ratios([2.0], [[3.0]], [[3.0]]).round(2)
        array([[1.4]])
        """
        n = np.asarray(counts, np.float64)[:, None]
        enrolled, points = self.project(means), self.project(tests)
        if len(n) != len(enrolled):
            raise ShapeError(f"{len(n)} counts and {len(enrolled)} means; expected one each")
        posterior = n * self.psi / (1 + n * self.psi)
        centres, variances = posterior * enrolled, 1 + self.psi / (1 + n * self.psi)
        own = (points**2) @ (1 / variances).T - 2 * points @ (centres / variances).T
        own += (centres**2 / variances + np.log(variances)).sum(axis=1)
        other = ((points**2) / (1 + self.psi) + np.log1p(self.psi)).sum(axis=1)
        return np.asarray(-0.5 * (own - other[:, None]).T)
