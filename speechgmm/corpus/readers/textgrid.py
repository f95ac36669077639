"""Praat TextGrids beside their recordings: the intervals of one tier are the utterances."""

from pathlib import Path
from typing import Any, Final

from speechgmm.corpus.reader_specs import LabelFilesSpec, TextGridSpec
from speechgmm.corpus.readers.label_files import LabelSource, read_labelled
from speechgmm.corpus.utterance import Corpus
from speechgmm.moved import from_new_place

_MOVED: Final = dict.fromkeys(("Interval", "interval_tiers"), "speechgmm.io.label_files.textgrid")


def read_textgrids(root: Path, label: str, spec: TextGridSpec | None = None) -> Corpus:
    """The intervals of a tier as utterances; those without text are left out.

    As `speechgmm.corpus.readers.label_files.read_label_files`, of TextGrids alone.

    Args:
        root: The folder of the recordings.
        label: What the column of the texts is called.
        spec: Which tiers, and where the TextGrids lie; default: the only interval tier, beside the recordings.

    Raises:
        ConfigError: praatio is not installed.
        DataError: No recording has a TextGrid; a TextGrid without its recording, that cannot be read, or without the
            tier (all are listed).
    """
    return read_labelled(root, label, textgrid_source(spec or TextGridSpec()))


def textgrid_source(spec: TextGridSpec) -> LabelSource:
    """TextGrids as label files."""
    as_label_files = LabelFilesSpec(format="textgrid", tier=spec.tier, columns=spec.columns, folder=spec.folder)
    return LabelSource(as_label_files, "corpus.textgrid", "TextGrid", "interval tier", "interval")


def __getattr__(name: str) -> Any:
    """A name from its new place, with a DeprecationWarning that says which."""
    return from_new_place(__name__, name, _MOVED)
