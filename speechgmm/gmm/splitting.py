"""Splitting a component into two: to make a mixture larger, or to replace a dead component (one with too few frames).

Owns the distance between the two halves. Uses no frames.
"""

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import ArrayLike

from speechgmm.errors import FitError
from speechgmm.gmm.model import DiagGMM as DiagGMM
from speechgmm.gmm.protocols import Model

SPLIT_DEVIATIONS: Final = 0.2
"""How far each half of a split component moves, in the component's standard deviations (as in HTK)."""


def split_components(model: Model, which: Sequence[int], directions: ArrayLike) -> Model:
    """Split each component in ``which`` into two halves with half its weight each.

    The mean of the first half is moved down, and that of the second half up, by ``SPLIT_DEVIATIONS`` times
    ``directions`` ((len(which), D) or a number), in standard deviations of the component. The first half replaces the
    component; the second halves are appended at the end.

    >>> split_components(DiagGMM([1.0], [[0.0]], [[1.0]]), [0], 1.0).means.ravel()
    array([-0.2,  0.2])
    """
    parents = np.asarray(which, dtype=np.intp)
    weights, means = model.weights.copy(), model.means.copy()
    offset = SPLIT_DEVIATIONS * np.asarray(directions) * np.sqrt(model.marginal_variances[parents])
    weights[parents] /= 2
    means[parents] -= offset
    return model.with_components(
        np.concatenate([weights, weights[parents]]),
        np.concatenate([means, model.means[parents] + offset]),
        np.concatenate([np.arange(model.n_components), parents]),
    )


def resplit(model: Model, dead: Sequence[int]) -> Model:
    """Replace each dead component by one half of the heaviest component, which is split for it.

    Raises:
        FitError: Every component is dead.

    >>> resplit(DiagGMM([0.0, 1.0], [[9.0], [1.0]], [[1.0], [1.0]]), (0,)).means.ravel()
    array([1.2, 0.8])
    """
    if len(dead) == model.n_components:
        raise FitError(
            "every component is dead: all frames together count less than min_count; give them larger weights"
        )
    weights, means, like = model.weights.copy(), model.means.copy(), np.arange(model.n_components)
    for k in dead:
        weights[k] = 0
    for k in dead:
        heaviest = int(weights.argmax())
        like[k] = like[heaviest]
        offset = SPLIT_DEVIATIONS * np.sqrt(model.marginal_variances[like[k]])
        weights[[k, heaviest]] = weights[heaviest] / 2
        means[k] = means[heaviest] + offset
        means[heaviest] -= offset
    return model.with_components(weights / weights.sum(), means, like)


def grown(model: Model, n_components: int, rng: np.random.Generator) -> Model:
    """The mixture with its heaviest components split, until it has so many.

    >>> grown(DiagGMM([1.0], [[0.0]], [[1.0]]), 3, np.random.default_rng(0))
    DiagGMM(n_components=3, n_features=1)
    """
    while model.n_components < n_components:
        n_new = min(model.n_components, n_components - model.n_components)
        heaviest = np.argsort(-model.weights, kind="stable")[:n_new]
        model = split_components(model, heaviest.tolist(), rng.choice([-1.0, 1.0], size=(n_new, model.n_features)))
    return model
