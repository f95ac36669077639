"""Pitch and voicing of frames, by the frames' own samples: YIN (de Cheveigné & Kawahara 2002), which is librosa's.

Owns where the windows lie (centred where the front end's frames are), and the correlation that says how voiced a frame
is. Nothing here looks at the level of a recording.
"""

from collections.abc import Iterable, Iterator
from itertools import tee
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from speechgmm.features.framing import BLOCK, runs
from speechgmm.features.front_end import FrontEnd

Float32Array = NDArray[np.float32]

LOW: Final = 60.0  # Hz
HIGH: Final = 400.0  # Hz

_WINDOW: Final = 0.064  # s: nearly four periods of the lowest pitch


class Voicing(NamedTuple):
    """Of the frames of a block."""

    log_pitch: NDArray[np.float64]  # (T,) natural logarithm of Hz
    correlation: NDArray[np.float64]  # (T,) of a frame with itself one period later, -1 to 1
    log_energy: NDArray[np.float64]  # (T,) in nats, of samples in [-1, 1]


def voicing_blocks(front: FrontEnd, samples: Iterable[Float32Array]) -> Iterator[Voicing]:
    """Pitch between 60 and 400 Hz and voicing of every frame, a block of frames at a time.

    samples: those of a recording, at least one frame, one stretch after another, at the front end's rate.

    >>> from speechgmm.features import FeatureSpec, front_end
    >>> tone = np.sign(np.sin(2 * np.pi * 125 * np.arange(4000) / 8000)).astype(np.float32)
    >>> block = next(voicing_blocks(front_end(FeatureSpec(), 8000), [tone]))
    >>> np.exp(block.log_pitch[5:-5]).round().mean().item(), block.correlation[5:-5].mean().round(2).item()
    (125.0, 0.99)
    """
    import librosa

    width = _width(front)
    held = np.zeros(BLOCK * front.frame_shift + width, np.float32)
    for run, _ in runs(samples, width, front.frame_shift, _first(front), "zeros", front.n_frames, held):
        pitch = librosa.yin(
            run,
            fmin=LOW,
            fmax=HIGH,
            sr=front.sample_rate,
            frame_length=width,
            hop_length=front.frame_shift,
            center=False,
        )
        frames = np.lib.stride_tricks.sliding_window_view(run, width)[:: front.frame_shift].astype(np.float64)
        yield Voicing(
            np.log(pitch),
            _correlation(frames, np.rint(front.sample_rate / pitch).astype(int)),
            np.log(np.maximum(np.sum(frames**2, axis=1), 1e-10)),
        )


class PitchColumns:
    """Samples that pass through to whoever makes features of them; their pitch and voicing are two columns more.

    Holds no more of a recording than a block of frames beside what is asked for at once.

    >>> from speechgmm.features import FeatureSpec, front_end
    >>> passing = PitchColumns(front_end(FeatureSpec(), 8000), [np.ones(4000, np.float32)])
    >>> sum(piece.size for piece in passing), passing.columns().shape
    (4000, (48, 2))
    """

    def __init__(self, front: FrontEnd, pieces: Iterable[Float32Array]) -> None:
        self._front = front
        self._samples, heard = tee(pieces)
        self._blocks = voicing_blocks(front, heard)
        self._found: list[Float32Array] = []

    def __iter__(self) -> Iterator[Float32Array]:
        """The samples as they are."""
        front, n_passed = self._front, 0
        for piece in self._samples:
            n_passed += piece.size
            # The samples of a block have all passed, so that to make it asks for no more.
            while n_passed >= _first(front) + (len(self._found) + 1) * BLOCK * front.frame_shift + _width(front):
                self._take(next(self._blocks))
            yield piece
        for block in self._blocks:
            self._take(block)

    def _take(self, block: Voicing) -> None:
        self._found.append(np.stack([block.log_pitch, block.correlation], axis=1).astype(np.float32))

    def columns(self) -> Float32Array:
        """(T, 2) log pitch and voicing of every frame, once all samples have passed."""
        return np.concatenate(self._found)


def _width(front: FrontEnd) -> int:
    """Samples of a window."""
    return 2 * round(_WINDOW / 2 * front.sample_rate)


def _first(front: FrontEnd) -> int:
    """Sample at which the first window begins; mostly negative."""
    return round(front.first_centre) - _width(front) // 2


def _correlation(frames: NDArray[np.float64], lags: NDArray[np.int_]) -> NDArray[np.float64]:
    """Of each frame (T, N) with itself so many samples later, (T,), over what the two share."""
    at = np.arange(frames.shape[1])
    shared = at < frames.shape[1] - lags[:, None]
    early = np.where(shared, frames, 0)
    late = np.where(shared, np.take_along_axis(frames, np.minimum(at + lags[:, None], frames.shape[1] - 1), axis=1), 0)
    power = np.sqrt(np.sum(early**2, axis=1) * np.sum(late**2, axis=1))
    found: NDArray[np.float64] = np.sum(early * late, axis=1) / np.maximum(power, 1e-10)
    return found
