"""Which words may be recognised: all of a dictionary, or those of the training transcripts.

Owns what is said of the choice, of words that no model can be made for, and of words that sound alike.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from speechgmm.engine.job import Job
from speechgmm.errors import DataError, counted, first_few
from speechgmm.hmm import Bigram, Lexicon, Network
from speechgmm.hmm.recognition_spec import RecognitionSpec
from speechgmm.tasks.recognition.dictionaries import dictionary_of

UNASKED: Final = 1000
"""Words of a dictionary up to which all may be recognised by default: decoding takes time and memory by the square."""

MOST: Final = 3000
"""Words of a search space, which has an arc from each to each: about 4 GB."""

NAMED: Final = 10


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """Words that may be recognised, with their pronunciations, and what the user is told of the choice."""

    lexicon: Lexicon
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Language:
    """What may be said, the pronunciations of its words, and what the user is told of them."""

    model: Bigram | Network
    lexicon: Lexicon
    has_contexts: bool  # whether a word's probability depends on the words around it
    notes: tuple[str, ...] = ()


def vocabulary_of(job: Job, trained: Lexicon, units: Collection[str]) -> Vocabulary:
    """The words that ``recognition.vocabulary`` allows, of the training's lexicon and the dictionary.

    A pronunciation with a phone that is not among the trained ``units``, or with the unit for silence, is left out.

    Raises
    ------
    DataError
        The dictionary cannot be read; it has more words than can be searched.
    """
    spec = job.experiment.config.section(RecognitionSpec)
    dictionary = dictionary_of(job)
    if dictionary is None or spec.vocabulary == "training" or spec.language in ("word", "grammar"):
        return Vocabulary(trained)
    words, name = dictionary.pronunciations, Path(dictionary.source).name
    if spec.vocabulary is None and spec.language != "arpa" and len(words) > UNASKED:
        note = (
            f"vocabulary: the {len(trained)} words of the training transcripts; {name} has {len(words)}, and a search "
            f"for more than {UNASKED} is slow (recognition.vocabulary: dictionary takes up to {MOST})"
        )
        return Vocabulary(trained, (note,))
    possible = frozenset(units) - {spec.silence}
    found = {word: tuple(way for way in ways if possible.issuperset(way)) for word, ways in words.items()}
    lexicon = dict(sorted({**{word: ways for word, ways in found.items() if ways}, **trained}.items()))
    if spec.language != "arpa":
        check_size(len(lexicon), "loop and bigram", "recognition.vocabulary: training, or a smaller dictionary")
    left_out = [word for word in words if word not in lexicon]
    notes = [f"vocabulary: {len(lexicon)} words of {name}; {len(trained)} of them are in the training transcripts"]
    if left_out:
        notes.append(
            f"{len(left_out)} words of {name} cannot be recognised, because no training transcript has their phones: "
            f"{first_few(left_out, NAMED)}"
        )
    return Vocabulary(lexicon, tuple(notes))


def check_size(n_words: int, what: str, remedy: str) -> None:
    """Raise DataError for more words than can be searched."""
    if n_words > MOST:
        raise DataError(
            f"{n_words} words to recognise; the search for {what} takes up to {MOST}, because an arc leads from each "
            f"word to each; set {remedy}"
        )


def warn_of_homophones(job: Job, language: Language) -> None:
    """Warn of words that the language cannot tell apart: they sound alike, and what stands around them says nothing."""
    spec = job.experiment.config.section(RecognitionSpec)
    words = language.model.labels if isinstance(language.model, Bigram) else language.model.words
    alike = homophones({word: language.lexicon[word] for word in words}, spec.count_as or {})
    if alike and not language.has_contexts:
        named = "; ".join(" ".join(words) for words in alike[:NAMED]) + "; ..." * (len(alike) > NAMED)
        job.console.warn(
            f"{counted(len(alike), 'pronunciation is', 'pronunciations are')} shared by several words: {named}; "
            f"recognition.language: {spec.language} cannot tell them apart, and recognises the same one every time. "
            "Let recognition.count_as count them as one, or take language: bigram or grammar, which know what stands "
            "before them"
        )


def warn_of_counting(job: Job, language: Language, said: Collection[str]) -> None:
    """Warn of labels of ``recognition.count_as`` that are neither recognised nor ``said`` in the test."""
    spec = job.experiment.config.section(RecognitionSpec)
    absent = [label for label in spec.count_as or {} if label not in language.lexicon and label not in said]
    if absent:
        job.console.warn(
            f"recognition.count_as has {counted(len(absent), 'label')} that no transcript and no hypothesis can have: "
            f"{first_few(absent, NAMED)}; is the spelling that of the transcripts?"
        )


def homophones(lexicon: Lexicon, count_as: Mapping[str, str]) -> list[tuple[str, ...]]:
    """Words that share a pronunciation, in order; those that count as one label are one.

    >>> homophones({"to": (("T", "UW"),), "two": (("T", "UW"),), "tea": (("T", "IY"),)}, {})
    [('to', 'two')]
    """
    words: dict[tuple[str, ...], list[str]] = {}
    for word in sorted(lexicon):
        for way in lexicon[word]:
            words.setdefault(way, []).append(word)
    return sorted({tuple(said) for said in words.values() if len({count_as.get(word, word) for word in said}) > 1})
