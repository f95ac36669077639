"""Kinds of feature against the programs that they reproduce, and against loops that are written out."""

from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from speechgmm.errors import ConfigError
from speechgmm.features import FeatureSpec, extract
from speechgmm.features.filterbanks import htk_bank, kaldi_bank

INT16 = 32768


def speechlike(n: int, seed: int = 0) -> np.ndarray:
    """Noise whose loudness and spectrum move."""
    rng = np.random.default_rng(seed)
    noise = np.convolve(rng.normal(size=n + 20), rng.normal(size=21), "valid")
    return (0.02 * noise * (1 + np.sin(np.arange(n) / 1500)) + 0.01 * rng.normal()).astype(np.float32)


def read_htk(path: Path) -> np.ndarray:
    raw = path.read_bytes()
    n_frames, n_bytes = int.from_bytes(raw[:4], "big"), int.from_bytes(raw[8:10], "big")
    return np.frombuffer(raw[12:], dtype=">f4").reshape(n_frames, n_bytes // 4)


HTK = {"preset": "htk", "n_mels": 23, "high_frequency": 8000, "spectrum": "power", "preemphasis": 0}
WARPED = {"low_frequency": 25, "warp_low": 100, "warp_high": 7500}


@pytest.mark.parametrize(
    ("number", "more"),
    [
        (1, {"low_frequency": 0}),
        (2, {"low_frequency": 25}),
        (3, {"warp": 0.9, **WARPED}),
        (4, {"warp": 1.1, **WARPED}),
    ],
)
def test_fbank_equals_the_files_of_hcopy_warped_ones_too(shared, number, more):
    folder = shared / "references" / "htk"
    samples, rate = soundfile.read(folder / "test.wav", dtype="float32")
    ours = extract(FeatureSpec(kind="fbank", **HTK, **more), samples, rate)
    np.testing.assert_allclose(ours, read_htk(folder / f"test.wav.fbank_htk.{number}"), rtol=0, atol=1e-4)


def test_warp_of_the_htk_preset_without_knots_is_kaldis():
    plain, warped = (htk_bank(23, 512, 16000, 20, 8000, 1.1, knots) for knots in ((None, None), (300, 6000)))
    np.testing.assert_array_equal(plain[:, 2:-1], kaldi_bank(23, 512, 16000, 20, 8000, 1.1)[:, 2:-1])
    assert np.abs(plain - warped).max() > 0.01


@st.composite
def kaldi_options(draw):
    """A spec and Kaldi's options of the same meaning; those of frames, bands, energies."""
    rate = draw(st.sampled_from([8000, 11025, 16000]))
    ours = {
        "frame_length": draw(st.floats(15, 40)),
        "frame_shift": draw(st.floats(5, 20)),
        "window": draw(st.sampled_from(["povey", "hamming", "hann", "blackman", "sine", "rectangular"])),
        "preemphasis": draw(st.sampled_from([0.0, 0.5, 0.97])),
        "remove_mean": draw(st.booleans()),
        "snip_edges": draw(st.booleans()),
        "n_mels": draw(st.integers(8, 30)),
        "low_frequency": draw(st.floats(0, 300)),
        "high_frequency": draw(st.floats(2500, rate / 2)),
        "use_energy": draw(st.booleans()),
    }
    if ours["use_energy"]:
        ours["raw_energy"] = draw(st.booleans())
        ours["energy_floor"] = draw(st.sampled_from([None, 1.0, 1e8]))
    return rate, ours


def set_kaldi_options(options, rate, ours):
    frames, mel = options.frame_opts, options.mel_opts
    frames.samp_freq, frames.dither, frames.snip_edges = rate, 0, ours["snip_edges"]
    frames.frame_length_ms, frames.frame_shift_ms = ours["frame_length"], ours["frame_shift"]
    frames.window_type = {"hann": "hanning"}.get(ours["window"], ours["window"])
    frames.preemph_coeff, frames.remove_dc_offset = ours["preemphasis"], ours["remove_mean"]
    mel.num_bins, mel.low_freq, mel.high_freq = ours["n_mels"], ours["low_frequency"], ours["high_frequency"]
    options.use_energy, options.raw_energy = ours["use_energy"], ours.get("raw_energy", True)
    options.energy_floor = ours.get("energy_floor") or 0.0


def by_kaldi(computer, samples, rate):
    computer.accept_waveform(rate, (samples * INT16).tolist())
    computer.input_finished()
    return np.array([computer.get_frame(t) for t in range(computer.num_frames_ready)])


@settings(max_examples=40)
@given(
    drawn=kaldi_options(), seed=st.integers(0, 9), log=st.booleans(), spectrum=st.sampled_from(["power", "magnitude"])
)
def test_fbank_equals_kaldi_native_fbank_whatever_the_options(drawn, seed, log, spectrum):
    knf = pytest.importorskip("kaldi_native_fbank")
    rate, ours = drawn
    samples = speechlike(rate // 2, seed)
    options = knf.FbankOptions()
    set_kaldi_options(options, rate, ours)
    options.use_log_fbank, options.use_power = log, spectrum == "power"
    theirs = by_kaldi(knf.OnlineFbank(options), samples, rate)
    spec = FeatureSpec(kind="fbank", log=log, spectrum=spectrum, **ours)
    np.testing.assert_allclose(extract(spec, samples, rate), theirs, rtol=2e-3, atol=5e-3)


@settings(max_examples=20)
@given(
    drawn=kaldi_options(), seed=st.integers(0, 9), n_ceps=st.integers(1, 8), lifter=st.sampled_from([0.0, 10.0, 22.0])
)
def test_mfcc_equals_kaldi_native_fbank_whatever_the_options(drawn, seed, n_ceps, lifter):
    knf = pytest.importorskip("kaldi_native_fbank")
    rate, ours = drawn
    samples = speechlike(rate // 2, seed)
    options = knf.MfccOptions()
    set_kaldi_options(options, rate, ours)
    options.num_ceps, options.cepstral_lifter = n_ceps, lifter
    theirs = by_kaldi(knf.OnlineMfcc(options), samples, rate)
    spec = FeatureSpec(n_ceps=n_ceps, lifter=lifter, **ours)
    np.testing.assert_allclose(extract(spec, samples, rate), theirs, rtol=0, atol=0.01)


@settings(max_examples=20)
@given(warp=st.floats(0.8, 1.25), low=st.floats(0, 80), knot=st.floats(100, 400), upper=st.floats(5000, 7000))
def test_knots_of_the_warp_are_kaldis(warp, low, knot, upper):
    knf = pytest.importorskip("kaldi_native_fbank")
    options, frames = knf.MelBanksOptions(), knf.FrameExtractionOptions()
    options.num_bins, options.low_freq, options.high_freq = 20, low, 7600
    options.vtln_low, options.vtln_high = knot, upper
    options.use_slaney_mel_scale, options.norm, frames.samp_freq = False, "", 16000
    theirs = np.array(knf.MelBanks(options, frames, warp).get_matrix())
    ours = kaldi_bank(20, 512, 16000, low, 7600, warp, (knot, upper))
    np.testing.assert_allclose(ours[:, : theirs.shape[1]], theirs, rtol=0, atol=1e-4)


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"kind": "fbank", "n_ceps": 20}, "n_ceps"),
        ({"kind": "fbank", "lifter": 0.0}, "lifter"),
        ({"kind": "fbank", "c0": "drop"}, "c0"),
        ({"log": False}, "log"),
        ({"warp_low": 200.0}, "warp_low"),
        ({"kind": "fbank", "raw_energy": False}, "raw_energy"),
        ({"kind": "fbank", "energy_floor": 1.0}, "energy_floor"),
        ({"preset": "htk", "warp": 0.9, "warp_low": 200.0}, "warp_low"),
    ],
)
def test_settings_without_effect_are_refused_by_name(settings, named):
    with pytest.raises(ConfigError, match=f"features.{named}"):
        FeatureSpec(**settings)
