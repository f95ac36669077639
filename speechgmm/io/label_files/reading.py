"""What readers of label files share: a label in a file, its times, and what is refused of them."""

import warnings
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from math import isfinite
from typing import NamedTuple

from speechgmm.errors import DataError, counted
from speechgmm.io.timed_labels import TimedLabel, checked_labels


@dataclass(frozen=True, slots=True)
class FileLabel(TimedLabel):
    """A label of a label file: text, start and end in s, and confidence, speaker and recording if the file has them.

    >>> FileLabel("robin", 0.5, 1.25, recording="garden").duration
    0.75
    """

    speaker: str = ""  # "": the file names none
    recording: str = ""  # as the file names it, with or without ending; "": the file is of one recording

    @property
    def duration(self) -> float:
        """Seconds from start to end."""
        return self.end - self.start


class Tier(NamedTuple):
    """The labels of one tier, sorted by their times. For formats without tiers, the name is empty."""

    name: str
    labels: Sequence[FileLabel]


@dataclass(slots=True)
class LabelList:
    """Labels as they are read. Labels of 0 s are left out, with one warning for the file."""

    name: str  # the file, for messages
    labels: list[FileLabel] = field(default_factory=list)
    _empty: list[str] = field(default_factory=list)  # places of labels of 0 s

    def add(self, where: str, label: FileLabel) -> None:
        """Add a label that stands at a place of the file, such as ``line 3``.

        Raises:
            DataError: A start before 0, or an end before the start.
        """
        if not (isfinite(label.end) and 0 <= label.start <= label.end):
            raise DataError(
                f"{self.name}, {where}: {label.label!r} from {label.start:g} to {label.end:g} s; expected a start from "
                "0 on and an end after it, in seconds"
            )
        if label.start == label.end:
            self._empty.append(where)
        else:
            self.labels.append(label)

    def done(self) -> list[FileLabel]:
        """The labels, sorted by their times; warns of those of 0 s."""
        if self._empty:
            are = counted(len(self._empty), "label of 0 s is", "labels of 0 s are")
            warnings.warn(f"{self.name}: {are} left out, the first at {self._empty[0]}", stacklevel=3)
        return sorted(self.labels, key=lambda one: (one.start, one.end))


def seconds(cell: str, what: str, where: str, expected: str = "seconds, such as 12.34") -> float:
    """A time in a cell; ``expected`` is for messages.

    Raises:
        DataError: It is no number, or has a decimal comma, which may also separate thousands.

    >>> seconds("1.25", "start", "a.txt, line 1")
    1.25
    """
    try:
        value = float(cell)
    except ValueError:
        value = float("nan")
    if not isfinite(value):
        comma = ": a decimal comma may also separate thousands; write a point" if "," in cell else ""
        raise DataError(f"{where}: the {what} is {cell[:40]!r}; expected {expected}{comma}")
    return value


def confidence_of(cell: str, where: str) -> float | None:
    """A confidence in a cell; None where it is empty or NA. Raises DataError where it is no number.

    >>> confidence_of("0.98", "a.ctm, line 1"), confidence_of("NA", "a.ctm, line 2")
    (0.98, None)
    """
    return None if cell in ("", "NA") else seconds(cell, "confidence", where, "a number, such as 0.98")


def check_columns(columns: Sequence[str], where: str) -> None:
    """Raise DataError for a header in which a name stands twice: one of the two columns would be passed over."""
    twice = next((name for n, name in enumerate(columns) if name and name in columns[:n]), None)
    if twice is not None:
        raise DataError(f"{where}: two columns are called {twice!r}; expected each name once: rename one of them")


def content_lines(text: str, comment: str = "") -> list[tuple[int, str]]:
    """(number, text) of the lines of a file that are neither blank nor a comment."""
    lines = enumerate(text.split("\n"), 1)
    return [(n, line) for n, line in lines if line.strip() and not (comment and line.lstrip().startswith(comment))]


def labels_without_tabs(recording: str, labels: Iterable[TimedLabel], what: str) -> Iterator[TimedLabel]:
    """Labels to write into ``what``, whose columns are separated by tabs, one after another.

    Raises:
        DataError: Times that cannot be; a label with a tab or a line end in it, or with spaces around it.
    """
    for one in checked_labels(recording, labels):
        if one.label != " ".join(one.label.split()):
            raise DataError(
                f"{recording}: the label {one.label!r} cannot stand in {what}, whose columns are separated by tabs; "
                "rename it, or write CSV or JSON"
            )
        yield one
