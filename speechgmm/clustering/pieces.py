"""Pieces of sound in, clusters out: one call for arrays of frames.

Owns the order of things: what the channel adds is taken away, the background model comes or is made, pieces become
points, distances and clusters. Every method is measured by the same yardstick afterwards, the silhouettes of cosine
distances between supervectors. Refuses to read recordings.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from speechgmm.clustering.agglomerative import Clustering, check_number, link, merge
from speechgmm.clustering.bic import GaussianStats, delta_bic
from speechgmm.clustering.spectral import spectral
from speechgmm.errors import ConfigError, DataError, ShapeError
from speechgmm.evaluation import silhouettes
from speechgmm.gmm import DiagGMM, GMMStats, Mapper, fit_gmm
from speechgmm.vectors.supervectors import (
    RELEVANCE,
    WithinClass,
    cosine_distances,
    cross_likelihood_ratios_of,
    piece_statistics,
    supervectors,
    weight_offsets,
)

Floats = NDArray[np.float64]
Method = Literal["cosine", "ratio", "bic", "spectral"]
Kind = Literal["speakers", "sounds"]

METHODS: Final[tuple[Method, ...]] = ("cosine", "ratio", "bic", "spectral")

THRESHOLDS: Final[dict[Method, float]] = {"cosine": 0.84, "spectral": 0.82, "ratio": -0.1, "bic": 0.0}
"""Where merging stops: cosine distances, minus nats per frame, nats. Chosen on LibriSpeech's development speakers, for
pieces of 4 to 5 s under a background model of such pieces without their means."""

RAW_THRESHOLDS: Final[dict[Method, float]] = {"cosine": 0.80, "spectral": 0.78, "ratio": -0.6, "bic": 0.0}
"""The same under a background model whose frames kept the means of their recordings: it is wider, and pieces that lost
theirs are nearer to each other in it. Chosen with the preset speaker-verification."""

OWN_THRESHOLD: Final = 0.89
"""Of cosine distances of speakers under a background model that was trained on the pieces themselves."""

SOUND_THRESHOLD: Final = 0.82
"""Of cosine distances of sounds. Chosen on digits of three speakers of FSDD."""

RATIO_RELEVANCE: Final = 16.0
"""Frames. A likelihood pays for noise in the adapted means, which an angle does not."""

BIC_PENALTY: Final = 1.3
"""Times the criterion's own: neighbouring frames say nearly the same, and count as independent."""

FLOOR: Final = 1e-3
"""Of the pooled variance, added to that of a piece's Gaussian."""

FRAMES_PER_COMPONENT: Final = 200
"""Of a background model that is trained on the pieces themselves, at least; it has 2 to 64 components."""


@dataclass(frozen=True, slots=True, eq=False)
class PieceClusters:
    """Who belongs together, how sure that is, and what it was decided by."""

    labels: NDArray[np.intp]  # (N,), numbered from 0 in the order of their first pieces
    sureness: Floats  # (N,), silhouettes, -1 to 1; 0 for a piece alone in its cluster
    distances: Floats  # (N, N), cosine distances of supervectors
    heights: Floats  # (merges,), of the merges that were made; none: spectral
    threshold: float | None  # where merging stopped; None: the number was given
    ubm: DiagGMM
    own_ubm: bool  # it was trained on the pieces themselves

    @property
    def n_clusters(self) -> int:
        """How many clusters there are."""
        return int(self.labels.max()) + 1


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
    """Cluster pieces, frames (T, D) each, by who or what sounds in them; the number of clusters is found.

    Args:
        pieces: Some seconds each, of one speaker or sound.
        ubm: The background model; None: one is trained on the pieces themselves.
        method: ``cosine``: supervectors, average linkage. ``ratio``: merging by cross-likelihood ratios against the
            background model, statistics added. ``bic``: merging by the BIC of full Gaussians. ``spectral``: of the
            same distances as cosine (extra ``clustering``).
        n_clusters: How many; None: what merges below ``threshold``, or by the eigengap.
        threshold: Where merging stops (spectral: where pieces are hardly alike any more): a cosine distance, minus a
            ratio in nats per frame, a BIC in nats; None: the method's own, chosen on LibriSpeech.
        kind: ``speakers``: each piece's mean is moved to the background model's (or to 0), because raw features
            recognise the channel, and only adapted means count; ``sounds``: the mean stays, and adapted weights count
            beside the means, because which spectra there are at all says what a sound is.
        relevance: Of the adaptation, in frames; None: 4, for ratios 16.
        within: What differs within a speaker, learnt from other speakers under the same background model.
        seed: Of the background model's training.
        map: Runs over pieces; must keep order.

    Raises:
        ConfigError: An unknown method; what it does not use; scikit-learn missing where it is needed.
        DataError: No pieces; fewer of them than clusters.
        ShapeError, FitError: Pieces that cannot be used.

    >>> rng = np.random.default_rng(0)
    >>> pieces = [rng.normal(place, 1, size=(300, 2)) for place in (0, 5, 0, 5)]
    >>> cluster_pieces(pieces, kind="sounds").labels
    array([0, 1, 0, 1])
    """
    _check(method, kind, n_clusters, threshold, relevance, within)
    if not pieces:
        raise DataError("no pieces to cluster; expected at least one")
    if n_clusters is not None:
        check_number(len(pieces), n_clusters)
    values = [_frames(number, piece) for number, piece in enumerate(pieces)]
    if kind == "speakers":
        values = [frames - frames.mean(axis=0) for frames in values]
    background = _own_ubm(values, seed, map) if ubm is None else ubm
    if ubm is not None and kind == "speakers":
        middle = ubm.weights @ ubm.means
        if values[0].shape[1] != len(middle):
            raise ShapeError(
                f"pieces of {values[0].shape[1]} dimensions for a background model of {len(middle)}; were their "
                "features made with other settings?"
            )
        values = [frames + middle for frames in values]
    stats = piece_statistics(background, values, map=map)
    points = supervectors(background, stats, relevance or RELEVANCE)
    if kind == "sounds":
        points = np.hstack([points, weight_offsets(background, stats, relevance or RELEVANCE)])
    distances = cosine_distances(points if within is None else within.apply(points))
    stop = threshold
    if stop is None and n_clusters is None:
        stop = THRESHOLDS[method]
        if method in ("cosine", "spectral") and kind == "sounds":
            stop = SOUND_THRESHOLD
        elif method in ("cosine", "spectral") and ubm is None:
            stop = OWN_THRESHOLD
    found: Clustering
    match method:
        case "cosine":
            found = link(distances, threshold=stop, n_clusters=n_clusters)
        case "spectral":
            found = spectral(distances, threshold=stop, n_clusters=n_clusters)
        case "ratio":
            found = merge(
                stats, _Ratios(background, relevance or RATIO_RELEVANCE), threshold=stop, n_clusters=n_clusters
            )
        case "bic":
            pooled = np.concatenate(values).var(axis=0)
            gaussians = [GaussianStats.of(frames) for frames in values]
            floor = FLOOR * np.where(pooled > 0, pooled, 1.0)
            found = merge(gaussians, _Bic(floor), threshold=stop, n_clusters=n_clusters)
    return PieceClusters(
        found.labels, silhouettes(distances, found.labels), distances, found.heights, stop, background, ubm is None
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Ratios:
    """Minus the cross-likelihood ratios of one piece with others."""

    ubm: DiagGMM
    relevance: float

    def __call__(self, one: GMMStats, others: Sequence[GMMStats]) -> Floats:
        return -cross_likelihood_ratios_of(self.ubm, one, others, self.relevance)


@dataclass(frozen=True, slots=True, eq=False)
class _Bic:
    """The criterion of one piece with others."""

    floor: Floats

    def __call__(self, one: GaussianStats, others: Sequence[GaussianStats]) -> Floats:
        return delta_bic(one, others, penalty=BIC_PENALTY, floor=self.floor)


def own_components(n_frames: int) -> int:
    """Components of a background model that is trained on so many frames of the pieces themselves.

    >>> own_components(500), own_components(13_000), own_components(10**6)
    (2, 64, 64)
    """
    return int(np.clip(2 ** int(np.log2(max(1, n_frames / FRAMES_PER_COMPONENT))), 2, 64))


def _own_ubm(pieces: Sequence[Floats], seed: int, map: Mapper) -> DiagGMM:
    frames = np.concatenate(pieces)
    return fit_gmm(frames, own_components(len(frames)), seed=seed, map=map).model


def _frames(number: int, piece: ArrayLike) -> Floats:
    frames = np.asarray(piece, dtype=np.float64)
    if frames.ndim != 2 or frames.size == 0:
        raise ShapeError(f"piece {number} is of shape {frames.shape}; expected frames (T, D), at least one")
    if not np.isfinite(frames).all():
        raise DataError(f"piece {number} has a value that is NaN or infinite; expected finite frames")
    return frames


def _check(
    method: Method,
    kind: Kind,
    n_clusters: int | None,
    threshold: float | None,
    relevance: float | None,
    within: WithinClass | None,
) -> None:
    if method not in METHODS:
        raise ConfigError(f"method {method!r}; expected one of {', '.join(METHODS)}")
    if kind not in ("speakers", "sounds"):
        raise ConfigError(f"kind {kind!r}; expected speakers or sounds")
    if kind == "sounds" and method == "ratio":
        raise ConfigError("ratio compares adapted means alone, which is for speakers; take another method for sounds")
    if n_clusters is not None and threshold is not None and method != "spectral":
        raise ConfigError("a number of clusters and a threshold; merging stops at one of the two")
    if relevance is not None and method == "bic":
        raise ConfigError("the Gaussians of bic are not adapted; relevance has no effect")
    if within is not None and method in ("ratio", "bic"):
        raise ConfigError(f"what differs within a speaker is for cosine and spectral; {method} does not go by it")
