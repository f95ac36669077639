from . import plots
from .clustering import cluster_pieces
from .config import load_config
from .engine import run
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
from .tasks.classification import ClassModels, score_recordings, train_classes
from .tasks.classification.codec import load_models, read_model_file, save_models

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
    "plots",
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
