"""Audio formats: endings that are decoded, endings that need another decoder, and what to do about them."""

from collections.abc import Mapping
from importlib.util import find_spec
from shutil import which
from types import MappingProxyType
from typing import Final

DECODED: Final = frozenset(
    ".aif .aifc .aiff .au .avr .caf .flac .mp2 .mp3 .nist .oga .ogg .opus .rf64 .snd .sph .voc .w64 .wav".split()  # noqa: SIM905
)
"""File endings, in lower case, of the formats that libsndfile decodes."""

UNDECODED: Final[Mapping[str, str]] = MappingProxyType(
    {
        ".3ga": "AMR or AAC in 3GP",
        ".3gp": "AMR or AAC in 3GP",
        ".aac": "AAC",
        ".ac3": "Dolby AC-3",
        ".amr": "AMR",
        ".ape": "Monkey's Audio",
        ".awb": "AMR-WB",
        ".m4a": "AAC or ALAC in MP4",
        ".m4b": "AAC in MP4",
        ".mka": "Matroska",
        ".mkv": "Matroska video",
        ".mov": "QuickTime video",
        ".mp4": "MP4",
        ".mpc": "Musepack",
        ".ra": "RealAudio",
        ".spx": "Speex",
        ".tta": "True Audio",
        ".webm": "WebM",
        ".wma": "Windows Media Audio",
        ".wv": "WavPack",
    }
)
"""File endings, in lower case, of audio that libsndfile does not decode, with the name of the format."""


def has_other_decoder() -> bool:
    """Whether formats beyond libsndfile's are decoded here: by PyAV or by an ffmpeg on the PATH."""
    return find_spec("av") is not None or which("ffmpeg") is not None


def suffixes_decoded_here() -> frozenset[str]:
    """File endings, in lower case, of all recordings that this installation decodes.

    >>> ".wav" in suffixes_decoded_here()
    True
    """
    return DECODED | frozenset(UNDECODED) if has_other_decoder() else DECODED


def way_out(suffix: str) -> str:
    """What to do with recordings of an ending of `UNDECODED`, as the second half of a message.

    >>> way_out(".m4a")
    'install speechgmm[av] or ffmpeg, or convert them: ffmpeg -i a.m4a a.wav'
    """
    return f"install speechgmm[av] or ffmpeg, or convert them: ffmpeg -i a{suffix} a.wav"
