"""Score normalisation and linear scoring: laws, an example worked by hand, and the obvious loops."""

import dataclasses

import numpy as np
import pytest

from speechgmm.errors import DataError, ShapeError
from speechgmm.gmm import DiagGMM, log_likelihoods
from speechgmm.tasks.verification.score_norm import Kind, ScoreNorm
from speechgmm.vectors.linear_scoring import LinearStack

RNG = np.random.default_rng(5)
M, N, K, U = 3, 4, 6, 9
SCORES, RECORDINGS = RNG.normal(1.0, 2.0, (M, N)), RNG.normal(-1.0, 0.5, (M, U))
COHORT, AMONG = RNG.normal(-2.0, 0.7, (K, N)), RNG.normal(-1.5, 1.5, (K, U))
OWN = np.arange(U) % K == np.arange(K)[:, None]


def norm_of(kind: Kind, recordings: np.ndarray = RECORDINGS, top: int | None = None) -> ScoreNorm:
    if kind == "t":
        return ScoreNorm.of("t")
    if kind == "zt":
        return ScoreNorm.of("zt", recordings, cohort=AMONG, own=OWN)
    return ScoreNorm.of(kind, recordings, top=top)


def test_zt_norm_of_an_example_worked_by_hand() -> None:
    """One model scores 5 on the test; against two impostor recordings 0 and 2: mean 1, sample deviation sqrt 2.

    Two cohort models score 4 and 1 on the test. The first has 1 and 3 against the recordings (mean 2, deviation
    sqrt 2), the second -1 and 1 (mean 0, deviation sqrt 2). In units of sqrt 2: the score 4, the cohort 2 and 1, whose
    mean is 1.5 and whose sample deviation sqrt 0.5. ZT = (4 - 1.5) / sqrt 0.5 = 5 / sqrt 2 (the unit goes out).
    """
    norm = ScoreNorm.of("zt", [[0.0, 2.0]], cohort=[[1.0, 3.0], [-1.0, 1.0]])
    np.testing.assert_allclose(norm.apply([[5.0]], [[4.0], [1.0]]), [[5 / np.sqrt(2)]], rtol=1e-12)


def test_every_norm_is_the_obvious_loop() -> None:
    found = {kind: norm_of(kind, top=4 if kind == "as" else None).apply(SCORES, COHORT) for kind in Kind.__args__}  # type: ignore[attr-defined]
    for m in range(M):
        for n in range(N):
            s, z_side, t_side = SCORES[m, n], RECORDINGS[m], COHORT[:, n]
            z = (s - np.mean(z_side)) / np.std(z_side, ddof=1)
            t = (s - np.mean(t_side)) / np.std(t_side, ddof=1)
            others = [AMONG[k, ~OWN[k]] for k in range(K)]
            z_normed = [(COHORT[k, n] - np.mean(row)) / np.std(row, ddof=1) for k, row in enumerate(others)]
            zt = (z - np.mean(z_normed)) / np.std(z_normed, ddof=1)
            top_z, top_t = np.sort(z_side)[-4:], np.sort(t_side)[-4:]
            adaptive = (s - top_z.mean()) / top_z.std(ddof=1) + (s - top_t.mean()) / top_t.std(ddof=1)
            wanted = {"z": z, "t": t, "zt": zt, "s": (z + t) / 2, "as": adaptive / 2}
            for kind, value in wanted.items():
                assert found[kind][m, n] == pytest.approx(value, rel=1e-12), kind


def test_a_constant_added_to_one_tests_scores_against_all_models_leaves_its_t_norm_unchanged() -> None:
    moved, cohort = SCORES.copy(), COHORT.copy()
    moved[:, 2] += 7.0
    cohort[:, 2] += 7.0
    norm = norm_of("t")
    np.testing.assert_allclose(norm.apply(moved, cohort), norm.apply(SCORES, COHORT), rtol=1e-12)


def test_a_constant_added_to_all_of_one_models_scores_leaves_its_z_and_zt_norm_unchanged() -> None:
    moved, recordings = SCORES.copy(), RECORDINGS.copy()
    moved[1] += 7.0
    recordings[1] += 7.0
    for kind in ("z", "zt"):
        before, after = norm_of(kind).apply(SCORES, COHORT), norm_of(kind, recordings).apply(moved, COHORT)
        np.testing.assert_allclose(after, before, rtol=1e-12)


def test_the_unit_of_scores_goes_out_of_every_norm() -> None:
    for kind in Kind.__args__:  # type: ignore[attr-defined]
        once = norm_of(kind, top=5 if kind == "as" else None).apply(SCORES, COHORT)
        scaled = {"cohort": 3 * AMONG, "own": OWN} if kind == "zt" else {"top": 5} if kind == "as" else {}
        thrice = ScoreNorm.of(kind, 3 * RECORDINGS, **scaled).apply(3 * SCORES, 3 * COHORT)
        np.testing.assert_allclose(thrice, once, rtol=1e-12)


def test_the_adaptive_norm_by_the_whole_cohort_is_the_s_norm() -> None:
    square = RNG.normal(size=(M, K))
    s = ScoreNorm.of("s", square).apply(SCORES, COHORT)
    np.testing.assert_allclose(ScoreNorm.of("as", square, top=K).apply(SCORES, COHORT), s, rtol=1e-12)


def test_the_order_of_the_cohort_changes_nothing() -> None:
    turn = RNG.permutation(K)
    for kind in ("t", "s", "as"):
        norm = norm_of(kind, top=3 if kind == "as" else None)
        np.testing.assert_allclose(norm.apply(SCORES, COHORT[turn]), norm.apply(SCORES, COHORT), rtol=1e-12)


def test_one_model_by_itself_is_normalised_as_among_the_others() -> None:
    for kind in ("z", "zt", "s"):
        norm = norm_of(kind)
        alone = norm.only(1).apply(SCORES[1:2], COHORT)
        np.testing.assert_allclose(alone, norm.apply(SCORES, COHORT)[1:2], rtol=1e-12)


def test_cohorts_that_cannot_normalise_are_refused() -> None:
    with pytest.raises(DataError, match="a cohort of 1 where 2 are needed"):
        ScoreNorm.of("z", [[1.0]])
    with pytest.raises(DataError, match="a cohort of 9 where 10 are needed"):
        ScoreNorm.of("as", RECORDINGS, top=10)
    with pytest.raises(DataError, match="a cohort of 1 where 2 are needed"):
        norm_of("t").apply(SCORES, COHORT[:1])
    with pytest.raises(DataError, match=r"are all 3, .*copies of each other"):
        ScoreNorm.of("z", [[1.0, 2.0], [3.0, 3.0]])
    with pytest.raises(DataError, match="1 cohort recordings are of others than the speaker of cohort model 0"):
        ScoreNorm.of("zt", RECORDINGS[:, :2], cohort=AMONG[:, :2], own=np.array([[True, False]] + 5 * [[False, False]]))
    with pytest.raises(ShapeError, match="scores of 2 models for a norm of 3"):
        norm_of("z").apply(SCORES[:2])
    with pytest.raises(ShapeError, match="the cohort's models against the tests are missing"):
        norm_of("t").apply(SCORES)


def adapted(n_components: int = 5, n_features: int = 3, n_models: int = 4) -> tuple[DiagGMM, list[DiagGMM]]:
    rng = np.random.default_rng(2)
    shape = (n_components, n_features)
    ubm = DiagGMM(rng.dirichlet(np.ones(n_components)), 3 * rng.normal(size=shape), rng.uniform(0.3, 2, shape))
    return ubm, [dataclasses.replace(ubm, means=ubm.means + 0.5 * rng.normal(size=shape)) for _ in range(n_models)]


def log_p(model: DiagGMM, frames: np.ndarray) -> np.ndarray:
    return log_likelihoods(model.log_linear(), frames)


def test_linear_scoring_is_the_first_order_expansion_of_the_log_likelihood_ratio() -> None:
    """(LLR at a step of h towards the model, less that at -h) / 2h -> the score, as h -> 0."""
    ubm, models = adapted()
    frames = np.random.default_rng(3).normal(0, 3, (50, 3))
    step = 1e-5
    for model, score in zip(models, LinearStack.of(ubm, models).scores([frames])[:, 0], strict=True):
        ahead, behind = (
            dataclasses.replace(ubm, means=ubm.means + sign * step * (model.means - ubm.means)) for sign in (1, -1)
        )
        slope = (log_p(ahead, frames) - log_p(behind, frames)).mean() / (2 * step)
        assert score == pytest.approx(slope, rel=1e-6)


def test_linear_scores_are_the_obvious_double_loop() -> None:
    ubm, models = adapted()
    frames = np.random.default_rng(3).normal(0, 3, (700, 3))  # more than a block
    joint = np.log(ubm.weights) - 0.5 * (
        np.log(2 * np.pi * ubm.variances) + (frames[:, None] - ubm.means) ** 2 / ubm.variances
    ).sum(axis=2)
    gamma = np.exp(joint - np.logaddexp.reduce(joint, axis=1, keepdims=True))
    for m, model in enumerate(models):
        total = 0.0
        for k in range(5):
            first = gamma[:, k] @ frames - gamma[:, k].sum() * ubm.means[k]
            total += ((model.means[k] - ubm.means[k]) / ubm.variances[k]) @ first
        assert LinearStack.of(ubm, models).scores([frames])[m, 0] == pytest.approx(total / len(frames), rel=1e-9)


def test_linear_scores_of_many_recordings_are_those_of_each_and_the_background_models_own_is_zero() -> None:
    ubm, models = adapted()
    rng = np.random.default_rng(4)
    recordings = [rng.normal(0, 3, (count, 3)) for count in (10, 30, 20)]
    stack = LinearStack.of(ubm, [*models, ubm])
    together = stack.scores(recordings)
    assert together.shape == (5, 3)
    for number, frames in enumerate(recordings):
        np.testing.assert_allclose(stack.scores([frames])[:, 0], together[:, number], rtol=1e-12)
    np.testing.assert_array_equal(together[-1], 0)


def test_linear_scoring_in_single_precision_is_that_in_double() -> None:
    ubm, models = adapted(n_components=100, n_features=12)
    stack = LinearStack.of(ubm, models)
    background = stack.background
    assert background.factors.dtype == np.float32
    double = dataclasses.replace(background, factors=background.space.factors(ubm.log_linear()))
    exact = dataclasses.replace(stack, background=double)
    frames = np.random.default_rng(3).normal(0, 3, (300, 12))
    np.testing.assert_allclose(stack.scores([frames]), exact.scores([frames]), rtol=1e-4, atol=1e-4)


def test_linear_scoring_refuses_models_that_are_not_adapted_in_their_means_alone() -> None:
    ubm, models = adapted()
    with pytest.raises(DataError, match="model 1 has weights or variances of its own"):
        LinearStack.of(ubm, [models[0], dataclasses.replace(models[1], variances=2 * ubm.variances)])
    with pytest.raises(ShapeError, match="model 0 has means"):
        LinearStack.of(ubm, [DiagGMM([1.0], np.zeros((1, 3)), np.ones((1, 3)))])
    with pytest.raises(DataError, match="no frames to score"):
        LinearStack.of(ubm, models).scores([np.empty((0, 3))])
    with pytest.raises(DataError, match="NaN, infinite"):
        LinearStack.of(ubm, models).scores([np.full((2, 3), np.nan)])
