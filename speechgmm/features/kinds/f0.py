"""Log F0 of voiced frames, for a stream beside the cepstra: noise that spoils cepstra leaves the pitch of a voice.

What is owned here is which frames count as voiced; pitch itself is in `speechgmm.features.pitch`.
"""

from collections.abc import Iterable
from typing import Final

import numpy as np
from numpy.typing import NDArray

from speechgmm.features.front_end import FrontEnd
from speechgmm.features.kinds import FeatureKind, Statics
from speechgmm.features.pitch import voicing_blocks
from speechgmm.features.vad import peak_vad

Float32Array = NDArray[np.float32]

_PERIODIC: Final = 0.5  # least correlation of a voiced frame with itself a period later
_RANGE: Final = 5.0  # nats below the loudest frame of the recording that may be voiced


def log_f0(front: FrontEnd, samples: Iterable[Float32Array]) -> Statics:
    """Natural logarithm of the pitch in Hz of every frame, (T, 1) float32, and which frames are voiced, (T,).

    samples: those of a recording, at least one frame, one stretch after another, at the front end's rate. Frames
    are centred where the front end's are. A frame is voiced where it is within 5 nats of the loudest and its
    correlation with itself one period later is at least 0.5.

    >>> from speechgmm.features import FeatureSpec, front_end
    >>> tone = np.sign(np.sin(2 * np.pi * 125 * np.arange(4000) / 8000)).astype(np.float32)
    >>> values, _, voiced = log_f0(front_end(FeatureSpec(kind="f0"), 8000), [tone])
    >>> np.exp(values[voiced]).round().mean().item()
    125.0
    """
    pitches, correlations, energies = zip(*voicing_blocks(front, samples), strict=True)
    voiced = peak_vad(np.concatenate(energies), _RANGE) & (np.concatenate(correlations) >= _PERIODIC)
    return Statics(np.concatenate(pitches)[:, None].astype(np.float32), None, voiced)


KIND = FeatureKind(
    compute=log_f0,
    n_static=lambda _: 1,
    reads=("preset", "frame_shift", "cmvn", "norm_vars", "transform"),
    keeps="voiced",
)
