"""Where a recording's frames stand, and what every format answers: their shape, and a range of their rows."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np
from numpy.typing import DTypeLike, NDArray

from speechgmm.errors import DataError
from speechgmm.io.text_file import check_regular


@dataclass(frozen=True, slots=True)
class FrameSource:
    """The frames of one recording: a file, or a part of one.

    Parameters
    ----------
    path
        The file.
    key
        Name of the recording in an ``.npz`` file or a Kaldi archive. A Kaldi archive is searched for this name, unless
        ``offset`` is given.
    offset
        Byte offset of the matrix in a Kaldi archive.
    first, stop
        Rows ``first`` to ``stop - 1`` are taken; by default all.
    dimension
        The expected number of values in a frame; a file with another number is refused. Sphinx files do not store this
        number: for them the default is 13.

    Examples
    --------
    >>> str(FrameSource(Path("feats.npz"), "anna-1"))
    'feats.npz, anna-1'
    """

    path: Path
    key: str | None = None
    offset: int | None = None
    first: int = 0
    stop: int | None = None
    dimension: int | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "path", Path(self.path))

    def __str__(self) -> str:
        return str(self.path) if self.key is None else f"{self.path}, {self.key}"


class StoredFrames(NamedTuple):
    """What stands in the file: its header is read and agrees with the file's size, no frame is read."""

    shape: tuple[int, int]  # frames, values in each
    rows: Callable[[int, int], NDArray[Any]]  # frames first to stop - 1, (stop - first, D), of any type of floats


@contextmanager
def opened(source: FrameSource) -> Iterator[tuple[BinaryIO, int]]:
    """The file of a source, open for reading, and its size in bytes.

    Raises:
        DataError: No such file, a folder, a pipe or a device, or it cannot be read.
    """
    if "\0" in str(source.path):
        raise DataError(f"{source}: a name with a zero byte; expected the path of a file of frames")
    check_regular(source.path)
    try:
        with source.path.open("rb") as file:
            yield file, source.path.stat().st_size
    except FileNotFoundError:
        raise DataError(f"{source.path}: there is no such file; expected one of frames") from None
    except IsADirectoryError:
        raise DataError(f"{source.path}: a folder; expected a file of frames") from None
    except OSError as error:
        raise DataError(f"{source.path}: cannot be read ({error.strerror or error})") from None


def check_shape(source: FrameSource, shape: tuple[int, int]) -> None:
    """Raise DataError for a file without frames, or frames without values."""
    if min(shape) < 1:
        raise DataError(f"{source}: {shape[0]} frames of {shape[1]} values; expected one of each at least")


def check_size(source: FrameSource, n_bytes: int, promised: int) -> None:
    """Raise DataError where the file is shorter or longer than its header promises."""
    if n_bytes < promised:
        raise DataError(
            f"{source}: truncated: {n_bytes} bytes, and its header promises {promised}; copy it or compute it again"
        )
    if n_bytes > promised:
        raise DataError(
            f"{source}: {n_bytes - promised} bytes follow the last frame; expected the end of the file: "
            "is it another format, or were two files joined?"
        )


def mapped(
    path: Path, dtype: DTypeLike, offset: int, shape: tuple[int, ...], *, by_column: bool = False
) -> NDArray[Any]:
    """Numbers of a file as an array that reads what is used of it. The file's size must have been checked."""
    return np.memmap(path, dtype, "r", offset, shape, "F" if by_column else "C")


def mapped_frames(
    path: Path, dtype: DTypeLike, offset: int, shape: tuple[int, int], *, by_column: bool = False
) -> StoredFrames:
    """Frames that stand in the file as numbers of one type."""
    return StoredFrames(shape, lambda first, stop: mapped(path, dtype, offset, shape, by_column=by_column)[first:stop])
