"""What is learnt before recordings are clustered: a background model, and what differs within a class."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from speechgmm.clustering.methods import Choice, Kind, centred, piece_points
from speechgmm.clustering.pieces import own_background
from speechgmm.engine.class_report import ClassReport
from speechgmm.engine.frames import Features, Piece, pooled_moments
from speechgmm.engine.job import Job
from speechgmm.engine.mixtures import background_utterances, train_ubm
from speechgmm.engine.shared_settings import common_task
from speechgmm.errors import DataError
from speechgmm.gmm import DiagGMM, GMMStats
from speechgmm.parallel import in_parcels, thread_pool
from speechgmm.tasks.clustering.codec import ClusteringFile
from speechgmm.tasks.clustering.spec import ClusteringSpec
from speechgmm.vectors.supervectors import piece_statistics
from speechgmm.vectors.within_class import WithinClass

MEASURED_AT_ONCE = 64
"""Recordings of the background whose moments one task takes; the order in which they are added follows from it."""

AT_ONCE = 8
"""Recordings in a task."""


@dataclass(frozen=True, slots=True, eq=False)
class TrainedClustering:
    """What recordings are clustered by."""

    file: ClusteringFile
    report: ClassReport | None  # how the background model was trained; None: on the recordings that are clustered


def train_clustering(job: Job, features: Features) -> TrainedClustering:
    """The background model, and the within-class normalisation where ``clustering.within`` asks for it.

    Raises:
        DataError: No recordings to train on; no class with two recordings (``clustering.within``).
        FitError: Too few frames for the components.
    """
    spec, label = job.experiment.config.section(ClusteringSpec), features.corpus.label
    if spec.background == "own":
        chosen = features.of_split("test") or features.of_split("train")
        frames = [piece.load() for _, piece in chosen]
        with job.console.patience("training the background model"), thread_pool(job.n_threads_here) as spread:
            ubm = own_background(frames, spec.kind, seed=job.experiment.config.seed, map=spread)
        return TrainedClustering(ClusteringFile(ubm, features.audio, spec, label), None)
    pieces = [piece for _, own in background_utterances(features) for piece in own]
    if not pieces:
        raise DataError(
            "no recording is in the split 'ubm' or 'train', which the background model is trained on; set "
            "clustering.background: own to train it on the recordings that are clustered"
        )
    parcels = in_parcels(pieces, MEASURED_AT_ONCE)
    parts = list(job.console.track(job.map(pooled_moments, parcels), len(parcels), "measuring the training split"))
    ubm, report = train_ubm(job, features, common_task(job, {}, parts))
    within = _within(job, features, ubm) if spec.within else None
    return TrainedClustering(ClusteringFile(ubm, features.audio, spec, label, within), report)


def statistics_of(job: Job, ubm: DiagGMM, pieces: Sequence[Piece], kind: Kind) -> list[GMMStats]:
    """Statistics of recordings under a background model, one at a time: none needs the frames of another."""
    parcels = in_parcels(pieces, AT_ONCE)
    found = job.map(partial(_statistics, ubm, kind), parcels)
    return [one for part in job.console.track(found, len(parcels), "statistics of recordings") for one in part]


def _statistics(ubm: DiagGMM, kind: Kind, pieces: Sequence[Piece]) -> list[GMMStats]:
    return [piece_statistics(ubm, [centred(piece.load(), ubm, kind)])[0] for piece in pieces]


def _within(job: Job, features: Features, ubm: DiagGMM) -> WithinClass:
    spec = job.experiment.config.section(ClusteringSpec)
    known = features.of_split("train")
    stats = statistics_of(job, ubm, [piece for _, piece in known], spec.kind)
    points = piece_points(ubm, stats, Choice(kind=spec.kind, relevance=spec.relevance))
    return WithinClass.learn(points, [utterance.label(features.corpus.label) for utterance, _ in known])
