"""Names that are in ``speechgmm.engine`` and ``speechgmm.tasks.classification`` now; each use warns."""

from typing import Any, Final

from speechgmm.moved import from_new_place

MOVED: Final = {
    "Job": "speechgmm.engine",
    "evaluate": "speechgmm.tasks.classification",
    "extract": "speechgmm.engine",
    "prepare": "speechgmm.engine",
    "run": "speechgmm.engine",
    "score": "speechgmm.tasks.classification",
    "score_recordings": "speechgmm.tasks.classification",
    "train": "speechgmm.tasks.classification",
}


def __getattr__(name: str) -> Any:
    """A name from its new place, with a DeprecationWarning that says which."""
    return from_new_place(__name__, name, MOVED)
