"""From log-likelihoods under many models to decisions and posteriors.

Importing the package imports none of its parts: scoring waits for nothing that only training needs.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from speechgmm.scoring.class_models import ClassModels
    from speechgmm.scoring.spec import ScoringSpec
    from speechgmm.scoring.temperature import fit_temperature
    from speechgmm.scoring.training import adapt_classes, train_classes

__all__ = ["ClassModels", "ScoringSpec", "adapt_classes", "fit_temperature", "train_classes"]

_HOME = {
    "ClassModels": "class_models",
    "ScoringSpec": "spec",
    "adapt_classes": "training",
    "fit_temperature": "temperature",
    "train_classes": "training",
}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'speechgmm.scoring' has no attribute {name!r}")
    return getattr(import_module(f"speechgmm.scoring.{_HOME[name]}"), name)
