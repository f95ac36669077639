"""Metrics of clusters against true classes: purity, coverage, NMI, ARI; and silhouettes, which need no truth.

Conventions: labels are any hashable values, N of each kind; what a cluster is called does not matter. NMI alone
misleads: with few pieces per class, every piece alone scores high (.81 with ten classes of three), so that
``ClusterFigures`` holds what that would be beside it. ARI is 0 for chance, and for every piece alone.

scikit-learn has NMI (Strehl & Ghosh 2002; the arithmetic mean) and ARI (Hubert & Arabie 1985, eq. 5) too, but not under
weights of groups, by which they have intervals: tests compare the two.
"""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from functools import cached_property
from warnings import warn

import numpy as np
from numpy.typing import ArrayLike, NDArray

from speechgmm.errors import DataError, ShapeError

Floats = NDArray[np.float64]
Numbers = NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class ClusterFigures:
    """Agreement of clusters with true classes (fractions)."""

    purity: float  # share of pieces in their cluster's largest class: 1 for every piece alone
    coverage: float  # share of pieces in their class's largest cluster: 1 for one cluster of all
    nmi: float  # normalised mutual information
    nmi_alone: float  # what NMI would be for every piece alone
    ari: float  # adjusted Rand index
    n_clusters: int
    n_classes: int


def cluster_figures(found: Sequence[Hashable], true: Sequence[Hashable]) -> ClusterFigures:
    """All metrics of the clusters ``found`` (N,) against the ``true`` classes (N,).

    Raises:
        ShapeError: Another number of clusters than of classes.
        DataError: No pieces.

    >>> figures = cluster_figures([0, 0, 1, 1, 2], list("aabbb"))
    >>> figures.purity, figures.coverage, round(figures.nmi, 3), round(figures.ari, 3)
    (1.0, 0.8, 0.779, 0.545)
    """
    clusters, alone, ones = WeightedClusters(found, true), WeightedClusters(range(len(true)), true), np.ones(len(true))
    return ClusterFigures(
        purity=clusters.purity(ones),
        coverage=clusters.coverage(ones),
        nmi=clusters.nmi(ones),
        nmi_alone=alone.nmi(ones),
        ari=clusters.ari(ones),
        n_clusters=len(set(found)),
        n_classes=len(set(true)),
    )


@dataclass(frozen=True)
class WeightedClusters:
    """Clusters against true classes under weights of the pieces, so that each metric has an interval.

    All pieces of a group have one weight: how often the group (a speaker, a session) was drawn. A pair of pieces from
    two groups counts by the product of their weights; a pair within a group counts by the weight of the group. A piece
    never forms a pair with itself, however often it was drawn.

    Each part (a fold) was clustered by itself. Pairs, entropies, sizes and chance agreement are computed within each
    part and added up. With one part and all weights 1 the metrics are those of :class:`ClusterFigures`.

    Parameters
    ----------
    found, true
        (N,) cluster and class of each piece; the same label in two parts means two clusters, or two classes.
    groups
        (N,) group of each piece; None: every piece is a group.
    parts
        (N,) part of each piece; None: there is one.

    Raises
    ------
    ShapeError
        Sequences of different lengths.
    DataError
        No pieces.

    Examples
    --------
    >>> clusters = WeightedClusters([0, 0, 1, 1, 2], list("aabbb"))
    >>> round(clusters.ari(np.ones(5)), 3), round(clusters.nmi(np.ones(5)), 3), clusters.coverage(np.ones(5))
    (0.545, 0.779, 0.8)
    """

    found: Sequence[Hashable]
    true: Sequence[Hashable]
    groups: Sequence[Hashable] | None = None
    parts: Sequence[Hashable] | None = None

    def __post_init__(self) -> None:
        """Refuse sequences that do not belong together."""
        given = {"clusters": self.found, "true classes": self.true, "groups": self.groups, "parts": self.parts}
        sizes = {name: len(labels) for name, labels in given.items() if labels is not None}
        if len(set(sizes.values())) > 1:
            counts = ", ".join(f"{n} {name}" for name, n in sizes.items())
            raise ShapeError(f"{counts}; expected one of each for every piece")
        if not len(self.found):
            raise DataError("no pieces; clusters have no metrics")

    @cached_property
    def group_numbers(self) -> Numbers:
        """(N,) groups from 0, in order of first appearance."""
        return _numbered(range(len(self.found)) if self.groups is None else self.groups)

    @cached_property
    def _levels(self) -> tuple["_Level", "_Level", "_Level", "_Level"]:
        """How many pieces of each group are in each cell of cluster and class, cluster, class and part."""
        parts = _numbered([0] * len(self.found) if self.parts is None else self.parts)
        clusters, classes = (_numbered(list(zip(parts, of, strict=True))) for of in (self.found, self.true))
        cells = _numbered(list(zip(clusters, classes, strict=True)))
        return tuple(
            _Level.of(numbers, self.group_numbers, (clusters, classes, parts))  # type: ignore[return-value]
            for numbers in (cells, clusters, classes, parts)
        )

    def _multiplicities(self, weights: Floats) -> Floats:
        """(G,) how often each group is there, from weights (N,) of the pieces."""
        found = np.zeros(int(self.group_numbers.max()) + 1)
        found[self.group_numbers] = weights
        return found

    def purity(self, weights: Floats) -> float:
        """Share of pieces in their cluster's largest class."""
        return self._largest(weights, 0)

    def coverage(self, weights: Floats) -> float:
        """Share of pieces in their class's largest cluster."""
        return self._largest(weights, 1)

    def _largest(self, weights: Floats, side: int) -> float:
        cells = self._levels[0]
        sizes = cells.sizes(self._multiplicities(weights))
        largest = np.zeros(len(self._levels[1 + side].within[0]))
        np.maximum.at(largest, cells.within[side], sizes)
        return float(largest.sum() / sizes.sum())

    def nmi(self, weights: Floats) -> float:
        """Normalised mutual information: that of clusters and classes, divided by the mean of their entropies."""
        times = self._multiplicities(weights)
        cells, clusters, classes, parts = (_n_log_n(level.sizes(times)) for level in self._levels)
        of_clusters, of_classes, joint = parts - clusters, parts - classes, parts - cells  # entropies times pieces
        if of_clusters + of_classes <= 0:
            return 1.0
        return float(np.clip(2 * (of_clusters + of_classes - joint) / (of_clusters + of_classes), 0.0, 1.0))

    def ari(self, weights: Floats) -> float:
        """Adjusted Rand index of the pairs within parts: 0 for chance, 1 where clusters and classes are the same."""
        times = self._multiplicities(weights)
        pairs = [level.pairs(times) for level in self._levels]
        n_parts = len(pairs[3])
        in_clusters, in_classes = (
            np.bincount(level.within[2], found, n_parts)
            for level, found in zip(self._levels[1:3], pairs[1:3], strict=True)
        )
        chance = np.divide(in_clusters * in_classes, pairs[3], out=np.zeros(n_parts), where=pairs[3] > 0).sum()
        most = (in_clusters.sum() + in_classes.sum()) / 2
        return 1.0 if most <= chance else float((pairs[0].sum() - chance) / (most - chance))


@dataclass(frozen=True, slots=True, eq=False)
class _Level:
    """Pieces counted by group, in the units of one level: cells, clusters, classes or parts."""

    groups: Numbers  # (M,) of each pair of a group and a unit that has pieces of it
    units: Numbers  # (M,)
    counts: Floats  # (M,) pieces
    within: tuple[Numbers, Numbers, Numbers]  # (n,) cluster, class and part of each unit's first piece

    @classmethod
    def of(cls, numbers: Numbers, groups: Numbers, within: tuple[Numbers, Numbers, Numbers]) -> "_Level":
        pairs, counts = np.unique(np.stack([groups, numbers]), axis=1, return_counts=True)
        first = np.unique(numbers, return_index=True)[1]
        return cls(pairs[0], pairs[1], counts.astype(float), tuple(of[first] for of in within))  # type: ignore[arg-type]

    def _summed(self, values: Floats) -> Floats:
        return np.bincount(self.units, values, len(self.within[0])).astype(np.float64)

    def sizes(self, times: Floats) -> Floats:
        """(n,) pieces, each as often as its group is there."""
        return self._summed(times[self.groups] * self.counts)

    def pairs(self, times: Floats) -> Floats:
        """(n,) pairs of pieces: between groups by the product of their numbers, within one by its number."""
        own = times[self.groups]
        between = (self.sizes(times) ** 2 - self._summed((own * self.counts) ** 2)) / 2
        return between + self._summed(own * self.counts * (self.counts - 1) / 2)


def _numbered(labels: Sequence[Hashable] | range | Numbers) -> Numbers:
    """Labels as numbers from 0, in order of first appearance."""
    known = {label: number for number, label in enumerate(dict.fromkeys(labels))}
    return np.array([known[label] for label in labels], np.intp)


def _n_log_n(sizes: Floats) -> float:
    there = sizes[sizes > 0]
    return float((there * np.log(there)).sum())


def contingency(found: Sequence[Hashable], true: Sequence[Hashable]) -> NDArray[np.int64]:
    """How many pieces of each true class (columns) are in each cluster (rows), in order of first appearance.

    Deprecated: `sklearn.metrics.cluster.contingency_matrix` is the same, in the order of the labels.
    """
    _warn("contingency", "sklearn.metrics.cluster.contingency_matrix")
    numbers = _numbered(found), _numbered(true)
    table = np.zeros([one.max() + 1 for one in numbers], np.int64)
    np.add.at(table, numbers, 1)
    return table


def normalised_information(table: NDArray[np.int64]) -> float:
    """NMI of a table of counts. Deprecated: use ``WeightedClusters(found, true).nmi``, which takes labels."""
    _warn("normalised_information", "WeightedClusters.nmi")
    return _of_table(table).nmi(np.ones(table.sum()))


def adjusted_rand_index(table: NDArray[np.int64]) -> float:
    """ARI of a table of counts. Deprecated: use ``WeightedClusters(found, true).ari``, which takes labels."""
    _warn("adjusted_rand_index", "WeightedClusters.ari")
    return _of_table(table).ari(np.ones(table.sum()))


def _of_table(table: NDArray[np.int64]) -> WeightedClusters:
    cells = np.repeat(np.argwhere(table >= 0), table.ravel(), axis=0)
    return WeightedClusters(*cells.T.tolist())


def _warn(name: str, instead: str) -> None:
    warn(f"speechgmm.evaluation.{name}: take {instead}", DeprecationWarning, stacklevel=3)


def silhouettes(distances: ArrayLike, labels: Sequence[Hashable] | NDArray[np.intp]) -> Floats:
    """Silhouettes (N,): how much nearer each piece is to its own cluster than to the nearest other, from -1 to 1.

    A piece's silhouette is (b - a) / max(a, b), where a is its mean distance to the other pieces of its cluster and b
    the least mean distance to another cluster (Rousseeuw 1987). It is 0 for a piece alone in its cluster, and where
    there is only one cluster.

    Raises:
        ShapeError: Distances that are not (N, N), or another number of labels than N.

    >>> silhouettes([[0, 1, 4], [1, 0, 4], [4, 4, 0]], [0, 0, 1])
    array([0.75, 0.75, 0.  ])
    """
    table = np.asarray(distances, dtype=np.float64)
    if table.ndim != 2 or table.shape != (len(labels), len(labels)):
        raise ShapeError(f"distances of shape {table.shape} for {len(labels)} labels; expected (N, N) and (N,)")
    numbers = _numbered(labels)
    n_clusters = numbers.max(initial=-1) + 1
    if n_clusters < 2:
        return np.zeros(len(labels))
    members = np.eye(n_clusters)[numbers]  # (N, C)
    counts = members.sum(axis=0)
    sums = table @ members
    rows = np.arange(len(labels))
    own = sums[rows, numbers] / np.maximum(counts[numbers] - 1, 1)
    others = sums / counts
    others[rows, numbers] = np.inf
    nearest = others.min(axis=1)
    larger = np.maximum(own, nearest)
    margins: Floats = np.divide(nearest - own, larger, out=np.zeros(len(labels)), where=larger > 0)
    return np.where(counts[numbers] > 1, margins, 0.0)
