"""Training segment models: the streams from all segments, their weights from folds of the training groups.

Owns the inner cross-validation by group, which weighs the streams and compares settings. Refuses to report by it: the
weights have seen the segments that it counts.
"""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from speechgmm.errors import DataError, FitWarning
from speechgmm.gmm.frames import Mapper
from speechgmm.tasks.segments.combination import combination_loss, combine, fit_combination
from speechgmm.tasks.segments.models import SegmentModels
from speechgmm.tasks.segments.spec import SegmentSpec
from speechgmm.tasks.segments.streams import LabelledSegments, labels_of, train_streams, without_constant_durations

Floats = NDArray[np.float64]
Numbers = NDArray[np.intp]


@dataclass(frozen=True, slots=True, eq=False)
class SegmentValidation:
    """What folds of the training groups say about a `SegmentSpec`: for choosing between specs, never for a report."""

    weights: Floats  # (S,) of the streams
    loss: float  # nats: mean of -log posterior of the true class, weights fitted on the same segments
    accuracy: float  # fraction of segments decided rightly, likewise
    n_segments: int


def train_segment_models(
    recordings: Sequence[LabelledSegments],
    spec: SegmentSpec,
    n_static: int,
    *,
    seed: int = 0,
    weights: ArrayLike | None = None,
    map: Mapper = map,
) -> SegmentModels:
    """Segment models of all labels in the recordings, from all of them and their copies.

    `n_static` leading dimensions of a frame are the static features, which thirds and vectors use. `weights` (S,) of
    the streams; None: chosen by `cross_validate_segments`, or 1 each where no folds can choose them (`weight_problem`).
    ``map`` runs over folds and must keep order. Where the durations of no class vary, they are left out of the streams.

    Raises:
        DataError: No segments.
        ShapeError: Frames of different dimensions; weights of another number of streams.
        FitError: See ``fit_gmm`` and `lda`; the message names the class.

    Warns:
        FitWarning: Durations are left out, because those of no class vary; the streams are not weighed.

    >>> frames = np.array([[0.0], [0.1], [0.3], [4.0], [4.1], [4.4]] * 9)
    >>> bounds = np.stack([np.arange(0, 54, 3), np.arange(3, 57, 3)], axis=1)
    >>> anna, bob = (LabelledSegments(frames, bounds, ("a", "b") * 9, name) for name in ("anna", "bob"))
    >>> spec = SegmentSpec(streams=("frames", "prior"), frame_components=1, weight_folds=2)
    >>> models = train_segment_models([anna, bob], spec, n_static=1, weights=[1.0, 1.0])
    >>> models.classify(np.array([[0.2], [4.2]]), [[0, 1], [1, 2]])
    ('a', 'b')
    """
    asked = spec.streams
    spec, left_out = without_constant_durations(recordings, spec)
    if left_out:
        warnings.warn(left_out, FitWarning, stacklevel=2)
    if weights is None and (problem := weight_problem(recordings, spec)):
        warnings.warn(problem, FitWarning, stacklevel=2)
        weights = np.ones(len(spec.streams))
    elif weights is None:
        weights = cross_validate_segments(recordings, spec, n_static, seed=seed, map=map).weights
    elif len(np.asarray(weights)) == len(asked):
        weights = np.compress([name in spec.streams for name in asked], weights)
    labels = labels_of(recordings)
    streams = train_streams(recordings, labels, spec, n_static, seed)
    return SegmentModels(labels, streams, np.asarray(weights, dtype=np.float64))


class Grouped(Protocol):
    """Segments of a recording of which the streams are weighed: labelled segments, loaded or not."""

    @property
    def labels(self) -> tuple[str, ...]:
        """N."""

    @property
    def group(self) -> str:
        """Speaker, or whatever must not be on both sides of a fold."""

    @property
    def copy(self) -> bool:
        """Whether it is an altered copy."""


def weight_problem(recordings: Sequence[Grouped], spec: SegmentSpec) -> str:
    """Why folds of the groups cannot choose the weights of the streams, which are then 1 each; "" where they can.

    >>> from dataclasses import replace
    >>> anna = LabelledSegments(np.zeros((4, 1)), np.array([[0.0, 2.0], [2.0, 4.0]]), ("a", "b"), "anna")
    >>> weight_problem([anna], SegmentSpec())
    'the weights of the streams cannot be learnt and are 1 each: all training segments are of one group (anna); ...'
    >>> weight_problem([anna, replace(anna, group="bob")], SegmentSpec())
    ''
    """
    groups = sorted({recording.group for recording in recordings})
    if len(groups) < 2:
        cause = f"all training segments are of one group ({', '.join(groups)}); give segments of another"
        return f"the weights of the streams cannot be learnt and are 1 each: {cause}"
    for fold in _folds(groups, spec):
        known = {label for one in recordings if one.group not in fold for label in one.labels}
        tested = {label for one in recordings if one.group in fold and not one.copy for label in one.labels}
        if len(known) > 1 and known & tested:
            return ""
    return (
        "the weights of the streams cannot be learnt and are 1 each: no class has training segments of two groups; "
        "give more recordings of each class"
    )


def _folds(groups: Sequence[str], spec: SegmentSpec) -> list[Sequence[str]]:
    n_folds = min(spec.weight_folds, len(groups))
    return [groups[k::n_folds] for k in range(n_folds)]


def cross_validate_segments(
    recordings: Sequence[LabelledSegments], spec: SegmentSpec, n_static: int, *, seed: int = 0, map: Mapper = map
) -> SegmentValidation:
    """The weights of the streams, and how good the spec is, by folds of the groups in the recordings.

    Groups are dealt out to ``spec.weight_folds`` folds, at most one for each group, in the order of their names; a
    fold is scored by streams that were trained on the others, and the weights are fitted to all folds' scores at once.
    A segment whose label the other folds lack cannot be decided rightly: it counts as an error and takes no part in
    the weights. Copies are trained on with their group and never scored. Durations that do not vary are left out, as
    training does. Raises as `train_segment_models`, and DataError where the folds cannot choose (`weight_problem`).
    """
    spec, _ = without_constant_durations(recordings, spec)
    if problem := weight_problem(recordings, spec):
        raise DataError(problem)
    folds = _folds(sorted({recording.group for recording in recordings}), spec)
    score = partial(_score_fold, recordings=recordings, spec=spec, n_static=n_static, seed=seed)
    found = list(map(score, folds))
    scores, truths = [part[0] for part in found], [part[1] for part in found]
    n_segments = sum(part[2] for part in found)
    weights = fit_combination(scores, truths)
    right = sum(int((combine(s, weights).argmax(axis=1) == t).sum()) for s, t in zip(scores, truths, strict=True))
    return SegmentValidation(weights, combination_loss(scores, truths, weights), right / n_segments, n_segments)


def _score_fold(
    fold: Sequence[str], *, recordings: Sequence[LabelledSegments], spec: SegmentSpec, n_static: int, seed: int
) -> tuple[Floats, Numbers, int]:
    """Scores (S, N, C) and classes (N,) of a fold's segments of known labels, and how many segments it has in all."""
    train = [recording for recording in recordings if recording.group not in fold]
    labels = labels_of(train)
    models = SegmentModels(labels, train_streams(train, labels, spec, n_static, seed), np.zeros(len(spec.streams)))
    number = {label: k for k, label in enumerate(labels)}
    scores, truth, total = [np.empty((len(spec.streams), 0, len(labels)))], [np.empty(0, np.intp)], 0
    for recording in recordings:
        if recording.group in fold and not recording.copy:
            known = np.array([label in number for label in recording.labels], dtype=bool)
            scores.append(models.stream_scores(recording.frames, recording.bounds)[:, known])
            truth.append(np.array([number[label] for label in recording.labels if label in number], dtype=np.intp))
            total += len(known)
    return np.concatenate(scores, axis=1), np.concatenate(truth), total
