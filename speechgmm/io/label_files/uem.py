"""NIST's UEM: the stretches of recordings that are evaluated; recording, channel, start and end in s.

    call 1 0.000 120.500

What begins with ;; is a comment. (NIST, RT evaluation plans.)
"""

from pathlib import Path

from speechgmm.errors import DataError, first_few
from speechgmm.io.label_files.reading import FileLabel, LabelList, Tier, content_lines, seconds
from speechgmm.io.tables import read_table


def read(path: Path) -> list[Tier]:
    """The stretches of all recordings, without labels, as one tier without a name.

    Raises:
        DataError: The file cannot be read; a line of other columns; times that cannot be; there is no stretch.
    """
    found = LabelList(str(path))
    for n, line in content_lines(read_table(path), ";;"):
        cells, where = line.split(), f"{path}, line {n}"
        if len(cells) != 4:
            raise DataError(f"{where}: {len(cells)} columns; expected recording, channel, start and end: is it a UEM?")
        start, end = (seconds(cells[column], what, where) for column, what in ((2, "start"), (3, "end")))
        found.add(f"line {n}", FileLabel("", start, end, recording=cells[0]))
    if not found.labels:
        raise DataError(f"{path}: it covers nothing; expected a line with start and end in s for each stretch")
    return [Tier("", found.done())]


def regions_of(path: Path, recording: str, *, duration: float | None = None) -> tuple[tuple[float, float], ...]:
    """Start and end in s of the stretches of a recording, given by its name without ending.

    Raises:
        DataError: As `read`; there is no stretch of the recording, or all begin after its ``duration`` in s.
    """
    (tier,) = read(path)
    found = tuple((one.start, one.end) for one in tier.labels if one.recording == recording)
    if not found:
        others = first_few(list(dict.fromkeys(one.recording for one in tier.labels)), 5)
        raise DataError(f"{path}: no stretch of {recording!r}; it has {others}: expected is the file's name")
    if duration is not None and min(start for start, _ in found) >= duration:
        raise DataError(
            f"{path}: the stretches of {recording!r} begin at {found[0][0]:g} s, and the recording ends at "
            f"{duration:g} s, so that nothing counts; expected seconds from the beginning of the recording"
        )
    return found
