"""Gaussian mixtures with diagonal covariances: arrays in, arrays out."""

from speechgmm.gmm.em import Fit, fit_em, objective, split_components
from speechgmm.gmm.fit import adapt_map, class_rng, fit_gmm
from speechgmm.gmm.frames import FrameSource, Mapper
from speechgmm.gmm.init import initial_model, subsample_size
from speechgmm.gmm.kernels import accumulate
from speechgmm.gmm.layout import BATCH, Batch, block_size, bytes_per_frame, prepare, working_bytes
from speechgmm.gmm.likelihoods import Space, Stack, log_likelihoods, stacked_log_likelihoods
from speechgmm.gmm.model import DiagGMM, LogLinear
from speechgmm.gmm.prior import ConjugatePrior
from speechgmm.gmm.spec import ModelSpec, UbmSpec
from speechgmm.gmm.stats import GMMStats
from speechgmm.gmm.top_components import TopStack

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
    "block_size",
    "bytes_per_frame",
    "class_rng",
    "fit_em",
    "fit_gmm",
    "initial_model",
    "log_likelihoods",
    "objective",
    "prepare",
    "split_components",
    "stacked_log_likelihoods",
    "subsample_size",
    "working_bytes",
]
