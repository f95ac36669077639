"""The compiled twin of ``kernels.numpy_pass``: products by BLAS, the rest by numba, all without Python's lock.

Owns the arithmetic that a compiler can vectorise: powers of two and logarithms from polynomials. Plain Python until
it is first called; then it takes some seconds, once for each precision, unless an earlier run has left its result
beside this file.
"""

import threading
from collections.abc import Callable
from math import factorial, log
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from speechgmm.compiler import FAST, just_in_time
from speechgmm.parallel import hold_new_blas

Block = NDArray[np.float32] | NDArray[np.float64]
Active = NDArray[np.uint8]
"""(blocks, K / 8) bits: which components are active in each block of a batch."""

ACTIVE: Final = 2.0**-20
"""A posterior above it makes a component active in a block. At K 2048 the others of a frame add up to 3e-5 at worst."""

Pass = Callable[[Block, Block, Block, Block, Active, Active, NDArray[np.float64]], float]

_EXP2_32 = tuple(np.float32(log(2) ** n / factorial(n)) for n in range(7, -1, -1))  # Taylor on [-1/2, 1/2]: 5e-9
_EXP2_64 = tuple(log(2) ** n / factorial(n) for n in range(13, -1, -1))  # 4e-18
_ROUND_32 = np.float32(1.5 * 2**23)  # adding and subtracting it rounds to an integer
_ROUND_64 = 1.5 * 2.0**52
_LOWEST_32, _LOWEST_64 = np.float32(-126), -1022.0
_ZERO_32 = np.float32(0)
# log2 m = 2 / log 2 atanh((m - 1) / (m + 1)) for m in [sqrt(1/2), sqrt(2)]: 2e-17
_LOG2 = tuple(2 / log(2) / n for n in range(21, 0, -2))
_SQRT_HALF = np.int64(np.float64(0.5**0.5).view(np.int64))


def _exp2(x: Any) -> Any:
    """2**x for x <= 0, from a polynomial, which the compiler can vectorise as it cannot the library's."""
    raise NotImplementedError("only numba-compiled code calls this; see compiled_pass")


def _exp2_32(x):  # type: ignore[no-untyped-def]  # numba compares it with the lambda below
    y = max(x, _LOWEST_32)
    whole = (y + _ROUND_32) - _ROUND_32
    part = y - whole
    power = _EXP2_32[0]
    for coefficient in _EXP2_32[1:]:
        power = power * part + coefficient
    bits = np.int32((np.int32(whole) + np.int32(127)) << np.int32(23))
    return power * bits.view(np.float32) if x >= _LOWEST_32 else _ZERO_32


def _exp2_64(x):  # type: ignore[no-untyped-def]
    y = max(x, _LOWEST_64)
    whole = (y + _ROUND_64) - _ROUND_64
    part = y - whole
    power = _EXP2_64[0]
    for coefficient in _EXP2_64[1:]:
        power = power * part + coefficient
    bits = np.int64((np.int64(whole) + np.int64(1023)) << np.int64(52))
    return power * bits.view(np.float64) if x >= _LOWEST_64 else 0.0


def _log2(x: Any) -> Any:
    """log2 of a float64 above 0; the library's cannot be vectorised."""
    raise NotImplementedError("only numba-compiled code calls this; see compiled_pass")


def _log2_64(x):  # type: ignore[no-untyped-def]
    bits = np.float64(x).view(np.int64)
    whole = (bits - _SQRT_HALF) >> np.int64(52)
    part = np.int64(bits - (whole << np.int64(52))).view(np.float64)
    ratio = (part - 1.0) / (part + 1.0)
    square = ratio * ratio
    series = _LOG2[0]
    for coefficient in _LOG2[1:]:
        series = series * square + coefficient
    return np.float64(whole) + ratio * series


def _peaks(scores: Any) -> Any:
    peaks = scores[0].copy()
    for k in range(1, len(scores)):
        row = scores[k]
        for b in range(len(peaks)):
            peaks[b] = max(peaks[b], row[b])
    return peaks


def _into_posteriors(scores: Any, weights: Any) -> Any:
    n_components, n_frames = scores.shape
    peaks = _peaks(scores)
    sums = np.zeros_like(peaks)
    for k in range(n_components):
        row = scores[k]
        for b in range(n_frames):
            row[b] = _exp2(row[b] - peaks[b])
            sums[b] += row[b]
    log2_likelihoods = np.empty(n_frames)
    for b in range(n_frames):
        log2_likelihoods[b] = np.float64(weights[b]) * (np.float64(peaks[b]) + _log2(np.float64(sums[b])))
        sums[b] = weights[b] / sums[b]
    for k in range(n_components):
        row = scores[k]
        for b in range(n_frames):
            row[b] *= sums[b]
    return log2_likelihoods.sum()


def _pass_loops(factors: Any, rows: Any, columns: Any, weights: Any, active: Any, found: Any, total: Any) -> Any:
    n_components, width = factors.shape
    chosen = np.arange(n_components)
    chosen_factors = np.empty_like(factors) if len(active) else factors
    scores = np.empty((n_components, rows.shape[1]), factors.dtype)
    product = np.empty_like(factors)
    n_chosen = n_components
    log2_likelihood = 0.0
    for block in range(len(rows)):
        if len(active):
            n_chosen = 0
            for k in range(n_components):
                if active[block, k >> 3] >> (7 - (k & 7)) & 1:
                    chosen[n_chosen] = k
                    chosen_factors[n_chosen] = factors[k]
                    n_chosen += 1
        posteriors = scores[:n_chosen]
        np.dot(chosen_factors[:n_chosen], columns[block], posteriors)
        log2_likelihood += _into_posteriors(posteriors, weights[block])
        np.dot(posteriors, rows[block], product[:n_chosen])
        for i in range(n_chosen):
            into, row = total[chosen[i]], product[i]
            for p in range(width):
                into[p] += row[p]
        if len(found):
            for k in range(n_components):
                row = scores[k]
                most = row[0]
                for b in range(1, len(row)):
                    most = max(most, row[b])
                if most > ACTIVE:
                    found[block, k >> 3] |= np.uint8(128 >> (k & 7))
    return log2_likelihood


_lock = threading.Lock()
_compiled: list[Pass] = []  # one element once compiled


def compiled_pass() -> Pass:
    """The pass over a batch, see ``kernels.numpy_pass``; safe to call from many threads at once."""
    with _lock:
        if not _compiled:
            import numba
            import scipy.linalg.blas  # noqa: F401  # numba multiplies with it
            from numba.extending import overload, register_jitable

            hold_new_blas()
            overload(_exp2, jit_options=FAST)(lambda x: _exp2_32 if x == numba.types.float32 else _exp2_64)
            overload(_log2, jit_options=FAST)(lambda x: _log2_64)  # noqa: ARG005
            register_jitable(**FAST)(_peaks)
            register_jitable(**FAST)(_into_posteriors)
            _compiled.append(just_in_time(_pass_loops, **FAST))
        return _compiled[0]


def warm_up(precision: str) -> None:
    """Compile the E-step for "float32" or "float64", or load the compiled one, before the first fit needs it.

    >>> warm_up("float32")
    """
    one, bits = np.ones((1, 1), precision), np.empty((0, 1), np.uint8)
    compiled_pass()(one, one[None], one[None], one, bits, bits, np.zeros((1, 1)))
