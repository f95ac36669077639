"""What a file is by its first bytes, where libsndfile does not decode it, and the way out."""

import re
from dataclasses import dataclass
from typing import BinaryIO, Final

from speechgmm.io.audio_formats import way_out

_LOOKED_AT: Final = 1024
"""Bytes that are looked at."""


@dataclass(frozen=True, slots=True)
class Content:
    """What a file holds, with what to do about it."""

    what: str
    """As the object of "it is ..."."""

    advice: str
    """What to do, in the imperative."""

    demuxer: str = ""
    """ffmpeg's name of the container; empty: no decoder is tried."""


def _foreign(what: str, demuxer: str, suffix: str) -> Content:
    return Content(what, way_out(suffix).replace("them", "it").replace("-i a.wav a", "-i a.wav b"), demuxer)


_MP4: Final = _foreign("AAC or ALAC in MP4", "mov", ".m4a")
_ADTS: Final = _foreign("AAC", "aac", ".aac")
_OGG: Final = _foreign("Ogg with a codec that libsndfile does not decode, such as Speex", "ogg", ".ogg")

_BEGINNINGS: Final = (
    (b"#!AMR", _foreign("AMR", "amr", ".amr")),
    (b"0&\xb2u\x8ef\xcf\x11", _foreign("Windows Media Audio", "asf", ".wma")),
    (b"\x1aE\xdf\xa3", _foreign("WebM or Matroska", "matroska", ".webm")),
    (b"MAC ", _foreign("Monkey's Audio", "ape", ".ape")),
    (b"wvpk", _foreign("WavPack", "wv", ".wv")),
    (b"TTA1", _foreign("True Audio", "tta", ".tta")),
    (b"MPCK", _foreign("Musepack", "mpc8", ".mpc")),
    (b"MP+", _foreign("Musepack", "mpc", ".mpc")),
    (b".RMF", _foreign("RealAudio", "rm", ".ra")),
    (b".ra\xfd", _foreign("RealAudio", "rm", ".ra")),
    (b"\x0bw", _foreign("Dolby AC-3", "ac3", ".ac3")),
    (b"FLV\x01", _foreign("Flash video", "flv", ".flv")),
    (b"\0\0\x01\xba", _foreign("MPEG video", "mpeg", ".mpg")),
    (b"ajkg", Content("compressed by Shorten", "convert it: ffmpeg -i a.shn a.wav", "shn")),
    (b"OggS", _OGG),
    (b"version https://git-lfs", Content("a Git LFS pointer, not the recording", "get the recording: git lfs pull")),
    (b"PK\x03\x04", Content("a ZIP archive", "unpack it")),
    (b"\x1f\x8b", Content("compressed by gzip", "unpack it")),
    (b"BZh", Content("compressed by bzip2", "unpack it")),
    (b"\xfd7zXZ", Content("compressed by xz", "unpack it")),
    (b"7z\xbc\xaf", Content("a 7-Zip archive", "unpack it")),
    (b"Rar!", Content("a RAR archive", "unpack it")),
    (b"%PDF", Content("a PDF document", "give a recording")),
    (b"\x89PNG", Content("a picture (PNG)", "give a recording")),
    (b"\xff\xd8\xff", Content("a picture (JPEG)", "give a recording")),
)

_CONTAINERS: Final = (b"RIFF", b"RIFX", b"RF64", b"FORM", b"riff", b"caff", b".snd", b"dns.", b"fLaC", b"NIST", b"ID3")
"""Beginnings of formats that libsndfile decodes: it failed for a reason that it says itself."""

_PLAIN_WAV: Final = (1, 3, 6, 7, 0xFFFE)
"""Numbers of the codecs of WAV that libsndfile always decodes: integers, floats, A-law, mu-law, and extensible."""

_TRANSPORT: Final = _foreign("an MPEG transport stream", "mpegts", ".ts")

_SHORTEN: Final = Content(
    "NIST SPHERE compressed by Shorten",
    "decompress it: sph2pipe -f wav a.sph a.wav (sph2pipe is a program of the Linguistic Data Consortium)",
)

UNKNOWN: Final = Content(
    "no format that is known by its first bytes",
    "if these are raw samples, write them with a header: ffmpeg -f s16le -ar RATE -ac CHANNELS -i a.raw a.wav",
)


def content_of(file: BinaryIO) -> Content | None:
    """What a file is by its first bytes; None where it begins as a format that libsndfile decodes.

    The position in the file stays as it is.

    >>> import io
    >>> content_of(io.BytesIO(b"version https://git-lfs.github.com/spec/v1")).what
    'a Git LFS pointer, not the recording'
    """
    here = file.tell()
    file.seek(0)
    head = file.read(_LOOKED_AT)
    if head[:3] == b"ID3" and len(head) >= 10 and max(head[6:10]) < 128:  # a tag before the stream
        file.seek(10 + (head[6] << 21 | head[7] << 14 | head[8] << 7 | head[9]))
        if _is_adts(file.read(4)):
            head = b"\xff\xf1\x00\x00"
    file.seek(here)
    if head[:4] == b"NIST" and b"shorten" in head:
        return _SHORTEN
    if head[4:8] == b"ftyp" or head[4:8] in (b"moov", b"mdat", b"wide"):
        return _MP4
    if _is_adts(head):
        return _ADTS
    for beginning, content in _BEGINNINGS:
        if head.startswith(beginning):
            return content
    if head[:1] == head[188:189] == head[376:377] == b"G":
        return _TRANSPORT
    if head.startswith(_CONTAINERS):
        return _codec_in(head)
    return _text(head) or UNKNOWN


def _codec_in(head: bytes) -> Content | None:
    """A codec that libsndfile does not decode, in a container that it reads; None: another reason."""
    if head[:4] == b"RIFF" and head[8:12] == b"AVI ":
        return _foreign("AVI video", "avi", ".avi")
    place = head.find(b"fmt ") + 8
    if head[:4] == b"RIFF" and place >= 8 and int.from_bytes(head[place : place + 2], "little") not in _PLAIN_WAV:
        return _foreign("WAV with a codec that libsndfile does not decode", "wav", ".wav")
    if head[:4] == b"caff" and head[8:12] == b"desc" and head[28:32] != b"lpcm":
        return _foreign("CAF with a codec that libsndfile does not decode", "caf", ".caf")
    return None


def _is_adts(head: bytes) -> bool:
    return len(head) >= 4 and head[0] == 0xFF and head[1] & 0xF6 == 0xF0


def _text(head: bytes) -> Content | None:
    if re.match(rb"\s*(\xef\xbb\xbf)?\s*<(!doctype|html|head|body|\?xml)", head, re.IGNORECASE):
        return Content(
            "a web page, not the recording", "download the recording again, logged in if its site asks for it"
        )
    if head.startswith((b"\xff\xfe", b"\xfe\xff")) and b"\0" in head[:8]:
        return Content("a text file (UTF-16)", "give a recording")
    try:
        text = head[:-3].decode() if len(head) == _LOOKED_AT else head.decode()  # a character may be cut
    except UnicodeDecodeError as error:
        if len(head) < _LOOKED_AT or error.start < len(head) - 8:
            return None
        text = head[: error.start].decode()
    printable = sum(letter.isprintable() or letter in "\t\r\n\f" for letter in text)
    if text and printable == len(text):
        return Content("a text file", "give a recording")
    return None
