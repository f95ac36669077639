"""K-means as a start of EM: greedy seeds, Lloyd iterations, and each cluster's moments as a component.

Owns the seeds and the clusters. Every random choice comes from the given generator.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from speechgmm.errors import FitError
from speechgmm.gmm.frames import Frames, moments
from speechgmm.gmm.model import DiagGMM
from speechgmm.gmm.prior import ConjugatePrior
from speechgmm.gmm.stats import GMMStats

Floats = NDArray[np.float64]

LLOYD: Final = 20
"""Iterations at most."""

SETTLED: Final = 1e-3
"""In standard deviations of all frames. The iterations end when no centre moves further than this."""

LEAST: Final = 1e-6
"""Share of the variance of all frames: the least variance of a cluster. A cluster of one frame has variance 0, and EM
needs a variance above 0 to start from."""

_CELLS: Final = 2**17  # of a (frames, K) block of distances: 1 MiB, which stays in the L2 cache


def kmeans_mixture(
    frames: Frames, weights: Floats, n_components: int, rng: np.random.Generator, floor: Floats
) -> DiagGMM:
    """The clusters of frames (N, D), each dimension in its standard deviations, as a mixture.

    ``weights`` (N,) count the frames. ``floor`` (D,) holds the variances from below.

    Raises:
        FitError: Fewer distinct frames than components.

    >>> rows = np.array([[0.0], [1.0], [50.0], [51.0]])
    >>> kmeans_mixture(rows, np.ones(4), 2, np.random.default_rng(0), np.zeros(1)).variances.ravel()
    array([0.25, 0.25])
    """
    mean, variance = moments(frames, weights)
    scale = np.where(variance > 0, np.sqrt(variance), 1.0)
    points = (frames - mean) / scale
    centres = points[greedy_seeds(points, weights, n_components, rng)]
    for _ in range(LLOYD):
        labels = _nearest(points, centres)
        counts, sums = _totals(labels, weights, n_components, points)
        # A centre without points stays where it is.
        moved = np.divide(sums, counts[:, None], out=centres.copy(), where=counts[:, None] > 0)
        shift = np.abs(moved - centres).max()
        centres = moved
        if shift <= SETTLED:
            break
    labels = _nearest(points, centres)
    counts, sums = _totals(labels, weights, n_components, points)
    _, squares = _totals(labels, weights, n_components, points**2)
    spread = np.ones_like(centres)  # a cluster of nobody has the variance of all frames
    stats = GMMStats(counts, sums, squares, 0.0, float(counts.sum()))
    previous = DiagGMM(np.full(n_components, 1 / n_components), centres, spread)
    start = (ConjugatePrior.flat(*centres.shape) + stats).mode(previous, floor=np.maximum(floor / scale**2, LEAST))
    # No weight starts at zero: EM could never revive it.
    shares = np.maximum(start.weights, 1e-3 / n_components)
    return DiagGMM(shares / shares.sum(), mean + scale * start.means, scale**2 * start.variances)


def greedy_seeds(points: Floats, weights: Floats, n_components: int, rng: np.random.Generator) -> list[int]:
    """Seeds of k-means++ (Arthur & Vassilvitskii 2007), each the best of 2 + log K that are drawn.

    ``points`` (N, D) count ``weights`` (N,). Returns the numbers of K different points.

    Raises:
        FitError: Fewer distinct points of weight above 0 than components.

    >>> sorted(greedy_seeds(np.array([[0.0], [1.0], [9.0]]), np.array([1.0, 0.0, 1.0]), 2, np.random.default_rng(0)))
    [0, 2]
    """
    n_candidates = 2 + int(np.log(n_components))
    norms = (points**2).sum(axis=1)
    seeds = [int(rng.choice(len(points), p=weights / weights.sum()))]
    nearest = _distances(points, norms, seeds)[0]
    while len(seeds) < n_components:
        chances = np.cumsum(weights * nearest)
        if not chances[-1] > 0:
            raise FitError(f"k-means++ sees {len(seeds)} distinct frames for {n_components} components; take fewer")
        drawn = np.searchsorted(chances, rng.random(n_candidates) * chances[-1], side="right")
        candidates = np.minimum(drawn, len(points) - 1).tolist()
        closer = np.minimum(nearest, _distances(points, norms, candidates))
        best = int((closer @ weights).argmin())
        nearest = closer[best]
        seeds.append(candidates[best])
    return seeds


def _distances(points: Floats, norms: Floats, which: list[int]) -> Floats:
    """(len(which), N) squared distances of all points from some, exactly 0 from themselves."""
    found: Floats = norms - 2 * points[which] @ points.T + norms[which, None]
    np.maximum(found, 0, out=found)
    for row, number in enumerate(which):
        found[row, number] = 0
    return found


def _nearest(points: Floats, centres: Floats) -> NDArray[np.intp]:
    """(N,) the number of the centre nearest to each point."""
    halves = 0.5 * (centres**2).sum(axis=1)
    step = max(1, _CELLS // len(centres))
    parts = [
        (halves - points[first : first + step] @ centres.T).argmin(axis=1) for first in range(0, len(points), step)
    ]
    return np.concatenate(parts)


def _totals(labels: NDArray[np.intp], weights: Floats, n_clusters: int, values: Floats) -> tuple[Floats, Floats]:
    """Weight (K,) of each cluster, and the weighted sum (K, D) of its points' values."""
    order = np.argsort(labels, kind="stable")
    counts = np.bincount(labels, weights, n_clusters).astype(np.float64)
    sizes = np.bincount(labels, minlength=n_clusters)
    used = sizes > 0
    starts = (np.cumsum(sizes) - sizes)[used]
    sums: Floats = np.zeros((n_clusters, values.shape[1]))
    sums[used] = np.add.reduceat(values[order] * weights[order, None], starts, axis=0)
    return counts, sums
