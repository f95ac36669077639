"""Laws and oracles of calibration and fusion."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.optimize import isotonic_regression, minimize
from sklearn.linear_model import LogisticRegression

from speechgmm.errors import DataError, ShapeError
from speechgmm.evaluation import act_dcf, cllr, cllr_min, eer, in_words, min_dcf, rank_trials
from speechgmm.tasks.classification.spec import DecisionSpec
from speechgmm.tasks.verification.calibration import by_folds, calibrated_metrics
from speechgmm.tasks.verification.evaluation import evaluate_trials
from speechgmm.tasks.verification.score_map_training import (
    cross_calibrate,
    cross_fit_logistic,
    fit_logistic,
    fit_pav,
)
from speechgmm.tasks.verification.score_maps import Affine, Pav, map_inputs
from speechgmm.tasks.verification.spec import CalibrationSpec
from speechgmm.tasks.verification.trials import ScoredTrials, Side


def gaussian_scores(seed=0, n_targets=300, n_nontargets=900, distance=2.0, systems=1):
    """Scores (N, S) of deviation 1, targets ``distance`` above; in systems after the first, half as far."""
    rng = np.random.default_rng(seed)
    truth = np.arange(n_targets + n_nontargets) < n_targets
    means = np.where(truth, distance, 0.0)[:, None] / (1 + np.arange(systems))
    return rng.normal(means, 1.0), truth


@pytest.mark.parametrize("p_target", [0.5, 0.1, 0.01])
@pytest.mark.parametrize("systems", [1, 3])
def test_the_affine_map_is_scikit_learns_weighted_logistic_regression(p_target, systems):
    scores, truth = gaussian_scores(systems=systems)
    found = fit_logistic(scores, truth, p_target)
    weights = np.where(truth, p_target / truth.sum(), (1 - p_target) / (~truth).sum())
    other = LogisticRegression(C=1e9, tol=1e-12, max_iter=10_000).fit(scores, truth, sample_weight=1e4 * weights)
    np.testing.assert_allclose(found.weights, other.coef_[0], rtol=1e-4)
    log_odds = np.log(p_target / (1 - p_target))
    assert found.offset == pytest.approx(other.intercept_[0] - log_odds, abs=1e-3)


def test_at_an_even_prior_no_affine_map_has_a_lower_cllr():
    scores, truth = gaussian_scores()
    found = fit_logistic(scores, truth)

    def cost(ab):
        return cllr(rank_trials(ab[0] * scores[:, 0] + ab[1], truth))

    best = minimize(cost, [1.0, 0.0], method="Nelder-Mead", options={"xatol": 1e-8, "fatol": 1e-14, "maxiter": 2000})
    assert cost([found.weights[0], found.offset]) <= best.fun + 1e-12
    np.testing.assert_allclose([found.weights[0], found.offset], best.x, atol=1e-4)


def test_well_calibrated_ratios_are_left_as_they_are():
    rng = np.random.default_rng(0)
    truth = np.arange(200_000) % 2 == 0
    found = fit_logistic(rng.normal(np.where(truth, 2.0, -2.0), 2.0), truth)
    assert found.weights[0] == pytest.approx(1, abs=0.02)
    assert found.offset == pytest.approx(0, abs=0.02)


@pytest.mark.parametrize("p_target", [0.5, 0.05])
def test_scaling_and_shifting_the_scores_changes_no_ratio(p_target):
    scores, truth = gaussian_scores(systems=2)
    moved = scores * [1e-4, 300.0] + [1e3, -70.0]
    before, after = (fit_logistic(x, truth, p_target).apply(x) for x in (scores, moved))
    np.testing.assert_allclose(after, before, atol=1e-6)


def test_a_map_with_a_positive_slope_changes_cllr_and_act_dcf_and_leaves_what_hangs_on_the_order():
    scores, truth = gaussian_scores()
    raw = rank_trials(scores[:, 0] / 10 - 4, truth)
    mapped = rank_trials(fit_logistic(raw.scores, truth).apply(raw.scores), truth)
    for metric in (eer, cllr_min, lambda trials: min_dcf(trials, 0.05)):
        assert metric(mapped) == pytest.approx(metric(raw), abs=1e-12)
    assert cllr_min(raw) <= cllr(mapped) < cllr(raw)
    assert act_dcf(mapped, 0.05) >= min_dcf(mapped, 0.05)


def test_fusion_is_at_least_as_good_as_each_system_on_what_it_was_trained_on():
    scores, truth = gaussian_scores(systems=3)
    together = cllr(rank_trials(fit_logistic(scores, truth).apply(scores), truth))
    for column in scores.T:
        assert together < cllr(rank_trials(fit_logistic(column, truth).apply(column), truth))


def test_a_system_that_is_there_twice_or_says_nothing_breaks_no_fusion():
    scores, truth = gaussian_scores()
    alone = fit_logistic(scores, truth)
    twice = fit_logistic(np.hstack([scores, scores, np.full((len(scores), 1), 3.0)]), truth)
    assert twice.weights[0] == pytest.approx(twice.weights[1])
    assert twice.weights[2] == 0
    assert twice.weights[:2].sum() == pytest.approx(alone.weights[0], rel=1e-6)


@pytest.mark.parametrize("n", [3, 30, 3000])
def test_perfect_separation_is_said_and_the_ratios_grow_with_the_trials(n):
    ratios = []
    for systems in (1, 2):
        scores = np.stack([np.arange(2 * n) - n, *[np.tile([1.0, -1.0], n)] * (systems - 1)], axis=1)
        found = fit_logistic(scores, scores[:, 0] >= 0)
        assert found.separated
        llrs = found.apply(scores)
        assert np.isfinite(llrs).all()
        assert llrs[n:].min() > llrs[:n].max()
        ratios.append(llrs.max())
    few = fit_logistic([-1.0, -1.0, 1.0, 1.0], [False, False, True, True])
    assert few.apply([1.0])[0] == pytest.approx(np.log(9 / 1))  # (2 + 1/4) / (2 + 1/2) against (1/4) / (5/2)
    assert ratios[0] > few.apply([1.0])[0]
    assert not fit_logistic(*gaussian_scores()).separated


def test_scores_of_targets_that_only_touch_those_of_nontargets_are_separated_too():
    assert fit_logistic([0.0, 1.0, 1.0, 2.0], [False, False, True, True]).separated


def test_scores_that_are_all_the_same_say_nothing():
    found = fit_logistic(np.full(9, 4.0), np.arange(9) < 3)
    np.testing.assert_allclose(found.apply([4.0, 5.0]), 0, atol=1e-9)


def test_pav_is_scipys_isotonic_regression_of_trials_with_one_of_each_kind_at_either_end():
    scores, truth = gaussian_scores(distance=1.0)
    scores = np.round(scores[:, 0], 1)  # many are equal
    found = fit_pav(scores, truth)
    assert (np.diff(found.llrs) >= 0).all()
    assert (np.diff(found.scores) > 0).all()
    n_targets, n_nontargets = truth.sum() + 2, (~truth).sum() + 2
    distinct, place = np.unique(scores, return_inverse=True)
    targets = np.array([1, *np.bincount(place, truth), 1]) / n_targets
    nontargets = np.array([1, *np.bincount(place, ~truth), 1]) / n_nontargets
    share = isotonic_regression(targets / (targets + nontargets), weights=targets + nontargets).x[1:-1]
    np.testing.assert_allclose(found.apply(distinct), np.log(share / (1 - share)), atol=1e-9)


def test_pav_says_the_same_whatever_increasing_map_the_scores_went_through():
    scores, truth = gaussian_scores()
    before, after = (fit_pav(x, truth).apply(x) for x in (scores[:, 0], np.exp(scores[:, 0])))
    np.testing.assert_allclose(before, after)


def test_no_map_but_pav_has_a_lower_cllr_on_its_own_trials_up_to_the_trials_that_were_added():
    scores, truth = gaussian_scores(n_targets=3000, n_nontargets=9000)
    trials = rank_trials(fit_pav(scores[:, 0], truth).apply(scores[:, 0]), truth)
    assert cllr(trials) == pytest.approx(cllr_min(rank_trials(scores[:, 0], truth)), abs=2e-3)


def speakers_and_scores(n_speakers=12, seed=0):
    rng = np.random.default_rng(seed)
    model, test, _ = (side.ravel() for side in np.mgrid[:n_speakers, :n_speakers, :3])
    own = rng.normal(0, 0.5, n_speakers)
    return rng.normal(2.0 * (model == test)) + own[model], model == test, model, test


@pytest.mark.parametrize("n_folds", [4, 10, 50])
def test_no_trial_is_mapped_by_what_was_trained_on_one_of_its_speakers(n_folds):
    scores, truth, model, test = speakers_and_scores()
    before, _ = cross_calibrate(scores, truth, (model, test), fit_logistic, n_folds)
    for speaker in (0, 7):
        mine = (model == speaker) | (test == speaker)
        spoilt = np.where(mine, 100 * np.random.default_rng(1).normal(size=len(scores)), scores)
        after, _ = cross_calibrate(spoilt, truth, (model, test), fit_logistic, n_folds)
        # Three trials of one model and one test go through one map: its slope is as it was, for all that are his.
        takes = mine.reshape(-1, 3)[:, 0]
        slopes = [np.diff(y.reshape(-1, 3)) / np.diff(x.reshape(-1, 3)) for x, y in ((scores, before), (spoilt, after))]
        np.testing.assert_allclose(slopes[1][takes], slopes[0][takes], rtol=1e-6)
        assert not np.allclose(slopes[1][~takes], slopes[0][~takes])


def test_cross_calibration_by_folds_comes_near_the_map_of_all_trials():
    scores, truth, model, test = speakers_and_scores(30)
    llrs, maps = cross_calibrate(scores, truth, (model, test), fit_logistic, 10)
    assert len(maps) == 55
    assert np.abs(llrs - fit_logistic(scores, truth).apply(scores)).mean() < 0.2
    trials = rank_trials(llrs, truth)
    assert cllr_min(trials) < cllr(trials) < cllr_min(trials) + 0.05


def one_speaker_makes_all_errors(n_speakers=8):
    """Scores that are separated as soon as the trials of speaker 0 are left out, so that maps of folds differ."""
    rng = np.random.default_rng(5)
    model, test, _ = (side.ravel() for side in np.mgrid[:n_speakers, :n_speakers, :3])
    truth = model == test
    scores = rng.normal(np.where(truth, 2.0, -2.0), 0.8) - 3.0 * ((model == 0) & truth)
    return scores, truth, model, test


def scored_trials(scores, truth, model, test, **more):
    """Trials of a run, each test with its own name."""
    names = tuple(f"v{number}" for number in range(model.max() + 1))
    each = np.arange(len(test))
    tests = Side(tuple(f"t{n}" for n in each), tuple(names[n] for n in test), ("",) * len(test))
    return ScoredTrials(
        Side(names, names, ("",) * len(names)), tests, np.full(len(test), 9), model, each, scores, None, truth, **more
    )


@pytest.mark.parametrize("trials", [speakers_and_scores, one_speaker_makes_all_errors])
@pytest.mark.parametrize("spec", [CalibrationSpec(method="logistic"), CalibrationSpec(method="pav")])
def test_what_tells_trials_apart_is_measured_on_the_scores_where_the_map_takes_the_score_alone(trials, spec):
    scored = scored_trials(*trials())
    llrs, maps, _ = by_folds(scored, spec, 0)
    if spec.method == "logistic" and trials is one_speaker_makes_all_errors:
        assert {found.separated for found in maps} == {True, False}
    assert eer(rank_trials(llrs, scored.is_target)) > eer(rank_trials(scored.scores, scored.is_target)), "maps reorder"
    calibrated = replace(scored, llrs=llrs)
    of_ratios = evaluate_trials(calibrated, DecisionSpec()).metrics
    assert of_ratios == evaluate_trials(scored, DecisionSpec()).metrics
    # What the ratios are worth is of the ratios; with more than the score, so is the rest.
    cost = calibrated_metrics(calibrated, DecisionSpec())["cllr"]["value"]
    assert cost == pytest.approx(cllr(rank_trials(llrs, scored.is_target)))
    with_more = evaluate_trials(replace(calibrated, llrs_rank=True), DecisionSpec()).metrics
    assert with_more["eer"]["value"] == pytest.approx(eer(rank_trials(llrs, scored.is_target)))


def test_all_maps_of_folds_are_smoothed_where_one_has_to_be():
    scores, truth, model, test = one_speaker_makes_all_errors()
    llrs, maps, final = cross_fit_logistic(scores, truth, (model, test), n_folds=8)
    apart, mixed = (cross_calibrate(scores, truth, (model, test), fit, 8)[1] for fit in (fit_logistic, smoothed))
    assert [found.separated for found in maps] == [found.separated for found in apart]
    np.testing.assert_allclose([one.weights for one in maps], [one.weights for one in mixed], rtol=1e-4)
    assert final.weights == pytest.approx(smoothed(scores, truth).weights, rel=1e-4)
    assert not final.separated
    # Where none is separated nothing is smoothed.
    scores, truth, model, test = speakers_and_scores()
    llrs, _, final = cross_fit_logistic(scores, truth, (model, test), n_folds=6)
    np.testing.assert_array_equal(llrs, cross_calibrate(scores, truth, (model, test), fit_logistic, 6)[0])
    assert final.weights == fit_logistic(scores, truth).weights


def smoothed(scores, truth):
    """The obvious way: the truth of N trials is smoothed to (N + 1/4) / (N + 1/2)."""
    scores = np.asarray(scores).ravel()
    counts = np.where(truth, truth.sum(), (~truth).sum())
    wanted = np.where(truth, counts + 0.25, 0.25) / (counts + 0.5)

    def cost(ab):
        llrs = ab[0] * scores + ab[1]
        return np.sum((wanted * np.logaddexp(0, -llrs) + (1 - wanted) * np.logaddexp(0, llrs)) / counts)

    found = minimize(cost, np.zeros(2), method="BFGS", options={"gtol": 1e-9})
    return Affine(found.x[:1], float(found.x[1]))


def test_the_order_and_the_names_of_trials_change_no_ratio():
    scores, truth, model, test = speakers_and_scores()
    before, _ = cross_calibrate(scores, truth, (model, test), fit_logistic, 6)
    shuffled = np.random.default_rng(3).permutation(len(scores))
    after, _ = cross_calibrate(
        scores[shuffled], truth[shuffled], (model[shuffled] + 40, test[shuffled] + 40), fit_logistic, 6
    )
    np.testing.assert_allclose(after, before[shuffled], atol=1e-9)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: fit_logistic([1.0, 2.0], [True, True]), DataError, "only target trials"),
        (lambda: fit_logistic([1.0, np.inf], [True, False]), DataError, r"trial 1 is \[inf\]"),
        (lambda: fit_pav([1.0, np.nan], [True, False]), DataError, "trial 1 is"),
        (lambda: fit_logistic([1.0, 2.0], [True, False], 50), DataError, "in percent"),
        (lambda: fit_pav(np.ones((4, 2)), [True, False, True, False]), ShapeError, "fuse them first"),
        (lambda: fit_logistic(np.ones((2, 2, 2)), [True, False]), ShapeError, "expected"),
        (lambda: Affine(np.ones(2), 0.0).apply([1.0]), ShapeError, "1 systems for a map of 2"),
        (
            lambda: cross_calibrate([1.0, 0.0, 0.0], [True, False, False], ([0, 0, 1], [0, 1, 0]), fit_logistic, 5),
            DataError,
            "2 speakers in 5 folds",
        ),
        (
            lambda: cross_calibrate(
                np.arange(5.0), np.arange(5) < 1, ([0, 1, 2, 3, 4], [0, 2, 3, 4, 0]), fit_logistic, 5
            ),
            DataError,
            "are left to train on",
        ),
    ],
)
def test_what_cannot_be_calibrated_is_refused_with_the_reason(call, error, message):
    with pytest.raises(error, match=message):
        call()


def two_conditions(seed=0, n=4000):
    """Scores whose ratio is 3 times the score, less 6 in quiet and less 1.5 in noise; truth; who is in noise; quality.

    In quiet -0.2 on average and in noise -0.1, the quality is measured with an error of 0.01.
    """
    rng = np.random.default_rng(seed)
    truth, noisy = rng.random(n) < 0.5, rng.random(n) < 0.5
    spread = np.where(noisy, 1.0, 2.0)  # ratios of variance 2 m and mean +-m are calibrated
    llrs = rng.normal(np.where(truth, 1, -1) * spread**2 / 2, spread)
    return (llrs + np.where(noisy, 1.5, 6.0)) / 3, truth, noisy, rng.normal(np.where(noisy, -0.1, -0.2), 0.01)


def test_by_the_quality_of_a_test_one_map_serves_two_conditions_that_one_score_alone_cannot():
    scores, truth, noisy, quality = two_conditions()
    lost = {}
    for name in ("none", "cohort"):
        inputs = map_inputs(scores, quality, name)
        llrs = fit_logistic(inputs, truth).apply(inputs)
        parts = [rank_trials(llrs[kind], truth[kind]) for kind in (noisy, ~noisy)]
        lost[name] = max(cllr(trials) - cllr_min(trials) for trials in parts)
    assert lost["cohort"] < 0.03 < 0.2 < lost["none"]


def test_a_quality_that_is_the_same_for_all_tests_and_its_unit_change_no_ratio():
    scores, truth, _, quality = two_conditions()
    alone = fit_logistic(scores, truth).apply(scores)
    constant = map_inputs(scores, np.full(len(scores), -0.3), "cohort")
    np.testing.assert_allclose(fit_logistic(constant, truth).apply(constant), alone, atol=1e-9)
    before, after = (map_inputs(scores, measured, "cohort") for measured in (quality, 1000 * quality + 7))
    np.testing.assert_allclose(
        fit_logistic(after, truth).apply(after), fit_logistic(before, truth).apply(before), atol=1e-6
    )


def test_a_map_that_goes_by_the_cohort_says_so_where_there_is_none():
    with pytest.raises(ShapeError, match=r"cohort means None for scores \(2,\).*normalised by a cohort"):
        map_inputs([1.0, 2.0], None, "cohort")
    with pytest.raises(ShapeError, match=r"cohort means \(1,\) for scores \(2,\)"):
        map_inputs([1.0, 2.0], [0.5], "cohort")
    assert map_inputs([1.0, 2.0], None, "none").tolist() == [1.0, 2.0]


def test_pav_maps_scores_beyond_its_blocks_to_theirs():
    assert Pav(np.array([0.0]), np.array([1.5])).apply([-3.0, 9.0]).tolist() == [1.5, 1.5]


def test_words_for_ratios_change_at_the_scales_steps_and_mirror_for_the_alternative():
    assert in_words(np.log(1.99)) == in_words(-np.log(1.99)) == "no support either way"
    for ratio, words in ((2, "weak"), (10, "moderate"), (100, "moderately strong"), (1e3, "strong"), (1e6, "extrem")):
        assert in_words(np.log(ratio)).startswith(words)
        assert in_words(-np.log(ratio)) == f"{in_words(np.log(ratio))} for the alternative"
        assert in_words(np.log(ratio)) != in_words(np.log(0.999 * ratio))
    assert in_words(np.log(1e4)) == in_words(np.log(9.9e5)) == "very strong support"
    with pytest.raises(DataError, match="NaN"):
        in_words(float("nan"))
