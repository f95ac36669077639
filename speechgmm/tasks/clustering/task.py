"""Clustering as the engine runs it: recordings into groups without their labels, and how far these agree with them."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar, Final

import numpy as np

from speechgmm.clustering.methods import RATIO_RELEVANCE
from speechgmm.config import Config
from speechgmm.corpus import Corpus, Fold, make_split
from speechgmm.engine.class_report import classes_table
from speechgmm.engine.comparison import Compared
from speechgmm.engine.job import Job
from speechgmm.engine.run_folder import RunFolder
from speechgmm.engine.single_frames import are_single_frames
from speechgmm.engine.task import Inputs, Task, sizes_of
from speechgmm.errors import ConfigError, DataError
from speechgmm.evaluation import WeightedClusters
from speechgmm.evaluation.resampling import Statistic
from speechgmm.io.run_files import RunFile
from speechgmm.report.settings import mixtures_of, settings_of
from speechgmm.report.text import reports_lines
from speechgmm.tasks.clustering.codec import serialise_clustering
from speechgmm.tasks.clustering.command import NEXT_COMMAND
from speechgmm.tasks.clustering.evaluation import (
    Clustered,
    ClusteringEvaluation,
    cluster_test,
    clusters_table,
    distances_table,
    evaluate_clusters,
    threshold_of,
)
from speechgmm.tasks.clustering.hints import hints_of_clusters
from speechgmm.tasks.clustering.report import clusters
from speechgmm.tasks.clustering.spec import ClusteringSpec
from speechgmm.tasks.clustering.training import TrainedClustering, train_clustering
from speechgmm.vectors.supervectors import RELEVANCE

COSINE_STEP: Final = 0.05
"""How far from the threshold others are tried in tuning: cosine distances."""

RATIO_STEP: Final = 0.1
"""The same, nats per frame."""


class Clustering(Task[TrainedClustering, Clustered, ClusteringEvaluation]):
    """Which recordings belong together: speakers or sounds that nobody has named."""

    name: ClassVar[str] = "clustering"
    no_enrolment: ClassVar[str | None] = (
        "clusters have no names that a recording could be added to; cluster the new recordings with the others"
    )
    least_classes: ClassVar[int] = 1

    def split(self, corpus: Corpus, config: Config) -> tuple[Corpus, tuple[Fold, ...]]:
        """The recordings to cluster are the test; without a training part (``background: own``) all of them may be."""
        spec = config.corpus
        given = {utterance.split for utterance in corpus}
        if config.section(ClusteringSpec).background == "own" and spec.split.kind == "column" and "train" not in given:
            if given == {""}:
                corpus = replace(corpus, utterances=tuple(replace(u, split="test") for u in corpus))
            if "" not in given or given == {""}:
                return corpus, ()
        return make_split(corpus, spec.split, group=spec.group, seed=config.seed, classes=False)

    def trains_each_class(self, config: Config) -> bool:
        """No: classes are what is to be found."""
        return False

    def about(self, job: Job) -> str:
        """How many recordings are clustered."""
        label, tests = job.corpus.label, job.corpus.split("train" if job.folds else "test")
        return sizes_of(job, f"clustering of {len({utterance.label(label) for utterance in tests})} classes")

    def train(self, job: Job, sets: Sequence[Inputs]) -> list[TrainedClustering]:
        """The background model of every training set."""
        spec = job.experiment.config.section(ClusteringSpec)
        if spec.kind == "speakers" and all(are_single_frames(features.pieces) for (features,) in sets):
            raise ConfigError(
                "clustering.kind: speakers takes each recording's mean away, and every recording here is one frame, "
                "such as an x-vector, of which nothing is left; set clustering.kind: sounds"
            )
        with job.console.stage("train"):
            return [train_clustering(job, features) for (features,) in sets]

    def test(self, job: Job, parts: Mapping[str, tuple[Inputs, TrainedClustering]]) -> dict[str, Clustered]:
        """The clusters of each part's test recordings."""
        named = job.experiment.config.corpus.group is not None
        tested = {}
        with job.console.stage("score"):
            for name, ((features,), trained) in parts.items():
                there = bool(features.of_split("test"))
                found = (cluster_test(job, name, features, trained.file),) if there else ()
                tested[name] = Clustered(found, named)
        return tested

    def pooled(self, tested: Mapping[str, Clustered]) -> Clustered:
        """All folds; each keeps its own clusters."""
        every = list(tested.values())
        return Clustered(tuple(part for one in every for part in one.parts), every[0].named)

    def evaluate(self, job: Job, tested: Clustered) -> ClusteringEvaluation | None:
        """ARI, NMI, purity and coverage."""
        if not tested.parts:
            job.console.warn("the split 'test' is empty: there is a background model, but nothing was clustered")
            return None
        return evaluate_clusters(tested, seed=job.experiment.config.seed)

    def hints(
        self,
        job: Job,
        systems: Mapping[str, tuple[Inputs, TrainedClustering]],
        tested: Clustered,
        evaluation: ClusteringEvaluation,
    ) -> Sequence[str]:
        """Too many or too few clusters, short recordings, and wide intervals."""
        found = hints_of_clusters(tested, evaluation, job.experiment.config.section(ClusteringSpec))
        return [*found, *super().hints(job, systems, tested, evaluation)]

    def tuning_points(self, config: Config, trained: TrainedClustering) -> Sequence[dict[str, Any]]:
        """Where merging stops, what the background model is worth, and its size."""
        spec = config.section(ClusteringSpec)
        if spec.method == "bic":  # neither of the first two, and the last does not change what it merges
            return ()
        relevance, stop, size = "clustering.relevance", "clustering.threshold", "model.ubm.n_components"
        worth = spec.relevance or (RATIO_RELEVANCE if spec.method == "ratio" else RELEVANCE)
        base: dict[str, Any] = {relevance: worth}
        points = [{relevance: factor * base[relevance]} for factor in (0.5, 2)]
        if spec.n_clusters is None:
            base[stop] = threshold_of(spec, raw=config.features.cmvn in ("none", "global"))
            step = RATIO_STEP if spec.method == "ratio" else COSINE_STEP
            points += [{stop: round(base[stop] + sign * step, 6)} for sign in (-1, 1)]
        if spec.background == "corpus":
            base[size] = trained.file.ubm.n_components
            points += [{size: max(1, round(factor * base[size]))} for factor in (0.5, 2)]
        return [base, *(base | point for point in points)]

    def criterion(self, config: Config, tested: Clustered) -> float:
        """The adjusted Rand index: NMI alone would choose every recording by itself.

        Raises:
            DataError: Each part holds one class, which every clustering finds alike.
        """
        if all(len(set(part.true)) < 2 for part in tested.parts):
            raise DataError(
                "clusters cannot be chosen on recordings of one class, and each inner fold (or the split dev) holds "
                "one; give more classes to the training split, or a split dev of several"
            )
        weighted = tested.weighted
        return weighted.ari(np.ones(len(weighted.found)))

    def criterion_name(self, config: Config) -> str:
        """The adjusted Rand index."""
        return "ari"

    def pack(self, job: Job, trained: TrainedClustering) -> bytes:
        """What ``speechgmm cluster`` takes: the background model and how recordings become frames."""
        return serialise_clustering(trained.file)

    def model_tables(self, job: Job, trained: TrainedClustering) -> Mapping[str, str]:
        """How the background model was trained, where it has its own recordings."""
        return {} if trained.report is None else {RunFile.CLASSES: classes_table((trained.report,))}

    def tables(self, job: Job, tested: Clustered, evaluation: ClusteringEvaluation | None) -> Mapping[str, str]:
        """Clusters, and distances for the picture."""
        if evaluation is None:
            return {}
        return {RunFile.CLUSTERS: clusters_table(tested), RunFile.DISTANCES: distances_table(tested)}

    def compared(self, run: RunFolder) -> Compared:
        """Recordings, by the ARI of their clusters."""
        fold = ("fold",) if "fold" in run.heading(RunFile.CLUSTERS) else ()
        items = run.columns(RunFile.CLUSTERS, ("id",), ("true", "cluster", "group", *fold))
        tests = {name: group for (name,), (_, _, group, *_) in items.items()}
        grouped = any(name != group for name, group in tests.items())
        return Compared("ari", items, _rand_index, tests if grouped else {})

    def more_metrics(self, evaluation: ClusteringEvaluation) -> Mapping[str, Any]:
        """The numbers of clusters and classes, and what NMI would be for every recording by itself."""
        return {
            "n_clusters": evaluation.n_clusters,
            "n_classes": evaluation.n_classes,
            "nmi_alone": evaluation.nmi_alone,
        }

    def next_command(self, model: str, trained: TrainedClustering) -> str:
        """Cluster."""
        return f"{NEXT_COMMAND} {model}"

    def trained_lines(self, trained: TrainedClustering) -> Sequence[str]:
        """The background model."""
        if trained.report is not None:
            return reports_lines((trained.report,))
        return (f"background model: {trained.file.ubm.n_components} Gaussians of the recordings that are clustered",)

    def sections(self, run: RunFolder, n_audio: int) -> Sequence[Any]:
        """The clusters."""
        return (clusters(run),)

    def settings(self, run: RunFolder) -> Sequence[tuple[str, str]]:
        """How recordings are clustered, and the background model."""
        own = run.config["clustering"]["background"] == "own"
        how = ("Clustering", settings_of(run, "clustering", ("kind", "method", "background")))
        return [how] if own else [how, *mixtures_of(run)]


def _rand_index(items: Sequence[tuple[str, ...]]) -> Statistic:
    """The ARI of items (true, cluster, group, and fold where there are folds)."""
    true, found, groups, *folds = zip(*items, strict=True)
    return WeightedClusters(found, true, groups, *folds).ari


TASK = Clustering()
