"""The prior and the costs of a decision between target and nontarget."""

from dataclasses import dataclass

from speechgmm.setting import FORBID_UNKNOWN, setting


@dataclass(frozen=True, slots=True, kw_only=True)
class DecisionSpec:
    """The prior and costs that detection costs, and the thresholds of ``verify`` and ``score``, are computed from.

    >>> DecisionSpec(prior=0.5).cost_miss
    1.0
    """

    __pydantic_config__ = FORBID_UNKNOWN

    prior: float = setting(0.01, "verification: probability of a target before anything is heard", gt=0, lt=1)
    cost_miss: float = setting(1.0, "verification: cost of rejecting a target", gt=0)
    cost_false_alarm: float = setting(1.0, "verification: cost of accepting a nontarget", gt=0)
