"""What may be given as audio in Python: a path, a folder, samples, or a list of these; each becomes a recording."""

import os
import warnings
from collections.abc import Sequence
from numbers import Number
from pathlib import Path
from typing import Any

from speechgmm.errors import ConfigError, DataError, RecordingWarning
from speechgmm.io.samples import AudioSource, RecordedSamples, recorded


def audio_sources(audio: Any, sample_rate: int | None = None) -> tuple[list[AudioSource | DataError], bool]:
    """The recordings that are meant, in order, and whether it is one by itself.

    Samples in a list that cannot be used are a DataError in the place of their recording.

    Parameters
    ----------
    audio
        A path, a folder of recordings, samples as `recorded` takes them, or a list of these.
    sample_rate
        Hz of the samples; a file says its own.

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
        return [source for n, one in enumerate(audio) for source in _of_item(one, sample_rate, n)], False
    if isinstance(audio, str | os.PathLike):
        return [*_of_path(audio, sample_rate)], not Path(audio).is_dir()
    return [_of_samples(audio, sample_rate, "samples")], True


def _of_item(one: Any, sample_rate: int | None, n: int) -> Sequence[AudioSource | DataError]:
    if isinstance(one, Number):
        raise DataError("audio is a list of numbers; expected samples as a numpy array, or a list of recordings")
    if isinstance(one, str | os.PathLike):
        return _of_path(one, sample_rate)
    try:
        return [_of_samples(one, sample_rate, f"samples[{n}]")]
    except DataError as error:
        return [error]


def _of_path(path: "str | os.PathLike[str]", sample_rate: int | None) -> list[AudioSource]:
    if sample_rate is not None:
        raise ConfigError(
            f"{path}: sample_rate={sample_rate!r} is for samples, and a file says its own rate; leave it out",
            arguments=("sample_rate",),
        )
    if not os.fspath(path):
        raise ConfigError("audio is an empty path; expected a recording, or a folder: '.' is this one")
    if not Path(path).is_dir():  # the readers of corpora need not be loaded
        return [Path(path)]
    from speechgmm.corpus.readers.files import named_recordings

    return list(named_recordings([Path(path)], _warn))


def _of_samples(samples: Any, sample_rate: int | None, name: str) -> RecordedSamples:
    return samples if isinstance(samples, RecordedSamples) else recorded(samples, sample_rate, name)


def _warn(note: str) -> None:
    warnings.warn(note, RecordingWarning, stacklevel=6)
