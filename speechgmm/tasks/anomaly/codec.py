"""The model file of anomaly models: the same container as class models, with streams and thresholds beside mixtures.

header              "anomaly": the settings, and for each kind of normal recordings its threshold
stream.N.*          mixtures of stream N, one kind after another; normalisation and transform of its frames
kind.N.*            centres and scales of values and curves, and the scores of normal recordings, of kind N
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from speechgmm.engine.audio_input import AudioInput, audio_header, read_audio_input
from speechgmm.io.container import check_kind, format_of, packed, read_tensors, stack, tensor, unstack_all, whole
from speechgmm.io.header import checked
from speechgmm.tasks.anomaly.models import AnomalyModel, NormalReference, Threshold
from speechgmm.tasks.anomaly.spec import AnomalySpec

REFERENCE = ("centres", "scales", "scores", "curve_centres", "curve_scales")


@dataclass(frozen=True, slots=True)
class AnomalyFile:
    """What the model file of anomaly models holds."""

    models: Mapping[str, AnomalyModel]  # by kind of normal recordings
    audio: tuple[AudioInput, ...]  # of each stream
    spec: AnomalySpec  # whose streams' own features are those of ``audio``
    label: str  # the column that the kinds are values of


@dataclass(frozen=True, slots=True)
class StreamHeader:
    """What the header says of a stream; ``spec`` and ``audio`` are read with those of the others."""

    spec: dict[str, Any]
    audio: dict[str, Any]
    n_components: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class AnomalyHeader:
    """What the header says of anomaly models."""

    labels: tuple[str, ...]
    streams: tuple[StreamHeader, ...]
    spec: dict[str, Any]  # but for the streams
    thresholds: tuple[Threshold, ...]


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
        "format": format_of([mixture for model in content.models.values() for mixture in model.mixtures]),
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
        about = checked(AnomalyHeader, header["anomaly"], "header.anomaly")
        settings = {**about.spec, "streams": [one.spec for one in about.streams]}
        spec = checked(AnomalySpec, settings, "header.anomaly.spec")
        audio, mixtures = [], []
        for number, one in enumerate(about.streams):
            own = _below(f"stream.{number}.", tensors)
            audio.append(read_audio_input(one.audio, own))
            mixtures.append(unstack_all("", own, one.n_components, audio[-1].n_dims))
        n_kinds = len(about.labels)
        lengths = {n_kinds, len(set(about.labels)), len(about.thresholds), *map(len, mixtures)}
        if n_kinds == 0 or lengths != {n_kinds}:
            raise ValueError(f"{n_kinds} labels; expected one at least, each once, with a threshold and a mixture")
        models = {
            label: AnomalyModel(
                tuple(found[number] for found in mixtures),
                _reference(_below(f"kind.{number}.", tensors), about.thresholds[number], spec),
            )
            for number, label in enumerate(about.labels)
        }
        return AnomalyFile(models, tuple(audio), spec, checked(str, header["label"], "header.label"))


def _reference(tensors: dict[str, NDArray[np.float64]], threshold: Threshold, spec: AnomalySpec) -> NormalReference:
    sizes = {"scores": None, **dict.fromkeys(("centres", "scales"), spec.n_values)}
    found = {name: tensor(tensors, name, sizes.get(name, len(spec.streams))) for name in REFERENCE}
    if any((found[name] <= 0).any() for name in ("scales", "curve_scales")):
        raise ValueError("a scale of scores or curves that is not above 0")
    if not len(found["scores"]) or (np.diff(found["scores"]) < 0).any():
        raise ValueError("no scores of normal recordings, or scores that are not in ascending order")
    return NormalReference(**found, threshold=threshold)


def _below(prefix: str, tensors: dict[str, Any]) -> dict[str, Any]:
    return {name.removeprefix(prefix): array for name, array in tensors.items() if name.startswith(prefix)}
