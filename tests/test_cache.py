"""The cache: what decides a model is its key, damage is made again, and several processes at once lose nothing.

``SPEECHGMM_FLIPS=200`` flips as many bits, one by one.
"""

import copy
import os
import random
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import MISSING, fields, is_dataclass, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import filelock
import numpy as np
import pytest
import soundfile

from speechgmm.cli.checks import check_and_print
from speechgmm.cli.inspection import clear_cache, describe_cache, inspect
from speechgmm.engine.audio_input import AudioInput
from speechgmm.engine.console import Console
from speechgmm.engine.extraction import extract
from speechgmm.engine.frames import Piece, pooled_moments
from speechgmm.engine.job import prepare
from speechgmm.engine.labelled_recordings import Recording
from speechgmm.engine.mixture_fit import NOT_IN_KEY, MixtureTask
from speechgmm.engine.model_cache import NOT_OF_FRAMES, ModelCache, frames_key, model_key
from speechgmm.engine.noisy_copies import Noising
from speechgmm.engine.runs import run
from speechgmm.engine.shards import open_store
from speechgmm.engine.sweeps import grid_points, sweep
from speechgmm.errors import DataError, ModelFileError
from speechgmm.features import FeatureSpec, Normalisation
from speechgmm.features.augment import Copy
from speechgmm.features.transforms import LinearTransform, TransformSpec
from speechgmm.gmm import BayesianGMM, DiagGMM, ModelSpec
from speechgmm.hmm import HMMSpec, RecognitionSpec
from speechgmm.hmm.speech_detector import SpeechDetector
from speechgmm.io.container import packed
from speechgmm.io.feature_store import FeatureStore
from speechgmm.io.locks import LOCK, changing, clearing_cache, using_cache
from speechgmm.io.model_card import with_card
from speechgmm.tasks.classification.codec import read_model_file, serialise
from speechgmm.tasks.classification.enrolment import enrol
from speechgmm.tasks.classification.spec import ScoringSpec
from speechgmm.tasks.recognition.transcripts import Transcript
from speechgmm.tasks.recognition.unit_training import NOT_OF_UNITS, UnitsTask
from speechgmm.tasks.segments.spec import SegmentSpec
from speechgmm.tasks.segments.training import _Task as SegmentsTask
from tests.conftest import hum

FLIPS = int(os.environ.get("SPEECHGMM_FLIPS", "20"))
OUTPUTS = ("models.safetensors", "scores.tsv")


def quiet() -> Console:
    return Console(quiet=True)


# ---- what decides a model is in its key ----


def changes(value: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    """A value with one thing changed in it: every field of a dataclass in turn, whatever it is, without its checks."""
    if is_dataclass(value) and not isinstance(value, type):
        for field in fields(value):
            if not field.init:
                continue
            for path, new in changes(getattr(value, field.name), f"{name}.{field.name}" if name else field.name):
                altered = copy.copy(value)
                object.__setattr__(altered, field.name, new)
                yield path, altered
    else:
        yield name, other(value)


def other(value: Any) -> Any:
    match value:
        case bool():
            return not value
        case int() | float():
            return value + 1
        case str():
            return value + "x"
        case None:
            return 7
        case tuple():
            return (*value, *(value[-1:] or ("x",)))
        case dict():
            return {**value, "x": 7}
        case np.ndarray():
            return value + 1
        case Path():
            return value / "x"
    raise TypeError(f"say how a {type(value).__name__} is changed")


def unseen(before: str, altered: Iterator[tuple[str, Any]], key: Any) -> set[str]:
    """Fields whose change leaves the key as it was."""
    found = {name: key(value) for name, value in altered}
    assert found
    seen = [value for value in found.values() if value != before]
    assert len(set(seen)) == len(seen)
    return {name for name, value in found.items() if value == before}


@pytest.fixture
def piece(tmp_path: Path) -> Piece:
    normalisation = Normalisation(np.zeros(2), np.ones(2))
    transform = LinearTransform(np.eye(2), np.zeros(2))
    store = FeatureStore(tmp_path / "store")
    return Piece(store, "shard", 0, 9, 2, 8, "key", False, normalisation, transform, 1, "anna")


def test_every_setting_of_a_mixture_is_in_its_key(piece: Piece, tmp_path: Path) -> None:
    ubm = DiagGMM(np.ones(1), np.zeros((1, 2)), np.ones((1, 2)))
    prior = BayesianGMM.around(np.zeros(2), np.ones(2), 2)
    task = MixtureTask("a", (piece,), ModelSpec(), np.ones(2), 0, ubm, tmp_path, 0, ("f",), prior)
    assert {field.name for field in fields(task) if field.default is not MISSING} >= {"balance", "prior"}
    of_spec = unseen(task.key(), changes(task.spec), lambda spec: replace(task, spec=spec).key())
    assert of_spec == {"prior_from", "ubm.n_components", "ubm.max_iter", "ubm.balance"}
    assert set(NOT_IN_KEY[ModelSpec]) == {name.split(".")[0] for name in of_spec}
    assert unseen(task.key(), changes(task), lambda task: task.key()) == {
        "folder",
        "memory",
        *(f"spec.{name}" for name in of_spec),
    }


def test_every_setting_of_features_is_in_the_folder_of_their_store(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def folder(audio: AudioInput, speed: float = 1.0, noising: Noising | None = None) -> str:
        return open_store(tmp_path, audio, speed, noising).folder.name

    # As if nothing of what the settings come to were described, and with settings that do not go together.
    monkeypatch.setattr("speechgmm.engine.shards.front_end", lambda *_: SimpleNamespace(describe=dict))
    monkeypatch.setattr(FeatureSpec, "__post_init__", lambda _: None)
    one = DiagGMM([1.0], [[0.0] * 41], [[1.0] * 41])
    audio = AudioInput(FeatureSpec(), 8000, detector=SpeechDetector(one, one, 8000))
    before = folder(audio)
    assert before != folder(replace(audio, detector=None))
    # What is learnt is in the key of a model; the band is for warnings.
    apart = {"normalisation", "transform", "band", "vad_in_files", "detector.features.vad_model"}
    apart |= {f"features.transform.{field.name}" for field in fields(audio.features.transform)}
    assert unseen(before, changes(audio), folder) == apart
    for cmvn in ("global", "utterance", "speaker"):  # a window that slides is moved over frames before they are stored
        assert folder(replace(audio, features=FeatureSpec(cmvn=cmvn, norm_vars=False))) == before
    assert folder(audio, 1.1) != before
    noisy = Noising(Copy(noise="babble", snr=5.0), 3, 6, cast="c")
    known = ("talkers", "owners", "sounds")  # the cast is a hash of the first two; the last is of a model's file
    of_noise = unseen(folder(audio, 1.0, noisy), changes(noisy), lambda noising: folder(audio, 1.0, noising))
    assert of_noise == set(known)


def test_all_that_decides_the_frames_of_a_piece_is_in_the_key(piece: Piece) -> None:
    def key(piece: Piece) -> str:
        return str(frames_key([piece]))

    assert unseen(key(piece), changes(piece), key) == {*NOT_OF_FRAMES}


def test_every_setting_of_segment_models_is_in_their_key(piece: Piece) -> None:
    recording = Recording(Path("a.wav"), piece, ((0.0, 3.0),), ("a",), "anna")
    task = SegmentsTask((recording,), SegmentSpec(), AudioInput(FeatureSpec(), 8000), "phone", 0)
    assert unseen(task.key(), changes(task.spec), lambda spec: replace(task, spec=spec).key()) == set()
    of_recording = unseen(task.key(), changes(recording), lambda one: replace(task, recordings=(one,)).key())
    assert of_recording == {"path", *(f"piece.{name}" for name in NOT_OF_FRAMES)}
    # What audio is made of is in the store's folder.
    named = ("sample_rate", "channel", "resample", "normalisation", "transform", "band", "vad_in_files", "detector")
    apart = {f"audio.{name}" for name in named}
    assert unseen(task.key(), changes(task), lambda task: task.key()) == apart


def test_every_setting_of_units_is_in_their_key(piece: Piece) -> None:
    said = Transcript("1", piece, ("up",), ((0.0, 3.0),), "anna")
    spec = RecognitionSpec(start="segments")
    task = UnitsTask((said,), {"up": (("L",),)}, {"up": (0.0,)}, ("L",), HMMSpec(), spec, TransformSpec(), None)
    of_training = unseen(task.key(), changes(task.spec), lambda spec: replace(task, spec=spec).key())
    assert of_training == set(NOT_OF_UNITS[HMMSpec])
    of_recognition = unseen(task.key(), changes(spec), lambda spec: replace(task, recognition=spec).key())
    assert of_recognition == set(NOT_OF_UNITS[RecognitionSpec])
    assert "beam" in of_recognition  # of recognition; that of training is in the key
    apart = {"id", "group", "copy", *(f"piece.{name}" for name in NOT_OF_FRAMES)}
    assert unseen(task.key(), changes(said), lambda one: replace(task, said=(one,)).key()) == apart
    for altered in (
        replace(task, lexicon={"up": (("M",),)}),
        replace(task, log_weights={"up": (-1.0,)}),
        replace(task, labels=("L", "M")),
        replace(task, questions=(("L",),)),
    ):
        assert altered.key() != task.key()


def test_every_setting_of_scoring_is_in_the_key_of_a_temperature() -> None:
    def key(spec: ScoringSpec) -> str:
        return model_key("temperature", 1, spec, data=["a"], arrays=[np.zeros(2)])

    assert unseen(key(ScoringSpec()), changes(ScoringSpec()), key) == set()
    assert model_key("temperature", 2, ScoringSpec(), data=["a"], arrays=[np.zeros(2)]) != key(ScoringSpec())
    assert model_key("temperature", 1, ScoringSpec(), data=["b"], arrays=[np.zeros(2)]) != key(ScoringSpec())
    assert model_key("temperature", 1, ScoringSpec(), data=["a"], arrays=[np.zeros((1, 2))]) != key(ScoringSpec())


def test_an_exception_that_is_no_setting_is_refused() -> None:
    with pytest.raises(ValueError, match="no settings of HMMSpec: gone"):
        model_key("units", 1, HMMSpec(), without={HMMSpec: ("gone",)})


# ---- damage ----


def flipped(path: Path, bit: int) -> None:
    data = bytearray(path.read_bytes())
    data[bit // 8] ^= 1 << bit % 8
    path.write_bytes(data)


def cached(cache: Path) -> list[Path]:
    return sorted(path for path in cache.rglob("*") if path.is_file() and path.name != LOCK)


def test_a_run_whose_models_are_all_kept_writes_nothing_into_the_cache(
    config_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("speechgmm.engine.runs.report", lambda *_: None)
    cache = config_file.parent / "cache"
    run(config_file, console=quiet())
    before = {path: path.stat().st_ino for path in cached(cache)}
    shutil.rmtree(config_file.parent / "run")
    run(config_file, console=quiet())
    assert {path: path.stat().st_ino for path in cached(cache)} == before


@pytest.mark.slow
def test_one_bit_flipped_anywhere_in_the_cache_gives_the_same_bytes(
    config_file: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("speechgmm.engine.runs.report", lambda *_: None)  # it takes longer than the rest
    folder, cache = config_file.parent / "run", config_file.parent / "cache"

    def outputs() -> list[bytes]:
        shutil.rmtree(folder, ignore_errors=True)
        run(config_file, console=quiet())
        return [(folder / name).read_bytes() for name in OUTPUTS]

    outputs()
    keys: set[str] = set()
    read = ModelCache.read
    with pytest.MonkeyPatch.context() as patch:  # with the temperature, the models that it is from are not read
        patch.setattr(ModelCache, "read", lambda cache, key, unpack: keys.add(key) or read(cache, key, unpack))
        before = outputs()
    rng = random.Random(FLIPS)
    said = 0
    for number in range(FLIPS):
        files = cached(cache)
        # Every other one in any file, however small; else in any byte.
        weights = [1 if number % 2 else path.stat().st_size for path in files]
        (path,) = rng.choices(files, weights)
        bit = rng.randrange(8 * path.stat().st_size)
        flipped(path, bit)
        capsys.readouterr()
        assert outputs() == before, (path, bit)
        warned = capsys.readouterr().err
        assert ("made again" in warned or "trained again" in warned) == (str(path) in warned), (path, bit)
        harmless = {".json": path.name == "spec.json", ".npy": bit < 8 * 128, ".model": path.stem not in keys}
        assert str(path) in warned or harmless[path.suffix], (path, bit)
        said += str(path) in warned
    assert said > FLIPS // 2
    capsys.readouterr()
    assert outputs() == before
    assert "damaged" not in capsys.readouterr().err


VERIFY = (
    "task: verification\n"
    "corpus: {kind: folder, root: hums, label: pitch, sample_rate: 8000, split: fraction}\n"
    "model: {adapt: map, ubm: {n_components: 4, max_iter: 4}}\n"
)
UNITS = (
    "task: recognition\n"
    "corpus: {kind: folder, root: hums, label: pitch, sample_rate: 8000, split: fraction}\n"
    "hmm: {n_states: 2, n_components: 1, iterations: 2}\n"
)
SEGMENTS = (
    "corpus: {path: m.tsv, root: hums, label: pitch, group: speaker, sample_rate: 8000, split: column}\n"
    "features: {n_ceps: 6}\n"
    "segments: {weight_folds: 2, frame_components: 1, third_components: 1}\n"
)


@pytest.mark.slow
@pytest.mark.parametrize(("text", "n_models"), [(VERIFY, 4), (UNITS, 1), (SEGMENTS, 1)])
def test_damaged_models_of_every_kind_are_trained_again(
    text: str, n_models: int, config_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = config_file.parent
    rows = ["path\tstart\tend\tpitch\tspeaker\tsplit"]
    for name in ("low", "mid", "high"):
        for n in range(8):
            for start, end in ((0, 0.2 + 0.01 * n), (0.2 + 0.01 * n, 0.5)):
                rows.append(
                    f"{name}/{n}.wav\t{start}\t{end:.2f}\t{name}\ts{n % 4}\t{'test' if n % 4 == 3 else 'train'}"
                )
    (root / "m.tsv").write_text("\n".join(rows) + "\n")
    path = root / "kind.yaml"
    path.write_text(f"{text}cache: cache\nparallel: {{n_jobs: 1}}\n")
    run(path, output=root / "one", console=quiet(), until="train")
    models = sorted((root / "cache" / "models").iterdir())
    assert len(models) == n_models
    written = [model.read_bytes() for model in models]
    for model in models:
        flipped(model, 8 * (model.stat().st_size // 2))
    capsys.readouterr()
    run(path, output=root / "two", console=quiet(), until="train")
    warned = capsys.readouterr().err
    assert all(str(model) in warned for model in models)
    assert [model.read_bytes() for model in models] == written
    assert (root / "one" / OUTPUTS[0]).read_bytes() == (root / "two" / OUTPUTS[0]).read_bytes()


@pytest.mark.slow
@pytest.mark.parametrize(("part", "value", "said"), [("means", np.nan, "NaN"), ("variances", -1.0, "variance -1")])
def test_a_model_that_none_can_be_is_named_and_trained_again(
    part: str, value: float, said: str, config_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whoever wrote it: its checksum fits."""
    folder = config_file.parent / "run"
    run(config_file, ["scoring.temperature_folds=0"], console=quiet())
    before = (folder / OUTPUTS[0]).read_bytes()
    cache = ModelCache(config_file.parent / "cache" / "models")
    ours = sorted(cache.folder.iterdir())
    tensors = {"weights": np.ones(1), "means": np.zeros((1, 26)), "variances": np.ones((1, 26))}
    tensors[part][0, 3] = value
    cache.write(ours[0].stem, packed({"format": 1, "report": "{}"}, tensors))
    shutil.rmtree(folder)
    capsys.readouterr()
    run(config_file, ["scoring.temperature_folds=0"], console=quiet())
    warned = capsys.readouterr().err
    assert f"trained again:\n  {ours[0]}: " in warned
    assert said in warned
    assert (folder / OUTPUTS[0]).read_bytes() == before


def test_models_are_kept_without_waiting_for_the_disk_and_no_part_of_one_is_taken_for_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a power cut a file may be there without its end, or be empty."""
    cache = ModelCache(tmp_path)
    monkeypatch.setattr("speechgmm.io.atomic.os.fsync", lambda _: pytest.fail("waits"))
    cache.write("key", bytes(range(200)))
    path = cache.path("key")
    whole = path.read_bytes()
    assert cache.read("key", lambda _, data: data) == bytes(range(200))
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        with pytest.raises(ModelFileError, match=r"key\.model"):
            cache.read("key", lambda _, data: data)


def test_frames_that_are_not_finite_are_an_error_that_names_the_file(config_file: Path) -> None:
    features = extract(prepare(config_file, console=quiet()))
    piece = features.pieces[0]
    path = piece.store.shard_path(piece.shard)
    rows = np.load(path)
    rows[piece.offset + 2, 3] = np.nan
    np.save(path, rows)
    with pytest.raises(DataError, match=rf"{path.name}: dimension 3 of the frames has NaN.*remove this file"):
        pooled_moments([piece])


def test_what_describes_features_is_written_again_and_named_where_it_is_read(config_file: Path) -> None:
    run(config_file, console=quiet(), until="extract")
    cache = config_file.parent / "cache"
    (spec,) = (cache / "features").glob("*/spec.json")
    written = spec.read_text()
    for damage in ("", "[]", '{"features": 1}', written[:-9]):
        spec.write_text(damage)
        for command in (lambda: describe_cache(cache), lambda: inspect(spec.parent)):
            with pytest.raises(DataError, match=r"spec\.json: damaged"):
                command()
    run(config_file, console=quiet(), until="extract")
    assert spec.read_text() == written


# ---- audio that changed ----


def extracted(config_file: Path, verify_audio: bool = False) -> list[str]:
    job = replace(prepare(config_file, console=quiet()), verify_audio=verify_audio)
    return [piece.key for piece in extract(job).pieces]


def write_alike(path: Path, samples: np.ndarray) -> None:
    """Other samples in the same file, of the same size and date."""
    about = path.stat()
    soundfile.write(path, samples, 8000)
    assert path.stat().st_size == about.st_size
    os.utime(path, ns=(about.st_atime_ns, about.st_mtime_ns))


def test_audio_changed_in_place_is_noticed_though_size_and_date_are_kept(config_file: Path) -> None:
    before = extracted(config_file)
    write_alike(config_file.parent / "hums" / "low" / "0.wav", hum(77, 120.0))
    after = extracted(config_file)
    assert [one != two for one, two in zip(before, after, strict=True)].count(True) == 1
    assert extracted(config_file) == after


def test_a_copy_of_the_same_audio_keeps_its_features_and_is_hashed_once(
    config_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = extracted(config_file)
    path = config_file.parent / "hums" / "low" / "0.wav"
    data, about = path.read_bytes(), path.stat()
    path.rename(path.with_suffix(".old"))  # so that the copy has another inode
    path.write_bytes(data)
    path.with_suffix(".old").unlink()
    os.utime(path, ns=(about.st_atime_ns, about.st_mtime_ns))
    monkeypatch.setattr("speechgmm.engine.raw_recordings.Pieces", lambda *_, **__: pytest.fail("decoded again"))
    hashed = []
    key = sys.modules["speechgmm.engine.shards"].key_of
    monkeypatch.setattr("speechgmm.engine.shards.key_of", lambda audio, path: hashed.append(path) or key(audio, path))
    assert extracted(config_file) == before
    assert hashed == [path]
    assert extracted(config_file) == before
    assert hashed == [path]


def test_all_audio_is_hashed_where_that_is_asked_for(config_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a disk where nothing tells of the change."""
    monkeypatch.setattr("speechgmm.engine.raw_recordings.stamp_of", lambda path: (path.stat().st_size, 1, 1, 1))
    before = extracted(config_file)
    soundfile.write(config_file.parent / "hums" / "low" / "0.wav", hum(77, 120.0), 8000)
    assert extracted(config_file) == before
    indexes = len(list((config_file.parent / "cache").rglob("*.json")))
    after = extracted(config_file, verify_audio=True)
    assert [one != two for one, two in zip(before, after, strict=True)].count(True) == 1
    assert len(list((config_file.parent / "cache").rglob("*.json"))) == indexes + 1  # of the one, and not of all


def test_the_command_line_hashes_all_audio_where_asked(config_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from typer.testing import CliRunner

    from speechgmm.cli import app

    seen = []
    monkeypatch.setattr("speechgmm.engine.runs._run", lambda job, *_: seen.append(job.verify_audio) or pytest.skip)
    for options in ([], ["--verify-audio"]):
        CliRunner().invoke(app, ["run", str(config_file), *options])
    assert seen == [False, True]


# ---- several at once ----


@pytest.fixture
def model(config_file: Path) -> Path:
    """A model of a low and a high hum, without a run's folder around it."""
    run(config_file, ["scoring.temperature_folds=0"], console=quiet(), until="train")
    path = config_file.parent / "hums.safetensors"
    shutil.copy(config_file.parent / "run" / OUTPUTS[0], path)
    return path


def command(*arguments: object) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-m", "speechgmm", *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def ended_well(process: "subprocess.Popen[str]") -> None:
    _, err = process.communicate(timeout=120)
    assert process.returncode == 0, err


@pytest.mark.slow
def test_two_that_enrol_at_once_are_both_in_the_file(model: Path) -> None:
    audio = model.parent / "hums" / "mid" / "0.wav"
    both = [command("enrol", model, audio, "--label", label) for label in ("one", "two")]
    for process in both:
        ended_well(process)
    assert set(read_model_file(model).models.labels) == {"low", "mid", "high", "one", "two"}
    assert [path.name for path in model.parent.iterdir() if path.name.endswith(".lock")] == []


@pytest.mark.slow
@pytest.mark.parametrize("name", ["enrol", "update"])
def test_who_changes_a_model_waits_for_whoever_does_so_already(name: str, model: Path) -> None:
    audio = model.parent / "hums" / "mid" / "0.wav"
    before = read_model_file(model)
    with changing(model):
        process = command(name, model, audio, "--label", "second" if name == "enrol" else "mid")
        time.sleep(4)  # twice what the command takes
        assert process.poll() is None
        assert with_card(model.read_bytes(), None) == serialise(before)
        model.write_bytes(serialise(enrol(read_model_file(model), "first", [audio])[0]))
    ended_well(process)
    labels = read_model_file(model).models.labels
    assert labels == ("high", "low", "mid", "first", *(["second"] if name == "enrol" else []))
    if name == "update":
        assert read_model_file(model).models.models[2].means.tolist() != before.models.models[2].means.tolist()


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (OSError(37, "No locks available"), "its file system has no locks: write the model to a local disk"),
        (NotImplementedError("no flock"), "its file system has no locks"),
        (PermissionError(13, "Permission denied"), "cannot be written .Permission denied"),
        (OSError(30, "Read-only file system"), "cannot be written .Read-only file system"),
    ],
)
def test_where_a_model_cannot_be_locked_the_error_names_it(
    error: Exception, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(filelock.FileLock, "acquire", refuse)
    with pytest.raises(DataError, match=rf"m\.safetensors: .*{said}"), changing(tmp_path / "m.safetensors"):
        pytest.fail("held without a lock")


def holds(cache: Path) -> bool:
    """Whether anybody uses the cache."""
    import fcntl

    with (cache / LOCK).open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


@pytest.mark.slow
def test_runs_sweeps_and_checks_hold_the_cache_as_long_as_they_use_it(
    config_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache, seen = config_file.parent / "cache", []
    monkeypatch.setattr(
        "speechgmm.engine.shards.open_store",
        lambda folder, *rest: seen.append(holds(folder)) or open_store(folder, *rest),
    )
    run(config_file, console=quiet())
    assert check_and_print(config_file, [], quiet=True) == 0
    sweep(
        config_file,
        grid_points(["model.n_components=1,2"]),
        output=config_file.parent / "sweep",
        console=quiet(),
    )
    assert seen == [True] * len(seen)
    assert len(seen) >= 3
    assert not holds(cache)


def test_clearing_waits_for_runs_that_use_the_cache(config_file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(config_file, console=quiet(), until="extract")
    cache = config_file.parent / "cache"
    before = cached(cache)
    clearing = threading.Thread(target=clear_cache, args=(cache,))
    with using_cache(cache), using_cache(cache):
        clearing.start()
        time.sleep(0.5)
        assert clearing.is_alive()
        assert cached(cache) == before
    clearing.join(timeout=30)
    assert not cache.exists()
    assert f"waiting for a run that uses {cache}" in capsys.readouterr().err


def test_a_run_waits_for_a_clearing_and_holds_the_lock_that_others_see(tmp_path: Path) -> None:
    cache, begun = tmp_path / "cache", threading.Event()
    seen = []

    def use() -> None:
        begun.set()
        with using_cache(cache):
            seen.append(holds(cache))

    using = threading.Thread(target=use)
    with clearing_cache(cache, lambda: None):
        using.start()
        begun.wait()
        time.sleep(0.3)
        assert seen == []
    using.join(timeout=30)
    assert seen == [True]


def test_a_cache_that_cannot_be_locked_is_used_and_not_cleared(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    with using_cache(tmp_path / "file"):
        pass
    with pytest.raises(DataError, match="file"), clearing_cache(tmp_path / "file", lambda: None):
        pytest.fail("held without a lock")


def test_clearing_what_is_not_there_makes_nothing(tmp_path: Path) -> None:
    assert clear_cache(tmp_path / "none").startswith("removed 0.0 MB")
    assert not (tmp_path / "none").exists()
