"""Compilation by numba takes seconds the first time on a machine: a person is told when it happens, and only then."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from speechgmm.engine.console import Console

NOTE: Final = "compiling: some seconds, once on this machine"


@contextmanager
def compile_note(console: Console) -> Iterator[None]:
    """Within it the first function that numba compiles in this process is announced; one loaded from disk is not."""
    from numba.core import event

    class Note(event.Listener):
        """Announces once."""

        announced = False

        def on_start(self, _: Any) -> None:
            """A compilation begins."""
            if not self.announced:
                self.announced = True
                console.say(NOTE)

        def on_end(self, _: Any) -> None:
            """It ends."""

    with event.install_listener("numba:compile", Note()):
        yield
