"""``units.tsv``: what a run says of the units that it trained."""

import numpy as np
from numpy.typing import NDArray

from speechgmm.hmm import Units
from speechgmm.io.tables import table


def units_table(units: Units) -> str:
    """``units.tsv``: states, Gaussians and how long each unit lasts by its transitions."""
    rows = (
        (
            label,
            hmm.n_states,
            sum(model.n_components for model in hmm.emissions),
            " ".join(str(model.n_components) for model in hmm.emissions),
            f"{_frames_expected(hmm.transitions):.2f}",
        )
        for label, hmm in zip(units.labels, units.hmms, strict=True)
    )
    return table(("unit", "states", "components", "of each state", "mean_frames"), rows)


def _frames_expected(transitions: NDArray[np.float64]) -> float:
    """Frames that a unit lasts on average: the first row's sum of (I - A)^-1."""
    inner = transitions[:, :-1]
    return float(np.linalg.solve(np.eye(len(inner)) - inner, np.ones(len(inner)))[0])
