"""ASVspoof 2019 and 2021 (Wang et al. 2020; Liu et al. 2023), which ask whether a voice is bona fide or spoofed.

Training and development are those of 2019, for logical access (LA, also for the deepfake task DF of 2021) or physical
access (PA); the test is the evaluation set of either year. Every line of a protocol is a recording of that name.
"""

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from speechgmm.corpus.reader_specs import AsvspoofSpec
from speechgmm.corpus.readers.layout import check_label, check_root, read_lines, refuse, repeated_ids
from speechgmm.corpus.utterance import Corpus, Utterance

COLUMNS: Final = {
    "2019": ("speaker", "file", "environment", "attack", "key"),
    "2021-LA": ("speaker", "file", "codec", "transmission", "attack", "key", "trim", "phase"),
    "2021-DF": (
        *("speaker", "file", "codec", "source", "attack", "key", "trim", "phase"),
        *("vocoder", "task", "team", "gender", "language"),
    ),
}
"""Columns of a line; ``-`` stands where there is nothing to say."""

KEYS: Final = ("bonafide", "spoof")
ASV_KEYS: Final = ("target", "nontarget", "spoof")


def read_asvspoof(root: Path, label: str, spec: AsvspoofSpec) -> Corpus:
    """The recordings of ASVspoof; labels key (bonafide, spoof), speaker, attack, and what else their lines say.

    Bona fide recordings have ``bonafide`` as their attack. The splits are ``train``, ``dev`` (where its protocol is
    there) and ``test``, the evaluation set that ``spec.test`` names.

    Args:
        root: The folder of ASVspoof2019_LA_cm_protocols, ASVspoof2019_LA_train and so on, or one or two above it; for
            2021 also of ASVspoof2021_LA_eval and keys/LA/CM/trial_metadata.txt (LA or DF).
        label: The column to model: key, attack or speaker.
        spec: What is the test.

    Raises:
        DataError: A protocol or the folder of its recordings is missing; lines with other columns, another key, a
            name twice. Recordings that are missing are found when they are read.
    """
    year, track = spec.test.split("-")
    access = "PA" if track == "PA" else "LA"
    protocols = f"ASVspoof2019_{access}_cm_protocols/ASVspoof2019.{access}.cm."
    parts = [
        ("train", "2019", f"{protocols}train.trn.txt", f"ASVspoof2019_{access}_train/flac"),
        ("dev", "2019", f"{protocols}dev.trl.txt", f"ASVspoof2019_{access}_dev/flac"),
    ]
    if year == "2019":
        parts.append(("test", "2019", f"{protocols}eval.trl.txt", f"ASVspoof2019_{access}_eval/flac"))
    else:
        parts.append(("test", spec.test, f"{track}/CM/trial_metadata.txt", f"ASVspoof2021_{track}_eval/flac"))
    check_label(label, ("key", "attack", "speaker"), "ASVspoof")
    check_root(root, lambda folder: _find(folder, parts[0][2]) is not None, f"ASVspoof ({parts[0][2]})")
    problems: list[str] = []
    utterances: list[Utterance] = []
    for split, layout, protocol, folder in parts:
        lines, audio = _find(root, protocol), _find(root, folder)
        if lines is None and split == "dev":
            continue
        if lines is None or audio is None:
            what = "keys of the trials" if lines is None else "recordings"
            problems.append(f"no {protocol if lines is None else folder}, the {what} of the split {split!r}")
            continue
        found = list(_read(lines, COLUMNS[layout], split, audio, problems))
        if layout != "2019":
            found = [one for one in found if (one.labels or {}).get("phase") == spec.phase]
            if not found and not problems:
                problems.append(f"{protocol}: no trial of the phase {spec.phase!r}")
        utterances += found
    refuse(root, problems + repeated_ids(utterances))
    return Corpus(tuple(utterances), label, root)


def read_asv_scores(path: Path) -> dict[str, NDArray[np.float64]]:
    """Scores of a speaker verification system, for the t-DCF: those of ``target``, ``nontarget`` and ``spoof`` trials.

    A line ends in the key and the score, as in ASVspoof2019.LA.asv.eval.gi.trl.scores.txt; what stands before is left
    alone.

    Raises:
        DataError: The file cannot be read; a line that does not end so; a kind of trial without a score.
    """
    problems: list[str] = []
    scores: dict[str, list[float]] = {key: [] for key in ASV_KEYS}
    for number, text in read_lines(path):
        key, score = ["", "", *text.split()][-2:]
        try:
            scores[key].append(float(score))
        except (KeyError, ValueError):
            problems.append(f"line {number}: {text[:60]!r}; expected {', '.join(ASV_KEYS)} and a score at its end")
            continue
        if not math.isfinite(scores[key][-1]):
            problems.append(f"line {number}: {text[:60]!r}; expected a finite score")
    problems += [f"no score of a {key} trial" for key in ASV_KEYS if not scores[key]]
    refuse(path, problems, "the scores of ASVspoof 2021 have no key in their lines; join them with the ASV keys first")
    return {key: np.array(values) for key, values in scores.items()}


def _read(path: Path, columns: tuple[str, ...], split: str, audio: Path, problems: list[str]) -> Iterator[Utterance]:
    """The recordings of a protocol."""
    for number, text in read_lines(path):
        source, cells = f"{path.name}, line {number}", text.split()
        labels = dict(zip(columns, cells, strict=False))
        if len(cells) != len(columns):
            hint = " (a list of trials without their keys?)" if len(cells) == 1 else ""
            problems.append(f"{source}: {text[:60]!r}; expected {' '.join(columns)}{hint}")
        elif labels["key"] not in KEYS:
            problems.append(f"{source}: key {labels['key']!r}; expected {' or '.join(KEYS)}")
        elif Path(labels["file"]).name != labels["file"]:
            problems.append(f"{source}: {labels['file']!r}; expected the name of a recording without a folder")
        else:
            name = labels.pop("file")
            labels["attack"] = labels["attack"] if labels["key"] == "spoof" else "bonafide"
            kept = {column: value for column, value in labels.items() if value != "-"}
            yield Utterance(name, audio / f"{name}.flac", None, None, split, kept, source)


def _find(root: Path, inner: str) -> Path | None:
    """A file or folder below the root, in it or at most two folders down; None: it is not there."""
    found = (path for above in ("", "*/", "*/*/") for path in sorted(root.glob(above + inner)))
    return next(found, None)
