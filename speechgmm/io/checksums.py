"""Checksums of what the cache holds: damage on a disk is noticed when it is read, and not trained on."""

from typing import Any, Final

import xxhash

_HEAD: Final = 33  # bytes: a checksum and a line end


def checksum(data: Any) -> str:
    """Thirty-two hex digits of bytes, or of whatever lays its bytes open, such as a contiguous array.

    For damage, not for malice: XXH3 (128 bits) reads memory as fast as it can be read.

    >>> checksum(b"frames")
    '58773571dd7a67b00fc264947cc27fca'
    """
    return xxhash.xxh3_128_hexdigest(data)


def sealed(data: bytes) -> bytes:
    """The bytes behind a line with their checksum."""
    return f"{checksum(data)}\n".encode() + data


def unsealed(data: bytes) -> bytes:
    r"""The inverse of ``sealed``.

    Raises:
        ValueError: The checksum does not fit: a byte was lost or changed.

    >>> unsealed(sealed(b"frames"))
    b'frames'
    >>> unsealed(sealed(b"frames")[:-1])
    Traceback (most recent call last):
    ...
    ValueError: its checksum does not fit
    """
    inner = data[_HEAD:]
    if data[:_HEAD] != f"{checksum(inner)}\n".encode():
        raise ValueError("its checksum does not fit")
    return inner
