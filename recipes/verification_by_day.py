"""Verification in the same session and in others: cosines of supervectors against log-likelihood ratios, on VoxForge.

    python recipes/verification_by_day.py PLACE_OF_VOXFORGE_RU FOLDER

The corpus is Sphinx's cepstra (features.kind: given) of Russian readers, and items.tsv, which says of each test
whether it is of the submission that enrolled the speaker, of another one on the same day, or of another day. Nontargets
are all tests of the other speakers of that kind. Both systems normalise scores by the background (S-norm), and learn
nothing from the speakers who are tested. Differences are paired: both see the same resamples of speakers.
"""

import csv
from functools import partial
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

import speechgmm as sg
from speechgmm.evaluation import cllr_min, compare, eer, interval, rank_trials

KINDS = {
    "same submission": ("same-submission",),
    "another, same day": ("same-day",),
    "another day": ("other-day",),
    "all but same submission": ("same-day", "other-day"),
}
RATIOS = ("scoring.method=llr", "model.relevance=16")
Rows = list[dict[str, str]]


def main(
    root: Path,
    folder: Path,
    config: str = "configs/voxforge-ru.yaml",
    set: Annotated[list[str] | None, typer.Option()] = None,
    without: Annotated[list[str] | None, typer.Option(help="sessions whose tests are left out")] = None,
) -> None:
    """Run both systems, and print error rates of each kind of test with their intervals over speakers."""
    items = root / "items.tsv"
    with items.open(encoding="utf-8", newline="") as file:
        about = {row["path"].removesuffix(".mfc"): row for row in csv.DictReader(file, delimiter="\t")}
    scores = []
    for name, overrides in (("cosine", ()), ("ratios", RATIOS)):
        settings = [f"corpus.path={items.absolute()}", *overrides, *(set or ())]
        result = sg.run(sg.load_config(config, settings), output=folder / name)
        with (result.folder / "scores.tsv").open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file, delimiter="\t"))
        scores.append([row for row in rows if about[row["test"]]["session"] not in (without or ())])
    for name, kinds in KINDS.items():
        of_kind = [n for n, row in enumerate(scores[0]) if about[row["test"]]["kind"] in kinds]
        cosine, ratios = ([rows[n] for n in of_kind] for rows in scores)
        print_kind(name, cosine, ratios, about)


def print_kind(name: str, cosine: Rows, ratios: Rows, about: dict[str, dict[str, str]]) -> None:
    """The error rates of one kind of test by both systems, and what one is above the other."""
    speakers = sorted({row["model"] for row in cosine})
    spoke = [about[row["test"]]["speaker"] for row in cosine]
    sides = np.searchsorted(speakers, [row["model"] for row in cosine]), np.searchsorted(speakers, spoke)
    truth = [row["target"] == "target" for row in cosine]
    ranked = [rank_trials([float(row["score"]) for row in rows], truth) for rows in (cosine, ratios)]
    print(f"{name}: {sum(truth)} targets of {len(np.unique(spoke))} speakers, {len(truth) - sum(truth)} nontargets")
    for what, statistic, factor, digits in (("EER, %", eer, 100, 1), ("Cllr_min", cllr_min, 1, 3)):
        cells = []
        for system, trials in zip(("cosine", "ratios"), ranked, strict=True):
            bounds = interval(partial(statistic, trials), sides)
            value = factor * statistic(trials)
            cells.append(f"{system} {value:.{digits}f} ({spread(bounds.low, bounds.high, factor, digits)})")
        found = compare(partial(statistic, ranked[0]), partial(statistic, ranked[1]), sides)
        cells.append(f"less {factor * found.value:+.{digits}f} ({spread(found.low, found.high, factor, digits)})")
        print(f"  {what:<9}{'   '.join(cells)}   {found.value / statistic(ranked[1]):+.0%}")
    print(f"  own model highest, %: {100 * own_highest(cosine):.1f}; ratios {100 * own_highest(ratios):.1f}")


def spread(low: float | None, high: float | None, factor: int, digits: int) -> str:
    """Bounds for a person."""
    return "no interval" if low is None or high is None else f"{factor * low:.{digits}f} to {factor * high:.{digits}f}"


def own_highest(rows: Rows) -> float:
    """The share of tests whose own model has the highest score."""
    best: dict[str, tuple[float, bool]] = {}
    for row in rows:
        own = float(row["score"]), row["target"] == "target"
        best[row["test"]] = max(best.get(row["test"], own), own)
    return float(np.mean([own for _, own in best.values()]))


if __name__ == "__main__":
    typer.run(main)
