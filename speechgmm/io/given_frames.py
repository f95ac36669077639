"""Frames that another program computed, as recordings: files, parts of files, and arrays.

A recording is named by a path everywhere. Of frames that share a file with others the path has the place behind a
colon: ``feats.npz:anna-1`` and ``feats.scp:anna-1`` by name, ``feats.ark:1031`` by byte, as Kaldi writes it, with the
first and last row in brackets where it is a part: ``feats.ark:1031[0:98]``.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from speechgmm.errors import DataError, ShapeError
from speechgmm.io.audio_formats import DECODED, UNDECODED
from speechgmm.io.feature_store import Stamp, digest, stamp_of
from speechgmm.io.frame_files import FORMATS, FrameSource, frames_shape, list_sources, read_frames

ONE_RECORDING: Final = frozenset(ending for one in FORMATS.values() if one.sources is None for ending in one.endings)
"""File endings, in lower case, of the frames of one recording."""

SEVERAL_RECORDINGS: Final = frozenset((".npz", ".scp", ".ark"))
"""File endings, in lower case, of the frames of several recordings."""

if TYPE_CHECKING:  # which names recordings of both kinds
    from speechgmm.io.samples import AudioSource

_PLACE: Final = re.compile(
    r"(?P<file>.+?)(:(?P<offset>\d{1,18})|(?<=\.npz|\.scp|\.ark):(?P<name>.+?))?(\[(?P<first>\d{1,18}):(?P<last>\d{0,18})\])?",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True, eq=False)
class GivenFrames:
    """Frames of a recording in memory; made by `given_recording`."""

    frames: NDArray[np.float32]  # (T, D)
    name: str = "frames"

    def __str__(self) -> str:
        return self.name

    @property
    def stem(self) -> str:
        """The name, as a path has it without folders and ending."""
        return self.name


FramesPlace: TypeAlias = Path | GivenFrames
"""A recording's frames: a file or a place in one, or an array."""


def given_recording(frames: Any, name: str = "frames") -> GivenFrames:
    """Frames in memory as a recording.

    Parameters
    ----------
    frames
        (T, D) floats, or (D,), a recording of one frame.
    name
        What messages call the recording.

    Raises
    ------
    DataError
        Numbers of another type.
    ShapeError
        An array of another shape.

    Examples
    --------
    >>> given_recording(np.zeros(256)).frames.shape
    (1, 256)
    """
    array = np.asarray(frames)
    if array.dtype.kind != "f":
        raise DataError(f"{name}: frames of type {array.dtype}; expected floats")
    if array.ndim not in (1, 2):
        raise ShapeError(f"{name}: frames have shape {array.shape}; expected (T, D), or (D,) for one frame")
    return GivenFrames(np.atleast_2d(array).astype(np.float32, copy=False), name)


def place_of(source: FrameSource) -> Path:
    """The path by which the frames of a source are named.

    >>> place_of(FrameSource(Path("a/feats.ark"), "anna-1", 1031, 0, 99))
    PosixPath('a/feats.ark:1031[0:98]')
    >>> place_of(FrameSource(Path("a/feats.npz"), "anna-1")), place_of(FrameSource(Path("a/1.npy")))
    (PosixPath('a/feats.npz:anna-1'), PosixPath('a/1.npy'))
    """
    behind = source.key if source.offset is None else source.offset
    text = str(source.path) if behind is None else f"{source.path}:{behind}"
    if source.first or source.stop is not None:
        text += f"[{source.first}:{'' if source.stop is None else source.stop - 1}]"
    return Path(text)


def source_at(place: Path) -> FrameSource:
    """The frames that a path names: the inverse of `place_of`, and of a name behind the colon of an ``.scp``.

    Raises
    ------
    DataError
        A list of frames that cannot be read, or that lacks the name.

    Examples
    --------
    >>> source_at(Path("a/feats.ark:1031[0:98]"))
    FrameSource(path=PosixPath('a/feats.ark'), key=None, offset=1031, first=0, stop=99, dimension=None)
    """
    found = _PLACE.fullmatch(str(place))
    if found is None:  # a line end in its name
        return FrameSource(place)
    path, offset, name = Path(found["file"]), found["offset"], found["name"]
    rows = int(found["first"] or 0), int(found["last"]) + 1 if found["last"] else None
    ending = path.suffix.lower()
    is_name = bool(name) or (bool(offset) and ending in (".npz", ".scp"))
    whole = str(place)[len(found["file"]) + 1 :]
    if found["first"] and is_name and path.is_file() and whole in sources_in(path):  # a name that ends as rows do
        return sources_in(path)[whole]
    if ending == ".npz":
        return FrameSource(path, name or offset, None, *rows)
    if is_name:
        sources = sources_in(path)
        if (name or offset) not in sources:
            raise DataError(f"{path}: no frames under the name {name or offset!r}; it has {len(sources)} names")
        return _part(sources[name or offset], place, *rows)
    return FrameSource(path, None, None if offset is None else int(offset), *rows)


def _part(source: FrameSource, place: Path, first: int, stop: int | None) -> FrameSource:
    """Rows of what a name of a list stands for, which may be rows of a matrix itself."""
    n_rows = None if source.stop is None else source.stop - source.first
    if n_rows is not None and not first < (n_rows if stop is None else stop) <= n_rows:
        raise DataError(f"{place}: this name has {n_rows} frames; expected rows within 0 to {n_rows - 1}")
    return replace(source, first=source.first + first, stop=source.stop if stop is None else source.first + stop)


def sources_in(path: Path) -> dict[str, FrameSource]:
    """Name -> frames, of a file or folder of several recordings; it is read again where it has changed."""
    return _sources(path, _stamp(path))


def _stamp(path: Path) -> Stamp:
    try:
        return stamp_of(path)
    except OSError:
        raise DataError(f"{path}: there is no such file; expected is a list of frames") from None


@lru_cache(maxsize=16)
def _sources(path: Path, stamp: Stamp) -> dict[str, FrameSource]:  # noqa: ARG001 (another stamp is another content)
    return list_sources(path)


def read_place(place: FramesPlace, n_dims: int | None) -> NDArray[np.float32]:
    """The frames of a recording, (T, D), which are to have ``n_dims`` dimensions, where that is known.

    Raises
    ------
    DataError
        No frames that can be read, or a recording instead of frames.

    Examples
    --------
    >>> read_place(given_recording(np.zeros((5, 13))), 13).shape
    (5, 13)
    """
    if isinstance(place, GivenFrames):
        return place.frames
    _check_frames(place)
    return read_frames(replace(source_at(place), dimension=n_dims))


def place_shape(place: Path, n_dims: int | None = None) -> tuple[int, int]:
    """Frames and dimensions of a recording, from its header where there is one. Raises as `read_place`."""
    _check_frames(place)
    return frames_shape(replace(source_at(place), dimension=n_dims))


def read_speech(place: Path, n_frames: int) -> NDArray[np.bool_]:
    """Which of a recording's frames are speech, (n_frames,), of a file with 1 or 0 for each.

    Raises
    ------
    DataError
        A file that cannot be read, another number of frames, values other than 0 and 1.
    """
    source = source_at(place)
    values = _flags(source.path) if place.suffix.lower() == ".npy" else read_frames(source).ravel()
    if len(values) != n_frames:
        raise DataError(f"{place}: {len(values)} values; expected 1 or 0 for each of the recording's {n_frames} frames")
    if not np.isin(values, (0, 1)).all():
        wrong = values[~np.isin(values, (0, 1))][0]
        raise DataError(f"{place}: holds {wrong}; expected 1 for a frame of speech and 0 for another")
    return values.astype(bool)


def _flags(path: Path) -> NDArray[Any]:
    """An array of any numbers or truth values; frames are floats alone."""
    try:
        values = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise DataError(f"{path}: cannot be read ({str(error)[:200]}); expected 1 or 0 for each frame") from None
    if values.dtype.kind not in "biuf":
        raise DataError(f"{path}: an array of {values.dtype}; expected 1 or 0 for each frame")
    return np.asarray(values).ravel()


def _check_frames(place: Path) -> None:
    """Refuse a recording, by the ending of its name."""
    if place.suffix.lower() in DECODED | UNDECODED.keys():
        raise DataError(
            f"{place}: a recording; expected frames that another program computed (features.kind: given), such as a "
            ".npy: give the frames of this recording, made as those of the training were"
        )


def is_of_frames(path: Path) -> bool:
    """Whether a path names frames, by its ending.

    >>> [is_of_frames(Path(name)) for name in ("a.npy", "feats.scp:anna-1", "a.wav")]
    [True, True, False]
    """
    found = _PLACE.fullmatch(str(path))
    return Path(found["file"] if found else path).suffix.lower() in ONE_RECORDING | SEVERAL_RECORDINGS


def stem_of(source: "AudioSource") -> str:
    """What files of labels call a recording: its file without folder and ending, or its name in a file of several.

    >>> [stem_of(Path(name)) for name in ("a/call.wav", "b.npz:anna-1", "feats.scp:1031", "f.ark:1031[0:98]")]
    ['call', 'anna-1', '1031', 'f-1031-0-98']
    """
    found = _PLACE.fullmatch(str(source)) if isinstance(source, Path) and is_of_frames(source) else None
    if found is None:
        return source.stem
    file = Path(found["file"])
    name = found["name"] or (found["offset"] if file.suffix.lower() in (".npz", ".scp") else "")
    begin = (Path(name).name,) if name else (file.stem, found["offset"])
    parts = (*begin, found["first"], found["last"])
    return "-".join(part for part in parts if part)


def frames_key(place: FramesPlace, n_dims: int | None = None) -> str:
    """A hash of a recording's frames, whatever file they lie in. Raises as `read_place`."""
    frames = read_place(place, n_dims)
    return digest(str(frames.shape), np.ascontiguousarray(frames).data.cast("B").tobytes())


def _named_place(path: Path, name: str, source: FrameSource) -> Path:
    """A recording of a file by its name; by its byte where an archive's name is a number, which would be a byte."""
    is_byte = path.suffix.lower() == ".ark" and name.isdecimal()
    return place_of(source) if is_byte else Path(f"{path}:{name}")


def named_places(given: list[Path]) -> Iterator[Path]:
    """The recordings that paths name: a folder or a list of frames stands for all its recordings, in its order.

    Raises
    ------
    DataError
        A folder without frames, a list that cannot be read.
    """
    for path in given:
        if path.is_dir():
            yield from map(place_of, sources_in(path).values())
        elif path.suffix.lower() in SEVERAL_RECORDINGS:
            yield from (_named_place(path, name, source) for name, source in sources_in(path).items())
        else:
            yield path
