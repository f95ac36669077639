"""Kaldi data directories, written as `readers/kaldi.py` reads them (kaldi-asr.org/doc/data_prep.html).

wav.scp segments utt2spk spk2utt text spk2gender    and a file utt2COLUMN for each other column of the corpus
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from speechgmm.corpus.readers.kaldi import NO_LABELS
from speechgmm.corpus.utterance import Corpus, Utterance
from speechgmm.errors import DataError, counted
from speechgmm.io.atomic import write_text

OF_KALDI: Final = ("utterance", "recording", "speaker", "gender", "text")
"""Columns that have their own file, or are names."""

GENDERS: Final = {"f": "f", "female": "f", "m": "m", "male": "m"}

_COLUMN: Final = re.compile(r"\w[\w-]*")


def kaldi_names(corpus: Corpus) -> tuple[Corpus, tuple[str, ...]]:
    """The corpus with ids that Kaldi takes, and notes for a person on what was changed.

    White space becomes ``_``. Kaldi sorts utterances and their speakers alike, so that a speaker's name is put before
    the ids where the orders differ.

    Raises:
        DataError: Two utterances have the same id then.
    """
    notes = []
    named = tuple(replace(one, id=_plain(one.id)) for one in corpus)
    changed = [(old.id, new.id) for old, new in zip(corpus, named, strict=True) if old.id != new.id]
    if changed:
        notes.append(
            f"white space in {counted(len(changed), 'id')} is _ here, because Kaldi does not take it, such as "
            f"{changed[0][1]!r}"
        )
    speakers = [_speaker(one) for one in named]
    ids = [one.id for one in named]
    if sorted(zip(ids, speakers, strict=True), key=_order) != sorted(
        zip(ids, speakers, strict=True), key=lambda pair: (sorting_key(pair[1]), sorting_key(pair[0]))
    ):
        named = tuple(replace(one, id=f"{_speaker(one)}-{one.id}") for one in named)
        notes.append(f"the speaker stands before each id, as Kaldi's sorting needs it, such as {named[0].id}")
    by_id: dict[str, Utterance] = {}
    for old, new in zip(corpus, named, strict=True):
        if by_id.setdefault(new.id, old) is not old:
            raise DataError(f"{by_id[new.id].id!r} and {old.id!r} are both {new.id!r} for Kaldi; rename one of them")
    return replace(corpus, utterances=named), tuple(notes)


def _order(pair: tuple[str, str]) -> tuple[bytes, bytes]:
    return sorting_key(pair[0]), sorting_key(pair[1])


def write_kaldi(folder: Path, corpus: Corpus, *, has_audio: bool = True) -> dict[str, Path]:
    """Write a data directory, or one for each split below ``folder``.

    Parameters
    ----------
    folder
        Where to.
    corpus
        With ids as `kaldi_names` gives them. Its column ``speaker`` goes to utt2spk; where there is none, each
        utterance is a speaker, as Kaldi does. Columns ``gender`` or ``sex`` go to spk2gender, ``text`` to text.
    has_audio
        Its paths are recordings, which go to wav.scp and segments.

    Returns
    -------
    dict
        Split -> its data directory.

    Raises
    ------
    DataError
        A column whose name cannot stand in a file's name, or is Kaldi's own; the disk refuses.
    """
    for column in _columns(corpus):
        if column in NO_LABELS or not _COLUMN.fullmatch(column):
            why = "which Kaldi has for something else" if column in NO_LABELS else "and that is no name of Kaldi's"
            raise DataError(f"the column {column!r} would be the file utt2{column}, {why}; rename it")
    folders = {one.split: folder / one.split for one in corpus}
    for split, directory in folders.items():
        utterances = sorted(corpus.split(split), key=lambda one: sorting_key(one.id))
        if has_audio:
            _write_recordings(directory, utterances, corpus.root)
        _write_labels(directory, utterances)
    return folders


def _write_recordings(directory: Path, utterances: Sequence[Utterance], root: Path) -> None:
    whole = all(one.start is None and one.end is None for one in utterances)
    if whole:
        _write(directory / "wav.scp", ((one.id, str(one.path.absolute())) for one in utterances))
    else:
        recordings = _recordings(utterances, root)
        _write(directory / "wav.scp", ((name, str(path.absolute())) for path, name in recordings.items()))
        _write(directory / "segments", ((one.id, f"{recordings[one.path]} {_times(one)}") for one in utterances))


def _write_labels(directory: Path, utterances: Sequence[Utterance]) -> None:
    of_speaker: dict[str, list[Utterance]] = {}
    for one in utterances:
        of_speaker.setdefault(_speaker(one), []).append(one)
    _write(directory / "utt2spk", ((one.id, _speaker(one)) for one in utterances))
    _write(directory / "spk2utt", ((name, " ".join(one.id for one in own)) for name, own in of_speaker.items()))
    genders = ((name, _gender(own[0].labels or {})) for name, own in of_speaker.items())
    _write(directory / "spk2gender", (pair for pair in genders if pair[1]))
    for column in _columns(utterances):
        values = [(one.id, (one.labels or {}).get(column, "")) for one in utterances]
        _write(directory / ("text" if column == "text" else f"utt2{column}"), (pair for pair in values if pair[1]))


def _columns(utterances: Iterable[Utterance]) -> list[str]:
    """The columns that have a file: the text, and those that are no names."""
    found = dict.fromkeys(column for one in utterances for column in one.labels or {})
    return [column for column in found if column == "text" or column not in OF_KALDI]


def _recordings(utterances: Sequence[Utterance], root: Path) -> dict[Path, str]:
    """Recording -> its name: the path below the root without ending, or with it where two differ in it alone."""
    paths = {one.path for one in utterances}
    stems: dict[str, int] = {}
    for path in paths:
        stems[_name(path, root)] = stems.get(_name(path, root), 0) + 1
    return {path: _name(path, root) + (path.suffix if stems[_name(path, root)] > 1 else "") for path in paths}


def _name(path: Path, root: Path) -> str:
    below = path.relative_to(root) if path.is_relative_to(root) else path
    return _plain(below.with_suffix("").as_posix())


def _times(utterance: Utterance) -> str:
    """Start and end in s; -1 is the end of the recording."""
    return f"{utterance.start or 0:.10g} {-1 if utterance.end is None else utterance.end:.10g}"


def _speaker(utterance: Utterance) -> str:
    return _plain((utterance.labels or {}).get("speaker", "")) or utterance.id


def _gender(labels: Mapping[str, str]) -> str:
    return GENDERS.get((labels.get("gender") or labels.get("sex") or "").lower(), "")


def _plain(name: str) -> str:
    return "_".join(name.split())


def sorting_key(name: str) -> bytes:
    """What LC_ALL=C sorts a name by, as Kaldi needs it."""
    return name.encode("utf-8", "surrogateescape")


def _write(path: Path, rows: Iterable[tuple[str, str]]) -> None:
    """Write rows sorted as LC_ALL=C sorts them, as Kaldi needs; nothing where there are none."""
    lines = sorted(sorting_key(f"{key} {value}\n") for key, value in rows)
    if lines:
        write_text(path, b"".join(lines).decode("utf-8", "surrogateescape"))
