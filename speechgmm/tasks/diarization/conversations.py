"""Conversations made from recordings of one speaker each: who takes which turn is drawn, what is said is real.

No piece of audio is used twice, and the same seed makes the same conversation. What is made has no room of its own:
every speaker keeps the microphone of the recording, which helps to tell them apart. `natural_conversation` draws turns,
gaps, overlaps and backchannels from statistics of conversations. `make_conversation` draws lengths uniformly, without
overlap: a recording is cut into turns, and speakers take them one after another, nobody twice in a row.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from speechgmm.errors import ConfigError, DataError
from speechgmm.evaluation.diarization import Turn
from speechgmm.tasks.diarization.turn_statistics import PUBLISHED, TurnStatistics, draw_turns

_GAP_LEVEL: Final = 1e-4
"""Standard deviation of the noise between turns: -80 dB of full scale, for digital silence is in no real recording."""


@dataclass(frozen=True, slots=True)
class Conversation:
    """The samples of a conversation, and its turns: who speaks when."""

    samples: NDArray[np.float32]  # (N,) in [-1, 1]
    turns: tuple[Turn, ...]


def make_conversation(
    recordings: Sequence[tuple[str, ArrayLike]],
    sample_rate: int,
    *,
    seed: int | Sequence[int] = 0,
    turn: tuple[float, float] = (1.0, 5.0),
    gap: tuple[float, float] = (0.0, 0.5),
) -> Conversation:
    """Make a conversation: cut the recording of each speaker into turns, and put the turns in a random order.

    The same speaker never has two turns in a row. The conversation ends when only turns of the last speaker are left.

    Args:
        recordings: (speaker, samples (N,)) for each speaker, once.
        sample_rate: Sample rate of all recordings in Hz.
        seed: Random seed for lengths and order.
        turn: Least and greatest length of a turn in s; lengths are drawn uniformly. The end of a recording is a turn
            too if it has the least length.
        gap: Least and greatest length in s of the pauses before turns; lengths are drawn uniformly.

    Raises:
        DataError: There is no recording, a recording is shorter than a turn, or a speaker occurs twice.
        ConfigError: A least length is above its greatest length, or a length is invalid.

    >>> noise = np.random.default_rng(0).normal(scale=0.1, size=(2, 16000))
    >>> made = make_conversation([("ann", noise[0]), ("bob", noise[1])], 8000, turn=(0.5, 1.0), gap=(0.1, 0.1))
    >>> made.turns[0].start, {one.speaker for one in made.turns} == {"ann", "bob"}
    (0.1, True)
    """
    if not (0 < turn[0] <= turn[1] and 0 <= gap[0] <= gap[1]):
        raise ConfigError(f"turns of {turn} s and gaps of {gap} s; expected the least and then the greatest length")
    names = _different([name for name, _ in recordings])
    rng = np.random.default_rng(seed)
    least = round(turn[0] * sample_rate)
    waiting: dict[str, list[NDArray[np.float32]]] = {}
    for name, samples in recordings:
        values, at = np.asarray(samples, np.float32), 0
        if len(values) < least:
            raise DataError(f"{name}: {len(values) / sample_rate:.2f} s, less than a turn of {turn[0]:g} s")
        waiting[name] = []
        while len(values) - at >= least:
            length = round(rng.uniform(*turn) * sample_rate)
            waiting[name].append(values[at : at + length])
            at += length
    parts: list[NDArray[np.float32]] = []
    turns: list[Turn] = []
    time, last = 0, ""
    while True:
        left = [name for name in names if waiting[name] and (name != last or len(names) == 1)]
        if not left:
            return Conversation(np.concatenate(parts), tuple(turns))
        shares = np.array([len(waiting[name]) for name in left], float)
        last = left[int(rng.choice(len(left), p=shares / shares.sum()))]
        pause = round(rng.uniform(*gap) * sample_rate)
        piece = waiting[last].pop(0)
        parts += [np.asarray(_GAP_LEVEL * rng.standard_normal(pause), np.float32), piece]
        start, time = time + pause, time + pause + len(piece)
        turns.append(Turn(start / sample_rate, time / sample_rate, last))


def conversation(
    recordings: Sequence[tuple[str, ArrayLike]],
    sample_rate: int,
    statistics: TurnStatistics | None,
    *,
    seed: int | Sequence[int] = 0,
) -> Conversation:
    """A natural conversation by statistics; None: one of `make_conversation`. Raises as these."""
    if statistics is None:
        return make_conversation(recordings, sample_rate, seed=seed)
    return natural_conversation(recordings, sample_rate, statistics=statistics, seed=seed)


def natural_conversation(
    recordings: Sequence[tuple[str, ArrayLike]],
    sample_rate: int,
    *,
    statistics: TurnStatistics = PUBLISHED,
    seed: int | Sequence[int] = 0,
) -> Conversation:
    """Make a conversation of the speakers of recordings, with turns, gaps and overlaps drawn from statistics.

    Parameters
    ----------
    recordings
        (speaker, samples (N,)) for each speaker, once.
    sample_rate
        Sample rate of all recordings in Hz.
    statistics
        The distributions to draw from; `turn_statistics` measures them in reference turns.
    seed
        Random seed.

    Returns
    -------
    Conversation
        The samples and the turns, sorted by their starts. Where two speakers overlap, their samples are added.

    Raises
    ------
    DataError
        There is no recording, a speaker occurs twice, or all recordings are shorter than the first turn.

    Examples
    --------
    >>> noise = np.random.default_rng(0).normal(scale=0.1, size=(2, 80000))
    >>> made = natural_conversation([("ann", noise[0]), ("bob", noise[1])], 8000)
    >>> {turn.speaker for turn in made.turns} == {"ann", "bob"}
    True
    """
    _different([name for name, _ in recordings])
    audio = {name: np.asarray(samples, np.float32) for name, samples in recordings}
    rng = np.random.default_rng(seed)
    drawn = list(draw_turns(statistics, {name: len(one) for name, one in audio.items()}, sample_rate, rng))
    if not drawn:
        longest = max(map(len, audio.values())) / sample_rate
        raise DataError(f"recordings of {longest:.2f} s at most; expected some seconds, enough for a turn")
    length = max(round(turn.end * sample_rate) for turn, _ in drawn)
    samples = np.asarray(_GAP_LEVEL * rng.standard_normal(length), np.float32)
    for turn, place in drawn:
        first, stop = round(turn.start * sample_rate), round(turn.end * sample_rate)
        samples[first:stop] += audio[turn.speaker][place : place + stop - first]
    return Conversation(samples, tuple(sorted(turn for turn, _ in drawn)))


def _different(names: list[str]) -> list[str]:
    """The speakers of recordings, who are different."""
    if not names or len(set(names)) < len(names):
        raise DataError(f"recordings of {', '.join(names) or 'nobody'}; expected one of each speaker")
    return names
