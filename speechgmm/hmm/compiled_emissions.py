"""The compiled loops of ``emissions``: products by BLAS, log-sum-exp by the E-step's own polynomials.

Owns the blocks in which frames meet states, so small that scores stay in the cache.
"""

import threading
from collections.abc import Callable
from math import log
from typing import Any, Final

import numpy as np

from speechgmm.compiler import FAST, just_in_time
from speechgmm.gmm import compiled

_FRAMES: Final = 256  # of a block
_CELLS: Final = 2**17  # of a (components, frames) block: 512 KiB of float32, which stays in the L2 cache
_LOG_2: Final = log(2)


def _score_loops(factors: Any, offsets: Any, states: Any, rows: Any, found: Any) -> Any:
    n_frames, n_states = len(rows), len(states)
    most = max(1, _CELLS // min(n_frames, _FRAMES))
    largest = 0
    for s in range(n_states):
        largest = max(largest, offsets[s + 1] - offsets[s])
    room = np.empty((max(most, largest)) * min(n_frames, _FRAMES), factors.dtype)
    for begin in range(0, n_frames, _FRAMES):
        count = min(_FRAMES, n_frames - begin)
        block = rows[begin : begin + count].T
        first = 0
        while first < n_states:
            last = first + 1
            while last < n_states and offsets[last + 1] - offsets[first] <= most:
                last += 1
            size = offsets[last] - offsets[first]
            scores = room[: size * count].reshape(size, count)
            np.dot(factors[offsets[first] : offsets[last]], block, scores)
            for s in range(first, last):
                part = scores[offsets[s] - offsets[first] : offsets[s + 1] - offsets[first]]
                _log_sums(part, found[begin : begin + count, states[s]])
            first = last


def _log_sums(scores: Any, out: Any) -> Any:
    n_components, n_frames = scores.shape
    if n_components == 1:
        for b in range(n_frames):
            out[b] = _LOG_2 * np.float64(scores[0, b])
        return
    peaks = compiled._peaks(scores)
    sums = np.zeros_like(peaks)
    for k in range(n_components):
        row = scores[k]
        for b in range(n_frames):
            sums[b] += compiled._exp2(row[b] - peaks[b])
    logs = np.empty(n_frames)
    for b in range(n_frames):
        logs[b] = _LOG_2 * (np.float64(peaks[b]) + compiled._log2(np.float64(sums[b])))
    out[:] = logs


def _accumulate_loops(
    factors: Any, offsets: Any, rows: Any, begins: Any, frames: Any, shares: Any, moments: Any
) -> Any:
    width = rows.shape[1]
    chosen = np.empty((_FRAMES, width), rows.dtype)
    largest = 0
    for s in range(len(offsets) - 1):
        largest = max(largest, offsets[s + 1] - offsets[s])
    room, product = np.empty(largest * _FRAMES, rows.dtype), np.empty((largest, width), rows.dtype)
    log2_likelihood = 0.0
    for s in range(len(offsets) - 1):
        size = offsets[s + 1] - offsets[s]
        into = moments[offsets[s] : offsets[s + 1]]
        for begin in range(begins[s], begins[s + 1], _FRAMES):
            count = min(_FRAMES, begins[s + 1] - begin)
            for n in range(count):
                chosen[n] = rows[frames[begin + n]]
            block = chosen[:count]
            scores = room[: size * count].reshape(size, count)
            np.dot(factors[offsets[s] : offsets[s + 1]], block.T, scores)
            log2_likelihood += compiled._into_posteriors(scores, shares[begin : begin + count])
            np.dot(scores, block, product[:size])
            for k in range(size):
                for p in range(width):
                    into[k, p] += product[k, p]
    return log2_likelihood


_lock = threading.Lock()
_loops: dict[str, Callable[..., Any]] = {}


def scoring() -> Callable[..., Any]:
    """Factors (M, P) of states by offsets, their numbers, rows (T, P); fills found (T, S) for those states, in nats."""
    return _compiled("scoring", _score_loops)


def accumulating() -> Callable[..., Any]:
    """Adds the statistics of frames, listed by state with their shares, to moments (M, P); returns log2 likelihoods."""
    return _compiled("accumulating", _accumulate_loops)


def _compiled(name: str, loops: Callable[..., Any]) -> Callable[..., Any]:
    compiled.compiled_pass()  # makes powers of two, logarithms and posteriors known to the compiler
    with _lock:
        if name not in _loops:
            from numba.extending import register_jitable

            register_jitable(**FAST)(_log_sums)
            _loops[name] = just_in_time(loops, **FAST)
        return _loops[name]
