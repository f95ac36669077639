"""Frames that other programs computed: numpy, Kaldi, Sphinx and HTK files.

A `FrameSource` says where the frames of one recording stand; `list_sources` finds them in a folder, a list or an
archive, `read_frames` reads them, and `frames_shape` reads no more than a header. Of a large file, only the rows that
are asked for are read. What a header promises is compared with the file's size before it is believed.
Whether the numbers are finite is checked by the caller, as it is for computed features.

A format is a module of this folder and a row of the table in ``formats.py``.
"""

from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from speechgmm.errors import DataError
from speechgmm.io.frame_files.formats import FORMATS, format_of
from speechgmm.io.frame_files.htk import write_htk
from speechgmm.io.frame_files.kaldi import write_ark
from speechgmm.io.frame_files.kaldi_lists import scp_sources
from speechgmm.io.frame_files.numpy_archive import write_npz
from speechgmm.io.frame_files.numpy_array import write_npy
from speechgmm.io.frame_files.source import FrameSource, StoredFrames
from speechgmm.io.frame_files.sphinx import write_sphinx

__all__ = (
    "FORMATS",
    "FrameSource",
    "frames_shape",
    "list_sources",
    "read_frames",
    "write_ark",
    "write_htk",
    "write_npy",
    "write_npz",
    "write_sphinx",
)

KALDI_LIST: Final = "feats.scp"


def frames_shape(source: FrameSource) -> tuple[int, int]:
    """The shape of the frames of one recording; for formats with a header, only the header is read.

    Parameters
    ----------
    source
        The frames of one recording.

    Returns
    -------
    tuple of int
        (T, D): the number of rows that the source takes, and the number of values in each.

    Raises
    ------
    DataError
        The file is missing, truncated, damaged, of another format or dimension, or has fewer rows.
    """
    stored = _stored(source)
    return _range(source, stored.shape[0])[1] - source.first, stored.shape[1]


def read_frames(source: FrameSource) -> NDArray[np.float32]:
    """Read the frames of one recording. Of a file that holds more, only the rows that the source takes are read.

    Parameters
    ----------
    source
        The file of the frames, and their place in it.

    Returns
    -------
    ndarray
        (T, D) float32. Values beyond the range of float32 become infinite.

    Raises
    ------
    DataError
        The file is missing, truncated, damaged, of another format or dimension, or has fewer rows.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     write_npy(Path(folder) / "anna.npy", np.arange(6.0).reshape(3, 2))
    ...     read_frames(FrameSource(Path(folder) / "anna.npy", first=1, stop=3))
    array([[2., 3.],
           [4., 5.]], dtype=float32)
    """
    stored = _stored(source)
    rows = stored.rows(*_range(source, stored.shape[0]))
    with np.errstate(over="ignore", invalid="ignore"):  # not finite: the caller says so
        return np.array(rows, np.float32, order="C")


def _stored(source: FrameSource) -> StoredFrames:
    stored = format_of(source).stored(source)
    if source.dimension not in (None, stored.shape[1]):
        raise DataError(f"{source}: frames of {stored.shape[1]} values; expected {source.dimension}")
    return stored


def _range(source: FrameSource, n_frames: int) -> tuple[int, int]:
    """First row and the one behind the last."""
    stop = n_frames if source.stop is None else source.stop
    if not 0 <= source.first < stop <= n_frames:
        raise DataError(
            f"{source}: rows {source.first} to {stop - 1} of {n_frames} frames; expected rows within 0 to "
            f"{n_frames - 1}: do the list and the frames belong together?"
        )
    return source.first, stop


def list_sources(path: str | Path) -> dict[str, FrameSource]:
    """List the recordings whose frames a file or a folder contains.

    Parameters
    ----------
    path
        A Kaldi list (``.scp``), an archive (``.ark``), an ``.npz`` file, a file of one recording, or a folder. A folder
        with ``feats.scp`` is read as a Kaldi data directory; of any other folder, all files of known formats are taken.

    Returns
    -------
    dict
        The source of each recording by its id. Recordings of a file are in the order of the file, those of a folder are
        sorted. The id is the name in the archive or list or, in a folder, the relative path without ending. An ``.npz``
        file in a folder takes this path as its id too, if it holds one array.

    Raises
    ------
    DataError
        The path does not exist or contains no frames, or two recordings have the same id.
    """
    path = Path(path)
    if path.is_dir():
        return scp_sources(path / KALDI_LIST) if (path / KALDI_LIST).is_file() else _folder_sources(path)
    if path.suffix.lower() == ".scp":
        return scp_sources(path)
    several = format_of(FrameSource(path)).sources
    return several(path) if several else {path.stem: FrameSource(path)}


def _folder_sources(folder: Path) -> dict[str, FrameSource]:
    endings = {ending: one for one in FORMATS.values() for ending in one.endings}
    files = sorted(path for path in folder.rglob("*") if path.suffix.lower() in endings and path.name[0] != ".")
    found: dict[str, FrameSource] = {}
    for path in files:
        name = path.relative_to(folder).with_suffix("").as_posix()
        several = endings[path.suffix.lower()].sources
        held = several(path) if several else {name: FrameSource(path)}
        if len(held) == 1 and path.suffix.lower() == ".npz":
            held = dict(zip([name], held.values(), strict=True))
        for key, source in held.items():
            if key in found:
                raise DataError(
                    f"{folder}: {key!r} stands in {found[key].path.name} and in {path.name}; expected one file or one "
                    "array for each recording"
                )
            found[key] = source
    if not found:
        raise DataError(f"{folder}: no frames in it; expected {KALDI_LIST}, or files that end in {', '.join(endings)}")
    return found
