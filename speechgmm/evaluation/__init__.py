"""Figures about decisions: metrics and their intervals."""

from speechgmm.evaluation.intervals import wilson_interval
from speechgmm.evaluation.metrics import accuracy, balanced_accuracy, confusion_matrix, recalls

__all__ = ["accuracy", "balanced_accuracy", "confusion_matrix", "recalls", "wilson_interval"]
