"""Anomaly-detection models in Python."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from speechgmm.engine.audio_input import AudioInput, with_resampling
from speechgmm.engine.loaded_model import LoadedModel, OnError
from speechgmm.engine.results import Result
from speechgmm.errors import DataError
from speechgmm.io.samples import AudioSource
from speechgmm.parallel import free_workers
from speechgmm.tasks.anomaly.codec import AnomalyFile, read_anomaly_file
from speechgmm.tasks.anomaly.scoring import AnomalyScore, class_of, find_anomalies


@dataclass(frozen=True, slots=True)
class AnomalyResult(Result):
    """The anomaly score of a recording.

    >>> found = AnomalyResult("a.wav", "fan", 9.1, 7.5, "anomalous", 0.01, 2.0, 3.0, 998, (0.005,), (0.2,))
    >>> found.is_anomalous, found.to_dict()["times"]
    (True, [0.005])
    """

    recording: str
    label: str  # the class of normal recordings that it is compared with
    score: float  # in the unit of the stream; with several: standard deviations of normal recordings
    threshold: float  # a score above it is anomalous
    decision: str  # anomalous, or what the model calls normal recordings
    p_value: float  # share of normal recordings that would score so high, at most
    start: float  # s, of the stretch where the score is highest
    end: float  # s
    n_frames: int
    times: tuple[float, ...]  # (T,) s
    curve: tuple[float, ...]  # (T,) anomaly score over time; 1 where a usual normal recording is highest
    silent: bool = False  # digital silence throughout: the score is infinite, and there is no curve

    @property
    def is_anomalous(self) -> bool:
        """Whether the score is above the threshold."""
        return self.score > self.threshold

    @classmethod
    def of(cls, source: AudioSource, label: str, found: AnomalyScore, file: AnomalyFile) -> "AnomalyResult":
        """What was found in a recording."""
        return cls(
            recording=str(source),
            label=label,
            score=found.score,
            threshold=found.threshold,
            decision=found.decision(file),
            p_value=found.p_value,
            start=found.start,
            end=found.end,
            n_frames=found.n_frames,
            times=tuple(found.grid.tolist()),
            curve=tuple(found.curve.tolist()),
            silent=found.silent,
        )

    def rows(self) -> list[dict[str, Any]]:
        """One row, without the curve."""
        return [{name: value for name, value in self.to_dict().items() if name not in ("times", "curve")}]


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class AnomalyDetector(LoadedModel):
    """Models of normal recordings. Safe to use from several threads at once."""

    @property
    def audio(self) -> AudioInput:
        """How a recording becomes the frames of the first stream."""
        first: AudioInput = self.file.audio[0]
        return first

    @property
    def labels(self) -> tuple[str, ...]:
        """The classes of normal recordings."""
        return tuple(self.file.models)

    def about(self) -> str:
        """What is normal, and how many streams there are."""
        n = len(self.file.audio)
        return f"{len(self.labels)} normal classes ({self.file.label})" + (f", {n} streams" if n > 1 else "")

    def anomaly(
        self,
        audio: Any,
        sample_rate: int | None = None,
        *,
        label: str | None = None,
        n_jobs: int = 1,
        on_error: OnError = "raise",
    ) -> Any:
        """Compute the anomaly score of each recording as a whole.

        Parameters
        ----------
        audio
            A path; samples as a numpy array (N,) or (N, channels) of int16 or of floats in [-1, 1]; a folder of
            recordings; or a list of paths or of samples.
        sample_rate
            Sampling rate of samples in Hz; a file has its own.
        label
            The class of normal recordings to compare with; None: the only class of the model.
        n_jobs
            Number of threads, each with one recording at a time; -1: one per CPU core.
        on_error
            ``raise``: raise the first DataError. ``return``: return each DataError in place of the result of its
            recording.

        Returns
        -------
        AnomalyResult, or a list of them

        Raises
        ------
        ConfigError
            No ``label`` for a model of several classes; an unknown ``label``; samples without ``sample_rate``.
        DataError
            A recording cannot be used, see ``on_error``.
        """
        kind = class_of(self.file, label)

        def work(sources: Sequence[AudioSource]) -> Iterator[tuple[AudioSource, Any]]:
            for source, found in find_anomalies(self.file, sources, kind, n_jobs=free_workers(n_jobs, len(sources))):
                if isinstance(found, DataError):
                    yield source, found
                else:
                    yield source, AnomalyResult.of(source, kind, found, self.file)

        return self._each(audio, sample_rate, work, on_error)

    score = anomaly


def load(path: Path, *, resample: bool = False) -> AnomalyDetector:
    """The anomaly-detection model of a file."""
    file = read_anomaly_file(path)
    return AnomalyDetector(path, "anomaly", with_resampling(file) if resample else file)
