"""MLLT for classes of mixtures: what a run learns, stores and keeps."""

from pathlib import Path

import numpy as np
import pytest

from speechgmm.engine import run
from speechgmm.engine.console import Console
from speechgmm.engine.extraction import extract
from speechgmm.engine.job import prepare
from speechgmm.errors import ConfigError
from speechgmm.features.transforms import LinearTransform
from speechgmm.gmm import fit_gmm
from speechgmm.gmm.density import log_likelihoods
from speechgmm.tasks.classification.codec import read_model_file
from speechgmm.tasks.classification.scoring import score_recordings

TURNED = "features.transform={kind: lda, mllt: true, dim: 2, splice: 1}"


def quiet() -> Console:
    return Console(quiet=True)


def transform_of(folder: Path) -> LinearTransform:
    audio = read_model_file(folder / "models.safetensors").audio
    assert audio is not None
    assert audio.transform is not None
    return audio.transform


@pytest.mark.slow
def test_a_run_stores_lda_turned_keeps_it_and_scores_new_recordings_as_its_tests(
    config_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(config_file, [TURNED], console=quiet())
    folder = config_file.parent / "run"
    found = transform_of(folder)
    run(
        config_file,
        [TURNED.replace("mllt: true, ", "")],
        output=config_file.parent / "plain",
        console=quiet(),
        until="train",
    )
    plain = transform_of(config_file.parent / "plain")
    assert found.matrix.shape == plain.matrix.shape == (2, 3 * 26)
    turn = np.linalg.lstsq(plain.matrix.T, found.matrix.T, rcond=None)[0].T
    np.testing.assert_allclose(turn @ plain.matrix, found.matrix, atol=1e-6 * np.abs(found.matrix).max())
    assert not np.allclose(turn, np.diag(np.diag(turn)), atol=1e-3)
    lines = (folder / "scores.tsv").read_text().splitlines()
    names, row = lines[0].split("\t"), lines[1].split("\t")
    file = read_model_file(folder / "models.safetensors")
    place = next(config_file.parent.glob(f"hums/{row[names.index('id')]}*"))
    (((_, scored),),) = ([*score_recordings(file, [place])],)
    wanted = [float(row[names.index(label)]) for label in file.models.labels]
    np.testing.assert_allclose(scored[0].mean_log_likelihoods, wanted, atol=1e-5, rtol=1e-5)  # type: ignore[index]
    monkeypatch.setattr("speechgmm.engine.class_mllt._scatter", lambda *_: pytest.fail("learnt twice"))
    run(config_file, [TURNED], output=config_file.parent / "again", console=quiet(), until="train")
    assert np.array_equal(transform_of(config_file.parent / "again").matrix, found.matrix)


@pytest.mark.slow
def test_turned_frames_are_likelier_under_diagonal_covariances_and_workers_change_no_byte(config_file: Path) -> None:
    overrides = ["features.transform.kind=mllt"]
    turned = run(config_file, overrides, console=quiet(), until="train").features
    plain = extract(prepare(config_file, console=quiet()))
    found = transform_of(config_file.parent / "run")
    values = []
    for features, extra in ((turned, np.linalg.slogdet(found.matrix)[1]), (plain, 0.0)):
        frames = [np.concatenate([piece.load() for _, pieces in features.training() for piece in pieces])]
        model = fit_gmm(frames[0], 8, seed=0).model
        values.append(float(np.mean(log_likelihoods(model, frames[0]))) + extra)
    assert values[0] > values[1] + 0.1
    again = config_file.parent / "again"
    run(
        config_file,
        [*overrides, "parallel.n_jobs=2", f"cache={again}-cache"],
        output=again,
        console=quiet(),
        until="train",
    )
    assert (again / "models.safetensors").read_bytes() == (config_file.parent / "run/models.safetensors").read_bytes()


def test_full_covariances_need_no_mllt(config_file: Path) -> None:
    with pytest.raises(ConfigError, match=r"mllt has no effect with model\.covariance: full"):
        run(config_file, [TURNED, "model.covariance=full"], console=quiet())
