"""Texts that are aligned: their words as a recogniser or a dictionary knows them, with the pronunciations of new ones.

Owns how a text becomes words, which is as in training with ``recognition.text: normalised``. Refuses to guess
pronunciations, but those of a recogniser whose units are letters.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

from speechgmm.corpus.dictionary import Dictionary, read_dictionary_for
from speechgmm.corpus.spelling import Spelling, letters_of, spell_by_letters
from speechgmm.corpus.unknown_words import missing_words, unknown_words
from speechgmm.errors import DataError, counted
from speechgmm.hmm import Lexicon
from speechgmm.io.samples import AudioSource
from speechgmm.tasks.recognition.codec import RecogniserFile

Source = TypeVar("Source", bound=AudioSource)


@dataclass(frozen=True, slots=True)
class TextWords:
    """The words that texts may have: those of a recogniser, and those of a dictionary."""

    file: RecogniserFile
    dictionary: Dictionary | None = None

    @classmethod
    def of(cls, file: RecogniserFile, dictionary: Path | None) -> "TextWords":
        """With the dictionary of a file, if one is given. Raises DataError as `read_dictionary`."""
        units = file.recogniser.units.labels
        return cls(file, None if dictionary is None else read_dictionary_for(dictionary, units))

    def words(self, text: str) -> list[str]:
        """The words of a text, each as the recogniser or the dictionary spells it; see `Spelling`."""
        lexicon = self.file.recogniser.lexicon
        spellings = [Spelling.of(lexicon)]
        if self.dictionary is not None:
            spellings.append(Spelling.of(self.dictionary.pronunciations))
        found = []
        for word in words_in(text, lexicon):
            spelt = [one.word(word) for one in spellings]
            known = (way for way, one in zip(spelt, spellings, strict=True) if way in one.known)
            found.append(next(known, spelt[-1]))
        return [word for word in found if word]

    def known_to(self, said: Mapping[Source, Sequence[str]]) -> RecogniserFile:
        """The recogniser with pronunciations of all words that are said, those of new ones with their probabilities.

        Raises:
            DataError: Words without a pronunciation, or with phones that the recogniser lacks: all are named.
        """
        recogniser = self.file.recogniser
        new = {str(path): [word for word in words if word not in recogniser.lexicon] for path, words in said.items()}
        added = self.dictionary
        if added is None and are_letters(recogniser.lexicon):
            added = spell_by_letters(word for words in new.values() for word in words)
        if added is None:
            check_pronounced(said, recogniser.lexicon)
            return self.file
        added.check(new, recogniser.units.labels)
        words = [word for words in new.values() for word in words]
        lexicon = {**recogniser.lexicon, **{word: added.pronunciations[word] for word in words}}
        weights = {word: found for word in words if any(found := added.log_weights[word])}
        log_weights = {**recogniser.log_weights, **weights}
        return replace(self.file, recogniser=replace(recogniser, lexicon=lexicon, log_weights=log_weights))


def check_pronounced(said: Mapping[Source, Sequence[str]], lexicon: Lexicon) -> None:
    """Raise DataError for words without a pronunciation: all of all recordings are named."""
    told = {str(path): tuple(words) for path, words in said.items()}
    missing = missing_words(told, lexicon)
    if missing:
        listed = "\n".join(f"  {one}" for one in unknown_words(missing, told, lexicon))
        raise DataError(
            f"no pronunciation of {counted(len(missing), 'word')} in the model; give a dictionary that has them, or "
            f"spell them as the model does:\n{listed}"
        )


def are_letters(lexicon: Lexicon) -> bool:
    """Whether all words are pronounced by their letters, so that new ones can be.

    >>> are_letters({"no": (("n", "o"),)}), are_letters({"no": (("no",),)}), are_letters({"a": (("a",),)})
    (True, False, False)
    """
    spelt = all(ways == (letters_of(word),) for word, ways in lexicon.items())
    return spelt and any(len(ways[0]) > 1 for ways in lexicon.values())


def words_in(text: str, known: Iterable[str]) -> list[str]:
    """The words of a text for a recogniser that knows words with spaces: of several that fit, the longest.

    >>> words_in("please zoom in now", ["zoom in", "zoom", "please"])
    ['please', 'zoom in', 'now']
    """
    said = text.split()
    several = {tuple(word.split()) for word in known if " " in word}
    longest = max(map(len, several), default=1)
    found = []
    while said:
        n = next((n for n in range(longest, 1, -1) if tuple(said[:n]) in several), 1)
        found.append(" ".join(said[:n]))
        said = said[n:]
    return found
