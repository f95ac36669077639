"""Covariances (C, D, D) as matrices: their Cholesky factors, and the floor that holds them from below."""

import numpy as np
from numpy.typing import ArrayLike

from speechgmm.errors import ConfigError, ShapeError
from speechgmm.gmm.model import Floats


def cholesky_factors(covariances: Floats) -> Floats:
    """The lower Cholesky factors (C, D, D) of covariances.

    Raises:
        ShapeError: A matrix that is not positive definite, within rounding.

    >>> cholesky_factors(np.array([[[4.0]]]))
    array([[[2.]]])
    """
    try:
        return np.asarray(np.linalg.cholesky(covariances))
    except np.linalg.LinAlgError:
        least = np.linalg.eigvalsh(covariances)[:, 0]
        number = int(least.argmin())
        raise ShapeError(
            f"covariance {number} has the eigenvalue {least[number]:.3g}; expected a positive definite matrix: raise "
            "the floor, give more frames, or take diagonal covariances"
        ) from None


def is_positive(matrices: Floats) -> bool:
    """Whether symmetric matrices (C, D, D) are all positive definite, within rounding.

    >>> is_positive(np.array([[[1.0]], [[-1.0]]]))
    False
    """
    try:
        np.linalg.cholesky(matrices)
    except np.linalg.LinAlgError:
        return False
    return True


def raised(covariances: Floats, floor: ArrayLike) -> Floats:
    """Covariances (C, D, D) that are at least diag(``floor``), each the likeliest such matrix for its scatter.

    A covariance less diag(``floor``) has no negative eigenvalue: in every direction the variance is at least that of
    independent dimensions with the variances ``floor`` ((D,) or a number, in squared units of the frames). Of the
    covariance with every dimension in units of its floor, eigenvalues below 1 become 1, which maximises the likelihood
    under that bound. A floor of 0 changes nothing.

    Raises:
        ConfigError: A floor that is 0 in some dimensions and not in others.

    >>> raised(np.array([[[1.0, 1.0], [1.0, 1.0]]]), 0.5).round(3)
    array([[[1.25, 0.75],
            [0.75, 1.25]]])
    """
    least = _checked_floor(floor, covariances.shape[-1])
    if not least.any():
        return covariances
    if is_positive(covariances - np.diag(least)):  # as nearly always, and sooner known than eigenvalues
        return covariances
    scale = np.sqrt(least)
    units = scale[:, None] * scale
    values, vectors = np.linalg.eigh(covariances / units)
    held = np.flatnonzero(values[:, 0] < 1)
    result: Floats = covariances.copy()
    higher = vectors[held] * np.maximum(values[held], 1)[:, None, :] @ vectors[held].swapaxes(1, 2)
    result[held] = 0.5 * (higher + higher.swapaxes(1, 2)) * units
    return result


def n_held(covariances: Floats, floor: ArrayLike) -> int:
    """How many eigenvalues of covariances (C, D, D) a floor holds, of C D; raises as ``raised``, which see.

    >>> n_held(np.array([[[1.25, 0.75], [0.75, 1.25]]]), 0.5)
    1
    """
    least = _checked_floor(floor, covariances.shape[-1])
    if not least.any():
        return 0
    scale = np.sqrt(least)
    return int(np.count_nonzero(np.linalg.eigvalsh(covariances / (scale[:, None] * scale)) < 1 + 1e-9))


def _checked_floor(floor: ArrayLike, n_features: int) -> Floats:
    least = np.broadcast_to(np.asarray(floor, dtype=np.float64), (n_features,))
    if least.any() and not least.all():
        raise ConfigError(
            f"a floor of 0 in dimension {int(np.flatnonzero(least == 0)[0])} and above 0 in others; expected all above "
            "0, or 0 for none, with full covariances"
        )
    return least
