"""Decisions in words: what is at stake, and which ratios are to be taken with care."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from speechgmm.tasks.verification.score_maps import Calibration
    from speechgmm.tasks.verification.spec import DecisionSpec


def stakes(decision: "DecisionSpec") -> str:
    """Prior and costs in words."""
    return (
        f"prior {decision.prior:g}, cost of a miss {decision.cost_miss:g}, of a false alarm "
        f"{decision.cost_false_alarm:g}"
    )


def of_strange_length(count: int, calibration: "Calibration") -> str:
    """A warning of recordings that the calibration cannot know."""
    shortest, longest = calibration.n_frames
    return (
        f"warning: {count} ratios are of recordings far shorter or longer than those of the calibration ({shortest} to "
        f"{longest} frames): take them as rough"
    )
