"""Where the segments of recordings are, by a table or by TextGrids."""

from collections.abc import Sequence
from os.path import normpath
from pathlib import Path

from speechgmm.corpus import Utterance
from speechgmm.corpus.readers.manifest import read_manifest
from speechgmm.corpus.readers.textgrid import read_intervals
from speechgmm.errors import DataError


def segments_of(place: Path, recordings: Sequence[Path], label: str) -> dict[Path, list[Utterance]]:
    """The segments of each recording, in the order of their file.

    Parameters
    ----------
    place
        A table (``.tsv``, ``.csv`` or ``.jsonl``) with columns path, start and end in s, whose paths are absolute or
        the last parts of a recording's path; a TextGrid of the one recording; or a folder with a TextGrid of the name
        of each recording.
    recordings
        Recordings to score.
    label
        What the model tells apart: of several tiers, the one of this name (or with an s: ``phones``) is read.

    Returns
    -------
    dict of Path to list of Utterance
        Every recording, with no segments where there are none.

    Raises
    ------
    DataError
        The table or a TextGrid cannot be read, or a path could be that of several recordings.
    """
    if not place.exists():
        raise DataError(f"{place}: there is no such table or TextGrid of segments")
    if place.is_dir():
        grids = {path.stem: path for path in sorted(place.rglob("*")) if path.suffix.lower() == ".textgrid"}
        return {path: _of_grid(grids[path.stem], path, label) if path.stem in grids else [] for path in recordings}
    if place.suffix.lower() == ".textgrid":
        if len(recordings) != 1:
            raise DataError(
                f"{place}: one TextGrid for {len(recordings)} recordings; give one recording, or a folder of TextGrids"
            )
        return {recordings[0]: _of_grid(place, recordings[0], label)}
    found: dict[Path, list[Utterance]] = {path: [] for path in recordings}
    absolute = {path: Path(normpath(path.absolute())) for path in found}
    top = Path(place.absolute().anchor)
    for utterance in read_manifest(place, top, None):
        parts = utterance.path.relative_to(top).parts
        same = [path for path, whole in absolute.items() if whole.parts[-len(parts) :] == parts]
        if len(same) > 1:
            raise DataError(
                f"{utterance.source}: {'/'.join(parts)} could be {same[0]} or {same[1]}; give more of the path"
            )
        if same:
            found[same[0]].append(utterance)
    return found


def _of_grid(grid: Path, recording: Path, label: str) -> list[Utterance]:
    problem: DataError | None = None
    for tier in (None, label, f"{label}s"):
        try:
            intervals = read_intervals(grid, tier)
        except DataError as error:
            problem = problem or error
            continue
        name = grid.name
        return [
            Utterance(
                f"{recording.stem}:{start:.3f}", recording, start, end, source=f"{name}, interval at {start:.3f} s"
            )
            for start, end, _ in intervals
        ]
    raise DataError(f"{grid}: {problem}, or name the tier {label!r}")
