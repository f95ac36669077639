"""``train-diarizer``: a diarizer of recordings that have one speaker each."""

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from speechgmm.errors import ConfigError
from speechgmm.tasks.options import Quiet


class SpeakersKind(StrEnum):
    """Where speakers' recordings come from."""

    folder = "folder"
    manifest = "manifest"
    kaldi = "kaldi"
    librispeech = "librispeech"
    timit = "timit"
    fsdd = "fsdd"


class Turns(StrEnum):
    """How turns of made conversations are drawn."""

    natural = "natural"
    uniform = "uniform"


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainDiarizer:
    """Train a diarizer on recordings that have one speaker each, of eight speakers or more."""

    corpus: Annotated[
        Path, typer.Argument(help="a folder or a manifest of recordings that have one speaker each", metavar="CORPUS")
    ]
    out: Annotated[Path, typer.Option("--out", metavar="FILE", help="the diarizer, a .safetensors file")]
    kind: Annotated[
        SpeakersKind, typer.Option("--kind", help="the kind of CORPUS; folder: a folder for each speaker")
    ] = SpeakersKind.folder
    components: Annotated[
        int, typer.Option("--components", metavar="K", min=2, help="number of components of the background model")
    ] = 64
    conversations: Annotated[
        int,
        typer.Option(
            "--conversations",
            metavar="N",
            min=3,
            help="number of conversations made from half of the speakers, to choose the threshold",
        ),
    ] = 40
    turns: Annotated[
        Turns,
        typer.Option(
            "--turns",
            help="turns of these conversations; natural: by statistics of conversations, with overlap and "
            "backchannels; uniform: of 1 to 5 s, without overlap",
        ),
    ] = Turns.natural
    turns_from: Annotated[
        Path | None,
        typer.Option(
            "--turns-from",
            metavar="FILE",
            help="an RTTM of conversations like yours, whose statistics natural takes; default: published ones",
        ),
    ] = None
    detector: Annotated[
        bool,
        typer.Option(
            "--detector/--no-detector",
            help="also train a speech detector, which finds where somebody speaks; else the energy decides",
        ),
    ] = True
    detect_overlap: Annotated[
        bool,
        typer.Option(
            "--detect-overlap",
            help="also train a detector of overlap, and keep it if it lowers the error of held-out conversations",
        ),
    ] = False
    seed: Annotated[int, typer.Option("--seed", metavar="N", min=0, help="seed of the random numbers")] = 0
    quiet: Quiet = False

    def run(self) -> None:
        """Train a diarizer on recordings of one speaker each and write it.

        Raises:
            ConfigError: Statistics for uniform turns.
            DataError: The corpus cannot be read, or has too few speakers; the statistics' file cannot be used.
        """
        from speechgmm.corpus import CorpusSpec
        from speechgmm.engine.compilation import compile_note
        from speechgmm.engine.console import Console
        from speechgmm.io.locks import changing
        from speechgmm.report.text import shown
        from speechgmm.tasks.diarization.codec import save_diarizer
        from speechgmm.tasks.diarization.command import NEXT_COMMAND
        from speechgmm.tasks.diarization.corpus import train_on_corpus
        from speechgmm.tasks.diarization.description import about_training
        from speechgmm.tasks.diarization.spec import DiarizerSpec
        from speechgmm.tasks.diarization.turn_files import statistics_of

        if self.turns_from is not None and self.turns is not Turns.natural:
            raise ConfigError("--turns-from gives statistics, and --turns is uniform: leave one of them out")
        if self.detect_overlap and self.turns is not Turns.natural:
            raise ConfigError(
                "--detect-overlap learns from overlap, and --turns uniform has none: leave one of them out"
            )
        console = Console(quiet=self.quiet)
        with compile_note(console):
            file = train_on_corpus(
                CorpusSpec(kind=self.kind.value, label="speaker"),
                self.corpus,
                DiarizerSpec(
                    n_components=self.components,
                    conversations=self.conversations,
                    detector=self.detector,
                    overlap="detect" if self.detect_overlap else "none",
                ),
                statistics=statistics_of(self.turns.value, self.turns_from),
                seed=self.seed,
                console=console,
            )
        with changing(self.out):
            save_diarizer(file, self.out)
        if self.detect_overlap:
            kept = "kept" if file.diarizer.overlap else "left out: it does not lower the DER of held-out conversations"
            print(f"detector of overlap: {kept}")
        print(f"{shown(self.out)}\n{about_training(file)}\n{NEXT_COMMAND} {shown(self.out)}")
