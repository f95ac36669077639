"""Label files beside their recordings: the labels of one tier are the utterances.

root/                       or, with a split:   root/                  or one file for all:   root/
  anna/one.wav                                    train/anna/one.wav                            one.wav
  anna/one.eaf                                    train/anna/one.eaf                            two.wav
                                                                                                birds.selections.txt
"""

from bisect import bisect, bisect_left
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from operator import attrgetter
from pathlib import Path, PureWindowsPath
from typing import Final

from speechgmm.corpus.reader_specs import LabelFilesSpec
from speechgmm.corpus.readers.files import files_below, recordings_below, split_folders
from speechgmm.corpus.readers.layout import refuse
from speechgmm.corpus.utterance import Corpus, Utterance
from speechgmm.errors import DataError
from speechgmm.io.label_files import FORMATS, FileLabel, format_of, read_tiers, tier_of

SUFFIXES: Final = (".textgrid", ".eaf", ".selections.txt", ".selection.table.txt", ".ctm", ".rttm")
"""Suffixes of files that hold labels and nothing else, in lower case."""


@dataclass(frozen=True, slots=True)
class LabelSource:
    """Which label files a corpus has, and what messages call them."""

    spec: LabelFilesSpec
    key: str = "corpus.label_files"
    what: str = "label file"
    tier: str = "tier"
    item: str = "label"

    def is_meant(self, path: Path) -> bool:
        """Whether a file is a label file of this corpus."""
        if self.spec.format is None:
            return path.name.lower().endswith(SUFFIXES)
        wanted = FORMATS[self.spec.format]
        return path.name.lower().endswith(wanted.suffix.lower()) or (
            wanted.name == "raven" and path.suffix.lower() == ".txt"
        )


@dataclass(frozen=True, slots=True)
class _Labelled:
    """The labels of one recording in a file, and those of the tiers for other columns."""

    recording: Path
    place: str  # of the label file, for messages
    labels: Sequence[FileLabel]
    others: Mapping[str, Sequence[FileLabel]]


def read_label_files(root: Path, label: str, spec: LabelFilesSpec | None = None) -> Corpus:
    """The labels of a tier as utterances; those without text are left out.

    Columns: ``label``, the label's text; the text of other tiers where it lies (``spec.columns``); and speaker, the one
    that the file names, else the folder that the recording lies in (below ``root``), unless the label is itself called
    so. Folders at the top that are named after splits, as for ``read_folder``, are these.

    Args:
        root: The folder of the recordings.
        label: What the column of the texts is called.
        spec: Which format and tiers, and where the files lie; default: the only tier, beside the recordings.

    Raises:
        ConfigError: praatio, which reads TextGrids, is not installed.
        DataError: There is no label file; one without its recording, that cannot be read, or without the tier (all are
            listed).
    """
    return read_labelled(root, label, LabelSource(spec or LabelFilesSpec()))


def read_labelled(root: Path, label: str, source: LabelSource) -> Corpus:
    """As `read_label_files`, of files of a kind."""
    if not root.is_dir():
        raise DataError(f"{root}: there is no such folder (corpus.root); set it to the folder of the recordings")
    place = root if source.spec.folder is None else Path(source.spec.folder)
    files = label_files_below(place, root, source)
    found = recordings_below(root)
    index = _Recordings(root, found.audio, "beside it" if place == root else f"below {root}")
    labelled: list[_Labelled] = []
    problems: list[str] = []
    aside = 0
    for path in files:
        name = path.relative_to(place).as_posix()
        stem = index.stem_of(path.relative_to(place))
        if stem not in index.by_stem and source.spec.format == "audacity":
            aside += 1  # a text of another kind
            continue
        try:
            labelled += _of_file(path, stem, name, index, source)
        except DataError as error:
            text = str(error)
            problems.append(name + text.removeprefix(str(path)) if text.startswith(str(path)) else f"{name}: {text}")
    places = [one.recording.relative_to(root) for one in labelled]
    in_folders = bool(places) and all(len(one.parts) > 1 for one in places)
    split_of = split_folders(root, places, classes=False) if in_folders else {}
    utterances: dict[str, Utterance] = {}
    for one in labelled:
        for utterance in _utterances(one, root, label, split_of):
            if utterance.id in utterances:
                problems.append(f"{utterance.source}: another {source.item} has the same times, to the millisecond")
            utterances.setdefault(utterance.id, utterance)
    refuse(root, problems)
    if not utterances:
        raise DataError(
            f"{place}: no {source.item} with text in the tier of {len(files)} {source.what}s; "
            f"are the labels in another tier ({source.key}.tier)?"
        )
    without = len(set(found.audio) - {one.recording for one in labelled})
    where = "beside them" if place == root else f"in {place}"
    notes = [f"{without} of {len(found.audio)} recordings have no labels in a {source.what} {where} and are not used"]
    notes += [f"{aside} texts have no recording of their name and are not read"] if aside else []
    return Corpus(tuple(utterances.values()), label, root, (*notes[not without :], *found.notes()))


class _Recordings:
    """The recordings below a folder, by their places without ending and by their names."""

    def __init__(self, root: Path, audio: Sequence[Path], where: str) -> None:
        self.where = where  # the recordings are expected, for messages
        self.by_stem: dict[Path, list[Path]] = {}
        self.by_name: dict[str, list[Path]] = {}
        for path in audio:
            self.by_stem.setdefault(path.relative_to(root).with_suffix(""), []).append(path)
            for name in {path.name, path.stem}:
                self.by_name.setdefault(name, []).append(path)

    def stem_of(self, place: Path) -> Path:
        """The place of the recording that a file belongs to: ``a/b`` of ``a/b.Table.1.selections.txt``, if there."""
        parts = place.name.split(".")
        stems = (place.with_name(".".join(parts[:n])) for n in range(len(parts) - 1, 0, -1))
        return next((stem for stem in stems if stem in self.by_stem), place.with_suffix(""))

    def at(self, stem: Path, before: str = "") -> Path:
        """The recording at a place. Raises DataError, without the file's name; ``before`` begins its message."""
        there = self.by_stem.get(stem, [])
        if not there:
            raise DataError(f"{before}no recording of that name {self.where}")
        if len(there) > 1:
            raise DataError(f"two recordings: {there[0].name} and {there[1].name}")
        return there[0]

    def named(self, name: str, stem: Path) -> Path:
        """The recording that a file calls so, first the one that the file belongs to. Raises DataError likewise."""
        last = PureWindowsPath(name)  # takes / and \ as separators
        there = self.by_name.get(last.name) or self.by_name.get(last.stem) or []
        own = [path for path in there if path in self.by_stem.get(stem, [])]
        if len(own or there) != 1:
            many = f"{len(there)} recordings" if there else "no recording"
            raise DataError(f"it has labels of {name!r}, and there {'are' if there else 'is'} {many} of that name")
        return (own or there)[0]


def _of_file(path: Path, stem: Path, name: str, index: _Recordings, source: LabelSource) -> list[_Labelled]:
    """The labels of each recording in a file. Raises DataError."""
    if not FORMATS[format_of(path, source.spec.format).name].several:
        index.at(stem)
    tiers = read_tiers(path, source.spec.format)
    labels = tier_of(tiers, source.spec.tier, f"{source.key}.tier", source.tier).labels
    others = {
        column: tier_of(tiers, tier, f"{source.key}.columns.{column}", source.tier).labels
        for column, tier in (source.spec.columns or {}).items()
    }
    found = []
    for recording in dict.fromkeys(one.recording for one in labels):
        of_it = {column: [one for one in tier if one.recording == recording] for column, tier in others.items()}
        audio = index.named(recording, stem) if recording else index.at(stem, "it names no recording, and there is ")
        found.append(_Labelled(audio, name, [one for one in labels if one.recording == recording], of_it))
    return found


def _utterances(one: _Labelled, root: Path, label: str, split_of: Mapping[str, str]) -> Iterator[Utterance]:
    """The labels with text of a recording."""
    place = one.recording.relative_to(root)
    folders = place.parts[1 if split_of else 0 : -1]
    split = split_of.get(place.parts[0], "")
    for item in one.labels:
        if not item.label:
            continue
        speaker = item.speaker or (folders[-1] if folders else "")
        around = {column: _at(item, tier) for column, tier in one.others.items()}
        labels = {**({"speaker": speaker} if speaker else {}), **around, label: item.label}
        identity = f"{place.with_suffix('').as_posix()}:{item.start:.3f}-{item.end:.3f}"
        source = f"{one.place}, {item.label!r} from {item.start:.3f} to {item.end:.3f} s"
        yield Utterance(identity, one.recording, item.start, item.end, split, labels, source)


def label_files_below(place: Path, root: Path, source: LabelSource) -> list[Path]:
    """The label files below a folder, sorted by path; hidden ones are left out.

    Raises:
        DataError: There is no such folder, or no label file in it.
    """
    if not place.is_dir():
        raise DataError(
            f"{place}: there is no such folder ({source.key}.folder); set it to the folder of the {source.what}s"
        )
    files = [path for path in files_below(place) if source.is_meant(path)]
    if not files:
        example = f"anna/one{FORMATS[source.spec.format or 'elan'].suffix}"
        where = f"one is expected beside each recording (anna/one.wav, {example}), or name their folder as "
        elsewhere = f"expected are those of the recordings below {root}, such as {example} of anna/one.wav"
        raise DataError(f"{place}: no {source.what}; {f'{where}{source.key}.folder' if place == root else elsewhere}")
    return files


def _at(item: FileLabel, tier: Sequence[FileLabel]) -> str:
    """The text of a tier, sorted by time, of the label with the same times, else around the middle; empty: none."""
    middle = (item.start + item.end) / 2
    place = bisect(tier, middle, key=attrgetter("start")) - 1
    first = bisect_left(tier, item.start, key=attrgetter("start"))
    for other in tier[first : place + 1]:
        if (other.start, other.end) == (item.start, item.end):
            return other.label
    return tier[place].label if place >= 0 and middle < tier[place].end else ""
