"""Who speaks when in recordings of which another program computed vectors, one for each of many short segments.

Owns the files: vectors by name, their times (``name recording start end``, as Kaldi's ``segments``), and the transform
of the authors of VBx; and turns from labels of segments that overlap. Knows no samples.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from speechgmm.clustering.vbx import VbxSpec, similar_vectors, vbx
from speechgmm.errors import ConfigError, DataError
from speechgmm.evaluation.diarization import Turn
from speechgmm.io.frame_files import read_frames
from speechgmm.io.given_frames import sources_in
from speechgmm.io.label_files.reading import seconds
from speechgmm.io.tables import read_table
from speechgmm.tasks.diarization.overlap import Regions, SpeakerWindows, speaker_name, with_second_speakers
from speechgmm.tasks.diarization.recordings import Diarized
from speechgmm.vectors.plda import Plda
from speechgmm.vectors.within_class import unit_length

Floats = NDArray[np.float64]

MOST_VECTORS: Final = 20_000
"""Of a recording: the first clustering compares any two, 3 GB of cosines for so many."""


LATEST: Final = 1e9
"""Seconds: no time is later."""


@dataclass(frozen=True, slots=True, eq=False)
class VectorRecording:
    """The vectors of a recording, in the order of their starts."""

    name: str
    vectors: Floats  # (N, D)
    starts: Floats  # (N,) s
    ends: Floats  # (N,) s


@dataclass(frozen=True, slots=True, eq=False)
class VectorTransform:
    """What is done to vectors before PLDA: unit(unit(x - mean1) lda - mean2), unit: divided by its length.

    >>> VectorTransform(np.zeros(2), np.eye(2), np.array([0.6, 0.0])).apply([[3.0, 4.0]])
    array([[0., 1.]])
    """

    mean1: Floats  # (M,)
    lda: Floats  # (M, D)
    mean2: Floats  # (D,)

    def apply(self, vectors: ArrayLike) -> Floats:
        """Vectors (N, M) as (N, D). Raises DataError for another dimension."""
        x = np.asarray(vectors, np.float64)
        if x.shape[1] != len(self.mean1):
            raise DataError(f"vectors of {x.shape[1]} dimensions; expected {len(self.mean1)}, as the transform has")
        return unit_length(unit_length(x - self.mean1) @ self.lda - self.mean2)


def read_vector_recordings(vectors: Path, segments: Path) -> list[VectorRecording]:
    """The recordings of a file of vectors, in the order of a file of their times.

    Args:
        vectors: An ``.ark``, ``.scp`` or ``.npz`` with a vector under each name.
        segments: A line for each: name, recording, start and end in s.

    Raises:
        DataError: A file that cannot be read; a line of other columns; a name that has no vector, or stands twice;
            vectors of different dimensions, of length 0, or with a value that is NaN or infinite.
    """
    sources = sources_in(vectors)
    lines: dict[str, dict[str, tuple[float, float]]] = {}
    for n, line in enumerate(read_table(segments).splitlines(), 1):
        cells, where = line.split(), f"{segments}, line {n}"
        if not cells:
            continue
        if len(cells) != 4:
            raise DataError(f"{where}: {len(cells)} columns; expected name, recording, start and end in s")
        start, end = (seconds(cells[column], what, where) for column, what in ((2, "start"), (3, "end")))
        if not 0 <= start < end < LATEST:
            raise DataError(
                f"{where}: from {start:g} to {end:g} s; expected a start of 0 or more and a later end, below {LATEST:g}"
            )
        if cells[0] not in sources:
            raise DataError(f"{where}: {vectors} has no vector {cells[0]!r}; it has {len(sources)}, of other names")
        own = lines.setdefault(cells[1], {})
        if cells[0] in own:
            raise DataError(f"{where}: {cells[0]!r} stands twice; expected one line for each vector")
        own[cells[0]] = (start, end)
    if not lines:
        raise DataError(f"{segments}: empty; expected a line for each vector: name, recording, start and end in s")
    return [_recording(vectors, name, own, lambda key: read_frames(sources[key])) for name, own in lines.items()]


def _recording(
    path: Path, name: str, times: Mapping[str, tuple[float, float]], read: Callable[[str], NDArray[np.float32]]
) -> VectorRecording:
    keys = sorted(times, key=lambda key: times[key])
    found: list[NDArray[np.float32]] = []
    for key in keys:
        rows = read(key)
        if len(rows) != 1 or (found and rows.shape != found[0].shape):
            expected = "one vector" if not found else f"one vector of {found[0].shape[1]} values, as the first"
            raise DataError(f"{path}: {key!r} has {len(rows)} vectors of {rows.shape[1]} values; expected {expected}")
        if not np.isfinite(rows).all():
            raise DataError(f"{path}: the vector {key!r} has a value that is NaN or infinite; compute it again")
        if not rows.any():
            raise DataError(
                f"{path}: the vector {key!r} is all zeros, which no speaker is; leave it out of the segments"
            )
        found.append(rows)
    starts, ends = np.array([times[key] for key in keys]).T
    return VectorRecording(name, np.concatenate(found).astype(np.float64), starts, ends)


def read_vector_transform(path: Path) -> VectorTransform:
    """Read a transform: arrays ``mean1`` (M,), ``lda`` (M, D) and ``mean2`` (D,) in an ``.npz`` or an HDF5 file.

    Raises:
        ConfigError: An HDF5 file, and h5py is not installed.
        DataError: A file that cannot be read, or without these arrays.
    """
    try:
        arrays = _npz(path) if path.suffix.lower() == ".npz" else _hdf5(path)
        mean1, lda, mean2 = (np.asarray(arrays[name], np.float64) for name in ("mean1", "lda", "mean2"))
    except FileNotFoundError:
        raise DataError(f"{path}: there is no such file") from None
    except KeyError as error:
        raise DataError(f"{path}: no array {error}; expected mean1, lda and mean2") from None
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: {error}; expected a .npz or HDF5 file with mean1, lda and mean2") from None
    if lda.ndim != 2 or (mean1.shape, mean2.shape) != ((len(lda),), (lda.shape[1],)):
        raise DataError(
            f"{path}: mean1 {mean1.shape}, lda {lda.shape} and mean2 {mean2.shape}; expected (M,), (M, D) and (D,)"
        )
    if not all(np.isfinite(part).all() for part in (mean1, lda, mean2)):
        raise DataError(f"{path}: a value that is NaN or infinite; expected finite ones")
    return VectorTransform(mean1, lda, mean2)


def _npz(path: Path) -> Mapping[str, Any]:
    with np.load(path, allow_pickle=False) as file:
        return dict(file)


def _hdf5(path: Path) -> Mapping[str, Any]:
    try:
        import h5py
    except ImportError:
        raise ConfigError(
            f"{path}: an HDF5 file is read by h5py, which is not installed: pip install 'speechgmm[hdf5]'"
        ) from None
    with h5py.File(path) as file:
        return {name: np.asarray(file[name]) for name in file}


@dataclass(frozen=True, slots=True, eq=False)
class GivenVectors:
    """Recordings as vectors, and what clusters them."""

    recordings: Sequence[VectorRecording]
    plda: Plda  # of vectors after the transform
    spec: VbxSpec
    transform: VectorTransform | None = None  # None: the vectors are taken as they are
    n_dims: int | None = None  # of the PLDA, the first ones; None: all
    overlap: Mapping[str, Regions] = field(default_factory=dict)  # of recordings: where two speak

    def diarized(self) -> Iterator[tuple[Path, Diarized | DataError]]:
        """Who speaks when in each recording, or why it cannot be said.

        Raises:
            ConfigError: More dimensions than the PLDA has.
        """
        if self.n_dims is not None and not 1 <= self.n_dims <= self.plda.n_dims:
            raise ConfigError(
                f"{self.n_dims} dimensions; expected 1 to {self.plda.n_dims}, as the PLDA has", arguments=("dims",)
            )
        for one in self.recordings:
            path = Path(one.name)
            try:
                turns = tuple(self.turns(one))
            except DataError as error:
                yield path, DataError(f"{one.name}: {error}")
                continue
            yield path, Diarized(path, turns, float(one.ends.max()), len({turn.speaker for turn in turns}), None)

    def turns(self, recording: VectorRecording) -> Sequence[Turn]:
        """Who speaks when in a recording, by VBx; where two speak, the second-best speaker as well.

        Raises:
            DataError: Too many vectors; a dimension that does not fit the transform or the PLDA.
        """
        x = recording.vectors
        if len(x) > MOST_VECTORS:
            raise DataError(
                f"{len(x)} vectors; expected {MOST_VECTORS} at most, since any two are compared: take segments at "
                "longer intervals, or parts of the recording"
            )
        if self.transform is not None:
            x = self.transform.apply(x)
        if x.shape[1] != self.plda.n_dims:
            raise DataError(f"vectors of {x.shape[1]} dimensions; expected {self.plda.n_dims}, as the PLDA has")
        kept = np.argsort(-self.plda.psi, kind="stable")[: self.n_dims]
        points = self.plda.project(x)[:, kept]
        labels = vbx(points, self.plda.psi[kept], similar_vectors(x), self.spec).labels
        turns = list(_turns(labels, recording.starts, recording.ends))
        overlap = self.overlap.get(recording.name)
        if not overlap:
            return turns
        centres = (recording.starts + recording.ends) / 2
        order = np.argsort(centres, kind="stable")
        windows = SpeakerWindows(points[order], self.plda.psi[kept], centres[order], labels[order], self.spec.fa)
        return with_second_speakers(turns, overlap, windows)


def _turns(labels: NDArray[np.intp], starts: Floats, ends: Floats) -> Iterator[Turn]:
    """Segments of one speaker that overlap or meet are a turn; between two speakers it changes amid the overlap."""
    gaps = starts[1:] > ends[:-1] + 1e-6
    bounds = np.flatnonzero(gaps | (labels[1:] != labels[:-1])) + 1
    first, last = np.append(0, bounds), np.append(bounds, len(labels)) - 1
    begin, end = starts[first], ends[last]
    overlap = np.flatnonzero(begin[1:] < end[:-1])
    middle = (begin[overlap + 1] + end[overlap]) / 2
    end[overlap] = begin[overlap + 1] = middle
    for n in range(len(first)):
        if begin[n] < end[n]:
            yield Turn(float(begin[n]), float(end[n]), speaker_name(labels[first[n]]))
