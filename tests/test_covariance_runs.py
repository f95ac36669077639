"""Runs with full, tied and spherical covariances: the model file, new recordings, enrolment, and what is refused."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
from conftest import hum

import speechgmm as sg
from speechgmm import FullGMM
from speechgmm.config import make_config
from speechgmm.engine.console import Console
from speechgmm.errors import ConfigError, KeywordError, ModelFileError
from speechgmm.gmm import ModelSpec, choose_n_components, class_rng
from speechgmm.gmm.spec import ChooseSpec
from speechgmm.io.container import FORMAT_VERSION, WITH_COVARIANCES, read_tensors, stack, unstack_all
from speechgmm.io.model_card import with_card
from speechgmm.tasks.classification.codec import ModelFile, read_model_file, serialise
from speechgmm.tasks.classification.enrolment import enrol
from speechgmm.tasks.classification.models import ClassModels
from speechgmm.tasks.classification.updates import update_class

FEATURES = "features.n_ceps=5"  # few dimensions, which 8 short recordings can estimate a covariance of


@pytest.mark.slow
@pytest.mark.parametrize("covariance", ["full", "tied", "spherical"])
def test_a_run_trains_keeps_and_scores_classes_with_other_covariances(config_file: Path, covariance: str) -> None:
    settings = [f"model.covariance={covariance}", "model.n_components=2", FEATURES, "features.deltas=0"]
    result = sg.run(config_file, settings, console=Console(quiet=True))
    assert result.metrics["accuracy"]["value"] == 1.0
    path = config_file.parent / "run" / "models.safetensors"
    tensors, header = read_tensors(path)
    file = read_model_file(path)
    assert serialise(file) == with_card(path.read_bytes(), None)
    if covariance == "spherical":
        assert header["format"] == FORMAT_VERSION
        assert (np.ptp(tensors["variances"], axis=1) == 0).all()
    else:
        assert header["format"] == WITH_COVARIANCES
        assert tensors["covariances"].shape == (6 if covariance == "full" else 3, 5, 5)
        assert {model.is_tied for model in file.models.models} == {covariance == "tied"}  # type: ignore[union-attr]
    model = sg.load(path)
    assert model.score(config_file.parent / "hums" / "low" / "0.wav").decision == "low"
    new = config_file.parent / "new.wav"
    soundfile.write(new, hum(9, 600.0, 3.0), 8000)
    larger, _ = enrol(file, "whistle", [new])
    assert type(larger.models.models[-1]) is type(file.models.models[0])
    assert larger.recipe is not None
    assert larger.recipe.spec.covariance == covariance
    if covariance == "spherical":
        return
    with pytest.raises(ConfigError, match="an update needs diagonal covariances"):
        update_class(file, "low", [new])


def test_a_file_of_mixtures_with_matrices_is_refused_by_versions_that_know_none_and_whole_or_not_at_all() -> None:
    rng = np.random.default_rng(0)
    covariances = np.tile(np.eye(2), (3, 1, 1))
    full = FullGMM([0.2, 0.3, 0.5], rng.normal(size=(3, 2)), covariances)
    tied, single = replace(full, covariances=covariances[:1]), FullGMM([1.0], [[0.0, 0.0]], covariances[:1])
    for models in ((full, single), (tied, single), (single, single)):
        tensors = stack("", models)
        again = unstack_all("", tensors, [model.n_components for model in models])
        for one, other in zip(models, again, strict=True):
            np.testing.assert_array_equal(one.covariances, other.covariances)  # type: ignore[union-attr]
    with pytest.raises(ValueError, match="3 covariances; expected 4, or one for each of 2"):
        unstack_all("", stack("", (full, single)) | {"covariances": covariances}, [3, 1])
    models = ClassModels(("a", "b"), (full, tied), np.log([0.5, 0.5]))
    assert models.classify(full.means) in ("a", "b")


def test_models_with_full_covariances_have_no_background_model() -> None:
    ubm = sg.DiagGMM([1.0], [[0.0]], [[1.0]])
    with pytest.raises(ConfigError, match="needs diagonal covariances"):
        ClassModels(("a",), (FullGMM([1.0], [[0.0]], [[[1.0]]]),), np.zeros(1), ubm=ubm)


def test_a_damaged_covariance_in_a_file_is_refused(tmp_path: Path) -> None:
    from safetensors import safe_open
    from safetensors.numpy import save_file

    path = tmp_path / "one.safetensors"
    path.write_bytes(serialise(ModelFile(ClassModels(("a",), (FullGMM([1.0], [[0.0]], [[[1.0]]]),), np.zeros(1)))))
    with safe_open(path, framework="numpy") as file:
        tensors, metadata = {name: file.get_tensor(name) for name in file.keys()}, file.metadata()  # noqa: SIM118
    save_file(tensors | {"covariances": -tensors["covariances"]}, path, metadata)
    with pytest.raises(ModelFileError, match="expected a positive definite matrix"):
        read_model_file(path)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"adapt": "map"}, "model.covariance is full, and model.adapt: map is for covariance: diag"),
        ({"estimator": "variational"}, "model.estimator: variational is for covariance: diag"),
        ({"estimator": "gradient"}, "model.estimator: gradient is for covariance: diag"),
        ({"e_step": "sparse"}, "model.e_step: sparse is for covariance: diag"),
        ({"precision": "float32"}, "model.precision: float32 is for covariance: diag"),
    ],
)
def test_settings_that_are_for_diagonal_covariances_are_refused_with_others(settings, message) -> None:
    with pytest.raises(ConfigError, match=message):
        ModelSpec(covariance="full", **settings)


@pytest.mark.parametrize("task", ["verification", "recognition", "clustering", "diarization"])
def test_tasks_with_diagonal_covariances_alone_refuse_others(task: str, tmp_path: Path) -> None:
    corpus = {"kind": "folder", "root": str(tmp_path), "label": "speaker"}
    with pytest.raises(ConfigError, match="model"):
        make_config({"task": task, "corpus": corpus, "model": {"covariance": "full"}})


def test_the_number_of_components_is_chosen_with_the_parameters_that_covariances_have() -> None:
    rng = np.random.default_rng(0)
    turned = rng.normal(size=(600, 2)) @ np.array([[3.0, 2.0], [0.0, 0.5]])  # one Gaussian, which is no diagonal one
    chosen = {
        covariance: choose_n_components(turned, [1, 2, 3, 4], covariance=covariance, n_starts=2)
        for covariance in ("diag", "full")
    }
    assert chosen["full"].fit.model.n_components == 1
    assert chosen["diag"].fit.model.n_components > 1
    assert [one.n_parameters for one in chosen["full"].candidates][:2] == [5, 11]
    for criterion in ("held_out", "occupancy"):
        found = choose_n_components(turned, [1, 2], covariance="full", criterion=criterion, n_starts=1)
        assert isinstance(found.fit.model, FullGMM)
    assert ModelSpec(covariance="tied", n_components="auto", choose=ChooseSpec()).covariance == "tied"


@pytest.mark.parametrize("covariance", ["full", "tied", "spherical", "diag"])
def test_classes_trained_in_python_are_fits_with_one_floor(covariance: str) -> None:
    rng = np.random.default_rng(3)
    frames = {
        name: rng.normal(size=(300, 3)) @ (np.eye(3) + 0.5 * np.eye(3, k=1 + n)) + 3 * n for n, name in enumerate("ab")
    }
    models = sg.train_classes(frames, 2, covariance=covariance, seed=5, tol=1e-3)
    floor = 0.01 * np.concatenate(list(frames.values())).var(axis=0)
    for name, model in zip(models.labels, models.models, strict=True):
        seed = class_rng(5, name)
        alone = sg.fit_gmm(frames[name], 2, covariance=covariance, seed=seed, tol=1e-3, floor=floor).model
        np.testing.assert_allclose(model.means, alone.means, rtol=1e-6)
        assert type(model) is type(alone)
    assert models.classify(frames["b"][:20]) == "b"


def test_a_keyword_that_train_classes_does_not_have_is_refused_by_name() -> None:
    frames = {"a": np.zeros((9, 1)), "b": np.ones((9, 1))}
    with pytest.raises(TypeError, match=r"train_classes\(\) got an unexpected keyword argument 'tolerance'"):
        sg.train_classes(frames, tolerance=1)
    with pytest.raises(KeywordError, match="covariance_type is called covariance in speechgmm"):
        sg.train_classes(frames, covariance_type="full")
    with pytest.raises(KeywordError, match="init_params is called init"):
        sg.train_classes(frames, init_params="random")
    with pytest.raises(ConfigError, match="covariance 'round'; expected diag, full, tied, spherical"):
        sg.train_classes(frames, covariance="round")
