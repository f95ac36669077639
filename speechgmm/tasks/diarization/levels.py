"""Whether a recording can hold speech at all: its level, where no trained detector says what is speech."""

from collections.abc import Iterator
from typing import Final

import numpy as np
from numpy.typing import NDArray

from speechgmm.errors import DataError
from speechgmm.features.extraction import Samples

FAINTEST: Final = -60.0
"""dB of full scale; speech has louder moments."""

LEAST_RANGE: Final = 1.5
"""dB between the 5th and the 95th percentile of levels; white noise has 1 and below, speech 15 and
more, very noisy speech 2.4 and more."""

LEAST_LEVELS: Final = 20
"""Levels from which on their range is judged: a second."""


class Levels:
    """The level of every twentieth of a second that goes by, in dB of full scale: noise alone would pass for speech."""

    def __init__(self, sample_rate: int) -> None:
        self.length = max(1, sample_rate // 20)
        self.found: list[NDArray[np.float64]] = []

    def passing(self, samples: Samples) -> Iterator[NDArray[np.float32]]:
        """The same samples (N,), in stretches, while their levels are taken."""
        for part in [samples] if isinstance(samples, np.ndarray) else samples:
            whole = part[: len(part) // self.length * self.length].reshape(-1, self.length)
            if len(whole):
                self.found.append(np.square(whole, dtype=np.float64).mean(axis=1))
            yield part

    def check(self) -> None:
        """Refuse a recording in which nobody can speak. Raises DataError."""
        if not self.found:
            return
        levels = 10 * np.log10(np.maximum(np.concatenate(self.found), 1e-20))
        low, high = np.percentile(levels, [5, 95])
        if levels.max() < FAINTEST:
            raise DataError(
                f"nobody speaks: the loudest twentieth of a second is at {levels.max():.0f} dB of full scale, and "
                f"speech is above {FAINTEST:.0f}; was the microphone off? Raise the level if it is speech"
            )
        if len(levels) >= LEAST_LEVELS and high - low < LEAST_RANGE:
            raise DataError(
                f"nobody speaks: the level stays within {high - low:.1f} dB, and speech rises and falls "
                "more; is it noise or a tone?"
            )
