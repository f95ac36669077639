"""Anomaly scores of recordings: those of a run's test and new ones, by way of the same frames."""

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from speechgmm.engine.audio_input import AudioInput
from speechgmm.engine.recordings import model_frames
from speechgmm.errors import ConfigError, DataError, SilentRecordingError, first_few
from speechgmm.features import front_end
from speechgmm.features.silence import Silence
from speechgmm.io.samples import AudioSource, opened
from speechgmm.parallel import pmap
from speechgmm.tasks.anomaly.codec import AnomalyFile
from speechgmm.tasks.anomaly.costs import FrameCosts, NormalModel, frame_costs
from speechgmm.tasks.anomaly.models import (
    AnomalyModel,
    curve_of,
    grid_of,
    highest_stretch,
    score_of,
    side_values,
    smoothed,
)
from speechgmm.tasks.anomaly.spec import AnomalySpec

if TYPE_CHECKING:  # scoring a recording waits for none of them
    from speechgmm.engine.frames import Piece

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class StreamValues:
    """The values of a recording in each stream, before it is compared with normal ones."""

    values: Floats  # (F,) one for each side of each stream
    curves: tuple[Floats, ...]  # of each stream, on the same times
    grid: Floats  # (T,) those times, s
    n_frames: int  # of the first stream


@dataclass(frozen=True, slots=True)
class AnomalyScore:
    """The anomaly score of a recording, and where it is highest."""

    score: float
    threshold: float
    p_value: float  # share of normal recordings that would score so high, at most
    start: float  # s, of the stretch with the highest score
    end: float
    values: Floats  # (F,)
    n_frames: int
    grid: Floats  # (T,) s
    curve: Floats  # (T,) 1 where a usual normal recording has its highest value
    duration: float | None = None  # s; None: not known
    silent: bool = False  # digital silence throughout, which no model has heard: the score is infinite

    def __post_init__(self) -> None:
        """Refuse a score that is no number: it is neither above nor below a threshold, and decides nothing."""
        if math.isnan(self.score) or math.isnan(self.threshold):
            raise DataError(
                f"an anomaly score of {self.score:g} against a threshold of {self.threshold:g}; expected numbers: "
                "nothing is decided by NaN"
            )

    @property
    def anomalous(self) -> bool:
        """Whether the score is above the threshold."""
        return self.score > self.threshold

    def decision(self, file: AnomalyFile) -> str:
        """``anomalous``, whatever kind of anomaly it is, or what the model calls normal recordings."""
        return "anomalous" if self.anomalous else file.spec.normal


def stream_values(
    frames: Sequence[NDArray[np.float32]],
    costs_of: Sequence[FrameCosts],
    audio: Sequence[AudioInput],
    spec: AnomalySpec,
) -> StreamValues:
    """The values of a recording by its frames (T, D) in each stream, and by the costs of that stream."""
    found, curves = [], []
    plans = [front_end(one.features, one.sample_rate) for one in audio]
    grid = grid_of(plans[0].time(len(frames[0]), len(frames[0])))
    for own, cost, plan, stream in zip(frames, costs_of, plans, spec.streams, strict=True):
        costs = cost(own)
        shift = plan.frame_shift / plan.sample_rate
        times = plan.first_centre / plan.sample_rate + shift * np.arange(len(costs), dtype=np.float64)
        found.append(side_values(costs, stream, shift))
        curves.append(smoothed(costs, stream, times, grid))
    return StreamValues(np.concatenate(found), tuple(curves), grid, len(frames[0]))


def compared(one: StreamValues, model: AnomalyModel, spec: AnomalySpec) -> AnomalyScore:
    """The anomaly score of a recording by what normal recordings have. Raises DataError for a score that is NaN."""
    reference = model.reference
    score = float(score_of(one.values, reference.centres, reference.scales, spec.combine))
    curve = curve_of(one.curves, spec.streams, reference)
    start, end = highest_stretch(curve, one.grid, spec.when)
    return AnomalyScore(
        score, reference.threshold.value, model.p_value(score), start, end, one.values, one.n_frames, one.grid, curve
    )


def silence_found(model: AnomalyModel, spec: AnomalySpec) -> AnomalyScore:
    """The answer for a recording that is digital silence throughout: more anomalous than any other.

    Its frames say nothing, neither of how anomalous it is nor of when; a muted microphone is what a monitor must tell.
    """
    nothing, highest = np.empty(0), np.full(spec.n_values, np.inf)
    threshold, p_value = model.reference.threshold.value, model.p_value(np.inf)
    return AnomalyScore(np.inf, threshold, p_value, 0.0, 0.0, highest, 0, nothing, nothing, silent=True)


def class_of(file: AnomalyFile, label: str | None) -> str:
    """The class of normal recordings that is meant: the one named, or the only one.

    Raises:
        ConfigError: There are several and none is named, or there is none of this name.
    """
    names = list(file.models)
    listed = first_few(names, 20)
    if label is None and len(names) > 1:
        raise ConfigError(
            f"a model of {len(names)} classes of normal recordings ({file.label}): {listed}; name the class to compare "
            "the recordings with",
            arguments=("label",),
        )
    if label is not None and label not in names:
        raise ConfigError(
            f"label {label}: the model has no such class; it has {listed} ({file.label})", arguments=("label",)
        )
    return label or names[0]


def values_of_pieces(
    audio: Sequence[AudioInput], spec: AnomalySpec, task: "tuple[Sequence[NormalModel], Mapping[str, Sequence[Piece]]]"
) -> list[StreamValues]:
    """The values of several recordings (name -> a piece for each stream), by what each stream compares them with.

    Raises:
        DataError: A frame whose cost is NaN or infinite; the message begins with the recording.
    """
    normal, recordings = task
    costs = [frame_costs(model, stream) for model, stream in zip(normal, spec.streams, strict=True)]
    values = []
    for name, pieces in recordings.items():
        with about(name):
            values.append(stream_values([piece.load() for piece in pieces], costs, audio, spec))
    return values


@contextmanager
def about(name: str) -> Iterator[None]:
    """Within it, the message of a DataError begins with the recording."""
    try:
        yield
    except DataError as error:
        raise error.about(name) from None


def find_anomalies(
    file: AnomalyFile, paths: Sequence[AudioSource], label: str, *, n_jobs: int = 1
) -> Iterator[tuple[AudioSource, AnomalyScore | DataError]]:
    """Each recording with its anomaly score for the class ``label``, or with why that cannot be said."""
    model = file.models[label]
    costs = [frame_costs(one, stream) for one, stream in zip(model.normal, file.spec.streams, strict=True)]
    work = partial(_find, file, model, costs)
    yield from zip(paths, pmap(work, paths, n_jobs=n_jobs, backend="threads"), strict=True)


def _find(
    file: AnomalyFile, model: AnomalyModel, costs: Sequence[FrameCosts], path: AudioSource
) -> AnomalyScore | DataError:
    try:
        with about(str(path)):
            heard = [model_frames(audio, path, silence=Silence.KEPT) for audio in file.audio]
            frames, facts = [frames for frames, _, _ in heard], heard[0][2]
            found = compared(stream_values(frames, costs, file.audio, file.spec), model, file.spec)
            return replace(found, duration=facts.duration)
    except SilentRecordingError:
        with opened(path) as decoder:
            duration = decoder.n_promised / decoder.source.samplerate
        return replace(silence_found(model, file.spec), end=duration, duration=duration or None)
    except DataError as error:
        return error
