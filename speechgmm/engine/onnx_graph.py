"""Mixtures as an ONNX graph: frames in, log-likelihoods and posteriors out, for whatever runs ONNX.

The graph computes as ``gmm/likelihoods.py`` does: frames are centred and scaled, one product gives log p(k, x) of all
components, the exponential is taken about the largest, and what follows is in double precision. The product is in
single precision where no digits are lost by that, else in double. Mixtures of fewer components than the largest are
filled up with components of no weight.
"""

import json
from collections.abc import Collection
from pathlib import Path
from typing import Any, Final

import numpy as np

from speechgmm.engine.exported_model import Exportable, ExportedModel, check_nothing_lost, exported
from speechgmm.engine.onnx_builder import GraphBuilder, finished_frames
from speechgmm.errors import ConfigError
from speechgmm.features import front_end
from speechgmm.gmm.likelihoods import Space, is_safe_in_float32
from speechgmm.gmm.model import NO_PART
from speechgmm.io.atomic import write_atomically

OPSET: Final = 17
IR_VERSION: Final = 8  # which onnxruntime reads from 1.12 on

MOST_IN_FLOAT32: Final = 400.0
"""The most that may cancel within a component in single precision (`gmm.likelihoods`): the score of a frame is then
right to 1e-4 nats. Of 64 components in 8 dimensions, 460 gave 8e-5 and 780 gave 1.5e-4."""


def export_onnx(model: Exportable, path: str | Path, *, leave_out: Collection[str] = ()) -> None:
    """Write a model as an ONNX graph.

    Parameters
    ----------
    model
        A `DiagGMM`, a loaded model of classes (with a background model or without), or the path of its file.
    path
        The ONNX file, written whole or not at all.
    leave_out
        Names of the steps of scoring that ONNX cannot hold, and that the graph leaves out: ``calibration``,
        ``score-norm``, ``linear-scoring``, ``cosine-scoring``, ``plda-scoring``, ``predictive-density``.

    Raises
    ------
    ConfigError
        The model has a step of scoring that ONNX cannot hold and that is not in ``leave_out``; splicing of frames
        together with voice activity detection; a model of another task; onnx is not installed.
    DataError
        The file cannot be written.

    Notes
    -----
    The input ``frames`` (n_frames, D) float32 holds the speech frames of a recording, as `extract` makes them with
    ``cmvn: none``; the graph normalises and transforms them. The properties of the ONNX model describe the front end.

    A mixture has the outputs ``score_samples`` (n_frames,), log p(x) in nats, and ``posteriors`` (n_frames, K) of the
    components. Models of C classes have the outputs ``score_samples`` (n_frames, C), log p(x) in nats, and
    ``log_likelihoods`` (C,), the means of ``score_samples`` over the frames. If a temperature was fitted, they have
    ``posteriors`` (C,) of the classes. With a background model they have ``ratios`` (C,), the mean log-likelihoods
    minus that of the background model. All outputs are float32.

    Examples
    --------
    >>> from speechgmm import DiagGMM
    >>> mixture = DiagGMM([0.5, 0.5], [[0.0], [4.0]], [[1.0], [1.0]])
    >>> export_onnx(mixture, "mixture.onnx")
    >>> import onnxruntime
    >>> session = onnxruntime.InferenceSession("mixture.onnx")
    >>> session.run(["score_samples"], {"frames": np.zeros((1, 1), np.float32)})[0].round(3)
    array([-1.612], dtype=float32)
    """
    found = exported(model)
    check_nothing_lost(found, "ONNX", leave_out)
    data = _graph(found, sorted(leave_out)).SerializeToString()
    write_atomically(Path(path), lambda file: file.write(data))


def _graph(model: ExportedModel, left_out: list[str]) -> Any:
    """The ONNX model."""
    try:
        from onnx import TensorProto, helper, numpy_helper
    except ImportError:
        raise ConfigError(
            "an ONNX file is made by onnx, which is not installed: pip install 'speechgmm[onnx]'"
        ) from None
    builder = GraphBuilder()
    n_dims = model.mixtures[0].n_features
    if model.audio is not None:
        n_dims = front_end(model.audio.features, model.audio.sample_rate).n_dims
    outputs = _mixture(builder, model) if not model.labels else _classes(builder, model)
    nodes = [helper.make_node(*node[:3], **node[3]) for node in builder.nodes]
    graph = helper.make_graph(
        nodes,
        "mixtures",
        [helper.make_tensor_value_info("frames", TensorProto.FLOAT, ["n_frames", n_dims])],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in outputs.items()],
        [numpy_helper.from_array(value, name) for name, value in builder.constants.items()],
    )
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], producer_name="speechgmm")
    made.ir_version = IR_VERSION
    helper.set_model_props(made, properties(model, left_out))
    return made


def properties(model: ExportedModel, left_out: list[str]) -> dict[str, str]:
    """What a program must know beside the graph, as text: JSON but for ``frames``.

    >>> from speechgmm import DiagGMM
    >>> properties(ExportedModel((DiagGMM([1.0], [[0.0]], [[1.0]]),), ("noise",)), [])["labels"]
    '["noise"]'
    """
    found: dict[str, Any] = {"labels": list(model.labels), "left_out": left_out}
    audio = model.audio
    about = "the model was trained on frames: give frames of the same kind"
    if audio is not None:
        about = (
            "the frames of a recording that are speech, with deltas, before normalisation (cmvn) and transform, which "
            "the graph does"
        )
        found["features"] = front_end(audio.features, audio.sample_rate).describe()
        found["channel"] = audio.channel
    return {"frames": about, **{name: json.dumps(value) for name, value in found.items()}}


def _mixture(builder: GraphBuilder, model: ExportedModel) -> dict[str, list[Any]]:
    """The outputs of one mixture."""
    terms, total, log_likelihoods = _scores(builder, model)
    single = builder.add("Squeeze", log_likelihoods, builder.constant("classes", [1], np.int64))
    builder.output("score_samples", single)
    shares = builder.add("Div", terms, total)
    builder.output("posteriors", builder.add("Squeeze", shares, "classes"))
    return {"score_samples": ["n_frames"], "posteriors": ["n_frames", model.mixtures[0].n_components]}


def _classes(builder: GraphBuilder, model: ExportedModel) -> dict[str, list[Any]]:
    """The outputs of models of classes."""
    n_classes = len(model.labels)
    every = _scores(builder, model)[2]
    means = builder.add("ReduceMean", every, axes=[0], keepdims=0)
    samples, classes = every, means
    outputs: dict[str, list[Any]] = {"score_samples": ["n_frames", n_classes], "log_likelihoods": [n_classes]}
    if model.background is not None:
        first, stop = builder.constant("first", [0], np.int64), builder.constant("n_classes", [n_classes], np.int64)
        end = builder.constant("end", [n_classes + 1], np.int64)
        samples = builder.add("Slice", every, first, stop, builder.constant("columns", [1], np.int64))
        classes = builder.add("Slice", means, first, stop)
        builder.output("ratios", builder.add("Sub", classes, builder.add("Slice", means, stop, end)))
        outputs["ratios"] = [n_classes]
    builder.output("score_samples", samples)
    builder.output("log_likelihoods", classes)
    if model.temperature is not None and model.log_priors is not None:
        with_frames = builder.double(builder.add("Shape", "frames", start=0, end=1))
        factor = builder.add("Mul", with_frames, builder.constant("temperature", model.temperature, np.float64))
        priors = builder.constant("log_priors", np.maximum(model.log_priors, NO_PART), np.float64)
        scores = builder.add("Add", builder.add("Mul", classes, factor), priors)
        builder.output("posteriors", builder.add("Softmax", scores, axis=0))
        outputs["posteriors"] = [n_classes]
    return outputs


def _scores(builder: GraphBuilder, model: ExportedModel) -> tuple[str, str, str]:
    """exp(log p(k, x) - peak) (T, C, K), their sums (T, C, 1), and log p(x) (T, C) in double precision."""
    mixtures = (*model.mixtures, *(() if model.background is None else (model.background,)))
    around = Space.of(mixtures)
    # As float32 has them, so that centring loses nothing that the factors do not know of.
    both = (around.centre, 1 / around.scale)
    centre, per_scale = (np.asarray(values, np.float32).astype(np.float64) for values in both)
    space = Space(centre, 1 / per_scale)
    factors = [space.factors(mixture.log_linear(space.centre)) for mixture in mixtures]
    most = max(len(rows) for rows in factors)
    filled = np.zeros((len(factors), most, factors[0].shape[1]))
    filled[:, :, -1] = NO_PART
    for rows, into in zip(factors, filled, strict=True):
        into[: len(rows)] = rows
    dtype = np.float32 if is_safe_in_float32(np.concatenate(factors), MOST_IN_FLOAT32) else np.float64
    finished = "frames" if model.audio is None else finished_frames(builder, model.audio)
    frames = finished if dtype is np.float32 else builder.double(finished)
    offset = builder.add("Sub", frames, builder.constant("centre", centre, dtype))
    z = builder.add("Mul", offset, builder.constant("per_scale", per_scale, dtype))
    columns = builder.add("Concat", z, builder.add("Mul", z, z), axis=1)
    flat = filled.reshape(-1, filled.shape[2])
    product = builder.add("MatMul", columns, builder.constant("factors", flat[:, :-1].T, dtype))
    summed = builder.add("Add", product, builder.constant("constants", flat[:, -1], dtype))
    shape = builder.constant("shape", [-1, len(mixtures), most], np.int64)
    by_class = builder.add("Reshape", summed, shape)
    if model.top_components is not None:
        by_class = _best(builder, by_class, len(mixtures), model.top_components)
    peaks = builder.add("ReduceMax", by_class, axes=[2], keepdims=1)
    terms = builder.add("Exp", builder.add("Sub", by_class, peaks))
    last = builder.constant("components", [2], np.int64)
    total = builder.add("ReduceSum", terms, last, keepdims=1)
    logs = builder.add("Log", builder.double(total))
    return terms, total, builder.add("Squeeze", builder.add("Add", logs, builder.double(peaks)), last)


def _best(builder: GraphBuilder, scores: str, n_mixtures: int, top: int) -> str:
    """Of scores (T, C + 1, K) those (T, C + 1, top) of the last mixture's best components for each frame."""
    last = builder.add("Gather", scores, builder.constant("background", n_mixtures - 1, np.int64), axis=1)
    numbers = "numbers_of_the_best"
    builder.nodes.append(("TopK", [last, builder.constant("top", [top], np.int64)], ["best", numbers], {"axis": 1}))
    wide = builder.add("Unsqueeze", numbers, builder.constant("classes_axis", [1], np.int64))
    size = builder.add("Shape", scores, start=0, end=2)
    shape = builder.add("Concat", size, "top", axis=0)
    return builder.add("GatherElements", scores, builder.add("Expand", wide, shape), axis=2)
