"""Compilation by numba takes seconds the first time on a machine: a person is told when it happens, and only then."""

from contextlib import AbstractContextManager
from typing import Final

from speechgmm.compiler import watched
from speechgmm.engine.console import Console

NOTE: Final = "compiling: some seconds, once on this machine"


def compile_note(console: Console) -> AbstractContextManager[None]:
    """Within it the first function that numba compiles in this process is announced; one loaded from disk is not."""
    return watched(lambda: console.say(NOTE))
