"""``export-model``: a model for other programs."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from speechgmm.errors import ConfigError
from speechgmm.tasks.options import Model

if TYPE_CHECKING:
    from speechgmm.gmm.model import DiagGMM

BACKGROUND = "background"


class ModelFormat(StrEnum):
    """The formats."""

    kaldi = "kaldi"
    onnx = "onnx"
    numpy = "numpy"


@dataclass(frozen=True, slots=True, kw_only=True)
class Export:
    """Write a model of classes for Kaldi, for ONNX, or with a scorer that needs numpy alone."""

    model: Model
    form: Annotated[
        ModelFormat,
        typer.Option(
            "--format",
            help="kaldi: mixtures alone (AmDiagGmm, pdf n is class n); onnx: a graph, frames in and scores out; numpy: "
            "a folder with the model and one Python file that scores WAV files",
        ),
    ]
    out: Annotated[
        Path, typer.Option("--out", metavar="PATH", help="the file to write; with --format numpy: the folder")
    ]
    leave_out: Annotated[
        list[str] | None,
        typer.Option(
            "--leave-out",
            metavar="NAME",
            help="onnx, numpy: leave out a part of scoring that the format cannot hold, such as calibration; may be "
            "given several times",
        ),
    ] = None
    mixture: Annotated[
        str | None,
        typer.Option(
            "--mixture",
            metavar="LABEL",
            help=f"kaldi: write the mixture of this class alone, as a DiagGmm; {BACKGROUND}: the background model",
        ),
    ] = None
    text: Annotated[bool, typer.Option("--text", help="kaldi: write text in place of binary")] = False

    def run(self) -> None:
        """Write it, and print what was written.

        Raises:
            ConfigError: The format cannot hold all that the model scores with; options of another format; a model of
                another task.
            ModelFileError: It is no model file.
        """
        if self.form is not ModelFormat.kaldi and (self.text or self.mixture is not None):
            raise ConfigError("--text and --mixture are for --format kaldi; leave them out")
        left_out = self.leave_out or []
        if self.form is ModelFormat.kaldi:
            if left_out:
                raise ConfigError("--leave-out is for --format onnx and numpy: a file of Kaldi holds mixtures alone")
            self._to_kaldi()
        elif self.form is ModelFormat.onnx:
            from speechgmm.engine.onnx_graph import export_onnx

            export_onnx(self.model, self.out, leave_out=left_out)
            print(f"{self.out}: an ONNX graph")
        else:
            from speechgmm.engine.scorer_file import SCORER, export_scorer

            export_scorer(self.model, self.out, leave_out=left_out)
            print(f"{self.out}: python {SCORER} models.safetensors RECORDING.wav")

    def _to_kaldi(self) -> None:
        from speechgmm.engine.exported_model import exported
        from speechgmm.io.kaldi_models import write_kaldi_models

        model = exported(self.model)
        named = dict(zip(model.labels, model.mixtures, strict=True))
        if model.background is not None:
            named.setdefault(BACKGROUND, model.background)
        chosen: DiagGMM | Sequence[DiagGMM] = model.mixtures
        if self.mixture is not None:
            if self.mixture not in named:
                raise ConfigError(f"--mixture {self.mixture}: the model has {', '.join(list(named)[:20])}")
            chosen = named[self.mixture]
        write_kaldi_models(chosen, self.out, text=self.text)
        if self.mixture is not None:
            print(f"{self.out}: the mixture of {self.mixture}, a DiagGmm")
            return
        print(f"{self.out}: {len(model.mixtures)} mixtures, an AmDiagGmm")
        for number, label in enumerate(model.labels):
            print(f"pdf {number}\t{label}")
