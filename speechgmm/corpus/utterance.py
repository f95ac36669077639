"""An utterance: a recording, or a stretch of one, with its labels; and the corpus that holds them.

Owns the values that every reader returns. Knows no file format and opens no file.
"""

import os
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from speechgmm.errors import DataError

SPLITS: Final = ("train", "dev", "test", "ubm", "cohort")

BACKGROUND: Final = ("ubm", "cohort")
"""Splits of others than those who are modelled or tested, the same in every fold: ``ubm`` trains the universal
background model, ``cohort`` is what scores are normalised by."""


@dataclass(frozen=True, slots=True)
class Utterance:
    """A recording, or the part of it from ``start`` to ``end``, with its labels.

    >>> Utterance("s1/a", Path("s1/a.wav"), labels={"speaker": "s1"}).labels["speaker"]
    's1'
    """

    id: str
    path: Path
    start: float | None = None  # s within the file; None: from its beginning
    end: float | None = None  # s within the file; None: to its end
    split: str = ""  # one of SPLITS; "" until a split has been made
    labels: Mapping[str, str] | None = None  # column -> label
    source: str = ""  # where it was declared, for error messages: "manifest.tsv, line 12"
    recording: str = ""  # what its frames were computed of, below the corpus's root, where path is that of its frames
    speech: Path | None = None  # file that says which frames of the recording count; None: no file does

    def label(self, column: str) -> str:
        """The label in a column. Raises DataError where the utterance has no label in this column."""
        value = (self.labels or {}).get(column, "")
        if not value and column in (self.labels or {}):
            raise DataError(f"{self.source or self.id}: the label in {column!r} is empty; expected a label")
        if not value:
            have = ", ".join(sorted(self.labels or {})) or "no label at all"
            raise DataError(f"{self.source or self.id}: no {column!r}; the utterance has {have}")
        return value


@dataclass(frozen=True, slots=True)
class Corpus:
    """Utterances in a fixed order, and the column of their labels that holds the classes.

    >>> heard = Utterance("a1", Path("a1.wav"), split="train", labels={"speaker": "anna"})
    >>> corpus = Corpus((heard,), label="speaker", root=Path("."))
    >>> [one.id for one in corpus.split("train")]
    ['a1']
    """

    utterances: tuple[Utterance, ...]
    label: str  # the column whose values are the classes
    root: Path  # the folder that every path lies in
    notes: tuple[str, ...] = ()  # what the reader left aside, for a person to read

    def __len__(self) -> int:
        return len(self.utterances)

    def __iter__(self) -> Iterator[Utterance]:
        return iter(self.utterances)

    def with_plain_labels(self) -> "Corpus":
        """The corpus with labels of one line: line ends and tabs become spaces, and bytes outside UTF-8 are escaped."""

        def mended(one: Utterance) -> Utterance:
            labels = {column: _plain(value) for column, value in (one.labels or {}).items()}
            return one if labels == (one.labels or {}) else replace(one, labels=labels)

        return replace(self, utterances=tuple(map(mended, self.utterances)))

    def split(self, name: str) -> tuple[Utterance, ...]:
        """The utterances of one split, in order."""
        return tuple(utterance for utterance in self.utterances if utterance.split == name)

    def has_labels_in_time(self) -> bool:
        """Whether a recording has several segments with different labels, such as phones, each with its times."""
        seen: dict[Path, str | None] = {}
        for utterance in self.utterances:
            label = (utterance.labels or {}).get(self.label)
            if utterance.start is not None and seen.setdefault(utterance.path, label) != label:
                return True
        return False

    def is_of_whole_recordings(self) -> bool:
        """Whether each utterance is a whole recording, without start and end times."""
        return all(one.start is None and one.end is None for one in self.utterances)

    def paths(self) -> tuple[Path, ...]:
        """The paths of all recordings, each once, in the order of their first utterance."""
        return tuple(dict.fromkeys(utterance.path for utterance in self.utterances))

    def place_of(self, path: Path) -> str:
        """The path of a recording relative to the root, with slashes; the path itself where it is outside the root."""
        return path.relative_to(self.root).as_posix() if path.is_relative_to(self.root) else str(path)


_BREAKS: Final = re.compile("[\t\n\v\f\r\x85\u2028\u2029]+")


def _plain(text: str) -> str:
    if not text.isascii():
        text = text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    return text if text.isprintable() else _BREAKS.sub(" ", text)


def common_root(paths: Collection[Path], base: Path) -> Path:
    """The folder that all recordings lie in: ``base``, or else what their paths have in common.

    >>> common_root([Path("/a/b/1.wav"), Path("/a/c/2.wav")], Path("/d"))
    PosixPath('/a')
    """
    parents = {path.parent for path in paths}
    if all(parent.is_relative_to(base) for parent in parents):
        return base
    return Path(os.path.commonpath(parents))


def classes_within_groups(pairs: Iterable[tuple[str, str]]) -> bool:
    """Whether all items of each class are of one group, given (class, group) of the items.

    So it is where one speaker (the group) has several names (the classes). Groups that divide a class, such as sessions
    or texts, do not say who speaks.

    >>> classes_within_groups([("ann", "a"), ("anna", "a")])
    True
    >>> classes_within_groups([("ann", "monday"), ("ann", "tuesday")])
    False
    """
    group_of: dict[str, str] = {}
    return all(group_of.setdefault(label, group) == group for label, group in pairs)


def speaker_column(corpus: Corpus, group: str | None) -> str:
    """The column that names the speaker: ``group``, or the label column where a group is not a speaker.

    A group is taken for a speaker where each class lies in one group. Sessions or texts divide a class into groups.

    >>> heard = Utterance("a1", Path("a1.wav"), split="train", labels={"word": "yes", "speaker": "anna"})
    >>> speaker_column(Corpus((heard,), label="word", root=Path(".")), "speaker")
    'speaker'
    """
    members = [utterance for utterance in corpus if utterance.split not in BACKGROUND]
    if group and classes_within_groups((one.label(corpus.label), one.label(group)) for one in members):
        return group
    return corpus.label
