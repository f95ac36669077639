"""Pieces as supervectors, their distances, and merging: laws, and scipy and direct evaluation as oracles."""

import sys

import numpy as np
import pytest
import soundfile
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.stats import multivariate_normal

from speechgmm import clustering as cl
from speechgmm import vectors as vec
from speechgmm.errors import ConfigError, DataError, FitError, ShapeError
from speechgmm.evaluation import cluster_figures
from speechgmm.features import FeatureSpec, extract
from speechgmm.gmm import DiagGMM, adapt_map, fit_gmm, log_likelihoods
from speechgmm.tasks.clustering.plots import plot_clusters


@pytest.fixture(scope="module")
def ubm():
    rng = np.random.default_rng(0)
    return DiagGMM([0.2, 0.5, 0.3], 3 * rng.normal(size=(3, 4)), rng.uniform(0.5, 2, (3, 4)))


@pytest.fixture(scope="module")
def pieces():
    """Three sounds, three pieces each, of different lengths."""
    rng = np.random.default_rng(1)
    return [
        place + rng.normal(size=(80 + 7 * n, 4)) for n in range(3) for place in ((0, 0, 0, 0), (2, 0, 0, 1), (-2,) * 4)
    ]


def test_supervector_is_what_map_moves_the_means_by(ubm, pieces):
    found = vec.supervectors(ubm, vec.piece_statistics(ubm, pieces), relevance=4)
    for vector, frames in zip(found, pieces, strict=True):
        moved = adapt_map(ubm, frames, relevance=4).model.means - ubm.means
        expected = moved * np.sqrt(ubm.weights[:, None] / ubm.variances)
        np.testing.assert_allclose(vector, expected.ravel(), atol=1e-5)


def test_statistics_of_two_pieces_add_up_to_those_of_both_and_depend_on_no_other(ubm, pieces):
    a, b, both = vec.piece_statistics(ubm, [pieces[0], pieces[1], np.concatenate(pieces[:2])])
    np.testing.assert_allclose((a + b).sums, both.sums, rtol=1e-4, atol=1e-3)
    alone = vec.piece_statistics(ubm, [pieces[1]])[0]
    np.testing.assert_array_equal(alone.sums, b.sums)


def test_squared_distance_of_supervectors_is_twice_the_bound_on_the_divergence(ubm, pieces):
    stats = vec.piece_statistics(ubm, pieces[:2])
    one, other = vec.supervectors(ubm, stats)
    offsets = vec.mean_offsets(ubm, stats)
    divergences = 0.5 * ((offsets[0] - offsets[1]) ** 2 / ubm.variances).sum(axis=1)  # of Gaussians, nats
    assert ((one - other) ** 2).sum() / 2 == pytest.approx(ubm.weights @ divergences)


def test_cross_likelihood_ratio_bounds_the_direct_one_from_below_closely(ubm, pieces):
    stats = vec.piece_statistics(ubm, pieces)
    found = vec.cross_likelihood_ratios(ubm, stats)
    np.testing.assert_allclose(found, found.T)
    np.testing.assert_allclose(vec.cross_likelihood_ratios_of(ubm, stats[2], stats), found[2])
    models = [adapt_map(ubm, frames, relevance=vec.RELEVANCE).model for frames in pieces]
    gains = np.array(
        [
            [(log_likelihoods(m.log_linear(), x) - log_likelihoods(ubm.log_linear(), x)).mean() for m in models]
            for x in pieces
        ]
    )
    direct = gains + gains.T
    assert (found <= direct + 1e-5).all()
    same = np.arange(9)[:, None] % 3 == np.arange(9) % 3
    assert found[same].min() > found[~same].max()
    assert np.corrcoef(found.ravel(), direct.ravel())[0, 1] > 0.99


@pytest.mark.parametrize("smoothing", [0.05, 0.5])
def test_within_class_normalisation_is_the_inverse_root_of_the_smoothed_covariance_up_to_a_factor(smoothing):
    rng = np.random.default_rng(2)
    labels = np.repeat(np.arange(5), 4)
    points = rng.normal(size=(5, 6))[labels] + rng.normal(size=(20, 6)) * [3, 1, 1, 1, 0.1, 0.1]
    deviations = points - np.array([points[labels == label].mean(axis=0) for label in labels])
    within = deviations.T @ deviations / 20
    smoothed = (1 - smoothing) * within + smoothing * np.trace(within) / 6 * np.eye(6)
    found = vec.WithinClass.learn(points, labels.tolist(), smoothing).apply(points)
    centred = points - points.mean(axis=0)
    expected = centred @ np.linalg.inv(smoothed) @ centred.T
    np.testing.assert_allclose(found @ found.T, expected * (found[0] @ found[0]) / expected[0, 0], rtol=1e-9)


def test_within_class_normalisation_needs_speakers_with_several_pieces_and_smoothing_one_changes_no_angle():
    points = np.random.default_rng(3).normal(size=(6, 9))
    with pytest.raises(DataError, match="no speaker has two that differ"):
        vec.WithinClass.learn(points, list("abcdef"))
    with pytest.raises(ConfigError, match="smoothing 0"):
        vec.WithinClass.learn(points, list("aabbcc"), smoothing=0)
    with pytest.raises(ShapeError, match="6 points and 2 labels"):
        vec.WithinClass.learn(points, ["a", "b"])
    plain = vec.cosine_distances(points - points.mean(axis=0))
    same = vec.WithinClass.learn(points, list("aabbcc"), smoothing=1).apply(points)
    np.testing.assert_allclose(vec.cosine_distances(same), plain, atol=1e-12)
    with pytest.raises(ShapeError, match="is for 9"):
        vec.WithinClass.learn(points, list("aabbcc")).apply(np.zeros((1, 3)))


def test_pieces_that_fit_no_background_model_are_named(ubm):
    with pytest.raises(ShapeError, match=r"\(5, 3\).*expected \(T, 4\)"):
        vec.piece_statistics(ubm, [np.zeros((5, 3))])
    with pytest.raises(FitError, match="no frames"):
        vec.piece_statistics(ubm, [np.zeros((0, 4))])
    with pytest.raises(FitError, match="nan"):
        vec.piece_statistics(ubm, [np.full((2, 4), np.nan)])
    with pytest.raises(ShapeError, match="no pieces"):
        vec.supervectors(ubm, [])
    with pytest.raises(ConfigError, match="relevance 0"):
        vec.supervectors(ubm, vec.piece_statistics(ubm, [np.ones((2, 4))]), relevance=0)


def test_gaussian_statistics_add_and_delta_bic_is_the_likelihood_ratio_less_the_penalty():
    rng = np.random.default_rng(4)
    a, b = rng.normal(size=(60, 3)), 1 + 2 * rng.normal(size=(40, 3))
    one, other, both = (cl.GaussianStats.of(x) for x in (a, b, np.concatenate([a, b])))
    np.testing.assert_allclose((one + other).scatter, both.scatter)
    np.testing.assert_allclose((one + other).mean, both.mean)

    def best(x):
        return multivariate_normal(x.mean(axis=0), np.cov(x.T, bias=True)).logpdf(x).sum()

    ratio = best(a) + best(b) - best(np.concatenate([a, b]))
    expected = ratio - 0.5 * (3 + 6) * np.log(100)
    assert cl.delta_bic(one, [other], floor=np.zeros(3))[0] == pytest.approx(expected)


@pytest.mark.parametrize("method", ["average", "complete", "single", "weighted"])
@pytest.mark.parametrize("seed", range(3))
def test_link_cuts_as_scipy_does(method, seed):
    points = np.random.default_rng(seed).normal(size=(30, 2))
    distances = np.linalg.norm(points[:, None] - points, axis=2)
    tree = linkage(distances[np.triu_indices(30, 1)], method)
    threshold = float(np.median(tree[:, 2])) + 1e-9
    for found, expected in (
        (cl.link(distances, threshold=threshold, linkage=method), fcluster(tree, threshold, "distance")),
        (cl.link(distances, n_clusters=7, linkage=method), fcluster(tree, 7, "maxclust")),
    ):
        np.testing.assert_array_equal(found.labels, cl.in_order(expected))
        assert len(found.heights) == 30 - found.n_clusters


def test_a_number_asked_for_is_the_number_given_even_where_all_distances_are_alike():
    alike = np.ones((6, 6)) - np.eye(6)
    assert [cl.link(alike, n_clusters=n).n_clusters for n in range(1, 7)] == list(range(1, 7))
    assert cl.link(np.zeros((4, 4)), threshold=0.1).n_clusters == 1
    assert cl.link([[0.0]], threshold=1).labels.tolist() == [0]
    assert cl.link([[0.0]], n_clusters=1).labels.tolist() == [0]


class Point:
    """A mean that adds: with distances of means, merging is UPGMC."""

    def __init__(self, count, total):
        self.count, self.total = count, total

    def __add__(self, other):
        return Point(self.count + other.count, self.total + other.total)


def test_merge_with_distances_of_means_is_scipys_centroid_linkage():
    points = np.random.default_rng(5).normal(size=(20, 3))
    tree = linkage(points, "centroid")

    def distances(one, others):
        return [np.linalg.norm(one.total / one.count - other.total / other.count) for other in others]

    found = cl.merge([Point(1, point) for point in points], distances, n_clusters=1)
    np.testing.assert_allclose(found.heights, tree[:, 2])


def test_merge_stops_at_the_threshold_and_labels_follow_first_appearance():
    found = cl.merge([9.0, 1.0, 2.0, 9.5], lambda one, others: np.abs(one - np.array(others)), threshold=0.9)
    assert found.labels.tolist() == [0, 1, 2, 0]
    assert found.heights.tolist() == [0.5]


def test_merging_by_bic_and_by_ratios_finds_the_sounds(ubm, pieces):
    floor = np.full(4, 1e-3)
    by_bic = cl.merge(
        [cl.GaussianStats.of(x) for x in pieces], lambda a, b: cl.delta_bic(a, b, floor=floor), threshold=0
    )
    stats = vec.piece_statistics(ubm, pieces)
    by_ratio = cl.merge(stats, lambda a, b: -vec.cross_likelihood_ratios_of(ubm, a, b), n_clusters=3)
    by_cosine = cl.link(vec.cosine_distances(vec.supervectors(ubm, stats)), n_clusters=3)
    for found in (by_bic, by_ratio, by_cosine):
        assert found.labels.tolist() == [0, 1, 2] * 3


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        ({}, ConfigError, "give one of the two"),
        ({"threshold": 1.0, "n_clusters": 2}, ConfigError, "give one of the two"),
        ({"n_clusters": 0}, ConfigError, "0 clusters"),
        ({"n_clusters": 4}, DataError, "4 clusters of 3 pieces"),
        ({"threshold": np.nan}, ConfigError, "threshold nan"),
    ],
)
def test_where_merging_stops_is_said_once_and_can_be(arguments, error, words):
    with pytest.raises(error, match=words):
        cl.link(np.ones((3, 3)) - np.eye(3), **arguments)
    with pytest.raises(error, match=words):
        cl.merge([1.0, 2.0, 3.0], lambda a, b: np.abs(a - np.array(b)), **arguments)


def test_what_are_no_distances_is_refused():
    with pytest.raises(ShapeError, match="symmetric"):
        cl.link([[0, 1], [2, 0]], threshold=1)
    with pytest.raises(ShapeError, match=r"\(N, N\)"):
        cl.link([[0, 1]], threshold=1)
    with pytest.raises(DataError, match="similarities"):
        cl.link([[0, -1], [-1, 0]], threshold=1)
    with pytest.raises(DataError, match="no pieces"):
        cl.merge([], lambda a, b: [], threshold=1)
    with pytest.raises(DataError, match="NaN"):
        cl.merge([1.0, 2.0], lambda a, b: [np.nan], threshold=1)


def test_map_recovers_points_of_a_plane_and_its_stress_never_rises():
    points = np.random.default_rng(6).normal(size=(12, 2))
    distances = np.linalg.norm(points[:, None] - points, axis=2)
    found = cl.plane(distances)
    np.testing.assert_allclose(np.linalg.norm(found[:, None] - found, axis=2), distances, atol=1e-6)
    high = np.random.default_rng(7).normal(size=(15, 6))
    distances = np.linalg.norm(high[:, None] - high, axis=2)
    falls = [cl.stress(distances, cl.plane(distances, steps)) for steps in range(0, 40, 4)]
    assert np.diff(falls).max() <= 1e-12
    assert cl.plane(np.zeros((3, 3))).tolist() == [[0, 0]] * 3
    assert cl.plane([[0.0]]).shape == (1, 2)
    assert cl.plane([[0.0, 2.0], [2.0, 0.0]]).shape == (2, 2)


def block_distances(sizes, near=0.4, far=1.0, seed=0):
    labels = np.repeat(np.arange(len(sizes)), sizes)
    noise = np.random.default_rng(seed).uniform(-0.1, 0.1, (len(labels), len(labels)))
    table = np.where(labels[:, None] == labels, near, far) + (noise + noise.T) / 2
    np.fill_diagonal(table, 0)
    return table, labels


@pytest.mark.parametrize("sizes", [(3,), (1, 1), (4, 4, 4), (1, 5, 2, 3, 1), (2,) * 9, (1,) * 5])
def test_spectral_finds_the_number_and_the_groups_singletons_too(sizes):
    distances, true = block_distances(sizes)
    assert cl.number_by_eigengap(cl.affinities(distances, 0.7)) == len(sizes)
    np.testing.assert_array_equal(cl.spectral(distances, threshold=0.7).labels, true)


def test_spectral_gives_the_number_asked_for_and_refuses_what_cannot_be():
    distances, _ = block_distances((3, 3))
    for threshold in (0.7, None):
        assert [cl.spectral(distances, threshold=threshold, n_clusters=n).n_clusters for n in (1, 2, 6)] == [1, 2, 6]
    assert cl.spectral(distances, n_clusters=2).labels.tolist() == [0, 0, 0, 1, 1, 1]
    assert cl.spectral(np.zeros((3, 3)), n_clusters=1).n_clusters == 1
    with pytest.raises(ConfigError, match="give one of the two"):
        cl.spectral(distances)
    with pytest.raises(DataError, match="7 clusters of 6 pieces"):
        cl.spectral(distances, threshold=0.7, n_clusters=7)
    with pytest.raises(ConfigError, match="threshold 0"):
        cl.spectral(distances, threshold=0)


def test_spectral_without_scikit_learn_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn.cluster", None)
    with pytest.raises(ConfigError, match=r"pip install 'speechgmm\[clustering\]'"):
        cl.spectral(np.zeros((2, 2)), threshold=1)


@pytest.fixture(scope="module")
def voices():
    """Twelve pieces of three 'voices': each moves the same six sounds its own way; each piece has a channel."""
    rng = np.random.default_rng(8)
    sounds = 4 * rng.normal(size=(6, 5))
    own = 1.2 * rng.normal(size=(3, 6, 5))
    pieces = []
    for _ in range(4):
        for voice in range(3):
            spoken = rng.integers(0, 6, 300)
            pieces.append((sounds + own[voice])[spoken] + rng.normal(size=(300, 5)) + 2 * rng.normal(size=5))
    background = (sounds + 1.2 * rng.normal(size=(20, 6, 5))).reshape(-1, 5)[rng.integers(0, 120, 6000)]
    ubm = fit_gmm(background + rng.normal(size=(6000, 5)), 6).model
    return pieces, ubm


@pytest.mark.parametrize("method", cl.METHODS)
def test_every_method_finds_who_it_is_whatever_the_channel(voices, method):
    pieces, ubm = voices
    found = cl.cluster_pieces(pieces, ubm=ubm, method=method, n_clusters=3)
    assert found.labels.tolist() == [0, 1, 2] * 4
    assert (found.sureness > 0).all()
    assert found.threshold is None


def test_channels_change_nothing_and_the_order_of_pieces_only_the_numbers(voices):
    pieces, ubm = voices
    found = cl.cluster_pieces(pieces, ubm=ubm)
    shifted = cl.cluster_pieces([piece + n for n, piece in enumerate(pieces)], ubm=ubm)
    np.testing.assert_allclose(shifted.distances, found.distances, atol=1e-4)
    order = np.random.default_rng(9).permutation(12)
    permuted = cl.cluster_pieces([pieces[n] for n in order], ubm=ubm)
    np.testing.assert_array_equal(permuted.labels, cl.in_order(found.labels[order]))


def test_without_a_background_model_one_is_made_and_it_is_said(voices):
    pieces, ubm = voices
    assert cl.cluster_pieces(pieces, n_clusters=3).own_ubm
    assert not cl.cluster_pieces(pieces, ubm=ubm, n_clusters=3).own_ubm


@pytest.mark.parametrize("method", ["cosine", "spectral", "bic"])
def test_sounds_are_told_by_their_spectra(method):
    rng = np.random.default_rng(10)
    pieces = [rng.normal(place, 1, size=(200, 3)) for place in (0, 6, -6, 0, 6, -6)]
    assert cl.cluster_pieces(pieces, kind="sounds", method=method).labels.tolist() == [0, 1, 2, 0, 1, 2]


def test_one_piece_is_one_cluster_and_pieces_all_alike_are_one():
    piece = np.random.default_rng(11).normal(size=(100, 3))
    for method in cl.METHODS:
        one = cl.cluster_pieces([piece], method=method)
        assert (one.labels.tolist(), one.sureness.tolist()) == ([0], [0.0])
    alike = cl.cluster_pieces([piece] * 4)
    assert alike.labels.tolist() == [0] * 4
    assert not alike.distances.any()


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        ({"n_clusters": 3}, DataError, "3 clusters of 2 pieces"),
        ({"n_clusters": 1, "threshold": 0.5}, ConfigError, "one of the two"),
        ({"method": "magic"}, ConfigError, "method 'magic'"),
        ({"kind": "birds"}, ConfigError, "kind 'birds'"),
        ({"method": "bic", "relevance": 3.0}, ConfigError, "no effect"),
        ({"method": "ratio", "kind": "sounds"}, ConfigError, "for speakers"),
    ],
)
def test_what_cannot_be_asked_of_pieces_is_refused(arguments, error, words):
    pieces = list(np.random.default_rng(12).normal(size=(2, 30, 3)))
    with pytest.raises(error, match=words):
        cl.cluster_pieces(pieces, **arguments)


def test_pieces_that_cannot_be_used_are_named():
    good = np.ones((3, 2))
    with pytest.raises(ShapeError, match=r"piece 1 is of shape \(0, 2\)"):
        cl.cluster_pieces([good, np.zeros((0, 2))])
    with pytest.raises(DataError, match="piece 1 has a value"):
        cl.cluster_pieces([good, np.full((3, 2), np.inf)])
    with pytest.raises(DataError, match="no pieces"):
        cl.cluster_pieces([])


def test_spoken_digits_of_one_speaker_become_ten_clusters(shared):
    spec = FeatureSpec(preset="kaldi", n_mels=40, n_ceps=25, c0="drop", use_energy=False)
    pieces, true = [], []
    for digit in range(10):
        for n in range(5):
            samples, rate = soundfile.read(shared / f"data/fsdd/recordings/{digit}_george_{n}.wav", dtype="float32")
            pieces.append(extract(spec, samples, rate))
            true.append(digit)
    figures = cluster_figures(cl.cluster_pieces(pieces, kind="sounds").labels.tolist(), true)
    assert abs(figures.n_clusters - 10) <= 1
    assert figures.ari > 0.9


def test_a_picture_of_many_pieces_shows_some_of_each_cluster(monkeypatch):
    monkeypatch.setattr("speechgmm.tasks.clustering.plots.MAPPED_UP_TO", 40)
    labels = np.arange(90) % 3
    distances = np.where(labels[:, None] == labels, 0.5, 1.0)
    figure = plot_clusters(distances, labels, names=[str(label) for label in labels])
    assert figure.axes[1].get_images()[0].get_array().shape == (40, 40)
    assert "40 pieces are shown" in figure.get_suptitle()
