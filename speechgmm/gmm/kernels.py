"""The E-step: where all the time goes.

Owns the pass that turns scores into posteriors (numba, and a numpy twin to read and to check it by) and the
way back to raw coordinates: nothing outside knows of centring, scaling or precision. Refuses to estimate, and
to hold a (T, K) array for more than one block of frames.
"""

import threading
from collections.abc import Callable
from math import factorial, log
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from speechgmm.errors import ShapeError
from speechgmm.gmm.layout import Batch, Block
from speechgmm.gmm.model import LogLinear
from speechgmm.gmm.stats import Floats, GMMStats

Engine = Literal["numba", "numpy"]

LOG2_E: Final = 1 / log(2)
Active = NDArray[np.uint8]
"""(blocks, K / 8) bits: which components are active in each block of a batch."""

ACTIVE: Final = 2.0**-20
"""A posterior above it makes a component active in a block. At K 2048 the others of a frame add up to 3e-5 at worst."""

NO_PART: Final = -1e30
"""Stands for log 0: -inf times the zeros of a padded row would be NaN. Far below any log density."""


def accumulate(
    log_linear: LogLinear, batch: Batch, *, active: Active | None = None, engine: Engine = "numba"
) -> GMMStats:
    """The statistics of a batch under a mixture: the E-step.

    The products have the batch's precision and the sums over blocks float64; the statistics are in raw
    coordinates. With ``active``, from ``survey``, the components that are not active in a block have no part in it.
    ``engine`` says who turns scores into posteriors; numpy's is slower, agrees within rounding, and needs no compiler.

    Raises:
        ShapeError: Frames and mixture differ in dimension.

    >>> from speechgmm.gmm.layout import prepare
    >>> density = LogLinear(np.zeros(1), np.zeros((1, 2)), -np.ones((1, 2)))
    >>> accumulate(density, prepare([[1.0, 2.0], [3.0, 4.0]])[0], engine="numpy").sums
    array([[4., 6.]])
    """
    return _e_step(log_linear, batch, active, None, engine)


def survey(log_linear: LogLinear, batch: Batch, *, engine: Engine = "numba") -> tuple[GMMStats, Active]:
    """The statistics of a batch, and which components are active in each of its blocks.

    Active is a component whose posterior is above ``ACTIVE`` for a frame of the block; frames count once each.

    Raises:
        ShapeError: Frames and mixture differ in dimension.

    >>> from speechgmm.gmm.layout import prepare
    >>> density = LogLinear(np.zeros(2), np.array([[0.0], [1000.0]]), -np.ones((2, 1)))
    >>> survey(density, prepare([[-1.0], [-2.0]])[0], engine="numpy")[1]
    array([[128]], dtype=uint8)
    """
    found: list[NDArray[np.uint8]] = []
    return _e_step(log_linear, batch, None, found, engine), np.array(found)


def top_components(log_linear: LogLinear, batch: Batch) -> NDArray[np.intp]:
    """The most probable component of every frame of a batch, (N,).

    >>> from speechgmm.gmm.layout import prepare
    >>> density = LogLinear(np.zeros(2), np.array([[0.0], [9.0]]), -np.ones((2, 1)))
    >>> top_components(density, prepare([[-1.0], [8.0]])[0])
    array([0, 1])
    """
    factors = _factors(log_linear, batch)
    tops = np.concatenate([np.dot(factors, columns).argmax(axis=0) for columns in batch.columns])
    return tops[batch.rows[:, :, 2 * len(batch.centre)].ravel() > 0]


def _e_step(
    log_linear: LogLinear, batch: Batch, active: Active | None, found: list[NDArray[np.uint8]] | None, engine: Engine
) -> GMMStats:
    n_components, n_features = log_linear.linear.shape
    centre, scale = batch.centre, batch.scale
    if len(centre) != n_features:
        raise ShapeError(f"frames of {len(centre)} dimensions for a mixture of {n_features}")
    between = _between if engine == "numpy" else _compiled()
    every = np.arange(n_components)
    factors = _factors(log_linear, batch)
    chosen_factors = factors if active is None else np.empty_like(factors)
    scores = np.empty((n_components, batch.rows.shape[1]), factors.dtype)
    product = np.zeros_like(factors)
    moments_of_z = np.zeros(factors.shape)
    log2_likelihood = 0.0
    last = chosen = every
    for number, (rows, columns, weights) in enumerate(zip(batch.rows, batch.columns, batch.weights, strict=True)):
        if active is not None:
            chosen = np.flatnonzero(np.unpackbits(active[number], count=n_components))
            np.take(factors, chosen, axis=0, out=chosen_factors[: len(chosen)], mode="clip")
        block = scores[: len(chosen)]
        np.dot(chosen_factors[: len(chosen)], columns, out=block)
        log2_likelihood += between(block, weights, product[: len(last)], last, moments_of_z)
        np.dot(block, rows, out=product[: len(chosen)])
        last = chosen
        if found is not None:
            found.append(np.packbits(block.max(axis=1) > ACTIVE))
    moments_of_z[last] += product[: len(last)]
    sums, squares = moments_of_z[:, :n_features], moments_of_z[:, n_features : 2 * n_features]
    counts = moments_of_z[:, 2 * n_features].copy()
    n = counts[:, None]
    # x = centre + scale z, so sum x² = scale² sum z² + 2 centre scale sum z + centre² n.
    return GMMStats(
        counts,
        scale * sums + centre * n,
        scale**2 * squares + 2 * centre * scale * sums + centre**2 * n,
        log2_likelihood * log(2),
        batch.n_frames,
    )


def _factors(log_linear: LogLinear, batch: Batch) -> Block:
    """(K, P): what [z, z², 1] is multiplied by for log2 p(k, x). The density stays that of x: no Jacobian."""
    centre, scale = batch.centre, batch.scale
    n_components, n_features = log_linear.linear.shape
    factors = np.zeros((n_components, batch.rows.shape[2]))
    factors[:, :n_features] = scale * (log_linear.linear + 2 * log_linear.quadratic * centre)
    factors[:, n_features : 2 * n_features] = scale**2 * log_linear.quadratic
    const = log_linear.const + log_linear.linear @ centre + log_linear.quadratic @ centre**2
    factors[:, 2 * n_features] = np.maximum(const, NO_PART)
    factors *= LOG2_E
    return factors.astype(np.float32) if batch.precision == "float32" else factors


def _between(scores: Block, weights: Block, product: Block, index: NDArray[np.intp], total: Floats) -> float:
    """What lies between the two products of a block; returns sum weights log2 p(x).

    Adds the last block's product to the components ``index`` of the total (K, P), and turns log2 p(k, x) (K, B), in
    place, into posteriors times frame weights (B,). Posteriors below the smallest normal power of two are zero:
    nobody misses them, and subnormals are slow.
    """
    total[index] += product
    lowest = -126 if scores.dtype == np.float32 else -1022
    peaks = scores.max(axis=0)
    scores -= peaks
    nothing = scores < lowest
    np.exp2(np.maximum(scores, lowest, out=scores), out=scores)
    scores[nothing] = 0
    totals = scores.sum(axis=0)
    scores *= weights / totals
    return float(weights.astype(np.float64) @ (peaks + np.log2(totals.astype(np.float64))))


# The numba twin of _between. What follows is plain Python until _compiled() is first called.

_EXP2_32 = tuple(np.float32(log(2) ** n / factorial(n)) for n in range(7, -1, -1))  # Taylor on [-1/2, 1/2]: 5e-9
_EXP2_64 = tuple(log(2) ** n / factorial(n) for n in range(13, -1, -1))  # 4e-18
_ROUND_32 = np.float32(1.5 * 2**23)  # adding and subtracting it rounds to an integer
_ROUND_64 = 1.5 * 2.0**52
_LOWEST_32, _LOWEST_64 = np.float32(-126), -1022.0
_ZERO_32 = np.float32(0)
# log2 m = 2 / log 2 atanh((m - 1) / (m + 1)) for m in [sqrt(1/2), sqrt(2)]: 2e-17
_LOG2 = tuple(2 * LOG2_E / n for n in range(21, 0, -2))
_SQRT_HALF = np.int64(np.float64(0.5**0.5).view(np.int64))


def _exp2(x: Any) -> Any:
    """2**x for x <= 0, from a polynomial, which the compiler can vectorise as it cannot the library's."""
    raise NotImplementedError("only numba-compiled code calls this; see _compiled")


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
    raise NotImplementedError("only numba-compiled code calls this; see _compiled")


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


def _between_loops(scores: Any, weights: Any, product: Any, index: Any, total: Any) -> Any:
    n_components, n_frames = scores.shape
    for i in range(product.shape[0]):
        into, row = total[index[i]], product[i]
        for p in range(product.shape[1]):
            into[p] += row[p]
    peaks = scores[0].copy()
    for k in range(1, n_components):
        row = scores[k]
        for b in range(n_frames):
            peaks[b] = max(peaks[b], row[b])
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


_lock = threading.Lock()
_Between = Callable[[Block, Block, Block, NDArray[np.intp], Floats], float]
_pass: list[_Between] = []  # one element once compiled


def _compiled() -> _Between:
    with _lock:
        if not _pass:
            import numba
            from numba.extending import overload

            # Not plain fastmath=True: reassociation would cancel the rounding trick in _exp2.
            fast = {"nnan", "ninf", "nsz", "contract"}
            overload(_exp2, jit_options={"fastmath": fast})(
                lambda x: _exp2_32 if x == numba.types.float32 else _exp2_64
            )
            overload(_log2, jit_options={"fastmath": fast, "error_model": "numpy"})(lambda x: _log2_64)  # noqa: ARG005
            # Python's error model looks for a division by zero before each: no loop with one is vectorised.
            compiled = numba.njit(nogil=True, cache=True, fastmath=fast, error_model="numpy")
            _pass.append(compiled(_between_loops))
        return _pass[0]
