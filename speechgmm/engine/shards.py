"""From recordings to shards of the feature store: each read once, checked, extracted and stored by a worker.

A recording that is in the store already is not opened: its path and stamp (size, times, inode) say that it is the
same. Where only the stamp differs, its bytes are hashed, and equal ones keep their features. Frames that are in the
store are compared with their checksums before a run uses them; what is damaged is made again.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from itertools import groupby
from pathlib import Path

import numpy as np

from speechgmm.corpus.listing import listed
from speechgmm.engine.audio_input import AudioInput
from speechgmm.engine.job import Job
from speechgmm.engine.noisy_copies import Noising
from speechgmm.engine.raw_recordings import key_of, raw_recording, size_of, stamp_at
from speechgmm.engine.speech_detectors import detector_key
from speechgmm.errors import DataError, counted
from speechgmm.features import FEATURE_VERSION, front_end
from speechgmm.features.kinds import feature_kind
from speechgmm.io.decoders import DECODING_VERSION
from speechgmm.io.feature_store import Entry, Extracted, FeatureStore, Stamp
from speechgmm.io.other_decoders import other_decoder
from speechgmm.logger import LOGGER

CHUNK_FILES = 256
CHUNK_BYTES = 32_000_000
NO_FILE = "there is no such file"


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
    entries: Sequence[Entry]  # new ones
    reused: Sequence[Entry]  # of recordings that were in the store under another name or stamp
    problems: Mapping[Path, str]


def open_store(cache: Path, audio: AudioInput, speed: float = 1.0, noising: Noising | None = None) -> FeatureStore:
    """The store of the features that ``audio`` describes, before normalisation (which depends on other recordings)."""
    spec = audio.features.without_normalisation()
    description = {
        "features": front_end(spec, audio.sample_rate).describe(),
        "settings": asdict(spec),  # every one of them, whatever describe() leaves out
        "sample_rate": audio.sample_rate,
        "channel": audio.channel,
        "resample": audio.resample,
        "version": FEATURE_VERSION,
        "decoding": DECODING_VERSION,
        **({} if speed == 1 else {"speed": speed}),
        **({} if audio.detector is None else {"detector": detector_key(audio.detector)}),
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
    entries, damaged = store.read_indexes()
    referred = {entry.shard for entry in entries}
    for index in damaged:
        store.remove(index)
        if index.stem not in referred:
            store.remove(store.shard_path(index.stem))
    known = {} if job.verify_audio else {(one.path, one.stamp): one for one in entries if _decoded_alike(one)}
    found, todo, problems = _sought(audio, paths, known)
    damaged += _drop_damaged(job, store, found.values(), found, todo)
    if found:
        job.console.say(f"features of {counted(len(found), 'recording')} are in the cache")
    chunk = _Chunk(
        (), replace(audio, features=audio.features.without_normalisation()), speed, noising, store, len(entries)
    )
    while todo:
        done = _extract(job, chunk, todo)
        found.update((Path(entry.path), entry) for one in done for entry in (*one.entries, *one.reused))
        problems.update(pair for one in done for pair in one.problems.items())
        todo = {}
        damaged += _drop_damaged(job, store, [entry for one in done for entry in one.reused], found, todo)
    if damaged:
        job.console.warn(f"damaged in the cache of features, and made again:\n{listed(list(map(str, damaged)))}")
    return store, found, problems


def _sought(
    audio: AudioInput, paths: Sequence[Path], known: Mapping[tuple[str, Stamp], Entry]
) -> tuple[dict[Path, Entry], dict[Path, int], dict[Path, str]]:
    """The entries of recordings that have not changed, the sizes in bytes of others, and why some cannot be read."""
    found: dict[Path, Entry] = {}
    todo: dict[Path, int] = {}
    problems: dict[Path, str] = {}
    for path in paths:
        try:
            stamp = stamp_at(audio, path)
            entry = known.get((str(path), stamp))
            if entry is None:
                todo[path] = size_of(audio, path, stamp)
            else:
                found[path] = entry
        except FileNotFoundError:
            problems[path] = f"{path}: {NO_FILE}"
        except OSError as error:
            problems[path] = f"{path}: cannot be opened ({error.strerror})"
        except DataError as error:
            problems[path] = _naming(path, error)
    return found, todo, problems


def _drop_damaged(
    job: Job, store: FeatureStore, read: Iterable[Entry], found: dict[Path, Entry], todo: dict[Path, int]
) -> list[Path]:
    """Compare what is read from the store with its checksums, side by side; returns the shards that are damaged.

    They are removed, and all that was found in them is still to be done.
    """
    ordered = sorted(read, key=lambda entry: (entry.shard, entry.offset))
    parcels = [list(own) for _, own in groupby(ordered, key=lambda entry: entry.shard)]
    with job.console.patience("comparing cached features with their checksums"):
        wrong = {entry.shard for bad in job.map(store.damaged, parcels, auto="threads") for entry in bad}
    for shard in wrong:
        store.discard(shard)
    for path in [path for path, entry in found.items() if entry.shard in wrong]:
        todo[path] = found.pop(path).stamp[0]
    return sorted(map(store.shard_path, wrong))


def _extract(job: Job, common: _Chunk, todo: Mapping[Path, int]) -> list[_Done]:
    """Recordings through the front end, in parcels; ``common`` is what parcels share."""
    noising = common.noising
    chunks = [
        replace(common, paths=parcel, noising=noising and noising.only(parcel))
        for parcel in _chunks(list(todo.items()), job.n_jobs)
    ]
    results = []
    with job.console.bar("extracting features") as advance:
        done = 0
        for chunk, result in zip(chunks, job.map(extract_chunk, chunks, auto="processes"), strict=True):
            results.append(result)
            done += len(chunk.paths)
            advance(done, len(todo))
    return results


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
            stamp = stamp_at(chunk.audio, path)
            key = key_of(chunk.audio, path)
            entry = keys.get(key)
            if entry is not None and chunk.store.shard_path(entry.shard).exists():  # under another name, or touched
                reused.append(replace(entry, path=str(path), stamp=stamp))
                continue
            made = raw_recording(chunk.audio, path, speed=chunk.speed, key=key, noising=chunk.noising)
        except DataError as error:
            problems[path] = _naming(path, error)
            continue
        frames, speech = made.frames, made.speech
        if speech is not None:
            if not speech.any() and feature_kind(chunk.audio.features).keeps is None:
                problems[path] = f"{path}: the VAD keeps none of its {len(frames)} frames (features.vad)"
                continue
            frames = np.column_stack([frames, speech.astype(np.float32)])
        about = (made.duration, made.clipped, made.measured)
        extracted.append(Extracted(key, str(path), stamp, *about, frames, "; ".join(made.notes), made.decoder))
    entries = chunk.store.write(extracted) if extracted else []
    new = [entry for entry in reused if entry != keys[entry.key]]
    if new:
        chunk.store.note(new)
    counts = len(entries), len(reused), len(problems)
    LOGGER.debug("extracted %d recordings; %d more had features already, %d cannot be used", *counts)
    return _Done(entries, reused, problems)


def _naming(path: Path, error: DataError) -> str:
    """The error with the recording's name in it."""
    text = str(error)
    return text if str(path) in text else f"{path}: {text}"


@lru_cache(maxsize=1)
def _stored(store: FeatureStore, n_known: int) -> dict[str, Entry]:  # noqa: ARG001 (a store that grew is read again)
    """What the store held when the run began, by the hash of the recording; read once in each worker."""
    return {entry.key: entry for entry in store.entries() if _decoded_alike(entry)}


def _decoded_alike(entry: Entry) -> bool:
    """Whether a recording was decoded by what would decode it today."""
    return not entry.decoder or entry.decoder == other_decoder()
