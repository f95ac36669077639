"""Where two speak: a mixture of single speech against a mixture of overlapping speech, over cepstra and their deltas.

The mean of a recording's speech is taken away, so that what counts is how a moment differs from the rest: two speakers
are louder, and their spectra fill each other's gaps. The log ratio of the mixtures is averaged over half a second and
goes through a Viterbi path with a least duration (Boakye, Trueba-Hornero, Vinyals & Friedland 2008, Overlapped speech
detection for improved speaker diarization in multiparty meetings, ICASSP). Owns the detector and its training. Knows no
speaker.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.ndimage import uniform_filter1d

from speechgmm.errors import DataError
from speechgmm.features.deltas import append_deltas
from speechgmm.gmm import DiagGMM, fit_gmm, log_likelihoods
from speechgmm.tasks.diarization.resegmentation import best_turns

Floats = NDArray[np.float64]

COMPONENTS: Final = 32
"""Gaussians of each mixture."""

_BLOCK: Final = 10
"""Frames that are decided on together."""

_SMOOTHED: Final = 51
"""Frames over which the log ratio is averaged."""

_MINIMUM: Final = 3
"""Blocks of overlap, and between overlaps, at least."""

_COST: Final = 0.5
"""Nats of a change."""

_MOST: Final = 10.0
"""Nats: a frame's log ratio counts as so much at most, either way."""


@dataclass(frozen=True, slots=True, eq=False)
class OverlapDetector:
    """Two mixtures, and how much more probable overlap must be."""

    one: DiagGMM  # of frames in which one speaks
    two: DiagGMM  # of frames in which two speak
    threshold: float  # nats per frame

    def ratios(self, frames: ArrayLike, speech: ArrayLike) -> Floats:
        """The smoothed log ratio (n,) of the n frames of speech, in nats.

        Parameters
        ----------
        frames
            (T, D) cepstra of the whole recording.
        speech
            (T,) which of them are speech.
        """
        where = np.asarray(speech, bool)
        observed = observations(frames, where)[where]
        ratio = np.clip(log_likelihoods(self.two, observed) - log_likelihoods(self.one, observed), -_MOST, _MOST)
        smoothed: Floats = uniform_filter1d(np.asarray(ratio, np.float64), _SMOOTHED, mode="nearest")
        return smoothed

    def overlapped(self, ratios: Floats, threshold: float | None = None) -> NDArray[np.bool_]:
        """Which of the frames of speech (n,) are overlap, of their ratios; ``threshold``: in place of its own.

        >>> mixture = DiagGMM([1.0], [[0.0, 0.0]], [[1.0, 1.0]])
        >>> detector = OverlapDetector(mixture, mixture, threshold=1.0)
        >>> np.flatnonzero(detector.overlapped(np.repeat([0.0, 3.0, 0.0], [100, 50, 100])))[[0, -1]]
        array([100, 149])
        """
        starts = np.arange(0, len(ratios), _BLOCK)
        sums = np.add.reduceat(ratios, starts) / np.diff(np.append(starts, len(ratios)))
        fits = np.stack([np.zeros(len(sums)), sums - (self.threshold if threshold is None else threshold)], axis=1)
        found = best_turns(fits, minimum=_MINIMUM, cost=_COST) == 1
        return np.repeat(found, np.diff(np.append(starts, len(ratios))))

    def regions(
        self, ratios: Floats, speech: ArrayLike, times: ArrayLike, threshold: float | None = None
    ) -> list[tuple[float, float]]:
        """Starts and ends in s of overlap; ``times`` are the centres (T,) in s of all frames."""
        where = np.asarray(speech, bool)
        every = np.zeros(len(where), bool)
        every[where] = self.overlapped(ratios, threshold)
        return in_regions(every, times)


def observations(frames: ArrayLike, speech: ArrayLike) -> NDArray[np.float32]:
    """Cepstra (T, D) less their mean over speech (T,), with deltas: (T, 2 D)."""
    values = np.asarray(frames, np.float32)
    return append_deltas(values - values[np.asarray(speech, bool)].mean(axis=0), 1, 4)


def train_mixtures(
    recordings: Sequence[tuple[ArrayLike, ArrayLike, ArrayLike]], *, seed: int = 0, n_jobs: int = 1
) -> tuple[DiagGMM, DiagGMM]:
    """Mixtures of frames in which one speaks, and in which two speak.

    Parameters
    ----------
    recordings
        Frames (T, D), which are speech (T,), and in which two speak (T,).
    seed
        Of the starts.
    n_jobs
        Workers at once.

    Raises
    ------
    DataError
        Too few frames with one speaker, or with two.
    """
    one, two = list[NDArray[np.float32]](), list[NDArray[np.float32]]()
    for frames, speech, overlap in recordings:
        where, both = np.asarray(speech, bool), np.asarray(overlap, bool)
        if not where.any():
            continue
        observed = observations(frames, where)
        one.append(observed[where & ~both])
        two.append(observed[where & both])
    pooled = [np.concatenate(parts) if parts else np.zeros((0, 1), np.float32) for parts in (one, two)]
    least = 10 * COMPONENTS
    if min(map(len, pooled)) < least:
        raise DataError(
            f"{len(pooled[0])} frames in which one speaks and {len(pooled[1])} in which two speak; a detector of "
            f"overlap takes {least} of each at least"
        )
    first, second = (fit_gmm(frames, COMPONENTS, seed=seed, n_jobs=n_jobs).model for frames in pooled)
    return first, second


def in_regions(where: ArrayLike, times: ArrayLike) -> list[tuple[float, float]]:
    """Runs of frames as starts and ends in s; ``times`` are the centres (T,) of the frames.

    >>> in_regions([False, True, True, False, True], [0.5, 1.5, 2.5, 3.5, 4.5])
    [(1.0, 3.0), (4.0, 5.0)]
    """
    inside, centres = np.asarray(where, bool), np.asarray(times, np.float64)
    shift = float(centres[1] - centres[0]) if len(centres) > 1 else 0.0
    edges = np.flatnonzero(np.diff(np.concatenate([[False], inside, [False]]).astype(int))).tolist()
    return [
        (round(float(centres[first] - shift / 2), 6), round(float(centres[stop - 1] + shift / 2), 6))
        for first, stop in list(pairwise(edges))[::2]
    ]
