"""Samples through a lossy codec and back, by libsndfile, for altered copies of recordings."""

import tempfile
from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import Final

import numpy as np
import soundfile
from numpy.typing import NDArray

from speechgmm.errors import DataError

CODECS: Final[Mapping[str, tuple[str, str]]] = MappingProxyType(
    {
        "mu-law": ("WAV", "ULAW"),
        "a-law": ("WAV", "ALAW"),
        "gsm": ("WAV", "GSM610"),
        "g721": ("WAV", "G721_32"),
        "mp3": ("MP3", "MPEG_LAYER_III"),
        "vorbis": ("OGG", "VORBIS"),
        "opus": ("OGG", "OPUS"),
    }
)
"""Codec -> libsndfile's container and subtype. None of them delays: the samples stay where they were."""

_BLOCK: Final = 1 << 16
_IN_MEMORY: Final = 1 << 25  # bytes of coded audio; more is kept in a temporary file


def coded(pieces: Iterable[NDArray[np.float32]], codec: str, sample_rate: int) -> Iterator[NDArray[np.float32]]:
    """The samples after coding and decoding, as many as there were.

    Parameters
    ----------
    pieces
        Samples, float32 (N,) in [-1, 1], in stretches one after another.
    codec
        A name of `CODECS`.
    sample_rate
        In Hz.

    Raises
    ------
    DataError
        This libsndfile has not the codec, or not at this rate (opus: 8, 12, 16, 24, 48 kHz).

    Examples
    --------
    >>> tone = np.sin(np.arange(800) / 5).astype(np.float32)
    >>> back = np.concatenate(list(coded([tone[:300], tone[300:]], "mu-law", 8000)))
    >>> back.shape, bool(np.abs(back - tone).max() < 0.02)
    ((800,), True)
    """
    container, subtype = CODECS[codec]
    if not soundfile.check_format(container, subtype):
        raise DataError(
            f"samples cannot be coded by {codec}: libsndfile {soundfile.__libsndfile_version__} was built without it; "
            "leave it out of augment.noise.codecs, or install soundfile again from a wheel"
        )
    with tempfile.SpooledTemporaryFile(_IN_MEMORY) as file:
        n_samples = 0
        try:
            with soundfile.SoundFile(file, "w", sample_rate, 1, format=container, subtype=subtype) as writer:
                for piece in pieces:
                    writer.write(piece)
                    n_samples += len(piece)
        except soundfile.LibsndfileError as error:
            raise DataError(
                f"samples of {sample_rate} Hz cannot be coded by {codec}: {error.error_string} (libsndfile "
                f"{soundfile.__libsndfile_version__}); leave it out of augment.noise.codecs"
            ) from None
        file.seek(0)
        with soundfile.SoundFile(file) as reader:
            while n_samples and len(out := reader.read(min(_BLOCK, n_samples), dtype="float32")):
                n_samples -= len(out)
                yield out
        if n_samples:
            yield np.zeros(n_samples, np.float32)
