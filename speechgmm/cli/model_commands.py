"""New recordings against a model, and into it."""

import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from speechgmm.cli.app import Debug, Jobs, Quiet, Resample, app
from speechgmm.errors import ConfigError

TOP = 3
"""Classes that `score` prints of a recording."""


class Format(StrEnum):
    """How results are printed."""

    table = "table"
    tsv = "tsv"
    jsonl = "jsonl"


class Said(StrEnum):
    """How words with their times are printed."""

    text = "text"
    ctm = "ctm"
    textgrid = "textgrid"
    jsonl = "jsonl"


Model = Annotated[Path, typer.Argument(help="models.safetensors of a run, or the run's folder", metavar="MODEL")]
Audio = Annotated[list[Path], typer.Argument(help="recordings, or folders of recordings", metavar="AUDIO...")]
TextGrids = Annotated[Path | None, typer.Option("--out", metavar="DIR", help="textgrid: one for each recording")]


_Window = Annotated[float | None, typer.Option("--window", metavar="S", help="score windows of S seconds")]
_Hop = Annotated[
    float | None, typer.Option("--hop", metavar="S", help="from one window to the next; default: --window")
]
_Speaker = Annotated[
    str | None,
    typer.Option("--speaker", metavar="NAME", help="with cmvn: speaker: the recordings are all of one speaker"),
]
_Label = Annotated[
    str | None,
    typer.Option("--label", metavar="NAME", help="anomaly models: the class that recordings are compared with"),
]
_Curve = Annotated[
    Path | None,
    typer.Option(
        "--curve",
        metavar="DIR",
        help="anomaly models: folder for when each recording is odd, as table and picture",
    ),
]
_Segments = Annotated[
    Path | None,
    typer.Option(
        "--segments",
        metavar="TABLE",
        help="segment models: where segments are: .tsv, .csv or .jsonl (path, start, end in s), a TextGrid, or a "
        "folder of TextGrids",
    ),
]


@app.command("score")
def score_command(
    model: Model,
    audio: Audio,
    form: Annotated[Format, typer.Option("--format", help="how to print")] = Format.table,
    top: Annotated[int, typer.Option("--top", metavar="N", min=1, help="classes to print per recording")] = TOP,
    window: _Window = None,
    hop: _Hop = None,
    segments: _Segments = None,
    resample: Resample = False,
    speaker: _Speaker = None,
    label: _Label = None,
    curve: _Curve = None,
    jobs: Jobs = 1,
    quiet: Quiet = False,
) -> None:
    """Score new recordings against a model: ranked classes with log-likelihood per frame, posterior and margin.

    With a calibrated verification model: with log-likelihood ratios, and "unknown" where the best is too low. With a
    model of what is normal (task: anomaly): how odd each recording is, whether that is anomalous, and when. With a
    model of segments: each segment that --segments names.
    """
    from speechgmm.tasks.anomaly.score_command import score_if_anomaly_model
    from speechgmm.tasks.segments.score_command import score_if_segments_given

    given: dict[str, object] = {"--window": window, "--hop": hop, "--speaker": speaker}
    failures = score_if_anomaly_model(
        model,
        audio,
        label=label,
        curve=curve,
        refused={**given, "--top": None if top == TOP else top, "--segments": segments},
        form=str(form),
        resample=resample,
        jobs=jobs or 1,
        quiet=quiet,
    )
    if failures is None:
        failures = score_if_segments_given(
            model, audio, segments, form=str(form), top=top, resample=resample, refused=given
        )
    if failures is None:
        from speechgmm.tasks.classification.command import score_and_print

        failures = score_and_print(
            model,
            audio,
            form=str(form),
            top=top,
            window=window,
            hop=hop,
            speaker=speaker,
            resample=resample,
            jobs=jobs or 1,
            quiet=quiet,
        )
    if failures:
        raise typer.Exit(1)


@app.command("verify")
def verify_command(
    model: Model,
    audio: Audio,
    claim: Annotated[
        str, typer.Option("--claim", metavar="LABEL", help="the class that the recordings are claimed to be of")
    ],
    threshold: Annotated[
        float | None,
        typer.Option(
            metavar="X",
            help="accept from this log-likelihood ratio on (nats; default: by the model's prior and costs), or from "
            "this score, where the model is not calibrated (nats per frame; default: 0)",
        ),
    ] = None,
    form: Annotated[Format, typer.Option("--format", help="how to print")] = Format.table,
    exit_status: Annotated[
        bool, typer.Option("--exit-status", help="end with status 3 where a claim is rejected")
    ] = False,
    resample: Resample = False,
    jobs: Jobs = 1,
    quiet: Quiet = False,
    debug: Debug = False,  # noqa: ARG001
) -> None:
    """Accept or reject a claim by its calibrated log-likelihood ratio, or by its score where there is none."""
    from speechgmm.tasks.verification.command import verify_and_print

    failures, rejected = verify_and_print(
        model,
        audio,
        claim,
        threshold=threshold,
        form=str(form),
        resample=resample,
        jobs=jobs or 1,
        quiet=quiet,
    )
    if failures:
        raise typer.Exit(1)
    if rejected and exit_status:
        raise typer.Exit(3)


@app.command("enrol")
def enrol_command(
    model: Model,
    audio: Audio,
    label: Annotated[str, typer.Option("--label", metavar="NAME", help="name of the new class")],
    out: Annotated[Path | None, typer.Option("--out", metavar="FILE", help="default: the model itself")] = None,
    resample: Resample = False,
    debug: Debug = False,  # noqa: ARG001
) -> None:
    """Add a class to a model: adapted from its background model, or trained as its other classes were."""
    from speechgmm.tasks.verification.command import enrol_and_print

    enrol_and_print(model, audio, label, out=out, resample=resample)


@app.command("update")
def update_command(
    model: Annotated[Path, typer.Argument(help="models.safetensors of a run, or the run's folder", metavar="MODEL")],
    audio: Annotated[list[Path], typer.Argument(help="recordings, or folders of recordings", metavar="AUDIO...")],
    label: Annotated[str, typer.Option("--label", metavar="NAME", help="the class that the recordings are of")],
    keep: Annotated[
        float, typer.Option("--keep", metavar="SHARE", help="what was seen before counts so many times; below 1: less")
    ] = 1.0,
    worth: Annotated[
        float | None,
        typer.Option("--worth", metavar="S", help="seconds of speech that the class has seen, if the model is older"),
    ] = None,
    out: Annotated[Path | None, typer.Option("--out", metavar="FILE", help="default: the model itself")] = None,
    in_place: Annotated[
        bool, typer.Option("--in-place", help="overwrite the model; the next release does so only with this option")
    ] = False,
    resample: Annotated[
        bool, typer.Option("--resample", help="resample other rates even if the model's configuration does not")
    ] = False,
    quiet: Quiet = False,
    debug: Debug = False,  # noqa: ARG001
) -> None:
    """Add recordings to a class of a model: they count as much as those that it was trained on."""
    from speechgmm.tasks.classification.update_command import update_and_print

    if in_place and out is not None:
        raise ConfigError("--in-place overwrites the model and --out names another file; give one of them")
    update_and_print(model, audio, label, worth=worth, keep=keep, out=out, resample=resample, quiet=quiet)
    if out is None and not in_place:
        print(
            "warning: the model was overwritten; from the next release on this needs --in-place, or --out FILE for "
            "another file",
            file=sys.stderr,
        )


@app.command("recognise")
def recognise_command(
    model: Model,
    audio: Audio,
    form: Annotated[Said, typer.Option("--format", help="how to print; all but text with times")] = Said.text,
    top: Annotated[
        int, typer.Option("--top", metavar="N", min=1, help="text, jsonl: the N best ways, and how far below (nats)")
    ] = 1,
    out: TextGrids = None,
    resample: Resample = False,
    jobs: Jobs = 1,
    quiet: Quiet = False,
    debug: Debug = False,  # noqa: ARG001
) -> None:
    """Recognise the words (or phones) of new recordings."""
    from speechgmm.tasks.recognition.command import recognise_and_print

    if recognise_and_print(
        model, audio, form=str(form), top=top, out=out, resample=resample, jobs=jobs or 1, quiet=quiet
    ):
        raise typer.Exit(1)


@app.command("align")
def align_command(
    model: Model,
    audio: Annotated[
        list[Path] | None, typer.Argument(help="recordings, or folders of recordings", metavar="[AUDIO...]")
    ] = None,
    text: Annotated[
        str | None, typer.Option("--text", metavar="WORDS", help="what is said in each of the recordings")
    ] = None,
    texts: Annotated[
        Path | None,
        typer.Option("--texts", metavar="FILE", help="instead: a manifest of recordings with what is said in each"),
    ] = None,
    dictionary: Annotated[
        Path | None, typer.Option("--dictionary", metavar="FILE", help="pronunciations of words not in the model")
    ] = None,
    form: Annotated[Said, typer.Option("--format", help="how to print")] = Said.text,
    out: TextGrids = None,
    resample: Resample = False,
    jobs: Jobs = 1,
    quiet: Quiet = False,
    debug: Debug = False,  # noqa: ARG001
) -> None:
    """Find when the words of a text are said: forced alignment."""
    from speechgmm.tasks.recognition.command import align_and_print

    if align_and_print(
        model,
        audio or [],
        text,
        texts=texts,
        dictionary=dictionary,
        form=str(form),
        out=out,
        resample=resample,
        jobs=jobs or 1,
        quiet=quiet,
    ):
        raise typer.Exit(1)
