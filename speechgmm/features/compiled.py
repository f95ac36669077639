"""The compiled twins of what `log_mels` does around its products and its transform: the same bytes in less time.

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


def loops_after(n_frames: int) -> BlockLoops | None:
    """The compiled loops, where enough frames have been extracted; ``n_frames`` are counted from now on."""
    global _n_frames
    _n_frames += n_frames
    return block_loops() if _n_frames > WORTH_COMPILING else None


def block_loops() -> BlockLoops:
    """The compiled loops."""
    return BlockLoops(compiled(_widen), compiled(_taper), compiled(_power))


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
