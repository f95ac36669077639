"""Which frames are speech, from the log energy of each frame.

Owns the three energy rules. All need natural logarithms of energies of 16-bit samples: that is where the
default threshold of the first comes from.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from speechgmm.errors import DataError, ShapeError

LogEnergy = NDArray[np.floating]
BoolArray = NDArray[np.bool_]

_MOST_FITTED: Final = 20_000  # frames that the two Gaussians are fitted to, spread evenly over the recording
_ITERATIONS: Final = 50
_LEAST_VARIANCE: Final = 1.0  # nats²
SILENT: Final = 0.0
"""Nats of a 16-bit frame: below it is digital silence, less than one step of 16 bits in all."""


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


def gaussian_vad(log_energy: LogEnergy, window: int = 10, gap: float = 3.0) -> BoolArray:
    """Speech where the energy is likelier of the louder of two Gaussians, fitted to the recording itself by EM.

    log_energy (T,) in nats -> (T,). Energies are averaged over `window` frames on either side, and the Gaussians share
    a variance, so that the rule is one threshold between their means. Means closer than `gap` nats are no pauses
    and speech: all frames are kept. Digital silence is never speech. Raises `ShapeError` and `DataError` for an
    energy that is not a finite vector.

    >>> rng = np.random.default_rng(0)
    >>> pause, speech = rng.normal(8, 1, 300), rng.normal(16, 2, 500)
    >>> found = gaussian_vad(np.concatenate([pause, speech]))
    >>> int(found[:280].sum()), int((~found[320:]).sum())
    (0, 0)
    """
    _check(log_energy)
    energy = log_energy.astype(np.float64)
    sums = np.concatenate(([0.0], np.cumsum(np.exp(energy - energy.max()))))
    at = np.arange(energy.size)
    first, stop = np.maximum(at - window, 0), np.minimum(at + window + 1, energy.size)
    means = np.maximum((sums[stop] - sums[first]) / (stop - first), np.finfo(np.float64).tiny)
    level = np.log(means) + energy.max()
    audible = np.asarray((energy > SILENT) & (level > SILENT), dtype=np.bool_)
    if audible.sum() < 2:
        return audible
    heard = level[audible]
    (low, high), variance, (quiet, loud) = _two_gaussians(heard[:: -(-heard.size // _MOST_FITTED)])
    if high - low < gap:
        return audible
    threshold = (low + high) / 2 + variance / (high - low) * np.log(quiet / loud)
    return np.asarray(audible & (level >= np.clip(threshold, low, high)), dtype=np.bool_)


def _two_gaussians(values: NDArray[np.float64]) -> tuple[NDArray[np.float64], float, NDArray[np.float64]]:
    """Means (2,) in ascending order, the variance that both share, and weights (2,), by EM from two quantiles."""
    means, weights = np.quantile(values, [0.1, 0.9]), np.array([0.5, 0.5])
    variance = max(float(values.var()) / 4, _LEAST_VARIANCE)
    for _ in range(_ITERATIONS):
        odds = np.log(weights[1] / weights[0]) + (means[1] - means[0]) / variance * (values - means.mean())
        loud = 1 / (1 + np.exp(-np.clip(odds, -500, 500)))
        counts = np.maximum([values.size - loud.sum(), loud.sum()], 1e-9)
        means = np.array([(1 - loud) @ values, loud @ values]) / counts
        spread = (1 - loud) @ (values - means[0]) ** 2 + loud @ (values - means[1]) ** 2
        variance = max(float(spread) / values.size, _LEAST_VARIANCE)
        weights = counts / counts.sum()
    return means, variance, weights


def _check(log_energy: LogEnergy) -> None:
    if log_energy.ndim != 1 or not log_energy.size:
        raise ShapeError(f"log energies have shape {log_energy.shape}; expected (T,) with at least one frame")
    if not np.isfinite(log_energy).all():
        raise DataError("log energies hold NaN or infinity; expected a finite number per frame")
