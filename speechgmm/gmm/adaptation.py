"""A background model and frames in, an adapted mixture out: MAP adaptation.

Owns the relevance of the background model, and the layout of frames about a model. Refuses to know what the frames are
of: who calls adds the class's name to an error.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from speechgmm.errors import ShapeError
from speechgmm.gmm.concurrency import ALL_CORES, batch_mapper
from speechgmm.gmm.em import Fit, fit_em
from speechgmm.gmm.fit import least_count
from speechgmm.gmm.frames import FrameSource, Mapper, as_source, check_finite
from speechgmm.gmm.layout import Batch, BatchReference, batches, block_size, hold
from speechgmm.gmm.model import DiagGMM
from speechgmm.gmm.options import EMOptions, PrecisionChoice, absolute_floor, resolve_precision
from speechgmm.gmm.prior import ConjugatePrior, Parameter
from speechgmm.keywords import own_keywords
from speechgmm.parallel import one_blas_thread


@one_blas_thread()
@own_keywords
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
    n_jobs: int = ALL_CORES,
    map: Mapper | None = None,
) -> Fit:
    """Adapt a background model to frames by MAP (Reynolds, Quatieri & Dunn 2000, eqs. 12-13).

    Parameters
    ----------
    ubm : DiagGMM
        The background model, of D dimensions.
    frames : array_like (N, D) or FrameSource
        The frames to adapt to; one frame is enough.
    relevance : float, default 16
        Relevance factor: how many frames the background model counts for in each component. 0 gives maximum
        likelihood; the higher the factor, the closer the result stays to the background model.
    parameters : tuple of {"weights", "means", "variances"}
        The parameters that are adapted; the others keep the background model's values. Adapted weights are the mode of
        a Dirichlet posterior, not those of eq. 11 (``ConjugatePrior.around``).
    weights : array_like (N,), optional
        How many frames each one counts as; default 1.
    mean_relevance, variance_relevance : float, optional
        Replaces ``relevance`` for the means or the variances, in frames per component.
    weight_relevance : float, optional
        Replaces ``relevance`` for the weights, in frames for the whole mixture; default: K times ``relevance``.
    max_iter : int, default 1
        1 is the single pass of the paper, without a test of convergence; with more, EM goes on towards the mode of the
        posterior.
    tol : float
        With ``max_iter`` above 1: EM stops when an iteration raises the objective by less, in nats per frame.
    floor : float or array_like (D,)
        Least variance, in squared units of the frames.
    precision, memory
        As in ``fit_gmm``.
    n_jobs, map
        As in ``fit_gmm``; every value gives the same bytes.

    Returns
    -------
    Fit
        The adapted mixture as ``model``.

    Raises
    ------
    ShapeError
        Frames that are not (N, D), with D as in the background model.
    FitError
        No frames; NaN; a negative relevance; a component that shrinks to a point, with relevance 0 and no floor.
    ConfigError
        An option out of range; ``n_jobs`` beside ``map``.

    Examples
    --------
    >>> ubm = DiagGMM([1.0], [[0.0]], [[1.0]])
    >>> adapt_map(ubm, np.full((16, 1), 2.0), relevance=16).model.means.round(6)
    array([[1.]])
    """
    source = as_source(frames, weights)
    options = EMOptions(max_iter=max_iter, tol=tol, floor=floor, precision=precision, memory=memory)
    if source.n_features != ubm.n_features:
        raise ShapeError(
            f"frames of {source.n_features} dimensions for a background model of {ubm.n_features}; "
            "were both made with the same features?"
        )
    prior = ConjugatePrior.around(
        ubm, relevance, weight_relevance, mean_relevance=mean_relevance, variance_relevance=variance_relevance
    )
    with batch_mapper(n_jobs, map, source, ubm.n_components) as spread:
        return adapt_mixture(ubm, source, prior, options, parameters=parameters, map=spread)


@one_blas_thread()
def adapt_mixture(
    ubm: DiagGMM,
    source: FrameSource,
    prior: ConjugatePrior,
    options: EMOptions,
    *,
    parameters: tuple[Parameter, ...] = ("means",),
    map: Mapper = map,
) -> Fit:
    """``adapt_map`` by a prior around ``ubm``, with its options as one value. Raises FitError, ConfigError as it."""
    check_finite(source, map=map)
    return fit_em(
        ubm,
        batches_around(ubm, source, options.precision, options.memory, map=map),
        prior,
        max_iter=options.max_iter,
        tol=options.tol,
        floor=absolute_floor(0.0 if options.floor is None else options.floor, ubm.n_features),
        update=parameters,
        min_count=least_count(source),
        map=map,
    )


def batches_around(
    model: DiagGMM, source: FrameSource, precision: PrecisionChoice, memory: int | None, *, map: Mapper = map
) -> Sequence[Batch | BatchReference]:
    """Batches centred and scaled by a model: the variance of a few frames of enrolment says little."""
    overall = model.overall_variance()
    chosen = resolve_precision(precision, float((model.variances / overall).min()))
    size = block_size(len(source), model.n_features, model.n_components)
    return hold(batches(source, model.centre(), np.sqrt(overall), chosen, size), memory, map=map)
