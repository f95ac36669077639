"""Spectral clustering: scikit-learn's, on how alike pieces are, with the number read off the spectrum.

Owns the choice of the number by the eigengap; the clustering itself is scikit-learn's (extra ``clustering``).
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from speechgmm.clustering.agglomerative import Clustering, check_distances, check_number, in_order, link
from speechgmm.errors import ConfigError

Floats = NDArray[np.float64]

SOFTNESS = 0.03
"""Of the step from alike to different, as a share of the distance where it is."""


def affinities(distances: ArrayLike, threshold: float, softness: float = SOFTNESS) -> Floats:
    """Affinities (N, N) of pieces at distances d (N, N): 1 / (1 + exp((d - threshold) / (softness threshold))), 0 to 1.

    The usual Gaussian of the distances fails for long supervectors, whose distances between speakers are hardly above
    those within a speaker: every piece is then a neighbour of all others, or of none.

    Raises:
        ShapeError: Distances that are not a symmetric matrix.
        DataError: A distance that is NaN, infinite or negative.
        ConfigError: A threshold or softness that is not above 0.

    >>> affinities([[0.0, 1.0], [1.0, 0.0]], threshold=0.5).round(3)
    array([[1., 0.],
           [0., 1.]])
    """
    if not (threshold > 0 and softness > 0):
        raise ConfigError(f"threshold {threshold:g} and softness {softness:g}; expected a distance and a share above 0")
    table = check_distances(distances)
    steps = np.clip((table - threshold) / (softness * threshold), -500, 500)
    result: Floats = 1 / (1 + np.exp(steps))
    return result


def number_by_eigengap(affinity: ArrayLike) -> int:
    """The number of clusters at the largest gap between successive eigenvalues of the normalised Laplacian.

    I - D^-1/2 A D^-1/2 has as many eigenvalues near 0 as there are groups that hardly touch (von Luxburg 2007, A
    tutorial on spectral clustering, section 8.3). An eigenvalue of 1 is added after the last, so that
    pieces that touch no other piece are a cluster each.

    >>> number_by_eigengap(np.kron(np.eye(3), np.ones((4, 4)))), number_by_eigengap(np.eye(5))
    (3, 5)
    """
    table = np.asarray(affinity, dtype=np.float64)
    scale = 1 / np.sqrt(np.maximum(table.sum(axis=1), 1e-300))
    values = np.linalg.eigvalsh(np.eye(len(table)) - scale[:, None] * table * scale)
    return int(np.argmax(np.diff(np.append(values, 1.0)))) + 1


def spectral(
    distances: ArrayLike, *, threshold: float | None = None, n_clusters: int | None = None, softness: float = SOFTNESS
) -> Clustering:
    """Spectral clustering by distances (N, N), with the affinities of ``affinities``.

    Without ``n_clusters``, ``number_by_eigengap`` gives the number of clusters. Without ``threshold``, the threshold
    lies between the two merges of average linkage that leave ``n_clusters`` and ``n_clusters`` - 1 clusters.

    Raises:
        ConfigError: scikit-learn is not installed; neither ``threshold`` nor ``n_clusters``; one of them out of range.
        ShapeError: Distances that are not a symmetric matrix.
        DataError: A distance that is NaN, infinite or negative; fewer pieces than clusters.

    >>> spectral([[0, 1, 9, 9], [1, 0, 9, 9], [9, 9, 0, 1], [9, 9, 1, 0]], threshold=5).labels
    array([0, 0, 1, 1])
    """
    try:
        from sklearn.cluster import SpectralClustering
    except ImportError:
        raise ConfigError(
            "spectral clustering is scikit-learn's, which is not installed: pip install 'speechgmm[clustering]', or "
            "take another method"
        ) from None
    table = check_distances(distances)
    if n_clusters is not None:
        check_number(len(table), n_clusters)
    if threshold is None:
        if n_clusters is None:
            raise ConfigError("spectral clustering takes a threshold or a number of clusters: give one of the two")
        heights = np.concatenate([[0.0], link(table, n_clusters=1).heights, [2 * float(table.max())]])
        threshold = float(heights[-n_clusters - 1 :][:2].mean()) or 1.0
    affinity = affinities(table, threshold, softness)
    number = number_by_eigengap(affinity) if n_clusters is None else n_clusters
    if number in (1, len(affinity)):  # nothing to decide, and its solver finds fewer eigenvectors than N
        labels = np.zeros(len(affinity), np.intp) if number == 1 else np.arange(len(affinity))
        return Clustering(labels, np.zeros(0))
    found = SpectralClustering(number, affinity="precomputed", assign_labels="cluster_qr", random_state=0)
    return Clustering(in_order(found.fit_predict(affinity)), np.zeros(0))
