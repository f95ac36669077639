from .class_models import ClassModels
from .spec import ScoringSpec
from .temperature import fit_temperature
from .training import adapt_classes, train_classes

__all__ = [
    "ClassModels",
    "ScoringSpec",
    "adapt_classes",
    "fit_temperature",
    "train_classes",
]
