"""What other settings of a preset would be worth, chosen on some corpora and judged on another.

    python recipes/choose_presets.py FOLDER CANDIDATES CONFIG CONFIG ...

Each CONFIG is what ``speechgmm init`` wrote for a corpus, all for one purpose. CANDIDATES is a YAML list of
settings, as ``speechgmm sweep --list`` takes it. Each configuration is run as it is, which is the preset, and with each
candidate.

For each corpus there are three results: the preset's; that of the setting with the best mean on the *other* corpora, so
that a corpus has no part in the choice that it judges; and that of the setting that is best on this very corpus, which
bounds what the preset loses. Differences are paired, with 95 % intervals over the groups of the tests.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from speechgmm.config import load_config, settings_hash
from speechgmm.config.overrides import as_override
from speechgmm.engine.comparison import ERRORS, ComparedRun, compare_runs
from speechgmm.engine.console import Console
from speechgmm.engine.runs import run
from speechgmm.engine.sweeps import grid_points
from speechgmm.errors import DataError, FitError
from speechgmm.io.run_files import RunFile

Runs = dict[str, ComparedRun]
"""Setting -> its run, compared with the preset's on the same corpus."""

PRESET = "preset"


def main(
    folder: Path,
    candidates: Path,
    configs: list[Path],
    overrides: Annotated[list[str] | None, typer.Option("--set", help="key.path=value for every run")] = None,
) -> None:
    """Run everything that is not there yet, and print a table of all results and one of the choices."""
    points: dict[str, Mapping[str, Any]] = {PRESET: {}}
    points |= {", ".join(f"{k}: {v}" for k, v in point.items()): point for point in grid_points((), candidates)}
    corpora = {config.stem: runs_of(config, points, overrides or (), folder / config.stem) for config in configs}
    settings = [name for name in points if all(name in runs for runs in corpora.values())]
    metric = next(iter(corpora.values()))[PRESET].metric
    sign = -1 if metric in ERRORS else 1
    table = {corpus: [sign * runs[name].value for name in settings] for corpus, runs in corpora.items()}

    print(f"\n| {metric}, % | {' | '.join(corpora)} | mean |\n|{'---|' * (len(corpora) + 2)}")
    for number, name in enumerate(settings):
        values = [sign * 100 * row[number] for row in table.values()]
        print(f"| {name} | {' | '.join(f'{value:.1f}' for value in values)} | {np.mean(values):.1f} |")

    print("\n| corpus | preset (95 %) | chosen on the others | less the preset | best here | less the preset |")
    print("|---|---|---|---|---|---|")
    for corpus, runs in corpora.items():
        others = [row for name, row in table.items() if name != corpus] or [table[corpus]]
        chosen = settings[int(np.argmax(np.mean(others, axis=0)))]
        best = settings[int(np.argmax(table[corpus]))]
        base = runs[PRESET]
        print(
            f"| {corpus} | {100 * base.value:.1f}{interval(base.low, base.high)} "
            f"| {chosen} | {difference(runs[chosen])} | {best} | {difference(runs[best])} |"
        )


def runs_of(config: Path, points: Mapping[str, Mapping[str, Any]], overrides: Sequence[str], folder: Path) -> Runs:
    """The runs of one corpus; a setting that cannot be run there is named and left out."""
    places = run_points(config, points, overrides, folder)
    compared = {one.folder: one for one in compare_runs(list(places.values()))}
    return {name: compared[place] for name, place in places.items()}


def run_points(
    config: Path, points: Mapping[str, Mapping[str, Any]], overrides: Sequence[str], folder: Path
) -> dict[str, Path]:
    """The folders of the runs of one corpus, by setting; what is there already is not run again."""
    places: dict[str, Path] = {}
    for name, point in points.items():
        given = [*overrides, *(as_override(key, value) for key, value in point.items())]
        experiment = load_config(config, given)
        place = folder / settings_hash(experiment.config)
        if not (place / RunFile.METRICS).exists():
            print(f"{config.stem}: {name}", flush=True)
            try:
                run(experiment, output=place, console=Console(quiet=True))
            except (DataError, FitError) as error:
                print(f"{config.stem}: {name}: {error}")
                continue
        places[name] = place
    return places


def difference(one: ComparedRun) -> str:
    """A paired difference from the preset, in points, with its interval."""
    if one.difference is None:
        return "0"
    return f"{100 * one.difference.value:+.1f}{interval(one.difference.low, one.difference.high)}"


def interval(low: float | None, high: float | None) -> str:
    """Bounds in percent, in brackets; nothing where there are none."""
    return "" if low is None or high is None else f" ({100 * low:.1f} to {100 * high:.1f})"


if __name__ == "__main__":
    typer.run(main)
