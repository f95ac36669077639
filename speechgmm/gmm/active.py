"""Which components matter to which frames: what lets an E-step leave the others out.

In a large mixture a frame gives nearly all of itself to a few components. Frames are laid out by their most probable
component, with like components beside each other, so that a block of neighbours shares a small set of them; the set is
that of the last full pass. Leaving the others out is the sparse EM of Neal & Hinton (1998, section 5): while the sets
stay, a lower bound of the likelihood never falls.

Owns the order of components and frames. Refuses the E-step itself, which is ``kernels``.
"""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Final

import numpy as np
from numpy.typing import NDArray

from speechgmm.gmm.frames import Mapper
from speechgmm.gmm.kernels import best_components
from speechgmm.gmm.layout import BatchReference
from speechgmm.gmm.model import DiagGMM, LogLinear

BLOCK: Final = 128
"""Frames per block: fewer share fewer components, more are multiplied faster."""


def arranged(batches: Sequence[BatchReference], model: DiagGMM, *, map: Mapper = map) -> tuple[BatchReference, ...]:
    """The same batches, the frames of each laid out by their most probable component under ``model``.

    >>> from speechgmm.gmm.frames import as_source
    >>> from speechgmm.gmm.layout import batches
    >>> model = DiagGMM([0.5, 0.5], [[0.0], [9.0]], [[1.0], [1.0]])
    >>> plain = batches(as_source([[0.0], [9.0], [0.0]]), np.zeros(1), np.ones(1), "float32", 16)
    >>> arranged(plain, model)[0].order
    array([0, 2, 1], dtype=uint16)
    """
    ranks = np.empty(model.n_components, np.intp)
    ranks[similar_order(model.means / batches[0].scale)] = np.arange(model.n_components)
    return tuple(map(partial(_arranged, model.log_linear(), ranks), batches))


def similar_order(points: NDArray[np.float64]) -> NDArray[np.intp]:
    """Numbers of points (K, D) with like ones beside each other: halved along the principal axis, and again.

    >>> order = similar_order(np.array([[0.0], [9.0], [1.0], [8.0]]))
    >>> {tuple(sorted(order[:2].tolist())), tuple(sorted(order[2:].tolist()))} == {(0, 2), (1, 3)}
    True
    """

    def halved(numbers: NDArray[np.intp]) -> list[NDArray[np.intp]]:
        if len(numbers) < 2:
            return [numbers]
        about = points[numbers] - points[numbers].mean(axis=0)
        axis = np.linalg.eigh(about.T @ about)[1][:, -1]
        along = numbers[np.argsort(about @ axis, kind="stable")]
        return [*halved(along[: len(along) // 2]), *halved(along[len(along) // 2 :])]

    return np.concatenate(halved(np.arange(len(points))))


def _arranged(log_linear: LogLinear, ranks: NDArray[np.intp], batch: BatchReference) -> BatchReference:
    order = np.argsort(ranks[best_components(log_linear, batch.load())], kind="stable")
    return replace(batch, order=order.astype(np.uint16))
