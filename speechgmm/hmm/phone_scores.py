"""Scores of every phone and word of a forced alignment, and the interval of every boundary.

Owns what each score compares with what. Refuses to choose the text, and times in seconds.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from speechgmm.hmm.alignment import Alignment, Span, frame_gains
from speechgmm.hmm.boundaries import LEVEL, Boundaries, Evidence, boundaries
from speechgmm.hmm.boundary_model import BoundaryModel
from speechgmm.hmm.durations import chained, duration_z
from speechgmm.hmm.graph import Graph, Links, assemble, loop
from speechgmm.hmm.hmm import Units
from speechgmm.hmm.passes import viterbi

Floats = NDArray[np.float64]

AROUND: Final = 2
"""Units on either side of a place that are aligned anew where another unit is tried in it."""

POOR_FIT: Final = 2.0
"""Frames that the lower gop of two neighbours counts for a missing unit: where there is no room to try one, the
text fits badly."""

EVIDENCE_SCALE: Final = 0.3
"""Of the log ratios of a boundary model, which are of frames that overlap."""


@dataclass(frozen=True, slots=True)
class SpanScores:
    """Scores of how well a unit or a word fits its frames, and intervals of its boundaries.

    Boundaries are positions in frames: position p lies between frames p - 1 and p.

    Examples
    --------
    >>> SpanScores(-4.2, -0.1, 0.98, 0.3, 0.0, (3.5, 4.5), (9.0, 10.0)).gop
    -0.1
    """

    log_likelihood: float  # nats per frame, transitions included
    gop: float  # nats per frame: the same less that of the best sequence of any units; about 0 or below
    posterior: float  # 0 to 1: mean probability of being at its frames, given the text
    duration_z: float  # standard deviations, see `durations.duration_z`
    missing: float  # nats, not below 0: what speaks for a unit after it that the text lacks (see `placed`)
    start: tuple[float, float]  # interval of its beginning
    end: tuple[float, float]  # interval of its end


@dataclass(frozen=True, eq=False)
class AlignmentScorer:
    """The units of a recogniser, prepared to score alignments.

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
    boundary_model: BoundaryModel | None = None  # learnt from labels with times; None: there were none

    @cached_property
    def alone(self) -> Units:
        """The units with mixtures of their own, whose log-likelihoods are those of `_log_emissions_alone`."""
        return Units(self.units.labels, self.units.hmms)

    @cached_property
    def free(self) -> Graph:
        """Any sequence of units, at no cost: what a forced alignment is compared with."""
        n_units = len(self.units.labels)
        return loop(self.alone, np.zeros((n_units, n_units)))

    def placed(
        self,
        found: Alignment,
        log_emissions: ArrayLike,
        frames: ArrayLike,
        *,
        level: float = LEVEL,
        scores: bool = False,
    ) -> Alignment:
        """The alignment with refined boundaries: each is the mean of its posterior over positions.

        Parameters
        ----------
        found
            A forced alignment.
        log_emissions
            (T, S) log-likelihoods of the frames under all mixtures of the units, in nats.
        frames
            (T, D), the same frames, for the boundary model.
        level
            Probability that a boundary lies within its interval in `SpanScores`.
        scores
            True: each unit and word gets its `SpanScores`.

        Raises
        ------
        DataError
            There are too few frames for the units, or no path.
        ShapeError
            The log-likelihoods do not have a column for each mixture, or one is NaN.

        Notes
        -----
        ``gop`` is the goodness of pronunciation of Witt & Young (2000, Speech Communication 30, eq. 3), without the
        absolute value. Its denominator is the best path of a loop of all units over the whole recording, whose
        boundaries may differ from those of the text. With tied states, a unit is compared in all of its contexts.

        ``missing`` shows that the text may lack a unit after this one. It is the gain in log-likelihood (nats) of the
        best inserted unit, with ``AROUND`` units on either side aligned again, or 0 where no insertion gains. If the
        gop of this unit or of the next is below 0, ``POOR_FIT`` times the size of the lower one is added. The
        ``missing`` of a word is the highest of its units.
        """
        emissions = np.asarray(log_emissions, np.float64)
        words, firsts = self._words(found), [one.first for one in found.units]
        where = boundaries(self.units, words, firsts, emissions, level=level, evidence=self._evidence(frames))
        positions = np.append(where.means, len(emissions))
        judge = self._judge(found, emissions, where) if scores else None

        def moved(spans: Sequence[Span]) -> tuple[Span, ...]:
            return tuple(
                replace(
                    one,
                    start=float(positions[low]),
                    end=float(positions[high]),
                    scores=None if judge is None else judge(one, low, high),
                )
                for one, (low, high) in zip(spans, _units_of(spans, found), strict=True)
            )

        return replace(found, units=moved(found.units), words=moved(found.words))

    def _judge(self, found: Alignment, emissions: Floats, where: Boundaries) -> Callable[[Span, int, int], SpanScores]:
        """How a span of units from one number to another gets its scores."""
        alone = self._log_emissions_alone(emissions)
        free = np.append(0.0, np.cumsum(self._free_gains(alone)))
        gops = np.array([_gop(one, free) for one in found.units])
        missing = self._missing(found, alone) - POOR_FIT * np.minimum(np.minimum(gops, np.append(gops[1:], 0)), 0)
        lows, highs = np.append(where.low, len(emissions)), np.append(where.high, len(emissions))
        lengths = np.array([one.stop - one.first for one in found.units])
        occupied = np.append(0.0, np.cumsum(where.posteriors * lengths))
        transitions = [self.units.hmms[self.units.number(one.label)].transitions for one in found.units]

        def scores(one: Span, low: int, high: int) -> SpanScores:
            n_frames = one.stop - one.first
            return SpanScores(
                log_likelihood=one.log_score / n_frames,
                gop=_gop(one, free),
                posterior=float(occupied[high] - occupied[low]) / n_frames,
                duration_z=duration_z(chained(transitions[low:high]), n_frames),
                missing=float(missing[low:high].max()),
                start=(float(lows[low]), float(highs[low])),
                end=(float(lows[high]), float(highs[high])),
            )

        return scores

    def _evidence(self, frames: ArrayLike) -> Evidence | None:
        """What the boundary model says of these frames."""
        model = self.boundary_model
        if model is None:
            return None
        rows = model.rows(frames)
        return lambda first, last, labels: EVIDENCE_SCALE * model.log_ratios(rows[first:last], labels)

    def _log_emissions_alone(self, emissions: Floats) -> Floats:
        """(T, S) of every state of every unit; of tied states the best of the mixtures that it may have."""
        if self.units.tied is None:
            return emissions
        trees = self.units.tied.trees
        return np.stack([emissions[:, list(tree.emissions)].max(axis=1) for tree in trees], axis=1)

    def _free_gains(self, emissions: Floats) -> Floats:
        """(T,) log-likelihood of each frame on the best path of any units, with the transition that leads to it."""
        return frame_gains(self.free, viterbi(self.free, emissions), emissions)

    def _missing(self, found: Alignment, emissions: Floats) -> Floats:
        """(I,) what the best further unit after each gains, or 0."""
        numbers = [self.units.number(one.label) for one in found.units]
        edges = [*(one.first for one in found.units), len(emissions)]
        gains = np.zeros(len(numbers))
        for n in range(len(numbers)):
            low, high = max(n + 1 - AROUND, 0), min(n + 1 + AROUND, len(numbers))
            frames = emissions[edges[low] : edges[high]]
            before, after = tuple(numbers[low : n + 1]), tuple(numbers[n + 1 : high])
            more = _with_any(self.alone, before, after)
            if more.least_frames() <= len(frames):
                plain = viterbi(_sequence(self.alone, before + after), frames).score
                gains[n] = max(viterbi(more, frames).score - plain, 0.0)
        return gains

    def _words(self, found: Alignment) -> list[tuple[str, ...]]:
        """The units of each word; what is of none, such as silence, stands alone."""
        labels = [one.label for one in found.units]
        places = _units_of(found.words, found)
        inside = {n for low, high in places for n in range(low, high)}
        alone = [(n, n + 1) for n in range(len(labels)) if n not in inside]
        return [tuple(labels[low:high]) for low, high in sorted([*places, *alone])]


def _gop(one: Span, free: Floats) -> float:
    """Of a span, ``free`` (T + 1,) being the sums of what any units have before each frame."""
    return (one.log_score - float(free[one.stop] - free[one.first])) / (one.stop - one.first)


def _sequence(units: Units, chain: tuple[int, ...]) -> Graph:
    """The graph of units one after another."""
    none = Links(np.empty(0, np.intp), np.empty(0, np.intp), np.empty(0))
    return assemble(units, [chain], [-1], none, [0.0], [0.0], kind=1)


def _with_any(units: Units, before: tuple[int, ...], after: tuple[int, ...]) -> Graph:
    """The graph of units one after another with any further one between ``before`` and ``after``, which may be none."""
    n_units = len(units.labels)
    others = np.arange(1, n_units + 1)
    chains = [before, *((unit,) for unit in range(n_units)), *([after] if after else [])]
    end = np.full(len(chains), -np.inf)
    end[n_units + 1 if after else others] = 0.0
    follows = [n_units + 1] * n_units if after else []
    links = Links(
        np.array([0] * n_units + [*others[: len(follows)]]),
        np.array([*others, *follows]),
        np.zeros(n_units + len(follows)),
    )
    start = np.full(len(chains), -np.inf)
    start[0] = 0.0
    return assemble(units, chains, np.full(len(chains), -1), links, start, end, kind=1)


def _units_of(spans: Sequence[Span], found: Alignment) -> list[tuple[int, int]]:
    """Of each unit or word: its first unit of the alignment, and the one after its last."""
    firsts = np.array([one.first for one in found.units])
    low = np.searchsorted(firsts, [one.first for one in spans])
    high = np.searchsorted(firsts, [one.stop for one in spans])
    return list(zip(low.tolist(), high.tolist(), strict=True))
