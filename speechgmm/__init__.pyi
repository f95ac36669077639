from .clustering import cluster_pieces
from .config import load_config
from .features import FeatureSpec, extract
from .gmm import DiagGMM, Fit, ModelSpec, adapt_map, fit_gmm
from .io.model_file import load_models, read_model_file, save_models
from .pipeline import run, score_recordings
from .scoring import ClassModels, train_classes

__all__ = [
    "ClassModels",
    "DiagGMM",
    "FeatureSpec",
    "Fit",
    "ModelSpec",
    "adapt_map",
    "cluster_pieces",
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
__version__: str
