"""TextGrids of Praat: read by praatio, in the long and the short text format; written in the long one.

They are written here and not by praatio: the long format is few lines, and whoever aligns needs no extra for them.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from speechgmm.errors import ConfigError, DataError
from speechgmm.io.atomic import write_text
from speechgmm.io.label_files.reading import FileLabel, Tier
from speechgmm.io.tables import decode
from speechgmm.io.text_file import check_regular
from speechgmm.io.timed_labels import DIGITS, LabelledRecording, TimedLabel, checked_labels

SCORES_SHOWN: Final = ("gop", "missing", "posterior", "duration_z", "log_likelihood")
"""Scores with a tier each."""

_SAVE: Final = "open it in Praat and choose Save > Save as text file..."

Interval = tuple[float, float, str]  # start in s, end in s, text


def read(path: Path) -> list[Tier]:
    """The interval tiers; what has no text is left out.

    Raises:
        ConfigError: praatio is not installed.
        DataError: The file cannot be read, or is no TextGrid in one of Praat's two text formats.
    """
    try:
        tiers = interval_tiers(path)
    except DataError as error:
        raise DataError(f"{path}: {error}") from None
    return [Tier(name, [FileLabel(text, start, end) for start, end, text in intervals]) for name, intervals in tiers]


def interval_tiers(path: Path) -> list[tuple[str, list[Interval]]]:
    """(name, intervals with text) of every interval tier. Raises DataError, without the file's name."""
    try:
        from praatio.data_classes.interval_tier import IntervalTier
        from praatio.utilities.textgrid_io import parseTextgridStr
    except ModuleNotFoundError:
        raise ConfigError(
            "TextGrids are read by praatio, which is not installed: pip install 'speechgmm[textgrid]'"
        ) from None

    def with_text(tier: Any) -> Any:
        """The entries that have text, which praatio refuses where they overlap."""
        entries = [entry for entry in tier["entries"] if entry[2].strip()]
        return IntervalTier(tier["name"], entries, tier["xmin"], tier["xmax"]).entries if entries else ()

    text = _text(path)
    try:
        grid: Any = parseTextgridStr(text, includeEmptyIntervals=True)
        tiers = [tier for tier in grid["tiers"] if tier["class"] == "IntervalTier"]
        promised = sum(map(int, re.findall(r"^ *intervals: ?size ?= ?(\d+) *$", text, flags=re.MULTILINE)))
        if (n_read := sum(len(tier["entries"]) for tier in tiers)) < promised:
            raise ValueError(f"{n_read} of {promised} intervals are in it")
        return [
            (tier["name"], [(float(start), float(end), label.strip()) for start, end, label in with_text(tier)])
            for tier in tiers
        ]
    except Exception as error:  # praatio has no one error for a file that is not a TextGrid
        reason = f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
        raise DataError(f"not a whole TextGrid ({reason}); {_SAVE}, and see whether Praat itself reads it") from None


def _text(path: Path) -> str:
    """A TextGrid in one of Praat's two text formats, as text. Raises DataError, without the file's name."""
    check_regular(path)
    try:
        data = path.read_bytes()
    except OSError as error:
        raise DataError(f"cannot be read ({error.strerror})") from None
    if data.startswith(b"ooBinaryFile"):
        raise DataError(f"a binary TextGrid, and text is expected: {_SAVE}")
    try:
        text = decode(data)
    except DataError as error:
        raise DataError(f"{error}; or {_SAVE}") from None
    head = text.lstrip()[:200]
    if "chronological" in head.partition("\n")[0].lower():
        raise DataError(f"a chronological TextGrid, and Praat's long or short text format is expected: {_SAVE}")
    if "TextGrid" not in head and not head.startswith("{"):
        first = head.partition("\n")[0][:60]
        raise DataError(f"not a TextGrid that can be read: it begins with {first!r}; expected is Praat's text format")
    # ELAN writes item[1] and intervals[1], without the space that praatio tells the long format by.
    return re.sub(r"^(\s*)(item|intervals|points) ?\[", r"\1\2 [", text, flags=re.MULTILINE)


def write(recordings: Sequence[LabelledRecording]) -> str:
    """All tiers of a recording, and those of its labels' scores (`score_tiers`). Raises as `textgrid`."""
    (recording,) = recordings
    tiers = {**recording.tiers, **score_tiers(recording.tiers)}
    return textgrid(tiers, recording.duration, recording=str(recording.path))


def score_tiers(tiers: Mapping[str, Sequence[TimedLabel]]) -> dict[str, list[TimedLabel]]:
    """A tier for each score of the labels, with the same intervals: ``phones gop`` has the ``gop`` of ``phones``.

    The text in ``phones start`` is the confidence interval of the beginning of the phone, in s.

    >>> from speechgmm.io.timed_labels import LabelScores
    >>> scores = LabelScores(-41.5, -0.25, 0.98, 1.5, -3.0, 0.24, 0.26, 0.49, 0.5)
    >>> for name, (label,) in score_tiers({"phones": [TimedLabel("a", 0.25, 0.5, scores=scores)]}).items():
    ...     print(name, label.label)
    phones gop -0.25
    phones missing -3.00
    phones posterior 0.98
    phones duration_z 1.50
    phones log_likelihood -41.50
    phones start 0.240 to 0.260
    """
    found: dict[str, list[TimedLabel]] = {}
    for tier, labels in tiers.items():
        for one in labels:
            if one.scores is None:
                continue
            shown = {name: f"{getattr(one.scores, name):.2f}" for name in SCORES_SHOWN}
            shown["start"] = f"{one.scores.start_low:.3f} to {one.scores.start_high:.3f}"
            for name, text in shown.items():
                found.setdefault(f"{tier} {name}", []).append(replace(one, label=text))
    return found


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
    for one in checked_labels(recording, labels):
        start, end = round(one.start, DIGITS), round(one.end, DIGITS)
        if start < latest or end > round(duration, DIGITS):
            why = f"before {latest:g} s, where the one above ends" if start < latest else f"beyond its {duration:g} s"
            raise DataError(f"{recording}: {one.label!r} of tier {tier!r}, {start:g} to {end:g} s, reaches {why}")
        if start > latest:
            found.append((latest, start, ""))
        found.append((start, end, one.label))
        latest = end
    if latest < round(duration, DIGITS) or not found:
        found.append((latest, duration, ""))
    return found


def _seconds(value: float) -> str:
    return f"{value:.{DIGITS}f}".rstrip("0").rstrip(".")


def _quoted(text: str) -> str:
    return '"' + text.replace('"', '""') + '"'
