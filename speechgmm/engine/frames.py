"""Frames by reference: where an utterance's frames lie in the store, and how they are loaded.

Tasks carry pieces, not arrays: a piece is a few numbers, and a worker reads just its own rows.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from speechgmm.corpus import Corpus, Utterance
from speechgmm.engine.audio_input import AudioInput
from speechgmm.errors import DataError
from speechgmm.features import Moments, Normalisation, moments
from speechgmm.features.silence import not_silent
from speechgmm.features.transforms import LinearTransform, splice
from speechgmm.gmm import FrameSource, Mapper, bytes_per_frame
from speechgmm.io.feature_store import FeatureStore
from speechgmm.parallel import in_parcels

PART: Final = 16384
"""Frames of a recording that are read at a time in training: an hour in one piece would be read for every batch of it.
The cuts do not depend on memory, so neither do the bytes of what is computed from the parts."""

COUNTED_AT_ONCE: Final = 256
"""Pieces in a task."""


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
    group: str = ""  # whose it is (corpus.group), where held-out frames must not be of the same
    silent: tuple[tuple[int, int], ...] = ()  # frames of the recording [first, stop) that are left out: digital silence

    def load(self) -> NDArray[np.float32]:
        """(T, D) frames, the VAD's choice of them and none of digital silence, normalised and transformed."""
        if self.transform is not None:
            return self.transform.apply(self.load_spliced(self.context))
        return self._rows(self.first, self.stop)[0]

    def load_spliced(self, context: int) -> NDArray[np.float32]:
        """(T, (2 context + 1) D) normalised frames with their neighbours in the recording, the VAD's choice of them."""
        first, stop = max(0, self.first - context), min(self.n_frames, self.stop + context)
        frames, speech = self._rows(first, stop, every=True)
        inner = slice(self.first - first, self.stop - first)
        return splice(frames, context)[inner][speech[inner]].astype(np.float32, copy=False)

    def parts(self) -> Iterator["Piece"]:
        """The same frames in pieces that are small enough to be read one by one."""
        if self.n_rows <= PART:
            yield self
            return
        for first in range(self.first, self.stop, PART):
            yield replace(self, first=first, stop=min(first + PART, self.stop))

    @property
    def n_rows(self) -> int:
        """Frames before the VAD's choice."""
        return self.stop - self.first

    @property
    def chooses(self) -> bool:
        """Whether ``load`` may give fewer frames than there are."""
        return self.with_speech or bool(self.silent)

    def count(self) -> int:
        """Frames that ``load`` gives."""
        if not self.chooses:
            return self.n_rows
        heard = not_silent(self.silent, self.first, self.stop)
        if self.with_speech:
            rows = self.store.frames(self.shard, self.offset + self.first, self.n_rows)
            heard &= rows[:, -1] > 0
        return int(np.count_nonzero(heard))

    def _rows(self, first: int, stop: int, every: bool = False) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        """Normalised frames ``first`` to ``stop`` of the recording, all or the speech alone, and which are speech."""
        rows = self.store.frames(self.shard, self.offset + first, stop - first)
        speech = not_silent(self.silent, first, stop)
        if self.with_speech:
            speech &= rows[:, -1] > 0
            rows = rows[:, :-1]
        if self.chooses and not every:
            rows = rows[speech]
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
    silent: tuple[Utterance, ...] = ()  # of the split test, digital silence throughout, where the task answers for it

    def training(self, split: str = "train") -> list[tuple[Utterance, tuple[Piece, ...]]]:
        """Utterances of a split that models are made of, each with its own frames first, then those of its copies."""
        found = []
        for n, utterance in enumerate(self.corpus):
            if utterance.split == split:
                copies = (version[n] for version in self.copies)
                found.append((utterance, (self.pieces[n], *(piece for piece in copies if piece is not None))))
        return found

    def grouped(self, column: str | None) -> "Features":
        """The same, every piece marked with its utterance's value of a column (``corpus.group``)."""
        if column is None:
            return self
        names = [(utterance.labels or {}).get(column, "") for utterance in self.corpus]

        def marked(pieces: Sequence[Piece | None]) -> tuple[Piece | None, ...]:
            return tuple(
                None if piece is None else replace(piece, group=name) for piece, name in zip(pieces, names, strict=True)
            )

        pieces = tuple(replace(piece, group=name) for piece, name in zip(self.pieces, names, strict=True))
        return replace(self, pieces=pieces, copies=tuple(marked(version) for version in self.copies))

    def keys(self) -> dict[Path, str]:
        """Recording -> hash of its bytes."""
        return {utterance.path: piece.key for utterance, piece in zip(self.corpus, self.pieces, strict=True)}

    def of_split(self, split: str) -> list[tuple[Utterance, Piece]]:
        """Utterances of a split with their frames, in order."""
        return [(u, piece) for u, piece in zip(self.corpus, self.pieces, strict=True) if u.split == split]

    def where(self, keeps: Callable[[Utterance], bool]) -> "Features":
        """The same of those utterances alone."""
        kept = [n for n, utterance in enumerate(self.corpus) if keeps(utterance)]
        return replace(
            self,
            corpus=replace(self.corpus, utterances=tuple(self.corpus.utterances[n] for n in kept)),
            pieces=tuple(self.pieces[n] for n in kept),
            durations=tuple(self.durations[n] for n in kept),
            copies=tuple(tuple(version[n] for n in kept) for version in self.copies),
        )

    def without_split(self, split: str) -> "Features":
        """The same without the utterances of a split, which then can neither train nor be tested."""
        return self.where(lambda utterance: utterance.split != split)


def as_test(features: Features, most: int) -> Features:
    """Training utterances, evenly spaced and at most so many, as a test of their own."""
    there = [n for n, utterance in enumerate(features.corpus) if utterance.split == "train"]
    chosen = there[:: -(-len(there) // most) or 1]
    utterances = tuple(replace(features.corpus.utterances[n], split="test") for n in chosen)
    return replace(
        features,
        corpus=replace(features.corpus, utterances=utterances),
        pieces=tuple(features.pieces[n] for n in chosen),
        durations=tuple(features.durations[n] for n in chosen),
        copies=(),
    )


def load_all(pieces: Iterable[Piece]) -> NDArray[np.float32]:
    """(T, D) frames of several utterances, one after another."""
    parts = [part for piece in pieces for part in piece.parts()]
    first = parts[0].load()
    frames = np.empty((sum(part.n_rows for part in parts), first.shape[1]), np.float32)
    filled = 0
    for n, part in enumerate(parts):
        loaded = part.load() if n else first
        frames[filled : filled + len(loaded)] = loaded
        filled += len(loaded)
    return frames[:filled]


def open_frames(pieces: Iterable[Piece], memory: int, *, map: Mapper = map) -> tuple[FrameSource, int]:
    """The frames of several utterances, and what is left of ``memory`` (bytes) for the batches made of them.

    In memory where they fit together with their batches; else they are read from the store each time. ``map`` runs
    over the pieces, where they must be counted.
    """
    parts = [part for piece in pieces for part in piece.parts()]
    n_features = parts[0].load().shape[1]
    if sum(part.n_rows for part in parts) * bytes_per_frame(n_features) <= memory:
        frames = load_all(parts)
        return FrameSource.of([frames], [len(frames)], n_features), memory - frames.nbytes
    parcels = in_parcels(parts, COUNTED_AT_ONCE)
    seen = map(_count, parcels) if any(part.chooses for part in parts) else [[p.n_rows for p in parts]]
    return FrameSource.of(parts, [count for counts in seen for count in counts], n_features), memory


def _count(pieces: Sequence[Piece]) -> list[int]:
    return [piece.count() for piece in pieces]


def pooled_moments(pieces: Iterable[Piece]) -> Moments:
    """The moments of several utterances, added in order. Raises DataError for frames with NaN, which names the file."""
    parts = [_moments(piece) for piece in pieces]
    total = parts[0]
    for part in parts[1:]:
        total = total + part
    return total


def _moments(piece: Piece) -> Moments:
    try:
        return moments(piece.load())
    except DataError as error:
        path = piece.store.shard_path(piece.shard)
        raise DataError(f"{path}: {error}; remove this file from the cache and run the same command again") from None
