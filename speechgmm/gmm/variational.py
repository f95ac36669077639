"""Variational Bayes: frames in, a posterior over mixtures out (Attias 2000; Bishop 2006, 10.2; Blei & Jordan 2006).

The pass over frames is that of EM. Refuses an improper prior, and to call a fit converged whose bound has fallen.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from speechgmm.errors import ConfigError, FitError, ShapeError
from speechgmm.gmm.bayesian import BayesianGMM, WeightPrior
from speechgmm.gmm.concurrency import ALL_CORES, batch_mapper
from speechgmm.gmm.em import e_step
from speechgmm.gmm.frames import FrameSource, Mapper, as_source, moments
from speechgmm.gmm.init import initial_model
from speechgmm.gmm.layout import Batch, BatchReference, Precision, batches, block_size, hold
from speechgmm.gmm.model import DiagGMM, LogLinear
from speechgmm.gmm.options import PrecisionChoice, Start, check_memory, check_variance, resolve_precision
from speechgmm.gmm.overrelaxation import FURTHER, FURTHEST, further_statistics
from speechgmm.gmm.predictive import PredictiveStack
from speechgmm.gmm.progress import rounding_of
from speechgmm.gmm.stats import GMMStats
from speechgmm.keywords import own_keywords
from speechgmm.parallel import one_blas_thread

Floats = NDArray[np.float64]

MOST_COMPONENTS: Final = 32
"""Components that a posterior may have where nobody says."""

START_FLOOR = 1e-3
"""Of the frames' variance: what the start, which is no Bayesian, is held from below by."""


@dataclass(frozen=True, slots=True, eq=False)
class VariationalFit:
    """The result of variational training.

    ``trace`` holds the bound in nats per frame, before the first update and after each update. The last value is the
    bound of ``posterior``.
    """

    posterior: BayesianGMM  # which can be the next prior
    bound: float  # nats: log evidence of all frames is at least this
    trace: tuple[float, ...]  # nats per frame
    converged: bool  # the last step was below tol, and the bound never fell
    fell: tuple[int, ...]  # indices into trace where it fell by more than rounding although it cannot
    precision: Precision  # of the products
    n_frames: float  # sum of the frames' weights

    @property
    def model(self) -> DiagGMM:
        """The plug-in mixture: expected weights and means, and one over the expected precisions."""
        return self.posterior.mixture()

    @property
    def n_in_use(self) -> int:
        """Components that explain at least one frame; the data do not need the others."""
        return self.posterior.n_in_use

    def log_likelihoods(self, frames: ArrayLike) -> Floats:
        """Log of the predictive density of every frame (T, D), in nats: (T,). Raises ShapeError where D is another."""
        found: Floats = PredictiveStack.of([self.posterior]).log_likelihoods(frames)[0]
        return found


@one_blas_thread()
@own_keywords
def fit_variational(
    frames: ArrayLike | FrameSource,
    n_components: int | None = None,
    *,
    prior: BayesianGMM | None = None,
    weight_prior: WeightPrior | None = None,
    concentration: float | None = None,
    mean_frames: float | None = None,
    variance_frames: float | None = None,
    variance_share: float | None = None,
    seed: int | np.random.Generator = 0,
    start: DiagGMM | BayesianGMM | None = None,
    weights: ArrayLike | None = None,
    init: Start = "kmeans++",
    max_iter: int = 200,
    tol: float = 1e-5,
    precision: PrecisionChoice = "auto",
    memory: int | None = None,
    n_jobs: int = ALL_CORES,
    map: Mapper | None = None,
) -> VariationalFit:
    """Fit a posterior over mixtures to frames by variational Bayes.

    Parameters
    ----------
    frames : array_like (N, D) or FrameSource
        The frames to fit.
    n_components : int, default 32
        The largest number of components; components that the data do not need end without frames.
    prior : BayesianGMM, optional
        A prior from ``BayesianGMM.around``, or the posterior of an earlier fit. The fit also starts from a learnt
        prior. Default: ``BayesianGMM.around`` the mean and variance of the frames, with the next five arguments.
    weight_prior, concentration, mean_frames, variance_frames, variance_share
        Settings of the default prior; ``BayesianGMM.around`` explains them and has their defaults.
    init, seed
        The start, as in ``fit_gmm``.
    start : DiagGMM or BayesianGMM, optional
        Replaces ``init``: the first update uses the posteriors of the components under this mixture.
    max_iter : int, default 200
        Updates at most.
    tol : float, default 1e-5
        The fit ends when an update gains less than this, in nats per frame.
    precision : {"auto", "float32", "float64"}
        Precision of the products. "auto" is float64, because no floor holds the variances.
    weights, memory
        As in ``fit_gmm``.
    n_jobs, map
        As in ``fit_gmm``; every value gives the same bytes.

    Returns
    -------
    VariationalFit

    Raises
    ------
    ShapeError
        Frames that are not (N, D); weights that are not (N,); a prior or a start of another K or D.
    FitError
        No frames; NaN; fewer distinct frames than components; a dimension that is the same in every frame; an improper
        prior.
    ConfigError
        An option out of range; ``prior`` together with a setting of the default prior; ``n_jobs`` beside ``map``.

    Notes
    -----
    The bound includes every constant, for one of the K! ways to number the components: log K! may be added where
    numbers of components are compared (Bishop 2006, 10.2.4). For one component the bound is the log evidence itself.
    scikit-learn's ``BayesianGaussianMixture`` with covariance_type "diag" has the same parameters at D = 1. For D > 1
    it uses the terms of a Wishart where this function has D gammas for each component, so the results differ. The
    bound of scikit-learn omits constants.

    Examples
    --------
    >>> frames = np.random.default_rng(0).normal(size=(300, 2)) + np.repeat([[0], [9], [20]], 100, axis=0)
    >>> fit = fit_variational(frames, n_components=10, seed=0)
    >>> fit.posterior.n_components, fit.n_in_use
    (10, 3)
    """
    source = as_source(frames, weights)
    check_memory(memory)
    if max_iter < 0 or not tol >= 0:
        raise ConfigError(f"max_iter {max_iter} and tol {tol:g}; expected 0 or more")
    strengths = {
        "weight_prior": weight_prior,
        "concentration": concentration,
        "mean_frames": mean_frames,
        "variance_frames": variance_frames,
        "variance_share": variance_share,
    }
    given = {name: value for name, value in strengths.items() if value is not None}
    if prior is not None:
        _check_prior(prior, n_components, source, given)
        n_components = prior.n_components
    elif n_components is None:
        n_components = MOST_COMPONENTS
    with batch_mapper(n_jobs, map, source, n_components) as spread:
        mean, variance = moments(source, map=spread)
        check_variance(variance)
        if prior is None:
            prior = BayesianGMM.around(mean, variance, n_components, **given)  # type: ignore[arg-type]  # by name
        chosen = "float64" if precision == "auto" else resolve_precision(precision, 1.0)
        if start is not None:
            begin = _checked_start(start, prior).log_linear()
        elif prior.n_components > 1 and prior.exchangeable:
            floor = START_FLOOR * np.where(variance > 0, variance, prior.mixture().variances[0])
            rng = np.random.default_rng(seed)
            mixture = initial_model(source, prior.n_components, method=init, rng=rng, floor=floor, map=spread)
            begin = mixture.log_linear()
        else:
            begin = prior.log_linear()
        # Frames that do not vary are scaled by the prior.
        scale = np.sqrt(np.where(variance > 0, variance, prior.mixture().variances.max(axis=0)))
        size = block_size(len(source), source.n_features, prior.n_components)
        held = hold(batches(source, mean, scale, chosen, size), memory, map=spread)
        return fit_posterior(begin, held, prior, max_iter=max_iter, tol=tol, map=spread)


def _checked_start(start: DiagGMM | BayesianGMM, prior: BayesianGMM) -> DiagGMM | BayesianGMM:
    if (start.n_components, start.n_features) != prior.conjugate.means.shape:
        raise ShapeError(
            f"{start!r} to start from, for a prior of shape {prior.conjugate.means.shape}; expected the same (K, D)"
        )
    return start


def _check_prior(
    prior: BayesianGMM, n_components: int | None, source: FrameSource, given: Mapping[str, object]
) -> None:
    if given:
        raise ConfigError(f"{', '.join(given)}: no effect beside a prior, which says it all; leave out one of them")
    if prior.n_features != source.n_features or n_components not in (None, prior.n_components):
        raise ShapeError(
            f"a prior of {prior.n_components} components in {prior.n_features} dimensions, for "
            f"{n_components or prior.n_components} components and frames of {source.n_features} dimensions; expected "
            "the same: is it of another front end?"
        )


@one_blas_thread()
def fit_posterior(
    start: LogLinear,
    batches: Sequence[Batch | BatchReference],
    prior: BayesianGMM,
    *,
    max_iter: int,
    tol: float,
    map: Mapper = map,
) -> VariationalFit:
    """Climb from the posteriors of frames under ``start`` to a maximum of the bound.

    After a pass, q(z) is the best there is for q(parameters), so that the bound is the sum over frames of the logarithm
    of the expected densities' sum, less the divergence of q from the prior: every constant is in one or the other. An
    update is posterior = prior + statistics. ``max_iter`` updates at most, until one gains less than ``tol`` nats per
    frame. With a process whose components are alike, the heaviest come first, which never lowers the bound
    (Kurihara, Welling & Teh 2007).

    Updates go further than that, by a factor that grows while the bound does, as in ``fit_em``: what is extrapolated is
    statistics. Where one goes too far, the next pass is the plain step from before, and the bound in between is not in
    the trace. The last is plain.

    Raises:
        FitError: No batches; all frames of weight zero; a bound that is not finite.

    >>> from speechgmm.gmm.layout import prepare
    >>> prior = BayesianGMM.around([5.0], [25.0], 2)
    >>> start = DiagGMM([0.5, 0.5], [[0.0], [10.0]], [[1.0], [1.0]]).log_linear()
    >>> fit = fit_posterior(start, prepare([[0.0], [1.0], [9.0], [10.0]]), prior, max_iter=50, tol=1e-9)
    >>> fit.converged, fit.bound < 0
    (True, True)
    """
    if not batches:
        raise FitError("no frames; expected at least one batch of them")
    sort = prior.process is not None and prior.exchangeable
    precision = batches[0].precision
    trace: list[float] = []
    fell: list[int] = []
    near, factor = False, 1.0
    used = e_step(start, batches, map)  # what the posterior is made of: at first of the frames under the start
    if sort:
        used = _ordered(used, _heaviest_first(used))
    own: GMMStats | None = None  # the plain step, where it has gone further
    for i in range(max_iter + 1):
        posterior = prior + used
        stats = e_step(posterior.log_linear(), batches, map)
        if not stats.n_frames > 0:
            raise FitError("no frames, or all of weight 0; give frames with a weight above 0")
        bound = stats.log_likelihood - posterior.divergence(prior)
        if not np.isfinite(bound):
            raise FitError(
                f"the bound is {bound}: a frame lies too far from every component for the arithmetic; look for outliers"
            )
        value = bound / stats.n_frames
        rounding = rounding_of(value, precision)
        if own is not None and value < trace[-1] - rounding:
            used, own, factor = own, None, 1.0
            continue
        trace.append(value)
        if len(trace) > 1:
            step = trace[-1] - trace[-2]
            near = -rounding <= step < tol
            if step < -rounding:
                fell.append(len(trace) - 1)
        if i == max_iter or (near and own is None):
            break
        if sort:
            order = _heaviest_first(stats)
            stats, used = _ordered(stats, order), _ordered(used, order)
        before, used, own = used, stats, None
        # The last posterior is prior + statistics of the frames, and of nothing beyond them.
        if not near and i + 2 <= max_iter:
            own, factor = stats, min(factor * FURTHER, FURTHEST)
            used = further_statistics(before, stats, factor)
    return VariationalFit(
        posterior,
        bound,
        tuple(trace),
        converged=near and not fell,
        fell=tuple(fell),
        precision=precision,
        n_frames=stats.n_frames,
    )


def _heaviest_first(stats: GMMStats) -> NDArray[np.intp]:
    return np.argsort(-stats.counts, kind="stable")


def _ordered(stats: GMMStats, order: NDArray[np.intp]) -> GMMStats:
    return replace(stats, counts=stats.counts[order], sums=stats.sums[order], squares=stats.squares[order])
