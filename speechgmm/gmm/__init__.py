"""Gaussian mixtures with diagonal covariances: arrays in, arrays out.

Importing the package imports none of its parts: scoring waits for nothing that only training needs.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from speechgmm.gmm.em import Fit, Mapper, fit_em, objective, split_components
    from speechgmm.gmm.fit import adapt_map, class_rng, fit_gmm
    from speechgmm.gmm.init import initial_model
    from speechgmm.gmm.kernels import accumulate
    from speechgmm.gmm.layout import Batch, block_size, prepare
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

_HOME = {
    "Batch": "layout",
    "ConjugatePrior": "prior",
    "DiagGMM": "model",
    "Fit": "em",
    "GMMStats": "stats",
    "LogLinear": "model",
    "Mapper": "em",
    "ModelSpec": "spec",
    "Space": "likelihoods",
    "Stack": "likelihoods",
    "TopStack": "top_components",
    "UbmSpec": "spec",
    "accumulate": "kernels",
    "adapt_map": "fit",
    "block_size": "layout",
    "class_rng": "fit",
    "fit_em": "em",
    "fit_gmm": "fit",
    "initial_model": "init",
    "log_likelihoods": "likelihoods",
    "objective": "em",
    "prepare": "layout",
    "split_components": "em",
    "stacked_log_likelihoods": "likelihoods",
}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'speechgmm.gmm' has no attribute {name!r}")
    return getattr(import_module(f"speechgmm.gmm.{_HOME[name]}"), name)
