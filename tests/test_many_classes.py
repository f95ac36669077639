"""With many classes files grow with the classes and not with their square, and a run says what its page leaves out."""

from pathlib import Path

import numpy as np
import pytest

from speechgmm.engine import run
from speechgmm.engine.console import Console
from speechgmm.engine.run_folder import RunFolder
from speechgmm.plots import confusion as confusion_plot
from speechgmm.plots import training_curves
from speechgmm.report import confusions, parts
from speechgmm.report.parts import Picture, Section, Table
from speechgmm.tasks.classification import evaluation
from speechgmm.tasks.classification.evaluation import Evaluation, confusion_table, per_class_table


def test_the_confusions_of_many_classes_are_kept_as_pairs_and_read_back_as_the_same_matrix(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(0)
    labels = ("predicted_class", "items", "a", "b", "c")
    counts = rng.integers(0, 3, (5, 5)) * (rng.random((5, 5)) < 0.4)
    found = Evaluation({}, labels, counts, {})
    for most, head in ((4, "true_class\tpredicted_class\titems"), (5, "true\tpredicted_class\titems\ta\tb\tc")):
        monkeypatch.setattr(evaluation, "WHOLE_UP_TO", most)
        folder = RunFolder(tmp_path / str(most))
        folder.put({"confusion.tsv": confusion_table(found), "per_class.tsv": per_class_table(found)})
        lines = (folder.folder / "confusion.tsv").read_text().splitlines()
        assert lines[0] == head
        assert folder.confusion is not None
        assert folder.confusion[0] == labels
        assert (folder.confusion[1] == counts).all()
    assert len((tmp_path / "4" / "confusion.tsv").read_text().splitlines()) == 1 + np.count_nonzero(counts)


def test_a_run_says_what_its_page_leaves_out_and_the_page_says_it_too(
    config_file: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(confusion_plot, "DRAWN_UP_TO", 2)
    monkeypatch.setattr(confusions, "DRAWN_UP_TO", 2)
    monkeypatch.setattr(parts, "MOST_ROWS", 2)
    run(config_file, ["report.audio=0"], console=Console())
    folder = config_file.parent / "run"
    picture = "the picture of the confusion matrix, of 3 classes; it is drawn of up to 2"
    rows = "1 of 3 rows of &#39;How each class was trained&#39;"
    said = capsys.readouterr().err
    assert said.count(f"report.html leaves out {picture}") == 1
    assert said.count(f"report.html leaves out {rows.replace('&#39;', chr(39))}") == 1
    page = (folder / "report.html").read_text()
    assert f"This page leaves out {picture}." in page
    assert f"This page leaves out {rows}." in page
    assert not (folder / "confusion.png").exists()


def test_a_page_leaves_out_rows_of_large_tables_alone() -> None:
    small, large = (Table.of(f"{n}", ("a",), [(row,) for row in range(n)]) for n in (1000, 1001))
    picture = Picture("<svg/>", "", large)
    section = Section("s", "S", ("Text.",), (small, large), (picture,)).short()
    assert section.tables[0] == small
    assert section.tables[1].rows == large.rows[:1000]
    assert section.tables[1].caption == "1001; the first 1000 of 1001 rows"
    assert section.pictures[0].table == section.tables[1]
    assert section.left_out == ("1 of 1001 rows of '1001'",) * 2
    assert section.text == ("Text.", *["This page leaves out 1 of 1001 rows of '1001'."] * 2)
    assert Section("s", "S", tables=(small,)).short() == Section("s", "S", tables=(small,))


def test_of_many_training_curves_some_are_drawn_and_those_that_gained_least_and_most_always() -> None:
    axes = training_curves({f"s{n}": [0.0, float(n)] for n in range(1200)})
    ends = [float(line.get_ydata()[-1]) for line in axes.lines]
    assert 400 <= len(ends) <= 503
    assert {0.0, 600.0, 1199.0} <= set(ends)
