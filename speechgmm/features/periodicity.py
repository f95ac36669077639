"""How periodic a signal is around each frame: high in vowels, low in noise, whatever the microphone and the level."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

Float32Array = NDArray[np.float32]

WINDOW: Final = 0.04
"""Seconds of a window: two and a half periods of the lowest pitch."""

LOWEST: Final = 65.0
"""Hz."""

HIGHEST: Final = 400.0
"""Hz."""

_AT_ONCE: Final = 1000  # windows


def window_length(sample_rate: int) -> int:
    """Samples of a window, an even number."""
    return 2 * round(WINDOW / 2 * sample_rate)


def periodicity(samples: Float32Array, starts: NDArray[np.intp], sample_rate: int) -> Float32Array:
    """The highest normalised autocorrelation of each window between the lags of 400 and 65 Hz, 0 to 1.

    samples (N,), first samples (T,) of the windows, which lie within them -> (T,). The autocorrelation of the windowed
    signal is divided by that of the Hann window (Boersma 1993, "Accurate short-term analysis of the fundamental
    frequency and the harmonics-to-noise ratio", eq. 9). A window of constant samples has 0.

    >>> time = np.arange(4000) / 8000
    >>> tone, noise = np.sin(2 * np.pi * 150 * time), np.random.default_rng(0).standard_normal(4000)
    >>> starts = np.arange(0, 3000, 100)
    >>> loud, none = (periodicity(one.astype(np.float32), starts, 8000).mean() for one in (tone, noise))
    >>> bool(loud > 0.95), bool(none < 0.6)
    (True, True)
    """
    from scipy.fft import irfft, next_fast_len, rfft  # slow to import

    length = window_length(sample_rate)
    taper = np.hanning(length).astype(np.float32)
    shortest, longest = int(sample_rate / HIGHEST), int(np.ceil(sample_rate / LOWEST))
    n_fft = next_fast_len(length + longest, real=True)
    of_taper = irfft(np.abs(rfft(taper, n_fft)) ** 2, n_fft)[: longest + 1]
    share = of_taper[shortest:] / of_taper[0]
    found = np.zeros(len(starts), np.float32)
    for first in range(0, len(starts), _AT_ONCE):
        at = starts[first : first + _AT_ONCE]
        windows = samples[at[:, None] + np.arange(length)]
        windows = (windows - windows.mean(axis=1, keepdims=True)) * taper
        energies = irfft(np.abs(rfft(windows, n_fft, axis=1)) ** 2, n_fft, axis=1)[:, : longest + 1]
        highest = energies[:, shortest:] / share
        total = energies[:, 0]
        sounding = total > 1e-12
        ratio = highest[sounding].max(axis=1) / total[sounding]
        found[first : first + len(at)][sounding] = np.clip(ratio, 0, 1)
    return found
