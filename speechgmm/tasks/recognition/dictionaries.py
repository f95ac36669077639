"""The pronunciations of a run's words, and how its transcripts are spelt: from a file, or by letters."""

from functools import lru_cache
from pathlib import Path
from typing import Literal

from speechgmm.corpus.dictionary import Dictionary, read_dictionary
from speechgmm.corpus.spelling import LETTERS, Spelling, spell_by_letters
from speechgmm.engine.job import Job
from speechgmm.hmm.recognition_spec import RecognitionSpec


def dictionary_of(job: Job) -> Dictionary | None:
    """The configuration's dictionary, or one by letters; None: words are units. Raises DataError."""
    return _known(job)[0]


def spelling_of(job: Job) -> Spelling | None:
    """How words of transcripts are made to fit; None: they are taken as spelt. Raises DataError as `dictionary_of`."""
    exact = job.experiment.config.section(RecognitionSpec).text == "exact"
    return None if exact else _known(job)[1]


def _known(job: Job) -> tuple[Dictionary | None, Spelling]:
    spec = job.experiment.config.section(RecognitionSpec)
    if spec.graphemes:
        return _by_letters(frozenset(one.label(job.corpus.label) for one in job.corpus))
    if spec.dictionary is None:
        return None, LETTERS
    path = job.experiment.beside(spec.dictionary)
    return _read(path, spec.stress, path.stat().st_mtime_ns if path.exists() else 0)


@lru_cache(maxsize=2)
def _read(path: Path, stress: Literal["keep", "drop"], changed: int) -> tuple[Dictionary, Spelling]:  # noqa: ARG001
    """Read once for all training sets of a run: a large dictionary takes a second."""
    found = read_dictionary(path, stress=stress)
    return found, Spelling.of(found.pronunciations)


@lru_cache(maxsize=2)
def _by_letters(texts: frozenset[str]) -> tuple[Dictionary, Spelling]:
    words = {word for text in texts for word in LETTERS.words(text)}
    return spell_by_letters(sorted(words)), LETTERS
