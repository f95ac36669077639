"""Model files that are damaged or hostile: one error that names the file, in no time."""

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fuzzing import a_diarizer, command, opened
from safetensors.numpy import save

from speechgmm.errors import ModelFileError, SpeechGMMError
from speechgmm.io.header import checked, strict_json
from speechgmm.tasks.anomaly.codec import read_anomaly_file
from speechgmm.tasks.classification.codec import read_model_file
from speechgmm.tasks.diarization.codec import read_diarizer
from speechgmm.tasks.recognition.codec import read_recogniser
from speechgmm.tasks.segments.codec import read_segment_models

KEPT = Path(__file__).parent / "kept"
READERS: dict[str, Callable[[Path], object]] = {
    "class": read_model_file,
    "verify-norm": read_model_file,
    "variational": read_model_file,
    "segments": read_segment_models,
    "anomaly": read_anomaly_file,
    "recognition": read_recogniser,
    "diarizer": read_diarizer,
}


def kept(name: str) -> bytes:
    return a_diarizer() if name == "diarizer" else (KEPT / name / "models.safetensors").read_bytes()


def audio_of(header: Any) -> Any:
    return header["anomaly"]["streams"][0]["audio"] if "anomaly" in header else header["audio"]


def changed(name: str, change: Callable[[Any, dict[str, Any]], object], path: Path) -> Path:
    tensors, header = opened(kept(name))
    change(header, tensors)
    path.write_bytes(save(tensors, metadata={"speechgmm": json.dumps(header)}))
    return path


FEATURES: list[tuple[str, Any]] = [
    *(("n_mels", value) for value in (10**6, 10**18, -1, 2.5, "40", True, [], float("nan"), float("inf"))),
    *(("frame_length", value) for value in (1e6, 1e308, -1.0, 0)),
    *(("frame_shift", value) for value in (1e-9, 1e9, "10")),
    *(("delta_window", value) for value in (10**6, 0)),
    *(("n_fft", value) for value in (2**30, 2**62, 3)),
    *(("n_ceps", value) for value in (10**9, 0, 1000)),
    *(("preset", value) for value in ("x", None, [])),
    *(("no_such_setting", value) for value in (1,)),
    *(("vad_context", value) for value in (10**12,)),
]


@pytest.mark.parametrize("name", READERS)
def test_settings_of_the_front_end_have_the_bounds_of_a_configuration(name: str, tmp_path: Path) -> None:
    READERS[name](changed(name, lambda header, tensors: None, tmp_path / "whole.safetensors"))
    for key, value in FEATURES:
        path = changed(name, lambda h, t: audio_of(h)["features"].update({key: value}), tmp_path / "m.safetensors")  # noqa: B023
        begun = time.monotonic()
        with pytest.raises(ModelFileError, match=r"m\.safetensors: "):
            READERS[name](path)
        assert time.monotonic() - begun < 5, key
    for value in (10**9, 0, "8000", [[]], None):
        path = changed(name, lambda h, t: audio_of(h).update(sample_rate=value), tmp_path / "m.safetensors")  # noqa: B023
        with pytest.raises(ModelFileError, match=r"m\.safetensors: .*sample_rate"):
            READERS[name](path)


@pytest.mark.parametrize("name", READERS)
def test_tensors_have_the_shapes_and_the_values_that_the_header_implies(name: str, tmp_path: Path) -> None:
    path = tmp_path / "m.safetensors"
    for tensor in sorted(opened(kept(name))[0]):
        for what in ("missing", "nan", "short", "int8"):

            def damage(header: Any, tensors: dict[str, Any], tensor: str = tensor, what: str = what) -> None:
                array = np.array(tensors.pop(tensor))
                if what == "nan" and array.dtype.kind == "f":
                    array.flat[0] = np.nan
                elif what == "int8":
                    array = np.zeros_like(array, np.int8)
                else:
                    array = array[:-1]
                if what != "missing":
                    tensors[tensor] = array

            if (what, tensor) == ("missing", "counts") or (what == "short" and tensor.endswith(".scores")):
                continue  # counts are there or not, and as many scores as there were recordings
            changed(name, damage, path)
            with pytest.raises(ModelFileError, match=r"m\.safetensors"):
                READERS[name](path)


@pytest.mark.parametrize("name", ["class", "verify-norm", "segments", "anomaly", "recognition", "diarizer"])
def test_a_negative_variance_is_refused(name: str, tmp_path: Path) -> None:
    def negate(header: Any, tensors: dict[str, Any]) -> None:
        tensor = next(name for name in sorted(tensors) if name.endswith("variances"))
        array = np.array(tensors[tensor])
        array.flat[0] = -1.0
        tensors[tensor] = array

    with pytest.raises(ModelFileError, match=r"m\.safetensors: .*(variance|Gaussians)"):
        READERS[name](changed(name, negate, tmp_path / "m.safetensors"))


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("class", lambda h, t: h.update(format=float("inf"))),
        ("class", lambda h, t: h.update(format="1")),
        ("class", lambda h, t: h.update(labels=["a", 1e308, "c", "d"])),
        ("class", lambda h, t: h.update(label=[[]])),
        ("class", lambda h, t: h.update(n_components=[3, 3, float("inf"), 3])),
        ("class", lambda h, t: h.update(n_components=[12, 0, 0, 0])),
        ("class", lambda h, t: h.update(n_components=[10**30])),
        ("class", lambda h, t: h.update(recipe=[])),
        ("class", lambda h, t: h["recipe"].update(seed=-1)),
        ("class", lambda h, t: h["recipe"].update(copies=[[1e9, 1.0]])),
        ("class", lambda h, t: h["recipe"]["spec"].update(max_iter=10**18)),
        ("verify-norm", lambda h, t: h["calibration"].update(threshold=None)),
        ("verify-norm", lambda h, t: h["calibration"]["affine"].update(weights=[1.0])),
        ("verify-norm", lambda h, t: h["cohort"].update(norm="q")),
        ("verify-norm", lambda h, t: h.update(top_components=10**18)),
        ("recognition", lambda h, t: h["recogniser"]["language"].update(n_states=10**9)),
        ("recognition", lambda h, t: h["recogniser"]["language"].update(arcs=[[0, "up", 10**9, 0.0]])),
        ("recognition", lambda h, t: h["recogniser"].update(scale=[])),
        ("recognition", lambda h, t: h["recogniser"]["lexicon"].update(up=[["X"]])),
        ("anomaly", lambda h, t: h["anomaly"].update(thresholds=[])),
        ("anomaly", lambda h, t: h["anomaly"]["spec"].update(folds="2")),
        ("segments", lambda h, t: h["segments"]["streams"][1].update(context=10**9)),
        ("segments", lambda h, t: h["segments"]["streams"][0].update(models=[6])),
        ("diarizer", lambda h, t: h["diarizer"]["spec"].update(block=10**12)),
        ("diarizer", lambda h, t: h["diarizer"].update(threshold="0")),
    ],
)
def test_values_of_another_type_or_size_are_refused(name: str, change: Any, tmp_path: Path) -> None:
    with pytest.raises(ModelFileError, match=r"m\.safetensors: "):
        READERS[name](changed(name, change, tmp_path / "m.safetensors"))


def test_a_damaged_model_ends_a_command_with_status_2_and_its_name(tmp_path: Path) -> None:
    path = changed("class", lambda h, t: h["audio"]["features"].update(n_mels=10**6), tmp_path / "m.safetensors")
    with pytest.raises(
        SpeechGMMError, match=r"error: .*m.safetensors: .*n_mels is 1000000; expected less than"
    ) as error:
        command("inspect", path)
    assert isinstance(error.value.__context__, SystemExit)
    assert error.value.__context__.code == 2


def test_json_has_no_other_numbers_than_finite_ones() -> None:
    assert strict_json('{"a": [1, 2.5, null]}') == {"a": [1, 2.5, None]}
    for text in ("NaN", "[Infinity]", "-Infinity", "1e999", "[" * 100_000, "9" * 5000):
        with pytest.raises(ValueError):
            strict_json(text)
    with pytest.raises(ValueError, match="header is 'x'; expected integer"):
        checked(int, "x")
