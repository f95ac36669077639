"""The one place that compiles loops with numba: when they are first needed, once for all threads, kept beside the code.

numba takes half a second to import, and a loop some seconds to compile. So whoever has loops asks for them late.
"""

import threading
from collections.abc import Callable
from typing import Any

_lock = threading.Lock()
_compiled: dict[Callable[..., Any], Callable[..., Any]] = {}


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
            import numba

            # Python's error model looks for a zero before each division: no loop with one would be vectorised.
            try:
                _compiled[loops] = numba.njit(nogil=True, cache=True, error_model="numpy")(loops)
            except RuntimeError:  # no folder that may be written: compiled anew in every process
                _compiled[loops] = numba.njit(nogil=True, error_model="numpy")(loops)
        return _compiled[loops]
