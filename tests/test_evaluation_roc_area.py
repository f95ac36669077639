"""Areas under the ROC against scikit-learn's, and their laws."""

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from speechgmm.errors import DataError
from speechgmm.evaluation import auc, interval, pauc, pool_trials, rank_trials


def drawn(seed: int, n: int = 60, rounded: int | None = None) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Scores (with ties where they are rounded), truth and whole weights."""
    rng = np.random.default_rng(seed)
    truth = rng.random(n) < 0.4
    scores = rng.standard_normal(n) + truth
    weights = rng.integers(0, 4, n).astype(float)
    return (scores if rounded is None else np.round(scores, rounded)), truth, weights


@pytest.mark.parametrize("rounded", [None, 1, 0])
@pytest.mark.parametrize("seed", range(4))
def test_areas_are_those_of_scikit_learn(seed: int, rounded: int | None) -> None:
    scores, truth, weights = drawn(seed, rounded=rounded)
    trials = rank_trials(scores, truth)
    for given in (None, weights):
        assert auc(trials, given) == pytest.approx(roc_auc_score(truth, scores, sample_weight=given), abs=1e-12)
        for limit in (0.05, 0.1, 0.37, 0.9):
            expected = roc_auc_score(truth, scores, max_fpr=limit, sample_weight=given)
            assert pauc(trials, given, max_false_alarm=limit) == pytest.approx(expected, abs=1e-12)
    assert pauc(trials, max_false_alarm=1.0) == pytest.approx(auc(trials), abs=1e-12)


def test_auc_is_the_share_of_pairs_in_order_ties_half() -> None:
    scores, truth, _ = drawn(7, rounded=1)
    above = scores[truth][:, None] - scores[~truth][None]
    assert auc(rank_trials(scores, truth)) == pytest.approx(((above > 0) + 0.5 * (above == 0)).mean())


def test_a_weight_counts_a_trial_as_so_many() -> None:
    scores, truth, weights = drawn(3, rounded=1)
    times = weights.astype(int)
    repeated = rank_trials(scores.repeat(times), truth.repeat(times))
    trials = rank_trials(scores, truth)
    assert auc(trials, weights) == pytest.approx(auc(repeated))
    assert pauc(trials, weights) == pytest.approx(pauc(repeated))


def test_areas_are_those_of_any_increasing_map_and_turn_round_with_the_sign() -> None:
    scores, truth, _ = drawn(5)
    assert auc(rank_trials(np.exp(scores), truth)) == auc(rank_trials(scores, truth))
    assert auc(rank_trials(-scores, truth)) == pytest.approx(1 - auc(rank_trials(scores, truth)))
    assert pauc(pool_trials([2.0, 3.0], [0.0, 1.0])) == 1
    assert pauc(pool_trials([1.0] * 5, [1.0] * 5)) == pytest.approx(0.5)


def test_areas_have_intervals_that_hold_them() -> None:
    scores, truth, _ = drawn(2, 200)
    trials, groups = rank_trials(scores, truth), np.arange(200) // 4
    for figure in (auc, pauc):
        found = interval(lambda w, figure=figure: figure(trials, w), groups, n_resamples=200)
        assert found.low < figure(trials) < found.high


@pytest.mark.parametrize("limit", [0.0, -0.1, 10.0, float("nan")])
def test_a_limit_that_is_no_rate_is_refused(limit: float) -> None:
    with pytest.raises(DataError, match="max_false_alarm"):
        pauc(pool_trials([1.0], [0.0]), max_false_alarm=limit)
