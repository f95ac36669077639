"""Rich Transcription Time Marked files: who speaks when, ten columns a turn (NIST 2009, RT-09 evaluation plan, app. A).

    SPEAKER recording 1 start duration <NA> <NA> speaker <NA> <NA>

Times in seconds. Turns of 0 s are left out with a warning. Lines of other types (SPKR-INFO, LEXEME, ...) and those that
begin with ;; are passed over; a SPEAKER line that cannot be is refused with its number.
"""

import math
import warnings
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

from speechgmm.errors import DataError, counted
from speechgmm.evaluation.diarization import Turn, check_turns
from speechgmm.io.atomic import write_text
from speechgmm.io.tables import number, read_table

_TYPES: Final = (
    *("SPEAKER", "SPKR-INFO", "SEGMENT", "NOSCORE", "NO_RT_METADATA", "LEXEME", "NON-LEX", "NON-SPEECH"),
    *("FILLER", "EDIT", "SU", "IP", "CB", "A/P"),
)


def rttm(recording: str, turns: Iterable[Turn], *, channel: str = "1") -> str:
    """SPEAKER lines of one recording, in the order of the turns.

    Raises:
        DataError: A name is empty or has a space, which separates columns; times that cannot be.

    >>> rttm("call", [Turn(0.5, 2.25, "ann")])
    'SPEAKER call 1 0.500 1.750 <NA> <NA> ann <NA> <NA>\\n'
    """
    lines = []
    every = list(turns)
    check_turns(every)
    for turn in every:
        for what, value in (("recording", recording), ("channel", channel), ("speaker", turn.speaker)):
            if not value or value.split() != [value]:
                raise DataError(
                    f"{recording}: the {what} {value!r} cannot stand in an RTTM, whose columns are separated by "
                    "spaces; rename it"
                )
        if turn.start < 0:
            raise DataError(f"{recording}: {turn.speaker!r} speaks from {turn.start:g} s; a recording begins at 0")
        # Start and end are rounded, not the duration: turns that meet still do.
        start, end = round(turn.start, 3), round(turn.end, 3)
        lines.append(
            f"SPEAKER {recording} {channel} {start:.3f} {end - start:.3f} <NA> <NA> {turn.speaker} <NA> <NA>\n"
        )
    return "".join(lines)


def write_rttm(path: Path, recordings: Mapping[str, Iterable[Turn]]) -> None:
    """Write the turns of recordings, whole or not at all. Errors: `rttm`; the disk's are DataErrors too."""
    write_text(path, "".join(rttm(name, turns) for name, turns in recordings.items()))


def read_rttm(path: Path) -> dict[str, list[Turn]]:
    """Recording -> its turns, sorted by their starts.

    Raises:
        DataError: No such file, not UTF-8 text, a line of no known type, a SPEAKER line with missing columns or times
            that are no numbers, or negative: with its number; no turn at all.

    Warns:
        UserWarning: Turns of 0 s are left out.
    """
    return parse_rttm(read_table(path), str(path))


def parse_rttm(text: str, name: str = "RTTM") -> dict[str, list[Turn]]:
    """As `read_rttm`, of text; ``name`` is for messages.

    >>> parse_rttm("SPEAKER call 1 0.5 1.75 <NA> <NA> ann <NA> <NA>")
    {'call': [Turn(start=0.5, end=2.25, speaker='ann')]}
    """
    found: dict[str, list[Turn]] = {}
    empty: list[int] = []  # lines whose turn is of 0 s
    for n, line in enumerate(text.splitlines(), 1):
        cells = line.split()
        if not cells or cells[0].startswith(";;"):
            continue
        where = f"{name}, line {n}"
        if cells[0] not in _TYPES:
            raise DataError(
                f"{where}: begins with {cells[0][:40]!r}; expected SPEAKER recording channel start duration <NA> <NA> "
                "speaker <NA> <NA>: is it an RTTM?"
            )
        if cells[0] != "SPEAKER":
            continue
        if not 8 <= len(cells) <= 10:
            raise DataError(
                f"{where}: {len(cells)} columns; expected SPEAKER recording channel start duration <NA> <NA> speaker "
                "and up to two more: does a name have a space?"
            )
        start, duration = (_seconds(cells[column], what, where) for column, what in ((3, "start"), (4, "duration")))
        if start < 0 or duration < 0:
            raise DataError(
                f"{where}: a turn from {start:g} s for {duration:g} s; expected a start from 0 on and a duration above "
                "0: the fifth column is the duration, not the end"
            )
        if duration == 0:
            empty.append(n)
            continue
        found.setdefault(cells[1], []).append(Turn(start, round(start + duration, 6), cells[7]))
    if empty:
        turns = counted(len(empty), "turn of 0 s is", "turns of 0 s are")
        warnings.warn(f"{name}: {turns} left out, the first in line {empty[0]}", stacklevel=2)
    if not found:
        raise DataError(f"{name}: there is no SPEAKER line of more than 0 s; expected one for each turn")
    return {recording: sorted(turns) for recording, turns in found.items()}


def _seconds(cell: str, what: str, where: str) -> float:
    try:
        value = number(cell)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise DataError(f"{where}: the {what} is {cell[:40]!r}; expected seconds, such as 12.34")
    return value
