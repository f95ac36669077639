"""Text files that others may have made: read whole, within bounds, in UTF-8.

Owns what is refused before a byte is decoded: pipes and devices, which may never end, and files too large to be text.
"""

import stat
from pathlib import Path
from typing import Final

from speechgmm.errors import DataError

MOST_BYTES: Final = 500_000_000
"""A table of a million rows has about a tenth of it."""


def check_regular(path: Path) -> None:
    """Refuse a pipe, a socket or a device: to open one may wait for ever, and to read one may never end.

    Raises:
        DataError: The path is there, and is neither a file nor a folder.
    """
    try:
        mode = path.stat().st_mode
    except (OSError, ValueError):
        return  # missing, or not a name: whoever opens it says so
    if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
        raise DataError(f"{path}: a pipe or a device; expected a file. Write its content to a file first")


HALF: Final = "half of a pair of surrogates, such as \\ud800, which is no character"


def is_text(text: str) -> bool:
    """Whether a text can be written as UTF-8, or as the bytes of a file's name: JSON and YAML can say what cannot.

    >>> is_text("Zo\u00eb"), is_text(chr(0xD800))
    (True, False)
    """
    try:
        text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return False
    return True


def read_text_file(path: Path, what: str = "a text file", *, most_bytes: int = MOST_BYTES) -> str:
    """The text of a file in UTF-8, without a byte order mark.

    Args:
        path: The file.
        what: What it is, for messages.
        most_bytes: A larger file is refused.

    Raises:
        DataError: No such file, a folder, a pipe or a device, too large, not UTF-8.
    """
    check_regular(path)
    try:
        with path.open("rb") as file:
            data = file.read(most_bytes + 1)
    except FileNotFoundError:
        raise DataError(f"{path}: there is no such file") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise DataError(f"{path}: not {what} that can be read ({reason})") from None
    if len(data) > most_bytes:
        raise DataError(f"{path}: more than {most_bytes} bytes; expected {what} of at most so many")
    try:
        return data.decode("utf-8-sig").replace("\r\n", "\n").replace("\r", "\n")
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: not {what} in UTF-8 ({error.reason} at byte {error.start})") from None
