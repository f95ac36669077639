"""Does a background from elsewhere do? Speakers of two corpora, enrolled against the background model of a third.

    python recipes/other_corpora.py FOLDER --librispeech PLACE --fsdd PLACE --timit PLACE

The background is LibriSpeech, one recording of each speaker. From FSDD the digits 0 to 4 enrol (recordings 5 to 14) and
the digits 5 to 9 are tests (0 to 4), so that no word is on both sides; from TIMIT the five sx sentences enrol and the
three si sentences are tests. Every speaker is tried against the tests of his own corpus.
"""

import csv
import os
from functools import partial
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

import speechgmm as sg
from speechgmm.corpus.readers.folder import read_fsdd
from speechgmm.corpus.readers.librispeech import read_librispeech
from speechgmm.evaluation import eer, interval, rank_trials

Row = tuple[Path, str, str, str]  # recording, speaker, corpus, split


def background(root: Path) -> list[Row]:
    """The first recording of every speaker of LibriSpeech."""
    first = {u.label("speaker"): u for u in reversed(list(read_librispeech(root, "speaker")))}
    return [(u.path, f"libri-{speaker}", "librispeech", "ubm") for speaker, u in first.items()]


def digits(root: Path) -> list[Row]:
    """Enrolment and tests of FSDD, which share no digit."""
    rows = []
    for u in read_fsdd(root, "speaker"):
        digit, speaker, index = u.path.stem.split("_")
        if int(digit) < 5 and 5 <= int(index) < 15:
            rows.append((u.path, speaker, "fsdd", "train"))
        elif int(digit) >= 5 and int(index) < 5:
            rows.append((u.path, speaker, "fsdd", "test"))
    return rows


def sentences(root: Path) -> list[Row]:
    """Enrolment and tests of TIMIT: sx and si sentences, which nobody reads twice."""
    kinds = {"sx": "train", "si": "test"}
    found = sorted(p for p in root.rglob("*.[wW][aA][vV]") if p.stem[:2].lower() in kinds)
    return [(p, p.parent.name, "timit", kinds[p.stem[:2].lower()]) for p in found]


def main(
    folder: Path,
    librispeech: Annotated[Path, typer.Option()],
    fsdd: Annotated[Path, typer.Option()],
    timit: Annotated[Path, typer.Option()],
    config: str = "configs/other-corpora.yaml",
    set: list[str] | None = None,
) -> None:
    """Write the manifest, run, and print the figures of each corpus."""
    rows = [*background(librispeech), *digits(fsdd), *sentences(timit)]
    names = [f"{corpus}-{speaker}-{path.stem}" for path, speaker, corpus, _ in rows]
    lines = [f"{row[0].absolute()}\t{name}\t" + "\t".join(row[1:]) for name, row in zip(names, rows, strict=True)]
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "manifest.tsv").write_text("\n".join(["path\tid\tspeaker\tcorpus\tsplit", *lines]) + "\n")
    root = os.path.commonpath([path.absolute() for path, *_ in rows])
    overrides = [f"corpus.path={folder / 'manifest.tsv'}", f"corpus.root={root}", *(set or [])]
    result = sg.run(config, overrides, output=folder / "run")
    about = dict(zip(names, rows, strict=True))
    with (result.folder / "scores.tsv").open() as file:
        trials = [
            (row["model"], *about[row["test"]][1:3], float(row["score"]))
            for row in csv.DictReader(file, delimiter="\t")
        ]
    for corpus in ("fsdd", "timit"):
        claimed, spoke, _, scores = (
            np.array(column) for column in zip(*(t for t in trials if t[2] == corpus), strict=True)
        )
        speakers = np.unique(claimed)
        ranked = rank_trials(scores, claimed == spoke)
        found = interval(partial(eer, ranked), (np.searchsorted(speakers, claimed), np.searchsorted(speakers, spoke)))
        print(
            f"{corpus:<6} EER {eer(ranked):.1%}, 95 % interval {found.low:.1%} to {found.high:.1%}: "
            f"{len(speakers)} speakers, {len(scores)} trials, {(claimed == spoke).sum()} of them targets"
        )


if __name__ == "__main__":
    typer.run(main)
