"""What is said in which recording: from a corpus's labels to transcripts, with times where the labels have them."""

from dataclasses import dataclass
from pathlib import Path
from unicodedata import normalize

from speechgmm.config import Config
from speechgmm.corpus.listing import listed
from speechgmm.corpus.spelling import Spelling
from speechgmm.engine.frames import Features, Piece
from speechgmm.engine.job import Job
from speechgmm.engine.labelled_recordings import are_segments, recordings_of
from speechgmm.errors import DataError, first_few
from speechgmm.hmm.recognition_spec import RecognitionSpec
from speechgmm.tasks.recognition.dictionaries import spelling_of

Bounds = tuple[tuple[float, float], ...]


@dataclass(frozen=True, slots=True)
class Transcript:
    """A stretch of speech and what is said in it, by reference."""

    id: str
    piece: Piece  # of the whole stretch
    words: tuple[str, ...]
    bounds: Bounds | None  # of each word, in frames, fractions allowed; None: not known
    group: str
    copy: bool = False  # an altered copy of another


def transcripts(job: Job, features: Features, split: str) -> list[Transcript]:
    """What is said in the recordings of a split; in training with their altered copies.

    Raises:
        DataError: A recording whose segments are in both parts of the split, or overlap.
    """
    return _of_segments(job, features, split) if are_segments(job) else _of_utterances(job, features, split)


def are_isolated(config: Config) -> bool:
    """Whether each recording has one word (`recognition.language: word`), so that a whole label is one unit."""
    return config.section(RecognitionSpec).language == "word"


def words_of(text: str, *, isolated: bool, spelling: Spelling | None = None) -> tuple[str, ...]:
    """The words of a transcript, in NFC: what white space separates; of an ``isolated`` word the whole label.

    With a ``spelling`` they are made to fit it (`spelling_of`).

    >>> words_of("zoom  in", isolated=True), words_of("zoom  in", isolated=False)
    (('zoom in',), ('zoom', 'in'))
    """
    if spelling is not None:
        return tuple(spelling.words(text))
    words = tuple(normalize("NFC", text).split())
    return (" ".join(words),) if isolated and words else words


def _of_utterances(job: Job, features: Features, split: str) -> list[Transcript]:
    config, label = job.experiment.config, features.corpus.label
    group, isolated, spelling = config.corpus.group, are_isolated(config), spelling_of(job)
    pairs = features.training() if split == "train" else [(u, (piece,)) for u, piece in features.of_split(split)]
    return [
        Transcript(
            utterance.id,
            piece,
            words_of(utterance.label(label), isolated=isolated, spelling=spelling),
            None,
            utterance.label(group) if group else utterance.id,
            copy=number > 0,
        )
        for utterance, pieces in pairs
        for number, piece in enumerate(pieces)
    ]


def _of_segments(job: Job, features: Features, split: str) -> list[Transcript]:
    sides: dict[Path, set[str]] = {}
    for utterance in features.corpus:
        sides.setdefault(utterance.path, set()).add(utterance.split)
    torn = [path.name for path, splits in sides.items() if len(splits) > 1]
    if torn:
        raise DataError(
            f"{len(torn)} recordings have segments on both sides of the split ({first_few(torn, 5)}); recognition "
            "needs whole recordings: divide by speaker or by recording (corpus.group, corpus.split)"
        )
    found, crossed = [], []
    for recording in recordings_of(job, features, split):
        order = sorted(range(len(recording.labels)), key=lambda n: recording.bounds[n])
        bounds = tuple(recording.bounds[n] for n in order)
        n = next((n for n in range(1, len(bounds)) if bounds[n][0] < bounds[n - 1][1] - 1e-6), None)
        if n is not None and not recording.copy:
            one, other = recording.labels[order[n - 1]], recording.labels[order[n]]
            crossed.append(f"{recording.path.name}: {one!r} and {other!r} (segments {n} and {n + 1})")
        words = tuple(recording.labels[n] for n in order)
        name = recording.path.relative_to(features.corpus.root).with_suffix("").as_posix()
        found.append(Transcript(name, recording.piece, words, bounds, recording.group, recording.copy))
    if crossed:
        raise DataError(
            f"in {len(crossed)} recordings segments overlap, the first of them:\n{listed(crossed)}\nrecognition needs "
            "one after another: are there several speakers, or words and phones, in one table? List one of them"
        )
    return found
