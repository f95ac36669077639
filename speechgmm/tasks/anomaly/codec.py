"""The model file of anomaly models: the same container as class models, with streams and thresholds beside mixtures.

header              "anomaly": the settings, and for each kind of normal recordings its threshold
stream.N.*          mixtures of stream N, one kind after another; normalisation and transform of its frames
kind.N.*            centres and scales of figures and curves, and the scores of normal recordings, of kind N
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from speechgmm.engine.audio_input import AudioInput, audio_header, read_audio_input
from speechgmm.io.container import FORMAT_VERSION, check_kind, packed, read_tensors, stack, unstack, whole
from speechgmm.tasks.anomaly.models import AnomalyModel, NormalReference, Threshold
from speechgmm.tasks.anomaly.spec import AnomalySpec, StreamSpec

REFERENCE = ("centres", "scales", "scores", "curve_centres", "curve_scales")


@dataclass(frozen=True, slots=True)
class AnomalyFile:
    """What the model file of anomaly models holds."""

    models: Mapping[str, AnomalyModel]  # by kind of normal recordings
    audio: tuple[AudioInput, ...]  # of each stream
    spec: AnomalySpec  # whose streams' own features are those of ``audio``
    label: str  # the column that the kinds are values of


def serialise_anomaly(content: AnomalyFile) -> bytes:
    """The bytes of a model file; the same content gives the same bytes."""
    tensors: dict[str, NDArray[np.float64]] = {}
    streams = []
    for number, (audio, stream) in enumerate(zip(content.audio, content.spec.streams, strict=True)):
        about, arrays = audio_header(audio)
        mixtures = tuple(model.mixtures[number] for model in content.models.values())
        arrays |= stack("", mixtures)
        tensors |= {f"stream.{number}.{name}": array for name, array in arrays.items()}
        sizes = [mixture.n_components for mixture in mixtures]
        own: dict[str, Any] = asdict(stream)
        own["features"] = None  # they are in "audio"
        streams.append({"spec": own, "audio": about, "n_components": sizes})
    for number, model in enumerate(content.models.values()):
        tensors |= {f"kind.{number}.{name}": getattr(model.reference, name) for name in REFERENCE}
    header = {
        "format": FORMAT_VERSION,
        "label": content.label,
        "anomaly": {
            "labels": list(content.models),
            "streams": streams,
            "spec": {name: value for name, value in asdict(content.spec).items() if name != "streams"},
            "thresholds": [asdict(model.reference.threshold) for model in content.models.values()],
        },
    }
    return packed(header, tensors)


def read_anomaly_file(path: str | Path) -> AnomalyFile:
    """Read and check the model file of anomaly models.

    Raises:
        ModelFileError: As ``read_model_file``; or it holds models of another kind.
    """
    path = Path(path)
    tensors, header = read_tensors(path)
    check_kind(path, header, "anomaly")
    with whole(path):
        about = header["anomaly"]
        audio, mixtures, specs = [], [], []
        for number, one in enumerate(about["streams"]):
            own = _below(f"stream.{number}.", tensors)
            audio.append(read_audio_input(one["audio"], own))
            mixtures.append(unstack("", own, one["n_components"]))
            specs.append(StreamSpec(**one["spec"]))
        models = {
            label: AnomalyModel(
                tuple(found[number] for found in mixtures),
                NormalReference(
                    **{name: tensors[f"kind.{number}.{name}"] for name in REFERENCE},
                    threshold=Threshold(**about["thresholds"][number]),
                ),
            )
            for number, label in enumerate(about["labels"])
        }
        spec = AnomalySpec(**about["spec"], streams=tuple(specs))
        return AnomalyFile(models, tuple(audio), spec, header["label"])


def _below(prefix: str, tensors: dict[str, Any]) -> dict[str, Any]:
    return {name.removeprefix(prefix): array for name, array in tensors.items() if name.startswith(prefix)}
