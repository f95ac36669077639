"""Plots in one call: each draws on matplotlib axes, returns them, and saves its figure where ``save`` says.

They take a run (its folder, or what ``speechgmm.run`` returns) or arrays. Figures are made without pyplot, so that
none stays open and no setting of matplotlib changes; ``ax`` draws into a figure of yours. Needs matplotlib: ``pip
install 'speechgmm[plot]'``. The report of a run shows the same plots.
"""

from speechgmm.plots.calibration import reliability
from speechgmm.plots.canvas import save_figure
from speechgmm.plots.confusion import confusion_matrix
from speechgmm.plots.density import mixture
from speechgmm.plots.detection import score_histogram, tippett
from speechgmm.plots.error_tradeoff import det
from speechgmm.plots.signals import features, spectrogram
from speechgmm.plots.training import training_curves

__all__ = [
    "confusion_matrix",
    "det",
    "features",
    "mixture",
    "reliability",
    "save_figure",
    "score_histogram",
    "spectrogram",
    "tippett",
    "training_curves",
]
