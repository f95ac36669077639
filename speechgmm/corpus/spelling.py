"""How words of a text become words of a dictionary, and words their letters.

Owns the little that is done to a text: punctuation at the edges of words, case where a dictionary has one case, letters
as units. Refuses to know languages: numbers are not written out, and abbreviations stay.
"""

import unicodedata
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Literal

from speechgmm.corpus.dictionary import Dictionary

Case = Literal["lower", "upper"]


@dataclass(frozen=True, slots=True)
class Spelling:
    """Words that are known, and how a text's words are made to fit them.

    A word is taken as it is spelt where it is known. Else it loses the punctuation and symbols at its edges (by the
    categories P and S of Unicode), and its case is changed where all known words have one.

    >>> Spelling.of(["don't", "stop", "o'"]).words("Don't -- STOP, o' 'Paris'!")
    ["don't", 'stop', "o'", 'paris']
    """

    known: Collection[str]
    case: Case | None  # of all known words; None: they have both

    @classmethod
    def of(cls, known: Collection[str]) -> "Spelling":
        """The spelling of a dictionary's words."""
        cases: tuple[Case, ...] = ("lower", "upper")
        alike = (case for case in cases if all(word == _in_case(word, case) for word in known))
        return cls(known, next(alike, None))

    def words(self, text: str) -> list[str]:
        """The words of a text, which white space separates; what is punctuation alone is none."""
        return [word for word in map(self.word, text.split()) if word]

    def word(self, text: str) -> str:
        """A word as it is known; as it is without punctuation and in the dictionary's case, where it is not known."""
        if text in self.known:
            return text
        plain = _in_case(without_edges(unicodedata.normalize("NFC", text)), self.case)
        inner = _in_case(unicodedata.normalize("NFC", text), self.case)
        return inner if inner in self.known else plain


LETTERS = Spelling((), "lower")
"""Of texts whose words are spelt by their letters: case and the punctuation at edges say nothing."""


def without_edges(word: str) -> str:
    """A word without the punctuation and symbols at its edges.

    >>> [without_edges(word) for word in ("«¿Qué?»", "(o'clock),", "--", "$5.00")]
    ['Qué', "o'clock", '', '5.00']
    """
    inside = [n for n, one in enumerate(word) if unicodedata.category(one)[0] not in "PSZC"]
    return word[inside[0] : inside[-1] + 1] if inside else ""


def letters_of(word: str) -> tuple[str, ...]:
    """The letters of a word, in lower case, each with its marks; none where it has a digit or a symbol.

    Apostrophes, hyphens and other punctuation are left out.

    >>> letters_of("L’Été"), letters_of("5th")
    (('l', 'é', 't', 'é'), ())
    """
    found: list[str] = []
    for one in unicodedata.normalize("NFC", word.casefold()):
        kind = unicodedata.category(one)[0]
        if kind == "L" or (kind == "M" and not found):
            found.append(one)
        elif kind == "M":
            found[-1] += one
        elif kind not in "PZC":
            return ()
    return tuple(found)


def spell_by_letters(words: Iterable[str]) -> Dictionary:
    """A dictionary of words whose phones are their letters; words with digits or symbols are not in it.

    >>> spell_by_letters(["no", "5"]).pronunciations
    {'no': (('n', 'o'),)}
    """
    spelt = {word: letters_of(word) for word in dict.fromkeys(words)}
    known = {word: (letters,) for word, letters in spelt.items() if letters}
    return Dictionary(known, dict.fromkeys(known, (0.0,)), "the letters of words")


def _in_case(word: str, case: Case | None) -> str:
    return word if case is None else word.lower() if case == "lower" else word.upper()
