"""Expectation-maximisation: one loop for maximum likelihood and for MAP.

Owns the loop, its objective and what it reports. Parallelism is the argument ``map``; a batch may come from
anywhere. Refuses to choose a start, and to call a fit converged whose objective has fallen where it cannot.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial, reduce
from operator import add
from typing import Final, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from speechgmm.blas import one_blas_thread
from speechgmm.errors import ConfigError, FitError, ShapeError
from speechgmm.gmm.compiled import Active
from speechgmm.gmm.frames import Mapper
from speechgmm.gmm.kernels import accumulate, survey
from speechgmm.gmm.layout import Batch, BatchReference, Precision
from speechgmm.gmm.model import DiagGMM, LogLinear
from speechgmm.gmm.prior import MIN_COUNT, PARAMETERS, ConjugatePrior, Parameter
from speechgmm.gmm.stats import GMMStats

Dead = Literal["keep", "resplit"]

ROUNDING: Final[dict[Precision, float]] = {"float64": 1e-10, "float32": 1e-6}
"""How far rounding alone may lower the objective, as a share of its size, or of 1 nat per frame if more."""

FULL_EVERY: Final = 8  # passes, in sparse EM

FURTHER: Final = 1.2
"""By how much the factor of an overrelaxed step grows from one that went well to the next."""

FURTHEST: Final = 3.0

SPLIT_DEVIATIONS: Final = 0.2
"""How far each half of a split component moves, in the component's standard deviations (as in HTK)."""


@dataclass(frozen=True, slots=True, eq=False)
class Fit:
    """What training returns.

    ``trace`` holds the objective in nats per frame before the first update and after each: log-likelihood
    (ML) or log-likelihood plus log prior density (MAP, up to a constant); its last value is that of
    ``model``.
    """

    model: DiagGMM
    trace: tuple[float, ...]  # nats per frame
    converged: bool  # the last step was below tol, and the objective never fell
    fell: tuple[int, ...]  # indices into trace where it fell by more than rounding although it cannot
    precision: Precision  # of the products
    dead: tuple[int, ...]  # components that too few frames speak for, at the end
    resplit: tuple[int, ...]  # components that were re-split from heavier ones on the way
    floored: int  # variances that the floor holds, of K D
    n_frames: float  # sum of the frames' weights
    counts: NDArray[np.float64]  # (K,) frames that spoke for each component when it was last estimated


@one_blas_thread()
def fit_em(
    start: DiagGMM,
    batches: Sequence[Batch | BatchReference],
    prior: ConjugatePrior,
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
) -> Fit:
    """Climb from ``start`` to a mode of the posterior of ``prior`` and the batches (Dempster et al. 1977).

    ``max_iter`` updates at most, until one gains less than ``tol`` nats per frame and no more than the one before:
    gains that grow leave a plateau, such as that of two halves of a split that lie close by (with ``sparse``, whose
    gains are of bounds too, ``tol`` alone decides). ``floor`` holds variances
    from below ((D,) or a number, in squared units of the frames). Parameters not in ``update`` stay.
    Components that fewer than ``min_count`` frames speak for keep their mean and variance, or are re-split
    from the heaviest (not in the last update, which would return them untrained). ``map`` must keep order, as
    the builtin does; a batch that is a reference is read and laid out inside it, in every iteration.

    With ``sparse``, only the first, the last, every ``FULL_EVERY``th pass and what confirms convergence see all
    components; those between leave out what was not active in a block of frames at the last full one, so that their
    objective is a lower bound (Neal & Hinton 1998). Batches should come from ``arranged``.

    With ``overrelaxed``, an update goes further than the step that EM would take, by a factor that grows while the
    objective does (Salakhutdinov & Roweis 2003, adaptive overrelaxed EM); where it goes too far, the next pass is EM's
    own step from before, and the objective in between is not in the trace. The last update that ``max_iter`` allows is
    EM's own, and all are where a floor is 0: nothing would hold a variance that overshoots.

    The objective never falls, flooring included, except after a re-split, which guarantees nothing; a fall
    beyond ``ROUNDING`` is listed in ``Fit.fell``.

    Raises:
        FitError: No batches; all frames of weight zero; a component without a floor shrank to a point.
        ShapeError: Start, prior and batches that are not of one size.
        ConfigError: An unknown parameter in ``update``; re-splitting where not all parameters are updated.

    >>> from speechgmm.gmm.layout import prepare
    >>> frames = np.array([[0.0], [1.0], [9.0], [10.0]])
    >>> start = DiagGMM([0.5, 0.5], [[0.0], [10.0]], [[1.0], [1.0]])
    >>> fit = fit_em(start, prepare(frames), ConjugatePrior.flat(2, 1), max_iter=5, tol=1e-4)
    >>> fit.model.means.round(3).ravel(), fit.converged
    (array([0.5, 9.5]), True)
    """
    if not batches:
        raise FitError("no frames; expected at least one batch of them")
    _check_options(update, dead, max_iter, tol)
    if prior.means.shape != start.means.shape:
        raise ShapeError(f"a prior of shape {prior.means.shape} for a start of shape {start.means.shape}")
    least = np.asarray(floor, dtype=np.float64)
    model = replace(start, variances=np.maximum(start.variances, least)) if "variances" in update else start
    precision = batches[0].precision
    trace: list[float] = []
    fell: list[int] = []
    resplit: set[int] = set()
    passes = _Passes(batches, map)
    guaranteed, near, full, next_full = False, False, True, 0
    counts: NDArray[np.float64] | None = None
    own: DiagGMM | None = None  # EM's own step, where the model has gone further
    factor = 1.0
    before_last = -np.inf  # the gain of the update before
    for i in range(max_iter + 1):
        after_full, full = full, not sparse or i in (next_full, max_iter)
        stats = passes.full(model, survey=sparse) if full else passes.sparse(model)
        value = objective(stats, prior, model)
        rounding = ROUNDING[precision] * max(1.0, abs(value))
        if own is not None and value < trace[-1] - rounding:
            model, own, factor, next_full = own, None, 1.0, i + 1 if full else next_full
            continue
        trace.append(value)
        posterior = prior + stats
        empty = posterior.dead(min_count)
        near = False
        # A bound may lie below the likelihood that came before it; with the same sets it does not fall either.
        if guaranteed and (full or not after_full):
            step = trace[-1] - trace[-2]
            near = -rounding <= step < tol and (sparse or step <= max(before_last, rounding))
            before_last = step
            if step < -rounding:
                fell.append(len(trace) - 1)
        if i == max_iter or (near and full):
            break
        if full or near:
            next_full = i + 1 if near else i + FULL_EVERY
        before, own, counts = model, None, stats.counts
        model = posterior.mode(model, floor=least, min_count=min_count, update=update)
        guaranteed = True
        if dead == "resplit" and empty and i + 1 < max_iter:
            model = _resplit(model, empty)
            resplit.update(empty)
            guaranteed, next_full, factor = False, i + 1, 1.0
        # Not where a bound comes next, which has nothing to be compared with, nor where nothing holds variances up.
        elif overrelaxed and i + 2 <= max_iter and not (sparse and full) and least.all():
            own, factor = model, min(factor * FURTHER, FURTHEST)
            model = _further(before, model, factor, least if "variances" in update else np.zeros(1))
    return Fit(
        model,
        tuple(trace),
        converged=near and not fell,
        fell=tuple(fell),
        precision=precision,
        dead=empty,
        resplit=tuple(sorted(resplit)),
        floored=int(np.count_nonzero(model.variances <= least)) if "variances" in update else 0,
        n_frames=stats.n_frames,
        counts=stats.counts if counts is None else counts,
    )


def _further(before: DiagGMM, after: DiagGMM, factor: float, floor: NDArray[np.float64]) -> DiagGMM:
    """``factor`` times the step from one mixture to another, in means and in logarithms of weights and variances."""
    beyond = factor - 1
    # No weight and no variance may vanish or explode by what is added to EM's own step.
    kept = np.clip(
        np.divide(after.weights, before.weights, out=np.ones(len(after.weights)), where=before.weights > 0), 0.5, 2
    )
    weights = after.weights * kept**beyond
    return DiagGMM(
        weights / weights.sum(),
        after.means + beyond * (after.means - before.means),
        np.maximum(after.variances * np.clip(after.variances / before.variances, 0.5, 2) ** beyond, floor),
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


def objective(stats: GMMStats, prior: ConjugatePrior, model: DiagGMM) -> float:
    """Log-likelihood plus log prior density in nats per frame, of the model that the statistics were made
    under.

    Raises:
        FitError: No frames, or a likelihood that is not finite.

    >>> stats = GMMStats(np.ones(1), np.ones((1, 1)), np.ones((1, 1)), -6.0, 2.0)
    >>> objective(stats, ConjugatePrior.flat(1, 1), DiagGMM([1.0], [[0.0]], [[1.0]]))
    -3.0
    """
    if not stats.n_frames > 0:
        raise FitError("no frames, or all of weight 0")
    value = (stats.log_likelihood + prior.log_density(model)) / stats.n_frames
    if not np.isfinite(value):
        raise FitError(
            f"the objective is {value}: a frame lies too far from every component for the arithmetic, or a "
            "weight that the prior speaks for is zero; look for outliers (float64 reaches further than float32)"
        )
    return value


def split_components(model: DiagGMM, which: Sequence[int], directions: ArrayLike) -> DiagGMM:
    """Replace each component in ``which`` by two of half its weight, moved ``SPLIT_DEVIATIONS`` apart each
    way.

    ``directions`` (len(which), D) or a number multiplies the deviations. The second halves come last.

    >>> split_components(DiagGMM([1.0], [[0.0]], [[1.0]]), [0], 1.0).means.ravel()
    array([-0.2,  0.2])
    """
    parents = np.asarray(which, dtype=np.intp)
    weights, means = model.weights.copy(), model.means.copy()
    offset = SPLIT_DEVIATIONS * np.asarray(directions) * np.sqrt(model.variances[parents])
    weights[parents] /= 2
    means[parents] -= offset
    return DiagGMM(
        np.concatenate([weights, weights[parents]]),
        np.concatenate([means, model.means[parents] + offset]),
        np.concatenate([model.variances, model.variances[parents]]),
    )


def _resplit(model: DiagGMM, dead: tuple[int, ...]) -> DiagGMM:
    """Put each dead component beside one of the heaviest, which gives it half its frames."""
    if len(dead) == model.n_components:
        raise FitError("every component is dead: all frames together weigh less than the least count; weigh them more")
    weights, means, variances = model.weights.copy(), model.means.copy(), model.variances.copy()
    for k in dead:
        weights[k] = 0
    for k in dead:
        heaviest = int(weights.argmax())
        offset = SPLIT_DEVIATIONS * np.sqrt(variances[heaviest])
        weights[[k, heaviest]] = weights[heaviest] / 2
        means[k], variances[k] = means[heaviest] + offset, variances[heaviest]
        means[heaviest] -= offset
    return DiagGMM(weights / weights.sum(), means, variances)


def _check_options(update: Collection[Parameter], dead: Dead, max_iter: int, tol: float) -> None:
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
