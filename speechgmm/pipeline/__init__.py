"""The stages of a run: prepare, extract, train, score, evaluate.

Each maps the mathematics over the data; each can be called by itself, as the recipes do. Importing the package imports
none of them: scoring a recording must not wait for what only training needs.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from speechgmm.pipeline.evaluation import evaluate
    from speechgmm.pipeline.extraction import extract
    from speechgmm.pipeline.job import Job, prepare
    from speechgmm.pipeline.running import run
    from speechgmm.pipeline.scoring import score, score_recordings
    from speechgmm.pipeline.training import train

__all__ = ["Job", "evaluate", "extract", "prepare", "run", "score", "score_recordings", "train"]

_HOME = {
    "Job": "job",
    "evaluate": "evaluation",
    "extract": "extraction",
    "prepare": "job",
    "run": "running",
    "score": "scoring",
    "score_recordings": "scoring",
    "train": "training",
}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'speechgmm.pipeline' has no attribute {name!r}")
    return getattr(import_module(f"speechgmm.pipeline.{_HOME[name]}"), name)
