"""Direct maximum likelihood: L-BFGS on the parameters of a mixture, with gradients from EM's own statistics.

By Fisher's identity the gradient of the log-likelihood is that of EM's auxiliary function, so that a pass over frames
is the E-step, and ``GMMStats`` is all that is asked of it (Salakhutdinov, Roweis & Ghahramani 2003). Owns the
parameters that are free: log weights up to a constant, means in standard deviations of the start's components, log
variances, with their floor as a bound (L-BFGS-B, Byrd et al. 1995). Refuses float32, in which a line search would
follow rounding.
"""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike, NDArray

from speechgmm.errors import ConfigError, FitError
from speechgmm.gmm.em import Fit, e_step
from speechgmm.gmm.frames import Mapper
from speechgmm.gmm.layout import Batch, BatchReference
from speechgmm.gmm.model import DiagGMM
from speechgmm.gmm.prior import MIN_COUNT, ConjugatePrior, dead_components
from speechgmm.gmm.progress import rounding_of
from speechgmm.gmm.stats import GMMStats
from speechgmm.parallel import one_blas_thread

Floats = NDArray[np.float64]

LEAST_WEIGHT = 1e-12
"""A component of weight zero has no gradient: it starts here instead."""

MEMORY = 20
"""Steps that L-BFGS knows the curvature from."""

MANY = 2**31 - 1

FURTHEST = 20.0
"""How far a log variance may rise above its start: a line search may try what no mixture needs."""


@dataclass(frozen=True, slots=True, eq=False)
class Coordinates:
    """Mixtures near a start as free vectors (K + 2 K D,), and back.

    >>> start = DiagGMM([0.5, 0.5], [[0.0], [4.0]], [[1.0], [4.0]])
    >>> where = Coordinates(start)
    >>> where.model(where.vector(start)).means.ravel()
    array([0., 4.])
    """

    start: DiagGMM

    def vector(self, model: DiagGMM) -> Floats:
        """(K + 2 K D,): log weights, means less the start's in its standard deviations, log variances."""
        moved = (model.means - self.start.means) / np.sqrt(self.start.variances)
        logs = np.log(np.maximum(model.weights, LEAST_WEIGHT))
        return np.concatenate([logs, moved.ravel(), np.log(model.variances).ravel()])

    def model(self, vector: Floats) -> DiagGMM:
        """The mixture at a vector; the sum of the log weights' exponentials does not matter."""
        logs, moved, log_variances = self._parts(vector)
        shares = np.exp(logs - logs.max())
        means = self.start.means + moved * np.sqrt(self.start.variances)
        return DiagGMM(shares / shares.sum(), means, np.exp(log_variances))

    def gradient(self, vector: Floats, stats: GMMStats) -> Floats:
        """Of the total log-likelihood, (K + 2 K D,), where ``stats`` were made under the mixture at the vector."""
        model = self.model(vector)
        n, means = stats.counts[:, None], model.means - stats.reference
        pull = stats.sums - n * means
        about = stats.squares - 2 * means * stats.sums + n * means**2
        of_means = pull / model.variances * np.sqrt(self.start.variances)
        of_log_variances = 0.5 * (about / model.variances - n)
        of_logs = stats.counts - stats.n_frames * model.weights
        return np.concatenate([of_logs, of_means.ravel(), of_log_variances.ravel()])

    def _parts(self, vector: Floats) -> tuple[Floats, Floats, Floats]:
        n_components, n_features = self.start.means.shape
        logs, moved, log_variances = np.split(vector, [n_components, n_components * (1 + n_features)])
        return logs, moved.reshape(n_components, n_features), log_variances.reshape(n_components, n_features)


class _Spent(Exception):
    """The passes that were allowed are used up; scipy asks only between iterations, which may take several."""


@one_blas_thread()
def fit_gradient(
    start: DiagGMM,
    batches: Sequence[Batch | BatchReference],
    *,
    max_passes: int,
    tol: float,
    floor: ArrayLike,
    min_count: float = MIN_COUNT,
    map: Mapper = map,
) -> Fit:
    """Maximise the likelihood by L-BFGS from ``start``, with at most ``max_passes`` passes over the frames.

    An iteration of L-BFGS may take several passes. An iteration that gains less than ``tol`` nats per frame ends the
    search, but L-BFGS may gain as little far from a maximum. A plain EM step therefore follows. If the EM step gains
    less than ``tol`` too, the fit is converged; otherwise L-BFGS begins again after it. Variances are at least
    ``floor`` ((D,) or a number above 0, in squared units of the frames). ``Fit.trace`` holds the best log-likelihood so
    far at each pass, in nats per frame. ``batches`` must be float64. ``map`` is called like the built-in ``map`` on the
    batches; it must return results in their order.

    Raises:
        FitError: No batches; a likelihood that is not finite.
        ConfigError: Batches in float32; a floor of 0, with which a variance would fall without end; a ``max_passes`` or
            ``tol`` out of range.

    >>> from speechgmm.gmm.layout import prepare
    >>> start = DiagGMM([0.5, 0.5], [[1.0], [8.0]], [[1.0], [1.0]])
    >>> frames = prepare([[0.0], [1.0], [9.0], [10.0]], precision="float64")
    >>> fit_gradient(start, frames, max_passes=50, tol=1e-9, floor=0.01).model.means.round(3).ravel()
    array([0.5, 9.5])
    """
    if not batches:
        raise FitError("no frames; expected at least one batch of them")
    if max_passes < 1 or not tol >= 0:
        raise ConfigError(f"max_passes {max_passes} and tol {tol:g}; expected at least 1, and 0 or more")
    if batches[0].precision != "float64":
        raise ConfigError(
            "precision float32 with gradients, whose line search would follow rounding; use float64 or auto"
        )
    if not (np.asarray(floor) > 0).all():
        raise ConfigError("a variance floor of 0 with gradients: nothing would hold a variance up; give one above 0")
    least = np.broadcast_to(np.asarray(floor, np.float64), start.means.shape)
    climb = _Climb(batches, map, max_passes, DiagGMM(start.weights, start.means, np.maximum(start.variances, least)))
    converged = False
    with suppress(_Spent):
        while not converged:
            climb.search(least, tol)
            gain = climb.step(least, min_count)
            converged = gain < max(tol, rounding_of(climb.trace[-1], "float64") / 2 if tol else 0)
    counts = climb.stats.counts
    return Fit(
        climb.best,
        tuple(climb.trace),
        converged=converged,
        fell=(),
        precision="float64",
        dead=dead_components(counts, min_count),
        resplit=(),
        floored=int(np.count_nonzero(climb.best.variances <= least * (1 + 1e-12))),
        n_frames=climb.stats.n_frames,
        counts=counts,
    )


@dataclass(slots=True)
class _Climb:
    """Passes over the frames, and the best mixture that they saw."""

    batches: Sequence[Batch | BatchReference]
    map: Mapper
    max_passes: int
    best: DiagGMM  # before the first pass: the start
    trace: list[float] = field(default_factory=list)
    stats: GMMStats = field(init=False)  # of the best mixture, once there was a pass

    def see(self, model: DiagGMM) -> tuple[float, GMMStats]:
        """The likelihood of a mixture in nats per frame, and its statistics. Raises _Spent where no pass is left."""
        if len(self.trace) == self.max_passes:
            raise _Spent
        stats = e_step(model.log_linear(), self.batches, self.map)
        value = stats.log_likelihood / stats.n_frames
        if not np.isfinite(value) and not self.trace:
            raise FitError(f"the objective is {value}: a frame lies too far from every component; look for outliers")
        better = not self.trace or value > self.trace[-1]  # never so where the search went so far that it is NaN
        if better:
            self.best, self.stats = model, stats
        self.trace.append(value if better else self.trace[-1])
        return value, stats

    def search(self, least: Floats, tol: float) -> None:
        """L-BFGS from the best mixture, until an iteration gains less than ``tol``."""
        from scipy.optimize import Bounds, minimize

        if not self.trace:
            self.see(self.best)
        where, known, origin = Coordinates(self.best), [(self.trace[-1], self.stats)], self.trace[-1]

        def cost(vector: Floats) -> tuple[float, Floats]:
            value, stats = known.pop() if known else self.see(where.model(vector))
            return origin - value, -where.gradient(vector, stats) / stats.n_frames

        vector = where.vector(self.best)
        free = self.best.n_components * (1 + self.best.n_features)
        lowest = np.concatenate([np.full(free, -np.inf), np.log(least).ravel()])
        highest = np.concatenate([np.full(free, np.inf), vector[free:] + FURTHEST])
        # ftol is a share of the cost's size or of 1: of a cost that begins at 0, it is in nats.
        options = {"maxfun": MANY, "maxiter": MANY, "ftol": tol, "gtol": 0.0, "maxcor": MEMORY}
        minimize(cost, vector, jac=True, method="L-BFGS-B", bounds=Bounds(lowest, highest), options=options)

    def step(self, least: Floats, min_count: float) -> float:
        """What a plain step of EM gains from the best mixture, in nats per frame."""
        before = self.trace[-1]
        posterior = ConjugatePrior.flat(*self.best.means.shape) + self.stats
        value, _ = self.see(posterior.mode(self.best, floor=least, min_count=min_count))
        return value - before
