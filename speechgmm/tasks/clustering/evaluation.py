"""Clustering the test recordings of a run, how far clusters agree with the true classes, and the tables of both."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Final, Literal

import numpy as np

from speechgmm.clustering.bic import GaussianStats
from speechgmm.clustering.methods import (
    Gaussians,
    Kind,
    PieceClusters,
    centred,
    cluster_summaries,
    default_threshold,
)
from speechgmm.engine.frames import Features, Piece
from speechgmm.engine.job import Job
from speechgmm.evaluation import Metric, WeightedClusters, cluster_figures, interval
from speechgmm.evaluation.metric import Metrics
from speechgmm.evaluation.resampling import ratio
from speechgmm.features import Moments, moments
from speechgmm.gmm import DiagGMM
from speechgmm.io.tables import table
from speechgmm.parallel import in_parcels
from speechgmm.tasks.clustering.codec import ClusteringFile
from speechgmm.tasks.clustering.plots import shown_pieces
from speechgmm.tasks.clustering.spec import ClusteringSpec
from speechgmm.tasks.clustering.training import AT_ONCE, statistics_of

METRICS: Final = ("ari", "nmi", "purity", "coverage")
"""Metrics of clusters against classes, the one that a sweep chooses by first."""


@dataclass(frozen=True, slots=True, eq=False)
class ClusteredPart:
    """The test recordings of one fold in clusters; "": there are no folds."""

    fold: str
    ids: tuple[str, ...]  # (N,)
    true: tuple[str, ...]  # (N,) classes
    groups: tuple[str, ...]  # (N,) values of corpus.group, else ids
    n_frames: tuple[int, ...]  # (N,) that clusters are made of
    found: PieceClusters


@dataclass(frozen=True, slots=True)
class Clustered:
    """The test recordings of all folds, each fold with its own clusters."""

    parts: tuple[ClusteredPart, ...]
    named: bool  # the groups are those of corpus.group

    def column(self, values: Callable[[ClusteredPart], Iterable[Any]]) -> list[Any]:
        """One value for each recording, fold after fold."""
        return [value for part in self.parts for value in values(part)]

    @property
    def weighted(self) -> WeightedClusters:
        """Clusters against classes, computable under weights."""
        return WeightedClusters(
            self.column(lambda part: part.found.labels.tolist()),
            self.column(lambda part: part.true),
            self.column(lambda part: part.groups),
            self.column(lambda part: [part.fold] * len(part.ids)),
        )


@dataclass(frozen=True, slots=True)
class ClusteringEvaluation:
    """Metrics of a clustering run."""

    metrics: Metrics
    folds: Mapping[str, Metrics]
    n_clusters: int
    n_classes: int
    nmi_alone: float  # what NMI would be for every recording by itself


def cluster_test(job: Job, fold: str, features: Features, file: ClusteringFile) -> ClusteredPart:
    """Cluster the split ``test``. Raises DataError where there are fewer recordings than clusters asked for."""
    spec, group, label = file.spec, job.experiment.config.corpus.group, features.corpus.label
    tests = features.of_split("test")
    pieces = [piece for _, piece in tests]
    choice = spec.choice
    if choice.n_clusters is None:
        raw = file.audio.features.cmvn in ("none", "global")
        choice = replace(choice, threshold=threshold_of(spec, raw=raw))
    stats = statistics_of(job, file.ubm, pieces, spec.kind)
    gaussians = None
    if spec.method == "bic":
        tasks = in_parcels(pieces, AT_ONCE)
        made = job.map(partial(_gaussians, file.ubm, spec.kind), tasks)
        parcels = list(job.console.track(made, len(tasks), "Gaussians of recordings"))
        found = [one for parcel, _ in parcels for one in parcel]
        total = parcels[0][1]
        for _, part in parcels[1:]:
            total = total + part
        gaussians = Gaussians(found, total.scatter / total.count)
    with job.console.patience("clustering"):
        summaries = cluster_summaries(file.ubm, stats, choice, gaussians=gaussians, within=file.within)
    return ClusteredPart(
        fold,
        tuple(utterance.id for utterance, _ in tests),
        tuple(utterance.label(label) for utterance, _ in tests),
        tuple(utterance.label(group) if group else utterance.id for utterance, _ in tests),
        tuple(round(float(one.counts.sum())) for one in stats),
        summaries,
    )


def threshold_of(spec: ClusteringSpec, *, raw: bool) -> float:
    """Where merging stops: as the settings say, or by default; ``raw``: frames keep the means of their recordings."""
    if spec.threshold is not None:
        return spec.threshold
    return default_threshold(spec.method, spec.kind, own_ubm=spec.background == "own", raw=raw)


def _gaussians(ubm: DiagGMM, kind: Kind, pieces: Sequence[Piece]) -> tuple[list[GaussianStats], Moments]:
    frames = [centred(piece.load(), ubm, kind) for piece in pieces]
    return [GaussianStats.of(values) for values in frames], moments(np.concatenate(frames))


def evaluate_clusters(found: Clustered, *, seed: int) -> ClusteringEvaluation:
    """ARI, NMI, purity and coverage with intervals over groups, and clusters for each class with one over folds."""
    parts = found.parts
    counts = [(part.found.n_clusters, len(set(part.true))) for part in parts]
    metrics = _metrics(found, seed)
    n_clusters, n_classes = (sum(column) for column in zip(*counts, strict=True))
    shares = ratio(*np.array(counts, float).T)
    per_class = Metric(n_clusters / n_classes, n_classes, "ratio")
    bounds = interval(shares, np.arange(len(parts)), scale="log", seed=seed)
    metrics["clusters_per_class"] = per_class.within(bounds).by_items("folds")
    folds = {part.fold: _metrics(Clustered((part,), found.named), None) for part in parts if part.fold}
    alone = [cluster_figures(range(len(part.true)), part.true).nmi_alone for part in parts]
    sizes = [len(part.true) for part in parts]
    return ClusteringEvaluation(metrics, folds, n_clusters, n_classes, float(np.average(alone, weights=sizes)))


def _metrics(found: Clustered, seed: int | None) -> dict[str, Metric]:
    """Metrics of recordings in clusters; without a seed they have no intervals."""
    weighted = found.weighted
    ones = np.ones(len(weighted.found))
    metrics: dict[str, Metric] = {}
    for name in METRICS:
        statistic = getattr(weighted, name)
        value = statistic(ones)
        metrics[name] = Metric(value, len(ones), "fraction")
        if seed is None:
            continue
        # ARI may be below 0: it has no scale with two ends, but at 1 there is no spread to go by.
        scale: Literal["identity", "logit"] = "identity" if name == "ari" and value < 1 else "logit"
        own = metrics[name].within(interval(statistic, weighted.group_numbers, scale=scale, seed=seed))
        own = replace(own, high=None if own.high is None else min(1.0, own.high))
        metrics[name] = own if found.named else own.by_items("recordings")
    return metrics


def clusters_table(found: Clustered) -> str:
    """``clusters.tsv``: the true class and the cluster of every test recording, and how sure the cluster is."""
    fold = any(part.fold for part in found.parts)
    head = ("id", *(("fold",) if fold else ()), "group", "true", "cluster", "silhouette", "n_frames")
    rows = (
        (
            name,
            *((part.fold,) if fold else ()),
            part.groups[n],
            part.true[n],
            int(part.found.labels[n]),
            f"{part.found.sureness[n]:.4f}",
            part.n_frames[n],
        )
        for part in found.parts
        for n, name in enumerate(part.ids)
    )
    return table(head, rows)


def distances_table(found: Clustered) -> str:
    """``distances.tsv``: cosine distances of the first fold's recordings, of as many as the picture shows."""
    part = found.parts[0]
    chosen = shown_pieces(part.found.labels)
    distances = part.found.distances[np.ix_(chosen, chosen)]
    rows = (
        (part.ids[piece], part.fold, *(f"{value:.4f}" for value in row))
        for piece, row in zip(chosen, distances, strict=True)
    )
    return table(("id", "fold", *(str(n) for n in range(len(chosen)))), rows)
