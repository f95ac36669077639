"""Criteria for the number of components: BIC, AIC, likelihood of held-out frames, occupancy.

Owns what a number of components is judged by, and what is kept of each that was tried. Refuses to fit anything.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

import numpy as np

from speechgmm.gmm.em import Fit
from speechgmm.gmm.families import FAMILIES, Covariance

Criterion = Literal["bic", "aic", "held_out", "occupancy"]

NAMES: Final[dict[str, str]] = {
    "bic": "BIC",
    "aic": "AIC",
    "held_out": "likelihood of held-out frames",
    "occupancy": "occupancy",
}


@dataclass(frozen=True, slots=True)
class Candidate:
    """The fit and the value of the criterion for one number of components.

    >>> Candidate(4, -310.5, 19, 714.2, dead=0, floored=0).n_components
    4
    """

    n_components: int
    log_likelihood: float  # nats per frame, of the frames it was fitted to
    n_parameters: int  # free ones, 2 K D + K - 1 with diagonal covariances
    value: float  # nats per frame; the greatest is best. Occupancy: frames of the component that holds the fewest
    dead: int  # components that no frames speak for
    floored: int  # variances that the floor holds


@dataclass(frozen=True, slots=True, eq=False)
class Choice:
    """The chosen fit, and the candidates that it was chosen from."""

    fit: Fit[Any]
    criterion: Criterion
    candidates: tuple[Candidate, ...]  # in the order they were tried
    why: str  # in words


def penalised(fit: Fit[Any], criterion: Literal["bic", "aic"], covariance: Covariance = "diag") -> float:
    """BIC or AIC of a fit in nats per frame, the greater the better.

    >>> from speechgmm.gmm import fit_gmm
    >>> fit = fit_gmm([[-1.0], [1.0]], 1)
    >>> round(fit.trace[-1] - penalised(fit, "aic"), 6)
    1.0
    """
    price = 0.5 * float(np.log(fit.n_frames)) if criterion == "bic" else 1.0
    return fit.trace[-1] - price * FAMILIES[covariance].n_parameters(*fit.model.means.shape) / fit.n_frames


def candidate_of(fit: Fit[Any], value: float, covariance: Covariance = "diag") -> Candidate:
    """What a fit came to, by the ``value`` of its criterion.

    >>> from speechgmm.gmm import fit_gmm
    >>> candidate_of(fit_gmm([[-1.0], [1.0]], 1), value=0.5).n_parameters
    2
    """
    n_free = FAMILIES[covariance].n_parameters(*fit.model.means.shape)
    return Candidate(fit.model.n_components, fit.trace[-1], n_free, value, len(fit.dead), fit.floored)


AT_THE_END: Final = "no larger candidate was tried"
"""What is said of a choice of the largest candidate."""


def why_chosen(best: Fit[Any], criterion: Criterion, found: Sequence[Candidate], sizes: Sequence[int]) -> str:
    """The choice in words."""
    n_best = best.model.n_components
    beside = [one for one in found if one.n_components != n_best]
    if not beside:
        return f"{n_best} is the only candidate that the frames allow"
    top = max(one.value for one in found)
    after = max(beside, key=lambda one: one.value)
    text = f"best {NAMES[criterion]}, by {top - after.value:.3g} nats per frame before {after.n_components}"
    if n_best == sizes[-1]:
        text += f"; {AT_THE_END}"
    return text
