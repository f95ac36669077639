"""What claims that recordings are of classes score."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class ClaimScores:
    """Scores of the claims that N recordings are of C classes."""

    raw: Floats  # (C, N) nats per frame
    scores: Floats  # (C, N) normalised by the cohort; without one they are the raw ones
    cohort_means: Floats | None  # (N,) mean raw score of the cohort's models on each recording; None: no such models
