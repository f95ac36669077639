"""Frames in, a fitted mixture out: maximum likelihood and MAP adaptation.

Owns the checks of frames, the variance floor, the choice of precision and the random generator. Refuses to
know what the frames are of: who calls adds the class's name to an error.
"""

from hashlib import blake2b
from typing import Final, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from speechgmm.errors import ConfigError, FitError, ShapeError
from speechgmm.gmm.em import Dead, Fit, Mapper, fit_em
from speechgmm.gmm.frames import Frames, check_frames, moments
from speechgmm.gmm.init import Start, initial_model
from speechgmm.gmm.layout import Precision, block_size, prepare
from speechgmm.gmm.model import DiagGMM
from speechgmm.gmm.prior import MIN_COUNT, ConjugatePrior, Parameter

Floats = NDArray[np.float64]
PrecisionChoice = Literal["auto", "float32", "float64"]

LEAST_IN_FLOAT32: Final = 1e-3
"""Component variances below this share of the data's lose digits in float32 (5e-3 of a variance at 1e-4)."""


def fit_gmm(
    frames: ArrayLike,
    n_components: int = 32,
    *,
    seed: int | np.random.Generator = 0,
    weights: ArrayLike | None = None,
    init: Start = "split",
    max_iter: int = 20,
    tol: float = 1e-4,
    variance_floor: float = 0.01,
    floor: ArrayLike | None = None,
    dead_components: Dead = "keep",
    precision: PrecisionChoice = "auto",
    map: Mapper = map,
) -> Fit:
    """Fit a mixture to frames (N, D) by maximum likelihood.

    ``weights`` (N,) count frames. Variances are held above ``variance_floor`` times the frames' own variance,
    or above ``floor`` ((D,) or a number, in squared units of the frames) where it is given: classes that will
    be compared should share one. ``tol`` is in nats per frame. ``precision`` "auto" is float64 where the
    floor is below 1e-3 of the frames' variance, else float32. ``map`` runs over batches of frames and must
    keep order.

    Raises:
        ShapeError: Frames that are not (N, D), weights or a floor that do not fit them. FitError: No frames;
        NaN; fewer distinct frames than components; a dimension that is the same in every frame
            and has no floor.
        ConfigError: An option out of range.

    >>> frames = np.random.default_rng(0).normal(size=(200, 2))
    >>> fit = fit_gmm(frames, n_components=2, seed=0)
    >>> fit.model, fit.precision
    (DiagGMM(n_components=2, n_features=2), 'float32')
    """
    values, shares = check_frames(frames, weights)
    if n_components < 1:
        raise ConfigError(f"{n_components} components; expected at least 1")
    if not (np.isfinite(variance_floor) and variance_floor >= 0):
        raise ConfigError(f"variance_floor {variance_floor:g}; expected a share of the variance, 0 or more")
    mean, variance = moments(values, shares)
    least = variance_floor * variance if floor is None else _absolute_floor(floor, values.shape[1])
    constant = np.flatnonzero((variance == 0) & (least == 0))
    if len(constant):
        d = int(constant[0])
        raise FitError(
            f"dimension {d} is {mean[d]:g} in all {len(values)} frames, so its variance is 0; drop the "
            "dimension, give more varied audio, or give an absolute floor"
        )
    share = least[variance > 0] / variance[variance > 0]
    chosen = _resolve(precision, float(share.min()) if len(share) else 1.0)
    rng = np.random.default_rng(seed)
    start = initial_model(values, n_components, method=init, rng=rng, floor=least, weights=shares, precision=chosen)
    size = block_size(len(values), values.shape[1], n_components)
    # The deviation decides the accuracy in float32, the floor only where there is no deviation.
    scale = np.sqrt(np.where(variance > 0, variance, least))
    batches = prepare(values, centre=mean, scale=scale, weights=shares, precision=chosen, block=size)
    return fit_em(
        start,
        batches,
        ConjugatePrior.flat(n_components, values.shape[1]),
        max_iter=max_iter,
        tol=tol,
        floor=least,
        dead=dead_components,
        min_count=_min_count(values, shares),
        map=map,
    )


def adapt_map(
    ubm: DiagGMM,
    frames: ArrayLike,
    relevance: float = 16.0,
    *,
    parameters: tuple[Parameter, ...] = ("means",),
    weights: ArrayLike | None = None,
    weight_relevance: float | None = None,
    max_iter: int = 1,
    tol: float = 1e-4,
    floor: ArrayLike = 0.0,
    precision: PrecisionChoice = "auto",
    map: Mapper = map,
) -> Fit:
    """Adapt a background model to frames (N, D) by MAP (Reynolds, Quatieri & Dunn 2000, eqs. 12-13).

    ``relevance`` is what the background model is worth in each component, in frames: 0 gives maximum
    likelihood, infinity the background model. ``parameters`` are adapted, the rest stay. The weights are the
    Dirichlet mode, not eq. 11 (see ``ConjugatePrior.around``). ``max_iter`` 1 is the paper's single pass,
    which is not asked to converge; more climb to the mode. Even a single frame will do.

    Raises:
        ShapeError: Frames that are not (N, D) with the background model's D.
        FitError: No frames; NaN; a negative relevance; relevance 0 with variances that shrink to a point.
        ConfigError: An option out of range.

    >>> ubm = DiagGMM([1.0], [[0.0]], [[1.0]])
    >>> adapt_map(ubm, np.full((16, 1), 2.0), relevance=16).model.means.round(6)
    array([[1.]])
    """
    values, shares = check_frames(frames, weights)
    if values.shape[1] != ubm.n_features:
        raise ShapeError(f"frames of {values.shape[1]} dimensions for a background model of {ubm.n_features}")
    least = _absolute_floor(floor, ubm.n_features)
    # Centre and scale are the background model's: three frames of enrolment have no deviation to speak of.
    centre = ubm.weights @ ubm.means
    overall = ubm.weights @ (ubm.variances + (ubm.means - centre) ** 2)
    batches = prepare(
        values,
        centre=centre,
        scale=np.sqrt(overall),
        weights=shares,
        precision=_resolve(precision, float((ubm.variances / overall).min())),
        block=block_size(len(values), ubm.n_features, ubm.n_components),
    )
    return fit_em(
        ubm,
        batches,
        ConjugatePrior.around(ubm, relevance, weight_relevance),
        max_iter=max_iter,
        tol=tol,
        floor=least,
        update=parameters,
        min_count=_min_count(values, shares),
        map=map,
    )


def class_rng(seed: int, label: str) -> np.random.Generator:
    """The random generator of one class: its own, and the same in every process.

    >>> class_rng(0, "bob").integers(100) == class_rng(0, "bob").integers(100)
    np.True_
    """
    digest = blake2b(f"{seed}\n{label}".encode(), digest_size=16).digest()
    return np.random.default_rng(int.from_bytes(digest, "little"))


def _resolve(precision: PrecisionChoice, least_share: float) -> Precision:
    if precision == "auto":
        # A floor of 1e-3 comes back as 0.000999... once it has been multiplied by a variance and divided
        # again.
        return "float64" if least_share < LEAST_IN_FLOAT32 * (1 - 1e-9) else "float32"
    if precision in ("float32", "float64"):
        return precision
    raise ConfigError(f"precision {precision!r}; expected auto, float32 or float64")


def _min_count(frames: Frames, weights: Floats | None) -> float:
    """MIN_COUNT of average frames: weights that sum to one are frames too."""
    return MIN_COUNT if weights is None else MIN_COUNT * float(weights.sum()) / len(frames)


def _absolute_floor(floor: ArrayLike, n_features: int) -> Floats:
    least = np.asarray(floor, dtype=np.float64)
    if least.shape not in ((), (n_features,)):
        raise ShapeError(f"variance floor of shape {least.shape} for {n_features} dimensions; expected ({n_features},)")
    if not np.isfinite(least).all() or (least < 0).any():
        raise FitError(f"variance floor {least.min():g}; expected finite variances, 0 or more")
    return np.broadcast_to(least, (n_features,)).copy()
