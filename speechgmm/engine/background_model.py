"""The background model in a model file of any kind, with the front end that made its frames."""

from dataclasses import dataclass
from pathlib import Path

from speechgmm.engine.audio_input import AudioInput, read_audio_input
from speechgmm.errors import ConfigError
from speechgmm.gmm import DiagGMM
from speechgmm.io.container import read_tensors, unstack, whole


@dataclass(frozen=True, slots=True)
class BackgroundModel:
    """A mixture of many speakers or sounds, and how recordings become the frames that it is of."""

    mixture: DiagGMM
    audio: AudioInput


def read_background_model(path: Path) -> BackgroundModel:
    """The background model of a model file.

    Raises:
        ConfigError: The file has none, or it was trained on frames and does not say how to make them.
        ModelFileError: The file cannot be read.
    """
    tensors, header = read_tensors(path)
    if "ubm.weights" not in tensors:
        raise ConfigError(
            f"{path} has no background model to measure recordings by; train one with model.adapt: map, or give no "
            "model: then one is trained on the recordings",
            arguments=("model",),
        )
    if "audio" not in header:
        raise ConfigError(
            f"{path} was trained on frames, not recordings, and does not say how to make frames; use cluster_pieces "
            "in Python"
        )
    with whole(path):
        (mixture,) = unstack("ubm.", tensors, [len(tensors["ubm.weights"])])
        return BackgroundModel(mixture, read_audio_input(header["audio"], tensors))
