"""A metric with its interval, as it is written into ``metrics.json``."""

from typing import Any

from speechgmm.evaluation import (
    Interval,
)


def bounds(found: Interval) -> dict[str, Any]:
    """An interval by resampling groups as in ``metrics.json``; low and high are absent where there is none."""
    about: dict[str, Any] = {"interval": f"{found.method} over groups", "n_groups": found.n_groups}
    if found.low is not None and found.high is not None:
        about = {"low": found.low, "high": found.high, **about}
    return {**about, "note": found.note} if found.note else about
