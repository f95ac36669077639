"""How a class was trained, so that another can be added to the same model later."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from speechgmm.features.augment import Copy
from speechgmm.gmm import BayesianGMM, ModelSpec


@dataclass(frozen=True, slots=True)
class ClassRecipe:
    """How a class was trained, so that another can be added later."""

    spec: ModelSpec
    floor: NDArray[np.float64]  # (D,) least variances, absolute
    seed: int
    copies: tuple[Copy, ...] = ()  # altered copies that it was trained on
    talkers: tuple[NDArray[np.float32], ...] = ()  # (N,) samples of those who may be heard in babble
    n_talkers: int = 0  # heard at once
    recordings: tuple[NDArray[np.float32], ...] = ()  # (T, D) frames of the cohort's, where the norm is by them
    prior: BayesianGMM | None = None  # variational: of every class; None where each has its own
    counts: tuple[NDArray[np.float64], ...] = ()  # (K,) frames that spoke for each component, of every class
