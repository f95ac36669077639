from .adapted import MAPAdaptedGMM
from .bayesian import BayesianGaussianMixture
from .classifier import GMMClassifier
from .conversion import from_sklearn, to_sklearn
from .mfcc import MFCC
from .mixture import GaussianMixture

__all__ = [
    "MFCC",
    "BayesianGaussianMixture",
    "GMMClassifier",
    "GaussianMixture",
    "MAPAdaptedGMM",
    "from_sklearn",
    "to_sklearn",
]
