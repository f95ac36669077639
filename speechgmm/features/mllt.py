"""The transform under which diagonal covariances fit the components of mixtures best: MLLT, or semi-tied covariances.

Owns the statistics' form (`Scatters`), the objective and its climb. Refuses to know whose components they are: states
of hidden Markov models, or mixtures of classes.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from speechgmm.errors import ConfigError, FitError, ShapeError
from speechgmm.features.transforms import LinearTransform
from speechgmm.gmm.full_model import FullGMM
from speechgmm.gmm.full_stats import FullStats
from speechgmm.gmm.model import DiagGMM

Floats = NDArray[np.float64]

LEAST_FRAMES: Final = 5.0
"""A component that fewer frames speak for has no covariance to speak of, and is left out."""

MOST_SWEEPS: Final = 40
TOL: Final = 1e-5
"""Nats per frame: sweeps over the rows end when one gains less."""


@dataclass(frozen=True, slots=True, eq=False)
class Scatters:
    """Full covariances of M components, and how many frames speak for each."""

    counts: Floats  # (M,)
    covariances: Floats  # (M, D, D), symmetric and positive definite

    @classmethod
    def of(cls, parts: Iterable[FullStats], variance: ArrayLike, variance_count: float) -> "Scatters":
        """From the statistics of mixtures (``full_view``), each component's covariance about its own mean.

        It is the mode under the same prior that training has: (n W + p diag(``variance``)) / (n + p), with p =
        ``variance_count`` pseudo-frames. Components of fewer than ``LEAST_FRAMES`` frames are left out.

        Raises:
            FitError: No component has as many.

        >>> stats = FullStats(np.array([10.0]), np.zeros((1, 1)), np.full((1, 1, 1), 20.0), 0.0, 10.0, np.zeros(1))
        >>> Scatters.of([stats], [5.0], 10.0).covariances
        array([[[3.5]]])
        """
        prior, counts, covariances = np.diag(np.asarray(variance, dtype=np.float64)), [], []
        for stats in parts:
            for n, total, products in zip(stats.counts, stats.sums, stats.products, strict=True):
                if n >= LEAST_FRAMES:
                    scatter = products - np.outer(total, total) / n
                    counts.append(n)
                    covariances.append((0.5 * (scatter + scatter.T) + variance_count * prior) / (n + variance_count))
        if not counts:
            raise FitError(
                f"no component has {LEAST_FRAMES:g} frames or more, so that no transform can be estimated; give more "
                "audio, or take fewer components"
            )
        return cls(np.array(counts), np.array(covariances))


@dataclass(frozen=True, slots=True, eq=False)
class MLLT:
    """A transform A, and its objective before the first sweep over the rows and after each."""

    matrix: Floats  # (D, D)
    trace: tuple[float, ...]  # nats per frame, up to a constant; never falls

    def after(self, transform: LinearTransform) -> LinearTransform:
        """The map x -> A (matrix x + offset)."""
        return LinearTransform(self.matrix @ transform.matrix, self.matrix @ transform.offset)

    def moved(self, model: DiagGMM) -> DiagGMM:
        """A mixture of frames as one of their images, less the correlations that the images of its components have."""
        return DiagGMM(model.weights, model.means @ self.matrix.T, model.variances @ (self.matrix**2).T)


def full_view(model: DiagGMM) -> FullGMM:
    """The same density with covariance matrices, so that its E-step (``accumulate_full``) collects full scatters.

    >>> full_view(DiagGMM([1.0], [[0.0, 0.0]], [[1.0, 2.0]])).covariances[0].tolist()
    [[1.0, 0.0], [0.0, 2.0]]
    """
    return FullGMM(model.weights, model.means, np.array([np.diag(row) for row in model.variances]))


def mllt_objective(matrix: Floats, scatters: Scatters) -> float:
    """Log-likelihood in nats per frame, up to a constant, with each component's variances at their best.

    log |det A| - 1/2 sum_m n_m / N sum_i log(a_i W_m a_i'), with the rows a_i of A (Gales 1999, eq. 8 and 9). The
    determinant counts: without it the smallest A would be the best.

    >>> mllt_objective(np.eye(2), Scatters(np.ones(1), np.eye(2)[None])) + 0.0
    0.0
    """
    images = matrix @ scatters.covariances  # (M, D, D)
    variances = np.einsum("mde,de->md", images, matrix)
    share = scatters.counts / scatters.counts.sum()
    return float(np.linalg.slogdet(matrix)[1] - 0.5 * share @ np.log(variances).sum(axis=1))


def estimate_mllt(scatters: Scatters, *, most_sweeps: int = MOST_SWEEPS, tol: float = TOL) -> MLLT:
    """The transform A of most likelihood under components with diagonal covariances in its image.

    Maximum likelihood linear transform (Gopinath 1998), the same as one semi-tied covariance for all components (Gales
    1999). Rows are updated one by one by Gales's closed form, each with the variances that the rows of before give; no
    update lowers the objective. The rows come scaled so that the mean over frames of a component's variance in a
    dimension is 1: only their directions matter to the likelihood.

    Parameters
    ----------
    scatters : Scatters
        Full covariances of M components.
    most_sweeps : int
        Sweeps over all rows at most.
    tol : float
        A sweep that gains less nats per frame is the last.

    Returns
    -------
    MLLT
        The matrix (D, D), and the objective from the identity on.

    Raises
    ------
    FitError
        A covariance that is singular.
    ShapeError
        Counts and covariances that do not fit together.
    ConfigError
        No sweeps, or a negative ``tol``.

    Examples
    --------
    >>> turned = np.array([[0.8, 0.6], [-0.6, 0.8]])
    >>> wide = np.array([turned.T @ np.diag(v) @ turned for v in ([1.0, 9.0], [4.0, 1.0])])
    >>> found = estimate_mllt(Scatters(np.array([50.0, 50.0]), wide)).matrix
    >>> images = np.abs(found @ turned.T)
    >>> np.round(images / images.max(axis=1, keepdims=True), 3) + 0.0
    array([[1., 0.],
           [0., 1.]])
    """
    counts, covariances = scatters.counts, scatters.covariances
    n_dims = covariances.shape[-1]
    if covariances.shape != (len(counts), n_dims, n_dims) or not len(counts):
        raise ShapeError(f"counts {counts.shape} and covariances {covariances.shape}; expected (M,) and (M, D, D)")
    if most_sweeps < 1 or not tol >= 0:
        raise ConfigError(f"{most_sweeps} sweeps and a tol of {tol:g}; expected 1 or more, and 0 or more")
    if not (np.linalg.eigvalsh(covariances)[:, 0] > 0).all():
        raise FitError(
            f"a covariance of {n_dims} dimensions is singular: its frames are too few, or some dimensions follow from "
            "others; set variance_count above 0, or drop dimensions"
        )
    share = counts / counts.sum()
    matrix = np.eye(n_dims)
    trace = [mllt_objective(matrix, scatters)]
    for _ in range(most_sweeps):
        for i in range(n_dims):
            variances = covariances @ matrix[i] @ matrix[i]
            weighted = np.tensordot(share / variances, covariances, 1)
            cofactors = np.linalg.inv(matrix)[:, i]  # of the row, up to the determinant
            direction = np.linalg.solve(weighted, cofactors)
            matrix[i] = direction / np.sqrt(cofactors @ direction)
        trace.append(mllt_objective(matrix, scatters))
        if trace[-1] - trace[-2] < tol:
            break
    spread = matrix @ np.tensordot(share, covariances, 1) @ matrix.T
    matrix /= np.sqrt(np.diag(spread))[:, None]
    return MLLT(matrix, tuple(trace))
