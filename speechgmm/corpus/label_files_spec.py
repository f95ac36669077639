"""The sections ``corpus.textgrid`` and ``corpus.label_files`` of a configuration."""

from dataclasses import dataclass
from typing import Literal

from speechgmm.setting import FORBID_UNKNOWN, setting


@dataclass(frozen=True, slots=True, kw_only=True)
class TextGridSpec:
    """What is taken of Praat's TextGrids."""

    __pydantic_config__ = FORBID_UNKNOWN

    tier: str | None = setting(None, "the interval tier whose intervals are the items; default: the only one")
    columns: dict[str, str] | None = setting(
        None,
        "column -> another interval tier, whose text around an item's middle is the column's value, such as "
        "{word: words}",
    )
    folder: str | None = setting(
        None,
        "folder of the TextGrids, where they lie as the recordings do below corpus.root; relative to the "
        "configuration file; default: beside the recordings",
        is_path=True,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelFilesSpec:
    """What is taken of label files beside recordings."""

    __pydantic_config__ = FORBID_UNKNOWN

    format: Literal["textgrid", "elan", "audacity", "raven", "ctm", "rttm", "csv", "tsv", "json"] | None = setting(
        None,
        "their format; needed for files whose suffix does not say it (.txt, .csv, .tsv, .json); default: all that end "
        "in .TextGrid, .eaf, .selections.txt, .ctm or .rttm",
    )
    tier: str | None = setting(
        None, "the tier whose labels are the items; of Raven, a column of annotations; default: the only one"
    )
    columns: dict[str, str] | None = setting(
        None, "column -> another tier, whose text around an item's middle is the column's value, such as {word: words}"
    )
    folder: str | None = setting(
        None,
        "folder of the label files, where they lie as the recordings do below corpus.root; relative to the "
        "configuration file; default: beside the recordings",
        is_path=True,
    )
