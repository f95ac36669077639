"""From log-likelihoods under many models to decisions and posteriors."""

from speechgmm.scoring.class_models import ClassModels
from speechgmm.scoring.spec import ScoringSpec
from speechgmm.scoring.temperature import fit_temperature
from speechgmm.scoring.training import adapt_classes, train_classes

__all__ = ["ClassModels", "ScoringSpec", "adapt_classes", "fit_temperature", "train_classes"]
