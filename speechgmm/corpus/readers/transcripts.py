"""A transcript beside each recording: what is said in it, as a text file or as utterances with times in a TextGrid.

root/
  anna/one.wav
  anna/one.lab         or one.txt, or one.TextGrid: then the intervals of a tier are the utterances
  ben/two.flac
  ben/two.TextGrid

This is the layout of the Montreal Forced Aligner.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from speechgmm.corpus.reader_specs import TranscriptsSpec
from speechgmm.corpus.readers.files import files_below, recordings_below, split_folders
from speechgmm.corpus.readers.layout import check_root, refuse
from speechgmm.corpus.utterance import Corpus, Utterance
from speechgmm.errors import DataError, first_few
from speechgmm.io.label_files import read_tiers, tier_of
from speechgmm.io.tables import read_table

SUFFIXES: Final = (".lab", ".txt", ".textgrid")
"""Suffixes of transcripts in lower case; of several beside one recording, the first in this order is read."""

NAMED: Final = 10
"""Files that a note names."""


def read_transcripts(root: Path, label: str, spec: TranscriptsSpec | None = None) -> Corpus:
    """Recordings with what is said in them: whole, or the intervals with text of a tier of a TextGrid.

    Columns: ``label``, the text; and speaker, by default the folder that the recording lies in (that of the corpus, for
    recordings in no other). Folders at the top that are named after splits, as for ``read_folder``, are these.

    Args:
        root: The folder of the recordings.
        label: What the column of the texts is called.
        spec: Which tier, and who speaks.

    Raises:
        ConfigError: praatio, which reads TextGrids, is not installed.
        DataError: No recording has a transcript; transcripts that cannot be read, TextGrids without the tier, paths
            without a speaker (all are listed).
    """
    spec = spec or TranscriptsSpec()
    check_root(root, lambda _: True, "a folder of recordings with transcripts")
    found = recordings_below(root)
    texts = transcripts_below(root)
    files = _Files(root)
    places = [path.relative_to(root) for path in found.audio]
    split_of = split_folders(root, places, classes=False)
    utterances: list[Utterance] = []
    stems: dict[Path, Path] = {}
    for path, place in zip(found.audio, places, strict=True):
        stem = path.with_suffix("")
        if stem not in texts:
            files.without_text.append(place.as_posix())
        elif stem in stems:
            files.problems.append(f"{place.as_posix()}: another recording of that name, {stems[stem].name}, lies there")
        else:
            stems[stem] = path
            try:
                speaker = speaker_of(place, root, spec.speaker, len(split_of) > 0)
                split = split_of.get(place.parts[0], "")
                made = _utterances(path, texts[stem], files, spec.tier)
                utterances += (_named(one, place, split, {"speaker": speaker, label: one.text}) for one in made)
            except DataError as error:
                files.problems.append(str(error).removeprefix(f"{root}/"))
    refuse(root, files.problems)
    if not utterances:
        raise DataError(
            f"{root}: {len(found.audio)} recordings and {len(texts)} transcripts, and no recording has a transcript "
            "with a word; expected is one of the same name beside each recording: anna/one.wav and anna/one.lab (or "
            ".txt, .TextGrid)"
        )
    lonely = sorted(text.relative_to(root).as_posix() for stem, text in texts.items() if stem not in stems)
    return Corpus(tuple(utterances), label, root, (*files.notes(len(found.audio), lonely), *found.notes()))


def transcripts_below(root: Path) -> dict[Path, Path]:
    """Path without suffix -> the transcript that is read there."""
    texts: dict[Path, Path] = {}
    for path in files_below(root):
        if path.suffix.lower() in SUFFIXES:
            stem = path.with_suffix("")
            texts[stem] = min((path, texts.get(stem, path)), key=lambda one: SUFFIXES.index(one.suffix.lower()))
    return texts


@dataclass(frozen=True, slots=True)
class _Files:
    """What is wrong with files, and which of them are not used."""

    root: Path
    problems: list[str] = field(default_factory=list)
    without_text: list[str] = field(default_factory=list)
    empty: list[str] = field(default_factory=list)

    def notes(self, n_audio: int, lonely: Sequence[str]) -> Iterator[str]:
        """Sentences about the files that are not used."""
        for names, what in (
            (self.without_text, f"of {n_audio} recordings have no transcript beside them"),
            (self.empty, "transcripts have no word"),
            (lonely, "transcripts have no recording of their name"),
        ):
            if names:
                yield f"{len(names)} {what} and are not used: {first_few(list(names), NAMED)}"


@dataclass(frozen=True, slots=True)
class _Said:
    """A text and where it is said."""

    path: Path
    text: str
    start: float | None
    end: float | None
    source: str


def _utterances(path: Path, transcript: Path, files: _Files, tier: str | None) -> Iterator[_Said]:
    """What is said in a recording. Raises DataError."""
    name = transcript.relative_to(files.root).as_posix()
    if transcript.suffix.lower() != ".textgrid":
        text = " ".join(read_table(transcript).split())
        if text:
            yield _Said(path, text, None, None, name)
        else:
            files.empty.append(name)
        return
    try:
        labels = tier_of(read_tiers(transcript, "textgrid"), tier, "corpus.transcripts.tier", "interval tier").labels
    except DataError as error:
        raise DataError(f"{name}: {str(error).removeprefix(f'{transcript}: ')}") from None
    spoken = [one for one in labels if one.label]
    for one in spoken:
        source = f"{name}, {one.start:.3f} to {one.end:.3f} s"
        yield _Said(path, " ".join(one.label.split()), one.start, one.end, source)
    if not spoken:
        files.empty.append(name)


def _named(one: _Said, place: Path, split: str, labels: Mapping[str, str]) -> Utterance:
    identity = place.with_suffix("").as_posix()
    if one.start is not None and one.end is not None:
        identity += f":{one.start:.3f}-{one.end:.3f}"
    return Utterance(identity, one.path, one.start, one.end, split, labels, one.source)


def speaker_of(place: Path, root: Path, how: str | int | None, in_splits: bool = False) -> str:
    """Who speaks in a recording at a place below the folder of the corpus.

    Args:
        place: Path of the recording below ``root``.
        root: The folder of the corpus, which is the speaker of recordings that lie in no other.
        how: None: the folder that the recording lies in; a number: the folder of that depth, from 1; a regular
            expression: what its first parentheses match in the path.
        in_splits: Whether the folders at the top are splits, and no speakers.

    Raises:
        DataError: No such folder, or the expression does not match.

    >>> [speaker_of(Path("a/b/one.wav"), Path("corpus"), how) for how in (None, 1, "([^/]+)[.]wav")]
    ['b', 'a', 'one']
    """
    folders = place.parts[1 if in_splits else 0 : -1]
    if how is None:
        return folders[-1] if folders else root.resolve().name
    if isinstance(how, int):
        if how > len(folders):
            raise DataError(
                f"{place.as_posix()}: {len(folders)} folders above it, and corpus.transcripts.speaker is folder {how}"
            )
        return folders[how - 1]
    match = re.search(how, place.as_posix())
    if match is None or not match[1]:
        raise DataError(f"{place.as_posix()}: no speaker in its path by corpus.transcripts.speaker, {how!r}")
    return match[1]
