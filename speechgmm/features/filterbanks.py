"""Filterbanks as matrices (n_mels, n_fft // 2 + 1), from the frequencies alone.

Owns the two mel scales in use, the three ways of laying triangles on them, the bank that is linear in Hz, and the warp
of the frequency axis. Takes no logarithm and knows no preset; a band without a single Fourier bin is refused, since
its output would be the same number in every frame.
"""

from collections.abc import Callable
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from speechgmm.errors import ConfigError

Float64Array = NDArray[np.float64]
_SLANEY_LINEAR = 200 / 3  # Hz per mel below 1 kHz
_SLANEY_LOG = np.log(6.4) / 27  # log Hz per mel above


def hz_to_mel(frequency: ArrayLike) -> Float64Array:
    """Mel of a frequency in Hz as HTK and Kaldi have it: 1127 ln(1 + f / 700) (O'Shaughnessy 1987).

    >>> float(hz_to_mel(1000.0).round(1))
    1000.0
    """
    return 1127 * np.log1p(np.asarray(frequency, dtype=np.float64) / 700)


def mel_to_hz(mel: ArrayLike) -> Float64Array:
    """Frequency in Hz of a mel; the inverse of `hz_to_mel`.

    >>> float(mel_to_hz(hz_to_mel(440.0)).round(6))
    440.0
    """
    return 700 * np.expm1(np.asarray(mel, dtype=np.float64) / 1127)


def hz_to_slaney_mel(frequency: ArrayLike) -> Float64Array:
    """Mel of a frequency in Hz in the Auditory Toolbox: linear to 1 kHz, logarithmic above (Slaney 1998).

    >>> float(hz_to_slaney_mel(1000.0))
    15.0
    """
    hz = np.asarray(frequency, dtype=np.float64)
    return np.where(hz < 1000, hz / _SLANEY_LINEAR, 15 + np.log(np.maximum(hz, 1000) / 1000) / _SLANEY_LOG)


def slaney_mel_to_hz(mel: ArrayLike) -> Float64Array:
    """Frequency in Hz of a mel in the Auditory Toolbox; the inverse of `hz_to_slaney_mel`.

    >>> float(slaney_mel_to_hz(15.0))
    1000.0
    """
    mels = np.asarray(mel, dtype=np.float64)
    return np.where(mels < 15, mels * _SLANEY_LINEAR, 1000 * np.exp((np.maximum(mels, 15) - 15) * _SLANEY_LOG))


Knots = tuple[float | None, float | None]
"""Lower and upper frequency in Hz that a setting names, where a warped axis bends; None: by default."""

BAND_SETTINGS: Final = ("n_mels", "low_frequency", "high_frequency", "warp", "warp_low", "warp_high")
"""Settings that a filterbank is made from."""

NO_KNOTS: Final[Knots] = (None, None)

Bank = Callable[[int, int, float, float, float, float, Knots], Float64Array]
"""A filterbank of (n_mels, n_fft, sample_rate, low, high, warp, knots)."""

_WARP_LOW = 100.0  # Hz, Kaldi's vtln_low
_WARP_HIGH = 500.0  # Hz below half the sampling rate, Kaldi's vtln_high


def warp_frequencies(
    frequency: ArrayLike,
    warp: float,
    sample_rate: float,
    low: float,
    high: float,
    knots: Knots = NO_KNOTS,
    *,
    htk: bool = False,
) -> Float64Array:
    """Where the edge of a band at `frequency` Hz goes so that the recording sounds `warp` times as high.

    frequency / warp between two knots, and straight lines from there to `low` and `high`, which stay (Kaldi,
    mel-computations, VtlnWarpFreq, with its knots 100 Hz and 500 Hz below half the rate; a band that does not hold
    one of them, which Kaldi refuses, has it 80 Hz above `low` or 500 Hz below `high`). `htk`: two `knots` are taken as
    HTK takes WARPLCUTOFF and WARPUCUTOFF, each half way between a knot and where it goes (HTK 3.4, HSigP, WarpFreq).
    All in Hz, any shape. Raises `ConfigError` where no straight part is left between the knots.

    >>> warp_frequencies([20.0, 2100.0, 8000.0], 1.05, 16000, 20, 8000).round(6).tolist()
    [20.0, 2000.0, 8000.0]
    """
    hz = np.asarray(frequency, dtype=np.float64)
    if warp == 1:
        return hz
    lower, upper = _knots(warp, sample_rate, low, high, knots, htk)
    if not (low < min(lower, lower / warp) and lower < upper and max(upper, upper / warp) < high):
        raise ConfigError(
            f"features.warp: {warp:g} on a band from {low:g} to {high:g} Hz, which is too narrow to be warped "
            f"between {lower:g} and {upper:g} Hz; widen the band, move warp_low and warp_high, or leave warp out"
        )
    return np.interp(hz, [low, lower, upper, high], [low, lower / warp, upper / warp, high])


def _knots(warp: float, sample_rate: float, low: float, high: float, named: Knots, htk: bool) -> tuple[float, float]:
    """Where the axis before the warp bends, in Hz."""
    if htk and named[0] is not None and named[1] is not None:
        return named[0] * 2 / (1 + 1 / warp), named[1] * 2 / (1 + 1 / warp)
    lower = _WARP_LOW if low < _WARP_LOW else low + 80
    upper = sample_rate / 2 - _WARP_HIGH
    upper = upper if upper < high else high - _WARP_HIGH
    lower, upper = lower if named[0] is None else named[0], upper if named[1] is None else named[1]
    return lower * max(1.0, warp), upper * min(1.0, warp)


def kaldi_bank(
    n_mels: int, n_fft: int, sample_rate: float, low: float, high: float, warp: float = 1.0, knots: Knots = NO_KNOTS
) -> Float64Array:
    """Triangles of height 1, linear in mel, on `hz_to_mel`; the Nyquist bin belongs to none (Kaldi,
    mel-computations).

    `low` and `high` are the outer edges in Hz, `warp` is `warp_frequencies`'. Returns (n_mels, n_fft // 2 + 1).
    Raises `ConfigError` where a band holds no Fourier bin.

    >>> kaldi_bank(23, 512, 16000, 20, 8000).shape
    (23, 257)
    """
    edges = mel_edges(n_mels, sample_rate, low, high, warp, knots)
    bank = _triangles(hz_to_mel(_bin_frequencies(n_fft, sample_rate)), edges)
    bank[:, -1] = 0
    return _without_empty_bands(bank, n_fft, sample_rate)


def mel_edges(
    n_mels: int,
    sample_rate: float,
    low: float,
    high: float,
    warp: float = 1.0,
    knots: Knots = NO_KNOTS,
    *,
    htk: bool = False,
) -> Float64Array:
    """Edges of `kaldi_bank`, and with `htk` of `htk_bank`, in mel: (n_mels + 2,); those between the outer two are the
    bands' centres.

    The rest as for `warp_frequencies`.

    >>> mel_to_hz(mel_edges(2, 16000, 0, 8000)).round().tolist()
    [0.0, 921.0, 3056.0, 8000.0]
    """
    edges = np.linspace(hz_to_mel(low), hz_to_mel(high), n_mels + 2)
    if warp == 1:
        return edges
    return hz_to_mel(warp_frequencies(mel_to_hz(edges), warp, sample_rate, low, high, knots, htk=htk))


def htk_bank(
    n_mels: int, n_fft: int, sample_rate: float, low: float, high: float, warp: float = 1.0, knots: Knots = NO_KNOTS
) -> Float64Array:
    """`kaldi_bank` with the bins at the two edges left out as HTK's ``klo`` and ``khi`` do (HTK 3.4, HSigP
    InitFBank).

    `low` and `high` are LOFREQ and HIFREQ in Hz. With `knots` (WARPLCUTOFF and WARPUCUTOFF, for which HTK has no
    defaults) `warp` is HTK's WARPFREQ; without them it is Kaldi's warp (`warp_frequencies`). Returns
    (n_mels, n_fft // 2 + 1).
    Raises `ConfigError` where a band holds no Fourier bin.

    >>> htk_bank(26, 512, 16000, 0, 8000)[:, 0].any()
    np.False_
    """
    edges = mel_edges(n_mels, sample_rate, low, high, warp, knots, htk=True)
    bank = _triangles(hz_to_mel(_bin_frequencies(n_fft, sample_rate)), edges)
    bank[:, -1] = 0
    # HTK counts bins from 1: bins klo - 1 ... khi - 1 of ours remain.
    first = max(int(low * n_fft / sample_rate + 2.5), 2) - 1
    stop = min(int(high * n_fft / sample_rate + 0.5), n_fft // 2)
    bank[:, :first] = 0
    bank[:, stop:] = 0
    return _without_empty_bands(bank, n_fft, sample_rate)


def slaney_bank(
    n_mels: int, n_fft: int, sample_rate: float, low: float, high: float, warp: float = 1.0, knots: Knots = NO_KNOTS
) -> Float64Array:
    """Triangles of equal area, linear in Hz, on the Auditory Toolbox's scale; librosa's default bank.

    `low` and `high` are the outer edges in Hz, `warp` is `warp_frequencies`'. Returns (n_mels, n_fft // 2 + 1).
    Raises `ConfigError` where a band holds no Fourier bin.

    >>> slaney_bank(40, 512, 16000, 133.3333, 6853.84).shape
    (40, 257)
    """
    edges = slaney_mel_to_hz(np.linspace(hz_to_slaney_mel(low), hz_to_slaney_mel(high), n_mels + 2))
    edges = warp_frequencies(edges, warp, sample_rate, low, high, knots)
    bank = _triangles(_bin_frequencies(n_fft, sample_rate), edges)
    bank *= (2 / (edges[2:] - edges[:-2]))[:, None]
    return _without_empty_bands(bank, n_fft, sample_rate)


def linear_bank(
    n_mels: int, n_fft: int, sample_rate: float, low: float, high: float, warp: float = 1.0, knots: Knots = NO_KNOTS
) -> Float64Array:
    """Triangles of height 1, their edges and peaks equally spaced in Hz (Sahidullah, Kinnunen & Hanilçi 2015).

    `low` and `high` are the outer edges in Hz, `warp` is `warp_frequencies`'. Returns (n_mels, n_fft // 2 + 1).
    Raises `ConfigError` where a band holds no Fourier bin.

    >>> linear_bank(3, 8, 8000, 0, 4000)
    array([[0., 1., 0., 0., 0.],
           [0., 0., 1., 0., 0.],
           [0., 0., 0., 1., 0.]])
    """
    edges = warp_frequencies(np.linspace(low, high, n_mels + 2), warp, sample_rate, low, high, knots)
    return _without_empty_bands(_triangles(_bin_frequencies(n_fft, sample_rate), edges), n_fft, sample_rate)


def _bin_frequencies(n_fft: int, sample_rate: float) -> Float64Array:
    """Frequency of each bin of a real Fourier transform in Hz, (n_fft // 2 + 1,)."""
    return np.arange(n_fft // 2 + 1, dtype=np.float64) * (sample_rate / n_fft)


def _triangles(at: Float64Array, edges: Float64Array) -> Float64Array:
    """Triangle k, from 0 at edges[k] to 1 at edges[k + 1] to 0 at edges[k + 2], read off at `at`."""
    left, centre, right = edges[:-2, None], edges[1:-1, None], edges[2:, None]
    rising, falling = (at - left) / (centre - left), (right - at) / (right - centre)
    triangles: Float64Array = np.maximum(0.0, np.minimum(rising, falling))
    return triangles


def _without_empty_bands(bank: Float64Array, n_fft: int, sample_rate: float) -> Float64Array:
    empty = np.flatnonzero(~bank.any(axis=1))
    if empty.size:
        raise ConfigError(
            f"features.n_mels: {len(bank)} bands with n_fft: {n_fft} at {sample_rate:g} Hz leave band "
            f"{empty[0] + 1} ({empty.size} in all) narrower than the {sample_rate / n_fft:.1f} Hz between "
            "Fourier bins, so that it would hold nothing; lower n_mels or raise n_fft"
        )
    return bank
