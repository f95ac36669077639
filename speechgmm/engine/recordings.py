"""What a new recording goes through on its way to frames, the same as in a run."""

import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from speechgmm.engine.audio_input import AudioInput
from speechgmm.engine.raw_recordings import raw_recording
from speechgmm.errors import DataError, RecordingWarning
from speechgmm.features import Moments, front_end, moments, normalisation
from speechgmm.features.kinds import are_given, feature_kind
from speechgmm.features.measurements import Measurements
from speechgmm.features.silence import Silence, not_silent
from speechgmm.io.audio import recording_key
from speechgmm.io.given_frames import GivenFrames, place_shape
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
    if audio.vad_in_files:
        yield (
            "all of its frames count, and the model was trained on those that files called speech (corpus.vad); take "
            "out the others first"
        )
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


def frames_of(
    audio: AudioInput,
    path: AudioSource,
    speed: float = 1.0,
    noising: "Noising | None" = None,
    *,
    silence: Silence = Silence.DROPPED,
    unvoiced: bool = False,
) -> tuple[NDArray[np.float32], NDArray[np.bool_], RecordingFacts]:
    """(T, D) frames of a recording (with noise), not normalised; (T,) which of them are speech; and about it.

    ``silence`` is what becomes of digital silence, the same as in training: where it is left out, it is no speech.
    With ``unvoiced`` a recording without a voiced frame has no speech, where only voiced frames count.
    Warns with ``RecordingWarning`` of a fault that the recording can be used with, and of what speaks against trusting
    a decision about it.
    """
    try:
        key = "" if noising is None else recording_key(Path(str(path)))  # noise is put on files alone
        raw = replace(audio, features=audio.features.without_normalisation())
        recording = raw_recording(raw, path, speed=speed, key=key, noising=noising)
    except DataError as error:
        raise error.about(path) from None
    frames, speech, measured = recording.frames, recording.speech, recording.measured
    facts = RecordingFacts(recording.duration, recording.clipped, measured, len(frames))
    for note in (*recording.notes, *_doubts(audio, facts, silence)):
        warnings.warn(f"{path}: {note}", RecordingWarning, stacklevel=2)
    if speech is None:
        speech = np.ones(len(frames), bool)
    if not speech.any():
        of_voiced = feature_kind(audio.features).keeps is not None
        if not of_voiced:
            raise DataError(f"{path}: the VAD keeps none of its {len(frames)} frames")
        none = f"{path}: none of its {len(frames)} frames is voiced"
        if not unvoiced:
            raise DataError(none)
        warnings.warn(f"{none}, so that it says nothing of who speaks", RecordingWarning, stacklevel=2)
        return frames, speech, facts
    left_out = silence.left_out(measured.silent, front_end(audio.features, audio.sample_rate), len(frames))
    if left_out:
        speech = speech & not_silent(left_out, 0, len(frames))
        if not speech.any():
            raise DataError(f"{path}: the VAD keeps nothing of its {len(frames)} frames but digital silence")
    return frames, speech, facts


def frames_about(audio: AudioInput, sources: Sequence[AudioSource]) -> int:
    """The frames of recordings in all, roughly and without opening one: as if every two bytes were a sample."""
    shift = front_end(audio.features, audio.sample_rate).frame_shift
    n_frames = 0
    for source in sources:
        try:
            if isinstance(source, GivenFrames):
                n_frames += len(source.frames)
            elif are_given(audio.features) and isinstance(source, Path):
                n_frames += place_shape(source, audio.features.n_dims)[0]
            else:
                n_frames += (source.stat().st_size // 2 if isinstance(source, Path) else len(source.samples)) // shift
        except (OSError, DataError):
            continue  # said when the recording is opened
    return n_frames


def moments_of(audio: AudioInput, source: AudioSource, *, silence: Silence = Silence.DROPPED) -> Moments | None:
    """The moments of a recording's speech, before normalisation; None where the recording cannot be used."""
    try:
        frames, speech, _ = frames_of(audio, source, silence=silence)
    except DataError:
        return None  # said when the recording is scored
    return moments(frames[speech])


def model_frames(
    audio: AudioInput, path: AudioSource, *, silence: Silence = Silence.DROPPED, unvoiced: bool = False
) -> tuple[NDArray[np.float32], NDArray[np.bool_], RecordingFacts]:
    """What a model sees of a recording: as `frames_of`, but normalised and transformed."""
    frames, speech, facts = frames_of(audio, path, silence=silence, unvoiced=unvoiced)
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
