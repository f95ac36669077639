"""A recording that comes in pieces gives the frames, the windows and the result of the whole, wherever it is cut."""

import io
import json
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from conftest import hum
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

import speechgmm as sg
from speechgmm.cli import app
from speechgmm.engine.audio_input import AudioInput
from speechgmm.engine.frame_stream import FrameStream
from speechgmm.engine.recordings import model_frames
from speechgmm.errors import ConfigError, DataError, ShapeError
from speechgmm.features import FeatureSpec, Normalisation, front_end
from speechgmm.features.silence import Silence
from speechgmm.features.transforms import LinearTransform, TransformSpec
from speechgmm.gmm import DiagGMM
from speechgmm.io.samples import recorded
from speechgmm.tasks import standard_input

KEPT = Path(__file__).parent / "kept"
RATE = 8000
SECONDS = 6.3


@cache
def recording(rate: int = RATE) -> np.ndarray:
    """A hum that falls silent for a second (digitally, for a part of it) and goes on at another pitch."""
    first, second = hum(1, 140.0, 3.0, rate), hum(2, 220.0, SECONDS - 4.0, rate)
    pause = 1e-3 * np.random.default_rng(0).standard_normal(rate).astype(np.float32)
    pause[rate // 4 : rate // 2] = 0
    return np.concatenate([first, pause, second])


def audio_of(rate: int = RATE, resample: bool = False, channel: str | int = "mix", **features: Any) -> AudioInput:
    """How a recording becomes frames, with a normalisation and a transform where the features ask for them."""
    kind = features.get("kind")
    bands = {} if kind == "spectrogram" else {"n_mels": 20} if kind == "fbank" else {"n_mels": 20, "n_ceps": 8}
    spec = FeatureSpec(**bands, **features)
    rng, n = np.random.default_rng(1), front_end(spec, rate).n_dims
    shift = Normalisation(rng.normal(size=n), rng.uniform(0.5, 2, size=n)) if spec.cmvn == "global" else None
    transform = None
    if spec.transform.kind != "none":
        width = n * (2 * spec.transform.splice + 1)
        transform = LinearTransform(rng.normal(size=(spec.transform.dim, width)), rng.normal(size=spec.transform.dim))
    return AudioInput(spec, rate, channel, resample, shift, transform)


FRONT_ENDS = {
    "plain": audio_of(),
    "deltas and global normalisation": audio_of(deltas=2, cmvn="global"),
    "htk": audio_of(preset="htk", deltas=2, delta_window=3),
    "librosa": audio_of(preset="librosa", deltas=1),
    "spliced": audio_of(deltas=1, cmvn="global", transform=TransformSpec(kind="lda", dim=5, splice=4)),
    "lfcc": audio_of(kind="lfcc"),
    "resampled": audio_of(rate=6000, resample=True, deltas=1),
    "fbank": audio_of(kind="fbank", use_energy=True, deltas=1),
    "spectrogram": audio_of(kind="spectrogram"),
    "plp": audio_of(kind="plp", preset="htk", deltas=2),
    "shifted deltas": audio_of(kind="sdc", sdc_of="plp", deltas=1),
    "pitch columns": audio_of(pitch=True, deltas=1),
    "dither": audio_of(dither=3.0, deltas=1),
    "sliding": audio_of(cmvn="sliding", cmvn_causal=True, cmvn_window=170, cmvn_min_window=60, deltas=2),
    "means of all that was": audio_of(cmvn="sliding", cmvn_causal=True, cmvn_min_window=1, norm_vars=False),
    "pitch": AudioInput(FeatureSpec(kind="f0"), RATE),
}


def model_of(folder: Path, audio: AudioInput) -> sg.LoadedModel:
    """Three classes with mixtures of random parameters."""
    rng = np.random.default_rng(2)
    frames = model_frames(audio, recorded(recording(), RATE))[0]
    centre, spread = frames.mean(axis=0), frames.std(axis=0)
    mixtures = tuple(
        DiagGMM([0.5, 0.5], centre + spread * rng.normal(size=(2, len(centre))), np.tile(spread**2, (2, 1)))
        for _ in range(3)
    )
    models = sg.ClassModels(("a", "b", "c"), mixtures, np.log([0.2, 0.3, 0.5]), temperature=0.05)
    sg.save_models(models, folder / "models.safetensors", audio=audio, label="sound")
    return sg.load(folder)


def pieces(samples: np.ndarray, cuts: Sequence[int]) -> list[np.ndarray]:
    return np.split(samples, sorted(cut % (len(samples) + 1) for cut in cuts))


CUTS = st.lists(st.integers(0, int(SECONDS * RATE)), max_size=30)


@pytest.fixture(scope="module", params=FRONT_ENDS)
def audio(request: pytest.FixtureRequest) -> AudioInput:
    return FRONT_ENDS[request.param]


# ---- frames ----


@cache
def frames_of_whole(audio: AudioInput) -> np.ndarray:
    return model_frames(audio, recorded(recording(), RATE), silence=Silence.KEPT)[0]


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::speechgmm.errors.RecordingWarning")
@settings(max_examples=15)
@given(cuts=CUTS, step=st.integers(1, 200))
def test_frames_of_pieces_are_those_of_the_whole_bit_by_bit(audio: AudioInput, cuts: list[int], step: int) -> None:
    samples = recording()
    whole = frames_of_whole(audio)
    if audio.features.pitch or audio.features.kind in ("f0", "plp", "sdc") or audio.features.cmvn == "sliding":
        step = max(step, 40)  # each step takes some milliseconds
    stream = FrameStream(audio, RATE, step)
    found = [stretch for piece in pieces(samples, cuts) for stretch in stream.push(piece)]
    frames = np.concatenate([np.empty((0, audio.n_dims), np.float32), *(stretch.frames for stretch in found)])
    assert [stretch.first for stretch in found] == [n * step for n in range(len(found))]
    assert len(whole) - 60 - step < len(frames) <= len(whole)
    assert frames.tobytes() == whole[: len(frames)].tobytes()


@pytest.mark.filterwarnings("ignore::speechgmm.errors.RecordingWarning")
def test_frames_without_speech_are_those_of_the_whole_where_no_level_is_followed() -> None:
    samples = recording()
    for spec in ({}, {"vad": "energy", "vad_mean_scale": 0.0, "vad_threshold": 12.0, "vad_context": 2}):
        audio = audio_of(deltas=1, **spec)
        _, speech, _ = model_frames(audio, recorded(samples, RATE))
        stream = FrameStream(audio, RATE, 50)
        found = np.concatenate([stretch.speech for stretch in stream.push(samples)])
        assert found.tolist() == speech[: len(found)].tolist()
        assert 0 < found.sum() < len(found)


@pytest.mark.filterwarnings("ignore::speechgmm.errors.RecordingWarning")
@pytest.mark.parametrize("silence", Silence)
def test_digital_silence_is_left_out_as_of_the_whole_even_where_a_stretch_has_little_else(silence: Silence) -> None:
    click = 0.1 * np.random.default_rng(0).standard_normal(60).astype(np.float32)
    pause = np.zeros(3 * RATE, np.float32)
    samples = np.concatenate([hum(1, 140.0, 2.0), pause, click, pause, hum(1, 140.0, 1.0)])
    audio = audio_of(deltas=1)
    _, speech, _ = model_frames(audio, recorded(samples, RATE), silence=silence)
    stream = FrameStream(audio, RATE, 20, silence=silence)
    found = np.concatenate([stretch.speech for stretch in stream.push(samples)])
    assert len(found) > 850
    assert found.tolist() == speech[: len(found)].tolist()


# ---- windows, and the result of the whole ----


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::speechgmm.errors.RecordingWarning")
@settings(max_examples=50)
@given(cuts=CUTS, window=st.sampled_from([0.1, 0.5, 1.0, 2.0]), hop=st.sampled_from([None, 0.25, 1.0, 3.0]))
def test_a_stream_gives_the_windows_and_the_result_of_the_whole(
    shared_model: sg.LoadedModel, cuts: list[int], window: float, hop: float | None
) -> None:
    samples = recording()
    stream = shared_model.stream(RATE, window=window, hop=hop)
    found = [decision for piece in pieces(samples, cuts) for decision in stream.push(piece)]
    windows = shared_model.classify_windows(samples, RATE, window=window, hop=hop)
    assert found == list(windows)[: len(found)]
    whole = [one for one in windows if one.start + window <= SECONDS - 0.3]
    assert len(found) >= len(whole)
    assert stream.close() == shared_model.score(samples, RATE)


@pytest.fixture(scope="module")
def shared_model(tmp_path_factory: pytest.TempPathFactory) -> sg.LoadedModel:
    return model_of(tmp_path_factory.mktemp("model"), audio_of(deltas=2, cmvn="global"))


@pytest.mark.filterwarnings("ignore::speechgmm.errors.RecordingWarning")
@pytest.mark.parametrize("name", ["class", "variational", "verify-norm"])
def test_kept_models_stream_int16_and_channels_as_they_read_them(name: str) -> None:
    model = sg.load(KEPT / name)
    samples = np.stack([recording(), recording()[::-1]], axis=1)
    for given_samples in (samples, (samples * 32767).astype(np.int16), samples[:, 0], samples.astype(np.float64)):
        stream = model.stream(RATE)
        found = [one for piece in np.array_split(given_samples, 73) for one in stream.push(piece)]
        assert [one.end for one in found] == [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]
        assert found == list(model.classify_windows(given_samples, RATE))[:6]
        assert stream.close() == model.score(given_samples, RATE)


@pytest.mark.filterwarnings("ignore::speechgmm.errors.RecordingWarning")
def test_where_speech_follows_the_level_cuts_change_nothing_and_the_end_is_the_whole(tmp_path: Path) -> None:
    model = model_of(tmp_path, audio_of(vad="energy"))
    samples = np.tile(recording(), 3)
    results = []
    for n in (1, 7, 200):
        stream = model.stream(RATE)
        results.append([one for piece in np.array_split(samples, n) for one in stream.push(piece)])
        assert stream.close() == model.score(samples, RATE)
    assert results[0] == results[1] == results[2]
    assert len(results[0]) == 18
    assert results[0][3].n_frames < results[0][2].n_frames  # the pause


@pytest.mark.filterwarnings("ignore::speechgmm.errors.RecordingWarning")
def test_a_long_pause_is_judged_by_the_level_before_it(tmp_path: Path) -> None:
    noise = 1e-3 * np.random.default_rng(0).standard_normal(5 * RATE).astype(np.float32)
    samples = np.concatenate([hum(1, 140.0, 6.0), noise])
    model = model_of(tmp_path, audio_of(vad="energy"))
    found = model.stream(RATE).push(samples)
    assert [one.n_frames > 0 for one in found] == [True] * 7 + [False] * 3
    assert model.stream(RATE).push(noise)[2].n_frames > 0  # without a level before it, noise is the loudest there is


# ---- what is refused ----


@pytest.mark.parametrize(
    ("features", "message"),
    [
        ({"cmvn": "utterance"}, "features.cmvn: utterance takes means over the whole recording, which a stream does"),
        ({"cmvn": "sliding"}, "features.cmvn: sliding takes means over what follows a frame, too"),
        ({"cmvn": "speaker"}, "features.cmvn: speaker takes means over the whole recording"),
        ({"preset": "librosa", "top_db": 80.0}, "features.top_db takes the loudest band of the whole recording"),
        ({"c0": "relative"}, "features.c0: relative takes the loudest frame of the whole recording"),
    ],
)
@pytest.mark.filterwarnings("ignore::speechgmm.errors.RecordingWarning")
def test_features_that_need_the_whole_are_refused_with_what_to_do(
    features: dict[str, Any], message: str, tmp_path: Path
) -> None:
    model = model_of(tmp_path, audio_of(**features))
    with pytest.raises(ConfigError, match=message) as raised:
        model.stream(RATE)
    assert "score whole recordings, or train a model with cmvn: global or none" in str(raised.value)


def test_pieces_that_do_not_fit_are_refused(shared_model: sg.LoadedModel) -> None:
    with pytest.raises(DataError, match="samples: sample rate 16000 Hz, not 8000 Hz; resample it"):
        shared_model.stream(16000)
    with pytest.raises(ConfigError, match=r"window 0.001: seconds, at least the time between frames"):
        shared_model.stream(RATE, window=0.001)
    with pytest.raises(ConfigError, match="window is None; expected a number of seconds"):
        shared_model.stream(RATE, window=None)
    with pytest.raises(ConfigError, match=r"sample_rate is 8000.0; expected a whole number of Hz"):
        shared_model.stream(8000.0)
    stream = shared_model.stream(RATE)
    assert stream.push(np.zeros(0, np.float32)) == []
    stream.push(hum(0, 150.0))
    with pytest.raises(ShapeError, match="samples of type int16 in 1 channels, and the stream began with float32 in 1"):
        stream.push(np.zeros(80, np.int16))
    with pytest.raises(ShapeError, match=r"shape \(2, 100\); expected"):
        stream.push(np.zeros((2, 100), np.float32))
    with pytest.raises(DataError, match="NaN or infinity"):
        stream.push(np.full(80, np.nan, np.float32))
    stream.close()
    for use in (stream.close, lambda: stream.push(hum(0, 150.0))):
        with pytest.raises(ConfigError, match="the stream is closed; begin another"):
            use()
    with pytest.raises(DataError, match="no samples"):
        shared_model.stream(RATE).close()


def test_the_end_of_a_stream_of_another_rate_is_the_result_of_the_whole_at_that_rate() -> None:
    model = sg.load(KEPT / "class", resample=True)
    samples = np.random.default_rng(0).normal(scale=0.1, size=24000).astype(np.float32)
    stream = model.stream(16000)
    for part in np.array_split(samples, 7):
        stream.push(part)
    assert stream.close() == model.score(samples, 16000)


# ---- standard input ----


class Input(io.BytesIO):
    """Standard input that comes in odd pieces."""

    @property
    def buffer(self) -> "Input":
        return self

    def read1(self, n: int = -1) -> bytes:
        return super().read1(min(n, 1237))


def invoked(data: bytes, *arguments: str) -> Any:
    """What ``score`` does with standard input."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(standard_input, "sys", SimpleNamespace(stdin=Input(data)))
        return CliRunner().invoke(app, ["score", *arguments])


def printed(data: bytes, *arguments: str) -> list[dict[str, Any]]:
    top = [] if "--label" in arguments else ["--top", "1"]
    found = invoked(data, *arguments, "--format", "jsonl", *top)
    assert found.exit_code == 0, found.output
    return [json.loads(line) for line in found.stdout.splitlines()]


@pytest.mark.parametrize("form", ["s16le", "f32le"])
@pytest.mark.parametrize("name", ["class", "verify-norm", "anomaly", "segments"])
def test_standard_input_is_scored_like_samples(name: str, form: str) -> None:
    samples = hum(4, 180.0, 3.2)
    given_samples = (samples * 32767).astype("<i2") if form == "s16le" else samples.astype("<f4")
    options = {"anomaly": ["--label", "m0"], "segments": ["--window", "1"]}.get(name, [])
    arguments = (str(KEPT / name), "-", "--raw", form, "--rate", str(RATE), *options)
    (row, *_) = printed(given_samples.tobytes(), *arguments)
    assert row["file"] == "standard input"
    model = sg.load(KEPT / name)
    if name == "anomaly":
        assert row["score"] == round(model.score(given_samples, RATE, label="m0").score, 6)
    elif name == "segments":
        assert row["posterior"] == round(model.classify_windows(given_samples, RATE)[0].posteriors[0], 6)
    else:
        assert row["mean_log_likelihood"] == round(model.score(given_samples, RATE).log_likelihoods[0], 6)


def test_live_prints_each_window_as_it_ends_and_then_the_whole() -> None:
    data = (hum(4, 180.0, 3.2) * 32767).astype("<i2").tobytes()
    arguments = (str(KEPT / "class"), "-", "--raw", "s16le", "--rate", str(RATE))
    rows = printed(data, *arguments, "--live")
    assert [(row["start"], row["end"]) for row in rows] == [(0, 1), (1, 2), (2, 3), (0, 3.2)]
    assert rows[:3] == printed(data, *arguments, "--window", "1")[:3]
    assert rows[3:] == printed(data, *arguments)


@pytest.mark.parametrize(
    ("arguments", "data", "message"),
    [
        (["class", "-"], b"", "- is standard input, whose samples have no header; give their format (s16le, f32le)"),
        (["class", "-", "--raw", "s16le"], b"", "and rate in Hz (--rate)"),
        (["class", "a.wav", "--rate", "8000"], b"", "format and rate are for samples from standard input, given as -"),
        (["class", "a.wav", "--live"], b"", "--live is for standard input"),
        (["class", "-", "--raw", "s16le", "--rate", "8000"], b"", "standard input: no samples"),
        (["class", "-", "--raw", "s16le", "--rate", "8000", "--live"], b"", "standard input: no samples"),
        (
            ["class", "-", "--raw", "s16le", "--rate", "8000"],
            b"123",
            "standard input: ends within a sample, after 1 of 2",
        ),
        (
            ["class", "-", "--raw", "s16le", "--rate", "9000", "--live"],
            b"12",
            "standard input: sample rate 9000 Hz, not",
        ),
        (["segments", "-", "--raw", "s16le", "--rate", "8000", "--live"], b"12", "--live is for models of whole"),
        (["anomaly", "-", "--raw", "s16le", "--rate", "8000", "--live"], b"12", "--live is for models of classes"),
    ],
)
def test_standard_input_that_cannot_be_used_is_refused(arguments: list[str], data: bytes, message: str) -> None:
    name, *rest = arguments
    found = invoked(data, str(KEPT / name), *rest)
    assert found.exit_code in (1, 2), found.output
    assert message in found.stderr
