"""Laws of mixtures with full, tied and spherical covariances, beside scikit-learn's and scipy's."""

import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import logsumexp
from scipy.stats import multivariate_normal
from sklearn.mixture import GaussianMixture as Theirs

from speechgmm import (
    DiagGMM,
    FullGMM,
    OnlineEM,
    adapt_map,
    assign,
    fit_gmm,
    log_likelihoods,
    posteriors,
    sample,
    update,
)
from speechgmm.errors import ConfigError, FitError, FitWarning, ShapeError
from speechgmm.gmm import FullPrior, FullStats, stack_of
from speechgmm.gmm.component_count import components_for, frames_each
from speechgmm.gmm.covariance_matrices import raised
from speechgmm.gmm.em import e_step
from speechgmm.gmm.families import COVARIANCES, FAMILIES
from speechgmm.gmm.frames import FrameSource, as_source
from speechgmm.gmm.full_e_step import FullPasses, RowBatch, accumulate_full, row_batches
from speechgmm.gmm.layout import prepare

WITH_MATRICES = ("full", "tied")
seeds = st.integers(0, 2**31)
WITHOUT_NOTES = pytest.mark.filterwarnings("ignore::speechgmm.errors.FitWarning")


def clusters(rng, n_frames=600, n_features=3, n_clusters=3, apart=4.0):
    """Frames of clusters with covariances of their own, in random order."""
    parts = [
        rng.normal(size=(n_frames // n_clusters, n_features))
        @ (np.eye(n_features) + 0.4 * rng.normal(size=(n_features, n_features)))
        + apart * rng.normal(size=n_features)
        for _ in range(n_clusters)
    ]
    return rng.permutation(np.concatenate(parts))


def random_mixture(rng, n_components=3, n_features=2, tied=False):
    roots = rng.normal(size=(1 if tied else n_components, n_features, n_features))
    covariances = roots @ roots.swapaxes(1, 2) + 0.1 * np.eye(n_features)
    return FullGMM(rng.dirichlet(np.ones(n_components)), rng.normal(size=(n_components, n_features)), covariances)


def same_start(rng, frames, n_components, covariance):
    """A start of ours, and scikit-learn's mixture that begins with the same."""
    means = frames[rng.permutation(len(frames))[:n_components]]
    start = DiagGMM(np.full(n_components, 1 / n_components), means, np.tile(frames.var(axis=0), (n_components, 1)))
    begun = FAMILIES[covariance].start(start)
    if covariance == "spherical":
        precisions = 1 / begun.variances[:, 0]
    elif covariance == "diag":
        precisions = 1 / begun.variances
    else:
        precisions = np.linalg.inv(begun.covariances)
    theirs = Theirs(
        n_components,
        covariance_type=covariance,
        weights_init=start.weights,
        means_init=means,
        precisions_init=precisions[0] if covariance == "tied" else precisions,
        reg_covar=0.0,
        tol=0.0,
        max_iter=7,
    )
    return start, theirs


# ---- beside scikit-learn and scipy ----


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("covariance", COVARIANCES)
@pytest.mark.parametrize("n_features", [1, 4])
def test_seven_iterations_from_the_same_start_give_scikit_learns_mixture(covariance, n_features):
    rng = np.random.default_rng(3)
    frames = clusters(rng, n_features=n_features) + 100
    start, theirs = same_start(rng, frames, 3, covariance)
    theirs.fit(frames)
    ours = fit_gmm(
        frames,
        start=start,
        covariance=covariance,
        max_iter=7,
        tol=0.0,
        floor=1e-12,
        overrelaxed=False,
        precision="float64",
    )
    model = ours.model
    assert len(ours.trace) == 8
    np.testing.assert_allclose(model.weights, theirs.weights_, rtol=1e-6)
    np.testing.assert_allclose(model.means, theirs.means_, rtol=1e-6)
    if covariance in WITH_MATRICES:
        found = model.covariances[0] if covariance == "tied" else model.covariances
        np.testing.assert_allclose(found, theirs.covariances_, rtol=1e-6, atol=1e-9)
    else:
        found = model.variances[:, 0] if covariance == "spherical" else model.variances
        np.testing.assert_allclose(found, theirs.covariances_, rtol=1e-6)
    np.testing.assert_allclose(log_likelihoods(model, frames), theirs.score_samples(frames), rtol=1e-6)
    np.testing.assert_allclose(posteriors(model, frames, dtype=np.float64), theirs.predict_proba(frames), atol=1e-6)
    assert FAMILIES[covariance].n_parameters(3, n_features) == theirs._n_parameters()


@settings(max_examples=25, deadline=None)
@given(seeds, st.booleans(), st.integers(1, 4), st.integers(1, 5))
def test_a_density_is_that_of_scipys_multivariate_normals(seed, tied, n_components, n_features):
    rng = np.random.default_rng(seed)
    model = random_mixture(rng, n_components, n_features, tied)
    frames = 3 * rng.normal(size=(20, n_features))
    each = [
        np.log(weight) + multivariate_normal(mean, model.covariances[0 if tied else k]).logpdf(frames)
        for k, (weight, mean) in enumerate(zip(model.weights, model.means, strict=True))
    ]
    joint = np.reshape(each, (n_components, 20))
    np.testing.assert_allclose(log_likelihoods(model, frames), logsumexp(joint, axis=0), rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(
        posteriors(model, frames, dtype=np.float64), np.exp(joint - logsumexp(joint, axis=0)).T, atol=1e-9
    )
    assert (assign(model, frames) == joint.argmax(axis=0)).all()


def test_a_full_mixture_with_diagonal_covariances_is_the_diagonal_mixture():
    rng = np.random.default_rng(0)
    diagonal = DiagGMM([0.3, 0.7], rng.normal(size=(2, 3)), rng.uniform(0.5, 2, (2, 3)))
    full = FAMILIES["full"].start(diagonal)
    frames = rng.normal(size=(50, 3))
    np.testing.assert_allclose(log_likelihoods(full, frames), log_likelihoods(diagonal, frames), rtol=1e-12)
    np.testing.assert_allclose(
        stack_of([full, full]).log_likelihoods(frames), stack_of([diagonal] * 2).log_likelihoods(frames), rtol=1e-12
    )
    statistics = accumulate_full(full.whitened(), RowBatch(frames, np.ones(50), np.zeros(3), 50.0))
    other = e_step(diagonal.log_linear(), prepare(frames, precision="float64")).about(0)
    np.testing.assert_allclose(statistics.sums, other.sums, atol=1e-9)
    np.testing.assert_allclose(np.diagonal(statistics.products, axis1=1, axis2=2), other.squares, atol=1e-9)
    assert statistics.log_likelihood == pytest.approx(other.log_likelihood)


@pytest.mark.parametrize("tied", [False, True])
def test_frames_that_are_drawn_have_the_covariances_of_their_components(tied):
    model = random_mixture(np.random.default_rng(5), 2, 2, tied)
    frames, components = sample(model, 40_000, seed=0)
    for k in range(2):
        own = frames[components == k]
        np.testing.assert_allclose(own.mean(axis=0), model.means[k], atol=0.1)
        np.testing.assert_allclose(np.cov(own.T), model.covariances[0 if tied else k], rtol=0.1, atol=0.1)


# ---- laws of EM ----


@WITHOUT_NOTES
@settings(max_examples=30, deadline=None)
@given(seeds, st.sampled_from(COVARIANCES), st.integers(1, 4), st.booleans(), st.sampled_from([0.0, 1e-3, 0.3]))
def test_the_objective_never_falls(seed, covariance, n_components, overrelaxed, variance_floor):
    rng = np.random.default_rng(seed)
    frames = clusters(rng, n_frames=150)
    try:
        fit = fit_gmm(
            frames,
            n_components,
            covariance=covariance,
            variance_floor=variance_floor,
            max_iter=30,
            tol=0.0,
            overrelaxed=overrelaxed,
            precision="float64",
            seed=seed,
        )
    except FitError:
        if variance_floor == 0:  # nothing holds a component that shrinks
            return
        raise
    assert not fit.fell
    assert (np.diff(fit.trace) >= -1e-9).all()


@WITHOUT_NOTES
@settings(max_examples=25, deadline=None)
@given(seeds, st.sampled_from(WITH_MATRICES))
def test_rotated_moved_and_scaled_frames_give_the_rotated_moved_and_scaled_mixture(seed, covariance):
    rng = np.random.default_rng(seed)
    frames = clusters(rng, n_frames=120, n_clusters=2)
    turn = np.linalg.qr(rng.normal(size=(3, 3)))[0]
    shift, factor = 50 * rng.normal(size=3), 10.0 ** rng.integers(-3, 4)
    start = random_mixture(rng, 2, 3)
    floor = 1e-3
    there = FullGMM(start.weights, factor * start.means @ turn.T + shift, factor**2 * turn @ start.covariances @ turn.T)
    options = {"covariance": covariance, "max_iter": 8, "tol": 0.0, "overrelaxed": False}
    one = fit_gmm(frames, start=start, floor=floor, **options)
    other = fit_gmm(factor * frames @ turn.T + shift, start=there, floor=factor**2 * floor, **options)
    np.testing.assert_allclose(
        other.model.means, factor * one.model.means @ turn.T + shift, rtol=1e-6, atol=1e-6 * factor
    )
    np.testing.assert_allclose(
        other.model.covariances / factor**2, turn @ one.model.covariances @ turn.T, rtol=1e-5, atol=1e-6
    )
    assert other.trace[-1] == pytest.approx(one.trace[-1] - 3 * np.log(factor), abs=1e-6)


@pytest.mark.parametrize("covariance", COVARIANCES)
def test_frames_far_from_zero_give_the_mixture_moved(covariance):
    frames = clusters(np.random.default_rng(1))
    near, far = (
        fit_gmm(frames + shift, 3, covariance=covariance, seed=1, precision="float64", max_iter=15, tol=0.0).model
        for shift in (0.0, 1e6)
    )
    np.testing.assert_allclose(far.means - 1e6, near.means, atol=1e-5)
    np.testing.assert_allclose(far.marginal_variances, near.marginal_variances, rtol=1e-5)


@WITHOUT_NOTES
@pytest.mark.parametrize("covariance", COVARIANCES)
def test_weights_count_frames_and_one_of_zero_leaves_its_frame_out(covariance):
    rng = np.random.default_rng(2)
    frames = clusters(rng, n_frames=90)
    start = DiagGMM([0.5, 0.5], frames[:2], np.tile(frames.var(axis=0), (2, 1)))
    counts = rng.integers(0, 3, len(frames))
    options = {"start": start, "covariance": covariance, "max_iter": 5, "tol": 0.0, "floor": 1e-3}
    one = fit_gmm(frames, weights=counts, precision="float64", **options)
    other = fit_gmm(np.repeat(frames, counts, axis=0), precision="float64", **options)
    np.testing.assert_allclose(one.model.means, other.model.means, rtol=1e-6)
    np.testing.assert_allclose(one.model.marginal_variances, other.model.marginal_variances, rtol=1e-6)
    assert one.trace[-1] == pytest.approx(other.trace[-1], abs=1e-9)


@pytest.mark.parametrize("covariance", WITH_MATRICES)
def test_memory_threads_and_parts_change_no_byte(covariance):
    frames = clusters(np.random.default_rng(7), n_frames=18_000)
    options = {"covariance": covariance, "max_iter": 3, "tol": 0.0, "n_init": 1}
    source = FrameSource.of([frames[:5000], frames[5000:]], [5000, len(frames) - 5000], 3)
    fits = [
        fit_gmm(frames, 3, n_jobs=1, **options),
        fit_gmm(frames, 3, n_jobs=2, memory=0, **options),
        fit_gmm(source, 3, memory=300_000, **options),
    ]
    assert len({fit.model.covariances.tobytes() for fit in fits}) == 1
    assert len({fit.trace for fit in fits}) == 1


# ---- posterior = prior + statistics ----


@settings(max_examples=25, deadline=None)
@given(seeds, st.booleans())
def test_statistics_of_two_halves_add_up_to_those_of_all_frames_about_any_reference(seed, tied):
    rng = np.random.default_rng(seed)
    model, frames = random_mixture(rng, 3, 2, tied), rng.normal(size=(21, 2))
    whole = FullPasses(row_batches(as_source(frames), np.zeros(2)), map).full(model, survey=False)
    parts = [
        FullPasses(row_batches(as_source(part), centre), map).full(model, survey=False)
        for part, centre in ((frames[:8], np.ones(2)), (frames[8:], -np.ones(2)))
    ]
    total = (parts[0] + parts[1]).about(0)
    for name in ("counts", "sums", "products", "log_likelihood", "n_frames"):
        np.testing.assert_allclose(getattr(total, name), getattr(whole, name), rtol=1e-9, atol=1e-9)


@settings(max_examples=25, deadline=None)
@given(seeds, st.booleans(), st.sampled_from([0.5, 16.0]))
def test_the_mode_of_prior_and_statistics_is_the_greatest_of_their_density(seed, tied, relevance):
    rng = np.random.default_rng(seed)
    model, frames = random_mixture(rng, 2, 2, tied), rng.normal(size=(12, 2)) + 1
    stats = accumulate_full(model.whitened(), RowBatch(frames, np.ones(12), np.zeros(2), 12.0))
    posterior = FullPrior.around(model, relevance) + stats
    mode = posterior.mode(model)
    best = posterior.log_density(mode)
    for _ in range(5):
        other = random_mixture(rng, 2, 2, tied)
        mixed = FullGMM(
            0.9 * mode.weights + 0.1 * other.weights,
            0.9 * mode.means + 0.1 * other.means,
            0.9 * mode.covariances + 0.1 * other.covariances,
        )
        assert posterior.log_density(mixed) <= best + 1e-9
    # Reynolds et al. 2000, eq. 12
    share = stats.counts / (stats.counts + relevance)
    own = stats.sums / stats.counts[:, None]
    np.testing.assert_allclose(mode.means, model.means + share[:, None] * (own - model.means), rtol=1e-9, atol=1e-9)


def test_a_prior_of_no_worth_is_maximum_likelihood_and_one_of_great_worth_the_model():
    rng = np.random.default_rng(0)
    model, frames = random_mixture(rng, 1, 3), rng.normal(size=(50, 3))
    stats = accumulate_full(model.whitened(), RowBatch(frames, np.ones(50), np.zeros(3), 50.0))
    likeliest = (FullPrior.flat(model) + stats).mode(model)
    np.testing.assert_allclose(likeliest.covariances[0], np.cov(frames.T, bias=True), rtol=1e-9)
    np.testing.assert_allclose((FullPrior.around(model, 0) + stats).mode(model).covariances, likeliest.covariances)
    strong = (FullPrior.around(model, 1e12) + stats).mode(model)
    np.testing.assert_allclose(strong.covariances, model.covariances, rtol=1e-6)


# ---- floors, few frames ----


@settings(max_examples=30, deadline=None)
@given(seeds, st.integers(1, 4))
def test_a_floor_raises_a_covariance_to_the_likeliest_one_above_it(seed, n_features):
    rng = np.random.default_rng(seed)
    root = rng.normal(size=(n_features, n_features))
    scatter = (root @ root.T)[None]
    floor = rng.uniform(0.1, 2, n_features)
    above = raised(scatter, floor)

    def likelihood(covariance):
        return -np.linalg.slogdet(covariance)[1] - np.trace(np.linalg.solve(covariance, scatter[0]))

    assert np.linalg.eigvalsh(above[0] - np.diag(floor)).min() > -1e-9
    for _ in range(10):
        other = rng.normal(size=(n_features, n_features))
        candidate = np.diag(floor) + other @ other.T
        step = rng.uniform(0.01, 1)  # the set above a floor is convex
        assert likelihood((1 - step) * above[0] + step * candidate) <= likelihood(above[0]) + 1e-9


@pytest.mark.parametrize("covariance", WITH_MATRICES)
def test_fewer_frames_than_dimensions_have_a_covariance_by_the_floor_and_none_without(covariance):
    frames = np.random.default_rng(0).normal(size=(5, 8))
    with pytest.warns(FitWarning, match="the floor holds 50% of the variances"):
        model = fit_gmm(frames, 1, covariance=covariance).model
    assert np.linalg.eigvalsh(model.covariances[0] - np.diag(0.0099 * frames.var(axis=0))).min() > 0
    with pytest.raises(FitError, match="singular: its frames are too few for 8 dimensions"):
        fit_gmm(frames, 1, covariance=covariance, variance_floor=0.0)


def test_dimensions_that_are_sums_of_others_are_held_by_the_floor():
    frames = np.random.default_rng(0).normal(size=(300, 2))
    doubled = np.column_stack([frames, frames.sum(axis=1)])
    with pytest.warns(FitWarning, match="strongly correlated"):
        fit_gmm(doubled, 1, covariance="full")


def test_the_default_number_of_components_follows_from_the_parameters_of_one():
    assert {name: frames_each(name, 39) for name in COVARIANCES} == {
        "diag": 25, "full": 263, "tied": 25, "spherical": 25,
    }  # fmt: skip
    assert components_for(1000, each=frames_each("full", 39)) == 3
    frames = np.random.default_rng(0).normal(size=(200, 9))
    assert fit_gmm(frames, covariance="full").model.n_components == 2
    with pytest.warns(FitWarning, match="expected 75 for each at the least"):
        fit_gmm(frames, 4, covariance="full")


@WITHOUT_NOTES
@pytest.mark.parametrize("covariance", COVARIANCES)
def test_a_dead_component_keeps_its_covariance_or_is_resplit(covariance):
    frames = clusters(np.random.default_rng(0), n_frames=300, n_clusters=2)
    means = np.stack([frames.mean(axis=0), frames.mean(axis=0) + 1e4])
    start = DiagGMM([0.5, 0.5], means, np.tile(frames.var(axis=0), (2, 1)))
    kept = fit_gmm(frames, start=start, covariance=covariance)
    assert kept.dead == (1,)
    np.testing.assert_array_equal(kept.model.means[1], means[1])
    again = fit_gmm(frames, start=start, covariance=covariance, dead_components="resplit")
    assert again.resplit == (1,)
    assert not again.dead


# ---- what is refused ----


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"covariance": "fulll"}, "covariance 'fulll'; expected diag, full, tied, spherical"),
        ({"covariance": "full", "precision": "float32"}, "precision 'float32' with covariance 'full'"),
        ({"covariance": "tied", "e_step": "sparse"}, "e_step 'sparse' with covariance 'tied'"),
        ({"covariance": "spherical", "estimator": "gradient"}, "estimator 'gradient' with covariance 'spherical'"),
        ({"covariance": "diag", "start": FullGMM([1.0], [[0.0]], [[[1.0]]])}, "expected a DiagGMM, or None"),
    ],
)
def test_an_option_that_a_form_of_covariance_has_not_is_refused(options, message):
    with pytest.raises(ConfigError, match=message):
        fit_gmm(np.arange(9.0)[:, None], 1, **options)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        (([1.0], [[0.0, 0.0]], [[[1.0]]]), r"expected covariances \(K, D, D\)"),
        (([1.0], [0.0], [[[1.0]]]), "are no mixture"),
        (([1.0], [[0.0, 0.0]], [[[1.0, 2.0], [2.0, 1.0]]]), "expected a positive definite matrix"),
        (([1.0], [[0.0, 0.0]], [[[1.0, 0.5], [0.4, 1.0]]]), "not symmetric"),
        (([1.0], [[np.nan]], [[[1.0]]]), "NaN or infinite"),
        (([0.4], [[0.0]], [[[1.0]]]), "expected >= 0, sum 1"),
    ],
)
def test_parameters_that_are_no_mixture_are_refused(parameters, message):
    with pytest.raises(ShapeError, match=message):
        FullGMM(*parameters)


def test_mixtures_of_both_forms_are_not_scored_together():
    full, diagonal = FullGMM([1.0], [[0.0]], [[[1.0]]]), DiagGMM([1.0], [[0.0]], [[1.0]])
    with pytest.raises(ShapeError, match="one form in all mixtures"):
        stack_of([full, diagonal])


@pytest.mark.parametrize(
    "call",
    [
        lambda model: adapt_map(model, [[1.0]]),
        lambda model: update(model, [[1.0]], 3.0),
        lambda model: OnlineEM(model),
        lambda model: model.log_linear(),
    ],
)
def test_what_needs_diagonal_covariances_says_so_in_one_message(call):
    with pytest.raises(ConfigError, match="is given, and diagonal covariances are needed"):
        call(FullGMM([1.0], [[0.0]], [[[1.0]]]))
    assert not hasattr(FullGMM([1.0], [[0.0]], [[[1.0]]]), "variances")


def test_a_mixture_with_matrices_goes_to_other_processes_whole():
    model = random_mixture(np.random.default_rng(0))
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(model)).covariances, model.covariances)


def test_statistics_of_other_sizes_do_not_add():
    one, two = (FullStats(np.ones(k), np.ones((k, 1)), np.ones((k, 1, 1)), 0.0, 1.0, np.zeros(1)) for k in (1, 2))
    with pytest.raises(ShapeError, match="do not add"):
        one + two
