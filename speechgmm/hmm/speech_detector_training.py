"""Training of a speech detector: recordings of speech are put among sounds that are made for it.

    recording -> where it is speech, by its energy -> a scene: sounds before and after it, noise below it, a room, a
    channel, a level -> frames of speech and of what is none -> a mixture of each

Owns the scenes. No recording of noise is needed.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from speechgmm.errors import DataError
from speechgmm.features.made_sounds import SOUNDS, made_sound
from speechgmm.features.noise import random_channel
from speechgmm.features.silence import stretches
from speechgmm.features.speech_frames import SpeechFrames
from speechgmm.features.vad import gaussian_vad
from speechgmm.gmm import DiagGMM, fit_gmm
from speechgmm.hmm.speech_detector import SpeechDetector
from speechgmm.setting import FORBID_UNKNOWN, setting

Float32Array = NDArray[np.float32]
Float64Array = NDArray[np.float64]
Marks = NDArray[np.int8]
Generator = np.random.Generator

SPEECH, OTHER, UNKNOWN = 1, 0, -1
"""What a frame of a scene is; nothing is learnt from the last."""

LONGEST: Final = 6.0
"""Seconds of a recording in one scene, at most."""

SHORTEST: Final = 0.2
"""Seconds of a recording that is used, at least."""

LEAST_FRAMES: Final = 200
"""Frames of speech that a detector is trained on, at least."""

PER_COMPONENT: Final = 20
"""Frames for each Gaussian, at least."""

_SHORT_PAUSE: Final = 30  # frames: a shorter pause within speech is not learnt from
_EDGE: Final = 3  # frames at the edges of speech that are not learnt from


@dataclass(frozen=True, slots=True, kw_only=True)
class SceneSpec:
    """What a speech detector is trained on.

    >>> SceneSpec().n_components
    32
    """

    __pydantic_config__ = FORBID_UNKNOWN

    n_components: int = setting(32, "Gaussians of each of the two mixtures", ge=1, le=65536)
    n_scenes: int = setting(250, "recordings among made sounds, at most", ge=1, le=100_000)
    per_recording: int = setting(10, "scenes of one recording, at most", ge=1, le=1000)
    snr: tuple[float, float] = setting((0.0, 35.0), "of speech and the noise below it, drawn uniformly", unit="dB")
    around: tuple[float, float] = setting((1.0, 3.0), "before and after the speech, drawn uniformly", unit="s")
    events: tuple[float, float] = setting((-40.0, 5.0), "of sounds around the speech, beside its level", unit="dB")
    level: tuple[float, float] = setting((-45.0, -15.0), "of a scene, of full scale", unit="dB")


def train_speech_detector(
    recordings: Sequence[Float32Array],
    sample_rate: int,
    *,
    scenes: SceneSpec | None = None,
    seed: int = 0,
    n_jobs: int = -1,
) -> SpeechDetector:
    """A speech detector from recordings of speech with little noise, samples (N,) in [-1, 1] at a rate in Hz.

    ``n_jobs`` workers at once (-1: one for each core) change no byte. With few frames there are fewer Gaussians.

    Raises:
        DataError: Too little speech.
    """
    how = scenes or SceneSpec()
    usable = [one for one in recordings if len(one) >= SHORTEST * sample_rate and one.any()]
    rows: dict[int, list[Float32Array]] = {SPEECH: [], OTHER: []}
    for number in range(min(how.n_scenes, how.per_recording * len(usable))):
        rng = np.random.default_rng([seed, number])
        samples, marks = scene(usable[number % len(usable)], sample_rate, rng, how)
        frames, _ = frames_of(samples, sample_rate)
        for what, found in rows.items():
            found.append(frames[marks == what])
    n_speech = sum(map(len, rows[SPEECH]))
    if n_speech < LEAST_FRAMES:
        raise DataError(
            f"{n_speech} frames of speech in {len(recordings)} recordings; a speech detector is trained on "
            f"{LEAST_FRAMES} at least: give more recordings, or train without a speech detector"
        )
    speech, other = (_mixture(np.concatenate(rows[what]), how.n_components, seed, n_jobs) for what in (SPEECH, OTHER))
    return SpeechDetector(speech, other, sample_rate)


def frames_of(samples: Float32Array, sample_rate: int) -> tuple[Float32Array, Float32Array]:
    """A detector's frames (T, D) of a recording (N,), and their log energies (T,)."""
    passing = SpeechFrames(sample_rate)
    for _ in passing.through([samples]):
        pass
    return passing.result()


def speech_marks(samples: Float32Array, sample_rate: int) -> Marks:
    """What each frame of a recording (N,) with little noise is (T,), by two Gaussians on its energies.

    Pauses shorter than 0.3 s and the edges of speech are ``UNKNOWN``.
    """
    _, energy = frames_of(samples, sample_rate)
    narrow, wide = gaussian_vad(energy, window=2), gaussian_vad(energy)
    marks = np.where(narrow & wide, SPEECH, np.where(narrow | wide, UNKNOWN, OTHER)).astype(np.int8)
    for first, stop in stretches(marks != SPEECH).tolist():
        if stop - first < _SHORT_PAUSE:
            marks[first:stop] = UNKNOWN
        else:
            marks[first : first + _EDGE] = UNKNOWN
            marks[stop - _EDGE : stop] = UNKNOWN
    return marks


def scene(speech: Float32Array, sample_rate: int, rng: Generator, spec: SceneSpec) -> tuple[Float32Array, Marks]:
    """A recording of speech among made sounds: samples (N,), and what each frame is (T,)."""
    from scipy.signal import oaconvolve  # slow to import

    longest = round(LONGEST * sample_rate)
    start = int(rng.integers(0, max(1, len(speech) - longest + 1)))
    speech = speech[start : start + longest]
    before, after = (round(rng.uniform(*spec.around) * sample_rate) for _ in range(2))
    stop = before + len(speech)
    total = np.zeros(stop + after)
    total[before:stop] = speech / np.sqrt(np.mean(np.square(speech, dtype=np.float64)))
    ground = made_sound("noise" if rng.random() < 0.75 else "hum", len(total), sample_rate, rng)
    total += 10 ** (-rng.uniform(*spec.snr) / 20) * ground
    for first, last in ((0, before), (stop, len(total))):
        _add_events(total[first:last], sample_rate, rng, spec.events)
    if rng.random() < 0.5:
        total = _reverberated(total, sample_rate, rng)
    total = oaconvolve(total, random_channel(rng, sample_rate), mode="same")
    total *= 10 ** (rng.uniform(*spec.level) / 20) / np.sqrt(np.mean(total**2))
    samples = np.clip(total, -1, 1).astype(np.float32)
    return samples, _placed(speech_marks(speech, sample_rate), before, len(samples), sample_rate)


def _add_events(total: Float64Array, sample_rate: int, rng: Generator, levels: tuple[float, float]) -> None:
    """Add made sounds one after another, with gaps."""
    at, least = 0, round(0.1 * sample_rate)
    while len(total) - at > least:
        length = min(len(total) - at, round(rng.uniform(0.3, 3) * sample_rate))
        if rng.random() < 0.7 and length > least:
            kind = list(SOUNDS)[int(rng.integers(len(SOUNDS)))]
            sound = made_sound(kind, length, sample_rate, rng)
            total[at : at + length] += 10 ** (rng.uniform(*levels) / 20) * sound
        at += length


def _reverberated(samples: Float64Array, sample_rate: int, rng: Generator) -> Float64Array:
    """Samples with an exponentially decaying tail of noise, as of a room; as many as there were."""
    from scipy.signal import oaconvolve

    duration = rng.uniform(0.1, 0.5)
    time = np.arange(round(duration * sample_rate)) / sample_rate
    response = rng.standard_normal(len(time)) * 10 ** (-3 * time / duration) * rng.uniform(0.01, 0.06)
    response[0] = 1
    return np.asarray(oaconvolve(samples, response)[: len(samples)])


def _placed(marks: Marks, first_sample: int, n_samples: int, sample_rate: int) -> Marks:
    """Marks (t,) of the speech of a scene as those of all its frames (T,)."""
    front = SpeechFrames(sample_rate).front
    found = np.full(front.n_frames(n_samples), OTHER, np.int8)
    first = round(first_sample / front.frame_shift)
    stop = min(first + len(marks), len(found))
    found[first:stop] = marks[: stop - first]
    for edge in (first, stop):
        found[max(0, edge - _EDGE) : edge + _EDGE] = UNKNOWN
    return found


def _mixture(frames: Float32Array, n_components: int, seed: int, n_jobs: int) -> DiagGMM:
    count = max(1, min(n_components, len(frames) // PER_COMPONENT))
    model = fit_gmm(frames, count, seed=seed, n_jobs=n_jobs).model
    assert isinstance(model, DiagGMM)
    return model
