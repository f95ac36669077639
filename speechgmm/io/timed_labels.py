"""Words and phones with their times, as CTM, TextGrid or JSON Lines: text for standard output or a file.

TextGrids are written here and not by praatio, which reads them: the long format is few lines, and whoever aligns needs
no extra for them.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from typing import Final

from speechgmm.errors import DataError
from speechgmm.io.atomic import write_text

_DIGITS: Final = 6
"""Of seconds after the point: closer than any sample, and sums of frames (0.30000000000000004) come out even."""


@dataclass(frozen=True, slots=True)
class TimedLabel:
    """A word or phone from ``start`` to ``end``."""

    label: str
    start: float  # s from the beginning of the recording
    end: float  # s, above start
    confidence: float | None = None  # posterior, 0 to 1; None: none was computed


def ctm(recording: str, labels: Iterable[TimedLabel], *, channel: str = "1") -> str:
    """Lines of NIST's CTM format: recording, channel, start, duration in s, label, confidence (where there is one).

    Raises:
        DataError: A name or a label is empty or has a space, which separates columns; times that cannot be.

    >>> ctm("a", [TimedLabel("one", 0.1, 0.45, 0.98), TimedLabel("two", 0.45, 0.9)])
    'a 1 0.100 0.350 one 0.980\\na 1 0.450 0.450 two\\n'
    """
    lines = []
    for one in _checked(recording, labels):
        for name, value in (("recording", recording), ("channel", channel), ("label", one.label)):
            if not value or value.split() != [value]:
                raise DataError(
                    f"{recording}: the {name} {value!r} cannot stand in a CTM, whose columns are separated by spaces; "
                    "rename it, or write JSON Lines"
                )
        # Start and end are rounded, not the duration: segments that meet still do.
        duration = round(one.end, 3) - round(one.start, 3)
        confidence = "" if one.confidence is None else f" {one.confidence:.3f}"
        lines.append(f"{recording} {channel} {one.start:.3f} {duration:.3f} {one.label}{confidence}\n")
    return "".join(lines)


def textgrid(tiers: Mapping[str, Sequence[TimedLabel]], duration: float, *, recording: str = "") -> str:
    """A TextGrid of interval tiers in Praat's long text format; what lies between the labels is an empty interval.

    Args:
        tiers: Name (``words``, ``phones``) -> labels in the order of their times. A confidence is not written.
        duration: Of the recording, in s.
        recording: Its name, for error messages.

    Raises:
        DataError: There is no tier, labels overlap or reach beyond the recording, times that cannot be.

    >>> print(textgrid({"words": [TimedLabel("one", 0.25, 0.5)]}, 0.5).split("item [1]:")[1])
            class = "IntervalTier"
            name = "words"
            xmin = 0
            xmax = 0.5
            intervals: size = 2
            intervals [1]:
                xmin = 0
                xmax = 0.25
                text = ""
            intervals [2]:
                xmin = 0.25
                xmax = 0.5
                text = "one"
    <BLANKLINE>
    """
    if not tiers:
        raise DataError(f"{recording}: no tier is given; a TextGrid needs at least one")
    lines = ['File type = "ooTextFile"', 'Object class = "TextGrid"', "", "xmin = 0", f"xmax = {_seconds(duration)}"]
    lines += ["tiers? <exists>", f"size = {len(tiers)}", "item []:"]
    for number, (name, labels) in enumerate(tiers.items(), 1):
        intervals = _intervals(recording, name, labels, duration)
        lines += [f"    item [{number}]:", '        class = "IntervalTier"', f"        name = {_quoted(name)}"]
        lines += [
            "        xmin = 0",
            f"        xmax = {_seconds(duration)}",
            f"        intervals: size = {len(intervals)}",
        ]
        for place, (start, end, text) in enumerate(intervals, 1):
            lines += [f"        intervals [{place}]:", f"            xmin = {_seconds(start)}"]
            lines += [f"            xmax = {_seconds(end)}", f"            text = {_quoted(text)}"]
    return "\n".join(lines) + "\n"


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
            {"label": one.label, "start": round(one.start, _DIGITS), "end": round(one.end, _DIGITS)}
            | ({} if one.confidence is None else {"confidence": round(one.confidence, _DIGITS)})
            for one in _checked(recording, labels)
        ]
        for name, labels in tiers.items()
    }
    # A name that is not UTF-8 came in as lone surrogates: escaped, they are valid JSON.
    line = {"id": recording, "duration": round(duration, _DIGITS), **shown, **(more or {})}
    plain = json.dumps(line, ensure_ascii=False)
    return (plain if plain.isprintable() else json.dumps(line)) + "\n"


def write_textgrid(
    path: Path, tiers: Mapping[str, Sequence[TimedLabel]], duration: float, *, recording: str = ""
) -> None:
    """Write a TextGrid, whole or not at all. Arguments and errors: :func:`textgrid`; the disk's are DataErrors too."""
    write_text(path, textgrid(tiers, duration, recording=recording or path.name))


def _intervals(
    recording: str, tier: str, labels: Iterable[TimedLabel], duration: float
) -> list[tuple[float, float, str]]:
    """(start, end, text) that fill the recording."""
    found: list[tuple[float, float, str]] = []
    latest = 0.0
    for one in _checked(recording, labels):
        start, end = round(one.start, _DIGITS), round(one.end, _DIGITS)
        if start < latest or end > round(duration, _DIGITS):
            why = f"before {latest:g} s, where the one above ends" if start < latest else f"beyond its {duration:g} s"
            raise DataError(f"{recording}: {one.label!r} of tier {tier!r}, {start:g} to {end:g} s, reaches {why}")
        if start > latest:
            found.append((latest, start, ""))
        found.append((start, end, one.label))
        latest = end
    if latest < round(duration, _DIGITS) or not found:
        found.append((latest, duration, ""))
    return found


def _checked(recording: str, labels: Iterable[TimedLabel]) -> Iterable[TimedLabel]:
    for one in labels:
        if not (isfinite(one.end) and 0 <= round(one.start, _DIGITS) < round(one.end, _DIGITS)):
            raise DataError(
                f"{recording}: {one.label!r} is from {one.start:g} to {one.end:g} s; expected is a start from 0 on and "
                "a later end"
            )
        yield one


def _seconds(value: float) -> str:
    return f"{value:.{_DIGITS}f}".rstrip("0").rstrip(".")


def _quoted(text: str) -> str:
    return '"' + text.replace('"', '""') + '"'
