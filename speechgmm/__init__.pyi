from .config import load_config
from .features import FeatureSpec, extract
from .gmm import (
    BayesianGMM,
    DiagGMM,
    Fit,
    ModelSpec,
    OnlineEM,
    VariationalFit,
    adapt_map,
    choose_n_components,
    fit_gmm,
    fit_variational,
    update,
)
from .io.model_file import load_models, read_model_file, save_models
from .pipeline import run, score_recordings
from .scoring import ClassModels, train_classes

__all__ = [
    "BayesianGMM",
    "ClassModels",
    "DiagGMM",
    "FeatureSpec",
    "Fit",
    "ModelSpec",
    "OnlineEM",
    "VariationalFit",
    "adapt_map",
    "choose_n_components",
    "extract",
    "fit_gmm",
    "fit_variational",
    "load_config",
    "load_models",
    "read_model_file",
    "run",
    "save_models",
    "score_recordings",
    "train_classes",
    "update",
]
__version__: str
