"""Recordings: decode, check, mix down and resample, in one reading of the file.

libsndfile decodes (through soundfile) and soxr resamples; neither is repeated here. What this module owns is the
judgement: a recording that would spoil a model silently (truncated, silent, not finite, of another rate) is refused
with the reason. Nothing is padded, cut or repaired.
"""

import io
import re
from dataclasses import dataclass, replace
from math import gcd
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from speechgmm.errors import DataError

FULL_SCALE: Final = 0.999
"""Samples at or above this share of full scale count as clipped."""

CLIPPED_SHARE: Final = 0.001
"""From this share of clipped samples on, a person is warned."""


@dataclass(frozen=True, slots=True)
class Recording:
    """One channel of audio, checked."""

    samples: NDArray[np.float32]  # (N,) in [-1, 1]
    sample_rate: int  # Hz
    clipped: float  # share of samples at full scale, 0 to 1

    @property
    def duration(self) -> float:
        """Length in seconds."""
        return len(self.samples) / self.sample_rate

    def faster(self, speed: float) -> "Recording":
        """The recording played so many times faster, pitch and all."""
        if speed == 1:
            return self
        return replace(self, samples=resampled(self.samples, round(self.sample_rate * speed), self.sample_rate))


def read_bytes(path: Path) -> bytes:
    """The bytes of a recording. Raises DataError where there is no such file or it is empty."""
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise DataError(f"{path}: there is no such file") from None
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror})") from None
    if not data:
        raise DataError(f"{path}: the file is empty (0 bytes)")
    return data


def decode(
    data: bytes, path: Path, *, sample_rate: int, resample: bool = False, channel: str | int = "mix"
) -> Recording:
    """Decode and check a recording that has been read.

    Args:
        data: The file's bytes.
        path: Its name, for error messages.
        sample_rate: The rate to return, in Hz.
        resample: Convert another rate (soxr HQ) instead of refusing it.
        channel: ``mix`` for the mean of all channels, or the number of one.

    Raises:
        DataError: Not audio, truncated, without samples, of another rate, without that channel, not finite, all zeros.
    """
    import soundfile

    try:
        with soundfile.SoundFile(io.BytesIO(data)) as file:
            rate, expected = int(file.samplerate), int(file.frames)
            # int16 read as it is and cast once: 9 times cheaper than asking libsndfile for float32.
            is_int16 = file.subtype == "PCM_16"
            block = file.read(dtype="int16" if is_int16 else "float32", always_2d=True)
    except (soundfile.LibsndfileError, RuntimeError, ValueError, TypeError) as error:
        reason = str(error).removeprefix("Error opening ").split(": ", 1)[-1].rstrip(".")
        raise DataError(f"{path}: not audio that can be decoded ({reason})") from None
    if len(block) == 0:
        raise DataError(f"{path}: a header without samples; the recording is empty")
    missing = _missing_bytes(data)
    if len(block) < expected or missing:
        lost = f"{missing} of its bytes are missing" if missing else f"{len(block)} of {expected} samples are there"
        raise DataError(f"{path}: truncated: {lost}; copy or record it again")
    if rate != sample_rate and not resample:
        raise DataError(
            f"{path}: sample rate {rate} Hz, not {sample_rate} Hz; resample it (corpus.resample: true, or score "
            f"--resample), or set corpus.sample_rate to {rate} if all are so"
        )
    samples = _one_channel(block, path, channel)
    if is_int16:
        samples = samples * np.float32(1 / 32768)
    if not np.isfinite(samples).all():
        bad = int(np.count_nonzero(~np.isfinite(samples)))
        raise DataError(f"{path}: {bad} of {len(samples)} samples are NaN or infinite; export the recording again")
    if not samples.any():
        raise DataError(f"{path}: all {len(samples)} samples are zero; a muted channel or a failed recording")
    clipped = float(np.count_nonzero(np.abs(samples) >= FULL_SCALE)) / len(samples)
    if rate != sample_rate:
        samples = resampled(samples, rate, sample_rate)
    return Recording(samples, sample_rate, clipped)


def read_recording(path: Path, *, sample_rate: int, resample: bool = False, channel: str | int = "mix") -> Recording:
    """Read, decode and check a recording: ``read_bytes`` and ``decode`` in one call."""
    return decode(read_bytes(path), path, sample_rate=sample_rate, resample=resample, channel=channel)


def resampled(samples: NDArray[np.float32], rate: int, new_rate: int) -> NDArray[np.float32]:
    """Samples at another rate, by soxr's HQ recipe."""
    import soxr

    divisor = gcd(rate, new_rate)
    result: NDArray[np.float32] = soxr.resample(samples, rate // divisor, new_rate // divisor, quality="HQ")
    return result.astype(np.float32, copy=False)


def native_rate(path: Path) -> int:
    """The rate of a recording in Hz, from its header alone. Raises DataError where it has none."""
    import soundfile

    try:
        return int(soundfile.info(str(path)).samplerate)
    except (soundfile.LibsndfileError, RuntimeError) as error:
        raise DataError(f"{path}: not audio that can be decoded ({error})") from None


def _one_channel(block: NDArray[np.generic], path: Path, channel: str | int) -> NDArray[np.float32]:
    n_channels = block.shape[1]
    if channel == "mix":
        if n_channels == 1:
            return block[:, 0].astype(np.float32)
        mixed: NDArray[np.float32] = block.mean(axis=1, dtype=np.float32)
        return mixed
    number = int(channel)
    if not 0 <= number < n_channels:
        raise DataError(f"{path}: channel {number} is asked for (corpus.channel); it has {n_channels}, counted from 0")
    return block[:, number].astype(np.float32)


def _missing_bytes(data: bytes) -> int:
    """Bytes that the header promises and the file does not hold, where the format promises a size.

    libsndfile corrects the length of a truncated file silently in WAV, RF64, W64, AIFF, AU, NIST SPHERE and Ogg. Sizes
    of 0 and the greatest ones are what writers to a pipe leave, and promise nothing.
    """
    return max(0, _promised_size(data) - len(data))


def _promised_size(data: bytes) -> int:
    """Bytes that a whole file of this header has; 0 where it does not say."""
    magic = data[:4]
    if magic == b"RIFF":
        return _riff_size(data)
    if magic == b"RF64" and data[12:16] == b"ds64":
        return 8 + int.from_bytes(data[20:28], "little")
    if magic == b"riff":  # W64
        return int.from_bytes(data[16:24], "little")
    if magic == b"FORM":
        size = int.from_bytes(data[4:8], "big")
        return 8 + size if 0 < size < 2**31 - 1 else 0
    if magic == b".snd":
        offset, size = (int.from_bytes(data[at : at + 4], "big") for at in (4, 8))
        return offset + size if 0 < size < 2**31 - 1 else 0
    if data[:7] == b"NIST_1A":
        return _nist_size(data)
    if magic == b"OggS":
        return _last_ogg_page_end(data)
    return 0


def _riff_size(data: bytes) -> int:
    position = 12
    while position + 8 <= len(data):
        size = int.from_bytes(data[position + 4 : position + 8], "little")
        if data[position : position + 4] == b"data":
            return position + 8 + size if 0 < size < 2**31 - 1 else 0
        position += 8 + size + size % 2
    return 0


def _nist_size(data: bytes) -> int:
    header = dict(re.findall(rb"(\w+) -\w+ (\S+)", data[:1024]))
    if not header.get(b"sample_coding", b"pcm").startswith((b"pcm", b"ulaw", b"alaw")) or b"shorten" in data[:1024]:
        return 0
    try:
        length = int(data[8:16])
        samples = int(header[b"sample_count"]) * int(header.get(b"channel_count", 1)) * int(header[b"sample_n_bytes"])
    except (KeyError, ValueError):
        return 0
    return length + samples


def _last_ogg_page_end(data: bytes) -> int:
    start = data.rfind(b"OggS")
    n_segments = data[start + 26] if start + 26 < len(data) else 255
    table = data[start + 27 : start + 27 + n_segments]
    return start + 27 + n_segments + sum(table)
