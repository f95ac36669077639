"""Recordings without labels: who belongs together, and who speaks when."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from speechgmm.cli.app import Debug, Jobs, Quiet, Resample, app


class ClusterMethod(StrEnum):
    """How recordings are clustered."""

    cosine = "cosine"
    ratio = "ratio"
    bic = "bic"
    spectral = "spectral"


class Heard(StrEnum):
    """What recordings are clustered by."""

    speakers = "speakers"
    sounds = "sounds"


class Turns(StrEnum):
    """How turns of speakers are printed."""

    rttm = "rttm"
    textgrid = "textgrid"
    table = "table"


class Speakers(StrEnum):
    """Where speakers' recordings come from."""

    folder = "folder"
    manifest = "manifest"
    kaldi = "kaldi"
    librispeech = "librispeech"
    timit = "timit"
    fsdd = "fsdd"


@app.command("cluster")
def cluster_command(
    audio: Annotated[
        list[Path] | None, typer.Argument(help="recordings, or folders of recordings", metavar="[AUDIO...]")
    ] = None,
    model: Annotated[
        Path | None,
        typer.Option(
            "--model", metavar="MODEL", help="any with a background model; default: one is trained on the recordings"
        ),
    ] = None,
    method: Annotated[
        ClusterMethod | None,
        typer.Option(
            "--method",
            help="cosine: supervectors, average linkage; ratio: cross-likelihood ratios; bic: Gaussians; spectral: "
            "scikit-learn's; default: that of a MODEL of task: clustering, else cosine",
        ),
    ] = None,
    n_clusters: Annotated[
        int | None, typer.Option("--n-clusters", metavar="N", min=1, help="default: they are counted")
    ] = None,
    threshold: Annotated[
        float | None, typer.Option(metavar="X", help="where merging stops; default: as chosen on LibriSpeech")
    ] = None,
    kind: Annotated[
        Heard | None,
        typer.Option(
            "--kind",
            help="speakers: each recording's mean, its microphone, is taken away; sounds: it stays, and which spectra "
            "there are counts too; default: that of a MODEL of task: clustering, else speakers",
        ),
    ] = None,
    labels: Annotated[
        Path | None,
        typer.Option("--labels", metavar="FILE", help="a manifest that says who it truly is: figures; and AUDIO"),
    ] = None,
    label: Annotated[
        str | None, typer.Option("--label", metavar="COLUMN", help="the column of --labels; default: speaker")
    ] = None,
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="folder for table and picture")] = Path(
        "runs/clusters"
    ),
    resample: Resample = False,
    jobs: Jobs = 1,
    quiet: Quiet = False,
    debug: Debug = False,  # noqa: ARG001
) -> None:
    """Cluster recordings by unknown speaker or sound; the number of clusters is found, unless it is given."""
    from speechgmm.tasks.clustering.command import cluster_and_print

    if cluster_and_print(
        audio or [],
        model=model,
        method=None if method is None else method.value,
        n_clusters=n_clusters,
        threshold=threshold,
        kind=None if kind is None else kind.value,
        labels=labels,
        label=label,
        out=out,
        resample=resample,
        jobs=jobs or 1,
        quiet=quiet,
    ):
        raise typer.Exit(1)


@app.command("diarize")
def diarize_command(
    audio: Annotated[list[Path], typer.Argument(help="recordings, or folders of recordings", metavar="AUDIO...")],
    model: Annotated[
        Path | None,
        typer.Option(
            "--model", metavar="FILE", help="a diarizer (train-diarizer); default: learn from each recording itself"
        ),
    ] = None,
    n_speakers: Annotated[
        int | None, typer.Option("--n-speakers", metavar="N", min=1, help="how many speak; default: found out")
    ] = None,
    form: Annotated[Turns, typer.Option("--format", help="how to print")] = Turns.rttm,
    out: Annotated[Path | None, typer.Option("--out", metavar="DIR", help="a file for each recording, there")] = None,
    picture: Annotated[bool, typer.Option("--picture", help="with --out: draw each recording with its turns")] = False,
    reference: Annotated[
        Path | None, typer.Option("--reference", metavar="FILE", help="an RTTM of who really spoke: DER and JER")
    ] = None,
    collar: Annotated[
        float,
        typer.Option(
            metavar="S",
            min=0,
            help="with --reference: seconds on each side of its boundaries that do not count (as md-eval -c)",
        ),
    ] = 0.0,
    resample: Annotated[
        bool, typer.Option("--resample", help="resample other rates than the model's; without a model, all are")
    ] = False,
    jobs: Jobs = 1,
    quiet: Quiet = False,
    debug: Debug = False,  # noqa: ARG001
) -> None:
    """Who speaks when: turns of unknown speakers, their number found out, as RTTM."""
    from speechgmm.tasks.diarization.command import diarize_and_print

    failures = diarize_and_print(
        audio,
        model=model,
        n_speakers=n_speakers,
        out=out,
        form=str(form),
        reference=reference,
        collar=collar,
        picture=picture,
        resample=resample,
        jobs=jobs or 1,
        quiet=quiet,
    )
    if failures:
        raise typer.Exit(1)


@app.command("train-diarizer")
def train_diarizer_command(
    corpus: Annotated[
        Path, typer.Argument(help="recordings of one speaker each: their folder, or a manifest", metavar="CORPUS")
    ],
    out: Annotated[Path, typer.Option("--out", metavar="FILE", help="the diarizer, a .safetensors file")],
    kind: Annotated[
        Speakers, typer.Option("--kind", help="what CORPUS is; folder: one for each speaker")
    ] = Speakers.folder,
    components: Annotated[int, typer.Option("--components", metavar="K", min=2, help="of the background model")] = 64,
    conversations: Annotated[
        int, typer.Option("--conversations", metavar="N", min=3, help="made of half the speakers, for the threshold")
    ] = 40,
    seed: Annotated[int, typer.Option("--seed", metavar="N", min=0, help="of all that is drawn")] = 0,
    quiet: Quiet = False,
    debug: Debug = False,  # noqa: ARG001
) -> None:
    """Train what tells speakers apart, on recordings of one speaker each (eight speakers or more)."""
    from speechgmm.tasks.diarization.command import train_and_print

    train_and_print(
        corpus,
        kind=str(kind),
        out=out,
        n_components=components,
        n_conversations=conversations,
        seed=seed,
        quiet=quiet,
    )
