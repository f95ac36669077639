"""How many bytes of a recording are missing, by what its header promises. Decodes nothing."""

import os
import re
from typing import BinaryIO, Final

_LAST_BYTES: Final = 1 << 18
"""Among them the last page of an Ogg file begins: a page has at most 65307."""


def missing_bytes(file: BinaryIO) -> int:
    """Bytes that the header promises and the file does not hold, where the format promises a size.

    libsndfile corrects the length of a truncated file silently in WAV, RF64, W64, AIFF, AU, NIST SPHERE and Ogg. Sizes
    of 0 and the greatest ones are what writers to a pipe leave, and promise nothing.
    """
    here = file.tell()
    size = os.fstat(file.fileno()).st_size
    file.seek(0)
    promised = _promised_size(file, size)
    file.seek(here)  # the decoder reads on from here
    return max(0, promised - size)


def _promised_size(file: BinaryIO, size: int) -> int:
    """Bytes that a whole file of this header has; 0 where it does not say."""
    head = file.read(1024)
    magic = head[:4]
    if magic == b"RIFF":
        return _riff_size(file)
    if magic == b"RF64" and head[12:16] == b"ds64":
        return 8 + int.from_bytes(head[20:28], "little")
    if magic == b"riff":  # W64
        return int.from_bytes(head[16:24], "little")
    if magic == b"FORM":
        promised = int.from_bytes(head[4:8], "big")
        return 8 + promised if 0 < promised < 2**31 - 1 else 0
    if magic == b".snd":
        offset, promised = (int.from_bytes(head[at : at + 4], "big") for at in (4, 8))
        return offset + promised if 0 < promised < 2**31 - 1 else 0
    if head[:7] == b"NIST_1A":
        return _nist_size(head)
    if magic == b"OggS":
        first = max(0, size - _LAST_BYTES)
        file.seek(first)
        return first + _last_ogg_page_end(file.read(_LAST_BYTES))
    return 0


def _riff_size(file: BinaryIO) -> int:
    position = 12
    while True:
        file.seek(position)
        header = file.read(8)
        if len(header) < 8:
            return 0
        size = int.from_bytes(header[4:8], "little")
        if header[:4] == b"data":
            return position + 8 + size if 0 < size < 2**31 - 1 else 0
        position += 8 + size + size % 2


def _nist_size(head: bytes) -> int:
    header = dict(re.findall(rb"(\w+) -\w+ (\S+)", head))
    if not header.get(b"sample_coding", b"pcm").startswith((b"pcm", b"ulaw", b"alaw")) or b"shorten" in head:
        return 0
    try:
        length = int(head[8:16])
        samples = int(header[b"sample_count"]) * int(header.get(b"channel_count", 1)) * int(header[b"sample_n_bytes"])
    except (KeyError, ValueError):
        return 0
    return length + samples


def _last_ogg_page_end(data: bytes) -> int:
    start = data.rfind(b"OggS")
    n_segments = data[start + 26] if start + 26 < len(data) else 255
    table = data[start + 27 : start + 27 + n_segments]
    return start + 27 + n_segments + sum(table)
