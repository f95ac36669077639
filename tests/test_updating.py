"""A class of a model in use that hears more recordings: what the command and the model file hold to."""

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
from conftest import hum

from speechgmm import cli
from speechgmm.engine import run
from speechgmm.engine.console import Console
from speechgmm.engine.recipe import recording_number
from speechgmm.errors import ConfigError, DataError, FitError
from speechgmm.io.audio import recording_key
from speechgmm.tasks.classification.change_command import Update
from speechgmm.tasks.classification.codec import ModelFile, read_model_file, serialise
from speechgmm.tasks.classification.enrolment import enrol
from speechgmm.tasks.classification.updates import update_class

QUIET = Console(quiet=True)
ADAPTED = "model={adapt: map, ubm: {n_components: 4}, adapt_parameters: [weights, means, variances]}"


def trained(config_file: Path, *overrides: str) -> ModelFile:
    run(config_file, overrides, console=QUIET, until="train")
    return read_model_file(config_file.parent / "run" / "models.safetensors")


def hums(config_file: Path, label: str = "low") -> list[Path]:
    return sorted((config_file.parent / "hums" / label).glob("*.wav"))


def fresh(config_file: Path) -> list[Path]:
    """Low hums that no class was trained on."""
    folder = config_file.parent / "fresh"
    folder.mkdir(exist_ok=True)
    for n in range(3):
        soundfile.write(folder / f"{n}.wav", hum(1000 + n, 110.0), 8000)
    return sorted(folder.glob("*.wav"))


def test_a_recording_counts_once(config_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = trained(config_file, ADAPTED)
    assert file.recipe is not None
    seen = file.recipe.seen["low"]
    trained_on = [path for path in hums(config_file) if recording_number(recording_key(path)) in seen]
    assert len(trained_on) == 6
    (tmp_path / "renamed.wav").write_bytes(trained_on[2].read_bytes())
    new, *others = fresh(config_file)
    for again in (trained_on[0], tmp_path / "renamed.wav"):
        with pytest.raises(DataError, match=rf"1 of 2 recordings were counted by class 'low' already.*{again.name}"):
            update_class(file, "low", [new, again])
    updated, report = update_class(file, "low", [new])
    assert report.knows_recordings
    enrolled, _ = enrol(updated, "new", others)
    (tmp_path / "m.safetensors").write_bytes(serialise(enrolled))
    read = read_model_file(tmp_path / "m.safetensors")
    for label, counted in (("low", new), ("new", others[0])):
        with pytest.raises(DataError, match="counted by class"):
            update_class(read, label, [counted])
    update_class(read, "low", [new], keep=0.0)  # what was forgotten may be counted again
    old = replace(file, recipe=replace(file.recipe, seen={}))
    (tmp_path / "m.safetensors").write_bytes(serialise(old))
    Update(model=tmp_path / "m.safetensors", audio=trained_on[:1], label="low").run()
    assert "does not say which recordings class 'low' has counted" in capsys.readouterr().err
    again_old = read_model_file(tmp_path / "m.safetensors")
    mixed, _ = enrol(again_old, "new", others)
    (tmp_path / "m.safetensors").write_bytes(serialise(mixed))
    assert read_model_file(tmp_path / "m.safetensors").recipe.seen.keys() == {"new"}  # type: ignore[union-attr]


def test_copies_of_a_recording_are_not_counted_beside_it(config_file: Path, tmp_path: Path) -> None:
    file = trained(config_file, ADAPTED)
    one, other, _ = fresh(config_file)
    (tmp_path / "copy.wav").write_bytes(one.read_bytes())
    for change in (update_class, enrol):
        with pytest.raises(DataError, match=r"0\.wav and .*copy\.wav are the same, byte for byte"):
            change(file, "low" if change is update_class else "new", [one, other, tmp_path / "copy.wav"])


def test_the_model_file_keeps_what_every_class_has_seen(config_file: Path, tmp_path: Path) -> None:
    file = trained(config_file)
    assert file.recipe is not None
    for model, counts in zip(file.models.models, file.recipe.counts, strict=True):
        assert counts.sum() == pytest.approx(348, rel=1e-5)
        np.testing.assert_allclose(counts / counts.sum(), model.weights, atol=1e-5)
    larger, made = enrol(file, "new", hums(config_file)[:2])
    assert larger.recipe is not None
    assert larger.recipe.counts[-1].sum() == pytest.approx(made.n_frames, rel=1e-5)
    (tmp_path / "m.safetensors").write_bytes(serialise(larger))
    again = read_model_file(tmp_path / "m.safetensors")
    assert again.recipe is not None
    np.testing.assert_array_equal(np.concatenate(again.recipe.counts), np.concatenate(larger.recipe.counts))


@pytest.mark.parametrize("cmvn", ["none", "global"])
def test_a_class_enrolled_and_updated_is_the_one_enrolled_from_all_recordings(config_file: Path, cmvn: str) -> None:
    file = trained(config_file, ADAPTED, "model.precision=float64", f"features.cmvn={cmvn}", "features.vad=peak")
    recordings = hums(config_file)
    whole, _ = enrol(file, "new", recordings[:5])
    part, _ = enrol(file, "new", recordings[:2])
    updated, report = update_class(part, "new", recordings[2:5])
    for name in ("weights", "means", "variances"):
        ours, theirs = (getattr(found.models.models[-1], name) for found in (updated, whole))
        np.testing.assert_allclose(ours, theirs, rtol=1e-6, atol=1e-8)
    assert report.n_before + report.n_frames == pytest.approx(whole.recipe.counts[-1].sum())  # type: ignore[union-attr]
    assert all(a is b for a, b in zip(updated.models.models[:-1], part.models.models[:-1], strict=True))


def test_one_gaussian_trained_and_updated_is_the_one_trained_on_all(config_file: Path) -> None:
    file = trained(config_file, "model={n_components: 1, precision: float64, variance_floor: 0.0001}")
    recordings = hums(config_file)
    whole, _ = enrol(file, "new", recordings[:6])
    part, _ = enrol(file, "new", recordings[:1])
    updated, _ = update_class(part, "new", recordings[1:6])
    np.testing.assert_allclose(updated.models.models[-1].means, whole.models.models[-1].means, rtol=1e-8)
    np.testing.assert_allclose(updated.models.models[-1].variances, whole.models.models[-1].variances, rtol=1e-6)


@pytest.mark.slow
def test_an_update_says_what_was_fitted_to_the_models_as_they_were(config_file: Path) -> None:
    run(config_file, console=QUIET)
    file = read_model_file(config_file.parent / "run" / "models.safetensors")
    _, report = update_class(file, "low", fresh(config_file)[:1])
    assert report.stale == (() if file.models.temperature is None else ("the temperature of its posteriors",))
    assert file.models.temperature is not None


def test_a_model_without_counts_needs_to_be_told_what_it_is_worth(config_file: Path) -> None:
    file = trained(config_file)
    assert file.recipe is not None
    old = replace(file, recipe=replace(file.recipe, counts=()))
    with pytest.raises(ConfigError, match=r"does not say how much 'low' has seen .* say with worth"):
        update_class(old, "low", fresh(config_file)[:1])
    _, report = update_class(old, "low", fresh(config_file)[:1], worth=3.48)
    assert report.n_before == 348
    with pytest.raises(ConfigError, match=r"worth 5: the model says itself what 'low' has seen \(348 frames\)"):
        update_class(file, "low", fresh(config_file)[:1], worth=5.0)
    with pytest.raises(ConfigError, match="worth -1; expected seconds"):
        update_class(old, "low", fresh(config_file)[:1], worth=-1.0)


def test_what_cannot_be_updated_is_named_and_nothing_is_written(config_file: Path, tmp_path: Path) -> None:
    file = trained(config_file)
    with pytest.raises(ConfigError, match=r"label lo: no such class; the model has high, low, mid \(enrol adds one"):
        update_class(file, "lo", hums(config_file)[:1])
    with pytest.raises(ConfigError, match=r"keep 1\.5; expected a share"):
        update_class(file, "low", fresh(config_file)[:1], keep=1.5)
    (tmp_path / "empty.wav").write_bytes(b"")
    with pytest.raises(DataError, match="1 of 1 recordings cannot be used, and nothing was updated"):
        update_class(file, "low", [tmp_path / "empty.wav"])
    first = fresh(config_file)[0]
    with pytest.raises(ConfigError, match="named more than once, and it would count as often"):
        update_class(file, "low", [first, first.parent / ".." / first.parent.name / first.name])


def test_fewer_frames_than_components_are_refused(config_file: Path) -> None:
    file = trained(config_file, "model.n_components=64")
    with pytest.raises(FitError, match="class 'low': 58 frames, new ones and what is kept of the old, for 64 comp"):
        update_class(file, "low", fresh(config_file)[:1], keep=0.0)


def test_the_command_writes_a_model_beside_a_runs_own(
    config_file: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    trained(config_file)
    folder, out = config_file.parent / "run", config_file.parent / "new.safetensors"

    def command(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["speechgmm", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        return int(ended.value.code or 0), *capsys.readouterr()

    capsys.readouterr()
    status, _, told = command("update", folder, "--label", "low", fresh(config_file)[0])
    assert (status, "belongs to a run" in told) == (2, True)
    status, told, _ = command("update", folder, "--label", "low", fresh(config_file)[0], "--out", out)
    assert (status, told.splitlines()[0]) == (0, "low: 58 frames, added to 348 of earlier training")
    status, _, told = command("update", out, "--label", "low", fresh(config_file)[0], "--out", out, "--in-place")
    assert (status, "give one of them" in told) == (2, True)
    for name in ("update", "enrol"):  # another model's result is none of the run's either
        status, _, told = command(
            name, out, "--label", "low", fresh(config_file)[0], "--out", folder / "models.safetensors"
        )
        assert (status, "belongs to a run" in told) == (2, True)
    status, told, warned = command("update", out, "--label", "low", fresh(config_file)[1], "--keep", "0.5")
    assert "from the next release on this needs --in-place" in warned
    assert (status, told.splitlines()[0]) == (
        0,
        "low: 58 frames, added to 406 of earlier training, which have weight 0.5 now",
    )
    file = read_model_file(out)
    assert file.recipe is not None
    assert file.recipe.counts[1].sum() == pytest.approx(203 + 58, rel=1e-4)
    status, _, warned = command("update", out, "--label", "low", fresh(config_file)[2], "--in-place")
    assert (status, "warning" in warned) == (0, False)
