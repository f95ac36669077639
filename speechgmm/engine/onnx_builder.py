"""What ONNX graphs are put together of: operations and constants in their order, and frames made ready for mixtures."""

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from speechgmm.engine.audio_input import AudioInput
from speechgmm.errors import ConfigError
from speechgmm.features.normalise import CONSTANT

_FLOAT: Final = 1  # onnx.TensorProto.FLOAT
_DOUBLE: Final = 11  # onnx.TensorProto.DOUBLE

Operation = tuple[str, list[str], list[str], dict[str, Any]]
"""Kind, inputs, outputs, attributes."""


class GraphBuilder:
    """Operations and constants of a graph, in the order in which they are added."""

    def __init__(self) -> None:
        self.nodes: list[Operation] = []
        self.constants: dict[str, NDArray[Any]] = {}

    def add(self, operation: str, *inputs: str, named: str = "", **attributes: Any) -> str:
        """Add an operation with one output, whose name is returned."""
        output = named or f"{operation.lower()}_{len(self.nodes)}"
        self.nodes.append((operation, list(inputs), [output], attributes))
        return output

    def double(self, values: str) -> str:
        """The values in double precision."""
        return self.add("Cast", values, to=_DOUBLE)

    def single(self, values: str) -> str:
        """The values in single precision."""
        return self.add("Cast", values, to=_FLOAT)

    def output(self, name: str, values: str) -> None:
        """Values as an output of the graph, in single precision."""
        self.add("Cast", values, named=name, to=_FLOAT)

    def constant(self, name: str, value: Any, dtype: Any) -> str:
        """Add a constant."""
        self.constants[name] = np.asarray(value, dtype)
        return name


def finished_frames(builder: GraphBuilder, audio: AudioInput) -> str:
    """The input ``frames`` normalised and transformed as in ``engine/recordings.py``.

    Raises:
        ConfigError: Frames are spliced with neighbours that need not be speech, which the input does not hold.
    """
    spec, frames = audio.features, "frames"
    if audio.normalisation is not None:
        shift = builder.constant("shift", audio.normalisation.shift, np.float32)
        scale = builder.constant("scale", audio.normalisation.scale, np.float32)
        frames = builder.add("Mul", builder.add("Sub", frames, shift), scale)
    elif spec.pools_moments:
        frames = _by_their_own_moments(builder, spec.norm_vars)
    if audio.transform is None:
        return frames
    context, n_dims = spec.transform.splice, audio.transform.matrix.shape[1]
    if context:
        if spec.marks_speech:
            raise ConfigError(
                "ONNX cannot hold features.transform.splice beside voice activity detection: a frame's neighbours need "
                "not be speech, and the graph is given speech alone; train with vad: none or splice: 0"
            )
        count = builder.add("Squeeze", builder.add("Shape", "frames", start=0, end=1))
        first, one = builder.constant("zero", 0, np.int64), builder.constant("one", 1, np.int64)
        places = builder.add(
            "Unsqueeze", builder.add("Range", first, count, one), builder.constant("ones", [1], np.int64)
        )
        near = builder.add("Add", places, builder.constant("context", np.arange(-context, context + 1), np.int64))
        near = builder.add("Clip", near, first, builder.add("Sub", count, one))
        frames = builder.add("Gather", frames, near, axis=0)
        frames = builder.add("Reshape", frames, builder.constant("spliced", [-1, n_dims], np.int64))
    matrix = builder.constant("matrix", audio.transform.matrix.T, np.float64)
    image = builder.add("MatMul", builder.double(frames), matrix)
    return builder.single(builder.add("Add", image, builder.constant("offset", audio.transform.offset, np.float64)))


def _by_their_own_moments(builder: GraphBuilder, norm_vars: bool) -> str:
    """The input ``frames`` with mean 0 and, with ``norm_vars``, variance 1 where a dimension varies."""
    wide = builder.double("frames")
    means = builder.add("ReduceMean", wide, axes=[0], keepdims=1)
    centred = builder.add("Sub", "frames", builder.single(means))
    if not norm_vars:
        return centred
    offsets = builder.add("Sub", wide, means)
    squares = builder.add("ReduceMean", builder.add("Mul", offsets, offsets), axes=[0], keepdims=1)
    deviations = builder.add("Sqrt", squares)
    unit = builder.constant("unit", 1, np.float64)
    sizes = builder.add("Max", builder.add("Abs", means), unit)
    least = builder.add("Mul", sizes, builder.constant("constant", CONSTANT, np.float64))
    varies = builder.add("Greater", deviations, least)
    scale = builder.add("Div", unit, builder.add("Where", varies, deviations, unit))
    return builder.add("Mul", centred, builder.single(scale))
