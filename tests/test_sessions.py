"""Sessions of speakers: trials across them, figures for both kinds of test, and what is said of one session."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
import soundfile
from conftest import hum

import speechgmm as sg
from speechgmm.cli.checks import check_and_print
from speechgmm.config import load_config
from speechgmm.engine.console import Console
from speechgmm.errors import ConfigError, DataError
from speechgmm.evaluation import eer, rank_trials


@pytest.fixture(scope="module")
def days(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Five speakers on two days each, the first enrolled; one more speaker is tested alone."""
    folder = tmp_path_factory.mktemp("days")
    rows = ["path\tspeaker\tday\tsplit"]
    for speaker in range(6):
        for take in range(6):
            path, day = f"v{speaker}-{take}.wav", "1" if take < 3 else "2"
            pitch = 90 * 1.1**speaker * (1 + 0.01 * take) * (1 if day == "1" else 1.06)
            soundfile.write(folder / path, hum(100 * speaker + take, pitch, seconds=0.3), 8000)
            rows.append(f"{path}\tv{speaker}\t{day}\t{'train' if take < 2 and speaker < 5 else 'test'}")
    (folder / "m.tsv").write_text("\n".join(rows) + "\n")
    (folder / "c.yaml").write_text(
        "task: verification\ncorpus: {path: m.tsv, label: speaker, session: day, sample_rate: 8000}\n"
        "model: {adapt: map, relevance: 4, init: split, ubm: {n_components: 4, max_iter: 10}}\n"
        "parallel: {n_jobs: 1}\ncache: cache\n"
    )
    return folder


def scored(folder: Path, name: str, *overrides: str) -> tuple[list[dict[str, str]], dict]:
    sg.run(folder / "c.yaml", list(overrides), output=folder / name, console=Console(quiet=True))
    with (folder / name / "scores.tsv").open(newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    return rows, json.loads((folder / name / "metrics.json").read_text())


def take_of(row: dict[str, str]) -> int:
    return int(row["test"].split("-")[1])


@pytest.mark.slow
def test_trials_across_sessions_are_all_but_those_of_a_session_that_enrolled_the_model(days: Path) -> None:
    every, _ = scored(days, "every")
    across, metrics = scored(days, "across", "scoring.trials_across=session")
    assert across == [row for row in every if row["target"] == "nontarget" or take_of(row) >= 3]
    assert len(across) == len(every) - 5  # take 2 of each speaker
    assert list(metrics["sessions"]) == ["other_session"]
    assert metrics["identification_rate"]["n"] == 15  # of tests with a target trial, all of whose models were met


@pytest.mark.slow
def test_figures_of_each_kind_of_test_are_of_its_trials_and_those_of_strangers(days: Path) -> None:
    rows, metrics = scored(days, "kinds")
    for name, takes in (("enrolment_session", (2,)), ("other_session", (3, 4, 5))):
        own = [row for row in rows if take_of(row) in takes or row["test"].startswith("v5")]
        trials = rank_trials([float(row["score"]) for row in own], [row["target"] == "target" for row in own])
        assert metrics["sessions"][name]["eer"]["value"] == pytest.approx(eer(trials), abs=1e-9)
        assert metrics["sessions"][name]["eer"]["n"] == len(own)
    known = [row for row in rows if not row["test"].startswith("v5")]
    right = []
    for test in dict.fromkeys(row["test"] for row in known):
        own = [row for row in known if row["test"] == test]
        right.append(own[int(np.argmax([float(row["score"]) for row in own]))]["target"] == "target")
    assert metrics["identification_rate"]["value"] == pytest.approx(np.mean(right))
    page = (days / "kinds" / "report.html").read_text()
    assert "tests of the other session" in page


@pytest.mark.slow
def test_a_run_of_one_session_says_so_beside_its_eer(days: Path) -> None:
    text = (days / "m.tsv").read_text()
    (days / "one.tsv").write_text("".join(line for line in text.splitlines(True) if "\t2\t" not in line))
    _, metrics = scored(days, "one", f"corpus.path={days}/one.tsv")
    assert "20 or more make it firm; every target trial is of the session that enrolled" in metrics["eer"]["note"]
    assert "every target trial is of the session" in (days / "one" / "report.html").read_text()
    assert "every target trial" not in scored(days, "two")[1]["eer"].get("note", "")


def test_trials_of_a_table_that_are_not_across_sessions_are_named(days: Path) -> None:
    (days / "trials.tsv").write_text("model\ttest\nv0\tv0-2\nv0\tv0-3\nv1\tv0-2\n")
    with pytest.raises(DataError, match=r"1 of 3 trials .*\n.*model 'v0', test 'v0-2'"):
        scored(days, "table", f"trials={days}/trials.tsv", "scoring.trials_across=session")


def test_check_counts_speakers_of_several_sessions(days: Path, capsys: pytest.CaptureFixture[str]) -> None:
    check_and_print(days / "c.yaml", (), quiet=False)
    assert "corpus.session: 6 of 6 speakers have more than one day" in capsys.readouterr().err


def test_sessions_that_are_not_there_are_named(days: Path) -> None:
    with pytest.raises(ConfigError, match="a session is a part of what a speaker said"):
        load_config(days / "c.yaml", ["corpus.session=speaker"])
    with pytest.raises(ConfigError, match="needs the column of the sessions"):
        load_config(days / "c.yaml", ["corpus.session=null", "scoring.trials_across=session"])
    with pytest.raises(DataError, match=r"corpus\.session: no utterance has a value in 'week'; expected a column"):
        sg.run(days / "c.yaml", ["corpus.session=week"], output=days / "week", console=Console(quiet=True))
    (days / "gap.tsv").write_text((days / "m.tsv").read_text().replace("v2-3.wav\tv2\t2", "v2-3.wav\tv2\t"))
    with pytest.raises(DataError, match=r"1 of 36 utterances have no value in 'day':\n.*gap\.tsv, line 17"):
        sg.run(days / "c.yaml", [f"corpus.path={days}/gap.tsv"], output=days / "gap", console=Console(quiet=True))
    assert not list((days / "gap").glob("*.safetensors"))  # before anything is trained


def test_a_background_of_one_session_each_is_said_where_compensation_learns_from_it(
    days: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    scored(days, "cosine", "scoring.method=cosine")
    assert "every speaker of train has one day, so that what changes from one to another" in capsys.readouterr().err


def test_sessions_that_leave_no_target_trial_are_said(days: Path) -> None:
    text = (days / "m.tsv").read_text().replace("\t2\t", "\t1\t")
    (days / "same.tsv").write_text(text)
    with pytest.raises(DataError, match=r"trials_across: session leaves no target trial: every test of an enrolled"):
        scored(days, "same", f"corpus.path={days}/same.tsv", "scoring.trials_across=session")
