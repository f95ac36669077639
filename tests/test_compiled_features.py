"""Features by compiled loops: the bytes that numpy computes, wherever the compiler steps in."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from speechgmm import compiler
from speechgmm.features import FeatureSpec, front_end, raw_features
from speechgmm.features import compiled as loops

RATE = 16000
SETTINGS = [
    {},
    {"n_mels": 40, "n_ceps": 24, "deltas": 2, "vad": "energy"},
    {"snip_edges": False, "frame_length": 17.3, "frame_shift": 7.7, "vad": "peak"},
    {"preemphasis": 0, "spectrum": "magnitude", "c0": "relative"},
    {"frame_shift": 40.0, "snip_edges": False},
    {"kind": "lfcc", "warp": 1.1},
    {"preset": "htk", "use_energy": True},
    {"preset": "slaney"},
    {"preset": "librosa", "top_db": 30.0},
    {"preset": "librosa", "preemphasis": 0.9, "n_fft": 512},
    {"preset": "asvspoof"},
    {"kind": "fbank", "use_energy": True, "raw_energy": False, "dither": 2.0},
    {"kind": "fbank", "preset": "librosa", "top_db": 30.0, "log": False},
    {"kind": "plp", "preset": "htk", "deltas": 2},
    {"kind": "sdc", "sdc_of": "plp", "n_ceps": 7, "lpc_order": 9, "warp": 0.9, "cmvn": "sliding", "cmvn_window": 50},
    {"kind": "spectrogram", "window": "blackman", "remove_mean": False},
]


def speechlike(n, seed, loudness):
    """Noise with an offset, whose loudness moves, and digital silence in it."""
    rng = np.random.default_rng(seed)
    samples = loudness * (rng.normal(size=n) * np.abs(np.sin(np.arange(n) / 3000)) + rng.normal())
    samples[n // 3 : n // 2] = samples[n // 3 : n // 3 + 1]
    return np.clip(samples, -1, 1).astype(np.float32)


@pytest.fixture
def frames_after(monkeypatch):
    """Frames of a recording by a process that compiles once it has extracted so many."""

    def extracted(spec, samples, worth):
        monkeypatch.setattr(loops, "_n_frames", 0)
        monkeypatch.setattr(loops, "WORTH_COMPILING", worth)
        return raw_features(spec, samples, RATE)

    return extracted


@pytest.mark.parametrize("number", range(len(SETTINGS)))
@settings(max_examples=15)
@given(n=st.integers(0, 5 * RATE), seed=st.integers(0, 9), power=st.integers(-40, 0), worth=st.integers(-1, 600))
def test_compiled_loops_give_the_bytes_of_numpy_from_whichever_frame_on(number, n, seed, power, worth):
    spec = FeatureSpec(**SETTINGS[number])
    samples = speechlike(n, seed, 2.0**power)
    if not front_end(spec, RATE).n_frames(n):
        return
    with pytest.MonkeyPatch.context() as patch:
        extracted = frames_after.__wrapped__(patch)
        by_numpy, by_compiler = (extracted(spec, samples, one) for one in (10**9, worth))
    np.testing.assert_array_equal(by_compiler[0].view(np.uint32), by_numpy[0].view(np.uint32))
    np.testing.assert_array_equal(by_compiler[1], by_numpy[1])


def test_few_frames_wait_for_no_compiler(frames_after, monkeypatch):
    monkeypatch.setattr(compiler, "compiled", None)
    monkeypatch.setattr(loops, "compiled", None)
    samples, spec = speechlike(RATE, 0, 0.1), FeatureSpec()
    assert len(frames_after(spec, samples, 98)[0]) == 98
    with pytest.raises(TypeError):
        frames_after(spec, samples, 97)


@pytest.mark.slow
def test_loops_are_compiled_anew_where_no_folder_may_be_written(frames_after, monkeypatch):
    from numba.core import caching

    samples, spec = speechlike(RATE, 0, 0.1), FeatureSpec()
    expected, _ = frames_after(spec, samples, 10**9)
    monkeypatch.setattr(compiler, "_compiled", {})
    monkeypatch.setattr(
        getattr(caching, "CacheImpl", None) or caching._CacheImpl, "_locator_classes", []
    )  # neither beside the code nor at home
    np.testing.assert_array_equal(frames_after(spec, samples, -1)[0], expected)
    assert len(compiler._compiled) == 4
    assert not any(one._cache.cache_path for one in compiler._compiled.values())
