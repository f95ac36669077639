"""Pieces of sound in, clusters out: one call for arrays of frames.

Owns the order of things: what the channel adds is taken away, the background model comes or is made, pieces become
statistics, and those clusters (``methods``). Refuses to read recordings.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from speechgmm.clustering.agglomerative import check_number
from speechgmm.clustering.bic import GaussianStats
from speechgmm.clustering.methods import (
    Choice,
    Gaussians,
    Kind,
    Method,
    PieceClusters,
    check_choice,
    cluster_summaries,
    default_threshold,
    middle_of,
)
from speechgmm.errors import DataError, ShapeError
from speechgmm.gmm import DiagGMM, Mapper, fit_gmm
from speechgmm.keywords import own_keywords
from speechgmm.vectors.supervectors import piece_statistics
from speechgmm.vectors.within_class import WithinClass

Floats = NDArray[np.float64]

FRAMES_PER_COMPONENT: Final = 200
"""Of a background model that is trained on the pieces themselves, at least; it has 2 to 64 components."""


@own_keywords
def cluster_pieces(
    pieces: Sequence[ArrayLike],
    *,
    ubm: DiagGMM | None = None,
    method: Method = "cosine",
    n_clusters: int | None = None,
    threshold: float | None = None,
    kind: Kind = "speakers",
    relevance: float | None = None,
    within: WithinClass | None = None,
    seed: int = 0,
    map: Mapper = map,
) -> PieceClusters:
    """Cluster pieces of sound, each an array of frames (T, D), by speaker or by kind of sound.

    The number of clusters is estimated unless ``n_clusters`` is given.

    >>> rng = np.random.default_rng(0)
    >>> pieces = [rng.normal(place, 1, size=(300, 2)) for place in (0, 5, 0, 5)]
    >>> cluster_pieces(pieces, kind="sounds").labels
    array([0, 1, 0, 1])

    Parameters
    ----------
    pieces
        Frames of some seconds each, of one speaker or one sound.
    ubm
        The background model; None: a background model is trained on the pieces themselves.
    method
        ``cosine``: average linkage of the cosine distances of supervectors. ``ratio``: merging by cross-likelihood
        ratios, where the statistics of merged pieces add up. ``bic``: merging by the BIC of Gaussians with full
        covariance. ``spectral``: spectral clustering with the distances of ``cosine`` (extra ``clustering``).
    n_clusters
        Number of clusters; None: merging stops at ``threshold``, or the eigengap gives the number (``spectral``).
    threshold
        Distance at which merging stops; for ``spectral``, the distance beyond which pieces count as different. It is a
        cosine distance (``cosine``, ``spectral``), minus a ratio in nats per frame (``ratio``), or a BIC in nats
        (``bic``). None: the default of the method, chosen on LibriSpeech.
    kind
        ``speakers``: the mean of each piece is moved to that of the background model (or to 0), because it depends
        mostly on the channel, and only adapted means are compared. ``sounds``: the mean stays, and adapted weights are
        compared beside the means, because sounds differ in which spectra they contain.
    relevance
        Relevance factor of the adaptation, in frames per component; None: 4, for ``ratio`` 16.
    within
        Within-speaker variation, learnt from other speakers under the same background model.
    seed
        Seed for training the background model.
    map
        Called like the built-in ``map`` on the pieces, for example to run them in parallel; it must return results in
        the order of the pieces.

    Raises
    ------
    ConfigError
        An unknown method; an argument that the method does not use; scikit-learn is needed but not installed.
    DataError
        No pieces; fewer of them than clusters.
    ShapeError, FitError
        Pieces that cannot be used.
    """
    check_choice(method, kind, n_clusters, threshold, relevance, within)
    if not pieces:
        raise DataError("no pieces to cluster; expected at least one")
    if n_clusters is not None:
        check_number(len(pieces), n_clusters)
    values = [_frames(number, piece) for number, piece in enumerate(pieces)]
    if kind == "speakers":
        values = [frames - frames.mean(axis=0) for frames in values]
    background = _own_ubm(values, seed, map) if ubm is None else ubm
    if ubm is not None and kind == "speakers":
        middle = middle_of(ubm, values[0])
        values = [frames + middle for frames in values]
    stats = piece_statistics(background, values, map=map)
    gaussians = None
    if method == "bic":
        gaussians = Gaussians([GaussianStats.of(frames) for frames in values], np.concatenate(values).var(axis=0))
    stop = threshold
    if stop is None and n_clusters is None:
        stop = default_threshold(method, kind, own_ubm=ubm is None)
    choice = Choice(method, n_clusters, stop, kind, relevance)
    found = cluster_summaries(background, stats, choice, gaussians=gaussians, within=within)
    return replace(found, own_ubm=ubm is None)


def own_background(pieces: Sequence[ArrayLike], kind: Kind, *, seed: int = 0, map: Mapper = map) -> DiagGMM:
    """A background model of the pieces themselves, where there is no other: 2 to 64 Gaussians, by their frames.

    Raises
    ------
    DataError, ShapeError, FitError
        Pieces that cannot be used.
    """
    values = [_frames(number, piece) for number, piece in enumerate(pieces)]
    return _own_ubm([x - x.mean(axis=0) for x in values] if kind == "speakers" else values, seed, map)


def own_components(n_frames: int) -> int:
    """Components of a background model that is trained on so many frames of the pieces themselves.

    >>> own_components(500), own_components(13_000), own_components(10**6)
    (2, 64, 64)
    """
    return int(np.clip(2 ** int(np.log2(max(1, n_frames / FRAMES_PER_COMPONENT))), 2, 64))


def _own_ubm(pieces: Sequence[Floats], seed: int, map: Mapper) -> DiagGMM:
    frames = np.concatenate(pieces)
    model: DiagGMM = fit_gmm(frames, own_components(len(frames)), seed=seed, map=map).model
    return model


def _frames(number: int, piece: ArrayLike) -> Floats:
    frames = np.asarray(piece, dtype=np.float64)
    if frames.ndim != 2 or frames.size == 0:
        raise ShapeError(f"piece {number} is of shape {frames.shape}; expected frames (T, D), at least one")
    if not np.isfinite(frames).all():
        raise DataError(f"piece {number} has a value that is NaN or infinite; expected finite frames")
    return frames
