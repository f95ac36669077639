"""Laws and oracles of the E-step: densities, statistics, layout."""

from itertools import pairwise

import numpy as np
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st

from speechgmm.errors import FitError, ShapeError
from speechgmm.gmm import (
    DiagGMM,
    GMMStats,
    accumulate,
    block_size,
    log_likelihoods,
    prepare,
    stacked_log_likelihoods,
)

PRECISIONS = ("float32", "float64")
TOLERANCE = {"float32": 2e-5, "float64": 1e-11}


def some_mixture(rng, n_components=5, n_features=3, offset=0.0):
    weights = rng.dirichlet(np.full(n_components, 5.0))
    means = offset + rng.normal(size=(n_components, n_features))
    return DiagGMM(weights, means, rng.uniform(0.3, 1.5, size=means.shape))


def draw(rng, model, n_frames):
    k = rng.choice(model.n_components, size=n_frames, p=model.weights)
    return model.means[k] + np.sqrt(model.variances[k]) * rng.normal(size=(n_frames, model.n_features))


def total(model, batches, engine="numba"):
    stats = [accumulate(model.log_linear(), batch, engine=engine) for batch in batches]
    return sum(stats[1:], stats[0])


def obvious(model, frames, weights=None):
    """The definition, one frame and one component at a time."""
    weights = np.ones(len(frames)) if weights is None else weights
    counts, sums, squares = (np.zeros(shape) for shape in (len(model.weights), model.means.shape, model.means.shape))
    log_likelihood = 0.0
    for x, weight in zip(frames, weights, strict=True):
        joint = [
            w * np.prod(scipy.stats.norm.pdf(x, m, np.sqrt(v)))
            for w, m, v in zip(model.weights, model.means, model.variances, strict=True)
        ]
        log_likelihood += weight * np.log(sum(joint))
        for k, p in enumerate(joint):
            gamma = weight * p / sum(joint)
            counts[k] += gamma
            sums[k] += gamma * x
            squares[k] += gamma * x**2
    return GMMStats(counts, sums, squares, log_likelihood, weights.sum())


def assert_same(a, b, tolerance):
    a, b = a.about(0), b.about(0)
    for name in ("counts", "sums", "squares", "log_likelihood", "n_frames"):
        np.testing.assert_allclose(
            getattr(a, name), getattr(b, name), rtol=tolerance, atol=tolerance * a.n_frames, err_msg=name
        )


def test_log_likelihoods_are_those_of_scipy():
    rng = np.random.default_rng(0)
    model = some_mixture(rng)
    frames = draw(rng, model, 50)
    parts = [
        np.log(w) + scipy.stats.multivariate_normal(m, np.diag(v)).logpdf(frames)
        for w, m, v in zip(model.weights, model.means, model.variances, strict=True)
    ]
    oracle = np.logaddexp.reduce(parts, axis=0)
    np.testing.assert_allclose(log_likelihoods(model.log_linear(), frames), oracle, rtol=1e-12)


def test_a_frame_scores_the_same_alone_and_among_thousands():
    rng = np.random.default_rng(1)
    model = some_mixture(rng, 300)
    frames = draw(rng, model, 3000)
    together = log_likelihoods(model.log_linear(), frames)
    alone = [log_likelihoods(model.log_linear(), frames[t : t + 1])[0] for t in (0, 1000, 2999)]
    np.testing.assert_allclose(together[[0, 1000, 2999]], alone, rtol=1e-12)


def test_stacked_mixtures_score_as_each_alone_whatever_their_sizes():
    rng = np.random.default_rng(2)
    models = [some_mixture(rng, k) for k in (1, 7, 3)]
    parts = [model.log_linear(0) for model in models]
    stack = type(parts[0])(*(np.concatenate([getattr(p, n) for p in parts]) for n in ("const", "linear", "quadratic")))
    frames = rng.normal(size=(40, 3))
    alone = [log_likelihoods(part, frames) for part in parts]
    np.testing.assert_allclose(stacked_log_likelihoods(stack, (1, 7, 3), frames), alone, rtol=1e-12)


def test_a_frame_far_from_everything_has_a_finite_log_likelihood():
    model = some_mixture(np.random.default_rng(3))
    value = log_likelihoods(model.log_linear(), [[1e4, 0.0, 0.0]])
    assert np.isfinite(value).all()
    assert value[0] < -1e6


def test_a_component_of_weight_zero_takes_no_part_in_a_score():
    model = DiagGMM([1.0, 0.0], [[0.0], [1.0]], [[1.0], [1.0]])
    only = DiagGMM([1.0], [[0.0]], [[1.0]])
    frames = [[0.5], [1.0]]
    np.testing.assert_array_equal(
        log_likelihoods(model.log_linear(), frames), log_likelihoods(only.log_linear(), frames)
    )


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("engine", ["numba", "numpy"])
def test_statistics_are_those_of_the_obvious_double_loop(precision, engine):
    rng = np.random.default_rng(4)
    model = some_mixture(rng, 4, 3, offset=2.0)
    frames, weights = draw(rng, model, 70), rng.uniform(0, 2, size=70)
    stats = total(model, prepare(frames, weights=weights, precision=precision, block=32), engine)
    assert_same(obvious(model, frames, weights), stats, TOLERANCE[precision])


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize(("n_components", "n_features"), [(1, 1), (3, 2), (64, 20), (17, 8)])
def test_numba_and_numpy_agree(precision, n_components, n_features):
    rng = np.random.default_rng(5)
    model = some_mixture(rng, n_components, n_features)
    batches = prepare(
        3 * rng.normal(size=(1000, n_features)), precision=precision, block=block_size(1000, n_features, 64)
    )
    assert_same(total(model, batches, "numpy"), total(model, batches), {"float32": 2e-6, "float64": 1e-13}[precision])


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(0, 60), min_size=1, max_size=4), st.integers(0, 1000))
def test_statistics_of_any_partition_add_up_to_the_whole(cuts, seed):
    rng = np.random.default_rng(seed)
    model = some_mixture(rng)
    frames = draw(rng, model, 60)
    centre, scale = frames.mean(axis=0), frames.std(axis=0)
    options = {"centre": centre, "scale": scale, "precision": "float64"}
    whole = total(model, prepare(frames, **options))
    edges = sorted({0, *cuts, 60})
    parts = [total(model, prepare(frames[a:b], **options)) for a, b in pairwise(edges)]
    assert_same(whole, sum(parts[1:], parts[0]), 1e-12)


def test_statistics_do_not_depend_on_centre_and_scale():
    rng = np.random.default_rng(6)
    model = some_mixture(rng)
    frames = draw(rng, model, 200)
    raw = total(model, prepare(frames, centre=np.zeros(3), scale=np.ones(3), precision="float64"))
    moved = total(model, prepare(frames, centre=[3.0, -2.0, 1.0], scale=[0.5, 2.0, 7.0], precision="float64"))
    assert_same(raw, moved, 1e-11)


def test_scaled_statistics_are_those_of_frames_that_count_as_much():
    rng = np.random.default_rng(7)
    model = some_mixture(rng)
    frames = draw(rng, model, 50)
    once = total(model, prepare(frames, precision="float64"))
    thrice = total(model, prepare(frames, weights=np.full(50, 3.0), precision="float64"))
    assert_same(thrice, once.scaled(3.0), 1e-12)


@pytest.mark.parametrize("precision", PRECISIONS)
def test_whole_number_weights_equal_repetition(precision):
    rng = np.random.default_rng(8)
    model = some_mixture(rng)
    frames, times = draw(rng, model, 100), rng.integers(0, 4, size=100)
    options = {"centre": np.zeros(3), "scale": np.ones(3), "precision": precision}
    weighted = total(model, prepare(frames, weights=times, **options))
    repeated = total(model, prepare(np.repeat(frames, times, axis=0), **options))
    assert_same(weighted, repeated, TOLERANCE[precision])


@pytest.mark.parametrize("precision", PRECISIONS)
def test_the_order_of_frames_and_the_size_of_blocks_change_nothing_beyond_rounding(precision):
    rng = np.random.default_rng(9)
    model = some_mixture(rng)
    frames = draw(rng, model, 900)
    whole = total(model, prepare(frames, precision=precision, block=1024))
    for block in (1, 100, 512):
        shuffled = rng.permutation(frames)
        assert_same(whole, total(model, prepare(shuffled, precision=precision, block=block)), TOLERANCE[precision])


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("engine", ["numba", "numpy"])
def test_padding_beside_a_component_of_weight_zero_makes_no_nan(precision, engine):
    model = DiagGMM([0.0, 1.0], [[0.0], [1.0]], [[1.0], [1.0]])
    frames = np.array([[0.0], [1.0], [2.0]])
    (batch,) = prepare(frames, precision=precision, block=64)
    assert batch.rows.shape == (1, 64, 16)
    stats = accumulate(model.log_linear(), batch, engine=engine)
    np.testing.assert_allclose(stats.counts, [0.0, 3.0], rtol=1e-6, atol=0)
    np.testing.assert_allclose(stats.about(0).sums[1], 3.0, rtol=1e-6)
    assert stats.log_likelihood == pytest.approx(scipy.stats.norm.logpdf(frames, 1.0).sum(), rel=1e-6)


@pytest.mark.parametrize("offset", [0.0, 30.0, 1000.0])
def test_float32_is_accurate_at_any_offset_of_the_data(offset):
    rng = np.random.default_rng(10)
    model = some_mixture(rng, 16, 8, offset=offset)
    frames = draw(rng, model, 5000)
    exact = total(model, prepare(frames, precision="float64"))
    single = total(model, prepare(frames, precision="float32"))
    assert single.log_likelihood / 5000 == pytest.approx(exact.log_likelihood / 5000, abs=2e-6)
    variances = []
    for stats in (exact, single):
        means = stats.sums / stats.counts[:, None]
        variances.append(stats.squares / stats.counts[:, None] - means**2)
    np.testing.assert_allclose(variances[1], variances[0], rtol=2e-5)


def test_batches_follow_from_the_data_and_have_one_shape_of_block():
    frames = np.zeros((40_000, 2))
    batches = prepare(frames, block=block_size(40_000, 2, 512))
    assert len({batch.rows.shape[1:] for batch in batches}) == 1
    assert sum(batch.n_frames for batch in batches) == 40_000
    assert [batch.n_frames for batch in batches[:2]] == [batches[0].n_frames] * 2
    padding = sum(batch.weights.size for batch in batches) - 40_000
    assert 0 <= padding < 16 * sum(len(batch.rows) for batch in batches)


@pytest.mark.parametrize(
    ("frames", "error", "message"),
    [
        (np.zeros(5), ShapeError, r"frames of shape \(5,\); expected \(frames, dimensions\)"),
        (np.zeros((0, 2)), FitError, "no frames"),
        (np.zeros((3, 0)), FitError, "without a single dimension"),
        ([[0.0, 1.0], [2.0, np.nan]], FitError, "frame 1 is nan in dimension 1"),
        ([[np.inf, 1.0]], FitError, "frame 0 is inf in dimension 0"),
    ],
)
def test_unusable_frames_are_refused(frames, error, message):
    with pytest.raises(error, match=message):
        prepare(frames)


@pytest.mark.parametrize(
    ("weights", "error", "message"),
    [
        ([1.0], ShapeError, "for 2 frames"),
        ([1.0, -1.0], FitError, "frame 1 has weight -1"),
        ([np.nan, 1.0], FitError, "frame 0 has weight nan"),
        ([0.0, 0.0], FitError, "all 2 frames have weight 0"),
    ],
)
def test_unusable_frame_weights_are_refused(weights, error, message):
    with pytest.raises(error, match=message):
        prepare(np.zeros((2, 1)), weights=weights)


def test_shapes_that_do_not_fit_are_refused():
    model = some_mixture(np.random.default_rng(0))
    with pytest.raises(ShapeError, match="frames of 2 dimensions for a mixture of 3"):
        accumulate(model.log_linear(), prepare(np.zeros((4, 2)))[0])
    with pytest.raises(ShapeError, match="for mixtures of 3 dimensions"):
        log_likelihoods(model.log_linear(), np.zeros((4, 2)))
    with pytest.raises(ShapeError, match=r"5 components for mixtures of \(2, 2\)"):
        stacked_log_likelihoods(model.log_linear(), (2, 2), np.zeros((4, 3)))
    with pytest.raises(ShapeError, match="a scale above 0"):
        prepare(np.zeros((4, 2)), scale=[1.0, 0.0])
    with pytest.raises(ShapeError, match="blocks of 0 frames"):
        prepare(np.zeros((4, 2)), block=0)
    with pytest.raises(ShapeError, match="do not add"):
        total(model, prepare(np.zeros((4, 3)))) + total(
            some_mixture(np.random.default_rng(0), 2), prepare(np.zeros((4, 3)))
        )


@pytest.mark.parametrize(
    ("weights", "means", "variances", "message"),
    [
        ([0.5, 0.6], [[0.0], [1.0]], [[1.0], [1.0]], "weights that sum to 1.1"),
        ([1.5, -0.5], [[0.0], [1.0]], [[1.0], [1.0]], "the least -0.5"),
        ([1.0], [[0.0]], [[0.0]], "variance 0 of component 0 in dimension 0"),
        ([1.0], [[np.nan]], [[1.0]], "NaN or infinite"),
        ([1.0], [0.0], [1.0], "are no mixture"),
        ([1.0, 0.0], [[0.0]], [[1.0]], "are no mixture"),
        ([], np.zeros((0, 1)), np.zeros((0, 1)), "at least one component"),
    ],
)
def test_what_is_no_mixture_is_refused(weights, means, variances, message):
    with pytest.raises(ShapeError, match=message):
        DiagGMM(weights, means, variances)


def test_a_mixture_does_not_change_with_the_arrays_it_was_made_from():
    means = np.zeros((1, 1))
    model = DiagGMM([1.0], means, [[1.0]])
    means[0] = 5
    assert model.means[0, 0] == 0
    with pytest.raises(ValueError, match="read-only"):
        model.means[0] = 5
