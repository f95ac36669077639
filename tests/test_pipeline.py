import csv
import importlib.metadata
import json
import os
import shutil
import socket
import subprocess
import sys
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest
import soundfile
from conftest import hum
from threadpoolctl import threadpool_info

from speechgmm.cli.checks import check_and_print
from speechgmm.config import load_config
from speechgmm.engine import extract, prepare, run
from speechgmm.engine.console import Console
from speechgmm.engine.environment import git_commit
from speechgmm.engine.frames import load_all
from speechgmm.errors import ConfigError, DataError, FitError
from speechgmm.features import moments
from speechgmm.tasks.classification import evaluate, score, score_recordings, train
from speechgmm.tasks.classification.codec import read_model_file

QUIET = Console(quiet=True)


def quiet() -> Console:
    return Console(quiet=True)


def table(path: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(path.read_text().splitlines(), delimiter="\t"))


@pytest.mark.slow
def test_a_run_leaves_what_the_contract_says(config_file: Path) -> None:
    result = run(config_file, console=quiet())
    folder = config_file.parent / "run"
    metrics = json.loads((folder / "metrics.json").read_text())
    assert metrics == json.loads(json.dumps(result.metrics))
    assert set(metrics["accuracy"]) == {"value", "low", "high", "n", "unit", "interval"}
    assert metrics["accuracy"]["low"] <= metrics["accuracy"]["value"] <= metrics["accuracy"]["high"]
    assert (metrics["task"], metrics["n_train"], metrics["n_test"]) == ("classification", 18, 6)
    assert set(metrics["seconds"]) == {"prepare", "extract", "train", "score", "evaluate", "report"}
    rows = table(folder / "scores.tsv")
    assert list(rows[0]) == ["id", "true", "predicted", "n_frames", "high", "low", "mid"]
    right = sum(row["true"] == row["predicted"] for row in rows)
    assert metrics["accuracy"]["value"] == right / len(rows) > 0.8
    assert load_config(folder / "config.yaml").config == load_config(config_file).resolved()
    again = run(folder / "config.yaml", output=config_file.parent / "again", console=quiet())
    assert again.metrics["accuracy"] == metrics["accuracy"]
    assert {path.name for path in folder.iterdir()} == {
        "config.yaml", "environment.json", "models.safetensors", "classes.tsv", "scores.tsv", "metrics.json",
        "confusion.tsv", "confusion.png", "log.txt", "protocol.tsv", "per_class.tsv", "data.tsv", "report.html",
        ".report", ".lock", "MODEL_CARD.md",
    }  # fmt: skip


@pytest.mark.slow
def test_scoring_a_recording_gives_what_the_run_wrote(config_file: Path) -> None:
    for cmvn in ("none", "global", "utterance"):
        folder = config_file.parent / f"run-{cmvn}"
        run(config_file, [f"features.cmvn={cmvn}", "features.vad=peak"], output=folder, console=quiet())
        model = read_model_file(folder / "models.safetensors")
        rows = table(folder / "scores.tsv")
        paths = [config_file.parent / "hums" / f"{row['id']}.wav" for row in rows]
        for row, (_, results) in zip(rows, score_recordings(model, paths), strict=True):
            assert not isinstance(results, DataError)
            (scored,) = results
            assert scored.n_frames == int(row["n_frames"])
            wanted = [float(row[label]) for label in model.models.labels]
            np.testing.assert_allclose(scored.mean_log_likelihoods, wanted, rtol=1e-5, atol=1e-5)
            assert model.models.labels[scored.ranked()[0]] == row["predicted"]


@pytest.mark.slow
def test_workers_and_back_end_change_no_byte_of_the_models(config_file: Path) -> None:
    found = {}
    for n_jobs, backend in ((1, "threads"), (2, "threads"), (2, "processes"), (2, "auto")):
        overrides = [
            f"parallel.n_jobs={n_jobs}",
            f"parallel.backend={backend}",
            "model={adapt: map, ubm: {n_components: 8}}",
            f"cache={config_file.parent}/c-{n_jobs}-{backend}",
        ]
        folder = config_file.parent / f"run-{n_jobs}-{backend}"
        run(config_file, overrides, output=folder, console=quiet())
        found[n_jobs, backend] = (folder / "models.safetensors").read_bytes()
    assert len(set(found.values())) == 1, {key: len(value) for key, value in found.items()}


@pytest.mark.slow
def test_classes_without_a_background_model_are_the_same_for_any_number_of_workers(config_file: Path) -> None:
    found = set()
    for n_jobs, backend in ((1, "threads"), (2, "threads"), (2, "processes")):
        folder = config_file.parent / f"run-{n_jobs}-{backend}"
        overrides = [f"parallel.n_jobs={n_jobs}", f"parallel.backend={backend}", f"cache={folder}-cache"]
        run(config_file, overrides, output=folder, console=quiet())
        found.add((folder / "models.safetensors").read_bytes())
    assert len(found) == 1


@pytest.mark.slow
def test_a_second_run_opens_no_recording_and_trains_nothing(config_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run(config_file, console=quiet())
    before = (config_file.parent / "run" / "models.safetensors").read_bytes()

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("done twice")

    monkeypatch.setattr("speechgmm.engine.raw_recordings.Pieces", refuse)
    monkeypatch.setattr("speechgmm.engine.mixture_fit.fit_class", refuse)
    run(config_file, console=quiet())
    run(config_file, output=config_file.parent / "another", console=quiet())
    for name in ("run", "another"):
        assert (config_file.parent / name / "models.safetensors").read_bytes() == before


def test_a_recording_that_changed_is_read_again_and_one_that_moved_is_not_extracted_again(
    config_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = config_file.parent / "hums"
    first = extract(prepare(config_file, console=quiet()))
    soundfile.write(root / "low" / "0.wav", hum(99, 120.0), 8000)
    again = extract(prepare(config_file, console=quiet()))
    changed = [one.key != two.key for one, two in zip(first.pieces, again.pieces, strict=True)]
    assert [u.id for u, new in zip(again.corpus, changed, strict=True) if new] == ["low/0"]

    shutil.copytree(root, config_file.parent / "elsewhere")
    monkeypatch.setattr("speechgmm.engine.raw_recordings.Pieces", lambda *_, **__: pytest.fail("decoded again"))
    moved = extract(prepare(config_file, [f"corpus.root={config_file.parent / 'elsewhere'}"], console=quiet()))
    for one, two in zip(again.pieces, moved.pieces, strict=True):
        np.testing.assert_array_equal(one.load(), two.load())


def spoil(root: Path) -> None:
    (root / "low" / "0.wav").write_bytes(b"")
    soundfile.write(root / "mid" / "1.wav", np.zeros(4000, np.float32), 8000)
    soundfile.write(root / "high" / "2.wav", hum(1, 300.0, rate=16000), 16000)
    soundfile.write(root / "high" / "3.wav", hum(1, 300.0, seconds=0.02), 8000)


def test_copies_that_a_system_has_numbered_are_each_named(config_file: Path) -> None:
    for number in (1, 2):
        (config_file.parent / "hums" / "low" / f"0 ({number}).wav").write_bytes(b"")
    with pytest.raises(DataError) as caught:
        run(config_file, console=quiet())
    for number in (1, 2):
        assert f"0 ({number}).wav: the file is empty (0 bytes); copy or record it again\n" in str(caught.value)


@pytest.mark.slow
def test_every_bad_recording_is_listed_before_anything_is_trained_and_the_good_ones_are_kept(
    config_file: Path,
) -> None:
    spoil(config_file.parent / "hums")
    with pytest.raises(DataError, match="4 of 24 utterances cannot be used") as caught:
        run(config_file, console=quiet())
    for name, reason in (
        ("low/0.wav", "empty"),
        ("mid/1.wav", "zero"),
        ("high/2.wav", "16000 Hz"),
        ("high/3.wav", "frame"),
    ):
        assert any(name in line and reason in line for line in str(caught.value).splitlines()), (name, reason)
    assert not (config_file.parent / "run" / "models.safetensors").exists()
    assert len(table(config_file.parent / "run" / "rejected.tsv")) == 4
    assert "4 of 24 utterances" in (config_file.parent / "run" / "log.txt").read_text()
    # What the message advises works, in the same folder.
    assert run(config_file, ["corpus.on_error=skip"], console=quiet()).metrics["n_rejected"] == 4
    assert len(list((config_file.parent / "cache" / "features").rglob("*.npy"))) > 0


@pytest.mark.slow
def test_skipping_goes_on_without_the_bad_recordings_and_names_them(
    config_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    spoil(config_file.parent / "hums")
    result = run(config_file, ["corpus.on_error=skip"], console=quiet())
    assert result.metrics["n_rejected"] == 4
    assert result.metrics["n_train"] + result.metrics["n_test"] == 20
    assert "4 of 24 utterances are left out" in capsys.readouterr().err
    assert len(table(config_file.parent / "run" / "rejected.tsv")) == 4


def test_a_check_lists_what_cannot_be_used_and_leaves_nothing_but_features(
    config_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert check_and_print(config_file, [], quiet=True) == 0
    out = capsys.readouterr().out
    assert "24 utterances can be used" in out
    assert "nothing is wrong" in out
    spoil(config_file.parent / "hums")
    assert check_and_print(config_file, [], quiet=True) == 4
    out = capsys.readouterr().out
    assert "20 utterances can be used" in out
    for name, reason in (("low/0", "empty"), ("mid/1", "zero"), ("high/2", "16000 Hz"), ("high/3", "frame")):
        assert any(name in line and reason in line for line in out.splitlines()), (name, reason)
    assert not (config_file.parent / "run").exists()


@pytest.mark.slow
def test_files_of_other_models_do_not_stay_beside_new_ones(config_file: Path) -> None:
    folder = config_file.parent / "run"
    bad = config_file.parent / "hums" / "mid" / "0.wav"
    whole = bad.read_bytes()
    bad.write_bytes(b"")
    run(config_file, ["corpus.on_error=skip"], console=quiet())
    assert (folder / "rejected.tsv").exists()
    bad.write_bytes(whole)
    (config_file.parent / "hums" / "low" / "1.wav").unlink()
    run(config_file, ["corpus.on_error=skip"], console=quiet(), until="train")
    assert not {"rejected.tsv", "scores.tsv", "metrics.json", "confusion.png", "report.html"} & {
        p.name for p in folder.iterdir()
    }


@pytest.mark.slow
def test_labels_of_any_kind_go_through(config_file: Path) -> None:
    names = {"low": "$\\foo$", "mid": "01", "high": "ünï cöde\u2028x"}
    for old, new in names.items():
        (config_file.parent / "hums" / old).rename(config_file.parent / "hums" / new)
    result = run(config_file, console=quiet())
    assert result.trained is not None
    assert set(result.trained.models.labels) == {"$\\foo$", "01", "ünï cöde x"}  # on one line
    assert (config_file.parent / "run" / "confusion.png").exists()


@pytest.mark.slow
def test_file_names_that_are_not_utf_8_go_through(config_file: Path) -> None:
    folder = config_file.parent / "hums" / "low"
    (folder / "0.wav").rename(folder / os.fsdecode(b"caf\xe9.wav"))
    assert run(config_file, console=quiet()).metrics["n_train"] == 18
    assert run(config_file, console=quiet()).metrics["n_train"] == 18


def test_clipping_is_a_warning_with_the_share(config_file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    soundfile.write(config_file.parent / "hums" / "low" / "0.wav", np.clip(hum(0, 110.0) * 20, -1, 1), 8000)
    extract(prepare(config_file, console=quiet()))
    assert "1 recording is clipped; the worst: 0.wav (" in capsys.readouterr().err


def test_a_fault_of_a_recording_is_a_warning_and_stays_one_from_the_cache(
    config_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    low = config_file.parent / "hums" / "low"
    samples = hum(0, 110.0)
    soundfile.write(low / "0.wav", np.stack([samples, 0 * samples], axis=1), 8000)
    data = (low / "1.wav").read_bytes()
    (low / "1.wav").write_bytes(data[:40] + bytes(4) + data[44:])  # as a recorder leaves it that crashed
    for said in ("extracting features", "features of 24 recordings are in the cache"):
        extract(prepare(config_file))
        err = capsys.readouterr().err
        assert said in err
        assert "2 recordings are used with a fault:" in err
        assert "low/0.wav: channel 1 of its 2 (counted from 0) is all zeros" in err
        assert "low/1.wav: its header counts no samples, and 9600 bytes lie behind it" in err


def test_features_of_another_decoder_are_made_again(
    config_file: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    av = pytest.importorskip("av")
    path = config_file.parent / "hums" / "low" / "0.wav"
    samples = (32767 * hum(0, 110.0)).astype(np.int16)
    with av.open(str(path), "w", format="mp4") as container:
        stream = container.add_stream("alac", rate=8000, layout="mono")
        frame = av.AudioFrame.from_ndarray(samples[None], format="s16p", layout="mono")
        frame.sample_rate = 8000
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    for version, n_kept in (("1", 0), ("1", 24), ("2", 23)):
        for module in ("engine.shards", "io.other_decoders"):
            monkeypatch.setattr(f"speechgmm.{module}.other_decoder", lambda version=version: version)
        extract(prepare(config_file))
        kept = [line for line in capsys.readouterr().err.splitlines() if "are in the cache" in line]
        assert kept == ([f"features of {n_kept} recordings are in the cache"] if n_kept else [])


def segments(config_file: Path, rows: list[str]) -> Path:
    manifest = config_file.parent / "segments.tsv"
    manifest.write_text("\n".join(["path\tstart\tend\tsplit\tpitch\tspeaker", *rows]) + "\n")
    path = config_file.parent / "segments.yaml"
    path.write_text(
        "corpus: {path: segments.tsv, root: hums, label: pitch, sample_rate: 8000}\n"
        f"model: {{n_components: 2}}\ncache: cache\noutput: {config_file.parent / 'run'}\nparallel: {{n_jobs: 1}}\n"
    )
    return path


def test_segments_tile_the_frames_of_their_recording(config_file: Path) -> None:
    rows = [
        f"{name}/{n}.wav\t{k * 0.2:.1f}\t{k * 0.2 + 0.2:.1f}\ttrain\t{name}\ts{n}"
        for name in ("low", "high")
        for n in range(2)
        for k in range(3)
    ]
    features = extract(prepare(segments(config_file, rows), console=quiet()))
    whole = extract(prepare(config_file, ["features.deltas=0"], console=quiet()))
    by_path = {u.path: piece for u, piece in zip(whole.corpus, whole.pieces, strict=True)}
    for path in features.corpus.paths():
        parts = [piece for u, piece in zip(features.corpus, features.pieces, strict=True) if u.path == path]
        np.testing.assert_array_equal(load_all(parts), by_path[path].load())


def test_a_segment_past_the_end_of_its_recording_is_named_with_its_line(config_file: Path) -> None:
    rows = [
        "low/0.wav\t0\t0.3\ttrain\tlow\ts",
        "high/0.wav\t0\t0.3\ttrain\thigh\ts",
        "low/1.wav\t0.1\t7\ttrain\tlow\ts",
    ]
    with pytest.raises(DataError, match=r"segments.tsv, line 4: ends at 7 s, past the end of 1.wav \(0.600 s\)"):
        extract(prepare(segments(config_file, rows), console=quiet()))


def test_a_segment_just_past_the_end_of_its_recording_is_cut_with_a_note(
    config_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ends = {"low/0.wav": 0.6, "low/1.wav": 0.604, "low/2.wav": 0.62, "high/0.wav": 1.099, "high/1.wav": 0.6}
    rows = [f"{path}\t0.1\t{end}\ttrain\t{path.split('/')[0]}\ts" for path, end in ends.items()]
    features = extract(prepare(segments(config_file, rows), console=quiet()))
    assert {piece.stop for piece in features.pieces} == {features.pieces[0].stop}
    assert [u.end for u in features.corpus] == [0.6, 0.604, 0.6, 0.6, 0.6]
    err = capsys.readouterr().err
    assert "2 segments end after the recording, by less than 0.5 s, and are cut:" in err
    assert "segments.tsv, line 4: by 0.020 s" in err
    assert "segments.tsv, line 5: by 0.499 s" in err


def test_normalisation_by_speaker_pools_the_speakers_recordings(config_file: Path) -> None:
    rows = [f"{name}/{n}.wav\t\t\ttrain\t{name}\ts{n % 2}" for name in ("low", "high") for n in range(4)]
    features = extract(prepare(segments(config_file, rows), ["features.cmvn=speaker"], console=quiet()))
    for speaker in ("s0", "s1"):
        pieces = [p for u, p in zip(features.corpus, features.pieces, strict=True) if u.label("speaker") == speaker]
        pooled = moments(load_all(pieces))
        np.testing.assert_allclose(pooled.means, 0, atol=1e-4)
        np.testing.assert_allclose(pooled.scatter / pooled.count, 1, atol=1e-3)


def test_two_speakers_in_a_recording_cannot_be_normalised_by_speaker(config_file: Path) -> None:
    rows = [
        "low/0.wav\t0\t0.3\ttrain\tlow\ts1",
        "low/0.wav\t0.3\t0.6\ttrain\tlow\ts2",
        "high/0.wav\t\t\ttrain\thigh\ts1",
    ]
    with pytest.raises(DataError, match=r"needs one speaker in a recording; .*0.wav has 's1' and 's2'"):
        extract(prepare(segments(config_file, rows), ["features.cmvn=speaker"], console=quiet()))


def test_global_normalisation_knows_the_training_split_alone(config_file: Path) -> None:
    features = extract(prepare(config_file, ["features.cmvn=global"], console=quiet()))
    pooled = moments(load_all([piece for _, piece in features.of_split("train")]))
    np.testing.assert_allclose(pooled.means, 0, atol=1e-4)
    tests = moments(load_all([piece for _, piece in features.of_split("test")]))
    assert np.abs(tests.means).max() > 1e-3


def test_a_new_recording_is_its_own_speaker_unless_told(config_file: Path) -> None:
    rows = [f"{name}/{n}.wav\t\t\ttrain\t{name}\ts" for name in ("low", "high") for n in range(4)]
    run(segments(config_file, rows), ["features.cmvn=speaker"], console=quiet())
    model = read_model_file(config_file.parent / "run" / "models.safetensors")
    paths = [config_file.parent / "hums" / "low" / f"{n}.wav" for n in (5, 6)]
    alone = [results for _, results in score_recordings(model, paths)]
    together = [results for _, results in score_recordings(model, paths, speaker="anna")]
    single = [results for _, results in score_recordings(model, paths[:1])]
    assert alone[0][0].mean_log_likelihoods.tolist() == single[0][0].mean_log_likelihoods.tolist()  # type: ignore[index]
    assert alone[0][0].mean_log_likelihoods.tolist() != together[0][0].mean_log_likelihoods.tolist()  # type: ignore[index]


@pytest.mark.slow
def test_windows_cover_a_recording_and_one_as_long_as_it_is_the_whole(config_file: Path) -> None:
    run(config_file, console=quiet())
    model = read_model_file(config_file.parent / "run" / "models.safetensors")
    path = config_file.parent / "hums" / "low" / "0.wav"
    (((_, whole),),) = ([*score_recordings(model, [path])],)
    (((_, one),),) = ([*score_recordings(model, [path], window=0.6)],)
    (((_, many),),) = ([*score_recordings(model, [path], window=0.25, hop=0.1)],)
    assert not isinstance(whole, DataError)
    assert not isinstance(one, DataError)
    assert not isinstance(many, DataError)
    np.testing.assert_allclose(one[0].mean_log_likelihoods, whole[0].mean_log_likelihoods)
    assert [round(item.start, 3) for item in many] == [0.0, 0.1, 0.2, 0.3, 0.4]
    assert many[-1].end == pytest.approx(0.6)
    for seconds in (0.001, float("nan"), float("inf")):
        with pytest.raises(ConfigError, match="at least the time between frames"):
            list(score_recordings(model, [path], window=seconds))
    with pytest.raises(ConfigError, match="hop 1e-07"):
        list(score_recordings(model, [path], window=0.3, hop=1e-7))
    with pytest.raises(ConfigError, match="give the window too"):
        list(score_recordings(model, [path], hop=0.1))


@pytest.mark.slow
def test_posteriors_sum_to_one_and_a_model_without_temperature_has_none(config_file: Path) -> None:
    run(config_file, console=quiet())
    path = config_file.parent / "hums" / "low" / "0.wav"
    model = read_model_file(config_file.parent / "run" / "models.safetensors")
    (((_, results),),) = ([*score_recordings(model, [path])],)
    assert not isinstance(results, DataError)
    assert results[0].posteriors is not None
    assert results[0].posteriors.sum() == pytest.approx(1)
    run(config_file, ["scoring.temperature_folds=0"], output=config_file.parent / "cold", console=quiet())
    cold = read_model_file(config_file.parent / "cold" / "models.safetensors")
    (((_, results),),) = ([*score_recordings(cold, [path])],)
    assert not isinstance(results, DataError)
    assert results[0].posteriors is None


def test_too_few_recordings_for_a_temperature_are_a_warning(
    config_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("low", "mid", "high"):
        for n in range(2, 8):
            (config_file.parent / "hums" / name / f"{n}.wav").unlink()
    run(config_file, console=quiet())
    assert "no posteriors, margins only" in capsys.readouterr().err
    assert read_model_file(config_file.parent / "run" / "models.safetensors").models.temperature is None


@pytest.mark.slow
def test_the_environment_tells_versions_machine_and_times_and_who_ran_it_only_if_asked(
    config_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    work = config_file.parent / "work"
    work.mkdir()
    monkeypatch.chdir(work)
    monkeypatch.setattr(socket, "gethostname", lambda: "some-host")
    assert git_commit(work) == (None, None)
    run(config_file, console=quiet())
    path = config_file.parent / "run" / "environment.json"
    plain = json.loads(path.read_text())
    assert datetime.fromisoformat(plain["start"]) <= datetime.fromisoformat(plain["end"])
    assert plain["all_packages"]["numpy"] == np.__version__
    assert plain["all_packages"]["joblib"] == importlib.metadata.version("joblib")
    assert plain["cpu"]
    assert any(
        info["architecture"] in " ".join(plain["blas"]) for info in threadpool_info() if info["user_api"] == "blas"
    )
    assert not plain.keys() & {"host", "command", "git_commit"}
    assert "some-host" not in path.read_text()
    git = ["git", "-c", "user.name=a", "-c", "user.email=a@b.c", "-C", str(work)]
    (work / "code.py").write_text("1\n")
    for command in (["init", "-q"], ["add", "."], ["commit", "-q", "-m", "first"]):
        subprocess.run([*git, *command], check=True)
    monkeypatch.setattr(sys, "argv", ["speechgmm", "run", "a b.yaml"])
    run(config_file, ["report.identify=true"], console=quiet())
    named = json.loads(path.read_text())
    commit = subprocess.run([*git, "rev-parse", "HEAD"], check=True, capture_output=True, text=True).stdout.strip()
    assert (named["git_commit"], named["git_changed"]) == (commit, False)
    assert (named["host"], named["command"]) == ("some-host", "speechgmm run 'a b.yaml'")
    (work / "code.py").write_text("2\n")
    assert git_commit(work) == (commit, True)


def test_classes_with_too_few_frames_are_all_listed(config_file: Path) -> None:
    message = r"3 of 3 classes have too few frames(.|\n)*'high': 348 frames for 999 components(.|\n)*to at most 13"
    with pytest.raises(FitError, match=message):
        run(config_file, ["model.n_components=999"], console=quiet())


@pytest.mark.slow
def test_a_folder_that_was_made_with_other_defaults_goes_on_by_its_own_configuration(config_file: Path) -> None:
    config_file.write_text(config_file.read_text().replace(", max_iter: 5", ""))
    folder = config_file.parent / "run"
    run(config_file, ["model.max_iter=20"], console=quiet())  # what an earlier version had for a default
    kept = (folder / "models.safetensors").read_bytes()
    environment, metrics = (json.loads((folder / f"{name}.json").read_text()) for name in ("environment", "metrics"))
    assert environment["settings_hash"] == metrics["settings_hash"] != metrics["config_hash"]
    refused = (
        r"\(model.max_iter: 20 there, 200 here\); run .*config.yaml itself to go on with its settings, choose another"
    )
    with pytest.raises(ConfigError, match=refused):
        run(config_file, console=quiet())
    run(folder / "config.yaml", output=folder, console=quiet())
    assert (folder / "models.safetensors").read_bytes() == kept


@pytest.mark.slow
def test_a_folder_of_another_configuration_is_refused_with_the_difference(config_file: Path) -> None:
    run(config_file, console=quiet())
    with pytest.raises(ConfigError, match=r"belongs to another configuration \(model.n_components: 4 there, 5 here\)"):
        run(config_file, ["model.n_components=5"], console=quiet())
    run(config_file, ["parallel.n_jobs=2"], console=quiet())
    strange = config_file.parent / "strange"
    strange.mkdir()
    (strange / "thesis.tex").write_text("do not lose me")
    with pytest.raises(ConfigError, match="holds files that are not a run's"):
        run(config_file, output=strange, console=quiet())


@pytest.mark.slow
def test_a_full_disk_stops_with_a_clear_error_and_the_next_run_goes_on(
    config_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import os

    count = 0
    fsync = os.fsync

    def full(descriptor: int) -> None:
        nonlocal count
        count += 1
        if count > 9:
            raise OSError(28, "No space left on device")
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(DataError, match="the disk is full"):
        run(config_file, console=quiet())
    kept = len(list((config_file.parent / "cache").rglob("*.npy")))
    assert kept
    monkeypatch.undo()
    run(config_file, console=quiet())
    assert not list(config_file.parent.rglob("*.tmp"))


@pytest.mark.slow
def test_the_stages_called_one_by_one_are_the_run(config_file: Path) -> None:
    job = prepare(config_file, console=quiet())
    features = extract(job)
    trained = train(job, features)
    evaluation = evaluate(score(job, features, trained.models))
    assert evaluation is not None
    assert evaluation.metrics == {key: run(config_file, console=quiet()).metrics[key] for key in evaluation.metrics}


def test_priors_of_the_training_split_follow_the_counts(config_file: Path) -> None:
    for n in range(6):
        (config_file.parent / "hums" / "low" / f"{n}.wav").unlink()
    run(config_file, ["scoring.priors=train"], console=quiet())
    models = read_model_file(config_file.parent / "run" / "models.safetensors").models
    np.testing.assert_allclose(np.exp(models.log_priors), np.array([6, 1, 6]) / 13)
