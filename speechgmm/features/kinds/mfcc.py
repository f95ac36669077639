"""Cepstra of bands equally wide in mel, as the preset's program computes them."""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from speechgmm.errors import ConfigError
from speechgmm.features.bands import of_bands, with_energy
from speechgmm.features.front_end import FrontEnd
from speechgmm.features.kinds import FeatureKind, Statics
from speechgmm.features.spec import FeatureSpec

Float32Array = NDArray[np.float32]


def cepstra(front: FrontEnd, samples: Iterable[Float32Array]) -> Statics:
    """Cepstra of every frame, and the frames' log energies."""
    frames, log_energy = of_bands(front, samples, lambda logs: (logs @ front.cepstral.T).astype(np.float32))
    return Statics(with_energy(front, frames, log_energy), log_energy)


def n_cepstra(front: FrontEnd) -> int:
    """Cepstra of a frame, without the zeroth where it is left out."""
    return front.spec.n_ceps - (front.spec.c0 == "drop")


def check_bands_in_mel(spec: FeatureSpec) -> None:
    """Raise ConfigError for a preset whose bands are not those of a mel scale."""
    if spec.preset == "asvspoof":
        raise ConfigError(
            f"features.kind: {spec.kind} with preset asvspoof, whose bands are linear in Hz; leave kind out, or take "
            "another preset and set its frame_length, frame_shift and n_fft"
        )


KIND = FeatureKind(compute=cepstra, n_static=n_cepstra, cosine=True, check=check_bands_in_mel)
