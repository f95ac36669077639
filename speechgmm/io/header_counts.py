"""Header counts: what the sizes and counts in a recording's header are worth. Decodes nothing.

libsndfile corrects the length of a truncated file silently in WAV, RF64, W64, AIFF, AU, NIST SPHERE and Ogg, takes an
estimate for a count in MP3, and reads nothing where a recorder crashed before it wrote the size. Here a header's count
is one of four things: kept (the bytes are there), broken (bytes are missing), void (a placeholder that a writer to a
pipe left, or 0 with samples behind it: the file is read to its end), or an estimate (MP3 without a count of frames).
"""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import BinaryIO, Final, Literal

from speechgmm.io.flac_frames import flac_samples
from speechgmm.io.mpeg_frames import STRETCH, mpeg_count

_LAST_BYTES: Final = 1 << 18
"""Among them the last page of an Ogg file begins: a page has at most 65307."""

_MOST_CHUNKS: Final = 10_000
"""A file with more chunks before its samples is none that a recorder wrote."""

_PLACEHOLDERS: Final = (0x7F000000, 1 << 31, 1 << 32)
"""Sizes that writers to a pipe start from: SoX for AIFF; SoX, arecord, MPlayer; ffmpeg. Some subtract the header."""

_MP3_IN_WAV: Final = b"\x55\0"


@dataclass(frozen=True, slots=True)
class HeaderCount:
    """What to make of the counts in one recording's header."""

    missing: int = 0  # bytes that the header promises and the file does not hold

    patches: Mapping[int, bytes] = field(default_factory=dict)
    """What the decoder is to see at an offset instead of what the file holds there."""

    pretended_size: int = 0
    """The size in bytes that the decoder is to see instead of the file's own; 0: its own."""

    is_exact: bool = True  # whether the number of samples that the decoder reads off the header is a promise

    note: str = ""  # what a person should know of it, as the second half of a message
    end: int = 0
    """Bytes of the file that the decoder is to see, whatever size is pretended; 0: all."""

    ends_with_samples: bool = False
    """Whether nothing but samples follows the header: what a decoder leaves unread is not heard."""


@dataclass(frozen=True, slots=True)
class _Chunks:
    """How a format cuts a file into chunks."""

    first: int  # offset of the first chunk
    n_id: int  # bytes
    n_size: int  # bytes
    order: Literal["little", "big"]
    align: int
    samples: bytes  # beginning of the id of the chunk of samples
    includes_head: bool = False  # whether a size counts the chunk's own head
    preamble: int = 0  # bytes of the chunk of samples that are none

    @property
    def head(self) -> int:
        return self.n_id + self.n_size

    def number(self, data: bytes) -> int:
        return int.from_bytes(data, self.order)

    def size_bytes(self, size: int) -> bytes:
        value = min(size + (self.head if self.includes_head else 0), (1 << 8 * self.n_size) - 1)
        return value.to_bytes(self.n_size, self.order)

    def body(self, head: bytes) -> int:
        """Size of a chunk without its head, in bytes; below 0 where that cannot be."""
        return self.number(head[self.n_id :]) - (self.head if self.includes_head else 0)

    def after(self, position: int, body: int) -> int:
        """Where the next chunk begins."""
        end = position + self.head + body
        return end + -end % self.align if self.align == 8 else end + body % self.align


_CHUNKED: Final[Mapping[bytes, _Chunks]] = {
    b"RIFF": _Chunks(12, 4, 4, "little", 2, b"data"),
    b"RIFX": _Chunks(12, 4, 4, "big", 2, b"data"),
    b"RF64": _Chunks(12, 4, 4, "little", 2, b"data"),
    b"BW64": _Chunks(12, 4, 4, "little", 2, b"data"),
    b"FORM": _Chunks(12, 4, 4, "big", 2, b"SSND", preamble=8),
    b"riff": _Chunks(40, 16, 8, "little", 8, b"data", includes_head=True),  # W64
    b"caff": _Chunks(8, 4, 8, "big", 1, b"data", preamble=4),
}


def header_count(file: BinaryIO) -> HeaderCount:
    """What the counts in the header of a recording are worth; the position in the file stays as it is.

    Parameters
    ----------
    file
        The recording, open for reading, seekable.

    Returns
    -------
    HeaderCount
        Nothing is missing and nothing is patched where the format is not known.

    Examples
    --------
    >>> import io
    >>> header_count(io.BytesIO(b".snd" + bytes([0, 0, 0, 24, 0, 0, 0, 9]) + bytes(20))).missing
    1
    """
    here = file.tell()
    size = file.seek(0, os.SEEK_END)
    file.seek(0)
    head = file.read(1024)
    magic = head[:4]
    if magic == b"FORM" and head[8:12] in (b"8SVX", b"16SV"):  # libsndfile reads to the end of the file
        body = replace(_CHUNKED[magic], samples=b"BODY", preamble=0)
        found = HeaderCount(_chunked(file, body, size, head).missing)
    elif magic in _CHUNKED:
        found = _chunked(file, _CHUNKED[magic], size, head)
        if magic == b"BW64":  # RF64 by another name, by which libsndfile does not know it
            found = replace(found, patches={**found.patches, 0: b"RF64" if head[12:16] == b"ds64" else b"RIFF"})
        place = head.find(b"fmt ") + 8
        if magic == b"RIFF" and place >= 8 and head[place : place + 2] == _MP3_IN_WAV:
            found = replace(found, is_exact=False, pretended_size=size * STRETCH)
    elif magic in (b".snd", b"dns."):
        found = _au_count(head, size)
    elif head[:7] == b"NIST_1A":
        found = _nist_count(head, size)
    elif magic == b"2BIT":
        found = HeaderCount(_avr_missing(head, size))
    elif head.startswith(b"Creative Voice File\x1a"):
        found = _voc_count(head, size)
    elif magic == b"OggS":
        first = max(0, size - _LAST_BYTES)
        file.seek(first)
        missing = max(0, first + _last_ogg_page_end(file.read(_LAST_BYTES)) - size)
        found = HeaderCount(missing=missing, ends_with_samples=True)
    elif magic == b"fLaC":  # 36 bits of a count in the first block; 0: not known, as of an encoder to a pipe
        found = _flac_count(file, int.from_bytes(head[18:26], "big"), size)
    else:
        frames = mpeg_count(file, size)
        found = HeaderCount() if frames is None else HeaderCount(*frames)
    file.seek(here)  # the decoder reads on from here
    return found


def _is_placeholder(size: int, n_bytes: int) -> bool:
    """Whether a size of so many bytes is what a writer leaves that cannot go back to its header."""
    if n_bytes == 8:
        return size >= 1 << 62
    return any(-1024 <= placeholder - size <= 1 << 16 for placeholder in _PLACEHOLDERS)


def _chunked(file: BinaryIO, chunks: _Chunks, size: int, head: bytes) -> HeaderCount:
    position = chunks.first
    for _ in range(_MOST_CHUNKS):
        about = head[position : position + chunks.head]
        if len(about) < chunks.head:
            file.seek(position)
            about = file.read(chunks.head)
        body = chunks.body(about) if len(about) == chunks.head else -1
        if about.startswith(chunks.samples):
            break
        if body < 0:
            return HeaderCount()
        position = chunks.after(position, body)
        if position > size:
            return HeaderCount()
    else:
        return HeaderCount()
    if len(about) < chunks.head:
        return HeaderCount()
    where, encode, n_size = position + chunks.n_id, chunks.size_bytes, chunks.n_size
    if head[:4] in (b"RF64", b"BW64") and body == 0xFFFFFFFF and head[12:16] == b"ds64":
        where, n_size, body = 28, 8, int.from_bytes(head[28:36], "little")
        encode = partial(int.to_bytes, length=8, byteorder="little")
    rest = size - position - chunks.head
    everything = {where: encode(rest)}
    if body == rest:
        return HeaderCount()
    if body > rest:
        if _is_placeholder(body, n_size):
            return HeaderCount(patches=everything)
        return HeaderCount(missing=body - rest)
    behind = size - _end_of_chunks(file, chunks, position, max(0, body), size)
    # libsndfile reads W64 to the end of the file
    end = size - rest + body if chunks.align == 8 and 0 < body < rest else 0
    if behind < chunks.head:
        return HeaderCount(pretended_size=end)
    if body <= chunks.preamble:
        note = f"its header counts no samples, and {behind} bytes lie behind it: they are read as its samples"
        return HeaderCount(patches=everything, note=note)
    name, share = chunks.samples.decode(), 100 * behind / (body + behind)
    return HeaderCount(
        pretended_size=end,
        note=f"{behind} bytes behind its {name} chunk of {body} bytes are no chunk and are not read; if they are "
        f"samples, {share:.0f} % of the recording is not heard, and the size in the header is wrong: write the file "
        "again, for example with ffmpeg or SoX",
    )


def _end_of_chunks(file: BinaryIO, chunks: _Chunks, position: int, body: int, size: int) -> int:
    """Where the chunks that follow the one at a position end, at most at the file's end."""
    end = position + chunks.head + body
    for _ in range(_MOST_CHUNKS):
        position = chunks.after(position, body)
        file.seek(position)
        about = file.read(chunks.head)
        if len(about) < chunks.head:  # padding
            return size
        name, body = about[: min(4, chunks.n_id)], chunks.body(about)
        is_chunk = all(32 <= letter < 127 for letter in name)
        if not is_chunk or not 0 <= body <= size - position - chunks.head:
            break
        end = position + chunks.head + body
    return min(end, size)


def _au_count(head: bytes, size: int) -> HeaderCount:
    order: Literal["little", "big"] = "big" if head[:4] == b".snd" else "little"
    offset, promised = (int.from_bytes(head[at : at + 4], order) for at in (4, 8))
    rest = max(0, size - max(24, offset))  # none behind a header that is cut off
    unknown = {8: b"\xff\xff\xff\xff"}  # as the format has it
    if promised > rest:
        return HeaderCount(patches=unknown) if _is_placeholder(promised, 4) else HeaderCount(missing=promised - rest)
    if promised == 0 and rest:
        note = f"its header counts no samples, and {rest} bytes lie behind it: they are read as its samples"
        return HeaderCount(patches=unknown, note=note)
    if rest - promised >= 8:
        return HeaderCount(note=f"{rest - promised} bytes behind its {promised} bytes of samples are not read")
    return HeaderCount()


def _nist_count(head: bytes, size: int) -> HeaderCount:
    header = dict(re.findall(rb"(\w+) -\w+ (\S+)", head))
    if not header.get(b"sample_coding", b"pcm").startswith((b"pcm", b"ulaw", b"alaw")) or b"shorten" in head:
        return HeaderCount()
    try:
        length, count = int(head[8:16]), int(header[b"sample_count"])
        width = int(header.get(b"channel_count", 1)) * int(header[b"sample_n_bytes"])
    except (KeyError, ValueError):
        return HeaderCount()
    rest = size - length
    if count * width > rest:
        missing = 0 if _is_placeholder(count, 4) or _is_placeholder(count * width, 4) else count * width - rest
        return HeaderCount(missing=missing)
    if count >= 0 and rest - count * width >= max(8, width):  # libsndfile reads to the end
        return HeaderCount(
            note=f"its header counts {count} samples, and {rest // max(1, width)} are there: all are read"
        )
    return HeaderCount()


def _avr_missing(head: bytes, size: int) -> int:
    channels = 2 if head[12:14] != b"\0\0" else 1
    count, width = int.from_bytes(head[26:30], "big"), int.from_bytes(head[14:16], "big") // 8 * channels
    return 0 if _is_placeholder(count, 4) else max(0, count * width - max(0, size - 128))


def _voc_count(head: bytes, size: int) -> HeaderCount:
    """Of a Creative Voice File: blocks of a type and three bytes of size. libsndfile reads to the end of the file."""
    position = int.from_bytes(head[20:22], "little")
    while 0 < position < len(head) - 4 and head[position]:  # type 0 ends the file
        body = int.from_bytes(head[position + 1 : position + 4], "little")
        if head[position] in (1, 9):
            n_preamble, rest = 2 if head[position] == 1 else 12, size - position - 4
            if body >= (1 << 24) - 1024:  # what three bytes hold, of a writer to a pipe
                return HeaderCount()
            if body <= n_preamble < rest - 8:
                note = f"its header counts no samples, and {rest - n_preamble} bytes lie behind it: they are read"
                return HeaderCount(note=note)
            behind = rest - body
            note = f"{behind} bytes behind its first block of samples ({body} bytes) are not read" * (behind >= 8)
            return HeaderCount(max(0, -behind), pretended_size=size - behind if behind > 0 else 0, note=note)
        position += 4 + body
    return HeaderCount()


def _flac_count(file: BinaryIO, word: int, size: int) -> HeaderCount:
    """Of FLAC: 36 bits of a count at the end of a word of 64; 0: not known, as of an encoder to a pipe."""
    count = word & ((1 << 36) - 1)
    n = flac_samples(file, size) if count else 0
    if n > count:
        note = f"its header counts {count} samples, and {n} are there: all are read"
        return HeaderCount(patches={18: (word - count).to_bytes(8, "big")}, is_exact=False, note=note)
    return HeaderCount(is_exact=count > 0, ends_with_samples=True)


def _last_ogg_page_end(data: bytes) -> int:
    start = data.rfind(b"OggS")
    n_segments = data[start + 26] if start + 26 < len(data) else 255
    table = data[start + 27 : start + 27 + n_segments]
    return start + 27 + n_segments + sum(table)
