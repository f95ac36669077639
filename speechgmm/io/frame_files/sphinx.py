"""Sphinx feature files (``.mfc``): a 32-bit count of values, and the values as float32, in either byte order.

The format stores neither the byte order nor the dimension. The order is the one in which the count agrees with the
file's size; the dimension is given, or Sphinx's default of 13 cepstra. Source: CMU Sphinx, sphinxbase, sphinx_fe.
"""

from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from speechgmm.errors import DataError
from speechgmm.io.atomic import write_atomically
from speechgmm.io.frame_files.source import FrameSource, StoredFrames, check_shape, mapped_frames, opened

DIMENSION: Final = 13
"""Values in a frame where none are given: sphinx_fe's ``-ncep``."""

ORDERS: Final = {">": "big-endian", "<": "little-endian"}


def byte_order(head: bytes, size: int) -> str:
    """Byte order of a Sphinx file, ``>`` or ``<``, by its first four bytes and its size; empty where it is none.

    >>> byte_order(bytes([0, 0, 0, 13]), 56), byte_order(bytes([13, 0, 0, 0]), 56), byte_order(bytes(4), 56)
    ('>', '<', '')
    """
    if len(head) < 4:
        return ""
    return next((order for order in ORDERS if _count(head, order) * 4 + 4 == size), "")


def _count(head: bytes, order: str) -> int:
    return int.from_bytes(head[:4], "big" if order == ">" else "little", signed=True)


def stored(source: FrameSource) -> StoredFrames:
    """The frames of a Sphinx file.

    Raises:
        DataError: Its count disagrees with its size in both byte orders, or is no multiple of the dimension.
    """
    with opened(source) as (file, size):
        head = file.read(4)
    order = byte_order(head, size)
    if not order:
        raise DataError(f"{source}: {mismatch(head, size)}; expected a Sphinx file: was it cut short?")
    n_values, dimension = size // 4 - 1, source.dimension or DIMENSION
    if n_values % dimension:
        raise DataError(
            f"{source}: {n_values} values ({ORDERS[order]}); expected a multiple of {dimension}, the values in a "
            "frame: Sphinx files do not store it, so give the dimension of yours"
        )
    shape = (n_values // dimension, dimension)
    check_shape(source, shape)
    return mapped_frames(source.path, f"{order}f4", 4, shape)


def mismatch(head: bytes, size: int) -> str:
    """What a file's count says in each byte order beside its size, for a message.

    >>> mismatch(bytes([0, 0, 0, 14]), 56)
    'its count is 14 in big-endian order and 234881024 in little-endian order, and 52 bytes follow, 13 float32'
    """
    if len(head) < 4:
        return f"{size} bytes, too few for a count of values"
    counts = " and ".join(f"{_count(head, order)} in {name} order" for order, name in ORDERS.items())
    return f"its count is {counts}, and {size - 4} bytes follow, {(size - 4) / 4:.10g} float32"


def write_sphinx(path: str | Path, frames: NDArray[np.floating[Any]]) -> None:
    """Write frames (T, D) in big-endian order, as sphinx_fe does, completely or not at all.

    The file does not store D, so that a reader has to know it. Raises DataError where the file cannot be written.
    """
    values = np.asarray(frames, ">f4", order="C")
    write_atomically(Path(path), lambda file: file.write(values.size.to_bytes(4, "big") + values.tobytes()))
