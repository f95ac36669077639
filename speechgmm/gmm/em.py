"""Expectation-maximisation: one loop for maximum likelihood and for MAP.

Owns the loop, its objective and what it reports. Parallelism is the argument ``map``; a batch may come from
anywhere. Refuses to choose a start, and to call a fit converged whose objective has fallen where it cannot, or whose
last steps were not EM's own.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial, reduce
from operator import add
from typing import Any, Final, Generic

import numpy as np
from numpy.typing import ArrayLike, NDArray

from speechgmm.errors import ConfigError, FitError, ShapeError
from speechgmm.gmm.compiled import Active
from speechgmm.gmm.frames import Mapper
from speechgmm.gmm.full_e_step import FullPasses, RowBatch, RowReference
from speechgmm.gmm.full_model import FullGMM
from speechgmm.gmm.kernels import accumulate, survey
from speechgmm.gmm.layout import Batch, BatchReference, Precision
from speechgmm.gmm.model import DiagGMM, LogLinear
from speechgmm.gmm.options import Dead
from speechgmm.gmm.overrelaxation import Overrelaxation
from speechgmm.gmm.prior import MIN_COUNT, PARAMETERS, Parameter
from speechgmm.gmm.progress import Progress, Step
from speechgmm.gmm.protocols import Model, Prior, Statistics
from speechgmm.gmm.splitting import resplit
from speechgmm.gmm.stats import GMMStats
from speechgmm.parallel import PYTHON_TURN, one_blas_thread

FULL_EVERY: Final = 8  # passes, in sparse EM

AnyBatch = Batch | BatchReference | RowBatch | RowReference


@dataclass(frozen=True, slots=True, eq=False)
class Fit(Generic[Model]):
    """What training returns: of mixtures with diagonal covariances, unless it says ``Fit[FullGMM]``.

    ``trace`` holds the objective in nats per frame before the first update and after each: log-likelihood
    (ML) or log-likelihood plus log prior density (MAP, up to a constant); its last value is that of
    ``model``.
    """

    model: Model
    trace: tuple[float, ...]  # nats per frame
    converged: bool  # EM's own last step gained less than tol, or than rounding; and the objective never fell
    fell: tuple[int, ...]  # indices into trace where it fell by more than rounding although it cannot
    precision: Precision  # of the products
    dead: tuple[int, ...]  # components that too few frames speak for, at the end
    resplit: tuple[int, ...]  # components that were re-split from heavier ones on the way
    floored: int  # variances that the floor holds, of model.n_variances
    n_frames: float  # sum of the frames' weights
    counts: NDArray[np.float64]  # (K,) frames that spoke for each component when it was last estimated
    notes: tuple[str, ...] = ()  # what the user should know of the fit


@one_blas_thread()
def fit_em(
    start: Model,
    batches: Sequence[AnyBatch],
    prior: Prior[Model],
    *,
    max_iter: int,
    tol: float,
    floor: ArrayLike = 0.0,
    update: Collection[Parameter] = PARAMETERS,
    dead: Dead = "keep",
    min_count: float = MIN_COUNT,
    sparse: bool = False,
    overrelaxed: bool = False,
    map: Mapper = map,
) -> Fit[Model]:
    """Climb from ``start`` to a mode of the posterior of ``prior`` and the batches (Dempster et al. 1977).

    ``max_iter`` updates at most, until EM's own step gains less than ``tol`` nats per frame and no more than EM's own
    step before it: gains that grow leave a plateau, such as that of two halves of a split that lie close by. A ``tol``
    below ``rounding_of`` the objective asks for more than the precision can tell; then rounding is what decides. With
    ``tol`` 0 no fit converges. What a step gains at least follows from its statistics (see ``progress.Step``), so that
    rounding of the objective neither ends the climb nor hides a plateau.
    ``floor`` holds variances from below ((D,) or a number, in squared units of the frames). Parameters not in
    ``update`` stay. Components that fewer than ``min_count`` frames speak for keep their mean and variance, or are
    re-split from the heaviest (not in the last update, which would return them untrained). ``map`` must keep order, as
    the builtin does; a batch that is a reference is read and laid out inside it, in every iteration.

    With ``sparse``, only the first, the last, every ``FULL_EVERY``th pass and those that confirm convergence see all
    components; those between leave out what was not active in a block of frames at the last full one, so that their
    objective is a lower bound (Neal & Hinton 1998). Batches should come from ``arranged``.

    With ``overrelaxed``, an update goes further than the step that EM would take, by a factor that grows while the
    objective does (Salakhutdinov & Roweis 2003, adaptive overrelaxed EM); where it goes too far, the next pass is EM's
    own step from before, and the objective in between is not in the trace. The updates that confirm convergence and the
    last that ``max_iter`` allows are EM's own, and all are where a floor is 0: nothing would hold a variance that
    overshoots.

    The objective never falls, flooring included, except after a re-split, which guarantees nothing; a fall
    beyond ``ROUNDING`` is listed in ``Fit.fell``.

    Raises:
        FitError: No batches; all frames of weight zero; a component without a floor shrank to a point.
        ShapeError: Start, prior and batches that are not of one size.
        ConfigError: An unknown parameter in ``update``; re-splitting where not all parameters are updated.

    >>> from speechgmm.gmm import ConjugatePrior, prepare
    >>> frames = np.array([[0.0], [1.0], [9.0], [10.0]])
    >>> start = DiagGMM([0.5, 0.5], [[0.0], [10.0]], [[1.0], [1.0]])
    >>> fit = fit_em(start, prepare(frames), ConjugatePrior.flat(2, 1), max_iter=5, tol=1e-4)
    >>> fit.model.means.round(3).ravel(), fit.converged
    (array([0.5, 9.5]), True)
    """
    _check(start, batches, prior, update, dead, max_iter, tol)
    least = np.asarray(floor, dtype=np.float64)
    model = start.floored(least) if "variances" in update else start
    progress = Progress(tol, batches[0].precision, batches[0].centre)
    path = Overrelaxation[Model](least if "variances" in update else np.zeros(1))
    resplits, next_full = set[int](), 0
    passes = PASSES[type(start)](batches, map)
    counts: NDArray[np.float64] | None = None
    for i in range(max_iter + 1):
        full = not sparse or progress.settling or i in (next_full, max_iter)
        stats = passes.full(model, survey=sparse) if full else passes.sparse(model)
        with PYTHON_TURN:
            value = objective(stats, prior, model)
            if path.own is not None and progress.falls(value, model):
                model, next_full = path.back(), i + 1 if full else next_full
                continue
            progress.add(value, model, own=path.own is None, full=full)
            posterior = prior + stats
            empty = posterior.dead(min_count)
            if progress.converged or i == max_iter:
                break
            before, counts, next_full = model, stats.counts, i + FULL_EVERY if full else next_full
            model = posterior.mode(model, floor=least, min_count=min_count, update=update)
            progress.step = Step(posterior, before, model, stats.n_frames)
            path.rest()
            if dead == "resplit" and empty and i + 1 < max_iter:
                model = resplit(model, empty)
                resplits.update(empty)
                path.factor, next_full = 1.0, i + 1
                progress.restart()
            # Not where a bound comes next, which has nothing to be compared with, nor where nothing holds variances up.
            elif overrelaxed and not progress.settling and i + 2 <= max_iter and not (sparse and full) and least.all():
                model = path.further(before, model)
    return Fit(
        model,
        tuple(progress.trace),
        converged=progress.converged and not progress.fell,
        fell=tuple(progress.fell),
        precision=progress.precision,
        dead=empty,
        resplit=tuple(sorted(resplits)),
        floored=model.n_floored(least) if "variances" in update else 0,
        n_frames=stats.n_frames,
        counts=stats.counts if counts is None else counts,
    )


@dataclass(slots=True)
class _Passes:
    """Passes over all frames; a batch that is not in memory is read, used and let go."""

    batches: Sequence[Batch | BatchReference]
    map: Mapper
    tasks: tuple[tuple[Batch | BatchReference, Active], ...] = ()  # with what was active at the last survey

    def full(self, model: DiagGMM, *, survey: bool) -> GMMStats:
        """Every frame under every component; with ``survey`` the active ones are found on the way."""
        if not survey:
            return e_step(model.log_linear(), self.batches, self.map)
        parts, active = zip(*self.map(partial(_surveyed, model.log_linear()), self.batches), strict=True)
        self.tasks = tuple(zip(self.batches, active, strict=True))
        return _total(parts)

    def sparse(self, model: DiagGMM) -> GMMStats:
        """Every frame under the components that were active in its block."""
        return _total(self.map(partial(_some, model.log_linear()), self.tasks))


PASSES: Final[Mapping[type, Any]] = {DiagGMM: _Passes, FullGMM: FullPasses}
"""The E-step of a mixture, by its type."""


def e_step(log_linear: LogLinear, batches: Sequence[Batch | BatchReference], map: Mapper = map) -> GMMStats:
    """The statistics of all batches under a mixture, added in order."""
    return _total(map(partial(_all, log_linear), batches))


def _total(parts: Iterable[GMMStats]) -> GMMStats:
    return reduce(add, parts)


def _all(log_linear: LogLinear, batch: Batch | BatchReference) -> GMMStats:
    return accumulate(log_linear, batch.load())


def _surveyed(log_linear: LogLinear, batch: Batch | BatchReference) -> tuple[GMMStats, Active]:
    return survey(log_linear, batch.load())


def _some(log_linear: LogLinear, task: tuple[Batch | BatchReference, Active]) -> GMMStats:
    batch, active = task
    return accumulate(log_linear, batch.load(), active=active)


def objective(stats: Statistics, prior: Prior[Model], model: Model) -> float:
    """Log-likelihood plus log prior density in nats per frame, of the model that the statistics were made
    under.

    Raises:
        FitError: No frames, or a likelihood that is not finite.

    >>> from speechgmm.gmm import ConjugatePrior
    >>> stats = GMMStats(np.ones(1), np.ones((1, 1)), np.ones((1, 1)), -6.0, 2.0)
    >>> objective(stats, ConjugatePrior.flat(1, 1), DiagGMM([1.0], [[0.0]], [[1.0]]))
    -3.0
    """
    if not stats.n_frames > 0:
        raise FitError("no frames, or all of weight 0; give frames with a weight above 0")
    value = (stats.log_likelihood + prior.log_density(model)) / stats.n_frames
    if not np.isfinite(value):
        raise FitError(
            f"the objective is {value}: a frame lies too far from every component for the arithmetic, or a "
            "weight that the prior speaks for is zero; look for outliers (float64 reaches further than float32)"
        )
    return value


def _check(
    start: Model,
    batches: Sequence[AnyBatch],
    prior: Prior[Model],
    update: Collection[Parameter],
    dead: Dead,
    max_iter: int,
    tol: float,
) -> None:
    if not batches:
        raise FitError("no frames; expected at least one batch of them")
    if prior.means.shape != start.means.shape:
        raise ShapeError(
            f"a prior of shape {prior.means.shape} for a start of shape {start.means.shape}; expected the same (K, D)"
        )
    unknown = sorted(set(update) - set(PARAMETERS))
    if unknown or not update or isinstance(update, str):
        raise ConfigError(f"parameters to update: {update!r}; expected some of {', '.join(PARAMETERS)}, as a tuple")
    if dead not in ("keep", "resplit"):
        raise ConfigError(f"dead components: {dead!r}; expected keep or resplit")
    if dead == "resplit" and set(update) != set(PARAMETERS):
        raise ConfigError(
            "re-splitting dead components changes weights, means and variances: update all three, or keep"
        )
    if max_iter < 0 or not tol >= 0:
        raise ConfigError(f"max_iter {max_iter} and tol {tol:g}; expected 0 or more")
