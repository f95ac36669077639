"""Distances of frames to the nearest vectors of normal recordings.

Owns the draw of vectors and the distances to them, computed in blocks. Refuses to store more vectors than it is asked
for, and to know files.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from speechgmm.errors import DataError, ShapeError
from speechgmm.gmm import FrameSource

Floats = NDArray[np.float64]

CELLS: Final = 1 << 20
"""Distances that are held at once, 8 MB: frames of a block times vectors."""


@dataclass(frozen=True, slots=True, eq=False)
class NormalVectors:
    """Frames of normal recordings, which others are compared with, and the standard deviations of their dimensions.

    Raises:
        ShapeError: Arrays that do not fit together.
        DataError: A scale that is not above 0, or values that are not finite.

    >>> NormalVectors(np.zeros((3, 2), np.float32), np.ones(2)).n_features
    2
    """

    vectors: NDArray[np.float32]  # (N, D), in the units of the frames
    scales: Floats  # (D,), of all normal training frames

    def __post_init__(self) -> None:
        """Check shapes and values."""
        if self.vectors.ndim != 2 or not self.vectors.size or self.scales.shape != self.vectors.shape[1:]:
            raise ShapeError(
                f"vectors {self.vectors.shape} with scales {self.scales.shape}; expected (N, D) and (D,), N above 0"
            )
        if not np.isfinite(self.vectors).all() or not (np.isfinite(self.scales) & (self.scales > 0)).all():
            raise DataError("normal vectors with a value that is not finite, or a scale that is not above 0")

    @property
    def n_features(self) -> int:
        """Dimensions, D."""
        return int(self.vectors.shape[1])

    def __len__(self) -> int:
        return len(self.vectors)


@dataclass(frozen=True, slots=True, eq=False)
class NeighbourDistances:
    """Mean distance of frames to their nearest normal vectors, the vectors laid out for it.

    Distances are Euclidean in standard deviations of each dimension (a standardised Euclidean distance), and their mean
    over the ``n_neighbours`` nearest vectors is the frame's (Angiulli & Pizzuti 2002; over recordings, Bergman, Cohen &
    Hoshen 2020).

    >>> of_two = NeighbourDistances.to(NormalVectors(np.array([[0], [4], [9]], np.float32), np.array([2.0])), 2)
    >>> of_two(np.array([[4.0]]))
    array([1.])
    """

    points: Floats  # (N, D), standardised, about their mean
    squares: Floats  # (N,) of their lengths
    centre: Floats  # (D,)
    scales: Floats  # (D,)
    n_neighbours: int

    @classmethod
    def to(cls, normal: NormalVectors, n_neighbours: int) -> "NeighbourDistances":
        """Distances to these vectors. Raises DataError for fewer vectors than neighbours."""
        if len(normal) < n_neighbours:
            raise DataError(
                f"{len(normal)} normal vectors for {n_neighbours} neighbours; expected as many at least: set "
                "n_neighbours in anomaly.streams lower, or give more normal recordings"
            )
        centre = normal.vectors.mean(axis=0, dtype=np.float64)
        points = (normal.vectors - centre) / normal.scales
        return cls(points, np.einsum("nd,nd->n", points, points), centre, normal.scales, n_neighbours)

    def __call__(self, frames: NDArray[np.floating]) -> Floats:
        """Distances (T,) of frames (T, D). Raises ShapeError for another D."""
        if frames.ndim != 2 or frames.shape[1] != len(self.scales):
            raise ShapeError(f"frames of shape {frames.shape}; expected (T, {len(self.scales)})")
        at_once = max(1, CELLS // len(self.points))
        found = np.empty(len(frames))
        for first in range(0, len(frames), at_once):
            rows = (frames[first : first + at_once] - self.centre) / self.scales
            squares = self.squares - 2 * (rows @ self.points.T)
            nearest = np.partition(squares, self.n_neighbours - 1, axis=1)[:, : self.n_neighbours]
            nearest += np.einsum("td,td->t", rows, rows)[:, None]
            found[first : first + at_once] = np.sqrt(np.maximum(nearest, 0)).mean(axis=1)  # rounding may go below 0
        return found


def drawn_vectors(source: FrameSource, n_vectors: int, scales: Floats, rng: np.random.Generator) -> NormalVectors:
    """``n_vectors`` frames of a source, drawn without replacement; all where there are no more.

    >>> source = FrameSource.of([np.zeros((9, 1), np.float32)], [9], 1)
    >>> [len(drawn_vectors(source, n, np.ones(1), np.random.default_rng(0))) for n in (4, 10)]
    [4, 9]
    """
    chosen = np.arange(len(source))
    if n_vectors < len(source):
        chosen = np.sort(rng.choice(len(source), n_vectors, replace=False))
    return NormalVectors(source.rows(chosen).astype(np.float32, copy=False), scales)
