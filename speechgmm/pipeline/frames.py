"""Frames by reference: where an utterance's frames lie in the store, and how they are loaded.

Tasks carry pieces, not arrays: a piece is a few numbers, and a worker reads just its own rows.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from speechgmm.corpus import Corpus, Utterance
from speechgmm.features import Moments, Normalisation, moments
from speechgmm.features.transforms import LinearTransform, splice
from speechgmm.io.feature_store import FeatureStore
from speechgmm.io.model_file import AudioInput


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
    transform: LinearTransform | None = None  # of frames spliced with their neighbours
    context: int = 0  # frames on either side that are spliced

    def load(self) -> NDArray[np.float32]:
        """(T, D) frames, the VAD's choice of them, normalised and transformed."""
        if self.transform is not None:
            return self.transform.apply(self.load_spliced(self.context))
        return self._rows(self.first, self.stop)[0]

    def load_spliced(self, context: int) -> NDArray[np.float32]:
        """(T, (2 context + 1) D) normalised frames with their neighbours in the recording, the VAD's choice of them."""
        first, stop = max(0, self.first - context), min(self.n_frames, self.stop + context)
        frames, speech = self._rows(first, stop, every=True)
        inner = slice(self.first - first, self.stop - first)
        return splice(frames, context)[inner][speech[inner]].astype(np.float32, copy=False)

    def _rows(self, first: int, stop: int, every: bool = False) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        """Normalised frames ``first`` to ``stop`` of the recording, all or the speech alone, and which are speech."""
        rows = self.store.frames(self.shard, self.offset + first, stop - first)
        speech = np.ones(len(rows), bool)
        if self.with_speech:
            speech = np.asarray(rows[:, -1] > 0)
            rows = rows[:, :-1] if every else rows[speech, :-1]
        return np.asarray(rows) if self.normalisation is None else self.normalisation.apply(rows), speech

    def whole(self) -> "Piece":
        """The recording that the utterance is part of, not normalised."""
        return replace(self, first=0, stop=self.n_frames, normalisation=None, transform=None, context=0)


@dataclass(frozen=True, slots=True)
class Features:
    """The frames of a corpus, by reference."""

    corpus: Corpus  # the utterances that can be used
    pieces: tuple[Piece, ...]  # one per utterance
    audio: AudioInput  # with the normalisation, where it is global
    durations: tuple[float, ...]  # s, one per utterance
    rejected: tuple[tuple[str, str], ...]  # (id, reason) of the others
    copies: tuple[tuple[Piece | None, ...], ...] = ()  # altered copies, each one per utterance; None: none of a test

    def training(self) -> list[tuple[Utterance, tuple[Piece, ...]]]:
        """Utterances of the split ``train``, each with its own frames first and then those of its copies."""
        found = []
        for n, utterance in enumerate(self.corpus):
            if utterance.split == "train":
                copies = (version[n] for version in self.copies)
                found.append((utterance, (self.pieces[n], *(piece for piece in copies if piece is not None))))
        return found

    def of_split(self, split: str) -> list[tuple[Utterance, Piece]]:
        """Utterances of a split with their frames, in order."""
        return [(u, piece) for u, piece in zip(self.corpus, self.pieces, strict=True) if u.split == split]

    def without_split(self, split: str) -> "Features":
        """The same without the utterances of a split, which then can neither train nor be tested."""
        kept = [n for n, utterance in enumerate(self.corpus) if utterance.split != split]
        return replace(
            self,
            corpus=replace(self.corpus, utterances=tuple(self.corpus.utterances[n] for n in kept)),
            pieces=tuple(self.pieces[n] for n in kept),
            durations=tuple(self.durations[n] for n in kept),
            copies=tuple(tuple(version[n] for n in kept) for version in self.copies),
        )


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
