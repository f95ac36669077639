"""The E-step of a mixture with full covariances, and scoring under several such mixtures.

Owns the pass over frames: blocks of some hundred frames, in which every covariance takes one product for the scores and
one for the statistics. float64 throughout. Refuses to estimate, and to hold a (K, T) array for more than one block.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial, reduce
from math import ceil
from operator import add
from typing import Final

import numpy as np
from numpy.typing import ArrayLike

from speechgmm.gmm.frames import FrameSource, Mapper, Stretch
from speechgmm.gmm.full_model import FullGMM, Whitened
from speechgmm.gmm.full_stats import FullStats
from speechgmm.gmm.layout import BATCH, Precision
from speechgmm.gmm.likelihoods import check_dimensions, frame_blocks, log_sums
from speechgmm.gmm.model import Floats

CELLS: Final = 20_000
"""Values of the frames that go through at once, at least 128 frames: 160 kB, which stays in the L2 cache."""

LEAST_POSTERIOR: Final = 1e-17
"""A posterior below this share of a frame has no part in the statistics, whose rounding is larger."""


@dataclass(frozen=True, slots=True, eq=False)
class RowBatch:
    """Frames ready for the E-step: rows x - centre in float64."""

    rows: Floats  # (N, D)
    weights: Floats  # (N,)
    centre: Floats  # (D,)
    n_frames: float  # sum of the frames' weights

    @property
    def precision(self) -> Precision:
        """What the products are computed in."""
        return "float64"

    def load(self) -> "RowBatch":
        """The batch itself: it is in memory."""
        return self


@dataclass(frozen=True, slots=True, eq=False)
class RowReference:
    """A batch that is read each time it is used; small enough to be sent to whoever uses it."""

    frames: Stretch
    centre: Floats  # (D,)

    @property
    def precision(self) -> Precision:
        """What the products are computed in."""
        return "float64"

    def load(self) -> RowBatch:
        """The batch; the same bytes each time."""
        weights = self.frames.shares()
        return RowBatch(self.frames.load() - self.centre, weights, self.centre, float(weights.sum()))


def row_batches(source: FrameSource, centre: Floats) -> tuple[RowReference, ...]:
    """All frames in nearly equal batches of ``BATCH`` frames at most, cut where N says.

    >>> from speechgmm.gmm.frames import as_source
    >>> [batch.frames.take for batch in row_batches(as_source(np.zeros((20_000, 1))), np.zeros(1))]
    [6667, 6667, 6666]
    """
    step = ceil(len(source) / ceil(len(source) / BATCH))
    return tuple(RowReference(part, centre) for part in source.stretches(step))


def accumulate_full(whitened: Whitened, batch: RowBatch | RowReference) -> FullStats:
    """The statistics of a batch under a mixture: the E-step. They are about the batch's centre.

    Raises ShapeError where frames and mixture differ in dimension.

    >>> density = FullGMM([1.0], [[0.0, 0.0]], [np.eye(2)]).whitened()
    >>> batch = RowBatch(np.array([[1.0, 2.0], [3.0, 4.0]]), np.ones(2), np.zeros(2), 2.0)
    >>> accumulate_full(density, batch).products
    array([[[10., 14.],
            [14., 20.]]])
    """
    batch = batch.load()
    n_components, n_features = whitened.offsets.shape
    check_dimensions(batch.rows, n_features)
    density = whitened.about(batch.centre)
    counts, sums = np.zeros(n_components), np.zeros((n_components, n_features))
    products = np.zeros(whitened.factors.shape)
    log_likelihood = 0.0
    size = max(128, CELLS // n_features)
    for first in range(0, len(batch.rows), size):
        rows, weights = batch.rows[first : first + size], batch.weights[first : first + size]
        posteriors = density.scores(rows)
        peaks = posteriors.max(axis=0)
        posteriors -= peaks
        np.exp(posteriors, out=posteriors)
        totals = posteriors.sum(axis=0)
        log_likelihood += float(weights @ (peaks + np.log(totals)))
        posteriors *= weights / totals
        counts += posteriors.sum(axis=1)
        sums += posteriors @ rows
        for number, product in enumerate(products):
            own = density.members(number)
            shares = posteriors[own].sum(axis=0) if own.stop - own.start > 1 else posteriors[own.start]
            there = np.flatnonzero(shares > LEAST_POSTERIOR * weights)
            some = rows if len(there) == len(rows) else rows.take(there, axis=0)
            product += (some * shares.take(there)[:, None]).T @ some
    return FullStats(counts, sums, products, log_likelihood, batch.n_frames, batch.centre)


@dataclass(frozen=True, slots=True, eq=False)
class FullStack:
    """C mixtures with full covariances, to score frames under all of them."""

    densities: tuple[Whitened, ...]
    centre: Floats  # (D,)

    @classmethod
    def of(cls, models: Sequence[FullGMM]) -> "FullStack":
        """Lay out mixtures of the same dimension; the reference is the mean of their means.

        >>> models = [FullGMM([1.0], [[mean]], [[[1.0]]]) for mean in (0.0, 1.0)]
        >>> FullStack.of(models).log_likelihoods([[0.0]]).round(4)
        array([[-0.9189],
               [-1.4189]])
        """
        centre: Floats = np.mean([model.centre() for model in models], axis=0)
        return cls(tuple(model.whitened(centre) for model in models), centre)

    def log_likelihoods(self, frames: ArrayLike) -> Floats:
        """Log p(x) of every frame (T, D) under every mixture, in nats: (C, T) float64.

        Raises:
            ShapeError: Frames that are not (T, D), with D as in the mixtures.
        """
        values = check_dimensions(frames, len(self.centre))
        found = np.empty((len(self.densities), len(values)))
        most = max(len(density.const) for density in self.densities)
        for part in frame_blocks(len(values), most):
            with np.errstate(over="ignore", invalid="ignore"):
                rows = values[part] - self.centre
                for number, density in enumerate(self.densities):
                    log_sums(density.scores(rows)[None], out=found[number : number + 1, part])
        return found


@dataclass(frozen=True, slots=True)
class FullPasses:
    """Passes over all frames; a batch that is not in memory is read, used and let go."""

    batches: Sequence[RowBatch | RowReference]
    map: Mapper

    def full(self, model: FullGMM, *, survey: bool) -> FullStats:
        """Every frame under every component."""
        if survey:
            raise ValueError("full covariances have no sparse E-step")
        density = model.whitened(self.batches[0].centre)
        found: FullStats = reduce(add, self.map(partial(accumulate_full, density), self.batches))
        return found
