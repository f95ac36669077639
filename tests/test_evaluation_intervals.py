"""Laws of resampling by groups, of intervals, their coverage, and of the paired comparison."""

from functools import partial
from itertools import product

import numpy as np
import pytest
import scipy.stats
from scipy.special import expit, logit

from speechgmm.errors import DataError, ShapeError
from speechgmm.evaluation import (
    FEW_GROUPS,
    Metric,
    balanced_accuracy,
    cllr,
    cllr_sums,
    compare,
    count_decisions,
    eer,
    interval,
    rank_trials,
    ratio,
)
from speechgmm.evaluation.resampling import OfSums, as_groups, draw, evaluate


def speakers(seed=0, n=25, items=20, mean=1.5, sd=0.8):
    """Whether each item is right, and its speaker."""
    rng = np.random.default_rng(seed)
    odds = np.repeat(mean + sd * rng.standard_normal(n), items)
    return rng.random(len(odds)) < expit(odds), np.repeat(np.arange(n), items)


def share(right):
    return ratio(right, np.ones(len(right)))


def trials(seed=0, n=12):
    """All speakers against all, four recordings against their own model; enrolled and tested speaker of each."""
    rng = np.random.default_rng(seed)
    enrol, test = (np.concatenate([side.ravel(), np.repeat(np.arange(n), 3)]) for side in np.indices((n, n)))
    model, voice = rng.normal(0, 0.5, n), rng.normal(0, 0.5, n)
    same = enrol == test
    scores = rng.standard_normal(len(enrol)) + model[enrol] + voice[test] + 2.5 * same
    return rank_trials(scores, same), (enrol, test)


# -- resampling --------------------------------------------------------------------------------------------------------


def test_a_speaker_drawn_twice_is_two_speakers_with_the_same_recordings():
    # The trials written out: copies of one speaker are others to each other, and no trial is between them.
    groups = as_groups((np.array([0, 0, 1, 1, 0]), np.array([0, 1, 0, 1, 2])))
    times = np.array([2.0, 3.0, 1.0])
    copies = [(speaker, copy) for speaker in range(3) for copy in range(int(times[speaker]))]
    expected = [
        sum((a, b) == (e[0], t[0]) and ((e == t) if a == b else True) for e, t in product(copies, copies))
        for a, b in zip(groups.first, groups.second, strict=True)
    ]
    assert groups.weights(times).tolist() == expected == [2, 6, 6, 3, 2]


def test_resamples_have_as_many_groups_as_there_are():
    drawn = draw(7, 500, seed=3)
    np.testing.assert_array_equal(drawn.sum(axis=1), 7)
    np.testing.assert_allclose(drawn.mean(axis=0), 1, atol=0.2)


@pytest.mark.parametrize("sides", [1, 2])
def test_all_resamples_at_once_equal_one_at_a_time(sides):
    ranked, (enrol, test) = trials()
    groups = as_groups((enrol, test) if sides == 2 else enrol)
    drawn = draw(groups.n, 60, seed=0)
    at_once = evaluate(cllr_sums(ranked), groups, drawn)
    np.testing.assert_allclose(at_once, evaluate(partial(cllr, ranked), groups, drawn), rtol=1e-12)
    np.testing.assert_allclose(at_once[:3], [cllr(ranked, groups.weights(row)) for row in drawn[:3]], rtol=1e-12)


def test_many_resamples_in_parcels_equal_few(monkeypatch):
    right, speaker = speakers()
    groups = as_groups(speaker)
    drawn = draw(groups.n, 50, seed=0)
    whole = evaluate(share(right), groups, drawn)
    monkeypatch.setattr("speechgmm.evaluation.resampling._CELLS", 60)
    np.testing.assert_allclose(evaluate(share(right), groups, drawn), whole, rtol=1e-14)


def test_the_spread_over_resamples_is_the_standard_error_of_a_mean_over_groups():
    right, speaker = speakers(n=40)
    groups = as_groups(speaker)
    values = evaluate(share(right), groups, draw(40, 20_000, seed=0))
    means = right.reshape(40, -1).mean(axis=1)
    assert values.std() == pytest.approx(means.std() / np.sqrt(40), rel=0.03)


# -- intervals ---------------------------------------------------------------------------------------------------------


def test_the_interval_of_a_mean_is_students_on_the_identity_scale():
    values = np.random.default_rng(0).normal(size=30)
    found = interval(ratio(values, np.ones(30)), np.arange(30), n_resamples=40_000, scale="identity")
    expected = scipy.stats.t.interval(0.95, 29, values.mean(), scipy.stats.sem(values))
    assert (found.low, found.high) == pytest.approx(expected, abs=0.01)


def test_scales_are_maps_of_one_another_around_the_same_spread():
    right, speaker = speakers()
    value = right.mean()
    by_scale = {scale: interval(share(right), speaker, scale=scale) for scale in ("identity", "log", "logit")}
    halves = {
        "identity": by_scale["identity"].high - by_scale["identity"].low,
        "log": (np.log(by_scale["log"].high) - np.log(by_scale["log"].low)) * value,
        "logit": (logit(by_scale["logit"].high) - logit(by_scale["logit"].low)) * value * (1 - value),
    }
    assert list(halves.values()) == pytest.approx([halves["identity"]] * 3)
    for found in by_scale.values():
        assert found.low < value < found.high


def test_accuracy_and_error_rate_have_mirrored_intervals():
    right, speaker = speakers(mean=3)
    of_right, of_wrong = interval(share(right), speaker), interval(share(~right), speaker)
    assert (1 - of_wrong.high, 1 - of_wrong.low) == pytest.approx((of_right.low, of_right.high))


def test_the_interval_depends_on_seed_and_data_alone_not_on_the_order_or_names_of_groups():
    right, speaker = speakers()
    found = interval(share(right), speaker)
    assert interval(share(right), speaker) == found
    assert interval(share(right), speaker, seed=1) != found
    shuffled = np.random.default_rng(0).permutation(len(right))
    other = interval(share(right[shuffled]), 1000 + 7 * speaker[shuffled])
    assert (other.low, other.high) == pytest.approx((found.low, found.high), abs=1e-12)


def test_a_statistic_of_weights_has_the_interval_of_its_sums():
    right, speaker = speakers()
    plain = interval(lambda weights: float((weights * right).sum() / weights.sum()), speaker)
    sums = interval(share(right), speaker)
    assert (plain.low, plain.high) == pytest.approx((sums.low, sums.high), abs=1e-12)


def test_more_copies_of_the_same_speakers_items_do_not_narrow_the_interval():
    right, speaker = speakers()
    once, thrice = interval(share(right), speaker), interval(share(np.tile(right, 3)), np.tile(speaker, 3))
    assert (thrice.low, thrice.high) == pytest.approx((once.low, once.high), abs=1e-12)


def test_a_higher_level_is_a_wider_interval():
    right, speaker = speakers()
    widths = [
        found.high - found.low for found in (interval(share(right), speaker, level=level) for level in (0.5, 0.9, 0.99))
    ]
    assert widths == sorted(widths)
    assert widths[0] < 0.5 * widths[-1]


def test_trials_rest_on_the_side_with_fewer_speakers():
    ranked, (enrol, test) = trials()
    found = interval(partial(eer, ranked), (enrol, test), n_resamples=200)
    assert found.n_groups == 12
    assert found.low < eer(ranked) < found.high
    assert interval(partial(eer, ranked), (enrol // 4, test), n_resamples=200).n_groups == 3


def test_balanced_accuracy_has_an_interval_by_way_of_weighted_counts():
    right, speaker = speakers()
    true = np.arange(len(right)) % 3
    predicted = np.where(right, true, (true + 1) % 3)
    found = interval(lambda w: balanced_accuracy(count_decisions(true, predicted, 3, w)), speaker, n_resamples=200)
    assert found.low < balanced_accuracy(count_decisions(true, predicted, 3)) < found.high


@pytest.mark.parametrize("n", [2, 6, FEW_GROUPS - 1])
def test_few_groups_are_said(n):
    found = interval(share(speakers(n=n)[0]), speakers(n=n)[1])
    assert f"only {n} groups" in found.note
    assert interval(share(speakers(n=FEW_GROUPS)[0]), speakers(n=FEW_GROUPS)[1]).note == ""


# -- where there is no spread to go by ---------------------------------------------------------------------------------


@pytest.mark.parametrize("n", [2, 6, 50])
def test_all_right_is_bounded_by_the_number_of_speakers(n):
    found = interval(ratio(np.ones(10 * n), np.ones(10 * n)), np.repeat(np.arange(n), 10))
    exact = scipy.stats.binomtest(n, n).proportion_ci(0.95, method="exact")
    assert found.method == "clopper-pearson"
    assert (found.low, found.high) == pytest.approx((exact.low, 1), abs=1e-9)
    assert "no spread" in found.note
    wrong = interval(ratio(np.zeros(10 * n), np.ones(10 * n)), np.repeat(np.arange(n), 10))
    assert (wrong.low, wrong.high) == pytest.approx((0, 1 - exact.low), abs=1e-9)


def test_the_same_share_for_every_speaker_is_not_certainty():
    found = interval(ratio(np.tile([1, 1, 1, 0], 30), np.ones(120)), np.repeat(np.arange(30), 4))
    assert found.method == "clopper-pearson"
    assert found.low < 0.65 < 0.85 < found.high


def test_separable_trials_have_an_eer_interval_that_is_not_zero_wide():
    ranked, groups = trials()
    apart = rank_trials(ranked.scores + 100 * ranked.is_target, ranked.is_target)
    found = interval(partial(eer, apart), groups, n_resamples=100)
    assert found.low == 0
    assert found.high == pytest.approx(1 - 0.025 ** (1 / 12))


def test_a_figure_at_the_end_of_its_scale_that_varies_has_bounds_that_hold_the_resamples():
    # A cost that cannot exceed 1, and does in most resamples reach it.
    cost = np.repeat([0.0, 1.45], [60, 140])
    capped = OfSums(np.stack([cost, np.ones(200)], axis=1), lambda sums: np.minimum(sums[..., 0] / sums[..., 1], 1))
    groups = as_groups(np.repeat(np.arange(100), 2))
    found = interval(capped, np.repeat(np.arange(100), 2))
    lowest = np.quantile(evaluate(capped, groups, draw(100, 1000, seed=0)), 0.025)
    assert found.high == 1
    assert found.low <= lowest < 1


@pytest.mark.parametrize(
    ("statistic", "groups", "scale", "why"),
    [
        (ratio([1, 0, 1], np.ones(3)), np.zeros(3, int), "logit", "one group"),
        (ratio([2, 2, 2], np.ones(3)), np.arange(3), "identity", "same value in every resample"),
        (ratio([0, 0, 0], np.ones(3)), np.arange(3), "log", "0 on the log scale"),
        (ratio([1, np.inf, 1], np.ones(3)), np.arange(3), "log", "the value is inf"),
        (ratio([1, 0, 0, 0], [1, 0, 0, 0]), np.arange(4), "logit", "of 1000 resamples have no value"),
    ],
)
def test_no_interval_comes_with_the_reason(statistic, groups, scale, why):
    found = interval(statistic, groups, scale=scale)
    assert (found.low, found.high, found.method) == (None, None, "none")
    assert why in found.note


def test_resamples_without_a_value_are_left_out_and_counted():
    # Three of eight speakers have targets; a resample without any is seen once in forty.
    rng = np.random.default_rng(0)
    target = np.repeat(np.arange(8) < 3, 10)
    ranked = rank_trials(rng.normal(size=80) + target, target)
    found = interval(partial(eer, ranked), np.repeat(np.arange(8), 10), n_resamples=400)
    assert "resamples have no value and were left out" in found.note
    assert found.low < eer(ranked) < found.high


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda s: interval(s, np.arange(4), level=95), DataError, "in percent"),
        (lambda s: interval(s, np.arange(4), n_resamples=10), DataError, "at least 50"),
        (lambda s: interval(s, np.arange(4), scale="probit"), DataError, "expected logit, log or identity"),
        (lambda s: interval(ratio([3, 2, 1, 0], np.ones(4)), np.arange(4)), DataError, "a value of 1.5 on the logit"),
        (lambda s: interval(s, np.arange(4.0)), ShapeError, "expected integers"),
        (lambda s: interval(s, (np.arange(4), np.arange(3))), ShapeError, "two of the same length"),
        (lambda s: interval(s, np.arange(0)), DataError, "no items to resample"),
        (lambda s: interval(s, np.arange(5)), ShapeError, r"weights \(5,\) for a metric of 4 items"),
        (lambda s: ratio([1, 2], [1]), ShapeError, "two vectors"),
    ],
)
def test_bad_input_is_refused_with_the_reason(call, error, message):
    with pytest.raises(error, match=message):
        call(ratio([1, 0, 1, 0], np.ones(4)))


# -- coverage (the whole table: benchmarks/interval_coverage.py) ------------------------------------------------


def coverage(n, n_worlds, mean=2.0, sd=1.0):
    grid = np.linspace(-8, 8, 4001)
    density = scipy.stats.norm.pdf(grid)
    truth = (density * expit(mean + sd * grid)).sum() / density.sum()
    held = 0
    for seed in range(n_worlds):
        right, speaker = speakers(seed, n, 30, mean, sd)
        found = interval(share(right), speaker, n_resamples=200)
        held += found.low <= truth <= found.high
    return held / n_worlds


@pytest.mark.parametrize("n", [6, 20, 50])
def test_intervals_of_95_percent_hold_the_true_accuracy_as_often(n):
    # 400 test sets: a coverage of .95 is seen as .914 to .986 in all but one of 1000; percentile has .83 at 6.
    assert 0.914 <= coverage(n, 400) <= 0.986


def test_intervals_hold_the_true_accuracy_also_where_most_test_sets_have_no_error():
    # 20 speakers who are right 99.9 % of the time: some test sets are without any error.
    assert coverage(20, 300, mean=8.0, sd=1.0) >= 0.93


# -- comparison --------------------------------------------------------------------------------------------------------


def test_a_run_against_itself_differs_by_nothing_and_claims_no_interval():
    right, speaker = speakers()
    found = compare(share(right), share(right), speaker)
    assert (found.value, found.low, found.high, found.share_above) == (0, None, None, 0.5)
    assert "same value" in found.note


def test_changing_the_runs_changes_the_sign():
    right, speaker = speakers()
    other = np.where(np.random.default_rng(1).random(len(right)) < 0.2, False, right)
    found, back = compare(share(right), share(other), speaker), compare(share(other), share(right), speaker)
    assert (back.value, back.low, back.high) == pytest.approx((-found.value, -found.high, -found.low))
    assert back.share_above == pytest.approx(1 - found.share_above)
    assert found.share_above == 1
    assert found.low > 0


def test_what_is_hard_for_both_runs_cancels():
    right, speaker = speakers(n=20, sd=1.5)
    other = np.where(np.random.default_rng(1).random(len(right)) < 0.05, False, right)
    found = compare(share(right), share(other), speaker)
    alone = interval(share(right), speaker), interval(share(other), speaker)
    assert alone[0].low < alone[1].high  # the intervals overlap, yet the difference is certain
    assert found.low > 0
    assert found.high - found.low < 0.5 * (alone[0].high - alone[0].low)


def test_a_comparison_is_the_interval_of_the_difference():
    right, speaker = speakers()
    other = np.where(np.random.default_rng(1).random(len(right)) < 0.2, False, right)
    found = compare(share(right), share(other), speaker)
    whole = interval(ratio(right.astype(float) - other, np.ones(len(right))), speaker, scale="identity")
    assert (found.low, found.high) == pytest.approx((whole.low, whole.high), abs=1e-12)


def test_an_infinite_figure_has_no_interval_and_no_difference_from_a_finite_one():
    ranked, (enrol, _) = trials()
    infinite = rank_trials(np.where(np.arange(len(enrol)) == 0, -np.inf, ranked.scores), ranked.is_target)
    assert ranked.is_target[0]
    assert "inf" in interval(cllr_sums(infinite), enrol, scale="log").note
    found = compare(cllr_sums(infinite), cllr_sums(ranked), enrol)
    assert (found.value, found.low) == (np.inf, None)
    assert "inf" in found.note


def test_a_figure_that_cannot_be_had_from_all_items_says_why():
    ranked, (enrol, _) = trials()
    with pytest.raises(DataError, match="only target trials"):
        interval(lambda weights: eer(ranked, weights * ranked.is_target), enrol)


def test_comparison_from_one_speaker_has_no_interval():
    found = compare(ratio([1, 1], [1, 1]), ratio([1, 0], [1, 1]), np.zeros(2, int))
    assert (found.value, found.low, found.high) == (0.5, None, None)
    assert "one group" in found.note


def test_a_metric_of_items_names_its_method_and_no_number_of_speakers():
    everything_right = ratio(np.ones(4), np.ones(4))
    metric = Metric(1.0, 4, "fraction").within(interval(everything_right, np.arange(4)))
    alone = metric.by_items("recordings")
    assert (metric.interval, metric.n_groups) == ("clopper-pearson over groups", 4)
    assert (alone.interval, alone.n_groups) == ("clopper-pearson over recordings as independent", None)
    assert (alone.low, alone.high) == (metric.low, metric.high)
    assert "recordings" in alone.note
    assert "group" not in alone.note
    assert [*alone] == ["value", "n", "unit", "low", "high", "interval", "note"]
