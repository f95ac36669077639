"""The compiled twins of what `log_mels` does around its products and its transform, and of the recursion of linear
prediction: the same bytes in less time.

All of it is done sample by sample in single steps of one rounding each, so that the order of work does not show in the
result: compiled or not, a recording has the same features. Products and logarithms stay with numpy.
"""

from collections.abc import Callable
from typing import Any, Final, NamedTuple

import numpy as np

from speechgmm.compiler import compiled

WORTH_COMPILING: Final = 200_000
"""Frames (33 minutes) that a process extracts before it compiles: the import costs what then was lost at the most."""

_n_frames = 0  # that this process has extracted


class BlockLoops(NamedTuple):
    """The loops over a block of frames."""

    widen: Callable[..., None]
    taper: Callable[..., None]
    power: Callable[..., None]
    cepstra: Callable[..., None]


def loops_after(n_frames: int) -> BlockLoops | None:
    """The compiled loops, where enough frames have been extracted; ``n_frames`` are counted from now on."""
    global _n_frames
    _n_frames += n_frames
    return block_loops() if _n_frames > WORTH_COMPILING else None


def block_loops() -> BlockLoops:
    """The compiled loops."""
    return BlockLoops(compiled(_widen), compiled(_taper), compiled(_power), compiled(_cepstra))


def _widen(samples: Any, wide: Any) -> None:
    """Samples (N,) and their squares in double precision, into the rows of wide (2, at least N)."""
    for i in range(len(samples)):
        value = np.float64(samples[i])
        wide[0, i] = value
        wide[1, i] = value * value


def _taper(run: Any, shift: Any, emphasis: Any, first_factor: Any, means: Any, window: Any, tapered: Any) -> None:
    """Frames of a run of samples into tapered (T, at least N): pre-emphasised, without means (T,), times the window.

    With pre-emphasis, a sample lies before the first frame. ``first_factor``: times the first sample of a frame, where
    that is not to see the sample before it; else 0. Behind each frame come zeros.
    """
    length = len(window)
    for t in range(len(tapered)):
        row, begin, mean = tapered[t], t * shift, means[t]
        if emphasis > 0:  # by slices: of an index that is a sum, the compiler asks whether it is negative
            before, frame = run[begin : begin + length], run[begin + 1 : begin + 1 + length]
            for i in range(length):
                row[i] = (frame[i] - emphasis * before[i] - mean) * window[i]
            if first_factor > 0:
                row[0] = (frame[0] * first_factor - mean) * window[0]
        else:
            frame = run[begin : begin + length]
            for i in range(length):
                row[i] = (frame[i] - mean) * window[i]
        row[length:] = 0


def _power(parts: Any, is_magnitude: Any, spectrum: Any) -> None:
    """Power or magnitude (T, N / 2 + 1) of what `real_transforms` returns (T, N)."""
    last = spectrum.shape[1] - 1
    for t in range(len(spectrum)):
        row, into = parts[t], spectrum[t]
        into[0] = row[0] * row[0]
        for k in range(1, last):
            into[k] = row[2 * k - 1] * row[2 * k - 1] + row[2 * k] * row[2 * k]
        into[last] = row[2 * last - 1] * row[2 * last - 1]
        if is_magnitude:
            for k in range(last + 1):
                into[k] = np.sqrt(into[k])


def _cepstra(lags: Any, cepstra: Any) -> None:
    """Cepstra (n_ceps, T) of all-pole models by their autocorrelations (order + 1, T), with the gain for c0."""
    n_lags, n_frames = lags.shape
    n_ceps = len(cepstra)
    predictors, before = np.zeros(n_lags), np.zeros(n_lags)
    for t in range(n_frames):
        predictors[:] = 0
        predictors[0] = 1
        negative_error = -lags[0, t]
        for n in range(1, n_lags):
            correlation = lags[n, t]
            for j in range(1, n):
                correlation += predictors[j] * lags[n - j, t]
            reflection = correlation / negative_error
            before[:n] = predictors[:n]
            for j in range(1, n + 1):
                predictors[j] += reflection * before[n - j]
            negative_error -= correlation * reflection
        cepstra[0, t] = -negative_error
        for n in range(1, n_ceps):
            cepstra[n, t] = predictors[n] * -n
            if n > 1:
                total = cepstra[1, t] * predictors[n - 1]
                for m in range(2, n):
                    total += cepstra[m, t] * predictors[n - m]
                cepstra[n, t] -= total
        for n in range(1, n_ceps):
            cepstra[n, t] /= n
