"""Laws and oracles of the metrics of detection."""

from dataclasses import replace

import numpy as np
import pytest
import scipy.integrate
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import brentq
from scipy.stats import norm
from sklearn.isotonic import IsotonicRegression
from sklearn.metrics import roc_curve

from speechgmm.errors import DataError, ShapeError
from speechgmm.evaluation import (
    cllr,
    cllr_min,
    cllr_sums,
    convex_hull,
    eer,
    eer_staircase,
    error_rates,
    min_dcf,
    pool_trials,
    rank_trials,
    roc,
)


def dcf(trials, weights=None):
    return min_dcf(trials, p_target=0.1, cost_miss=2.0, weights=weights)


BY_ORDER = (eer, eer_staircase, dcf, cllr_min)
ALL = (*BY_ORDER, cllr)


def gaussian_trials(seed=0, n=400, distance=2.0, step=None):
    """n targets and 3 n nontargets of deviation 1; scores on a grid of ``step``, so that many are equal."""
    rng = np.random.default_rng(seed)
    scores = np.concatenate([rng.normal(distance, 1, n), rng.normal(0, 1, 3 * n)])
    return rank_trials(scores if step is None else step * np.round(scores / step), np.arange(4 * n) < n)


few_trials = st.lists(st.tuples(st.integers(-4, 4), st.booleans(), st.integers(0, 3)), min_size=2, max_size=14).filter(
    lambda rows: {kind for _, kind, weight in rows if weight} == {True, False}
)


def columns(rows):
    scores, truth, weights = (np.array(column) for column in zip(*rows, strict=True))
    return rank_trials(scores.astype(float), truth.astype(bool)), weights.astype(float)


# -- the obvious loops -------------------------------------------------------------------------------------------------


def operating_points(trials, weights):
    """(miss, false alarm) at every threshold, a loop over trials at each."""
    points = []
    for threshold in [*sorted(set(trials.scores.tolist())), np.inf]:
        wrong, total = {True: 0.0, False: 0.0}, {True: 0.0, False: 0.0}
        for score, target, weight in zip(trials.scores, trials.is_target, weights, strict=True):
            total[bool(target)] += weight
            if (score >= threshold) != target:
                wrong[bool(target)] += weight
        points.append((wrong[True] / total[True], wrong[False] / total[False]))
    return points


def obvious_eer(points):
    """The worst over priors of the least probability of error: a fine grid finds it from below."""
    priors = np.linspace(0, 1, 20001)[:, None]
    miss, false_alarm = np.array(points).T
    return (priors * miss + (1 - priors) * false_alarm).min(axis=1).max()


def crossing(hull):
    """miss where miss - false alarm, which rises along the hull, is 0."""
    return np.interp(0, hull.miss - hull.false_alarm, hull.miss)


def obvious_cllr(llrs, is_target, weights):
    cost = {
        kind: sum(
            w * np.log2(1 + np.exp(sign * s)) for s, t, w in zip(llrs, is_target, weights, strict=True) if t == kind
        )
        / sum(w for t, w in zip(is_target, weights, strict=True) if t == kind)
        for kind, sign in ((True, -1), (False, 1))
    }
    return (cost[True] + cost[False]) / 2


def pooled_llrs(trials, weights):
    """PAV by scikit-learn: log-likelihood ratios (N,) from the posterior at even priors."""
    kinds = np.where(trials.is_target, weights[trials.is_target].sum(), weights[~trials.is_target].sum())
    posterior = IsotonicRegression().fit_transform(trials.scores, trials.is_target, sample_weight=weights / kinds)
    with np.errstate(divide="ignore"):
        return np.log(posterior) - np.log1p(-posterior)


@settings(max_examples=60, deadline=None)
@given(few_trials)
def test_figures_equal_the_obvious_loops(rows):
    trials, weights = columns(rows)
    points = operating_points(trials, weights)
    assert eer(trials, weights) == pytest.approx(obvious_eer(points), abs=1e-4)
    best = min(0.1 * 2 * miss + 0.9 * false_alarm for miss, false_alarm in points)
    assert dcf(trials, weights) == pytest.approx(best / 0.2, abs=1e-12)
    curve = roc(trials, weights)
    np.testing.assert_allclose(np.stack([curve.miss, curve.false_alarm], axis=1), points, atol=1e-12)
    for threshold, point in zip(curve.thresholds, points, strict=True):
        rates = error_rates(trials, threshold, weights)
        assert (rates.miss, rates.false_alarm) == pytest.approx(point, abs=1e-12)


@settings(max_examples=60, deadline=None)
@given(few_trials)
def test_cllr_equals_the_obvious_sum(rows):
    trials, weights = columns(rows)
    assert cllr(trials, weights) == pytest.approx(obvious_cllr(trials.scores, trials.is_target, weights))


@settings(max_examples=60, deadline=None)
@given(few_trials)
def test_cllr_min_is_the_cllr_of_scikit_learns_isotonic_regression(rows):
    trials, weights = columns(rows)
    there = weights > 0
    kept = rank_trials(trials.scores[there], trials.is_target[there])
    with np.errstate(over="ignore"):
        expected = obvious_cllr(pooled_llrs(kept, weights[there]), kept.is_target, weights[there])
    assert cllr_min(trials, weights) == pytest.approx(expected, abs=1e-9)


@settings(max_examples=60, deadline=None)
@given(few_trials)
def test_weights_equal_repetition(rows):
    trials, weights = columns(rows)
    again = np.repeat(np.arange(len(weights)), weights.astype(int))
    repeated = rank_trials(trials.scores[again], trials.is_target[again])
    for metric in ALL:
        assert metric(trials, weights) == pytest.approx(metric(repeated), abs=1e-12)
    assert error_rates(trials, 1.0, weights) == error_rates(repeated, 1.0)
    assert cllr_sums(trials)(weights) == cllr(trials, weights)


@settings(max_examples=60, deadline=None)
@given(few_trials)
def test_the_hull_is_convex_and_below_every_operating_point(rows):
    trials, weights = columns(rows)
    curve = roc(trials, weights)
    hull = convex_hull(curve)
    steps = np.diff(hull.miss), -np.diff(hull.false_alarm)
    turns = steps[0][1:] * steps[1][:-1] - steps[0][:-1] * steps[1][1:]
    assert np.all(turns >= -1e-12)
    below = np.interp(curve.false_alarm[::-1], hull.false_alarm[::-1], hull.miss[::-1])[::-1]
    interior = (curve.false_alarm > 0) & (curve.false_alarm < 1)
    assert np.all(below[interior] <= curve.miss[interior] + 1e-12)
    rates = [error_rates(trials, threshold, weights) for threshold in hull.thresholds]
    np.testing.assert_allclose([rate.miss for rate in rates], hull.miss, atol=1e-12)
    np.testing.assert_allclose([rate.false_alarm for rate in rates], hull.false_alarm, atol=1e-12)


@settings(max_examples=60, deadline=None)
@given(few_trials)
def test_eer_is_where_the_hull_by_pav_crosses(rows):
    trials, weights = columns(rows)
    assert eer(trials, weights) == pytest.approx(crossing(convex_hull(roc(trials, weights))), abs=1e-12)


def test_eer_is_where_the_hull_by_pav_crosses_also_with_many_trials():
    for seed, step in ((0, None), (1, 0.01), (2, 0.3)):
        trials = gaussian_trials(seed, n=5000, distance=seed / 2, step=step)
        assert eer(trials) == pytest.approx(crossing(convex_hull(roc(trials))), abs=1e-12)


def root_of_scikit_learns_curve(trials, weights=None):
    """What many scripts do: the false alarm rate at which the interpolated ROC has as many misses."""
    false_alarm, hit, _ = roc_curve(trials.is_target, trials.scores, sample_weight=weights)
    return brentq(lambda rate: 1 - rate - np.interp(rate, false_alarm, hit), 0, 1)


@settings(max_examples=100, deadline=None)
@given(few_trials)
def test_the_eer_of_the_staircase_is_the_root_on_scikit_learns_curve_and_not_below_that_of_the_hull(rows):
    trials, weights = columns(rows)
    found = eer_staircase(trials, weights)
    assert found == pytest.approx(root_of_scikit_learns_curve(trials, weights), abs=1e-9)
    assert eer(trials, weights) - 1e-12 <= found <= 1


@pytest.mark.parametrize("step", [None, 0.01, 0.5])
def test_the_eer_of_the_staircase_is_within_half_a_step_of_asvspoofs(step):
    for seed in range(10):
        trials = gaussian_trials(seed, n=50, distance=1.5, step=step)
        curve = roc(trials)
        gaps = np.abs(curve.miss - curve.false_alarm)
        asvspoof = (curve.miss + curve.false_alarm)[gaps.argmin()] / 2
        largest = max(np.diff(curve.miss).max(), -np.diff(curve.false_alarm).min())
        assert abs(eer_staircase(trials) - asvspoof) <= largest / 2 + 1e-12
        assert root_of_scikit_learns_curve(trials) == pytest.approx(eer_staircase(trials), abs=1e-9)


def test_both_eers_by_hand():
    """Targets 1, 2, 3, nontargets -1, 0, 1.5: from threshold 1.5 to 2 false alarms fall from 1/3 to 0 at a miss of 1/3.

    The staircase crosses at (1/3, 1/3). The hull goes from (1/3, 0) to (0, 1/3): 1/6.
    """
    trials = pool_trials([1.0, 2.0, 3.0], [0.0, 1.5, -1.0])
    assert (eer(trials), eer_staircase(trials)) == pytest.approx((1 / 6, 1 / 3))
    apart, reversed_ = pool_trials([1.0], [0.0]), pool_trials([0.0], [1.0])
    assert (eer(apart), eer_staircase(apart)) == (0, 0)
    assert (eer(reversed_), eer_staircase(reversed_)) == (0.5, 1)  # chance is better than such scores
    same = pool_trials([1.0, 1.0], [1.0])
    assert (eer(same), eer_staircase(same)) == (0.5, 0.5)


# -- laws --------------------------------------------------------------------------------------------------------------


def test_separable_scores_have_no_error():
    trials = pool_trials([3.0, 1.0, 2.0], [0.0, -5.0, 0.5])
    assert [metric(trials) for metric in BY_ORDER] == [0, 0, 0, 0]


def test_scores_in_the_wrong_order_are_as_good_as_none_and_the_staircase_says_so():
    trials = pool_trials([0.0, -5.0, 0.5], [3.0, 1.0, 2.0])
    assert [metric(trials) for metric in BY_ORDER] == [0.5, 1, 1, 1]
    assert cllr(trials) > 1


def test_identical_distributions_have_eer_one_half():
    scores = np.random.default_rng(0).normal(size=500)
    trials = pool_trials(scores, scores)
    assert [metric(trials) for metric in BY_ORDER] == pytest.approx([0.5, 0.5, 1, 1])
    assert eer(gaussian_trials(n=50_000, distance=0.0)) == pytest.approx(0.5, abs=0.01)


def test_one_score_for_all_trials_says_nothing():
    trials = pool_trials(np.zeros(4), np.zeros(9))
    assert [metric(trials) for metric in ALL] == [0.5, 0.5, 1, 1, 1]


def test_two_gaussians_have_the_eer_and_min_dcf_of_the_closed_form():
    distance = 2.0
    trials = gaussian_trials(n=300_000, distance=distance)
    for rate in (eer, eer_staircase):
        assert rate(trials) == pytest.approx(norm.cdf(-distance / 2), abs=2e-3)
    # The likelihood ratio exp(distance t - distance**2 / 2) equals the ratio of the costs at the best threshold t.
    best = distance / 2 + np.log(0.9 / 0.2) / distance
    expected = (0.2 * norm.cdf(best - distance) + 0.9 * norm.cdf(-best)) / 0.2
    assert dcf(trials) == pytest.approx(expected, abs=4e-3)


def test_cllr_of_calibrated_gaussians_is_its_integral_and_no_map_lowers_it():
    variance = 4.0  # of log-likelihood ratios with means +- variance / 2
    rng = np.random.default_rng(0)
    trials = pool_trials(
        rng.normal(variance / 2, np.sqrt(variance), 300_000), rng.normal(-variance / 2, np.sqrt(variance), 300_000)
    )
    expected, _ = scipy.integrate.quad(
        lambda llr: norm.pdf(llr, variance / 2, np.sqrt(variance)) * np.logaddexp(0, -llr) / np.log(2), -30, 40
    )
    assert cllr(trials) == pytest.approx(expected, abs=2e-3)
    assert cllr_min(trials) == pytest.approx(expected, abs=2e-3)


@pytest.mark.parametrize("step", [None, 0.25])
def test_cllr_min_is_at_most_cllr_under_any_scaling(step):
    trials = gaussian_trials(step=step)
    for scale in (0.01, 0.3, 1, 3, 30):
        for shift in (-4, 0, 1):
            moved = replace(trials, scores=scale * trials.scores + shift)
            assert cllr_min(moved) <= cllr(moved)


@pytest.mark.parametrize("step", [None, 0.25])
def test_a_constant_moves_cllr_and_nothing_else(step):
    trials = gaussian_trials(step=step)
    moved = rank_trials(trials.scores + 4.0, trials.is_target)
    assert [metric(moved) for metric in BY_ORDER] == [metric(trials) for metric in BY_ORDER]
    assert cllr(moved) > cllr(trials) + 0.5


@pytest.mark.parametrize("increasing", [np.exp, np.arctan, lambda x: x**3, lambda x: 1e-9 * x])
def test_a_strictly_increasing_map_leaves_all_but_cllr(increasing):
    trials = gaussian_trials(step=0.25)
    mapped = rank_trials(increasing(trials.scores), trials.is_target)
    assert [metric(mapped) for metric in BY_ORDER] == [metric(trials) for metric in BY_ORDER]


def test_the_order_of_trials_changes_nothing():
    trials = gaussian_trials(step=0.25)
    weights = np.random.default_rng(2).integers(3, size=len(trials.scores)).astype(float)
    shuffled = np.random.default_rng(1).permutation(len(trials.scores))
    other = rank_trials(trials.scores[shuffled], trials.is_target[shuffled])
    for metric in ALL:
        assert metric(other, weights[shuffled]) == pytest.approx(metric(trials, weights), abs=1e-13)


def test_changing_sides_and_sign_changes_neither_eer_nor_cllr():
    trials = gaussian_trials(step=0.25)
    other = rank_trials(-trials.scores, ~trials.is_target)
    for metric in (eer, eer_staircase, cllr_min, cllr):
        assert metric(other) == pytest.approx(metric(trials), abs=1e-12)


def test_min_dcf_depends_on_the_ratio_of_costs_times_odds_alone():
    trials = gaussian_trials()
    assert min_dcf(trials, 0.5, cost_miss=1, cost_false_alarm=9) == pytest.approx(min_dcf(trials, 0.1))
    assert min_dcf(trials, 0.1, 7, 7) == pytest.approx(min_dcf(trials, 0.1))


def test_no_prior_is_worse_than_the_eer():
    # Decisions at prior p and unit costs err with probability min_dcf min(p, 1 - p): at most the EER, for every p.
    trials = gaussian_trials(step=0.25)
    errors = [min_dcf(trials, p) * min(p, 1 - p) for p in np.linspace(0.01, 0.99, 393)]
    assert max(errors) <= eer(trials) + 1e-12
    assert max(errors) == pytest.approx(eer(trials), abs=2e-3)


def test_infinite_scores_rank_like_any_and_cost_cllr_what_they_claim():
    right, wrong = pool_trials([np.inf, 1.0], [-np.inf, 2.0]), pool_trials([-np.inf, 1.0], [0.0])
    assert eer(right) == eer(pool_trials([9.0, 1.0], [-9.0, 2.0]))
    assert np.isfinite(cllr(right))
    assert cllr(wrong) == np.inf
    assert cllr(wrong, [0, 1, 1]) == cllr(pool_trials([1.0], [0.0]))


def test_a_trial_at_the_threshold_is_accepted():
    rates = error_rates(pool_trials([1.0, 0.0], [1.0, 0.0]), 1.0)
    assert (rates.miss, rates.false_alarm) == (0.5, 0.5)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: pool_trials([1.0], []), DataError, "only target trials"),
        (lambda: pool_trials([], [1.0]), DataError, "only non-target trials"),
        (lambda: pool_trials([], []), DataError, "no trials"),
        (lambda: pool_trials([1.0, np.nan], [0.0]), DataError, "1 of 3 scores are NaN, the first that of trial 1"),
        (lambda: rank_trials([1.0, 2.0], [1, 0]), ShapeError, "True for targets"),
        (lambda: rank_trials([1.0, 2.0], [True]), ShapeError, "one truth per score"),
        (lambda: pool_trials([[1.0]], [0.0]), ShapeError, "expected vectors"),
        (lambda: eer(pool_trials([1.0], [0.0]), [1.0, 0.0]), DataError, "only target trials"),
        (lambda: eer(pool_trials([1.0], [0.0]), [1.0, -1.0]), DataError, "negative"),
        (lambda: eer(pool_trials([1.0], [0.0]), [1.0, np.nan]), DataError, "NaN"),
        (lambda: eer_staircase(pool_trials([1.0], [0.0]), [1.0, 0.0]), DataError, "only target trials"),
        (lambda: cllr(pool_trials([1.0], [0.0]), [1.0]), ShapeError, "for 2 trials"),
        (lambda: min_dcf(pool_trials([1.0], [0.0]), 5), DataError, "in percent"),
        (lambda: min_dcf(pool_trials([1.0], [0.0]), 0.1, 0), DataError, "positive costs"),
        (lambda: error_rates(pool_trials([1.0], [0.0]), np.nan), DataError, "threshold that is NaN"),
    ],
)
def test_bad_input_is_refused_with_the_reason(call, error, message):
    with pytest.raises(error, match=message):
        call()
