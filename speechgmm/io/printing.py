"""Text of unknown origin (names of files, labels) made fit to be shown."""

import re


def printable(text: str) -> str:
    """Text without what no terminal or page may get: control characters and bytes that are not UTF-8, as ``\\x1b``.

    Tabs and line ends stay.

    >>> printable("a\\x1bb")
    'a\\\\x1bb'
    """
    shown = text.encode("utf-8", "backslashreplace").decode()
    return re.sub(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ufffe\uffff]", lambda found: f"\\x{ord(found[0]):02x}", shown)
