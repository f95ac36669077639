"""Figures of clusters: scikit-learn's are the oracle."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from speechgmm import evaluation
from speechgmm.errors import DataError, ShapeError
from speechgmm.evaluation import WeightedClusters, cluster_figures, silhouettes

labellings = st.integers(1, 40).flatmap(
    lambda n: st.tuples(*(st.lists(st.integers(0, 6), min_size=n, max_size=n) for _ in range(2)))
)


@given(labellings)
@settings(max_examples=60, deadline=None)
def test_nmi_and_ari_are_scikit_learns(pair):
    from sklearn.metrics import adjusted_rand_score, normalized_mutual_info_score

    found, true = pair
    figures = cluster_figures(found, true)
    assert figures.ari == pytest.approx(adjusted_rand_score(true, found), abs=1e-12)
    # Of two constant labellings its entropies are 0 and so is ours: both say 1.
    assert figures.nmi == pytest.approx(normalized_mutual_info_score(true, found), abs=1e-9)


@given(labellings)
@settings(max_examples=30, deadline=None)
def test_purity_is_the_coverage_of_the_classes_and_names_do_not_matter(pair):
    found, true = pair
    one, other = cluster_figures(found, true), cluster_figures(true, found)
    assert (one.purity, one.coverage) == (other.coverage, other.purity)
    assert (one.nmi, one.ari) == pytest.approx((other.nmi, other.ari))
    assert cluster_figures([f"speaker {6 - label}" for label in found], true) == one


@given(labellings)
@settings(max_examples=20, deadline=None)
def test_the_former_functions_of_tables_of_counts_give_the_same_and_name_what_replaces_them(pair):
    from sklearn.metrics.cluster import contingency_matrix

    found, true = pair
    figures = cluster_figures(found, true)
    with pytest.warns(DeprecationWarning, match="contingency_matrix"):
        table = evaluation.contingency(found, true)
    order = [list(dict.fromkeys(labels)) for labels in pair]
    ranks = [[sorted(names).index(name) for name in names] for names in order]
    np.testing.assert_array_equal(table, contingency_matrix(found, true)[np.ix_(*ranks)])
    with pytest.warns(DeprecationWarning, match=r"WeightedClusters\.nmi"):
        assert evaluation.normalised_information(table) == pytest.approx(figures.nmi)
    with pytest.warns(DeprecationWarning, match=r"WeightedClusters\.ari"):
        assert evaluation.adjusted_rand_index(table) == pytest.approx(figures.ari)


def test_every_piece_alone_has_a_high_nmi_and_no_ari():
    true = np.repeat(np.arange(10), 3).tolist()
    alone = cluster_figures(range(30), true)
    assert (alone.purity, alone.ari) == (1.0, pytest.approx(0.0))
    assert alone.nmi == alone.nmi_alone == pytest.approx(0.81, abs=0.01)
    assert cluster_figures(true, true).nmi_alone == alone.nmi


@pytest.mark.parametrize("seed", range(4))
def test_silhouettes_are_scikit_learns(seed):
    from sklearn.metrics import silhouette_samples

    rng = np.random.default_rng(seed)
    points, labels = rng.normal(size=(25, 3)), rng.integers(0, 9, 25)
    distances = np.linalg.norm(points[:, None] - points, axis=2)
    expected = silhouette_samples(distances, labels, metric="precomputed")
    np.testing.assert_allclose(silhouettes(distances, labels), expected, atol=1e-12)


def test_silhouettes_of_one_cluster_or_of_pieces_all_alike_are_zero():
    assert silhouettes(np.zeros((3, 3)), [0, 0, 0]).tolist() == [0, 0, 0]
    assert silhouettes(np.zeros((4, 4)), [0, 0, 1, 1]).tolist() == [0, 0, 0, 0]


def test_labels_that_do_not_fit_are_refused():
    with pytest.raises(ShapeError, match="2 clusters, 1 true"):
        cluster_figures([0, 1], [0])
    with pytest.raises(DataError, match="no pieces"):
        cluster_figures([], [])
    with pytest.raises(ShapeError, match="for 3 labels"):
        silhouettes(np.zeros((2, 2)), [0, 1, 1])


@given(labellings)
@settings(max_examples=60, deadline=None)
def test_weighted_figures_are_the_plain_ones_where_every_piece_counts_once(pair):
    found, true = pair
    plain, weighted, ones = cluster_figures(found, true), WeightedClusters(found, true), np.ones(len(found))
    for name in ("purity", "coverage", "nmi", "ari"):
        assert getattr(weighted, name)(ones) == pytest.approx(getattr(plain, name), abs=1e-9)


def test_pairs_of_weighted_pieces_are_those_of_copies_that_are_other_people():
    """A group drawn twice is two groups whose pieces are in each other's cells; a piece is in no pair with itself."""
    found, true, groups = [0, 0, 1, 1, 0], list("aabbb"), [0, 0, 1, 1, 2]
    times = np.array([2, 1, 3])
    pieces = [(n, copy) for n in range(5) for copy in range(times[groups[n]])]
    pairs = [
        (one, other)
        for number, (one, copy) in enumerate(pieces)
        for other, another in pieces[number + 1 :]
        if groups[one] != groups[other] or copy == another
    ]
    together = sum(found[a] == found[b] and true[a] == true[b] for a, b in pairs)
    alike, same = (sum(of[a] == of[b] for a, b in pairs) for of in (found, true))
    chance = alike * same / len(pairs)
    expected = (together - chance) / ((alike + same) / 2 - chance)
    weights = times[groups].astype(float)
    assert WeightedClusters(found, true, groups).ari(weights) == pytest.approx(expected)
    repeated = [n for n, _ in pieces]
    plain = cluster_figures([found[n] for n in repeated], [true[n] for n in repeated])
    weighted = WeightedClusters(found, true, groups)
    for name in ("purity", "coverage", "nmi"):
        assert getattr(weighted, name)(weights) == pytest.approx(getattr(plain, name))


def test_parts_are_compared_each_with_itself_alone():
    """The same names in two parts are other clusters, and chance is taken in each part."""
    found, true, parts = [0, 0, 1, 0, 1, 1], list("aabbab"), [0, 0, 0, 1, 1, 1]
    both = WeightedClusters(found, true, parts=parts)
    one, other = (cluster_figures([found[n] for n in own], [true[n] for n in own]) for own in ((0, 1, 2), (3, 4, 5)))
    assert one.ari == 1.0
    # Of the second part: no pair together in both, 1 in a cluster and 1 in a class of 3: chance 1/3.
    assert both.ari(np.ones(6)) == pytest.approx(((1 - 1 / 3) + (0 - 1 / 3)) / ((1 - 1 / 3) + (1 - 1 / 3)))
    assert both.purity(np.ones(6)) == pytest.approx((one.purity + other.purity) / 2)
    with pytest.raises(ShapeError, match="one of each for every piece"):
        WeightedClusters(found, true, parts=[0])
    with pytest.raises(DataError, match="no pieces"):
        WeightedClusters([], [])
