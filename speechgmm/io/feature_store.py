"""The feature store: frames of recordings in packed shards, keyed by what they were made from.

    CACHE/features/SPEC_KEY/spec.json          what these features are, for a person
    CACHE/features/SPEC_KEY/SHARD.npy          (sum of T, columns) float32, one recording after another
    CACHE/features/SPEC_KEY/SHARD.json         its recordings: key, path, stamp, offset, frames, duration, checksum

A shard's index is written after its frames, both by atomic rename, so that an index is a promise that the frames were
whole. The index carries a checksum, and in it stands one for the frames of each recording: ``damaged`` compares. An
index without (of earlier versions) counts as absent. The last column holds 1 for speech and 0 for the rest where a VAD
was run.
"""

import json
import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from errno import ENOENT
from functools import lru_cache
from hashlib import blake2b
from pathlib import Path
from typing import Any, BinaryIO, Final

import numpy as np
from numpy.typing import NDArray

from speechgmm.errors import DataError
from speechgmm.features.measurements import Measurements
from speechgmm.io.atomic import clear_disk_errors, write_atomically, write_text
from speechgmm.io.checksums import checksum, sealed, unsealed

SPEC: Final = "spec.json"
"""The file that says what the features of a store are."""

Stamp = tuple[int, int, int, int]
"""A file's size in bytes, times of its last change and of that of its entry (ns since the epoch), and inode."""

_READ_AT_ONCE: Final = 1 << 20  # bytes

_HEADER: Final = re.compile(
    rb"\x93NUMPY\x01\x00..\{'descr': '%s', 'fortran_order': False, 'shape': \(\d{1,15}, (\d{1,6})\), \} *\n"
    % np.dtype(np.float32).str.encode(),
    re.DOTALL,
)
"""The header of a .npy file as `_write_rows` makes it."""

_MOST_OF_HEADER: Final = 256  # bytes


@dataclass(frozen=True, slots=True)
class Entry:
    """Where the frames of one recording lie, and what was learnt while it was decoded."""

    key: str  # hash of the audio bytes
    path: str  # absolute, as it was when extracted
    stamp: Stamp  # of the file at path
    shard: str
    offset: int  # first row
    n_frames: int
    duration: float  # s
    clipped: float  # share of samples at full scale
    checksum: str  # of the frames
    measured: Measurements
    note: str = ""  # faults of the recording that a person should know of
    decoder: str = ""  # its name and version, where the samples can change with it


@dataclass(frozen=True, slots=True)
class Extracted:
    """The features of one recording on their way into a shard."""

    key: str
    path: str
    stamp: Stamp
    duration: float  # s
    clipped: float
    measured: Measurements
    frames: NDArray[np.float32]  # (T, columns)
    note: str = ""
    decoder: str = ""


def stamp_of(path: Path) -> Stamp:
    """What changes when a file is written or another one put in its place, even where its size and date are kept.

    Raises OSError for a file that is not there.
    """
    try:
        about = path.stat()
    except ValueError:  # a zero byte in the name
        raise FileNotFoundError(ENOENT, "a name with a zero byte", str(path)) from None
    return about.st_size, about.st_mtime_ns, about.st_ctime_ns, about.st_ino


def digest(*parts: bytes | str) -> str:
    """Thirty-two hex digits from bytes and texts; no two different sequences of parts share them."""
    total = blake2b(digest_size=16)
    for part in parts:
        data = part.encode("utf-8", "surrogateescape") if isinstance(part, str) else part
        total.update(len(data).to_bytes(8, "little"))
        total.update(data)
    return total.hexdigest()


def digest_file(file: BinaryIO) -> str:
    """``digest`` of what a file holds from its beginning, read part by part."""
    total = blake2b(digest_size=16)
    size = file.seek(0, os.SEEK_END)
    file.seek(0)
    total.update(size.to_bytes(8, "little"))
    part = bytearray(min(size, _READ_AT_ONCE))
    while n := file.readinto(part):  # type: ignore[attr-defined]
        total.update(memoryview(part)[:n])
    return total.hexdigest()


def canonical(value: Any) -> str:
    """JSON with one spelling for each value: sorted keys, no spaces."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


@dataclass(frozen=True, slots=True)
class FeatureStore:
    """The shards of one kind of features."""

    folder: Path

    @classmethod
    def open(cls, cache: Path, description: dict[str, Any]) -> "FeatureStore":
        """The store for features that ``description`` (plain values) defines, made if need be."""
        folder = cache / "features" / digest(canonical(description))[:16]
        text = json.dumps(description, indent=1, sort_keys=True) + "\n"
        try:
            same = (folder / SPEC).read_bytes() == text.encode()
        except (FileNotFoundError, NotADirectoryError):
            same = False
        if not same:
            write_text(folder / SPEC, text)
        return cls(folder)

    def entries(self) -> list[Entry]:
        """Every recording in the store, as the indexes promise; ``damaged`` says which promises do not hold."""
        return self.read_indexes()[0]

    def read_indexes(self) -> tuple[list[Entry], list[Path]]:
        """Every recording whose shard is there, and the indexes that are damaged."""
        found: list[Entry] = []
        wrong: list[Path] = []
        shards = {path.stem for path in self.folder.glob("*.npy")}
        for index in sorted(self.folder.glob("*.json")):
            if index.name == SPEC:
                continue
            try:
                data = index.read_bytes()
                if data.startswith(b"["):  # of an earlier version, without checksums
                    continue
                rows = json.loads(unsealed(data))
                entries = [_entry(row) for row in rows]
            except FileNotFoundError:  # another run removed it, as damaged
                continue
            except (OSError, ValueError, TypeError, KeyError):
                wrong.append(index)
                continue
            found.extend(entry for entry in entries if entry.shard in shards)
        return found, wrong

    def damaged(self, entries: Iterable[Entry]) -> list[Entry]:
        """Those recordings whose frames are not what was written."""
        by_shard: dict[str, list[Entry]] = {}
        for entry in entries:
            by_shard.setdefault(entry.shard, []).append(entry)
        return [entry for shard, own in by_shard.items() for entry in self._damaged(shard, own)]

    def _damaged(self, shard: str, entries: Sequence[Entry]) -> Sequence[Entry]:
        path = self.shard_path(shard)
        try:
            begin, n_columns = _layout(path)
            n_rows = max(entry.offset + entry.n_frames for entry in entries)
            rows = np.memmap(path, np.float32, "r", begin, (n_rows, n_columns))
        except (OSError, ValueError):
            return entries
        return [e for e in entries if checksum(rows[e.offset : e.offset + e.n_frames]) != e.checksum]

    def shard_path(self, shard: str) -> Path:
        """Where the frames of a shard are kept."""
        return self.folder / f"{shard}.npy"

    def discard(self, shard: str) -> None:
        """Remove a shard that is damaged, with its index. Raises as ``remove``."""
        self.remove(self.shard_path(shard).with_suffix(".json"))
        self.remove(self.shard_path(shard))

    def remove(self, path: Path) -> None:
        """Remove an index or a shard that is damaged, so that what it held counts as absent.

        Raises:
            DataError: The folder may not be written.
        """
        with clear_disk_errors(path):
            path.unlink(missing_ok=True)

    def write(self, recordings: Sequence[Extracted]) -> list[Entry]:
        """Store recordings as one shard; returns where they lie.

        Raises:
            DataError: The disk is full or the folder may not be written.
        """
        shard = digest(*(recording.key for recording in recordings))[:20]
        entries, offset = [], 0
        for recording in recordings:
            about = {name: getattr(recording, name) for name in Extracted.__slots__ if name != "frames"}
            frames = np.ascontiguousarray(recording.frames)
            place = Entry(shard=shard, offset=offset, n_frames=len(frames), checksum=checksum(frames), **about)
            entries.append(place)
            offset += len(frames)
        arrays = [recording.frames for recording in recordings]
        write_atomically(self.shard_path(shard), lambda file: _write_rows(file, arrays))
        self._write_index(shard, entries)
        return entries

    def note(self, entries: Sequence[Entry]) -> None:
        """Note that recordings whose frames are here already have another path or stamp."""
        self._write_index(digest(*(f"{entry.key} {entry.path} {entry.stamp}" for entry in entries))[:20], entries)

    def _write_index(self, name: str, entries: Sequence[Entry]) -> None:
        # dataclasses.asdict copies what it finds, at four times the cost.
        rows = [{field: getattr(entry, field) for field in Entry.__slots__} for entry in entries]
        data = sealed(json.dumps(rows).encode())
        write_atomically(self.folder / f"{name}.json", lambda file: file.write(data))

    def frames(self, shard: str, offset: int, n_frames: int) -> NDArray[np.float32]:
        """Rows of a shard, read into memory: pages of a mapped file would count as memory as long as it is open.

        Raises:
            DataError: The shard is shorter than its index says, or gone.
        """
        path = self.shard_path(shard)
        try:
            about = path.stat()
            begin, n_columns = _known_layout(path, about.st_ino, about.st_mtime_ns)
            rows = np.fromfile(path, np.float32, n_frames * n_columns, offset=begin + 4 * offset * n_columns)
        except (OSError, ValueError) as error:
            raise DataError(f"{path}: damaged while the run went on ({error}); run the same command again") from None
        if len(rows) != n_frames * n_columns:
            raise DataError(f"{path}: damaged while the run went on; run the same command again")
        return rows.reshape(n_frames, n_columns)


@lru_cache(maxsize=4096)
def _known_layout(path: Path, inode: int, modified: int) -> tuple[int, int]:  # noqa: ARG001 (one made again is another)
    return _layout(path)


def _layout(path: Path) -> tuple[int, int]:
    """Where a shard's rows begin in its file, in bytes, and how many columns they have. Raises OSError, ValueError."""
    with path.open("rb") as file:
        found = _HEADER.match(file.read(_MOST_OF_HEADER))
    # numpy's own reader evaluates the header as Python, which threads of Python 3.11 cannot do at once.
    if found is None:
        raise ValueError("not the header of a shard")
    return found.end(), int(found[1])


def _entry(row: dict[str, Any]) -> Entry:
    return Entry(**{**row, "stamp": tuple(row["stamp"]), "measured": Measurements.of(row["measured"])})


def _write_rows(file: BinaryIO, arrays: Sequence[NDArray[np.float32]]) -> None:
    """Write arrays (T, columns) as one .npy file, one below the other, without joining them."""
    shape = (sum(len(rows) for rows in arrays), arrays[0].shape[1])
    # numpy's own writer reports a full disk without saying so.
    np.lib.format.write_array_header_1_0(
        file, {"descr": np.lib.format.dtype_to_descr(arrays[0].dtype), "fortran_order": False, "shape": shape}
    )
    file.writelines(np.ascontiguousarray(rows).data for rows in arrays)
