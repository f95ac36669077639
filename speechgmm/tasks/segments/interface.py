"""Segment models in Python: they classify segments whose times are given, or windows, each as one segment.

Those that were trained on whole recordings classify recordings.
"""

import math
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from speechgmm.corpus import Utterance
from speechgmm.engine.audio_input import with_resampling
from speechgmm.engine.loaded_model import OnError
from speechgmm.errors import ConfigError, DataError, check_type
from speechgmm.io.samples import AudioSource
from speechgmm.parallel import free_workers, pmap
from speechgmm.tasks.classification.interface import WindowModel
from speechgmm.tasks.classification.stream import ScoreStream
from speechgmm.tasks.segments.codec import read_segment_models
from speechgmm.tasks.segments.recordings import score_segments_of_recording
from speechgmm.tasks.segments.segment_times import segments_of


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class SegmentModel(WindowModel):
    """Models of segments with known boundaries. Safe to use from several threads at once."""

    def classify(
        self,
        audio: Any,
        sample_rate: int | None = None,
        *,
        segments: Any = None,
        n_jobs: int = 1,
        on_error: OnError = "raise",
    ) -> Any:
        """Classify segments whose times are known, or whole recordings.

        Parameters
        ----------
        audio
            A path; samples, a numpy array (N,) or (N, channels) of int16 or of floats in [-1, 1]; a folder, or a list
            of these.
        sample_rate
            Hz of the samples; a file says its own.
        segments
            Start and end in s of each segment, a sequence of pairs, of the one recording; or the path of a table (path,
            start, end), of a label file such as a TextGrid, or of a folder of label files. None: each recording is one
            segment, for models that were trained on whole recordings.
        n_jobs
            Recordings at once, by threads; -1: one per CPU core.
        on_error
            ``raise`` the first DataError, or ``return`` each instead of the results of its recording.

        Returns
        -------
        SegmentResults, or a list of them
            A `ClassificationResult` for each segment, in their order. Without ``segments``: a `ClassificationResult`,
            or a list of them.

        Raises
        ------
        ConfigError
            Pairs of times for several recordings, or times that are no pairs of numbers; no segments, for models that
            were trained on segments with times.
        DataError
            The table cannot be read; a recording or a segment of it cannot be used, see ``on_error``.
        """

        def work(sources: Sequence[AudioSource]) -> Iterator[tuple[AudioSource, Any]]:
            if segments is None:
                yield from self._whole(sources, n_jobs)
                return
            tasks = list(zip(sources, self._utterances(sources, segments), strict=True))
            workers = free_workers(n_jobs, len(tasks))
            yield from zip(sources, pmap(self._classified, tasks, n_jobs=workers, backend="threads"), strict=True)

        return self._each(audio, sample_rate, work, on_error)

    score = classify

    def _classified(self, task: tuple[AudioSource, Sequence[Utterance]]) -> Any:
        source, utterances = task
        try:
            if not utterances:
                raise DataError(f"{source}: there is no segment of it")
            return self._results(source, score_segments_of_recording(self.file, source, utterances))
        except DataError as error:
            return error

    def _utterances(self, sources: Sequence[AudioSource], segments: Any) -> list[list[Utterance]]:
        """The segments of each recording."""
        paths = [Path(str(source)) for source in sources]
        if isinstance(segments, str | os.PathLike):
            found = segments_of(Path(segments), paths, self.file.label)
            return [found[path] for path in paths]
        if len(paths) != 1:
            raise ConfigError(
                f"segments are pairs of times, and there are {len(paths)} recordings; expected a table of path, start "
                "and end, or a folder of label files",
                arguments=("segments",),
            )
        check_type("segments", segments, (Sequence, np.ndarray), "pairs (start, end) in s, or a path")
        return [[_utterance(paths[0], n, pair) for n, pair in enumerate(segments)]]


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class RecordingModel(SegmentModel):
    """Segment models of whole recordings. Safe to use from several threads at once."""

    def stream(self, sample_rate: int, *, window: float = 1.0, hop: float | None = None) -> ScoreStream:
        """Begin a recording that comes in pieces: `ScoreStream`; as ``ClassModel.stream``."""
        return ScoreStream(self, sample_rate, window, hop)


def _utterance(path: Path, n: int, pair: Any) -> Utterance:
    try:
        start, end = (float(time) for time in pair)
    except (TypeError, ValueError):
        start = end = math.nan
    if not math.isfinite(start + end):
        raise ConfigError(f"segments[{n}] is {pair!r}; expected (start, end) in s", arguments=("segments",))
    return Utterance(f"{path.stem}:{start:.3f}", path, start, end, source=f"segments[{n}]")


def load(path: Path, *, resample: bool = False) -> SegmentModel:
    """The segment models of a file."""
    file = read_segment_models(path)
    if resample:
        file = with_resampling(file)
    return (RecordingModel if file.whole else SegmentModel)(path, "segments", file)
