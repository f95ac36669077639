"""The scorer in one file, without anything but numpy: the package's scores, and what it refuses."""

import subprocess
import sys
import warnings
import wave
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from exported_models import MODELS, RATE, speech, trained
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import speechgmm as sg
from speechgmm.engine.audio_input import AudioInput
from speechgmm.engine.scorer_file import export_scorer, scorer_code
from speechgmm.errors import ConfigError, RecordingWarning
from speechgmm.features import front_end, raw_features
from speechgmm.standalone.frames import FrontEnd, ScorerError, read_wave
from speechgmm.standalone.scorer import load
from speechgmm.tasks.classification.codec import serialise
from speechgmm.tasks.classification.spec import DecisionSpec
from speechgmm.tasks.verification.codec import ClaimFile
from speechgmm.tasks.verification.models import ClaimModels, Cohort
from speechgmm.tasks.verification.score_maps import Affine, Calibration, Pav
from speechgmm.tasks.verification.score_norm import ScoreNorm
from speechgmm.vectors.cosine_scoring import Compensation

KEPT = Path(__file__).parent / "kept"

BLOCKED = """
import sys
class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] not in sys.stdlib_module_names | {"numpy", "numpy_scorer"}:
            raise ImportError(f"{name} is not there")
sys.meta_path.insert(0, Blocker())
sys.path.insert(0, sys.argv.pop(1))
import numpy_scorer
assert not {"speechgmm", "scipy", "numba", "librosa", "soxr", "safetensors", "soundfile"} & set(sys.modules)
numpy_scorer.main()
"""


def agree(found: dict[str, Any], expected: Any) -> None:
    """The scores of the scorer are those of the package, to a millionth."""
    assert found["decision"] == expected.decision
    assert found["n_frames"] == expected.n_frames
    for label, value, posterior in zip(
        expected.labels, expected.log_likelihoods, expected.posteriors or expected.log_likelihoods, strict=True
    ):
        assert found["log_likelihoods"][label] == pytest.approx(value, rel=1e-6, abs=1e-6)
        if expected.posteriors is not None:
            assert found["posteriors"][label] == pytest.approx(posterior, abs=1e-5)


@pytest.mark.parametrize("name", MODELS)
def test_scores_are_those_of_the_package(name: str, tmp_path: Path) -> None:
    path = trained(tmp_path, **MODELS[name])
    scorer, model = load(path), sg.load(path)
    for seed, pitch in ((50, 110.0), (51, 180.0), (52, 250.0)):
        agree(scorer.score(speech(seed, pitch), RATE), model.score(speech(seed, pitch), RATE))


specs = st.fixed_dictionaries(
    {},
    optional={
        "preset": st.sampled_from(["kaldi", "htk", "slaney", "librosa", "asvspoof"]),
        "kind": st.sampled_from(["mfcc", "lfcc"]),
        "n_ceps": st.integers(2, 20),
        "n_mels": st.integers(20, 40),
        "frame_length": st.floats(12, 60),
        "frame_shift": st.floats(5, 20),
        "low_frequency": st.floats(0, 300),
        "high_frequency": st.floats(2500, 4000),
        "preemphasis": st.sampled_from([0.0, 0.9, 0.97]),
        "window": st.sampled_from(["povey", "hamming", "hann", "blackman", "sine", "rectangular"]),
        "remove_mean": st.booleans(),
        "raw_energy": st.booleans(),
        "energy_floor": st.sampled_from([1e-3, 1e6]),
        "spectrum": st.sampled_from(["power", "magnitude"]),
        "lifter": st.sampled_from([0.0, 22.0]),
        "use_energy": st.booleans(),
        "snip_edges": st.booleans(),
        "top_db": st.sampled_from([40.0, 80.0]),
        "c0": st.sampled_from(["absolute", "relative", "drop"]),
        "deltas": st.integers(0, 2),
        "delta_method": st.sampled_from(["kaldi", "htk"]),
        "delta_window": st.integers(1, 3),
        "vad": st.sampled_from(["none", "energy", "peak"]),
    },
)


@settings(max_examples=40)
@given(specs, st.integers(0, 100), st.integers(1500, 4000))
def test_frames_are_those_of_the_package_for_any_settings(chosen: dict[str, Any], seed: int, n_samples: int) -> None:
    try:
        spec = sg.FeatureSpec(**chosen)
        front_end(spec, RATE)
    except ConfigError:
        assume(False)
    samples = speech(seed)[:n_samples]
    expected, kept = raw_features(spec, samples, RATE)
    if kept is not None:
        assume(kept.any())
    found, speech_frames = FrontEnd(asdict(spec), RATE).frames(samples)
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=2e-4)
    assert speech_frames.tolist() == (np.ones(len(expected), bool) if kept is None else kept).tolist()


@pytest.mark.parametrize("chosen", [{}, {"snip_edges": False}, {"preset": "librosa", "frame_shift": 10.0}])
def test_digital_silence_is_left_out_as_the_package_leaves_it_out(chosen: dict[str, Any], tmp_path: Path) -> None:
    path = trained(tmp_path, **chosen)
    scorer, model = load(path), sg.load(path)
    sound = speech(3)
    for first, last, middle in ((3000, 0, 0), (0, 2500, 0), (150, 150, 0), (0, 0, 700), (1000, 1000, 1500)):
        parts = [np.zeros(first), sound[:2500], np.full(middle, 0.25), sound[2500:5000], np.zeros(last)]
        samples = np.concatenate(parts).astype(np.float32)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RecordingWarning)  # of silence
            expected = model.score(samples, RATE)
        agree(scorer.score(samples, RATE), expected)


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of an exported model."""
    folder = tmp_path_factory.mktemp("exported")
    export_scorer(trained(folder, deltas=1), folder / "board")
    return folder / "board"


def test_one_file_scores_where_nothing_but_numpy_can_be_imported(exported: Path, tmp_path: Path) -> None:
    assert sorted(path.name for path in exported.iterdir()) == ["models.safetensors", "numpy_scorer.py"]
    soundfile.write(tmp_path / "a.wav", speech(60, 180.0), RATE, "PCM_16")
    arguments = [str(exported), str(exported / "models.safetensors"), "a.wav", "none.wav"]
    done = subprocess.run([sys.executable, "-c", BLOCKED, *arguments], capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 1
    assert "error: " in done.stderr
    assert "none.wav" in done.stderr
    assert "Traceback" not in done.stderr
    head, *rows = [line.split("\t") for line in done.stdout.splitlines()]
    assert head == ["recording", "decision", "label", "log_likelihoods", "posteriors", "llrs"]
    expected = sg.load(exported).score(tmp_path / "a.wav")
    assert [(row[1], row[2], row[5]) for row in rows] == [(expected.decision, label, "") for label in expected.labels]
    np.testing.assert_allclose([float(row[3]) for row in rows], expected.log_likelihoods, rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose([float(row[4]) for row in rows], expected.posteriors, atol=1e-5)


@pytest.mark.parametrize("subtype", ["PCM_U8", "PCM_16", "PCM_24", "PCM_32"])
@pytest.mark.parametrize("n_channels", [1, 2])
def test_wav_files_are_heard_as_the_package_hears_them(exported, tmp_path: Path, subtype: str, n_channels: int) -> None:
    left, right = speech(1), speech(2)
    soundfile.write(tmp_path / "a.wav", np.stack([left, right], axis=1)[:, :n_channels], RATE, subtype)
    heard, rate = read_wave(tmp_path / "a.wav")
    assert (heard.shape, rate) == ((len(left), n_channels), RATE)
    np.testing.assert_array_equal(heard, soundfile.read(tmp_path / "a.wav", dtype="float32", always_2d=True)[0])
    scorer = load(exported / "models.safetensors")
    agree(scorer.score(tmp_path / "a.wav"), sg.load(exported).score(tmp_path / "a.wav"))


def test_recordings_that_cannot_be_scored_are_refused_with_their_name(exported: Path, tmp_path: Path) -> None:
    scorer = load(exported / "models.safetensors")
    soundfile.write(tmp_path / "rate.wav", speech(1), 16000)
    soundfile.write(tmp_path / "float.wav", speech(1), RATE, "FLOAT")
    soundfile.write(tmp_path / "zero.wav", np.zeros(4000), RATE)
    soundfile.write(tmp_path / "short.wav", speech(1)[:50], RATE)
    soundfile.write(tmp_path / "whole.wav", speech(1), RATE)
    data = (tmp_path / "whole.wav").read_bytes()
    (tmp_path / "cut.wav").write_bytes(data[:-1000])
    (tmp_path / "other.wav").write_bytes(b"hello")
    for name, message in {
        "rate": "sample rate 16000 Hz, and the model takes 8000 Hz",
        "float": "not a WAV file of whole numbers",
        "zero": "all zero",
        "short": "too short for one frame",
        "cut": "truncated",
        "other": "not a WAV file",
    }.items():
        with pytest.raises(ScorerError, match=rf"{name}\.wav: .*{message}"):
            scorer.score(tmp_path / f"{name}.wav")
    with pytest.raises(ScorerError, match="NaN"):
        scorer.score(np.full(4000, np.nan), RATE)
    with pytest.raises(ScorerError, match="sample rate None Hz"):
        scorer.score(speech(1))


NORMS = (None, "z", "t", "zt", "s", "as")
CLAIMS = [(norm, kind) for norm in NORMS for kind in (None, "affine", "pav")]
CLAIMS += [(norm, "quality") for norm in NORMS[2:]]  # measured by models of a cohort


@pytest.mark.parametrize(("norm", "kind"), CLAIMS)
def test_claims_are_normalised_calibrated_and_decided_as_in_the_package(norm, kind, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    ubm = sg.fit_gmm(np.concatenate([sg.extract(sg.FeatureSpec(), speech(n), RATE) for n in range(3)]), 4, seed=0).model
    moved = [replace(ubm, means=ubm.means + rng.normal(0, 1, ubm.means.shape)) for _ in range(8)]
    cohort = None
    if norm is not None:
        others, two = () if norm == "z" else tuple(moved[3:]), np.array([0.1, 0.5])
        by_model = None if norm == "t" else rng.normal(0, 1, (3, 2)) ** 2 + two
        by_other = rng.normal(0, 1, (5, 2)) ** 2 + two if norm == "zt" else None
        found = ScoreNorm(norm, 3 if norm == "as" else None, by_model, by_other)
        cohort = Cohort(tuple("vwxyz"[: len(others)]), others, found)
    calibration = None
    if kind is not None:
        how = Pav(np.array([-1.0, 0.0, 2.0]), np.array([-3.0, 0.5, 4.0]))
        weights = np.array([2.0, 0.7] if kind == "quality" else [2.0])
        how = how if kind == "pav" else Affine(weights, 0.3)
        quality = "cohort" if kind == "quality" else "none"
        calibration = Calibration(how, 0.5, DecisionSpec(), "folds", 9, 9, (1, 9), quality)
    models = ClaimModels(
        tuple("abc"), tuple(moved[:3]), np.log(np.ones(3) / 3), ubm=ubm, top_components=2, cohort=cohort
    )
    file = ClaimFile(models, AudioInput(sg.FeatureSpec(), RATE), calibration=calibration)
    (tmp_path / "models.safetensors").write_bytes(serialise(file))
    scorer, model = load(tmp_path / "models.safetensors"), sg.load(tmp_path)
    for seed in (3, 4, 5):
        samples = speech(seed, 100.0 + 50 * seed)
        found, frames = scorer.score(samples, RATE), sg.extract(sg.FeatureSpec(), samples, RATE)
        scores, llrs = file.judged(frames)
        raw = models.mean_log_likelihood_ratios(frames)
        np.testing.assert_allclose(list(found["ratios"].values()), raw, rtol=1e-5, atol=1e-5)
        assert ("scores" in found, "llrs" in found) == (norm is not None, kind is not None)
        np.testing.assert_allclose(list(found.get("scores", found["ratios"]).values()), scores, rtol=1e-4, atol=1e-4)
        if llrs is not None:
            np.testing.assert_allclose(list(found["llrs"].values()), llrs, rtol=1e-4, atol=1e-4)
            assert found["threshold"] == 0.5
        assert found["decision"] == model.score(samples, RATE).decision


def test_real_digits_score_as_in_the_package(shared: Path, tmp_path: Path) -> None:
    spec, folder = sg.FeatureSpec(deltas=2, cmvn="utterance", vad="peak"), shared / "data" / "fsdd" / "recordings"
    frames = {}
    for speaker in ("george", "jackson"):
        several = sorted(folder.glob(f"?_{speaker}_1.wav"))
        frames[speaker] = np.concatenate(
            [sg.extract(spec, soundfile.read(one, dtype="float32")[0], RATE) for one in several]
        )
    models = replace(sg.train_classes(frames, n_components=4), temperature=0.05)
    sg.save_models(models, tmp_path / "models.safetensors", audio=AudioInput(spec, RATE))
    scorer, model = load(tmp_path / "models.safetensors"), sg.load(tmp_path)
    paths = [path for speaker in frames for path in sorted(folder.glob(f"?_{speaker}_2.wav"))]
    assert len(paths) == 20
    for path in paths:
        agree(scorer.score(path), model.score(path))


REFUSED = {
    "variational": "predictive-density",
    "segments": "not a model of classes",
    "recognition": "not a model of classes",
    "anomaly": "not a model of classes",
}


@pytest.mark.parametrize("name", REFUSED)
def test_models_beyond_the_scorer_are_refused_by_name(name: str, tmp_path: Path) -> None:
    with pytest.raises(ScorerError, match=rf"models\.safetensors: .*{REFUSED[name]}"):
        load(KEPT / name / "models.safetensors")
    with pytest.raises(ConfigError, match=r"models\.safetensors|numpy scorer"):
        export_scorer(KEPT / name, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_features_and_files_beyond_the_scorer_are_refused_by_name(tmp_path: Path) -> None:
    refused = ({"kind": "f0"}, {"kind": "fbank"}, {"warp": 1.1}, {"vad": "gaussians"})
    for chosen, message in ((one, f"{name}: {value}") for one in refused for name, value in one.items()):
        with pytest.raises(
            ScorerError, match=f"features.{message}, which this scorer does not compute; expected .*: train"
        ):
            FrontEnd(asdict(sg.FeatureSpec(**chosen)), RATE)
    with pytest.raises(ScorerError, match=r"features\.invented: 3"):
        FrontEnd({**asdict(sg.FeatureSpec()), "invented": 3}, RATE)
    (tmp_path / "m.safetensors").write_bytes(b"hello")
    data = (KEPT / "class" / "models.safetensors").read_bytes()
    (tmp_path / "cut.safetensors").write_bytes(data[:-200])
    for name in ("m", "cut"):
        with pytest.raises(ScorerError, match=rf"{name}\.safetensors: not a whole model file"):
            load(tmp_path / f"{name}.safetensors")
    models = sg.load_models(KEPT / "class" / "models.safetensors")
    sg.save_models(models, tmp_path / "other.safetensors", audio=AudioInput(sg.FeatureSpec(), RATE))
    with pytest.raises(ScorerError, match=r"other\.safetensors: a damaged model file"):
        load(tmp_path / "other.safetensors")
    sg.save_models(models, tmp_path / "frames.safetensors")
    with pytest.raises(ScorerError, match="trained on frames"):
        load(tmp_path / "frames.safetensors")


@pytest.mark.parametrize("method", ["linear", "cosine"])
def test_what_was_measured_on_scores_that_are_no_ratios_goes_with_them(tmp_path: Path, method: str) -> None:
    file = sg.read_model_file(KEPT / "verify-norm" / "models.safetensors")
    models = replace(file.models, method=method, top_components=None, compensation=Compensation(4.0))
    (tmp_path / "models.safetensors").write_bytes(serialise(replace(file, models=models)))
    names = [f"{method}-scoring", "score-norm", "calibration"]
    with pytest.raises(ConfigError, match=rf"calibration: .*{method}-scoring: .*score-norm: "):
        export_scorer(tmp_path, tmp_path / "out", leave_out=[])
    with pytest.raises(ScorerError, match=f"{method}-scoring, score-norm, calibration"):
        load(tmp_path / "models.safetensors")
    export_scorer(tmp_path, tmp_path / "out", leave_out=names)
    found = load(tmp_path / "out" / "models.safetensors", names).score(speech(1), RATE)
    assert set(found) == {"decision", "n_frames", "log_likelihoods", "ratios"} | ({"posteriors"} & set(found))


def test_a_model_of_claims_keeps_its_calibration(tmp_path: Path) -> None:
    export_scorer(KEPT / "verify-norm", tmp_path)
    found, expected = (
        load(tmp_path / "models.safetensors").score(speech(1), RATE),
        sg.load(tmp_path).score(speech(1), RATE),
    )
    assert found["decision"] == expected.decision
    np.testing.assert_allclose([found["llrs"][label] for label in expected.labels], expected.llrs, rtol=1e-4, atol=1e-4)
    with pytest.raises(ConfigError, match="'calibration' to leave out of this model; expected nothing: all is held"):
        export_scorer(KEPT / "verify-norm", tmp_path, leave_out=["calibration"])


def test_the_file_is_made_of_the_two_halves_alone() -> None:
    code = scorer_code()
    assert "import speechgmm" not in code
    assert "from speechgmm" not in code
    assert code.startswith('"""Scores of recordings')
    assert code.rstrip().endswith("main()")


def test_a_wave_without_samples_is_refused(tmp_path: Path, exported: Path) -> None:
    with wave.open(str(tmp_path / "a.wav"), "wb") as file:
        file.setparams((1, 2, RATE, 0, "NONE", ""))
    with pytest.raises(ScorerError, match=r"a\.wav: "):
        load(exported / "models.safetensors").score(tmp_path / "a.wav")
