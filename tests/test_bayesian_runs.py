"""Variational Bayes and L-BFGS from a configuration to scores."""

import csv
import json
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from conftest import hum

from speechgmm.cli.inspection import inspect
from speechgmm.cli.results import print_result
from speechgmm.engine import run
from speechgmm.engine.console import Console
from speechgmm.engine.frames import Piece
from speechgmm.engine.job import Job
from speechgmm.engine.mixture_fit import MixtureTask
from speechgmm.errors import ConfigError, DataError, FitError, ModelFileError
from speechgmm.gmm import BayesianGMM, ModelSpec
from speechgmm.io.model_card import with_card
from speechgmm.tasks.classification import ClassModels, score_recordings
from speechgmm.tasks.classification.codec import read_model_file, save_models, serialise
from speechgmm.tasks.classification.enrolment import enrol
from speechgmm.tasks.classification.scoring import log_likelihood_table

BAYES = "model={estimator: variational, n_components: 8, variational_max_iter: 30}"


def table(path: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(path.read_text().splitlines(), delimiter="\t"))


@pytest.fixture(scope="module")
def config_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The hums of conftest, with one cache for all tests here."""
    folder = tmp_path_factory.mktemp("bayes")
    for number, (name, pitch) in enumerate({"low": 110.0, "mid": 170.0, "high": 300.0}.items()):
        (folder / "hums" / name).mkdir(parents=True)
        for n in range(6):
            soundfile.write(
                folder / "hums" / name / f"{n}.wav", hum(100 * number + n, pitch * (1 + 0.02 * n), 0.4), 8000
            )
    path = folder / "hums.yaml"
    path.write_text(
        "corpus: {kind: folder, root: hums, label: pitch, sample_rate: 8000, split: fraction}\n"
        "scoring: {temperature_folds: 2}\ncache: cache\nparallel: {n_jobs: 1}\n"
    )
    return path


@pytest.fixture(scope="module")
def first(config_file: Path) -> Path:
    """The model file of a run."""
    return trained(config_file, "first") / "models.safetensors"


def trained(config_file: Path, name: str, *overrides: str) -> Path:
    folder = config_file.parent / name
    run(config_file, [BAYES, *overrides], output=folder, console=Console(quiet=True))
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["dirichlet", "dirichlet_process"])
def test_a_run_scores_by_the_predictive_density_and_so_does_score(config_file: Path, kind: str) -> None:
    folder = trained(config_file, kind, f"model.weight_prior={kind}")
    model = read_model_file(folder / "models.safetensors")
    assert model.models.bayesian is not None
    assert {known.process is None for known in model.models.bayesian} == {kind == "dirichlet"}
    assert model.models.temperature is not None
    rows = table(folder / "scores.tsv")
    assert sum(row["true"] == row["predicted"] for row in rows) >= len(rows) / 2
    paths = [config_file.parent / "hums" / f"{row['id']}.wav" for row in rows]
    plain = replace(model.models, bayesian=None)
    for row, (_, results) in zip(rows, score_recordings(model, paths), strict=True):
        assert not isinstance(results, DataError)
        wanted = [float(row[label]) for label in model.models.labels]
        np.testing.assert_allclose(results[0].mean_log_likelihoods, wanted, rtol=1e-5, atol=1e-5)
    frames = np.random.default_rng(0).normal(size=(50, plain.models[0].n_features))
    assert np.abs(plain.mean_log_likelihoods(frames) - model.models.mean_log_likelihoods(frames)).min() > 1e-3


@pytest.mark.slow
def test_the_model_file_holds_the_posteriors_and_the_same_run_gives_the_same_bytes(
    config_file: Path, first: Path
) -> None:
    again = trained(config_file, "again")  # from the cache
    anew = trained(config_file, "anew", f"cache={config_file.parent / 'other'}", "parallel.n_jobs=2")
    data = first.read_bytes()
    assert data == (again / "models.safetensors").read_bytes() == (anew / "models.safetensors").read_bytes()
    file = read_model_file(first)
    assert serialise(file) == with_card(data, None)
    assert file.recipe is not None
    assert file.recipe.prior is not None
    for known, mixture in zip(file.models.bayesian or (), file.models.models, strict=True):
        assert known.mixture().means == pytest.approx(mixture.means)
        assert known.counts.sum() > 100
    rows = table(first.parent / "classes.tsv")
    assert [int(row["n_in_use"]) for row in rows] == [known.n_in_use for known in file.models.bayesian or ()]
    assert all(np.diff(json.loads(row["trace"])).min() > -1e-6 for row in rows)


@pytest.mark.slow
def test_what_changes_the_prior_trains_anew_and_what_only_em_reads_is_in_no_key(config_file: Path) -> None:
    found = {
        (trained(config_file, f"run{n}", text) / "models.safetensors").read_bytes()
        for n, text in enumerate(["seed=0", "model.mean_frames=3", "model.weight_prior=dirichlet_process"])
    }
    assert len(found) == 3


@pytest.mark.slow
def test_the_temperature_comes_from_posteriors_that_have_not_seen_what_they_score(
    config_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scored: list[tuple[float, int]] = []

    def seen(job: Job, models: ClassModels, pieces: Sequence[Piece], what: str | None) -> Any:
        assert models.bayesian is not None
        frames = sum(known.counts.sum() for known in models.bayesian) + sum(piece.n_rows for piece in pieces)
        scored.append((frames, len(pieces)))
        return log_likelihood_table(job, models, pieces, what)

    monkeypatch.setattr("speechgmm.tasks.classification.temperature_folds.log_likelihood_table", seen)
    folder = trained(config_file, "tempered", "seed=7")
    whole = sum(int(row["n_frames"]) for row in table(folder / "classes.tsv"))
    assert [frames for frames, _ in scored] == pytest.approx([whole] * 2)
    assert all(n > 0 for _, n in scored)


def test_every_part_of_a_prior_is_in_the_key(tmp_path: Path) -> None:
    spec = ModelSpec(n_components=2, estimator="variational")
    around = partial(BayesianGMM.around, np.zeros(2), np.ones(2), 2, weight_prior="dirichlet_process")
    priors = [around(), around(concentration=2.0), around(mean_frames=2.0), around(variance_share=0.7)]
    moved = BayesianGMM.around(np.full(2, 0.1), np.ones(2), 2, weight_prior="dirichlet_process")
    seen = replace(priors[0], counts=np.array([3.0, 4.0]))
    tasks = [MixtureTask("a", (), spec, np.ones(2), 0, None, tmp_path, prior=prior) for prior in (*priors, moved, seen)]
    assert len({task.key() for task in tasks}) == len(tasks)
    assert tasks[0].key() == replace(tasks[0], prior=around(), memory=5).key()


@pytest.mark.slow
def test_how_many_components_are_in_use_is_said(
    config_file: Path, first: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    print_result(run(config_file, [BAYES], output=first.parent, console=Console(quiet=True)))
    assert "components in use, of 8: high " in capsys.readouterr().out
    assert "in use" in (first.parent / "report.html").read_text()
    text = inspect(first)
    assert "posteriors over mixtures (variational Bayes, Dirichlet): scored by their predictive density" in text
    assert "in use  frames seen" in text


def test_a_posterior_is_the_next_prior_and_knows_what_came_before(config_file: Path, first: Path) -> None:
    before = read_model_file(first).models.bayesian or ()
    prior_from = f"model={{estimator: variational, prior_from: {first}}}"
    folder = config_file.parent / "second"
    run(config_file, [prior_from, "scoring.temperature_folds=0"], output=folder, console=Console(quiet=True))
    file = read_model_file(folder / "models.safetensors")
    for old, new in zip(before, file.models.bayesian or (), strict=True):
        assert new.counts.sum() == pytest.approx(2 * old.counts.sum())
        assert new.n_components == 8
    with pytest.raises(ConfigError, match="was trained with its own prior"):
        enrol(file, "new", [config_file.parent / "hums" / "low" / "0.wav"])


def test_enrolment_gives_a_new_class_the_prior_and_a_posterior(config_file: Path, first: Path) -> None:
    file = read_model_file(first)
    larger, _ = enrol(file, "new", sorted((config_file.parent / "hums" / "low").glob("*.wav")))
    assert larger.models.bayesian is not None
    assert len(larger.models.bayesian) == 4
    again = larger.models.only("new")
    assert again.bayesian is not None
    assert again.bayesian[0].counts.sum() > 100


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["features.n_ceps=10"], r"was trained on other features \(n_ceps: \d+, here 10\); a posterior"),
        (["features.cmvn=global"], r"other features|cmvn: global"),
        (["model.n_components=16"], "has 8 components, and model.n_components is 16; leave that out"),
        (["corpus.label=tone"], "classes"),
    ],
)
def test_a_prior_that_does_not_fit_is_refused_with_what_differs(
    config_file: Path, first: Path, tmp_path: Path, overrides: list[str], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        run(
            config_file,
            [f"model={{estimator: variational, prior_from: {first}}}", *overrides],
            output=tmp_path / "second",
            console=Console(quiet=True),
        )


@pytest.mark.slow
def test_a_model_without_posteriors_or_without_a_class_is_no_prior(config_file: Path, tmp_path: Path) -> None:
    plain = config_file.parent / "plain"
    run(config_file, output=plain, console=Console(quiet=True))
    model = f"{plain / 'models.safetensors'}"
    again = ["model={estimator: variational, prior_from: %s}" % model]  # noqa: UP031 (braces)
    with pytest.raises(ConfigError, match=r"has no posteriors, it was not trained with model.estimator: variational"):
        run(config_file, again, output=tmp_path / "second", console=Console(quiet=True))
    with pytest.raises(ModelFileError, match="there is no such model file"):
        run(
            config_file,
            ["model={estimator: variational, prior_from: nowhere.safetensors}"],
            output=tmp_path / "third",
            console=Console(quiet=True),
        )
    bayes = trained(config_file, "cut") / "models.safetensors"
    file = read_model_file(bayes)
    bayes.write_bytes(serialise(replace(file, models=file.models.only("low"))))
    with pytest.raises(ConfigError, match=r"is of 1 classes .pitch. and lacks high, mid"):
        run(
            config_file,
            [f"model={{estimator: variational, prior_from: {bayes}}}"],
            output=tmp_path / "fourth",
            console=Console(quiet=True),
        )


@pytest.mark.slow
def test_a_run_by_gradient_is_no_worse_than_em_and_is_its_own_model(config_file: Path) -> None:
    ends = {}
    for estimator in ("em", "gradient"):
        folder = config_file.parent / estimator
        run(
            config_file,
            [f"model={{estimator: {estimator}, n_components: 2, max_iter: 60, tol: 1e-7}}"],
            output=folder,
            console=Console(quiet=True),
        )
        ends[estimator] = [float(row["objective"]) for row in table(folder / "classes.tsv")]
    assert ends["gradient"] == pytest.approx(ends["em"], abs=0.05)
    assert ends["gradient"] != ends["em"]


def test_a_file_holds_the_settings_of_its_own_estimator_alone(first: Path) -> None:
    file = read_model_file(first)
    assert file.recipe is not None
    written = [
        serialise(replace(file, recipe=replace(file.recipe, spec=spec)))
        for spec in (ModelSpec(), ModelSpec(estimator="variational"), ModelSpec(estimator="gradient"))
    ]
    assert [b"mean_frames" in data for data in written] == [False, True, False]
    assert [b"gradient_after" in data for data in written] == [False, False, True]
    assert [b"estimator" in data for data in written] == [False, True, True]


def test_too_few_frames_are_named_by_class(config_file: Path) -> None:
    with pytest.raises(FitError, match="classes have too few frames"):
        trained(config_file, "few", "model.n_components=2000")


def test_settings_without_effect_are_refused() -> None:
    for settings, message in (
        (
            {"weight_prior": "dirichlet_process"},
            "weight_prior has no effect with model.estimator: em; it is for variat",
        ),
        ({"gradient_after": 2}, "gradient_after has no effect with model.estimator: em; it is for gradient"),
        ({"estimator": "variational", "max_iter": 9}, "max_iter has no effect .* set model.variational_max_iter"),
        ({"estimator": "variational", "variance_floor": 0.1}, "variance_floor has no effect"),
        ({"estimator": "variational", "adapt": "map"}, "estimator: variational has no effect with model.adapt: map"),
        ({"estimator": "gradient", "precision": "float32"}, "gradient needs float64"),
        ({"estimator": "variational", "prior_from": "m", "mean_frames": 2.0}, "mean_frames has no effect .*prior_from"),
    ):
        with pytest.raises(ConfigError, match=message):
            ModelSpec(**settings)  # type: ignore[arg-type]


def test_posteriors_that_are_not_those_of_the_models_are_refused(tmp_path: Path) -> None:
    known = BayesianGMM.around([0.0], [1.0], 2)
    models = ClassModels(("a",), (known.mixture(),), np.zeros(1), bayesian=(known,))
    save_models(models, tmp_path / "m.safetensors")
    again = read_model_file(tmp_path / "m.safetensors").models
    assert again.mean_log_likelihoods([[0.5]]) == models.mean_log_likelihoods([[0.5]])
    with pytest.raises(Exception, match="beside a background model"):
        replace(models, ubm=known.mixture())
    with pytest.raises(Exception, match="expected those of the models"):
        replace(models, bayesian=(BayesianGMM.around([0.0], [1.0], 3),))
