"""Clustering recordings into unknown speakers or sounds."""

import sys
from collections import Counter
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from speechgmm.clustering.methods import Kind, Method
from speechgmm.corpus.readers.manifest import read_manifest
from speechgmm.errors import ConfigError, DataError
from speechgmm.evaluation import ClusterFigures, cluster_figures
from speechgmm.features import front_end
from speechgmm.io.atomic import write_text
from speechgmm.io.tables import table
from speechgmm.report.text import aligned, recordings, shown
from speechgmm.tasks.classification.codec import ModelFile
from speechgmm.tasks.clustering.codec import ClusteringFile
from speechgmm.tasks.clustering.recordings import RecordingClusters, cluster_recordings, read_background
from speechgmm.tasks.clustering.spec import ClusteringSpec

SHOWN = 40
"""Clusters that are printed; the table has all."""

SHORT = 3.0
"""Seconds. A warning is given where recordings that are to tell speakers apart are shorter."""

GOES_ON = "cluster other recordings: speechgmm cluster RECORDINGS --model"
"""What a run of clustering ends with, before its model."""

UNSURE = 0.05
"""A silhouette below this is named: the piece is as near to another cluster."""


def cluster_and_print(
    audio: Sequence[Path],
    *,
    model: Path | None,
    method: Method | None,
    n_clusters: int | None,
    threshold: float | None,
    kind: Kind | None,
    labels: Path | None,
    label: str | None,
    out: Path,
    resample: bool,
    jobs: int,
    quiet: bool,
) -> int:
    """Write ``clusters.tsv`` and ``clusters.png``, print a summary; returns how many recordings could not be used.

    Raises:
        ConfigError: No recording, or one that is named twice; a model without a background model; a choice that the
            method does not know; a column of no table; a file where the folder should be.
        DataError: No recording can be used; one that has no label; fewer recordings than clusters.
        ModelFileError: The model cannot be read.
    """
    if label is not None and labels is None:
        raise ConfigError(f"--label {label}: the column of a table of true classes; name the table with --labels FILE")
    if out.is_file():
        raise ConfigError(f"--out {out}: a file; table and picture need a folder")
    label = label or "speaker"
    true = {} if labels is None else _labels(labels, label)
    paths = recordings(audio) if audio else list(true)
    if not paths:
        raise ConfigError("nothing to cluster: name recordings, folders, or a table of them with --labels")
    counts = Counter(path.resolve() for path in paths)
    twice = next((path for path in paths if counts[path.resolve()] > 1), None)
    if twice is not None:
        raise ConfigError(f"{twice}: named more than once, and would make a cluster with itself; name every one once")
    strangers = [path for path in paths if labels is not None and path.absolute() not in true]
    if strangers:
        raise DataError(
            f"{labels}: no row for {len(strangers)} of {len(paths)} recordings, such as {strangers[0]}; the column "
            "path is relative to the table"
        )
    file = None if model is None else read_background(model / "models.safetensors" if model.is_dir() else model)
    method, kind, threshold = _chosen(file, method, kind, n_clusters, threshold)
    done = cluster_recordings(
        paths,
        model=file,
        method=method,
        n_clusters=n_clusters,
        threshold=threshold,
        kind=kind,
        resample=resample,
        n_jobs=jobs,
    )
    for _, error in done.failures:
        print(f"error: {error}", file=sys.stderr)
    classes = [true[path.absolute()] for path in done.paths] if true else []
    out.mkdir(parents=True, exist_ok=True)
    write_text(out / "clusters.tsv", _table(done, label, classes))
    if not quiet:
        for line in _about(done, method, kind, model):
            print(line, file=sys.stderr)
    for line in (*_summary(done, counted=n_clusters is None), *(_figures(done, classes, label) if classes else ())):
        print(line)
    print(shown((out / "clusters.tsv").absolute()))
    if find_spec("matplotlib") is None:
        print("no picture: matplotlib is not installed (pip install 'speechgmm[plot]')", file=sys.stderr)
    else:
        from speechgmm.report.plots import save_figure
        from speechgmm.tasks.clustering.plots import plot_clusters

        found = done.found
        names = classes or [str(Path(name).with_suffix("")) for name in _names(done.paths)]
        title = _how_many(done)
        save_figure(plot_clusters(found.distances, found.labels, names=names, title=title), out / "clusters.png")
        print(shown((out / "clusters.png").absolute()))
    return len(done.failures)


def _chosen(
    file: ModelFile | ClusteringFile | None,
    method: Method | None,
    kind: Kind | None,
    n_clusters: int | None,
    threshold: float | None,
) -> tuple[Method, Kind, float | None]:
    """What is not said is as in the run that left the model, where that was one of clustering."""
    spec = file.spec if isinstance(file, ClusteringFile) else ClusteringSpec()
    chosen = method or spec.method, kind or spec.kind
    if n_clusters is None and threshold is None and chosen == (spec.method, spec.kind):
        threshold = spec.threshold
    return *chosen, threshold


def _labels(path: Path, column: str) -> dict[Path, str]:
    """The true class of every recording of a manifest."""
    true: dict[Path, str] = {}
    for utterance in read_manifest(path, None, column):
        where = utterance.path.absolute()
        if where in true or utterance.start is not None or utterance.end is not None:
            raise ConfigError(
                f"{utterance.source or path}: a row for a part of a recording; whole recordings are clustered, one row "
                "each: cut them into files first"
            )
        true[where] = utterance.label(column)
    return true


def _table(done: RecordingClusters, label: str, classes: Sequence[str]) -> str:
    found = done.found
    head = ("path", "cluster", "silhouette", "n_frames", *((label,) if classes else ()))
    rows = (
        (path, int(found.labels[n]), f"{found.sureness[n]:.4f}", int(done.n_frames[n]), *(classes[n : n + 1]))
        for n, path in enumerate(done.paths)
    )
    return table(head, rows)


def _about(done: RecordingClusters, method: str, kind: str, model: Path | None) -> list[str]:
    """What was decided by what."""
    found = done.found
    lines = []
    if found.own_ubm:
        lines.append(
            f"background model: {found.ubm.n_components} Gaussians trained on these recordings themselves, for want of "
            f"a model (--model); {done.audio.sample_rate} Hz" + (", resampled" if done.audio.resample else "")
        )
    else:
        lines.append(f"background model: {found.ubm.n_components} Gaussians of {model}")
    if found.threshold is not None and method == "spectral":
        lines.append(f"alike below a cosine distance of about {found.threshold:g}; --threshold changes it")
    elif found.threshold is not None:
        unit = {"cosine": "cosine distance", "ratio": "minus nats per frame", "bic": "nats"}[method]
        lines.append(f"merged while the nearest two were below {found.threshold:g} ({unit}); --threshold changes it")
    seconds = float(np.median(done.n_frames)) * _frame_shift(done)
    if kind == "speakers" and seconds < SHORT:
        lines.append(
            f"warning: half of the recordings have less than {seconds:.1f} s; below {SHORT:g} s what is said tells two "
            "apart more than who speaks (--kind sounds goes by that)"
        )
    return lines


def _frame_shift(done: RecordingClusters) -> float:
    """Seconds from one frame to the next."""
    return front_end(done.audio.features, done.audio.sample_rate).frame_shift / done.audio.sample_rate


def _how_many(done: RecordingClusters) -> str:
    counts = ((len(done.paths), "recording"), (done.found.n_clusters, "cluster"))
    return ", ".join(f"{count} {what}{'' if count == 1 else 's'}" for count, what in counts)


def _names(paths: Sequence[Path]) -> list[str]:
    """Recordings by name; those that share one, by their folder and name."""
    counts = Counter(path.name for path in paths)
    return [path.name if counts[path.name] == 1 else f"{path.absolute().parent.name}/{path.name}" for path in paths]


def _summary(done: RecordingClusters, *, counted: bool) -> list[str]:
    """What there is; ``counted`` says that the number of clusters was found and not given."""
    found, n, named = done.found, len(done.paths), _names(done.paths)
    if n == 1:
        return ["1 recording: 1 cluster; there is nothing to compare it with"]
    lines = [_how_many(done)]
    if not found.distances.any():
        return [*lines, "all recordings are alike: no distance between any two is above 0"]
    if found.n_clusters == 1:
        return [*lines, "one speaker or sound, as far as the distances tell"] if counted else lines
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
        names = ", ".join(named[n] for n in doubtful[:5]) + (" ..." if len(doubtful) > 5 else "")
        lines.append(f"{len(doubtful)} might as well be in another cluster (silhouette below {UNSURE}): {names}")
    return lines


def _figures(done: RecordingClusters, classes: Sequence[str], label: str) -> list[str]:
    found: ClusterFigures = cluster_figures(done.found.labels.tolist(), classes)
    return [
        f"against {label!r}: {found.n_clusters} clusters of {found.n_classes} classes, purity {found.purity:.3f}, "
        f"coverage {found.coverage:.3f}, ARI {found.ari:.3f}, NMI {found.nmi:.3f} (alone it misleads: every recording "
        f"by itself would have {found.nmi_alone:.2f})"
    ]
