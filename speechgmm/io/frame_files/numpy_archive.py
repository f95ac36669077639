"""numpy's ``.npz`` files: several arrays under names, each the frames of one recording."""

import os
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any, BinaryIO, Final, cast

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from speechgmm.errors import DataError, first_few
from speechgmm.io.atomic import write_atomically
from speechgmm.io.frame_files.numpy_array import ArrayHeader, read_header
from speechgmm.io.frame_files.source import FrameSource, StoredFrames, check_size, opened

MAGIC: Final = (b"PK\x03\x04", b"PK\x05\x06")

_BROKEN: Final = (
    zipfile.BadZipFile,
    zlib.error,
    NotImplementedError,
    RuntimeError,
    ValueError,
    EOFError,
    OverflowError,
)
_DEFLATED_AT_MOST: Final = 1100
"""Bytes that one compressed byte can stand for, rounded up (zlib's limit is 1032)."""


@contextmanager
def _archive(source: FrameSource) -> Iterator[zipfile.ZipFile]:
    with opened(source) as (file, _):
        about = os.fstat(file.fileno())
        try:
            yield _kept(source.path, (os.getpid(), about.st_ino, about.st_mtime_ns, about.st_size))
        except _BROKEN as error:
            raise DataError(
                f"{source}: not an archive that numpy wrote ({str(error)[:200]}); expected a whole .npz: copy it again"
            ) from None


@lru_cache(maxsize=8)
def _kept(path: Path, identity: tuple[int, ...]) -> zipfile.ZipFile:  # noqa: ARG001 (part of the cache's key)
    """An archive that is kept open: its list of arrays would otherwise be read again for each of them.

    ``identity`` says which file it is, and which process reads it: after a fork, both would move the same place in it.
    """
    return zipfile.ZipFile(path)


@contextmanager
def _member(source: FrameSource) -> Iterator[tuple[BinaryIO, ArrayHeader]]:
    """An array of an archive behind its header."""
    with _archive(source) as archive:
        info = archive.NameToInfo.get(f"{source.key}.npy") if source.key is not None else _only_array(source, archive)
        if info is None:
            there = first_few(_names(archive), 5) or "none"
            raise DataError(f"{source.path}: there is no array {source.key!r} in it; it has {there}")
        if info.file_size > _DEFLATED_AT_MOST * info.compress_size:
            raise DataError(
                f"{source}: {info.compress_size} bytes that claim to hold {info.file_size}; expected an archive that "
                "numpy wrote: is it damaged?"
            )
        with archive.open(info) as file:
            header = read_header(cast(BinaryIO, file), source)
            check_size(source, info.file_size, file.tell() + header.n_bytes)
            yield cast(BinaryIO, file), header


def _only_array(source: FrameSource, archive: zipfile.ZipFile) -> zipfile.ZipInfo:
    names = _names(archive)
    if len(names) != 1:
        raise DataError(f"{source}: {len(names)} arrays ({first_few(names, 5)}); name the one that is meant")
    return next(iter(names.values()))


def _names(archive: zipfile.ZipFile) -> dict[str, zipfile.ZipInfo]:
    return {info.filename.removesuffix(".npy"): info for info in archive.infolist() if info.filename.endswith(".npy")}


def stored(source: FrameSource) -> StoredFrames:
    """The frames of an array of an ``.npz`` file; without a name, of its only one.

    Raises:
        DataError: Not a whole archive, no such array, or as `numpy_array.read_header`.
    """
    with _member(source) as (_, header):
        return StoredFrames(header.shape, lambda first, stop: _rows(source, first, stop))


def _rows(source: FrameSource, first: int, stop: int) -> NDArray[Any]:
    """Rows of an array, of which only they are held where it stands row by row."""
    with _member(source) as (file, header):
        n_frames, dimension = header.shape
        if header.by_column:
            data = _read(file, header.n_bytes, source)
            return np.frombuffer(data, header.dtype).reshape((n_frames, dimension), order="F")[first:stop]
        n_row = dimension * header.dtype.itemsize
        file.seek(first * n_row, 1)  # reads on where it is compressed, and holds little of it
        return np.frombuffer(_read(file, (stop - first) * n_row, source), header.dtype).reshape(-1, dimension)


def _read(file: BinaryIO, n: int, source: FrameSource) -> bytes:
    data = file.read(n)
    if len(data) < n:
        raise DataError(f"{source}: truncated: {n - len(data)} bytes of its frames are missing; copy it again")
    return data


def sources(path: Path) -> dict[str, FrameSource]:
    """Name -> frames, in the order of the file.

    Raises:
        DataError: It is no whole archive, has no array, or two of one name.
    """
    with _archive(FrameSource(path)) as archive:
        names, counts = [*_names(archive)], Counter(archive.namelist())
    twice = next((name for name in names if counts[f"{name}.npy"] > 1), None)
    if twice is not None:
        raise DataError(f"{path}: two arrays are named {twice!r}; expected a name for each: write the file again")
    if not names:
        raise DataError(f"{path}: no array in it; expected one for each recording")
    return {name: FrameSource(path, name) for name in names}


def write_npz(path: str | Path, recordings: Iterable[tuple[str, NDArray[np.floating[Any]]]]) -> None:
    """Write the frames (T, D) of recordings as float32 arrays with their names into an ``.npz`` file.

    The file is written one recording at a time, and completely or not at all.

    Raises:
        DataError: A name occurs twice, or the file cannot be written.
    """

    def write(file: BinaryIO) -> None:
        with zipfile.ZipFile(file, "w") as archive:
            for name, frames in recordings:
                if f"{name}.npy" in archive.NameToInfo:
                    raise DataError(f"{path}: two recordings are named {name!r}; expected a name for each")
                with archive.open(zipfile.ZipInfo(f"{name}.npy"), "w", force_zip64=True) as member:
                    npy.write_array(member, np.asarray(frames, np.float32, order="C"), (1, 0))

    write_atomically(Path(path), write)
