"""What was recognised in test recordings, recognition of new ones, and forced alignment."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from speechgmm.engine.recordings import model_frames
from speechgmm.errors import DataError
from speechgmm.evaluation import Edits, align_labels
from speechgmm.features.silence import Silence
from speechgmm.hmm import Alignment, AlignmentScorer, Decoder, Recogniser
from speechgmm.hmm.recognition_spec import RecognitionSpec
from speechgmm.io.samples import AudioSource
from speechgmm.io.timed_labels import TimedLabel
from speechgmm.tasks.recognition.codec import RecogniserFile
from speechgmm.tasks.recognition.speakers import by_speaker
from speechgmm.tasks.recognition.texts import check_pronounced
from speechgmm.tasks.recognition.tiers import name_of_units, tiers
from speechgmm.tasks.recognition.transcripts import Transcript

Source = TypeVar("Source", bound=AudioSource)

SILENCES = ("sil", "SIL", "<sil>", "sp", "pau", "h#", "silence")
"""Names of labels that are silence in corpora whose transcripts have it."""

LEAST_ALIGNMENT_BEAM = 1000.0
"""Nats. A text has few paths, and the right one may be far below the best for a while."""

MOST_HYPOTHESES = 1000
"""Of a recording: the time for them grows with their square."""

CONFIDENCE_SCALE = 0.1
"""Of log-likelihoods, for confidence: neighbouring frames say nearly the same, which makes posteriors too sure."""


@dataclass(frozen=True, slots=True)
class Recognised:
    """The references of the test recordings, and the hypotheses."""

    references: tuple[Transcript, ...]
    hypotheses: tuple[Alignment | None, ...]  # None: there is none (too short, or no path is left in the beam)
    folds: tuple[str, ...] = ()  # of each; empty: there are none

    @classmethod
    def pooled(cls, parts: Sequence["Recognised"]) -> "Recognised":
        """Several folds as one test."""
        return cls(
            tuple(one for part in parts for one in part.references),
            tuple(one for part in parts for one in part.hypotheses),
            tuple(fold for part in parts for fold in part.folds),
        )

    def by_fold(self, names: Sequence[str]) -> dict[str, "Recognised"]:
        """The part of each fold of these names; of one name, all of it."""
        if len(names) == 1:
            return {names[0]: self}
        return {
            name: Recognised(
                tuple(one for one, fold in zip(self.references, self.folds, strict=True) if fold == name),
                tuple(one for one, fold in zip(self.hypotheses, self.folds, strict=True) if fold == name),
                tuple(fold for fold in self.folds if fold == name),
            )
            for name in names
        }

    def edits(self, spec: RecognitionSpec) -> tuple[Edits, ...]:
        """References aligned with hypotheses; labels that count as one are one."""
        pairs = zip(self.references, self.hypotheses, strict=True)
        return tuple(
            align_labels(counted_labels(one.words, spec), counted_labels(labels_of(hypothesis), spec))
            for one, hypothesis in pairs
        )


def counted_labels(words: Sequence[str], spec: RecognitionSpec) -> tuple[str, ...]:
    """The labels that words count as (``recognition.count_as``)."""
    merged = spec.count_as or {}
    return tuple(merged.get(word, word) for word in words)


def labels_of(hypothesis: Alignment | None) -> tuple[str, ...]:
    """Words (or phones) of a hypothesis; none where nothing was recognised."""
    return () if hypothesis is None else hypothesis.labels


@dataclass(frozen=True, slots=True)
class RecognisedRecording:
    """A new recording and what was recognised in it, or aligned to it."""

    path: AudioSource
    tiers: Mapping[str, Sequence[TimedLabel]]
    duration: float  # s
    log_likelihood: float  # nats per frame, language included
    fit: float | None = None  # of a forced alignment, nats per frame, see `hmm.alignment.with_fit`
    best: tuple[tuple[tuple[str, ...], float], ...] = ()  # where more than one was asked for: labels and nats in all
    n_frames: int = 0
    speech: float | None = None  # s of its speaker that the model was adapted to; None: it was not

    @property
    def fits(self) -> bool:
        """False: the text of a forced alignment explains the recording worse than any sound of the model does."""
        return self.fit is None or self.fit >= 0


def recognise_recordings(
    file: RecogniserFile,
    paths: Sequence[AudioSource],
    *,
    speakers: Sequence[str] | None = None,
    confidence_scale: float | None = None,
    top: int = 1,
    n_jobs: int = 1,
) -> Iterator[tuple[AudioSource, RecognisedRecording | DataError]]:
    """Recognise recordings in their order; ``confidence_scale`` as in `Decoder.recognise`.

    With ``top`` above 1 also so many different sequences of words, the best first. ``speakers`` says whose each
    recording is, for what the model does by speaker (adaptation, normalisation); None: each is one by itself.

    Yields the path with what was found, or with why not.
    """
    decoder = Decoder.of(file.recogniser.adapted())

    def hear(adapted: RecogniserFile, n: int) -> RecognisedRecording | DataError:
        return _recognise_recording(adapted, decoder, confidence_scale, top, paths[n])

    asked = [(path, lambda: decoder.graph) for path in paths]
    yield from zip(paths, by_speaker(file, asked, hear, speakers, n_jobs=n_jobs), strict=True)


def align_recordings(
    file: RecogniserFile,
    said: Mapping[Source, Sequence[str]],
    *,
    speakers: Sequence[str] | None = None,
    scores: bool = False,
    n_jobs: int = 1,
) -> Iterator[tuple[AudioSource, RecognisedRecording | DataError]]:
    """Find when the words of each recording are said, in any of their pronunciations, and how well these fit it.

    Silence may come before, between and after the words where the model has a unit for it; also one that is a label of
    its transcripts (`SILENCES`), unless a text names it.
    With ``scores`` every label has them. ``speakers`` and results as of `recognise_recordings`.

    Raises:
        DataError: Words without a pronunciation: all of all recordings are named.
    """
    check_pronounced(said, file.recogniser.lexicon)
    file = replace(file, recogniser=with_silence_of_transcripts(file.recogniser, said.values()))
    adapted_recogniser = file.recogniser.adapted()
    decoder = Decoder.of(adapted_recogniser, next(iter(said.values())))
    decoder = replace(decoder, beam=max(decoder.beam, LEAST_ALIGNMENT_BEAM))
    tasks, scorer = list(said.items()), AlignmentScorer(adapted_recogniser.units, file.recogniser.boundary_model)

    def align(adapted: RecogniserFile, n: int) -> RecognisedRecording | DataError:
        return _align_recording(adapted, decoder, scorer, scores, tasks[n])

    asked = [(path, partial(file.recogniser.linear, words)) for path, words in tasks]
    yield from zip(said, by_speaker(file, asked, align, speakers, n_jobs=n_jobs), strict=True)


def with_silence_of_transcripts(recogniser: Recogniser, texts: Iterable[Sequence[str]]) -> Recogniser:
    """A recogniser without a unit for silence that may put the silence of its transcripts between words.

    It stays as it is where a text names that silence: then the texts say themselves where silence is.
    """
    named = {word for words in texts for word in words}
    known = [name for name in SILENCES if name in recogniser.units.labels]
    if recogniser.silence is not None or not known or named & set(known):
        return recogniser
    return replace(recogniser, silence=known[0])


def _align_recording(
    file: RecogniserFile,
    decoder: Decoder,
    scorer: AlignmentScorer,
    scores: bool,
    task: tuple[AudioSource, Sequence[str]],
) -> RecognisedRecording | DataError:
    path, words = task

    def align(frames: NDArray[np.float32]) -> tuple[Alignment, tuple[Alignment, ...]]:
        ready = replace(decoder, graph=file.recogniser.linear(words))
        return ready.align(frames, scorer=scorer, scores=scores), ()

    return _heard(file, align, path)


def _recognise_recording(
    file: RecogniserFile, decoder: Decoder, scale: float | None, top: int, path: AudioSource
) -> RecognisedRecording | DataError:
    def recognise(frames: NDArray[np.float32]) -> tuple[Alignment, tuple[Alignment, ...]]:
        several = decoder.n_best(frames, top) if top > 1 else ()
        return decoder.recognise(frames, confidence_scale=scale), several

    return _heard(file, recognise, path)


def _heard(
    file: RecogniserFile,
    work: Callable[[NDArray[np.float32]], tuple[Alignment, tuple[Alignment, ...]]],
    path: AudioSource,
) -> RecognisedRecording | DataError:
    """What ``work`` finds in the frames of a recording, and further hypotheses, with times in s; or why it does not."""
    try:
        frames, _, recording = model_frames(file.audio, path, silence=Silence.KEPT)
        heard, several = work(frames)
    except DataError as error:
        return error.about(path)
    units = name_of_units(file.recogniser, file.label)
    found = tiers(heard, file.audio, len(frames), recording.duration, units=units)
    best = tuple((one.labels, one.score) for one in several)
    return RecognisedRecording(path, found, recording.duration, heard.score / len(frames), heard.fit, best, len(frames))
