"""Pieces of sound as points: what each of them moves the means of a background model by.

A piece's statistics under the background model are all that is looked at, from one pass over its frames; those of
two pieces add. Owns the supervectors, their normalisation by what differs within a speaker, and the distances that
come from them. Refuses to look at frames twice, and to say who belongs together.
"""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from functools import partial, reduce
from operator import add

import numpy as np
from numpy.typing import ArrayLike, NDArray

from speechgmm.errors import ConfigError, DataError, ShapeError
from speechgmm.gmm import DiagGMM, GMMStats, Mapper, accumulate, block_size, prepare
from speechgmm.parallel import one_blas_thread

Floats = NDArray[np.float64]

RELEVANCE = 4.0
"""Frames that the background model is worth in each component: pieces are short, and 16 would hide who speaks."""


@one_blas_thread()
def piece_statistics(ubm: DiagGMM, pieces: Sequence[ArrayLike], *, map: Mapper = map) -> list[GMMStats]:
    """The statistics of each piece, frames (T, D), under the background model: one pass, by the kernel that trains.

    A piece's depend on no other piece. ``map`` must keep order.

    Raises:
        ShapeError: A piece that is not (T, D) with the background model's D.
        FitError: A piece without frames, or with a value that is NaN or infinite.

    >>> ubm = DiagGMM([1.0], [[0.0]], [[1.0]])
    >>> [stats.about(0).sums.item() for stats in piece_statistics(ubm, [[[1.0], [2.0]], [[-1.0]]])]
    [3.0, -1.0]
    """
    # Centre and scale are the background model's, as in adaptation: a short piece has no deviation to speak of.
    centre = ubm.centre()
    scale = np.sqrt(ubm.weights @ (ubm.variances + (ubm.means - centre) ** 2))
    return list(map(partial(_statistics, ubm, centre, scale), pieces))


def _statistics(ubm: DiagGMM, centre: Floats, scale: Floats, frames: ArrayLike) -> GMMStats:
    values = np.asarray(frames)
    if values.ndim != 2 or values.shape[1] != ubm.n_features:
        raise ShapeError(
            f"a piece of shape {values.shape} for a background model of {ubm.n_features} dimensions; expected "
            f"(T, {ubm.n_features})"
        )
    size = block_size(max(1, len(values)), ubm.n_features, ubm.n_components)
    batches = prepare(values, centre=centre, scale=scale, block=size)
    return reduce(add, (accumulate(ubm.log_linear(), batch) for batch in batches))


def mean_offsets(ubm: DiagGMM, stats: Sequence[GMMStats], relevance: float = RELEVANCE) -> Floats:
    """What each piece's frames move the means by, (N, K, D), by MAP (Reynolds, Quatieri & Dunn 2000, eqs. 12-13).

    Raises:
        ShapeError: No statistics, or those of a mixture of another size.
        ConfigError: A relevance that is not above 0.

    >>> ubm = DiagGMM([1.0], [[0.0]], [[1.0]])
    >>> mean_offsets(ubm, piece_statistics(ubm, [np.full((4, 1), 2.0)]), relevance=4).ravel()
    array([1.])
    """
    if not (np.isfinite(relevance) and relevance > 0):
        raise ConfigError(f"relevance {relevance:g}; expected a number of frames above 0")
    counts, pulls = _stacked(ubm, stats)
    result: Floats = pulls / (counts + relevance)[:, :, None]
    return result


def supervectors(ubm: DiagGMM, stats: Sequence[GMMStats], relevance: float = RELEVANCE) -> Floats:
    """Each piece as a point (N, K D): the adapted means less the background model's, times sqrt(weight) / deviation.

    The squared distance of two of them is twice the bound on the divergence of the two adapted mixtures, and their
    product is its kernel (Campbell, Sturim & Reynolds 2006, Support vector machines using GMM supervectors for speaker
    verification).

    Raises:
        ShapeError, ConfigError: As ``mean_offsets``.

    >>> ubm = DiagGMM([1.0], [[0.0]], [[4.0]])
    >>> supervectors(ubm, piece_statistics(ubm, [np.full((4, 1), 2.0)]), relevance=4)
    array([[0.5]])
    """
    offsets = mean_offsets(ubm, stats, relevance)
    return (offsets * np.sqrt(ubm.weights[:, None] / ubm.variances)).reshape(len(offsets), -1)


def weight_offsets(ubm: DiagGMM, stats: Sequence[GMMStats], relevance: float = RELEVANCE) -> Floats:
    """What each piece moves the weights by, 2 (sqrt(weight) - sqrt(the background model's)), as points (N, K).

    To second order the squared distance of two of them is twice the divergence of the adapted weights, so that they
    stand beside ``supervectors`` without a factor. The weights are the Dirichlet mode, with ``relevance`` frames for
    each component. For sounds that differ in which components they have at all; what a speaker says moves weights more
    than who speaks.

    Raises:
        ShapeError, ConfigError: As ``mean_offsets``.

    >>> ubm = DiagGMM([0.5, 0.5], [[0.0], [9.0]], [[1.0], [1.0]])
    >>> weight_offsets(ubm, piece_statistics(ubm, [np.zeros((8, 1))]), relevance=4).round(3)
    array([[ 0.318, -0.414]])
    """
    if not (np.isfinite(relevance) and relevance > 0):
        raise ConfigError(f"relevance {relevance:g}; expected a number of frames above 0")
    counts, _ = _stacked(ubm, stats)
    prior = relevance * ubm.n_components
    adapted = (counts + prior * ubm.weights) / (counts.sum(axis=1, keepdims=True) + prior)
    result: Floats = 2 * (np.sqrt(adapted) - np.sqrt(ubm.weights))
    return result


@dataclass(frozen=True, slots=True, eq=False)
class WithinClass:
    """Within-class covariance normalisation: directions in which one speaker's pieces differ count for less.

    W = (1 - smoothing) covariance + smoothing (its mean variance) I, and points become W^-1/2 (x - mean), up to a
    factor that no angle depends on (Hatch, Kajarekar & Stolcke 2006, with their smoothing). Supervectors have
    thousands of dimensions and background pieces number hundreds: what they do not span keeps its length.

    >>> points = np.array([[0.0, 0.0], [2.0, 0.1], [0.0, 1.0], [2.0, 1.1]])
    >>> WithinClass.learn(points, ["a", "a", "b", "b"], smoothing=0.1).apply(points).round(1)
    array([[-0.2, -0.5],
           [ 0.2, -0.5],
           [-0.2,  0.5],
           [ 0.2,  0.5]])
    """

    mean: Floats  # (M,) of all points
    directions: Floats  # (R, M), orthonormal
    gains: Floats  # (R,), above 0 and up to 1: what lengths along each are multiplied by

    @classmethod
    def learn(cls, vectors: ArrayLike, labels: Sequence[Hashable], smoothing: float = 0.1) -> "WithinClass":
        """From points (N, M) of known speakers, two or more of some; ``smoothing`` above 0, up to 1 (no change).

        Raises:
            ShapeError: Points that are not (N, M) with a label each.
            DataError: No speaker has two points that differ; a value that is NaN or infinite.
            ConfigError: A smoothing out of range.
        """
        points = _points(vectors)
        if len(labels) != len(points):
            raise ShapeError(f"{len(points)} points and {len(labels)} labels; expected one each")
        if not 0 < smoothing <= 1:
            raise ConfigError(f"smoothing {smoothing:g}; expected above 0, up to 1")
        speakers = {label: number for number, label in enumerate(dict.fromkeys(labels))}
        numbers = np.array([speakers[label] for label in labels])
        counts = np.bincount(numbers)
        means = np.zeros((len(counts), points.shape[1]))
        np.add.at(means, numbers, points)
        deviations = points - (means / counts[:, None])[numbers]
        _, lengths, directions = np.linalg.svd(deviations, full_matrices=False)
        variances = lengths**2 / len(points)
        kept = variances > 1e-12 * max(float(np.square(points).mean()), 1e-300)
        if not kept.any():
            raise DataError(
                f"{len(points)} points of {len(counts)} speakers, and no speaker has two that differ; what differs "
                "within a speaker is learnt from several pieces of each"
            )
        rest = smoothing * variances.sum() / points.shape[1]  # what remains where no piece says anything
        gains = np.sqrt(rest / ((1 - smoothing) * variances[kept] + rest))
        return cls(points.mean(axis=0), directions[kept], gains)

    def apply(self, vectors: ArrayLike) -> Floats:
        """Normalised points (N, M). Raises ShapeError where they have another dimension."""
        points = _points(vectors)
        if points.shape[1] != len(self.mean):
            raise ShapeError(f"points of {points.shape[1]} dimensions; this normalisation is for {len(self.mean)}")
        centred = points - self.mean
        result: Floats = centred + ((centred @ self.directions.T) * (self.gains - 1)) @ self.directions
        return result


def unit_length(vectors: ArrayLike) -> Floats:
    """Points (N, M) divided by their length; one of length 0 stays.

    >>> unit_length([[3.0, 4.0]])
    array([[0.6, 0.8]])
    """
    points = _points(vectors)
    lengths = np.linalg.norm(points, axis=1, keepdims=True)
    return points / np.where(lengths > 0, lengths, 1.0)


def cosine_distances(vectors: ArrayLike) -> Floats:
    """1 less the cosine between any two points (N, M): (N, N), from 0 to 2.

    A point of length 0 has no direction: its distance to all others is 1.

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


def cross_likelihood_ratios(ubm: DiagGMM, stats: Sequence[GMMStats], relevance: float = RELEVANCE) -> Floats:
    """How much better each of two pieces fits the other's adapted model than the background model: (N, N), nats.

    log p(a | B) / p(a | background), per frame of a, plus the same of b under A (Reynolds, Singer, Carlson, O'Leary,
    McLaughlin & Zissman 1998, Blind clustering of speech utterances, with the background model in the place of the
    pieces' own models). Each log ratio is taken under the background model's posteriors, which needs no second look
    at the frames and bounds it from below (Jensen's inequality). A similarity: above 0 where two pieces help each
    other.

    Raises:
        ShapeError, ConfigError: As ``mean_offsets``.

    >>> ubm = DiagGMM([1.0], [[0.0]], [[1.0]])
    >>> pieces = [np.full((4, 1), 2.0), np.full((4, 1), 2.0), np.full((4, 1), -2.0)]
    >>> cross_likelihood_ratios(ubm, piece_statistics(ubm, pieces), relevance=4)[0].round(3)
    array([ 3.,  3., -5.])
    """
    pulls, masses, offsets = _parts(ubm, stats, relevance)
    per_frame = _gains(ubm, pulls, masses, offsets)
    result: Floats = per_frame + per_frame.T
    return result


def cross_likelihood_ratios_of(
    ubm: DiagGMM, one: GMMStats, others: Sequence[GMMStats], relevance: float = RELEVANCE
) -> Floats:
    """``cross_likelihood_ratios`` of one piece with each of others, (N,) nats.

    Raises:
        ShapeError, ConfigError: As ``mean_offsets``.

    >>> ubm = DiagGMM([1.0], [[0.0]], [[1.0]])
    >>> one, other = piece_statistics(ubm, [np.full((4, 1), 2.0), np.full((4, 1), -2.0)])
    >>> cross_likelihood_ratios_of(ubm, one, [one, other], relevance=4).round(3)
    array([ 3., -5.])
    """
    single, several = _parts(ubm, [one], relevance), _parts(ubm, others, relevance)
    there = _gains(ubm, single[0], single[1], several[2])[0]
    back = _gains(ubm, several[0], several[1], single[2])[:, 0]
    result: Floats = there + back
    return result


def _parts(ubm: DiagGMM, stats: Sequence[GMMStats], relevance: float) -> tuple[Floats, Floats, Floats]:
    """Of each piece, per frame: (F - N mu) / variance, (N, K, D), and N, (N, K); and its offsets, (N, K, D)."""
    counts, pulls = _stacked(ubm, stats)
    frames = np.maximum(counts.sum(axis=1), 1e-12)
    return pulls / ubm.variances / frames[:, None, None], counts / frames[:, None], mean_offsets(ubm, stats, relevance)


def _gains(ubm: DiagGMM, pulls: Floats, masses: Floats, offsets: Floats) -> Floats:
    """What pieces (A) gain per frame by the offsets of others (B), (A, B) nats: log N(x; mu + o) - log N(x; mu) summed,
    o (F - N mu) / variance - N o² / 2 variance.
    """
    linear = pulls.reshape(len(pulls), -1) @ offsets.reshape(len(offsets), -1).T
    result: Floats = linear - 0.5 * masses @ (offsets**2 / ubm.variances).sum(axis=2).T
    return result


def _stacked(ubm: DiagGMM, stats: Sequence[GMMStats]) -> tuple[Floats, Floats]:
    """Counts (N, K), and sums of what frames differ from the background model's means by, (N, K, D)."""
    if not stats:
        raise ShapeError("no pieces; expected at least one")
    for number, one in enumerate(stats):
        if one.sums.shape != ubm.means.shape:
            raise ShapeError(
                f"statistics {number} are of shape {one.sums.shape}, the background model {ubm.means.shape}; were they "
                "taken under another model?"
            )
    pulls = [one.sums - one.counts[:, None] * (ubm.means - one.reference) for one in stats]
    return np.stack([one.counts for one in stats]), np.stack(pulls)


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
