"""How far single frames are from normal ones, by each method.

Owns the choice of what a frame's cost is. Pooling and comparison are in ``models``.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from speechgmm.gmm import AnyGMM, FullGMM, stack_of
from speechgmm.tasks.anomaly.neighbours import NeighbourDistances, NormalVectors
from speechgmm.tasks.anomaly.spec import Method, StreamSpec

Floats = NDArray[np.float64]

NormalModel = AnyGMM | NormalVectors
"""What the frames of a stream are compared with: a mixture of normal frames, or some of these frames."""

FrameCosts = Callable[[NDArray[np.float32]], Floats]
"""Frames (T, D) -> costs (T,)."""


def frame_costs(model: NormalModel, stream: StreamSpec) -> FrameCosts:
    """The costs of frames by the stream's method, laid out once for many recordings.

    Raises:
        DataError: Fewer vectors than neighbours.

    >>> cost = frame_costs(FullGMM([1.0], [[0.0]], [[[4.0]]]), StreamSpec(method="mahalanobis"))
    >>> cost(np.array([[6.0]], np.float32))
    array([3.])
    """
    made: FrameCosts = _COSTS[stream.method](model, stream)
    return made


def _likelihood(model: AnyGMM, _: StreamSpec) -> FrameCosts:
    stack = stack_of([model])

    def costs(frames: NDArray[np.float32]) -> Floats:
        found: Floats = -stack.log_likelihoods(frames)[0]
        return found

    return costs


def _mahalanobis(model: FullGMM, _: StreamSpec) -> FrameCosts:
    white = model.whitened()

    def costs(frames: NDArray[np.float32]) -> Floats:
        """sqrt((x - mean)' S^-1 (x - mean)) (Mahalanobis 1936)."""
        rows = (frames - white.reference - white.offsets[0]) @ white.factors[0]
        found: Floats = np.sqrt(np.einsum("td,td->t", rows, rows))
        return found

    return costs


def _neighbours(model: NormalVectors, stream: StreamSpec) -> FrameCosts:
    return NeighbourDistances.to(model, stream.n_neighbours)


_COSTS: Final[Mapping[Method, Callable[[Any, StreamSpec], FrameCosts]]] = {
    "likelihood": _likelihood,
    "mahalanobis": _mahalanobis,
    "neighbours": _neighbours,
}
