from .compiled import warm_up
from .density import assign, log_likelihoods, posteriors, sample
from .em import Fit, fit_em, objective, split_components
from .fit import adapt_map, class_rng, fit_gmm
from .frames import FrameSource, Mapper
from .init import initial_model, subsample_size
from .kernels import accumulate
from .layout import BATCH, Batch, block_size, bytes_per_frame, prepare, working_bytes
from .likelihoods import Space, Stack, stacked_log_likelihoods
from .model import DiagGMM, LogLinear
from .prior import ConjugatePrior
from .spec import ModelSpec, UbmSpec
from .stats import GMMStats
from .top_components import TopStack

__all__ = [
    "BATCH",
    "Batch",
    "ConjugatePrior",
    "DiagGMM",
    "Fit",
    "FrameSource",
    "GMMStats",
    "LogLinear",
    "Mapper",
    "ModelSpec",
    "Space",
    "Stack",
    "TopStack",
    "UbmSpec",
    "accumulate",
    "adapt_map",
    "assign",
    "block_size",
    "bytes_per_frame",
    "class_rng",
    "fit_em",
    "fit_gmm",
    "initial_model",
    "log_likelihoods",
    "objective",
    "posteriors",
    "prepare",
    "sample",
    "split_components",
    "stacked_log_likelihoods",
    "subsample_size",
    "warm_up",
    "working_bytes",
]
