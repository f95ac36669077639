"""The one place that compiles loops with numba: when they are first needed, once for all threads, kept beside the code.

numba takes half a second to import, and a loop some seconds to compile. So whoever has loops asks for them late, and
whoever waits is told (``watched``).
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final, Literal

Engine = Literal["numba", "numpy"]
"""What computes loops: numba, or numpy, which is slower, and is there to read and to check by."""

FAST: Final[Any] = {"fastmath": {"nnan", "ninf", "nsz", "contract"}, "error_model": "numpy"}
"""Options of loops that are vectorised. Plain ``fastmath`` may reorder sums, which would cancel the rounding tricks of
powers of two. Python's error model looks for a zero before each division, and no loop with one is vectorised."""

_lock = threading.Lock()
_compiled: dict[Callable[..., Any], Callable[..., Any]] = {}
_watchers: list[Callable[[], None]] = []
_is_listening = False


def compiled(loops: Callable[..., Any]) -> Callable[..., Any]:
    """A compiled function that computes bit by bit what Python and numpy would compute in the same order.

    No product is fused with a sum and no sum is reordered. It runs without Python's lock.

    >>> def dot(left, right):
    ...     total = 0.0
    ...     for n in range(len(left)):
    ...         total += left[n] * right[n]
    ...     return total
    >>> import numpy as np
    >>> compiled(dot)(np.array([1.0, 2.0]), np.array([3.0, 4.0]))
    11.0
    """
    with _lock:
        if loops not in _compiled:
            _compiled[loops] = just_in_time(loops, error_model="numpy")
        return _compiled[loops]


def just_in_time(loops: Callable[..., Any], **options: Any) -> Callable[..., Any]:
    """A function that numba compiles when it is first called, without Python's lock; ``options`` are those of `njit`.

    The result is kept beside the code or in the user's cache. Where neither may be written, every process compiles.
    """
    import numba

    _listen()
    try:
        found = numba.njit(nogil=True, cache=True, **options)(loops)
    except RuntimeError:  # no folder that may be written
        found = numba.njit(nogil=True, **options)(loops)
    return found  # type: ignore[no-any-return]


@contextmanager
def watched(begins: Callable[[], None]) -> Iterator[None]:
    """Within it ``begins`` is called before the first function is compiled. Loading one from disk is no compilation.

    Of several, one within the other, the inner one is called.

    >>> with watched(lambda: print("compiling")):
    ...     compiled(lambda x: x + 1)(1)
    compiling
    2
    """
    called = False

    def once() -> None:
        nonlocal called
        if not called:
            called = True
            begins()

    _watchers.append(once)
    try:
        yield
    finally:
        _watchers.remove(once)


def _listen() -> None:
    """Have numba tell the watchers when it compiles; numba must have been imported."""
    global _is_listening
    if _is_listening:
        return
    from numba.core import event

    class Listener(event.Listener):
        """Passes on the beginning of each compilation."""

        def on_start(self, _: Any) -> None:
            """A compilation begins."""
            if _watchers:
                _watchers[-1]()

        def on_end(self, _: Any) -> None:
            """It ends."""

    event.register("numba:compile", Listener())  # type: ignore[no-untyped-call]
    _is_listening = True
