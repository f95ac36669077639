"""Class models in Python: ``speechgmm.load`` returns one of these for a model file of classes."""

import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from speechgmm.engine.audio_input import AudioInput, with_resampling
from speechgmm.engine.exported_model import ExportedModel
from speechgmm.engine.loaded_model import LoadedModel, OnError
from speechgmm.errors import DataError, RecordingWarning, counted
from speechgmm.io.audio import CLIPPED_SHARE
from speechgmm.io.model_kinds import model_kinds
from speechgmm.io.samples import AudioSource
from speechgmm.parallel import free_workers
from speechgmm.tasks.classification.codec import read_model_file
from speechgmm.tasks.classification.results import ClassificationResult, SegmentResults
from speechgmm.tasks.classification.scoring import Scored, score_recordings
from speechgmm.tasks.classification.stream import ScoreStream


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class WindowModel(LoadedModel):
    """What every model that scores windows against classes does."""

    @property
    def audio(self) -> AudioInput | None:
        """How a recording becomes frames; None: the model was trained on frames."""
        found: AudioInput | None = self.file.audio
        return found

    @property
    def labels(self) -> tuple[str, ...]:
        """The classes."""
        found: tuple[str, ...] = self.file.models.labels
        return found

    def about(self) -> str:
        """How many classes of what."""
        return f"{counted(len(self.labels), 'class')} ({self.file.label})"

    def classify_windows(
        self,
        audio: Any,
        sample_rate: int | None = None,
        *,
        window: float = 1.0,
        hop: float | None = None,
        n_jobs: int = 1,
        on_error: OnError = "raise",
    ) -> Any:
        """Classify windows of a recording one by one.

        Parameters
        ----------
        audio, sample_rate, n_jobs, on_error
            As for ``classify``.
        window
            Length of a window in s.
        hop
            Time in s from the start of one window to the start of the next; None: ``window``. The last window ends with
            the recording.

        Returns
        -------
        SegmentResults, or a list of them
            A `ClassificationResult` for each window; its decision is None where the window holds no speech.
        """

        def work(sources: Sequence[AudioSource]) -> Iterator[tuple[AudioSource, Any]]:
            for source, items in self._scored(sources, n_jobs, window=window, hop=hop):
                many = items if isinstance(items, DataError) else self._results(source, items)
                yield source, many

        return self._each(audio, sample_rate, work, on_error)

    def _results(self, source: AudioSource, items: Sequence[Scored]) -> SegmentResults:
        return SegmentResults(str(source), tuple(ClassificationResult.of(self.file, item) for item in items))

    def _whole(self, sources: Sequence[AudioSource], n_jobs: int, **options: Any) -> Iterator[tuple[AudioSource, Any]]:
        """The results of whole recordings."""
        for source, items in self._scored(sources, n_jobs, **options):
            yield source, items if isinstance(items, DataError) else ClassificationResult.of(self.file, items[0])

    def _scored(
        self, sources: Sequence[AudioSource], n_jobs: int, **options: Any
    ) -> Iterator[tuple[AudioSource, list[Scored] | DataError]]:
        """The scores of recordings; warns of those that are clipped."""
        workers = free_workers(n_jobs, len(sources))
        for source, items in score_recordings(self.file, sources, n_jobs=workers, **options):
            if not isinstance(items, DataError) and items and items[0].clipped >= CLIPPED_SHARE:
                text = f"{source}: {100 * items[0].clipped:.1f} % of samples are clipped"
                warnings.warn(text, RecordingWarning, stacklevel=6)
            yield source, items


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class ClassModel(WindowModel):
    """Models of classes. Safe to use from several threads at once."""

    why_not: ClassVar[dict[str, str]] = {
        "verify": "verify needs a background model: train with model.adapt: map",
    }

    def classify(
        self,
        audio: Any,
        sample_rate: int | None = None,
        *,
        speaker: str | None = None,
        n_jobs: int = 1,
        on_error: OnError = "raise",
    ) -> Any:
        """Classify whole recordings.

        Parameters
        ----------
        audio
            A path; samples as a numpy array (N,) or (N, channels) of int16 or of floats in [-1, 1]; a folder of
            recordings; or a list of paths or of samples.
        sample_rate
            Sampling rate of samples in Hz; a file has its own.
        speaker
            With ``features.cmvn: speaker``, the one speaker of all recordings. None: each recording is a speaker of its
            own.
        n_jobs
            Number of threads, each with one recording at a time; -1: one per CPU core.
        on_error
            ``raise``: raise the first DataError. ``return``: return each DataError in place of the result of its
            recording.

        Returns
        -------
        ClassificationResult, or a list of them
            A list, in order, where ``audio`` is a folder or a list.

        Raises
        ------
        ConfigError
            Samples without ``sample_rate``; a file with ``sample_rate``; a speaker for a model that does not normalise
            by speaker; a model that was trained on frames.
        DataError
            A recording cannot be used, see ``on_error``.
        ShapeError
            Samples that are not (N,) or (N, channels).
        """

        def work(sources: Sequence[AudioSource]) -> Iterator[tuple[AudioSource, Any]]:
            return self._whole(sources, n_jobs, speaker=speaker)

        return self._each(audio, sample_rate, work, on_error)

    score = classify

    def exported(self) -> ExportedModel:
        """What other programs can hold: a mixture of each class, and what makes posteriors and ratios of its scores."""
        models = self.file.models
        return ExportedModel(
            models.models,
            models.labels,
            models.log_priors,
            models.temperature,
            models.ubm,
            models.top_components,
            self.audio,
            self.beyond_mixtures(),
        )

    def beyond_mixtures(self) -> dict[str, str]:
        """What scoring does beside summing over the mixtures: name -> what it is."""
        if self.file.models.bayesian is None:
            return {}
        return {"predictive-density": "frames are scored by densities averaged over all likely mixtures"}

    def stream(self, sample_rate: int, *, window: float = 1.0, hop: float | None = None) -> ScoreStream:
        """Begin a recording that arrives in pieces; the result is a `ScoreStream`.

        Parameters
        ----------
        sample_rate
            Sampling rate of the samples in Hz.
        window, hop
            Length of a window, and time between the starts of two windows, in s; each window gets a decision.

        Raises
        ------
        ConfigError
            The features need the whole recording, such as ``cmvn: utterance``.
        DataError
            Another sampling rate than that of the model, for a model that does not resample.
        """
        return ScoreStream(self, sample_rate, window, hop)


def load(path: Path, *, resample: bool = False) -> ClassModel:
    """The class models of a file; with a background model, as one of the kind that extends this one."""
    file = read_model_file(path)
    if resample:
        file = with_resampling(file)
    if file.models.ubm is None:
        return ClassModel(path, "classification", file)
    extending = next(kind for kind in model_kinds() if kind.extends == "classes")
    model: ClassModel = extending.function("interface:of_file")(path, file)
    return model
