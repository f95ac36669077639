"""Log-likelihoods of frames, under one mixture or many at once.

Owns scoring: which precision is enough for it, and how mixtures are laid out for it. numpy alone: numba takes
half a second to import, and only training is worth it. Refuses posteriors: ``density`` has them.

As in the E-step, frames are centred and scaled and become columns [z, z², 1]; one product per block of mixtures
gives log p(k, x) of all their components. The exponential is taken in the product's precision, the logarithm and
all that follows in float64.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from math import ceil
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from speechgmm.compiler import Engine
from speechgmm.errors import DataError, ShapeError
from speechgmm.gmm.layout import Block, Precision
from speechgmm.gmm.model import NO_PART, DiagGMM, LogLinear

Floats = NDArray[np.float64]

MOST_IN_FLOAT32: Final = 2000.0
"""The most that may cancel within a component, sum of (mean / standard deviation)² about the common centre, in float32.

log p(k, x) near the component's mean is the small difference of terms of this size, each rounded by 6e-8 of itself: a
frame's score is then wrong by some 1e-4 nats. In the recipes' models 400 to 900 cancel, in 48 dimensions at the default
variance floor 1200. What training asks, variances above 1e-3 of the data's, would let 40,000 pass.
"""

FEWEST_IN_FLOAT32: Final = 64
"""Components in all below which float32 saves next to nothing: calls cost more than products."""

WORTH_COMPILING: Final = 1_000_000_000
"""Frames times components in all from which on the engine ``numba`` saves more than its import takes."""

_CELLS: Final = 2**18  # of a (components, frames) block: 1 MiB of float32, which stays in the L2 cache
_FRAMES: Final = 512  # of a block, at most


@dataclass(frozen=True, slots=True, eq=False)
class Space:
    """Centre and scale of mixtures: frames are centred and scaled by them before they are rounded to float32."""

    centre: Floats  # (D,)
    scale: Floats  # (D,), above 0

    @classmethod
    def of(cls, models: Sequence[DiagGMM]) -> "Space":
        """Mean and standard deviation of the average of these mixtures.

        >>> space = Space.of([DiagGMM([1.0], [[mean]], [[3.0]]) for mean in (4.0, 6.0)])
        >>> space.centre, space.scale
        (array([5.]), array([2.]))
        """
        weights = np.concatenate([model.weights for model in models]) / len(models)
        means = np.concatenate([model.means for model in models])
        centre = weights @ means / weights.sum()
        variance = weights @ (np.concatenate([model.variances for model in models]) + (means - centre) ** 2)
        return cls(centre, np.sqrt(variance))

    def factors(self, log_linear: LogLinear) -> Floats:
        """(K, 2D+1) factors whose product with ``columns`` is log p(k, x): the density of x, without a Jacobian."""
        here = log_linear.about(self.centre)
        const = np.maximum(here.const, NO_PART)[:, None]
        return np.concatenate([self.scale * here.linear, self.scale**2 * here.quadratic, const], axis=1)

    def columns(self, frames: Block, dtype: np.dtype[np.floating]) -> Block:
        """(2D+1, T): [z, z², 1] of frames (T, D)."""
        z = ((frames - self.centre) / self.scale).T
        return np.concatenate([z, z**2, np.ones((1, len(frames)))]).astype(dtype)


def precision_for(factors: Floats) -> Precision:
    """float32 where it is safe (``MOST_IN_FLOAT32``) and pays (``FEWEST_IN_FLOAT32``) for factors (K, 2D+1).

    >>> means = np.linspace(-1, 1, 100)[:, None]
    >>> wide, narrow = (DiagGMM(np.full(100, 0.01), means, np.full((100, 1), v)) for v in (1.0, 1e-4))
    >>> [precision_for(Space.of([model]).factors(model.log_linear())) for model in (wide, narrow)]
    ['float32', 'float64']
    """
    return "float32" if len(factors) >= FEWEST_IN_FLOAT32 and is_safe_in_float32(factors) else "float64"


def is_safe_in_float32(factors: Floats, most: float = MOST_IN_FLOAT32) -> bool:
    """Whether no more than ``most`` cancels within any component of factors (K, 2D+1).

    >>> [is_safe_in_float32(np.array([[mean, -0.5, 0.0]])) for mean in (1.0, 100.0)]
    [True, False]
    """
    linear, quadratic = np.split(factors[:, :-1], 2, axis=1)
    # A factor that underflows to 0 is no reason for float32: NaN and infinity fail the comparison.
    with np.errstate(all="ignore"):
        cancelled = (linear**2 / (-2 * quadratic)).sum(axis=1)
    return bool((cancelled <= most).all() and np.abs(factors[:, :-1]).max() < 1e30)


@dataclass(frozen=True, slots=True, eq=False)
class Stack:
    """C mixtures laid out for scoring; mixtures with the same number of components are side by side."""

    factors: Block  # (sum of K, 2D+1)
    numbers: NDArray[np.intp]  # (C,) which mixture comes where
    sizes: NDArray[np.intp]  # (C,) components of each, in that order: ascending
    space: Space
    engine: Engine = "numpy"

    @classmethod
    def of(
        cls, models: Sequence[DiagGMM], *, space: Space | None = None, precision: Precision | None = None
    ) -> "Stack":
        """Lay out mixtures of the same dimension; ``precision`` None: ``precision_for`` chooses it.

        >>> models = [DiagGMM([1.0], [[mean]], [[1.0]]) for mean in (0.0, 1.0)]
        >>> Stack.of(models).log_likelihoods([[0.0]]).round(4)
        array([[-0.9189],
               [-1.4189]])
        """
        where = Space.of(models) if space is None else space
        numbers = np.argsort([model.n_components for model in models], kind="stable")
        factors = np.concatenate([where.factors(models[number].log_linear(where.centre)) for number in numbers])
        sizes = np.array([models[number].n_components for number in numbers])
        return cls(factors.astype(precision or precision_for(factors)), numbers, sizes, where)

    def suited_to(self, n_frames: int) -> "Stack":
        """The same stack with the engine that scores ``n_frames`` frames in the shortest time, compilation included.

        Once compiled, the engine ``numba`` takes two thirds of the time of ``numpy``, and agrees within rounding.

        >>> stack = Stack.of([DiagGMM([1.0], [[0.0]], [[1.0]])])
        >>> stack.suited_to(WORTH_COMPILING - 1).engine, stack.suited_to(WORTH_COMPILING).engine
        ('numpy', 'numba')
        """
        return replace(self, engine="numba" if n_frames * len(self.factors) >= WORTH_COMPILING else "numpy")

    def log_likelihoods(self, frames: ArrayLike) -> Floats:
        """Log p(x) of every frame (T, D) under every mixture, in nats: (C, T) float64.

        In float32 the score of a frame is rounded by about 1e-5 nats, or by 6e-8 of its value for a frame far from all
        components. It depends by as much on the frames scored beside it. For real speech the relative rounding of the
        mean over half a second is usually below 1e-7 (median 3e-8, worst of 120 recordings 1.4e-7).

        Raises:
            ShapeError: Frames that are not (T, D), with D as in the mixtures.
        """
        values = check_dimensions(frames, len(self.space.centre))
        found = np.empty((len(self.sizes), len(values)))
        largest = int(self.sizes[-1])
        for part in frame_blocks(len(values), largest):
            # What overflows ends as NaN or infinity in that frame's score, where it cannot be overlooked.
            with np.errstate(over="ignore", invalid="ignore"):
                columns = self.space.columns(values[part], self.factors.dtype)
                self._score_block(columns, found[:, part], _log_sums(self.engine))
        result = np.empty_like(found)
        result[self.numbers] = found
        return result

    def _score_block(self, columns: Block, found: Floats, log_sums: Callable[[Block, Floats], None]) -> None:
        """Log p(x) of all mixtures, in the stack's order, for the columns of one block of frames."""
        n_frames = columns.shape[1]
        room = max(min(_CELLS, len(self.factors) * n_frames), int(self.sizes[-1]) * n_frames)
        scores = np.empty(room, columns.dtype)
        first = row = 0
        while first < len(self.sizes):
            size = int(self.sizes[first])
            alike = int(np.searchsorted(self.sizes, size, side="right")) - first
            count = min(alike, max(1, _CELLS // (size * n_frames)))
            block = scores[: count * size * n_frames].reshape(count * size, n_frames)
            np.dot(self.factors[row : row + count * size], columns, out=block)
            log_sums(block.reshape(count, size, n_frames), found[first : first + count])
            first, row = first + count, row + count * size


def _log_sums(engine: Engine) -> Callable[[Block, Floats], None]:
    if engine == "numpy":
        return log_sums
    from speechgmm.gmm.compiled_scoring import compiled_log_sums

    return compiled_log_sums


def log_sums(scores: Block, out: Floats) -> None:
    """Log of the sum of exp(scores (C, K, T)) over K, into (C, T) float64; the scores are overwritten."""
    peaks = scores.max(axis=1)
    scores -= peaks[:, None]
    if scores.dtype == np.float64:
        # exp(-700) is nothing beside the peak's 1, and below it float64 is slow (float32 is not).
        np.maximum(scores, -700, out=scores)
    np.exp(scores, out=scores)
    np.log(scores.sum(axis=1), out=out, dtype=np.float64)
    out += peaks


def frame_means(log_likelihoods: Floats) -> Floats:
    """The means (C,) of log-likelihoods (C, T), in nats per frame.

    Raises:
        DataError: No frames, or one whose value is NaN or infinite.
    """
    if log_likelihoods.shape[1] == 0:
        raise DataError("no frames to score; expected at least one: is the recording shorter than a frame?")
    means: Floats = log_likelihoods.mean(axis=1)
    if not np.isfinite(means).all():
        raise DataError("frames with a value that is NaN, infinite or out of range; expected finite numbers")
    return means


def frame_blocks(n_frames: int, n_components: int) -> Iterator[slice]:
    """Nearly equal blocks of frames, so small that the scores of one mixture stay in the cache.

    >>> [(part.start, part.stop) for part in frame_blocks(1000, 64)]
    [(0, 500), (500, 1000)]
    """
    most = min(_FRAMES, max(64, _CELLS // n_components))
    count = ceil(n_frames / most)
    for number in range(count):
        yield slice(number * n_frames // count, (number + 1) * n_frames // count)


def check_dimensions(frames: ArrayLike, n_features: int) -> Block:
    """Frames as an array (T, D). Raises ShapeError where they are not of ``n_features`` dimensions."""
    values = np.asarray(frames)
    if values.ndim != 2 or values.shape[1] != n_features:
        raise ShapeError(
            f"frames of shape {values.shape} for mixtures of {n_features} dimensions; expected (T, {n_features})"
        )
    return values


def stacked_log_likelihoods(log_linear: LogLinear, sizes: tuple[int, ...], frames: ArrayLike) -> Floats:
    """Log p(x) of every frame (T, D) under C mixtures at once, in nats: (C, T) float64.

    ``log_linear`` holds the components of all mixtures, one mixture after another. ``sizes`` (C,) are the numbers of
    components of the mixtures. All products are float64, so that a score depends on the frames scored beside it only by
    rounding. The frames may lie far from zero if the reference of ``log_linear`` is near them.

    Raises:
        ShapeError: Frames that are not (T, D), with D as in the mixtures; sizes that do not add up to all components.

    >>> two = LogLinear(np.zeros(3), np.zeros((3, 1)), np.full((3, 1), -1.0))
    >>> stacked_log_likelihoods(two, (1, 2), [[0.0]]).round(4)
    array([[0.    ],
           [0.6931]])
    """
    n_components, n_features = log_linear.linear.shape
    values = check_dimensions(frames, n_features)
    if sum(sizes) != n_components or min(sizes) < 1:
        raise ShapeError(f"{n_components} components for mixtures of {sizes}; expected one or more each, and the sum")
    space = Space(log_linear.reference, np.ones(n_features))
    numbers = np.argsort(sizes, kind="stable")
    parts = np.split(space.factors(log_linear), np.cumsum(sizes)[:-1])
    factors = np.concatenate([parts[number] for number in numbers])
    return Stack(factors, numbers, np.array(sizes)[numbers], space).log_likelihoods(values)
