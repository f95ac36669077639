"""Covariances by scikit-learn's names and shapes: ``covariance_type``, and the arrays that each type has.

Owns the way between those arrays and the package's mixtures. "full" (K, D, D), "tied" (D, D), "diag" (K, D),
"spherical" (K,).
"""

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from speechgmm.gmm.full_model import AnyGMM, FullGMM
from speechgmm.gmm.model import DiagGMM

Floats = NDArray[np.float64]

MATRICES: Final = ("full", "tied")
"""Types whose mixtures are a ``FullGMM``."""


def covariance_shape(covariance_type: str, n_components: int, n_features: int) -> tuple[int, ...]:
    """Shape of the covariances of a type.

    >>> [covariance_shape(kind, 2, 3) for kind in ("full", "tied", "diag", "spherical")]
    [(2, 3, 3), (3, 3), (2, 3), (2,)]
    """
    square = (n_features, n_features)
    shapes = {"full": (n_components, *square), "tied": square, "diag": (n_components, n_features)}
    return shapes.get(covariance_type, (n_components,))


def model_of(weights: Floats, means: Floats, covariances: Floats, covariance_type: str) -> AnyGMM:
    """The mixture of arrays as scikit-learn has them. Raises ShapeError where they are no mixture.

    >>> model_of(np.ones(1), np.zeros((1, 2)), np.array([4.0]), "spherical").variances
    array([[4., 4.]])
    """
    if covariance_type in MATRICES:
        return FullGMM(weights, means, covariances if covariance_type == "full" else covariances[None])
    if covariance_type == "spherical":
        covariances = np.repeat(covariances[:, None], means.shape[1], axis=1)
    return DiagGMM(weights, means, covariances)


def arrays_of(model: AnyGMM, covariance_type: str) -> tuple[Floats, Floats, Floats]:
    """Covariances, precisions and the Cholesky factors of these, as scikit-learn has them.

    A factor U is upper triangular, U U' = precision; for variances it is one over the standard deviation.

    >>> arrays_of(DiagGMM([1.0], [[0.0, 0.0]], [[4.0, 4.0]]), "spherical")
    (array([4.]), array([0.25]), array([0.5]))
    """
    if isinstance(model, FullGMM):
        covariances = model.covariances.copy()
        factors = model.whitened().factors
        precisions: Floats = factors @ factors.swapaxes(1, 2)
        found = (covariances, precisions, factors)
        return found if covariance_type == "full" else (covariances[0], precisions[0], factors[0])
    variances = model.variances[:, 0] if covariance_type == "spherical" else model.variances
    return variances.copy(), 1 / variances, np.sqrt(1 / variances)


def type_of(model: AnyGMM) -> str:
    """The ``covariance_type`` of a mixture: "diag", or by its covariances "full" or "tied".

    >>> type_of(DiagGMM([1.0], [[0.0]], [[1.0]]))
    'diag'
    """
    if isinstance(model, FullGMM):
        return "tied" if model.is_tied else "full"
    return "diag"


def covariances_of(precisions: Floats, covariance_type: str) -> Floats:
    """Covariances of precisions, in the shape that these have.

    Raises:
        ValueError: A matrix that is not symmetric and positive definite, or a number that is not above 0.

    >>> covariances_of(np.array([4.0]), "spherical")
    array([0.25])
    """
    if covariance_type not in MATRICES:
        if (precisions <= 0).any():
            raise ValueError(f"precisions_init has the value {precisions.min():g}; expected all above 0")
        return np.asarray(1 / precisions)
    if not np.allclose(precisions, precisions.swapaxes(-1, -2)) or (np.linalg.eigvalsh(precisions) <= 0).any():
        raise ValueError("precisions_init is not symmetric and positive definite; expected matrices that are")
    found = np.linalg.inv(precisions)
    return np.asarray(0.5 * (found + found.swapaxes(-1, -2)))


def check_type(model: AnyGMM, covariance_type: str) -> None:
    """Raise ValueError for a mixture whose covariances have another form than ``covariance_type`` says."""
    fits: dict[str, Any] = {
        "full": lambda one: isinstance(one, FullGMM) and len(one.covariances) == one.n_components,
        "tied": lambda one: isinstance(one, FullGMM) and len(one.covariances) == 1,
        "diag": lambda one: isinstance(one, DiagGMM),
        "spherical": lambda one: isinstance(one, DiagGMM) and not np.ptp(one.variances, axis=1).any(),
    }
    if not fits[covariance_type](model):
        raise ValueError(f"covariance_type is {covariance_type!r}, and the mixture is {model!r}; leave it out")
