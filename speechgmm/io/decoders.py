"""Decoders: libsndfile for what it reads, and PyAV or ffmpeg for the rest, behind one interface.

A file is read by its content, whatever its name ends in.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, BinaryIO, Final, Protocol

import numpy as np
from numpy.typing import NDArray

from speechgmm.errors import DataError
from speechgmm.io.audio_content import UNKNOWN, content_of
from speechgmm.io.feature_store import digest, digest_file
from speechgmm.io.header_counts import header_count
from speechgmm.io.mpeg_frames import mpeg_count
from speechgmm.io.pcm_wave import open_pcm_wave
from speechgmm.io.recording_file import MendedFile, open_recording

if TYPE_CHECKING:
    import soundfile


DECODING_VERSION: Final = 3
"""Part of every key of the feature cache: raised whenever the same file gives other samples."""


_TAGS: Final = 4096
"""Bytes that tags of text may take behind the samples."""

_REINSTALL: Final = (
    "remove soundfile and install it again from a wheel (pip uninstall soundfile; pip install soundfile)"
)
"""How to get the libsndfile that wheels of soundfile bring along, with all its formats."""


class Source(Protocol):
    """What decodes: soundfile's reading interface, as far as it is used."""

    samplerate: int
    channels: int
    subtype: str

    def buffer_read_into(self, buffer: NDArray[np.generic], dtype: str) -> int:
        """Fill rows of a buffer (N, channels); fewer than N are the last."""


@dataclass(frozen=True, slots=True)
class Decoder:
    """A recording that is open, at its beginning."""

    source: Source
    n_promised: int  # samples that its header promises; 0: it promises none
    note: str = ""  # what a person should know of its header
    name: str = ""  # the decoder with its version, where samples can change with it; empty: libsndfile
    unread: Callable[[], int] = int  # after the last sample: bytes that were not read and should have been


@contextmanager
def open_decoder(raw: BinaryIO, path: Path) -> Iterator[Decoder]:
    """A decoder of a file that is open.

    Raises:
        DataError: Bytes are missing, it holds no samples, or it cannot be decoded here.
    """
    count = header_count(raw)
    if count.missing:
        raise DataError(f"{path}: truncated: {count.missing} of its bytes are missing; copy or record it again")
    raw.seek(0)
    if wave := open_pcm_wave(raw):
        yield Decoder(wave, wave.frames)
        return
    soundfile = _libsndfile()
    is_mended = count.patches or count.pretended_size
    file = MendedFile(raw, count.patches, count.pretended_size, count.end) if is_mended else raw.fileno()
    try:
        sound = _forward()(file, closefd=False)
    except (soundfile.LibsndfileError, RuntimeError, ValueError, TypeError) as error:
        with _other_decoder(raw, path, error) as decoder:
            yield decoder
        return
    with sound:
        if sound.frames == 0:
            raise DataError(f"{path}: a header without samples; the recording is empty")
        unread = partial(_unread, raw) if count.ends_with_samples and not is_mended else int
        yield Decoder(sound, sound.frames if count.is_exact else 0, count.note, unread=unread)


def _unread(raw: BinaryIO) -> int:
    """Bytes behind the place that libsndfile has read to by itself."""
    n = os.fstat(raw.fileno()).st_size - raw.tell()
    return n if n > _TAGS else 0


@contextmanager
def _other_decoder(raw: BinaryIO, path: Path, error: Exception) -> Iterator[Decoder]:
    """A decoder of what libsndfile refused."""
    content = content_of(raw)
    if (content is None or content is UNKNOWN) and (name := _lacking(raw)):
        raise DataError(
            f"{path}: not audio that can be decoded here: it is {name}, and this libsndfile was built without it; "
            f"{_REINSTALL}, or convert it: ffmpeg -i a.{name.lower()} a.wav"
        ) from None
    if content is None:
        raise not_audio(path, error) from None
    from speechgmm.io.other_decoders import open_other, other_decoder

    name = other_decoder() if content.demuxer else ""
    if not name:
        raise DataError(f"{path}: not audio that can be decoded here: it is {content.what}; {content.advice}") from None
    with open_other(raw, path, content.demuxer) as source:
        yield Decoder(source, 0, name=name)


def _lacking(raw: BinaryIO) -> str:
    """The format of a file that this libsndfile was built without; empty: it has the format, or does not know it."""
    raw.seek(0)
    name = "FLAC" if raw.read(4) == b"fLaC" else "MP3" if mpeg_count(raw, os.fstat(raw.fileno()).st_size) else ""
    return "" if name in _libsndfile().available_formats() else name


def recording_key(path: Path) -> str:
    """A hash of a recording's bytes, of which only a part is held, and of the decoder where samples depend on it.

    Raises DataError like `open_recording`.
    """
    with open_recording(path) as file:
        key = digest_file(file)
        content = content_of(file)
        if content is None or not content.demuxer:
            return key
        from speechgmm.io.other_decoders import other_decoder

        return digest(key, other_decoder())


def native_rate(path: Path) -> int:
    """The rate of a recording in Hz. Raises DataError where it cannot be decoded."""
    return recording_header(path).rate


@dataclass(frozen=True, slots=True)
class Header:
    """What a recording says of itself, before it is decoded."""

    rate: int  # Hz
    channels: int
    seconds: float  # 0 where the header does not say


def recording_header(path: Path) -> Header:
    """Rate, channels and length of a recording. Raises DataError where it cannot be decoded."""
    with open_recording(path) as raw, open_decoder(raw, path) as decoder:
        source = decoder.source
        n = decoder.n_promised or int(getattr(source, "frames", 0))
        return Header(int(source.samplerate), int(source.channels), n / source.samplerate)


def exact_header(path: Path) -> tuple[int, int, int]:
    """Samples in each channel, rate in Hz and channels; decoded to the end where the header does not say how many.

    Raises DataError where the recording cannot be decoded.
    """
    with open_recording(path) as raw, open_decoder(raw, path) as decoder:
        source = decoder.source
        if decoder.n_promised:
            return decoder.n_promised, int(source.samplerate), int(source.channels)
        buffer = np.empty((65536, source.channels), np.float32)
        n = 0
        while got := source.buffer_read_into(buffer, "float32"):
            n += got
        return n, int(source.samplerate), int(source.channels)


def _libsndfile() -> ModuleType:
    """The module soundfile. Raises DataError where the library that it calls is not there."""
    try:
        import soundfile
    except OSError as error:
        raise DataError(
            f"libsndfile, which decodes recordings, cannot be loaded ({error}); {_REINSTALL}, or install the library "
            "of your system (libsndfile1 on Debian)"
        ) from None
    module: ModuleType = soundfile
    return module


@cache
def _forward() -> "type[soundfile.SoundFile]":
    soundfile = _libsndfile()

    class Forward(soundfile.SoundFile):  # type: ignore[misc, name-defined]  # has no types
        """A file that is only read on: soundfile seeks after each reading, and an mp3 decodes otherwise after that."""

        def seekable(self) -> bool:
            return False

    return Forward


def not_audio(path: Path, error: Exception) -> DataError:
    """What libsndfile says of a file that it does not decode."""
    reason = str(error).removeprefix("Error opening ").split(": ", 1)[-1].rstrip(".")
    return DataError(f"{path}: not audio that can be decoded ({reason}); copy it or export it again")
