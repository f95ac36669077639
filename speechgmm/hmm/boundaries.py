"""When each unit of a known sequence begins: the posterior of every boundary, by forward-backward.

Owns the distribution of a boundary's time, its mean and its interval. Refuses to choose the sequence of units.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from speechgmm.errors import ConfigError, ShapeError
from speechgmm.hmm.graph import Graph, Links, assemble
from speechgmm.hmm.hmm import Units
from speechgmm.hmm.passes import forward_backward

Floats = NDArray[np.float64]

STRETCH: Final = 64
"""Units whose boundaries are found at once: memory grows with their square."""

MARGIN: Final = 8
"""Units on both sides of a stretch that are searched with it; where they end is fixed."""


@dataclass(frozen=True, slots=True, eq=False)
class BoundaryPosteriors:
    """The distribution of the frame in which each of I units begins, and where I units are.

    Position p lies between frames p - 1 and p.
    """

    begun: Floats  # (T, I) probability that a unit has begun by a frame; the first has in every frame
    first: int = 0  # the frame that the first row is of

    @property
    def occupancy(self) -> Floats:
        """(T, I) probability that a unit is at a frame."""
        return self.begun - np.append(self.begun[:, 1:], np.zeros((len(self.begun), 1)), axis=1)

    def means(self) -> Floats:
        """(I,) expected positions."""
        found: Floats = self.first + (1 - self.begun).sum(axis=0)
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
        found: Floats = self.first + np.clip(after - 0.5 + share, 0, n_frames)
        return found


def boundary_posteriors(
    units: Units, labels: Sequence[str], log_emissions: ArrayLike, *, scale: float
) -> BoundaryPosteriors:
    """When each unit of a sequence begins, over all ways through it.

    Parameters
    ----------
    units
        The hidden Markov models.
    labels
        The units, one after another; they fill all frames.
    log_emissions
        (T, S) nats, of all states of the units.
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
    >>> found = boundary_posteriors(Units(("a", "b"), hmms), ["a", "b"], np.zeros((5, 2)), scale=1.0)
    >>> found.means().round(6), found.quantiles(0.5).round(6)
    (array([0. , 2.5]), array([0. , 2.5]))
    """
    if not (np.isfinite(scale) and scale > 0):
        raise ConfigError(f"a scale of {scale:g} of log-likelihoods; expected a number above 0")
    graph, instances = _chain(units, labels)
    occupancy = forward_backward(graph, scale * np.asarray(log_emissions, np.float64), groups=instances).states
    return BoundaryPosteriors(np.minimum(np.cumsum(occupancy[:, ::-1], axis=1)[:, ::-1], 1.0))


@dataclass(frozen=True, slots=True, eq=False)
class Boundaries:
    """Where each of I units begins, in frames (positions), and how probable it is at its frames."""

    means: Floats  # (I,)
    low: Floats  # (I,)
    high: Floats  # (I,)
    posteriors: Floats  # (I,) mean over the frames of the path


def boundaries(
    units: Units, labels: Sequence[str], firsts: ArrayLike, log_emissions: ArrayLike, *, scale: float, level: float
) -> Boundaries:
    """The boundaries of a path: means and intervals of their posteriors.

    Sequences of more than ``STRETCH`` units are taken in stretches with ``MARGIN`` units on both sides, so that memory
    grows with the length of the recording and not with its square.

    Parameters
    ----------
    units, labels, log_emissions, scale
        As of `boundary_posteriors`.
    firsts
        (I,) first frame of each unit on the path.
    level
        Probability of the interval, which leaves the same outside on both sides.

    Raises
    ------
    ShapeError
        Other numbers of frames than of units.
    ConfigError, DataError
        As `boundary_posteriors`; a level that is not between 0 and 1.

    Examples
    --------
    >>> from speechgmm.gmm import DiagGMM
    >>> from speechgmm.hmm import HMM, left_to_right
    >>> hmms = tuple(HMM((DiagGMM([1.0], [[mean]], [[1.0]]),), left_to_right(1)) for mean in (0.0, 9.0))
    >>> sounds = Units(("a", "b"), hmms)
    >>> found = boundaries(sounds, ["a", "b"], [0, 3], np.zeros((5, 2)), scale=1.0, level=0.9)
    >>> found.means.round(3), found.low.round(3), found.high.round(3)
    (array([0. , 2.5]), array([0. , 0.7]), array([0. , 4.3]))
    """
    edges = np.asarray(firsts, dtype=np.intp)
    emissions = np.asarray(log_emissions)
    if edges.shape != (len(labels),):
        raise ShapeError(f"first frames of shape {edges.shape} for {len(labels)} units; expected one for each")
    if not 0 < level < 1:
        raise ConfigError(f"a level of {level:g}; expected a probability between 0 and 1")
    ends = np.append(edges[1:], len(emissions))
    parts = []
    for begin in range(0, len(labels), STRETCH):
        stop = min(begin + STRETCH, len(labels))
        low, high = max(begin - MARGIN, 0), min(stop + MARGIN, len(labels))
        first, last = int(edges[low]), int(ends[high - 1])
        found = boundary_posteriors(units, labels[low:high], emissions[first:last], scale=scale)
        mine = slice(begin - low, stop - low)
        occupancy = np.vstack([np.zeros(high - low), np.cumsum(found.occupancy, axis=0)])
        columns = np.arange(high - low)
        within = occupancy[ends[low:high] - first, columns] - occupancy[edges[low:high] - first, columns]
        parts.append(
            np.stack(
                [
                    found.means() + first,
                    found.quantiles((1 - level) / 2) + first,
                    found.quantiles((1 + level) / 2) + first,
                    within / (ends - edges)[low:high],
                ]
            )[:, mine]
        )
    means, lows, highs, posteriors = np.concatenate(parts, axis=1)
    lows[0] = highs[0] = means[0] = 0.0  # nothing comes before the first
    return Boundaries(means, lows, highs, np.clip(posteriors, 0.0, 1.0))


def _chain(units: Units, labels: Sequence[str]) -> tuple[Graph, NDArray[np.int32]]:
    """The graph of one sequence of units, and of each node (N,) which of them it belongs to."""
    numbers = {label: n for n, label in enumerate(units.labels)}
    chain = tuple(numbers[label] for label in labels)
    none = Links(np.empty(0, np.intp), np.empty(0, np.intp), np.empty(0))
    graph = assemble(units, [chain], [-1], none, [0.0], [0.0], kind=1)
    sizes = np.diff(units.first_states)[list(chain)]
    return graph, np.repeat(np.arange(len(chain), dtype=np.int32), sizes)
