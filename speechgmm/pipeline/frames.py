"""Frames by reference: where an utterance's frames lie in the store, and how they are loaded.

Tasks carry pieces, not arrays: a piece is a few numbers, and a worker reads just its own rows.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from speechgmm.features import Moments, Normalisation, moments
from speechgmm.io.feature_store import FeatureStore


@dataclass(frozen=True, slots=True)
class Piece:
    """The frames of an utterance: rows ``first`` to ``stop`` of one recording."""

    store: FeatureStore
    shard: str
    offset: int  # row of the recording's first frame in the shard
    n_frames: int  # of the whole recording
    first: int  # of the utterance, within the recording
    stop: int
    key: str  # hash of the recording's bytes
    with_speech: bool  # whether the last column marks speech
    normalisation: Normalisation | None = None

    def load(self) -> NDArray[np.float32]:
        """(T, D) frames, the VAD's choice of them, normalised."""
        rows = self.store.frames(self.shard, self.offset + self.first, self.stop - self.first)
        if self.with_speech:
            rows = rows[rows[:, -1] > 0, :-1]
        return np.asarray(rows) if self.normalisation is None else self.normalisation.apply(rows)

    def whole(self) -> "Piece":
        """The recording that the utterance is part of, not normalised."""
        return replace(self, first=0, stop=self.n_frames, normalisation=None)


def load_all(pieces: Iterable[Piece]) -> NDArray[np.float32]:
    """(T, D) frames of several utterances, one after another."""
    return np.concatenate([piece.load() for piece in pieces])


def pooled_moments(pieces: Iterable[Piece]) -> Moments:
    """The moments of several utterances, added in order."""
    parts = [moments(piece.load()) for piece in pieces]
    total = parts[0]
    for part in parts[1:]:
        total = total + part
    return total
