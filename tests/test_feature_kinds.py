"""Kinds of feature against the programs that they reproduce, and against loops that are written out."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from speechgmm.config import make_config
from speechgmm.engine.console import Console
from speechgmm.engine.extraction import extract as run_frames
from speechgmm.engine.job import prepare
from speechgmm.engine.recordings import model_frames
from speechgmm.errors import ConfigError, DataError
from speechgmm.features import FeatureSpec, extract, front_end, raw_features, static_features
from speechgmm.features.dither import dithered
from speechgmm.features.filterbanks import htk_bank, kaldi_bank, mel_edges, mel_to_hz
from speechgmm.features.kinds.given import given_features
from speechgmm.features.normalise import sliding_normalised

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
    np.testing.assert_allclose(extract(spec, samples, rate), theirs, rtol=1e-3, atol=1e-3)


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
    np.testing.assert_allclose(extract(spec, samples, rate), theirs, rtol=0, atol=2e-3)


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


@pytest.mark.slow
@pytest.mark.parametrize(
    ("ours", "n_fft", "width", "hop", "n_mels"),
    [
        ({}, 2048, 2048, 512, 128),
        ({"frame_length": 25.0, "frame_shift": 10.0, "n_fft": 512, "n_mels": 40}, 512, 400, 160, 40),
    ],
)
def test_fbank_and_spectrogram_of_the_librosa_preset_are_librosas(ours, n_fft, width, hop, n_mels):
    librosa = pytest.importorskip("librosa")
    samples = speechlike(16000)
    power = np.abs(librosa.stft(samples.astype(float), n_fft=n_fft, win_length=width, hop_length=hop)) ** 2
    mel = librosa.filters.mel(sr=16000, n_fft=n_fft, n_mels=n_mels, dtype=np.float64) @ power
    for top_db in (None, 30.0):
        for kind, energies in (("fbank", mel), ("spectrogram", power)):
            given = {name: value for name, value in ours.items() if kind == "fbank" or name != "n_mels"}
            spec = FeatureSpec(preset="librosa", kind=kind, top_db=top_db, **given)
            theirs = librosa.power_to_db(energies, top_db=top_db).T
            np.testing.assert_allclose(extract(spec, samples, 16000), theirs, rtol=0, atol=2e-4)


def frames_by_loop(samples, rate, n_fft):
    """Frames of Kaldi's front end, their log energies and power spectra, in double precision."""
    length, shift = rate * 25 // 1000, rate // 100
    phase = 2 * np.pi * np.arange(length) / (length - 1)
    spectra, energies = [], []
    for start in range(0, len(samples) - length + 1, shift):
        frame = samples[start : start + length].astype(float) * INT16
        frame -= frame.mean()
        energies.append(np.log(np.sum(frame**2)))
        frame[1:] -= 0.97 * frame[:-1].copy()
        frame[0] *= 0.03
        spectra.append(np.abs(np.fft.rfft(frame * (0.5 - 0.5 * np.cos(phase)).clip(0) ** 0.85, n_fft)) ** 2)
    return np.array(spectra), np.array(energies)


def test_spectrogram_is_kaldis_with_the_energy_in_place_of_the_first_bin():
    samples = speechlike(8000)
    power, energy = frames_by_loop(samples, 16000, 512)
    expected = np.log(power)
    ours = extract(FeatureSpec(kind="spectrogram"), samples, 16000)
    np.testing.assert_allclose(ours[:, 1:], expected[:, 1:], rtol=0, atol=5e-3)
    np.testing.assert_allclose(ours[:, 0], energy, rtol=0, atol=1e-4)
    plain = extract(FeatureSpec(kind="spectrogram", use_energy=False, log=False), samples, 16000)
    np.testing.assert_allclose(plain, power, rtol=5e-3, atol=1)


def test_plp_equals_the_file_of_hcopy_with_deltas(shared):
    folder = shared / "references" / "htk"
    samples, rate = soundfile.read(folder / "test.wav", dtype="float32")
    ours = extract(FeatureSpec(kind="plp", deltas=2, low_frequency=0, **HTK), samples, rate)
    np.testing.assert_allclose(ours, read_htk(folder / "test.wav.plp_htk.1"), rtol=0, atol=5e-5)


def plp_by_loop(bands, centres, order, n_ceps, compression, lifter, scale):
    """Cepstra of one frame of Kaldi's compute-plp-feats, step by step; the zeroth is the log gain."""
    square = centres**2
    weighted = (bands * (square / (square + 1.6e5)) ** 2 * (square + 1.44e6) / (square + 9.61e6)) ** compression
    auditory = [weighted[0], *weighted, weighted[-1]]
    n = len(auditory)
    r = [
        sum((1 if j in (0, n - 1) else 2) * auditory[j] * np.cos(np.pi * k * j / (n - 1)) for j in range(n))
        / (2 * (n - 1))
        for k in range(order + 1)
    ]
    a = np.linalg.solve([[r[abs(i - j)] for j in range(order)] for i in range(order)], r[1:])  # x[t] ~ sum a x[t - k]
    c = [np.log(r[0] - np.dot(a, r[1:]))]
    for m in range(1, n_ceps):
        c.append(a[m - 1] + sum(k / m * c[k] * a[m - k - 1] for k in range(1, m)))
    return [scale * value * (1 + lifter / 2 * np.sin(np.pi * m / lifter) if lifter else 1) for m, value in enumerate(c)]


@settings(max_examples=20)
@given(
    n_mels=st.integers(15, 30),
    order=st.integers(1, 15),
    fewer=st.integers(0, 14),
    compression=st.floats(0.1, 0.6),
    lifter=st.sampled_from([0.0, 10.0, 22.0]),
    scale=st.sampled_from([1.0, 10.0]),
    warp=st.sampled_from([1.0, 0.9]),
)
def test_plp_equals_kaldis_written_out(n_mels, order, fewer, compression, lifter, scale, warp):
    samples, rate = speechlike(2000), 16000
    n_ceps = max(1, order + 1 - fewer)
    spec = FeatureSpec(
        kind="plp", n_mels=n_mels, lpc_order=order, n_ceps=n_ceps, compression=compression, lifter=lifter,
        cepstral_scale=scale, warp=warp, use_energy=False,
    )  # fmt: skip
    power, _ = frames_by_loop(samples, rate, 512)
    bank = kaldi_bank(n_mels, 512, rate, 20, 8000, warp)
    centres = mel_to_hz(mel_edges(n_mels, rate, 20, 8000, warp)[1:-1])
    theirs = [plp_by_loop(bank @ row, centres, order, n_ceps, compression, lifter, scale) for row in power]
    np.testing.assert_allclose(extract(spec, samples, rate), theirs, rtol=1e-3, atol=1e-3 * scale * (1 + lifter / 2))


@settings(max_examples=30)
@given(
    n=st.integers(1, 12), spread=st.integers(1, 3), shift=st.integers(1, 6), blocks=st.integers(1, 8),
    n_frames=st.integers(1, 40), base=st.sampled_from(["mfcc", "lfcc", "plp"]), statics=st.booleans(),
)  # fmt: skip
def test_shifted_deltas_are_differences_at_shifted_times(n, spread, shift, blocks, n_frames, base, statics):
    samples = speechlike(80 * n_frames + 120)
    cepstra = extract(FeatureSpec(kind=base, n_ceps=n), samples, 8000)
    expected = []
    for t in range(n_frames):
        row = list(cepstra[t]) if statics else []
        for i in range(blocks):
            after, before = (min(max(t + i * shift + sign * spread, 0), n_frames - 1) for sign in (1, -1))
            row += list(cepstra[after] - cepstra[before])
        expected.append(row)
    spec = FeatureSpec(
        kind="sdc", sdc_of=base, n_ceps=n, sdc_spread=spread, sdc_shift=shift, sdc_blocks=blocks, sdc_statics=statics
    )
    ours = extract(spec, samples, 8000)
    assert front_end(spec, 8000).n_dims == ours.shape[1]
    np.testing.assert_array_equal(ours, np.array(expected, np.float32))


def sliding_by_loop(frames, window, causal, min_window, norm_vars):
    """Kaldi's SlidingWindowCmn (feature-functions.cc), line by line."""
    out, n_frames = np.empty(frames.shape), len(frames)
    for t in range(n_frames):
        start, end = (t - window, t + 1) if causal else (t - window // 2, t - window // 2 + window)
        if start < 0:
            end -= start
            start = 0
        if causal and end > t:
            end = max(t + 1, min_window)
        if end > n_frames:
            start -= end - n_frames
            end = n_frames
            start = max(start, 0)
        part = frames[start:end].astype(float)
        out[t] = frames[t] - part.mean(axis=0)
        if norm_vars:
            out[t] = 0 if len(part) == 1 else out[t] / np.sqrt(np.maximum(part.var(axis=0), 1e-10))
    return out


@settings(max_examples=40)
@given(
    n_frames=st.integers(1, 700), window=st.integers(1, 700), least=st.integers(1, 700), causal=st.booleans(),
    norm_vars=st.booleans(), seed=st.integers(0, 9),
)  # fmt: skip
def test_sliding_normalisation_is_kaldis(n_frames, window, least, causal, norm_vars, seed):
    rng = np.random.default_rng(seed)
    frames = rng.normal(size=(n_frames, 3)) * [1, 5, 0.1] + [0, 100, -3] + 0.01 * np.arange(n_frames)[:, None]
    frames = frames.astype(np.float32)
    ours = sliding_normalised(frames, window, causal=causal, min_window=least, norm_vars=norm_vars)
    theirs = sliding_by_loop(frames, window, causal, least, norm_vars)
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=2e-4 if window > 1 else 1)


def test_sliding_normalisation_of_many_frames_is_that_of_their_windows_to_the_last_bit():
    frames = np.random.default_rng(0).normal(size=(6000, 2)).astype(np.float32) + 50
    whole = sliding_normalised(frames, 300, causal=True)
    part = sliding_normalised(frames[2 * 160 :], 300, causal=True)
    np.testing.assert_array_equal(whole[320 + 301 :].view(np.uint32), part[301:].view(np.uint32))


def test_sliding_normalisation_follows_deltas_and_is_in_the_extraction():
    samples = speechlike(16000)
    plain = extract(FeatureSpec(deltas=1), samples, 16000)
    spec = FeatureSpec(deltas=1, cmvn="sliding", cmvn_window=40, norm_vars=False)
    np.testing.assert_array_equal(extract(spec, samples, 16000), sliding_normalised(plain, 40, norm_vars=False))
    assert spec.without_normalisation() == spec


def test_dither_is_white_noise_of_its_level_the_same_in_every_piece():
    silence = np.zeros(30_000, np.float32)
    noise = np.concatenate(list(dithered([silence], 2.0, seed=1))) * INT16
    assert noise.std() == pytest.approx(2, rel=0.02)
    assert abs(noise.mean()) < 0.05
    spectrum = np.abs(np.fft.rfft(noise)) ** 2
    assert spectrum[:7500].mean() == pytest.approx(spectrum[7500:].mean(), rel=0.05)
    cut = dithered([silence[:7], silence[:0], silence[7:20_000]], 2.0, seed=1)
    np.testing.assert_array_equal(np.concatenate(list(cut)) * INT16, noise[:20_000])
    assert not np.array_equal(next(dithered([silence], 2.0, seed=2)) * INT16, noise)


def test_dither_gives_digital_silence_frames_that_vary():
    samples = np.zeros(8000, np.float32)
    assert (
        extract(FeatureSpec(), samples, 8000).max(axis=0).tolist() == extract(FeatureSpec(), samples, 8000)[0].tolist()
    )
    assert extract(FeatureSpec(dither=1.0), samples, 8000).std(axis=0).min() > 0.05
    with pytest.raises(ConfigError, match=r"features.dither_seed: 3 has no effect without dither"):
        FeatureSpec(dither_seed=3)


def test_pitch_and_voicing_are_two_columns_more_of_any_kind_before_deltas():
    rate = 8000
    time = np.arange(rate) / rate
    tone = np.sign(np.sin(2 * np.pi * 150 * time)) * 0.1
    samples = np.concatenate([tone, 0.1 * np.random.default_rng(0).normal(size=rate)]).astype(np.float32)
    for kind in ("mfcc", "fbank", "plp"):
        spec = FeatureSpec(kind=kind, pitch=True, deltas=1)
        plain = extract(FeatureSpec(kind=kind, deltas=1), samples, rate)
        n = plain.shape[1] // 2
        found = extract(spec, samples, rate)
        assert front_end(spec, rate).n_dims == found.shape[1] == 2 * n + 4
        np.testing.assert_array_equal(found[:, :n], plain[:, :n])
        np.testing.assert_array_equal(found[:, n + 2 : -2], plain[:, n:])
        log_pitch, voicing = found[:, n], found[:, n + 1]
        np.testing.assert_allclose(np.exp(log_pitch[10:85]), 150, rtol=0.02)
        assert voicing[10:85].min() > 0.9
        assert voicing[110:].mean() < 0.5
        pieces = np.split(samples, [1, 500, 12_000])
        np.testing.assert_array_equal(raw_features(spec, pieces, rate)[0], found)


def test_the_log_energy_of_fbank_is_first_with_kaldi_and_last_with_htk():
    samples = speechlike(8000)
    for preset, column, others in (("kaldi", 0, slice(1, None)), ("htk", -1, slice(-1))):
        spec = FeatureSpec(kind="fbank", preset=preset, use_energy=True)
        found, energy = static_features(front_end(spec, 16000), samples)
        np.testing.assert_array_equal(found[:, column], energy)
        np.testing.assert_array_equal(found[:, others], extract(replace(spec, use_energy=None), samples, 16000))


def test_given_frames_are_normalised_by_a_sliding_window_too():
    frames = np.random.default_rng(0).normal(size=(90, 4)).astype(np.float32)
    spec = FeatureSpec(kind="given", n_dims=4, cmvn="sliding", cmvn_window=30)
    np.testing.assert_array_equal(given_features(spec, frames, "one"), sliding_normalised(frames, 30))


def test_kinds_refuse_what_is_too_short_for_a_frame_as_cepstra_do():
    for kind in ("fbank", "plp", "sdc", "spectrogram"):
        for more in ({}, {"pitch": True, "dither": 1.0, "cmvn": "sliding"}):
            with pytest.raises(DataError, match="399 samples at 16000 Hz are too short for one frame of 400"):
                extract(FeatureSpec(kind=kind, **more), np.zeros(399, np.float32), 16000)
            one = extract(FeatureSpec(kind=kind, **more), speechlike(400), 16000)
            assert one.shape[0] == 1
            assert np.isfinite(one).all()


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
        ({"lpc_order": 10}, "lpc_order"),
        ({"kind": "plp", "preset": "slaney"}, "kind: plp"),
        ({"kind": "plp", "n_ceps": 14}, "n_ceps"),
        ({"kind": "plp", "lpc_order": 24}, "lpc_order"),
        ({"kind": "plp", "log": False}, "log"),
        ({"kind": "spectrogram", "n_mels": 40}, "n_mels"),
        ({"kind": "spectrogram", "warp": 1.1}, "warp"),
        ({"sdc_shift": 2}, "sdc_shift"),
        ({"kind": "sdc", "compression": 0.3}, "compression"),
        ({"kind": "sdc", "sdc_of": "plp", "preset": "librosa"}, "kind: plp"),
        ({"kind": "f0", "pitch": True}, "pitch"),
        ({"cmvn_window": 100}, "cmvn_window"),
        ({"cmvn": "utterance", "cmvn_causal": True}, "cmvn_causal"),
        ({"cmvn": "sliding", "cmvn_min_window": 10}, "cmvn_min_window"),
        ({"cmvn": "sliding", "cmvn_causal": True, "cmvn_window": 50}, "cmvn_min_window"),
    ],
)
def test_settings_without_effect_are_refused_by_name(settings, named):
    with pytest.raises(ConfigError, match=f"features.{named}"):
        FeatureSpec(**settings)


@pytest.mark.parametrize(
    "features",
    [
        "{kind: sdc, sdc_of: plp, n_ceps: 7, sdc_blocks: 3, dither: 1}",
        "{kind: fbank, n_mels: 12, pitch: true, cmvn: sliding, cmvn_window: 30, vad: peak}",
        "{kind: spectrogram, n_fft: 200, cmvn: utterance}",
    ],
)
def test_frames_of_a_run_are_those_of_a_new_recording(config_file, features):
    found = run_frames(prepare(config_file, [f"features={features}"], console=Console(quiet=True)))
    assert len(found.pieces) == 24
    for piece, utterance in zip(found.pieces, found.corpus, strict=True):
        frames, speech, _ = model_frames(found.audio, utterance.path)
        np.testing.assert_array_equal(piece.load(), frames[speech])


@pytest.mark.parametrize("kind", ["spectrogram", "f0"])
def test_warped_copies_of_a_kind_without_filters_are_refused_before_a_recording_is_read(kind):
    with pytest.raises(ConfigError, match=rf"augment.warps moves the filters .* features.kind: {kind} has none"):
        make_config({"features": {"kind": kind}, "augment": {"warps": [0.9]}})
    assert make_config({"features": {"kind": "fbank"}, "augment": {"warps": [0.9]}}).augment.warps == (0.9,)
