from .estimation import adapt_classes, train_classes
from .evaluation import evaluate
from .models import ClassModels
from .scoring import score, score_recordings
from .spec import ScoringSpec
from .temperature import fit_temperature
from .training import train

__all__ = [
    "ClassModels",
    "ScoringSpec",
    "adapt_classes",
    "evaluate",
    "fit_temperature",
    "score",
    "score_recordings",
    "train",
    "train_classes",
]
