"""How a mixture is estimated, as one value: what estimators, selection and training hand on.

Owns the options that every caller of EM shares, and what each may be. ``fit_gmm`` and its like take the same as
keywords.
"""

from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from speechgmm.errors import ConfigError, FitError, ShapeError
from speechgmm.gmm.layout import Precision

Start = Literal["kmeans++", "split", "random"]
Dead = Literal["keep", "resplit"]
PrecisionChoice = Literal["auto", "float32", "float64"]
EStep = Literal["auto", "dense", "sparse"]
Climb = Literal["em", "gradient"]

MAX_ITER: Final = 200

TOL: Final = 5e-5
"""Nats per frame.

Of ten sets of real MFCCs from five corpora, every fit ends within 200 iterations, .002 nats a held-out frame from one
of tol 1e-6, in 1.3 to 1.4 times the time of 20 iterations, which lose .011 (``benchmarks/stopping.py``).
"""

VARIANCE_FLOOR: Final = 0.01

LEAST_IN_FLOAT32: Final = 1e-3
"""Component variances below this share of the data's lose digits in float32 (5e-3 of a variance at 1e-4)."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class EMOptions:
    """Options of maximum likelihood, see ``fit_gmm`` for what each does.

    Raises:
        ConfigError: An option out of range.

    >>> EMOptions(tol=1e-6).init
    'kmeans++'
    """

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
        if self.e_step not in ("auto", "dense", "sparse"):
            raise ConfigError(f"e_step {self.e_step!r}; expected auto, dense or sparse")
        if self.estimator not in ("em", "gradient") or self.gradient_after < 0:
            raise ConfigError(
                f"estimator {self.estimator!r} after {self.gradient_after}; expected em or gradient, and 0 or more"
            )
        if not (np.isfinite(self.variance_floor) and self.variance_floor >= 0):
            raise ConfigError(f"variance_floor {self.variance_floor:g}; expected a share of the variance, 0 or more")
        check_memory(self.memory)


def check_memory(memory: int | None) -> None:
    """Refuse what is no number of bytes."""
    if memory is not None and (not isinstance(memory, int) or memory < 0):
        raise ConfigError(f"memory {memory!r}; expected a number of bytes, 0 or more, or None for no limit")


def resolve_precision(precision: PrecisionChoice, least_share: float) -> Precision:
    """The precision that was asked for; auto: by the least variance of a component as a share of the data's.

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


def absolute_floor(floor: ArrayLike, n_features: int) -> NDArray[np.float64]:
    """Least variances (D,), from as many or one number.

    Raises:
        ShapeError: Another shape.
        FitError: A variance that is negative or not finite.

    >>> absolute_floor(0.5, 2)
    array([0.5, 0.5])
    """
    least = np.asarray(floor, dtype=np.float64)
    if least.shape not in ((), (n_features,)):
        raise ShapeError(f"variance floor of shape {least.shape} for {n_features} dimensions; expected ({n_features},)")
    if not np.isfinite(least).all() or (least < 0).any():
        raise FitError(f"variance floor {least.min():g}; expected finite variances, 0 or more")
    return np.broadcast_to(least, (n_features,)).copy()
