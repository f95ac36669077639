"""Samples from standard input: PCM without a header, at once or as it comes."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from speechgmm.errors import ConfigError, DataError
from speechgmm.io.samples import RAW_FORMATS, AudioSource, RecordedSamples, recorded

NAME: Final = "standard input"

_MOST_BYTES: Final = 65536
"""That are taken at once."""


def sources_of(audio: list[Path], raw: str | None, rate: int | None, *, given: bool = False) -> list[AudioSource]:
    """The recordings that a command names: files and those in folders, or the samples of standard input (``-``).

    With ``given``, recordings are frames that another program computed.

    Raises:
        ConfigError: Format and rate without ``-``, or the other way round.
        DataError: No samples, or half of one at the end; a folder without recordings.
    """
    from speechgmm.report.text import recordings

    if check_raw(audio, raw, rate):
        return [recorded_input(list(raw_pieces(str(raw))), rate)]
    return list(recordings(audio, given=given))


def check_raw(audio: list[Path], raw: str | None, rate: int | None) -> bool:
    """Whether standard input is meant. Raises ConfigError as `sources_of`."""
    given = {"raw": raw, "rate": rate}
    if [str(path) for path in audio] == ["-"]:
        missing = tuple(name for name, value in given.items() if value is None)
        if missing:
            raise ConfigError(
                "- is standard input, whose samples have no header; give their format (s16le, f32le) and rate in Hz",
                arguments=missing,
            )
        return True
    needless = tuple(name for name, value in given.items() if value is not None)
    if needless:
        raise ConfigError(
            f"format and rate are for samples from standard input, given as -; here are {', '.join(map(str, audio))}",
            arguments=needless,
        )
    return False


def recorded_input(pieces: list[NDArray[Any]], rate: int | None) -> RecordedSamples:
    """Samples of standard input as a recording."""
    return recorded(np.concatenate(pieces) if pieces else np.empty(0, np.int16), rate, NAME)


def raw_pieces(raw: str) -> Iterator[NDArray[Any]]:
    """The samples of standard input, (N,) int16 or float32 of one channel, as they come.

    Raises:
        DataError: It ends within a sample.
    """
    form, left = RAW_FORMATS[raw], b""
    while data := sys.stdin.buffer.read1(_MOST_BYTES):  # type: ignore[union-attr]
        data = left + data
        n = len(data) // form.itemsize * form.itemsize
        left = data[n:]
        if n:
            yield np.frombuffer(data[:n], form).astype(form.newbyteorder("="))
    if left:
        raise DataError(f"{NAME}: ends within a sample, after {len(left)} of {form.itemsize} bytes; is it {raw}?")
