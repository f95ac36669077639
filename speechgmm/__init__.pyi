from .clustering import cluster_pieces
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
    assign,
    choose_n_components,
    fit_gmm,
    fit_variational,
    log_likelihoods,
    posteriors,
    sample,
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
    "assign",
    "choose_n_components",
    "cluster_pieces",
    "extract",
    "fit_gmm",
    "fit_variational",
    "load_config",
    "load_models",
    "log_likelihoods",
    "posteriors",
    "read_model_file",
    "run",
    "sample",
    "save_models",
    "score_recordings",
    "train_classes",
    "update",
]
__version__: str
