"""What verification adds to a configuration, and what it refuses."""

from speechgmm.config import Config, Section, TaskSettings
from speechgmm.config.spec import CMVN_BY_SPEAKER
from speechgmm.errors import ConfigError
from speechgmm.tasks.classification.settings import MIXTURES, check_top_components
from speechgmm.tasks.classification.spec import DecisionSpec, ScoringSpec
from speechgmm.tasks.verification.score_norm import BY_MODELS
from speechgmm.tasks.verification.spec import CalibrationSpec


def check(config: Config) -> None:
    """Claims are judged against a background model, one by one; raise ConfigError for what does not fit that."""
    scoring = config.section(ScoringSpec)
    if config.features.cmvn == "speaker":
        raise ConfigError(CMVN_BY_SPEAKER)
    if config.model.adapt != "map":
        raise ConfigError("task: verification scores against a background model; set model.adapt: map (and model.ubm)")
    if config.trials is not None and scoring.trials_within:
        raise ConfigError("scoring.trials_within is for trials made of the corpus; here they are in a table (trials)")
    if scoring.trials_across == "session" and config.corpus.session is None:
        raise ConfigError("scoring.trials_across: session needs the column of the sessions; set corpus.session")
    if scoring.method != "llr" and config.model.adapt_parameters != ("means",):
        raise ConfigError(
            f"scoring.method: {scoring.method} looks at adapted means alone, and model.adapt_parameters is "
            f"{', '.join(config.model.adapt_parameters)}; set it to [means], or scoring.method: llr"
        )
    if scoring.method in ("cosine", "plda") and (
        config.model.adapt_max_iter != 1 or config.model.mean_relevance is not None
    ):
        raise ConfigError(
            f"scoring.method: {scoring.method} compares one step of adaptation of model and test, by one relevance; "
            "leave out model.adapt_max_iter and model.mean_relevance, and set model.relevance"
        )
    if config.section(CalibrationSpec).quality == "cohort" and scoring.normalise not in BY_MODELS:
        raise ConfigError(
            "calibration.quality: cohort needs models of a cohort, and scoring.normalise: "
            f"{scoring.normalise} makes none; set it to one of {', '.join(BY_MODELS)}"
        )
    check_top_components(config)


SETTINGS = TaskSettings(
    sections=(
        Section("calibration", CalibrationSpec, "verification: how scores become likelihood ratios"),
        Section("decision", DecisionSpec, "verification: prior and costs to decide by"),
    ),
    reads=(
        *MIXTURES,
        "trials",
        "corpus.session",
        *(
            f"scoring.{name}"
            for name in (
                *("method", "compensation", "smoothing", "compensation_directions"),
                *("plda", "lda_dims", "lda_smoothing", "length_norm"),
                *("normalise", "cohort", "cohort_top", "trials_within", "trials_across"),
            )
        ),
    ),
    check=check,
)
