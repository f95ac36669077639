"""Results as text: aligned columns, durations, paths and metrics for standard output."""

import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from speechgmm.errors import ConfigError, counted
from speechgmm.io.run_files import RunFile, is_run
from speechgmm.io.terminal import one_line, tell, terminal, visible

if TYPE_CHECKING:
    from speechgmm.engine.class_report import ClassReport
    from speechgmm.evaluation import Metric
    from speechgmm.evaluation.metric import Metrics


def metric_cells(name: str, metric: "Metric") -> tuple[str, str, str]:
    """Name, value and interval of a metric, for a person."""
    from speechgmm.evaluation.metric import shown_name  # the other commands wait for less

    def number(value: float) -> str:
        return f"{100 * value:.1f} %" if metric.unit == "fraction" else f"{value:.3f}"

    interval = ""
    if metric.low is not None and metric.high is not None:
        by = "items as independent" if metric.n_groups is None else counted(metric.n_groups, "group")
        interval = f"95 % interval {number(metric.low)} to {number(metric.high)} ({by})"
    return shown_name(name, metric), number(metric.value), interval


def side_by_side(parts: "Mapping[str, Metrics]") -> list[tuple[str, ...]]:
    """A row for each metric, with its value and interval in each of the parts, and one with their numbers of items."""
    from speechgmm.evaluation.metric import shown_name

    first = next(iter(parts.values()))
    rows = []
    for name in first:
        cells = [metric_cells(name, own[name]) for own in parts.values()]
        bounds = (interval.removeprefix("95 % interval ").split(" (")[0] for _, _, interval in cells)
        rows.append(tuple(f"{value}  ({bound})" for (_, value, _), bound in zip(cells, bounds, strict=True)))
    named = [(shown_name(name, first[name]), *cells) for name, cells in zip(first, rows, strict=True)]
    return [*named, ("trials", *(str(next(iter(own.values())).n) for own in parts.values()))]


def recordings(named: Sequence[Path], *, given: bool = False) -> list[Path]:
    """The recordings named, and those in folders named, in order; what is left aside there is said (standard error).

    With ``given``, recordings are frames that another program computed, and lists of them are taken too.
    """
    if given:
        from speechgmm.io.given_frames import named_places

        return list(named_places(list(named)))
    if not any(path.is_dir() for path in named):  # the readers of corpora need not be loaded
        return list(named)
    from speechgmm.corpus.readers.files import named_recordings

    return named_recordings(named, lambda note: tell(f"warning: {note}"))


def model_target(path: Path, out: Path | None) -> Path:
    """Where a changed model goes: ``out``, or the file that it came from.

    Raises:
        ConfigError: That is a run's own, which the run would train anew, and whose results are of the model as it is.
    """
    target = out or path
    if target.name == RunFile.MODELS and is_run(target.parent):
        raise ConfigError(
            f"{target} belongs to a run, which would train it anew; name another file for the new model",
            arguments=("out",),
        )
    return target


def aligned(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """Rows with their columns lined up: numbers to the right, words to the left; line ends and tabs as escapes."""
    rows = [[one_line(cell) for cell in row] for row in rows]
    widths = [max(len(row[n]) for row in rows) for n in range(len(rows[0]))]
    right = _numeric(rows[1:], len(widths))
    for row in rows:
        cells = (cell.rjust(w) if r else cell.ljust(w) for cell, w, r in zip(row, widths, right, strict=True))
        yield ("  " + "  ".join(cells)).rstrip()


def print_table(rows: Sequence[Sequence[str]], *, head: bool = True) -> None:
    """Print rows, the first of them with the names of the columns: ruled on a terminal, else aligned by spaces."""
    if not rows:
        return
    if not sys.stdout.isatty():
        print("\n".join(aligned(rows)))
        return
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=SIMPLE_HEAD if head else None, show_header=head, pad_edge=head, padding=(0, 1))
    names, body = (rows[0], rows[1:]) if head else ([""] * len(rows[0]), rows)
    for name, right in zip(names, _numeric(rows[1:] if head else rows, len(names)), strict=True):
        table.add_column(Text(one_line(name)), justify="right" if right else "left", overflow="fold")
    for row in body:
        table.add_row(*(Text(visible(one_line(cell))) for cell in row))
    Console(file=terminal(sys.stdout), highlight=False).print(table)


def _numeric(rows: Sequence[Sequence[str]], n_columns: int) -> list[bool]:
    """Of each column whether its cells are numbers, or empty."""
    return [all(row[n][:1].isdigit() or row[n][:1] in ("-", "") for row in rows) for n in range(n_columns)]


def duration(seconds: float) -> str:
    """A length of time for a person.

    >>> duration(0.4), duration(75), duration(7500)
    ('0.4 s', '1 min 15 s', '2 h 5 min')
    """
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


def shown(path: Path) -> str:
    """A path relative to where the user stands, if it lies below."""
    here = Path.cwd()
    return str(path.relative_to(here) if path.is_relative_to(here) else path)


def reports_lines(reports: "Sequence[ClassReport]") -> list[str]:
    """How each mixture was trained, for a person: a row each."""
    rows = [
        (
            report.label,
            str(report.n_frames),
            str(report.n_components),
            str(report.iterations),
            f"{report.objective:.3f}",
            *(() if report.posterior is None else (str(report.posterior.n_in_use),)),
            # One step of MAP is all that it is to take.
            "" if report.converged or report.iterations == 1 else "(still gaining when stopped)",
            report.why,
        )
        for report in reports
    ]
    head = ("class", "frames", "components", "iterations", "nats per frame")
    in_use = () if reports[0].posterior is None else ("in use",)
    return list(aligned([(*head, *in_use, "", ""), *rows]))
