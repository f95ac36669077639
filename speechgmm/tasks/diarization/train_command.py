"""``train-diarizer``: a diarizer of recordings that have one speaker each."""

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from speechgmm.tasks.options import Quiet


class SpeakersKind(StrEnum):
    """Where speakers' recordings come from."""

    folder = "folder"
    manifest = "manifest"
    kaldi = "kaldi"
    librispeech = "librispeech"
    timit = "timit"
    fsdd = "fsdd"


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
    detector: Annotated[
        bool,
        typer.Option(
            "--detector/--no-detector",
            help="also train a speech detector, which says where somebody speaks; without it an energy does",
        ),
    ] = True
    seed: Annotated[int, typer.Option("--seed", metavar="N", min=0, help="seed of the random numbers")] = 0
    quiet: Quiet = False

    def run(self) -> None:
        """Train a diarizer on recordings of one speaker each and write it.

        Raises:
            DataError: The corpus cannot be read, or has too few speakers.
        """
        from speechgmm.corpus import CorpusSpec
        from speechgmm.engine.compilation import compile_note
        from speechgmm.engine.console import Console
        from speechgmm.io.locks import changing
        from speechgmm.report.text import shown
        from speechgmm.tasks.diarization.codec import save_diarizer
        from speechgmm.tasks.diarization.corpus import train_on_corpus

        console = Console(quiet=self.quiet)
        with compile_note(console):
            file = train_on_corpus(
                CorpusSpec(kind=self.kind.value, label="speaker"),
                self.corpus,
                n_components=self.components,
                n_conversations=self.conversations,
                with_detector=self.detector,
                seed=self.seed,
                console=console,
            )
        with changing(self.out):
            save_diarizer(file, self.out)
        learnt = file.learnt
        print(
            f"{shown(self.out)}\nbackground: {learnt.n_background} speakers; threshold {file.diarizer.threshold:.2f} "
            f"nats, learnt from {learnt.n_conversations} conversations of others, with a DER of "
            f"{100 * learnt.der:.1f} % (on training data, not on a test)\nwho speaks when: speechgmm diarize RECORDING "
            f"--model {shown(self.out)}"
        )
