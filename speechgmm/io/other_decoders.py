"""Decoders of what libsndfile does not read: PyAV where it is installed, else an ffmpeg on the PATH.

Both get an open file and the name of its container, which the first bytes say: no file name is interpreted, no shell is
asked, and no list of other files or addresses is followed. Samples come as blocks.
"""

import os
import re
import select
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from shutil import which
from typing import Any, BinaryIO, Final

import numpy as np
from numpy.typing import NDArray

from speechgmm.errors import DataError

TIMEOUT: Final = 60.0
"""Seconds without a sample after which a decoder is given up."""

_SLACK: Final = 0.5
"""Seconds by which the samples may be shorter than the container says: of other tracks, and of an encoder's delay."""

_TIMED: Final = ("asf", "matroska", "mov")
"""Containers that say their duration; others leave it to an estimate."""

_SCALES: Final = {"u8": 1 / 128, "s16": 1 / 32768, "s32": 1 / 2147483648, "flt": 1.0, "dbl": 1.0}
"""From an integer sample to [-1, 1]."""


@cache
def other_decoder() -> str:
    """The decoder that is used beside libsndfile, with its version; empty where there is none."""
    if find_spec("av") is not None:
        import av

        return f"PyAV {av.__version__}, ffmpeg {getattr(av, 'ffmpeg_version_info', '')}"
    program = which("ffmpeg")
    if program is None:
        return ""
    try:
        answer = subprocess.run([program, "-version"], capture_output=True, timeout=TIMEOUT, check=True)
    except (OSError, subprocess.SubprocessError):
        return ""
    return answer.stdout.decode("utf-8", "replace").splitlines()[0]


class Blocks:
    """Samples in pieces of any length, as soundfile's reading interface.

    Parameters
    ----------
    samplerate
        In Hz.
    channels
        How many.
    pieces
        float32 (N, channels), in order.
    """

    subtype = "FLOAT"

    def __init__(self, samplerate: int, channels: int, pieces: Iterator[NDArray[np.float32]]) -> None:
        self.samplerate, self.channels, self._pieces = samplerate, channels, pieces
        self._left = np.empty((0, channels), np.float32)

    def buffer_read_into(self, buffer: NDArray[np.generic], dtype: str) -> int:
        """Fill rows of a buffer (N, channels) of float32; returns how many, fewer than N at the end only."""
        n = 0
        while n < len(buffer):
            if len(self._left) == 0:
                piece = next(self._pieces, None)
                if piece is None:
                    break
                self._left = piece
            taken = min(len(buffer) - n, len(self._left))
            buffer[n : n + taken] = self._left[:taken].astype(dtype, copy=False)
            self._left = self._left[taken:]
            n += taken
        return n


@contextmanager
def open_other(raw: BinaryIO, path: Path, demuxer: str) -> Iterator[Blocks]:
    """A decoder of a file that is open, by the name of its container. Raises DataError where it holds no audio."""
    opened = _by_av if find_spec("av") is not None else _by_ffmpeg
    with opened(raw, path, demuxer) as blocks:
        yield blocks


def _check_duration(path: Path, found: float, promised: float | None, demuxer: str) -> None:
    if promised is not None and demuxer in _TIMED and found < promised - max(_SLACK, 0.01 * promised):
        raise DataError(f"{path}: truncated: {found:.2f} of {promised:.2f} s are there; copy or record it again")


@contextmanager
def _by_av(raw: BinaryIO, path: Path, demuxer: str) -> Iterator[Blocks]:
    import av

    raw.seek(0)
    try:
        with av.open(raw, mode="r", format=demuxer, timeout=TIMEOUT) as container:
            if not container.streams.audio:
                raise DataError(f"{path}: there is no sound in it; give a recording")
            stream = container.streams.audio[0]
            if stream.codec_context is None:
                raise DataError(f"{path}: its codec is none that ffmpeg knows; convert it to WAV with what wrote it")
            stream.codec_context.thread_count = 1
            length = stream.duration * stream.time_base if stream.duration and stream.time_base else None
            promised = container.duration / av.time_base if length is None and container.duration else length
            frames = container.decode(stream)
            first = next(frames, None)
            if first is None:
                raise DataError(f"{path}: a header without samples; the recording is empty")
            rate, channels = first.sample_rate, len(first.layout.channels)
            if min(rate, channels) < 1:
                raise _damaged(path, f"{channels} channels at {rate} Hz")
            yield Blocks(
                rate, channels, _av_pieces(first, frames, path, None if promised is None else float(promised), demuxer)
            )
    except (av.FFmpegError, ValueError) as error:
        raise _damaged(path, str(error)) from None


def _av_pieces(
    first: Any, frames: Iterator[Any], path: Path, promised: float | None, demuxer: str
) -> Iterator[NDArray[np.float32]]:
    n, rate, channels = 0, first.sample_rate, len(first.layout.channels)
    frame = first
    while frame is not None:
        if (frame.sample_rate, len(frame.layout.channels)) != (rate, channels):
            raise DataError(f"{path}: its rate or its channels change within it; convert it to WAV")
        samples = frame.to_ndarray()
        samples = samples.T if frame.format.is_planar else samples.reshape(-1, channels)
        offset = 128 if frame.format.packed.name == "u8" else 0
        n += len(samples)
        yield ((samples.astype(np.float64) - offset) * _SCALES[frame.format.packed.name]).astype(np.float32)
        frame = next(frames, None)
    _check_duration(path, n / rate, promised, demuxer)


@contextmanager
def _by_ffmpeg(raw: BinaryIO, path: Path, demuxer: str) -> Iterator[Blocks]:
    number = raw.fileno()
    command = [which("ffmpeg") or "ffmpeg", "-nostdin", "-hide_banner", "-nostats", "-xerror"]
    command += ["-protocol_whitelist", "file", "-f", demuxer, "-threads", "1", "-i", f"file:/dev/fd/{number}"]
    command += ["-map", "0:a:0", "-c:a", "pcm_f32be", "-f", "au", "pipe:1"]
    with tempfile.TemporaryFile() as said:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=said, pass_fds=(number,)
        )
        try:
            yield _ffmpeg_blocks(process, said, path, demuxer)
        finally:
            process.kill()
            if process.stdout is not None:
                process.stdout.close()
            process.wait()


def _ffmpeg_blocks(process: "subprocess.Popen[bytes]", said: BinaryIO, path: Path, demuxer: str) -> Blocks:
    """What an ffmpeg writes: Sun's AU of big-endian float32, whose header has rate and channels at fixed places."""
    head = _exactly(process, 24, path)
    if len(head) < 24:
        raise _damaged(path, _last_line(process, said))
    offset, rate, channels = (int.from_bytes(head[at : at + 4], "big") for at in (4, 16, 20))
    if min(rate, channels) < 1:
        raise _damaged(path, f"{channels} channels at {rate} Hz")
    _exactly(process, offset - 24, path)

    def pieces() -> Iterator[NDArray[np.float32]]:
        n = 0
        while data := _exactly(process, 16384 * 4 * channels, path):
            samples = np.frombuffer(data[: len(data) - len(data) % (4 * channels)], ">f4").astype(np.float32)
            n += len(samples) // channels
            yield samples.reshape(-1, channels)
        last = _last_line(process, said)
        if process.returncode:
            raise _damaged(path, last)
        said.seek(0)
        shown = re.search(rb"Duration: (\d+):(\d\d):(\d\d\.\d+)", said.read(1 << 20))
        hours, minutes, seconds = map(float, shown.groups()) if shown else (0.0, 0.0, 0.0)
        promised = 3600 * hours + 60 * minutes + seconds if shown else None
        _check_duration(path, n / rate, promised, demuxer)

    return Blocks(rate, channels, pieces())


def _exactly(process: "subprocess.Popen[bytes]", n: int, path: Path) -> bytes:
    """So many bytes of what a program writes, fewer at the end only."""
    assert process.stdout is not None
    number, found, end = process.stdout.fileno(), bytearray(), time.monotonic() + TIMEOUT
    while len(found) < n:
        ready, _, _ = select.select([number], [], [], max(0.0, end - time.monotonic()))
        if not ready:
            raise DataError(f"{path}: ffmpeg gave no samples for {TIMEOUT:g} s; convert it by hand, and look at it")
        part = os.read(number, n - len(found))
        if not part:
            break
        found += part
    return bytes(found)


def _last_line(process: "subprocess.Popen[bytes]", said: BinaryIO) -> str:
    process.wait(TIMEOUT)
    said.seek(max(0, said.seek(0, os.SEEK_END) - 4096))
    lines = said.read().decode("utf-8", "replace").split("\n")
    return next((line.strip() for line in reversed(lines) if line.strip()), "ffmpeg says nothing")


def _damaged(path: Path, reason: str) -> DataError:
    return DataError(f"{path}: damaged, it cannot be decoded ({reason}); copy or record it again")
