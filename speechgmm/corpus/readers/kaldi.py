"""Kaldi data directories (kaldi-asr.org/doc/data_prep.html): utterances, speakers and texts as tables of two columns.

data/                    or one directory:      train/
  train/wav.scp            recording -> file      wav.scp
  train/segments           optional               utt2spk
  train/utt2spk            labels                 ...
  test/...

Commands in wav.scp are never run: a data file must not decide what this machine executes.
"""

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from os.path import normpath
from pathlib import Path
from typing import Final

from speechgmm.corpus.readers.files import SPLIT_NAMES, is_passed_over
from speechgmm.corpus.readers.layout import check_label, check_root, read_lines, refuse, repeated_ids
from speechgmm.corpus.utterance import SPLITS, Corpus, Utterance, common_root
from speechgmm.errors import DataError
from speechgmm.io.frame_files.kaldi_lists import scp_sources
from speechgmm.io.given_frames import place_of
from speechgmm.io.tables import windows_path

NEEDS: Final = {"speaker": "utt2spk", "gender": "spk2gender", "text": "text"}
"""Label -> the file that it is read from."""

NO_LABELS: Final = ("spk", "dur", "num_frames", "uniq")
"""Files ``utt2...`` that are no columns of labels; of all others the name is that of the column."""

LOOKED_AT: Final = 50
"""Relative paths tried to learn whether ``corpus.root`` is the folder they are relative to."""

PIPES: Final = (
    "a wav.scp whose entries are commands is not read, for a data file must not decide what is executed here; "
    "write the audio to files first, by running each command once (`COMMAND > wav/ID.wav`), and list the files. "
    "A SPHERE file that is not compressed needs no command: name it as it is"
)


@dataclass(frozen=True, slots=True)
class _Table:
    """A file of ``key value`` lines."""

    name: str  # for messages: "train/utt2spk"
    values: Mapping[str, tuple[int, str]]  # key -> (line number, the rest of the line)

    def get(self, key: str) -> str:
        return self.values[key][1] if key in self.values else ""


def read_kaldi(path: Path, root: Path | None, label: str, *, given: bool = False) -> Corpus:
    """The utterances of a data directory, or of ``train``, ``dev``, ``test`` and ``ubm`` below a folder.

    Labels: utterance and recording (names); speaker, gender and text where utt2spk, spk2gender and text are there; and
    of each other file such as utt2lang a column (lang).

    Args:
        path: A folder with wav.scp, or a folder of such folders, whose names are then the splits.
        root: What relative paths in wav.scp are relative to and must not leave; default: the folder that ``path`` lies
            in, which for ``data`` is where Kaldi's scripts are run. Absolute paths, which are usual, may lie anywhere.
        label: The column to model.
        given: Recordings are frames that another program computed: those of feats.scp, and no wav.scp is needed.

    Raises:
        DataError: A file is missing or lines are wrong (all are listed); a list that holds commands.
    """
    notes: list[str] = []
    listed = "feats.scp" if given else "wav.scp"
    folders = _directories(path, listed, notes)
    others = sorted({column for folder in folders.values() for column in _other_columns(folder)})
    check_label(label, ("utterance", "recording", *NEEDS, *others), "a Kaldi data directory")
    base = (root or path.parent).absolute()
    problems: list[str] = []
    utterances: list[Utterance] = []
    relative: list[str] = []
    for split, folder in folders.items():
        if label in NEEDS and not (folder / NEEDS[label]).is_file():
            problems.append(f"{folder.name}: corpus.label is {label!r}, which needs a file {NEEDS[label]}")
            continue
        scp = _table(folder, listed, problems)
        if given:
            sources = scp_sources(folder / listed, root)
            files = {name: place_of(source) for name, source in sources.items()}
            stretches: list[_Stretch] = [(name, name, None, None, f"{scp.name}, {name}") for name in sources]
        else:
            files = _audio_files(scp, base, problems, relative)
            stretches = list(_stretches(folder, scp, problems))
        utterances.extend(_read_directory(folder, stretches, files, split, label, problems, notes))
    problems += repeated_ids(utterances)
    refuse(path, problems, PIPES if any(problem.endswith("is a command") for problem in problems) else "")
    if not utterances:
        raise DataError(
            f"{path}: no utterance in {' or '.join(sorted(f'{f.name}/{listed}' for f in folders.values()))}"
        )
    _check_base(relative, base, path)
    return Corpus(tuple(utterances), label, common_root([one.path for one in utterances], base), tuple(notes))


def _directories(path: Path, listed: str, notes: list[str]) -> dict[str, Path]:
    """Split -> data directory; the split is "" where there is one directory; what is left aside goes to ``notes``."""
    if (path / listed).is_file():
        return {"": path}

    def has_directories(folder: Path) -> bool:
        return (folder / listed).is_file() or any(folder.glob(f"*/{listed}"))

    check_root(path, has_directories, f"a Kaldi data directory (no {listed} in it or one level below)", "corpus.path")
    found = sorted(file.parent for file in path.glob(f"*/{listed}") if not is_passed_over(file.parent.name))
    by_split: dict[str, Path] = {}
    for folder in found:
        split = SPLIT_NAMES.get(folder.name.lower())
        if split and split in by_split:
            raise DataError(f"{path}: {by_split[split].name} and {folder.name} are the same split, {split}; rename one")
        if split:
            by_split[split] = folder
        else:
            notes.append(f"{folder}: not named after a split ({', '.join(SPLIT_NAMES)}), and not used")
    if not by_split:
        raise DataError(
            f"{path}: the data directories {', '.join(folder.name for folder in found)} are not named after splits "
            f"({', '.join(SPLITS)}); name one of them as corpus.path, or link them under such names in a folder of "
            "their own"
        )
    return {split: by_split[split] for split in SPLITS if split in by_split}


def _audio_files(scp: _Table, base: Path, problems: list[str], relative: list[str]) -> dict[str, Path]:
    """Recording -> file; what is wrong is added to ``problems``, and paths that are relative to ``relative``."""
    files: dict[str, Path] = {}
    for recording, (line, entry) in scp.values.items():
        where = f"{scp.name}, line {line}"
        if entry.endswith("|"):
            problems.append(f"{where}: {entry!r} is a command")
        elif re.search(r"\.ark:\d+$", entry):
            problems.append(f"{where}: {entry!r} is a place in an archive; write each of its recordings to a file")
        elif not entry:
            problems.append(f"{where}: recording {recording!r} has no file")
        elif (hint := windows_path(entry)) and not (base / entry).exists():
            problems.append(f"{where}: there is no such recording{hint}")
        else:
            files[recording] = Path(normpath(base / entry))
            if Path(entry).is_absolute():
                continue
            if files[recording].is_relative_to(normpath(base)):
                relative.append(entry)  # as it stands: whether it is under the base is looked at later
            else:
                problems.append(
                    f"{where}: {entry!r} leaves {base} (corpus.root); if that is meant, write it as absolute"
                )
    return files


def _read_directory(
    folder: Path,
    stretches: "Sequence[_Stretch]",
    files: Mapping[str, Path],
    split: str,
    label: str,
    problems: list[str],
    notes: list[str],
) -> list[Utterance]:
    """The utterances of one directory; what is wrong is added to ``problems``."""
    speakers, genders, texts = (_table(folder, name, problems) for name in ("utt2spk", "spk2gender", "text"))
    others = {column: _table(folder, f"utt2{column}", problems) for column in _other_columns(folder)}
    utterances: list[Utterance] = []
    for name, recording, start, end, source in stretches:
        labels = {"utterance": name, "recording": recording, "speaker": speakers.get(name), "text": texts.get(name)}
        labels["gender"] = genders.get(labels["speaker"])
        labels |= {column: values.get(name) for column, values in others.items()}
        if not labels.get(label):
            key = f"speaker {labels['speaker']!r}" if label == "gender" else f"utterance {name!r}"
            problems.append(f"{source}: {key} is not in {folder.name}/{NEEDS.get(label, f'utt2{label}')}")
            continue
        if recording in files:
            kept = {column: value for column, value in labels.items() if value}
            utterances.append(Utterance(name, files[recording], start, end, split, kept, source))
    known = {name for name, *_ in stretches}
    for table in (speakers, texts):
        unused = [key for key in table.values if key not in known]
        if unused:
            notes.append(f"{table.name}: {len(unused)} of its utterances have no audio, such as {unused[0]}")
    return utterances


def _other_columns(folder: Path) -> list[str]:
    """Columns of labels that are not Kaldi's own: ``lang`` of ``utt2lang``."""
    names = (path.name.removeprefix("utt2") for path in sorted(folder.glob("utt2*")) if path.suffix == "")
    return [name for name in names if name and name not in (*NO_LABELS, "utterance", "recording", *NEEDS)]


_Stretch = tuple[str, str, float | None, float | None, str]
"""Utterance, recording, start, end, source."""


def _stretches(folder: Path, scp: _Table, problems: list[str]) -> Iterator[_Stretch]:
    """What segments says, where there are any, else one for each recording."""
    if not (folder / "segments").is_file():
        for name, (line, _) in scp.values.items():
            yield name, name, None, None, f"{scp.name}, line {line}"
        return
    table = _table(folder, "segments", problems)
    for name, (line, rest) in table.values.items():
        source = f"{table.name}, line {line}"
        cells = rest.split()
        if cells and cells[0] not in scp.values:
            problems.append(f"{source}: recording {cells[0]!r} is not in {scp.name}")
            continue
        if len(cells) == 4:
            problems.append(f"{source}: a fifth column is a channel, which corpus.channel chooses for all; take it out")
            continue
        try:
            recording, start, end = cells[0], float(cells[1]), float(cells[2])
        except (IndexError, ValueError):
            problems.append(f"{source}: {name} {rest!r}; expected utterance, recording, start and end in seconds")
            continue
        if len(cells) > 3 or not math.isfinite(start) or not math.isfinite(end) or start < 0:
            problems.append(f"{source}: {name} {rest!r}; expected utterance, recording, start and end in seconds")
        elif end == -1:  # Kaldi's extract-segments: to the end of the recording
            yield name, recording, start, None, source
        elif end <= start:
            problems.append(f"{source}: end {end:g} s is not after start {start:g} s")
        else:
            yield name, recording, start, end, source


def _table(folder: Path, name: str, problems: list[str]) -> _Table:
    """A file of the directory; empty where it is not there. A key that stands twice is a problem."""
    title = f"{folder.name}/{name}"
    values: dict[str, tuple[int, str]] = {}
    if (folder / name).is_file():
        for line, text in read_lines(folder / name):
            key, _, rest = text.replace("\t", " ").partition(" ")
            if key in values:
                problems.append(f"{title}, line {line}: {key!r} stands in line {values[key][0]} already")
            else:
                values[key] = line, rest.strip()
    return _Table(title, values)


def _check_base(relative: Sequence[str], base: Path, path: Path) -> None:
    """Refuse a base under which nothing lies, where another folder is plainly meant. Missing files are found later."""
    some = relative[:LOOKED_AT]
    if not some or any((base / entry).exists() for entry in some):
        return
    for folder in (path.absolute().parent.parent, path.absolute(), Path.cwd()):
        if any((folder / entry).exists() for entry in some):
            raise DataError(
                f"{path}: the paths in wav.scp are relative, such as {some[0]}, and none of them lies under {base} "
                f"(corpus.root; default: the folder that corpus.path lies in); did you mean corpus.root: {folder}?"
            )
