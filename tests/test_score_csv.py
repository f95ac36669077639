"""Scores as CSV: every program that reads CSV finds the scores and the truth of the file."""

import csv
import gzip
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from speechgmm.cli import main
from speechgmm.errors import DataError
from speechgmm.io.score_csv import score_csv
from speechgmm.io.score_file import TrialScores, read_scores

names = st.text(st.characters(categories=["L", "N"], include_characters=[",", ";", "'", "-"]), min_size=1, max_size=5)


@settings(max_examples=30)
@given(
    rows=st.lists(
        st.tuples(names, names, st.floats(-1e6, 1e6), st.booleans()),
        min_size=1,
        max_size=8,
        unique_by=lambda row: row[:2],
    )
)
def test_scores_of_trials_come_back_with_their_truth(tmp_path_factory: pytest.TempPathFactory, rows: list[tuple]):
    path = tmp_path_factory.getbasetemp() / "scores.tsv"
    head = "model\ttest\tscore\ttarget\n"
    path.write_text(
        head + "".join(f"{m}\t{t}\t{s!r}\t{'target' if y else 'nontarget'}\n" for m, t, s, y in rows), "utf-8"
    )
    text = score_csv(path)
    back = path.with_suffix(".csv")
    back.write_text(text, "utf-8")
    found = [*csv.DictReader(text.splitlines())]
    assert [(row["model"], row["test"], float(row["score"]), row["label"] == "1") for row in found] == rows
    table = pd.read_csv(back, keep_default_na=False)
    np.testing.assert_array_equal(table["score"], [row[2] for row in rows])
    again = read_scores(back)  # our own reader, too
    assert isinstance(again, TrialScores)
    np.testing.assert_array_equal(again.scores, [row[2] for row in rows])
    np.testing.assert_array_equal(again.is_target, [row[3] for row in rows])


def test_the_truth_is_that_of_a_list_of_trials_where_one_is_given(tmp_path: Path):
    (tmp_path / "scores").write_text("anna a.wav 1.5\nanna b.wav -2\n")
    (tmp_path / "trials").write_text("anna b.wav nontarget\nanna a.wav target\n")
    assert "label" not in score_csv(tmp_path / "scores")
    assert score_csv(tmp_path / "scores", tmp_path / "trials").splitlines() == [
        "trial,model,test,score,label",
        "1,anna,a.wav,1.5,1",
        "2,anna,b.wav,-2.0,0",
    ]
    (tmp_path / "trials").write_text("anna b.wav nontarget\nben a.wav target\n")
    with pytest.raises(DataError, match=r"no trial of model 'anna' and test 'a\.wav'"):
        score_csv(tmp_path / "scores", tmp_path / "trials")


def test_scores_of_recordings_keep_their_columns(tmp_path: Path):
    path = tmp_path / "scores.tsv"
    path.write_text("id\tcondition\tscore\nx, y\tanomaly\t2.5\n")
    assert score_csv(path) == 'id,condition,score\n"x, y",anomaly,2.5\n'


@pytest.mark.parametrize(
    ("row", "named"),
    [("b", "1 cells under a header of 2"), ("b\tfoo", "the score is 'foo'; expected a number"), ("b\tnan", "is 'nan'")],
)
def test_a_row_of_a_recording_that_has_no_score_is_named_and_nothing_is_written(tmp_path: Path, row: str, named: str):
    (tmp_path / "scores.tsv").write_text(f"id\tscore\na\tinf\n{row}\n")
    with pytest.raises(DataError, match=f"scores.tsv, row 2: .*{named}"):
        score_csv(tmp_path / "scores.tsv")


def test_the_command_takes_the_folder_of_a_run_whatever_the_form_of_its_scores(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    rows = b"id\ttrue\tpredicted\tn_frames\ta\tb\nx\tb\tb\t5\t-1.5\t-0.5\n"
    (tmp_path / "scores.tsv.gz").write_bytes(gzip.compress(rows))
    monkeypatch.setattr("sys.argv", ["speechgmm", "export-scores", str(tmp_path), "--out", str(tmp_path / "a.csv")])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 0
    assert (tmp_path / "a.csv").read_text() == "id,true,predicted,n_frames,a,b\nx,b,b,5,-1.5,-0.5\n"


def test_scores_of_classes_have_a_column_for_each_class_and_no_trials(tmp_path: Path):
    path = tmp_path / "scores.tsv"
    path.write_text("id\ttrue\tpredicted\tn_frames\ta, or so\tb\nx\tb\tb\t5\t-1.5\t-0.5\n")
    assert score_csv(path) == 'id,true,predicted,n_frames,"a, or so",b\nx,b,b,5,-1.5,-0.5\n'
    with pytest.raises(DataError, match="scores of classes; expected scores of trials"):
        score_csv(path, path)
