"""The command line: thin wrappers that import what they need when they run.

Results go to standard output, everything else to standard error. Exit status: 0 done; 1 the work failed; 2 the command
line or the configuration is wrong; 130 interrupted.
"""

import errno
import io
import os
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from speechgmm.errors import ConfigError, SpeechGMMError


class _Commands(TyperGroup):
    """Commands whose errors end in one paragraph and a status, not in a traceback (``--debug`` shows it)."""

    def invoke(self, ctx: Any) -> Any:
        # A file name that is not UTF-8, or a label that the terminal cannot show, must not end the work.
        for stream in (sys.stdout, sys.stderr):
            if isinstance(stream, io.TextIOWrapper):
                stream.reconfigure(errors="backslashreplace")
        try:
            result = super().invoke(ctx)
            sys.stdout.flush()
            return result
        except KeyboardInterrupt:
            print("interrupted; what was finished is kept: the same command goes on from there", file=sys.stderr)
            raise typer.Exit(130) from None
        except OSError as error:
            if "--debug" in sys.argv or error.errno == errno.EPIPE:
                raise
            print(f"error: {error}", file=sys.stderr)
            # What is left in the buffer cannot be written either.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise typer.Exit(1) from None
        except (SpeechGMMError, MemoryError) as error:
            if "--debug" in sys.argv:
                raise
            text = (
                str(error) if isinstance(error, SpeechGMMError) else "out of memory; fewer workers (--jobs) need less"
            )
            print(f"error: {text}", file=sys.stderr)
            raise typer.Exit(2 if isinstance(error, ConfigError) else 1) from None


app = typer.Typer(
    name="speechgmm",
    cls=_Commands,
    help="Gaussian mixtures for speech: from a folder of recordings to class models, decisions and figures.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


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


class Figures(StrEnum):
    """How figures are printed."""

    table = "table"
    json = "json"


ConfigFile = Annotated[Path, typer.Argument(help="the configuration, a YAML file", metavar="CONFIG")]
Model = Annotated[Path, typer.Argument(help="models.safetensors of a run, or the run's folder", metavar="MODEL")]
Audio = Annotated[list[Path], typer.Argument(help="recordings, or folders of recordings", metavar="AUDIO...")]
Resample = Annotated[
    bool, typer.Option("--resample", help="resample other rates even if the model's configuration does not")
]
TextGrids = Annotated[Path | None, typer.Option("--out", metavar="DIR", help="textgrid: one for each recording")]
Overrides = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY.PATH=VALUE", help="change a key of the configuration; may be given again"),
]
Out = Annotated[Path | None, typer.Option("--out", metavar="DIR", help="folder for the results")]
Jobs = Annotated[int | None, typer.Option("--jobs", metavar="N", help="workers; -1: one per CPU core")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="warnings and results only")]
Debug = Annotated[bool, typer.Option("--debug", help="show the traceback of an error")]


def _run(config: Path, overrides: list[str] | None, out: Path | None, jobs: int | None, quiet: bool, until: Any) -> Any:
    from speechgmm.console import Console
    from speechgmm.pipeline.running import run

    chosen = [*(overrides or ()), *([f"parallel.n_jobs={jobs}"] if jobs is not None else [])]
    return run(config, chosen, output=out, console=Console(quiet=quiet), until=until)


@app.command("run")
def run_command(
    config: ConfigFile,
    overrides: Overrides = None,
    out: Out = None,
    jobs: Jobs = None,
    quiet: Quiet = False,
    debug: Debug = False,  # noqa: ARG001 (read by main)
) -> None:
    """Extract, train, score and evaluate; what was finished before is not done again."""
    from speechgmm.cli.printing import print_result

    print_result(_run(config, overrides, out, jobs, quiet, "run"))


@app.command("extract")
def extract_command(
    config: ConfigFile,
    overrides: Overrides = None,
    out: Out = None,
    jobs: Jobs = None,
    quiet: Quiet = False,
    debug: Debug = False,  # noqa: ARG001
) -> None:
    """The first stage of a run: check and extract every recording into the cache."""
    from speechgmm.cli.printing import print_features

    print_features(_run(config, overrides, out, jobs, quiet, "extract"))


@app.command("train")
def train_command(
    config: ConfigFile,
    overrides: Overrides = None,
    out: Out = None,
    jobs: Jobs = None,
    quiet: Quiet = False,
    debug: Debug = False,  # noqa: ARG001
) -> None:
    """The first two stages of a run: extract, and train the class models."""
    from speechgmm.cli.printing import print_models

    print_models(_run(config, overrides, out, jobs, quiet, "train"))


@app.command("score")
def score_command(
    model: Model,
    audio: Audio,
    form: Annotated[Format, typer.Option("--format", help="how to print")] = Format.table,
    top: Annotated[int, typer.Option("--top", metavar="N", min=1, help="classes to print per recording")] = TOP,
    window: Annotated[float | None, typer.Option(metavar="S", help="score windows of S seconds")] = None,
    hop: Annotated[
        float | None, typer.Option(metavar="S", help="from one window to the next; default: --window")
    ] = None,
    resample: Resample = False,
    speaker: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="with cmvn: speaker: the recordings are all of one speaker"),
    ] = None,
    label: Annotated[
        str | None, typer.Option(metavar="NAME", help="anomaly models: the class that recordings are compared with")
    ] = None,
    curve: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="anomaly models: folder for when each recording is odd, as table and picture"),
    ] = None,
    jobs: Jobs = 1,
    quiet: Quiet = False,
    debug: Debug = False,  # noqa: ARG001
) -> None:
    """Score new recordings against a model: ranked classes with log-likelihood per frame, posterior and margin.

    With a calibrated verification model: with log-likelihood ratios, and "unknown" where the best is too low. With a
    model of what is normal (task: anomaly): how odd each recording is, whether that is anomalous, and when.
    """
    from speechgmm.cli.anomalies import score_if_anomaly_model

    options = {"--window": window, "--hop": hop, "--speaker": speaker, "--top": None if top == TOP else top}
    odd = score_if_anomaly_model(
        model,
        audio,
        label=label,
        curve=curve,
        refused=options,
        form=str(form),
        resample=resample,
        jobs=jobs or 1,
        quiet=quiet,
    )
    if odd is not None:
        if odd:
            raise typer.Exit(1)
        return
    from speechgmm.cli.printing import score_and_print

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
    resample: Resample = False,
    jobs: Jobs = 1,
    quiet: Quiet = False,
    debug: Debug = False,  # noqa: ARG001
) -> None:
    """Accept or reject a claim by its calibrated log-likelihood ratio, or by its score where there is none."""
    from speechgmm.cli.claims import verify_and_print

    failures = verify_and_print(
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
    from speechgmm.cli.claims import enrol_and_print

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
    resample: Annotated[
        bool, typer.Option("--resample", help="resample other rates even if the model's configuration does not")
    ] = False,
    quiet: Quiet = False,
    debug: Debug = False,  # noqa: ARG001
) -> None:
    """Add recordings to a class of a model: they count as much as those that it was trained on."""
    from speechgmm.cli.updating import update_and_print

    update_and_print(model, audio, label, worth=worth, keep=keep, out=out, resample=resample, quiet=quiet)


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
    from speechgmm.cli.recognition import recognise_and_print

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
    from speechgmm.cli.recognition import align_and_print

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
        ClusterMethod,
        typer.Option(
            "--method",
            help="cosine: supervectors, average linkage; ratio: cross-likelihood ratios; bic: Gaussians; spectral: "
            "scikit-learn's",
        ),
    ] = ClusterMethod.cosine,
    n_clusters: Annotated[
        int | None, typer.Option("--n-clusters", metavar="N", min=1, help="default: they are counted")
    ] = None,
    threshold: Annotated[
        float | None, typer.Option(metavar="X", help="where merging stops; default: as chosen on LibriSpeech")
    ] = None,
    kind: Annotated[
        Heard,
        typer.Option(
            "--kind",
            help="speakers: each recording's mean, its microphone, is taken away; sounds: it stays, and which spectra "
            "there are counts too",
        ),
    ] = Heard.speakers,
    labels: Annotated[
        Path | None,
        typer.Option("--labels", metavar="FILE", help="a manifest that says who it truly is: figures; and AUDIO"),
    ] = None,
    label: Annotated[str, typer.Option("--label", metavar="COLUMN", help="the column of --labels")] = "speaker",
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="folder for table and picture")] = Path(
        "runs/clusters"
    ),
    resample: Resample = False,
    jobs: Jobs = 1,
    quiet: Quiet = False,
    debug: Debug = False,  # noqa: ARG001
) -> None:
    """Cluster recordings by unknown speaker or sound; the number of clusters is found, unless it is given."""
    from speechgmm.cli.clustering import cluster_and_print

    if cluster_and_print(
        audio or [],
        model=model,
        method=method.value,
        n_clusters=n_clusters,
        threshold=threshold,
        kind=kind.value,
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
        float, typer.Option(metavar="S", min=0, help="with --reference: time around its boundaries that does not count")
    ] = 0.0,
    resample: Annotated[
        bool, typer.Option("--resample", help="resample other rates than the model's; without a model, all are")
    ] = False,
    jobs: Jobs = 1,
    quiet: Quiet = False,
    debug: Debug = False,  # noqa: ARG001
) -> None:
    """Who speaks when: turns of unknown speakers, their number found out, as RTTM."""
    from speechgmm.cli.diarizing import diarize_and_print

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
    from speechgmm.cli.diarizing import train_and_print

    train_and_print(
        corpus,
        kind=str(kind),
        out=out,
        n_components=components,
        n_conversations=conversations,
        seed=seed,
        quiet=quiet,
    )


@app.command("evaluate")
def evaluate_command(
    scores: Annotated[Path, typer.Argument(help="a score file of any toolkit, or a run's folder", metavar="SCORES")],
    trials: Annotated[
        Path | None, typer.Option(metavar="T", help="which trials are targets, where the file does not say")
    ] = None,
    llr: Annotated[bool, typer.Option("--llr", help="the scores are natural-log likelihood ratios")] = False,
    prior: Annotated[float | None, typer.Option(metavar="P", help="of a target; default: the run's, else 0.01")] = None,
    cost_miss: Annotated[
        float | None, typer.Option(metavar="C", help="of rejecting a target; default: the run's, else 1")
    ] = None,
    cost_false_alarm: Annotated[
        float | None, typer.Option(metavar="C", help="of accepting a nontarget; default: the run's, else 1")
    ] = None,
    threshold: Annotated[
        float | None, typer.Option(metavar="X", help="also the errors where trials are accepted from here on")
    ] = None,
    form: Annotated[Figures, typer.Option("--format", help="how to print")] = Figures.table,
    debug: Debug = False,  # noqa: ARG001
) -> None:
    """Figures of any score file, with their intervals: ours, Kaldi's, a table with a header."""
    from speechgmm.cli.judging import evaluate_and_print

    given = {"prior": prior, "cost_miss": cost_miss, "cost_false_alarm": cost_false_alarm}
    stakes = {name: value for name, value in given.items() if value is not None}
    evaluate_and_print(scores, trials, are_llrs=llr, stakes=stakes, threshold=threshold, form=str(form))


@app.command("fuse")
def fuse_command(
    scores: Annotated[list[Path], typer.Argument(help="score files of the systems", metavar="SCORES...")],
    dev: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="FILE",
            help="the systems' scores of other trials, to train on, in the same order; default: speaker-disjoint folds "
            "of SCORES",
        ),
    ] = None,
    trials: Annotated[Path | None, typer.Option(metavar="T", help="which trials of SCORES are targets")] = None,
    dev_trials: Annotated[Path | None, typer.Option(metavar="T", help="which trials of --dev are targets")] = None,
    p_target: Annotated[float, typer.Option(metavar="P", help="prior that the ratios are to be best for")] = 0.5,
    quality: Annotated[
        bool,
        typer.Option(
            "--quality",
            help="also go by the column cohort_mean, how a cohort scores on each test: one map for quiet and noise",
        ),
    ] = False,
    folds: Annotated[int, typer.Option(metavar="N", min=4, help="without --dev: parts of the speakers")] = 10,
    out: Annotated[Path | None, typer.Option(metavar="FILE", help="default: standard output")] = None,
    debug: Debug = False,  # noqa: ARG001
) -> None:
    """One file of log-likelihood ratios from several systems' scores, or from one's: fusion and calibration."""
    from speechgmm.cli.judging import fuse_and_print

    fuse_and_print(
        scores,
        dev or (),
        trials=trials,
        dev_trials=dev_trials,
        p_target=p_target,
        quality=quality,
        n_folds=folds,
        out=out,
    )


@app.command("compare")
def compare_command(
    runs: Annotated[list[Path], typer.Argument(help="folders of runs on the same test items", metavar="RUN RUN...")],
    debug: Debug = False,  # noqa: ARG001
) -> None:
    """Compare runs with the first on the same test items, by a paired bootstrap over groups."""
    from speechgmm.pipeline.comparing import compare_runs

    print(compare_runs(runs))


@app.command("report")
def report_command(
    folder: Annotated[Path, typer.Argument(help="the folder of a run", metavar="RUN")],
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FILE", help="default: report.html in the run's folder")
    ] = None,
    audio: Annotated[
        int | None,
        typer.Option(
            "--audio",
            metavar="N",
            min=0,
            max=50,
            help="worst errors to be heard in it; 0: it holds nobody's voice; default: as the run's configuration says",
        ),
    ] = None,
    debug: Debug = False,  # noqa: ARG001
) -> None:
    """Make the report of a run anew, one page that opens offline, from the files in the run's folder."""
    from speechgmm.report.page import write_report

    print(write_report(folder, out, audio=audio))


@app.command("sweep")
def sweep_command(
    config: ConfigFile,
    grid: Annotated[
        list[str] | None,
        typer.Option("--grid", metavar="KEY=A,B,...", help="values of a key; again: all combinations"),
    ] = None,
    points: Annotated[
        Path | None, typer.Option("--list", metavar="FILE", help="a YAML file with a list of settings instead")
    ] = None,
    overrides: Overrides = None,
    out: Out = None,
    jobs: Jobs = None,
    quiet: Quiet = False,
    debug: Debug = False,  # noqa: ARG001
) -> None:
    """Run a grid of settings and choose by inner folds (or the split dev), never by the test."""
    from speechgmm.cli.printing import print_sweep
    from speechgmm.console import Console
    from speechgmm.pipeline.sweeping import grid_points, sweep

    chosen = [*(overrides or ()), *([f"parallel.n_jobs={jobs}"] if jobs is not None else [])]
    print_sweep(sweep(config, grid_points(grid or (), points), chosen, output=out, console=Console(quiet=quiet)))


@app.command("check")
def check_command(
    config: ConfigFile,
    overrides: Overrides = None,
    jobs: Jobs = None,
    quiet: Quiet = False,
    debug: Debug = False,  # noqa: ARG001
) -> None:
    """What is wrong with the data, before training: every recording is read, and all that cannot be used is listed."""
    from speechgmm.cli.checking import check_and_print

    chosen = [*(overrides or ()), *([f"parallel.n_jobs={jobs}"] if jobs is not None else [])]
    if check_and_print(config, chosen, quiet=quiet):
        raise typer.Exit(1)


@app.command("inspect")
def inspect_command(
    what: Annotated[
        Path,
        typer.Argument(help="a model file, a run's folder, or a folder of features", metavar="MODEL|RUN|FEATURES"),
    ],
    debug: Debug = False,  # noqa: ARG001
) -> None:
    """What is in this file or folder, for a person."""
    from speechgmm.cli.inspecting import inspect

    print(inspect(what))


@app.command("init")
def init_command(
    folder: Annotated[Path, typer.Argument(help="a folder of recordings", metavar="FOLDER")],
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FILE", help="default: FOLDER's name with .yaml, here")
    ] = None,
    debug: Debug = False,  # noqa: ARG001
) -> None:
    """Write a starter configuration for a folder of recordings."""
    from speechgmm.cli.starter import write_starter

    path = write_starter(folder, out)
    print(f"{path}\nnext: speechgmm run {path}")


@app.command("fetch")
def fetch_command(
    corpus: Annotated[str, typer.Argument(help="fsdd: the Free Spoken Digit Dataset", metavar="CORPUS")],
    to: Annotated[
        Path | None, typer.Option("--to", metavar="DIR", help="default: where a configuration looks for it")
    ] = None,
    url: Annotated[str | None, typer.Option("--url", metavar="URL", help="a mirror; checked all the same")] = None,
    quiet: Quiet = False,
    debug: Debug = False,  # noqa: ARG001
) -> None:
    """Download a public corpus, checked against a pinned hash; one that was interrupted goes on from there."""
    from speechgmm.cli.fetching import fetch_corpus

    print(fetch_corpus(corpus, to, url, quiet))


@app.command("demo")
def demo_command(
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="folder for the speech and the results")] = Path(
        "runs/demo"
    ),
    jobs: Jobs = None,
    quiet: Quiet = False,
    debug: Debug = False,  # noqa: ARG001
) -> None:
    """The whole job on speech generated on the spot: speakers, phones, and a recording never seen."""
    from speechgmm.cli.demo import demo

    demo(out, jobs, quiet)


@app.command("schema")
def schema_command(
    template: Annotated[bool, typer.Option("--template", help="a commented YAML file with every key instead")] = False,
    debug: Debug = False,  # noqa: ARG001
) -> None:
    """Print the JSON Schema of the configuration, for editors that complete and check YAML."""
    import json

    from speechgmm.config import json_schema
    from speechgmm.config import template as commented

    print(commented() if template else json.dumps(json_schema(), indent=1), end="" if template else "\n")


@app.command("cache")
def cache_command(
    clear: Annotated[bool, typer.Option("--clear", help="remove all cached features and class models")] = False,
    folder: Annotated[
        Path | None, typer.Option("--folder", metavar="DIR", help="another cache than the default")
    ] = None,
    debug: Debug = False,  # noqa: ARG001
) -> None:
    """Show or clear the cache of features and class models that all runs share."""
    from speechgmm.cli.inspecting import clear_cache, describe_cache

    print(clear_cache(folder) if clear else describe_cache(folder))


def _version(shown: bool) -> None:
    if shown:
        from speechgmm import __version__

        print(f"speechgmm {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="print the version and leave")
    ] = False,
) -> None:
    pass


def main() -> None:
    """Run a command."""
    app()


if __name__ == "__main__":
    main()
