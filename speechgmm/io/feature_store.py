"""The feature store: frames of recordings in packed shards, keyed by what they were made from.

    CACHE/features/SPEC_KEY/spec.json          what these features are, for a person
    CACHE/features/SPEC_KEY/SHARD.npy          (sum of T, columns) float32, one recording after another
    CACHE/features/SPEC_KEY/SHARD.json         its recordings: key, path, size, time of change, offset, frames, duration

A shard's index is written after its frames, both by atomic rename, so that an index is a promise that the frames are
whole. The last column holds 1 for speech and 0 for the rest where a VAD was run.
"""

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from hashlib import blake2b
from pathlib import Path
from typing import Any, BinaryIO, Final

import numpy as np
from numpy.typing import NDArray

from speechgmm.errors import DataError
from speechgmm.features.measurements import Measurements
from speechgmm.io.atomic import write_atomically, write_text

_READ_AT_ONCE: Final = 1 << 20  # bytes


@dataclass(frozen=True, slots=True)
class Entry:
    """Where the frames of one recording lie, and what was learnt while it was decoded."""

    key: str  # hash of the audio bytes
    path: str  # absolute, as it was when extracted
    size: int  # bytes
    modified: int  # ns since the epoch
    shard: str
    offset: int  # first row
    n_frames: int
    duration: float  # s
    clipped: float  # share of samples at full scale
    measured: Measurements
    note: str = ""  # faults of the recording that a person should know of
    decoder: str = ""  # its name and version, where the samples can change with it


@dataclass(frozen=True, slots=True)
class Extracted:
    """The features of one recording on their way into a shard."""

    key: str
    path: str
    size: int
    modified: int
    duration: float  # s
    clipped: float
    measured: Measurements
    frames: NDArray[np.float32]  # (T, columns)
    note: str = ""
    decoder: str = ""


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
        if not (folder / "spec.json").exists():
            write_text(folder / "spec.json", json.dumps(description, indent=1, sort_keys=True) + "\n")
        return cls(folder)

    def entries(self) -> list[Entry]:
        """Every recording in the store. A damaged index or shard counts as absent: it is made again."""
        found: list[Entry] = []
        n_rows = {path.stem: _count_rows(path) for path in self.folder.glob("*.npy")}
        for index in sorted(self.folder.glob("*.json")):
            if index.name == "spec.json":
                continue
            try:
                rows = json.loads(index.read_text())
                entries = [Entry(**{**row, "measured": Measurements.of(row["measured"])}) for row in rows]
            except (ValueError, TypeError, KeyError):  # KeyError: of a version that measured nothing
                continue
            found.extend(entry for entry in entries if entry.offset + entry.n_frames <= n_rows.get(entry.shard, 0))
        return found

    def write(self, recordings: Sequence[Extracted]) -> list[Entry]:
        """Store recordings as one shard; returns where they lie.

        Raises:
            DataError: The disk is full or the folder may not be written.
        """
        shard = digest(*(recording.key for recording in recordings))[:20]
        entries, offset = [], 0
        for recording in recordings:
            about = {name: getattr(recording, name) for name in Extracted.__slots__ if name != "frames"}
            entries.append(Entry(shard=shard, offset=offset, n_frames=len(recording.frames), **about))
            offset += len(recording.frames)
        arrays = [recording.frames for recording in recordings]
        write_atomically(self.folder / f"{shard}.npy", lambda file: _write_rows(file, arrays))
        write_text(self.folder / f"{shard}.json", _index(entries))
        return entries

    def note(self, entries: Sequence[Entry]) -> None:
        """Note that recordings whose frames are here already have another path or date."""
        name = digest(*(f"{entry.key} {entry.path} {entry.modified}" for entry in entries))[:20]
        write_text(self.folder / f"{name}.json", _index(entries))

    def frames(self, shard: str, offset: int, n_frames: int) -> NDArray[np.float32]:
        """Rows of a shard, read into memory: pages of a mapped file would count as memory as long as it is open.

        Raises:
            DataError: The shard is shorter than its index says, or gone.
        """
        path = self.folder / f"{shard}.npy"
        try:
            begin, n_columns = _layout(path)
            rows = np.fromfile(path, np.float32, n_frames * n_columns, offset=begin + 4 * offset * n_columns)
        except (OSError, ValueError, EOFError) as error:
            raise DataError(f"{path}: damaged while the run went on ({error}); run the same command again") from None
        if len(rows) != n_frames * n_columns:
            raise DataError(f"{path}: damaged while the run went on; run the same command again")
        return rows.reshape(n_frames, n_columns)


@lru_cache(maxsize=4096)
def _layout(path: Path) -> tuple[int, int]:
    """Where a shard's rows begin in its file, in bytes, and how many columns they have."""
    rows = np.load(path, mmap_mode="r", allow_pickle=False)
    if rows.dtype != np.float32 or rows.ndim != 2 or not rows.flags.c_contiguous:
        raise ValueError(f"{rows.dtype} of shape {rows.shape}")
    return rows.offset, rows.shape[1]


def _count_rows(path: Path) -> int:
    """Rows of a shard; 0 where it is not whole."""
    try:
        return len(np.load(path, mmap_mode="r", allow_pickle=False))
    except (OSError, ValueError, EOFError, TypeError):
        return 0


def _index(entries: Sequence[Entry]) -> str:
    # dataclasses.asdict copies what it finds, at four times the cost.
    return json.dumps([{name: getattr(entry, name) for name in Entry.__slots__} for entry in entries])


def _write_rows(file: BinaryIO, arrays: Sequence[NDArray[np.float32]]) -> None:
    """Write arrays (T, columns) as one .npy file, one below the other, without joining them."""
    shape = (sum(len(rows) for rows in arrays), arrays[0].shape[1])
    # numpy's own writer reports a full disk without saying so.
    np.lib.format.write_array_header_1_0(
        file, {"descr": np.lib.format.dtype_to_descr(arrays[0].dtype), "fortran_order": False, "shape": shape}
    )
    file.writelines(np.ascontiguousarray(rows).data for rows in arrays)
