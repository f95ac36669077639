"""The ``scoring`` section of a configuration."""

from dataclasses import dataclass
from typing import Literal

from speechgmm.errors import ConfigError
from speechgmm.setting import FORBID_UNKNOWN, setting


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoringSpec:
    """How log-likelihoods become decisions and posteriors."""

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
    )
    p_target: float = setting(0.01, "verification: prior of a target, for the detection cost", gt=0, lt=1)
    cost_miss: float = setting(1.0, "verification: cost of rejecting a target", gt=0)
    cost_false_alarm: float = setting(1.0, "verification: cost of accepting a nontarget", gt=0)

    def __post_init__(self) -> None:
        if self.temperature_folds == 1:
            raise ConfigError("scoring.temperature_folds is 1; cross-validation needs 2 parts or more, 0 means none")
        if self.priors != "uniform" and not self.temperature_folds:
            raise ConfigError(
                "scoring.priors: train has no effect without a temperature, by which likelihoods are weighed against "
                "priors; set scoring.temperature_folds to 2 or more"
            )
