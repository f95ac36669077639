"""Training of a diarizer from recordings of one speaker each."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields, replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from speechgmm.engine.audio_input import AudioInput
from speechgmm.errors import DataError
from speechgmm.evaluation.diarization import diarization_errors
from speechgmm.features import FeatureSpec
from speechgmm.features.spec_checks import VAD_SETTINGS
from speechgmm.hmm.speech_detector_training import train_speech_detector
from speechgmm.tasks.diarization.codec import DiarizerFile, LearntFrom
from speechgmm.tasks.diarization.conversations import Conversation, conversation
from speechgmm.tasks.diarization.estimation import learn_threshold, train_background
from speechgmm.tasks.diarization.models import Diarizer, divisions
from speechgmm.tasks.diarization.recordings import FRONT_END, LONGEST, SAMPLE_RATE, heard, in_seconds
from speechgmm.tasks.diarization.spec import DiarizationSpec
from speechgmm.tasks.diarization.turn_statistics import TurnStatistics

SPEAKERS: Final = (2, 3, 4)
"""Of made conversations, in turn."""

LEAST_SPEAKERS: Final = 8
"""Half of them talk, and up to four of those in one conversation."""

MOST: Final = 60.0
"""Seconds of a speaker that the background is learnt from: more of the same voice says little more."""


def halves(names: Iterable[str], what: str, *, seed: int) -> tuple[list[str], list[str]]:
    """Speakers in a drawn order: every second one makes the background, the others talk to each other.

    Raises:
        DataError: Too few of them; ``what`` says how many there are and where.

    >>> halves("abcdefgh", "8 speakers", seed=0)
    (['c', 'd', 'f', 'b'], ['e', 'g', 'a', 'h'])
    """
    ordered = sorted(names)
    if len(ordered) < LEAST_SPEAKERS:
        raise DataError(
            f"{what}; a diarizer is learnt from {LEAST_SPEAKERS} at least, better from fifty: half of them make the "
            "background, the others talk to each other"
        )
    drawn = [ordered[number] for number in np.random.default_rng(seed).permutation(len(ordered))]
    return drawn[0::2], drawn[1::2]


def made_conversations(
    speakers: Mapping[str, NDArray[np.float32]],
    sample_rate: int,
    n: int,
    *,
    statistics: TurnStatistics | None = None,
    seed: int = 0,
) -> list[Conversation]:
    """``n`` conversations of two, three and four speakers in turn, drawn anew for each.

    No piece of audio is twice in one conversation; a speaker may be in several. ``statistics`` are those of natural
    conversations; None: turns of 1 to 5 s without overlap.

    Raises:
        DataError: Fewer than four speakers, or one with less than a turn.
    """
    made = []
    for chosen, own_seed in drawn_talkers(list(speakers), n, seed=seed):
        recordings = [(name, speakers[name][: round(LONGEST * sample_rate)]) for name in chosen]
        made.append(conversation(recordings, sample_rate, statistics, seed=own_seed))
    return made


def drawn_talkers(names: Sequence[str], n: int, *, seed: int = 0) -> list[tuple[list[str], list[int]]]:
    """Who talks in each of ``n`` made conversations, two, three and four in turn, and the seed of each.

    Raises:
        DataError: Fewer than four speakers.
    """
    if len(names) < max(SPEAKERS):
        raise DataError(
            f"{len(names)} speakers; conversations are made of up to {max(SPEAKERS)} different ones: give as many"
        )
    drawn = []
    for number in range(n):
        order = np.random.default_rng([seed, number]).permutation(len(names))
        chosen = [names[one] for one in order[: SPEAKERS[number % len(SPEAKERS)]]]
        drawn.append((chosen, [seed, number, 1]))
    return drawn


def train_diarizer(
    background: Mapping[str, Sequence[NDArray[np.float32]]],
    development: Sequence[Conversation],
    *,
    audio: AudioInput | None = None,
    spec: DiarizationSpec | None = None,
    n_components: int = 64,
    with_detector: bool = True,
    seed: int = 0,
) -> DiarizerFile:
    """A diarizer: background model and speaker space from some speakers, the threshold from others' conversations.

    Args:
        background: Speaker -> recordings, samples (N,) in [-1, 1] at the rate of ``audio``.
        development: Conversations of other speakers.
        audio: How samples become frames; default: ``FRONT_END`` at 16 kHz.
        spec: How turns are found.
        n_components: Of the background model.
        with_detector: Train a speech detector on the background recordings, which says where somebody speaks in
            conversations; False: the VAD of ``audio`` does.
        seed: Of what is drawn.

    Raises:
        DataError: Too few speakers or too little speech.
    """
    how, chosen = audio or AudioInput(FRONT_END, SAMPLE_RATE), spec or DiarizationSpec()
    frames = {name: [_speech(how, samples, name) for samples in each] for name, each in background.items()}
    ubm, space = train_background(frames, chosen, n_components=n_components, seed=seed)
    if with_detector:
        longest = round(LONGEST * how.sample_rate)
        some = [np.concatenate(list(each))[:longest] for each in background.values()]
        how = with_speech_detector(how, some, seed=seed)
    diarizer = Diarizer(ubm, space, chosen, 0.0)
    paths = [merging_path(diarizer, how, made) for made in development]
    threshold, der = learn_threshold(paths)
    return DiarizerFile(replace(diarizer, threshold=threshold), how, LearntFrom(len(background), len(paths), der))


def with_speech_detector(
    audio: AudioInput, recordings: Sequence[NDArray[np.float32]], *, seed: int = 0, n_jobs: int = -1
) -> AudioInput:
    """The same frames, of which a detector says which are speech that is trained on recordings, samples (N,).

    Raises:
        DataError: Too little speech.
    """
    detector = train_speech_detector(recordings, audio.sample_rate, seed=seed, n_jobs=n_jobs)
    unused = VAD_SETTINGS.get(audio.features.vad, ())
    plain: dict[str, Any] = {field.name: field.default for field in fields(FeatureSpec) if field.name in unused}
    return replace(audio, features=replace(audio.features, vad="model", **plain), detector=detector)


def merging_path(diarizer: Diarizer, audio: AudioInput, made: Conversation) -> list[tuple[float, float]]:
    """The divisions of a conversation in order: ratio of the next merge (nats), and DER."""
    frames, speech = heard(audio, made.samples)
    if not speech.any():
        return [(-np.inf, diarization_errors(made.turns, ()).der)]
    path = []
    for one in divisions(diarizer, frames, speech):
        turns = in_seconds(one.labels, speech, audio, diarizer.spec)
        path.append((one.next_ratio, diarization_errors(made.turns, turns).der))
    return path


def _speech(audio: AudioInput, samples: NDArray[np.float32], speaker: str) -> NDArray[np.float32]:
    try:
        frames, speech = heard(audio, samples)
    except DataError as error:
        raise DataError(f"a recording of {speaker!r}: {error}") from None
    return frames[speech]
