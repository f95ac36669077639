"""How a class was trained, so that another can be added to the same model later."""

from collections.abc import Mapping
from dataclasses import dataclass, field

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
    sounds: Mapping[str, tuple[NDArray[np.float32], ...]] = field(default_factory=dict)
    """Kind of copy -> samples (N,) of what may be heard in it: talkers of babble, noises, impulse responses."""

    n_talkers: int = 0  # heard at once in babble
    recordings: tuple[NDArray[np.float32], ...] = ()  # (T, D) frames of the cohort's, where the norm is by them
    prior: BayesianGMM | None = None  # variational: of every class; None where each has its own
    counts: tuple[NDArray[np.float64], ...] = ()  # (K,) frames that spoke for each component, of every class
    seen: Mapping[str, frozenset[int]] = field(default_factory=dict)
    """Class -> the recordings that it has counted, by `recording_number`; not in it: an older version trained it."""


def recording_number(key: str) -> int:
    """A recording by the first 64 bits of the hash of its bytes, as model files keep it.

    >>> recording_number("00000000000000ff" + 16 * "0")
    255
    """
    return int(key[:16], 16)
