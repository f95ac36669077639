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


class LabelsFormat(StrEnum):
    """How results with times are printed or written: for a person, in rows, or as label files of other programs."""

    text = "text"
    table = "table"
    tsv = "tsv"
    jsonl = "jsonl"
    csv = "csv"
    json = "json"
    textgrid = "textgrid"
    audacity = "audacity"
    raven = "raven"
    ctm = "ctm"
    rttm = "rttm"


class TableFormat(StrEnum):
    """How a table of runs is printed."""

    text = "text"
    tsv = "tsv"
    json = "json"
    markdown = "markdown"


MESSAGES = "Messages"
"""The group of options about what is printed beside results."""

STANDARD_INPUT = "Standard input"
"""A group of options."""


class RawFormat(StrEnum):
    """Samples of standard input, without a header."""

    s16le = "s16le"
    f32le = "f32le"


ConfigFile = Annotated[
    Path,
    typer.Argument(
        help="a configuration, a YAML file; or the name of one that comes with the package", metavar="CONFIG"
    ),
]
Overrides = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY.PATH=VALUE", help="set a key of the configuration; may be given several times"),
]
Model = Annotated[Path, typer.Argument(help="a model file, or the folder of a run", metavar="MODEL")]
Audio = Annotated[list[Path], typer.Argument(help="recordings, or folders of recordings", metavar="AUDIO")]
Form = Annotated[Format, typer.Option("--format", help="format of the output; tsv, jsonl: for programs")]
TableForm = Annotated[TableFormat, typer.Option("--format", help="format of the table; tsv, json: for programs")]
Resample = Annotated[
    bool,
    typer.Option(
        "--resample",
        help="resample recordings of other sample rates than the model's, also if its configuration does not",
    ),
]
NewModel = Annotated[Path | None, typer.Option("--out", metavar="FILE", help="the new model; default: MODEL itself")]
LabelsForm = Annotated[
    LabelsFormat | None,
    typer.Option(
        "--format",
        help="format of the output: text or table (for a person), tsv or jsonl (for programs), or that of a label "
        "file; default: by the suffix of --out",
    ),
]
LabelsOut = Annotated[
    Path | None,
    typer.Option(
        "--out",
        metavar="PATH",
        help="label file to write, such as a.TextGrid; or, with --format, folder for a label file of each recording",
    ),
]
Jobs = Annotated[int, typer.Option("--jobs", metavar="N", help="number of workers; -1: one per CPU core")]
JobsOfRun = Annotated[int | None, typer.Option("--jobs", metavar="N", help="number of workers; -1: one per CPU core")]
Distance = Annotated[
    bool, typer.Option("--distance", help="the scores are distances, lower for targets; they are negated")
]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", rich_help_panel=MESSAGES, help="print warnings and results only")]


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoreOptions:
    """The options of ``score`` that every kind of model takes."""

    model: Model
    audio: Audio
    form: LabelsForm = None
    out: LabelsOut = None
    raw: Annotated[
        RawFormat | None,
        typer.Option(
            "--raw",
            rich_help_panel=STANDARD_INPUT,
            help="AUDIO is -: standard input has samples of one channel in this format, without a header",
        ),
    ] = None
    rate: Annotated[
        int | None,
        typer.Option(
            "--rate", metavar="HZ", min=1, rich_help_panel=STANDARD_INPUT, help="with --raw: the sample rate in Hz"
        ),
    ] = None
    resample: Resample = False
    jobs: Jobs = 1
    quiet: Quiet = False
