"""LibriSpeech (Panayotov et al. 2015): recordings named SPEAKER-CHAPTER-UTTERANCE.flac.

They lie in SUBSET/SPEAKER/CHAPTER/, or side by side. Sexes and subsets come from SPEAKERS.TXT, where it is there.
"""

import re
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from typing import Final

from speechgmm.corpus.readers.files import recordings_below
from speechgmm.corpus.readers.layout import check_label, check_root, left_out, read_lines, refuse, repeated_ids
from speechgmm.corpus.utterance import Corpus, Utterance
from speechgmm.io.audio_formats import suffixes_decoded_here

NAME: Final = re.compile(r"(?P<speaker>\d+)-(?P<chapter>\d+)-(?P<utterance>\d+)")
SUBSET: Final = re.compile(r"(train|dev|test)-[a-z]+(-\d+)?")
COLUMNS: Final = ("speaker", "chapter", "sex", "subset")

LOOKED_AT: Final = 100
"""Files and folders tried on each level to learn whether a folder is LibriSpeech."""


@dataclass(frozen=True, slots=True)
class _Reader:
    """A line of SPEAKERS.TXT."""

    sex: str  # f or m
    subset: str  # train-clean-100, dev-other, ...


def read_librispeech(root: Path, label: str) -> Corpus:
    """The utterances of LibriSpeech or of any part of it; labels speaker, chapter, sex (f, m) and subset.

    The subset's name gives the split: train-clean-100 is ``train``, dev-other is ``dev``, test-clean is ``test``.

    Args:
        root: The folder ``LibriSpeech``, or one subset of it; SPEAKERS.TXT is looked for there and one level above.
        label: The column to model.

    Raises:
        DataError: There are no such recordings; a speaker that SPEAKERS.TXT does not know, or places in another subset.
    """
    check_label(label, COLUMNS, "LibriSpeech")
    check_root(root, _is_root, "LibriSpeech (SUBSET/SPEAKER/CHAPTER/SPEAKER-CHAPTER-UTTERANCE.flac)")
    table = next((path for path in (root / "SPEAKERS.TXT", root.parent / "SPEAKERS.TXT") if path.is_file()), None)
    problems: list[str] = []
    readers = _readers(table, problems) if table else {}
    utterances: list[Utterance] = []
    others: list[Path] = []
    found = recordings_below(root)
    for path in found.audio:
        place = path.relative_to(root)
        match = NAME.fullmatch(path.stem)
        if not match:
            others.append(place)
            continue
        speaker, chapter, _ = match.groups()
        folder = next((part for part in (root.name, *place.parts[:-1])[::-1] if SUBSET.fullmatch(part)), "")
        reader = readers.get(speaker)
        if table and reader is None:
            problems.append(f"{place}: speaker {speaker} is not in {table.name}")
            continue
        if reader and folder and reader.subset != folder:
            problems.append(
                f"{place}: {table and table.name} has speaker {speaker} in {reader.subset}, not in {folder}"
            )
            continue
        subset = folder or (reader.subset if reader else "")
        labels = {"speaker": speaker, "chapter": chapter, "subset": subset, "sex": reader.sex if reader else ""}
        if not labels[label]:
            lack = f"a SPEAKERS.TXT in {root} or above" if label == "sex" else "a folder named after its subset"
            problems.append(f"{place}: no {label!r}; it needs {lack}")
            continue
        kept = {column: value for column, value in labels.items() if value}
        split = subset.partition("-")[0]
        utterances.append(Utterance(path.stem, path, None, None, split, kept, place.as_posix()))
    refuse(root, problems + repeated_ids(utterances))
    notes = (*left_out(others, "not named as in LibriSpeech"), *found.notes())
    return Corpus(tuple(utterances), label, root, notes)


def _is_root(folder: Path) -> bool:
    decoded = suffixes_decoded_here()

    def holds(inner: Path) -> bool:
        files = islice(inner.iterdir(), LOOKED_AT)
        return any(path.suffix.lower() in decoded and NAME.fullmatch(path.stem) for path in files)

    # No deeper than SUBSET/SPEAKER/CHAPTER.
    levels = chain([folder], *(islice(folder.glob(pattern), LOOKED_AT) for pattern in ("*/", "*/*/", "*/*/*/")))
    return any(holds(inner) for inner in levels if inner.is_dir())


def _readers(path: Path, problems: list[str]) -> dict[str, _Reader]:
    """Speaker -> its line in SPEAKERS.TXT (ID | SEX | SUBSET | MINUTES | NAME)."""
    found: dict[str, _Reader] = {}
    for line, text in read_lines(path):
        if text.startswith(";"):
            continue
        cells = [cell.strip() for cell in text.split("|", 4)]  # a name may hold a bar
        if len(cells) < 4 or cells[1] not in ("F", "M"):
            problems.append(f"{path.name}, line {line}: {text[:60]!r}; expected ID | SEX | SUBSET | MINUTES | NAME")
            continue
        found[cells[0]] = _Reader(cells[1].lower(), cells[2])
    return found
