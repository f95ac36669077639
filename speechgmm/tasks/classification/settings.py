"""What classification adds to a configuration, and what it refuses."""

from speechgmm.config import Config, Section, TaskSettings
from speechgmm.errors import ConfigError
from speechgmm.gmm.component_count import DEFAULT_UBM_COMPONENTS
from speechgmm.tasks.classification.spec import DecisionSpec, ScoringSpec

MIXTURES = ("model", "features.transform", "parallel.memory", "scoring.top_components")
"""Settings that every task with a mixture for each class reads."""


def check_top_components(config: Config) -> None:
    """Only a background model can choose the components that score a frame."""
    top = config.section(ScoringSpec).top_components
    if top is not None and config.model.adapt != "map":
        raise ConfigError(
            f"scoring.top_components is {top}, and model.adapt is {config.model.adapt}: a background model is what "
            "chooses the components; set model.adapt: map (and model.ubm), or leave scoring.top_components out"
        )
    most = config.model.ubm.n_components or DEFAULT_UBM_COMPONENTS
    if top is not None and top > most:
        raise ConfigError(f"scoring.top_components is {top}; expected at most {most}, model.ubm.n_components")


def check_decision(config: Config) -> None:
    """A decision is made on the class that is to be detected."""
    if config.section(DecisionSpec) != DecisionSpec() and config.corpus.target is None:
        raise ConfigError(
            "decision is for task: verification, or for a class to detect; name the class in corpus.target, or leave "
            "decision out"
        )


def check(config: Config) -> None:
    """Raise ConfigError for what cannot be asked for together."""
    check_top_components(config)
    check_decision(config)


SETTINGS = TaskSettings(
    sections=(Section("scoring", ScoringSpec, "how likelihoods become decisions"),),
    reads=(*MIXTURES, "scoring.priors", "scoring.temperature_folds", "corpus.target", "decision"),
    check=check,
)
