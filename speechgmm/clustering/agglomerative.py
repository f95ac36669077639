"""Merging what is nearest, again and again, until what is left is further apart than a threshold.

``link`` works on a matrix of distances (scipy's linkages), ``merge`` on things that add, whose distances are taken
anew after every merge. Both stop at a threshold or at a number. Owns no distance.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol, Self, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from speechgmm.errors import ConfigError, DataError, ShapeError

Floats = NDArray[np.float64]
Labels = NDArray[np.intp]
Linkage = Literal["average", "complete", "single", "weighted"]


class Adds(Protocol):
    """Statistics of a piece."""

    def __add__(self, other: Self, /) -> Self: ...


Item = TypeVar("Item", bound=Adds)


@dataclass(frozen=True, slots=True, eq=False)
class Clustering:
    """The cluster of each piece, and the distances at which clusters were merged."""

    labels: Labels  # (N,), clusters numbered from 0 in the order of their first pieces
    heights: Floats  # (merges,), of the merges that were made, in order

    @property
    def n_clusters(self) -> int:
        """How many clusters there are."""
        return int(self.labels.max()) + 1


def link(
    distances: ArrayLike,
    *,
    threshold: float | None = None,
    n_clusters: int | None = None,
    linkage: Linkage = "average",
) -> Clustering:
    """Agglomerative clustering by distances (N, N), with a linkage of scipy.

    Clusters are merged while their distance is below ``threshold``, or until ``n_clusters`` are left.

    Raises:
        ShapeError: Distances that are not a symmetric matrix (N, N).
        DataError: A distance that is NaN, infinite or negative; fewer pieces than clusters.
        ConfigError: Neither ``threshold`` nor ``n_clusters``, or both.

    >>> link([[0, 1, 9], [1, 0, 9], [9, 9, 0]], threshold=5).labels
    array([0, 0, 1])
    """
    from scipy.cluster.hierarchy import fcluster
    from scipy.cluster.hierarchy import linkage as scipy_linkage

    table = check_distances(distances)
    _check_stop(len(table), threshold, n_clusters)
    if len(table) == 1:
        return Clustering(np.zeros(1, np.intp), np.zeros(0))
    tree = scipy_linkage(table[np.triu_indices(len(table), 1)], method=linkage)
    # Heights ascend in these linkages.
    merges = int((tree[:, 2] < threshold).sum()) if threshold is not None else len(table) - (n_clusters or 1)
    # fcluster's own cuts merge ties together, and then miss a number that was asked for: cut by order instead.
    ordinal = tree.copy()
    ordinal[:, 2] = np.arange(1, len(table))
    found = fcluster(ordinal, merges + 0.5, criterion="distance")
    return Clustering(in_order(found), tree[:merges, 2])


def merge(
    items: Sequence[Item],
    distances: Callable[[Item, Sequence[Item]], ArrayLike],
    *,
    threshold: float | None = None,
    n_clusters: int | None = None,
) -> Clustering:
    """Agglomerative clustering of items that can be added, such as statistics.

    The two nearest items are replaced by their sum, and the distances of the sum are computed anew. The items are
    merged while the least distance is below ``threshold``, or until ``n_clusters`` are left. ``distances(one, others)``
    returns the distances (len(others),) of one item; it must be symmetric, and may be negative (such as ``delta_bic``,
    with a threshold of 0).

    Raises:
        ShapeError: ``distances`` returns another number of values.
        ConfigError: Neither ``threshold`` nor ``n_clusters``, or both.
        DataError: A distance that is NaN; fewer items than clusters.

    >>> merge([1.0, 2.0, 9.0], lambda one, others: np.abs(one - np.array(others)), threshold=3).labels
    array([0, 0, 1])
    """
    n = len(items)
    _check_stop(n, threshold, n_clusters)
    left, members = list(items), [[number] for number in range(n)]
    table = np.full((n, n), np.inf)
    for row in range(n - 1):
        table[row, row + 1 :] = _taken(distances, left[row], left[row + 1 :])
    heights: list[float] = []
    while len(left) > (1 if n_clusters is None else n_clusters):
        one, other = (int(number) for number in np.unravel_index(np.argmin(table), table.shape))
        least = float(table[one, other])
        if threshold is not None and not least < threshold:
            break
        heights.append(least)
        left[one] = left[one] + left[other]
        members[one] += members[other]
        del left[other], members[other]
        table = np.delete(np.delete(table, other, axis=0), other, axis=1)
        others = [number for number in range(len(left)) if number != one]
        if others:
            found = _taken(distances, left[one], [left[number] for number in others])
            for number, value in zip(others, found, strict=True):
                table[min(one, number), max(one, number)] = value
    labels = np.empty(n, np.intp)
    for number, group in enumerate(members):
        labels[group] = number
    return Clustering(in_order(labels), np.array(heights))


def check_distances(distances: ArrayLike) -> Floats:
    """Check distances (N, N), and return them as float64.

    Raises:
        ShapeError: Distances that are not a symmetric matrix.
        DataError: A distance that is NaN, infinite or negative.

    >>> check_distances([[0, 2], [2, 0]]).dtype
    dtype('float64')
    """
    table = np.asarray(distances, dtype=np.float64)
    if table.ndim != 2 or table.shape[0] != table.shape[1] or table.size == 0:
        raise ShapeError(f"distances of shape {table.shape}; expected (N, N), one row and one column for each piece")
    if not np.isfinite(table).all() or (table < 0).any():
        raise DataError("a distance that is NaN, infinite or negative; expected 0 or more: are they similarities?")
    if not np.allclose(table, table.T, rtol=1e-9, atol=1e-12):
        raise ShapeError("distances that differ from one side to the other; expected a symmetric matrix")
    return (table + table.T) / 2


def check_number(n_items: int, n_clusters: int) -> None:
    """Raise ConfigError for fewer than one cluster, DataError for more than there are pieces.

    >>> check_number(10, 3)
    >>> check_number(10, 11)
    Traceback (most recent call last):
    speechgmm.errors.DataError: ...
    """
    if n_clusters < 1:
        raise ConfigError(f"{n_clusters} clusters; expected 1 or more")
    if n_clusters > n_items:
        raise DataError(
            f"{n_clusters} clusters of {n_items} pieces; expected at most one for each piece: ask for fewer, give more "
            "recordings, or cut them into shorter pieces"
        )


def in_order(labels: ArrayLike) -> Labels:
    """Replace labels (N,) of any type by numbers from 0, in the order in which the labels first appear.

    >>> in_order(["b", "a", "b"])
    array([0, 1, 0])
    """
    _, first, inverse = np.unique(np.asarray(labels), return_index=True, return_inverse=True)
    rank = np.empty(len(first), np.intp)
    rank[np.argsort(first)] = np.arange(len(first))
    return rank[inverse.reshape(-1)]


def _check_stop(n_items: int, threshold: float | None, n_clusters: int | None) -> None:
    if n_items == 0:
        raise DataError("no pieces to cluster; expected at least one")
    if (threshold is None) == (n_clusters is None):
        raise ConfigError("merging stops at a threshold or at a number of clusters: give one of the two")
    if threshold is not None and np.isnan(threshold):
        raise ConfigError("threshold nan; expected a distance")
    if n_clusters is not None:
        check_number(n_items, n_clusters)


def _taken(distances: Callable[[Item, Sequence[Item]], ArrayLike], one: Item, others: Sequence[Item]) -> Floats:
    found = np.asarray(distances(one, others), dtype=np.float64)
    if found.shape != (len(others),):
        raise ShapeError(f"distances of shape {found.shape} to {len(others)} pieces; expected ({len(others)},)")
    if np.isnan(found).any():
        raise DataError("a distance between two pieces is NaN; expected numbers")
    return found
