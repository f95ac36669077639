"""What a new recording goes through on its way to frames, the same as in a run."""

import warnings
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from speechgmm.engine.audio_input import AudioInput
from speechgmm.errors import DataError, RecordingWarning
from speechgmm.features import front_end, moments, normalisation, raw_features
from speechgmm.features.measurements import Measured, Measurements
from speechgmm.features.silence import Silence, not_silent
from speechgmm.io.audio import Pieces, recording_key
from speechgmm.io.samples import AudioSource

if TYPE_CHECKING:  # scoring a recording waits for none of them
    from speechgmm.engine.noisy_copies import Noising

NARROW: Final = 0.7
"""A band below this share of what training recordings reach is narrow: 8 kHz brought up to 16 gives 0.5, 11.025 gives
0.69."""

SILENT_SHARE: Final = 0.1
"""From this share of digital silence on, a person is told."""


@dataclass(frozen=True, slots=True)
class RecordingFacts:
    """What is known of a recording once its frames have been made."""

    duration: float  # s
    clipped: float  # share of samples at full scale, 0 to 1
    measured: Measurements
    n_frames: int


def _doubts(audio: AudioInput, facts: RecordingFacts, rule: Silence) -> Iterator[str]:
    """What speaks against trusting a model's decision about a recording; ``rule`` as of `frames_of`."""
    measured = facts.measured
    silent = measured.n_silent / facts.n_frames
    if silent >= SILENT_SHARE:
        effect = "scored as they are" if rule is Silence.KEPT else "left out"
        yield f"{100 * silent:.0f} % of the frames are digital silence (all samples equal) and are {effect}"
    reached = audio.band or audio.sample_rate / 2
    if measured.band < NARROW * reached:
        raised = measured.rate < audio.sample_rate
        origin = f"{measured.rate} Hz brought up to {audio.sample_rate} Hz: " if raised else ""
        band = measured.rate / 2 if raised else round(measured.band, -2)
        yield (
            f"{origin}nothing above {band / 1000:g} kHz, and the recordings of the training reach "
            f"{reached / 1000:g} kHz: do not trust the decision, however sure; train a model at the lower rate"
        )


def measured_features(
    audio: AudioInput, pieces: Pieces, key: str = "", noising: "Noising | None" = None
) -> tuple[NDArray[np.float32], NDArray[np.bool_] | None, Measurements]:
    """Frames before normalisation, the VAD's choice, and what the samples measure, from one reading.

    ``key`` is the hash of the recording's bytes, by which noise is drawn; what is measured is the recording without it.

    Raises:
        DataError: The recording cannot be used; all its samples are equal.
    """
    passing = Measured(pieces, front_end(audio.features, audio.sample_rate))
    samples = passing if noising is None else noising.of(passing, Path(str(pieces.path)), key, audio)
    frames, speech = raw_features(audio.features, samples, audio.sample_rate)
    measured = passing.result(pieces.native_rate)
    if measured.n_silent == len(frames):
        raise DataError(
            "every frame is digital silence (all its samples are equal); a muted channel or a failed recording"
        )
    return frames, speech, measured


def frames_of(
    audio: AudioInput,
    path: AudioSource,
    speed: float = 1.0,
    noising: "Noising | None" = None,
    *,
    silence: Silence = Silence.DROPPED,
) -> tuple[NDArray[np.float32], NDArray[np.bool_], RecordingFacts]:
    """(T, D) frames of a recording (with noise), not normalised; (T,) which of them are speech; and about it.

    ``silence`` is what becomes of digital silence, the same as in training: where it is left out, it is no speech.
    Warns with ``RecordingWarning`` of a fault that the recording can be used with, and of what speaks against trusting
    a decision about it.
    """
    recording = Pieces(path, sample_rate=audio.sample_rate, resample=audio.resample, channel=audio.channel, speed=speed)
    try:
        key = "" if noising is None else recording_key(Path(str(path)))  # noise is put on files alone
        raw = replace(audio, features=audio.features.without_normalisation())
        frames, speech, measured = measured_features(raw, recording, key, noising)
    except DataError as error:
        raise error if str(path) in str(error) else DataError(f"{path}: {error}") from None
    recording.warn()
    facts = RecordingFacts(recording.duration, recording.clipped, measured, len(frames))
    for note in _doubts(audio, facts, silence):
        warnings.warn(f"{path}: {note}", RecordingWarning, stacklevel=2)
    if speech is None:
        speech = np.ones(len(frames), bool)
    if not speech.any():
        raise DataError(f"{path}: the VAD keeps none of its {len(frames)} frames")
    left_out = silence.left_out(measured.silent, front_end(audio.features, audio.sample_rate), len(frames))
    if left_out:
        speech = speech & not_silent(left_out, 0, len(frames))
        if not speech.any():
            raise DataError(f"{path}: the VAD keeps nothing of its {len(frames)} frames but digital silence")
    return frames, speech, facts


def model_frames(
    audio: AudioInput, path: AudioSource, *, silence: Silence = Silence.DROPPED
) -> tuple[NDArray[np.float32], NDArray[np.bool_], RecordingFacts]:
    """What a model sees of a recording: as `frames_of`, but normalised and transformed."""
    frames, speech, facts = frames_of(audio, path, silence=silence)
    if audio.features.pools_moments:
        how = audio.normalisation or normalisation(moments(frames[speech]), audio.features.norm_vars)
        frames = how.apply(frames)
    return audio.transformed(frames), speech, facts


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
