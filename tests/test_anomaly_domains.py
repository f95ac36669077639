"""Anomaly detection under domain shift, and silent recordings, which are an answer."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
import soundfile
from conftest import hum
from sklearn.metrics import roc_auc_score
from typer.testing import CliRunner

import speechgmm as sg
from speechgmm.cli import app
from speechgmm.engine.console import Console
from speechgmm.errors import DataError
from speechgmm.tasks.anomaly.domains import OF_ALL, harmonic_mean
from speechgmm.tasks.anomaly.evaluation import AnomalyScores, evaluate_anomalies
from speechgmm.tasks.anomaly.scoring import AnomalyScore

RATE = 8000


def drawn_scores(rng: np.random.Generator, n: int = 60) -> AnomalyScores:
    """Scores of two machines in two domains; normal recordings of the target domain score higher."""
    kinds = tuple(str(name) for name in rng.choice(["fan", "pump"], n))
    domains = tuple(str(name) for name in rng.choice(["source", "target"], n))
    conditions = tuple(str(name) for name in rng.choice(["normal", "click"], n))
    nothing = np.zeros(1)
    shifts = zip(conditions, domains, strict=True)
    values = [rng.normal() + (condition != "normal") + (domain == "target") for condition, domain in shifts]
    found = tuple(AnomalyScore(float(value), 0.5, 0.5, 0.0, 1.0, nothing, 1, nothing, nothing) for value in values)
    return AnomalyScores(tuple(map(str, range(n))), kinds, conditions, (), found, domains)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(4))
def test_the_auc_of_a_domain_is_of_its_normal_recordings_against_all_anomalies(seed: int) -> None:
    scores = drawn_scores(np.random.default_rng(seed))
    done = evaluate_anomalies(scores, "normal")
    assert done is not None
    normal = np.array(scores.conditions) == "normal"
    areas = {}
    for domain in ("source", "target"):
        for kind in ("fan", "pump"):
            own = (np.array(scores.kinds) == kind) & (~normal | (np.array(scores.domains) == domain))
            areas[domain, kind] = roc_auc_score(~normal[own], scores.scores[own])
        mean = np.mean([areas[domain, kind] for kind in ("fan", "pump")])
        assert done.domains[domain]["auc"].value == pytest.approx(mean)
    metric = done.metrics[OF_ALL]
    assert metric.value == pytest.approx(4 / sum(1 / area for area in areas.values()))
    assert metric.low is not None
    assert metric.high is not None
    assert metric.low < metric.value < metric.high


@pytest.mark.slow
def test_without_two_domains_of_normal_recordings_there_is_no_auc_of_domains() -> None:
    scores = drawn_scores(np.random.default_rng(0))
    one = AnomalyScores(*(getattr(scores, name) for name in ("ids", "kinds", "conditions", "groups", "found")))
    alike = AnomalyScores(one.ids, one.kinds, one.conditions, one.groups, one.found, ("source",) * len(one.ids))
    for found in (one, alike):
        done = evaluate_anomalies(found, "normal")
        assert done is not None
        assert done.domains == {}
        assert OF_ALL not in done.metrics


def test_a_domain_in_which_nothing_is_told_apart_makes_the_harmonic_mean_zero() -> None:
    assert harmonic_mean(np.array([0.9, 0.0])) == 0
    assert harmonic_mean(np.array([0.5, 0.5])) == 0.5


@pytest.fixture(scope="module")
def fans(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fan in two domains, with clicks; one anomaly of the test is digital silence."""
    root = tmp_path_factory.mktemp("fans")
    rows = ["path\tsplit\tcondition\tmachine\tdomain"]
    for n in range(34):
        domain = "target" if n % 4 == 0 else "source"
        samples = hum(n, 110.0 * (1.1 if domain == "target" else 1.0), 0.6)
        condition = "click" if n >= 28 else "normal"
        if n == 33:
            samples[:] = 0
        elif condition == "click":
            samples[2000:3600:400] += 0.9
        soundfile.write(root / f"{n}.wav", np.clip(samples, -0.99, 0.99), RATE)
        rows.append(f"{n}.wav\t{'train' if n < 20 else 'test'}\t{condition}\tfan\t{domain}")
    (root / "manifest.tsv").write_text("\n".join(rows) + "\n")
    (root / "fans.yaml").write_text(
        "task: anomaly\n"
        "corpus: {kind: manifest, path: manifest.tsv, label: machine, sample_rate: 8000}\n"
        "features: {n_ceps: 8, n_mels: 12}\n"
        "model: {n_components: 2, max_iter: 5}\n"
        "anomaly: {false_alarm: 0.1, folds: 3}\n"
        f"cache: cache\noutput: {root / 'run'}\nparallel: {{n_jobs: 1}}\n"
    )
    sg.run(root / "fans.yaml", console=Console(quiet=True))
    return root


@pytest.mark.slow
def test_a_silent_test_recording_is_the_most_anomalous_and_stops_no_other(
    fans: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = {
        row["id"]: row for row in csv.DictReader((fans / "run" / "scores.tsv").read_text().splitlines(), delimiter="\t")
    }
    assert len(rows) == 14
    silent = next(row for row in rows.values() if row["id"].startswith("33"))
    assert float(silent["score"]) == np.inf
    assert silent["decision"] == "anomalous"
    metrics = json.loads((fans / "run" / "metrics.json").read_text())
    assert set(metrics["domains"]) == {"source", "target"}
    assert 0 < metrics[OF_ALL]["value"] <= 1
    assert metrics["detection_rate"]["n"] == 6
    sg.run(fans / "fans.yaml", output=fans / "again", console=Console(quiet=True))
    assert "1 of 14 test recordings are digital silence throughout" in capsys.readouterr().err


@pytest.mark.slow
def test_a_silent_training_recording_is_still_refused(fans: Path) -> None:
    text = (fans / "manifest.tsv").read_text().replace("33.wav\ttest\tclick", "33.wav\ttrain\tnormal")
    (fans / "wrong.tsv").write_text(text)
    with pytest.raises(DataError, match="all 4800 samples are zero"):
        sg.run(
            fans / "fans.yaml",
            [f"corpus.path={fans / 'wrong.tsv'}"],
            output=fans / "wrong",
            console=Console(quiet=True),
        )


def test_a_silent_recording_has_a_score_under_a_loaded_model_and_the_command(fans: Path) -> None:
    model = sg.load(fans / "run")
    found = model.score([fans / "33.wav", fans / "20.wav"])
    assert [one.silent for one in found] == [True, False]
    assert found[0].is_anomalous
    assert found[0].score > found[1].score
    assert found[0].to_dict()["score"] is None  # JSON has no infinity
    command = ["score", str(fans / "run"), str(fans / "33.wav"), str(fans / "20.wav")]
    done = CliRunner().invoke(app, [*command, "--format", "jsonl"])
    assert done.exit_code == 0, done.output
    first, second = (json.loads(line) for line in done.stdout.splitlines() if line.startswith("{"))
    assert (first["score"], first["silent"], first["decision"]) == (None, True, "anomalous")
    assert not second["silent"]
    table = CliRunner().invoke(app, ["score", str(fans / "run"), str(fans / "33.wav")])
    assert "digital silence" in table.stdout
    labels = CliRunner().invoke(app, ["score", str(fans / "run"), str(fans / "33.wav"), "--format", "audacity"])
    assert labels.exit_code == 0, labels.output
    assert "0.600000\tanomalous" in labels.stdout
