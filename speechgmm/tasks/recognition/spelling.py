"""Transcripts that are spelt in another way than the dictionary: in another case, or in another script."""

import unicodedata
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from typing import Final

from speechgmm.corpus.dictionary import Dictionary
from speechgmm.errors import first_few

FEW: Final = 10
"""Unknown words up to which each is listed with the utterances that have it."""

MOST: Final = 0.5
"""Share of the unknown words from which on they have one reason."""

SHOWN: Final = 10


def other_spelling(missing: Collection[str], said: Iterable[Sequence[str]], dictionary: Dictionary) -> str | None:
    """One message for many unknown words of transcripts, with their share and the first ten; None: there is no reason.

    A reason is that most of them are in the dictionary in another case, or have letters of another script.

    >>> words = Dictionary({f"W{n}": (("a",),) for n in range(20)}, {}, "upper.dict")
    >>> print(other_spelling([f"w{n}" for n in range(11)], [[f"w{n}"] for n in range(11)], words))
    11 of 11 different words of the transcripts (100 % of all words said) are not in upper.dict ... 'w0' -> 'W0', ...
    >>> other_spelling(["w0"], [["w0"]], words) is None
    True
    """
    if len(missing) <= FEW:
        return None
    counts = Counter(word for words in said for word in words)
    share = 100 * sum(counts[word] for word in missing) / sum(counts.values())
    text = (
        f"{len(missing)} of {len(counts)} different words of the transcripts ({share:.0f} % of all words said) are not "
        f"in {dictionary.source} as they are spelt. "
    )
    folded: dict[str, str] = {}
    for word in dictionary.pronunciations:
        folded.setdefault(word.casefold(), word)
    pairs = [f"{word!r} -> {folded[word.casefold()]!r}" for word in missing if word.casefold() in folded]
    if len(pairs) > MOST * len(missing):
        return (
            f"{text}{len(pairs)} of them are there in another case: {first_few(pairs, SHOWN)}; write transcripts and "
            "dictionary in one case"
        )
    ours, theirs = script_of(missing), script_of(dictionary.pronunciations)
    if ours != theirs:
        return (
            f"{text}They have {ours} letters, the dictionary has {theirs} ones: "
            f"{first_few([repr(word) for word in missing], SHOWN)}; take a dictionary of the transcripts' script"
        )
    return None


def script_of(words: Iterable[str]) -> str:
    """The script that most letters of some words are of, by Unicode's names.

    >>> script_of(["Haus", "дом", "home"]), script_of(["дом"]), script_of(["7"])
    ('Latin', 'Cyrillic', 'no')
    """
    names = Counter(unicodedata.name(one, "no").partition(" ")[0] for word in words for one in word if one.isalpha())
    return names.most_common(1)[0][0].capitalize() if names else "no"
