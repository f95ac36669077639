"""The four kinds of covariances of GaussianMixture: shapes, the optimum of scikit-learn, starts, what is refused."""

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.mixture import GaussianMixture as Theirs
from sklearn.model_selection import GridSearchCV

import speechgmm as sg
from speechgmm.gmm import FullGMM
from speechgmm.sklearn import GaussianMixture, GMMClassifier, MAPAdaptedGMM, to_sklearn

KINDS = ["full", "tied", "diag", "spherical"]
SHAPES = {"full": (3, 2, 2), "tied": (2, 2), "diag": (3, 2), "spherical": (3,)}


def rows_of(seed: int = 0, n: int = 300) -> np.ndarray:
    """Three clusters that overlap, each turned in another way."""
    rng = np.random.default_rng(seed)
    parts = [rng.normal(size=(n, 2)) @ rng.normal(size=(2, 2)) + middle for middle in ([0, 0], [4, 0], [0, 5])]
    return np.concatenate(parts)


def begin(rows: np.ndarray, kind: str) -> dict[str, object]:
    """A whole start, in the shapes of a kind."""
    square = np.linalg.inv(np.cov(rows.T))
    precisions = {
        "full": np.tile(square, (3, 1, 1)),
        "tied": square,
        "diag": np.tile(1 / rows.var(axis=0), (3, 1)),
        "spherical": np.full(3, 1 / rows.var()),
    }
    return {
        "weights_init": [0.2, 0.3, 0.5],
        "means_init": rows[[0, len(rows) // 2, -1]],
        "precisions_init": precisions[kind],
    }


@pytest.mark.parametrize("kind", KINDS)
def test_one_iteration_is_the_step_of_scikit_learn(kind: str) -> None:
    rows = rows_of()
    settings = {"covariance_type": kind, "tol": 0, "max_iter": 1, **begin(rows, kind)}
    with pytest.warns(ConvergenceWarning):
        theirs, ours = Theirs(3, reg_covar=0, **settings).fit(rows), GaussianMixture(3, **settings).fit(rows)
    for name in ("weights_", "means_", "covariances_", "precisions_", "precisions_cholesky_"):
        np.testing.assert_allclose(getattr(ours, name), getattr(theirs, name), rtol=1e-8, atol=1e-10)


@pytest.mark.filterwarnings("ignore::speechgmm.errors.FitWarning")  # tol is below rounding, as it should be here
@pytest.mark.parametrize("kind", KINDS)
def test_from_the_same_start_it_reaches_the_optimum_of_scikit_learn(kind: str) -> None:
    rows = rows_of(n=150)
    settings = {"covariance_type": kind, "max_iter": 10_000, **begin(rows, kind)}
    theirs = Theirs(3, tol=1e-11, reg_covar=0, **settings).fit(rows)
    ours = GaussianMixture(3, tol=1e-10, reg_covar=1e-9, **settings).fit(rows)
    assert ours.lower_bound_ == pytest.approx(theirs.score(rows), abs=1e-6)
    np.testing.assert_allclose(ours.means_, theirs.means_, atol=2e-2)
    np.testing.assert_allclose(ours.covariances_, theirs.covariances_, atol=5e-2)
    assert (ours.predict(rows) == theirs.predict(rows)).mean() > 0.995


@pytest.mark.parametrize("kind", KINDS)
def test_shapes_scores_and_criteria_are_those_of_scikit_learn(kind: str) -> None:
    rows = rows_of()
    ours = GaussianMixture(3, covariance_type=kind, random_state=0).fit(rows)
    theirs = to_sklearn(ours)
    for name in ("covariances_", "precisions_", "precisions_cholesky_"):
        assert getattr(ours, name).shape == SHAPES[kind]
    assert isinstance(ours.model_, FullGMM) == (kind in ("full", "tied"))
    np.testing.assert_allclose(ours.score_samples(rows), theirs.score_samples(rows), rtol=1e-9)
    np.testing.assert_allclose(ours.predict_proba(rows), theirs.predict_proba(rows), atol=1e-9)
    assert ours.bic(rows) == pytest.approx(theirs.bic(rows))
    assert ours.aic(rows) == pytest.approx(theirs.aic(rows))
    drawn, which = ours.sample(30_000)
    assert np.cov(drawn[which == 0].T) == pytest.approx(to_full(ours, kind)[0], rel=0.1, abs=0.1)


def to_full(mixture: GaussianMixture, kind: str) -> np.ndarray:
    if kind == "spherical":
        return mixture.covariances_[:, None, None] * np.eye(2)
    if kind == "diag":
        return mixture.covariances_[:, :, None] * np.eye(2)
    return mixture.covariances_ if kind == "full" else np.tile(mixture.covariances_, (3, 1, 1))


def test_without_iterations_a_given_start_stays_and_a_warm_start_goes_on() -> None:
    rows = rows_of()
    given = begin(rows, "full")
    still = GaussianMixture(3, covariance_type="full", max_iter=0, **given).fit(rows)
    np.testing.assert_allclose(still.precisions_, given["precisions_init"], rtol=1e-9)
    warm = GaussianMixture(3, covariance_type="full", warm_start=True, random_state=0).fit(rows)
    before = warm.lower_bound_
    assert warm.fit(rows).lower_bound_ >= before - 1e-9


@pytest.mark.filterwarnings("ignore")
def test_narrow_directions_are_held_by_the_floor() -> None:
    line = np.repeat(np.linspace(0, 1, 50)[:, None], 2, axis=1)  # all on a line
    fitted = GaussianMixture(1, covariance_type="full", reg_covar=0.01).fit(line)
    assert np.linalg.eigvalsh(fitted.covariances_[0])[0] == pytest.approx(0.01)


def test_the_kind_may_be_chosen_by_cross_validation() -> None:
    rows = np.random.default_rng(0).permutation(rows_of(2))
    chosen = GridSearchCV(GaussianMixture(3, random_state=0), {"covariance_type": KINDS}, cv=3).fit(rows)
    assert chosen.best_params_ == {"covariance_type": "full"}


def test_classes_with_full_covariances_are_scored_by_them() -> None:
    rows, labels = rows_of(), np.repeat(["a", "b", "c"], 300)
    fitted = GMMClassifier(GaussianMixture(1, covariance_type="full")).fit(rows, labels)
    expected = np.stack([mixture.score_samples(rows) for mixture in fitted.mixtures_]).argmax(axis=0)
    assert (fitted.predict(rows) == fitted.classes_[expected]).all()


def test_what_has_diagonal_covariances_alone_is_refused_by_name() -> None:
    rows = rows_of()
    full = GaussianMixture(2, covariance_type="full", random_state=0)
    assert not hasattr(full, "partial_fit")
    assert hasattr(clone(full).set_params(covariance_type="diag"), "partial_fit")
    with pytest.raises(AttributeError, match="partial_fit"):
        full.partial_fit(rows)
    with pytest.raises(ValueError, match=r"no fitted mixture of .* with diagonal"):
        MAPAdaptedGMM(full.fit(rows)).fit(rows)
    with pytest.raises(ValueError, match="float32"):
        GaussianMixture(2, covariance_type="full", precision="float32").fit(rows)
    with pytest.raises(ValueError, match=r"precisions_init has shape \(2, 2\); expected \(2, 2, 2\)"):
        GaussianMixture(2, covariance_type="full", precisions_init=np.eye(2)).fit(rows)
    with pytest.raises(ValueError, match="symmetric and positive definite"):
        GaussianMixture(2, covariance_type="tied", precisions_init=-np.eye(2)).fit(rows)
    with pytest.raises(ValueError, match="covariance_type is 'spherical', and the mixture is DiagGMM"):
        GaussianMixture.from_model(sg.fit_gmm(rows, 2).model, covariance_type="spherical")
