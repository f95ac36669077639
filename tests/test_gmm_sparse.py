"""Sparse EM: what a pass over active components alone may change, and what it may not."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from speechgmm.errors import ConfigError
from speechgmm.gmm import ConjugatePrior, DiagGMM, accumulate, fit_em, fit_gmm, prepare
from speechgmm.gmm.active import arranged, similar_order
from speechgmm.gmm.frames import as_source
from speechgmm.gmm.kernels import best_components, survey
from speechgmm.gmm.layout import batches

PRECISIONS = ["float32", "float64"]


def many_clusters(n_frames=6000, n_clusters=60, n_features=6, seed=0):
    rng = np.random.default_rng(seed)
    means = 6 * rng.normal(size=(n_clusters, n_features))
    return means[rng.integers(n_clusters, size=n_frames)] + rng.normal(size=(n_frames, n_features))


def a_mixture(frames, n_components):
    return DiagGMM(
        np.full(n_components, 1 / n_components),
        frames[:n_components],
        np.tile(frames.var(axis=0) / 10, (n_components, 1)),
    )


def references(frames, precision="float32", block=128):
    return batches(as_source(frames), frames.mean(axis=0), frames.std(axis=0), precision, block)


def assert_same(one, other, tolerance):
    for name in ("counts", "sums", "squares"):
        expected = getattr(one, name)
        np.testing.assert_allclose(getattr(other, name), expected, rtol=tolerance, atol=tolerance * abs(expected).max())
    assert other.log_likelihood == pytest.approx(one.log_likelihood, rel=tolerance)


@pytest.mark.parametrize("engine", ["numba", "numpy"])
@pytest.mark.parametrize("precision", PRECISIONS)
def test_with_every_component_active_a_sparse_pass_is_a_full_one(precision, engine):
    frames = many_clusters(1000)
    model = a_mixture(frames, 37)
    (batch,) = prepare(frames, precision=precision, block=128)
    every = np.tile(np.packbits(np.ones(37, bool)), (len(batch.rows), 1))
    full = accumulate(model.log_linear(), batch, engine=engine)
    assert_same(full, accumulate(model.log_linear(), batch, active=every, engine=engine), 1e-6)


@pytest.mark.parametrize("precision", PRECISIONS)
def test_a_sparse_pass_is_a_full_one_of_the_mixture_without_the_others(precision):
    frames = many_clusters(256)
    model = a_mixture(frames, 20)
    (batch,) = prepare(frames, precision=precision, block=256)
    kept = np.arange(20) % 3 == 0
    stats = accumulate(model.log_linear(), batch, active=np.packbits(kept)[None])
    part = DiagGMM(np.full(kept.sum(), 1 / kept.sum()), model.means[kept], model.variances[kept])
    alone = accumulate(part.log_linear(), batch)
    assert not stats.counts[~kept].any()
    np.testing.assert_allclose(stats.counts[kept], alone.counts, rtol=1e-4, atol=1e-5)
    shift = 256 * np.log(kept.sum() / 20)
    assert stats.log_likelihood == pytest.approx(alone.log_likelihood + shift, rel=1e-6)


@pytest.mark.parametrize("engine", ["numba", "numpy"])
def test_a_survey_has_the_statistics_of_a_full_pass_and_finds_what_a_sparse_one_needs(engine):
    frames = many_clusters()
    model = a_mixture(frames, 60)
    log_linear = model.log_linear()
    (batch,) = (reference.load() for reference in arranged(references(frames), model))
    full = accumulate(log_linear, batch, engine=engine)
    surveyed, active = survey(log_linear, batch, engine=engine)
    assert surveyed.counts.tobytes() == full.counts.tobytes()
    assert np.unpackbits(active, axis=1, count=60).mean() < 0.7
    sparse = accumulate(log_linear, batch, active=active, engine=engine)
    assert sparse.log_likelihood <= full.log_likelihood * (1 - 1e-9) or sparse.log_likelihood == pytest.approx(
        full.log_likelihood, rel=1e-6
    )
    assert_same(full, sparse, 1e-4)


def test_arranging_reorders_the_frames_of_a_batch_and_loses_none():
    frames = many_clusters()
    model = a_mixture(frames, 16)
    plain = references(frames)
    for before, after in zip(plain, arranged(plain, model), strict=True):
        assert sorted(after.order) == list(range(len(after.order)))
        tops = best_components(model.log_linear(), after.load())
        assert np.count_nonzero(np.diff(tops)) < 16  # every component's frames lie together
        assert_same(accumulate(model.log_linear(), before.load()), accumulate(model.log_linear(), after.load()), 1e-5)


def test_like_components_come_to_lie_beside_each_other():
    points = np.random.default_rng(0).normal(size=(256, 4))
    order = similar_order(points)
    assert sorted(order) == list(range(256))
    step = np.linalg.norm(np.diff(points[order], axis=0), axis=1).mean()
    assert step < 0.7 * np.linalg.norm(np.diff(points, axis=0), axis=1).mean()


def test_sparse_training_ends_where_dense_training_does_and_never_falls():
    frames = many_clusters()
    dense, sparse = (
        fit_gmm(frames, 48, e_step=e_step, max_iter=19, tol=0, overrelaxed=False) for e_step in ("dense", "sparse")
    )
    assert sparse.fell == ()
    assert np.diff(sparse.trace).min() > -1e-4  # a bound may lie below the likelihood before it, by what it leaves out
    assert sparse.trace[-1] == pytest.approx(dense.trace[-1], abs=1e-5)
    np.testing.assert_allclose(sparse.model.variances, dense.model.variances, rtol=1e-3)
    np.testing.assert_allclose(sparse.model.weights, dense.model.weights, rtol=1e-3)


def test_sparse_training_converges_on_a_full_pass():
    fit = fit_gmm(many_clusters(), 24, e_step="sparse", max_iter=200, tol=1e-4)
    assert fit.converged
    assert fit.trace[-1] - fit.trace[-2] < 1e-4
    batch = prepare(many_clusters())
    exact = sum(accumulate(fit.model.log_linear(), part).log_likelihood for part in batch) / 6000
    assert fit.trace[-1] == pytest.approx(exact, rel=1e-6)


def test_a_resplit_component_is_seen_by_all_frames_at_once():
    frames = many_clusters()
    start = a_mixture(frames, 8)
    start = DiagGMM(start.weights, np.where(np.arange(8)[:, None] == 3, 1e3, start.means), start.variances)
    prior = ConjugatePrior.flat(8, 6)
    fit = fit_em(
        start, arranged(references(frames), start), prior, max_iter=12, tol=0, floor=0.01, dead="resplit", sparse=True
    )
    assert fit.resplit == (3,)
    assert fit.model.weights[3] > 0.01


def test_who_reads_the_batches_changes_no_byte():
    frames = many_clusters(20_000)
    alone = fit_gmm(frames, 16, e_step="sparse", max_iter=5)
    with ThreadPoolExecutor(2) as pool:
        threads = fit_gmm(frames, 16, e_step="sparse", max_iter=5, map=pool.map)
    streamed = fit_gmm(frames, 16, e_step="sparse", max_iter=5, memory=0)
    for other in (threads, streamed):
        assert other.model.variances.tobytes() == alone.model.variances.tobytes()
        assert other.trace == alone.trace


def test_frames_with_weights_are_given_to_all_components():
    frames = many_clusters(2000)
    weights = np.random.default_rng(1).uniform(size=2000)
    dense, sparse = (fit_gmm(frames, 8, weights=weights, e_step=e_step, max_iter=3) for e_step in ("dense", "sparse"))
    assert sparse.model.means.tobytes() == dense.model.means.tobytes()


def test_an_unknown_e_step_is_refused():
    with pytest.raises(ConfigError, match="e_step 'fast'; expected auto, dense or sparse"):
        fit_gmm(many_clusters(100), 2, e_step="fast")
