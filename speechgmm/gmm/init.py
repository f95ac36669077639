"""Where EM starts from: binary splitting, k-means++ or random frames.

Owns the three starts and the subsample of frames they work on. Every choice is drawn from the given
generator. Refuses to run EM on all frames: that is ``fit_em``'s.
"""

from typing import Final, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from speechgmm.errors import ConfigError, FitError
from speechgmm.gmm.em import fit_em, split_components
from speechgmm.gmm.frames import Frames, FrameSource, Mapper, as_source, distinct_frames, moments
from speechgmm.gmm.layout import Precision, block_size, prepare
from speechgmm.gmm.model import DiagGMM
from speechgmm.gmm.prior import ConjugatePrior
from speechgmm.gmm.stats import GMMStats

Floats = NDArray[np.float64]
Start = Literal["split", "kmeans++", "random"]

FRAMES_PER_COMPONENT: Final = 100
"""In the subsample, which has 5000 frames at least: more move the start less than another seed does."""

EM_PER_LEVEL: Final = 4  # iterations after each doubling
LLOYD: Final = 5  # iterations of k-means

PERMUTED: Final = 2**22
"""Up to so many frames the subsample is the front of a permutation of all; of more it is drawn without one, which would
take 8 bytes a frame."""

_CELLS: Final = 2**20  # of a (frames, K) distance block


def initial_model(
    frames: ArrayLike | FrameSource,
    n_components: int,
    *,
    method: Start,
    rng: np.random.Generator,
    floor: Floats,
    weights: Floats | None = None,
    precision: Precision = "float32",
    map: Mapper = map,
) -> DiagGMM:
    """A mixture to start EM from, estimated on at most ``FRAMES_PER_COMPONENT`` frames per component.

    ``floor`` (D,) holds the variances from below. Frames of weight zero take no part. ``map`` reads the frames.

    Raises:
        FitError: Fewer distinct frames than components.
        ConfigError: An unknown method.

    >>> rng = np.random.default_rng(0)
    >>> frames = rng.normal(size=(100, 2))
    >>> initial_model(frames, 4, method="split", rng=rng, floor=np.full(2, 0.01))
    DiagGMM(n_components=4, n_features=2)
    """
    source = as_source(frames, weights)
    # The distinct frames come along, lest a corpus of copies leaves fewer than K different ones in the
    # subsample.
    chosen, sample, distinct = _subsample(source, n_components, rng, map)
    # In shares of an average frame: the start does not depend on what weights sum to.
    shares = np.ones(len(chosen))
    if source.weights is not None:
        shares = source.weights[chosen] / source.weights[chosen].mean()
    if method == "split":
        return _split(sample, shares, n_components, rng, floor, precision)
    if method == "kmeans++":
        return _kmeans(sample, shares, n_components, rng, floor)
    if method == "random":
        _, variance = moments(source, map=map)
        uniform = np.full(n_components, 1 / n_components)
        spread = np.tile(np.maximum(variance, floor), (n_components, 1))
        return DiagGMM(uniform, distinct.astype(np.float64), spread)
    raise ConfigError(f"start {method!r}; expected split, kmeans++ or random")


def subsample_size(n_components: int) -> int:
    """Frames that the start is estimated on, at most.

    >>> subsample_size(512)
    51200
    """
    return max(5000, FRAMES_PER_COMPONENT * n_components)


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
            f"{what} for {n_components} components; give it more frames (more audio), or set n_components to "
            f"at most {len(numbers)}"
        )
    beside = ~np.isin(numbers, order[:size])
    chosen = np.concatenate([order[:size], numbers[beside]])
    ascending = np.argsort(chosen)
    return chosen[ascending], np.concatenate([front, distinct[beside]])[ascending], distinct


def _split(
    frames: Frames,
    weights: Floats,
    n_components: int,
    rng: np.random.Generator,
    floor: Floats,
    precision: Precision,
) -> DiagGMM:
    """Binary splitting (Linde, Buzo & Gray 1980): from one Gaussian, split the heaviest and re-estimate."""
    mean, variance = moments(frames, weights)
    model = DiagGMM(np.ones(1), mean[None], np.maximum(variance, floor)[None])
    size = block_size(len(frames), frames.shape[1], n_components)
    batches = prepare(frames, weights=weights, precision=precision, block=size)
    while model.n_components < n_components:
        new = min(model.n_components, n_components - model.n_components)
        heaviest = np.argsort(-model.weights, kind="stable")[:new]
        model = split_components(model, heaviest.tolist(), rng.choice([-1.0, 1.0], size=(new, frames.shape[1])))
        prior = ConjugatePrior.flat(model.n_components, frames.shape[1])
        fit = fit_em(model, batches, prior, max_iter=EM_PER_LEVEL, tol=0.0, floor=floor, dead="resplit")
        model = fit.model
    return model


def _kmeans(frames: Frames, weights: Floats, n_components: int, rng: np.random.Generator, floor: Floats) -> DiagGMM:
    """k-means++ seeds (Arthur & Vassilvitskii 2007), a few Lloyd iterations, then each cluster's moments."""
    mean, variance = moments(frames, weights)
    scale = np.where(variance > 0, np.sqrt(variance), 1.0)
    points = (frames - mean) / scale
    seeds = [int(rng.choice(len(points), p=weights / weights.sum()))]
    nearest = np.full(len(points), np.inf)
    while len(seeds) < n_components:
        nearest = np.minimum(nearest, ((points - points[seeds[-1]]) ** 2).sum(axis=1))
        chances = weights * nearest
        if not chances.sum() > 0:
            raise FitError(f"k-means++ sees {len(seeds)} distinct frames for {n_components} components; take fewer")
        seeds.append(int(rng.choice(len(points), p=chances / chances.sum())))
    centres = points[seeds]
    for _ in range(LLOYD):
        counts, sums, _ = _cluster_sums(points, weights, centres)
        # A centre without points stays where it is.
        centres = np.divide(sums, counts[:, None], out=centres.copy(), where=counts[:, None] > 0)
    counts, sums, squares = _cluster_sums(points, weights, centres)
    spread = np.ones_like(centres)  # a cluster of nobody has the variance of all frames
    stats = GMMStats(counts, sums, squares, 0.0, float(counts.sum()))
    previous = DiagGMM(np.full(n_components, 1 / n_components), centres, spread)
    # A cluster of one frame has no variance: EM needs one to start from, so it gets at least a hundredth of
    # all frames'.
    start = (ConjugatePrior.flat(*centres.shape) + stats).mode(previous, floor=np.maximum(floor / scale**2, 0.01))
    # No weight starts at zero: EM could never revive it.
    shares = np.maximum(start.weights, 1e-3 / n_components)
    return DiagGMM(shares / shares.sum(), mean + scale * start.means, scale**2 * start.variances)


def _cluster_sums(points: Floats, weights: Floats, centres: Floats) -> tuple[Floats, Floats, Floats]:
    """Weighted counts (K,), sums (K, D) and sums of squares (K, D) of the points nearest to each centre."""
    n_components, n_features = centres.shape
    counts, sums, squares = (
        np.zeros(n_components),
        np.zeros(centres.shape),
        np.zeros((n_components, n_features)),
    )
    norms = (centres**2).sum(axis=1)
    step = max(1, _CELLS // n_components)
    for start in range(0, len(points), step):
        block, shares = points[start : start + step], weights[start : start + step]
        labels = (norms - 2 * block @ centres.T).argmin(axis=1)
        membership = np.zeros((len(block), n_components))
        membership[np.arange(len(block)), labels] = shares
        counts += membership.sum(axis=0)
        sums += membership.T @ block
        squares += membership.T @ block**2
    return counts, sums, squares
