"""Laws and oracles of decisions by ratios: actDCF, DET, Tippett, PAV, the open set."""

import numpy as np
import pytest
from scipy.optimize import isotonic_regression
from scipy.stats import norm

from speechgmm.errors import DataError, ShapeError
from speechgmm.evaluation import (
    OpenSet,
    act_dcf,
    act_dcf_sums,
    bayes_threshold,
    cllr,
    cllr_min,
    det,
    eer,
    error_rates,
    interval,
    min_dcf,
    open_set_curve,
    open_set_rates,
    open_set_sums,
    pav_llrs,
    pool_trials,
    rank_models,
    rank_trials,
    tippett,
)


def gaussian_llrs(seed=0, n=500, step=None):
    """Calibrated ratios: of deviation 2 around +-2; on a grid of ``step``, so that many are equal."""
    rng = np.random.default_rng(seed)
    truth = np.arange(4 * n) < n
    llrs = rng.normal(np.where(truth, 2.0, -2.0), 2.0)
    return rank_trials(llrs if step is None else step * np.round(llrs / step), truth)


# -- deciding by ratios ------------------------------------------------------------------------------------------------


def test_the_threshold_is_where_both_decisions_cost_the_same():
    for prior, miss, false_alarm in ((0.01, 1, 1), (0.3, 10, 2), (0.9, 0.5, 7)):
        odds = np.exp(bayes_threshold(prior, miss, false_alarm)) * prior / (1 - prior)
        assert odds * miss == pytest.approx(false_alarm)  # expected cost of rejecting and of accepting, times 1 + odds


@pytest.mark.parametrize("prior", [0.01, 0.5, 0.9])
def test_act_dcf_equals_the_cost_of_the_decisions_one_by_one(prior):
    trials = gaussian_llrs(step=0.5)
    cost = {True: 0.0, False: 0.0}
    for llr, target in zip(trials.scores, trials.is_target, strict=True):
        accepted = llr >= np.log(3 / 2) - np.log(prior / (1 - prior))
        cost[bool(target)] += accepted != target
    n_targets = trials.is_target.sum()
    expected = 2 * prior * cost[True] / n_targets + 3 * (1 - prior) * cost[False] / (len(trials.scores) - n_targets)
    assert act_dcf(trials, prior, 2, 3) == pytest.approx(expected / min(2 * prior, 3 * (1 - prior)))


@pytest.mark.parametrize("step", [None, 0.25])
def test_a_constant_changes_act_dcf_and_cllr_and_not_what_hangs_on_the_order(step):
    trials = gaussian_llrs(step=step)
    moved = rank_trials(trials.scores + 3.0, trials.is_target)
    for metric in (eer, cllr_min, lambda t: min_dcf(t, 0.1)):
        assert metric(moved) == metric(trials)
    np.testing.assert_array_equal(pav_llrs(moved), pav_llrs(trials))
    assert act_dcf(moved, 0.1) > act_dcf(trials, 0.1) + 0.1
    assert cllr(moved) > cllr(trials) + 0.1


def test_act_dcf_is_never_below_min_dcf_and_near_it_where_ratios_are_calibrated():
    trials = gaussian_llrs(n=50_000)
    for prior in (0.02, 0.1, 0.5, 0.8):
        assert min_dcf(trials, prior) <= act_dcf(trials, prior) <= min_dcf(trials, prior) + 0.02


def test_ratios_that_say_nothing_cost_what_the_blind_decision_costs():
    trials = pool_trials(np.zeros(5), np.zeros(7))
    for prior in (0.01, 0.5, 0.7):
        assert act_dcf(trials, prior) == pytest.approx(1)


def test_weights_equal_repetition_also_for_act_dcf_and_pav():
    trials = gaussian_llrs(n=30, step=0.5)
    weights = np.random.default_rng(2).integers(3, size=len(trials.scores)).astype(float)
    again = np.repeat(np.arange(len(weights)), weights.astype(int))
    repeated = rank_trials(trials.scores[again], trials.is_target[again])
    assert act_dcf(trials, 0.1, weights=weights) == pytest.approx(act_dcf(repeated, 0.1))
    np.testing.assert_allclose(pav_llrs(trials, weights)[again], pav_llrs(repeated), atol=1e-9)
    speaker = np.arange(len(weights)) % 30
    found = interval(act_dcf_sums(trials, 0.1), speaker, scale="log")
    slow = interval(lambda w: act_dcf(trials, 0.1, weights=w), speaker, scale="log")
    assert (found.low, found.high) == pytest.approx((slow.low, slow.high))


def test_cllr_of_an_example_worked_by_hand_by_its_published_definition():
    # Brümmer & du Preez 2006: ratios 3 and 1 of targets, 1/3 and 1 of nontargets cost log2(4/3) and log2(2) each.
    trials = pool_trials(np.log([3, 1]), np.log([1 / 3, 1]))
    assert cllr(trials) == pytest.approx((np.log2(4 / 3) + 1) / 2)
    # By PAV the middle block holds one of each: a ratio of 1 for half of all trials, and no cost for the rest.
    assert cllr_min(trials) == pytest.approx(1 / 2)


def test_cllr_is_the_area_under_the_errors_of_deciding_by_the_ratios_over_all_log_odds():
    # Brümmer & du Preez 2006: Cllr is the integral of the Bayes error over the prior's log odds, over 2 log 2. Another
    # way round: thresholds and errors here, logarithms of ratios there.
    trials = gaussian_llrs()
    step = 0.01
    priors = 1 / (1 + np.exp(-np.arange(-25, 25, step)))
    errors = sum(act_dcf(trials, p) * min(p, 1 - p) for p in priors)
    assert cllr(trials) == pytest.approx(step * errors / (2 * np.log(2)), rel=1e-3)


# -- PAV ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("step", [0.1, 1.0])
def test_pav_is_monotone_and_equals_scipys_isotonic_regression(step):
    trials = gaussian_llrs(step=step)
    found = pav_llrs(trials)
    order = np.argsort(trials.scores)
    assert (found[order][1:] >= found[order][:-1]).all()
    place = np.unique(trials.scores, return_inverse=True)[1]
    targets = np.bincount(place, trials.is_target) / trials.is_target.sum()
    nontargets = np.bincount(place, ~trials.is_target) / (~trials.is_target).sum()
    share = isotonic_regression(targets / (targets + nontargets), weights=targets + nontargets).x
    with np.errstate(divide="ignore"):
        np.testing.assert_allclose(found, (np.log(share) - np.log1p(-share))[place], atol=1e-9)
    assert cllr(rank_trials(found, trials.is_target)) == pytest.approx(cllr_min(trials))


# -- curves ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("step", [None, 0.5])
def test_every_point_of_the_det_is_the_error_rates_at_its_threshold_and_nothing_is_lost(step):
    trials = gaussian_llrs(n=100, step=step)
    curve = det(trials)
    for threshold, miss, false_alarm in zip(curve.thresholds, curve.miss, curve.false_alarm, strict=True):
        rates = error_rates(trials, threshold)
        assert (rates.miss, rates.false_alarm) == pytest.approx((miss, false_alarm))
    # What is left out lies between two points that are there, where one of the rates is the same.
    for threshold in np.unique(trials.scores):
        rates = error_rates(trials, threshold)
        n = np.searchsorted(curve.thresholds, threshold)
        inside = (curve.miss[n - 1] <= rates.miss <= curve.miss[n]) if n else rates.miss == 0
        assert inside
        assert n == 0 or curve.false_alarm[n - 1] >= rates.false_alarm >= curve.false_alarm[n]
        if threshold not in curve.thresholds:
            assert curve.miss[n - 1] == curve.miss[n] or curve.false_alarm[n - 1] == curve.false_alarm[n]
    assert step is not None or len(curve.thresholds) < len(trials.scores)


def test_gaussians_of_one_deviation_are_a_straight_det():
    curve = det(gaussian_llrs(n=200_000))
    chosen = (curve.miss > 0.02) & (curve.miss < 0.98) & (curve.false_alarm > 0.02) & (curve.false_alarm < 0.98)
    total = curve.miss_deviate[chosen] + curve.false_alarm_deviate[chosen]
    np.testing.assert_allclose(total, -2.0, atol=0.03)  # four nats apart, deviation two
    np.testing.assert_allclose(norm.cdf(curve.miss_deviate), curve.miss, atol=1e-12)
    assert curve.false_alarm_deviate[0] == np.inf
    assert curve.false_alarm_deviate[-1] == -np.inf


def test_tippett_counts_the_trials_whose_ratio_is_at_least_so_much():
    trials = gaussian_llrs(n=60, step=0.5)
    curves = tippett(trials)
    for llr, targets, nontargets in zip(curves.llrs, curves.targets, curves.nontargets, strict=True):
        above = trials.scores >= llr
        assert targets == pytest.approx(above[trials.is_target].mean())
        assert nontargets == pytest.approx(above[~trials.is_target].mean())
    assert (np.diff(curves.llrs) > 0).all()


# -- the open set ------------------------------------------------------------------------------------------------------


def open_tests(n=200, models=5, seed=0):
    rng = np.random.default_rng(seed)
    own = rng.integers(-1, models, n)
    scores = rng.normal(size=(n, models)) - 1
    scores[own >= 0, own[own >= 0]] += 3
    return scores, own


def test_open_set_rates_equal_the_obvious_loop():
    scores, own = open_tests()
    tests = rank_models(scores, own)
    for threshold in (-5.0, 0.0, 0.7, 2.0, np.inf):
        counts = dict.fromkeys(("identified", "mistaken", "rejected", "false_alarm", "correct"), 0)
        for row, mine in zip(scores, own, strict=True):
            accepted = max(row) >= threshold
            if mine < 0:
                counts["false_alarm" if accepted else "correct"] += 1
            elif not accepted:
                counts["rejected"] += 1
            else:
                counts["identified" if list(row).index(max(row)) == mine else "mistaken"] += 1
        rates = open_set_rates(tests, threshold)
        members, strangers = (own >= 0).sum(), (own < 0).sum()
        for name in ("identified", "mistaken", "rejected"):
            assert getattr(rates, name) == pytest.approx(counts[name] / members)
        assert rates.false_alarm == pytest.approx(counts["false_alarm"] / strangers)


def test_the_curve_holds_the_rates_at_each_of_its_thresholds_and_falls():
    tests = rank_models(*open_tests())
    weights = np.random.default_rng(1).integers(3, size=200).astype(float)
    curve = open_set_curve(tests, weights)
    for threshold, identified, false_alarm in zip(
        curve.thresholds[::20], curve.identified[::20], curve.false_alarm[::20], strict=True
    ):
        rates = open_set_rates(tests, threshold, weights)
        assert (rates.identified, rates.false_alarm) == pytest.approx((identified, false_alarm))
    assert (np.diff(curve.identified) <= 0).all()
    assert (np.diff(curve.false_alarm) <= 0).all()
    assert curve.false_alarm[-1] == curve.identified[-1] == 0


def test_with_no_threshold_and_no_stranger_identification_is_accuracy():
    scores, own = open_tests()
    scores, own = scores[own >= 0], own[own >= 0]
    rates = open_set_rates(rank_models(scores, own), -np.inf)
    assert rates.identified == pytest.approx((scores.argmax(axis=1) == own).mean())
    assert np.isnan(rates.false_alarm)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: bayes_threshold(1.0), DataError, "in percent"),
        (lambda: bayes_threshold(0.5, 0.0), DataError, "positive costs"),
        (lambda: act_dcf(pool_trials([1.0], [0.0]), 0.5, weights=[1.0, 0.0]), DataError, "only target"),
        (lambda: rank_models([[1.0, 2.0]], [2]), DataError, "own models 2 to 2; expected -1 to 1"),
        (lambda: rank_models([1.0, 2.0], [0, 1]), ShapeError, "expected"),
        (lambda: rank_models([[np.nan, 2.0]], [0]), DataError, "1 best scores are NaN"),
        (lambda: OpenSet(np.ones(1), np.array([True]), np.array([False])), DataError, "an unknown speaker is marked"),
        (lambda: OpenSet(np.ones(2), np.array([True]), np.array([True])), ShapeError, "one of each per test"),
        (lambda: open_set_sums(rank_models([[1.0]], [0]), np.nan), DataError, "a threshold that is NaN"),
    ],
)
def test_bad_input_is_refused_with_the_reason(call, error, message):
    with pytest.raises(error, match=message):
        call()
