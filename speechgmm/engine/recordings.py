"""What a new recording goes through on its way to frames, the same as in a run."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from speechgmm.engine.audio_input import AudioInput
from speechgmm.errors import DataError
from speechgmm.features import moments, normalisation, raw_features
from speechgmm.io.audio import Pieces, recording_key

if TYPE_CHECKING:  # scoring a recording waits for none of them
    from speechgmm.engine.noisy_copies import Noising


def frames_of(
    audio: AudioInput, path: Path, speed: float = 1.0, noising: "Noising | None" = None
) -> tuple[NDArray[np.float32], NDArray[np.bool_], Pieces]:
    """(T, D) frames of a recording (with noise), not normalised; (T,) which of them are speech; and the recording.

    Warns with ``RecordingWarning`` of a fault that the recording can be used with.
    """
    recording = Pieces(path, sample_rate=audio.sample_rate, resample=audio.resample, channel=audio.channel, speed=speed)
    try:
        samples = recording if noising is None else noising.of(recording, recording_key(path), audio)
        frames, speech = raw_features(audio.features.without_normalisation(), samples, audio.sample_rate)
    except DataError as error:
        raise error if str(path) in str(error) else DataError(f"{path}: {error}") from None
    recording.warn()
    if speech is None:
        speech = np.ones(len(frames), bool)
    if not speech.any():
        raise DataError(f"{path}: the VAD keeps none of its {len(frames)} frames")
    return frames, speech, recording


def model_frames(audio: AudioInput, path: Path) -> tuple[NDArray[np.float32], NDArray[np.bool_], Pieces]:
    """What a model sees of a recording: as `frames_of`, but normalised and transformed."""
    frames, speech, recording = frames_of(audio, path)
    if audio.features.cmvn != "none":
        how = audio.normalisation or normalisation(moments(frames[speech]), audio.features.norm_vars)
        frames = how.apply(frames)
    return audio.transformed(frames), speech, recording


def windows(duration: float, window: float | None, hop: float | None) -> Iterator[tuple[float, float]]:
    """Windows, (start, end) in s, of a recording of `duration` s; the last ends with it. None: the whole recording."""
    if window is None:
        yield 0.0, duration
        return
    step = hop or window
    number = 0
    while True:
        start = number * step
        yield start, min(start + window, duration)
        if start + window >= duration - 1e-9 or start + step >= duration:
            return
        number += 1
