"""From any fit that says converged, one plain EM step in float64 gains less than 2 tol, or less than rounding.

Rounding is that of the precision of the fit (``rounding_of``), and counts where it is larger than 2 tol.
"""

import warnings
from functools import cache
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

import speechgmm as sg
from speechgmm.errors import FitWarning
from speechgmm.gmm import (
    BayesianGMM,
    ConjugatePrior,
    DiagGMM,
    adapt_map,
    fit_em,
    fit_gmm,
    fit_gradient,
    fit_variational,
    prepare,
    split_components,
    update,
)
from speechgmm.gmm.em import e_step
from speechgmm.gmm.prior import PARAMETERS
from speechgmm.gmm.progress import rounding_of
from speechgmm.gmm.updating import statistics_of

TOLERANCES = (1e-4, 1e-5, 1e-6)
PRECISIONS = ("float32", "float64")


def floor_of(frames: np.ndarray) -> np.ndarray:
    return 0.003 * frames.astype(np.float64).var(axis=0)


def plain_step(model: DiagGMM, frames: np.ndarray, prior: ConjugatePrior | None = None, update=PARAMETERS) -> float:
    """What one step of EM gains from a mixture, in nats per frame, in float64 with every component."""
    batches = prepare(frames.astype(np.float64), precision="float64")
    flat = ConjugatePrior.flat(*model.means.shape) if prior is None else prior
    before, after = fit_em(model, batches, flat, max_iter=1, tol=0, floor=floor_of(frames), update=update).trace
    return after - before


def allowed(fit: Any, tol: float) -> float:
    return max(2 * tol, rounding_of(fit.trace[-1], fit.precision))


def fitted(frames: np.ndarray, n_components: int, tol: float, **options: Any) -> Any:
    """A fit under the floor that the plain step has; a tol below rounding warns, and nothing else does."""
    options = {"floor": floor_of(frames), "n_init": 1, "max_iter": 2000, "tol": tol, **options}
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        fit = fit_gmm(frames, n_components, **options)
    rounding = rounding_of(fit.trace[-1], fit.precision)
    below = [w for w in caught if "is below what" in str(w.message)]
    assert len(below) == (0 < tol < rounding)
    assert all(issubclass(w.category, FitWarning) for w in caught)
    return fit


def holds(fit: Any, frames: np.ndarray, tol: float, prior: ConjugatePrior | None = None, update=PARAMETERS) -> None:
    assert fit.converged
    assert fit.fell == ()
    assert plain_step(fit.model, frames, prior, update) < allowed(fit, tol)


REAL = {
    "fsdd/recordings/*_george_*.wav": (70, 8),
    "fsdd/recordings/3_*_?.wav": (60, 4),
    "timit-a/dr1-fvmh0/*.wav": (6, 16),
    "arabic-words/**/close/*.flac": (50, 8),
    "librispeech/train-clean-100/**/*.flac": (4, 16),
}


@cache
def mfccs(data: Path, pattern: str) -> np.ndarray:
    spec = sg.FeatureSpec(preset="kaldi", deltas=2)
    paths = sorted(data.glob(pattern))[: REAL[pattern][0]]
    if not paths:
        pytest.skip(f"no recordings {pattern} in the shared data")
    return np.concatenate([sg.extract(spec, *soundfile.read(path, dtype="float32")) for path in paths])


@pytest.mark.parametrize("overrelaxed", [True, False])
@pytest.mark.parametrize("e_step_", ["dense", "sparse"])
@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("pattern", REAL)
def test_of_real_mfccs(shared, pattern, precision, e_step_, overrelaxed):
    frames = mfccs(shared / "data", pattern)
    for tol in TOLERANCES:
        options = {"precision": precision, "e_step": e_step_, "overrelaxed": overrelaxed, "seed": 1}
        holds(fitted(frames, REAL[pattern][1], tol, **options), frames, tol)


def clusters(seed: int, n_frames: int, n_features: int, apart: float, n_clusters: int = 4) -> np.ndarray:
    rng = np.random.default_rng(seed)
    centres = apart * rng.normal(size=(n_clusters, n_features))
    return centres[rng.integers(0, n_clusters, n_frames)] + rng.normal(size=(n_frames, n_features))


def narrow_beside_wide() -> np.ndarray:
    """Clusters narrow in some dimensions, off their mean: what cancels in float32 is more than the objective."""
    rng = np.random.default_rng(15)
    scale = np.exp(rng.normal(size=5))
    return 300 + rng.normal(size=(2800, 5)) * scale + 2.0 * rng.integers(0, 4, size=(2800, 1))


SYNTHETIC = {
    "one Gaussian": lambda: clusters(0, 1500, 3, 0.0),
    "two that overlap": lambda: clusters(1, 2000, 2, 0.9, 2),
    "overlapping": lambda: clusters(2, 2500, 5, 1.2, 5),
    "blobs": lambda: clusters(3, 2000, 4, 8.0, 8),
    "heavy tails": lambda: np.random.default_rng(4).standard_t(3, size=(1500, 3)),
    "one dimension": lambda: clusters(5, 1300, 1, 0.6, 2),
    "narrow beside wide": narrow_beside_wide,
}


@pytest.mark.parametrize("init", ["kmeans++", "split", "random"])
@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("name", SYNTHETIC)
def test_of_synthetic_frames(name, precision, init):
    frames = SYNTHETIC[name]()
    for tol, overrelaxed in product((1e-4, 1e-6), (True, False)):
        fit = fitted(frames, 6, tol, precision=precision, init=init, overrelaxed=overrelaxed)
        holds(fit, frames, tol)


@pytest.mark.parametrize("e_step_", ["dense", "sparse"])
@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("away", [0.2, 1e-2, 1e-4])
def test_halves_of_a_split_on_a_plateau_leave_it(away, precision, e_step_):
    rng = np.random.default_rng(7)
    frames = np.concatenate([rng.normal(size=(1500, 2)) - 1.5, rng.normal(size=(1500, 2)) + 1.5])
    mean, variance = frames.mean(axis=0), frames.var(axis=0)
    start = split_components(DiagGMM([1.0], [mean], [variance]), [0], away / 0.2)
    plateau = plain_step(DiagGMM([1.0], [mean], [variance]), frames)
    assert plateau == pytest.approx(0, abs=1e-9)
    for tol, overrelaxed in product((1e-3, 1e-5), (True, False)):
        options = {"precision": precision, "e_step": e_step_, "overrelaxed": overrelaxed, "max_iter": 5000}
        fit = fitted(frames, 2, tol, start=start, **options)
        holds(fit, frames, tol)
        assert np.sort(fit.model.means[:, 0]) == pytest.approx([-1.5, 1.5], abs=0.15)


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("name", ["overlapping", "blobs", "heavy tails", "narrow beside wide"])
def test_of_adaptation_and_updates(name, precision):
    frames = SYNTHETIC[name]()
    half = len(frames) // 2
    floor = floor_of(frames[half:])
    ubm = fit_gmm(frames[:half], 4, max_iter=5, n_init=1, floor=floor).model
    for tol in TOLERANCES:
        options = {"max_iter": 2000, "tol": tol, "floor": floor, "precision": precision}
        for parameters in (("means",), PARAMETERS):
            fit = adapt_map(ubm, frames[half:], 16, parameters=parameters, **options)
            holds(fit, frames[half:], tol, ConjugatePrior.around(ubm, 16), parameters)
        fit = update(ubm, frames[half:], half, **options)
        known = ConjugatePrior.flat(*ubm.means.shape) + statistics_of(ubm, half * ubm.weights)
        holds(fit, frames[half:], tol, known)


@pytest.mark.parametrize("tol", TOLERANCES)
@pytest.mark.parametrize("name", SYNTHETIC)
def test_of_gradients(name, tol):
    frames = SYNTHETIC[name]()
    fit = fitted(frames, 4, tol, estimator="gradient", gradient_after=3, seed=2)
    holds(fit, frames, tol)


@pytest.mark.parametrize(("seed", "tol"), [(1, 1e-6), (2, 1e-5), (3, 1e-5), (10, 1e-6), (10, 1e-5)])
def test_of_gradients_where_lbfgs_alone_would_end_far_from_a_maximum(seed, tol):
    """Four components of one Gaussian: an iteration of L-BFGS gains next to nothing, EM's own step up to 280 tol."""
    frames = np.random.default_rng(seed).normal(size=(1500, 4))
    for after in (3, 10):
        holds(fitted(frames, 4, tol, estimator="gradient", gradient_after=after, seed=seed), frames, tol)


def test_gradients_with_a_tol_below_rounding_end():
    frames = SYNTHETIC["blobs"]()
    start = fit_gmm(frames, 8, max_iter=3, n_init=1, floor=floor_of(frames), init="random").model
    batches = prepare(frames, precision="float64")
    fit = fit_gradient(start, batches, max_passes=3000, tol=1e-15, floor=floor_of(frames))
    assert fit.converged
    assert len(fit.trace) < 1500
    assert plain_step(fit.model, frames) < rounding_of(fit.trace[-1], "float64")


def variational_step(posterior: BayesianGMM, prior: BayesianGMM, frames: np.ndarray) -> float:
    """What one plain update gains, in nats of the bound per frame, in float64."""
    batches = prepare(frames.astype(np.float64), precision="float64")
    bounds = []
    for _ in range(2):
        stats = e_step(posterior.log_linear(), batches)
        bounds.append(stats.log_likelihood - posterior.divergence(prior))
        posterior = prior + stats
    return (bounds[1] - bounds[0]) / len(frames)


@pytest.mark.parametrize("weight_prior", ["dirichlet", "dirichlet_process"])
@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("name", ["two that overlap", "overlapping", "blobs", "heavy tails"])
def test_of_variational_fits(name, precision, weight_prior):
    frames = SYNTHETIC[name]()
    prior = BayesianGMM.around(frames.mean(axis=0), frames.var(axis=0), 8, weight_prior=weight_prior)
    for tol in TOLERANCES:
        fit = fit_variational(frames, 8, tol=tol, precision=precision, weight_prior=weight_prior, max_iter=2000)
        assert fit.converged
        assert fit.fell == ()
        assert variational_step(fit.posterior, prior, frames) < allowed(fit, tol)


@pytest.mark.parametrize("precision", PRECISIONS)
def test_a_tol_below_rounding_warns_and_ends(precision):
    frames = SYNTHETIC["blobs"]()
    with pytest.warns(FitWarning, match=rf"tol 1e-14 is below what {precision} can tell"):
        fit = fit_gmm(frames, 8, tol=1e-14, precision=precision, n_init=1, max_iter=5000, floor=floor_of(frames))
    assert fit.converged
    assert plain_step(fit.model, frames) < rounding_of(fit.trace[-1], precision)
    # It ends where rounding decides, not where the objective happens to stand still.
    floor, tol = floor_of(frames), rounding_of(fit.trace[-1], precision) / 2
    with pytest.warns(FitWarning, match="is below what"):
        other = fit_gmm(frames, 8, tol=tol, precision=precision, n_init=1, max_iter=5000, floor=floor)
    assert fit.trace == other.trace


def test_without_a_tol_nothing_is_called_converged():
    frames = SYNTHETIC["blobs"]()
    for precision in PRECISIONS:
        fit = fit_gmm(frames, 4, tol=0, max_iter=60, n_init=1, precision=precision, floor=floor_of(frames))
        assert not fit.converged
        assert fit.fell == ()
