"""A preset's times and frequencies at one sampling rate, and which of them cannot be.

Owns the numbers of samples and hertz, and the words of the refusals. Builds no array.
"""

import math
from typing import Final, TypeVar

from speechgmm.errors import ConfigError
from speechgmm.features.presets import Preset
from speechgmm.features.spec import FeatureSpec

T = TypeVar("T")

MOST_SAMPLES: Final = 65536
"""Of a frame: 85 ms at the highest rate, 4 s at 16 kHz."""


def value_or(value: T | None, default: T) -> T:
    """The user's value, or the preset's where there is none."""
    return default if value is None else value


def lengths(spec: FeatureSpec, preset: Preset, sample_rate: int) -> tuple[int, int, int]:
    """Frame, shift and transform in samples; a fraction of a sample is cut off, as Kaldi and HTK do.

    Raises `ConfigError` for lengths that cannot be at this rate.
    """
    length_ms = value_or(spec.frame_length, preset.frame_length)
    shift_ms = value_or(spec.frame_shift, preset.frame_shift)
    n_fft = value_or(spec.n_fft, preset.n_fft)
    shift = 512 if shift_ms is None else _whole_samples(shift_ms, sample_rate)
    if length_ms is not None:
        length = _whole_samples(length_ms, sample_rate)
    elif n_fft is not None:
        length = n_fft
    else:  # no preset leaves both open
        raise ConfigError("features.frame_length: give it, or n_fft")
    if length < 2 or shift < 1:
        raise ConfigError(
            f"features.frame_length: {length_ms} ms and frame_shift: {shift_ms} ms are {length} and {shift} "
            f"samples at {sample_rate} Hz; expected at least 2 and 1: is the sampling rate in kHz, or a time "
            "in seconds?"
        )
    if length > MOST_SAMPLES:
        raise ConfigError(
            f"features.frame_length: {length_ms} ms are {length} samples at {sample_rate} Hz; expected at most "
            f"{MOST_SAMPLES}: shorten frame_length, or resample to a lower rate"
        )
    if n_fft is None:
        n_fft = preset.fft_factor * max(4, 1 << (length - 1).bit_length())
    if n_fft < length:
        raise ConfigError(
            f"features.n_fft: {n_fft} is shorter than a frame of {length} samples "
            f"({length * 1000 / sample_rate:g} ms at {sample_rate} Hz); raise n_fft to "
            f"{1 << (length - 1).bit_length()}, or shorten frame_length"
        )
    if n_fft % 2:
        raise ConfigError(f"features.n_fft: {n_fft} is odd; expected an even number, {n_fft + 1} for example")
    return length, shift, n_fft


def _whole_samples(time: float, sample_rate: int) -> int:
    """Samples in a time in ms; the rounding guards 36.9999999, which is 37."""
    return int(round(sample_rate * time / 1000, 6))


def band(spec: FeatureSpec, preset: Preset, sample_rate: int) -> tuple[float, float]:
    """Outer edges of the filterbank in Hz. Raises `ConfigError` for edges that cannot be at this rate."""
    nyquist = sample_rate / 2
    low = value_or(spec.low_frequency, preset.low)
    high = value_or(value_or(spec.high_frequency, preset.high), nyquist)
    if high > nyquist:
        whose = f" (preset {spec.preset})" if spec.high_frequency is None else ""
        raise ConfigError(
            f"features.high_frequency: {high:g} Hz{whose} at a sampling rate of {sample_rate} Hz, which "
            f"holds nothing above {nyquist:g} Hz; set high_frequency to at most {nyquist:g}, use recordings "
            f"of at least {math.ceil(2 * high)} Hz, or take another preset"
        )
    if low >= high:
        raise ConfigError(
            f"features.low_frequency: {low:g} Hz is not below the upper edge, {high:g} Hz; lower it or raise "
            "high_frequency"
        )
    return low, high
