"""Adding new frames to a trained mixture, whose earlier frames keep their weight.

Owns the way back from a mixture and its counts to the statistics it was made from. Refuses to know where new frames
come from, and to guess what a model has seen.
"""

from collections.abc import Collection
from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from speechgmm.errors import ConfigError, FitError, ShapeError
from speechgmm.gmm.adaptation import batches_around
from speechgmm.gmm.concurrency import ALL_CORES, batch_mapper
from speechgmm.gmm.em import Fit, fit_em
from speechgmm.gmm.frames import FrameSource, Mapper, as_source, check_finite
from speechgmm.gmm.model import DiagGMM
from speechgmm.gmm.options import PrecisionChoice, absolute_floor, check_memory
from speechgmm.gmm.prior import PARAMETERS, ConjugatePrior, Parameter
from speechgmm.gmm.stats import GMMStats
from speechgmm.keywords import own_keywords
from speechgmm.parallel import one_blas_thread

Floats = NDArray[np.float64]


def statistics_of(
    model: DiagGMM,
    counts: ArrayLike,
    prior: ConjugatePrior | None = None,
    update: Collection[Parameter] = PARAMETERS,
) -> GMMStats:
    """The statistics that a mixture is the mode of, given the frames (K,) that spoke for each component.

    Without ``prior`` it was made by maximum likelihood; else it is the mode of prior + statistics in the parameters
    that were updated. Of the other parameters no statistics are known: those are chosen under which they stay
    as they are. A variance at its floor counts as if it had been estimated so.

    >>> statistics_of(DiagGMM([1.0], [[2.0]], [[1.0]]), [3.0]).about(0).squares
    array([[15.]])
    """
    held = np.asarray(counts, dtype=np.float64)
    n, reference = held[:, None], model.centre()
    if prior is None:
        prior = ConjugatePrior.flat(*model.means.shape)
    kappa, nu = prior.mean_counts[:, None], prior.variance_counts[:, None]
    moved = "means" in update
    means, before = model.means - reference, prior.means - reference
    sums = (kappa + n) * means - kappa * before if moved else n * means
    if "variances" in update:
        # scatter' = scatter + Q + kappa m² - kappa' m'², of which Q is to be found.
        about = (kappa + n) * means**2 - kappa * before**2 if moved else n * means**2
        squares = (nu + n) * model.variances - prior.scatter + about
    else:
        own = np.divide(sums, n, out=np.zeros_like(sums), where=n > 0)
        squares = n * (model.variances + own**2)
    return GMMStats(held, sums, squares, 0.0, float(held.sum()), reference)


@one_blas_thread()
@own_keywords
def update(
    model: DiagGMM,
    frames: ArrayLike | FrameSource,
    counts: ArrayLike | float,
    *,
    keep: float = 1.0,
    ubm: DiagGMM | None = None,
    relevance: float = 16.0,
    parameters: tuple[Parameter, ...] = ("means",),
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
    """Train a mixture further with new frames: posterior = prior + statistics of the old frames + new statistics.

    Without ``ubm`` the model was trained by maximum likelihood. Its old frames then keep their posteriors of the
    components. For a mixture of one component, the update gives the same as training on old and new frames together.
    Each iteration reads only the new frames.

    Parameters
    ----------
    model : DiagGMM
        The mixture, of K components and D dimensions.
    frames : array_like (N, D) or FrameSource
        The new frames.
    counts : array_like (K,) or float
        Old frames in each component (occupation counts), as in ``Fit.counts``. A number is the total, and is divided
        among the components by their weights.
    keep : float, default 1
        Weight of the old frames: 1 keeps them in full, 0 forgets them. Below 1, each update makes them count for less.
    ubm : DiagGMM, optional
        The background model that the model was adapted from. The update starts from the background model again. With
        ``max_iter`` 1 it gives the same as adaptation to old and new frames together, apart from rounding.
    relevance, parameters, weight_relevance, mean_relevance, variance_relevance
        The settings with which the model was adapted (``adapt_map``).
    max_iter, tol, floor, precision, memory
        As in ``adapt_map``.
    n_jobs, map
        As in ``fit_gmm``; every value gives the same bytes.

    Returns
    -------
    Fit
        ``counts`` are those of old and new frames, for the next update. ``trace`` holds the log-likelihood of the new
        frames plus the log prior density of the mixture given the old ones, up to a constant.

    Raises
    ------
    ShapeError
        Frames of another dimension; counts, a floor or a background model of another shape.
    FitError
        No frames; NaN; negative counts, or counts that are all 0; without ``ubm``, fewer frames than components in all.
    ConfigError
        An option out of range; ``n_jobs`` beside ``map``.

    Examples
    --------
    >>> first, second = np.array([[0.0], [2.0]]), np.array([[4.0], [6.0]])
    >>> model = DiagGMM([1.0], [[1.0]], [[1.0]])  # of the first two
    >>> fit = update(model, second, counts=[2.0])
    >>> fit.model.means.item(), fit.model.variances.item(), fit.counts
    (3.0, 5.0, array([4.]))
    """
    source = as_source(frames)
    check_memory(memory)
    _check_sizes(model, ubm, source.n_features)
    if not (np.isfinite(keep) and keep >= 0):
        raise ConfigError(f"keep {keep:g}; expected a share of what was seen, 0 or more")
    held = _held(model if ubm is None else ubm, counts)
    total = float(keep * held.sum()) + len(source)
    if ubm is None and total < model.n_components:
        raise FitError(
            f"{total:g} frames, new ones and what is kept of the old, for {model.n_components} components; give "
            "more frames, or raise keep"
        )
    if ubm is None:
        start, moved = model, PARAMETERS
        prior = ConjugatePrior.flat(*model.means.shape)
    else:
        start, moved = ubm, parameters
        prior = ConjugatePrior.around(
            ubm,
            relevance,
            weight_relevance,
            mean_relevance=mean_relevance,
            variance_relevance=variance_relevance,
        )
    old = statistics_of(model, held, None if ubm is None else prior, moved).scaled(keep)
    with batch_mapper(n_jobs, map, source, model.n_components) as spread:
        check_finite(source, map=spread)
        fit = fit_em(
            start,
            batches_around(start, source, precision, memory, map=spread),
            prior + old,
            max_iter=max_iter,
            tol=tol,
            floor=absolute_floor(floor, model.n_features),
            update=moved,
            map=spread,
        )
    return replace(fit, counts=keep * held + fit.counts, n_frames=float(keep * held.sum()) + fit.n_frames)


def _check_sizes(model: DiagGMM, ubm: DiagGMM | None, n_features: int) -> None:
    if n_features != model.n_features:
        raise ShapeError(
            f"frames of {n_features} dimensions for a model of {model.n_features}; were they made with the same "
            "features?"
        )
    if ubm is not None and ubm.means.shape != model.means.shape:
        raise ShapeError(
            f"a background model of shape {ubm.means.shape} for a model of shape {model.means.shape}; expected the "
            "background model that the model was adapted from"
        )


def _held(model: DiagGMM, counts: ArrayLike | float) -> Floats:
    """(K,) frames that spoke for each component."""
    held = np.asarray(counts, dtype=np.float64)
    if held.ndim == 0:
        held = held * model.weights
    if held.shape != (model.n_components,):
        raise ShapeError(f"counts of shape {held.shape} for {model.n_components} components; expected one each")
    if not np.isfinite(held).all() or (held < 0).any() or not held.any():
        raise FitError(
            f"counts from {held.min():g} to {held.max():g}; expected the frames that a model has seen, 0 or more and "
            "not all 0"
        )
    return held
