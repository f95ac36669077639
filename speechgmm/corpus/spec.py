"""The ``corpus`` and ``corpus.split`` sections of a configuration."""

import re
from dataclasses import dataclass
from typing import Final, Literal

from speechgmm.corpus.utterance import SPLITS
from speechgmm.errors import ConfigError
from speechgmm.setting import FORBID_UNKNOWN, setting

Kind = Literal[
    "manifest",
    "folder",
    "kaldi",
    "sphinx",
    "textgrid",
    "timit",
    "librispeech",
    "speech_commands",
    "fsdd",
    "asvspoof",
    "dcase",
    "mimii",
    "espeak",
]

KNOWN: Final = ("timit", "librispeech", "speech_commands", "fsdd", "asvspoof", "dcase", "mimii", "espeak")
"""Corpora with a place of their own: $SPEECHGMM_DATA/NAME, else data/NAME."""


COLUMN: Final = "column:"
"""What a place of frames begins with that is a column of the corpus."""


def belongs_to_kind(key: str, kind: str) -> bool:
    """Whether a key of the section ``corpus`` is about one kind of corpus: where it lies, and the kind's own section.

    >>> belongs_to_kind("timit", "timit"), belongs_to_kind("root", "timit"), belongs_to_kind("label", "timit")
    (True, True, False)
    """
    return key in ("path", "root", kind)


@dataclass(frozen=True, slots=True, kw_only=True)
class SplitSpec:
    """How utterances are divided; ``split: column`` is short for ``split: {kind: column}``.

    >>> SplitSpec(kind="kfold", folds=10).disjoint
    True
    """

    __pydantic_config__ = FORBID_UNKNOWN

    kind: Literal["column", "fraction", "kfold", "leave-one-out"] = setting(
        "column",
        "column: as the corpus says (the manifest's split column, train/ and test/ folders, an official split); "
        "fraction: a random share of every class for the test; kfold: every recording is tested once, by models of the "
        "other folds; leave-one-out: the same with a fold for each value of a column",
    )
    test: float = setting(0.2, "fraction: share of every class's recordings held out for the test", gt=0, lt=1)
    folds: int = setting(5, "kfold: how many", ge=2, le=1000)
    column: str = setting("split", "column: of a manifest, the column that says the split")
    names: dict[str, str] | None = setting(
        None,
        "column: value of that column -> split (train, dev, test, ubm, cohort), such as {background: ubm, enrol: "
        "train}; default: the splits' own names",
    )
    by: str | None = setting(None, "leave-one-out: the column that is left out value by value; default: corpus.group")
    disjoint: bool = setting(
        True, "no corpus.group on both sides; false: the group is for intervals alone, and may stand on both"
    )

    def __post_init__(self) -> None:
        for name, kind, default in (
            ("test", "fraction", 0.2),
            ("folds", "kfold", 5),
            ("by", "leave-one-out", None),
            ("column", "column", "split"),
            ("names", "column", None),
        ):
            if self.kind != kind and getattr(self, name) != default:
                raise ConfigError(f"corpus.split.{name} is for kind {kind}; the kind is {self.kind}")
        for value, split in (self.names or {}).items():
            if split not in SPLITS:
                raise ConfigError(
                    f"corpus.split.names: {value!r} is {split!r}; expected a split, one of {', '.join(SPLITS)}"
                )


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
        try:
            groups = re.compile(self.group_from or "()").groups
        except re.error as error:
            raise ConfigError(
                f"corpus.folder.group_from is {self.group_from!r}; expected a regular expression ({error})"
            ) from None
        if groups < 1:
            raise ConfigError(
                f"corpus.folder.group_from is {self.group_from!r}; expected parentheses around what is the group, such "
                "as '([^_]+)_'"
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelSpec:
    """Which labels are classes."""

    __pydantic_config__ = FORBID_UNKNOWN

    merge: dict[str, str] | None = setting(
        None, "label -> the class that it counts as, such as {ax: ah}; the others are classes of their own name"
    )
    ignore: tuple[str, ...] = setting(
        (), "labels whose items are left out, after merging, such as [sil, sp]; '' in a manifest: rows without a label"
    )


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
            raise ConfigError(f"corpus.asvspoof.phase is for the tests of 2021; the test is {self.test}")


@dataclass(frozen=True, slots=True, kw_only=True)
class CorpusSpec:
    """Which recordings, which labels, which split.

    >>> CorpusSpec(kind="folder", root="birds", split=SplitSpec(kind="fraction")).label
    'label'
    """

    __pydantic_config__ = FORBID_UNKNOWN

    kind: Kind = setting(
        "manifest",
        "manifest: a table; folder: a folder per class; kaldi: data directories; sphinx: as CMU Sphinx has them (etc "
        "and feat or wav); textgrid: Praat's TextGrids; timit, librispeech, speech_commands, fsdd (Free Spoken Digit "
        "Dataset), asvspoof: corpora; dcase (task 2), mimii: machines for task: anomaly; espeak: speech made by eSpeak "
        "NG",
    )
    path: str | None = setting(
        None,
        "manifest: the table (.tsv, .csv or .jsonl); kaldi: a data directory, or the folder of train and test; "
        "relative to the configuration file",
        is_path=True,
    )
    root: str | None = setting(
        None,
        "folder that the recordings lie in, relative to the configuration file; default: the manifest's folder, "
        "for kaldi (where relative paths in wav.scp begin) the folder that path lies in, "
        "and for a known corpus $SPEECHGMM_DATA/NAME, else data/NAME where you stand",
        is_path=True,
    )
    features: str | None = setting(
        None,
        "features.kind given: where the frames of each recording are: a pattern such as feats/{stem}.npy, with {id}, "
        "{path} (below root, without ending), {stem} or {COLUMN}, relative to the configuration file; a Kaldi "
        "feats.scp, an .npz or a folder, by names; or column:NAME, paths in a column, relative to root; default: the "
        "recordings are files of frames",
        is_path=True,
    )
    label: str = setting("label", "the column whose values are the classes")
    target: str | None = setting(
        None,
        "classification of two classes: the one that is to be detected; metrics of detection are given then too, of "
        "the score by which it is more likely than the other",
    )
    labels: LabelSpec = setting(LabelSpec(), "which labels are merged into one class, and which are left out")
    min_items: int = setting(
        1,
        "least number of items that a class needs in training (in all, where the corpus has no split); classes with "
        "fewer are left out and listed",
        ge=1,
    )
    group: str | None = setting(
        None, "column whose values stand on one side of the division only, and that intervals go by (speaker, session)"
    )
    split: SplitSpec = setting(SplitSpec(), "how utterances are divided into training and test")
    timit: TimitSpec = setting(TimitSpec(), "timit: what is taken of it")
    folder: FolderSpec = setting(FolderSpec(), "folder: what is taken of the names of files")
    textgrid: TextGridSpec = setting(TextGridSpec(), "textgrid: what is taken of it")
    asvspoof: AsvspoofSpec = setting(AsvspoofSpec(), "asvspoof: what is taken of it")
    sample_rate: int | None = setting(
        None, "rate that the features are made for; default 16000 (fsdd: 8000)", unit="Hz", ge=1000, le=768000
    )
    resample: bool = setting(False, "resample recordings of another rate (soxr HQ) instead of refusing them")
    channel: Literal["mix"] | int = setting("mix", "mix: the mean of all channels; or the number of one, from 0")
    on_error: Literal["stop", "skip"] = setting(
        "stop", "stop: list every recording that cannot be used and stop; skip: name them and go on without"
    )

    def __post_init__(self) -> None:
        if self.path is not None and self.kind not in ("manifest", "kaldi"):
            raise ConfigError(f"corpus.path is for the kinds manifest and kaldi; {self.kind!r} has corpus.root alone")
        if self.channel != "mix" and int(self.channel) < 0:
            raise ConfigError(f"corpus.channel is {self.channel}; expected mix, or the number of a channel from 0")

        if self.timit.test_speakers and self.split.kind != "column":
            raise ConfigError(
                f"corpus.timit.test_speakers is for corpus.split: column; the split is {self.split.kind}, which "
                "chooses its own test: set split: column"
            )

    def rate(self) -> int:
        """The sample rate in Hz, the corpus's own where none is given."""
        return self.sample_rate or (8000 if self.kind == "fsdd" else 16000)
