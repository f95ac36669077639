"""The pitch stream: known pitches are found, frames lie where the cepstra's do, and nothing else is read."""

import numpy as np
import pytest

import speechgmm as sg
from speechgmm.errors import ConfigError, DataError
from speechgmm.features import front_end, raw_features
from speechgmm.features.noise import added, gain_for, white

PITCH = sg.FeatureSpec(kind="f0")


def voice(pitch: float, seconds: float, rate: int) -> np.ndarray:
    """Harmonics that fall by 6 dB an octave."""
    time = np.arange(int(seconds * rate)) / rate
    return (0.1 * sum(np.sin(2 * np.pi * pitch * k * time + k) / k for k in range(1, 12))).astype(np.float32)


@pytest.mark.parametrize("rate", [8000, 16000])
@pytest.mark.parametrize("pitch", [80.0, 125.0, 210.0, 330.0])
def test_a_known_pitch_is_found_in_quiet_and_in_noise(pitch: float, rate: int) -> None:
    samples = voice(pitch, 1, rate)
    gain = gain_for([samples], white(np.random.default_rng(0)), 5)
    noisy = np.concatenate(list(added([samples], white(np.random.default_rng(0)), gain)))
    for heard in (samples, noisy):
        frames, voiced = raw_features(PITCH, heard, rate)
        assert voiced is not None
        assert voiced.mean() > 0.8
        assert np.exp(np.median(frames[voiced])) == pytest.approx(pitch, rel=0.01)


@pytest.mark.parametrize("n", [400, 7999, 16000, 40123])
def test_frames_lie_where_those_of_the_cepstra_lie(n: int) -> None:
    rate = 16000
    front = front_end(PITCH, rate)
    quiet = np.zeros(n, np.float32)
    quiet[n // 2 :] = voice(125, 3, rate)[: n - n // 2]
    frames, voiced = raw_features(PITCH, quiet, rate)
    assert frames.shape == (front.n_frames(n), 1) == (len(raw_features(sg.FeatureSpec(), quiet, rate)[0]), front.n_dims)
    assert voiced is not None
    if voiced.any():
        centres = (front.first_centre + front.frame_shift * np.arange(len(voiced))) / rate
        assert centres[voiced].min() == pytest.approx(n / 2 / rate, abs=0.04)


def test_a_recording_in_pieces_gives_the_frames_of_the_whole() -> None:
    samples = voice(140, 2.3, 16000)
    whole = raw_features(PITCH, samples, 16000)
    parts = raw_features(PITCH, (samples[n : n + 1111] for n in range(0, len(samples), 1111)), 16000)
    np.testing.assert_array_equal(whole[0], parts[0])
    np.testing.assert_array_equal(whole[1], parts[1])  # type: ignore[arg-type]


def test_frames_are_those_of_voice_alone() -> None:
    samples = np.concatenate([voice(125, 1, 16000), np.zeros(16000, np.float32)])
    assert len(sg.extract(PITCH, samples, 16000)) < 105
    with pytest.raises(DataError, match="voiced"):
        sg.extract(PITCH, 0.1 * np.random.default_rng(0).standard_normal(8000).astype(np.float32), 16000)


@pytest.mark.parametrize("setting", [{"n_ceps": 20}, {"deltas": 1}, {"vad": "peak"}, {"warp": 0.9}, {"n_mels": 40}])
def test_settings_of_cepstra_are_refused(setting: dict[str, object]) -> None:
    with pytest.raises(ConfigError, match="no effect with kind f0"):
        sg.FeatureSpec(kind="f0", **setting)  # type: ignore[arg-type]
