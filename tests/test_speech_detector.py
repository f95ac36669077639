"""The speech detector: its frames, its decisions, its training among made sounds, and the files that carry it."""

from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise, product
from pathlib import Path

import numpy as np
import pytest
import soundfile
from safetensors.numpy import load_file
from test_diarization import RATE, command, voice

import speechgmm as sg
from speechgmm.engine import run
from speechgmm.engine.audio_input import AudioInput
from speechgmm.engine.console import Console
from speechgmm.engine.speech_detectors import read_detector
from speechgmm.errors import ConfigError, DataError, ModelFileError
from speechgmm.features import FeatureSpec, raw_features
from speechgmm.features.made_sounds import SOUNDS, made_sound
from speechgmm.features.periodicity import periodicity, window_length
from speechgmm.features.speech_frames import SpeechFrames
from speechgmm.gmm import adapt_map, log_likelihoods
from speechgmm.hmm.speech_detector import SpeechDetector, SpeechDetectorSpec
from speechgmm.hmm.speech_detector_training import SceneSpec, frames_of, train_speech_detector
from speechgmm.tasks.diarization import make_conversation
from speechgmm.tasks.diarization.codec import read_diarizer, save_diarizer
from speechgmm.tasks.diarization.recordings import FRONT_END, heard, heard_alone

SCENES = SceneSpec(n_components=8, n_scenes=20)


@pytest.fixture(scope="module")
def detector() -> SpeechDetector:
    """Trained on ten voices."""
    voices = [voice(number, 6.0) for number in range(10)]
    return train_speech_detector(voices, RATE, scenes=SCENES, n_jobs=1)


@pytest.fixture(scope="module")
def spoken(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of eight voices, a diarizer of them with a detector, and a recording of noise with one word."""
    place = tmp_path_factory.mktemp("detector")
    for number in range(8):
        (place / "voices" / f"s{number}").mkdir(parents=True)
        soundfile.write(place / "voices" / f"s{number}" / "a.wav", voice(number, 6.0), RATE)
    assert (
        command(
            "train-diarizer",
            place / "voices",
            "--out",
            place / "d.safetensors",
            "--components",
            "4",
            "--conversations",
            "3",
            "-q",
        )
        == 0
    )
    soundfile.write(place / "word.wav", _with_a_word(), RATE)
    return place


def _with_a_word() -> np.ndarray:
    """Noise of twelve seconds, in which somebody speaks from 5 to 7 s."""
    samples = 0.002 * np.random.default_rng(5).standard_normal(12 * RATE)
    samples[5 * RATE : 7 * RATE] += voice(300, 2.0)
    return samples.astype(np.float32)


def test_decisions_are_the_same_wherever_the_samples_are_cut(detector: SpeechDetector) -> None:
    samples, spec = np.concatenate([_with_a_word()] * 2), FeatureSpec(vad="model")
    frames, speech = raw_features(spec, samples, RATE, detector=detector)
    pieces = np.split(samples, [3, 1000, 1001, 90_000])
    cut_frames, cut_speech = raw_features(spec, iter(pieces), RATE, detector=detector)
    np.testing.assert_array_equal(cut_frames, frames)
    np.testing.assert_array_equal(cut_speech, speech)
    buffer = np.empty(1000, np.float32)

    def through_one_buffer() -> Iterator[np.ndarray]:
        for first in range(0, len(samples), 1000):
            buffer[:] = samples[first : first + 1000]
            yield buffer

    assert len(samples) % 1000 == 0
    np.testing.assert_array_equal(raw_features(spec, through_one_buffer(), RATE, detector=detector)[1], speech)
    whole, cut = SpeechFrames(RATE), SpeechFrames(RATE)
    for passing, parts in ((whole, [samples]), (cut, pieces)):
        assert sum(len(piece) for piece in passing.through(parts)) == len(samples)
    np.testing.assert_array_equal(whole.result()[0], cut.result()[0])


def test_a_word_in_noise_is_found_and_nothing_in_noise_silence_or_sounds_that_are_made(
    detector: SpeechDetector,
) -> None:
    speech = raw_features(FeatureSpec(vad="model"), _with_a_word(), RATE, detector=detector)[1]
    assert speech is not None
    at = np.flatnonzero(speech) / 100
    assert 4.6 < at.min() < 5.4
    assert 6.6 < at.max() < 7.4
    quiet = [np.zeros(4 * RATE, np.float32)]
    quiet += [0.01 * made_sound(kind, 4 * RATE, RATE, np.random.default_rng(77)) for kind in ("noise", "bursts")]
    for samples in quiet:
        found = raw_features(FeatureSpec(vad="model"), samples, RATE, detector=detector)[1]
        assert found is not None
        assert not found.any()


@pytest.mark.parametrize(("min_speech", "min_pause"), [(0.03, 0.02), (0.02, 0.04), (0.01, 0.01)])
def test_a_decision_is_the_most_probable_of_all_paths_whose_stretches_last_long_enough(
    detector: SpeechDetector, min_speech: float, min_pause: float
) -> None:
    spec = SpeechDetectorSpec(min_speech=min_speech, min_pause=min_pause, prior=0.3, turnover=0.2, weight=0.5)
    ratios = np.random.default_rng(3).normal(0, 4, 11)
    least = (round(100 * min_pause), round(100 * min_speech))
    shares = (0.7, 0.3)
    leaving = [1 / max(1.0, share * 20 - count + 1) for share, count in zip(shares, least, strict=True)]

    def value(path: tuple[int, ...]) -> float:
        edges = [0, *(np.flatnonzero(np.diff(path)) + 1), len(path)]
        total = np.log(shares[path[0]])
        for first, stop in pairwise(edges):
            kind, length = path[first], stop - first
            if length < least[kind]:
                return -np.inf
            total += (length - least[kind]) * np.log1p(-leaving[kind]) + np.log(leaving[kind])
        return float(total + 0.5 * np.clip(ratios, -6, 6) @ np.array(path))

    best = max(product((0, 1), repeat=len(ratios)), key=value)
    found = replace(detector, spec=spec).decide(ratios)
    assert value(tuple(found.astype(int).tolist())) == pytest.approx(value(best))


def test_the_mixtures_are_adapted_to_the_confident_frames_of_the_recording(detector: SpeechDetector) -> None:
    frames, _ = frames_of(_with_a_word(), RATE)
    plain = log_likelihoods(detector.speech, frames) - log_likelihoods(detector.other, frames)
    none = replace(detector, spec=SpeechDetectorSpec(adaptations=0))
    np.testing.assert_allclose(none.log_ratios(frames), plain)
    near = [np.clip(plain, -12, 12)[max(0, t - 10) : t + 11].mean() for t in range(len(plain))]
    models = []
    for model, sign in ((detector.speech, 1), (detector.other, -1)):
        floor = 0.01 * (model.weights[:, None] * model.variances).sum(axis=0)
        chosen = frames[sign * np.array(near) > 2.0]
        assert len(chosen) > 50
        models.append(adapt_map(model, chosen, 64, parameters=("means", "variances"), floor=floor, n_jobs=1).model)
    expected = log_likelihoods(models[0], frames) - log_likelihoods(models[1], frames)
    once = replace(detector, spec=SpeechDetectorSpec(adaptations=1))
    np.testing.assert_allclose(once.log_ratios(frames), expected)


def test_periodicity_is_the_highest_autocorrelation_over_that_of_the_window() -> None:
    rng = np.random.default_rng(0)
    samples = (np.sin(2 * np.pi * 170 * np.arange(2000) / RATE) + rng.normal(0, 0.5, 2000)).astype(np.float32)
    starts = np.array([0, 333, 1600])
    length = window_length(RATE)
    taper = np.hanning(length)
    for start, found in zip(starts, periodicity(samples, starts, RATE), strict=True):
        window = samples[start : start + length].astype(float)
        window = (window - window.mean()) * taper
        ratios = [
            (window[lag:] @ window[:-lag]) / (window @ window) / ((taper[lag:] @ taper[:-lag]) / (taper @ taper))
            for lag in range(RATE // 400, -(-RATE // 65) + 1)
        ]
        assert found == pytest.approx(np.clip(max(ratios), 0, 1), abs=1e-4)


@pytest.mark.parametrize("kind", SOUNDS)
def test_a_made_sound_has_power_one_and_hangs_on_its_seed_alone(kind: str) -> None:
    one, same, other = (made_sound(kind, 3000, RATE, np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert np.mean(one.astype(float) ** 2) == pytest.approx(1, abs=1e-3)
    np.testing.assert_array_equal(one, same)
    assert not np.array_equal(one, other)


def test_training_gives_the_same_detector_for_any_worker_count_and_refuses_too_little_speech() -> None:
    voices = [voice(number, 3.0) for number in range(4)]
    one, two = (train_speech_detector(voices, RATE, scenes=SCENES, n_jobs=n) for n in (1, 2))
    np.testing.assert_array_equal(one.speech.means, two.speech.means)
    np.testing.assert_array_equal(one.other.variances, two.other.variances)
    with pytest.raises(DataError, match="0 frames of speech in 1 recordings; a speech detector is trained on 200"):
        train_speech_detector([np.zeros(RATE, np.float32)], RATE)


def test_a_diarizer_carries_its_detector_and_uses_it(spoken: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = read_diarizer(spoken / "d.safetensors")
    assert file.audio.features.vad == "model"
    assert file.audio.detector is not None
    capsys.readouterr()
    assert command("diarize", spoken / "word.wav", "--model", spoken / "d.safetensors", "-q") == 0
    (line,) = capsys.readouterr().out.splitlines()
    start, duration = (float(column) for column in line.split()[3:5])
    assert 4.6 < start < 5.4
    assert 1.4 < duration < 2.6
    noise = spoken / "noise.wav"
    soundfile.write(noise, _with_a_word()[: 4 * RATE], RATE)
    assert command("diarize", noise, "--model", spoken / "d.safetensors") == 0
    said = capsys.readouterr()
    assert said.out == ""
    assert "nobody speaks" in said.err
    assert "a speech detector" in "\n".join(_inspected(spoken / "d.safetensors"))


def _inspected(path: Path) -> list[str]:
    from speechgmm.tasks.diarization.description import describe

    return list(describe(path))


def test_a_diarizer_with_a_detector_is_written_as_it_was_read(spoken: Path, tmp_path: Path) -> None:
    save_diarizer(read_diarizer(spoken / "d.safetensors"), tmp_path / "again.safetensors")
    assert (tmp_path / "again.safetensors").read_bytes() == (spoken / "d.safetensors").read_bytes()


def test_the_detector_of_a_run_is_that_of_the_command(spoken: Path) -> None:
    config = spoken / "voices.yaml"
    config.write_text(
        "task: diarization\ncorpus: {kind: folder, root: voices, label: speaker, group: speaker, "
        f"sample_rate: {RATE}, "
        "split: {kind: all}}\nfeatures: {preset: kaldi, n_mels: 40, n_ceps: 20, use_energy: false, vad: energy, "
        "vad_threshold: 1.0, vad_context: 5}\ndiarization: {n_components: 4, conversations: 3}\nparallel: {n_jobs: 1}\n"
        "cache: cache\noutput: run\n"
    )
    folder = run(config, output=spoken / "run", console=Console(quiet=True)).folder
    of_run, of_command = (load_file(path) for path in (folder / "models.safetensors", spoken / "d.safetensors"))
    assert of_run.keys() == of_command.keys()
    assert all(of_run[name].tobytes() == of_command[name].tobytes() for name in of_run)


def test_every_task_takes_a_detector_and_its_models_need_the_file_no_more(spoken: Path, tmp_path: Path) -> None:
    named = tmp_path / "named.safetensors"
    named.write_bytes((spoken / "d.safetensors").read_bytes())
    config = tmp_path / "who.yaml"
    config.write_text(
        f"corpus: {{kind: folder, root: {spoken / 'voices'}, label: speaker, sample_rate: {RATE}, "
        "split: {kind: all}}\nfeatures: {vad: model, vad_model: named.safetensors}\nmodel: {n_components: 2}\n"
        "parallel: {n_jobs: 1}\ncache: cache\n"
    )
    folder = run(config, output=tmp_path / "run", console=Console(quiet=True)).folder
    detector = read_detector(named)
    named.unlink()
    frames = read_detector(folder)
    np.testing.assert_array_equal(frames.speech.means, detector.speech.means)
    model = sg.load(folder)
    result = model.score(spoken / "word.wav")
    speech = raw_features(FeatureSpec(vad="model"), _with_a_word(), RATE, detector=detector)[1]
    assert speech is not None
    assert result.n_frames == speech.sum()


def test_vad_finds_speech_by_the_detector_of_a_model(spoken: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = sg.detect_speech(spoken / "word.wav", spec=FeatureSpec(vad="model"), detector=spoken / "d.safetensors")
    ((start, end),) = found.stretches
    assert 4.6 < start < 5.4 < 6.6 < end < 7.4
    capsys.readouterr()
    assert command("vad", spoken / "word.wav", "--method", "model", "--model", spoken / "d.safetensors", "-q") == 0
    assert f"{start:8.3f} to {end:8.3f} s" in capsys.readouterr().out


def test_a_detector_that_cannot_be_used_is_refused(spoken: Path, detector: SpeechDetector, tmp_path: Path) -> None:
    spec = FeatureSpec(vad="model")
    with pytest.raises(ConfigError, match=r"features\.vad: model has a speech detector for 8000 Hz, and .* 16000 Hz"):
        raw_features(spec, np.ones(4000, np.float32), 16000, detector=detector)
    with pytest.raises(ConfigError, match=r"features\.vad: model needs a speech detector, and none is given"):
        raw_features(spec, np.ones(4000, np.float32), RATE)
    with pytest.raises(ModelFileError, match="there is no such model file"):
        read_detector(tmp_path / "none.safetensors")
    with pytest.raises(ConfigError, match=r"a speech detector and features\.vad: gaussians"):
        sg.detect_speech(spoken / "word.wav", detector=spoken / "d.safetensors")
    kept = Path(__file__).parent / "kept" / "class" / "models.safetensors"
    with pytest.raises(ConfigError, match=r"models of classes, without a speech detector; give a diarizer"):
        read_detector(kept)
    config = tmp_path / "c.yaml"
    config.write_text("corpus: {kind: folder, root: .}\nfeatures: {vad: model}\n")
    with pytest.raises(ConfigError, match=r"features\.vad: model needs features\.vad_model"):
        run(config, console=Console(quiet=True))
    assert command("vad", spoken / "word.wav", "--method", "model") == 2
    assert command("vad", spoken / "word.wav", "--model", spoken / "d.safetensors") == 2


def test_without_a_diarizer_the_noise_of_a_recording_with_little_speech_is_no_speech(
    spoken: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    capsys.readouterr()
    assert command("diarize", spoken / "word.wav", "--n-speakers", "1", "-q") == 0
    turns = [line.split() for line in capsys.readouterr().out.splitlines()]
    seconds = sum(float(turn[4]) for turn in turns)
    assert 1.5 < seconds < 3.0
    assert all(4.5 < float(turn[3]) < 7.5 for turn in turns)
    audio = AudioInput(FRONT_END, RATE)
    talk = make_conversation([("a", voice(1, 6.0)), ("b", voice(2, 6.0))], RATE).samples
    np.testing.assert_array_equal(heard_alone(audio, talk)[1], heard(audio, talk)[1])
