"""A whole experiment as one frozen ``Config``: the sections, and what cannot be asked for together.

The sections are the dataclasses of the packages that use them; this package adds nothing to their meaning.
"""

import re
from dataclasses import dataclass
from typing import Literal

from speechgmm.corpus.spec import CorpusSpec
from speechgmm.errors import ConfigError
from speechgmm.features.augment import AugmentSpec
from speechgmm.features.spec import FeatureSpec
from speechgmm.gmm.component_count import DEFAULT_UBM_COMPONENTS
from speechgmm.gmm.spec import ModelSpec
from speechgmm.hmm.recognition_spec import RecognitionSpec
from speechgmm.hmm.spec import HMMSpec
from speechgmm.setting import FORBID_UNKNOWN, setting
from speechgmm.tasks.anomaly.spec import AnomalySpec
from speechgmm.tasks.classification.spec import ScoringSpec
from speechgmm.tasks.segments.spec import SegmentSpec
from speechgmm.tasks.verification.score_norm import BY_MODELS
from speechgmm.tasks.verification.spec import CalibrationSpec, DecisionSpec

FOR_CLAIMS = ("method", "normalise", "cohort", "cohort_top", "trials_within")
"""Settings of ``scoring`` that have a meaning in verification alone."""

LEAST_MEMORY = 1_000_000
"""Bytes: a smaller ``parallel.memory`` is a mistake."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ParallelSpec:
    """How the work is spread over the machine. Changes the time, never the result."""

    __pydantic_config__ = FORBID_UNKNOWN

    n_jobs: int = setting(-1, "how many tasks run at once; -1: one per CPU core, or all that a cluster has")
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
                "parallel.n_jobs counts workers on this machine; with backend: dask, they are counted where they are "
                "started: `dask worker` has options for their number, and for one thread each",
                arguments=("n_jobs",),
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
    """What the page about a run holds beside its figures."""

    __pydantic_config__ = FORBID_UNKNOWN

    audio: int = setting(
        12,
        "how many of the worst errors can be heard in report.html, at most 4 s of each; 0: it holds nobody's voice",
        ge=0,
        le=50,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """A whole experiment."""

    __pydantic_config__ = FORBID_UNKNOWN

    task: Literal["classification", "verification", "recognition", "anomaly"] = setting(
        "classification",
        "what is decided about an utterance: which class it is of; whether it is of a claimed one; which words or "
        "phones it has, one after another; whether it is unlike normal ones",
    )
    corpus: CorpusSpec = setting(CorpusSpec(), "which recordings, which labels, which split")
    trials: str | None = setting(
        None,
        "verification: a table of trials (model, test, and target where known; or Kaldi's three columns), relative to "
        "the configuration file; default: every model against every test utterance",
    )
    features: FeatureSpec = setting(FeatureSpec(), "the acoustic front end")
    augment: AugmentSpec = setting(AugmentSpec(), "altered copies of the recordings that are trained on")
    model: ModelSpec = setting(ModelSpec(), "the mixture of every class and how it is estimated")
    segments: SegmentSpec | None = setting(
        None,
        "classification of segments with known boundaries (phones) by several models of a segment, combined; takes the "
        "place of model; {} for its defaults",
    )
    scoring: ScoringSpec = setting(ScoringSpec(), "how likelihoods become decisions")
    calibration: CalibrationSpec = setting(CalibrationSpec(), "verification: how scores become likelihood ratios")
    decision: DecisionSpec = setting(DecisionSpec(), "verification: prior and costs to decide by")
    hmm: HMMSpec = setting(HMMSpec(), "recognition: the hidden Markov model of every unit; takes the place of model")
    recognition: RecognitionSpec = setting(RecognitionSpec(), "recognition: transcripts, pronunciations, language")
    anomaly: AnomalySpec = setting(AnomalySpec(), "anomaly: what is normal, scores, and the threshold")
    report: ReportSpec = setting(ReportSpec(), "the page that a run leaves about itself")
    parallel: ParallelSpec = setting(ParallelSpec(), "how the work is spread over the machine")
    cache: str | None = setting(
        None, "folder of the feature and model cache; default: $SPEECHGMM_CACHE, else the user's cache folder"
    )
    seed: int = setting(0, "of every random choice", ge=0)
    output: str | None = setting(None, "folder for the results, relative to where you stand; default: runs/NAME")

    def __post_init__(self) -> None:
        """Refuse what would have no effect or cannot be done."""
        if self.features.cmvn == "speaker" and (self.task == "verification" or self.corpus.label == "speaker"):
            raise ConfigError(
                "features.cmvn: speaker normalises a test recording by who its speaker is, which is to be found out "
                "here; use utterance or global"
            )
        if self.task == "verification":
            _check_verification(self)
        _check_adapted(self)
        if self.segments is not None:
            _check_segments(self)
        if self.task != "verification":
            _check_no_claims(self)
        if self.task == "recognition":
            _check_recognition(self)
        elif self.hmm != HMMSpec() or self.recognition != RecognitionSpec():
            raise ConfigError("hmm and recognition are for task: recognition")
        if self.task == "anomaly":
            _check_anomaly(self)
        elif self.anomaly != AnomalySpec():
            raise ConfigError("anomaly is for task: anomaly")


def _check_verification(config: Config) -> None:
    """Claims are judged against a background model, one by one."""
    for name in ("priors", "temperature_folds"):
        if getattr(config.scoring, name) != getattr(ScoringSpec(), name):
            raise ConfigError(f"scoring.{name} is for task: classification")
    if config.corpus.target is not None:
        raise ConfigError("corpus.target is for task: classification; in verification every trial has its own")
    if config.model.adapt != "map":
        raise ConfigError("task: verification scores against a background model; set model.adapt: map (and model.ubm)")
    if config.trials is not None and config.scoring.trials_within:
        raise ConfigError("scoring.trials_within is for trials made of the corpus; here they are in a table (trials)")


def _check_no_claims(config: Config) -> None:
    """Without claims, what is said about them would have no effect."""
    if config.trials is not None:
        raise ConfigError("trials are for task: verification")
    if config.calibration != CalibrationSpec():
        raise ConfigError("calibration is for task: verification")
    if config.decision != DecisionSpec() and config.corpus.target is None:
        raise ConfigError("decision is for task: verification, or a corpus.target")
    for name in FOR_CLAIMS:
        if getattr(config.scoring, name) != getattr(ScoringSpec(), name):
            raise ConfigError(f"scoring.{name} is for task: verification")


def _check_adapted(config: Config) -> None:
    """Scoring that takes for granted how models were adapted."""
    if config.scoring.method == "linear" and config.model.adapt_parameters != ("means",):
        raise ConfigError(
            f"scoring.method: linear looks at adapted means alone, and model.adapt_parameters is "
            f"{', '.join(config.model.adapt_parameters)}; set it to [means], or scoring.method: llr"
        )
    if config.calibration.quality == "cohort" and config.scoring.normalise not in BY_MODELS:
        raise ConfigError(
            "calibration.quality: cohort needs models of a cohort, and scoring.normalise: "
            f"{config.scoring.normalise} makes none; set it to one of {', '.join(BY_MODELS)}"
        )
    top = config.scoring.top_components
    if top is not None and config.model.adapt != "map":
        raise ConfigError(
            f"scoring.top_components is {top}, and model.adapt is {config.model.adapt}: a background model is what "
            "chooses the components; set model.adapt: map (and model.ubm), or leave scoring.top_components out"
        )
    most = config.model.ubm.n_components or DEFAULT_UBM_COMPONENTS
    if top is not None and top > most:
        raise ConfigError(f"scoring.top_components is {top}; expected at most {most}, model.ubm.n_components")


def _check_segments(config: Config) -> None:
    """Segment models have settings, scores and transforms of their own."""
    if config.task != "classification":
        raise ConfigError("segments are for task: classification")
    for name, default in (("model", ModelSpec()), ("scoring", ScoringSpec())):
        if getattr(config, name) != default:
            raise ConfigError(f"{name} has no effect with segments, which have settings of their own")
    if config.parallel.memory != ParallelSpec().memory:
        raise ConfigError("parallel.memory has no effect with segments, which train from frames in memory")
    if config.features.transform.kind != "none":
        raise ConfigError("segments learn transforms of their own; leave features.transform out")
    if config.features.marks_speech or config.features.cmvn == "speaker":
        raise ConfigError(
            "segments take whole recordings: kind mfcc, vad: none, and cmvn by recording or globally (features)"
        )


def _check_recognition(config: Config) -> None:
    """HMMs take the place of class models, and every frame has its place in time."""
    for name, default in (("model", ModelSpec()), ("scoring", ScoringSpec())):
        if getattr(config, name) != default:
            raise ConfigError(f"{name} has no effect with task: recognition; its settings are in hmm and recognition")
    if config.segments is not None:
        raise ConfigError("segments are for task: classification")
    if config.corpus.target is not None:
        raise ConfigError("corpus.target is for task: classification")
    if config.features.marks_speech:
        raise ConfigError(
            "recognition takes whole recordings: kind mfcc or lfcc and vad: none (features); for pauses there is "
            "recognition.silence"
        )
    if config.features.transform.kind != "none":
        raise ConfigError("features.transform learns from classes, which recognition does not have; leave it out")
    if config.parallel.memory != ParallelSpec().memory:
        raise ConfigError("parallel.memory has no effect with task: recognition, which reads an utterance at a time")
    if config.parallel.backend == "dask":
        raise ConfigError("parallel.backend: dask is not there for task: recognition")


def _check_anomaly(config: Config) -> None:
    """Models of what is normal stand alone, and every frame has its place in time."""
    if config.segments is not None or config.corpus.target is not None:
        raise ConfigError("segments and corpus.target are for task: classification")
    if config.scoring != ScoringSpec():
        raise ConfigError("scoring has no effect with task: anomaly; how frames become a score is in anomaly")
    if config.model.adapt != "none":
        raise ConfigError("model.adapt is not there for task: anomaly; a model of what is normal is trained by itself")
    if config.model.estimator == "variational":
        raise ConfigError(
            "model.estimator: variational is not there for task: anomaly, which scores by a mixture and not by the "
            "predictive density; take em or gradient"
        )
    streams = config.anomaly.streams
    if all(stream.features is not None for stream in streams) and config.features != FeatureSpec():
        raise ConfigError("features has no effect: every one of anomaly.streams has features of its own; leave it out")
    for stream in streams:
        features = stream.features or config.features
        if features.marks_speech or features.cmvn == "speaker":
            raise ConfigError(
                f"anomaly, stream {stream.name!r}: whole recordings are looked at; set kind mfcc or lfcc, vad: none, "
                "and cmvn by recording or globally (features)"
            )
        if features.transform.kind == "lda":
            raise ConfigError(
                f"anomaly, stream {stream.name!r}: features.transform.kind: lda learns from classes, of which there "
                "are none; take pca"
            )
    if config.parallel.backend == "dask":
        raise ConfigError("parallel.backend: dask is not there for task: anomaly")
