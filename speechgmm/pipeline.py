"""Names that are in ``speechgmm.engine`` and ``speechgmm.tasks.classification`` now; each use warns."""

from importlib import import_module
from typing import Any, Final
from warnings import warn

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
    if name not in MOVED:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    warn(f"{__name__}.{name} is {MOVED[name]}.{name} now", DeprecationWarning, stacklevel=2)
    return getattr(import_module(MOVED[name]), name)
