"""Tables as text: written separated by tabs; read whatever their encoding, separator and decimal sign.

What a file's bytes mean as text, what separates its cells and what a number looks like is decided here for every table.
"""

import codecs
import csv
import gzip
import io
import re
import zlib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

from speechgmm.errors import DataError
from speechgmm.io.text_file import check_regular

_BYTE_ORDER_MARKS: Final = (  # UTF-32 first: its mark begins with that of UTF-16
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
    (codecs.BOM_UTF8, "utf-8-sig"),
)
GZIP: Final = b"\x1f\x8b"
"""What a file that gzip compressed begins with."""

MOST_UNPACKED: Final = 4_000_000_000
"""Bytes; a small file can hold as many zeros as one likes."""

_DECIMAL_COMMA: Final = re.compile(r"[-+]?\d+,\d+([eE][-+]?\d+)?")
_LOOKED_AT: Final = 100  # lines that the separator is chosen by
_WINDOWS_PATH: Final = re.compile(r"[A-Za-z]:[\\/]|\\\\|[^/\\]+\\[^/]")


def table(head: Sequence[object], rows: Iterable[Sequence[object]]) -> str:
    """A header and rows, separated by tabs; what would break a cell (tab, line end) becomes a space.

    >>> table(("id", "n"), [("a\\tb", 1)])
    'id\\tn\\na b\\t1\\n'
    """
    return "".join("\t".join(cell(value) for value in row) + "\n" for row in (head, *rows))


def cell(value: object) -> str:
    """A value as one cell of a table."""
    return " ".join(str(value).split("\t")).replace("\r", " ").replace("\n", " ")


def encoding_of(data: bytes) -> str:
    """The encoding of a text file by its byte order mark; UTF-16 also by the zero bytes that Latin letters have in it.

    >>> encoding_of("a b".encode("utf-16-be"))
    'utf-16-be'
    >>> encoding_of(b"a b")
    'utf-8'
    """
    for mark, name in _BYTE_ORDER_MARKS:
        if data.startswith(mark):
            return name
    even, odd = data[:1000:2], data[1:1000:2]
    if odd and max(even.count(0), odd.count(0)) > len(odd) / 2 and min(even.count(0), odd.count(0)) == 0:
        return "utf-16-be" if even.count(0) else "utf-16-le"
    return "utf-8"


def decode(data: bytes) -> str:
    """A text file's content in UTF-8 or UTF-16 (or UTF-32 with its mark), with plain line ends.

    Raises:
        DataError: It is in another encoding; the message names where, what it may be, and what to do.
    """
    encoding = encoding_of(data)
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError as error:
        if encoding != "utf-8":
            raise DataError(f"not text in {encoding.upper()}, as it begins ({error.reason}): is it damaged?") from None
        if b"\0" in data[:1000]:
            raise DataError(
                "not text in UTF-8 or UTF-16: it has zero bytes, as spreadsheets and compressed files do; export it as "
                "text, or unpack it"
            ) from None
        line = data.count(b"\n", 0, error.start) + 1
        raise DataError(
            f"not text in UTF-8 or UTF-16 (byte 0x{data[error.start]:02x} in line {line}; it may be Windows-1252 or "
            "Latin-1): save it as UTF-8"
        ) from None
    return text.replace("\r\n", "\n").replace("\r", "\n")


def read_table(path: Path, missing: str = "there is no such file") -> str:
    """The text of a table. ``missing`` is what is said where there is no such file.

    Raises:
        DataError: No such file, or it cannot be read as text.
    """
    check_regular(path)
    try:
        data = path.read_bytes()
        return decode(unpacked(data) if data.startswith(GZIP) else data)
    except FileNotFoundError:
        raise DataError(f"{path}: {missing}{windows_path(str(path))}") from None
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror})") from None
    except DataError as error:
        raise DataError(f"{path}: {error}") from None


def unpacked(data: bytes) -> bytes:
    """What a file that was compressed by gzip holds.

    Raises:
        DataError: It is damaged, or holds more than a table of text does.
    """
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(data)) as file:
            found = file.read(MOST_UNPACKED + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"compressed by gzip, and damaged ({error})") from None
    if len(found) > MOST_UNPACKED:
        raise DataError(f"compressed by gzip, and more than {MOST_UNPACKED} bytes; expected a table of at most so many")
    return found


def separator(lines: Sequence[str]) -> str | None:
    """What separates the cells of a table: a tab, a semicolon, a comma, or spaces (None).

    It is the first of these that splits every line into the same number of cells, two or more; where none does, the
    first that splits the first line. A comma within numbers alone (``0,5``) is a decimal comma.

    >>> separator(["a;b;1,5", "c;d;2,5"]), separator(["a b 1,5", "c d 2,5"]), separator(["a,b,1.5", "c,d,2"])
    (';', None, ',')
    """
    some = lines[:_LOOKED_AT]
    in_numbers = not any("," in _without_decimal_commas(line) for line in some)
    candidates = ["\t", ";", *([] if in_numbers and any("," in line for line in some) else [","]), None]
    for candidate in candidates:
        widths = {len(cells(line, candidate)) for line in some}
        if len(widths) == 1 and widths != {1}:
            return candidate
    return next((one for one in candidates if len(cells(some[0], one)) > 1), None)


def _without_decimal_commas(line: str) -> str:
    return " ".join(part for part in re.split(r"[\s;]+", line) if not _DECIMAL_COMMA.fullmatch(part))


def cells(line: str, by: str | None) -> list[str]:
    """The cells of one line, without spaces around them; None: separated by spaces. Quotes hold in all but tabs."""
    if by is None:
        return line.split()
    quoted = '"' in line and by != "\t" and len(line) < csv.field_size_limit()
    parts = next(csv.reader([line], delimiter=by)) if quoted else line.split(by)
    return [part.strip() for part in parts]


def number(text: str) -> float:
    """A number with a decimal point or a decimal comma. Raises ValueError where it is none.

    >>> number("1,5"), number("-2.5e3")
    (1.5, -2500.0)
    """
    return float(text.replace(",", ".") if _DECIMAL_COMMA.fullmatch(text) else text)


def windows_path(name: str) -> str:
    """What to do where a name that was not found is a path of Windows; empty where it is none.

    >>> windows_path("anna/one.wav")
    ''
    """
    if not _WINDOWS_PATH.match(name):
        return ""
    return (
        f" ({name!r} is a path of Windows, which names nothing here: write it with / and relative to the folder of the "
        "recordings)"
    )
