"""numpy's ``.npy`` files: (T, D), or (D,) for one frame; float16, float32 or float64, in either byte order and layout.

Arrays of integers are refused: they are more often labels, lengths or tokens than frames. Objects are never unpickled.
"""

import math
import tokenize
import warnings
from pathlib import Path
from typing import Any, BinaryIO, Final, NamedTuple

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from speechgmm.errors import DataError
from speechgmm.io.atomic import write_atomically
from speechgmm.io.frame_files.source import FrameSource, StoredFrames, check_shape, check_size, mapped_frames, opened

MAGIC: Final = b"\x93NUMPY"

_NO_HEADER: Final = (
    *(ValueError, TypeError, KeyError, EOFError),
    *(SyntaxError, tokenize.TokenError, RecursionError, MemoryError),  # a header is a literal of Python
)
_READ_HEADER: Final = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}


class ArrayHeader(NamedTuple):
    """What a header says, checked: frames of floats."""

    shape: tuple[int, int]  # frames, values in each
    by_column: bool
    dtype: np.dtype[Any]

    @property
    def n_bytes(self) -> int:
        """Bytes of all its numbers."""
        return math.prod(self.shape) * self.dtype.itemsize


def read_header(file: BinaryIO, source: FrameSource) -> ArrayHeader:
    """The header of an array at the place of a file; the numbers follow.

    Raises:
        DataError: No header of numpy's, or an array that is no matrix or vector of floats.
    """
    try:
        version = npy.read_magic(file)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of headers that Python 2 wrote
            shape, by_column, dtype = _READ_HEADER[version](file)
    except _NO_HEADER as error:
        reason = str(error).split("\n")[0][:200]
        raise DataError(f"{source}: not an array that numpy wrote ({reason}); expected a whole .npy") from None
    if dtype.kind != "f" or dtype.itemsize > 8:
        convert = "; integers are not taken as frames: convert them by .astype('float32')" if dtype.kind in "iu" else ""
        raise DataError(f"{source}: an array of {str(dtype)[:60]}; expected float16, float32 or float64{convert}")
    if len(shape) not in (1, 2):
        squeeze = ": take out the axes of length 1 by .squeeze()" if 1 in shape else ""
        raise DataError(
            f"{source}: an array of shape {str(shape)[:60]}; expected (T, D), T frames of D values each, or (D,), one "
            f"frame{squeeze}"
        )
    sizes = tuple(map(int, shape))  # numpy takes True as a size, too
    frames = (1, sizes[0]) if len(sizes) == 1 else (sizes[0], sizes[1])
    check_shape(source, frames)
    return ArrayHeader(frames, by_column and len(shape) == 2, dtype)


def stored(source: FrameSource) -> StoredFrames:
    """The frames of an ``.npy`` file. Raises DataError as `read_header`, and where bytes are missing or left over."""
    with opened(source) as (file, size):
        header = read_header(file, source)
        offset = file.tell()
    check_size(source, size, offset + header.n_bytes)
    return mapped_frames(source.path, header.dtype, offset, header.shape, by_column=header.by_column)


def write_npy(path: str | Path, frames: NDArray[np.floating[Any]]) -> None:
    """Write frames (T, D) as float32, completely or not at all. Raises DataError where the file cannot be written."""
    write_atomically(Path(path), lambda file: npy.write_array(file, np.asarray(frames, np.float32, order="C"), (1, 0)))
