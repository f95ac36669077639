"""Matrices and vectors of Kaldi, in archives (``.ark``) and in files of their own, binary or text.

Read are float and double matrices (FM, DM), vectors (FV, DV; one frame) and the three compressed ones (CM, CM2, CM3).
Binary numbers are little-endian, on every machine. Sources: Kaldi, matrix/kaldi-matrix.cc, matrix/compressed-matrix.cc.
"""

import re
from collections.abc import Iterable
from pathlib import Path
from struct import unpack
from typing import Any, BinaryIO, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from speechgmm.errors import DataError
from speechgmm.io.atomic import write_atomically, write_text
from speechgmm.io.frame_files.kaldi_text import read_text_matrix, skip_text_matrix
from speechgmm.io.frame_files.source import FrameSource, StoredFrames, check_shape, mapped, mapped_frames, opened
from speechgmm.io.kaldi_objects import BINARY

_NUMBERS: Final[dict[bytes, np.dtype[Any]]] = {b"F": np.dtype("<f4"), b"D": np.dtype("<f8")}
_COMPRESSED: Final[dict[bytes, np.dtype[Any]]] = {
    b"CM": np.dtype("u1"),
    b"CM2": np.dtype("<u2"),
    b"CM3": np.dtype("u1"),
}
_NO_FRAMES: Final = {
    b"SM": "a sparse matrix",
    b"SV": "a sparse vector",
    b"\x04": "a vector of integers",
    b"T": "a vector of tokens",
}
_LONGEST_KEY: Final = 4096


class _Place(NamedTuple):
    """Where the numbers of a binary matrix stand."""

    kind: bytes  # such as FM
    shape: tuple[int, int]
    offset: int  # of the first number
    end: int
    low: float = 0.0  # of compressed ones: value of 0, and the span to the highest
    span: float = 0.0


def is_kaldi(head: bytes) -> bool:
    """Whether a file begins as a matrix of Kaldi's or an archive of them.

    >>> is_kaldi(BINARY + b"FM "), is_kaldi(b"anna  [ 1 2 ]"), is_kaldi(b"RIFF....WAVE")
    (True, True, False)
    """
    return re.match(rb"\s*([^\s\0]+[ \t]+)?(\[|\0B)", head) is not None


def stored(source: FrameSource) -> StoredFrames:
    """The frames at ``offset`` of an archive, under ``key`` of one, or of a file with one matrix alone.

    Raises:
        DataError: An offset past the end, no such key, not a matrix of Kaldi's, or bytes are missing.
    """
    with opened(source) as (file, size):
        offset = source.offset if source.offset is not None else _offset_of(source, file)
        if not 0 <= offset < size:
            raise DataError(
                f"{source}: byte {offset} is past the end of its {size} bytes; expected a matrix there: do scp and ark "
                "belong together, or was the ark cut short?"
            )
        file.seek(offset)
        if file.read(2) != BINARY:
            file.seek(offset)
            frames = read_text_matrix(file, source)
            return StoredFrames(frames.shape, lambda first, stop: frames[first:stop])
        place = _binary_place(file, size, source)
    check_shape(source, place.shape)
    if place.kind[:1] in _NUMBERS:
        return mapped_frames(source.path, _NUMBERS[place.kind[:1]], place.offset, place.shape)
    return StoredFrames(place.shape, lambda first, stop: _decompressed(source.path, place, first, stop))


def _offset_of(source: FrameSource, file: BinaryIO) -> int:
    """Where the matrix of a source without offset begins: at 0 where it is alone, or behind its key."""
    head = file.read(_LONGEST_KEY)
    if head.startswith(BINARY) or head.lstrip().startswith(b"["):
        return 0
    if source.key is not None:
        found = archive_sources(source.path)
        if source.key not in found:
            raise DataError(f"{source.path}: there is no {source.key!r} among its {len(found)} matrices")
        offset = found[source.key].offset
        assert offset is not None
        return offset
    raise DataError(f"{source}: an archive of matrices under names; name the one that is meant")


def _binary_place(file: BinaryIO, size: int, source: FrameSource) -> _Place:
    """Place of a binary matrix whose ``\\0B`` was read."""
    begin = file.tell()
    kind, blank, _ = file.read(4).partition(b" ")
    if kind[:1] == b"\x04":
        kind, blank = b"\x04", b" "
    if kind in _NO_FRAMES or not blank:
        what = _NO_FRAMES.get(kind, f"{kind!r}, no type of Kaldi's known here")
        raise DataError(f"{source}: {what}; expected a matrix or vector of floats (FM, DM, FV, DV, CM, CM2 or CM3)")
    file.seek(begin + len(kind) + 1)
    if kind in _COMPRESSED:
        low, span, n, dimension = unpack("<ffii", _exactly(file, 16, source))
        n_bytes = n * dimension * _COMPRESSED[kind].itemsize + (8 * dimension if kind == b"CM" else 0)
    elif kind in (b"FM", b"DM", b"FV", b"DV"):
        low = span = 0.0
        counts = [_count(file, source) for _ in range(1 + kind.endswith(b"M"))]
        n, dimension = (1, *counts)[-2:]
        n_bytes = n * dimension * _NUMBERS[kind[:1]].itemsize
    else:
        raise DataError(f"{source}: a matrix of type {kind!r}; expected FM, DM, FV, DV, CM, CM2 or CM3")
    offset = file.tell()
    if n < 0 or dimension < 0 or offset + n_bytes > size:
        swapped = " (was it written in big-endian order?)" if _is_swapped(n, dimension) else ""
        raise DataError(
            f"{source}: {n} frames of {dimension} values, {n_bytes} bytes, and {size - offset} bytes are left; "
            f"expected all of them: copy it or compute it again{swapped}"
        )
    return _Place(kind, (n, dimension), offset, offset + n_bytes, low, span)


def _exactly(file: BinaryIO, n: int, source: FrameSource) -> bytes:
    data = file.read(n)
    if len(data) < n:
        raise DataError(f"{source}: truncated within the header of a matrix; copy it or compute it again")
    return data


def _count(file: BinaryIO, source: FrameSource) -> int:
    """A count, behind a byte that says how many bytes it has."""
    data = _exactly(file, 5, source)
    if data[0] != 4:
        raise DataError(f"{source}: a count of {data[0]} bytes; expected 4, as Kaldi writes it")
    return int.from_bytes(data[1:], "little", signed=True)


def _is_swapped(n: int, dimension: int) -> bool:
    def swapped(count: int) -> int:
        return int.from_bytes(count.to_bytes(4, "little", signed=True), "big", signed=True)

    return 0 < swapped(dimension) < 65536 and 0 < swapped(n) < 2**24


def _decompressed(path: Path, place: _Place, first: int, stop: int) -> NDArray[np.float32]:
    """Frames of a compressed matrix, with the arithmetic of compressed-matrix.cc in float32."""
    n, dimension = place.shape
    low, span = np.float32(place.low), np.float32(place.span)
    with np.errstate(all="ignore"):  # infinite bounds are refused with their frames
        if place.kind != b"CM":
            values = mapped(path, _COMPRESSED[place.kind], place.offset, place.shape)[first:stop].astype(np.float32)
            return np.asarray(low + span * values * np.float32(1 / (255 if place.kind == b"CM3" else 65535)))
        marks = mapped(path, "<u2", place.offset, (dimension, 4)).astype(np.float32)
        p0, p25, p75, p100 = (low + span * np.float32(1 / 65535) * marks).T
        values = mapped(path, "u1", place.offset + 8 * dimension, (dimension, n))[:, first:stop].T.astype(np.float32)
        return np.asarray(
            np.where(
                values <= 64,
                p0 + (p25 - p0) * values * np.float32(1 / 64),
                np.where(
                    values <= 192,
                    p25 + (p75 - p25) * (values - 64) * np.float32(1 / 128),
                    p75 + (p100 - p75) * (values - 192) * np.float32(1 / 63),
                ),
            )
        )


def archive_sources(path: Path) -> dict[str, FrameSource]:
    """Key -> frames, in the order of an archive; only keys and headers are read.

    Raises:
        DataError: Not an archive of matrices, a key stands twice, or bytes are missing.
    """
    found: dict[str, FrameSource] = {}
    with opened(FrameSource(path)) as (file, size):
        while (key := _read_key(file, path)) is not None:
            source = FrameSource(path, key, file.tell())
            if key in found:
                raise DataError(f"{path}: {key!r} stands twice, at bytes {found[key].offset} and {source.offset}")
            found[key] = source
            if file.read(2) == BINARY:
                file.seek(_binary_place(file, size, source).end)
            else:
                file.seek(file.tell() - min(2, size - (source.offset or 0)))
                skip_text_matrix(file, source)
    if not found:
        raise DataError(f"{path}: empty; expected an archive of Kaldi matrices")
    return found


def _read_key(file: BinaryIO, path: Path) -> str | None:
    """The next key of an archive; None at its end. The file is left behind the blank that ends it."""
    begin = file.tell()
    data = file.read(_LONGEST_KEY)
    stripped = data.lstrip()
    if not stripped:
        return None
    key, blank, _ = stripped.replace(b"\t", b" ").partition(b" ")
    if not blank or b"\0" in key or b"\n" in key:
        raise DataError(
            f"{path}: at byte {begin} {key[:40]!r}; expected the name of a matrix and a space: not an archive?"
        )
    file.seek(begin + len(data) - len(stripped) + len(key) + 1)
    return key.decode("utf-8", "surrogateescape")


def write_ark(
    path: str | Path, recordings: Iterable[tuple[str, NDArray[np.floating[Any]]]], scp: str | Path | None = None
) -> None:
    """Write the frames of recordings as float matrices into a binary Kaldi archive, one recording at a time.

    Parameters
    ----------
    path
        The archive.
    recordings
        (name, frames) of each recording, with frames (T, D).
    scp
        A list file to write too: names, and places in the archive, with its absolute path. None: no list.

    Raises
    ------
    DataError
        A name is empty, contains white space or occurs twice; or a file cannot be written.
    """
    places: dict[str, int] = {}

    def write(file: BinaryIO) -> None:
        for name, frames in recordings:
            if name.split() != [name] or name in places:
                what = "stands twice" if name in places else "is empty or has white space, which ends a name in Kaldi"
                raise DataError(f"{path}: the name {name!r} {what}; rename the recording")
            values = np.asarray(frames, "<f4", order="C")
            file.write(name.encode("utf-8", "surrogateescape") + b" ")
            places[name] = file.tell()
            counts = b"".join(b"\x04" + count.to_bytes(4, "little") for count in values.shape)
            file.write(BINARY + b"FM " + counts + values.tobytes())

    write_atomically(Path(path), write)
    if scp is not None:
        write_text(Path(scp), "".join(f"{name} {Path(path).absolute()}:{offset}\n" for name, offset in places.items()))
