from .adaptation import adapt_map
from .bayesian import BayesianGMM
from .compiled import warm_up
from .criteria import Candidate, Choice
from .density import assign, log_likelihoods, posteriors, sample
from .em import Fit, fit_em, objective
from .fit import class_rng, fit_gmm
from .frames import FrameSource, Mapper
from .full_e_step import FullStack
from .full_model import AnyGMM, FullGMM
from .full_stats import FullPrior, FullStats
from .gradient import fit_gradient
from .init import initial_model, subsample_size
from .kernels import accumulate
from .layout import BATCH, Batch, block_size, bytes_per_frame, prepare, working_bytes
from .likelihoods import Space, Stack, stacked_log_likelihoods
from .model import DiagGMM, LogLinear
from .online import OnlineEM
from .predictive import PredictiveStack
from .prior import ConjugatePrior
from .selection import choose_n_components
from .spec import ChooseSpec, ModelSpec, UbmSpec
from .splitting import split_components
from .stacks import stack_of
from .stats import GMMStats
from .top_components import TopStack
from .updating import update
from .variational import VariationalFit, fit_variational

__all__ = [
    "BATCH",
    "AnyGMM",
    "Batch",
    "BayesianGMM",
    "Candidate",
    "Choice",
    "ChooseSpec",
    "ConjugatePrior",
    "DiagGMM",
    "Fit",
    "FrameSource",
    "FullGMM",
    "FullPrior",
    "FullStack",
    "FullStats",
    "GMMStats",
    "LogLinear",
    "Mapper",
    "ModelSpec",
    "OnlineEM",
    "PredictiveStack",
    "Space",
    "Stack",
    "TopStack",
    "UbmSpec",
    "VariationalFit",
    "accumulate",
    "adapt_map",
    "assign",
    "block_size",
    "bytes_per_frame",
    "choose_n_components",
    "class_rng",
    "fit_em",
    "fit_gmm",
    "fit_gradient",
    "fit_variational",
    "initial_model",
    "log_likelihoods",
    "objective",
    "posteriors",
    "prepare",
    "sample",
    "split_components",
    "stack_of",
    "stacked_log_likelihoods",
    "subsample_size",
    "update",
    "warm_up",
    "working_bytes",
]
