"""Sounds that are no speech, made from random numbers: what a speech detector is trained on beside speech.

Owns five kinds: coloured noise, hum, clicks, bursts of noise (as of breath or paper), and tones (chords with an
envelope, as of music and signals). Each call draws another sound. No recording is needed, so that a detector can be
trained wherever there is speech.
"""

from collections.abc import Callable
from typing import Final

import numpy as np
from numpy.typing import NDArray

from speechgmm.errors import ConfigError

Float32Array = NDArray[np.float32]
Float64Array = NDArray[np.float64]
Generator = np.random.Generator

_STEEPEST: Final = -12.0  # dB per octave: the noise of traffic and ventilation
_FLATTEST: Final = 3.0
_LOWEST: Final = 50.0  # Hz: below it the slope of coloured noise ends
_KNOTS: Final = 8  # of a random gain over frequency
_DEPTH: Final = 8.0  # dB


def coloured_noise(n_samples: int, sample_rate: int, rng: Generator) -> Float64Array:
    """Stationary noise (N,) whose spectrum falls by a random slope and has random bumps.

    >>> coloured_noise(800, 8000, np.random.default_rng(0)).shape
    (800,)
    """
    from scipy.fft import irfft, next_fast_len, rfft  # slow to import

    n_fft = next_fast_len(n_samples, real=True)
    frequencies = np.fft.rfftfreq(n_fft, 1 / sample_rate)
    slope = rng.uniform(_STEEPEST, _FLATTEST)
    gains = slope * np.log2(np.maximum(frequencies, _LOWEST) / _LOWEST)
    knots = np.linspace(0, sample_rate / 2, _KNOTS)
    gains += np.interp(frequencies, knots, rng.uniform(-_DEPTH, _DEPTH, _KNOTS))
    spectrum = rfft(rng.standard_normal(n_fft)) * 10 ** (gains / 20)
    return np.asarray(irfft(spectrum, n_fft)[:n_samples])


def hum(n_samples: int, sample_rate: int, rng: Generator) -> Float64Array:
    """Harmonics (N,) of the mains or of a motor, with a little noise.

    >>> hum(800, 8000, np.random.default_rng(0)).shape
    (800,)
    """
    fundamental = rng.choice([50.0, 60.0, 100.0, 120.0, rng.uniform(30, 300)])
    time = np.arange(n_samples) / sample_rate
    found = 0.05 * rng.standard_normal(n_samples)
    for harmonic in range(1, int(rng.integers(2, 20))):
        if harmonic * fundamental < sample_rate / 2:
            found += (
                np.sin(2 * np.pi * (harmonic * fundamental * time + rng.random())) * rng.uniform(0, 1) / harmonic**0.7
            )
    return found


def clicks(n_samples: int, sample_rate: int, rng: Generator) -> Float64Array:
    """Short knocks (N,) at random times, as of keys, cups and steps: decaying resonances with noise.

    >>> clicks(800, 8000, np.random.default_rng(0)).shape
    (800,)
    """
    found = np.zeros(n_samples)
    for _ in range(1 + rng.poisson(rng.uniform(0.5, 8) * n_samples / sample_rate)):
        decay = rng.uniform(0.003, 0.06)  # s
        time = np.arange(min(n_samples, round(6 * decay * sample_rate))) / sample_rate
        knock = rng.uniform(0, 1) * rng.standard_normal(len(time))
        for _ in range(int(rng.integers(1, 4))):
            knock += np.sin(2 * np.pi * (rng.uniform(100, 0.45 * sample_rate) * time + rng.random()))
        _add(found, rng.uniform(0.2, 1) * knock * np.exp(-time / decay), rng)
    return found


def bursts(n_samples: int, sample_rate: int, rng: Generator) -> Float64Array:
    """Swelling noise (N,) of a random band, as of breath, wind, cloth and paper.

    >>> bursts(800, 8000, np.random.default_rng(0)).shape
    (800,)
    """
    found = np.zeros(n_samples)
    for _ in range(1 + rng.poisson(rng.uniform(0.3, 2) * n_samples / sample_rate)):
        length = min(n_samples, max(16, round(rng.uniform(0.05, 1.2) * sample_rate)))
        envelope = np.hanning(length) ** rng.uniform(0.5, 2)
        if rng.random() < 0.4:  # flutter, as of paper and of voiceless laughter
            rate, phase = rng.uniform(3, 30), rng.random()
            envelope *= 0.5 + 0.5 * np.sin(2 * np.pi * (rate * np.arange(length) / sample_rate + phase))
        _add(found, rng.uniform(0.2, 1) * envelope * coloured_noise(length, sample_rate, rng), rng)
    return found


def tones(n_samples: int, sample_rate: int, rng: Generator) -> Float64Array:
    """Chords with harmonics and an envelope (N,), one after another, as of instruments, bells and signals.

    >>> tones(800, 8000, np.random.default_rng(0)).shape
    (800,)
    """
    found, at = np.zeros(n_samples), 0
    harmonics = int(rng.integers(1, 9))
    while at < n_samples:
        length = min(n_samples - at, max(16, round(rng.uniform(0.1, 2) * sample_rate)))
        time = np.arange(length) / sample_rate
        attack, decay = rng.uniform(0.002, 0.1), rng.uniform(0.1, 3)
        chord = np.zeros(length)
        for _ in range(int(rng.integers(1, 5))):
            pitch = 55 * 2 ** (rng.integers(0, 54) / 12)  # Hz, in semitones
            for harmonic in range(1, harmonics + 1):
                if harmonic * pitch < sample_rate / 2:
                    chord += np.sin(2 * np.pi * (harmonic * pitch * time + rng.random())) / harmonic
        found[at : at + length] = chord * np.minimum(time / attack, 1) * np.exp(-time / decay)
        at += length + (round(rng.uniform(0, 1) * sample_rate) if rng.random() < 0.3 else 0)
    return found


SOUNDS: Final[dict[str, Callable[[int, int, Generator], Float64Array]]] = {
    "noise": coloured_noise,
    "hum": hum,
    "clicks": clicks,
    "bursts": bursts,
    "tones": tones,
}
"""Kind of sound -> what makes it: (number of samples, Hz, random numbers) -> samples (N,)."""


def made_sound(kind: str, n_samples: int, sample_rate: int, rng: Generator) -> Float32Array:
    """A sound of a kind in ``SOUNDS`` with power 1: samples (N,).

    Raises:
        ConfigError: No such kind, or fewer than 16 samples.

    >>> sound = made_sound("clicks", 4000, 8000, np.random.default_rng(0))
    >>> round(float(np.mean(sound**2)), 3)
    1.0
    """
    if kind not in SOUNDS or n_samples < 16:
        raise ConfigError(f"a sound {kind!r} of {n_samples} samples; expected one of {', '.join(SOUNDS)}, 16 or more")
    found = SOUNDS[kind](n_samples, sample_rate, rng)
    return np.asarray(found / np.sqrt(np.mean(found**2) + 1e-20), np.float32)


def _add(total: Float64Array, sound: Float64Array, rng: Generator) -> None:
    """Add a sound (n,) at a random place; what reaches beyond the end is cut off."""
    first = int(rng.integers(0, len(total)))
    total[first : first + len(sound)] += sound[: len(total) - first]
