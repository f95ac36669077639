"""What EM needs of a mixture, of its prior and of its statistics, whatever the form of the covariances.

Owns the protocols alone. ``DiagGMM`` with ``ConjugatePrior`` and ``GMMStats`` is one family; ``FullGMM`` with
``FullPrior`` and ``FullStats`` another. A family is chosen in ``families``.
"""

from collections.abc import Collection
from typing import Any, Literal, Protocol, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from typing_extensions import TypeVar

from speechgmm.gmm.model import DiagGMM, Floats

Parameter = Literal["weights", "means", "variances"]


class Mixture(Protocol):
    """A mixture of Gaussians with K components of D dimensions."""

    @property
    def weights(self) -> Floats:
        """(K,), sum to 1."""
        ...

    @property
    def means(self) -> Floats:
        """(K, D)."""
        ...

    @property
    def n_components(self) -> int:
        """K."""
        ...

    @property
    def n_features(self) -> int:
        """D."""
        ...

    @property
    def marginal_variances(self) -> Floats:
        """(K, D), of each dimension in each component."""
        ...

    @property
    def n_variances(self) -> int:
        """How many numbers a floor holds from below."""
        ...

    def centre(self) -> Floats:
        """The mean (D,) of the mixture."""
        ...

    def floored(self, floor: ArrayLike) -> Self:
        """The same mixture with variances of at least ``floor``, (D,) or a number."""
        ...

    def n_floored(self, floor: ArrayLike) -> int:
        """How many variances the floor holds."""
        ...

    def floor_note(self, floor: Floats) -> str:
        """Where the floor holds variances, in words."""
        ...

    def with_components(self, weights: Floats, means: Floats, like: NDArray[np.intp]) -> Self:
        """Other components, each with the variances or the covariance of one of these."""
        ...

    def beyond(self, before: Self, weights: Floats, means: Floats, share: float) -> Self:
        """Weights and means given, and variances that go on by ``share`` of the way from ``before`` to here."""
        ...


Model = TypeVar("Model", bound=Mixture, default=DiagGMM)
"""A mixture; that of a ``Fit`` that nobody says more of has diagonal covariances."""


class Statistics(Protocol):
    """Sums over frames under a mixture, which add up."""

    @property
    def counts(self) -> Floats:
        """(K,), frames of each component."""
        ...

    @property
    def log_likelihood(self) -> float:
        """Of all frames, nats."""
        ...

    @property
    def n_frames(self) -> float:
        """Sum of the frames' weights."""
        ...


class Prior(Protocol[Model]):
    """A conjugate prior: with statistics added it is the posterior, whose mode is the M-step."""

    @property
    def means(self) -> Floats:
        """(K, D)."""
        ...

    def __add__(self, stats: Any, /) -> Self:
        """The posterior after these statistics."""
        ...

    def dead(self, min_count: float = ...) -> tuple[int, ...]:
        """Components that too few frames speak for."""
        ...

    def mode(
        self, previous: Model, *, floor: ArrayLike = ..., min_count: float = ..., update: Collection[Parameter] = ...
    ) -> Model:
        """The most probable mixture above the floor."""
        ...

    def log_density(self, model: Model) -> float:
        """Log density of a mixture, nats."""
        ...
