"""Experiments: from a configuration to models and metrics, and what is made of runs."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from speechgmm.tasks.options import ConfigFile, JobsOfRun, Overrides, Quiet

if TYPE_CHECKING:
    from speechgmm.engine.runs import Result


@dataclass(frozen=True, slots=True, kw_only=True)
class _Experiment:
    """The options of commands that run a configuration."""

    config: ConfigFile
    overrides: Overrides = None
    out: Annotated[Path | None, typer.Option("--out", metavar="DIR", help="folder for the results")] = None
    jobs: JobsOfRun = None
    scheduler: Annotated[
        str | None,
        typer.Option(
            "--scheduler",
            metavar="ADDRESS",
            help="run on the Dask cluster of this scheduler, such as tcp://10.0.0.1:8786; default: "
            "$SPEECHGMM_SCHEDULER, where the configuration has backend: dask",
        ),
    ] = None
    trust_cluster: Annotated[
        bool,
        typer.Option("--trust-cluster", help="connect to the scheduler that CONFIG names; it can run any program here"),
    ] = False
    quiet: Quiet = False

    def _result(self, until: Any, *, verify_audio: bool = False) -> "Result":
        from speechgmm.config import load_config
        from speechgmm.engine.console import Console
        from speechgmm.engine.runs import run

        overrides = _overrides(self)
        if self.scheduler is not None:
            overrides += ["parallel.backend=dask", f"parallel.scheduler={self.scheduler}"]
        experiment = load_config(self.config, overrides, trust_cluster=self.trust_cluster)
        console = Console(quiet=self.quiet)
        return run(experiment, output=self.out, console=console, until=until, verify_audio=verify_audio)


@dataclass(frozen=True, slots=True, kw_only=True)
class Run(_Experiment):
    """Extract, train, score and evaluate; what was finished before is not done again."""

    verify_audio: Annotated[
        bool,
        typer.Option(
            "--verify-audio", help="hash every recording, even if its size, dates and inode are those of the last run"
        ),
    ] = False

    def run(self) -> None:
        """Run, and print the metrics."""
        from speechgmm.cli.results import print_result

        print_result(self._result("run", verify_audio=self.verify_audio))


@dataclass(frozen=True, slots=True, kw_only=True)
class Extract(_Experiment):
    """The first stage of a run: check and extract every recording into the cache."""

    def run(self) -> None:
        """Extract, and print what was extracted."""
        from speechgmm.cli.results import print_features

        print_features(self._result("extract"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Train(_Experiment):
    """The first two stages of a run: extract, and train the class models."""

    def run(self) -> None:
        """Train, and print how each model was trained."""
        from speechgmm.cli.results import print_models

        print_models(self._result("train"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Sweep(_Experiment):
    """Run a grid of settings and choose by inner folds (or the split dev), never by the test."""

    grid: Annotated[
        list[str] | None,
        typer.Option("--grid", metavar="KEY=A,B,...", help="values of a key; again: all combinations"),
    ] = None
    points: Annotated[
        Path | None, typer.Option("--list", metavar="FILE", help="a YAML file with a list of settings instead")
    ] = None

    def run(self) -> None:
        """Run every point, and print the grid and the metrics of the setting that was chosen."""
        from speechgmm.cli.results import print_sweep
        from speechgmm.engine.console import Console
        from speechgmm.engine.sweeps import grid_points, sweep

        points = grid_points(self.grid or (), self.points)
        print_sweep(sweep(self.config, points, _overrides(self), output=self.out, console=Console(quiet=self.quiet)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Compare:
    """Compare runs with the first on the same test items, by a paired bootstrap over groups."""

    runs: Annotated[list[Path], typer.Argument(help="folders of runs on the same test items", metavar="RUN RUN...")]

    def run(self) -> None:
        """Print the differences with their intervals."""
        from speechgmm.engine.comparison import compare_runs

        print(compare_runs(self.runs))


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """Make the report of a run anew, one page that opens offline, from the files in the run's folder."""

    folder: Annotated[Path, typer.Argument(help="the folder of a run", metavar="RUN")]
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FILE", help="default: report.html in the run's folder")
    ] = None
    audio: Annotated[
        int | None,
        typer.Option(
            "--audio",
            metavar="N",
            min=0,
            max=50,
            help="how many of the worst errors can be listened to in it; 0: it holds nobody's voice; default: as the "
            "run's configuration says",
        ),
    ] = None

    audio_root: Annotated[
        Path | None,
        typer.Option(
            "--audio-root",
            metavar="DIR",
            help="folder of the run's recordings; nothing outside of it is read; default: the one that the run names, "
            "if that lies below the current folder",
        ),
    ] = None

    def run(self) -> None:
        """Write the page, and print where it is."""
        from speechgmm.report.page import write_report

        print(write_report(self.folder, self.out, audio=self.audio, audio_root=self.audio_root))


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """What is wrong with the data, before training: every recording is read, and all that cannot be used is listed."""

    config: ConfigFile
    overrides: Overrides = None
    jobs: JobsOfRun = None
    quiet: Quiet = False

    def run(self) -> int:
        """Print what was found; returns how many utterances cannot be used."""
        from speechgmm.cli.checks import check_and_print

        return check_and_print(self.config, _overrides(self), quiet=self.quiet)


def _overrides(command: _Experiment | Check) -> list[str]:
    """The settings that replace those of the configuration."""
    jobs = [] if command.jobs is None else [f"parallel.n_jobs={command.jobs}"]
    return [*(command.overrides or ()), *jobs]
