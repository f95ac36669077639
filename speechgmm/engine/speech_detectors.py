"""Speech detectors in model files: how a file holds one, and how one is read from any file that does."""

from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from speechgmm.errors import ConfigError
from speechgmm.features import FeatureSpec
from speechgmm.features.speech_frames import SpeechFrames
from speechgmm.gmm import DiagGMM
from speechgmm.hmm.speech_detector import SpeechDetector, SpeechDetectorSpec
from speechgmm.io.container import kind_of, read_tensors, stack, tensor, unstack, whole
from speechgmm.io.feature_store import Stamp, canonical, digest, stamp_of
from speechgmm.io.header import checked
from speechgmm.io.run_files import model_file

Tensors = dict[str, NDArray[np.float64]]

PARTS = ("speech", "other")
"""The mixtures of a detector."""


@dataclass(frozen=True, slots=True)
class DetectorHeader:
    """What the header of a model file says of its speech detector."""

    features: FeatureSpec
    spec: SpeechDetectorSpec


def detector_part(detector: SpeechDetector) -> tuple[dict[str, Any], Tensors]:
    """What a header says of a detector, and its arrays."""
    arrays: Tensors = {}
    for name in PARTS:
        arrays |= stack(f"detector.{name}.", (getattr(detector, name),))
    features = {name: value for name, value in asdict(detector.features).items() if name != "vad_model"}
    return {"features": features, "spec": asdict(detector.spec)}, arrays


def read_detector_part(header: object, tensors: Tensors, sample_rate: int) -> SpeechDetector:
    """The inverse of ``detector_part``, at a rate in Hz.

    Raises:
        KeyError: A tensor is missing.
        ValueError: A value of the header out of its range, or a tensor of another shape.
        ConfigError: Settings that cannot hold together, or at this rate.
        ShapeError: Mixtures that do not fit the frames.
    """
    about = checked(DetectorHeader, header, "header.audio.detector")
    n_dims = SpeechFrames(sample_rate, about.features).n_dims
    mixtures: dict[str, DiagGMM] = {}
    for name in PARTS:
        prefix = f"detector.{name}."
        (mixtures[name],) = unstack(prefix, tensors, [len(tensor(tensors, f"{prefix}weights", None))], n_dims)
    return SpeechDetector(**mixtures, sample_rate=sample_rate, spec=about.spec, features=about.features)


def detector_key(detector: SpeechDetector) -> str:
    """A hash of all that decides what is speech."""
    about, arrays = detector_part(detector)
    parts = (part for name, array in arrays.items() for part in (name, str(array.shape), array.tobytes()))
    return digest(canonical([about, detector.sample_rate]), *parts)


def read_detector(path: Path) -> SpeechDetector:
    """The speech detector of a model file, or of the models of a run's folder.

    Raises:
        ModelFileError: There is no such file, or it is damaged.
        ConfigError: It has no speech detector.
    """
    file = model_file(path)
    try:
        stamp = stamp_of(file)
    except OSError:
        stamp = (0, 0, 0, 0)  # the reader says what is wrong
    return _read(file, stamp)


@lru_cache(maxsize=8)
def _read(path: Path, stamp: Stamp) -> SpeechDetector:  # noqa: ARG001 (a file that changed is read again)
    tensors, header = read_tensors(path)
    audio = header.get("audio")
    if not isinstance(audio, dict) or "detector" not in audio:
        raise ConfigError(
            f"{path}: {kind_of(path).holds}, without a speech detector; give a diarizer that has one (train-diarizer "
            "makes it), or a model that was trained with features.vad: model"
        )
    with whole(path):
        return read_detector_part(audio["detector"], tensors, checked(int, audio.get("sample_rate"), "sample_rate"))
