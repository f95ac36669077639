"""Samples in memory as one more recording: checked when they are given, decoded like the samples of a file.

Owns what is refused of arrays, and the raw formats that standard input may have. A recording is a path or such samples
(``AudioSource``); what is made of either goes the same way (``io/audio.py``).
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from numbers import Integral
from pathlib import Path
from typing import Any, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from speechgmm.errors import ConfigError, DataError, ShapeError
from speechgmm.io.decoders import Decoder, native_rate, open_decoder
from speechgmm.io.given_frames import GivenFrames
from speechgmm.io.recording_file import open_recording

RAW_FORMATS: Final[dict[str, np.dtype[Any]]] = {"s16le": np.dtype("<i2"), "f32le": np.dtype("<f4")}
"""Formats of samples without a header, as ffmpeg names them."""

MOST_CHANNELS: Final = 64


@dataclass(frozen=True, slots=True, eq=False)
class RecordedSamples:
    """The samples of a recording in memory; made by `recorded`."""

    samples: NDArray[np.int16] | NDArray[np.float32]  # (N, channels)
    sample_rate: int  # Hz
    name: str = "samples"

    def __str__(self) -> str:
        return self.name

    @property
    def stem(self) -> str:
        """The name, as a path has it without folders and ending."""
        return self.name


AudioSource: TypeAlias = Path | RecordedSamples | GivenFrames
"""A recording: a file, samples in memory, or frames in memory that another program computed."""


def recorded(samples: Any, sample_rate: int | None, name: str = "samples") -> RecordedSamples:
    """Samples as a recording.

    Parameters
    ----------
    samples
        (N,) or (N, channels), int16 or floats in [-1, 1]; whatever numpy makes such an array of.
    sample_rate
        Hz.
    name
        What messages call the recording.

    Raises
    ------
    ConfigError
        No rate, or one that is no positive whole number.
    DataError
        Samples of another type, on another device, or none.
    ShapeError
        Samples of another shape.

    Examples
    --------
    >>> recorded(np.zeros(8000, np.int16), 16000).samples.shape
    (8000, 1)
    """
    array = _array(samples, name)
    rate = checked_rate(sample_rate, name)
    if array.ndim in (1, 2) and not len(array):
        raise DataError(f"{name}: no samples, shape {array.shape}; expected one frame of them at least")
    if array.dtype == np.int16:
        values = array
    elif array.dtype.kind == "f":
        with np.errstate(over="ignore"):  # infinite ones are refused with their features
            values = array.astype(np.float32, copy=False)
    else:
        raise DataError(
            f"{name}: samples of type {array.dtype}; expected int16, or floats in [-1, 1]: convert them, such as "
            "(samples / 2**31).astype('float32') where they are 32-bit integers"
        )
    if array.ndim not in (1, 2) or (array.ndim == 2 and not 0 < array.shape[1] <= min(MOST_CHANNELS, len(array))):
        turn = ": transpose them" if array.ndim == 2 and len(array) < array.shape[1] else ""
        raise ShapeError(f"{name}: samples have shape {array.shape}; expected (N,), or (N, channels){turn}")
    return RecordedSamples(values.reshape(len(array), -1), rate, name)


def source_rate(source: AudioSource) -> int:
    """The rate of a recording in Hz. Raises DataError where it cannot be decoded."""
    if isinstance(source, GivenFrames):
        raise DataError(f"{source}: frames that another program computed have no sampling rate")
    return source.sample_rate if isinstance(source, RecordedSamples) else native_rate(source)


def checked_rate(sample_rate: object, name: str) -> int:
    """The rate of samples in Hz. Raises ConfigError for none, and for what is no positive whole number."""
    if sample_rate is None:
        raise ConfigError(f"{name}: samples without their rate; give sample_rate, in Hz", arguments=("sample_rate",))
    if isinstance(sample_rate, bool) or not isinstance(sample_rate, Integral) or sample_rate < 1:
        raise ConfigError(
            f"{name}: sample_rate is {sample_rate!r}; expected a whole number of Hz, 1 or more",
            arguments=("sample_rate",),
        )
    return int(sample_rate)


def _array(samples: Any, name: str) -> NDArray[Any]:
    """Samples as numpy has them; a tensor's device is named where numpy cannot read it."""
    if isinstance(samples, np.ndarray):
        return samples
    device = str(getattr(samples, "device", "cpu"))
    kind = f"{type(samples).__module__.split('.')[0]}.{type(samples).__name__}"
    if getattr(samples, "__array__", None) is None:
        raise DataError(f"{name}: samples are a {kind}; expected a numpy array of int16, or of floats in [-1, 1]")
    if not device.startswith("cpu"):
        raise DataError(f"{name}: samples are a {kind} on {device}; expected a numpy array: copy them, samples.cpu()")
    try:
        return np.asarray(samples)
    except (TypeError, ValueError, RuntimeError) as error:
        raise DataError(f"{name}: samples are a {kind} that numpy cannot read ({error}); expected an array") from None


@contextmanager
def opened(source: AudioSource) -> Iterator[Decoder]:
    """A decoder of a recording, at its beginning. Raises DataError as `open_recording` and `open_decoder` do."""
    if isinstance(source, GivenFrames):
        raise DataError(f"{source}: frames that another program computed; expected a recording")
    if isinstance(source, RecordedSamples):
        yield Decoder(_Reader(source), len(source.samples), _note(source.samples))
        return
    with open_recording(source) as raw, open_decoder(raw, source) as decoder:
        yield decoder


class _Reader:
    """Reads samples in memory as soundfile reads those of a file."""

    def __init__(self, source: RecordedSamples) -> None:
        self._left = source.samples
        self.samplerate, self.channels = source.sample_rate, source.samples.shape[1]
        self.subtype = "PCM_16" if source.samples.dtype == np.int16 else "FLOAT"

    def buffer_read_into(self, buffer: NDArray[np.generic], dtype: str) -> int:  # noqa: ARG002 (as soundfile has it)
        """Fill rows of a buffer (N, channels); fewer than N are the last."""
        n = min(len(buffer), len(self._left))
        buffer[:n] = self._left[:n]
        self._left = self._left[n:]
        return n


def _note(samples: NDArray[Any]) -> str:
    """What a person should know of samples beyond full scale; those far beyond it are refused with their features."""
    peak = 0.0 if samples.dtype == np.int16 else float(np.abs(samples).max())
    if not peak > 1:
        return ""
    return f"samples reach {peak:.3g}; expected [-1, 1]. They are used as they are: divide them by their full scale"
