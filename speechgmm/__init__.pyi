from . import plots
from .clustering import cluster_pieces
from .config import load_config
from .engine import run
from .engine.loaded_model import LoadedModel, load
from .engine.onnx_graph import export_onnx
from .engine.scorer_file import export_scorer
from .engine.speech_detection import Speech, detect_speech
from .features import FeatureSpec, extract
from .gmm import (
    BayesianGMM,
    DiagGMM,
    Fit,
    FullGMM,
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
from .io.kaldi_models import read_kaldi_models, write_kaldi_models
from .tasks.anomaly.interface import AnomalyResult
from .tasks.classification import ClassModels, score_recordings, train_classes
from .tasks.classification.codec import load_models, read_model_file, save_models
from .tasks.classification.results import ClassificationResult, SegmentResults
from .tasks.classification.stream import ScoreStream
from .tasks.clustering.interface import ClusteringResult
from .tasks.diarization.interface import DiarizationResult
from .tasks.recognition.interface import RecognitionResult
from .tasks.verification.interface import VerificationResult

__all__ = [
    "AnomalyResult",
    "BayesianGMM",
    "ClassModels",
    "ClassificationResult",
    "ClusteringResult",
    "DiagGMM",
    "DiarizationResult",
    "FeatureSpec",
    "Fit",
    "FullGMM",
    "LoadedModel",
    "ModelSpec",
    "OnlineEM",
    "RecognitionResult",
    "ScoreStream",
    "SegmentResults",
    "Speech",
    "VariationalFit",
    "VerificationResult",
    "adapt_map",
    "assign",
    "choose_n_components",
    "cluster_pieces",
    "detect_speech",
    "export_onnx",
    "export_scorer",
    "extract",
    "fit_gmm",
    "fit_variational",
    "load",
    "load_config",
    "load_models",
    "log_likelihoods",
    "plots",
    "posteriors",
    "read_kaldi_models",
    "read_model_file",
    "run",
    "sample",
    "save_models",
    "score_recordings",
    "train_classes",
    "update",
    "write_kaldi_models",
]
__version__: str
