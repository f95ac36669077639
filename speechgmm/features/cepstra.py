"""The fixed arrays of a cepstral front end: tapers, the cosine transform, the lifters.

Owns their formulas, in float64 and without a preset; which goes with which is decided in
`speechgmm.features.front_end`.
"""

import numpy as np
from numpy.typing import NDArray

from speechgmm.features.spec import WindowName

Float64Array = NDArray[np.float64]


def taper(name: WindowName, length: int, *, periodic: bool) -> Float64Array:
    """Window of `length` samples, (length,); periodic: the period is `length`, else `length` - 1.

    ``povey`` is Kaldi's: a Hann window to the power 0.85. ``blackman`` has the constant 0.42.

    >>> taper("hann", 4, periodic=True).round(2).tolist()
    [0.0, 0.5, 1.0, 0.5]
    """
    phase = 2 * np.pi * np.arange(length) / (length if periodic else length - 1)
    if name == "hamming":
        return 0.54 - 0.46 * np.cos(phase)
    if name == "blackman":
        return 0.42 - 0.5 * np.cos(phase) + 0.08 * np.cos(2 * phase)
    if name == "sine":
        return np.sin(phase / 2)
    if name == "rectangular":
        return np.ones(length)
    hann = 0.5 - 0.5 * np.cos(phase)
    # The cosine may exceed 1 by a rounding error, and a negative number has no power 0.85.
    return np.maximum(hann, 0) ** 0.85 if name == "povey" else hann


def cosine_transform(n_ceps: int, n_mels: int) -> Float64Array:
    """First `n_ceps` rows of the orthonormal DCT-II, (n_ceps, n_mels).

    >>> rows = cosine_transform(3, 8)
    >>> bool(np.allclose(rows @ rows.T, np.eye(3)))
    True
    """
    order, band = np.arange(n_ceps)[:, None], np.arange(n_mels)
    rows: Float64Array = np.sqrt(2 / n_mels) * np.cos(np.pi * order * (band + 0.5) / n_mels)
    rows[0] /= np.sqrt(2)
    return rows


def lifter_weights(lifter: float, n_ceps: int, *, first_order: int) -> Float64Array:
    """Weights 1 + L/2 sin(pi n / L) of cepstra n = first_order, first_order + 1, ...; (n_ceps,), ones where L
    is 0.

    Kaldi and HTK count from 0 (the HTK Book, eq. 5.12), librosa from 1.

    >>> lifter_weights(22, 3, first_order=0).round(3).tolist()
    [1.0, 2.565, 4.099]
    """
    if lifter == 0:
        return np.ones(n_ceps)
    weights: Float64Array = 1 + lifter / 2 * np.sin(np.pi * (np.arange(n_ceps) + first_order) / lifter)
    return weights
