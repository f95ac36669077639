"""How many Gaussians each class gets, and the mixtures of many small classes under one prior.

Owns what classes with few frames borrow from the others: Gaussians by occupancy, variances by a shared prior. Refuses
to know what the rows are: frames, thirds of segments, segments as vectors.
"""

import heapq
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from speechgmm.errors import ConfigError, FitError, ShapeError
from speechgmm.features.transforms import class_moments
from speechgmm.gmm.em import fit_em
from speechgmm.gmm.fit import class_rng, fit_mixture
from speechgmm.gmm.frames import as_source, moments
from speechgmm.gmm.init import distinct_frames
from speechgmm.gmm.layout import block_size, prepare
from speechgmm.gmm.model import DiagGMM
from speechgmm.gmm.options import MAX_ITER, TOL, EMOptions
from speechgmm.gmm.prior import ConjugatePrior

Floats = NDArray[np.float64]


def components_by_occupancy(
    counts: ArrayLike, budget: int, power: float = 0.25, min_count: float = 0.0
) -> NDArray[np.intp]:
    """How many Gaussians each class gets of a budget: one each, and every further one where counts^power per Gaussian
    is highest (Kaldi, model-common, GetSplitTargets).

    counts (C,) frames -> (C,). No class gets a second Gaussian that leaves it with `min_count` frames or fewer per
    Gaussian, so that the sum may stay below the budget; it exceeds it only where there are more classes. Equal claims
    go to the first class.

    Raises:
        ShapeError: Counts that are not (C,).
        ConfigError: Counts, a power or a min_count below 0.

    >>> components_by_occupancy([10, 160, 2560], budget=7).tolist()
    [1, 2, 4]
    """
    occupancy = np.asarray(counts, dtype=np.float64)
    if occupancy.ndim != 1:
        raise ShapeError(f"counts of shape {occupancy.shape}; expected (C,), frames per class")
    if not (np.isfinite(occupancy).all() and (occupancy >= 0).all() and power >= 0 and min_count >= 0):
        raise ConfigError(f"counts from {occupancy.min()}, power {power}, min_count {min_count}; expected 0 or more")
    claims = occupancy**power
    sizes = np.ones(len(occupancy), dtype=np.intp)
    queue = [(-claim, k) for k, claim in enumerate(claims) if occupancy[k] > 0]
    heapq.heapify(queue)
    left = budget - len(sizes)
    while left > 0 and queue:
        _, k = heapq.heappop(queue)
        if (sizes[k] + 1) * min_count >= occupancy[k]:
            continue
        sizes[k] += 1
        left -= 1
        heapq.heappush(queue, (-claims[k] / sizes[k], k))
    return sizes


def fit_mixtures(
    rows: NDArray[Any],
    classes: NDArray[np.intp],
    names: Sequence[str],
    sizes: ArrayLike,
    *,
    prior_count: float,
    variance_floor: float,
    options: EMOptions | None = None,
    seed: int = 0,
) -> tuple[DiagGMM, ...]:
    """One mixture per class, its variances drawn to those that all classes share.

    rows (N, D) of classes (N,), numbers of the C names; sizes (C,) Gaussians each. Maximum likelihood by ``fit_gmm``,
    then EM to the mode under a prior worth `prior_count` rows in every Gaussian whose variance is that within all
    classes (Gauvain & Lee 1994, with weights and means left free); 0 is maximum likelihood. `variance_floor` is a
    share of the variance of all rows; `options` are those of EM, without a floor. Every class has its own random
    generator from seed and name. A class has no more Gaussians than rows that differ: digital silence is many times
    the same row.

    Raises:
        FitError, ShapeError: See ``fit_gmm``; the message names the class.

    >>> rows = np.random.default_rng(0).normal(size=(60, 2))
    >>> fit_mixtures(rows, np.arange(60) % 2, ["a", "b"], [1, 2], prior_count=5, variance_floor=0.01)
    (DiagGMM(n_components=1, n_features=2), DiagGMM(n_components=2, n_features=2))
    """
    counts = np.bincount(classes, minlength=len(names))
    within = np.diag(class_moments(rows, classes, len(names)).within) / len(rows)
    floor = variance_floor * moments(rows)[1]
    options = replace(options or EMOptions(max_iter=MAX_ITER, tol=TOL), floor=floor)
    order, ends = np.argsort(classes, kind="stable"), np.cumsum(counts)
    models = []
    for name, size, end, count in zip(names, np.asarray(sizes).tolist(), ends, counts, strict=True):
        own = rows[order[end - count : end]]
        try:
            source = as_source(own)
            size = len(distinct_frames(source, np.arange(len(own)), size)[0])
            start = fit_mixture(source, size, options, seed=class_rng(seed, name)).model
            drawn = _drawn_to(start, own, within, prior_count, options) if prior_count else start
        except (FitError, ShapeError) as error:
            raise type(error)(f"class {name}: {error}") from None
        models.append(drawn)
    return tuple(models)


def _drawn_to(start: DiagGMM, rows: NDArray[Any], within: Floats, prior_count: float, options: EMOptions) -> DiagGMM:
    nothing, zero = np.zeros(start.n_components), np.zeros(start.means.shape)
    prior = ConjugatePrior(
        weight_counts=nothing,
        mean_counts=nothing,
        variance_counts=np.full(start.n_components, float(prior_count)),
        means=zero,
        scatter=zero + prior_count * within,
    )
    batches = prepare(
        rows,
        centre=rows.mean(axis=0, dtype=np.float64),
        scale=np.sqrt(np.maximum(within, np.asarray(options.floor))),
        precision="float64",  # rows are few, and a prior's variances may be far from theirs
        block=block_size(len(rows), *start.means.shape[::-1]),
    )
    return fit_em(
        start, batches, prior, max_iter=options.max_iter, tol=options.tol, floor=np.asarray(options.floor)
    ).model
