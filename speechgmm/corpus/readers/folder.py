"""A folder per class, and the Free Spoken Digit Dataset: labels from the names of folders and files.

root/                     root/
  anna/one.wav              train/anna/one.wav
  anna/more/two.flac        train/ben/two.wav
  ben/three.mp3             test/anna/three.wav
"""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from speechgmm.corpus.readers.files import SPLIT_NAMES, is_passed_over, recordings_below, split_folders
from speechgmm.corpus.readers.layout import check_label, left_out, refuse
from speechgmm.corpus.spec import SplitSpec
from speechgmm.corpus.utterance import SPLITS, Corpus, Utterance
from speechgmm.errors import ConfigError, DataError, counted, first_few

GROUP: Final = "group"
"""The column of groups that are read off the names of files."""

FSDD_NAME: Final = re.compile(r"(?P<digit>\d)_(?P<speaker>[^_]+)_(?P<index>\d+)\.wav")


def read_folder(root: Path, label: str, *, given: bool = False) -> Corpus:
    """A folder per class; the folder's name is the label.

    Folders ``train``, ``dev``, ``test``, ``ubm``, ``cohort`` at the top, in any case and under their other names
    (``validation``, ``val``, ``eval`` ...), give the split. With ``given``, recordings are files of frames.

    Raises:
        DataError: The folder is missing, or holds no folder with recordings; folders of splits beside others.
    """
    if not root.is_dir():
        raise DataError(f"{root}: there is no such folder (corpus.root); set it to the folder of the recordings")
    found = recordings_below(root, given=given)
    places = [path.relative_to(root) for path in found.audio]
    split_of = split_folders(root, (*places, *(path.relative_to(root) for path in found.undecoded)))
    depth = 2 if split_of else 1
    utterances, loose = [], []
    for path, place in zip(found.audio, places, strict=True):
        parts = place.parts
        if len(parts) <= depth:
            loose.append(path)
            continue
        identity = place.with_suffix("").as_posix()
        utterances.append(
            Utterance(identity, path, None, None, split_of.get(parts[0], ""), {label: parts[depth - 1]}, identity)
        )
    if not utterances:
        where = (
            f"{counted(len(loose), 'recording lies', 'recordings lie')} in the folder itself"
            if loose
            else "no recording was found"
        )
        aside = "".join(f"; {note}" for note in found.notes())
        raise DataError(f"{root}: {where}; a folder per class is expected, such as {root.name}/anna/one.wav{aside}")
    # Two recordings that differ in extension alone would share their id.
    twice = {identity for identity, count in Counter(u.id for u in utterances).items() if count > 1}
    utterances = [replace(u, id=u.path.relative_to(root).as_posix()) if u.id in twice else u for u in utterances]
    notes = (
        [f"{counted(len(loose), 'recording')} outside the class folders not used, such as {loose[0].name}"]
        if loose
        else []
    )

    def class_of(path: Path) -> str | None:
        parts = path.relative_to(root).parts
        return parts[depth - 1] if len(parts) > depth else None

    notes += found.notes(class_of)
    if deeper := _one_level_down(root, places):
        notes.append(f"all recordings are of one class, {deeper.name!r}; did you mean {deeper} (corpus.root)?")
    return Corpus(tuple(utterances), label, root, tuple(notes))


def with_groups(corpus: Corpus, pattern: str | None) -> Corpus:
    """A corpus of `read_folder` with a column ``group`` from the names of its files; without a pattern, the corpus.

    Args:
        corpus: What `read_folder` returned.
        pattern: A regular expression, whose first parentheses match the group in the path below the class's folder.

    Raises:
        ConfigError: The classes are called ``group`` themselves.
        DataError: Names that the pattern does not match (some are listed).
    """
    if pattern is None:
        return corpus
    if corpus.label == GROUP:
        raise ConfigError(f"corpus.folder.group_from makes a column {GROUP!r}, and corpus.label is {GROUP!r} too")
    matcher, utterances, problems = re.compile(pattern), [], []
    for one in corpus:
        match = matcher.match(below_class(one, corpus.root))
        if match is None or not match[1]:
            problems.append(f"{one.path.relative_to(corpus.root)}: no group in its name")
        else:
            utterances.append(replace(one, labels={**(one.labels or {}), GROUP: match[1]}))
    refuse(corpus.root, problems, f"corpus.folder.group_from is {pattern!r}; mend it, or rename these recordings")
    return replace(corpus, utterances=tuple(utterances))


def split_by_group(corpus: Corpus, spec: SplitSpec) -> Corpus:
    """A corpus of `with_groups` whose groups say the split (``column: group``); of another column, the corpus.

    Raises:
        ConfigError: A column that a folder does not have.
        DataError: Groups that are no split, nor named in ``spec.names``.

    >>> one = Utterance("a", Path("c/ann/mon_1.wav"), labels={"speaker": "ann", "group": "mon"})
    >>> spec = SplitSpec(column="group", names={"mon": "train", "tue": "test"})
    >>> split_by_group(Corpus((one,), "speaker", Path("c")), spec).utterances[0].split
    'train'
    """
    if spec.column == "split":
        return corpus
    if spec.column != GROUP or not all((one.labels or {}).get(GROUP) for one in corpus):
        raise ConfigError(
            f"corpus.split.column is {spec.column!r}; of a folder the only column is {GROUP!r}, which "
            "corpus.folder.group_from takes from the names of files: set both, or write a manifest"
        )
    names = {**SPLIT_NAMES, **(spec.names or {})}
    values = {(one.labels or {})[GROUP] for one in corpus}
    if unknown := sorted(values - names.keys()):
        raise DataError(
            f"{corpus.root}: {first_few(unknown, 5)} in the column {GROUP!r}; expected are splits "
            f"({', '.join(SPLITS)}): say in corpus.split.names which split each value is"
        )
    return replace(corpus, utterances=tuple(replace(one, split=names[(one.labels or {})[GROUP]]) for one in corpus))


def below_class(utterance: Utterance, root: Path) -> str:
    """Path of a recording of `read_folder` below the folder of its class: ``more/two.flac``.

    >>> below_class(Utterance("a", Path("c/train/anna/more/two.flac"), split="train"), Path("c"))
    'more/two.flac'
    """
    return "/".join(utterance.path.parts[len(root.parts) + (2 if utterance.split else 1) :])


def _one_level_down(root: Path, places: Sequence[Path]) -> Path | None:
    """The only folder of a corpus, where it has several folders of recordings, as a corpus has."""
    tops, below = {place.parts[0] for place in places}, {place.parts[1] for place in places if len(place.parts) > 2}
    return root / tops.pop() if len(tops) == 1 and len(below) > 1 else None


def read_fsdd(root: Path, label: str) -> Corpus:
    """The Free Spoken Digit Dataset (Jackson 2016): labels digit, speaker and index from the file names.

    The official split: recordings 0-4 of every speaker and digit are the test, the rest trains.

    Raises:
        DataError: The folder holds no recording named as FSDD names them, or the label is not one of the three.
    """
    folder = root / "recordings" if (root / "recordings").is_dir() else root
    check_label(label, ("digit", "speaker", "index"), "FSDD")
    files = (path for path in sorted(folder.glob("*.wav")) if not is_passed_over(path.name))
    matches = [(path, FSDD_NAME.fullmatch(path.name)) for path in files]
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
        inner = next(
            (path.parents[1] for path in sorted(root.glob("*/recordings/*.wav")) if FSDD_NAME.fullmatch(path.name)),
            None,
        )
        meant = f"did you mean {inner}? If not, " if inner else ""
        raise DataError(
            f"{root}: no FSDD recordings (such as recordings/7_jackson_32.wav); {meant}get the Free Spoken Digit "
            "Dataset (github.com/Jakobovski/free-spoken-digit-dataset) and set corpus.root, or set SPEECHGMM_DATA to "
            "the folder that holds fsdd/"
        )
    others = [path.name for path, match in matches if not match]
    return Corpus(utterances, label, root, tuple(left_out(others, "not named as in FSDD")))
