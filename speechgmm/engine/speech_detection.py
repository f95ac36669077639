"""Where somebody speaks in a recording: the frames of a voice activity detection as stretches in seconds."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from speechgmm.engine.audio_sources import audio_sources
from speechgmm.errors import ConfigError, DataError
from speechgmm.features import FeatureSpec, front_end, raw_features
from speechgmm.features.listeners import LISTENERS
from speechgmm.features.silence import stretches
from speechgmm.io.audio import Pieces
from speechgmm.io.samples import AudioSource, source_rate

if TYPE_CHECKING:
    from speechgmm.hmm.speech_detector import SpeechDetector

DETECTION: Final = FeatureSpec(vad="gaussians")
"""The rule that is used unless another is asked for."""


@dataclass(frozen=True, slots=True)
class Speech:
    """The stretches of a recording in which somebody speaks.

    Examples
    --------
    >>> from pathlib import Path
    >>> Speech(Path("word.wav"), ((0.5, 1.0), (2.0, 2.25)), duration=3.0).seconds
    0.75
    """

    recording: AudioSource
    stretches: tuple[tuple[float, float], ...]  # start and end in s, in order; they do not touch
    duration: float  # s

    @property
    def seconds(self) -> float:
        """Total duration of speech in s."""
        return sum(end - start for start, end in self.stretches)


def detect_speech(
    audio: Any,
    sample_rate: int | None = None,
    *,
    spec: FeatureSpec = DETECTION,
    detector: "SpeechDetector | str | Path | None" = None,
    min_pause: float = 0.2,
    min_speech: float = 0.1,
) -> Speech:
    """Find the stretches of a recording in which somebody speaks.

    Parameters
    ----------
    audio
        One recording: a path, or samples (N,) or (N, channels). Channels are averaged. If the detector of WebRTC or
        Silero does not take the sampling rate, the recording is resampled to 16 kHz.
    sample_rate
        Sampling rate of samples in Hz; a file has its own.
    spec
        The front end. Its ``vad`` and the settings of the ``vad`` choose the detector: ``gaussians`` (two Gaussians on
        the energy), ``energy`` (Kaldi's compute-vad), ``peak``, ``webrtc``, ``silero`` or ``model``.
    detector
        The speech detector for ``vad="model"``, or a model file with a speech detector, such as a diarizer. The
        recording is resampled to the rate of the detector.
    min_pause
        Pauses shorter than this, in s, count as speech.
    min_speech
        Stretches of speech that are shorter than this after that, in s, are left out.

    Returns
    -------
    Speech
        The stretches of speech, with start and end in s. There are none if the recording is all digital silence.

    Raises
    ------
    ConfigError
        The spec has no ``vad``, or one that is not installed; ``detector`` with another ``vad`` than "model"; a file
        without a speech detector; ``min_pause`` or ``min_speech`` below 0; several recordings; samples without
        ``sample_rate``.
    DataError
        The recording cannot be used, or all its samples are zero.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> samples = np.concatenate([0.001 * rng.standard_normal(8000), 0.1 * rng.standard_normal(8000)])
    >>> [(round(start, 1), round(end, 1)) for start, end in detect_speech(samples, 8000).stretches]
    [(0.9, 2.0)]
    """
    if spec.vad == "none":
        raise ConfigError("features.vad: none finds no pauses; choose a detector, such as gaussians")
    for name, value in (("min_pause", min_pause), ("min_speech", min_speech)):
        if not 0 <= value < float("inf"):
            raise ConfigError(f"{name} is {value}; expected seconds, 0 or more", arguments=(name,))
    sources, _ = audio_sources([audio], sample_rate)
    if len(sources) != 1:
        raise ConfigError(f"{audio}: {len(sources)} recordings; expected one")
    recording = sources[0]
    if isinstance(recording, DataError):
        raise recording
    found = _detector(spec, detector)
    rate = source_rate(recording) if found is None else found.sample_rate
    if rate not in LISTENERS.get(spec.vad, (rate,)):
        rate = 16000
    pieces = Pieces(recording, sample_rate=rate, resample=True)
    try:
        frames, speech = raw_features(spec, pieces, rate, detector=found)
    except DataError as error:
        raise error.about(recording) from None
    pieces.warn()
    front = front_end(spec, rate)
    shift = front.frame_shift / rate
    bounds = _stretches(
        np.ones(len(frames), np.bool_) if speech is None else speech,
        round(min_pause / shift),
        round(min_speech / shift),
    )
    times = tuple(
        (front.time(float(first), len(frames)), min(front.time(float(stop), len(frames)), pieces.duration))
        for first, stop in bounds.tolist()
    )
    return Speech(recording, times, pieces.duration)


def _detector(spec: FeatureSpec, given: "SpeechDetector | str | Path | None") -> "SpeechDetector | None":
    """The detector that a spec with ``vad: model`` takes: what is given, or that of the file which the spec names."""
    chosen = spec.vad_model if given is None else given
    if chosen is None:
        return None
    if spec.vad != "model":
        raise ConfigError(
            f"a speech detector and features.vad: {spec.vad}, which has no use for it; set vad: model, or leave it out",
            arguments=("detector",),
        )
    if not isinstance(chosen, str | Path):
        return chosen
    from speechgmm.engine.speech_detectors import read_detector  # no other rule waits for it

    return read_detector(Path(chosen))


def _stretches(speech: NDArray[np.bool_], min_pause: int, min_speech: int) -> NDArray[np.intp]:
    """First frame and the one after the last (n, 2) of each stretch; lengths in frames."""
    edges = stretches(speech).ravel()
    inner = edges[1:-1].reshape(-1, 2)  # pauses between stretches
    kept = inner[inner[:, 1] - inner[:, 0] >= min_pause]
    bounds = np.concatenate([edges[:1], kept.ravel(), edges[-1:]]).reshape(-1, 2)
    long: NDArray[np.intp] = bounds[bounds[:, 1] - bounds[:, 0] >= min_speech]
    return long
