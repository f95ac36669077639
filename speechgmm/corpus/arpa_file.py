"""Language models in files. The format: ``hmm.arpa``."""

from pathlib import Path
from unicodedata import normalize

from speechgmm.errors import DataError
from speechgmm.hmm.arpa import BackoffModel, parse_arpa
from speechgmm.io.text_file import read_text_file


def read_arpa(path: Path) -> BackoffModel:
    """The unigram or bigram model of a file in the ARPA format, in UTF-8.

    Raises
    ------
    DataError
        The file cannot be read, or is no such model (with the line).
    """
    text = read_text_file(path, "a language model in the ARPA format")
    try:
        return parse_arpa(normalize("NFC", text))
    except DataError as error:
        raise DataError(f"{path}: {error}") from None
