"""Log power of every Fourier bin, as Kaldi's compute-spectrogram-feats and librosa compute it."""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from speechgmm.features.bands import of_bands
from speechgmm.features.filterbanks import BAND_SETTINGS
from speechgmm.features.front_end import FrontEnd
from speechgmm.features.kinds import CEPSTRAL, FeatureKind, Statics

Float32Array = NDArray[np.float32]


def spectra(front: FrontEnd, samples: Iterable[Float32Array]) -> Statics:
    """Log power of every bin, or the power, of every frame; with ``use_energy`` the log energy in place of bin 0.

    >>> from speechgmm.features import FeatureSpec, front_end
    >>> front = front_end(FeatureSpec(kind="spectrogram"), 16000)
    >>> spectra(front, [np.ones(16000, dtype=np.float32)]).frames.shape
    (98, 257)
    """
    factor = np.float32(front.log_factor)
    frames, log_energy = of_bands(front, samples, (lambda logs: logs * factor) if front.spec.log else np.exp)
    if front.use_energy:
        frames[:, 0] = log_energy
    return Statics(frames, log_energy)


KIND = FeatureKind(
    compute=spectra,
    n_static=lambda front: front.n_fft // 2 + 1,
    bands=False,
    ignores=(*CEPSTRAL, *BAND_SETTINGS),
)
