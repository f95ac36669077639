"""Run folders and model files that earlier versions wrote are read, scored with, enrolled into, compared and reported.

``tests/kept`` holds a run of every task, made once from generated hums; ``-earlier`` are of the version before defaults
of training changed. They are never made anew: what cannot be read
any more fails here, and so does a model that says something else of the same recording.
"""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import soundfile

from speechgmm.cli.inspection import inspect
from speechgmm.corpus import Utterance
from speechgmm.engine.comparison import compare_runs
from speechgmm.engine.run_folder import RunFolder, read_run
from speechgmm.errors import ConfigError, DataError
from speechgmm.evaluation import Metric
from speechgmm.report.page import write_report
from speechgmm.tasks.anomaly.codec import read_anomaly_file
from speechgmm.tasks.anomaly.scoring import find_anomalies
from speechgmm.tasks.classification import score_recordings
from speechgmm.tasks.classification.codec import read_model_file
from speechgmm.tasks.classification.enrolment import enrol
from speechgmm.tasks.recognition.codec import read_recogniser
from speechgmm.tasks.recognition.decoding import recognise_recordings
from speechgmm.tasks.segments.codec import read_segment_models
from speechgmm.tasks.segments.recordings import score_segments_of_recording
from speechgmm.tasks.verification.judging import judge_recordings

KEPT = Path(__file__).parent / "kept"
RUNS = sorted(path.name for path in KEPT.iterdir())


@pytest.fixture
def tone(tmp_path: Path) -> Path:
    """A tone with a slow rise and fall: the same samples on every machine."""
    t = np.arange(4800) / 8000
    samples = sum(np.sin(2 * np.pi * 140 * k * t + k) / k for k in range(1, 8)) * (1 + 0.5 * np.sin(6 * np.pi * t))
    soundfile.write(tmp_path / "tone.wav", (0.1 * samples + 0.01 * np.sin(9000 * t**2)).astype(np.float32), 8000)
    return tmp_path / "tone.wav"


@pytest.mark.slow
@pytest.mark.parametrize("name", RUNS)
def test_a_kept_run_is_inspected_and_reported(name: str, tmp_path: Path) -> None:
    pytest.importorskip("jinja2")
    for path in (KEPT / name).iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    assert "models.safetensors" in inspect(tmp_path)
    metrics = json.loads((KEPT / name / "metrics.json").read_text())
    assert read_run(tmp_path).metrics == metrics
    write_report(tmp_path)
    assert (tmp_path / "report.html").stat().st_size > 20_000


@pytest.mark.parametrize("name", RUNS)
def test_a_kept_run_is_compared_with_its_copy(name: str, tmp_path: Path) -> None:
    copied = shutil.copytree(KEPT / name, tmp_path / "copy")
    difference = next(row.difference for row in compare_runs([KEPT / name, copied]) if row.folder == copied)
    assert difference is not None
    assert difference.value == 0


@pytest.mark.parametrize("name", RUNS)
def test_metrics_that_were_read_are_written_as_they_were(name: str, tmp_path: Path) -> None:
    run = read_run(KEPT / name)
    RunFolder(tmp_path).put_metrics(run.metrics)
    assert (tmp_path / "metrics.json").read_bytes() == (KEPT / name / "metrics.json").read_bytes()
    assert RunFolder(tmp_path).results == run.results
    assert all(isinstance(metric, Metric) and metric["value"] == metric.value for metric in run.results.values())


@pytest.mark.parametrize("name", RUNS)
def test_comparing_says_the_metric_that_the_run_said(name: str, tmp_path: Path) -> None:
    run = read_run(KEPT / name)
    metric = run.task.compared(run).metric
    for row in compare_runs([run.folder, shutil.copytree(KEPT / name, tmp_path / "copy")]):
        assert row.metric == metric
        assert row.value == pytest.approx(run.results[metric].value, abs=1e-6)


def test_runs_of_two_tasks_are_not_compared() -> None:
    with pytest.raises(ConfigError, match=r"one is of verification, the other of classification"):
        compare_runs([KEPT / "class", KEPT / "verify-norm"])
    with pytest.raises(DataError, match=r"not the folder of a finished run \(no metrics.json in it\)"):
        compare_runs([KEPT / "class", KEPT])


def test_a_damaged_table_leaves_what_stands_in_other_files(tmp_path: Path) -> None:
    for path in (KEPT / "class").iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    (tmp_path / "scores.tsv").write_text("id\ttrue\tpredicted\tn_frames\tba\na\tba\tba\t9\tmany\n")
    assert "accuracy: " in inspect(tmp_path)
    with pytest.raises(DataError, match=r"a file of this run cannot be read \(ValueError: .*'many'"):
        read_run(tmp_path).decisions  # noqa: B018


def test_inspecting_names_the_file_that_is_damaged(tmp_path: Path) -> None:
    (tmp_path / "shard.npy").write_bytes(b"\x93NUMPY\x01\x00bad")
    with pytest.raises(DataError, match=r"shard.npy: not an array that numpy wrote"):
        inspect(tmp_path / "shard.npy")
    folder = shutil.copytree(KEPT / "class", tmp_path / "run")
    (folder / "environment.json").write_text('{"config": "c"}')
    with pytest.raises(DataError, match=r"run: a file of this run cannot be read \(KeyError: 'packages'\)"):
        inspect(folder)


EXPECTED = {
    "class": [-430.1381, -412.5653, -427.6068, -376.9389],
    "class-earlier": [-456.0958, -520.3597, -379.5507, -385.9232],
    "verify-norm-earlier": [3.0333],
    "variational": [-288.1569, -303.5938, -300.8324, -261.0575],
    "verify-norm": [0.2765],
    "segments": [-92.5169, -27.9546, -0.0],
    "recognition": [-175.3517],
    "anomaly": [1068.1745],
}
"""What each model said of the tone when it was kept: nats per frame, log posteriors, an anomaly score."""


@pytest.mark.parametrize("name", RUNS)
def test_a_kept_model_says_of_a_recording_what_it_said(name: str, tone: Path) -> None:
    assert said_by(name, tone) == pytest.approx(EXPECTED[name], rel=1e-3, abs=1e-3)


def said_by(name: str, tone: Path) -> list[float]:
    path = KEPT / name / "models.safetensors"
    if name == "recognition":
        ((_, heard),) = recognise_recordings(read_recogniser(path), [tone])
        return [heard.log_likelihood]  # type: ignore[union-attr]
    if name == "anomaly":
        file = read_anomaly_file(path)
        ((_, found),) = find_anomalies(file, [tone], next(iter(file.models)))
        return [found.score]  # type: ignore[union-attr]
    if name.startswith("verify-norm"):
        file = read_model_file(path)
        ((_, judged),) = judge_recordings(file, [tone], file.models.labels[0])
        return [judged.score]  # type: ignore[union-attr]
    if name == "segments":  # the whole recording as one segment
        (scored,) = score_segments_of_recording(read_segment_models(path), tone, [Utterance("tone", tone, 0.0, 0.6)])  # type: ignore[arg-type]
        return [float(value) for value in scored.mean_log_likelihoods]
    scored = [one for _, parts in score_recordings(read_model_file(path), [tone]) for one in parts]  # type: ignore[union-attr]
    return [float(value) for one in scored for value in one.mean_log_likelihoods]


def test_a_kept_model_is_enrolled_into(tone: Path) -> None:
    file, report = enrol(read_model_file(KEPT / "class" / "models.safetensors"), "tone", [tone])
    assert file.models.labels[-1] == "tone"
    assert report.warning is not None
    claims, _ = enrol(read_model_file(KEPT / "verify-norm" / "models.safetensors"), "tone", [tone])
    ((_, judged),) = judge_recordings(claims, [tone], "tone")
    assert judged.score > 0  # type: ignore[union-attr]
