"""The commands export and import: a model goes to another program, and mixtures of Kaldi come back as a model."""

import pickle
import sys
from pathlib import Path

import numpy as np
import pytest
from conftest import hum

import speechgmm as sg
from speechgmm import cli
from speechgmm.errors import DataError

KEPT = Path(__file__).parent / "kept"


class Command:
    def __init__(self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self.monkeypatch, self.capsys = monkeypatch, capsys

    def __call__(self, *arguments: object) -> tuple[int, str, str]:
        self.monkeypatch.setattr(sys, "argv", ["speechgmm", *map(str, arguments)])
        self.capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            cli.main()
        out, err = self.capsys.readouterr()
        assert "Traceback" not in err
        return int(ended.value.code or 0), out, err


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Command:
    monkeypatch.chdir(tmp_path)
    return Command(monkeypatch, capsys)


CONFIG = (
    "corpus: {kind: folder, root: ., label: word, sample_rate: 8000}\nfeatures: {n_ceps: 8, n_mels: 20, deltas: 1}\n"
)


@pytest.mark.parametrize("text", [(), ("--text",)])
def test_a_model_that_goes_to_kaldi_and_back_scores_recordings_alike(command: Command, text: tuple[str, ...]) -> None:
    status, out, _ = command("export-model", KEPT / "class", "--format", "kaldi", "--out", "final.am", *text)
    assert status == 0
    assert out.splitlines() == ["final.am: 4 mixtures, an AmDiagGmm", *(f"pdf {n}\t{x}a" for n, x in enumerate("bdgm"))]
    Path("labels").write_text("ba\nda\n\nga\nma\n")
    Path("c.yaml").write_text(CONFIG)
    options = ("--labels", "labels", "--features", "c.yaml", "--out", "back.safetensors")
    status, out, _ = command("import-model", "final.am", *options)
    assert (status, out) == (0, "back.safetensors: 4 classes, 12 components, 16 dimensions\n")
    samples = hum(0, 150.0, 0.6, 8000)
    found, expected = (sg.load(path).score(samples, 8000) for path in ("back.safetensors", KEPT / "class"))
    assert found.labels == expected.labels
    np.testing.assert_allclose(found.log_likelihoods, expected.log_likelihoods, rtol=1e-6)


def test_files_of_one_mixture_and_a_background_model_become_a_model_of_claims(command: Command) -> None:
    models = sg.load_models(KEPT / "verify-norm" / "models.safetensors")
    for label in (*models.labels[:2], "background"):
        options = ("--format", "kaldi", "--mixture", label, "--out", f"{label}.gmm")
        status, out, _ = command("export-model", KEPT / "verify-norm", *options)
        assert (status, out) == (0, f"{label}.gmm: the mixture of {label}, a DiagGmm\n")
    files = [f"{label}.gmm" for label in models.labels[:2]]
    assert command("import-model", *files, "--background", "background.gmm", "--out", "m.safetensors")[0] == 0
    found = sg.load_models("m.safetensors")
    assert found.labels == models.labels[:2]
    frames = models.models[0].means
    expected = sg.ClassModels(found.labels, models.models[:2], found.log_priors, ubm=models.ubm)
    np.testing.assert_allclose(
        found.mean_log_likelihood_ratios(frames), expected.mean_log_likelihood_ratios(frames), rtol=1e-4, atol=1e-4
    )


def test_classes_are_numbered_where_kaldi_has_no_names(command: Command) -> None:
    command("export-model", KEPT / "class", "--format", "kaldi", "--out", "final.am")
    assert command("import-model", "final.am", "--out", "m.safetensors")[0] == 0
    assert sg.load_models("m.safetensors").labels == ("pdf-0", "pdf-1", "pdf-2", "pdf-3")


def test_mixtures_of_frames_that_kaldi_computed_take_such_frames(command: Command) -> None:
    command("export-model", KEPT / "class", "--format", "kaldi", "--out", "final.am")
    given = "corpus: {kind: folder, root: ., label: word}\nfeatures: {kind: given, deltas: 1}\n"
    Path("given.yaml").write_text(given)
    assert command("import-model", "final.am", "--features", "given.yaml", "--out", "m.safetensors")[0] == 0
    audio = sg.load("m.safetensors").audio
    assert (audio.is_given, audio.features.n_dims, audio.n_dims) == (True, 8, 16)


def test_onnx_and_numpy_are_written_and_what_they_cannot_hold_is_named_with_the_option(command: Command) -> None:
    pytest.importorskip("onnx")
    assert command("export-model", KEPT / "class", "--format", "onnx", "--out", "m.onnx")[:2] == (
        0,
        "m.onnx: an ONNX graph\n",
    )
    status, out, _ = command("export-model", KEPT / "class", "--format", "numpy", "--out", "board")
    assert (status, out) == (0, "board: python numpy_scorer.py models.safetensors RECORDING.wav\n")
    assert Path("board/numpy_scorer.py").is_file()
    status, _, err = command("export-model", KEPT / "verify-norm", "--format", "onnx", "--out", "v.onnx")
    assert status == 2
    assert "calibration: a map" in err
    assert "(--leave-out)" in err
    assert not Path("v.onnx").exists()
    left = ("--leave-out", "calibration", "--leave-out", "score-norm")
    assert command("export-model", KEPT / "verify-norm", "--format", "onnx", "--out", "v.onnx", *left)[0] == 0


def test_what_cannot_be_exported_is_refused(command: Command) -> None:
    for arguments, status, message in (
        (
            (KEPT / "class", "--format", "onnx", "--out", "m", "--text"),
            2,
            "--text and --mixture are for --format kaldi",
        ),
        ((KEPT / "class", "--format", "kaldi", "--out", "m", "--leave-out", "x"), 2, "holds mixtures alone"),
        ((KEPT / "class", "--format", "kaldi", "--out", "m", "--mixture", "x"), 2, "--mixture x: the model has ba, da"),
        ((KEPT / "recognition", "--format", "kaldi", "--out", "m"), 2, "a model of task recognition is not exported"),
        (("none", "--format", "kaldi", "--out", "m"), 2, "there is no such model file"),
    ):
        found, _, err = command("export-model", *arguments)
        assert (found, message in err) == (status, True), err
        assert not Path("m").exists()


def test_what_cannot_be_imported_is_refused(command: Command) -> None:
    command("export-model", KEPT / "class", "--format", "kaldi", "--out", "final.am")
    command("export-model", KEPT / "class", "--format", "kaldi", "--mixture", "ba", "--out", "ba.gmm")
    Path("few").write_text("ba\n")
    Path("twice").write_text("ba\nba\nga\nma\n")
    Path("other.yaml").write_text(CONFIG.replace("n_ceps: 8", "n_ceps: 9"))
    Path("global.yaml").write_text(CONFIG.replace("deltas: 1", "deltas: 1, cmvn: global"))
    Path("model.pkl").write_bytes(pickle.dumps({}))
    for arguments, status, message in (
        (("final.am", "ba.gmm"), 1, "final.am: an AmDiagGmm beside other files"),
        (("ba.gmm", "--background", "final.am"), 1, "final.am: 4 mixtures; expected one background model"),
        (("final.am", "--labels", "few"), 1, "few: 1 labels of 4 mixtures"),
        (("final.am", "--labels", "twice"), 1, "label 'ba' is there twice"),
        (("final.am", "--features", "other.yaml"), 2, "features of 18 dimensions, and the mixtures have 16"),
        (("final.am", "--features", "global.yaml"), 2, "features that need no training data"),
        (("model.pkl",), 1, "a pickle, which runs code"),
        (("few",), 1, "few: line 1: 'ba'; expected <TransitionModel>"),
    ):
        found, _, err = command("import-model", *arguments, "--out", "m")
        assert (found, message in err) == (status, True), err
        assert not Path("m").exists()


def test_a_mixture_of_scikit_learn_goes_to_every_format_and_no_pickle_is_opened(tmp_path: Path) -> None:
    pytest.importorskip("sklearn")
    from sklearn.mixture import GaussianMixture

    from speechgmm.sklearn import from_sklearn, to_sklearn

    frames = np.random.default_rng(0).normal(size=(200, 2))
    theirs = GaussianMixture(2, covariance_type="diag", random_state=0).fit(frames)
    model = from_sklearn(theirs).model_
    sg.write_kaldi_models(model, tmp_path / "final.dubm")
    back = to_sklearn(sg.read_kaldi_models(tmp_path / "final.dubm")[0])
    np.testing.assert_allclose(back.score_samples(frames), theirs.score_samples(frames), rtol=1e-5)
    models = sg.ClassModels(("a", "b"), (model, model), np.log([0.5, 0.5]))
    sg.save_models(models, tmp_path / "m.safetensors")
    assert sg.load(tmp_path / "m.safetensors").exported().mixtures[0].weights.tolist() == model.weights.tolist()
    (tmp_path / "model.joblib").write_bytes(pickle.dumps(theirs))
    with pytest.raises(DataError, match=r"model\.joblib: "):
        sg.read_kaldi_models(tmp_path / "model.joblib")
