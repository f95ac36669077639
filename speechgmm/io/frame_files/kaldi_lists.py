"""Kaldi's lists of matrices (``feats.scp``), and the stretches of recordings in ``segments`` beside them.

    name file.ark:offset        name file.ark:offset[first:last]        name file

A list of HTK (script file: The HTK Book, 4.2) has no blanks: ``name.mfc=file.mfc[first,last]``, or ``file.mfc``.

Commands (``cat x |``) are refused and never run: a data file must not decide what this machine executes.
"""

import math
import re
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import Final

from speechgmm.errors import DataError
from speechgmm.io.frame_files.source import FrameSource
from speechgmm.io.tables import read_table

FRAME_SHIFT: Final = 0.01
"""Seconds from frame to frame where no file ``frame_shift`` is there: Kaldi's default."""

FRAMES_CUT_AT_END: Final = 2
"""Frames of 25 ms every 10 ms that do not fit into the end of a segment (Kaldi, extract-feature-segments.cc)."""

_ENTRY: Final = re.compile(r"(?P<path>.+?)(:(?P<offset>\d{1,18}))?(\[(?P<rows>[^\[\]]*)\])?")
_ROWS: Final = re.compile(r"(\d{1,18}):(\d{1,18})")
_OF_HTK: Final = re.compile(r"((?P<name>[^\s=]+)=)?(?P<path>[^\s=\[\]]+)(\[(?P<first>\d{1,18}),(?P<last>\d{1,18})\])?")
_LOOKED_AT: Final = 50


def scp_sources(path: Path, root: Path | None = None) -> dict[str, FrameSource]:
    """Name -> frames, in the order of a list of Kaldi or HTK; a range counts from 0, and its last row belongs to it.

    In a list of HTK a name is the logical file without its ending, or the file's own.

    Where names of the list stand as recordings in a file ``segments`` beside it, the segments are the names, and their
    times are turned into rows as Kaldi's extract-feature-segments does.

    Args:
        path: The list.
        root: What relative paths are relative to. Default: the first under which a file of the list lies, of the list's
            folder, the two above it (where Kaldi's scripts are run) and the working directory.

    Raises:
        DataError: A line that names no file, a command, a range that is none, a name that stands twice.
    """
    found: dict[str, FrameSource] = {}
    lines: dict[str, int] = {}
    rows = [(n, line.strip()) for n, line in enumerate(read_table(path).split("\n"), 1) if line.strip()]
    of_htk = all(re.search(r"[=.]", line) and len(line.split()) == 1 for _, line in rows)
    for n, line in rows:
        where = f"{path}, line {n}"
        name, source = _htk_entry(line, where) if of_htk else _entry(line, where)
        if name in found:
            raise DataError(f"{where}: {name!r} stands in line {lines[name]} already; expected each name once")
        found[name], lines[name] = source, n
    if not found:
        raise DataError(f"{path}: empty; expected lines of a name and a file, such as anna-1 raw.ark:7")
    base = _base(path, root, [source.path for source in found.values() if not source.path.is_absolute()])
    found = {name: _under(base, source) for name, source in found.items()}
    segments = path.parent / "segments"
    return segment_sources(segments, found) if segments.is_file() else found


def _entry(line: str, where: str) -> tuple[str, FrameSource]:
    name, *rest = line.split(None, 1)
    if not rest:
        raise DataError(f"{where}: {line[:80]!r}; expected a name and a file, such as anna-1 raw.ark:7")
    return name, parse_entry(rest[0], where, name)


def _htk_entry(line: str, where: str) -> tuple[str, FrameSource]:
    match = _OF_HTK.fullmatch(line)
    logical = PurePosixPath("" if match is None else match["name"] or PurePosixPath(match["path"]).name)
    if match is None or not logical.name or (match["last"] and int(match["first"]) > int(match["last"])):
        raise DataError(f"{where}: {line[:80]!r}; expected a file of HTK, such as anna-1.mfc=all.mfc[0,99]")
    name = logical.with_suffix("").as_posix()
    first, stop = (0, None) if match["last"] is None else (int(match["first"]), int(match["last"]) + 1)
    return name, FrameSource(Path(match["path"]), name, None, first, stop)


def parse_entry(entry: str, where: str, key: str | None = None) -> FrameSource:
    """A file of a list, with the place in it and the rows.

    Raises:
        DataError: A command, standard input, a range that is none or that cuts columns.

    >>> parse_entry("raw.ark:7[0:9]", "feats.scp, line 1")
    FrameSource(path=PosixPath('raw.ark'), key=None, offset=7, first=0, stop=10, dimension=None)
    """
    if entry.endswith("|") or entry.startswith("|"):
        raise DataError(
            f"{where}: {entry[:80]!r} is a command, and commands of a list are never run; write the frames to a file "
            "first (copy-feats scp:feats.scp ark,scp:new.ark,new.scp) and list that"
        )
    match = _ENTRY.fullmatch(entry)
    if match is None or match["path"] == "-":
        raise DataError(f"{where}: {entry[:80]!r}; expected a file, such as raw.ark:7")
    source = FrameSource(Path(match["path"]), key, None if match["offset"] is None else int(match["offset"]))
    if match["rows"] is None:
        return source
    rows = _ROWS.fullmatch(match["rows"])
    if rows is None or int(rows[1]) > int(rows[2]):
        columns = "; columns cannot be cut here" if "," in match["rows"] else ""
        raise DataError(f"{where}: the range [{match['rows'][:40]}]; expected rows, such as [0:99]{columns}")
    return FrameSource(source.path, key, source.offset, int(rows[1]), int(rows[2]) + 1)


def _base(path: Path, root: Path | None, relative: Sequence[Path]) -> Path:
    some = relative[:_LOOKED_AT]
    folder = path.absolute().parent
    candidates = [root] if root is not None else [folder, folder.parent, folder.parent.parent, Path.cwd()]
    return next((base for base in candidates if any((base / one).exists() for one in some)), candidates[0])


def _under(base: Path, source: FrameSource) -> FrameSource:
    return FrameSource(base / source.path, source.key, source.offset, source.first, source.stop)


def segment_sources(path: Path, recordings: dict[str, FrameSource]) -> dict[str, FrameSource]:
    """Segment -> frames of its stretch; the recordings themselves where ``segments`` names none of them.

    A data directory whose frames were computed for each segment has lists by segment: they are left as they are.

    Raises:
        DataError: A line that is none; recordings that are not in the list.
    """
    parsed = [
        _segment(line, f"{path}, line {n}") for n, line in enumerate(read_table(path).split("\n"), 1) if line.strip()
    ]
    names = {name for name, *_ in parsed}
    if names >= recordings.keys() or not any(recording in recordings for _, recording, *_ in parsed):
        return recordings
    shift = _frame_shift(path.with_name("frame_shift"))
    found: dict[str, FrameSource] = {}
    for name, recording, start, end, where in parsed:
        whole = recordings.get(recording)
        if whole is None:
            raise DataError(f"{where}: recording {recording!r} has no frames in the list of frames")
        if name in found:
            raise DataError(f"{where}: {name!r} stands twice; expected each segment once")
        first = math.floor(start / shift + 0.5)
        stop = None if end is None else math.floor(end / shift + 0.5) - FRAMES_CUT_AT_END
        if stop is not None and stop <= first:
            raise DataError(f"{where}: {name!r} lasts {end - start if end else 0:g} s, too short for a frame")
        cut = whole.stop if stop is None else whole.first + stop
        found[name] = FrameSource(whole.path, whole.key, whole.offset, whole.first + first, cut)
    return found


def _segment(line: str, where: str) -> tuple[str, str, float, float | None, str]:
    cells = line.split()
    try:
        name, recording = cells[:2]
        start, end = (float(cell) for cell in cells[2:])
    except ValueError:
        start = end = math.nan
        name = recording = ""
    if not (math.isfinite(start) and math.isfinite(end) and start >= 0 and (end == -1 or end > start)):
        raise DataError(f"{where}: {line[:80]!r}; expected segment, recording, start and end in seconds")
    return name, recording, start, None if end == -1 else end, where


def _frame_shift(path: Path) -> float:
    """Seconds from frame to frame, of the file that Kaldi's utilities leave."""
    if not path.is_file():
        return FRAME_SHIFT
    text = read_table(path).strip()
    try:
        shift = float(text)
    except ValueError:
        shift = math.nan
    if not 1e-4 <= shift <= 10:
        raise DataError(f"{path}: {text[:40]!r}; expected the seconds from frame to frame, such as 0.01")
    return shift
