"""The compiled twin of ``likelihoods.log_sums``: exponentials from the E-step's polynomial, and no pass for each step.

Agrees with numpy within rounding, and no further: whoever asks for it decides by the work as a whole, and never by what
one worker has of it.
"""

import threading
from collections.abc import Callable
from math import log
from typing import Any, Final

import numpy as np

from speechgmm.compiler import FAST, just_in_time
from speechgmm.gmm import compiled

_LOG_2: Final = log(2)


def _log_sum_loops(scores: Any, log2_e: Any, out: Any) -> None:
    n_models, n_components, n_frames = scores.shape
    for m in range(n_models):
        peaks = compiled._peaks(scores[m])
        sums = np.zeros_like(peaks)
        for k in range(n_components):
            row = scores[m, k]
            for b in range(n_frames):
                sums[b] += compiled._exp2((row[b] - peaks[b]) * log2_e)
        for b in range(n_frames):
            out[m, b] = np.float64(peaks[b]) + _LOG_2 * compiled._log2(np.float64(sums[b]))


_lock = threading.Lock()
_compiled: list[Callable[..., None]] = []  # one element once compiled


def compiled_log_sums(scores: Any, out: Any) -> None:
    """As ``likelihoods.log_sums``, which see; the scores stay as they are.

    >>> out = np.empty((1, 2))
    >>> compiled_log_sums(np.log([[[1.0, 2.0], [3.0, 4.0]]]), out)
    >>> np.exp(out).round(9).tolist()
    [[4.0, 6.0]]
    """
    if not _compiled:
        compiled.compiled_pass()  # makes powers of two and logarithms known to the compiler
        with _lock:
            _compiled.append(just_in_time(_log_sum_loops, **FAST))
    _compiled[0](scores, scores.dtype.type(1 / _LOG_2), out)
