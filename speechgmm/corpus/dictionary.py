"""Pronunciation dictionaries: which phones a word is made of, with several pronunciations.

    ;;; a comment                    CMU's (cmudict): a number in brackets is another pronunciation of the word,
    READ  R EH1 D                    a digit on a vowel its stress, a lone # begins a remark
    READ(2)  R IY1 D

    READ R EH D                      Kaldi's lexicon.txt: a line for each
    READ 0.7 R EH D                  Kaldi's lexiconp.txt: with its probability

Which of them a file is, its lines tell. Refuses to guess pronunciations.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import log
from pathlib import Path
from typing import Final, Literal
from unicodedata import normalize

from speechgmm.corpus.readers.layout import read_lines, refuse
from speechgmm.corpus.unknown_words import missing_words, some_of, unknown_words
from speechgmm.errors import DataError
from speechgmm.hmm.network import Lexicon

_VARIANT: Final = re.compile(r"(.+)\((\d+)\)")
_STRESS: Final = re.compile(r"([A-Za-z]+)[012]")
_PROBABILITY: Final = re.compile(r"\d*\.\d*(e-?\d+)?", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Dictionary:
    """Words and their pronunciations, in the order of the file."""

    pronunciations: Lexicon  # word -> its pronunciations, each of one phone at least
    log_weights: Mapping[str, tuple[float, ...]]  # word -> of each pronunciation, in nats; 0 where none was given
    source: str  # the file, for error messages

    @property
    def phones(self) -> tuple[str, ...]:
        """All phones of all words, sorted."""
        return tuple(sorted({phone for ways in self.pronunciations.values() for way in ways for phone in way}))

    def missing(self, transcripts: Mapping[str, Iterable[str]]) -> dict[str, list[str]]:
        """Word that is not here -> the transcripts (names of files or utterances) that have it, all in their order."""
        return missing_words(transcripts, self.pronunciations)

    def check(self, transcripts: Mapping[str, Iterable[str]], phones: Iterable[str] | None = None) -> None:
        """Make sure that every word of the transcripts is here, made of phones that there are.

        Args:
            transcripts: Name of a file or utterance -> its words.
            phones: Those that have models; None: any will do. Words that are in no transcript may have others.

        Raises:
            DataError: Words are missing, or phones unknown: all at once, with where they are.
        """
        told = {name: tuple(words) for name, words in transcripts.items()}
        problems = list(unknown_words(self.missing(told), told, self.pronunciations))
        if phones is not None:
            known = frozenset(phones)
            unknown: dict[str, list[str]] = {}
            for word in dict.fromkeys(word for words in told.values() for word in words):
                for phone in dict.fromkeys(phone for way in self.pronunciations.get(word, ()) for phone in way):
                    if phone not in known:
                        unknown.setdefault(phone, []).append(word)
            problems += [f"phone {phone!r} has no model; it is in {some_of(words)}" for phone, words in unknown.items()]
            if any(_STRESS.fullmatch(phone) for phone in unknown):
                problems.append("unknown phones end in a digit: was the stress to be dropped?")
        if problems:
            # Every one of them: words are added to a dictionary in one go.
            raise DataError(
                f"{self.source}: the dictionary does not fit; add what it lacks, or correct the texts:\n"
                + "\n".join(f"  {one}" for one in problems)
            )


def read_dictionary(path: Path, *, stress: Literal["keep", "drop"] = "keep") -> Dictionary:
    """A dictionary in the format of CMU's, or of Kaldi's lexicon.txt or lexiconp.txt, in UTF-8.

    A file whose every line has a number with a decimal point after the word gives probabilities. ``READ(2)`` is a
    pronunciation of READ where the file has READ; else it is a word of that name. Words are in Unicode's composed form
    (NFC), whatever the file has. A pronunciation that is there twice, as two of CMU's are, counts once.

    Args:
        path: The file.
        stress: ``drop`` takes 0, 1 and 2 off the end of phones (``AH0`` becomes ``AH``); pronunciations that only
            stress told apart become one.

    Raises:
        DataError: The file cannot be read or has no word; words without phones, a pronunciation with two
            probabilities, probabilities outside ]0, 1] or on some lines only (all are listed, with their lines).
    """
    entries: list[tuple[int, str, list[str]]] = []
    for line, text in read_lines(path):
        if not text.startswith(";;;"):
            word, *phones = text.split()
            entries.append((line, normalize("NFC", word), phones[: phones.index("#")] if "#" in phones else phones))
    if not entries:
        raise DataError(f"{path}: no word in it; expected are lines of a word and its phones")
    problems: list[str] = []
    weights = _probabilities(entries, problems)
    names = {word for _, word, _ in entries}
    ways: dict[str, dict[tuple[str, ...], float]] = {}
    first: dict[tuple[str, tuple[str, ...]], tuple[int, float]] = {}
    for (line, name, phones), weight in zip(entries, weights, strict=True):
        variant = _VARIANT.fullmatch(name)
        word = variant[1] if variant and variant[1] in names else name
        if not phones:
            problems.append(f"line {line}: {name!r} has no phones")
            continue
        before, other = first.setdefault((word, tuple(phones)), (line, weight))
        if weight != other:
            problems.append(
                f"line {line}: the pronunciation of {word!r} that line {before} has, at another probability"
            )
            continue
        if stress == "drop":
            phones = [_drop_stress(phone) for phone in phones]
        same = ways.setdefault(word, {})
        same[tuple(phones)] = max(weight, same.get(tuple(phones), weight))
    refuse(path, problems)
    return Dictionary(
        {word: tuple(known) for word, known in ways.items()},
        {word: tuple(known.values()) for word, known in ways.items()},
        str(path),
    )


def read_dictionary_for(path: Path, phones: Iterable[str]) -> Dictionary:
    """A dictionary for models that there are: without stress where none of their phones has any.

    Raises:
        DataError: As `read_dictionary`.
    """
    stressed = any(_STRESS.fullmatch(phone) for phone in phones)
    return read_dictionary(path, stress="keep" if stressed else "drop")


def _probabilities(entries: Sequence[tuple[int, str, list[str]]], problems: list[str]) -> list[float]:
    """The log probability of each entry, which is taken off its phones; 0 where the file has none."""
    given = [bool(phones and _PROBABILITY.fullmatch(phones[0]) and phones[0] != ".") for _, _, phones in entries]
    if not any(given):
        return [0.0] * len(entries)
    weights = []
    for (line, word, phones), has_one in zip(entries, given, strict=True):
        value = float(phones.pop(0)) if has_one else 0.0
        if not has_one:
            problems.append(f"line {line}: {word!r} has no probability, but other lines have one")
        elif not 0 < value <= 1:
            problems.append(f"line {line}: {word!r} has probability {value:g}; expected is above 0, at most 1")
        weights.append(log(value) if value > 0 else 0.0)
    return weights


def _drop_stress(phone: str) -> str:
    match = _STRESS.fullmatch(phone)
    return match[1] if match else phone
