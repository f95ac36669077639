"""Frames that another program computed: what is trained on them, scored with them, and refused of them."""

import json
import re
import tracemalloc
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import load_file
from test_tasks import RATE, TASKS
from typer.testing import CliRunner, Result

import speechgmm as sg
from speechgmm.cli import app
from speechgmm.config import make_config
from speechgmm.corpus import CorpusSpec, SplitSpec, read_corpus
from speechgmm.corpus.layouts import recognise
from speechgmm.engine import extract, prepare, run
from speechgmm.engine.console import Console
from speechgmm.engine.sweeps import grid_points, sweep
from speechgmm.errors import ConfigError, DataError, RecordingWarning, ShapeError
from speechgmm.features import FeatureSpec, raw_features
from speechgmm.features.deltas import append_deltas
from speechgmm.io.frame_files import FrameSource, write_ark, write_htk, write_npz, write_sphinx
from speechgmm.io.given_frames import named_places, place_of, place_shape, read_place, read_speech, source_at
from speechgmm.io.label_files import read_labels

OF_RECORDINGS = {"seen"}
"""What a model file knows of the recordings themselves: hashes of their bytes."""

SPEAKERS = ("ann", "ben", "cho")


def quiet() -> Console:
    return Console(quiet=True)


def command(*words: object) -> Result:
    return CliRunner().invoke(app, [str(word) for word in words])


def parameters(folder: Path) -> dict[str, bytes]:
    """The arrays of a model file, without what it knows of the recordings themselves."""
    found = load_file(folder / "models.safetensors")
    return {name: array.tobytes() for name, array in found.items() if name not in OF_RECORDINGS}


# ---------------------------------------------------------------- the same as from recordings


def on_frames(text: str) -> tuple[str, FeatureSpec]:
    """A configuration on recordings as one on frames beside them, and the spec of these frames."""
    found = re.search(r"^features: \{(.*)\}\n", text, re.MULTILINE)
    spec = FeatureSpec(**{key: int(value) for key, value in re.findall(r"(\w+): (\d+)", found[1] if found else "")})
    text = text.replace(found[0], "") if found else text
    text = text.replace("sample_rate: 8000", "features: '{path}.npy'")
    return text + "features: {kind: given, frame_shift: 10}\n", spec


@pytest.mark.slow
@pytest.mark.parametrize("task", [name for name in TASKS if name != "diarization"])
def test_frames_in_files_train_the_models_that_their_recordings_train(task: str, tmp_path: Path) -> None:
    make, text = TASKS[task]
    make(tmp_path)
    on_files, spec = on_frames(text)
    for path in tmp_path.glob("*.wav"):
        samples, _ = soundfile.read(path, dtype="float32")
        if task == "anomaly":  # its curve is as long as the recording, and frames do not say how long that is
            samples = samples[: 200 + (len(samples) - 200) // 80 * 80]
            soundfile.write(path, samples, RATE)
        np.save(path.with_suffix(".npy"), raw_features(spec, samples, RATE)[0])
    for name, config in (("recordings", text), ("frames", on_files)):
        path = tmp_path / f"{name}.yaml"
        path.write_text(f"{config}cache: cache\noutput: {tmp_path / name}\nparallel: {{n_jobs: 1}}\n")
        run(path, console=quiet(), until="run" if task == "anomaly" else "train")
    assert parameters(tmp_path / "frames") == parameters(tmp_path / "recordings")


# ---------------------------------------------------------------- runs on frames alone


def frames_of(speaker: int, take: int, n: int = 40) -> np.ndarray:
    rng = np.random.default_rng(100 * speaker + take)
    return rng.normal(3.0 * speaker, 1 + 0.1 * take, (n, 4)).astype(np.float32)


@pytest.fixture
def voices(tmp_path: Path) -> Path:
    """Three speakers, four recordings each, in Kaldi's files, and a configuration beside them."""
    names = [(f"{name}-{take}", number, take) for number, name in enumerate(SPEAKERS) for take in range(4)]
    write_ark(tmp_path / "f.ark", ((name, frames_of(n, take)) for name, n, take in names), tmp_path / "f.scp")
    rows = [f"{name}\t{SPEAKERS[n]}\tday{take % 2}\t{'test' if take == 3 else 'train'}" for name, n, take in names]
    (tmp_path / "m.tsv").write_text("\n".join(["id\tspeaker\tday\tsplit", *rows]) + "\n")
    (tmp_path / "c.yaml").write_text(
        "corpus: {path: m.tsv, label: speaker, features: f.scp}\nfeatures: {kind: given}\n"
        f"model: {{n_components: 2, max_iter: 3}}\ncache: cache\noutput: {tmp_path / 'run'}\nparallel: {{n_jobs: 1}}\n"
    )
    return tmp_path


def trained(folder: Path, *overrides: str, name: str = "run") -> dict[str, bytes]:
    run(folder / "c.yaml", placed(folder, overrides), output=folder / name, console=quiet(), until="train")
    return parameters(folder / name)


def placed(folder: Path, overrides: Sequence[str]) -> list[str]:
    """Overrides whose paths are relative to a folder, and not to where the tests stand."""
    keys, column = ("corpus.features=", "corpus.vad=", "cache="), "corpus.features=column:"
    return [
        one.replace("=", f"={folder}/", 1) if one.startswith(keys) and not one.startswith(column) else one
        for one in overrides
    ]


@pytest.mark.slow
def test_every_format_of_frames_trains_the_same_models(voices: Path) -> None:
    wanted = trained(voices)
    recordings = {f"{name}-{t}": frames_of(n, t) for n, name in enumerate(SPEAKERS) for t in range(4)}
    write_npz(voices / "f.npz", recordings.items())
    for ending in ("npy", "mfc", "htk"):
        (voices / ending).mkdir()
    for name, frames in recordings.items():
        np.save(voices / "npy" / f"{name}.npy", frames)
        write_sphinx(voices / "mfc" / f"{name}.mfc", frames)
        write_htk(voices / "htk" / f"{name}.htk", frames)
    lines = (voices / "m.tsv").read_text().split("\n")
    (voices / "m.tsv").write_text(
        "\n".join([f"{lines[0]}\tfile", *(f"{line}\tnpy/{line.split()[0]}.npy" for line in lines[1:-1])]) + "\n"
    )
    for number, where in enumerate(("f.npz", "f.ark", "npy", "npy/{id}.npy", "column:file", "mfc/{id}.mfc", "htk")):
        found = trained(voices, f"corpus.features={where}", "features.n_dims=4", name=f"run{number}")
        assert found == wanted, where


def test_deltas_normalisation_and_transform_of_given_frames_are_those_of_numpy(voices: Path) -> None:
    job = prepare(voices / "c.yaml", ["features.cmvn=global", "features.deltas=1"], console=quiet())
    features = extract(job)
    whole = {u.id: append_deltas(frames_of(SPEAKERS.index(u.label("speaker")), int(u.id[-1])), 1, 2, "kaldi")
             for u in features.corpus}  # fmt: skip
    pooled = np.concatenate([whole[u.id] for u in features.corpus.split("train")]).astype(np.float64)
    for utterance, piece in zip(features.corpus, features.pieces, strict=True):
        wanted = (whole[utterance.id] - pooled.mean(axis=0)) / pooled.std(axis=0)
        np.testing.assert_allclose(piece.load(), wanted, atol=2e-6)


@pytest.mark.slow
def test_the_way_of_new_frames_through_every_command_is_that_of_the_run(voices: Path) -> None:
    run(voices / "c.yaml", console=quiet())
    model, place = voices / "run", f"{voices / 'f.scp'}:ann-3"
    (head, *rows) = (voices / "run" / "scores.tsv").read_text().splitlines()
    row = dict(zip(head.split("\t"), rows[0].split("\t"), strict=True))
    scored = [json.loads(line) for line in command("score", model, place, "--format", "jsonl").stdout.splitlines()]
    assert {one["label"]: one["mean_log_likelihood"] for one in scored} == pytest.approx(
        {name: float(row[name]) for name in SPEAKERS}, abs=1e-4
    )
    every = command("score", model, voices / "f.scp", "--format", "jsonl", "--top", 1).stdout.splitlines()
    assert [json.loads(line)["file"] for line in every][:2] == [f"{voices / 'f.scp'}:ann-{n}" for n in range(2)]
    loaded = sg.load(model)
    assert loaded.sample_rate is None
    assert loaded.classify(frames_of(0, 3)).decision == loaded.classify(place).decision == "ann"
    assert [found.decision for found in loaded.classify([frames_of(2, 9), frames_of(1, 9)])] == ["cho", "ben"]
    assert len(loaded.classify(voices / "f.scp")) == 12
    np.save(voices / "new.npy", frames_of(4, 0))
    enrolled = command("enrol", model, voices / "new.npy", "--label", "dia", "--out", voices / "more.safetensors")
    assert "dia: 40 frames of 1 recording," in enrolled.stdout
    assert sg.load(voices / "more.safetensors").classify(frames_of(4, 1)).decision == "dia"
    assert "frames of 4 dimensions that another program computed, every 10 ms" in command("inspect", model).stdout
    assert "Hz" not in repr(loaded)
    assert command("check", voices / "c.yaml").exit_code == 0
    page = (voices / "run" / "report.html").read_text()
    assert "<audio" not in page


def test_folds_and_a_sweep_go_through_on_frames(voices: Path) -> None:
    folds = ["corpus.split={kind: kfold, folds: 2}", "corpus.group=day"]
    result = run(voices / "c.yaml", folds, output=voices / "folds", console=quiet(), until="train")
    assert {path.parent.name for path in (result.folder / "folds").glob("*/models.safetensors")} == {"1", "2"}
    text = (voices / "m.tsv").read_text()
    (voices / "m.tsv").write_text(re.sub(r"(-2\t.*)train", r"\1dev", text))
    points = grid_points(["features.deltas=0,1"])
    result = sweep(voices / "c.yaml", points, output=voices / "sweep", console=quiet())
    assert len(result.points) == 2


# ---------------------------------------------------------------- recordings of one frame


VECTORS = {
    "classification": "",
    "verification": "task: verification\nmodel: {adapt: map, ubm: {n_components: 2, max_iter: 3}}\n",
    "clustering": "task: clustering\nmodel: {adapt: map, ubm: {n_components: 2, max_iter: 3}}\n"
    "clustering: {kind: sounds}\n",
    "anomaly": "task: anomaly\nanomaly: {condition: day, normal: day0, false_alarm: 0.4, folds: 2}\n",
}


def vectors(folder: Path, task: str) -> Path:
    """Ten vectors of each of two speakers, and a configuration."""
    rng, rows = np.random.default_rng(0), ["id\tspeaker\tday\tsplit"]
    made = {}
    for number, name in enumerate(SPEAKERS[:2]):
        for take in range(10):
            split = "train" if take < 6 else "test"
            made[f"{name}-{take}"] = rng.normal(4 * number, 1, (1, 3)).astype(np.float32)
            rows.append(f"{name}-{take}\t{name}\tday{0 if split == 'train' else take % 2}\t{split}")
    write_npz(folder / "v.npz", made.items())
    (folder / "m.tsv").write_text("\n".join(rows) + "\n")
    path = folder / "v.yaml"
    model = "" if "model" in VECTORS[task] else "model: {n_components: 1}\n"
    path.write_text(
        f"{VECTORS[task]}corpus: {{path: m.tsv, label: speaker, features: v.npz}}\nfeatures: {{kind: given}}\n{model}"
        f"cache: cache\noutput: {folder / task}\nparallel: {{n_jobs: 1}}\n"
    )
    return path


@pytest.mark.slow
@pytest.mark.parametrize("task", VECTORS)
def test_a_vector_is_a_recording_of_one_frame(task: str, tmp_path: Path) -> None:
    result = run(
        vectors(tmp_path, task), console=quiet(), until="run" if task in ("anomaly", "clustering") else "train"
    )
    assert all(piece.n_frames == 1 for piece in result.features.pieces)
    model = sg.load(result.folder)
    near, far = np.zeros(3), np.full(3, 4.0)
    if task == "classification":
        assert [model.classify(one).decision for one in (near, far)] == ["ann", "ben"]
    elif task == "verification":
        assert model.verify(near, claim="ann").score > model.verify(far, claim="ann").score
    elif task == "clustering":
        clusters = model.cluster([near, far, near + 0.1, far + 0.1], n_clusters=2).clusters
        assert clusters[0] == clusters[2] != clusters[1] == clusters[3]
    else:
        assert model.anomaly(near, label="ann").score < model.anomaly(far + 9, label="ann").score


@pytest.mark.parametrize(
    ("task", "override", "error"),
    [
        ("classification", "features.cmvn=utterance", r"cmvn: utterance: every recording here is one frame"),
        ("classification", "features.cmvn=sliding", r"cmvn: sliding: every recording here is one frame"),
        ("classification", "features.deltas=2", r"deltas: 2: every recording here is one frame"),
        ("clustering", "clustering.kind=speakers", r"set clustering.kind: sounds"),
    ],
)
def test_what_leaves_nothing_of_one_frame_is_refused(task: str, override: str, error: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=error):
        run(vectors(tmp_path, task), [override], console=quiet(), until="train")


# ---------------------------------------------------------------- which frames are speech


def test_frames_that_a_file_calls_no_speech_are_as_if_they_were_cut_out(voices: Path) -> None:
    (voices / "vad").mkdir()
    rng, kept = np.random.default_rng(1), {}
    for number, name in enumerate(SPEAKERS):
        for take in range(4):
            speech = rng.random(40) < 0.7
            np.save(voices / "vad" / f"{name}-{take}.npy", speech)
            kept[f"{name}-{take}"] = frames_of(number, take)[speech]
    found = trained(voices, "corpus.vad=vad/{id}.npy", "features.cmvn=utterance", name="chosen")
    write_npz(voices / "cut.npz", kept.items())
    assert found == trained(voices, "corpus.features=cut.npz", "features.cmvn=utterance", name="cut")
    flags = ((name, np.load(voices / "vad" / f"{name}.npy")[None].astype(np.float32)) for name in kept)
    write_ark(voices / "v.ark", flags, voices / "vad.scp")
    assert found == trained(voices, "corpus.vad=vad.scp", "features.cmvn=utterance", name="kaldi")
    with pytest.warns(RecordingWarning, match="all of its frames count"):
        sg.load(voices / "chosen").classify(frames_of(0, 3))


@pytest.mark.parametrize(
    ("values", "error"),
    [
        (np.ones(39), "39 values; expected 1 or 0 for each of the recording's 40 frames"),
        (np.full(40, 2), "holds 2; expected 1"),
        (np.zeros(40), "keeps none of its frames"),
        (np.array(["a"]), "an array of <U1"),
    ],
)
def test_a_file_of_speech_that_does_not_fit_is_named(values: np.ndarray, error: str, voices: Path) -> None:
    (voices / "vad").mkdir()
    for name in (f"{speaker}-{take}" for speaker in SPEAKERS for take in range(4)):
        np.save(voices / "vad" / f"{name}.npy", values if name == "ben-2" else np.ones(40))
    with pytest.raises(DataError, match=rf"(?s)1 of 12 utterances.*ben-2.npy.*{error}"):
        trained(voices, "corpus.vad=vad/{id}.npy")


# ---------------------------------------------------------------- what is refused


def spoilt(folder: Path, frames: np.ndarray | None) -> None:
    """The recordings as .npy files, one of them with other frames, or missing."""
    (folder / "npy").mkdir()
    for number, name in enumerate(SPEAKERS):
        for take in range(4):
            np.save(folder / "npy" / f"{name}-{take}.npy", frames_of(number, take))
    path = folder / "npy" / "ben-1.npy"
    path.unlink()
    if frames is not None:
        np.save(path, frames)


def with_nan(value: float) -> np.ndarray:
    frames = frames_of(1, 1)
    frames[7, 2] = value
    return frames


@pytest.mark.slow
@pytest.mark.parametrize(
    ("frames", "error"),
    [
        (np.ones((40, 5), np.float32), "ben-1.npy: frames of 5 .*; expected 4"),
        (with_nan(np.nan), r"ben-1.npy: 1 of its 40 frames are not finite; the first is frame 7, dimension 2 \(nan\)"),
        (with_nan(np.inf), r"frame 7, dimension 2 \(inf\)"),
        (np.empty((0, 4), np.float32), "ben-1.npy: 0 frames of 4 values"),
        (None, "ben-1.npy: there is no such file"),
    ],
)
def test_one_spoilt_file_of_many_is_named_and_nothing_is_written(
    frames: np.ndarray | None, error: str, voices: Path
) -> None:
    spoilt(voices, frames)
    with pytest.raises(DataError, match=rf"(?s)1 of 12 utterances cannot be used.*{error}"):
        trained(voices, "corpus.features=npy/{id}.npy")
    assert not list((voices / "run").glob("*.safetensors"))
    skip = placed(voices, ["corpus.features=npy/{id}.npy", "corpus.on_error=skip"])
    run(voices / "c.yaml", skip, output=voices / "skipped", console=quiet(), until="train")
    assert "ben-1" in (voices / "skipped" / "rejected.tsv").read_text()


def test_names_that_do_not_match_are_counted_on_either_side(voices: Path) -> None:
    text = (voices / "m.tsv").read_text()
    (voices / "m.tsv").write_text(text.replace("ben-", "bill-"))
    error = r"4 of 12 utterances have no frames in it, and 4 of its 12 recordings no utterance.\nUtterances: bill-0, "
    with pytest.raises(DataError, match=error + r"bill-1, bill-2, bill-3\nFrames: ben-0, ben-1, ben-2, ben-3\n"):
        trained(voices)


def test_a_label_outside_of_its_recording_is_named(voices: Path) -> None:
    rows = (
        "id\tpath\tstart\tend\tspeaker\tsplit",
        "w\tann-0\t0\t0.2\tann\ttrain",
        "x\tann-0\t0.2\t7\tann\ttest",
        "y\tben-0\t0\t0.3\tben\ttrain",
        "z\tben-0\t0.3\t0.4\tben\ttest",
    )
    (voices / "m.tsv").write_text("\n".join(rows) + "\n")
    with pytest.raises(ConfigError, match=r"m.tsv, line 2 has a start or an end in seconds.*set features.frame_shift"):
        trained(voices)
    with pytest.raises(DataError, match=r"m.tsv, line 3: ends at 7 s, past the end of f.ark:\d+ \(0.415 s\)"):
        trained(voices, "features.frame_shift=10")


@pytest.mark.parametrize(
    ("keys", "error"),
    [
        ({"features": {"kind": "given", "n_ceps": 20}}, "features.n_ceps: 20 has no effect with kind given"),
        ({"features": {"kind": "given", "vad": "energy"}}, "features.vad: energy has no effect with kind given"),
        ({"features": {"n_dims": 20}}, "features.n_dims: 20 has no effect on frames that are computed"),
        ({"features": {"kind": "given"}, "corpus": {"sample_rate": 8000}}, "corpus.sample_rate: 8000 is about samples"),
        ({"features": {"kind": "given"}, "corpus": {"resample": True}}, "corpus.resample: True is about samples"),
        ({"features": {"kind": "given"}, "augment": {"speeds": [0.9]}}, "augment alters samples"),
        ({"corpus": {"features": "f.scp"}}, "corpus.features is 'f.scp', and features.kind: mfcc computes"),
        ({"corpus": {"vad": "v.scp"}, "features": {"vad": "peak"}}, "corpus.vad is 'v.scp', and features.vad, or"),
        (
            {"features": {"kind": "given"}, "corpus": {"vad": "v.scp"}, "task": "recognition"},
            "recognition takes whole recordings",
        ),
        (
            {
                "task": "anomaly",
                "features": {"kind": "given"},
                "anomaly": {"streams": [{"name": "a"}, {"name": "b", "features": {"n_ceps": 8}}]},
            },
            "stream 'b': features.kind is mfcc, and that of the configuration given",
        ),
        ({"corpus": {"split": {"names": {"background": "world"}}}}, "'background' is 'world'; expected a split"),
    ],
)
def test_settings_that_frames_have_no_use_for_are_refused(keys: dict[str, object], error: str) -> None:
    corpus = {"path": "m.tsv", **keys.get("corpus", {})}  # type: ignore[dict-item]
    with pytest.raises(ConfigError, match=error):
        make_config({**keys, "corpus": corpus})


@pytest.mark.parametrize("name", ["speaker", "phone", "word", "sound", "verification", "anomaly"])
def test_a_preset_sets_of_given_frames_what_they_have_a_use_for(name: str) -> None:
    values = {"defaults": name, "corpus": {"path": "m.tsv"}, "features": {"kind": "given"}}
    assert make_config(values).features.kind == "given"
    assert make_config({**values, "features": {"kind": "given", "cmvn": "none"}}).features.cmvn == "none"
    with pytest.raises(ConfigError, match="augment alters samples"):
        make_config({**values, "augment": {"speeds": [0.9]}})


def test_diarization_takes_no_given_frames() -> None:
    corpus = {"path": "m.tsv", "group": "speaker"}
    with pytest.raises(ConfigError, match="task: diarization takes cepstra"):
        make_config({"task": "diarization", "corpus": corpus, "features": {"kind": "given"}})


def test_recordings_and_frames_are_not_taken_for_each_other(voices: Path) -> None:
    trained(voices)
    soundfile.write(voices / "a.wav", np.zeros(800) + 0.1, RATE)
    model = sg.load(voices / "run")
    with pytest.raises(DataError, match=r"a.wav: a recording; expected frames that another program computed"):
        model.classify(voices / "a.wav")
    with pytest.raises(DataError, match=r"frames: frames of 5 dimensions; expected 4"):
        model.classify(np.zeros((3, 5)))
    with pytest.raises(DataError, match="frames of type int64; expected floats"):
        model.classify(np.zeros((3, 4), int))
    with pytest.raises(ShapeError, match=r"frames have shape \(1, 3, 4\)"):
        model.classify(np.zeros((1, 3, 4)))
    with pytest.raises(ConfigError, match="sample_rate=8000 is for samples"):
        model.classify(np.zeros((3, 4)), 8000)
    with pytest.raises(ConfigError, match="resample is about recordings"):
        sg.load(voices / "run", resample=True)
    (voices / "m.tsv").write_text("path\tspeaker\tsplit\na.wav\tann\ttrain\nb.wav\tben\ttrain\nc.wav\tben\ttest\n")
    with pytest.raises(ConfigError, match=r"features.kind: given, and .*a.wav is a recording"):
        prepare(voices / "c.yaml", ["corpus.features=null"], console=quiet())


def test_a_model_of_recordings_says_what_frames_are(config_file: Path) -> None:
    run(config_file, console=quiet(), until="train")
    np.save(config_file.parent / "a.npy", np.zeros((3, 13), np.float32))
    with pytest.raises(DataError, match=r"a.npy: frames that another program computed, and the model computes its own"):
        sg.load(config_file.parent / "run").classify(config_file.parent / "a.npy")


def test_frames_are_not_streamed_as_samples(voices: Path) -> None:
    trained(voices)
    with pytest.raises(ConfigError, match=r"features.kind: given reads frames"):
        sg.load(voices / "run").stream(8000)


# ---------------------------------------------------------------- where frames are


places = st.builds(
    FrameSource,
    path=st.sampled_from([Path("/a/f.npy"), Path("/a/f.ark"), Path("b/f.npz"), Path("x.mfc")]),
    first=st.integers(0, 10),
    stop=st.one_of(st.none(), st.integers(11, 2**40)),
)


@given(places, st.text(st.characters(codec="utf-8", exclude_characters=":[]/\n\0"), min_size=1), st.integers(0, 2**50))
@settings(max_examples=40)
def test_the_path_of_a_place_names_the_place(source: FrameSource, key: str, offset: int) -> None:
    by_name = replace(source, key=key) if source.path.suffix == ".npz" else source
    by_offset = replace(source, offset=offset) if source.path.suffix == ".ark" else by_name
    assert source_at(place_of(by_offset)) == by_offset


def test_every_recording_of_a_file_is_scored_under_a_path_that_names_it(tmp_path: Path) -> None:
    held = {name: np.full((4, 2), n, np.float32) for n, name in enumerate(("anna", "4", "1031", "b c.d", "x:7"))}
    plain = {name: frames for name, frames in held.items() if " " not in name}
    write_npz(tmp_path / "F.NPZ", held.items())
    write_ark(tmp_path / "f.ark", plain.items(), tmp_path / "f.scp")
    for path, there in ((tmp_path / "F.NPZ", held), (tmp_path / "f.ark", plain), (tmp_path / "f.scp", plain)):
        read = [read_place(place, 2) for place in named_places([path])]
        np.testing.assert_array_equal(read, list(there.values()))


@pytest.mark.slow
def test_label_files_call_frames_in_a_file_of_several_by_their_names(voices: Path) -> None:
    run(voices / "c.yaml", console=quiet())
    assert not command("score", voices / "run", voices / "f.scp", "--out", voices / "all.ctm").exit_code
    names = [line.split()[0] for line in (voices / "f.scp").read_text().splitlines()]
    assert list(dict.fromkeys(one.recording for one in read_labels(voices / "all.ctm"))) == names
    assert not command(
        "score", voices / "run", voices / "f.scp", "--format", "audacity", "--out", voices / "labels"
    ).exit_code
    assert sorted(path.stem for path in (voices / "labels").iterdir()) == sorted(names)


def test_a_path_that_no_file_can_have_is_one_that_is_not_there(tmp_path: Path) -> None:
    for name in "abcd":
        np.save(tmp_path / f"{name}.npy", np.ones((5, 2), np.float32))
    rows = "".join(f"{name}\t{n % 2}\t{name}.npy\n" for n, name in enumerate("abcd"))
    (tmp_path / "m.tsv").write_text("id\tclass\tframes\n" + rows.replace("b.npy", "\0b.npy"))
    (tmp_path / "c.yaml").write_text(
        "corpus: {path: m.tsv, label: class, features: 'column:frames', split: {kind: fraction, test: 0.5}}\n"
        "features: {kind: given, cmvn: none}\nmodel: {n_components: 1}\nparallel: {n_jobs: 1}\ncache: none\n"
    )
    with pytest.raises(DataError, match=r"1 of 4 utterances cannot be used(.|\n)*b\.npy: there is no such file"):
        run(tmp_path / "c.yaml", output=tmp_path / "run", console=quiet())


@pytest.mark.parametrize("ending", ["npz", "scp"])
def test_a_name_that_ends_as_rows_do_is_a_name(tmp_path: Path, ending: str) -> None:
    arrays = {"a[0:1]": np.zeros((3, 2), np.float32), "a": np.ones((5, 2), np.float32)}
    np.savez(tmp_path / "f.npz", **arrays)
    write_ark(tmp_path / "f.ark", iter(arrays.items()), tmp_path / "f.scp")
    for name, array in arrays.items():
        np.testing.assert_array_equal(read_place(Path(f"{tmp_path}/f.{ending}:{name}"), None), array)
    assert read_place(Path(f"{tmp_path}/f.{ending}:a[0:2]"), None).shape == (3, 2)  # no such name: rows


def test_rows_of_a_name_are_rows_of_what_the_name_stands_for(tmp_path: Path) -> None:
    frames = np.arange(40, dtype=np.float32).reshape(20, 2)
    write_ark(tmp_path / "f.ark", [("whole", frames)], tmp_path / "f.scp")
    entry = (tmp_path / "f.scp").read_text().split()[1]
    (tmp_path / "f.scp").write_text(f"whole {entry}\npart {entry}[5:14]\n")
    for place, rows in (
        ("f.scp:part[2:4]", slice(7, 10)),
        ("f.scp:whole[3:]", slice(3, None)),
        ("f.ark:whole[1:2]", slice(1, 3)),
    ):
        np.testing.assert_array_equal(read_place(tmp_path / place, 2), frames[rows])
    with pytest.raises(DataError, match=r"f.scp:part\[2:10\]: this name has 10 frames; expected rows within 0 to 9"):
        read_place(tmp_path / "f.scp:part[2:10]", 2)


@pytest.mark.slow
def test_a_list_that_names_another_place_trains_other_models(voices: Path) -> None:
    """What a cache knows of an archive says nothing of what a list calls its parts."""
    before = trained(voices)
    lines = [line.split(maxsplit=1) for line in (voices / "f.scp").read_text().splitlines()]
    (voices / "f.scp").write_text("".join(f"{name} {lines[(n + 4) % 12][1]}\n" for n, (name, _) in enumerate(lines)))
    after = trained(voices, name="moved")
    assert after != before
    assert after == trained(voices, "cache=other", name="fresh")


def test_of_a_large_file_only_the_rows_that_are_asked_for_are_read(tmp_path: Path) -> None:
    path = tmp_path / "large.npy"
    np.lib.format.open_memmap(path, "w+", np.float32, (700_000, 768)).flush()  # 2 GB that take no room on the disk
    place = Path(f"{path}[600000:600099]")
    tracemalloc.start()
    assert place_shape(place) == read_place(place, 768).shape == (100, 768)
    assert tracemalloc.get_traced_memory()[1] < 3_000_000
    tracemalloc.stop()


def test_frames_go_into_the_cache_without_all_of_them_in_memory(voices: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    names = [line.split()[0] for line in (voices / "f.scp").read_text().splitlines()]
    wide = (np.random.default_rng(n).normal(size=(400, 768)) for n in range(12))
    write_ark(voices / "w.ark", zip(names, wide, strict=True), voices / "w.scp")  # 15 MB
    monkeypatch.setattr("speechgmm.engine.shards.CHUNK_BYTES", 2_000_000)
    job = prepare(voices / "c.yaml", placed(voices, ["corpus.features=w.scp"]), console=quiet())
    tracemalloc.start()
    features = extract(job)
    assert tracemalloc.get_traced_memory()[1] < 9_000_000
    tracemalloc.stop()
    assert sum(piece.n_rows for piece in features.pieces) == 4800


def test_speech_of_a_file_is_what_it_holds(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.array([1, 0, 1], np.uint8))
    assert read_speech(tmp_path / "a.npy", 3).tolist() == [True, False, True]


# ---------------------------------------------------------------- corpora that are frames alone


def test_the_split_of_a_manifest_may_have_another_column_and_other_names(tmp_path: Path) -> None:
    (tmp_path / "m.tsv").write_text("path\tspeaker\tuse\na.npy\ta\tbackground\nb.npy\tb\tenrol\nc.npy\tb\ttest\n")
    split = SplitSpec(column="use", names={"background": "ubm", "enrol": "train"})
    corpus = read_corpus(CorpusSpec(label="speaker", split=split), path=tmp_path / "m.tsv", root=None)
    assert [one.split for one in corpus] == ["ubm", "train", "test"]
    with pytest.raises(DataError, match=r"no column 'used' \(corpus.split.column\).*did you mean 'use'"):
        read_corpus(CorpusSpec(label="speaker", split=SplitSpec(column="used")), path=tmp_path / "m.tsv", root=None)
    with pytest.raises(DataError, match="split 'background'; expected one of"):
        read_corpus(CorpusSpec(label="speaker", split=SplitSpec(column="use")), path=tmp_path / "m.tsv", root=None)


def sphinx(folder: Path, transcripts: str, fileids: str = "s/ann/a1\ns/ben/b1\n") -> Path:
    (folder / "etc").mkdir()
    (folder / "etc" / "x_train.fileids").write_text(fileids)
    (folder / "etc" / "x_train.transcription").write_text(transcripts)
    for line in fileids.split():
        path = folder / "feat" / f"{line}.mfc"
        path.parent.mkdir(parents=True, exist_ok=True)
        write_sphinx(path, np.zeros((5, 13), np.float32))
    return folder


def test_a_sphinx_corpus_has_words_and_speakers(tmp_path: Path) -> None:
    root = sphinx(tmp_path, "<s> YES NO </s> (a1)\nGO (b1)\n")
    found = read_corpus(CorpusSpec(kind="sphinx", label="text"), path=None, root=root, given=True)
    assert [(one.id, one.label("text"), one.label("speaker"), one.split) for one in found] == [
        ("a1", "YES NO", "ann", "train"), ("b1", "GO", "ben", "train"),
    ]  # fmt: skip
    assert [one.path.relative_to(root).as_posix() for one in found] == ["feat/s/ann/a1.mfc", "feat/s/ben/b1.mfc"]


@pytest.mark.parametrize(
    ("transcripts", "fileids", "error"),
    [
        ("YES (a1)\n", "s/ann/a1\ns/ben/b1\n", r"x_train.fileids, line 2: 'b1' is not in x_train.transcription"),
        ("YES\n", "s/ann/a1\n", r"x_train.transcription, line 1: 'YES'; expected words, and an id in brackets"),
        ("YES (a1)\n", "s/ann/a1\n../../a1\n", r"x_train.fileids, line 2: '../../a1' leaves"),
    ],
)
def test_a_sphinx_corpus_that_does_not_fit_is_named(tmp_path: Path, transcripts: str, fileids: str, error: str) -> None:
    root = sphinx(tmp_path / "c", transcripts, fileids) if (tmp_path / "c").mkdir() is None else tmp_path
    with pytest.raises(DataError, match=error):
        read_corpus(CorpusSpec(kind="sphinx", label="text"), path=None, root=root, given=True)


def test_a_sphinx_corpus_without_frames_says_what_it_has(tmp_path: Path) -> None:
    root = sphinx(tmp_path, "YES (a1)\nGO (b1)\n")
    with pytest.raises(DataError, match=r"of frames, set features.kind: given"):
        read_corpus(CorpusSpec(kind="sphinx", label="text"), path=None, root=root)


def test_a_kaldi_directory_may_have_frames_and_no_recordings(voices: Path) -> None:
    names = [f"{name}-{take}" for name in SPEAKERS for take in range(4)]
    for split, takes in (("train", "012"), ("test", "3")):
        folder = voices / "data" / split
        folder.mkdir(parents=True)
        chosen = [name for name in names if name[-1] in takes]
        lines = dict(line.split(maxsplit=1) for line in (voices / "f.scp").read_text().splitlines())
        (folder / "feats.scp").write_text("".join(f"{name} {lines[name]}\n" for name in chosen))
        (folder / "utt2spk").write_text("".join(f"{name} {name[:3]}\n" for name in chosen))
    text = (voices / "c.yaml").read_text()
    named = "path: m.tsv, label: speaker, features: f.scp"
    (voices / "k.yaml").write_text(text.replace(named, "kind: kaldi, path: data, label: speaker"))
    run(voices / "k.yaml", output=voices / "kaldi", console=quiet(), until="train")
    assert parameters(voices / "kaldi") == trained(voices)
    (voices / "data" / "train" / "utt2spk").write_text("ann-0 ann\n")
    with pytest.raises(DataError, match=r"train/feats.scp, ann-1: utterance 'ann-1' is not in train/utt2spk"):
        prepare(voices / "k.yaml", console=quiet())


def test_a_folder_for_each_class_may_hold_files_of_frames(voices: Path) -> None:
    for number, name in enumerate(SPEAKERS):
        (voices / "c" / name).mkdir(parents=True)
        for take in range(4):
            np.save(voices / "c" / name / f"{take}.npy", frames_of(number, take))
    overrides = ["corpus={kind: folder, root: c, split: fraction}"]
    assert len(prepare(voices / "c.yaml", overrides, console=quiet()).corpus) == 12


def test_init_says_what_files_of_frames_need(tmp_path: Path) -> None:
    (tmp_path / "ann").mkdir()
    np.save(tmp_path / "ann" / "1.npy", frames_of(0, 0))
    with pytest.raises(DataError, match=r"files of frames: 1; a configuration with features.kind: given takes them"):
        recognise(tmp_path, "label")


def test_recordings_of_a_list_are_clustered_by_a_model_of_vectors(tmp_path: Path) -> None:
    run(vectors(tmp_path, "clustering"), console=quiet(), until="train")
    found = command(
        "cluster", tmp_path / "v.npz", "--model", tmp_path / "clustering", "--out", tmp_path / "out", "--quiet"
    )
    rows = (tmp_path / "out" / "clusters.tsv").read_text().splitlines()
    assert (found.exit_code, len(rows)) == (0, 21)


def test_an4_and_voxforge_are_read_by_their_configurations(shared: Path) -> None:
    configs = Path(__file__).parents[1] / "configs"
    data = shared / "data"
    words = [f"corpus.root={data / 'an4'}", f"recognition.dictionary={data / 'an4' / 'etc' / 'an4.dic'}"]
    an4 = prepare(configs / "an4.yaml", words, console=quiet())
    assert (len(an4.corpus), len(an4.folds), an4.audio.n_dims) == (948, 5, 39)
    assert len({one.label("speaker") for one in an4.corpus}) == 74
    items = [f"corpus.path={data / 'voxforge-ru' / 'items.tsv'}"]
    voxforge = prepare(configs / "voxforge-ru.yaml", items, console=quiet())
    assert [len(voxforge.corpus.split(name)) for name in ("ubm", "train", "test")] == [360, 135, 794]
    for job in (an4, voxforge):
        frames = read_place(next(iter(job.corpus)).path, 13)
        assert frames.shape[1] == 13
        assert np.abs(frames).max() < 100  # of the right byte order
