"""What is made of the static features of a whole recording: derivatives, and what a sliding window leaves of them."""

import numpy as np
from numpy.typing import NDArray

from speechgmm.features.deltas import append_deltas
from speechgmm.features.normalise import sliding_normalised
from speechgmm.features.spec import DeltaMethod, FeatureSpec

Float32Array = NDArray[np.float32]


def with_dynamics(spec: FeatureSpec, statics: Float32Array, delta_method: DeltaMethod) -> Float32Array:
    """Static features (T, n) of a recording with the deltas, and then the sliding normalisation, that a spec asks for.

    >>> with_dynamics(FeatureSpec(deltas=1, cmvn="sliding"), np.ones((5, 2), np.float32), "kaldi").shape
    (5, 4)
    """
    frames = append_deltas(statics, spec.deltas, spec.delta_window, delta_method) if spec.deltas else statics
    if spec.cmvn != "sliding":
        return frames
    return sliding_normalised(
        frames, spec.cmvn_window, causal=spec.cmvn_causal, min_window=spec.cmvn_min_window, norm_vars=spec.norm_vars
    )
