"""Variational Bayes: its bound and posterior against independent formulae, scikit-learn and exact evidence."""

from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from scipy import special, stats

from speechgmm.errors import ConfigError, FitError, ShapeError
from speechgmm.gmm import (
    BayesianGMM,
    ConjugatePrior,
    DiagGMM,
    GMMStats,
    PredictiveStack,
    adapt_map,
    fit_gmm,
    fit_variational,
    prepare,
)
from speechgmm.gmm.em import e_step
from speechgmm.gmm.variational import fit_posterior

KINDS = ("dirichlet", "dirichlet_process")


def drawn(n: int = 400, n_features: int = 3, seed: int = 0) -> np.ndarray:
    """Frames of three overlapping clusters, off the origin."""
    rng = np.random.default_rng(seed)
    centres = rng.normal(scale=3, size=(3, n_features)) + 10
    return rng.normal(size=(n, n_features)) * rng.uniform(0.5, 2, n_features) + centres[rng.integers(3, size=n)]


def stats_of(frames: np.ndarray, gamma: np.ndarray) -> GMMStats:
    """Statistics under given responsibilities (N, K)."""
    return GMMStats(gamma.sum(axis=0), gamma.T @ frames, gamma.T @ frames**2, 0.0, float(len(frames)))


def expected_log_weights(known: BayesianGMM) -> np.ndarray:
    if known.process is None:
        alpha = known.conjugate.weight_counts + 1
        return special.digamma(alpha) - special.digamma(alpha.sum())
    logs, left = [], 0.0
    for a, b in known.sticks():
        logs.append(left + special.digamma(a) - special.digamma(a + b))
        left += special.digamma(b) - special.digamma(a + b)
    return np.array(logs)


def bound_term_by_term(frames: np.ndarray, known: BayesianGMM, prior: BayesianGMM) -> float:
    """The bound as in Bishop (2006, 10.70): explicit responsibilities, entropies and cross-entropies, by scipy."""
    (a, b), (a0, b0) = known.gammas(), prior.gammas()
    kappa, kappa0 = known.conjugate.mean_counts, prior.conjugate.mean_counts
    m, m0 = known.conjugate.means, prior.conjugate.means
    n_components, n_features = m.shape
    log_weights = expected_log_weights(known)
    log_precision = special.digamma(a)[:, None] - np.log(b)
    precision = a[:, None] / b
    log_rho = np.empty((len(frames), n_components))
    for k in range(n_components):
        squares = precision[k] * (frames - m[k]) ** 2 + 1 / kappa[k]
        log_rho[:, k] = 0.5 * (log_precision[k] - np.log(2 * np.pi) - squares).sum(axis=1)
    gamma = special.softmax(log_rho + log_weights, axis=1)
    total = (gamma * log_rho).sum()  # E log p(X | Z, parameters)
    total += (gamma * log_weights).sum()  # E log p(Z | weights)
    total += special.entr(gamma).sum()  # H(Z)
    if known.process is None:
        alpha, alpha0 = known.conjugate.weight_counts + 1, prior.conjugate.weight_counts + 1
        total += special.gammaln(alpha0.sum()) - special.gammaln(alpha0).sum() + (alpha0 - 1) @ log_weights
        total += stats.dirichlet(alpha).entropy()
    else:
        for (p, q), (p0, q0) in zip(known.sticks(), prior.sticks(), strict=True):
            total += (p0 - 1) * (special.digamma(p) - special.digamma(p + q)) - special.betaln(p0, q0)
            total += (q0 - 1) * (special.digamma(q) - special.digamma(p + q)) + stats.beta(p, q).entropy()
    for k, d in product(range(n_components), range(n_features)):
        e_log, e = log_precision[k, d], precision[k, d]
        total += a0[k] * np.log(b0[k, d]) - special.gammaln(a0[k]) + (a0[k] - 1) * e_log - b0[k, d] * e
        total += 0.5 * (np.log(kappa0[k] / (2 * np.pi)) + e_log)
        total -= 0.5 * kappa0[k] * (e * (m[k, d] - m0[k, d]) ** 2 + 1 / kappa[k])
        total += stats.gamma(a[k], scale=1 / b[k, d]).entropy()
        total += 0.5 * (np.log(2 * np.pi / kappa[k]) - e_log) + 0.5
    return float(total)


def log_evidence_of_one(frames: np.ndarray, prior: BayesianGMM) -> float:
    """Log of the integral over one Gaussian's parameters, frame by frame: each given those before it."""
    total, known = 0.0, prior
    for frame in frames:
        a, b = known.gammas()
        kappa = known.conjugate.mean_counts
        scale = np.sqrt(b * ((kappa + 1) / kappa)[:, None] / a[:, None])
        total += stats.t(2 * a[0], loc=known.conjugate.means[0], scale=scale[0]).logpdf(frame).sum()
        known = known + stats_of(frame[None], np.ones((1, 1)))
    return float(total)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("max_iter", [0, 3, 200])
def test_the_bound_equals_its_evaluation_term_by_term(kind, max_iter):
    frames = drawn()
    prior = BayesianGMM.around(frames.mean(axis=0), frames.var(axis=0), 6, weight_prior=kind)
    fit = fit_variational(frames, prior=prior, max_iter=max_iter)
    direct = bound_term_by_term(frames, fit.posterior, prior)
    assert fit.bound == pytest.approx(direct, rel=1e-9, abs=1e-9)
    assert fit.trace[-1] * len(frames) == pytest.approx(direct, rel=1e-9)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("precision", ["float64", "float32"])
def test_the_bound_never_falls(kind, precision):
    for seed in range(3):
        fit = fit_variational(drawn(seed=seed), 12, weight_prior=kind, seed=seed, tol=0, precision=precision)
        least = -1e-10 if precision == "float64" else -1e-6
        assert np.diff(fit.trace).min() >= least * max(1, abs(fit.trace[-1]))
        assert fit.fell == ()
        assert len(fit.trace) > 10


def test_of_one_component_the_bound_is_the_log_evidence_itself():
    frames = drawn(50)
    prior = BayesianGMM.around(frames.mean(axis=0) + 1, frames.var(axis=0), 1, concentration=2.5)
    assert fit_variational(frames, prior=prior).bound == pytest.approx(log_evidence_of_one(frames, prior), rel=1e-12)


@pytest.mark.parametrize("kind", KINDS)
def test_the_bound_is_below_the_log_evidence_of_all_ways_to_assign_frames(kind):
    frames = np.array([[0.0, 1.0], [0.5, 0.0], [6.0, 5.0], [7.0, 6.5], [6.5, 5.0], [0.1, 0.4]])
    prior = BayesianGMM.around(frames.mean(axis=0), frames.var(axis=0), 2, weight_prior=kind)
    one = BayesianGMM.around(frames.mean(axis=0), frames.var(axis=0), 1)
    logs = []
    for ways in product(range(2), repeat=len(frames)):
        n = np.bincount(ways, minlength=2)
        if kind == "dirichlet":
            log_p = special.gammaln(1) - special.gammaln(1 + n.sum()) + (special.gammaln(0.5 + n)).sum()
            log_p -= 2 * special.gammaln(0.5)
        else:  # what the sticks of the first two say; the rest of the process would only add
            log_p = special.betaln(1 + n[0], 1 + n[1]) + special.betaln(1 + n[1], 1)
        each = [log_evidence_of_one(frames[np.array(ways) == k], one) for k in range(2) if n[k]]
        logs.append(log_p + sum(each))
    evidence = special.logsumexp(logs)
    bound = fit_variational(frames, prior=prior, tol=1e-12).bound
    assert evidence - 3 < bound < evidence


def test_with_more_components_than_needed_the_bound_of_a_process_hardly_changes():
    frames = drawn()
    fits = [fit_variational(frames, k, weight_prior="dirichlet_process", tol=1e-9, max_iter=2000) for k in (8, 16)]
    assert abs(fits[0].bound - fits[1].bound) < 10
    assert fits[0].n_in_use == fits[1].n_in_use


@pytest.mark.parametrize("kind", KINDS)
def test_in_one_dimension_the_parameters_are_those_of_scikit_learn(kind):
    mixture = pytest.importorskip("sklearn.mixture")
    rng = np.random.default_rng(1)
    frames = np.concatenate([rng.normal(0, 1, 300), rng.normal(7, 2, 200), rng.normal(-9, 0.5, 100)])[:, None]
    settings = {
        "n_components": 3,
        "covariance_type": "diag",
        "weight_concentration_prior_type": {"dirichlet": "dirichlet_distribution"}.get(kind, kind),
        "weight_concentration_prior": 0.7,
        "mean_precision_prior": 0.3,
        "mean_prior": [1.0],
        "degrees_of_freedom_prior": 4.0,
        "covariance_prior": [8.0],
        "reg_covar": 0,
    }
    # A process' sticks come in the order of the start with scikit-learn, and heaviest first with us.
    rough = (mixture.BayesianGaussianMixture(**settings, random_state=seed).fit(frames) for seed in range(50))
    seed = next(n for n, found in enumerate(rough) if (np.diff(found.weights_) < 0).all())
    exact = mixture.BayesianGaussianMixture(**settings, random_state=seed, tol=1e-13, max_iter=20_000)
    theirs = exact.fit(frames)
    prior = BayesianGMM.around(
        [1.0],
        [1.0],
        3,
        weight_prior=kind,
        concentration=0.7,
        mean_frames=0.3,
        variance_frames=4,
        variance_share=2.0,
    )
    start = DiagGMM(theirs.weights_, theirs.means_ + 0.3, theirs.covariances_ * 1.5)
    batches = prepare(frames, precision="float64")
    known = fit_posterior(start.log_linear(), batches, prior, max_iter=20_000, tol=0).posterior
    ours = known.mixture()
    assert ours.weights == pytest.approx(theirs.weights_, abs=1e-6)
    assert ours.means == pytest.approx(theirs.means_, abs=1e-6)
    assert ours.variances == pytest.approx(theirs.covariances_, abs=1e-6)
    assert known.conjugate.mean_counts == pytest.approx(theirs.mean_precision_, rel=1e-6)
    assert known.conjugate.variance_counts + 1 == pytest.approx(theirs.degrees_of_freedom_, rel=1e-6)
    if kind == "dirichlet":
        assert known.conjugate.weight_counts + 1 == pytest.approx(theirs.weight_concentration_, rel=1e-6)
    else:
        assert known.sticks() == pytest.approx(np.column_stack(theirs.weight_concentration_), rel=1e-6)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("init", ["split", "kmeans++", "random"])
def test_of_twenty_components_three_true_clusters_keep_three(kind, init):
    rng = np.random.default_rng(3)
    frames = rng.normal(size=(600, 2)) + np.repeat([[0, 0], [9, 0], [0, 9]], 200, axis=0)
    fit = fit_variational(frames, 20, weight_prior=kind, init=init, max_iter=500)
    assert fit.n_in_use == 3
    heaviest = np.argsort(-fit.model.weights)[:3]
    assert fit.model.weights[heaviest] == pytest.approx(1 / 3, abs=0.01)
    assert np.sort(fit.model.means[heaviest].sum(axis=1)) == pytest.approx([0, 9, 9], abs=0.4)


def test_with_a_flat_prior_and_many_frames_variational_map_and_maximum_likelihood_agree():
    rng = np.random.default_rng(0)
    frames = rng.normal(size=(200_000, 2)) + np.repeat([[0.0, 0.0], [8.0, 3.0]], 100_000, axis=0)
    likely = fit_gmm(frames, 2, precision="float64", tol=1e-9, max_iter=50).model
    known = fit_variational(
        frames, 2, concentration=1.0, mean_frames=1e-3, variance_frames=1e-3, tol=1e-9, max_iter=50
    ).model
    every = ("weights", "means", "variances")
    adapted = adapt_map(likely, frames, 1e-3, parameters=every, precision="float64", max_iter=50, tol=1e-9).model
    for other in (known, adapted):
        order = np.argsort(other.means[:, 0])[np.argsort(np.argsort(likely.means[:, 0]))]
        assert other.weights[order] == pytest.approx(likely.weights, abs=1e-3)
        assert other.means[order] == pytest.approx(likely.means, abs=1e-3)
        assert other.variances[order] == pytest.approx(likely.variances, abs=1e-3)


@pytest.mark.parametrize("kind", KINDS)
def test_of_one_component_two_halves_one_after_the_other_are_the_whole(kind):
    frames = drawn(301)
    prior = BayesianGMM.around(frames.mean(axis=0), frames.var(axis=0), 1, weight_prior=kind)
    first = fit_variational(frames[:100], prior=prior)
    second = fit_variational(frames[100:], prior=first.posterior)
    whole = fit_variational(frames, prior=prior)
    for name in ("weight_counts", "mean_counts", "variance_counts", "means", "scatter"):
        ours, theirs = (getattr(fit.posterior.conjugate, name) for fit in (second, whole))
        assert ours == pytest.approx(theirs, rel=1e-10)
    assert second.posterior.counts == pytest.approx([301])
    assert first.bound + second.bound == pytest.approx(whole.bound, rel=1e-12)


def test_a_learnt_prior_is_where_the_next_fit_starts_and_a_single_frame_will_do():
    fit = fit_variational(drawn(), 6)
    after = fit_variational(drawn()[:1], prior=fit.posterior)
    assert after.posterior.counts.sum() == pytest.approx(401)
    assert np.abs(after.model.means - fit.model.means).max() < 1


def test_scaling_and_shifting_the_frames_moves_the_posterior_as_it_should():
    frames, scale, shift = drawn(), np.array([2.0, 0.1, 30.0]), np.array([5.0, -3.0, 100.0])
    plain, moved = (fit_variational(values, 5, tol=1e-9) for values in (frames, frames * scale + shift))
    assert moved.model.means == pytest.approx(plain.model.means * scale + shift, rel=1e-6)
    assert moved.bound == pytest.approx(plain.bound - len(frames) * np.log(scale).sum(), rel=1e-7)


def test_the_batches_may_be_read_anew_in_every_pass_and_run_anywhere():
    frames = drawn(20_000)
    held = fit_variational(frames, 4, max_iter=5)
    read = fit_variational(frames, 4, max_iter=5, memory=0, map=lambda function, tasks: [function(t) for t in tasks])
    assert held.bound == read.bound


@pytest.mark.parametrize("kind", KINDS)
def test_the_predictive_density_is_the_student_t_of_scipy_and_integrates_to_one(kind):
    known = fit_variational(drawn(60), 4, weight_prior=kind).posterior
    other = fit_variational(drawn(60, seed=5), 7, weight_prior=kind).posterior
    frames = np.concatenate([drawn(30), [[-1e4, 1e4, 0.0]]])
    found = PredictiveStack.of([known, other]).log_likelihoods(frames)
    for row, one in zip(found, (known, other), strict=True):
        a, b = one.gammas()
        kappa = one.conjugate.mean_counts[:, None]
        each = stats.t(2 * a[:, None], loc=one.conjugate.means, scale=np.sqrt(b * (kappa + 1) / kappa / a[:, None]))
        direct = special.logsumexp(np.log(one.weights()) + each.logpdf(frames[:, None]).sum(axis=2), axis=1)
        assert row == pytest.approx(direct, rel=1e-12)
    single = BayesianGMM.around([2.0], [3.0], 2, weight_prior=kind)
    grid = np.linspace(-300, 300, 200_001)
    density = np.exp(PredictiveStack.of([single]).log_likelihoods(grid[:, None])[0])
    assert np.trapezoid(density, grid) == pytest.approx(1, abs=1e-6)


def test_the_predictive_density_of_one_component_is_what_the_evidence_gains_by_a_frame():
    frames = drawn(40)
    prior = BayesianGMM.around(frames.mean(axis=0), frames.var(axis=0), 1)
    before, after = fit_variational(frames[:-1], prior=prior), fit_variational(frames, prior=prior)
    found = PredictiveStack.of([before.posterior]).log_likelihoods(frames[-1:])
    assert found[0, 0] == pytest.approx(after.bound - before.bound, rel=1e-9)
    assert before.log_likelihoods(frames[-1:]) == found[0]


def test_steps_that_go_further_end_at_the_same_bound_in_fewer_passes_and_the_last_is_plain():
    frames = drawn()
    prior = BayesianGMM.around(frames.mean(axis=0), frames.var(axis=0), 6)
    batches = prepare(frames, precision="float64")
    passes = []

    def counted(function, tasks):
        passes.append(1)
        return map(function, tasks)

    start = fit_gmm(frames, 6).model.log_linear()
    fit = fit_posterior(start, batches, prior, max_iter=1000, tol=1e-10, map=counted)
    plain, bound, n_plain = prior + e_step(start, batches), -np.inf, 0
    while True:  # the loop as it is written in books
        n_plain += 1
        stats_now = e_step(plain.log_linear(), batches)
        now = stats_now.log_likelihood - plain.divergence(prior)
        if now - bound < 1e-10 * len(frames):
            break
        plain, bound = prior + stats_now, now
    assert fit.bound == pytest.approx(now, abs=1e-4)
    assert len(passes) < 0.75 * n_plain
    assert fit.posterior.counts.sum() == pytest.approx(len(frames), rel=1e-12)


def test_ordering_a_process_by_weight_never_lowers_the_bound():
    frames = drawn()
    prior = BayesianGMM.around(frames.mean(axis=0), frames.var(axis=0), 3, weight_prior="dirichlet_process")
    rng = np.random.default_rng(0)
    gamma = rng.dirichlet([5.0, 2.0, 1.0], size=len(frames))
    least = min(
        (prior + stats_of(frames, gamma[:, order])).divergence(prior)
        - (stats_of(frames, gamma[:, order]).counts @ expected_log_weights(prior + stats_of(frames, gamma[:, order])))
        for order in ([1, 0, 2], [2, 1, 0], [1, 2, 0])
    )
    best = prior + stats_of(frames, gamma)
    assert best.divergence(prior) - best.counts @ expected_log_weights(best) < least


def test_an_improper_prior_is_refused_by_name():
    flat = ConjugatePrior.flat(2, 1)
    with pytest.raises(FitError, match=r"improper prior: mean_counts.*flat prior has no evidence"):
        BayesianGMM(flat, None, np.zeros(2))
    known = BayesianGMM.around([0.0], [1.0], 2)
    with pytest.raises(FitError, match="process"):
        replace(known, process=0.0)
    with pytest.raises(ConfigError, match="concentration 0; expected a number above 0"):
        BayesianGMM.around([0.0], [1.0], 2, concentration=0)


def test_bad_input_is_named_and_explained():
    frames = drawn(60)
    prior = fit_variational(frames, 4).posterior
    with pytest.raises(ShapeError, match=r"prior of 4 components in 3 dimensions, for 4 components and frames of 2"):
        fit_variational(frames[:, :2], prior=prior)
    with pytest.raises(ShapeError, match="for 5 components"):
        fit_variational(frames, 5, prior=prior)
    with pytest.raises(ConfigError, match="mean_frames: no effect beside a prior"):
        fit_variational(frames, prior=prior, mean_frames=1.0)
    with pytest.raises(FitError, match="3 frames for 8 components"):
        fit_variational(frames[:3], 8)
    with pytest.raises(FitError, match="frame 7 is nan in dimension 1"):
        fit_variational(np.where(np.arange(180).reshape(60, 3) == 22, np.nan, frames), 2)
    with pytest.raises(FitError, match=r"dimension 2 has variance 0.*same in every frame"):
        fit_variational(frames * [1, 1, 0], 2)
    with pytest.raises(ShapeError, match="same size and kind"):
        prior.divergence(BayesianGMM.around(np.zeros(3), np.ones(3), 4, weight_prior="dirichlet_process"))
    with pytest.raises(ShapeError, match="expected one feature space"):
        PredictiveStack.of([prior, BayesianGMM.around([0.0], [1.0], 2)])
