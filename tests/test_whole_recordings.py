"""Segment models of whole recordings (sounds): they score new recordings, and no padding changes what they say."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
import soundfile
import yaml

import speechgmm as sg
from speechgmm.cli.inspection import inspect
from speechgmm.cli.starter import write_starter
from speechgmm.engine.console import Console
from speechgmm.engine.frames import Piece
from speechgmm.engine.runs import run
from speechgmm.errors import ConfigError, DataError
from speechgmm.features import FeatureSpec, front_end
from speechgmm.features.silence import Silence
from speechgmm.tasks.classification.scoring import score_recordings
from speechgmm.tasks.segments.codec import SegmentFile, read_segment_models
from speechgmm.tasks.segments.command import Score

pytestmark = pytest.mark.filterwarnings("ignore:.* digital silence:speechgmm.errors.RecordingWarning")

RATE = 8000
SOUNDS = {"buzz": 2.0, "click": 9.0, "hiss": 0.0}


def sound(name: str, seed: int, seconds: float = 0.5) -> np.ndarray:
    """Noise whose level beats so many times a second, or not at all."""
    rng = np.random.default_rng(seed)
    time = np.arange(int(seconds * RATE)) / RATE
    level = 0.1 + 0.9 * np.maximum(0, np.sin(2 * np.pi * SOUNDS[name] * time + rng.uniform(0, 6)))
    noise = np.convolve(rng.standard_normal(len(time)), rng.uniform(-1, 1, size=3) + np.array([2, 0, 0]), "same")
    return (0.05 * (level if SOUNDS[name] else 1.0) * noise).astype(np.float32)


def padded(samples: np.ndarray, before: int, behind: int) -> np.ndarray:
    return np.concatenate([np.zeros(before, np.float32), samples, np.zeros(behind, np.float32)])


@pytest.fixture
def sounds(tmp_path: Path) -> Path:
    """A configuration of three sounds at three places, three times each; one in four is padded with silence."""
    for number, name in enumerate(SOUNDS):
        (tmp_path / "sounds" / name).mkdir(parents=True)
        for n in range(9):
            samples = sound(name, 10 * number + n)
            samples = padded(samples, 0, 800 * (1 + n)) if n % 4 == 0 else samples
            soundfile.write(tmp_path / "sounds" / name / f"place{n % 3}-{n}.wav", samples, RATE)
    path = tmp_path / "sounds.yaml"
    values = {
        "defaults": "sound",
        "corpus": {
            "kind": "folder",
            "root": "sounds",
            "label": "sound",
            "group": "group",
            "folder": {"group_from": "^(place[0-9])"},
            "split": "leave-one-out",
            "sample_rate": RATE,
        },
        "features": {"n_mels": 20, "n_ceps": 8, "deltas": 1},
        "segments": {"frame_components": 2, "weight_folds": 2, "lda_prior": 20},
        "report": {"audio": 0},
        "parallel": {"n_jobs": 1},
        "cache": str(tmp_path / "cache"),
        "output": str(tmp_path / "run"),
    }
    path.write_text(yaml.safe_dump(values))
    return path


def quiet() -> Console:
    return Console(quiet=True)


def scores_of(folder: Path) -> dict[str, dict[str, str]]:
    with (folder / "scores.tsv").open() as file:
        return {row["id"]: row for row in csv.DictReader(file, delimiter="\t")}


def model_of(path: Path) -> SegmentFile:
    return read_segment_models(path / "models.safetensors")


@pytest.mark.slow
def test_a_model_of_whole_recordings_scores_a_new_recording_as_the_run_did(
    sounds: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    result = run(sounds, console=quiet())
    assert result.metrics["accuracy"]["value"] > 0.6
    assert "speechgmm score M RECORDING" in result.task.next_command("M", result.trained)
    rows = scores_of(sounds.parent / "run")
    file = model_of(sounds.parent / "run" / "folds" / "place0")
    ours = [row for row in rows.values() if row["fold"] == "place0"]
    paths = [sounds.parent / "sounds" / row["true"] / f"{Path(row['id']).name}.wav" for row in ours]
    for row, (_, scored) in zip(ours, score_recordings(file, paths), strict=True):
        assert not isinstance(scored, DataError)
        wanted = [float(row[f"log_posterior:{label}"]) for label in file.models.labels]
        np.testing.assert_allclose(scored[0].mean_log_likelihoods, wanted, atol=1e-4)
        assert scored[0].n_frames == int(row["n_frames"])
    assert "of whole recordings" in inspect(sounds.parent / "run")
    # A folder at the command line gives the same, and windows are recordings by themselves.
    folder = sounds.parent / "run" / "folds" / "place0"
    capsys.readouterr()
    assert Score(model=folder, audio=[sounds.parent / "sounds"], form="jsonl", top=1).run() == 0
    printed = map(json.loads, capsys.readouterr().out.splitlines())
    said = {"/".join(Path(row["file"]).with_suffix("").parts[-2:]): row["label"] for row in printed}
    assert len(said) == len(rows)
    assert all(said[row["id"]] == row["predicted"] for row in ours)
    ((_, whole),) = score_recordings(file, paths[1:2])
    ((_, parts),) = score_recordings(file, paths[1:2], window=9)
    assert not isinstance(whole, DataError)
    assert not isinstance(parts, DataError)
    np.testing.assert_allclose(parts[0].mean_log_likelihoods, whole[0].mean_log_likelihoods)


@pytest.mark.slow
def test_python_classifies_whole_recordings_and_streams_of_them_as_the_command_does(
    sounds: Path, tmp_path: Path
) -> None:
    run(sounds, console=quiet())
    model = sg.load(tmp_path / "run")
    path = tmp_path / "sounds" / "buzz" / "place0-0.wav"  # padded with silence
    samples = soundfile.read(path, dtype="int16")[0]
    ((_, scored),) = score_recordings(model_of(tmp_path / "run"), [path])
    assert not isinstance(scored, DataError)
    found = model.classify(samples, RATE)
    assert found.log_likelihoods is None
    np.testing.assert_allclose(found.posteriors, sorted(scored[0].posteriors, reverse=True), rtol=1e-6)
    assert [one.decision for one in model.classify(tmp_path / "sounds" / "buzz")].count("buzz") >= 8
    (part,) = model.classify(path, segments=[(0.0, 0.3)])
    assert part.n_frames < found.n_frames
    # A stream decides each window as classify_windows does, and the whole as classify.
    wanted = [*model.classify_windows(path, window=0.2)]
    stream = model.stream(RATE, window=0.2)
    heard = [one for first in range(0, len(samples), 700) for one in stream.push(samples[first : first + 700])]
    assert len(heard) >= 2
    for one, other in zip(heard, wanted, strict=False):
        assert (one.n_frames, one.decision) == (other.n_frames, other.decision)
        np.testing.assert_allclose(one.posteriors or (), other.posteriors or (), atol=1e-4)
    assert stream.close().posteriors == pytest.approx(found.posteriors, rel=1e-6)


@pytest.mark.slow
def test_windows_and_segments_of_digital_silence_alone_are_left_out_and_it_is_said(
    sounds: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run(sounds, console=quiet())
    soundfile.write(tmp_path / "x.wav", padded(sound("hiss", 99, 1.0), 0, RATE), RATE)
    (tmp_path / "times.tsv").write_text("path\tstart\tend\nx.wav\t0\t0.9\nx.wav\t1.2\t1.9\n")
    for how in ({"window": 0.9}, {"segments": tmp_path / "times.tsv"}):
        with pytest.warns(UserWarning, match="are digital silence .* and are left out"):
            assert Score(model=tmp_path / "run", audio=[tmp_path / "x.wav"], form="jsonl", top=1, **how).run() == 0
        out, err = capsys.readouterr()
        assert all(json.loads(line)["end"] <= 1.8 for line in out.splitlines())
        assert f"1 of {3 if 'window' in how else 2} windows hold no speech and are left out" in err


@pytest.mark.slow
def test_silence_padded_to_a_recording_of_constant_frames_does_not_change_its_score(
    sounds: Path, tmp_path: Path
) -> None:
    run(sounds, console=quiet())
    file = model_of(tmp_path / "run")
    tone = (0.1 * np.sin(2 * np.pi * np.arange(RATE // 2) / 8)).astype(np.float32)  # ten periods in a frame shift
    paddings = [(0, 0), (0, 1), (0, 800), (800, 0), (4000, 16000)]
    paths = [tmp_path / f"{before}-{behind}.wav" for before, behind in paddings]
    for path, padding in zip(paths, paddings, strict=True):
        soundfile.write(path, padded(tone, *padding), RATE)
    with pytest.warns(UserWarning, match="digital silence"):
        found = [scored[0] for _, scored in score_recordings(file, paths) if not isinstance(scored, DataError)]
    for one in found:
        np.testing.assert_allclose(one.mean_log_likelihoods, found[0].mean_log_likelihoods, atol=1e-3)
    assert len(found) == len(paddings)


def test_frames_beside_digital_silence_are_left_out_unless_there_are_no_others() -> None:
    front = front_end(FeatureSpec(deltas=2), 16000)
    assert front.reach == 3 + 2 * 2  # 25 ms every 10: three share samples; two deltas of two frames
    silent = ((0, 50), (80, 99))
    assert Silence.KEPT.left_out(silent, front, 99) == ()
    assert Silence.DROPPED.left_out(silent, front, 99) == silent
    assert Silence.DROPPED_WITH_EDGES.left_out(silent, front, 99) == ((0, 57), (73, 99))
    assert Silence.DROPPED_WITH_EDGES.left_out(((0, 50), (60, 99)), front, 99) == ((0, 50), (60, 99))


@pytest.mark.slow
def test_models_of_segments_with_times_hear_silence_and_refuse_whole_recordings(sounds: Path, tmp_path: Path) -> None:
    rows = ["path\tstart\tend\tsound\tgroup"]
    for path in sorted((tmp_path / "sounds").rglob("*.wav")):
        length = soundfile.info(path).duration
        name = path.relative_to(tmp_path / "sounds").as_posix()
        for start, end in ((0, 0.25), (0.25, length)):
            rows.append(f"{name}\t{start}\t{end:.4f}\t{path.parent.name}\t{path.stem[:6]}")
    (tmp_path / "m.tsv").write_text("\n".join(rows) + "\n")
    values = yaml.safe_load(sounds.read_text())
    del values["corpus"]["folder"]
    values["corpus"] |= {"kind": "manifest", "root": "sounds", "path": "m.tsv"}
    sounds.write_text(yaml.safe_dump(values))
    result = run(sounds, console=quiet())
    pieces = result.features.pieces
    assert all(isinstance(piece, Piece) and not piece.silent for piece in pieces)
    file = model_of(tmp_path / "run")
    assert not file.whole
    model = sg.load(tmp_path / "run")
    assert "stream" not in model.methods
    with pytest.raises(ConfigError, match="a recording is not one segment"):
        model.classify(tmp_path / "sounds" / "hiss" / "place1-1.wav")
    with pytest.raises(ConfigError, match="--live is for models of whole recordings"):
        Score(model=tmp_path / "run", audio=[Path("-")], live=True, raw="s16le", rate=RATE).run()
    with pytest.raises(ConfigError, match="a recording is not one segment"):
        list(score_recordings(file, [tmp_path / "sounds" / "hiss" / "place1-1.wav"]))


@pytest.mark.slow
def test_one_group_alone_is_weighed_by_its_recordings_and_it_is_said(
    sounds: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for path in (sounds.parent / "sounds").rglob("place2*.wav"):
        path.unlink()
    run(sounds, console=quiet())  # of two places, one trains
    said = capsys.readouterr().err
    for place in ("place0", "place1"):
        text = f"are of one group ({place}): the streams are weighed by folds of its recordings"
        assert said.count(text) == 1
    weights = model_of(sounds.parent / "run" / "folds" / "place0").models.weights
    assert not np.allclose(weights, 1)


@pytest.mark.slow
@pytest.mark.parametrize("n", [1, 2])
def test_classes_of_one_or_two_recordings_train_and_what_is_left_out_is_said(
    sounds: Path, n: int, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = sounds.parent / "sounds"
    for path in folder.rglob("*.wav"):
        if int(path.stem[-1]) >= n:
            path.unlink()
    rows = [f"{path.relative_to(folder).as_posix()}\t{path.parent.name}" for path in sorted(folder.rglob("*.wav"))]
    (sounds.parent / "m.tsv").write_text("path\tsound\tsplit\n" + "".join(f"{row}\ttrain\n" for row in rows))
    values = yaml.safe_load(sounds.read_text())
    values["corpus"] = {"path": "m.tsv", "root": "sounds", "label": "sound", "split": "column", "sample_rate": RATE}
    for streams in (["frames", "statistics"], ["frames", "thirds", "vector", "duration", "prior"]):
        values["segments"] = {"streams": streams, "frame_components": 2}
        sounds.write_text(yaml.safe_dump(values))
        result = run(sounds, output=sounds.parent / f"run-{len(streams)}", console=quiet())
        said = capsys.readouterr().err
        assert ("the weights of the streams cannot be learnt and are 1 each" in said) == (n == 1)
        notes = result.task.trained_notes(result.trained)
        assert any("is left out of decisions" in note for note in notes) == (n == 1)
        (_, scored), *_ = score_recordings(model_of(result.folder), [folder / "hiss" / "place0-0.wav"])
        assert not isinstance(scored, DataError)
        assert np.isfinite(scored[0].mean_log_likelihoods).all()


@pytest.mark.slow
def test_the_first_run_of_sounds_is_by_models_that_score_recordings(
    tmp_path: Path, sounds: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    made = write_starter(tmp_path / "sounds", tmp_path / "made.yaml", purpose="sound", warn=lambda _: None)
    result = run(str(made.path), ["parallel.n_jobs=1", f"cache={tmp_path / 'cache'}"], output=tmp_path / "first")
    assert result.task.name == "segments"
    assert model_of(tmp_path / "first").whole
    (_, scored), *_ = score_recordings(model_of(tmp_path / "first"), [tmp_path / "sounds" / "click" / "place1-1.wav"])
    assert not isinstance(scored, DataError)
    assert model_of(tmp_path / "first").models.labels[scored[0].ranked()[0]] == "click"
