"""What is said of a fit: few frames, an outlier, a floor that holds many variances, a tolerance below rounding.

Owns the texts and their thresholds. Does not warn: the caller does.
"""

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from speechgmm.gmm.component_count import components_for, frames_each, is_too_few
from speechgmm.gmm.em import Fit
from speechgmm.gmm.families import Covariance
from speechgmm.gmm.frames import FrameSource
from speechgmm.gmm.options import EMOptions
from speechgmm.gmm.progress import rounding_of

Floats = NDArray[np.float64]

FLOORED: Final = 0.05
"""Share of the variances held by the floor, above which a note says so."""


CARRIED: Final = 0.5
"""Share of a dimension's variance that one frame carries, above which a note names it as an outlier."""

LEAST_TO_JUDGE: Final = 100
"""Frames from which on an outlier is named: of so many, half of the variance is 7 standard deviations away."""


def few_frames_for(source: FrameSource, fit: Fit[Any], asked: int | None, covariance: Covariance = "diag") -> list[str]:
    """A note where somebody asked for more components than the frames can estimate.

    >>> from speechgmm.gmm.fit import as_source, fit_mixture
    >>> source = as_source([[0.0], [1.0], [5.0], [6.0]])
    >>> few_frames_for(source, fit_mixture(source, 2, EMOptions()), 2)
    ['4 frames for 2 components: ...']
    """
    n_frames = n_counted(source)
    n_components = fit.model.n_components
    each = frames_each(covariance, source.n_features)
    if asked is None or not is_too_few(n_frames, n_components, each):
        return []
    return [
        f"{n_frames} frames for {n_components} components: expected {each} for each at the least, and of fewer they "
        "fit these frames and not new ones; leave n_components out, set it to at most "
        f"{components_for(max(1, n_frames), each=each)}, or give more frames"
    ]


def n_counted(source: FrameSource) -> int:
    """The number of frames whose weight is above 0.

    >>> from speechgmm.gmm.fit import as_source
    >>> n_counted(as_source([[0.0], [1.0], [5.0]], [1.0, 0.0, 2.0]))
    2
    """
    return len(source) if source.weights is None else int(np.count_nonzero(source.weights))


def outlier_notes(n_frames: int, variance: Floats, peaks: Floats) -> list[str]:
    """A note where one frame carries over ``CARRIED`` of a dimension's variance.

    ``variance`` and ``peaks`` (D,) are those of ``moments_and_peaks``. Of fewer than ``LEAST_TO_JUDGE`` frames nothing
    is said.

    >>> outlier_notes(500, np.array([1.0, 1.0]), np.array([0.1, 0.9]))
    ['one frame carries 90% of the variance of dimension 1, ...']
    """
    shares = np.divide(peaks, variance, out=np.zeros_like(variance), where=variance > 0)
    d = int(shares.argmax())
    if n_frames < LEAST_TO_JUDGE or shares[d] <= CARRIED:
        return []
    distance = np.sqrt(shares[d] * n_frames)
    return [
        f"one frame carries {shares[d]:.0%} of the variance of dimension {d}, {distance:.3g} standard deviations from "
        "the mean: it widens the floor and a component, so that other frames are modelled less well; look for "
        "outliers, and leave such frames out"
    ]


def notes_of(fit: Fit[Any], options: EMOptions, floor: Floats) -> tuple[str, ...]:
    """What the user should know of a fit: a floor that holds many variances, a ``tol`` below rounding.

    >>> from speechgmm.gmm.fit import as_source, fit_mixture
    >>> options = EMOptions(floor=0.01)
    >>> notes_of(fit_mixture(as_source([[0.0], [1.0], [2.0]]), 1, options), options, np.array([0.01]))
    ()
    """
    found = []
    if fit.floored > FLOORED * fit.model.n_variances:
        share = fit.floored / fit.model.n_variances
        found.append(
            f"the floor holds {share:.0%} of the variances, {fit.model.floor_note(floor)}, and the "
            "likelihood is lower than it could be; lower the floor, or take fewer components"
        )
    rounding = rounding_of(fit.trace[-1], fit.precision)
    if 0 < options.tol < rounding:
        found.append(
            f"tol {options.tol:g} is below what {fit.precision} can tell of this likelihood, {rounding:.1g} nats per "
            "frame, where the fit ends; raise tol"
            + (", or set precision float64" if fit.precision == "float32" else "")
        )
    return tuple(found)
