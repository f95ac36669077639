"""``cluster``: recordings into unknown speakers or sounds."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from speechgmm.errors import ConfigError, DataError
from speechgmm.io.run_files import model_file
from speechgmm.io.terminal import tell
from speechgmm.tasks.options import Jobs, Quiet, Resample

if TYPE_CHECKING:
    from speechgmm.tasks.clustering.recordings import RecordingClusters


SHORT = 3.0
"""Seconds. A warning is given where recordings that are to tell speakers apart are shorter."""


NEXT_COMMAND = "cluster other recordings: speechgmm cluster RECORDINGS --model"
"""What a run of clustering ends with, before its model."""


CLASSES = "True classes"
"""A group of options."""


class ClusterMethod(StrEnum):
    """How recordings are clustered."""

    cosine = "cosine"
    ratio = "ratio"
    bic = "bic"
    spectral = "spectral"


class ClusterKind(StrEnum):
    """What recordings are clustered by."""

    speakers = "speakers"
    sounds = "sounds"


@dataclass(frozen=True, slots=True, kw_only=True)
class Cluster:
    """Cluster recordings of unknown speakers or sounds; the number of clusters is estimated or given."""

    audio: Annotated[
        list[Path] | None, typer.Argument(help="recordings, or folders of recordings", metavar="AUDIO")
    ] = None
    model: Annotated[
        Path | None,
        typer.Option(
            "--model",
            metavar="MODEL",
            help="a model with a background model; default: a background model is trained on AUDIO",
        ),
    ] = None
    method: Annotated[
        ClusterMethod | None,
        typer.Option(
            "--method",
            help="cosine: cosine distance of supervectors, average linkage; ratio: cross-likelihood ratio; bic: "
            "Bayesian information criterion of Gaussians; spectral: spectral clustering; default: as the model was "
            "tested, else cosine",
        ),
    ] = None
    n_clusters: Annotated[
        int | None, typer.Option("--n-clusters", metavar="N", min=1, help="number of clusters; default: estimated")
    ] = None
    threshold: Annotated[
        float | None, typer.Option(metavar="X", help="distance at which merging stops; default: chosen on LibriSpeech")
    ] = None
    kind: Annotated[
        ClusterKind | None,
        typer.Option(
            "--kind",
            help="speakers: subtract the mean of each recording, which depends on the microphone; sounds: keep it, and "
            "use the weights of the components too; default: as the model was tested, else speakers",
        ),
    ] = None
    labels: Annotated[
        Path | None,
        typer.Option(
            "--labels",
            metavar="FILE",
            rich_help_panel=CLASSES,
            help="a manifest of recordings with their true classes: prints metrics; replaces AUDIO",
        ),
    ] = None
    label: Annotated[
        str | None,
        typer.Option(
            "--label",
            metavar="COLUMN",
            rich_help_panel=CLASSES,
            help="the column of --labels with the classes; default: speaker",
        ),
    ] = None
    out: Annotated[
        Path, typer.Option("--out", metavar="DIR", help="folder for the table and the plot of the clusters")
    ] = Path("runs/clusters")
    resample: Resample = False
    jobs: Jobs = 1
    quiet: Quiet = False

    def run(self) -> int:
        """Write ``clusters.tsv`` and ``clusters.png``, print a summary; returns how many recordings could not be used.

        Raises:
            ConfigError: No recording, or one that is named twice; a model without a background model; a choice that the
                method does not know; a column of no table; a file where the folder should be.
            DataError: No recording can be used; one that has no label; fewer recordings than clusters.
            ModelFileError: The model cannot be read.
        """
        from speechgmm.engine.audio_input import takes_frames
        from speechgmm.engine.compilation import compile_note
        from speechgmm.engine.console import Console
        from speechgmm.tasks.clustering.recordings import chosen, cluster_recordings, read_background

        if self.label is not None and self.labels is None:
            raise ConfigError(
                f"--label {self.label}: the column of a table of true classes; name the table with --labels FILE"
            )
        if self.out.is_file():
            raise ConfigError(f"--out {self.out}: a file; table and picture need a folder")
        true = {} if self.labels is None else _labels(self.labels, self.label or "speaker")
        file = None if self.model is None else read_background(model_file(self.model))
        paths = self._recordings(true, given=file is not None and takes_frames(file))
        method, kind, threshold = chosen(
            file,
            None if self.method is None else self.method.value,
            None if self.kind is None else self.kind.value,
            self.threshold,
            self.n_clusters,
        )
        with compile_note(Console(quiet=self.quiet)):
            done = cluster_recordings(
                paths,
                model=file,
                method=method,
                n_clusters=self.n_clusters,
                threshold=threshold,
                kind=kind,
                resample=self.resample,
                n_jobs=self.jobs or 1,
            )
        for _, error in done.failures:
            tell(f"error: {error}")
        if not self.quiet:
            for line in _about(done, method, kind, self.model):
                tell(line)
        self._write(done, [true[Path(str(path)).absolute()] for path in done.paths] if true else [])
        return len(done.failures)

    def _recordings(self, true: dict[Path, str], *, given: bool) -> list[Path]:
        """The recordings, each named once, with a true class where there is a table of them."""
        from speechgmm.report.text import recordings

        paths = recordings(self.audio, given=given) if self.audio else list(true)
        if not paths:
            raise ConfigError("nothing to cluster: name recordings, folders, or a table of them with --labels")
        counts = Counter(path.resolve() for path in paths)
        twice = next((path for path in paths if counts[path.resolve()] > 1), None)
        if twice is not None:
            raise ConfigError(f"{twice}: named more than once, and it would be clustered with itself; name it once")
        without = [path for path in paths if self.labels is not None and path.absolute() not in true]
        if without:
            raise DataError(
                f"{self.labels}: no row for {len(without)} of {len(paths)} recordings, such as {without[0]}; the "
                "column path is relative to the table"
            )
        return paths

    def _write(self, done: "RecordingClusters", classes: Sequence[str]) -> None:
        """Write table and picture, and print the summary."""
        from speechgmm.io.atomic import write_text
        from speechgmm.report.text import shown
        from speechgmm.tasks.clustering.summary import clusters_table, draw, metrics_lines, summary

        label = self.label or "speaker"
        self.out.mkdir(parents=True, exist_ok=True)
        write_text(self.out / "clusters.tsv", clusters_table(done, label, classes))
        metrics = metrics_lines(done, classes, label) if classes else ()
        for line in (*summary(done, estimated=self.n_clusters is None), *metrics):
            print(line)
        print(shown((self.out / "clusters.tsv").absolute()))
        if find_spec("matplotlib") is None:
            tell("no picture: matplotlib is not installed (pip install 'speechgmm[plot]')")
        else:
            draw(done, classes, self.out / "clusters.png")
            print(shown((self.out / "clusters.png").absolute()))


def _labels(path: Path, column: str) -> dict[Path, str]:
    """The true class of every recording of a manifest."""
    from speechgmm.corpus.readers.manifest import read_manifest

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


def _about(done: "RecordingClusters", method: str, kind: str, model: Path | None) -> list[str]:
    """What was decided by what."""
    import numpy as np

    from speechgmm.features import front_end

    found = done.found
    lines = []
    if found.own_ubm:
        lines.append(
            f"background model: {found.ubm.n_components} Gaussians trained on these recordings themselves, since no "
            f"model is given (--model); {done.audio.sample_rate} Hz" + (", resampled" if done.audio.resample else "")
        )
    else:
        lines.append(f"background model: {found.ubm.n_components} Gaussians of {model}")
    if found.threshold is not None and method == "spectral":
        lines.append(f"alike below a cosine distance of about {found.threshold:g}; --threshold changes it")
    elif found.threshold is not None:
        unit = {"cosine": "cosine distance", "ratio": "minus nats per frame", "bic": "nats"}[method]
        lines.append(f"merged while the nearest two were below {found.threshold:g} ({unit}); --threshold changes it")
    frame_shift = front_end(done.audio.features, done.audio.sample_rate).frame_shift
    seconds = float(np.median(done.n_frames)) * frame_shift / done.audio.sample_rate
    if kind == "speakers" and seconds < SHORT:
        lines.append(
            f"warning: half of the recordings have less than {seconds:.1f} s; below {SHORT:g} s the words tell two "
            "apart more than the voice (--kind sounds goes by that)"
        )
    return lines
