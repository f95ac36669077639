"""Metrics of the test set as it might have been: groups (speakers) drawn again, with replacement.

Owns what a resample is: a multiplicity for every group, and from it a weight for every item. A statistic is a function
of the weights (N,); it never learns of groups. Refuses to decide what the spread means: that is ``intervals``.

A trial has two groups, the enrolled speaker and the one who speaks. If speaker e was drawn m_e times, a trial between
e and another, t, is there m_e m_t times; a trial of e against himself only m_e times: each copy of e stands for another
person, so that a copy's recordings against another copy's would be no target trial. (Counting them m_e**2
times makes intervals of the EER 1.4 to 1.5 times as wide as needed; ``benchmarks/interval_coverage.py``.)
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from speechgmm.errors import DataError, ShapeError

Floats = NDArray[np.float64]
Statistic = Callable[[Floats], float]

_CELLS: Final = 4_000_000  # weights held at once when many resamples go through one product: 32 MB


@dataclass(frozen=True, slots=True)
class OfSums:
    """A statistic that needs only weighted sums over items: one matrix product evaluates it for all resamples."""

    columns: Floats  # (N, M)
    combine: Callable[[Floats], Floats]  # weighted sums (..., M) -> values (...); NaN where there is no value

    def __call__(self, weights: Floats) -> float:
        """The value under weights (N,). Raises ShapeError where they are not N."""
        if weights.shape != (len(self.columns),):
            raise ShapeError(
                f"weights {weights.shape} for a metric of {len(self.columns)} items; expected one per item"
            )
        there = weights > 0  # what weighs nothing may be infinite
        return float(self.combine(weights[there] @ self.columns[there]))


def ratio(numerators: ArrayLike, denominators: ArrayLike) -> OfSums:
    """The statistic sum(weights * numerators) / sum(weights * denominators), both (N,): any share or mean.

    Raises:
        ShapeError: Vectors of different lengths.

    >>> ratio([1, 0, 1, 1], [1, 1, 1, 1])(np.array([1.0, 1.0, 2.0, 0.0]))
    0.75
    """
    above, below = np.asarray(numerators, dtype=np.float64), np.asarray(denominators, dtype=np.float64)
    if above.ndim != 1 or above.shape != below.shape:
        raise ShapeError(f"numerators {above.shape} and denominators {below.shape}; expected two vectors (N,)")

    def quotient(sums: Floats) -> Floats:
        with np.errstate(invalid="ignore", divide="ignore"):  # a resample without any of these items: NaN
            shares: Floats = sums[..., 0] / sums[..., 1]
        return shares

    return OfSums(np.stack([above, below], axis=1), quotient)


@dataclass(frozen=True, slots=True)
class Groups:
    """Who each item belongs to: one group, or two for a trial; the same number is the same person on both sides."""

    first: NDArray[np.intp]  # (N,) 0 to n - 1
    second: NDArray[np.intp]  # (N,) 0 to n - 1; equal to first where items have one group
    n: int  # different groups on either side
    n_least: int  # different groups on the side that has fewer: what an interval can rest on

    def weights(self, multiplicities: Floats) -> Floats:
        """The weights (..., N) of items when groups are there so many times (..., n)."""
        first = multiplicities[..., self.first]
        return np.where(self.first == self.second, first, first * multiplicities[..., self.second])


def as_groups(groups: ArrayLike | tuple[ArrayLike, ArrayLike]) -> Groups:
    """Groups from one integer array (N,), or from a tuple of two: enrolled and tested speaker of each trial.

    Raises:
        ShapeError: Arrays that are not integer vectors of one length.
        DataError: No items.

    >>> as_groups((np.array([7, 7, 9]), np.array([7, 9, 7]))).first.tolist()
    [0, 0, 1]
    """
    sides = [np.asarray(side) for side in (groups if isinstance(groups, tuple) else (groups,))]
    if len(sides) not in (1, 2) or any(side.ndim != 1 or side.shape != sides[0].shape for side in sides):
        shapes = ", ".join(str(side.shape) for side in sides)
        raise ShapeError(f"groups of shape {shapes}; expected one vector (N,) or a tuple of two of the same length")
    if not all(np.issubdtype(side.dtype, np.integer) for side in sides):
        raise ShapeError(f"groups of type {sides[0].dtype}; expected integers, one number per speaker on both sides")
    if not len(sides[0]):
        raise DataError("no items to resample; was the test split empty?")
    names, numbers = np.unique(np.concatenate(sides), return_inverse=True)
    numbered = numbers.reshape(len(sides), -1)
    return Groups(numbered[0], numbered[-1], len(names), min(len(np.unique(side)) for side in numbered))


def evaluate(statistic: Statistic, groups: Groups, multiplicities: Floats) -> Floats:
    """The statistic (R,) under each of R multiplicities of the groups (R, n); NaN where it has no value.

    A statistic has no value where it raises DataError (a resample without targets) or returns NaN.
    """
    if isinstance(statistic, OfSums):
        return _evaluate_sums(statistic, groups, multiplicities)
    values = np.empty(len(multiplicities))
    for number, row in enumerate(multiplicities):
        try:
            values[number] = statistic(groups.weights(row))
        except DataError:
            values[number] = np.nan
    return values


def draw(n_groups: int, n_resamples: int, seed: int) -> Floats:
    """How often each group is there (R, n) when n are drawn with replacement."""
    rng = np.random.default_rng(seed)
    return rng.multinomial(n_groups, np.full(n_groups, 1 / n_groups), size=n_resamples).astype(np.float64)


def _evaluate_sums(statistic: OfSums, groups: Groups, multiplicities: Floats) -> Floats:
    # Items of the same group, or pair of groups, have one weight: sum them first.
    pairs, places = np.unique(groups.first * groups.n + groups.second, return_inverse=True)
    order = np.argsort(places, kind="stable")
    starts = np.searchsorted(places[order], np.arange(len(pairs)))
    columns = np.add.reduceat(statistic.columns[order], starts, axis=0)
    small = Groups(pairs // groups.n, pairs % groups.n, groups.n, groups.n_least)
    return np.concatenate(
        [statistic.combine(small.weights(rows) @ columns) for rows in _parcels(multiplicities, len(pairs))]
    )


def _parcels(rows: Floats, n_columns: int) -> Iterator[Floats]:
    step = max(1, _CELLS // n_columns)
    for start in range(0, len(rows), step):
        yield rows[start : start + step]
