"""Training one mixture per class.

Owns what classes share (variance floor, background model) and what each has of its own (random generator, the
name in an error). Refuses to know how a mixture is fitted.
"""

import warnings
from collections.abc import Iterable, Mapping
from functools import partial

import numpy as np
from numpy.typing import ArrayLike, NDArray

from speechgmm.errors import DataError, FitError, FitWarning, ShapeError
from speechgmm.gmm.component_count import NAMED, few_frames
from speechgmm.gmm.em import Fit
from speechgmm.gmm.fit import adapt_map, class_rng, fit_mixture
from speechgmm.gmm.frames import Mapper, as_source, check_frames, moments
from speechgmm.gmm.model import DiagGMM
from speechgmm.gmm.options import MAX_ITER, TOL, VARIANCE_FLOOR, Dead, EMOptions, PrecisionChoice, Start
from speechgmm.gmm.prior import Parameter
from speechgmm.parallel import one_blas_thread
from speechgmm.tasks.classification.models import ClassModels

Floats = NDArray[np.float64]


def train_classes(
    frames_by_label: Mapping[str, ArrayLike],
    n_components: int | None = None,
    *,
    seed: int = 0,
    init: Start = "kmeans++",
    n_init: int | None = None,
    max_iter: int = MAX_ITER,
    tol: float = TOL,
    variance_floor: float = VARIANCE_FLOOR,
    dead_components: Dead = "keep",
    precision: PrecisionChoice = "auto",
    map: Mapper = map,
) -> ClassModels:
    """One mixture per class from its frames (N_c, D), by maximum likelihood, with uniform priors.

    ``n_components`` of every class; None: as many as its frames can estimate (``components_for``: 32, and for a class
    of fewer than 800 frames one for each 25 of them). The variance floor is a share of the variance of all classes'
    frames together, so that all share one. Every class has its own random generator from seed and label. The other
    options are as in ``fit_gmm``. ``map`` runs over classes and must keep order.

    Raises:
        DataError: No classes.
        ShapeError, FitError: See ``fit_gmm``; the message names the class.

    Warns:
        FitWarning: Classes with few frames for their components, or as ``fit_gmm``; once for all of them.

    >>> rng = np.random.default_rng(0)
    >>> frames = {"low": rng.normal(size=(99, 2)), "high": rng.normal(size=(99, 2)) + 5}
    >>> train_classes(frames, n_components=2).classify([[5.0, 4.0]])
    'high'
    """
    options = EMOptions(
        init=init,
        n_init=n_init,
        max_iter=max_iter,
        tol=tol,
        floor=variance_floor * _pooled_variance(frames_by_label),
        dead_components=dead_components,
        precision=precision,
    )
    train = partial(_train_class, n_components=n_components, options=options, seed=seed)
    with one_blas_thread():  # once for all classes
        fits = list(map(train, frames_by_label.items()))
    models = _uniform(frames_by_label, fits, None)
    counts = {label: len(np.asarray(frames)) for label, frames in frames_by_label.items()}
    notes = [f"class {label!r}: {note}" for label, fit in zip(counts, fits, strict=True) for note in fit.notes]
    notes[NAMED:] = [f"... and {len(notes) - NAMED} more"] * (len(notes) > NAMED)
    for warning in (few_frames(counts, n_components), "\n".join(notes)):
        if warning:
            warnings.warn(warning, FitWarning, stacklevel=2)
    return models


def adapt_classes(
    ubm: DiagGMM,
    frames_by_label: Mapping[str, ArrayLike],
    relevance: float = 16.0,
    *,
    parameters: tuple[Parameter, ...] = ("means",),
    max_iter: int = 1,
    tol: float = 1e-4,
    floor: ArrayLike = 0.0,
    precision: PrecisionChoice = "auto",
    map: Mapper = map,
) -> ClassModels:
    """One mixture per class, adapted by MAP from a background model that the result carries along.

    See ``adapt_map`` for the options. ``map`` runs over classes and must keep order.

    Raises:
        DataError: No classes.
        ShapeError, FitError: See ``adapt_map``; the message names the class.

    >>> ubm = DiagGMM(np.ones(1), np.zeros((1, 1)), np.ones((1, 1)))
    >>> adapt_classes(ubm, {"a": [[-1.0]], "b": [[1.0]]}).classify([[0.5]])
    'b'
    """
    adapt = partial(
        _adapt_class,
        ubm=ubm,
        relevance=relevance,
        parameters=parameters,
        max_iter=max_iter,
        tol=tol,
        floor=floor,
        precision=precision,
    )
    return _uniform(frames_by_label, map(adapt, frames_by_label.items()), ubm)


def _train_class(item: tuple[str, ArrayLike], *, n_components: int | None, options: EMOptions, seed: int) -> Fit:
    label, frames = item
    try:
        return fit_mixture(as_source(frames), n_components, options, seed=class_rng(seed, label))
    except (FitError, ShapeError) as error:
        raise type(error)(f"class {label!r}: {error}") from None


def _adapt_class(
    item: tuple[str, ArrayLike],
    *,
    ubm: DiagGMM,
    relevance: float,
    parameters: tuple[Parameter, ...],
    max_iter: int,
    tol: float,
    floor: ArrayLike,
    precision: PrecisionChoice,
) -> Fit:
    label, frames = item
    try:
        return adapt_map(
            ubm,
            frames,
            relevance,
            parameters=parameters,
            max_iter=max_iter,
            tol=tol,
            floor=floor,
            precision=precision,
        )
    except (FitError, ShapeError) as error:
        raise type(error)(f"class {label!r}: {error}") from None


def _uniform(frames_by_label: Mapping[str, ArrayLike], fits: Iterable[Fit], ubm: DiagGMM | None) -> ClassModels:
    labels = tuple(frames_by_label)
    if not labels:
        raise DataError("no classes; expected at least one label with frames")
    models = tuple(fit.model for fit in fits)
    return ClassModels(labels, models, np.full(len(labels), -np.log(len(labels))), ubm=ubm)


def _pooled_variance(frames_by_label: Mapping[str, ArrayLike]) -> Floats:
    """The variance (D,) of all classes' frames together, from each class's own moments."""
    counts: list[int] = []
    means: list[Floats] = []
    variances: list[Floats] = []
    for label, frames in frames_by_label.items():
        try:
            values, _ = check_frames(frames)
        except (FitError, ShapeError) as error:
            raise type(error)(f"class {label!r}: {error}") from None
        mean, variance = moments(values)
        if means and mean.shape != means[0].shape:
            raise ShapeError(
                f"class {label!r}: frames of {len(mean)} dimensions, and those before have {len(means[0])}"
            )
        counts.append(len(values))
        means.append(mean)
        variances.append(variance)
    if not counts:
        raise DataError("no classes; expected at least one label with frames")
    shares = np.array(counts) / sum(counts)
    centre = shares @ np.array(means)
    pooled: Floats = shares @ (np.array(variances) + (np.array(means) - centre) ** 2)
    return pooled
