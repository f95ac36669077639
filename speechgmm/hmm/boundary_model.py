"""What a boundary between two units looks like, learnt from labels with times: Gaussians of the frames around it.

Owns the windows of frames, their projection and the ratio of a boundary to its neighbourhood. Refuses to align.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from speechgmm.errors import DataError, ShapeError

Floats = NDArray[np.float64]

OFFSETS: Final = np.array([-7, -4, -2, -1, 0, 1, 3, 6])
"""Frames of a window, from the one that begins at the position on; denser near it."""

NEAREST, FARTHEST = 2, 16
"""Positions this many frames before and after a boundary are the neighbourhood that it is told from."""

PRIOR_COUNT: Final = 10.0
"""Boundaries that the mean of all is worth in the means of a unit."""

SHRINKAGE: Final = 0.3
"""Of covariances toward their diagonal."""

MOST_DIRECTIONS: Final = 20
"""Dimensions of the projection."""

LEAST_BOUNDARIES: Final = 200
"""With fewer nothing is learnt."""

SIDES: Final = 3
"""At a boundary, before it, after it."""


@dataclass(frozen=True, slots=True, eq=False)
class BoundaryModel:
    """Gaussians of windows at boundaries, before and after them, with means by the units on both sides.

    A mean is that of all boundaries, plus what the unit on the left adds, plus what the one on the right adds: pairs of
    units that were never seen have one too.

    Raises:
        ShapeError: Arrays that do not fit together.
    """

    labels: tuple[str, ...]  # U
    projection: Floats  # (W D, R) of windows, W = len(OFFSETS)
    means: Floats  # (SIDES, 1 + 2 U, R): of all; added by the left unit, by the right one
    precisions: Floats  # (SIDES, R, R)

    def __post_init__(self) -> None:
        n_rows, rank = self.projection.shape
        shapes = (self.means.shape, self.precisions.shape)
        expected = ((SIDES, 1 + 2 * len(self.labels), rank), (SIDES, rank, rank))
        if n_rows % len(OFFSETS) or shapes != expected:
            raise ShapeError(
                f"a boundary model of {len(self.labels)} units with a projection {self.projection.shape} and arrays "
                f"{shapes}; expected {expected}, and rows of {len(OFFSETS)} frames"
            )

    @property
    def n_features(self) -> int:
        """D."""
        return len(self.projection) // len(OFFSETS)

    def rows(self, frames: ArrayLike) -> Floats:
        """(T, R): the projected window at the beginning of each of the frames (T, D).

        Raises:
            ShapeError: Frames of another dimension.
        """
        values = np.asarray(frames, dtype=np.float64)
        if values.ndim != 2 or values.shape[1] != self.n_features:
            raise ShapeError(f"frames of shape {values.shape}; expected (T, {self.n_features})")
        found: Floats = _windows(values) @ self.projection
        return found

    def log_ratios(self, rows: Floats, labels: Sequence[str]) -> Floats:
        """(T, I - 1) log p(window | boundary) - log p(window | near one), of each position and each two of I units.

        ``rows`` (T, R) are those of `rows`.
        """
        scores = np.stack([self._log_density(side, rows, self._means(side, labels)) for side in range(SIDES)])
        found: Floats = scores[0] - np.logaddexp(scores[1], scores[2]) + np.log(2)
        return found

    def _means(self, side: int, labels: Sequence[str]) -> Floats:
        """(I - 1, R) of each two units; a unit that was never seen adds nothing."""
        numbers = {label: n for n, label in enumerate(self.labels)}
        added = np.vstack([self.means[side, 1:], np.zeros((1, self.means.shape[2]))])
        n_units = len(self.labels)
        left = [numbers.get(label, 2 * n_units) for label in labels[:-1]]
        right = [n_units + numbers[label] if label in numbers else 2 * n_units for label in labels[1:]]
        found: Floats = self.means[side, 0] + added[left] + added[right]
        return found

    def _log_density(self, side: int, rows: Floats, means: Floats) -> Floats:
        precision = self.precisions[side]
        weighted = rows @ precision
        squares = (weighted * rows).sum(axis=1)[:, None] - 2 * weighted @ means.T
        squares = squares + ((means @ precision) * means).sum(axis=1)
        found: Floats = 0.5 * (np.linalg.slogdet(precision)[1] - squares)
        return found


def _windows(frames: Floats) -> Floats:
    """(T, W D): the frames around the beginning of each; those at the ends are repeated."""
    places = np.clip(np.arange(len(frames))[:, None] + OFFSETS, 0, len(frames) - 1)
    found: Floats = frames[places].reshape(len(frames), -1)
    return found


@dataclass(slots=True)
class _Sums:
    """Of designs (n, F) and windows (n, W D)."""

    designs: Floats
    crossed: Floats
    squares: Floats
    count: int = 0

    @classmethod
    def empty(cls, n_effects: int, width: int) -> "_Sums":
        return cls(np.zeros((n_effects, n_effects)), np.zeros((n_effects, width)), np.zeros((width, width)))

    def add(self, designs: Floats, windows: Floats) -> None:
        self.designs += designs.T @ designs
        self.crossed += designs.T @ windows
        self.squares += windows.T @ windows
        self.count += len(windows)

    def solved(self, ridge: float) -> tuple[Floats, Floats]:
        """Effects (F, W D), and the covariance of what they leave; the mean of all is not drawn to 0."""
        drawn = ridge * np.eye(len(self.designs))
        drawn[0, 0] = 0
        effects = np.linalg.solve(self.designs + drawn, self.crossed).astype(np.float64, copy=False)
        fitted = effects.T @ self.crossed
        covariance: Floats = (self.squares - fitted - fitted.T + effects.T @ self.designs @ effects) / self.count
        covariance[~np.eye(len(covariance), dtype=bool)] *= 1 - SHRINKAGE
        return effects, covariance


def _collect(
    sums: tuple[_Sums, ...], frames: Floats, units: Sequence[str], firsts: Floats, labels: tuple[str, ...]
) -> None:
    """Add a recording to the sums at boundaries, before and after them."""
    windows = _windows(frames)
    codes = np.array([labels.index(unit) for unit in units])
    designs = np.zeros((len(units) - 1, 1 + 2 * len(labels)))
    rows = np.arange(len(designs))
    designs[:, 0] = designs[rows, 1 + codes[:-1]] = designs[rows, 1 + len(labels) + codes[1:]] = 1
    near = np.arange(NEAREST, FARTHEST + 1)
    for one, shifts in zip(sums, (np.zeros(1, np.intp), -near, near), strict=True):
        places = (np.rint(firsts[1:]).astype(np.intp) + shifts[:, None]).ravel()
        inside = (places >= 0) & (places < len(windows))
        one.add(np.tile(designs, (len(shifts), 1))[inside], windows[places[inside]])


def train_boundary_model(
    utterances: Iterable[tuple[ArrayLike, Sequence[str], ArrayLike]], labels: Sequence[str]
) -> BoundaryModel | None:
    """A model of the boundaries in labelled recordings, which are looked at one by one.

    Parameters
    ----------
    utterances
        Of each recording: frames (T, D); I units; the position of the beginning of each (I,), in frames, which may be
        fractions.
    labels
        All units.

    Returns
    -------
    BoundaryModel or None
        None: there are fewer than 200 boundaries, or they all look alike.

    Raises
    ------
    ShapeError
        Other numbers of units than of beginnings.
    DataError
        Frames that are NaN.

    Notes
    -----
    The idea is that of the boundary models of Yuan et al. (2013, Interspeech, Automatic phonetic segmentation using
    boundary models), here as a likelihood ratio that multiplies the posterior of the boundary's time. The projection
    is linear discriminant analysis of what lies at boundaries against what lies before and after them, by unit.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> firsts = np.arange(0, 3000, 10)
    >>> frames = np.repeat(np.tile([0.0, 5.0], 150), 10)[:, None] + rng.normal(size=(3000, 1))
    >>> model = train_boundary_model([(frames, ["a", "b"] * 150, firsts)], ["a", "b"])
    >>> ratios = model.log_ratios(model.rows(frames[:40]), ["a", "b"])  # of a boundary from a to b at each frame
    >>> int(ratios.argmax()) in (10, 30)
    True
    """
    known, sums = tuple(labels), None
    for loaded, units, begins in utterances:
        frames, firsts = np.asarray(loaded, np.float64), np.asarray(begins, np.float64)
        if firsts.shape != (len(units),):
            raise ShapeError(f"beginnings of shape {firsts.shape} for {len(units)} units; expected one for each")
        if sums is None:
            sums = tuple(_Sums.empty(1 + 2 * len(known), frames.shape[1] * len(OFFSETS)) for _ in range(SIDES))
        _collect(sums, frames, units, firsts, known)
    if sums is None or min(one.count for one in sums) < LEAST_BOUNDARIES:
        return None
    effects, covariances = zip(
        *(
            one.solved(PRIOR_COUNT * n_positions)
            for one, n_positions in zip(sums, (1, FARTHEST - NEAREST + 1, FARTHEST - NEAREST + 1), strict=True)
        ),
        strict=True,
    )
    if not all(np.isfinite(one).all() for one in covariances):
        raise DataError("frames that are NaN or infinite; expected numbers")
    pooled = covariances[0] / 2 + (covariances[1] + covariances[2]) / 4
    variances = np.diag(pooled)
    if not (variances > 0).all():
        return None
    whitening = np.linalg.cholesky(np.linalg.inv(pooled))
    apart = np.concatenate([(effects[0] - other) @ whitening for other in effects[1:]])
    rank = min(MOST_DIRECTIONS, *apart.shape)
    projection = whitening @ np.linalg.svd(apart, full_matrices=False)[2][:rank].T
    return BoundaryModel(
        known,
        projection,
        np.stack([one @ projection for one in effects]),
        np.stack([np.linalg.inv(projection.T @ one @ projection) for one in covariances]),
    )
