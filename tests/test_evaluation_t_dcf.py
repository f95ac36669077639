"""Laws and oracles of the tandem cost."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from speechgmm.errors import DataError, ShapeError
from speechgmm.evaluation import (
    AsvErrors,
    TandemCosts,
    asv_errors,
    asvspoof_threshold,
    interval,
    min_t_dcf,
    min_t_dcf_legacy,
    pool_trials,
    rank_trials,
)

ASV = AsvErrors(miss=0.02, false_alarm=0.04, spoof_false_alarm=0.3)
rates = st.floats(0.01, 0.3)


def gaussian_trials(seed=0, n=300, distance=1.5):
    rng = np.random.default_rng(seed)
    return pool_trials(rng.normal(distance, 1, n), rng.normal(0, 1, 2 * n))


def test_worked_by_hand():
    """Four bona fide recordings and five attacks; the best threshold rejects one of the four and accepts one attack.

    C0 = .9405 x .02 + .0095 x 10 x .04 = .02261, C1 = .9405 - .02261 = .91789, C2 = .05 x 10 x .3 = .15. Thresholds
    0, 1, 2, 3 and so on give 1 C2, .8 C2, .6 C2, .4 C2, .2 C2, .25 C1 + .2 C2, .25 C1, ...: the least is .2 C2 = .03.
    """
    trials = pool_trials([4.0, 6.0, 7.0, 8.0], [0.0, 1.0, 2.0, 3.0, 5.0])
    assert min_t_dcf(trials, ASV) == pytest.approx((0.02261 + 0.03) / (0.02261 + 0.15))
    assert min_t_dcf_legacy(trials, ASV) == pytest.approx(0.2)
    # With attacks as dear as a million, the one bona fide recording below an attack is given up: .25 C1.
    dear = TandemCosts(cost_spoof=1e6)
    assert min_t_dcf_legacy(trials, ASV, dear) == pytest.approx(0.25)
    assert min_t_dcf(trials, ASV, dear) == pytest.approx((0.02261 + 0.25 * 0.91789) / 0.9405)


@settings(deadline=None, max_examples=60)
@given(rates, rates, rates, st.integers(0, 50))
def test_it_is_the_cost_of_every_decision_added_up_trial_by_trial(miss, false_alarm, spoof_false_alarm, seed):
    """Outcomes of the cascade, each with its prior and cost, by a loop over thresholds and kinds of user."""
    asv, costs = AsvErrors(miss, false_alarm, spoof_false_alarm), TandemCosts()
    trials = gaussian_trials(seed, n=12)
    bona, fake = trials.scores[trials.is_target], trials.scores[~trials.is_target]
    totals = []
    for threshold in [*trials.scores, np.inf]:
        passes, fooled = (bona >= threshold).mean(), (fake >= threshold).mean()
        target_rejected = (1 - passes) + passes * asv.miss
        totals.append(
            costs.p_target * costs.cost_miss * target_rejected
            + costs.p_nontarget * costs.cost_false_alarm * passes * asv.false_alarm
            + costs.p_spoof * costs.cost_spoof * fooled * asv.spoof_false_alarm
        )
    # Without a countermeasure all reach the ASV; or nobody does.
    everybody = (
        costs.p_target * costs.cost_miss * asv.miss
        + costs.p_nontarget * costs.cost_false_alarm * asv.false_alarm
        + costs.p_spoof * costs.cost_spoof * asv.spoof_false_alarm
    )
    nobody = costs.p_target * costs.cost_miss
    assert min_t_dcf(trials, asv) == pytest.approx(min(totals) / min(everybody, nobody))


@settings(deadline=None, max_examples=60)
@given(rates, rates, rates)
def test_a_perfect_countermeasure_leaves_the_errors_of_the_asv_and_a_useless_one_costs_1(miss, false_alarm, spoofed):
    asv = AsvErrors(miss, false_alarm, spoofed)
    perfect, useless = pool_trials([1.0, 2.0], [-1.0, 0.0]), pool_trials([0.0, 0.0], [0.0, 0.0])
    assert min_t_dcf_legacy(perfect, asv) == 0
    assert 0 < min_t_dcf(perfect, asv) < 1
    assert min_t_dcf(perfect, AsvErrors(0, 0, spoofed)) == 0
    for cost in (min_t_dcf, min_t_dcf_legacy):
        assert cost(useless, asv) == 1
        assert cost(pool_trials([-1.0, -2.0], [1.0, 0.0]), asv) == 1  # worse than useless: it is not listened to
        assert 0 <= cost(gaussian_trials(), asv) <= 1


def test_no_increasing_map_of_the_scores_changes_it_and_weights_count_trials():
    trials = gaussian_trials()
    counts = np.random.default_rng(1).integers(0, 4, len(trials.scores))
    again = rank_trials(np.repeat(trials.scores, counts), np.repeat(trials.is_target, counts))
    for cost in (min_t_dcf, min_t_dcf_legacy):
        mapped = rank_trials(np.exp(trials.scores) - 7, trials.is_target)
        assert cost(mapped, ASV) == cost(trials, ASV)
        assert cost(trials, ASV, weights=counts) == pytest.approx(cost(again, ASV))
    found = interval(lambda weights: min_t_dcf(trials, ASV, weights=weights), np.arange(900) // 9)
    assert found.low < min_t_dcf(trials, ASV) < found.high


def test_asv_errors_are_counted_at_the_threshold_that_is_given():
    rng = np.random.default_rng(3)
    target, nontarget, spoof = rng.normal(3, 1, 500), rng.normal(0, 1, 500), rng.normal(2, 1, 300)
    given = asv_errors(target, nontarget, spoof, threshold=1.0)
    rates = [(target < 1).mean(), (nontarget >= 1).mean(), (spoof >= 1).mean()]
    assert [given.miss, given.false_alarm, given.spoof_false_alarm] == pytest.approx(rates)


def asvspoof_rule(target, nontarget):
    """Threshold of the organisers' script by its definition, one rejected score after the other, in plain Python."""
    scores = sorted([(score, 0) for score in target] + [(score, 1) for score in nontarget])  # targets first
    rows = [(0.0, 1.0, scores[0][0] - 0.001)]
    for place, (score, _) in enumerate(scores):
        kinds = [kind for _, kind in scores[: place + 1]]
        rows.append((kinds.count(0) / len(target), (len(nontarget) - kinds.count(1)) / len(nontarget), score))
    return min(rows, key=lambda row: abs(row[0] - row[1]))[2]  # the first of equal ones


def asvspoof_t_dcf(bona, fake, target, nontarget, spoof):
    """Least t-DCF of 2021 and of 2019 at that threshold, by loops; the priors and costs are the challenges'."""
    at = asvspoof_rule(target, nontarget)
    miss, false_alarm, fooled = (
        sum(decided) / len(decided)
        for decided in ([s < at for s in target], [s >= at for s in nontarget], [s >= at for s in spoof])
    )
    c0 = 0.9405 * miss + 0.0095 * 10 * false_alarm
    c1, c2 = 0.9405 - c0, 0.05 * 10 * fooled
    by_errors = [
        c1 * sum(s < t for s in bona) / len(bona) + c2 * sum(s >= t for s in fake) / len(fake)
        for t in [*bona, *fake, np.inf]
    ]
    return (c0 + min(by_errors)) / (c0 + min(c1, c2)), min(by_errors) / min(c1, c2)


@settings(deadline=None, max_examples=300)
@given(
    st.integers(0, 2**31),
    st.integers(1, 30),
    st.integers(1, 30),
    st.sampled_from([0.0, 0.5, 2.0, 50.0]),
    st.sampled_from([0, 1, 8]),
)
def test_the_default_threshold_is_that_of_the_official_script(seed, n_targets, n_nontargets, distance, decimals):
    """Over overlap, perfect separation, ties (scores rounded to whole numbers) and as little as one trial of each."""
    rng = np.random.default_rng(seed)
    target = np.round(rng.normal(distance, 1, n_targets), decimals)
    nontarget = np.round(rng.normal(0, 1, n_nontargets), decimals)
    spoof = np.round(rng.normal(distance / 2, 1 + distance / 5, 40), decimals)
    at = asvspoof_rule(target.tolist(), nontarget.tolist())
    assert asvspoof_threshold(target, nontarget) == at
    found = asv_errors(target, nontarget, spoof)
    expected = ((target < at).mean(), (nontarget >= at).mean(), (spoof >= at).mean())
    assert (found.miss, found.false_alarm, found.spoof_false_alarm) == pytest.approx(expected)


def test_where_the_asv_separates_perfectly_attacks_above_the_highest_nontarget_are_accepted():
    target, nontarget = np.array([9.0, 10.0, 11.0]), np.array([0.0, 1.0])
    spoof = np.array([0.5, 2.0, 4.0, 8.0, 9.5])
    assert asv_errors(target, nontarget, spoof) == AsvErrors(miss=0.0, false_alarm=0.5, spoof_false_alarm=0.8)
    at_lowest_target = asv_errors(target, nontarget, spoof, threshold=9.0)
    assert at_lowest_target == AsvErrors(miss=0.0, false_alarm=0.0, spoof_false_alarm=0.2)


@pytest.mark.parametrize("distance", [1.5, 3.0, 8.0])
@pytest.mark.parametrize("seed", range(4))
def test_the_least_t_dcf_is_that_of_the_official_script(seed, distance):
    rng = np.random.default_rng(seed)
    target, nontarget = rng.normal(distance, 1, 40), rng.normal(0, 1, 60)
    spoof, bona, fake = rng.normal(distance / 2, 1, 50), rng.normal(1, 1, 50), rng.normal(0, 1, 80)
    trials, errors = pool_trials(bona, fake), asv_errors(target, nontarget, spoof)
    sides = (side.tolist() for side in (bona, fake, target, nontarget, spoof))
    assert (min_t_dcf(trials, errors), min_t_dcf_legacy(trials, errors)) == pytest.approx(asvspoof_t_dcf(*sides))


def test_what_has_no_tandem_cost_is_refused():
    trials = gaussian_trials()
    for asv, message in (
        (AsvErrors(2.0, 0.04, 0.3), "are they in percent"),
        (AsvErrors(0.02, 0.04, 0.0), "accepts no attack"),
        (AsvErrors(1.0, 0.04, 0.3), "more than rejecting everybody"),
    ):
        for cost in (min_t_dcf, min_t_dcf_legacy):
            with pytest.raises(DataError, match=message):
                cost(trials, asv)
    with pytest.raises(DataError, match="add up to 1"):
        TandemCosts(p_spoof=0.5)
    with pytest.raises(DataError, match="positive costs"):
        TandemCosts(cost_miss=0)
    with pytest.raises(DataError, match="one score at least"):
        asv_errors([1.0], [0.0], [])
    with pytest.raises(DataError, match="only target"):
        asv_errors([1.0], [], [0.0])
    with pytest.raises(DataError, match="only target"):
        min_t_dcf(trials, ASV, weights=trials.is_target.astype(float))
    with pytest.raises(ShapeError, match="one per trial"):
        min_t_dcf(trials, ASV, weights=np.ones(3))
