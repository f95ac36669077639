"""Verification on the same day and on another: the error rates of each kind of test, on VoxForge's Russian readers.

    python recipes/verification_by_day.py PLACE_OF_VOXFORGE_RU FOLDER

The corpus is Sphinx's cepstra (features.kind: given) and items.tsv, which says of each test whether it is of the
submission that enrolled the speaker, of another one on the same day, or of another day. Nontargets are all tests of the
other speakers of that kind.
"""

import csv
from functools import partial
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

import speechgmm as sg
from speechgmm.evaluation import eer, interval, rank_trials

KINDS = ("same-submission", "same-day", "other-day")


def main(
    root: Path,
    folder: Path,
    config: str = "configs/voxforge-ru.yaml",
    set: Annotated[list[str] | None, typer.Option()] = None,
) -> None:
    """Run the configuration, and print the EER of each kind of test with its interval over speakers."""
    items = root / "items.tsv"
    result = sg.run(sg.load_config(config, [f"corpus.path={items.absolute()}", *(set or ())]), output=folder)
    with items.open(encoding="utf-8", newline="") as file:
        rows = {row["path"].removesuffix(".mfc"): row for row in csv.DictReader(file, delimiter="\t")}
    with (result.folder / "scores.tsv").open(encoding="utf-8", newline="") as file:
        scores = list(csv.DictReader(file, delimiter="\t"))
    for kind in KINDS:
        found = [row for row in scores if rows[row["test"]]["kind"] == kind]
        ranked = rank_trials([float(row["score"]) for row in found], [row["target"] == "target" for row in found])
        speakers = sorted({row["model"] for row in found})
        spoke = [rows[row["test"]]["speaker"] for row in found]
        sides = np.searchsorted(speakers, [row["model"] for row in found]), np.searchsorted(speakers, spoke)
        bounds = interval(partial(eer, ranked), sides)
        print(
            f"{kind:<16} EER {eer(ranked):.1%}, 95 % interval {bounds.low:.1%} to {bounds.high:.1%}: "
            f"{sum(row['target'] == 'target' for row in found)} targets of {len(np.unique(spoke))} speakers, "
            f"{sum(row['target'] != 'target' for row in found)} nontargets"
        )


if __name__ == "__main__":
    typer.run(main)
