"""Gaussian mixtures with diagonal covariances: arrays in, arrays out."""

from speechgmm.gmm.em import Fit, Mapper, fit_em, objective, split_components
from speechgmm.gmm.fit import adapt_map, class_rng, fit_gmm
from speechgmm.gmm.init import initial_model
from speechgmm.gmm.kernels import accumulate
from speechgmm.gmm.layout import Batch, block_size, prepare
from speechgmm.gmm.likelihoods import log_likelihoods, stacked_log_likelihoods
from speechgmm.gmm.model import DiagGMM, LogLinear
from speechgmm.gmm.prior import ConjugatePrior
from speechgmm.gmm.spec import ModelSpec, UbmSpec
from speechgmm.gmm.stats import GMMStats

__all__ = [
    "Batch",
    "ConjugatePrior",
    "DiagGMM",
    "Fit",
    "GMMStats",
    "LogLinear",
    "Mapper",
    "ModelSpec",
    "UbmSpec",
    "accumulate",
    "adapt_map",
    "block_size",
    "class_rng",
    "fit_em",
    "fit_gmm",
    "initial_model",
    "log_likelihoods",
    "objective",
    "prepare",
    "split_components",
    "stacked_log_likelihoods",
]
