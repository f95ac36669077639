"""How a recording becomes the frames that models were trained on, and how a model file says it."""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from speechgmm.features import FeatureSpec, Normalisation
from speechgmm.features.transforms import LinearTransform, TransformSpec, splice


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

    def transformed(self, frames: NDArray[np.float32]) -> NDArray[np.float32]:
        """Normalised frames (T, D) of a whole recording after the transform, if there is one."""
        if self.transform is None:
            return frames
        return self.transform.apply(splice(frames, self.features.transform.splice))


def audio_header(audio: AudioInput) -> tuple[dict[str, Any], dict[str, NDArray[np.float64]]]:
    """What the header says of the audio, and the arrays beside it."""
    header = {
        "features": asdict(audio.features),
        "sample_rate": audio.sample_rate,
        "channel": audio.channel,
        "resample": audio.resample,
    }
    if audio.band is not None:
        header["band"] = audio.band
    arrays: dict[str, NDArray[np.float64]] = {}
    if audio.normalisation is not None:
        arrays["normalisation.shift"] = np.asarray(audio.normalisation.shift)
        arrays["normalisation.scale"] = np.asarray(audio.normalisation.scale)
    if audio.transform is not None:
        arrays["transform.matrix"] = audio.transform.matrix
        arrays["transform.offset"] = audio.transform.offset
    return header, arrays


def read_audio_input(header: dict[str, Any], tensors: dict[str, NDArray[np.float64]]) -> AudioInput:
    """The inverse of ``audio_header``."""
    normalisation = None
    if "normalisation.shift" in tensors:
        normalisation = Normalisation(tensors["normalisation.shift"], tensors["normalisation.scale"])
    transform = None
    if "transform.matrix" in tensors:
        transform = LinearTransform(tensors["transform.matrix"], tensors["transform.offset"])
    values = {**header["features"], "transform": TransformSpec(**header["features"].get("transform", {}))}
    features = FeatureSpec(**values)
    given = (header["sample_rate"], header["channel"], header["resample"])
    return AudioInput(features, *given, normalisation, transform, header.get("band"))
