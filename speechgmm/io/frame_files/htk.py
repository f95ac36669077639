"""HTK parameter files (The HTK Book, 5.10.1): 12 bytes of header, then frames of float32 or of compressed int16.

    frames (int32), frame shift in 100 ns (int32), bytes in a frame (int16), kind of parameter with qualifiers (int16)

Big-endian, as HTK writes unless told otherwise (NATURALWRITEORDER); a little-endian file is recognised by its size.
Compressed files (``_C``) and files with a checksum (``_K``) are read; the checksum is not compared. Waveforms, discrete
symbols and the integers of IREFC are no frames here.
"""

from pathlib import Path
from struct import pack, unpack
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from speechgmm.errors import ConfigError, DataError
from speechgmm.io.atomic import write_atomically
from speechgmm.io.frame_files.source import FrameSource, StoredFrames, check_shape, mapped, mapped_frames, opened

HEADER_BYTES: Final = 12

BASE_KINDS: Final = (
    *("WAVEFORM", "LPC", "LPREFC", "LPCEPSTRA", "LPDELCEP", "IREFC", "MFCC", "FBANK", "MELSPEC", "USER"),
    *("DISCRETE", "PLP", "ANON"),
)
"""Names of the kinds of parameter, in the order of their codes."""

QUALIFIERS: Final = "ENDACZK0VT"
"""Letters of the qualifiers, from the lowest bit (0o100) on."""

_NO_FRAMES: Final = ("WAVEFORM", "IREFC", "DISCRETE")
_WRITTEN: Final = "ENDACZ0T"
_LARGEST: Final = 32767  # of a compressed value


class HTKHeader(NamedTuple):
    """What a header says, where it agrees with the file's size."""

    order: str  # > or <
    n_frames: int
    frame_shift: float  # seconds
    dimension: int
    kind: str  # such as MFCC_E_D

    @property
    def is_compressed(self) -> bool:
        """Whether values are int16."""
        return "_C" in self.kind


def read_header(head: bytes, size: int) -> HTKHeader | None:
    """The header of an HTK file by its first 12 bytes and its size; None where they disagree: it is none.

    >>> read_header(pack(">iihh", 142, 100_000, 156, 0o21406), 22164)
    HTKHeader(order='>', n_frames=142, frame_shift=0.01, dimension=39, kind='MFCC_D_A_0')
    """
    if len(head) < HEADER_BYTES:
        return None
    for order in "><":
        n, shift, n_bytes, code = unpack(f"{order}iihH", head[:HEADER_BYTES])
        kind = kind_name(code)
        value_bytes = 2 if "_C" in kind or kind in _NO_FRAMES else 4
        promised = HEADER_BYTES + n * n_bytes + 2 * ("_K" in kind)
        if not kind or n < 0 or shift < 0 or n_bytes <= 0 or n_bytes % value_bytes or promised != size:
            continue
        # The offsets and scales of compressed values stand in the room of four frames, and are counted as such.
        return HTKHeader(order, n - 4 * ("_C" in kind), shift / 1e7, n_bytes // value_bytes, kind)
    return None


def kind_name(code: int) -> str:
    """Name of a code of a kind with its qualifiers; empty for no kind of HTK's.

    >>> kind_name(0o21406), kind_name(63)
    ('MFCC_D_A_0', '')
    """
    base = code & 0o77
    if base >= len(BASE_KINDS):
        return ""
    return "".join(
        (BASE_KINDS[base], *(f"_{letter}" for bit, letter in enumerate(QUALIFIERS) if code >> (6 + bit) & 1))
    )


def stored(source: FrameSource) -> StoredFrames:
    """The frames of an HTK file.

    Raises:
        DataError: Its header disagrees with its size in both byte orders, or its kind has no frames of real numbers.
    """
    with opened(source) as (file, size):
        head = file.read(HEADER_BYTES)
    header = read_header(head, size)
    if header is None:
        raise DataError(f"{source}: {mismatch(head, size)}; expected an HTK file: was it cut short?")
    if header.kind.split("_")[0] in _NO_FRAMES or "_V" in header.kind:
        raise DataError(f"{source}: parameters of kind {header.kind}; expected frames of real numbers, such as MFCC")
    shape = (header.n_frames, header.dimension)
    check_shape(source, shape)
    if not header.is_compressed:
        return mapped_frames(source.path, f"{header.order}f4", HEADER_BYTES, shape)
    return StoredFrames(shape, lambda first, stop: _decompressed(source.path, header, first, stop))


def _decompressed(path: Path, header: HTKHeader, first: int, stop: int) -> NDArray[np.float32]:
    """Values (x + B) / A of compressed ones, A and B of each column (The HTK Book, 5.10.1)."""
    scales, offsets = mapped(path, f"{header.order}f4", HEADER_BYTES, (2, header.dimension)).astype(np.float32)
    place = HEADER_BYTES + 8 * header.dimension
    values = mapped(path, f"{header.order}i2", place, (header.n_frames, header.dimension))[first:stop]
    with np.errstate(all="ignore"):  # a scale of 0 is refused with its frames
        return np.asarray((values.astype(np.float32) + offsets) / scales, np.float32)


def mismatch(head: bytes, size: int) -> str:
    """What a header says in each byte order beside the file's size, for a message."""
    if len(head) < HEADER_BYTES:
        return f"{size} bytes, too few for the header of an HTK file"
    says = []
    for order, name in ((">", "big-endian"), ("<", "little-endian")):
        n, _, n_bytes, _ = unpack(f"{order}iihH", head[:HEADER_BYTES])
        says.append(f"{n} frames of {n_bytes} bytes in {name} order")
    return f"its header says {' and '.join(says)}, and {size - HEADER_BYTES} bytes follow"


def write_htk(
    path: str | Path, frames: NDArray[np.floating[Any]], *, frame_shift: float = 0.01, kind: str = "USER"
) -> None:
    """Write frames as an HTK file in big-endian order, completely or not at all.

    Parameters
    ----------
    path
        The file.
    frames
        (T, D).
    frame_shift
        Seconds from frame to frame.
    kind
        HTK's name of the parameters with its qualifiers, such as ``MFCC_E_D``. With ``_C``, values are compressed to
        int16 with an offset and a scale for each column, which halves the size of the file.

    Raises
    ------
    ConfigError
        HTK has no such kind, or the kind has a checksum (``_K``); or a frame has more values than the header can hold.
    DataError
        The file cannot be written.
    """
    base, *letters = kind.split("_")
    if base not in BASE_KINDS or base in _NO_FRAMES or any(len(one) != 1 or one not in _WRITTEN for one in letters):
        named = ", ".join(name for name in BASE_KINDS if name not in _NO_FRAMES)
        raise ConfigError(f"kind is {kind!r}; expected one of {named}, with qualifiers of {', '.join(_WRITTEN)}")
    code = BASE_KINDS.index(base) + sum(0o100 << QUALIFIERS.index(letter) for letter in {*letters})
    values, is_compressed = np.asarray(frames, np.float32), "C" in letters
    n, dimension = values.shape
    n_bytes = dimension * (2 if is_compressed else 4)
    if n_bytes > _LARGEST:
        raise ConfigError(
            f"frames of {dimension} values; HTK's header can say {_LARGEST // 4}, compressed twice as many"
        )
    body = _compressed(values) if is_compressed else values.astype(">f4").tobytes()
    head = pack(">iihH", n + 4 * is_compressed, round(frame_shift * 1e7), n_bytes, code)
    write_atomically(Path(path), lambda file: file.write(head + body))


def _compressed(values: NDArray[np.float32]) -> bytes:
    low, high = values.min(axis=0).astype(np.float64), values.max(axis=0).astype(np.float64)
    spread = np.where(high > low, high - low, 1)
    scales, offsets = 2 * _LARGEST / spread, (high + low) * _LARGEST / spread
    whole = np.clip(np.rint(values * scales - offsets), -_LARGEST, _LARGEST).astype(">i2")
    return b"".join((scales.astype(">f4").tobytes(), offsets.astype(">f4").tobytes(), whole.tobytes()))
