"""Pieces of sound as points: what each of them moves the means of a background model by.

A piece's statistics under the background model are all that is looked at, from one pass over its frames; those of
two pieces add. Owns the supervectors, and the ratios that come from statistics. Refuses to look at frames twice, and to
say who belongs together.
"""

from collections.abc import Sequence
from functools import partial, reduce
from operator import add

import numpy as np
from numpy.typing import ArrayLike, NDArray

from speechgmm.errors import ConfigError, ShapeError
from speechgmm.gmm import DiagGMM, GMMStats, Mapper, accumulate, block_size, prepare
from speechgmm.parallel import one_blas_thread

Floats = NDArray[np.float64]

RELEVANCE = 4.0
"""Frames that the background model is worth in each component: pieces are short, and 16 would hide who speaks."""


@one_blas_thread()
def piece_statistics(ubm: DiagGMM, pieces: Sequence[ArrayLike], *, map: Mapper = map) -> list[GMMStats]:
    """Baum-Welch statistics of each piece, an array of frames (T, D), under the background model.

    They are the occupation counts of the components, and the sums of the frames and of their squares in each component
    (``GMMStats``). They come from one pass over the frames, by the same E-step that training uses. The statistics of a
    piece depend on no other piece. ``map`` is called like the built-in ``map`` on the pieces, for example to run them
    in parallel; it must return results in the order of the pieces.

    Raises:
        ShapeError: A piece that is not (T, D) with the background model's D.
        FitError: A piece without frames, or with a value that is NaN or infinite.

    >>> ubm = DiagGMM([1.0], [[0.0]], [[1.0]])
    >>> [stats.about(0).sums.item() for stats in piece_statistics(ubm, [[[1.0], [2.0]], [[-1.0]]])]
    [3.0, -1.0]
    """
    # Centre and scale are the background model's, as in adaptation: the variance of a short piece says little.
    return list(map(partial(_statistics, ubm, ubm.centre(), np.sqrt(ubm.overall_variance())), pieces))


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
    """Shifts (N, K, D) of the means by MAP adaptation to each piece (Reynolds, Quatieri & Dunn 2000, eqs. 12-13).

    ``relevance`` is the relevance factor: how many frames the background model counts for in each component.

    Raises:
        ShapeError: No statistics; statistics under a mixture of another size.
        ConfigError: A relevance that is not above 0.

    >>> ubm = DiagGMM([1.0], [[0.0]], [[1.0]])
    >>> mean_offsets(ubm, piece_statistics(ubm, [np.full((4, 1), 2.0)]), relevance=4).ravel()
    array([1.])
    """
    _check_relevance(relevance)
    counts, pulls = _stacked(ubm, stats)
    result: Floats = pulls / (counts + relevance)[:, :, None]
    return result


def supervectors(ubm: DiagGMM, stats: Sequence[GMMStats], relevance: float = RELEVANCE) -> Floats:
    """Supervectors (N, K D): the adapted means minus those of the background model, times sqrt(weight / variance).

    The squared distance of two supervectors is twice an upper bound of the Kullback-Leibler divergence of the two
    adapted mixtures, and their inner product is the kernel of that bound (Campbell, Sturim & Reynolds 2006, Support
    vector machines using GMM supervectors for speaker verification). ``relevance`` is in frames per component.

    Raises:
        ShapeError: No statistics; statistics under a mixture of another size.
        ConfigError: A relevance that is not above 0.

    >>> ubm = DiagGMM([1.0], [[0.0]], [[4.0]])
    >>> supervectors(ubm, piece_statistics(ubm, [np.full((4, 1), 2.0)]), relevance=4)
    array([[0.5]])
    """
    offsets = mean_offsets(ubm, stats, relevance)
    return (offsets * np.sqrt(ubm.weights[:, None] / ubm.variances)).reshape(len(offsets), -1)


def weight_offsets(ubm: DiagGMM, stats: Sequence[GMMStats], relevance: float = RELEVANCE) -> Floats:
    """Shifts (N, K) of the weights by MAP adaptation: 2 (sqrt(adapted weight) - sqrt(background model's weight)).

    To second order, the squared distance of two rows is twice the divergence of the adapted weights. The rows can
    therefore be appended to ``supervectors`` without a factor. The adapted weights are the mode of a Dirichlet
    posterior, with ``relevance`` frames for each component. They help for sounds, which differ in the components that
    they occupy. They do not help for speakers: the weights depend more on what is said than on who speaks.

    Raises:
        ShapeError: No statistics; statistics under a mixture of another size.
        ConfigError: A relevance that is not above 0.

    >>> ubm = DiagGMM([0.5, 0.5], [[0.0], [9.0]], [[1.0], [1.0]])
    >>> weight_offsets(ubm, piece_statistics(ubm, [np.zeros((8, 1))]), relevance=4).round(3)
    array([[ 0.318, -0.414]])
    """
    _check_relevance(relevance)
    counts, _ = _stacked(ubm, stats)
    prior = relevance * ubm.n_components
    adapted = (counts + prior * ubm.weights) / (counts.sum(axis=1, keepdims=True) + prior)
    result: Floats = 2 * (np.sqrt(adapted) - np.sqrt(ubm.weights))
    return result


def cross_likelihood_ratios(ubm: DiagGMM, stats: Sequence[GMMStats], relevance: float = RELEVANCE) -> Floats:
    """Cross-likelihood ratios (N, N), nats per frame: how well the adapted model of each piece fits every other piece.

    The ratio of pieces a and b, with adapted models A and B, is log p(a | B) / p(a | background) per frame of a, plus
    log p(b | A) / p(b | background) per frame of b (Reynolds, Singer, Carlson, O'Leary, McLaughlin & Zissman 1998,
    Blind clustering of speech utterances, with the background model in the denominators instead of the pieces' own
    models). Both log ratios are computed with the posteriors of the background model. This needs no second pass over
    the frames, and gives a lower bound of the log ratio (Jensen's inequality). The ratio is a similarity: the higher,
    the more alike the pieces; above 0, the adapted models fit better than the background model.

    Raises:
        ShapeError: No statistics; statistics under a mixture of another size.
        ConfigError: A relevance that is not above 0.

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
    """``cross_likelihood_ratios`` (N,) in nats per frame of one piece with each of N other pieces.

    Raises:
        ShapeError: No statistics; statistics under a mixture of another size.
        ConfigError: A relevance that is not above 0.

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


def _check_relevance(relevance: float) -> None:
    if not (np.isfinite(relevance) and relevance > 0):
        raise ConfigError(f"relevance {relevance:g}; expected a number of frames above 0")


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
