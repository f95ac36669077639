"""What a microphone and a room add to clean speech: a level, a tilt of the spectrum, and noise.

Owns the damage done to the demo corpus, without which its tasks would be solved at 100 %: the ranges
below were chosen so that plain mixtures of MFCCs name nine voices in ten and two phones in three. Sums
and products only, no transform: the bytes do not depend on which FFT is installed. Refuses to model a real
channel: no reverberation, no codec, no second speaker.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from speechgmm.errors import DataError

SNR: Final = (2.0, 20.0)
"""Signal-to-noise ratio over the whole recording, dB, uniform between the two."""

TILT: Final = 0.6
"""Largest coefficient a of the channel y[n] = x[n] + a x[n-1], uniform in -TILT to TILT: up to 12 dB
between 0 Hz and half the sampling rate, up or down."""

LEVEL: Final = (-34.0, -22.0)
"""Level (RMS) of the finished recording, dB below a square wave of full scale, uniform between the two."""

_PINK_OCTAVES: Final = 9


def degrade(samples: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.int16]:
    """Give clean speech a random channel tilt, white and pink noise at a random ratio, and a random level.

    Args:
        samples: (N,) clean speech, any scale, not all zero.
        rng: Where everything random comes from.

    Returns:
        (N,) noisy speech. Peaks beyond full scale are clipped.

    Raises:
        DataError: There is no sound in the recording, so that no ratio to noise exists.

    Example:
        >>> tone = np.sin(np.arange(16000) / 10)
        >>> noisy = degrade(tone, np.random.default_rng(0))
        >>> noisy.dtype, noisy.shape, bool(-34 < 20 * np.log10(np.std(noisy) / 32768) < -22)
        (dtype('int16'), (16000,), True)
    """
    if not np.any(samples):
        raise DataError("a recording of digital silence was given to degrade; it has no signal-to-noise ratio")
    tilt = rng.uniform(-TILT, TILT)
    pink_share = rng.uniform(0.0, 1.0)
    snr = rng.uniform(*SNR)
    level = rng.uniform(*LEVEL)
    speech = samples.copy()
    speech[1:] += tilt * samples[:-1]
    white = rng.standard_normal(len(samples))
    pink = _pink_noise(len(samples), rng)
    noise = np.sqrt(1.0 - pink_share) * white + np.sqrt(pink_share) * pink
    noise *= _rms(speech) / _rms(noise) * 10.0 ** (-snr / 20.0)
    noisy = speech + noise
    noisy *= 32768.0 * 10.0 ** (level / 20.0) / _rms(noisy)
    rounded: NDArray[np.int16] = np.clip(np.rint(noisy), -32768, 32767).astype(np.int16)
    return rounded


def _pink_noise(n_samples: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """Noise of about equal power in every octave, variance 1: white noises held for 1, 2, 4, ... samples.

    Voss's construction, Gardner 1978, Scientific American 238 (4).
    """
    total: NDArray[np.float64] = np.zeros(n_samples)
    for octave in range(_PINK_OCTAVES):
        held = 2**octave
        total += np.repeat(rng.standard_normal(n_samples // held + 1), held)[:n_samples]
    total /= np.sqrt(_PINK_OCTAVES)
    return total


def _rms(samples: NDArray[np.float64]) -> float:
    return float(np.sqrt(np.mean(samples**2)))
