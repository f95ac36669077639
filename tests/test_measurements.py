"""What is measured of samples on their way to features: digital silence, level, offset, band."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from speechgmm.features import FeatureSpec, front_end, raw_features
from speechgmm.features.measurements import Measured, Measurements
from speechgmm.features.silence import not_silent

PRESETS = ("kaldi", "htk", "librosa")


SPEC = FeatureSpec()


def measured(samples, spec=SPEC, rate=16000, cuts=()):
    pieces = np.split(samples.astype(np.float32), sorted(min(cut, len(samples)) for cut in cuts))
    passing = Measured(pieces, front_end(spec, rate))
    passed = np.concatenate(list(passing))
    assert (passed == samples.astype(np.float32)).all()
    return passing.result()


def noise(seconds, rate=16000, seed=0):
    return np.random.default_rng(seed).normal(0, 0.1, round(seconds * rate))


def low_passed(samples, rate, cut):
    spectrum = np.fft.rfft(samples)
    spectrum[np.fft.rfftfreq(len(samples), 1 / rate) > cut] = 0
    return np.fft.irfft(spectrum, len(samples))


def by_brute_force(samples, spec, rate):
    """Frames all of whose samples within the recording are equal."""
    plan = front_end(spec, rate)
    found = []
    for t in range(plan.n_frames(len(samples))):
        first = plan.first_start + t * plan.frame_shift
        frame = samples[max(0, first) : first + plan.frame_length]
        found.append(len(set(frame.tolist())) == 1)
    return np.array(found, bool)


@settings(max_examples=150, deadline=None)
@given(
    st.lists(st.tuples(st.integers(1, 2500), st.sampled_from(["noise", 0.0, 0.0, 0.25])), min_size=1, max_size=6),
    st.lists(st.integers(0, 12000), max_size=5),
    st.sampled_from(PRESETS),
)
def test_silent_frames_are_those_whose_samples_are_all_equal_wherever_the_recording_is_cut(parts, cuts, preset):
    stretches = [noise(n / 16000, seed=n) if what == "noise" else np.full(n, what) for n, what in parts]
    samples = np.concatenate(stretches).astype(np.float32)
    spec = FeatureSpec(preset=preset)
    expected = by_brute_force(samples, spec, 16000)
    found = ~not_silent(measured(samples, spec, cuts=cuts).silent, 0, len(expected))
    # A frame that overhangs an edge holds less than a frame of the recording: a shorter run there is not counted.
    plan = front_end(spec, 16000)
    starts = plan.first_start + plan.frame_shift * np.arange(len(expected))
    inside = (starts >= 0) & (starts + plan.frame_length <= len(samples))
    assert (found[inside] == expected[inside]).all()
    assert not (found & ~expected).any()


def test_features_are_the_same_of_samples_that_are_measured_on_the_way():
    samples = noise(1.3).astype(np.float32)
    passing = Measured(np.split(samples, [3000, 9000]), front_end(FeatureSpec(), 16000))
    assert (raw_features(FeatureSpec(), passing, 16000)[0] == raw_features(FeatureSpec(), samples, 16000)[0]).all()


def test_level_is_that_of_what_is_not_silence():
    tone = 0.5 * np.sin(np.arange(16000) * 0.3)
    alone, padded = measured(tone), measured(np.concatenate([np.zeros(8000), tone, np.zeros(40000)]))
    assert alone.level == pytest.approx(20 * np.log10(0.5 / np.sqrt(2)), abs=0.02)
    assert padded.level == pytest.approx(alone.level, abs=0.05)


def test_offset_is_the_mean_of_the_samples():
    assert measured(noise(1) + 0.07).offset == pytest.approx(0.07, abs=0.003)


@pytest.mark.parametrize("cut", [3400, 4000, 5500])
def test_the_band_ends_where_a_low_pass_filter_cut_it(cut):
    assert measured(low_passed(noise(2), 16000, cut)).band == pytest.approx(cut, rel=0.08)


def test_a_tone_has_no_narrow_band():
    assert measured(0.5 * np.sin(np.arange(32000) * 0.3)).band == 8000


@pytest.mark.parametrize("slope", [0, 20, 40])
def test_a_spectrum_that_fades_has_the_whole_band(slope):
    samples = noise(2)
    spectrum = np.fft.rfft(samples)
    octaves = np.log2(np.maximum(np.fft.rfftfreq(len(samples), 1 / 16000), 500) / 500)
    samples = np.fft.irfft(spectrum * 10 ** (-slope * octaves / 4 / 20), len(samples))
    assert measured(samples).band == 8000


def test_a_file_of_a_lower_rate_reaches_half_of_it_at_most():
    passing = Measured([noise(1).astype(np.float32)], front_end(FeatureSpec(), 16000))
    list(passing)
    assert (passing.result(8000).band, passing.result(8000).rate) == (4000, 8000)


def test_measurements_go_through_json():
    import json

    known = Measurements(-20.5, 0.001, 4000.0, 8000, ((0, 3), (7, 9)))
    assert Measurements.of(json.loads(json.dumps(known))) == known
    assert known.n_silent == 5
