"""What differs within a speaker counts for less: points of known speakers say which directions these are.

Owns the normalisation of points, and the angles between them. Refuses to know what the points are of.
"""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from speechgmm.errors import ConfigError, DataError, ShapeError

Floats = NDArray[np.float64]

_SPANNED = 1e-10
"""Of the largest variance: directions with less are rounding."""


@dataclass(frozen=True, slots=True, eq=False)
class WithinClass:
    """Within-class covariance normalisation: directions in which the pieces of one speaker differ count for less.

    With C the within-class covariance, W = (1 - smoothing) C + smoothing (mean variance of C) I. A point x becomes
    W^-1/2 (x - mean), up to a factor on which no angle depends (Hatch, Kajarekar & Stolcke 2006, with their smoothing).
    Supervectors have thousands of dimensions, but there are only hundreds of pieces to learn from: directions that the
    differences of these pieces do not span keep their length.

    >>> points = np.array([[0.0, 0.0], [2.0, 0.1], [0.0, 1.0], [2.0, 1.1]])
    >>> WithinClass.learn(points, ["a", "a", "b", "b"], smoothing=0.1).apply(points).round(1)
    array([[-0.2, -0.5],
           [ 0.2, -0.5],
           [-0.2,  0.5],
           [ 0.2,  0.5]])
    """

    mean: Floats  # (M,) of all points
    directions: Floats  # (R, M), orthonormal
    gains: Floats  # (R,), from 0 to 1: what lengths along each are multiplied by

    @classmethod
    def learn(cls, vectors: ArrayLike, labels: Sequence[Hashable], smoothing: float = 0.1) -> "WithinClass":
        """Learn from points (N, M) of known speakers, some of whom must have two points or more.

        ``smoothing`` is above 0 and at most 1; 1 changes no angle.

        Raises:
            ShapeError: Points that are not (N, M); another number of labels than N.
            DataError: No speaker has two points that differ; a value that is NaN or infinite.
            ConfigError: A smoothing out of range.
        """
        if not 0 < smoothing <= 1:
            raise ConfigError(f"smoothing {smoothing:g}; expected above 0, up to 1")
        points, variances, directions = _deviations(vectors, labels)
        # What remains where no piece says anything; dimensions that have one value are none.
        spread = points.var(axis=0)
        rest = smoothing * variances.sum() / np.count_nonzero(spread > _SPANNED * spread.max())
        kept = variances > 1e-12 * max(float(np.square(points).mean()), 1e-300)
        gains = np.sqrt(rest / ((1 - smoothing) * variances[kept] + rest))
        return cls(points.mean(axis=0), directions[kept], gains)

    @classmethod
    def without(cls, vectors: ArrayLike, labels: Sequence[Hashable], n_directions: int) -> "WithinClass":
        """Nuisance attribute projection: the directions with the largest within-speaker variance are removed.

        It removes ``n_directions`` directions, or all in which the points of a speaker differ if these are fewer
        (Solomonoff, Campbell & Boardman 2005, Advances in channel compensation for SVM speaker recognition).

        Raises:
            ShapeError, DataError: Points or labels that ``learn`` refuses.
            ConfigError: ``n_directions`` below 1.

        >>> points = np.array([[0.0, 0.0], [2.0, 0.1], [0.0, 1.0], [2.0, 1.1]])
        >>> WithinClass.without(points, ["a", "a", "b", "b"], 1).apply(points).round(1)[:, 1]
        array([-0.5, -0.5,  0.5,  0.5])
        """
        if n_directions < 1:
            raise ConfigError(f"{n_directions} directions to take away; expected 1 or more")
        points, variances, directions = _deviations(vectors, labels)
        spanned = int((variances > _SPANNED * variances[0]).sum())
        taken = directions[: min(n_directions, spanned)]
        return cls(points.mean(axis=0), taken, np.zeros(len(taken)))

    def apply(self, vectors: ArrayLike) -> Floats:
        """Normalised points (N, M). Raises ShapeError for points of another dimension."""
        points = _points(vectors)
        if points.shape[1] != len(self.mean):
            raise ShapeError(f"points of {points.shape[1]} dimensions; this normalisation is for {len(self.mean)}")
        centred = points - self.mean
        result: Floats = centred + ((centred @ self.directions.T) * (self.gains - 1)) @ self.directions
        return result


def _deviations(vectors: ArrayLike, labels: Sequence[Hashable]) -> tuple[Floats, Floats, Floats]:
    """Points (N, M), and how they differ within a speaker: variances (R,), descending, along directions (R, M)."""
    points = _points(vectors)
    if len(labels) != len(points):
        raise ShapeError(f"{len(points)} points and {len(labels)} labels; expected one each")
    numbers, counts, means = speaker_means(points, labels)
    deviations = points - means[numbers]
    _, lengths, directions = np.linalg.svd(deviations, full_matrices=False)
    variances: Floats = lengths**2 / len(points)
    if not variances[0] > 1e-12 * max(float(np.square(points).mean()), 1e-300):
        raise DataError(
            f"{len(points)} points of {len(counts)} speakers, and no speaker has two that differ; what differs "
            "within a speaker is learnt from several pieces of each"
        )
    return points, variances, directions


def speaker_means(points: Floats, labels: Sequence[Hashable]) -> tuple[NDArray[np.intp], NDArray[np.intp], Floats]:
    """The speaker (N,) of each point (N, M) as a number, how many points each of S speakers has, (S,), and their means.

    Speakers are numbered in the order of their first points; the means are (S, M).

    >>> numbers, counts, means = speaker_means(np.array([[1.0], [4.0], [3.0]]), ["b", "a", "b"])
    >>> numbers, counts, means.ravel()
    (array([0, 1, 0]), array([2, 1]), array([2., 4.]))
    """
    speakers = {label: number for number, label in enumerate(dict.fromkeys(labels))}
    numbers = np.array([speakers[label] for label in labels], np.intp)
    counts = np.bincount(numbers)
    means = np.zeros((len(counts), points.shape[1]))
    np.add.at(means, numbers, points)
    return numbers, counts, means / counts[:, None]


def unit_length(vectors: ArrayLike) -> Floats:
    """Points (N, M) divided by their length; a point of length 0 stays as it is.

    >>> unit_length([[3.0, 4.0]])
    array([[0.6, 0.8]])
    """
    points = _points(vectors)
    lengths = np.linalg.norm(points, axis=1, keepdims=True)
    return points / np.where(lengths > 0, lengths, 1.0)


def cosine_distances(vectors: ArrayLike) -> Floats:
    """Cosine distances (N, N) of points (N, M): 1 minus the cosine between any two points, from 0 to 2.

    A point of length 0 has no direction; its distance to every other point is 1.

    >>> cosine_distances([[1.0, 0.0], [0.0, 2.0], [-3.0, 0.0]])
    array([[0., 1., 2.],
           [1., 0., 1.],
           [2., 1., 0.]])
    """
    units = unit_length(vectors)
    found = np.minimum(1 - units @ units.T, 2.0)
    found[found < 1e-12] = 0.0  # rounding: two that are alike are at no distance
    np.fill_diagonal(found, 0.0)
    return (found + found.T) / 2


def _points(vectors: ArrayLike) -> Floats:
    points = np.asarray(vectors, dtype=np.float64)
    if points.ndim != 2 or points.size == 0:
        raise ShapeError(f"points of shape {points.shape}; expected (N, M), at least one")
    if not np.isfinite(points).all():
        raise DataError(
            f"point {int(np.argwhere(~np.isfinite(points))[0][0])} has a value that is NaN or infinite; "
            "expected finite ones"
        )
    return points
