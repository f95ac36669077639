"""The model card: every model file has one, it tells no path, and no byte of the models depends on it."""

import json
import sys
from contextlib import suppress
from dataclasses import asdict, replace
from pathlib import Path

import loadable
import numpy as np
import pytest
from safetensors.numpy import load, save

import speechgmm as sg
from speechgmm.cli import main
from speechgmm.cli.inspection import inspect
from speechgmm.config import make_config, told_settings
from speechgmm.engine.console import Console
from speechgmm.engine.model_card_text import NO_CARD, card_page
from speechgmm.engine.runs import run
from speechgmm.errors import ConfigError, ModelFileError
from speechgmm.evaluation import Metric
from speechgmm.io.model_card import CARD, CardData, CardMetric, CardText, ModelCard, read_card, same_models, with_card
from speechgmm.io.model_kinds import model_kinds

QUIET = Console(quiet=True)

WHOLE = ModelCard(
    version="0.2.0",
    made_by="speechgmm run",
    task="classification",
    fold="a",
    label="bïrd",
    labels=("robin", 'w"ren'),
    data=(CardData("train", 3, 2.5, 2, None),),
    data_hash="00ff",
    protocol="split: column",
    metrics={"accuracy": CardMetric(0.5, 4, "fraction", 0.1, 0.9, "bootstrap over groups", 2, "only 2 groups")},
    settings={"model.n_components": "4"},
    text=CardText(intended_use="birds at dawn\nnot owls", licence="CC0-1.0", notes="none"),
    changes=("enrol 'owl': 3 frames",),
)


@pytest.fixture(scope="module")
def carded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model file with every entry of a card."""
    path = tmp_path_factory.mktemp("carded") / "m.safetensors"
    path.write_bytes(with_card((loadable.KEPT / "class" / "models.safetensors").read_bytes(), WHOLE))
    return path


def test_a_card_comes_back_as_it_was_written(carded: Path) -> None:
    assert read_card(carded) == WHOLE


@pytest.mark.parametrize("kept", sorted(path.name for path in loadable.KEPT.iterdir()))
def test_a_card_changes_nothing_else_of_a_file(kept: str) -> None:
    data = (loadable.KEPT / kept / "models.safetensors").read_bytes()
    assert with_card(data, None) == data
    with_one = with_card(data, WHOLE)
    assert with_card(with_one, None) == data
    assert with_card(with_card(with_one, replace(WHOLE, fold="other")), WHOLE) == with_one
    before, after = load(data), load(with_one)
    assert before.keys() == after.keys()
    assert all(np.array_equal(before[name], after[name]) for name in before)


def test_names_that_are_not_utf8_leave_a_card_that_can_be_read(tmp_path: Path) -> None:
    data = (loadable.KEPT / "class" / "models.safetensors").read_bytes()
    path = tmp_path / "m.safetensors"
    path.write_bytes(with_card(data, replace(WHOLE, fold="na\udcefve")))
    found = read_card(path)
    assert found is not None
    assert found.fold == "na?ve"


@pytest.mark.parametrize(
    ("card", "message"),
    [
        ("{", "model card cannot be read"),
        ("[]", "expected"),
        (json.dumps({**asdict(WHOLE), "labels": 3}), "card.labels is 3"),
        (json.dumps({**asdict(WHOLE), "metrics": {"eer": {"value": "0"}}}), "card.metrics.eer"),
        (json.dumps({"version": "1"}), "card.made_by is missing"),
    ],
)
def test_a_damaged_card_is_refused_by_the_place(card: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "m.safetensors"
    path.write_bytes(save({"a": np.zeros(1)}, metadata={CARD: card}))
    with pytest.raises(ModelFileError, match=message):
        read_card(path)


def test_a_file_that_is_no_model_holds_no_models(tmp_path: Path) -> None:
    for data in (b"", b"\xff" * 20, b"\x02\0\0\0\0\0\0\0{}", b"\x02\0\0\0\0\0\0\0[]"):
        (tmp_path / "m").write_bytes(data)
        assert not same_models(tmp_path / "m", data)
    assert not same_models(tmp_path / "none", b"")


def test_every_entry_of_a_card_is_told(carded: Path) -> None:
    told = inspect(carded)
    page = card_page(WHOLE)
    for text in ("bïrd", "robin", "owls", "CC0-1.0", "50.0 %", "10.0 % to 90.0 %", "n = 4", "2 groups", "00ff"):
        assert text in told
        assert text in page
    assert "enrol 'owl'" in told
    assert "model.n_components: 4" in told
    assert "train: 3 utterances, 2.5 s, 2 labels" in told


def test_numbers_that_are_not_finite_are_told_as_such() -> None:
    card = ModelCard("0", "").tested({"cllr": Metric(float("inf"), 3, "bits", 0.1, float("nan"))})
    assert card.metrics["cllr"].value is None
    assert "Cllr: not finite" in card_page(card)


def test_a_file_of_an_older_version_says_that_it_has_no_card() -> None:
    assert read_card(loadable.KEPT / "class" / "models.safetensors") is None
    assert NO_CARD in inspect(loadable.KEPT / "class" / "models.safetensors")


def test_settings_are_told_without_paths() -> None:
    config = make_config(
        {
            "corpus": {"kind": "manifest", "path": "/secret/a.tsv", "root": "/secret", "label": "word"},
            "model": {"n_components": 8, "max_iter": 200},
            "features": {"n_ceps": 12},
            "cache": "/secret/cache",
            "output": "/secret/out",
            "parallel": {"n_jobs": 1},
            "trials": None,
        }
    )
    told = told_settings(config)
    assert "secret" not in str(told)
    assert {"model.n_components", "features.n_ceps", "corpus.label"} <= told.keys()
    assert not {"cache", "output", "parallel.n_jobs", "model.max_iter"} & told.keys()
    words = {"task": "recognition", "recognition": {"language": "grammar", "grammar": "secret.jsgf"}}
    assert told_settings(make_config(words)) == {"recognition.language": '"grammar"'}


def test_a_text_that_is_a_book_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"model_card\.notes has 10001 characters"):
        make_config({"model_card": {"notes": "x" * 10_001}})


# ---- runs ----

CARD_KEYS = ["model_card.intended_use=hums", "model_card.licence=CC0-1.0"]


def test_a_run_writes_what_it_did_and_found_and_no_path(config_file: Path, tmp_path: Path) -> None:
    result = run(config_file, CARD_KEYS, console=QUIET)
    path = result.folder / "models.safetensors"
    card = read_card(path)
    assert card is not None
    assert (card.task, card.label) == ("classification", "pitch")
    assert card.labels == ("high", "low", "mid")
    parts = {part.split: part for part in card.data}
    assert (parts["train"].utterances, parts["test"].utterances) == (
        result.metrics["n_train"],
        result.metrics["n_test"],
    )
    assert sum(part.seconds for part in card.data) == pytest.approx(24 * 0.6, abs=0.11)
    assert card.text == CardText(intended_use="hums", licence="CC0-1.0")
    accuracy = result.metrics["accuracy"]
    assert {key: getattr(card.metrics["accuracy"], key) for key in ("value", "n", "low", "high")} == {
        key: accuracy[key] for key in ("value", "n", "low", "high")
    }
    assert card.settings["model.n_components"] == "4"
    page = (result.folder / "MODEL_CARD.md").read_text()
    assert page == card_page(card)
    for text in (path.read_bytes(), page.encode()):
        assert str(tmp_path).encode() not in text
    assert sg.load(result.folder).card == card


def test_another_text_changes_the_card_and_no_result(config_file: Path) -> None:
    first = run(config_file, console=QUIET)
    path = first.folder / "models.safetensors"
    data, scores = path.read_bytes(), (first.folder / "scores.tsv").read_bytes()
    trained = run(config_file, CARD_KEYS, console=QUIET, until="train")
    card = read_card(trained.folder / "models.safetensors")
    assert card is not None
    assert card.text.licence == "CC0-1.0"
    assert card.metrics["accuracy"].n == first.metrics["n_test"]  # these models were tested
    assert (first.folder / "scores.tsv").read_bytes() == scores
    run(config_file, console=QUIET)
    assert path.read_bytes() == data


def test_metrics_of_other_models_do_not_stay_in_a_card(config_file: Path) -> None:
    folder = run(config_file, console=QUIET).folder
    path = folder / "models.safetensors"
    data = load(path.read_bytes())
    spoilt = with_card(save({**data, "more": np.zeros(1)}, metadata={"speechgmm": "{}"}), WHOLE)
    path.write_bytes(spoilt)
    run(config_file, console=QUIET, until="train")
    card = read_card(path)
    assert card is not None
    assert not card.metrics
    assert "not tested" in (folder / "MODEL_CARD.md").read_text()


def test_models_of_folds_have_the_metrics_of_their_fold(config_file: Path) -> None:
    result = run(config_file, ["corpus.split={kind: kfold, folds: 2}"], console=QUIET)
    whole = read_card(result.folder / "models.safetensors")
    assert whole is not None
    assert "models of the folds" in whole.protocol
    for name, found in result.metrics["folds"].items():
        card = read_card(result.folder / "folds" / name / "models.safetensors")
        assert card is not None
        assert card.fold == name
        assert card.metrics["accuracy"].value == found["accuracy"]["value"]
        assert {part.split for part in card.data} == {"train", "test"}


def test_enrolment_is_told_by_the_card(config_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder, out = run(config_file, console=QUIET).folder, config_file.parent / "more.safetensors"
    wav = str(config_file.parent / "hums" / "low" / "0.wav")
    for words in (("enrol", folder, wav, "--label", "again", "--out", out), ("update", out, wav, "--label", "high")):
        monkeypatch.setattr(sys, "argv", ["speechgmm", *map(str, words)])
        with suppress(SystemExit):
            main()
    card, before = read_card(out), read_card(folder / "models.safetensors")
    assert card is not None
    assert before is not None
    assert [change.split(":")[0] for change in card.changes] == ["enrol 'again'", "update 'high'"]
    assert replace(card, changes=()) == before
    assert "Changes since the metrics were measured" in inspect(out)


def test_models_that_python_saves_have_a_card(tmp_path: Path) -> None:
    frames = np.random.default_rng(0).normal(size=(2, 99, 2))
    models = sg.train_classes(dict(zip("ab", frames, strict=True)), n_components=1)
    sg.save_models(models, tmp_path / "m.safetensors")
    found = sg.load(tmp_path / "m.safetensors").card
    assert found is not None
    assert (found.made_by, found.labels) == ("save_models", ("a", "b"))
    sg.save_models(models, tmp_path / "m.safetensors", card=WHOLE)
    assert read_card(tmp_path / "m.safetensors") == WHOLE


def test_every_kind_of_model_file_is_described_with_its_card(tmp_path: Path) -> None:
    loadable.write_runs(tmp_path)
    described = set()
    for path in sorted(tmp_path.glob("*/models.safetensors")):
        path.write_bytes(with_card(path.read_bytes(), WHOLE))
        told = inspect(path)
        assert "bïrd" in told
        described.add(sg.load(path).task)
        assert sg.load(path).card == WHOLE
    assert len(described) == len({kind.name for kind in model_kinds()})
