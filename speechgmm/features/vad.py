"""Which frames are speech, from the log energy of each frame.

Owns the two energy rules. Both need natural logarithms of energies of 16-bit samples: that is where the
default threshold of the first comes from.
"""

import numpy as np
from numpy.typing import NDArray

from speechgmm.errors import DataError, ShapeError

LogEnergy = NDArray[np.floating]
BoolArray = NDArray[np.bool_]


def energy_vad(
    log_energy: LogEnergy,
    threshold: float = 5.0,
    mean_scale: float = 0.5,
    context: int = 0,
    proportion: float = 0.6,
) -> BoolArray:
    """Speech where a share of the neighbours is louder than a threshold that follows the mean (Kaldi,
    compute-vad).

    log_energy (T,) in nats -> (T,). A frame votes where its energy exceeds ``threshold + mean_scale * mean``;
    a frame is speech where at least `proportion` of the frames within `context` of it (fewer at the edges)
    vote. Raises `ShapeError` and `DataError` for an energy that is not a finite vector.

    >>> energy_vad(np.array([4.0, 15.0, 16.0, 4.0]), context=1).tolist()
    [False, True, True, False]
    """
    _check(log_energy)
    votes = log_energy > threshold + mean_scale * log_energy.mean(dtype=np.float64)
    before = np.concatenate(([0], np.cumsum(votes)))
    at = np.arange(log_energy.size)
    first, stop = np.maximum(at - context, 0), np.minimum(at + context + 1, log_energy.size)
    return np.asarray(before[stop] - before[first] >= proportion * (stop - first), dtype=np.bool_)


def peak_vad(log_energy: LogEnergy, energy_range: float = 5.0) -> BoolArray:
    """Speech where the log energy is less than `energy_range` nats below the recording's loudest frame.

    log_energy (T,) in nats -> (T,), True at least once. Raises `ShapeError` and `DataError` for an energy
    that is not a finite vector.

    >>> peak_vad(np.array([4.0, 15.0, 16.0, 11.0])).tolist()
    [False, True, True, False]
    """
    _check(log_energy)
    return np.asarray(log_energy > log_energy.max() - energy_range, dtype=np.bool_)


def _check(log_energy: LogEnergy) -> None:
    if log_energy.ndim != 1 or not log_energy.size:
        raise ShapeError(f"log energies have shape {log_energy.shape}; expected (T,) with at least one frame")
    if not np.isfinite(log_energy).all():
        raise DataError("log energies hold NaN or infinity; expected a finite number per frame")
