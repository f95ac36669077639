"""Experiments: from a configuration to models and metrics, and what is made of runs."""

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from speechgmm.errors import ConfigError
from speechgmm.tasks.options import ConfigFile, JobsOfRun, Overrides, Quiet, TableForm, TableFormat

if TYPE_CHECKING:
    from speechgmm.cli.audit_command import Audit
    from speechgmm.cli.data_export_commands import ExportCorpus
    from speechgmm.engine.runs import RunResult


CLUSTER, TUNING = "Cluster", "Tuning"
"""Groups of options."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Experiment:
    """The options of commands that run a configuration."""

    config: ConfigFile
    overrides: Overrides = None
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="DIR", help="folder for the results; default: output of CONFIG, else runs/NAME"),
    ] = None
    jobs: JobsOfRun = None
    scheduler: Annotated[
        str | None,
        typer.Option(
            "--scheduler",
            metavar="ADDRESS",
            rich_help_panel=CLUSTER,
            help="run on the Dask cluster of this scheduler, such as tcp://10.0.0.1:8786; default: "
            "$SPEECHGMM_SCHEDULER, if CONFIG has parallel.backend: dask",
        ),
    ] = None
    trust_cluster: Annotated[
        bool,
        typer.Option(
            "--trust-cluster",
            rich_help_panel=CLUSTER,
            help="connect to the scheduler that CONFIG names, which can run any program on this machine",
        ),
    ] = False
    quiet: Quiet = False

    def _result(self, until: Any, *, verify_audio: bool = False) -> "RunResult":
        from speechgmm.config import load_config
        from speechgmm.engine.console import Console
        from speechgmm.engine.runs import run

        overrides = overrides_of(self)
        if self.scheduler is not None:
            overrides += ["parallel.backend=dask", f"parallel.scheduler={self.scheduler}"]
        experiment = load_config(self.config, overrides, trust_cluster=self.trust_cluster)
        console = Console(quiet=self.quiet)
        return run(experiment, output=self.out, console=console, until=until, verify_audio=verify_audio)


@dataclass(frozen=True, slots=True, kw_only=True)
class Run(_Experiment):
    """Extract features, train models, score the test split and evaluate; a run that was stopped goes on."""

    verify_audio: Annotated[
        bool,
        typer.Option(
            "--verify-audio",
            help="hash every recording, also those whose size, dates and inode are as in the run before",
        ),
    ] = False

    tune: Annotated[
        bool,
        typer.Option(
            "--tune",
            rich_help_panel=TUNING,
            help="after the run, try a few settings on inner folds (or the split dev), and run the best; prints "
            "beforehand how long this takes",
        ),
    ] = False
    tune_minutes: Annotated[
        float,
        typer.Option(
            "--tune-minutes",
            metavar="N",
            min=0.1,
            rich_help_panel=TUNING,
            help="with --tune: skip settings that would end later than this many minutes",
        ),
    ] = 30

    def run(self) -> None:
        """Run, and print the metrics; with ``tune`` also those of the sweep, and of the setting that it chose."""
        from speechgmm.cli.results import print_result

        if self.tune and (self.scheduler is not None or self.trust_cluster):
            raise ConfigError(
                "--tune takes the address of a cluster by --set parallel.scheduler=ADDRESS, as sweep does"
            )
        if self.tune:
            from speechgmm.engine.tuning import check_tunable

            check_tunable(self.config, overrides_of(self))
        result = self._result("run", verify_audio=self.verify_audio)
        print_result(result)
        if self.tune:
            self._tune(result)

    def _tune(self, result: "RunResult") -> None:
        from speechgmm.cli.results import print_result, print_sweep
        from speechgmm.config import load_config
        from speechgmm.config.overrides import as_override
        from speechgmm.engine.console import Console
        from speechgmm.engine.runs import run
        from speechgmm.engine.tuning import plan_tuning, tune
        from speechgmm.report.text import duration

        overrides, console, folder = overrides_of(self), Console(quiet=self.quiet), result.folder
        plan = plan_tuning(self.config, overrides, result)
        console.say(
            f"tuning: {len(plan.points)} settings, about {duration(plan.seconds)} by the time of this run (longer if "
            f"its models came from the cache), {duration(60 * self.tune_minutes)} at most"
        )
        place, tuned = folder.with_name(f"{folder.name}-tuning"), folder.with_name(f"{folder.name}-tuned")
        found = tune(self.config, overrides, plan, output=place, console=console, minutes=self.tune_minutes)
        print_sweep(found, _command(self.config, self.overrides, found.winner, tuned))
        if found.winner == plan.points[0]:
            print("the settings of the configuration are the best of these")
            return
        chosen = [*overrides, *(as_override(key, value) for key, value in found.winner.items())]
        experiment = load_config(self.config, chosen, trust_cluster=self.trust_cluster)
        print_result(run(experiment, output=tuned, console=console))


@dataclass(frozen=True, slots=True, kw_only=True)
class Extract(_Experiment):
    """Check all recordings and extract their features into the cache: the first stage of a run."""

    def run(self) -> None:
        """Extract, and print what was extracted."""
        from speechgmm.cli.results import print_features

        print_features(self._result("extract"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Train(_Experiment):
    """Extract features and train models, without a test: the first two stages of a run."""

    def run(self) -> None:
        """Train, and print how each model was trained."""
        from speechgmm.cli.results import print_models

        print_models(self._result("train"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Sweep(_Experiment):
    """Run a grid of settings and choose the best on inner folds (or the split dev), never on the test split."""

    grid: Annotated[
        list[str] | None,
        typer.Option(
            "--grid",
            metavar="KEY=A,B,...",
            help="values of a key; give it again for another key: all combinations are run",
        ),
    ] = None
    points: Annotated[
        Path | None,
        typer.Option("--list", metavar="FILE", help="a YAML file with a list of settings, instead of --grid"),
    ] = None

    def run(self) -> None:
        """Run every point, and print the grid and the metrics of the setting that was chosen."""
        from speechgmm.cli.results import print_sweep
        from speechgmm.engine.console import Console
        from speechgmm.engine.sweeps import grid_points, sweep

        points = grid_points(self.grid or (), self.points)
        found = sweep(self.config, points, overrides_of(self), output=self.out, console=Console(quiet=self.quiet))
        print_sweep(found, _command(self.config, self.overrides, found.winner))


@dataclass(frozen=True, slots=True, kw_only=True)
class Compare:
    """Compare runs with the first one on the same test items, by a paired bootstrap over groups."""

    runs: Annotated[list[Path], typer.Argument(help="folders of two runs or more", metavar="RUN")]
    form: TableForm = TableFormat.text

    def run(self) -> None:
        """Print the metrics of the runs and their differences with intervals."""
        from speechgmm.cli.comparison import print_comparison
        from speechgmm.engine.comparison import compare_runs

        print_comparison(compare_runs(self.runs), self.form)


@dataclass(frozen=True, slots=True, kw_only=True)
class Runs:
    """List the runs in a folder with their metrics and the settings in which they differ."""

    folder: Annotated[Path, typer.Argument(help="a folder with runs at any depth", metavar="FOLDER")] = Path("runs")
    form: TableForm = TableFormat.text

    def run(self) -> None:
        """Print a row for each run."""
        from speechgmm.cli.comparison import print_runs
        from speechgmm.engine.run_list import list_runs

        print_runs(list_runs(self.folder), self.form)


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """Write the report of a run again: one HTML page that needs no network."""

    folder: Annotated[Path, typer.Argument(help="the folder of a run", metavar="RUN")]
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="FILE", help="the page; default: report.html in the folder of the run"),
    ] = None
    audio: Annotated[
        int | None,
        typer.Option(
            "--audio",
            metavar="N",
            min=0,
            max=50,
            help="number of errors that can be listened to in the page; 0: the page holds no recording; default: as "
            "in the configuration of the run",
        ),
    ] = None

    audio_root: Annotated[
        Path | None,
        typer.Option(
            "--audio-root",
            metavar="DIR",
            help="folder of the recordings; nothing outside of it is read; default: that of the run, if it is below "
            "the current folder",
        ),
    ] = None

    def run(self) -> None:
        """Write the page, and print where it is."""
        from speechgmm.io.terminal import tell
        from speechgmm.report.page import write_report

        print(write_report(self.folder, self.out, audio=self.audio, audio_root=self.audio_root, say=tell))


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """Read all recordings, and list those that cannot be used and other faults of the data."""

    config: ConfigFile
    overrides: Overrides = None
    jobs: JobsOfRun = None
    quiet: Quiet = False

    def run(self) -> int:
        """Print what was found; returns how many utterances cannot be used."""
        from speechgmm.cli.checks import check_and_print

        return check_and_print(self.config, overrides_of(self), quiet=self.quiet)


def _command(
    config: Path, overrides: Sequence[str] | None, settings: Mapping[str, Any], out: Path | None = None
) -> str:
    """The command that runs a configuration with the settings of a sweep's point."""
    from speechgmm.config.overrides import as_override
    from speechgmm.report.text import shown

    given = [*(overrides or ()), *(as_override(key, value) for key, value in settings.items())]
    words = ["speechgmm", "run", str(config), *(word for one in given for word in ("--set", one))]
    return shlex.join([*words, *(("--out", shown(out)) if out is not None else ())])


def overrides_of(command: "_Experiment | Check | ExportCorpus | Audit") -> list[str]:
    """The settings that replace those of the configuration."""
    jobs = [] if command.jobs is None else [f"parallel.n_jobs={command.jobs}"]
    return [*(command.overrides or ()), *jobs]
