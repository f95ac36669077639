"""What may be given as audio in Python: a path, a folder, samples, or a list of these; each becomes a recording."""

import os
import warnings
from collections.abc import Sequence
from numbers import Number
from pathlib import Path
from typing import Any

from speechgmm.errors import ConfigError, DataError, RecordingWarning
from speechgmm.io.given_frames import GivenFrames, given_recording, named_places
from speechgmm.io.samples import AudioSource, RecordedSamples, recorded


def audio_sources(
    audio: Any, sample_rate: int | None = None, *, given: bool = False
) -> tuple[list[AudioSource | DataError], bool]:
    """The recordings that are meant, in order, and whether it is one by itself.

    Samples in a list that cannot be used are a DataError instead of their recording.

    Parameters
    ----------
    audio
        A path, a folder of recordings, samples as `recorded` takes them, or a list of these.
    sample_rate
        Hz of the samples; a file says its own.
    given
        Recordings are frames that another program computed: arrays (T, D), or files of them.

    Raises
    ------
    ConfigError
        A rate for files, or none for samples; an empty path.
    DataError
        A folder without recordings; a list of numbers; samples that cannot be used and are not in a list.
    ShapeError
        Samples of another shape than (N,) or (N, channels).
    """
    if isinstance(audio, list | tuple):
        return [source for n, one in enumerate(audio) for source in _of_item(one, sample_rate, n, given)], False
    if isinstance(audio, str | os.PathLike):
        found = _of_path(audio, sample_rate, given)
        return [*found], not Path(audio).is_dir() and found == [Path(audio)]
    return [_of_array(audio, sample_rate, None, given)], True


def _of_item(one: Any, sample_rate: int | None, n: int, given: bool) -> Sequence[AudioSource | DataError]:
    if isinstance(one, Number):
        raise DataError("audio is a list of numbers; expected samples as a numpy array, or a list of recordings")
    if isinstance(one, str | os.PathLike):
        return _of_path(one, sample_rate, given)
    try:
        return [_of_array(one, sample_rate, n, given)]
    except DataError as error:
        return [error]


def _of_path(path: "str | os.PathLike[str]", sample_rate: int | None, given: bool) -> list[AudioSource]:
    if sample_rate is not None:
        raise ConfigError(
            f"{path}: sample_rate={sample_rate!r} is for samples, and a file says its own rate; leave it out",
            arguments=("sample_rate",),
        )
    if not os.fspath(path):
        raise ConfigError("audio is an empty path; expected a recording, or a folder: '.' is this one")
    if given:
        return [*named_places([Path(path)])]
    if not Path(path).is_dir():  # the readers of corpora need not be loaded
        return [Path(path)]
    from speechgmm.corpus.readers.files import named_recordings

    return list(named_recordings([Path(path)], _warn))


def _of_array(array: Any, sample_rate: int | None, n: int | None, given: bool) -> AudioSource:
    """An array as a recording, number ``n`` of a list, or by itself."""
    if isinstance(array, RecordedSamples | GivenFrames):
        return array
    number = "" if n is None else f"[{n}]"
    if not given:
        return recorded(array, sample_rate, f"samples{number}")
    if sample_rate is not None:
        raise ConfigError(
            f"sample_rate={sample_rate!r} is for samples, and the model takes frames (T, D) that another program "
            "computed; leave it out",
            arguments=("sample_rate",),
        )
    return given_recording(array, f"frames{number}")


def _warn(note: str) -> None:
    warnings.warn(note, RecordingWarning, stacklevel=6)
