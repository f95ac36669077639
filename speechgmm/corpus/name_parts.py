"""A regular part of the names of files that says what belongs together: a speaker, a session, a source.

    51055bda_nohash_4.wav       the first part recurs, and in several classes: a group
    7_jackson_3.wav             the first is the class, the last a number of recordings: jackson is the group

Owns how such a part is found. Refuses to take it without being asked: a person confirms it.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Final

SEPARATORS: Final = r"_\-. "
COUNTER: Final = re.compile(
    r"(rec|file|take|rep|clip|utt|sample|audio|sound|trial|token|item|no|nr|n)?\d{1,4}|[A-Za-z]", re.IGNORECASE
)
"""A last part that numbers recordings."""

MOST_ARE_NUMBERED: Final = 0.8
"""Share of the recordings from which on their last part numbers them, whatever a few others are called."""

SEXES: Final = frozenset(("m", "f", "w", "male", "female", "man", "woman"))
"""Parts that say who speaks by sex alone: no group of speakers."""

MOST_VALUES: Final = 0.5
"""Values of a group, as a share of the recordings, at most: below that each has two on average."""


@dataclass(frozen=True, slots=True)
class NamePart:
    """A part of names whose values are groups."""

    pattern: str  # for ``corpus.folder.group_from``
    n_values: int
    value: str  # of the example
    example: str  # a path below the folder of its class


def group_in_names(names: Sequence[tuple[str, str]], *, within_classes: bool) -> NamePart | None:
    """The part of file names that is most likely a group; None where there is none.

    Args:
        names: Class, and path below the folder of the class, of every recording.
        within_classes: Groups divide a class (sessions of a speaker); else each holds several classes (speakers of
            words), or divides one.

    >>> names = [(word, f"{who}_{n}.wav") for word in ("yes", "no") for who in ("ann", "ben") for n in range(3)]
    >>> group_in_names(names, within_classes=False).pattern
    '^([^_\\\\-. ]+)'
    """
    folders = [(label, path.split("/")[0]) for label, path in names if "/" in path]
    if len(folders) == len(names):
        return _part(names, folders, "^([^/]+)/")
    parts = [(label, re.split(f"[{SEPARATORS}]", PurePosixPath(path).stem)) for label, path in names]
    if any(not all(words) for _, words in parts):
        return None
    lengths = [len(words) for _, words in parts]
    above = "(?:.*/)?" if folders else ""
    found: list[tuple[bool, bool, int, NamePart]] = []
    for place in range(min(lengths)):
        values = [(label, words[place]) for label, words in parts]
        last = any(length == place + 1 for length in lengths)
        if last and sum(bool(COUNTER.fullmatch(value)) for _, value in values) >= MOST_ARE_NUMBERED * len(values):
            continue
        before = rf"(?:[^{SEPARATORS}]+[{SEPARATORS}]){{{place}}}" if place else ""
        part = _part(names, values, rf"^{above}{before}([^{SEPARATORS}]+)")
        if part is not None:
            is_short_number = all(COUNTER.fullmatch(value) for _, value in values)
            inside = _is_within(values)
            if within_classes and not inside and part.n_values < 5:
                continue
            found.append((inside != within_classes if within_classes else False, is_short_number, place, part))
    return min(found, key=lambda one: one[:3])[3] if found else None


def _part(names: Sequence[tuple[str, str]], values: Sequence[tuple[str, str]], pattern: str) -> NamePart | None:
    """The part, if its values (class and value of every recording) can be groups."""
    distinct = {value for _, value in values}
    if not 2 <= len(distinct) <= MOST_VALUES * len(values):
        return None
    of_class = _by_class(values)
    if all(len(found) == 1 for found in of_class.values()) or _is_numbered_class(values):  # the class once more
        return None
    if SEXES.issuperset(value.lower() for value in distinct):
        return None
    if _is_within(values) and sum(len(found) > 1 for found in of_class.values()) < len(of_class) / 2:
        return None
    return NamePart(pattern, len(distinct), values[0][1], names[0][1])


def _is_numbered_class(values: Sequence[tuple[str, str]]) -> bool:
    """Whether every value is the class with a number: ``yes3`` of ``yes``."""
    return all(re.fullmatch(rf"{re.escape(label)}\d*", value, re.IGNORECASE) for label, value in values)


def _by_class(values: Sequence[tuple[str, str]]) -> Mapping[str, set[str]]:
    found: dict[str, set[str]] = {}
    for label, value in values:
        found.setdefault(label, set()).add(value)
    return found


def _is_within(values: Sequence[tuple[str, str]]) -> bool:
    """Whether (nearly) every value is of one class alone."""
    classes: dict[str, set[str]] = {}
    for label, value in values:
        classes.setdefault(value, set()).add(label)
    return sum(len(found) == 1 for found in classes.values()) > 0.9 * len(classes)
