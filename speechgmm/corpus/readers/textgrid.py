"""Praat TextGrids beside their recordings: the intervals of one tier are the utterances.

root/                       or, with a split:   root/
  anna/one.wav                                    train/anna/one.wav
  anna/one.TextGrid                               train/anna/one.TextGrid
"""

from pathlib import Path
from typing import Any

from speechgmm.corpus.readers.files import files_below, recordings_below, split_folders
from speechgmm.corpus.readers.layout import refuse
from speechgmm.corpus.utterance import Corpus, Utterance
from speechgmm.errors import ConfigError, DataError


def read_textgrids(root: Path, label: str, tier: str | None = None) -> Corpus:
    """The intervals of a tier as utterances; those without text are left out.

    Columns: ``label``, the interval's text; and speaker, the folder that the recording lies in (below ``root``), unless
    the label is itself called so. Folders at the top that are named after splits, as for ``read_folder``, are these.

    Args:
        root: The folder of the recordings.
        label: What the column of the texts is called.
        tier: The tier's name; None: the only interval tier that there is.

    Raises:
        ConfigError: praatio is not installed.
        DataError: No recording has a TextGrid; a TextGrid without its recording, that cannot be read, or without the
            tier (all are listed).
    """
    if not root.is_dir():
        raise DataError(f"{root}: there is no such folder (corpus.root)")
    grids = {path.with_suffix(""): path for path in sorted(files_below(root)) if path.suffix.lower() == ".textgrid"}
    if not grids:
        raise DataError(f"{root}: no TextGrid; one is expected beside each recording (anna/one.wav, anna/one.TextGrid)")
    audio: dict[Path, Path] = {}
    problems: list[str] = []
    found = recordings_below(root)
    for path in found.audio:
        stem = path.with_suffix("")
        if stem in grids and stem in audio:
            problems.append(f"{_place(grids[stem], root)}: two recordings: {audio[stem].name} and {path.name}")
        audio[stem] = path
    split_of: dict[str, str] = {}
    if not any(path.parent == root for path in grids.values()):
        split_of = split_folders(root, (path.relative_to(root) for path in grids.values()), classes=False)
    utterances: list[Utterance] = []
    for stem, path in grids.items():
        if stem not in audio:
            problems.append(f"{_place(path, root)}: no recording of that name beside it")
            continue
        try:
            intervals = read_intervals(path, tier)
        except DataError as error:
            problems.append(f"{_place(path, root)}: {error}")
            continue
        place = path.relative_to(root)
        split = split_of.get(place.parts[0], "")
        folders = place.parts[1 if split_of else 0 : -1]
        labels = {"speaker": folders[-1]} if folders else {}
        ids: set[str] = set()
        for start, end, text in intervals:
            identity = f"{place.with_suffix('').as_posix()}:{start:.3f}-{end:.3f}"
            source = f"{place.as_posix()}, interval at {start:.3f} s"
            if identity in ids:
                problems.append(f"{source}: {text!r} shares its millisecond with another interval")
                continue
            ids.add(identity)
            utterances.append(Utterance(identity, audio[stem], start, end, split, {**labels, label: text}, source))
    refuse(root, problems)
    if not utterances:
        raise DataError(f"{root}: no interval with text in the tier of {len(grids)} TextGrids")
    without = sum(1 for stem in audio if stem not in grids)
    notes = (f"{without} of {len(audio)} recordings have no TextGrid beside them and are not used",) if without else ()
    return Corpus(tuple(utterances), label, root, (*notes, *found.notes()))


def _place(path: Path, root: Path) -> str:
    return path.relative_to(root).as_posix()


def read_intervals(path: Path, tier: str | None) -> list[tuple[float, float, str]]:
    """(start in s, end in s, text) of every interval with text. Raises DataError, without the file's name."""
    try:
        from praatio import textgrid
        from praatio.data_classes.interval_tier import IntervalTier
    except ModuleNotFoundError:
        raise ConfigError(
            "TextGrids are read by praatio, which is not installed: pip install 'speechgmm[textgrid]'"
        ) from None
    try:
        grid: Any = textgrid.openTextgrid(str(path), includeEmptyIntervals=False, reportingMode="error")
    except Exception as error:  # praatio has no one error for a file that is not a TextGrid
        raise DataError(f"not a TextGrid that can be read ({type(error).__name__}: {error})") from None
    names = [name for name in grid.tierNames if isinstance(grid.getTier(name), IntervalTier)]
    have = f"its interval tiers are {', '.join(map(repr, names))}" if names else "it has no interval tier"
    if tier is None and len(names) != 1:
        raise DataError(f"{have}; say which in corpus.textgrid.tier")
    if tier is not None and tier not in names:
        raise DataError(f"no interval tier {tier!r} (corpus.textgrid.tier); {have}")
    entries = grid.getTier(names[0] if tier is None else tier).entries
    return [(float(start), float(end), text.strip()) for start, end, text in entries if text.strip()]
