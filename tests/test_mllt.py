"""Laws of the transform of most likelihood under diagonal covariances."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from speechgmm.errors import ConfigError, FitError, ShapeError
from speechgmm.features.mllt import MLLT, Scatters, estimate_mllt, full_view, mllt_objective
from speechgmm.features.transforms import LinearTransform
from speechgmm.gmm import DiagGMM, fit_gmm
from speechgmm.gmm.full_e_step import RowBatch, accumulate_full


def covariances(seed, n=5, n_dims=4):
    rng = np.random.default_rng(seed)
    roots = rng.normal(size=(n, n_dims, n_dims + 2))
    return Scatters(rng.uniform(5, 500, n), roots @ roots.swapaxes(1, 2) / n_dims)


def updated_row(matrix, i, scatters):
    """Gales's row update written out, with the determinant's own cofactors."""
    n_dims, total = len(matrix), scatters.counts.sum()
    cofactors = [(-1) ** (i + j) * np.linalg.det(np.delete(np.delete(matrix, i, 0), j, 1)) for j in range(n_dims)]
    weighted = np.zeros((n_dims, n_dims))
    for n, covariance in zip(scatters.counts, scatters.covariances, strict=True):
        weighted += n / (matrix[i] @ covariance @ matrix[i]) * covariance
    direction = np.linalg.inv(weighted) @ cofactors
    return direction * np.sqrt(total / (cofactors @ direction))


@settings(max_examples=25)
@given(st.integers(0, 10**6), st.integers(1, 5))
def test_no_update_of_a_row_lowers_the_objective(seed, n_dims):
    scatters, matrix = covariances(seed, n_dims=n_dims), np.eye(n_dims)
    values = [mllt_objective(matrix, scatters)]
    for i in [*range(n_dims), *range(n_dims)]:
        matrix[i] = updated_row(matrix, i, scatters)
        values.append(mllt_objective(matrix, scatters))
    assert np.diff(values).min() > -1e-9
    # The sweeps of the library take the same steps: two of them end at the same likelihood.
    found = estimate_mllt(scatters, most_sweeps=2, tol=0)
    assert found.trace[-1] == pytest.approx(values[-1], abs=1e-8)
    assert np.diff(estimate_mllt(scatters, tol=0).trace).min() > -1e-9


def test_the_objective_is_the_likelihood_of_frames_under_diagonal_covariances():
    """Up to a constant that knows nothing of the matrix: the difference of two matrices is that of the likelihoods."""
    rng = np.random.default_rng(3)
    groups = [rng.normal(size=(n, 3)) @ rng.normal(size=(3, 3)) for n in (200, 300)]
    scatters = Scatters(np.array([200.0, 300.0]), np.array([np.cov(group.T, bias=True) for group in groups]))

    def log_likelihood(matrix):
        total = 0.0
        for group in groups:
            images = (group - group.mean(axis=0)) @ matrix.T
            variances = images.var(axis=0)
            total += -0.5 * (images**2 / variances + np.log(2 * np.pi * variances)).sum()
            total += len(group) * np.log(np.abs(np.linalg.det(matrix)))
        return total / 500

    one, other = rng.normal(size=(3, 3)), rng.normal(size=(3, 3))
    wanted = log_likelihood(one) - log_likelihood(other)
    assert mllt_objective(one, scatters) - mllt_objective(other, scatters) == pytest.approx(wanted)


def test_the_transform_that_made_diagonal_components_is_found_up_to_order_and_scale():
    rng = np.random.default_rng(4)
    made = np.linalg.inv(rng.normal(size=(4, 4)))
    inverse = np.linalg.inv(made)
    diagonals = rng.uniform(0.2, 5, (6, 4))
    found = estimate_mllt(
        Scatters(np.full(6, 100.0), np.array([inverse @ np.diag(v) @ inverse.T for v in diagonals])),
        tol=0,
        most_sweeps=400,
    )
    images = np.abs(found.matrix @ inverse)
    images /= images.max(axis=1, keepdims=True)
    assert sorted(images.argmax(axis=1)) == [0, 1, 2, 3]
    assert np.sort(images, axis=1)[:, :-1].max() < 1e-3


def test_likelihood_does_not_depend_on_an_invertible_map_of_the_frames_and_diagonal_ones_gain_nothing():
    scatters, turn = covariances(7), np.random.default_rng(8).normal(size=(4, 4))
    moved = Scatters(scatters.counts, turn @ scatters.covariances @ turn.T)
    here, there = (estimate_mllt(one, tol=0, most_sweeps=500).trace[-1] for one in (scatters, moved))
    assert there + np.linalg.slogdet(turn)[1] == pytest.approx(here, abs=1e-3)
    diagonal = Scatters(np.ones(2), np.array([np.diag([1.0, 2.0]), np.diag([3.0, 1.0])]))
    trace = estimate_mllt(diagonal).trace
    assert trace[-1] == pytest.approx(trace[0], abs=1e-9)


def test_statistics_are_full_scatters_under_the_posteriors_of_the_diagonal_mixture():
    rng = np.random.default_rng(5)
    frames = rng.normal(size=(300, 3)) @ rng.normal(size=(3, 3))
    model = fit_gmm(frames, 2, max_iter=3).model
    stats = accumulate_full(full_view(model).whitened(), RowBatch(frames, np.ones(300), np.zeros(3), 300.0))
    prior, weight = np.array([1.0, 2.0, 3.0]), 7.0
    found = Scatters.of([stats], prior, weight)
    log_joint = np.log(model.weights) - 0.5 * (
        (frames[:, None] - model.means) ** 2 / model.variances + np.log(2 * np.pi * model.variances)
    ).sum(axis=2)
    posteriors = np.exp(log_joint - np.logaddexp.reduce(log_joint, axis=1)[:, None])
    for k in range(2):
        n = posteriors[:, k].sum()
        mean = posteriors[:, k] @ frames / n
        scatter = sum(p * np.outer(x - mean, x - mean) for p, x in zip(posteriors[:, k], frames, strict=True))
        assert found.counts[k] == pytest.approx(n)
        np.testing.assert_allclose(found.covariances[k], (scatter + weight * np.diag(prior)) / (n + weight), rtol=1e-9)


def test_components_of_few_frames_are_left_out_and_few_frames_of_many_dimensions_need_the_prior():
    rng = np.random.default_rng(6)
    model = DiagGMM([0.5, 0.5], [[0.0] * 6, [100.0] * 6], np.ones((2, 6)))
    frames = np.concatenate([rng.normal(size=(5, 6)), 100 + rng.normal(size=(4, 6))])
    stats = accumulate_full(full_view(model).whitened(), RowBatch(frames, np.ones(9), np.zeros(6), 9.0))
    found = Scatters.of([stats], np.ones(6), 30.0)
    assert found.counts == pytest.approx([5.0])
    assert np.isfinite(estimate_mllt(found).matrix).all()
    with pytest.raises(FitError, match="is singular"):
        estimate_mllt(Scatters.of([stats], np.ones(6), 0.0))
    with pytest.raises(FitError, match="no component has 5 frames"):
        Scatters.of(
            [accumulate_full(full_view(model).whitened(), RowBatch(frames[5:], np.ones(4), np.zeros(6), 4.0))],
            np.ones(6),
            0.0,
        )


def test_a_mixture_moves_with_its_frames_and_wrong_shapes_are_refused():
    found = MLLT(np.array([[2.0, 1.0], [0.0, 1.0]]), (0.0,))
    moved = found.moved(DiagGMM([1.0], [[1.0, 3.0]], [[1.0, 4.0]]))
    assert moved.means.tolist() == [[5.0, 3.0]]
    assert moved.variances.tolist() == [[8.0, 4.0]]
    after = found.after(LinearTransform(np.array([[1.0, 0.0, 0.0], [0.0, 0.0, 1.0]]), np.array([1.0, 2.0])))
    np.testing.assert_allclose(after.apply(np.array([[1.0, 9.0, 3.0]])), [[9.0, 5.0]])
    with pytest.raises(ShapeError, match="expected"):
        estimate_mllt(Scatters(np.ones(3), np.eye(2)[None]))
    with pytest.raises(ConfigError, match="0 sweeps"):
        estimate_mllt(covariances(0), most_sweeps=0)
