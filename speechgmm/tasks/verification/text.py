"""Scores of claims and decisions in words."""

from typing import TYPE_CHECKING, Final

from speechgmm.tasks.verification.models import ClaimModels

if TYPE_CHECKING:
    from speechgmm.tasks.classification.models import ClassModels
    from speechgmm.tasks.classification.spec import DecisionSpec

NOT_BY_CLAIMS: Final = (
    "classes are ranked by the log-likelihoods of their mixtures, not by the scores of claims that verify gives; set "
    "calibration.method in training to rank by these"
)

UNITS: Final = {"llr": "nats per frame", "linear": "nats per frame", "cosine": "cosine", "plda": "nats"}
"""Of a raw score, by its method."""


def unit_of(models: "ClassModels") -> str:
    """The unit of the scores of claims."""
    if not isinstance(models, ClaimModels):
        return UNITS["llr"]
    return UNITS[models.method] if models.cohort is None else "standard deviations of the cohort's scores"


def stakes(decision: "DecisionSpec") -> str:
    """Prior and costs in words."""
    return (
        f"prior {decision.prior:g}, cost of a miss {decision.cost_miss:g}, of a false alarm "
        f"{decision.cost_false_alarm:g}"
    )
