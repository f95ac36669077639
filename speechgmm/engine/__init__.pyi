from .extraction import extract
from .job import Job, prepare
from .runs import run

__all__ = [
    "Job",
    "extract",
    "prepare",
    "run",
]
