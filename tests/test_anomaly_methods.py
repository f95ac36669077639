"""Anomaly detection by Mahalanobis distance and by nearest neighbours: distances, runs, files, what is refused."""

import csv
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors import safe_open
from safetensors.numpy import load_file, save_file
from scipy.spatial.distance import cdist, mahalanobis
from typer.testing import CliRunner

import speechgmm as sg
from speechgmm.cli import app
from speechgmm.config import make_config
from speechgmm.engine.console import Console
from speechgmm.errors import ConfigError, DataError, ModelFileError, ShapeError
from speechgmm.gmm import FrameSource, FullGMM, class_rng
from speechgmm.io.container import KEY, WITH_COVARIANCES
from speechgmm.io.model_card import with_card
from speechgmm.tasks.anomaly import neighbours
from speechgmm.tasks.anomaly.codec import read_anomaly_file, serialise_anomaly
from speechgmm.tasks.anomaly.costs import frame_costs
from speechgmm.tasks.anomaly.neighbours import NeighbourDistances, NormalVectors, drawn_vectors
from speechgmm.tasks.anomaly.spec import StreamSpec

# ---------------------------------------------------------------- distances


@given(st.integers(1, 40), st.integers(1, 6), st.integers(1, 12), st.integers(0, 2**32 - 1))
@settings(max_examples=40, deadline=None)
def test_a_distance_is_the_mean_of_the_k_smallest_standardised_ones_of_scipy(n: int, d: int, k: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    vectors, frames = (rng.normal(100, 3, (size, d)).astype(np.float32) for size in (n + k, 17))
    variances = rng.uniform(0.1, 9, d)
    expected = np.sort(cdist(frames.astype(float), vectors.astype(float), "seuclidean", V=variances))[:, :k].mean(
        axis=1
    )
    found = NeighbourDistances.to(NormalVectors(vectors, np.sqrt(variances)), k)(frames)
    assert found == pytest.approx(expected, rel=1e-9, abs=1e-6)


def test_blocks_change_nothing_but_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    frames = rng.normal(size=(500, 8)).astype(np.float32)
    distances = NeighbourDistances.to(NormalVectors(frames[:200], np.ones(8)), 3)
    whole = distances(frames)
    monkeypatch.setattr(neighbours, "CELLS", 200 * 7)
    assert distances(frames) == pytest.approx(whole, rel=1e-12)
    assert NeighbourDistances.to(NormalVectors(frames[:200], np.ones(8)), 1)(frames[:200]).max() < 1e-6  # itself


@given(st.integers(1, 8), st.integers(0, 2**32 - 1))
@settings(max_examples=40, deadline=None)
def test_the_mahalanobis_distance_is_scipys(d: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    root = rng.normal(size=(d, d))
    covariance, mean = root @ root.T + 0.1 * np.eye(d), rng.normal(50, 5, d)
    frames = rng.normal(50, 9, (9, d)).astype(np.float32)
    cost = frame_costs(FullGMM([1.0], [mean], [covariance]), StreamSpec(method="mahalanobis"))
    inverse = np.linalg.inv(covariance)
    assert cost(frames) == pytest.approx([mahalanobis(row.astype(float), mean, inverse) for row in frames], rel=1e-8)


def test_the_draw_of_vectors_is_of_the_seed_and_has_no_frame_twice() -> None:
    frames = np.arange(3000, dtype=np.float32)[:, None]
    source = FrameSource.of([frames[:10], frames[10:]], [10, 2990], 1)
    one, again, other = (
        drawn_vectors(source, 400, np.ones(1), class_rng(seed, "fan")).vectors.ravel().tolist() for seed in (0, 0, 1)
    )
    assert one == again
    assert one != other
    assert len(set(one)) == 400
    assert np.mean(one) == pytest.approx(1500, abs=4 * 866 / 20)  # of all, not of the first
    assert len(drawn_vectors(source, 4000, np.ones(1), class_rng(0, "fan"))) == 3000


def test_vectors_that_nothing_can_be_compared_with_are_refused() -> None:
    rows = np.zeros((2, 3), np.float32)
    for vectors, scales in ((rows[:0], np.ones(3)), (rows, np.ones(2)), (rows[0], np.ones(3))):
        with pytest.raises(ShapeError, match=r"expected \(N, D\) and \(D,\)"):
            NormalVectors(vectors, scales)
    for vectors, scales in ((rows, np.zeros(3)), (rows + np.nan, np.ones(3))):
        with pytest.raises(DataError, match="normal vectors with a value"):
            NormalVectors(vectors, scales)
    with pytest.raises(DataError, match="2 normal vectors for 3 neighbours"):
        NeighbourDistances.to(NormalVectors(rows, np.ones(3)), 3)
    with pytest.raises(ShapeError, match=r"expected \(T, 3\)"):
        NeighbourDistances.to(NormalVectors(rows, np.ones(3)), 1)(np.zeros((5, 2)))


# ---------------------------------------------------------------- settings


@pytest.mark.parametrize(
    ("stream", "model", "message"),
    [
        ({"n_neighbours": 3}, {}, "n_neighbours is for method: neighbours; this stream has method: likelihood"),
        ({"method": "mahalanobis", "n_vectors": 9}, {}, "n_vectors is for method: neighbours"),
        ({"method": "neighbours", "n_components": 2}, {}, "n_components is for method: likelihood"),
        ({"method": "neighbours", "n_vectors": 4}, {}, "no more neighbours than vectors"),
        ({"method": "knn"}, {}, "method"),
        ({"method": "neighbours"}, {"n_components": 4}, r"model\.n_components has no effect with method: neighbours"),
        ({"method": "neighbours"}, {"variance_floor": 0.1}, r"model\.variance_floor has no effect"),
        (
            {"method": "mahalanobis"},
            {"covariance": "tied"},
            r"model\.covariance has no effect with method: mahalanobis",
        ),
    ],
)
def test_settings_that_a_method_does_not_read_are_refused(
    stream: dict[str, object], model: dict[str, object], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        make_config({"task": "anomaly", "anomaly": {"streams": [stream]}, "model": model})


def test_settings_that_one_of_the_streams_reads_are_taken() -> None:
    streams = [{"name": "a", "method": "neighbours"}, {"name": "b"}]
    make_config({"task": "anomaly", "anomaly": {"streams": streams}, "model": {"n_components": 4}})
    make_config(
        {"task": "anomaly", "anomaly": {"streams": [{"method": "mahalanobis"}]}, "model": {"variance_floor": 0.1}}
    )


# ---------------------------------------------------------------- a run

D = 6


@pytest.fixture(scope="module")
def embeddings(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Vectors of recordings of two machines, whose normal states are two clusters each; anomalies lie between them."""
    root, rng = tmp_path_factory.mktemp("embeddings"), np.random.default_rng(0)
    rows, vectors = ["path\tsplit\tcondition\tmachine"], {}
    axes = np.eye(D) + 0.3 * rng.normal(size=(D, D))
    for machine, middle in (("fan", 0.0), ("pump", 20.0)):
        for n in range(60):
            odd = n >= 50
            side = 0.0 if odd else (-6.0 if n % 2 else 6.0)
            name = f"{machine}-{n}.wav"
            row = rng.normal(size=(1, D)) @ axes + middle
            row[0, :4] += side
            vectors[name.removesuffix(".wav")] = row.astype(np.float32)
            rows.append(f"{name}\t{'train' if n < 40 else 'test'}\t{'fault' if odd else 'normal'}\t{machine}")
    np.savez(root / "v.npz", **vectors)
    (root / "m.tsv").write_text("\n".join(rows) + "\n")
    (root / "c.yaml").write_text(
        "task: anomaly\ncorpus: {path: m.tsv, label: machine, features: v.npz}\nfeatures: {kind: given}\n"
        "model: {variance_floor: 1.0e-9}\n"
        "anomaly:\n  false_alarm: 0.1\n  folds: 4\n  streams:\n"
        "    - {name: near, method: neighbours, n_neighbours: 2, n_vectors: 25}\n"
        "    - {name: far, method: mahalanobis}\n"
        f"cache: cache\noutput: {root / 'run'}\nparallel: {{n_jobs: 1}}\n"
    )
    sg.run(root / "c.yaml", console=Console(quiet=True))
    return root


def rows_of(path: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(path.read_text().splitlines(), delimiter="\t"))


@pytest.mark.slow
def test_a_run_scores_as_an_obvious_loop_does(embeddings: Path) -> None:
    file = read_anomaly_file(embeddings / "run" / "models.safetensors")
    vectors = np.load(embeddings / "v.npz")
    found = {row["id"]: row for row in rows_of(embeddings / "run" / "scores.tsv")}
    for machine, model in file.models.items():
        training = np.concatenate([vectors[f"{machine}-{n}"] for n in range(40)]).astype(float)
        near, far = model.normal
        assert isinstance(near, NormalVectors)
        assert isinstance(far, FullGMM)
        assert len(near) == 25
        assert all((training == row).all(axis=1).any() for row in near.vectors)
        assert near.scales == pytest.approx(training.std(axis=0), rel=1e-5)
        assert far.means[0] == pytest.approx(training.mean(axis=0), rel=1e-6)
        assert far.covariances[0] == pytest.approx(np.cov(training.T, bias=True), rel=1e-5, abs=1e-5)
        for n in (41, 55):
            row = vectors[f"{machine}-{n}"][0].astype(float)
            nearest = np.sort([np.linalg.norm((row - one) / near.scales) for one in near.vectors.astype(float)])[:2]
            inverse = np.linalg.inv(far.covariances[0])
            said = found[f"{machine}-{n}"]
            assert float(said["near"]) == pytest.approx(nearest.mean(), abs=1e-5)
            assert float(said["far"]) == pytest.approx(mahalanobis(row, far.means[0], inverse), abs=1e-5)


@pytest.mark.slow
def test_scores_of_normal_recordings_are_of_models_without_them(embeddings: Path) -> None:
    out = embeddings / "near"
    sg.run(
        embeddings / "c.yaml",
        ["anomaly.streams=[{method: neighbours, n_neighbours: 1, n_vectors: 1000}]", "model={}"],
        output=out,
        console=Console(quiet=True),
    )
    assert min(float(row["score"]) for row in rows_of(out / "normal.tsv")) > 0.01  # with itself it would be 0
    assert json.loads((out / "metrics.json").read_text())["auc"]["value"] > 0.9


def test_the_report_and_inspect_speak_of_the_methods(embeddings: Path) -> None:
    for run in ("run", "near") if (embeddings / "near").exists() else ("run",):
        assert CliRunner().invoke(app, ["report", str(embeddings / run)]).exit_code == 0
    described = CliRunner().invoke(app, ["inspect", str(embeddings / "run" / "models.safetensors")]).stdout
    assert "2 nearest of 25 vectors of 6 features" in described
    assert "Mahalanobis distance in 6 features" in described
    assert "near: 2 nearest of 25 vectors" in (embeddings / "run" / "report.html").read_text()


def test_loaded_models_and_the_command_score_as_the_run_did(embeddings: Path) -> None:
    model = sg.load(embeddings / "run")
    known = {row["id"]: row for row in rows_of(embeddings / "run" / "scores.tsv")}
    vector = np.load(embeddings / "v.npz")["fan-55"]
    assert model.anomaly(vector, label="fan").score == pytest.approx(float(known["fan-55"]["score"]), abs=1e-5)
    np.save(embeddings / "new.npy", vector)
    done = CliRunner().invoke(
        app, ["score", str(embeddings / "run"), str(embeddings / "new.npy"), "--label", "fan", "--format", "jsonl"]
    )
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["score"] == pytest.approx(float(known["fan-55"]["score"]), abs=1e-5)


def test_a_file_comes_back_as_it_was_and_earlier_versions_refuse_it_by_its_format(embeddings: Path) -> None:
    path = embeddings / "run" / "models.safetensors"
    assert serialise_anomaly(read_anomaly_file(path)) == with_card(path.read_bytes(), None)
    with safe_open(str(path), framework="numpy") as file:
        header = json.loads(file.metadata()[KEY])
    assert header["format"] == WITH_COVARIANCES
    assert [stream.get("n_vectors") for stream in header["anomaly"]["streams"]] == [[25, 25], None]


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("stream.0.vectors", lambda array: array[:, :-1], "the tensor 'vectors' has the shape"),
        ("stream.0.vectors", lambda array: array[:-1], "the tensor 'vectors' has the shape"),
        ("stream.0.scales", lambda array: -array, "a scale that is not above 0"),
        ("stream.1.covariances", lambda array: array[:, :1], "the tensor 'covariances' has the shape"),
    ],
)
def test_a_damaged_file_is_refused(embeddings: Path, tmp_path: Path, name: str, change, message: str) -> None:
    source, path = embeddings / "run" / "models.safetensors", tmp_path / "m.safetensors"
    with safe_open(str(source), framework="numpy") as file:
        metadata = file.metadata()
    tensors = load_file(source)
    save_file(tensors | {name: np.ascontiguousarray(change(tensors[name]))}, path, metadata)
    with pytest.raises(ModelFileError, match=message):
        read_anomaly_file(path)


def test_a_file_whose_model_the_method_cannot_use_is_refused(embeddings: Path, tmp_path: Path) -> None:
    file = read_anomaly_file(embeddings / "run" / "models.safetensors")
    near, far = file.spec.streams
    path = tmp_path / "m.safetensors"
    for streams, message in (
        ((replace(near, n_neighbours=25, n_vectors=25), replace(far, method="likelihood")), None),
        ((replace(near, n_neighbours=26, n_vectors=26), far), "expected 26 at least"),
    ):
        path.write_bytes(serialise_anomaly(replace(file, spec=replace(file.spec, streams=streams))))
        if message is None:
            assert read_anomaly_file(path).spec.streams == streams
            continue
        with pytest.raises(ModelFileError, match=message):
            read_anomaly_file(path)


def test_too_few_normal_frames_for_the_neighbours_end_the_run_by_name(embeddings: Path) -> None:
    with pytest.raises(
        DataError, match=r"'fan': without the recordings of a part .* 30 normal vectors for n_neighbours: 35"
    ):
        sg.run(
            embeddings / "c.yaml",
            ["anomaly.streams=[{method: neighbours, n_neighbours: 35}]", "model={}"],
            output=embeddings / "few",
            console=Console(quiet=True),
        )
