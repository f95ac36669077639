"""Score files: their figures, and several made one."""

import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

from speechgmm.errors import ConfigError
from speechgmm.evaluation.metric import Metrics, notes_of
from speechgmm.io.atomic import write_text
from speechgmm.report.text import aligned, figure, shown
from speechgmm.tasks.verification.fusion import Fused
from speechgmm.tasks.verification.score_files import evaluate_file, stakes_of_run


def evaluate_and_print(
    path: Path,
    trials: Path | None,
    *,
    are_llrs: bool,
    stakes: dict[str, float],
    threshold: float | None,
    form: str,
    distance: bool = False,
) -> None:
    """Print the figures of a score file; ``stakes`` are prior and costs, where they are given.

    Raises:
        ConfigError: A prior or a cost that cannot be, or an option that does not go with the file.
        DataError: A file that cannot be used.
    """
    for name, value in stakes.items():
        most = 1.0 if name == "prior" else float("inf")
        if not 0 < value < most:
            raise ConfigError(f"--{name.replace('_', '-')} {value:g}: expected more than 0 and less than {most:g}")
    decision = replace(stakes_of_run(path), **stakes) if stakes else None
    found = evaluate_file(path, trials, decision, are_llrs=are_llrs, threshold=threshold, distance=distance)
    for note in found.notes:
        print(_with_options(note), file=sys.stderr)
    for remark, names in notes_of(found.metrics).items():
        print(f"{', '.join(names)}: {remark}", file=sys.stderr)
    if form == "json":
        print(json.dumps(_finite(found.metrics), indent=1))
        return
    print(f"{shown(path.absolute())}: {found.about}")
    print("\n".join(aligned([figure(name, metric) for name, metric in found.metrics.items()])))


def _finite(metrics: Metrics) -> dict[str, dict[str, Any]]:
    """JSON has no infinity: a Cllr of ratios that are infinitely wrong is null."""
    inf = float("inf")
    return {
        name: {key: None if isinstance(value, float) and abs(value) == inf else value for key, value in metric.items()}
        for name, metric in metrics.items()
    }


def _with_options(note: str) -> str:
    """A note of the library, with the options that stand for its arguments."""
    return note.replace("are_llrs", "--llr").replace("(distance)", "(--distance)")


def print_fused(found: Fused, out: Path | None, *, dev: bool) -> None:
    """Write (or print) a score file that was made of several; ``dev``: it was trained on other trials.

    Raises:
        DataError: The file cannot be written.
    """
    for note in found.notes:
        print(f"warning: {_with_options(note)}", file=sys.stderr)
    how = "other trials (--dev)" if dev else "speaker-disjoint folds of these trials; the weights shown are of all"
    print(f"trained on {found.n_targets} targets and {found.n_nontargets} nontargets, {how}", file=sys.stderr)
    if found.n_met:
        print(
            f"warning: {found.n_met} trials are among those of --dev too, and their ratios look better than they are; "
            "train on trials of other speakers",
            file=sys.stderr,
        )
    for name, weight in zip(found.inputs, found.map.weights, strict=True):
        print(f"  {weight:10.4f}  {name}", file=sys.stderr)
    print(f"  {found.map.offset:10.4f}  offset (nats)", file=sys.stderr)
    if found.map.separated:
        print("targets and nontargets are separated perfectly: the weights are held back (smoothed)", file=sys.stderr)
    if out is None:
        print(found.text, end="")
    else:
        write_text(out, found.text)
        print(f"{shown(out.absolute())}: {found.text.count(chr(10)) - 1} trials")
