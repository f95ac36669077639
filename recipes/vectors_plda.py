"""Verification by given vectors: PLDA, and cosines after within-class normalisation, against plain cosines.

    python recipes/vectors_plda.py vectors.tsv vectors.npz FOLDER --set scoring.lda_dims=100

The table has the columns id, speaker and split (ubm, train, test), as `configs/vectors-plda.yaml` wants it. All systems
see the same trials: every enrolled speaker against every test. Plain cosines are those of the vectors as they are, with
the mean of the enrolment's; the others are centred by the background. Differences from plain cosines are paired: both
see the same resamples of speakers. Cllr is of ratios that are calibrated by folds of speakers.
"""

import csv
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from numpy.typing import NDArray

import speechgmm as sg
from speechgmm.evaluation import Trials, cllr, cllr_min, compare, eer, interval, rank_trials
from speechgmm.vectors import unit_length

SYSTEMS = {
    "cosine, centred": ("scoring.method=cosine", "scoring.compensation=none"),
    "cosine, wccn": ("scoring.method=cosine",),
    "PLDA": (),
}
COMMON = ("scoring.normalise=none", "scoring.cohort=cohort")
Rows = list[dict[str, str]]
Sides = tuple[NDArray[np.intp], NDArray[np.intp]]


def main(
    table: Path,
    vectors: Path,
    folder: Path,
    config: str = "configs/vectors-plda.yaml",
    set: Annotated[list[str] | None, typer.Option(help="of PLDA alone")] = None,
) -> None:
    """Run all systems, and print error rates with their intervals over speakers, and differences from plain cosines."""
    of_plda = ("scoring.lda_dims=50", *(set or ()))
    none = ("scoring.lda_dims=null", "scoring.plda=em")
    scores: dict[str, Rows] = {}
    for name, overrides in SYSTEMS.items():
        settings = [f"corpus.path={table.absolute()}", f"corpus.features={vectors.absolute()}", *COMMON]
        settings += [*none, *overrides] if overrides else of_plda
        result = sg.run(sg.load_config(config, settings), output=folder / name.replace(", ", "-"))
        with (result.folder / "scores.tsv").open(encoding="utf-8", newline="") as file:
            scores[name] = list(csv.DictReader(file, delimiter="\t"))
    with table.open(encoding="utf-8", newline="") as file:
        about = {row["id"]: row for row in csv.DictReader(file, delimiter="\t")}
    trials = scores["PLDA"]
    plain = plain_cosines(trials, about, vectors)
    spoke = [about[row["test"]]["speaker"] for row in trials]
    speakers = sorted({row["model"] for row in trials})
    sides = np.searchsorted(speakers, [row["model"] for row in trials]), np.searchsorted(speakers, spoke)
    truth = [row["target"] == "target" for row in trials]
    print(f"{sum(truth)} targets of {len(speakers)} speakers, {len(truth) - sum(truth)} nontargets")
    first = rank_trials(plain, truth)
    print(f"{'cosine, as they are':<20} EER {spread(first, sides)}; Cllr_min {cllr_min(first):.3f}")
    for name, rows in scores.items():
        ranked = rank_trials([float(row["score"]) for row in rows], truth)
        calibrated = cllr(rank_trials([float(row["llr"]) for row in rows], truth))
        less = [change(one, ranked, first, sides, factor) for one, factor in ((eer, 100), (cllr_min, 1))]
        print(f"{name:<20} EER {spread(ranked, sides)}, {less[0]}; Cllr_min {cllr_min(ranked):.3f}, {less[1]}", end="")
        print(f"; Cllr {calibrated:.3f}")
    plda, cosine = (
        rank_trials([float(row["llr"]) for row in scores[name]], truth) for name in ("PLDA", "cosine, centred")
    )
    print(f"Cllr, PLDA less centred cosine: {change(cllr, plda, cosine, sides, 1)}")


def spread(trials: Trials, sides: Sides) -> str:
    """EER with its interval, in percent."""
    found = interval(partial(eer, trials), sides)
    bounds = (
        "no interval" if found.low is None or found.high is None else f"{100 * found.low:.2f} to {100 * found.high:.2f}"
    )
    return f"{100 * eer(trials):.2f} % ({bounds})"


def change(metric: Callable[..., float], one: Trials, other: Trials, sides: Sides, factor: float) -> str:
    """What a metric is above that of other scores of the same trials, with the paired interval."""
    found = compare(partial(metric, one), partial(metric, other), sides)
    if found.low is None or found.high is None:
        return f"{factor * found.value:+.3f} (no interval)"
    return f"{factor * found.value:+.3f} ({factor * found.low:+.3f} to {factor * found.high:+.3f})"


def plain_cosines(trials: Rows, about: dict[str, dict[str, str]], vectors: Path) -> list[float]:
    """Cosines of each test with the mean of the vectors that enrolled the speaker."""
    with np.load(vectors) as file:
        found = {name: file[name].reshape(-1).astype(float) for name in about}
    enrolled: dict[str, list[np.ndarray]] = {}
    for name, row in about.items():
        if row["split"] == "train":
            enrolled.setdefault(row["speaker"], []).append(found[name])
    means = {speaker: unit_length([np.mean(own, axis=0)])[0] for speaker, own in enrolled.items()}
    return [float(means[row["model"]] @ unit_length([found[row["test"]]])[0]) for row in trials]


if __name__ == "__main__":
    typer.run(main)
