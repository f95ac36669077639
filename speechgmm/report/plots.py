"""Plots that are in ``speechgmm.plots`` now, and return axes there; here they return figures, and each use warns."""

from typing import Any, Final
from warnings import warn

from speechgmm import plots
from speechgmm.moved import from_new_place

MOVED: Final = {"save_figure": "speechgmm.plots"}

RENAMED: Final = {
    "plot_calibration": "reliability",
    "plot_confusion": "confusion_matrix",
    "plot_det": "det",
    "plot_scores": "score_histogram",
    "plot_spectrogram": "spectrogram",
    "plot_tippett": "tippett",
    "plot_training": "training_curves",
}


def __getattr__(name: str) -> Any:
    """A plot under its name of before, with a DeprecationWarning that says which it is."""
    if name not in RENAMED:
        return from_new_place(__name__, name, MOVED)
    warn(f"{__name__}.{name} is speechgmm.plots.{RENAMED[name]} now", DeprecationWarning, stacklevel=2)

    def drawn(*arguments: Any, **named: Any) -> Any:
        """The figure of the plot."""
        if name == "plot_tippett":
            named = {"calibrated": False, **named}
        if "segment" in named:
            edges = named.pop("segment")
            named["segments"] = None if edges is None else [(*edges, "")]
        return getattr(plots, RENAMED[name])(*arguments, **named).get_figure()

    return drawn
