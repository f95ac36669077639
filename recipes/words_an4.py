"""Words by speakers who were never heard: AN4, chosen on folds of its 74 training speakers.

    python recipes/words_an4.py PLACE_OF_AN4 FOLDER --fold 0 --fold 1 --set hmm.n_components=16

Fold k tests every fifth of the training speakers, in sorted order, from k on, and trains on the others. The official
test speakers are not read. Word error rates are given strictly, and with OH counted as O: the dictionary pronounces
them alike. Intervals are by speaker.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import typer

import speechgmm as sg
from speechgmm.corpus.readers.sphinx import read_sphinx
from speechgmm.engine.run_folder import RunFolder
from speechgmm.evaluation import align_labels, count_edits, edit_rate, rate_interval
from speechgmm.io.run_files import RunFile
from speechgmm.io.tables import table

FOLDS = 5
ALIKE = {"OH": "O"}  # one pronunciation
Tested = Sequence[tuple[list[str], list[str], str]]  # reference, hypothesis, speaker


def manifest(root: Path, fold: int) -> str:
    """The training part of AN4 as a table, with the split of a fold."""
    utterances = [one for one in read_sphinx(root, "text", given=True) if one.split == "train"]
    speakers = sorted({one.label("speaker") for one in utterances})
    tested = set(speakers[fold::FOLDS])
    rows = [
        (
            one.path,
            one.id,
            one.label("speaker"),
            one.label("text"),
            "test" if one.label("speaker") in tested else "train",
        )
        for one in utterances
    ]
    return table(("path", "id", "speaker", "text", "split"), rows)


def report(name: str, tested: Tested) -> None:
    """Print the error rates of some tests."""
    groups = np.unique([speaker for _, _, speaker in tested], return_inverse=True)[1]
    for how, alike in (("OH as O", ALIKE), ("strict", {})):
        pairs = [[[alike.get(word, word) for word in words] for words in pair] for *pair, _ in tested]
        counts = count_edits([align_labels(said, heard) for said, heard in pairs])
        rate = edit_rate(counts)
        bounds = rate_interval(rate, groups)
        low, high = (np.nan if bound is None else 100 * bound for bound in (bounds.low, bounds.high))
        kinds = ", ".join(
            f"{getattr(counts, kind).sum()} {kind}" for kind in ("substitutions", "deletions", "insertions")
        )
        print(
            f"{name:8} {how:8} WER {100 * rate(np.ones(len(tested))):5.2f} % (95 %: {low:.1f} to "
            f"{high:.1f}; {groups.max() + 1} speakers, {counts.labels.sum()} words): {kinds}"
        )


def main(
    root: Path,
    folder: Path,
    fold: list[int] = [0, 1],  # noqa: B006
    config: str = "configs/an4.yaml",
    set: list[str] | None = None,
) -> None:
    """Train and test each fold, and print its error rates and those of all together."""
    folder.mkdir(parents=True, exist_ok=True)
    every: list[tuple[list[str], list[str], str]] = []
    for number in fold:
        place = folder.absolute() / f"fold-{number}.tsv"
        place.write_text(manifest(root.absolute(), number))
        overrides = [
            *("corpus.kind=manifest", f"corpus.path={place}", f"corpus.root={root.absolute()}"),
            *("corpus.split={kind: column}", f"recognition.dictionary={root.absolute() / 'etc' / 'an4.dic'}"),
        ]
        result = sg.run(config, [*overrides, *(set or [])], output=folder / f"fold-{number}")
        rows = RunFolder(result.folder).rows(RunFile.HYPOTHESES)
        tested = [(row["reference"].split(), row["hypothesis"].split(), row["group"]) for row in rows]
        report(f"fold {number}", tested)
        every += tested
    if len(fold) > 1:
        report("together", every)


if __name__ == "__main__":
    typer.run(main)
