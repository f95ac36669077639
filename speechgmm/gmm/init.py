"""Where EM starts from: k-means++, binary splitting or random frames.

Owns the three starts, the subsample of frames they work on, and the choice among several. Every choice is drawn from
the given generator. Refuses to run EM on all frames: that is ``fit_em``'s.
"""

from collections.abc import Sequence
from math import comb
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from speechgmm.errors import ConfigError, FitError
from speechgmm.gmm.component_count import FRAMES_PER_COMPONENT, components_for
from speechgmm.gmm.em import Fit, fit_em
from speechgmm.gmm.frames import CHUNK, Frames, FrameSource, Mapper, as_source, moments
from speechgmm.gmm.kmeans import kmeans_mixture
from speechgmm.gmm.layout import Batch, Precision, block_size, prepare
from speechgmm.gmm.model import DiagGMM
from speechgmm.gmm.options import LEAST_IN_FLOAT32, Start
from speechgmm.gmm.prior import ConjugatePrior
from speechgmm.gmm.protocols import Mixture
from speechgmm.gmm.splitting import grown

Floats = NDArray[np.float64]

SAMPLED: Final = 100
"""Frames per component in the subsample, which has 5000 at least: more move the start less than another seed does."""

EM_PER_LEVEL: Final = 4  # iterations after each doubling

CLIMB: Final = 8
"""Iterations of EM after which the better half of several starts goes on."""

STARTS: Final = 4
"""Starts by default, where there are frames enough to tell them apart and few components."""

MOST_STARTS: Final = 1000
"""All starts are kept until the best is known."""

FRAMES_TO_CHOOSE: Final = 15
"""Frames per component and start. With fewer, the likeliest start is often one that overfits the frames."""

COMPONENTS_TO_CHOOSE: Final = 128
"""Starts times components at most by default: of many components, one start is much like another."""

FLOOR_OF_START: Final = 0.01
"""Share of the variance, of all frames while components are split and within components while starts climb."""

PERMUTED: Final = 2**22
"""Up to so many frames the subsample is the front of a permutation of all; of more it is drawn without one, which would
take 8 bytes a frame."""


def initial_model(
    frames: ArrayLike | FrameSource,
    n_components: int,
    *,
    method: Start,
    rng: np.random.Generator,
    floor: ArrayLike = 0.0,
    weights: Floats | None = None,
    n_init: int | None = 1,
    map: Mapper = map,
) -> DiagGMM:
    """A mixture to start EM from, estimated on at most ``SAMPLED`` frames per component.

    Each of ``n_init`` starts (None: ``default_starts``) gets some iterations of EM on these frames. The likelier half
    then gets twice as many iterations, and so on until one start is left. Variances are at least ``floor`` ((D,) or a
    number, in squared units of the frames). Frames of weight zero are not used. ``map`` is called like the built-in
    ``map`` to read the frames; it must return results in order.

    Raises:
        FitError: Fewer distinct frames than components.
        ConfigError: An unknown method; ``n_init`` that is no whole number above 0, or is above ``MOST_STARTS`` or the
            number of ways to choose the frames of the components.

    >>> rng = np.random.default_rng(0)
    >>> frames = rng.normal(size=(100, 2))
    >>> initial_model(frames, 4, method="split", rng=rng)
    DiagGMM(n_components=4, n_features=2)
    """
    if method not in ("kmeans++", "split", "random"):
        raise ConfigError(f"start {method!r}; expected kmeans++, split or random")
    if n_init is not None and (not isinstance(n_init, (int, np.integer)) or isinstance(n_init, bool) or n_init < 1):
        raise ConfigError(f"n_init {n_init!r}; expected a whole number of starts, 1 or more, or None")
    if n_init is not None and n_init > MOST_STARTS:
        raise ConfigError(
            f"n_init {n_init}; expected at most {MOST_STARTS} starts: all are kept until the best is known"
        )
    source = as_source(frames, weights)
    if n_init is not None and n_init > comb(len(source), n_components) > 0:
        raise ConfigError(
            f"n_init {n_init}; {len(source)} frames have only {comb(len(source), n_components)} different starts of "
            f"{n_components} components"
        )
    least = np.broadcast_to(np.asarray(floor, dtype=np.float64), (source.n_features,))
    numbers, sample, distinct = _subsample(source, n_components, rng, map)
    # In shares of an average frame: the start does not depend on what weights sum to.
    shares = np.ones(len(numbers))
    if source.weights is not None:
        shares = source.weights[numbers] / source.weights[numbers].mean()
    chosen = default_starts(len(source), n_components) if n_init is None else int(n_init)

    def start(number: int) -> DiagGMM:
        if method == "split":
            return _split(sample, shares, n_components, rng, least)
        if method == "kmeans++":
            return kmeans_mixture(sample, shares, n_components, rng, least)
        _, variance = moments(sample, shares)
        means = distinct if number == 0 else sample[rng.permutation(len(sample))[:n_components]]
        spread = np.tile(np.maximum(variance, least), (n_components, 1))
        return DiagGMM(np.full(n_components, 1 / n_components), means.astype(np.float64), spread)

    return _likeliest([start(number) for number in range(chosen)], sample, shares, least)


def default_starts(n_frames: int, n_components: int) -> int:
    """The default number of starts: up to ``STARTS``, fewer for few frames or many components.

    >>> default_starts(5000, 16), default_starts(500, 16), default_starts(10**6, 256)
    (4, 2, 1)
    """
    if n_components == 1:
        return 1
    most = min(STARTS, n_frames // (FRAMES_TO_CHOOSE * n_components), COMPONENTS_TO_CHOOSE // n_components)
    return max(1, most)


def within_variance(model: Mixture) -> Floats:
    """The variance (D,) within components: the geometric mean by weight, which a wide component does not carry away.

    >>> within_variance(DiagGMM([0.5, 0.5], [[0.0], [9.0]], [[1.0], [100.0]])).round(9)
    array([10.])
    """
    found: Floats = np.exp(model.weights @ np.log(model.marginal_variances))
    return found


def _likeliest(starts: list[DiagGMM], frames: Frames, weights: Floats, floor: Floats) -> DiagGMM:
    """The start that climbs highest on these frames: the likelier half goes on, for twice as many iterations."""
    if len(starts) == 1:
        return starts[0]
    mean, variance = moments(frames, weights)
    scale = np.sqrt(np.where(variance > 0, variance, 1.0))
    narrowest = min(float((start.variances / scale**2).min()) for start in starts)
    precision: Precision = "float32" if narrowest >= LEAST_IN_FLOAT32 else "float64"
    size = block_size(len(frames), frames.shape[1], starts[0].n_components)
    batches = prepare(frames, centre=mean, scale=scale, weights=weights, precision=precision, block=size)
    within = np.min([within_variance(start) for start in starts], axis=0)
    least = np.maximum(floor, FLOOR_OF_START * within)
    n_iter = CLIMB
    while len(starts) > 1:
        fits = [_climb(start, batches, least, n_iter) for start in starts]
        best = sorted(range(len(fits)), key=lambda number: -fits[number].trace[-1])  # of equals the first
        starts = [fits[number].model for number in sorted(best[: len(fits) // 2])]
        n_iter *= 2
    return starts[0]


def _climb(start: DiagGMM, batches: Sequence[Batch], floor: Floats, n_iter: int) -> Fit:
    prior = ConjugatePrior.flat(*start.means.shape)
    return fit_em(start, batches, prior, max_iter=n_iter, tol=0.0, floor=floor, overrelaxed=True)


def subsample_size(n_components: int) -> int:
    """The largest number of frames on which a start is estimated.

    >>> subsample_size(512)
    51200
    """
    return max(5000, SAMPLED * n_components)


def _subsample(
    source: FrameSource, n_components: int, rng: np.random.Generator, map: Mapper
) -> tuple[NDArray[np.intp], Frames, Frames]:
    """Numbers of the chosen frames, ascending; the frames; and the first K distinct ones in the order of drawing."""
    size = subsample_size(n_components)
    drawn = source.weights is None and len(source) > PERMUTED and size < len(source)
    order = rng.choice(len(source), size, replace=False) if drawn else rng.permutation(len(source))
    if source.weights is not None:
        order = order[source.weights[order] > 0]
    front = source.rows(order[:size], map=map)
    numbers, distinct = distinct_frames(source, order, n_components, front)
    if drawn and len(numbers) < n_components:  # nearly all copies: look at all of them, in any order
        numbers, distinct = distinct_frames(source, rng.permutation(len(source)), n_components)
    if len(numbers) < n_components:
        n_usable = len(source) if drawn else len(order)
        what = f"{n_usable} frames"
        if len(numbers) < n_usable:
            what = f"{len(numbers)} distinct frames of {n_usable}"
        raise FitError(
            f"{what} for {n_components} components; give it more frames (more audio), or set n_components to at most "
            f"{components_for(max(1, len(numbers)), n_components)}, one for each {FRAMES_PER_COMPONENT} frames"
        )
    beside = ~np.isin(numbers, order[:size])
    chosen = np.concatenate([order[:size], numbers[beside]])
    ascending = np.argsort(chosen)
    return chosen[ascending], np.concatenate([front, distinct[beside]])[ascending], distinct


def distinct_frames(
    source: FrameSource, order: NDArray[np.intp], at_most: int, known: Frames | None = None
) -> tuple[NDArray[np.intp], Frames]:
    """Numbers and values of the first ``at_most`` different frames in the given order; fewer if there are fewer.

    Looks no further than it must: a corpus is rarely all copies. ``known`` are frames of the front of the order that
    have been read already. Raises FitError where the order is empty.

    >>> distinct_frames(as_source([[1.0], [1.0], [2.0]]), np.arange(3), 5)[0]
    array([0, 2])
    """
    n_known = 0 if known is None else len(known)
    numbers = np.empty(0, np.intp)
    rows: Frames | None = None
    looked_at, step = 0, 2 * at_most
    while len(numbers) < at_most and looked_at < len(order):
        stop = min(looked_at + step, len(order))
        if looked_at < n_known:
            stop = min(stop, n_known)
        fresh = source.rows(order[looked_at:stop]) if known is None or looked_at >= n_known else known[looked_at:stop]
        seen = fresh if rows is None else np.concatenate([rows, fresh])
        _, first = np.unique(seen, axis=0, return_index=True)
        first = np.sort(first)[:at_most]
        numbers = np.concatenate([numbers, order[looked_at:stop]])[first]
        rows = seen[first]
        looked_at, step = stop, min(4 * step, CHUNK)
    if rows is None:
        raise FitError("no frames; expected at least one")
    return numbers, rows


def _split(frames: Frames, weights: Floats, n_components: int, rng: np.random.Generator, floor: Floats) -> DiagGMM:
    """Binary splitting (Linde, Buzo & Gray 1980): from one Gaussian, split the heaviest and re-estimate."""
    mean, variance = moments(frames, weights)
    floor = np.maximum(floor, FLOOR_OF_START * variance)
    model = DiagGMM(np.ones(1), mean[None], np.maximum(variance, floor)[None])
    size = block_size(len(frames), frames.shape[1], n_components)
    batches = prepare(frames, weights=weights, block=size)
    while model.n_components < n_components:
        model = grown(model, min(2 * model.n_components, n_components), rng)
        prior = ConjugatePrior.flat(model.n_components, frames.shape[1])
        fit = fit_em(model, batches, prior, max_iter=EM_PER_LEVEL, tol=0.0, floor=floor, dead="resplit")
        model = fit.model
    return model
