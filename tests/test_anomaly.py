"""Anomaly detection: pooling, thresholds and their laws; a run, and new recordings scored as the run scored its own."""

import csv
import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
from conftest import hum
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors import safe_open
from safetensors.numpy import save
from typer.testing import CliRunner

import speechgmm as sg
from speechgmm.cli import app
from speechgmm.config import load_config, make_config
from speechgmm.corpus import Corpus, Utterance
from speechgmm.corpus.spec import SplitSpec
from speechgmm.engine import prepare
from speechgmm.engine.comparison import compare_runs
from speechgmm.engine.console import Console
from speechgmm.engine.frames import Piece
from speechgmm.engine.mixture_fit import MixtureTask
from speechgmm.engine.run_folder import read_run
from speechgmm.errors import ConfigError, DataError, ModelFileError
from speechgmm.io.container import KEY
from speechgmm.io.model_card import with_card
from speechgmm.tasks.anomaly import scoring as anomaly_scoring
from speechgmm.tasks.anomaly.codec import read_anomaly_file, serialise_anomaly
from speechgmm.tasks.anomaly.evaluation import AnomalyScores, evaluate_anomalies
from speechgmm.tasks.anomaly.models import (
    AnomalyModel,
    NormalReference,
    far_out,
    grid_of,
    highest_stretch,
    reference_of,
    score_of,
    side_values,
    smoothed,
    threshold_of,
    window_means,
)
from speechgmm.tasks.anomaly.report import _curves, anomalies, most_anomalous
from speechgmm.tasks.anomaly.scoring import AnomalyScore
from speechgmm.tasks.anomaly.spec import AnomalySpec, StreamSpec
from speechgmm.tasks.anomaly.split import divide_normal
from speechgmm.tasks.anomaly.training import extract_streams
from speechgmm.tasks.classification.codec import read_model_file
from speechgmm.tasks.recognition.codec import read_recogniser

RATE = 8000

# ---------------------------------------------------------------- pooling

COSTS = st.lists(st.floats(-50, 50), min_size=1, max_size=60)


@given(COSTS, st.sampled_from(["mean", "top", "window"]), st.floats(-10, 10))
@settings(max_examples=60, deadline=None)
def test_a_figure_moves_with_its_frames_unless_it_is_relative(costs: list[float], pool: str, shift: float) -> None:
    stream = StreamSpec(pool=pool)  # type: ignore[arg-type]
    moved = side_values(np.add(costs, shift), stream, 0.01)
    assert moved == pytest.approx(side_values(costs, stream, 0.01) + shift, abs=1e-9)
    if pool != "mean":
        relative = replace(stream, relative=True)
        assert side_values(np.add(costs, shift), relative, 0.01) == pytest.approx(
            side_values(costs, relative, 0.01), abs=1e-9
        )


@given(COSTS)
@settings(max_examples=60, deadline=None)
def test_the_worst_frames_are_no_better_than_the_mean_and_no_worse_than_the_worst(costs: list[float]) -> None:
    top, window = StreamSpec(pool="top", share=0.1), StreamSpec(pool="window", window=0.05)
    assert np.mean(costs) - 1e-9 <= side_values(costs, top, 0.01)[0] <= max(costs) + 1e-9
    assert min(costs) - 1e-9 <= side_values(costs, window, 0.01)[0] <= max(costs) + 1e-9
    assert side_values(costs, StreamSpec(pool="top", share=1.0), 0.01)[0] == pytest.approx(np.mean(costs))
    assert side_values(costs, StreamSpec(pool="window", window=10.0), 0.01)[0] == pytest.approx(np.mean(costs))


@given(COSTS)
@settings(max_examples=40, deadline=None)
def test_both_sides_are_each_side_and_turn_with_the_sign(costs: list[float]) -> None:
    for pool in ("top", "window"):
        both = side_values(costs, StreamSpec(pool=pool, side="both"), 0.01)
        sides = [side_values(costs, StreamSpec(pool=pool, side=side), 0.01)[0] for side in ("unlikely", "likely")]
        assert both == pytest.approx(sides)
        assert side_values(np.negative(costs), StreamSpec(pool=pool, side="both"), 0.01) == pytest.approx(both[::-1])


def test_windows_are_means_of_neighbours() -> None:
    values = np.random.default_rng(0).standard_normal(37)
    assert window_means(values, 5) == pytest.approx([values[n : n + 5].mean() for n in range(33)])


def test_one_figure_is_the_score_and_several_are_measured_in_deviations() -> None:
    centres, scales = np.array([1.0, 10.0]), np.array([2.0, 5.0])
    assert score_of([[7.0]], centres[:1], scales[:1], "max").tolist() == [7.0]
    assert score_of([[5.0, 15.0]], centres, scales, "max").tolist() == [2.0]
    assert score_of([[5.0, 15.0]], centres, scales, "mean").tolist() == [1.5]


# ---------------------------------------------------------------- thresholds


def test_the_share_of_normal_recordings_that_score_so_high_counts_equals_and_the_recording_itself() -> None:
    one, scores = np.ones(1), np.array([0.0, 1.0, 1.0, 2.0])
    model = AnomalyModel((), NormalReference(one, one, scores, one, one, threshold_of(scores, 0.3)))
    assert [model.p_value(score) for score in (-1.0, 1.0, 1.5, 3.0)] == [1.0, 0.8, 0.4, 0.2]


@pytest.mark.parametrize(("n", "rate"), [(19, 0.05), (50, 0.1), (200, 0.05), (99, 0.01)])
def test_a_threshold_keeps_its_false_alarm_rate_on_average(n: int, rate: float) -> None:
    rng = np.random.default_rng(n)
    rates = [float(1 - threshold_of(rng.random(n), rate).value) for _ in range(2000)]  # of new ones, uniform too
    assert np.mean(rates) <= rate + 3 * np.std(rates) / np.sqrt(2000)
    assert np.mean(rates) >= rate - 1 / (n + 1) - 3 * np.std(rates) / np.sqrt(2000)


def test_intervals_hold_the_quantile_and_the_rate_as_often_as_they_say() -> None:
    rng = np.random.default_rng(1)
    found = [threshold_of(rng.random(150), 0.1) for _ in range(1500)]
    held = np.mean([one.low is not None and one.high is not None and one.low <= 0.9 <= one.high for one in found])
    rate = np.mean([one.rate_low <= 1 - one.value <= one.rate_high for one in found])
    assert held >= 0.94  # order statistics cannot say 95 % to the point; they say at least
    assert rate == pytest.approx(0.95, abs=0.02)


def test_too_few_normal_recordings_for_the_rate_are_refused_and_an_open_end_is_said() -> None:
    with pytest.raises(DataError, match=r"18 normal recordings .* needs 19 at least"):
        threshold_of(np.arange(18.0), 0.05)
    assert threshold_of(np.arange(19.0), 0.05).value == 18
    assert threshold_of(np.arange(19.0), 0.05).high is None
    assert threshold_of(np.arange(500.0), 0.05).high is not None


def test_a_threshold_grows_as_the_rate_falls() -> None:
    scores = np.random.default_rng(3).standard_normal(300)
    values = [threshold_of(scores, rate).value for rate in (0.5, 0.2, 0.1, 0.05, 0.01)]
    assert values == sorted(values)


def test_what_stands_far_out_is_named_and_a_long_smooth_tail_is_not() -> None:
    rng = np.random.default_rng(4)
    scores = np.append(rng.standard_normal(100), [12.0, 30.0])
    assert far_out(scores).tolist() == [101, 100]
    assert not len(far_out(rng.standard_normal(300)))
    assert not len(far_out(np.ones(20)))


def test_scores_of_normal_recordings_that_are_all_the_same_are_refused() -> None:
    with pytest.raises(DataError, match="all the same"):
        reference_of(np.ones((30, 1)), [[np.ones(5)] * 30], AnomalySpec())


# ---------------------------------------------------------------- curves


def test_a_curve_is_where_the_fault_is() -> None:
    times = 0.005 + 0.01 * np.arange(200)
    costs = np.where((times > 1.2) & (times < 1.4), 30.0, 1.0)
    grid = grid_of(2.0)
    curve = smoothed(costs, StreamSpec(relative=False), times, grid)
    assert len(curve) == len(grid) == 200
    start, end = highest_stretch(curve, grid, 0.2)
    assert (start, end) == pytest.approx((1.2, 1.4), abs=0.02)
    assert highest_stretch(curve, grid, 9.0) == pytest.approx((0.0, 2.0))


# ---------------------------------------------------------------- who trains


def corpus_of(*rows: tuple[str, str, str]) -> Corpus:
    """(condition, split, machine) of each utterance."""
    made = tuple(
        Utterance(str(n), Path(f"/{n}.wav"), split=split, labels={"condition": condition, "machine": machine})
        for n, (condition, split, machine) in enumerate(rows)
    )
    return Corpus(made, "machine", Path("/"))


def divided(corpus: Corpus, kind: str = "column", own_models: bool = True) -> Corpus:
    spec = SplitSpec(kind=kind)  # type: ignore[arg-type]
    return divide_normal(corpus, spec, condition="condition", normal="normal", own_models=own_models)


def test_an_anomaly_in_training_is_refused_by_name() -> None:
    corpus = corpus_of(("normal", "train", "a"), ("click", "train", "a"), ("normal", "test", "a"))
    with pytest.raises(DataError, match=r"1 utterances in the split 'train' are not 'normal' .*: 1 \(click\)"):
        divided(corpus)


def test_a_corpus_without_the_column_of_conditions_is_told_which_column_to_give() -> None:
    with pytest.raises(DataError, match=r"no 'condition'; .* set anomaly.condition to the column"):
        divided(corpus_of(("", "train", "a"), ("", "test", "a")))


def test_a_fraction_of_normal_recordings_is_tested_and_all_others() -> None:
    corpus = divided(corpus_of(*[("normal", "", "a")] * 20, *[("click", "", "a")] * 5), "fraction")
    by = [(u.split, u.label("condition")) for u in corpus]
    assert by.count(("train", "normal")) == 16
    assert by.count(("test", "normal")) == 4
    assert by.count(("test", "click")) == 5


def test_divisions_that_cannot_be_are_refused() -> None:
    corpus = corpus_of(("normal", "train", "a"), ("normal", "test", "b"))
    with pytest.raises(DataError, match=r"'machine' are tested and have no normal training recordings: b"):
        divided(corpus)
    assert len(divided(corpus, own_models=False)) == 2
    with pytest.raises(ConfigError, match="kfold is not available for task: anomaly"):
        divided(corpus, "kfold")
    with pytest.raises(DataError, match=r"no utterance is normal: .* but click"):
        divided(corpus_of(("click", "train", "a")))


# ---------------------------------------------------------------- settings


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ({"task": "classification", "anomaly": {"folds": 3}}, r"anomaly\.folds is for task: anomaly"),
        ({"anomaly": {"streams": []}}, "streams is empty"),
        ({"anomaly": {"streams": [{"name": "a"}, {"name": "a"}]}}, "two are named 'a'"),
        ({"anomaly": {"streams": [{"pool": "mean", "share": 0.1}]}}, "share is for pool: top"),
        ({"anomaly": {"streams": [{"relative": True}]}}, "relative with pool: mean"),
        ({"anomaly": {"streams": [{"pol": "top"}]}}, r"unknown key 'anomaly\.streams\.pol'; did you mean"),
        ({"anomaly": {"streams": [{"features": {"n_cep": 3}}]}}, r"unknown key 'anomaly\.streams\.features"),
        ({"anomaly": {"combine": "mean"}}, "combine has no effect"),
        ({"features": {"vad": "energy"}}, r"features\.vad: energy, .*recordings are scored whole"),
        ({"features": {"transform": {"kind": "lda"}}}, "take pca"),
        ({"features": {"n_ceps": 9}, "anomaly": {"streams": [{"features": {}}]}}, "features has no effect"),
        ({"model": {"adapt": "map"}}, r"model\.adapt is not available"),
        (
            {"scoring": {"priors": "train"}},
            r"scoring\.priors is for task: classification; this configuration has task: anomaly",
        ),
    ],
)
def test_settings_without_effect_are_refused(text: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        make_config({"task": "anomaly", **text})


# ---------------------------------------------------------------- a run


@pytest.fixture(scope="module")
def machines(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two machines that hum, 24 normal recordings of each to train on; tests with and without clicks."""
    root = tmp_path_factory.mktemp("machines")
    rows = ["path\tsplit\tcondition\tmachine"]
    for number, (machine, pitch) in enumerate((("fan", 110.0), ("pump", 300.0))):
        for n in range(38):
            samples = hum(1000 * number + n, pitch * (1 + 0.002 * (n % 7)), 1.0)
            condition = "click" if n >= 32 else "normal"
            if condition == "click":
                samples[4000:5600:400] += 0.9
            soundfile.write(root / f"{machine}-{n}.wav", np.clip(samples, -0.99, 0.99), RATE)
            rows.append(f"{machine}-{n}.wav\t{'train' if n < 24 else 'test'}\t{condition}\t{machine}")
    (root / "manifest.tsv").write_text("\n".join(rows) + "\n")
    (root / "machines.yaml").write_text(
        "task: anomaly\n"
        "corpus: {kind: manifest, path: manifest.tsv, label: machine, sample_rate: 8000}\n"
        "features: {n_ceps: 8, n_mels: 12}\n"
        "model: {n_components: 2, max_iter: 5}\n"
        "anomaly:\n"
        "  false_alarm: 0.1\n"
        "  folds: 3\n"
        "  streams:\n"
        "    - name: short\n"
        "      features: {frame_length: 8, frame_shift: 4, n_ceps: 6, n_mels: 8, lifter: 0,"
        " transform: {kind: pca, dim: 12, splice: 1}}\n"
        "      pool: top\n"
        "      share: 0.02\n"
        "      relative: true\n"
        "    - {name: long, pool: window, side: both}\n"
        f"cache: cache\noutput: {root / 'run'}\nparallel: {{n_jobs: 1}}\n"
    )
    sg.run(root / "machines.yaml", console=Console(quiet=True))
    return root


def rows_of(path: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(path.read_text().splitlines(), delimiter="\t"))


@pytest.mark.slow
def test_a_run_finds_what_is_not_normal_and_says_when(machines: Path) -> None:
    metrics = json.loads((machines / "run" / "metrics.json").read_text())
    assert metrics["auc"]["value"] == 1
    assert metrics["pauc"]["max_false_alarm"] == 0.1
    assert metrics["detection_rate"]["value"] == 1
    assert set(metrics["classes"]) == {"fan", "pump"}
    rows = rows_of(machines / "run" / "scores.tsv")
    assert len(rows) == 28
    assert list(rows[0])[-3:] == ["short", "long (unlikely)", "long (likely)"]
    for row in rows:
        assert (float(row["score"]) > float(row["threshold"])) == (row["decision"] == "anomalous")
        if row["condition"] == "click":  # from 0.5 to 0.7 s
            assert float(row["start"]) < 0.7
            assert float(row["end"]) > 0.5


def test_normal_recordings_make_no_interval_of_what_few_anomalies_say_narrower() -> None:
    nothing = np.zeros(1)

    def tested(n_normal: int) -> AnomalyScores:
        found = [
            AnomalyScore(score, 0.5, 0.5, 0.0, 0.3, nothing, 1, nothing, nothing)
            for score in [1.0] * 4 + [0.0] * n_normal
        ]
        ids = tuple(str(n) for n in range(len(found)))
        conditions = ("click",) * 4 + ("normal",) * n_normal
        return AnomalyScores(ids, ("fan",) * len(ids), conditions, (), tuple(found))

    for n_normal in (4, 200):
        done = evaluate_anomalies(tested(n_normal), "normal")
        assert done is not None
        for name in ("auc", "pauc", "detection_rate"):
            assert done.metrics[name]["value"] == 1
            assert done.metrics[name]["interval"] == "clopper-pearson over recordings as independent"
            assert done.metrics[name]["low"] == pytest.approx(0.025**0.25, abs=1e-6)  # four of four (Clopper & Pearson)


@pytest.mark.slow
def test_new_recordings_are_scored_as_the_run_scored_its_own(machines: Path) -> None:
    found = CliRunner().invoke(
        app, ["score", str(machines / "run"), *(str(machines / f"fan-{n}.wav") for n in (25, 33)), "--label", "fan",
              "--format", "jsonl", "--quiet"]
    )  # fmt: skip
    assert found.exit_code == 0, found.output
    known = {row["id"]: row for row in rows_of(machines / "run" / "scores.tsv")}
    for line in found.stdout.splitlines():
        row = json.loads(line)
        own = known[Path(row["file"]).stem]
        for name in ("score", "threshold", "p_value", "start", "end"):
            assert row[name] == pytest.approx(float(own[name]), abs=1e-5)
        assert row["decision"] == own["decision"]


def test_curves_are_written_as_table_and_picture(machines: Path, tmp_path: Path) -> None:
    found = CliRunner().invoke(
        app, ["score", str(machines / "run"), str(machines / "fan-33.wav"), "--label", "fan", "--curve", str(tmp_path)]
    )
    assert found.exit_code == 0, found.output
    rows = rows_of(tmp_path / "fan-33.tsv")
    highest = max(rows, key=lambda row: float(row["anomaly_score"]))
    assert 0.45 < float(highest["time"]) < 0.75
    assert (tmp_path / "fan-33.png").stat().st_size > 1000


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "name the class to compare the recordings with (--label)"),
        (("--label", "car"), "no such class; it has fan, pump"),
        (("--label", "fan", "--window", "1"), "--window is for models of classes or models of segments"),
        (("--label", "fan", "--top", "2"), "--top is for models of classes"),
    ],
)
def test_a_command_line_that_the_model_has_no_use_for_is_refused(
    machines: Path, arguments: tuple[str, ...], message: str
) -> None:
    found = CliRunner().invoke(app, ["score", str(machines / "run"), str(machines / "fan-25.wav"), *arguments])
    assert found.exit_code == 2
    assert message in found.stderr


def test_other_commands_refuse_a_model_of_what_is_normal(machines: Path) -> None:
    model = machines / "run" / "models.safetensors"
    with pytest.raises(ModelFileError, match="an anomaly-detection model, not models of classes; `speechgmm score`"):
        read_model_file(model)
    with pytest.raises(ModelFileError, match="an anomaly-detection model, not a recogniser"):
        read_recogniser(model)
    for command in (
        ["verify", str(model), "--claim", "fan"],
        ["enrol", str(model), "--label", "x", "--out", "x.safetensors"],
    ):
        found = CliRunner().invoke(app, [*command, str(machines / "fan-25.wav")])
        assert found.exit_code == 2
        assert "speechgmm score" in found.stderr
    described = CliRunner().invoke(app, ["inspect", str(model)])
    assert "anomaly-detection models of 2 classes" in described.stdout


def test_a_sweep_has_nothing_to_choose_by(machines: Path) -> None:
    sweep = ["sweep", str(machines / "machines.yaml"), "--grid", "seed=1,2", "--out", str(machines / "sweep")]
    assert "sweep is not available for task: anomaly" in CliRunner().invoke(app, sweep).stderr
    tuned = CliRunner().invoke(
        app, ["run", str(machines / "machines.yaml"), "--tune", "--out", str(machines / "tuned")]
    )
    assert tuned.exit_code == 2
    assert "tuning is not available for task: anomaly: normal recordings alone cannot choose what finds" in tuned.stderr
    assert not (machines / "tuned").exists()  # it is said before the run


@pytest.mark.slow
def test_two_runs_are_compared_by_their_auc_on_the_same_recordings(machines: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    sg.run(
        machines / "machines.yaml",
        ["anomaly.streams=[{name: all, pool: window, side: likely}]"],
        output=other,
        console=Console(quiet=True),
    )
    mine, theirs = (json.loads((folder / "metrics.json").read_text()) for folder in (machines / "run", other))
    values = [100 * found["auc"]["value"] for found in (theirs, mine)]
    assert values[0] != values[1]
    rows_of = {row.folder: row for row in compare_runs([machines / "run", other])}
    difference = rows_of[other].difference
    assert (100 * rows_of[other].value, 100 * rows_of[machines / "run"].value) == pytest.approx(values)
    assert difference is not None
    assert 100 * difference.value == pytest.approx(values[0] - values[1])
    rows = (other / "scores.tsv").read_text().replace("\tclick\t", "\tnormal\t")
    for folder in (tmp_path / "one", tmp_path / "two"):
        shutil.copytree(other, folder)
        (folder / "scores.tsv").write_text(rows)
    with pytest.raises(DataError, match=r"one: no AUC to compare: the test recordings of 'fan' are all normal"):
        compare_runs([tmp_path / "one", tmp_path / "two"])
    (tmp_path / "one" / "scores.tsv").write_text(rows.split("\n")[0] + "\n")
    with pytest.raises(DataError, match="one: no AUC to compare: nothing was tested"):
        compare_runs([tmp_path / "one", other])
    (tmp_path / "one" / "scores.tsv").write_text((other / "scores.tsv").read_text().replace("\tclick\t", "\tbang\t"))
    with pytest.raises(DataError, match="have other labels for the same items"):
        compare_runs([other, tmp_path / "one"])


def test_a_model_file_is_read_back_as_it_was(machines: Path) -> None:
    path = machines / "run" / "models.safetensors"
    file = read_anomaly_file(path)
    assert serialise_anomaly(file) == with_card(path.read_bytes(), None)
    assert isinstance(file.models["fan"].reference, NormalReference)
    assert file.models["fan"].p_value(np.inf) == pytest.approx(1 / 25)
    assert file.models["fan"].p_value(-np.inf) == 1


def test_the_report_shows_the_threshold_the_roc_and_the_oddest(machines: Path) -> None:
    page = (machines / "run" / "report.html").read_text()
    for text in ("Anomaly scores and ROC", "Thresholds", "The most anomalous recordings", "data:audio/flac", "AUC"):
        assert text in page


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_costs_and_scores_that_are_no_numbers_make_no_score_and_no_threshold(value: float) -> None:
    for pool in ("mean", "top", "window"):
        with pytest.raises(DataError, match="1 of 3 values are NaN or infinite, the first at index 1"):
            side_values([1.0, value, 2.0], StreamSpec(pool=pool), 0.01)
    for function in (lambda scores: threshold_of(scores, 0.5), far_out):
        with pytest.raises(DataError, match="expected finite numbers"):
            function([1.0, value, 2.0])


def test_a_score_that_is_nan_is_neither_anomalous_nor_normal() -> None:
    nothing = np.zeros(1)
    for score, threshold in ((np.nan, 0.5), (0.5, np.nan)):
        with pytest.raises(DataError, match="nothing is decided by NaN"):
            AnomalyScore(score, threshold, 0.5, 0.0, 0.3, nothing, 1, nothing, nothing)
    normal = threshold_of(np.arange(9.0), 0.2)
    with pytest.raises(DataError, match="a threshold of nan"):
        replace(normal, value=np.nan)
    reference = NormalReference(nothing, nothing + 1, np.arange(9.0), nothing, nothing + 1, normal)
    with pytest.raises(DataError, match="no p-value"):
        AnomalyModel((), reference).p_value(np.nan)


def test_a_model_file_whose_threshold_is_nan_is_refused(machines: Path, tmp_path: Path) -> None:
    with safe_open(str(machines / "run" / "models.safetensors"), framework="numpy") as file:
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a dict)
        header = json.loads(file.metadata()[KEY])
    header["anomaly"]["thresholds"][0]["value"] = np.nan
    (tmp_path / "m.safetensors").write_bytes(save(tensors, metadata={KEY: json.dumps(header)}))
    with pytest.raises(ModelFileError, match=r"header of this model file is damaged \(NaN is no number\)"):
        read_anomaly_file(tmp_path / "m.safetensors")


def test_a_recording_whose_frames_cannot_be_scored_is_named_and_the_others_are_decided(
    machines: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = anomaly_scoring.model_frames

    def broken(audio: object, path: Path, **how: bool) -> tuple:
        frames, speech, recording = plain(audio, path, **how)
        if path.stem == "fan-25":
            frames[3] = np.nan
        return frames, speech, recording

    monkeypatch.setattr(anomaly_scoring, "model_frames", broken)
    paths = [str(machines / f"fan-{n}.wav") for n in (25, 33)]
    found = CliRunner().invoke(app, ["score", str(machines / "run"), *paths, "--label", "fan", "--format", "jsonl"])
    assert found.exit_code == 1
    assert [Path(json.loads(line)["file"]).stem for line in found.stdout.splitlines()] == ["fan-33"]
    (said,) = (line for line in found.stderr.splitlines() if line.startswith("error"))
    assert "fan-25.wav: " in said
    assert "expected finite numbers" in said


def test_a_run_ends_with_the_name_of_a_test_recording_that_cannot_be_scored(
    machines: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain, tested = Piece.load, {piece.key for piece in _pieces(machines, "pump-30")}

    def broken(self: Piece) -> np.ndarray:
        frames = plain(self).copy()
        frames[0] = np.nan if self.key in tested else frames[0]
        return frames

    monkeypatch.setattr(Piece, "load", broken)
    with pytest.raises(DataError, match=r"pump-30: .* NaN or infinite"):
        sg.run(machines / "machines.yaml", output=machines / "broken", console=Console(quiet=True))


def _pieces(machines: Path, name: str) -> list[Piece]:
    job = prepare(machines / "machines.yaml", console=Console(quiet=True))
    features = extract_streams(job)[0]
    return [piece for utterance, piece in features.of_split("test") if utterance.id == name]


def test_the_report_of_an_earlier_run_says_that_nothing_is_decided_of_a_score_that_is_nan(machines: Path) -> None:
    run = read_run(machines / "run")
    first = {**run.scores[0], "score": "nan", "decision": "normal"}
    section = anomalies(replace(run, scores=(first, *run.scores[1:])))
    assert section is not None
    assert f"1 recordings have a score that is NaN. Nothing is decided of them: {first['id']}." in section.text
    listed = most_anomalous(replace(run, scores=(first, *run.scores[1:])), 0)
    assert listed is not None
    assert first["id"] not in {row[0] for shown in listed.tables for row in shown.rows}
    nobody = anomalies(replace(run, scores=(first,)))
    assert nobody is not None
    assert not nobody.pictures


@pytest.mark.slow
def test_anomalies_among_the_normal_recordings_are_warned_of(
    machines: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = (machines / "manifest.tsv").read_text()
    planted = text.replace("fan-33.wav\ttest\tclick", "fan-33.wav\ttrain\tnormal")
    (machines / "planted.tsv").write_text(planted)
    sg.run(
        load_config(machines / "machines.yaml", [f"corpus.path={machines / 'planted.tsv'}"]),
        output=machines / "planted",
        console=Console(),
        until="train",
    )
    said = " ".join(capsys.readouterr().err.split())
    assert "'fan': 1 of 25 normal training recordings stand far out" in said
    assert "fan-33" in said
    assert "'pump'" not in said.replace("'pump': 24 normal recordings are few", "")


def test_too_few_normal_recordings_end_the_run_by_name(machines: Path) -> None:
    with pytest.raises(DataError, match=r"'fan': 24 normal recordings cannot give a threshold .* of 0\.01"):
        sg.run(
            machines / "machines.yaml",
            ["anomaly.false_alarm=0.01"],
            output=machines / "few",
            console=Console(quiet=True),
        )


def test_frames_of_a_group_are_held_out_together_where_components_are_chosen(
    machines: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = (machines / "manifest.tsv").read_text().splitlines()
    days = ["day", *(f"d{n % 3 if n % 38 < 24 else 4}" for n in range(76))]
    (machines / "days.tsv").write_text("".join(f"{row}\t{day}\n" for row, day in zip(rows, days, strict=True)))
    groups: list[set[str]] = []

    def seen(_job: object, tasks: list[MixtureTask], _what: str) -> None:
        groups.extend({piece.group for piece in task.pieces} for task in tasks)
        raise DataError("seen")

    monkeypatch.setattr("speechgmm.tasks.anomaly.training.train_mixtures", seen)
    with pytest.raises(DataError, match="seen"):
        sg.run(
            machines / "machines.yaml",
            [
                f"corpus.path={machines / 'days.tsv'}",
                "corpus.group=day",
                "model.n_components=auto",
                "model.choose.criterion=held_out",
            ],
            output=machines / "days",
            console=Console(quiet=True),
        )
    days = {"d0", "d1", "d2"}
    # Of each machine and stream a model of everything, and one without each part of the recordings.
    assert sorted(map(sorted, groups)) == sorted(map(sorted, 2 * [days, *(days - {day} for day in days)]))


@pytest.mark.slow
def test_normal_recordings_of_one_machine_are_enough_and_one_that_cannot_be_used_may_be_skipped(
    machines: Path, tmp_path: Path
) -> None:
    rows = (machines / "manifest.tsv").read_text().splitlines()
    soundfile.write(machines / "silent.wav", np.zeros(RATE), RATE)
    kept = [
        rows[0],
        *(row for row in rows if row.startswith("fan") and "train" in row),
        "silent.wav\ttrain\tnormal\tfan",
    ]
    (machines / "fan.tsv").write_text("\n".join(kept) + "\n")
    settings = (f"corpus.path={machines / 'fan.tsv'}", "corpus.on_error=skip", "anomaly.models=label")
    options = [part for setting in settings for part in ("--set", setting)]
    out = tmp_path / "run"
    done = CliRunner().invoke(app, ["run", str(machines / "machines.yaml"), *options, "--out", str(out)])
    assert done.exit_code == 0, done.output
    assert "1 class, 24 training and 0 test utterances\n\nresults: " in done.output
    assert "score a recording: speechgmm score" in done.output
    for command in ("inspect", "report"):
        assert CliRunner().invoke(app, [command, str(out)]).exit_code == 0


def test_the_curves_of_a_run_of_before_are_read_under_the_name_that_their_column_had() -> None:
    folder = Path(__file__).parent / "kept" / "anomaly"
    lines = (folder / "curves.tsv").read_text().splitlines()
    assert lines[0] == "id\ttime\toddity"
    found = _curves(read_run(folder))
    assert sum(len(times) for times, _ in found.values()) == len(lines) - 1
    identity, time, value = lines[1].split("\t")
    assert (found[identity][0][0], found[identity][1][0]) == (float(time), float(value))
