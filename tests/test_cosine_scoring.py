"""Cosine scoring of supervectors: the obvious loop, what differs within a speaker, files, and what is refused."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from speechgmm.config import load_config
from speechgmm.errors import ConfigError, DataError, ModelFileError
from speechgmm.gmm import DiagGMM
from speechgmm.tasks.classification.codec import load_models, save_models
from speechgmm.tasks.verification.models import ClaimModels
from speechgmm.vectors import WithinClass, unit_length
from speechgmm.vectors.cosine_scoring import Compensation, CosineStack

RNG = np.random.default_rng(3)
K, D = 4, 3
UBM = DiagGMM(RNG.dirichlet(np.ones(K)), 3 * RNG.normal(size=(K, D)), RNG.uniform(0.3, 2, (K, D)))
RECORDINGS = [RNG.normal(0, 3, (count, D)) for count in (5, 40, 700)]  # of several blocks, and of less than one


def by_hand(frames: np.ndarray, relevance: float) -> np.ndarray:
    joint = np.log(UBM.weights) - 0.5 * (
        np.log(2 * np.pi * UBM.variances) + (frames[:, None] - UBM.means) ** 2 / UBM.variances
    ).sum(axis=2)
    gamma = np.exp(joint - np.logaddexp.reduce(joint, axis=1, keepdims=True))
    parts = []
    for k in range(K):
        n = gamma[:, k].sum()
        moved = (gamma[:, k] @ frames - n * UBM.means[k]) / (n + relevance)
        parts.append(moved / np.sqrt(UBM.weights[k] * UBM.variances[k]))
    return np.concatenate(parts)


def adapted(frames: np.ndarray, relevance: float) -> DiagGMM:
    moved = by_hand(frames, relevance).reshape(K, D) * np.sqrt(UBM.weights[:, None] * UBM.variances)
    return dataclasses.replace(UBM, means=UBM.means + moved)


def compensations() -> list[WithinClass | None]:
    points, speakers = RNG.normal(size=(30, K * D)), list(range(10)) * 3
    return [None, WithinClass.learn(points, speakers, 0.3), WithinClass.without(points, speakers, 4)]


@pytest.mark.parametrize("within", compensations())
def test_scores_are_the_cosines_of_supervectors_made_one_by_one(within: WithinClass | None) -> None:
    models = [adapted(frames, 4.0) for frames in RECORDINGS[1:]]
    found = CosineStack.of(UBM, models, Compensation(4.0, within)).scores(RECORDINGS)
    points = np.stack([by_hand(frames, 4.0) for frames in RECORDINGS])
    directions = unit_length(points if within is None else within.apply(points))
    np.testing.assert_allclose(found, directions[1:] @ directions.T, atol=2e-5)
    np.testing.assert_allclose(np.diag(found, 1), 1, atol=2e-5)  # a model against the recording that it was made of


def test_a_component_without_weight_changes_no_cosine() -> None:
    models = [adapted(frames, 4.0) for frames in RECORDINGS[1:]]

    def with_empty(model: DiagGMM) -> DiagGMM:
        rows = (np.vstack([part, np.ones((1, D))]) for part in (model.means, model.variances))
        return DiagGMM(np.append(model.weights, 0.0), *rows)

    compensation = Compensation(4.0)
    found = CosineStack.of(with_empty(UBM), [with_empty(one) for one in models], compensation).scores(RECORDINGS)
    np.testing.assert_allclose(found, CosineStack.of(UBM, models, compensation).scores(RECORDINGS), atol=1e-5)


def test_projection_leaves_nothing_of_the_directions_in_which_a_speakers_recordings_differ_most() -> None:
    axes = np.linalg.qr(RNG.normal(size=(12, 12)))[0]
    speakers = np.repeat(np.arange(20), 4)
    between = (RNG.normal(size=(20, 12)) @ axes)[speakers]
    channel = RNG.normal(size=(80, 2)) * 9 @ axes[:2]
    points = between + channel + 0.01 * RNG.normal(size=(80, 12))
    found = WithinClass.without(points, speakers.tolist(), 2)
    np.testing.assert_allclose(found.directions @ found.directions.T, np.eye(2), atol=1e-9)
    left = found.apply(points)
    for _ in range(3):  # nothing is left of them, whatever a recording adds of them
        again = found.apply(points + RNG.normal(size=(80, 2)) * 100 @ found.directions)
        np.testing.assert_allclose(again, left, atol=1e-9)
    assert np.abs(np.abs(found.directions @ axes[:2].T @ axes[:2] @ found.directions.T).trace() - 2) < 1e-3
    with pytest.raises(ConfigError, match="0 directions"):
        WithinClass.without(points, speakers.tolist(), 0)
    with pytest.raises(DataError, match="no speaker has two that differ"):
        WithinClass.without(points, list(range(80)), 2)


@pytest.mark.parametrize("within", compensations())
def test_a_model_file_keeps_the_compensation(tmp_path: Path, within: WithinClass | None) -> None:
    ann = adapted(RECORDINGS[1], 4.0)
    claims = ClaimModels(
        ("ann",), (ann,), np.zeros(1), ubm=UBM, method="cosine", compensation=Compensation(4.0, within)
    )
    save_models(claims, tmp_path / "m.safetensors")
    back = load_models(tmp_path / "m.safetensors")
    assert isinstance(back, ClaimModels)
    assert back.method == "cosine"
    np.testing.assert_array_equal(back.raw_scores(RECORDINGS), claims.raw_scores(RECORDINGS))
    assert back.only("ann").raw_scores(RECORDINGS).tolist() == back.raw_scores(RECORDINGS).tolist()
    if within is not None:
        spoilt = WithinClass(within.mean, within.directions, within.gains + 2)
        save_models(dataclasses.replace(claims, compensation=Compensation(4.0, spoilt)), tmp_path / "bad.safetensors")
        with pytest.raises(ModelFileError, match=r"within\.gains"):
            load_models(tmp_path / "bad.safetensors")


def test_models_that_cosines_do_not_compare_are_refused() -> None:
    with pytest.raises(DataError, match="which cosine scoring does not look at"):
        CosineStack.of(UBM, [dataclasses.replace(UBM, variances=2 * UBM.variances)], Compensation(4.0))
    with pytest.raises(DataError, match="without a compensation"):
        ClaimModels(("ann",), (UBM,), np.zeros(1), ubm=UBM, method="cosine")


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        (["scoring.smoothing=.5"], "scoring.smoothing is for scoring.method: cosine and"),
        (["scoring.compensation=nap"], "scoring.compensation is for scoring.method: cosine"),
        (["scoring.method=cosine", "scoring.compensation_directions=5"], "is for .*cosine and compensation: nap"),
        (
            ["scoring.method=cosine", "scoring.compensation=nap", "scoring.smoothing=.5"],
            "is for .*and compensation: wccn",
        ),
        (["scoring.method=cosine", "scoring.top_components=5"], "no effect with scoring.method: cosine"),
        (["scoring.method=cosine", "model.adapt_parameters=[means, weights]"], "looks at adapted means alone"),
        (["scoring.method=cosine", "model.adapt_max_iter=2"], "one step of adaptation"),
    ],
)
def test_settings_that_cosines_do_not_go_with_are_refused(tmp_path: Path, asked: list[str], message: str) -> None:
    path = tmp_path / "voices.yaml"
    path.write_text("task: verification\ncorpus: {path: m.tsv, label: speaker}\nmodel: {adapt: map}\n")
    with pytest.raises(ConfigError, match=message):
        load_config(path, asked)


def test_vectors_of_others_keep_their_proportions() -> None:
    vectors = np.array([[3.0, 0.1, 0.0], [1.0, 0.2, 0.1], [-2.0, 0.4, 1.0]])
    ubm = DiagGMM([1.0], [vectors.mean(axis=0)], [vectors.var(axis=0)])
    models = [dataclasses.replace(ubm, means=(ubm.means + one) / 2) for one in vectors]
    found = CosineStack.of(ubm, models, Compensation(4.0)).scores([one[None] for one in vectors])
    directions = unit_length(vectors - vectors.mean(axis=0))
    np.testing.assert_allclose(found, directions @ directions.T, atol=1e-6)
