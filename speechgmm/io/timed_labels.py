"""Labels with their times: of words, phones, speakers or windows, as they are found and as JSON Lines.

Files of labels are read and written by `speechgmm.io.label_files`.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from math import isfinite
from typing import TYPE_CHECKING, Any, Final

from speechgmm.errors import DataError
from speechgmm.moved import from_new_place

if TYPE_CHECKING:
    from speechgmm.io.samples import AudioSource

DIGITS: Final = 6
"""Of seconds after the point: closer than any sample, and sums of frames (0.30000000000000004) come out even."""


@dataclass(frozen=True, slots=True)
class LabelScores:
    """How well a word or phone of a forced alignment fits its part of the recording."""

    log_likelihood: float  # nats per frame
    gop: float  # goodness of pronunciation, nats per frame: about 0 where it fits as well as any phones, else below
    posterior: float  # 0 to 1: mean probability of being at its frames, given the text
    duration_z: float  # standard deviations from the expected duration
    missing: float  # nats: what speaks for a phone after it that the text lacks
    start_low: float  # s: interval of its beginning
    start_high: float  # s
    end_low: float  # s: interval of its end
    end_high: float  # s

    def later(self, seconds: float) -> "LabelScores":
        """The same with its times so much later.

        >>> LabelScores(-40.0, 0.0, 1.0, 0.0, 0.0, 0.1, 0.2, 0.3, 0.4).later(1.0).end_high
        1.4
        """
        times = ("start_low", "start_high", "end_low", "end_high")
        return replace(self, **{name: getattr(self, name) + seconds for name in times})

    def rounded(self) -> dict[str, float]:
        """Name -> value, as it is written."""
        return {name: round(value, DIGITS) for name, value in asdict(self).items()}


@dataclass(frozen=True, slots=True)
class TimedLabel:
    """A word or phone from ``start`` to ``end``."""

    label: str
    start: float  # s from the beginning of the recording
    end: float  # s, above start
    confidence: float | None = None  # posterior, 0 to 1; None: none was computed
    scores: LabelScores | None = field(default=None, kw_only=True)  # of a forced alignment; None: not asked for


@dataclass(frozen=True, slots=True)
class LabelledRecording:
    """The labels of a recording, to be written.

    >>> from pathlib import Path
    >>> LabelledRecording(Path("a/b.wav"), 1.0, {"words": [TimedLabel("one", 0.1, 0.5)]}).stem
    'b'
    """

    path: "AudioSource"
    duration: float  # s
    tiers: Mapping[str, Sequence[TimedLabel]]  # name -> labels in the order of their times; at least one

    @property
    def stem(self) -> str:
        """The name of the recording without folder and ending; of frames in a file of several, their own name."""
        from speechgmm.io.given_frames import stem_of  # which knows the formats of frames

        return stem_of(self.path)

    @property
    def first_tier(self) -> Sequence[TimedLabel]:
        """The labels that a format without tiers holds."""
        return next(iter(self.tiers.values()))


def json_line(
    recording: str,
    tiers: Mapping[str, Sequence[TimedLabel]],
    duration: float,
    more: Mapping[str, object] | None = None,
) -> str:
    """One line of JSON: ``id``, ``duration`` in s, and each tier's labels with ``start`` and ``end`` in s; ``more``.

    Raises:
        DataError: Times that cannot be.

    >>> json_line("a", {"words": [TimedLabel("one", 0.1, 0.5, 0.98)]}, 0.5)
    '{"id": "a", "duration": 0.5, "words": [{"label": "one", "start": 0.1, "end": 0.5, "confidence": 0.98}]}\\n'
    """
    shown = {
        name: [
            {"label": one.label, "start": round(one.start, DIGITS), "end": round(one.end, DIGITS)}
            | ({} if one.confidence is None else {"confidence": round(one.confidence, DIGITS)})
            | ({} if one.scores is None else one.scores.rounded())
            for one in checked_labels(recording, labels)
        ]
        for name, labels in tiers.items()
    }
    # A name that is not UTF-8 came in as lone surrogates: escaped, they are valid JSON.
    line = {"id": recording, "duration": round(duration, DIGITS), **shown, **(more or {})}
    plain = json.dumps(line, ensure_ascii=False)
    return (plain if plain.isprintable() else json.dumps(line)) + "\n"


def checked_labels(recording: str, labels: Iterable[TimedLabel]) -> Iterator[TimedLabel]:
    """The labels, one after another.

    Raises:
        DataError: A start before 0, or an end that is not after it.
    """
    for one in labels:
        if not (isfinite(one.end) and 0 <= round(one.start, DIGITS) < round(one.end, DIGITS)):
            raise DataError(
                f"{recording}: {one.label!r} is from {one.start:g} to {one.end:g} s; expected is a start from 0 on and "
                "a later end"
            )
        yield one


_MOVED: Final = {
    "ctm": "speechgmm.io.label_files.ctm",
    "textgrid": "speechgmm.io.label_files.textgrid",
    "write_textgrid": "speechgmm.io.label_files.textgrid",
}


def __getattr__(name: str) -> Any:
    """A name from its new place, with a DeprecationWarning that says which."""
    return from_new_place(__name__, name, _MOVED)
