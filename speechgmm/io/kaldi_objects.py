"""Tokens, numbers, vectors and matrices in files of Kaldi, text or binary: what its model files are made of.

Owns both spellings (Kaldi's ``base/io-funcs`` and ``matrix/``), and what is refused of them: a file that ends early, a
count that the file is too small for, a value that is NaN. Every message names the file and the place, a byte of a
binary file or a line of a text. Knows no model.
"""

import os
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, Final, NoReturn, Protocol

import numpy as np
from numpy.typing import NDArray

from speechgmm.errors import DataError
from speechgmm.io.header import short
from speechgmm.io.text_file import check_regular, read_text_file

BINARY: Final = b"\0B"
"""How a binary file of Kaldi begins."""

MOST_TEXT_BYTES: Final = 256_000_000
"""Of a model as text, which is held whole; a larger one is written in binary."""

_LONGEST_TOKEN: Final = 64  # bytes
_MORE: Final = "the object ends here, and the file goes on; expected one object: were files joined? Give each by itself"
_TYPES: Final[dict[str, np.dtype[Any]]] = {"F": np.dtype("<f4"), "D": np.dtype("<f8")}


class KaldiReader(Protocol):
    """The objects of a file, one after another."""

    def token(self) -> str:
        """The next token."""

    def expect(self, *tokens: str) -> str:
        """The next token, which is one of these."""

    def integer(self) -> int:
        """The next whole number."""

    def vector(self) -> NDArray[np.float64]:
        """The next vector, (N,)."""

    def matrix(self) -> NDArray[np.float64]:
        """The next matrix, (M, N)."""

    def skip_past(self, token: str) -> None:
        """Go to what follows a token, wherever it is."""

    def end(self) -> None:
        """Nothing follows."""

    def refuse(self, message: str) -> NoReturn:
        """Raise DataError with the file and the place."""


class _Reader:
    """What both spellings share."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def place(self) -> str:
        raise NotImplementedError

    def token(self) -> str:
        raise NotImplementedError

    def expect(self, *tokens: str) -> str:
        found = self.token()
        if found not in tokens:
            self.refuse(f"{short(found)}; expected {' or '.join(tokens)}")
        return found

    def refuse(self, message: str) -> NoReturn:
        raise DataError(f"{self.path}: {self.place()}: {message}")


class _BinaryReader(_Reader):
    """Objects of a binary file, from behind its first two bytes on."""

    def __init__(self, path: Path, file: BinaryIO) -> None:
        super().__init__(path)
        self._file, self._size = file, os.fstat(file.fileno()).st_size

    def place(self) -> str:
        return f"byte {self._file.tell()}"

    def token(self) -> str:
        found = bytearray()
        while (one := self._bytes(1)) != b" ":
            found += one
            if len(found) > _LONGEST_TOKEN or not 32 < one[0] < 127:
                self.refuse(f"{short(bytes(found))}; expected a token such as <DiagGMM>")
        return found.decode("ascii")

    def integer(self) -> int:
        size, value = struct.unpack("<bi", self._bytes(5))
        if size != 4:
            self.refuse(f"a whole number of {size} bytes; expected 4")
        return int(value)

    def vector(self) -> NDArray[np.float64]:
        dtype = _TYPES[self.expect("FV", "DV")[0]]
        return self._values(dtype, self.integer())

    def matrix(self) -> NDArray[np.float64]:
        dtype = _TYPES[self.expect("FM", "DM")[0]]
        return self._values(dtype, self.integer(), self.integer())

    def skip_past(self, token: str) -> None:
        wanted, before = token.encode() + b" ", b""
        while chunk := self._file.read(1 << 16):
            at = (before + chunk).find(wanted)
            if at >= 0:
                self._file.seek(at + len(wanted) - len(before) - len(chunk), os.SEEK_CUR)
                return
            before = chunk[1 - len(wanted) :]
        self.refuse(f"the file ends; expected {token}")

    def end(self) -> None:
        if self._file.read(1):
            self.refuse(_MORE)

    def _values(self, dtype: np.dtype[Any], *shape: int) -> NDArray[np.float64]:
        n_bytes = dtype.itemsize * int(np.prod(shape, dtype=object))
        if min(shape) < 0 or n_bytes > self._size - self._file.tell():
            left = self._size - self._file.tell()
            self.refuse(f"{' x '.join(map(str, shape))} values, and the file has {left} more bytes; is it truncated?")
        found = np.frombuffer(self._bytes(n_bytes), dtype).reshape(shape).astype(np.float64)
        return _numbers(self, found)

    def _bytes(self, n: int) -> bytes:
        found = self._file.read(n)
        if len(found) < n:
            self.refuse("the file ends here; is it truncated?")
        return found


class _TextReader(_Reader):
    """Objects of a text."""

    def __init__(self, path: Path, text: str) -> None:
        super().__init__(path)
        self._lines = iter(text.split("\n"))
        self._number = 0  # of the line
        self._words: list[str] = []  # of the line, the next one last

    def place(self) -> str:
        return f"line {self._number}"

    def token(self) -> str:
        while not self._words:
            self._next_line()
        return self._words.pop()

    def integer(self) -> int:
        word = self.token()
        if not word.lstrip("-").isdecimal() or not word.isascii() or len(word) > 12:
            self.refuse(f"{short(word)}; expected a whole number")
        return int(word)

    def vector(self) -> NDArray[np.float64]:
        rows = self._rows()
        return _numbers(self, np.concatenate(rows) if rows else np.zeros(0))

    def matrix(self) -> NDArray[np.float64]:
        rows = self._rows()
        if len({len(row) for row in rows}) > 1:
            self.refuse("a matrix that ends here has rows of different lengths; expected one length")
        return _numbers(self, np.stack(rows) if rows else np.zeros((0, 0)))

    def skip_past(self, token: str) -> None:
        while self.token() != token:
            pass

    def end(self) -> None:
        if self._words or any(line.strip() for line in self._lines):
            self.refuse(_MORE)

    def _rows(self) -> list[NDArray[np.float64]]:
        """The numbers of each line from ``[`` to ``]``."""
        self.expect("[")
        rows = []
        while True:
            words = self._words[::-1]
            ends = "]" in words
            row = words[: words.index("]")] if ends else words
            try:
                rows += [np.array(row, np.float64)] if row else []
            except ValueError as error:
                self.refuse(f"{short(' '.join(row))}; expected numbers ({error})")
            if ends:
                self._words = words[len(row) + 1 :][::-1]
                return rows
            self._next_line()

    def _next_line(self) -> None:
        line = next(self._lines, None)
        if line is None:
            self.refuse("the file ends here; is it truncated?")
        self._words = line.split()[::-1]
        self._number += 1


def _numbers(reader: _Reader, values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Values without NaN; infinities are the model's to judge."""
    if np.isnan(values).any():
        reader.refuse("NaN among the values that end here; expected numbers")
    return values


@contextmanager
def open_kaldi(path: Path, what: str) -> Iterator[KaldiReader]:
    """The objects of a file, binary or text; ``what`` it holds is for messages.

    Raises:
        DataError: No such file, or none that can be read; within it, whatever is not as expected.
    """
    check_regular(path)
    try:
        with path.open("rb") as file:
            if file.read(len(BINARY)) == BINARY:
                yield _BinaryReader(path, file)
                return
    except FileNotFoundError:
        raise DataError(f"{path}: there is no such file") from None
    except OSError as error:
        raise DataError(f"{path}: not {what} that can be read ({error.strerror})") from None
    yield _TextReader(path, read_text_file(path, f"{what}, text or binary", most_bytes=MOST_TEXT_BYTES))


class KaldiWriter:
    """Writes objects as Kaldi writes them, in single precision."""

    def __init__(self, file: BinaryIO, *, text: bool) -> None:
        self._file, self._text = file, text
        if not text:
            file.write(BINARY)

    def token(self, token: str, *, ends_line: bool = False) -> None:
        """A token; in a text it may end its line."""
        self._file.write(token.encode() + (b" \n" if ends_line and self._text else b" "))

    def integer(self, value: int) -> None:
        """A whole number of four bytes."""
        self._file.write(f"{value} ".encode() if self._text else struct.pack("<bi", 4, value))

    def vector(self, values: NDArray[np.floating[Any]]) -> None:
        """A vector (N,)."""
        if self._text:
            self._file.write(f" [ {_spelt(values)}]\n".encode())
            return
        self.token("FV")
        self._array(values)

    def matrix(self, values: NDArray[np.floating[Any]]) -> None:
        """A matrix (M, N)."""
        if self._text:
            self._file.write((" [" + "".join(f"\n  {_spelt(row)}" for row in values) + "]\n").encode())
            return
        self.token("FM")
        self._array(values)

    def _array(self, values: NDArray[np.floating[Any]]) -> None:
        for n in values.shape:
            self.integer(n)
        self._file.write(np.ascontiguousarray(values, "<f4").tobytes())


def _spelt(values: NDArray[np.floating[Any]]) -> str:
    """Numbers with as many digits as single precision needs, a space behind each."""
    return "".join(f"{value:.9g} " for value in np.asarray(values, np.float32).tolist())
