"""The model file of segment models: the same container as class models, with the streams in place of mixtures.

header              "segments": labels, and for each stream its name and its plain settings
weights             (S,)     of the streams
stream.N.*                   arrays of stream N; its mixtures one after another, sizes in the header
"""

from collections.abc import Iterator
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from speechgmm.engine.audio_input import AudioInput, audio_header, read_audio_input
from speechgmm.features import FrontEnd
from speechgmm.features.transforms import LinearTransform
from speechgmm.gmm import DiagGMM
from speechgmm.io.container import FORMAT_VERSION, check_kind, kind_of, packed, read_tensors, stack, unstack, whole
from speechgmm.tasks.classification.codec import ModelFile, Recorded, WindowScores, read_model_file

if TYPE_CHECKING:  # reading a model of the other kind waits for none of them
    from speechgmm.tasks.segments.models import SegmentModels

Arrays = dict[str, NDArray[np.float64]]


@dataclass(frozen=True, slots=True)
class SegmentFile:
    """What the model file of segment models holds."""

    models: "SegmentModels"
    audio: AudioInput
    label: str  # the column that the classes are values of

    @property
    def of_segments(self) -> bool:
        """Whether it scores segments, and no recordings as a whole."""
        return True

    def window_scores(self, plan: FrontEnd, recorded: Recorded) -> Iterator[WindowScores]:
        """The log posteriors of each window, taken as a segment; ``plan`` made the frames."""
        n_frames = len(recorded.frames)
        bounds = np.array([plan.positions(start, end, n_frames) for start, end in recorded.windows])
        table = self.models.log_posteriors(recorded.frames, bounds)
        for (start, end), row in zip(recorded.windows, table, strict=True):
            first, stop = plan.frame_range(start, end, n_frames)
            yield WindowScores(stop - first, row, np.exp(row))


def serialise_segments(content: SegmentFile) -> bytes:
    """The bytes of a model file; the same content gives the same bytes."""
    from speechgmm.tasks.segments.models import STREAMS

    names = {kind: name for name, kind in STREAMS.items()}
    tensors: Arrays = {"weights": content.models.weights}
    streams = []
    for number, stream in enumerate(content.models.streams):
        header, arrays = _pack(stream)
        streams.append({"name": names[type(stream)], **header})
        tensors |= {f"stream.{number}.{name}": array for name, array in arrays.items()}
    about, arrays = audio_header(content.audio)
    header = {
        "format": FORMAT_VERSION,
        "label": content.label,
        "segments": {"labels": list(content.models.labels), "streams": streams},
        "audio": about,
    }
    return packed(header, tensors | arrays)


def read_any_model(path: str | Path) -> ModelFile | SegmentFile:
    """Read a model file of either kind. Raises ModelFileError as ``read_model_file``."""
    path = Path(path)
    return read_segment_models(path) if kind_of(path).name == "segments" else read_model_file(path)


def read_segment_models(path: Path) -> SegmentFile:
    """Read a file of segment models. Raises ModelFileError as ``read_model_file``."""
    tensors, header = read_tensors(path)
    check_kind(path, header, "segments")
    from speechgmm.tasks.segments.models import SegmentModels

    with whole(path):
        about = header["segments"]
        streams = tuple(_unpack(number, part, tensors) for number, part in enumerate(about["streams"]))
        models = SegmentModels(tuple(about["labels"]), streams, tensors["weights"])
        return SegmentFile(models, read_audio_input(header["audio"], tensors), header["label"])


def _pack(stream: Any) -> tuple[dict[str, Any], Arrays]:
    """A stream's plain settings and its arrays."""
    header: dict[str, Any] = {}
    arrays: Arrays = {}
    for part in fields(stream):
        if not part.init:
            continue
        value = getattr(stream, part.name)
        if isinstance(value, LinearTransform):
            arrays |= {f"{part.name}.{name}": array for name, array in asdict(value).items()}
        elif isinstance(value, tuple):  # of mixtures
            header[part.name] = [model.n_components for model in value]
            arrays |= stack(f"{part.name}.", value)
        elif isinstance(value, np.ndarray):
            arrays[part.name] = value
        else:
            header[part.name] = value
    return header, arrays


def _unpack(number: int, header: dict[str, Any], tensors: Arrays) -> Any:
    from speechgmm.tasks.segments.models import STREAMS

    kind = STREAMS[header["name"]]
    values: dict[str, Any] = {}
    for part in fields(kind):
        name = f"stream.{number}.{part.name}"
        if not part.init:
            continue
        if f"{name}.matrix" in tensors:
            values[part.name] = LinearTransform(tensors[f"{name}.matrix"], tensors[f"{name}.offset"])
        elif f"{name}.weights" in tensors:
            mixtures: tuple[DiagGMM, ...] = unstack(f"{name}.", tensors, header[part.name])
            values[part.name] = mixtures
        else:
            values[part.name] = tensors[name] if name in tensors else header[part.name]
    return kind(**values)
