"""Pieces as points of a plane whose distances are as near to theirs as a plane allows, for a picture."""

from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from speechgmm.clustering.agglomerative import check_distances

Floats = NDArray[np.float64]

STEPS: Final = 300


def plane(distances: ArrayLike, steps: int = STEPS) -> Floats:
    """Points (N, 2) in the plane whose distances approximate given distances (N, N): multidimensional scaling.

    The points start from classical scaling; SMACOF then lowers the stress in each of ``steps`` steps (de Leeuw 1977). A
    distance d has the weight 1 / d², so that small distances count for more (Kamada & Kawai 1989). The same input gives
    the same points.

    Raises:
        ShapeError: Distances that are not a symmetric matrix.
        DataError: A distance that is NaN, infinite or negative.

    >>> corners = np.array([[0.0, 0.0], [3.0, 0.0], [0.0, 4.0]])
    >>> found = plane(np.linalg.norm(corners[:, None] - corners, axis=2))
    >>> np.linalg.norm(found[1] - found[2]).round(6)
    np.float64(5.0)
    """
    table = check_distances(distances)
    n = len(table)
    if n == 1 or not table.any():
        return np.zeros((n, 2))
    centring = np.eye(n) - 1 / n
    values, vectors = np.linalg.eigh(-0.5 * centring @ table**2 @ centring)
    points = vectors[:, -2:][:, ::-1] * np.sqrt(np.maximum(values[-2:][::-1], 0))
    if points.shape[1] < 2:
        points = np.column_stack([points, np.zeros(n)])
    # The sign of an eigenvector is anybody's choice: the largest entry is above 0.
    signs = np.sign(points[np.abs(points).argmax(axis=0), [0, 1]])
    points = points * np.where(signs == 0, 1.0, signs)
    weights = 1 / np.maximum(table, 0.05 * table.max()) ** 2
    np.fill_diagonal(weights, 0.0)
    laplacian = np.diag(weights.sum(axis=1)) - weights
    inverse = np.linalg.pinv(laplacian)
    for _ in range(steps):
        points = inverse @ (_guttman(weights * table, points) @ points)
    result: Floats = points - points.mean(axis=0)
    return result


def stress(distances: ArrayLike, points: Floats) -> float:
    """The stress that ``plane`` lowers: weighted squared errors of the distances between ``points`` (N, 2).

    >>> stress([[0.0, 1.0], [1.0, 0.0]], np.array([[0.0, 0.0], [0.0, 1.0]]))
    0.0
    """
    table = check_distances(distances)
    weights = 1 / np.maximum(table, 0.05 * table.max()) ** 2
    found = np.linalg.norm(points[:, None] - points, axis=2)
    return float((weights * (found - table) ** 2)[np.triu_indices(len(table), 1)].sum())


def _guttman(pulls: Floats, points: Floats) -> Floats:
    """The matrix of the Guttman transform: minus pull over distance off the diagonal, rows that sum to 0."""
    found = np.linalg.norm(points[:, None] - points, axis=2)
    ratios = np.divide(pulls, found, out=np.zeros_like(pulls), where=found > 1e-12)
    result: Floats = np.diag(ratios.sum(axis=1)) - ratios
    return result
