"""The predictive density of a mixture that is known by its posterior: a mixture of Student-t.

Averaged over all that the frames leave open, a component is a product of Student-t, one per dimension, with heavier
tails the fewer frames it has seen (Bishop 2006, eqs. 10.81-10.82, with a gamma per dimension). Owns scoring with it,
in float64 and numpy alone: a recording waits for no compiler. Refuses a (T, K) array for more than a block of frames.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import lgamma
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from speechgmm.errors import ShapeError
from speechgmm.gmm.bayesian import BayesianGMM
from speechgmm.gmm.likelihoods import check_dimensions

Floats = NDArray[np.float64]

_CELLS: Final = 2**15  # of a (components, frames) block: two of them stay in the L2 cache
_TOGETHER: Final = 4  # dimensions that share a logarithm: their product is finite below 1e38 standard deviations


@dataclass(frozen=True, slots=True, eq=False)
class PredictiveStack:
    """The predictive densities of C posteriors, laid out for scoring.

    log p(x) = log sum_k exp(consts[k] - powers[k] sum_d log(1 + (roots[k, d] (x_d - centre_d) - shifts[k, d])²))
    """

    sizes: NDArray[np.intp]  # (C,) components of each
    consts: Floats  # (sum of K,)
    powers: Floats  # (sum of K,), (degrees of freedom + 1) / 2
    roots: Floats  # (D, sum of K)
    shifts: Floats  # (D, sum of K)
    centre: Floats  # (D,) near the means, so that frames far from zero keep their digits

    @classmethod
    def of(cls, posteriors: Sequence[BayesianGMM]) -> "PredictiveStack":
        """Lay out posteriors for scoring. Raises ShapeError for posteriors of different dimensions.

        >>> known = BayesianGMM.around([0.0], [1.0], 1, mean_frames=1, variance_frames=2, variance_share=1)
        >>> PredictiveStack.of([known]).log_likelihoods([[0.0]]).round(4)  # t of 2 degrees of freedom, variance 2
        array([[-1.3863]])
        """
        sizes = sorted({posterior.n_features for posterior in posteriors})
        if len(sizes) != 1:
            raise ShapeError(f"posteriors of {' and '.join(map(str, sizes))} dimensions; expected one feature space")
        centre = np.mean([posterior.weights() @ posterior.conjugate.means for posterior in posteriors], axis=0)
        consts, powers, roots, shifts = zip(*(_laid_out(posterior, centre) for posterior in posteriors), strict=True)
        return cls(
            np.array([posterior.n_components for posterior in posteriors]),
            np.concatenate(consts),
            np.concatenate(powers),
            np.ascontiguousarray(np.concatenate(roots).T),
            np.ascontiguousarray(np.concatenate(shifts).T),
            centre,
        )

    def log_likelihoods(self, frames: ArrayLike) -> Floats:
        """Log p(x) of every frame (T, D) under every posterior, in nats: (C, T) float64.

        Raises:
            ShapeError: Frames that are not (T, D), with D as in the posteriors.
        """
        values = check_dimensions(frames, len(self.roots))
        found = np.empty((len(self.sizes), len(values)))
        starts = np.concatenate([[0], np.cumsum(self.sizes)[:-1]])
        step = max(16, _CELLS // len(self.consts))
        for start in range(0, len(values), step):
            part = slice(start, start + step)
            # What overflows ends as NaN or infinity in that frame's score, where it cannot be overlooked.
            with np.errstate(over="ignore", invalid="ignore"):
                scores = self._scores(np.ascontiguousarray((values[part] - self.centre).T))
                peaks = np.maximum.reduceat(scores, starts)
                scores -= np.repeat(peaks, self.sizes, axis=0)
                np.exp(scores, out=scores)
                found[:, part] = peaks + np.log(np.add.reduceat(scores, starts))
        return found

    def _scores(self, columns: Floats) -> Floats:
        """(sum of K, B): log p(k, x) of a block of frames (D, B)."""
        shape = (len(self.consts), columns.shape[1])
        logs, product, factor = np.zeros(shape), np.ones(shape), np.empty(shape)
        for d, column in enumerate(columns, 1):
            np.multiply(self.roots[d - 1, :, None], column, out=factor)
            factor -= self.shifts[d - 1, :, None]
            factor *= factor
            factor += 1
            product *= factor
            if d % _TOGETHER == 0 or d == len(columns):
                logs += np.log(product, out=factor)
                product.fill(1)
        logs *= -self.powers[:, None]
        logs += self.consts[:, None]
        return logs


def _laid_out(posterior: BayesianGMM, centre: Floats) -> tuple[Floats, Floats, Floats, Floats]:
    a, b = posterior.gammas()
    kappa = posterior.conjugate.mean_counts
    squares = (kappa / (kappa + 1))[:, None] / (2 * b)  # precision of the t over its degrees of freedom, 2a
    normalisers = np.array([lgamma(value + 0.5) - lgamma(value) for value in a]) - 0.5 * np.log(np.pi)
    weights = posterior.weights()
    log_weights = np.log(weights, where=weights > 0, out=np.full(len(weights), -np.inf))
    consts = log_weights + posterior.n_features * normalisers + 0.5 * np.log(squares).sum(axis=1)
    roots = np.sqrt(squares)
    return consts, a + 0.5, roots, roots * (posterior.conjugate.means - centre)
