"""Folds, verification, sweeps and comparisons, on hums that are made in no time."""

import csv
import dataclasses
import html
import io
import json
import re
import shlex
import shutil
import sys
import warnings
from contextlib import redirect_stdout
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import soundfile
import soxr
import yaml
from conftest import hum

import speechgmm as sg
from speechgmm import cli
from speechgmm.cli.comparison import print_comparison, print_runs
from speechgmm.cli.experiment_commands import Run
from speechgmm.cli.inspection import inspect
from speechgmm.cli.results import print_result, print_sweep
from speechgmm.config import load_config, make_config
from speechgmm.corpus import Corpus, SplitSpec, Utterance, make_split
from speechgmm.corpus.splits import inner_folds
from speechgmm.corpus.trials import read_trials
from speechgmm.engine import extract, prepare, run
from speechgmm.engine.comparison import compare_runs
from speechgmm.engine.console import Console
from speechgmm.engine.extraction import divide
from speechgmm.engine.labelled_recordings import whole_recording
from speechgmm.engine.run_folder import read_run
from speechgmm.engine.run_list import list_runs
from speechgmm.engine.runs import other_settings
from speechgmm.engine.sweeps import grid_points, sweep
from speechgmm.errors import ConfigError, DataError, ModelFileError, RecordingWarning
from speechgmm.evaluation import cllr_min, eer, rank_trials
from speechgmm.features import moments
from speechgmm.features.augment import Copy
from speechgmm.io.label_files.textgrid import write_textgrid
from speechgmm.io.timed_labels import TimedLabel
from speechgmm.report.page import write_report
from speechgmm.tasks.classification.change_command import Enrol
from speechgmm.tasks.classification.codec import read_model_file
from speechgmm.tasks.classification.enrolment import enrol
from speechgmm.tasks.classification.models import ClaimScores
from speechgmm.tasks.classification.scoring import score_recordings
from speechgmm.tasks.classification.spec import DecisionSpec
from speechgmm.tasks.classification.training import train
from speechgmm.tasks.classification.updates import update_class
from speechgmm.tasks.options import TableFormat
from speechgmm.tasks.segments.codec import read_segment_models
from speechgmm.tasks.segments.command import Score as ScoreSegments
from speechgmm.tasks.verification.command import Score as ScoreClaims
from speechgmm.tasks.verification.command import Verify
from speechgmm.tasks.verification.fusion import fuse_files
from speechgmm.tasks.verification.judging import judge_recordings
from speechgmm.tasks.verification.models import ClaimModels
from speechgmm.tasks.verification.score_files import evaluate_file
from speechgmm.tasks.verification.score_map_training import fit_logistic, fit_pav
from speechgmm.tasks.verification.score_maps import Calibration


def quiet() -> Console:
    return Console(quiet=True)


def table(path: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(path.read_text().splitlines(), delimiter="\t"))


@pytest.fixture
def hums(tmp_path: Path) -> Path:
    """A manifest of four words by four speakers, three times each, and its configuration."""
    rows = ["path\tword\tspeaker"]
    for speaker in range(4):
        for number, word in enumerate(("ba", "da", "ga", "ma")):
            for take in range(3):
                path = f"s{speaker}-{word}-{take}.wav"
                pitch = 90 * 1.35**number * (1 + 0.02 * speaker)
                samples = hum(100 * speaker + 10 * number + take, pitch, seconds=0.4)
                soundfile.write(tmp_path / path, samples * (0.5 + 0.2 * speaker), 8000)
                rows.append(f"{path}\t{word}\ts{speaker}")
    (tmp_path / "m.tsv").write_text("\n".join(rows) + "\n")
    path = tmp_path / "words.yaml"
    path.write_text(
        "corpus: {path: m.tsv, label: word, group: speaker, sample_rate: 8000, split: leave-one-out}\n"
        "model: {n_components: 2, max_iter: 4}\nparallel: {n_jobs: 1}\n"
        f"cache: cache\noutput: {tmp_path / 'run'}\n"
    )
    return path


def corpus_of(rows: list[tuple[str, str, str]]) -> Corpus:
    root = Path("/corpus")
    made = [Utterance(name, root / f"{name}.wav", labels={"word": word, "speaker": who}) for name, word, who in rows]
    return Corpus(tuple(made), "word", root)


ROWS = [(f"{word}{who}{take}", word, who) for word in "ab" for who in "wxyz" for take in range(2)]


def test_every_utterance_is_tested_once_and_never_by_a_model_that_heard_its_group() -> None:
    for spec in (SplitSpec(kind="leave-one-out"), SplitSpec(kind="kfold", folds=3)):
        corpus, folds = make_split(corpus_of(ROWS), spec, group="speaker")
        assert sorted(name for fold in folds for name in fold.test) == sorted(u.id for u in corpus)
        assert {u.split for u in corpus} == {"train"}
        for fold in folds:
            divided = fold.apply(corpus)
            sides = [{u.label("speaker") for u in divided.split(side)} for side in ("train", "test")]
            assert not sides[0] & sides[1]


def test_the_column_that_is_left_out_names_the_folds() -> None:
    _, folds = make_split(corpus_of(ROWS), SplitSpec(kind="leave-one-out", by="speaker"))
    assert [fold.name for fold in folds] == ["w", "x", "y", "z"]


@pytest.mark.parametrize(
    ("rows", "spec", "group", "error"),
    [
        (ROWS, SplitSpec(kind="leave-one-out"), None, "set corpus.split.by or corpus.group"),
        (ROWS, SplitSpec(kind="kfold", folds=9), "speaker", "9 folds are asked for, and .* make 4"),
        (ROWS, SplitSpec(kind="leave-one-out", by="word"), None, "fold a: only one class to train"),
        (
            [*ROWS, ("c", "c", "w")],
            SplitSpec(kind="leave-one-out"),
            "speaker",
            "fold w: .*never trained: c",
        ),
        (ROWS, SplitSpec(kind="leave-one-out"), "session", r"no 'session' \(corpus.group\)"),
    ],
)
def test_folds_that_cannot_be_made_are_refused(rows, spec, group, error) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises((ConfigError, DataError), match=error):
        make_split(corpus_of(rows), spec, group=group)


def test_inner_folds_divide_the_training_part_alone() -> None:
    corpus, folds = make_split(corpus_of(ROWS), SplitSpec(kind="leave-one-out"), group="speaker")
    outer = folds[0].apply(corpus)
    inner = inner_folds(outer, SplitSpec(kind="leave-one-out"), group="speaker")
    assert [fold.name for fold in inner] == ["x", "y", "z"]
    assert not any(fold.test & folds[0].test for fold in inner)


@pytest.mark.slow
def test_a_run_with_folds_pools_scores_and_keeps_models(hums: Path, capsys: pytest.CaptureFixture[str]) -> None:
    result = run(hums, console=quiet())
    folder = hums.parent / "run"
    metrics = json.loads((folder / "metrics.json").read_text())
    rows = table(folder / "scores.tsv")
    assert len(rows) == 48
    assert list(rows[0])[:5] == ["id", "fold", "true", "predicted", "n_frames"]
    assert {row["fold"] for row in rows} == {"s0", "s1", "s2", "s3"} == set(metrics["folds"])
    pooled = np.mean([row["true"] == row["predicted"] for row in rows])
    assert metrics["accuracy"]["value"] == pytest.approx(pooled)
    assert metrics["accuracy"]["n_groups"] == 4
    assert np.mean([fold["accuracy"]["value"] for fold in metrics["folds"].values()]) == pytest.approx(pooled)
    for row in rows:
        assert row["id"].startswith(row["fold"])
    # The fold's own model file gives the fold's scores; the one above has heard everybody and is tempered.
    model = read_model_file(folder / "folds" / "s1" / "models.safetensors")
    row = next(row for row in rows if row["fold"] == "s1")
    (((_, scored),),) = ([*score_recordings(model, [hums.parent / f"{row['id']}.wav"])],)
    assert not isinstance(scored, DataError)
    wanted = [float(row[label]) for label in model.models.labels]
    np.testing.assert_allclose(scored[0].mean_log_likelihoods, wanted, atol=1e-5)
    whole = read_model_file(folder / "models.safetensors")
    assert whole.models.temperature is not None
    assert whole.models.models[0].means.tolist() != model.models.models[0].means.tolist()
    assert {row["fold"] for row in table(folder / "protocol.tsv")} == {"s0", "s1", "s2", "s3"}
    print_result(result)
    assert "fold" in capsys.readouterr().out


@pytest.mark.slow
def test_folds_are_the_same_for_any_number_of_workers(hums: Path) -> None:
    found = set()
    for n_jobs, backend in ((1, "threads"), (2, "threads"), (2, "processes")):
        folder = hums.parent / f"run-{n_jobs}-{backend}"
        overrides = [f"parallel.n_jobs={n_jobs}", f"parallel.backend={backend}", f"cache={folder}-cache"]
        run(hums, overrides, output=folder, console=quiet())
        found.add(tuple(path.read_bytes() for path in sorted(folder.rglob("models.safetensors"))))
    assert len(found) == 1


def test_a_planted_leak_is_refused_with_the_names(hums: Path) -> None:
    lines = (hums.parent / "m.tsv").read_text().splitlines()
    split = ["split"] + ["test" if "\ts0" in line else "train" for line in lines[1:]]
    split[3] = "train"  # one recording of s0
    (hums.parent / "m.tsv").write_text("\n".join(f"{line}\t{side}" for line, side in zip(lines, split, strict=True)))
    with pytest.raises(DataError, match=r"'speaker' \(corpus.group\) are in more than one part(.|\n)*speaker 's0'"):
        run(hums, ["corpus.split=column"], console=quiet())


def test_the_same_audio_under_two_names_on_both_sides_is_refused(hums: Path) -> None:
    (hums.parent / "copy.wav").write_bytes((hums.parent / "s0-ba-0.wav").read_bytes())
    with (hums.parent / "m.tsv").open("a") as file:
        file.write("copy.wav\tba\ts3\n")
    with pytest.raises(DataError, match=r"s0-ba-0.wav .* copy.wav .* are the same recording"):
        run(hums, console=quiet())


VERIFY = ["task=verification", "corpus.label=speaker", "corpus.split={kind: leave-one-out, by: word}"]
VERIFY += ["model={adapt: map, relevance: 4, ubm: {n_components: 4}}"]


@pytest.mark.slow
def test_verification_scores_every_model_against_every_test_and_gives_figures(
    hums: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    result = run(hums, VERIFY, console=quiet())
    rows = table(hums.parent / "run" / "scores.tsv")
    assert len(rows) == 4 * 48
    assert list(rows[0]) == ["model", "test", "fold", "score", "n_frames", "target"]
    assert sum(row["target"] == "target" for row in rows) == 48
    assert 0 <= result.metrics["eer"]["value"] <= 0.5
    assert set(result.metrics["folds"]) == {"ba", "da", "ga", "ma"}
    assert {"eer", "eer_staircase", "min_dcf", "cllr_min"} <= set(result.metrics)
    print_result(result)
    out = capsys.readouterr().out
    assert "EER (convex hull)" in out
    assert "EER (staircase)" in out


@pytest.mark.slow
def test_top_components_are_kept_in_the_model_and_used_by_run_score_verify_and_enrol(hums: Path) -> None:
    base = ["corpus.label=speaker", "corpus.group=null", "corpus.split={kind: fraction, test: 0.25}"]
    base += ["model={adapt: map, relevance: 4, ubm: {n_components: 8}}"]
    for task in ("classification", "verification"):
        scores = {}
        for top in (8, None, 2):
            folder = hums.parent / f"{task}-{top}"
            setting = f"scoring.top_components={'null' if top is None else top}"
            run(hums, [*base, f"task={task}", setting], output=folder, console=quiet())
            scores[top] = (folder / "scores.tsv").read_text()
            file = read_model_file(folder / "models.safetensors")
            assert file.models.top_components == top
        assert scores[8] == scores[None] != scores[2]
        assert "scored by its 2 best components" in inspect(folder / "models.safetensors")
        rows = table(folder / "scores.tsv")
        if task == "classification":
            paths = [hums.parent / f"{next(iter(row.values()))}.wav" for row in rows]
            assert file.models.temperature is not None
            for row, (_, found) in zip(rows, score_recordings(file, paths), strict=True):
                assert not isinstance(found, DataError)
                wanted = [float(row[label]) for label in file.models.labels]
                np.testing.assert_allclose(found[0].mean_log_likelihoods, wanted, atol=1e-5)
        else:
            for row in rows:
                ((_, judged),) = judge_recordings(file, [hums.parent / f"{row['test']}.wav"], row["model"])
                assert not isinstance(judged, DataError)
                assert judged.score == pytest.approx(float(row["score"]), abs=1e-5)
            larger, _ = enrol(file, "new", sorted(hums.parent.glob("s1-*.wav")))
            assert larger.models.top_components == 2


@pytest.mark.slow
def test_trials_of_a_table_are_scored_as_all_against_all_would(hums: Path) -> None:
    run(hums, VERIFY, console=quiet())
    every = {(row["model"], row["test"]): row["score"] for row in table(hums.parent / "run" / "scores.tsv")}
    asked = [("s0", "s0-ba-0", "target"), ("s1", "s0-ba-0", "nontarget"), ("s2", "s3-ma-1", "nontarget")]
    text = "model\ttest\ttarget\n" + "".join("\t".join(row) + "\n" for row in asked)
    (hums.parent / "t.tsv").write_text(text)
    run(hums, [*VERIFY, f"trials={hums.parent / 't.tsv'}"], output=hums.parent / "some", console=quiet())
    some = table(hums.parent / "some" / "scores.tsv")
    assert {(row["model"], row["test"]): row["score"] for row in some} == {row[:2]: every[row[:2]] for row in asked}


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("model\ttest\nx\ta\n", r"line 2: no model 'x'"),
        ("model\ttest\nm\tb\n", r"line 2: no test 'b'"),
        ("model\ttest\ttarget\nm\ta\tmaybe\n", r"line 2: target is 'maybe'"),
        ("model\ttest\nm\ta\nm\ta\n", r"line 3: .* also the trial of line 2"),
        ("model\ttest\nm\n", r"line 2: 1 cells"),
        ("who,what\nm,a\n", r"a header with model \(or enrol\), test and target"),
        ("", "no trials in it"),
    ],
)
def test_bad_trials_are_refused_with_their_line(tmp_path: Path, text: str, error: str) -> None:
    (tmp_path / "t.tsv").write_text(text)
    with pytest.raises(DataError, match=error):
        read_trials(tmp_path / "t.tsv", ["m"], ["a"])


def test_kaldis_three_columns_are_trials(tmp_path: Path) -> None:
    (tmp_path / "trials").write_text("m a target\nn a nontarget\n")
    found = read_trials(tmp_path / "trials", ["m", "n"], ["a"])
    assert [(trial.model, trial.test, trial.target) for trial in found] == [("m", "a", True), ("n", "a", False)]


def test_only_targets_have_no_error_rate(hums: Path) -> None:
    (hums.parent / "t.tsv").write_text("model\ttest\ttarget\ns0\ts0-ba-0\ttarget\n")
    with pytest.raises(DataError, match="only target trials"):
        run(hums, [*VERIFY, f"trials={hums.parent / 't.tsv'}"], console=quiet())


def test_an_enrolled_class_is_the_one_that_training_would_have_made(hums: Path) -> None:
    """Leave a speaker out of training, enrol him: the same background model and settings give the same mixture."""
    base = ["corpus.label=speaker", "corpus.group=null", "corpus.split=column", "scoring.temperature_folds=0"]
    base += ["model={adapt: map, relevance: 4, ubm: {n_components: 4}}"]
    lines = (hums.parent / "m.tsv").read_text().splitlines()
    split = ["split"] + ["ubm" if "\ts3" in line else "train" for line in lines[1:]]
    (hums.parent / "m.tsv").write_text("\n".join(f"{line}\t{side}" for line, side in zip(lines, split, strict=True)))
    run(hums, base, console=quiet(), until="train")
    file = read_model_file(hums.parent / "run" / "models.safetensors")
    paths = sorted(hums.parent.glob("s1-*.wav"))
    larger, made = enrol(file, "again", paths)
    assert made.n_frames > 0
    assert larger.models.labels == ("s0", "s1", "s2", "again")
    order = [line.split("\t")[0] for line in lines[1:] if line.split("\t")[0].startswith("s1")]
    assert [path.name for path in paths] == sorted(order)
    np.testing.assert_allclose(larger.models.models[-1].means, larger.models.models[1].means, rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(np.exp(larger.models.log_priors), 0.25)
    with pytest.raises(ConfigError, match="has this class already"):
        enrol(file, "s1", paths)
    (hums.parent / "bad.wav").write_bytes(b"")
    with pytest.raises(DataError, match="1 of 2 recordings cannot be used, and nothing was enrolled"):
        enrol(file, "new", [paths[0], hums.parent / "bad.wav"])
    scores = {path.name: judged for path, judged in judge_recordings(larger, paths[:2], "again")}
    assert all(not isinstance(judged, DataError) and judged.score > 0 for judged in scores.values())


def test_a_grid_has_all_combinations_and_a_list_its_own(tmp_path: Path) -> None:
    points = grid_points(["model.n_components=1,2", "features.c0=absolute,relative"])
    assert len(points) == 4
    assert points[-1] == {"model.n_components": 2, "features.c0": "relative"}
    (tmp_path / "l.yaml").write_text("- seed: 1\n- model.n_components: 3\n  seed: 2\n")
    assert grid_points([], tmp_path / "l.yaml") == [{"seed": 1}, {"model.n_components": 3, "seed": 2}]
    for grid in (["model.n_components"], ["seed=1"], [], ["=1,2"]):
        with pytest.raises(ConfigError):
            grid_points(grid)


@pytest.mark.slow
def test_a_sweep_chooses_by_inner_folds_and_extracts_once(
    hums: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import speechgmm.engine.raw_recordings as raw_recordings

    decoded = []
    pieces = raw_recordings.Pieces
    monkeypatch.setattr(raw_recordings, "Pieces", lambda *args, **kwargs: decoded.append(1) or pieces(*args, **kwargs))
    found = sweep(hums, grid_points(["model.n_components=1,2,3"]), output=hums.parent / "sweep", console=quiet())
    assert len(decoded) == 48
    assert set(found.chosen) == {"s0", "s1", "s2", "s3"}
    for fold, number in found.chosen.items():
        figures = [point.inner[fold] for point in found.points]
        assert figures[number] == max(figures)
    inner = [np.mean(list(point.inner.values())) for point in found.points]
    assert found.winner == found.points[int(np.argmax(inner))].settings
    print_sweep(found, "speechgmm run x")
    assert "inner_accuracy" in capsys.readouterr().out
    rows = table(hums.parent / "sweep" / "sweep.tsv")
    assert [int(row["model.n_components"]) for row in rows] == [1, 2, 3]
    assert sum(int(row["chosen"]) for row in rows) == 4


@pytest.mark.slow
def test_the_inner_figure_of_a_sweep_is_that_of_the_training_part_run_by_itself(hums: Path) -> None:
    """What the test holds changes no choice: spoil the tested speaker's labels, and the inner figure stays."""
    first = sweep(hums, grid_points(["model.n_components=1,2"]), output=hums.parent / "one", console=quiet())
    lines = (hums.parent / "m.tsv").read_text().splitlines()
    other = {"ba": "da", "da": "ba"}
    spoilt = lines[:1]
    for path, word, speaker in (line.split("\t") for line in lines[1:]):
        spoilt.append(f"{path}\t{other.get(word, word) if speaker == 's0' else word}\t{speaker}")
    (hums.parent / "m.tsv").write_text("\n".join(spoilt))
    second = sweep(hums, grid_points(["model.n_components=1,2"]), output=hums.parent / "two", console=quiet())
    assert [point.inner["s0"] for point in first.points] == [point.inner["s0"] for point in second.points]
    assert [point.test for point in first.points] != [point.test for point in second.points]


@pytest.mark.slow
def test_a_sweep_begun_again_trains_only_what_is_missing(hums: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import speechgmm.engine.mixture_fit as training

    fits = []
    fit = training.fit_class
    monkeypatch.setattr(training, "fit_class", lambda *args, **options: fits.append(1) or fit(*args, **options))
    sweep(hums, grid_points(["model.n_components=1,2"]), output=hums.parent / "one", console=quiet())
    first = len(fits)
    # 4 outer folds and the 6 pairs (not 12) that inner folds leave out: 10 training sets of 4 words, at 2 points.
    assert first == 2 * 4 * 10
    sweep(hums, grid_points(["model.n_components=1,2,3"]), output=hums.parent / "two", console=quiet())
    assert len(fits) == first + 4 * 10


@pytest.mark.slow
def test_a_point_that_cannot_be_trained_is_left_out_and_named(hums: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = sweep(hums, grid_points(["model.n_components=1,2,5000"]), output=hums.parent / "sweep", console=quiet())
    assert len(found.points) == 2
    assert found.failed == ({"model.n_components": 5000},)
    assert table(hums.parent / "sweep" / "sweep.tsv")[2]["inner_accuracy"] == "failed"
    assert "point 3 cannot be trained and is left out" in capsys.readouterr().err


@pytest.mark.slow
def test_verification_is_swept_by_its_error_rate(hums: Path) -> None:
    found = sweep(hums, grid_points(["model.relevance=1,16"]), VERIFY, output=hums.parent / "sweep", console=quiet())
    assert found.metric == "eer"
    rows = table(hums.parent / "sweep" / "sweep.tsv")
    assert all(0 <= float(row["inner_eer"]) <= 0.5 for row in rows)


@pytest.mark.slow
def test_a_sweep_begins_no_point_that_its_budget_has_no_time_for(
    hums: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    points = grid_points(["model.n_components=1,2,3"])
    found = sweep(hums, points, output=hums.parent / "sweep", console=Console(), budget=0)
    assert [point.settings for point in found.points] == points[:2]
    assert "1 of 3 points are left out: they would take longer than 0 s in all" in capsys.readouterr().err


@pytest.mark.slow
def test_a_run_says_what_limits_it_from_its_own_measurements(hums: Path, capsys: pytest.CaptureFixture[str]) -> None:
    head, *rows = (hums.parent / "m.tsv").read_text().splitlines()
    words = [row.split("\t")[1] for row in rows]
    np.random.default_rng(1).shuffle(words)  # labels that nothing can be learnt of
    cells = [row.split("\t") for row in rows]
    shuffled = ["\t".join([path, word, *rest]) for (path, _, *rest), word in zip(cells, words, strict=True)]
    (hums.parent / "m.tsv").write_text("\n".join([head, *shuffled]) + "\n")
    result = run(hums, ["model.n_components=12"], console=quiet())
    hints = result.metrics["hints"]
    assert 1 <= len(hints) <= 3
    told = next(hint for hint in hints if "the models fit what they saw" in hint)
    found = re.match(r"(\d+) % of 36 training items are right and (\d+) % of the test's", told)
    assert found is not None
    assert int(found[2]) == round(100 * result.metrics["accuracy"]["value"])
    assert int(found[1]) >= int(found[2]) + 10
    print_result(result)
    out = capsys.readouterr().out
    assert all(f"  - {hint}\n" in out for hint in hints)
    assert told in html.unescape((result.folder / "report.html").read_text())


@pytest.mark.slow
def test_tuning_says_its_time_tries_what_matters_and_runs_the_best(
    hums: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Run(config=hums, tune=True, overrides=["corpus.split.kind=leave-one-out"]).run()
    out, err = capsys.readouterr()
    assert "tuning: 4 settings, about " in err
    assert err.index("tuning: 4 settings") < err.index("point 1 of 4")
    rows = table(hums.parent / "run-tuning" / "sweep.tsv")
    assert [row["model.n_components"] for row in rows] == ["2", "1", "4", "2"]
    assert [row["model.adapt"] for row in rows] == ["", "", "", "map"]
    command = shlex.split(
        next(line for line in out.splitlines() if "train what was chosen: " in line).partition(": ")[2]
    )
    assert command[:3] == ["speechgmm", "run", str(hums)]
    chosen = [word for before, word in pairwise(command) if before == "--set"]
    best = max(rows, key=lambda row: float(row["inner_accuracy"]))
    assert f"model.n_components={best['model.n_components']}" in chosen
    tuned = hums.parent / "run-tuned"
    assert tuned.exists() == (best is not rows[0])
    if tuned.exists():
        wanted = load_config(hums, chosen).config
        assert make_config(read_run(tuned).config).model == wanted.model
    else:
        assert "the settings of the configuration are the best of these" in out
    with pytest.raises(ConfigError, match=r"by --set parallel\.scheduler=ADDRESS"):
        Run(config=hums, tune=True, scheduler="tcp://127.0.0.1:1").run()


def printed(function, *arguments: object) -> str:
    with redirect_stdout(io.StringIO()) as out:
        function(*arguments)
    return out.getvalue()


@pytest.mark.slow
def test_runs_are_compared_with_the_first_and_sorted_by_their_metric(hums: Path, tmp_path: Path) -> None:
    """A run is never compared with itself, by whatever name it is given."""
    one = run(hums, console=quiet())
    other = run(hums, ["model.n_components=1"], output=hums.parent / "other", console=quiet())
    named = hums.parent / "run"
    (tmp_path / "alias").symlink_to(named)
    found = compare_runs([named, hums.parent / "other", named, tmp_path / "alias"])
    assert len(found) == 2
    assert [row.value for row in found] == sorted((row.value for row in found), reverse=True)
    rows = {row.folder: row for row in found}
    difference = rows[hums.parent / "other"].difference
    assert difference is not None
    assert difference.value == pytest.approx(other.metrics["accuracy"]["value"] - one.metrics["accuracy"]["value"])
    assert rows[named].difference is None
    assert (rows[named].low, rows[named].high) == (one.metrics["accuracy"]["low"], one.metrics["accuracy"]["high"])
    table_of = {form: printed(print_comparison, found, form) for form in TableFormat}
    entries = json.loads(table_of[TableFormat.json])
    assert [entry["run"] for entry in entries] == [str(row.folder) for row in found]
    cells = list(csv.DictReader(table_of[TableFormat.tsv].splitlines(), delimiter="\t"))
    assert [float(row["value"]) for row in cells] == [row.value for row in found]
    assert [row["difference"] == "" for row in cells] == [row.difference is None for row in found]
    assert table_of[TableFormat.markdown].splitlines()[1].replace(" ", "") == "|---|---|---|---|---|---|"
    for form in (TableFormat.text, TableFormat.markdown):
        assert f"{100 * difference.value:+.2f}" in table_of[form]
        assert "baseline" in table_of[form]
    with pytest.raises(ConfigError, match="two runs or more"):
        compare_runs([named])
    with pytest.raises(ConfigError, match="is named 2 times"):
        compare_runs([named, tmp_path / "alias"])
    listed = {row.folder.name: row for row in list_runs(hums.parent)}
    assert set(listed) == {"run", "other"}  # no models of folds, and each folder once
    assert dict(listed["other"].settings) == {"model.n_components": 1}
    assert dict(listed["run"].settings) == {"model.n_components": 2}
    assert listed["run"].metric is not None
    assert listed["run"].metric.value == one.metrics["accuracy"]["value"]
    (hums.parent / "other" / "metrics.json").write_text("{")
    shown = printed(print_runs, list_runs(hums.parent), TableFormat.text)
    assert "a file of this run cannot be read" in shown
    assert f"{100 * one.metrics['accuracy']['value']:.2f}" in shown
    assert json.loads(printed(print_runs, list_runs(hums.parent), TableFormat.json))[1]["metric"] == "accuracy"
    with pytest.raises(ConfigError, match="no run in it"):
        list_runs(named / "folds" / "s0")
    (named / "folds" / "s0" / "sweep.tsv").touch()
    with pytest.raises(ConfigError, match=r"sweeps have their table in sweep.tsv \(s0\)"):
        list_runs(named / "folds" / "s0")
    run(hums, ["corpus.split={kind: fraction, test: 0.5}"], output=hums.parent / "fraction", console=quiet())
    with pytest.raises(DataError, match="tested on different items"):
        compare_runs([hums.parent / "run", hums.parent / "fraction"])


def segment_rows(hums: Path) -> None:
    """Cut every recording into two segments, at a place of its own."""
    lines = (hums.parent / "m.tsv").read_text().splitlines()
    rows = ["path\tstart\tend\tword\tspeaker"]
    for number, line in enumerate(lines[1:]):
        path, word, speaker = line.split("\t")
        cut = 0.15 + 0.01 * (number % 10)
        rows += [f"{path}\t0\t{cut:.2f}\t{word}\t{speaker}", f"{path}\t{cut:.2f}\t0.4\t{word}\t{speaker}"]
    (hums.parent / "m.tsv").write_text("\n".join(rows) + "\n")


SEGMENTS = ["model={}", "segments={frame_components: 2, third_components: 1, weight_folds: 2, third_splice: 1}"]


@pytest.mark.slow
def test_segment_models_run_save_and_score_as_the_folds_did(hums: Path, capsys: pytest.CaptureFixture[str]) -> None:
    segment_rows(hums)
    result = run(hums, [*SEGMENTS, "augment.warps=[0.95]"], console=quiet())
    rows = table(hums.parent / "run" / "scores.tsv")
    assert len(rows) == 96
    posteriors = np.exp([[float(row[f"log_posterior:{word}"]) for word in ("ba", "da", "ga", "ma")] for row in rows])
    np.testing.assert_allclose(posteriors.sum(axis=1), 1, atol=1e-4)
    assert result.metrics["accuracy"]["value"] > 0.5
    print_result(result)
    assert "accuracy" in capsys.readouterr().out
    # The fold's file, read back, gives the fold's posteriors for the same stretch of the recording.
    file = read_segment_models(hums.parent / "run" / "folds" / "s0" / "models.safetensors")
    row = next(row for row in rows if row["id"] == "s0-ba-0:0.000-0.150")
    (((_, scored),),) = ([*score_recordings(file, [hums.parent / "s0-ba-0.wav"], window=0.15)],)
    assert not isinstance(scored, DataError)
    wanted = [float(row[f"log_posterior:{word}"]) for word in file.models.labels]
    np.testing.assert_allclose(scored[0].mean_log_likelihoods, wanted, atol=1e-4)
    with pytest.raises(ModelFileError, match="models of segments, or of whole sounds, not models of classes"):
        read_model_file(hums.parent / "run" / "models.safetensors")
    assert "segment models of 4 classes" in inspect(hums.parent / "run")


@pytest.mark.slow
def test_a_segment_model_scores_the_segments_that_are_named_and_no_whole_recording(
    hums: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    segment_rows(hums)
    run(hums, SEGMENTS, console=quiet())
    model, audio = hums.parent / "run" / "folds" / "s0", hums.parent / "s0-ba-0.wav"
    with pytest.raises(ConfigError, match=r"a recording is not one segment: .* a table .* or a TextGrid") as caught:
        ScoreSegments(model=model, audio=[audio]).run()
    assert caught.value.arguments == ("segments", "window")
    wanted = {row["id"]: row for row in table(hums.parent / "run" / "scores.tsv") if row["id"].startswith("s0-ba-0:")}
    tiers = {"words": [TimedLabel("x", 0, 0.4)], "word": [TimedLabel("?", 0, 0.15), TimedLabel("?", 0.15, 0.4)]}
    write_textgrid(hums.parent / "grids" / "s0-ba-0.TextGrid", tiers, 0.4)
    (hums.parent / "times.tsv").write_text(
        "path\tstart\tend\ns0-ba-0.wav\t0\t0.15\nother.wav\t0\t1\ns0-ba-0.wav\t0.15\t0.42\n"
    )
    options = {"model": model, "form": "jsonl", "top": 4}
    grids = hums.parent / "grids"
    for times in (hums.parent / "times.tsv", grids, grids / "s0-ba-0.TextGrid"):
        with warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always")
            assert ScoreSegments(audio=[audio], segments=times, **options).run() == 0
        cut = [str(one.message) for one in said if one.category is RecordingWarning]
        assert ["1 segment ends after the recording" in text for text in cut] == [True] * (times.suffix == ".tsv")
        rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
        assert len(rows) == 8
        for row in rows:
            name = f"s0-ba-0:{row['start']:.3f}-{row['end']:.3f}"
            log_posterior = float(wanted[name][f"log_posterior:{row['label']}"])
            assert row["posterior"] == pytest.approx(np.exp(log_posterior), abs=1e-4)
    assert ScoreSegments(model=model, audio=[audio], segments=grids).run() == 0
    assert capsys.readouterr().out.splitlines()[1].split()[-2:] == ["margin", "nats"]  # of log posteriors
    (hums.parent / "times.tsv").write_text("path\tstart\tend\ns0-ba-0.wav\t0\t4\n")
    assert ScoreSegments(audio=[audio], segments=hums.parent / "times.tsv", **options).run() == 1
    assert "times.tsv, line 2: ends at 4 s, past the end of s0-ba-0.wav (0.400 s)" in capsys.readouterr().err
    other = hums.parent / "s0-ba-1.wav"
    assert ScoreSegments(audio=[other], segments=hums.parent / "times.tsv", **options).run() == 1
    assert "has no segment of it" in capsys.readouterr().err
    with pytest.raises(ConfigError, match="--window: of no use beside --segments"):
        ScoreSegments(audio=[audio], segments=grids, window=1.0, **options).run()


@pytest.mark.slow
def test_scores_of_segments_say_that_they_are_log_posteriors_and_older_folders_are_read_alike(hums: Path) -> None:
    segment_rows(hums)
    new, old = hums.parent / "run", hums.parent / "old"
    run(hums, SEGMENTS, console=quiet())
    rows = [line.split("\t") for line in (new / "scores.tsv").read_text().splitlines()]
    rows[1][3] = "da"  # an error, so that the report has one to show
    text = "\n".join("\t".join(row) for row in rows) + "\n"
    (new / "scores.tsv").write_text(text)
    shutil.copytree(new, old)
    assert rows[1][2] == "ba"
    assert rows[0][5:] == [f"log_posterior:{word}" for word in ("ba", "da", "ga", "ma")]
    (old / "scores.tsv").write_text(text.replace("log_posterior:", ""))  # as earlier versions wrote it
    read, older = (read_run(folder).decisions for folder in (new, old))
    assert read is not None
    assert older is not None
    assert read.labels == older.labels == ("ba", "da", "ga", "ma")
    assert read.unit == older.unit == "nats"
    np.testing.assert_array_equal(read.scores, older.scores)
    assert "off by (nats)" in write_report(new, hums.parent / "page.html").read_text()
    for folder in (new, old):
        assert evaluate_file(folder).metrics["accuracy"] == evaluate_file(new).metrics["accuracy"]
    assert {row.metric for row in compare_runs([new, old])} == {"accuracy"}


@pytest.mark.slow
def test_segments_of_one_length_train_without_their_durations_and_it_is_said(
    hums: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    segment_rows(hums)
    rows = [line.split("\t") for line in (hums.parent / "m.tsv").read_text().splitlines()]
    rows = [rows[0], *([*row[:1], *("0 0.2" if row[1] == "0" else "0.2 0.4").split(), *row[3:]] for row in rows[1:])]
    (hums.parent / "m.tsv").write_text("\n".join("\t".join(row) for row in rows) + "\n")
    said = "the segments of each class all have the same duration: the stream vector leaves out the log duration"
    for folder in ("first", "from the cache"):
        run(hums, SEGMENTS, output=hums.parent / folder, console=quiet())
        assert capsys.readouterr().err.count(said) == 1
    file = read_segment_models(hums.parent / "first" / "models.safetensors")
    assert len(file.models.streams) == 4


@pytest.mark.slow
def test_segment_models_are_the_same_for_any_number_of_workers_and_come_from_the_cache(
    hums: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    segment_rows(hums)
    found = set()
    for n_jobs in (1, 2):
        folder = hums.parent / f"run-{n_jobs}"
        overrides = [*SEGMENTS, f"parallel.n_jobs={n_jobs}", f"cache={folder}-cache"]
        run(hums, overrides, output=folder, console=quiet(), until="train")
        found.add(tuple(path.read_bytes() for path in sorted(folder.rglob("models.safetensors"))))
    assert len(found) == 1
    monkeypatch.setattr(
        "speechgmm.tasks.segments.training.train_segment_models", lambda *_, **__: pytest.fail("trained twice")
    )
    run(hums, overrides, output=hums.parent / "again", console=quiet())


def test_segments_refuse_what_would_have_no_effect(hums: Path) -> None:
    for override in (
        "features.vad=peak",
        "model.n_components=3",
        "task=verification",
        "features.transform={kind: lda}",
    ):
        with pytest.raises(ConfigError):
            run(hums, ["model={}", "segments={}", override], console=quiet())


@pytest.mark.slow
def test_segments_of_a_speaker_are_normalised_together_and_new_recordings_each_by_itself(
    hums: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    segment_rows(hums)
    manifest = hums.parent / "m.tsv"
    manifest.write_text(manifest.read_text().replace("\t0.4\tba", "\t0.4\tga"))  # a recording of two words
    overrides = [*SEGMENTS, "features.cmvn=speaker"]
    job = prepare(hums, overrides, console=quiet())
    divided = divide(job, extract(job), job.folds[0])
    for split in ("train", "test"):
        pairs = divided.of_split(split)
        for speaker in {u.label("speaker") for u, _ in pairs}:
            whole = {u.path: whole_recording(piece) for u, piece in pairs if u.label("speaker") == speaker}
            pooled = moments(np.concatenate([piece.load() for piece in whole.values()]))
            np.testing.assert_allclose(pooled.means, 0, atol=1e-4)
    result = run(hums, overrides, console=quiet())
    rows = table(hums.parent / "run" / "scores.tsv")
    frames = np.array([int(row["n_frames"]) for row in rows])
    right = np.array([row["true"] == row["predicted"] for row in rows])
    found = result.metrics["frame_accuracy"]
    assert found["value"] == pytest.approx((frames * right).sum() / frames.sum())
    assert (found["n"], found["n_groups"]) == (frames.sum(), result.metrics["accuracy"]["n_groups"])
    print_result(result)
    assert "frame accuracy" in capsys.readouterr().out
    (hums.parent / "times.tsv").write_text("path\tstart\tend\ns0-ba-0.wav\t0\t0.15\n")
    audio, times = hums.parent / "s0-ba-0.wav", hums.parent / "times.tsv"
    assert ScoreSegments(model=hums.parent / "run", audio=[audio], segments=times).run() == 0
    assert "normalisation by speaker: each recording counts as a speaker by itself" in capsys.readouterr().err


@pytest.mark.slow
def test_the_share_of_frames_is_of_segments_alone(hums: Path) -> None:
    """Whole recordings have no frame accuracy, nor have segments of one label each."""
    assert "frame_accuracy" not in run(hums, console=quiet()).metrics


@pytest.mark.slow
def test_a_transform_is_learnt_from_each_training_part_and_stored_with_the_models(hums: Path) -> None:
    run(hums, ["features.transform={kind: lda, dim: 3, splice: 1}"], console=quiet())
    rows = table(hums.parent / "run" / "scores.tsv")
    found = {}
    for fold in ("s0", "s1"):
        file = read_model_file(hums.parent / "run" / "folds" / fold / "models.safetensors")
        assert file.audio is not None
        assert file.audio.transform is not None
        assert file.audio.transform.matrix.shape == (3, 39)
        found[fold] = file.audio.transform.matrix
        row = next(row for row in rows if row["fold"] == fold)
        (((_, scored),),) = ([*score_recordings(file, [hums.parent / f"{row['id']}.wav"])],)
        assert not isinstance(scored, DataError)
        wanted = [float(row[label]) for label in file.models.labels]
        np.testing.assert_allclose(scored[0].mean_log_likelihoods, wanted, atol=1e-5, rtol=1e-5)
    assert not np.allclose(found["s0"], found["s1"])


def test_segments_of_a_recording_are_transformed_with_their_neighbours(hums: Path) -> None:
    """Frames of two halves, one after the other, are those of the whole: splicing sees over the boundary."""
    overrides = ["corpus.split={kind: kfold, folds: 3}", "features.transform={kind: lda, dim: 2, splice: 2}"]
    segment_rows(hums)
    job = prepare(hums, overrides, console=quiet())
    features = extract(job)
    halves = np.concatenate([piece.load() for piece in features.pieces[:2]])
    first = features.pieces[0]
    whole = dataclasses.replace(first, first=0, stop=first.n_frames).load()
    np.testing.assert_allclose(halves, whole[: len(halves)], atol=1e-5)


@pytest.mark.slow
def test_copies_are_trained_on_and_never_tested(hums: Path) -> None:
    plain = run(hums, console=quiet())
    augmented = run(hums, ["augment={warps: [0.9], speeds: [1.1]}"], output=hums.parent / "more", console=quiet())
    assert augmented.metrics["n_test"] == plain.metrics["n_test"] == 48
    assert len(table(hums.parent / "more" / "scores.tsv")) == 48
    assert augmented.trained is not None
    frames = [[int(row["n_frames"]) for row in table(hums.parent / name / "classes.tsv")] for name in ("run", "more")]
    for one, more in zip(*frames, strict=True):
        # Twice by the warp, and once again at 1.1 times the speed.
        assert 2.85 * one < more < 2.95 * one


def test_a_copy_is_what_its_settings_say(hums: Path) -> None:
    job = prepare(hums, ["augment={warps: [0.9], speeds: [1.25]}"], console=quiet())
    features = extract(job)
    warped, faster = features.copies
    path = features.corpus.utterances[0].path
    samples, rate = soundfile.read(path, dtype="float32")
    np.testing.assert_allclose(warped[0].load(), sg.extract(sg.FeatureSpec(warp=0.9), samples, rate), atol=1e-4)  # type: ignore[union-attr]
    quick = soxr.resample(samples, 10000, 8000, quality="HQ").astype(np.float32)
    np.testing.assert_allclose(faster[0].load(), sg.extract(sg.FeatureSpec(), quick, rate), atol=1e-4)  # type: ignore[union-attr]
    for wrong in ("{warps: [1]}", "{speeds: [0]}", "{warps: [0.9, 0.9]}"):
        with pytest.raises(ConfigError, match="augment"):
            prepare(hums, [f"augment={wrong}"], console=quiet())


def halves(hums: Path) -> None:
    """Every recording cut in two; the first half trains, the second is tested."""
    lines = (hums.parent / "m.tsv").read_text().splitlines()
    rows = ["path\tstart\tend\tsplit\tword\tspeaker"]
    for line in lines[1:]:
        path, word, speaker = line.split("\t")
        rows += [f"{path}\t0\t0.2\ttrain\t{word}\t{speaker}", f"{path}\t0.2\t0.4\ttest\t{word}\t{speaker}"]
    (hums.parent / "m.tsv").write_text("\n".join(rows) + "\n")


def test_global_normalisation_never_sees_the_tested_part_of_a_recording(hums: Path) -> None:
    halves(hums)
    overrides = ["corpus.split=column", "corpus.group=null", "features.cmvn=global"]
    first = extract(prepare(hums, overrides, console=quiet())).audio.normalisation
    for path in hums.parent.glob("*.wav"):
        samples, rate = soundfile.read(path, dtype="float32")
        samples[len(samples) // 2 + 400 :] *= 0.1
        soundfile.write(path, samples, rate)
    second = extract(prepare(hums, overrides, console=quiet())).audio.normalisation
    assert first is not None
    assert second is not None
    np.testing.assert_allclose(first.shift, second.shift, atol=1e-3)
    np.testing.assert_allclose(first.scale, second.scale, rtol=1e-3)


def test_normalisation_by_speaker_keeps_training_and_test_apart(hums: Path) -> None:
    overrides = ["features.cmvn=speaker", "corpus.split={kind: leave-one-out, by: take, disjoint: false}"]
    lines = (hums.parent / "m.tsv").read_text().splitlines()
    rows = [f"{line}\t{line.split('.')[0][-1]}" for line in lines[1:]]
    (hums.parent / "m.tsv").write_text("\n".join([lines[0] + "\ttake", *rows]))
    job = prepare(hums, overrides, console=quiet())
    divided = divide(job, extract(job), job.folds[0])
    for speaker in ("s0", "s1"):
        for split in ("train", "test"):
            own = [piece for u, piece in divided.of_split(split) if u.label("speaker") == speaker]
            pooled = moments(np.concatenate([piece.load() for piece in own]))
            np.testing.assert_allclose(pooled.means, 0, atol=1e-4)
    for refused in (["corpus.label=speaker"], VERIFY):
        with pytest.raises(ConfigError, match="normalises a test recording by who its speaker is"):
            prepare(hums, ["features.cmvn=speaker", *refused], console=quiet())


@pytest.mark.slow
def test_a_sweep_of_segment_models_is_of_segment_models(hums: Path) -> None:
    segment_rows(hums)
    grid = grid_points(["segments={streams: [frames], weight_folds: 2},{streams: [duration], weight_folds: 2}"])
    found = sweep(hums, grid, ["model={}"], output=hums.parent / "sweep", console=quiet())
    alone = run(hums, ["model={}", "segments={streams: [duration], weight_folds: 2}"], console=quiet())
    assert found.points[1].test == pytest.approx(alone.metrics["accuracy"]["value"])
    assert found.points[0].test > found.points[1].test + 0.1


@pytest.mark.slow
def test_a_sweep_refuses_points_that_are_not_tested_alike_and_folders_of_runs(hums: Path) -> None:
    kfold = ["corpus.split={kind: kfold, folds: 3}", "corpus.group=null"]
    for grid in ("seed=0,1", "corpus.split.folds=2,3", "corpus.label=word,speaker"):
        with pytest.raises(ConfigError, match="tested on the same items in the same folds"):
            sweep(hums, grid_points([grid]), kfold, output=hums.parent / "sweep", console=quiet())
    run(hums, console=quiet())
    with pytest.raises(ConfigError, match="is the folder of a run"):
        sweep(hums, grid_points(["seed=0,1"]), output=hums.parent / "run", console=quiet())


@pytest.mark.slow
def test_a_sweeps_folder_belongs_to_its_points(hums: Path) -> None:
    sweep(hums, grid_points(["model.n_components=1,2"]), output=hums.parent / "sweep", console=quiet())
    sweep(hums, grid_points(["model.n_components=1,2"]), output=hums.parent / "sweep", console=quiet())
    with pytest.raises(ConfigError, match="belongs to another sweep"):
        sweep(hums, grid_points(["model.n_components=1,3"]), output=hums.parent / "sweep", console=quiet())
    with pytest.raises(ConfigError, match=r"a setting given beside the file: unknown key 'model.n_componets'"):
        sweep(hums, grid_points(["model.n_componets=1,3"]), output=hums.parent / "other", console=quiet())


@pytest.mark.slow
def test_the_folder_of_a_sweep_from_before_a_key_was_added_is_gone_on_with(hums: Path) -> None:
    points, folder = grid_points(["model.n_components=1,2"]), hums.parent / "sweep"
    sweep(hums, points, output=folder, console=quiet())
    written = (folder / "sweep.yaml").read_text()
    earlier = yaml.safe_load(written)
    del earlier["first"]["model"]["overrelaxed"], earlier["first"]["corpus"]["channel"], earlier["first"]["diarization"]
    (folder / "sweep.yaml").write_text(yaml.safe_dump(earlier))
    sweep(hums, points, output=folder, console=quiet())
    assert (folder / "sweep.yaml").read_text() == written
    earlier["first"]["model"]["max_iter"] = 3
    (folder / "sweep.yaml").write_text(yaml.safe_dump(earlier))
    with pytest.raises(ConfigError, match=r"another sweep \(model.max_iter: 3 there, 4 here\); see sweep.yaml"):
        sweep(hums, points, output=folder, console=quiet())
    (folder / "sweep.yaml").write_text(written.replace("channel: mix", "channel: 1"))
    with pytest.raises(ConfigError, match=r"another sweep \(corpus.channel: 1 there, 'mix' here\)"):
        sweep(hums, points, output=folder, console=quiet())
    for text in ("[]", "points: 3", "first: 3"):
        (folder / "sweep.yaml").write_text(text)
        with pytest.raises(ConfigError, match="belongs to another sweep"):
            sweep(hums, points, output=folder, console=quiet())
    (folder / "sweep.yaml").write_text(written.replace("max_iter: 4", "max_itre: 4"))
    with pytest.raises(ConfigError, match=r"sweep.yaml: not a configuration of this version"):
        sweep(hums, points, output=folder, console=quiet())


def test_a_folder_of_another_version_is_refused_by_the_key_that_is_unknown(config_file: Path) -> None:
    with pytest.raises(
        ConfigError, match=r"old/config\.yaml: not a configuration of this version \(unknown key 'seeds'\)"
    ):
        other_settings({"seeds": 1}, load_config(config_file), Path("old/config.yaml"))


def test_a_sweep_needs_every_class_in_two_inner_folds(hums: Path) -> None:
    with (hums.parent / "m.tsv").open("a") as file:
        for take in range(2):
            soundfile.write(hums.parent / f"rare-{take}.wav", hum(take, 700.0), 8000)
            file.write(f"rare-{take}.wav\trare\ts{take}\n")
    overrides = ["corpus.split={kind: kfold, folds: 2}", "corpus.group=null"]
    with pytest.raises(DataError, match="is left of rare"):
        sweep(hums, grid_points(["model.n_components=1,2"]), overrides, output=hums.parent / "sweep", console=quiet())


@pytest.mark.slow
def test_a_table_of_trials_is_swept_as_it_is_run(hums: Path) -> None:
    rows = [
        ("s0", "s0-ba-0"),
        ("s1", "s0-ba-0"),
        ("s2", "s3-ma-1"),
        ("s3", "s3-ma-1"),
        ("s1", "s1-da-2"),
        ("s2", "s1-da-2"),
    ]
    (hums.parent / "t.tsv").write_text("model\ttest\n" + "".join("\t".join(row) + "\n" for row in rows))
    overrides = [*VERIFY, f"trials={hums.parent / 't.tsv'}"]
    found = sweep(hums, grid_points(["model.relevance=1,16"]), overrides, output=hums.parent / "sweep", console=quiet())
    assert len(table(hums.parent / "sweep" / "scores.tsv")) == 6
    assert found.evaluation is not None
    # Without the column target, the labels of the corpus say what is true.
    assert {row["target"] for row in table(hums.parent / "sweep" / "scores.tsv")} == {"target", "nontarget"}
    (hums.parent / "t.tsv").write_text("model\ttest\ttarget\ns0\ts0-ba-0\tnontarget\ns1\ts0-ba-0\tnontarget\n")
    with pytest.raises(DataError, match="is given as nontarget, but the corpus says that the test is of 's0'"):
        run(hums, overrides, console=quiet())


@pytest.mark.slow
def test_runs_with_other_truths_are_not_compared(hums: Path) -> None:
    base = ["corpus.group=null", "corpus.split={kind: fraction, test: 0.5}"]
    run(hums, base, console=quiet())
    text = (
        (hums.parent / "m.tsv")
        .read_text()
        .replace("\tba\t", "\tX\t")
        .replace("\tda\t", "\tba\t")
        .replace("\tX\t", "\tda\t")
    )
    (hums.parent / "m.tsv").write_text(text)
    run(hums, base, output=hums.parent / "other", console=quiet())
    with pytest.raises(DataError, match=r"other labels for the same items|tested on different items"):
        compare_runs([hums.parent / "run", hums.parent / "other"])


@pytest.mark.slow
def test_enrolment_makes_the_copies_that_the_other_classes_had(hums: Path) -> None:
    overrides = ["corpus.label=speaker", "corpus.group=null", "corpus.split={kind: fraction, test: 0.1}"]
    run(hums, [*overrides, "augment={warps: [0.9], speeds: [1.1]}"], console=quiet())
    file = read_model_file(hums.parent / "run" / "models.safetensors")
    assert file.recipe is not None
    assert file.recipe.copies == (Copy(warp=0.9), Copy(speed=1.1))
    paths = sorted(hums.parent.glob("s1-*.wav"))
    _, made = enrol(file, "new", paths)
    plain = sum(len(sg.extract(sg.FeatureSpec(), *soundfile.read(path, dtype="float32"))) for path in paths)
    assert 2.85 * plain < made.n_frames < 2.95 * plain


@pytest.mark.slow
def test_a_runs_own_model_is_not_enrolled_into(
    hums: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run(
        hums, ["corpus.label=speaker", "corpus.group=null", "corpus.split={kind: fraction, test: 0.1}"], console=quiet()
    )
    path = hums.parent / "s1-ba-0.wav"
    with pytest.raises(ConfigError, match="belongs to a run"):
        Enrol(model=hums.parent / "run", audio=[path], label="new").run()
    Enrol(model=hums.parent / "run", audio=[path], label="new", out=hums.parent / "new.safetensors").run()
    assert "5 classes" in capsys.readouterr().out
    assert read_model_file(hums.parent / "new.safetensors").models.labels[-1] == "new"


def test_a_fold_that_skipping_leaves_without_a_class_is_named(hums: Path) -> None:
    """ma is said by s0 and s1 alone; without s1's recordings the fold of s0 has no ma to train on."""
    lines = (hums.parent / "m.tsv").read_text().splitlines()
    kept = [line for line in lines if not ("\tma\t" in line and ("\ts2" in line or "\ts3" in line))]
    (hums.parent / "m.tsv").write_text("\n".join(kept))
    for path in hums.parent.glob("s1-ma-*.wav"):
        path.write_bytes(b"")
    with pytest.raises(DataError, match="fold s0: after skipping, no training recording is left of: ma"):
        run(hums, ["corpus.on_error=skip"], console=quiet())


@pytest.fixture
def voices(tmp_path: Path) -> Path:
    """A manifest of ten voices: four enrolled and tested, two strangers tested, and four of the cohort."""
    rows = ["path\tspeaker\tsex\tsplit"]
    for speaker in range(10):
        for take in range(4):
            path = f"v{speaker}-{take}.wav"
            samples = hum(100 * speaker + take, 90 * 1.12**speaker * (1 + 0.01 * take), seconds=0.4)
            soundfile.write(tmp_path / path, samples, 8000)
            split = "cohort" if speaker >= 6 else "train" if take < 2 and speaker < 4 else "test"
            rows.append(f"{path}\tv{speaker}\t{'mf'[speaker % 2]}\t{split}")
    (tmp_path / "m.tsv").write_text("\n".join(rows) + "\n")
    path = tmp_path / "voices.yaml"
    path.write_text(
        "task: verification\ncorpus: {path: m.tsv, label: speaker, sample_rate: 8000}\n"
        "model: {adapt: map, relevance: 4, init: split, ubm: {n_components: 8, max_iter: 20}}\nparallel: {n_jobs: 1}\n"
        f"cache: cache\noutput: {tmp_path / 'run'}\n"
    )
    return path


def scored(config: Path, *overrides: str) -> dict[tuple[str, str], dict[str, str]]:
    """Rows of scores.tsv by model and test."""
    folder = config.parent / f"run-{len(list(config.parent.glob('run-*')))}"
    run(config, overrides, output=folder, console=quiet())
    return {(row["model"], row["test"]): row for row in table(folder / "scores.tsv")}


@pytest.mark.slow
def test_normalised_scores_are_the_norms_of_raw_ones_in_run_and_verify(voices: Path) -> None:
    """The obvious way: every model and every recording one by one, through the numbers that the table shows."""
    features = extract(prepare(voices, console=quiet()))
    frames = {utterance.id: [piece.load()] for utterance, piece in zip(features.corpus, features.pieces, strict=True)}
    recordings = [utterance for utterance in features.corpus if utterance.split == "cohort"]
    for norm in ("z", "t", "zt", "s", "as"):
        found = scored(voices, f"scoring.normalise={norm}", *(["scoring.cohort_top=3"] if norm == "as" else []))
        means = [] if norm == "z" else ["cohort_mean"]
        assert list(next(iter(found.values()))) == ["model", "test", "raw", "score", *means, "n_frames", "target"]
        assert len(found) == 4 * 16
        file = read_model_file(max(voices.parent.glob("run-*")) / "models.safetensors")
        assert file.models.cohort is not None
        labels = file.models.cohort.labels
        assert f"claims are normalised ({norm}) by a cohort" in inspect(max(voices.parent.glob("run-*")))
        assert labels == (() if norm == "z" else ("v6", "v7", "v8", "v9"))
        by_cohort = np.hstack([file.models.raw_scores(frames[u.id]) for u in recordings])  # models and cohort's models
        top = 3 if norm == "as" else 99
        for (model, test), row in list(found.items())[::7]:
            raw = file.models.raw_scores(frames[test])[:, 0]
            m, others = file.models.labels.index(model), raw[4:]
            assert float(row["raw"]) == pytest.approx(raw[m], abs=1e-5)
            assert norm == "z" or float(row["cohort_mean"]) == pytest.approx(others.mean(), abs=1e-5)
            if norm == "zt":
                strangers = np.array([[u.labels["speaker"] != who for u in recordings] for who in labels])  # type: ignore[index]
                of_others = [scores[chosen] for scores, chosen in zip(by_cohort[4:], strangers, strict=True)]
                others = [standard(one, scores) for one, scores in zip(others, of_others, strict=True)]
            z = standard(raw[m], np.sort(by_cohort[m])[-top:])
            t = z if norm == "z" else standard(z if norm == "zt" else raw[m], np.sort(others)[-top:])
            wanted = {"z": z, "t": t, "zt": t}.get(norm, (z + t) / 2)
            assert float(row["score"]) == pytest.approx(wanted, rel=5e-5, abs=2e-4)
            ((_, judged),) = judge_recordings(file, [voices.parent / f"{test}.wav"], model)
            assert not isinstance(judged, DataError)
            assert judged.score == pytest.approx(wanted, rel=5e-5, abs=2e-4)


def standard(score: float, cohort: list[float] | np.ndarray) -> float:
    return float((score - np.mean(cohort)) / np.std(cohort, ddof=1))


@pytest.mark.slow
def test_a_calibration_by_the_cohorts_means_is_the_same_map_in_run_file_verify_score_and_for_the_enrolled(
    voices: Path,
) -> None:
    found = scored(voices, "scoring.normalise=t", "calibration={method: logistic, quality: cohort}")
    columns = ["model", "test", "raw", "score", "cohort_mean", "llr", "n_frames", "target"]
    assert list(next(iter(found.values()))) == columns
    folder = max(voices.parent.glob("run-*"))
    file = read_model_file(folder / "models.safetensors")
    assert file.calibration is not None
    assert file.calibration.quality == "cohort"
    assert "in the score and the cohort's mean score" in inspect(folder)
    inputs = np.array([[float(row["score"]), float(row["cohort_mean"])] for row in found.values()])
    truth = np.array([row["target"] == "target" for row in found.values()])
    expected = fit_logistic(inputs, truth)
    np.testing.assert_allclose(file.calibration.map.apply(inputs), expected.apply(inputs), atol=5e-3)
    path = voices.parent / "v1-2.wav"
    frames = next(iter(score_recordings(file, [path])))[1]
    assert not isinstance(frames, DataError)
    for number, model in enumerate(file.models.labels):
        row = found[model, "v1-2"]
        ((_, judged),) = judge_recordings(file, [path], model)
        assert not isinstance(judged, DataError)
        wanted = file.calibration.map.apply([[float(row["score"]), float(row["cohort_mean"])]])[0]
        assert judged.llr == pytest.approx(wanted, abs=1e-3)
        assert frames[0].llrs is not None
        assert frames[0].llrs[number] == pytest.approx(judged.llr, abs=1e-4)
    larger, _ = enrol(file, "v4", sorted(voices.parent.glob("v4-*.wav")))
    ((_, judged),) = judge_recordings(larger, [voices.parent / "v4-0.wav"], "v4")
    assert not isinstance(judged, DataError)
    assert judged.llr is not None
    # Ratios of more than the score may order trials otherwise: all metrics are of the ratios.
    metrics = json.loads((folder / "metrics.json").read_text())
    trials = rank_trials(np.array([float(row["llr"]) for row in found.values()]), truth)
    assert metrics["eer"]["value"] == pytest.approx(eer(trials), abs=1e-9)
    assert metrics["cllr_min"]["value"] == pytest.approx(cllr_min(trials), abs=1e-4)
    assert metrics["cllr_min"]["value"] <= metrics["cllr"]["value"]
    # The score file says as much as the run knew.
    fused = fuse_files([folder], quality=True)
    assert len(fused.map.weights) == 2
    np.testing.assert_allclose(fused.map.apply(inputs), expected.apply(inputs), atol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("method", ["llr", "cosine"])
@pytest.mark.parametrize("norm", ["z", "t", "zt", "s", "as"])
def test_a_class_enrolled_later_is_normalised_as_if_it_had_been_there_from_the_start(
    voices: Path, norm: str, method: str
) -> None:
    """With a background model of its own split, on which the class enrolled has no bearing."""
    manifest = voices.parent / "m.tsv"
    text = manifest.read_text().replace("v5\tf\ttest", "v5\tf\tubm")
    overrides = [f"scoring.normalise={norm}", f"scoring.method={method}"]
    overrides += ["scoring.cohort_top=3"] if norm == "as" else []
    manifest.write_text(text)
    scored(voices, *overrides)
    file = read_model_file(max(voices.parent.glob("run-*")) / "models.safetensors")
    enrolment = [voices.parent / f"v4-{take}.wav" for take in (0, 1)]
    larger, _ = enrol(file, "v4", enrolment)
    in_two, _ = update_class(enrol(file, "v4", enrolment[:1])[0], "v4", enrolment[1:])
    for take in (0, 1):
        text = text.replace(f"v4-{take}.wav\tv4\tm\ttest", f"v4-{take}.wav\tv4\tm\ttrain")
    manifest.write_text(text)
    scored(voices, *overrides)
    there = read_model_file(max(voices.parent.glob("run-*")) / "models.safetensors")
    assert larger.models.labels == there.models.labels
    tests = sorted(voices.parent.glob("v[0-4]-3.wav"))
    for claim in ("v0", "v4"):
        scores = [
            [judged.score for _, judged in judge_recordings(model, tests, claim)]  # type: ignore[union-attr]
            for model in (larger, there, in_two)
        ]
        np.testing.assert_allclose(scores[0], scores[1], atol=1e-4)
        np.testing.assert_allclose(scores[0], scores[2], atol=1e-4)
    # What an older version wrote, or a cohort too large to be kept, is refused.
    if norm != "t":
        assert file.recipe is not None
        without = replace(file, recipe=replace(file.recipe, recordings=()))
        with pytest.raises(ConfigError, match=rf"normalises scores \({norm}\).*their frames are not in the file"):
            enrol(without, "v4", enrolment)


@pytest.mark.slow
def test_no_class_has_the_name_of_what_is_no_class(voices: Path) -> None:
    scored(voices, "calibration.method=logistic", "calibration.n_folds=4")
    file = read_model_file(max(voices.parent.glob("run-*")) / "models.safetensors")
    with pytest.raises(ConfigError, match="label unknown: that is what this model says of a recording"):
        enrol(file, "unknown", [voices.parent / "v4-0.wav"])
    manifest = voices.parent / "m.tsv"
    manifest.write_text(manifest.read_text().replace("\tv1\t", "\tunknown\t"))
    with pytest.raises(ConfigError, match="a class of 'speaker' is named 'unknown'"):
        scored(voices, "calibration.method=logistic")
    scored(voices)  # where nothing is calibrated, the name is as good as any


@pytest.mark.slow
def test_the_frames_of_a_large_cohort_are_not_kept_and_that_is_said(
    voices: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("speechgmm.tasks.verification.cohort.HELD_AT_MOST", 1000)
    run(voices, ["scoring.normalise=z"], console=Console())
    assert "are not kept in the model file" in capsys.readouterr().err
    file = read_model_file(voices.parent / "run" / "models.safetensors")
    assert file.recipe is not None
    assert file.recipe.recordings == ()


@pytest.mark.slow
def test_linear_scores_come_from_run_and_verify_alike(voices: Path) -> None:
    found = scored(voices, "scoring.method=linear")
    assert found != scored(voices)
    file = read_model_file(voices.parent / "run-0" / "models.safetensors")
    assert file.models.method == "linear"
    assert "to first order in the means" in inspect(voices.parent / "run-0" / "models.safetensors")
    for (model, test), row in list(found.items())[::9]:
        ((_, judged),) = judge_recordings(file, [voices.parent / f"{test}.wav"], model)
        assert not isinstance(judged, DataError)
        assert judged.score == pytest.approx(float(row["score"]), abs=1e-5)


@pytest.mark.slow
def test_cosines_come_from_run_and_verify_alike_and_need_speakers_with_several_recordings(voices: Path) -> None:
    for overrides in (["model.relevance=2"], ["scoring.compensation=nap", "scoring.compensation_directions=3"]):
        found = scored(voices, "scoring.method=cosine", *overrides)
        folder = max(voices.parent.glob("run-*"))
        assert all(-1 <= float(row["score"]) <= 1 for row in found.values())
        file = read_model_file(folder / "models.safetensors")
        assert "claims are scored by cosines of supervectors" in inspect(folder)
        for (model, test), row in list(found.items())[::9]:
            ((_, judged),) = judge_recordings(file, [voices.parent / f"{test}.wav"], model)
            assert not isinstance(judged, DataError)
            assert judged.score == pytest.approx(float(row["score"]), abs=1e-5)
    manifest = voices.parent / "m.tsv"
    lines = manifest.read_text().splitlines(keepends=True)
    manifest.write_text("".join(one for one in lines if "test" in one or "-0.wav" in one or one.startswith("path")))
    with pytest.raises(DataError, match="none in the splits ubm, cohort and train has two"):
        scored(voices, "scoring.method=cosine")
    assert scored(voices, "scoring.method=cosine", "scoring.compensation=none")


@pytest.mark.slow
def test_trials_within_a_column_are_those_that_agree_in_it(voices: Path) -> None:
    every, same = scored(voices), scored(voices, "scoring.trials_within=[sex]")
    kept = {key: row for key, row in every.items() if int(key[0][1]) % 2 == int(key[1][1]) % 2}
    assert same == kept
    assert len(kept) == len(every) / 2
    with pytest.raises(DataError, match=r"no 'age'; the utterance has sex, speaker"):
        scored(voices, "scoring.trials_within=[age]")


@pytest.mark.parametrize(
    ("change", "overrides", "error"),
    [
        (
            ("v9\tf\tcohort", "v0\tm\tcohort"),
            ["t"],
            r"speaker 'v0': train \(.*, cohort \(.*claimed or tested|1 of the coh",
        ),
        (("v9\tf\tcohort", "v5\tf\tcohort"), ["z"], r"1 of the cohort .* are claimed or tested too(.|\n)*speaker 'v5'"),
        (("\tcohort", "\ttest"), ["s"], "needs a cohort, and no utterance is in the split 'cohort'"),
        (("\tcohort", "\tubm"), ["s"], "or set scoring.cohort: ubm"),
        ((), ["as"], "needs a cohort of 50 values of 'speaker'.*the split 'cohort' has 4; set scoring.cohort_top"),
        ((), ["as", "scoring.cohort_top=5"], "set scoring.cohort_top to at most 4"),
    ],
)
def test_cohorts_that_cannot_do_are_refused_before_anything_is_trained(
    voices: Path, change: tuple[str, ...], overrides: list[str], error: str
) -> None:
    path = voices.parent / "m.tsv"
    path.write_text(path.read_text().replace(*change) if change else path.read_text())
    with pytest.raises(DataError, match=error):
        prepare(voices, [f"scoring.normalise={overrides[0]}", *overrides[1:]], console=quiet())


@pytest.mark.slow
def test_the_background_speakers_may_be_the_cohort(voices: Path) -> None:
    path = voices.parent / "m.tsv"
    path.write_text(path.read_text().replace("\tcohort", "\tubm"))
    assert len(scored(voices, "scoring.normalise=s", "scoring.cohort=ubm")) == 64


def test_a_model_is_made_of_all_recordings_of_its_label(voices: Path) -> None:
    job = prepare(voices, console=quiet())
    features = extract(job)
    models = train(job, features).models
    own = [piece.load() for utterance, piece in features.of_split("train") if utterance.label("speaker") == "v2"]
    assert len(own) == 2
    assert models.ubm is not None
    wanted = sg.adapt_map(models.ubm, np.concatenate(own), relevance=4).model
    np.testing.assert_allclose(models.models[models.labels.index("v2")].means, wanted.means, rtol=1e-6)


@pytest.mark.slow
def test_trials_that_share_a_recording_with_enrolment_are_named(
    voices: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = (voices.parent / "m.tsv").read_text().splitlines()
    lines = [line + ("\t0\t0.4" if n else "\tstart\tend") for n, line in enumerate(lines)]
    lines[1] = lines[1].replace("0.4", "0.2")
    lines.insert(2, lines[1].replace("\ttrain\t0\t0.2", "\ttest\t0.2\t0.4"))
    (voices.parent / "m.tsv").write_text("\n".join(lines) + "\n")
    run(voices, console=Console())
    text = " ".join(capsys.readouterr().err.split())
    assert "1 of 68 trials test a part of a recording whose other part enrolled the model" in text
    assert "model 'v0', test 'v0-0:0.200-0.400'" in text


CALIBRATED = [*VERIFY, "calibration={method: logistic}", "decision={prior: 0.5}"]


@pytest.mark.slow
def test_a_sweep_and_comparing_say_the_eer_that_a_calibrated_run_says(hums: Path) -> None:
    grid = grid_points(["model.relevance=1,16"])
    found = sweep(hums, grid, CALIBRATED, output=hums.parent / "sweep", console=quiet())
    folders = [hums.parent / "one", hums.parent / "sixteen"]
    for point, folder, value in zip(found.points, folders, (1, 16), strict=True):
        alone = run(hums, [*CALIBRATED, f"model.relevance={value}"], output=folder, console=quiet())
        error = alone.metrics["eer"]["value"]
        trials = read_run(folder).claims
        assert trials is not None
        assert eer(trials.trials) == pytest.approx(error, abs=1e-6)
        assert trials.calibrated is not None
        assert eer(trials.calibrated) != pytest.approx(error, abs=1e-6), (
            "ratios by folds order trials otherwise than scores"
        )
        assert -point.test == pytest.approx(error)
        copied = shutil.copytree(folder, folder.with_name(f"{folder.name}-copy"))
        assert [row.value for row in compare_runs([folder, copied])] == pytest.approx([error, error])


@pytest.mark.slow
@pytest.mark.parametrize("method", ["logistic", "pav"])
def test_a_calibrated_run_has_ratios_in_its_scores_figures_of_them_and_the_map_in_its_model(
    hums: Path, method: str, capsys: pytest.CaptureFixture[str]
) -> None:
    result = run(hums, [*CALIBRATED, f"calibration.method={method}"], console=quiet())
    folder = hums.parent / "run"
    rows = table(folder / "scores.tsv")
    assert list(rows[0]) == ["model", "test", "fold", "score", "llr", "n_frames", "target"]
    metrics = result.metrics
    assert metrics["cllr"]["value"] >= metrics["cllr_min"]["value"] - 0.3  # each fold has a map of its own
    assert metrics["act_dcf"]["p_target"] == metrics["min_dcf"]["p_target"] == 0.5
    assert metrics["open_set_identified"]["n"] == metrics["open_set_false_alarm"]["n"] == 48
    assert "left out" in metrics["open_set_false_alarm"]["strangers"]
    assert "the models given" in metrics["open_set_false_alarm"]["interval"]
    of_test: dict[tuple[str, str], list[tuple[float, bool]]] = {}
    for row in rows:
        of_test.setdefault((row["fold"], row["test"]), []).append((float(row["llr"]), row["target"] == "target"))
    accepted = [max(llr for llr, own in found if not own) >= 0 for found in of_test.values()]
    assert metrics["open_set_false_alarm"]["value"] == pytest.approx(np.mean(accepted))
    right = [max(found)[0] >= 0 and max(found)[1] for found in of_test.values()]
    assert metrics["open_set_identified"]["value"] == pytest.approx(np.mean(right))
    # Any score file's figures are those of the run.
    evaluated = evaluate_file(folder).metrics  # at the run's own prior
    assert evaluated == evaluate_file(folder, decision=DecisionSpec(prior=0.5)).metrics
    assert evaluate_file(folder, decision=DecisionSpec()).metrics["act_dcf"]["p_target"] == 0.01
    assert set(evaluated) == {"eer", "eer_staircase", "min_dcf", "cllr_min", "cllr", "act_dcf"}
    for name, metric in evaluated.items():
        for bound in ("value", "low", "high"):
            # PAV gives many trials one ratio, some of them 0: what the table rounds moves a trial of 48 at the most.
            tolerance = 1 / 48 if method == "pav" else 1e-4
            assert metric[bound] == pytest.approx(metrics[name][bound], abs=tolerance)
    calibration = read_model_file(folder / "models.safetensors").calibration
    assert calibration is not None
    assert calibration.threshold == 0
    assert (calibration.n_targets, calibration.n_nontargets) == (48, 144)
    truth = np.array([row["target"] == "target" for row in rows])
    fit = fit_pav if method == "pav" else fit_logistic
    scores = np.array([float(row["score"]) for row in rows])
    np.testing.assert_allclose(calibration.map.apply(scores), fit(scores, truth).apply(scores), atol=1e-2)
    print_result(result)
    assert "open set identified" in capsys.readouterr().out
    assert "calibrated" in inspect(folder)
    before = (folder / "models.safetensors").read_bytes()
    run(hums, [*CALIBRATED, f"calibration.method={method}"], console=quiet())
    assert (folder / "models.safetensors").read_bytes() == before


@pytest.mark.slow
def test_verify_and_score_decide_by_the_calibrated_ratio_and_say_so(
    hums: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run(hums, CALIBRATED, console=quiet())
    file = read_model_file(hums.parent / "run" / "models.safetensors")
    assert file.calibration is not None
    path = hums.parent / "s1-ba-0.wav"
    ((_, judged),) = judge_recordings(file, [path], "s1")
    assert not isinstance(judged, DataError)
    assert judged.llr == pytest.approx(file.calibration.map.apply([judged.score])[0])
    Verify(model=hums.parent / "run", audio=[path], claim="s1", threshold=None, form="jsonl").run()
    out, err = capsys.readouterr()
    found = json.loads(out)
    assert found["llr"] == pytest.approx(judged.llr, abs=1e-5)
    assert found["decision"] == ("accept" if judged.llr >= 0 else "reject")
    assert "calibrated natural-log likelihood ratios" in err
    assert "prior 0.5" in err
    for threshold, decision in ((judged.llr + 1, "reject"), (judged.llr - 1, "accept")):
        Verify(model=hums.parent / "run", audio=[path], claim="s1", threshold=threshold, form="jsonl").run()
        assert json.loads(capsys.readouterr().out)["decision"] == decision
    soundfile.write(hums.parent / "long.wav", 0.1 * np.random.default_rng(0).standard_normal(24000), 8000)
    paths = [path, hums.parent / "long.wav"]
    ScoreClaims(model=hums.parent / "run", audio=paths, form="jsonl", top=1).run()
    out, err = capsys.readouterr()
    for found in map(json.loads, out.splitlines()):
        assert found["decision"] == (found["label"] if found["llr"] >= 0 else "unknown")
    assert "1 ratios are of recordings much shorter or longer" in err
    run(hums, [*CALIBRATED, "decision.prior=1.0e-9"], output=hums.parent / "strict", console=quiet())
    for form in ("table", "tsv"):
        ScoreClaims(model=hums.parent / "strict", audio=paths, form=form, top=2).run()
        assert "unknown" in capsys.readouterr().out
    with pytest.raises(ConfigError, match="threshold nan"):
        Verify(model=hums.parent / "run", audio=[path], claim="s1", threshold=np.nan, form="table").run()
    run(hums, VERIFY, output=hums.parent / "raw", console=quiet())
    Verify(model=hums.parent / "raw", audio=[path], claim="s1", threshold=None, form="table").run()
    out, err = capsys.readouterr()
    assert "nats per frame" in out
    assert "not calibrated" in err


@pytest.mark.slow
def test_verify_ends_with_status_3_where_a_claim_is_rejected_if_it_is_asked_to(
    hums: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(hums, VERIFY, console=quiet())
    path = hums.parent / "s1-ba-0.wav"
    for threshold, more, status in (("99", [], 0), ("99", ["--exit-status"], 3), ("-99", ["--exit-status"], 0)):
        arguments = ["verify", hums.parent / "run", path, "--claim", "s1", "--threshold", threshold, *more]
        monkeypatch.setattr(sys, "argv", ["speechgmm", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        assert int(ended.value.code or 0) == status


@pytest.mark.slow
def test_a_claim_whose_score_or_ratio_is_nan_is_an_error_and_no_decision(
    hums: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run(hums, CALIBRATED, console=quiet())
    path, folder = hums.parent / "s1-ba-0.wav", hums.parent / "run"
    plain, llrs = ClaimModels.claim_scores, Calibration.llrs

    def without_a_number(self: ClaimModels, recordings: list[np.ndarray]) -> ClaimScores:
        return replace(plain(self, recordings), scores=plain(self, recordings).scores * np.nan)

    for target, name, broken in (
        (ClaimModels, "claim_scores", without_a_number),
        (Calibration, "llrs", lambda self, scores, means=None: llrs(self, scores, means) * np.nan),
    ):
        with monkeypatch.context() as patch:
            patch.setattr(target, name, broken)
            assert Verify(model=folder, audio=[path], claim="s1", form="jsonl", quiet=True).run() == 1
            assert ScoreClaims(model=folder, audio=[path], form="jsonl", top=1).run() == 1
        out, err = capsys.readouterr()
        assert out == ""
        assert err.count("s1-ba-0.wav: the score of class") == 2
        assert err.count("is NaN, and nothing is decided by it") == 2


@pytest.mark.slow
def test_calibration_by_dev_is_trained_on_dev_alone_and_strangers_are_tested(hums: Path) -> None:
    lines = (hums.parent / "m.tsv").read_text().splitlines()
    sides = ["split"]
    for line in lines[1:]:
        take, who = int(line.split(".")[0][-1]), line[-2:]
        sides.append("test" if who == "s3" or take == 2 else "dev" if take == 1 else "train")
    (hums.parent / "m.tsv").write_text("\n".join(f"{line}\t{side}" for line, side in zip(lines, sides, strict=True)))
    base = [setting for setting in CALIBRATED if not setting.startswith("corpus.split")]
    base += ["corpus.split={kind: column, disjoint: false}", "calibration={method: logistic, by: dev}"]
    result = run(hums, base, console=quiet())
    file = read_model_file(hums.parent / "run" / "models.safetensors")
    assert file.calibration is not None
    assert (file.calibration.n_targets, file.calibration.n_nontargets) == (12, 24)
    rows = table(hums.parent / "run" / "scores.tsv")
    llrs = file.calibration.map.apply([float(row["score"]) for row in rows])
    np.testing.assert_allclose(llrs, [float(row["llr"]) for row in rows], atol=1e-4)
    assert result.metrics["open_set_identified"]["n"] == 12
    assert result.metrics["open_set_false_alarm"]["n"] == 12
    assert result.metrics["open_set_false_alarm"]["strangers"] == "tests of classes without a model"
    with pytest.raises(ConfigError, match="needs recordings in the split 'dev', and a split into folds has none"):
        run(hums, [*CALIBRATED, "calibration.by=dev"], output=hums.parent / "folds", console=quiet())


@pytest.mark.slow
def test_a_sweep_calibrates_what_it_chose_and_refuses_to_choose_by_calibration(hums: Path) -> None:
    points = grid_points(["model.relevance=1,16"])
    found = sweep(hums, points, CALIBRATED, output=hums.parent / "sweep", console=quiet())
    assert found.evaluation is not None
    assert {"cllr", "act_dcf", "open_set_identified"} <= set(found.evaluation.metrics)
    assert "llr" in table(hums.parent / "sweep" / "scores.tsv")[0]
    for grid, message in (
        ("calibration.n_folds=4,5", "cannot be swept"),
        ("decision.prior=0.1,0.2", "cannot be swept"),
    ):
        with pytest.raises(ConfigError, match=message):
            sweep(hums, grid_points([grid]), CALIBRATED, output=hums.parent / "other", console=quiet())


def test_a_balanced_background_model_does_not_hang_on_how_much_speech_of_each_value_there_is(voices: Path) -> None:
    """Every recording of one sex three times over: the same model when balanced, another one when not."""

    def ubm(*overrides: str) -> sg.DiagGMM:
        model = ["model.init=kmeans++", "model.ubm={n_components: 2}"]
        job = prepare(voices, [*model, *overrides, "cache=" + str(voices.parent / "c")], console=quiet())
        found = train(job, extract(job)).models.ubm
        assert found is not None
        return found

    path = voices.parent / "m.tsv"
    lines = path.read_text().replace("\tcohort", "\tubm").splitlines()
    more = []
    for line in lines[1:]:
        if "\tm\tubm" in line:
            for n in (1, 2):
                name = line.split("\t")[0]
                (voices.parent / f"again{n}-{name}").write_bytes((voices.parent / name).read_bytes())
                more.append(f"again{n}-{line}")
    means = {}
    for copies in ([], more):
        path.write_text("\n".join([*lines, *copies]) + "\n")
        for balance in ("null", "sex"):
            means[len(copies), balance] = ubm(f"model.ubm.balance={balance}").means
    np.testing.assert_allclose(means[0, "sex"], means[len(more), "sex"], rtol=2e-3, atol=2e-3)
    assert np.abs(means[0, "null"] - means[len(more), "null"]).max() > 0.1
    with pytest.raises(DataError, match="no 'age'"):
        ubm("model.ubm.balance=age")


def test_a_background_model_is_the_same_whoever_is_enrolled(voices: Path) -> None:
    """Other enrolled speakers, of other variances: the same bytes of the background model, which is not trained again.

    A speaker who stays enrolled keeps the same model too: the floor of adapted classes is the background's.
    """
    path = voices.parent / "m.tsv"
    lines = path.read_text().replace("\tcohort", "\tubm").splitlines()
    path.write_text("\n".join(lines) + "\n")
    trained = ("model.variance_floor=0.5", "model.adapt_parameters=[means, variances]", f"cache={voices.parent / 'c'}")
    cached = voices.parent / "c" / "models"

    def enrolled(*speakers: str) -> sg.ClassModels:
        kept = [line for line in lines if "\ttrain" not in line or line.split("\t")[1] in speakers]
        path.write_text("\n".join(kept) + "\n")
        job = prepare(voices, trained, console=quiet())
        return train(job, extract(job)).models

    one = enrolled("v0", "v1")
    known = {file.name: file.stat().st_mtime_ns for file in cached.iterdir()}
    assert len(known) == 3
    other = enrolled("v1", "v2", "v3")
    assert one.ubm is not None
    assert other.ubm is not None
    for part in ("weights", "means", "variances"):
        assert getattr(one.ubm, part).tobytes() == getattr(other.ubm, part).tobytes()
        assert getattr(one.models[1], part).tobytes() == getattr(other.models[0], part).tobytes()
    new = {file.name for file in cached.iterdir()} - known.keys()
    assert len(new) == 2  # v2 and v3: the background model and v1 were there
    assert all((cached / name).stat().st_mtime_ns == time for name, time in known.items())
    background = [piece.load() for _, piece in extract(prepare(voices, trained, console=quiet())).of_split("ubm")]
    floor = 0.5 * np.concatenate(background).astype(np.float64).var(axis=0)
    for model in (other.ubm, *other.models):
        assert (model.variances >= floor * (1 - 1e-9)).all()
    assert np.isclose(other.ubm.variances, floor).any()  # it binds


@pytest.mark.slow
def test_relevance_of_the_means_alone_is_a_setting(voices: Path) -> None:
    assert scored(voices, "model.mean_relevance=4") == scored(voices)
    assert scored(voices, "model.mean_relevance=40") != scored(voices)


@pytest.mark.slow
def test_a_cohorts_norm_is_the_same_bytes_for_any_number_of_workers(voices: Path) -> None:
    found = set()
    for n_jobs, backend in ((1, "threads"), (2, "threads"), (2, "processes")):
        folder = voices.parent / f"{n_jobs}-{backend}"
        overrides = ["scoring.normalise=zt", f"parallel.n_jobs={n_jobs}", f"parallel.backend={backend}"]
        run(voices, [*overrides, f"cache={folder}-cache"], output=folder, console=quiet())
        found.add(((folder / "models.safetensors").read_bytes(), (folder / "scores.tsv").read_bytes()))
    assert len(found) == 1


@pytest.mark.slow
def test_cohorts_and_trials_are_made_in_every_fold_alike(voices: Path) -> None:
    """Background splits stay what they are when the rest is divided."""
    job = prepare(voices, ["corpus.split={kind: kfold, folds: 2}", "scoring.normalise=s"], console=quiet())
    for fold in job.folds:
        divided = fold.apply(job.corpus)
        assert {u.label("speaker") for u in divided.split("cohort")} == {"v6", "v7", "v8", "v9"}
        assert not {u.label("speaker") for u in divided.split("test")} & {"v6", "v7", "v8", "v9"}
    rows = scored(voices, "corpus.split={kind: kfold, folds: 2}", "scoring.normalise=s")
    assert len(rows) == 6 * 24
    assert "raw" in next(iter(rows.values()))
