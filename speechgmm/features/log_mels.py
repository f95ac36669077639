"""From samples to the logarithms of mel bands, a block of frames at a time, in buffers that are used again.

Owns the arithmetic of a block. Frames are worked on `BLOCK` at a time in float32, so that the work stays near the
processor. A thread keeps the buffers of the front end that it used last, and the transform works in place (which
scipy.fftpack allows and scipy.fft does not): fresh memory costs more than what is computed in it. Products of matrices
always have `BLOCK` rows, filled up at the end of a recording with what lies there, because their last bits depend on
the number of rows. So a frame depends on its own samples and its place in its block, never on what follows or on what
else is extracted.

Neighbouring frames overlap: pre-emphasis, and the sums for means and energies, are made once for all samples.
"""

import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Final

import numpy as np
from numpy.typing import NDArray

from speechgmm.features.compiled import BlockLoops, loops_after
from speechgmm.features.fourier import real_transforms
from speechgmm.features.framing import BLOCK, runs
from speechgmm.features.front_end import FrontEnd
from speechgmm.features.presets import PRESETS

Float32Array = NDArray[np.float32]
Float64Array = NDArray[np.float64]

_ROWS: Final = 16  # frames: the stages before the products stop at the next multiple of this

_kept = threading.local()


class LogMels:
    """The buffers of one front end and what is done in them; for one recording at a time."""

    def __init__(self, front: FrontEnd) -> None:
        length, shift, dtype = front.frame_length, front.frame_shift, front.window.dtype
        span = (BLOCK - 1) * shift + length
        self.front = front
        n_shifts, rest = divmod(length, shift)
        self._shifts = np.zeros((2, BLOCK + n_shifts, shift))  # of samples and of their squares
        self._wide = self._shifts.reshape(2, -1)
        self._ends = np.stack([np.ones(shift), np.arange(shift) < rest], axis=1)
        self._held = np.zeros(BLOCK * shift + length + 1, dtype=np.float32)
        self._emphasised = np.zeros(span, dtype=np.float32)
        step = self._emphasised.itemsize
        self._frames = np.lib.stride_tricks.as_strided(self._emphasised, (BLOCK, length), (shift * step, step))
        self._means = np.zeros(BLOCK, dtype=np.float32)  # what pre-emphasis leaves of them
        self._padded = np.zeros((BLOCK, front.n_fft), dtype=dtype)
        self._spectrum = np.zeros((BLOCK, front.n_fft // 2 + 1), dtype=np.float32)
        self._logs = np.empty((BLOCK, len(front.filterbank) or front.n_fft // 2 + 1), dtype=np.float32)
        self._products = [
            (self._spectrum[:, bins], front.filterbank[bands, bins].T, self._logs[:, bands])
            for bands, bins in (_two_parts(front.filterbank) if len(front.filterbank) else ())
        ]

    def of(self, pieces: Iterable[Float32Array]) -> Iterator[tuple[Float32Array, Float64Array]]:
        """Natural logs of bands or bins, (BLOCK, n), and energies of the frames, (T,) with T <= BLOCK, of each block.

        pieces: the samples of a recording, as `runs` takes them. Energies are sums of squares about the mean, where the
        front end takes it off; without ``raw_energy``, of what is transformed. Rows of a block beyond T mean nothing.
        The bands of a block are valid until the next one is asked for.
        """
        front = self.front
        lead = 1 if front.preemphasis else 0  # the sample before each frame, for pre-emphasis
        width, start = front.frame_length + lead, front.first_start - lead
        held = self._held[: BLOCK * front.frame_shift + width]
        for run, n_frames in runs(pieces, width, front.frame_shift, start, front.edges, front.n_frames, held):
            loops = loops_after(n_frames)
            sums, energy = self._sums(run[lead:], loops)[:, :n_frames]
            n_rows = -(-n_frames // _ROWS) * _ROWS
            if front.remove_mean:
                means = sums / front.frame_length
                energy -= sums * means
                np.multiply(means, 1 - front.preemphasis, out=self._means[:n_frames], casting="same_kind")
            self._taper(run, n_frames, n_rows, loops)
            if not front.spec.raw_energy:
                tapered = self._padded[:n_frames, : front.frame_length] / np.float64(PRESETS[front.spec.preset].scale)
                energy = np.add.reduce(np.square(tapered), axis=1)
            self._transform(n_rows, loops)
            yield self._logs, energy

    def _sums(self, samples: Float32Array, loops: BlockLoops | None) -> Float64Array:
        """Sums of samples and of their squares over every frame, (2, BLOCK).

        By sums over the shifts that a frame holds and over the part of one at its end; in double precision: of a frame
        far from zero, little is left once its mean is taken off.
        """
        if loops:
            loops.widen(samples, self._wide)
        else:
            values, squares = self._wide[:, : samples.size]
            values[:] = samples
            np.multiply(values, values, out=squares)
        n_shifts = len(self._shifts[0]) - BLOCK
        parts = self._shifts @ self._ends
        total = parts[:, n_shifts:, 1].copy()
        for k in range(n_shifts):
            total += parts[:, k : k + BLOCK, 0]
        return total

    def _taper(self, run: Float32Array, n_frames: int, n_rows: int, loops: BlockLoops | None) -> None:
        """Frames without their means, pre-emphasised and tapered, into the transform's buffer."""
        front, tapered = self.front, self._padded[:n_rows, : self.front.frame_length]
        emphasis, frames = np.float32(front.preemphasis), self._frames[:n_rows]
        first_factor = np.float32(1 - front.preemphasis if front.preemphasis and not front.across_frames else 0)
        if loops:
            padded = self._padded[:n_rows]
            loops.taper(run, front.frame_shift, emphasis, first_factor, self._means, front.window, padded[:n_frames])
            padded[n_frames:] = 0
            return
        if front.preemphasis:
            emphasised = np.multiply(run[:-1], emphasis, out=self._emphasised[: run.size - 1])
            np.subtract(run[1:], emphasised, out=emphasised)
        else:
            self._emphasised[: run.size] = run
        if front.remove_mean:
            frames = np.subtract(frames, self._means[:n_rows, None], out=tapered)
        np.multiply(frames, front.window, out=tapered)
        if first_factor:
            first = run[1 :: front.frame_shift][:n_frames] * first_factor
            first -= self._means[:n_frames]
            np.multiply(first, front.window[0], out=tapered[:n_frames, 0])
        self._padded[:n_rows, front.frame_length :] = 0  # where the transform before left its results

    def _transform(self, n_rows: int, loops: BlockLoops | None) -> None:
        """Logs of the mel bands of what lies in the transform's buffer."""
        front, spectrum, is_magnitude = self.front, self._spectrum[:n_rows], self.front.spectrum == "magnitude"
        parts = real_transforms(self._padded[:n_rows])
        if loops:
            loops.power(parts, is_magnitude, spectrum)
        else:
            np.square(parts, out=parts)
            spectrum[:, 0], spectrum[:, -1] = parts[:, 0], parts[:, -1]
            np.add(parts[:, 1:-1:2], parts[:, 2:-1:2], out=spectrum[:, 1:-1], casting="same_kind")
            if is_magnitude:
                np.sqrt(spectrum, out=spectrum)
        for bins, bank, bands in self._products:
            np.matmul(bins, bank, out=bands)
        mels = self._logs[:n_rows]
        np.maximum(mels if self._products else spectrum, np.float32(front.floor), out=mels)
        np.log(mels, out=mels)
        self._logs[n_rows:] = 0  # products left energies there


def _two_parts(filterbank: Float32Array) -> list[tuple[slice, slice]]:
    """Low bands and high bands, each with the bins that they sum: two products cost half of one with all bins.

    >>> _two_parts(np.array([[1, 1, 0, 0], [0, 1, 1, 0], [0, 0, 0, 1]], dtype=np.float32))
    [(slice(0, 2, None), slice(0, 3, None)), (slice(2, 3, None), slice(3, 4, None))]
    """
    n_bands, n_bins = filterbank.shape
    first, stop = (filterbank > 0).argmax(axis=1), n_bins - (filterbank[:, ::-1] > 0).argmax(axis=1)

    def parts(cut: int) -> list[tuple[slice, slice]]:
        bands = [slice(0, cut), slice(cut, n_bands)] if cut else [slice(0, n_bands)]
        return [(one, slice(int(first[one].min()), int(stop[one].max()))) for one in bands]

    def cost(cut: int) -> int:
        return sum((bands.stop - bands.start) * (bins.stop - bins.start) for bands, bins in parts(cut))

    return parts(min(range(n_bands), key=cost))


@contextmanager
def log_mels(front: FrontEnd) -> Iterator[LogMels]:
    """The buffers of a front end: those that this thread used last, where they are of the same one.

    >>> from speechgmm.features import FeatureSpec, front_end
    >>> with log_mels(front_end(FeatureSpec(), 8000)) as buffers:
    ...     [(logs.shape, energy.shape) for logs, energy in buffers.of([np.ones(800, dtype=np.float32)])]
    [((160, 23), (8,))]
    """
    # Taken away while it is in use: whoever makes the pieces may extract features too.
    buffers: LogMels | None = _kept.__dict__.pop("buffers", None)
    if buffers is None or buffers.front is not front:
        buffers = LogMels(front)
    yield buffers
    _kept.buffers = buffers
