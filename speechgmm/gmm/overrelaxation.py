"""Updates that go further than the step of EM: adaptive overrelaxed EM (Salakhutdinov & Roweis 2003).

Owns the length of an update, and its return to EM's own step. The caller says whether the objective fell.
"""

from dataclasses import dataclass, replace
from typing import Final, Generic

import numpy as np
from numpy.typing import NDArray

from speechgmm.gmm.model import within
from speechgmm.gmm.protocols import Model
from speechgmm.gmm.stats import GMMStats

Floats = NDArray[np.float64]

FURTHER: Final = 1.2
"""By how much the factor of an overrelaxed step grows from one that went well to the next."""

FURTHEST: Final = 3.0


@dataclass(slots=True)
class Overrelaxation(Generic[Model]):
    """The length of overrelaxed updates, and the model of EM's own step, to which the caller can return.

    The factor grows with every update, and a return sets it to 1 again.

    >>> from speechgmm import DiagGMM
    >>> path = Overrelaxation(np.zeros(1))
    >>> before, after = (DiagGMM([1.0], [[mean]], [[1.0]]) for mean in (0.0, 1.0))
    >>> path.further(before, after).means.item(), path.back().means.item()
    (1.2, 1.0)
    """

    floor: Floats  # (D,) or (1,): least variances
    factor: float = 1.0
    own: Model | None = None  # EM's own step; None: the model is that

    def further(self, before: Model, after: Model) -> Model:
        """The model beyond EM's own step from ``before`` to ``after``, both kept until ``back`` or ``rest``.

        Means go on in a straight line, weights and variances in their logarithms (covariances in those of their
        eigenvalues in units of the covariance before).
        """
        self.own, self.factor = after, min(self.factor * FURTHER, FURTHEST)
        beyond = self.factor - 1
        # No weight and no variance may vanish or explode by what is added to EM's own step.
        kept = within(
            np.divide(after.weights, before.weights, out=np.ones(len(after.weights)), where=before.weights > 0)
        )
        weights = after.weights * kept**beyond
        means = after.means + beyond * (after.means - before.means)
        return after.beyond(before, weights / weights.sum(), means, beyond).floored(self.floor)

    def back(self) -> Model:
        """The model of EM's own step, where the update beyond it lowered the objective."""
        if self.own is None:
            raise ValueError("the model is EM's own step already")
        own = self.own
        self.own, self.factor = None, 1.0
        return own

    def rest(self) -> None:
        """The next step is EM's own."""
        self.own = None


def further_statistics(before: GMMStats, after: GMMStats, factor: float) -> GMMStats:
    """``factor`` times the step from one set of statistics to another, a component at a time.

    No count, and no scatter about a mean, falls below half of what it is after the plain step.

    >>> before, after = (GMMStats(np.array([n]), np.zeros((1, 1)), np.ones((1, 1)), 0.0, 9.0) for n in (5.0, 6.0))
    >>> further_statistics(before, after, 2.0).counts
    array([7.])
    """
    most = np.full(len(after.counts), factor - 1)
    falls = before.counts - after.counts
    beyond = np.minimum(most, np.divide(after.counts / 2, falls, out=most.copy(), where=falls > 0))

    def moved(which: str) -> Floats:
        this, that = getattr(after, which), getattr(before, which)
        shares = beyond if this.ndim == 1 else beyond[:, None]
        return np.asarray(this + shares * (this - that))

    counts, sums, squares = moved("counts"), moved("sums"), moved("squares")
    held = (_scatter(counts, sums, squares) >= 0.5 * _scatter(after.counts, after.sums, after.squares)).all(axis=1)
    beyond = np.where(held, beyond, 0.0)
    return replace(after, counts=moved("counts"), sums=moved("sums"), squares=moved("squares"))


def _scatter(counts: Floats, sums: Floats, squares: Floats) -> Floats:
    n = counts[:, None]
    return squares - np.divide(sums**2, n, out=np.zeros_like(sums), where=n > 0)
