"""When people speak in conversations: lengths of turns, gaps, overlaps and short turns within those of others.

Owns the statistics, published or measured in references, and schedules drawn from them. Knows no samples. Conversations
are simulated from statistics of pauses and overlaps as in Landini et al. 2022, From simulated mixtures to simulated
conversations as training data for end-to-end neural diarization (Interspeech). A turn that lies within a turn of
another speaker is an insert here (most are backchannels); all other turns take the floor, one after another.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import exp, log
from statistics import NormalDist
from typing import Final

import numpy as np

from speechgmm.errors import DataError
from speechgmm.evaluation.diarization import Turn

_QUANTILES: Final = 200
"""Values that stand for a published distribution."""

_APART: Final = 0.1
"""Seconds: a turn that takes the floor begins so much after the turn before it, and ends so much after it."""

_SHORTEST: Final = 0.3
"""Seconds: a speaker of whom less is left says no more."""


@dataclass(frozen=True, slots=True)
class TurnStatistics:
    """Distributions from which conversations are drawn, as samples of lengths and gaps; all times are in seconds."""

    lengths: tuple[float, ...]  # of turns that take the floor
    offsets: tuple[float, ...]  # from the end of a turn to the start of another speaker's; below 0: they overlap
    pauses: tuple[float, ...]  # before the same speaker takes the floor again
    inserts: tuple[float, ...]  # lengths of turns within another speaker's turn; may be empty
    switches: float  # share of turns that take the floor from another speaker, above 0
    inserted: float  # share of all turns that are inserts, below 1
    decline: float  # weight of a speaker in the draw of the next one, relative to the next more talkative, 0 to 1


def _normal(mean: float, deviation: float) -> tuple[float, ...]:
    drawn = NormalDist(mean, deviation)
    return tuple(drawn.inv_cdf((n + 0.5) / _QUANTILES) for n in range(_QUANTILES))


def _log_normal(median: float, deviation: float) -> tuple[float, ...]:
    return tuple(exp(value) for value in _normal(log(median), deviation))


PUBLISHED: Final = TurnStatistics(
    lengths=_log_normal(1.227, (2 * log(1.680 / 1.227)) ** 0.5),
    offsets=_normal(0.2, 0.38),
    pauses=_log_normal(0.5, 0.6),
    inserts=_log_normal(0.5, 0.4),
    switches=0.7,
    inserted=0.19,
    decline=0.6,
)
"""Published statistics. Turns have a mean of 1.68 s and a median of 1.23 s, 30 % of changes of speakers are overlaps,
and offsets are 0.2 s most often (Levinson & Torreira 2015, Timing in turn-taking and its implications for processing
models of language, Frontiers in Psychology 6:731, telephone conversations). 19 % of utterances are backchannels
(Stolcke et al. 2000, Dialogue act modeling, Computational Linguistics 26(3)). Durations of overlaps and pauses are
about log-normal (Laskowski, Heldner & Edlund 2012, On the dynamics of overlap in multi-party conversation, Interspeech;
Campione & Véronis 2002, A large-scale multilingual study of silent pause duration, Speech Prosody: most are of 0.2 to 1
s). Talk declines geometrically with the rank of the speaker (Stephan & Mishler 1952, American Sociological Review 17).
The rate of that decline, the length of inserts and the share of switches are our choice."""


def turn_statistics(recordings: Mapping[str, Sequence[Turn]]) -> TurnStatistics:
    """Measure the statistics of the reference turns of recordings; ``recordings`` has the turns by recording name.

    ``decline`` is measured on the time that speakers talk, from the most to the least talkative speaker.

    Raises
    ------
    DataError
        The speaker changes in no recording.

    Examples
    --------
    >>> said = [Turn(0, 4, "ann"), Turn(1, 1.5, "bob"), Turn(3.5, 6, "bob"), Turn(7, 8, "bob")]
    >>> found = turn_statistics({"call": said})
    >>> found.lengths, found.offsets, found.pauses, found.inserts, found.inserted
    ((4, 2.5, 1), (-0.5,), (1,), (0.5,), 0.25)
    """
    lengths, offsets, pauses, inserts, declines = [list[float]() for _ in range(5)]
    for turns in recordings.values():
        floor: Turn | None = None
        total: dict[str, float] = {}
        for turn in sorted(turns):
            length = turn.end - turn.start
            total[turn.speaker] = total.get(turn.speaker, 0.0) + length
            if floor is not None and turn.speaker != floor.speaker and turn.end <= floor.end:
                inserts.append(length)
                continue
            lengths.append(length)
            if floor is not None:
                (pauses if turn.speaker == floor.speaker else offsets).append(turn.start - floor.end)
            floor = turn
        if len(total) > 1:
            declines.append(log(min(total.values()) / max(total.values())) / (len(total) - 1))
    if not offsets:
        raise DataError(
            "no recording in which one speaker follows another; expected conversations of two speakers or more"
        )
    return TurnStatistics(
        lengths=tuple(lengths),
        offsets=tuple(offsets),
        pauses=tuple(max(0.0, pause) for pause in pauses),
        inserts=tuple(inserts),
        switches=len(offsets) / (len(offsets) + len(pauses)),
        inserted=len(inserts) / (len(inserts) + len(lengths)),
        decline=exp(sum(declines) / len(declines)),
    )


def draw_turns(
    statistics: TurnStatistics, n_samples: Mapping[str, int], sample_rate: int, rng: np.random.Generator
) -> Iterator[tuple[Turn, int]]:
    """Turns of a conversation, each with the first sample of its audio in the recording of its speaker.

    The speakers' ranks are drawn. Times are whole samples. The conversation ends when it is the turn of a speaker who
    has no audio left. No audio is used twice, and no speaker overlaps themselves.

    Parameters
    ----------
    statistics
        What is drawn.
    n_samples
        How much audio there is of each speaker.
    sample_rate
        Hz.
    rng
        Where random numbers come from.

    Examples
    --------
    >>> drawn = list(draw_turns(PUBLISHED, {"ann": 9000, "bob": 9000}, 1000, np.random.default_rng(0)))
    >>> drawn[0][0].start, sum(turn.end - turn.start for turn, _ in drawn) <= 18
    (0.0, True)
    """
    names = [list(n_samples)[n] for n in rng.permutation(len(n_samples))]
    weights = statistics.decline ** np.arange(len(names))
    used = dict.fromkeys(names, 0)  # samples of each speaker
    free = dict.fromkeys(names, 0)  # when each speaker has ended
    start = stop = 0  # of the turn that has the floor
    name: str | None = None

    def drawn_samples(values: Sequence[float]) -> int:
        return round(float(rng.choice(values)) * sample_rate)

    def say(who: str, first: int, length: int) -> tuple[Turn, int]:
        place, used[who], free[who] = used[who], used[who] + length, first + length
        return Turn(first / sample_rate, (first + length) / sample_rate, who), place

    while True:
        stays = name is not None and (len(names) == 1 or rng.random() >= statistics.switches)
        speaker = name if name is not None and stays else _other(names, weights, name, rng)
        left = n_samples[speaker] - used[speaker]
        if left < _SHORTEST * sample_rate:
            return
        length = min(max(1, drawn_samples(statistics.lengths)), left)
        if name is not None:
            gap = drawn_samples(statistics.pauses or (0.0,) if stays else statistics.offsets)
            least = round(_APART * sample_rate) - min(stop - start, length)
            start = max(stop + max(gap, min(0, least)), free[speaker])
        name, stop = speaker, start + length
        yield say(name, start, length)
        if len(names) > 1 and statistics.inserts and rng.random() < statistics.inserted / (1 - statistics.inserted):
            other, length = _other(names, weights, name, rng), max(1, drawn_samples(statistics.inserts))
            first, last = max(start, free[other]), stop - length
            if first < last and length <= n_samples[other] - used[other]:
                yield say(other, int(rng.integers(first, last)), length)


def _other(names: Sequence[str], weights: Iterable[float], without: str | None, rng: np.random.Generator) -> str:
    """A speaker drawn by weight."""
    shares = np.array([0.0 if name == without else weight for name, weight in zip(names, weights, strict=True)])
    return names[int(rng.choice(len(names), p=shares / shares.sum()))]
