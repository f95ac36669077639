"""What holds for features whatever the recording."""

import pickle
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from speechgmm.errors import ConfigError, DataError, ShapeError
from speechgmm.features import (
    FeatureSpec,
    Moments,
    extract,
    front_end,
    moments,
    normalisation,
    raw_features,
    static_features,
)
from speechgmm.features.cepstra import cosine_transform
from speechgmm.features.deltas import append_deltas
from speechgmm.features.filterbanks import warp_frequencies
from speechgmm.features.vad import energy_vad, peak_vad

PRESETS = ["kaldi", "htk", "slaney", "librosa", "asvspoof"]
RATE = 16000


def speechlike(n: int = 2 * RATE, seed: int = 0) -> np.ndarray:
    """Noise whose loudness moves, well above every floor."""
    rng = np.random.default_rng(seed)
    loudness = 0.02 + 0.1 * np.abs(np.sin(np.arange(n) / 3000))
    return (rng.normal(size=n) * loudness).astype(np.float32)


@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize("n_frames", [1, 15, 16, 17, 63, 64, 65, 130])
def test_a_frame_does_not_depend_on_what_follows(preset, n_frames):
    samples, spec = speechlike(), FeatureSpec(preset=preset)
    front = front_end(spec, RATE)
    whole = extract(spec, samples, RATE)
    # Up to the last sample that the frame before the cut reaches.
    last = front.first_start + (n_frames - 1) * front.frame_shift + front.frame_length
    part = extract(spec, samples[:last], RATE)[:n_frames]
    np.testing.assert_array_equal(part, whole[: len(part)])
    assert len(part) == min(n_frames, len(whole))


@pytest.mark.parametrize("preset", PRESETS)
def test_block_boundaries_change_nothing(preset):
    """Each frame alone, first in a block of its own, against its place in the run of blocks."""
    samples, spec = speechlike(), FeatureSpec(preset=preset, preemphasis=0)
    front = front_end(spec, RATE)
    whole = extract(spec, samples, RATE)
    first = -(-max(0, -front.first_start) // front.frame_shift)  # the first that overhangs no edge
    stop = (samples.size - front.first_start - front.frame_length) // front.frame_shift + 1
    assert stop - first > 25
    for t in range(first, stop, 3):
        start = front.first_start + t * front.frame_shift
        frame = samples[start : start + front.frame_length]
        pad = np.zeros(-front.first_start, dtype=np.float32)
        place = (-(-pad.size // front.frame_shift)) if preset == "librosa" else 0
        if preset == "librosa":  # put the frame where a centred frame overhangs nothing
            lead = np.zeros(place * front.frame_shift + front.first_start, dtype=np.float32)
            frame = np.concatenate([lead, frame, pad])
        alone = extract(spec, frame, RATE)[place]
        np.testing.assert_allclose(alone, whole[t], rtol=1e-5, atol=1e-3)


@pytest.mark.parametrize("preset", PRESETS)
def test_shift_by_a_frame_shifts_the_frames(preset):
    samples, spec = speechlike(), FeatureSpec(preset=preset)
    front = front_end(spec, RATE)
    edge = -(-front.frame_length // front.frame_shift) + 1  # frames that see the start of the recording
    here, there = extract(spec, samples, RATE), extract(spec, samples[front.frame_shift :], RATE)
    n = len(there) - 2 * edge
    assert n > 25
    np.testing.assert_allclose(there[edge : edge + n], here[edge + 1 : edge + 1 + n], rtol=1e-5, atol=1e-3)


@pytest.mark.parametrize(("preset", "c0"), [("kaldi", 0), ("htk", -1), ("slaney", 0), ("librosa", 0), ("asvspoof", 0)])
def test_gain_moves_the_zeroth_cepstrum_alone(preset, c0):
    samples, spec = speechlike(), FeatureSpec(preset=preset)
    soft, loud = extract(spec, samples, RATE), extract(spec, samples * np.float32(4), RATE)
    step = loud - soft
    assert np.abs(step[:, c0] - step[0, c0]).max() < 1e-3
    assert step[0, c0] > 1
    assert np.abs(np.delete(step, c0, axis=1)).max() < 1e-3
    relative = replace(spec, c0="relative")
    np.testing.assert_allclose(
        extract(relative, samples * np.float32(4), RATE), extract(relative, samples, RATE), atol=2e-3
    )


@pytest.mark.parametrize(("preset", "column"), [("kaldi", 0), ("htk", 12)])
def test_c0_relative_and_drop_touch_one_column(preset, column):
    samples, spec = speechlike(), FeatureSpec(preset=preset)
    plain = extract(spec, samples, RATE)
    relative = extract(replace(spec, c0="relative"), samples, RATE)
    assert relative[:, column].max() == 0
    np.testing.assert_array_equal(np.delete(relative, column, 1), np.delete(plain, column, 1))
    dropped = extract(replace(spec, c0="drop", deltas=1), samples, RATE)
    assert dropped.shape[1] == front_end(replace(spec, c0="drop", deltas=1), RATE).n_dims == 24
    np.testing.assert_array_equal(dropped[:, :12], np.delete(plain, column, 1))


def test_top_db_clips_by_the_loudest_cell_of_the_recording():
    samples = speechlike(3000) * np.float32(1e-2)
    loose, tight = (
        extract(FeatureSpec(preset="librosa", top_db=db, n_ceps=128), samples, RATE) for db in (200.0, 10.0)
    )
    rows = cosine_transform(128, 128)
    bands, clipped = loose @ rows, tight @ rows
    np.testing.assert_allclose(clipped, np.maximum(bands, bands.max() - 10), atol=1e-3)
    assert (bands < bands.max() - 11).any()


VARIANTS = {
    "kaldi": {},
    "kaldi reflect energy": {"snip_edges": False, "deltas": 2, "vad": "energy", "vad_context": 3},
    "kaldi htk deltas": {"deltas": 2, "delta_method": "htk", "delta_window": 3, "vad": "peak"},
    "kaldi gaps": {"frame_shift": 40.0, "snip_edges": False, "deltas": 1},
    "kaldi tiny shifts": {"frame_shift": 0.25, "snip_edges": False},
    "kaldi odd": {"frame_length": 17.3, "frame_shift": 7.7, "snip_edges": False, "preemphasis": 0},
    "htk": {"preset": "htk", "deltas": 2, "c0": "relative"},
    "slaney": {"preset": "slaney", "deltas": 1, "c0": "drop"},
    "librosa": {"preset": "librosa", "deltas": 2, "top_db": 20.0},
    "asvspoof": {"preset": "asvspoof", "n_ceps": 20, "deltas": 2, "delta_window": 1},
    "librosa emphasised": {"preset": "librosa", "preemphasis": 0.9, "n_fft": 512},
}


@pytest.mark.parametrize("name", VARIANTS)
@settings(deadline=None, max_examples=12)
@given(
    st.integers(0, 3 * RATE),
    st.lists(st.sampled_from([0, 1, 7, 100, 999, 5000, 20480, 20481]), min_size=1, max_size=8),
)
def test_a_recording_in_pieces_gives_the_frames_of_the_whole_bit_for_bit(name, n, sizes):
    samples, spec = speechlike(3 * RATE)[:n], FeatureSpec(**VARIANTS[name])
    bounds = np.minimum(np.cumsum([0, *sizes]), n)
    cuts = [samples[first:stop] for first, stop in pairwise((*bounds, n))]
    if not front_end(spec, RATE).n_frames(n):
        with pytest.raises(DataError, match=f"{n} samples at 16000 Hz are too short"):
            raw_features(spec, iter(cuts), RATE)
        return
    whole, speech = raw_features(spec, samples, RATE)
    # Each piece in the same memory, as a decoder gives them.
    memory = np.empty(n, dtype=np.float32)
    frames, chosen = raw_features(spec, (into(memory, cut) for cut in cuts), RATE)
    np.testing.assert_array_equal(frames, whole)
    np.testing.assert_array_equal(chosen, speech)


def into(memory: np.ndarray, piece: np.ndarray) -> np.ndarray:
    memory[: piece.size] = piece
    return memory[: piece.size]


@pytest.mark.parametrize("name", VARIANTS)
def test_edges_are_padded_as_numpy_pads(name):
    """Frames of a recording that is as long as a few of them, against each cut from a padded copy."""
    spec = FeatureSpec(**{"c0": "absolute", **VARIANTS[name], "deltas": 0, "delta_method": None, "delta_window": 2})
    spec = replace(spec, top_db=None, preemphasis=0, c0="absolute" if spec.c0 == "relative" else spec.c0)
    front = front_end(spec, RATE)
    for n in (front.frame_length // 3, front.frame_length + 1, 5 * front.frame_length):
        samples, n_frames = speechlike(n), front.n_frames(n)
        if not n_frames:
            continue
        before = max(0, -front.first_start)
        last = front.first_start + (n_frames - 1) * front.frame_shift + front.frame_length
        mode = "symmetric" if front.edges == "reflect" else "constant"
        padded = np.pad(samples, (before, max(0, last - n)), mode=mode)
        snipped = replace(front, first_start=0, edges="snip")
        start = before + front.first_start
        expected = static_features(snipped, padded[start : start + last - front.first_start])[0]
        np.testing.assert_array_equal(static_features(front, samples)[0], expected)


def test_frames_do_not_depend_on_what_was_extracted_before_or_meanwhile():
    spec, other = FeatureSpec(deltas=2), FeatureSpec(preset="htk")
    samples, loud = speechlike(5000), np.full(RATE, 50.0, dtype=np.float32)
    alone = raw_features(spec, samples, RATE)[0]
    for before in (spec, other):
        raw_features(before, loud, RATE)
        np.testing.assert_array_equal(raw_features(spec, samples, RATE)[0], alone)

    def halves():
        for half in (samples[:2500], samples[2500:]):
            raw_features(spec, loud, RATE)
            yield half

    np.testing.assert_array_equal(raw_features(spec, halves(), RATE)[0], alone)
    with ThreadPoolExecutor(4) as pool:
        for found in pool.map(lambda _: raw_features(spec, samples, RATE)[0], range(40)):
            np.testing.assert_array_equal(found, alone)


def test_an_offset_of_the_samples_changes_no_energy():
    samples = speechlike() * np.float32(1e-2)
    for use_energy in (True, False):
        spec = FeatureSpec(use_energy=use_energy)
        frames, moved = (extract(spec, samples + np.float32(offset), RATE) for offset in (0, 0.5))
        np.testing.assert_allclose(moved, frames, atol=2e-2)
        assert np.abs(moved[:, 0] - frames[:, 0]).max() < 2e-3  # what rounding to float32 beside 0.5 leaves


# Deltas


@pytest.mark.parametrize("method", ["kaldi", "htk"])
@pytest.mark.parametrize("n_frames", [1, 7, 8, 9, 15, 50])
def test_deltas_in_parts_are_those_of_the_whole(method, n_frames, monkeypatch):
    frames = np.random.default_rng(0).normal(size=(n_frames, 3)).astype(np.float32)
    whole = append_deltas(frames, 2, 3, method)
    monkeypatch.setattr("speechgmm.features.deltas._AT_ONCE", 4)
    np.testing.assert_array_equal(append_deltas(frames, 2, 3, method), whole)


def slow_delta(frames: np.ndarray, window: int) -> np.ndarray:
    out = np.zeros_like(frames, dtype=np.float64)
    last = len(frames) - 1
    for t in range(len(frames)):
        for k in range(1, window + 1):
            out[t] += k * (frames[min(t + k, last)].astype(np.float64) - frames[max(t - k, 0)])
    return out / (2 * sum(k * k for k in range(1, window + 1)))


@pytest.mark.parametrize("n_frames", [1, 2, 3, 5, 40])
@pytest.mark.parametrize("window", [1, 2, 3])
def test_deltas_equal_the_obvious_loop(n_frames, window):
    frames = np.random.default_rng(n_frames).normal(size=(n_frames, 3)).astype(np.float32)
    first = slow_delta(frames, window)
    for method in ("kaldi", "htk"):
        out = append_deltas(frames, 2, window, method)
        assert out.shape == (n_frames, 9)
        np.testing.assert_array_equal(out[:, :3], frames)
        np.testing.assert_allclose(out[:, 3:6], first, atol=1e-6)
        inner = slice(2 * window, n_frames - 2 * window)
        np.testing.assert_allclose(out[inner, 6:], slow_delta(first, window)[inner], atol=1e-6)
    np.testing.assert_allclose(append_deltas(frames, 2, window, "htk")[:, 6:], slow_delta(first, window), atol=1e-6)


@pytest.mark.parametrize("n_frames", [1, 2, 30])
def test_kaldi_second_delta_is_one_filter_of_nine_taps_on_replicated_statics(n_frames):
    frames = np.random.default_rng(1).normal(size=(n_frames, 2)).astype(np.float32)
    taps = np.array([4, 4, 1, -4, -10, -4, 1, 4, 4]) / 100
    padded = np.pad(frames, ((4, 4), (0, 0)), mode="edge")
    expected = np.array([taps @ padded[t : t + 9] for t in range(n_frames)])
    np.testing.assert_allclose(append_deltas(frames, 2)[:, 4:], expected, atol=1e-6)


@pytest.mark.parametrize("method", ["kaldi", "htk"])
def test_deltas_of_a_constant_are_zero_and_of_a_line_its_slope(method):
    constant = append_deltas(np.full((20, 2), 3.5, dtype=np.float32), 2, 2, method)
    assert np.abs(constant[:, 2:]).max() < 1e-6
    line = append_deltas(0.25 * np.arange(20, dtype=np.float32)[:, None], 2, 2, method)[4:-4]
    np.testing.assert_allclose(line[:, 1], 0.25, atol=1e-6)
    np.testing.assert_allclose(line[:, 2], 0, atol=1e-6)


@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize("n_frames", [1, 2])
def test_recordings_of_one_and_two_frames_have_deltas(preset, n_frames):
    spec = FeatureSpec(preset=preset, deltas=2)
    front = front_end(spec, RATE)
    n = front.frame_shift * (n_frames - 1) + (1 if preset == "librosa" else front.frame_length)
    frames = extract(spec, speechlike(n), RATE)
    assert frames.shape == (n_frames, 39)
    assert np.isfinite(frames).all()


# Normalisation


def test_utterance_cmvn_gives_mean_0_and_variance_1_over_the_kept_frames():
    samples = speechlike()
    samples[RATE:] *= np.float32(1e-3)
    for vad in ("none", "peak"):
        frames = extract(FeatureSpec(deltas=2, cmvn="utterance", vad=vad), samples, RATE)
        np.testing.assert_allclose(frames.mean(axis=0, dtype=np.float64), 0, atol=1e-5)
        np.testing.assert_allclose(frames.var(axis=0, dtype=np.float64), 1, atol=1e-4)
    assert len(frames) < 120  # of 198: the quiet second is gone
    means_only = extract(FeatureSpec(cmvn="utterance", norm_vars=False), samples, RATE)
    plain = extract(FeatureSpec(), samples, RATE)
    np.testing.assert_allclose(means_only, plain - plain.mean(axis=0), atol=1e-4)


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 50), st.integers(1, 50), st.sampled_from([0.0, 30.0, 1e6]))
def test_moments_of_two_halves_add_up_to_the_whole(n_first, n_second, offset):
    frames = offset + np.random.default_rng(n_first).normal(size=(n_first + n_second, 3))
    pooled = moments(frames[:n_first]) + moments(frames[n_first:])
    assert pooled.count == len(frames)
    np.testing.assert_allclose(pooled.means, frames.mean(axis=0), rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(pooled.scatter, len(frames) * frames.var(axis=0), rtol=1e-6, atol=1e-9)


def test_pooled_normalisation_equals_that_of_the_joined_frames_and_inverts_scale_and_shift():
    rng = np.random.default_rng(3)
    parts = [rng.normal(size=(n, 4)).astype(np.float32) for n in (5, 1, 200)]
    joined = np.concatenate(parts)
    pooled = normalisation(sum((moments(p) for p in parts[1:]), moments(parts[0])))
    np.testing.assert_allclose(pooled.apply(joined), normalisation(moments(joined)).apply(joined), atol=1e-5)
    scaled = (joined * 7 + 100).astype(np.float32)
    np.testing.assert_allclose(
        normalisation(moments(scaled)).apply(scaled), normalisation(moments(joined)).apply(joined), atol=1e-4
    )


def test_a_dimension_that_does_not_vary_keeps_its_scale():
    frames = np.full((9, 2), 123.4, dtype=np.float32)
    frames[:, 1] = np.arange(9)
    found = normalisation(moments(frames))
    assert found.scale[0] == 1
    assert np.abs(found.apply(frames)[:, 0]).max() < 1e-4
    np.testing.assert_array_equal(normalisation(moments(frames[:1])).scale, 1)


def test_normalisation_refuses_what_does_not_fit():
    with pytest.raises(DataError, match="no frames to normalise"):
        normalisation(moments(np.zeros((0, 3))))
    with pytest.raises(ShapeError, match="4 and of 3 dimensions"):
        moments(np.zeros((1, 4))) + moments(np.zeros((1, 3)))
    with pytest.raises(ShapeError, match=r"is for \(T, 3\)"):
        normalisation(moments(np.zeros((1, 3)))).apply(np.zeros((2, 4), dtype=np.float32))
    with pytest.raises(DataError, match=r"dimension 1 .* NaN"):
        moments(np.array([[0.0, np.nan]]))
    assert (Moments(0, np.zeros(2), np.zeros(2)) + moments(np.zeros((0, 2)))).count == 0


# Voice activity


@settings(deadline=None, max_examples=40)
@given(st.integers(1, 30), st.integers(0, 4), st.sampled_from([0.3, 0.6, 0.9]), st.integers(0, 99))
def test_energy_vad_equals_the_loop_of_compute_vad(n_frames, context, proportion, seed):
    energy = np.random.default_rng(seed).normal(10, 4, size=n_frames)
    threshold = 5.0 + 0.5 * energy.sum() / n_frames
    expected = []
    for t in range(n_frames):
        votes = [energy[u] > threshold for u in range(t - context, t + context + 1) if 0 <= u < n_frames]
        expected.append(sum(votes) >= len(votes) * proportion)
    assert energy_vad(energy, 5.0, 0.5, context, proportion).tolist() == expected


def test_peak_vad_does_not_depend_on_gain():
    energy = np.random.default_rng(0).normal(10, 4, size=100)
    kept = peak_vad(energy, 5.0)
    np.testing.assert_array_equal(kept, energy > energy.max() - 5)
    np.testing.assert_array_equal(kept, peak_vad(energy + 8, 5.0))


@pytest.mark.parametrize("preset", PRESETS)
def test_vad_marks_loud_speech_and_leaves_silence(preset):
    samples = speechlike()
    samples[RATE:] = 0
    for vad in ("energy", "peak"):
        frames, speech = raw_features(FeatureSpec(preset=preset, vad=vad), samples, RATE)
        assert speech is not None
        assert len(frames) == len(speech)
        assert speech[: len(speech) * 4 // 10].mean() > 0.9
        assert not speech[len(speech) * 6 // 10 :].any()
    with pytest.raises(DataError, match="keeps none of the"):
        extract(FeatureSpec(preset=preset, vad="energy"), np.zeros(RATE, dtype=np.float32), RATE)


def test_digital_silence_gives_finite_frames():
    for preset in PRESETS:
        assert np.isfinite(extract(FeatureSpec(preset=preset), np.zeros(RATE, dtype=np.float32), RATE)).all()


# Segments


@settings(deadline=None, max_examples=150)
@given(
    st.sampled_from(["kaldi", "reflect", "slaney", "librosa"]),
    st.lists(st.integers(1, 4000), min_size=1, max_size=12),
)
def test_segments_that_tile_a_recording_share_its_frames_without_loss(preset, lengths):
    spec = FeatureSpec(snip_edges=False) if preset == "reflect" else FeatureSpec(preset=preset)
    front = front_end(spec, RATE)
    n_frames = front.n_frames(sum(lengths))
    if n_frames == 0:
        return
    bounds = np.concatenate([[0], np.cumsum(lengths)]) / RATE
    centres = (front.first_centre + np.arange(n_frames) * front.frame_shift) / RATE
    owners = np.zeros(n_frames, dtype=int)
    for start, end in pairwise(bounds):
        first, stop = front.frame_range(start, end, n_frames)
        assert 0 <= first < stop <= n_frames
        inside = np.flatnonzero((centres >= start - 1e-12) & (centres < end - 1e-12))
        if inside.size:
            assert (first, stop) == (inside[0], inside[-1] + 1)
            owners[first:stop] += 1
        else:
            middle = (start + end) / 2
            assert stop == first + 1
            assert abs(centres[first] - middle) <= np.abs(centres - middle).min() + 1e-12
    inside_any = (centres >= 0) & (centres < bounds[-1])
    np.testing.assert_array_equal(owners, inside_any)


def test_segments_that_cannot_be_are_refused():
    front = front_end(FeatureSpec(), RATE)
    for start, end in ((0.5, 0.5), (0.6, 0.2), (-0.1, 0.2), (float("nan"), 1.0), (0.0, float("inf"))):
        with pytest.raises(DataError, match="expected 0 <= start < end"):
            front.frame_range(start, end, 98)
    with pytest.raises(DataError, match=r"ends before 1\.0"):
        front.frame_range(2.0, 3.0, 98)
    with pytest.raises(DataError, match="has 0 frames"):
        front.frame_range(0.0, 3.0, 0)
    assert front.frame_range(0.9, 60.0, 98)[1] == 98


# What is refused


@pytest.mark.parametrize(
    ("choices", "rate", "message"),
    [
        ({"preset": "slaney"}, 8000, "6853.84 Hz .preset slaney. at a sampling rate of 8000 Hz"),
        ({"high_frequency": 8001.0}, 16000, "at most 8000"),
        ({"n_fft": 256}, 16000, "shorter than a frame of 400 samples .* raise n_fft to 512"),
        ({"n_fft": 513}, 16000, "odd"),
        ({"n_ceps": 24}, 16000, "24 cepstra of 23 bands"),
        ({"n_mels": 200}, 16000, "lower n_mels or raise n_fft"),
        ({"low_frequency": 8000.0}, 16000, "not below the upper edge"),
        ({"preset": "asvspoof"}, 6000, "4000 Hz .preset asvspoof. at a sampling rate of 6000 Hz"),
        ({"kind": "lfcc", "high_frequency": 4001.0}, 8000, "at most 4000"),
        ({"kind": "lfcc", "n_mels": 512}, 16000, "lower n_mels or raise n_fft"),
        ({}, 16, "sampling rate in kHz"),
        ({}, 0, "positive whole number"),
        ({}, 16000.0, "positive whole number"),
    ],
)
def test_a_spec_that_cannot_hold_at_a_rate_is_refused_with_what_would_do(choices, rate, message):
    with pytest.raises(ConfigError, match=message):
        front_end(FeatureSpec(**choices), rate)


@pytest.mark.parametrize(
    ("choices", "message"),
    [
        ({"preset": "htk", "snip_edges": False}, "only the kaldi preset"),
        ({"preset": "kaldi", "top_db": 80.0}, "only the librosa preset"),
        ({"preset": "librosa", "use_energy": True}, "has no log energy"),
        ({"preset": "kaldi", "use_energy": True, "c0": "drop"}, "leaves the energy out again"),
        ({"n_ceps": 1, "c0": "drop"}, "leaves no cepstra"),
        ({"preset": "asvspoof", "kind": "mfcc"}, "bands are linear in Hz; leave kind out"),
        ({"kind": "rasta"}, "one of mfcc, lfcc"),
        ({"preset": "asvspoof", "use_energy": True}, "has no log energy"),
        ({"delta_window": 3}, "no effect without deltas"),
        ({"delta_method": "htk"}, "no effect without deltas"),
        ({"norm_vars": False}, "no effect without cmvn"),
        ({"vad": "peak", "vad_context": 2}, "no effect without vad: energy"),
        ({"vad_range": 3.0}, "no effect without vad: peak"),
        ({"preset": "praat"}, "one of kaldi, htk, slaney, librosa, asvspoof"),
        ({"window": "flat"}, "one of povey, hamming, hann"),
        ({"n_ceps": 13.5}, "whole number"),
        ({"deltas": 3}, "at least 0 and at most 2"),
        ({"frame_shift": 0}, "more than 0 and at most 1000 ms"),
        ({"frame_length": "25"}, "expected a number"),
        ({"snip_edges": 1}, "true or false"),
        ({"preemphasis": 1.0}, "less than 1"),
        ({"top_db": float("nan"), "preset": "librosa"}, "at least 0 and at most 1000 dB"),
    ],
)
def test_settings_out_of_range_or_without_effect_are_refused(choices, message):
    with pytest.raises(ConfigError, match=message):
        FeatureSpec(**choices)


def test_samples_that_cannot_be_used_are_refused():
    spec, good = FeatureSpec(), speechlike(RATE)
    with pytest.raises(ShapeError, match="one channel"):
        extract(spec, np.stack([good, good]), RATE)
    for n in (0, 399):
        with pytest.raises(DataError, match=f"{n} samples at 16000 Hz are too short"):
            extract(spec, good[:n], RATE)
    with pytest.raises(DataError, match="0 samples"):
        extract(FeatureSpec(preset="librosa"), good[:0], RATE)
    for bad in (np.nan, np.inf, -np.inf):
        broken = good.copy()
        broken[77] = bad
        with pytest.raises(DataError, match="sample 77 is not a finite number"):
            extract(spec, broken, RATE)
    with pytest.raises(DataError, match="samples are int16"):
        extract(spec, (good * 32767).astype(np.int16), RATE)
    with pytest.raises(DataError, match=r"expected \[-1, 1\]"):
        extract(spec, good * np.float32(32768), RATE)
    for cmvn in ("global", "speaker"):
        with pytest.raises(ConfigError, match="needs the statistics of other recordings"):
            extract(FeatureSpec(cmvn=cmvn), good, RATE)


def test_double_precision_samples_give_the_same_frames_and_samples_are_left_alone():
    samples = speechlike()
    before = samples.copy()
    for preset in PRESETS:
        spec = FeatureSpec(preset=preset, deltas=1)
        np.testing.assert_array_equal(extract(spec, samples, RATE), extract(spec, samples.astype(np.float64), RATE))
    np.testing.assert_array_equal(samples, before)


# The spec and the front end as values


def test_normalisation_is_no_part_of_the_cached_features():
    samples, spec = speechlike(), FeatureSpec(deltas=2, cmvn="speaker", norm_vars=False, vad="peak")
    frames, speech = raw_features(spec, samples, RATE)
    same_frames, same_speech = raw_features(spec.without_normalisation(), samples, RATE)
    np.testing.assert_array_equal(frames, same_frames)
    np.testing.assert_array_equal(speech, same_speech)
    assert spec.without_normalisation() == FeatureSpec(deltas=2, vad="peak")


def test_front_end_is_built_once_pickles_and_cannot_be_written_to():
    spec = FeatureSpec(preset="htk", deltas=1)
    front = front_end(spec, RATE)
    assert front_end(FeatureSpec(preset="htk", deltas=1), RATE) is front
    copy = pickle.loads(pickle.dumps(front))
    samples = speechlike()
    np.testing.assert_array_equal(static_features(copy, samples)[0], static_features(front, samples)[0])
    with pytest.raises(ValueError, match="read-only"):
        front.filterbank[0, 0] = 1


def test_description_is_plain_and_complete_enough_to_tell_front_ends_apart():
    specs = [
        FeatureSpec(),
        FeatureSpec(window="hann"),
        FeatureSpec(lifter=0),
        FeatureSpec(n_mels=24),
        FeatureSpec(use_energy=False),
        FeatureSpec(vad="peak"),
        FeatureSpec(vad="peak", vad_range=4.0),
    ]
    seen = [front_end(spec, RATE).describe() for spec in specs]
    assert all(isinstance(v, str | int | float | None) for found in seen for v in found.values())
    assert len({tuple(found.items()) for found in seen}) == len(specs)


def test_spec_is_read_from_plain_values_with_the_same_ranges():
    from pydantic import TypeAdapter, ValidationError

    reader = TypeAdapter(FeatureSpec)
    assert reader.validate_python({"preset": "htk", "deltas": 2}) == FeatureSpec(preset="htk", deltas=2)
    assert reader.validate_python(reader.dump_python(FeatureSpec(vad="peak"))) == FeatureSpec(vad="peak")
    for wrong in ({"delta": 2}, {"deltas": 3}, {"frame_shift": 0.0}, {"preset": "praat"}):
        with pytest.raises((ValidationError, ConfigError)):
            reader.validate_python(wrong)
    schema = reader.json_schema()["properties"]
    assert schema["frame_shift"]["unit"] == "ms"
    assert schema["deltas"]["maximum"] == 2
    assert all("description" in field for field in schema.values())


@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize("warp", [0.9, 1.1])
def test_a_warped_band_hears_the_frequency_that_the_warp_takes_to_where_it_was(preset, warp):
    def centres(warp: float) -> np.ndarray:
        front = front_end(FeatureSpec(preset=preset, warp=warp), RATE)
        return front.filterbank @ np.arange(front.n_fft // 2 + 1) * (RATE / front.n_fft) / front.filterbank.sum(axis=1)

    plain = centres(1.0)
    upper = min(5000, 0.7 * front_end(FeatureSpec(preset=preset), RATE).high_frequency)
    between_knots = (plain > 600) & (plain < upper)
    assert between_knots.sum() >= 10
    # A band is known to a fraction of the distance between Fourier bins, which is 31 Hz at most.
    np.testing.assert_allclose((centres(warp) * warp)[between_knots], plain[between_knots], atol=12)


def test_warp_one_is_no_warp_and_every_warp_is_part_of_the_description():
    plain = front_end(FeatureSpec(), RATE)
    np.testing.assert_array_equal(front_end(FeatureSpec(warp=1), RATE).filterbank, plain.filterbank)
    warped = front_end(FeatureSpec(warp=1.05), RATE)
    assert (plain.describe()["warp"], warped.describe()["warp"]) == (1.0, 1.05)
    assert {key for key in plain.describe() if plain.describe()[key] != warped.describe()[key]} == {"warp"}


def test_the_edges_of_the_band_stay_where_they_are_and_warping_keeps_the_order_of_frequencies():
    frequencies = np.linspace(20, RATE / 2, 500)
    for warp in (0.5, 0.9, 1.1, 2.0):
        moved = warp_frequencies(frequencies, warp, RATE, 20, RATE / 2)
        assert (moved[0], moved[-1]) == (20, RATE / 2)
        assert (np.diff(moved) > 0).all()


def test_a_band_too_narrow_to_warp_is_refused():
    with pytest.raises(ConfigError, match=r"features.warp: 1.1 on a band from 300 to 700 Hz"):
        front_end(FeatureSpec(warp=1.1, low_frequency=300, high_frequency=700, n_mels=4, n_ceps=4), RATE)
