"""Pieces of sound into unknown speakers or sounds: distances, merging, spectral clustering.

Importing the package imports none of its parts.
"""

from typing import Any, Final

import lazy_loader

from speechgmm.moved import from_new_place

# What there is, and where, stands in __init__.pyi: for type checkers, and for this line.
_offered, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)

MOVED: Final = {
    "Conversation": "speechgmm.tasks.diarization",
    "DiarizationSpec": "speechgmm.tasks.diarization",
    "Diarizer": "speechgmm.tasks.diarization",
    "Division": "speechgmm.tasks.diarization",
    "Evidence": "speechgmm.vectors",
    "RELEVANCE": "speechgmm.vectors",
    "SpeakerSpace": "speechgmm.vectors",
    "WithinClass": "speechgmm.vectors",
    "best_turns": "speechgmm.tasks.diarization",
    "choose": "speechgmm.tasks.diarization",
    "cosine_distances": "speechgmm.vectors",
    "cross_likelihood_ratios": "speechgmm.vectors",
    "cross_likelihood_ratios_of": "speechgmm.vectors",
    "divisions": "speechgmm.tasks.diarization",
    "make_conversation": "speechgmm.tasks.diarization",
    "mean_offsets": "speechgmm.vectors",
    "n_blocks": "speechgmm.tasks.diarization",
    "piece_statistics": "speechgmm.vectors",
    "same_speaker_ratios": "speechgmm.vectors",
    "supervectors": "speechgmm.vectors",
    "turns_of": "speechgmm.tasks.diarization",
    "unit_length": "speechgmm.vectors",
    "weight_offsets": "speechgmm.vectors",
    "window_supervectors": "speechgmm.tasks.diarization",
}
"""Names that were here, and where they are now."""


def __getattr__(name: str) -> Any:
    """A name of one of the modules, or, with a DeprecationWarning, one that has moved."""
    return from_new_place(__name__, name, MOVED) if name in MOVED else _offered(name)
