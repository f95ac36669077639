"""``speechgmm cluster``: what it writes, prints and refuses."""

import csv
from pathlib import Path

import numpy as np
import pytest
import soundfile
from conftest import hum
from test_cli import Command

from speechgmm.engine.audio_input import AudioInput
from speechgmm.features import FeatureSpec
from speechgmm.gmm import DiagGMM
from speechgmm.tasks.classification import ClassModels
from speechgmm.tasks.classification.codec import save_models


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    return Command(monkeypatch, capsys)


@pytest.fixture
def hums(tmp_path: Path) -> Path:
    """Three hums, four times each, and a manifest that says which."""
    root = tmp_path / "hums"
    root.mkdir()
    rows = ["path\tpitch"]
    for number, pitch in enumerate((110.0, 170.0, 300.0)):
        for n in range(4):
            soundfile.write(root / f"{number}-{n}.wav", hum(100 * number + n, pitch, seconds=0.8), 8000)
            rows.append(f"{number}-{n}.wav\t{pitch:g}")
    (root / "hums.tsv").write_text("\n".join(rows) + "\n")
    return root


def rows_of(folder: Path) -> list[dict[str, str]]:
    with (folder / "clusters.tsv").open() as file:
        return list(csv.DictReader(file, delimiter="\t"))


@pytest.mark.slow
def test_a_folder_becomes_a_table_a_picture_and_a_summary_with_figures(command: Command, hums: Path) -> None:
    out = hums.parent / "out"
    status, said, about = command(
        "cluster", hums, "--kind", "sounds", "--labels", hums / "hums.tsv", "--label", "pitch", "--out", out
    )
    assert status == 0
    assert "trained on these recordings themselves" in about
    assert "warning" not in about
    assert "12 recordings, 3 clusters" in said
    assert "ARI 1.000" in said
    assert "NMI 1.000 (alone it misleads" in said
    table = rows_of(out)
    assert [row["cluster"] for row in table] == [str(n) for n in range(3) for _ in range(4)]
    assert all(-1 <= float(row["silhouette"]) <= 1 for row in table)
    assert (out / "clusters.png").read_bytes().startswith(b"\x89PNG")
    again = command(
        "cluster", "--labels", hums / "hums.tsv", "--label", "pitch", "--kind", "sounds", "--out", out, "-q"
    )
    assert again[0] == 0
    assert rows_of(out) == table
    assert again[2] == ""


def test_a_model_with_a_background_is_used_and_one_without_is_refused(command: Command, hums: Path) -> None:
    rng = np.random.default_rng(0)
    ubm = DiagGMM(np.full(4, 0.25), rng.normal(0, 10, (4, 13)) + 5, np.full((4, 13), 100.0))
    for name, background in (("with", ubm), ("without", None)):
        models = ClassModels(("a",), (ubm,), np.zeros(1), None, background)
        save_models(models, hums.parent / name, audio=AudioInput(FeatureSpec(), 8000))
    out = hums.parent / "out"
    status, said, about = command(
        "cluster", hums, "--model", hums.parent / "with", "--n-clusters", 3, "--out", out, "--method", "ratio"
    )
    assert status == 0
    assert "4 Gaussians of" in about
    assert "12 recordings, 3 clusters" in said
    status, _, err = command("cluster", hums, "--label", "who", "--out", out)
    assert status == 2
    assert "name the table with --labels" in err
    status, _, err = command("cluster", hums, "--model", hums.parent / "without", "--out", out)
    assert status == 2
    assert "no background model" in err


@pytest.mark.parametrize(("method", "said"), [("cosine", "merged while"), ("spectral", "alike below"), ("bic", "nats")])
def test_where_merging_stops_is_said_of_every_method(
    command: Command, hums: Path, method: str, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("speechgmm.tasks.clustering.command.find_spec", lambda name: None)
    status, _, about = command("cluster", hums, "--method", method, "--kind", "sounds", "--out", hums.parent / "out")
    assert status == 0
    assert said in about


def test_what_cannot_be_clustered_is_named_and_the_rest_is(command: Command, hums: Path) -> None:
    out = hums.parent / "out"
    soundfile.write(hums / "silence.wav", np.zeros(8000), 8000)
    status, said, err = command("cluster", hums, "--kind", "sounds", "--out", out)
    assert status == 1
    assert "silence.wav" in err
    assert "12 recordings, 3 clusters" in said
    status, _, err = command("cluster", hums / "silence.wav", "--out", out)
    assert status == 1
    assert "none of 1 recordings can be used" in err


@pytest.mark.slow
def test_one_recording_copies_and_too_many_clusters_are_explained(command: Command, hums: Path) -> None:
    out = hums.parent / "out"
    one = hums / "0-0.wav"
    status, said, about = command("cluster", one, "--out", out)
    assert "warning: half of the recordings have less than 0.8 s" in about
    assert (status, said.splitlines()[0]) == (0, "1 recording: 1 cluster; there is nothing to compare it with")
    copies = [hums / f"copy{n}.wav" for n in range(3)]
    for copy in copies:
        copy.write_bytes(one.read_bytes())
    status, said, _ = command("cluster", *copies, "--out", out)
    assert status == 0
    assert "3 recordings, 1 cluster\n" in said
    assert "all recordings are alike" in said
    status, _, err = command("cluster", one, hums / "1-0.wav", "--n-clusters", 3, "--out", out)
    assert status == 1
    assert "3 clusters of 2 pieces" in err
    status, _, err = command("cluster", "--out", out)
    assert status == 2
    assert "nothing to cluster" in err
    status, _, err = command("cluster", one, "--n-clusters", 1, "--threshold", 0.5, "--out", out)
    assert status == 2
    assert "one of the two" in err
    status, said, _ = command("cluster", one, hums / "1-0.wav", "--n-clusters", 1, "--out", out)
    assert (status, said.splitlines()[0]) == (0, "2 recordings, 1 cluster")
    assert "as far as the distances tell" not in said


def test_recordings_of_one_name_are_told_apart_by_their_folders(command: Command, hums: Path) -> None:
    (hums / "more").mkdir()
    (hums / "1-0.wav").rename(hums / "more" / "0-0.wav")
    _, said, _ = command("cluster", hums, "--n-clusters", 3, "--kind", "sounds", "--out", hums.parent / "out")
    assert "hums/0-0.wav" in said
    assert "more/0-0.wav" in said
    assert " 0-1.wav" in said


def test_what_would_be_ignored_or_counted_twice_is_refused_before_the_work(command: Command, hums: Path) -> None:
    out = hums.parent / "out"
    for words, arguments in (
        ("0-0.wav: named more than once", (hums, hums / "0-0.wav", "--out", out)),
        ("name the table with --labels", (hums, "--label", "pitch", "--out", out)),
        ("a file; table and picture need a folder", (hums, "--out", hums / "hums.tsv")),
    ):
        status, _, err = command("cluster", *arguments)
        assert status == 2
        assert words in err
    assert not out.exists()


def test_labels_must_be_there_for_every_recording(command: Command, hums: Path) -> None:
    table = hums / "some.tsv"
    table.write_text("path\tpitch\n0-0.wav\t110\n")
    status, _, err = command("cluster", hums, "--labels", table, "--label", "pitch")
    assert status == 1
    assert "no row for 11 of 12 recordings" in err
    table.write_text("path\tpitch\tstart\tend\n0-0.wav\t110\t0\t0.3\n")
    status, _, err = command("cluster", "--labels", table, "--label", "pitch")
    assert status == 2
    assert "a part of a recording" in err


def test_without_matplotlib_there_is_a_table_and_a_word_about_it(
    command: Command, hums: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("speechgmm.tasks.clustering.command.find_spec", lambda name: None)
    out = hums.parent / "out"
    status, _, err = command("cluster", hums, "--out", out)
    assert status == 0
    assert "no picture" in err
    assert rows_of(out)
    assert not (out / "clusters.png").exists()
