"""What is printed: text of files that others made may hold commands to the terminal, which are shown and not sent."""

import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final, TextIO

_CONTROL: Final = re.compile("[\\x00-\\x08\\x0b-\\x1f\\x7f-\\x9f\\u202a-\\u202e\\u2066-\\u2069]")
"""All but tab and line end; with those that write from right to left."""


def visible(text: str) -> str:
    """A text with its control characters as escapes.

    >>> visible("a\\x1b[31mb\\n")
    'a\\\\x1b[31mb\\n'
    """
    return _CONTROL.sub(lambda found: ascii(found[0])[1:-1], text)


def one_line(text: str) -> str:
    """A text with its line ends and tabs as escapes, for a label or a name within a line that is printed.

    >>> one_line("a\\nb\\tc")
    'a\\\\nb\\\\tc'
    """
    return text.replace("\n", "\\n").replace("\t", "\\t")


class VisibleStream:
    """A text stream that is written to through ``visible``."""

    def __init__(self, stream: TextIO) -> None:
        self.stream = stream

    def write(self, text: str) -> int:
        """Write; returns how many characters were asked for."""
        self.stream.write(visible(text))
        return len(text)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stream, name)


@contextmanager
def visible_output() -> Iterator[None]:
    """Within it, what is printed goes through ``visible``."""
    before = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = (VisibleStream(stream) for stream in before)
    try:
        yield
    finally:
        sys.stdout, sys.stderr = before


def terminal(stream: TextIO) -> TextIO:
    """The stream itself, for who sends commands to the terminal: a progress bar."""
    return stream.stream if isinstance(stream, VisibleStream) else stream


def tell(text: str) -> None:
    """Print a message to standard error, and pass it to the logger at the level that it begins with (``warning:``)."""
    level = next((word for word in ("warning", "error") if text.startswith(f"{word}: ")), "info")
    log_message(level, text.removeprefix(f"{level}: "))
    print(text, file=sys.stderr, flush=True)


def log_message(level: str, text: str) -> None:
    """Pass a message to the logger ``speechgmm``; nothing waits for it as long as nobody has imported logging."""
    if "logging" in sys.modules:
        from speechgmm.logger import LOGGER

        getattr(LOGGER, level)("%s", text)
