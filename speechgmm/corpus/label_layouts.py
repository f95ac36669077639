"""Recordings with label files, beside them or in a folder apart: which format, which tier, and what the labels are.

Owns what `layouts.recognise` looks for in files of labels. Opens no recording, and writes nothing.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from speechgmm.corpus.reader_specs import LabelFilesSpec, TextGridSpec
from speechgmm.corpus.readers.files import files_below, recordings_below
from speechgmm.corpus.readers.label_files import SUFFIXES, LabelSource, read_labelled
from speechgmm.corpus.readers.textgrid import textgrid_source
from speechgmm.corpus.utterance import Corpus
from speechgmm.errors import DataError
from speechgmm.io.label_files import FORMATS, LabelFormat, format_of

LONGEST_PHONE: Final = 0.25
"""s: a median interval that is longer is a word's."""

FILES_LOOKED_AT: Final = 20
"""Label files whose tiers are looked at: the first may have an empty one."""

NAMES: Final = {
    "textgrid": "TextGrids",
    "elan": "annotation files of ELAN",
    "audacity": "label tracks of Audacity",
    "raven": "selection tables of Raven",
    "ctm": "CTMs",
    "rttm": "RTTMs",
}
"""Format -> what several of its files are called."""

LABELS: Final = {"rttm": "speaker", "audacity": "label", "raven": "label"}
"""Format -> what its labels are, where their lengths say nothing about it."""


@dataclass(frozen=True, slots=True)
class LabelledFolder:
    """What was found: in words, the keys of the section ``corpus``, the corpus, and the column of the labels."""

    what: str
    keys: Mapping[str, Any]
    corpus: Corpus
    label: str


def find_labelled(path: Path, columns: Sequence[str], *, texts: bool = False) -> LabelledFolder | None:
    """Recordings with label files below a folder; None: there is no label file.

    Args:
        path: The folder.
        columns: Names that the column of the classes may have, best first; a tier is chosen by them.
        texts: Look for ``.txt`` files whose content is that of label files, and not for files of other suffixes. Those
            of TIMIT, whose times are in samples, look alike.

    Raises:
        DataError: Label files of several formats, and no TextGrids; no recording beside them; files that cannot be
            read, or have no label.
    """
    every = files_below(path)
    audio = recordings_below(path).audio
    formats: dict[str, list[Path]] = {}
    stems = {file.with_suffix("") for file in audio}
    for file in every:
        found = _format_of_text(file, stems) if texts else _format_by_suffix(file)
        if found is not None:
            formats.setdefault(found.name, []).append(file)
    if not formats:
        return None
    if len(formats) > 1 and "textgrid" not in formats:
        listed = ", ".join(f"{len(files)} {NAMES[name]}" for name, files in formats.items())
        raise DataError(
            f"{path}: {listed}; expected one format: move the others elsewhere, or write a configuration with "
            "corpus.label_files.format"
        )
    name = "textgrid" if "textgrid" in formats else next(iter(formats))
    files = formats[name]
    if not audio:
        raise DataError(f"{path}: {len(files)} {NAMES[name]} and no recording; name the folder that holds both")
    return _described(path, FORMATS[name], files, audio, columns)


def _format_by_suffix(file: Path) -> LabelFormat | None:
    """The format of a file whose suffix says that it is a label file."""
    return format_of(file) if file.name.lower().endswith(SUFFIXES) else None


def _format_of_text(file: Path, stems: set[Path]) -> LabelFormat | None:
    """The format of a text that is a label file and lies beside its recording."""
    if file.suffix.lower() != ".txt" or file.with_suffix("") not in stems:
        return None
    try:
        found = format_of(file)
        return found if found.read(file)[0].labels else None
    except DataError:
        return None


def _described(
    path: Path, format: LabelFormat, files: list[Path], audio: tuple[Path, ...], columns: Sequence[str]
) -> LabelledFolder:
    root, folder = (path, None) if format.several else _apart(path, files, audio, NAMES[format.name])
    tiers: dict[str, list[float]] = {}
    sample = files[:: max(1, len(files) // FILES_LOOKED_AT)]
    for file in sample:
        for tier in format.read(file):
            lengths = [one.duration for one in tier.labels if one.label]
            if lengths:
                tiers.setdefault(tier.name, []).extend(lengths)
    if not tiers:
        what = "interval tier" if format.name == "textgrid" else "label"
        raise DataError(f"{path}: no {what} with text in {len(sample)} {NAMES[format.name]}, the first is {files[0]}")
    medians = {name: sorted(lengths)[len(lengths) // 2] for name, lengths in tiers.items()}
    asked = (name for name in tiers if name.lower() in columns or name.lower().removesuffix("s") in columns)
    tier_name = next(asked, min(medians, key=lambda name: medians[name]))
    by_length = "phone" if medians[tier_name] < LONGEST_PHONE else "word"
    label = columns[0] if columns else LABELS.get(format.name, by_length)
    section: dict[str, Any] = {"tier": tier_name} if tier_name else {}
    if folder is not None:
        section["folder"] = str(folder)
    kind = "textgrid" if format.name == "textgrid" else "label_files"
    source = textgrid_source(TextGridSpec(**section))
    if kind == "label_files":
        section["format"] = format.name
        source = LabelSource(LabelFilesSpec(**section))
    keys = {"kind": kind, "root": str(root), kind: section}
    where = "beside the recordings" if folder is None else f"in {folder.name}"
    what = f"recordings with {len(files)} {NAMES[format.name]} {where}" + (f", tier {tier_name!r}" if tier_name else "")
    return LabelledFolder(what, keys, read_labelled(root, label, source), label)


def _apart(path: Path, files: list[Path], audio: tuple[Path, ...], what: str) -> tuple[Path, Path | None]:
    """The folder of the recordings, and that of the label files where these lie apart."""
    stems = {file.with_suffix("") for file in audio}
    if any(one.with_suffix("") in stems for one in files):
        return path, None
    tops = sorted({file.relative_to(path).parts[0] for file in (*files, *audio) if file.parent != path})
    for of_audio in (path, *(path / top for top in tops)):
        places = {file.relative_to(of_audio).with_suffix("") for file in audio if file.is_relative_to(of_audio)}
        for of_labels in (path / top for top in tops):
            inner = [one.relative_to(of_labels).with_suffix("") for one in files if one.is_relative_to(of_labels)]
            if len(inner) == len(files) and places.issuperset(inner):
                return of_audio, of_labels
    raise DataError(
        f"{path}: {len(files)} {what} and {len(audio)} recordings, and none of the same name, such as "
        f"{files[0].relative_to(path)} and {audio[0].relative_to(path)}; expected is one beside each recording, or in "
        "a folder apart that is laid out as the recordings are"
    )
