"""The E-step: where all the time goes.

Owns the pass over frames (here in numpy, to read and to check by; ``compiled`` is its twin) and the way back from
scaled frames: nothing outside knows of scaling or precision. Refuses to estimate, and to hold a (T, K) array
for more than one block of frames.
"""

from math import log
from typing import Final

import numpy as np
from numpy.typing import NDArray

from speechgmm.compiler import Engine
from speechgmm.errors import ShapeError
from speechgmm.gmm.compiled import ACTIVE, Active, compiled_pass
from speechgmm.gmm.layout import Batch, Block
from speechgmm.gmm.likelihoods import Space
from speechgmm.gmm.model import LogLinear
from speechgmm.gmm.stats import Floats, GMMStats
from speechgmm.parallel import PYTHON_TURN

LOG2_E: Final = 1 / log(2)


def accumulate(
    log_linear: LogLinear, batch: Batch, *, active: Active | None = None, engine: Engine = "numba"
) -> GMMStats:
    """The statistics of a batch under a mixture: the E-step.

    The products have the precision of the batch, and the sums over blocks are float64. The reference of the statistics
    is the centre of the batch. With ``active``, from ``survey``, each block leaves out the components that are not
    active in it. The ``engine`` "numpy" needs no compiler; it is slower, and agrees with "numba" within rounding.

    Raises:
        ShapeError: Batch and mixture differ in dimension.

    >>> from speechgmm.gmm.layout import prepare
    >>> density = LogLinear(np.zeros(1), np.zeros((1, 2)), -np.ones((1, 2)))
    >>> accumulate(density, prepare([[1.0, 2.0], [3.0, 4.0]])[0], engine="numpy").about(0).sums
    array([[4., 6.]])
    """
    nothing = np.empty((0, _mask_bytes(log_linear)), np.uint8)
    return _e_step(log_linear, batch, active, nothing, engine)


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
    found = np.zeros((len(batch.rows), _mask_bytes(log_linear)), np.uint8)
    return _e_step(log_linear, batch, None, found, engine), found


def best_components(log_linear: LogLinear, batch: Batch) -> NDArray[np.intp]:
    """The most probable component of every frame of a batch, (N,).

    >>> from speechgmm.gmm.layout import prepare
    >>> density = LogLinear(np.zeros(2), np.array([[0.0], [9.0]]), -np.ones((2, 1)))
    >>> best_components(density, prepare([[-1.0], [8.0]])[0])
    array([0, 1])
    """
    factors = _factors(log_linear, batch)
    tops = np.concatenate([np.dot(factors, columns).argmax(axis=0) for columns in batch.columns])
    return tops[batch.rows[:, :, 2 * len(batch.centre)].ravel() > 0]


def _e_step(log_linear: LogLinear, batch: Batch, active: Active | None, found: Active, engine: Engine) -> GMMStats:
    n_components, n_features = log_linear.linear.shape
    centre, scale = batch.centre, batch.scale
    if len(centre) != n_features:
        raise ShapeError(
            f"frames of {len(centre)} dimensions for a mixture of {n_features}; were they made with the same features?"
        )
    one_pass = numpy_pass if engine == "numpy" else compiled_pass()
    with PYTHON_TURN:
        factors = _factors(log_linear, batch)
    moments_of_z = np.zeros((n_components, batch.rows.shape[2]))
    every = np.empty((0, found.shape[1]), np.uint8)
    log2_likelihood = one_pass(
        factors,
        batch.rows,
        batch.columns,
        batch.weights,
        every if active is None else active,
        found,
        moments_of_z,
    )
    with PYTHON_TURN:
        return GMMStats.of_scaled(moments_of_z, centre, scale, log2_likelihood * log(2), batch.n_frames)


def _mask_bytes(log_linear: LogLinear) -> int:
    """Of one bit per component."""
    return -(-len(log_linear.const) // 8)


def _factors(log_linear: LogLinear, batch: Batch) -> Block:
    """(K, P): what [z, z², 1] is multiplied by for log2 p(k, x), padded."""
    n_components, n_features = log_linear.linear.shape
    factors = np.zeros((n_components, batch.rows.shape[2]))
    factors[:, : 2 * n_features + 1] = Space(batch.centre, batch.scale).factors(log_linear)
    factors *= LOG2_E
    return factors.astype(np.float32) if batch.precision == "float32" else factors


def numpy_pass(
    factors: Block, rows: Block, columns: Block, weights: Block, active: Active, found: Active, total: Floats
) -> float:
    """One pass over the blocks of a batch: adds the sums of posteriors times rows to ``total`` (K, P).

    ``active`` (blocks or 0, K / 8) says which components take part, all where it is empty; into ``found`` (blocks or 0,
    K / 8) goes which of them have a posterior above ``ACTIVE``. Returns the sum of weights log2 p(x). Posteriors below
    the smallest normal power of two are zero: nobody misses them, and subnormals are slow.
    """
    lowest = -126 if factors.dtype == np.float32 else -1022
    every = np.arange(len(factors))
    log2_likelihood = 0.0
    for block in range(len(rows)):
        chosen = np.flatnonzero(np.unpackbits(active[block], count=len(factors))) if len(active) else every
        scores = factors[chosen] @ columns[block]
        peaks = scores.max(axis=0)
        scores -= peaks
        posteriors = np.where(scores < lowest, 0, np.exp2(np.maximum(scores, lowest)))
        sums = posteriors.sum(axis=0)
        posteriors *= weights[block] / sums
        total[chosen] += posteriors @ rows[block]
        log2_likelihood += float(weights[block].astype(np.float64) @ (peaks + np.log2(sums.astype(np.float64))))
        if len(found):
            found[block] = np.packbits(posteriors.max(axis=1) > ACTIVE)
    return log2_likelihood
