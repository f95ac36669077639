"""What readers of known corpora share: files as lines, problems listed at once, a root that is one level off."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain, islice
from pathlib import Path
from typing import Final

from speechgmm.corpus.listing import listed
from speechgmm.corpus.utterance import Utterance
from speechgmm.errors import DataError, counted
from speechgmm.io.tables import read_table

MOST_LOOKED_AT: Final = 2000
"""Folders tried when a corpus is not where it was said to be: enough for a shelf of corpora, done in no time."""


def read_lines(path: Path) -> Iterator[tuple[int, str]]:
    """(line number, text) of every line that is not blank. Raises DataError where it cannot be read as text."""
    text = read_table(path)
    # Not splitlines(): a transcript may hold U+2028 and the like, which do not end a line of a table.
    for number, line in enumerate(text.split("\n"), 1):
        if line.strip():
            yield number, line.strip()


def refuse(where: Path, problems: list[str], remedy: str = "") -> None:
    """Raise a DataError that lists the problems, if there are any."""
    if problems:
        many = "1 thing is" if len(problems) == 1 else f"{len(problems)} things are"
        tail = f"\n{remedy}" if remedy else ""
        raise DataError(f"{where}: {many} wrong:\n{listed(problems)}{tail}")


def repeated_ids(utterances: Iterable[Utterance]) -> list[str]:
    """A problem for each utterance whose id another utterance before it has.

    >>> same = [Utterance("a", Path(f"{n}.wav"), source=f"line {n}") for n in (1, 2)]
    >>> repeated_ids(same)
    ["line 2: id 'a' is also that of line 1; ids are unique"]
    """
    first: dict[str, Utterance] = {}
    return [
        f"{one.source}: id {one.id!r} is also that of {first[one.id].source}; ids are unique"
        for one in utterances
        if first.setdefault(one.id, one) is not one
    ]


def left_out(places: Sequence[object], what: str) -> list[str]:
    """A note about recordings that are not used, as ``what`` says; none where there are none.

    >>> left_out(["x.wav"], "not named as in FSDD")
    ['1 recording is not named as in FSDD and not used, such as x.wav']
    """
    many = counted(len(places), "recording is", "recordings are")
    return [f"{many} {what} and not used, such as {places[0]}"] if places else []


def check_label(label: str, columns: Iterable[str], corpus: str) -> None:
    """Raise a DataError unless the label is one of the corpus's columns."""
    columns = tuple(columns)
    if label not in columns:
        raise DataError(f"corpus.label is {label!r}; {corpus} has {', '.join(columns)}")


def check_root(root: Path, is_root: Callable[[Path], bool], expected: str, key: str = "corpus.root") -> None:
    """Raise a DataError unless ``root`` looks like the corpus; it names the folder nearby that does.

    Args:
        root: Where the corpus was said to be.
        is_root: Whether a folder looks like the corpus.
        expected: What a right folder holds, for the message.
        key: The key of the configuration that named the folder.
    """
    if root.is_dir() and is_root(root):
        return
    missing = not root.is_dir()
    problem = f"there is no such folder ({key})" if missing else f"not {expected} ({key})"
    nearby = chain(
        _folders(root), (inner for child in _folders(root) for inner in _folders(child)), root.parents[:2],
        _folders(root.parent) if missing else (),
    )  # fmt: skip
    for folder in islice(nearby, MOST_LOOKED_AT):
        if folder.is_dir() and is_root(folder):
            raise DataError(f"{root}: {problem}; did you mean {folder}?")
    raise DataError(f"{root}: {problem}" + (f"; expected is {expected}" if missing else ""))


def _folders(folder: Path) -> Iterator[Path]:
    try:
        yield from sorted(path for path in folder.iterdir() if path.is_dir())
    except OSError:
        return
