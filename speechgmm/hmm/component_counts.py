"""How many Gaussians the mixture of each state has, and mixtures that grow to that.

Owns the rule by which states share a number of Gaussians, and the order of splits. Uses no frames.
"""

from collections.abc import Iterator, Sequence
from heapq import heapify, heapreplace
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from speechgmm.errors import ConfigError
from speechgmm.gmm.model import DiagGMM
from speechgmm.gmm.splitting import split_components
from speechgmm.gmm.stats import GMMStats
from speechgmm.hmm.spec import HMMSpec

Floats = NDArray[np.float64]
Sizes = NDArray[np.intp]

POWER: Final = 0.4
"""Of a state's frames, by which states share Gaussians: between equal shares (0) and shares by frames (1)."""


def shared_components(
    counts: ArrayLike, total: int, *, power: float = POWER, frames_per_component: float = 1.0
) -> Sizes:
    """(E,) Gaussians of mixtures with so many frames each: ``total`` together, shared by frames to a power.

    Each has one. Every further one goes to the mixture with the largest frames**power / Gaussians, as Kaldi's
    ``gmm-mixup`` gives them away; a mixture never has more than its frames divided by ``frames_per_component``. There
    are fewer than ``total`` where the frames are too few for them, and one each where ``total`` is smaller.

    Raises:
        ConfigError: No mixtures, a negative count or power, or a ``frames_per_component`` that is not above 0.

    >>> shared_components([1000, 100, 10], 10, frames_per_component=10)
    array([6, 3, 1])
    """
    frames = np.asarray(counts, dtype=np.float64)
    if frames.ndim != 1 or not len(frames) or not (frames >= 0).all() or power < 0 or not frames_per_component > 0:
        raise ConfigError(
            f"counts of shape {frames.shape}, power {power:g} and {frames_per_component:g} frames per component; "
            "expected the frames of one mixture or more, a power of 0 or more and a number of frames above 0"
        )
    most = np.maximum(1, frames // frames_per_component).astype(np.intp)
    weights = frames**power
    found = np.ones(len(frames), np.intp)
    queue = [(-weight, number) for number, weight in enumerate(weights.tolist()) if most[number] > 1]
    heapify(queue)
    left = total - len(frames)
    while left > 0 and queue:
        _, number = queue[0]
        found[number] += 1
        left -= 1
        full = found[number] == most[number]
        heapreplace(queue, (np.inf if full else -weights[number] / found[number], number))
        if full and queue[0][0] == np.inf:
            break
    return found


def sizes_by_level(spec: HMMSpec, frames: ArrayLike, largest: int) -> Iterator[Sizes]:
    """(E,) Gaussians of mixtures of so many frames at each level, each twice those of the level before at most.

    They grow from ``largest`` to ``spec.n_components`` each, or where there are ``spec.total_components`` to their
    share of these; at least one level comes.

    >>> [sizes.tolist() for sizes in sizes_by_level(HMMSpec(total_components=8), [2000, 200], 1)]
    [[2, 2], [4, 2], [6, 2]]
    """
    numbers = np.asarray(frames, dtype=np.float64)
    final = np.full(len(numbers), spec.n_components)
    if spec.total_components is not None:
        least = spec.frames_per_component
        final = shared_components(numbers, spec.total_components, frames_per_component=least)
    level = largest
    while True:
        level *= 2
        yield np.minimum(final, level)
        if level >= final.max():
            break


def mixtures_of(stats: GMMStats, mixtures: Sequence[DiagGMM]) -> Iterator[GMMStats]:
    """The statistics of each mixture from those of all components, without a likelihood: that belongs to all."""
    first = 0
    for model in mixtures:
        part = slice(first, first + model.n_components)
        counts, sums, squares = stats.counts[part], stats.sums[part], stats.squares[part]
        yield GMMStats(counts, sums, squares, 0.0, float(counts.sum()), stats.reference)
        first += model.n_components


def grown_mixtures(
    mixtures: Sequence[DiagGMM], counts: Floats, sizes: ArrayLike, frames_per_component: float
) -> tuple[DiagGMM, ...]:
    """The same mixtures with up to ``sizes`` (E,) Gaussians: the heaviest are split, each once at most.

    ``counts`` (M,) are the frames of all components, one mixture after another; a mixture of n frames gets no more
    than n / ``frames_per_component``.

    >>> one = DiagGMM([1.0], [[0.0]], [[1.0]])
    >>> grown_mixtures([one], np.array([50.0]), [2], 20.0)[0].means.ravel()
    array([-0.2,  0.2])
    """
    found, first = [], 0
    for model, size in zip(mixtures, np.asarray(sizes).tolist(), strict=True):
        frames = counts[first : first + model.n_components].sum()
        first += model.n_components
        most = min(size, int(frames / frames_per_component), 2 * model.n_components)
        more = max(0, most - model.n_components)
        heaviest = np.argsort(-model.weights, kind="stable")[:more]
        found.append(split_components(model, heaviest.tolist(), 1.0) if more else model)
    return tuple(found)
