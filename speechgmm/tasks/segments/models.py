"""Classes of segments with known boundaries (phones): several scores of a segment under every class, and their sum.

Owns the streams, one frozen value each with ``scores(frames, bounds)``, and their weighted sum. Refuses to train
(``streams``, ``estimation``) and to find boundaries. Boundaries are positions in frames, see ``features.segments``.
"""

from dataclasses import dataclass, field
from typing import Final, Protocol, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from speechgmm.errors import DataError, ShapeError
from speechgmm.features.segments import PARTS, segment_frames, segment_statistics, segment_vectors
from speechgmm.features.transforms import LinearTransform, splice
from speechgmm.gmm.likelihoods import stacked_log_likelihoods
from speechgmm.gmm.model import DiagGMM, LogLinear
from speechgmm.tasks.segments.combination import combine
from speechgmm.tasks.segments.duration import DurationModel

Floats = NDArray[np.float64]
Frames = NDArray[np.floating]


class Stream(Protocol):
    """One score of every segment under every class."""

    @property
    def n_classes(self) -> int:
        """C."""

    def scores(self, frames: Frames, bounds: ArrayLike) -> Floats:
        """Log-likelihoods (N, C) in nats, as the stream scales them, of N segments of one recording."""


@dataclass(frozen=True, slots=True, eq=False)
class FrameStream:
    """One mixture per class over the frames of a segment; the plain system.

    A segment's log-likelihood is its frames' total over their number to the power `length_power`: 0 is the total, 1
    the mean. Neighbouring frames say nearly the same, so that the total of a long segment is too sure of itself.
    """

    models: tuple[DiagGMM, ...]  # C mixtures
    length_power: float

    _stack: tuple[LogLinear, tuple[int, ...]] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_stack", _stacked(self.models))

    @property
    def n_classes(self) -> int:
        """C."""
        return len(self.models)

    def scores(self, frames: Frames, bounds: ArrayLike) -> Floats:
        """Scaled log-likelihoods (N, C) of frames (T, D) within bounds (N, 2). Raises as `segment_frames`."""
        found = segment_frames(bounds, len(frames))
        logs = stacked_log_likelihoods(*self._stack, frames[found.index])
        return _per_segment(logs, found.starts, self.length_power)


@dataclass(frozen=True, slots=True, eq=False)
class ThirdStream:
    """One mixture per class for each third of a segment, on spliced static frames after a linear transform."""

    models: tuple[DiagGMM, ...]  # 3 C mixtures: the classes' begin, then their middle, then their end
    transform: LinearTransform  # of spliced statics, (D', (2 context + 1) n_static)
    context: int  # frames on either side
    n_static: int  # leading dimensions of a frame that are used
    length_power: float  # as for FrameStream

    _stacks: tuple[tuple[LogLinear, tuple[int, ...]], ...] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        if len(self.models) % PARTS:
            raise ShapeError(f"{len(self.models)} mixtures for the thirds of segments; expected three per class")
        _check_transform(self.transform, (2 * self.context + 1) * self.n_static, self.models)
        n = self.n_classes
        stacks = tuple(_stacked(self.models[part * n : (part + 1) * n]) for part in range(PARTS))
        object.__setattr__(self, "_stacks", stacks)

    @property
    def n_classes(self) -> int:
        """C."""
        return len(self.models) // PARTS

    def scores(self, frames: Frames, bounds: ArrayLike) -> Floats:
        """Scaled log-likelihoods (N, C) of frames (T, D) within bounds (N, 2). Raises as `segment_frames`."""
        found = segment_frames(bounds, len(frames))
        images = self.transform.apply(splice(_statics(frames, self.n_static), self.context)[found.index])
        logs = np.empty((self.n_classes, len(images)))
        for part, stack in enumerate(self._stacks):
            here = found.part == part
            logs[:, here] = stacked_log_likelihoods(*stack, images[here])
        return _per_segment(logs, found.starts, self.length_power)


@dataclass(frozen=True, slots=True, eq=False)
class VectorStream:
    """One mixture per class over segments as single vectors (`segment_vectors`), after a linear transform."""

    models: tuple[DiagGMM, ...]  # C mixtures
    transform: LinearTransform  # of segment vectors, (D', 7 n_static + 1)
    context: float  # frames of each of the four stretches around a segment
    n_static: int  # leading dimensions of a frame that are used

    _stack: tuple[LogLinear, tuple[int, ...]] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        _check_transform(self.transform, 7 * self.n_static + 1, self.models)
        object.__setattr__(self, "_stack", _stacked(self.models))

    @property
    def n_classes(self) -> int:
        """C."""
        return len(self.models)

    def scores(self, frames: Frames, bounds: ArrayLike) -> Floats:
        """Log-likelihoods (N, C) of the segments of frames (T, D) at bounds (N, 2). Raises as `segment_vectors`."""
        vectors = segment_vectors(_statics(frames, self.n_static), bounds, self.context)
        return stacked_log_likelihoods(*self._stack, self.transform.apply(vectors)).T


@dataclass(frozen=True, slots=True, eq=False)
class StatisticsStream:
    """One mixture per class over the statistics of a segment's frames (`segment_statistics`), after a linear map."""

    models: tuple[DiagGMM, ...]  # C mixtures
    transform: LinearTransform  # of the statistics, (D', 3 n_static + D)
    floor: Floats  # (D,) added to the variances of a segment
    n_static: int  # leading dimensions of a frame that are static features

    _stack: tuple[LogLinear, tuple[int, ...]] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        _check_transform(self.transform, 3 * self.n_static + len(self.floor), self.models)
        object.__setattr__(self, "_stack", _stacked(self.models))

    @property
    def n_classes(self) -> int:
        """C."""
        return len(self.models)

    def scores(self, frames: Frames, bounds: ArrayLike) -> Floats:
        """Log-likelihoods (N, C) of the segments of frames (T, D) at bounds (N, 2). Raises as `segment_statistics`."""
        vectors = segment_statistics(frames, bounds, self.n_static, self.floor)
        return stacked_log_likelihoods(*self._stack, self.transform.apply(vectors)).T


@dataclass(frozen=True, slots=True, eq=False)
class PriorStream:
    """The classes' log priors, the same for every segment."""

    log_priors: Floats  # (C,) nats

    @property
    def n_classes(self) -> int:
        """C."""
        return len(self.log_priors)

    def scores(self, frames: Frames, bounds: ArrayLike) -> Floats:  # noqa: ARG002 (as every stream)
        """The log priors once per segment of bounds (N, 2): (N, C)."""
        return np.tile(self.log_priors, (len(np.asarray(bounds)), 1))


STREAMS: Final = {
    "frames": FrameStream,
    "thirds": ThirdStream,
    "vector": VectorStream,
    "statistics": StatisticsStream,
    "duration": DurationModel,
    "prior": PriorStream,
}
"""The streams there are, by the name that a configuration and a model file give them."""


@dataclass(frozen=True, slots=True, eq=False)
class SegmentModels:
    """All that classifies segments: labels, streams and the weights of their sum.

    The weights are those of a logistic regression, so that the softmax of the sum is the posterior.

    Raises:
        DataError: No label, or one twice.
        ShapeError: Streams of another number of classes, not one weight per stream, or no stream.

    >>> low, high = (DiagGMM([1.0], [[mean]], [[1.0]]) for mean in (0.0, 9.0))
    >>> models = SegmentModels(("low", "high"), (FrameStream((low, high), 1.0),), np.ones(1))
    >>> models.classify(np.array([[0.0], [1.0], [8.0], [9.0]]), [[0, 2], [2, 4]])
    ('low', 'high')
    """

    labels: tuple[str, ...]  # C names, all different
    streams: tuple[Stream, ...]  # S of them
    weights: Floats  # (S,)

    def __post_init__(self) -> None:
        if not self.labels or len(set(self.labels)) != len(self.labels):
            raise DataError(f"labels {', '.join(self.labels) or '(none)'}; expected at least one, and each once")
        for stream in self.streams:
            if stream.n_classes != len(self.labels):
                raise ShapeError(
                    f"a {type(stream).__name__} of {stream.n_classes} classes for {len(self.labels)} labels; "
                    "expected as many"
                )
        if not self.streams or np.shape(self.weights) != (len(self.streams),) or not np.isfinite(self.weights).all():
            raise ShapeError(
                f"weights {self.weights} for {len(self.streams)} streams; expected a finite one each, and a stream"
            )

    def suited_to(self, n_frames: int) -> Self:  # noqa: ARG002 (as of class models)
        """The same models: segments are scored by numpy, however many frames there are."""
        return self

    def idle_streams(self) -> tuple[str, ...]:
        """Names of the streams that score every segment alike, for want of anything that varies within a class."""
        names = {kind: name for name, kind in STREAMS.items()}
        found = ((names[type(stream)], getattr(stream, "transform", None)) for stream in self.streams)
        return tuple(name for name, transform in found if transform is not None and not transform.matrix.any())

    def stream_scores(self, frames: Frames, bounds: ArrayLike) -> Floats:
        """Every stream's scores of the segments of one recording: frames (T, D), bounds (N, 2) -> (S, N, C) nats.

        Raises:
            ShapeError: Frames or boundaries of another shape than the models are for.
            DataError: A segment that is empty or outside of the recording; a score that is not finite.
        """
        scores = np.stack([stream.scores(frames, bounds) for stream in self.streams])
        if not np.isfinite(scores).all():
            raise DataError("segments with a score that is not finite; do the frames hold NaN or infinity?")
        return scores

    def log_posteriors(self, frames: Frames, bounds: ArrayLike) -> Floats:
        """Log posteriors (N, C) of the classes, from the weighted sum. Raises as `stream_scores`.

        >>> one = DiagGMM([1.0], [[0.0]], [[1.0]])
        >>> same = SegmentModels(("a", "b"), (FrameStream((one, one), 0.0),), np.ones(1))
        >>> np.exp(same.log_posteriors(np.zeros((4, 1)), [[0, 2]])).tolist()
        [[0.5, 0.5]]
        """
        total = combine(self.stream_scores(frames, bounds), self.weights)
        total -= total.max(axis=1, keepdims=True)
        total -= np.log(np.exp(total).sum(axis=1, keepdims=True))
        return total

    def classify(self, frames: Frames, bounds: ArrayLike) -> tuple[str, ...]:
        """The most probable label of each of N segments. Raises as `stream_scores`."""
        return tuple(self.labels[k] for k in self.log_posteriors(frames, bounds).argmax(axis=1))


def _statics(frames: Frames, n_static: int) -> Frames:
    if frames.ndim != 2 or frames.shape[1] < n_static:
        raise ShapeError(f"frames of shape {frames.shape}; expected (T, D) with at least the {n_static} statics")
    return frames[:, :n_static]


def _check_transform(transform: LinearTransform, n_dims: int, models: tuple[DiagGMM, ...]) -> None:
    """Raise ShapeError where a transform is not from so many dimensions to the mixtures'."""
    wanted = ({model.n_features for model in models}, n_dims)
    if ({len(transform.matrix)}, transform.matrix.shape[1]) != wanted:
        raise ShapeError(
            f"a transform {transform.matrix.shape} to mixtures of {wanted[0]} dimensions; expected {n_dims} columns"
        )


def _per_segment(logs: Floats, starts: NDArray[np.intp], length_power: float) -> Floats:
    """Totals (N, C) of log-likelihoods (C, M) over runs of columns, over their lengths to a power."""
    if not len(starts):
        return np.empty((0, len(logs)))
    counts = np.diff(np.append(starts, logs.shape[1]))
    totals: Floats = np.add.reduceat(logs, starts, axis=1).T / counts[:, None] ** length_power
    return totals


def _stacked(models: tuple[DiagGMM, ...]) -> tuple[LogLinear, tuple[int, ...]]:
    if len({model.n_features for model in models}) != 1:
        raise ShapeError(f"{len(models)} mixtures of different dimensions or none; expected one per class in one space")
    reference = np.mean([model.centre() for model in models], axis=0)
    parts = [model.log_linear(reference) for model in models]
    stack = LogLinear(
        np.concatenate([part.const for part in parts]),
        np.concatenate([part.linear for part in parts]),
        np.concatenate([part.quadratic for part in parts]),
        reference,
    )
    return stack, tuple(model.n_components for model in models)
