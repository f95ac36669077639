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
