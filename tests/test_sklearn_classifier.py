"""Laws of the estimator GMMClassifier: rows, groups of rows and lists of arrays."""

from typing import Any

import joblib
import numpy as np
import pandas
import pytest
import sklearn
from numpy.typing import NDArray
from scipy.special import logsumexp
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV, GroupKFold, cross_val_score
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KernelDensity

from speechgmm.gmm.frames import CHUNK
from speechgmm.sklearn import BayesianGaussianMixture, GaussianMixture, GMMClassifier, MAPAdaptedGMM

Floats = NDArray[np.float64]


def speech_like(n_sequences: int = 12, seed: int = 0) -> tuple[list[Floats], NDArray[np.str_]]:
    """Sequences of different length, of three classes that differ little from row to row."""
    rng = np.random.default_rng(seed)
    names = np.array(["low", "mid", "high"])[np.arange(n_sequences) % 3]
    means = {"low": 0.0, "mid": 0.6, "high": 1.2}
    rows = [rng.normal(means[name], 1, size=(int(rng.integers(30, 60)), 2)) for name in names]
    return rows, names


def flat(sequences: list[Floats], labels: NDArray[Any]) -> tuple[Floats, NDArray[Any], NDArray[np.intp]]:
    """The same as rows, with labels and groups of rows."""
    lengths = [len(one) for one in sequences]
    return np.concatenate(sequences), np.repeat(labels, lengths), np.repeat(np.arange(len(lengths)), lengths)


def test_one_gaussian_a_class_is_naive_bayes() -> None:
    rows, labels, _ = flat(*speech_like())
    ours, theirs = GMMClassifier().fit(rows, labels), GaussianNB(var_smoothing=0).fit(rows, labels)
    np.testing.assert_allclose(ours.predict_log_proba(rows), theirs.predict_log_proba(rows), atol=1e-8)
    np.testing.assert_allclose(ours.class_prior_, theirs.class_prior_)
    np.testing.assert_array_equal(ours.predict(rows), theirs.predict(rows))
    np.testing.assert_array_equal(ours.classes_, ["high", "low", "mid"])
    assert ours.score(rows, labels) == theirs.score(rows, labels)


def test_the_score_of_a_sequence_is_the_sum_over_its_rows_and_the_log_prior() -> None:
    sequences, labels = speech_like()
    model = GMMClassifier(GaussianMixture(2, random_state=0, max_iter=1000)).fit(sequences, labels)
    expected = [[mixture.score_samples(one).sum() for mixture in model.mixtures_] for one in sequences]
    np.testing.assert_allclose(model.joint_log_likelihoods(sequences), expected + np.log(model.class_prior_), rtol=1e-9)
    joint = model.joint_log_likelihoods(sequences)
    np.testing.assert_allclose(model.predict_log_proba(sequences), joint - logsumexp(joint, axis=1)[:, None], atol=1e-9)
    np.testing.assert_allclose(model.predict_proba(sequences).sum(axis=1), 1, rtol=1e-12)
    np.testing.assert_array_equal(model.predict(sequences), model.classes_[joint.argmax(axis=1)])
    np.testing.assert_array_equal(model.decision_function(sequences), joint)


def test_groups_of_rows_and_a_list_of_arrays_are_two_ways_to_say_the_same() -> None:
    sequences, labels = speech_like()
    rows, of_rows, groups = flat(sequences, labels)
    listed = GMMClassifier(GaussianMixture(2, random_state=0, max_iter=1000)).fit(sequences, labels)
    grouped = GMMClassifier(GaussianMixture(2, random_state=0, max_iter=1000)).fit(rows, of_rows, groups=groups)
    np.testing.assert_array_equal(listed.class_prior_, grouped.class_prior_)
    np.testing.assert_allclose(listed.class_prior_, 1 / 3)
    np.testing.assert_allclose(grouped.predict_proba(rows, groups=groups), listed.predict_proba(sequences))
    assert grouped.score(rows, of_rows, groups=groups) == listed.score(sequences, labels)
    mixed = np.random.default_rng(0).permutation(len(rows))  # the rows of a group need not follow each other
    found = grouped.predict_proba(rows[mixed], groups=groups[mixed])
    np.testing.assert_allclose(found, listed.predict_proba(sequences), rtol=1e-6)
    array = np.empty(len(sequences), dtype=object)
    array[:] = sequences
    np.testing.assert_array_equal(listed.predict(array), listed.predict(sequences))


def test_a_sequence_may_be_longer_than_what_is_scored_at_once() -> None:
    rng = np.random.default_rng(0)
    sequences = [rng.normal(size=(n, 1)) for n in (10, 2 * CHUNK + 5, 20)]
    model = GMMClassifier().fit(rng.normal(size=(40, 1)) + np.repeat([[0.0], [0.1]], 20, axis=0), np.repeat([0, 1], 20))
    expected = [[mixture.score_samples(one).sum() for mixture in model.mixtures_] for one in sequences]
    np.testing.assert_allclose(model.joint_log_likelihoods(sequences), expected + np.log(0.5), rtol=1e-9)
    assert model.joint_log_likelihoods(sequences[1]).shape == (2 * CHUNK + 5, 2)


def test_more_rows_tell_classes_apart_that_one_row_does_not() -> None:
    sequences, labels = speech_like(60)
    rows, of_rows, groups = flat(*speech_like(30, seed=1))
    model = GMMClassifier().fit(rows, of_rows)
    per_row = model.score(*flat(sequences, labels)[:2])
    assert model.score(sequences, labels) > 0.95 > 0.7 > per_row
    assert groups.max() == 29


def test_groups_come_in_sorted_order() -> None:
    rows = np.array([[0.0], [9.0], [0.1], [9.1]] * 5)
    labels = np.array([0, 1, 0, 1] * 5)
    names = np.array(["b", "a", "b", "a"] * 5)
    np.testing.assert_array_equal(GMMClassifier().fit(rows, labels).predict(rows, groups=names), [1, 0])


def test_priors_decide_where_rows_do_not() -> None:
    rng = np.random.default_rng(0)
    rows, labels = rng.normal(size=(200, 1)), np.repeat([0, 1], 100)
    likely = GMMClassifier(priors=[0.01, 0.99]).fit(rows, labels)
    assert (likely.predict(rows) == 1).mean() > 0.95
    counted = GMMClassifier().fit(rows[:150], labels[:150])
    np.testing.assert_allclose(counted.class_prior_, [2 / 3, 1 / 3])
    weighted = GMMClassifier().fit(rows, labels, sample_weight=np.repeat([3.0, 1.0], 100))
    np.testing.assert_allclose(weighted.class_prior_, [0.75, 0.25])


def test_a_class_without_weight_is_none() -> None:
    rows, labels = np.arange(20.0)[:, None], np.repeat(["a", "b"], 10)
    model = GMMClassifier().fit(rows, labels, sample_weight=np.repeat([0.0, 1.0], 10))
    np.testing.assert_array_equal(model.classes_, ["b"])
    assert set(model.predict(rows)) == {"b"}


def test_temperature_softens_posteriors_and_with_equal_priors_changes_no_decision() -> None:
    sequences, labels = speech_like()
    sharp, soft = (GMMClassifier(temperature=t).fit(sequences, labels) for t in (1.0, 0.1))
    np.testing.assert_array_equal(sharp.predict(sequences), soft.predict(sequences))
    assert soft.predict_proba(sequences).max(axis=1).mean() < sharp.predict_proba(sequences).max(axis=1).mean()


def test_temperature_is_a_factor_on_the_likelihood_and_not_on_the_prior() -> None:
    rows, labels = np.arange(8.0).reshape(4, 2), [0, 0, 1, 1]
    model = GMMClassifier(priors=[0.9, 0.1], temperature=0.25).fit(rows, labels)
    expected = 0.25 * np.stack([one.score_samples(rows) for one in model.mixtures_], axis=1) + np.log([0.9, 0.1])
    np.testing.assert_allclose(model.joint_log_likelihoods(rows), expected)


def test_of_two_classes_the_decision_function_is_the_difference() -> None:
    rows, labels = np.r_[np.zeros(10), np.ones(10)][:, None] + 0.1 * np.arange(20)[:, None], np.repeat(["n", "y"], 10)
    model = GMMClassifier().fit(rows, labels)
    joint = model.joint_log_likelihoods(rows)
    np.testing.assert_allclose(model.decision_function(rows), joint[:, 1] - joint[:, 0])
    np.testing.assert_array_equal(model.predict(rows) == "y", model.decision_function(rows) > 0)


@pytest.mark.parametrize(
    "estimator",
    [
        GaussianMixture(2, random_state=0, max_iter=1000),
        BayesianGaussianMixture(3, random_state=0, max_iter=3000),
        MAPAdaptedGMM(4, random_state=0, relevance=4),
        KernelDensity(bandwidth=0.5),
    ],
)
def test_a_class_can_have_any_kind_of_mixture(estimator: Any) -> None:
    sequences, labels = speech_like(30)
    model = GMMClassifier(estimator).fit(sequences[:15], labels[:15])
    assert model.score(sequences[15:], labels[15:]) > 0.8
    scores = [mixture.score_samples(sequences[20]).sum() for mixture in model.mixtures_]
    found = model.joint_log_likelihoods(sequences[20:21])[0]
    np.testing.assert_allclose(found, scores + np.log(model.class_prior_), rtol=1e-9)


def test_classes_that_are_adapted_share_one_background_model_of_all_rows() -> None:
    sequences, labels = speech_like()
    model = GMMClassifier(MAPAdaptedGMM(3, random_state=0)).fit(sequences, labels)
    whole = GaussianMixture(3, random_state=0).fit(np.concatenate(sequences))
    for mixture in model.mixtures_:
        np.testing.assert_array_equal(mixture.background_.means, whole.means_)


def test_a_random_state_is_that_of_all_that_the_mixtures_draw() -> None:
    sequences, labels = speech_like()
    for template in (GaussianMixture(3, max_iter=1000), MAPAdaptedGMM(3)):
        one, two, other = (GMMClassifier(template, random_state=seed).fit(sequences, labels) for seed in (1, 1, 2))
        np.testing.assert_array_equal(one.mixtures_[0].means_, two.mixtures_[0].means_)
        assert (one.mixtures_[0].means_ != other.mixtures_[0].means_).any()
        assert template.random_state is None  # what was given stays


def test_cross_validation_keeps_sequences_whole_and_searches_the_mixtures_parameters() -> None:
    sequences, labels = speech_like(24)
    speakers = np.arange(24) // 3
    model = GMMClassifier(GaussianMixture(random_state=0, max_iter=1000))
    scores = cross_val_score(model, sequences, labels, groups=speakers, cv=GroupKFold(4))
    assert scores.mean() > 0.8
    search = GridSearchCV(model, {"estimator__n_components": [1, 3]}, cv=GroupKFold(4))
    search.fit(sequences, labels, groups=speakers)
    assert search.best_params_["estimator__n_components"] in (1, 3)
    assert search.best_score_ == pytest.approx(scores.mean(), abs=0.2)


def test_groups_of_rows_are_routed_through_cross_validation() -> None:
    rows, labels, groups = flat(*speech_like(24))
    with sklearn.config_context(enable_metadata_routing=True):
        model = GMMClassifier().set_fit_request(groups=True).set_score_request(groups=True)
        scores = cross_val_score(model, rows, labels, params={"groups": groups}, cv=GroupKFold(4))
    per_row = cross_val_score(GMMClassifier(), rows, labels, groups=groups, cv=GroupKFold(4))
    assert scores.mean() > per_row.mean() + 0.15


def test_classes_that_are_fitted_side_by_side_are_the_same() -> None:
    sequences, labels = speech_like()
    template = GaussianMixture(2, random_state=0, max_iter=1000)
    with joblib.parallel_config(backend="threading"):  # processes are in tests/test_sklearn_tools.py
        one, two = (GMMClassifier(template, n_jobs=n).fit(sequences, labels) for n in (None, 2))
    np.testing.assert_array_equal(one.joint_log_likelihoods(sequences), two.joint_log_likelihoods(sequences))


def test_a_table_keeps_its_names() -> None:
    frame = pandas.DataFrame({"f1": [0.0, 1, 9, 10], "f2": [0.0, 1, 1, 0]})
    model = GMMClassifier().fit(frame, ["a", "a", "b", "b"])
    assert model.feature_names_in_.tolist() == ["f1", "f2"]
    np.testing.assert_array_equal(model.predict(frame), ["a", "a", "b", "b"])


@pytest.mark.parametrize(
    ("X", "y", "options", "message"),
    [
        ([np.zeros((2, 2)), np.zeros((2, 3))], [0, 1], {}, "sequences of 2 and 3 columns"),
        ([np.zeros((2, 2)), np.zeros((0, 2))], [0, 1], {}, r"sequence 1 has shape \(0, 2\)"),
        ([np.zeros((2, 2)), np.zeros(2)], [0, 1], {}, r"sequence 1 has shape \(2,\)"),
        ([np.zeros((2, 2)), np.ones((2, 2))], [0], {}, r"y has shape \(1,\); expected \(2,\), one for each array"),
        ([np.zeros((2, 2))], [0], {"groups": [0]}, "groups beside a list of arrays"),
        (np.arange(8.0).reshape(4, 2), [0, 1, 1, 1], {"groups": [0, 0, 1, 1]}, "row 1 has label 1, and the first row"),
        (np.arange(8.0).reshape(4, 2), [0, 0, 1, 1], {"groups": [0, 0]}, r"groups has shape \(2,\)"),
        (np.arange(8.0).reshape(4, 2), None, {}, "requires y to be passed"),
        (np.arange(8.0).reshape(4, 2), [0, 0, 1], {}, "inconsistent numbers of samples"),
        (np.arange(8.0).reshape(4, 2), [0, 0, 0, 1], {}, "class 1: .*minimum of 2"),
        (np.zeros((2, 2, 2)), [0, 1], {}, "dim 3"),
    ],
)
def test_what_cannot_be_used_is_refused(X: Any, y: Any, options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        GMMClassifier().fit(X, y, **options)


def test_rows_too_far_out_for_every_class_are_refused_and_not_given_to_the_first() -> None:
    rows, labels = np.arange(8.0).reshape(4, 2), [0, 0, 1, 1]
    model = GMMClassifier().fit(rows, labels)
    with pytest.raises(ValueError, match="row 1 has no finite log-likelihood under any class"):
        model.predict([[0.0, 1.0], [1e200, 1.0]])
    with pytest.raises(ValueError, match="sequence 0 has no finite log-likelihood"):
        model.predict_proba([np.full((3, 2), 1e200)])


def test_parameters_out_of_range_and_no_fit_are_refused() -> None:
    rows, labels = np.arange(8.0).reshape(4, 2), [0, 0, 1, 1]
    with pytest.raises(ValueError, match="temperature is 0; expected a number above 0"):
        GMMClassifier(temperature=0).fit(rows, labels)
    for priors in ([0.5], [0.6, 0.6], [1.5, -0.5]):
        with pytest.raises(ValueError, match="expected 2 numbers, 0 or more, with sum 1"):
            GMMClassifier(priors=priors).fit(rows, labels)
    with pytest.raises(ValueError, match=r"class 0: 2 rows for n_components = 3"):
        GMMClassifier(GaussianMixture(3)).fit(rows, labels)
    for estimator in (5, GaussianMixture):
        with pytest.raises(
            ValueError, match=r"estimator is .*; expected a mixture, or an estimator with score_samples"
        ):
            GMMClassifier(estimator).fit(rows, labels)
    with pytest.raises(NotFittedError):
        GMMClassifier().predict(rows)
