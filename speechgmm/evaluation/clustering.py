"""Figures about clusters against true classes: purity, coverage, NMI, ARI; and silhouettes, which need no truth.

Conventions: labels are any hashable values, N of each kind; what a cluster is called does not matter. NMI alone
misleads: with few pieces per class, every piece alone scores high (.81 with ten classes of three), so that
``ClusterFigures`` holds what that would be beside it. ARI is 0 for chance, and for every piece alone.
"""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from speechgmm.errors import DataError, ShapeError

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class ClusterFigures:
    """How clusters agree with true classes."""

    purity: float  # share of pieces in their cluster's largest class: 1 for every piece alone
    coverage: float  # share of pieces in their class's largest cluster: 1 for one cluster of all
    nmi: float  # normalised mutual information
    nmi_alone: float  # what NMI would be for every piece alone
    ari: float  # adjusted Rand index
    n_clusters: int
    n_classes: int


def cluster_figures(found: Sequence[Hashable], true: Sequence[Hashable]) -> ClusterFigures:
    """All figures of the clusters ``found`` (N,) against the ``true`` classes (N,).

    Raises:
        ShapeError: Labels of another number than classes.
        DataError: No pieces.

    >>> figures = cluster_figures([0, 0, 1, 1, 2], list("aabbb"))
    >>> figures.purity, figures.coverage, round(figures.nmi, 3), round(figures.ari, 3)
    (1.0, 0.8, 0.779, 0.545)
    """
    table = contingency(found, true)
    total = int(table.sum())
    classes = np.repeat(np.arange(table.shape[1]), table.sum(axis=0))
    singles = np.zeros((total, table.shape[1]), np.int64)
    singles[np.arange(total), classes] = 1
    return ClusterFigures(
        purity=float(table.max(axis=1).sum() / total),
        coverage=float(table.max(axis=0).sum() / total),
        nmi=normalised_information(table),
        nmi_alone=normalised_information(singles),
        ari=adjusted_rand_index(table),
        n_clusters=table.shape[0],
        n_classes=table.shape[1],
    )


def contingency(found: Sequence[Hashable], true: Sequence[Hashable]) -> NDArray[np.int64]:
    """How many pieces of each true class (columns) are in each cluster (rows), in order of first appearance.

    Raises:
        ShapeError: Labels of another number than classes.
        DataError: No pieces.

    >>> contingency([5, 5, 7], ["a", "b", "b"])
    array([[1, 1],
           [0, 1]])
    """
    if len(found) != len(true):
        raise ShapeError(f"{len(found)} clusters and {len(true)} true classes; expected one each for every piece")
    if len(found) == 0:
        raise DataError("no pieces; clusters have no figures")
    rows = {label: number for number, label in enumerate(dict.fromkeys(found))}
    columns = {label: number for number, label in enumerate(dict.fromkeys(true))}
    table = np.zeros((len(rows), len(columns)), np.int64)
    np.add.at(table, ([rows[label] for label in found], [columns[label] for label in true]), 1)
    return table


def normalised_information(table: NDArray[np.int64]) -> float:
    """Mutual information of clusters and classes over the mean of their entropies (Strehl & Ghosh 2002; the
    arithmetic mean, as in scikit-learn), from a table of counts; 1 where there is one of each.

    >>> normalised_information(np.array([[3, 0], [0, 2]]))
    1.0
    """
    of_clusters, of_classes, joint = (_entropy(counts) for counts in (table.sum(axis=1), table.sum(axis=0), table))
    if of_clusters + of_classes == 0:
        return 1.0
    return float(np.clip(2 * (of_clusters + of_classes - joint) / (of_clusters + of_classes), 0.0, 1.0))


def adjusted_rand_index(table: NDArray[np.int64]) -> float:
    """Pairs on which clusters and classes agree, 0 for chance and 1 for the same (Hubert & Arabie 1985, eq. 5).

    >>> adjusted_rand_index(np.array([[2, 0], [0, 3]])), adjusted_rand_index(np.eye(3, dtype=np.int64))
    (1.0, 1.0)
    """
    together, in_clusters, in_classes = (_pairs(counts) for counts in (table, table.sum(axis=1), table.sum(axis=0)))
    every = _pairs(table.sum())
    chance = in_clusters * in_classes / every if every else 0.0
    most = (in_clusters + in_classes) / 2
    return 1.0 if most == chance else float((together - chance) / (most - chance))


def silhouettes(distances: ArrayLike, labels: Sequence[Hashable] | NDArray[np.intp]) -> Floats:
    """How much nearer each piece is to its own cluster than to the nearest other: (N,), from -1 to 1.

    (b - a) / max(a, b), with a the mean distance to the others of its cluster and b the least mean distance to
    another cluster (Rousseeuw 1987). 0 for a piece alone in its cluster, and where there is one cluster only.

    Raises:
        ShapeError: Distances that are not (N, N) with a label each.

    >>> silhouettes([[0, 1, 4], [1, 0, 4], [4, 4, 0]], [0, 0, 1])
    array([0.75, 0.75, 0.  ])
    """
    table = np.asarray(distances, dtype=np.float64)
    if table.ndim != 2 or table.shape != (len(labels), len(labels)):
        raise ShapeError(f"distances of shape {table.shape} for {len(labels)} labels; expected (N, N) and (N,)")
    names = {label: number for number, label in enumerate(dict.fromkeys(labels))}
    if len(names) < 2:
        return np.zeros(len(labels))
    numbers = np.array([names[label] for label in labels])
    members = np.eye(len(names))[numbers]  # (N, C)
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


def _entropy(counts: NDArray[np.int64]) -> float:
    shares = counts[counts > 0] / counts.sum()
    return float(-(shares * np.log(shares)).sum())


def _pairs(counts: ArrayLike) -> float:
    values = np.asarray(counts, dtype=np.float64)
    return float((values * (values - 1) / 2).sum())
