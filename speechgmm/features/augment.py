"""Altered copies of the training recordings: which there are. How each is made: ``FeatureSpec.warp`` and resampling."""

import math
from dataclasses import dataclass

from speechgmm.errors import ConfigError
from speechgmm.setting import FORBID_UNKNOWN, setting


@dataclass(frozen=True, slots=True, kw_only=True)
class AugmentSpec:
    """The ``augment`` section: copies are trained on beside the recordings themselves, and never tested.

    >>> AugmentSpec(warps=(0.95, 1.05)).copies()
    ((0.95, 1.0), (1.05, 1.0))
    """

    __pydantic_config__ = FORBID_UNKNOWN

    warps: tuple[float, ...] = setting(
        (),
        "copies with the frequency axis warped by each factor, as of a longer or shorter vocal tract (0.95, 1.05)",
    )
    speeds: tuple[float, ...] = setting(
        (), "copies played so many times faster, pitch and all (0.9, 1.1), by resampling (soxr HQ)"
    )

    def __post_init__(self) -> None:
        for name, factors, low, high in (("warps", self.warps, 0.5, 2.0), ("speeds", self.speeds, 0.25, 4.0)):
            wrong = [factor for factor in factors if not (math.isfinite(factor) and low <= factor <= high)]
            if wrong or len(set(factors)) < len(factors) or 1.0 in factors:
                raise ConfigError(
                    f"augment.{name} is {list(factors)}; expected different factors from {low} to {high}, without 1 "
                    "(the recordings themselves are always trained on)"
                )

    def copies(self) -> tuple[tuple[float, float], ...]:
        """(warp, speed) of every copy."""
        return (*((warp, 1.0) for warp in self.warps), *((1.0, speed) for speed in self.speeds))
