"""Runs side by side, compared or listed, as a table for a person or for a program."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from speechgmm.engine.comparison import ComparedRun
from speechgmm.engine.run_list import ListedRun
from speechgmm.evaluation.metric import shown_name
from speechgmm.io.tables import table
from speechgmm.report.text import print_table
from speechgmm.tasks.options import TableFormat


def rows_as(entries: Sequence[Mapping[str, Any]], form: TableFormat) -> str:
    """Rows with the same columns as TSV (None: an empty cell) or JSON."""
    if form == TableFormat.json:
        return json.dumps(list(entries), indent=1)
    cells = [["" if value is None else value for value in row.values()] for row in entries]
    return table(tuple(entries[0]) if entries else (), cells).rstrip("\n")


def print_columns(head: Sequence[str], rows: Sequence[Sequence[str]], form: TableFormat) -> None:
    """Print cells as a table for a person or as Markdown."""
    if form == TableFormat.markdown:
        lines = [head, ["---"] * len(head), *([cell.replace("|", "\\|") for cell in row] for row in rows)]
        print("\n".join(f"| {' | '.join(line)} |" for line in lines))
    else:
        print_table([tuple(head), *map(tuple, rows)])


def print_comparison(runs: Sequence[ComparedRun], form: TableFormat) -> None:
    """Print the runs, best first, with their differences from the baseline."""
    if form in (TableFormat.tsv, TableFormat.json):
        print(rows_as([run.entries() for run in runs], form))
        return
    name = shown_name(runs[0].metric)
    head = ("run", f"{name} (%)", "95 % interval", "difference (points)", "95 % interval", "above 0 (% of resamples)")
    rows, notes = [], []
    for run in runs:
        found = run.difference
        rows.append(
            (
                str(run.folder),
                f"{100 * run.value:.2f}",
                _interval(run.low, run.high, ".2f"),
                "baseline" if found is None else f"{100 * found.value:+.2f}",
                "" if found is None else _interval(found.low, found.high, "+.2f"),
                "" if found is None else f"{100 * found.share_above:.1f}",
            )
        )
        if found is not None and found.note:
            notes.append(f"note: {found.note.replace('groups', run.unit)}")
    print_columns(head, rows, form)
    about = f"differences by resampling {runs[0].n_groups} {runs[0].unit}, on the same test items"
    print("\n".join(["", about, *dict.fromkeys(notes)]))


def _interval(low: float | None, high: float | None, form: str) -> str:
    return "" if low is None or high is None else f"{100 * low:{form}} to {100 * high:{form}}"


def print_runs(runs: Sequence[ListedRun], form: TableFormat) -> None:
    """Print the runs of a folder with their metrics and the settings that tell them apart."""
    if form in (TableFormat.tsv, TableFormat.json):
        print(rows_as([run.entries() for run in runs], form))
        return
    head = ("run", "task", "metric", "value (%)", "95 % interval", "settings that differ")
    rows = []
    for run in runs:
        found, value = run.metric, ""
        if found is not None:
            value = f"{100 * found.value:.2f}" if found.unit == "fraction" else f"{found.value:.4g} {found.unit}"
        bounds = _interval(found.low, found.high, ".2f") if found is not None and found.unit == "fraction" else ""
        settings = run.problem or ", ".join(f"{key} {value}" for key, value in run.settings.items())
        rows.append((str(run.folder), run.task, run.metric_name.replace("_", " "), value, bounds, settings))
    print_columns(head, rows, form)
