"""The frames that a speech detector looks at: cepstra with their derivatives, and how periodic the signal is.

They are made of samples that pass through to whoever makes other features of them; two stretches of samples are held,
and the frames of the whole recording.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from speechgmm.features.dynamics import with_dynamics
from speechgmm.features.extraction import static_features
from speechgmm.features.framing import BLOCK
from speechgmm.features.front_end import FrontEnd, front_end
from speechgmm.features.periodicity import periodicity, window_length
from speechgmm.features.spec import FeatureSpec

Float32Array = NDArray[np.float32]

FRONT_END: Final = FeatureSpec(n_mels=24, n_ceps=13, use_energy=False, deltas=2, delta_window=3)
"""Cepstra with c0, which says the level, and two orders of derivatives."""

_AT_ONCE: Final = 8 * BLOCK  # frames made of the samples that came
_AROUND: Final = (2, 15)  # frames on either side that a periodicity is averaged over, for each of two columns
_SCALE: Final = 10.0  # of periodicity: its variance is then near that of cepstra


@dataclass(slots=True)
class SpeechFrames:
    """Lets the samples of one recording through and makes the frames of a speech detector of them.

    >>> passing = SpeechFrames(8000)
    >>> sum(piece.size for piece in passing.through([np.ones(4000, np.float32)]))
    4000
    >>> frames, energy = passing.result()
    >>> frames.shape, energy.shape
    ((48, 41), (48,))
    """

    sample_rate: int  # Hz
    spec: FeatureSpec = FRONT_END
    _parts: list[tuple[Float32Array, Float32Array, Float32Array]] = field(default_factory=list)
    _rest: list[Float32Array] = field(default_factory=list)  # samples of frames that are still to come

    @property
    def front(self) -> FrontEnd:
        """The front end of the cepstra."""
        return front_end(self.spec, self.sample_rate)

    @property
    def n_dims(self) -> int:
        """Dimensions of a frame, D."""
        return self.front.n_dims + len(_AROUND)

    def through(self, pieces: Iterable[Float32Array]) -> Iterator[Float32Array]:
        """The same samples (N,), in the same pieces."""
        front = self.front
        wanted = (_AT_ONCE - 1) * front.frame_shift + window_length(self.sample_rate)
        self._rest = [np.zeros(self._before, np.float32)]
        for piece in pieces:
            self._rest.append(piece.copy())  # a reader may use its buffer again
            while sum(map(len, self._rest)) >= wanted:
                self._take(_AT_ONCE)
            yield piece
        n_frames = front.n_frames(sum(map(len, self._rest)) - self._before)
        self._rest.append(np.zeros(window_length(self.sample_rate), np.float32))
        if n_frames > 0:
            self._take(n_frames)

    def result(self) -> tuple[Float32Array, Float32Array]:
        """Frames (T, D) and their log energies (T,) in nats, of 16-bit samples, once all samples went through."""
        front = self.front
        if not self._parts:
            return np.zeros((0, self.n_dims), np.float32), np.zeros(0, np.float32)
        cepstra, energy, periodic = (np.concatenate(each) for each in zip(*self._parts, strict=True))
        frames = with_dynamics(self.spec, cepstra, front.delta_method)
        columns = [_SCALE * averaged(periodic[:, None], width) for width in _AROUND]
        return np.hstack([frames, *columns]).astype(np.float32), energy

    @property
    def _before(self) -> int:
        """Samples of a window of periodicity before the frame with the same middle."""
        return max(0, window_length(self.sample_rate) - self.front.frame_length) // 2

    def _take(self, n_frames: int) -> None:
        """Make the next frames of the samples that are there."""
        front = self.front
        samples = np.concatenate(self._rest)
        stop = self._before + (n_frames - 1) * front.frame_shift + front.frame_length
        cepstra, energy = static_features(front, samples[self._before : stop])
        periodic = periodicity(samples, np.arange(n_frames) * front.frame_shift, self.sample_rate)
        self._parts.append((cepstra, energy, periodic))
        self._rest = [samples[n_frames * front.frame_shift :].copy()]


def averaged(values: NDArray[np.floating], width: int) -> NDArray[np.float64]:
    """The means (T, D) of rows (T, D) over ``width`` rows on either side, fewer at the edges.

    >>> averaged(np.array([[0.0], [3.0], [6.0]]), 1).ravel().tolist()
    [1.5, 3.0, 4.5]
    """
    sums = np.concatenate([np.zeros((1, values.shape[1])), np.cumsum(values, axis=0, dtype=np.float64)])
    at = np.arange(len(values))
    first, stop = np.maximum(at - width, 0), np.minimum(at + width + 1, len(values))
    return np.asarray((sums[stop] - sums[first]) / (stop - first)[:, None])
