"""Frames on their way into an estimate: arrays, or references that are read as they are needed.

Owns the order in which frames are read, the checks that turn unusable frames into a FitError, and plain moments. An
array and a source of many parts take the same steps, so that they give the same bytes. Refuses to repair frames, and to
know where a part comes from.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from speechgmm.errors import FitError, ShapeError

Floats = NDArray[np.float64]
Frames = NDArray[np.float32] | NDArray[np.float64]
Mapper = Callable[..., Iterable[Any]]

CHUNK: Final = 65536
"""Frames read, and converted to float64, at a time."""


class Loadable(Protocol):
    """A reference to frames, small enough to be sent to whoever reads them."""

    def load(self) -> Frames:
        """(T, D) frames, the same ones each time."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class Stretch:
    """Frames that follow each other in a source, by reference."""

    parts: tuple[Frames | Loadable, ...]  # those that hold them
    skip: int  # frames of the first part that come before
    take: int
    first: int  # number of the first frame in the source
    weights: Floats | None  # (take,); None: each frame counts once

    def load(self) -> Frames:
        """(take, D) frames.

        Raises:
            FitError: A part gives fewer frames than it did when they were counted.
        """
        parts: list[Any] = [_loaded(part) for part in self.parts]
        joined: Frames = parts[0] if len(parts) == 1 else np.concatenate(parts)
        frames = joined[self.skip : self.skip + self.take]
        if len(frames) != self.take:
            raise FitError(
                f"{len(frames)} frames from frame {self.first} on, where {self.take} were counted before; did the "
                "files change while they were read?"
            )
        return frames

    def shares(self) -> Floats:
        """(take,) what each frame counts."""
        return np.ones(self.take) if self.weights is None else self.weights


@dataclass(frozen=True, slots=True, eq=False)
class FrameSource:
    """Frames (N, D) in parts that need not all be in memory: arrays, or references that load frames.

    >>> source = FrameSource.of([np.zeros((2, 1)), np.ones((3, 1))], [2, 3], n_features=1)
    >>> len(source), source.rows(np.array([4, 0])).ravel()
    (5, array([1., 0.]))
    """

    parts: tuple[Frames | Loadable, ...]
    starts: NDArray[np.intp]  # (parts + 1,) number of each part's first frame; the last is N
    n_features: int  # D
    weights: Floats | None = None  # (N,) what frames count; None: each once

    @classmethod
    def of(cls, parts: Sequence[Frames | Loadable], counts: Sequence[int], n_features: int) -> "FrameSource":
        """Make a source of parts, one after another, with the number of frames (``counts``) of each part."""
        return cls(tuple(parts), np.concatenate([[0], np.cumsum(counts, dtype=np.intp)]), n_features)

    def __len__(self) -> int:
        return int(self.starts[-1])

    def stretches(self, size: int) -> Iterator[Stretch]:
        """All frames, ``size`` at a time."""
        for start in range(0, len(self), size):
            yield self.stretch(start, min(start + size, len(self)))

    def stretch(self, start: int, stop: int) -> Stretch:
        """Frames ``start`` to ``stop``."""
        low = int(np.searchsorted(self.starts, start, side="right")) - 1
        high = int(np.searchsorted(self.starts, stop, side="left"))
        parts, skip = self.parts[low:high], start - int(self.starts[low])
        if len(parts) == 1 and isinstance(parts[0], np.ndarray):  # no more than is asked for goes to a worker
            parts, skip = (parts[0][skip : skip + stop - start],), 0
        return Stretch(parts, skip, stop - start, start, None if self.weights is None else self.weights[start:stop])

    def rows(self, indices: NDArray[np.intp], *, map: Mapper = map) -> Frames:
        """(n, D) frames by number, in the order of ``indices``; the parts are read in the order of the source."""
        order = np.argsort(indices, kind="stable")
        ascending = indices[order]
        edges = np.searchsorted(ascending, np.arange(0, len(self) + CHUNK, CHUNK))
        tasks = [
            (self.stretch(n * CHUNK, min((n + 1) * CHUNK, len(self))), ascending[low:high] - n * CHUNK)
            for n, (low, high) in enumerate(pairwise(edges))
            if low < high
        ]
        found = np.concatenate(list(map(_take, tasks)))
        rows = np.empty_like(found)
        rows[order] = found
        return rows


def as_source(frames: "ArrayLike | FrameSource", weights: ArrayLike | None = None) -> FrameSource:
    """Frames (N, D) as a source, with weights (N,) in float64; whether values are finite is not looked at.

    Raises:
        ShapeError: Frames that are not (N, D), or weights that are not (N,).
        FitError: No frames; a negative weight; no weight at all.

    >>> len(as_source([[1.0, 2.0]]))
    1
    """
    if isinstance(frames, FrameSource):
        source = frames
    else:
        values = as_numbers(frames)
        if values.ndim != 2:
            raise ShapeError(
                f"frames of shape {values.shape}; expected (frames, dimensions): is it one frame, or samples? A single "
                "dimension is values[:, None], an image image.reshape(-1, channels)"
            )
        source = FrameSource.of([values], [len(values)], values.shape[1])
    if len(source) == 0:
        raise FitError("no frames; expected at least one")
    if source.n_features == 0:
        raise FitError(f"{len(source)} frames without a single dimension; expected (frames, dimensions)")
    if weights is None:
        return source
    try:
        shares = np.asarray(weights, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise ShapeError(f"frame weights that are no numbers: {error}; expected one number each") from None
    if shares.shape != (len(source),):
        raise ShapeError(f"frame weights of shape {shares.shape} for {len(source)} frames; expected one each")
    if not np.isfinite(shares).all() or (shares < 0).any():
        t = int(np.flatnonzero(~np.isfinite(shares) | (shares < 0))[0])
        raise FitError(f"frame {t} has weight {shares[t]}; expected finite weights, 0 or more")
    if not shares.sum() > 0:
        raise FitError(f"all {len(shares)} frames have weight 0; expected some above")
    return FrameSource(source.parts, source.starts, source.n_features, shares)


def as_numbers(frames: ArrayLike) -> Frames:
    """Whatever numpy can turn into an array of numbers, as float32 where it is that, else as float64.

    Raises:
        ShapeError: Rows of different length; text, dates, complex or missing values; a masked or a sparse array.

    >>> as_numbers([[1, 2]]).dtype
    dtype('float64')
    """
    if np.ma.is_masked(frames):
        raise ShapeError("frames with masked values, and a mixture knows no missing ones; leave those frames out")
    try:
        values = np.asarray(frames)
    except ValueError as error:
        raise ShapeError(f"frames that are no array: {error}; expected rows of one length") from None
    if values.ndim == 0:
        raise ShapeError(f"frames that are one {type(frames).__name__}; expected an array (a sparse one: .toarray())")
    if values.dtype in (np.float32, np.float64):
        return values
    if values.dtype.kind not in "biufO":
        raise ShapeError(f"frames of type {values.dtype}; expected real numbers: are names or dates among the columns?")
    try:
        return values.astype(np.float64)
    except (TypeError, ValueError) as error:
        raise ShapeError(
            f"frames that are no numbers: {error}; expected real numbers: are names, dates or missing values among the "
            "columns?"
        ) from None


def check_frames(frames: ArrayLike) -> Frames:
    """Frames (N, D) as float32 or float64, fit to be estimated from.

    Raises:
        ShapeError: Frames that are not (N, D).
        FitError: No frames; a value that is NaN or infinite.

    >>> check_frames([[1.0, 2.0]]).shape
    (1, 2)
    """
    source = as_source(frames)
    check_finite(source)
    return source.stretch(0, len(source)).load()


def check_finite(source: FrameSource, *, map: Mapper = map) -> None:
    """Raise FitError for the first value that is NaN or infinite.

    >>> check_finite(as_source([[1.0], [np.nan]]))
    Traceback (most recent call last):
    speechgmm.errors.FitError: frame 1 is nan in dimension 0; expected finite numbers
    """
    for _ in map(_check_stretch, source.stretches(CHUNK)):
        pass


def moments(
    frames: ArrayLike | FrameSource, weights: ArrayLike | None = None, *, map: Mapper = map
) -> tuple[Floats, Floats]:
    """Weighted mean (D,) and variance (D,) of frames, the variance with divisor N, in float64 and in two
    passes. Raises as ``as_source`` and ``check_finite``.

    >>> moments(np.array([[0.0], [2.0]]))
    (array([1.]), array([1.]))
    """
    mean, variance, _ = moments_and_peaks(frames, weights, map=map)
    return mean, variance


def moments_and_peaks(
    frames: ArrayLike | FrameSource, weights: ArrayLike | None = None, *, map: Mapper = map
) -> tuple[Floats, Floats, Floats]:
    """Mean (D,) and variance (D,) as ``moments``, and what one frame adds to the variance at most (D,).

    A frame far from all others carries most of the variance of its dimension. Raises as ``moments``.

    >>> moments_and_peaks(np.array([[0.0], [0.0], [0.0], [4.0]]))
    (array([1.]), array([3.]), array([2.25]))
    """
    source = as_source(frames, weights)
    total = len(source) if source.weights is None else source.weights.sum()
    sums, least, most = (np.array(found) for found in zip(*map(_sums, source.stretches(CHUNK)), strict=True))
    # The mean is rounded: of frames that are all alike it may miss them by one unit in the last place.
    mean = np.clip(sums.sum(axis=0) / total, least.min(axis=0), most.max(axis=0))
    squares, peaks = zip(*map(_Squares(mean), source.stretches(CHUNK)), strict=True)
    return mean, np.sum(squares, axis=0) / total, np.max(peaks, axis=0) / total


def _loaded(part: Frames | Loadable) -> Frames:
    return part if isinstance(part, np.ndarray) else part.load()


def _take(task: tuple[Stretch, NDArray[np.intp]]) -> Frames:
    stretch, indices = task
    return stretch.load()[indices]


def _check_stretch(stretch: Stretch) -> None:
    _load_finite(stretch)


def _load_finite(stretch: Stretch) -> Frames:
    frames = stretch.load()
    if not np.isfinite(frames).all():
        t, d = np.argwhere(~np.isfinite(frames))[0]
        raise FitError(f"frame {stretch.first + t} is {frames[t, d]} in dimension {d}; expected finite numbers")
    return frames


def _sums(stretch: Stretch) -> tuple[Floats, Floats, Floats]:
    """(D,) sum, least and greatest value."""
    frames = _load_finite(stretch)
    return stretch.shares() @ frames.astype(np.float64), frames.min(axis=0), frames.max(axis=0)


@dataclass(frozen=True, slots=True, eq=False)
class _Squares:
    """(D,) sum of squared deviations from a mean, and the largest of them."""

    mean: Floats

    def __call__(self, stretch: Stretch) -> tuple[Floats, Floats]:
        # What overflows ends as an infinite variance, which whoever estimates refuses by its dimension.
        with np.errstate(over="ignore", invalid="ignore"):
            deviations = stretch.load() - self.mean
            deviations *= deviations
            squares: Floats = stretch.shares() @ deviations
            if stretch.weights is not None:
                deviations *= stretch.weights[:, None]
        return squares, deviations.max(axis=0)
