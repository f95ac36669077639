"""One thread for every BLAS: the only place that limits them, by threadpoolctl.

Products here are of blocks that fit into a cache. Threads of BLAS that share one of those wait for each other longer
than they work, and where the cores are busy, many times longer; and results would hang on their number.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

_lock = threading.Lock()
_holders: list[Any] = []  # one limit per task that holds it; the first knows what was before


@contextmanager
def one_blas_thread() -> Iterator[None]:
    """Hold every BLAS that is loaded to one thread; also as a decorator.

    numpy and scipy bundle one each: who multiplies with that of scipy must have loaded it before. The limit is the
    process's: of several threads that ask for it, the last to leave lifts it.
    """
    from threadpoolctl import threadpool_limits

    with _lock:
        _holders.append(None if _holders else threadpool_limits(limits=1, user_api="blas"))
    try:
        yield
    finally:
        with _lock:
            if len(_holders) == 1:
                _holders[0].restore_original_limits()
            _holders.pop()
