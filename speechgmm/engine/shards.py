"""From recordings to shards of the feature store: each read once, checked, extracted and stored by a worker.

A recording that is in the store already is not opened: its path, size and time of change say that it is the same.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

import numpy as np

from speechgmm.engine.audio_input import AudioInput
from speechgmm.engine.job import Job
from speechgmm.engine.noisy_copies import Noising
from speechgmm.engine.recordings import measured_features
from speechgmm.errors import DataError
from speechgmm.features import FEATURE_VERSION, front_end
from speechgmm.io.audio import Pieces, recording_key
from speechgmm.io.decoders import DECODING_VERSION
from speechgmm.io.feature_store import Entry, Extracted, FeatureStore
from speechgmm.io.other_decoders import other_decoder

CHUNK_FILES = 256
CHUNK_BYTES = 32_000_000


@dataclass(frozen=True, slots=True)
class _Chunk:
    paths: tuple[Path, ...]
    audio: AudioInput
    speed: float
    noising: Noising | None
    store: FeatureStore
    n_known: int  # recordings in the store when the run began


@dataclass(frozen=True, slots=True)
class _Done:
    entries: tuple[Entry, ...]
    problems: Mapping[Path, str]


def open_store(cache: Path, audio: AudioInput, speed: float = 1.0, noising: Noising | None = None) -> FeatureStore:
    """The store of the features that ``audio`` describes, before normalisation (which hangs on other recordings)."""
    description = {
        "features": front_end(audio.features.without_normalisation(), audio.sample_rate).describe(),
        "sample_rate": audio.sample_rate,
        "channel": audio.channel,
        "resample": audio.resample,
        "version": FEATURE_VERSION,
        "decoding": DECODING_VERSION,
        **({} if speed == 1 else {"speed": speed}),
        **({} if noising is None else {"noise": noising.describe()}),
    }
    return FeatureStore.open(cache, description)


def extract_recordings(
    job: Job, paths: Sequence[Path], audio: AudioInput, speed: float = 1.0, noising: Noising | None = None
) -> tuple[FeatureStore, dict[Path, Entry], dict[Path, str]]:
    """The store of these features with the entry of every recording, and why others have none.

    ``speed`` plays recordings so many times faster before features are made of them; ``noising`` adds noise.
    """
    store = open_store(job.cache, audio, speed, noising)
    known = {
        (entry.path, entry.size, entry.modified): entry
        for entry in store.entries()
        if not entry.decoder or entry.decoder == other_decoder()
    }
    found: dict[Path, Entry] = {}
    todo: list[tuple[Path, int]] = []
    problems: dict[Path, str] = {}
    for path in paths:
        try:
            about = path.stat()
        except FileNotFoundError:
            problems[path] = f"{path}: there is no such file"
            continue
        except OSError as error:
            problems[path] = f"{path}: cannot be opened ({error.strerror})"
            continue
        entry = known.get((str(path), about.st_size, about.st_mtime_ns))
        if entry is None:
            todo.append((path, about.st_size))
        else:
            found[path] = entry
    if found:
        job.console.say(f"features of {len(found)} recordings are in the cache")
    raw = replace(audio, features=audio.features.without_normalisation())
    chunks = [
        _Chunk(parcel, raw, speed, noising and noising.only(parcel), store, len(known))
        for parcel in _chunks(todo, job.n_jobs)
    ]
    with job.console.bar("extracting features") as advance:
        done = 0
        for chunk, result in zip(chunks, job.map(extract_chunk, chunks, auto="processes"), strict=True):
            found.update((Path(entry.path), entry) for entry in result.entries)
            problems.update(result.problems)
            done += len(chunk.paths)
            advance(done, len(todo))
    return store, found, problems


def _chunks(files: Sequence[tuple[Path, int]], n_jobs: int) -> Iterator[tuple[Path, ...]]:
    """Files in parcels: large enough to be worth a task, small enough to share out and to lose little when killed."""
    most = max(1, min(CHUNK_FILES, -(-len(files) // (4 * n_jobs))))
    parcel: list[Path] = []
    size = 0
    for path, n_bytes in files:
        parcel.append(path)
        size += n_bytes
        if len(parcel) >= most or size >= CHUNK_BYTES:
            yield tuple(parcel)
            parcel, size = [], 0
    if parcel:
        yield tuple(parcel)


def extract_chunk(chunk: _Chunk) -> _Done:
    """Read, check and extract a parcel of recordings, and store the good ones as one shard."""
    extracted, reused, problems = [], [], {}
    keys = _stored(chunk.store, chunk.n_known)
    for path in chunk.paths:
        try:
            about = path.stat()
            key = recording_key(path)
            if key in keys:  # the same recording under another name or date
                reused.append(replace(keys[key], path=str(path), size=about.st_size, modified=about.st_mtime_ns))
                continue
            audio = chunk.audio
            pieces = Pieces(
                path, sample_rate=audio.sample_rate, resample=audio.resample, channel=audio.channel, speed=chunk.speed
            )
            frames, speech, measured = measured_features(audio, pieces, key, chunk.noising)
        except DataError as error:
            text = str(error)
            problems[path] = text if str(path) in text else f"{path}: {text}"
            continue
        if speech is not None:
            if not speech.any():
                problems[path] = f"{path}: the VAD keeps none of its {len(frames)} frames (features.vad)"
                continue
            frames = np.column_stack([frames, speech.astype(np.float32)])
        extracted.append(
            Extracted(
                key,
                str(path),
                about.st_size,
                about.st_mtime_ns,
                pieces.duration,
                pieces.clipped,
                measured,
                frames,
                "; ".join(pieces.notes),
                pieces.decoder,
            )
        )
    entries = chunk.store.write(extracted) if extracted else []
    if reused:
        chunk.store.note(reused)
    return _Done((*entries, *reused), problems)


@lru_cache(maxsize=1)
def _stored(store: FeatureStore, n_known: int) -> dict[str, Entry]:  # noqa: ARG001 (a store that grew is read again)
    """What the store held when the run began, by the hash of the recording; read once in each worker."""
    return {entry.key: entry for entry in store.entries()}
