"""From statistics of pieces to clusters: the methods, what each goes by, and where each stops.

Owns distances, merging and default thresholds. Every method is measured by the same yardstick afterwards, the
silhouettes of cosine distances between supervectors. Refuses to look at frames: statistics are all that it is given, so
that a caller with many recordings need not hold them.
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
from speechgmm.gmm import DiagGMM, GMMStats
from speechgmm.vectors.supervectors import (
    RELEVANCE,
    cross_likelihood_ratios_of,
    supervectors,
    weight_offsets,
)
from speechgmm.vectors.within_class import WithinClass, cosine_distances

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


@dataclass(frozen=True, slots=True, eq=False)
class PieceClusters:
    """The cluster of each piece, the silhouettes of the pieces, and the distances that clustering used."""

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


@dataclass(frozen=True, slots=True)
class Choice:
    """How statistics of pieces become clusters; see ``cluster_pieces``."""

    method: Method = "cosine"
    n_clusters: int | None = None
    threshold: float | None = None  # None: the number is given; spectral: the method's own scale
    kind: Kind = "speakers"
    relevance: float | None = None  # frames


@dataclass(frozen=True, slots=True, eq=False)
class Gaussians:
    """What ``bic`` goes by, beside no background model."""

    pieces: Sequence[GaussianStats]
    variance: Floats  # (D,) of all frames together


def cluster_summaries(
    ubm: DiagGMM,
    stats: Sequence[GMMStats],
    choice: Choice,
    *,
    gaussians: Gaussians | None = None,
    within: WithinClass | None = None,
) -> PieceClusters:
    """Cluster pieces by their statistics under a background model, without another look at their frames.

    Parameters
    ----------
    ubm
        The background model.
    stats
        Of each piece, from ``piece_statistics`` of its frames after ``centred``.
    choice
        Method and settings.
    gaussians
        Statistics of one Gaussian for each piece, for ``bic``.
    within
        The variation within a class, learnt from other classes under the same background model.

    Raises
    ------
    DataError
        No pieces; fewer of them than clusters.
    ConfigError
        An argument that the method does not use, or one that it needs and that is missing.
    """
    method, n_clusters, stop, relevance = choice.method, choice.n_clusters, choice.threshold, choice.relevance
    if not stats:
        raise DataError("no pieces to cluster; expected at least one")
    if n_clusters is not None:
        check_number(len(stats), n_clusters)
    points = piece_points(ubm, stats, choice)
    distances = cosine_distances(points if within is None else within.apply(points))
    found: Clustering
    match method:
        case "cosine":
            found = link(distances, threshold=stop, n_clusters=n_clusters)
        case "spectral":
            found = spectral(distances, threshold=stop, n_clusters=n_clusters)
        case "ratio":
            ratios = _Ratios(ubm, relevance or RATIO_RELEVANCE)
            found = merge(stats, ratios, threshold=stop, n_clusters=n_clusters)
        case "bic":
            if gaussians is None:
                raise ConfigError("method bic needs the pieces as Gaussians; give gaussians", arguments=("gaussians",))
            floor = FLOOR * np.where(gaussians.variance > 0, gaussians.variance, 1.0)
            found = merge(gaussians.pieces, _Bic(floor), threshold=stop, n_clusters=n_clusters)
    return PieceClusters(
        found.labels, silhouettes(distances, found.labels), distances, found.heights, stop, ubm, own_ubm=False
    )


def piece_points(ubm: DiagGMM, stats: Sequence[GMMStats], choice: Choice) -> Floats:
    """Pieces as points (N, M), between which distances are taken: supervectors; of sounds with adapted weights."""
    relevance = choice.relevance or RELEVANCE
    points = supervectors(ubm, stats, relevance)
    return np.hstack([points, weight_offsets(ubm, stats, relevance)]) if choice.kind == "sounds" else points


def centred(frames: ArrayLike, ubm: DiagGMM, kind: Kind) -> Floats:
    """Frames (T, D) of a piece as the background model is to see them: of speakers, moved to the model's mean.

    >>> centred([[1.0], [3.0]], DiagGMM([1.0], [[5.0]], [[1.0]]), "speakers").ravel()
    array([4., 6.])
    """
    values = np.asarray(frames, np.float64)
    if kind == "sounds":
        return values
    moved: Floats = values - values.mean(axis=0) + middle_of(ubm, values)
    return moved


def default_threshold(method: Method, kind: Kind, *, own_ubm: bool, raw: bool = False) -> float:
    """The default distance at which merging stops.

    Parameters
    ----------
    method, kind
        As in ``cluster_pieces``.
    own_ubm
        The background model was trained on the pieces themselves.
    raw
        The background model's frames kept the means of their recordings.

    Examples
    --------
    >>> default_threshold("cosine", "speakers", own_ubm=False), default_threshold("cosine", "speakers", own_ubm=True)
    (0.84, 0.89)
    """
    if method in ("cosine", "spectral") and kind == "sounds":
        return SOUND_THRESHOLD
    if raw and not own_ubm and kind == "speakers":
        return RAW_THRESHOLDS[method]
    return OWN_THRESHOLD if method in ("cosine", "spectral") and own_ubm else THRESHOLDS[method]


def check_choice(
    method: Method,
    kind: Kind,
    n_clusters: int | None,
    threshold: float | None,
    relevance: float | None,
    within: WithinClass | None,
) -> None:
    """Raise ConfigError for a choice that does not exist or has no effect beside the others."""
    if method not in METHODS:
        raise ConfigError(f"method {method!r}; expected one of {', '.join(METHODS)}")
    if kind not in ("speakers", "sounds"):
        raise ConfigError(f"kind {kind!r}; expected speakers or sounds")
    if kind == "sounds" and method == "ratio":
        raise ConfigError("method ratio is for speakers, since it compares means alone; take another method for sounds")
    if n_clusters is not None and threshold is not None and method != "spectral":
        raise ConfigError(
            "a number of clusters and a threshold are given; merging stops at one of the two: leave out the other"
        )
    if relevance is not None and method == "bic":
        raise ConfigError("the Gaussians of bic are not adapted; relevance has no effect")
    if within is not None and method in ("ratio", "bic"):
        raise ConfigError(f"within-class normalisation is for cosine and spectral; method {method} does not use it")


def middle_of(ubm: DiagGMM, frames: Floats) -> Floats:
    """The mean (D,) of a background model; raises ShapeError where frames (T, D) are not its own."""
    middle: Floats = ubm.weights @ ubm.means
    if frames.shape[1] != len(middle):
        raise ShapeError(
            f"pieces of {frames.shape[1]} dimensions for a background model of {len(middle)}; were their "
            "features made with other settings?"
        )
    return middle


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
