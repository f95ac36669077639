"""What ``cluster`` writes and prints of the clusters that it found."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from speechgmm.errors import counted, first_few
from speechgmm.evaluation import ClusterFigures, cluster_figures
from speechgmm.io.samples import AudioSource
from speechgmm.io.tables import table
from speechgmm.report.text import aligned
from speechgmm.tasks.clustering.recordings import RecordingClusters
from speechgmm.tasks.clustering.spec import UNSURE

SHOWN = 40
"""Clusters that are printed; the table has all."""


def draw(done: RecordingClusters, names: Sequence[str], path: Path) -> None:
    """The picture of the clusters; ``names`` of the recordings, default: their files'."""
    from speechgmm.plots import save_figure
    from speechgmm.tasks.clustering.plots import plot_clusters

    found = done.found
    names = names or [str(Path(name).with_suffix("")) for name in _names(done.paths)]
    save_figure(plot_clusters(found.distances, found.labels, names=names, title=_how_many(done)), path)


def clusters_table(done: RecordingClusters, label: str, classes: Sequence[str]) -> str:
    """``clusters.tsv``: the cluster of every recording, and its true class (under ``label``) where it is known."""
    found = done.found
    head = ("path", "cluster", "silhouette", "n_frames", *((label,) if classes else ()))
    rows = (
        (path, int(found.labels[n]), f"{found.sureness[n]:.4f}", int(done.n_frames[n]), *(classes[n : n + 1]))
        for n, path in enumerate(done.paths)
    )
    return table(head, rows)


def _how_many(done: RecordingClusters) -> str:
    return f"{counted(len(done.paths), 'recording')}, {counted(done.found.n_clusters, 'cluster')}"


def _names(paths: Sequence[AudioSource]) -> list[str]:
    """Recordings by name; those that share one, by their folder and name."""
    counts = Counter(path.name for path in paths)
    folders = [Path(str(path)).absolute().parent.name for path in paths]
    return [p.name if counts[p.name] == 1 else f"{folder}/{p.name}" for folder, p in zip(folders, paths, strict=True)]


def summary(done: RecordingClusters, *, estimated: bool) -> list[str]:
    """What there is; ``estimated``: the number of clusters was estimated and not given."""
    found, n, named = done.found, len(done.paths), _names(done.paths)
    if n == 1:
        return ["1 recording: 1 cluster; there is nothing to compare it with"]
    lines = [_how_many(done)]
    if not found.distances.any():
        return [*lines, "all recordings are alike: no distance between any two is above 0"]
    if found.n_clusters == 1:
        return [*lines, "one speaker or sound, as far as the distances tell"] if estimated else lines
    rows: list[tuple[str, ...]] = [("cluster", "recordings", "silhouette", "such as")]
    counts = Counter(found.labels.tolist())
    for cluster in sorted(counts, key=lambda number: (-counts[number], number))[:SHOWN]:
        members = np.flatnonzero(found.labels == cluster)
        best = members[np.argsort(-found.sureness[members], kind="stable")][:3]
        sure = f"{found.sureness[members].mean():.2f}" if len(members) > 1 else "alone"
        rows.append((str(cluster), str(len(members)), sure, ", ".join(named[m] for m in best)))
    lines += list(aligned(rows))
    if len(counts) > SHOWN:
        lines.append(f"  ... and {len(counts) - SHOWN} more, in the table")
    doubtful = [n for n in np.flatnonzero(found.sureness < UNSURE) if counts[int(found.labels[n])] > 1]
    if doubtful:
        names = first_few([named[n] for n in doubtful], 5)
        lines.append(f"{len(doubtful)} might as well be in another cluster (silhouette below {UNSURE}): {names}")
    return lines


def metrics_lines(done: RecordingClusters, classes: Sequence[str], label: str) -> list[str]:
    """How well the clusters agree with the true classes."""
    found: ClusterFigures = cluster_figures(done.found.labels.tolist(), classes)
    return [
        f"against {label!r}: {counted(found.n_clusters, 'cluster')} of {counted(found.n_classes, 'class')}, purity "
        f"{found.purity:.3f}, coverage {found.coverage:.3f}, ARI {found.ari:.3f}, NMI {found.nmi:.3f} (alone it "
        f"misleads: every recording by itself would have {found.nmi_alone:.2f})"
    ]
