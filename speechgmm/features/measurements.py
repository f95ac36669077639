"""What is measured of a recording's samples while its features are made, so that nothing is read twice.

Digital silence (frames whose samples are all equal), level, offset, and the frequency up to which there is sound.
What follows from these numbers is said elsewhere.
"""

import math
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from speechgmm.features.fourier import real_transforms
from speechgmm.features.front_end import FrontEnd
from speechgmm.features.silence import Spans

Float32Array = NDArray[np.float32]

BLOCK: Final = 512
"""Samples of a spectrum."""

HOP: Final = 8192
"""Samples from one spectrum to the next; fewer in a short recording, which has about `LEAST_BLOCKS`."""

LEAST_BLOCKS: Final = 6

FLOOR: Final = 1e-6
"""Power, relative to the strongest band's, below which a band holds nothing: -60 dB. Measured on speech at 16 kHz
(TIMIT, LibriSpeech, Speech Commands), of which the bands above 4 kHz lie at -20 to -50 dB, and on the same brought up
from 8 kHz by four resamplers, where they lie at -70 to -95 dB."""

EDGE: Final = 10**2.5
"""Ratio of powers below and above the end of a band that a low-pass filter leaves, 25 dB; speech fades slower."""

LEAST_BAND: Final = 3000.0
"""Hz. A spectrum that ends lower is that of tones: speech is recorded at 8 kHz at least, and a telephone passes 3.4."""

NEARBY: Final = 0.15
"""Where the two powers are taken: so far below and above the end, as a share of it."""


class Measurements(NamedTuple):
    """What is known of a recording beside its frames."""

    level: float  # dB re full scale: RMS about the mean of the samples outside of digital silence
    offset: float  # mean of these samples, in [-1, 1]
    band: float  # Hz up to which there is sound: the end that a low-pass filter left, else half the lower of the rates
    rate: int  # Hz, of the file, from which it may have been resampled
    silent: Spans  # frames [first, stop) whose samples are all equal

    @classmethod
    def of(cls, values: Sequence[Any]) -> "Measurements":
        """The inverse of what JSON makes of them."""
        level, offset, band, rate, silent = values
        return cls(level, offset, band, rate, tuple((int(first), int(stop)) for first, stop in silent))

    @classmethod
    def of_no_samples(cls, rate: int) -> "Measurements":
        """Of frames that were given, whose samples nobody has: what is remarkable in no respect."""
        return cls(0.0, 0.0, rate / 2, rate, ())

    @property
    def n_silent(self) -> int:
        """Frames of digital silence."""
        return sum(stop - first for first, stop in self.silent)


class Measured:
    """Samples that pass through to whoever makes features of them, measured on the way.

    >>> from speechgmm.features import FeatureSpec, front_end, raw_features
    >>> tone = np.sin(np.arange(8000, dtype=np.float32))
    >>> passing = Measured([np.concatenate([tone, np.zeros(8000, np.float32)])], front_end(FeatureSpec(), 8000))
    >>> len(raw_features(FeatureSpec(), passing, 8000)[0])
    198
    >>> passing.result().silent
    ((100, 198),)
    """

    def __init__(self, pieces: Iterable[Float32Array], front: FrontEnd) -> None:
        """Name the samples: stretches (N,) of one recording at the front end's rate; they may be gone through again."""
        self.pieces, self.front = pieces, front
        self._reset()

    def _reset(self) -> None:
        self._n = 0  # samples gone through
        self._begin, self._value = 0, math.nan  # of the run of equal samples that is still open
        self._runs: list[tuple[int, int]] = []  # samples [first, stop) of runs that are as long as a frame
        self._sum = self._squares = 0.0
        self._power = np.zeros(BLOCK // 2 + 1)

    def __iter__(self) -> Iterator[Float32Array]:
        """The samples as they are."""
        self._reset()
        for piece in self.pieces:
            if len(piece):
                self._find_runs(piece)
                self._sum += float(piece.sum())
                self._squares += float(np.dot(piece, piece))
                self._add_spectra(piece)
                self._n += len(piece)
            yield piece
        self._close(self._n)

    def result(self, rate: int | None = None) -> Measurements:
        """What was measured of the samples that have passed, of a file at ``rate`` Hz (None: that of the samples)."""
        rate = rate or self.front.sample_rate
        value = 0.0 if math.isnan(self._value) else self._value
        n_silent = sum(stop - first for first, stop in self._runs) if value == 0 else 0
        n_heard = max(1, self._n - n_silent)  # the mean of a run at another value is that of the recording
        offset = self._sum / n_heard
        variance = max(self._squares / n_heard - offset**2, 1e-20)
        level, band = round(10 * math.log10(variance), 2), min(self._band(), rate / 2)
        return Measurements(level, round(offset, 6), band, rate, self._silent_frames())

    def _find_runs(self, piece: Float32Array) -> None:
        """Runs of equal samples that are as long as a frame, those that go on from stretch to stretch too."""
        length, n, begin = self.front.frame_length, len(piece), self._n
        if piece[0] != self._value:
            self._close(begin)
            self._begin = begin
        self._value, last = float(piece[-1]), piece[-1]
        if n > 4 * length and not self._may_hold_a_run(piece):  # only the ends may belong to one
            self._close(begin + int((piece[: 2 * length] != piece[0]).argmax()))
            self._begin = begin + n - int((piece[: -2 * length : -1] != last).argmax())
            return
        changes = np.flatnonzero(piece[1:] != piece[:-1]) + 1
        if len(changes):
            self._close(begin + int(changes[0]))
            long = np.flatnonzero(np.diff(changes) >= self.front.frame_length)
            self._runs += [(begin + int(changes[k]), begin + int(changes[k + 1])) for k in long]
            self._begin = begin + int(changes[-1])

    def _may_hold_a_run(self, piece: Float32Array) -> bool:
        """Whether so many of every eighth of a frame's samples are equal, one after another, as in a run."""
        step = max(1, self.front.frame_length // 8)
        some = piece[::step]
        return b"\1" * (self.front.frame_length // step - 1) in (some[1:] == some[:-1]).tobytes()

    def _close(self, stop: int) -> None:
        """End the open run."""
        if stop - self._begin >= self.front.frame_length:
            self._runs.append((self._begin, stop))
        self._begin = stop

    def _silent_frames(self) -> tuple[tuple[int, int], ...]:
        """The frames that lie within runs; what overhangs the recording's edges is taken to be as the edge is."""
        front, n_frames = self.front, self.front.n_frames(self._n)
        found = []
        for begin, end in self._runs:
            first = 0 if begin == 0 else -((front.first_start - begin) // front.frame_shift)
            stop = (end - front.frame_length - front.first_start) // front.frame_shift + 1
            first, stop = max(0, first), n_frames if end == self._n else min(stop, n_frames)
            if first < stop:
                found.append((first, stop))
        return tuple(found)

    def _add_spectra(self, piece: Float32Array) -> None:
        """Add the powers of stretches of these samples."""
        n = len(piece)
        if n < BLOCK:
            if self._n == 0:  # too short for one spectrum: what there is
                self._power += _powers(np.pad(piece, (0, BLOCK - n))[None])
            return
        hop = min(HOP, max(1, (n - BLOCK) // LEAST_BLOCKS))
        shape, step = (1 + (n - BLOCK) // hop, BLOCK), piece.itemsize
        self._power += _powers(np.ndarray(shape, piece.dtype, np.ascontiguousarray(piece), 0, (hop * step, step)))

    def _band(self) -> float:
        """Where a low-pass filter ended the spectrum, in Hz; half the rate where none did."""
        nyquist = self.front.sample_rate / 2
        power = np.convolve(self._power, _FIVE, "same")
        (above,) = (power > FLOOR * power.max()).nonzero()
        end = int(above[-1]) if len(above) else 0
        low, high = (round(end * (1 + sign * NEARBY)) for sign in (-1, 1))
        if nyquist * end / (len(power) - 1) < LEAST_BAND or high >= len(power) or power[low] < EDGE * power[high]:
            return nyquist
        return round(nyquist * end / (len(power) - 1), 1)


_FIVE: Final = np.ones(5)
_WINDOW: Final = np.hanning(BLOCK).astype(np.float32)


def _powers(blocks: Float32Array) -> NDArray[np.float64]:
    """The powers of several stretches, (K, BLOCK), added up: (BLOCK // 2 + 1,)."""
    parts = real_transforms(blocks * _WINDOW)
    squares = np.square(parts, out=parts).sum(axis=0)
    power = np.empty(BLOCK // 2 + 1)
    power[0], power[-1] = squares[0], squares[-1]
    np.add(squares[1:-1:2], squares[2:-1:2], out=power[1:-1])
    return power
