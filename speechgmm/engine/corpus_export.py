"""A corpus of a configuration for other programs: its lists, and the frames of its utterances as files.

Owns what is written where; layouts are those of `corpus/writers/`, formats of frames those of `io/frame_files/`.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Final

import numpy as np
from numpy.typing import NDArray

from speechgmm.corpus import Corpus
from speechgmm.corpus.listing import listed
from speechgmm.corpus.writers.kaldi import kaldi_names, sorting_key, write_kaldi
from speechgmm.corpus.writers.lhotse import read_recordings, write_lhotse
from speechgmm.engine.extraction import extract
from speechgmm.engine.frames import Features, Piece
from speechgmm.engine.job import Job
from speechgmm.errors import ConfigError, DataError, counted
from speechgmm.features import front_end
from speechgmm.io.atomic import write_text
from speechgmm.io.frame_files import write_ark, write_htk, write_npy, write_npz, write_sphinx
from speechgmm.io.tables import table

Frames = NDArray[np.float32]
Named = Iterator[tuple[str, Frames]]

FILES: Final[Mapping[str, str]] = {"npy": ".npy", "htk": ".htk", "sphinx": ".mfc"}
"""Format of a file for each utterance -> what its name ends in."""

FORMATS: Final = ("kaldi", "lhotse", "npz", *FILES)
"""What a corpus can be written as."""

MANIFEST: Final = "manifest.tsv"


def export_corpus(
    job: Job, folder: Path, form: str, *, with_frames: bool = False, as_models_see_them: bool = False
) -> list[Path]:
    """Write the corpus of a job for another program.

    Parameters
    ----------
    job
        Of ``prepare``: the corpus with its splits.
    folder
        Where to. Files of an earlier export are replaced.
    form
        ``kaldi``: data directories; ``lhotse``: manifests; ``npy``, ``htk``, ``sphinx``: a file of frames for each
        utterance and ``manifest.tsv``; ``npz``: one file of all frames and ``manifest.tsv``.
    with_frames
        ``kaldi``: write ``feats.scp`` and ``feats.ark``, too. The other formats have frames or have none.
    as_models_see_them
        Frames after CMVN, VAD and transforms, in place of all frames as the front end makes them.

    Returns
    -------
    list of Path
        What was written, without the files of single utterances.

    Raises
    ------
    ConfigError
        No such format, or frames for one that has none.
    DataError
        Recordings that cannot be used, ids that cannot be names of files, the disk refuses.
    """
    if form not in FORMATS:
        raise ConfigError(f"form is {form!r}; expected one of {', '.join(FORMATS)}", arguments=("form",))
    has_frames = with_frames or form not in ("kaldi", "lhotse")
    if form == "lhotse" and has_frames:
        raise ConfigError(
            "manifests of lhotse hold no frames here; write them as kaldi or npz", arguments=("features",)
        )
    if as_models_see_them and not has_frames:
        raise ConfigError(
            "frames as models see them, and no frames are asked for", arguments=("normalised", "features")
        )
    if form in FILES:
        _check_ids(job.corpus)
    features = extract(job) if has_frames else None
    corpus = job.corpus if features is None else features.corpus
    if form == "kaldi":
        return _kaldi(job, folder, corpus, features, as_models_see_them)
    if features is None:
        return _lhotse(job, folder, corpus)
    named = ((one.id, _frames(piece, as_models_see_them)) for one, piece in zip(corpus, features.pieces, strict=True))
    _write_frames(job, folder, form, named)
    _write_manifest(folder / MANIFEST, corpus)
    return [folder / MANIFEST, folder / ("features.npz" if form == "npz" else "features")]


def _check_ids(corpus: Corpus) -> None:
    """Raise DataError for ids that cannot be names of files below a folder."""
    for one in corpus:
        place = PurePosixPath(one.id)
        if place.is_absolute() or ".." in place.parts or "\0" in one.id or not place.name:
            raise DataError(f"{one.source or one.id}: the id {one.id!r} cannot be the name of a file; rename it")


def _lhotse(job: Job, folder: Path, corpus: Corpus) -> list[Path]:
    """Manifests, without recordings that cannot be read where ``corpus.on_error`` is ``skip``."""
    if job.audio.is_given:
        raise ConfigError(
            "the corpus has features alone, and manifests of lhotse name recordings; write it as kaldi or npz",
            arguments=("form",),
        )
    recordings, problems = read_recordings(corpus)
    if problems:
        what = f"{counted(len(problems), 'recording')} cannot be read"
        which = listed([str(error) for error in problems.values()])
        if job.experiment.config.corpus.on_error == "stop" or not recordings:
            raise DataError(
                f"{what}:\n{which}\nnothing was written; mend these, or set corpus.on_error: skip to go on without them"
            )
        job.console.warn(f"{what} and left out:\n{which}")
        corpus = replace(corpus, utterances=tuple(one for one in corpus if one.path in recordings))
    return write_lhotse(folder, corpus, recordings, job.audio.channel)


def _kaldi(job: Job, folder: Path, corpus: Corpus, features: Features | None, as_models_see_them: bool) -> list[Path]:
    corpus, notes = kaldi_names(corpus)
    for note in notes:
        job.console.warn(note)
    has_audio = not job.audio.is_given
    if features is None and not has_audio:
        raise ConfigError("the corpus has features alone; ask for them (features)", arguments=("features",))
    directories = write_kaldi(folder, corpus, has_audio=has_audio)
    for split, directory in directories.items():
        if features is not None:
            own = [n for n, one in enumerate(corpus) if one.split == split]
            own.sort(key=lambda n: sorting_key(corpus.utterances[n].id))
            named = ((corpus.utterances[n].id, _frames(features.pieces[n], as_models_see_them)) for n in own)
            write_ark(directory / "feats.ark", named, directory / "feats.scp")
    return [*directories.values()]


def _frames(piece: Piece, as_models_see_them: bool) -> Frames:
    return piece.load() if as_models_see_them else unnormalised(piece)


def unnormalised(piece: Piece) -> Frames:
    """(T, D) all frames of an utterance as the front end makes them: no CMVN, no VAD, no transform."""
    rows = piece.store.frames(piece.shard, piece.offset + piece.first, piece.n_rows)
    return np.asarray(rows[:, :-1] if piece.with_speech else rows)


def _write_frames(job: Job, folder: Path, form: str, named: Named) -> None:
    if form == "npz":
        write_npz(folder / "features.npz", named)
        return
    shift = front_end(job.audio.features, job.audio.sample_rate).frame_shift / job.audio.sample_rate
    writers: dict[str, Callable[[Path, Frames], None]] = {
        "npy": write_npy,
        "sphinx": write_sphinx,
        "htk": lambda path, frames: write_htk(path, frames, frame_shift=shift),
    }
    for name, frames in named:
        writers[form](folder / "features" / f"{name}{FILES[form]}", frames)


def _write_manifest(path: Path, corpus: Corpus) -> None:
    """The utterances as a manifest, with paths relative to the corpus's root."""
    columns = list(dict.fromkeys(column for one in corpus for column in one.labels or {}))
    rows = (
        (
            corpus.place_of(one.path),
            one.id,
            *("" if time is None else f"{time:.10g}" for time in (one.start, one.end)),
            one.split,
            *((one.labels or {}).get(column, "") for column in columns),
        )
        for one in corpus
    )
    write_text(path, table(("path", "id", "start", "end", "split", *columns), rows))
