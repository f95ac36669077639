"""Graphs of utterances, kept from one pass of training to the next.

Owns when a kept graph may be used again. Refuses to travel: a copy in another process begins empty.
"""

from collections.abc import Callable
from typing import Final

import numpy as np

from speechgmm.hmm.graph import Graph
from speechgmm.hmm.hmm import Units

MOST_ARCS: Final = 2**22
"""Arcs of all graphs that are kept, about 300 MB (half a day of speech); what is beyond is built in every pass."""


class KeptGraphs:
    """Graphs by the function that builds them. It is the caller's to keep these functions alive.

    >>> from functools import partial
    >>> from speechgmm.gmm import DiagGMM
    >>> from speechgmm.hmm import HMM, left_to_right, linear
    >>> units = Units(("a",), (HMM((DiagGMM([1.0], [[0.0]], [[1.0]]),), left_to_right(1)),))
    >>> build, kept = partial(linear, words=["a"]), KeptGraphs()
    >>> kept.under(units, build) is kept.under(units, build)
    True
    """

    def __init__(self) -> None:
        self._graphs: dict[int, Graph] = {}
        self._n_arcs = 0

    def __reduce__(self) -> tuple[type["KeptGraphs"], tuple[()]]:
        return KeptGraphs, ()

    def under(self, units: Units, build: Callable[[Units], Graph]) -> Graph:
        """``build(units)``: the graph of before with the units' transitions, if the same transitions are possible."""
        graph = self._graphs.get(id(build))
        log_transitions = units.log_transitions
        if graph is None or not np.array_equal(np.isinf(graph.log_transitions), np.isinf(log_transitions)):
            graph = build(units)
            if id(build) not in self._graphs:
                self._n_arcs += graph.n_arcs
        elif not np.array_equal(graph.log_transitions, log_transitions):
            graph = graph.under(units)
        if self._n_arcs <= MOST_ARCS:
            self._graphs[id(build)] = graph
        return graph
