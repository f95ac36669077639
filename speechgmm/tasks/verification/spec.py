"""The ``calibration`` section of a configuration."""

from dataclasses import dataclass
from typing import Any, Literal

from speechgmm.errors import ConfigError
from speechgmm.moved import from_new_place
from speechgmm.setting import FORBID_UNKNOWN, setting

Quality = Literal["none", "cohort"]


@dataclass(frozen=True, slots=True, kw_only=True)
class CalibrationSpec:
    """How scores of claims become log-likelihood ratios."""

    __pydantic_config__ = FORBID_UNKNOWN

    method: Literal["none", "logistic", "pav"] = setting(
        "none",
        "verification: the map from scores to natural-log likelihood ratios; logistic: affine, by logistic "
        "regression; pav: any increasing one, for many trials; none: scores stay scores",
    )
    by: Literal["folds", "dev"] = setting(
        "folds",
        "trials that the map is trained on; folds: those of the test, each mapped by what trials of other speakers "
        "say, and the model file's map by all; dev: the split dev against the models of the classes that are in it",
    )
    p_target: float = setting(
        0.5, "logistic: prior of a target for which the ratios are to be best; 0.5: of least Cllr", gt=0, lt=1
    )
    quality: Quality = setting(
        "none",
        "logistic: what the ratio depends on beside the score; cohort: the mean raw score of the cohort's models on "
        "the test, which shows how much noise left of the voice, so that one map serves all conditions that it was "
        "trained on; needs scoring.normalise: t, zt, s or as",
    )
    n_folds: int = setting(
        10,
        "by folds: parts that the speakers of models and tests are divided into; at most one per speaker",
        ge=4,
        le=1000,
    )

    @property
    def takes_more(self) -> bool:
        """Whether the map takes more than the score, so that ratios may order trials otherwise than scores do."""
        return self.quality != "none"

    def __post_init__(self) -> None:
        """Refuse what would have no effect."""
        default = CalibrationSpec.__dataclass_fields__
        asked = {name for name, field in default.items() if getattr(self, name) != field.default}
        without = {"none": ("by", "p_target", "quality", "n_folds"), "pav": ("p_target", "quality"), "logistic": ()}
        for name in without[self.method]:
            if name in asked:
                raise ConfigError(
                    f"calibration.{name} has no effect with calibration.method: {self.method}; leave it out"
                )
        if "n_folds" in asked and self.by == "dev":
            raise ConfigError("calibration.n_folds has no effect with calibration.by: dev; leave it out")


def __getattr__(name: str) -> Any:
    return from_new_place(__name__, name, {"DecisionSpec": "speechgmm.tasks.classification.spec"})
