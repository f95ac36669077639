"""The ``corpus`` and ``corpus.split`` sections of a configuration."""

from dataclasses import dataclass
from typing import Final, Literal

from speechgmm.corpus.reader_specs import (
    AsvspoofSpec,
    FolderSpec,
    LabelFilesSpec,
    TextGridSpec,
    TimitSpec,
    TranscriptsSpec,
)
from speechgmm.corpus.utterance import SPLITS
from speechgmm.errors import ConfigError
from speechgmm.setting import FORBID_UNKNOWN, setting

Kind = Literal[
    "manifest",
    "folder",
    "kaldi",
    "lhotse",
    "audiofolder",
    "sphinx",
    "textgrid",
    "label_files",
    "transcripts",
    "timit",
    "librispeech",
    "speech_commands",
    "fsdd",
    "asvspoof",
    "dcase",
    "mimii",
    "espeak",
]

WITH_PATH: Final = ("manifest", "kaldi", "lhotse")
"""Kinds that have a path of their lists beside the root of the recordings."""

KNOWN: Final = ("timit", "librispeech", "speech_commands", "fsdd", "asvspoof", "dcase", "mimii", "espeak")
"""Corpora with a known place: $SPEECHGMM_DATA/NAME, else data/NAME."""


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
    """How utterances are divided into parts; ``split: column`` is short for ``split: {kind: column}``.

    >>> SplitSpec(kind="kfold", folds=10).disjoint
    True
    """

    __pydantic_config__ = FORBID_UNKNOWN

    kind: Literal["column", "fraction", "kfold", "leave-one-out", "all"] = setting(
        "column",
        "column: as the corpus says (the manifest's split column, train/ and test/ folders, an official split); "
        "fraction: a random share of every class for the test; kfold: every recording is tested once, by models of the "
        "other folds; leave-one-out: the same with a fold for each value of a column; all: every recording trains, and "
        "none is tested",
    )
    test: float = setting(0.2, "fraction: share of every class's recordings held out for the test", gt=0, lt=1)
    folds: int = setting(5, "kfold: number of folds", ge=2, le=1000)
    column: str = setting(
        "split", "column: of a manifest, the column that says the split; of a folder 'group' (corpus.folder.group_from)"
    )
    names: dict[str, str] | None = setting(
        None,
        "column: value of that column -> split (train, dev, test, ubm, cohort), such as {background: ubm, enrol: "
        "train}; default: the splits' own names",
    )
    by: str | None = setting(None, "leave-one-out: the column that is left out value by value; default: corpus.group")
    disjoint: bool = setting(
        True, "keep each value of corpus.group in one part of the split; false: the group serves for intervals only"
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
                raise ConfigError(f"corpus.split.{name} is for kind {kind}; the kind is {self.kind}: leave it out")
        for value, split in (self.names or {}).items():
            if split not in SPLITS:
                raise ConfigError(
                    f"corpus.split.names: {value!r} is {split!r}; expected a split, one of {', '.join(SPLITS)}"
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
class CorpusSpec:
    """Settings of the corpus: its recordings, labels and split.

    >>> CorpusSpec(kind="folder", root="birds", split=SplitSpec(kind="fraction")).label
    'label'
    """

    __pydantic_config__ = FORBID_UNKNOWN

    kind: Kind = setting(
        "manifest",
        "manifest: a table; folder: a folder per class; kaldi: data directories; lhotse: its manifests; audiofolder: "
        "metadata.csv beside the recordings, as of Hugging Face; sphinx: as CMU Sphinx has them (etc and feat or wav); "
        "textgrid: Praat's TextGrids; label_files: labels of ELAN, Audacity, Raven and others; transcripts: a text "
        "beside each recording (.lab, .txt, or utterances in a .TextGrid); timit, librispeech, speech_commands, fsdd "
        "(Free Spoken Digit Dataset), asvspoof: corpora; dcase (task 2), mimii: machines for "
        "task: anomaly; espeak: speech made by eSpeak NG",
    )
    path: str | None = setting(
        None,
        "manifest: the table (.tsv, .csv or .jsonl); kaldi: a data directory, or the folder of train and test; lhotse: "
        "the folder of the manifests, or a file of supervisions or cuts; "
        "relative to the configuration file",
        is_path=True,
    )
    root: str | None = setting(
        None,
        "folder that the recordings lie in, relative to the configuration file; default: the manifest's folder, "
        "for kaldi (where relative paths in wav.scp begin) the folder that path lies in, "
        "and for a known corpus $SPEECHGMM_DATA/NAME, else data/NAME in the current folder",
        is_path=True,
    )
    features: str | None = setting(
        None,
        "features.kind given: where the frames of each recording are: a pattern such as feats/{stem}.npy, with {id}, "
        "{path} (below root, without ending), {stem} or {COLUMN}, relative to the configuration file; a Kaldi "
        "feats.scp, an .npz or a folder, by names; or column:NAME, paths in a column, relative to root; default: the "
        "recordings are files of frames; kaldi: those of feats.scp",
        is_path=True,
    )
    vad: str | None = setting(
        None,
        "which frames of each recording are speech: a label file (RTTM, TextGrid, CSV, ...) of all or of each, whose "
        "labels are speech; or 1 or 0 for each frame (.npy, or Kaldi's vad.scp). Named as in features; default: all "
        "frames count",
        is_path=True,
    )
    label: str = setting("label", "the column whose values are the classes")
    target: str | None = setting(
        None,
        "classification of two classes: the one to detect; adds detection metrics (EER, minDCF, ...) of the difference "
        "between the log-likelihoods of the two",
    )
    labels: LabelSpec = setting(LabelSpec(), "which labels are merged into one class, and which are left out")
    min_items: int = setting(
        1,
        "least number of items that a class needs in training (in all, where the corpus has no split); classes with "
        "fewer are left out and listed",
        ge=1,
    )
    group: str | None = setting(
        None, "column whose values each stay in one part of the split; intervals resample them (speaker, session)"
    )
    session: str | None = setting(
        None,
        "verification: column of the sessions (submissions, days, calls) that a speaker was recorded in; metrics are "
        "given for tests of the sessions that enrolled the speaker, and of others",
    )
    split: SplitSpec = setting(SplitSpec(), "how utterances are divided into training and test")
    timit: TimitSpec = setting(TimitSpec(), "timit: what is taken of it")
    folder: FolderSpec = setting(FolderSpec(), "folder: what is taken of the names of files")
    textgrid: TextGridSpec = setting(TextGridSpec(), "textgrid: what is taken of it")
    label_files: LabelFilesSpec = setting(LabelFilesSpec(), "label_files: what is taken of them")
    transcripts: TranscriptsSpec = setting(TranscriptsSpec(), "transcripts: what is taken of them")
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
        if self.path is not None and self.kind not in WITH_PATH:
            raise ConfigError(
                f"corpus.path is for the kinds manifest, kaldi and lhotse; {self.kind!r} has corpus.root alone: set "
                "that"
            )
        if self.session is not None and self.session == self.label:
            raise ConfigError(
                f"corpus.session is {self.session!r}, as corpus.label is: a session is a part of what a speaker said; "
                "name a column of days, calls or submissions, or leave it out"
            )
        if self.channel != "mix" and int(self.channel) < 0:
            raise ConfigError(f"corpus.channel is {self.channel}; expected mix, or the number of a channel from 0")

        if self.timit.test_speakers and self.split.kind != "column":
            raise ConfigError(
                f"corpus.timit.test_speakers is for corpus.split: column; the split is {self.split.kind}, which "
                "chooses its own test: set split: column"
            )

    def rate(self) -> int:
        """The sample rate in Hz: that of the settings or, without one, that of this kind of corpus."""
        return self.sample_rate or (8000 if self.kind == "fsdd" else 16000)
