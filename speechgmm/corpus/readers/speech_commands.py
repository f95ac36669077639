"""Speech Commands (Warden 2018): WORD/SPEAKER_nohash_N.wav, with lists of the validation and the test recordings."""

import re
from pathlib import Path
from typing import Final

from speechgmm.corpus.readers.files import recordings_below
from speechgmm.corpus.readers.layout import check_label, check_root, left_out, read_lines, refuse
from speechgmm.corpus.utterance import Corpus, Utterance

NAME: Final = re.compile(r"(?P<speaker>[^_]+)_nohash_(?P<index>\d+)")
COLUMNS: Final = ("word", "speaker", "index")
LISTS: Final = {"dev": "validation_list.txt", "test": "testing_list.txt"}
"""Split -> the file that names its recordings; the rest trains."""


def read_speech_commands(root: Path, label: str) -> Corpus:
    """The recordings of Speech Commands; labels word, speaker (the hash in the name) and index.

    The split is that of validation_list.txt (``dev``) and testing_list.txt (``test``); without either there is none.
    Folders whose names begin with ``_`` (``_background_noise_``) are left out.

    Raises:
        DataError: There are no such recordings, the label is none of the three, or a recording is in both lists.
    """
    check_label(label, COLUMNS, "Speech Commands")
    check_root(root, _is_root, "Speech Commands (WORD/HASH_nohash_N.wav)")
    problems: list[str] = []
    split_of: dict[str, str] = {}
    for split, name in LISTS.items():
        if (root / name).is_file():
            for line, entry in read_lines(root / name):
                if split_of.setdefault(entry, split) != split:
                    problems.append(f"{name}, line {line}: {entry} is in {LISTS[split_of[entry]]} too")
    utterances: list[Utterance] = []
    others: list[str] = []
    found = recordings_below(root)
    for path in found.audio:
        place = path.relative_to(root)
        if place.parts[0].startswith("_"):
            continue
        match = NAME.fullmatch(path.stem)
        if not match or len(place.parts) != 2:
            others.append(place.as_posix())
            continue
        labels = {"word": place.parts[0], **match.groupdict()}
        split = split_of.get(place.as_posix(), "train") if split_of else ""
        identity = place.with_suffix("").as_posix()
        utterances.append(Utterance(identity, path, None, None, split, labels, place.as_posix()))
    refuse(root, problems)
    notes = left_out(others, "not named as in Speech Commands")
    listed_here = sum(1 for utterance in utterances if utterance.split in LISTS)
    if listed_here < len(split_of):
        notes.append(
            f"{len(split_of) - listed_here} of {len(split_of)} recordings in {' and '.join(LISTS.values())} are not "
            "there: this is a part of Speech Commands"
        )
    return Corpus(tuple(utterances), label, root, (*notes, *found.notes()))


def _is_root(folder: Path) -> bool:
    return any(NAME.fullmatch(path.stem) for path in folder.glob("*/*_nohash_*.wav"))
