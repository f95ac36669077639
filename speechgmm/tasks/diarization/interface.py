"""Diarizers in Python."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from speechgmm.engine.audio_input import AudioInput, with_resampling
from speechgmm.engine.loaded_model import LoadedModel, OnError
from speechgmm.engine.results import Result
from speechgmm.errors import ConfigError, DataError
from speechgmm.evaluation.diarization import Turn
from speechgmm.io.samples import AudioSource
from speechgmm.parallel import free_workers
from speechgmm.tasks.diarization.codec import read_diarizer
from speechgmm.tasks.diarization.overlap import checked_regions
from speechgmm.tasks.diarization.overlap_labels import read_overlap
from speechgmm.tasks.diarization.recordings import diarize_recordings


@dataclass(frozen=True, slots=True)
class DiarizationResult(Result):
    """The speaker turns of a recording: who speaks when.

    >>> DiarizationResult("a.wav", 9.0, 1, (Turn(0.5, 8.0, "1"),)).to_dict()["turns"]
    [{'start': 0.5, 'end': 8.0, 'speaker': '1'}]
    """

    recording: str
    duration: float  # s
    n_speakers: int
    turns: tuple[Turn, ...]  # start and end in s, speaker; in the order of their starts

    def rows(self) -> list[dict[str, Any]]:
        """A row for each turn."""
        return [
            {"recording": self.recording, "start": one.start, "end": one.end, "speaker": one.speaker}
            for one in self.turns
        ]


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class DiarizerModel(LoadedModel):
    """A diarizer. Safe to use from several threads at once."""

    @property
    def audio(self) -> AudioInput:
        """How a recording becomes frames."""
        found: AudioInput = self.file.audio
        return found

    def about(self) -> str:
        """The size of the background model."""
        return f"background model of {self.file.diarizer.ubm.n_components} components"

    def diarize(
        self,
        audio: Any,
        sample_rate: int | None = None,
        *,
        n_speakers: int | None = None,
        overlap: Path | str | Sequence[tuple[float, float]] | None = None,
        n_jobs: int = 1,
        on_error: OnError = "raise",
    ) -> Any:
        """Diarize recordings: find who speaks when.

        Parameters
        ----------
        audio
            A path; samples as a numpy array (N,) or (N, channels) of int16 or of floats in [-1, 1]; a folder of
            recordings; or a list of paths or of samples.
        sample_rate
            Sampling rate of samples in Hz; a file has its own.
        n_speakers
            Number of speakers; None: it is estimated.
        overlap
            Regions where two speakers speak at once, and which get the second-best speaker too: a label file
            (`read_overlap`) or, for a single recording, (start, end) in s of each region. None: the overlap detector of
            the diarizer finds the regions, if it has one.
        n_jobs
            Number of threads, each with one recording at a time; -1: one per CPU core.
        on_error
            ``raise``: raise the first DataError. ``return``: return each DataError in place of the result of its
            recording.

        Returns
        -------
        DiarizationResult, or a list of them

        Raises
        ------
        ConfigError
            Samples without ``sample_rate``; ``n_speakers`` below 1; regions of overlap for several recordings.
        DataError
            A recording cannot be used, see ``on_error``.
        """

        def work(sources: Sequence[AudioSource]) -> Iterator[tuple[AudioSource, Any]]:
            workers = free_workers(n_jobs, len(sources))
            regions = _overlap(overlap, [source.stem for source in sources])
            done = diarize_recordings(self.file, sources, n_speakers=n_speakers, overlap=regions, n_jobs=workers)
            for source, found in done:
                if isinstance(found, DataError):
                    yield source, found
                else:
                    yield source, DiarizationResult(str(source), found.duration, found.n_speakers, found.turns)

        return self._each(audio, sample_rate, work, on_error)

    score = diarize


def _overlap(
    given: Path | str | Sequence[tuple[float, float]] | None, names: Sequence[str]
) -> dict[str, Sequence[tuple[float, float]]] | None:
    """Where two speak in recordings, by name; None: the diarizer says it."""
    if given is None:
        return None
    if isinstance(given, Path | str):
        return {**read_overlap(Path(given), names)}
    if len(names) != 1:
        raise ConfigError(
            f"regions of overlap for {len(names)} recordings; expected one recording, or the path of a label file that "
            "names them",
            arguments=("overlap",),
        )
    return {names[0]: checked_regions(given)}


def load(path: Path, *, resample: bool = False) -> DiarizerModel:
    """The diarizer of a file."""
    file = read_diarizer(path)
    if resample:
        file = with_resampling(file)
    return DiarizerModel(path, "diarization", file)
