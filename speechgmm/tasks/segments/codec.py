"""The model file of segment models: the same container as class models, with the streams in place of mixtures.

header              "segments": labels, and for each stream its name and its plain settings; "whole": whether the
                    training segments were whole recordings (absent: they were not, or it is not known)
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
from speechgmm.features.silence import Silence
from speechgmm.features.transforms import LinearTransform
from speechgmm.io.container import (
    FORMAT_VERSION,
    check_kind,
    packed,
    read_tensors,
    stack,
    tensor,
    unstack,
    whole,
)
from speechgmm.io.header import checked
from speechgmm.setting import setting
from speechgmm.tasks.classification.codec import Recorded, WindowScores
from speechgmm.tasks.segments.spec import StreamName

if TYPE_CHECKING:  # reading a model of the other kind waits for none of them
    from speechgmm.tasks.segments.models import SegmentModels

Arrays = dict[str, NDArray[np.float64]]


@dataclass(frozen=True, slots=True)
class SegmentFile:
    """What the model file of segment models holds."""

    models: "SegmentModels"
    audio: AudioInput
    label: str  # the column that the classes are values of
    whole: bool = False  # trained on whole recordings, each as one segment

    @property
    def of_segments(self) -> bool:
        """Whether it scores segments, and no recordings as a whole."""
        return not self.whole

    @property
    def answers_for_unvoiced(self) -> bool:
        """Whether a recording without a voiced frame has an answer: it is an error."""
        return False

    @property
    def has_posteriors_alone(self) -> bool:
        """Whether its scores are log posteriors, and not log-likelihoods."""
        return True

    @property
    def silence(self) -> Silence:
        """What becomes of digital silence."""
        return silence_rule(self.whole)

    @property
    def threshold(self) -> float | None:
        """None: the best class is always decided."""
        return None

    def window_scores(self, plan: FrontEnd, recorded: Recorded) -> Iterator[WindowScores]:
        """The log posteriors of each window, taken as a segment; ``plan`` made the frames."""
        n_frames = len(recorded.frames)
        if self.whole:
            yield from self._recording_scores(plan, recorded)
            return
        bounds = np.array([plan.positions(start, end, n_frames) for start, end in recorded.windows])
        table = self.models.log_posteriors(recorded.frames, bounds)
        for (start, end), row in zip(recorded.windows, table, strict=True):
            first, stop = plan.frame_range(start, end, n_frames)
            yield WindowScores(stop - first, row, np.exp(row))

    def _recording_scores(self, plan: FrontEnd, recorded: Recorded) -> Iterator[WindowScores]:
        """The log posteriors of each window, taken as a recording by itself, without digital silence."""
        for start, end in recorded.windows:
            n_frames = len(recorded.frames)
            first, stop = (0, n_frames) if recorded.is_whole else plan.frame_range(start, end, n_frames)
            frames = recorded.frames[first:stop][recorded.speech[first:stop]]
            if len(frames) == 0:
                yield WindowScores(0, np.full(len(self.models.labels), np.nan), None)
                continue
            row = self.models.log_posteriors(frames, [plan.positions(0.0, None, len(frames))])[0]
            yield WindowScores(len(frames), row, np.exp(row))


def silence_rule(whole: bool) -> Silence:
    """What becomes of digital silence in training and scoring: left out of whole recordings, with its edges.

    What a recording is padded with says nothing about its class; in a segment of a recording, a pause is a part of it.
    """
    return Silence.DROPPED_WITH_EDGES if whole else Silence.KEPT


@dataclass(frozen=True, slots=True)
class StreamHeader:
    """What the header says of a stream; None: it has no such setting."""

    name: StreamName
    models: tuple[int, ...] = ()  # components of its mixtures
    length_power: float | None = setting(None, "as in SegmentSpec", ge=0, le=10)
    context: int | float | None = setting(None, "frames on either side, or of a stretch", ge=0, le=100)
    n_static: int | None = setting(None, "leading dimensions that are used", ge=1, le=65536)


@dataclass(frozen=True, slots=True)
class SegmentsHeader:
    """What the header says of segment models."""

    labels: tuple[str, ...]
    streams: tuple[StreamHeader, ...]
    whole: bool = False


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
        "segments": {
            "labels": list(content.models.labels),
            "streams": streams,
            **({"whole": True} if content.whole else {}),
        },
        "audio": about,
    }
    return packed(header, tensors | arrays)


def read_segment_models(path: Path, data: bytes | None = None) -> SegmentFile:
    """Read a file of segment models; ``data`` are its bytes, where they are not the whole file.

    Raises ModelFileError as ``read_model_file``.
    """
    tensors, header = read_tensors(path, data)
    check_kind(path, header, "segments")
    from speechgmm.tasks.segments.models import SegmentModels

    with whole(path):
        about = checked(SegmentsHeader, header["segments"], "header.segments")
        audio = read_audio_input(header["audio"], tensors)
        n_classes = len(about.labels)
        streams = tuple(
            _unpack(f"stream.{n}.", part, tensors, n_classes, audio.n_dims) for n, part in enumerate(about.streams)
        )
        for part, stream in zip(about.streams, streams, strict=True):
            width = stream.models[0].n_features if part.name == "frames" else part.n_static or 1
            if width > audio.n_dims or (part.name == "frames" and width != audio.n_dims):
                raise ValueError(f"the stream {part.name!r} takes {width} of the {audio.n_dims} dimensions of frames")
        models = SegmentModels(about.labels, streams, tensor(tensors, "weights", len(streams)))
        return SegmentFile(models, audio, checked(str, header["label"], "header.label"), about.whole)


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


def _unpack(prefix: str, header: StreamHeader, tensors: Arrays, n_classes: int, n_dims: int) -> Any:
    from speechgmm.tasks.segments.models import STREAMS

    kind = STREAMS[header.name]
    values: dict[str, Any] = {}
    for part in fields(kind):
        name = f"{prefix}{part.name}"
        if not part.init:
            continue
        if part.name == "models":
            values[part.name] = unstack(f"{name}.", tensors, header.models)
        elif part.name == "transform":
            matrix = tensor(tensors, f"{name}.matrix", None, None)
            values[part.name] = LinearTransform(matrix, tensor(tensors, f"{name}.offset", len(matrix)))
        elif part.name in ("length_power", "context", "n_static"):
            values[part.name] = getattr(header, part.name)
            if values[part.name] is None:
                raise KeyError(f"{prefix}{part.name}")
        elif part.name == "floor":
            values[part.name] = tensor(tensors, name, n_dims)
        else:
            values[part.name] = tensor(tensors, name, n_classes)
    if header.name == "thirds" and not isinstance(header.context, int):
        raise ValueError(f"a context of {header.context} frames; expected a whole number")
    return kind(**values)
