"""Which column of a table of trials holds what: by its header, or without one by what stands in the columns.

Layouts without a header, in any order of columns that leaves no doubt::

    model test score            Kaldi's scores            model test target           Kaldi's trials
    target model test           VoxCeleb's trials         model test target score     SpeechBrain's scores
    test attack target score    ASVspoof 2019             test score                  ASVspoof 2021
    score target                compute-eer               speaker test - attack target  ASVspoof's protocol

The words for the truth tell its column; where there are none, it is the one column that holds 1 and 0 (or -1) alone.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from speechgmm.errors import DataError
from speechgmm.io.tables import cells, number, separator

_TARGET: Final = ("target", "tgt", "tar", "true", "1", "1.0", "genuine", "client", "positive", "same", "bonafide")
_NONTARGET: Final = (
    *("nontarget", "nontgt", "nontar", "non", "imp", "impostor", "imposter", "false", "0", "negative", "different"),
    *("0.0", "-1", "-1.0", "spoof", "spoofed"),
)
_SPOOFING: Final = ("bonafide", "spoof", "spoofed")

HEADERS: Final = {
    "model": ("model", "enrol", "enroll", "enrolment", "enrollment", "modelid", "model_id", "claim"),
    "test": (
        *("test", "segment", "segmentid", "segment_id", "test_id", "testid", "utterance", "utt", "utt_id", "uttid"),
        *("file", "filename"),
    ),
    "score": ("score", "scores"),
    "llr": ("llr",),
    "cohort_mean": ("cohort_mean",),
    "target": ("target", "label", "key", "truth", "targettype", "target_type", "trialtype", "trial_type", "is_target"),
}
"""Column -> how its header may be spelt, in any case."""

_ACCEPTED: Final = "target or nontarget, genuine or impostor, bonafide or spoof, true or false, 1 or 0"
_LOOKED_AT: Final = 1000  # rows that columns are told by


def truth_of(word: str) -> bool | None:
    """Whether a trial is a target, by the word for it; None: no such word is known.

    >>> truth_of("non-target"), truth_of("Bona_Fide"), truth_of("-1"), truth_of("perhaps")
    (False, True, False, None)
    """
    plain = _plain(word)
    return True if plain in _TARGET else False if plain in _NONTARGET else None


def unknown_word(word: str) -> str:
    """The complaint about a word for the truth that is not known."""
    return f"{word!r} where target or nontarget is expected; accepted are {_ACCEPTED}"


@dataclass(frozen=True, slots=True)
class Layout:
    """How a table of trials is read."""

    separator: str | None  # None: spaces
    columns: Mapping[str, int]  # of HEADERS, those that are there; without test a trial is named by its line
    width: int  # columns
    n_header: int  # lines above the first row: 0 or 1

    def pair(self, row: Sequence[str], line: int) -> tuple[str, str]:
        """Names of model and test in a row; "" is the model where the table has one model alone."""
        named = {name: row[self.columns[name]] for name in ("model", "test") if name in self.columns}
        return named.get("model", ""), named.get("test", f"line {line}")


def layout(path: Path, lines: Sequence[str], wanted: str) -> Layout:
    """How the lines of a table are read, of which ``wanted`` (score or target) is a column.

    Raises:
        DataError: The columns cannot be told, or are those of another kind of table; two columns of the header mean the
            same.
    """
    by = separator(lines)
    head = [name.lower() for name in cells(lines[0], by)]
    known = {name: column for column, names in HEADERS.items() for name in names}
    columns = [known.get(name, "") for name in head]
    there = {column: columns.index(column) for column in HEADERS if column in columns}
    enough = wanted in there or (wanted == "score" and "llr" in there)
    if enough and ("test" in there or (wanted == "score" and "target" in there and "model" not in there)):
        twice = [column for column in there if columns.count(column) > 1]
        if twice:
            raise DataError(
                f"{path}: the header {lines[0]!r} has two columns for the {twice[0]}; keep one of them, or rename one"
            )
        return Layout(by, there, len(head), 1)
    rows = [cells(line, by) for line in lines[:_LOOKED_AT]]
    return Layout(by, _by_content(path, [row for row in rows if len(row) == len(head)], wanted), len(head), 0)


def _by_content(path: Path, rows: Sequence[Sequence[str]], wanted: str) -> dict[str, int]:
    """The columns of a table without a header."""
    columns = list(zip(*rows, strict=True))
    numeric = [n for n, column in enumerate(columns) if _is_number(column[0]) and _mostly(map(_is_number, column))]
    binary = [n for n in numeric if set(columns[n]) <= {"0", "1"} or set(columns[n]) == {"-1", "1"}]
    others = [n for n in range(len(columns)) if n not in numeric]
    words = [n for n in others if _mostly(truth_of(cell) is not None for cell in columns[n])]
    width = len(columns)
    if wanted == "target":
        return _of_trials(path, rows, words, binary, numeric)
    if width == 3 and not words and (binary == [0]) and numeric == [0]:
        raise DataError(
            f"{path}: a list of trials (1 or 0, then two names: VoxCeleb's) and no scores; name the score file first, "
            "and this list as the trials"
        )
    if width == 3 and not words and 2 in numeric and (not binary or numeric == [2]):
        return {"model": 0, "test": 1, "score": 2}
    truths = words or (binary if len(binary) < len(numeric) else [])
    scores = [n for n in numeric if n not in truths]
    if not scores or len(truths) > 1 or width > 4 or (width == 4 and not truths):
        raise _unclear(path, rows, wanted, truths)
    names = [n for n in range(width) if n not in (*truths, scores[-1])]
    if len(names) == 2 and truths and width == 4 and _is_of_attacks([columns[n] for n in (*names, *truths)]):
        names = names[:1]  # ASVspoof's: a recording and the attack that it is of
    if width == 3 and binary and not words:  # a test and its truth, or two names one of which is 0 and 1?
        raise _unclear(path, rows, wanted, truths)
    found = dict(zip(("model", "test")[2 - len(names) :], names, strict=True)) if names else {}
    return {**found, "score": scores[-1], **({"target": truths[0]} if truths else {})}


def _of_trials(
    path: Path, rows: Sequence[Sequence[str]], words: list[int], binary: list[int], numeric: list[int]
) -> dict[str, int]:
    width = len(rows[0])
    truths = words or binary
    if len(truths) != 1:
        raise _unclear(path, rows, "target", truths)
    truth = truths[0]
    scores = [n for n in numeric if any("." in row[n] or "," in row[n] for row in rows)]
    names = [n for n in range(width) if n != truth and n not in scores]
    if width > 4 and {_plain(row[truth]) for row in rows} <= set(_SPOOFING):
        names = [0, 1]
    if not 1 <= len(names) <= 2 or truth in names:
        raise _unclear(path, rows, "target", truths)
    return {**dict(zip(("model", "test")[2 - len(names) :], names, strict=True)), "target": truth}


def _unclear(path: Path, rows: Sequence[Sequence[str]], wanted: str, truths: Sequence[int]) -> DataError:
    """The error where columns cannot be told: why, what is read, how to say it."""
    first = " ".join(rows[0])
    expected = (
        f"a header with model (or enrol), test and {wanted}{' (or llr)' if wanted == 'score' else ''} is expected, or "
        f"Kaldi's three columns (model test {wanted}), or another layout that leaves no doubt"
    )
    why = ""
    if len(truths) > 1:
        which = " and ".join(str(n + 1) for n in truths)
        why = f"columns {which} may both say which trials are targets; "
    elif not truths:
        words = sorted({row[n] for row in rows for n in _few(rows)})
        if words:
            why = f"{_listed(words)}: no words that are known for the truth of a trial (accepted are {_ACCEPTED}); "
    return DataError(
        f"{path}: {why}{expected}. The first line is {first[:200]!r}; put a line above it that names the columns, such "
        f"as: {_example(rows, wanted)}"
    )


def _few(rows: Sequence[Sequence[str]]) -> list[int]:
    """Columns that hold two or three words over and over, and no numbers: a truth that is spelt in another way."""
    columns = list(zip(*rows, strict=True))
    if len(rows) < 4:
        return [n for n in (len(columns) - 1,) if len(columns) > 2 and not _is_number(columns[n][0])]
    return [n for n, column in enumerate(columns) if len(set(column)) in (2, 3) and not any(map(_is_number, column))]


def _example(rows: Sequence[Sequence[str]], wanted: str) -> str:
    names = ["model", "test", *(["target"] if wanted == "target" or len(rows[0]) > 3 else []), "score"]
    return " ".join([*names, *("other" for _ in rows[0][len(names) :])][: max(len(rows[0]), 1)])


def _is_of_attacks(columns: Sequence[Sequence[str]]) -> bool:
    """Whether (name, name, truth) are ASVspoof's recording, attack and key."""
    recordings, attacks, truths = columns
    spoofing = {_plain(word) for word in truths} <= set(_SPOOFING)
    return spoofing and len(set(recordings)) == len(recordings) and len(set(attacks)) <= max(1, len(attacks) // 2)


def _plain(word: str) -> str:
    return re.sub(r"(?<=[a-z])[-_]", "", word.lower())  # -1 stays


def _mostly(holds: Iterable[bool]) -> bool:
    every = list(holds)
    return 2 * sum(every) >= len(every) > 0


def _is_number(cell: str) -> bool:
    try:
        number(cell)
    except ValueError:
        return False
    return True


def _listed(words: Sequence[str]) -> str:
    return ", ".join(map(repr, words[:5])) + (" ..." if len(words) > 5 else "")
