"""Scores of every phone and word of a forced alignment, and the interval of every boundary.

Owns what each score compares with what. Refuses to choose the text, and times in seconds.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from speechgmm.hmm.alignment import Alignment, Span
from speechgmm.hmm.boundaries import Boundaries, boundaries
from speechgmm.hmm.durations import chained, duration_z
from speechgmm.hmm.graph import Graph, loop
from speechgmm.hmm.hmm import Units
from speechgmm.hmm.passes import viterbi

Floats = NDArray[np.float64]

BOUNDARY_SCALE: Final = 0.05
"""Of log-likelihoods, for the mean of a boundary's posterior."""

INTERVAL_SCALE: Final = 0.02
"""Of log-likelihoods, for the interval: it covers 95 per cent of the boundaries that people set."""

LEVEL: Final = 0.95
"""Probability of an interval."""


@dataclass(frozen=True, slots=True)
class SpanScores:
    """How well a unit, or a word, fits its frames, and how sure its boundaries are.

    Positions are in frames: p lies between frames p - 1 and p.
    """

    log_likelihood: float  # nats per frame, transitions included
    gop: float  # nats per frame: the same less that of the best sequence of any units; about 0 or below
    posterior: float  # 0 to 1: mean probability of being at its frames, given the text
    duration_z: float  # standard deviations, see `durations.duration_z`
    start: tuple[float, float]  # interval of its beginning
    end: tuple[float, float]  # interval of its end


@dataclass(frozen=True, eq=False)
class AlignmentScorer:
    """The units of a recogniser made ready to score alignments.

    Examples
    --------
    >>> from speechgmm.gmm import DiagGMM
    >>> from speechgmm.hmm import HMM, Recogniser, Decoder, left_to_right, word_loop
    >>> hmms = tuple(HMM((DiagGMM([1.0], [[mean]], [[1.0]]),), left_to_right(1)) for mean in (0.0, 9.0))
    >>> words = {"low": (("low",),), "high": (("high",),)}
    >>> recogniser = Recogniser(Units(("low", "high"), hmms), words, word_loop(list(words)))
    >>> frames = [[0.1], [0.2], [9.1], [8.8]]
    >>> for text in (["low", "high"], ["high", "low"]):
    ...     found = Decoder.of(recogniser, text).align(frames, scorer=AlignmentScorer(recogniser.units), scores=True)
    ...     print([round(unit.scores.gop) for unit in found.units])
    [0, 0]
    [-26, -39]
    """

    units: Units

    @cached_property
    def free(self) -> Graph:
        """Any sequence of units, at no cost: what a forced alignment is compared with."""
        n_units = len(self.units.labels)
        return loop(self.units, np.zeros((n_units, n_units)))

    def with_boundaries(
        self, found: Alignment, log_emissions: ArrayLike, *, scale: float = BOUNDARY_SCALE
    ) -> Alignment:
        """The same alignment, each span beginning and ending where the posteriors of its boundaries have their means.

        Parameters
        ----------
        found
            A forced alignment.
        log_emissions
            (T, S) nats, of all states.
        scale
            Of log-likelihoods, see `boundary_posteriors`.

        Raises
        ------
        DataError, ShapeError
            As `forward_backward`.
        """
        where = self._boundaries(found, log_emissions, scale)
        n_frames = len(np.asarray(log_emissions))
        positions = np.append(where.means, n_frames)

        def moved(spans: Sequence[Span]) -> tuple[Span, ...]:
            return tuple(
                replace(one, start=float(positions[low]), end=float(positions[high]))
                for one, (low, high) in zip(spans, _units_of(spans, found), strict=True)
            )

        return replace(found, units=moved(found.units), words=moved(found.words))

    def scored(
        self, found: Alignment, log_emissions: ArrayLike, *, scale: float = INTERVAL_SCALE, level: float = LEVEL
    ) -> Alignment:
        """The same alignment, each unit and word with its `SpanScores`.

        Parameters
        ----------
        found
            A forced alignment.
        log_emissions
            (T, S) nats, of all states.
        scale
            Of log-likelihoods for posteriors and intervals.
        level
            Probability of the intervals.

        Raises
        ------
        DataError, ShapeError
            As `forward_backward`.

        Notes
        -----
        ``gop`` is the goodness of pronunciation of Witt & Young (2000, Speech Communication 30, eq. 3), without the
        absolute value: the denominator is the best path of a loop of all units over the whole recording, so that its
        boundaries need not be those of the text.
        """
        emissions = np.asarray(log_emissions, np.float64)
        free = np.append(0.0, np.cumsum(self._free_gains(emissions)))
        where = self._boundaries(found, emissions, scale, level)
        lows, highs = np.append(where.low, len(emissions)), np.append(where.high, len(emissions))
        lengths = np.array([one.stop - one.first for one in found.units])
        occupied = np.append(0.0, np.cumsum(where.posteriors * lengths))
        transitions = [self.units.hmms[self.units.number(one.label)].transitions for one in found.units]

        def scores(one: Span, low: int, high: int) -> SpanScores:
            n_frames = one.stop - one.first
            return SpanScores(
                log_likelihood=one.log_score / n_frames,
                gop=(one.log_score - float(free[one.stop] - free[one.first])) / n_frames,
                posterior=float(occupied[high] - occupied[low]) / n_frames,
                duration_z=duration_z(chained(transitions[low:high]), n_frames),
                start=(float(lows[low]), float(highs[low])),
                end=(float(lows[high]), float(highs[high])),
            )

        def judged(spans: Sequence[Span]) -> tuple[Span, ...]:
            places = _units_of(spans, found)
            return tuple(replace(one, scores=scores(one, *place)) for one, place in zip(spans, places, strict=True))

        return replace(found, units=judged(found.units), words=judged(found.words))

    def _boundaries(self, found: Alignment, log_emissions: ArrayLike, scale: float, level: float = LEVEL) -> Boundaries:
        labels = [one.label for one in found.units]
        firsts = [one.first for one in found.units]
        return boundaries(self.units, labels, firsts, log_emissions, scale=scale, level=level)

    def _free_gains(self, emissions: Floats) -> Floats:
        """(T,) log-likelihood of each frame on the best path of any units, with the transition that leads to it."""
        path = viterbi(self.free, emissions)
        gains = emissions[np.arange(len(emissions)), self.free.states[path.nodes]]
        gains[0] += self.free.log_start[path.nodes[0]]
        gains[1:] += self.free.log_weights[path.arcs[1:]]
        gains[-1] += self.free.log_end[path.nodes[-1]]
        return gains


def _units_of(spans: Sequence[Span], found: Alignment) -> list[tuple[int, int]]:
    """Of each unit or word: its first unit of the alignment, and the one after its last."""
    firsts = np.array([one.first for one in found.units])
    low = np.searchsorted(firsts, [one.first for one in spans])
    high = np.searchsorted(firsts, [one.stop for one in spans])
    return list(zip(low.tolist(), high.tolist(), strict=True))
