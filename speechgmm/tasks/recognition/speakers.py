"""Whose recordings are, and what the recordings of a speaker change: normalisation and adaptation (fMLLR).

Owns what a person may say about speakers, and the order of results. What is new for a speaker is how recordings become
frames, so that recognition and alignment need not know of speakers.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import reduce
from operator import add
from os.path import normpath
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeVar

from speechgmm.corpus.listing import listed
from speechgmm.corpus.readers.manifest import TABLES, table_rows
from speechgmm.engine.audio_input import AudioInput
from speechgmm.engine.job import Job
from speechgmm.engine.recordings import model_frames, moments_of
from speechgmm.errors import ConfigError, DataError, first_few
from speechgmm.features import front_end, normalisation
from speechgmm.features.silence import Silence
from speechgmm.hmm import Graph, HMMSpec, Recogniser
from speechgmm.hmm.adaptation import SpeakerAdapter, SpeakerTransform
from speechgmm.io.samples import AudioSource
from speechgmm.parallel import pmap
from speechgmm.tasks.recognition.codec import RecogniserFile

if TYPE_CHECKING:
    from speechgmm.tasks.recognition.decoding import RecognisedRecording

Result = TypeVar("Result")

FOLDER: Final = "folder"
COLUMN: Final = "speaker"


def speakers_of(who: str, paths: Sequence[Path]) -> list[str]:
    """The speaker of each recording.

    ``who`` is the name of one speaker of them all, `FOLDER` (each folder has one speaker), a table with the columns
    path and speaker, or a regular expression whose parentheses match the speaker in a path.

    Raises:
        ConfigError: An empty name; a table that is not there; an expression that is none, or has no parentheses.
        DataError: The table cannot be read, has no such column (its columns are named), lacks recordings, or has two
            speakers of one; paths that the expression does not match.

    >>> paths = [Path("/a/anna-1.wav"), Path("/a/ben-1.wav")]
    >>> speakers_of("anna", paths), speakers_of("/([^/]+)-", paths)
    (['anna', 'anna'], ['anna', 'ben'])
    """
    if not who.strip():
        raise ConfigError(
            f"the speaker is {who!r}; expected a name, {FOLDER}, a table or a regular expression",
            arguments=("speakers",),
        )
    if who == FOLDER:
        return [str(path.parent) for path in paths]
    if Path(who).is_file():
        return _of_table(Path(who), paths)
    if not set(who) & set(r"()[]{}\*+?^$|"):
        if Path(who).suffix in TABLES:
            raise ConfigError(
                f"{who}: there is no such table; expected one with the columns path and {COLUMN}",
                arguments=("speakers",),
            )
        return [who] * len(paths)
    try:
        expression = re.compile(who)
    except re.error as error:
        raise ConfigError(
            f"{who!r} is no regular expression ({error}); expected one such as '([^/]+)-', or a name without special "
            "characters",
            arguments=("speakers",),
        ) from None
    if not expression.groups:
        raise ConfigError(
            f"{who!r} has no parentheses around the speaker; expected an expression such as '([^/]+)-', or a name "
            "without special characters",
            arguments=("speakers",),
        )
    matches = [expression.search(path.as_posix()) for path in paths]
    found = [None if one is None else one[1] for one in matches]
    _check_all(f"the parentheses of {who!r} match no", found, paths)
    return [one for one in found if one]


def _of_table(table: Path, paths: Sequence[Path]) -> list[str]:
    """By a table whose paths are relative to its folder, or absolute."""
    rows = [(line, row) for line, row in table_rows(table)]
    wrong = [f"line {line}: {row}" for line, row in rows if isinstance(row, str)]
    if wrong:
        raise DataError(f"{table}: {len(wrong)} of {len(rows)} rows cannot be used:\n{listed(wrong)}")
    cells = [row for _, row in rows if not isinstance(row, str)]
    columns = list(dict.fromkeys(column for row in cells for column in row))
    missing = [column for column in ("path", COLUMN) if column not in columns]
    if missing:
        raise DataError(f"{table}: no column {missing[0]!r}; the columns are {', '.join(columns) or 'none'}")
    names: dict[str, str | None] = {}
    for row in cells:
        path, name = normpath(table.absolute().parent / row.get("path", "")), row.get(COLUMN)
        if names.setdefault(path, name) != name:
            raise DataError(f"{table}: {path} has two speakers, {names[path]!r} and {name!r}; expected one")
    found = [names.get(normpath(path.absolute())) for path in paths]
    _check_all(f"{table} has no", found, paths)
    return [one for one in found if one]


def _check_all(what: str, found: Sequence[str | None], paths: Sequence[Path]) -> None:
    missing = [str(path) for path, one in zip(paths, found, strict=True) if not one]
    if missing:
        raise DataError(
            f"{what} speaker of {len(missing)} of {len(paths)} recordings; expected one for each:\n{listed(missing)}"
        )


def unnamed_speakers(file: RecogniserFile) -> str | None:
    """What is said where nobody says who speaks; None: it makes no difference to the model."""
    what = (
        *(("normalisation",) if file.audio.features.cmvn == "speaker" else ()),
        *(("adaptation",) if file.recogniser.adaptation is not None else ()),
    )
    return f"{' and '.join(what)} by speaker: each recording counts as a speaker by itself" if what else None


def names_for(speakers: "str | Sequence[str]", n_recordings: int) -> list[str]:
    """The speaker of each of so many recordings; one name is that of all.

    Raises ConfigError for another number of names, and for what is no name.

    >>> names_for("anna", 2)
    ['anna', 'anna']
    """
    names = [speakers] * n_recordings if isinstance(speakers, str) else list(speakers)
    wrong = [name for name in names if not isinstance(name, str) or not name.strip()]
    if wrong:
        raise ConfigError(
            f"the speaker is {wrong[0]!r}; expected the name of a speaker, a text", arguments=("speakers",)
        )
    if len(names) != n_recordings:
        raise ConfigError(
            f"{len(names)} speakers for {n_recordings} recordings; expected a name for each, or one for all",
            arguments=("speakers",),
        )
    return names


def check_uses_speakers(recogniser: Recogniser, audio: AudioInput) -> None:
    """Raise ConfigError where it makes no difference to a model who speaks."""
    if recogniser.adaptation is None and audio.features.cmvn != "speaker":
        raise ConfigError(
            "this model neither adapts to speakers (hmm.adapt) nor normalises by speaker (features.cmvn: speaker); "
            "leave the speakers out, or train one that does",
            arguments=("speakers",),
        )


def grouped(names: Sequence[str]) -> list[list[int]]:
    """The numbers of what has the same name, in order of first occurrence.

    >>> grouped(["anna", "ben", "anna"])
    [[0, 2], [1]]
    """
    found: dict[str, list[int]] = {}
    for number, name in enumerate(names):
        found.setdefault(name, []).append(number)
    return list(found.values())


def in_order(groups: Sequence[Sequence[int]], results: Iterable[Sequence[Result]]) -> Iterator[Result]:
    """The results of groups of numbers from 0 on, in the order of the numbers.

    Each comes as soon as all before it are there.

    >>> list(in_order([[0, 2], [1]], [["a", "c"], ["b"]]))
    ['a', 'b', 'c']
    """
    waiting: dict[int, Result] = {}
    following = 0
    for numbers, found in zip(groups, results, strict=True):
        waiting.update(zip(numbers, found, strict=True))
        while following in waiting:
            yield waiting.pop(following)
            following += 1


def by_speaker(
    file: RecogniserFile,
    asked: Sequence[tuple[AudioSource, Callable[[], Graph]]],
    hear: Callable[[RecogniserFile, int], "RecognisedRecording | DataError"],
    speakers: Sequence[str] | None = None,
    *,
    n_jobs: int = 1,
) -> "Iterator[RecognisedRecording | DataError]":
    """What ``hear`` finds in recordings, in their order; all of a speaker are looked at first.

    Args:
        file: The model.
        asked: Each recording, with a function that makes the graph of the word sequences that are possible in it.
        hear: Recognises or aligns a recording, by its number, with the model of its speaker.
        speakers: Whose each recording is; None: each is a speaker by itself.
        n_jobs: Speakers at once, by threads.
    """
    groups = [[n] for n in range(len(asked))] if speakers is None else grouped(speakers)
    adapter = file.recogniser.adapter()

    def work(numbers: Sequence[int]) -> "list[RecognisedRecording | DataError]":
        mine = [asked[n] for n in numbers]
        adapted, speaker = _of_speaker(file, mine, adapter)
        found = [hear(adapted, n) for n in numbers]
        if speaker is None:
            return found
        return [one if isinstance(one, DataError) else _of_raw_frames(one, speaker, file.audio) for one in found]

    yield from in_order(groups, pmap(work, groups, n_jobs=n_jobs, backend="threads"))


def _of_speaker(
    file: RecogniserFile, asked: Sequence[tuple[AudioSource, Callable[[], Graph]]], adapter: SpeakerAdapter | None
) -> tuple[RecogniserFile, SpeakerTransform | None]:
    """The model with how the recordings of a speaker become frames, and the speaker's transform.

    Recordings that cannot be used are left out here; they are named when they are recognised.
    """
    audio = file.audio
    if audio.features.cmvn == "speaker" and len(asked) > 1:
        each = [found for path, _ in asked if (found := moments_of(audio, path, silence=Silence.KEPT)) is not None]
        if each:
            audio = replace(audio, normalisation=normalisation(reduce(add, each), audio.features.norm_vars))
    if adapter is None:
        return replace(file, audio=audio), None
    pairs = []
    for path, graph in asked:
        with suppress(DataError):
            pairs.append((model_frames(audio, path, silence=Silence.KEPT)[0], graph()))
    speaker = adapter.transform(pairs)
    first = audio.transform
    moved = speaker.transform if first is None else first.then(speaker.transform)
    return replace(file, audio=replace(audio, transform=moved)), speaker


def _of_raw_frames(found: "RecognisedRecording", speaker: SpeakerTransform, audio: AudioInput) -> "RecognisedRecording":
    """The same with log-likelihoods of the frames before the speaker's transform, and what that was estimated from."""
    total = speaker.log_det * found.n_frames
    return replace(
        found,
        log_likelihood=found.log_likelihood + speaker.log_det,
        best=tuple((labels, score + total) for labels, score in found.best),
        speech=seconds(audio, speaker.n_frames),
    )


def seconds(audio: AudioInput, n_frames: float) -> float:
    """How long so many frames are."""
    return n_frames * front_end(audio.features, audio.sample_rate).frame_shift / audio.sample_rate


def little_speech(file: RecogniserFile, speech: Sequence[float]) -> str | None:
    """What is said where speakers have less speech (s, of each recording) than the prior is worth; None: none has."""
    if file.recogniser.adaptation is None:
        return None
    prior = seconds(file.audio, file.recogniser.adaptation.prior)
    n_short = sum(one < prior for one in speech)
    if not n_short:
        return None
    return (
        f"adaptation changes little in {n_short} of {len(speech)} recordings: their speakers have less than "
        f"{prior:.3g} s of speech here"
    )


def warn_of_speakers(job: Job, speech: Mapping[str, float]) -> None:
    """Warn of speakers (by name, with the frames their transforms are of) whom adaptation does next to nothing for."""
    config = job.experiment.config
    spec = config.section(HMMSpec)
    if spec.adapt == "none":
        return
    if config.corpus.group is None:
        job.console.warn(
            "hmm.adapt: each recording is adapted to by itself, because corpus.group does not say whose it is; name "
            "the column of the speakers there, since a few seconds of speech change little"
        )
        return
    short = [name for name, n_frames in speech.items() if n_frames < spec.adapt_prior]
    if short:
        job.console.warn(
            f"hmm.adapt: {len(short)} of {len(speech)} speakers have less than "
            f"{seconds(job.audio, spec.adapt_prior):.3g} s of speech (hmm.adapt_prior), so that their transforms stay "
            f"near the identity: {first_few(short, 10)}"
        )
