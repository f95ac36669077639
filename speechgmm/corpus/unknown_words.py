"""Words of transcripts that a dictionary does not have: how often, where, and what is nearly spelt so."""

import difflib
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from string import punctuation
from typing import Final

from speechgmm.errors import first_few

SHOWN: Final = 3
"""Files in which an unknown word occurs that are named."""

GUESSED: Final = 100
"""Unknown words that similar ones are looked for: in a dictionary of 100,000 words each takes some 20 ms."""

FOREIGN: Final = 0.5
"""Share of different words that are unknown from which on the dictionary is another language's, or in another script.
"""

FEW: Final = 20
"""Unknown words up to which each is named, however large their share."""

NAMED: Final = 10
"""Words that are named where most are unknown."""


def unknown_words(
    missing: Mapping[str, Sequence[str]], told: Mapping[str, Sequence[str]], known: Collection[str]
) -> Iterator[str]:
    """A sentence for each unknown word, the most frequent first; one for all of them, where most words are unknown.

    Args:
        missing: Unknown word -> the transcripts (names) that have it.
        told: Name of a transcript -> its words.
        known: The words of the dictionary.

    >>> list(unknown_words({"collor": ["a"]}, {"a": ("collor", "red", "red")}, ["color", "red"]))
    ["no word 'collor', which is in a; did you mean 'color'?"]
    """
    counts = Counter(word for words in told.values() for word in words)
    if len(missing) > max(FEW, FOREIGN * len(counts)):
        n, total = sum(counts[word] for word in missing), sum(counts.values())
        first = ", ".join(map(repr, list(missing)[:NAMED]))
        yield (
            f"{len(missing)} of {len(counts)} different words are not in it ({100 * n / total:.0f} % of all), the "
            f"first {min(NAMED, len(missing))}: {first}; its own words are such as {first_few(sorted(known), 5)}: is "
            "it of another language, case or script than the transcripts?"
        )
        return
    by_shape: dict[tuple[str, int], list[str]] = {}
    if len(missing) <= GUESSED:
        for word in known:
            by_shape.setdefault((word[:1].lower(), len(word)), []).append(word)
    for word in sorted(missing, key=lambda word: -counts[word]):
        times = f" ({counts[word]} times)" if counts[word] > 1 else ""
        yield f"no word {word!r}, which is in {some_of(missing[word])}{times}{_hint(word, known, by_shape)}"


def _hint(word: str, known: Collection[str], by_shape: Mapping[tuple[str, int], Sequence[str]]) -> str:
    """What the word may be."""
    bare = word.strip(punctuation)
    others = (bare, word.lower(), word.upper(), bare.lower(), bare.upper())
    guess = next((other for other in others if other in known), None)
    if guess is not None:
        how = "its letters' case differs" if len(guess) == len(word) else "without the punctuation"
        return f"; {guess!r} is there: {how}"
    if any(one.isdigit() for one in word):
        return "; numbers are to be written as they are said"
    alike = [one for n in range(-2, 3) for one in by_shape.get((word[:1].lower(), len(word) + n), ())]
    near = difflib.get_close_matches(word, alike, 3, 0.75)
    return f"; did you mean {' or '.join(map(repr, near))}?" if near else ""


def some_of(names: Sequence[str]) -> str:
    """The first names, and how many more there are.

    >>> some_of(["a", "b", "c", "d"])
    'a, b, c and 1 more'
    """
    return ", ".join(names[:SHOWN]) + (f" and {len(names) - SHOWN} more" if len(names) > SHOWN else "")
