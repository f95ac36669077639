"""How a recording becomes the frames that models were trained on, and how a model file says it."""

from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any, Literal, TypeVar

import numpy as np
from numpy.typing import NDArray

from speechgmm.errors import ConfigError
from speechgmm.features import FeatureSpec, Normalisation, front_end
from speechgmm.features.kinds import are_given
from speechgmm.features.transforms import LinearTransform, splice
from speechgmm.io.container import tensor
from speechgmm.io.header import checked
from speechgmm.setting import setting

if TYPE_CHECKING:  # scoring a recording waits for it only where there is one
    from speechgmm.hmm.speech_detector import SpeechDetector


@dataclass(frozen=True, slots=True)
class AudioInput:
    """How a recording becomes the frames that models were trained on."""

    features: FeatureSpec
    sample_rate: int  # Hz
    channel: str | int = "mix"
    resample: bool = False
    normalisation: Normalisation | None = None  # of the training split; where cmvn is global
    transform: LinearTransform | None = None  # learnt from the training split
    band: float | None = None  # Hz that half of the training recordings reach; None: the whole band, or not known
    vad_in_files: bool = False  # files said which frames are speech, as they cannot of new recordings
    detector: "SpeechDetector | None" = None  # of features.vad: model

    @property
    def is_given(self) -> bool:
        """Whether recordings are frames that another program computed."""
        return are_given(self.features)

    def describe_source(self) -> str:
        """What recordings are, for a person."""
        if self.is_given:
            shift = 1000 * front_end(self.features, self.sample_rate).frame_shift / self.sample_rate
            return f"frames of {self.features.n_dims} dimensions that another program computed, every {shift:g} ms"
        other = "other rates are resampled" if self.resample else "other rates are refused"
        return f"{self.sample_rate} Hz ({other}), channel {self.channel}"

    @property
    def n_dims(self) -> int:
        """Dimensions of a frame, D."""
        if self.transform is not None:
            return len(self.transform.offset)
        return front_end(self.features, self.sample_rate).n_dims

    def transformed(self, frames: NDArray[np.float32]) -> NDArray[np.float32]:
        """Normalised frames (T, D) of a whole recording after the transform, if there is one."""
        if self.transform is None:
            return frames
        return self.transform.apply(splice(frames, self.features.transform.splice))


File = TypeVar("File")


def with_resampling(file: File) -> File:
    """The same model file, which resamples recordings of another rate; as it is where it was trained on frames.

    Its ``audio`` is an `AudioInput`, a tuple of them, or None.

    Raises:
        ConfigError: The model takes frames that another program computed.
    """
    model: Any = file
    if model.audio is None:
        return file
    several = isinstance(model.audio, tuple)
    audio = tuple(resampling(one) for one in (model.audio if several else (model.audio,)))
    changed: File = replace(model, audio=audio if several else audio[0])
    return changed


def resampling(audio: AudioInput) -> AudioInput:
    """The same, which resamples recordings of another rate. Raises ConfigError where frames are given."""
    if audio.is_given:
        raise ConfigError(
            "resample is about recordings, and this model takes frames that another program computed; leave it out",
            arguments=("resample",),
        )
    return replace(audio, resample=True)


def takes_frames(file: Any) -> bool:
    """Whether a model file takes frames that another program computed, and no recordings.

    Its ``audio`` is an `AudioInput`, a tuple of them, or None.
    """
    audio = file.audio[0] if isinstance(file.audio, tuple) else file.audio
    return audio is not None and audio.is_given


@dataclass(frozen=True, slots=True)
class AudioHeader:
    """What the header of a model file says of the audio."""

    features: FeatureSpec
    channel: Literal["mix"] | int
    resample: bool
    sample_rate: int = setting(16000, "of recordings", unit="Hz", ge=1000, le=768000)
    band: float | None = setting(None, "that half of the training recordings reach", unit="Hz", gt=0, le=384000)
    vad_in_files: bool = setting(False, "files said which frames are speech")
    detector: dict[str, Any] | None = setting(None, "of speech")


def audio_header(audio: AudioInput) -> tuple[dict[str, Any], dict[str, NDArray[np.float64]]]:
    """What the header says of the audio, and the arrays beside it."""
    features = asdict(audio.features)
    if features["vad_model"] is None:  # so that earlier versions read the file
        del features["vad_model"]
    header: dict[str, Any] = {
        "features": features,
        "sample_rate": audio.sample_rate,
        "channel": audio.channel,
        "resample": audio.resample,
    }
    if audio.band is not None:
        header["band"] = audio.band
    if audio.vad_in_files:
        header["vad_in_files"] = True
    arrays: dict[str, NDArray[np.float64]] = {}
    if audio.detector is not None:
        from speechgmm.engine.speech_detectors import detector_part

        header["detector"], arrays = detector_part(audio.detector)
    if audio.normalisation is not None:
        arrays["normalisation.shift"] = np.asarray(audio.normalisation.shift)
        arrays["normalisation.scale"] = np.asarray(audio.normalisation.scale)
    if audio.transform is not None:
        arrays["transform.matrix"] = audio.transform.matrix
        arrays["transform.offset"] = audio.transform.offset
    return header, arrays


def read_audio_input(header: dict[str, Any], tensors: dict[str, NDArray[np.float64]]) -> AudioInput:
    """The inverse of ``audio_header``.

    Raises:
        KeyError: A tensor is missing.
        ValueError: A value of the header out of its range, or a tensor of another shape.
        ConfigError: Settings that cannot hold together, or at this rate.
    """
    said = checked(AudioHeader, header, "header.audio")
    features = said.features
    n_dims = front_end(features, said.sample_rate).n_dims
    normalisation = transform = None
    if features.cmvn == "global" or "normalisation.shift" in tensors:
        shift, scale = (tensor(tensors, f"normalisation.{name}", n_dims) for name in ("shift", "scale"))
        normalisation = Normalisation(shift, scale)
    if features.transform.kind != "none" or "transform.matrix" in tensors:
        matrix = tensor(tensors, "transform.matrix", None, n_dims * (2 * features.transform.splice + 1))
        transform = LinearTransform(matrix, tensor(tensors, "transform.offset", len(matrix)))
    source = (features, said.sample_rate, said.channel, said.resample)
    detector = None
    if said.detector is not None or features.vad == "model":
        from speechgmm.engine.speech_detectors import read_detector_part

        detector = read_detector_part(said.detector, tensors, said.sample_rate)
    return AudioInput(*source, normalisation, transform, said.band, said.vad_in_files, detector)
