"""Dither: noise that is added to samples, so that digital silence has frames that vary. The same noise in every run.

The noise of a sample depends on the seed and on the sample's place in the recording alone, so that pieces of a
recording get what the whole gets; it repeats after 2^18 samples (16 s at 16 kHz), because to draw it takes longer than
to make features. Kaldi draws it anew for every frame, so that frames that share samples differ there.
"""

from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

Float32Array = NDArray[np.float32]

_BLOCK: Final = 8192  # samples that are drawn at once
_N_BLOCKS: Final = 32


def dithered(pieces: Iterable[Float32Array], level: float, seed: int, first: int = 0) -> Iterator[Float32Array]:
    """Samples with Gaussian noise added.

    Parameters
    ----------
    pieces
        Samples (N,) in [-1, 1], in stretches one after another.
    level
        Standard deviation of the noise, in steps of 16 bits (1 / 32768); Kaldi's ``dither``.
    seed
        Of the noise.
    first
        Number of the first sample in its recording.

    Yields
    ------
    (N,) float32
        Each stretch with its noise.

    Examples
    --------
    >>> whole = np.concatenate(list(dithered([np.zeros(5, np.float32)], 1.0, seed=0)))
    >>> part = np.concatenate(list(dithered([np.zeros(2, np.float32)], 1.0, seed=0, first=3)))
    >>> bool((whole[3:] == part).all())
    True
    """
    scale = np.float32(level / 32768)
    for piece in pieces:
        changed, at = np.empty_like(piece), 0
        while at < piece.size:
            number, begin = divmod(first + at, _BLOCK)
            n = min(piece.size - at, _BLOCK - begin)
            np.multiply(_noise(seed, number % _N_BLOCKS)[begin : begin + n], scale, out=changed[at : at + n])
            at += n
        changed += piece
        first += piece.size
        yield changed


@lru_cache(maxsize=_N_BLOCKS)
def _noise(seed: int, number: int) -> Float32Array:
    """Gaussian noise of a block of samples, (_BLOCK,), variance 1."""
    bits = np.random.Philox(key=seed, counter=[0, 0, 0, number])
    return np.random.Generator(bits).standard_normal(_BLOCK, dtype=np.float32)
