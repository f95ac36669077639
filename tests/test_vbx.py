"""VBx: the laws of its mathematics on cases small enough to enumerate, and the authors' published example."""

from itertools import pairwise, product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import logsumexp
from scipy.stats import multivariate_normal

from speechgmm.clustering import VbxSpec, similar_vectors, speaker_posteriors, two_gaussian_threshold, vbx
from speechgmm.clustering.speaker_chain import chain_loops
from speechgmm.errors import DataError, ShapeError

SEEDS = st.integers(0, 2**32)
LOOPS = st.sampled_from([0.0, 0.3, 0.9, 0.999])


def sequence(seed: int, n: int = 60, n_dims: int = 4) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Vectors of three speakers in turns, variances between speakers, and who each vector is of."""
    rng = np.random.default_rng(seed)
    between = rng.uniform(0, 20, n_dims)
    speakers = np.repeat(rng.integers(0, 3, n // 5), 5)
    centres = rng.normal(0, np.sqrt(between), (3, n_dims))
    return centres[speakers] + rng.normal(size=(n, n_dims)), between, speakers


def path_weight(path: tuple[int, ...], weights: np.ndarray, loop: float) -> float:
    found = weights[path[0]]
    for before, after in pairwise(path):
        found *= loop * (before == after) + (1 - loop) * weights[after]
    return float(found)


@settings(max_examples=30, deadline=None)
@given(SEEDS, LOOPS, st.integers(1, 5), st.integers(1, 3))
def test_speaker_posteriors_are_those_of_all_paths(seed: int, loop: float, n: int, n_speakers: int) -> None:
    rng = np.random.default_rng(seed)
    fits, weights = rng.normal(0, 3, (n, n_speakers)), rng.dirichlet(np.ones(n_speakers))
    paths = list(product(range(n_speakers), repeat=n))
    joint = np.array([path_weight(one, weights, loop) * np.exp(fits[np.arange(n), one].sum()) for one in paths])
    gamma, entries = np.zeros((n, n_speakers)), np.zeros(n_speakers)
    for path, share in zip(paths, joint / joint.sum(), strict=True):
        gamma[np.arange(n), path] += share
        entries[path[0]] += share
        for before, after in pairwise(path):
            drawn = (1 - loop) * weights[after]
            entries[after] += share * drawn / (drawn + loop * (before == after))
    found, drawn, evidence = speaker_posteriors(fits, weights, loop)
    np.testing.assert_allclose(found, gamma, atol=1e-10)
    np.testing.assert_allclose(drawn, entries, atol=1e-10)
    assert evidence == pytest.approx(np.log(joint.sum()), abs=1e-9)


def test_compiled_loops_compute_what_python_computes() -> None:
    rng = np.random.default_rng(0)
    fits = rng.normal(0, 30, (50, 4))
    weights = np.array([0.5, 0.3, 0.2, 0.0])
    with np.errstate(divide="ignore"):
        logs = np.log(weights)
    gamma, entries = np.empty_like(fits), np.empty(4)
    with np.errstate(invalid="ignore"):
        evidence = chain_loops(fits, logs, logs + np.log(0.1), np.log(0.9), np.empty_like(fits), gamma, entries)
    found, drawn, total = speaker_posteriors(fits, weights, 0.9)
    np.testing.assert_allclose(found, gamma, atol=1e-12)
    np.testing.assert_allclose(drawn, entries, atol=1e-12)
    assert total == pytest.approx(evidence)
    assert (found[:, 3] == 0).all()


@settings(max_examples=30, deadline=None)
@given(SEEDS, LOOPS, st.floats(0.1, 3), st.floats(0.1, 30))
def test_the_lower_bound_never_falls(seed: int, loop: float, fa: float, fb: float) -> None:
    points, between, _ = sequence(seed)
    found = vbx(points, between, np.arange(60) // 6, VbxSpec(fa=fa, fb=fb, loop_probability=loop))
    assert np.diff(found.elbo).min(initial=0) >= -1e-9 * np.abs(found.elbo).max()
    np.testing.assert_allclose(found.posteriors.sum(axis=1), 1)
    assert found.weights.sum() == pytest.approx(1)
    assert (found.weights > 0).all()


@settings(max_examples=20, deadline=None)
@given(SEEDS, LOOPS)
def test_the_lower_bound_is_below_the_evidence_over_all_paths(seed: int, loop: float) -> None:
    points, between, _ = sequence(seed, n=5, n_dims=2)
    evidence = []
    for path in product(range(2), repeat=5):
        log_p = np.log(path_weight(path, np.array([0.5, 0.5]), loop))
        for speaker in set(path):
            own = points[[n for n in range(5) if path[n] == speaker]]
            for values, variance in zip(own.T, between, strict=True):
                covariance = np.eye(len(own)) + variance
                log_p += multivariate_normal.logpdf(values, np.zeros(len(own)), covariance)
        evidence.append(log_p)
    spec = VbxSpec(fa=1, fb=1, loop_probability=loop, max_iter=1)
    assert vbx(points, between, [0, 0, 1, 1, 1], spec).elbo[0] <= logsumexp(evidence) + 1e-9
    exact = vbx(points, np.zeros(2), [0, 0, 1, 1, 1], spec).elbo[0]  # speakers that do not differ: nothing to bound
    assert exact == pytest.approx(multivariate_normal.logpdf(points, np.zeros(2)).sum())


@settings(max_examples=20, deadline=None)
@given(SEEDS)
def test_without_a_loop_the_order_of_vectors_does_not_count(seed: int) -> None:
    points, between, _ = sequence(seed)
    start, order = np.arange(60) // 6, np.random.default_rng(seed).permutation(60)
    spec = VbxSpec(fa=0.5, fb=2, loop_probability=0, max_iter=10)
    found, moved = vbx(points, between, start, spec), vbx(points[order], between, start[order], spec)
    np.testing.assert_allclose(moved.posteriors, found.posteriors[order], atol=1e-6)


def test_speakers_that_are_not_needed_are_pruned() -> None:
    rng = np.random.default_rng(1)
    speakers = np.repeat([0, 1, 0, 2, 1, 2], 20)
    points = 8 * np.eye(3)[speakers] + rng.normal(size=(120, 3))
    found = vbx(points, np.full(3, 30.0), np.arange(120) // 8)
    assert found.n_speakers == found.posteriors.shape[1] == 3
    assert found.labels.tolist() == speakers.tolist()


@pytest.mark.parametrize("share", [0.1, 0.5, 0.8])
def test_the_threshold_is_that_of_a_plain_loop_over_two_gaussians(share: float) -> None:
    rng = np.random.default_rng(0)
    scores = np.concatenate([rng.normal(0, 1, 400), rng.normal(4, 1, round(400 * share))])
    weights, means, variance = [0.5, 0.5], [scores.mean() - scores.std(), scores.mean() + scores.std()], scores.var()
    for _ in range(20):
        parts = [w * np.exp(-((scores - m) ** 2) / (2 * variance)) for w, m in zip(weights, means, strict=True)]
        gammas = [part / sum(parts) for part in parts]
        weights = [gamma.mean() for gamma in gammas]
        means = [(gamma * scores).sum() / gamma.sum() for gamma in gammas]
        variance = sum((g * (scores - m) ** 2).mean() for g, m in zip(gammas, means, strict=True))
    low, high = means
    expected = (low + high) / 2 + variance / (high - low) * np.log(weights[0] / weights[1])
    assert two_gaussian_threshold(scores) == pytest.approx(expected, abs=1e-9)


def test_scores_that_are_all_alike_are_no_speakers_apart() -> None:
    assert similar_vectors(np.ones((5, 3)), -0.015).tolist() == [0] * 5
    assert two_gaussian_threshold(np.full(4, 0.7)) == pytest.approx(0.7)


def test_what_cannot_be_clustered_is_refused() -> None:
    points = np.zeros((3, 2))
    for wrong in (([1.0], [0, 0, 0]), ([1.0, 1.0], [0, 0])):
        with pytest.raises(ShapeError, match=r"expected \(N, D\)"):
            vbx(points, *wrong)
    with pytest.raises(DataError, match="NaN"):
        vbx(points * np.nan, [1.0, 1.0], [0, 0, 0])
    with pytest.raises(DataError, match="variance of -1"):
        vbx(points, [1.0, -1.0], [0, 0, 0])
    with pytest.raises(DataError, match="whole numbers"):
        vbx(points, [1.0, 1.0], [0, -1, 0])
