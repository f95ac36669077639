"""Recognisers in Python: recognition, and forced alignment."""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from numbers import Integral
from pathlib import Path
from typing import Any

from speechgmm.engine.audio_input import AudioInput, with_resampling
from speechgmm.engine.loaded_model import LoadedModel, OnError
from speechgmm.engine.results import Result
from speechgmm.errors import ConfigError, DataError, check_type
from speechgmm.io.samples import AudioSource
from speechgmm.io.timed_labels import TimedLabel
from speechgmm.parallel import free_workers
from speechgmm.tasks.recognition.codec import read_recogniser
from speechgmm.tasks.recognition.decoding import (
    CONFIDENCE_SCALE,
    MOST_HYPOTHESES,
    RecognisedRecording,
    align_recordings,
    recognise_recordings,
)
from speechgmm.tasks.recognition.speakers import check_uses_speakers, names_for
from speechgmm.tasks.recognition.texts import TextWords


@dataclass(frozen=True, slots=True)
class RecognitionResult(Result):
    """The words (or phones) of a recording with their times.

    >>> found = RecognitionResult("a.wav", 1.0, (TimedLabel("one", 0.1, 0.5),), (), -41.2, None, ())
    >>> found.text, found.to_dict()["words"][0]["end"]
    ('one', 0.5)
    """

    recording: str
    duration: float  # s
    words: tuple[TimedLabel, ...]  # start and end in s, confidence from 0 to 1
    units: tuple[TimedLabel, ...]  # that the words are made of, such as phones; empty: they are the words
    log_likelihood: float  # nats per frame, language included
    fit: float | None  # of an alignment, nats per frame: below 0 the text does not fit the recording
    hypotheses: tuple[tuple[tuple[str, ...], float], ...]  # with ``top``: words, and nats of the whole, the best first

    @classmethod
    def of(cls, found: RecognisedRecording) -> "RecognitionResult":
        """What was found in a recording."""
        first, *finer = found.tiers.values()
        return cls(
            recording=str(found.path),
            duration=found.duration,
            words=tuple(first),
            units=tuple(finer[0]) if finer else (),
            log_likelihood=found.log_likelihood,
            fit=found.fit,
            hypotheses=found.best,
        )

    @property
    def fits(self) -> bool:
        """False: the text of an alignment does not fit the recording, so that its times mean little."""
        return self.fit is None or self.fit >= 0

    @property
    def text(self) -> str:
        """The words, with spaces between them."""
        return " ".join(word.label for word in self.words)

    def rows(self) -> list[dict[str, Any]]:
        """A row for each word."""
        return [
            {
                "recording": self.recording,
                "label": one.label,
                "start": one.start,
                "end": one.end,
                "confidence": one.confidence,
            }
            | ({} if one.scores is None else one.scores.rounded())
            for one in self.words
        ]


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class RecogniserModel(LoadedModel):
    """A recogniser. Safe to use from several threads at once."""

    @property
    def audio(self) -> AudioInput:
        """How a recording becomes frames."""
        found: AudioInput = self.file.audio
        return found

    @property
    def labels(self) -> tuple[str, ...]:
        """The units."""
        found: tuple[str, ...] = self.file.recogniser.units.labels
        return found

    def about(self) -> str:
        """How many words and units."""
        return f"{len(self.file.recogniser.lexicon)} words of {len(self.labels)} units ({self.file.label})"

    def recognise(
        self,
        audio: Any,
        sample_rate: int | None = None,
        *,
        top: int = 1,
        speakers: "str | Sequence[str] | None" = None,
        n_jobs: int = 1,
        on_error: OnError = "raise",
    ) -> Any:
        """Recognise the words (or phones) of recordings.

        Parameters
        ----------
        audio
            A path; samples as a numpy array (N,) or (N, channels) of int16 or of floats in [-1, 1]; a folder of
            recordings; or a list of paths or of samples.
        sample_rate
            Sampling rate of samples in Hz; a file has its own.
        top
            Number of hypotheses to return, 1 to 1000; the time grows with its square.
        speakers
            The speaker of each recording, for a model that adapts to speakers (``hmm.adapt``) or normalises by speaker:
            one name for each recording, in order, or one name for all. None: each recording is a speaker of its own.
        n_jobs
            Number of threads, each with one recording at a time; -1: one per CPU core.
        on_error
            ``raise``: raise the first DataError. ``return``: return each DataError in place of the result of its
            recording.

        Returns
        -------
        RecognitionResult, or a list of them

        Raises
        ------
        ConfigError
            Samples without ``sample_rate``; ``top`` out of range; another number of ``speakers`` than of recordings;
            ``speakers`` for a model that neither adapts nor normalises by speaker.
        DataError
            A recording cannot be used, see ``on_error``.
        """
        check_type("top", top, Integral, f"a whole number of hypotheses, 1 to {MOST_HYPOTHESES}")
        if not 1 <= top <= MOST_HYPOTHESES:
            raise ConfigError(f"top is {top}; expected 1 to {MOST_HYPOTHESES} hypotheses", arguments=("top",))

        whose = self._speakers(audio, sample_rate, speakers)

        def work(sources: Sequence[AudioSource]) -> Iterator[tuple[AudioSource, Any]]:
            workers = free_workers(n_jobs, len(sources))
            heard = recognise_recordings(
                self.file, sources, speakers=whose, confidence_scale=CONFIDENCE_SCALE, top=top, n_jobs=workers
            )
            for source, found in heard:
                yield source, found if isinstance(found, DataError) else RecognitionResult.of(found)

        return self._each(audio, sample_rate, work, on_error)

    score = recognise

    def align(
        self,
        audio: Any,
        sample_rate: int | None = None,
        *,
        text: str,
        dictionary: "str | os.PathLike[str] | None" = None,
        speakers: "str | Sequence[str] | None" = None,
        scores: bool = False,
        n_jobs: int = 1,
        on_error: OnError = "raise",
    ) -> Any:
        """Forced alignment: find when the words of a text are spoken.

        Parameters
        ----------
        audio, sample_rate, speakers, n_jobs, on_error
            As for ``recognise``.
        text
            The words that are spoken, the same in each of the recordings.
        dictionary
            File with pronunciations of words that the model does not have.
        scores
            Whether each word and unit has ``scores`` (`LabelScores`): goodness of pronunciation, posterior, duration,
            and the 95 % interval of its beginning and its end.

        Returns
        -------
        RecognitionResult, or a list of them
            Its ``fit`` says how well the text fits the recording, and ``fits`` whether it does.

        Raises
        ------
        ConfigError
            A text without a word; otherwise as for ``recognise``.
        DataError
            Words without a pronunciation (all are named); a recording cannot be used, see ``on_error``.
        """
        check_type("text", text, str, "the words that are said")
        if dictionary is not None:
            check_type("dictionary", dictionary, (str, os.PathLike), "the path of a dictionary")
        known = TextWords.of(self.file, None if dictionary is None else Path(dictionary))
        words = known.words(text)
        if not words:
            raise ConfigError(f"text is {text!r}; expected the words that are said", arguments=("text",))
        whose = self._speakers(audio, sample_rate, speakers)

        def work(sources: Sequence[AudioSource]) -> Iterator[tuple[AudioSource, Any]]:
            said = dict.fromkeys(sources, words)
            workers = free_workers(n_jobs, len(said))
            names = None if whose is None else list(dict(zip(sources, whose, strict=True)).values())
            heard = (
                align_recordings(known.known_to(said), said, speakers=names, scores=scores, n_jobs=workers)
                if said
                else ()
            )
            found = dict(heard)
            for source in sources:
                one = found[source]
                yield source, one if isinstance(one, DataError) else RecognitionResult.of(one)

        return self._each(audio, sample_rate, work, on_error)

    def _speakers(
        self, audio: Any, sample_rate: int | None, speakers: "str | Sequence[str] | None"
    ) -> list[str] | None:
        """The speaker of each recording that can be opened; None: nobody says."""
        if speakers is None:
            return None
        check_uses_speakers(self.file.recogniser, self.audio)
        sources, _ = self._sources(audio, sample_rate)
        names = names_for(speakers, len(sources))
        return [name for source, name in zip(sources, names, strict=True) if not isinstance(source, DataError)]


def load(path: Path, *, resample: bool = False) -> RecogniserModel:
    """The recogniser of a file."""
    file = read_recogniser(path)
    if resample:
        file = with_resampling(file)
    return RecogniserModel(path, "recognition", file)
