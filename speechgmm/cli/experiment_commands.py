"""Experiments: from a configuration to figures, and figures of score files."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from speechgmm.cli.app import Debug, Jobs, Quiet, app


class Figures(StrEnum):
    """How figures are printed."""

    table = "table"
    json = "json"


ConfigFile = Annotated[Path, typer.Argument(help="the configuration, a YAML file", metavar="CONFIG")]
Overrides = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY.PATH=VALUE", help="change a key of the configuration; may be given again"),
]
Out = Annotated[Path | None, typer.Option("--out", metavar="DIR", help="folder for the results")]
Scheduler = Annotated[
    str | None,
    typer.Option(
        "--scheduler",
        metavar="ADDRESS",
        help="run on the Dask cluster of this scheduler, such as tcp://10.0.0.1:8786; default: $SPEECHGMM_SCHEDULER, "
        "where the configuration has backend: dask",
    ),
]
TrustCluster = Annotated[
    bool,
    typer.Option("--trust-cluster", help="connect to the scheduler that CONFIG names; it can run any program here"),
]
Distance = Annotated[bool, typer.Option("--distance", help="the scores are distances, lower for targets: negate them")]


def _overrides(overrides: list[str] | None, jobs: int | None, scheduler: str | None = None) -> list[str]:
    """What options change in a configuration."""
    found = list(overrides or ())
    if jobs is not None:
        found.append(f"parallel.n_jobs={jobs}")
    if scheduler is not None:
        found += ["parallel.backend=dask", f"parallel.scheduler={scheduler}"]
    return found


def _run(
    config: Path,
    overrides: list[str],
    trust_cluster: bool,
    out: Path | None,
    quiet: bool,
    until: Any,
    verify_audio: bool = False,
) -> Any:
    from speechgmm.config import load_config
    from speechgmm.engine.console import Console
    from speechgmm.engine.runs import run

    experiment = load_config(config, overrides, trust_cluster=trust_cluster)
    return run(experiment, output=out, console=Console(quiet=quiet), until=until, verify_audio=verify_audio)


@app.command("run")
def run_command(
    config: ConfigFile,
    overrides: Overrides = None,
    out: Out = None,
    jobs: Jobs = None,
    scheduler: Scheduler = None,
    trust_cluster: TrustCluster = False,
    verify_audio: Annotated[
        bool,
        typer.Option(
            "--verify-audio", help="hash every recording, even if its size, dates and inode are those of the last run"
        ),
    ] = False,
    quiet: Quiet = False,
    debug: Debug = False,  # noqa: ARG001 (read by main)
) -> None:
    """Extract, train, score and evaluate; what was finished before is not done again."""
    from speechgmm.cli.results import print_result

    print_result(_run(config, _overrides(overrides, jobs, scheduler), trust_cluster, out, quiet, "run", verify_audio))


@app.command("extract")
def extract_command(
    config: ConfigFile,
    overrides: Overrides = None,
    out: Out = None,
    jobs: Jobs = None,
    scheduler: Scheduler = None,
    trust_cluster: TrustCluster = False,
    quiet: Quiet = False,
    debug: Debug = False,  # noqa: ARG001
) -> None:
    """The first stage of a run: check and extract every recording into the cache."""
    from speechgmm.cli.results import print_features

    print_features(_run(config, _overrides(overrides, jobs, scheduler), trust_cluster, out, quiet, "extract"))


@app.command("train")
def train_command(
    config: ConfigFile,
    overrides: Overrides = None,
    out: Out = None,
    jobs: Jobs = None,
    scheduler: Scheduler = None,
    trust_cluster: TrustCluster = False,
    quiet: Quiet = False,
    debug: Debug = False,  # noqa: ARG001
) -> None:
    """The first two stages of a run: extract, and train the class models."""
    from speechgmm.cli.results import print_models

    print_models(_run(config, _overrides(overrides, jobs, scheduler), trust_cluster, out, quiet, "train"))


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
    from speechgmm.cli.results import print_sweep
    from speechgmm.engine.console import Console
    from speechgmm.engine.sweeps import grid_points, sweep

    chosen = _overrides(overrides, jobs)
    print_sweep(sweep(config, grid_points(grid or (), points), chosen, output=out, console=Console(quiet=quiet)))


@app.command("compare")
def compare_command(
    runs: Annotated[list[Path], typer.Argument(help="folders of runs on the same test items", metavar="RUN RUN...")],
    debug: Debug = False,  # noqa: ARG001
) -> None:
    """Compare runs with the first on the same test items, by a paired bootstrap over groups."""
    from speechgmm.engine.comparison import compare_runs

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
    audio_root: Annotated[
        Path | None,
        typer.Option(
            "--audio-root",
            metavar="DIR",
            help="folder of the run's recordings; nothing outside of it is read; default: the one that the run names, "
            "if that lies below the current folder",
        ),
    ] = None,
    debug: Debug = False,  # noqa: ARG001
) -> None:
    """Make the report of a run anew, one page that opens offline, from the files in the run's folder."""
    from speechgmm.report.page import write_report

    print(write_report(folder, out, audio=audio, audio_root=audio_root))


@app.command("check")
def check_command(
    config: ConfigFile,
    overrides: Overrides = None,
    jobs: Jobs = None,
    quiet: Quiet = False,
    debug: Debug = False,  # noqa: ARG001
) -> None:
    """What is wrong with the data, before training: every recording is read, and all that cannot be used is listed."""
    from speechgmm.cli.checks import check_and_print

    if check_and_print(config, _overrides(overrides, jobs), quiet=quiet):
        raise typer.Exit(1)


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
    distance: Distance = False,
    form: Annotated[Figures, typer.Option("--format", help="how to print")] = Figures.table,
    debug: Debug = False,  # noqa: ARG001
) -> None:
    """Figures of any score file, with their intervals: ours, Kaldi's, a table with a header."""
    from speechgmm.cli.score_files import evaluate_and_print

    given = {"prior": prior, "cost_miss": cost_miss, "cost_false_alarm": cost_false_alarm}
    stakes = {name: value for name, value in given.items() if value is not None}
    evaluate_and_print(
        scores, trials, are_llrs=llr, stakes=stakes, threshold=threshold, form=str(form), distance=distance
    )


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
    distance: Distance = False,
    out: Annotated[Path | None, typer.Option(metavar="FILE", help="default: standard output")] = None,
    debug: Debug = False,  # noqa: ARG001
) -> None:
    """One file of log-likelihood ratios from several systems' scores, or from one's: fusion and calibration."""
    from speechgmm.cli.score_files import print_fused
    from speechgmm.tasks.verification.fusion import fuse_files

    found = fuse_files(
        scores,
        dev or (),
        trials=trials,
        dev_trials=dev_trials,
        p_target=p_target,
        quality=quality,
        n_folds=folds,
        distance=distance,
    )
    print_fused(found, out, dev=bool(dev))
