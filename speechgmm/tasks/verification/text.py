"""Decisions in words."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from speechgmm.tasks.classification.spec import DecisionSpec


def stakes(decision: "DecisionSpec") -> str:
    """Prior and costs in words."""
    return (
        f"prior {decision.prior:g}, cost of a miss {decision.cost_miss:g}, of a false alarm "
        f"{decision.cost_false_alarm:g}"
    )
