"""A model and its frames may lie anywhere: moved together by 1e4 to 1e8 standard deviations, scores and fits stay.

Frames are float64 and so exact at every offset here (multiples of 2^-10 moved by whole numbers). A model's means are
numbers too: at 4e8 float64 holds them to 3e-8, which is all that the unmoved and the moved model differ by.
"""

from dataclasses import replace
from functools import partial

import numpy as np
import pytest
from scipy.special import logsumexp
from scipy.stats import t as student_t

from speechgmm.gmm import (
    ConjugatePrior,
    DiagGMM,
    GMMStats,
    OnlineEM,
    PredictiveStack,
    Stack,
    TopStack,
    accumulate,
    adapt_map,
    assign,
    choose_n_components,
    fit_em,
    fit_gmm,
    fit_variational,
    log_likelihoods,
    posteriors,
    prepare,
    stacked_log_likelihoods,
    update,
)
from speechgmm.gmm.frames import moments
from speechgmm.gmm.kmeans import kmeans_mixture
from speechgmm.gmm.prior import PARAMETERS
from speechgmm.hmm import HMMSpec, StateStack, Utterance, left_to_right, linear, train_hmms
from speechgmm.tasks.classification import ClassModels
from speechgmm.vectors.linear_scoring import LinearStack

DEVIATION = 4.0
OFFSETS = (1e4, 1e6, 1e7, 1e8)  # standard deviations
K, D = 6, 3


def shift_of(offset: float, n_features: int = D) -> np.ndarray:
    return np.resize([1.0, -1.0, 0.5], n_features) * DEVIATION * offset


def exact(frames: np.ndarray) -> np.ndarray:
    """The same to 10 bits after the point, so that moving them by whole numbers rounds nothing."""
    return np.round(frames * 2**10) / 2**10


def drawn(n_frames: int = 1500, spread: float = 20.0, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    centres = rng.uniform(-spread, spread, size=(K, D))
    return exact(centres[rng.integers(0, K, n_frames)] + DEVIATION * rng.normal(size=(n_frames, D)))


def mixture(seed: int = 1, n_components: int = K) -> DiagGMM:
    rng = np.random.default_rng(seed)
    weights = rng.dirichlet(np.full(n_components, 5.0))
    means = exact(rng.uniform(-20, 20, size=(n_components, D)))
    return DiagGMM(weights, means, DEVIATION**2 * rng.uniform(0.5, 2, size=(n_components, D)))


def moved(model: DiagGMM, shift: np.ndarray) -> DiagGMM:
    return replace(model, means=model.means + shift)


def direct(model: DiagGMM, frames: np.ndarray) -> np.ndarray:
    """Log p(x) by the formula: squares of (x - mean) / deviation, nothing else."""
    z = (frames[:, None] - model.means) / np.sqrt(model.variances)
    norms = np.log(2 * np.pi * model.variances).sum(axis=1)
    return logsumexp(np.log(model.weights) - 0.5 * ((z**2).sum(axis=2) + norms), axis=1)


def assert_moved(there: DiagGMM, here: DiagGMM, shift: np.ndarray, within: float) -> None:
    """The same components, in any order, ``shift`` further on: within so many standard deviations and shares."""
    means = there.means - shift
    order = [int(np.abs((means - mean) / DEVIATION).max(axis=1).argmin()) for mean in here.means]
    assert sorted(order) == list(range(here.n_components))
    assert np.abs(means[order] - here.means).max() < within * DEVIATION
    np.testing.assert_allclose(there.variances[order], here.variances, rtol=4 * within)
    np.testing.assert_allclose(there.weights[order], here.weights, atol=within)


@pytest.mark.parametrize("offset", [0.0, *OFFSETS])
def test_scores_are_those_of_the_direct_formula_on_the_same_frames(offset):
    shift = shift_of(offset)
    model, frames = moved(mixture(), shift), drawn() + shift
    expected = direct(model, frames)
    np.testing.assert_allclose(log_likelihoods(model, frames), expected, rtol=1e-9)
    np.testing.assert_allclose(log_likelihoods(model.log_linear(), frames), expected, rtol=1e-9)
    np.testing.assert_allclose(Stack.of([model], precision="float64").log_likelihoods(frames)[0], expected, rtol=1e-9)
    one = stacked_log_likelihoods(model.log_linear(frames.mean(axis=0)), (K,), frames)[0]
    np.testing.assert_allclose(one, expected, rtol=1e-9)
    each = np.stack(
        [
            direct(DiagGMM([1.0], *part), frames)
            for part in zip(model.means[:, None], model.variances[:, None], strict=True)
        ]
    )
    shares = np.exp(each + np.log(model.weights)[:, None] - expected).T
    np.testing.assert_allclose(posteriors(model, frames), shares, atol=1e-6)
    assert (assign(model, frames) == shares.argmax(axis=1)).all()


@pytest.mark.parametrize("offset", OFFSETS)
def test_the_float32_path_keeps_its_unmoved_scores(offset):
    shift = shift_of(offset)
    frames = drawn(400)
    ubm, others = mixture(), [replace(mixture(), means=mixture().means + step) for step in (0.5, -1.0)]
    there = [moved(model, shift) for model in (ubm, *others)]

    def near(scores, unmoved):
        np.testing.assert_allclose(scores, unmoved, rtol=0, atol=1e-5)

    for precision in ("float32", "float64"):
        stacks = [Stack.of(models, precision=precision) for models in ([ubm, *others], there)]
        near(stacks[1].log_likelihoods(frames + shift), stacks[0].log_likelihoods(frames))
        tops = [TopStack.of(models[0], models[1:], 3, precision=precision) for models in ([ubm, *others], there)]
        near(tops[1].log_likelihoods(frames + shift), tops[0].log_likelihoods(frames))
        states = [StateStack.of(models, precision=precision) for models in ([ubm, *others], there)]
        near(
            states[1].log_likelihoods(states[1].rows(frames + shift)), states[0].log_likelihoods(states[0].rows(frames))
        )
    lines = [LinearStack.of(models[0], models[1:]) for models in ([ubm, *others], there)]
    near(lines[1].scores([frames + shift]), lines[0].scores([frames]))
    priors = np.log([0.5, 0.5])
    for background in (False, True):
        classes = [
            ClassModels(("a", "b"), tuple(models[1:]), priors, ubm=models[0] if background else None)
            for models in ([ubm, *others], there)
        ]
        near(classes[1].mean_log_likelihoods(frames + shift), classes[0].mean_log_likelihoods(frames))


FITS = {
    "kmeans++ float32": {"init": "kmeans++", "precision": "float32"},
    "kmeans++ float64": {"init": "kmeans++", "precision": "float64"},
    "split float32": {"init": "split", "precision": "float32"},
    "split float64 sparse": {"init": "split", "precision": "float64", "e_step": "sparse"},
    "random float32 sparse": {"init": "random", "precision": "float32", "e_step": "sparse"},
    "random float64": {"init": "random", "precision": "float64"},
    "EM's own steps": {"overrelaxed": False},
    "gradient": {"estimator": "gradient"},
    "one start": {"n_init": 1},
}


@pytest.mark.parametrize("offset", OFFSETS)
@pytest.mark.parametrize("name", FITS)
def test_fits_converge_where_unmoved_ones_do_and_end_at_the_moved_model(name, offset):
    frames, shift = drawn(), shift_of(offset)
    here, there = (fit_gmm(x, K, seed=3, tol=1e-5, **FITS[name]) for x in (frames, frames + shift))
    assert here.converged
    assert there.converged
    assert there.fell == here.fell == ()
    assert there.trace[-1] == pytest.approx(here.trace[-1], abs=1e-5)
    assert_moved(there.model, here.model, shift, 2e-3)


@pytest.mark.parametrize("offset", OFFSETS)
@pytest.mark.parametrize("precision", ["float32", "float64"])
def test_adaptation_and_updates_go_with_the_frames(precision, offset):
    frames, shift, ubm = drawn(300), shift_of(offset), mixture()
    options = {"max_iter": 300, "tol": 1e-5, "precision": precision, "floor": 0.1}
    for adapt in (
        partial(adapt_map, relevance=16, parameters=PARAMETERS, **options),
        partial(adapt_map, relevance=16),
        partial(update, counts=500, **options),
    ):
        here, there = adapt(ubm, frames), adapt(moved(ubm, shift), frames + shift)
        assert there.converged == here.converged
        assert there.fell == here.fell == ()
        assert_moved(there.model, here.model, shift, 1e-3)


@pytest.mark.parametrize("offset", OFFSETS)
@pytest.mark.parametrize("precision", ["float32", "float64"])
def test_variational_fits_go_with_the_frames_and_so_does_their_predictive_density(precision, offset):
    frames, shift = drawn(), shift_of(offset)
    here, there = (fit_variational(x, 10, seed=0, precision=precision, max_iter=500) for x in (frames, frames + shift))
    assert here.converged
    assert there.converged
    assert there.fell == here.fell == ()
    assert there.bound / len(frames) == pytest.approx(here.bound / len(frames), abs=1e-5)
    assert there.n_in_use == here.n_in_use
    scores = PredictiveStack.of([there.posterior]).log_likelihoods(frames + shift)[0]
    np.testing.assert_allclose(scores, here.log_likelihoods(frames), atol=2e-3)


@pytest.mark.parametrize("offset", [0.0, *OFFSETS])
def test_the_predictive_density_is_that_of_the_direct_formula(offset):
    """Bishop 2006, 10.81: a mixture of Student-t of 2a degrees of freedom, per dimension."""
    frames = drawn(400) + shift_of(offset)
    posterior = fit_variational(frames, 8, seed=0, precision="float64").posterior
    (a, b), kappa = posterior.gammas(), posterior.conjugate.mean_counts
    width = np.sqrt(b / a[:, None] * ((kappa + 1) / kappa)[:, None])
    each = student_t.logpdf(frames[:, None], 2 * a[:, None], posterior.conjugate.means, width).sum(axis=2)
    expected = logsumexp(each + np.log(posterior.weights()), axis=1)
    found = PredictiveStack.of([posterior]).log_likelihoods(frames)[0]
    np.testing.assert_allclose(found, expected, rtol=1e-9)


@pytest.mark.parametrize("offset", OFFSETS)
def test_online_em_and_the_choice_of_components_go_with_the_frames(offset):
    frames, shift = drawn(), shift_of(offset)
    models = []
    for x in (frames, frames + shift):
        online = OnlineEM.begin(x[:500], K, batch=200)
        online.partial_fit(x[500:])
        models.append(online.finish())
    assert_moved(models[1], models[0], shift, 1e-3)
    here, there = (choose_n_components(x, candidates=(1, 3, K), seed=0) for x in (frames, frames + shift))
    assert there.fit.model.n_components == here.fit.model.n_components == K
    values = [[candidate.value for candidate in choice.candidates] for choice in (here, there)]
    np.testing.assert_allclose(values[1], values[0], atol=1e-3)


@pytest.mark.parametrize("training", ["baum-welch", "viterbi"])
@pytest.mark.parametrize("offset", OFFSETS)
def test_states_of_hmms_go_with_the_frames(offset, training):
    rng = np.random.default_rng(5)
    places = {"a": [(0.0, 10.0, 0.0), (20.0, -10.0, 0.0)], "b": [(-20.0, 0.0, 20.0), (0.0, 0.0, -20.0)]}
    sets = []
    for n in range(12):
        words = tuple(rng.choice(["a", "b"], size=4))
        rows = [place + DEVIATION * rng.normal(size=(5, D)) for word in words for place in places[word]]
        sets.append((f"u{n}", exact(np.concatenate(rows)), words))
    topology = {word: left_to_right(2, self_loop=0.6) for word in places}
    spec = HMMSpec(n_components=2, iterations=6, training=training, frames_per_component=20)

    def trained(shift):
        said = [Utterance(name, x + shift, len(x), words, partial(linear, words=words)) for name, x, words in sets]
        return train_hmms(said, topology, spec)

    shift = shift_of(offset)
    here, there = trained(0.0), trained(shift)
    assert there.least_step() > -1e-4
    for first, second in zip(here.units.emissions, there.units.emissions, strict=True):
        assert_moved(second, first, shift, 1e-3)
    assert there.trace[-1][-1] == pytest.approx(here.trace[-1][-1], abs=1e-4)


def test_an_hour_of_unix_seconds_is_a_column_like_any_other():
    rng = np.random.default_rng(8)
    minutes = np.repeat([5.0, 30.0, 55.0], 500)
    load = np.where(minutes == 30, 6.0, 0.0) + rng.normal(size=1500)
    hour = np.column_stack([60 * minutes + 90 * rng.normal(size=1500), load])
    hour[:, 0] = exact(hour[:, 0])
    clock = hour + np.array([1.7e9, 0.0])
    for precision in ("float32", "float64"):
        here, there = (fit_gmm(x, 3, seed=0, precision=precision) for x in (hour, clock))
        assert here.converged
        assert there.converged
        assert there.fell == ()
        found = np.sort(there.model.means[:, 0] - 1.7e9)
        np.testing.assert_allclose(found, np.sort(here.model.means[:, 0]), atol=0.1)
        np.testing.assert_allclose(found / 60, [5, 30, 55], atol=0.3)
        np.testing.assert_allclose(
            log_likelihoods(there.model, clock).mean(), log_likelihoods(here.model, hour).mean(), atol=1e-5
        )


@pytest.mark.parametrize("offset", [0.0, *OFFSETS])
def test_statistics_of_machines_with_different_references_add(offset):
    shift = shift_of(offset)
    frames, model = drawn() + shift, moved(mixture(), shift)
    cuts = [frames[:300], frames[300:1000], frames[1000:]]
    centres = [part.mean(axis=0) + step for part, step in zip(cuts, (0.0, 7.0, -15.0), strict=True)]
    density = model.log_linear()
    parts = [
        accumulate(density, prepare(part, centre=centre, scale=np.full(D, DEVIATION), precision="float64")[0])
        for part, centre in zip(cuts, centres, strict=True)
    ]
    point = shift + 1.0
    z = frames - point
    gamma = np.exp(
        np.log(model.weights)
        - 0.5 * (((frames[:, None] - model.means) ** 2 / model.variances).sum(axis=2))
        - 0.5 * np.log(2 * np.pi * model.variances).sum(axis=1)
        - direct(model, frames)[:, None]
    )
    expected = GMMStats(gamma.sum(axis=0), gamma.T @ z, gamma.T @ z**2, direct(model, frames).sum(), 1500.0, point)
    first, last = (parts[0] + parts[1]) + parts[2], parts[0] + (parts[1] + parts[2])
    swapped = parts[2] + (parts[1] + parts[0])
    size = np.abs(gamma).T @ np.abs(z) + 1e-3
    for total in (first, last, swapped):
        here = total.about(point)
        assert np.abs(total.reference - point).max() < 60  # near the frames
        np.testing.assert_allclose(here.counts, expected.counts, rtol=1e-7)
        assert (np.abs(here.sums - expected.sums) / size).max() < 1e-6
        np.testing.assert_allclose(here.squares, expected.squares, rtol=1e-6)
        assert here.log_likelihood == pytest.approx(expected.log_likelihood, rel=1e-9)
        assert here.n_frames == 1500
    posterior = [ConjugatePrior.flat(K, D) + total for total in (first, swapped, expected)]
    for other in posterior[1:]:
        np.testing.assert_allclose(other.means - shift, posterior[0].means - shift, atol=1e-6)
        np.testing.assert_allclose(other.scatter, posterior[0].scatter, rtol=1e-6)


def test_statistics_without_a_reference_add_to_those_with_one():
    raw = GMMStats(np.array([2.0]), np.array([[6.0]]), np.array([[20.0]]), -1.0, 2.0)  # of 2 and 4
    near = GMMStats(np.array([1.0]), np.array([[1.0]]), np.array([[1.0]]), -1.0, 1.0, np.array([5.0]))  # of 6
    for total in (raw + near, near + raw):
        assert total.about(0).sums.item() == 12
        assert total.about(0).squares.item() == 56


@pytest.mark.parametrize("offset", OFFSETS)
def test_moments_and_k_means_do_not_notice(offset):
    frames, shift = drawn(), shift_of(offset)
    (mean, variance), (mean_there, variance_there) = moments(frames), moments(frames + shift)
    np.testing.assert_allclose(variance_there, variance, rtol=1e-9)
    np.testing.assert_allclose(mean_there - shift, mean, atol=1e-6)
    here, there = (
        kmeans_mixture(x, np.ones(len(x)), K, np.random.default_rng(2), np.zeros(D)) for x in (frames, frames + shift)
    )
    assert_moved(there, here, shift, 1e-6)


def test_a_mean_far_out_is_as_precise_as_float64_and_no_better():
    frames, shift = drawn(), shift_of(1e8)
    batches = prepare(frames + shift, precision="float64")
    start = DiagGMM([1.0], [frames.mean(axis=0) + shift + 3.0], [[DEVIATION**2] * D])
    fit = fit_em(start, batches, ConjugatePrior.flat(1, D), max_iter=5, tol=1e-9, floor=0.1)
    assert np.abs(fit.model.means[0] - shift - frames.mean(axis=0)).max() <= np.spacing(np.abs(shift)).max()
    np.testing.assert_allclose(fit.model.variances[0], frames.var(axis=0), rtol=1e-12)
