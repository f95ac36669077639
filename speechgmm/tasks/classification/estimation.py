"""Training one mixture per class.

Owns what classes share (variance floor, background model) and what belongs to each (random generator, the name in an
error). Refuses to know how a mixture is fitted.
"""

import builtins
import warnings
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TypedDict, Unpack

import numpy as np
from numpy.typing import ArrayLike, NDArray

from speechgmm.errors import DataError, FitError, FitWarning, ShapeError
from speechgmm.gmm.adaptation import adapt_map
from speechgmm.gmm.compiled import warm_up
from speechgmm.gmm.component_count import NAMED, few_frames, frames_each
from speechgmm.gmm.concurrency import (
    ALL_CORES,
    WORTH_THREADS,
    asked_workers,
    batch_mapper,
    suited_backend,
    work_of,
)
from speechgmm.gmm.em import Fit
from speechgmm.gmm.families import Covariance
from speechgmm.gmm.fit import class_rng, fit_mixture
from speechgmm.gmm.frames import Mapper, as_source, check_frames, moments
from speechgmm.gmm.model import DiagGMM
from speechgmm.gmm.options import MAX_ITER, VARIANCE_FLOOR, Dead, EMOptions, PrecisionChoice, Start
from speechgmm.gmm.prior import Parameter
from speechgmm.keywords import own_keywords
from speechgmm.parallel import one_blas_thread, pmap
from speechgmm.tasks.classification.models import ClassModels

Floats = NDArray[np.float64]


class ClassOptions(TypedDict, total=False):
    """Options of every class's fit, with the defaults of ``fit_gmm``."""

    covariance: Covariance
    init: Start
    n_init: int | None
    tol: float
    dead_components: Dead
    precision: PrecisionChoice


@own_keywords
def train_classes(
    frames_by_label: Mapping[str, ArrayLike],
    n_components: int | None = None,
    *,
    seed: int = 0,
    max_iter: int = MAX_ITER,
    variance_floor: float = VARIANCE_FLOOR,
    n_jobs: int = ALL_CORES,
    map: Mapper | None = None,
    **options: Unpack[ClassOptions],
) -> ClassModels:
    """Train one mixture per class by maximum likelihood, with uniform class priors.

    The random generator of each class depends on ``seed`` and the label only.

    Parameters
    ----------
    frames_by_label : mapping of str to array_like (N_c, D)
        The frames of each class.
    n_components : int, optional
        Components of every class; default: 32, and one for each 25 frames for a class of fewer than 800 frames
        (``components_for``).
    variance_floor : float, default 0.01
        The least variance in each dimension, as a share of the variance of all frames of all classes.
    seed, max_iter, covariance, init, n_init, tol, dead_components, precision
        As in ``fit_gmm``. With covariance "tied", all components of one class share a covariance.
    n_jobs : int, default -1
        The largest number of workers that train classes in parallel. It does not change the result. -1 is one worker
        per core, -2 is one fewer. A negative number means one worker within a worker process and within any thread
        but the main one. Workers are threads, or processes where there are many small classes. With fewer classes
        than workers, classes are trained one after another, and threads share the frames of a class. Training that
        takes only milliseconds uses one worker.
    map : callable, optional
        Called like the built-in ``map`` on the classes, for example to train them in parallel; it replaces
        ``n_jobs``. It must return results in the order of the classes.

    Returns
    -------
    ClassModels

    Raises
    ------
    DataError
        There are no classes.
    ShapeError, FitError
        ``fit_gmm`` refuses the frames of a class; the message names the class.
    ConfigError
        An option is out of range, or both ``n_jobs`` and ``map`` are given.

    Warns
    -----
    FitWarning
        Classes have few frames for their components, or ``fit_gmm`` warns of classes; one warning names them all.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> frames = {"low": rng.normal(size=(99, 2)), "high": rng.normal(size=(99, 2)) + 5}
    >>> train_classes(frames, n_components=2).classify([[5.0, 4.0]])
    'high'
    """
    floor = variance_floor * _pooled_variance(frames_by_label)
    shared = EMOptions(max_iter=max_iter, floor=floor, **options)
    train = partial(_train_class, n_components=n_components, options=shared, seed=seed)
    fits = _each(train, frames_by_label, n_components, n_jobs, map, max_iter)
    models = _uniform(frames_by_label, fits, None)
    counts = {label: len(np.asarray(frames)) for label, frames in frames_by_label.items()}
    notes = [f"class {label!r}: {note}" for label, fit in zip(counts, fits, strict=True) for note in fit.notes]
    notes[NAMED:] = [f"... and {len(notes) - NAMED} more"] * (len(notes) > NAMED)
    n_features = models.models[0].n_features
    few = few_frames(counts, n_components, each=frames_each(shared.covariance, n_features))
    for warning in (few, "\n".join(notes)):
        if warning:
            warnings.warn(warning, FitWarning, stacklevel=3)
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
    n_jobs: int = ALL_CORES,
    map: Mapper | None = None,
) -> ClassModels:
    """Adapt one mixture per class by MAP from a background model. The result contains the background model.

    Parameters
    ----------
    ubm : DiagGMM
        The background model, of D dimensions.
    frames_by_label : mapping of str to array_like (N_c, D)
        The frames of each class.
    relevance, parameters, max_iter, tol, floor, precision
        As in ``adapt_map``.
    n_jobs, map
        As in ``train_classes``; they do not change the result.

    Returns
    -------
    ClassModels

    Raises
    ------
    DataError
        There are no classes.
    ShapeError, FitError
        ``adapt_map`` refuses the frames of a class; the message names the class.
    ConfigError
        An option is out of range, or both ``n_jobs`` and ``map`` are given.

    Examples
    --------
    >>> ubm = DiagGMM(np.ones(1), np.zeros((1, 1)), np.ones((1, 1)))
    >>> adapt_classes(ubm, {"a": [[-1.0]], "b": [[1.0]]}).classify([[0.5]])
    'b'
    """
    adapt = partial(
        adapt_map,
        ubm,
        relevance=relevance,
        parameters=parameters,
        max_iter=max_iter,
        tol=tol,
        floor=floor,
        precision=precision,
    )
    fits = _each(partial(_adapt_class, adapt=adapt), frames_by_label, ubm.n_components, n_jobs, map, max_iter)
    return _uniform(frames_by_label, fits, ubm)


def _each(
    fit: Callable[..., Fit],
    frames_by_label: Mapping[str, ArrayLike],
    n_components: int | None,
    n_jobs: int,
    map: Mapper | None,
    max_iter: int,
) -> list[Fit]:
    """One fit per class, side by side where it is worth it; ``fit`` takes ``n_jobs`` for itself."""
    classes = list(frames_by_label.items())
    sizes = [_size(frames) for _, frames in classes]
    products = [work_of(*size, n_components) for size in sizes]
    worth = sum(products) >= WORTH_THREADS
    n_workers = asked_workers(n_jobs, map, n_tasks=sum(n for n, _ in sizes) if worth else 1)
    with one_blas_thread():  # once for all classes
        if map is not None or n_workers == 1:
            return list((builtins.map if map is None else map)(partial(fit, n_jobs=1), classes))
        if len(classes) < n_workers:
            return [fit(one, n_jobs=n_workers) for one in classes]
    backend = suited_backend(products, max_iter, n_workers)
    if backend == "processes":
        warm_up("float32")  # workers find it compiled
    return list(pmap(partial(fit, n_jobs=1), classes, n_jobs=n_workers, backend=backend))


def _size(frames: ArrayLike) -> tuple[int, int]:
    """Frames and dimensions; none of what cannot be trained on, which the fit refuses."""
    try:
        source = as_source(frames)
    except (FitError, ShapeError):
        return 0, 0
    return len(source), source.n_features


def _train_class(
    item: tuple[str, ArrayLike], *, n_components: int | None, options: EMOptions, seed: int, n_jobs: int
) -> Fit:
    label, frames = item
    try:
        source = as_source(frames)
        with batch_mapper(n_jobs, None, source, n_components) as spread:
            return fit_mixture(source, n_components, options, seed=class_rng(seed, label), map=spread)
    except (FitError, ShapeError) as error:
        raise type(error)(f"class {label!r}: {error}") from None


def _adapt_class(item: tuple[str, ArrayLike], *, adapt: Callable[..., Fit], n_jobs: int) -> Fit:
    label, frames = item
    try:
        return adapt(frames, n_jobs=n_jobs)
    except (FitError, ShapeError) as error:
        raise type(error)(f"class {label!r}: {error}") from None


def _uniform(frames_by_label: Mapping[str, ArrayLike], fits: Sequence[Fit], ubm: DiagGMM | None) -> ClassModels:
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
            values = check_frames(frames)
        except (FitError, ShapeError) as error:
            raise type(error)(f"class {label!r}: {error}") from None
        mean, variance = moments(values)
        if means and mean.shape != means[0].shape:
            raise ShapeError(
                f"class {label!r}: frames of {len(mean)} dimensions; expected {len(means[0])}, as the first class has"
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
