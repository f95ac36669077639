"""Recognition after LDA and MLLT: what a run learns, keeps and stores, and how new recordings pass through it."""

import json
from pathlib import Path

import numpy as np
import pytest
from test_recognition import made_sentences, quiet, sentences, table

from speechgmm.engine import run
from speechgmm.errors import ConfigError
from speechgmm.io.model_card import with_card
from speechgmm.tasks.recognition.codec import read_recogniser
from speechgmm.tasks.recognition.decoding import recognise_recordings

__all__ = ["sentences"]  # a fixture

TURNED = "features.transform={kind: lda, mllt: true, dim: 5, splice: 2}"
MORE = ("features.deltas=1", "features.cmvn=utterance", "hmm.n_components=2", "hmm.iterations=2")


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run's configuration, whose results lie beside it."""
    config = made_sentences(tmp_path_factory.mktemp("turned"))
    run(config, [*MORE, TURNED], console=quiet())
    return config


@pytest.mark.slow
def test_a_run_stores_the_transform_and_new_recordings_pass_through_it(ran: Path) -> None:
    file = read_recogniser(ran.parent / "run" / "models.safetensors")
    assert file.audio.transform is not None
    n_dims = 2 * 8  # with deltas
    assert file.audio.transform.matrix.shape == (5, 5 * n_dims)
    assert {model.n_features for model in file.recogniser.units.emissions} == {5}
    of_deltas = file.audio.transform.matrix.reshape(5, 5, n_dims)[:, :, 8:]
    assert not of_deltas.any()
    lines = [json.loads(line) for line in (ran.parent / "run" / "hypotheses.jsonl").read_text().splitlines()]
    heard = dict(recognise_recordings(file, [ran.parent / f"{line['id']}.wav" for line in lines]))
    for line, found in zip(lines, heard.values(), strict=True):
        assert [one.label for one in found.tiers["words"]] == [word["label"] for word in line["words"]]  # type: ignore[union-attr]
    logs = {row["id"]: float(row["log_likelihood"]) for row in table(ran.parent / "run" / "hypotheses.tsv")}
    for (path, found), line in zip(heard.items(), lines, strict=True):
        n_frames = round(logs[line["id"]] / found.log_likelihood)  # type: ignore[union-attr]
        assert found.log_likelihood * n_frames == pytest.approx(logs[line["id"]], rel=1e-4), path  # type: ignore[union-attr]


@pytest.mark.slow
def test_every_fold_learns_a_transform_of_its_own_and_is_tested_by_it(
    sentences: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    overrides = [*MORE, TURNED, "corpus.split={kind: kfold, folds: 2}", "corpus.group=null"]
    result = run(sentences, overrides, console=quiet())
    assert result.metrics["error_rate"]["value"] < 0.2
    files = [read_recogniser(path) for path in sorted((sentences.parent / "run/folds").rglob("models.safetensors"))]
    one, other = (file.audio.transform.matrix for file in files)  # type: ignore[union-attr]
    assert not np.allclose(one, other)
    monkeypatch.setattr(
        "speechgmm.tasks.recognition.unit_training._train_task", lambda *_, **__: pytest.fail("trained")
    )
    run(sentences, overrides, output=sentences.parent / "again", console=quiet())


def test_workers_change_no_byte_of_a_transformed_model(ran: Path) -> None:
    again = ran.parent / "two"
    overrides = [*MORE, TURNED, "parallel.n_jobs=2", f"cache={again}-cache"]
    run(ran, overrides, output=again, console=quiet(), until="train")
    two, one = ((place / "models.safetensors").read_bytes() for place in (again, ran.parent / "run"))
    assert with_card(two, None) == with_card(one, None)  # the card of the run has its test


def test_what_the_transform_is_learnt_from_is_kept_so_that_another_transform_begins_there(
    ran: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("speechgmm.tasks.recognition.unit_training.train_hmms", lambda *_, **__: pytest.fail("trained"))
    run(ran, [*MORE, "features.transform.kind=mllt"], output=ran.parent / "other", console=quiet())
    file = read_recogniser(ran.parent / "other" / "models.safetensors")
    assert file.audio.transform is not None
    assert file.audio.transform.matrix.shape == (16, 16)


def test_more_directions_than_states_less_one_are_refused_with_the_number_there_is(sentences: Path) -> None:
    with pytest.raises(ConfigError, match=r"dim is 9, and 7 states .* have 6 directions"):
        run(sentences, [TURNED.replace("dim: 5", "dim: 9")], console=quiet())
