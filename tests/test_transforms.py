"""Laws of splicing, class moments and LDA; scikit-learn as the oracle."""

from dataclasses import replace

import numpy as np
import pytest

from speechgmm.errors import ConfigError, DataError, FitError, ShapeError
from speechgmm.features.transforms import (
    ClassMoments,
    LinearTransform,
    TransformSpec,
    class_moments,
    lda,
    most_directions,
    splice,
    whitening,
)


def classes_in_noise(seed: int = 0, n: int = 400, n_dims: int = 7, n_classes: int = 5) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    labels = np.concatenate([np.arange(n_classes), rng.integers(n_classes, size=n - n_classes)])
    mixing = rng.normal(size=(n_dims, n_dims))
    frames = rng.normal(size=(n_classes, n_dims))[labels] + rng.normal(size=(n, n_dims)) @ mixing
    return frames, labels


def up_to_sign(here: np.ndarray, there: np.ndarray) -> np.ndarray:
    return np.sign((here * there).sum(axis=0)) * here


def test_splicing_is_the_double_loop_with_the_edges_repeated():
    frames = np.random.default_rng(0).normal(size=(6, 3)).astype(np.float32)
    for context in (0, 1, 4, 9):
        expected = [[frames[min(max(t + c, 0), 5)] for c in range(-context, context + 1)] for t in range(6)]
        found = splice(frames, context)
        np.testing.assert_array_equal(found, np.array(expected).reshape(6, -1))
        assert found.dtype == np.float32
    assert splice(frames[:0], 2).shape == (0, 15)


def test_splicing_refuses_what_is_no_matrix_and_a_context_below_zero():
    with pytest.raises(ShapeError, match=r"expected \(T, D\)"):
        splice(np.zeros(3), 1)
    with pytest.raises(ConfigError, match="0 or more"):
        splice(np.zeros((3, 1)), -1)


def test_class_moments_of_parts_add_up_to_those_of_the_whole_at_any_offset():
    frames, labels = classes_in_noise()
    frames = frames + 1e6
    whole = class_moments(frames, labels, 5)
    # The first part lacks classes that the others have.
    order = np.argsort(labels, kind="stable")
    parts = [class_moments(frames[rows], labels[rows], 5) for rows in np.array_split(order, 7)]
    total = parts[0]
    for part in parts[1:]:
        total = total + part
    np.testing.assert_array_equal(total.counts, whole.counts)
    np.testing.assert_allclose(total.means, whole.means, rtol=1e-12)
    np.testing.assert_allclose(total.within, whole.within, rtol=1e-7, atol=1e-5)


def test_class_moments_are_the_loop_over_classes():
    frames, labels = classes_in_noise()
    found = class_moments(frames.astype(np.float32), labels, 6)
    within = np.zeros((7, 7))
    for c in range(5):
        own = frames[labels == c].astype(np.float32).astype(np.float64)
        assert found.counts[c] == len(own)
        np.testing.assert_allclose(found.means[c], own.mean(axis=0), rtol=1e-10)
        within += np.cov(own.T, ddof=0) * len(own)
    np.testing.assert_allclose(found.within, within, rtol=1e-9)
    assert found.counts[5] == 0


def test_class_moments_refuse_frames_and_classes_that_do_not_fit():
    frames = np.zeros((3, 2))
    with pytest.raises(ShapeError, match=r"expected \(N, D\) and \(N,\)"):
        class_moments(frames, [0, 1], 2)
    with pytest.raises(DataError, match="classes are 0 to 2"):
        class_moments(frames, [0, 1, 2], 2)
    with pytest.raises(DataError, match="classes are -1 to 1"):
        class_moments(frames, [-1, 0, 1], 2)
    with pytest.raises(DataError, match="dimension 1 of the frames has NaN"):
        class_moments(np.array([[0.0, np.nan]]), [0], 1)
    with pytest.raises(ShapeError, match="cannot be pooled"):
        class_moments(frames, [0, 0, 0], 1) + class_moments(frames, [0, 0, 0], 2)


@pytest.mark.parametrize("solver", ["svd", "eigen"])
@pytest.mark.parametrize("dim", [1, 4])
def test_lda_equals_scikit_learn_up_to_sign_and_scale(solver, dim):
    discriminant = pytest.importorskip("sklearn.discriminant_analysis").LinearDiscriminantAnalysis
    frames, labels = classes_in_noise()
    ours = lda(class_moments(frames, labels, 5), dim, prior_count=0).apply(frames)
    theirs = discriminant(solver=solver, n_components=dim).fit(frames, labels).transform(frames)
    ours, theirs = ours - ours.mean(axis=0), theirs - theirs.mean(axis=0)
    ours, theirs = ours / ours.std(axis=0), theirs / theirs.std(axis=0)
    np.testing.assert_allclose(up_to_sign(ours, theirs), theirs, atol=2e-5)


def test_lda_whitens_within_classes_and_orders_directions_by_what_they_tell_apart():
    frames, labels = classes_in_noise()
    images = lda(class_moments(frames, labels, 5), 4, prior_count=0).apply(frames)
    found = class_moments(images, labels, 5)
    np.testing.assert_allclose(found.within / len(frames), np.eye(4), atol=1e-5)
    np.testing.assert_allclose(images.mean(axis=0), 0, atol=1e-5)
    between = (found.means * found.counts[:, None]).T @ found.means / len(frames)
    np.testing.assert_allclose(between, np.diag(np.diag(between)), atol=1e-5)
    assert (np.diff(np.diag(between)) < 0).all()


def test_an_invertible_linear_map_of_the_frames_changes_no_image_without_pseudo_frames():
    frames, labels = classes_in_noise()
    moved = frames @ np.random.default_rng(1).normal(size=(7, 7)) + 30
    here = lda(class_moments(frames, labels, 5), 4, prior_count=0).apply(frames)
    there = lda(class_moments(moved, labels, 5), 4, prior_count=0).apply(moved)
    np.testing.assert_allclose(up_to_sign(there, here), here, atol=1e-4)


def test_scales_and_shifts_of_dimensions_change_no_image_with_pseudo_frames():
    frames, labels = classes_in_noise()
    moved = frames * np.array([1e-3, 1, 1e3, 2, 5, 0.1, 7]) - 4
    here = lda(class_moments(frames, labels, 5), 4, prior_count=50).apply(frames)
    there = lda(class_moments(moved, labels, 5), 4, prior_count=50).apply(moved)
    np.testing.assert_allclose(up_to_sign(there, here), here, atol=1e-4)


def test_endless_pseudo_frames_leave_only_the_variances_of_the_within_class_covariance():
    frames, labels = classes_in_noise()
    found = class_moments(frames, labels, 5)
    uncorrelated = replace(found, within=np.diag(np.diag(found.within)))
    np.testing.assert_allclose(
        lda(found, 3, prior_count=1e12).matrix, lda(uncorrelated, 3, prior_count=0).matrix, rtol=1e-6
    )


def test_pseudo_frames_make_up_for_fewer_frames_than_dimensions():
    frames, labels = classes_in_noise(n=10, n_dims=40)
    found = class_moments(frames, labels, 5)
    with pytest.raises(FitError, match="singular within-class covariance"):
        lda(found, 2, prior_count=0)
    assert np.isfinite(lda(found, 2).matrix).all()


def test_an_absent_class_takes_no_part_in_an_lda_and_limits_its_directions():
    frames, labels = classes_in_noise()
    with_gap = class_moments(frames, labels + (labels > 2), 6)
    np.testing.assert_allclose(lda(with_gap, 4).matrix, lda(class_moments(frames, labels, 5), 4).matrix, rtol=1e-9)
    assert most_directions(with_gap) == 4
    with pytest.raises(ConfigError, match=r"LDA to 5 dimensions .* in 5 classes; expected 1 to 4"):
        lda(with_gap, 5)


def test_lda_refuses_a_constant_dimension_by_its_number_and_a_negative_prior():
    frames, labels = classes_in_noise()
    with pytest.raises(ConfigError, match="prior_count -1"):
        lda(class_moments(frames, labels, 5), 2, prior_count=-1)
    frames[:, 3] = 1e5 + labels
    with pytest.raises(FitError, match="dimension 3 does not vary within any class"):
        lda(class_moments(frames, labels, 5), 2)


def test_a_transform_is_matrix_times_frame_plus_offset_and_refuses_another_dimension():
    rng = np.random.default_rng(0)
    matrix, offset, frames = rng.normal(size=(2, 5)), rng.normal(size=2), rng.normal(size=(9, 5))
    found = LinearTransform(matrix, offset).apply(frames)
    np.testing.assert_allclose(found, [matrix @ frame + offset for frame in frames], rtol=1e-6)
    assert found.dtype == np.float32
    with pytest.raises(ShapeError, match=r"for \(T, 5\)"):
        LinearTransform(matrix, offset).apply(frames[:, :4])
    with pytest.raises(ShapeError, match="offset of shape"):
        LinearTransform(matrix, offset[:1])


def test_class_moments_hold_no_memory_of_the_order_of_frames():
    frames, labels = classes_in_noise()
    order = np.random.default_rng(2).permutation(len(frames))
    here, there = class_moments(frames, labels, 5), class_moments(frames[order], labels[order], 5)
    assert isinstance(here, ClassMoments)
    np.testing.assert_allclose(there.within, here.within, rtol=1e-10, atol=1e-9)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"kind": "ica"}, "expected none, lda, mllt or pca"),
        ({"kind": "lda", "dim": 0}, "features.transform.dim: 0"),
        ({"kind": "lda", "splice": -1}, "features.transform.splice: -1"),
        ({"kind": "lda", "dim": 2.5}, "whole number"),
        ({"splice": 4}, "no effect without kind: lda"),
        ({"kind": "mllt", "dim": 13}, "no effect without kind: lda"),
        ({"kind": "pca", "mllt": True}, "mllt has no effect with kind: pca"),
    ],
)
def test_a_transform_spec_refuses_what_cannot_be_or_has_no_effect(settings, message):
    with pytest.raises(ConfigError, match=message):
        TransformSpec(**settings)


# ---------------------------------------------------------------- whitening


def test_whitening_is_scikit_learns_up_to_sign_and_divisor() -> None:
    from sklearn.decomposition import PCA

    rng = np.random.default_rng(5)
    frames = rng.standard_normal((400, 6)) @ rng.standard_normal((6, 6)) + 3
    classes = rng.integers(0, 3, 400)  # which it does not look at
    found = whitening(class_moments(frames, classes, 3), 4)
    oracle = PCA(4, whiten=True).fit(frames)
    image = found.apply(frames)
    expected = oracle.transform(frames) * np.sqrt(400 / 399)
    assert np.abs(image) == pytest.approx(np.abs(expected), abs=1e-4)
    assert np.cov(image.T, bias=True) == pytest.approx(np.eye(4), abs=1e-4)
    assert np.allclose(whitening(class_moments(frames, np.zeros(400, int), 1), 4).matrix, found.matrix)


def test_whitening_refuses_directions_that_are_not_there_or_do_not_vary() -> None:
    frames = np.random.default_rng(6).standard_normal((50, 2))
    doubled = class_moments(np.hstack([frames, frames[:, :1]]), np.zeros(50, int), 1)
    with pytest.raises(ConfigError, match=r"dim is 4 for frames of 3 dimensions"):
        whitening(doubled, 4)
    with pytest.raises(FitError, match="1 of 3 directions do not vary"):
        whitening(doubled, 3)
