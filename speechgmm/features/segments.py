"""Segments of a recording: their frames, the third each frame lies in, and a segment as one vector.

Owns what a boundary means: a position in frames, fractions allowed, where frame t covers t to t + 1 and its centre is
at t + 1/2. Many segments of a recording at once, by cumulative sums. Refuses labels and times in seconds.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from speechgmm.errors import ConfigError, DataError, ShapeError

Float32Array = NDArray[np.float32]
Float64Array = NDArray[np.float64]
IntArray = NDArray[np.intp]

PARTS: Final = 3
"""Parts of a segment that have mixtures of their own: begin, middle, end."""

_DIVISION: Final = np.array([0.0, 0.3, 0.7, 1.0])  # the 3-4-3 of Halberstadt & Glass 1997


@dataclass(frozen=True, slots=True, eq=False)
class SegmentFrames:
    """Which frames belong to which segment, one segment after another."""

    index: IntArray  # (M,) frame of the recording
    segment: IntArray  # (M,) whose it is
    part: IntArray  # (M,) 0, 1 or 2: in the segment's first, middle or last third by time
    starts: IntArray  # (N,) where each segment begins in the three above


def check_bounds(bounds: ArrayLike, n_frames: int) -> Float64Array:
    """Boundaries (N, 2) in frames as float64, fit to be used on a recording of `n_frames`.

    Raises `ShapeError` unless they are (N, 2), `DataError` for a segment that is empty, not finite, or without any
    overlap with the recording.

    >>> check_bounds([[0, 2.5]], 3)
    array([[0. , 2.5]])
    """
    edges = np.asarray(bounds, dtype=np.float64)
    if edges.ndim != 2 or edges.shape[1] != 2:
        raise ShapeError(
            f"boundaries of shape {edges.shape}; expected (N, 2), a start and an end in frames per segment"
        )
    start, end = edges.T
    wrong = np.flatnonzero(~(np.isfinite(edges).all(axis=1) & (start < end) & (end > 0) & (start < n_frames)))
    if len(wrong):
        n = int(wrong[0])
        raise DataError(
            f"segment {n} from {start[n]:g} to {end[n]:g} frames in a recording of {n_frames}; expected start < end "
            "within the recording: are the boundaries in seconds or samples, or of another file?"
        )
    return edges


def segment_frames(bounds: ArrayLike, n_frames: int) -> SegmentFrames:
    """The frames whose centres lie within each segment [start, end), bounds (N, 2) in frames.

    A segment that holds no centre gets the frame nearest to its middle, as ``FrontEnd.frame_range`` has it. Raises
    like `check_bounds`.

    >>> found = segment_frames([[0, 3], [3, 4]], 5)
    >>> found.index.tolist(), found.segment.tolist(), found.part.tolist()
    ([0, 1, 2, 3], [0, 0, 0, 1], [0, 1, 2, 1])
    """
    start, end = check_bounds(bounds, n_frames).T
    first, stop = (np.clip(np.ceil(edge - 0.5), 0, n_frames).astype(np.intp) for edge in (start, end))
    nearest = np.clip(np.floor((start + end) / 2), 0, n_frames - 1).astype(np.intp)
    empty = first >= stop
    first, stop = np.where(empty, nearest, first), np.where(empty, nearest + 1, stop)
    counts = stop - first
    starts = np.cumsum(counts) - counts
    segment = np.repeat(np.arange(len(counts)), counts)
    index = np.arange(counts.sum()) - starts[segment] + first[segment]
    share = (index + 0.5 - start[segment]) / (end - start)[segment]
    part = np.clip(np.floor(PARTS * share), 0, PARTS - 1).astype(np.intp)
    return SegmentFrames(index, segment, part, starts)


def log_durations(bounds: ArrayLike) -> Float64Array:
    """Natural logarithm of each segment's duration in frames: bounds (N, 2) -> (N,).

    >>> log_durations([[3, 4]]).tolist()
    [0.0]
    """
    edges = np.asarray(bounds, dtype=np.float64)
    return np.log(edges[:, 1] - edges[:, 0])


def segment_vectors(frames: NDArray[np.floating], bounds: ArrayLike, context: float = 3.0) -> Float32Array:
    """Each segment as one vector: what it is like in three parts and around, and how long it lasts.

    frames (T, D) of one recording, bounds (N, 2) in frames -> (N, 7 D + 1) float32: means over the segment's 3-4-3
    division (Halberstadt & Glass 1997), over the two stretches of `context` frames before it and the two after it
    (farthest first; nearest first), and the log of its duration in frames. Parts may be shorter than a frame: a mean
    is the integral of the frames, each constant over its span, and the first and last frame go on beyond the edges of
    the recording. Raises like `check_bounds`, `ShapeError` unless frames are a matrix, `ConfigError` unless context is
    above 0.

    >>> segment_vectors(np.arange(9.0)[:, None], [[3, 6]], context=1).round(1)
    array([[3. , 4. , 5. , 1. , 2. , 6. , 7. , 1.1]], dtype=float32)
    """
    if frames.ndim != 2:
        raise ShapeError(f"frames have shape {frames.shape}; expected (T, D)")
    if not (np.isfinite(context) and context > 0):
        raise ConfigError(f"a context of {context} frames; expected a number above 0")
    edges = check_bounds(bounds, len(frames))
    start, end = edges[:, :1], edges[:, 1:]
    inner = start + (end - start) * _DIVISION  # (N, 4)
    before = start + context * np.array([-2.0, -1.0, 0.0])
    after = end + context * np.array([0.0, 1.0, 2.0])
    means = [np.diff(_integral(frames, at), axis=1) / np.diff(at, axis=1)[:, :, None] for at in (inner, before, after)]
    parts = np.concatenate(means, axis=1).reshape(len(edges), 7 * frames.shape[1])
    vectors: Float32Array = np.hstack([parts, log_durations(edges)[:, None]]).astype(np.float32)
    return vectors


def segment_statistics(
    frames: NDArray[np.floating], bounds: ArrayLike, n_static: int, floor: NDArray[np.floating]
) -> Float32Array:
    """Each segment as one vector: the distribution of its frames, whatever their order.

    frames (T, D) of one recording, of which the `n_static` leading dimensions are the static features; bounds (N, 2) in
    frames; floor (D,), added to the variances -> (N, 3 n_static + D) float32: mean, minimum and maximum of the static
    features over the frames of a segment (`segment_frames`), then half the log variance of every dimension. A longer
    segment of the same frames has the same vector. Raises like `check_bounds`, and `ShapeError` unless frames are a
    matrix of at least `n_static` dimensions with a floor for each.

    >>> frames = np.array([[1.0, 0.0], [3.0, 0.0], [2.0, 0.0]])
    >>> segment_statistics(frames, [[0, 2]], n_static=1, floor=np.array([0.0, 1.0])).tolist()
    [[2.0, 1.0, 3.0, 0.0, 0.0]]
    """
    if frames.ndim != 2 or not 1 <= n_static <= frames.shape[1] or np.shape(floor) != frames.shape[1:]:
        raise ShapeError(
            f"frames of shape {frames.shape}, {n_static} static dimensions, and a floor of shape {np.shape(floor)}; "
            "expected (T, D), at most D, and (D,)"
        )
    found = segment_frames(bounds, len(frames))
    if not len(found.starts):
        return np.empty((0, 3 * n_static + frames.shape[1]), np.float32)
    rows = frames[found.index].astype(np.float64)
    statics, counts = rows[:, :n_static], np.diff(np.append(found.starts, len(rows)))[:, None]
    means = np.add.reduceat(rows, found.starts) / counts
    variances = np.add.reduceat(np.square(rows - means[found.segment]), found.starts) / counts
    least, most = (extreme.reduceat(statics, found.starts) for extreme in (np.minimum, np.maximum))
    deviations = 0.5 * np.log(variances + floor)
    return np.hstack([means[:, :n_static], least, most, deviations]).astype(np.float32)


def _integral(frames: NDArray[np.floating], at: Float64Array) -> Float64Array:
    """Integral of the frames from 0 to positions (N, M): (N, M, D), negative before 0."""
    sums = np.zeros((len(frames) + 1, frames.shape[1]))
    np.cumsum(frames, axis=0, dtype=np.float64, out=sums[1:])
    index = np.clip(np.floor(at), 0, len(frames) - 1).astype(np.intp)
    # Beyond an edge the remainder is below 0 or above 1, which prolongs the edge frame.
    integral: Float64Array = sums[index] + (at - index)[:, :, None] * frames[index]
    return integral
