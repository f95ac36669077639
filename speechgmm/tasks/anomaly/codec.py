"""The model file of anomaly models: the same container as class models, with streams and thresholds beside mixtures.

header              "anomaly": the settings, and for each kind of normal recordings its threshold
stream.N.*          mixtures or vectors of stream N, one kind after another; normalisation and transform of its frames
kind.N.*            centres and scales of values and curves, and the scores of normal recordings, of kind N
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from speechgmm.engine.audio_input import AudioInput, audio_header, read_audio_input
from speechgmm.gmm import FullGMM
from speechgmm.io.container import (
    WITH_COVARIANCES,
    check_kind,
    format_of,
    packed,
    read_tensors,
    stack,
    tensor,
    unstack_all,
    whole,
)
from speechgmm.io.header import checked
from speechgmm.tasks.anomaly.costs import NormalModel
from speechgmm.tasks.anomaly.models import AnomalyModel, NormalReference, Threshold
from speechgmm.tasks.anomaly.neighbours import NormalVectors
from speechgmm.tasks.anomaly.spec import AnomalySpec, StreamSpec

REFERENCE = ("centres", "scales", "scores", "curve_centres", "curve_scales")

NEW_KEYS = ("method", "n_neighbours", "n_vectors")
"""Keys of a stream that are written for other methods than likelihood alone."""


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
    n_components: tuple[int, ...] = ()  # of the mixtures
    n_vectors: tuple[int, ...] = ()  # method: neighbours


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
        normal = tuple(model.normal[number] for model in content.models.values())
        own: dict[str, Any] = asdict(stream)
        own["features"] = None  # they are in "audio"
        if stream.method == "likelihood":  # so that versions before the other methods read the file
            own = {name: value for name, value in own.items() if name not in NEW_KEYS}
        sizes, parts = _packed_normal(normal)
        tensors |= {f"stream.{number}.{name}": array for name, array in (arrays | parts).items()}
        streams.append({"spec": own, "audio": about, **sizes})
    for number, model in enumerate(content.models.values()):
        tensors |= {f"kind.{number}.{name}": getattr(model.reference, name) for name in REFERENCE}
    header = {
        "format": _format([one for model in content.models.values() for one in model.normal]),
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
        audio, normal = [], []
        for number, one in enumerate(about.streams):
            own = _below(f"stream.{number}.", tensors)
            audio.append(read_audio_input(one.audio, own))
            normal.append(_read_normal(own, one, spec.streams[number], audio[-1].n_dims))
        n_kinds = len(about.labels)
        lengths = {n_kinds, len(set(about.labels)), len(about.thresholds), *map(len, normal)}
        if n_kinds == 0 or lengths != {n_kinds}:
            raise ValueError(f"{n_kinds} labels; expected one at least, each once, with a threshold and a model")
        models = {
            label: AnomalyModel(
                tuple(found[number] for found in normal),
                _reference(_below(f"kind.{number}.", tensors), about.thresholds[number], spec),
            )
            for number, label in enumerate(about.labels)
        }
        return AnomalyFile(models, tuple(audio), spec, checked(str, header["label"], "header.label"))


def _packed_normal(normal: Sequence[NormalModel]) -> tuple[dict[str, list[int]], dict[str, NDArray[Any]]]:
    """What the header says of one stream's models, and their arrays."""
    vectors = [one for one in normal if isinstance(one, NormalVectors)]
    if vectors:
        arrays: dict[str, NDArray[Any]] = {
            "vectors": np.concatenate([one.vectors for one in vectors]),
            "scales": np.stack([one.scales for one in vectors]),
        }
        return {"n_vectors": [len(one) for one in vectors]}, arrays
    mixtures = [one for one in normal if not isinstance(one, NormalVectors)]
    return {"n_components": [one.n_components for one in mixtures]}, stack("", mixtures)


def _read_normal(
    tensors: dict[str, NDArray[np.float64]], header: StreamHeader, stream: StreamSpec, n_dims: int
) -> tuple[NormalModel, ...]:
    """The inverse of ``_packed_normal``. Raises ValueError for models that the stream's method cannot use."""
    if stream.method != "neighbours":
        mixtures = unstack_all("", tensors, header.n_components, n_dims)
        if stream.method == "mahalanobis" and not all(
            isinstance(one, FullGMM) and one.n_components == 1 for one in mixtures
        ):
            raise ValueError("a mixture for method: mahalanobis; expected one Gaussian with a full covariance")
        return mixtures
    sizes = header.n_vectors
    if not sizes or min(sizes) < stream.n_neighbours:
        raise ValueError(f"{list(sizes)[:9]} vectors; expected {stream.n_neighbours} at least for each class")
    vectors = np.asarray(tensor(tensors, "vectors", sum(sizes), n_dims), np.float32)
    scales = tensor(tensors, "scales", len(sizes), n_dims)
    parts = np.split(vectors, np.cumsum(sizes)[:-1])
    return tuple(NormalVectors(part, own) for part, own in zip(parts, scales, strict=True))


def _format(normal: Sequence[NormalModel]) -> int:
    mixtures = [one for one in normal if not isinstance(one, NormalVectors)]
    return WITH_COVARIANCES if len(mixtures) < len(normal) else format_of(mixtures)


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
