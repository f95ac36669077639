"""Where the segments of recordings are, by a table or by label files."""

from collections.abc import Sequence
from os.path import normpath
from pathlib import Path

from speechgmm.corpus import Utterance
from speechgmm.corpus.readers.label_files import SUFFIXES
from speechgmm.corpus.readers.manifest import read_manifest
from speechgmm.errors import DataError
from speechgmm.io.label_files import FORMATS, format_by_suffix, format_of, is_of, read_tiers, tier_of


def segments_of(place: Path, recordings: Sequence[Path], label: str) -> dict[Path, list[Utterance]]:
    """The segments of each recording, in the order of their file.

    Parameters
    ----------
    place
        A table (``.tsv``, ``.csv`` or ``.jsonl``) with columns path, start and end in s, whose paths are absolute or
        the last parts of a recording's path; a label file (a TextGrid, ``.eaf`` of ELAN, Audacity, Raven, CTM, RTTM) of
        the one recording or of those that it names; or a folder with a label file of the name of each recording.
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
        The table or a label file cannot be read, or a path could be that of several recordings.
    """
    if not place.exists():
        raise DataError(f"{place}: there is no such table or label file of segments")
    if place.is_dir():
        files: dict[str, Path] = {}  # name up to one of its points -> file
        for path in sorted(place.rglob("*")):
            if path.name.lower().endswith(SUFFIXES):
                words = path.name.split(".")
                files |= {".".join(words[:n]): path for n in range(1, len(words))}
        return {path: _of_file(files[path.stem], path, label) if path.stem in files else [] for path in recordings}
    if format_by_suffix(place) not in (None, FORMATS["csv"], FORMATS["tsv"]):
        format = format_of(place)
        if not format.several and len(recordings) != 1:
            raise DataError(
                f"{place}: {format.what} is of one recording, and there are {len(recordings)}; give one recording, or "
                "a folder of such files"
            )
        return {path: _of_file(place, path, label) for path in recordings}
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


def _of_file(place: Path, recording: Path, label: str) -> list[Utterance]:
    """The segments of a recording in a label file, of its only tier or of the one that the label names."""
    tiers = read_tiers(place)
    what = "interval tier" if place.suffix.lower() == ".textgrid" else "tier"
    problem: DataError | None = None
    for name in (None, label, f"{label}s"):
        try:
            labels = tier_of(tiers, name, what=what).labels
        except DataError as error:
            problem = problem or error
            continue
        return [
            Utterance(
                f"{recording.stem}:{one.start:.3f}",
                recording,
                one.start,
                one.end,
                source=f"{place.name}, {one.label!r} from {one.start:.3f} to {one.end:.3f} s",
            )
            for one in labels
            if not one.recording or is_of(one, recording)
        ]
    raise DataError(f"{place}: {problem}, or name the tier {label!r}")
