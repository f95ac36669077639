"""Updates that go further than EM's own: faster, never lower, and EM's own where they go too far."""

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from speechgmm.errors import FitWarning
from speechgmm.gmm import ConjugatePrior, DiagGMM, accumulate, fit_em, fit_gmm, prepare
from speechgmm.gmm.overrelaxation import FURTHEST
from speechgmm.gmm.progress import ROUNDING


def overlapping(n_frames=3000, n_components=6, n_features=4, seed=0):
    """Frames of broad clusters, on which EM is slow."""
    rng = np.random.default_rng(seed)
    means = 1.2 * rng.normal(size=(n_components, n_features))
    return means[rng.integers(n_components, size=n_frames)] + rng.normal(size=(n_frames, n_features))


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 1000),
    precision=st.sampled_from(["float32", "float64"]),
    floor=st.sampled_from([0.01, 0.8]),
    relevance=st.sampled_from([0.0, 8.0]),
    sparse=st.booleans(),
)
def test_the_objective_never_falls(seed, precision, floor, relevance, sparse):
    frames = overlapping(300, seed=seed)
    rng = np.random.default_rng(seed)
    start = DiagGMM(rng.dirichlet(np.ones(5)), frames[:5], rng.uniform(0.2, 2, size=(5, 4)))
    fit = fit_em(
        start,
        prepare(frames, precision=precision, block=128),
        ConjugatePrior.around(start, relevance),
        max_iter=25,
        tol=0,
        floor=floor,
        overrelaxed=True,
        sparse=sparse,
    )
    assert fit.fell == ()
    slack = ROUNDING[precision] * max(1, abs(fit.trace[0])) + (1e-4 if sparse else 0)
    assert np.diff(fit.trace).min() >= -slack


def test_as_many_passes_lead_further_than_ems_own():
    frames = overlapping()
    for n in (10, 20, 40):
        own, further = (fit_gmm(frames, 6, max_iter=n, tol=0, overrelaxed=which).trace[-1] for which in (False, True))
        assert further > own


def test_both_end_at_the_same_mode_where_there_is_one():
    rng = np.random.default_rng(1)
    frames = np.concatenate([rng.normal(mean, 1, size=(500, 3)) for mean in (-9, 0, 9)])
    own, further = (
        fit_gmm(frames, 3, max_iter=300, tol=1e-9, precision="float64", overrelaxed=which).model
        for which in (False, True)
    )
    np.testing.assert_allclose(further.means, own.means, atol=1e-4)
    np.testing.assert_allclose(further.variances, own.variances, rtol=1e-4)


@pytest.mark.parametrize("max_iter", [1, 2, 5, 12])
def test_the_last_value_of_the_trace_is_that_of_the_model_returned(max_iter):
    frames = overlapping()
    fit = fit_gmm(frames, 6, max_iter=max_iter, tol=0, precision="float64")
    exact = sum(
        accumulate(fit.model.log_linear(), part).log_likelihood for part in prepare(frames, precision="float64")
    )
    assert fit.trace[-1] == pytest.approx(exact / len(frames), rel=1e-10)
    assert len(fit.trace) <= max_iter + 1


def test_a_single_update_is_ems_own():
    frames = overlapping()
    own, further = (fit_gmm(frames, 6, max_iter=1, overrelaxed=which).model for which in (False, True))
    assert further.means.tobytes() == own.means.tobytes()


def test_a_step_too_far_is_taken_back(monkeypatch):
    monkeypatch.setattr("speechgmm.gmm.overrelaxation.FURTHER", 40.0)
    monkeypatch.setattr("speechgmm.gmm.overrelaxation.FURTHEST", 40.0)
    frames = overlapping()
    wild = fit_gmm(frames, 6, max_iter=40, tol=0)
    own = fit_gmm(frames, 6, max_iter=20, tol=0, overrelaxed=False)
    assert wild.fell == ()
    assert len(wild.trace) < 41  # values of steps that were taken back are not in it
    assert wild.trace[-1] >= own.trace[-1] - 1e-3


def test_parameters_that_are_not_updated_stay():
    frames = overlapping()
    start = DiagGMM(np.full(6, 1 / 6), frames[:6], np.ones((6, 4)))
    prior = ConjugatePrior.around(start, 4.0)
    fit = fit_em(start, prepare(frames), prior, max_iter=9, tol=0, floor=2.0, update=("means",), overrelaxed=True)
    np.testing.assert_allclose(fit.model.weights, start.weights, rtol=1e-12)
    assert fit.model.variances.tobytes() == start.variances.tobytes()
    assert FURTHEST > 1


def test_sparse_and_overrelaxed_passes_are_only_compared_with_their_like():
    for seed in range(4):
        frames = np.random.default_rng(seed).normal(size=(600, 3))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FitWarning)
            fit = fit_gmm(frames, 256, tol=0, max_iter=120, e_step="sparse", precision="float64")
        assert fit.fell == ()


def test_without_a_floor_every_step_is_ems_own():
    frames = overlapping(400)
    own, further = (
        fit_gmm(frames, 4, max_iter=6, variance_floor=0, tol=0, overrelaxed=which).model for which in (False, True)
    )
    assert further.means.tobytes() == own.means.tobytes()
