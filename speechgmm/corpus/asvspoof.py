"""Names that are in ``speechgmm.corpus.readers.asvspoof`` now; each use warns."""

from importlib import import_module
from typing import Any, Final
from warnings import warn

MOVED: Final = {
    "ASV_KEYS": "speechgmm.corpus.readers.asvspoof",
    "COLUMNS": "speechgmm.corpus.readers.asvspoof",
    "KEYS": "speechgmm.corpus.readers.asvspoof",
    "read_asv_scores": "speechgmm.corpus.readers.asvspoof",
    "read_asvspoof": "speechgmm.corpus.readers.asvspoof",
}


def __getattr__(name: str) -> Any:
    """A name from its new place, with a DeprecationWarning that says which."""
    if name not in MOVED:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    warn(f"{__name__}.{name} is {MOVED[name]}.{name} now", DeprecationWarning, stacklevel=2)
    return getattr(import_module(MOVED[name]), name)
