"""Conversations that a run makes of its corpus' recordings: who talks in which, so that a worker makes each by itself.

A plan is names, places and a seed; its audio is there only while the conversation is looked at.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from speechgmm.corpus import Utterance
from speechgmm.engine.audio_input import AudioInput
from speechgmm.io.audio import read_recording
from speechgmm.tasks.diarization.conversations import Conversation, conversation
from speechgmm.tasks.diarization.recordings import LONGEST
from speechgmm.tasks.diarization.training import SPEAKERS, drawn_talkers
from speechgmm.tasks.diarization.turn_statistics import TurnStatistics

LEAST: Final = 3.0
"""Seconds of a speaker in a conversation, at least: two turns or so."""

Stretch = tuple[Path, float, float | None]
"""A recording, start and end in s; None: to its end."""


@dataclass(frozen=True, slots=True)
class ConversationPlan:
    """What a conversation is to be made of."""

    talkers: tuple[tuple[str, tuple[Stretch, ...]], ...]  # speaker and recordings
    seed: tuple[int, ...]
    statistics: TurnStatistics | None = None  # of natural conversations; None: turns of 1 to 5 s without overlap

    def make(self, audio: AudioInput) -> Conversation:
        """The conversation. Raises DataError where a recording cannot be read."""
        recordings = [(name, joined(audio, stretches)) for name, stretches in self.talkers]
        return conversation(recordings, audio.sample_rate, self.statistics, seed=self.seed)


def joined(audio: AudioInput, stretches: Sequence[Stretch]) -> NDArray[np.float32]:
    """Samples (N,) of a speaker's recordings one after another, ``LONGEST`` seconds at most."""
    found: list[NDArray[np.float32]] = []
    wanted = round(LONGEST * audio.sample_rate)
    for path, start, end in stretches:
        if sum(map(len, found)) >= wanted:
            break
        samples = read_recording(
            path, sample_rate=audio.sample_rate, resample=audio.resample, channel=audio.channel
        ).samples
        stop = len(samples) if end is None else round(end * audio.sample_rate)
        found.append(samples[round(start * audio.sample_rate) : stop])
    return np.concatenate(found)[:wanted]


def stretches_of(utterances: Iterable[Utterance]) -> tuple[Stretch, ...]:
    """Where the audio of utterances is."""
    return tuple((one.path, one.start or 0.0, one.end) for one in utterances)


def training_plans(
    talkers: dict[str, tuple[Stretch, ...]], n: int, *, statistics: TurnStatistics | None = None, seed: int = 0
) -> list[ConversationPlan]:
    """Plans of ``n`` conversations of some speakers, each of whom may talk in several.

    Raises:
        DataError: Fewer than four speakers.
    """
    return [
        ConversationPlan(tuple((name, talkers[name]) for name in chosen), tuple(own_seed), statistics)
        for chosen, own_seed in drawn_talkers(list(talkers), n, seed=seed)
    ]


def separate_plans(
    talkers: dict[str, tuple[Stretch, ...]], *, statistics: TurnStatistics | None = None, seed: int = 0
) -> list[ConversationPlan]:
    """Plans of conversations of two, three and four speakers in turn, each speaker in one alone.

    No speaker is in two, so that conversations are independent. One speaker who would be left over joins the last.

    >>> plans = separate_plans({name: () for name in "abcdefghij"})
    >>> [len(plan.talkers) for plan in plans]
    [2, 3, 5]
    """
    names = list(talkers)
    order = [names[one] for one in np.random.default_rng([seed, 2]).permutation(len(names))]
    plans: list[ConversationPlan] = []
    while len(order) > 1:
        wanted = SPEAKERS[len(plans) % len(SPEAKERS)]
        count = len(order) if len(order) - wanted < 2 else wanted
        chosen, order = order[:count], order[count:]
        plans.append(
            ConversationPlan(tuple((name, talkers[name]) for name in chosen), (seed, len(plans), 3), statistics)
        )
    return plans
