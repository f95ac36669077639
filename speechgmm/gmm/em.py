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
    """The result of training a mixture; ``Fit`` alone means a mixture with diagonal covariances.

    ``trace`` holds the objective in nats per frame, before the first update and after each update. The objective is the
    log-likelihood (ML), or the log-likelihood plus the log prior density up to a constant (MAP). The last value of
    ``trace`` is the objective of ``model``.
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
    """Run EM from ``start`` to a mode of the posterior, given ``prior`` and the batches (Dempster et al. 1977).

    EM makes at most ``max_iter`` updates. It ends when a plain EM step gains less than ``tol`` nats per frame, and no
    more than the plain EM step before it; gains that grow mean that EM is leaving a plateau, such as that of two close
    halves of a split. If ``tol`` is below ``rounding_of`` the objective, rounding decides when EM ends. With ``tol`` 0
    no fit converges. A lower bound of each gain follows from the statistics (see ``progress.Step``), so that rounding
    of the objective neither ends EM nor hides a plateau.

    Variances are at least ``floor`` ((D,) or a number, in squared units of the frames). Parameters that are not in
    ``update`` stay as they are. A component with fewer than ``min_count`` frames keeps its mean and variance, or is
    replaced by half of the heaviest component (``dead="resplit"``; not in the last update, which would return it
    untrained). ``map`` is called like the built-in ``map`` on the batches; it must return results in their order. It
    reads a batch that is a reference in every iteration.

    With ``sparse``, all components are computed only in the first pass, the last, every ``FULL_EVERY``th, and those
    that confirm convergence. The other passes leave out, for each block of frames, the components that were not active
    in it at the last full pass. Their objective is then a lower bound (Neal & Hinton 1998). The batches should come
    from ``arranged``.

    With ``overrelaxed``, an update goes further than the EM step, by a factor that grows while the objective rises
    (Salakhutdinov & Roweis 2003, adaptive overrelaxed EM). After an update that went too far, the next pass takes the
    plain EM step instead, and ``trace`` leaves out the objective in between. Updates are plain EM steps where they
    confirm convergence, where ``max_iter`` allows no more, and throughout with a floor of 0, because nothing would then
    hold a variance that overshoots.

    The objective never falls, flooring included, except after a re-split. ``Fit.fell`` lists each fall beyond
    ``ROUNDING``.

    Raises:
        FitError: No batches; all frames of weight zero; a component that shrank to a point, with a floor of 0.
        ShapeError: Start, prior and batches that differ in K or D.
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
    """Log-likelihood plus log prior density of ``model``, in nats per frame.

    ``stats`` must have been computed under ``model``.

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
