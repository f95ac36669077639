"""Altered copies of the training recordings: which there are.

How each is made: ``FeatureSpec.warp``, resampling, and `speechgmm.features.noise`.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from speechgmm.errors import ConfigError
from speechgmm.setting import FORBID_UNKNOWN, setting


def _check(
    name: str, values: Sequence[float], low: float, high: float, what: str, *, without: float | None = None
) -> None:
    wrong = [value for value in values if not (math.isfinite(value) and low <= value <= high)]
    if wrong or len(set(values)) < len(values) or without in values:
        but = "" if without is None else f", without {without:g} (the recordings themselves are always trained on)"
        raise ConfigError(f"augment.{name} is {list(values)}; expected different {what} from {low:g} to {high:g}{but}")


@dataclass(frozen=True, slots=True)
class Copy:
    """One altered copy of every recording that is trained on.

    >>> str(Copy(noise="babble", snr=5.0))
    'babble at 5 dB'
    """

    warp: float = 1.0  # factor on the frequency axis
    speed: float = 1.0  # times as fast
    noise: Literal["none", "white", "babble", "channel"] = "none"
    snr: float | None = None  # dB, of white noise and babble
    number: int = 0  # of a random channel

    def __str__(self) -> str:
        if self.noise == "channel":
            return f"random channel {self.number}"
        if self.noise != "none":
            return f"{'white noise' if self.noise == 'white' else 'babble'} at {self.snr:g} dB"
        return f"warp {self.warp:g}" if self.speed == 1 else f"speed {self.speed:g}"


@dataclass(frozen=True, slots=True, kw_only=True)
class NoiseSpec:
    """The ``augment.noise`` section: copies with noise, for models that are to hold up in it."""

    __pydantic_config__ = FORBID_UNKNOWN

    white: tuple[float, ...] = setting(
        (), "copies with white noise at each ratio of energies over the whole recording (12, 5)", unit="dB"
    )
    babble: tuple[float, ...] = setting(
        (),
        "copies with babble at each ratio: the sum of other speakers' recordings, of the split ubm where there is one, "
        "else of train",
        unit="dB",
    )
    talkers: int = setting(6, "babble: how many other speakers are heard at once", ge=1, le=1000)
    channels: int = setting(0, "copies through random smooth filters, within 10 dB of 1", ge=0, le=100)

    def __post_init__(self) -> None:
        for name, ratios in (("white", self.white), ("babble", self.babble)):
            _check("noise." + name, ratios, -30, 60, "ratios in dB")
        if self.talkers != 6 and not self.babble:
            raise ConfigError(
                f"augment.noise.talkers: {self.talkers} has no effect without ratios in augment.noise.babble; set "
                "these as well, or leave it out"
            )

    def copies(self) -> tuple[Copy, ...]:
        """Every copy with noise."""
        return (
            *(Copy(noise="white", snr=snr) for snr in self.white),
            *(Copy(noise="babble", snr=snr) for snr in self.babble),
            *(Copy(noise="channel", number=n + 1) for n in range(self.channels)),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class AugmentSpec:
    """The ``augment`` section: copies are trained on beside the recordings themselves, and never tested.

    >>> [str(copy) for copy in AugmentSpec(warps=(0.95, 1.05)).copies()]
    ['warp 0.95', 'warp 1.05']
    """

    __pydantic_config__ = FORBID_UNKNOWN

    warps: tuple[float, ...] = setting(
        (),
        "copies with the frequency axis warped by each factor, as of a longer or shorter vocal tract (0.95, 1.05)",
    )
    speeds: tuple[float, ...] = setting(
        (), "copies played so many times faster, pitch and all (0.9, 1.1), by resampling (soxr HQ)"
    )
    noise: NoiseSpec = setting(NoiseSpec(), "copies with noise, or through another channel")

    def __post_init__(self) -> None:
        for name, factors, low, high in (("warps", self.warps, 0.5, 2.0), ("speeds", self.speeds, 0.25, 4.0)):
            _check(name, factors, low, high, "factors", without=1.0)

    def copies(self) -> tuple[Copy, ...]:
        """Every copy."""
        return (
            *(Copy(warp=warp) for warp in self.warps),
            *(Copy(speed=speed) for speed in self.speeds),
            *self.noise.copies(),
        )
