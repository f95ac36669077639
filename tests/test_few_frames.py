"""Classes with few frames: how many components they get, what is said of it, and where the number is set."""

import csv
import json
import re
import struct
import warnings
from pathlib import Path

import numpy as np
import pytest
import yaml
from conftest import hum

import speechgmm as sg
from speechgmm.cli.inspection import inspect
from speechgmm.cli.starter import write_starter
from speechgmm.config import config_hash, load_config, make_config, to_yaml
from speechgmm.engine import run
from speechgmm.engine.class_sizes import refuse_too_few
from speechgmm.engine.console import Console
from speechgmm.engine.mixture_fit import MixtureTask
from speechgmm.errors import ConfigError, FitError, FitWarning
from speechgmm.gmm import ModelSpec, choose_n_components
from speechgmm.gmm.component_count import (
    DEFAULT_COMPONENTS,
    FRAMES_PER_COMPONENT,
    components_for,
    few_frames,
    is_too_few,
)
from speechgmm.tasks.anomaly import training as anomaly_training
from speechgmm.tasks.classification.codec import read_model_file
from speechgmm.tasks.classification.enrolment import enrol

FRAMES = 348
"""Training frames of each class of the hums."""

OWN = FRAMES // FRAMES_PER_COMPONENT
MAP = "model.adapt=map"


@pytest.fixture
def unsized(config_file: Path) -> Path:
    """The hums, with nothing said of how many components there are."""
    config_file.write_text(config_file.read_text().replace("n_components: 4, ", ""))
    return config_file


def trained(config: Path, *overrides: str) -> tuple[list[int], list[str], Path]:
    """Components of each class, what was warned of few frames, and the run's folder."""
    console = Console(quiet=True)
    folder = config.parent / f"run-{len(list(config.parent.glob('run-*')))}"
    run(config, overrides, output=folder, console=console, until="train")
    sizes = [len(model.weights) for model in read_model_file(folder / "models.safetensors").models.models]
    return sizes, sorted(text for text in console.warned if "frames" in text and "components" in text), folder


def test_a_component_is_given_the_frames_it_needs_and_a_class_one_component_at_least() -> None:
    for n_frames in (1, 31, 205, 799, 800, 10**6):
        size = components_for(n_frames)
        assert size == 1 or n_frames >= size * FRAMES_PER_COMPONENT
        assert not is_too_few(n_frames, size)
        assert size == DEFAULT_COMPONENTS or n_frames < (size + 1) * FRAMES_PER_COMPONENT


def test_where_nobody_says_how_many_frames_decide_and_all_classes_are_told_of_once(unsized: Path) -> None:
    sizes, said, folder = trained(unsized)
    assert sizes == [OWN] * 3
    assert len(said) == 1
    assert f"3 of 3 classes have too few frames for 32 components, and get one for each 25 frames, {OWN}" in said[0]
    assert f"'high' has {FRAMES} frames" in said[0]
    assert "model.adapt: map" in said[0]
    recipe = read_model_file(folder / "models.safetensors").recipe
    assert recipe is not None
    assert recipe.spec.n_components is None  # a class that is enrolled gets what its own frames bear
    assert "how many components: 32, or one for each 25 frames of a class" in inspect(folder / "models.safetensors")
    rows = list(csv.DictReader((folder / "classes.tsv").read_text().splitlines(), delimiter="\t"))
    assert [int(row["n_components"]) for row in rows] == sizes


def test_a_number_that_is_asked_for_is_kept_and_warned_of_once_with_what_to_set(unsized: Path) -> None:
    sizes, said, _ = trained(unsized, "model.n_components=32")
    assert sizes == [32] * 3
    assert len(said) == 1
    assert "model.n_components is 32, and 3 of 3 classes have fewer than 25 frames for each component" in said[0]
    assert (
        f"leave model.n_components out, so that each class gets what its frames bear, or set it to at most {OWN}"
        in said[0]
    )
    assert trained(unsized, f"model.n_components={OWN}")[:2] == ([OWN] * 3, [])


def test_one_component_is_never_too_many() -> None:
    assert few_frames({"a": 1, "b": 3}, 1) is None
    with pytest.raises(FitError, match=r"(?s)at most 13, one for each 25 frames, or leave it out"):
        refuse_too_few(ModelSpec(n_components=999), {"high": FRAMES}, 13)


def test_a_fold_with_fewer_frames_than_the_whole_is_told_of(unsized: Path) -> None:
    _, said, _ = trained(unsized, "model.n_components=16", "corpus.split={kind: kfold, folds: 4}")
    assert [text.startswith("in the training part of a fold, model.n_components is 16") for text in said] == [True]


def test_what_is_not_said_and_32_are_two_requests_and_the_first_has_the_hash_it_always_had() -> None:
    assert config_hash(make_config({})) == "01e7b720ff566d53"
    assert config_hash(make_config({"model": {"n_components": 8}})) == "4b3998fcde6f0212"
    assert config_hash(make_config({"model": {"n_components": 32}})) != config_hash(make_config({}))
    assert make_config(yaml.safe_load(to_yaml(make_config({})))) == make_config({})


def test_a_number_of_components_given_to_adapted_classes_is_the_background_models(config_file: Path) -> None:
    for override in (MAP, "model={adapt: map, ubm: {n_components: 4, max_iter: 5}}"):
        sizes, _, folder = trained(config_file, override)
        assert sizes == [4] * 3
        kept = yaml.safe_load((folder / "config.yaml").read_text())["model"]
        assert (kept["n_components"], kept["ubm"]["n_components"], kept["ubm"]["max_iter"]) == (None, 4, 5)
    moved, said = (
        load_config(config_file, [override])
        for override in (MAP, "model={adapt: map, ubm: {n_components: 4, max_iter: 5}}")
    )
    assert config_hash(moved.config) == config_hash(said.config)
    assert [note.split(":")[0] for note in moved.notes] == ["model.n_components", "model.max_iter"]
    assert "4 is read as model.ubm.n_components" in moved.notes[0]
    assert said.notes == ()
    again = make_config(yaml.safe_load(to_yaml(moved.config)))
    assert again == moved.config


def test_the_note_is_said_by_the_run(config_file: Path) -> None:
    _, _, folder = trained(config_file, MAP)
    assert "model.n_components: 4 is read as model.ubm.n_components" in (folder / "log.txt").read_text()


@pytest.mark.parametrize("name", ["n_components", "max_iter"])
def test_two_sizes_of_one_background_model_are_refused_with_both(name: str) -> None:
    model = {"adapt": "map", name: 8, "ubm": {name: 64}}
    with pytest.raises(ConfigError, match=rf"model.{name} is 8 and model.ubm.{name} is 64; .* leave out model.{name}"):
        make_config({"model": model})
    make_config({"model": {**model, "ubm": {name: 8}}})


@pytest.mark.slow
def test_a_background_model_of_few_frames_gets_what_they_bear_and_says_so(unsized: Path) -> None:
    sizes, said, _ = trained(unsized, MAP)
    assert sizes == [3 * FRAMES // FRAMES_PER_COMPONENT] * 3
    assert len(said) == 1
    assert f"the background model has {3 * FRAMES} frames, too few for 128 components" in said[0]
    sizes, said, _ = trained(unsized, MAP, "model.ubm.n_components=64")
    assert sizes == [64] * 3
    assert "model.ubm.n_components is 64" in said[0]
    with pytest.raises(
        ConfigError, match=r"scoring.top_components is 100, and the background model gets 41 components"
    ):
        trained(unsized, MAP, "scoring.top_components=100")


def test_model_files_that_say_32_for_adapted_classes_are_read_as_before(config_file: Path) -> None:
    _, _, folder = trained(config_file, "model={adapt: map, ubm: {n_components: 8}}")
    path = folder / "models.safetensors"
    data = path.read_bytes()
    (length,) = struct.unpack("<Q", data[:8])
    outer = json.loads(data[8 : 8 + length])
    key = next(key for key, text in outer["__metadata__"].items() if '"adapt_parameters"' in text)
    inner = json.loads(outer["__metadata__"][key])
    inner["recipe"]["spec"] |= {"n_components": 32, "max_iter": 20}
    outer["__metadata__"][key] = json.dumps(inner)
    head = json.dumps(outer).encode()
    head += b" " * (-len(head) % 8)
    path.write_bytes(struct.pack("<Q", len(head)) + head + data[8 + length :])
    recipe = read_model_file(path).recipe
    assert recipe is not None
    assert recipe.spec.ubm.n_components == 8


def test_auto_gives_one_component_where_frames_are_too_few_to_choose_by() -> None:
    frames = np.random.default_rng(0).normal(size=(9, 2))
    for criterion in ("bic", "held_out", "occupancy"):
        assert choose_n_components(frames, criterion=criterion).fit.model.n_components == 1  # type: ignore[arg-type]


def test_an_anomaly_model_and_those_without_a_part_have_as_many_components(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import soundfile

    rows = ["path\tsplit\tcondition\tmachine"]
    for n in range(10):
        soundfile.write(tmp_path / f"{n}.wav", hum(n, 110.0 * (1 + 0.01 * n), 0.5), 8000)
        rows.append(f"{n}.wav\t{'train' if n < 9 else 'test'}\tnormal\tfan")
    (tmp_path / "m.tsv").write_text("\n".join(rows) + "\n")
    (tmp_path / "m.yaml").write_text(
        "task: anomaly\ncorpus: {kind: manifest, path: m.tsv, label: machine, sample_rate: 8000}\n"
        f"model: {{max_iter: 2}}\nanomaly: {{folds: 3, false_alarm: 0.2}}\ncache: cache\noutput: {tmp_path / 'run'}\n"
        "parallel: {n_jobs: 1}\n"
    )
    sizes: list[object] = []
    train = anomaly_training.train_mixtures

    def seen(job: object, tasks: list[MixtureTask], what: str) -> object:
        sizes.extend(task.spec.n_components for task in tasks)
        return train(job, tasks, what)  # type: ignore[arg-type]

    monkeypatch.setattr(anomaly_training, "train_mixtures", seen)
    console = Console(quiet=True)
    run(tmp_path / "m.yaml", console=console, until="train")
    assert len(sizes) == 4
    assert len(set(sizes)) == 1
    assert 1 < sizes[0] < 32  # type: ignore[operator]
    assert [text for text in console.warned if "1 of 1 classes have too few frames for 32 components" in text]


def test_train_classes_warns_once_where_frames_are_few_and_shares_components_out() -> None:
    rng = np.random.default_rng(0)
    frames = {"ann": rng.normal(size=(205, 13)), "bob": rng.normal(size=(31, 13)), "eve": rng.normal(size=(900, 13))}
    with pytest.warns(FitWarning, match=r"2 of 3 classes .*, 1 to 8: 'bob' has 31 frames, 'ann' 205") as said:
        classes = sg.train_classes(frames)
    assert [model.n_components for model in classes.models] == [8, 1, 32]
    assert len(said) == 1
    with pytest.warns(FitWarning) as said:  # of the floor too
        classes = sg.train_classes(frames, 16)
    assert re.search(r"n_components is 16, and 2 of 3 classes .* at most 1", str(said[0].message))
    assert [model.n_components for model in classes.models] == [16] * 3
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        sg.train_classes(frames, 1)


def test_a_class_of_few_frames_that_is_enrolled_is_warned_of(
    config_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _, _, folder = trained(config_file, "model.n_components=13")
    recordings = sorted((config_file.parent / "hums" / "low").glob("*.wav"))
    _, report = enrol(read_model_file(folder / "models.safetensors"), "new", recordings[:2])
    assert report.warning is not None
    assert "116 frames for 13 components" in report.warning
    _, report = enrol(read_model_file(folder / "models.safetensors"), "new", recordings[:6])
    assert report.warning is None


def test_init_leaves_the_number_of_components_to_the_frames(
    corpus_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(corpus_folder.parent)
    for path in corpus_folder.glob("*/[2-9].wav"):
        path.unlink()
    write_starter(corpus_folder, purpose="speaker")
    model = load_config("hums.yaml").config.model
    assert (model.n_components, model.ubm.n_components) == (None, None)


def test_few_recordings_of_real_speakers_are_recognised_better_than_by_32_components(shared: Path) -> None:
    import soundfile

    spec = sg.FeatureSpec(preset="kaldi", deltas=2)

    def frames(digit: int, speaker: str, index: int) -> np.ndarray:  # type: ignore[type-arg]
        samples, rate = soundfile.read(
            shared / "data" / "fsdd" / "recordings" / f"{digit}_{speaker}_{index}.wav", dtype="float32"
        )
        return sg.extract(spec, samples, rate)

    speakers = ("george", "jackson", "lucas", "nicolas", "theo", "yweweler")
    training = {name: np.concatenate([frames(digit, name, 7) for digit in (1, 4, 6, 7, 9)]) for name in speakers}
    tests = [(name, frames(digit, name, 1)) for name in speakers for digit in range(10)]
    right = []
    for size in (None, DEFAULT_COMPONENTS):
        with pytest.warns(FitWarning):
            classes = sg.train_classes(training, size)
        right.append(np.mean([classes.classify(test) == name for name, test in tests]))
    assert right[0] > right[1] + 0.1
