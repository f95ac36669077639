"""Grammars in files. The format: ``hmm.grammar``."""

from pathlib import Path
from unicodedata import normalize

from speechgmm.errors import DataError
from speechgmm.hmm.grammar import parse_grammar
from speechgmm.hmm.network import Network
from speechgmm.io.text_file import read_text_file


def read_grammar(path: Path) -> Network:
    """The network of a grammar in a file, in UTF-8.

    Raises:
        DataError: The file cannot be read, or is no grammar (with line and column).
    """
    text = read_text_file(path, "a grammar")
    try:
        return parse_grammar(normalize("NFC", text))
    except DataError as error:
        raise DataError(f"{path}: {error}") from None
