import errno
import io
import json
import os
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import soxr
from conftest import hum

from speechgmm.engine.audio_input import AudioInput
from speechgmm.engine.background_model import read_background_model
from speechgmm.errors import ConfigError, DataError, ModelFileError
from speechgmm.features import FeatureSpec, Normalisation
from speechgmm.features.measurements import Measurements
from speechgmm.gmm import DiagGMM
from speechgmm.io.atomic import only_writer, remove_leftovers, write_atomically, write_text
from speechgmm.io.audio import Pieces, read_recording, resampled
from speechgmm.io.container import kind_of
from speechgmm.io.feature_store import Entry, Extracted, FeatureStore, digest, digest_file
from speechgmm.tasks.classification import ClassModels
from speechgmm.tasks.classification.codec import ModelFile, load_models, read_model_file, save_models, serialise
from speechgmm.tasks.verification.codec import ClaimFile
from speechgmm.tasks.verification.models import ClaimModels, Cohort
from speechgmm.tasks.verification.score_norm import ScoreNorm

RATE = 8000


def wav(path: Path, samples: np.ndarray | None = None, rate: int = RATE, subtype: str = "PCM_16") -> Path:
    soundfile.write(path, hum(0, 200.0) if samples is None else samples, rate, subtype=subtype)
    return path


@pytest.mark.parametrize(
    ("suffix", "subtype"), [("wav", "PCM_16"), ("wav", "FLOAT"), ("flac", "PCM_24"), ("aiff", "PCM_16")]
)
def test_every_lossless_format_gives_the_same_samples(tmp_path: Path, suffix: str, subtype: str) -> None:
    samples = np.round(hum(0, 200.0) * 32768).astype(np.float32) / 32768
    recording = read_recording(wav(tmp_path / f"a.{suffix}", samples, subtype=subtype), sample_rate=RATE)
    np.testing.assert_array_equal(recording.samples, samples)
    assert recording.samples.dtype == np.float32
    assert recording.duration == len(samples) / RATE


@pytest.mark.parametrize("suffix", ["mp3", "ogg"])
def test_lossy_formats_are_read(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a.{suffix}"
    soundfile.write(path, hum(0, 200.0, rate=16000), 16000)
    assert read_recording(path, sample_rate=16000).duration == pytest.approx(0.6, abs=0.15)


def test_channels_are_mixed_or_chosen(tmp_path: Path) -> None:
    one, two = hum(0, 200.0), hum(1, 300.0)
    path = wav(tmp_path / "a.wav", np.column_stack([one, two]), subtype="FLOAT")
    np.testing.assert_allclose(read_recording(path, sample_rate=RATE).samples, (one + two) / 2, atol=1e-7)
    np.testing.assert_array_equal(read_recording(path, sample_rate=RATE, channel=1).samples, two)
    with pytest.raises(DataError, match=r"channel 2 is asked for \(corpus.channel\); it has 2"):
        read_recording(path, sample_rate=RATE, channel=2)


def test_another_rate_is_refused_unless_resampling_is_asked_for(tmp_path: Path) -> None:
    path = wav(tmp_path / "a.wav", hum(0, 200.0, rate=44100), rate=44100)
    with pytest.raises(DataError, match=r"sample rate 44100 Hz, not 8000 Hz; resample it \(corpus.resample: true"):
        read_recording(path, sample_rate=RATE)
    assert read_recording(path, sample_rate=RATE, resample=True).duration == pytest.approx(0.6, abs=1e-3)


def test_resampling_keeps_a_tone(tmp_path: Path) -> None:
    time = np.arange(16000) / 16000
    path = wav(tmp_path / "a.wav", np.sin(2 * np.pi * 440 * time).astype(np.float32) / 2, rate=16000, subtype="FLOAT")
    got = read_recording(path, sample_rate=RATE, resample=True).samples
    wanted = np.sin(2 * np.pi * 440 * np.arange(8000) / 8000) / 2
    np.testing.assert_allclose(got[200:-200], wanted[200:-200], atol=1e-3)


FORMATS = [("WAV", "PCM_16"), ("WAV", "FLOAT"), ("FLAC", "PCM_16"), ("OGG", "VORBIS"), ("OGG", "OPUS")]
FORMATS += [("MP3", "MPEG_LAYER_III"), ("AIFF", "PCM_24"), ("WAV", "ULAW"), ("W64", "PCM_16")]


@pytest.mark.parametrize("n_channels", [1, 2])
@pytest.mark.parametrize(("container", "subtype"), FORMATS)
def test_a_recording_is_the_same_however_it_is_cut(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, container: str, subtype: str, n_channels: int
) -> None:
    path = tmp_path / f"a.{container.lower()}"
    samples = np.stack([hum(n, 150.0 + 40 * n, seconds=3.0, rate=16000) for n in range(n_channels)], axis=1)
    soundfile.write(path, samples, 16000, format=container, subtype=subtype)
    with path.open("rb") as file:
        assert digest_file(file) == digest(path.read_bytes())
    options: list[dict[str, Any]] = [{}, {"channel": n_channels - 1}]
    options += [{"sample_rate": 22050, "resample": True}, {"speed": 1.1}]
    for option in options:
        found = []
        for size in (700, 16000, 1 << 20):
            monkeypatch.setattr("speechgmm.io.audio._PIECE", size)
            pieces = Pieces(path, **{"sample_rate": 16000, **option})
            found.append(np.concatenate([piece.copy() for piece in pieces]))
            np.testing.assert_array_equal(found[-1], found[0])
            assert pieces.duration == len(found[0]) / pieces.sample_rate
        if not option:
            decoded, _ = soundfile.read(path, dtype="float32", always_2d=True)
            np.testing.assert_allclose(found[0], decoded.mean(axis=1), atol=1e-6 if subtype != "VORBIS" else 1e-4)


@pytest.mark.parametrize(("rate", "new_rate"), [(44100, 16000), (8000, 16000), (16000, 17600)])
def test_resampling_in_pieces_is_soxrs_of_the_whole(rate: int, new_rate: int) -> None:
    samples = hum(0, 200.0, seconds=1.3, rate=rate)
    parts = [samples[n : n + 1000] for n in range(0, len(samples), 1000)]
    whole = soxr.resample(samples, rate, new_rate, quality="HQ")
    np.testing.assert_array_equal(np.concatenate(list(resampled(parts, rate, new_rate))), whole)


def test_what_is_wrong_anywhere_in_a_recording_is_said_of_the_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("speechgmm.io.audio._PIECE", 1000)
    samples = hum(0, 200.0)
    for place in (0, 1500, 4799):
        spoilt = samples.copy()
        spoilt[place] = np.nan
        spoilt[2500] = np.inf
        with pytest.raises(DataError, match="2 of 4800 samples are NaN or infinite"):
            read_recording(wav(tmp_path / "a.wav", spoilt, subtype="FLOAT"), sample_rate=RATE)
    late = np.zeros(4800, np.float32)
    late[4000] = 1.0
    recording = read_recording(wav(tmp_path / "late.wav", late), sample_rate=RATE)
    assert recording.clipped == 1 / 4800
    with pytest.raises(DataError, match="all 4800 samples are zero"):
        read_recording(wav(tmp_path / "zeros.wav", np.zeros(4800, np.float32)), sample_rate=RATE)


def bad_files(folder: Path) -> dict[str, Path]:
    whole = wav(folder / "whole.wav").read_bytes()
    flac = io.BytesIO()
    soundfile.write(flac, hum(0, 200.0), RATE, format="FLAC")
    content = {
        "empty.wav": b"",
        "truncated.wav": whole[: len(whole) // 2],
        "header.wav": whole[:30],
        "truncated.flac": flac.getvalue()[: len(flac.getvalue()) // 2],
        "text.wav": b"this is not audio, it is a text that somebody has renamed" * 10,
    }
    for name, data in content.items():
        (folder / name).write_bytes(data)
    spoilt = hum(0, 200.0)
    spoilt[100] = np.nan
    wav(folder / "nan.wav", spoilt, subtype="FLOAT")
    wav(folder / "zeros.wav", np.zeros(4000, np.float32))
    wav(folder / "nothing.wav", np.zeros(0, np.float32))
    return {path.name: path for path in folder.iterdir()} | {"missing.wav": folder / "missing.wav"}


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("missing.wav", "there is no such file"),
        ("empty.wav", r"the file is empty \(0 bytes\)"),
        ("truncated.wav", r"truncated: \d+ of its bytes are missing"),
        ("truncated.flac", r"truncated|not audio that can be decoded"),
        ("header.wav", "not audio that can be decoded|truncated|without samples"),
        ("text.wav", "not audio that can be decoded"),
        ("nan.wav", "1 of 4800 samples are NaN or infinite"),
        ("zeros.wav", "all 4000 samples are zero"),
        ("nothing.wav", "a header without samples"),
    ],
)
def test_a_recording_that_cannot_be_used_is_refused_by_name(tmp_path: Path, name: str, message: str) -> None:
    with pytest.raises(DataError, match=message) as caught:
        read_recording(bad_files(tmp_path)[name], sample_rate=RATE)
    assert name in str(caught.value)


@pytest.mark.parametrize("container", ["WAV", "AIFF", "AU", "W64", "RF64", "NIST", "FLAC", "OGG"])
def test_a_truncated_recording_is_refused_in_every_format(tmp_path: Path, container: str) -> None:
    path = tmp_path / f"a.{container.lower()}"
    kwargs = {"subtype": "OPUS"} if container == "OGG" else {}
    soundfile.write(path, hum(0, 200.0, seconds=3.0, rate=48000), 48000, format=container, **kwargs)
    read_recording(path, sample_rate=48000)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) * 2 // 3])
    with pytest.raises(DataError, match=r"truncated|not audio that can be decoded"):
        read_recording(path, sample_rate=48000)


def test_the_share_of_clipped_samples_is_counted(tmp_path: Path) -> None:
    samples = np.clip(hum(0, 200.0) * 20, -1, 1)
    share = float(np.mean(np.abs(samples) >= 0.999))
    assert read_recording(wav(tmp_path / "a.wav", samples), sample_rate=RATE).clipped == pytest.approx(share, abs=0.01)
    assert share > 0.1


def test_a_file_appears_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "a.txt"
    write_text(path, "first")

    def fail(file: io.BufferedIOBase) -> None:
        file.write(b"half")
        raise RuntimeError("stop")

    with pytest.raises(RuntimeError):
        write_atomically(path, fail)
    assert path.read_text() == "first"
    assert [found.name for found in path.parent.iterdir()] == ["a.txt"]


def test_a_full_disk_is_one_clear_paragraph_and_loses_nothing(tmp_path: Path) -> None:
    write_text(tmp_path / "a.txt", "first")

    def full(file: io.BufferedIOBase) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(DataError, match=r"a.txt: the disk is full \(No space left on device\); what was finished"):
        write_atomically(tmp_path / "a.txt", full)
    assert (tmp_path / "a.txt").read_text() == "first"
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match="cannot be written"):
        write_text(tmp_path / "file" / "a.txt", "x")


def test_one_process_at_a_time_holds_a_folder(tmp_path: Path) -> None:
    with (
        only_writer(tmp_path / "run"),
        pytest.raises(ConfigError, match="another run is writing here"),
        only_writer(tmp_path / "run"),
    ):
        pass
    with only_writer(tmp_path / "run"):
        pass


def test_leftovers_of_killed_processes_go_after_a_day_and_fresh_ones_stay(tmp_path: Path) -> None:
    for name, age in (("old", 2 * 86_400), ("fresh", 60)):
        path = tmp_path / f".{name}.tmp"
        path.write_text("")
        os.utime(path, (time.time() - age,) * 2)
    remove_leftovers(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [".fresh.tmp"]


def extracted(name: str, n_frames: int) -> Extracted:
    frames = np.full((n_frames, 3), n_frames, np.float32)
    measured = Measurements(-20.0, 0.0, 4000.0, 8000, ((1, n_frames),))
    return Extracted(digest(name), f"/{name}", (10, 20, 30, 40), 1.0, 0.0, measured, frames)


def test_the_store_gives_back_what_was_written(tmp_path: Path) -> None:
    store = FeatureStore.open(tmp_path, {"kind": "test"})
    written = store.write([extracted("a", 4), extracted("b", 2)])
    assert store.entries() == written
    assert FeatureStore.open(tmp_path, {"kind": "test"}).entries() == written
    np.testing.assert_array_equal(store.frames(written[1].shard, written[1].offset, 2), np.full((2, 3), 2))
    assert FeatureStore.open(tmp_path, {"kind": "other"}).entries() == []


def whole(store: FeatureStore) -> list[Entry]:
    entries = store.entries()
    damaged = store.damaged(entries)
    return [entry for entry in entries if entry not in damaged]


def test_a_damaged_index_or_shard_counts_as_absent(tmp_path: Path) -> None:
    store = FeatureStore.open(tmp_path, {"kind": "test"})
    (entry,) = store.write([extracted("a", 4)])
    shard, index = (store.folder / f"{entry.shard}{end}" for end in (".npy", ".json"))
    with pytest.raises(DataError, match="damaged"):
        store.frames(entry.shard, 2, 4)
    written = shard.read_bytes()
    for keep in (0, 60, len(written) - 1):
        shard.write_bytes(written[:keep])
        assert whole(store) == []
    shard.write_bytes(written)
    assert whole(store) == [entry]
    for text in ("", "{", index.read_text()[:-1], index.read_text().replace("/a", "/b")):
        index.write_text(text)
        assert store.read_indexes() == ([], [index])
    index.write_text('[{"key": "of an earlier version, without checksums"}]')
    assert store.read_indexes() == ([], [])
    shard.unlink()
    store.note([entry])
    assert store.entries() == []


def test_a_bit_flipped_in_a_shard_or_its_index_is_found(tmp_path: Path) -> None:
    """A flip is found; or, in the shard's header, it leaves the frames as they were."""
    store = FeatureStore.open(tmp_path, {"kind": "test"})
    entries = store.write([extracted("a", 4), extracted("b", 2)])
    frames = [store.frames(entry.shard, entry.offset, entry.n_frames) for entry in entries]
    shard, index = (store.folder / f"{entries[0].shard}{end}" for end in (".npy", ".json"))
    header = len(shard.read_bytes()) - sum(one.nbytes for one in frames)
    for path in (shard, index):
        written = path.read_bytes()
        for bit in range(0, 8 * len(written), 7):  # every place of a byte in turn
            spoilt = bytearray(written)
            spoilt[bit // 8] ^= 1 << bit % 8
            path.write_bytes(spoilt)
            if whole(store) == entries:
                assert path == shard
                assert bit < 8 * header
                for entry, before in zip(entries, frames, strict=True):
                    np.testing.assert_array_equal(store.frames(entry.shard, entry.offset, entry.n_frames), before)
        path.write_bytes(written)


def models(seed: int = 0) -> ClassModels:
    rng = np.random.default_rng(seed)

    def mixture(k: int) -> DiagGMM:
        return DiagGMM(rng.dirichlet(np.ones(k)), rng.normal(size=(k, 13)), rng.uniform(0.5, 2, (k, 13)))

    return ClassModels(("a", "é b"), (mixture(2), mixture(5)), np.log([0.25, 0.75]), temperature=0.03, ubm=mixture(3))


def test_a_model_file_gives_back_all_that_it_was_given(tmp_path: Path) -> None:
    audio = AudioInput(
        FeatureSpec(cmvn="global", vad="peak"),
        8000,
        1,
        True,
        Normalisation(np.arange(13.0), np.arange(1.0, 14.0)),
    )
    save_models(models(), tmp_path / "m.safetensors", audio=audio, label="word")
    back = read_model_file(tmp_path / "m.safetensors")
    assert back.label == "word"
    assert back.audio is not None
    assert (back.audio.features, back.audio.sample_rate, back.audio.channel, back.audio.resample) == (
        audio.features,
        8000,
        1,
        True,
    )
    assert back.audio.normalisation is not None
    np.testing.assert_array_equal(back.audio.normalisation.shift, np.arange(13.0))
    frames = np.random.default_rng(1).normal(size=(50, 13)).astype(np.float32)
    np.testing.assert_array_equal(back.models.mean_log_likelihoods(frames), models().mean_log_likelihoods(frames))
    assert (back.models.labels, back.models.temperature) == (("a", "é b"), 0.03)
    assert back.models.ubm is not None
    np.testing.assert_array_equal(back.models.ubm.means, models().ubm.means)  # type: ignore[union-attr]


def test_the_same_content_gives_the_same_bytes() -> None:
    content = [serialise(ModelFile(models(), AudioInput(FeatureSpec(), 8000))) for _ in range(3)]
    assert content[0] == content[1] == content[2]
    assert serialise(ModelFile(models(1))) != serialise(ModelFile(models(2)))


def test_a_model_file_says_by_how_many_components_frames_are_scored_and_older_ones_mean_all(tmp_path: Path) -> None:
    whole = models()
    assert whole.ubm is not None
    top = ClassModels(("a",), (whole.ubm,), np.zeros(1), ubm=whole.ubm, top_components=1)
    save_models(top, tmp_path / "m.safetensors")
    back = load_models(tmp_path / "m.safetensors")
    assert back.top_components == 1
    frames = np.random.default_rng(1).normal(size=(50, 13)).astype(np.float32)
    np.testing.assert_array_equal(back.mean_log_likelihoods(frames), top.mean_log_likelihoods(frames))
    without = serialise(ModelFile(whole))
    assert b"top_components" not in without  # as files were before there was the setting
    (tmp_path / "old.safetensors").write_bytes(without)
    assert load_models(tmp_path / "old.safetensors").top_components is None


def test_a_model_file_that_is_not_whole_not_ours_or_newer_is_refused(tmp_path: Path) -> None:
    from safetensors.numpy import save_file

    whole = serialise(ModelFile(models()))
    path = tmp_path / "m.safetensors"
    for keep in (0, 5, 100, len(whole) - 1):
        path.write_bytes(whole[:keep])
        with pytest.raises(ModelFileError, match="not a whole model file"):
            load_models(path)
    path.write_bytes(b"RIFF" + bytes(1000))
    with pytest.raises(ModelFileError, match="not a whole model file"):
        load_models(path)
    save_file({"x": np.zeros(3)}, path)
    with pytest.raises(ModelFileError, match="not one of speechgmm's"):
        load_models(path)
    save_file({"x": np.zeros(3)}, path, metadata={"speechgmm": json.dumps({"format": 4})})
    with pytest.raises(ModelFileError, match="model format 4; this version reads up to 3"):
        load_models(path)
    save_file({"x": np.zeros(3)}, path, metadata={"speechgmm": json.dumps({"format": 1})})
    with pytest.raises(ModelFileError, match=r"header\.labels is missing"):
        load_models(path)
    for header in ("nonsense", "[]", '{"format": "x"}', "{}"):
        save_file({"x": np.zeros(3)}, path, metadata={"speechgmm": header})
        with pytest.raises(ModelFileError, match="header of this model file is damaged"):
            load_models(path)
    with pytest.raises(ModelFileError, match="no such model file"):
        load_models(tmp_path / "none")
    with pytest.raises(ModelFileError, match="a folder"):
        load_models(tmp_path)


def test_models_of_claims_come_back_from_a_file_with_their_method_and_cohort(tmp_path: Path) -> None:
    ubm, *speakers = (DiagGMM([1.0], [[mean]], [[1.0]]) for mean in (0.0, 2.0, 1.0, -1.0))
    norm = ScoreNorm.of("s", [[0.0, 1.0, 3.0]])
    cohort = Cohort(("bob", "cy"), tuple(speakers[1:]), norm)
    for method in ("llr", "linear"):
        claims = ClaimModels(("ann",), (speakers[0],), np.zeros(1), ubm=ubm, method=method, cohort=cohort)
        save_models(claims, tmp_path / "m.safetensors")
        assert kind_of(tmp_path / "m.safetensors").name == "claims"
        back = load_models(tmp_path / "m.safetensors")
        assert isinstance(back, ClaimModels)
        assert (back.method, back.norm_by_recordings) == (method, "s")
        frames = [[[0.5], [2.5]]]
        np.testing.assert_array_equal(back.claim_scores(frames).scores, claims.claim_scores(frames).scores)
    # A norm by the cohort's recordings measures a class that is added, or replaced, on them.
    larger = claims.with_class("dan", speakers[1], None, [[[1.0]], [[2.0]], [[3.0]]])
    assert larger.cohort is not None
    assert larger.cohort.norm.by_model.shape == (2, 2)  # type: ignore[union-attr]
    again = claims.with_model(0, speakers[1], [[[1.0]], [[2.0]], [[3.0]]])
    np.testing.assert_array_equal(again.cohort.norm.by_model, larger.cohort.norm.by_model[1:])  # type: ignore[union-attr]


def test_a_file_of_classes_alone_is_no_file_of_claims_and_scores_claims_without_a_cohort(tmp_path: Path) -> None:
    ubm, ann = (DiagGMM([1.0], [[mean]], [[1.0]]) for mean in (0.0, 2.0))
    save_models(ClassModels(("ann",), (ann,), np.zeros(1), ubm=ubm), tmp_path / "m.safetensors")
    assert kind_of(tmp_path / "m.safetensors").name == "classes"
    file = read_model_file(tmp_path / "m.safetensors")
    assert not isinstance(file, ClaimFile)
    scores, llrs = ClaimFile.of(file).judged(np.array([[2.0]], np.float32))
    assert scores.round(6).tolist() == [2.0]
    assert llrs is None


def test_the_background_model_is_read_from_any_model_file_or_its_lack_is_named(tmp_path: Path) -> None:
    ubm = DiagGMM([1.0], [[0.0]], [[1.0]])
    path = tmp_path / "m.safetensors"
    save_models(ClassModels(("a",), (ubm,), np.zeros(1), ubm=ubm), path, audio=AudioInput(FeatureSpec(), 8000))
    found = read_background_model(path)
    np.testing.assert_array_equal(found.mixture.means, ubm.means)
    assert found.audio.sample_rate == 8000
    save_models(ClassModels(("a",), (ubm,), np.zeros(1)), path, audio=AudioInput(FeatureSpec(), 8000))
    with pytest.raises(ConfigError, match="has no background model"):
        read_background_model(path)
    save_models(ClassModels(("a",), (ubm,), np.zeros(1), ubm=ubm), path)
    with pytest.raises(ConfigError, match="was trained on frames"):
        read_background_model(path)
