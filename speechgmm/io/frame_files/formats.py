"""The table of formats, and which of them a file is: decided by its content, whatever its name ends in."""

from collections.abc import Callable
from pathlib import Path
from typing import Final, NamedTuple

from speechgmm.errors import DataError
from speechgmm.io.frame_files import htk, kaldi, numpy_archive, numpy_array, sphinx
from speechgmm.io.frame_files.source import FrameSource, StoredFrames, opened


class FrameFormat(NamedTuple):
    """A format of files of frames."""

    title: str
    endings: tuple[str, ...]  # that a folder is searched for
    stored: Callable[[FrameSource], StoredFrames]
    sources: Callable[[Path], dict[str, FrameSource]] | None = None  # of a file that holds several recordings


FORMATS: Final = {
    "npy": FrameFormat("numpy's .npy", (".npy",), numpy_array.stored),
    "npz": FrameFormat("numpy's .npz", (".npz",), numpy_archive.stored, numpy_archive.sources),
    "kaldi": FrameFormat("a Kaldi archive or matrix", (".ark",), kaldi.stored, kaldi.archive_sources),
    "sphinx": FrameFormat("a Sphinx feature file", (".mfc",), sphinx.stored),
    "htk": FrameFormat("an HTK parameter file", (".htk", ".fea", ".plp", ".fbank"), htk.stored),
}
"""Name -> format."""

_LOOKED_AT: Final = 4200  # bytes; the key of a Kaldi archive may have 4096


def format_of(source: FrameSource) -> FrameFormat:
    """The format of a source's file, by its content.

    Raises:
        DataError: No such file, or of none of the formats.
    """
    if source.offset is not None:
        return FORMATS["kaldi"]
    with opened(source) as (file, size):
        head = file.read(_LOOKED_AT)
    name = _by_content(head, size)
    if name:
        return FORMATS[name]
    ending = source.path.suffix.lower()
    meant = next((one for one in FORMATS.values() if ending in one.endings), None)
    if not size:
        what = "an empty file"
    elif meant in (FORMATS["sphinx"], FORMATS["htk"]):
        what = (
            f"as Sphinx file {sphinx.mismatch(head, size)}; as HTK file {htk.mismatch(head, size)}; was it cut short?"
        )
    else:
        what = f"begins with {head[:12]!r}, as no format of frames that is read here" + (
            f": {meant.title} is cut short or damaged" if meant else ""
        )
    titles = ", ".join(one.title for one in FORMATS.values())
    raise DataError(f"{source.path}: {what}. Expected {titles}")


def _by_content(head: bytes, size: int) -> str:
    if head.startswith(numpy_array.MAGIC):
        return "npy"
    if head.startswith(numpy_archive.MAGIC):
        return "npz"
    if sphinx.byte_order(head, size):
        return "sphinx"
    if htk.read_header(head[: htk.HEADER_BYTES], size):
        return "htk"
    return "kaldi" if kaldi.is_kaldi(head) else ""
