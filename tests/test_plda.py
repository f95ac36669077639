"""PLDA: ratios by Gaussian densities, training, files of Kaldi, whole runs on given vectors, and what is refused."""

import json
import struct
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.stats import multivariate_normal
from typer.testing import CliRunner

import speechgmm as sg
from speechgmm.cli import app
from speechgmm.config import load_config
from speechgmm.engine import run
from speechgmm.engine.console import Console
from speechgmm.errors import ConfigError, DataError, ModelFileError, ShapeError
from speechgmm.gmm import DiagGMM
from speechgmm.io.kaldi_plda import read_kaldi_plda
from speechgmm.tasks.classification.codec import load_models, save_models
from speechgmm.tasks.verification.models import ClaimModels
from speechgmm.vectors.plda import Plda
from speechgmm.vectors.plda_estimation import Estimation, train_plda
from speechgmm.vectors.plda_scoring import Enrolled, PldaBackEnd, Vectors, prepared

Floats = NDArray[np.float64]


def plda(seed: int, n_dims: int) -> Plda:
    rng = np.random.default_rng(seed)
    return Plda(rng.normal(size=n_dims), rng.normal(size=(n_dims, n_dims)), rng.uniform(0, 6, n_dims))


def speakers(n_speakers: int, n_dims: int, seed: int = 0) -> tuple[Floats, list[int], Floats, Floats]:
    """Vectors of speakers by numbers of several sizes, and the covariances between and within that made them."""
    rng = np.random.default_rng(seed)
    mixing = rng.normal(size=(2, n_dims, n_dims))
    between, within = (one @ one.T + 0.2 * np.eye(n_dims) for one in mixing)
    labels = np.repeat(np.arange(n_speakers), rng.integers(1, 7, n_speakers))
    centres = rng.multivariate_normal(np.arange(n_dims), between, n_speakers)
    vectors = centres[labels] + rng.multivariate_normal(np.zeros(n_dims), within, len(labels))
    return vectors, labels.tolist(), between, within


# ---------------------------------------------------------------- ratios


@given(st.integers(0, 10**6), st.integers(1, 4), st.integers(1, 5))
@settings(max_examples=30, deadline=None)
def test_a_ratio_is_that_of_the_joint_gaussian_densities_of_all_vectors(seed: int, n_dims: int, n: int) -> None:
    model = plda(seed, n_dims)
    rng = np.random.default_rng(seed + 1)
    enrolled, test = rng.normal(size=(n, n_dims)), rng.normal(size=n_dims)

    def log_density(vectors: Floats) -> float:  # of one speaker: all vectors as one, of covariance B between any two
        count = len(vectors)
        covariance = np.kron(np.ones((count, count)), model.between) + np.kron(np.eye(count), model.within)
        found = multivariate_normal(np.tile(model.mean, count), covariance, allow_singular=False)
        return float(found.logpdf(vectors.ravel()))

    expected = log_density(np.vstack([enrolled, test])) - log_density(enrolled) - log_density(test[None])
    (found,) = model.ratios([n], enrolled.mean(axis=0)[None], test[None])
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-9 * np.linalg.cond(model.transform) ** 2)


def test_ratios_of_many_are_those_of_each_pair_and_symmetric_for_one_vector_each() -> None:
    model = plda(3, 5)
    rng = np.random.default_rng(4)
    one, two = rng.normal(size=(7, 5)), rng.normal(size=(4, 5))
    ratios = model.ratios(np.ones(7), one, two)
    by_pair = [[model.ratios([1], [a], [b]).item() for b in two] for a in one]
    np.testing.assert_allclose(ratios, by_pair, rtol=1e-9)
    np.testing.assert_allclose(ratios, model.ratios(np.ones(4), two, one).T, rtol=1e-9)


# ---------------------------------------------------------------- training


def log_likelihood(model: Plda, vectors: Floats, labels: list[int]) -> float:
    total = 0.0
    for label in set(labels):
        own = vectors[np.array(labels) == label]
        ones = np.ones((len(own), len(own)))
        covariance = np.kron(ones, model.between) + np.kron(np.eye(len(own)), model.within)
        total += multivariate_normal(np.tile(model.mean, len(own)), covariance).logpdf(own.ravel())
    return total / len(vectors)


@pytest.mark.parametrize("estimation", ["em", "kaldi"])
def test_the_likelihood_never_falls_and_is_that_of_the_gaussian_densities(estimation: Estimation) -> None:
    for seed in range(4):
        vectors, labels, _, _ = speakers(30, 3, seed)
        fit = train_plda(vectors, labels, estimation)
        assert (np.diff(fit.trace) > -1e-12).all()
        assert fit.trace[-1] == pytest.approx(log_likelihood(fit.model, vectors, labels), abs=1e-9)
        assert (np.diff(fit.model.psi) <= 0).all()
    assert len(fit.trace) == 11 or estimation == "em"


def test_training_finds_the_covariances_that_made_the_vectors() -> None:
    vectors, labels, between, within = speakers(4000, 3)
    model = train_plda(vectors, labels).model
    for found, expected in ((model.between, between), (model.within, within)):
        assert np.abs(found - expected).max() < 0.06 * np.trace(expected)
    np.testing.assert_allclose(model.mean, np.arange(3), atol=0.15)


def test_maximum_likelihood_is_at_least_that_of_kaldis_ten_iterations() -> None:
    vectors, labels, _, _ = speakers(60, 4)
    assert train_plda(vectors, labels).trace[-1] >= train_plda(vectors, labels, "kaldi").trace[-1]


def test_kaldis_estimation_is_its_loop_over_speakers() -> None:
    vectors, labels, _, _ = speakers(25, 3)
    means = np.stack([vectors[np.array(labels) == one].mean(axis=0) for one in range(25)])
    counts = np.bincount(labels)
    centre, between, within = means.mean(axis=0), np.eye(3), np.eye(3)
    deviations = vectors - means[labels]
    for _ in range(10):
        between_sum, within_sum = np.zeros((3, 3)), deviations.T @ deviations
        for n, mean in zip(counts, means - centre, strict=True):
            mixed = np.linalg.inv(np.linalg.inv(between) + n * np.linalg.inv(within))
            w = mixed @ (n * np.linalg.inv(within) @ mean)
            between_sum += mixed + np.outer(w, w)
            within_sum += n * (mixed + np.outer(mean - w, mean - w))
        between, within = between_sum / 25, within_sum / len(vectors)
    model = train_plda(vectors, labels, "kaldi").model
    np.testing.assert_allclose(model.mean, centre)
    np.testing.assert_allclose(model.between, between, rtol=1e-8)
    np.testing.assert_allclose(model.within, within, rtol=1e-8)


@pytest.mark.parametrize("estimation", ["em", "kaldi"])
def test_neither_the_order_of_speakers_nor_their_names_change_the_model(estimation: Estimation) -> None:
    vectors, labels, _, _ = speakers(30, 3)
    order = np.random.default_rng(1).permutation(len(vectors))
    renamed = [f"speaker {-labels[n]}" for n in order]
    one, two = train_plda(vectors, labels, estimation).model, train_plda(vectors[order], renamed, estimation).model
    for name in ("mean", "transform", "psi"):
        np.testing.assert_allclose(getattr(two, name), getattr(one, name), rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize(
    ("vectors", "labels", "message"),
    [
        (np.eye(3), [0, 1, 2], "3 vectors of 3 speakers, one each.*3 more vectors than speakers"),
        (np.eye(4)[:, :3], [0, 0, 1, 1], "differ within speakers in 2 directions, and have 3 dimensions"),
        (np.zeros((4, 2)), [0, 0, 1, 1], "in 0 directions"),
        (np.eye(3), [0, 0, 0], "1 speaker; "),
        (np.array([[0.0], [np.nan], [1.0]]), [0, 0, 1], "vector 1 has a value that is NaN"),
    ],
)
def test_vectors_that_no_plda_is_learnt_from_are_refused(vectors: Floats, labels: list[int], message: str) -> None:
    with pytest.raises(DataError, match=message):
        train_plda(vectors, labels)
    with pytest.raises(ShapeError, match="one each"):
        train_plda(vectors, labels[1:])


# ---------------------------------------------------------------- files of Kaldi


def kaldi_bytes(model: Plda, letter: str) -> bytes:
    dtype = {"F": "<f4", "D": "<f8"}[letter]

    def vector(values: Floats) -> bytes:
        return f"{letter}V ".encode() + struct.pack("<bi", 4, len(values)) + values.astype(dtype).tobytes()

    rows = struct.pack("<bibi", 4, model.n_dims, 4, model.n_dims) + model.transform.astype(dtype).tobytes()
    parts = (vector(model.mean), f"{letter}M ".encode() + rows, vector(model.psi))
    return b"\0B<Plda> " + b"".join(parts) + b"</Plda> "


def kaldi_text(model: Plda) -> str:
    rows = "\n  ".join(" ".join(map(repr, row)) for row in model.transform.tolist())
    mean, psi = (" ".join(map(repr, one.tolist())) for one in (model.mean, model.psi))
    return f"<Plda>  [ {mean} ]\n [\n  {rows} ]\n [ {psi} ]\n</Plda> "


def test_a_plda_of_kaldi_reads_the_same_from_text_and_from_binary(tmp_path: Path) -> None:
    model, path = plda(0, 4), tmp_path / "plda"
    for data, rtol in ((kaldi_bytes(model, "D"), 0), (kaldi_text(model).encode(), 0), (kaldi_bytes(model, "F"), 1e-6)):
        path.write_bytes(data)
        back = read_kaldi_plda(path)
        for name in ("mean", "transform", "psi"):
            np.testing.assert_allclose(getattr(back, name), getattr(model, name), rtol=rtol)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"\0B<DiagGMM> ", "'<DiagGMM>'; expected <Plda>"),
        (kaldi_bytes(plda(0, 4), "D")[:100], "is it truncated"),
        (b"<Plda> [ 1 2 ]\n [ 1 0\n 0 1 ]\n [ 1 ]\n</Plda> ", r"plda: a PLDA with mean \(2,\)"),
        (b"<Plda> [ 1 2 ]\n [ 1 0\n 0 1 ]\n [ 1 -2 ]\n</Plda> ", "psi -2"),
        (b"<Plda> [ 1 nan ]\n [ 1 0\n 0 1 ]\n [ 1 2 ]\n</Plda> ", "line 1: NaN"),
        (b"<Plda> [ 1 2 ]\n [ 1 2\n 2 4 ]\n [ 2 1 ]\n</Plda> ", "transform cannot be inverted"),
        (
            2 * b"<Plda> [ 1 2 ]\n [ 1 0\n 0 1 ]\n [ 2 1 ]\n</Plda>\n",
            "the object ends here, and the file goes on",
        ),
        (2 * kaldi_bytes(plda(0, 4), "D"), "the object ends here, and the file goes on"),
    ],
)
def test_a_damaged_plda_of_kaldi_is_refused_by_its_name(tmp_path: Path, data: bytes, message: str) -> None:
    path = tmp_path / "plda"
    path.write_bytes(data)
    with pytest.raises(DataError, match=message) as error:
        read_kaldi_plda(path)
    assert str(path) in str(error.value)


@pytest.mark.slow
def test_ratios_of_the_published_plda_are_those_of_the_densities() -> None:
    path = Path(__file__).parents[2] / "shared/references/vbx/plda"
    if not path.exists():
        pytest.skip("the published example of VBx is not here")
    model = read_kaldi_plda(path)
    rng = np.random.default_rng(0)
    one, two = rng.normal(size=(2, 3, model.n_dims)) + model.mean
    total = model.between + model.within
    joint = np.block([[total, model.between], [model.between, total]])

    def log_density(x: Floats, covariance: Floats) -> float:
        return float(-0.5 * (x @ np.linalg.solve(covariance, x) + np.linalg.slogdet(2 * np.pi * covariance)[1]))

    for a, b in zip(one, two, strict=True):
        x, y = a - model.mean, b - model.mean
        expected = log_density(np.append(x, y), joint) - log_density(x, total) - log_density(y, total)
        assert model.ratios([1], [a], [b]).item() == pytest.approx(expected, rel=1e-5)


# ---------------------------------------------------------------- whole runs

D = 6
SPEAKER, SESSION = np.array([3.0, 2.0, 1.0, 0.1, 0.1, 0.1]), np.array([0.3, 0.3, 0.3, 3.0, 3.0, 1.0])


def corpus(folder: Path, *overrides: str, per_speaker: int = 6, n_background: int = 30) -> tuple[Path, list[str]]:
    """Vectors of speakers whose sessions differ in directions of their own; 8 of them enrol and are tested."""
    rng = np.random.default_rng(5)
    vectors, rows = {}, ["id\tspeaker\tsplit"]
    for speaker in range(n_background + 8):
        is_background = speaker < n_background
        centre = rng.normal(size=D) * SPEAKER
        for n in range(per_speaker if is_background else 6):
            name = f"s{speaker}-{n}"
            vectors[name] = (5 + centre + rng.normal(size=D) * SESSION).astype(np.float32)
            rows.append(f"{name}\ts{speaker}\t{'ubm' if is_background else 'train' if n < 3 else 'test'}")
    np.savez(folder / "vectors.npz", **vectors)
    (folder / "vectors.tsv").write_text("\n".join(rows) + "\n")
    path = folder / "vectors.yaml"
    path.write_text(
        "task: verification\ncorpus: {path: vectors.tsv, label: speaker, features: vectors.npz}\n"
        "features: {kind: given, cmvn: none}\nmodel: {adapt: map, ubm: {n_components: 1}}\n"
        "scoring: {method: plda}\ncache: cache\nparallel: {n_jobs: 1}\n"
    )
    return path, list(overrides)


def scored(folder: Path, *overrides: str, name: str = "run", **settings: int) -> dict[tuple[str, str], float]:
    path, given = corpus(folder, *overrides, **settings)
    run(path, given, output=folder / name, console=Console(quiet=True))
    head, *lines = (folder / name / "scores.tsv").read_text().splitlines()
    rows = [dict(zip(head.split("\t"), line.split("\t"), strict=True)) for line in lines]
    return {(row["model"], row["test"]): float(row["score"]) for row in rows}


@pytest.mark.slow
def test_a_run_scores_as_the_steps_by_hand(tmp_path: Path) -> None:
    found = scored(tmp_path, "scoring.lda_dims=4", "scoring.lda_smoothing=.25")
    with np.load(tmp_path / "vectors.npz") as file:
        archive = {name: file[name] for name in file}
    background = [name for name in archive if int(name[1:].split("-")[0]) < 30]
    points = np.concatenate([archive[name].reshape(1, -1) for name in background]).astype(float)
    labels = [name.split("-")[0] for name in background]
    back_end = load_models(tmp_path / "run/models.safetensors").back_end
    np.testing.assert_allclose(back_end.centre, points.mean(axis=0), rtol=1e-6)
    within = sum(np.cov(points[np.array(labels) == one].T, bias=True) * labels.count(one) for one in set(labels)) / len(
        points
    )
    smoothed = 0.75 * within + 0.25 * np.trace(within) / D * np.eye(D)
    np.testing.assert_allclose(back_end.lda.T @ smoothed @ back_end.lda, 0.75 * np.eye(4), atol=1e-4)  # of an LDA

    def vector(name: str) -> Floats:
        projected = (archive[name].ravel().astype(float) - back_end.centre) @ back_end.lda
        return projected / np.linalg.norm(projected) * 2.0  # sqrt(4)

    expected = train_plda(np.stack([vector(name) for name in background]), labels).model
    for model, test in list(found)[::7]:
        enrolled = np.stack([vector(f"{model}-{n}") for n in range(3)]).mean(axis=0)
        ratio = expected.ratios([3], enrolled[None], vector(test)[None]).item()
        assert found[model, test] == pytest.approx(ratio, abs=1e-3)


@pytest.fixture(scope="session")
def normalised(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of the shipped configuration, with its norm and calibration; its folder has the vectors, too."""
    folder = tmp_path_factory.mktemp("plda")
    path, _ = corpus(folder)
    path.write_text((Path(__file__).parents[1] / "configs" / "vectors-plda.yaml").read_text())
    settings = ["scoring.plda=kaldi", "scoring.lda_dims=4", f"cache={folder / 'cache'}", "parallel.n_jobs=1"]
    run(path, settings, output=folder / "run", console=Console(quiet=True))
    return folder


@pytest.mark.slow
def test_a_norm_and_a_calibration_stand_on_plda_and_the_model_file_scores_as_the_run(normalised: Path) -> None:
    head, *lines = (normalised / "run/scores.tsv").read_text().splitlines()
    row = dict(zip(head.split("\t"), lines[0].split("\t"), strict=True))
    with np.load(normalised / "vectors.npz") as file:
        test = file[row["test"]].reshape(1, -1)
    models = load_models(normalised / "run/models.safetensors")
    assert isinstance(models, ClaimModels)
    found = models.claim_scores([test])
    number = models.labels.index(row["model"])
    assert found.scores[number, 0] == pytest.approx(float(row["score"]), abs=1e-3)
    assert models.only(row["model"]).claim_scores([test]).scores.item() == pytest.approx(found.scores[number, 0])
    assert json.loads((normalised / "run/metrics.json").read_text())["eer"]["value"] < 0.2
    said = CliRunner().invoke(app, ["inspect", str(normalised / "run")]).output
    assert "claims are scored by PLDA of vectors of 4 dimensions (projected from 6)" in said


@pytest.mark.slow
def test_a_class_that_is_enrolled_and_updated_scores_as_if_trained_with_all_its_recordings(normalised: Path) -> None:
    def command(*words: object) -> None:
        result = CliRunner().invoke(app, [str(word) for word in words])
        assert result.exit_code == 0, result.output

    places = [f"{normalised}/vectors.npz:s37-{n}" for n in range(5)]
    run_file, first, whole = (
        normalised / name for name in ("run/models.safetensors", "2.safetensors", "3.safetensors")
    )
    command("enrol", run_file, "--label", "new", *places[:2], "--out", first)
    command("update", first, "--label", "new", places[2], "--out", whole)
    models = load_models(whole)
    assert isinstance(models, ClaimModels)
    with np.load(normalised / "vectors.npz") as file:
        test = file["s37-4"].reshape(1, -1)
    new, old = (models.claim_scores([test]).scores[models.labels.index(name), 0] for name in ("new", "s37"))
    assert new == pytest.approx(old, abs=1e-6)  # enrolled by the same three vectors
    command("verify", whole, "--claim", "new", places[4])


@pytest.mark.slow
def test_a_plda_of_a_file_scores_and_one_of_another_dimension_is_refused(tmp_path: Path) -> None:
    model = plda(1, D)
    (tmp_path / "plda").write_bytes(kaldi_bytes(model, "D"))
    found = scored(tmp_path, "scoring.plda=plda", "scoring.length_norm=false")
    with np.load(tmp_path / "vectors.npz") as file:
        archive = {name: file[name].reshape(1, -1).astype(float) for name in file}
    centre = np.mean([one for name, one in archive.items() if int(name[1:].split("-")[0]) < 30], axis=0)
    enrolled = np.mean([archive[f"s30-{n}"] for n in range(3)], axis=0) - centre
    ratio = model.ratios([3], enrolled, archive["s31-4"] - centre).item()
    assert found["s30", "s31-4"] == pytest.approx(ratio, abs=1e-3)
    (tmp_path / "plda").write_bytes(kaldi_bytes(plda(1, D + 1), "D"))
    with pytest.raises(DataError, match="plda is a PLDA of 7 dimensions, and the vectors have 6"):
        scored(tmp_path, "scoring.plda=plda", name="other")


def test_supervectors_of_several_components_are_scored_after_an_lda() -> None:
    rng = np.random.default_rng(0)
    ubm = DiagGMM([0.5, 0.5], rng.normal(size=(2, 2)), np.ones((2, 2)))
    recordings = [rng.normal(size=(9, 2)) for _ in range(3)]
    vectors = Vectors.under(ubm, 4.0).of(recordings)
    assert vectors.shape == (3, 4)
    lda = rng.normal(size=(4, 2))
    back_end = PldaBackEnd(4.0, vectors.mean(axis=0), lda, True, plda(0, 2))
    points = prepared(vectors, back_end.centre, lda, True)
    np.testing.assert_allclose(np.linalg.norm(points, axis=1), np.sqrt(2))
    claims = ClaimModels(
        *(("ann",), (ubm,), np.zeros(1)),
        ubm=ubm,
        method="plda",
        back_end=back_end,
        enrolled=Enrolled.of([points[:2]]),
    )
    expected = back_end.plda.ratios([2], points[:2].mean(axis=0)[None], points)
    np.testing.assert_allclose(claims.raw_scores(recordings), expected)


def test_a_damaged_model_file_is_refused(tmp_path: Path) -> None:
    ubm = DiagGMM([1.0], [[0.0]], [[1.0]])
    back_end = PldaBackEnd(4.0, np.zeros(1), None, True, plda(0, 1))
    enrolled = Enrolled(np.zeros(1), np.zeros((1, 1)))
    claims = ClaimModels(*(("ann",), (ubm,), np.zeros(1)), ubm=ubm, method="plda", back_end=back_end, enrolled=enrolled)
    save_models(claims, tmp_path / "m.safetensors")
    with pytest.raises(ModelFileError, match="a count that is not above 0"):
        load_models(tmp_path / "m.safetensors")
    with pytest.raises(DataError, match="without a back end"):
        ClaimModels(("ann",), (ubm,), np.zeros(1), ubm=ubm, method="plda")
    with pytest.raises(ShapeError, match="a PLDA of 1 dimensions for vectors of 2"):
        PldaBackEnd(4.0, np.zeros(2), None, True, plda(0, 1))


@pytest.mark.parametrize(
    ("overrides", "settings", "message"),
    [
        ([], {"per_speaker": 2, "n_background": 4}, r"differ within speakers in 4 directions.*scoring\.lda_dims"),
        (["scoring.lda_dims=6"], {"n_background": 5}, r"scoring.lda_dims is 6.*set it to 4 or less"),
    ],
)
def test_too_little_to_learn_from_is_refused_with_what_is_needed(
    tmp_path: Path, overrides: list[str], settings: dict[str, int], message: str
) -> None:
    with pytest.raises(DataError, match=message):
        scored(tmp_path, *overrides, **settings)


def test_one_recording_for_each_speaker_teaches_no_plda(tmp_path: Path) -> None:
    path, _ = corpus(tmp_path, per_speaker=1)
    rows = (tmp_path / "vectors.tsv").read_text().splitlines()
    (tmp_path / "vectors.tsv").write_text("\n".join(row for row in rows if "-1\t" not in row and "-2\t" not in row))
    with pytest.raises(DataError, match="nobody in the splits ubm, cohort and train has two; add recordings"):
        run(path, output=tmp_path / "run", console=Console(quiet=True))


@pytest.mark.slow
def test_a_vector_of_zeros_is_refused_by_its_name(tmp_path: Path) -> None:
    path, _ = corpus(tmp_path)
    with np.load(tmp_path / "vectors.npz") as file:
        archive = {name: file[name] for name in file}
    for name, method in (("s3-1", "plda"), ("s31-4", "cosine")):  # of the background, and tested
        np.savez(tmp_path / "vectors.npz", **{**archive, name: np.zeros(D, np.float32)})
        with pytest.raises(DataError, match=f"1 recording is a vector of zeros.*{name}"):
            run(path, [f"scoring.method={method}"], output=tmp_path / "run", console=Console(quiet=True))
    np.savez(tmp_path / "vectors.npz", **{**archive, "s3-1": np.ones(D - 1, np.float32)})
    with pytest.raises(DataError, match=rf"s3-1: frames of {D - 1} values; expected {D}"):
        run(path, output=tmp_path / "run", console=Console(quiet=True))


@pytest.mark.parametrize("method", ["plda", "cosine"])
def test_a_background_of_one_session_each_is_said_to_teach_nothing_of_other_days(tmp_path: Path, method: str) -> None:
    path, _ = corpus(tmp_path)
    head, *rows = (row.split("\t") for row in (tmp_path / "vectors.tsv").read_text().splitlines())
    for name, days in (("one", 1), ("two", 2)):
        text = [[*head, "day"], *([*row, f"d{n % days}"] for n, row in enumerate(rows))]
        (tmp_path / f"{name}.tsv").write_text("\n".join("\t".join(row) for row in text) + "\n")
        settings = ["corpus.session=day", f"corpus.path={tmp_path / name}.tsv"]
        settings += ["scoring={method: cosine}"] if method == "cosine" else []
        run(path, settings, output=tmp_path / name, console=Console(quiet=True))
        said = (tmp_path / name / "log.txt").read_text()
        assert ("speakers that it is learnt from has one day (corpus.session)" in said) == (days == 1)


@pytest.mark.parametrize(
    ("overrides", "unit"),
    [(["scoring.method=plda"], "nats"), (["scoring.lda_dims=4"], "nats"), (["scoring.method=cosine"], "cosine")],
)
def test_dimensions_that_have_one_value_change_no_score(
    tmp_path: Path, overrides: list[str], unit: str, capsys: pytest.CaptureFixture[str]
) -> None:
    without = scored(tmp_path, *overrides, name="without")
    with np.load(tmp_path / "vectors.npz") as file:
        dead = {name: np.insert(file[name], (0, 3), (7.0, 0.0)) for name in file}
    np.savez(tmp_path / "dead.npz", **dead)
    given = [*overrides, f"corpus.features={tmp_path}/dead.npz"]
    run(tmp_path / "vectors.yaml", given, output=tmp_path / "dead", console=Console())
    assert "2 feature dimensions have one value in all" in capsys.readouterr().err
    rows = [line.split("\t") for line in (tmp_path / "dead" / "scores.tsv").read_text().splitlines()[1:]]
    found = {(row[0], row[1]): float(row[2]) for row in rows}
    assert found.keys() == without.keys()
    np.testing.assert_allclose(list(found.values()), [without[key] for key in found], atol=2e-5)

    # Scores without calibration are said in their unit, and nobody is enrolled by zeros.
    score = without["s30", "s30-3"]
    said = invoked("verify", tmp_path / "without", "--claim", "s30", f"{tmp_path}/vectors.npz:s30-3")
    assert f"{score:8.3f} {unit}  " in said
    assert f"scores ({unit}) are not calibrated" in said
    np.save(tmp_path / "zeros.npy", np.zeros(D, np.float32))
    files = f"{tmp_path}/vectors.npz:s30-3", tmp_path / "zeros.npy"
    assert "recording 2 of 2 is a vector of zeros" in invoked(
        "enrol", tmp_path / "without", "--label", "new", *files, "--out", tmp_path / "new.safetensors"
    )


def invoked(*words: object) -> str:
    return CliRunner().invoke(app, [str(word) for word in words]).output


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        (["scoring.method=cosine", "scoring.lda_dims=5"], "scoring.lda_dims is for scoring.method: plda"),
        (["scoring.method=llr", "scoring.plda=kaldi"], "scoring.plda is for scoring.method: plda"),
        (["scoring.lda_smoothing=.3"], "scoring.lda_smoothing is for scoring.method: plda and lda_dims"),
        (["scoring.plda=final.plda", "scoring.lda_dims=5"], "no effect with the PLDA of a file"),
        (["scoring.compensation=nap"], "scoring.compensation is for scoring.method: cosine"),
        (["model.adapt_parameters=[means, weights]"], "looks at adapted means alone"),
        (["model.adapt_max_iter=2"], "scoring.method: plda compares one step"),
    ],
)
def test_settings_that_plda_does_not_go_with_are_refused(tmp_path: Path, asked: list[str], message: str) -> None:
    path, _ = corpus(tmp_path)
    with pytest.raises(ConfigError, match=message):
        load_config(path, asked)


def test_exports_refuse_plda_by_name(normalised: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="plda-scoring"):
        sg.export_scorer(normalised / "run", tmp_path / "scorer")
    pytest.importorskip("onnx")
    with pytest.raises(ConfigError, match="plda-scoring"):
        sg.export_onnx(normalised / "run", tmp_path / "m.onnx")
