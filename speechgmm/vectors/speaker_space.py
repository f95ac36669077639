"""Where speakers differ: supervectors in few dimensions, in which what differs within a speaker is noise of variance 1.

Within-class normalisation, and then the directions along which the means of speakers vary most, is the two-covariance
model: x = y + e with y ~ N(0, B) for the speaker and e ~ N(0, I) for the window, B diagonal. Whether two sets of
windows are one speaker's is then a ratio of evidences in closed form, and evidences need only the number of windows
and their sum. Owns the space and the evidences; knows no time.
"""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from speechgmm.errors import ConfigError, DataError, ShapeError
from speechgmm.vectors.within_class import speaker_means

Floats = NDArray[np.float64]

_SPANNED: Final = 1e-6
"""Of the largest variance: directions with less are rounding."""


@dataclass(frozen=True, slots=True, eq=False)
class SpeakerSpace:
    """A projection of supervectors (M,) to d directions, and the between-speaker variance along each direction.

    The model is the two-covariance model (Brümmer & de Villiers 2010, The speaker partitioning problem, section 3).
    Both covariances are diagonalised: the within-speaker covariance W is I, and the between-speaker covariance B is a
    vector of variances.
    """

    mean: Floats  # (M,)
    matrix: Floats  # (M, d)
    between: Floats  # (d,) variances of speakers' means, descending, 0 or more; within a speaker it is 1

    @classmethod
    def learn(
        cls, vectors: ArrayLike, labels: Sequence[Hashable], *, n_dims: int, n_components: int, smoothing: float
    ) -> "SpeakerSpace":
        """Learn the space from supervectors (N, M) of known speakers, several of each speaker.

        Args:
            vectors: One row per window.
            labels: The speaker of each window.
            n_dims: Number d of directions to keep, at most.
            n_components: Number of principal components to which the supervectors are reduced first.
            smoothing: Share of the mean within-class variance that is added to each variance (Hatch, Kajarekar &
                Stolcke 2006, eq. 12).

        Raises:
            ShapeError: Vectors that are not (N, M); another number of labels than N.
            DataError: Fewer than two speakers; no speaker whose vectors differ; NaN.
            ConfigError: ``n_dims``, ``n_components`` or ``smoothing`` out of range.

        >>> rng = np.random.default_rng(0)
        >>> speakers = np.repeat(np.arange(20), 30)
        >>> vectors = rng.normal(size=(20, 3))[speakers] * [3, 0, 0] + rng.normal(size=(600, 3))
        >>> space = SpeakerSpace.learn(vectors, speakers, n_dims=2, n_components=3, smoothing=0.0)
        >>> space.between.round(0)
        array([13.,  0.])
        """
        points = np.asarray(vectors, np.float64)
        if points.ndim != 2 or len(labels) != len(points):
            raise ShapeError(f"vectors of shape {points.shape} with {len(labels)} labels; expected (N, M), one each")
        if n_dims < 1 or n_components < 1 or not 0 <= smoothing < np.inf:
            raise ConfigError(
                f"n_dims {n_dims}, n_components {n_components}, smoothing {smoothing:g}; expected 1 or more, 1 or more "
                "and 0 or more"
            )
        if not np.isfinite(points).all():
            raise DataError("a supervector has a value that is NaN or infinite; expected finite ones")
        n_speakers = len(set(labels))
        if n_speakers < 2:
            raise DataError(f"{n_speakers} speaker; how speakers differ is learnt from two or more")
        mean = points.mean(axis=0)
        centred = points - mean
        _, lengths, directions = np.linalg.svd(centred, full_matrices=False)
        spanned = int((lengths**2 > _SPANNED * max(lengths[0] ** 2, 1e-300)).sum())
        components = directions[: max(1, min(n_components, spanned))].T
        reduced = centred @ components
        numbers, _, means = speaker_means(reduced, labels)
        deviations = reduced - means[numbers]
        within = deviations.T @ deviations / len(points)
        typical = np.trace(within) / len(within)
        if not typical > 0:
            raise DataError("no speaker has two windows that differ; give several seconds of each speaker")
        # A floor for directions that hardly vary within a speaker, so that none is divided by next to nothing.
        within += (smoothing + _SPANNED) * typical * np.eye(len(within))
        variances, axes = np.linalg.eigh(within)
        whitening = axes / np.sqrt(variances)
        between, turn = np.linalg.eigh(np.atleast_2d(np.cov((means @ whitening).T)))
        kept = np.argsort(between, kind="stable")[::-1][:n_dims]
        # Which way an axis points is nobody's choice: the largest entry is made positive, for the same file anywhere.
        matrix = components @ whitening @ turn[:, kept]
        matrix *= np.sign(matrix[np.abs(matrix).argmax(axis=0), np.arange(len(kept))])
        return cls(mean, matrix, np.maximum(between[kept], 0.0))

    def apply(self, vectors: ArrayLike) -> Floats:
        """Supervectors (N, M) projected to points (N, d). Raises ShapeError for supervectors of another dimension."""
        points = np.asarray(vectors, np.float64)
        if points.ndim != 2 or points.shape[1] != len(self.mean):
            raise ShapeError(f"vectors of shape {points.shape}; this space is for (N, {len(self.mean)})")
        found: Floats = (points - self.mean) @ self.matrix
        return found


@dataclass(frozen=True, slots=True, eq=False)
class Evidence:
    """What is known of a speaker: the number of independent windows, and the sum of their points in the speaker space.

    The sum of two ``Evidence`` objects is the evidence of all windows of both, taken as one speaker.

    >>> one, more = (Evidence(n, np.array([total]), np.ones(1)) for n, total in ((2.0, 1.0), (3.0, 4.0)))
    >>> (one + more).n
    5.0
    """

    n: float  # independent windows, above 0
    total: Floats  # (d,)
    between: Floats = field(repr=False)  # (d,) of the space
    log_ratio: float = field(init=False, default=0.0)  # ln p(windows | one speaker) - ln p(windows | a speaker each 0)

    def __post_init__(self) -> None:
        # With W = I: p(x_1..x_n) / prod N(x_i; 0, I) = prod_d (1 + n b)^-1/2 exp(b s² / 2 (1 + n b)).
        grown = 1 + self.n * self.between
        value = 0.5 * float((self.between * self.total**2 / grown - np.log(grown)).sum())
        object.__setattr__(self, "log_ratio", value)

    def __add__(self, other: "Evidence") -> "Evidence":
        return Evidence(self.n + other.n, self.total + other.total, self.between)

    def predictive(self, points: Floats) -> Floats:
        """Log density (N,), in nats, of points (N, d) as further windows of this speaker, without -(d / 2) ln 2 pi."""
        grown = 1 + self.n * self.between
        centre, variance = self.between * self.total / grown, 1 + self.between / grown
        found: Floats = -0.5 * ((points - centre) ** 2 / variance + np.log(variance)).sum(axis=1)
        return found


def same_speaker_ratios(one: Evidence, others: Sequence[Evidence]) -> Floats:
    """Log-likelihood ratios (N,) in nats that ``one`` and each of N ``others`` are the same speaker.

    The ratio is ln p(both | one speaker) - ln p(both | two speakers) (Brümmer & de Villiers 2010, eqs. 9-13). It is
    above 0 where the windows of both fit one speaker better than two.

    >>> b = np.array([4.0])
    >>> near, far = Evidence(3.0, np.array([6.0]), b), Evidence(3.0, np.array([-6.0]), b)
    >>> same_speaker_ratios(near, [near, far]).round(2)
    array([  1.4 , -10.12])
    """
    return np.array([(one + other).log_ratio - one.log_ratio - other.log_ratio for other in others])
