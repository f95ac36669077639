"""Clustering as a task: runs, folds, sweeps, comparisons and reports, on hums that are made in no time."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
import soundfile
from conftest import hum
from test_cli import Command

from speechgmm.cli.experiment_commands import Run
from speechgmm.config import make_config
from speechgmm.engine import run
from speechgmm.engine.comparison import compare_runs
from speechgmm.engine.console import Console
from speechgmm.engine.sweeps import sweep
from speechgmm.errors import ConfigError, DataError, ModelFileError
from speechgmm.evaluation import cluster_figures
from speechgmm.io.model_card import same_models, with_card
from speechgmm.tasks.classification.codec import read_model_file
from speechgmm.tasks.clustering.codec import read_clustering
from speechgmm.tasks.clustering.recordings import cluster_recordings

PITCHES = (90.0, 120.0, 160.0, 210.0, 280.0, 370.0)


def quiet() -> Console:
    return Console(quiet=True)


def table(path: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(path.read_text().splitlines(), delimiter="\t"))


@pytest.fixture
def hums(tmp_path: Path) -> Path:
    """Six pitches by four instruments (levels), each once; every second pitch is tested, the others train."""
    rows = ["path\tpitch\tinstrument\tsplit"]
    for number, pitch in enumerate(PITCHES):
        for instrument in range(4):
            path = f"{number}-{instrument}.wav"
            soundfile.write(tmp_path / path, hum(10 * number + instrument, pitch, seconds=0.8), 8000)
            rows.append(f"{path}\t{pitch:g}\ti{instrument}\t{'test' if number % 2 else 'train'}")
    (tmp_path / "m.tsv").write_text("\n".join(rows) + "\n")
    path = tmp_path / "hums.yaml"
    path.write_text(
        "task: clustering\n"
        "corpus: {path: m.tsv, label: pitch, sample_rate: 8000}\n"
        "model: {adapt: map, ubm: {n_components: 4, max_iter: 5}}\n"
        "clustering: {kind: sounds}\nparallel: {n_jobs: 1}\n"
        f"cache: cache\noutput: {tmp_path / 'run'}\n"
    )
    return path


OWN = ("clustering.background=own", "model={}")


def test_a_run_clusters_the_test_recordings_and_leaves_what_the_contract_says(hums: Path) -> None:
    result = run(hums, console=quiet())
    folder = result.folder
    rows = table(folder / "clusters.tsv")
    assert [row["true"] for row in rows] == [f"{pitch:g}" for pitch in PITCHES[1::2] for _ in range(4)]
    plain = cluster_figures([row["cluster"] for row in rows], [row["true"] for row in rows])
    metrics = json.loads((folder / "metrics.json").read_text())
    for name in ("ari", "nmi", "purity", "coverage"):
        assert metrics[name]["value"] == pytest.approx(getattr(plain, name))
        assert metrics[name]["low"] <= metrics[name]["value"] <= metrics[name]["high"] <= 1
        assert metrics[name]["interval"].endswith("over recordings as independent")
    assert plain.ari > 0.5
    assert (metrics["n_clusters"], metrics["n_classes"]) == (plain.n_clusters, 3)
    assert metrics["clusters_per_class"]["value"] == plain.n_clusters / 3
    assert "low" not in metrics["clusters_per_class"]  # one clustering says nothing of others
    assert metrics["nmi_alone"] == pytest.approx(plain.nmi_alone)
    distances = table(folder / "distances.tsv")
    assert [row["id"] for row in distances] == [row["id"] for row in rows]
    assert [row["class"] for row in table(folder / "classes.tsv")] == ["(background model)"]
    page = (folder / "report.html").read_text()
    assert "Every cluster" in page
    assert "Map of 12 recordings by cluster" in page


@pytest.mark.slow
def test_the_background_model_is_of_the_training_part_and_the_command_clusters_by_it_as_the_run_did(
    hums: Path,
) -> None:
    folder = run(hums, console=quiet()).folder
    model = folder / "models.safetensors"
    rows = table(folder / "clusters.tsv")
    done = cluster_recordings(
        [hums.parent / f"{row['id']}.wav" for row in rows], model=read_clustering(model), kind="sounds"
    )
    assert [str(label) for label in done.found.labels] == [row["cluster"] for row in rows]
    assert [f"{one:.4f}" for one in done.found.sureness] == [row["silhouette"] for row in rows]
    # Without the tested recordings it is the same.
    text = (hums.parent / "m.tsv").read_text().splitlines()
    kept = [line for line in text if not line.endswith("\ttest") or "370" in line]
    (hums.parent / "m.tsv").write_text("\n".join(kept) + "\n")
    other = run(hums, output=hums.parent / "other", console=quiet()).folder
    assert same_models(other / "models.safetensors", with_card(model.read_bytes(), None))
    with pytest.raises(ModelFileError, match="a background model for clustering, not models of classes"):
        read_model_file(model)


@pytest.mark.slow
def test_the_command_goes_by_the_settings_of_the_run_unless_it_is_told(
    hums: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    command = Command(monkeypatch, capsys)
    folder = run(hums, ["clustering.threshold=0.01"], console=quiet()).folder
    rows = table(folder / "clusters.tsv")
    paths = [hums.parent / f"{row['id']}.wav" for row in rows]
    out = hums.parent / "out"
    status, _, about = command("cluster", *paths, "--model", folder, "--out", out)
    assert status == 0
    assert "below 0.01 (cosine distance)" in about
    assert [row["cluster"] for row in table(out / "clusters.tsv")] == [row["cluster"] for row in rows]
    for options, said in (
        (("--threshold", 0.5), "below 0.5"),
        (("--method", "ratio", "--kind", "speakers"), "below -0.6"),
    ):
        status, _, about = command("cluster", *paths, "--model", folder, "--out", out, *options)
        assert status == 0
        assert said in about
    status, said, _ = command("inspect", folder / "models.safetensors")
    assert status == 0
    assert "4 Gaussians of 13 features" in said
    assert "recordings are clustered by cosine, as sounds" in said


@pytest.mark.slow
@pytest.mark.parametrize("method", ["cosine", "spectral", "bic"])
def test_workers_change_no_byte(hums: Path, method: str) -> None:
    folders = [
        run(
            hums,
            [f"clustering.method={method}", f"parallel.n_jobs={n}", f"cache={hums.parent / f'cache{n}'}"],
            output=hums.parent / f"{method}{n}",
            console=quiet(),
        ).folder
        for n in (1, 2)
    ]
    for name in ("models.safetensors", "clusters.tsv", "distances.tsv", "classes.tsv"):
        assert (folders[0] / name).read_bytes() == (folders[1] / name).read_bytes()


@pytest.mark.slow
def test_without_a_training_part_all_recordings_are_clustered_under_a_model_of_their_own(hums: Path) -> None:
    lines = [line.rsplit("\t", 1)[0] for line in (hums.parent / "m.tsv").read_text().splitlines()]
    (hums.parent / "m.tsv").write_text("\n".join(lines) + "\n")
    folder = run(hums, OWN, console=quiet()).folder
    rows = table(folder / "clusters.tsv")
    assert len(rows) == 24
    paths = [hums.parent / f"{row['id']}.wav" for row in rows]
    file = read_clustering(folder / "models.safetensors")
    given = cluster_recordings(paths, model=file, kind="sounds", threshold=0.82)
    assert [str(label) for label in given.found.labels] == [row["cluster"] for row in rows]
    assert not (folder / "classes.tsv").exists()
    with pytest.raises(DataError, match="24 of 24 utterances have no split"):
        run(hums, output=hums.parent / "other", console=quiet())


def test_a_recording_that_cannot_be_used_may_be_skipped_where_nothing_is_trained(hums: Path) -> None:
    (hums.parent / "0-0.wav").write_bytes(b"no audio")
    lines = [line.rsplit("\t", 1)[0] for line in (hums.parent / "m.tsv").read_text().splitlines()]
    (hums.parent / "m.tsv").write_text("\n".join(lines) + "\n")
    folder = run(hums, [*OWN, "corpus.on_error=skip"], console=quiet()).folder
    assert len(table(folder / "clusters.tsv")) == 23
    assert [row["id"] for row in table(folder / "rejected.tsv")] == ["0-0"]


@pytest.mark.slow
@pytest.mark.parametrize("command", ["score", "update", "enrol", "diarize"])
def test_commands_of_other_tasks_refuse_the_model_by_name(
    hums: Path, command: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    model, recording = run(hums, console=quiet()).folder / "models.safetensors", hums.parent / "0-0.wav"
    words = {
        "score": (model, recording),
        "update": (model, recording, "--label", "a", "--out", hums.parent / "new.safetensors"),
        "enrol": (model, recording, "--label", "a", "--out", hums.parent / "new.safetensors"),
        "diarize": (recording, "--model", model),
    }
    status, _, err = Command(monkeypatch, capsys)(command, *words[command])
    assert status != 0
    assert "a background model for clustering, not" in err
    assert "`speechgmm cluster` is for it" in err


@pytest.mark.slow
def test_each_fold_is_clustered_by_itself_and_groups_stay_on_one_side(hums: Path) -> None:
    folds = ["corpus.split=kfold", "corpus.split.folds=3", "corpus.group=pitch", "clustering.threshold=0.01"]
    result = run(hums, folds, console=quiet())
    rows = table(result.folder / "clusters.tsv")
    by_fold: dict[str, list[dict[str, str]]] = {}
    for row in rows:
        by_fold.setdefault(row["fold"], []).append(row)
    pitches = [{row["true"] for row in own} for own in by_fold.values()]
    assert len(rows) == 24
    assert sum(map(len, pitches)) == 6  # the label is the group: no pitch in two folds
    for fold, own in by_fold.items():
        plain = cluster_figures([row["cluster"] for row in own], [row["true"] for row in own])
        assert result.metrics["folds"][fold]["ari"]["value"] == pytest.approx(plain.ari)
    assert result.metrics["ari"]["interval"].endswith("over groups")
    assert result.metrics["ari"]["n_groups"] == 6
    assert "low" in result.metrics["clusters_per_class"]
    assert (result.folder / "folds" / "1" / "models.safetensors").exists()


@pytest.mark.slow
def test_what_differs_within_a_class_is_learnt_from_the_training_part_and_kept(hums: Path) -> None:
    plain = run(hums, output=hums.parent / "plain", console=quiet()).folder
    folder = run(hums, ["clustering.within=true", "clustering.threshold=0.86"], console=quiet()).folder
    file = read_clustering(folder / "models.safetensors")
    assert file.within is not None
    assert file.spec.within
    assert (folder / "distances.tsv").read_text() != (plain / "distances.tsv").read_text()
    rows = table(folder / "clusters.tsv")
    paths = [hums.parent / f"{row['id']}.wav" for row in rows]
    done = cluster_recordings(paths, model=file, kind="sounds", threshold=0.86)
    assert [str(label) for label in done.found.labels] == [row["cluster"] for row in rows]


def test_a_sweep_chooses_by_inner_clusterings_and_a_higher_index_is_better(hums: Path) -> None:
    points = [{"clustering.threshold": value} for value in (1.9, 0.82)]
    found = sweep(hums, points, console=quiet())
    assert found.metric == "ari"
    inner = [point.inner[""] for point in found.points]
    assert inner[0] == pytest.approx(0.0)  # one cluster of all
    assert inner[1] > 0.5
    assert found.chosen == {"": int(np.argmax(inner))} == {"": 1}
    rows = table(found.folder / "sweep.tsv")
    assert [float(row["inner_ari"]) for row in rows] == pytest.approx(inner, abs=1e-4)
    assert found.evaluation.metrics["ari"]["value"] == pytest.approx(found.points[found.chosen[""]].test)


def test_a_sweep_whose_inner_folds_hold_one_class_each_is_refused(hums: Path) -> None:
    with pytest.raises(DataError, match="cannot be chosen on recordings of one class, and each inner fold"):
        sweep(hums, [{"clustering.threshold": 0.82}], ["corpus.group=pitch"], console=quiet())


@pytest.mark.slow
def test_two_runs_are_compared_by_their_index_over_the_recordings(hums: Path) -> None:
    first = run(hums, console=quiet()).folder
    alone = run(hums, ["clustering.threshold=0.01"], output=hums.parent / "alone", console=quiet()).folder
    best, worst = compare_runs([first, alone])
    value = json.loads((first / "metrics.json").read_text())["ari"]["value"]
    other = json.loads((alone / "metrics.json").read_text())["ari"]["value"]
    assert other < value
    assert (best.value, worst.value) == (pytest.approx(value), pytest.approx(other))
    assert worst.difference is not None
    assert worst.difference.value == pytest.approx(other - value)
    assert worst.difference.low is not None
    assert (worst.n_groups, worst.unit) == (12, "items")


@pytest.mark.parametrize(
    ("overrides", "error"),
    [
        (["model={}"], "set model.adapt: map .* or clustering.background: own"),
        (["clustering.background=own"], "model has no effect with clustering.background: own"),
        (["model.relevance=4"], "model.relevance has no effect with task: clustering"),
        ([*OWN, "features.cmvn=global"], "learnt from a training part"),
        ([*OWN, "parallel.memory=1GB"], "parallel.memory has no effect with clustering.background: own"),
        ([*OWN, "clustering.within=true"], "clustering.within learns from the split train"),
        (["clustering.method=bic", "clustering.within=true"], "cosine and spectral"),
        (["clustering.method=ratio"], "since it compares means alone"),
        (["clustering.n_clusters=2", "clustering.threshold=0.5"], "one of the two"),
        (["clustering.n_clusters=0"], "clustering.n_clusters is 0"),
        (["task=classification"], "clustering"),
    ],
)
def test_settings_without_effect_are_refused(hums: Path, overrides: list[str], error: str) -> None:
    with pytest.raises(ConfigError, match=error):
        run(hums, overrides, console=quiet())


@pytest.mark.slow
def test_more_clusters_than_recordings_end_the_run_with_the_numbers(hums: Path) -> None:
    with pytest.raises(DataError, match="13 clusters of 12 pieces"):
        run(hums, ["clustering.n_clusters=13"], console=quiet())
    found = run(hums, ["clustering.n_clusters=3"], output=hums.parent / "three", console=quiet())
    assert found.metrics["n_clusters"] == 3


def test_the_section_is_made_of_the_settings_of_clustering() -> None:
    config = make_config({"task": "clustering", "model": {"adapt": "map"}, "clustering": {"method": "ratio"}})
    assert config.clustering.choice.method == "ratio"


@pytest.mark.slow
def test_tuning_tries_other_thresholds_on_inner_clusterings_and_needs_recordings_beside_the_test(
    hums: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Run(config=hums, tune=True, quiet=True, overrides=["corpus.split={kind: kfold, folds: 2}"]).run()
    rows = table(hums.parent / "run-tuning" / "sweep.tsv")
    assert [row["clustering.threshold"] for row in rows] == ["0.82", "0.82", "0.82", "0.77", "0.87", "0.82", "0.82"]
    assert [row["model.ubm.n_components"] for row in rows] == ["4", "4", "4", "4", "4", "2", "8"]
    assert sum(int(row["chosen"]) for row in rows) == 2
    assert "--set clustering.threshold=" in capsys.readouterr().out
    text = (hums.parent / "m.tsv").read_text().replace("\ttrain", "\ttest")
    (hums.parent / "m.tsv").write_text(text)
    with pytest.raises(ConfigError, match="and all recordings are the test; give labelled recordings"):
        Run(config=hums, tune=True, quiet=True, out=hums.parent / "own", overrides=list(OWN)).run()
    assert not (hums.parent / "own").exists()
