"""Score files: the metrics of one, and one made of several."""

from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from speechgmm.errors import ConfigError
from speechgmm.io.terminal import tell
from speechgmm.tasks.options import Distance

if TYPE_CHECKING:
    from speechgmm.evaluation.metric import Metrics
    from speechgmm.tasks.verification.fusion import Fused


DECISION = "Decision"
"""A group of options."""


class MetricsFormat(StrEnum):
    """How metrics are printed."""

    table = "table"
    json = "json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluate:
    """Compute metrics with intervals from a score file: of a run, of Kaldi, or a table with a header."""

    scores: Annotated[
        Path, typer.Argument(help="a score file of any toolkit, or the folder of a run", metavar="SCORES")
    ]
    trials: Annotated[
        Path | None, typer.Option(metavar="FILE", help="which trials are targets, if the score file does not say it")
    ] = None
    llr: Annotated[
        bool,
        typer.Option(
            "--llr", help="the scores are natural-log likelihood ratios: adds Cllr and the decisions at prior and costs"
        ),
    ] = False
    prior: Annotated[
        float | None,
        typer.Option(
            metavar="P",
            rich_help_panel=DECISION,
            help="prior probability of a target; default: that of the run, else 0.01",
        ),
    ] = None
    cost_miss: Annotated[
        float | None,
        typer.Option(
            metavar="C", rich_help_panel=DECISION, help="cost of rejecting a target; default: that of the run, else 1"
        ),
    ] = None
    cost_false_alarm: Annotated[
        float | None,
        typer.Option(
            metavar="C",
            rich_help_panel=DECISION,
            help="cost of accepting a non-target; default: that of the run, else 1",
        ),
    ] = None
    threshold: Annotated[
        float | None,
        typer.Option(
            metavar="X",
            rich_help_panel=DECISION,
            help="also print the error rates if trials are accepted from this score on",
        ),
    ] = None
    distance: Distance = False
    form: Annotated[MetricsFormat, typer.Option("--format", help="format of the output")] = MetricsFormat.table

    def run(self) -> None:
        """Print the metrics.

        Raises:
            ConfigError: A prior or a cost that cannot be, or an option that does not go with the file.
            DataError: A file that cannot be used.
        """
        from speechgmm.evaluation.metric import notes_of
        from speechgmm.report.text import metric_cells, print_table, shown
        from speechgmm.tasks.verification.score_files import evaluate_file, stakes_of_run

        given = {name: getattr(self, name) for name in ("prior", "cost_miss", "cost_false_alarm")}
        stakes = {name: value for name, value in given.items() if value is not None}
        for name, value in stakes.items():
            most = 1.0 if name == "prior" else float("inf")
            if not 0 < value < most:
                raise ConfigError(f"--{name.replace('_', '-')} {value:g}: expected more than 0 and less than {most:g}")
        decision = replace(stakes_of_run(self.scores), **stakes) if stakes else None
        found = evaluate_file(
            self.scores, self.trials, decision, are_llrs=self.llr, threshold=self.threshold, distance=self.distance
        )
        for note in found.notes:
            tell(_with_options(note))
        for remark, names in notes_of(found.metrics).items():
            tell(f"{', '.join(names)}: {remark}")
        if self.form == "json":
            import json

            print(json.dumps(_finite(found.metrics), indent=1))
            return
        print(f"{shown(self.scores.absolute())}: {found.about}")
        print_table([metric_cells(name, metric) for name, metric in found.metrics.items()], head=False)


def _finite(metrics: "Metrics") -> dict[str, dict[str, Any]]:
    """JSON has no infinity: a Cllr of ratios that are infinitely wrong is null."""
    inf = float("inf")
    return {
        name: {key: None if isinstance(value, float) and abs(value) == inf else value for key, value in metric.items()}
        for name, metric in metrics.items()
    }


def _with_options(note: str) -> str:
    """A note of the library, with the options that stand for its arguments."""
    return note.replace("are_llrs", "--llr").replace("(distance)", "(--distance)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Fuse:
    """Fuse the score files of several systems, or calibrate that of one: writes log-likelihood ratios."""

    scores: Annotated[list[Path], typer.Argument(help="one score file for each system", metavar="SCORES")]
    dev: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="FILE",
            help="scores of development trials to train on, one file for each system in the same order; default: "
            "speaker-disjoint folds of SCORES",
        ),
    ] = None
    trials: Annotated[Path | None, typer.Option(metavar="FILE", help="which trials of SCORES are targets")] = None
    dev_trials: Annotated[Path | None, typer.Option(metavar="FILE", help="which trials of --dev are targets")] = None
    p_target: Annotated[
        float, typer.Option(metavar="P", help="prior probability of a target that the ratios are optimised for")
    ] = 0.5
    quality: Annotated[
        bool,
        typer.Option(
            "--quality",
            help="also use the column cohort_mean, the mean score of a cohort on each test: one calibration for clean "
            "and noisy recordings",
        ),
    ] = False
    shared: Annotated[
        bool,
        typer.Option("--shared", help="leave out trials that are not in the files of all systems; says how many"),
    ] = False
    folds: Annotated[int, typer.Option(metavar="N", min=4, help="without --dev: number of folds of the speakers")] = 10
    distance: Distance = False
    out: Annotated[Path | None, typer.Option(metavar="FILE", help="the score file; default: standard output")] = None

    def run(self) -> None:
        """Write (or print) the score file that is made of several, and say by which weights.

        Raises:
            ConfigError: A prior that cannot be, or not as many dev files as systems.
            DataError: Files that cannot be used.
        """
        from speechgmm.io.atomic import write_text
        from speechgmm.report.text import shown
        from speechgmm.tasks.verification.fusion import fuse_systems
        from speechgmm.tasks.verification.systems import read_systems

        if self.dev_trials is not None and not self.dev:
            raise ConfigError("--dev-trials without --dev; give the score files of dev too")
        how = {"distance": self.distance, "shared": self.shared}
        systems = read_systems(self.scores, self.trials, needed=not self.dev, **how)
        others = read_systems(self.dev, self.dev_trials, **how) if self.dev else None
        found = fuse_systems(systems, others, p_target=self.p_target, quality=self.quality, n_folds=self.folds)
        for line in _about(found, by_dev=bool(self.dev)):
            tell(line)
        if self.out is None:
            print(found.text, end="")
        else:
            write_text(self.out, found.text)
            print(f"{shown(self.out.absolute())}: {found.text.count(chr(10)) - 1} trials")


def _about(found: "Fused", *, by_dev: bool) -> list[str]:
    """What the fusion was trained on, and its weights."""
    how = "other trials (--dev)" if by_dev else "speaker-disjoint folds of these trials; the weights shown are of all"
    lines = [f"warning: {_with_options(note)}" for note in found.notes]
    lines += [
        f"warning: {n} of {of} trials of {file} are not in the files of all systems, and are left out (--shared)"
        for file, (n, of) in found.left_out.items()
        if n
    ]
    lines += [f"trained on {found.n_targets} targets and {found.n_nontargets} non-targets, {how}"]
    if found.n_met:
        lines.append(
            f"warning: {found.n_met} trials are among those of --dev too, and their ratios look better than they are; "
            "train on trials of other speakers"
        )
    lines += [f"  {weight:10.4f}  {name}" for name, weight in zip(found.inputs, found.map.weights, strict=True)]
    lines.append(f"  {found.map.offset:10.4f}  offset (nats)")
    if found.map.separated:
        lines.append("targets and non-targets are separated perfectly: the weights are held back (smoothed)")
    return lines
