"""The sections of a configuration about single kinds of corpora, such as ``corpus.timit``."""

import re
from dataclasses import dataclass
from typing import Literal

from speechgmm.errors import ConfigError
from speechgmm.setting import FORBID_UNKNOWN, setting


@dataclass(frozen=True, slots=True, kw_only=True)
class TimitSpec:
    """What is taken of TIMIT."""

    __pydantic_config__ = FORBID_UNKNOWN

    phones: Literal[61, 48, 39] = setting(
        39, "classes that the 61 phones are folded to, as Lee & Hon 1989; q is dropped from the 48 and the 39"
    )
    sa: Literal["drop", "keep"] | None = setting(
        None, "sa1 and sa2, which all speakers read; default: dropped for the labels phone and word"
    )
    test: Literal["full", "core"] = setting(
        "full", "full: all 168 speakers of TEST; core: the 24 of the core test set, and 50 others as dev"
    )
    test_speakers: tuple[str, ...] = setting(
        (),
        "speakers who are the test, such as [mcpm0, fvmh0], where corpus.split is column; the others are training; "
        "default: as test says",
    )

    def __post_init__(self) -> None:
        if self.test_speakers and self.test != "full":
            raise ConfigError("corpus.timit.test_speakers names the test, and corpus.timit.test too; leave one of them")


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


@dataclass(frozen=True, slots=True, kw_only=True)
class TranscriptsSpec:
    """Who speaks, and which tier of TextGrids has what is said."""

    __pydantic_config__ = FORBID_UNKNOWN

    speaker: int | str | None = setting(
        None,
        "who speaks. A number: the folder of this depth below corpus.root, from 1; a regular expression: what its "
        "first parentheses match in a recording's path below corpus.root, such as '([^/_]+)_' for anna_01.wav; "
        "default: the folder that the recording lies in",
    )
    tier: str | None = setting(
        None, "TextGrids: the interval tier whose intervals are the utterances; default: the only one"
    )

    def __post_init__(self) -> None:
        if isinstance(self.speaker, int):
            if self.speaker < 1:
                raise ConfigError(
                    f"corpus.transcripts.speaker is {self.speaker}; expected the depth of a folder, 1 or more"
                )
        elif self.speaker is not None:
            _check_pattern(self.speaker, "corpus.transcripts.speaker", "the speaker")


def _check_pattern(pattern: str, key: str, what: str) -> None:
    """Refuse what is no regular expression with parentheses; ``what`` is in them."""
    try:
        groups = re.compile(pattern).groups
    except re.error as error:
        raise ConfigError(f"{key} is {pattern!r}; expected a regular expression ({error})") from None
    if groups < 1:
        raise ConfigError(f"{key} is {pattern!r}; expected parentheses around what is {what}, such as '([^_]+)_'")


@dataclass(frozen=True, slots=True, kw_only=True)
class FolderSpec:
    """What is taken of the names of files, in a folder per class."""

    __pydantic_config__ = FORBID_UNKNOWN

    group_from: str | None = setting(
        None,
        "a regular expression; what its first parentheses match in a recording's path below the folder of its class is "
        "its value in the column group, such as '([^_]+)_' for the speaker in anna_01.wav; default: there is no such "
        "column",
    )

    def __post_init__(self) -> None:
        _check_pattern(self.group_from or "()", "corpus.folder.group_from", "the group")


@dataclass(frozen=True, slots=True, kw_only=True)
class AsvspoofSpec:
    """What is taken of ASVspoof."""

    __pydantic_config__ = FORBID_UNKNOWN

    test: Literal["2019-LA", "2019-PA", "2021-LA", "2021-DF"] = setting(
        "2019-LA",
        "the evaluation set that is the test; training and dev are those of 2019, PA for 2019-PA, LA for the others",
    )
    phase: Literal["eval", "progress", "hidden"] = setting("eval", "2021: which of its trials")

    def __post_init__(self) -> None:
        if self.phase != "eval" and self.test.startswith("2019"):
            raise ConfigError(f"corpus.asvspoof.phase is for the tests of 2021; the test is {self.test}: leave it out")
