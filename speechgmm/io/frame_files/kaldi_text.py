"""Matrices and vectors of Kaldi as text: numbers between square brackets, a line for each frame."""

from collections.abc import Iterator
from typing import BinaryIO, Final

import numpy as np
from numpy.typing import NDArray

from speechgmm.errors import DataError
from speechgmm.io.frame_files.source import FrameSource, check_shape

_LONGEST_LINE: Final = 1 << 24


def read_text_matrix(file: BinaryIO, source: FrameSource) -> NDArray[np.float32]:
    """Frames (T, D) of a matrix, or of a vector (one frame), at the place of a file.

    Raises:
        DataError: No bracket, what is no number, rows of different lengths, no frames, no end.
    """
    rows: list[NDArray[np.float32]] = []
    for line in _lines(file, source):
        cells = line.split()
        if not cells:
            continue
        try:
            row = np.array([float(cell) for cell in cells])
        except ValueError as error:
            raise DataError(f"{source}: frame {len(rows)}: {str(error)[:100]}; expected numbers") from None
        if rows and len(row) != len(rows[0]):
            raise DataError(f"{source}: frame {len(rows)} has {len(row)} values; expected {len(rows[0])}, as the first")
        with np.errstate(over="ignore"):
            rows.append(row.astype(np.float32))
    frames = np.array(rows, np.float32).reshape(len(rows), -1) if rows else np.empty((0, 0), np.float32)
    check_shape(source, frames.shape)
    return frames


def skip_text_matrix(file: BinaryIO, source: FrameSource) -> None:
    """Move a file behind a matrix. Raises DataError where it has no beginning or no end."""
    for _ in _lines(file, source):
        pass


def _lines(file: BinaryIO, source: FrameSource) -> Iterator[bytes]:
    """Lines between the brackets; the file is left behind the line of the last."""
    line = file.readline(_LONGEST_LINE)
    bracket, _, line = line.lstrip(b" \t").partition(b" ") if b"[ " in line else (line.strip(), b"", b"")
    if bracket != b"[":
        raise DataError(f"{source}: {bracket[:40]!r}; expected a Kaldi matrix, which begins with \\0B or with [")
    while b"]" not in line:
        yield line
        line = file.readline(_LONGEST_LINE)
        if not line:
            raise DataError(f"{source}: the file ends within a matrix; expected ']': was it cut short?")
    yield line.partition(b"]")[0]
