"""The extraction stage: every recording read once, checked, turned into frames and stored.

A recording that is in the store already is not opened: its path, size and time of change say that it is the same.
Recordings that cannot be used are all found before anything is trained.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

import numpy as np

from speechgmm.corpus import Corpus, Fold, Utterance, same_audio
from speechgmm.corpus.manifest import listed
from speechgmm.errors import DataError
from speechgmm.features import FEATURE_VERSION, front_end, normalisation, raw_features
from speechgmm.io.atomic import write_text
from speechgmm.io.audio import CLIPPED_SHARE, decode, read_bytes
from speechgmm.io.feature_store import Entry, Extracted, FeatureStore, digest
from speechgmm.io.model_file import AudioInput
from speechgmm.io.tables import table
from speechgmm.pipeline.frames import Piece, pooled_moments
from speechgmm.pipeline.job import Job

CHUNK_FILES = 256
CHUNK_BYTES = 32_000_000
END_TOLERANCE = 0.005
"""Seconds by which a segment may end after its recording: times in tables are rounded."""


@dataclass(frozen=True, slots=True)
class Features:
    """The frames of a corpus, by reference."""

    corpus: Corpus  # the utterances that can be used
    pieces: tuple[Piece, ...]  # one per utterance
    audio: AudioInput  # with the normalisation, where it is global
    durations: tuple[float, ...]  # s, one per utterance
    rejected: tuple[tuple[str, str], ...]  # (id, reason) of the others

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
        )


@dataclass(frozen=True, slots=True)
class _Chunk:
    paths: tuple[Path, ...]
    audio: AudioInput
    store: FeatureStore
    n_known: int  # recordings in the store when the run began


@dataclass(frozen=True, slots=True)
class _Done:
    entries: tuple[Entry, ...]
    problems: Mapping[Path, str]


def extract(job: Job) -> Features:
    """Features of every recording in the corpus.

    Raises:
        DataError: Recordings that cannot be used (all are listed), where ``corpus.on_error`` is ``stop``; nothing left
            to train on, where it is ``skip``.
    """
    config = job.experiment.config
    with job.console.stage("extract"):
        store = open_store(job.cache, job.audio)
        entries, problems = _extract_all(job, store)
        corpus, pieces, durations, rejected = _pieces(job, store, entries, problems)
        for text in _clipping(entries.values()):
            job.console.warn(text)
        reasons = _reasons(rejected)
        where = _write_rejected(job, rejected)
        if rejected and config.corpus.on_error == "stop":
            raise DataError(
                f"{len(rejected)} of {len(job.corpus)} utterances cannot be used:\n{listed(reasons, 50)}\n"
                f"nothing was trained; the features of the others are kept. Mend or remove these{where}, "
                "or set corpus.on_error: skip to go on without them"
            )
        if rejected:
            job.console.warn(f"{len(rejected)} of {len(job.corpus)} utterances are left out{where}:\n{listed(reasons)}")
            corpus = _check_what_is_left(corpus)
        _refuse_copies(corpus, pieces, job.folds)
        pieces, audio = _normalised(job, corpus, pieces)
    return Features(corpus, pieces, audio, durations, tuple(rejected))


def divide(job: Job, features: Features, fold: Fold) -> Features:
    """The same features with a fold's splits, and with the normalisation that its training part gives."""
    corpus = fold.apply(features.corpus)
    if job.audio.features.cmvn != "global":
        return replace(features, corpus=corpus)
    pieces, audio = _normalised(job, corpus, [replace(piece, normalisation=None) for piece in features.pieces])
    return replace(features, corpus=corpus, pieces=pieces, audio=audio)


def open_store(cache: Path, audio: AudioInput) -> FeatureStore:
    """The store of the features that ``audio`` describes, before normalisation (which hangs on other recordings)."""
    description = {
        "features": front_end(audio.features.without_normalisation(), audio.sample_rate).describe(),
        "sample_rate": audio.sample_rate,
        "channel": audio.channel,
        "resample": audio.resample,
        "version": FEATURE_VERSION,
    }
    return FeatureStore.open(cache, description)


def _extract_all(job: Job, store: FeatureStore) -> tuple[dict[Path, Entry], dict[Path, str]]:
    known = {(entry.path, entry.size, entry.modified): entry for entry in store.entries()}
    found: dict[Path, Entry] = {}
    todo: list[tuple[Path, int]] = []
    problems: dict[Path, str] = {}
    for path in job.corpus.paths():
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
    audio = replace(job.audio, features=job.audio.features.without_normalisation())
    chunks = [_Chunk(paths, audio, store, len(known)) for paths in _chunks(todo, job.n_jobs)]
    with job.console.bar("extracting features") as advance:
        done = 0
        for chunk, result in zip(chunks, job.map(extract_chunk, chunks, auto="processes"), strict=True):
            found.update((Path(entry.path), entry) for entry in result.entries)
            problems.update(result.problems)
            done += len(chunk.paths)
            advance(done, len(todo))
    return found, problems


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
            data = read_bytes(path)
            key = digest(data)
            if key in keys:  # the same recording under another name or date
                reused.append(replace(keys[key], path=str(path), size=about.st_size, modified=about.st_mtime_ns))
                continue
            audio = chunk.audio
            recording = decode(
                data, path, sample_rate=audio.sample_rate, resample=audio.resample, channel=audio.channel
            )
            frames, speech = raw_features(audio.features, recording.samples, audio.sample_rate)
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
                recording.duration,
                recording.clipped,
                frames,
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


def _pieces(
    job: Job, store: FeatureStore, entries: Mapping[Path, Entry], problems: Mapping[Path, str]
) -> tuple[Corpus, tuple[Piece, ...], tuple[float, ...], list[tuple[str, str]]]:
    """Utterances that have frames, with references to them; and (id, reason) of those that have none."""
    plan = front_end(job.audio.features, job.audio.sample_rate)
    with_speech = job.audio.features.vad != "none"
    kept: list[Utterance] = []
    pieces: list[Piece] = []
    durations: list[float] = []
    rejected: list[tuple[str, str]] = []
    for utterance in job.corpus:
        entry = entries.get(utterance.path)
        source = utterance.source or utterance.id
        if entry is None:
            # The row that names a missing file helps to mend it; a file that is there says enough itself.
            declared = f" ({source})" if not utterance.path.exists() and source != utterance.id else ""
            rejected.append((utterance.id, f"{problems[utterance.path]}{declared}"))
            continue
        start = utterance.start or 0.0
        end = entry.duration if utterance.end is None else utterance.end
        if start >= entry.duration or end > entry.duration + END_TOLERANCE:
            past = f"begins at {start:g} s" if start >= entry.duration else f"ends at {end:g} s"
            length = f"{utterance.path.name} ({entry.duration:.3f} s)"
            rejected.append((utterance.id, f"{source}: {past}, past the end of {length}; are the times in seconds?"))
            continue
        whole = utterance.start is None and utterance.end is None
        first, stop = (0, entry.n_frames) if whole else plan.frame_range(start, end, entry.n_frames)
        piece = Piece(store, entry.shard, entry.offset, entry.n_frames, first, stop, entry.key, with_speech)
        if with_speech and not whole and len(piece.load()) == 0:
            rejected.append((utterance.id, f"{source}: the VAD keeps none of its frames (features.vad)"))
            continue
        kept.append(utterance)
        pieces.append(piece)
        durations.append(end - start)
    return replace(job.corpus, utterances=tuple(kept)), tuple(pieces), tuple(durations), rejected


def _reasons(rejected: Sequence[tuple[str, str]]) -> list[str]:
    """Every reason once, with the number of utterances it takes along."""
    counts = Counter(reason.split(" (")[0] for _, reason in rejected)
    first: dict[str, str] = {}
    for _, reason in rejected:
        first.setdefault(reason.split(" (")[0], reason)
    return [reason + (f" ({counts[key]} utterances)" if counts[key] > 1 else "") for key, reason in first.items()]


def _write_rejected(job: Job, rejected: Sequence[tuple[str, str]]) -> str:
    """Write ``rejected.tsv`` into the run's folder, or remove an old one; returns where it is, for a message."""
    if job.output is None:
        return ""
    path = job.output / "rejected.tsv"
    if not rejected:
        path.unlink(missing_ok=True)
        return ""
    write_text(path, table(("id", "reason"), rejected))
    return f" (all in {path})"


def _refuse_copies(corpus: Corpus, pieces: Sequence[Piece], folds: Sequence[Fold]) -> None:
    """The same audio under two names, in training and in test, makes every figure too good."""
    keys = {utterance.path: piece.key for utterance, piece in zip(corpus, pieces, strict=True)}
    if len(set(keys.values())) == len(keys):
        return
    problems: dict[str, None] = {}
    for divided in (corpus, *(fold.apply(corpus) for fold in folds)):
        problems.update(dict.fromkeys(same_audio(keys, divided)))
    if problems:
        raise DataError(
            f"{len(problems)} recordings stand on more than one side of the division under different names:\n"
            f"{listed(list(problems))}\nkeep one of each"
        )


def _check_what_is_left(corpus: Corpus) -> Corpus:
    trained = {u.label(corpus.label) for u in corpus.split("train")}
    if len(trained) < 2:
        raise DataError(
            f"{len(trained)} classes are left to train once unusable recordings are skipped; two are needed"
        )
    lost = sorted({u.label(corpus.label) for u in corpus.split("test")} - trained)
    if lost:
        raise DataError(f"after skipping, no training recording is left of: {', '.join(lost)}")
    return corpus


def _clipping(entries: Iterable[Entry]) -> Iterator[str]:
    """One warning for all clipped recordings."""
    clipped = sorted((entry for entry in entries if entry.clipped >= CLIPPED_SHARE), key=lambda entry: -entry.clipped)
    if clipped:
        worst = ", ".join(f"{Path(entry.path).name} ({100 * entry.clipped:.1f} % of samples)" for entry in clipped[:3])
        yield f"{len(clipped)} recordings are clipped; the worst: {worst}"


def _normalised(job: Job, corpus: Corpus, pieces: Sequence[Piece]) -> tuple[tuple[Piece, ...], AudioInput]:
    """Pieces with the normalisation that ``features.cmvn`` asks for, estimated on whole recordings."""
    spec = job.audio.features
    if spec.cmvn == "none":
        return tuple(pieces), job.audio
    groups = [_group(spec.cmvn, utterance) for utterance in corpus]
    members: dict[str, dict[Path, Piece]] = {}
    for utterance, piece, group in zip(corpus, pieces, groups, strict=True):
        if spec.cmvn != "global" or utterance.split == "train":
            members.setdefault(group, {}).setdefault(utterance.path, piece.whole())
    if spec.cmvn == "speaker":
        _check_one_speaker_each(members)
    tasks = [tuple(found.values()) for found in members.values()]
    results = job.console.track(job.map(pooled_moments, tasks), len(tasks), "normalising")
    found = {group: normalisation(moments, spec.norm_vars) for group, moments in zip(members, results, strict=True)}
    audio = replace(job.audio, normalisation=found[""]) if spec.cmvn == "global" else job.audio
    normalised = (replace(piece, normalisation=found[group]) for piece, group in zip(pieces, groups, strict=True))
    return tuple(normalised), audio


def _group(cmvn: str, utterance: Utterance) -> str:
    """What an utterance shares its statistics with: its recording, its speaker, everything."""
    if cmvn == "utterance":
        return str(utterance.path)
    return utterance.label("speaker") if cmvn == "speaker" else ""


def _check_one_speaker_each(members: Mapping[str, Mapping[Path, Piece]]) -> None:
    owner: dict[Path, str] = {}
    for speaker, paths in members.items():
        for path in paths:
            if owner.setdefault(path, speaker) != speaker:
                raise DataError(
                    "features.cmvn: speaker needs one speaker in a recording; "
                    f"{path} has {owner[path]!r} and {speaker!r}"
                )
