"""Log energies of a filterbank, as Kaldi's compute-fbank-feats, HTK's FBANK and librosa compute them."""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from speechgmm.features.bands import of_bands, with_energy_column
from speechgmm.features.front_end import FrontEnd
from speechgmm.features.kinds import CEPSTRAL, FeatureKind, Statics

Float32Array = NDArray[np.float32]


def energies(front: FrontEnd, samples: Iterable[Float32Array]) -> Statics:
    """Logarithms of the bands, or the bands themselves, of every frame; the log energy is one column more if asked for.

    Kaldi has the energy first, HTK last.

    >>> from speechgmm.features import FeatureSpec, front_end
    >>> front = front_end(FeatureSpec(kind="fbank", n_mels=40), 16000)
    >>> energies(front, [np.ones(16000, dtype=np.float32)]).frames.shape
    (98, 40)
    """
    factor = np.float32(front.log_factor)
    frames, log_energy = of_bands(front, samples, (lambda logs: logs * factor) if front.spec.log else np.exp)
    return Statics(with_energy_column(front, frames, log_energy), log_energy)


KIND = FeatureKind(
    compute=energies,
    n_static=lambda front: len(front.filterbank) + front.use_energy,
    use_energy=False,
    ignores=CEPSTRAL,
)
