"""WAV files of 16-bit samples whose last chunk is the samples, read as they lie in the file.

Most recordings are such files, and libsndfile takes longer to open a short one than to read it. A file whose header is
unusual in any way is left to libsndfile, which decides what to make of it.
"""

import os
import struct
import sys
from typing import BinaryIO, Final

import numpy as np
from numpy.typing import NDArray

_MOST_CHANNELS: Final = 1024  # of libsndfile
_PCM: Final = 1


class PcmWave:
    """A file at its first sample; reads like `soundfile.SoundFile`."""

    subtype = "PCM_16"

    def __init__(self, file: BinaryIO, samplerate: int, channels: int, frames: int) -> None:
        self.samplerate, self.channels, self.frames = samplerate, channels, frames
        self._file, self._left = file, 2 * channels * frames  # bytes

    def buffer_read_into(self, buffer: NDArray[np.generic], dtype: str) -> int:
        """Fill rows of a buffer (N, channels) of int16; fewer than N are the last."""
        if dtype != "int16":
            raise TypeError(f"samples as {dtype}; expected int16")
        room = buffer.data.cast("B")[: self._left]
        n_read = 0
        while n_read < len(room) and (n := self._file.readinto(room[n_read:])):  # type: ignore[attr-defined]
            n_read += n
        self._left -= n_read
        return n_read // (2 * self.channels)


def open_pcm_wave(file: BinaryIO) -> PcmWave | None:
    """The samples of such a file, or None if it is another; the position is then the beginning of the file.

    Parameters
    ----------
    file
        The recording, open for reading without a buffer, at its beginning.

    Examples
    --------
    >>> import io
    >>> form = struct.pack("<HHIIHH", 1, 1, 8000, 16000, 2, 16)
    >>> header = b"RIFF" + bytes(4) + b"WAVEfmt " + bytes([16, 0, 0, 0]) + form
    >>> wave = open_pcm_wave(io.BytesIO(header + b"data" + bytes([2, 0, 0, 0]) + bytes(2)))
    >>> wave.samplerate, wave.frames
    (8000, 1)
    """
    head = file.read(1024)
    form, position = b"", 12
    if head[:4] == b"RIFF" and head[8:16] == b"WAVEfmt " and sys.byteorder == "little":
        while position + 8 <= len(head):
            name, size = struct.unpack_from("<4sI", head, position)
            if name == b"data":
                break
            if name == b"fmt ":
                form = head[position + 8 : position + 8 + size]
            position += 8 + size + size % 2
    if len(form) in (16, 18) and position + 8 <= len(head):
        tag, channels, rate, n_bytes, align, bits = struct.unpack_from("<HHIIHH", form)
        first = position + 8
        is_usual = (tag, bits, align, n_bytes) == (_PCM, 16, 2 * channels, rate * align) and form[16:] in (b"", b"\0\0")
        is_whole = size > 0 and size % max(1, align) == 0 and first + size == file.seek(0, os.SEEK_END)
        if is_usual and is_whole and 0 < channels <= _MOST_CHANNELS and rate > 0:
            file.seek(first)
            return PcmWave(file, rate, channels, size // align)
    file.seek(0)
    return None
