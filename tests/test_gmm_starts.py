"""Laws of starts and floors: clusters are found, floors leave them narrow, choices repeat, bad input is answered."""

import re
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from speechgmm.errors import ConfigError, FitError, FitWarning, ShapeError
from speechgmm.gmm import DiagGMM, FrameSource, fit_gmm, fit_variational, initial_model
from speechgmm.gmm.init import default_starts, within_variance
from speechgmm.gmm.kmeans import greedy_seeds, kmeans_mixture

STARTS = ("kmeans++", "split", "random")


def blobs(seed: int, n_blobs: int, n_features: int, spread: float = 0.5) -> tuple[np.ndarray, np.ndarray]:
    """Frames (100 n, D) around n centres in a box of side 20 that lie 10 of their deviations apart or more."""
    rng = np.random.default_rng(seed)
    centres = np.empty((0, n_features))
    while len(centres) < n_blobs:
        place = rng.uniform(-10, 10, size=(1, n_features))
        if not len(centres) or np.linalg.norm(centres - place, axis=1).min() > 10 * spread:
            centres = np.concatenate([centres, place])
    return centres[np.arange(100 * n_blobs) % n_blobs] + spread * rng.normal(size=(100 * n_blobs, n_features)), centres


def all_found(model: DiagGMM, centres: np.ndarray, spread: float = 0.5) -> bool:
    away = np.abs(model.means[:, None] - centres).max(axis=2)
    return len(set(away.argmin(axis=1).tolist())) == len(centres) and bool((away.min(axis=1) < spread).all())


@pytest.mark.slow
@pytest.mark.parametrize(("n_blobs", "n_features"), [(8, 2), (8, 4), (10, 5)])
def test_well_separated_blobs_are_found_in_19_of_20_draws_and_no_floor_holds_them(n_blobs, n_features):
    found = 0
    for seed in range(20):
        frames, centres = blobs(seed, n_blobs, n_features)
        fit = fit_gmm(frames, n_blobs, seed=seed)
        found += all_found(fit.model, centres)
        assert fit.converged
        assert fit.floored == 0
    assert found >= 19


def test_clusters_ever_farther_apart_are_as_narrow_as_they_are():
    frames, centres = blobs(0, 8, 3)
    for apart in (1, 10, 100):
        fit = fit_gmm(frames + (apart - 1) * np.tile(centres, (100, 1)), 8, seed=0)
        assert fit.floored == 0
        np.testing.assert_allclose(fit.model.variances, 0.25, rtol=0.6)


def test_a_floor_below_1e_8_of_the_variance_of_all_frames_has_to_be_asked_for():
    frames, centres = blobs(0, 8, 3)
    frames += 999 * np.tile(centres, (100, 1))
    with pytest.warns(FitWarning, match="the floor holds 100% .* lower the floor"):
        fit_gmm(frames, 8, seed=0)
    lower = fit_gmm(frames, 8, variance_floor=1e-4, seed=0)
    np.testing.assert_allclose(lower.model.variances, 0.25, rtol=0.6)


def testgreedy_seeds_lie_nearer_to_all_points_than_plain_ones():
    """Arthur & Vassilvitskii's greedy variant: the potential of the seeds alone, on average over draws."""

    def potential(seeds, points):
        return ((points[:, None] - points[seeds]) ** 2).sum(axis=2).min(axis=1).sum()

    greedy, plain = 0.0, 0.0
    for seed in range(40):
        points, _ = blobs(seed, 8, 2)
        weights = np.ones(len(points))
        greedy += potential(greedy_seeds(points, weights, 8, np.random.default_rng(seed)), points)
        rng = np.random.default_rng(seed)
        chosen = [int(rng.integers(len(points)))]
        while len(chosen) < 8:
            nearest = ((points[:, None] - points[chosen]) ** 2).sum(axis=2).min(axis=1)
            chosen.append(int(rng.choice(len(points), p=nearest / nearest.sum())))
        plain += potential(chosen, points)
    assert greedy < 0.7 * plain


@pytest.mark.parametrize("init", STARTS)
def test_the_floor_is_a_share_of_the_variance_within_the_start_whatever_the_units(init):
    rng = np.random.default_rng(3)
    frames = np.repeat(np.array([[0.0, 0.0], [40.0, 8.0], [80.0, 0.0]]), 200, axis=0)
    frames[:, 0] += rng.normal(size=600) * np.repeat([1.0, 1e-3, 1.0], 200)  # one cluster is narrow in dimension 0
    frames[:, 1] += rng.normal(size=600)
    floors = []
    for scale, shift in (([1.0, 1.0], [0.0, 0.0]), ([64.0, 2**-10], [1024.0, -4.0])):
        moved = frames * scale + shift
        with pytest.warns(FitWarning, match=r"holds 17% of the variances, in dimension 0 those of 1 of 3 components"):
            fit = fit_gmm(moved, 3, seed=5, init="kmeans++", variance_floor=0.5, n_init=1)
        floors.append(fit.model.variances[:, 0].min() / scale[0] ** 2)
        assert fit.floored == 1
        start = initial_model(moved, 3, method=init, rng=np.random.default_rng(5), n_init=1)
        assert within_variance(start) == pytest.approx(np.exp(start.weights @ np.log(start.variances)), rel=1e-12)
    assert floors[1] == pytest.approx(floors[0], rel=1e-6)
    # Of two clusters of variance 1 and one of 1e-6, held at the start or not: far below half of all frames' variance.
    assert floors[0] < 0.5 * 0.5
    assert frames[:, 0].var() > 1000


def test_a_floor_that_holds_few_variances_says_nothing_and_one_that_holds_more_names_the_dimension():
    frames, _ = blobs(1, 8, 2)
    assert fit_gmm(frames, 8, seed=0, floor=[0.01, 0.01]).notes == ()
    with pytest.warns(FitWarning, match=r"holds 50% of the variances, in dimension 1 those of 8 of 8.*lower the floor"):
        fit = fit_gmm(frames, 8, seed=0, floor=[0.01, 1.0])
    assert fit.floored == 8
    assert len(fit.notes) == 1


@pytest.mark.slow
@pytest.mark.parametrize("init", STARTS)
def test_the_same_seed_gives_the_same_bytes_for_any_workers_and_any_n_init(init):
    frames, _ = blobs(2, 8, 3)
    frames = np.concatenate([frames] * 30)  # several batches
    source = FrameSource.of([frames[:7000], frames[7000:]], [7000, len(frames) - 7000], 3)
    for n_init in (None, 1, 3):
        options = {"seed": 4, "init": init, "n_init": n_init, "max_iter": 6, "floor": 0.01}
        one = fit_gmm(frames, 8, **options)
        with ThreadPoolExecutor(3) as pool:
            others = [fit_gmm(frames, 8, map=pool.map, **options), fit_gmm(source, 8, memory=0, **options)]
        for other in others:
            for name in ("weights", "means", "variances"):
                assert getattr(one.model, name).tobytes() == getattr(other.model, name).tobytes()
            assert one.trace == other.trace


@pytest.mark.filterwarnings("ignore::speechgmm.errors.FitWarning")
def test_of_several_poor_starts_the_likeliest_is_taken():
    """No promise for a single seed, since the choice is made before the end: of six, eight starts reach the best."""
    rng = np.random.default_rng(6)
    frames = rng.normal(size=(1200, 2)) + rng.integers(0, 6, size=(1200, 1)) * 3.0
    ends = {
        n_init: [
            fit_gmm(frames, 6, seed=seed, init="random", n_init=n_init, max_iter=1000, tol=1e-6, floor=0.05).trace[-1]
            for seed in range(6)
        ]
        for n_init in (1, 8)
    }
    assert min(ends[8]) > max(ends[8]) - 1e-3
    assert max(ends[8]) > max(ends[1]) - 1e-3
    assert min(ends[1]) < max(ends[1]) - 0.1


def test_how_many_starts_follows_from_frames_and_components():
    assert [default_starts(n, k) for n, k in ((10**6, 32), (10**6, 64), (10**6, 256), (60, 1), (59, 4), (120, 4))] == [
        4,
        2,
        1,
        1,
        1,
        2,
    ]


def test_starts_that_cannot_be_are_refused():
    frames = np.arange(8.0).reshape(4, 2)
    start = DiagGMM([0.5, 0.5], [[0.0, 1.0], [6.0, 7.0]], np.ones((2, 2)))
    with pytest.raises(ConfigError, match="n_init 7; 4 frames have only 6 different starts of 2 components"):
        fit_gmm(frames, 2, n_init=7)
    with pytest.raises(ConfigError, match="n_init 1000000; expected at most 1000 starts"):
        fit_gmm(frames, 2, n_init=10**6)
    with pytest.raises(ConfigError, match="n_init 3 beside a start, where it has no effect"):
        fit_gmm(frames, 2, n_init=3, start=start)
    for wrong in (0, -1, 1.5, True, "4"):
        with pytest.raises(ConfigError, match=r"n_init .*; expected a whole number of starts, 1 or more, or None"):
            fit_gmm(frames, 2, n_init=wrong)
    with pytest.raises(ShapeError, match="a start of shape"):
        fit_gmm(frames, 1, start=start)


def test_a_constant_dimension_is_refused_by_number_or_held_by_an_absolute_floor_that_warns():
    frames = np.column_stack([np.random.default_rng(0).normal(size=300), np.full(300, 7.0)])
    with pytest.raises(FitError, match=r"dimension 1 is 7 in all 300 frames.*drop the dimension.*floor="):
        fit_gmm(frames, 3)
    with pytest.raises(FitError, match="dimension 1"):
        fit_variational(frames, 3)
    with pytest.warns(FitWarning, match="in dimension 1 those of 3 of 3 components"):
        assert np.isfinite(fit_gmm(frames, 3, floor=0.1).model.means).all()


@pytest.mark.parametrize("init", STARTS)
def test_copies_of_three_points_bear_three_components_and_no_fourth(init):
    points = np.array([[0.0, 0.0], [5.0, 1.0], [2.0, 9.0]])
    frames = points[np.random.default_rng(1).integers(0, 3, 400)]
    for options in ({}, {"floor": 0.01}):
        with pytest.warns(FitWarning, match=r"holds 100% of the variances, in dimension 0 those of 3 of 3"):
            fit = fit_gmm(frames, 3, init=init, **options)
        order = np.argsort(fit.model.means[:, 0])
        np.testing.assert_allclose(fit.model.means[order], points[[0, 2, 1]], atol=1e-3)
        with pytest.raises(FitError, match=r"3 distinct frames of 400 for 4 components.*set n_components to at most"):
            fit_gmm(frames, 4, init=init, **options)


def test_more_components_than_frames_that_count_are_refused():
    frames = np.random.default_rng(2).normal(size=(500, 2))
    with pytest.raises(FitError, match="3 frames for 4 components; give it more frames"):
        fit_gmm(frames[:3], 4)
    weights = np.zeros(500)
    with pytest.raises(FitError, match="all 500 frames have weight 0"):
        fit_gmm(frames, 2, weights=weights)
    weights[:3] = 1
    with pytest.raises(FitError, match="3 frames for 4 components"):
        fit_gmm(frames, 4, weights=weights)


@pytest.mark.parametrize("init", STARTS)
@pytest.mark.parametrize("precision", ["float32", "float64"])
def test_one_frame_far_out_is_said_by_dimension(init, precision):
    frames = np.random.default_rng(3).normal(size=(500, 2))
    frames[17, 1] = 1e9
    for n_components in (1, 2, 4):
        with pytest.warns(FitWarning) as warned:
            fit = fit_gmm(frames, n_components, init=init, precision=precision, seed=0)
        assert fit.fell == ()
        outlier, *floors = (str(warning.message) for warning in warned)
        assert re.search("one frame carries 100% of the variance of dimension 1, .* look for outliers", outlier)
        assert [bool(re.search("the floor holds .* in dimension [01] those", text)) for text in floors] == [True] * (
            n_components > 1
        )
    frames[17, 1] = 1e200
    with pytest.raises(FitError, match="dimension 1 has variance inf; expected a finite one: a frame lies too far out"):
        fit_gmm(frames, 2, init=init, precision=precision)
    frames[17, 1] = np.nan
    with pytest.raises(FitError, match="frame 17 is nan in dimension 1"):
        fit_gmm(frames, 2, init=init, precision=precision)


@pytest.mark.parametrize("overrelaxed", [True, False])
@pytest.mark.parametrize("precision", ["float32", "float64"])
@pytest.mark.parametrize("apart", [1.5, 3.0])
def test_two_halves_of_a_split_never_converge_on_their_plateau(apart, precision, overrelaxed):
    """Binary splitting leaves two halves side by side: gains are small before they grow."""
    for seed in range(5):
        rng = np.random.default_rng(seed)
        frames = np.concatenate([rng.normal(side * apart, 1, size=(1000, 3)) for side in (-1, 1)])
        options = {"precision": precision, "overrelaxed": overrelaxed, "n_init": 1, "tol": 1e-3, "max_iter": 500}
        fit = fit_gmm(frames, 2, init="split", seed=seed, **options)
        assert fit.converged
        assert np.sort(fit.model.means[:, 0]) == pytest.approx([-apart, apart], abs=0.25)


def test_a_weight_of_zero_is_as_if_the_frame_were_not_there_for_a_start_too():
    frames, centres = blobs(4, 4, 2)
    weights = np.ones(len(frames))
    weights[::5] = 0
    polluted = frames.copy()
    polluted[::5] = 1e6
    fit = fit_gmm(polluted, 4, weights=weights, seed=0)
    assert all_found(fit.model, centres)
    mixture = kmeans_mixture(frames, np.full(len(frames), 1e-6), 4, np.random.default_rng(0), np.zeros(2))
    assert all_found(mixture, centres)
