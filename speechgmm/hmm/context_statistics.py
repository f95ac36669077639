"""Statistics of the states of units in every context that training has: what decision trees are grown on.

Owns how a path says between which neighbours a unit stood, and the likelihood of one Gaussian from counts, sums and
squares. They add. Refuses to know trees and questions.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from speechgmm.errors import ShapeError
from speechgmm.gmm.frames import Frames
from speechgmm.hmm.graph import Graph
from speechgmm.hmm.passes import BestPath
from speechgmm.hmm.tied_states import BOUNDARY

Floats = NDArray[np.float64]
Contexts = NDArray[np.int32]


def contexts_of(graph: Graph, path: BestPath) -> Contexts:
    """(T, 3) of a path over untied units: the state of each frame, and its unit's left and right neighbour in the word.

    States are numbered through all units; a neighbour is the number of a unit, or `BOUNDARY`.

    >>> from speechgmm.gmm import DiagGMM
    >>> from speechgmm.hmm import HMM, Units, left_to_right, linear, viterbi
    >>> hmm = HMM((DiagGMM([1.0], [[0.0]], [[1.0]]),), left_to_right(1))
    >>> graph = linear(Units(("a", "b"), (hmm, hmm)), ["x", "y"], {"x": (("a", "b"),), "y": (("a",),)})
    >>> contexts_of(graph, viterbi(graph, np.zeros((3, 2)))).tolist()
    [[0, -1, 1], [1, 0, -1], [0, -1, -1]]
    """
    breaks = np.append(2, graph.breaks[path.arcs[1:]])
    first = np.flatnonzero(breaks >= 1)  # frames at which a unit begins
    units = graph.units[path.nodes[first]]
    inside = breaks[first] == 1  # the unit follows another one of its word
    left, right = np.full(len(units), BOUNDARY), np.full(len(units), BOUNDARY)
    left[inside] = units[np.flatnonzero(inside) - 1]
    right[np.flatnonzero(inside) - 1] = units[inside]
    lengths = np.diff(np.append(first, len(breaks)))
    columns = [graph.states[path.nodes], np.repeat(left, lengths), np.repeat(right, lengths)]
    return np.column_stack(columns).astype(np.int32)


@dataclass(frozen=True, slots=True, eq=False)
class ContextStats:
    """Counts, sums and squares of the frames of C different contexts; those of two sets of utterances add.

    Parameters
    ----------
    contexts
        (C, 3), sorted, as of `contexts_of`.
    table
        (C, 1 + 2D): of each context its count, sums and squares, about the reference.
    reference
        (D,) near the frames.
    """

    contexts: Contexts
    table: Floats
    reference: Floats

    @classmethod
    def of(cls, contexts: Contexts, frames: Frames, reference: Floats) -> "ContextStats":
        """Those of frames (T, D) in contexts (T, 3).

        Raises:
            ShapeError: As many contexts as frames are expected.

        >>> ContextStats.of(np.array([[0, -1, 1], [0, -1, 1]]), np.array([[1.0], [3.0]]), np.zeros(1)).table
        array([[ 2.,  4., 10.]])
        """
        if contexts.shape != (len(frames), 3):
            raise ShapeError(f"contexts of shape {contexts.shape} for {len(frames)} frames; expected (T, 3)")
        different, places = np.unique(contexts, axis=0, return_inverse=True)
        order = np.argsort(places, kind="stable")
        about = np.asarray(frames, dtype=np.float64) - reference
        rows = np.column_stack([np.ones(len(frames)), about, about**2])[order]
        edges = np.searchsorted(places[order], np.arange(len(different)))
        return cls(different.astype(np.int32), np.add.reduceat(rows, edges), reference)

    def __add__(self, other: "ContextStats") -> "ContextStats":
        """The statistics of both sets of utterances together.

        Raises:
            ShapeError: They are about different references.
        """
        if not np.array_equal(self.reference, other.reference):
            raise ShapeError("statistics of contexts about different references; expected one for all utterances")
        contexts, places = np.unique(np.concatenate([self.contexts, other.contexts]), axis=0, return_inverse=True)
        table = np.zeros((len(contexts), self.table.shape[1]))
        table[places[: len(self.contexts)]] = self.table
        table[places[len(self.contexts) :]] += other.table
        return ContextStats(contexts, table, self.reference)


def gaussian_log_likelihood(table: Floats, floor: Floats) -> Floats:
    """(...) the greatest log-likelihood in nats that one Gaussian can give to frames, by statistics (..., 1 + 2D).

    Its variances are not below ``floor`` (D,). The Gaussians of two parts together are never worse than that of the
    whole.

    >>> gaussian_log_likelihood(np.array([4.0, 0.0, 4.0]), np.zeros(1)).round(6)
    np.float64(-5.675754)
    """
    n_dims = len(floor)
    counts = table[..., :1]
    safe = np.maximum(counts, np.finfo(np.float64).tiny)
    scatter = np.maximum(table[..., 1 + n_dims :] / safe - (table[..., 1 : 1 + n_dims] / safe) ** 2, 0.0)
    variances = np.maximum(scatter, np.maximum(floor, np.finfo(np.float64).tiny))
    found: Floats = -0.5 * counts[..., 0] * (np.log(2 * np.pi * variances) + scatter / variances).sum(axis=-1)
    return found
