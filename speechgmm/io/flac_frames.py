"""FLAC frames: how many samples a file holds, by its last frame, whatever its header counts."""

import os
from typing import BinaryIO, Final

_LAST_BYTES: Final = 1 << 18
"""Among them the last frame begins, unless it holds more samples than common encoders put into one."""

_MOST_BLOCKS: Final = 1000
"""A file with more blocks before its frames is none that an encoder wrote."""


def flac_samples(file: BinaryIO, size: int) -> int:
    """Samples up to the end of the last frame of a FLAC file of `size` bytes; 0 where none is found.

    A frame's header is told from chance by its checksum, and by the rate and sample size that the first frame has too.
    """
    file.seek(8)
    block_size = int.from_bytes(file.read(2), "big")
    first = _first_frame(file)
    file.seek(first)
    example = file.read(16)
    begin = max(first, size - _LAST_BYTES)
    file.seek(begin)
    data = file.read(size - begin)
    at = len(data)
    while (at := data.rfind(b"\xff", 0, at)) >= 0:
        head = data[at : at + 16]
        if head[:2] == example[:2] and head[2:4] and _rate_and_width(head) == _rate_and_width(example):
            found = _number_and_length(head)
            if found is not None:
                return found[0] * (1 if head[1] & 1 else block_size) + found[1]
    return 0


def _first_frame(file: BinaryIO) -> int:
    position = 4
    for _ in range(_MOST_BLOCKS):
        file.seek(position, os.SEEK_SET)
        head = file.read(4)
        position += 4 + int.from_bytes(head[1:], "big")
        if len(head) < 4 or head[0] & 128:
            break
    return position


def _rate_and_width(head: bytes) -> tuple[int, int]:
    return head[2] & 15, head[3] & 15 if len(head) > 3 else -1


def _number_and_length(head: bytes) -> tuple[int, int] | None:
    """The number of a frame, or of its first sample, and its samples; None where these bytes are no frame's header."""
    code = head[2] >> 4
    n_length = {6: 1, 7: 2}.get(code, 0)
    n_ones = next((n for n in range(8) if not head[4] << n & 128), 8) if len(head) > 4 else 8
    length_at = 4 + max(1, n_ones)
    end = length_at + n_length + {12: 1, 13: 2, 14: 2}.get(head[2] & 15, 0)
    if n_ones in (1, 8) or code == 0 or len(head) <= end or head[end] != _checksum(head[:end]):
        return None
    number = head[4] & (127 >> n_ones)
    for byte in head[5:length_at]:
        number = number << 6 | byte & 63
    if n_length:
        return number, int.from_bytes(head[length_at : length_at + n_length], "big") + 1
    return number, 192 if code == 1 else 576 << code - 2 if code < 6 else 256 << code - 8


def _checksum(data: bytes) -> int:
    """CRC-8 of polynomial 0x07, as FLAC's frame headers have it."""
    crc = 0
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = (crc << 1 ^ (7 if crc & 128 else 0)) & 255
    return crc
