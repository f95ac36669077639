"""Words and units that were found, and their scores, as labels with times in s."""

from collections.abc import Callable, Sequence

from speechgmm.engine.audio_input import AudioInput
from speechgmm.features import front_end
from speechgmm.hmm import Alignment, Recogniser, Span, SpanScores
from speechgmm.io.timed_labels import LabelScores, TimedLabel


def tiers(
    heard: Alignment, audio: AudioInput, n_frames: int, duration: float | None = None, *, units: str = "units"
) -> dict[str, list[TimedLabel]]:
    """Words, and their units where they are others, with times in s; they meet between the centres of two frames.

    The last ends with the recording, whose ``duration`` is that of its frames unless it is given. ``units`` is what
    the tier of the units is called, see `name_of_units`.
    """
    plan = front_end(audio.features, audio.sample_rate)

    def time(position: float) -> float:
        if duration is not None and position >= n_frames:
            return duration
        return plan.time(position, n_frames)

    def timed(segments: Sequence[Span]) -> list[TimedLabel]:
        return [
            TimedLabel(
                one.label,
                time(one.first if one.start is None else one.start),
                time(one.stop if one.end is None else one.end),
                one.confidence,
                scores=None if one.scores is None else _timed_scores(one.scores, time),
            )
            for one in segments
        ]

    if not heard.words:
        return {units: timed(heard.units)}
    found = {"words": timed(heard.words)}
    if [one.label for one in heard.units] != [one.label for one in heard.words]:
        found[units] = timed(heard.units)
    return found


def _timed_scores(scores: SpanScores, time: Callable[[float], float]) -> LabelScores:
    """Scores with their positions as times in s."""
    return LabelScores(
        scores.log_likelihood,
        scores.gop,
        scores.posterior,
        scores.duration_z,
        scores.missing,
        *map(time, (*scores.start, *scores.end)),
    )


def name_of_units(recogniser: Recogniser, label: str) -> str:
    """The tier of the units: phones, where words are pronounced by them or the labels are phones; else units."""
    pronounced = any(way != (word,) for word, ways in recogniser.lexicon.items() for way in ways)
    return "phones" if pronounced or label.lower() in ("phone", "phones", "phoneme", "phonemes") else "units"
