"""Files below the folder of a corpus, the same for every reader: what counts, what is left aside, what is a split."""

import os
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath
from types import MappingProxyType
from typing import Final

from speechgmm.errors import DataError, first_few
from speechgmm.io.audio_formats import UNDECODED, suffixes_decoded_here, way_out
from speechgmm.io.given_frames import ONE_RECORDING

SYSTEM_NAMES: Final = frozenset(
    ("__macosx", "thumbs.db", "ehthumbs.db", "desktop.ini", "$recycle.bin", "system volume information", "@eadir")
)
"""What operating systems leave in folders, in lower case."""

SPLIT_NAMES: Final[Mapping[str, str]] = MappingProxyType(
    {
        **dict.fromkeys(("train", "training"), "train"),
        **dict.fromkeys(("dev", "development", "val", "valid", "validation"), "dev"),
        **dict.fromkeys(("test", "testing", "eval", "evaluation"), "test"),
        "ubm": "ubm",
        "cohort": "cohort",
    }
)
"""Name of a folder, in lower case -> split."""


def is_passed_over(name: str) -> bool:
    """Whether no reader looks at a file or folder of that name: hidden, or the operating system's own.

    >>> [is_passed_over(name) for name in ("._a.wav", ".DS_Store", "Thumbs.db", "__MACOSX", "a.wav")]
    [True, True, True, True, False]
    """
    return name.startswith(".") or name.lower() in SYSTEM_NAMES


def files_below(folder: Path) -> list[Path]:
    """Every file below a folder, sorted by path; links are followed, what `is_passed_over` says is left out."""
    return list(map(Path, sorted(_files(str(folder), frozenset()))))


def _files(folder: str, above: frozenset[tuple[int, int]]) -> Iterator[str]:
    try:
        about = Path(folder).stat()
        if (about.st_dev, about.st_ino) in above:  # a circle of links
            return
        entries = list(os.scandir(folder))
    except OSError as error:
        raise DataError(f"{folder}: this folder cannot be read ({error.strerror}); check its permissions") from None
    for entry in entries:
        if is_passed_over(entry.name):
            continue
        if _is_folder(entry):
            yield from _files(entry.path, above | {(about.st_dev, about.st_ino)})
        else:
            yield entry.path


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link to itself: whoever opens it says so
        return False


_LIKE_A_SPLIT: Final = re.compile(rf"({'|'.join(sorted(SPLIT_NAMES, key=len, reverse=True))})(?![a-z])", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Recordings:
    """The recordings below a folder, by what can be done with them here."""

    folder: Path
    audio: tuple[Path, ...]  # sorted by path
    undecoded: tuple[Path, ...]  # audio whose format needs another decoder

    def notes(self, class_of: Callable[[Path], str | None] | None = None) -> Iterator[str]:
        """What is left aside, with the way out; ``class_of`` a recording is for naming classes that have no other."""
        if not self.undecoded:
            return
        counts = Counter(path.suffix.lower() for path in self.undecoded)
        kinds = ", ".join(f"{n} {suffix} ({UNDECODED[suffix]})" for suffix, n in sorted(counts.items()))
        n, first = len(self.undecoded), self.undecoded[0].relative_to(self.folder)
        are = "1 audio file cannot be decoded and is" if n == 1 else f"{n} audio files cannot be decoded and are"
        lost: list[str] = []
        if class_of is not None:
            there = set(map(class_of, self.audio))
            lost = sorted({name for name in map(class_of, self.undecoded) if name is not None} - there)
        without = f"; {_classes(lost)} no other recording and no model" if lost else ""
        yield f"{are} not used: {kinds}, such as {first}{without}; {way_out(min(counts))}"


def _classes(names: list[str]) -> str:
    return f"class {_quoted(names)} has" if len(names) == 1 else f"classes {_quoted(names)} have"


def recordings_below(folder: Path, *, given: bool = False) -> Recordings:
    """The recordings below a folder, and the audio files that need a decoder which is not here.

    With ``given``, recordings are files of frames that another program computed.
    """
    audio, undecoded = [], []
    if given:
        return Recordings(folder, tuple(p for p in files_below(folder) if p.suffix.lower() in ONE_RECORDING), ())
    decoded = suffixes_decoded_here()
    for path in files_below(folder):
        suffix = path.suffix.lower()
        if suffix in decoded:
            audio.append(path)
        elif suffix in UNDECODED:
            undecoded.append(path)
    return Recordings(folder, tuple(audio), tuple(undecoded))


def named_recordings(named: Sequence[Path], note: Callable[[str], None]) -> list[Path]:
    """The recordings named, and those in folders named, in order; ``note`` is told what is left aside there.

    Raises:
        DataError: A folder without recordings.
    """
    paths: list[Path] = []
    for path in named:
        if not path.is_dir():
            paths.append(path)
            continue
        found = recordings_below(path)
        notes = list(found.notes())
        if not found.audio:
            raise DataError("; ".join([f"{path}: no recordings in this folder", *notes]))
        for text in notes:
            note(f"{path}: {text}")
        paths += found.audio
    return paths


def split_folders(root: Path, places: Iterable[PurePath], *, classes: bool = True) -> dict[str, str]:
    """Folder at the top -> split, where the folders at the top are splits; empty where they are classes.

    Args:
        root: The corpus, for messages.
        places: Its files, relative to it.
        classes: Whether a split holds a folder for each class.

    Raises:
        DataError: Some folders are splits and some are not; two are the same split; splits without class folders;
            folders whose names begin as those of two splits (train_set and test_set).

    >>> places = [PurePath("Train/ann/1.wav"), PurePath("val/ann/2.wav"), PurePath("test/ann/3.wav")]
    >>> split_folders(Path("corpus"), places)
    {'Train': 'train', 'val': 'dev', 'test': 'test'}
    """
    deep: dict[str, bool] = {}  # folder at the top -> whether there are files in folders below it
    for place in places:
        if len(place.parts) > 1:
            deep[place.parts[0]] = deep.get(place.parts[0], not classes) or len(place.parts) > 2
    _refuse_like_splits(root, [top for top, is_deep in deep.items() if is_deep])
    named = {top: SPLIT_NAMES[top.lower()] for top in deep if top.lower() in SPLIT_NAMES}
    # A class may be called so too: a sound of trains, a speaker called Val. Then its recordings lie in it directly, or
    # it stands alone among the others.
    holding_classes = {top: split for top, split in named.items() if deep[top]}
    others = [top for top in deep if top not in named]
    if others:
        if "train" in holding_classes.values() or len(set(holding_classes.values())) > 1:
            are = "is none" if len(others) == 1 else "are none"
            raise DataError(
                f"{root}: {_quoted(holding_classes)} are named after splits, and {_quoted(others)} beside {are}; "
                f"expected are folders of splits alone ({', '.join(SPLIT_NAMES)}) or of classes alone: move or rename "
                f"{_quoted(others)}"
            )
        return {}
    if named and not holding_classes:
        if "train" in named.values():
            raise DataError(
                f"{root}: recordings lie directly in {_quoted(named)}, which are splits; expected is a folder for "
                f"each class in them, such as {next(iter(named))}/anna/one.wav"
            )
        return {}
    twice = [[top for top in named if named[top] == split] for split in dict.fromkeys(named.values())]
    for tops in twice:
        if len(tops) > 1:
            raise DataError(f"{root}: {_quoted(tops)} are the same split, {named[tops[0]]}; rename or join them")
    return named


def _refuse_like_splits(root: Path, tops: Iterable[str]) -> None:
    """Refuse folders like train_set and test_set: they are splits, or classes of an unlucky name; nobody can tell."""
    like = {top: SPLIT_NAMES[found[1].lower()] for top in tops if (found := _LIKE_A_SPLIT.match(top))}
    misnamed = [top for top in like if top.lower() not in SPLIT_NAMES]
    if misnamed and "train" in like.values() and len(set(like.values())) > 1:
        raise DataError(
            f"{root}: {_quoted(misnamed)} {'begins' if len(misnamed) == 1 else 'begin'} like the name of a split; "
            f"expected are these names alone ({', '.join(SPLIT_NAMES)}): call it "
            f"{', '.join(dict.fromkeys(repr(like[top]) for top in misnamed))}, or rename it if it is a class"
        )


def _quoted(names: Iterable[str]) -> str:
    return first_few([repr(name) for name in names], 5)
