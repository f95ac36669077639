"""Several scores of the same segments into one: a weighted sum, its weights by logistic regression.

Owns the weights and how they are chosen. Refuses to score: which segments the scores are of, and that nobody chooses
on what was trained on, is the caller's to see to.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from speechgmm.errors import FitError, ShapeError

Floats = NDArray[np.float64]


def combine(scores: Floats, weights: ArrayLike) -> Floats:
    """The sum (N, C) of S streams' scores (S, N, C) by weights (S,).

    Raises `ShapeError` where there is not one weight per stream.

    >>> combine(np.ones((2, 1, 3)), [0.5, 2.0]).tolist()
    [[2.5, 2.5, 2.5]]
    """
    shares = np.asarray(weights, dtype=np.float64)
    if scores.ndim != 3 or shares.shape != scores.shape[:1]:
        raise ShapeError(f"scores of shape {scores.shape} and weights of {shares.shape}; expected (S, N, C) and (S,)")
    total: Floats = np.tensordot(shares, scores, axes=1)
    return total


def combination_loss(scores: Sequence[Floats], classes: Sequence[ArrayLike], weights: ArrayLike) -> float:
    """Mean of -log posterior of the true class in nats, the posterior being the softmax of the combined scores.

    `scores` and `classes` are as for `fit_combination`.

    >>> round(combination_loss([np.zeros((1, 5, 4))], [[0, 1, 2, 3, 0]], [1.0]), 4)
    1.3863
    """
    parts = _checked(scores, classes)
    total = sum(_loss(part, truth, np.asarray(weights, dtype=np.float64))[0] for part, truth in parts)
    return float(total / sum(len(truth) for _, truth in parts))


def fit_combination(scores: Sequence[Floats], classes: Sequence[ArrayLike], ridge: float = 1e-3) -> Floats:
    """The weights (S,) that make the true classes most probable: multinomial logistic regression with one coefficient
    per stream (Bruemmer & du Preez 2006, fusion without an offset, which a stream of log priors stands for).

    `scores` holds, per fold, the streams' scores (S, N, C) of segments that the fold was not trained on, and `classes`
    (N,) their true classes by number; folds may differ in N and C. `ridge` is a quadratic penalty on every weight in
    units of the streams' own spread over the classes, per segment: it keeps two streams that say the same from taking
    opposite weights. The problem is convex; Newton steps, halved until they descend.

    Raises:
        ShapeError: Scores that are not (S, N, C) with one class per segment.
        FitError: No segments, scores that are not finite, or no streams that tell classes apart.

    >>> rng = np.random.default_rng(0)
    >>> truth = rng.integers(3, size=900)
    >>> useful, useless = np.eye(3)[truth] + rng.normal(size=(900, 3)), rng.normal(size=(900, 3))
    >>> fit_combination([np.stack([useful, useless])], [truth]).round(1)
    array([1., 0.])
    """
    parts = _checked(scores, classes)
    n_streams, n_segments = len(parts[0][0]), sum(len(truth) for _, truth in parts)
    # Spread about each segment's mean: what is common to all classes decides nothing.
    spread = sum(np.square(part - part.mean(axis=2, keepdims=True)).mean(axis=2).sum(axis=1) for part, _ in parts)
    scale = np.sqrt(spread / n_segments)
    if not (scale > 0).any():
        raise FitError("every stream gives all classes the same score, so that nothing tells them apart")
    # A stream that gives all classes the same score (priors of classes that are equally frequent) decides nothing: the
    # ridge leaves its weight at 0.
    scale = np.where(scale > 0, scale, 1.0)
    scaled = [(part / scale[:, None, None], truth) for part, truth in parts]

    def evaluate(weights: Floats) -> tuple[float, Floats, Floats]:
        pieces = [_loss(part, truth, weights) for part, truth in scaled]
        loss = sum(piece[0] for piece in pieces) / n_segments + 0.5 * ridge * weights @ weights
        gradient = sum((piece[1] for piece in pieces), np.zeros(n_streams)) / n_segments + ridge * weights
        hessian = sum((piece[2] for piece in pieces), np.zeros((n_streams, n_streams))) / n_segments
        return float(loss), gradient, hessian + ridge * np.eye(n_streams)

    weights = np.zeros(n_streams)
    loss, gradient, hessian = evaluate(weights)
    for _ in range(100):
        step = np.linalg.solve(hessian + 1e-12 * np.eye(n_streams), -gradient)
        # Half the squared Newton decrement is what is left to gain (Boyd & Vandenberghe 2004, eq. 9.30).
        if -gradient @ step < 1e-12:
            break
        size = 1.0
        while (found := evaluate(weights + size * step))[0] > loss + 1e-4 * size * gradient @ step and size > 1e-6:
            size /= 2
        weights = weights + size * step
        loss, gradient, hessian = found
    found_weights: Floats = weights / scale
    return found_weights


def _loss(scores: Floats, truth: NDArray[np.intp], weights: Floats) -> tuple[float, Floats, Floats]:
    """Sum over segments of -log posterior of the truth, its gradient (S,) and Hessian (S, S) in the weights."""
    total = np.tensordot(weights, scores, axes=1)  # (N, C)
    total -= total.max(axis=1, keepdims=True)
    posteriors = np.exp(total)
    sums = posteriors.sum(axis=1, keepdims=True)
    posteriors /= sums
    rows = np.arange(len(truth))
    loss = float((np.log(sums[:, 0]) - total[rows, truth]).sum())
    expected = np.einsum("snc,nc->sn", scores, posteriors)
    gradient = (expected - scores[:, rows, truth]).sum(axis=1)
    centred = scores - expected[:, :, None]
    hessian = np.einsum("snc,tnc->st", centred * posteriors, centred, optimize=True)
    return loss, gradient, hessian


def _checked(scores: Sequence[Floats], classes: Sequence[ArrayLike]) -> list[tuple[Floats, NDArray[np.intp]]]:
    parts = [
        (np.asarray(part, dtype=np.float64), np.asarray(truth, dtype=np.intp))
        for part, truth in zip(scores, classes, strict=True)
    ]
    if not sum(len(truth) for _, truth in parts):
        raise FitError("no segments to choose the weights of the streams on; expected some that were not trained on")
    for part, truth in parts:
        if part.ndim != 3 or truth.shape != part.shape[1:2] or len(part) != len(parts[0][0]):
            raise ShapeError(
                f"scores of shape {part.shape} and classes of {truth.shape}; expected (S, N, C) and (N,), the same S "
                "in every fold"
            )
        if not np.isfinite(part).all():
            raise FitError("scores with a value that is not finite; is a class without a model among them?")
        if len(truth) and not 0 <= truth.min() <= truth.max() < part.shape[2]:
            raise ShapeError(
                f"classes {truth.min()} to {truth.max()} for scores of {part.shape[2]} classes; expected 0 to "
                f"{part.shape[2] - 1}"
            )
    return parts
