"""Laws and oracles of the metrics of classification, and of the Wilson interval."""

import numpy as np
import pytest
import scipy.stats
from sklearn.metrics import balanced_accuracy_score, top_k_accuracy_score
from sklearn.metrics import confusion_matrix as sklearn_confusion

from speechgmm.errors import DataError, ShapeError
from speechgmm.evaluation import (
    accuracy,
    balanced_accuracy,
    count_decisions,
    per_class,
    precisions,
    recalls,
    top_n_accuracy,
    top_n_right,
    wilson_interval,
)

C = 7


@pytest.fixture
def items():
    """Scores (N, C) with ties, true classes (N,) and whole weights (N,), some 0."""
    rng = np.random.default_rng(0)
    scores = np.round(rng.normal(size=(200, C)), 1)
    true = rng.integers(C, size=200)
    scores[np.arange(200), true] += 0.7
    return scores, true, rng.integers(4, size=200)


def test_weights_equal_repetition(items):
    scores, true, weights = items
    predicted = scores.argmax(axis=1)
    again = np.repeat(np.arange(len(true)), weights)
    np.testing.assert_array_equal(
        count_decisions(true, predicted, C, weights), count_decisions(true[again], predicted[again], C)
    )
    assert top_n_accuracy(scores, true, 3, weights) == top_n_accuracy(scores[again], true[again], 3)


def test_decisions_are_counted_as_scikit_learn_does(items):
    scores, true, weights = items
    counts = count_decisions(true, scores.argmax(axis=1), C, weights)
    np.testing.assert_array_equal(counts, sklearn_confusion(true, scores.argmax(axis=1), sample_weight=weights))
    assert balanced_accuracy(counts) == pytest.approx(
        balanced_accuracy_score(true, scores.argmax(axis=1), sample_weight=weights), abs=1e-14
    )


def test_top_n_is_scikit_learns_where_no_scores_are_equal(items):
    _, true, _ = items
    scores = np.random.default_rng(1).normal(size=(200, C))
    for n in range(1, C):
        assert top_n_accuracy(scores, true, n) == pytest.approx(top_k_accuracy_score(true, scores, k=n), abs=1e-14)


def test_top_1_is_the_accuracy_of_the_decisions_and_top_c_is_1(items):
    scores, true, _ = items
    np.testing.assert_array_equal(top_n_right(scores, true, 1), scores.argmax(axis=1) == true)
    shares = [top_n_accuracy(scores, true, n) for n in range(1, C + 1)]
    assert shares[0] == accuracy(count_decisions(true, scores.argmax(axis=1), C))
    assert shares == sorted(shares)
    assert shares[-1] == 1


def test_constant_scores_are_right_as_often_as_n_of_c_classes_allow():
    true = np.repeat(np.arange(C), 5)
    for n in range(1, C + 1):
        assert top_n_accuracy(np.zeros((len(true), C)), true, n) == pytest.approx(n / C)


def test_recall_of_a_class_is_precision_when_truth_and_decision_change_places(items):
    scores, true, weights = items
    counts = count_decisions(true, scores.argmax(axis=1), C, weights / 8)
    np.testing.assert_array_equal(recalls(counts), precisions(counts.T))


def test_classes_without_items_or_decisions_have_no_recall_or_precision():
    table = per_class(np.array([[2, 1, 0], [0, 0, 0], [1, 0, 0]]))
    np.testing.assert_array_equal(table.recall, [2 / 3, np.nan, 0])
    np.testing.assert_array_equal(table.precision, [2 / 3, 0, np.nan])
    np.testing.assert_array_equal(table.right, [2, 0, 0])


def test_small_weights_leave_shares_as_they_are(items):
    scores, true, weights = items
    counts = count_decisions(true, scores.argmax(axis=1), C, weights)
    np.testing.assert_allclose(recalls(counts / 1000), recalls(counts), rtol=1e-12)
    assert accuracy(counts / 1000) == pytest.approx(accuracy(counts))


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: top_n_right(np.zeros((2, 3)), [0, 1], 4), ShapeError, "top 4 of 3 classes"),
        (lambda: top_n_right(np.zeros((2, 3)), [0, 3], 1), ShapeError, "from 0 to 3; expected 0 to 2"),
        (lambda: top_n_right(np.zeros((2, 3)), ["a", "b"], 1), ShapeError, "are they labels"),
        (lambda: top_n_right(np.zeros((2, 3)), [0], 1), ShapeError, "2 rows of scores and 1 true"),
        (lambda: top_n_right(np.zeros(3), [0], 1), ShapeError, "one column per class"),
        (lambda: top_n_right([[0.0, np.nan]], [0], 1), DataError, "item 0 have a NaN"),
        (lambda: top_n_accuracy(np.zeros((0, 3)), [], 1), DataError, "no item was tested"),
        (lambda: count_decisions([0, 1], [0], 2), ShapeError, "2 true classes and 1 decisions"),
        (lambda: count_decisions([0], [0], 2, [-1.0]), DataError, "negative"),
        (lambda: count_decisions([0], [0], 2, [1.0, 1.0]), ShapeError, "for 1 items"),
    ],
)
def test_bad_input_is_refused_with_the_reason(call, error, message):
    with pytest.raises(error, match=message):
        call()


@pytest.mark.parametrize("n", [10, 50, 300])
def test_wilson_covers_its_level_on_the_average_over_proportions(n):
    # Exact coverage: a sum over all outcomes (Agresti & Coull 1998 find .95 on the average and dips near the ends).
    bounds = np.array([wilson_interval(k, n) for k in range(n + 1)])
    p = np.linspace(0.02, 0.98, 97)[:, None]
    holds = (bounds[:, 0] <= p) & (p <= bounds[:, 1])
    coverage = (holds * scipy.stats.binom.pmf(np.arange(n + 1), n, p)).sum(axis=1)
    assert 0.94 < coverage.mean() < 0.965
    assert coverage.min() > 0.83


def test_wilson_is_scipys():
    for k, n in ((0, 9), (4, 9), (299, 300)):
        theirs = scipy.stats.binomtest(k, n).proportion_ci(0.9, method="wilson")
        assert wilson_interval(k, n, 0.9) == pytest.approx((theirs.low, theirs.high), abs=1e-12)
