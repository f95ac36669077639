"""Praat TextGrids beside their recordings: the intervals of one tier are the utterances.

root/                       or, with a split:   root/
  anna/one.wav                                    train/anna/one.wav
  anna/one.TextGrid                               train/anna/one.TextGrid
"""

import re
from bisect import bisect
from collections.abc import Mapping, Sequence
from operator import itemgetter
from pathlib import Path
from typing import Any, Final

from speechgmm.corpus.readers.files import files_below, recordings_below, split_folders
from speechgmm.corpus.readers.layout import refuse
from speechgmm.corpus.spec import TextGridSpec
from speechgmm.corpus.utterance import Corpus, Utterance
from speechgmm.errors import ConfigError, DataError
from speechgmm.io.tables import decode
from speechgmm.io.text_file import check_regular

_SAVE: Final = "open it in Praat and choose Save > Save as text file..."

Interval = tuple[float, float, str]  # start in s, end in s, text


def read_textgrids(root: Path, label: str, spec: TextGridSpec | None = None) -> Corpus:
    """The intervals of a tier as utterances; those without text are left out.

    Columns: ``label``, the interval's text; the text of other tiers where it lies (``spec.columns``); and speaker, the
    folder that the recording lies in (below ``root``), unless the label is itself called so. Folders at the top that
    are named after splits, as for ``read_folder``, are these.

    Args:
        root: The folder of the recordings.
        label: What the column of the texts is called.
        spec: Which tiers, and where the TextGrids lie; default: the only interval tier, beside the recordings.

    Raises:
        ConfigError: praatio is not installed.
        DataError: No recording has a TextGrid; a TextGrid without its recording, that cannot be read, or without the
            tier (all are listed).
    """
    spec = spec or TextGridSpec()
    if not root.is_dir():
        raise DataError(f"{root}: there is no such folder (corpus.root); set it to the folder of the recordings")
    place = root if spec.folder is None else Path(spec.folder)
    grids = _grids(place, root)
    audio: dict[Path, Path] = {}
    problems: list[str] = []
    found = recordings_below(root)
    for path in found.audio:
        stem = path.relative_to(root).with_suffix("")
        if stem in grids and stem in audio:
            problems.append(f"{_place(grids[stem], place)}: two recordings: {audio[stem].name} and {path.name}")
        audio[stem] = path
    split_of = split_folders(root, grids, classes=False) if all(len(stem.parts) > 1 for stem in grids) else {}
    utterances: list[Utterance] = []
    for stem, path in grids.items():
        name = _place(path, place)
        if stem not in audio:
            problems.append(f"{name}: no recording of that name {'beside it' if place == root else f'below {root}'}")
            continue
        try:
            intervals, others = _intervals(path, spec)
        except DataError as error:
            problems.append(f"{name}: {error}")
            continue
        split = split_of.get(stem.parts[0], "")
        folders = stem.parts[1 if split_of else 0 : -1]
        labels = {"speaker": folders[-1]} if folders else {}
        ids: set[str] = set()
        for start, end, text in intervals:
            identity = f"{stem.as_posix()}:{start:.3f}-{end:.3f}"
            source = f"{name}, interval at {start:.3f} s"
            if identity in ids:
                problems.append(f"{source}: {text!r} shares its millisecond with another interval")
                continue
            ids.add(identity)
            around = {column: _at((start + end) / 2, tier) for column, tier in others.items()}
            labelled = {**labels, **around, label: text}
            utterances.append(Utterance(identity, audio[stem], start, end, split, labelled, source))
    refuse(root, problems)
    if not utterances:
        raise DataError(
            f"{place}: no interval with text in the tier of {len(grids)} TextGrids; "
            "are the labels in another tier (corpus.textgrid.tier)?"
        )
    without = sum(1 for stem in audio if stem not in grids)
    where = "beside them" if place == root else f"in {place}"
    notes = (f"{without} of {len(audio)} recordings have no TextGrid {where} and are not used",) if without else ()
    return Corpus(tuple(utterances), label, root, (*notes, *found.notes()))


def _place(path: Path, root: Path) -> str:
    return path.relative_to(root).as_posix()


def _grids(place: Path, root: Path) -> dict[Path, Path]:
    """Every TextGrid below a folder, by its place there without ending; hidden ones are left out."""
    if not place.is_dir():
        raise DataError(
            f"{place}: there is no such folder (corpus.textgrid.folder); set it to the folder of the TextGrids"
        )
    found = (path for path in files_below(place) if path.suffix.lower() == ".textgrid")
    grids = {path.relative_to(place).with_suffix(""): path for path in found}
    if not grids:
        where = "one is expected beside each recording (anna/one.wav, anna/one.TextGrid), or name their folder as "
        elsewhere = f"expected are those of the recordings below {root}, such as anna/one.TextGrid of anna/one.wav"
        raise DataError(f"{place}: no TextGrid; {f'{where}corpus.textgrid.folder' if place == root else elsewhere}")
    return grids


def _at(time: float, tier: Sequence[Interval]) -> str:
    """The text of a tier, sorted by time, at a time; empty where it has none."""
    place = bisect(tier, time, key=itemgetter(0)) - 1
    return tier[place][2] if place >= 0 and time < tier[place][1] else ""


def _intervals(path: Path, spec: TextGridSpec) -> tuple[list[Interval], dict[str, list[Interval]]]:
    """The intervals with text of the tier, and those of the tiers for other columns.

    Raises:
        DataError: Without the file's name.
    """
    tiers = interval_tiers(path)
    names = [name for name, _ in tiers]
    have = f"its interval tiers are {', '.join(map(repr, names))}" if names else "it has no interval tier"
    if spec.tier is None and len(set(names)) != 1:
        raise DataError(f"{have}; say which in corpus.textgrid.tier")
    wanted = {"corpus.textgrid.tier": spec.tier or names[0]}
    wanted |= {f"corpus.textgrid.columns.{column}": tier for column, tier in (spec.columns or {}).items()}
    for key, name in wanted.items():
        if name not in names:
            raise DataError(f"no interval tier {name!r} ({key}); {have}")
        if names.count(name) > 1:
            raise DataError(f"two interval tiers are called {name!r}; rename one of them in Praat ({key} reads one)")
    by_name: Mapping[str, list[Interval]] = dict(tiers)
    return by_name[wanted.pop("corpus.textgrid.tier")], {
        column: by_name[tier] for column, tier in (spec.columns or {}).items()
    }


def read_intervals(path: Path, tier: str | None) -> list[Interval]:
    """(start in s, end in s, text) of every interval with text. Raises DataError, without the file's name."""
    return _intervals(path, TextGridSpec(tier=tier))[0]


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
