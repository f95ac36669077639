"""A starter configuration for a folder of recordings, from a look at the folder."""

import math
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import yaml

from speechgmm.corpus import SPLITS, Corpus
from speechgmm.corpus.readers.files import recordings_below
from speechgmm.corpus.readers.folder import read_folder
from speechgmm.errors import ConfigError, DataError
from speechgmm.gmm.component_count import DEFAULT_COMPONENTS, FRAMES_PER_COMPONENT
from speechgmm.io.atomic import write_text
from speechgmm.io.audio import native_rate

LOOKED_AT = 500
"""Recordings whose header is read to learn the rates."""


def write_starter(folder: Path, out: Path | None = None, *, warn: Callable[[str], object] = print) -> Path:
    """Write a configuration for a folder per class; returns where it is. What is left aside goes to ``warn``.

    Raises:
        ConfigError: The file is there already.
        DataError: The folder has no recordings in class folders.
    """
    root = folder.absolute()
    path = out or Path(f"{root.name or 'recordings'}.yaml")
    if path.exists():
        raise ConfigError(f"{path} is there already; choose another name with --out")
    if not root.is_dir():
        raise DataError(f"{folder}: there is no such folder")
    found = recordings_below(root)
    if not found.audio:
        looked = "looked for wav, flac, mp3, ogg, aiff and others that libsndfile reads"
        raise DataError("; ".join([f"{folder}: no recordings below it ({looked})", *found.notes()]))
    corpus = read_folder(root, "label")
    if len({utterance.label("label") for utterance in corpus}) < 2:
        one = f"{folder}: recordings of one class only; deciding needs two, a folder for each"
        raise DataError("; ".join([one, *corpus.notes]))
    for note in corpus.notes:
        warn(note)
    rates = _rates(corpus)
    write_text(path, _text(root, corpus, rates))
    return path


def _quoted(text: str) -> str:
    """A string of YAML on one line; a name that is not UTF-8 in escapes, since the file is."""
    return str(yaml.safe_dump(text, default_style='"', allow_unicode=True, width=math.inf)).rstrip("\n")


def _rates(corpus: Corpus) -> Counter[int]:
    paths = corpus.paths()
    rates: Counter[int] = Counter()
    for recording in paths[:: max(1, len(paths) // LOOKED_AT)]:
        try:
            rates[native_rate(recording)] += 1
        except DataError:
            continue  # the run names it
    if not rates:
        raise DataError(f"{corpus.root}: none of {len(paths)} recordings can be opened as audio")
    return rates


def _text(root: Path, corpus: Corpus, rates: Counter[int]) -> str:
    counts = Counter(utterance.label("label") for utterance in corpus)
    given = {utterance.split for utterance in corpus} >= {"train", "test"}
    # Down to 16 kHz, which speech models are made for; never up from a lower rate.
    rate = min(16000, min(rates))
    resample = set(rates) != {rate}
    least, most = min(counts.values()), max(counts.values())
    sizes = f"{least} each" if least == most else f"{least} to {most} each"
    found = ", ".join(f"{n} at {value} Hz" for value, n in rates.most_common())
    split = (
        "column               # train/ and test/ folders"
        if given
        else "fraction             # a fifth of every class is the test"
    )
    if not given and any(utterance.split in SPLITS for utterance in corpus):
        split = "fraction             # there are no train/ and test/ folders"
    return f"""\
# {len(corpus)} recordings in {len(counts)} classes ({sizes}); rates: {found}
# Every key there is: speechgmm schema --template
corpus:
  kind: folder                # a folder per class
  root: {_quoted(str(root))}
  split: {split}
  sample_rate: {rate}
  resample: {str(resample).lower()}
features:
  preset: kaldi
  deltas: 2
# Components follow from the frames of each class: {DEFAULT_COMPONENTS}, or one for each {FRAMES_PER_COMPONENT} frames.
# model:
#   n_components: {DEFAULT_COMPONENTS}          # this many for every class
#   adapt: map                # or adapted from one model of all: better for classes of few recordings
"""
