"""Words of transcripts that a dictionary does not have: how often, where, why, and what is nearly spelt so."""

import difflib
import unicodedata
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from string import punctuation
from typing import Final

from speechgmm.errors import counted, first_few

SHOWN: Final = 3
"""Files in which an unknown word occurs that are named."""

GUESSED: Final = 100
"""Unknown words that similar ones are looked for: in a dictionary of 100,000 words each takes some 20 ms."""

FEW: Final = 10
"""Unknown words up to which each is named by itself; as many are named where there are more for one reason."""

MOST: Final = 0.5
"""Share of the unknown words that have a reason from which on it is that of all."""

FOREIGN: Final = 20
"""Unknown words from which on one sentence says it of all of them, where they are most of the different words."""


def missing_words(transcripts: Mapping[str, Iterable[str]], known: Collection[str]) -> dict[str, list[str]]:
    """Word that is not known -> the transcripts (names of files or utterances) that have it, all in their order.

    >>> missing_words({"one": ["a", "b"], "two": ["b"]}, {"a"})
    {'b': ['one', 'two']}
    """
    found: dict[str, list[str]] = {}
    for name, words in transcripts.items():
        for word in dict.fromkeys(words):
            if word not in known:
                found.setdefault(word, []).append(name)
    return found


def unknown_words(
    missing: Mapping[str, Sequence[str]], told: Mapping[str, Sequence[str]], known: Collection[str]
) -> Iterator[str]:
    """A sentence for each unknown word, the most frequent first; one for all, where they have one reason.

    Args:
        missing: Unknown word -> the transcripts (names) that have it.
        told: Name of a transcript -> its words.
        known: The words of the dictionary.

    >>> list(unknown_words({"collor": ["a"]}, {"a": ("collor", "red", "red")}, ["color", "red"]))
    ["no word 'collor', which is in a; did you mean 'color'?"]
    """
    if reason := common_reason(missing, told, known):
        yield reason
        return
    counts = Counter(word for words in told.values() for word in words)
    by_shape: dict[tuple[str, int], list[str]] = {}
    if len(missing) <= GUESSED:
        for word in known:
            by_shape.setdefault((word[:1].lower(), len(word)), []).append(word)
    for word in sorted(missing, key=lambda word: -counts[word]):
        times = f" ({counts[word]} times)" if counts[word] > 1 else ""
        yield f"no word {word!r}, which is in {some_of(missing[word])}{times}{_hint(word, known, by_shape)}"


def common_reason(missing: Collection[str], told: Mapping[str, Sequence[str]], known: Collection[str]) -> str | None:
    """One sentence for many unknown words, with their share and the first of them; None: they have no one reason.

    Reasons are that most are in the dictionary in another case, that they have letters of another script, and that
    they are most of the different words. Arguments as of `unknown_words`.

    >>> few = [f"w{n}" for n in range(11)]
    >>> print(common_reason(few, {"a": few}, [word.upper() for word in few]))
    11 of 11 different words are not in it (100 % of all words), but 11 of them are in another case: 'w0' -> 'W0', ...
    >>> common_reason(["w0"], {"a": ["w0"]}, ["W0"]) is None
    True
    """
    if len(missing) <= FEW:
        return None
    counts = Counter(word for words in told.values() for word in words)
    share = 100 * sum(counts[word] for word in missing) / sum(counts.values())
    text = f"{len(missing)} of {counted(len(counts), 'different word')} are not in it ({share:.0f} % of all words)"
    folded = {word.casefold(): word for word in sorted(known, reverse=True)}
    pairs = [f"{word!r} -> {folded[word.casefold()]!r}" for word in missing if word.casefold() in folded]
    if len(pairs) > MOST * len(missing):
        return (
            f"{text}, but {len(pairs)} of them are in another case: {first_few(pairs, FEW)}; write transcripts and "
            "dictionary in one case"
        )
    first = first_few([repr(word) for word in missing], FEW)
    ours, theirs = script_of(missing), script_of(known)
    if ours != theirs:
        return (
            f"{text}: they have {ours} letters, and the dictionary has {theirs} ones: {first}; take a dictionary of "
            "the transcripts' script"
        )
    if len(missing) > max(FOREIGN, MOST * len(counts)):
        return (
            f"{text}: {first}; its own words are such as {first_few(sorted(known), 5)}: is it of another language, or "
            "spelt in another way?"
        )
    return None


def script_of(words: Iterable[str]) -> str:
    """The script that most letters of some words are of, by Unicode's names.

    >>> script_of(["Haus", "дом", "home"]), script_of(["дом"]), script_of(["7"])
    ('Latin', 'Cyrillic', 'no')
    """
    names = Counter(unicodedata.name(one, "no").partition(" ")[0] for word in words for one in word if one.isalpha())
    return names.most_common(1)[0][0].capitalize() if names else "no"


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
