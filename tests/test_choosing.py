"""A number of components that each class chooses for itself, from configuration to report."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest

from speechgmm.cli.inspection import inspect
from speechgmm.engine import extract, prepare, run
from speechgmm.engine.class_report import ClassReport
from speechgmm.engine.console import Console
from speechgmm.engine.job import Job
from speechgmm.engine.mixture_fit import MixtureTask, frame_groups
from speechgmm.engine.mixtures import train_mixtures
from speechgmm.engine.sweeps import grid_points, sweep
from speechgmm.errors import FitError
from speechgmm.gmm import ChooseSpec, DiagGMM, ModelSpec
from speechgmm.tasks.classification.codec import read_model_file
from speechgmm.tasks.classification.enrolment import enrol

QUIET = Console(quiet=True)
AUTO = "model={n_components: auto, max_iter: 5, choose: {n_starts: 1, candidates: [1, 2, 4, 8]}}"


@pytest.fixture
def chosen(config_file: Path) -> Path:
    """The folder of a run whose classes chose their number of components."""
    run(config_file, [AUTO], console=QUIET)
    return config_file.parent / "run"


def table(path: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(path.read_text().splitlines(), delimiter="\t", quoting=csv.QUOTE_NONE))


@pytest.mark.slow
def test_every_class_has_the_number_that_its_criterion_says_and_the_run_says_why(chosen: Path) -> None:
    models = (
        read_model_file(chosen).models if chosen.is_file() else read_model_file(chosen / "models.safetensors").models
    )
    rows = table(chosen / "classes.tsv")
    for row, model in zip(rows, models.models, strict=True):
        candidates = json.loads(row["candidates"])
        best = max(candidates, key=lambda one: one["value"])
        assert best["n_components"] == int(row["n_components"]) == model.n_components
        assert "BIC" in row["why"]
    page = (chosen / "report.html").read_text()
    assert "How many components each class was given, and why" in page
    told = inspect(chosen)
    assert "chosen for each class by BIC" in told
    assert rows[0]["why"] in told


@pytest.mark.slow
@pytest.mark.parametrize("criterion", ["bic", "held_out"])
def test_workers_change_no_byte_of_chosen_models(config_file: Path, criterion: str) -> None:
    found = set()
    for n_jobs, backend, memory in ((1, "threads", "2GB"), (2, "processes", "1MB")):
        folder = config_file.parent / f"run-{n_jobs}"
        overrides = [
            AUTO, f"model.choose.criterion={criterion}", f"cache={folder}-cache", f"parallel.n_jobs={n_jobs}",
            f"parallel.backend={backend}", f"parallel.memory={memory}", "scoring.temperature_folds=0",
        ]  # fmt: skip
        run(config_file, overrides, output=folder, console=QUIET, until="train")
        found.add((folder / "models.safetensors").read_bytes())
    assert len(found) == 1


@pytest.mark.slow
def test_a_sweep_compares_auto_with_a_number_on_inner_folds(config_file: Path) -> None:
    few = "model={max_iter: 3, tol: 0.001}"
    result = sweep(config_file, grid_points(["model.n_components=2,auto"]), [few], console=QUIET)
    assert {point.settings["model.n_components"] for point in result.points} == {2, "auto"}


@pytest.mark.slow
def test_a_setting_of_the_choice_counts_only_where_there_is_one(config_file: Path, chosen: Path) -> None:
    cache = config_file.parent / "cache" / "models"
    before = {path.name for path in cache.iterdir()}
    run(config_file, [AUTO, "model.choose.n_starts=2"], output=chosen.parent / "two", console=QUIET, until="train")
    assert {path.name for path in cache.iterdir()} > before
    before = {path.name for path in cache.iterdir()}
    run(config_file, [AUTO], output=chosen.parent / "again", console=QUIET)
    assert {path.name for path in cache.iterdir()} == before


def test_too_few_frames_to_choose_by_are_named(config_file: Path) -> None:
    with pytest.raises(FitError, match=r"(?s)'high': 348 frames for 500 components, the least of model.choose.cand"):
        run(config_file, [AUTO, "model.choose.candidates=[500]"], console=QUIET)


@pytest.mark.slow
def test_a_class_that_is_enrolled_chooses_as_the_others_did(chosen: Path) -> None:
    file = read_model_file(chosen / "models.safetensors")
    recordings = sorted((chosen.parent / "hums" / "low").glob("*.wav"))
    larger, report = enrol(file, "new", recordings)
    assert larger.models.labels[-1] == "new"
    assert report.n_components in (1, 2, 4, 8)
    assert np.isfinite(larger.models.models[-1].means).all()


def test_held_out_frames_are_of_other_groups_where_a_class_has_several_else_of_other_recordings(
    config_file: Path,
) -> None:
    features = extract(prepare(config_file, console=QUIET))
    apart = frame_groups(features.pieces)
    keys = np.repeat([piece.key for piece in features.pieces], [piece.n_rows for piece in features.pieces])
    assert apart.tolist() == np.unique(keys, return_inverse=True)[1].tolist()  # as numbers: names take more memory
    pitches = frame_groups(features.grouped("pitch").pieces)
    assert {(keys[t], pitches[t]) for t in range(len(keys))} == {
        (piece.key, ["high", "low", "mid"].index(piece.group)) for piece in features.grouped("pitch").pieces
    }
    alike = [piece for piece in features.grouped("pitch").pieces if piece.group == "low"]
    assert len(set(frame_groups(alike))) == 8


def test_groups_are_in_the_key_where_frames_are_held_out_by_them_and_nowhere_else(
    config_file: Path, tmp_path: Path
) -> None:
    features = extract(prepare(config_file, console=QUIET))
    keys = {}
    for criterion in ("held_out", "bic"):
        spec = ModelSpec(n_components="auto", choose=ChooseSpec(criterion=criterion))
        keys[criterion] = {
            MixtureTask("a", found.pieces, spec, np.ones(2), 0, None, tmp_path).key()
            for found in (features, features.grouped("pitch"))
        }
    assert [len(found) for found in keys.values()] == [2, 1]


def test_groups_are_held_out_in_training_and_in_the_cross_validation_of_the_temperature(
    config_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [
        f"{path}\t{path.parent.name}\tday{n % 4}\t{'test' if n % 4 == 3 else 'train'}"
        for label in ("low", "mid", "high")
        for n, path in enumerate(sorted((config_file.parent / "hums" / label).glob("*.wav")))
    ]
    (config_file.parent / "days.tsv").write_text("\n".join(["path\tpitch\tday\tsplit", *rows]) + "\n")
    groups: list[list[str]] = []

    def seen(job: Job, tasks: list[MixtureTask], what: str) -> list[tuple[DiagGMM, ClassReport]]:
        groups.extend(sorted({piece.group for piece in task.pieces}) for task in tasks)
        return train_mixtures(job, tasks, what)

    for stage in ("training", "temperature_folds"):
        monkeypatch.setattr(f"speechgmm.tasks.classification.{stage}.train_mixtures", seen)
    corpus = "corpus={kind: manifest, path: days.tsv, label: pitch, group: day, sample_rate: 8000, split: column}"
    folder = config_file.parent / "days"
    held_out = [AUTO, "model.choose.criterion=held_out", "scoring.temperature_folds=3"]
    run(config_file, [corpus, *held_out], output=folder, console=QUIET, until="train")
    assert groups[:3] == [["day0", "day1", "day2"]] * 3
    assert sorted(groups[3:]) == sorted(3 * [["day0", "day1"], ["day0", "day2"], ["day1", "day2"]])
