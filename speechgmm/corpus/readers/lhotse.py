"""Manifests of lhotse as JSON lines, or as one JSON array, read without lhotse: recordings with supervisions, or cuts.

    recordings.jsonl.gz  supervisions.jsonl.gz    or with parts: recordings_train.jsonl.gz, supervisions_train.jsonl.gz
    cuts.jsonl.gz                                 or cuts_train.jsonl.gz

Sources of recordings that are commands or URLs are never run or fetched.
"""

import gzip
import json
import math
import re
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from os.path import normpath
from pathlib import Path
from typing import Any, Final, TypeGuard

from speechgmm.corpus.readers.files import SPLIT_NAMES
from speechgmm.corpus.readers.layout import check_label, refuse
from speechgmm.corpus.utterance import Corpus, Utterance, common_root
from speechgmm.corpus.writers.lhotse import OF_LHOTSE
from speechgmm.errors import DataError
from speechgmm.io.header import short, strict_json

ENDINGS: Final = (".jsonl.gz", ".jsonl", ".json.gz", ".json")

_NAME: Final = re.compile(r"(?P<kind>.*?(?:supervisions|cuts|recordings))(?P<part>.*)")
_LONGEST_LINE: Final = 1 << 24
_LONGEST_ARRAY: Final = 1 << 28  # bytes; an array is held whole, and JSON lines are not


@dataclass(slots=True)
class _Found:
    """What was read so far."""

    base: Path
    problems: list[str] = field(default_factory=list)
    utterances: dict[str, Utterance] = field(default_factory=dict)
    # Recording of several channels -> the channels that utterances are of, as JSON.
    channels: dict[Path, set[str]] = field(default_factory=dict)


def read_lhotse(path: Path, root: Path | None, label: str) -> Corpus:
    """The utterances of manifests: each supervision is one, or each cut that has none.

    Labels: text, speaker, gender, language, recording, and what is in ``custom`` as text or a number. The split
    is that of the file's name, such as ``supervisions_train-clean.jsonl.gz``.

    Args:
        path: A folder of manifests, or one file of supervisions or cuts.
        root: What relative paths are relative to; default: the folder of the manifests.
        label: The column to model.

    Raises:
        DataError: No manifests, lines that are none, recordings that are no files (all are listed).
    """
    found = _Found((root or (path if path.is_dir() else path.parent)).absolute())
    manifests = _manifests(path)
    for file in manifests:
        split = _split_of(file)
        if "cuts" in file.name:
            for where, row in _rows(file, found):
                _add_cut(found, row, split, where)
            continue
        recordings = _recordings(file, found)
        for where, row in _rows(file, found):
            _add_supervision(found, row, recordings.get(str(row.get("recording_id"))), 0.0, split, where)
    for audio, channels in found.channels.items():
        if len(channels) > 1:
            found.problems.append(
                f"{audio}: utterances of channels {' and '.join(sorted(channels))}; expected one, which corpus.channel "
                "names: keep the supervisions of one channel, or split the recording"
            )
    refuse(path, found.problems)
    utterances = tuple(found.utterances.values())
    if not utterances:
        raise DataError(f"{path}: no utterance in {', '.join(file.name for file in manifests)}")
    columns = list(dict.fromkeys(column for one in utterances for column in one.labels or {}))
    check_label(label, columns, "this corpus of lhotse")
    for one in utterances:
        if not (one.labels or {}).get(label):
            found.problems.append(f"{one.source}: no {label!r}")
    refuse(path, found.problems)
    return Corpus(utterances, label, common_root([one.path for one in utterances], found.base))


def is_lhotse(folder: Path) -> bool:
    """Whether a folder has manifests of lhotse."""
    return any(_named(folder, "supervisions")) or any(_named(folder, "cuts"))


def _manifests(path: Path) -> list[Path]:
    """The files of supervisions; of cuts, where there are none."""
    if path.is_file():
        match = _NAME.fullmatch(path.name)
        if not path.name.endswith(ENDINGS) or match is None or match["kind"].endswith("recordings"):
            raise DataError(
                f"{path}: expected a file of supervisions or cuts, whose name says so and ends in "
                f"{', '.join(ENDINGS)} (lhotse copy old.yaml new.jsonl.gz)"
            )
        return [path]
    found = _named(path, "supervisions") or _named(path, "cuts")
    if not found:
        raise DataError(f"{path}: no supervisions or cuts in it; expected files such as supervisions.jsonl.gz")
    return found


def _named(folder: Path, kind: str) -> list[Path]:
    return [file for file in sorted(folder.glob(f"*{kind}*")) if file.name.endswith(ENDINGS)]


def _split_of(file: Path) -> str:
    """The split that a name ends in, such as ``_train-clean-5``; empty where it is none."""
    match = _NAME.fullmatch(file.name.removesuffix(".gz").removesuffix(".jsonl").removesuffix(".json"))
    words = re.split(r"[-_.]", match["part"].lower()) if match else []
    return next((SPLIT_NAMES[word] for word in words if word in SPLIT_NAMES), "")


def _rows(file: Path, found: _Found) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """(place, object) of each line; what is none is a problem."""
    try:
        with gzip.open(file, "rb") if file.suffix == ".gz" else file.open("rb") as lines:
            if ".jsonl" not in file.name:
                yield from _array(file, lines.read(_LONGEST_ARRAY + 1), found)
                return
            n = 0
            while line := lines.readline(_LONGEST_LINE):
                n += 1
                where = f"{file.name}, line {n}"
                if len(line) == _LONGEST_LINE and not line.endswith(b"\n"):
                    raise DataError(f"{file}, line {n}: more than {_LONGEST_LINE} bytes; expected an object of lhotse")
                try:
                    row = strict_json(line.decode("utf-8")) if line.strip() else None
                except ValueError as error:
                    found.problems.append(f"{where}: not JSON ({str(error)[:100]})")
                    continue
                if isinstance(row, dict):
                    yield where, row
                elif line.strip():
                    found.problems.append(f"{where}: {short(row)}; expected an object of lhotse")
    except FileNotFoundError:
        raise DataError(f"{file}: there is no such manifest; expected it beside the supervisions") from None
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{file}: cannot be read as a manifest ({error}); copy it again") from None


def _array(file: Path, data: bytes, found: _Found) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """(place, object) of each element of a JSON array. Raises DataError for what is none."""
    if len(data) > _LONGEST_ARRAY:
        raise DataError(
            f"{file}: a JSON array of more than {_LONGEST_ARRAY >> 20} MB; make JSON lines of it (lhotse copy "
            f"{file.name} new.jsonl.gz)"
        )
    try:
        rows = strict_json(data.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise DataError(f"{file}: not JSON ({str(error)[:100]}); copy it again") from None
    if not isinstance(rows, list):
        raise DataError(f"{file}: {short(rows)}; expected an array of objects of lhotse")
    for n, row in enumerate(rows, 1):
        if isinstance(row, dict):
            yield f"{file.name}, object {n}", row
        else:
            found.problems.append(f"{file.name}, object {n}: {short(row)}; expected an object of lhotse")


def _recordings(supervisions: Path, found: _Found) -> dict[str, Mapping[str, Any]]:
    file = supervisions.with_name(supervisions.name.replace("supervisions", "recordings", 1))
    return {str(row.get("id")): row for _, row in _rows(file, found)}


def _add_cut(found: _Found, row: Mapping[str, Any], split: str, where: str) -> None:
    """The supervisions of a cut, whose times count from its beginning; or the cut itself, where it has none."""
    kind, recording = row.get("type", "MonoCut"), row.get("recording")
    start, supervisions = row.get("start", 0.0), row.get("supervisions") or []
    if kind not in ("MonoCut", "MultiCut") or not isinstance(recording, dict):
        found.problems.append(f"{where}: {short(kind)} without its own recording; expected a MonoCut or a MultiCut")
    elif (
        not _is_time(start) or not isinstance(supervisions, list) or not all(isinstance(s, dict) for s in supervisions)
    ):
        found.problems.append(f"{where}: no start or supervisions that can be; expected a cut of lhotse")
    else:
        for supervision in supervisions or [{**row, "start": 0.0}]:
            _add_supervision(found, supervision, recording, start, split, where)


def _add_supervision(
    found: _Found, row: Mapping[str, Any], recording: Mapping[str, Any] | None, offset: float, split: str, where: str
) -> None:
    if recording is None:
        found.problems.append(f"{where}: recording {short(row.get('recording_id'))} is not among the recordings")
        return
    try:
        path = _audio(recording, found.base)
    except ValueError as error:
        found.problems.append(f"{where}: {error}")
        return
    name, start, duration = row.get("id"), row.get("start"), row.get("duration")
    if not isinstance(name, str) or not name or not _is_time(start) or not _is_time(duration) or duration <= 0:
        found.problems.append(
            f"{where}: id, start or duration {short([name, start, duration])}; expected those of lhotse"
        )
        return
    if name in found.utterances:
        found.problems.append(f"{where}: {name!r} is also in {found.utterances[name].source}; ids are unique")
        return
    begin, whole = max(0.0, offset + start), recording.get("duration")
    end = offset + start + duration
    if end <= begin:
        found.problems.append(f"{where}: {name!r} ends at {end:g} s; expected an end after the recording's begin")
        return
    is_whole = begin == 0 and _is_time(whole) and end >= whole - 1e-6
    if recording.get("channel_ids") not in (None, [0]):
        found.channels.setdefault(path, set()).add(json.dumps(row.get("channel")))
    found.utterances[name] = Utterance(
        name,
        path,
        None if is_whole else begin,
        None if is_whole else round(end, 8),
        split,
        _labels(row, recording),
        where,
    )


def _labels(row: Mapping[str, Any], recording: Mapping[str, Any]) -> dict[str, str]:
    custom = row.get("custom")
    values = {**(custom if isinstance(custom, dict) else {}), **{column: row.get(column) for column in OF_LHOTSE}}
    values["recording"] = recording.get("id")
    return {str(column): str(value) for column, value in values.items() if isinstance(value, str | int | float)}


def _audio(recording: Mapping[str, Any], base: Path) -> Path:
    """The file of a recording. Raises ValueError where it is none, or is altered when it is read."""
    sources = recording.get("sources")
    source = sources[0] if isinstance(sources, list) and len(sources) == 1 and isinstance(sources[0], dict) else {}
    if source.get("type") != "file" or not isinstance(source.get("source"), str) or "\0" in source["source"]:
        kinds = [one.get("type") for one in sources if isinstance(one, dict)] if isinstance(sources, list) else sources
        raise ValueError(
            f"a recording from {short(kinds)}; expected one file: commands are not run, nothing is fetched"
        )
    if recording.get("transforms"):
        raise ValueError("a recording with transforms, such as another speed; expected one as it is: save it to a file")
    return Path(normpath(base / source["source"]))


def _is_time(value: object) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value) and abs(value) < 1e9
