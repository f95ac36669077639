"""Cepstra of bands equally wide in mel, as the preset's program computes them."""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from speechgmm.errors import ConfigError
from speechgmm.features.front_end import FrontEnd
from speechgmm.features.kinds import FeatureKind, Statics
from speechgmm.features.log_mels import log_mels
from speechgmm.features.presets import INT16
from speechgmm.features.spec import FeatureSpec

Float32Array = NDArray[np.float32]


def cepstra(front: FrontEnd, samples: Iterable[Float32Array]) -> Statics:
    """Cepstra of every frame, and the frames' log energies."""
    blocks: list[Float32Array] = []
    energies: list[NDArray[np.float64]] = []
    clipped = front.spec.top_db is not None
    with log_mels(front) as buffers:
        for logs, energy in buffers.of(samples):
            blocks.append(logs.copy() if clipped else _cepstra(front, logs))
            energies.append(energy)
    energy = np.concatenate(energies)
    energy *= INT16**2
    log_energy = np.log(np.maximum(energy, front.energy_floor, out=energy), out=energy).astype(np.float32)
    if front.spec.top_db is not None:
        loudest = max(float(block[: len(energy)].max()) for block, energy in zip(blocks, energies, strict=True))
        floor = np.float32(loudest - front.spec.top_db / front.log_factor)
        blocks = [_cepstra(front, np.maximum(block, floor)) for block in blocks]
    n_frames, column, c0 = len(log_energy), front.c0_column, front.spec.c0
    cepstra = np.concatenate(blocks)[:n_frames]
    if c0 == "drop":
        return Statics(np.delete(cepstra, column, axis=1), log_energy)
    if front.use_energy:
        cepstra[:, column] = log_energy
    if c0 == "relative":
        cepstra[:, column] -= cepstra[:, column].max()
    return Statics(cepstra, log_energy)


def _cepstra(front: FrontEnd, log_bands: Float32Array) -> Float32Array:
    """Cepstra of a whole block."""
    return (log_bands @ front.cepstral.T).astype(np.float32)


def n_cepstra(front: FrontEnd) -> int:
    """Cepstra of a frame, without the zeroth where it is left out."""
    return len(front.cepstral) - (front.spec.c0 == "drop")


def _check(spec: FeatureSpec) -> None:
    if spec.preset == "asvspoof":
        raise ConfigError(
            "features.kind: mfcc with preset asvspoof, whose bands are linear in Hz; leave kind out, or take another "
            "preset and set its frame_length, frame_shift and n_fft"
        )


KIND = FeatureKind(compute=cepstra, n_static=n_cepstra, check=_check)
