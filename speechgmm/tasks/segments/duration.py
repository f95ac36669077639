"""How long the segments of a class last: a Gaussian on the log of the duration, per class.

Owns the estimate for classes with few segments. The unit of the durations is the caller's: another one shifts all
logarithms alike and changes no comparison.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from speechgmm.errors import DataError, FitError, ShapeError
from speechgmm.features.segments import log_durations as log_durations_of

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class DurationModel:
    """One Gaussian on log duration per class: durations are about log-normal.

    >>> model = DurationModel(np.log([5.0, 20.0]), np.array([0.25, 0.25]))
    >>> model.log_likelihoods(np.log([6.0, 18.0])).argmax(axis=1).tolist()
    [0, 1]
    """

    means: Floats  # (C,) of log duration
    variances: Floats  # (C,), above 0

    def __post_init__(self) -> None:
        if self.means.ndim != 1 or self.variances.shape != self.means.shape:
            raise ShapeError(
                f"duration means {self.means.shape} and variances {self.variances.shape}; expected (C,) each"
            )
        if not (np.isfinite(self.means).all() and np.isfinite(self.variances).all() and (self.variances > 0).all()):
            raise ShapeError("duration Gaussians with a parameter that is not finite or a variance that is not above 0")

    @property
    def n_classes(self) -> int:
        """C."""
        return len(self.means)

    def scores(self, frames: NDArray[np.floating], bounds: ArrayLike) -> Floats:  # noqa: ARG002 (as every stream)
        """Log density (N, C) of the durations of segments with these bounds (N, 2) in frames."""
        return self.log_likelihoods(log_durations_of(bounds))

    def log_likelihoods(self, log_durations: ArrayLike) -> Floats:
        """Log density (N, C) in nats of log durations (N,) under every class.

        Raises `ShapeError` unless they are (N,).
        """
        values = np.asarray(log_durations, dtype=np.float64)
        if values.ndim != 1:
            raise ShapeError(f"log durations of shape {values.shape}; expected (N,), one per segment")
        result: Floats = -0.5 * (
            np.log(2 * np.pi * self.variances) + (values[:, None] - self.means) ** 2 / self.variances
        )
        return result


def fit_durations(
    log_durations: ArrayLike, classes: ArrayLike, n_classes: int, prior_count: float = 5.0
) -> DurationModel:
    """The Gaussians of log durations (N,) of classes (N,), numbers from 0 to `n_classes` - 1.

    A class's variance is drawn to that within all classes by `prior_count` pseudo-segments (the mode of a conjugate
    prior, Gauvain & Lee 1994, eq. 27 with the mean left free), so that a class of three segments is not certain about
    its duration; 0 is maximum likelihood.

    Raises:
        ShapeError: Not one class per duration.
        DataError: A class without a segment.
        FitError: A variance of 0, all segments of a class being as long as each other; a negative `prior_count`.

    >>> fit_durations(np.log([4.0, 9.0, 16.0, 36.0]), [0, 0, 1, 1], 2).means.round(3)
    array([1.792, 3.178])
    """
    values, numbers = np.asarray(log_durations, dtype=np.float64), np.asarray(classes, dtype=np.intp)
    if values.ndim != 1 or numbers.shape != values.shape:
        raise ShapeError(f"log durations {values.shape} and classes {numbers.shape}; expected one class per segment")
    if not prior_count >= 0:
        raise FitError(f"prior_count {prior_count:g}; expected a number of segments, 0 or more")
    counts = np.bincount(numbers, minlength=n_classes)
    if not counts.all():
        raise DataError(f"class {int(counts.argmin())} has no segment to learn a duration from; expected one at least")
    means = np.bincount(numbers, values, n_classes) / counts
    scatter = np.bincount(numbers, (values - means[numbers]) ** 2, n_classes)
    pooled = scatter.sum() / counts.sum()
    variances = (scatter + prior_count * pooled) / (counts + prior_count)
    if not (variances > 0).all():
        raise FitError(
            f"the segments of class {int(variances.argmin())} all last the same, so that their variance is 0; leave "
            "duration out of segments.streams, give segments of other lengths, or set prior_count above 0"
        )
    return DurationModel(means, variances)
