"""Features against the programs they reproduce, on real recordings."""

import warnings
from pathlib import Path

import numpy as np
import pytest
import soundfile

from speechgmm.features import FeatureSpec, extract, front_end, static_features
from speechgmm.features.filterbanks import kaldi_bank, slaney_bank

INT16 = 32768


def read(path: Path) -> tuple[np.ndarray, int]:
    return soundfile.read(path, dtype="float32")


def recordings(shared: Path, n: int) -> list[Path]:
    """n files of each corpus, spread over it: 8 kHz, 16 kHz, flac."""
    data = shared / "data"
    chosen = []
    for files in (
        sorted((data / "fsdd" / "recordings").glob("*.wav")),
        sorted((data / "timit-a").glob("*/*.wav")),
        sorted((data / "librispeech").rglob("*.flac")),
    ):
        assert len(files) >= n
        chosen += files[:: len(files) // n][:n]
    return chosen


def kaldi_mfcc(samples: np.ndarray, rate: int, *, snip_edges: bool, use_energy: bool, **mel: float) -> np.ndarray:
    knf = pytest.importorskip("kaldi_native_fbank")
    options = knf.MfccOptions()
    options.frame_opts.samp_freq = rate
    options.frame_opts.dither = 0
    options.frame_opts.snip_edges = snip_edges
    options.use_energy = use_energy
    for name, value in mel.items():
        setattr(options.mel_opts, name, value)
    computer = knf.OnlineMfcc(options)
    computer.accept_waveform(rate, (samples * INT16).tolist())
    computer.input_finished()
    return np.array([computer.get_frame(t) for t in range(computer.num_frames_ready)])


@pytest.mark.slow
@pytest.mark.parametrize("snip_edges", [True, False])
@pytest.mark.parametrize("use_energy", [True, False])
def test_kaldi_preset_equals_kaldi_native_fbank(shared, snip_edges, use_energy):
    spec = FeatureSpec(preset="kaldi", snip_edges=snip_edges, use_energy=use_energy)
    for path in recordings(shared, 12):
        samples, rate = read(path)
        samples = samples[: 5 * rate]
        theirs = kaldi_mfcc(samples, rate, snip_edges=snip_edges, use_energy=use_energy)
        np.testing.assert_allclose(extract(spec, samples, rate), theirs, rtol=0, atol=5e-3, err_msg=path.name)


@pytest.mark.parametrize("rate", [8000, 11025, 16000, 22050, 44100])
def test_kaldi_preset_cuts_fractions_of_a_sample_as_kaldi_does(rate):
    noise = np.random.default_rng(0).normal(0, 0.05, rate).astype(np.float32)
    spec = FeatureSpec(n_mels=30, low_frequency=100, high_frequency=3700, snip_edges=False, use_energy=False)
    theirs = kaldi_mfcc(noise, rate, snip_edges=False, use_energy=False, num_bins=30, low_freq=100, high_freq=3700)
    np.testing.assert_allclose(extract(spec, noise, rate), theirs, rtol=0, atol=5e-3)


@pytest.mark.parametrize("warp", [0.8, 0.95, 1.05, 1.25])
@pytest.mark.parametrize(("rate", "low", "high"), [(16000, 20, 8000), (16000, 60, 7600), (8000, 20, 4000)])
def test_warped_kaldi_bank_equals_kaldi_native_fbank(rate, low, high, warp):
    knf = pytest.importorskip("kaldi_native_fbank")
    options, frames = knf.MelBanksOptions(), knf.FrameExtractionOptions()
    options.num_bins, options.low_freq, options.high_freq = 23, low, high
    options.use_slaney_mel_scale, options.norm, frames.samp_freq = False, "", rate
    theirs = np.array(knf.MelBanks(options, frames, warp).get_matrix())
    ours = kaldi_bank(23, rate // 8000 * 256, rate, low, high, warp)
    np.testing.assert_allclose(ours[:, : theirs.shape[1]], theirs, rtol=0, atol=2e-5)
    assert np.abs(ours - kaldi_bank(23, rate // 8000 * 256, rate, low, high)).max() > 0.1


@pytest.mark.parametrize(
    ("number", "low", "use_energy"),
    [(1, 0, False), (2, 0, True), (3, 20, True)],
    ids=["hcopy1", "hcopy2", "hcopy3"],
)
def test_htk_preset_equals_hcopy_with_deltas(shared, number, low, use_energy):
    folder = shared / "references" / "htk"
    raw = (folder / f"test.wav.fea_htk.{number}").read_bytes()
    n_frames, period, n_bytes = (int.from_bytes(raw[a:b], "big") for a, b in ((0, 4), (4, 8), (8, 10)))
    theirs = np.frombuffer(raw[12:], dtype=">f4").reshape(n_frames, n_bytes // 4)
    assert period == 100_000
    spec = FeatureSpec(
        preset="htk",
        n_mels=23,
        low_frequency=low,
        high_frequency=8000,
        spectrum="power",
        preemphasis=0,
        use_energy=use_energy,
        deltas=2,
    )
    samples, rate = read(folder / "test.wav")
    np.testing.assert_allclose(extract(spec, samples, rate), theirs, rtol=0, atol=5e-4)


def test_htk_preset_equals_a_plain_double_precision_hcopy(shared):
    """What the reference files leave out: pre-emphasis, magnitude, the upper limit, 8 kHz."""
    samples, rate = read(recordings(shared, 1)[0])
    assert rate == 8000
    low, high, n_mels, n_fft = 150.0, 3400.0, 26, 256
    x = samples.astype(np.float64) * INT16
    mel = lambda f: 1127 * np.log(1 + f / 700)  # noqa: E731
    edges = mel(low) + np.arange(n_mels + 2) / (n_mels + 1) * (mel(high) - mel(low))
    klo, khi = int(low * n_fft / rate + 2.5), int(high * n_fft / rate + 0.5)
    theirs = []
    for start in range(0, len(x) - 199, 80):
        frame = x[start : start + 200].copy()
        frame[1:] -= 0.97 * frame[:-1].copy()
        frame[0] *= 0.03
        frame *= 0.54 - 0.46 * np.cos(2 * np.pi * np.arange(200) / 199)
        magnitude = np.abs(np.fft.rfft(frame, n_fft))
        bands = np.zeros(n_mels + 2)
        for k in range(klo, khi + 1):
            at = mel((k - 1) * rate / n_fft)
            lower = np.searchsorted(edges, at) - 1
            weight = (edges[lower + 1] - at) / (edges[lower + 1] - edges[lower])
            bands[lower] += weight * magnitude[k - 1]
            bands[lower + 1] += (1 - weight) * magnitude[k - 1]
        logs = np.log(np.maximum(bands[1:-1], 1.0))
        order, band = np.arange(13)[:, None], np.arange(1, n_mels + 1)
        cepstra = np.sqrt(2 / n_mels) * np.cos(np.pi * order / n_mels * (band - 0.5)) @ logs
        cepstra *= 1 + 11 * np.sin(np.pi * np.arange(13) / 22)
        theirs.append(np.roll(cepstra, -1))
    spec = FeatureSpec(preset="htk", low_frequency=low, high_frequency=high)
    np.testing.assert_allclose(extract(spec, samples, rate), theirs, rtol=0, atol=2e-3)


LIBROSA_SETTINGS = [
    ({}, {}),
    ({"top_db": 80.0}, {"top_db": 80.0}),
    ({"spectrum": "magnitude", "n_mels": 40, "n_ceps": 20}, {"power": 1.0, "n_mels": 40, "n_mfcc": 20}),
    (
        {"frame_length": 25.0, "frame_shift": 10.0, "n_fft": 512, "n_mels": 40},
        {"ms": (25, 10), "n_fft": 512, "n_mels": 40},
    ),
    ({"frame_length": 32.0, "frame_shift": 8.0, "lifter": 22.0}, {"ms": (32, 8), "lifter": 22}),
    (
        {"window": "hamming", "low_frequency": 100.0, "high_frequency": 3800.0},
        {"window": "hamming", "fmin": 100.0, "fmax": 3800.0},
    ),
]


@pytest.mark.slow
@pytest.mark.parametrize(("ours", "theirs"), LIBROSA_SETTINGS)
def test_librosa_preset_equals_librosa_feature_mfcc(shared, ours, theirs):
    librosa = pytest.importorskip("librosa")
    options = {"n_mfcc": 13, "lifter": 0} | theirs
    ms, lifter, top_db = options.pop("ms", None), options.pop("lifter"), options.pop("top_db", None)
    n_mfcc = options.pop("n_mfcc")
    for path in recordings(shared, 4):
        samples, rate = read(path)
        samples = samples[: 5 * rate]
        if ms:
            options |= {"win_length": rate * ms[0] // 1000, "hop_length": rate * ms[1] // 1000}
        with warnings.catch_warnings():
            # librosa warns of recordings shorter than its 2048-sample transform.
            warnings.simplefilter("ignore", UserWarning)
            # In double precision: in single, librosa is itself 1e-4 away from that.
            melspectrogram = librosa.feature.melspectrogram(y=samples.astype(np.float64), sr=rate, **options)
            log_mels = librosa.power_to_db(melspectrogram, top_db=top_db)
            expected = librosa.feature.mfcc(S=log_mels, n_mfcc=n_mfcc, lifter=lifter).T
            if top_db == 80:  # librosa's own default, then: the same by the front door
                direct = librosa.feature.mfcc(y=samples, sr=rate, n_mfcc=n_mfcc, lifter=lifter, **options).T
                np.testing.assert_allclose(direct, expected, rtol=0, atol=1e-3)
        spec = FeatureSpec(preset="librosa", **ours)
        # The lifter multiplies rounding errors too.
        np.testing.assert_allclose(
            extract(spec, samples, rate), expected, rtol=0, atol=1e-4 * (1 + lifter / 2), err_msg=path.name
        )


@pytest.mark.parametrize(("rate", "high"), [(16000, 6853.84), (8000, 3800.0)])
def test_slaney_filterbank_is_librosas(rate, high):
    librosa = pytest.importorskip("librosa")
    theirs = librosa.filters.mel(
        sr=rate, n_fft=512, n_mels=40, fmin=400 / 3, fmax=high, norm="slaney", dtype=np.float64
    )
    np.testing.assert_allclose(slaney_bank(40, 512, rate, 400 / 3, high), theirs, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("corpus", [0, 1])
def test_slaney_preset_equals_the_auditory_toolbox_written_out(shared, corpus):
    librosa = pytest.importorskip("librosa")
    samples, rate = read(recordings(shared, 1)[corpus])
    n, shift, n_fft, high = rate * 16 // 1000, rate // 100, rate * 32 // 1000, min(6853.84, 0.475 * rate)
    bank = librosa.filters.mel(
        sr=rate, n_fft=n_fft, n_mels=40, fmin=400 / 3, fmax=high, norm="slaney", dtype=np.float64
    )
    x = samples.astype(np.float64) * INT16
    x[1:] -= 0.97 * x[:-1].copy()
    hamming = 0.54 - 0.46 * np.cos(2 * np.pi * np.arange(n) / n)
    frames = np.array([x[s : s + n] * hamming for s in range(0, len(x) - n + 1, shift)])
    ear = np.log10(np.abs(np.fft.rfft(frames, n_fft)) @ bank.T + 1e-12)
    rows = np.cos(np.arange(13)[:, None] * (2 * np.arange(40) + 1) * np.pi / 2 / 40) / np.sqrt(20)
    rows[0] *= np.sqrt(2) / 2
    spec = FeatureSpec(preset="slaney", high_frequency=high)
    np.testing.assert_allclose(extract(spec, samples, rate), ear @ rows.T, rtol=0, atol=1e-4)


def test_log_energy_for_the_vad_does_not_depend_on_use_energy(shared):
    samples, rate = read(recordings(shared, 1)[0])
    with_energy, energy = static_features(front_end(FeatureSpec(use_energy=True), rate), samples)
    _, same = static_features(front_end(FeatureSpec(use_energy=False), rate), samples)
    np.testing.assert_array_equal(with_energy[:, 0], energy)
    np.testing.assert_array_equal(energy, same)


def lfcc_by_loops(x: np.ndarray, rate: int, n_bands: int, high: float, n_ceps: int) -> np.ndarray:
    """The front end of ASVspoof's LFCC baseline frame by frame and band by band, as its authors describe it.

    Sahidullah, Kinnunen & Hanilçi 2015, in the settings of the ASVspoof 2021 evaluation plan: 30 ms every 15, Hamming,
    1024-point power spectrum, triangles equally spaced in Hz, log10 of the sum plus 2^-52, orthonormal cosine
    transform, and slopes (x[t + 1] - x[t - 1]) / 2 with the edges repeated, of the statics and again of the slopes.
    """
    length, shift = 30 * rate // 1000, 15 * rate // 1000
    edges = [k * high / (n_bands + 1) for k in range(n_bands + 2)]
    cepstra = []
    for start in range(0, len(x) - length + 1, shift):
        tapered = [x[start + n] * (0.54 - 0.46 * np.cos(2 * np.pi * n / (length - 1))) for n in range(length)]
        power = np.abs(np.fft.fft(tapered, 1024)) ** 2
        logs = []
        for left, centre, right in zip(edges, edges[1:], edges[2:], strict=False):
            total = 0.0
            for k in range(513):
                hz = k * rate / 1024
                if left < hz <= centre:
                    total += power[k] * (hz - left) / (centre - left)
                elif centre < hz < right:
                    total += power[k] * (right - hz) / (right - centre)
            logs.append(np.log10(total + 2.0**-52))
        row = []
        for q in range(n_ceps):
            angles = [np.cos(np.pi * q * (2 * m + 1) / (2 * n_bands)) for m in range(n_bands)]
            row.append(np.sqrt((1 if q == 0 else 2) / n_bands) * np.dot(logs, angles))
        cepstra.append(row)
    parts = [np.array(cepstra)]
    for _ in range(2):
        padded = np.vstack([parts[-1][:1], parts[-1], parts[-1][-1:]])
        parts.append((padded[2:] - padded[:-2]) / 2)
    return np.hstack(parts)


ASVSPOOF = FeatureSpec(preset="asvspoof", n_ceps=20, deltas=2, delta_window=1)


@pytest.mark.slow
@pytest.mark.parametrize("corpus", ["timit-a", "librispeech", "fsdd"])
def test_asvspoof_preset_equals_the_published_description(shared, corpus):
    path = sorted(path for path in (shared / "data" / corpus).rglob("*.*") if path.suffix in (".wav", ".flac"))[3]
    samples, rate = read(path)
    samples = samples[: 2 * rate]
    theirs = lfcc_by_loops(samples.astype(np.float64), rate, 70, 4000.0, 20)
    ours = extract(ASVSPOOF, samples, rate)
    assert ours.shape == theirs.shape == (theirs.shape[0], 60)
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-5)


@pytest.mark.slow
def test_lfcc_of_another_preset_differs_from_its_mfcc_by_the_bands_alone(shared):
    """Kaldi's front end up to the spectrum and after the bands, with bands by a plain loop between the two."""
    samples, rate = read(recordings(shared, 1)[0])
    samples = samples[: rate // 2]
    spec = FeatureSpec(preset="kaldi", kind="lfcc", n_mels=20, use_energy=False, lifter=0)
    front, mel = front_end(spec, rate), front_end(FeatureSpec(preset="kaldi", n_mels=20, lifter=0), rate)
    np.testing.assert_array_equal(front.window, mel.window)
    assert (front.spectrum, front.floor, front.preemphasis) == (mel.spectrum, mel.floor, mel.preemphasis)
    edges = np.linspace(20, rate / 2, 22)
    hz = np.arange(129) * rate / 256
    expected = np.zeros((20, 129))
    for band in range(20):
        for k in range(129):
            rise = (hz[k] - edges[band]) / (edges[band + 1] - edges[band])
            fall = (edges[band + 2] - hz[k]) / (edges[band + 2] - edges[band + 1])
            expected[band, k] = max(0.0, min(rise, fall))
    np.testing.assert_allclose(front.filterbank, expected, rtol=0, atol=1e-7)
    assert not np.allclose(extract(spec, samples, rate), extract(FeatureSpec(), samples, rate), atol=0.1)
