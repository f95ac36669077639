"""The options of maximum likelihood as one value, which estimators, selection and training pass to each other.

Owns the options, their defaults and their ranges. ``fit_gmm`` and similar functions take the same options as keywords.
"""

from dataclasses import dataclass
from numbers import Integral, Real
from typing import Final, Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from speechgmm.errors import ConfigError, FitError, ShapeError
from speechgmm.gmm.families import COVARIANCES, FAMILIES, Covariance
from speechgmm.gmm.layout import Precision

Start = Literal["kmeans++", "split", "random"]
Dead = Literal["keep", "resplit"]
PrecisionChoice = Literal["auto", "float32", "float64"]
EStep = Literal["auto", "dense", "sparse"]
Climb = Literal["em", "gradient"]

MAX_ITER: Final = 200

TOL: Final = 5e-5
"""Nats per frame.

Measured on ten sets of MFCCs from five corpora: every fit ends within 200 iterations, within .002 nats per held-out
frame of one of tol 1e-6. It takes 1.3 to 1.4 times the time of 20 iterations, which lose .011
(``benchmarks/stopping.py``).
"""

VARIANCE_FLOOR: Final = 0.01

LEAST_IN_FLOAT32: Final = 1e-3
"""Component variances below this share of the data's lose digits in float32 (5e-3 of a variance at 1e-4)."""

LEAST_VARIANCE: Final = 1e-280
"""Least variance of a dimension, in squared units of the frames. One over a share of it is still a number."""

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class EMOptions:
    """Options of maximum likelihood, see ``fit_gmm`` for what each does.

    Raises:
        ConfigError: An option out of range.

    >>> EMOptions(tol=1e-6).init
    'kmeans++'
    """

    covariance: Covariance = "diag"
    init: Start = "kmeans++"
    n_init: int | None = None  # starts; None: by frames and components
    max_iter: int = MAX_ITER
    tol: float = TOL  # nats per frame
    variance_floor: float = VARIANCE_FLOOR  # share of the variance within the start's components
    floor: ArrayLike | None = None  # (D,) or a number, in squared units of the frames: instead of ``variance_floor``
    dead_components: Dead = "keep"
    precision: PrecisionChoice = "auto"
    e_step: EStep = "auto"
    overrelaxed: bool = True
    estimator: Climb = "em"
    gradient_after: int = 10
    memory: int | None = None  # bytes that laid out frames may stay in; None: all

    def __post_init__(self) -> None:
        for name, kind, what in (
            *((name, Integral, "a whole number") for name in ("max_iter", "gradient_after")),
            *((name, Real, "a number") for name in ("tol", "variance_floor")),
        ):
            value: object = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, kind):
                raise ConfigError(f"{name} {value!r}; expected {what}, 0 or more")
        if self.e_step not in ("auto", "dense", "sparse"):
            raise ConfigError(f"e_step {self.e_step!r}; expected auto, dense or sparse")
        if self.estimator not in get_args(Climb) or self.gradient_after < 0:
            raise ConfigError(
                f"estimator {self.estimator!r} after {self.gradient_after}; expected em or gradient, and 0 or more"
            )
        if not (np.isfinite(self.variance_floor) and self.variance_floor >= 0):
            raise ConfigError(f"variance_floor {self.variance_floor:g}; expected a share of the variance, 0 or more")
        check_memory(self.memory)
        if self.covariance not in COVARIANCES:
            raise ConfigError(f"covariance {self.covariance!r}; expected {', '.join(COVARIANCES)}")
        given = [name for name, value in self._of_diagonal() if value]
        if self.covariance != "diag" and given:
            raise ConfigError(
                f"{given[0]} with covariance {self.covariance!r}; it is for covariance 'diag': leave out one of the two"
            )

    def _of_diagonal(self) -> tuple[tuple[str, bool], ...]:
        """Options that have no counterpart with other covariances than diagonal ones, and whether they are given."""
        exact = self.covariance in COVARIANCES and not FAMILIES[self.covariance].is_diagonal
        return (
            (f"estimator {self.estimator!r}", self.estimator != "em"),
            ("e_step 'sparse'", exact and self.e_step == "sparse"),
            ("precision 'float32'", exact and self.precision == "float32"),
        )


def check_memory(memory: int | None) -> None:
    """Raise ConfigError for what is no number of bytes."""
    if memory is not None and (not isinstance(memory, int) or isinstance(memory, bool) or memory < 0):
        raise ConfigError(f"memory {memory!r}; expected a number of bytes, 0 or more, or None for no limit")


def resolve_precision(precision: PrecisionChoice, least_share: float) -> Precision:
    """The precision that was asked for; auto: by the least variance of a component as a share of the data's.

    Raises:
        ConfigError: An unknown precision.

    >>> resolve_precision("auto", 0.01), resolve_precision("auto", 1e-4)
    ('float32', 'float64')
    """
    if precision == "auto":
        # A floor of 1e-3 comes back as 0.000999... once it has been multiplied by a variance and divided
        # again.
        return "float64" if least_share < LEAST_IN_FLOAT32 * (1 - 1e-9) else "float32"
    if precision in ("float32", "float64"):
        return precision
    raise ConfigError(f"precision {precision!r}; expected auto, float32 or float64")


def absolute_floor(floor: ArrayLike, n_features: int) -> Floats:
    """Least variances (D,), from as many or one number.

    Raises:
        ShapeError: Another shape.
        FitError: A variance that is negative or not finite.
        ConfigError: No numbers.

    >>> absolute_floor(0.5, 2)
    array([0.5, 0.5])
    """
    try:
        least = np.asarray(floor, dtype=np.float64)
    except (TypeError, ValueError):
        raise ConfigError(f"floor {floor!r}; expected a number, or one for each of {n_features} dimensions") from None
    if least.shape not in ((), (n_features,)):
        raise ShapeError(f"variance floor of shape {least.shape} for {n_features} dimensions; expected ({n_features},)")
    if not np.isfinite(least).all() or (least < 0).any():
        raise FitError(f"variance floor {least.min():g}; expected finite variances, 0 or more")
    return np.broadcast_to(least, (n_features,)).copy()


def check_variance(variance: Floats) -> None:
    """Raise FitError for a variance of frames (D,) that float64 cannot hold."""
    if not np.isfinite(variance).all():
        d = int(np.flatnonzero(~np.isfinite(variance))[0])
        raise FitError(
            f"dimension {d} has variance {variance[d]:g}; expected a finite one: a frame lies too far out, look for "
            "outliers"
        )


def checked_floor(floor: ArrayLike | None, n_frames: int, mean: Floats, variance: Floats) -> Floats:
    """The floor (D,) that was given, or 0 where it will be a share of the variances of the start.

    ``mean`` and ``variance`` (D,) are those of all frames.

    Raises:
        FitError: A variance of the frames that is 0 and has no floor, or that float64 cannot hold.
        ShapeError, ConfigError: As ``absolute_floor``.

    >>> checked_floor(None, 9, np.zeros(2), np.ones(2))
    array([0., 0.])
    """
    check_variance(variance)
    least = np.zeros(len(variance)) if floor is None else absolute_floor(floor, len(variance))
    constant = np.flatnonzero((variance == 0) & (least == 0))
    if len(constant):
        d = int(constant[0])
        raise FitError(
            f"dimension {d} is {mean[d]:g} in all {n_frames} frames, so its variance is 0; drop the "
            "dimension, give more varied frames, or give an absolute floor (floor=)"
        )
    tiny = np.flatnonzero(np.maximum(variance, least) < LEAST_VARIANCE)
    if len(tiny):
        d = int(tiny[0])
        raise FitError(
            f"the variance of dimension {d} is {variance[d]:.3g}; expected at least {LEAST_VARIANCE:g}, of which "
            "float64 can divide: give the frames in smaller units, or an absolute floor (floor=)"
        )
    return least
