"""The options that several commands share, each declared once: name, unit, default.

A command is a frozen value of its options with a method ``run``, which returns how many recordings failed.
``cli/app.py`` makes the command line from its fields and its docstring.
"""

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer


class Format(StrEnum):
    """How results are printed."""

    table = "table"
    tsv = "tsv"
    jsonl = "jsonl"


class TimesFormat(StrEnum):
    """How words with their times are printed."""

    text = "text"
    ctm = "ctm"
    textgrid = "textgrid"
    jsonl = "jsonl"


class TableFormat(StrEnum):
    """How a table of runs is printed."""

    text = "text"
    tsv = "tsv"
    json = "json"
    markdown = "markdown"


MESSAGES = "Messages"
"""The group of options about what is printed beside results."""


class RawFormat(StrEnum):
    """Samples of standard input, without a header."""

    s16le = "s16le"
    f32le = "f32le"


ConfigFile = Annotated[Path, typer.Argument(help="the configuration, a YAML file", metavar="CONFIG")]
Overrides = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY.PATH=VALUE", help="change a key of the configuration; may be given again"),
]
Model = Annotated[Path, typer.Argument(help="models.safetensors of a run, or the run's folder", metavar="MODEL")]
Audio = Annotated[list[Path], typer.Argument(help="recordings, or folders of recordings", metavar="AUDIO")]
Form = Annotated[Format, typer.Option("--format", help="how to print")]
TableForm = Annotated[TableFormat, typer.Option("--format", help="how to print the table; tsv, json: for programs")]
Resample = Annotated[
    bool, typer.Option("--resample", help="resample other rates even if the model's configuration does not")
]
NewModel = Annotated[Path | None, typer.Option("--out", metavar="FILE", help="default: the model itself")]
TextGrids = Annotated[Path | None, typer.Option("--out", metavar="DIR", help="textgrid: one for each recording")]
Jobs = Annotated[int, typer.Option("--jobs", metavar="N", help="workers; -1: one per CPU core")]
JobsOfRun = Annotated[int | None, typer.Option("--jobs", metavar="N", help="workers; -1: one per CPU core")]
Distance = Annotated[bool, typer.Option("--distance", help="the scores are distances, lower for targets: negate them")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", rich_help_panel=MESSAGES, help="print warnings and results only")]


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoreOptions:
    """The options of ``score`` that every kind of model takes."""

    model: Model
    audio: Audio
    form: Form = Format.table
    raw: Annotated[
        RawFormat | None,
        typer.Option("--raw", help="AUDIO is -: standard input has samples of one channel in this format, no header"),
    ] = None
    rate: Annotated[int | None, typer.Option("--rate", metavar="HZ", min=1, help="with --raw: their sample rate")] = (
        None
    )
    resample: Resample = False
    jobs: Jobs = 1
    quiet: Quiet = False
