"""The arcs of a bigram as a matrix, so that the search compares the scores of many arcs at once.

Owns which arcs become cells of the matrix. Refuses to know frames.
"""

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Numbers = NDArray[np.int32]

LEAST_DEGREE: Final = 8
"""Arcs from a node, and to a node, from which on a row or a column of the matrix is worth it."""

LEAST_SHARE: Final = 0.5
"""Of the graph's arcs in the matrix, and of its cells with an arc: below it the search follows arcs one by one."""


@dataclass(frozen=True, slots=True, eq=False)
class DenseArcs:
    """The arcs of a graph: R x C of them in a matrix, the others by the node that they lead to."""

    rows: Numbers  # (R,) nodes that the arcs of the matrix leave
    columns: Numbers  # (C,) nodes that they lead to
    weights: Floats  # (R, C) log weight of the best arc between the two; -inf: there is none
    offsets: Numbers  # (N+1,) where the other arcs to each node begin
    sources: Numbers
    other_weights: Floats

    @classmethod
    def of(cls, graph: Any) -> "DenseArcs | None":
        """Of a `Graph`; None where most of its arcs do not form a matrix, as in the graph of one sentence."""
        into, out_of = np.diff(graph.offsets), np.diff(graph.out_offsets)
        dense = (into >= LEAST_DEGREE)[graph.destinations] & (out_of >= LEAST_DEGREE)[graph.sources]
        if dense.sum() < LEAST_SHARE * graph.n_arcs:
            return None
        rows, row = np.unique(graph.sources[dense], return_inverse=True)
        columns, column = np.unique(graph.destinations[dense], return_inverse=True)
        if dense.sum() < LEAST_SHARE * len(rows) * len(columns):
            return None
        weights = np.full((len(rows), len(columns)), -np.inf)
        np.maximum.at(weights, (row, column), graph.log_weights[dense])
        offsets = np.append(0, np.cumsum(~dense))[graph.offsets].astype(np.int32)
        return cls(rows, columns, weights, offsets, graph.sources[~dense], graph.log_weights[~dense])
