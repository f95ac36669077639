"""Gaussian mixtures for speech: from a folder of recordings to class models, decisions and figures.

    import speechgmm as sg
    sg.run("configs/fsdd-speakers.yaml")

Importing the package imports none of its parts: each name below is fetched when it is first used.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

_HOME = {
    "ClassModels": "scoring",
    "DiagGMM": "gmm",
    "FeatureSpec": "features",
    "Fit": "gmm",
    "ModelSpec": "gmm",
    "adapt_map": "gmm",
    "extract": "features",
    "fit_gmm": "gmm",
    "load_config": "config",
    "load_models": "io.model_file",
    "read_model_file": "io.model_file",
    "run": "pipeline",
    "save_models": "io.model_file",
    "score_recordings": "pipeline",
    "train_classes": "scoring",
}

if TYPE_CHECKING:
    from speechgmm.config import load_config
    from speechgmm.features import FeatureSpec, extract
    from speechgmm.gmm import DiagGMM, Fit, ModelSpec, adapt_map, fit_gmm
    from speechgmm.io.model_file import load_models, read_model_file, save_models
    from speechgmm.pipeline import run, score_recordings
    from speechgmm.scoring import ClassModels, train_classes

__all__ = [
    "ClassModels",
    "DiagGMM",
    "FeatureSpec",
    "Fit",
    "ModelSpec",
    "adapt_map",
    "extract",
    "fit_gmm",
    "load_config",
    "load_models",
    "read_model_file",
    "run",
    "save_models",
    "score_recordings",
    "train_classes",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'speechgmm' has no attribute {name!r}")
    return getattr(import_module(f"speechgmm.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return sorted((*globals(), *__all__))
