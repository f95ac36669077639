"""A recording before normalisation, whether its frames are computed from samples or were given.

The one place that makes frames in either way: what follows sees frames, and what is known of the recording.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from speechgmm.engine.audio_input import AudioInput
from speechgmm.errors import DataError, SilentRecordingError
from speechgmm.features import front_end, raw_features
from speechgmm.features.kinds import are_given
from speechgmm.features.kinds.given import given_features
from speechgmm.features.measurements import Measured, Measurements
from speechgmm.io.audio import Pieces, recording_key
from speechgmm.io.feature_store import Stamp, stamp_of
from speechgmm.io.given_frames import GivenFrames, frames_key, is_of_frames, place_shape, read_place, source_at
from speechgmm.io.samples import AudioSource, RecordedSamples

if TYPE_CHECKING:  # scoring a recording waits for none of them
    from speechgmm.engine.noisy_copies import Noising


@dataclass(frozen=True, slots=True)
class RawRecording:
    """Frames of a recording, not normalised, and what is known of it."""

    frames: NDArray[np.float32]  # (T, D)
    speech: NDArray[np.bool_] | None  # (T,) the VAD's choice; None: there is no VAD
    measured: Measurements
    duration: float  # s
    clipped: float = 0.0  # share of samples at full scale, 0 to 1
    notes: tuple[str, ...] = ()  # faults that a person should know of
    decoder: str = ""  # its name and version, where the samples can change with it


def raw_recording(
    audio: AudioInput, source: AudioSource, *, speed: float = 1.0, key: str = "", noising: "Noising | None" = None
) -> RawRecording:
    """A recording on its way into a model.

    Args:
        audio: How recordings become frames.
        source: The recording.
        speed: How many times faster samples are played.
        key: The hash of the recording, by which noise is drawn.
        noising: What adds noise to samples; what is measured is the recording without it.

    Raises:
        DataError: The recording cannot be used; it is one of samples where frames are given, or the other way round.
    """
    if are_given(audio.features):
        return _given(audio, source)
    if isinstance(source, GivenFrames) or (isinstance(source, Path) and is_of_frames(source)):
        raise DataError(
            f"{source}: frames that another program computed, and the model computes its own; give the recording "
            "itself, or train on such frames (features.kind: given)"
        )
    pieces = Pieces(source, sample_rate=audio.sample_rate, resample=audio.resample, channel=audio.channel, speed=speed)
    passing = Measured(pieces, front_end(audio.features, audio.sample_rate))
    samples = passing if noising is None else noising.of(passing, Path(str(source)), key, audio)
    frames, speech = raw_features(audio.features, samples, audio.sample_rate, detector=audio.detector)
    measured = passing.result(pieces.native_rate)
    if measured.n_silent == len(frames):
        raise SilentRecordingError("every frame is digital silence (all its samples are equal)")
    return RawRecording(frames, speech, measured, pieces.duration, pieces.clipped, pieces.notes, pieces.decoder)


def _given(audio: AudioInput, source: AudioSource) -> RawRecording:
    if isinstance(source, RecordedSamples):
        raise DataError(f"{source}: samples; expected frames that another program computed (features.kind: given)")
    frames = given_features(audio.features, read_place(source, audio.features.n_dims), str(source))
    plan = front_end(audio.features, audio.sample_rate)
    return RawRecording(frames, None, Measurements.of_no_samples(plan.sample_rate), plan.time(len(frames), len(frames)))


def key_of(audio: AudioInput, path: Path) -> str:
    """A hash of a recording: of its bytes, or of its frames where these are given. Raises DataError."""
    return frames_key(path, audio.features.n_dims) if are_given(audio.features) else recording_key(path)


def stamp_at(audio: AudioInput, path: Path) -> Stamp:
    """What changes when a recording's file does. Raises OSError; DataError for a list of frames without the name."""
    return stamp_of(source_at(path).path if are_given(audio.features) else path)


def size_of(audio: AudioInput, path: Path, stamp: Stamp) -> int:
    """The size of a recording in bytes, to share out the work by. Raises DataError for frames that cannot be read."""
    if not are_given(audio.features):
        return stamp[0]
    n_frames, n_dims = place_shape(path, audio.features.n_dims)
    return 4 * n_frames * n_dims
