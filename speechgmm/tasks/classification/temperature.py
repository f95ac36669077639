"""The one number that turns log-likelihoods into posteriors.

Frames of speech are not independent, so a recording's total log-likelihood is worth far fewer frames than it
has. Owns the factor beta that says how many, fitted on held-out scores. Refuses to fit anything per class.
"""

from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from speechgmm.errors import DataError, ShapeError

Floats = NDArray[np.float64]

_TOLERANCE: Final = 1e-12  # relative, of beta
_ROWS: Final = 4096  # recordings at once


def fit_temperature(total_log_likelihoods: ArrayLike, true_indices: ArrayLike, log_priors: ArrayLike) -> float:
    """Fit the factor beta of the posteriors softmax(beta * total_log_likelihoods + log_priors) on held-out recordings.

    beta is an *inverse* temperature. With beta 1 the likelihoods are unchanged; a smaller beta makes posteriors
    softer. ``total_log_likelihoods`` (N, C) are in nats, summed over the frames of each recording; ``true_indices``
    (N,) are the numbers of the true classes; ``log_priors`` (C,) are in nats.

    beta maximises the mean log posterior of smoothed targets: (N + 1) / (N + 2) for the true class, the rest shared
    equally among the other classes (after Platt 1999, eq. 3). Smoothing keeps beta finite where no recording is
    misclassified. The objective is concave in beta. The result 0.0 means that the scores carry no evidence for the
    true classes; the posteriors are then the priors.

    Raises:
        ShapeError: The scores are not (N, C), or indices or priors do not fit them.
        DataError: There are fewer than two classes or no recordings, or a score is not finite.

    >>> scores = [[0.0, -30.0], [-20.0, 0.0], [0.0, -40.0], [0.0, -10.0]]
    >>> round(fit_temperature(scores, [0, 1, 0, 1], np.log([0.5, 0.5])), 4)
    0.0411
    """
    scores = np.asarray(total_log_likelihoods, dtype=np.float64)
    truth, priors = np.asarray(true_indices), np.asarray(log_priors, dtype=np.float64)
    _check(scores, truth, priors)
    n, n_classes = scores.shape
    scores = scores - scores.max(axis=1, keepdims=True)
    targets = np.full(scores.shape, 1 / ((n + 2) * (n_classes - 1)))
    targets[np.arange(n), truth] = (n + 1) / (n + 2)

    def slope(beta: float) -> float:
        """Derivative of the objective: wanted minus expected scores. It falls as beta rises."""
        total = 0.0
        for first in range(0, n, _ROWS):
            block = scores[first : first + _ROWS]
            exponents = beta * block + priors
            shares = np.exp(exponents - exponents.max(axis=1, keepdims=True))
            shares /= shares.sum(axis=1, keepdims=True)
            total += float(((targets[first : first + _ROWS] - shares) * block).sum())
        return total

    if slope(0.0) <= 0:
        return 0.0
    # Far enough out all expected scores are the best ones, 0, and the smoothed targets want less: a root
    # exists.
    enough = 1 / -scores.min()
    while slope(enough) > 0:
        enough *= 2
    from scipy.optimize import brentq  # slow to import, and only training comes here

    return float(brentq(slope, 0.0, enough, xtol=_TOLERANCE * enough, rtol=_TOLERANCE))


def _check(scores: Floats, truth: NDArray[np.integer], priors: Floats) -> None:
    if scores.ndim != 2 or truth.shape != scores.shape[:1] or priors.shape != scores.shape[1:]:
        raise ShapeError(
            f"scores {scores.shape}, true indices {truth.shape} and log priors {priors.shape}; "
            "expected (N, C), (N,) and (C,)"
        )
    n, n_classes = scores.shape
    if n == 0 or n_classes < 2:
        raise DataError(f"{n} recordings and {n_classes} classes to fit a temperature on; expected at least 1 and 2")
    if not (np.isfinite(scores).all() and np.isfinite(priors).all()):
        raise DataError("a score or a log prior that is NaN or infinite; a temperature needs finite ones")
    if not np.issubdtype(truth.dtype, np.integer):
        raise ShapeError(f"true indices of type {truth.dtype}; expected integers: are they labels?")
    if truth.min() < 0 or truth.max() >= n_classes:
        raise ShapeError(f"true indices from {truth.min()} to {truth.max()}; expected 0 to {n_classes - 1}")
