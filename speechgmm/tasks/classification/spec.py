"""The ``scoring`` and ``decision`` sections of a configuration."""

from dataclasses import dataclass
from typing import Literal

from speechgmm.errors import ConfigError
from speechgmm.setting import FORBID_UNKNOWN, setting


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoringSpec:
    """Settings of scoring: how log-likelihoods become decisions and posteriors."""

    __pydantic_config__ = FORBID_UNKNOWN

    priors: Literal["uniform", "train"] = setting(
        "uniform", "class priors: uniform, or each class's share of the training utterances"
    )
    temperature_folds: int = setting(
        3,
        "classification: parts that the training recordings are divided into to fit, by cross-validation, the one "
        "temperature that turns log-likelihoods into posteriors; 0: none is fitted, and scores come with margins only",
        ge=0,
        le=20,
    )
    top_components: int | None = setting(
        None,
        "with model.adapt: map: how many components score a frame, the best of the background model for it, in every "
        "model and in itself; faster with many classes and components, and changes scores a little; default: all",
        ge=1,
        le=65536,
    )
    method: Literal["llr", "linear", "cosine", "plda"] = setting(
        "llr",
        "verification: llr: the model's mean log-likelihood less the background model's; linear: the same to first "
        "order in the model's means, all models in one product (Glembek et al. 2009); cosine: the angle between what "
        "model and test move the background model's means by, for speakers who are tested on another day; plda: the "
        "log-likelihood ratio of two vectors, such as x-vectors (features.kind: given), or the same supervectors",
    )
    compensation: Literal["wccn", "nap", "none"] = setting(
        "wccn",
        "scoring.method: cosine: what becomes of the directions in which recordings of one speaker differ; learnt from "
        "the splits ubm and cohort, or else train; wccn: they count for less (within-class covariance "
        "normalisation); nap: the first compensation_directions are taken away; none: they stay",
    )
    smoothing: float = setting(
        0.85,
        "scoring.compensation: wccn: share of the mean variance in every direction's; 1: directions count alike",
        gt=0,
        le=1,
    )
    compensation_directions: int = setting(
        40, "scoring.compensation: nap: how many directions are taken away", ge=1, le=100_000
    )
    plda: str = setting(
        "em",
        "scoring.method: plda: where the model is from; em: maximum likelihood on the splits ubm and cohort, or else "
        "train; kaldi: as ivector-compute-plda estimates it on the same; a path: a plda file of Kaldi, relative to the "
        "configuration file",
    )
    lda_dims: int | None = setting(
        None,
        "scoring.method: plda: dimensions that an LDA leaves of the vectors, fewer than there are speakers to learn it "
        "from; supervectors need one; default: no LDA",
        ge=1,
        le=100_000,
    )
    lda_smoothing: float = setting(
        0.6,
        "scoring.lda_dims: share of the mean variance within speakers in every direction's; 0: none, with thousands of "
        "background speakers; supervectors, and vectors of few speakers, need much",
        ge=0,
        lt=1,
    )
    length_norm: bool = setting(
        True, "scoring.method: plda: bring vectors to one length after centring and LDA, before the PLDA"
    )
    normalise: Literal["none", "z", "t", "zt", "s", "as"] = setting(
        "none",
        "verification: scores less the mean of a cohort's scores, divided by their standard deviation: z: its "
        "recordings against the model; t: its models on the test; zt: one after the other; s: the mean of z and t; as: "
        "s by the highest scores of the cohort alone",
    )
    cohort: Literal["cohort", "ubm"] = setting(
        "cohort", "scoring.normalise: the split of the corpus whose speakers and recordings are the cohort"
    )
    cohort_top: int = setting(
        50, "scoring.normalise: as: how many of the cohort's recordings, and of its models, count", ge=2, le=100_000
    )
    trials_within: tuple[str, ...] = setting(
        (),
        "verification without a table of trials: columns, such as sex, in which the model's speaker and the test must "
        "agree; default: every model against every test",
    )

    trials_across: Literal["none", "session"] = setting(
        "none",
        "verification: session: only trials whose test is of another session (corpus.session) than those that enrolled "
        "the model's speaker",
    )

    def __post_init__(self) -> None:
        """Refuse what would have no effect."""
        if self.normalise == "none" and self.cohort != "cohort":
            raise ConfigError(
                f"scoring.cohort: {self.cohort} has no effect without a norm; set scoring.normalise, or leave it out"
            )
        if self.normalise != "as" and self.cohort_top != 50:
            raise ConfigError(
                f"scoring.cohort_top is for scoring.normalise: as; normalise is {self.normalise}: leave cohort_top out"
            )
        if self.method != "llr" and self.top_components is not None:
            raise ConfigError(
                f"scoring.top_components has no effect with scoring.method: {self.method}, which looks at frames under "
                "the background model alone; leave it out"
            )
        self._check_compensation()
        if self.temperature_folds == 1:
            raise ConfigError("scoring.temperature_folds is 1; cross-validation needs 2 parts or more, 0 means none")
        if self.priors != "uniform" and not self.temperature_folds:
            raise ConfigError(
                "scoring.priors: train has no effect without a temperature, by which likelihoods are weighed against "
                "priors; set scoring.temperature_folds to 2 or more"
            )

    def _check_compensation(self) -> None:
        """Refuse settings of a compensation that is not done."""
        is_cosine, is_plda = self.method == "cosine", self.method == "plda"
        readers = {
            "compensation": ("cosine", is_cosine),
            "smoothing": ("cosine and compensation: wccn", is_cosine and self.compensation == "wccn"),
            "compensation_directions": ("cosine and compensation: nap", is_cosine and self.compensation == "nap"),
            "lda_smoothing": ("plda and lda_dims", is_plda and self.lda_dims is not None),
            **dict.fromkeys(("plda", "lda_dims", "length_norm"), ("plda", is_plda)),
        }
        for name, (reader, is_set) in readers.items():
            if not is_set and getattr(self, name) != type(self).__dataclass_fields__[name].default:
                raise ConfigError(f"scoring.{name} is for scoring.method: {reader}; leave it out")
        if self.plda_file is not None and self.lda_dims is not None:
            raise ConfigError(
                f"scoring.lda_dims has no effect with the PLDA of a file ({self.plda}), which is of the dimensions "
                "that it was trained in; leave it out, and give vectors that were projected as for its training"
            )

    @property
    def plda_file(self) -> str | None:
        """The file that the PLDA is from; None: it is trained."""
        return None if self.plda in ("em", "kaldi") else self.plda


@dataclass(frozen=True, slots=True, kw_only=True)
class DecisionSpec:
    """The prior and costs that detection costs, and the thresholds of ``verify`` and ``score``, are computed from.

    >>> DecisionSpec(prior=0.5).cost_miss
    1.0
    """

    __pydantic_config__ = FORBID_UNKNOWN

    prior: float = setting(0.01, "verification: prior probability of a target", gt=0, lt=1)
    cost_miss: float = setting(1.0, "verification: cost of rejecting a target", gt=0, le=1e9)
    cost_false_alarm: float = setting(1.0, "verification: cost of accepting a non-target", gt=0, le=1e9)
