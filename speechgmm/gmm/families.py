"""The forms that covariances have: what a start, a prior and the frames of each are.

Owns the table of forms, and the number of parameters of each. A form is a name; what differs between forms stands here
and in the models, and nobody else asks for it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Literal, get_args

import numpy as np

from speechgmm.gmm.full_model import FullGMM
from speechgmm.gmm.full_stats import FullPrior
from speechgmm.gmm.model import DiagGMM, Floats
from speechgmm.gmm.prior import ConjugatePrior, SphericalPrior

Covariance = Literal["diag", "full", "tied", "spherical"]
COVARIANCES: Final[tuple[Covariance, ...]] = get_args(Covariance)


@dataclass(frozen=True, slots=True)
class Family:
    """Mixtures whose covariances have one form."""

    start: Callable[[Any], Any]  # of a mixture with diagonal covariances, or of this form, one of this form
    prior: Callable[[Any], Any]  # of a start, the flat prior
    floor: Callable[[Floats], Floats]  # (D,) -> (D,): what holds variances, where they are not held one by one
    is_diagonal: bool  # a ``DiagGMM``
    is_tied: bool  # one covariance for all components
    n_variances: Callable[[int], int]  # D -> parameters of a covariance

    def per_component(self, n_features: int) -> int:
        """Parameters of a component, beside its weight and a covariance that others have too."""
        return n_features + (0 if self.is_tied else self.n_variances(n_features))

    def n_parameters(self, n_components: int, n_features: int) -> int:
        """Free parameters of a mixture.

        >>> [FAMILIES[name].n_parameters(2, 3) for name in COVARIANCES]
        [13, 19, 13, 9]
        """
        shared = self.n_variances(n_features) if self.is_tied else 0
        return n_components * self.per_component(n_features) + shared + n_components - 1


def _whole(value: Any) -> Any:
    return value


def _flat(start: DiagGMM) -> ConjugatePrior:
    return ConjugatePrior.flat(*start.means.shape)


def _spherical(start: DiagGMM) -> DiagGMM:
    variances = np.tile(start.variances.mean(axis=1, keepdims=True), start.n_features)
    return DiagGMM(start.weights, start.means, variances)


def _full(start: DiagGMM | FullGMM) -> FullGMM:
    if isinstance(start, DiagGMM):
        return FullGMM(start.weights, start.means, start.variances[:, :, None] * np.eye(start.n_features))
    covariances = np.broadcast_to(start.covariances, (start.n_components, *start.covariances.shape[1:]))
    return FullGMM(start.weights, start.means, covariances)


def _tied(start: DiagGMM | FullGMM) -> FullGMM:
    full = _full(start)
    pooled = np.tensordot(full.weights / full.weights.sum(), full.covariances, axes=1)
    return FullGMM(full.weights, full.means, pooled[None])


def _mean(floor: Floats) -> Floats:
    return np.full_like(floor, floor.mean())


def _half_square(n_features: int) -> int:
    return n_features * (n_features + 1) // 2


def _spherical_prior(start: DiagGMM) -> ConjugatePrior:
    return SphericalPrior.flat(*start.means.shape)


FAMILIES: Final[dict[Covariance, Family]] = {
    "diag": Family(_whole, _flat, _whole, True, False, lambda n_features: n_features),
    "full": Family(_full, FullPrior.flat, _whole, False, False, _half_square),
    "tied": Family(_tied, FullPrior.flat, _whole, False, True, _half_square),
    "spherical": Family(_spherical, _spherical_prior, _mean, True, False, lambda _: 1),
}
