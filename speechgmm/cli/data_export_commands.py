"""Corpora, features and scores for other programs."""

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from speechgmm.tasks.options import ConfigFile, JobsOfRun, Overrides, Quiet


class CorpusFormat(StrEnum):
    """The formats."""

    kaldi = "kaldi"
    lhotse = "lhotse"
    npz = "npz"
    npy = "npy"
    htk = "htk"
    sphinx = "sphinx"


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportCorpus:
    """Write the utterances of a configuration, and their features, for another program."""

    config: ConfigFile
    overrides: Overrides = None
    form: Annotated[
        CorpusFormat,
        typer.Option(
            "--format",
            help="kaldi: data directories (wav.scp, segments, utt2spk, ...); lhotse: manifests of recordings, "
            "supervisions and cuts; npy, htk, sphinx: features, a file for each utterance; npz: features in one file",
        ),
    ]
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="the folder to write into")]
    features: Annotated[
        bool, typer.Option("--features", help="kaldi: write the features too, as feats.scp and feats.ark")
    ] = False
    normalised: Annotated[
        bool,
        typer.Option(
            "--normalised",
            help="features as models see them, after CMVN, VAD and transforms; default: all frames before these",
        ),
    ] = False
    jobs: JobsOfRun = None
    quiet: Quiet = False

    def run(self) -> None:
        """Write the files, and print which."""
        from speechgmm.cli.experiment_commands import overrides_of
        from speechgmm.config import load_config
        from speechgmm.engine.console import Console
        from speechgmm.engine.corpus_export import export_corpus
        from speechgmm.engine.job import prepare
        from speechgmm.io.locks import using_cache
        from speechgmm.report.text import shown

        experiment = load_config(self.config, overrides_of(self))
        with using_cache(experiment.cache()):
            job = prepare(experiment, console=Console(quiet=self.quiet))
            written = export_corpus(
                job, self.out, self.form.value, with_frames=self.features, as_models_see_them=self.normalised
            )
        for path in written:
            print(shown(path))


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportScores:
    """Write a score file as CSV, with a header and the truth as 1 and 0, for lir, pandas and spreadsheets."""

    scores: Annotated[
        Path, typer.Argument(help="a score file of any toolkit, or the folder of a run", metavar="SCORES")
    ]
    trials: Annotated[
        Path | None,
        typer.Option("--trials", metavar="FILE", help="which trials are targets, if the score file does not say it"),
    ] = None
    out: Annotated[Path, typer.Option("--out", metavar="FILE", help="the CSV file to write")]

    def run(self) -> None:
        """Write the file, and print its name."""
        from speechgmm.io.atomic import write_text
        from speechgmm.io.score_csv import score_csv
        from speechgmm.io.score_forms import scores_path
        from speechgmm.report.text import shown

        path = scores_path(self.scores) if self.scores.is_dir() else self.scores
        write_text(self.out, score_csv(path, self.trials))
        print(shown(self.out))
