"""Corpora as CMU Sphinx's tutorials lay them out, such as AN4 (Acero 1993).

root/
  etc/an4_train.fileids          an4_clstk/fash/an251-fash-b       of every utterance: its file, without ending
  etc/an4_train.transcription    YES (an251-fash-b)                what is said in it, and its id
  etc/an4_test.fileids ...       optional
  feat/an4_clstk/fash/an251-fash-b.mfc                             frames, where features.kind is given
  wav/an4_clstk/fash/an251-fash-b.wav                              recordings otherwise (or .sph, .raw ...)
"""

import re
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Final

from speechgmm.corpus.readers.files import SPLIT_NAMES
from speechgmm.corpus.readers.layout import check_label, check_root, read_lines, refuse
from speechgmm.corpus.utterance import Corpus, Utterance
from speechgmm.errors import DataError
from speechgmm.io.audio_formats import suffixes_decoded_here
from speechgmm.io.given_frames import ONE_RECORDING

_LINE: Final = re.compile(r"(?P<text>.*?)\s*\((?P<id>[^()\s]+)\)")
_NOT_WORDS: Final = frozenset(("<s>", "</s>", "<sil>"))


def read_sphinx(root: Path, label: str, *, given: bool = False) -> Corpus:
    """The utterances of a Sphinx corpus: labels text, speaker (the folder of a file) and utterance.

    Parameters
    ----------
    root
        The folder that holds ``etc``, and ``feat`` or ``wav``.
    label
        The column to model.
    given
        Recordings are frames that another program computed, below ``feat``; else recordings below ``wav``.

    Raises
    ------
    DataError
        The folder is not such a corpus; a file without a transcript, or a transcript without a file (all are listed).
    """
    check_label(label, ("text", "speaker", "utterance"), "a Sphinx corpus")
    check_root(root, lambda folder: any(folder.glob("etc/*.fileids")), "a Sphinx corpus (with etc/NAME_train.fileids)")
    base, problems = root / ("feat" if given else "wav"), list[str]()
    utterances = [
        utterance
        for fileids in sorted(root.glob("etc/*.fileids"))
        for utterance in _part(fileids, base, _ending(base, fileids, given), problems)
    ]
    refuse(root, problems)
    return Corpus(tuple(utterances), label, root)


def _part(fileids: Path, base: Path, ending: str, problems: list[str]) -> Iterator[Utterance]:
    """The utterances of one list; what is wrong is added to ``problems``."""
    split = SPLIT_NAMES.get(fileids.stem.rpartition("_")[2].lower(), "")
    transcription = fileids.with_suffix(".transcription")
    texts: dict[str, str] = {}
    for number, line in read_lines(transcription):
        match = _LINE.fullmatch(line)
        if match is None:
            problems.append(f"{transcription.name}, line {number}: {line!r}; expected words, and an id in brackets")
        else:
            texts[match["id"]] = " ".join(word for word in match["text"].split() if word not in _NOT_WORDS)
    for number, line in read_lines(fileids):
        place, source = PurePosixPath(line), f"{fileids.name}, line {number}"
        if place.is_absolute() or ".." in place.parts:
            problems.append(f"{source}: {line!r} leaves {base}")
        elif place.name not in texts:
            problems.append(f"{source}: {place.name!r} is not in {transcription.name}")
        else:
            labels = {"text": texts[place.name], "speaker": place.parent.name, "utterance": place.name}
            yield Utterance(place.name, base / f"{line}{ending}", None, None, split, labels, source)


def _ending(base: Path, fileids: Path, given: bool) -> str:
    """What the files of a list end in. Raises DataError where none of the first is there."""
    endings = ONE_RECORDING if given else suffixes_decoded_here()
    first = next((line for _, line in read_lines(fileids)), "")
    found = next((one.suffix for one in sorted(base.glob(f"{first}.*")) if one.suffix.lower() in endings), None)
    if not first or found is None:
        what = "frames (features.kind: given)" if given else "recordings; of frames, set features.kind: given"
        raise DataError(f"{base / first}: no file of that name; expected are {what}, as {fileids.name} lists them")
    return found
