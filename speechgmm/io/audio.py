"""Recordings: decode, check, mix down and resample, piece by piece, so that an hour takes no more memory than a second.

libsndfile decodes (through soundfile; `decoders` has the rest) and soxr resamples; neither is repeated here. What this
module owns is the judgement: a recording that would spoil a model silently (truncated, silent, not finite, of another
rate) is refused with the reason. Nothing is padded, cut or repaired.
"""

import math
import warnings
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from math import gcd
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from speechgmm.errors import DataError, RecordingWarning, SilentRecordingError
from speechgmm.io.channel_check import ChannelCheck
from speechgmm.io.decoders import Decoder, Source, native_rate, not_audio, recording_key
from speechgmm.io.samples import AudioSource, opened

if TYPE_CHECKING:
    import soxr

__all__ = ["CLIPPED_SHARE", "Pieces", "Recording", "native_rate", "read_recording", "recording_key", "resampled"]

FULL_SCALE: Final = 0.999
"""Samples at or above this share of full scale count as clipped."""

CLIPPED_SHARE: Final = 0.001
"""From this share of clipped samples on, a person is warned."""


INT16_SCALE: Final = np.float32(1 / 32768)
"""From 16-bit samples to [-1, 1)."""

_PIECE: Final = 65536
"""Samples that are decoded at once: 4 s at 16 kHz."""


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


class Pieces:
    """The samples of one channel of a recording, checked, piece by piece; nothing is decoded before they are asked for.

    Iterating yields float32 (N,) in [-1, 1], each piece valid until the next. What can only be said of the whole
    (truncated, all zeros) is raised after the last piece, and `duration`, `clipped`, `notes` (faults that a person
    should know of) and `decoder` (its name, where it is not libsndfile) are those of the pieces gone through. A
    recording of any length takes the memory of one piece.
    """

    def __init__(
        self,
        path: AudioSource,
        *,
        sample_rate: int,
        resample: bool = False,
        channel: str | int = "mix",
        speed: float = 1.0,
    ) -> None:
        """Name a recording.

        Args:
            path: The file, or samples in memory.
            sample_rate: The rate to return, in Hz.
            resample: Convert another rate (soxr HQ) instead of refusing it.
            channel: ``mix`` for the mean of all channels, or the number of one.
            speed: Play it so many times faster, pitch and all.
        """
        self.path, self.sample_rate, self.resample, self.channel, self.speed = (
            path,
            sample_rate,
            resample,
            channel,
            speed,
        )
        self._n_decoded = self._n_clipped = self._n_samples = 0
        self.native_rate = sample_rate  # Hz of the file, once it has been opened
        self.notes: tuple[str, ...] = ()
        self.decoder = ""

    @property
    def duration(self) -> float:
        """Length in seconds."""
        return self._n_samples / self.sample_rate

    @property
    def clipped(self) -> float:
        """Share of samples at full scale in the file, 0 to 1."""
        return self._n_clipped / max(1, self._n_decoded)

    def warn(self) -> None:
        """Warn with `RecordingWarning` of each of the `notes` of the pieces gone through."""
        for note in self.notes:
            warnings.warn(f"{self.path}: {note}", RecordingWarning, stacklevel=3)

    def __iter__(self) -> Iterator[NDArray[np.float32]]:
        """Decode, check, mix down and resample.

        Raises:
            DataError: Not audio, truncated, without samples, of another rate, without that channel, not finite, all
                zeros.
        """
        self._n_decoded = self._n_clipped = self._n_samples = 0
        with opened(self.path) as decoder:
            self.decoder = decoder.name
            self.notes = (decoder.note,) if decoder.note else ()
            rate = self.native_rate = int(decoder.source.samplerate)
            check_rate(str(self.path), rate, self.sample_rate, resample=self.resample)
            check_channel(str(self.path), decoder.source.channels, self.channel)
            pieces = self._checked(decoder)
            if rate != self.sample_rate:
                pieces = resampled(pieces, rate, self.sample_rate)
            if self.speed != 1:
                pieces = resampled(pieces, round(self.sample_rate * self.speed), self.sample_rate)
            for piece in pieces:
                self._n_samples += len(piece)
                yield piece
            if self._n_samples == 0:
                raise DataError(
                    f"{self.path}: its {self._n_decoded} samples at {rate} Hz are none at {self.sample_rate} Hz; "
                    "is the rate in its header right?"
                )

    def _checked(self, decoder: Decoder) -> Iterator[NDArray[np.float32]]:
        """Decoded samples of the channel; raise for what they are, or, at the end, for what they are not."""
        file = decoder.source
        channels = ChannelCheck(file.channels if self.channel == "mix" else 1)
        # int16 read as it is and cast once: 9 times cheaper than asking libsndfile for float32.
        is_int16 = file.subtype == "PCM_16"
        block = np.empty((_PIECE, file.channels), np.int16 if is_int16 else np.float32)
        buffer = np.empty(_PIECE, np.float32)
        loudest, n_bad = 0.0, 0
        left = decoder.n_promised or math.inf
        while left > 0:  # nothing is read behind what was promised: a decoder takes a tag there for damage
            n = self._read(file, block[: int(min(left, _PIECE))])
            if n == 0:
                break
            left = left - n if n == _PIECE else 0  # fewer are the last
            samples = one_channel(block[:n], self.channel, buffer[:n])
            if self.channel == "mix" and file.channels > 1:
                channels.add(block[:n], samples)
            if is_int16:
                samples *= INT16_SCALE
            peak = max(float(samples.max()), -float(samples.min()))
            self._n_decoded += n
            if not math.isfinite(peak):
                n_bad += int(np.count_nonzero(~np.isfinite(samples)))
            if n_bad:
                continue  # what is wrong with it is said once all is known
            loudest = max(loudest, peak)
            if peak >= FULL_SCALE:
                self._n_clipped += int(np.count_nonzero(np.abs(samples) >= FULL_SCALE))
            yield samples
        self._check_whole(decoder.n_promised, loudest, n_bad, channels)
        unread = decoder.unread()
        stopped = (
            f"{unread} bytes behind the last of its samples are not heard (files were joined, or its count is wrong)"
        )
        self.notes += tuple(note for note in (stopped * (unread > 0), channels.note()) if note)

    def _read(self, file: Source, block: NDArray[np.generic]) -> int:
        try:
            return int(file.buffer_read_into(block, "int16" if block.dtype == np.int16 else "float32"))
        except (RuntimeError, ValueError, TypeError) as error:
            raise not_audio(Path(str(self.path)), error) from None

    def _check_whole(self, expected: int, loudest: float, n_bad: int, channels: ChannelCheck) -> None:
        path, n = self.path, self._n_decoded
        if n == 0:
            raise DataError(f"{path}: a header without samples; the recording is empty")
        if n < expected:
            raise DataError(f"{path}: truncated: {n} of {expected} samples are there; copy or record it again")
        if n_bad:
            raise DataError(f"{path}: {n_bad} of {n} samples are NaN or infinite; export the recording again")
        if channels.is_spoilt:
            raise DataError(f"{path}: {channels.note()}")
        if loudest == 0:
            raise SilentRecordingError(f"{path}: all {n} samples are zero")


def read_recording(
    path: AudioSource, *, sample_rate: int, resample: bool = False, channel: str | int = "mix"
) -> Recording:
    """Decode and check a whole recording: its `Pieces`, joined. Warns as `Pieces.warn` does."""
    pieces = Pieces(path, sample_rate=sample_rate, resample=resample, channel=channel)
    samples = np.concatenate([piece.copy() for piece in pieces])
    pieces.warn()
    return Recording(samples, sample_rate, pieces.clipped)


def check_rate(name: str, rate: int, wanted: int, *, resample: bool) -> None:
    """Raise DataError where a recording has another rate, in Hz, and is not to be resampled."""
    if rate != wanted and not resample:
        raise DataError(
            f"{name}: sample rate {rate} Hz, not {wanted} Hz; resample it (corpus.resample: true; with a model the "
            f"option resample, in Python resample=True), or set corpus.sample_rate to {rate} if all are so"
        )


def check_channel(name: str, n_channels: int, channel: str | int) -> None:
    """Raise DataError where a recording lacks the channel."""
    if channel != "mix" and not 0 <= int(channel) < n_channels:
        raise DataError(
            f"{name}: channel {channel} is asked for (corpus.channel); it has {n_channels}, counted from 0: choose one "
            "of these, or mix"
        )


def one_channel(block: NDArray[Any], channel: str | int, out: NDArray[np.float32]) -> NDArray[np.float32]:
    """The channel of samples (N, channels), or the mean of all for ``mix``, in ``out`` (N,); int16 is not scaled."""
    if channel != "mix":
        out[:] = block[:, int(channel)]
    elif block.shape[1] == 1:
        out[:] = block[:, 0]
    else:
        np.mean(block, axis=1, dtype=np.float32, out=out)
    return out


def resampler(rate: int, new_rate: int) -> "soxr.ResampleStream":
    """What brings samples to another rate, by soxr's HQ recipe, which gives the same samples wherever they are cut."""
    import soxr

    divisor = gcd(rate, new_rate)
    return soxr.ResampleStream(rate // divisor, new_rate // divisor, 1, dtype="float32", quality="HQ")


def resampled(pieces: Iterable[NDArray[np.float32]], rate: int, new_rate: int) -> Iterator[NDArray[np.float32]]:
    """Samples at another rate, see `resampler`."""
    stream = resampler(rate, new_rate)
    for piece in pieces:
        yield stream.resample_chunk(piece)
    yield stream.resample_chunk(np.empty(0, np.float32), last=True)
