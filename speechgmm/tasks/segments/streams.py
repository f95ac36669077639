"""The streams of segment models, each learnt from labelled segments.

Owns what a stream is estimated from and what streams share (labels, Gaussians by occupancy, priors on variances).
Refuses to weigh them (``estimation``), and to know phones, files and features: a recording is frames with
boundaries and labels.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from speechgmm.errors import DataError, FitError, ShapeError
from speechgmm.features.segments import (
    PARTS,
    SegmentFrames,
    check_bounds,
    log_durations,
    segment_frames,
    segment_statistics,
    segment_vectors,
)
from speechgmm.features.transforms import LinearTransform, class_moments, lda, most_directions, splice, varying
from speechgmm.gmm.model import DiagGMM
from speechgmm.gmm.options import EMOptions
from speechgmm.tasks.segments.components import components_by_occupancy, fit_mixtures
from speechgmm.tasks.segments.duration import DurationModel, fit_durations
from speechgmm.tasks.segments.models import (
    FrameStream,
    PriorStream,
    StatisticsStream,
    Stream,
    ThirdStream,
    VectorStream,
)
from speechgmm.tasks.segments.spec import SegmentSpec, StreamName

Floats = NDArray[np.float64]
Numbers = NDArray[np.intp]

_SAME_DURATION: Final = 1e-6  # standard deviation of log durations: float32 rounding
_STILL: Final = 1e-4
"""Added to the variances of a segment, as a share of those of all frames: frames that are all the same have a logarithm
of their variance too, and a hundredth of the common deviation is as good as none."""


@dataclass(frozen=True, slots=True, eq=False)
class LabelledSegments:
    """The segments of one recording.

    Raises:
        ShapeError: Not one label per segment, or boundaries that are not (N, 2).
        DataError: A segment that is empty or lies outside of the recording.

    >>> len(LabelledSegments(np.zeros((9, 13)), np.array([[0.0, 4.5], [4.5, 9.0]]), ("s", "iy"), "anna").labels)
    2
    """

    frames: NDArray[np.floating]  # (T, D), the static dimensions first
    bounds: Floats  # (N, 2) start and end in frames, fractions allowed
    labels: tuple[str, ...]  # N
    group: str  # speaker, or whatever must not be in both parts of a split
    copy: bool = False  # an altered copy: trained on, never chosen or measured by

    def __post_init__(self) -> None:
        if len(check_bounds(self.bounds, len(self.frames))) != len(self.labels):
            raise ShapeError(f"{len(self.bounds)} segments with {len(self.labels)} labels; expected one each")


@dataclass(frozen=True, slots=True, eq=False)
class _Training:
    """The training segments as the streams' estimates need them."""

    recordings: Sequence[LabelledSegments]
    labels: tuple[str, ...]  # C
    classes: Numbers  # (N,) of all segments, recording after recording
    found: Sequence[SegmentFrames]  # per recording
    frame_classes: Numbers  # (M,) of all segments' frames
    frame_parts: Numbers  # (M,)
    n_static: int
    spec: SegmentSpec
    seed: int

    def frames(self, of: Callable[[NDArray[np.floating]], NDArray[np.floating]]) -> NDArray[np.floating]:
        """Rows (M, D) of all segments' frames, after a function of each recording's frames."""
        pairs = zip(self.recordings, self.found, strict=True)
        return np.concatenate([of(recording.frames)[found.index] for recording, found in pairs])


def labels_of(recordings: Sequence[LabelledSegments]) -> tuple[str, ...]:
    """All labels in the recordings, in order. Raises `DataError` where there is no segment."""
    labels = tuple(sorted({label for recording in recordings for label in recording.labels}))
    if not labels:
        raise DataError("no labelled segments to train on; expected at least one")
    return labels


class Durations(Protocol):
    """Segments of a recording of which durations are asked: labelled segments, loaded or not."""

    @property
    def bounds(self) -> ArrayLike:
        """(N, 2) start and end in frames."""

    @property
    def labels(self) -> tuple[str, ...]:
        """N."""


def durations_vary(recordings: Sequence[Durations]) -> bool:
    """Whether the segments of any one label differ in length.

    Log durations whose standard deviation within every label is below a millionth count as equal: they are rounding.
    """
    logs: dict[str, list[float]] = {}
    for recording in recordings:
        for label, value in zip(recording.labels, log_durations(recording.bounds), strict=True):
            logs.setdefault(label, []).append(float(value))
    return any(float(np.std(values)) > _SAME_DURATION for values in logs.values())


def without_constant_durations(recordings: Sequence[Durations], spec: SegmentSpec) -> tuple[SegmentSpec, str]:
    """The spec without the stream ``duration`` where durations do not vary, and a message about it ("" otherwise).

    The stream ``vector`` stays: `train_streams` leaves the log duration out of its vectors.

    Raises:
        FitError: Without durations no stream is left that looks at a segment.

    >>> anna = LabelledSegments(np.zeros((4, 1)), np.array([[0.0, 2.0], [2.0, 4.0]]), ("a", "b"), "anna")
    >>> spec, message = without_constant_durations([anna], SegmentSpec())
    >>> spec.streams
    ('frames', 'thirds', 'vector', 'prior')
    """
    without = {"duration": "the stream duration is left out", "vector": "the stream vector leaves out the log duration"}
    changes = [without[name] for name in spec.streams if name in without]
    if not changes or not any(recording.labels for recording in recordings) or durations_vary(recordings):
        return spec, ""
    message = f"the segments of each class all have the same duration: {' and '.join(changes)}"
    streams = tuple(name for name in spec.streams if name != "duration")
    if set(streams) <= {"prior"}:
        raise FitError(f"{message}, and no stream is left that looks at a segment; add frames to segments.streams")
    return replace(spec, streams=streams), message


def train_streams(
    recordings: Sequence[LabelledSegments], labels: tuple[str, ...], spec: SegmentSpec, n_static: int, seed: int
) -> tuple[Stream, ...]:
    """The streams that the spec names, for classes `labels`, each of which must have a segment.

    Raises `ShapeError` for frames of different dimensions, and like ``fit_gmm`` and `lda`.
    """
    widths = sorted({recording.frames.shape[1] for recording in recordings})
    if len(widths) > 1 or not 1 <= n_static <= widths[0]:
        raise ShapeError(
            f"frames of {' and '.join(map(str, widths))} dimensions, {n_static} of them static; expected one number of "
            "dimensions, and of these 1 or more static"
        )
    number = {label: k for k, label in enumerate(labels)}
    classes = [np.array([number[label] for label in recording.labels], dtype=np.intp) for recording in recordings]
    found = [segment_frames(recording.bounds, len(recording.frames)) for recording in recordings]
    training = _Training(
        recordings,
        labels,
        np.concatenate(classes),
        found,
        np.concatenate([of[part.segment] for of, part in zip(classes, found, strict=True)]),
        np.concatenate([part.part for part in found]),
        n_static,
        spec,
        seed,
    )
    return tuple(_TRAINERS[name](training) for name in spec.streams)


def _frame_stream(training: _Training) -> FrameStream:
    spec = training.spec
    rows = training.frames(lambda frames: frames)
    names = [f"{label} (frames)" for label in training.labels]
    models = _mixtures(rows, training.frame_classes, names, spec.frame_components, spec.frame_prior, training)
    return FrameStream(models, spec.length_power)


def _third_stream(training: _Training) -> ThirdStream:
    spec, n_classes = training.spec, len(training.labels)
    rows = training.frames(lambda frames: splice(frames[:, : training.n_static], spec.third_splice))
    # The thirds of a class are different classes to the LDA: what tells them apart is worth keeping.
    thirds = training.frame_parts * n_classes + training.frame_classes
    transform = _lda(rows, thirds, PARTS * n_classes, spec.third_dim, spec)
    images, parts = transform.apply(rows), thirds
    # A third without a frame, all segments of its class being that short, takes the frames of the class.
    for empty in np.flatnonzero(np.bincount(thirds, minlength=PARTS * n_classes) == 0):
        of_class = training.frame_classes == empty % n_classes
        images = np.concatenate([images, images[: len(of_class)][of_class]])
        parts = np.concatenate([parts, np.full(int(of_class.sum()), empty)])
    names = [f"{label} ({part} third)" for part in ("first", "middle", "last") for label in training.labels]
    models = _mixtures(images, parts, names, spec.third_components, spec.frame_prior, training)
    return ThirdStream(models, transform, spec.third_splice, training.n_static, spec.length_power)


def _vector_stream(training: _Training) -> VectorStream:
    spec, n_static = training.spec, training.n_static
    rows = np.concatenate(
        [segment_vectors(r.frames[:, :n_static], r.bounds, spec.vector_context) for r in training.recordings]
    )
    transform, models = _of_vectors(rows, "segment vectors", training)
    return VectorStream(models, transform, spec.vector_context, n_static)


def _statistics_stream(training: _Training) -> StatisticsStream:
    n_static = training.n_static
    variances = training.frames(lambda frames: frames).var(axis=0, dtype=np.float64)
    floor = _STILL * np.where(variances > 0, variances, 1.0)
    rows = np.concatenate([segment_statistics(r.frames, r.bounds, n_static, floor) for r in training.recordings])
    transform, models = _of_vectors(rows, "segment statistics", training)
    return StatisticsStream(models, transform, floor, n_static)


def _of_vectors(
    rows: NDArray[np.float32], what: str, training: _Training
) -> tuple[LinearTransform, tuple[DiagGMM, ...]]:
    """The transform and the mixtures of a stream that sees a segment as one vector."""
    spec = training.spec
    transform = _lda(rows, training.classes, len(training.labels), spec.vector_dim, spec)
    names = [f"{label} ({what})" for label in training.labels]
    images, size, prior = transform.apply(rows), spec.vector_components, spec.vector_prior
    return transform, _mixtures(images, training.classes, names, size, prior, training)


def _duration_stream(training: _Training) -> DurationModel:
    if not durations_vary(training.recordings):  # of a fold, in which each class may have one segment
        return DurationModel(np.zeros(len(training.labels)), np.ones(len(training.labels)))
    logs = np.concatenate([log_durations(recording.bounds) for recording in training.recordings])
    return fit_durations(logs, training.classes, len(training.labels))


def _prior_stream(training: _Training) -> PriorStream:
    counts = np.bincount(training.classes, minlength=len(training.labels))
    return PriorStream(np.log(counts / counts.sum()))


_TRAINERS: Final[dict[StreamName, Callable[[_Training], Stream]]] = {
    "frames": _frame_stream,
    "thirds": _third_stream,
    "vector": _vector_stream,
    "statistics": _statistics_stream,
    "duration": _duration_stream,
    "prior": _prior_stream,
}


def _lda(rows: NDArray[np.floating], classes: Numbers, n_classes: int, dim: int, spec: SegmentSpec) -> LinearTransform:
    """The LDA of those dimensions that vary within classes; the others have no variance to divide by, and no part."""
    pooled = class_moments(rows, classes, n_classes)
    varies = varying(pooled)
    if not varies.any() or most_directions(pooled) < 1:
        return LinearTransform(np.zeros((1, rows.shape[1])), np.zeros(1))
    if not varies.all():
        pooled = class_moments(rows[:, varies], classes, n_classes)
    found = lda(pooled, min(dim, most_directions(pooled)), spec.lda_prior)
    matrix = np.zeros((len(found.matrix), rows.shape[1]))
    matrix[:, varies] = found.matrix
    return LinearTransform(matrix, found.offset)


def _mixtures(
    rows: NDArray[np.floating],
    classes: Numbers,
    names: Sequence[str],
    components: float,
    prior_count: float,
    training: _Training,
) -> tuple[DiagGMM, ...]:
    spec = training.spec
    counts = np.bincount(classes, minlength=len(names))
    if not np.ptp(rows, axis=0).any():  # of a transform that found nothing
        return (DiagGMM(np.ones(1), rows[:1].astype(np.float64), np.ones((1, rows.shape[1]))),) * len(names)
    return fit_mixtures(
        rows,
        classes,
        names,
        components_by_occupancy(counts, round(components * len(names)), spec.power, spec.min_count),
        prior_count=prior_count,
        variance_floor=spec.variance_floor,
        options=EMOptions(max_iter=spec.max_iter, tol=spec.tol),
        seed=training.seed,
    )
