from .evaluation import evaluate
from .extraction import extract
from .job import Job, prepare
from .running import run
from .scoring import score, score_recordings
from .training import train

__all__ = [
    "Job",
    "evaluate",
    "extract",
    "prepare",
    "run",
    "score",
    "score_recordings",
    "train",
]
