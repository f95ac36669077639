"""Names that are in ``speechgmm.evaluation`` now; each use warns."""

from typing import Any, Final

from speechgmm.moved import from_new_place

MOVED: Final = dict.fromkeys(
    ("Application", "OperatingPoint", "bayes_point", "operating_points"), "speechgmm.evaluation"
)


def __getattr__(name: str) -> Any:
    """A name from its new place, with a DeprecationWarning that says which."""
    return from_new_place(__name__, name, MOVED)
