"""When each unit of a known sequence begins: the posterior of every boundary, by forward-backward.

Owns the distribution of a boundary's time, its mean and its interval. Refuses to choose the sequence of units.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from speechgmm.errors import ConfigError, ShapeError
from speechgmm.hmm.graph import Graph, Links, assemble
from speechgmm.hmm.hmm import Units
from speechgmm.hmm.passes import forward_backward

Floats = NDArray[np.float64]

Evidence = Callable[[int, int, Sequence[str]], Floats]
"""From a first frame, the one after the last, and I units between them, to log ratios (T, I - 1) for a boundary."""

SCALE: Final = 0.05
"""Of log-likelihoods: neighbouring frames say nearly the same, which makes posteriors too sure."""

INTERVAL_POWER: Final = 0.42
"""Of a boundary's posterior, for its interval, which then covers 95 per cent of the boundaries that people set."""

LEVEL: Final = 0.95
"""Probability of an interval."""

LEAST_APART: Final = 0.5
"""Frames between two boundaries."""

STRETCH: Final = 64
"""Units whose boundaries are found at once, in whole words: memory grows with their square."""

MARGIN: Final = 8
"""Words on both sides of a stretch that are searched with it; where they end is fixed."""


@dataclass(frozen=True, slots=True, eq=False)
class BoundaryPosteriors:
    """The distribution of the frame in which each of I units begins, and where I units are.

    Position p lies between frames p - 1 and p.
    """

    begun: Floats  # (T, I) probability that a unit has begun by a frame; the first has in every frame

    @property
    def occupancy(self) -> Floats:
        """(T, I) probability that a unit is at a frame."""
        return self.begun - np.append(self.begun[:, 1:], np.zeros((len(self.begun), 1)), axis=1)

    def weighted(self, log_ratios: Floats | float, power: float = 1.0) -> "BoundaryPosteriors":
        """Each boundary's distribution to a power, times exp(``log_ratios``) (T, I - 1) of all but the first.

        Boundaries are weighted one by one: what says where one is, does not move its neighbours.
        """
        before = np.vstack([np.zeros(self.begun.shape[1]), self.begun[:-1]])
        with np.errstate(divide="ignore"):
            logs = power * np.log(np.maximum(self.begun - before, 0.0))[:, 1:] + log_ratios
        shares = np.exp(logs - logs.max(axis=0))
        begun = np.cumsum(shares / shares.sum(axis=0), axis=0)
        return BoundaryPosteriors(np.minimum(np.hstack([self.begun[:, :1], begun]), 1.0))

    def means(self) -> Floats:
        """(I,) expected positions."""
        found: Floats = (1 - self.begun).sum(axis=0)
        return found

    def quantiles(self, probability: float) -> Floats:
        """(I,) positions that the boundaries lie below with a probability.

        The probability of a frame is spread evenly over half a frame before and after its beginning, so that positions
        lie between frames too.
        """
        after = (self.begun < probability).sum(axis=0)  # the first frame by which it has begun so surely
        columns = np.arange(self.begun.shape[1])
        n_frames = len(self.begun)
        high = self.begun[np.minimum(after, n_frames - 1), columns]
        low = np.where(after > 0, self.begun[after - 1, columns], 0.0)
        share = np.divide(probability - low, high - low, out=np.zeros_like(low), where=high > low)
        found: Floats = np.clip(after - 0.5 + share, 0, n_frames)
        return found


def boundary_posteriors(
    units: Units, words: Sequence[Sequence[str]], log_emissions: ArrayLike, *, scale: float = SCALE
) -> BoundaryPosteriors:
    """When each unit of a sequence begins, over all ways through it.

    Parameters
    ----------
    units
        The hidden Markov models.
    words
        The units of each word, one after another; they fill all frames.
    log_emissions
        (T, S) nats, of all mixtures of the units.
    scale
        Log-likelihoods are multiplied by it. Neighbouring frames are far from independent: with 1, boundaries come out
        much too sure.

    Raises
    ------
    ConfigError
        A scale that is not above 0.
    DataError, ShapeError
        As `forward_backward`.

    Examples
    --------
    >>> from speechgmm.gmm import DiagGMM
    >>> from speechgmm.hmm import HMM, left_to_right
    >>> hmms = tuple(HMM((DiagGMM([1.0], [[mean]], [[1.0]]),), left_to_right(1)) for mean in (0.0, 9.0))
    >>> found = boundary_posteriors(Units(("a", "b"), hmms), [["a", "b"]], np.zeros((5, 2)))
    >>> found.means().round(6), found.quantiles(0.5).round(6)
    (array([0. , 2.5]), array([0. , 2.5]))
    """
    if not (np.isfinite(scale) and scale > 0):
        raise ConfigError(f"a scale of {scale:g} of log-likelihoods; expected a number above 0")
    graph, instances = _chains(units, words)
    occupancy = forward_backward(graph, scale * np.asarray(log_emissions, np.float64), groups=instances).states
    return BoundaryPosteriors(np.minimum(np.cumsum(occupancy[:, ::-1], axis=1)[:, ::-1], 1.0))


@dataclass(frozen=True, slots=True, eq=False)
class Boundaries:
    """Where each of I units begins, in frames (positions), and how probable it is at its frames."""

    means: Floats  # (I,) at least ``LEAST_APART`` from each other
    low: Floats  # (I,)
    high: Floats  # (I,)
    posteriors: Floats  # (I,) mean over the frames of the path


def boundaries(
    units: Units,
    words: Sequence[Sequence[str]],
    firsts: ArrayLike,
    log_emissions: ArrayLike,
    *,
    scale: float = SCALE,
    power: float = INTERVAL_POWER,
    level: float = LEVEL,
    evidence: Evidence | None = None,
) -> Boundaries:
    """The boundaries of a path: means and intervals of their posteriors.

    Sequences of more than ``STRETCH`` units are taken in stretches with ``MARGIN`` words on both sides, so that memory
    grows with the length of the recording and not with its square.

    Parameters
    ----------
    units, words, log_emissions, scale
        As of `boundary_posteriors`.
    firsts
        (I,) first frame of each unit on the path.
    power
        Of the posteriors, for intervals: below 1 makes them wider.
    level
        Probability of the intervals, which leave the same outside on both sides.
    evidence
        Further evidence of where boundaries are; posteriors are multiplied by it.

    Raises
    ------
    ShapeError
        Other numbers of frames than of units.
    ConfigError, DataError
        As `boundary_posteriors`; a power that is not above 0, a level that is not between 0 and 1.

    Examples
    --------
    >>> from speechgmm.gmm import DiagGMM
    >>> from speechgmm.hmm import HMM, left_to_right
    >>> hmms = tuple(HMM((DiagGMM([1.0], [[mean]], [[1.0]]),), left_to_right(1)) for mean in (0.0, 9.0))
    >>> found = boundaries(Units(("a", "b"), hmms), [["a", "b"]], [0, 3], np.zeros((5, 2)), level=0.9)
    >>> found.means.round(3), found.low.round(3), found.high.round(3)
    (array([0. , 2.5]), array([0. , 0.7]), array([0. , 4.3]))
    """
    edges = np.asarray(firsts, dtype=np.intp)
    emissions = np.asarray(log_emissions)
    sizes = [len(word) for word in words]
    if edges.shape != (sum(sizes),):
        raise ShapeError(f"first frames of shape {edges.shape} for {sum(sizes)} units; expected one for each")
    if not (0 < level < 1 and power > 0):
        raise ConfigError(
            f"a level of {level:g} and a power of {power:g}; expected a probability between 0 and 1, and a number "
            "above 0"
        )
    heads = np.concatenate([[0], np.cumsum(sizes)])  # number of each word's first unit
    ends = np.append(edges[1:], len(emissions))
    parts = []
    for begin, stop in _stretches(sizes):
        low, high = max(begin - MARGIN, 0), min(stop + MARGIN, len(words))
        searched, wanted = slice(heads[low], heads[high]), slice(heads[begin] - heads[low], heads[stop] - heads[low])
        first, last = int(edges[heads[low]]), int(ends[heads[high] - 1])
        found = boundary_posteriors(units, words[low:high], emissions[first:last], scale=scale)
        posteriors = _mean_occupancy(found, edges[searched] - first, ends[searched] - first)
        ratios: Floats | float = 0.0
        if evidence is not None:
            ratios = evidence(first, last, [unit for word in words[low:high] for unit in word])
            found = found.weighted(ratios)
        wide = found.weighted(0.0, power)
        quantiles = [wide.quantiles((1 + sign * level) / 2) for sign in (-1, 1)]
        parts.append(np.stack([*(one + first for one in (found.means(), *quantiles)), posteriors])[:, wanted])
    means, lows, highs, posteriors = np.concatenate(parts, axis=1)
    lows[0] = highs[0] = means[0] = 0.0  # nothing comes before the first
    return Boundaries(_apart(means, len(emissions)), lows, highs, posteriors)


def _stretches(sizes: Sequence[int]) -> list[tuple[int, int]]:
    """The first word of each stretch and the one after its last."""
    found, begin, n_units = [], 0, 0
    for n, size in enumerate(sizes):
        n_units += size
        if n_units >= STRETCH:
            found.append((begin, n + 1))
            begin, n_units = n + 1, 0
    return found if begin == len(sizes) else [*found, (begin, len(sizes))]


def _mean_occupancy(found: BoundaryPosteriors, firsts: NDArray[np.intp], stops: NDArray[np.intp]) -> Floats:
    """(I,) of each unit over the frames that it has on the path."""
    sums = np.vstack([np.zeros(len(firsts)), np.cumsum(found.occupancy, axis=0)])
    columns = np.arange(len(firsts))
    means: Floats = np.clip((sums[stops, columns] - sums[firsts, columns]) / (stops - firsts), 0.0, 1.0)
    return means


def _apart(means: Floats, n_frames: int) -> Floats:
    """Boundaries that other evidence has moved past a neighbour, in order and at least ``LEAST_APART``."""
    steps = LEAST_APART * np.arange(len(means))
    ordered = np.maximum.accumulate(means - steps) + steps
    latest = n_frames - LEAST_APART * np.arange(len(means), 0, -1)
    found: Floats = np.minimum(ordered, latest)
    return found


def _chains(units: Units, words: Sequence[Sequence[str]]) -> tuple[Graph, NDArray[np.int32]]:
    """The graph of one sequence of words, and of each node (N,) the number of its unit among those of the sequence."""
    numbers = {label: n for n, label in enumerate(units.labels)}
    chains = [tuple(numbers[label] for label in word) for word in words]
    n_words = len(chains)
    links = Links(np.arange(n_words - 1), np.arange(1, n_words), np.zeros(n_words - 1))
    start, end = np.full(n_words, -np.inf), np.full(n_words, -np.inf)
    start[0] = end[-1] = 0.0
    graph = assemble(units, chains, np.full(n_words, -1), links, start, end, kind=1)
    sequence = [number for chain in chains for number in chain]
    sizes = np.diff(units.first_states)[sequence]
    return graph, np.repeat(np.arange(len(sequence), dtype=np.int32), sizes)
