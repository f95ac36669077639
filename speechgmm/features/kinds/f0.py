"""Log F0 of voiced frames, a stream of its own beside the cepstra: how high a voice is survives noise that they do not.

YIN (de Cheveigné & Kawahara 2002) is librosa's; what is owned here is which frames count as voiced, and that frames lie
where the cepstra's lie.
"""

from collections.abc import Iterable
from typing import Final

import numpy as np
from numpy.typing import NDArray

from speechgmm.features.framing import BLOCK, runs
from speechgmm.features.front_end import FrontEnd
from speechgmm.features.kinds import FeatureKind, Statics
from speechgmm.features.vad import peak_vad

Float32Array = NDArray[np.float32]

LOW: Final = 60.0  # Hz
HIGH: Final = 400.0  # Hz

_WINDOW: Final = 0.064  # s: nearly four periods of the lowest pitch
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
    import librosa

    width = 2 * round(_WINDOW / 2 * front.sample_rate)
    first = round(front.first_centre) - width // 2
    held = np.zeros(BLOCK * front.frame_shift + width, np.float32)
    values, correlations, energies = [], [], []
    for run, _ in runs(samples, width, front.frame_shift, first, "zeros", front.n_frames, held):
        pitch = librosa.yin(
            run,
            fmin=LOW,
            fmax=HIGH,
            sr=front.sample_rate,
            frame_length=width,
            hop_length=front.frame_shift,
            center=False,
        )
        frames = np.lib.stride_tricks.sliding_window_view(run, width)[:: front.frame_shift].astype(np.float64)
        values.append(np.log(pitch))
        correlations.append(_correlation(frames, np.rint(front.sample_rate / pitch).astype(int)))
        energies.append(np.log(np.maximum(np.sum(frames**2, axis=1), 1e-10)))
    voiced = peak_vad(np.concatenate(energies), _RANGE) & (np.concatenate(correlations) >= _PERIODIC)
    return Statics(np.concatenate(values)[:, None].astype(np.float32), None, voiced)


def _correlation(frames: NDArray[np.float64], lags: NDArray[np.int_]) -> NDArray[np.float64]:
    """Of each frame (T, N) with itself so many samples later, (T,), over what the two share."""
    at = np.arange(frames.shape[1])
    shared = at < frames.shape[1] - lags[:, None]
    early = np.where(shared, frames, 0)
    late = np.where(shared, np.take_along_axis(frames, np.minimum(at + lags[:, None], frames.shape[1] - 1), axis=1), 0)
    power = np.sqrt(np.sum(early**2, axis=1) * np.sum(late**2, axis=1))
    found: NDArray[np.float64] = np.sum(early * late, axis=1) / np.maximum(power, 1e-10)
    return found


KIND = FeatureKind(
    compute=log_f0,
    n_static=lambda _: 1,
    reads=("preset", "frame_shift", "cmvn", "norm_vars", "transform"),
    keeps="voiced",
)
