"""The file of a recording: opened where it is a file, and shown to a decoder with a mended header."""

import os
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from speechgmm.errors import DataError
from speechgmm.io.mpeg_frames import pretended_tail

_KINDS = (
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISFIFO, "a named pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)


@contextmanager
def open_recording(path: Path) -> Iterator[BinaryIO]:
    """A recording as a file of bytes.

    Raises:
        DataError: There is no such file, it is empty, or it is a folder, a named pipe or a device.
    """
    try:
        about = path.stat()  # before opening: to open a pipe waits for its writer
        for is_kind, name in _KINDS:
            if is_kind(about.st_mode):
                raise DataError(
                    f"{path}: this is {name}, and a file is expected: it is read more than once; write a file"
                    if name != "a folder"
                    else f"{path}: this is a folder, and a file of audio is expected"
                )
        with path.open("rb", buffering=0) as file:
            if os.fstat(file.fileno()).st_size == 0:
                raise DataError(f"{path}: the file is empty (0 bytes); copy or record it again")
            yield file
    except FileNotFoundError:
        raise DataError(f"{path}: there is no such file") from None
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror})") from None


class MendedFile:
    """A file with other bytes instead of a wrong header, as soundfile reads one; the file itself stays.

    Parameters
    ----------
    file
        The recording, open for reading.
    patches
        Offset in bytes -> what is read there.
    pretended_size
        The size in bytes that is reported; 0: the file's own. Nothing is read beyond it, nor beyond the file's own.
    end
        Bytes of the file that are shown; 0: all.
    """

    def __init__(self, file: BinaryIO, patches: Mapping[int, bytes], pretended_size: int = 0, end: int = 0) -> None:
        self._file, self._patches = file, patches
        size = end or os.fstat(file.fileno()).st_size
        self._pretended_size = pretended_size or size
        self._size = min(size, self._pretended_size)
        self._position = 0

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Move to an offset; returns it."""
        self._position = offset + (0, self._position, self._pretended_size)[whence]
        return self._position

    def tell(self) -> int:
        """The offset in bytes."""
        return self._position

    def readinto(self, buffer: bytearray) -> int:
        """Fill a buffer; returns how many bytes were read."""
        first = self._position
        if first >= self._size:
            tail = pretended_tail(first, self._size, self._pretended_size, len(buffer))
            buffer[: len(tail)] = tail
            self._position += len(tail)
            return len(tail)
        self._file.seek(first)
        n: int = self._file.readinto(memoryview(buffer)[: self._size - first])  # type: ignore[attr-defined]
        for offset, mended in self._patches.items():
            begin, end = max(offset, first), min(offset + len(mended), first + n)
            if begin < end:
                buffer[begin - first : end - first] = mended[begin - offset : end - offset]
        self._position += n
        return n

    def read(self, n: int = -1) -> bytes:
        """At most `n` bytes."""
        buffer = bytearray(n if n >= 0 else self._size)
        return bytes(buffer[: self.readinto(buffer)])

    def write(self, _: bytes) -> int:
        """Nothing is written; soundfile asks whether a file has this method."""
        raise OSError("a recording is read only")
