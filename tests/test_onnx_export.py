"""ONNX graphs of mixtures say in onnxruntime what the package says, and what they cannot hold is refused by name."""

import json
from pathlib import Path

import numpy as np
import pytest
from exported_models import MODELS, RATE, speech, trained
from hypothesis import given, settings
from hypothesis import strategies as st

import speechgmm as sg
from speechgmm.engine.audio_input import AudioInput
from speechgmm.engine.exported_model import ExportedModel
from speechgmm.engine.onnx_graph import export_onnx
from speechgmm.errors import ConfigError
from speechgmm.features import Normalisation, raw_features
from speechgmm.features.transforms import LinearTransform, TransformSpec

onnx = pytest.importorskip("onnx", reason="needs onnx: pip install 'speechgmm[onnx]'")
onnxruntime = pytest.importorskip("onnxruntime", reason="needs onnxruntime")

KEPT = Path(__file__).parent / "kept"


def mixture(rng: np.random.Generator, n_components: int, n_dims: int, offset: float = 0.0, narrow: float = 1.0):
    shape = (n_components, n_dims)
    means = offset + rng.normal(0, 3, shape)
    return sg.DiagGMM(rng.dirichlet(np.ones(n_components)), means, narrow * 10 ** rng.uniform(-1, 1, shape))


def outputs(path: Path, frames: np.ndarray) -> dict[str, np.ndarray]:
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    names = [one.name for one in session.get_outputs()]
    return dict(zip(names, session.run(names, {"frames": frames.astype(np.float32)}), strict=True))


def of_classes(models: sg.ClassModels, folder: Path) -> Path:
    sg.save_models(models, folder / "models.safetensors")
    return folder / "models.safetensors"


@settings(max_examples=25)
@given(st.integers(0, 2**32), st.integers(1, 6), st.integers(1, 200), st.sampled_from([0.0, -300.0, 1e4]))
def test_a_mixture_says_the_same_in_onnxruntime(
    tmp_path_factory, seed: int, n_components: int, n_frames, offset
) -> None:
    rng = np.random.default_rng(seed)
    model = mixture(rng, n_components, 3, offset)
    frames = (offset + rng.normal(0, 4, (n_frames, 3))).astype(np.float32)
    path = tmp_path_factory.mktemp("onnx") / "mixture.onnx"
    export_onnx(model, path)
    found = outputs(path, frames)
    np.testing.assert_allclose(found["score_samples"], sg.log_likelihoods(model, frames), rtol=1e-5, atol=1e-4)
    np.testing.assert_allclose(found["posteriors"], sg.posteriors(model, frames), atol=1e-4)


@settings(max_examples=15)
@given(st.integers(0, 2**32), st.lists(st.integers(1, 9), min_size=1, max_size=4), st.booleans(), st.booleans())
def test_classes_say_the_same_in_onnxruntime(tmp_path_factory, seed, sizes, with_ubm: bool, with_temperature) -> None:
    rng = np.random.default_rng(seed)
    folder = tmp_path_factory.mktemp("onnx")
    models = sg.ClassModels(
        tuple(f"c{n}" for n in range(len(sizes))),
        tuple(mixture(rng, size, 4) for size in sizes),
        np.log(rng.dirichlet(np.ones(len(sizes)))),
        temperature=0.05 if with_temperature else None,
        ubm=mixture(rng, 5, 4) if with_ubm else None,
    )
    export_onnx(of_classes(models, folder), folder / "m.onnx")
    for n_frames in (1, 7, 400):
        frames = rng.normal(0, 4, (n_frames, 4)).astype(np.float32)
        found, expected = outputs(folder / "m.onnx", frames), models.mean_log_likelihoods(frames)
        assert set(found) == {"score_samples", "log_likelihoods"} | ({"ratios"} if with_ubm else set()) | (
            {"posteriors"} if with_temperature else set()
        )
        np.testing.assert_allclose(found["log_likelihoods"], expected, rtol=1e-6, atol=1e-4)
        assert found["score_samples"].shape == (n_frames, len(sizes))
        np.testing.assert_allclose(found["score_samples"].mean(axis=0), expected, rtol=1e-5, atol=1e-4)
        if with_ubm:
            np.testing.assert_allclose(found["ratios"], models.mean_log_likelihood_ratios(frames), rtol=1e-6, atol=1e-4)
        if with_temperature:
            np.testing.assert_allclose(found["posteriors"], models.posteriors(expected, n_frames), atol=1e-4)


@pytest.mark.parametrize("variance", [0.02, 0.01, 0.006, 0.003, 0.001])
def test_every_frame_is_right_to_a_ten_thousandth_however_narrow_components_are(tmp_path: Path, variance) -> None:
    rng = np.random.default_rng(0)
    model = sg.DiagGMM(np.full(64, 1 / 64), rng.uniform(-1, 1, (64, 8)), np.full((64, 8), variance))
    frames = sg.sample(model, 500)[0].astype(np.float32)
    export_onnx(model, tmp_path / "m.onnx")
    found = outputs(tmp_path / "m.onnx", frames)["score_samples"]
    np.testing.assert_allclose(found, sg.log_likelihoods(model, frames), rtol=0, atol=1e-4)


def test_mixtures_that_single_precision_cannot_tell_are_computed_in_double(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    model = mixture(rng, 8, 5, narrow=1e-8)
    frames = (model.means[rng.integers(8, size=50)] + rng.normal(0, 1e-4, (50, 5))).astype(np.float32)
    export_onnx(model, tmp_path / "m.onnx")
    expected = sg.log_likelihoods(model, frames)
    np.testing.assert_allclose(outputs(tmp_path / "m.onnx", frames)["score_samples"], expected, rtol=1e-5, atol=1e-4)


def test_a_component_and_a_class_without_weight_take_no_part(tmp_path: Path) -> None:
    with_none = sg.DiagGMM([0.0, 1.0], [[0.0], [3.0]], [[1.0], [1.0]])
    with np.errstate(divide="ignore"):
        models = sg.ClassModels(("a", "b"), (with_none, with_none), np.log([0.0, 1.0]), temperature=1.0)
    export_onnx(of_classes(models, tmp_path), tmp_path / "m.onnx")
    found = outputs(tmp_path / "m.onnx", np.zeros((2, 1)))
    np.testing.assert_allclose(found["log_likelihoods"], models.mean_log_likelihoods(np.zeros((2, 1))), atol=1e-5)
    assert found["posteriors"].tolist() == [0, 1]


def test_the_graph_says_what_frames_it_expects(tmp_path: Path) -> None:
    spec = sg.FeatureSpec(n_ceps=2, cmvn="global", transform=TransformSpec(kind="pca", dim=1, splice=1))
    how, transform = Normalisation(np.ones(2), np.full(2, 2.0)), LinearTransform(np.ones((1, 6)), np.ones(1))
    audio = AudioInput(spec, 8000, normalisation=how, transform=transform)
    models = sg.ClassModels(("ü", "b"), (sg.DiagGMM([1.0], [[0.0]], [[1.0]]),) * 2, np.log([0.5, 0.5]))
    sg.save_models(models, tmp_path / "m.safetensors", audio=audio)
    export_onnx(tmp_path / "m.safetensors", tmp_path / "m.onnx")
    made = onnx.load(tmp_path / "m.onnx")
    onnx.checker.check_model(made, full_check=True)
    said = {one.key: one.value for one in made.metadata_props}
    assert json.loads(said["labels"]) == ["ü", "b"]
    features = json.loads(said["features"])
    assert (features["preset"], features["sample_rate_hz"], features["n_ceps"]) == ("kaldi", 8000, 2)
    n_frames, n_dims = made.graph.input[0].type.tensor_type.shape.dim
    assert (n_frames.dim_param, n_dims.dim_value) == ("n_frames", 2)


FRONT_ENDS = {**MODELS, "sliding": {"cmvn": "sliding", "cmvn_window": 30}}


@pytest.mark.parametrize("name", FRONT_ENDS)
def test_a_graph_normalises_and_transforms_the_frames_of_a_recording(name: str, tmp_path: Path) -> None:
    path = trained(tmp_path, **FRONT_ENDS[name])
    export_onnx(path, tmp_path / "m.onnx")
    model, samples = sg.load(path), speech(50, 170.0)
    frames, kept = raw_features(model.audio.features.without_normalisation(), samples, RATE)
    found, expected = outputs(tmp_path / "m.onnx", frames if kept is None else frames[kept]), model.score(samples, RATE)
    order = [model.labels.index(label) for label in expected.labels]
    np.testing.assert_allclose(found["log_likelihoods"][order], expected.log_likelihoods, rtol=1e-6, atol=1e-4)
    np.testing.assert_allclose(found["posteriors"][order], expected.posteriors, atol=1e-4)


def test_splicing_of_speech_with_its_neighbours_is_refused(tmp_path: Path) -> None:
    chosen = {"vad": "peak", "transform": TransformSpec(kind="lda", dim=2, splice=1)}
    with pytest.raises(ConfigError, match=r"features\.transform\.splice beside voice activity detection"):
        export_onnx(trained(tmp_path, **chosen), tmp_path / "m.onnx")
    assert not (tmp_path / "m.onnx").exists()


def test_the_same_model_gives_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a", "b"):
        export_onnx(KEPT / "class", tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


REFUSED = {
    "verify-norm": r"calibration: .*; score-norm: .*leave_out: calibration, score-norm",
    "variational": r"predictive-density: ",
    "segments": r"a model of task segments is not exported",
    "recognition": r"a model of task recognition is not exported",
    "anomaly": r"a model of task anomaly is not exported",
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_a_graph_cannot_hold_is_refused_by_name(name: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=REFUSED[name]):
        export_onnx(KEPT / name, tmp_path / "m.onnx")
    assert not (tmp_path / "m.onnx").exists()


def test_what_is_named_is_left_out_and_what_is_not_there_is_refused(tmp_path: Path) -> None:
    export_onnx(KEPT / "verify-norm", tmp_path / "m.onnx", leave_out=["score-norm", "calibration"])
    models = sg.load_models(KEPT / "verify-norm" / "models.safetensors")
    frames = models.models[0].means.astype(np.float32)
    ratios = outputs(tmp_path / "m.onnx", frames)["ratios"]
    np.testing.assert_allclose(ratios, models.mean_log_likelihood_ratios(frames), rtol=1e-6, atol=1e-4)
    made = onnx.load(tmp_path / "m.onnx")
    assert {"left_out": '["calibration", "score-norm"]'}.items() <= {
        p.key: p.value for p in made.metadata_props
    }.items()
    with pytest.raises(ConfigError, match="'calibration' to leave out of this model; expected nothing"):
        export_onnx(KEPT / "class", tmp_path / "c.onnx", leave_out=["calibration"])


def test_frames_that_another_program_computed_go_into_a_graph_as_they_are(tmp_path: Path) -> None:
    models = sg.ClassModels(
        ("a", "b"), tuple(mixture(np.random.default_rng(n), 2, 3) for n in range(2)), np.log([0.5] * 2)
    )
    audio = AudioInput(sg.FeatureSpec(kind="given", n_dims=3), 1000)
    sg.save_models(models, tmp_path / "m.safetensors", audio=audio)
    export_onnx(tmp_path / "m.safetensors", tmp_path / "m.onnx")
    frames = np.random.default_rng(2).normal(size=(5, 3))
    found = outputs(tmp_path / "m.onnx", frames)["log_likelihoods"]
    np.testing.assert_allclose(found, models.mean_log_likelihoods(frames), atol=1e-4)


def test_covariances_that_are_not_diagonal_are_refused() -> None:
    with pytest.raises(ConfigError, match="covariances other than diagonal"):
        ExportedModel((object(),))


def test_what_is_no_model_is_refused(tmp_path: Path) -> None:
    models = sg.ClassModels(("a",), (sg.DiagGMM([1.0], [[0.0]], [[1.0]]),), np.zeros(1))
    with pytest.raises(ConfigError, match="a ClassModels to export; expected a DiagGMM"):
        export_onnx(models, tmp_path / "m.onnx")
    loaded = sg.load(of_classes(models, tmp_path))
    assert isinstance(loaded.exported(), ExportedModel)
    export_onnx(loaded, tmp_path / "m.onnx")
