"""The part of a configuration that all tasks share: one frozen ``Config``.

The sections are the dataclasses of the packages that use them; this package adds nothing to their meaning. Sections
that belong to tasks come from the table of tasks (``config/task_settings.py``).
"""

import re
from dataclasses import dataclass, fields, replace
from typing import Any, Literal, Self, TypeVar

from speechgmm.corpus.spec import CorpusSpec
from speechgmm.errors import ConfigError
from speechgmm.features.augment import AugmentSpec
from speechgmm.features.kinds import are_given, kind_name, reads
from speechgmm.features.spec import FeatureSpec
from speechgmm.gmm.spec import ModelSpec
from speechgmm.io.model_card import CardText
from speechgmm.setting import FORBID_UNKNOWN, setting

Spec = TypeVar("Spec")

CMVN_BY_SPEAKER = (
    "features.cmvn: speaker normalises a test recording by who its speaker is, which is to be found out here; use "
    "utterance or global"
)

LEAST_MEMORY = 1_000_000
"""Bytes: a smaller ``parallel.memory`` is a mistake."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ParallelSpec:
    """How the work is divided among threads, processes or machines. It changes the run time, not the result.

    >>> ParallelSpec(n_jobs=2, memory="500MB").backend
    'auto'
    """

    __pydantic_config__ = FORBID_UNKNOWN

    n_jobs: int = setting(
        -1, "how many tasks run at once; -1: one per CPU core, or all that a cluster has", ge=-1, le=4096
    )
    backend: Literal["auto", "threads", "processes", "dask"] = setting(
        "auto",
        "auto: processes for extraction, threads for training and scoring; or one of the two for all; dask: a cluster "
        "that runs already",
    )
    scheduler: str | None = setting(
        None,
        "dask: address of the cluster's scheduler, such as tcp://10.0.0.1:8786; default: $SPEECHGMM_SCHEDULER. In a "
        "file it needs your word on the command line, because a cluster can run any program here",
    )
    memory: str | int = setting(
        "2GB",
        "budget for frames held in memory in training, by all classes that train at once: 500MB, 1.5 GiB, or bytes; "
        "what does not fit is read again in every iteration; dask: of every worker process",
    )

    def __post_init__(self) -> None:
        """Refuse what would have no effect, or is no amount of memory."""
        self.memory_bytes()
        if self.backend != "dask":
            if self.scheduler is not None:
                raise ConfigError("parallel.scheduler has no effect without parallel.backend: dask; set that as well")
            return
        if self.scheduler is not None:
            check_scheduler(self.scheduler)
        if self.n_jobs != -1:
            raise ConfigError(
                f"parallel.n_jobs is {self.n_jobs}, and counts workers on this machine; with backend: dask, they are "
                "counted where they are started: `dask worker` has options for their number, and for one thread each. "
                "Leave parallel.n_jobs at -1, in the configuration and on the command line"
            )

    def memory_bytes(self) -> int:
        """The budget for frames in bytes."""
        number = r"([0-9]{1,15}\.?[0-9]{0,9}|\.[0-9]{1,9})"
        found = re.fullmatch(rf"\s*{number}\s*([kmgt]i?b|b)?\s*", str(self.memory), re.IGNORECASE)
        if found is None:
            raise ConfigError(
                f"parallel.memory is {self.memory!r}; expected a number with a unit, such as 500MB, 2GB or 1.5 GiB, or "
                "bytes"
            )
        amount, unit = float(found[1]), (found[2] or "b").lower()
        power = " kmgt".index(unit[0]) if unit != "b" else 0
        n_bytes = int(amount * (1024 if "i" in unit else 1000) ** power)
        if n_bytes < LEAST_MEMORY:
            raise ConfigError(
                f"parallel.memory is {self.memory!r}, {n_bytes} bytes; expected at least {LEAST_MEMORY // 10**6}MB, "
                "what a few thousand frames take: is the unit missing?"
            )
        return n_bytes


def check_scheduler(address: str) -> None:
    """Raise ConfigError where this is no address of a scheduler."""
    if not re.fullmatch(r"(tcp|tls)://\S+:\d+", address):
        raise ConfigError(
            f"parallel.scheduler is {address!r}; expected the address that `dask scheduler` prints, such as "
            "tcp://10.0.0.1:8786"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportSpec:
    """What the report page of a run contains in addition to its metrics.

    >>> ReportSpec(audio=0).identify
    False
    """

    __pydantic_config__ = FORBID_UNKNOWN

    audio: int = setting(
        12,
        "how many of the worst errors can be heard in report.html, at most 4 s of each; 0: it holds nobody's voice",
        ge=0,
        le=50,
    )
    identify: bool = setting(
        False, "true: environment.json names the host and the command line, which may tell who made the run"
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class TableSpec:
    """The format in which the tables of a run are written.

    >>> TableSpec(scores="long").gzip
    False
    """

    __pydantic_config__ = FORBID_UNKNOWN

    scores: Literal["wide", "long", "parquet"] = setting(
        "wide",
        "scores of classes. wide: scores.tsv has a row for each test item and a column for each class; long: it has a "
        "row for each item and class, for programs that read tables so; parquet: scores.parquet has these rows, in a "
        "third of the space, and needs speechgmm[parquet]. Trials have one score in a row in any form",
    )
    gzip: bool = setting(False, "true: scores.tsv.gz instead of scores.tsv; parquet is compressed in any case")

    def __post_init__(self) -> None:
        """Refuse what would have no effect."""
        if self.gzip and self.scores == "parquet":
            raise ConfigError(
                "tables.gzip has no effect with tables.scores: parquet, which is compressed; leave one of them out"
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """The configuration of an experiment: keys of all tasks. ``config/task_settings.py`` adds the sections of tasks."""

    __pydantic_config__ = FORBID_UNKNOWN

    task: str = setting("classification", "what is decided about a recording")
    corpus: CorpusSpec = setting(CorpusSpec(), "which recordings, which labels, which split")
    defaults: Literal["speaker", "phone", "word", "sound", "verification", "anomaly"] | None = setting(
        None,
        "a preset, whose settings hold where this file says nothing else: who speaks, which phone (boundaries given), "
        "which word, which sound, whether a claim of identity is true, whether a recording is anomalous; "
        "`speechgmm init` says what each sets and why",
    )
    trials: str | None = setting(
        None,
        "verification: a table of trials (model, test, and target where known; or Kaldi's three columns), relative to "
        "the configuration file; default: every model against every test utterance",
        is_path=True,
    )
    features: FeatureSpec = setting(FeatureSpec(), "the acoustic front end")
    augment: AugmentSpec = setting(AugmentSpec(), "altered copies of the recordings that are trained on")
    model: ModelSpec = setting(ModelSpec(), "the mixture of every class and how it is estimated")
    model_card: CardText = setting(
        CardText(), "what the model card says beside what is known of the run: in the model file and MODEL_CARD.md"
    )
    report: ReportSpec = setting(ReportSpec(), "the page that a run leaves about itself")
    tables: TableSpec = setting(TableSpec(), "the tables that a run leaves")
    parallel: ParallelSpec = setting(ParallelSpec(), "how the work is spread over the machine")
    cache: str | None = setting(
        None,
        "folder of the feature and model cache; default: $SPEECHGMM_CACHE, else the user's cache folder",
        is_path=True,
    )
    seed: int = setting(0, "of every random choice", ge=0, le=2**63 - 1)
    output: str | None = setting(None, "folder for the results, relative to the current folder; default: runs/NAME")

    def __post_init__(self) -> None:
        """Refuse what no task can do."""
        if self.features.cmvn == "speaker" and self.corpus.label == "speaker":
            raise ConfigError(CMVN_BY_SPEAKER)
        if self.features.transform.turns and self.model.covariance in ("full", "tied"):
            raise ConfigError(
                f"features.transform: mllt has no effect with model.covariance: {self.model.covariance}, which is as "
                "likely in any coordinates; leave one of them out"
            )
        if self.augment.warps and not are_given(self.features) and not reads(self.features, "warp"):
            raise ConfigError(
                f"augment.warps moves the filters of a front end, and features.kind: {kind_name(self.features)} has "
                "none; leave augment.warps out"
            )
        if are_given(self.features):
            self._check_given()
        elif self.corpus.features is not None:
            raise ConfigError(
                f"corpus.features is {self.corpus.features!r}, and features.kind: {kind_name(self.features)} computes "
                "frames from recordings; set features.kind: given, or leave corpus.features out"
            )
        if self.features.vad == "model" and self.features.vad_model is None:
            raise ConfigError(
                "features.vad: model needs features.vad_model, a model file with a speech detector: that of a diarizer "
                "(train-diarizer makes one), or of a run with features.vad: model"
            )
        if self.corpus.vad is not None and self.features.marks_speech:
            raise ConfigError(
                f"corpus.vad is {self.corpus.vad!r}, and features.vad, or the kind of features, chooses frames too; "
                "leave one of them out"
            )

    @property
    def chooses_frames(self) -> bool:
        """Whether only some frames of a recording are used: those that a VAD of this package or in files keeps."""
        return self.features.marks_speech or self.corpus.vad is not None

    @property
    def frame_choice(self) -> str:
        """The settings that choose frames, for a message."""
        kind, vad = kind_name(self.features), self.features.vad
        return f"features.kind: {kind}, features.vad: {vad}, corpus.vad: {self.corpus.vad or 'null'}"

    def _check_given(self) -> None:
        """Refuse what has no effect on frames that are read from files."""
        for key, default in (("sample_rate", None), ("resample", False), ("channel", "mix")):
            if (value := getattr(self.corpus, key)) != default:
                raise ConfigError(
                    f"corpus.{key}: {value} is about samples, and features.kind: given reads frames; leave it out"
                )
        if self.augment != AugmentSpec():
            raise ConfigError(
                "augment alters samples, and features.kind: given reads frames; leave it out, or compute frames of "
                "altered copies too and name them in the corpus"
            )

    def section(self, spec: type[Spec]) -> Spec:
        """The section of the type ``spec``; with default values where the configuration does not have it.

        >>> from speechgmm.config import make_config
        >>> make_config({"features": {"n_mels": 30}}).section(FeatureSpec).n_mels
        30
        """
        values = (getattr(self, field.name) for field in fields(self))
        return next((value for value in values if type(value) is spec), None) or spec()

    def with_section(self, section: Any) -> Self:
        """The configuration with ``section`` in place of its section of the same type."""
        names = [field.name for field in fields(self) if type(getattr(self, field.name)) is type(section)]
        return replace(self, **dict.fromkeys(names, section))
