"""Frames in, a fitted mixture out: maximum likelihood and MAP adaptation.

Owns the checks of frames, the variance floor, the choice of precision and the random generator. Refuses to
know what the frames are of: who calls adds the class's name to an error.
"""

from collections.abc import Sequence
from dataclasses import replace
from hashlib import blake2b
from typing import Final, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from speechgmm.blas import one_blas_thread
from speechgmm.errors import ConfigError, FitError, ShapeError
from speechgmm.gmm.active import BLOCK, arranged
from speechgmm.gmm.em import Dead, Fit, fit_em
from speechgmm.gmm.frames import FrameSource, Mapper, as_source, check_finite, moments
from speechgmm.gmm.gradient import fit_gradient
from speechgmm.gmm.init import Start, initial_model
from speechgmm.gmm.layout import Batch, BatchReference, Precision, batches, block_size, hold
from speechgmm.gmm.model import DiagGMM
from speechgmm.gmm.prior import MIN_COUNT, ConjugatePrior, Parameter

Floats = NDArray[np.float64]
PrecisionChoice = Literal["auto", "float32", "float64"]
EStep = Literal["auto", "dense", "sparse"]
Climb = Literal["em", "gradient"]

SPARSE_FROM: Final = 512
"""Components from which on a sparse E-step is faster than a dense one, by 1.3 times and more."""

LEAST_IN_FLOAT32: Final = 1e-3
"""Component variances below this share of the data's lose digits in float32 (5e-3 of a variance at 1e-4)."""


@one_blas_thread()
def fit_gmm(
    frames: ArrayLike | FrameSource,
    n_components: int = 32,
    *,
    seed: int | np.random.Generator = 0,
    start: DiagGMM | None = None,
    weights: ArrayLike | None = None,
    init: Start = "split",
    max_iter: int = 20,
    tol: float = 1e-4,
    variance_floor: float = 0.01,
    floor: ArrayLike | None = None,
    dead_components: Dead = "keep",
    precision: PrecisionChoice = "auto",
    e_step: EStep = "auto",
    overrelaxed: bool = True,
    estimator: Climb = "em",
    gradient_after: int = 10,
    memory: int | None = None,
    map: Mapper = map,
) -> Fit:
    """Fit a mixture to frames (N, D) by maximum likelihood.

    The frames need not be speech: any rows of real numbers will do, lists, integers and tables of numbers too. Where
    they fall into a few clusters well apart, start with ``init="kmeans++"``: two halves of a split that lie close by
    need many iterations to part, sometimes more than 20, and "split" is made for many components that overlap.
    EM begins with ``start`` where it is given, else with what ``init`` makes of the frames.
    ``weights`` (N,) count frames (scikit-learn's sample weights). Variances are held above ``variance_floor`` times the
    frames' own variance, or above ``floor`` ((D,) or a number, in squared units of the frames) where it is given:
    classes that will be compared should share one. ``tol`` is in nats per frame. ``precision`` "auto" is float64 where
    the floor is below 1e-3 of the frames' variance, else float32. ``map`` runs over batches of frames and must keep
    order.

    ``overrelaxed`` updates take half as many iterations as EM's own to the same likelihood, or fewer (see ``fit_em``).
    ``e_step`` "sparse" leaves out, in most passes, the components that hardly matter to a frame (see ``fit_em``);
    "auto" does so from ``SPARSE_FROM`` components on, where it is faster and moves no variance by 1e-3. Frames with
    weights are always given to all components.

    ``estimator`` "gradient" goes on by L-BFGS after ``gradient_after`` iterations of EM, in float64 and with a floor
    above 0 (see ``fit_gradient``); ``max_iter`` counts the passes of both.

    Frames may be a ``FrameSource``, which is read as it is needed: some passes before EM, and in every
    iteration what does not fit into ``memory`` bytes once it is laid out (None: all fits). Both change the
    time and no byte of the model.

    Raises:
        ShapeError: Frames that are not (N, D), weights or a floor that do not fit them. FitError: No frames;
        NaN; fewer distinct frames than components; a dimension that is the same in every frame
            and has no floor.
        ConfigError: An option out of range; gradients in float32 or without a floor.

    >>> frames = np.random.default_rng(0).normal(size=(200, 2))
    >>> fit = fit_gmm(frames, n_components=2, seed=0)
    >>> fit.model, fit.precision
    (DiagGMM(n_components=2, n_features=2), 'float32')
    """
    source = as_source(frames, weights)
    check_memory(memory)
    if not isinstance(n_components, (int, np.integer)) or isinstance(n_components, bool):
        raise ConfigError(f"n_components {n_components!r}; expected a whole number, 1 or more")
    if n_components < 1:
        raise ConfigError(f"{n_components} components; expected at least 1")
    if e_step not in ("auto", "dense", "sparse"):
        raise ConfigError(f"e_step {e_step!r}; expected auto, dense or sparse")
    if estimator not in ("em", "gradient") or gradient_after < 0:
        raise ConfigError(f"estimator {estimator!r} after {gradient_after}; expected em or gradient, and 0 or more")
    if not (np.isfinite(variance_floor) and variance_floor >= 0):
        raise ConfigError(f"variance_floor {variance_floor:g}; expected a share of the variance, 0 or more")
    mean, variance = moments(source, map=map)
    if not np.isfinite(variance).all():
        d = int(np.flatnonzero(~np.isfinite(variance))[0])
        raise FitError(f"the variance of dimension {d} is not finite: a frame lies too far out; look for outliers")
    least = variance_floor * variance if floor is None else absolute_floor(floor, source.n_features)
    constant = np.flatnonzero((variance == 0) & (least == 0))
    if len(constant):
        d = int(constant[0])
        raise FitError(
            f"dimension {d} is {mean[d]:g} in all {len(source)} frames, so its variance is 0; drop the "
            "dimension, give more varied frames, or give an absolute floor (floor=)"
        )
    share = least[variance > 0] / variance[variance > 0]
    chosen = resolve_precision(precision, float(share.min()) if len(share) else 1.0)
    if estimator == "gradient" and precision == "auto":
        chosen = "float64"
    if start is None:
        rng = np.random.default_rng(seed)
        start = initial_model(source, n_components, method=init, rng=rng, floor=least, precision=chosen, map=map)
    elif start.means.shape != (n_components, source.n_features):
        raise ShapeError(
            f"a start of shape {start.means.shape} for {n_components} components of {source.n_features} dimensions"
        )
    sparse = e_step == "sparse" or (e_step == "auto" and n_components >= SPARSE_FROM and max_iter > 2)
    sparse = sparse and source.weights is None and estimator == "em"
    size = BLOCK if sparse else block_size(len(source), source.n_features, n_components)
    # The deviation decides the accuracy in float32, the floor only where there is no deviation.
    scale = np.sqrt(np.where(variance > 0, variance, least))
    references = batches(source, mean, scale, chosen, size)
    if sparse:
        references = arranged(references, start, map=map)
    held = hold(references, memory)
    fit = fit_em(
        start,
        held,
        ConjugatePrior.flat(n_components, source.n_features),
        max_iter=max_iter if estimator == "em" else min(gradient_after, max_iter),
        tol=tol,
        floor=least,
        dead=dead_components,
        min_count=_min_count(source),
        sparse=sparse,
        overrelaxed=overrelaxed,
        map=map,
    )
    if estimator == "em" or len(fit.trace) > max_iter:
        return fit
    end = fit_gradient(
        fit.model,
        held,
        max_passes=max_iter + 2 - len(fit.trace),
        tol=tol,
        floor=least,
        min_count=_min_count(source),
        map=map,
    )
    return replace(end, trace=fit.trace + end.trace[1:])


@one_blas_thread()
def adapt_map(
    ubm: DiagGMM,
    frames: ArrayLike | FrameSource,
    relevance: float = 16.0,
    *,
    parameters: tuple[Parameter, ...] = ("means",),
    weights: ArrayLike | None = None,
    weight_relevance: float | None = None,
    mean_relevance: float | None = None,
    variance_relevance: float | None = None,
    max_iter: int = 1,
    tol: float = 1e-4,
    floor: ArrayLike = 0.0,
    precision: PrecisionChoice = "auto",
    memory: int | None = None,
    map: Mapper = map,
) -> Fit:
    """Adapt a background model to frames (N, D) by MAP (Reynolds, Quatieri & Dunn 2000, eqs. 12-13).

    ``relevance`` is what the background model is worth in each component, in frames: 0 gives maximum
    likelihood, infinity the background model. ``mean_relevance`` and ``variance_relevance`` take its place for their
    parameter, ``weight_relevance`` for the weights, in frames for the whole mixture. ``parameters`` are adapted, the
    rest stay. The weights are the Dirichlet mode, not eq. 11 (see ``ConjugatePrior.around``). ``max_iter`` 1 is the
    paper's single pass, which is not asked to converge; more climb to the mode. Even a single frame will do.
    ``frames``, ``memory`` and ``map`` are as in ``fit_gmm``.

    Raises:
        ShapeError: Frames that are not (N, D) with the background model's D.
        FitError: No frames; NaN; a negative relevance; relevance 0 with variances that shrink to a point.
        ConfigError: An option out of range.

    >>> ubm = DiagGMM([1.0], [[0.0]], [[1.0]])
    >>> adapt_map(ubm, np.full((16, 1), 2.0), relevance=16).model.means.round(6)
    array([[1.]])
    """
    source = as_source(frames, weights)
    check_memory(memory)
    if source.n_features != ubm.n_features:
        raise ShapeError(f"frames of {source.n_features} dimensions for a background model of {ubm.n_features}")
    check_finite(source, map=map)
    least = absolute_floor(floor, ubm.n_features)
    return fit_em(
        ubm,
        batches_around(ubm, source, precision, memory),
        ConjugatePrior.around(
            ubm,
            relevance,
            weight_relevance,
            mean_relevance=mean_relevance,
            variance_relevance=variance_relevance,
        ),
        max_iter=max_iter,
        tol=tol,
        floor=least,
        update=parameters,
        min_count=_min_count(source),
        map=map,
    )


def batches_around(
    model: DiagGMM, source: FrameSource, precision: PrecisionChoice, memory: int | None
) -> Sequence[Batch | BatchReference]:
    """Batches centred and scaled by a model: three frames of enrolment have no deviation to speak of."""
    centre = model.weights @ model.means
    overall = model.weights @ (model.variances + (model.means - centre) ** 2)
    chosen = resolve_precision(precision, float((model.variances / overall).min()))
    size = block_size(len(source), model.n_features, model.n_components)
    return hold(batches(source, centre, np.sqrt(overall), chosen, size), memory)


def check_memory(memory: int | None) -> None:
    """Refuse what is no number of bytes."""
    if memory is not None and (not isinstance(memory, int) or memory < 0):
        raise ConfigError(f"memory {memory!r}; expected a number of bytes, 0 or more, or None for no limit")


def class_rng(seed: int, label: str) -> np.random.Generator:
    """The random generator of one class: its own, and the same in every process.

    >>> class_rng(0, "bob").integers(100) == class_rng(0, "bob").integers(100)
    np.True_
    """
    digest = blake2b(f"{seed}\n{label}".encode(), digest_size=16).digest()
    return np.random.default_rng(int.from_bytes(digest, "little"))


def resolve_precision(precision: PrecisionChoice, least_share: float) -> Precision:
    """The precision that was asked for; auto: by the least variance of a component as a share of the data's.

    >>> resolve_precision("auto", 0.01), resolve_precision("auto", 1e-4)
    ('float32', 'float64')
    """
    if precision == "auto":
        # A floor of 1e-3 comes back as 0.000999... once it has been multiplied by a variance and divided
        # again.
        return "float64" if least_share < LEAST_IN_FLOAT32 * (1 - 1e-9) else "float32"
    if precision in ("float32", "float64"):
        return precision
    raise ConfigError(f"precision {precision!r}; expected auto, float32 or float64")


def _min_count(source: FrameSource) -> float:
    """MIN_COUNT of average frames: weights that sum to one are frames too."""
    return MIN_COUNT if source.weights is None else MIN_COUNT * float(source.weights.sum()) / len(source)


def absolute_floor(floor: ArrayLike, n_features: int) -> Floats:
    """Least variances (D,), from as many or one number.

    Raises:
        ShapeError: Another shape.
        FitError: A variance that is negative or not finite.

    >>> absolute_floor(0.5, 2)
    array([0.5, 0.5])
    """
    least = np.asarray(floor, dtype=np.float64)
    if least.shape not in ((), (n_features,)):
        raise ShapeError(f"variance floor of shape {least.shape} for {n_features} dimensions; expected ({n_features},)")
    if not np.isfinite(least).all() or (least < 0).any():
        raise FitError(f"variance floor {least.min():g}; expected finite variances, 0 or more")
    return np.broadcast_to(least, (n_features,)).copy()
