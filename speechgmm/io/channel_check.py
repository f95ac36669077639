"""Channels that a mean spoils: one that is dead, or one that is the other upside down."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

_STEP: Final = 16
"""Every so many-th sample is looked at: the power of a second of speech needs no more."""

_CANCELLED: Final = 1e-3
"""The mean of two channels has this share of their power, or less (-30 dB), where one is the other upside down."""

_NOTHING_LEFT: Final = 1e-5
"""From this share on (-50 dB) what is left is rounding and noise."""


class ChannelCheck:
    """Powers of the channels and of their mean, block by block.

    >>> check, left = ChannelCheck(2), np.ones(16, np.float32)
    >>> check.add(np.stack([left, -left], axis=1), np.zeros(16, np.float32))
    >>> check.note()
    'the mean of its 2 channels is zero (one is the other upside down); choose one, for example corpus.channel: 0'
    """

    def __init__(self, n_channels: int) -> None:
        self._n_channels = n_channels
        self._powers = np.zeros(n_channels)
        self._is_alive = np.zeros(n_channels, bool)
        self._mean_power = 0.0
        self._mean_is_zero = True

    def add(self, block: NDArray[np.generic], mean: NDArray[np.float32]) -> None:
        """Count a block (N, channels) and the mean (N,) of its channels, in the same scale."""
        some = block[::_STEP]
        for channel in np.flatnonzero(~self._is_alive):
            self._is_alive[channel] = some[:, channel].any() or block[:, channel].any()
        self._mean_is_zero = self._mean_is_zero and not mean.any()
        if self._n_channels == 2:
            left, right, middle = (values.astype(np.float32) for values in (*some.T, mean[::_STEP]))
            self._powers += left @ left, right @ right
            self._mean_power += float(middle @ middle)

    @property
    def is_spoilt(self) -> bool:
        """Whether nothing of the channels is left in their mean."""
        return bool(self._is_alive.any()) and (self._mean_is_zero or self._share() < _NOTHING_LEFT)

    def _share(self) -> float:
        """The power of the mean by that of a channel; 1 where it is not measured."""
        power = float(self._powers.mean())
        return self._mean_power / power if power > 0 else 1.0

    def note(self) -> str:
        """What is wrong with taking the mean of these channels; empty: nothing."""
        if self._n_channels == 1 or not self._is_alive.any():
            return ""
        first = int(np.flatnonzero(self._is_alive)[0])
        way_out = f"choose one, for example corpus.channel: {first}"
        if self._mean_is_zero:
            how = "one is the other upside down" if self._n_channels == 2 else "they cancel"
            return f"the mean of its {self._n_channels} channels is zero ({how}); {way_out}"
        dead = np.flatnonzero(~self._is_alive).tolist()
        if dead:
            which = f"channel {', '.join(map(str, dead))} of its {self._n_channels} (counted from 0)"
            return f"{which} is all zeros and lowers the mean; {way_out}"
        if self._share() < _CANCELLED:
            left = f"their mean has {100 * self._share():.2g} % of their power"
            return f"its 2 channels cancel: {left} (one is the other upside down); {way_out}"
        return ""
