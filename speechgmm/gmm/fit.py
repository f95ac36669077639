"""Frames in, a fitted mixture out, by maximum likelihood.

Owns the steps of a fit, and the random generator of a class. Refuses to know what the frames are of: who calls adds the
class's name to an error.
"""

import warnings
from dataclasses import replace
from hashlib import blake2b
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from speechgmm.errors import FitWarning
from speechgmm.gmm.concurrency import ALL_CORES, batch_mapper
from speechgmm.gmm.em import Fit, fit_em
from speechgmm.gmm.families import Covariance
from speechgmm.gmm.fit_notes import few_frames_for, notes_of, outlier_notes
from speechgmm.gmm.frames import FrameSource, Mapper, as_source
from speechgmm.gmm.full_model import FullGMM
from speechgmm.gmm.gradient import fit_gradient
from speechgmm.gmm.model import DiagGMM
from speechgmm.gmm.options import (
    MAX_ITER,
    TOL,
    VARIANCE_FLOOR,
    Climb,
    Dead,
    EMOptions,
    EStep,
    PrecisionChoice,
    Start,
)
from speechgmm.gmm.preparation import prepared
from speechgmm.gmm.prior import MIN_COUNT
from speechgmm.keywords import own_keywords
from speechgmm.parallel import one_blas_thread


@one_blas_thread()
@own_keywords
def fit_gmm(
    frames: ArrayLike | FrameSource,
    n_components: int | None = None,
    *,
    covariance: Covariance = "diag",
    seed: int | np.random.Generator = 0,
    start: DiagGMM | FullGMM | None = None,
    weights: ArrayLike | None = None,
    init: Start = "kmeans++",
    n_init: int | None = None,
    max_iter: int = MAX_ITER,
    tol: float = TOL,
    variance_floor: float = VARIANCE_FLOOR,
    floor: ArrayLike | None = None,
    dead_components: Dead = "keep",
    precision: PrecisionChoice = "auto",
    e_step: EStep = "auto",
    overrelaxed: bool = True,
    estimator: Climb = "em",
    gradient_after: int = 10,
    memory: int | None = None,
    n_jobs: int = ALL_CORES,
    map: Mapper | None = None,
) -> Fit[Any]:
    """Fit a mixture to frames by maximum likelihood (EM: Dempster, Laird & Rubin 1977).

    The frames need not be speech: they may be any rows of real numbers.

    Parameters
    ----------
    frames : array_like (N, D) or FrameSource
        The frames; lists, integers and tables of numbers are accepted too. A ``FrameSource`` is read in some passes
        before EM; in every iteration, the part that does not fit into ``memory`` is read again.
    n_components : int, optional
        Number of components K. Default: that of ``start``; without a start, as many components as the frames of weight
        above 0 can estimate, up to 32 (``components_for``).
    covariance : {"diag", "full", "tied", "spherical"}
        A variance for each dimension; a covariance for each component; one covariance for all components; or one
        variance for each component. "full" and "tied" give a ``FullGMM``, and are computed in float64.
    seed : int or numpy Generator, default 0
        Seed of all random draws.
    start : DiagGMM or FullGMM, optional
        The mixture that EM starts from; its covariances are converted to the form of ``covariance``. Default: the
        likeliest of ``n_init`` starts that ``init`` makes from the frames.
    weights : array_like (N,), optional
        How many frames each one counts as (scikit-learn's sample weights); default 1.
    init, n_init
        Method and number of the starts (``initial_model``). ``n_init`` None: up to 4 where there are few components and
        enough frames.
    max_iter, tol, dead_components
        Iterations at most; the gain in nats per frame below which EM ends; what happens to components with too few
        frames (``fit_em``).
    variance_floor : float, default 0.01
        The least variance of each dimension, as a share of the variance within the components of the start
        (``within_variance``). A share of the variance of all frames would be too high for clusters that lie far apart.
        The variance within the components counts as at least 1e-6 of that of all frames, so that copies of one frame
        have a floor too. A covariance is held above the diagonal matrix of these least variances
        (``covariance_matrices.raised``); a spherical variance is held above their mean.
    floor : float or array_like (D,), optional
        Least variance in squared units of the frames; replaces ``variance_floor``. Classes that will be compared should
        have the same floor.
    precision : {"auto", "float32", "float64"}
        Precision of the products. "auto" is float64 where a variance of the start is below 1e-3 of the variance of the
        frames, and the floor is below that too or is 0; otherwise float32.
    e_step : {"auto", "dense", "sparse"}
        "sparse" leaves out, in most passes, the components that hardly matter to a frame (see ``fit_em``). "auto" is
        "sparse" from ``SPARSE_FROM`` components on: there it is faster and changes every variance by less than 1e-3.
        With ``weights`` the E-step is always dense.
    overrelaxed : bool, default True
        Whether updates go further than the EM step, which at least halves the number of iterations (see ``fit_em``).
    estimator, gradient_after
        "em"; or "gradient", which continues with L-BFGS after ``gradient_after`` iterations of EM (see
        ``fit_gradient``). L-BFGS needs float64 and a floor above 0. ``max_iter`` counts the passes of EM and L-BFGS
        together.
    memory : int, optional
        Bytes in which prepared frames are kept between iterations; default: all are kept. It changes the time, but no
        byte of the model.
    n_jobs : int, default -1
        The largest number of threads that share the frames; every value gives the same bytes. -1 is one per core, -2
        is one fewer. A fit with fewer batches of 8192 frames takes as many threads as batches, and a fit whose passes
        last only milliseconds takes one. A negative number is one thread in a worker process and in any thread but the
        main one, so that the fits of your own pool do not compete for cores.
    map : callable, optional
        Called like the built-in ``map`` on the batches, for example to run them in parallel, in place of ``n_jobs``; it
        must return results in the order of the batches.

    Returns
    -------
    Fit
        The mixture as ``model``; the log-likelihood in nats per frame before and after each update as ``trace``.

    Raises
    ------
    ShapeError
        Frames that are not (N, D); weights that are not (N,); a floor of another shape.
    FitError
        No frames; NaN; fewer distinct frames than components; a dimension that is the same in every frame and has no
        floor.
    ConfigError
        An option out of range, or of another type; gradients in float32 or without a floor; several starts beside
        ``start``; ``n_jobs`` beside ``map``.

    Warns
    -----
    FitWarning
        Few frames for so many components, and each of the fit's ``notes``: one frame that carries over half of a
        dimension's variance, a floor that holds many variances, a ``tol`` below rounding.

    Examples
    --------
    >>> frames = np.random.default_rng(0).normal(size=(200, 2))
    >>> fit = fit_gmm(frames, n_components=2, seed=0)
    >>> fit.model, fit.precision
    (DiagGMM(n_components=2, n_features=2), 'float32')
    """
    options = EMOptions(
        covariance=covariance,
        init=init,
        n_init=n_init,
        max_iter=max_iter,
        tol=tol,
        variance_floor=variance_floor,
        floor=floor,
        dead_components=dead_components,
        precision=precision,
        e_step=e_step,
        overrelaxed=overrelaxed,
        estimator=estimator,
        gradient_after=gradient_after,
        memory=memory,
    )
    source = as_source(frames, weights)
    if n_components is None and isinstance(start, (DiagGMM, FullGMM)):
        n_components = start.n_components
    with batch_mapper(n_jobs, map, source, n_components) as spread:
        fit = fit_mixture(source, n_components, options, seed=seed, start=start, map=spread)
    for note in (*few_frames_for(source, fit, n_components, covariance), *fit.notes):
        warnings.warn(note, FitWarning, stacklevel=4)
    return fit


@one_blas_thread()
def fit_mixture(
    source: FrameSource,
    n_components: int | None,
    options: EMOptions,
    *,
    seed: int | np.random.Generator = 0,
    start: DiagGMM | FullGMM | None = None,
    map: Mapper = map,
) -> Fit[Any]:
    """``fit_gmm`` with its options as one value, and what there is to say in the fit's ``notes``: no warning.

    Raises:
        ShapeError, FitError, ConfigError: As ``fit_gmm``.

    >>> source = as_source(np.random.default_rng(0).normal(size=(99, 1)))
    >>> fit_mixture(source, 2, EMOptions(floor=9)).notes
    ('the floor holds 100% of the variances, ...',)
    """
    ready = prepared(source, n_components, options, seed=seed, start=start, map=map)
    fit = fit_em(
        ready.start,
        ready.batches,
        ready.prior,
        max_iter=options.max_iter if options.estimator == "em" else min(options.gradient_after, options.max_iter),
        tol=options.tol,
        floor=ready.floor,
        dead=options.dead_components,
        min_count=least_count(source),
        sparse=ready.sparse,
        overrelaxed=options.overrelaxed,
        map=map,
    )
    if options.estimator == "gradient" and len(fit.trace) <= options.max_iter:
        end = fit_gradient(
            fit.model,
            ready.batches,
            max_passes=options.max_iter + 2 - len(fit.trace),
            tol=options.tol,
            floor=ready.floor,
            min_count=least_count(source),
            map=map,
        )
        fit = replace(end, trace=fit.trace + end.trace[1:])
    notes = (*outlier_notes(len(source), ready.variance, ready.peaks), *notes_of(fit, options, ready.floor))
    return replace(fit, notes=notes)


def class_rng(seed: int, label: str) -> np.random.Generator:
    """The random generator of a class, made from ``seed`` and ``label``; it is the same in every process.

    >>> class_rng(0, "bob").integers(100) == class_rng(0, "bob").integers(100)
    np.True_
    """
    digest = blake2b(f"{seed}\n{label}".encode(), digest_size=16).digest()
    return np.random.default_rng(int.from_bytes(digest, "little"))


def least_count(source: FrameSource) -> float:
    """MIN_COUNT of average frames: weights that sum to one are frames too.

    >>> least_count(as_source([[1.0], [2.0]], [0.5, 0.5])) == MIN_COUNT / 2
    True
    """
    return MIN_COUNT if source.weights is None else MIN_COUNT * float(source.weights.sum()) / len(source)
