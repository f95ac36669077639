"""Updates that go further than the step of EM: adaptive overrelaxed EM (Salakhutdinov & Roweis 2003).

Owns how far an update goes, and the way back. Refuses to judge: who calls says whether the objective fell.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from speechgmm.gmm.model import DiagGMM

Floats = NDArray[np.float64]

FURTHER: Final = 1.2
"""By how much the factor of an overrelaxed step grows from one that went well to the next."""

FURTHEST: Final = 3.0


@dataclass(slots=True)
class Overrelaxation:
    """Where EM's own step leads, while the model has gone further.

    The factor grows with every step that is not taken back.

    >>> path = Overrelaxation(np.zeros(1))
    >>> before, after = (DiagGMM([1.0], [[mean]], [[1.0]]) for mean in (0.0, 1.0))
    >>> path.further(before, after).means.item(), path.back().means.item()
    (1.2, 1.0)
    """

    floor: Floats  # (D,) or (1,): least variances
    factor: float = 1.0
    own: DiagGMM | None = None  # EM's own step; None: the model is that

    def further(self, before: DiagGMM, after: DiagGMM) -> DiagGMM:
        """The model beyond EM's own step from ``before`` to ``after``, both kept until ``back`` or ``rest``.

        Means go on in a straight line, weights and variances in their logarithms.
        """
        self.own, self.factor = after, min(self.factor * FURTHER, FURTHEST)
        beyond = self.factor - 1
        # No weight and no variance may vanish or explode by what is added to EM's own step.
        kept = np.clip(
            np.divide(after.weights, before.weights, out=np.ones(len(after.weights)), where=before.weights > 0), 0.5, 2
        )
        weights = after.weights * kept**beyond
        return DiagGMM(
            weights / weights.sum(),
            after.means + beyond * (after.means - before.means),
            np.maximum(after.variances * np.clip(after.variances / before.variances, 0.5, 2) ** beyond, self.floor),
        )

    def back(self) -> DiagGMM:
        """EM's own step, since the one beyond it went too far."""
        if self.own is None:
            raise ValueError("the model is EM's own step already")
        own = self.own
        self.own, self.factor = None, 1.0
        return own

    def rest(self) -> None:
        """The next step is EM's own."""
        self.own = None
