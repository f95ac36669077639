"""Altered copies of the training recordings: which there are.

How each is made: ``FeatureSpec.warp``, resampling, `speechgmm.features.noise`, and `speechgmm.io.codecs`.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

from speechgmm.errors import ConfigError
from speechgmm.setting import FORBID_UNKNOWN, setting

CodecName = Literal["mu-law", "a-law", "gsm", "g721", "mp3", "vorbis", "opus"]
NoiseName = Literal["none", "white", "babble", "channel", "recorded", "room", "codec", "band"]
_NAMES: Final = {"white": "white noise", "babble": "babble", "recorded": "recorded noise"}


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
    noise: NoiseName = "none"
    snr: float | None = None  # dB, of white noise, babble and recorded noise
    number: int = 0  # of a random channel, of a room
    codec: CodecName | None = None
    band: tuple[float, float] | None = None  # Hz

    def __str__(self) -> str:
        if self.noise == "channel":
            return f"random channel {self.number}"
        if self.noise == "room":
            return f"room {self.number}"
        if self.noise == "codec":
            return f"codec {self.codec}"
        if self.noise == "band":
            low, high = self.band or (math.nan, math.nan)
            return f"band {low:g} to {high:g} Hz"
        if self.noise != "none":
            return f"{_NAMES[self.noise]} at {self.snr:g} dB"
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
    recorded: tuple[float, ...] = setting(
        (), "copies with a recorded noise, drawn from the folder recordings, at each ratio (15, 5)", unit="dB"
    )
    recordings: str | None = setting(
        None, "recorded: the folder of the noises, such as musan/noise; folders in it count", is_path=True
    )
    rooms: int = setting(
        0, "copies as if spoken in a room: through an impulse response drawn from the folder responses", ge=0, le=100
    )
    responses: str | None = setting(
        None,
        "rooms: the folder of the impulse responses, such as RIRS_NOISES; folders in it count, files with noise in "
        "their names do not",
        is_path=True,
    )
    codecs: tuple[CodecName, ...] = setting(
        (), "copies that were coded and decoded again: mu-law, a-law, gsm, g721, mp3, vorbis, opus"
    )
    bands: tuple[tuple[float, float], ...] = setting(
        (), "copies without what is outside of each band, from and to ([[300, 3400]] is a telephone)", unit="Hz"
    )

    def __post_init__(self) -> None:
        for name, ratios in (("white", self.white), ("babble", self.babble), ("recorded", self.recorded)):
            _check("noise." + name, ratios, -30, 60, "ratios in dB")
        if self.talkers != 6 and not self.babble:
            raise ConfigError(
                f"augment.noise.talkers: {self.talkers} has no effect without ratios in augment.noise.babble; set "
                "these as well, or leave it out"
            )
        for what, wanted, where in (("recorded", self.recorded, "recordings"), ("rooms", self.rooms, "responses")):
            folder = getattr(self, where)
            if wanted and folder is None:
                raise ConfigError(f"augment.noise.{what} wants recordings; name their folder in augment.noise.{where}")
            if folder is not None and not wanted:
                raise ConfigError(
                    f"augment.noise.{where}: {folder} has no effect without augment.noise.{what}; set it as well, or "
                    "leave the folder out"
                )
        for name, values in (("codecs", self.codecs), ("bands", self.bands)):
            if len(set(values)) < len(values):
                raise ConfigError(f"augment.noise.{name} names one of them twice; every copy is trained on once")
        for low, high in self.bands:
            if not 0 <= low < high:
                raise ConfigError(f"augment.noise.bands: {low:g} to {high:g} Hz; expected from a lower to a higher one")

    def copies(self) -> tuple[Copy, ...]:
        """Every copy with noise."""
        return (
            *(Copy(noise="white", snr=snr) for snr in self.white),
            *(Copy(noise="babble", snr=snr) for snr in self.babble),
            *(Copy(noise="channel", number=n + 1) for n in range(self.channels)),
            *(Copy(noise="recorded", snr=snr) for snr in self.recorded),
            *(Copy(noise="room", number=n + 1) for n in range(self.rooms)),
            *(Copy(noise="codec", codec=name) for name in self.codecs),
            *(Copy(noise="band", band=(low, high)) for low, high in self.bands),
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
