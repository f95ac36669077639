"""Laws of what is learnt of boundaries from labels with times, and what becomes of it in a model file."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import multivariate_normal, norm

from speechgmm.engine.audio_input import AudioInput
from speechgmm.errors import ModelFileError, ShapeError
from speechgmm.features import FeatureSpec
from speechgmm.gmm import DiagGMM
from speechgmm.hmm import (
    HMM,
    AlignmentScorer,
    Recogniser,
    Units,
    alignment,
    left_to_right,
    linear,
    viterbi,
    word_choice,
)
from speechgmm.hmm.boundary_model import FARTHEST, NEAREST, OFFSETS, PRIOR_COUNT, SHRINKAGE, train_boundary_model
from speechgmm.parallel import one_blas_thread
from speechgmm.tasks.recognition.codec import RecogniserFile, read_recogniser, serialise_recogniser

LABELS = ("a", "b", "c")
LEVELS = {"a": 0.0, "b": 4.0, "c": 8.0}


@pytest.fixture(autouse=True, scope="module")
def _one_thread():
    with one_blas_thread():
        yield


def spoken(rng, n_units=12, click=0.0):
    """Frames (T, 2) of random units, their labels and beginnings; ``click`` marks these in the second dimension."""
    labels = [str(rng.choice(LABELS))]
    while len(labels) < n_units:
        labels.append(str(rng.choice([one for one in LABELS if one != labels[-1]])))
    lengths = rng.integers(8, 20, n_units)
    firsts = np.concatenate([[0], np.cumsum(lengths)[:-1]])
    levels = np.repeat([LEVELS[label] for label in labels], lengths)
    frames = rng.normal(size=(len(levels), 2)) + np.stack([levels, np.zeros(len(levels))], axis=1)
    frames[firsts, 1] += click
    return frames, labels, firsts


@pytest.fixture(scope="module")
def model():
    rng = np.random.default_rng(0)
    return train_boundary_model([spoken(rng, click=6.0) for _ in range(40)], LABELS)


def test_the_projected_gaussians_are_those_of_obvious_loops(model):
    rng = np.random.default_rng(0)
    windows = {side: [] for side in range(3)}
    designs = {side: [] for side in range(3)}
    for frames, labels, firsts in [spoken(rng, click=6.0) for _ in range(40)]:
        for left, right, first in zip(labels, labels[1:], firsts[1:], strict=False):
            for shift in range(-FARTHEST, FARTHEST + 1):
                if (shift == 0 or abs(shift) >= NEAREST) and 0 <= first + shift < len(frames):
                    places = np.clip(first + shift + OFFSETS, 0, len(frames) - 1)
                    side = 0 if shift == 0 else 1 if shift < 0 else 2
                    windows[side].append(frames[places].ravel())
                    one = [label == left for label in LABELS], [label == right for label in LABELS]
                    designs[side].append([1.0, *one[0], *one[1]])
    for side, n_positions in enumerate((1, FARTHEST - NEAREST + 1, FARTHEST - NEAREST + 1)):
        x, d = np.array(windows[side]), np.array(designs[side])
        ridge = PRIOR_COUNT * n_positions * np.eye(7)
        ridge[0, 0] = 0
        effects = np.linalg.solve(d.T @ d + ridge, d.T @ x)
        left_over = x - d @ effects
        covariance = left_over.T @ left_over / len(x)
        covariance = (1 - SHRINKAGE) * covariance + SHRINKAGE * np.diag(np.diag(covariance))
        np.testing.assert_allclose(model.means[side], effects @ model.projection, rtol=1e-6, atol=1e-8)
        inner = np.linalg.inv(model.projection.T @ covariance @ model.projection)
        np.testing.assert_allclose(model.precisions[side], inner, rtol=1e-6, atol=1e-8)


def test_ratios_are_those_of_normal_densities_and_highest_at_boundaries(model):
    frames, labels, firsts = spoken(np.random.default_rng(1), click=6.0)
    rows = model.rows(frames)
    ratios = model.log_ratios(rows, labels)
    assert ratios.shape == (len(frames), len(labels) - 1)
    for i, t in ((0, 3), (4, int(firsts[5])), (7, 20)):
        added = [0, 1 + LABELS.index(labels[i]), 4 + LABELS.index(labels[i + 1])]
        here, before, after = (
            multivariate_normal.logpdf(rows[t], model.means[side, added].sum(axis=0), np.linalg.inv(precision))
            for side, precision in enumerate(model.precisions)
        )
        assert ratios[t, i] == pytest.approx(here - np.logaddexp(before, after) + np.log(2), abs=1e-6)
    near = [
        ratios[first - 4 : first + 5, i].argmax() - 4 for i, first in enumerate(firsts[1:]) if first < len(frames) - 5
    ]
    assert np.mean(np.abs(near) == 0) > 0.7


def test_boundaries_are_nearer_to_the_labels_with_the_model_than_without(model):
    hmms = tuple(
        HMM((DiagGMM([1.0], [[LEVELS[one], 0.0]], [[1.0, 1.0]]),), left_to_right(1, self_loop=0.93)) for one in LABELS
    )
    units = Units(LABELS, hmms)
    errors = {"with": [], "without": []}
    rng = np.random.default_rng(2)
    for _ in range(12):
        frames, labels, firsts = spoken(rng, click=6.0)
        emissions = np.stack([norm.logpdf(frames, [LEVELS[one], 0]).sum(axis=1) for one in LABELS], axis=1)
        graph = linear(units, labels)
        found = alignment(graph, viterbi(graph, emissions), emissions)
        for name, scorer in (("with", AlignmentScorer(units, model)), ("without", AlignmentScorer(units))):
            placed = scorer.placed(found, emissions, frames)
            starts = np.array([one.start for one in placed.units])
            ends = np.array([one.end for one in placed.units])
            np.testing.assert_array_equal(starts[1:], ends[:-1])
            assert (starts[0], ends[-1]) == (0.0, len(frames))
            assert (ends - starts).min() >= 0.5 - 1e-9
            errors[name].append(np.abs(starts - firsts)[1:])
    means = {name: float(np.concatenate(values).mean()) for name, values in errors.items()}
    assert means["with"] < 0.75 * means["without"], means


def test_a_unit_that_was_never_seen_has_the_mean_of_all(model):
    frames, *_ = spoken(np.random.default_rng(3))
    rows = model.rows(frames)
    pair = model.log_ratios(rows, ["x", "y"])
    precision, means = model.precisions, model.means[:, 0]
    scores = [
        0.5 * (np.linalg.slogdet(p)[1] - np.einsum("td,de,te->t", rows - m, p, rows - m))
        for p, m in zip(precision, means, strict=True)
    ]
    np.testing.assert_allclose(pair[:, 0], scores[0] - np.logaddexp(*scores[1:]) + np.log(2), rtol=1e-6, atol=1e-8)


def test_too_few_boundaries_teach_nothing_and_other_frames_are_refused(model):
    rng = np.random.default_rng(4)
    assert train_boundary_model([spoken(rng) for _ in range(5)], LABELS) is None
    with pytest.raises(ShapeError, match=r"frames of shape \(9, 3\); expected \(T, 2\)"):
        model.rows(np.zeros((9, 3)))
    with pytest.raises(ShapeError, match=r"beginnings of shape \(3,\) for 2 units"):
        train_boundary_model([(np.zeros((9, 2)), ["a", "b"], [0, 3, 4])], LABELS)


def test_a_model_file_keeps_it_and_one_without_reads_as_before(model, tmp_path):
    hmm = HMM((DiagGMM([1.0], [[0.0, 0.0]], [[1.0, 1.0]]),), left_to_right(1))
    recogniser = Recogniser(Units(LABELS, (hmm,) * 3), {one: ((one,),) for one in LABELS}, word_choice(LABELS))
    audio = AudioInput(FeatureSpec(n_ceps=2, deltas=0), 8000)
    for kept in (model, None):
        data = serialise_recogniser(RecogniserFile(replace(recogniser, boundary_model=kept), audio, "phone"))
        found = read_recogniser(tmp_path / "models.safetensors", data).recogniser.boundary_model
        assert (b"boundaries" in data) == (kept is not None)
        assert (found is None) == (kept is None)
        if found is not None:
            assert found.labels == LABELS
            for name in ("projection", "means", "precisions"):
                np.testing.assert_array_equal(getattr(found, name), getattr(model, name))
    three = HMM((DiagGMM([1.0], [[0.0] * 3], [[1.0] * 3]),), left_to_right(1))
    wide = replace(recogniser, units=Units(LABELS, (three,) * 3), boundary_model=model)
    data = serialise_recogniser(RecogniserFile(wide, AudioInput(FeatureSpec(n_ceps=3, deltas=0), 8000), "phone"))
    with pytest.raises(ModelFileError, match="a boundary model of 2 dimensions for frames of 3"):
        read_recogniser(tmp_path / "models.safetensors", data)
