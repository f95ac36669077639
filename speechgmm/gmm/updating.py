"""Models in use that hear more: what a model has seen counts, and new frames are added to it.

Owns the way back from a mixture and its counts to the statistics it was made from. Refuses to know where new frames
come from, and to guess what a model has seen.
"""

from collections.abc import Collection

import numpy as np
from numpy.typing import ArrayLike, NDArray

from speechgmm.gmm.model import DiagGMM
from speechgmm.gmm.prior import PARAMETERS, ConjugatePrior, Parameter
from speechgmm.gmm.stats import GMMStats

Floats = NDArray[np.float64]


def statistics_of(
    model: DiagGMM,
    counts: ArrayLike,
    prior: ConjugatePrior | None = None,
    update: Collection[Parameter] = PARAMETERS,
) -> GMMStats:
    """The statistics that a mixture is the mode of, given the frames (K,) that spoke for each component.

    Without ``prior`` it was made by maximum likelihood; else it is the mode of prior + statistics in the parameters
    that were updated. What the others say of the frames is lost, and is taken to be what leaves them as they are. A
    variance that a floor holds counts as one that was found.

    >>> statistics_of(DiagGMM([1.0], [[2.0]], [[1.0]]), [3.0]).squares
    array([[15.]])
    """
    held = np.asarray(counts, dtype=np.float64)
    n = held[:, None]
    if prior is None:
        prior = ConjugatePrior.flat(*model.means.shape)
    kappa, nu = prior.mean_counts[:, None], prior.variance_counts[:, None]
    moved = "means" in update
    sums = (kappa + n) * model.means - kappa * prior.means if moved else n * model.means
    spread = n * model.variances
    if "variances" in update:
        # scatter' = scatter + Q + kappa m² - kappa' m'², of which Q is to be found.
        about = (kappa + n) * model.means**2 - kappa * prior.means**2 if moved else n * model.means**2
        return GMMStats(held, sums, (nu + n) * model.variances - prior.scatter + about, 0.0, float(held.sum()))
    centres = np.divide(sums, n, out=np.zeros_like(sums), where=n > 0)
    return GMMStats(held, sums, spread + n * centres**2, 0.0, float(held.sum()))
