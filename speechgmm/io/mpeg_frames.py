"""MPEG audio frames (MP3, MP2): whether a file counts its frames, and what a decoder needs to see where it does not.

Without a count (a Xing or Info tag in the first frame), libsndfile takes the bitrate of the first frame for that of the
file, and stops at the length that follows: too early where the bitrate varies, and beyond the end where a tag of text
counts as audio. Shown a file that is far longer, it decodes until the frames end.
"""

import os
from typing import BinaryIO, Final, NamedTuple

_RATES: Final = {3: (44100, 48000, 32000), 2: (22050, 24000, 16000), 0: (11025, 12000, 8000)}
"""Sample rates in Hz by the two bits of the version: MPEG 1, 2 and 2.5."""

_BITRATES: Final = {
    (True, 3): (32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448),
    (True, 2): (32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),
    (True, 1): (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    (False, 3): (32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256),
    (False, 2): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
    (False, 1): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
"""kbit/s, by whether it is MPEG 1, and the two bits of the layer (3: layer 1)."""

_LONGEST: Final = 2881
"""Bytes of a frame at the most."""

_MOST_TAGS: Final = 100
"""A file with more of them is none that a program wrote."""

_BLOCK: Final = 1 << 18
"""Bytes that are read at once."""

STRETCH: Final = 1024
"""So many times longer than it is the file is shown: above the quotient of the greatest and the least bitrate, 40."""

_LAST_TAG: Final = 128
"""Bytes of an ID3v1 tag, which a decoder looks for at the end."""


class MpegCount(NamedTuple):
    """The first fields of a `HeaderCount`."""

    missing: int
    patches: dict[int, bytes]
    pretended_size: int
    is_exact: bool
    note: str
    end: int = 0


def mpeg_count(file: BinaryIO, size: int) -> MpegCount | None:
    """What the count of frames of an MPEG file of `size` bytes is worth; None where it is no MPEG audio."""
    start = _after_tags(file)
    file.seek(start)
    frame = file.read(64)
    if not _is_frame(frame):
        return None
    cut = _cut_frame(file, size, frame)
    note = f"its last frame is cut ({cut} bytes of it are there): what is before it is read" if cut else ""
    uncounted = MpegCount(0, {}, size * STRETCH, False, note, size - cut)
    place = _tag_place(frame)
    tag = frame[place : place + 16]
    if tag[:4] not in (b"Xing", b"Info"):
        return uncounted
    flags, n_frames = int.from_bytes(tag[4:8], "big"), int.from_bytes(tag[8:12], "big")
    if not flags & 1 or n_frames == 0:
        return uncounted
    end = start + int.from_bytes(tag[12:16], "big") if flags & 2 else size
    file.seek(end)
    behind = file.read(4)
    if start < end < size and _is_frame(behind) and behind[1:2] == frame[1:2] and behind[2] & 12 == frame[2] & 12:
        note = (
            f"its header counts {n_frames} frames, and more lie behind them ({size - end} bytes; files were joined): "
            "all are read"
        )
        return uncounted._replace(patches={start + place: bytes(4)}, note=note)
    if _holds_more(file, start, size, n_frames + 1):  # the frame of the tag is not counted
        note = f"its header counts {n_frames} frames, and more are there: all are read"
        return uncounted._replace(patches={start + place: bytes(4)}, note=note)
    return MpegCount(0, {}, 0, True, "")


def _holds_more(file: BinaryIO, start: int, size: int, n_frames: int) -> bool:
    """Whether a whole frame follows so many that lie one behind the other."""
    file.seek(start)
    data, at = b"", 0
    for _ in range(n_frames + 1):
        if at + 4 > len(data):
            file.seek(at - len(data), os.SEEK_CUR)
            data, at = file.read(_BLOCK), 0
        head = data[at : at + 4]
        length = _n_bytes(head) if _is_frame(head) else 0
        if length == 0:
            return False
        at += length
    return file.tell() - len(data) + at <= size


def pretended_tail(position: int, size: int, pretended_size: int, n_bytes: int) -> bytes:
    """What a decoder reads beyond the `size` bytes of a file: nothing, but for an empty tag at the pretended end."""
    at_tag = position == pretended_size - _LAST_TAG >= size
    return bytes(min(n_bytes, _LAST_TAG)) if at_tag else b""


def _after_tags(file: BinaryIO) -> int:
    """Where the frames begin, after ID3v2 tags."""
    start = 0
    for _ in range(_MOST_TAGS):
        file.seek(start, os.SEEK_SET)
        head = file.read(10)
        if len(head) < 10 or head[:3] != b"ID3" or max(head[6:10]) > 127:
            break
        length = head[6] << 21 | head[7] << 14 | head[8] << 7 | head[9]
        start += 10 + length + (10 if head[5] & 16 else 0)
    return start


def _is_frame(head: bytes) -> bool:
    """Whether four bytes are the head of a frame of MPEG audio, of any layer."""
    if len(head) < 4 or head[0] != 0xFF or head[1] & 0xE0 != 0xE0:
        return False
    version, layer, bitrate, rate = head[1] >> 3 & 3, head[1] >> 1 & 3, head[2] >> 4, head[2] >> 2 & 3
    return version in _RATES and layer != 0 and bitrate != 15 and rate != 3


def _n_bytes(head: bytes) -> int:
    """The length of a frame, by its head; 0 where the head does not say it."""
    version, layer, bitrate, padding = head[1] >> 3 & 3, head[1] >> 1 & 3, head[2] >> 4, head[2] >> 1 & 1
    if bitrate == 0:  # another one than those of the table
        return 0
    rate, slot = _RATES[version][head[2] >> 2 & 3], 4 if layer == 3 else 1
    per_frame = {3: 384, 2: 1152, 1: 1152 if version == 3 else 576}[layer]
    bits_per_s = 1000 * _BITRATES[version == 3, layer][bitrate - 1]
    return slot * (per_frame // (8 * slot) * bits_per_s // rate + padding)


def _cut_frame(file: BinaryIO, size: int, frame: bytes) -> int:
    """Bytes that are there of a last frame that is cut; 0: it is whole, or other bytes follow it."""
    file.seek(max(0, size - 4 * _LONGEST))
    tail = file.read(4 * _LONGEST)

    def is_head(at: int) -> bool:
        head = tail[at : at + 4]
        return head[1:2] == frame[1:2] and _is_frame(head) and head[2] & 12 == frame[2] & 12 and _n_bytes(head) > 0

    for at in filter(is_head, range(len(tail))):
        n_heads = 0
        while is_head(at):
            n_heads, last, at = n_heads + 1, at, at + _n_bytes(tail[at : at + 4])
        if n_heads > 1:
            return len(tail) - last if at > len(tail) else 0
    return 0


def _tag_place(frame: bytes) -> int:
    """Where a Xing tag would lie: after the head, its checksum and the side information."""
    is_first, is_mono = frame[1] >> 3 & 3 == 3, frame[3] >> 6 == 3
    side = (17 if is_mono else 32) if is_first else (9 if is_mono else 17)
    plain = 4 + side
    return plain + 2 if frame[plain : plain + 4] not in (b"Xing", b"Info") and not frame[1] & 1 else plain
