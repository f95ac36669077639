"""What was found in a recording as labels with times, for label files of other programs."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from speechgmm.features.silence import stretches
from speechgmm.io.samples import AudioSource
from speechgmm.io.timed_labels import LabelledRecording, TimedLabel
from speechgmm.tasks.anomaly.models import CURVE_STEP
from speechgmm.tasks.anomaly.scoring import AnomalyScore

USUAL: Final = 1.0
"""The highest value of the curve of a usual normal recording."""


def labelled(path: AudioSource, found: AnomalyScore, decision: str) -> LabelledRecording:
    """Two tiers: ``highest``, the stretch where the anomaly score is highest, with the decision; and ``above_normal``.

    ``above_normal`` has the stretches where the curve is above what a usual normal recording reaches, each with its
    highest value there as text.

    Parameters
    ----------
    path
        The recording.
    found
        What was found in it.
    decision
        Anomalous, or what normal recordings are called.

    Returns
    -------
    LabelledRecording
        Times in s.
    """
    duration = found.duration or (found.end if found.silent else float(found.grid[-1]) + CURVE_STEP / 2)
    above = [
        TimedLabel(f"{highest:.3f}", start, min(end, duration))
        for start, end, highest in stretches_above(found.curve, found.grid, USUAL)
    ]
    highest = [TimedLabel(decision, found.start, min(found.end, duration))]
    return LabelledRecording(path, duration, {"highest": highest, "above_normal": above})


def stretches_above(
    curve: NDArray[np.float64], grid: NDArray[np.float64], level: float
) -> list[tuple[float, float, float]]:
    """Start and end in s, and the highest value, of each stretch of a curve (T,) at times ``grid`` (T,) above a level.

    Examples
    --------
    >>> stretches_above(np.array([0.0, 1.5, 2.5, 0.0]), np.array([0.005, 0.015, 0.025, 0.035]), 1.0)
    [(0.01, 0.03, 2.5)]
    """
    return [
        (
            round(max(0.0, float(grid[first]) - CURVE_STEP / 2), 6),
            round(float(grid[stop - 1]) + CURVE_STEP / 2, 6),
            float(curve[first:stop].max()),
        )
        for first, stop in stretches(curve > level)
    ]
