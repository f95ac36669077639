"""Names that are in ``speechgmm.corpus.readers.asvspoof`` now; each use warns."""

from typing import Any, Final

from speechgmm.moved import from_new_place

MOVED: Final = {
    "ASV_KEYS": "speechgmm.corpus.readers.asvspoof",
    "COLUMNS": "speechgmm.corpus.readers.asvspoof",
    "KEYS": "speechgmm.corpus.readers.asvspoof",
    "read_asv_scores": "speechgmm.corpus.readers.asvspoof",
    "read_asvspoof": "speechgmm.corpus.readers.asvspoof",
}


def __getattr__(name: str) -> Any:
    """A name from its new place, with a DeprecationWarning that says which."""
    return from_new_place(__name__, name, MOVED)
