"""Frames that are computed from the log bands of each frame: the way through a recording that several kinds share.

Owns the log energy of frames, and the clipping by the loudest band of a recording.
"""

from collections.abc import Callable, Iterable
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from speechgmm.features.front_end import FrontEnd
from speechgmm.features.log_mels import log_mels
from speechgmm.features.presets import INT16

Float32Array = NDArray[np.float32]
F = TypeVar("F", bound=np.floating[Any])


def of_bands(
    front: FrontEnd, samples: Iterable[Float32Array], finish: Callable[[Float32Array], NDArray[F]]
) -> tuple[NDArray[F], Float32Array]:
    """Features that are computed from the log bands of every frame, and the log energies of the frames.

    Parameters
    ----------
    front
        Says how bands are computed.
    samples
        Of a recording, in stretches (N,), with at least one frame.
    finish
        Computes the features: natural logs of bands (BLOCK, n_bands) -> a new array (BLOCK, n). Rows of a block beyond
        the recording are arbitrary.

    Returns
    -------
    frames
        (T, n), of the type that ``finish`` returns.
    log_energy
        (T,) float32 in nats, of 16-bit samples.

    Examples
    --------
    >>> from speechgmm.features import FeatureSpec, front_end
    >>> sums, energy = of_bands(front_end(FeatureSpec(), 8000), [np.ones(800, np.float32)], lambda logs: logs[:, :2])
    >>> sums.shape, energy.shape
    ((8, 2), (8,))
    """
    clipped: list[Float32Array] = []
    blocks: list[NDArray[F]] = []
    energies: list[NDArray[np.float64]] = []
    with log_mels(front) as buffers:
        for logs, energy in buffers.of(samples):
            if front.spec.top_db is None:
                blocks.append(finish(logs))
            else:
                clipped.append(logs.copy())
            energies.append(energy)
    energy = np.concatenate(energies)
    energy *= INT16**2
    log_energy = np.log(np.maximum(energy, front.energy_floor, out=energy), out=energy).astype(np.float32)
    if front.spec.top_db is not None:
        loudest = max(float(block[: len(energy)].max()) for block, energy in zip(clipped, energies, strict=True))
        floor = np.float32(loudest - front.spec.top_db / front.log_factor)
        blocks = [finish(np.maximum(block, floor)) for block in clipped]
    return np.concatenate(blocks)[: len(log_energy)], log_energy


def with_energy(front: FrontEnd, cepstra: Float32Array, log_energy: Float32Array) -> Float32Array:
    """Cepstra (T, n_ceps) whose zeroth is what the settings ``c0`` and ``use_energy`` say; changed in place.

    ``log_energy`` (T,) replaces it with ``use_energy``. Returns (T, n_ceps), with ``c0: drop`` (T, n_ceps - 1).
    """
    column, c0 = front.c0_column, front.spec.c0
    if c0 == "drop":
        return np.delete(cepstra, column, axis=1)
    if front.use_energy:
        cepstra[:, column] = log_energy
    if c0 == "relative":
        cepstra[:, column] -= cepstra[:, column].max()
    return cepstra


def with_energy_column(front: FrontEnd, frames: Float32Array, log_energy: Float32Array) -> Float32Array:
    """Frames (T, n) and, with ``use_energy``, the log energy (T,) as one column more: first, with preset htk last."""
    if not front.use_energy:
        return frames
    columns = [frames, log_energy[:, None]]
    return np.hstack(columns if front.c0_last else columns[::-1])
