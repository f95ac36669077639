"""Direct maximum likelihood by L-BFGS: its gradients, and where it ends beside EM."""

from dataclasses import replace

import numpy as np
import pytest

from speechgmm.errors import ConfigError, FitWarning
from speechgmm.gmm import ConjugatePrior, DiagGMM, fit_em, fit_gmm, fit_gradient, prepare
from speechgmm.gmm.em import e_step
from speechgmm.gmm.gradient import Coordinates


def drawn(n: int = 900, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    parts = [rng.normal(size=(n // 3, 3)) * s + m for s, m in ((1, 0), (2, 5), (0.5, -4))]
    return np.concatenate(parts) + np.array([100, 0, -3])


def test_gradients_equal_finite_differences():
    frames = drawn()
    start = fit_gmm(frames, 4, precision="float64").model
    where, batches = Coordinates(start), prepare(frames, precision="float64")
    here = where.vector(start) + np.random.default_rng(1).normal(scale=0.3, size=4 * 7)

    def total(vector: np.ndarray) -> float:
        return e_step(where.model(vector).log_linear(), batches).log_likelihood

    exact = where.gradient(here, e_step(where.model(here).log_linear(), batches))
    steps = 1e-5 * np.eye(len(here))
    numeric = np.array([(total(here + step) - total(here - step)) / 2e-5 for step in steps])
    assert numeric == pytest.approx(exact, rel=1e-6, abs=1e-4)
    assert np.abs(exact).max() > 10


def test_from_where_em_ends_it_moves_the_likelihood_by_less_than_a_millionth_of_a_nat_per_frame():
    frames, floor = drawn(), np.full(3, 0.05)
    batches = prepare(frames, precision="float64")
    start = fit_gmm(frames, 3, precision="float64", floor=floor).model
    flat = ConjugatePrior.flat(3, 3)
    em = fit_em(start, batches, flat, max_iter=1000, tol=0, floor=floor, overrelaxed=True)
    fit = fit_gradient(em.model, batches, max_passes=100, tol=0, floor=floor)
    assert fit.trace[0] == pytest.approx(em.trace[-1], rel=1e-12)
    assert abs(fit.trace[-1] - em.trace[-1]) < 1e-6
    assert fit.model.means == pytest.approx(em.model.means, abs=1e-2)


def test_likelihood_of_the_best_pass_is_kept_and_is_that_of_the_model():
    frames = drawn()
    batches = prepare(frames, precision="float64")
    fit = fit_gmm(frames, 5, estimator="gradient", max_iter=30, tol=0)
    assert np.diff(fit.trace).min() >= -1e-12
    assert len(fit.trace) == 31
    assert e_step(fit.model.log_linear(), batches).log_likelihood / 900 == pytest.approx(fit.trace[-1], rel=1e-12)
    assert fit.precision == "float64"


def test_with_the_same_passes_it_ends_no_lower_than_where_em_left_it():
    frames = drawn()
    em = fit_gmm(frames, 5, max_iter=5, tol=0, precision="float64", overrelaxed=False)
    both = fit_gmm(frames, 5, max_iter=40, tol=1e-7, estimator="gradient", gradient_after=5, overrelaxed=False)
    assert both.trace[:6] == pytest.approx(em.trace)
    assert both.trace[-1] > em.trace[-1]


def test_the_floor_holds_variances_and_those_on_it_stay():
    frames = drawn()
    frames[:300] = frames[0]  # a cluster that is a point
    least = 0.01 * frames.var(axis=0)
    with pytest.warns(FitWarning, match="the floor holds"):
        fit = fit_gmm(frames, 3, estimator="gradient", floor=least, max_iter=60)
    assert (fit.model.variances >= least * (1 - 1e-12)).all()
    assert fit.floored >= 3


def test_permuting_the_components_of_the_start_permutes_the_end():
    frames = drawn()
    batches = prepare(frames, precision="float64")
    start = fit_gmm(frames, 3, max_iter=2).model
    order = [2, 0, 1]
    moved = DiagGMM(start.weights[order], start.means[order], start.variances[order])
    one, other = (fit_gradient(s, batches, max_passes=200, tol=1e-12, floor=0.01) for s in (start, moved))
    assert other.model.means == pytest.approx(one.model.means[order], abs=1e-3)


def test_what_a_line_search_cannot_do_is_refused():
    frames = drawn(60)
    with pytest.raises(ConfigError, match="float32 with gradients"):
        fit_gmm(frames, 2, estimator="gradient", precision="float32")
    with pytest.raises(ConfigError, match="variance floor of 0"):
        fit_gmm(frames, 2, estimator="gradient", variance_floor=0)
    with pytest.raises(ConfigError, match="expected em or gradient"):
        fit_gmm(frames, 2, estimator="newton")  # type: ignore[arg-type]


def test_a_pass_that_overflows_leaves_the_best_model_and_its_likelihood(monkeypatch: pytest.MonkeyPatch):
    frames = drawn()
    batches = prepare(frames, precision="float64")
    passes = iter(range(100))

    def overflowing(*args):
        stats = e_step(*args)
        return replace(stats, log_likelihood=np.nan) if next(passes) == 2 else stats

    monkeypatch.setattr("speechgmm.gmm.gradient.e_step", overflowing)
    fit = fit_gradient(fit_gmm(frames, 3, max_iter=1).model, batches, max_passes=20, tol=0, floor=0.01)
    assert np.isfinite(fit.trace).all()
    assert e_step(fit.model.log_linear(), batches).log_likelihood / 900 == pytest.approx(fit.trace[-1], rel=1e-12)


def test_it_stops_where_an_iteration_gains_less_than_tol():
    frames = drawn()
    start = fit_gmm(frames, 5, max_iter=2, precision="float64").model
    fits = [
        fit_gradient(start, prepare(frames, precision="float64"), max_passes=60, tol=t, floor=0.01) for t in (1e-3, 0)
    ]
    assert fits[0].converged
    assert len(fits[0].trace) < len(fits[1].trace)
