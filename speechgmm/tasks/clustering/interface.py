"""The background model of a run of clustering in Python: it clusters other recordings."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from speechgmm.engine.audio_input import AudioInput, with_resampling
from speechgmm.engine.loaded_model import LoadedModel, OnError, check_on_error
from speechgmm.engine.results import Result
from speechgmm.errors import ConfigError, DataError
from speechgmm.parallel import free_workers
from speechgmm.tasks.clustering.codec import read_clustering
from speechgmm.tasks.clustering.recordings import chosen, cluster_recordings


@dataclass(frozen=True, slots=True)
class ClusteringResult(Result):
    """The cluster of each recording.

    >>> ClusteringResult(("a.wav", "b.wav"), (0, 0), 1, 0.4, ()).rows()[1]
    {'recording': 'b.wav', 'cluster': 0}
    """

    recordings: tuple[str, ...]  # (N,) those that could be used
    clusters: tuple[int, ...]  # (N,) the number of the cluster of each
    n_clusters: int
    threshold: float | None  # distance where merging stopped; None: the number of clusters was given
    failures: tuple[tuple[str, str], ...]  # recordings that could not be used, and why

    def rows(self) -> list[dict[str, Any]]:
        """A row for each recording that could be used."""
        pairs = zip(self.recordings, self.clusters, strict=True)
        return [{"recording": recording, "cluster": cluster} for recording, cluster in pairs]


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class ClusteringModel(LoadedModel):
    """A background model for clustering. Safe to use from several threads at once."""

    @property
    def audio(self) -> AudioInput:
        """How a recording becomes frames."""
        found: AudioInput = self.file.audio
        return found

    def about(self) -> str:
        """What is clustered how."""
        return f"{self.file.spec.kind} by {self.file.spec.method}, {self.file.ubm.n_components} components"

    def cluster(
        self,
        audio: Any,
        sample_rate: int | None = None,
        *,
        n_clusters: int | None = None,
        threshold: float | None = None,
        n_jobs: int = 1,
        on_error: OnError = "raise",
    ) -> ClusteringResult:
        """Cluster recordings by speaker or by kind of sound, with the settings of the run that trained the model.

        Parameters
        ----------
        audio
            A folder of recordings, a list of paths, or a list of samples as numpy arrays (N,) or (N, channels).
        sample_rate
            Sampling rate of samples in Hz; a file has its own.
        n_clusters
            Number of clusters; None: it is estimated.
        threshold
            Distance at which merging stops; None: the threshold of the run, or else the default of its method.
        n_jobs
            Number of threads; -1: one per CPU core.
        on_error
            ``raise``: raise the first DataError of a recording. ``return``: return the errors as ``failures``.

        Returns
        -------
        ClusteringResult

        Raises
        ------
        ConfigError
            Only one recording; samples without ``sample_rate``.
        DataError
            A recording that cannot be used, with ``on_error="raise"``; no recording that can be used; fewer recordings
            than clusters.
        """
        check_on_error(on_error)
        sources, is_one = self._sources(audio, sample_rate)
        if is_one:
            raise ConfigError(f"{sources[0]}: one recording; expected a folder or a list of recordings to cluster")
        method, kind, limit = chosen(self.file, threshold=threshold, n_clusters=n_clusters)
        refused = [source for source in sources if isinstance(source, DataError)]
        if refused and on_error == "raise":
            raise refused[0]
        done = cluster_recordings(
            [source for source in sources if not isinstance(source, DataError)],
            model=self.file,
            method=method,
            kind=kind,
            n_clusters=n_clusters,
            threshold=limit,
            n_jobs=free_workers(n_jobs, len(sources)),
        )
        if done.failures and on_error == "raise":
            raise done.failures[0][1]
        return ClusteringResult(
            recordings=tuple(map(str, done.paths)),
            clusters=tuple(int(n) for n in done.found.labels),
            n_clusters=len(set(done.found.labels.tolist())),
            threshold=done.found.threshold,
            failures=(
                *((str(error).partition(":")[0], str(error)) for error in refused),
                *((str(source), str(error)) for source, error in done.failures),
            ),
        )


def load(path: Path, *, resample: bool = False) -> ClusteringModel:
    """The background model of a file of clustering."""
    file = read_clustering(path)
    if resample:
        file = with_resampling(file)
    return ClusteringModel(path, "clustering", file)
