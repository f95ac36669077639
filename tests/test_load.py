"""A loaded model says of a recording what commands say, of paths and samples, one or many, by one thread or eight."""

import json
import re
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import FrozenInstanceError
from pathlib import Path
from typing import Any

import loadable
import numpy as np
import pytest
import soundfile
from conftest import hum
from typer.testing import CliRunner

import speechgmm as sg
from speechgmm.cli import app
from speechgmm.engine.audio_input import AudioInput
from speechgmm.engine.loaded_model import METHODS
from speechgmm.errors import (
    ConfigError,
    DataError,
    FitWarning,
    KeywordError,
    MethodError,
    ModelFileError,
    RecordingWarning,
    ShapeError,
)
from speechgmm.features import FeatureSpec
from speechgmm.gmm import DiagGMM
from speechgmm.io.model_kinds import model_kinds
from speechgmm.tasks.anomaly.codec import read_anomaly_file
from speechgmm.tasks.anomaly.scoring import find_anomalies
from speechgmm.tasks.classification.codec import read_model_file
from speechgmm.tasks.diarization.recordings import diarize_recordings
from speechgmm.tasks.verification.judging import judge_recordings

KEPT = Path(__file__).parent / "kept"
RATE = 8000
GOOD = hum(0, 150.0)


@pytest.fixture(scope="module")
def hums(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four recordings of a second, int16."""
    folder = tmp_path_factory.mktemp("hums")
    for n in range(4):
        soundfile.write(folder / f"{n}.wav", hum(n, 110.0 + 40 * n, 1.0), RATE)
    return folder


def load(name: str, **options: Any) -> sg.LoadedModel:
    return sg.load(KEPT / name, **options)


def printed(*arguments: object) -> list[dict[str, Any]]:
    """What a command prints as JSON, a line each."""
    found = CliRunner().invoke(app, [*map(str, arguments), "--format", "jsonl"])
    assert found.exit_code == 0, found.output
    return [json.loads(line) for line in found.stdout.splitlines()]


# ---- the same as the commands ----


@pytest.mark.parametrize("name", ["class", "class-earlier", "variational", "verify-norm", "verify-norm-earlier"])
def test_score_gives_what_the_command_prints_and_what_the_library_gives_bit_by_bit(name: str, hums: Path) -> None:
    model = load(name)
    for path in sorted(hums.iterdir()):
        found = model.score(path)
        rows = printed("score", KEPT / name, path, "--top", 99)
        assert [row["label"] for row in rows] == list(found.labels)
        assert [row["mean_log_likelihood"] for row in rows] == [round(value, 6) for value in found.log_likelihoods]
        for column, values in (("posterior", found.posteriors), ("llr", found.llrs)):
            assert [row.get(column) for row in rows] == [v and round(v, 6) for v in values or [None] * len(rows)]
        assert {row.get("decision", found.labels[0]) for row in rows} == {found.decision}
        assert [(row["start"], row["end"], row["n_frames"]) for row in rows][:1] == [(0.0, 1.0, found.n_frames)]
        ((_, (item,)),) = sg.score_recordings(read_model_file(KEPT / name / "models.safetensors"), [path])
        assert list(found.log_likelihoods) == item.mean_log_likelihoods[item.ranked()].tolist()
        assert found == model.classify(path)


@pytest.mark.parametrize("name", ["class", "segments"])
def test_windows_are_those_of_the_command(name: str, hums: Path) -> None:
    found = load(name).classify_windows(hums / "0.wav", window=0.3, hop=0.2)
    rows = printed("score", KEPT / name, hums / "0.wav", "--window", 0.3, "--hop", 0.2, "--top", 1)
    assert len(found) == len(rows) == 5
    for one, row in zip(found, rows, strict=True):
        assert (round(one.start, 3), round(one.end, 3), one.decision) == (row["start"], row["end"], row["label"])
        assert round(one.posteriors[0], 6) == row["posterior"]


def test_segments_are_classified_by_pairs_a_table_or_a_textgrid(hums: Path, tmp_path: Path) -> None:
    model, path = load("segments"), hums / "1.wav"
    found = model.classify(path, segments=[(0.1, 0.4), (0.4, 0.9)])
    (tmp_path / "times.tsv").write_text(f"path\tstart\tend\n{path}\t0.1\t0.4\n{path}\t0.4\t0.9\n")
    assert model.score(path, segments=tmp_path / "times.tsv") == found
    rows = printed("score", KEPT / "segments", path, "--segments", tmp_path / "times.tsv", "--top", 99)
    assert [row["label"] for row in rows] == [label for one in found for label in one.labels]
    assert [row["posterior"] for row in rows] == [round(value, 6) for one in found for value in one.posteriors]
    with pytest.raises(ConfigError, match=r"pairs of times, and there are 4 recordings; expected a table"):
        model.classify(hums, segments=[(0, 1)])
    with pytest.raises(ConfigError, match=r"segments\[0\] is 0.1; expected \(start, end\) in s"):
        model.classify(path, segments=[0.1, 0.2])
    with pytest.raises(DataError, match=r"past the end"):
        model.classify(path, segments=[(0.1, 7.0)])


def test_claims_are_judged_as_by_the_command(hums: Path) -> None:
    model, path = load("verify-norm"), KEPT / "verify-norm" / "models.safetensors"
    for claim in model.labels:
        found = model.verify(hums, claim=claim)
        rows = printed("verify", path, hums, "--claim", claim)
        assert [(round(one.score, 6), round(one.llr, 6), one.decision) for one in found] == [
            (row["score"], row["llr"], row["decision"]) for row in rows
        ]
        judged = judge_recordings(read_model_file(path), sorted(hums.iterdir()), claim)
        assert [(one.score, one.llr, one.n_frames) for one in found] == [
            (one.score, one.llr, one.n_frames) for _, one in judged
        ]
    low = model.verify(hums / "0.wav", claim="s0", threshold=-1e9)
    assert (low.accepted, low.threshold, low.decision) == (True, -1e9, "accept")
    with pytest.raises(ConfigError, match=r"claim nobody: no such class; the model has s0, s1"):
        model.verify(hums, claim="nobody")
    with pytest.raises(ConfigError, match="threshold nan"):
        model.verify(hums, claim="s0", threshold=float("nan"))


def test_words_are_those_of_the_commands(hums: Path) -> None:
    model, path = load("recognition"), hums / "2.wav"
    for found, row in (
        (model.recognise(path, top=2), printed("recognise", KEPT / "recognition", path, "--top", 2)[0]),
        (model.align(path, text="flat"), printed("align", KEPT / "recognition", path, "--text", "flat")[0]),
    ):
        words = [(one["label"], one["start"], one["end"]) for one in row["words"]]
        assert [(one.label, round(one.start, 6), round(one.end, 6)) for one in found.words] == words
        assert [" ".join(labels) for labels, _ in found.hypotheses] == [one["words"] for one in row.get("best", [])]
        assert (found.fit is None) == ("fit" not in row)
    assert model.score(path) == model.recognise(path)
    assert found.text == "flat"
    with pytest.raises(DataError, match="no word 'nothing'"):
        model.align(path, text="nothing")
    with pytest.raises(ConfigError, match="text is ''; expected the words"):
        model.align(path, text="")
    with pytest.raises(ConfigError, match="top is 0; expected 1 to 1000 hypotheses"):
        model.recognise(path, top=0)
    with pytest.raises(ConfigError, match="top is 1001; expected 1 to 1000"):
        model.recognise(path, top=1001)
    with pytest.raises(ConfigError, match="dictionary is 5; expected the path of a dictionary"):
        model.align(path, text="flat", dictionary=5)


def test_anomaly_scores_are_those_of_the_command(hums: Path) -> None:
    model = load("anomaly")
    found = model.anomaly(hums, label="m0")
    rows = printed("score", KEPT / "anomaly", hums, "--label", "m0")
    names = ("score", "threshold", "p_value")
    assert [tuple(round(getattr(one, name), 6) for name in names) for one in found] == [
        tuple(row[name] for name in names) for row in rows
    ]
    assert [one.decision for one in found] == [row["decision"] for row in rows]
    file = read_anomaly_file(KEPT / "anomaly" / "models.safetensors")
    assert [one.score for one in found] == [one.score for _, one in find_anomalies(file, sorted(hums.iterdir()), "m0")]
    assert all(90 < len(one.times) == len(one.curve) <= 100 for one in found)
    with pytest.raises(ConfigError, match=r"2 classes of normal recordings \(machine\): m0, m1; name the class"):
        model.score(hums)


@pytest.fixture(scope="module")
def diarizer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file of a diarizer."""
    path = tmp_path_factory.mktemp("diarizer") / "diarizer.safetensors"
    path.write_bytes(loadable.diarizer())
    return path


def test_turns_are_those_of_the_library(diarizer: Path, tmp_path: Path) -> None:
    from speechgmm.tasks.diarization.codec import read_diarizer

    call = loadable.call()
    soundfile.write(tmp_path / "call.wav", call, RATE, subtype="FLOAT")
    model = sg.load(diarizer)
    for n_speakers in (None, 1, 2):
        ((_, expected),) = diarize_recordings(read_diarizer(diarizer), [tmp_path / "call.wav"], n_speakers=n_speakers)
        found = model.score(tmp_path / "call.wav", n_speakers=n_speakers)
        assert (found.turns, found.n_speakers, found.duration) == (
            expected.turns,
            expected.n_speakers,
            expected.duration,
        )
        assert model.diarize(call, RATE, n_speakers=n_speakers).turns == found.turns
        assert found.turns
    with pytest.raises(ConfigError, match="n_speakers 0; expected 1 or more"):
        model.diarize(call, RATE, n_speakers=0)


@pytest.fixture(scope="module")
def background(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file of a run of clustering."""
    path = tmp_path_factory.mktemp("background") / "models.safetensors"
    path.write_bytes(loadable.background())
    return path


def test_clusters_are_those_of_the_command(background: Path, tmp_path: Path) -> None:
    for n in range(6):
        soundfile.write(tmp_path / f"{n}.wav", hum(n, 120.0 if n % 2 else 330.0, 1.0), RATE)
    paths = sorted(tmp_path.glob("*.wav"))
    model = sg.load(background)
    found = model.cluster(paths, n_clusters=2)
    assert found == model.cluster(tmp_path, n_clusters=2)
    assert found.clusters == (0, 1, 0, 1, 0, 1)
    arguments = ["cluster", *map(str, paths), "--model", str(background), "--n-clusters", "2"]
    done = CliRunner().invoke(app, [*arguments, "--out", str(tmp_path / "out")])
    assert done.exit_code == 0, done.output
    lines = (tmp_path / "out" / "clusters.tsv").read_text().splitlines()[1:]
    assert [line.split("\t")[:2] for line in lines] == [
        [name, str(n)] for name, n in zip(found.recordings, found.clusters, strict=True)
    ]
    samples = [soundfile.read(path, dtype="float32")[0] for path in paths]
    assert model.cluster(samples, RATE, n_clusters=2).clusters == found.clusters
    with pytest.raises(ConfigError, match=r"one recording; expected a folder or a list"):
        model.cluster(paths[0])
    (tmp_path / "bad.wav").write_bytes(b"no sound")
    with pytest.raises(DataError, match=r"bad\.wav"):
        model.cluster([*paths, tmp_path / "bad.wav"], n_clusters=2)
    kept = model.cluster([*paths, tmp_path / "bad.wav"], n_clusters=2, on_error="return")
    assert kept.clusters == found.clusters
    assert [name for name, _ in kept.failures] == [str(tmp_path / "bad.wav")]


# ---- paths and samples, one and many ----


@pytest.mark.parametrize("name", ["class", "verify-norm", "recognition"])
@pytest.mark.parametrize("subtype", ["PCM_16", "FLOAT"])
@pytest.mark.parametrize("n_channels", [1, 2])
def test_samples_are_a_recording_like_any_other(name: str, subtype: str, n_channels: int, tmp_path: Path) -> None:
    samples = np.stack([hum(5, 150.0, 1.0), hum(6, 160.0, 1.0)], axis=1)[:, :n_channels]
    soundfile.write(tmp_path / "a.wav", samples, RATE, subtype=subtype)
    read, rate = soundfile.read(tmp_path / "a.wav", dtype="int16" if subtype == "PCM_16" else "float32")
    model = load(name)
    of_file, of_samples = model.score(tmp_path / "a.wav").to_dict(), model.score(read, rate).to_dict()
    assert of_samples.pop("recording") == "samples"
    assert of_file.pop("recording") == str(tmp_path / "a.wav")
    assert of_samples == of_file
    if subtype == "FLOAT":
        again = model.score(read.astype(np.float64), rate).to_dict()
        assert {**again, "recording": ""} == {"recording": "", **of_file}


@pytest.mark.parametrize("n_jobs", [1, 3, -1])
def test_a_folder_or_a_list_gives_a_list_in_order_whatever_the_number_of_threads(n_jobs: int, hums: Path) -> None:
    model, paths = load("class"), sorted(hums.iterdir())
    each = [model.score(path) for path in paths]
    assert model.score(hums, n_jobs=n_jobs) == each
    assert model.score(paths[::-1], n_jobs=n_jobs) == each[::-1]
    assert model.score([*map(str, paths), hums], n_jobs=n_jobs) == each * 2
    samples = [soundfile.read(path, dtype="int16")[0] for path in paths]
    found = model.score(samples, RATE, n_jobs=n_jobs)
    assert [one.log_likelihoods for one in found] == [one.log_likelihoods for one in each]
    assert [one.recording for one in found] == [f"samples[{n}]" for n in range(4)]
    assert model.score([], n_jobs=n_jobs) == []


@pytest.mark.slow
def test_eight_threads_get_the_results_of_one(hums: Path) -> None:
    paths = sorted(hums.iterdir()) * 8
    for name, options in (
        ("class", {}),
        ("verify-norm", {"claim": "s1"}),
        ("recognition", {}),
        ("anomaly", {"label": "m1"}),
        ("segments", {"segments": [(0.1, 0.5), (0.5, 0.9)]}),
    ):
        model = load(name)
        method = model.verify if "claim" in options else model.score
        with ThreadPoolExecutor(8) as pool:
            found = list(pool.map(lambda path: method(path, **options), paths))  # noqa: B023
        assert found == [method(path, **options) for path in paths]


def test_a_recording_that_fails_is_raised_or_returned_in_its_place(hums: Path, tmp_path: Path) -> None:
    (tmp_path / "empty.wav").write_bytes(b"")
    paths = [hums / "0.wav", tmp_path / "empty.wav", hums / "1.wav"]
    model = load("class")
    with pytest.raises(DataError, match=r"empty\.wav"):
        model.score(paths)
    first, error, last = model.score(paths, on_error="return")
    assert (first, last) == (model.score(paths[0]), model.score(paths[2]))
    assert isinstance(error, DataError)
    with pytest.raises(ConfigError, match="on_error is 'skip'; expected 'raise' or 'return'"):
        model.score(paths, on_error="skip")
    with pytest.raises(DataError, match="no recordings in this folder"):
        model.score(KEPT / "class")
    with pytest.raises(ConfigError, match="n_jobs 0; expected a whole number"):
        model.score(paths, n_jobs=0)


# ---- results ----


@pytest.mark.parametrize("name", ["class", "verify-norm", "recognition", "anomaly", "segments"])
def test_results_are_frozen_and_become_json_and_tables(name: str, hums: Path) -> None:
    pandas = pytest.importorskip("pandas")
    options = {"anomaly": {"label": "m0"}, "segments": {"segments": [(0.0, 0.5)]}}.get(name, {})
    found = load(name).score(hums / "0.wav", **options)
    with pytest.raises(FrozenInstanceError):
        found.recording = "other"
    assert json.loads(json.dumps(found.to_dict(), allow_nan=False)) == found.to_dict()
    frame = found.to_frame()
    assert isinstance(frame, pandas.DataFrame)
    assert list(frame["recording"]) == [str(hums / "0.wav")] * len(frame) != []
    assert frame.to_dict("records")[0].keys() == found.rows()[0].keys()


def test_a_window_without_speech_has_no_scores_and_decides_nothing() -> None:
    silent = np.concatenate([hum(0, 150.0, 0.5), np.zeros(RATE // 2, np.float32)])  # frames overlap the third window
    with pytest.warns(RecordingWarning, match="digital silence"):
        found = load("class").classify_windows(silent, RATE, window=0.25)
    assert [one.n_frames == 0 for one in found] == [False, False, False, True]
    assert [one.decision is None for one in found] == [one.n_frames == 0 for one in found]
    assert [one.log_likelihoods is None for one in found] == [one.n_frames == 0 for one in found]


def test_without_pandas_a_table_is_refused_with_what_to_do(monkeypatch: pytest.MonkeyPatch, hums: Path) -> None:
    monkeypatch.setitem(sys.modules, "pandas", None)
    found = load("class").score(hums / "0.wav")
    with pytest.raises(ConfigError, match=r"pandas, which is not installed: pip install pandas, or use to_dict\(\)"):
        found.to_frame()


# ---- models ----


def test_a_model_says_what_it_is_and_refuses_what_it_cannot_do(diarizer: Path, background: Path) -> None:
    expected = {
        "class": "<classification model: 4 classes (word), mfcc of 16 dimensions, 8000 Hz (no other rate), ",
        "verify-norm": "<verification model: 5 classes (speaker), mfcc of 16 dimensions, 8000 Hz (no other rate), ",
        "segments": "<segments model: 3 classes (unit), mfcc of 16 dimensions, 8000 Hz (no other rate), ",
        "recognition": "<recognition model: 3 words of 4 units (text), mfcc of 8 dimensions, 8000 Hz (no other rate), ",
        "anomaly": "<anomaly model: 2 normal classes (machine), 2 streams, mfcc of 16 dimensions, 8000 Hz (no other ",
        str(
            diarizer
        ): "<diarization model: background model of 2 components, mfcc of 20 dimensions, 8000 Hz (no other ",
        str(background): "<clustering model: sounds by cosine, 4 components, mfcc of 8 dimensions, 8000 Hz (no other ",
    }
    for name, text in expected.items():
        model = load(name)
        assert repr(model).startswith(text)
        assert repr(model).endswith("models.safetensors>" if name != str(diarizer) else "diarizer.safetensors>")
        for method in METHODS:
            assert hasattr(model, method) == (method in model.methods)
            if method not in model.methods:
                listed = ", ".join(model.methods)
                with pytest.raises(MethodError, match=rf"task {model.task} has no {method}\(\); it has {listed}"):
                    getattr(model, method)
        assert model.sample_rate == RATE
    assert load("class").labels == ("ba", "da", "ga", "ma")
    with pytest.raises(MethodError, match=r"verify needs a background model: train with model\.adapt: map"):
        load("class").verify("a.wav", claim="ba")
    with pytest.raises(AttributeError, match="no attribute 'clasify'"):
        load("class").clasify("a.wav")


def test_what_is_no_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelFileError, match="no such model file"):
        sg.load(tmp_path / "nothing.safetensors")
    with pytest.raises(ModelFileError, match="no such model file"):
        sg.load(tmp_path)


def test_another_rate_is_resampled_only_where_that_is_asked_for(tmp_path: Path) -> None:
    samples = hum(3, 150.0, 1.0, 16000)
    soundfile.write(tmp_path / "a.wav", samples, 16000, subtype="FLOAT")
    for name in ("class", "verify-norm", "recognition"):
        with pytest.raises(DataError, match=r"samples: sample rate 16000 Hz, not 8000 Hz; resample it .*resample=True"):
            load(name).score(samples, 16000)
        model = load(name, resample=True)
        assert "8000 Hz (resamples)" in repr(model)
        one, other = (found.to_dict() for found in (model.score(samples, 16000), model.score(tmp_path / "a.wav")))
        assert {**one, "recording": ""} == {**other, "recording": ""}
    rows = printed("score", KEPT / "class", tmp_path / "a.wav", "--resample", "--top", 1)
    assert rows[0]["label"] == load("class", resample=True).score(samples, 16000).decision


def test_every_kind_of_model_file_is_loaded_by_its_task() -> None:
    assert all(callable(kind.function("interface:load")) for kind in model_kinds())


def test_classes_with_a_background_model_judge_claims_whatever_the_task_was(tmp_path: Path) -> None:
    rng, n_dims = np.random.default_rng(0), 13
    mixtures = [DiagGMM([1.0], rng.normal(size=(1, n_dims)), np.full((1, n_dims), 100.0)) for _ in range(3)]
    models = sg.ClassModels(("a", "b"), tuple(mixtures[:2]), np.log([0.5, 0.5]), ubm=mixtures[2])
    sg.save_models(models, tmp_path / "models.safetensors", audio=AudioInput(FeatureSpec(), RATE))
    model = sg.load(tmp_path)
    assert model.task == "classification"
    found = model.verify(GOOD, RATE, claim="b")
    assert (found.llr, found.threshold, found.accepted) == (None, 0.0, found.score >= 0)
    assert model.score(GOOD, RATE).threshold is None


# ---- bad input ----


class OnDevice:
    """A tensor that lies on an accelerator."""

    device = "cuda:0"

    def __array__(self) -> np.ndarray:
        raise TypeError("can't convert cuda:0 device type tensor to numpy")


class NotReadable:
    """A tensor on the CPU that numpy may not read."""

    def __array__(self, dtype: object = None, copy: object = None) -> np.ndarray:
        raise RuntimeError("it requires grad")


@pytest.mark.parametrize(
    ("samples", "rate", "error", "message"),
    [
        (GOOD, None, ConfigError, "samples without their rate; give sample_rate, in Hz"),
        (GOOD, 8000.0, ConfigError, "sample_rate is 8000.0; expected a whole number of Hz"),
        (GOOD, 0, ConfigError, "sample_rate is 0; expected a whole number of Hz, 1 or more"),
        (
            np.stack([GOOD, GOOD]),
            RATE,
            ShapeError,
            r"shape \(2, 4800\); expected \(N,\), or \(N, channels\): transpose",
        ),
        (GOOD.reshape(2, 3, -1), RATE, ShapeError, r"shape \(2, 3, 800\); expected \(N,\), or \(N, channels\)"),
        (GOOD[:0], RATE, DataError, r"no samples, shape \(0,\)"),
        (np.where(np.arange(4800) == 9, np.nan, GOOD), RATE, DataError, "1 of 4800 samples are NaN or infinite"),
        (np.zeros(4800), RATE, DataError, "all 4800 samples are zero"),
        (GOOD * 32768, RATE, DataError, r"expected \[-1, 1\]: divide 16-bit samples by 32768"),
        ((GOOD * 2**31).astype(np.int32), RATE, DataError, r"type int32; expected int16, or floats in \[-1, 1\]"),
        (GOOD.astype(complex), RATE, DataError, r"type complex128; expected int16, or floats"),
        (GOOD[:100], RATE, DataError, "100 samples at 8000 Hz are too short for one frame"),
        (OnDevice(), RATE, DataError, r"OnDevice on cuda:0; expected a numpy array: copy them, samples.cpu\(\)"),
        (NotReadable(), RATE, DataError, r"NotReadable that numpy cannot read \(it requires grad\)"),
        (7, RATE, DataError, r"samples are a builtins.int; expected a numpy array of int16, or of floats"),
        (b"abc", RATE, DataError, r"samples are a builtins.bytes; expected a numpy array"),
        ([0.1, 0.2], RATE, DataError, "audio is a list of numbers; expected samples as a numpy array"),
        ("a.wav", RATE, ConfigError, "a.wav: sample_rate=8000 is for samples, and a file says its own rate"),
        ("nowhere.wav", None, DataError, "nowhere.wav"),
        (None, None, DataError, "samples are a builtins.NoneType; expected a numpy array"),
        (GOOD[:0].reshape(0, 2), RATE, DataError, r"no samples, shape \(0, 2\)"),
        ("", None, ConfigError, "audio is an empty path"),
    ],
)
@pytest.mark.filterwarnings("ignore::speechgmm.errors.RecordingWarning")
def test_samples_that_cannot_be_used_are_refused(
    samples: object, rate: int | None, error: type[Exception], message: str
) -> None:
    for name in ("class", "recognition"):
        with pytest.raises(error, match=message):
            load(name).score(samples, rate)


@pytest.mark.parametrize(
    ("name", "method", "arguments", "message"),
    [
        ("verify-norm", "verify", {"claim": "s0", "threshold": "1"}, "threshold is '1'; expected a number"),
        ("verify-norm", "verify", {"claim": "nobody"}, "claim nobody: no such class; the model has s0"),
        ("class", "classify_windows", {"window": "1"}, "window is '1'; expected a number of seconds"),
        ("class", "classify_windows", {"hop": True}, "hop is True; expected a number of seconds"),
        ("segments", "classify", {"segments": 5}, r"segments is 5; expected pairs \(start, end\) in s, or a path"),
        (
            "segments",
            "classify",
            {"segments": [(np.nan, 0.5)]},
            r"segments\[0\] is \(nan, 0.5\); expected \(start, end\)",
        ),
        ("recognition", "recognise", {"top": 1.5}, "top is 1.5; expected a whole number of hypotheses"),
        ("recognition", "align", {"text": 5}, "text is 5; expected the words that are said"),
    ],
)
def test_an_argument_of_another_type_is_named(name: str, method: str, arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        getattr(load(name), method)(GOOD, RATE, **arguments)


def test_what_is_no_path_is_no_model() -> None:
    with pytest.raises(ConfigError, match="path is 5; expected the folder of a run, or its model file"):
        sg.load(5)


def test_samples_of_a_list_that_cannot_be_used_are_returned_in_their_place_too(background: Path) -> None:
    model = load("class")
    given = [GOOD[:0], GOOD, GOOD.astype(np.int32), GOOD]
    first, good, third, last = model.score(given, RATE, on_error="return")
    assert isinstance(first, DataError)
    assert isinstance(third, DataError)
    assert (good.log_likelihoods, last.log_likelihoods) == (model.score(GOOD, RATE).log_likelihoods,) * 2
    with pytest.raises(DataError, match=r"samples\[0\]: no samples"):
        model.score(given, RATE)
    clusters = sg.load(background)
    found = clusters.cluster([*given, hum(1, 330.0)], RATE, n_clusters=2, on_error="return")
    assert found.recordings == ("samples[1]", "samples[3]", "samples[4]")
    assert [name for name, _ in found.failures] == ["samples[0]", "samples[2]"]
    with pytest.raises(DataError, match=r"samples\[0\]: no samples"):
        clusters.cluster(given, RATE)
    with pytest.raises(ConfigError, match="on_error is 'skip'"):
        clusters.cluster(given, RATE, on_error="skip")


def test_samples_beyond_full_scale_are_used_and_said() -> None:
    model = load("class")
    with (
        pytest.warns(RecordingWarning, match=r"samples: 3\.8 % of samples are clipped"),
        pytest.warns(RecordingWarning, match=r"samples: samples reach 1\.5; expected \[-1, 1\]"),
    ):
        found = model.score(GOOD / np.abs(GOOD).max() * np.float32(1.5), RATE)
    assert found.labels


@pytest.mark.parametrize(
    ("function", "keyword", "message"),
    [
        ("fit_gmm", "random_state", "fit_gmm: random_state is called seed in speechgmm"),
        ("fit_gmm", "sample_weight", "fit_gmm: sample_weight is called weights in speechgmm"),
        ("fit_gmm", "covariance_type", "fit_gmm: covariance_type is called covariance in speechgmm"),
        (
            "train_classes",
            "sample_weight",
            "train_classes: sample_weight is not available: frames have no weights here",
        ),
        ("train_classes", "random_state", "train_classes: random_state is called seed"),
        ("adapt_map", "reg_covar", "adapt_map: reg_covar is called floor"),
        ("choose_n_components", "random_state", "choose_n_components: random_state is called seed"),
        ("fit_variational", "random_state", "fit_variational: random_state is called seed"),
        ("cluster_pieces", "n_jobs", "cluster_pieces: n_jobs is called map"),
        ("sample", "random_state", "sample: random_state is called seed"),
    ],
)
def test_keywords_of_other_libraries_are_answered_with_ours(function: str, keyword: str, message: str) -> None:
    with pytest.raises(KeywordError, match=message):
        getattr(sg, function)([[0.0]], **{keyword: 1})
    with pytest.raises(TypeError, match="nonsense"):
        getattr(sg, function)([[0.0]], nonsense=1)


def test_a_warning_of_training_points_at_its_caller() -> None:
    frames = np.random.default_rng(0).normal(size=(200, 2)) * [1.0, 1e-3]
    frames[::2, 1] *= 1e-3
    for train in (
        lambda: sg.fit_gmm(frames, 4, variance_floor=0.5),
        lambda: sg.train_classes({"a": frames, "b": frames}, n_components=4, variance_floor=0.5),
    ):
        with pytest.warns(FitWarning) as caught:
            train()
        assert {warning.filename for warning in caught} == {__file__}


# ---- the page ----


PAGE = Path(__file__).parents[1] / "docs" / "how-to" / "python.md"


def test_the_page_has_an_example_of_every_method() -> None:
    """``tests/test_site_code.py`` runs them."""
    code = "".join(re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL))
    assert [method for method in METHODS if f".{method}(" not in code] == []


# ---- small laws of results ----


def test_a_list_of_one_recording_gives_a_list_of_one_result() -> None:
    model = load("class")
    assert model.score([GOOD], RATE)[0].log_likelihoods == model.score(GOOD, RATE).log_likelihoods


def test_an_anomaly_is_above_the_threshold_begins_before_it_ends_and_is_json_without_nan() -> None:
    found = load("anomaly").score(np.concatenate([GOOD, -GOOD]), RATE, label="m0")
    assert found.start < found.end
    values = dict.fromkeys(("recording", "label", "decision"), "") | {"p_value": np.nan, "start": 0.0, "end": np.inf}
    for score, is_above in ((5.0, False), (7.0, False), (8.0, True)):
        one = sg.AnomalyResult(**values, score=score, threshold=7.0, n_frames=1, times=(), curve=(float("nan"),))
        assert one.is_anomalous is is_above
        assert (one.to_dict()["p_value"], one.to_dict()["end"], one.to_dict()["curve"]) == (None, None, [None])
