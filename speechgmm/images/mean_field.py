"""Neighbours that agree: maps of posteriors smoothed by a Potts model, whose posterior is found by mean field.

The Markov random field has the energy of every pixel's own posterior p(k | x) and of every pair of neighbours,

    E(z) = - sum_i log p(z_i | x_i) - strength sum_(i,j) w_ij [z_i = z_j],

and mean field looks for the q = prod q_i with the least free energy (Wainwright & Jordan 2008, section 5.3)

    F(q) = sum_ik q_ik (log q_ik - log p_ik) - strength sum_(i,j) w_ij sum_k q_ik q_jk.

Pixels that share their row's and column's parity are no neighbours. They are updated together, the four groups in turn:
each update is the exact minimum given the others, so F never rises (updating all at once may swing between two maps).
Owns the field. Refuses to know where the posteriors are from.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from speechgmm.errors import ConfigError, ShapeError

Map = NDArray[np.float32]

LEAST: Final = 1e-10
"""Posteriors below it count as this: nobody is so sure of a pixel that its neighbours could not say otherwise."""

_FORWARD: Final = {4: ((0, 1), (1, 0)), 8: ((0, 1), (1, 0), (1, 1), (1, -1))}  # (rows, columns) to half the neighbours
_STRIP: Final = 32  # rows at a time: what is computed on the way stays in cache


@dataclass(frozen=True, slots=True, eq=False)
class Smoothed:
    """The result of smoothing by mean field."""

    posteriors: Map  # (H, W, K), rows that sum to one
    free_energy: tuple[float, ...]  # nats per pixel, before the first sweep and after each; never rises
    converged: bool  # the last sweep gained less than tol


def smooth(
    posteriors: ArrayLike,
    *,
    strength: float = 1.0,
    neighbours: int = 8,
    image: ArrayLike | None = None,
    tol: float = 1e-4,
    max_iter: int = 50,
) -> Smoothed:
    """Smooth a map of posteriors (H, W, K) by mean field.

    Smoothing ends when a sweep over all pixels lowers the free energy by less than ``tol`` nats per pixel, or after
    ``max_iter`` sweeps. ``strength``, in nats, is the amount that a neighbour with posterior 1 for a component adds to
    the log odds of that component; 0 changes nothing. ``neighbours`` is 4 or 8. With ``image`` (H, W) or (H, W, C), a
    neighbour counts less where the image changes between the two pixels (see ``neighbour_weights``). The extra memory
    is that of the result, and 4 bytes per pixel and pair of neighbours.

    Raises:
        ShapeError: Posteriors that are not (H, W, K) or do not sum to 1; an image of another size.
        ConfigError: An option out of range.

    >>> noisy = np.full((5, 5, 2), [0.9, 0.1])
    >>> noisy[2, 2] = [0.2, 0.8]
    >>> smooth(noisy, strength=0.5).posteriors[2, 2].round(1)
    array([0.9, 0.1], dtype=float32)
    """
    start = _checked(posteriors)
    if not (np.isfinite(strength) and strength >= 0) or not tol >= 0 or max_iter < 0:
        raise ConfigError(f"strength {strength}, tol {tol} and max_iter {max_iter}; expected 0 or more")
    height, width, n_components = start.shape
    weights = neighbour_weights((height, width), neighbours=neighbours, image=image)
    # Component-major, within a border of zeros: whoever stands outside says nothing.
    field = np.zeros((n_components, height + 2, width + 2), np.float32)
    inside = field[:, 1:-1, 1:-1]
    inside[...] = start.transpose(2, 0, 1)
    own = np.log(np.maximum(inside, LEAST))
    padded = {offset: np.pad(weights.pop(offset), 1) for offset in list(weights)}
    weights = {offset: weight[1:-1, 1:-1] for offset, weight in padded.items()}
    trace = [_energy(inside, own, weights, strength)]
    converged = strength == 0
    while not converged and len(trace) <= max_iter:
        for row, column in product((0, 1), (0, 1)):
            for rows in _strips(height, row):
                _update(field, own, padded, strength, rows, column)
        trace.append(_energy(inside, own, weights, strength))
        converged = trace[-2] - trace[-1] < tol
    return Smoothed(np.ascontiguousarray(inside.transpose(1, 2, 0)), tuple(trace), converged)


def free_energy(field: ArrayLike, posteriors: ArrayLike, weights: dict[tuple[int, int], Map], strength: float) -> float:
    """The free energy F, in nats per pixel, of a smoothed map ``field`` (H, W, K) given posteriors (H, W, K).

    Raises:
        ShapeError: A map that is not (H, W, K), or values that are no posteriors.

    >>> sure = np.ones((1, 2, 1))
    >>> free_energy(sure, sure, neighbour_weights((1, 2)), strength=3.0)
    -1.5
    """
    q, own = (_checked(values).transpose(2, 0, 1) for values in (field, posteriors))
    return _energy(q, np.log(np.maximum(own, LEAST)), weights, strength)


def neighbour_weights(
    shape: tuple[int, int], *, neighbours: int = 8, image: ArrayLike | None = None
) -> dict[tuple[int, int], Map]:
    """Weights (H, W) between each pixel and its neighbour, for each offset (rows down, columns right) of a neighbour.

    A weight is 1 / distance. With an image (H, W, C) it is multiplied by ``exp(-|difference|² / (2 mean
    |difference|²))`` (Boykov & Jolly 2001), which is 0.6 for an average difference and nearly 0 across an edge. The
    weight is 0 where the neighbour would lie outside the image.

    Raises:
        ShapeError: An image of another size, or with a value that is not finite.
        ConfigError: Neither 4 nor 8 neighbours.

    >>> neighbour_weights((1, 3), neighbours=4)[0, 1]
    array([[1., 1., 0.]], dtype=float32)
    """
    if neighbours not in _FORWARD:
        raise ConfigError(f"{neighbours} neighbours; expected 4 or 8")
    weights: dict[tuple[int, int], Map] = {}
    for offset in _FORWARD[neighbours]:
        weights[offset] = np.zeros(shape, np.float32)
        weights[offset][_pairs(shape, offset)[0]] = 1 / np.hypot(*offset)
    if image is None:
        return weights
    values = np.asarray(image, dtype=np.float32)
    if values.shape[:2] != shape or values.ndim not in (2, 3) or not np.isfinite(values).all():
        raise ShapeError(f"an image of shape {values.shape} for a map of {shape}; expected one, of finite values")
    values = values.reshape(*shape, -1)
    squares = {}
    for offset in weights:
        here, there = _pairs(shape, offset)
        squares[offset] = ((values[here] - values[there]) ** 2).sum(axis=2)
    count = sum(part.size for part in squares.values())
    mean = sum(float(part.sum(dtype=np.float64)) for part in squares.values()) / max(1, count)
    if mean > 0:
        for offset, part in squares.items():
            weights[offset][_pairs(shape, offset)[0]] *= np.exp(part / np.float32(-2 * mean))
    return weights


def _pairs(shape: tuple[int, int], offset: tuple[int, int]) -> tuple[tuple[slice, slice], tuple[slice, slice]]:
    """Where the pixels are that have this neighbour, and where the neighbours are."""
    (height, width), (down, right) = shape, offset
    left = max(0, -right)
    last = width - max(0, right)
    here = (slice(0, max(0, height - down)), slice(left, max(left, last)))
    there = (slice(min(down, height), height), slice(left + right, max(left, last) + right))
    return here, there


def _strips(height: int, first: int) -> Iterator[slice]:
    """Every second row from ``first`` on, some at a time."""
    for start in range(first, height, _STRIP):
        yield slice(start, min(start + _STRIP, height), 2)


def _update(
    field: Map, own: Map, padded: dict[tuple[int, int], Map], strength: float, rows: slice, column: int
) -> None:
    """Set every second pixel of every second row to its best distribution given its neighbours'."""
    width = own.shape[2]

    def moved(down: int, right: int) -> tuple[slice, slice]:
        """Where the pixels so far from these are, within the border."""
        return (
            slice(rows.start + 1 + down, rows.stop + 1 + down, 2),
            slice(column + 1 + right, width + 1 + right, 2),
        )

    score = np.zeros_like(own[:, rows, column::2])
    for (down, right), weight in padded.items():
        # The weight of a pair stands at the pixel that looks forward.
        score += field[:, *moved(down, right)] * weight[moved(0, 0)]
        score += field[:, *moved(-down, -right)] * weight[moved(-down, -right)]
    score *= np.float32(strength)
    score += own[:, rows, column::2]
    score -= score.max(axis=0)
    np.exp(score, out=score)
    score /= score.sum(axis=0)
    field[:, *moved(0, 0)] = score


def _energy(inside: Map, own: Map, weights: dict[tuple[int, int], Map], strength: float) -> float:
    """Nats per pixel; row by row in float32, their sums in float64."""
    height, width = inside.shape[1:]
    total = 0.0
    for top in range(0, height, _STRIP):
        q = inside[:, top : top + _STRIP]
        total += float((q * (np.log(np.maximum(q, np.float32(1e-30))) - own[:, top : top + _STRIP])).sum(dtype=float))
        for offset, weight in weights.items():
            here, there = _pairs((min(height, top + _STRIP + offset[0]) - top, width), offset)
            part = inside[:, top : top + _STRIP + offset[0]]
            agreed = (part[:, *here] * part[:, *there]).sum(axis=0)
            total -= strength * float((agreed * weight[top : top + _STRIP][here]).sum(dtype=float))
    return float(total / (height * width))


def _checked(posteriors: ArrayLike) -> Map:
    values = np.asarray(posteriors, dtype=np.float32)
    if values.ndim != 3 or values.size == 0:
        raise ShapeError(f"a map of shape {values.shape}; expected (height, width, components)")
    if not np.isfinite(values).all() or (values < 0).any():
        raise ShapeError("a map with values that are negative, NaN or infinite; expected posteriors")
    return values
