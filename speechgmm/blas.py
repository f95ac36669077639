"""One thread for every BLAS: the only place that limits them, by threadpoolctl.

Products here are of blocks that fit into a cache. Threads of BLAS that share one of those wait for each other longer
than they work, and where the cores are busy, many times longer; and results would hang on their number.
"""

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

_lock = threading.Lock()
_holders: list[Any] = []  # one limit per task that holds it; the first knows what was before
_found: tuple[int, Any] = (0, None)  # modules that were loaded at the last search, and what it found


@contextmanager
def one_blas_thread() -> Iterator[None]:
    """Hold every BLAS that is loaded to one thread; also as a decorator.

    numpy and scipy bundle one each: who multiplies with that of scipy must have loaded it before. The limit is the
    process's: of several threads that ask for it, the last to leave lifts it.
    """
    with _lock:
        _holders.append(None if _holders else _controller().limit(limits=1, user_api="blas"))
    try:
        yield
    finally:
        with _lock:
            if len(_holders) == 1:
                _holders[0].restore_original_limits()
            _holders.pop()


def _controller() -> Any:
    """Every BLAS that is loaded; the search takes milliseconds, and is made again when modules were loaded since."""
    global _found
    if _found[0] != len(sys.modules):
        from threadpoolctl import ThreadpoolController

        _found = (len(sys.modules), ThreadpoolController())
    return _found[1]
