"""What lies in a folder or a table: which reader reads it, and what it finds there.

    a table of recordings (.tsv, .csv, .jsonl), under its own names of columns or another's (AudioFolder's file_name)
    a Kaldi data directory; manifests of lhotse; recordings with label files (TextGrids, ELAN, Audacity, Raven), beside
    them or apart
    DCASE's task 2, MIMII, the Free Spoken Digit Dataset; TIMIT; a folder for each class

Owns how they are told apart. Opens no recording, and writes nothing.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from speechgmm.corpus.label_layouts import find_labelled
from speechgmm.corpus.reader_specs import TimitSpec
from speechgmm.corpus.readers.audio_folder import metadata_files, read_audio_folder
from speechgmm.corpus.readers.files import recordings_below
from speechgmm.corpus.readers.folder import FSDD_NAME, read_folder, read_fsdd
from speechgmm.corpus.readers.kaldi import read_kaldi
from speechgmm.corpus.readers.lhotse import is_lhotse, read_lhotse
from speechgmm.corpus.readers.machines import is_dcase, is_mimii, read_dcase, read_mimii
from speechgmm.corpus.readers.manifest import TABLES, read_manifest
from speechgmm.corpus.readers.timit import read_timit
from speechgmm.corpus.table_columns import OTHER_NAMES, columns_of, is_of_recordings, names_of, renamed, root_of
from speechgmm.corpus.utterance import Corpus
from speechgmm.errors import DataError
from speechgmm.io.tables import table


@dataclass(frozen=True, slots=True)
class Layout:
    """What was found, and how a configuration names it."""

    what: str  # "a folder for each class"
    keys: Mapping[str, Any]  # of the section corpus, without label, group and split
    corpus: Corpus
    label: str | None = None  # the column of the classes, where the corpus has no choice
    table: str = ""  # a manifest that must be written first, as text
    likely: tuple[str, ...] = field(default=())  # columns that the kind of corpus is made for, best first

    @property
    def columns(self) -> tuple[str, ...]:
        """Columns of the corpus that may hold classes."""
        return tuple(dict.fromkeys(name for one in self.corpus for name in (one.labels or {})))


def recognise(path: Path, label: str, columns: Sequence[str] = ()) -> Layout:
    """The layout of a folder or of a table of recordings.

    Args:
        path: A folder, or a table.
        label: Name of the column of classes that are folders.
        columns: Names that the column of the classes may have, best first, where it is known what they are; a tier of
            TextGrids is chosen by them.

    Raises:
        DataError: Nothing that a reader reads, or something that one refuses.
    """
    if path.is_file():
        if path.suffix.lower() not in TABLES:
            raise DataError(
                f"{path}: a file; expected a folder of recordings, or a table of them ({', '.join(TABLES)})"
            )
        return _of_table(path)
    if not path.is_dir():
        raise DataError(f"{path}: there is no such folder or table")
    looks: tuple[Callable[[Path], Layout | None], ...] = (
        _kaldi, _lhotse, _audio_folder, partial(_labelled, columns=columns), _machines, _fsdd, _timit,
        partial(_labelled, columns=columns, texts=True), _table_in
    )  # fmt: skip
    for look in looks:
        if (found := look(path)) is not None:
            return found
    try:
        corpus = read_folder(path, label)
    except DataError:
        below = recordings_below(path)
        if below.audio:
            raise
        looked = "looked for wav, flac, mp3, ogg, aiff and others that libsndfile reads"
        notes = [f"{path}: no recordings below it ({looked})", *below.notes()]
        if n_frames := len(recordings_below(path, given=True).audio):
            notes.append(f"files of frames: {n_frames}; a configuration with features.kind: given takes them")
        raise DataError("; ".join(notes)) from None
    return Layout("a folder for each class", {"kind": "folder", "root": str(path)}, corpus, label)


def _kaldi(path: Path) -> Layout | None:
    if not (path / "wav.scp").is_file() and not any(path.glob("*/wav.scp")):
        return None
    return Layout(
        "a Kaldi data directory", {"kind": "kaldi", "path": str(path)}, read_kaldi(path, None, "utterance"),
        likely=("speaker",),
    )  # fmt: skip


def _machines(path: Path) -> Layout | None:
    for name, kind, is_kind, read in (
        ("the layout of DCASE's task 2", "dcase", is_dcase, read_dcase),
        ("the layout of MIMII", "mimii", is_mimii, read_mimii),
    ):
        if is_kind(path):
            return Layout(name, {"kind": kind, "root": str(path)}, read(path, "unit"), "unit")
    return None


def _fsdd(path: Path) -> Layout | None:
    folder = path / "recordings" if (path / "recordings").is_dir() else path
    if not any(FSDD_NAME.fullmatch(file.name) for file in folder.glob("*.wav")):
        return None
    keys = {"kind": "fsdd", "root": str(path)}
    return Layout("the Free Spoken Digit Dataset", keys, read_fsdd(path, "digit"), likely=("digit", "speaker"))


def _timit(path: Path) -> Layout | None:
    if not any(file.with_suffix(".wav").exists() or file.with_suffix(".WAV").exists() for file in _phn(path)):
        return None
    keys = {"kind": "timit", "root": str(path)}
    return Layout("the layout of TIMIT", keys, read_timit(path, "phone", TimitSpec()), "phone")


def _phn(path: Path) -> list[Path]:
    return [file for pattern in ("*/*.[pP][hH][nN]", "*/*/*/*.[pP][hH][nN]") for file in sorted(path.glob(pattern))[:1]]


def _labelled(path: Path, columns: Sequence[str], *, texts: bool = False) -> Layout | None:
    found = find_labelled(path, columns, texts=texts)
    return None if found is None else Layout(found.what, found.keys, found.corpus, found.label)


# ---- tables ----


def _table_in(path: Path) -> Layout | None:
    """The one table of recordings in a folder; or one level below, as ``meta/list.csv`` beside ``audio``."""
    found = [file for file in sorted(path.iterdir()) if is_of_recordings(file)]
    if len(found) > 1:
        names = ", ".join(file.name for file in found)
        raise DataError(f"{path}: {len(found)} tables of recordings, {names}; name the one that is meant")
    if found:
        return _of_table(found[0])
    below = [file for file in sorted(path.glob("*/*")) if is_of_recordings(file)]
    return _of_table(below[0]) if len(below) == 1 and root_of(below[0]) is not None else None


def _audio_folder(path: Path) -> Layout | None:
    """Metadata beside recordings, or in a folder for each split."""
    if not metadata_files(path):
        return None
    keys = {"kind": "audiofolder", "root": str(path)}
    return Layout("an AudioFolder (metadata with file_name)", keys, read_audio_folder(path, None))


def _lhotse(path: Path) -> Layout | None:
    if not is_lhotse(path):
        return None
    keys = {"kind": "lhotse", "path": str(path)}
    return Layout("manifests of lhotse", keys, read_lhotse(path, None, "recording"), likely=("speaker",))


def _of_table(path: Path) -> Layout:
    names = names_of(path)
    if "path" not in names:
        columns = ", ".join(columns_of(path))
        others = ", ".join(OTHER_NAMES["path"])
        raise DataError(f"{path}: no column 'path' (or {others}); the columns are {columns}")
    root = root_of(path)
    where = "" if root in (None, path.parent) else f"; its paths begin in {root}"
    if all(name == column for column, name in names.items()):
        corpus = read_manifest(path, root, None)
        keys = {"kind": "manifest", "path": str(path), **({"root": str(root)} if where else {})}
        layout = Layout(f"a manifest{where}", keys, corpus)
    else:
        layout = _written(f"a table of recordings{where}", root or path.parent, renamed(path))
    if root is None:
        raise DataError(
            f"{path}: none of its recordings is there, such as {layout.corpus.paths()[0]}; put the table into the "
            "folder that its paths are relative to"
        )
    return layout


def _written(what: str, root: Path, rows: list[dict[str, str]]) -> Layout:
    """The layout of rows that make a manifest, once it is written."""
    columns = list(dict.fromkeys(column for row in rows for column in row))
    text = table(columns, ([row.get(column, "") for column in columns] for row in rows))
    with TemporaryDirectory() as place:
        path = Path(place) / "manifest.tsv"
        path.write_text(text, encoding="utf-8")
        corpus = read_manifest(path, root, None)
    return Layout(what, {"kind": "manifest", "root": str(root)}, corpus, table=text)
