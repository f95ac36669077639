"""A folder per class, and the Free Spoken Digit Dataset: labels from the names of folders and files.

root/                     root/
  anna/one.wav              train/anna/one.wav
  anna/more/two.flac        train/ben/two.wav
  ben/three.mp3             test/anna/three.wav
"""

import os
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from speechgmm.corpus.utterance import SPLITS, Corpus, Utterance
from speechgmm.errors import DataError

AUDIO_SUFFIXES: Final = frozenset(
    ".aif .aifc .aiff .au .avr .caf .flac .mp3 .nist .oga .ogg .opus .rf64 .snd .sph .voc .w64 .wav".split()  # noqa: SIM905
)
"""What libsndfile reads, by extension, in lower case."""

FSDD_NAME: Final = re.compile(r"(?P<digit>\d)_(?P<speaker>[^_]+)_(?P<index>\d+)\.wav")


def audio_files(folder: Path) -> list[Path]:
    """Every recording below a folder, sorted by path; links are followed, hidden files and folders are left out."""
    return sorted(_recordings(folder, frozenset()), key=lambda path: path.relative_to(folder).as_posix())


def _recordings(folder: Path, above: frozenset[tuple[int, int]]) -> Iterator[Path]:
    about = folder.stat()
    if (about.st_dev, about.st_ino) in above:  # a circle of links
        return
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.startswith("."):
                continue
            if entry.is_dir():
                yield from _recordings(Path(entry.path), above | {(about.st_dev, about.st_ino)})
            elif Path(entry.name).suffix.lower() in AUDIO_SUFFIXES:
                yield Path(entry.path)


def read_folder(root: Path, label: str) -> Corpus:
    """A folder per class; the folder's name is the label.

    Folders ``train``, ``dev``, ``test``, ``ubm``, ``cohort`` at the top, where there are no others, give the split.

    Raises:
        DataError: The folder is missing, or holds no folder with recordings.
    """
    if not root.is_dir():
        raise DataError(f"{root}: there is no such folder (corpus.root)")
    files = audio_files(root)
    tops = {path.relative_to(root).parts[0] for path in files if len(path.relative_to(root).parts) > 1}
    by_split = bool(tops) and tops <= set(SPLITS)
    depth = 2 if by_split else 1
    utterances, loose = [], []
    for path in files:
        parts = path.relative_to(root).parts
        if len(parts) <= depth:
            loose.append(path)
            continue
        identity = path.relative_to(root).with_suffix("").as_posix()
        utterances.append(
            Utterance(identity, path, None, None, parts[0] if by_split else "", {label: parts[depth - 1]}, identity)
        )
    if not utterances:
        where = f"{len(loose)} recordings lie in the folder itself" if loose else "no recording was found"
        raise DataError(f"{root}: {where}; a folder per class is expected, such as {root.name}/anna/one.wav")
    # Two recordings that differ in extension alone would share their id.
    twice = {identity for identity, count in Counter(u.id for u in utterances).items() if count > 1}
    utterances = [
        Utterance(u.path.relative_to(root).as_posix(), u.path, None, None, u.split, u.labels, u.source)
        if u.id in twice
        else u
        for u in utterances
    ]
    notes = (
        (f"{len(loose)} recordings outside the class folders are not used, such as {loose[0].name}",) if loose else ()
    )
    return Corpus(tuple(utterances), label, root, notes)


def read_fsdd(root: Path, label: str) -> Corpus:
    """The Free Spoken Digit Dataset (Jackson 2016): labels digit, speaker and index from the file names.

    The official split: recordings 0-4 of every speaker and digit are the test, the rest trains.

    Raises:
        DataError: The folder holds no recording named as FSDD names them, or the label is not one of the three.
    """
    folder = root / "recordings" if (root / "recordings").is_dir() else root
    if label not in ("digit", "speaker", "index"):
        raise DataError(f"corpus.label is {label!r}; FSDD has digit, speaker and index")
    matches = [(path, FSDD_NAME.fullmatch(path.name)) for path in sorted(folder.glob("*.wav"))]
    utterances = tuple(
        Utterance(
            path.stem,
            path,
            None,
            None,
            "test" if int(match["index"]) < 5 else "train",
            match.groupdict(),
            path.name,
        )
        for path, match in matches
        if match
    )
    if not utterances:
        raise DataError(
            f"{root}: no FSDD recordings (such as recordings/7_jackson_32.wav); get the Free Spoken Digit Dataset "
            "(github.com/Jakobovski/free-spoken-digit-dataset) and set corpus.root, or set SPEECHGMM_DATA to the "
            "folder that holds fsdd/"
        )
    strangers = [path.name for path, match in matches if not match]
    notes = [
        f"{len(strangers)} files are not named as FSDD names them and are not used, such as {name}"
        for name in strangers[:1]
    ]
    return Corpus(utterances, label, root, tuple(notes))
